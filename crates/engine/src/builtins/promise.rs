//! Promise: ECMA-262 27.2.3 to 27.2.5, over `crate::promise`.
//!
//! The constructor, `try` and the combinators are reentrant (one native frame): they call an executor or iterate.
use super::iterate::{self, Iteration};
use super::{Native, ctor, f};
use crate::cx::{Args, Cx, ErrorKind, Res, Value};
use crate::object::{self, Desc};
use crate::promise::{self, Capability};
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::shape::{WC, WEC};
use crate::{array, function, interp, string};
use cage::Mem;
use cage::value::*;

const CTOR: u16 = 0x340;
const THEN: u16 = 0x341;
const RESOLVE_STATIC: u16 = 0x348;
/// A promise's resolve function.
pub const RESOLVE: u16 = 0x350;
/// A promise's reject function.
pub const REJECT: u16 = 0x351;
/// The executor NewPromiseCapability passes.
pub const CAPABILITY_EXECUTOR: u16 = 0x352;
const THEN_FINALLY: u16 = 0x353;
const CATCH_FINALLY: u16 = 0x354;
const VALUE_THUNK: u16 = 0x355;
const THROWER: u16 = 0x356;
const ELEMENT: u16 = 0x357;

pub const TABLE: &[Native] = &[
    ctor(CTOR, "Promise", 1, construct),
    f(THEN, "then", 2, then),
    f(0x342, "catch", 1, catch),
    f(0x343, "finally", 1, finally),
    f(0x344, "all", 1, |cx, m, a| combine(cx, m, a, Kind::All)),
    f(0x345, "allSettled", 1, |cx, m, a| combine(cx, m, a, Kind::AllSettled)),
    f(0x346, "any", 1, |cx, m, a| combine(cx, m, a, Kind::Any)),
    f(0x347, "race", 1, |cx, m, a| combine(cx, m, a, Kind::Race)),
    f(RESOLVE_STATIC, "resolve", 1, resolve),
    f(0x349, "reject", 1, reject),
    f(0x34A, "withResolvers", 0, with_resolvers),
    f(0x34B, "try", 1, try_),
    f(0x34C, "get [Symbol.species]", 0, super::map_set::species),
    f(RESOLVE, "", 1, resolve_function),
    f(REJECT, "", 1, reject_function),
    f(CAPABILITY_EXECUTOR, "", 2, capability_executor),
    f(THEN_FINALLY, "", 1, |cx, m, a| after_finally(cx, m, a, VALUE_THUNK)),
    f(CATCH_FINALLY, "", 1, |cx, m, a| after_finally(cx, m, a, THROWER)),
    f(VALUE_THUNK, "", 0, |_, m, a| Ok(function::data(m, a.callee(m), 0))),
    f(THROWER, "", 0, |cx, m, a| Err(cx.throw(function::data(m, a.callee(m), 0)))),
    f(ELEMENT, "", 1, element),
];

fn construct(cx: &mut Cx, m: Mem, a: Args) -> Res {
    if !a.is_construct() {
        return Err(cx.type_error(m, "Promise constructor cannot be invoked without 'new'"));
    }
    let executor = a.get(m, 0);
    if !object::is_callable(m, executor) {
        return Err(cx.type_error(m, "Promise resolver is not a function"));
    }
    let s = function::shape_from(cx, m, a.new_target, R_SHAPE_PROMISE, R_PROMISE_PROTO)?;
    let p = promise::of_shape(cx, m, s)?;
    run_executor(cx, m, p, executor)?;
    Ok(p)
}

/// Calls `executor(resolve, reject)` for `p`; what it throws rejects.
pub fn run_executor(cx: &mut Cx, m: Mem, p: Value, executor: Value) -> Res<()> {
    let (resolve, reject) = promise::resolving_functions(cx, m, p)?;
    let r = interp::call(cx, m, executor, UNDEF, &[resolve, reject]);
    if let Err(e) = promise::caught(cx, r)?
        && promise::take_target(cx, m, reject) != UNDEF
    {
        promise::reject(cx, m, p, e)?;
    }
    Ok(())
}

