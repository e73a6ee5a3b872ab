#![forbid(unsafe_code)]
//! The vats of a host and the messages between them: a pure state machine, `step(Event)` → `Effect`s.
//!
//! In: outcomes of turns, answers of powers. Out: turns to run, requests of powers, lines to release, errors to report.
//!
//! Invariants
//! - at most one turn of a vat is in flight; what a turn sent exists for others from its `TurnDone` on, whole;
//! - a message to an object goes into the inbox of its vat at the moment it is sent; one to an unresolved promise waits
//!   here, and goes on at the moment the promise is resolved; but a session with a peer that decides the promise takes it at once. Inboxes
//!   are queues, with one exception: what a vat sent on a promise that has become an object of its own goes in before the news of that,
//!   since from the news on the vat sends to its object without the node. So the order of arrival is causal: of two
//!   messages to one vat the one whose sending could have caused the other comes first. That is more than O1 (what one vat sends
//!   on one reference arrives in that order, across resolutions) and O2 (what is sent on a reference before it is
//!   passed on arrives before what the receiver sends on it);
//! - a vat can name only what it holds: objects it exported, and references that came to it;
//! - a reference is held by vats, by queued messages and by what promises became; an export that nothing holds is
//!   given back to its vat;
//! - every queue is bounded: a full one rejects the new message.
//!
//! Must never know: clocks, threads, files, engines. It runs no JavaScript.
mod begin;
mod causes;
mod done;
mod durable;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
mod garbage;
mod names;
mod operate;
mod peers;
mod refs;
mod route;
mod tracing;

use begin::Current;
pub use causes::{Cause, TurnRecord};
pub use names::{MAX_STURDYREFS, Sturdy};
use passable::{Data, Delivery, Limits, Line, Place, PromiseId, Ref, Trace, TurnId, TurnOutcome, VatId, What};
pub use refs::IdMap;
use refs::{Export, Promise};
use std::collections::VecDeque;

/// Messages that an inbox, or an unresolved promise, holds at most.
pub const MAX_QUEUE_MESSAGES: usize = 1_000_000;
/// Bytes of messages that an inbox, or an unresolved promise, holds at most.
pub const MAX_QUEUE_BYTES: u64 = 256 << 20;

/// Vats and sessions that a node has had: more are not believed of a store, since memory is taken for each.
pub const MAX_VATS: usize = 1 << 26;

/// What happens to the node.
#[derive(Debug)]
// one event at a time exists: its size matters less than another allocation a turn
#[allow(clippy::large_enum_variant)]
pub enum Event {
    /// A program begins in a vat of its own.
    Start {
        program: u64,
        powers: Data,
        limits: Limits,
        /// Sturdyrefs of what it is to have from its start: promises 1, 2, … of the host, named in `powers`.
        imports: Vec<String>,
    },
    /// The host is on the network: before its program begins or goes on. `secret` is drawn at each start, and that of the first is kept.
    Online {
        /// Where it is reached.
        here: Vec<ocapn::Peer>,
        secret: [u8; 32],
        /// Programs may choose swissnums.
        may_choose: bool,
        /// Of the store; none: no session is durable.
        history: Option<ocapn::History>,
    },
    /// What happens on connections.
    Peer(ocapn::In),
    /// The swissnum that an `Effect::DrawSwissnum` asked for, in the same step.
    Swissnum {
        answer: PromiseId,
        swiss: [u8; 32],
    },
    /// The operator revokes a sturdyref.
    Revoke {
        number: u64,
    },
    /// The turn that was asked for is over; with the delivery as it was given.
    TurnDone {
        vat: VatId,
        delivery: Box<Delivery>,
        outcome: TurnOutcome,
    },
    /// A vat could not be made.
    VatFailed {
        vat: VatId,
        why: String,
    },
    /// A request of a power is answered.
    Answer {
        promise: PromiseId,
        rejected: bool,
        value: Data,
    },
    /// A vat has had nothing to do for a while.
    Idle {
        vat: VatId,
    },
    /// All vats have had nothing to do for a while: circles of garbage among them may be looked for.
    Quiet,
    /// The operator sends a message to a vat's root; `reply` names who waits for the answer (it is not stored). The message is not
    /// stored either before its turn is over, or before the next `KeepCalls`.
    Call {
        vat: VatId,
        body: Data,
        reply: u64,
    },
    /// Operators' messages that wait are to be stored from now on: some have waited for long, or the process ends.
    KeepCalls,
    /// A delivery is given up: processes have died of it.
    Park {
        vat: VatId,
        delivery: Box<Delivery>,
    },
    /// The turn that was asked for did not begin: the vat is paused and keeps the delivery. With a reason that is an error.
    NotRun {
        vat: VatId,
        delivery: Box<Delivery>,
        why: Option<String>,
    },
    /// The operator stops a vat, lets it go on, ends it, changes its limits.
    Pause {
        vat: VatId,
    },
    Unpause {
        vat: VatId,
    },
    Kill {
        vat: VatId,
    },
    /// The operator gives up what there is between this host and the peer of a session.
    Forget {
        session: VatId,
    },
    /// The store was restored from a backup: what happened between hosts since then is given up, and with it all sessions.
    NewHistory,
    Limit {
        vat: VatId,
        limits: Limits,
    },
    /// With `Config::manual`: the vat takes the message at this place of its inbox.
    Run {
        vat: VatId,
        index: usize,
    },
}

