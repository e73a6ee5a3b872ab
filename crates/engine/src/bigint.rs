//! BigInts: sign and 64-bit limbs in the heap; large operands through `dashu-int`.
//!
//! ```text
//! BIGINT  n 1 if negative, x number of limbs; 1 … limbs, least significant first
//! ```
//! In and out: `BIG` values, i128s, doubles, strings.
//!
//! Invariants
//! - the last limb is not 0; zero has no limb and is not negative: equal BigInts have equal bytes;
//! - none has more than `MAX_BITS` bits, so that no call into the library takes more than 10 ms;
//! - operands of up to two limbs never reach the library;
//! - the meter is charged by the size of operands before the work.
use crate::convert;
use crate::cx::{Cx, ErrorKind, Res, Stop, Value};
use crate::kinds::BIGINT;
use cage::Mem;
use cage::layout::{H_N, H_X, header};
use cage::value::*;
use dashu_int::{IBig, Sign, UBig};
use std::cmp::Ordering;

#[path = "bigint_text.rs"]
mod text;
pub use text::{from_digits, parse, to_string};

/// Bits of the largest magnitude.
pub const MAX_BITS: u64 = 1 << 19;
const MAX_LIMBS: u32 = (MAX_BITS / 64) as u32;

/// The binary operators of BigInts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BigOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Pow,
    And,
    Or,
    Xor,
    Shl,
    Shr,
}

// ---- representation ----

pub fn is_negative(m: Mem, v: Value) -> bool {
    m.r16(v as u32, H_N) & 1 != 0
}
/// Number of limbs.
#[inline]
pub fn size(m: Mem, v: Value) -> u32 {
    m.r32(v as u32, H_X).min(MAX_LIMBS)
}
/// Limb `i`, 0 past the end.
#[inline]
fn limb(m: Mem, v: Value, i: u32) -> u64 {
    if i < size(m, v) { m.r64((v as u32).wrapping_add(i * 8), 8) } else { 0 }
}
fn bit_length(m: Mem, v: Value) -> u64 {
    let n = size(m, v);
    n as u64 * 64 - if n == 0 { 0 } else { limb(m, v, n - 1).leading_zeros() as u64 }
}

/// The value, if its magnitude is below 2^127.
#[inline]
fn small(m: Mem, v: Value) -> Option<i128> {
    let n = size(m, v);
    if n > 2 {
        return None;
    }
    let i = (limb(m, v, 0) as u128 | (limb(m, v, 1) as u128) << 64) as i128;
    if i < 0 { None } else { Some(if is_negative(m, v) { -i } else { i }) }
}

#[cold]
fn too_large(cx: &mut Cx, m: Mem) -> Stop {
    cx.range_error(m, "Maximum BigInt size exceeded")
}

pub fn from_i64(cx: &mut Cx, m: Mem, i: i64) -> Res {
    from_i128(cx, m, i as i128)
}

fn from_i128(cx: &mut Cx, m: Mem, i: i128) -> Res {
    from_u128(cx, m, i < 0, i.unsigned_abs())
}

fn from_u128(cx: &mut Cx, m: Mem, negative: bool, u: u128) -> Res {
    let (low, high) = (u as u64, (u >> 64) as u64);
    let n = if high != 0 { 2 } else { (low != 0) as u32 };
    let at = cx.alloc(m, 8 + n * 8)?;
    m.w64(at, 0, header(BIGINT, 0, (negative && n > 0) as u16, n));
    for (i, w) in [low, high].into_iter().take(n as usize).enumerate() {
        m.w64(at, 8 + i as u16 * 8, w);
    }
    Ok(BIG | at as u64)
}

/// Of limbs, least significant first.
pub fn from_limbs(cx: &mut Cx, m: Mem, negative: bool, limbs: &[u64]) -> Res {
    let n = limbs.iter().rposition(|l| *l != 0).map_or(0, |i| i + 1);
    if n as u64 * 64 > MAX_BITS {
        return Err(too_large(cx, m));
    }
    let at = cx.alloc(m, 8 + n as u32 * 8)?;
    m.w64(at, 0, header(BIGINT, 0, (negative && n > 0) as u16, n as u32));
    for (i, w) in limbs[..n].iter().enumerate() {
        m.w64(at.wrapping_add(8 + i as u32 * 8), 0, *w);
    }
    Ok(BIG | at as u64)
}

