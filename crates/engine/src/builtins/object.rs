//! The Object constructor and its functions: ECMA-262 20.1.1 and 20.1.2.
//!
//! Reentrant: getters, setters and iterators of programs run in the middle of most of them, and nothing is taken to be
//! as it was afterwards.
use super::iterate;
use super::{Native, ctor, f, object_proto};
use crate::aside::Aside;
use crate::cx::{Args, Cx, Res, Value};
use crate::kinds::{FROZEN, NAMESPACE, SEALED};
use crate::object::{self, Desc, Prop};
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::shape::{C, E, W};
use crate::{array, convert, function, interp};
use cage::Mem;
use cage::value::*;

pub const TABLE: &[Native] = &[
    ctor(0x040, "Object", 1, construct),
    f(0x041, "assign", 2, assign),
    f(0x042, "create", 2, create),
    f(0x043, "defineProperties", 2, define_properties),
    f(0x044, "defineProperty", 3, define_property),
    f(0x045, "entries", 1, |cx, m, a| own_enumerable(cx, m, a, What::Entries)),
    f(0x046, "freeze", 1, freeze),
    f(0x047, "fromEntries", 1, from_entries),
    f(0x048, "getOwnPropertyDescriptor", 2, get_own_property_descriptor),
    f(0x049, "getOwnPropertyDescriptors", 1, get_own_property_descriptors),
    f(0x04A, "getOwnPropertyNames", 1, |cx, m, a| own_property_keys(cx, m, a, false)),
    f(0x04B, "getOwnPropertySymbols", 1, |cx, m, a| own_property_keys(cx, m, a, true)),
    f(0x04C, "getPrototypeOf", 1, get_prototype_of),
    f(0x04D, "groupBy", 2, group_by),
    f(0x04E, "hasOwn", 2, has_own),
    f(0x04F, "is", 2, is),
    f(0x050, "isExtensible", 1, |_, m, a| Ok(bool(is_obj(a.get(m, 0)) && object::is_extensible(m, a.get(m, 0))))),
    f(0x051, "isFrozen", 1, |cx, m, a| test_integrity(cx, m, a.get(m, 0), true)),
    f(0x052, "isSealed", 1, |cx, m, a| test_integrity(cx, m, a.get(m, 0), false)),
    f(0x053, "keys", 1, |cx, m, a| own_enumerable(cx, m, a, What::Keys)),
    f(0x054, "preventExtensions", 1, prevent_extensions),
    f(0x055, "seal", 1, seal),
    f(0x056, "setPrototypeOf", 2, set_prototype_of),
    f(0x057, "values", 1, |cx, m, a| own_enumerable(cx, m, a, What::Values)),
];

/// Work on one property, in units of the meter.
const PROPERTY: u64 = 8;

/// Object
fn construct(cx: &mut Cx, m: Mem, a: Args) -> Res {
    if a.is_construct() && a.new_target != a.callee(m) {
        let p = function::proto_from(cx, m, a.new_target, R_OBJECT_PROTO)?;
        return object::create(cx, m, p);
    }
    let v = a.get(m, 0);
    if is_nullish(v) { object::new(cx, m) } else { convert::to_object(cx, m, v) }
}

/// Object.assign
fn assign(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let to = convert::to_object(cx, m, a.get(m, 0))?;
    for i in 1..a.argc {
        let source = a.get(m, i);
        if is_nullish(source) {
            continue;
        }
        let from = convert::to_object(cx, m, source)?;
        for key in object::own_keys(cx, m, from)? {
            cx.charge(PROPERTY)?;
            if let Some(v) = enumerable_value(cx, m, from, key)? {
                object::put(cx, m, to, key, v)?;
            }
        }
    }
    Ok(to)
}

/// [[GetOwnProperty]] and, if it is enumerable, Get.
fn enumerable_value(cx: &mut Cx, m: Mem, o: Value, key: Value) -> Res<Option<Value>> {
    match object::get_own(cx, m, o, key)? {
        Some(p) if !p.enumerable() => Ok(None),
        Some(Prop::Data { value, .. }) => Ok(Some(value)),
        Some(Prop::Accessor { get: UNDEF, .. }) => Ok(Some(UNDEF)),
        Some(Prop::Accessor { get, .. }) => interp::call(cx, m, get, o, &[]).map(Some),
        None => Ok(None),
    }
}

