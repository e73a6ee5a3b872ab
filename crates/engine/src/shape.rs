//! Shapes: which own properties an object has and where they lie; dictionaries for what outgrows shapes.
//!
//! In: keys (an interned string, a symbol, or an int for an array index below 2^31 - 1). Out: indices of slots.
//!
//! ```text
//! SHAPE  header.x number of properties; 1 prototype; 2 DESCS (in dictionary mode DICT);
//!        3 transitions (WEAKS or undefined); 4 int: cap : 8 | bits
//! DESCS  pairs key, attributes (int); unused places hold holes
//! DICT   1 used places (int, deleted ones too); 2 next slot (int); then pairs key, attributes | slot << 4
//! ```
//! Invariants
//! - shapes are pinned; the shape of an object is never 0;
//! - a shape without DICT never changes but for its transitions, so what is found in it may be cached;
//! - a dictionary's shape belongs to one object; a property's slot there never changes while the shape stays.
use crate::aside::Aside;
use crate::cx::{Abort, Cx, Res, Value};
use crate::kinds::*;
use cage::Mem;
use cage::layout::{H_FLAGS, H_KIND, H_X, LOOKUP, PINNED, SEARCHES, header};
use cage::value::*;

// Attributes of a property.
pub const W: u8 = 1;
pub const E: u8 = 2;
pub const C: u8 = 4;
/// The slot holds an ACCESSOR.
pub const ACC: u8 = 8;
/// Writable, enumerable, configurable.
pub const WEC: u8 = 7;
/// Writable and configurable: how builtins are defined.
pub const WC: u8 = 5;

// Bits of word 4 above the capacity.
/// No inline properties: all are in the overflow slots (every kind but OBJ, ERROR).
pub const EXOTIC: u32 = 1 << 8;
pub const IS_DICT: u32 = 1 << 9;
/// `length`, `name` (and `prototype`) of functions that nobody changed yet.
pub const VIRTUAL: u32 = 1 << 10;
/// Arrays: `length` and elements.
pub const ARRAY: u32 = 1 << 11;
/// What `E(x)` gives: every name is a property (see `send`). Nothing that was not found may be cached.
pub const SENDER: u32 = 1 << 12;

/// Properties of a shape; one more and the object becomes a dictionary.
pub const MAX_SHAPE: u32 = 64;
/// Transitions of a shape; one more and the object becomes a dictionary.
pub const MAX_TRANSITIONS: u32 = 128;

#[inline(always)]
pub fn of(m: Mem, obj: Value) -> u32 {
    m.r32(obj as u32, H_X)
}
#[inline(always)]
pub fn count(m: Mem, shape: u32) -> u32 {
    m.r32(shape, H_X)
}
#[inline(always)]
pub fn proto(m: Mem, shape: u32) -> Value {
    m.r64(shape, 8)
}
#[inline(always)]
pub fn meta(m: Mem, shape: u32) -> u32 {
    m.r32(shape, 32)
}
pub fn cap(m: Mem, shape: u32) -> u32 {
    meta(m, shape) & 0xFF
}
pub fn is_dict(m: Mem, shape: u32) -> bool {
    meta(m, shape) & IS_DICT != 0
}
fn descs(m: Mem, shape: u32) -> u32 {
    m.r64(shape, 16) as u32
}
/// Key of property `i` (not for dictionaries).
pub fn key_at(m: Mem, shape: u32, i: u32) -> Value {
    m.r64(desc(descs(m, shape), i), 0)
}
pub fn attrs_at(m: Mem, shape: u32, i: u32) -> u8 {
    m.r64(desc(descs(m, shape), i), 8) as u8
}
/// Address of pair `i` of the DESCS at `d`.
#[inline(always)]
fn desc(d: u32, i: u32) -> u32 {
    d.wrapping_add(8).wrapping_add(i.wrapping_mul(16))
}
/// Address of word `i` behind a header.
#[inline(always)]
fn word(at: u32, i: u32) -> u32 {
    at.wrapping_add(8).wrapping_add(i.wrapping_mul(8))
}

#[inline(always)]
pub fn key_hash(key: Value) -> u32 {
    let h = (key as u32).wrapping_mul(0x9E37_79B1);
    h ^ h >> 15
}

