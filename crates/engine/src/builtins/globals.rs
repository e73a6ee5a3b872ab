//! Values and functions of the global object: ECMA-262 19.1, 19.2, B.2.1.
//!
//! Reentrant: arguments are converted by program code.
//!
//! Invariants
//! - strings are read and written unit by unit, charged in slices.
use super::text::Builder;
use super::{Native, f};
use crate::cx::{Args, Cx, ErrorKind, Res, Stop, Value};
use crate::realm::Realm;
use crate::shape::WC;
use crate::{convert, number, string};
use cage::Mem;
use cage::value::*;

pub const TABLE: &[Native] = &[
    f(0x4C0, "parseInt", 2, parse_int),
    f(0x4C1, "parseFloat", 1, parse_float),
    f(0x4C2, "isNaN", 1, |cx, m, a| Ok(bool(convert::to_number(cx, m, a.get(m, 0))?.is_nan()))),
    f(0x4C3, "isFinite", 1, |cx, m, a| Ok(bool(convert::to_number(cx, m, a.get(m, 0))?.is_finite()))),
    f(0x4C4, "decodeURI", 1, |cx, m, a| decode(cx, m, a, RESERVED)),
    f(0x4C5, "decodeURIComponent", 1, |cx, m, a| decode(cx, m, a, b"")),
    f(0x4C6, "encodeURI", 1, |cx, m, a| encode(cx, m, a, RESERVED)),
    f(0x4C7, "encodeURIComponent", 1, |cx, m, a| encode(cx, m, a, b"")),
    f(0x4C8, "escape", 1, escape),
    f(0x4C9, "unescape", 1, unescape),
];

/// uriReserved and `#`.
const RESERVED: &[u8] = b";/?:@&=+$,#";
/// Units worked on between two charges.
const SLICE: u32 = 4096;

/// parseInt
fn parse_int(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let v = a.get(m, 0);
    if is_int(v) && (a.argc < 2 || matches!(a.get(m, 1), UNDEF) || a.get(m, 1) == int(10)) {
        return Ok(v);
    }
    let s = convert::to_string(cx, m, v)?;
    let radix = convert::to_int32(cx, m, a.get(m, 1))?;
    Ok(from_num(number::parse_int(cx, m, s, radix)?))
}

/// parseFloat
fn parse_float(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let v = a.get(m, 0);
    if is_int(v) {
        return Ok(v);
    }
    let s = convert::to_string(cx, m, v)?;
    Ok(from_num(number::parse_float(cx, m, s)?))
}

/// The argument as a flat string, and its length.
fn text(cx: &mut Cx, m: Mem, a: Args) -> Res<(Value, u32)> {
    let s = convert::to_string(cx, m, a.get(m, 0))?;
    let s = string::flat(cx, m, s)?;
    Ok((s, string::len(m, s)))
}

/// Once every `SLICE` units (the next time at `next`): the charge for them, and is there still room?
#[inline]
fn slice(cx: &mut Cx, m: Mem, (at, end): (u32, u32), next: &mut u32, out: &mut Builder) -> Res<()> {
    if at < *next {
        return Ok(());
    }
    *next = at + SLICE;
    cx.charge(4 * (end - at).min(SLICE) as u64)?;
    out.check(cx, m)
}

#[cold]
fn malformed(cx: &mut Cx, m: Mem) -> Stop {
    cx.error(m, ErrorKind::Uri, "URI malformed")
}

fn push_hex(out: &mut Builder, v: u16, digits: u32) {
    for i in (0..digits).rev() {
        out.unit(b"0123456789ABCDEF"[(v >> (4 * i) & 15) as usize] as u16);
    }
}

/// Encode
fn encode(cx: &mut Cx, m: Mem, a: Args, unescaped: &[u8]) -> Res {
    let (s, n) = text(cx, m, a)?;
    let (mut out, mut k, mut next) = (Builder::new(), 0, 0);
    while k < n {
        slice(cx, m, (k, n), &mut next, &mut out)?;
        let c = string::unit(m, s, k);
        k += 1;
        if let Ok(b) = u8::try_from(c)
            && (b.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&b) || unescaped.contains(&b))
        {
            out.unit(b as u16);
            continue;
        }
        let mut code = c as u32;
        if (0xD800..0xDC00).contains(&c) && (0xDC00..0xE000).contains(&string::unit(m, s, k)) {
            code = 0x10000 + ((code - 0xD800) << 10) + (string::unit(m, s, k) as u32 - 0xDC00);
            k += 1;
        }
        let Some(code) = char::from_u32(code) else { return Err(malformed(cx, m)) };
        for b in code.encode_utf8(&mut [0; 4]).bytes() {
            out.unit(b'%' as u16);
            push_hex(&mut out, b as u16, 2);
        }
    }
    out.finish(cx, m)
}

