//! %Object.prototype%: ECMA-262 20.1.3 and B.2.2.
//!
//! Reentrant: keys are converted and tags are looked up by program code.
use super::{Native, f};
use crate::cx::{Args, Cx, Res, Stop, Value};
use crate::kinds::{ARGS, ERROR, WRAPPER};
use crate::object::{self, Desc, Prop};
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::{array, convert, function, interp, string};
use cage::Mem;
use cage::value::*;

const GET_PROTO: u16 = 0x067;
const SET_PROTO: u16 = 0x068;

pub const TABLE: &[Native] = &[
    f(0x060, "hasOwnProperty", 1, has_own_property),
    f(0x061, "isPrototypeOf", 1, is_prototype_of),
    f(0x062, "propertyIsEnumerable", 1, property_is_enumerable),
    f(0x063, "toLocaleString", 0, to_locale_string),
    f(0x064, "toString", 0, to_string),
    f(0x065, "valueOf", 0, |cx, m, a| convert::to_object(cx, m, a.this(m))),
    f(GET_PROTO, "get __proto__", 0, get_proto),
    f(SET_PROTO, "set __proto__", 1, set_proto),
    f(0x069, "__defineGetter__", 2, |cx, m, a| define_accessor(cx, m, a, true)),
    f(0x06A, "__defineSetter__", 2, |cx, m, a| define_accessor(cx, m, a, false)),
    f(0x06B, "__lookupGetter__", 1, |cx, m, a| lookup_accessor(cx, m, a, true)),
    f(0x06C, "__lookupSetter__", 1, |cx, m, a| lookup_accessor(cx, m, a, false)),
];

/// Object.prototype.hasOwnProperty
fn has_own_property(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let key = object::to_known_key(cx, m, a.get(m, 0))?;
    let o = convert::to_object(cx, m, a.this(m))?;
    match key {
        Some(key) => Ok(bool(object::has_own(cx, m, o, key)?)),
        None => Ok(FALSE),
    }
}

/// Object.prototype.isPrototypeOf
fn is_prototype_of(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let mut v = a.get(m, 0);
    if !is_obj(v) {
        return Ok(FALSE);
    }
    let o = convert::to_object(cx, m, a.this(m))?;
    loop {
        v = object::proto_of(m, v);
        if !is_obj(v) {
            return Ok(FALSE);
        }
        if v == o {
            return Ok(TRUE);
        }
        cx.charge(1)?;
    }
}

/// Object.prototype.propertyIsEnumerable
fn property_is_enumerable(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let key = object::to_key(cx, m, a.get(m, 0))?;
    let o = convert::to_object(cx, m, a.this(m))?;
    Ok(bool(object::get_own(cx, m, o, key)?.is_some_and(|p| p.enumerable())))
}

/// Object.prototype.toLocaleString
fn to_locale_string(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let this = a.this(m);
    let f = object::get_v(cx, m, this, roots::get(m, R_STR_TO_STRING))?;
    if !object::is_callable(m, f) {
        return Err(cx.type_error(m, "toString is not a function"));
    }
    interp::call(cx, m, f, this, &[])
}

/// Object.prototype.toString
pub fn to_string(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let this = a.this(m);
    match this {
        UNDEF => return cx.str(m, "[object Undefined]"),
        NULL => return cx.str(m, "[object Null]"),
        _ => {}
    }
    let o = convert::to_object(cx, m, this)?;
    let builtin = builtin_tag(m, o);
    let tag = object::get_with(cx, m, o, roots::get(m, R_SYM_TO_STRING_TAG), this)?;
    if !is_str(tag) {
        return cx.str(m, builtin);
    }
    let (open, close) = (cx.str(m, "[object ")?, string::of_unit8(m, b']'));
    let t = string::concat(cx, m, open, tag)?;
    string::concat(cx, m, t, close)
}

fn builtin_tag(m: Mem, o: Value) -> &'static str {
    if object::is_callable(m, o) {
        return "[object Function]";
    }
    if array::is_array(m, o) {
        return "[object Array]";
    }
    match object::kind(m, o) {
        ERROR => "[object Error]",
        ARGS => "[object Arguments]",
        WRAPPER => {
            let p = m.r64(o as u32, 16);
            if is_bool(p) {
                "[object Boolean]"
            } else if is_number(p) {
                "[object Number]"
            } else if is_str(p) {
                "[object String]"
            } else {
                "[object Object]"
            }
        }
        _ => "[object Object]",
    }
}

/// get Object.prototype.__proto__
fn get_proto(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = convert::to_object(cx, m, a.this(m))?;
    Ok(object::proto_of(m, o))
}

/// set Object.prototype.__proto__
fn set_proto(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, proto) = (a.this(m), a.get(m, 0));
    if is_nullish(o) {
        return Err(cx.type_error(m, "Object.prototype.__proto__ called on null or undefined"));
    }
    if is_obj(o) && (is_obj(proto) || proto == NULL) && !object::set_proto(cx, m, o, proto)? {
        return Err(immutable_prototype(cx, m));
    }
    Ok(UNDEF)
}

#[cold]
pub fn immutable_prototype(cx: &mut Cx, m: Mem) -> Stop {
    cx.type_error(m, "Cannot set prototype: the object is not extensible, its prototype is immutable, or a cycle would arise")
}

/// Object.prototype.__defineGetter__ and __defineSetter__
fn define_accessor(cx: &mut Cx, m: Mem, a: Args, getter: bool) -> Res {
    let o = convert::to_object(cx, m, a.this(m))?;
    let f = a.get(m, 1);
    if !object::is_callable(m, f) {
        return Err(cx.type_error(m, if getter { "Getter must be a function" } else { "Setter must be a function" }));
    }
    let (get, set) = if getter { (Some(f), None) } else { (None, Some(f)) };
    let d = Desc { get, set, enumerable: Some(true), configurable: Some(true), ..Desc::default() };
    let key = object::to_key(cx, m, a.get(m, 0))?;
    object::define_or_throw(cx, m, o, key, d)?;
    Ok(UNDEF)
}

/// Object.prototype.__lookupGetter__ and __lookupSetter__
fn lookup_accessor(cx: &mut Cx, m: Mem, a: Args, getter: bool) -> Res {
    let mut o = convert::to_object(cx, m, a.this(m))?;
    let key = object::to_key(cx, m, a.get(m, 0))?;
    while is_obj(o) {
        match object::get_own(cx, m, o, key)? {
            Some(Prop::Accessor { get, set, .. }) => return Ok(if getter { get } else { set }),
            Some(Prop::Data { .. }) => return Ok(UNDEF),
            None => {}
        }
        o = object::proto_of(m, o);
        cx.charge(1)?;
    }
    Ok(UNDEF)
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm, proto: Value) -> Res<()> {
    for n in TABLE.iter().filter(|n| n.number != GET_PROTO && n.number != SET_PROTO) {
        r.method(cx, m, proto, n.number)?;
    }
    let get = function::native(cx, m, GET_PROTO, &[])?;
    let set = function::native(cx, m, SET_PROTO, &[])?;
    let d = Desc { get: Some(get), set: Some(set), enumerable: Some(false), configurable: Some(true), ..Desc::default() };
    object::define_or_throw(cx, m, proto, roots::get(m, R_STR_PROTO), d)
}
