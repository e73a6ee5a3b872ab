//! Messages, deliveries and what a turn brings.
use crate::{Data, ObjectId, PromiseId, Ref, VatId};

/// A message on its way. Its body is a verb with arguments (see `data`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub target: Target,
    pub body: Data,
    /// The promise that its answer settles; none: nobody wants it.
    pub answer: Option<PromiseId>,
    /// Its number in traces, given by whoever carries it; 0: none.
    pub id: u64,
}

/// Whom a message is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Object(ObjectId),
    Promise(PromiseId),
    /// What a promise became that is no reference: the message is performed on a copy of it.
    Value(Data),
}

/// How a promise is resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    Fulfilled(Data),
    Rejected(Data),
    /// It becomes what the other one becomes.
    Forwarded(PromiseId),
}

/// Limits asked for a vat; 0: as the maker has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of heap.
    pub heap_bytes: u64,
    /// Instructions of one turn.
    pub instructions: u64,
}

/// What a new vat runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The module that modules of the maker's program name by this literal specifier.
    Specifier(String),
    /// The text of a module.
    Text(String),
}

/// What a turn asks of whoever carries it out, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Send(Box<Message>),
    /// A promise that this vat decides is resolved.
    Resolve {
        promise: PromiseId,
        to: Resolution,
    },
    /// This vat wants to hear what the promise becomes.
    Listen(PromiseId),
    /// This vat no longer holds the reference. `recognised`: it would still recognise the object as a weak key.
    Drop {
        what: Ref,
        recognised: bool,
    },
    /// An export that nobody held any longer is no more.
    Retired(u64),
    /// References that a `What::Trace` reached.
    Reached(Vec<Ref>),
    /// `timer.now()`
    Now {
        answer: PromiseId,
    },
    /// `timer.delay(ms)`
    Delay {
        ms: u64,
        answer: PromiseId,
    },
    /// `random.bytes(n)`
    Random {
        bytes: u32,
        answer: PromiseId,
    },
    /// `net.…(…)`, `names.…(…)`
    Net {
        ask: NetAsk,
        answer: PromiseId,
    },
    /// `vats.make…(…)`
    MakeVat(Box<MakeVat>),
}

/// A vat that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MakeVat {
    pub source: Source,
    pub powers: Data,
    pub limits: Limits,
    pub answer: PromiseId,
}

/// What a vat asks of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetAsk {
    /// A sturdyref for the object.
    Export(Ref),
    /// Likewise with this swissnum.
    ExportAs(Ref, Vec<u8>),
    /// The object that the sturdyref names.
    Import(String),
    /// The sturdyref names nothing from now on.
    Revoke(String),
}

/// Why a turn was aborted: its effects are undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aborted {
    /// A limit that the vat reached: the same delivery would reach it again. Otherwise something outside stopped the turn.
    pub limit: bool,
    pub name: String,
    /// Names the limit, never the amount.
    pub message: String,
}

impl Aborted {
    pub fn text(&self) -> String {
        format!("{}: {}", self.name, self.message)
    }
    pub fn data(&self) -> Data {
        Data::error(&self.name, &self.message)
    }
}

/// A line that a program wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// To stderr.
    pub error: bool,
    pub text: String,
}

/// A place in a source, for the operator: never for a program, never for another host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Empty for a module's own code and functions without a name.
    pub function: String,
    pub file: String,
    pub line: u32,
    pub column: u32,
}

/// An exception and the calls that it left, innermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// `Name: message` or `Uncaught: value`.
    pub text: String,
    pub places: Vec<Place>,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Done,
    /// A value to show (an entry of a REPL).
    Value(String),
    /// An exception that nobody caught; the turn's effects up to there stand.
    Threw(String),
    Aborted(Aborted),
    /// The program exports nothing to start.
    NoStart,
}

/// What a turn brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnOutcome {
    pub ending: Ending,
    pub ops: Vec<Op>,
    /// In the order written; to be released when the turn is durable.
    pub output: Vec<Line>,
    /// Rejections that nobody handled.
    pub unhandled: Vec<String>,
    /// Where the last exceptions that nothing caught came from.
    pub traces: Vec<Trace>,
    /// Instructions it took.
    pub instructions: u64,
    /// Bytes of the vat's heap after it.
    pub heap_bytes: u64,
}

impl Default for TurnOutcome {
    /// A turn that brought nothing.
    fn default() -> TurnOutcome {
        TurnOutcome {
            ending: Ending::Done,
            ops: Vec::new(),
            output: Vec::new(),
            unhandled: Vec::new(),
            traces: Vec::new(),
            instructions: 0,
            heap_bytes: 0,
        }
    }
}

impl TurnOutcome {
    /// A turn that came to nothing.
    pub fn aborted(name: &str, message: &str) -> TurnOutcome {
        let why = Aborted { limit: false, name: name.to_owned(), message: message.to_owned() };
        TurnOutcome { ending: Ending::Aborted(why), ..TurnOutcome::default() }
    }
}

/// What happens to a vat in one turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub what: What,
    /// Exports of the vat that nobody holds any longer; `true`: somebody would still recognise the object.
    pub dropped: Vec<(u64, bool)>,
    /// References of the vat whose objects are no more.
    pub retired: Vec<Ref>,
}

impl From<What> for Delivery {
    fn from(what: What) -> Delivery {
        Delivery { what, dropped: Vec::new(), retired: Vec::new() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A registered program is run, its start called with `powers`.
    Start { program: u64, powers: Data, answer: PromiseId },
    /// Likewise the text of a module.
    StartText { text: String, powers: Data, answer: PromiseId },
    /// A message to an export, or to a copy of data.
    Message(Box<Message>),
    /// What a promise that this vat listens to has become.
    Notify { promise: PromiseId, rejected: bool, value: Data },
    /// All garbage is collected; what became of imports is told.
    Collect,
    /// Which references are reached from the vat's own roots and from these exports? Changes nothing; `Op::Reached` answers.
    Trace { exports: Vec<u64> },
}

impl What {
    /// References in it, with the target.
    pub fn refs(&self) -> (&[Ref], &[Ref], Option<Ref>) {
        match self {
            What::Start { powers, .. } | What::StartText { powers, .. } => (&powers.slots, &[], None),
            What::Message(m) => match &m.target {
                Target::Value(d) => (&m.body.slots, &d.slots, None),
                Target::Object(o) => (&m.body.slots, &[], Some(Ref::Object(*o))),
                Target::Promise(p) => (&m.body.slots, &[], Some(Ref::Promise(*p))),
            },
            What::Notify { value, .. } => (&value.slots, &[], None),
            What::Collect | What::Trace { .. } => (&[], &[], None),
        }
    }
}

/// A vat and one of its turns: numbered from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TurnId {
    pub vat: VatId,
    pub turn: u64,
}
