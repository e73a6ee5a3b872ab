//! Numbers and strings: parsing and printing, by ECMA-262 7.1.4.1, 6.1.6.1.20, 21.1.3 and 19.2.
//!
//! In: strings of the heap, doubles. Out: doubles, strings.
//!
//! Invariants
//! - every decimal is correctly rounded, however long; the work is linear and charged in slices;
//! - printing depends on nothing but the double and the digits asked for.
use crate::cx::{Cx, Res, Value};
use crate::string;
use cage::Mem;
use cage::value::*;

/// Significant digits of a decimal that can decide its rounding (the longest exact tie has 767); later ones only say "more".
const MAX_SIGNIFICANT: usize = 800;
/// No exponent beyond it makes a difference, even after `string::MAX_LENGTH` digits.
const MAX_EXPONENT: i64 = 1 << 40;
/// Units read between two charges.
const SLICE: u32 = 4096;

/// WhiteSpace or LineTerminator
pub fn is_white(c: u16) -> bool {
    matches!(c, 9..=13 | 32 | 0xA0 | 0x1680 | 0x2000..=0x200A | 0x2028 | 0x2029 | 0x202F | 0x205F | 0x3000 | 0xFEFF)
}

/// A place in a flat string, and where it ends.
pub(crate) struct Scan<'c> {
    m: Mem<'c>,
    s: Value,
    pub at: u32,
    pub end: u32,
}

impl<'c> Scan<'c> {
    /// After the white space at the start.
    pub fn new(cx: &mut Cx, m: Mem<'c>, s: Value) -> Res<Scan<'c>> {
        let s = string::flat(cx, m, s)?;
        let mut t = Scan { m, s, at: 0, end: string::len(m, s) };
        while t.at < t.end && is_white(t.peek()) {
            t.step(cx)?;
        }
        Ok(t)
    }
    /// The unit here, 0 at the end.
    pub fn peek(&self) -> u16 {
        self.ahead(0)
    }
    fn ahead(&self, n: u32) -> u16 {
        if self.at + n < self.end { string::unit(self.m, self.s, self.at + n) } else { 0 }
    }
    pub fn step(&mut self, cx: &mut Cx) -> Res<()> {
        self.at += 1;
        if self.at.is_multiple_of(SLICE) { cx.charge(SLICE as u64) } else { Ok(()) }
    }
    /// The value of the digit here in `radix`.
    pub fn digit(&self, radix: u32) -> Option<u32> {
        char::from_u32(self.peek() as u32).and_then(|c| c.to_digit(radix))
    }
    fn starts_with(&self, t: &str) -> bool {
        t.bytes().enumerate().all(|(i, b)| self.ahead(i as u32) == b as u16)
    }
    /// Leaves out white space at the end.
    pub fn trim_end(&mut self, cx: &mut Cx) -> Res<()> {
        while self.end > self.at && is_white(string::unit(self.m, self.s, self.end - 1)) {
            self.end -= 1;
            if self.end.is_multiple_of(SLICE) {
                cx.charge(SLICE as u64)?;
            }
        }
        Ok(())
    }
    /// A sign, if there is one: is it minus?
    pub fn sign(&mut self) -> bool {
        let c = self.peek();
        if c == b'-' as u16 || c == b'+' as u16 {
            self.at += 1;
        }
        c == b'-' as u16
    }
    /// The radix that 0x, 0o or 0b announces.
    pub fn prefix(&self) -> Option<u32> {
        if self.peek() != b'0' as u16 {
            return None;
        }
        match self.ahead(1) | 0x20 {
            0x78 => Some(16),
            0x6F => Some(8),
            0x62 => Some(2),
            _ => None,
        }
    }

    /// The longest StrDecimalLiteral from here; `None` if there is none.
    fn decimal(&mut self, cx: &mut Cx) -> Res<Option<f64>> {
        let negative = self.sign();
        let sign = |f: f64| if negative { -f } else { f };
        if self.starts_with("Infinity") {
            self.at += 8;
            return Ok(Some(sign(f64::INFINITY)));
        }
        let mut d = Decimal::default();
        let start = self.at;
        self.digits(cx, &mut d, false)?;
        let mut some = self.at > start;
        if self.peek() == b'.' as u16 && (some || matches!(self.ahead(1), 48..58)) {
            self.at += 1;
            let start = self.at;
            self.digits(cx, &mut d, true)?;
            some |= self.at > start;
        }
        if !some {
            return Ok(None);
        }
        self.exponent(cx, &mut d)?;
        Ok(Some(sign(d.value())))
    }

    fn digits(&mut self, cx: &mut Cx, d: &mut Decimal, fraction: bool) -> Res<()> {
        while let Some(v) = self.digit(10) {
            d.push(v as u8, fraction);
            self.step(cx)?;
        }
        Ok(())
    }

    fn exponent(&mut self, cx: &mut Cx, d: &mut Decimal) -> Res<()> {
        if self.peek() | 0x20 != b'e' as u16 {
            return Ok(());
        }
        let signed = matches!(self.ahead(1), 43 | 45) as u32;
        if !matches!(self.ahead(1 + signed), 48..58) {
            return Ok(());
        }
        self.at += 1;
        let negative = self.sign();
        let mut e = 0i64;
        while let Some(v) = self.digit(10) {
            e = (e * 10 + v as i64).min(MAX_EXPONENT);
            self.step(cx)?;
        }
        d.exponent += if negative { -e } else { e };
        Ok(())
    }

    /// Digits of a radix of 2^`bits`, correctly rounded; `None` if there is none.
    fn binary_digits(&mut self, cx: &mut Cx, bits: u32) -> Res<Option<f64>> {
        let (mut v, mut shift, mut more, start) = (0u64, 0u32, false, self.at);
        while let Some(d) = self.digit(1 << bits) {
            if v >> (64 - bits) == 0 {
                v = v << bits | d as u64;
            } else {
                shift += bits;
                more |= d != 0;
            }
            self.step(cx)?;
        }
        // at least 60 bits are in `v` when digits were left out, so that the lowest only says "more"
        let f = (v | more as u64) as f64;
        Ok(if self.at == start { None } else { Some(libm::scalbn(f, shift.min(5000) as i32)) })
    }

    /// Digits of any other radix: exact up to 127 bits, then approximated.
    fn odd_digits(&mut self, cx: &mut Cx, radix: u32) -> Res<Option<f64>> {
        let (mut v, mut rest, start) = (0u128, 0u32, self.at);
        while let Some(d) = self.digit(radix) {
            if v < 1 << 120 {
                v = v * radix as u128 + d as u128;
            } else {
                rest += 1;
            }
            self.step(cx)?;
        }
        if self.at == start {
            return Ok(None);
        }
        Ok(Some(if rest == 0 { v as f64 } else { v as f64 * libm::pow(radix as f64, rest as f64) }))
    }
}

/// The digits of a decimal that matter: its value is the digits, read as an integer, × 10^exponent.
#[derive(Default)]
struct Decimal {
    digits: Vec<u8>,
    exponent: i64,
    /// Digits other than 0 were left out.
    more: bool,
}

impl Decimal {
    fn push(&mut self, d: u8, fraction: bool) {
        if self.digits.is_empty() && d == 0 {
            self.exponent -= fraction as i64;
        } else if self.digits.len() < MAX_SIGNIFICANT {
            self.digits.push(b'0' + d);
            self.exponent -= fraction as i64;
        } else {
            self.more |= d != 0;
            self.exponent += !fraction as i64;
        }
    }