/// A shape without properties.
pub fn root(cx: &mut Cx, m: Mem, proto: Value, cap: u8, bits: u32) -> Res<u32> {
    let at = cx.alloc_pinned(m, 40)?;
    m.w64(at, 0, header(SHAPE, PINNED, 0, 0));
    cx.heap.write(m, at + 8, proto);
    m.w64(at, 16, UNDEF);
    m.w64(at, 24, UNDEF);
    m.w64(at, 32, int((cap as u32 | bits) as i32));
    Ok(at)
}

/// Slot index and attributes of own property `key`.
#[inline]
pub fn find(m: Mem, shape: u32, key: Value) -> Option<(u32, u8)> {
    if is_dict(m, shape) {
        return dict_find(m, shape, key).map(|(_, info)| (info >> 4, info as u8 & 15));
    }
    let entry = LOOKUP + ((key_hash(key) ^ shape >> 3) & 0xFFF) * 16;
    if m.r32(SEARCHES, 0) >= COLD_SEARCHES && m.r64(entry, 8) == key && m.r32(entry, 0) == shape {
        let found = m.r32(entry, 4);
        return if found == u32::MAX { None } else { Some((found >> 4, found as u8 & 15)) };
    }
    find_slow(m, shape, key, entry)
}

/// Searches before results are kept.
const COLD_SEARCHES: u32 = 512;

#[inline(never)]
fn find_slow(m: Mem, shape: u32, key: Value, entry: u32) -> Option<(u32, u8)> {
    let n = count(m, shape).min(MAX_SHAPE);
    let d = descs(m, shape);
    let mut found = u32::MAX;
    for i in 0..n {
        if m.r64(desc(d, i), 0) == key {
            found = i << 4 | (m.r64(desc(d, i), 8) as u32 & 15);
            break;
        }
    }
    // a vat that has run little pays for no pages of the cache
    let searches = m.r32(SEARCHES, 0);
    if searches < COLD_SEARCHES {
        m.w32(SEARCHES, 0, searches + 1);
    } else {
        m.w32(entry, 0, shape);
        m.w32(entry, 4, found);
        m.w64(entry, 8, key);
    }
    if found == u32::MAX { None } else { Some((found >> 4, found as u8 & 15)) }
}

/// Places of a table of transitions; 0 if it is none.
fn transitions(m: Mem, trans: Value) -> u32 {
    let cap = if is_cell(trans) { m.r32(trans as u32, H_X) } else { 0 };
    if cap.is_power_of_two() && cap <= MAX_TRANSITIONS * 4 { cap } else { 0 }
}

/// The shape that `shape` becomes by adding `key`. `None`: the object must become a dictionary.
pub fn add(cx: &mut Cx, m: Mem, shape: u32, key: Value, attrs: u8) -> Res<Option<u32>> {
    let n = count(m, shape);
    if n >= MAX_SHAPE {
        return Ok(None);
    }
    let trans = m.r64(shape, 24);
    if is_cell(trans) {
        let t = trans as u32;
        let cap = transitions(m, trans);
        let mut i = key_hash(key) & cap.wrapping_sub(1);
        for _ in 0..cap {
            let e = m.r64(word(t, i), 0);
            if e == HOLE {
                break;
            }
            if is_cell(e) && key_at(m, e as u32, n) == key && attrs_at(m, e as u32, n) == attrs {
                return Ok(Some(e as u32));
            }
            i = (i + 1) & cap.wrapping_sub(1);
        }
    }
    let new = child(cx, m, shape, n, key, attrs)?;
    if !link(cx, m, shape, key, new)? {
        return Ok(None);
    }
    Ok(Some(new))
}

