//! Arrays: dense elements, length, and the exotic [[DefineOwnProperty]] of ECMA-262 10.4.2.
//!
//! ```text
//! ARR  1 ELEMS (x capacity; n = 1 if one more word at the end holds the overflow slots of named properties), 2 length
//! ```
//! Invariants
//! - elements from length on, up to the capacity, are holes;
//! - an index at or past the capacity, or a hole, may be a named property only if SPARSE is set.
use crate::aside::Aside;
use crate::convert;
use crate::cx::{Abort, Cx, Res, Value};
use crate::kinds::*;
use crate::object::{self, Desc};
use crate::roots::{self, *};
use crate::shape::WEC;
use cage::Mem;
use cage::layout::{H_N, H_X, header};
use cage::value::*;

/// How far past the capacity a store still extends the dense elements.
const MAX_GAP: u32 = 1 << 20;
/// Elements an array can hold densely.
pub const MAX_DENSE: u32 = 1 << 27;
/// Elements copied or written between two charges.
const SLICE: u32 = 1 << 14;

#[inline(always)]
pub fn is_array(m: Mem, v: Value) -> bool {
    is_obj(v) && object::kind(m, v) == ARR
}
/// Address of the elements object.
#[inline(always)]
pub fn elems(m: Mem, a: Value) -> u32 {
    m.r64(a as u32, 8) as u32
}
#[inline(always)]
pub fn capacity(m: Mem, a: Value) -> u32 {
    m.r32(elems(m, a), H_X)
}
/// The length as a number.
pub fn length(m: Mem, a: Value) -> f64 {
    num(m.r64(a as u32, 16))
}
/// The part of the length that dense elements can hold.
pub fn dense_len(m: Mem, a: Value) -> u32 {
    let l = m.r64(a as u32, 16);
    let cap = capacity(m, a).min(MAX_DENSE);
    if is_int(l) { (l as u32).min(cap) } else { cap }
}
/// `dense_len`, where work is sized by it: elements that do not lie in the heap end the turn.
pub fn sound_len(cx: &mut Cx, m: Mem, a: Value) -> Res<u32> {
    let n = dense_len(m, a);
    if cx.heap.holds(elems(m, a), 8 + 8 * n as u64) { Ok(n) } else { Err(cx.stop(Abort::Corrupt)) }
}
/// Copies of the dense elements; holes are HOLE.
pub fn values(cx: &mut Cx, m: Mem, a: Value) -> Res<Aside<Value>> {
    let (n, e) = (sound_len(cx, m, a)?, elems(m, a));
    let mut all = Aside::with_capacity(n as usize);
    let mut i = 0;
    while i < n {
        let end = (i + SLICE).min(n);
        cx.charge((end - i) as u64 / 8)?;
        all.extend((i..end).map(|k| m.r64(at(e, k), 0)));
        i = end;
    }
    Ok(all)
}
/// Is this so of each of the dense elements? Holes are HOLE.
pub fn all(cx: &mut Cx, m: Mem, a: Value, is: impl Fn(Value) -> bool) -> Res<bool> {
    let (n, e) = (sound_len(cx, m, a)?, elems(m, a));
    let mut i = 0;
    while i < n {
        let end = (i + SLICE).min(n);
        cx.charge((end - i) as u64 / 4)?;
        if !(i..end).all(|k| is(m.r64(at(e, k), 0))) {
            return Ok(false);
        }
        i = end;
    }
    Ok(true)
}
/// Address of element `i` of elements object `e`.
#[inline(always)]
fn at(e: u32, i: u32) -> u32 {
    e.wrapping_add(8).wrapping_add(i.wrapping_mul(8))
}
/// Dense element `i`, or HOLE.
#[inline]
pub fn element(m: Mem, a: Value, i: u32) -> Value {
    let e = elems(m, a);
    if i < m.r32(e, H_X) { m.r64(at(e, i), 0) } else { HOLE }
}

/// A new array of the given values.
pub fn from_slice(cx: &mut Cx, m: Mem, items: &[Value]) -> Res {
    let a = with_capacity(cx, m, items.len() as u32)?;
    let e = elems(m, a);
    for (i, v) in items.iter().enumerate() {
        if i % SLICE as usize == 0 {
            cx.charge((items.len() - i).min(SLICE as usize) as u64 / 8)?;
        }
        cx.heap.write(m, at(e, i as u32), *v);
    }
    m.w64(a as u32, 16, int(items.len() as i32));
    Ok(a)
}