/// What is to be done, in order.
#[derive(Debug)]
pub enum Effect {
    MakeVat {
        vat: VatId,
        limits: Limits,
    },
    RunTurn {
        vat: VatId,
        delivery: Box<Delivery>,
    },
    /// The vat is no more.
    EndVat {
        vat: VatId,
    },
    Now {
        answer: PromiseId,
    },
    Delay {
        ms: u64,
        answer: PromiseId,
    },
    Random {
        bytes: u32,
        answer: PromiseId,
    },
    /// A secret of 32 bytes is to be drawn.
    DrawSwissnum {
        answer: PromiseId,
    },
    /// Something for the network: `Write`, `Close`, `Dial`, `Established` or `Note`.
    Peer(ocapn::Out),
    /// The program's root has these sturdyrefs, one for each place where the host is reached.
    Root {
        uris: Vec<String>,
    },
    /// Nobody waits for the answer any longer.
    Cancel {
        answer: PromiseId,
    },
    /// Lines of a turn.
    Output {
        vat: VatId,
        aborted: bool,
        lines: Vec<Line>,
    },
    /// An error that nobody handled.
    Report(Report),
    /// The answer of an `Event::Call`.
    Reply {
        to: u64,
        rejected: bool,
        value: Data,
    },
    /// What the program's start returned is settled.
    Started {
        rejected: Option<Data>,
        places: Vec<Place>,
        nothing_to_start: bool,
    },
}

/// An error that nobody handled, for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub kind: Trouble,
    pub vat: VatId,
    /// `Name: message` or `Uncaught: value`.
    pub text: String,
    /// The throw and the calls it left, innermost first; empty if not known.
    pub places: Vec<Place>,
    /// The turn, then what caused it, and so on.
    pub causes: Vec<TurnRecord>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A promise was rejected and nobody handled it.
    Unhandled,
    /// An exception nobody caught.
    Uncaught,
    /// A turn was aborted at a limit.
    Limit,
    /// The vat takes no more deliveries: its heap is damaged, or it could not even take a rejection.
    Paused,
}

/// An object that others hold, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    pub n: u64,
    pub holders: Vec<VatId>,
    /// The vat's turn that first gave it away.
    pub born: u64,
}

/// Which program a literal specifier names: pure.
pub trait Programs: Send {
    /// The number of the program that modules of program `maker` mean by `specifier`; else why there is none.
    fn named_by(&self, maker: u64, specifier: &str) -> Result<u64, String>;
    /// A name for people.
    fn name(&self, program: u64) -> String;
}

/// How a node behaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Config {
    /// No turn is begun but by `Event::Run`: for schedulers that choose.
    pub manual: bool,
    /// Changes are noted for `Node::changes`.
    pub durable: bool,
    /// What happens is told by `Node::take_trace`.
    pub trace: bool,
}

