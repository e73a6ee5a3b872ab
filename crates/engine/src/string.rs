//! Strings of the heap: Latin-1 or UTF-16, flat or ropes, interned when they name properties.
//!
//! In and out: `STR` values.
//!
//! Invariants
//! - a string all of whose units are below 256 is STR8 (also when cut from a wider one), so equal strings have equal kinds once flat;
//! - a rope is longer than `MIN_ROPE`; one whose right half is undefined stands for its left half, which is flat;
//! - short ends of a rope to which a short string is added become one leaf: none of its strings changes, it is a new one;
//! - equal interned strings are the same object; interned strings are pinned; the intern table holds them weakly;
//! - no order and no outcome follows a hash.
use crate::aside::{self, Aside};
use crate::cx::{Abort, Cx, Res, Value};
pub use crate::intern::*;
use crate::kinds::*;
use crate::roots::{self, R_CHARS, R_EMPTY};
use cage::Mem;
use cage::layout::{H_FLAGS, H_KIND, H_X, header};
use cage::value::*;

/// Units of the longest string.
pub const MAX_LENGTH: u32 = (1 << 29) - 24;
/// Units copied or compared between two charges.
pub(crate) const SLICE: u32 = 1 << 16;
/// A concatenation up to this many units is copied, a longer one becomes a rope.
const MIN_ROPE: u32 = 24;
/// Units of a leaf that is made of two.
const MAX_LEAF: u32 = 64;
/// Units from which on a text in UTF-8 gets all the room it may need.
const LONG: u32 = 1 << 20;

#[inline(always)]
pub fn len(m: Mem, s: Value) -> u32 {
    // whatever the word says, sums over lengths stay below 2^32
    m.r32(s as u32, H_X) & ((1 << 29) - 1)
}
#[inline(always)]
pub(crate) fn kind(m: Mem, s: Value) -> u8 {
    m.r8(s as u32, H_KIND)
}
#[inline(always)]
pub fn is_interned(m: Mem, s: Value) -> bool {
    kind(m, s) != ROPE && m.r8(s as u32, H_FLAGS) & INTERNED != 0
}
pub fn empty(m: Mem) -> Value {
    roots::get(m, R_EMPTY)
}

/// A flat string with room for `n` Latin-1 units, to be filled by the caller.
pub(crate) fn new8(cx: &mut Cx, m: Mem, n: u32) -> Res<u32> {
    cx.charge(n as u64 / 64)?;
    let at = cx.alloc(m, 8 + n)?;
    m.w64(at, 0, header(STR8, 0, 0, n));
    Ok(at)
}
fn new16(cx: &mut Cx, m: Mem, n: u32) -> Res<u32> {
    if n > MAX_LENGTH {
        return Err(cx.range_error(m, "string too long"));
    }
    cx.charge(n as u64 / 32)?;
    let at = cx.alloc(m, 8 + 2 * n)?;
    m.w64(at, 0, header(STR16, 0, 0, n));
    Ok(at)
}

/// The one-unit string of a Latin-1 unit.
#[inline]
pub fn of_unit8(m: Mem, c: u8) -> Value {
    m.r64((roots::get(m, R_CHARS) as u32).wrapping_add(8 + c as u32 * 8), 0)
}
pub fn of_unit(cx: &mut Cx, m: Mem, c: u16) -> Res {
    if c < 256 { Ok(of_unit8(m, c as u8)) } else { from_units(cx, m, &[c]) }
}

/// From Latin-1 bytes.
pub fn from_latin1(cx: &mut Cx, m: Mem, b: &[u8]) -> Res {
    match b {
        [] => return Ok(empty(m)),
        [c] => return Ok(of_unit8(m, *c)),
        _ => {}
    }
    if b.len() > MAX_LENGTH as usize {
        return Err(cx.range_error(m, "string too long"));
    }
    let at = new8(cx, m, b.len() as u32)?;
    put_bytes(cx, m, at, b)?;
    Ok(STR | at as u64)
}

/// Writes the bytes of a new string.
fn put_bytes(cx: &mut Cx, m: Mem, at: u32, b: &[u8]) -> Res<()> {
    for (i, slice) in b.chunks(SLICE as usize).enumerate() {
        cx.charge(slice.len() as u64 / 16)?;
        let _ = m.bytes_in(at.wrapping_add(8 + i as u32 * SLICE), slice);
    }
    Ok(())
}

