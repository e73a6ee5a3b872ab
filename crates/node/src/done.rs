//! The end of a turn: its ops are carried out in order, or its abortion is told to whom it concerns.
//!
//! Invariants
//! - a vat that names what it does not hold has a damaged heap: it is paused, and the op has no effect;
//! - an aborted delivery is consumed: a call's promise rejects; a message that wanted no answer is reported; a resolution
//!   becomes a rejection with the same error, and if that is aborted too the vat is paused.
use crate::refs::{NOBODY, Promise, State};
use crate::{Current, Effect, Node, Report, Trouble};
use passable::{
    Aborted, Data, Delivery, Ending, HOST, Limits, MakeVat, Message, ObjectId, Op, Place, PromiseId, Ref, Resolution, Source,
    Target, TurnId,
};
use passable::{TurnOutcome, VatId, What};
use std::collections::hash_map::Entry;

impl Node {
    pub(crate) fn turn_done(&mut self, vat: VatId, delivery: Box<Delivery>, outcome: &mut TurnOutcome) {
        let Some(v) = self.vat_mut(vat) else {
            // it was ended meanwhile: what the delivery named is let go
            return self.release_all(&delivery.what);
        };
        let Some(current) = v.current.take() else { return };
        let id = TurnId { vat, turn: v.turns };
        self.pending -= 1;
        if current.stored {
            self.dirty.gone(ken::rows::INBOX, &ken::rows::pair(vat, current.seq));
        }
        if !current.dropped().is_empty() || !current.retired().is_empty() {
            // its row may say that the vat is to be told what it has been told
            self.dirty.vat(vat);
        }
        self.causes.set_running(id);
        self.traces = std::mem::take(&mut outcome.traces);
        let aborted = matches!(outcome.ending, Ending::Aborted(_));
        if !outcome.output.is_empty() {
            self.out.push(Effect::Output { vat, aborted, lines: std::mem::take(&mut outcome.output) });
        }
        if let Ending::Aborted(why) = &outcome.ending {
            self.aborted(vat, id, *delivery, current, why);
        } else {
            let Current { start, kept, young, .. } = current;
            self.committed(vat, id, &delivery.what, start, outcome);
            if let (What::Message(m), true) = (&delivery.what, young) {
                // of what the turn left of it the vat knows now
                m.answer.into_iter().for_each(|p| self.grown(p));
            }
            self.recycle(delivery, kept);
        }
        self.traces.clear();
        self.causes.set_running(TurnId::default());
        self.schedule(vat);
    }

    fn committed(&mut self, vat: VatId, id: TurnId, what: &What, start: Option<PromiseId>, outcome: &mut TurnOutcome) {
        if matches!(outcome.ending, Ending::NoStart) && self.main == start {
            self.nothing_to_start = true;
            self.dirty.meta = true;
        }
        self.consumed(vat, what);
        for op in outcome.ops.drain(..) {
            self.carry_out(vat, id, op);
        }
        if let Ending::Threw(text) = std::mem::replace(&mut outcome.ending, Ending::Done) {
            self.report(Trouble::Uncaught, vat, text, id);
        }
        for text in outcome.unhandled.drain(..) {
            self.report(Trouble::Unhandled, vat, text, id);
        }
        self.release_all(what);
        self.ended_start(vat, start);
    }

    /// Where the error with this text came from, if the turn that ends told so.
    pub(crate) fn places(&self, text: &str) -> Vec<Place> {
        self.traces.iter().find(|t| t.text == text).map_or_else(Vec::new, |t| t.places.clone())
    }

    pub(crate) fn report(&mut self, kind: Trouble, vat: VatId, text: String, id: TurnId) {
        self.told.problem(id, &text);
        let causes = self.causes.chain(id);
        let places = self.places(&text);
        self.out.push(Effect::Report(Report { kind, vat, text, places, causes }));
    }