/// A delivery that waits.
#[derive(Debug)]
pub struct Queued {
    pub what: What,
    /// The turn that sent it; vat 0: the host.
    pub origin: TurnId,
    /// A rejection in place of a resolution that the vat could not take.
    last_chance: bool,
    bytes: u64,
    /// Its number in the inbox, or among all that wait on promises.
    seq: u64,
    /// It has a row in the store.
    stored: bool,
    /// An operator's message that is not to be stored yet (`operate`).
    young: bool,
}

struct Vat {
    inbox: VecDeque<Queued>,
    inbox_bytes: u64,
    current: Option<Current>,
    paused: bool,
    turns: u64,
    exports: IdMap<u64, Export>,
    /// Exports that may be held no longer.
    loose: Vec<u64>,
    /// References whose objects are no more.
    retired: Vec<Ref>,
    next_seq: u64,
    limits: Limits,
    /// What its start answered.
    root: Option<PromiseId>,
    /// The program it runs; none: a text.
    program: Option<u64>,
    name: String,
    /// A session with a peer.
    session: bool,
}

/// See the head.
pub struct Node {
    config: Config,
    programs: Box<dyn Programs>,
    /// By number; dead ones are `None`.
    vats: Vec<Option<Box<Vat>>>,
    promises: IdMap<PromiseId, Promise>,
    next_promise: u64,
    /// The promise of what the program's start returned.
    main: Option<PromiseId>,
    nothing_to_start: bool,
    /// Of the turn whose end is being worked on.
    traces: Vec<Trace>,
    /// Requests of powers that are not answered and somebody waits for.
    open_requests: u64,
    /// Deliveries that wait in inboxes or are in flight.
    pending: u64,
    causes: causes::Causes,
    search: garbage::Search,
    dirty: durable::Dirty,
    told: tracing::Told,
    /// Numbers of messages that wait on promises.
    next_waiting: u64,
    /// Who waits for the answers of the operator's calls.
    replies: IdMap<PromiseId, u64>,
    /// Deliveries that hold nothing, kept for their memory.
    // as they are handed out
    #[allow(clippy::vec_box)]
    spare: Vec<Box<Delivery>>,
    /// Likewise what is kept of deliveries.
    #[allow(clippy::vec_box)]
    spare_kept: Vec<Box<begin::Kept>>,
    peers: peers::Peers,
    /// Messages that waited on promises and go on: of one promise after another, the last first.
    onward: Vec<(PromiseId, std::vec::IntoIter<(VatId, Queued)>)>,
    sending_on: bool,
    /// What the op that is being carried out has named for the first time.
    first_named: Vec<Ref>,
    out: Vec<Effect>,
}

impl Node {
    pub fn new(config: Config, programs: Box<dyn Programs>) -> Node {
        Node {
            config,
            programs,
            vats: vec![None],
            promises: IdMap::default(),
            next_promise: 1,
            main: None,
            nothing_to_start: false,
            traces: Vec::new(),
            open_requests: 0,
            pending: 0,
            causes: causes::Causes::default(),
            search: garbage::Search::default(),
            dirty: durable::Dirty::new(config.durable),
            told: tracing::Told::new(config.trace),
            next_waiting: 1,
            replies: IdMap::default(),
            spare: Vec::new(),
            spare_kept: Vec::new(),
            peers: peers::Peers::default(),
            onward: Vec::new(),
            sending_on: false,
            first_named: Vec::new(),
            out: Vec::new(),
        }
    }

