//! Sessions over the netlayer that drses hosts alone speak: how they begin, lose their connections, and go on over others.
//!
//! In: hellos, connections that end, dials that come to nothing. Out: sessions that are joined to connections; dials; refusals.
//!
//! Invariants
//! - a durable session ends only if a side ends it (`op:abort`, which is remembered for a peer that did not hear it) or begins another
//!   history; whatever else befalls a connection is no more than its end;
//! - nothing is taken on a connection before histories, the session's name and both streams' positions were compared;
//! - a session has at most one connection that it is joined to, and of two that were dialled at once both sides keep the same;
//! - as long as there is business a durable session without a connection is being dialled, and with more patience each time.
//!
//! Must never know: how long patience is.
use crate::hello::{Code, Extends, Greeting, History, Refusal, Seen};
use crate::keys::{self, Hash};
use crate::session::{Live, Session};
use crate::stream::{Line, Position};
use crate::{Abort, Captp, ConnId, Dialect, Framing, Home, LINE, Out, Peer};
use passable::VatId;
use passable::syrup::{Fault, Reader};

/// How often a host that was never reached is dialled before that is given up.
pub const MAX_FIRST_ATTEMPTS: u32 = 12;
/// What the attempts of a peer that refuses are counted as: there is no hurry.
const REFUSED_ATTEMPTS: u32 = 16;
/// Durable sessions, at most.
const MAX_DURABLE: usize = 100_000;

/// Peers of whom something is remembered, at most.
const MAX_KNOWN: usize = 200_000;
/// Dials that come to nothing before nobody waits for a peer any longer.
const PATIENT_ATTEMPTS: u32 = 5;

/// What is remembered of a peer, whether or not there is a session with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// The last record of its history that was shown.
    pub seen: Option<Seen>,
    /// The name of the last session with it, if that was ended, and why.
    pub ended: Option<(Hash, String)>,
}

impl Captp {
    pub(crate) fn go_online(&mut self, here: Vec<Peer>, history: Option<History>) {
        self.here.extend(here.iter().map(Peer::key));
        self.history = history;
        self.online = true;
        self.dirty.extend(self.sessions.keys().copied());
        // withdrawals that waited for gifts of sessions which ended with the process
        let orphans: Vec<Hash> = self.withdrawals.keys().map(|k| k.0).filter(|id| !self.live.contains_key(id)).collect();
        orphans.iter().for_each(|id| self.forget_gifts(passable::HOST, id));
    }