fn child(cx: &mut Cx, m: Mem, shape: u32, n: u32, key: Value, attrs: u8) -> Res<u32> {
    let old = m.r64(shape, 16);
    let room = if is_cell(old) { m.r32(old as u32, H_X) / 2 } else { 0 };
    let d = if n < room && m.r64(desc(old as u32, n), 0) == HOLE {
        old as u32
    } else {
        let cap = (n + 1).next_power_of_two().max(4);
        let d = cx.alloc_old(m, 8 + cap * 16)?;
        m.w64(d, 0, header(DESCS, 0, 0, cap * 2));
        for i in 0..cap * 2 {
            let v = if i < n * 2 { m.r64(word(old as u32, i), 0) } else { HOLE };
            m.w64(word(d, i), 0, v);
        }
        d
    };
    cx.heap.write(m, desc(d, n), key);
    cx.heap.write(m, desc(d, n).wrapping_add(8), int(attrs as i32));
    let s = cx.alloc_pinned(m, 40)?;
    m.w64(s, 0, header(SHAPE, PINNED, 0, n + 1));
    cx.heap.write(m, s + 8, proto(m, shape));
    m.w64(s, 16, CELL | d as u64);
    m.w64(s, 24, UNDEF);
    // an internal name (an identity hash) leaves virtual properties virtual
    let internal = is_sym(key) && m.r8(key as u32, H_FLAGS) & INTERNAL != 0;
    m.w64(s, 32, int((meta(m, shape) & if internal { u32::MAX } else { !VIRTUAL }) as i32));
    Ok(s)
}

/// Gives `shape` a new table of its transitions, with room for some more.
pub fn renew_transitions(cx: &mut Cx, m: Mem, shape: u32) -> Res<()> {
    let trans = m.r64(shape, 24);
    let cap = transitions(m, trans);
    let all: Vec<Value> = (0..cap).map(|i| m.r64(word(trans as u32, i), 0)).filter(|e| is_cell(*e)).collect();
    let t = new_transitions(cx, m, (all.len() as u32 * 2).next_power_of_two().max(8))?;
    for e in all {
        place(cx, m, t, m.r32(t, H_X), key_at(m, e as u32, count(m, shape)), e);
    }
    cx.heap.write(m, shape.wrapping_add(24), CELL | t as u64);
    Ok(())
}

fn new_transitions(cx: &mut Cx, m: Mem, cap: u32) -> Res<u32> {
    let t = cx.alloc_old(m, 8 + cap * 8)?;
    m.w64(t, 0, header(WEAKS, 0, 0, cap));
    (0..cap).for_each(|i| m.w64(word(t, i), 0, HOLE));
    Ok(t)
}

/// Enters `new` among the transitions of `shape`. False when there are too many.
fn link(cx: &mut Cx, m: Mem, shape: u32, key: Value, new: u32) -> Res<bool> {
    let trans = m.r64(shape, 24);
    let cap = transitions(m, trans);
    let entry = |i: u32| word(trans as u32, i);
    let n = count(m, shape);
    let live = (0..cap).filter(|i| is_cell(m.r64(entry(*i), 0))).count() as u32;
    if live >= MAX_TRANSITIONS {
        return Ok(false);
    }
    let used = (0..cap).filter(|i| m.r64(entry(*i), 0) != HOLE).count() as u32;
    let mut t = trans as u32;
    let mut tcap = cap;
    if used + 1 > cap / 4 * 3 {
        tcap = ((live + 1) * 2).next_power_of_two().max(4);
        t = new_transitions(cx, m, tcap)?;
        for i in 0..cap {
            let e = m.r64(entry(i), 0);
            if is_cell(e) {
                place(cx, m, t, tcap, key_at(m, e as u32, n), e);
            }
        }
        cx.heap.write(m, shape.wrapping_add(24), CELL | t as u64);
    }
    place(cx, m, t, tcap, key, CELL | new as u64);
    Ok(true)
}

fn place(cx: &mut Cx, m: Mem, t: u32, cap: u32, key: Value, e: Value) {
    let mut i = key_hash(key) & cap.wrapping_sub(1);
    for _ in 0..cap {
        let at = word(t, i);
        if !is_cell(m.r64(at, 0)) {
            cx.heap.write(m, at, e);
            return;
        }
        i = (i + 1) & (cap - 1);
    }
}

/// A copy of `shape` with another prototype and no transitions (dictionaries: sharing the table).
pub fn with_proto(cx: &mut Cx, m: Mem, shape: u32, proto: Value) -> Res<u32> {
    let s = cx.alloc_pinned(m, 40)?;
    m.w64(s, 0, header(SHAPE, PINNED, 0, count(m, shape)));
    cx.heap.write(m, s + 8, proto);
    // The table is shared: neither side writes into places the other counts, since a place is claimed once.
    m.w64(s, 16, m.r64(shape, 16));
    m.w64(s, 24, UNDEF);
    m.w64(s, 32, m.r64(shape, 32));
    Ok(s)
}

