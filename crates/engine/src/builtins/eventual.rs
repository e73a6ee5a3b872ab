//! E, HandledPromise: eventual sends as functions (endo's `@endo/eventual-send`), over `crate::send`.
//!
//! `E(x)` is a callable object of its own kind of shape, all of whose names are properties; there is no Proxy behind it.
use super::{Native, ctor, f};
use crate::cx::{Args, Cx, ErrorKind, Res, Value};
use crate::kinds::*;
use crate::object;
use crate::promise;
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::send::{self, APPLY, GET, METHOD};
use crate::{array, function, harden, interp};
use cage::Mem;
use cage::value::*;

const E: u16 = 0x380;
/// What `E(x)` gives, when it is called.
pub const SENDER: u16 = 0x385;
/// A method of it.
pub const SENDER_METHOD: u16 = 0x386;
const HANDLED_PROMISE: u16 = 0x388;
const WITH_PRESENCE: u16 = 0x390;
const WITH_REMOTE: u16 = 0x391;

/// Names are methods; the answer is promised.
const MODE_CALL: i32 = 0;
/// Names are methods; no answer.
const MODE_ONLY: i32 = 1;
/// Names are properties.
pub const MODE_GET: i32 = 2;

pub const TABLE: &[Native] = &[
    f(E, "E", 1, |cx, m, a| send::sender(cx, m, a.get(m, 0), MODE_CALL)),
    f(0x381, "get", 1, |cx, m, a| send::sender(cx, m, a.get(m, 0), MODE_GET)),
    f(0x382, "resolve", 1, resolve),
    f(0x383, "sendOnly", 1, |cx, m, a| send::sender(cx, m, a.get(m, 0), MODE_ONLY)),
    f(0x384, "when", 3, when),
    f(SENDER, "", 0, sender_apply),
    f(SENDER_METHOD, "", 0, sender_method),
    ctor(HANDLED_PROMISE, "HandledPromise", 2, construct),
    f(0x389, "applyFunction", 2, |cx, m, a| apply_function(cx, m, a, false)),
    f(0x38A, "applyFunctionSendOnly", 2, |cx, m, a| apply_function(cx, m, a, true)),
    f(0x38B, "applyMethod", 3, |cx, m, a| apply_method(cx, m, a, false)),
    f(0x38C, "applyMethodSendOnly", 3, |cx, m, a| apply_method(cx, m, a, true)),
    f(0x38D, "get", 2, |cx, m, a| send::send(cx, m, a.get(m, 0), GET, a.get(m, 1), &[], false)),
    f(0x38E, "getSendOnly", 2, |cx, m, a| send::send(cx, m, a.get(m, 0), GET, a.get(m, 1), &[], true)),
    f(0x38F, "resolve", 1, resolve),
    f(WITH_PRESENCE, "resolveWithPresence", 1, with_presence),
    f(WITH_REMOTE, "resolveWithRemote", 1, with_remote),
];

fn args_of(m: Mem, a: Args) -> Vec<Value> {
    (0..a.argc).map(|i| a.get(m, i)).collect()
}

fn sender_apply(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (target, mode) = (function::data(m, a.callee(m), 0), as_int(function::data(m, a.callee(m), 1)));
    if mode == MODE_GET {
        return Err(cx.type_error(m, "E.get(x) is not a function"));
    }
    send::send(cx, m, target, APPLY, UNDEF, &args_of(m, a), mode == MODE_ONLY)
}

/// Data: target, mode, key, the sender it came from.
fn sender_method(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let f = a.callee(m);
    let (target, only) = (function::data(m, f, 0), as_int(function::data(m, f, 1)) == MODE_ONLY);
    let (key, from) = (function::data(m, f, 2), function::data(m, f, 3));
    if a.this(m) != from {
        let k = object::key_text(cx, m, key)?;
        let why = format!("Unexpected receiver for \"{k}\" method of E(x)");
        let e = super::error::make(cx, m, ErrorKind::Type, &why)?;
        let p = promise::new_promise(cx, m)?;
        promise::reject(cx, m, p, e)?;
        return Ok(if only { UNDEF } else { p });
    }
    send::send(cx, m, target, METHOD, key, &args_of(m, a), only)
}

/// HandledPromise.resolve
fn resolve(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let v = harden_plain(cx, m, a.get(m, 0))?;
    let p = promise::to_promise(cx, m, v)?;
    harden_plain(cx, m, p)
}

/// Primordials must be frozen before anything is hardened along its prototypes.
fn harden_plain(cx: &mut Cx, m: Mem, v: Value) -> Res {
    if roots::get(m, R_UNLOCKED) == TRUE { Ok(v) } else { harden::harden(cx, m, v) }
}