    /// What came with the delivery is the vat's now.
    pub(crate) fn consumed(&mut self, vat: VatId, what: &What) {
        let (a, b, _) = what.refs();
        for r in a.iter().chain(b) {
            self.hold(vat, *r);
        }
        if let What::Notify { promise, .. } = what
            && let Some(e) = self.promise_mut(*promise)
        {
            e.holders.remove(vat);
            e.listeners.remove(vat);
            if !e.is_needed() {
                self.look_at_promise(*promise);
            }
        }
    }

    fn aborted(&mut self, vat: VatId, id: TurnId, delivery: Delivery, current: Current, why: &Aborted) {
        self.told.aborted(id, why.text());
        let Delivery { what, dropped, retired } = delivery;
        self.bring_back(vat, dropped, retired);
        match &what {
            What::Message(m) if m.answer.is_some() => {
                if let Some(p) = m.answer {
                    self.settle(p, true, why.data());
                }
            }
            What::Message(_) => self.report(Trouble::Limit, vat, why.text(), id),
            What::Start { answer, .. } | What::StartText { answer, .. } => {
                if Some(*answer) == self.main {
                    self.report(Trouble::Limit, vat, why.text(), id);
                }
                self.settle(*answer, true, why.data());
            }
            What::Notify { promise, .. } if !current.last_chance => {
                self.report(Trouble::Limit, vat, why.text(), id);
                let what = What::Notify { promise: *promise, rejected: true, value: why.data() };
                let bytes = crate::route::size(&what);
                self.dirty.inbox(vat, current.seq);
                if let Some(v) = self.vat_mut(vat) {
                    // in the place of the one that it replaces: by number, since a scheduler may have taken one from the middle
                    let (seq, stored) = (current.seq, false);
                    let at = v.inbox.partition_point(|q| q.seq < seq);
                    v.inbox.insert(at, crate::Queued { what, origin: id, last_chance: true, bytes, seq, stored, young: false });
                    v.inbox_bytes += bytes;
                    self.pending += 1;
                }
            }
            What::Notify { .. } => self.pause(vat, why.text(), id),
            What::Collect | What::Trace { .. } => {}
        }
        if !why.limit && why.message != "interrupted" {
            self.pause(vat, why.text(), id);
        }
        self.release_all(&what);
        self.ended_start(vat, current.start);
    }

    /// A vat whose start failed is no more: nobody has a reference into it.
    fn ended_start(&mut self, vat: VatId, start: Option<PromiseId>) {
        let Some(answer) = start else { return };
        let failed = match self.promises.get(&answer).map(|e| &e.state) {
            Some(State::Settled { rejected, .. }) => *rejected,
            _ => false,
        };
        if failed && Some(answer) != self.main {
            self.end_vat(vat, "the vat's start failed");
        }
    }

    /// The vat is no more: what waits for it and what it owes is rejected.
    pub(crate) fn end_vat(&mut self, vat: VatId, why: &str) {
        let Some(v) = self.vats.get_mut(vat.0 as usize).and_then(Option::take) else { return };
        if !v.paused {
            self.pending -= v.inbox.len() as u64;
        }
        self.pending -= u64::from(v.current.is_some());
        self.dirty.ended(vat, &v);
        self.forget_names(vat);
        if v.session {
            self.session_ended(vat);
        } else {
            self.out.push(Effect::EndVat { vat });
        }
        if let Some(root) = v.root
            && Some(root) != self.main
        {
            self.drop_ref(HOST, Ref::Promise(root), false);
        }
        let owed: Vec<PromiseId> = {
            let mut all: Vec<PromiseId> = self.promises.iter().filter(|e| e.1.decider == vat).map(|e| *e.0).collect();
            all.sort();
            all
        };
        for q in &v.inbox {
            if let What::Message(m) = &q.what
                && let Some(p) = m.answer
            {
                self.settle(p, true, Data::error("Error", why));
            }
            self.release_all(&q.what);
        }
        for p in owed {
            self.settle(p, true, Data::error("Error", why));
        }
        let held: Vec<PromiseId> = self.promises.iter().filter(|e| e.1.holders.contains(vat)).map(|e| *e.0).collect();
        for p in held {
            self.drop_ref(vat, Ref::Promise(p), false);
        }
        for i in 0..self.vats.len() {
            let Some(other) = self.vats[i].as_deref_mut() else { continue };
            let mut loose = Vec::new();
            for (n, e) in other.exports.iter_mut() {
                if e.holders.contains(vat) || e.recognisers.contains(vat) {
                    self.dirty.export(ObjectId { vat: VatId(i as u32), n: *n });
                    self.dirty.vat(VatId(i as u32));
                }
                e.holders.remove(vat);
                e.recognisers.remove(vat);
                if e.is_loose() {
                    loose.push(*n);
                }
            }
            loose.sort_unstable();
            other.loose.extend(loose);
        }
    }

