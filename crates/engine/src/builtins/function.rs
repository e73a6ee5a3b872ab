//! %Function%, %Function.prototype%, %AsyncFunction.prototype%, %ThrowTypeError%: ECMA-262 20.2, 27.7 and 10.2.4.
//!
//! Reentrant: `call` and `apply` run what they are asked to run (the interpreter does without them where it can).
//!
//! Invariants
//! - no constructor here makes code from text: compartments have their own.
use super::{Native, ctor, f};
use crate::cx::{Args, Cx, Res, Value};
use crate::kinds::{BOUND, ELEMS, NATIVE};
use crate::object::{self, Desc};
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::shape::{self, C};
use crate::{array, convert, function, interp, string};
use cage::Mem;
use cage::layout::{H_KIND, H_X};
use cage::value::*;

const FUNCTION: u16 = 0x0A0;
pub const APPLY: u16 = 0x0A1;
const BIND: u16 = 0x0A2;
pub const CALL: u16 = 0x0A3;
const TO_STRING: u16 = 0x0A4;
const HAS_INSTANCE: u16 = 0x0A5;
const THROW_TYPE_ERROR: u16 = 0x0A6;
const ASYNC_FUNCTION: u16 = 0x0A7;

pub const TABLE: &[Native] = &[
    ctor(FUNCTION, "Function", 1, |cx, m, _| Err(cx.type_error(m, "Function.prototype.constructor is not a valid constructor."))),
    ctor(ASYNC_FUNCTION, "AsyncFunction", 1, |cx, m, _| {
        Err(cx.type_error(m, "Function.prototype.constructor is not a valid constructor."))
    }),
    f(APPLY, "apply", 2, apply),
    f(BIND, "bind", 1, bind),
    f(CALL, "call", 1, call),
    f(TO_STRING, "toString", 0, to_string),
    f(HAS_INSTANCE, "[Symbol.hasInstance]", 1, has_instance),
    f(THROW_TYPE_ERROR, "", 0, |cx, m, _| {
        Err(cx.type_error(m, "'caller', 'callee', and 'arguments' properties may not be accessed on strict mode functions"))
    }),
];

/// Arguments a call from a list can have.
pub const MAX_ARGUMENTS: u32 = 60_000;

/// CreateListFromArrayLike
pub fn list_from_array_like(cx: &mut Cx, m: Mem, v: Value) -> Res<Vec<Value>> {
    if !is_obj(v) {
        return Err(cx.type_error(m, "CreateListFromArrayLike called on non-object"));
    }
    let len = object::get(cx, m, v, roots::get(m, R_STR_LENGTH))?;
    let n = convert::to_length(cx, m, len)?;
    if n > MAX_ARGUMENTS as f64 {
        return Err(cx.range_error(m, "too many arguments"));
    }
    let mut list = Vec::with_capacity(n as usize);
    for i in 0..n as u32 {
        cx.charge(2)?;
        let e = if array::is_array(m, v) { array::element(m, v, i) } else { HOLE };
        list.push(if e == HOLE { object::get(cx, m, v, int(i as i32))? } else { e });
    }
    Ok(list)
}

/// Function.prototype.apply
fn apply(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let func = a.this(m);
    if !object::is_callable(m, func) {
        return Err(cx.type_error(m, "Function.prototype.apply was called on what is not a function"));
    }
    let list = if is_nullish(a.get(m, 1)) { Vec::new() } else { list_from_array_like(cx, m, a.get(m, 1))? };
    interp::call(cx, m, func, a.get(m, 0), &list)
}

/// Function.prototype.call
fn call(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let func = a.this(m);
    if !object::is_callable(m, func) {
        return Err(cx.type_error(m, "Function.prototype.call was called on what is not a function"));
    }
    let list: Vec<Value> = (1..a.argc).map(|i| a.get(m, i)).collect();
    interp::call(cx, m, func, a.get(m, 0), &list)
}

