//! Iteration: for-of, spread, destructuring, for-in.
//!
//! ```text
//! the state of an iteration, in two registers
//!   an array and an int      the machine steps through the array itself
//!   a string and an int      likewise, by code points
//!   an ITER and its `next`   a builtin iterator whose `next` is the intrinsic one: stepped without result objects
//!   an iterator and `next`   anything else
//! ```
//! Invariants
//! - the machine iterates by itself only what has the intrinsic @@iterator and `next`.
use super::calls::call;
use super::fast::{a, b, c};
use super::slow::jump;
use super::{Frame, frame_end, safepoint};
use crate::aside::Aside;
use crate::code::op::*;
use crate::cx::{Abort, Args, Cx, Res, Stop, Value};
use crate::kinds::{self, ARR, NATIVE};
use crate::met::Met;
use crate::roots::{self, *};
use crate::{array, convert, function, object, shape, string};
use cage::value::*;
use cage::{Code, Mem};

pub(super) fn exec<'c>(cx: &mut Cx, m: Mem<'c>, fr: &mut Frame<'c>, i: u32, code: Code<'c>) -> Res<()> {
    let win = fr.win;
    match i as u8 {
        ITER => {
            let (x, y) = begin(cx, m, win.get(b(i)))?;
            win.set(a(i), x);
            win.set(a(i).wrapping_add(1), y);
            Ok(())
        }
        NEXT => next(cx, m, fr, i, code),
        ITERRES => {
            let r = win.get(b(i));
            if !is_obj(r) {
                return Err(cx.type_error(m, "Iterator result is not an object"));
            }
            let done = object::get(cx, m, r, roots::get(m, R_STR_DONE))?;
            let done = convert::truthy(m, done);
            if !done {
                let v = object::get(cx, m, r, roots::get(m, R_STR_VALUE))?;
                win.set(a(i).wrapping_add(2), v);
            }
            jump(cx, fr, code, done)
        }
        ITERCLOSE => close(cx, m, win.get(a(i)), win.get(a(i).wrapping_add(1)), c(i) == 1),
        AITER => {
            let (x, y) = begin_async(cx, m, win.get(b(i)))?;
            win.set(a(i), x);
            win.set(a(i).wrapping_add(1), y);
            Ok(())
        }
        FORIN => {
            safepoint(cx, m, frame_end(m, win, code))?;
            let keys = for_in_keys(cx, m, win.get(b(i)))?;
            let list = array::from_slice(cx, m, &keys)?;
            win.set(a(i), list);
            Ok(())
        }
        FORINCHECK => {
            let (o, k) = (win.get(b(i)), win.get(c(i)));
            let k = object::key_of(cx, m, k)?;
            let o = convert::to_object(cx, m, o)?;
            let r = object::has(cx, m, o, k)?;
            win.set(a(i), bool(r));
            Ok(())
        }
        _ => Err(cx.stop(Abort::Corrupt)),
    }
}

/// The value of own data property `k` of a prototype, if it is plainly that.
fn own_value(m: Mem, o: Value, k: Value) -> Option<Value> {
    match object::own_named(m, o, k) {
        Some(object::Prop::Data { value, .. }) => Some(value),
        _ => None,
    }
}

/// Does `%XIteratorPrototype%.next` of family `n` still stand?
fn next_intact(m: Mem, n: u16) -> bool {
    own_value(m, roots::get(m, R_ITER_PROTO + n), roots::get(m, R_STR_NEXT)) == Some(roots::get(m, R_ITER_NEXT + n))
}

/// GetIterator(v, sync) as the two words of the state.
pub fn begin(cx: &mut Cx, m: Mem, v: Value) -> Res<(Value, Value)> {
    let it = roots::get(m, R_SYM_ITERATOR);
    if is_obj(v) && object::kind(m, v) == ARR && shape::of(m, v) == roots::get(m, R_SHAPE_ARRAY) as u32 {
        let f = own_value(m, roots::get(m, R_ARRAY_PROTO), it);
        if f == Some(roots::get(m, R_ARRAY_VALUES)) && next_intact(m, 0) {
            return Ok((v, int(0)));
        }
    }
    if is_str(v) {
        let f = own_value(m, roots::get(m, R_STRING_PROTO), it);
        let intrinsic = f.is_some_and(|f| is_obj(f) && object::kind(m, f) == NATIVE);
        if intrinsic && next_intact(m, 3) {
            return Ok((string::flat(cx, m, v)?, int(0)));
        }
    }
    let method = object::get_method(cx, m, v, it)?;
    if method == UNDEF {
        return Err(not_iterable(cx, m, v));
    }
    let iterator = call(cx, m, method, v, &[])?;
    if !is_obj(iterator) {
        return Err(cx.type_error(m, "Result of the Symbol.iterator method is not an object"));
    }
    let next = object::get(cx, m, iterator, roots::get(m, R_STR_NEXT))?;
    Ok((iterator, next))
}