    pub(crate) fn vat_failed(&mut self, vat: VatId, why: &str) {
        let answer = self.vat_ref(vat).and_then(|v| {
            let waiting = v.inbox.front().and_then(|q| start_answer(&q.what));
            v.current.as_ref().and_then(|c| c.start).or(waiting)
        });
        if let Some(v) = self.vat_mut(vat)
            && let Some(current) = v.current.take()
        {
            self.pending -= 1;
            if current.stored {
                self.dirty.gone(ken::rows::INBOX, &ken::rows::pair(vat, current.seq));
            }
        }
        if let Some(p) = answer {
            self.settle(p, true, Data::error("Error", why));
        }
        self.end_vat(vat, why);
    }

    pub(crate) fn carry_out(&mut self, vat: VatId, id: TurnId, op: Op) {
        let listens = matches!(op, Op::Listen(_));
        match op {
            Op::Send(msg) => self.op_send(vat, id, msg),
            Op::Resolve { promise, to } => self.op_resolve(vat, id, promise, to),
            Op::Listen(p) => {
                if self.may_name(vat, Ref::Promise(p)) {
                    self.listen(vat, p, id);
                }
            }
            Op::Drop { what, recognised } => self.drop_ref(vat, what, recognised),
            Op::Retired(n) => self.retired(ObjectId { vat, n }),
            Op::Reached(refs) => self.reached(vat, refs),
            Op::Now { answer } => self.request(vat, answer, Effect::Now { answer }),
            Op::Delay { ms, answer } => self.request(vat, answer, Effect::Delay { ms, answer }),
            Op::Random { bytes, answer } => self.request(vat, answer, Effect::Random { bytes, answer }),
            Op::Net { ask, answer } => self.op_net(vat, id, ask, answer),
            Op::MakeVat(asked) => self.op_make(vat, id, *asked),
        }
        if listens {
            // whoever listens waits for it
            self.first_named.clear();
        }
        self.look_at_first_named();
    }

    /// False: the vat named what it does not hold.
    pub(crate) fn all_named(&mut self, vat: VatId, id: TurnId, refs: &[Ref]) -> bool {
        let fine = refs.iter().all(|r| self.may_name(vat, *r));
        if !fine && self.is_session(vat) {
            self.end_session(vat, "the session named what it does not hold".to_owned(), id);
        } else if !fine {
            self.pause(vat, "Error: the heap is damaged: it names what the vat does not hold".to_owned(), id);
        }
        fine
    }

    fn pass_on(&mut self, refs: &[Ref]) {
        for r in refs {
            if let Ref::Promise(p) = r
                && let Some(e) = self.promise_mut(*p)
            {
                // whoever it is passed to may handle it
                e.handled = true;
            }
        }
    }

    fn op_send(&mut self, vat: VatId, id: TurnId, msg: Box<Message>) {
        let target = match &msg.target {
            Target::Object(o) => Ref::Object(*o),
            Target::Promise(p) => Ref::Promise(*p),
            Target::Value(_) => return self.pause(vat, "Error: the heap is damaged".to_owned(), id),
        };
        if !self.all_named(vat, id, &[target]) || !self.all_named(vat, id, &msg.body.slots) {
            return;
        }
        if let Some(p) = msg.answer
            && !self.new_answer(vat, p)
        {
            return self.pause(vat, "Error: the heap is damaged: a promise's number was used before".to_owned(), id);
        }
        self.pass_on(&msg.body.slots);
        let mut msg = msg;
        self.told.sent(id, &mut msg);
        self.send(vat, msg, id);
    }