/// Limbs of the magnitude, least significant first.
pub fn to_limbs(m: Mem, v: Value) -> Vec<u64> {
    (0..size(m, v)).map(|i| limb(m, v, i)).collect()
}

fn to_ubig(m: Mem, v: Value) -> UBig {
    let mut b = vec![0; size(m, v) as usize * 8];
    let _ = m.bytes_out((v as u32).wrapping_add(8), &mut b);
    UBig::from_le_bytes(&b)
}

fn to_ibig(m: Mem, v: Value) -> IBig {
    IBig::from_parts(if is_negative(m, v) { Sign::Negative } else { Sign::Positive }, to_ubig(m, v))
}

fn from_ubig(cx: &mut Cx, m: Mem, negative: bool, u: UBig) -> Res {
    let bytes = u.to_le_bytes();
    let (words, rest) = bytes.as_chunks::<8>();
    let mut limbs: Vec<u64> = words.iter().map(|w| u64::from_le_bytes(*w)).collect();
    limbs.push(rest.iter().rev().fold(0, |w, b| w << 8 | *b as u64));
    from_limbs(cx, m, negative, &limbs)
}

fn from_ibig(cx: &mut Cx, m: Mem, i: IBig) -> Res {
    let (sign, u) = i.into_parts();
    from_ubig(cx, m, sign == Sign::Negative, u)
}

