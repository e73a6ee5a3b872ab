//! Strings of the heap: Latin-1 or UTF-16, flat or ropes, interned when they name properties.
//!
//! In and out: `STR` values.
//!
//! Invariants
//! - a string all of whose units are below 256 is STR8 (also when cut from a wider one), so equal strings have equal kinds once flat;
//! - a rope is longer than `MIN_ROPE`; one whose right half is undefined stands for its left half, which is flat;
//! - equal interned strings are the same object; interned strings are pinned; the intern table holds them weakly;
//! - no order and no outcome follows a hash.
use crate::cx::{Abort, Cx, Res, Value};
use crate::kinds::*;
use crate::roots::{self, R_CHARS, R_EMPTY, R_HASH_KEY, R_HASH_KEY2, R_INTERN, R_INTERN_BASE};
use cage::Mem;
use cage::layout::{H_FLAGS, H_KIND, H_X, OLD, PINNED, header};
use cage::value::*;

/// Units of the longest string.
pub const MAX_LENGTH: u32 = (1 << 29) - 24;
/// A concatenation up to this many units is copied, a longer one becomes a rope.
const MIN_ROPE: u32 = 24;

#[inline(always)]
pub fn len(m: Mem, s: Value) -> u32 {
    m.r32(s as u32, H_X)
}
#[inline(always)]
fn kind(m: Mem, s: Value) -> u8 {
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
fn new8(cx: &mut Cx, m: Mem, n: u32) -> Res<u32> {
    cx.charge(n as u64 / 16)?;
    let at = cx.alloc(m, 8 + n)?;
    m.w64(at, 0, header(STR8, 0, 0, n));
    Ok(at)
}
fn new16(cx: &mut Cx, m: Mem, n: u32) -> Res<u32> {
    if n > MAX_LENGTH {
        return Err(cx.range_error(m, "string too long"));
    }
    cx.charge(n as u64 / 8)?;
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
    let _ = m.bytes_in(at + 8, b);
    Ok(STR | at as u64)
}

/// From UTF-16 code units.
pub fn from_units(cx: &mut Cx, m: Mem, u: &[u16]) -> Res {
    if u.iter().all(|c| *c < 256) {
        let b: Vec<u8> = u.iter().map(|c| *c as u8).collect();
        return from_latin1(cx, m, &b);
    }
    if u.len() > MAX_LENGTH as usize {
        return Err(cx.range_error(m, "string too long"));
    }
    let at = new16(cx, m, u.len() as u32)?;
    let bytes: Vec<u8> = u.iter().flat_map(|c| c.to_le_bytes()).collect();
    let _ = m.bytes_in(at + 8, &bytes);
    Ok(STR | at as u64)
}

pub fn from_str(cx: &mut Cx, m: Mem, s: &str) -> Res {
    if s.is_ascii() {
        return from_latin1(cx, m, s.as_bytes());
    }
    let u: Vec<u16> = s.encode_utf16().collect();
    from_units(cx, m, &u)
}

/// The flat string equal to `s`; a rope remembers it.
#[inline]
pub fn flat(cx: &mut Cx, m: Mem, s: Value) -> Res {
    if kind(m, s) != ROPE { Ok(s) } else { flatten(cx, m, s) }
}

#[cold]
fn flatten(cx: &mut Cx, m: Mem, s: Value) -> Res {
    let at = s as u32;
    if m.r64(at, 16) == UNDEF {
        return Ok(m.r64(at, 8));
    }
    let n = len(m, s);
    // Is every leaf Latin-1? The rope's header says so (flag in n).
    let wide = m.r16(at, cage::layout::H_N) != 0;
    let to = if wide { new16(cx, m, n)? } else { new8(cx, m, n)? };
    let mut end = n; // leaves are taken from the right
    let mut todo = vec![s];
    let mut steps = 0u64;
    while let Some(x) = todo.pop() {
        steps += 1;
        if steps > 2 * n as u64 + 64 {
            return Err(cx.stop(Abort::Corrupt));
        }
        if kind(m, x) == ROPE {
            let (l, r) = (m.r64(x as u32, 8), m.r64(x as u32, 16));
            todo.push(l);
            if r != UNDEF {
                todo.push(r);
            }
            continue;
        }
        let k = len(m, x);
        if k > end || !is_str(x) {
            return Err(cx.stop(Abort::Corrupt));
        }
        end -= k;
        copy_units(m, x, 0, k, to, end, wide);
    }
    cx.charge(steps)?;
    let f = STR | to as u64;
    cx.heap.write(m, at.wrapping_add(8), f);
    cx.heap.write(m, at.wrapping_add(16), UNDEF);
    Ok(f)
}

/// Copies `k` units of flat `x` from `from` into the flat string at `to`, place `at`; widening if `wide`.
fn copy_units(m: Mem, x: Value, from: u32, k: u32, to: u32, at: u32, wide: bool) {
    let src = (x as u32).wrapping_add(8);
    if kind(m, x) == STR8 {
        if wide {
            for i in 0..k {
                let c = m.r8(src.wrapping_add(from + i), 0) as u16;
                m.w16(to.wrapping_add(8).wrapping_add((at + i) * 2), 0, c);
            }
        } else {
            m.copy(src.wrapping_add(from), to.wrapping_add(8 + at), k);
        }
    } else if wide {
        m.copy(src.wrapping_add(from * 2), to.wrapping_add(8 + at * 2), k * 2);
    }
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
pub fn units(cx: &mut Cx, m: Mem, s: Value) -> Res<Vec<u16>> {
    let s = flat(cx, m, s)?;
    let n = len(m, s);
    cx.charge(n as u64 / 8)?;
    if kind(m, s) == STR8 {
        let mut b = vec![0u8; n as usize];
        let _ = m.bytes_out((s as u32).wrapping_add(8), &mut b);
        Ok(b.into_iter().map(u16::from).collect())
    } else {
        let mut b = vec![0u8; n as usize * 2];
        let _ = m.bytes_out((s as u32).wrapping_add(8), &mut b);
        Ok(b.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect())
    }
}

/// For messages and output: lone surrogates become U+FFFD.
pub fn to_rust(cx: &mut Cx, m: Mem, s: Value) -> Res<String> {
    Ok(String::from_utf16_lossy(&units(cx, m, s)?))
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
        copy_units(m, a, 0, la, at, 0, wide);
        copy_units(m, b, 0, lb, at, la, wide);
        return Ok(STR | at as u64);
    }
    let at = cx.alloc(m, 24)?;
    m.w64(at, 0, header(ROPE, 0, wide as u16, n));
    m.w64(at, 8, a);
    m.w64(at, 16, b);
    Ok(STR | at as u64)
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
        copy_units(m, s, from, k, at, 0, false);
        return Ok(STR | at as u64);
    }
    let narrow = (from..to).all(|i| unit(m, s, i) < 256);
    if narrow {
        let at = new8(cx, m, k)?;
        for i in 0..k {
            m.w8(at.wrapping_add(i), 8, unit(m, s, from + i) as u8);
        }
        return Ok(STR | at as u64);
    }
    let at = new16(cx, m, k)?;
    copy_units(m, s, from, k, at, 0, true);
    Ok(STR | at as u64)
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
    cx.charge(len(m, a) as u64 / 16)?;
    Ok(eq_flat(m, a, b))
}

