//! Array: the constructor and the methods that change an array (ECMA-262 23.1); `array_more` has those that only read,
//! `script/array.js` those that call back.
//!
//! In: arrays and array-likes. Out: arrays, values.
//!
//! Invariants
//! - the short way is taken for arrays that are `plain_len` alone, looked at anew after anything that could run a program;
//! - the long way is the standard's algorithm, step by step, its indices as doubles;
//! - elements move by `move_elems` and `copy_elems`, which charge in slices and keep the heap's barrier.
pub use super::array_parts::*;
use super::{Native, array_more, ctor, f};
use crate::array;
use crate::convert::{relative_index, to_integer, to_object};
use crate::cx::{Abort, Args, Cx, Res, Value};
use crate::function;
use crate::kinds::*;
use crate::object::{self, Prop};
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::shape;
use cage::Mem;
use cage::layout::{H_FLAGS, H_N, H_X, MAX_SMALL, MAX_YOUNG, OLD, header};
use cage::value::*;

const CTOR: u16 = 0x0C0;
const SPECIES: u16 = 0x0C1;
const IS_ARRAY: u16 = 0x0C2;
const ARRAY_OF: u16 = 0x0C3;
const COPY_WITHIN: u16 = 0x0C4;
const FILL: u16 = 0x0C5;
const POP: u16 = 0x0C6;
pub const PUSH: u16 = 0x0C7;
const REVERSE: u16 = 0x0C8;
const SHIFT: u16 = 0x0C9;
const SPLICE: u16 = 0x0CA;
const UNSHIFT: u16 = 0x0CB;

pub const TABLE: &[Native] = &[
    ctor(CTOR, "Array", 1, construct),
    f(SPECIES, "get [Symbol.species]", 0, |_, m, a| Ok(a.this(m))),
    f(IS_ARRAY, "isArray", 1, |_, m, a| Ok(cage::value::bool(array::is_array(m, a.get(m, 0))))),
    f(ARRAY_OF, "of", 0, of),
    f(COPY_WITHIN, "copyWithin", 2, copy_within),
    f(FILL, "fill", 1, fill),
    f(POP, "pop", 0, pop),
    f(PUSH, "push", 1, push),
    f(REVERSE, "reverse", 0, reverse),
    f(SHIFT, "shift", 0, shift),
    f(SPLICE, "splice", 2, splice),
    f(UNSHIFT, "unshift", 1, unshift),
];

/// 2^53 - 1
pub const MAX_SAFE: f64 = 9007199254740991.0;
/// Would ArraySpeciesCreate make an ordinary array for `o`, without running a program?
pub fn standard_species(m: Mem, o: Value) -> bool {
    if !array::is_array(m, o) {
        return true;
    }
    let c = roots::get(m, R_ARRAY);
    shape::of(m, o) == roots::get(m, R_SHAPE_ARRAY) as u32
        && matches!(object::own_named(m, roots::get(m, R_ARRAY_PROTO), roots::get(m, R_STR_CONSTRUCTOR)),
            Some(Prop::Data { value, .. }) if value == c)
        && matches!(object::own_named(m, c, roots::get(m, R_SYM_SPECIES)),
            Some(Prop::Accessor { get, .. }) if is_obj(get) && object::kind(m, get) == NATIVE
                && function::native_number(m, get) == SPECIES)
}

/// ArraySpeciesCreate
pub fn species_create(cx: &mut Cx, m: Mem, o: Value, len: f64) -> Res {
    if standard_species(m, o) {
        return array_create(cx, m, len);
    }
    let mut c = object::get(cx, m, o, roots::get(m, R_STR_CONSTRUCTOR))?;
    if is_obj(c) {
        c = object::get(cx, m, c, roots::get(m, R_SYM_SPECIES))?;
        if c == NULL {
            c = UNDEF;
        }
    }
    if c == UNDEF {
        return array_create(cx, m, len);
    }
    if !function::is_constructor(cx, m, c) {
        return Err(cx.type_error(m, "object.constructor[Symbol.species] is not a constructor"));
    }
    crate::interp::construct(cx, m, c, &[from_num(len)], c)
}