/// For tables of keys: equal BigInts hash alike.
pub fn hash(m: Mem, v: Value) -> u32 {
    let mut h = is_negative(m, v) as u64;
    for i in 0..size(m, v) {
        h = (h ^ limb(m, v, i)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        h ^= h >> 32;
    }
    (h ^ h >> 29) as u32
}

/// BigInt::equal
pub fn equals(m: Mem, a: Value, b: Value) -> bool {
    a == b || (is_negative(m, a) == is_negative(m, b) && magnitudes(m, a, b) == Ordering::Equal)
}

// ---- order ----

fn magnitudes(m: Mem, a: Value, b: Value) -> Ordering {
    let n = size(m, a);
    size(m, a)
        .cmp(&size(m, b))
        .then_with(|| (0..n).rev().map(|i| limb(m, a, i).cmp(&limb(m, b, i))).find(|o| o.is_ne()).unwrap_or(Ordering::Equal))
}

/// Order of two bigints.
pub fn compare(cx: &mut Cx, m: Mem, a: Value, b: Value) -> Res<Ordering> {
    cx.charge(size(m, a).min(size(m, b)) as u64 / 4)?;
    Ok(match (is_negative(m, a), is_negative(m, b)) {
        (false, false) => magnitudes(m, a, b),
        (true, true) => magnitudes(m, b, a),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    })
}

/// Order of two primitives of which one is a bigint; `None` if undefined.
pub fn compare_mixed(cx: &mut Cx, m: Mem, a: Value, b: Value) -> Res<Option<Ordering>> {
    if !is_big(a) {
        return Ok(compare_with(cx, m, b, a)?.map(Ordering::reverse));
    }
    compare_with(cx, m, a, b)
}

fn compare_with(cx: &mut Cx, m: Mem, a: Value, b: Value) -> Res<Option<Ordering>> {
    if is_big(b) {
        return compare(cx, m, a, b).map(Some);
    }
    if is_str(b) {
        return match parse(cx, m, b)? {
            Some(b) => compare(cx, m, a, b).map(Some),
            None => Ok(None),
        };
    }
    let f = convert::to_number(cx, m, b)?;
    Ok(compare_f64(m, a, f))
}

fn compare_f64(m: Mem, a: Value, f: f64) -> Option<Ordering> {
    if f.is_nan() {
        return None;
    }
    let (negative, n) = (is_negative(m, a), bit_length(m, a));
    if n == 0 {
        return 0.0.partial_cmp(&f);
    }
    if f == 0.0 || negative != (f < 0.0) {
        return Some(if negative { Ordering::Less } else { Ordering::Greater });
    }
    // both have the same sign: compare places of the first bit, then the first 64 bits, then what follows
    let g = f.abs();
    let places = (g.to_bits() >> 52) as i64 - 1022;
    let order = (n as i64).cmp(&places).then_with(|| {
        let (top, more) = top_bits(m, a);
        let mantissa = (g.to_bits() << 11) | 1 << 63;
        top.cmp(&mantissa).then(more.cmp(&false))
    });
    Some(if negative { order.reverse() } else { order })
}

/// The first 64 bits of the magnitude of a value other than zero, aligned to the left, and whether a bit after them is set.
fn top_bits(m: Mem, v: Value) -> (u64, bool) {
    let n = size(m, v);
    let (high, low) = (limb(m, v, n.wrapping_sub(1)), if n > 1 { limb(m, v, n - 2) } else { 0 });
    let shift = high.leading_zeros() & 63;
    let two = ((high as u128) << 64 | low as u128) << shift;
    let more = two as u64 != 0 || (0..n.saturating_sub(2)).any(|i| limb(m, v, i) != 0);
    ((two >> 64) as u64, more)
}

// ---- numbers ----

/// Number(v): correctly rounded.
pub fn to_f64(m: Mem, v: Value) -> f64 {
    let n = bit_length(m, v);
    if n == 0 {
        return 0.0;
    }
    let f = if n > 1024 {
        f64::INFINITY
    } else {
        let (top, more) = top_bits(m, v);
        // 64 bits of which the last says "more" round as all of them would
        let f = (top | more as u64) as f64;
        if n >= 64 { f * f64::from_bits((1023 + n - 64) << 52) } else { f / f64::from_bits((1023 + 64 - n) << 52) }
    };
    if is_negative(m, v) { -f } else { f }
}

/// NumberToBigInt
pub fn from_number(cx: &mut Cx, m: Mem, f: f64) -> Res {
    if !f.is_finite() || f.trunc() != f {
        let t = crate::number::format(f);
        return Err(cx.range_error(m, &format!("The number {t} cannot be converted to a BigInt because it is not an integer")));
    }
    let places = (f.to_bits() >> 52 & 0x7FF) as i32 - 1075;
    if places <= 64 {
        return from_i128(cx, m, f as i128);
    }
    let mantissa = (f.to_bits() & ((1 << 52) - 1) | 1 << 52) as u128;
    let shifted = mantissa << (places % 64);
    let mut limbs = vec![0; places as usize / 64];
    limbs.extend([shifted as u64, (shifted >> 64) as u64]);
    from_limbs(cx, m, f < 0.0, &limbs)
}

/// ToBigInt
pub fn to_bigint(cx: &mut Cx, m: Mem, v: Value) -> Res {
    let p = convert::to_primitive(cx, m, v, convert::Hint::Number)?;
    if is_big(p) {
        return Ok(p);
    }
    if is_bool(p) {
        return from_i64(cx, m, (p == TRUE) as i64);
    }
    if is_str(p) {
        return match parse(cx, m, p)? {
            Some(v) => Ok(v),
            None => {
                let t = crate::object::key_text(cx, m, p)?;
                Err(cx.error(m, ErrorKind::Syntax, &format!("Cannot convert {t} to a BigInt")))
            }
        };
    }
    let what = if is_sym(p) { crate::object::key_text(cx, m, p)? } else { convert::to_shown(cx, m, p)? };
    Err(cx.type_error(m, &format!("Cannot convert {what} to a BigInt")))
}

// ---- operators ----

/// Cost of a product of so many limbs, in units of the meter.
fn mul_cost(a: u64, b: u64) -> u64 {
    let (s, l) = (a.min(b), a.max(b));
    if s < 64 { s * l } else { l.div_ceil(s) * s * s.isqrt() * 4 }
}

fn div_cost(a: u64, b: u64) -> u64 {
    4 * mul_cost(b, a.saturating_sub(b) + 1) + 4 * (a + b)
}

/// BigInt::add and the other operators with two operands.
pub fn binary(cx: &mut Cx, m: Mem, op: BigOp, a: Value, b: Value) -> Res {
    if let (Some(x), Some(y)) = (small(m, a), small(m, b)) {
        if matches!(op, BigOp::Div | BigOp::Rem) && y == 0 {
            return Err(cx.range_error(m, "Division by zero"));
        }
        if op == BigOp::Pow && y < 0 {
            return Err(cx.range_error(m, "Exponent must be non-negative"));
        }
        if let Some(r) = small_op(op, x, y) {
            return from_i128(cx, m, r);
        }
    }
    large_op(cx, m, op, a, b)
}

/// `None`: the result does not fit. `y` is valid for `op`.
#[inline]
fn small_op(op: BigOp, x: i128, y: i128) -> Option<i128> {
    let narrow = |v: i128| v as i64 as i128 == v;
    Some(match op {
        BigOp::Add => return x.checked_add(y),
        BigOp::Sub => return x.checked_sub(y),
        BigOp::Mul if narrow(x) && narrow(y) => x * y,
        BigOp::Mul => return x.checked_mul(y),
        BigOp::Div | BigOp::Rem if narrow(x) && narrow(y) && y != -1 => {
            let (x, y) = (x as i64, y as i64);
            (if op == BigOp::Div { x / y } else { x % y }) as i128
        }
        BigOp::Div => x / y,
        BigOp::Rem => x % y,
        BigOp::Pow if (-1..=1).contains(&x) => {
            if y == 0 || (x == -1 && y & 1 == 0) {
                1
            } else {
                x
            }
        }
        BigOp::Pow => return x.checked_pow(u32::try_from(y).ok()?),
        BigOp::And => x & y,
        BigOp::Or => x | y,
        BigOp::Xor => x ^ y,
        BigOp::Shl => return shift_left(x, y),
        BigOp::Shr => return shift_left(x, -y),
    })
}

fn shift_left(x: i128, n: i128) -> Option<i128> {
    if n <= 0 {
        return Some(x >> (-n).min(127));
    }
    if x == 0 {
        return Some(0);
    }
    let r = x << (n & 127);
    if n < 127 && r >> n == x { Some(r) } else { None }
}

fn large_op(cx: &mut Cx, m: Mem, op: BigOp, a: Value, b: Value) -> Res {
    let (la, lb) = (size(m, a) as u64, size(m, b) as u64);
    cx.charge((la + lb) * 4 + 16)?;
    let r = match op {
        BigOp::Add => to_ibig(m, a) + to_ibig(m, b),
        BigOp::Sub => to_ibig(m, a) - to_ibig(m, b),
        BigOp::Mul => {
            if bit_length(m, a) + bit_length(m, b) > MAX_BITS + 1 {
                return Err(too_large(cx, m));
            }
            cx.charge(mul_cost(la, lb))?;
            to_ibig(m, a) * to_ibig(m, b)
        }
        BigOp::Div | BigOp::Rem => {
            if lb == 0 {
                return Err(cx.range_error(m, "Division by zero"));
            }
            if la < lb {
                return if op == BigOp::Rem { Ok(a) } else { from_i64(cx, m, 0) };
            }
            cx.charge(div_cost(la, lb))?;
            let (x, y) = (to_ibig(m, a), to_ibig(m, b));
            if op == BigOp::Div { x / y } else { x % y }
        }
        BigOp::Pow => return pow(cx, m, a, b),
        BigOp::And => to_ibig(m, a) & to_ibig(m, b),
        BigOp::Or => to_ibig(m, a) | to_ibig(m, b),
        BigOp::Xor => to_ibig(m, a) ^ to_ibig(m, b),
        BigOp::Shl => return shift(cx, m, a, b, is_negative(m, b)),
        BigOp::Shr => return shift(cx, m, a, b, !is_negative(m, b)),
    };
    from_ibig(cx, m, r)
}

/// BigInt::exponentiate
fn pow(cx: &mut Cx, m: Mem, a: Value, b: Value) -> Res {
    if is_negative(m, b) {
        return Err(cx.range_error(m, "Exponent must be non-negative"));
    }
    let n = bit_length(m, a);
    let exponent = limb(m, b, 0);
    if n <= 1 {
        // 0, 1 or -1 to a power above 0
        let odd = is_negative(m, a) && exponent & 1 == 1;
        return from_u128(cx, m, odd, n as u128);
    }
    // the result has more than (n - 1) * exponent bits
    if size(m, b) > 1 || (n - 1).checked_mul(exponent).is_none_or(|bits| bits >= MAX_BITS) {
        return Err(too_large(cx, m));
    }
    let limbs = (n * exponent).div_ceil(64);
    cx.charge(mul_cost(limbs / 2 + 1, limbs / 2 + 1) * 2)?;
    let r = to_ibig(m, a).pow(exponent as usize);
    from_ibig(cx, m, r)
}

/// a × 2^±|b|, rounded down.
fn shift(cx: &mut Cx, m: Mem, a: Value, b: Value, right: bool) -> Res {
    let n = if size(m, b) > 1 { u64::MAX } else { limb(m, b, 0) };
    let bits = bit_length(m, a);
    if bits == 0 || n == 0 {
        return Ok(a);
    }
    if right {
        if n >= bits {
            return from_i64(cx, m, -(is_negative(m, a) as i64));
        }
        return from_ibig(cx, m, to_ibig(m, a) >> n as usize);
    }
    if n > MAX_BITS - bits {
        return Err(too_large(cx, m));
    }
    cx.charge(n / 64)?;
    from_ibig(cx, m, to_ibig(m, a) << n as usize)
}

/// BigInt::unaryMinus
pub fn negate(cx: &mut Cx, m: Mem, v: Value) -> Res {
    if let Some(i) = small(m, v) {
        return from_i128(cx, m, -i);
    }
    cx.charge(size(m, v) as u64)?;
    from_limbs(cx, m, !is_negative(m, v), &to_limbs(m, v))
}

/// BigInt::bitwiseNOT
pub fn bit_not(cx: &mut Cx, m: Mem, v: Value) -> Res {
    if let Some(i) = small(m, v) {
        return from_i128(cx, m, !i);
    }
    cx.charge(size(m, v) as u64 * 2)?;
    from_ibig(cx, m, !to_ibig(m, v))
}

/// v + 1
pub fn inc(cx: &mut Cx, m: Mem, v: Value) -> Res {
    add_small(cx, m, v, 1)
}

/// v - 1
pub fn dec(cx: &mut Cx, m: Mem, v: Value) -> Res {
    add_small(cx, m, v, -1)
}

fn add_small(cx: &mut Cx, m: Mem, v: Value, by: i8) -> Res {
    if let Some(r) = small(m, v).and_then(|i| i.checked_add(by as i128)) {
        return from_i128(cx, m, r);
    }
    cx.charge(size(m, v) as u64 * 2)?;
    from_ibig(cx, m, to_ibig(m, v) + IBig::from(by))
}

// ---- asIntN, asUintN ----

/// BigInt.asIntN (`signed`) and BigInt.asUintN for an integer `bits` of at most 2^53 - 1.
pub fn wrap(cx: &mut Cx, m: Mem, bits: u64, v: Value, signed: bool) -> Res {
    let (n, negative) = (bit_length(m, v), is_negative(m, v));
    if n < bits && (signed || !negative) || (n == bits && !signed && !negative) {
        return Ok(v);
    }
    if bits > MAX_BITS {
        return Err(too_large(cx, m));
    }
    cx.charge(bits / 32 + size(m, v) as u64)?;
    // the lowest `bits` bits of the two's complement
    let words = bits.div_ceil(64) as u32;
    let mut r: Vec<u64> = (0..words).map(|i| limb(m, v, i)).collect();
    if negative {
        complement(&mut r);
    }
    mask(&mut r, bits);
    let top = bits > 0 && r[(bits as usize - 1) / 64] >> ((bits - 1) % 64) & 1 == 1;
    if signed && top {
        complement(&mut r);
        mask(&mut r, bits);
    }
    from_limbs(cx, m, signed && top, &r)
}

fn complement(limbs: &mut [u64]) {
    let mut carry = true;
    for l in limbs {
        (*l, carry) = (!*l).overflowing_add(carry as u64);
    }
}

fn mask(limbs: &mut [u64], bits: u64) {
    if let Some(l) = limbs.last_mut()
        && !bits.is_multiple_of(64)
    {
        *l &= (1 << (bits % 64)) - 1;
    }
}

#[cfg(test)]
#[path = "bigint_tests.rs"]
mod tests;
