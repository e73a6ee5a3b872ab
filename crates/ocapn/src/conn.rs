//! Connections until a session goes over them: hellos, crossed hellos, aborts.
//!
//! In: connections that open, bytes. Out: hellos, sessions that begin and end.
//!
//! Invariants
//! - whoever dialled says hello first; a hello is answered once, and nothing else is taken before it;
//! - the peer's word on where it is counts as far as its netlayer vouches for it, and never for another netlayer: sessions with hosts
//!   that are known by their keys are not to be had over a netlayer that takes anybody's word;
//! - of two connections between two hosts that both dialled, both sides keep the same one: that of the key with the higher name;
//! - a peer that comes again in a new session has lost the old one, which ends.
use crate::framing::{Incoming, frame};
use crate::hello::{Greeting, Refusal};
use crate::keys::{self, Hash, Keys};
use crate::session::{Live, Session, Waiting};
use crate::stream::Line;
use crate::take::shown;
use crate::wire::WireLog;
use crate::{
    Abort, Captp, ConnId, Dialect, Framing, Home, LINE, MAX_DEPTH, MAX_HELLO_BYTES, MAX_INTEGER_DIGITS, MAX_MESSAGE_BYTES,
    MAX_UNFINISHED_BYTES, Opened, Out, Peer,
};
use passable::syrup::{Fault, Limits, Reader, Writer};
use passable::{Data, VatId};
use std::collections::BTreeMap;

/// Who has kept fewer bytes for later than this need not look how many all have.
const MUCH_UNFINISHED_BYTES: usize = 64 << 10;
/// Hosts that are dialled and have not answered, at most.
pub const MAX_DIALLING: usize = 1_000;
const HELLO_LIMITS: Limits = Limits { bytes: MAX_HELLO_BYTES, depth: 16, digits: 20 };
const LIMITS: Limits = Limits { bytes: MAX_MESSAGE_BYTES, depth: MAX_DEPTH, digits: MAX_INTEGER_DIGITS };
const VERSION: &str = "1.0";
const GOBLINS_VERSION: &str = "goblins-0.16";

#[derive(Debug)]
pub(crate) struct Conn {
    /// As it opened.
    pub open: Opened,
    pub keys: Keys,
    /// Absent while messages are taken from it.
    incoming: Option<Box<Incoming>>,
    /// How the peer tells its messages apart.
    heard: Option<Framing>,
    /// The session that goes over it, or is meant to.
    pub session: Option<VatId>,
    said_hello: bool,
    pub live: bool,
    pub out: Vec<u8>,
}

/// What a peer says first.
struct Hello {
    goblins: bool,
    key: Hash,
    peer: Peer,
}

impl Conn {
    /// Its netlayer is spoken by drses hosts alone: hellos and streams are theirs.
    pub fn is_line(&self) -> bool {
        self.open.here.transport == LINE
    }
    /// How this side writes, by what is known so far.
    fn framing(&self) -> Framing {
        let given = self.open.framing.or(self.heard);
        given.unwrap_or(match self.open.dialect {
            Some(Dialect::B | Dialect::C) => Framing::Length,
            _ => Framing::Raw,
        })
    }
}

impl Captp {
    pub(crate) fn opened(&mut self, mut open: Opened) {
        let conn = open.conn;
        self.here.insert(open.here.key());
        if let Some(session) = open.dialled {
            let waiting = self.sessions.get(&session).filter(|s| s.conn.is_none());
            let Some(s) = waiting else {
                // it goes over another connection by now, or was given up
                return self.out.push(Out::Close { conn });
            };
            open.dialect = s.peer.hint("dialect").and_then(Dialect::from_name).or(open.dialect);
        }
        let mut incoming = Incoming::new(None, HELLO_LIMITS);
        if open.framing.is_some() {
            incoming.framing = open.framing;
        }
        let keys = Keys::new(&open.seed);
        open.seed = [0; 32];
        let session = open.dialled;
        let dialled = session.is_some();
        let (heard, incoming) = (incoming.framing, Some(Box::new(incoming)));
        let c = Conn { open, keys, incoming, heard, session, said_hello: false, live: false, out: Vec::new() };
        let line = c.is_line();
        self.conns.insert(conn, c);
        if let Some(vat) = session.filter(|_| line) {
            return self.greet(conn, vat);
        }
        if dialled && let Some(c) = self.conns.get_mut(&conn) {
            c.say_hello();
            self.unwritten.insert(conn);
        }
    }