/// An array whose shape asks for another prototype.
fn with_shape(cx: &mut Cx, m: Mem, a: Value, s: u32) -> Value {
    if s != roots::get(m, R_SHAPE_ARRAY) as u32 {
        object::set_shape(cx, m, a, s);
    }
    a
}

// ---- constructor ----

fn construct(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let new_target = if a.is_construct() { a.new_target } else { a.callee(m) };
    let s = function::shape_from(cx, m, new_target, R_SHAPE_ARRAY, R_ARRAY_PROTO)?;
    let first = a.get(m, 0);
    let made = if a.argc == 1 && is_number(first) {
        let len = num(first);
        if crate::convert::int32(len) as u32 as f64 != len {
            return Err(cx.range_error(m, "Invalid array length"));
        }
        array_create(cx, m, len + 0.0)?
    } else {
        of_arguments(cx, m, a, 0)?
    };
    Ok(with_shape(cx, m, made, s))
}

fn of_arguments(cx: &mut Cx, m: Mem, a: Args, from: u32) -> Res {
    let n = a.argc.saturating_sub(from);
    let made = array::with_capacity(cx, m, n)?;
    for i in 0..n {
        array::push(cx, m, made, a.get(m, from + i))?;
    }
    Ok(made)
}

/// Array.of
fn of(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let c = a.this(m);
    if c == roots::get(m, R_ARRAY) || !function::is_constructor(cx, m, c) {
        return of_arguments(cx, m, a, 0);
    }
    let o = crate::interp::construct(cx, m, c, &[int(a.argc as i32)], c)?;
    for k in 0..a.argc {
        create_at(cx, m, o, k as f64, a.get(m, k))?;
    }
    put_length(cx, m, o, a.argc as f64)?;
    Ok(o)
}

// ---- methods ----

/// Array.prototype.push
fn push(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let this = a.this(m);
    if let Some(n) = plain_len(m, this)
        && n + a.argc < array::MAX_DENSE
    {
        for i in 0..a.argc {
            array::push(cx, m, this, a.get(m, i))?;
        }
        return Ok(int((n + a.argc) as i32));
    }
    let o = to_object(cx, m, this)?;
    let len = length_of(cx, m, o)?;
    if len + a.argc as f64 > MAX_SAFE {
        return Err(cx.type_error(m, "Pushing elements past 2^53 - 1"));
    }
    for i in 0..a.argc {
        put_at(cx, m, o, len + i as f64, a.get(m, i))?;
    }
    let n = len + a.argc as f64;
    put_length(cx, m, o, n)?;
    Ok(from_num(n))
}

/// Array.prototype.pop
fn pop(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let this = a.this(m);
    if let Some(n) = plain_len(m, this) {
        if n == 0 {
            return Ok(UNDEF);
        }
        let at = place(array::elems(m, this), n - 1);
        let v = m.r64(at, 0);
        cx.heap.write(m, at, HOLE);
        array::set_length_plain(cx, m, this, n - 1);
        return Ok(if v == HOLE { UNDEF } else { v });
    }
    let o = to_object(cx, m, this)?;
    let len = length_of(cx, m, o)?;
    if len == 0.0 {
        put_length(cx, m, o, 0.0)?;
        return Ok(UNDEF);
    }
    let v = get_at(cx, m, o, len - 1.0)?;
    delete_at(cx, m, o, len - 1.0)?;
    put_length(cx, m, o, len - 1.0)?;
    Ok(v)
}

/// Fewer elements than these are moved down where they are.
const FEW: u32 = 64;
/// Bytes of elements that are surely a large object, header included.
const LARGE: u32 = MAX_SMALL + 64;

