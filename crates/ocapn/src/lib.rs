#![forbid(unsafe_code)]
//! Sessions with other hosts by OCapN: a pure state machine, `step(In)` → `Out`s.
//!
//! In: bytes of connections, deliveries to sessions. Out: bytes to write, what sessions ask of the node as `passable::Op`s.
//!
//! A session with a peer is to the node a vat that is no JavaScript. The objects of the peer that were named here are its exports
//! (`Object{vat: session, n}`), what the peer holds here its imports; it decides the promises that the peer owes. It begins when a
//! peer has said hello, or when a peer is first wanted (what is sent to it until then waits in it), and ends with its connection; but
//! one between two durable hosts over the netlayer `LINE` stays, is stored as rows (`rows`), and goes on over the next connection.
//!
//! Invariants
//! - one session with a peer at a time; positions of what is exported to a peer are never used twice;
//! - each appearance of a position on the wire is counted, and told as often when it is given back;
//! - whatever bytes come: the session they came on goes on, or is aborted with a reason; no other session notices;
//! - what a session names to the node it made itself, was given by the node, or was put to it by `Out::Hold`;
//! - nothing is written before `flush`: one write for a connection, of whole messages.
//!
//! Must never know: sockets, clocks, randomness (what must be unguessable comes in as seeds), engines, disks.
mod conn;
mod deliver;
mod entries;
mod few;
mod framing;
mod give;
mod handoff;
mod hello;
mod host;
mod keys;
mod near;
mod peer;
mod receive;
mod resume;
mod rows;
mod session;
mod stream;
mod table;
mod take;
mod walk;
mod wire;
mod write;

pub use conn::MAX_DIALLING;
use handoff::{Gift, GiftKey, Withdrawal};
pub use handoff::{MAX_GIFTS, MAX_HANDOFF_GAPS};
pub use hello::{History, MAX_HASHES};
pub use host::{answer_challenge, challenge, is_answered};
pub use host::{designator, designator_of, is_signed, key_of, public_key, sign};
use keys::Hash;
use passable::syrup::Fault;
use passable::{Delivery, Op, PromiseId, Ref, Resolution, VatId};
pub use peer::{BadLocator, MAX_SWISS_BYTES, Peer, Sturdyref};
pub use resume::MAX_FIRST_ATTEMPTS;
pub use rows::{Row, RowTable};
use session::{BOOTSTRAP, Session};
pub use session::{MAX_ANSWERS, MAX_EXPORTS, MAX_IMPORTS, MAX_LISTENERS, MAX_QUESTIONS, MAX_WAITING, Traffic};
use std::collections::{BTreeMap, BTreeSet};
pub use stream::{MAX_UNACKED_BYTES, MAX_UNACKED_MESSAGES};
use table::Table;
pub use walk::MAX_DEPTH;
pub use wire::Led;

/// A connection, numbered by whoever has the sockets; a number is used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub u64);

/// The forms of the protocol that are in use; nobody negotiates them. All are read; this says which one is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The public test suite of 2026-02, Endo up to 2026-04: `op:deliver-only`, `op:gc-export`, no `op:get`.
    A,
    /// Endo in 2026-08: `op:deliver` without answer, `op:gc-exports`, `op:get`.
    B,
    /// The draft's text: as B, `op:listen` with two fields.
    C,
    /// Goblins 0.16: as A, `op:gc-export` with one position.
    Goblins,
}

impl Dialect {
    /// By its name in a locator's `dialect` hint.
    pub fn from_name(name: &str) -> Option<Dialect> {
        Some(match name {
            "A" | "a" => Dialect::A,
            "B" | "b" => Dialect::B,
            "C" | "c" => Dialect::C,
            "goblins" => Dialect::Goblins,
            _ => return None,
        })
    }
}

/// How messages are told apart in a stream of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One after another.
    Raw,
    /// Each after its length in decimal and `:`.
    Length,
}

impl Dialect {
    /// `op:deliver-only` was folded into `op:deliver`; `op:get` and its kin are there.
    fn is_folded(self) -> bool {
        matches!(self, Dialect::B | Dialect::C)
    }
    /// It writes no minus zero.
    fn lacks_minus_zero(self) -> bool {
        self == Dialect::B
    }
}

