//! Which message of the wire came of what, for traces.
//!
//! Invariants
//! - nothing depends on it; where nobody traces nothing is kept;
//! - both sides of a session count the messages of each direction alike, hellos and aborts aside; where a stream numbers them, by its
//!   numbers, which outlive both processes.
use crate::session::Session;
use crate::{Captp, Hash};
use passable::{VatId, What};
use trace::Wire;

/// A cause that is a message of the peer: its number has this bit.
const FROM_PEER: u64 = 1 << 62;

/// What a session's messages came of.
#[derive(Debug, Default)]
pub(crate) struct WireLog {
    on: bool,
    /// What is being worked on.
    cause: u64,
    sent: Vec<(u64, u64, String)>,
    /// Messages of the peer, and how many ops there were before each.
    got: Vec<(u64, usize)>,
}

/// What led to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Led {
    /// Nothing that has a name.
    Nothing,
    /// A message or a resolution of this host, by its number in traces.
    Here(u64),
    /// A message of the peer.
    Peer(Wire),
}

impl WireLog {
    pub fn new(on: bool) -> WireLog {
        WireLog { on, ..WireLog::default() }
    }
    pub fn performs(&mut self, what: &What) {
        self.cause = match what {
            What::Message(m) => m.id,
            What::Notify { promise, .. } => trace::of_promise(promise.vat.0, promise.n),
            _ => 0,
        };
    }
    pub fn reads(&mut self, number: u64, ops: usize) {
        self.cause = FROM_PEER | number;
        if self.on {
            self.got.push((number, ops));
        }
    }
    pub fn over(&mut self) {
        self.cause = 0;
    }
    pub fn writes(&mut self, number: u64, message: &[u8]) {
        if self.on {
            self.sent.push((number, self.cause, label(message)));
        }
    }
}

/// The label of a record: what stands between its length and its end.
fn label(message: &[u8]) -> String {
    let digits = message.iter().skip(1).take_while(|b| b.is_ascii_digit()).count();
    let length = message[1..1 + digits].iter().fold(0usize, |n, d| n * 10 + usize::from(d - b'0'));
    let text = message.get(digits + 2..digits + 2 + length).unwrap_or(&[]);
    String::from_utf8_lossy(text).into_owned()
}

fn name(id: &Hash) -> [u8; 8] {
    std::array::from_fn(|i| id[i])
}

impl Session {
    /// A message that this side has sent, or the other.
    fn wire(&self, ours: bool, number: u64) -> Option<Wire> {
        let live = self.live.as_ref()?;
        Some(Wire { session: name(&live.id), from_lower: (live.keys.id < live.peer_id) == ours, number })
    }
}

impl Captp {
    /// What is said and heard is noted from now on, for `take_sent` and `take_got`.
    pub fn trace(&mut self) {
        self.tracing = true;
        self.sessions.values_mut().for_each(|s| s.wire_log.on = true);
    }
    /// Messages that the session has written since the last time, with what led to each and the name of its operation.
    pub fn take_sent(&mut self, session: VatId) -> Vec<(Wire, Led, String)> {
        let Some(s) = self.sessions.get_mut(&session) else { return Vec::new() };
        let sent = std::mem::take(&mut s.wire_log.sent);
        let of = |(number, cause, label): (u64, u64, String)| {
            let led = match cause {
                0 => Led::Nothing,
                c if c >> 62 == 1 => Led::Peer(s.wire(false, c & !FROM_PEER)?),
                c => Led::Here(c),
            };
            Some((s.wire(true, number)?, led, label))
        };
        sent.into_iter().filter_map(of).collect()
    }
    /// Messages of the peer that the ops just given came of: each with how many of the ops stand before those of the message.
    pub fn take_got(&mut self, session: VatId) -> Vec<(Wire, usize)> {
        let Some(s) = self.sessions.get_mut(&session) else { return Vec::new() };
        let got = std::mem::take(&mut s.wire_log.got);
        got.into_iter().filter_map(|(number, ops)| Some((s.wire(false, number)?, ops))).collect()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_operation_is_named_by_its_label() {
        assert_eq!(super::label(b"<10'op:deliver[]>"), "op:deliver");
        assert_eq!(super::label(b"<"), "");
    }
}
