//! The iteration protocol for natives: arrays, maps and sets nobody tampered with directly, all else by calling `next`.
//!
//! In: an iterable. Out: its values one by one; `close` for whoever stops early.
use crate::array;
use crate::convert;
use crate::cx::{Cx, Res, Stop, Value};
use crate::kinds::{MAP, SET};
use crate::object;
use crate::roots::{self, *};
use crate::{interp, shape, table};
use cage::Mem;
use cage::value::*;

/// An iteration under way.
#[derive(Debug)]
pub enum Iteration {
    Array { array: Value, at: u32 },
    Set { cursor: table::Cursor },
    Map { cursor: table::Cursor },
    Calls { iter: Value, next: Value },
}

/// Is `proto[@@iterator]` the builtin at root `method`, and `next` of its iterators what it was?
fn untouched(cx: &mut Cx, m: Mem, proto: u16, method: u16, iter: u16) -> Res<bool> {
    if roots::get(m, R_UNLOCKED) != TRUE {
        return Ok(true);
    }
    let f = object::get(cx, m, roots::get(m, proto), roots::get(m, R_SYM_ITERATOR))?;
    if f != roots::get(m, method) {
        return Ok(false);
    }
    let next = object::get(cx, m, roots::get(m, R_ITER_PROTO + iter), roots::get(m, R_STR_NEXT))?;
    Ok(next == roots::get(m, R_ITER_NEXT + iter))
}

/// GetIterator(v, sync)
pub fn open(cx: &mut Cx, m: Mem, v: Value) -> Res<Iteration> {
    if is_obj(v) {
        let s = CELL | shape::of(m, v) as u64;
        if s == roots::get(m, R_SHAPE_ARRAY) && untouched(cx, m, R_ARRAY_PROTO, R_ARRAY_VALUES, 0)? {
            return Ok(Iteration::Array { array: v, at: 0 });
        }
        if s == roots::get(m, R_SHAPE_MAP) && object::kind(m, v) == MAP && untouched(cx, m, R_MAP_PROTO, R_MAP_ENTRIES, 1)? {
            return Ok(Iteration::Map { cursor: table::cursor(cx, m, v)? });
        }
        if s == roots::get(m, R_SHAPE_SET) && object::kind(m, v) == SET && untouched(cx, m, R_SET_PROTO, R_SET_VALUES, 2)? {
            return Ok(Iteration::Set { cursor: table::cursor(cx, m, v)? });
        }
    }
    let f = object::get_method(cx, m, v, roots::get(m, R_SYM_ITERATOR))?;
    if f == UNDEF {
        return Err(cx.type_error(m, "value is not iterable"));
    }
    let iter = interp::call(cx, m, f, v, &[])?;
    if !is_obj(iter) {
        return Err(cx.type_error(m, "Result of the Symbol.iterator method is not an object"));
    }
    direct(cx, m, iter)
}

/// GetIteratorDirect
pub fn direct(cx: &mut Cx, m: Mem, iter: Value) -> Res<Iteration> {
    let next = object::get(cx, m, iter, roots::get(m, R_STR_NEXT))?;
    Ok(Iteration::Calls { iter, next })
}

impl Iteration {
    /// IteratorStepValue
    pub fn step(&mut self, cx: &mut Cx, m: Mem) -> Res<Option<Value>> {
        match self {
            Iteration::Array { array, at } => {
                if *at as f64 >= array::length(m, *array) {
                    return Ok(None);
                }
                cx.charge(1)?;
                let v = array::element(m, *array, *at);
                let v = if v == HOLE { object::get(cx, m, *array, int(*at as i32))? } else { v };
                *at += 1;
                Ok(Some(v))
            }
            Iteration::Set { cursor } => Ok(table::next(cx, m, cursor)?.map(|e| e.0)),
            Iteration::Map { cursor } => match table::next(cx, m, cursor)? {
                Some((k, v)) => Ok(Some(array::from_slice(cx, m, &[k, v])?)),
                None => Ok(None),
            },
            Iteration::Calls { iter, next } => {
                let r = interp::call(cx, m, *next, *iter, &[])?;
                if !is_obj(r) {
                    return Err(cx.type_error(m, "Iterator result is not an object"));
                }
                let done = object::get(cx, m, r, roots::get(m, R_STR_DONE))?;
                if convert::truthy(m, done) {
                    return Ok(None);
                }
                Ok(Some(object::get(cx, m, r, roots::get(m, R_STR_VALUE))?))
            }
        }
    }

    /// IteratorClose after `why` stopped the loop; gives what stops it in the end.
    pub fn close(&self, cx: &mut Cx, m: Mem, why: Stop) -> Stop {
        let Iteration::Calls { iter, .. } = self else { return why };
        if why == Stop::Abort {
            return why;
        }
        let thrown = cx.thrown;
        let r = object::get_method(cx, m, *iter, roots::get(m, R_STR_RETURN));
        let r = match r {
            Ok(UNDEF) => Ok(UNDEF),
            Ok(f) => interp::call(cx, m, f, *iter, &[]),
            Err(e) => Err(e),
        };
        if r == Err(Stop::Abort) {
            return Stop::Abort;
        }
        cx.thrown = thrown;
        Stop::Throw
    }

    /// IteratorClose of a loop that ends normally before its time.
    pub fn finish(&self, cx: &mut Cx, m: Mem) -> Res<()> {
        let Iteration::Calls { iter, .. } = self else { return Ok(()) };
        let f = object::get_method(cx, m, *iter, roots::get(m, R_STR_RETURN))?;
        if f != UNDEF && !is_obj(interp::call(cx, m, f, *iter, &[])?) {
            return Err(cx.type_error(m, "Result of an iterator's return method is not an object"));
        }
        Ok(())
    }
}