fn resolve_function(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let p = promise::take_target(cx, m, a.callee(m));
    if p != UNDEF {
        promise::resolve(cx, m, p, a.get(m, 0))?;
    }
    Ok(UNDEF)
}
fn reject_function(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let p = promise::take_target(cx, m, a.callee(m));
    if p != UNDEF {
        promise::reject(cx, m, p, a.get(m, 0))?;
    }
    Ok(UNDEF)
}
fn capability_executor(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let c = a.callee(m);
    if function::data(m, c, 0) != UNDEF || function::data(m, c, 1) != UNDEF {
        return Err(cx.type_error(m, "Promise executor has already been invoked with non-undefined arguments"));
    }
    function::set_data(cx, m, c, 0, a.get(m, 0));
    function::set_data(cx, m, c, 1, a.get(m, 1));
    Ok(UNDEF)
}

/// SpeciesConstructor(o, %Promise%)
fn species(cx: &mut Cx, m: Mem, o: Value) -> Res {
    let default = roots::get(m, R_PROMISE);
    if promise::is_plain(m, o) {
        return Ok(default);
    }
    let c = object::get(cx, m, o, roots::get(m, R_STR_CONSTRUCTOR))?;
    if c == UNDEF {
        return Ok(default);
    }
    if !is_obj(c) {
        return Err(cx.type_error(m, "constructor is not an object"));
    }
    let s = object::get(cx, m, c, roots::get(m, R_SYM_SPECIES))?;
    if is_nullish(s) {
        return Ok(default);
    }
    if !function::is_constructor(cx, m, s) {
        return Err(cx.type_error(m, "species is not a constructor"));
    }
    Ok(s)
}

fn then(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let p = a.this(m);
    if !promise::is_promise(m, p) {
        return Err(cx.type_error(m, "Promise.prototype.then called on a value that is no Promise"));
    }
    let c = species(cx, m, p)?;
    let cap = Capability::new(cx, m, c)?;
    let result = cap.result(cx, m)?;
    promise::then(cx, m, p, a.get(m, 0), a.get(m, 1), result)?;
    Ok(cap.promise)
}

/// Invoke(p, "then", f, r)
fn invoke_then(cx: &mut Cx, m: Mem, p: Value, f: Value, r: Value) -> Res {
    if promise::is_plain(m, p) {
        let result = promise::new_promise(cx, m)?;
        promise::then(cx, m, p, f, r, result)?;
        return Ok(result);
    }
    let then = object::get_v(cx, m, p, roots::get(m, R_STR_THEN))?;
    if !object::is_callable(m, then) {
        return Err(cx.type_error(m, "then is not a function"));
    }
    interp::call(cx, m, then, p, &[f, r])
}

fn catch(cx: &mut Cx, m: Mem, a: Args) -> Res {
    invoke_then(cx, m, a.this(m), UNDEF, a.get(m, 0))
}

fn finally(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let p = a.this(m);
    if !is_obj(p) {
        return Err(cx.type_error(m, "Promise.prototype.finally called on a non-object"));
    }
    let c = species(cx, m, p)?;
    let f = a.get(m, 0);
    if !object::is_callable(m, f) {
        return invoke_then(cx, m, p, f, f);
    }
    let t = function::native(cx, m, THEN_FINALLY, &[f, c])?;
    let r = function::native(cx, m, CATCH_FINALLY, &[f, c])?;
    invoke_then(cx, m, p, t, r)
}

fn after_finally(cx: &mut Cx, m: Mem, a: Args, number: u16) -> Res {
    let (f, c) = (function::data(m, a.callee(m), 0), function::data(m, a.callee(m), 1));
    let value = a.get(m, 0);
    let r = interp::call(cx, m, f, UNDEF, &[])?;
    let p = promise::promise_resolve(cx, m, c, r)?;
    let thunk = function::native(cx, m, number, &[value])?;
    invoke_then(cx, m, p, thunk, UNDEF)
}

fn resolve(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let c = a.this(m);
    if !is_obj(c) {
        return Err(cx.type_error(m, "Promise.resolve called on a non-object"));
    }
    promise::promise_resolve(cx, m, c, a.get(m, 0))
}