/// An empty array with room.
pub fn with_capacity(cx: &mut Cx, m: Mem, cap: u32) -> Res {
    let e = object::new_elems(cx, m, cap, false, HOLE)?;
    let at = cx.alloc(m, 24)?;
    m.w64(at, 0, header(ARR, 0, 0, roots::get(m, R_SHAPE_ARRAY) as u32));
    m.w64(at, 8, CELL | e as u64);
    m.w64(at, 16, int(0));
    Ok(OBJ | at as u64)
}

/// Gives `a` elements of capacity `cap`, keeping what fits (and the overflow slots, or a place for them).
pub fn resize(cx: &mut Cx, m: Mem, a: Value, cap: u32, tail: bool) -> Res<()> {
    let old = elems(m, a);
    let (have, had_tail) = (m.r32(old, H_X), m.r16(old, H_N) != 0);
    if have > MAX_DENSE * 2 || !cx.heap.holds(old, 8 + 8 * have as u64) {
        return Err(cx.stop(Abort::Corrupt));
    }
    let tail = tail || had_tail;
    let n = have.min(cap);
    let e = object::new_elems_from(cx, m, cap, tail, HOLE, n)?;
    let mut i = 0;
    while i < n {
        let k = (n - i).min(SLICE);
        cx.charge(k as u64 / 8)?;
        if e < cage::layout::OLD {
            m.copy(at(old, i), at(e, i), k * 8);
        } else {
            cx.heap.copy_values(m, at(old, i), at(e, i), k);
        }
        i += k;
    }
    if had_tail {
        let v = m.r64(at(old, have), 0);
        cx.heap.write(m, at(e, cap), v);
    }
    cx.heap.write(m, (a as u32).wrapping_add(8), CELL | e as u64);
    Ok(())
}

/// Makes room for index `i` (below MAX_DENSE).
pub fn reserve(cx: &mut Cx, m: Mem, a: Value, i: u32) -> Res<()> {
    let cap = capacity(m, a);
    if i < cap {
        return Ok(());
    }
    let want = (i + 1).max(cap.saturating_add(cap / 2 + 4)).min(MAX_DENSE * 2);
    resize(cx, m, a, want, false)
}

fn set_len(cx: &mut Cx, m: Mem, a: Value, n: f64) {
    cx.heap.write(m, (a as u32).wrapping_add(16), from_num(n));
}

/// Appends to an array that is extensible and whose length may grow.
#[inline]
pub fn push(cx: &mut Cx, m: Mem, a: Value, v: Value) -> Res<()> {
    let l = m.r64(a as u32, 16);
    if object::flags(m, a) & (NONEXT | FROZEN | FIXED_LENGTH | SPARSE) != 0 || !is_int(l) || l as u32 >= MAX_DENSE {
        return push_slow(cx, m, a, v);
    }
    let i = l as u32;
    if i >= capacity(m, a) {
        reserve(cx, m, a, i)?;
    }
    let e = elems(m, a);
    cx.heap.write(m, at(e, i), v);
    cx.heap.write(m, (a as u32).wrapping_add(16), int(i as i32 + 1));
    Ok(())
}

#[cold]
fn push_slow(cx: &mut Cx, m: Mem, a: Value, v: Value) -> Res<()> {
    let n = length(m, a);
    let key = object::key_of(cx, m, from_num(n))?;
    object::put(cx, m, a, key, v)?;
    let len = roots::get(m, R_STR_LENGTH);
    object::put(cx, m, a, len, from_num(n + 1.0))
}

/// Stores to an element that exists and can be written. False: take the long way.
pub fn set_existing(cx: &mut Cx, m: Mem, a: Value, i: u32, v: Value) -> Res<bool> {
    if object::flags(m, a) & FROZEN != 0 {
        return Ok(false);
    }
    if element(m, a, i) != HOLE {
        let slot = at(elems(m, a), i);
        cx.heap.write(m, slot, v);
        return Ok(true);
    }
    let l = m.r64(a as u32, 16);
    // beyond MAX_DENSE `push` would come back here
    if is_int(l)
        && l as u32 == i
        && i < MAX_DENSE
        && object::flags(m, a) & (NONEXT | SPARSE | FIXED_LENGTH) == 0
        && plain_protos(m, a)
    {
        push(cx, m, a, v)?;
        return Ok(true);
    }
    Ok(false)
}

