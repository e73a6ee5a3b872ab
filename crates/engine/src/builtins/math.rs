//! Math: ECMA-262 21.3.
//!
//! Reentrant: arguments are converted by program code. The functions are those of `libm`, so that every machine
//! computes the same; `random` refuses.
use super::{Native, f};
use crate::cx::{Args, Cx, Res};
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::shape::WC;
use crate::{convert, number};
use cage::Mem;
use cage::value::*;
use std::f64::consts;

pub const TABLE: &[Native] = &[
    f(0x200, "abs", 1, |cx, m, a| unary(cx, m, a, f64::abs)),
    f(0x201, "acos", 1, |cx, m, a| unary(cx, m, a, libm::acos)),
    f(0x202, "acosh", 1, |cx, m, a| unary(cx, m, a, libm::acosh)),
    f(0x203, "asin", 1, |cx, m, a| unary(cx, m, a, libm::asin)),
    f(0x204, "asinh", 1, |cx, m, a| unary(cx, m, a, libm::asinh)),
    f(0x205, "atan", 1, |cx, m, a| unary(cx, m, a, libm::atan)),
    f(0x206, "atanh", 1, |cx, m, a| unary(cx, m, a, libm::atanh)),
    f(0x207, "atan2", 2, |cx, m, a| binary(cx, m, a, libm::atan2)),
    f(0x208, "cbrt", 1, |cx, m, a| unary(cx, m, a, libm::cbrt)),
    f(0x209, "ceil", 1, |cx, m, a| unary(cx, m, a, f64::ceil)),
    f(0x20A, "clz32", 1, |cx, m, a| Ok(int(convert::to_uint32(cx, m, a.get(m, 0))?.leading_zeros() as i32))),
    f(0x20B, "cos", 1, |cx, m, a| unary(cx, m, a, libm::cos)),
    f(0x20C, "cosh", 1, |cx, m, a| unary(cx, m, a, libm::cosh)),
    f(0x20D, "exp", 1, |cx, m, a| unary(cx, m, a, libm::exp)),
    f(0x20E, "expm1", 1, |cx, m, a| unary(cx, m, a, libm::expm1)),
    f(0x20F, "f16round", 1, |cx, m, a| unary(cx, m, a, f16round)),
    f(0x210, "floor", 1, |cx, m, a| unary(cx, m, a, f64::floor)),
    f(0x211, "fround", 1, |cx, m, a| unary(cx, m, a, |x| x as f32 as f64)),
    f(0x212, "hypot", 2, hypot),
    f(0x213, "imul", 2, imul),
    f(0x214, "log", 1, |cx, m, a| unary(cx, m, a, libm::log)),
    f(0x215, "log1p", 1, |cx, m, a| unary(cx, m, a, libm::log1p)),
    f(0x216, "log10", 1, |cx, m, a| unary(cx, m, a, libm::log10)),
    f(0x217, "log2", 1, |cx, m, a| unary(cx, m, a, libm::log2)),
    f(0x218, "max", 2, |cx, m, a| extreme(cx, m, a, f64::NEG_INFINITY, |x, y| x > y || (x == y && y.is_sign_negative()))),
    f(0x219, "min", 2, |cx, m, a| extreme(cx, m, a, f64::INFINITY, |x, y| x < y || (x == y && x.is_sign_negative()))),
    f(0x21A, "pow", 2, |cx, m, a| binary(cx, m, a, number::pow)),
    f(0x21B, "random", 0, |cx, m, _| Err(cx.type_error(m, "secure mode %SharedMath%.random() throws"))),
    f(0x21C, "round", 1, |cx, m, a| unary(cx, m, a, round)),
    f(0x21D, "sign", 1, |cx, m, a| unary(cx, m, a, |x| if x == 0.0 || x.is_nan() { x } else { x.signum() })),
    f(0x21E, "sin", 1, |cx, m, a| unary(cx, m, a, libm::sin)),
    f(0x21F, "sinh", 1, |cx, m, a| unary(cx, m, a, libm::sinh)),
    f(0x220, "sqrt", 1, |cx, m, a| unary(cx, m, a, f64::sqrt)),
    f(0x221, "tan", 1, |cx, m, a| unary(cx, m, a, libm::tan)),
    f(0x222, "tanh", 1, |cx, m, a| unary(cx, m, a, libm::tanh)),
    f(0x223, "trunc", 1, |cx, m, a| unary(cx, m, a, f64::trunc)),
];

