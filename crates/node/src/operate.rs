//! What operators do to vats, and what becomes of a delivery whose turn did not begin.
//!
//! In: events of operators and of hosts in trouble. Out: vats that are paused, go on, or are sent a message.
//!
//! Invariants
//! - a paused vat keeps its inbox; what is sent to it waits;
//! - what an operator sends to a vat is young at first: neither it nor the promise of its answer has a row. What its turn does is stored
//!   with that turn, and only then is it answered; whoever has no answer when the process dies does not know whether it was done. One that
//!   has waited for long is stored (`KeepCalls`), and one to a paused vat at once;
//! - that an operator paused a vat is no error; that a host could not go on with it is one.
use crate::refs::{self, Promise};
use crate::{Effect, Node, Queued, Trouble, route};
use passable::{Data, Delivery, Message, ObjectId, PromiseId, Target, TurnId, VatId, What};

impl Node {
    pub(crate) fn call(&mut self, vat: VatId, body: Data, reply: u64) {
        let Some(root) = self.vat_ref(vat).and_then(|v| v.root) else {
            let value = Data::error("Error", "there is no such vat");
            return self.out.push(Effect::Reply { to: reply, rejected: true, value });
        };
        let answer = self.new_promise_id();
        let mut p = Promise::new(refs::NOBODY, passable::HOST);
        p.listeners.insert(passable::HOST);
        p.handled = true;
        p.young = true;
        self.promises.insert(answer, p);
        self.replies.insert(answer, reply);
        let msg = Box::new(Message { target: Target::Promise(root), body, answer: Some(answer), id: 0 });
        self.send_to_promise(passable::HOST, root, msg, TurnId::default());
        let waits_elsewhere = self.promises.get(&answer).is_some_and(|e| e.decider == refs::NOBODY || self.is_session(e.decider));
        if waits_elsewhere {
            self.grown(answer);
        }
    }

    /// The promise is no longer that of a message that is young.
    pub(crate) fn grown(&mut self, answer: PromiseId) {
        if let Some(e) = self.promises.get_mut(&answer)
            && std::mem::take(&mut e.young)
        {
            self.dirty.promise(answer);
        }
    }

    /// Young messages are stored.
    pub(crate) fn keep_calls(&mut self) {
        let waiting = self.replies.keys().filter_map(|p| Some((*p, self.promises.get(p).filter(|e| e.young)?.decider)));
        let (answers, mut vats): (Vec<PromiseId>, Vec<VatId>) = waiting.unzip();
        answers.into_iter().for_each(|p| self.grown(p));
        vats.sort_unstable();
        vats.dedup();
        vats.into_iter().for_each(|vat| self.keep_calls_of(vat));
    }

    /// Likewise those to one vat; all but the one that it works on.
    fn keep_waiting_calls(&mut self, vat: VatId) {
        let Some(v) = self.vats.get_mut(vat.0 as usize).and_then(|v| v.as_deref_mut()) else { return };
        let mut answers = Vec::new();
        for q in v.inbox.iter_mut().filter(|q| q.young) {
            q.young = false;
            self.dirty.inbox(vat, q.seq);
            if let What::Message(m) = &q.what {
                answers.extend(m.answer);
            }
        }
        answers.into_iter().for_each(|p| self.grown(p));
    }

    fn keep_calls_of(&mut self, vat: VatId) {
        self.keep_waiting_calls(vat);
        if let Some(v) = self.vats.get_mut(vat.0 as usize).and_then(|v| v.as_deref_mut())
            && let Some(c) = v.current.as_mut().filter(|c| c.young)
        {
            c.young = false;
            self.dirty.inbox(vat, c.seq);
        }
    }

    /// An operator's message waits that is not stored.
    pub fn has_young_calls(&self) -> bool {
        self.replies.keys().any(|p| self.promises.get(p).is_some_and(|e| e.young))
    }

