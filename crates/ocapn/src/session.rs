//! One session: its tables, and what is written on it.
//!
//! ```text
//! exports    position → what the peer may name by it    (each appearance on the wire is counted)
//! imports    position of the peer → what stands for it here
//! questions  what was asked of the peer, by answer position; the resolver it will call is an export
//! answers    answer position of the peer → what it asked for
//! held       reference → how many reasons there are to hold it
//! ```
//! Invariants
//! - a position that was given out is never given out again;
//! - `held` names exactly what the node has this session hold: at zero it is dropped there; `pins` likewise keep objects of the peer;
//! - an import without a number here and without a use is given back, with all its receptions.
use crate::few::Few;
use crate::give::Early;
use crate::keys::{Hash, Keys};
use crate::near::Near;
use crate::stream::Line;
use crate::table::Table;
use crate::wire::WireLog;
use crate::{ConnId, Dialect, Framing, Peer};
use passable::syrup::Writer;
use passable::{Data, Delivery, Message, ObjectId, Op, PromiseId, Ref, Resolution, VatId};
use std::collections::BTreeMap;

/// Answers that a peer may leave unreleased.
pub const MAX_ANSWERS: usize = 100_000;
/// Objects and promises of a peer that are known here.
pub const MAX_IMPORTS: usize = 1_000_000;
/// Questions to a peer that are not answered yet; a message above is rejected.
pub const MAX_QUESTIONS: usize = 100_000;
/// What waits for a peer that has not said hello.
pub const MAX_WAITING: usize = 100_000;
/// Objects and promises of this host that a peer knows.
pub const MAX_EXPORTS: usize = 1_000_000;
/// Resolvers of a peer that wait for promises of this host.
pub const MAX_LISTENERS: usize = 100_000;
/// The position of the object that a session begins with, on both sides.
pub(crate) const BOOTSTRAP: u64 = 0;

/// What a peer may name.
#[derive(Clone, Debug)]
pub(crate) enum Thing {
    Bootstrap,
    Ref(Ref),
    /// A promise that is settled; what is in the value is held.
    Settled {
        rejected: bool,
        value: Data,
    },
    /// The resolver of a question.
    Resolver(u64),
}

#[derive(Debug)]
pub(crate) struct Export {
    pub thing: Thing,
    /// Appearances on the wire that were not given back.
    pub count: u64,
}

/// An object or a promise of the peer.
#[derive(Debug)]
pub(crate) struct Import {
    pub promise: bool,
    /// Its number among the session's objects, or promises; none: only used as a resolver.
    pub n: Option<u64>,
    pub received: u64,
    /// Resolvers to be called.
    pub uses: u32,
}

/// What an object of the session is, seen from the node.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Object {
    Import(u64),
    /// Ours, given back by the peer.
    Bootstrap,
    Resolver(u64),
}

/// Why the peer was asked.
#[derive(Clone, Debug)]
pub(crate) enum Why {
    /// Only since a message must have a resolver.
    Nothing,
    /// A message; its answer settles the promise.
    Message(Option<PromiseId>),
    /// What has this promise of the peer become?
    Listen { position: u64, promise: PromiseId },
    /// Has all that was sent on the promise arrived? Then it is resolved.
    Fence { promise: PromiseId, rejected: bool, value: Data },
}

#[derive(Debug)]
pub(crate) struct Question {
    pub why: Why,
}

/// Where a promise that the peer decides is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Answer(u64),
    Export(u64),
}

/// A promise that the peer decides and has not resolved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owed {
    pub place: Place,
    /// Messages were sent on it.
    pub sent: bool,
    /// It is known what it becomes.
    pub fenced: bool,
}

/// To whom a result is told.
#[derive(Clone, Debug)]
pub(crate) enum Resolver {
    /// An import, by position.
    Peer(u64),
    /// An object of this host.
    Host(Ref),
}