/// Object.create
fn create(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let proto = a.get(m, 0);
    if !is_obj(proto) && proto != NULL {
        return Err(cx.type_error(m, "Object prototype may only be an Object or null"));
    }
    let o = object::create(cx, m, proto)?;
    if a.get(m, 1) == UNDEF { Ok(o) } else { define_all(cx, m, o, a.get(m, 1)) }
}

/// Object.defineProperties
fn define_properties(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = a.get(m, 0);
    if !is_obj(o) {
        return Err(cx.type_error(m, "Object.defineProperties called on non-object"));
    }
    define_all(cx, m, o, a.get(m, 1))
}

/// ObjectDefineProperties
fn define_all(cx: &mut Cx, m: Mem, o: Value, properties: Value) -> Res {
    let props = convert::to_object(cx, m, properties)?;
    let mut descs = Aside::new();
    for key in object::own_keys(cx, m, props)? {
        cx.charge(PROPERTY)?;
        if let Some(v) = enumerable_value(cx, m, props, key)? {
            descs.push((key, to_descriptor(cx, m, v)?));
        }
    }
    for (key, d) in descs {
        cx.charge(PROPERTY)?;
        object::define_or_throw(cx, m, o, key, d)?;
    }
    Ok(o)
}

/// Object.defineProperty
fn define_property(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = a.get(m, 0);
    if !is_obj(o) {
        return Err(cx.type_error(m, "Object.defineProperty called on non-object"));
    }
    let key = object::to_key(cx, m, a.get(m, 1))?;
    let d = to_descriptor(cx, m, a.get(m, 2))?;
    object::define_or_throw(cx, m, o, key, d)?;
    Ok(o)
}

/// ToPropertyDescriptor
pub fn to_descriptor(cx: &mut Cx, m: Mem, v: Value) -> Res<Desc> {
    if !is_obj(v) {
        return Err(cx.type_error(m, "Property description must be an object"));
    }
    let field = |cx: &mut Cx, root: u16| -> Res<Option<Value>> {
        let key = roots::get(m, root);
        if object::has(cx, m, v, key)? { object::get(cx, m, v, key).map(Some) } else { Ok(None) }
    };
    let enumerable = field(cx, R_STR_ENUMERABLE)?.map(|v| convert::truthy(m, v));
    let configurable = field(cx, R_STR_CONFIGURABLE)?.map(|v| convert::truthy(m, v));
    let value = field(cx, R_STR_VALUE)?;
    let writable = field(cx, R_STR_WRITABLE)?.map(|v| convert::truthy(m, v));
    let get = field(cx, R_STR_GET)?;
    if get.is_some_and(|g| g != UNDEF && !object::is_callable(m, g)) {
        return Err(cx.type_error(m, "Getter must be a function"));
    }
    let set = field(cx, R_STR_SET)?;
    if set.is_some_and(|s| s != UNDEF && !object::is_callable(m, s)) {
        return Err(cx.type_error(m, "Setter must be a function"));
    }
    let d = Desc { value, get, set, writable, enumerable, configurable };
    if d.is_accessor() && d.is_data() {
        return Err(
            cx.type_error(m, "Invalid property descriptor. Cannot both specify accessors and a value or writable attribute")
        );
    }
    Ok(d)
}

/// FromPropertyDescriptor
pub fn from_property(cx: &mut Cx, m: Mem, p: Option<Prop>) -> Res {
    let Some(p) = p else { return Ok(UNDEF) };
    let (first, second) = match p {
        Prop::Data { value, attrs } => ((R_STR_VALUE, value), (R_STR_WRITABLE, bool(attrs & W != 0))),
        Prop::Accessor { get, set, .. } => ((R_STR_GET, get), (R_STR_SET, set)),
    };
    let rest = [(R_STR_ENUMERABLE, bool(p.attrs() & E != 0)), (R_STR_CONFIGURABLE, bool(p.attrs() & C != 0))];
    let o = object::new(cx, m)?;
    for (key, v) in [first, second].into_iter().chain(rest) {
        object::create_data_or_throw(cx, m, o, roots::get(m, key), v)?;
    }
    Ok(o)
}

enum What {
    Keys,
    Values,
    Entries,
}

