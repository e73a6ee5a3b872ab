//! What caused what: the last turns, each with the turn that sent what it received.
//!
//! Invariants
//! - bounded: `KEEP` turns are remembered, older ones are forgotten;
//! - nothing depends on it but what the operator is told.
use passable::{TurnId, What};
use std::collections::VecDeque;

/// Turns remembered.
const KEEP: usize = 4096;
/// Links of a chain shown.
const MAX_CHAIN: usize = 16;
/// Bytes kept of a method's name.
const NAME_BYTES: usize = 22;

/// What a turn received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Start,
    /// A message: its form (0 get, 1 method, 2 apply) and the first bytes of the name.
    Message {
        form: u8,
        len: u8,
        name: [u8; NAME_BYTES],
    },
    /// A promise became something.
    Resolution {
        rejected: bool,
    },
    Collection,
    /// Bytes of a peer, to a session.
    Peer,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cause::Start => f.write_str("start"),
            Cause::Resolution { rejected: false } => f.write_str("a promise was fulfilled"),
            Cause::Resolution { rejected: true } => f.write_str("a promise was rejected"),
            Cause::Collection => f.write_str("collection"),
            Cause::Peer => f.write_str("the peer"),
            Cause::Message { form: 2 | 3, .. } => f.write_str("a call"),
            Cause::Message { form, len, name } => {
                let text: String = name[..*len as usize].iter().map(|b| *b as char).collect();
                let cut = if *len as usize == NAME_BYTES { "…" } else { "" };
                if *form == 0 { write!(f, "read of {text}{cut}") } else { write!(f, "{text}{cut}()") }
            }
        }
    }
}

fn cause_of(what: &What) -> Cause {
    match what {
        What::Start { .. } | What::StartText { .. } => Cause::Start,
        What::Notify { rejected, .. } => Cause::Resolution { rejected: *rejected },
        What::Collect | What::Trace { .. } => Cause::Collection,
        What::Message(m) => message_cause(m),
    }
}

/// Forms of messages.
const METHOD: u8 = 1;
const CALL: u8 = 3;

/// The method that a message of a peer calls, if what it is sent to has methods: its first argument, a symbol.
fn called(body: &[u8]) -> Option<&[u8]> {
    let mut r = passable::Reader::new(body);
    r.byte().ok()?;
    let arguments = r.count().ok()?;
    match r.item() {
        Ok(passable::Item::Registered(passable::Text::Latin1(name))) if arguments > 0 => Some(name),
        _ => None,
    }
}

fn message_cause(m: &passable::Message) -> Cause {
    let (form, text) = match passable::verb(&m.body.body) {
        (CALL, _) => called(&m.body.body).map_or((CALL, &[][..]), |name| (METHOD, name)),
        verb => verb,
    };
    let (mut name, len) = ([0; NAME_BYTES], text.len().min(NAME_BYTES));
    name[..len].copy_from_slice(&text[..len]);
    Cause::Message { form, len: len as u8, name }
}

/// For people: what a turn received.
pub(crate) fn text_of(what: &What) -> String {
    cause_of(what).to_string()
}
/// For people: a message's verb.
pub(crate) fn verb_of(m: &passable::Message) -> String {
    message_cause(m).to_string()
}

/// A turn, and the turn that sent what it received (vat 0: the host).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnRecord {
    pub id: TurnId,
    pub by: TurnId,
    pub cause: Cause,
}

#[derive(Default)]
pub(crate) struct Causes {
    last: VecDeque<TurnRecord>,
    /// The turn whose outcome is being carried out.
    running: TurnId,
}

impl Causes {
    pub fn begin(&mut self, id: TurnId, by: TurnId, what: &What) {
        self.begin_for(id, by, cause_of(what));
    }
    pub fn begin_for(&mut self, id: TurnId, by: TurnId, cause: Cause) {
        if self.last.len() == KEEP {
            self.last.pop_front();
        }
        self.last.push_back(TurnRecord { id, by, cause });
    }
    pub fn set_running(&mut self, id: TurnId) {
        self.running = id;
    }
    pub fn running(&self) -> TurnId {
        self.running
    }
    /// The turn that sent what this turn received; if that is forgotten: the host.
    pub fn origin(&self, of: TurnId) -> TurnId {
        self.last.iter().rev().find(|r| r.id == of).map_or(TurnId::default(), |r| r.by)
    }
    /// The turns of a vat, oldest first.
    pub fn of(&self, vat: passable::VatId) -> Vec<TurnRecord> {
        self.last.iter().filter(|r| r.id.vat == vat).copied().collect()
    }
    /// A turn and what led to it, as far as it is remembered.
    pub fn chain(&self, from: TurnId) -> Vec<TurnRecord> {
        let mut out = Vec::new();
        let mut at = from;
        while out.len() < MAX_CHAIN
            && let Some(r) = self.last.iter().rev().find(|r| r.id == at)
        {
            out.push(*r);
            at = r.by;
        }
        out
    }
}
