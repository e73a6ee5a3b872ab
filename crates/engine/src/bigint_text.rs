//! BigInts and text: ECMA-262 7.1.14, 6.1.6.2.23, and the literals of programs.
//!
//! In: strings and source text. Out: `BIG` values, strings.
//!
//! Invariants
//! - no more digits are kept than a BigInt can have, however long the string.
use super::{MAX_BITS, from_u128, from_ubig, is_negative, limb, mul_cost, size, to_ubig, too_large};
use crate::cx::{Abort, Cx, Res, Value};
use crate::number::Scan;
use crate::string;
use cage::Mem;
use dashu_int::UBig;
use dashu_int::ops::{BitTest, DivRem};

/// The library converts at most so many bits in one call: longer numbers are cut, since its time grows too fast.
const PIECE_BITS: u64 = 1 << 17;

/// StringToBigInt; `None` if the string spells no BigInt.
pub fn parse(cx: &mut Cx, m: Mem, s: Value) -> Res<Option<Value>> {
    let mut t = Scan::new(cx, m, s)?;
    t.trim_end(cx)?;
    if t.at == t.end {
        return from_u128(cx, m, false, 0).map(Some);
    }
    let radix = t.prefix();
    let negative = radix.is_none() && t.sign();
    t.at += if radix.is_some() { 2 } else { 0 };
    let radix = radix.unwrap_or(10);
    let (start, mut digits, mut too_many) = (t.at, Vec::new(), false);
    while let Some(d) = t.digit(radix) {
        if digits.len() as u64 > MAX_BITS {
            too_many = true;
        } else if d != 0 || !digits.is_empty() {
            digits.push(t.peek() as u8);
        }
        t.step(cx)?;
    }
    if t.at == start || t.at != t.end {
        return Ok(None);
    }
    if too_many {
        return Err(too_large(cx, m));
    }
    let text = String::from_utf8(digits).unwrap_or_default();
    from_text(cx, m, negative, &text, radix).map(Some)
}

/// The BigInt a literal of a program spells (with or without its `n`; separators are skipped).
pub fn from_digits(cx: &mut Cx, m: Mem, literal: &str) -> Res {
    let text: String = literal.chars().filter(|c| *c != '_').collect();
    let text = text.strip_suffix('n').unwrap_or(&text);
    let (radix, digits) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &text[2..]),
        [b'0', b'o' | b'O', ..] => (8, &text[2..]),
        [b'0', b'b' | b'B', ..] => (2, &text[2..]),
        _ => (10, text),
    };
    from_text(cx, m, false, digits, radix)
}

/// Digits alone.
fn from_text(cx: &mut Cx, m: Mem, negative: bool, digits: &str, radix: u32) -> Res {
    if let Ok(u) = u128::from_str_radix(if digits.is_empty() { "0" } else { digits }, radix) {
        return from_u128(cx, m, negative, u);
    }
    let n = digits.len() as u64;
    // 2^(bits of a digit, rounded down) < radix
    if (n - 1) * radix.ilog2() as u64 >= MAX_BITS {
        return Err(too_large(cx, m));
    }
    let u = from_pieces(cx, digits, radix)?;
    from_ubig(cx, m, negative, u)
}

/// Cost of converting so many bits to or from text, in units of the meter.
fn text_cost(bits: u64, radix: u32) -> u64 {
    let n = bits / 64 + 1;
    n * 64 + bits / radix.ilog2() as u64 * 4 + if radix.is_power_of_two() { 0 } else { n * n.isqrt() * 4 }
}

/// The value of digits. Recursion ends after log2(MAX_BITS / PIECE_BITS) + 1 steps, since the number of digits is limited.
fn from_pieces(cx: &mut Cx, digits: &str, radix: u32) -> Res<UBig> {
    let bits = digits.len() as u64 * (radix.ilog2() as u64 + 1);
    cx.charge(text_cost(bits, radix))?;
    if bits <= PIECE_BITS || radix.is_power_of_two() {
        return UBig::from_str_radix(digits, radix).map_err(|_| cx.stop(Abort::Corrupt));
    }
    let k = digits.len() / 2;
    let (high, low) = digits.split_at(digits.len() - k);
    let (high, low) = (from_pieces(cx, high, radix)?, from_pieces(cx, low, radix)?);
    cx.charge(mul_cost(bits / 128, bits / 128))?;
    let scale = UBig::from(radix).pow(k);
    cx.charge(mul_cost(bits / 128, bits / 128))?;
    Ok(high * scale + low)
}

/// The digits of `u`.
fn pieces(cx: &mut Cx, u: UBig, radix: u32) -> Res<String> {
    let mut out = String::new();
    // what is still to print, and to how many digits
    let mut todo = vec![(u, 0)];
    while let Some((u, width)) = todo.pop() {
        let bits = u.bit_len() as u64;
        cx.charge(text_cost(bits, radix))?;
        if bits <= PIECE_BITS || radix.is_power_of_two() {
            let t = u.in_radix(radix as u8).to_string();
            out.extend(std::iter::repeat_n('0', width - t.len().min(width)));
            out.push_str(&t);
            continue;
        }
        // about half of the digits
        let k = (bits as f64 / libm::log2(radix as f64) / 2.0) as usize;
        cx.charge(2 * mul_cost(bits / 128, bits / 128))?;
        let scale = UBig::from(radix).pow(k);
        cx.charge(2 * mul_cost(bits / 128, bits / 128))?;
        let (high, low) = u.div_rem(scale);
        todo.push((low, k));
        todo.push((high, width.saturating_sub(k)));
    }
    Ok(out)
}

/// BigInt::toString
pub fn to_string(cx: &mut Cx, m: Mem, v: Value, radix: u32) -> Res {
    assert!((2..=36).contains(&radix), "a radix out of range");
    let n = size(m, v);
    if n <= 2 {
        cx.charge(6)?;
        let u = limb(m, v, 0) as u128 | (limb(m, v, 1) as u128) << 64;
        return small_to_string(cx, m, is_negative(m, v), u, radix);
    }
    let mut text = pieces(cx, to_ubig(m, v), radix)?;
    if is_negative(m, v) {
        text.insert(0, '-');
    }
    string::from_latin1(cx, m, text.as_bytes())
}

fn small_to_string(cx: &mut Cx, m: Mem, negative: bool, u: u128, radix: u32) -> Res {
    let (mut b, mut at, mut high) = ([0u8; 129], 129, u);
    // pieces of 64 bits, since dividing 128 bits is slow
    let piece = (radix as u64).pow(63 / (32 - radix.leading_zeros()));
    loop {
        let last = high < piece as u128;
        let mut low = (high % piece as u128) as u64;
        let mut rest = piece / radix as u64;
        loop {
            at -= 1;
            b[at] = char::from_digit((low % radix as u64) as u32, radix).map_or(b'0', |c| c as u8);
            low /= radix as u64;
            if (last && low == 0) || (!last && rest == 1) {
                break;
            }
            rest /= radix as u64;
        }
        if last {
            break;
        }
        high /= piece as u128;
    }
    if negative {
        at -= 1;
        b[at] = b'-';
    }
    string::from_latin1(cx, m, &b[at..])
}