    /// Takes an event; effects are appended to `out`.
    pub fn step(&mut self, event: Event, out: &mut Vec<Effect>) {
        std::mem::swap(&mut self.out, out);
        match event {
            Event::Start { program, powers, limits, imports } => {
                let imports = self.first_imports(imports);
                // the program's vat is the first, sessions come after it
                self.start(program, powers, limits);
                imports.into_iter().for_each(|(uri, answer)| self.import(uri, answer));
            }
            Event::Online { here, secret, may_choose, history } => self.online(here, secret, may_choose, history),
            Event::Peer(what) => self.captp(what),
            Event::Swissnum { answer, swiss } => self.swissnum(answer, swiss),
            Event::Revoke { number } => self.revoke(number),
            Event::TurnDone { vat, delivery, mut outcome } => self.turn_done(vat, delivery, &mut outcome),
            Event::VatFailed { vat, why } => self.vat_failed(vat, &why),
            Event::Answer { promise, rejected, value } => self.power_answer(promise, rejected, value),
            Event::Idle { vat } => self.idle(vat),
            Event::Quiet => self.quiet(),
            Event::Run { vat, index } => self.run_at(vat, index),
            Event::Call { vat, body, reply } => self.call(vat, body, reply),
            Event::KeepCalls => self.keep_calls(),
            Event::Park { vat, delivery } => self.park(vat, *delivery),
            Event::NotRun { vat, delivery, why } => self.not_run(vat, *delivery, why),
            // a session has no turns that could wait
            Event::Pause { vat } if self.is_session(vat) => {}
            Event::Pause { vat } => {
                self.stop(vat);
            }
            Event::Unpause { vat } => self.unpause(vat),
            Event::Kill { vat } if self.is_session(vat) => {
                let why = "the session was ended by the operator".to_owned();
                self.captp(ocapn::In::End { session: vat, why });
            }
            Event::Forget { session } => {
                let why = "the operator of the other host has forgotten this one (`drses peer forget`)".to_owned();
                self.captp(ocapn::In::End { session, why });
            }
            Event::NewHistory => self.new_history(),
            Event::Kill { vat } => self.end_vat(vat, "the vat was ended by the operator"),
            Event::Limit { vat, limits } => {
                self.dirty.vat(vat);
                if let Some(v) = self.vat_mut(vat) {
                    v.limits = limits;
                }
            }
        }
        self.serve_sessions();
        std::mem::swap(&mut self.out, out);
    }

    /// Takes an `Event::TurnDone`; what memory `outcome` has stays with the caller, for the next one.
    pub fn step_turn_done(&mut self, vat: VatId, delivery: Box<Delivery>, outcome: &mut TurnOutcome, out: &mut Vec<Effect>) {
        std::mem::swap(&mut self.out, out);
        self.turn_done(vat, delivery, outcome);
        self.serve_sessions();
        std::mem::swap(&mut self.out, out);
    }

    /// Nothing waits, nothing runs, no power and no peer owes an answer that somebody waits for, and no peer that could be reached has
    /// messages to acknowledge.
    pub fn is_done(&self) -> bool {
        self.pending == 0 && self.open_requests == 0 && !self.awaits_peers() && !self.has_unsaid()
    }

    /// Nothing waits and nothing runs.
    pub fn is_quiet(&self) -> bool {
        self.pending == 0
    }

    /// Deliveries that wait or are in flight.
    pub fn backlog(&self) -> u64 {
        self.pending
    }