/// Drops the first `k` elements, so that a queue costs the same at any length: the header moves up to where the last of them
/// stood. In the nursery that is all; within a large object of old space the true header stays, and the array refers to
/// the inside. A smaller old object keeps its place (the line map names it): many elements move out of it into one
/// of the other two, few move down.
fn trim_left(cx: &mut Cx, m: Mem, a: Value, k: u32) -> Res<()> {
    let e = array::elems(m, a);
    let (cap, n) = (m.r32(e, H_X), array::dense_len(m, a));
    if k > n || n > cap {
        return Err(cx.stop(Abort::Corrupt));
    }
    let left = n.saturating_sub(k);
    let large = cx.heap.large_at(m, e);
    if e >= OLD && large.is_none() {
        if left < FEW {
            cx.charge(left as u64 / 32)?;
            cx.heap.copy_values(m, place(e, k), place(e, 0), left);
            (left..n).for_each(|i| cx.heap.write(m, place(e, i), HOLE));
            return Ok(());
        }
        let room = left + left / 2;
        let young = room <= MAX_YOUNG / 8 - 2;
        array::resize(cx, m, a, if young { room } else { room.max(LARGE / 8) }, false)?;
        return trim_left(cx, m, a, k);
    }
    if let Some(head) = large {
        if left < FEW && head != e {
            // little is left of much
            array::resize(cx, m, a, n + FEW, false)?;
            return trim_left(cx, m, a, k);
        }
        cx.charge(k as u64 / 16)?;
        (0..k).map(|i| e.wrapping_add(i * 8)).filter(|at| *at != head).for_each(|at| cx.heap.write(m, at, HOLE));
    }
    let to = e.wrapping_add(k * 8);
    cx.heap.write(m, to, header(ELEMS, m.r8(e, H_FLAGS), m.r16(e, H_N), cap.wrapping_sub(k)));
    cx.heap.write(m, (a as u32).wrapping_add(8), CELL | to as u64);
    Ok(())
}

/// Array.prototype.shift
fn shift(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let this = a.this(m);
    if let Some(n) = plain_len(m, this) {
        if n == 0 {
            return Ok(UNDEF);
        }
        let v = m.r64(place(array::elems(m, this), 0), 0);
        trim_left(cx, m, this, 1)?;
        array::set_length_plain(cx, m, this, n - 1);
        return Ok(if v == HOLE { UNDEF } else { v });
    }
    let o = to_object(cx, m, this)?;
    let len = length_of(cx, m, o)?;
    if len == 0.0 {
        put_length(cx, m, o, 0.0)?;
        return Ok(UNDEF);
    }
    let first = get_at(cx, m, o, 0.0)?;
    shift_down(cx, m, o, 1.0, len, 0.0)?;
    delete_at(cx, m, o, len - 1.0)?;
    put_length(cx, m, o, len - 1.0)?;
    Ok(first)
}

/// Moves what stands at `[from, end)` to `to` and on, ascending, holes included.
fn shift_down(cx: &mut Cx, m: Mem, o: Value, from: f64, end: f64, to: f64) -> Res<()> {
    let (mut k, mut t) = (from, to);
    while k < end {
        move_at(cx, m, o, k, t)?;
        k += 1.0;
        t += 1.0;
    }
    Ok(())
}

fn move_at(cx: &mut Cx, m: Mem, o: Value, from: f64, to: f64) -> Res<()> {
    if has_at(cx, m, o, from)? {
        let v = get_at(cx, m, o, from)?;
        put_at(cx, m, o, to, v)
    } else {
        delete_at(cx, m, o, to)
    }
}

/// Array.prototype.unshift
fn unshift(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let this = a.this(m);
    let k = a.argc;
    if let Some(n) = plain_len(m, this)
        && n + k < array::MAX_DENSE
    {
        open_gap(cx, m, this, 0, n, 0, k)?;
        let e = array::elems(m, this);
        for i in 0..k {
            cx.heap.write(m, place(e, i), a.get(m, i));
        }
        return Ok(int((n + k) as i32));
    }
    let o = to_object(cx, m, this)?;
    let len = length_of(cx, m, o)?;
    let c = k as f64;
    if k > 0 {
        if len + c > MAX_SAFE {
            return Err(cx.type_error(m, "Pushing elements past 2^53 - 1"));
        }
        let mut i = len;
        while i > 0.0 {
            move_at(cx, m, o, i - 1.0, i + c - 1.0)?;
            i -= 1.0;
        }
        for j in 0..k {
            put_at(cx, m, o, j as f64, a.get(m, j))?;
        }
    }
    put_length(cx, m, o, len + c)?;
    Ok(from_num(len + c))
}