/// What waits for the peer's hello.
#[derive(Debug)]
pub(crate) enum Waiting {
    Delivery(Delivery),
    Fetch { swiss: Vec<u8>, promise: PromiseId },
    Withdraw(Box<Withdraw>),
}

/// A gift to be withdrawn from the session's peer.
#[derive(Debug)]
pub(crate) struct Withdraw {
    /// The signed give, as it came.
    pub give: Vec<u8>,
    /// Of the session it came on.
    pub keys: Keys,
    pub promise: PromiseId,
}

/// What a session has once the peer has said hello; it stays if a durable session loses its connection.
#[derive(Debug)]
pub(crate) struct Live {
    pub keys: Keys,
    /// We dialled.
    pub outgoing: bool,
    pub peer_key: Hash,
    pub peer_id: Hash,
    pub id: Hash,
    pub dialect: Dialect,
    /// The peer knows no `op:deliver-only`: it was folded into `op:deliver`, before the other changes. None: not known, and what both
    /// kinds of peers know is written, `op:deliver` with a resolver.
    pub folded: Option<bool>,
    /// The dialect is not to be guessed any more.
    pub settled: bool,
    pub framing: Framing,
    pub out: Vec<u8>,
}

/// Counts for operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub messages_in: u64,
    pub messages_out: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Trips to the peer and back, hellos aside: one for all that was asked before the first answer to any of it.
    pub round_trips: u64,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub vat: VatId,
    pub peer: Peer,
    pub live: Option<Live>,
    /// The connection that it goes over now.
    pub conn: Option<ConnId>,
    /// None: its messages go to the connection as they are.
    pub line: Option<Line>,
    pub waiting: Table<u64, Waiting>,
    pub next_waiting: u64,
    pub exports: Table<u64, Export>,
    pub export_of: BTreeMap<Ref, u64>,
    pub next_export: u64,
    pub imports: Table<u64, Import>,
    pub objects: Table<u64, Object>,
    pub next_object: u64,
    pub bootstrap: Option<ObjectId>,
    pub next_promise: u64,
    pub owed: Table<PromiseId, Owed>,
    /// Messages that came to a promise of which it is known what it becomes.
    pub fenced: Table<PromiseId, Vec<Message>>,
    /// Promises that this session decides by itself.
    pub local: Table<PromiseId, ()>,
    pub questions: Table<u64, Question>,
    pub next_question: u64,
    pub answers: Table<u64, Thing>,
    /// Answers that are promises, by promise.
    pub answer_of: Near<PromiseId, Few<u64>>,
    pub listeners: Table<PromiseId, Few<Resolver>>,
    /// All of them.
    pub listening: usize,
    pub held: Near<Ref, u32>,
    /// Objects of the session in what it keeps: how often each.
    pub pins: BTreeMap<u64, u32>,
    /// Of those, the ones that nobody else held when the node last told.
    pub dropped_while_pinned: Table<u64, ()>,
    pub ops: Vec<Op>,
    pub gc_exports: Near<u64, u64>,
    pub gc_answers: Near<u64, ()>,
    /// Handoffs of ours on this session.
    pub next_handoff: u64,
    pub next_gift: u64,
    /// Handoff counts of the peer that were used: all below, and these.
    pub handoffs_below: u64,
    pub handoffs: Table<u64, ()>,
    /// Gifts that the peer has deposited and nobody has withdrawn, and withdrawals of its that wait.
    pub gifts: usize,
    /// Objects that the message that is being read has brought.
    pub unnamed: Vec<u64>,
    /// Held until the message that is being read has been carried out.
    pub for_now: Vec<Ref>,
    /// Promises that were settled before the peer said hello.
    pub early: Early,
    pub traffic: Traffic,
    pub wire_log: WireLog,
    /// The last message that was written, for its memory.
    pub spare: Writer,
    /// The first question that was asked since a round trip was counted.
    trip: u64,
}