    pub(crate) fn received(&mut self, conn: ConnId, bytes: &[u8], home: &mut dyn Home) {
        let Some(c) = self.conns.get_mut(&conn) else { return };
        let Some(mut incoming) = c.incoming.take() else { return };
        incoming.push(bytes);
        let result = self.messages(conn, &mut incoming, bytes.len(), home);
        let much = incoming.unfinished() > MUCH_UNFINISHED_BYTES;
        if let Some(c) = self.conns.get_mut(&conn) {
            c.heard = incoming.framing;
            c.incoming = Some(incoming);
        }
        match result {
            Ok(()) => {}
            Err(Fail::Abort(abort)) => self.abort(conn, abort),
            Err(Fail::Refusal(refusal)) => self.refuse(conn, refusal),
        }
        if much {
            self.bound_unfinished();
        }
    }

    /// Whoever has begun most makes room, if peers have begun much and finished it not.
    fn bound_unfinished(&mut self) {
        let unfinished = |c: &Conn| c.incoming.as_ref().map_or(0, |i| i.unfinished());
        if self.conns.values().map(unfinished).sum::<usize>() <= MAX_UNFINISHED_BYTES {
            return;
        }
        let most = self.conns.iter().max_by_key(|(_, c)| unfinished(c)).map(|(conn, c)| (*conn, c.is_line()));
        let Some((conn, line)) = most else { return };
        let why = "limit: bytes of messages of all peers that are not whole";
        if line {
            // a durable session goes on over another connection
            self.out.push(Out::Close { conn });
            self.end(conn, why, false);
        } else {
            self.abort(conn, Abort::new(why.to_owned()));
        }
    }

    fn messages(&mut self, conn: ConnId, incoming: &mut Incoming, bytes: usize, home: &mut dyn Home) -> Result<(), Fail> {
        let mut counted = false;
        loop {
            let Some(c) = self.conns.get_mut(&conn) else { return Ok(()) };
            let (live, session, line) = (c.live, c.session, c.is_line());
            if !live && line {
                let Some(r) = incoming.next().map_err(Refusal::from)? else { return Ok(()) };
                let greeting = Greeting::read(r)?;
                self.greeted(conn, greeting, home)?;
                incoming.set_limits(LIMITS);
                continue;
            }
            if !live {
                let Some(r) = incoming.next().map_err(Abort::from)? else { return Ok(()) };
                let hello = read_hello(r)?;
                if let Some(c) = self.conns.get_mut(&conn) {
                    c.heard = incoming.framing;
                }
                self.hello(conn, hello, home)?;
                incoming.set_limits(LIMITS);
                continue;
            }
            let Some(vat) = session else { return Ok(()) };
            let Some(mut s) = self.sessions.remove(&vat) else { return Ok(()) };
            if !std::mem::replace(&mut counted, true) {
                s.traffic.bytes_in += bytes as u64;
            }
            let result = loop {
                match incoming.next() {
                    Err(fault) => break Err(Fail::Abort(fault.into())),
                    Ok(None) => break Ok(()),
                    Ok(Some(r)) => {
                        let done = if line { self.line_message(&mut s, r, home) } else { self.message(&mut s, r, home) };
                        if let Err(abort) = done {
                            break Err(abort.into());
                        }
                    }
                }
            };
            self.sessions.insert(vat, s);
            self.dirty.insert(vat);
            return result;
        }
    }

