//! What the node tells of what happens, where it is asked to.
//!
//! Invariants
//! - nothing depends on it; without `Config::trace` it costs a test of one flag;
//! - a resolution's number is made of its promise, so that the turn that hears of it can name it without a table.
use crate::{Node, causes};
use ocapn::{Captp, Led};
use passable::{Message, PromiseId, TurnId, VatId, What};
use trace::{Entry, Event, How, Turn, Wire};

pub(crate) struct Told {
    on: bool,
    entries: Vec<Entry>,
    next_message: u64,
    /// The turn of the last entry, and its number there.
    last: (TurnId, u32),
    /// Turns of sessions that are no deliveries.
    own_turns: u64,
    /// A turn that is shown under another number: a session takes several messages of its peer in one.
    shown_as: Option<(TurnId, TurnId)>,
}

/// Numbers of turns that only a trace knows begin here.
const OWN_TURNS: u64 = 1 << 48;

impl Told {
    pub fn new(on: bool) -> Told {
        Told { on, entries: Vec::new(), next_message: 1, last: (TurnId::default(), 0), own_turns: 0, shown_as: None }
    }

    fn put(&mut self, id: TurnId, event: Event) {
        let id = self.shown_as.filter(|s| s.0 == id).map_or(id, |s| s.1);
        // entries of a turn come one after another, but for its beginning
        let number = if self.last.0 == id {
            self.last.1 + 1
        } else {
            !matches!(event, Event::Got { .. } | Event::WireGot { .. } | Event::Began { .. }) as u32
        };
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
            What::Notify { promise, .. } => Event::Began { message: trace::of_promise(promise.vat.0, promise.n), text },
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
            self.put(id, Event::Resolved { message: trace::of_promise(p.vat.0, p.n), promise: (p.vat.0, p.n), how });
        }
    }

    /// Messages to another host, written in the turn `id` if what led to them is what that turn began with (`cause`).
    fn wrote(&mut self, session: VatId, id: Option<(TurnId, u64)>, sent: Vec<(Wire, Led, String)>) {
        let mut last = None;
        for (wire, led, text) in sent {
            let turn = match (led, id) {
                (Led::Here(m), Some((id, cause))) if m == cause => id,
                _ if last.is_some_and(|(l, _)| l == led) => last.map_or(TurnId::default(), |l| l.1),
                _ => {
                    self.own_turns += 1;
                    let id = TurnId { vat: session, turn: OWN_TURNS + self.own_turns };
                    self.put(
                        id,
                        match led {
                            Led::Here(message) => Event::Got { message, text: "it could be sent".to_owned() },
                            Led::Peer(wire) => Event::WireGot { wire },
                            Led::Nothing => Event::Began { message: 0, text: "what is given back".to_owned() },
                        },
                    );
                    id
                }
            };
            last = Some((led, turn));
            self.put(turn, Event::WireSent { wire, text });
        }
    }

    /// What the session does from here on in the turn `id` comes of this message of the peer.
    fn heard(&mut self, id: TurnId, wire: Wire) {
        self.own_turns += 1;
        self.shown_as = Some((id, TurnId { vat: id.vat, turn: OWN_TURNS + self.own_turns }));
        self.put(id, Event::WireGot { wire });
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

/// What a delivery is called in traces.
pub(crate) fn cause_of(what: &What) -> u64 {
    match what {
        What::Message(m) => m.id,
        What::Notify { promise, .. } => trace::of_promise(promise.vat.0, promise.n),
        _ => 0,
    }
}

impl Node {
    /// A machine of sessions, which notes what it says if that is told.
    pub(crate) fn new_captp(&self) -> Box<Captp> {
        let mut captp = Box::<Captp>::default();
        if self.told.on {
            captp.trace();
        }
        captp
    }

    /// The session wrote messages; `turn`: the turn that the delivery `cause` began.
    pub(crate) fn tell_sent(&mut self, session: VatId, turn: Option<(TurnId, u64)>) {
        if self.told.on
            && let Some(captp) = &mut self.peers.captp
        {
            let sent = captp.take_sent(session);
            self.told.wrote(session, turn, sent);
        }
    }

    /// What sessions wrote and heard besides.
    pub(crate) fn tell_rest(&mut self) {
        if !self.told.on {
            return;
        }
        for session in self.sessions().collect::<Vec<_>>() {
            for (wire, _) in self.got(session) {
                self.told.heard(TurnId { vat: session, turn: 0 }, wire);
                self.told.shown_as = None;
            }
            self.tell_sent(session, None);
        }
    }

    /// Messages of the peer that ops of the session came of: how many ops stand before each.
    pub(crate) fn got(&mut self, session: VatId) -> std::collections::VecDeque<(Wire, usize)> {
        match &mut self.peers.captp {
            Some(captp) if self.told.on => captp.take_got(session).into(),
            _ => Default::default(),
        }
    }

    pub(crate) fn tell_got(&mut self, id: TurnId, wire: Wire) {
        self.told.heard(id, wire);
    }
    pub(crate) fn told_got(&mut self) {
        self.told.shown_as = None;
    }

    /// Something happened since the last `take_trace`.
    pub fn has_trace(&self) -> bool {
        !self.told.entries.is_empty()
    }

    /// What happened since the last call, in order.
    pub fn take_trace(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.told.entries)
    }
}
