//! Syrup: the encoding of OCapN. Canonical bytes only, read without recursion and without copies.
//!
//! ```text
//! value   = t | f                                 booleans
//!         | digits + | digits -                   integer; zero is 0+, no leading zeros
//!         | D 8 bytes                             double, big-endian; one NaN
//!         | length : bytes | length " UTF-8 | length ' UTF-8      bytes, string, symbol; the length in decimal
//!         | [ value* ] | < label value* >         list, record
//!         | { (key value)* } | # value* $         dict, set; keys and items in the order of their bytes, none twice
//! ```
//! Endo orders the keys of records by their texts instead; dicts in that order are read too.
//!
//! In: bytes, in any pieces (`Scan`), then the tokens of a whole value (`Reader`). Out: bytes (`Writer`).
//!
//! Invariants
//! - whatever the bytes: `Scan` says a value is whole, or wants more, or names the fault; each byte is looked at a bounded number
//!   of times, and nothing is kept but a stack as deep as `Limits::depth` and a number for each container;
//! - what `Scan` has found whole has one encoding but for the order of keys: a signature is checked over the bytes as they came.
//!
//! Must never know: what the values mean.
pub mod integer;
mod read;
mod scan;
mod write;

pub use read::{Reader, Token};
pub use scan::Scan;
pub use write::Writer;

/// How much is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a whole value.
    pub bytes: usize,
    /// Containers within each other.
    pub depth: usize,
    /// Digits of an integer.
    pub digits: usize,
}

/// Digits of a length: as many as a number of bytes in memory has.
const MAX_LENGTH_DIGITS: usize = 15;

/// Why bytes are no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A byte that begins or ends nothing here.
    Byte(u8),
    TooLong,
    TooDeep,
    TooManyDigits,
    LeadingZero,
    MinusZero,
    /// Not UTF-8.
    Text,
    /// A NaN that is not the one.
    NaN,
    /// Dict keys or set items not in order, or one twice.
    Order,
    /// A dict with a key that has no value, or a record without a label.
    Odd,
    /// Not what should stand here.
    Unexpected,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Byte(b) => write!(f, "an unexpected byte 0x{b:02x}"),
            Fault::TooLong => f.write_str("too many bytes"),
            Fault::TooDeep => f.write_str("nested too deeply"),
            Fault::TooManyDigits => f.write_str("too many digits"),
            Fault::LeadingZero => f.write_str("a number with a leading zero"),
            Fault::MinusZero => f.write_str("an integer 0-"),
            Fault::Text => f.write_str("text that is not UTF-8"),
            Fault::NaN => f.write_str("a NaN that is not canonical"),
            Fault::Order => f.write_str("keys that are not in order"),
            Fault::Odd => f.write_str("a container that lacks a part"),
            Fault::Unexpected => f.write_str("a value of another kind than belongs there"),
        }
    }
}
impl std::error::Error for Fault {}

/// The only NaN.
pub(crate) const NAN_BITS: u64 = 0x7ff8_0000_0000_0000;

#[cfg(test)]
mod tests;