/// Replaces `gone` elements at `at` of a plain array of length `n` by room for `new` ones (which the caller fills).
fn open_gap(cx: &mut Cx, m: Mem, a: Value, at: u32, n: u32, gone: u32, new: u32) -> Res<()> {
    let len = n - gone + new;
    if new > gone {
        if len > array::capacity(m, a) {
            let want = len + len / 2 + 4;
            array::resize(cx, m, a, want, false)?;
        }
        let e = array::elems(m, a);
        move_elems(cx, m, e, at + gone, e, at + new, n - at - gone)?;
    } else if at == 0 && gone > new {
        trim_left(cx, m, a, gone - new)?;
    } else if gone > new {
        let e = array::elems(m, a);
        move_elems(cx, m, e, at + gone, e, at + new, n - at - gone)?;
        fill_elems(cx, m, e, len, n - len, HOLE)?;
    }
    array::set_length_plain(cx, m, a, len);
    Ok(())
}

/// Array.prototype.splice
fn splice(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = to_object(cx, m, a.this(m))?;
    let len = length_of(cx, m, o)?;
    let start = relative_index(cx, m, a.get(m, 0), len, 0.0)?;
    let items = a.argc.saturating_sub(2);
    let gone = match a.argc {
        0 => 0.0,
        1 => len - start,
        _ => to_integer(cx, m, a.get(m, 1))?.clamp(0.0, len - start),
    };
    if len + items as f64 - gone > MAX_SAFE {
        return Err(cx.type_error(m, "Array length would pass 2^53 - 1"));
    }
    if let Some(n) = plain_len(m, o)
        && n as f64 == len
        && n + items < array::MAX_DENSE
        && standard_species(m, o)
    {
        let (at, gone) = (start as u32, gone as u32);
        let removed = from_elems(cx, m, array::elems(m, o), at, gone)?;
        open_gap(cx, m, o, at, n, gone, items)?;
        let e = array::elems(m, o);
        for i in 0..items {
            cx.heap.write(m, place(e, at + i), a.get(m, i + 2));
        }
        return Ok(removed);
    }
    splice_slow(cx, m, o, a, (len, start, gone))
}

fn splice_slow(cx: &mut Cx, m: Mem, o: Value, a: Args, (len, start, gone): (f64, f64, f64)) -> Res {
    let removed = species_create(cx, m, o, gone)?;
    let mut k = 0.0;
    while k < gone {
        if has_at(cx, m, o, start + k)? {
            let v = get_at(cx, m, o, start + k)?;
            create_at(cx, m, removed, k, v)?;
        }
        k += 1.0;
    }
    put_length(cx, m, removed, gone)?;
    let items = a.argc.saturating_sub(2);
    let new = items as f64;
    if new < gone {
        shift_down(cx, m, o, start + gone, len, start + new)?;
        let mut k = len;
        while k > len - gone + new {
            delete_at(cx, m, o, k - 1.0)?;
            k -= 1.0;
        }
    } else if new > gone {
        let mut k = len - gone;
        while k > start {
            move_at(cx, m, o, k + gone - 1.0, k + new - 1.0)?;
            k -= 1.0;
        }
    }
    for i in 0..items {
        put_at(cx, m, o, start + i as f64, a.get(m, i + 2))?;
    }
    put_length(cx, m, o, len - gone + new)?;
    Ok(removed)
}

