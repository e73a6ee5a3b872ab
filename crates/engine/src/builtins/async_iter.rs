//! %AsyncIteratorPrototype% and the async iterator over a sync one (ECMA-262 27.1.3, 27.1.6).
//!
//! In: `for await` over what has no `Symbol.asyncIterator`. Programs never get hold of such an iterator.
//!
//! ```text
//! ITER  2 the sync iterator; 3 its `next`; 4 undefined
//! ```
use super::iterate::Iteration;
use super::map_set::iter_result;
use super::{Native, f};
use crate::convert;
use crate::cx::{Args, Cx, ErrorKind, Res, Stop, Value};
use crate::kinds::ITER;
use crate::promise::{self, Capability};
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::shape::{self, EXOTIC};
use crate::{function, interp, object, string};
use cage::Mem;
use cage::value::*;

const WRAP: u16 = 0x358;
const UNWRAP: u16 = 0x35C;
const CLOSE: u16 = 0x35D;
const ITSELF: u16 = 0x35E;

pub const TABLE: &[Native] = &[
    f(WRAP, "", 1, wrap),
    f(0x359, "next", 1, next),
    f(0x35A, "return", 1, return_),
    f(0x35B, "throw", 1, throw),
    f(UNWRAP, "", 1, unwrap),
    f(CLOSE, "", 1, close),
    f(ITSELF, "[Symbol.asyncIterator]", 0, |_, m, a| Ok(a.this(m))),
];

/// CreateAsyncFromSyncIterator(GetIterator(v, sync))
fn wrap(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let v = a.get(m, 0);
    let method = object::get_method(cx, m, v, roots::get(m, R_SYM_ITERATOR))?;
    if method == UNDEF {
        return Err(cx.type_error(m, "value is not async iterable"));
    }
    let iter = interp::call(cx, m, method, v, &[])?;
    if !is_obj(iter) {
        return Err(cx.type_error(m, "Result of the Symbol.iterator method is not an object"));
    }
    let next = object::get(cx, m, iter, roots::get(m, R_STR_NEXT))?;
    let s = roots::get(m, R_SHAPE_ASYNC_FROM_SYNC) as u32;
    object::exotic(cx, m, ITER, s, &[iter, next, UNDEF])
}

fn this_of(cx: &mut Cx, m: Mem, a: Args) -> Res<(Value, Value)> {
    let o = a.this(m);
    if is_obj(o) && shape::of(m, o) == roots::get(m, R_SHAPE_ASYNC_FROM_SYNC) as u32 {
        return Ok((m.r64(o as u32, 16), m.r64(o as u32, 24)));
    }
    Err(cx.type_error(m, "not an async iterator over a sync one"))
}

fn capability(cx: &mut Cx, m: Mem) -> Res<Capability> {
    Capability::new(cx, m, roots::get(m, R_PROMISE))
}

fn passed(m: Mem, a: Args) -> Vec<Value> {
    (0..a.argc.min(1)).map(|i| a.get(m, i)).collect()
}

fn next(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (iter, next) = this_of(cx, m, a)?;
    let cap = capability(cx, m)?;
    let r = interp::call(cx, m, next, iter, &passed(m, a));
    let Some(r) = cap.or_reject(cx, m, r)? else { return Ok(cap.promise) };
    go_on(cx, m, r, cap, iter, true)
}

fn return_(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (iter, _) = this_of(cx, m, a)?;
    let cap = capability(cx, m)?;
    let f = object::get_method(cx, m, iter, roots::get(m, R_STR_RETURN));
    let Some(f) = cap.or_reject(cx, m, f)? else { return Ok(cap.promise) };
    if f == UNDEF {
        let r = iter_result(cx, m, a.get(m, 0), true)?;
        cap.resolve(cx, m, r)?;
        return Ok(cap.promise);
    }
    let r = interp::call(cx, m, f, iter, &passed(m, a));
    let Some(r) = cap.or_reject(cx, m, r)? else { return Ok(cap.promise) };
    go_on(cx, m, r, cap, iter, false)
}

fn throw(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (iter, next) = this_of(cx, m, a)?;
    let cap = capability(cx, m)?;
    let key = string::intern_str(cx, m, "throw")?;
    let f = object::get_method(cx, m, iter, key);
    let Some(f) = cap.or_reject(cx, m, f)? else { return Ok(cap.promise) };
    if f == UNDEF {
        let closed = Iteration::Calls { iter, next }.finish(cx, m);
        if cap.or_reject(cx, m, closed)?.is_some() {
            let e = super::error::make(cx, m, ErrorKind::Type, "The iterator does not provide a 'throw' method")?;
            cap.reject(cx, m, e)?;
        }
        return Ok(cap.promise);
    }
    let r = interp::call(cx, m, f, iter, &passed(m, a));
    let Some(r) = cap.or_reject(cx, m, r)? else { return Ok(cap.promise) };
    go_on(cx, m, r, cap, iter, true)
}

/// AsyncFromSyncIteratorContinuation
fn go_on(cx: &mut Cx, m: Mem, result: Value, cap: Capability, iter: Value, close: bool) -> Res {
    let parts = parts(cx, m, result);
    let Some((done, value)) = cap.or_reject(cx, m, parts)? else { return Ok(cap.promise) };
    let wrapped = match promise::to_promise(cx, m, value) {
        Err(Stop::Throw) if !done && close => Err(Iteration::Calls { iter, next: UNDEF }.close(cx, m, Stop::Throw)),
        r => r,
    };
    let Some(wrapped) = cap.or_reject(cx, m, wrapped)? else { return Ok(cap.promise) };
    let yes = function::native(cx, m, UNWRAP, &[bool(done)])?;
    let no = if done || !close { UNDEF } else { function::native(cx, m, CLOSE, &[iter])? };
    promise::then(cx, m, wrapped, yes, no, cap.promise)?;
    Ok(cap.promise)
}

/// IteratorComplete and IteratorValue of a result that must be an object.
fn parts(cx: &mut Cx, m: Mem, result: Value) -> Res<(bool, Value)> {
    if !is_obj(result) {
        return Err(cx.type_error(m, "Iterator result is not an object"));
    }
    let done = object::get(cx, m, result, roots::get(m, R_STR_DONE))?;
    let value = object::get(cx, m, result, roots::get(m, R_STR_VALUE))?;
    Ok((convert::truthy(m, done), value))
}

fn unwrap(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let done = function::data(m, a.callee(m), 0) == TRUE;
    iter_result(cx, m, a.get(m, 0), done)
}

fn close(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let iter = function::data(m, a.callee(m), 0);
    let why = cx.throw(a.get(m, 0));
    Err(Iteration::Calls { iter, next: UNDEF }.close(cx, m, why))
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let async_proto = roots::get(m, R_ASYNC_ITERATOR_PROTO);
    let key = roots::get(m, R_SYM_ASYNC_ITERATOR);
    r.method_at(cx, m, async_proto, key, ITSELF)?;
    let proto = r.object(cx, m, async_proto)?;
    roots::set(cx, m, R_ASYNC_FROM_SYNC_PROTO, proto);
    r.methods(cx, m, proto, &[0x359, 0x35A, 0x35B])?;
    let s = shape::root(cx, m, proto, 1, EXOTIC)?;
    roots::set(cx, m, R_SHAPE_ASYNC_FROM_SYNC, CELL | s as u64);
    let wrap = function::native(cx, m, WRAP, &[])?;
    roots::set(cx, m, R_SYNC_TO_ASYNC, wrap);
    Ok(())
}