    /// Living vats.
    pub fn vats(&self) -> impl Iterator<Item = VatId> + '_ {
        self.vats.iter().enumerate().filter(|v| v.1.is_some()).map(|v| VatId(v.0 as u32))
    }

    /// It lives.
    pub fn is_vat(&self, vat: VatId) -> bool {
        self.vat_ref(vat).is_some()
    }

    /// What waits for a vat, in order of arrival; empty while a turn of it is in flight.
    pub fn waiting(&self, vat: VatId) -> impl Iterator<Item = &Queued> {
        let ready = self.vat_ref(vat).filter(|v| v.current.is_none() && !v.paused);
        ready.into_iter().flat_map(|v| v.inbox.iter())
    }

    /// How many exports of a vat others hold, and how many promises are open: for tests and operators.
    pub fn held(&self, vat: VatId) -> usize {
        self.vat_ref(vat).map_or(0, |v| v.exports.len())
    }
    pub fn promises(&self) -> usize {
        self.promises.len()
    }
    pub fn limits(&self, vat: VatId) -> Limits {
        self.vat_ref(vat).map_or(Limits { heap_bytes: 0, instructions: 0 }, |v| v.limits)
    }
    pub fn is_paused(&self, vat: VatId) -> bool {
        self.vat_ref(vat).is_some_and(|v| v.paused)
    }
    /// Deliveries that wait for it, and their bytes.
    pub fn queue(&self, vat: VatId) -> (usize, u64) {
        self.vat_ref(vat).map_or((0, 0), |v| (v.inbox.len(), v.inbox_bytes))
    }
    /// Its exports, oldest first.
    pub fn exports(&self, vat: VatId) -> Vec<Exported> {
        let Some(v) = self.vat_ref(vat) else { return Vec::new() };
        let exported = |(n, e): (&u64, &Export)| Exported { n: *n, holders: e.holders.iter().collect(), born: e.born };
        let mut all: Vec<Exported> = v.exports.iter().map(exported).collect();
        all.sort_by_key(|e| e.n);
        all
    }
    /// A turn of it is in flight.
    pub fn is_running(&self, vat: VatId) -> bool {
        self.vat_ref(vat).is_some_and(|v| v.current.is_some())
    }
    /// The last turns of a vat that are remembered, oldest first.
    pub fn log(&self, vat: VatId) -> Vec<TurnRecord> {
        self.causes.of(vat)
    }
    /// Its name for people: the file of its program.
    pub fn name(&self, vat: VatId) -> &str {
        self.vat_ref(vat).map_or("?", |v| &v.name)
    }
    /// The turn that sent what this turn received, while it is remembered.
    pub fn cause(&self, id: TurnId) -> TurnId {
        self.causes.chain(id).first().map_or(TurnId::default(), |r| r.by)
    }
    /// One more than the number of the vat that was made last.
    pub fn made(&self) -> u32 {
        self.vats.len() as u32
    }
    /// The number in its inbox of the delivery that is in flight; it stays the same when that runs again after a crash.
    pub fn in_flight(&self, vat: VatId) -> Option<u64> {
        self.vat_ref(vat)?.current.as_ref().map(|c| c.seq)
    }
    /// Turns of a vat so far.
    pub fn turns(&self, vat: VatId) -> u64 {
        self.vat_ref(vat).map_or(0, |v| v.turns)
    }

    /// For a change that is stored.
    fn promise_mut(&mut self, p: PromiseId) -> Option<&mut Promise> {
        self.dirty.promise(p);
        self.promises.get_mut(&p)
    }
    fn vat_ref(&self, vat: VatId) -> Option<&Vat> {
        self.vats.get(vat.0 as usize)?.as_deref()
    }
    fn vat_mut(&mut self, vat: VatId) -> Option<&mut Vat> {
        self.vats.get_mut(vat.0 as usize)?.as_deref_mut()
    }

    /// The vat's root is held as long as the vat is there.
    fn set_root(&mut self, vat: VatId, answer: PromiseId) {
        if let Some(v) = self.vat_mut(vat) {
            v.root = Some(answer);
        }
        if let Some(e) = self.promise_mut(answer) {
            e.holders.insert(passable::HOST);
        }
    }

    fn insert_promise(&mut self, id: PromiseId, p: Promise) -> Option<Promise> {
        self.dirty.promise(id);
        self.promises.insert(id, p)
    }

    fn new_promise_id(&mut self) -> PromiseId {
        self.dirty.meta = true;
        let n = self.next_promise;
        self.next_promise += 1;
        PromiseId { vat: passable::HOST, n }
    }

    fn start(&mut self, program: u64, powers: Data, limits: Limits) {
        let answer = self.new_promise_id();
        self.main = Some(answer);
        let host = TurnId::default();
        let name = self.programs.name(program);
        let vat = self.make_vat(Some(program), name, limits);
        self.insert_promise(answer, Promise::new(vat, passable::HOST));
        self.set_root(vat, answer);
        self.enqueue(vat, What::Start { program, powers, answer }, host);
    }

    /// A new vat that runs JavaScript.
    fn make_vat(&mut self, program: Option<u64>, name: String, limits: Limits) -> VatId {
        let vat = self.new_vat(program, name, limits, false);
        self.out.push(Effect::MakeVat { vat, limits });
        vat
    }

    /// A new vat, with an empty inbox.
    fn new_vat(&mut self, program: Option<u64>, name: String, limits: Limits, session: bool) -> VatId {
        let vat = VatId(self.vats.len() as u32);
        self.dirty.vat(vat);
        self.vats.push(Some(Box::new(Vat {
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            current: None,
            paused: false,
            turns: 0,
            exports: IdMap::default(),
            loose: Vec::new(),
            retired: Vec::new(),
            next_seq: 1,
            root: None,
            limits,
            program,
            name,
            session,
        })));
        self.told.made(self.causes.running(), vat, self.name(vat).to_owned());
        vat
    }
}