/// Nothing on the prototype chain can hold an index: the two standard, frozen prototypes or none.
fn plain_protos(m: Mem, a: Value) -> bool {
    let p = object::proto_of(m, a);
    p == roots::get(m, R_ARRAY_PROTO) && object::flags(m, p) & FROZEN != 0
}

/// Makes a hole.
pub fn punch(cx: &mut Cx, m: Mem, a: Value, i: u32) -> Res<bool> {
    let slot = at(elems(m, a), i);
    cx.heap.write(m, slot, HOLE);
    Ok(true)
}

/// [[DefineOwnProperty]] of arrays.
pub fn define(cx: &mut Cx, m: Mem, a: Value, key: Value, d: Desc) -> Res<bool> {
    if key == roots::get(m, R_STR_LENGTH) {
        return set_length(cx, m, a, d);
    }
    let Some(i) = index_of(cx, m, key) else { return object::ordinary_define(cx, m, a, key, d) };
    let len = length(m, a);
    let f = object::flags(m, a);
    if i >= len && f & (FIXED_LENGTH | FROZEN) != 0 {
        return Ok(false);
    }
    let plain = [d.writable, d.enumerable, d.configurable];
    let dense = i < MAX_DENSE as f64 && i < capacity(m, a) as f64 + MAX_GAP as f64 && !d.is_accessor();
    let here = if is_int(key) { element(m, a, key as u32) } else { HOLE };
    if here != HOLE {
        if f & (FROZEN | SEALED) == 0 && !d.is_accessor() && plain.iter().all(|p| *p != Some(false)) {
            if let Some(v) = d.value {
                let slot = at(elems(m, a), key as u32);
                cx.heap.write(m, slot, v);
            }
            return Ok(true);
        }
        if !redefine_dense(cx, m, a, key, d)? {
            return Ok(false);
        }
    } else if dense && f & SPARSE == 0 && plain.iter().all(|p| *p == Some(true)) {
        if f & (NONEXT | FROZEN) != 0 {
            return Ok(false);
        }
        let i = i as u32;
        reserve(cx, m, a, i)?;
        let slot = at(elems(m, a), i);
        cx.heap.write(m, slot, d.value.unwrap_or(UNDEF));
    } else {
        object::add_flags(cx, m, a, SPARSE);
        if !object::ordinary_define(cx, m, a, key, d)? {
            return Ok(false);
        }
    }
    if i >= len {
        set_len(cx, m, a, i + 1.0);
    }
    Ok(true)
}

/// Moves a dense element among the named properties and redefines it there.
fn redefine_dense(cx: &mut Cx, m: Mem, a: Value, key: Value, d: Desc) -> Res<bool> {
    let v = element(m, a, key as u32);
    let f = object::flags(m, a);
    if f & (FROZEN | SEALED) != 0 {
        // it cannot become anything else; equal descriptors are accepted
        let w = f & FROZEN == 0;
        let same =
            !d.is_accessor() && d.configurable != Some(true) && d.enumerable != Some(false) && (w || d.writable != Some(true));
        if !same {
            return Ok(false);
        }
        if w && d.writable != Some(false) {
            if let Some(x) = d.value {
                let slot = at(elems(m, a), key as u32);
                cx.heap.write(m, slot, x);
            }
            return Ok(true);
        }
        if !w {
            return match d.value {
                Some(x) => convert::same_value(cx, m, x, v),
                None => Ok(true),
            };
        }
    }
    punch(cx, m, a, key as u32)?;
    object::add_flags(cx, m, a, SPARSE);
    object::add_property(cx, m, a, key, WEC, v)?;
    object::ordinary_define(cx, m, a, key, d)
}

/// The array index a key is, if it is one (below 2^32 - 1).
fn index_of(cx: &mut Cx, m: Mem, key: Value) -> Option<f64> {
    if is_int(key) {
        return Some(as_int(key) as f64);
    }
    if !is_str(key) || crate::string::len(m, key) != 10 {
        return None;
    }
    let t = crate::string::to_rust(cx, m, key).ok()?;
    t.parse::<u32>().ok().filter(|i| *i != u32::MAX && !t.starts_with('+')).map(|i| i as f64)
}