/// EnumerableOwnProperties, as an array.
fn own_enumerable(cx: &mut Cx, m: Mem, a: Args, what: What) -> Res {
    let o = convert::to_object(cx, m, a.get(m, 0))?;
    let mut list = Aside::new();
    for key in object::own_keys(cx, m, o)? {
        if is_sym(key) {
            continue;
        }
        cx.charge(PROPERTY)?;
        if let What::Keys = what {
            if object::get_own(cx, m, o, key)?.is_some_and(|p| p.enumerable()) {
                list.push(object::key_value(cx, m, key)?);
            }
        } else if let Some(v) = enumerable_value(cx, m, o, key)? {
            list.push(match what {
                What::Entries => {
                    let k = object::key_value(cx, m, key)?;
                    array::from_slice(cx, m, &[k, v])?
                }
                _ => v,
            });
        }
    }
    array::from_slice(cx, m, &list)
}

/// Object.freeze
fn freeze(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = a.get(m, 0);
    if is_obj(o) && object::flags(m, o) & FROZEN == 0 {
        if object::kind(m, o) == NAMESPACE {
            freeze_namespace(cx, m, o)?;
        } else {
            object::freeze(cx, m, o);
        }
    }
    Ok(o)
}

/// SetIntegrityLevel(o, frozen) for a module namespace, whose bindings stay writable: each refuses.
fn freeze_namespace(cx: &mut Cx, m: Mem, o: Value) -> Res<()> {
    for key in object::own_keys(cx, m, o)? {
        let d = Desc { configurable: Some(false), writable: Some(false), ..Desc::default() };
        object::define_or_throw(cx, m, o, key, d)?;
    }
    Ok(())
}

/// Object.seal
fn seal(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = a.get(m, 0);
    // a namespace is born sealed
    if is_obj(o) && object::kind(m, o) != NAMESPACE {
        object::seal(cx, m, o);
    }
    Ok(o)
}

/// Object.preventExtensions
fn prevent_extensions(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = a.get(m, 0);
    if is_obj(o) {
        object::prevent_extensions(cx, m, o);
    }
    Ok(o)
}

/// TestIntegrityLevel; what is no object is frozen.
fn test_integrity(cx: &mut Cx, m: Mem, o: Value, frozen: bool) -> Res {
    if !is_obj(o) {
        return Ok(TRUE);
    }
    let wanted = if frozen { FROZEN } else { FROZEN | SEALED };
    if object::flags(m, o) & wanted != 0 {
        return Ok(TRUE);
    }
    if object::is_extensible(m, o) {
        return Ok(FALSE);
    }
    for key in object::own_keys(cx, m, o)? {
        cx.charge(PROPERTY)?;
        match object::get_own(cx, m, o, key)? {
            Some(p) if p.configurable() => return Ok(FALSE),
            Some(Prop::Data { attrs, .. }) if frozen && attrs & W != 0 => return Ok(FALSE),
            _ => {}
        }
    }
    Ok(TRUE)
}

/// Object.fromEntries
fn from_entries(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let iterable = a.get(m, 0);
    if is_nullish(iterable) {
        return Err(cx.type_error(m, "undefined is not iterable"));
    }
    let o = object::new(cx, m)?;
    let mut iter = iterate::open(cx, m, iterable)?;
    while let Some(item) = iter.step(cx, m)? {
        if let Err(e) = add_entry(cx, m, o, item) {
            return Err(iter.close(cx, m, e));
        }
    }
    Ok(o)
}

fn add_entry(cx: &mut Cx, m: Mem, o: Value, item: Value) -> Res<()> {
    cx.charge(PROPERTY)?;
    if !is_obj(item) {
        return Err(cx.type_error(m, "Iterator value is not an entry object"));
    }
    let k = object::get(cx, m, item, int(0))?;
    let v = object::get(cx, m, item, int(1))?;
    let key = object::to_key(cx, m, k)?;
    object::create_data_or_throw(cx, m, o, key, v)
}

/// Object.getOwnPropertyDescriptor
fn get_own_property_descriptor(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = convert::to_object(cx, m, a.get(m, 0))?;
    let key = object::to_key(cx, m, a.get(m, 1))?;
    let p = object::get_own(cx, m, o, key)?;
    from_property(cx, m, p)
}