/// From UTF-16 code units.
pub fn from_units(cx: &mut Cx, m: Mem, u: &[u16]) -> Res {
    let mut narrow = true;
    for slice in u.chunks(SLICE as usize) {
        cx.charge(slice.len() as u64 / 32)?;
        narrow = slice.iter().all(|c| *c < 256);
        if !narrow {
            break;
        }
    }
    if u.len() > MAX_LENGTH as usize {
        return Err(cx.range_error(m, "string too long"));
    }
    if narrow && u.len() < 2 {
        return Ok(u.first().map_or(empty(m), |c| of_unit8(m, *c as u8)));
    }
    let at = if narrow { new8(cx, m, u.len() as u32)? } else { new16(cx, m, u.len() as u32)? };
    let mut bytes = Vec::with_capacity(u.len().min(SLICE as usize / 2) * 2);
    let mut to = at.wrapping_add(8);
    for slice in u.chunks(SLICE as usize / 2) {
        cx.charge(slice.len() as u64 / 16)?;
        bytes.clear();
        if narrow {
            bytes.extend(slice.iter().map(|c| *c as u8));
        } else {
            bytes.extend(slice.iter().flat_map(|c| c.to_le_bytes()));
        }
        let _ = m.bytes_in(to, &bytes);
        to = to.wrapping_add(bytes.len() as u32);
    }
    Ok(STR | at as u64)
}

pub fn from_str(cx: &mut Cx, m: Mem, s: &str) -> Res {
    if s.is_ascii() {
        return from_latin1(cx, m, s.as_bytes());
    }
    let u: Vec<u16> = s.encode_utf16().collect();
    from_units(cx, m, &u)
}

/// From a text that may be long.
pub fn from_long_str(cx: &mut Cx, m: Mem, mut s: &str) -> Res {
    let mut out = crate::builtins::text::Builder::new();
    while !s.is_empty() {
        let (part, rest) = s.split_at(s.floor_char_boundary(SLICE as usize));
        cx.charge(part.len() as u64 / 8 + 1)?;
        if part.is_ascii() {
            out.bytes(part.as_bytes());
        } else {
            part.encode_utf16().for_each(|u| out.unit(u));
        }
        out.check(cx, m)?;
        s = rest;
    }
    out.finish(cx, m)
}

/// The flat string equal to `s`; a rope remembers it. All its units lie in the heap: work may be sized by its length.
#[inline]
pub fn flat(cx: &mut Cx, m: Mem, s: Value) -> Res {
    if is_sound(cx, m, s) { Ok(s) } else { flatten(cx, m, s) }
}

/// A flat string whose units lie in the heap.
#[inline]
pub(crate) fn is_sound(cx: &Cx, m: Mem, s: Value) -> bool {
    let n = len(m, s) as u64;
    match kind(m, s) {
        STR8 => cx.heap.holds(s as u32, 8 + n),
        STR16 => cx.heap.holds(s as u32, 8 + 2 * n),
        _ => false,
    }
}

#[cold]
fn flatten(cx: &mut Cx, m: Mem, s: Value) -> Res {
    let at = s as u32;
    if kind(m, s) != ROPE {
        return Err(cx.stop(Abort::Corrupt));
    }
    let n = len(m, s);
    if m.r64(at, 16) == UNDEF {
        let f = m.r64(at, 8);
        return if is_str(f) && is_sound(cx, m, f) && len(m, f) == n { Ok(f) } else { Err(cx.stop(Abort::Corrupt)) };
    }
    // Is every leaf Latin-1? The rope's header says so (flag in n).
    let wide = m.r16(at, cage::layout::H_N) != 0;
    let to = if wide { new16(cx, m, n)? } else { new8(cx, m, n)? };
    let mut end = n; // leaves are taken from the right
    let mut todo = Aside::from(vec![s]);
    let mut steps = 0u64;
    while let Some(x) = todo.pop() {
        steps += 1;
        if steps > 2 * n as u64 + 64 {
            return Err(cx.stop(Abort::Corrupt));
        }
        cx.charge(2)?;
        if kind(m, x) == ROPE {
            let (l, r) = (m.r64(x as u32, 8), m.r64(x as u32, 16));
            todo.push(l);
            if r != UNDEF {
                todo.push(r);
            }
            continue;
        }
        let k = len(m, x);
        if k > end || !is_str(x) || !is_sound(cx, m, x) {
            return Err(cx.stop(Abort::Corrupt));
        }
        end -= k;
        copy_units(cx, m, x, 0, k, to, end, wide)?;
    }
    let f = STR | to as u64;
    cx.heap.write(m, at.wrapping_add(8), f);
    cx.heap.write(m, at.wrapping_add(16), UNDEF);
    Ok(f)
}

