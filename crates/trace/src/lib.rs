#![forbid(unsafe_code)]
//! What happened: a closed list of events with causal ids, and how they are written.
//!
//! In: events, from whoever carries turns out. Out: lines of JSON that a causality debugger can load.
//!
//! Invariants
//! - one event, one line; an event names the turn in which it happened and its number within that turn;
//! - a message has one number from its sending to its receipt, so that a `Got` leads to its `Sent`;
//! - a message between hosts has one name on both sides, which no other message has: that of the session, a direction, a number;
//! - of one process's entries all other names begin with the process's, so that traces of several can be put together;
//! - no reference, text of a program or argument is shown: only names of methods, of vats, and errors as the operator sees them.
//!
//! The form follows Causeway's (Stanley, Close, Miller, HP Labs 2009): `class` ends in `org.ref_send.log.Event`, `anchor` is
//! `{ number, turn: { loop, number } }`.
//!
//! Must never know: engines, clocks (a timestamp is given by the writer's caller).
mod json;
mod merge;
mod perfetto;

pub use json::{line, micros};
pub use merge::{Merged, Record, merge};
pub use perfetto::perfetto;

/// A vat and one of its turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    pub vat: u32,
    pub number: u64,
}

/// A message on a connection between hosts, named the same by both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    /// The first bytes of the session's name, which both sides compute from their keys.
    pub session: [u8; 8],
    /// The sender is the side whose key has the lower name.
    pub from_lower: bool,
    /// Messages that its side has sent before it on this session, and this one.
    pub number: u64,
}

/// The number under which those who wait for a promise hear of it: far above those of messages.
pub fn of_promise(vat: u32, n: u64) -> u64 {
    1 << 63 | u64::from(vat) << 40 | (n & ((1 << 40) - 1))
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A message was sent; `text` names its verb, `answer` the promise of its answer (vat and number).
    Sent { message: u64, text: String, answer: Option<(u32, u64)> },
    /// A turn began with a message.
    Got { message: u64, text: String },
    /// A message left for another host; `text` names its operation.
    WireSent { wire: Wire, text: String },
    /// A turn of a session began with a message of another host.
    WireGot { wire: Wire },
    /// A turn began with something else: a start, a resolution, a collection. `message` names the resolution's event.
    Began { message: u64, text: String },
    /// A promise was resolved; those who wait for it get `message`.
    Resolved { message: u64, promise: (u32, u64), how: How },
    /// The turn was undone.
    Aborted { text: String },
    /// An error that nobody handled.
    Problem { text: String },
    /// A vat was made.
    Made { vat: u32, name: String },
}

/// How a promise was resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Fulfilled,
    Rejected,
    /// To another promise.
    Forwarded,
}

/// An event with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub turn: Turn,
    /// Number within the turn, from 0.
    pub number: u32,
    pub event: Event,
}