    /// The peer's hello.
    fn hello(&mut self, conn: ConnId, hello: Hello, home: &mut dyn Home) -> Result<(), Abort> {
        let Some(c) = self.conns.get(&conn) else { return Ok(()) };
        if keys::public_record(&hello.key) == c.keys.record {
            return Err(Abort::new("a hello with the key of this side".to_owned()));
        }
        let (netlayer, claimed) = (&c.open.here.transport, &hello.peer.transport);
        if claimed != netlayer {
            return Err(Abort::new(format!("a peer at {netlayer} says it is at {}", shown(claimed))));
        }
        if let Some(known) = &c.open.authenticated
            && *known != hello.peer.designator
        {
            return Err(Abort::new(format!("the peer is not {}", shown(&hello.peer.designator))));
        }
        let id = keys::public_id(&hello.key);
        let vat = match (c.open.dialled, self.peers.get(&hello.peer.key()).copied()) {
            (Some(dialled), _) => dialled,
            (None, None) => self.new_session(&hello.peer, home),
            (None, Some(known)) => self.meet(known, &id, &hello, home)?,
        };
        if let Some(c) = self.conns.get_mut(&conn)
            && !c.said_hello
        {
            c.goblins(hello.goblins);
            c.say_hello();
        }
        self.establish(conn, vat, hello, id);
        Ok(())
    }

    /// A peer comes with whom there is a session already, or who is being dialled.
    fn meet(&mut self, known: VatId, theirs: &Hash, hello: &Hello, home: &mut dyn Home) -> Result<VatId, Abort> {
        let crossed = || Abort::new("crossed hellos: the other connection is kept".to_owned());
        let Some(s) = self.sessions.get(&known) else { return Ok(self.new_session(&hello.peer, home)) };
        if let (Some(live), Some(old)) = (&s.live, s.conn) {
            if live.outgoing && live.keys.id > *theirs {
                return Err(crossed());
            }
            self.abort(old, Abort::new("the peer has begun a new session".to_owned()));
            return Ok(self.new_session(&hello.peer, home));
        }
        let ours = self.conns.values().find(|c| c.session == Some(known)).map(|c| (c.open.conn, c.keys.id));
        if let Some((conn, id)) = ours {
            if id > *theirs {
                return Err(crossed());
            }
            // its session goes over the other connection
            if let Some(c) = self.conns.get_mut(&conn) {
                c.session = None;
            }
            self.abort(conn, crossed());
        }
        Ok(known)
    }

    fn establish(&mut self, conn: ConnId, vat: VatId, hello: Hello, peer_id: Hash) {
        let Some(mut s) = self.sessions.remove(&vat) else { return };
        let Some(c) = self.conns.get_mut(&conn) else { return };
        let framing = c.framing();
        let dialect = match (c.open.dialect, hello.goblins) {
            (Some(given), _) => given,
            (None, true) => Dialect::Goblins,
            (None, false) => Live::guess(framing),
        };
        let id = keys::session_id(&c.keys.id, &peer_id);
        let settled = c.open.dialect.is_some() || hello.goblins;
        let folded = (settled || framing == Framing::Length).then_some(dialect.is_folded());
        let (outgoing, out) = (c.open.dialled.is_some(), std::mem::take(&mut c.out));
        let (keys, peer_key) = (c.keys.clone(), hello.key);
        s.live = Some(Live { keys, outgoing, peer_key, peer_id, id, dialect, folded, settled, framing, out });
        s.conn = Some(conn);
        c.live = true;
        c.session = Some(vat);
        self.live.insert(id, vat);
        // the peer is known by what it was dialled as, too
        self.peers.entry(hello.peer.key()).or_insert(vat);
        s.peer = hello.peer;
        self.out.push(Out::Established { session: vat, conn, peer: s.peer.clone() });
        self.begin(&mut s);
        self.sessions.insert(vat, s);
        self.dirty.insert(vat);
    }

