//! Where messages go, and how promises are resolved.
//!
//! Invariants
//! - what waits on a promise goes on in the order it came, before anything that is sent after the resolution;
//! - news of a promise come to a vat after all that it sent on the promise to objects of its own;
//! - a settled promise stays settled; promises resolved to each other in a circle are rejected.
use crate::refs::{Promise, State};
use crate::{Effect, MAX_QUEUE_BYTES, MAX_QUEUE_MESSAGES, Node, Queued, Report, Trouble};
use passable::{Data, HOST, Message, ObjectId, PromiseId, Ref, Resolution, Target, TurnId, VatId, What};

/// Bytes a delivery is counted for.
pub(crate) fn size(what: &What) -> u64 {
    let n = match what {
        What::Message(m) => {
            m.body.size()
                + match &m.target {
                    Target::Value(d) => d.size(),
                    _ => 0,
                }
        }
        What::Notify { value, .. } => value.size(),
        What::Start { powers, .. } => powers.size(),
        What::StartText { text, powers, .. } => text.len() as u64 + powers.size(),
        What::Trace { exports, .. } => exports.len() as u64 * 8,
        What::Collect => 0,
    };
    n + size_of::<Queued>() as u64
}

impl Node {
    /// A message that `from` sent in turn `origin`.
    pub(crate) fn send(&mut self, from: VatId, msg: Box<Message>, origin: TurnId) {
        match msg.target {
            Target::Object(o) => self.send_to_object(from, o, msg, origin),
            Target::Promise(p) => self.send_to_promise(from, p, msg, origin),
            Target::Value(_) => self.deliver(from, from, msg, origin),
        }
    }

    fn send_to_object(&mut self, from: VatId, o: ObjectId, mut msg: Box<Message>, origin: TurnId) {
        msg.target = Target::Object(o);
        self.deliver(from, o.vat, msg, origin);
    }

    /// Into an inbox, if it has room.
    fn deliver(&mut self, from: VatId, to: VatId, msg: Box<Message>, origin: TurnId) {
        let answer = msg.answer;
        let (full, paused) = match self.vat_ref(to) {
            None => return self.undeliverable(from, answer, "Error", "the vat of the target has ended", origin),
            Some(v) => (v.inbox.len() >= MAX_QUEUE_MESSAGES || v.inbox_bytes >= MAX_QUEUE_BYTES, v.paused),
        };
        if full {
            return self.undeliverable(from, answer, "RangeError", "limit: messages waiting for a vat", origin);
        }
        let session = self.is_session(to);
        let (mut waited, mut young) = (Vec::new(), false);
        if let Some(p) = answer
            && let Some(e) = self.promises.get_mut(&p)
        {
            e.decider = to;
            if session {
                e.waiting_bytes = 0;
                waited = std::mem::take(&mut e.waiting);
            }
            e.young &= !session && !paused;
            young = e.young;
            if !young {
                self.dirty.promise(p);
            }
        }
        self.enqueue_as(to, What::Message(msg), origin, young);
        if let (Some(p), false) = (answer, waited.is_empty()) {
            self.no_longer_waiting(p, &waited);
            self.send_on(waited, p);
        }
    }

    /// The answer of a message that cannot be delivered is rejected; without one it is reported.
    pub(crate) fn undeliverable(&mut self, from: VatId, answer: Option<PromiseId>, name: &str, why: &str, origin: TurnId) {
        let e = Data::error(name, why);
        match answer {
            Some(p) => self.settle(p, true, e),
            // what peers do wrong is not this host's error
            None if self.is_session(from) => {}
            None => {
                let causes = self.causes.chain(origin);
                self.out.push(Effect::Report(Report {
                    kind: Trouble::Unhandled,
                    vat: from,
                    text: e.describe(),
                    places: Vec::new(),
                    causes,
                }));
            }
        }
    }

    /// The promise at the end of a chain of resolved ones.
    fn root_of(&self, p: PromiseId) -> PromiseId {
        let mut at = p;
        while let Some(Promise { state: State::Forwarded(q), .. }) = self.promises.get(&at) {
            at = *q;
        }
        at
    }

    /// A message that a vat sent on a promise which has become an object of its own, as it has not heard yet: once it has, it sends to the
    /// object itself. So the message goes in before the news, and what stands behind keeps its order.
    fn send_home(&mut self, vat: VatId, named: PromiseId, o: ObjectId, msg: Box<Message>, origin: TurnId) {
        let news = |q: &Queued| matches!(q.what, What::Notify { promise, .. } if promise == named);
        let behind = self.vat_mut(vat).and_then(|v| Some(v.inbox.split_off(v.inbox.iter().position(news)?)));
        self.send_to_object(vat, o, msg, origin);
        for mut q in behind.into_iter().flatten() {
            if std::mem::take(&mut q.stored) {
                self.dirty.gone(ken::rows::INBOX, &ken::rows::pair(vat, q.seq));
            }
            let Some(v) = self.vat_mut(vat) else { return };
            q.seq = v.next_seq;
            v.next_seq += 1;
            self.dirty.inbox(vat, q.seq);
            if let Some(v) = self.vat_mut(vat) {
                v.inbox.push_back(q);
            }
        }
    }

