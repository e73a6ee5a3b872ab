//! Hashes of strings under the vat's key, and the tables of interned strings.
//!
//! In: flat strings. Out: hashes; for each text one string that stands for it as a property key.
//!
//! Invariants
//! - strings are hashed under a key that the vat drew when it was made: no program can choose what collides;
//! - the strings of the base stand in a table of their own, without a key, so that making a vat hashes nothing;
//! - both tables hold their strings weakly; a string is in one of them at most once.
//!
//! Must never know: where keys come from.
use crate::cx::{Abort, Cx, Res, Value};
use crate::kinds::*;
use crate::roots::{self, R_HASH_KEY, R_HASH_KEY2, R_INTERN, R_INTERN_BASE};
use crate::string::{SLICE, array_index, copy_units, eq_flat, flat, from_str, is_interned, is_sound, kind, len, unit};
use cage::Mem;
use cage::layout::{H_X, OLD, PINNED, header};
use cage::value::*;

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

/// Words of up to eight units of a flat string from unit `i` to `n`: the same for equal strings whatever their kind.
#[inline]
fn words(m: Mem, s: Value, mut i: u32, n: u32, mut word: impl FnMut(u64)) {
    let narrow = kind(m, s) == STR8;
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
pub fn hash(cx: &mut Cx, m: Mem, s: Value) -> Res<u32> {
    if !is_sound(cx, m, s) {
        return Err(cx.stop(Abort::Corrupt));
    }
    let mut sip = Sip::new(m);
    each_slice(cx, m, s, |from, to| words(m, s, from, to, |w| sip.word(w)))?;
    Ok(sip.end(len(m, s)))
}

/// Hash of `n` words that `word` gives, under this vat's key.
pub fn hash_words(cx: &mut Cx, m: Mem, n: u32, word: impl Fn(u32) -> u64) -> Res<u32> {
    let mut sip = Sip::new(m);
    for i in 0..n {
        if i % SLICE == 0 {
            cx.charge((n - i).min(SLICE) as u64 / 2)?;
        }
        sip.word(word(i));
    }
    Ok(sip.end(n))
}

/// Calls `work` for parts of a string, each paid for before.
#[inline]
fn each_slice(cx: &mut Cx, m: Mem, s: Value, mut work: impl FnMut(u32, u32)) -> Res<()> {
    let (n, mut from) = (len(m, s), 0);
    loop {
        let to = (from + SLICE).min(n);
        cx.charge((to - from) as u64 / 8)?;
        work(from, to);
        if to == n {
            return Ok(());
        }
        from = to;
    }
}

/// Hash of a flat string without a key, for the table of the base: what stands there no program chooses.
fn base_hash(n: u32, each_word: impl FnOnce(&mut dyn FnMut(u64))) -> u32 {
    let mut h = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    each_word(&mut |w| {
        h = (h ^ w).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        h ^= h >> 32;
    });
    (h ^ h >> 29) as u32
}

fn base_hash_of(m: Mem, s: Value) -> u32 {
    let n = len(m, s);
    base_hash(n, |word| words(m, s, 0, n.min(LONGEST_OF_BASE), word))
}

/// Units that are looked at to find a string of the base: it has none as long.
const LONGEST_OF_BASE: u32 = 256;

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
        let mut k = base_hash_of(m, s) & (cap - 1);
        while m.r64(t + 8 + k * 8, 0) != HOLE {
            k = (k + 1) & (cap - 1);
        }
        m.w64(t + 8 + k * 8, 0, s);
    }
    roots::set(cx, m, R_INTERN_BASE, CELL | t as u64);
    roots::set(cx, m, R_INTERN, UNDEF);
    rebuild_interned(cx, m)
}

/// The interned string equal to `s`.
pub fn intern(cx: &mut Cx, m: Mem, s: Value) -> Res {
    match look(cx, m, s)? {
        Probe::Found(e) => Ok(e),
        Probe::Free { at, fresh } => {
            let s = flat(cx, m, s)?;
            add_interned(cx, m, s, at, fresh)
        }
    }
}

/// The interned string equal to `s`, if there is one. If there is none, nothing has a property of that name.
pub fn interned(cx: &mut Cx, m: Mem, s: Value) -> Res<Option<Value>> {
    Ok(match look(cx, m, s)? {
        Probe::Found(e) => Some(e),
        Probe::Free { .. } => None,
    })
}

/// Where `s` stands in the tables, or would stand in the vat's own.
fn look(cx: &mut Cx, m: Mem, s: Value) -> Res<Probe> {
    let s = flat(cx, m, s)?;
    if is_interned(m, s) {
        return Ok(Probe::Found(s));
    }
    cx.charge(2)?;
    if !is_sound(cx, m, s) {
        return Err(cx.stop(Abort::Corrupt));
    }
    let base = roots::get(m, R_INTERN_BASE);
    if is_cell(base)
        && let found @ Probe::Found(_) = probe(cx, m, base as u32, base_hash_of(m, s), |cx, e| eq_flat(cx, m, s, e))?
    {
        return Ok(found);
    }
    let table = roots::get(m, R_INTERN) as u32;
    let h = hash(cx, m, s)?;
    probe(cx, m, table, h, |cx, e| eq_flat(cx, m, s, e))
}

/// Names that were found by their bytes a moment ago, so that a message's verb is not hashed each time. It tells what the tables tell:
/// nothing that a program can see depends on it, nor what a turn is charged.
#[derive(Default)]
pub struct Names([Name; NAMES]);

#[derive(Clone, Copy, Default)]
struct Name {
    /// The bytes, zeros, and their number in the last byte; all zero: none.
    text: [u64; 3],
    /// `Heap::moved` when it was found: interned strings stay until that changes.
    moved: u64,
    found: Value,
}