    /// The peer has said hello for the first time: what waited goes out.
    pub(crate) fn begin(&mut self, s: &mut Session) {
        while let Some((_, waiting)) = s.waiting.pop_first() {
            match waiting {
                Waiting::Delivery(delivery) => self.perform(s, delivery),
                Waiting::Fetch { swiss, promise } => s.fetch_from_peer(&swiss, promise),
                Waiting::Withdraw(wanted) => self.withdraw(s, *wanted),
            }
        }
        s.early.clear();
    }

    pub(crate) fn new_session(&mut self, peer: &Peer, home: &mut dyn Home) -> VatId {
        let vat = home.new_session();
        let mut s = Box::new(Session::new(vat, peer.clone()));
        s.line = (peer.transport == LINE).then(|| Line::new(self.history.is_some()));
        if s.line.is_none() {
            s.note_nothing();
        }
        s.wire_log = WireLog::new(self.tracing);
        self.sessions.insert(vat, s);
        self.peers.insert(peer.key(), vat);
        self.dirty.insert(vat);
        vat
    }

    /// The session with a peer; the peer is dialled if there is none.
    pub(crate) fn session_for(&mut self, peer: &Peer, home: &mut dyn Home) -> Result<VatId, Data> {
        if let Some(vat) = self.peers.get(&peer.key()) {
            return Ok(*vat);
        }
        if self.sessions.values().filter(|s| s.live.is_none()).count() >= MAX_DIALLING {
            return Err(Data::error("RangeError", "limit: hosts that were dialled and have not answered"));
        }
        let session = self.new_session(peer, home);
        if peer.transport == LINE {
            self.dial(session);
        } else {
            self.out.push(Out::Dial { session, peer: peer.clone(), attempt: 0 });
        }
        Ok(session)
    }

    /// The connection, and the session that goes over it, end for this reason.
    pub(crate) fn abort(&mut self, conn: ConnId, abort: Abort) {
        if !abort.by_peer {
            let mut w = Writer::new();
            w.record("op:abort");
            w.string(&abort.text);
            w.end();
            self.last_word(conn, &w.done());
        }
        let who = if abort.by_peer { "the peer ended the session" } else { "the session was ended" };
        self.end(conn, &format!("{who}: {}", abort.text), true);
    }

    /// Behind all that was written on a connection.
    fn last_word(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(c) = self.conns.get_mut(&conn) else { return };
        let session = c.session.filter(|_| c.live).and_then(|v| self.sessions.get_mut(&v));
        match session.map(|s| (&mut s.line, &mut s.live)) {
            Some((Some(line), _)) => {
                line.stream.write(&mut c.out);
                c.out.extend_from_slice(bytes);
            }
            Some((None, Some(live))) => frame(&mut live.out, live.framing, bytes),
            _ => {
                let framing = c.framing();
                frame(&mut c.out, framing, bytes);
            }
        }
    }

    /// What was written goes out; then nothing more. The session ends, unless only its connection has and it is durable.
    pub(crate) fn end(&mut self, conn: ConnId, why: &str, close: bool) {
        let Some(mut c) = self.conns.remove(&conn) else { return };
        self.unwritten.remove(&conn);
        let mut bytes = std::mem::take(&mut c.out);
        let mut why = why.to_owned();
        if let Some(s) = c.session.and_then(|v| self.sessions.get_mut(&v)) {
            if let Some(live) = s.live.as_mut().filter(|_| s.conn == Some(conn)) {
                bytes.append(&mut live.out);
            }
            why = format!("{} ({})", why, s.peer);
        }
        if close {
            if !bytes.is_empty() {
                self.out.push(Out::Write { conn, bytes });
            }
            self.out.push(Out::Close { conn });
        }
        // peers that come and go without a word are not worth one
        if close || c.session.is_some() {
            self.note(c.session, Some(conn), why.clone());
        }
        let Some(vat) = c.session else { return };
        if c.is_line() && !close {
            self.lost(vat, conn, why);
        } else {
            self.end_session(vat, why);
        }
    }

