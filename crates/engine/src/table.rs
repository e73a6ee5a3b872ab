//! Insertion-ordered hash tables (Map, Set, the symbol registry) and the ephemeron tables of weak collections.
//!
//! In: a MAP, SET, WEAKMAP or WEAKSET object and keys. Out: values; for iteration, entries by position.
//!
//! ```text
//! TABLE  n words of an entry (3 map, 2 set); 1 used entries; 2 live ones; 3 buckets (a power of two, as many as entries fit);
//!        4 the table that replaced this one, or undefined; 5 int: 1 if it was replaced by `clear`; 6 first live entry;
//!        7 … buckets, two u32 a word (index + 1 of the newest entry); then entries:
//!        key, [value,] hash | (index + 1 of the next entry of the bucket) << 32
//! ETABLE 1 used places (raw); 2 unused; 3 … pairs key, value, open addressing by identity hash
//! ```
//! Invariants
//! - the raw words of a TABLE read as doubles: their upper half is below 0xFFF9_0000;
//! - a deleted entry has the key TOMB and stays in its bucket's chain until the table is replaced;
//! - a replaced table is never changed again; a cursor in it finds its place in the one that came after;
//! - no order follows a hash; keys are compared by SameValueZero.
use crate::cx::{Abort, Cx, Res, Value};
use crate::kinds::{ETABLE, MAP, TABLE};
use crate::object;
use crate::roots::{self, R_ID};
use crate::{bigint, shape, string};
use cage::Mem;
use cage::layout::{H_KIND, H_N, H_X, header};
use cage::value::*;

const USED: u16 = 8;
const LIVE: u16 = 16;
const BUCKETS: u16 = 24;
const NEXT: u16 = 32;
const CLEARED: u16 = 40;
const FIRST: u16 = 48;
const HEAD: u32 = 56;

/// Entries of the smallest table.
const MIN: u32 = 4;
/// Entries between two charges.
const SLICE: u32 = 1024;
/// Entries of the largest table.
const MAX: u32 = 1 << 26;

/// The table of a collection.
#[inline(always)]
fn table_of(m: Mem, coll: Value) -> Value {
    m.r64(coll as u32, 16)
}
#[inline(always)]
fn stride(m: Mem, t: u32) -> u32 {
    8 * m.r16(t, H_N) as u32
}
/// Address of entry `i`.
#[inline(always)]
fn entry(m: Mem, t: u32, i: u32) -> u32 {
    let buckets = m.r32(t, BUCKETS);
    t.wrapping_add(HEAD).wrapping_add(buckets.wrapping_mul(4)).wrapping_add(i.wrapping_mul(stride(m, t)))
}
/// Address of the last word of the entry at `e`: its hash and the next of its bucket.
#[inline(always)]
fn meta_place(e: u32, width: u32) -> u32 {
    e.wrapping_add(width.wrapping_mul(8)).wrapping_sub(8)
}
/// Address of the bucket of `hash`.
#[inline(always)]
fn bucket(m: Mem, t: u32, hash: u32) -> u32 {
    t.wrapping_add(HEAD).wrapping_add((hash & m.r32(t, BUCKETS).wrapping_sub(1)).wrapping_mul(4))
}

/// A number as the key it is: -0 is 0, a whole double an int. Strings become flat.
#[inline]
pub fn normal(cx: &mut Cx, m: Mem, key: Value) -> Res {
    if is_double(key) {
        let f = f64::from_bits(key);
        return Ok(from_num(if f == 0.0 { 0.0 } else { f }));
    }
    if is_str(key) { string::flat(cx, m, key) } else { Ok(key) }
}

/// The identity hash an object already has.
#[inline]
fn identity(m: Mem, o: Value) -> Option<u32> {
    let s = shape::of(m, o);
    let (i, _) = shape::find(m, s, roots::get(m, R_ID))?;
    Some(m.r64(object::slot_addr(m, o, s, i), 0) as u32)
}