/// What `Captp` asks while it steps.
pub trait Home {
    /// The vat of a new session.
    fn new_session(&mut self) -> VatId;
    /// What is registered under a swissnum (look it up by keyed hash). The host holds it.
    fn lookup(&mut self, swiss: &[u8]) -> Option<Ref>;
}

/// A connection that is there.
#[derive(Clone, Debug)]
pub struct Opened {
    pub conn: ConnId,
    /// The session of the `Out::Dial` that this answers; none: the peer came to us.
    pub dialled: Option<VatId>,
    /// Where this host is reached by this netlayer, as the peer will be told.
    pub here: Peer,
    /// The designator that the netlayer has authenticated; none: it authenticates nobody, and the peer's word is taken.
    pub authenticated: Option<String>,
    /// None: found out from what the peer writes (until then, for a connection that we dialled: A, raw). A `dialect` hint of the
    /// locator that was dialled counts for a dialect given here.
    pub dialect: Option<Dialect>,
    pub framing: Option<Framing>,
    /// Of this connection alone: its key, and what is unguessable in it.
    pub seed: [u8; 32],
}

/// What happens.
#[derive(Debug)]
pub enum In {
    /// This host reaches others from now on, and is where this says. With a history its sessions with durable hosts are durable.
    Online {
        here: Vec<Peer>,
        history: Option<History>,
    },
    Opened(Opened),
    Received {
        conn: ConnId,
        bytes: Vec<u8>,
    },
    /// Also after `Out::Close`, or never.
    Closed {
        conn: ConnId,
        why: String,
    },
    /// The answer to an `Out::Dial` that came to nothing; not if it came to a connection.
    DialFailed {
        session: VatId,
        why: String,
    },
    /// A delivery to the session's vat: a message to an export of it or to a promise that it decides and has not resolved, a promise it
    /// listens to, exports that nobody holds (`dropped`), promises of it that nobody needs (`retired`).
    Deliver {
        session: VatId,
        delivery: Delivery,
    },
    /// A reference by its sturdyref: an `ocapn://…/s/…` URI. `answer` is settled by `Out::Settle`.
    Import {
        uri: String,
        answer: PromiseId,
    },
    /// The session is ended from here.
    End {
        session: VatId,
        why: String,
    },
}

/// What is to be done, in order.
#[derive(Debug, PartialEq)]
pub enum Out {
    /// The session holds this from now on: a registered object that the peer fetched, a gift, a promise of another session. A promise
    /// that the node does not know is new, and decided by the session in its id.
    Hold { session: VatId, what: Ref },
    /// What a turn of the session asks. Every export named in them is told back as dropped once nobody holds it, also if the op came to
    /// nothing.
    Ops { session: VatId, ops: Vec<Op> },
    /// The promise of an `In::Import`.
    Settle { promise: PromiseId, to: Resolution },
    /// The session is no more. The promises it decides are rejected with an `Error` of this text.
    EndSession { session: VatId, why: String },
    /// Somebody wants to talk to this peer. Answer by `In::Opened` or `In::DialFailed`. After `attempt` dials one after another that came
    /// to nothing: wait before this one, the longer the more there were.
    Dial { session: VatId, peer: Peer, attempt: u32 },
    /// Whole messages.
    Write { conn: ConnId, bytes: Vec<u8> },
    /// After what was written.
    Close { conn: ConnId },
    /// The peer has said hello, and the session goes over this connection.
    Established { session: VatId, conn: ConnId, peer: Peer },
    /// For the operator: something was refused or aborted.
    Note { session: Option<VatId>, conn: Option<ConnId>, text: String },
}

/// The netlayer that drses hosts alone speak.
pub const LINE: &str = "noise";
/// Bytes of one message.
pub const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// Bytes of messages of all peers of which only a part has come.
pub const MAX_UNFINISHED_BYTES: usize = 256 << 20;
/// Bytes of a hello: of whom nothing is known.
pub const MAX_HELLO_BYTES: usize = 64 << 10;
/// Digits of an integer.
pub const MAX_INTEGER_DIGITS: usize = 20_000;
/// Positions to be given back that wait no longer.
const MUCH_GARBAGE: usize = 64;
/// Bytes of memory that are taken beforehand for what is written next, at most.
const MUCH_BYTES: usize = 4 << 10;
/// Characters of a reason that is kept.
const MAX_REASON_CHARS: usize = 200;