fn reject(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let cap = Capability::new(cx, m, a.this(m))?;
    cap.reject(cx, m, a.get(m, 0))?;
    Ok(cap.promise)
}

/// A { promise, resolve, reject } object.
pub fn kit(cx: &mut Cx, m: Mem, promise: Value, resolve: Value, reject: Value) -> Res {
    let o = object::from_shape(cx, m, roots::get(m, R_SHAPE_KIT) as u32)?;
    for (i, v) in [promise, resolve, reject].into_iter().enumerate() {
        m.w64(o as u32, 8 + 8 * i as u16, v);
    }
    Ok(o)
}

fn with_resolvers(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let mut cap = Capability::new(cx, m, a.this(m))?;
    let (resolve, reject) = cap.functions(cx, m)?;
    kit(cx, m, cap.promise, resolve, reject)
}

fn try_(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let c = a.this(m);
    if !is_obj(c) {
        return Err(cx.type_error(m, "Promise.try called on a non-object"));
    }
    let cap = Capability::new(cx, m, c)?;
    let args: Vec<Value> = (1..a.argc).map(|i| a.get(m, i)).collect();
    let f = a.get(m, 0);
    let r = interp::call(cx, m, f, UNDEF, &args);
    if let Some(v) = cap.or_reject(cx, m, r)? {
        cap.resolve(cx, m, v)?;
    }
    Ok(cap.promise)
}

// ---- all, allSettled, any, race ----

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    All,
    AllSettled,
    Any,
    Race,
}

fn combine(cx: &mut Cx, m: Mem, a: Args, kind: Kind) -> Res {
    let c = a.this(m);
    let mut cap = Capability::new(cx, m, c)?;
    let r = start(cx, m, c, a.get(m, 0));
    let Some((resolve, mut it)) = cap.or_reject(cx, m, r)? else { return Ok(cap.promise) };
    let r = collect(cx, m, c, kind, &mut cap, resolve, &mut it);
    cap.or_reject(cx, m, r)?;
    Ok(cap.promise)
}

/// GetPromiseResolve and GetIterator. The intrinsic `resolve` of %Promise% comes back as undefined.
fn start(cx: &mut Cx, m: Mem, c: Value, items: Value) -> Res<(Value, Iteration)> {
    let key = string::intern_str(cx, m, "resolve")?;
    let resolve = object::get(cx, m, c, key)?;
    if !object::is_callable(m, resolve) {
        return Err(cx.type_error(m, "Promise resolve is not a function"));
    }
    let intrinsic = c == roots::get(m, R_PROMISE) && resolve == roots::get(m, R_PROMISE_RESOLVE);
    Ok((if intrinsic { UNDEF } else { resolve }, iterate::open(cx, m, items)?))
}

/// PerformPromiseAll and its like. `state` is an array: values, how many are open, the capability's three.
fn collect(cx: &mut Cx, m: Mem, c: Value, kind: Kind, cap: &mut Capability, resolve: Value, it: &mut Iteration) -> Res<()> {
    let values = array::from_slice(cx, m, &[])?;
    let (yes, no) = cap.functions(cx, m)?;
    let state = promise::tuple(cx, m, [values, int(1), yes, no])?;
    let mut i = 0;
    while let Some(v) = it.step(cx, m)? {
        let r = one(cx, m, c, kind, resolve, state, (v, i));
        if let Err(why) = r {
            return Err(it.close(cx, m, why));
        }
        i += 1;
    }
    if kind == Kind::Race {
        return Ok(());
    }
    finish_one(cx, m, state, kind == Kind::Any)
}