fn eq_flat(m: Mem, a: Value, b: Value) -> bool {
    let (n, k) = (len(m, a), kind(m, a));
    if n != len(m, b) || k != kind(m, b) {
        return false;
    }
    let bytes = if k == STR8 { n } else { n.saturating_mul(2) };
    let (pa, pb) = (a as u32, b as u32);
    let mut i = 0;
    while i + 8 <= bytes {
        if m.r64(pa.wrapping_add(i), 8) != m.r64(pb.wrapping_add(i), 8) {
            return false;
        }
        i += 8;
    }
    while i < bytes {
        if m.r8(pa.wrapping_add(i), 8) != m.r8(pb.wrapping_add(i), 8) {
            return false;
        }
        i += 1;
    }
    true
}

/// Order by code units.
pub fn compare(cx: &mut Cx, m: Mem, a: Value, b: Value) -> Res<std::cmp::Ordering> {
    let (a, b) = (flat(cx, m, a)?, flat(cx, m, b)?);
    let n = len(m, a).min(len(m, b));
    let mut i = 0;
    if kind(m, a) == STR8 && kind(m, b) == STR8 {
        while i + 8 <= n && m.r64((a as u32).wrapping_add(i), 8) == m.r64((b as u32).wrapping_add(i), 8) {
            i += 8;
        }
    }
    while i < n {
        let (x, y) = (unit(m, a, i), unit(m, b, i));
        if x != y {
            cx.charge(i as u64 / 16)?;
            return Ok(x.cmp(&y));
        }
        i += 1;
    }
    cx.charge(n as u64 / 16)?;
    Ok(len(m, a).cmp(&len(m, b)))
}

