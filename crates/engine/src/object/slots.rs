//! Slots: where a property's word lies, and how an object gets one more.
//!
//! In: an object, its shape, a slot's number. Out: addresses; objects with another shape.
//!
//! Invariants
//! - a shape's first `cap` slots lie in the object, the others in its overflow, which grows before the shape changes;
//! - a dictionary's shape belongs to one object alone.
use super::*;
use crate::aside::Aside;

/// Words written between two charges.
const SLICE: u32 = 1 << 14;

/// Address of slot `i` of `o` in shape `s`; 0 if it has none.
#[inline]
pub fn slot_addr(m: Mem, o: Value, s: u32, i: u32) -> u32 {
    let (at, meta) = (o as u32, shape::meta(m, s));
    if meta & EXOTIC == 0 {
        let cap = meta & 0xFF;
        if i + 1 < cap || (shape::count(m, s) <= cap && meta & shape::IS_DICT == 0) {
            return at.wrapping_add(8 + i * 8);
        }
        return overflow_addr(m, m.r64(at.wrapping_add(cap * 8), 0), (i + 1).wrapping_sub(cap));
    }
    overflow_addr(m, m.r64(overflow_place(m, o, s), 0), i)
}

fn overflow_addr(m: Mem, elems: Value, i: u32) -> u32 {
    if !is_cell(elems) || i >= m.r32(elems as u32, H_X) { 0 } else { (elems as u32).wrapping_add(8 + i * 8) }
}

/// Where the reference to the overflow slots of `o` stands.
fn overflow_place(m: Mem, o: Value, s: u32) -> u32 {
    let (at, meta) = (o as u32, shape::meta(m, s));
    if meta & EXOTIC == 0 {
        at.wrapping_add((meta & 0xFF) * 8)
    } else if kind(m, o) == ARR {
        // behind the elements: arrays with named properties are rare
        let e = m.r64(at, 8) as u32;
        e.wrapping_add(8).wrapping_add(m.r32(e, H_X).wrapping_mul(8))
    } else {
        at.wrapping_add(8)
    }
}

/// A reference array of `n` words, filled with `fill`.
pub fn new_elems(cx: &mut Cx, m: Mem, n: u32, tail: bool, fill: Value) -> Res<u32> {
    new_elems_from(cx, m, n, tail, fill, 0)
}

/// As `new_elems`, filled from element `from` on: the caller writes those before at once.
pub fn new_elems_from(cx: &mut Cx, m: Mem, n: u32, tail: bool, fill: Value, from: u32) -> Res<u32> {
    let words = n.checked_add(tail as u32).filter(|w| *w < 1 << 28);
    let Some(words) = words else { return Err(cx.stop(Abort::Heap)) };
    let e = cx.alloc(m, 8 + words * 8)?;
    m.w64(e, 0, header(ELEMS, 0, tail as u16, n));
    for i in from..n {
        if i % SLICE == 0 {
            cx.charge((n - i).min(SLICE) as u64 / 16)?;
        }
        m.w64(e.wrapping_add(8 + i * 8), 0, fill);
    }
    if tail {
        m.w64(e.wrapping_add(8 + n * 8), 0, UNDEF);
    }
    Ok(e)
}

/// Grows the overflow slots of `o` (laid out for shape `s`) to hold index `i`.
fn grow_overflow(cx: &mut Cx, m: Mem, o: Value, s: u32, i: u32) -> Res<()> {
    if kind(m, o) == ARR {
        let e = m.r64(o as u32, 8) as u32;
        if m.r16(e, H_N) == 0 {
            crate::array::resize(cx, m, o, m.r32(e, H_X), true)?;
        }
    }
    let place = overflow_place(m, o, s);
    let old = m.r64(place, 0);
    let have = if is_cell(old) { m.r32(old as u32, H_X) } else { 0 };
    if i < have {
        return Ok(());
    }
    if have > 0 && !cx.heap.holds(old as u32, 8 + 8 * have as u64) {
        return Err(cx.stop(Abort::Corrupt));
    }
    let n = (i + 1).max(have + have / 2).max(3);
    let e = new_elems(cx, m, n, false, UNDEF)?;
    for k in 0..have {
        if k % SLICE == 0 {
            cx.charge((have - k).min(SLICE) as u64 / 8)?;
        }
        let v = m.r64((old as u32).wrapping_add(8 + k * 8), 0);
        cx.heap.write(m, e.wrapping_add(8 + k * 8), v);
    }
    let place = overflow_place(m, o, s);
    cx.heap.write(m, place, CELL | e as u64);
    Ok(())
}

/// Moves `o` to `new` (its shape plus one property) and stores the property's value.
pub fn add_slot(cx: &mut Cx, m: Mem, o: Value, new: u32, v: Value) -> Res<()> {
    let (i, meta) = (shape::count(m, new).wrapping_sub(1) & 0xFFF_FFFF, shape::meta(m, new));
    if meta & EXOTIC != 0 {
        grow_overflow(cx, m, o, new, i)?;
    } else if i >= meta & 0xFF {
        let cap = meta & 0xFF;
        if i == cap {
            // the last inline slot makes room for the reference to the overflow slots
            let last = m.r64((o as u32).wrapping_add(cap * 8), 0);
            let e = new_elems(cx, m, 4, false, UNDEF)?;
            m.w64(e, 8, last);
            cx.heap.write(m, (o as u32).wrapping_add(cap * 8), CELL | e as u64);
        } else {
            grow_overflow(cx, m, o, new, i + 1 - cap)?;
        }
    }
    set_shape(cx, m, o, new);
    let at = slot_addr(m, o, new, i);
    cx.heap.write(m, at, v);
    Ok(())
}