impl Session {
    pub fn new(vat: VatId, peer: Peer) -> Session {
        let mut exports = Table::default();
        exports.restored(BOOTSTRAP, Export { thing: Thing::Bootstrap, count: 0 });
        Session {
            vat,
            peer,
            live: None,
            conn: None,
            line: None,
            waiting: Table::default(),
            next_waiting: 1,
            exports,
            export_of: BTreeMap::new(),
            next_export: BOOTSTRAP + 1,
            imports: Table::default(),
            objects: Table::default(),
            next_object: 1,
            bootstrap: None,
            next_promise: 1,
            owed: Table::default(),
            fenced: Table::default(),
            local: Table::default(),
            questions: Table::default(),
            // 0 is an answer position to some and not to others
            next_question: 1,
            answers: Table::default(),
            answer_of: Near::default(),
            listeners: Table::default(),
            listening: 0,
            held: Near::default(),
            pins: BTreeMap::new(),
            dropped_while_pinned: Table::default(),
            ops: Vec::new(),
            gc_exports: Near::default(),
            gc_answers: Near::default(),
            next_handoff: 0,
            next_gift: 0,
            handoffs_below: 0,
            handoffs: Table::default(),
            gifts: 0,
            unnamed: Vec::new(),
            for_now: Vec::new(),
            early: Early::new(),
            traffic: Traffic::default(),
            trip: 1,
            wire_log: WireLog::default(),
            spare: Writer::new(),
        }
    }

    /// It is stored, and stays when its connection ends.
    pub fn is_durable(&self) -> bool {
        self.line.as_ref().is_some_and(|l| l.durable)
    }

    /// There is something to tell the peer, or something that the peer could tell.
    pub fn has_business(&self) -> bool {
        let unsaid = self.line.as_ref().is_some_and(|l| l.stream.unacked().0 > 0);
        unsaid
            || !self.waiting.is_empty()
            || !self.questions.is_empty()
            || !self.answers.is_empty()
            || !self.owed.is_empty()
            || self.exports.len() > 1
    }

    /// Positions that are to be given back.
    pub fn garbage(&self) -> usize {
        self.gc_exports.len() + self.gc_answers.len()
    }

    /// Waits for the peer's hello.
    pub fn wait(&mut self, what: Waiting) {
        self.waiting.insert(self.next_waiting, what);
        self.next_waiting += 1;
    }

    pub fn new_promise(&mut self) -> PromiseId {
        let n = self.next_promise;
        self.next_promise += 1;
        PromiseId { vat: self.vat, n }
    }
    /// A question is answered.
    pub fn count_trip(&mut self, question: u64) {
        if question >= self.trip {
            self.traffic.round_trips += 1;
            self.trip = self.next_question;
        }
    }
    pub fn new_question(&mut self) -> u64 {
        self.next_question += 1;
        self.next_question - 1
    }
    /// An object of the session that is not the peer's.
    pub fn new_object(&mut self, o: Object) -> ObjectId {
        let n = self.next_object;
        self.next_object += 1;
        self.objects.insert(n, o);
        ObjectId { vat: self.vat, n }
    }

    /// Ours, as the peer gave it back.
    pub fn bootstrap_object(&mut self) -> ObjectId {
        match self.bootstrap {
            Some(o) => o,
            None => {
                let o = self.new_object(Object::Bootstrap);
                self.bootstrap = Some(o);
                o
            }
        }
    }

