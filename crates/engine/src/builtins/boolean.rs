//! Booleans: ECMA-262 20.3.
//!
//! Leaf, but for the prototype that `new.target` gives.
use super::{Native, ctor, f};
use crate::cx::{Args, Cx, Res, Value};
use crate::kinds::WRAPPER;
use crate::object;
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::{convert, function};
use cage::Mem;
use cage::value::*;

const BOOLEAN: u16 = 0x280;

pub const TABLE: &[Native] =
    &[ctor(BOOLEAN, "Boolean", 1, construct), f(0x281, "toString", 0, to_string), f(0x282, "valueOf", 0, this_boolean)];

/// Boolean
fn construct(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let b = bool(convert::truthy(m, a.get(m, 0)));
    if !a.is_construct() {
        return Ok(b);
    }
    let s = function::shape_from(cx, m, a.new_target, R_SHAPE_WRAPPER, R_BOOLEAN_PROTO)?;
    object::exotic(cx, m, WRAPPER, s, &[b])
}

/// ThisBooleanValue
fn this_boolean(cx: &mut Cx, m: Mem, a: Args) -> Res<Value> {
    let v = a.this(m);
    let v = if is_obj(v) && object::kind(m, v) == WRAPPER { m.r64(v as u32, 16) } else { v };
    if is_bool(v) { Ok(v) } else { Err(cx.type_error(m, "Boolean.prototype method called on what is not a boolean")) }
}

/// Boolean.prototype.toString
fn to_string(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let b = this_boolean(cx, m, a)?;
    Ok(roots::get(m, if b == TRUE { R_STR_TRUE } else { R_STR_FALSE }))
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let proto = roots::get(m, R_BOOLEAN_PROTO);
    r.class(cx, m, BOOLEAN, proto)?;
    r.methods(cx, m, proto, &[0x281, 0x282])
}