/// A new ordinary object with the properties and values of `like`, which is one too and no dictionary.
pub fn twin(cx: &mut Cx, m: Mem, like: Value) -> Res {
    let (from, s) = (like as u32, shape::of(m, like));
    let (cap, n) = (shape::cap(m, s), shape::count(m, s));
    if kind(m, like) != RECORD || shape::is_dict(m, s) {
        return Err(cx.stop(Abort::Corrupt));
    }
    cx.charge(n as u64 / 4)?;
    let o = from_shape(cx, m, s)?;
    for i in 0..cap {
        cx.heap.write(m, (o as u32).wrapping_add(8 + i * 8), m.r64(from.wrapping_add(8 + i * 8), 0));
    }
    if n > cap {
        let rest = n + 1 - cap;
        let old = m.r64(from.wrapping_add(cap * 8), 0) as u32;
        let e = new_elems_from(cx, m, rest, false, UNDEF, rest)?;
        for i in 0..rest {
            cx.heap.write(m, e.wrapping_add(8 + i * 8), m.r64(old.wrapping_add(8 + i * 8), 0));
        }
        cx.heap.write(m, (o as u32).wrapping_add(cap * 8), CELL | e as u64);
    }
    Ok(o)
}

/// Turns `o` into a dictionary (slots spilled); gives its new shape.
pub fn to_dict(cx: &mut Cx, m: Mem, o: Value) -> Res<u32> {
    let s = shape::of(m, o);
    if shape::is_dict(m, s) {
        return Ok(s);
    }
    let (n, meta) = (shape::count(m, s), shape::meta(m, s));
    let cap = meta & 0xFF;
    let new = shape::to_dict(cx, m, s)?;
    if meta & EXOTIC == 0 && n <= cap {
        let last = m.r64((o as u32).wrapping_add(cap * 8), 0);
        let e = new_elems(cx, m, 4, false, UNDEF)?;
        m.w64(e, 8, last);
        cx.heap.write(m, (o as u32).wrapping_add(cap * 8), CELL | e as u64);
    }
    set_shape(cx, m, o, new);
    add_flags(cx, m, o, DICT_MODE);
    Ok(new)
}

/// Adds own property `key`, known to be absent, whatever the flags say.
pub fn add_property(cx: &mut Cx, m: Mem, o: Value, key: Value, attrs: u8, v: Value) -> Res<()> {
    if shape::meta(m, shape::of(m, o)) & VIRTUAL != 0 && key != roots::get(m, R_ID) {
        function::materialize(cx, m, o)?;
    }
    let s = shape::of(m, o);
    if !shape::is_dict(m, s) {
        if let Some(new) = shape::add(cx, m, s, key, attrs)? {
            return add_slot(cx, m, o, new, v);
        }
        to_dict(cx, m, o)?;
    }
    let s = compact_dict(cx, m, o)?;
    let slot = shape::dict_add(cx, m, s, key, attrs)?;
    let meta = shape::meta(m, s);
    let i = if meta & EXOTIC == 0 { (slot + 1).saturating_sub(meta & 0xFF) } else { slot };
    if meta & EXOTIC != 0 || slot + 1 >= meta & 0xFF {
        grow_overflow(cx, m, o, s, i)?;
    }
    let at = slot_addr(m, o, s, slot);
    cx.heap.write(m, at, v);
    Ok(())
}

/// Renumbers the slots of a dictionary most of whose slots belong to deleted properties.
fn compact_dict(cx: &mut Cx, m: Mem, o: Value) -> Res<u32> {
    let s = shape::of(m, o);
    if shape::dict_slots(m, s) <= shape::count(m, s).saturating_mul(2).saturating_add(64) {
        return Ok(s);
    }
    let all = shape::entries(cx, m, s)?;
    let mut values = Aside::with_capacity(all.len());
    for slice in all.chunks(1024) {
        cx.charge(slice.len() as u64 / 8)?;
        values.extend(slice.iter().map(|e| m.r64(slot_addr(m, o, s, e.1), 0)));
    }
    let empty = shape::root(cx, m, shape::proto(m, s), shape::cap(m, s) as u8, shape::meta(m, s) & (EXOTIC | shape::ARRAY))?;
    let new = shape::to_dict(cx, m, empty)?;
    set_shape(cx, m, o, new);
    for ((key, _, attrs), v) in all.into_iter().zip(values) {
        cx.charge(1)?;
        let slot = shape::dict_add(cx, m, new, key, attrs)?;
        let at = slot_addr(m, o, new, slot);
        cx.heap.write(m, at, v);
    }
    Ok(new)
}

/// Changes attributes and value of existing own property `key` (slot `i`).
pub(crate) fn reconfigure(cx: &mut Cx, m: Mem, o: Value, key: Value, attrs: u8, v: Value) -> Res<()> {
    let s = to_dict(cx, m, o)?;
    shape::dict_set_attrs(cx, m, s, key, attrs);
    let new = shape::dict_renew(cx, m, s)?;
    set_shape(cx, m, o, new);
    if let Some((i, _)) = shape::find(m, new, key) {
        let at = slot_addr(m, o, new, i);
        cx.heap.write(m, at, v);
    }
    Ok(())
}