/// Why a connection is given up.
#[derive(Debug)]
pub(crate) struct Abort {
    text: String,
    by_peer: bool,
}

impl Abort {
    fn new(text: String) -> Abort {
        Abort { text, by_peer: false }
    }
    fn by_peer(text: &str) -> Abort {
        let text = text.chars().take(MAX_REASON_CHARS).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        Abort { text, by_peer: true }
    }
}

impl From<Fault> for Abort {
    fn from(fault: Fault) -> Abort {
        Abort::new(format!("malformed: {fault}"))
    }
}

/// A session, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    pub session: VatId,
    pub peer: Peer,
    /// None: the peer has not said hello, or is away.
    pub conn: Option<ConnId>,
    /// It stays when its connection ends.
    pub durable: bool,
    /// The peer has said hello, on this connection or an earlier one.
    pub known: bool,
    /// Messages that the peer has not acknowledged, and their bytes.
    pub unacked: (usize, u64),
    /// Dials that came to nothing since the peer was there last, and why.
    pub attempts: u32,
    pub away: Option<String>,
    pub dialect: Option<Dialect>,
    pub traffic: Traffic,
    /// What the peer holds here.
    pub exports: usize,
    /// What is held here of the peer's.
    pub imports: usize,
    /// What the peer has not answered.
    pub questions: usize,
    /// What this host has answered, or will, and the peer has not given back.
    pub answers: usize,
}

/// The sessions of one host.
#[derive(Debug, Default)]
pub struct Captp {
    conns: conn::Conns,
    /// One that is being worked on is not in here.
    sessions: near::Near<VatId, Box<Session>>,
    /// By transport and designator.
    peers: BTreeMap<(String, String), VatId>,
    /// By the session's name.
    live: BTreeMap<Hash, VatId>,
    gifts: Table<GiftKey, Gift>,
    withdrawals: Table<GiftKey, Vec<Withdrawal>>,
    /// Peers with whom there is, or was, a durable session.
    known: Table<(String, String), resume::Known>,
    history: Option<History>,
    online: bool,
    /// Sessions that may have changed since rows were asked for.
    touched: BTreeSet<VatId>,
    /// Rows of sessions that have ended.
    gone: Vec<rows::Key>,
    /// Where this host is, as far as its connections have told.
    here: BTreeSet<(String, String)>,
    /// Sessions with something to tell.
    dirty: few::Marked<VatId>,
    /// Connections without sessions, likewise.
    unwritten: BTreeSet<ConnId>,
    out: Vec<Out>,
    tracing: bool,
}

impl Captp {
    pub fn new() -> Captp {
        Captp::default()
    }

    /// Takes what happens; what is to be done is appended to `out`.
    pub fn step(&mut self, event: In, home: &mut dyn Home, out: &mut Vec<Out>) {
        std::mem::swap(&mut self.out, out);
        match event {
            In::Online { here, history } => self.go_online(here, history),
            In::Opened(open) => self.opened(open),
            In::Received { conn, bytes } => self.received(conn, &bytes, home),
            In::Closed { conn, why } => self.closed(conn, &why),
            In::DialFailed { session, why } => self.dial_failed(session, &why),
            In::Deliver { session, delivery } => {
                if let Some(mut s) = self.sessions.remove(&session) {
                    self.delivered(&mut s, delivery);
                    self.sessions.insert(session, s);
                    self.dirty.insert(session);
                }
            }
            In::Import { uri, answer } => self.import(&uri, answer, home),
            In::End { session, why } => self.end_from_here(session, why),
        }
        for vat in self.dirty.iter() {
            if let Some(s) = self.sessions.get_mut(vat)
                && !s.ops.is_empty()
            {
                self.out.push(Out::Ops { session: *vat, ops: std::mem::take(&mut s.ops) });
            }
        }
        std::mem::swap(&mut self.out, out);
    }

    /// What was gathered since the last time as writes, one a connection; after the messages, what is no longer held.
    pub fn flush(&mut self, out: &mut Vec<Out>) {
        self.flush_some(false, out);
    }

