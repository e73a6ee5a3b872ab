//! %IteratorPrototype%, the iterators of arrays and strings.
//!
//! In: ITER objects (target, position, what they yield). Out: values, `{ value, done }`.
//!
//! Invariants
//! - an exhausted iterator's target is undefined, and stays so;
//! - the position of an array iterator counts elements, of a string iterator units.
use super::array::{get_at, length_of};
use super::{Native, f};
use crate::cx::{Args, Cx, Res, Value};
use crate::kinds::ITER;
use crate::object::{self, Desc};
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::shape::{self, WC};
use crate::{array, string};
use cage::Mem;
use cage::value::*;

const THIS: u16 = 0x320;
const ARRAY_NEXT: u16 = 0x321;
const STRING_NEXT: u16 = 0x322;

/// What an array iterator yields.
pub const VALUES: i32 = 0;
pub const KEYS: i32 = 1;
pub const ENTRIES: i32 = 2;

/// Index of the array and string iterators among the builtin ones.
pub const OF_ARRAY: u16 = 0;
pub const OF_STRING: u16 = 3;

pub const TABLE: &[Native] = &[
    f(THIS, "[Symbol.iterator]", 0, |_, m, a| Ok(a.this(m))),
    f(ARRAY_NEXT, "next", 0, |cx, m, a| next(cx, m, a, OF_ARRAY)),
    f(STRING_NEXT, "next", 0, |cx, m, a| next(cx, m, a, OF_STRING)),
];

/// An array iterator of an object, or a string iterator of a string.
pub fn make(cx: &mut Cx, m: Mem, which: u16, target: Value, yields: i32) -> Res {
    let s = roots::get(m, R_SHAPE_ITER + which) as u32;
    object::exotic(cx, m, ITER, s, &[target, int(0), int(yields)])
}

/// CreateIterResultObject
pub fn result(cx: &mut Cx, m: Mem, value: Value, done: bool) -> Res {
    let o = object::from_shape(cx, m, roots::get(m, R_SHAPE_ITER_RESULT) as u32)?;
    m.w64(o as u32, 8, value);
    m.w64(o as u32, 16, cage::value::bool(done));
    Ok(o)
}

/// The iterators of Map and Set are ITER objects too; what a live one is shows in its target: an object, a string, or
/// (a Map or Set's table) a cell. An exhausted one is told by its shape, unless a program gave it another.
fn is_iter(m: Mem, v: Value, which: u16) -> bool {
    if !is_obj(v) || object::kind(m, v) != ITER {
        return false;
    }
    let target = m.r64(v as u32, 16);
    if target == UNDEF {
        let s = shape::of(m, v);
        return (0..8).all(|i| i == which || s != roots::get(m, R_SHAPE_ITER + i) as u32);
    }
    if which == OF_STRING { is_str(target) } else { is_obj(target) }
}

fn next(cx: &mut Cx, m: Mem, a: Args, which: u16) -> Res {
    let it = a.this(m);
    if !is_iter(m, it, which) {
        let what = if which == OF_STRING { "String" } else { "Array" };
        return Err(cx.type_error(m, &format!("next method called on incompatible receiver: not a {what} Iterator")));
    }
    match step(cx, m, it)? {
        Some(v) => result(cx, m, v, false),
        None => result(cx, m, UNDEF, true),
    }
}

/// Advances an iterator of an array or a string: its next value, or `None` at the end. No result object is made.
pub fn step(cx: &mut Cx, m: Mem, iter: Value) -> Res<Option<Value>> {
    let it = iter as u32;
    let target = m.r64(it, 16);
    if target == UNDEF {
        return Ok(None);
    }
    if is_str(target) {
        return step_string(cx, m, it, target);
    }
    let position = m.r64(it, 24);
    let yields = as_int(m.r64(it, 32));
    if yields == VALUES && is_int(position) && array::is_array(m, target) {
        let v = array::element(m, target, position as u32);
        let len = m.r64(target as u32, 16);
        if v != HOLE && is_int(len) && as_int(position) < as_int(len) {
            cx.heap.write(m, it.wrapping_add(24), int(as_int(position).wrapping_add(1)));
            return Ok(Some(v));
        }
    }
    step_slow(cx, m, iter, target, num(position), yields)
}

fn step_slow(cx: &mut Cx, m: Mem, iter: Value, target: Value, i: f64, yields: i32) -> Res<Option<Value>> {
    cx.charge(1)?;
    let len = length_of(cx, m, target)?;
    if i >= len {
        cx.heap.write(m, (iter as u32).wrapping_add(16), UNDEF);
        return Ok(None);
    }
    cx.heap.write(m, (iter as u32).wrapping_add(24), from_num(i + 1.0));
    if yields == KEYS {
        return Ok(Some(from_num(i)));
    }
    let v = get_at(cx, m, target, i)?;
    if yields == ENTRIES {
        return Ok(Some(array::from_slice(cx, m, &[from_num(i), v])?));
    }
    Ok(Some(v))
}

fn step_string(cx: &mut Cx, m: Mem, it: u32, target: Value) -> Res<Option<Value>> {
    let s = string::flat(cx, m, target)?;
    let i = m.r32(it, 24);
    let n = string::len(m, s);
    if i >= n {
        cx.heap.write(m, it.wrapping_add(16), UNDEF);
        return Ok(None);
    }
    let u = string::unit(m, s, i);
    let pair = (0xD800..0xDC00).contains(&u) && (0xDC00..0xE000).contains(&string::unit(m, s, i + 1));
    let k = if pair { 2 } else { 1 };
    cx.heap.write(m, it.wrapping_add(24), int((i + k) as i32));
    let v = if pair { string::from_units(cx, m, &[u, string::unit(m, s, i + 1)])? } else { string::of_unit(cx, m, u)? };
    Ok(Some(v))
}

/// Does iterating `v` give its elements and nothing else happen? (A plain array, nobody changed how arrays iterate.)
pub fn iterates_plainly(m: Mem, v: Value) -> bool {
    if !array::is_array(m, v) || shape::of(m, v) != roots::get(m, R_SHAPE_ARRAY) as u32 {
        return false;
    }
    let is = |o: Value, key: u16, want: u16| matches!(object::own_named(m, o, roots::get(m, key)), Some(object::Prop::Data { value, .. }) if value == roots::get(m, want));
    is(roots::get(m, R_ARRAY_PROTO), R_SYM_ITERATOR, R_ARRAY_VALUES) && is(roots::get(m, R_ITER_PROTO), R_STR_NEXT, R_ITER_NEXT)
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let key = roots::get(m, R_SYM_ITERATOR);
    r.method_at(cx, m, roots::get(m, R_ITERATOR_PROTO), key, THIS)?;
    for (which, number, tag) in [(OF_ARRAY, ARRAY_NEXT, "Array Iterator"), (OF_STRING, STRING_NEXT, "String Iterator")] {
        let p = roots::get(m, R_ITER_PROTO + which);
        let next = crate::function::native(cx, m, number, &[])?;
        let key = roots::get(m, R_STR_NEXT);
        object::define_or_throw(cx, m, p, key, Desc::data(next, WC))?;
        roots::set(cx, m, R_ITER_NEXT + which, next);
        r.tag(cx, m, p, tag)?;
    }
    Ok(())
}