/// Array.prototype.reverse
fn reverse(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = to_object(cx, m, a.this(m))?;
    if let Some(n) = plain_len(m, o) {
        let e = array::elems(m, o);
        for i in 0..n / 2 {
            if i % SLICE == 0 {
                cx.charge((n / 2 - i).min(SLICE) as u64 / 4)?;
            }
            let (p, q) = (place(e, i), place(e, n - 1 - i));
            let (x, y) = (m.r64(p, 0), m.r64(q, 0));
            cx.heap.write(m, p, y);
            cx.heap.write(m, q, x);
        }
        return Ok(o);
    }
    let len = length_of(cx, m, o)?;
    let middle = (len / 2.0).floor();
    let mut lower = 0.0;
    while lower != middle {
        swap_at(cx, m, o, lower, len - lower - 1.0)?;
        lower += 1.0;
    }
    Ok(o)
}

fn swap_at(cx: &mut Cx, m: Mem, o: Value, lower: f64, upper: f64) -> Res<()> {
    let lower_is = has_at(cx, m, o, lower)?;
    let x = if lower_is { get_at(cx, m, o, lower)? } else { UNDEF };
    let upper_is = has_at(cx, m, o, upper)?;
    let y = if upper_is { get_at(cx, m, o, upper)? } else { UNDEF };
    if upper_is {
        put_at(cx, m, o, lower, y)?;
    } else if lower_is {
        delete_at(cx, m, o, lower)?;
    }
    if lower_is {
        put_at(cx, m, o, upper, x)?;
    } else if upper_is {
        delete_at(cx, m, o, upper)?;
    }
    Ok(())
}

/// Array.prototype.fill
fn fill(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = to_object(cx, m, a.this(m))?;
    let len = length_of(cx, m, o)?;
    let v = a.get(m, 0);
    let mut k = relative_index(cx, m, a.get(m, 1), len, 0.0)?;
    let end = relative_index(cx, m, a.get(m, 2), len, len)?;
    if array::is_array(m, o) && len < array::MAX_DENSE as f64 && array::length(m, o) == len {
        // `new Array(n).fill(v)` with a large n: the elements are wanted now
        if object::flags(m, o) & (SPARSE | FROZEN | NONEXT | FIXED_LENGTH | SEALED) == 0 && k < end {
            array::reserve(cx, m, o, len as u32 - 1)?;
        }
        if plain_len(m, o).is_some() {
            fill_elems(cx, m, array::elems(m, o), k as u32, (end - k).max(0.0) as u32, v)?;
            return Ok(o);
        }
    }
    while k < end {
        put_at(cx, m, o, k, v)?;
        k += 1.0;
    }
    Ok(o)
}

/// Array.prototype.copyWithin
fn copy_within(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = to_object(cx, m, a.this(m))?;
    let len = length_of(cx, m, o)?;
    let mut to = relative_index(cx, m, a.get(m, 0), len, 0.0)?;
    let mut from = relative_index(cx, m, a.get(m, 1), len, 0.0)?;
    let end = relative_index(cx, m, a.get(m, 2), len, len)?;
    let mut count = (end - from).min(len - to);
    if plain_len(m, o).is_some_and(|n| n as f64 == len) {
        let e = array::elems(m, o);
        move_elems(cx, m, e, from as u32, e, to as u32, count.max(0.0) as u32)?;
        return Ok(o);
    }
    let mut step = 1.0;
    if from < to && to < from + count {
        step = -1.0;
        from += count - 1.0;
        to += count - 1.0;
    }
    while count > 0.0 {
        move_at(cx, m, o, from, to)?;
        from += step;
        to += step;
        count -= 1.0;
    }
    Ok(o)
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let p = roots::get(m, R_ARRAY_PROTO);
    let c = r.class(cx, m, CTOR, p)?;
    roots::set(cx, m, R_ARRAY, c);
    r.methods(cx, m, c, &[IS_ARRAY, ARRAY_OF])?;
    r.getter(cx, m, c, roots::get(m, R_SYM_SPECIES), SPECIES)?;
    r.methods(cx, m, p, &[COPY_WITHIN, FILL, POP, PUSH, REVERSE, SHIFT, SPLICE, UNSHIFT])?;
    array_more::install(cx, m, r)?;
    super::script::install_arrays(cx, m, r)
}