#[cold]
fn not_iterable(cx: &mut Cx, m: Mem, v: Value) -> Stop {
    let what = if is_obj(v) || is_sym(v) { string::to_rust(cx, m, convert::type_of(m, v)) } else { convert::to_shown(cx, m, v) };
    match what {
        Ok(t) => cx.type_error(m, &format!("{t} is not iterable")),
        Err(s) => s,
    }
}

/// GetIterator(v, async): a sync iterator is wrapped (27.1.6 AsyncFromSyncIterator).
fn begin_async(cx: &mut Cx, m: Mem, v: Value) -> Res<(Value, Value)> {
    let method = object::get_method(cx, m, v, roots::get(m, R_SYM_ASYNC_ITERATOR))?;
    let iterator = if method == UNDEF {
        let wrap = roots::get(m, R_SYNC_TO_ASYNC);
        if !object::is_callable(m, wrap) {
            return Err(cx.type_error(m, "value is not async iterable"));
        }
        call(cx, m, wrap, UNDEF, &[v])?
    } else {
        call(cx, m, method, v, &[])?
    };
    if !is_obj(iterator) {
        return Err(cx.type_error(m, "Result of the Symbol.asyncIterator method is not an object"));
    }
    let next = object::get(cx, m, iterator, roots::get(m, R_STR_NEXT))?;
    Ok((iterator, next))
}

/// One step of what the machine iterates itself; the outer `None`: it does not.
fn machine_step(cx: &mut Cx, m: Mem, x: Value, y: Value) -> Res<Option<(Option<Value>, Value)>> {
    if is_int(y) {
        if is_str(x) {
            return string_step(cx, m, x, y as u32).map(Some);
        }
        let i = y as u32;
        if !is_obj(x) || object::kind(m, x) != ARR {
            return Err(cx.stop(Abort::Corrupt));
        }
        if i as f64 >= array::length(m, x) {
            return Ok(Some((None, y)));
        }
        let v = array::element(m, x, i);
        let v = if v == HOLE { object::get(cx, m, x, int(i as i32))? } else { v };
        return Ok(Some((Some(v), int(i as i32 + 1))));
    }
    if is_obj(x) && object::kind(m, x) == kinds::ITER {
        for n in 0..4 {
            if y == roots::get(m, R_ITER_NEXT + n) && object::proto_of(m, x) == roots::get(m, R_ITER_PROTO + n) {
                let v = if n == 1 || n == 2 {
                    crate::builtins::map_set::step(cx, m, x)?
                } else {
                    crate::builtins::iterator::step(cx, m, x)?
                };
                return Ok(Some((v, y)));
            }
        }
    }
    Ok(None)
}

fn string_step(cx: &mut Cx, m: Mem, s: Value, i: u32) -> Res<(Option<Value>, Value)> {
    let n = string::len(m, s);
    if i >= n {
        return Ok((None, int(i as i32)));
    }
    let u = string::unit(m, s, i);
    let pair = (0xD800..0xDC00).contains(&u) && i + 1 < n && (0xDC00..0xE000).contains(&string::unit(m, s, i + 1));
    let k = 1 + pair as u32;
    let v = if pair { string::slice(cx, m, s, i, i + 2)? } else { string::of_unit(cx, m, u)? };
    Ok((Some(v), int((i + k) as i32)))
}