/// SipHash-1-3 over words: whoever does not know the key cannot choose what collides.
struct Sip([u64; 4]);

impl Sip {
    fn new(m: Mem) -> Sip {
        let (a, b) = (roots::get(m, R_HASH_KEY), roots::get(m, R_HASH_KEY2));
        Sip([a ^ 0x736F_6D65_7073_6575, b ^ 0x646F_7261_6E64_6F6D, a ^ 0x6C79_6765_6E65_7261, b ^ 0x7465_6462_7974_6573])
    }
    #[inline(always)]
    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.0;
        a = a.wrapping_add(b);
        c = c.wrapping_add(d);
        b = b.rotate_left(13) ^ a;
        d = d.rotate_left(16) ^ c;
        a = a.rotate_left(32).wrapping_add(d);
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        d = d.rotate_left(21) ^ a;
        self.0 = [a, b, c.rotate_left(32), d];
    }
    #[inline(always)]
    fn word(&mut self, w: u64) {
        self.0[3] ^= w;
        self.round();
        self.0[0] ^= w;
    }
    fn end(mut self, units: u32) -> u32 {
        self.word(units as u64);
        self.0[2] ^= 0xFF;
        (0..3).for_each(|_| self.round());
        let h = self.0[0] ^ self.0[1] ^ self.0[2] ^ self.0[3];
        (h ^ h >> 32) as u32
    }
}

/// Words of up to eight units of a flat string: the same for equal strings whatever their kind.
#[inline]
fn words(m: Mem, s: Value, mut word: impl FnMut(u64)) {
    let n = len(m, s);
    let narrow = kind(m, s) == STR8;
    let mut i = 0;
    while narrow && i + 8 <= n {
        word(m.r64((s as u32).wrapping_add(i), 8));
        i += 8;
    }
    while i < n {
        // wide units that are all Latin-1 give the word that narrow ones would
        let end = (i + 8).min(n);
        let (mut low, mut high) = (0u64, 0u64);
        for k in i..end {
            let u = unit(m, s, k) as u64;
            low |= (u & 0xFF) << ((k - i) * 8);
            high |= (u >> 8) << ((k - i) * 8);
        }
        word(low);
        if high != 0 {
            word(high);
        }
        i = end;
    }
}

/// Hash of a flat string's units under this vat's key; equal strings hash alike whatever their kind.
pub fn hash(m: Mem, s: Value) -> u32 {
    let mut sip = Sip::new(m);
    words(m, s, |w| sip.word(w));
    sip.end(len(m, s))
}