#[inline]
fn unary(cx: &mut Cx, m: Mem, a: Args, f: fn(f64) -> f64) -> Res {
    let x = convert::to_number(cx, m, a.get(m, 0))?;
    Ok(from_num(f(x)))
}

fn binary(cx: &mut Cx, m: Mem, a: Args, f: fn(f64, f64) -> f64) -> Res {
    let x = convert::to_number(cx, m, a.get(m, 0))?;
    let y = convert::to_number(cx, m, a.get(m, 1))?;
    Ok(from_num(f(x, y)))
}

/// Math.max and Math.min: all arguments are converted, whatever the first ones are.
fn extreme(cx: &mut Cx, m: Mem, a: Args, start: f64, before: fn(f64, f64) -> bool) -> Res {
    cx.charge(a.argc as u64)?;
    let mut best = start;
    for i in 0..a.argc {
        let x = convert::to_number(cx, m, a.get(m, i))?;
        if x.is_nan() || (!best.is_nan() && before(x, best)) {
            best = x;
        }
    }
    Ok(from_num(best))
}

/// Math.imul
fn imul(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let x = convert::to_int32(cx, m, a.get(m, 0))?;
    let y = convert::to_int32(cx, m, a.get(m, 1))?;
    Ok(int(x.wrapping_mul(y)))
}

/// Math.hypot: scaled by the largest and summed with a compensation.
fn hypot(cx: &mut Cx, m: Mem, a: Args) -> Res {
    cx.charge(a.argc as u64 * 2)?;
    let mut all = Vec::with_capacity(a.argc as usize);
    for i in 0..a.argc {
        all.push(convert::to_number(cx, m, a.get(m, i))?.abs());
    }
    if all.contains(&f64::INFINITY) {
        return Ok(from_num(f64::INFINITY));
    }
    if all.iter().any(|x| x.is_nan()) {
        return Ok(NAN);
    }
    let largest = all.iter().fold(0.0, |l: f64, x| l.max(*x));
    if largest == 0.0 {
        return Ok(int(0));
    }
    let (mut sum, mut compensation) = (0.0, 0.0);
    for x in all {
        let n = x / largest;
        let summand = n * n - compensation;
        let preliminary = sum + summand;
        compensation = (preliminary - sum) - summand;
        sum = preliminary;
    }
    Ok(from_num(sum.sqrt() * largest))
}

/// Math.round: halves go up.
fn round(x: f64) -> f64 {
    let f = x.floor();
    // a difference of doubles this close is exact; -0 and -0.5 … -0 stay negative
    let r = if x - f >= 0.5 { f + 1.0 } else { f };
    if r == 0.0 { r.copysign(x) } else { r }
}

/// Math.f16round: to the nearest half-precision number, ties to even.
fn f16round(x: f64) -> f64 {
    let v = x.abs();
    if !v.is_finite() || v == 0.0 {
        return x;
    }
    if v >= 65520.0 {
        return f64::INFINITY.copysign(x);
    }
    // the distance of half-precision numbers here
    let exponent = ((v.to_bits() >> 52) as i32 - 1023).max(-14);
    let unit = libm::scalbn(1.0, exponent - 10);
    ((v / unit).round_ties_even() * unit).copysign(x)
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let o = r.object(cx, m, roots::get(m, R_OBJECT_PROTO))?;
    for n in TABLE {
        r.method(cx, m, o, n.number)?;
    }
    for (name, v) in [
        ("E", consts::E),
        ("LN10", consts::LN_10),
        ("LN2", consts::LN_2),
        ("LOG10E", consts::LOG10_E),
        ("LOG2E", consts::LOG2_E),
        ("PI", consts::PI),
        ("SQRT1_2", consts::FRAC_1_SQRT_2),
        ("SQRT2", consts::SQRT_2),
    ] {
        r.value(cx, m, o, name, from_num(v), 0)?;
    }
    r.tag(cx, m, o, "Math")?;
    r.value(cx, m, r.global, "Math", o, WC)
}
