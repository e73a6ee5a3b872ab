//! WeakMap and WeakSet: ECMA-262 24.3 and 24.4, over ephemeron tables.
//!
//! Keys are objects and symbols that are not registered (well-known ones included).
use super::map_set::{construct, name_of, this_of};
use super::{Native, ctor, f};
use crate::cx::{Args, Cx, Res, Value};
use crate::kinds::*;
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::{object, table};
use cage::Mem;
use cage::value::*;

pub const WEAKMAP_SET: u16 = 0x303;
pub const WEAKSET_ADD: u16 = 0x30A;

pub const TABLE: &[Native] = &[
    ctor(0x300, "WeakMap", 0, |cx, m, a| construct(cx, m, a, WEAKMAP)),
    f(0x301, "get", 1, get),
    f(0x302, "has", 1, |cx, m, a| has(cx, m, a, WEAKMAP)),
    f(WEAKMAP_SET, "set", 2, map_set),
    f(0x304, "delete", 1, |cx, m, a| delete(cx, m, a, WEAKMAP)),
    ctor(0x308, "WeakSet", 0, |cx, m, a| construct(cx, m, a, WEAKSET)),
    f(0x309, "has", 1, |cx, m, a| has(cx, m, a, WEAKSET)),
    f(WEAKSET_ADD, "add", 1, set_add),
    f(0x30B, "delete", 1, |cx, m, a| delete(cx, m, a, WEAKSET)),
];

/// CanBeHeldWeakly
fn can_be_held(m: Mem, v: Value) -> bool {
    is_obj(v) || (is_sym(v) && object::flags(m, v) & REGISTERED == 0)
}

/// Enters a key, or a TypeError.
pub fn set(cx: &mut Cx, m: Mem, c: Value, k: Value, v: Value) -> Res<()> {
    if !can_be_held(m, k) {
        let kind = name_of(object::kind(m, c));
        return Err(cx.type_error(m, &format!("Invalid value used as key of a {kind}")));
    }
    table::weak_set(cx, m, c, k, v)
}

fn get(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = this_of(cx, m, a, WEAKMAP)?;
    Ok(table::weak_get(cx, m, o, a.get(m, 0))?.unwrap_or(UNDEF))
}
fn has(cx: &mut Cx, m: Mem, a: Args, kind: u8) -> Res {
    let o = this_of(cx, m, a, kind)?;
    Ok(cage::value::bool(table::weak_get(cx, m, o, a.get(m, 0))?.is_some()))
}
fn map_set(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = this_of(cx, m, a, WEAKMAP)?;
    set(cx, m, o, a.get(m, 0), a.get(m, 1))?;
    Ok(o)
}
fn set_add(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = this_of(cx, m, a, WEAKSET)?;
    set(cx, m, o, a.get(m, 0), TRUE)?;
    Ok(o)
}
fn delete(cx: &mut Cx, m: Mem, a: Args, kind: u8) -> Res {
    let o = this_of(cx, m, a, kind)?;
    Ok(cage::value::bool(table::weak_delete(cx, m, o, a.get(m, 0))?))
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let map = roots::get(m, R_WEAKMAP_PROTO);
    r.class(cx, m, 0x300, map)?;
    r.methods(cx, m, map, &[0x301, 0x302, WEAKMAP_SET, 0x304])?;
    r.tag(cx, m, map, "WeakMap")?;
    let set = roots::get(m, R_WEAKSET_PROTO);
    r.class(cx, m, 0x308, set)?;
    r.methods(cx, m, set, &[0x309, WEAKSET_ADD, 0x30B])?;
    r.tag(cx, m, set, "WeakSet")
}