/// Hash of a normal key. `None`: an object that was never a key of anything.
#[inline]
fn hash_known(cx: &mut Cx, m: Mem, key: Value) -> Res<Option<u32>> {
    if is_obj(key) {
        return Ok(identity(m, key));
    }
    if is_str(key) {
        return Ok(Some(string::hash(cx, m, key)?));
    }
    if is_big(key) {
        let n = bigint::size(m, key);
        return string::hash_words(cx, m, n, |i| m.r64((key as u32).wrapping_add(i.wrapping_mul(8)), 8)).map(Some);
    }
    string::hash_words(cx, m, 1, |_| key).map(Some)
}

fn hash(cx: &mut Cx, m: Mem, key: Value) -> Res<u32> {
    if is_obj(key) { object::identity_hash(cx, m, key) } else { Ok(hash_known(cx, m, key)?.unwrap_or(0)) }
}

/// Used entries and room of a table, where work is sized by them: what does not lie in the heap ends the turn.
fn extent(cx: &mut Cx, m: Mem, t: u32) -> Res<(u32, u32)> {
    let (used, cap, width) = (m.r32(t, USED), m.r32(t, BUCKETS), m.r16(t, H_N) as u64);
    let bytes = HEAD as u64 + cap as u64 * (4 + 8 * width);
    let sound = cap.is_power_of_two() && used <= cap && matches!(width, 2 | 3) && m.r8(t, H_KIND) == TABLE;
    if sound && cx.heap.holds(t, bytes) { Ok((used, cap)) } else { Err(cx.stop(Abort::Corrupt)) }
}

/// Address of the entry of a normal key; 0 if there is none.
#[inline]
fn find(cx: &mut Cx, m: Mem, t: u32, key: Value, hash: u32) -> Res<u32> {
    let width = m.r16(t, H_N) as u32;
    let mut next = m.r32(bucket(m, t, hash), 0);
    let mut steps = m.r32(t, USED);
    while next != 0 {
        let e = entry(m, t, next - 1);
        let meta = m.r64(meta_place(e, width), 0);
        if meta as u32 == hash {
            let k = m.r64(e, 0);
            if k == key || (is_str(k) && is_str(key) && string::eq(cx, m, k, key)?) {
                return Ok(e);
            }
            if is_big(k) && is_big(key) && bigint::compare(cx, m, k, key)? == std::cmp::Ordering::Equal {
                return Ok(e);
            }
        }
        next = (meta >> 32) as u32;
        if steps == 0 {
            return Err(cx.stop(Abort::Corrupt));
        }
        steps -= 1;
        if steps.is_multiple_of(16) {
            // keys of one hash, or a chain that a damaged heap made a ring
            cx.charge(16)?;
        }
    }
    Ok(0)
}

fn lookup(cx: &mut Cx, m: Mem, coll: Value, key: Value) -> Res<u32> {
    let t = table_of(m, coll);
    if !is_cell(t) {
        return Ok(0);
    }
    let key = normal(cx, m, key)?;
    match hash_known(cx, m, key)? {
        Some(h) => find(cx, m, t as u32, key, h),
        None => Ok(0),
    }
}

/// The value under `key` (for a set: the key).
pub fn get(cx: &mut Cx, m: Mem, coll: Value, key: Value) -> Res<Option<Value>> {
    let e = lookup(cx, m, coll, key)?;
    let at = if object::kind(m, coll) == MAP { 8 } else { 0 };
    Ok(if e == 0 { None } else { Some(m.r64(e, at)) })
}

pub fn has(cx: &mut Cx, m: Mem, coll: Value, key: Value) -> Res<bool> {
    Ok(lookup(cx, m, coll, key)? != 0)
}

/// How many entries there are.
pub fn size(m: Mem, coll: Value) -> u32 {
    let t = table_of(m, coll);
    if is_cell(t) { m.r32(t as u32, LIVE) } else { 0 }
}

fn new_table(cx: &mut Cx, m: Mem, words: u32, cap: u32) -> Res<u32> {
    if cap > MAX {
        return Err(cx.stop(Abort::Heap));
    }
    let cap = cap.next_power_of_two().max(MIN);
    let n = 6 + cap / 2 + cap * words;
    let t = cx.alloc(m, 8 + n * 8)?;
    m.w64(t, 0, header(TABLE, 0, words as u16, n));
    for (at, v) in [(USED, int(0)), (LIVE, int(0)), (BUCKETS, int(cap as i32)), (NEXT, UNDEF), (CLEARED, int(0)), (FIRST, int(0))]
    {
        m.w64(t, at, v);
    }
    cx.charge(4 + cap as u64 / 16)?;
    if t < cage::layout::OLD {
        // all words must read as values
        m.zero(t + HEAD, (n - 6) * 8);
    }
    Ok(t)
}

