//! The stream of messages of a session that may outlive its connections.
//!
//! In: whole messages, what the peer acknowledged. Out: what is to be written on the connection that the session has now.
//!
//! ```text
//! numbers of ours     1 … base … written … next_out      base and above: not acknowledged, kept
//! numbers of theirs   1 … next_in                        below: taken
//! ```
//! On a connection, after the hellos, each side writes `<drses:from n>`, then its messages n, n+1, … as they are, and between messages
//! `<drses:ack n>`: all below n were taken, and what they did is durable.
//!
//! Invariants
//! - a message is kept until it is acknowledged, and written again on each new connection until then;
//! - a message is taken once: what comes again is passed over, a gap ends the session;
//! - what is written and not acknowledged is bounded by `WINDOW_BYTES` and one message; what is kept by `MAX_UNACKED_MESSAGES` and
//!   `MAX_UNACKED_BYTES`: above, new messages of this host are rejected, what the session itself has to say is kept.
//!
//! Must never know: what messages say, sockets, clocks. That what is written leaves once it is durable is for whoever writes it.
use crate::keys::Keys;
use crate::table::Table;
use passable::syrup::Writer;

/// Messages that a peer has not acknowledged, at most.
pub const MAX_UNACKED_MESSAGES: usize = 100_000;
/// Bytes of messages that a peer has not acknowledged, at most.
pub const MAX_UNACKED_BYTES: u64 = 64 << 20;
/// Bytes that are under way on a connection before an acknowledgement is waited for.
const WINDOW_BYTES: u64 = 8 << 20;

/// Where a peer says a stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The number of the first message that it has not taken.
    pub next: u64,
    /// The number of its first message that it does not know to be acknowledged.
    pub acked: u64,
}

/// See the head.
#[derive(Debug)]
pub(crate) struct Stream {
    next_out: u64,
    unacked: Table<u64, Vec<u8>>,
    unacked_bytes: u64,
    next_in: u64,
    /// What `next_out` was when the store was opened.
    at_opening: u64,
    /// Of the connection: the number of the next message to be written on it, and the bytes that are under way.
    written: u64,
    under_way: u64,
    /// `drses:from` is to be written.
    begins: bool,
    /// What was acknowledged on it.
    told: u64,
    /// What comes again: messages to be passed over. None: the peer has not said `drses:from`.
    again: Option<u64>,
}

/// Of a session whose netlayer is spoken by drses hosts alone: its stream, and how its next connection comes about.
#[derive(Debug)]
pub(crate) struct Line {
    pub stream: Stream,
    /// Of this side, the same on all connections of the session; drawn with the first of them.
    pub keys: Option<Keys>,
    /// The session stays when its connection ends, and is stored. Before the peer has said hello: if this host is durable.
    pub durable: bool,
    /// A dial was asked for, and has not come to a connection or to nothing.
    pub dialling: bool,
    /// Dials that came to nothing one after another.
    pub attempt: u32,
    /// Dials in this process.
    pub dials: u64,
    /// The number of the peer's opening, and its count of dials, as told on the connection that was taken last.
    pub peer_dial: (u64, u64),
    /// Why the peer is away.
    pub away: Option<String>,
    /// Rows as they stand in the store: what seldom changes, and counters.
    pub head: Vec<u8>,
    pub counters: Vec<u8>,
}

impl Line {
    pub fn new(durable: bool) -> Line {
        Line {
            stream: Stream::default(),
            keys: None,
            durable,
            dialling: false,
            attempt: 0,
            dials: 0,
            peer_dial: (0, 0),
            away: None,
            head: Vec::new(),
            counters: Vec::new(),
        }
    }
}

impl Default for Stream {
    fn default() -> Stream {
        Stream {
            next_out: 1,
            unacked: Table::default(),
            unacked_bytes: 0,
            next_in: 1,
            at_opening: 1,
            written: 1,
            under_way: 0,
            begins: false,
            told: 1,
            again: None,
        }
    }
}