/// Copies `k` units of flat `x` from `from` into the flat string at `to`, place `at`; widening if `wide`.
// long: the arguments are two places in two strings
#[expect(clippy::too_many_arguments)]
pub(crate) fn copy_units(cx: &mut Cx, m: Mem, x: Value, from: u32, k: u32, to: u32, at: u32, wide: bool) -> Res<()> {
    let (src, to) = ((x as u32).wrapping_add(8), to.wrapping_add(8));
    let mut done = 0;
    while done < k {
        let n = (k - done).min(SLICE);
        cx.charge(n as u64 / 16)?;
        let (from, at) = (from + done, at + done);
        match (kind(m, x) == STR8, wide) {
            (true, false) => m.copy(src.wrapping_add(from), to.wrapping_add(at), n),
            (true, true) => {
                for i in 0..n {
                    let c = m.r8(src.wrapping_add(from + i), 0) as u16;
                    m.w16(to.wrapping_add((at + i) * 2), 0, c);
                }
            }
            (false, true) => m.copy(src.wrapping_add(from * 2), to.wrapping_add(at * 2), n * 2),
            // a rope that says it is narrow and is not: its header is damaged
            (false, false) => return Err(cx.stop(Abort::Corrupt)),
        }
        done += n;
    }
    Ok(())
}

/// Unit `i` of a flat string; 0 past the end.
#[inline]
pub fn unit(m: Mem, s: Value, i: u32) -> u16 {
    if i >= len(m, s) {
        0
    } else if kind(m, s) == STR8 {
        m.r8((s as u32).wrapping_add(i), 8) as u16
    } else {
        m.r16((s as u32).wrapping_add(i.wrapping_mul(2)), 8)
    }
}

/// A flat string's units, copied out.
pub fn units(cx: &mut Cx, m: Mem, s: Value) -> Res<Aside<u16>> {
    let s = flat(cx, m, s)?;
    let n = len(m, s);
    cx.charge(n as u64 / 64)?;
    let mut all = Aside::with_capacity(n as usize);
    let mut b = vec![0u8; n.min(SLICE) as usize * 2];
    let mut from = 0;
    while from < n {
        let k = (n - from).min(SLICE);
        cx.charge(k as u64 / 8)?;
        if kind(m, s) == STR8 {
            let b = &mut b[..k as usize];
            let _ = m.bytes_out((s as u32).wrapping_add(8 + from), b);
            all.extend(b.iter().map(|c| *c as u16));
        } else {
            let b = &mut b[..k as usize * 2];
            let _ = m.bytes_out((s as u32).wrapping_add(8 + from * 2), b);
            all.extend(b.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])));
        }
        from += k;
    }
    Ok(all)
}

/// For messages and output: lone surrogates become U+FFFD.
pub fn to_rust(cx: &mut Cx, m: Mem, s: Value) -> Res<String> {
    let mut text = String::new();
    append_rust(cx, m, s, &mut text)?;
    Ok(text)
}

/// `to_rust`, behind what is there. Whether nothing was replaced. A turn that is stopped needs none of the text.
pub fn append_rust(cx: &mut Cx, m: Mem, s: Value, text: &mut String) -> Res<bool> {
    let s = flat(cx, m, s)?;
    let (n, mut at, mut next, mut whole) = (len(m, s), 0, 0, true);
    // room for all there may be: a text that grows bit by bit is copied again and again
    aside::reserve(text, n as usize * if n < LONG { 1 } else { 3 });
    while at < n {
        if at >= next {
            cx.charge(1024).inspect_err(|_| drop(Aside::from(std::mem::take(text).into_bytes())))?;
            next = at + 4096;
        }
        let c = crate::builtins::text::point(m, s, at);
        whole &= c.is_ok();
        let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
        at += c.len_utf16() as u32;
        text.push(c);
    }
    Ok(whole)
}