    /// One more reason to hold it. The node has given it, or is about to.
    pub fn hold(&mut self, r: Ref) {
        match self.own(r) {
            Some(n) => *self.pins.entry(n).or_insert(0) += 1,
            None => *self.held.or_insert(r, || 0) += 1,
        }
    }
    pub fn hold_all(&mut self, d: &Data) {
        d.slots.iter().for_each(|r| self.hold(*r));
    }
    pub fn release(&mut self, r: Ref) {
        if let Some(n) = self.own(r) {
            return self.unpin(n);
        }
        let Some(n) = self.held.get_mut(&r) else { return };
        *n -= 1;
        if *n == 0 {
            self.held.remove(&r);
            self.ops.push(Op::Drop { what: r, recognised: false });
        }
    }
    fn unpin(&mut self, n: u64) {
        let Some(pins) = self.pins.get_mut(&n) else { return };
        *pins -= 1;
        if *pins == 0 {
            self.pins.remove(&n);
            if self.dropped_while_pinned.remove(&n).is_some() {
                // it may have been named again since: the node is made to look once more, by an op that comes to nothing
                let to = Resolution::Fulfilled(Data::reference(Ref::Object(ObjectId { vat: self.vat, n })));
                self.ops.push(Op::Resolve { promise: PromiseId { vat: self.vat, n: 0 }, to });
            }
        }
    }
    /// The node says that nobody holds the object. True: nor does anything here.
    pub fn let_go(&mut self, n: u64) -> bool {
        let pinned = self.pins.contains_key(&n);
        if pinned {
            self.dropped_while_pinned.insert(n, ());
        }
        !pinned
    }
    pub fn release_all(&mut self, d: &Data) {
        d.slots.iter().for_each(|r| self.release(*r));
    }
    /// The node has told what the promise became: it is held no longer.
    pub fn no_longer_held(&mut self, p: PromiseId) {
        self.held.remove(&Ref::Promise(p));
    }
    pub fn held(&self) -> impl Iterator<Item = Ref> + '_ {
        self.held.keys().copied()
    }
    /// An object of the session itself is held by others, not by it; but what the peer may name by an answer stays.
    fn own(&self, r: Ref) -> Option<u64> {
        match r {
            Ref::Object(o) if o.vat == self.vat => Some(o.n),
            _ => None,
        }
    }

    /// The position of a thing that is exported anew.
    pub fn new_export(&mut self, thing: Thing) -> u64 {
        let position = self.next_export;
        self.next_export += 1;
        match &thing {
            Thing::Ref(r) => {
                self.hold(*r);
                self.export_of.insert(*r, position);
            }
            Thing::Settled { value, .. } => self.hold_all(&value.clone()),
            Thing::Bootstrap | Thing::Resolver(_) => {}
        }
        self.exports.insert(position, Export { thing, count: 0 });
        position
    }

    /// The peer gives back so many appearances. False: there are not so many.
    pub fn unexport(&mut self, position: u64, count: u64) -> bool {
        let Some(e) = self.exports.get_mut(&position) else { return false };
        if position == BOOTSTRAP {
            // it is there without having been named
            e.count = e.count.saturating_sub(count);
            return true;
        }
        if count == 0 || count > e.count {
            return false;
        }
        e.count -= count;
        if e.count == 0 {
            self.forget_export(position);
        }
        true
    }

    pub fn forget_export(&mut self, position: u64) {
        if let Some(e) = self.exports.remove(&position) {
            if let Thing::Ref(r) = e.thing
                && self.export_of.get(&r) == Some(&position)
            {
                self.export_of.remove(&r);
            }
            self.release_thing(&e.thing);
        }
    }

    pub fn release_thing(&mut self, thing: &Thing) {
        match thing {
            Thing::Ref(r) => self.release(*r),
            Thing::Settled { value, .. } => self.release_all(value),
            Thing::Bootstrap | Thing::Resolver(_) => {}
        }
    }

    /// The peer asked for it under this answer position.
    pub fn new_answer(&mut self, position: u64, thing: Thing) {
        match &thing {
            Thing::Ref(r) => {
                self.hold(*r);
                if let Ref::Promise(p) = r {
                    self.answer_of.or_insert(*p, Few::default).push(position);
                }
            }
            Thing::Settled { value, .. } => self.hold_all(&value.clone()),
            Thing::Bootstrap | Thing::Resolver(_) => {}
        }
        self.answers.insert(position, thing);
    }

    pub fn forget_answer(&mut self, position: u64) -> bool {
        let Some(thing) = self.answers.remove(&position) else { return false };
        if let Thing::Ref(Ref::Promise(p)) = thing
            && let Some(all) = self.answer_of.get_mut(&p)
        {
            all.retain(|a| *a != position);
            if all.is_empty() {
                self.answer_of.remove(&p);
            }
        }
        self.release_thing(&thing);
        true
    }

    /// The promise is settled: where the peer knows it, it knows the value from now on.
    pub fn settled(&mut self, p: PromiseId, rejected: bool, value: &Data) {
        let r = Ref::Promise(p);
        if let Some(position) = self.export_of.remove(&r)
            && self.exports.contains_key(&position)
        {
            self.hold_all(value);
            if let Some(e) = self.exports.get_mut(&position) {
                e.thing = Thing::Settled { rejected, value: value.clone() };
            }
        }
        for position in self.answer_of.remove(&p).unwrap_or_default() {
            self.hold_all(value);
            self.answers.insert(position, Thing::Settled { rejected, value: value.clone() });
        }
        self.no_longer_held(p);
    }

    /// An object or promise of the peer appears on the wire. None: the position was of another kind.
    pub fn import(&mut self, position: u64, promise: bool) -> Option<&mut Import> {
        let import = self.imports.or_insert(position, || Import { promise, n: None, received: 0, uses: 0 });
        if import.promise != promise {
            return None;
        }
        import.received += 1;
        Some(import)
    }

    /// The number of an import among the objects, or promises, of the session. True: it is new.
    pub fn number(&mut self, position: u64) -> Option<(u64, bool)> {
        let import = self.imports.get_mut(&position)?;
        if let Some(n) = import.n {
            return Some((n, false));
        }
        let next = if import.promise { &mut self.next_promise } else { &mut self.next_object };
        let n = *next;
        *next += 1;
        import.n = Some(n);
        if !import.promise {
            self.objects.insert(n, Object::Import(position));
            self.unnamed.push(n);
        }
        Some((n, true))
    }

    /// Nothing here stands for it any longer.
    pub fn unnumber(&mut self, position: u64) {
        if let Some(i) = self.imports.get_mut(&position) {
            if let (Some(n), false) = (i.n.take(), i.promise) {
                self.objects.remove(&n);
            }
            self.look_at_import(position);
        }
    }

    /// A message is over: what it brought and no op names, the node will never tell of.
    pub fn message_over(&mut self) {
        for r in std::mem::take(&mut self.for_now) {
            self.release(r);
        }
        let mut unnamed = std::mem::take(&mut self.unnamed);
        let vat = self.vat;
        // its ops are the last
        for op in self.ops.iter().rev() {
            if unnamed.is_empty() {
                return;
            }
            let data = match op {
                Op::Send(m) => &m.body,
                Op::Resolve { to: Resolution::Fulfilled(d) | Resolution::Rejected(d), .. } => d,
                _ => continue,
            };
            unnamed.retain(|n| !data.slots.contains(&Ref::Object(ObjectId { vat, n: *n })));
        }
        for n in unnamed {
            if let Some(Object::Import(position)) = self.objects.get(&n) {
                self.unnumber(*position);
            }
        }
    }

    pub fn look_at_import(&mut self, position: u64) {
        if let Some(i) = self.imports.get(&position)
            && i.n.is_none()
            && i.uses == 0
        {
            *self.gc_exports.or_insert(position, || 0) += i.received;
            self.imports.remove(&position);
        }
    }

    /// A resolver of the peer is not needed any longer.
    pub fn unuse(&mut self, resolver: &Resolver) {
        match resolver {
            Resolver::Peer(position) => {
                if let Some(i) = self.imports.get_mut(position) {
                    i.uses = i.uses.saturating_sub(1);
                }
                self.look_at_import(*position);
            }
            Resolver::Host(r) => self.release(*r),
        }
    }
}