/// Object.getOwnPropertyDescriptors
fn get_own_property_descriptors(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = convert::to_object(cx, m, a.get(m, 0))?;
    let all = object::new(cx, m)?;
    for key in object::own_keys(cx, m, o)? {
        cx.charge(PROPERTY * 4)?;
        let p = object::get_own(cx, m, o, key)?;
        let d = from_property(cx, m, p)?;
        if d != UNDEF {
            object::create_data_or_throw(cx, m, all, key, d)?;
        }
    }
    Ok(all)
}

/// GetOwnPropertyKeys
fn own_property_keys(cx: &mut Cx, m: Mem, a: Args, symbols: bool) -> Res {
    let o = convert::to_object(cx, m, a.get(m, 0))?;
    let all = object::own_keys(cx, m, o)?;
    let mut keys = Aside::new();
    for slice in all.chunks(1024) {
        cx.charge(slice.len() as u64 / 4)?;
        slice.iter().filter(|k| is_sym(**k) == symbols).for_each(|k| keys.push(*k));
    }
    key_list(cx, m, keys)
}

/// An array of keys as programs see them.
pub fn key_list(cx: &mut Cx, m: Mem, mut keys: Aside<Value>) -> Res {
    for k in keys.iter_mut() {
        cx.charge(PROPERTY)?;
        *k = object::key_value(cx, m, *k)?;
    }
    array::from_slice(cx, m, &keys)
}

/// Object.getPrototypeOf
fn get_prototype_of(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = convert::to_object(cx, m, a.get(m, 0))?;
    Ok(object::proto_of(m, o))
}

/// Object.setPrototypeOf
fn set_prototype_of(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, proto) = (a.get(m, 0), a.get(m, 1));
    if is_nullish(o) {
        return Err(cx.type_error(m, "Object.setPrototypeOf called on null or undefined"));
    }
    if !is_obj(proto) && proto != NULL {
        return Err(cx.type_error(m, "Object prototype may only be an Object or null"));
    }
    if is_obj(o) && !object::set_proto(cx, m, o, proto)? {
        return Err(object_proto::immutable_prototype(cx, m));
    }
    Ok(o)
}

/// Object.groupBy
fn group_by(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (items, callback) = (a.get(m, 0), a.get(m, 1));
    if is_nullish(items) {
        return Err(cx.type_error(m, "Object.groupBy called on null or undefined"));
    }
    if !object::is_callable(m, callback) {
        return Err(cx.type_error(m, "callback is not a function"));
    }
    let o = object::create(cx, m, NULL)?;
    let (mut iter, mut k) = (iterate::open(cx, m, items)?, 0.0);
    while let Some(v) = iter.step(cx, m)? {
        if let Err(e) = add_to_group(cx, m, o, callback, v, k) {
            return Err(iter.close(cx, m, e));
        }
        k += 1.0;
    }
    Ok(o)
}

/// The groups are arrays from the start: nobody can see `o` before all is done.
fn add_to_group(cx: &mut Cx, m: Mem, o: Value, callback: Value, v: Value, k: f64) -> Res<()> {
    let key = interp::call(cx, m, callback, UNDEF, &[v, from_num(k)])?;
    let key = object::to_key(cx, m, key)?;
    match object::get_own(cx, m, o, key)? {
        Some(Prop::Data { value, .. }) => array::push(cx, m, value, v),
        _ => {
            let group = array::from_slice(cx, m, &[v])?;
            object::create_data_or_throw(cx, m, o, key, group)
        }
    }
}

/// Object.hasOwn
fn has_own(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = convert::to_object(cx, m, a.get(m, 0))?;
    match object::to_known_key(cx, m, a.get(m, 1))? {
        Some(key) => Ok(bool(object::has_own(cx, m, o, key)?)),
        None => Ok(FALSE),
    }
}

/// Object.is
fn is(cx: &mut Cx, m: Mem, a: Args) -> Res {
    Ok(bool(convert::same_value(cx, m, a.get(m, 0), a.get(m, 1))?))
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let proto = roots::get(m, R_OBJECT_PROTO);
    let c = r.class(cx, m, 0x040, proto)?;
    roots::set(cx, m, R_OBJECT, c);
    for n in &TABLE[1..] {
        r.method(cx, m, c, n.number)?;
    }
    object_proto::install(cx, m, r, proto)
}