/// For messages: at most `most` units, and a sign that there are more.
pub fn to_short(cx: &mut Cx, m: Mem, s: Value, most: u32) -> Res<String> {
    if len(m, s) <= most {
        return to_rust(cx, m, s);
    }
    let start = slice(cx, m, s, 0, most)?;
    let mut text = to_rust(cx, m, start)?;
    text.push('…');
    Ok(text)
}

pub fn is_latin1(m: Mem, flat: Value) -> bool {
    kind(m, flat) == STR8
}

fn is_wide(m: Mem, s: Value) -> bool {
    match kind(m, s) {
        STR8 => false,
        STR16 => true,
        _ => m.r16(s as u32, cage::layout::H_N) != 0,
    }
}

/// `a + b`
pub fn concat(cx: &mut Cx, m: Mem, a: Value, b: Value) -> Res {
    let (la, lb) = (len(m, a), len(m, b));
    if la == 0 {
        return Ok(b);
    }
    if lb == 0 {
        return Ok(a);
    }
    let n = la as u64 + lb as u64;
    if n > MAX_LENGTH as u64 {
        return Err(cx.range_error(m, "string too long"));
    }
    let (n, wide) = (n as u32, is_wide(m, a) || is_wide(m, b));
    if n <= MIN_ROPE {
        let (a, b) = (flat(cx, m, a)?, flat(cx, m, b)?);
        let at = if wide { new16(cx, m, n)? } else { new8(cx, m, n)? };
        copy_units(cx, m, a, 0, len(m, a).min(la), at, 0, wide)?;
        copy_units(cx, m, b, 0, len(m, b).min(lb), at, la, wide)?;
        return Ok(STR | at as u64);
    }
    let (a, b) = if wide { (a, b) } else { joined(cx, m, a, b)? };
    let at = cx.alloc(m, 24)?;
    m.w64(at, 0, header(ROPE, 0, wide as u16, n));
    m.w64(at, 8, a);
    m.w64(at, 16, b);
    Ok(STR | at as u64)
}

/// The halves of a rope for `a + b`: a short end of `a` and a short `b` become one leaf. So a text that grows by few units at a time has
/// few leaves, and what it was before is garbage.
fn joined(cx: &mut Cx, m: Mem, a: Value, b: Value) -> Res<(Value, Value)> {
    if kind(m, a) != ROPE || kind(m, b) != STR8 {
        return Ok((a, b));
    }
    let (rest, end) = (m.r64(a as u32, 8), m.r64(a as u32, 16));
    if !is_str(rest) || !is_str(end) || kind(m, end) != STR8 {
        return Ok((a, b));
    }
    let (le, lb) = (len(m, end), len(m, b));
    let is_short = le as u64 + lb as u64 <= MAX_LEAF as u64;
    // a damaged rope is found out where it is made flat
    if !is_short || !is_sound(cx, m, end) || !is_sound(cx, m, b) || len(m, rest) as u64 + le as u64 != len(m, a) as u64 {
        return Ok((a, b));
    }
    let at = new8(cx, m, le + lb)?;
    m.copy((end as u32).wrapping_add(8), at.wrapping_add(8), le);
    m.copy((b as u32).wrapping_add(8), at.wrapping_add(8 + le), lb);
    Ok((rest, STR | at as u64))
}

/// Units `[from, to)` (clipped) of `s`.
pub fn slice(cx: &mut Cx, m: Mem, s: Value, from: u32, to: u32) -> Res {
    let s = flat(cx, m, s)?;
    let n = len(m, s);
    let (from, to) = (from.min(n), to.min(n));
    if from >= to {
        return Ok(empty(m));
    }
    if from == 0 && to == n {
        return Ok(s);
    }
    let k = to - from;
    if k == 1 {
        return of_unit(cx, m, unit(m, s, from));
    }
    if kind(m, s) == STR8 {
        let at = new8(cx, m, k)?;
        copy_units(cx, m, s, from, k, at, 0, false)?;
        return Ok(STR | at as u64);
    }
    if is_narrow(cx, m, s, from, to)? {
        let at = new8(cx, m, k)?;
        for i in 0..k {
            if i % SLICE == 0 {
                cx.charge((k - i).min(SLICE) as u64 / 4)?;
            }
            m.w8(at.wrapping_add(i), 8, unit(m, s, from + i) as u8);
        }
        return Ok(STR | at as u64);
    }
    let at = new16(cx, m, k)?;
    copy_units(cx, m, s, from, k, at, 0, true)?;
    Ok(STR | at as u64)
}