    /// A promise that a message's answer will settle. It may have been passed on earlier in the same turn, by a message that
    /// had to wait less.
    fn new_answer(&mut self, vat: VatId, p: PromiseId) -> bool {
        if p.vat != vat {
            return false;
        }
        self.dirty.promise(p);
        match self.promises.entry(p) {
            Entry::Vacant(place) => {
                place.insert(Promise::new(NOBODY, vat));
                true
            }
            Entry::Occupied(mut e) => {
                let e = e.get_mut();
                let fine = e.decider == vat && matches!(e.state, State::Pending);
                if fine {
                    e.decider = NOBODY;
                    e.holders.insert(vat);
                }
                fine
            }
        }
    }

    fn op_resolve(&mut self, vat: VatId, id: TurnId, p: PromiseId, to: Resolution) {
        let fine = match &to {
            Resolution::Fulfilled(d) | Resolution::Rejected(d) => {
                let fine = self.all_named(vat, id, &d.slots);
                self.pass_on(&d.slots);
                fine
            }
            Resolution::Forwarded(q) => {
                let fine = self.all_named(vat, id, &[Ref::Promise(*q)]);
                self.pass_on(&[Ref::Promise(*q)]);
                fine
            }
        };
        if fine {
            self.resolve(vat, p, to);
        }
    }

    /// A promise that a power answers.
    fn request(&mut self, vat: VatId, answer: PromiseId, effect: Effect) {
        if answer.vat == vat && !self.promises.contains_key(&answer) {
            self.insert_promise(answer, Promise::new(HOST, vat));
            self.open_requests += 1;
            self.out.push(effect);
        }
    }

    pub(crate) fn power_answer(&mut self, p: PromiseId, rejected: bool, value: Data) {
        self.not_drawn(p);
        if self.promises.get(&p).is_some_and(|e| e.decider == HOST) {
            self.settle(p, rejected, value);
        }
    }

    fn op_make(&mut self, vat: VatId, id: TurnId, asked: MakeVat) {
        let MakeVat { source, powers, limits, answer } = asked;
        if !self.all_named(vat, id, &powers.slots) || answer.vat != vat || self.promises.contains_key(&answer) {
            return;
        }
        self.pass_on(&powers.slots);
        self.insert_promise(answer, Promise::new(NOBODY, vat));
        let Some(maker) = self.vat_ref(vat) else { return };
        // nobody gives more than it has
        let least = |asked: u64, own: u64| if asked == 0 { own } else { asked.min(own) };
        let limits = Limits {
            heap_bytes: least(limits.heap_bytes, maker.limits.heap_bytes),
            instructions: least(limits.instructions, maker.limits.instructions),
        };
        let (program, name) = match &source {
            Source::Text(_) => (None, "<source>".to_owned()),
            Source::Specifier(s) => {
                let found = match maker.program {
                    Some(p) => self.programs.named_by(p, s),
                    None => Err(format!("a program made from text names no files: '{s}'")),
                };
                match found {
                    Ok(p) => (Some(p), self.programs.name(p)),
                    Err(why) => return self.settle(answer, true, Data::error("Error", &why)),
                }
            }
        };
        let new = self.make_vat(program, name, limits);
        if let Some(e) = self.promise_mut(answer) {
            e.decider = new;
        }
        self.set_root(new, answer);
        let what = match (source, program) {
            (Source::Text(text), _) => What::StartText { text, powers, answer },
            (_, Some(program)) => What::Start { program, powers, answer },
            _ => return,
        };
        self.enqueue(new, what, id);
    }

    pub(crate) fn idle(&mut self, vat: VatId) {
        if self.vat_ref(vat).is_some_and(|v| v.current.is_none() && v.inbox.is_empty() && !v.paused) {
            self.enqueue(vat, What::Collect, TurnId::default());
        }
    }
}

pub(crate) fn start_answer(what: &What) -> Option<PromiseId> {
    match what {
        What::Start { answer, .. } | What::StartText { answer, .. } => Some(*answer),
        _ => None,
    }
}