fn ensure(cx: &mut Cx, m: Mem, coll: Value) -> Res<u32> {
    let t = table_of(m, coll);
    if is_cell(t) {
        return Ok(t as u32);
    }
    let words = if object::kind(m, coll) == MAP { 3 } else { 2 };
    let t = new_table(cx, m, words, MIN)?;
    cx.heap.write(m, (coll as u32).wrapping_add(16), CELL | t as u64);
    Ok(t)
}

/// Puts a new entry behind all others; there is room.
fn append(cx: &mut Cx, m: Mem, t: u32, key: Value, v: Value, hash: u32) {
    let (i, width) = (m.r32(t, USED), m.r16(t, H_N) as u32);
    let (e, b) = (entry(m, t, i), bucket(m, t, hash));
    let next = m.r32(b, 0);
    cx.heap.write(m, e, key);
    if width == 3 {
        cx.heap.write(m, e.wrapping_add(8), v);
    }
    cx.heap.write(m, meta_place(e, width), hash as u64 | (next as u64) << 32);
    cx.heap.dirty(m, b, 4);
    m.w32(b, 0, i.wrapping_add(1));
    cx.heap.write(m, t.wrapping_add(USED as u32), int(i.wrapping_add(1) as i32));
    let live = m.r32(t, LIVE);
    cx.heap.write(m, t.wrapping_add(LIVE as u32), int(live.wrapping_add(1) as i32));
}

/// Replaces the table of `coll` by one with room for `cap` entries, the deleted ones left behind.
fn rehash(cx: &mut Cx, m: Mem, coll: Value, cap: u32) -> Res<u32> {
    let old = table_of(m, coll) as u32;
    let (used, _) = extent(cx, m, old)?;
    let width = m.r16(old, H_N) as u32;
    let t = new_table(cx, m, width, cap)?;
    for i in 0..used {
        if i % SLICE == 0 {
            cx.charge((used - i).min(SLICE) as u64)?;
        }
        let e = entry(m, old, i);
        let k = m.r64(e, 0);
        if k != TOMB {
            let v = m.r64(e, 8);
            let h = m.r32(meta_place(e, width), 0);
            append(cx, m, t, k, v, h);
        }
    }
    replace(cx, m, coll, t);
    Ok(t)
}

fn replace(cx: &mut Cx, m: Mem, coll: Value, t: u32) {
    let old = table_of(m, coll) as u32;
    cx.heap.write(m, old.wrapping_add(NEXT as u32), CELL | t as u64);
    cx.heap.write(m, (coll as u32).wrapping_add(16), CELL | t as u64);
}

/// Map.prototype.set, Set.prototype.add (`v` is then the key or anything).
pub fn set(cx: &mut Cx, m: Mem, coll: Value, key: Value, v: Value) -> Res<()> {
    let key = normal(cx, m, key)?;
    let h = hash(cx, m, key)?;
    let mut t = ensure(cx, m, coll)?;
    let e = find(cx, m, t, key, h)?;
    if e != 0 {
        if m.r16(t, H_N) == 3 {
            cx.heap.write(m, e.wrapping_add(8), v);
        }
        return Ok(());
    }
    let (used, cap) = (m.r32(t, USED), m.r32(t, BUCKETS));
    if used >= cap {
        extent(cx, m, t)?;
        let live = m.r32(t, LIVE);
        // many deleted ones: the same size will do
        t = rehash(cx, m, coll, if live >= cap - cap / 4 { cap.saturating_mul(2) } else { cap })?;
    }
    append(cx, m, t, key, v, h);
    Ok(())
}