    pub(crate) fn send_to_promise(&mut self, from: VatId, p: PromiseId, mut msg: Box<Message>, origin: TurnId) {
        let named = p;
        let p = self.root_of(p);
        let pipelined = self.promises.get(&p).is_some_and(|e| matches!(e.state, State::Pending) && self.takes(p, e));
        let Some(e) = self.promises.get_mut(&p) else {
            return self.undeliverable(from, msg.answer, "Error", "the promise is not known", origin);
        };
        if !std::mem::replace(&mut e.handled, true) {
            self.dirty.promise(p);
        }
        let (rejected, value) = match &e.state {
            State::Settled { rejected, value } => (*rejected, value.clone()),
            _ if pipelined => {
                msg.target = Target::Promise(p);
                let to = e.decider;
                return self.deliver(from, to, msg, origin);
            }
            _ => {
                let queued = msg.body.size();
                if e.waiting.len() >= MAX_QUEUE_MESSAGES || e.waiting_bytes >= MAX_QUEUE_BYTES {
                    return self.undeliverable(from, msg.answer, "RangeError", "limit: messages waiting for a promise", origin);
                }
                e.waiting_bytes += queued;
                msg.target = Target::Promise(p);
                let what = What::Message(msg);
                let bytes = size(&what);
                // held while it waits; the target is the entry that it waits in
                for r in what.refs().0.to_vec() {
                    self.retain(r);
                }
                let seq = self.next_waiting;
                self.next_waiting += 1;
                self.dirty.waiting(p, seq);
                if let Some(e) = self.promises.get_mut(&p) {
                    e.waiting.push((from, Queued { what, origin, last_chance: false, bytes, seq, stored: false, young: false }));
                }
                return;
            }
        };
        let decider = e.decider;
        if rejected {
            match msg.answer {
                Some(a) => self.settle(a, true, value),
                None if self.is_session(from) => {}
                None => {
                    let causes = self.causes.chain(origin);
                    let text = value.describe();
                    let places = self.places(&text);
                    self.out.push(Effect::Report(Report { kind: Trouble::Unhandled, vat: from, text, places, causes }));
                }
            }
            return;
        }
        match value.as_reference() {
            Some(Ref::Object(o)) if o.vat == from => self.send_home(from, named, o, msg, origin),
            Some(Ref::Object(o)) => self.send_to_object(from, o, msg, origin),
            // what it became is data: the one who decided performs the message on it
            _ => {
                let here = decider != HOST && self.vat_ref(decider).is_some_and(|v| !v.session);
                let to = if here { decider } else { from };
                if self.is_session(to) {
                    return self.data_of_peers(from, msg.answer, origin);
                }
                msg.target = Target::Value(value);
                self.deliver(from, to, msg, origin);
            }
        }
    }

    /// `vat` resolves a promise that it decides.
    pub(crate) fn resolve(&mut self, vat: VatId, p: PromiseId, to: Resolution) {
        let alone = match self.promises.get(&p) {
            Some(e) if e.decider == vat && matches!(e.state, State::Pending) => e.followers.is_empty(),
            _ => return,
        };
        match to {
            // the usual case, without another look-up
            Resolution::Fulfilled(d) if alone => {
                self.dirty.promise(p);
                self.settle_one(p, false, d);
            }
            Resolution::Fulfilled(d) => self.settle(p, false, d),
            Resolution::Rejected(d) => self.settle(p, true, d),
            Resolution::Forwarded(q) => self.forward(p, q),
        }
    }

    fn forward(&mut self, p: PromiseId, q: PromiseId) {
        let q = self.root_of(q);
        if q == p {
            return self.settle(p, true, Data::error("TypeError", "Chaining cycle detected for promise"));
        }
        let settled = match self.promises.get(&q).map(|e| &e.state) {
            None => Some((true, Data::error("Error", "the promise is not known"))),
            Some(State::Settled { rejected, value }) => Some((*rejected, value.clone())),
            Some(_) => None,
        };
        if let Some((rejected, value)) = settled {
            return self.settle(p, rejected, value);
        }
        self.told.resolved(self.causes.running(), p, trace::How::Forwarded);
        let Some(e) = self.promise_mut(p) else { return };
        let of_host = e.decider == HOST;
        e.state = State::Forwarded(q);
        let waiting = std::mem::take(&mut e.waiting);
        e.waiting_bytes = 0;
        if of_host {
            self.open_requests = self.open_requests.saturating_sub(1);
        }
        if let Some(next) = self.promise_mut(q) {
            next.followers.push(p);
        }
        self.no_longer_waiting(p, &waiting);
        self.send_on(waiting, q);
        self.look_at_promise(p);
    }

    fn no_longer_waiting(&mut self, p: PromiseId, waiting: &[(VatId, Queued)]) {
        for (_, q) in waiting.iter().filter(|w| w.1.stored) {
            self.dirty.gone(ken::rows::WAITING, &ken::rows::waiting(p, q.seq));
        }
    }

