//! The kinds of objects of a vat's heap, and where their words lie.
//!
//! Every kind is one row of `KINDS`; the numbers are a durable format: append-only. Word 0 is the header
//! (`kind, flags, n, x`); words are 8 bytes.
//!
//! ```text
//! RECORD, ERROR, ARGS  x shape; n inline slots from word 1 on. Once the shape has more than n properties the last
//!                   inline slot holds the overflow slots (an ELEMS).
//! ARR     x shape; 1 elements (ELEMS), 2 length (a number value)
//! all other objects: x shape; 1 overflow slots (ELEMS or undefined), then:
//! FN      2 unit number | offset of the function's header words << 32; 3 … captures
//! NATIVE  2 builtin number (int); 3 … data
//! BOUND   2 target, 3 this, 4 arguments (ELEMS)
//! MAP/SET 2 table;  WEAKMAP/WEAKSET 2 table
//! PROMISE 2 state (int: 0 pending, 1 fulfilled, 2 rejected, plus flags), 3 result, 4 reactions, 5 handler
//! WRAPPER 2 primitive value
//! ITER    2 target, 3 position, 4 what it yields (int)
//! COMPARTMENT 2 global object, 3 name …
//! PRESENCE 2 handler: an object, or the TUPLE of a reference (see `send`)
//! ```
use cage::layout::{Kind, Kinds, NO_KIND, Size, Trace};

pub const RECORD: u8 = 1;
pub const ARR: u8 = 2;
pub const FN: u8 = 3;
pub const NATIVE: u8 = 4;
pub const BOUND: u8 = 5;
pub const BOX: u8 = 6;
pub const ELEMS: u8 = 7;
pub const STR8: u8 = 8;
pub const STR16: u8 = 9;
pub const ROPE: u8 = 10;
pub const SYMBOL: u8 = 11;
pub const BIGINT: u8 = 12;
pub const SHAPE: u8 = 13;
pub const DESCS: u8 = 14;
pub const WEAKS: u8 = 15;
pub const DICT: u8 = 16;
pub const TABLE: u8 = 17;
pub const MAP: u8 = 18;
pub const SET: u8 = 19;
pub const WEAKMAP: u8 = 20;
pub const WEAKSET: u8 = 21;
pub const ETABLE: u8 = 22;
pub const PROMISE: u8 = 23;
pub const ERROR: u8 = 24;
pub const ENV: u8 = 25;
pub const CORO: u8 = 26;
pub const WRAPPER: u8 = 27;
pub const ITER: u8 = 28;
pub const COMPARTMENT: u8 = 29;
pub const NAMESPACE: u8 = 30;
pub const ROOTS: u8 = 31;
pub const ACCESSOR: u8 = 32;
pub const ARGS: u8 = 33;
/// A plain tuple of values inside the machine (reactions, jobs, queues): x words.
pub const TUPLE: u8 = 34;
pub const PRESENCE: u8 = 35;

const fn k(name: &'static str, size: Size, trace: Trace) -> Kind {
    Kind { name, size, trace }
}