/// Removes `key`; whether it was there.
pub fn delete(cx: &mut Cx, m: Mem, coll: Value, key: Value) -> Res<bool> {
    let e = lookup(cx, m, coll, key)?;
    if e == 0 {
        return Ok(false);
    }
    let t = table_of(m, coll) as u32;
    cx.heap.write(m, e, TOMB);
    if m.r16(t, H_N) == 3 {
        cx.heap.write(m, e.wrapping_add(8), UNDEF);
    }
    let (live, used, cap) = (m.r32(t, LIVE).wrapping_sub(1), m.r32(t, USED), m.r32(t, BUCKETS));
    cx.heap.write(m, t.wrapping_add(LIVE as u32), int(live as i32));
    // so that taking the first again and again does not pass over what was taken before
    let first = m.r32(t, FIRST);
    if entry(m, t, first) == e {
        let mut f = first.wrapping_add(1);
        while f < used && m.r64(entry(m, t, f), 0) == TOMB {
            f += 1;
            if f.is_multiple_of(SLICE) {
                cx.charge(SLICE as u64 / 4)?;
            }
        }
        cx.charge(1)?;
        cx.heap.write(m, t.wrapping_add(FIRST as u32), int(f as i32));
    }
    if cap > 32 && live < cap / 8 {
        rehash(cx, m, coll, cap / 4)?;
    }
    Ok(true)
}

/// Removes all.
pub fn clear(cx: &mut Cx, m: Mem, coll: Value) -> Res<()> {
    let t = table_of(m, coll);
    if is_cell(t) {
        let t = t as u32;
        extent(cx, m, t)?;
        let new = new_table(cx, m, m.r16(t, H_N) as u32, MIN)?;
        cx.heap.write(m, t.wrapping_add(CLEARED as u32), int(1));
        replace(cx, m, coll, new);
    }
    Ok(())
}

// ---- cursors ----

/// A place in a collection that holds through insertions, deletions and `clear`.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    /// The TABLE it was last seen in.
    pub table: Value,
    pub pos: u32,
}

/// Before the first entry.
pub fn cursor(cx: &mut Cx, m: Mem, coll: Value) -> Res<Cursor> {
    let t = ensure(cx, m, coll)?;
    Ok(Cursor { table: CELL | t as u64, pos: 0 })
}

/// Replaced tables a cursor follows in one step.
const MAX_CHAIN: u32 = 1 << 24;

/// Steps to the next live entry: (key, value), the value of a set's entry being the key.
pub fn next(cx: &mut Cx, m: Mem, c: &mut Cursor) -> Res<Option<(Value, Value)>> {
    for _ in 0..MAX_CHAIN {
        let t = c.table as u32;
        let new = m.r64(t, NEXT);
        if !is_cell(new) {
            return step_in(cx, m, t, c);
        }
        let (used, live) = (m.r32(t, USED), m.r32(t, LIVE));
        if m.r32(t, CLEARED) != 0 {
            c.pos = 0;
        } else if used != live {
            let before = c.pos.min(used);
            let mut gone = 0;
            for i in 0..before {
                if i % SLICE == 0 {
                    cx.charge(2 + (before - i).min(SLICE) as u64 / 4)?;
                }
                gone += (m.r64(entry(m, t, i), 0) == TOMB) as u32;
            }
            c.pos = before - gone;
        }
        cx.charge(1)?;
        c.table = new;
    }
    Err(cx.stop(Abort::Corrupt))
}

fn step_in(cx: &mut Cx, m: Mem, t: u32, c: &mut Cursor) -> Res<Option<(Value, Value)>> {
    let used = m.r32(t, USED);
    let start = c.pos.max(m.r32(t, FIRST));
    let mut i = start;
    while i < used {
        let e = entry(m, t, i);
        let k = m.r64(e, 0);
        i += 1;
        if (i - start).is_multiple_of(SLICE) {
            cx.charge(SLICE as u64 / 4)?;
        }
        if k != TOMB {
            c.pos = i;
            return Ok(Some((k, if m.r16(t, H_N) == 3 { m.r64(e, 8) } else { k })));
        }
    }
    c.pos = i;
    Ok(None)
}

// ---- weak collections ----

const PAIRS: u32 = 24;
/// What a new entry costs beside its call.
const WEAK_ENTRY: u64 = 16;

