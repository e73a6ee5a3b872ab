//! Sessions with other hosts: vats that are no JavaScript.
//!
//! In: what happens on connections, deliveries to sessions. Out: ops of sessions, carried out as those of any vat; bytes to write.
//!
//! Invariants
//! - a session takes what is delivered to it within the same step, in the order of its inbox;
//! - a message to a promise that a session decides goes to the session at once if it takes it, after all that waited on the promise;
//! - a session names what it holds, or it ends;
//! - a session that is not durable is as long as its connection: of one that a store remembers the end is told when the host is
//!   online again; what the machine of sessions knows of durable ones is stored with the rest of the node.
use crate::names::Names;
use crate::refs::{Promise, State};
use crate::{Cause, Effect, Node, Trouble};
use ken::rows;
use ocapn::{Captp, Home, In, Out, RowTable};
use passable::{Bad, Delivery, HOST, Limits, Op, PromiseId, Ref, Resolution, Target, TurnId, VatId, What};
use std::collections::{BTreeSet, VecDeque};
use store::{Batch, Store};

/// What the node keeps for peers.
#[derive(Default)]
pub(crate) struct Peers {
    /// Absent while it steps.
    pub(crate) captp: Option<Box<Captp>>,
    /// Deliveries that sessions are to take in this step.
    work: VecDeque<(VatId, Box<Delivery>)>,
    /// Sessions that are to be told that something is held no longer.
    news: BTreeSet<VatId>,
    /// Living sessions.
    sessions: BTreeSet<VatId>,
    pub names: Names,
    /// The host is connected to the network.
    pub online: bool,
    /// What sessions write waits for `Node::flush`.
    pub held_back: bool,
    /// Kept for its memory.
    outs: Vec<Out>,
}

/// What `Captp` asks, answered by the node without it.
impl Home for Node {
    fn new_session(&mut self) -> VatId {
        let vat = self.new_vat(None, "a peer".to_owned(), Limits { heap_bytes: 0, instructions: 0 }, true);
        self.peers.sessions.insert(vat);
        vat
    }
    fn lookup(&mut self, swiss: &[u8]) -> Option<Ref> {
        self.named(swiss)
    }
}

impl Node {
    /// It is no JavaScript, but a session with a peer.
    pub fn is_session(&self, vat: VatId) -> bool {
        // most hosts most of the time have none
        !self.peers.sessions.is_empty() && self.peers.sessions.contains(&vat)
    }