    /// Sessions that a host goes on with when it is online again.
    pub fn durable(&self) -> impl Iterator<Item = VatId> + '_ {
        self.sessions.values().filter(|s| s.is_durable()).map(|s| s.vat)
    }

    /// Messages are under way to peers who are there, or were not dialled in vain often enough.
    pub fn has_unsaid(&self) -> bool {
        let unsaid = |l: &crate::stream::Line| l.stream.unacked().0 > 0 && l.attempt < PATIENT_ATTEMPTS;
        self.sessions.values().any(|s| s.is_durable() && s.line.as_ref().is_some_and(unsaid))
    }

    /// Has the session's peer dialled.
    pub(crate) fn dial(&mut self, vat: VatId) {
        let Some(s) = self.sessions.get_mut(&vat) else { return };
        let Some(line) = &mut s.line else { return };
        line.dialling = true;
        line.dials += 1;
        self.out.push(Out::Dial { session: vat, peer: s.peer.clone(), attempt: line.attempt });
    }

    fn greeting(&self, here: Peer, s: &Session, key: Hash) -> Greeting {
        let line = s.line.as_ref();
        let history = self.history.clone();
        let session = s.live.as_ref().filter(|_| s.is_durable()).map(|l| l.id);
        let position = line.map_or(Position { next: 1, acked: 1 }, |l| l.stream.position());
        let seen = self.known.get(&s.peer.key()).and_then(|k| k.seen.clone());
        Greeting { here, key, history, session, position, seen, dial: line.map_or(0, |l| l.dials) }
    }

    /// Says hello on a connection that the session is, or will be, joined to.
    pub(crate) fn greet(&mut self, conn: ConnId, vat: VatId) {
        let (Some(c), Some(s)) = (self.conns.get(&conn), self.sessions.get_mut(&vat)) else { return };
        let (fresh, here) = (c.keys.clone(), c.open.here.clone());
        let Some(line) = &mut s.line else { return };
        line.dialling = false;
        let keys = line.keys.get_or_insert(fresh).clone();
        let Some(s) = self.sessions.get(&vat) else { return };
        let hello = self.greeting(here, s, keys.public()).to_syrup(&keys);
        if let Some(c) = self.conns.get_mut(&conn) {
            c.out.extend_from_slice(&hello);
        }
        self.unwritten.insert(conn);
        self.dirty.insert(vat);
    }

    /// The peer has said hello.
    pub(crate) fn greeted(&mut self, conn: ConnId, g: Greeting, home: &mut dyn Home) -> Result<(), Refusal> {
        let Some(c) = self.conns.get(&conn) else { return Ok(()) };
        if g.here.transport != LINE || c.open.authenticated.as_ref() != Some(&g.here.designator) {
            return Err(Refusal::new(Code::Hello, format!("the peer is not {}", crate::take::shown(&g.here.designator))));
        }
        let (dialled, session) = (c.open.dialled.is_some(), c.session);
        let theirs = self.compare_histories(&g)?;
        let vat = match (dialled, session) {
            // it goes over another connection
            (true, None) => return Err(Refusal::new(Code::Crossed, "the other connection is kept")),
            (true, Some(vat)) => {
                self.fits(vat, &g)?;
                vat
            }
            (false, _) => match self.peers.get(&g.here.key()).copied() {
                Some(vat) => self.meet_again(vat, &g, theirs, home)?,
                None => {
                    if let Some(id) = &g.session {
                        return Err(self.not_known(&g, id));
                    }
                    self.welcome(&g, home)?
                }
            },
        };
        if !dialled {
            self.greet(conn, vat);
        }
        self.join(conn, vat, g);
        Ok(())
    }

    /// What each side knows of the other's history is in it. How the peer's is to what is known of it.
    fn compare_histories(&self, g: &Greeting) -> Result<Option<Extends>, Refusal> {
        if let (Some(seen), Some(own)) = (&g.seen, &self.history)
            && own.extends(seen) == Extends::No
        {
            let text = "this host was opened in a history that the other one knows and this one has not: it was restored from a backup, or runs twice";
            return Err(Refusal::new(Code::History, text));
        }
        let known = self.known.get(&g.here.key()).and_then(|k| k.seen.as_ref());
        let extends = known.zip(g.history.as_ref()).map(|(seen, history)| history.extends(seen));
        match extends {
            Some(Extends::No) => {
                let text = "the history of the other host does not extend what this one knows of it: it was restored from a backup, or runs twice";
                Err(Refusal::new(Code::History, text))
            }
            other => Ok(other),
        }
    }

    /// The peer goes on with a session that is not here.
    fn not_known(&self, g: &Greeting, id: &Hash) -> Refusal {
        match self.known.get(&g.here.key()).and_then(|k| k.ended.as_ref()) {
            Some((ended, why)) if ended == id => Refusal::new(Code::Ended, why.clone()),
            _ => {
                let text = "one host goes on with a session that the other does not know: it was restored from a backup";
                Refusal::new(Code::History, text)
            }
        }
    }

    /// Does what the peer says go with the session? One that has not begun may begin.
    fn fits(&self, vat: VatId, g: &Greeting) -> Result<(), Refusal> {
        let Some(s) = self.sessions.get(&vat) else { return Err(Refusal::new(Code::Crossed, "nobody waits for it any longer")) };
        let Some(line) = &s.line else { return Err(Fault::Unexpected.into()) };
        let Some(live) = &s.live else {
            let own = line.keys.as_ref().map(|k| keys::session_id(&k.id, &keys::public_id(&g.key)));
            return match &g.session {
                Some(id) if own != Some(*id) => Err(self.not_known(g, id)),
                _ => self.misfit(line, g),
            };
        };
        if live.peer_key != g.key || g.session.is_some_and(|id| id != live.id) || g.history.is_none() {
            let text =
                "one host goes on with a session that the other does not know: it was restored from a backup, or lost its state";
            return Err(Refusal::new(Code::History, text));
        }
        self.misfit(line, g)
    }

    /// Do the streams' positions go with what is stored? A peer that was not shown this opening has taken nothing of what was sent since:
    /// if it has, that was sent by another copy of the store, under the same numbers.
    fn misfit(&self, line: &Line, g: &Greeting) -> Result<(), Refusal> {
        let unseen = g.seen.as_ref().zip(self.history.as_ref()).is_some_and(|(seen, own)| seen.number < own.number);
        let why = match line.stream.misfit(g.position) {
            None if unseen && g.position.next > line.stream.at_opening() => Some(
                "the other host has taken messages that this store has not sent: it was restored from a backup, or runs twice",
            ),
            why => why,
        };
        why.map_or(Ok(()), |why| Err(Refusal::new(Code::History, why)))
    }

    /// A peer comes with whom there is a session already, or who is being dialled.
    fn meet_again(&mut self, vat: VatId, g: &Greeting, theirs: Option<Extends>, home: &mut dyn Home) -> Result<VatId, Refusal> {
        let crossed = || Refusal::new(Code::Crossed, "the other connection is kept");
        let Some(s) = self.sessions.get(&vat) else { return self.welcome(g, home) };
        let Some(line) = &s.line else { return Err(Fault::Unexpected.into()) };
        let same = s.live.as_ref().is_some_and(|live| live.peer_key == g.key);
        if same && dial_of(g) <= line.peer_dial {
            // the peer dialled before it spoke on the connection that was taken last: what it says here is old
            return Err(crossed());
        }
        let again = s.live.is_some() && !(same && s.is_durable());
        if again {
            if let Some(id) = &g.session {
                return Err(self.not_known(g, id));
            }
            if s.is_durable() && (theirs == Some(Extends::Unknown) || g.history.is_none()) {
                let text = "the other host begins anew and does not show that its history goes on: `drses peer forget` lets it";
                return Err(Refusal::new(Code::History, text));
            }
        } else {
            self.fits(vat, g)?;
        }
        let pending = self.conns.values().find(|c| c.session == Some(vat) && !c.live).map(|c| c.open.conn);
        match (s.conn, pending) {
            // it is older than the peer's dial: the peer has lost it
            (Some(old), _) => self.let_go(old),
            (None, Some(old)) => {
                let own = line.keys.as_ref().map(|k| k.id);
                if !again && own > Some(keys::public_id(&g.key)) {
                    return Err(crossed());
                }
                self.let_go(old);
            }
            (None, None) => {}
        }
        if again {
            let why = match theirs {
                Some(Extends::Anew) => "the peer was restored from a backup, as a new history",
                _ => "the peer has begun a new session",
            };
            self.note(Some(vat), None, format!("{why} ({})", g.here));
            self.end_session(vat, why.to_owned());
            return self.welcome(g, home);
        }
        Ok(vat)
    }

    fn welcome(&mut self, g: &Greeting, home: &mut dyn Home) -> Result<VatId, Refusal> {
        if self.sessions.values().filter(|s| s.is_durable()).count() >= MAX_DURABLE {
            return Err(Refusal::new(Code::Hello, "limit: durable sessions of a host (`drses peer forget` makes room)"));
        }
        if self.known.len() >= MAX_KNOWN && !self.known.contains_key(&g.here.key()) {
            return Err(Refusal::new(Code::Hello, "limit: hosts that a host remembers"));
        }
        if g.position != (Position { next: 1, acked: 1 }) {
            let text = "a session that begins has a stream that does not: one of the hosts was restored from a backup";
            return Err(Refusal::new(Code::History, text));
        }
        Ok(self.new_session(&g.here, home))
    }

    /// The session goes over this connection from now on.
    fn join(&mut self, conn: ConnId, vat: VatId, g: Greeting) {
        let Some(mut s) = self.sessions.remove(&vat) else { return };
        let (Some(c), Some(line)) = (self.conns.get_mut(&conn), &mut s.line) else { return };
        let Some(keys) = line.keys.clone() else { return };
        assert!(s.conn.is_none(), "a session is joined to one connection");
        (c.live, c.session, s.conn) = (true, Some(vat), Some(conn));
        (line.attempt, line.dialling, line.away, line.peer_dial) = (0, false, None, dial_of(&g));
        line.stream.attach(g.position);
        // whoever says nothing of how it is reached is reached as before
        if g.here.hints.as_ref().is_some_and(|h| !h.is_empty()) || s.peer.hints.as_ref().is_none_or(|h| h.is_empty()) {
            s.peer = g.here.clone();
        }
        let outgoing = c.open.dialled.is_some();
        let begins = s.live.is_none();
        if begins {
            let durable = self.history.is_some() && g.history.is_some();
            if line.durable && !durable {
                self.forget_rows(&s);
            }
            if let Some(line) = &mut s.line {
                line.durable = durable;
            }
            let peer_id = keys::public_id(&g.key);
            let id = keys::session_id(&keys.id, &peer_id);
            // both sides are drses: nothing is to be found out
            let (dialect, framing) = (Dialect::C, Framing::Raw);
            let (folded, settled) = (Some(true), true);
            let peer_key = g.key;
            s.live = Some(Live { keys, outgoing, peer_key, peer_id, id, dialect, folded, settled, framing, out: Vec::new() });
            self.live.insert(id, vat);
        }
        if s.is_durable() {
            self.remember(g.here.key(), |known| {
                known.seen = g.history.as_ref().map(History::last);
                if begins {
                    known.ended = None;
                }
            });
        }
        self.peers.entry(g.here.key()).or_insert(vat);
        self.out.push(Out::Established { session: vat, conn, peer: s.peer.clone() });
        if begins {
            self.begin(&mut s);
        }
        self.sessions.insert(vat, s);
        self.dirty.insert(vat);
    }

    fn remember(&mut self, key: (String, String), change: impl FnOnce(&mut Known)) {
        let before = self.known.get(&key).cloned().unwrap_or_default();
        let mut after = before.clone();
        change(&mut after);
        if after != before {
            self.known.insert(key, after);
        }
    }

    /// Something comes on a connection that a session is joined to.
    pub(crate) fn line_message(&mut self, s: &mut Session, r: Reader<'_>, home: &mut dyn Home) -> Result<(), Abort> {
        let Some(line) = &mut s.line else { return Err(Fault::Unexpected.into()) };
        let mut ahead = r;
        let number = |r: &mut Reader<'_>| {
            let n = r.natural()?;
            r.end()?;
            if r.is_empty() { Ok(n) } else { Err(Fault::Unexpected) }
        };
        match ahead.record()? {
            ("drses:from", 1) => {
                let n = number(&mut ahead)?;
                let gap = || Abort::new(format!("messages are missing: the next one was to be another than {n}"));
                line.stream.from(n).then_some(()).ok_or_else(gap)
            }
            ("drses:ack", 1) => {
                let n = number(&mut ahead)?;
                let wrong = || Abort::new(format!("all below {n} was acknowledged, and was not sent, or again"));
                line.stream.ack(n).then_some(()).ok_or_else(wrong)
            }
            // it has no number: it is the end
            ("op:abort", 1) => self.message(s, r, home),
            _ => match line.stream.takes() {
                None => Err(Abort::new("a message came before its number".to_owned())),
                Some(false) => Ok(()),
                Some(true) => self.message(s, r, home),
            },
        }
    }

    /// A connection ended by itself.
    pub(crate) fn lost(&mut self, vat: VatId, conn: ConnId, why: String) {
        let Some(s) = self.sessions.get_mut(&vat) else { return };
        if s.conn != Some(conn) {
            return match s.conn {
                // a dial that was not needed after all
                Some(_) => {}
                None => self.came_to_nothing(vat, &why, false),
            };
        }
        s.conn = None;
        if !s.is_durable() {
            return self.end_session(vat, why);
        }
        if let Some(line) = &mut s.line {
            line.away = Some(why);
        }
        self.dirty.insert(vat);
    }

    /// A dial led to nothing, or to a connection without a session. `refused`: nor will the next one, soon.
    pub(crate) fn came_to_nothing(&mut self, vat: VatId, why: &str, refused: bool) {
        let Some(s) = self.sessions.get_mut(&vat) else { return };
        let began = s.live.is_some();
        let Some(line) = &mut s.line else { return };
        line.dialling = false;
        line.attempt = if refused { REFUSED_ATTEMPTS.max(line.attempt) } else { line.attempt.saturating_add(1) };
        line.away = Some(why.to_owned());
        let given_up = refused || !line.durable || line.attempt >= MAX_FIRST_ATTEMPTS;
        self.dirty.insert(vat);
        if given_up && !began {
            let text = format!("{} cannot be reached: {why}", s.peer);
            self.end_session(vat, text);
        }
    }

    /// A connection is not taken: by this side, or by the peer.
    pub(crate) fn refuse(&mut self, conn: ConnId, refusal: Refusal) {
        let Some(mut c) = self.conns.remove(&conn) else { return };
        self.unwritten.remove(&conn);
        if !refusal.by_peer {
            c.out.extend_from_slice(&refusal.to_syrup());
        }
        if !c.out.is_empty() {
            self.out.push(Out::Write { conn, bytes: c.out });
        }
        self.out.push(Out::Close { conn });
        let whom = c.open.authenticated.as_deref().unwrap_or("?").to_owned();
        let who = if refusal.by_peer { "the peer refused" } else { "refused" };
        let text = format!("{who} ({}): {}", whom, refusal.text);
        if refusal.code != Code::Crossed {
            self.note(c.session, Some(conn), text.clone());
        }
        // of a peer that came to us: its session waits for it as before
        let waits = self.peers.get(&(LINE.to_owned(), whom)).copied();
        let Some(vat) = c.session.or(waits.filter(|_| refusal.code == Code::History)) else { return };
        let Some(s) = self.sessions.get_mut(&vat).filter(|s| s.conn.is_none()) else { return };
        if c.session.is_none() {
            if let Some(line) = &mut s.line {
                line.away = Some(text);
            }
            return;
        }
        match refusal.code {
            Code::Ended if refusal.by_peer => {
                let why = format!("the peer ended the session: {}", refusal.text);
                self.end_session(vat, why);
            }
            Code::Crossed => {
                let other = self.conns.values().any(|c| c.session == Some(vat));
                if !other {
                    self.came_to_nothing(vat, &text, false);
                }
            }
            Code::Ended | Code::History | Code::Hello => self.came_to_nothing(vat, &text, true),
        }
    }

    /// The connection is closed, its session is not touched.
    pub(crate) fn let_go(&mut self, conn: ConnId) {
        let Some(c) = self.conns.remove(&conn) else { return };
        self.unwritten.remove(&conn);
        self.out.push(Out::Close { conn });
        if let Some(s) = c.session.and_then(|v| self.sessions.get_mut(&v))
            && s.conn == Some(conn)
        {
            s.conn = None;
        }
    }

    /// The session is no more: its rows go, and a peer that goes on with it will be told.
    pub(crate) fn end_of_line(&mut self, s: &Session, why: &str) {
        if !s.is_durable() {
            return;
        }
        self.forget_rows(s);
        if let Some(live) = &s.live {
            let (id, why) = (live.id, why.to_owned());
            self.remember(s.peer.key(), |known| known.ended = Some((id, why)));
        }
    }

    /// Writes what there is for the session's connection; without one it is dialled.
    pub(crate) fn flush_line(&mut self, vat: VatId, out: &mut Vec<Out>) {
        let Some(s) = self.sessions.get_mut(&vat) else { return };
        if !s.is_durable() {
            s.unnote();
        }
        let business = s.has_business();
        let Some(line) = &mut s.line else { return };
        match s.conn {
            Some(conn) => {
                let mut bytes = Vec::new();
                line.stream.write(&mut bytes);
                if !bytes.is_empty() {
                    out.push(Out::Write { conn, bytes });
                }
            }
            None if business && line.durable && self.online && !line.dialling => {
                if self.conns.values().any(|c| c.session == Some(vat)) {
                    return;
                }
                line.dialling = true;
                line.dials += 1;
                out.push(Out::Dial { session: vat, peer: s.peer.clone(), attempt: line.attempt });
            }
            None => {}
        }
    }
}

/// When the peer dialled last, as it tells it.
fn dial_of(g: &Greeting) -> (u64, u64) {
    (g.history.as_ref().map_or(0, |h| h.number), g.dial)
}