/// The shapes that were made from `shape` by one more property.
pub(crate) fn successors(m: Mem, shape: u32) -> Vec<u32> {
    let trans = m.r64(shape, 24);
    let cap = transitions(m, trans);
    (0..cap).map(|i| m.r64(word(trans as u32, i), 0)).filter(|e| is_cell(*e)).map(|e| e as u32).collect()
}

/// The keys of a shape, in any order. `None`: the heap is damaged.
pub(crate) fn keys(cx: &Cx, m: Mem, shape: u32) -> Option<Vec<Value>> {
    let d = descs(m, shape);
    if !is_dict(m, shape) {
        let n = count(m, shape);
        return (n <= MAX_SHAPE).then(|| (0..n).map(|i| key_at(m, shape, i)).collect());
    }
    let cap = dict_cap(m, d);
    let sound = cap > 0 && cx.heap.holds(d, 24 + 16 * cap as u64);
    sound.then(|| (0..cap).map(|i| m.r64(dict_place(d, i), 0)).filter(|k| *k != HOLE && *k != TOMB).collect())
}

/// A shape by itself: with this prototype, these words of layout, and these properties (key, slot, attributes) in order of slots; in
/// dictionary mode `slots` is the next slot to be given out.
pub(crate) fn like(cx: &mut Cx, m: Mem, proto: Value, meta: u32, all: &[(Value, u32, u8)], slots: u32) -> Res<u32> {
    let s = root(cx, m, proto, 0, 0)?;
    let n = all.len() as u32;
    m.w64(s, 32, int(meta as i32));
    m.w32(s, H_X, n);
    if meta & IS_DICT != 0 {
        let d = new_dict(cx, m, ((n + 4) * 2).next_power_of_two())?;
        for (key, slot, attrs) in all {
            dict_put(cx, m, d, *key, slot << 4 | *attrs as u32)?;
        }
        cx.heap.write(m, d.wrapping_add(16), int(slots as i32));
        cx.heap.write(m, s + 16, CELL | d as u64);
    } else if n > 0 {
        let d = cx.alloc_old(m, 8 + n * 16)?;
        m.w64(d, 0, header(DESCS, 0, 0, n * 2));
        for (i, (key, _, attrs)) in all.iter().enumerate() {
            cx.heap.write(m, desc(d, i as u32), *key);
            cx.heap.write(m, desc(d, i as u32) + 8, int(*attrs as i32));
        }
        cx.heap.write(m, s + 16, CELL | d as u64);
    }
    Ok(s)
}

// ---- dictionaries ----

/// Properties of a dictionary, at most.
const MAX_DICT: u32 = 1 << 26;
/// Places written between two charges.
const SLICE: u32 = 4096;

/// Places of a dictionary; 0 if the header is none of a dictionary's. At least a quarter of them are holes.
fn dict_cap(m: Mem, d: u32) -> u32 {
    let cap = m.r32(d, H_X).wrapping_sub(2) / 2;
    let sound = cap.is_power_of_two() && cap <= MAX_DICT * 4 && m.r32(d, H_X) & 1 == 0 && m.r8(d, H_KIND) == DICT;
    if sound && m.r32(d, 8) <= cap { cap } else { 0 }
}
/// Address of the entry at place `i`.
#[inline(always)]
fn dict_place(d: u32, i: u32) -> u32 {
    d.wrapping_add(24).wrapping_add(i.wrapping_mul(16))
}

/// Address of the entry of `key`, and `attributes | slot << 4`.
fn dict_find(m: Mem, shape: u32, key: Value) -> Option<(u32, u32)> {
    let d = descs(m, shape);
    let cap = dict_cap(m, d);
    let mut i = key_hash(key) & cap.wrapping_sub(1);
    for _ in 0..cap {
        let at = dict_place(d, i);
        let k = m.r64(at, 0);
        if k == key {
            return Some((at, m.r32(at, 8)));
        }
        if k == HOLE {
            return None;
        }
        i = (i + 1) & cap.wrapping_sub(1);
    }
    None
}