impl Stream {
    fn base(&self) -> u64 {
        self.next_out - self.unacked.len() as u64
    }
    pub fn position(&self) -> Position {
        Position { next: self.next_in, acked: self.base() }
    }
    /// The number of the next message of this side.
    pub fn next_out(&self) -> u64 {
        self.next_out
    }
    /// Messages from this number on were sent since the store was opened.
    pub fn at_opening(&self) -> u64 {
        self.at_opening
    }
    /// Messages that were not acknowledged, and their bytes.
    pub fn unacked(&self) -> (usize, u64) {
        (self.unacked.len(), self.unacked_bytes)
    }
    /// A new message of this host is to be rejected.
    pub fn is_full(&self) -> bool {
        self.unacked.len() >= MAX_UNACKED_MESSAGES || self.unacked_bytes >= MAX_UNACKED_BYTES
    }

    pub fn push(&mut self, message: Vec<u8>) {
        self.unacked_bytes += message.len() as u64;
        self.unacked.insert(self.next_out, message);
        self.next_out += 1;
        assert_eq!(self.unacked.first_key_value().map(|f| *f.0), Some(self.base()), "what is kept has no gaps");
    }

    /// Why the stream cannot go on where the peer says it stands: one of the two has lost something.
    pub fn misfit(&self, peer: Position) -> Option<&'static str> {
        if peer.next < self.base() {
            return Some("the peer has lost messages that it had acknowledged: it was restored from a backup");
        }
        if peer.next > self.next_out || peer.acked > self.next_in {
            return Some("this host has lost messages that it had sent or acknowledged: it was restored from a backup");
        }
        None
    }

    /// The stream goes over a new connection; `misfit` said nothing.
    pub fn attach(&mut self, peer: Position) {
        assert!(self.misfit(peer).is_none(), "positions are compared before");
        self.acknowledged(peer.next);
        (self.written, self.under_way, self.begins) = (peer.next, 0, true);
        // the hello has told it
        self.told = self.next_in;
        self.again = None;
    }

    fn acknowledged(&mut self, next: u64) {
        while self.base() < next {
            let Some((n, message)) = self.unacked.pop_first() else { return };
            self.unacked_bytes -= message.len() as u64;
            if n < self.written {
                self.under_way = self.under_way.saturating_sub(message.len() as u64);
            }
        }
    }

    /// `<drses:ack next>`. False: it acknowledges what was not written.
    pub fn ack(&mut self, next: u64) -> bool {
        let fine = next <= self.written && next >= self.base();
        if fine {
            self.acknowledged(next);
        }
        fine
    }

    /// `<drses:from n>`. False: there is a gap, or it comes twice.
    pub fn from(&mut self, n: u64) -> bool {
        let fine = self.again.is_none() && n <= self.next_in && n > 0;
        if fine {
            self.again = Some(self.next_in - n);
        }
        fine
    }

    /// A message came. None: before `drses:from`; false: it was taken before.
    pub fn takes(&mut self) -> Option<bool> {
        let again = self.again.as_mut()?;
        if *again > 0 {
            *again -= 1;
            return Some(false);
        }
        self.next_in += 1;
        Some(true)
    }

    /// What is to be written on the connection now.
    pub fn write(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.begins) {
            number("drses:from", self.written, out);
        }
        while self.under_way < WINDOW_BYTES {
            let Some(message) = self.unacked.get(&self.written) else { break };
            out.extend_from_slice(message);
            self.under_way += message.len() as u64;
            self.written += 1;
        }
        if self.told < self.next_in {
            self.told = self.next_in;
            number("drses:ack", self.next_in, out);
        }
    }

    // ---- stored ----

    pub fn restored(next_out: u64, next_in: u64) -> Stream {
        Stream { next_out, next_in, at_opening: next_out, told: next_in, ..Stream::default() }
    }
    /// A message that was not acknowledged.
    pub fn restored_message(&mut self, n: u64, message: Vec<u8>) {
        self.unacked_bytes += message.len() as u64;
        self.unacked.restored(n, message);
    }
    /// The messages that are kept are those with the last numbers.
    pub fn is_sound(&self) -> bool {
        if self.next_out == 0 || self.next_in == 0 || self.next_out.max(self.next_in) > passable::MAX_ID {
            return false;
        }
        let n = self.unacked.len() as u64;
        let last = self.unacked.last_key_value().map_or(self.next_out - 1, |m| *m.0);
        let first = self.unacked.first_key_value().map_or(self.next_out, |m| *m.0);
        n < self.next_out && last == self.next_out - 1 && first == self.next_out - n
    }
    pub fn kept(&mut self) -> &mut Table<u64, Vec<u8>> {
        &mut self.unacked
    }
    pub fn kept_keys(&self) -> &Table<u64, Vec<u8>> {
        &self.unacked
    }
}

