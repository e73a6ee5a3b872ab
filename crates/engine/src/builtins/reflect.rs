//! Reflect: ECMA-262 28.1.
//!
//! Reentrant.
use super::function::list_from_array_like;
use super::object::{from_property, key_list, to_descriptor};
use super::{Native, f};
use crate::cx::{Args, Cx, Res, Value};
use crate::object;
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::shape::WC;
use crate::{function, interp};
use cage::Mem;
use cage::value::*;

pub const TABLE: &[Native] = &[
    f(0x290, "apply", 3, apply),
    f(0x291, "construct", 2, construct),
    f(0x292, "defineProperty", 3, define_property),
    f(0x293, "deleteProperty", 2, delete_property),
    f(0x294, "get", 2, get),
    f(0x295, "getOwnPropertyDescriptor", 2, get_own_property_descriptor),
    f(0x296, "getPrototypeOf", 1, get_prototype_of),
    f(0x297, "has", 2, has),
    f(0x298, "isExtensible", 1, is_extensible),
    f(0x299, "ownKeys", 1, own_keys),
    f(0x29A, "preventExtensions", 1, prevent_extensions),
    f(0x29B, "set", 3, set),
    f(0x29C, "setPrototypeOf", 2, set_prototype_of),
];

fn target(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = a.get(m, 0);
    if is_obj(o) { Ok(o) } else { Err(cx.type_error(m, "Reflect function called on non-object")) }
}

/// Target and key, converted in this order.
fn target_and_key(cx: &mut Cx, m: Mem, a: Args) -> Res<(Value, Value)> {
    let o = target(cx, m, a)?;
    Ok((o, object::to_key(cx, m, a.get(m, 1))?))
}

/// Reflect.apply
fn apply(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let func = a.get(m, 0);
    if !object::is_callable(m, func) {
        return Err(cx.type_error(m, "Reflect.apply was called on what is not a function"));
    }
    let list = list_from_array_like(cx, m, a.get(m, 2))?;
    interp::call(cx, m, func, a.get(m, 1), &list)
}

/// Reflect.construct
fn construct(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let func = a.get(m, 0);
    let new_target = if a.argc > 2 { a.get(m, 2) } else { func };
    if !function::is_constructor(cx, m, func) || !function::is_constructor(cx, m, new_target) {
        return Err(cx.type_error(m, "Reflect.construct was called with what is not a constructor"));
    }
    let list = list_from_array_like(cx, m, a.get(m, 1))?;
    interp::construct(cx, m, func, &list, new_target)
}

/// Reflect.defineProperty
fn define_property(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, key) = target_and_key(cx, m, a)?;
    let d = to_descriptor(cx, m, a.get(m, 2))?;
    Ok(bool(object::define(cx, m, o, key, d)?))
}

/// Reflect.deleteProperty
fn delete_property(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, key) = target_and_key(cx, m, a)?;
    Ok(bool(object::delete(cx, m, o, key)?))
}

/// Reflect.get
fn get(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, key) = target_and_key(cx, m, a)?;
    let receiver = if a.argc > 2 { a.get(m, 2) } else { o };
    object::get_with(cx, m, o, key, receiver)
}

/// Reflect.getOwnPropertyDescriptor
fn get_own_property_descriptor(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, key) = target_and_key(cx, m, a)?;
    let p = object::get_own(cx, m, o, key)?;
    from_property(cx, m, p)
}

/// Reflect.getPrototypeOf
fn get_prototype_of(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = target(cx, m, a)?;
    Ok(object::proto_of(m, o))
}

/// Reflect.has
fn has(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, key) = target_and_key(cx, m, a)?;
    Ok(bool(object::has(cx, m, o, key)?))
}

/// Reflect.isExtensible
fn is_extensible(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = target(cx, m, a)?;
    Ok(bool(object::is_extensible(m, o)))
}

/// Reflect.ownKeys
fn own_keys(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = target(cx, m, a)?;
    let keys = object::own_keys(cx, m, o)?;
    key_list(cx, m, keys)
}

/// Reflect.preventExtensions
fn prevent_extensions(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = target(cx, m, a)?;
    object::prevent_extensions(cx, m, o);
    Ok(TRUE)
}

/// Reflect.set
fn set(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, key) = target_and_key(cx, m, a)?;
    let receiver = if a.argc > 3 { a.get(m, 3) } else { o };
    Ok(bool(object::set(cx, m, o, key, a.get(m, 2), receiver)?))
}

/// Reflect.setPrototypeOf
fn set_prototype_of(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, proto) = (target(cx, m, a)?, a.get(m, 1));
    if !is_obj(proto) && proto != NULL {
        return Err(cx.type_error(m, "Object prototype may only be an Object or null"));
    }
    Ok(bool(object::set_proto(cx, m, o, proto)?))
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let o = r.object(cx, m, roots::get(m, R_OBJECT_PROTO))?;
    for n in TABLE {
        r.method(cx, m, o, n.number)?;
    }
    r.tag(cx, m, o, "Reflect")?;
    r.value(cx, m, r.global, "Reflect", o, WC)
}
