//! Values: 64 bits, NaN-boxed. In and out: `u64`.
//!
//! ```text
//! 0x0000_…  – 0xFFF8_…   a double (NaN only as 0x7FF8_0000_0000_0000)
//! 0xFFF9 | offset        CELL: an internal object, never seen by programs
//! 0xFFFA | offset        OBJ
//! 0xFFFB | offset        STR
//! 0xFFFC | offset        SYM
//! 0xFFFD | offset        BIG
//! 0xFFFE | n             constants: undefined, null, false, true, …
//! 0xFFFF | i32           INT, all ones, so that `x & y >= INT` is true only of two ints
//! ```
//! The five reference tags are contiguous; the offset is the low 32 bits; bits 32–47 are zero. Every other
//! pattern is read as some value of the same table: nothing is invalid.

pub const INT: u64 = 0xFFFF << 48;
/// Everything below is a double.
pub const DOUBLES: u64 = 0xFFF9 << 48;
pub const CELL: u64 = 0xFFF9 << 48;
pub const OBJ: u64 = 0xFFFA << 48;
pub const STR: u64 = 0xFFFB << 48;
pub const SYM: u64 = 0xFFFC << 48;
pub const BIG: u64 = 0xFFFD << 48;
pub const SPECIAL: u64 = 0xFFFE << 48;

pub const UNDEF: u64 = SPECIAL;
pub const NULL: u64 = SPECIAL | 1;
pub const FALSE: u64 = SPECIAL | 2;
pub const TRUE: u64 = SPECIAL | 3;
/// An uninitialised binding.
pub const TDZ: u64 = SPECIAL | 4;
/// A hole in an array, an empty slot of a table.
pub const HOLE: u64 = SPECIAL | 5;
/// A deleted entry of a table; what a dead weak reference becomes.
pub const TOMB: u64 = SPECIAL | 6;
pub const NAN: u64 = 0x7FF8 << 48;

#[inline(always)]
pub fn int(v: i32) -> u64 {
    INT | v as u32 as u64
}
#[inline(always)]
pub fn is_int(v: u64) -> bool {
    v >= INT
}
#[inline(always)]
pub fn as_int(v: u64) -> i32 {
    v as u32 as i32
}
#[inline(always)]
pub fn is_double(v: u64) -> bool {
    v < DOUBLES
}
#[inline(always)]
pub fn is_number(v: u64) -> bool {
    !(DOUBLES..INT).contains(&v)
}
#[inline(always)]
pub fn is_obj(v: u64) -> bool {
    v >> 48 == OBJ >> 48
}
#[inline(always)]
pub fn is_str(v: u64) -> bool {
    v >> 48 == STR >> 48
}
#[inline(always)]
pub fn is_sym(v: u64) -> bool {
    v >> 48 == SYM >> 48
}
#[inline(always)]
pub fn is_big(v: u64) -> bool {
    v >> 48 == BIG >> 48
}
#[inline(always)]
pub fn is_cell(v: u64) -> bool {
    v >> 48 == CELL >> 48
}
/// Names an object of the heap: CELL, OBJ, STR, SYM or BIG.
#[inline(always)]
pub fn is_ref(v: u64) -> bool {
    v.wrapping_sub(CELL) < 5 << 48
}
#[inline(always)]
pub fn is_bool(v: u64) -> bool {
    v | 1 == TRUE
}
#[inline(always)]
pub fn bool(b: bool) -> u64 {
    FALSE | b as u64
}
#[inline(always)]
pub fn is_nullish(v: u64) -> bool {
    v | 1 == NULL
}
/// The number a number value stands for.
#[inline(always)]
pub fn num(v: u64) -> f64 {
    if is_int(v) { as_int(v) as f64 } else { f64::from_bits(v) }
}
/// The canonical value of a double: an int where it is one (not -0), one NaN.
#[inline(always)]
pub fn from_num(f: f64) -> u64 {
    let i = f as i32;
    if i as f64 == f && (i != 0 || f.is_sign_positive()) {
        int(i)
    } else if f.is_nan() {
        NAN
    } else {
        f.to_bits()
    }
}