fn when(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let p = promise::to_promise(cx, m, a.get(m, 0))?;
    let result = promise::new_promise(cx, m)?;
    promise::then(cx, m, p, a.get(m, 1), a.get(m, 2), result)?;
    harden_plain(cx, m, result)
}

fn list(cx: &mut Cx, m: Mem, v: Value) -> Res<Vec<Value>> {
    if array::simple(m, v).is_some_and(|n| n as usize <= interp::MAX_ARGS) {
        return Ok(array::values(cx, m, v)?.into_iter().map(|x| if x == HOLE { UNDEF } else { x }).collect());
    }
    let all = interp::iterate_to_vec(cx, m, v)?;
    if all.len() > interp::MAX_ARGS {
        return Err(cx.range_error(m, "limit: arguments of a call"));
    }
    Ok(all.to_vec())
}

fn apply_function(cx: &mut Cx, m: Mem, a: Args, only: bool) -> Res {
    let args = list(cx, m, a.get(m, 1))?;
    send::send(cx, m, a.get(m, 0), APPLY, UNDEF, &args, only)
}

fn apply_method(cx: &mut Cx, m: Mem, a: Args, only: bool) -> Res {
    let args = list(cx, m, a.get(m, 2))?;
    let key = a.get(m, 1);
    let form = if key == UNDEF { APPLY } else { METHOD };
    send::send(cx, m, a.get(m, 0), form, key, &args, only)
}

/// `new HandledPromise(executor, handler)`: a promise whose messages the handler answers while it is pending.
fn construct(cx: &mut Cx, m: Mem, a: Args) -> Res {
    if !a.is_construct() {
        return Err(cx.type_error(m, "HandledPromise must be invoked with 'new'"));
    }
    let (executor, handler) = (a.get(m, 0), a.get(m, 1));
    if !object::is_callable(m, executor) {
        return Err(cx.type_error(m, "HandledPromise executor is not a function"));
    }
    if handler != UNDEF && !is_obj(handler) {
        return Err(cx.type_error(m, "HandledPromise handler is not an object"));
    }
    let p = promise::new_promise(cx, m)?;
    if handler != UNDEF {
        promise::set_handler(cx, m, p, handler);
    }
    let (resolve, reject) = promise::resolving_functions(cx, m, p)?;
    let presence = function::native(cx, m, WITH_PRESENCE, &[resolve])?;
    let remote = function::native(cx, m, WITH_REMOTE, &[resolve])?;
    let r = interp::call(cx, m, executor, UNDEF, &[resolve, reject, presence, remote]);
    if let Err(e) = promise::caught(cx, r)?
        && promise::take_target(cx, m, reject) != UNDEF
    {
        promise::reject(cx, m, p, e)?;
    }
    Ok(p)
}

/// A fresh object whose messages `handler` answers.
pub fn make_presence(cx: &mut Cx, m: Mem, handler: Value) -> Res {
    send::presence(cx, m, handler)
}

fn with_presence(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let handler = a.get(m, 0);
    if !is_obj(handler) {
        return Err(cx.type_error(m, "resolveWithPresence: the handler is not an object"));
    }
    let resolve = function::data(m, a.callee(m), 0);
    let p = promise::take_target(cx, m, resolve);
    if p == UNDEF {
        return Err(cx.type_error(m, "resolveWithPresence: already resolved"));
    }
    let presence = make_presence(cx, m, handler)?;
    promise::fulfill(cx, m, p, presence)?;
    Ok(presence)
}

/// The promise stays unresolved to its users; `handler` answers its messages from now on.
fn with_remote(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let handler = a.get(m, 0);
    if !is_obj(handler) {
        return Err(cx.type_error(m, "resolveWithRemote: the handler is not an object"));
    }
    let resolve = function::data(m, a.callee(m), 0);
    let p = promise::take_target(cx, m, resolve);
    if p == UNDEF {
        return Err(cx.type_error(m, "resolveWithRemote: already resolved"));
    }
    promise::set_handler(cx, m, p, handler);
    Ok(p)
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let e = r.method(cx, m, r.global, E)?;
    r.methods(cx, m, e, &[0x381, 0x382, 0x383, 0x384])?;
    let hp = r.method(cx, m, r.global, HANDLED_PROMISE)?;
    let proto = roots::get(m, R_PROMISE_PROTO);
    r.value(cx, m, hp, "prototype", proto, 0)?;
    r.methods(cx, m, hp, &[0x389, 0x38A, 0x38B, 0x38C, 0x38D, 0x38E, 0x38F])?;
    let promise = roots::get(m, R_PROMISE);
    object::set_proto(cx, m, hp, promise)?;
    debug_assert!(object::kind(m, hp) == NATIVE);
    Ok(())
}