fn weak_cap(m: Mem, t: u32) -> u32 {
    let pairs = m.r32(t, H_X).saturating_sub(2) / 2;
    if pairs.is_power_of_two() { pairs } else { 0 }
}

/// Address of the pair of object or symbol `key`; 0 if there is none.
fn weak_find(cx: &mut Cx, m: Mem, t: u32, key: Value, hash: u32) -> Res<u32> {
    let cap = weak_cap(m, t);
    let mut i = hash & cap.wrapping_sub(1);
    for probes in 0..cap {
        let at = t.wrapping_add(PAIRS).wrapping_add(i.wrapping_mul(16));
        let k = m.r64(at, 0);
        if k == key {
            return Ok(at);
        }
        if k == HOLE {
            return Ok(0);
        }
        if probes % 64 == 63 {
            cx.charge(64)?;
        }
        i = (i + 1) & (cap - 1);
    }
    Ok(0)
}

fn weak_lookup(cx: &mut Cx, m: Mem, coll: Value, key: Value) -> Res<u32> {
    let t = table_of(m, coll);
    if !is_cell(t) || !(is_obj(key) || is_sym(key)) {
        return Ok(0);
    }
    let token = crate::send::weak_token(cx, m, key, false)?;
    let key = if token == UNDEF { key } else { token };
    if key == NULL {
        return Ok(0);
    }
    match hash_known(cx, m, key)? {
        Some(h) => weak_find(cx, m, t as u32, key, mix(h)),
        None => Ok(0),
    }
}

fn mix(h: u32) -> u32 {
    let h = h.wrapping_mul(0x9E37_79B1);
    h ^ h >> 15
}

pub fn weak_get(cx: &mut Cx, m: Mem, coll: Value, key: Value) -> Res<Option<Value>> {
    let e = weak_lookup(cx, m, coll, key)?;
    Ok(if e == 0 { None } else { Some(m.r64(e, 8)) })
}

pub fn weak_delete(cx: &mut Cx, m: Mem, coll: Value, key: Value) -> Res<bool> {
    let e = weak_lookup(cx, m, coll, key)?;
    if e == 0 {
        return Ok(false);
    }
    cx.heap.write(m, e, TOMB);
    cx.heap.write(m, e.wrapping_add(8), UNDEF);
    Ok(true)
}

fn new_weak(cx: &mut Cx, m: Mem, cap: u32) -> Res<u32> {
    if cap > MAX {
        return Err(cx.stop(Abort::Heap));
    }
    let t = cx.alloc(m, PAIRS + cap * 16)?;
    m.w64(t, 0, header(ETABLE, 0, 0, 2 + cap * 2));
    m.w64(t, 8, 0);
    m.w64(t, 16, 0);
    for i in 0..cap {
        if i % SLICE == 0 {
            cx.charge((cap - i).min(SLICE) as u64 / 2)?;
        }
        m.w64(t + PAIRS + i * 16, 0, HOLE);
        m.w64(t + PAIRS + i * 16, 8, UNDEF);
    }
    Ok(t)
}

/// Doubles or cleans the table when it is three quarters full.
fn weak_room(cx: &mut Cx, m: Mem, coll: Value) -> Res<u32> {
    let old = table_of(m, coll);
    if !is_cell(old) {
        let t = new_weak(cx, m, MIN)?;
        cx.heap.write(m, (coll as u32).wrapping_add(16), CELL | t as u64);
        return Ok(t);
    }
    let old = old as u32;
    let cap = weak_cap(m, old);
    if m.r32(old, 8) < cap / 4 * 3 {
        return Ok(old);
    }
    if cap == 0 || !cx.heap.holds(old, PAIRS as u64 + 16 * cap as u64) {
        return Err(cx.stop(Abort::Corrupt));
    }
    let pair = |i: u32| old.wrapping_add(PAIRS).wrapping_add(i.wrapping_mul(16));
    let alive = |k: Value| k != HOLE && k != TOMB;
    let mut live = 0;
    for i in 0..cap {
        if i % SLICE == 0 {
            cx.charge((cap - i).min(SLICE) as u64 / 4)?;
        }
        live += alive(m.r64(pair(i), 0)) as u32;
    }
    let new = new_weak(cx, m, ((live + 1) * 2).next_power_of_two().max(MIN))?;
    for i in 0..cap {
        let (k, v) = (m.r64(pair(i), 0), m.r64(pair(i), 8));
        if i % SLICE == 0 {
            cx.charge((cap - i).min(SLICE) as u64 / 4)?;
        }
        if alive(k) {
            cx.charge(2)?;
            let h = hash(cx, m, k)?;
            weak_put(cx, m, new, k, v, mix(h));
        }
    }
    cx.heap.write(m, (coll as u32).wrapping_add(16), CELL | new as u64);
    Ok(new)
}