/// `digits` hexadecimal digits from `at` on.
fn hex(m: Mem, s: Value, at: u32, digits: u32) -> Option<u16> {
    (0..digits).try_fold(0, |v, i| {
        let d = char::from_u32(string::unit(m, s, at + i) as u32)?.to_digit(16)?;
        Some(v << 4 | d as u16)
    })
}

/// The byte that `%XX` at `at` spells.
fn escaped_byte(m: Mem, s: Value, at: u32) -> Option<u8> {
    if string::unit(m, s, at) == b'%' as u16 { hex(m, s, at + 1, 2).map(|v| v as u8) } else { None }
}

/// The character that the escapes at `at` spell in UTF-8, and how many they are.
fn escaped_char(m: Mem, s: Value, at: u32) -> Option<(char, u32)> {
    let first = escaped_byte(m, s, at)?;
    let n = match first.leading_ones() {
        0 => 1,
        n @ 2..=4 => n,
        _ => return None,
    };
    let mut bytes = [first, 0, 0, 0];
    for i in 1..n {
        bytes[i as usize] = escaped_byte(m, s, at + 3 * i)?;
    }
    // no overlong form, no surrogate, nothing past U+10FFFF
    let t = std::str::from_utf8(&bytes[..n as usize]).ok()?;
    Some((t.chars().next()?, n))
}

/// Decode
fn decode(cx: &mut Cx, m: Mem, a: Args, preserved: &[u8]) -> Res {
    let (s, n) = text(cx, m, a)?;
    let (mut out, mut k, mut next) = (Builder::new(), 0, 0);
    while k < n {
        slice(cx, m, (k, n), &mut next, &mut out)?;
        let c = string::unit(m, s, k);
        if c != b'%' as u16 {
            out.unit(c);
            k += 1;
            continue;
        }
        let Some((c, escapes)) = escaped_char(m, s, k) else { return Err(malformed(cx, m)) };
        if c.is_ascii() && preserved.contains(&(c as u8)) {
            (k..k + 3).for_each(|i| out.unit(string::unit(m, s, i)));
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|u| out.unit(*u));
        }
        k += 3 * escapes;
    }
    out.finish(cx, m)
}

/// escape
fn escape(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (s, n) = text(cx, m, a)?;
    let (mut out, mut next) = (Builder::new(), 0);
    for k in 0..n {
        slice(cx, m, (k, n), &mut next, &mut out)?;
        let c = string::unit(m, s, k);
        match u8::try_from(c) {
            Ok(b) if b.is_ascii_alphanumeric() || b"@*_+-./".contains(&b) => out.unit(c),
            Ok(_) => {
                out.unit(b'%' as u16);
                push_hex(&mut out, c, 2);
            }
            Err(_) => {
                out.bytes(b"%u");
                push_hex(&mut out, c, 4);
            }
        }
    }
    out.finish(cx, m)
}

/// unescape
fn unescape(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (s, n) = text(cx, m, a)?;
    let (mut out, mut k, mut next) = (Builder::new(), 0, 0);
    while k < n {
        slice(cx, m, (k, n), &mut next, &mut out)?;
        let c = string::unit(m, s, k);
        let long = string::unit(m, s, k + 1) == b'u' as u16;
        let (skip, digits) = if long { (2, 4) } else { (1, 2) };
        match hex(m, s, k + skip, digits) {
            Some(v) if c == b'%' as u16 => {
                out.unit(v);
                k += skip + digits;
            }
            _ => {
                out.unit(c);
                k += 1;
            }
        }
    }
    out.finish(cx, m)
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    for n in TABLE {
        r.method(cx, m, r.global, n.number)?;
    }
    r.value(cx, m, r.global, "globalThis", r.global, WC)?;
    for (name, v) in [("Infinity", from_num(f64::INFINITY)), ("NaN", NAN), ("undefined", UNDEF)] {
        r.value(cx, m, r.global, name, v, 0)?;
    }
    Ok(())
}
