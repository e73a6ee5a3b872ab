//! Iteration by natives: GetIterator, IteratorStepValue, IteratorClose of ECMA-262 7.4.
//!
//! In: a value. Out: the values it gives, one at a time.
//!
//! Invariants
//! - an array is stepped through without its iterator only while nobody could tell.
use crate::cx::{Cx, Res, Stop, Value};
use crate::object::{self, Prop};
use crate::roots::{self, *};
use crate::{array, convert, interp, shape};
use cage::Mem;
use cage::value::*;

/// An iterator record.
pub enum Iter {
    /// An array with the intrinsic iterator, and the next index.
    Array(Value, u32),
    Record {
        iterator: Value,
        next: Value,
    },
}

fn own_value(m: Mem, o: Value, key: Value) -> Value {
    match object::own_named(m, o, key) {
        Some(Prop::Data { value, .. }) => value,
        _ => HOLE,
    }
}

/// Does iterating this value run nothing but the intrinsic array iterator?
fn is_plain_array(m: Mem, v: Value) -> bool {
    array::is_array(m, v)
        && shape::of(m, v) == roots::get(m, R_SHAPE_ARRAY) as u32
        && own_value(m, roots::get(m, R_ARRAY_PROTO), roots::get(m, R_SYM_ITERATOR)) == roots::get(m, R_ARRAY_VALUES)
        && own_value(m, roots::get(m, R_ITER_PROTO), roots::get(m, R_STR_NEXT)) == roots::get(m, R_ITER_NEXT)
}

impl Iter {
    /// GetIterator(v, sync)
    pub fn open(cx: &mut Cx, m: Mem, v: Value) -> Res<Iter> {
        if is_plain_array(m, v) {
            return Ok(Iter::Array(v, 0));
        }
        let method = object::get_method(cx, m, v, roots::get(m, R_SYM_ITERATOR))?;
        if method == UNDEF {
            return Err(cx.type_error(m, "object is not iterable"));
        }
        let iterator = interp::call(cx, m, method, v, &[])?;
        if !is_obj(iterator) {
            return Err(cx.type_error(m, "Result of the Symbol.iterator method is not an object"));
        }
        let next = object::get(cx, m, iterator, roots::get(m, R_STR_NEXT))?;
        Ok(Iter::Record { iterator, next })
    }

    /// IteratorStepValue; `None` at the end.
    pub fn step(&mut self, cx: &mut Cx, m: Mem) -> Res<Option<Value>> {
        cx.charge(4)?;
        match self {
            Iter::Array(a, i) => {
                if *i as f64 >= array::length(m, *a) {
                    *self = Iter::Array(*a, u32::MAX);
                    return Ok(None);
                }
                let e = array::element(m, *a, *i);
                let key = int(*i as i32);
                *i += 1;
                if e != HOLE { Ok(Some(e)) } else { object::get(cx, m, *a, key).map(Some) }
            }
            Iter::Record { iterator, next } => {
                let r = interp::call(cx, m, *next, *iterator, &[])?;
                if !is_obj(r) {
                    return Err(cx.type_error(m, "Iterator result is not an object"));
                }
                let done = object::get(cx, m, r, roots::get(m, R_STR_DONE))?;
                if convert::truthy(m, done) {
                    return Ok(None);
                }
                object::get(cx, m, r, roots::get(m, R_STR_VALUE)).map(Some)
            }
        }
    }

    /// IteratorClose after an abrupt completion, which it gives back. An abort closes nothing.
    pub fn close(&self, cx: &mut Cx, m: Mem, why: Stop) -> Stop {
        let Iter::Record { iterator, .. } = *self else { return why };
        if why == Stop::Abort {
            return why;
        }
        let thrown = cx.thrown;
        let inner = match object::get_method(cx, m, iterator, roots::get(m, R_STR_RETURN)) {
            Ok(UNDEF) => Ok(UNDEF),
            Ok(f) => interp::call(cx, m, f, iterator, &[]),
            Err(e) => Err(e),
        };
        if inner == Err(Stop::Abort) {
            return Stop::Abort;
        }
        cx.throw(thrown)
    }
}