/// ArraySetLength
fn set_length(cx: &mut Cx, m: Mem, a: Value, d: Desc) -> Res<bool> {
    let mut new = None;
    if let Some(v) = d.value {
        // converted twice, as the standard says, and before anything is looked at
        let n = convert::to_uint32(cx, m, v)? as f64;
        if n != convert::to_number(cx, m, v)? {
            return Err(cx.range_error(m, "Invalid array length"));
        }
        new = Some(n);
    }
    if d.is_accessor() || d.configurable == Some(true) || d.enumerable == Some(true) {
        return Ok(false);
    }
    let fixed = object::flags(m, a) & (FIXED_LENGTH | FROZEN) != 0;
    let old = length(m, a);
    if fixed && (d.writable == Some(true) || new.is_some_and(|n| n != old)) {
        return Ok(false);
    }
    let mut all = true;
    if let Some(n) = new {
        let n = if n < old { truncate(cx, m, a, n)? } else { n };
        all = Some(n) == new;
        set_len(cx, m, a, n);
    }
    if d.writable == Some(false) {
        object::add_flags(cx, m, a, FIXED_LENGTH);
    }
    Ok(all)
}

/// Deletes elements from the end down to `n`; one that cannot be deleted stops it. What the length is then.
fn truncate(cx: &mut Cx, m: Mem, a: Value, mut n: f64) -> Res<f64> {
    let f = object::flags(m, a);
    let dense = sound_len(cx, m, a)?;
    if f & SEALED != 0 {
        let mut end = dense;
        while end as f64 > n && element(m, a, end - 1) == HOLE {
            if end % 64 == 0 {
                cx.charge(8)?;
            }
            end -= 1;
        }
        n = n.max(end as f64);
    }
    if f & SPARSE != 0 {
        let mut named = Aside::new();
        let keys = object::own_keys(cx, m, a)?;
        for slice in keys.chunks(1024) {
            cx.charge(slice.len() as u64 / 4)?;
            for k in slice.iter().copied().filter(|k| !is_sym(*k)) {
                if let Some(i) = index_of(cx, m, k).filter(|i| *i >= n)
                    && (!is_int(k) || element(m, a, k as u32) == HOLE)
                {
                    named.push((i, k));
                }
            }
        }
        while let Some((i, k)) = named.pop() {
            if !object::delete(cx, m, a, k)? {
                n = i + 1.0;
                break;
            }
        }
    }
    let from = n.min(dense as f64) as u32;
    if from == 0 && dense > 64 {
        resize(cx, m, a, 0, false)?;
    } else {
        let e = elems(m, a);
        for i in from..dense {
            if (i - from).is_multiple_of(SLICE) {
                cx.charge((dense - i).min(SLICE) as u64 / 4)?;
            }
            cx.heap.write(m, at(e, i), HOLE);
        }
    }
    Ok(n)
}

/// Sets the length after natives moved the elements themselves.
pub fn set_length_plain(cx: &mut Cx, m: Mem, a: Value, n: u32) {
    set_len(cx, m, a, n as f64);
}

/// Indices of dense elements that are no holes, ascending.
pub fn own_indices(cx: &mut Cx, m: Mem, a: Value, keys: &mut Aside<Value>) -> Res<()> {
    let (n, e) = (sound_len(cx, m, a)?, elems(m, a));
    for i in 0..n {
        if i % SLICE == 0 {
            cx.charge((n - i).min(SLICE) as u64 / 8)?;
            object::check_number(cx, m, keys.len() as u32)?;
        }
        if m.r64(at(e, i), 0) != HOLE {
            keys.push(int(i as i32));
        }
    }
    Ok(())
}

/// A plain array all of whose elements up to its length are dense, with nothing special about it: natives may read and
/// write elements directly. Gives its length.
pub fn simple(m: Mem, a: Value) -> Option<u32> {
    if !is_array(m, a) || object::flags(m, a) & (SPARSE | FROZEN | NONEXT | FIXED_LENGTH | SEALED) != 0 {
        return None;
    }
    let l = m.r64(a as u32, 16);
    // more than any capacity is: a damaged heap, and sums over lengths shall stay below 2^32
    if is_int(l) && l as u32 <= capacity(m, a).min(MAX_DENSE * 2) { Some(l as u32) } else { None }
}