/// The first `n` units of `s` written again and again; `s` is not empty, and `n` units are allowed.
pub fn repeated(cx: &mut Cx, m: Mem, s: Value, n: u32) -> Res {
    let s = flat(cx, m, s)?;
    let k = len(m, s);
    if n <= k {
        return slice(cx, m, s, 0, n);
    }
    let wide = kind(m, s) == STR16;
    let to = if wide { new16(cx, m, n)? } else { new8(cx, m, n)? };
    let made = STR | to as u64;
    copy_units(cx, m, s, 0, k, to, 0, wide)?;
    let mut done = k;
    while done < n {
        // what stands there already is copied behind itself
        let more = done.min(n - done);
        copy_units(cx, m, made, 0, more, to, done, wide)?;
        done += more;
    }
    Ok(made)
}

/// Are units `[from, to)` all below 256?
fn is_narrow(cx: &mut Cx, m: Mem, s: Value, from: u32, to: u32) -> Res<bool> {
    for i in from..to {
        if (i - from).is_multiple_of(256) {
            cx.charge((to - i).min(256) as u64 / 8)?;
        }
        if unit(m, s, i) >= 256 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Same sequence of units?
pub fn eq(cx: &mut Cx, m: Mem, a: Value, b: Value) -> Res<bool> {
    if a == b {
        return Ok(true);
    }
    if len(m, a) != len(m, b) {
        return Ok(false);
    }
    let (a, b) = (flat(cx, m, a)?, flat(cx, m, b)?);
    if is_interned(m, a) && is_interned(m, b) {
        return Ok(a == b);
    }
    eq_flat(cx, m, a, b)
}

pub(crate) fn eq_flat(cx: &mut Cx, m: Mem, a: Value, b: Value) -> Res<bool> {
    let (n, k) = (len(m, a), kind(m, a));
    if n != len(m, b) || k != kind(m, b) {
        return Ok(false);
    }
    let bytes = if k == STR8 { n } else { n * 2 };
    let (pa, pb) = (a as u32, b as u32);
    cx.charge(bytes.min(SLICE) as u64 / 32)?;
    let mut i = 0;
    while i + 8 <= bytes {
        if m.r64(pa.wrapping_add(i), 8) != m.r64(pb.wrapping_add(i), 8) {
            return Ok(false);
        }
        i += 8;
        if i % SLICE == 0 {
            cx.charge((bytes - i).min(SLICE) as u64 / 32)?;
        }
    }
    while i < bytes {
        if m.r8(pa.wrapping_add(i), 8) != m.r8(pb.wrapping_add(i), 8) {
            return Ok(false);
        }
        i += 1;
    }
    Ok(true)
}

/// Order by code units.
pub fn compare(cx: &mut Cx, m: Mem, a: Value, b: Value) -> Res<std::cmp::Ordering> {
    let (a, b) = (flat(cx, m, a)?, flat(cx, m, b)?);
    let n = len(m, a).min(len(m, b));
    let mut i = 0;
    if kind(m, a) == STR8 && kind(m, b) == STR8 {
        while i + 8 <= n && m.r64((a as u32).wrapping_add(i), 8) == m.r64((b as u32).wrapping_add(i), 8) {
            i += 8;
            if i % 256 == 0 {
                cx.charge(16)?;
            }
        }
    }
    while i < n {
        let (x, y) = (unit(m, a, i), unit(m, b, i));
        if x != y {
            return Ok(x.cmp(&y));
        }
        i += 1;
        if i % 256 == 0 {
            cx.charge(64)?;
        }
    }
    Ok(len(m, a).cmp(&len(m, b)))
}

/// The index a flat string spells canonically, if it is at most 2^31 - 2.
pub fn array_index(m: Mem, s: Value) -> Option<u32> {
    let n = len(m, s);
    if n == 0 || n > 10 || kind(m, s) != STR8 {
        return None;
    }
    let mut v = 0u64;
    for i in 0..n {
        let c = unit(m, s, i);
        if !(48..58).contains(&c) || (i == 0 && c == 48 && n > 1) {
            return None;
        }
        v = v * 10 + (c - 48) as u64;
    }
    if v < i32::MAX as u64 { Some(v as u32) } else { None }
}