fn new_dict(cx: &mut Cx, m: Mem, cap: u32) -> Res<u32> {
    let bytes = 24 + cap as u64 * 16;
    let Ok(bytes) = u32::try_from(bytes) else { return Err(cx.stop(Abort::Heap)) };
    let d = cx.alloc_old(m, bytes)?;
    m.w64(d, 0, header(DICT, 0, 0, 2 + cap * 2));
    m.w64(d, 8, int(0));
    m.w64(d, 16, int(0));
    for i in 0..cap {
        if i % SLICE == 0 {
            cx.charge(cap.min(SLICE) as u64 / 4)?;
        }
        m.w64(dict_place(d, i), 0, HOLE);
        m.w64(dict_place(d, i), 8, int(0));
    }
    Ok(d)
}

fn dict_put(cx: &mut Cx, m: Mem, d: u32, key: Value, info: u32) -> Res<()> {
    let cap = dict_cap(m, d);
    let mut i = key_hash(key) & cap.wrapping_sub(1);
    for probes in 0..cap {
        let at = dict_place(d, i);
        if m.r64(at, 0) == HOLE {
            // many in a row: keys of one hash, or a damaged heap
            cx.charge(1 + probes as u64 / 8)?;
            cx.heap.write(m, at, key);
            cx.heap.write(m, at.wrapping_add(8), int(info as i32));
            let used = as_int(m.r64(d, 8)).wrapping_add(1);
            cx.heap.write(m, d.wrapping_add(8), int(used));
            return Ok(());
        }
        i = (i + 1) & cap.wrapping_sub(1);
    }
    cx.charge(cap as u64 / 8)
}

/// A dictionary's own shape with the properties of `shape`, slots as they are (an object's slots must be laid out as
/// "spilled" by the caller: see `object::to_dict`).
pub fn to_dict(cx: &mut Cx, m: Mem, shape: u32) -> Res<u32> {
    let n = count(m, shape);
    if n > MAX_SHAPE {
        // no shape with a list of its own has so many: the heap is damaged
        return Err(cx.stop(Abort::Corrupt));
    }
    cx.charge(n as u64)?;
    let d = new_dict(cx, m, ((n + 8) * 2).next_power_of_two())?;
    for i in 0..n {
        dict_put(cx, m, d, key_at(m, shape, i), i << 4 | attrs_at(m, shape, i) as u32)?;
    }
    m.w64(d, 16, int(n as i32));
    dict_shape(cx, m, shape, d, n)
}

fn dict_shape(cx: &mut Cx, m: Mem, like: u32, d: u32, n: u32) -> Res<u32> {
    let s = cx.alloc_pinned(m, 40)?;
    m.w64(s, 0, header(SHAPE, PINNED, 0, n));
    cx.heap.write(m, s + 8, proto(m, like));
    m.w64(s, 16, CELL | d as u64);
    m.w64(s, 24, UNDEF);
    m.w64(s, 32, int(((meta(m, like) | IS_DICT) & !VIRTUAL) as i32));
    Ok(s)
}

/// Next slot of a dictionary.
pub fn dict_slots(m: Mem, shape: u32) -> u32 {
    m.r32(descs(m, shape), 16)
}

/// Adds `key` to a dictionary that lacks it; gives its slot.
pub fn dict_add(cx: &mut Cx, m: Mem, shape: u32, key: Value, attrs: u8) -> Res<u32> {
    let mut d = descs(m, shape);
    let (used, cap) = (m.r32(d, 8), dict_cap(m, d));
    if cap == 0 {
        return Err(cx.stop(Abort::Corrupt));
    }
    if used >= cap / 4 * 3 {
        let n = count(m, shape);
        if n > MAX_DICT {
            return Err(cx.stop(Abort::Heap));
        }
        let new = new_dict(cx, m, ((n + 4) * 2).next_power_of_two())?;
        for i in 0..cap {
            if i % SLICE == 0 {
                cx.charge(cap.min(SLICE) as u64)?;
            }
            let at = dict_place(d, i);
            let k = m.r64(at, 0);
            if k != HOLE && k != TOMB {
                dict_put(cx, m, new, k, m.r32(at, 8))?;
            }
        }
        m.w64(new, 16, m.r64(d, 16));
        cx.heap.write(m, shape.wrapping_add(16), CELL | new as u64);
        d = new;
    }
    let slot = m.r32(d, 16);
    dict_put(cx, m, d, key, slot << 4 | attrs as u32)?;
    cx.heap.write(m, d.wrapping_add(16), int((slot as i32).wrapping_add(1)));
    set_count(cx, m, shape, count(m, shape).wrapping_add(1));
    Ok(slot)
}