    fn value(mut self) -> f64 {
        if self.digits.is_empty() {
            return 0.0;
        }
        if self.more {
            self.digits.push(b'1');
            self.exponent -= 1;
        }
        let mut t = String::from_utf8(self.digits).unwrap_or_default();
        t.push_str(&format!("e{}", self.exponent.clamp(-100_000, 100_000)));
        t.parse().unwrap_or(f64::NAN)
    }
}

/// StringToNumber
pub fn parse(cx: &mut Cx, m: Mem, s: Value) -> Res<f64> {
    let n = string::len(m, s);
    if n == 0 {
        return Ok(0.0);
    }
    let mut t = Scan::new(cx, m, s)?;
    if n <= 15 && (0..n).all(|i| matches!(t.ahead(i), 48..58)) {
        return Ok((0..n).fold(0u64, |v, i| v * 10 + (t.ahead(i) - 48) as u64) as f64);
    }
    t.trim_end(cx)?;
    if t.at == t.end {
        return Ok(0.0);
    }
    let v = match t.prefix() {
        Some(radix) => {
            t.at += 2;
            t.binary_digits(cx, radix.trailing_zeros())?
        }
        None => t.decimal(cx)?,
    };
    Ok(v.filter(|_| t.at == t.end).unwrap_or(f64::NAN))
}

/// parseFloat of a string.
pub fn parse_float(cx: &mut Cx, m: Mem, s: Value) -> Res<f64> {
    let mut t = Scan::new(cx, m, s)?;
    Ok(t.decimal(cx)?.unwrap_or(f64::NAN))
}

/// parseInt of a string and what ToInt32 made of the radix.
pub fn parse_int(cx: &mut Cx, m: Mem, s: Value, radix: i32) -> Res<f64> {
    let mut t = Scan::new(cx, m, s)?;
    let negative = t.sign();
    if radix != 0 && !(2..=36).contains(&radix) {
        return Ok(f64::NAN);
    }
    let mut radix = radix as u32;
    if (radix == 0 || radix == 16) && t.prefix() == Some(16) {
        t.at += 2;
        radix = 16;
    }
    let v = match radix {
        0 | 10 => {
            let (mut d, start) = (Decimal::default(), t.at);
            t.digits(cx, &mut d, false)?;
            if t.at == start { None } else { Some(d.value()) }
        }
        r if r.is_power_of_two() => t.binary_digits(cx, r.trailing_zeros())?,
        r => t.odd_digits(cx, r)?,
    };
    Ok(v.map_or(f64::NAN, |v| if negative { -v } else { v }))
}

/// Number::toString(v, 10)
pub fn to_string(cx: &mut Cx, m: Mem, v: Value) -> Res {
    if is_int(v) {
        let i = as_int(v);
        if (0..10).contains(&i) {
            return Ok(string::of_unit8(m, b'0' + i as u8));
        }
        return int_to_string(cx, m, i);
    }
    let mut b = ryu_js::Buffer::new();
    string::from_latin1(cx, m, b.format(f64::from_bits(v)).as_bytes())
}

fn int_to_string(cx: &mut Cx, m: Mem, i: i32) -> Res {
    let (mut b, mut at, mut u) = ([0u8; 11], 11, i.unsigned_abs());
    loop {
        at -= 1;
        b[at] = b'0' + (u % 10) as u8;
        u /= 10;
        if u == 0 {
            break;
        }
    }
    if i < 0 {
        at -= 1;
        b[at] = b'-';
    }
    string::from_latin1(cx, m, &b[at..])
}

/// Number::toString(f, 10), in Rust.
pub fn format(f: f64) -> String {
    ryu_js::Buffer::new().format(f).to_owned()
}

/// Number::toString(f, radix): as many digits of a fraction as tell the double from its neighbours (what V8 prints).
pub fn to_radix(f: f64, radix: u32) -> String {
    assert!((2..=36).contains(&radix), "a radix out of range");
    if !f.is_finite() || f == 0.0 || radix == 10 {
        return format(f);
    }
    let (v, r) = (f.abs(), radix as f64);
    let mut integer = v.floor();
    let fraction = fraction_digits(v, &mut integer, radix);
    let mut digits = Vec::new();
    // digits below the precision of the double are zeros
    while (integer / r).to_bits() >> 52 > 1023 + 52 {
        integer /= r;
        digits.push(b'0');
    }
    loop {
        let d = libm::fmod(integer, r);
        digits.push(digit_char(d as u8));
        integer = (integer - d) / r;
        if integer <= 0.0 {
            break;
        }
    }
    if f < 0.0 {
        digits.push(b'-');
    }
    digits.reverse();
    if !fraction.is_empty() {
        digits.push(b'.');
        digits.extend(fraction.iter().map(|d| digit_char(*d)));
    }
    String::from_utf8(digits).unwrap_or_default()
}

fn digit_char(d: u8) -> u8 {
    b"0123456789abcdefghijklmnopqrstuvwxyz"[(d % 36) as usize]
}

/// The digits of the fraction of `v`; may carry into `integer`.
fn fraction_digits(v: f64, integer: &mut f64, radix: u32) -> Vec<u8> {
    let r = radix as f64;
    let (mut fraction, mut digits) = (v - *integer, Vec::new());
    let next = f64::from_bits(v.to_bits() + 1);
    let mut delta = (0.5 * (next - v)).max(f64::from_bits(1));
    while fraction >= delta {
        fraction *= r;
        delta *= r;
        let d = fraction as u8;
        digits.push(d);
        fraction -= d as f64;
        let round_up = fraction > 0.5 || (fraction == 0.5 && d & 1 == 1);
        if round_up && fraction + delta > 1.0 {
            loop {
                match digits.pop() {
                    None => *integer += 1.0,
                    Some(d) if d as u32 + 1 < radix => digits.push(d + 1),
                    Some(_) => continue,
                }
                break;
            }
            break;
        }
    }
    digits
}

/// Adds one to the last of decimal digits. True: all were nines and became zeros.
fn bump(digits: &mut [u8]) -> bool {
    for d in digits.iter_mut().rev() {
        if (b'0'..=b'8').contains(d) {
            *d += 1;
            return false;
        }
        if *d == b'9' {
            *d = b'0';
        }
    }
    true
}

/// Number.prototype.toFixed for `f` digits (at most 100). Of two equally near results the larger in magnitude.
pub fn to_fixed(x: f64, f: usize) -> String {
    if !x.is_finite() || x.abs() >= 1e21 {
        return format(x);
    }
    let v = x.abs();
    // v = odd / 2^b has exactly b decimals of which the last is 5: a tie if it has one more than wanted
    let (mantissa, biased) = (v.to_bits() & ((1 << 52) - 1), (v.to_bits() >> 52) as i32);
    let (mantissa, exponent) = if biased == 0 { (mantissa, -1074) } else { (mantissa | 1 << 52, biased - 1075) };
    let b = -(exponent + mantissa.trailing_zeros() as i32);
    let digits = if v != 0.0 && b == f as i32 + 1 {
        let mut t = format!("{v:.*}", f + 1).into_bytes();
        t.pop();
        if t.last() == Some(&b'.') {
            t.pop();
        }
        if bump(&mut t) {
            t.insert(0, b'1');
        }
        String::from_utf8(t).unwrap_or_default()
    } else {
        format!("{v:.f$}")
    };
    if x < 0.0 { format!("-{digits}") } else { digits }
}

/// `n` significant digits of v > 0 and the exponent of the first; of two equally near results the larger.
fn significant(v: f64, n: usize) -> (String, i32) {
    let split = |t: String| {
        let (d, e) = t.split_once('e').unwrap_or((&t, "0"));
        (d.replace('.', ""), e.parse::<i32>().unwrap_or(0))
    };
    let (probe, _) = split(format!("{v:.*e}", n));
    if probe.ends_with('5') {
        let (all, e) = split(format!("{v:.*e}", MAX_SIGNIFICANT));
        let (head, tail) = all.split_at(n);
        if tail.starts_with('5') && tail[1..].bytes().all(|c| c == b'0') {
            let mut d = head.as_bytes().to_vec();
            let carry = bump(&mut d);
            if carry {
                d.insert(0, b'1');
                d.pop();
            }
            return (String::from_utf8(d).unwrap_or_default(), e + carry as i32);
        }
    }
    split(format!("{v:.*e}", n - 1))
}

fn with_exponent(negative: bool, digits: &str, e: i32) -> String {
    let (sign, first, rest) = (if negative { "-" } else { "" }, &digits[..1], &digits[1..]);
    let point = if rest.is_empty() { "" } else { "." };
    let plus = if e < 0 { '-' } else { '+' };
    format!("{sign}{first}{point}{rest}e{plus}{}", e.abs())
}

/// Number.prototype.toExponential; `None`: as many digits as needed.
pub fn to_exponential(x: f64, f: Option<usize>) -> String {
    if !x.is_finite() {
        return format(x);
    }
    let v = x.abs();
    let (digits, e) = match f {
        _ if v == 0.0 => ("0".repeat(f.unwrap_or(0) + 1), 0),
        Some(f) => significant(v, f + 1),
        None => {
            let t = format!("{v:e}");
            let (d, e) = t.split_once('e').unwrap_or((&t, "0"));
            (d.replace('.', ""), e.parse().unwrap_or(0))
        }
    };
    with_exponent(x < 0.0, &digits, e)
}

/// Number.prototype.toPrecision for `p` digits (1 to 100).
pub fn to_precision(x: f64, p: usize) -> String {
    assert!(p >= 1, "no digits");
    if !x.is_finite() {
        return format(x);
    }
    let v = x.abs();
    let (digits, e) = if v == 0.0 { ("0".repeat(p), 0) } else { significant(v, p) };
    if e < -6 || e >= p as i32 {
        return with_exponent(x < 0.0, &digits, e);
    }
    let sign = if x < 0.0 { "-" } else { "" };
    if e < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat((-e - 1) as usize));
    }
    let (int, fraction) = digits.split_at(e as usize + 1);
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{int}{point}{fraction}")
}

/// Number::exponentiate
pub fn pow(base: f64, exponent: f64) -> f64 {
    if exponent.is_nan() || (base.abs() == 1.0 && exponent.is_infinite()) {
        return f64::NAN;
    }
    libm::pow(base, exponent)
}

#[cfg(test)]
#[path = "number_tests.rs"]
pub(crate) mod tests;