/// Function.prototype.bind
fn bind(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let target = a.this(m);
    if !object::is_callable(m, target) {
        return Err(cx.type_error(m, "Bind must be called on a function"));
    }
    let bound: Vec<Value> = (1..a.argc).map(|i| a.get(m, i)).collect();
    let func = bound_function_create(cx, m, target, a.get(m, 0), &bound)?;
    let mut length = 0.0;
    let key = roots::get(m, R_STR_LENGTH);
    if object::has_own(cx, m, target, key)? {
        let l = object::get(cx, m, target, key)?;
        if is_number(l) {
            // +∞ stays, -∞ and NaN become 0
            length = (convert::to_integer(cx, m, l)? - bound.len() as f64).max(0.0);
        }
    }
    object::define_or_throw(cx, m, func, key, Desc::data(from_num(length), C))?;
    let name = object::get(cx, m, target, roots::get(m, R_STR_NAME))?;
    let name = if is_str(name) { name } else { string::empty(m) };
    function::set_name(cx, m, func, name, "bound")?;
    Ok(func)
}

/// BoundFunctionCreate
fn bound_function_create(cx: &mut Cx, m: Mem, target: Value, this: Value, args: &[Value]) -> Res {
    let standard = roots::get(m, R_SHAPE_BOUND) as u32;
    let proto = object::proto_of(m, target);
    let s = if proto == shape::proto(m, standard) { standard } else { shape::with_proto(cx, m, standard, proto)? };
    let elems = object::new_elems(cx, m, args.len() as u32, false, UNDEF)?;
    for (i, v) in args.iter().enumerate() {
        cx.heap.write(m, elems.wrapping_add(8 + i as u32 * 8), *v);
    }
    object::exotic(cx, m, BOUND, s, &[target, this, CELL | elems as u64])
}

/// Target, this and arguments of a bound function.
pub fn bound_parts(cx: &mut Cx, m: Mem, func: Value) -> Res<(Value, Value, Vec<Value>)> {
    let at = func as u32;
    let elems = m.r64(at, 32) as u32;
    let n = if m.r8(elems, H_KIND) == ELEMS { m.r32(elems, H_X).min(MAX_ARGUMENTS) } else { 0 };
    cx.charge(n as u64 / 4)?;
    let args = (0..n).map(|i| m.r64(elems.wrapping_add(8 + i * 8), 0)).collect();
    Ok((m.r64(at, 16), m.r64(at, 24), args))
}

/// Function.prototype.toString
fn to_string(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let func = a.this(m);
    if !object::is_callable(m, func) {
        return Err(cx.type_error(m, "Function.prototype.toString requires that 'this' be a Function"));
    }
    if object::kind(m, func) == BOUND {
        return cx.str(m, "function () { [native code] }");
    }
    function::source_text(cx, m, func)
}

/// Function.prototype[@@hasInstance]
fn has_instance(cx: &mut Cx, m: Mem, a: Args) -> Res {
    Ok(bool(convert::ordinary_has_instance(cx, m, a.this(m), a.get(m, 0))?))
}

/// Is it %Function.prototype[@@hasInstance]%?
pub fn is_has_instance(m: Mem, func: Value) -> bool {
    object::kind(m, func) == NATIVE && function::native_number(m, func) == HAS_INSTANCE
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let proto = roots::get(m, R_FUNCTION_PROTO);
    let c = r.class(cx, m, FUNCTION, proto)?;
    r.methods(cx, m, proto, &[APPLY, BIND, CALL, TO_STRING])?;
    let h = function::native(cx, m, HAS_INSTANCE, &[])?;
    object::define_or_throw(cx, m, proto, roots::get(m, R_SYM_HAS_INSTANCE), Desc::data(h, 0))?;
    let thrower = function::native(cx, m, THROW_TYPE_ERROR, &[])?;
    object::freeze(cx, m, thrower);
    roots::set(cx, m, R_THROW_TYPE_ERROR, thrower);
    if roots::get(m, R_UNLOCKED) == TRUE {
        let d =
            Desc { get: Some(thrower), set: Some(thrower), enumerable: Some(false), configurable: Some(true), ..Desc::default() };
        for name in ["caller", "arguments"] {
            let key = string::intern_str(cx, m, name)?;
            object::define_or_throw(cx, m, proto, key, d)?;
        }
    }
    let (async_ctor, async_proto) = (function::native(cx, m, ASYNC_FUNCTION, &[])?, roots::get(m, R_ASYNC_FUNCTION_PROTO));
    object::set_proto(cx, m, async_ctor, c)?;
    r.value(cx, m, async_ctor, "prototype", async_proto, 0)?;
    r.value(cx, m, async_proto, "constructor", async_ctor, C)?;
    r.tag(cx, m, async_proto, "AsyncFunction")
}
