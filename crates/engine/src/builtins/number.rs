//! Numbers: ECMA-262 21.1.
//!
//! Reentrant: arguments are converted by program code. Printing and parsing are in `crate::number`.
use super::{Native, ctor, f};
use crate::cx::{Args, Cx, Res, Value};
use crate::kinds::WRAPPER;
use crate::object;
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::shape::WC;
use crate::{bigint, convert, function, number};
use cage::Mem;
use cage::value::*;

const NUMBER: u16 = 0x1C0;
const MAX_SAFE_INTEGER: f64 = 9007199254740991.0;
/// Digits that toFixed and its kin print at most.
const MAX_DIGITS: f64 = 100.0;

pub const TABLE: &[Native] = &[
    ctor(NUMBER, "Number", 1, construct),
    f(0x1C1, "isFinite", 1, |_, m, a| Ok(bool(is_number(a.get(m, 0)) && num(a.get(m, 0)).is_finite()))),
    f(0x1C2, "isInteger", 1, |_, m, a| Ok(bool(is_integral(a.get(m, 0))))),
    f(0x1C3, "isNaN", 1, |_, m, a| Ok(bool(is_number(a.get(m, 0)) && num(a.get(m, 0)).is_nan()))),
    f(0x1C4, "isSafeInteger", 1, |_, m, a| Ok(bool(is_integral(a.get(m, 0)) && num(a.get(m, 0)).abs() <= MAX_SAFE_INTEGER))),
    f(0x1C5, "toExponential", 1, to_exponential),
    f(0x1C6, "toFixed", 1, to_fixed),
    f(0x1C7, "toLocaleString", 0, |cx, m, a| this_number(cx, m, a).and_then(|v| number::to_string(cx, m, v))),
    f(0x1C8, "toPrecision", 1, to_precision),
    f(0x1C9, "toString", 1, to_string),
    f(0x1CA, "valueOf", 0, this_number),
];

/// Number
fn construct(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let mut n = int(0);
    if a.argc > 0 {
        n = convert::to_numeric(cx, m, a.get(m, 0))?;
        if is_big(n) {
            n = from_num(bigint::to_f64(m, n));
        }
    }
    if !a.is_construct() {
        return Ok(n);
    }
    let s = function::shape_from(cx, m, a.new_target, R_SHAPE_WRAPPER + 1, R_NUMBER_PROTO)?;
    object::exotic(cx, m, WRAPPER, s, &[n])
}

/// IsIntegralNumber
fn is_integral(v: Value) -> bool {
    is_int(v) || (is_number(v) && num(v).is_finite() && num(v).trunc() == num(v))
}

/// ThisNumberValue
fn this_number(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let v = a.this(m);
    let v = if is_obj(v) && object::kind(m, v) == WRAPPER { m.r64(v as u32, 16) } else { v };
    if is_number(v) { Ok(v) } else { Err(cx.type_error(m, "Number.prototype method called on what is not a number")) }
}

/// Work of printing a number in any of these ways.
const PRINTING: u64 = 500;

/// Number.prototype.toExponential
fn to_exponential(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let x = num(this_number(cx, m, a)?);
    let digits = convert::to_integer(cx, m, a.get(m, 0))?;
    if x.is_finite() && !(0.0..=MAX_DIGITS).contains(&digits) {
        return Err(cx.range_error(m, "toExponential() argument must be between 0 and 100"));
    }
    cx.charge(PRINTING)?;
    let f = if a.get(m, 0) == UNDEF { None } else { Some(digits as usize) };
    cx.str(m, &number::to_exponential(x, f))
}

/// Number.prototype.toFixed
fn to_fixed(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let x = num(this_number(cx, m, a)?);
    let digits = convert::to_integer(cx, m, a.get(m, 0))?;
    if !(0.0..=MAX_DIGITS).contains(&digits) {
        return Err(cx.range_error(m, "toFixed() digits argument must be between 0 and 100"));
    }
    cx.charge(PRINTING)?;
    cx.str(m, &number::to_fixed(x, digits as usize))
}

/// Number.prototype.toPrecision
fn to_precision(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let v = this_number(cx, m, a)?;
    if a.get(m, 0) == UNDEF {
        return number::to_string(cx, m, v);
    }
    let p = convert::to_integer(cx, m, a.get(m, 0))?;
    if !num(v).is_finite() {
        return number::to_string(cx, m, v);
    }
    if !(1.0..=MAX_DIGITS).contains(&p) {
        return Err(cx.range_error(m, "toPrecision() argument must be between 1 and 100"));
    }
    cx.charge(PRINTING)?;
    cx.str(m, &number::to_precision(num(v), p as usize))
}

/// Number.prototype.toString
fn to_string(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let v = this_number(cx, m, a)?;
    let radix = if a.get(m, 0) == UNDEF { 10.0 } else { convert::to_integer(cx, m, a.get(m, 0))? };
    if !(2.0..=36.0).contains(&radix) {
        return Err(cx.range_error(m, "toString() radix must be between 2 and 36"));
    }
    if radix == 10.0 {
        return number::to_string(cx, m, v);
    }
    cx.charge(PRINTING)?;
    cx.str(m, &number::to_radix(num(v), radix as u32))
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let proto = roots::get(m, R_NUMBER_PROTO);
    let c = r.class(cx, m, NUMBER, proto)?;
    r.methods(cx, m, c, &[0x1C1, 0x1C2, 0x1C3, 0x1C4])?;
    for name in ["parseFloat", "parseInt"] {
        let func = object::get_str(cx, m, r.global, name)?;
        r.value(cx, m, c, name, func, WC)?;
    }
    for (name, v) in [
        ("EPSILON", f64::EPSILON),
        ("MAX_SAFE_INTEGER", MAX_SAFE_INTEGER),
        ("MAX_VALUE", f64::MAX),
        ("MIN_SAFE_INTEGER", -MAX_SAFE_INTEGER),
        ("MIN_VALUE", f64::from_bits(1)),
        ("NaN", f64::NAN),
        ("NEGATIVE_INFINITY", f64::NEG_INFINITY),
        ("POSITIVE_INFINITY", f64::INFINITY),
    ] {
        r.value(cx, m, c, name, from_num(v), 0)?;
    }
    r.methods(cx, m, proto, &[0x1C5, 0x1C6, 0x1C7, 0x1C8, 0x1C9, 0x1CA])
}