/// Places for names, and bytes of the longest one that has room.
const NAMES: usize = 8;
const LONGEST_NAME: usize = 23;

impl Names {
    fn text(b: &[u8]) -> Option<[u64; 3]> {
        let mut text = [0; LONGEST_NAME + 1];
        text.get_mut(..LONGEST_NAME)?.get_mut(..b.len())?.copy_from_slice(b);
        text[LONGEST_NAME] = b.len() as u8;
        let word = |i: usize| u64::from_le_bytes(std::array::from_fn(|k| text[8 * i + k]));
        Some([word(0), word(1), word(2)])
    }
    fn place(&mut self, text: [u64; 3]) -> &mut Name {
        &mut self.0[((text[0] ^ text[0] >> 29 ^ text[2] >> 56) % NAMES as u64) as usize]
    }
}

/// The interned string of these Latin-1 bytes, if there is one and it is a property key as it stands (no array index).
pub fn interned_name(cx: &mut Cx, m: Mem, b: &[u8]) -> Res<Option<Value>> {
    cx.charge(4 + b.len() as u64 / 4)?;
    if b.len() < 2 || b.len() > LONGEST_OF_BASE as usize || b[0].is_ascii_digit() {
        return Ok(None);
    }
    let (text, moved) = (Names::text(b), cx.heap.moved());
    if let Some(text) = text {
        let n = *cx.names.place(text);
        if n.text == text && n.moved == moved {
            return Ok(Some(n.found));
        }
    }
    let found = find_bytes(cx, m, b)?;
    if let (Some(text), Some(found)) = (text, found) {
        *cx.names.place(text) = Name { text, moved, found };
    }
    Ok(found)
}

fn find_bytes(cx: &mut Cx, m: Mem, b: &[u8]) -> Res<Option<Value>> {
    let same = |_: &mut Cx, e: Value| Ok(len(m, e) as usize == b.len() && (0..).zip(b).all(|(i, b)| unit(m, e, i) == *b as u16));
    let base = roots::get(m, R_INTERN_BASE);
    if is_cell(base) {
        let h = base_hash(b.len() as u32, |word| words_of(b, word));
        if let Probe::Found(e) = probe(cx, m, base as u32, h, same)? {
            return Ok(Some(e));
        }
    }
    let mut sip = Sip::new(m);
    words_of(b, |w| sip.word(w));
    let h = sip.end(b.len() as u32);
    match probe(cx, m, roots::get(m, R_INTERN) as u32, h, same)? {
        Probe::Found(e) => Ok(Some(e)),
        Probe::Free { .. } => Ok(None),
    }
}

/// As `words`, of Latin-1 bytes.
fn words_of(b: &[u8], mut word: impl FnMut(u64)) {
    for part in b.chunks(8) {
        let mut w = [0; 8];
        w[..part.len()].copy_from_slice(part);
        word(u64::from_le_bytes(w));
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

/// Looks for a string that is the `same` in a table of interned ones.
#[inline]
fn probe(cx: &mut Cx, m: Mem, table: u32, h: u32, same: impl Fn(&mut Cx, Value) -> Res<bool>) -> Res<Probe> {
    let cap = m.r32(table, H_X);
    if !is_table(cx, table, cap) {
        return Err(cx.stop(Abort::Corrupt));
    }
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
        } else if same(cx, e)? {
            return Ok(Probe::Found(e));
        }
        i = (i + 1) & cap.wrapping_sub(1);
    }
    Err(cx.stop(Abort::Corrupt))
}

/// A table of `cap` places lies at `table`.
fn is_table(cx: &Cx, table: u32, cap: u32) -> bool {
    cap.is_power_of_two() && cx.heap.holds(table, 8 + 8 * cap as u64)
}

fn add_interned(cx: &mut Cx, m: Mem, s: Value, at: u32, fresh: bool) -> Res {
    let n = len(m, s);
    let narrow = kind(m, s) == STR8;
    let to = cx.alloc_pinned(m, if narrow { 8 + n } else { 8 + 2 * n })?;
    let index = if array_index(m, s).is_some() { INDEX_LIKE } else { 0 };
    m.w64(to, 0, header(if narrow { STR8 } else { STR16 }, PINNED | INTERNED | index, 0, n));
    copy_units(cx, m, s, 0, n, to, 0, !narrow)?;
    let v = STR | to as u64;
    cx.heap.write(m, at, v);
    if fresh {
        let cap = m.r32(roots::get(m, R_INTERN) as u32, H_X);
        let used = as_int(roots::get(m, roots::R_INTERN_USED)).wrapping_add(1);
        roots::set(cx, m, roots::R_INTERN_USED, int(used));
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
    if old_cap > 0 && !is_table(cx, old as u32, old_cap) {
        return Err(cx.stop(Abort::Corrupt));
    }
    let entry = |i: u32| m.r64((old as u32).wrapping_add(8 + i * 8), 0);
    let mut live = 0;
    for i in 0..old_cap {
        if i % 4096 == 0 {
            cx.charge(512)?;
        }
        live += is_str(entry(i)) as u32;
    }
    let cap = (live * 2).next_power_of_two().max(FEWEST);
    let t = cx.alloc_old(m, 8 + cap * 8)?;
    m.w64(t, 0, header(WEAKS, 0, 0, cap));
    for i in 0..cap {
        if i % 4096 == 0 {
            cx.charge(512)?;
        }
        m.w64(t + 8 + i * 8, 0, HOLE);
    }
    for i in 0..old_cap {
        let e = entry(i);
        if is_str(e) {
            cx.charge(4)?;
            let mut k = hash(cx, m, e)? & (cap - 1);
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