fn set_count(cx: &mut Cx, m: Mem, shape: u32, n: u32) {
    cx.heap.dirty(m, shape, 8);
    m.w32(shape, H_X, n);
}

/// Changes attributes in place. What was cached of the property is void: the caller gives the object a new shape (`dict_renew`).
pub fn dict_set_attrs(cx: &mut Cx, m: Mem, shape: u32, key: Value, attrs: u8) {
    if let Some((at, info)) = dict_find(m, shape, key) {
        cx.heap.write(m, at.wrapping_add(8), int(((info & !15) | attrs as u32) as i32));
    }
}

pub fn dict_remove(cx: &mut Cx, m: Mem, shape: u32, key: Value) {
    if let Some((at, _)) = dict_find(m, shape, key) {
        cx.heap.write(m, at, TOMB);
        set_count(cx, m, shape, count(m, shape).saturating_sub(1));
    }
}

/// The same dictionary under a new shape, so that nothing cached of the old one holds.
pub fn dict_renew(cx: &mut Cx, m: Mem, shape: u32) -> Res<u32> {
    dict_shape(cx, m, shape, descs(m, shape), count(m, shape))
}

/// (key, slot, attributes) of all own properties in the order they were added.
pub fn entries(cx: &mut Cx, m: Mem, shape: u32) -> Res<Aside<(Value, u32, u8)>> {
    let n = count(m, shape);
    if !is_dict(m, shape) {
        cx.charge(n.min(MAX_SHAPE) as u64 / 4)?;
        if n > MAX_SHAPE {
            return Err(cx.stop(Abort::Corrupt));
        }
        let mut all = Aside::with_capacity(n as usize);
        all.extend((0..n).map(|i| (key_at(m, shape, i), i, attrs_at(m, shape, i))));
        return Ok(all);
    }
    let d = descs(m, shape);
    let cap = dict_cap(m, d);
    if !cx.heap.holds(d, 24 + 16 * cap as u64) {
        return Err(cx.stop(Abort::Corrupt));
    }
    crate::object::check_number(cx, m, n)?;
    let mut v = Aside::with_capacity(n as usize);
    for i in 0..cap {
        if i % SLICE == 0 {
            cx.charge(cap.min(SLICE) as u64 / 4)?;
        }
        let at = dict_place(d, i);
        let k = m.r64(at, 0);
        if k != HOLE && k != TOMB {
            let info = m.r32(at, 8);
            v.push((k, info >> 4, info as u8 & 15));
        }
    }
    in_order(cx, v)
}

/// Sorted by slot. Where most slots are in use each entry goes where its slot says.
fn in_order(cx: &mut Cx, mut v: Aside<(Value, u32, u8)>) -> Res<Aside<(Value, u32, u8)>> {
    let n = v.len();
    if n <= SLICE as usize {
        v.sort_unstable_by_key(|e| e.1);
        return Ok(v);
    }
    let mut end = 0;
    for slice in v.chunks(SLICE as usize) {
        cx.charge(SLICE as u64 / 4)?;
        end = slice.iter().fold(end, |end, e| end.max(e.1 as usize + 1));
    }
    if end > n.saturating_mul(8) {
        // most were deleted
        crate::builtins::sort::merge_sort(cx, &mut v, |_, x, y| Ok(x.1.cmp(&y.1)))?;
        return Ok(v);
    }
    let mut places = Aside::with_capacity(end);
    while places.len() < end {
        cx.charge(SLICE as u64 / 4)?;
        let more = (places.len() + SLICE as usize).min(end);
        places.resize(more, u32::MAX);
    }
    for (i, e) in v.iter().enumerate() {
        if i % SLICE as usize == 0 {
            cx.charge(SLICE as u64 / 2)?;
        }
        places[e.1 as usize] = i as u32;
    }
    let mut sorted = Aside::with_capacity(n);
    for (i, at) in places.into_iter().enumerate() {
        if i % SLICE as usize == 0 {
            cx.charge(SLICE as u64 / 2)?;
        }
        if let Some(e) = v.get(at as usize) {
            sorted.push(*e);
        }
    }
    Ok(sorted)
}
