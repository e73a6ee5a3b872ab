//! BigInts: ECMA-262 21.2.
//!
//! Reentrant: arguments are converted by program code. Arithmetic and text are in `crate::bigint`.
use super::{Native, ctor, f};
use crate::cx::{Args, Cx, Res};
use crate::kinds::WRAPPER;
use crate::object;
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::{bigint, convert};
use cage::Mem;
use cage::value::*;

const BIGINT: u16 = 0x260;

pub const TABLE: &[Native] = &[
    ctor(BIGINT, "BigInt", 1, construct),
    f(0x261, "asIntN", 2, |cx, m, a| wrap(cx, m, a, true)),
    f(0x262, "asUintN", 2, |cx, m, a| wrap(cx, m, a, false)),
    f(0x263, "toLocaleString", 0, |cx, m, a| this_bigint(cx, m, a).and_then(|v| bigint::to_string(cx, m, v, 10))),
    f(0x264, "toString", 0, to_string),
    f(0x265, "valueOf", 0, this_bigint),
];

/// BigInt
fn construct(cx: &mut Cx, m: Mem, a: Args) -> Res {
    if a.is_construct() {
        return Err(cx.type_error(m, "BigInt is not a constructor"));
    }
    let p = convert::to_primitive(cx, m, a.get(m, 0), convert::Hint::Number)?;
    if is_number(p) { bigint::from_number(cx, m, num(p)) } else { bigint::to_bigint(cx, m, p) }
}

/// BigInt.asIntN and BigInt.asUintN
fn wrap(cx: &mut Cx, m: Mem, a: Args, signed: bool) -> Res {
    // ToIndex
    let bits = convert::to_integer(cx, m, a.get(m, 0))?;
    if !(0.0..=9007199254740991.0).contains(&bits) {
        return Err(cx.range_error(m, "Invalid value: not (convertible to) a safe integer"));
    }
    let v = bigint::to_bigint(cx, m, a.get(m, 1))?;
    bigint::wrap(cx, m, bits as u64, v, signed)
}

/// ThisBigIntValue
fn this_bigint(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let v = a.this(m);
    let v = if is_obj(v) && object::kind(m, v) == WRAPPER { m.r64(v as u32, 16) } else { v };
    if is_big(v) { Ok(v) } else { Err(cx.type_error(m, "BigInt.prototype method called on what is not a BigInt")) }
}

/// BigInt.prototype.toString
fn to_string(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let v = this_bigint(cx, m, a)?;
    let radix = if a.get(m, 0) == UNDEF { 10.0 } else { convert::to_integer(cx, m, a.get(m, 0))? };
    if !(2.0..=36.0).contains(&radix) {
        return Err(cx.range_error(m, "toString() radix must be between 2 and 36"));
    }
    bigint::to_string(cx, m, v, radix as u32)
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let proto = roots::get(m, R_BIGINT_PROTO);
    let c = r.class(cx, m, BIGINT, proto)?;
    r.methods(cx, m, c, &[0x261, 0x262])?;
    r.methods(cx, m, proto, &[0x263, 0x264, 0x265])?;
    r.tag(cx, m, proto, "BigInt")
}