    /// Pauses a vat; false: it was paused already.
    pub(crate) fn stop(&mut self, vat: VatId) -> bool {
        let Some(v) = self.vat_mut(vat) else { return false };
        if std::mem::replace(&mut v.paused, true) {
            return false;
        }
        let waiting = v.inbox.len() as u64;
        self.pending -= waiting;
        self.dirty.vat(vat);
        self.keep_waiting_calls(vat);
        true
    }

    /// Pauses a vat because of an error.
    pub(crate) fn pause(&mut self, vat: VatId, text: String, id: TurnId) {
        if self.stop(vat) {
            self.report(Trouble::Paused, vat, text, id);
        }
    }

    pub(crate) fn unpause(&mut self, vat: VatId) {
        let Some(v) = self.vat_mut(vat) else { return };
        if std::mem::replace(&mut v.paused, false) {
            let waiting = v.inbox.len() as u64;
            self.pending += waiting;
            self.dirty.vat(vat);
            self.schedule(vat);
        }
    }

    /// The delivery is put back where it was.
    pub(crate) fn not_run(&mut self, vat: VatId, delivery: Delivery, why: Option<String>) {
        let Some(v) = self.vat_mut(vat) else { return };
        let Some(current) = v.current.take() else { return };
        let id = TurnId { vat, turn: v.turns };
        let Delivery { what, dropped, retired } = delivery;
        let bytes = route::size(&what);
        let origin = self.causes.origin(id);
        let (seq, stored, last_chance, young) = (current.seq, current.stored, current.last_chance, current.young);
        self.bring_back(vat, dropped, retired);
        if !stored && !young {
            self.dirty.inbox(vat, seq);
        }
        if let Some(v) = self.vat_mut(vat) {
            v.inbox.push_front(Queued { what, origin, last_chance, bytes, seq, stored, young });
            v.inbox_bytes += bytes;
        }
        // it stays counted among what is pending, as one that waits; `stop` takes it off
        if !self.is_paused(vat) {
            match why {
                Some(text) => self.pause(vat, format!("Error: {text}"), id),
                None => {
                    self.stop(vat);
                }
            }
        } else {
            self.pending -= 1;
            self.keep_waiting_calls(vat);
        }
    }

    /// What a delivery told besides is told by the next one.
    pub(crate) fn bring_back(&mut self, vat: VatId, dropped: Vec<(u64, bool)>, retired: Vec<passable::Ref>) {
        for (n, _) in &dropped {
            self.dirty.export(ObjectId { vat, n: *n });
        }
        self.dirty.vat(vat);
        if let Some(v) = self.vat_mut(vat) {
            v.retired.splice(0..0, retired);
            let turns = v.turns;
            for (n, _) in dropped {
                v.exports.entry(n).or_insert_with(|| refs::Export::new(turns));
                v.loose.push(n);
            }
        }
    }

    /// The delivery is consumed: whoever waits for its answer is told, and the vat is paused.
    pub(crate) fn park(&mut self, vat: VatId, delivery: Delivery) {
        let Some(v) = self.vat_mut(vat) else { return };
        let Some(current) = v.current.take() else { return };
        let id = TurnId { vat, turn: v.turns };
        self.pending -= 1;
        if current.stored {
            self.dirty.gone(ken::rows::INBOX, &ken::rows::pair(vat, current.seq));
        }
        let Delivery { what, dropped, retired } = delivery;
        self.bring_back(vat, dropped, retired);
        let why = "parked: the process died each time this delivery ran";
        self.pause(vat, format!("Error: {why}"), id);
        let answer = match &what {
            What::Message(m) => m.answer,
            What::Start { answer, .. } | What::StartText { answer, .. } => Some(*answer),
            What::Notify { .. } | What::Collect | What::Trace { .. } => None,
        };
        if let Some(p) = answer {
            self.settle(p, true, Data::error("Error", why));
        }
        self.release_all(&what);
    }
}