    pub(crate) fn end_session(&mut self, vat: VatId, why: String) {
        let Some(mut s) = self.sessions.remove(&vat) else { return };
        self.dirty.remove(&vat);
        let ops = std::mem::take(&mut s.ops);
        if !ops.is_empty() {
            self.out.push(Out::Ops { session: vat, ops });
        }
        self.peers.retain(|_, v| *v != vat);
        if let Some(live) = &s.live {
            self.live.remove(&live.id);
            self.forget_gifts(vat, &live.id);
        }
        self.end_of_line(&s, &why);
        self.out.push(Out::EndSession { session: vat, why });
    }

    pub(crate) fn closed(&mut self, conn: ConnId, why: &str) {
        self.end(conn, &format!("the connection ended: {why}"), false);
    }

    pub(crate) fn dial_failed(&mut self, vat: VatId, why: &str) {
        let Some(s) = self.sessions.get(&vat).filter(|s| s.conn.is_none()) else { return };
        if s.line.is_some() {
            return self.came_to_nothing(vat, why, false);
        }
        let text = format!("{} cannot be reached: {why}", s.peer);
        self.end_session(vat, text);
    }

    /// Writes what connections say before they carry sessions.
    pub(crate) fn flush_conns(&mut self, out: &mut Vec<Out>) {
        // it is called after each turn
        if self.unwritten.is_empty() {
            return;
        }
        for conn in std::mem::take(&mut self.unwritten) {
            if let Some(c) = self.conns.get_mut(&conn)
                && !c.out.is_empty()
            {
                out.push(Out::Write { conn, bytes: std::mem::take(&mut c.out) });
            }
        }
    }
}

impl Conn {
    fn goblins(&mut self, goblins: bool) {
        if goblins && self.open.dialect.is_none() {
            self.open.dialect = Some(Dialect::Goblins);
        }
    }

    fn say_hello(&mut self) {
        let location = self.open.here.to_syrup();
        let version = if self.open.dialect == Some(Dialect::Goblins) { GOBLINS_VERSION } else { VERSION };
        let mut w = Writer::new();
        w.record("op:start-session");
        w.string(version);
        w.raw(&self.keys.record);
        w.raw(&location);
        keys::write_signature(&mut w, &self.keys.sign(&keys::my_location(&location)));
        w.end();
        let framing = self.framing();
        frame(&mut self.out, framing, &w.done());
        self.said_hello = true;
    }
}

fn read_hello(mut r: Reader<'_>) -> Result<Hello, Abort> {
    match r.record()? {
        ("op:start-session", 4) => {}
        ("op:abort", 1) => return Err(Abort::by_peer(r.string()?)),
        (label, _) => return Err(Abort::new(format!("{} before the hello", shown(label)))),
    }
    let version = r.string()?;
    let goblins = version == GOBLINS_VERSION;
    if version != VERSION && !goblins {
        return Err(Abort::new(format!("the version {} of CapTP is not known here, {VERSION} is", shown(version))));
    }
    let key = keys::read_public(&mut r)?;
    let mut location = r;
    let location = location.raw()?;
    let peer = Peer::read(&mut r)?;
    let signature = keys::read_signature(&mut r)?;
    r.end()?;
    if !r.is_empty() {
        return Err(Fault::Unexpected.into());
    }
    if !keys::verify(&key, &keys::my_location(location), &signature) {
        return Err(Abort::new("the signature of the hello is wrong".to_owned()));
    }
    Ok(Hello { goblins, key, peer })
}

/// Why a connection is given up.
enum Fail {
    Abort(Abort),
    Refusal(Refusal),
}
impl From<Abort> for Fail {
    fn from(abort: Abort) -> Fail {
        Fail::Abort(abort)
    }
}
impl From<Refusal> for Fail {
    fn from(refusal: Refusal) -> Fail {
        Fail::Refusal(refusal)
    }
}

/// Connections by number.
pub(crate) type Conns = BTreeMap<ConnId, Conn>;
