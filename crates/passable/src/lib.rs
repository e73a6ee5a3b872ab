#![forbid(unsafe_code)]
//! What may cross a vat's edge: names of objects and promises, copied data, messages, deliveries, outcomes of turns.
//!
//! In and out: plain Rust data, nothing that points into a heap.
//!
//! Invariants
//! - a `Data` is whole by itself: its bytes name references by their index in `slots`, so that whoever carries it can see
//!   all it refers to without reading the bytes;
//! - an id is given out once by the vat it names and never again;
//! - reading bytes never fails but with an error: they may come from a damaged heap.
//!
//! Must never know: engine types, clocks, disks, sockets.
mod body;
pub mod codec;
mod data;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
pub mod marshal;
pub mod syrup;
pub mod turn;

pub use body::Body;
pub use data::{Bad, Item, MAX_DEPTH, Reader, Text, Writer, verb};
pub use turn::*;

/// A vat of this host; 0 is the host itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VatId(pub u32);

/// The host, as the one who decides promises of powers and holds what a program's start returned.
pub const HOST: VatId = VatId(0);

/// An object: the vat where it lives and its number among that vat's exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    pub vat: VatId,
    pub n: u64,
}

/// A promise: the vat that named it first, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PromiseId {
    pub vat: VatId,
    pub n: u64,
}

/// Ids are whole numbers up to here: they are kept in heaps as numbers.
pub const MAX_ID: u64 = (1 << 53) - 1;

/// A power that the host serves. Each vat that holds one has an object of its own for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Power {
    Console = 0,
    Timer = 1,
    Vats = 2,
    Random = 3,
    Net = 4,
    /// To choose swissnums: only where the operator allows it.
    Names = 5,
}

impl Power {
    pub const ALL: [Power; 6] = [Power::Console, Power::Timer, Power::Vats, Power::Random, Power::Net, Power::Names];
    /// What a program gets unless the operator says otherwise.
    pub const USUAL: [Power; 5] = [Power::Console, Power::Timer, Power::Vats, Power::Random, Power::Net];

    /// As property of `powers`.
    pub fn name(self) -> &'static str {
        match self {
            Power::Console => "console",
            Power::Timer => "timer",
            Power::Vats => "vats",
            Power::Random => "random",
            Power::Net => "net",
            Power::Names => "names",
        }
    }
    pub fn from_number(n: u64) -> Option<Power> {
        Power::ALL.get(usize::try_from(n).ok()?).copied()
    }
}

/// What is passed by reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ref {
    Object(ObjectId),
    Promise(PromiseId),
    Power(Power),
}

/// Copied data with the references in it: one value, or a message's verb and arguments (see `data`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    pub body: Body,
    pub slots: Vec<Ref>,
}

impl Data {
    pub fn undefined() -> Data {
        let mut w = Writer::new();
        w.undefined();
        w.done()
    }
    pub fn string(s: &str) -> Data {
        let mut w = Writer::new();
        w.string(s);
        w.done()
    }
    pub fn number(n: f64) -> Data {
        let mut w = Writer::new();
        w.number(n);
        w.done()
    }
    pub fn reference(r: Ref) -> Data {
        let mut w = Writer::new();
        w.reference(r);
        w.done()
    }
    /// An error as it crosses edges.
    pub fn error(name: &str, message: &str) -> Data {
        let mut w = Writer::new();
        w.error();
        w.string(name);
        w.string(message);
        w.done()
    }
    /// The reference that this is, if it is nothing else.
    pub fn as_reference(&self) -> Option<Ref> {
        let mut r = Reader::new(&self.body);
        match r.item() {
            Ok(Item::Slot(i)) if r.is_empty() => self.slots.get(i).copied(),
            _ => None,
        }
    }
    /// For the operator: `Name: message` of an error, else a short rendering. Never shows more than `MAX_SHOWN` characters.
    pub fn describe(&self) -> String {
        data::describe(&self.body)
    }
    /// Bytes it takes, about.
    pub fn size(&self) -> u64 {
        (self.body.len() + self.slots.len() * size_of::<Ref>()) as u64
    }
}
