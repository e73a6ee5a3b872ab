//! What the methods of arrays are made of: the long way by keys, the short way by elements.
//!
//! In: arrays and array-likes, indices as doubles (long way) or as places in an elements object (short way).
//! Out: values, new arrays.
use crate::array;
use crate::cx::{Cx, Res, Value};
use crate::kinds::*;
use crate::object;
use crate::roots::{self, *};
use crate::shape;
use cage::Mem;
use cage::layout::OLD;
use cage::value::*;

/// Elements between two looks at the meter.
pub(super) const SLICE: u32 = 1 << 14;
/// Elements `new Array(n)` makes room for at once.
const MAX_PRESIZE: f64 = 65536.0;

/// The property key of index `k`.
pub fn key(cx: &mut Cx, m: Mem, k: f64) -> Res {
    object::key_of(cx, m, from_num(k))
}
/// LengthOfArrayLike
pub fn length_of(cx: &mut Cx, m: Mem, o: Value) -> Res<f64> {
    if array::is_array(m, o) {
        return Ok(array::length(m, o));
    }
    let v = object::get(cx, m, o, roots::get(m, R_STR_LENGTH))?;
    crate::convert::to_length(cx, m, v)
}
/// Units of work of one look-up by index that takes the long way.
const LOOKUP: u64 = 12;

pub fn get_at(cx: &mut Cx, m: Mem, o: Value, k: f64) -> Res {
    cx.charge(LOOKUP)?;
    let k = key(cx, m, k)?;
    object::get(cx, m, o, k)
}
pub fn has_at(cx: &mut Cx, m: Mem, o: Value, k: f64) -> Res<bool> {
    cx.charge(LOOKUP)?;
    let k = key(cx, m, k)?;
    object::has(cx, m, o, k)
}
pub fn put_at(cx: &mut Cx, m: Mem, o: Value, k: f64, v: Value) -> Res<()> {
    cx.charge(LOOKUP)?;
    let k = key(cx, m, k)?;
    object::put(cx, m, o, k, v)
}
pub(super) fn delete_at(cx: &mut Cx, m: Mem, o: Value, k: f64) -> Res<()> {
    cx.charge(LOOKUP)?;
    let k = key(cx, m, k)?;
    object::delete_or_throw(cx, m, o, k)
}
/// CreateDataPropertyOrThrow
pub fn create_at(cx: &mut Cx, m: Mem, o: Value, k: f64, v: Value) -> Res<()> {
    cx.charge(LOOKUP)?;
    let k = key(cx, m, k)?;
    object::create_data_or_throw(cx, m, o, k, v)
}
/// Set(o, "length", n, true)
pub fn put_length(cx: &mut Cx, m: Mem, o: Value, n: f64) -> Res<()> {
    object::put(cx, m, o, roots::get(m, R_STR_LENGTH), from_num(n))
}

/// Length of an array whose elements may be read and written directly: nothing special about it, and its holes are
/// just that, since nothing on its prototype chain has an index.
#[inline]
pub fn plain_len(m: Mem, a: Value) -> Option<u32> {
    let n = array::simple(m, a)?;
    let p = object::proto_of(m, a);
    if p != roots::get(m, R_ARRAY_PROTO) {
        return None;
    }
    if object::flags(m, p) & FROZEN != 0 || indexless(m, p) { Some(n) } else { None }
}

/// In unlocked realms: no index stands in Array.prototype or Object.prototype.
#[cold]
pub(super) fn indexless(m: Mem, array_proto: Value) -> bool {
    let o = object::proto_of(m, array_proto);
    if o != roots::get(m, R_OBJECT_PROTO) || object::flags(m, array_proto) & SPARSE != 0 || array::length(m, array_proto) != 0.0 {
        return false;
    }
    let s = shape::of(m, o);
    !shape::is_dict(m, s) && (0..shape::count(m, s).min(shape::MAX_SHAPE)).all(|i| !is_int(shape::key_at(m, s, i)))
}

/// Address of element `i` of elements object `e`.
#[inline]
pub fn place(e: u32, i: u32) -> u32 {
    e.wrapping_add(8).wrapping_add(i.wrapping_mul(8))
}

/// Copies `n` elements between two elements objects, or within one, as `memmove` does.
pub fn move_elems(cx: &mut Cx, m: Mem, from: u32, i: u32, to: u32, j: u32, n: u32) -> Res<()> {
    let backward = from == to && j > i;
    let mut done = 0;
    while done < n {
        let k = (n - done).min(SLICE);
        cx.charge(k as u64 / if to < OLD { 16 } else { 4 })?;
        let x = if backward { n - done - k } else { done };
        cx.heap.copy_values(m, place(from, i + x), place(to, j + x), k);
        done += k;
    }
    Ok(())
}

/// Writes `v` to `n` elements from `i` on.
pub(super) fn fill_elems(cx: &mut Cx, m: Mem, e: u32, i: u32, n: u32, v: Value) -> Res<()> {
    for x in 0..n {
        if x % SLICE == 0 {
            cx.charge((n - x).min(SLICE) as u64 / 8)?;
        }
        cx.heap.write(m, place(e, i + x), v);
    }
    Ok(())
}

/// An array holding elements `[i, i + n)` of an elements object.
pub fn from_elems(cx: &mut Cx, m: Mem, e: u32, i: u32, n: u32) -> Res {
    let a = array::with_capacity(cx, m, n)?;
    move_elems(cx, m, e, i, array::elems(m, a), 0, n)?;
    array::set_length_plain(cx, m, a, n);
    Ok(a)
}

/// ArrayCreate with the standard prototype.
pub fn array_create(cx: &mut Cx, m: Mem, len: f64) -> Res {
    if len > u32::MAX as f64 {
        return Err(cx.range_error(m, "Invalid array length"));
    }
    let a = array::with_capacity(cx, m, if len <= MAX_PRESIZE { len as u32 } else { 0 })?;
    cx.heap.write(m, (a as u32).wrapping_add(16), from_num(len));
    Ok(a)
}