    /// Living sessions with peers, oldest first.
    pub fn sessions(&self) -> impl Iterator<Item = VatId> + '_ {
        self.peers.sessions.iter().copied()
    }

    /// What the machine of sessions knows of them, those included whose peers have not answered.
    pub fn session_tables(&self) -> Vec<ocapn::SessionInfo> {
        self.peers.captp.as_ref().map_or_else(Vec::new, |c| c.sessions().collect())
    }

    /// A session that a store remembers.
    pub(crate) fn restored_session(&mut self, vat: VatId) {
        self.peers.sessions.insert(vat);
    }

    pub(crate) fn session_ended(&mut self, vat: VatId) {
        self.peers.sessions.remove(&vat);
        self.peers.news.remove(&vat);
    }

    /// Sessions of an earlier process that are not durable are over.
    pub(crate) fn end_old_sessions(&mut self) {
        let durable: BTreeSet<VatId> = self.peers.captp.as_ref().map_or_else(BTreeSet::new, |c| c.durable().collect());
        let old: Vec<VatId> = self.peers.sessions.difference(&durable).copied().collect();
        for vat in old {
            self.end_vat(vat, "the session with the peer ended: this host was restarted");
        }
    }

    /// Ends all sessions, with the reason that their peers are told when they come.
    pub(crate) fn new_history(&mut self) {
        for session in self.peers.sessions.clone() {
            let why = "the other host was restored from a backup, as a new history".to_owned();
            self.captp(In::End { session, why });
        }
        self.end_old_sessions();
    }

    /// Rows of durable sessions.
    pub(crate) fn put_sessions(&mut self, batch: &mut Batch) {
        let Some(captp) = &mut self.peers.captp else { return };
        captp.changes(&mut |(table, key, value)| {
            match value {
                Some(value) => batch.put(number_of(table), key, value),
                None => batch.delete(number_of(table), key),
            };
        });
    }

    pub(crate) fn describe_sessions(&self) -> Vec<String> {
        self.peers.captp.as_ref().map_or_else(Vec::new, |c| c.describe())
    }

    pub(crate) fn restore_sessions(&mut self, store: &dyn Store) -> Result<(), Bad> {
        let captp = Captp::restore(&mut |table| store.scan(number_of(table), &[], None, usize::MAX))?;
        if captp.durable().any(|vat| !self.is_session(vat)) {
            return Err(Bad);
        }
        self.peers.captp = Some(Box::new(captp));
        Ok(())
    }

    /// A promise that somebody waits for, and that a peer owes.
    pub(crate) fn awaits_peers(&self) -> bool {
        let waited = |e: &Promise| !e.listeners.is_empty() || !e.followers.is_empty() || !e.waiting.is_empty();
        !self.peers.sessions.is_empty()
            && self.promises.values().any(|e| matches!(e.state, State::Pending) && waited(e) && self.is_session(e.decider))
    }

    pub(crate) fn has_unsaid(&self) -> bool {
        self.peers.online && self.peers.captp.as_ref().is_some_and(|c| c.has_unsaid())
    }

    /// Messages to the pending promise `p` go to its decider now.
    pub(crate) fn takes(&self, p: PromiseId, e: &Promise) -> bool {
        self.is_session(e.decider) && self.peers.captp.as_ref().is_none_or(|c| c.takes(e.decider, p))
    }

    /// A session's next delivery, to be taken before the step ends. A message to a promise that has been resolved meanwhile goes
    /// where that leads.
    pub(crate) fn for_session(&mut self, vat: VatId, delivery: Box<Delivery>) {
        self.peers.work.push_back((vat, delivery));
    }

    /// An object or promise of a session may be needed no longer.
    pub(crate) fn tell_session(&mut self, vat: VatId) {
        if self.is_session(vat) {
            self.peers.news.insert(vat);
        }
    }

    /// Sessions take what was delivered to them, until nothing is left; then bytes leave, unless they are held back.
    pub(crate) fn serve_sessions(&mut self) {
        while !self.peers.work.is_empty() || !self.peers.news.is_empty() {
            while let Some((vat, delivery)) = self.peers.work.pop_front() {
                self.session_turn(vat, *delivery);
            }
            for vat in std::mem::take(&mut self.peers.news) {
                let Some(v) = self.vat_ref(vat) else { continue };
                if v.inbox.is_empty() && v.current.is_none() && (!v.retired.is_empty() || !v.loose.is_empty()) {
                    self.enqueue(vat, What::Collect, TurnId::default());
                }
            }
        }
        if !self.peers.held_back {
            // when nothing is pending any more, or is again, there is another step
            self.flush_sessions(self.pending > 0);
        }
    }

    /// What sessions write is kept until `flush`, from now on; or no longer. Not with a store: `changes` comes after `flush`.
    pub fn hold_back(&mut self, yes: bool) {
        assert!(!yes || !self.config.durable, "what is not written cannot be stored");
        self.peers.held_back = yes;
    }

    /// What sessions have written since the last time. `patient`: it will be called again before long without that, and what is no longer
    /// held waits until then.
    pub fn flush(&mut self, patient: bool, out: &mut Vec<Effect>) {
        std::mem::swap(&mut self.out, out);
        self.flush_sessions(patient);
        std::mem::swap(&mut self.out, out);
    }

    /// Something of peers is no longer held, and they have not been told.
    pub fn has_garbage(&self) -> bool {
        self.peers.captp.as_ref().is_some_and(|c| c.has_garbage())
    }

    /// What sessions have written leaves.
    fn flush_sessions(&mut self, patient: bool) {
        let Some(captp) = &mut self.peers.captp else { return };
        let mut outs = std::mem::take(&mut self.peers.outs);
        if patient {
            captp.flush_patiently(&mut outs)
        } else {
            captp.flush(&mut outs)
        }
        for out in outs.drain(..) {
            self.peer_out(out);
        }
        self.peers.outs = outs;
        self.tell_rest();
    }

    /// One delivery to a session.
    fn session_turn(&mut self, vat: VatId, mut delivery: Delivery) {
        let Some(v) = self.vat_mut(vat) else {
            return self.release_all(&delivery.what);
        };
        let Some(current) = v.current.take() else { return };
        let id = TurnId { vat, turn: v.turns };
        self.pending -= 1;
        if current.stored {
            self.dirty.gone(ken::rows::INBOX, &ken::rows::pair(vat, current.seq));
        }
        self.causes.set_running(id);
        let (body, value, target) = delivery.what.refs();
        // mostly there are none
        let (body, value) = (body.to_vec(), value.to_vec());
        match self.resolved_target(&delivery.what) {
            true => {
                self.tell_session(vat);
                if let What::Message(msg) = delivery.what
                    && let Target::Promise(p) = msg.target
                {
                    let origin = self.causes.origin(id);
                    self.send_to_promise(origin.vat, p, msg, origin);
                }
            }
            false => {
                self.consumed(vat, &delivery.what);
                // until now what it has asked for may have named it again
                (delivery.dropped, delivery.retired) = self.take_news(vat);
                delivery.dropped.iter().for_each(|(n, _)| self.dirty.export(passable::ObjectId { vat, n: *n }));
                let cause = crate::tracing::cause_of(&delivery.what);
                self.captp(In::Deliver { session: vat, delivery });
                self.tell_sent(vat, Some((id, cause)));
            }
        }
        body.into_iter().chain(value).chain(target).for_each(|r| self.release(r));
        self.causes.set_running(TurnId::default());
        self.schedule(vat);
    }

    /// A message to a promise that is no longer pending.
    fn resolved_target(&self, what: &What) -> bool {
        let What::Message(m) = what else { return false };
        let Target::Promise(p) = m.target else { return false };
        self.promises.get(&p).is_none_or(|e| !matches!(e.state, State::Pending))
    }

    /// The machine of sessions takes an event, and what it asks is done.
    pub(crate) fn captp(&mut self, event: In) {
        let mut captp = self.peers.captp.take().unwrap_or_else(|| self.new_captp());
        let mut outs = std::mem::take(&mut self.peers.outs);
        captp.step(event, self, &mut outs);
        self.peers.captp = Some(captp);
        for out in outs.drain(..) {
            self.peer_out(out);
        }
        self.peers.outs = outs;
    }

    fn peer_out(&mut self, out: Out) {
        if matches!(out, Out::Hold { .. } | Out::Ops { .. } | Out::Settle { .. } | Out::EndSession { .. }) {
            // not all of it is a delivery: a promise may come to be, and be held by the session alone
            self.disturb();
        }
        match out {
            Out::Hold { session, what } => self.hold_for(session, what),
            Out::Ops { session, ops } => self.session_ops(session, ops),
            Out::Settle { promise, to } => {
                if let Resolution::Forwarded(q) = to {
                    self.know(q);
                }
                self.resolve(HOST, promise, to);
            }
            Out::EndSession { session, why } => {
                self.session_ended(session);
                self.end_vat(session, &why);
            }
            Out::Established { session, conn, peer } => {
                self.dirty.vat(session);
                if let Some(v) = self.vat_mut(session) {
                    v.name = peer.to_string();
                }
                self.out.push(Effect::Peer(Out::Established { session, conn, peer }));
            }
            other => self.out.push(Effect::Peer(other)),
        }
    }

    /// A promise that is new here is decided by the session in its id.
    fn know(&mut self, p: PromiseId) {
        if !self.promises.contains_key(&p) && self.is_session(p.vat) {
            let mut e = Promise::new(p.vat, p.vat);
            e.holders.remove(p.vat);
            self.insert_promise(p, e);
        }
    }

    fn hold_for(&mut self, session: VatId, what: Ref) {
        if !self.is_session(session) {
            return;
        }
        match what {
            Ref::Promise(p) => self.know(p),
            // one of another session that nobody held yet
            Ref::Object(o) if o.vat != session && self.is_session(o.vat) => {
                if let Some(v) = self.vat_mut(o.vat) {
                    let turns = v.turns;
                    v.exports.entry(o.n).or_insert_with(|| crate::refs::Export::new(turns));
                }
            }
            _ => {}
        }
        self.hold(session, what);
    }

    /// What a session asks, as a turn of it.
    fn session_ops(&mut self, session: VatId, ops: Vec<Op>) {
        if !self.is_session(session) {
            return;
        }
        let before = self.causes.running();
        let id = if before.vat == session {
            before
        } else {
            let Some(v) = self.vat_mut(session) else { return };
            v.turns += 1;
            let id = TurnId { vat: session, turn: v.turns };
            self.dirty.vat(session);
            self.causes.begin_for(id, TurnId::default(), Cause::Peer);
            id
        };
        self.causes.set_running(id);
        let mut got = self.got(session);
        for (n, op) in ops.into_iter().enumerate() {
            if !self.is_session(session) {
                break;
            }
            while let Some((wire, _)) = got.pop_front_if(|g| g.1 <= n) {
                self.tell_got(id, wire);
            }
            let (data, one) = refs_of(&op);
            self.carry_out(session, id, op);
            for r in data.into_iter().chain(one) {
                match r {
                    Ref::Object(o) if o.vat == session => self.look_at_export(o),
                    Ref::Promise(p) => self.look_at_promise(p),
                    _ => {}
                }
            }
        }
        got.into_iter().for_each(|(wire, _)| self.tell_got(id, wire));
        self.told_got();
        self.causes.set_running(before);
    }

    /// A session named what it does not hold: the machine of sessions is wrong, or was led astray by its peer.
    pub(crate) fn end_session(&mut self, session: VatId, why: String, id: TurnId) {
        self.report(Trouble::Unhandled, session, format!("Error: {why}"), id);
        self.captp(In::End { session, why });
    }

    /// Nobody performs a message on data of another host for another host.
    pub(crate) fn data_of_peers(&mut self, from: VatId, answer: Option<PromiseId>, origin: TurnId) {
        let why = "the target of the message became data, which has no methods for other hosts";
        self.undeliverable(from, answer, "TypeError", why, origin);
    }
}

fn number_of(table: RowTable) -> u8 {
    match table {
        RowTable::Sessions => rows::SESSIONS,
        RowTable::Gifts => rows::GIFTS,
        RowTable::Withdrawals => rows::WITHDRAWALS,
        RowTable::Peers => rows::PEERS,
    }
}

/// References in an op: those in data, and one beside.
fn refs_of(op: &Op) -> (Vec<Ref>, Option<Ref>) {
    match op {
        Op::Send(m) => (m.body.slots.clone(), m.answer.map(Ref::Promise)),
        Op::Resolve { to: Resolution::Fulfilled(d) | Resolution::Rejected(d), .. } => (d.slots.clone(), None),
        Op::Resolve { to: Resolution::Forwarded(q), .. } => (Vec::new(), Some(Ref::Promise(*q))),
        _ => (Vec::new(), None),
    }
}