fn one(cx: &mut Cx, m: Mem, c: Value, kind: Kind, resolve: Value, state: Value, item: (Value, i32)) -> Res<()> {
    cx.charge(4)?;
    let (v, i) = item;
    let next = if resolve == UNDEF { promise::promise_resolve(cx, m, c, v)? } else { interp::call(cx, m, resolve, c, &[v])? };
    let (yes, no) = (m.r64(state as u32, 24), m.r64(state as u32, 32));
    if kind == Kind::Race {
        invoke_then(cx, m, next, yes, no)?;
        return Ok(());
    }
    array::push(cx, m, m.r64(state as u32, 8), UNDEF)?;
    let open = as_int(m.r64(state as u32, 16));
    cx.heap.write(m, (state as u32).wrapping_add(16), int(open + 1));
    let make = |cx: &mut Cx, mode: i32| function::native(cx, m, ELEMENT, &[state, int(i), int(mode), UNDEF]);
    let (on_yes, on_no) = match kind {
        Kind::All => (make(cx, 0)?, no),
        Kind::Any => (yes, make(cx, 3)?),
        _ => {
            let (y, n) = (make(cx, 1)?, make(cx, 2)?);
            function::set_data(cx, m, y, 3, n);
            function::set_data(cx, m, n, 3, y);
            (y, n)
        }
    };
    invoke_then(cx, m, next, on_yes, on_no)?;
    Ok(())
}

/// The functions that take one value: data 0 state, 1 index, 2 mode (0 all, 1 and 2 allSettled, 3 any), 3 fellow.
fn element(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let f = a.callee(m);
    let state = function::data(m, f, 0);
    if state == UNDEF {
        return Ok(UNDEF);
    }
    let mode = as_int(function::data(m, f, 2));
    let fellow = function::data(m, f, 3);
    function::set_data(cx, m, f, 0, UNDEF);
    if is_obj(fellow) {
        function::set_data(cx, m, fellow, 0, UNDEF);
    }
    let mut v = a.get(m, 0);
    if mode == 1 || mode == 2 {
        let (status, name) = if mode == 1 { ("fulfilled", "value") } else { ("rejected", "reason") };
        let o = object::new(cx, m)?;
        let key = string::intern_str(cx, m, "status")?;
        let text = string::intern_str(cx, m, status)?;
        object::add_property(cx, m, o, key, WEC, text)?;
        let key = string::intern_str(cx, m, name)?;
        object::add_property(cx, m, o, key, WEC, v)?;
        v = o;
    }
    let values = m.r64(state as u32, 8);
    let i = function::data(m, f, 1);
    object::create_data_or_throw(cx, m, values, i, v)?;
    finish_one(cx, m, state, mode == 3)?;
    Ok(UNDEF)
}

/// One less is open; the last one settles the whole.
fn finish_one(cx: &mut Cx, m: Mem, state: Value, any: bool) -> Res<()> {
    let open = as_int(m.r64(state as u32, 16)) - 1;
    cx.heap.write(m, (state as u32).wrapping_add(16), int(open));
    if open != 0 {
        return Ok(());
    }
    let values = m.r64(state as u32, 8);
    let (yes, no) = (m.r64(state as u32, 24), m.r64(state as u32, 32));
    if !any {
        return interp::call(cx, m, yes, UNDEF, &[values]).map(|_| ());
    }
    let e = super::error::make(cx, m, ErrorKind::Aggregate, "All promises were rejected")?;
    let key = roots::get(m, R_STR_ERRORS);
    object::define_or_throw(cx, m, e, key, Desc::data(values, WC))?;
    interp::call(cx, m, no, UNDEF, &[e]).map(|_| ())
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let proto = roots::get(m, R_PROMISE_PROTO);
    let c = r.class(cx, m, CTOR, proto)?;
    roots::set(cx, m, R_PROMISE, c);
    let then = r.method(cx, m, proto, THEN)?;
    roots::set(cx, m, R_PROMISE_THEN, then);
    r.methods(cx, m, proto, &[0x342, 0x343])?;
    r.tag(cx, m, proto, "Promise")?;
    r.methods(cx, m, c, &[0x344, 0x345, 0x346, 0x347, 0x349])?;
    let resolve = r.method(cx, m, c, RESOLVE_STATIC)?;
    roots::set(cx, m, R_PROMISE_RESOLVE, resolve);
    r.methods(cx, m, c, &[0x34A, 0x34B])?;
    let species = roots::get(m, R_SYM_SPECIES);
    r.getter(cx, m, c, species, 0x34C)?;
    Ok(())
}