fn next<'c>(cx: &mut Cx, m: Mem<'c>, fr: &mut Frame<'c>, i: u32, code: Code<'c>) -> Res<()> {
    let win = fr.win;
    let (x, y) = (win.get(a(i)), win.get(a(i).wrapping_add(1)));
    safepoint(cx, m, frame_end(m, win, code))?;
    let (x, y) = if cx.native_depth == 0 { (win.get(a(i)), win.get(a(i).wrapping_add(1))) } else { (x, y) };
    cx.charge(1)?;
    if let Some((v, pos)) = machine_step(cx, m, x, y)? {
        win.set(a(i).wrapping_add(1), pos);
        let (to_body, to_exit) = (code.word(fr.pc) as i32, code.word(fr.pc.wrapping_add(1)) as i32);
        fr.pc = fr.pc.wrapping_add(2);
        let rel = if let Some(v) = v {
            win.set(a(i).wrapping_add(2), v);
            to_body
        } else {
            to_exit
        };
        fr.pc = fr.pc.wrapping_add(rel as u32);
        return Ok(());
    }
    fr.pc = fr.pc.wrapping_add(2);
    let at = b(i);
    win.set(at, y);
    win.set(at.wrapping_add(2), x);
    let t = at as u32 * 8;
    if is_obj(y) && object::kind(m, y) == NATIVE {
        let Some(n) = crate::builtins::native(function::native_number(m, y)) else { return Err(cx.stop(Abort::Corrupt)) };
        let args = Args { base: m.off(win).wrapping_add(t), argc: 0, new_target: UNDEF };
        cx.stack_top = cx.stack_top.max(args.base + 24);
        let v = (n.run)(cx, m, args)?;
        win.set(at, v);
        return Ok(());
    }
    super::calls::push_call(cx, m, fr, code, y, x, &[], at)
}

/// IteratorClose; after a throw (`quiet`) what `return` throws is dropped.
pub fn close(cx: &mut Cx, m: Mem, x: Value, y: Value, quiet: bool) -> Res<()> {
    let own =
        is_int(y) || (is_obj(x) && object::kind(m, x) == kinds::ITER && (0..4).any(|n| y == roots::get(m, R_ITER_NEXT + n)));
    if own {
        return Ok(());
    }
    let thrown = cx.thrown;
    let r = object::get_method(cx, m, x, roots::get(m, R_STR_RETURN)).and_then(|f| {
        if f == UNDEF {
            return Ok(None);
        }
        call(cx, m, f, x, &[]).map(Some)
    });
    match r {
        Err(Stop::Throw) if quiet => {
            cx.thrown = thrown;
            Ok(())
        }
        Err(s) => Err(s),
        Ok(Some(v)) if !quiet && !is_obj(v) => Err(cx.type_error(m, "iterator.return() did not return an object")),
        Ok(_) => Ok(()),
    }
}

/// The values that iterating `v` gives (`[...v]`); calls nest on the Rust stack unless the machine iterates itself.
pub fn iterate_to_vec(cx: &mut Cx, m: Mem, v: Value) -> Res<Aside<Value>> {
    let (x, mut y) = begin(cx, m, v)?;
    let mut out = Aside::new();
    loop {
        cx.charge(1)?;
        if out.len() % 4096 == 4095 {
            // what is collected here becomes an array, or was none that fits
            let heap = cx.heap.stats();
            if heap.heap_bytes + 8 * out.len() as u64 > heap.limit_bytes {
                return Err(cx.stop(Abort::Heap));
            }
        }
        match machine_step(cx, m, x, y)? {
            Some((Some(v), pos)) => {
                out.push(v);
                y = pos;
            }
            Some((None, _)) => return Ok(out),
            None => {
                let r = call(cx, m, y, x, &[])?;
                if !is_obj(r) {
                    return Err(cx.type_error(m, "Iterator result is not an object"));
                }
                let done = object::get(cx, m, r, roots::get(m, R_STR_DONE))?;
                if convert::truthy(m, done) {
                    return Ok(out);
                }
                out.push(object::get(cx, m, r, roots::get(m, R_STR_VALUE))?);
            }
        }
    }
}

/// Enumerable string keys of `v` and its prototypes, each once, shadowed ones left out (14.7.5.9 EnumerateObjectProperties).
fn for_in_keys(cx: &mut Cx, m: Mem, v: Value) -> Res<Aside<Value>> {
    if is_nullish(v) {
        return Ok(Aside::new());
    }
    let mut o = convert::to_object(cx, m, v)?;
    let mut seen = Met::new();
    let mut keys = Aside::new();
    while is_obj(o) {
        cx.charge(1)?;
        for k in object::own_keys(cx, m, o)? {
            cx.charge(1)?;
            if is_sym(k) || seen.set(cx, k, 0)?.is_some() {
                continue;
            }
            if object::get_own(cx, m, o, k)?.is_some_and(|p| p.enumerable()) {
                keys.push(object::key_value(cx, m, k)?);
            }
        }
        o = object::proto_of(m, o);
    }
    Ok(keys)
}