    /// Messages that waited go on. What those send on in their turn goes before the next of them, as if this were called again
    /// from within; but chains of messages may be as long as a program likes.
    fn send_on(&mut self, waiting: Vec<(VatId, Queued)>, to: PromiseId) {
        if waiting.is_empty() {
            return;
        }
        // until all have gone on nothing may forget it
        self.retain(Ref::Promise(to));
        self.onward.push((to, waiting.into_iter()));
        if std::mem::replace(&mut self.sending_on, true) {
            return;
        }
        while let Some((to, waiting)) = self.onward.last_mut() {
            let to = *to;
            let Some((from, queued)) = waiting.next() else {
                self.onward.pop();
                self.release(Ref::Promise(to));
                continue;
            };
            let What::Message(msg) = queued.what else { continue };
            let held = msg.body.slots.clone();
            self.send_to_promise(from, to, msg, queued.origin);
            for r in held {
                self.release(r);
            }
        }
        self.sending_on = false;
    }

    /// A promise is fulfilled or rejected, and with it those that follow it.
    pub(crate) fn settle(&mut self, p: PromiseId, rejected: bool, value: Data) {
        let followers = match self.promise_mut(p) {
            Some(e) => std::mem::take(&mut e.followers),
            None => return,
        };
        if followers.is_empty() {
            return self.settle_one(p, rejected, value);
        }
        self.settle_one(p, rejected, value.clone());
        let mut todo = std::collections::VecDeque::from(followers);
        while let Some(p) = todo.pop_front() {
            if let Some(e) = self.promise_mut(p) {
                todo.extend(std::mem::take(&mut e.followers));
                self.settle_one(p, rejected, value.clone());
            }
        }
    }

    fn settle_one(&mut self, p: PromiseId, rejected: bool, value: Data) {
        let Some(e) = self.promises.get_mut(&p) else { return };
        if matches!(e.state, State::Settled { .. }) {
            return;
        }
        if matches!(e.state, State::Pending) && e.decider == HOST {
            self.open_requests = self.open_requests.saturating_sub(1);
        }
        let waiting = std::mem::take(&mut e.waiting);
        e.waiting_bytes = 0;
        // a rejection that nobody has provided for is told to all who hold the promise
        let listeners = std::mem::take(&mut e.listeners);
        // it listens to answers of operators' calls alone
        let host_listens = listeners.contains(HOST);
        let told = if rejected && !e.handled { std::mem::take(&mut e.holders) } else { listeners };
        if rejected && !e.handled {
            for v in told.iter() {
                e.holders.insert(v);
            }
        }
        let orphan = e.orphan.take();
        // until this is over nothing may forget it
        e.transit += 1;
        e.state = State::Settled { rejected, value: value.clone() };
        self.told.resolved(self.causes.running(), p, if rejected { trace::How::Rejected } else { trace::How::Fulfilled });
        for r in &value.slots {
            self.retain(*r);
        }
        if let (Some(vat), true) = (orphan, rejected) {
            let causes = self.causes.chain(self.causes.running());
            let text = value.describe();
            let places = self.places(&text);
            self.out.push(Effect::Report(Report { kind: Trouble::Unhandled, vat, text, places, causes }));
        }
        if Some(p) == self.main {
            let rejected = rejected.then(|| value.clone());
            let places = rejected.as_ref().map_or_else(Vec::new, |reason| self.places(&reason.describe()));
            self.out.push(Effect::Started { rejected, places, nothing_to_start: self.nothing_to_start });
            self.name_root();
        }
        if !waiting.is_empty() {
            self.no_longer_waiting(p, &waiting);
            self.send_on(waiting, p);
        }
        // the usual case, without another copy
        let (origin, one) = (self.causes.running(), told.only());
        if let Some(vat) = one.filter(|vat| *vat != HOST) {
            self.enqueue(vat, What::Notify { promise: p, rejected, value }, origin);
            return self.release(Ref::Promise(p));
        }
        for vat in told.iter() {
            if vat != HOST {
                self.enqueue(vat, What::Notify { promise: p, rejected, value: value.clone() }, origin);
            } else if host_listens {
                // whoever called an earlier process is not there any more
                if let Some(to) = self.replies.remove(&p) {
                    self.out.push(Effect::Reply { to, rejected, value: value.clone() });
                }
                self.drop_ref(HOST, Ref::Promise(p), false);
            }
        }
        self.release(Ref::Promise(p));
    }

    /// `vat` wants to hear of `p`.
    pub(crate) fn listen(&mut self, vat: VatId, p: PromiseId, origin: TurnId) {
        let Some(e) = self.promise_mut(p) else { return };
        e.handled = true;
        match &e.state {
            State::Settled { rejected, value } => {
                let what = What::Notify { promise: p, rejected: *rejected, value: value.clone() };
                self.enqueue(vat, what, origin);
            }
            State::Pending => e.listeners.insert(vat),
            State::Forwarded(_) => {
                e.listeners.insert(vat);
                let root = self.root_of(p);
                if let Some(r) = self.promise_mut(root) {
                    r.handled = true;
                }
            }
        }
    }
}