/// Hash of a flat string without a key, for the table of the base: what stands there no program chooses.
fn base_hash(m: Mem, s: Value) -> u32 {
    let mut h = (len(m, s) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    words(m, s, |w| {
        h = (h ^ w).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        h ^= h >> 32;
    });
    (h ^ h >> 29) as u32
}

/// Draws the vat's key of string hashes: right after it was made, before anything was hashed under it. False, and no effect: it is
/// too late.
pub fn draw_key(cx: &mut Cx, m: Mem, key: u128) -> bool {
    if roots::get(m, roots::R_INTERN_USED) != int(0) {
        return false;
    }
    // 52 bits of a double between 1 and 2: no reference
    let half = |k: u128| (k as u64) << 12 >> 12 | 0x3FF << 52;
    roots::set(cx, m, R_HASH_KEY, half(key));
    roots::set(cx, m, R_HASH_KEY2, half(key >> 64));
    true
}

/// The strings that the base interned get a table of their own, so that the vats made on it need not hash them anew.
pub fn seal_base(cx: &mut Cx, m: Mem) -> Res<()> {
    let old = roots::get(m, R_INTERN);
    let cap = m.r32(old as u32, H_X);
    let t = cx.alloc_old(m, 8 + cap * 8)?;
    m.w64(t, 0, header(WEAKS, 0, 0, cap));
    (0..cap).for_each(|i| m.w64(t + 8 + i * 8, 0, HOLE));
    for s in (0..cap).map(|i| m.r64((old as u32) + 8 + i * 8, 0)).filter(|s| is_str(*s)) {
        let mut k = base_hash(m, s) & (cap - 1);
        while m.r64(t + 8 + k * 8, 0) != HOLE {
            k = (k + 1) & (cap - 1);
        }
        m.w64(t + 8 + k * 8, 0, s);
    }
    roots::set(cx, m, R_INTERN_BASE, CELL | t as u64);
    roots::set(cx, m, R_INTERN, UNDEF);
    rebuild_interned(cx, m)
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

/// The interned string equal to `s`.
pub fn intern(cx: &mut Cx, m: Mem, s: Value) -> Res {
    let s = flat(cx, m, s)?;
    if is_interned(m, s) {
        return Ok(s);
    }
    cx.charge(2 + len(m, s) as u64 / 8)?;
    let base = roots::get(m, R_INTERN_BASE);
    if is_cell(base)
        && let Probe::Found(e) = probe(cx, m, base as u32, base_hash(m, s), s)?
    {
        return Ok(e);
    }
    let table = roots::get(m, R_INTERN) as u32;
    match probe(cx, m, table, hash(m, s), s)? {
        Probe::Found(e) => Ok(e),
        Probe::Free { at, fresh } => add_interned(cx, m, s, at, fresh),
    }
}

enum Probe {
    Found(Value),
    /// Where it would go; was the place never used?
    Free {
        at: u32,
        fresh: bool,
    },
}

/// Looks for the string equal to `s` in a table of interned ones.
#[inline]
fn probe(cx: &mut Cx, m: Mem, table: u32, h: u32, s: Value) -> Res<Probe> {
    let cap = m.r32(table, H_X);
    let (mut i, mut free) = (h & cap.wrapping_sub(1), None);
    for probes in 0..cap {
        if probes % 64 == 63 {
            // a damaged table can be as long as the cage
            cx.charge(64)?;
        }
        let at = table.wrapping_add(8 + i * 8);
        let e = m.r64(at, 0);
        if e == HOLE {
            return Ok(Probe::Free { at: free.unwrap_or(at), fresh: free.is_none() });
        }
        if e == TOMB {
            free = free.or(Some(at));
        } else if eq_flat(m, e, s) {
            return Ok(Probe::Found(e));
        }
        i = (i + 1) & cap.wrapping_sub(1);
    }
    Err(cx.stop(Abort::Corrupt))
}

fn add_interned(cx: &mut Cx, m: Mem, s: Value, at: u32, fresh: bool) -> Res {
    let n = len(m, s);
    let narrow = kind(m, s) == STR8;
    let to = cx.alloc_pinned(m, if narrow { 8 + n } else { 8 + 2 * n })?;
    let index = if array_index(m, s).is_some() { INDEX_LIKE } else { 0 };
    m.w64(to, 0, header(if narrow { STR8 } else { STR16 }, PINNED | INTERNED | index, 0, n));
    copy_units(m, s, 0, n, to, 0, !narrow);
    let v = STR | to as u64;
    cx.heap.write(m, at, v);
    if fresh {
        let used = as_int(roots::get(m, roots::R_INTERN_USED)) + 1;
        roots::set(cx, m, roots::R_INTERN_USED, int(used));
        let cap = m.r32(roots::get(m, R_INTERN) as u32, H_X);
        if used as u32 > cap / 4 * 3 {
            rebuild_interned(cx, m)?;
        }
    }
    Ok(v)
}

/// Places of a table of interned strings at least.
const FEWEST: u32 = 256;

/// A table of twice the live entries, or the first one.
pub fn rebuild_interned(cx: &mut Cx, m: Mem) -> Res<()> {
    let old = roots::get(m, R_INTERN);
    let old_cap = if is_cell(old) { m.r32(old as u32, H_X) } else { 0 };
    let entry = |i: u32| m.r64((old as u32).wrapping_add(8 + i * 8), 0);
    cx.charge(old_cap as u64)?;
    let live = (0..old_cap).filter(|i| is_str(entry(*i))).count() as u32;
    let cap = (live * 2).next_power_of_two().max(FEWEST);
    let t = cx.alloc_old(m, 8 + cap * 8)?;
    m.w64(t, 0, header(WEAKS, 0, 0, cap));
    for i in 0..cap {
        m.w64(t + 8 + i * 8, 0, HOLE);
    }
    for i in 0..old_cap {
        let e = entry(i);
        if is_str(e) {
            let mut k = hash(m, e) & (cap - 1);
            while m.r64(t + 8 + k * 8, 0) != HOLE {
                k = (k + 1) & (cap - 1);
            }
            m.w64(t + 8 + k * 8, 0, e);
        }
    }
    debug_assert!(t >= OLD);
    roots::set(cx, m, R_INTERN, CELL | t as u64);
    roots::set(cx, m, roots::R_INTERN_USED, int(live as i32));
    Ok(())
}

/// Interns a Rust string (names of builtins, messages' keys).
pub fn intern_str(cx: &mut Cx, m: Mem, s: &str) -> Res {
    let v = from_str(cx, m, s)?;
    intern(cx, m, v)
}
