//! What the node tells of what happens, where it is asked to.
//!
//! Invariants
//! - nothing depends on it; without `Config::trace` it costs a test of one flag;
//! - a resolution's number is made of its promise, so that the turn that hears of it can name it without a table.
use crate::{Node, causes};
use passable::{Message, PromiseId, TurnId, VatId, What};
use trace::{Entry, Event, How, Turn};

pub(crate) struct Told {
    on: bool,
    entries: Vec<Entry>,
    next_message: u64,
    /// The turn of the last entry, and its number there.
    last: (TurnId, u32),
}

impl Told {
    pub fn new(on: bool) -> Told {
        Told { on, entries: Vec::new(), next_message: 1, last: (TurnId::default(), 0) }
    }

    fn put(&mut self, id: TurnId, event: Event) {
        // entries of a turn come one after another, but for its beginning
        let number =
            if self.last.0 == id { self.last.1 + 1 } else { !matches!(event, Event::Got { .. } | Event::Began { .. }) as u32 };
        self.last = (id, number);
        self.entries.push(Entry { turn: Turn { vat: id.vat.0, number: id.turn }, number, event });
    }

    pub fn began(&mut self, id: TurnId, what: &What) {
        if !self.on {
            return;
        }
        let text = causes::text_of(what);
        let event = match what {
            What::Message(m) => Event::Got { message: m.id, text },
            What::Notify { promise, .. } => Event::Began { message: of_promise(*promise), text },
            _ => Event::Began { message: 0, text },
        };
        self.put(id, event);
    }

    pub fn sent(&mut self, id: TurnId, m: &mut Message) {
        if !self.on {
            return;
        }
        m.id = self.next_message;
        self.next_message += 1;
        let text = causes::verb_of(m);
        self.put(id, Event::Sent { message: m.id, text, answer: m.answer.map(|p| (p.vat.0, p.n)) });
    }

    pub fn resolved(&mut self, id: TurnId, p: PromiseId, how: How) {
        if self.on {
            self.put(id, Event::Resolved { message: of_promise(p), promise: (p.vat.0, p.n), how });
        }
    }

    pub fn aborted(&mut self, id: TurnId, text: String) {
        if self.on {
            self.put(id, Event::Aborted { text });
        }
    }

    pub fn problem(&mut self, id: TurnId, text: &str) {
        if self.on {
            self.put(id, Event::Problem { text: text.to_owned() });
        }
    }

    pub fn made(&mut self, id: TurnId, vat: VatId, name: String) {
        if self.on {
            self.put(id, Event::Made { vat: vat.0, name });
        }
    }
}

/// A number for what the listeners of a promise get: far above those of messages.
fn of_promise(p: PromiseId) -> u64 {
    1 << 63 | (p.vat.0 as u64) << 40 | (p.n & ((1 << 40) - 1))
}

impl Node {
    /// Something happened since the last `take_trace`.
    pub fn has_trace(&self) -> bool {
        !self.told.entries.is_empty()
    }

    /// What happened since the last call, in order.
    pub fn take_trace(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.told.entries)
    }
}