fn weak_put(cx: &mut Cx, m: Mem, t: u32, key: Value, v: Value, hash: u32) {
    let cap = weak_cap(m, t);
    let mut i = hash & cap.wrapping_sub(1);
    for _ in 0..cap {
        let at = t.wrapping_add(PAIRS).wrapping_add(i.wrapping_mul(16));
        if m.r64(at, 0) == HOLE {
            cx.heap.write(m, at, key);
            cx.heap.write(m, at.wrapping_add(8), v);
            cx.heap.dirty(m, t, 16);
            m.w64(t, 8, m.r32(t, 8).wrapping_add(1) as u64);
            return;
        }
        i = (i + 1) & (cap - 1);
    }
}

// ---- a heap laid anew ----

/// Puts a table in order whose keys have come to lie elsewhere: symbols are hashed by their place. Entries keep their places.
pub(crate) fn relaid(cx: &mut Cx, m: Mem, t: u32) -> Res<()> {
    if m.r8(t, H_KIND) != TABLE {
        return weak_relaid(cx, m, t);
    }
    let (used, cap) = extent(cx, m, t)?;
    let width = m.r16(t, H_N) as u32;
    cx.heap.dirty(m, t, HEAD + cap * 4);
    m.zero(t + HEAD, cap * 4);
    for i in 0..used {
        let e = entry(m, t, i);
        let (k, at) = (m.r64(e, 0), meta_place(e, width));
        let hash = if is_sym(k) { hash(cx, m, k)? } else { m.r32(at, 0) };
        let b = bucket(m, t, hash);
        cx.heap.write(m, at, hash as u64 | (m.r32(b, 0) as u64) << 32);
        m.w32(b, 0, i + 1);
    }
    Ok(())
}

fn weak_relaid(cx: &mut Cx, m: Mem, t: u32) -> Res<()> {
    let pairs: Vec<(u32, Value, Value)> =
        (0..weak_cap(m, t)).map(|i| t.wrapping_add(PAIRS + i * 16)).map(|at| (at, m.r64(at, 0), m.r64(at, 8))).collect();
    for (at, ..) in &pairs {
        cx.heap.write(m, *at, HOLE);
        cx.heap.write(m, *at + 8, UNDEF);
    }
    cx.heap.dirty(m, t, 16);
    m.w64(t, 8, 0);
    for (_, k, v) in pairs.into_iter().filter(|p| is_obj(p.1) || is_sym(p.1)) {
        let h = mix(hash(cx, m, k)?);
        weak_put(cx, m, t, k, v, h);
    }
    Ok(())
}

/// Enters `key`, an object or a symbol that can be held weakly.
pub fn weak_set(cx: &mut Cx, m: Mem, coll: Value, key: Value, v: Value) -> Res<()> {
    let token = crate::send::weak_token(cx, m, key, true)?;
    let key = if token == UNDEF { key } else { token };
    let h = mix(hash(cx, m, key)?);
    let t = table_of(m, coll);
    let e = if is_cell(t) { weak_find(cx, m, t as u32, key, h)? } else { 0 };
    if e != 0 {
        cx.heap.write(m, e.wrapping_add(8), v);
        return Ok(());
    }
    // each pair is looked at again by the collector, its key's identity hash is a property
    cx.charge(WEAK_ENTRY)?;
    let t = weak_room(cx, m, coll)?;
    weak_put(cx, m, t, key, v, h);
    Ok(())
}