fn number(label: &str, n: u64, out: &mut Vec<u8>) {
    let mut w = Writer::new();
    w.record(label);
    w.natural(n);
    w.end();
    out.extend_from_slice(&w.done());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(s: &mut Stream) -> String {
        let mut out = Vec::new();
        s.write(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn what_is_not_acknowledged_is_written_again() {
        let mut s = Stream::default();
        s.attach(Position { next: 1, acked: 1 });
        for m in ["<1'a>", "<1'b>", "<1'c>"] {
            s.push(m.as_bytes().to_vec());
        }
        assert_eq!(written(&mut s), "<10'drses:from1+><1'a><1'b><1'c>");
        assert!(s.ack(2) && !s.ack(5) && !s.ack(1));
        assert_eq!((written(&mut s), s.unacked()), (String::new(), (2, 10)));
        // a new connection: the peer has taken the second
        s.attach(Position { next: 3, acked: 1 });
        assert_eq!(written(&mut s), "<10'drses:from3+><1'c>");
        assert!(s.ack(4));
        assert_eq!(s.unacked(), (0, 0));
    }

    #[test]
    fn what_comes_again_is_passed_over_and_a_gap_is_noticed() {
        let mut s = Stream::default();
        s.attach(Position { next: 1, acked: 1 });
        assert_eq!(s.takes(), None);
        assert!(s.from(1) && !s.from(1));
        assert_eq!((s.takes(), s.takes()), (Some(true), Some(true)));
        written(&mut s);
        s.attach(Position { next: 1, acked: 3 });
        assert!(!s.from(4) && s.from(2));
        assert_eq!((s.takes(), s.takes()), (Some(false), Some(true)));
        assert_eq!(written(&mut s), "<10'drses:from1+><9'drses:ack4+>");
    }

    #[test]
    fn positions_that_cannot_be_are_noticed() {
        let mut s = Stream::default();
        s.attach(Position { next: 1, acked: 1 });
        (0..5).for_each(|_| s.push(b"<1'a>".to_vec()));
        written(&mut s);
        assert!(s.ack(4));
        for (next, acked, fine) in [(4, 1, true), (6, 1, true), (3, 1, false), (7, 1, false), (4, 2, false)] {
            assert_eq!(s.misfit(Position { next, acked }).is_none(), fine, "{next} {acked}");
        }
    }

    #[test]
    fn what_is_under_way_is_bounded() {
        let mut s = Stream::default();
        s.attach(Position { next: 1, acked: 1 });
        (0..20).for_each(|_| s.push(vec![b'x'; 1 << 20]));
        let mut out = Vec::new();
        s.write(&mut out);
        let first = out.len() >> 20;
        assert_eq!(first, 8);
        assert!(s.ack(4));
        out.clear();
        s.write(&mut out);
        assert_eq!(out.len() >> 20, 3);
        assert!(!s.is_full());
        (0..50).for_each(|_| s.push(vec![b'x'; 1 << 20]));
        assert!(s.is_full());
    }
}