pub static KINDS: Kinds = {
    let mut t = [NO_KIND; 256];
    t[RECORD as usize] = k("object", Size::N, Trace::Shaped(1));
    t[ARR as usize] = k("array", Size::Fixed(2), Trace::Shaped(1));
    t[FN as usize] = k("function", Size::N, Trace::Shaped(1));
    t[NATIVE as usize] = k("builtin function", Size::N, Trace::Shaped(1));
    t[BOUND as usize] = k("bound function", Size::Fixed(4), Trace::Shaped(1));
    t[BOX as usize] = k("box", Size::Fixed(1), Trace::Values(1));
    t[ELEMS as usize] = k("elements", Size::XWordsN, Trace::Values(1));
    t[STR8 as usize] = k("latin-1 string", Size::XBytes, Trace::Raw);
    t[STR16 as usize] = k("utf-16 string", Size::XPairs, Trace::Raw);
    t[ROPE as usize] = k("rope", Size::Fixed(2), Trace::Values(1));
    t[SYMBOL as usize] = k("symbol", Size::Fixed(2), Trace::Values(1));
    t[BIGINT as usize] = k("bigint", Size::XWords, Trace::Raw);
    t[SHAPE as usize] = k("shape", Size::Fixed(4), Trace::Values(1));
    t[DESCS as usize] = k("descriptors", Size::XWords, Trace::Values(1));
    t[WEAKS as usize] = k("weak table", Size::XWords, Trace::Weak(1));
    t[DICT as usize] = k("dictionary", Size::XWords, Trace::Values(1));
    t[TABLE as usize] = k("table", Size::XWords, Trace::Values(1));
    t[MAP as usize] = k("map", Size::Fixed(2), Trace::Shaped(1));
    t[SET as usize] = k("set", Size::Fixed(2), Trace::Shaped(1));
    t[WEAKMAP as usize] = k("weak map", Size::Fixed(2), Trace::Shaped(1));
    t[WEAKSET as usize] = k("weak set", Size::Fixed(2), Trace::Shaped(1));
    t[ETABLE as usize] = k("ephemeron table", Size::XWords, Trace::Ephemerons(3));
    t[PROMISE as usize] = k("promise", Size::Fixed(5), Trace::Shaped(1));
    t[ERROR as usize] = k("error", Size::N, Trace::Shaped(1));
    t[ENV as usize] = k("environment", Size::XWords, Trace::Values(1));
    t[CORO as usize] = k("coroutine", Size::XWords, Trace::Values(1));
    t[WRAPPER as usize] = k("wrapper", Size::Fixed(2), Trace::Shaped(1));
    t[ITER as usize] = k("iterator", Size::Fixed(4), Trace::Shaped(1));
    t[COMPARTMENT as usize] = k("compartment", Size::Fixed(4), Trace::Shaped(1));
    t[NAMESPACE as usize] = k("module namespace", Size::Fixed(4), Trace::Shaped(1));
    t[ROOTS as usize] = k("roots", Size::XWords, Trace::Values(1));
    t[ACCESSOR as usize] = k("accessor", Size::Fixed(2), Trace::Values(1));
    t[ARGS as usize] = k("arguments", Size::N, Trace::Shaped(1));
    t[TUPLE as usize] = k("tuple", Size::XWords, Trace::Values(1));
    t[PRESENCE as usize] = k("presence", Size::Fixed(2), Trace::Shaped(1));
    t
};

// Flags of objects (second byte of the header). `cage::layout::PINNED` is 0x80.
/// No own property can change: not writable, not configurable, none added. Implies NONEXT and SEALED.
pub const FROZEN: u8 = 1;
pub const NONEXT: u8 = 2;
/// `harden` has been here; all it reaches is frozen.
pub const HARDENED: u8 = 4;
/// Own properties are not configurable.
pub const SEALED: u8 = 8;
/// Its shape is its own and a dictionary.
pub const DICT_MODE: u8 = 16;
/// Objects but arrays: made with the realm and frozen with it. (Of arrays only %Array.prototype% is.)
pub const PRIMORDIAL: u8 = 32;
/// An array some of whose index properties stand among its named ones.
pub const SPARSE: u8 = 32;
/// Its length is not writable (arrays).
pub const FIXED_LENGTH: u8 = 64;

// Flags of strings.
pub const INTERNED: u8 = 1;
/// Interned, and spells an array index below 2^31 - 1.
pub const INDEX_LIKE: u8 = 2;

// Flags of symbols.
/// A name inside the machine: no program ever sees it or an own property under it.
pub const INTERNAL: u8 = 1;
/// From `Symbol.for`.
pub const REGISTERED: u8 = 2;
/// Well known.
pub const WELL_KNOWN: u8 = 4;