    /// As `flush`, where it is certain that `flush` is called later: until then what is no longer held is not told, unless it is much, or
    /// the dialect of the session is yet to be found out from what both write.
    pub fn flush_patiently(&mut self, out: &mut Vec<Out>) {
        self.flush_some(true, out);
    }

    fn flush_some(&mut self, patient: bool, out: &mut Vec<Out>) {
        self.flush_conns(out);
        if self.online && self.history.is_none() {
            self.gifts.unnoted();
            self.withdrawals.unnoted();
        }
        if self.dirty.is_empty() {
            return;
        }
        let (mut all, mut waiting) = (self.dirty.take(), 0);
        for i in 0..all.len() {
            let vat = all[i];
            let Some(s) = self.sessions.get_mut(&vat) else { continue };
            if s.is_durable() {
                self.touched.insert(vat);
            }
            let waits = patient && s.line.is_none() && s.live.as_ref().is_some_and(|live| live.settled);
            s.wire_log.over();
            if waits && (1..MUCH_GARBAGE).contains(&s.garbage()) {
                all[waiting] = vat;
                waiting += 1;
            } else if s.live.is_some() {
                s.write_garbage();
            }
            if s.line.is_some() {
                self.flush_line(vat, out);
            } else if let (Some(live), Some(conn)) = (&mut s.live, s.conn)
                && !live.out.is_empty()
            {
                // the next ones are likely to be as many
                let next = Vec::with_capacity(live.out.len().min(MUCH_BYTES));
                out.push(Out::Write { conn, bytes: std::mem::replace(&mut live.out, next) });
            }
        }
        all.truncate(waiting);
        self.dirty.put_back(all);
    }

    /// Something is no longer held and its peer has not been told: `flush` does it.
    pub fn has_garbage(&self) -> bool {
        self.dirty.iter().any(|vat| self.sessions.get(vat).is_some_and(|s| s.garbage() > 0))
    }

    /// A message to this promise, which the session decides and has not resolved, is to be delivered to the session now. False: it
    /// waits in the node until the promise is resolved.
    pub fn takes(&self, session: VatId, p: PromiseId) -> bool {
        match self.sessions.get(&session) {
            Some(s) => !s.local.contains_key(&p) && !s.owed.get(&p).is_some_and(|o| o.fenced),
            None => true,
        }
    }

    /// All sessions, those included whose peers have not said hello.
    pub fn sessions(&self) -> impl Iterator<Item = SessionInfo> + '_ {
        self.sessions.values().map(|s| SessionInfo {
            session: s.vat,
            peer: s.peer.clone(),
            conn: s.conn,
            durable: s.is_durable(),
            known: s.live.is_some(),
            unacked: s.line.as_ref().map_or((0, 0), |l| l.stream.unacked()),
            attempts: s.line.as_ref().map_or(0, |l| l.attempt),
            away: s.line.as_ref().filter(|_| s.conn.is_none()).and_then(|l| l.away.clone()),
            dialect: s.live.as_ref().map(|l| l.dialect),
            traffic: s.traffic,
            exports: s.exports.len() - 1,
            imports: s.imports.len(),
            questions: s.questions.len(),
            answers: s.answers.len(),
        })
    }

    fn end_from_here(&mut self, session: VatId, why: String) {
        let of_session = self.conns.iter().filter(|c| c.1.session == Some(session));
        // of several the others are dials that have not come to anything
        let conn = of_session.map(|c| (c.1.live, *c.0)).max();
        match conn {
            Some((true, conn)) => self.abort(conn, Abort::new(why)),
            Some((false, conn)) if !self.conns.get(&conn).is_some_and(conn::Conn::is_line) => self.abort(conn, Abort::new(why)),
            other => {
                if let Some((_, conn)) = other {
                    self.let_go(conn);
                }
                self.end_session(session, why);
            }
        }
    }

    fn note(&mut self, session: Option<VatId>, conn: Option<ConnId>, text: String) {
        self.out.push(Out::Note { session, conn, text });
    }
}

#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
#[cfg(any(test, feature = "fuzz"))]
#[cfg_attr(not(test), allow(dead_code, reason = "fuzz targets use a part of what tests use"))]
mod tests;
