//! Objects: the essential internal methods of ECMA-262 10.1 and its exotic kinds here (arrays, functions with virtual
//! properties, string wrappers), over shapes and slots.
//!
//! In: an object value and a key as `shape` takes it (see `to_key`). Out: values, descriptors, booleans.
//!
//! Invariants
//! - a slot is written through the heap's barrier; a header's flags and shape after `heap.dirty`;
//! - FROZEN in the header stands for "not extensible, nothing configurable, no data property writable", whatever the shape says;
//! - index properties of arrays are dense elements, or, once SPARSE is set, maybe named properties.
mod define;
mod keys;
mod slots;

use crate::cx::{Abort, Cx, Res, Value};
use crate::kinds::*;
use crate::roots::{self, *};
use crate::shape::{self, ACC, C, E, EXOTIC, VIRTUAL, W, WEC};
use crate::{function, string};
use cage::Mem;
use cage::layout::{H_FLAGS, H_KIND, H_N, H_X, header};
use cage::value::*;

pub use define::*;
pub use keys::*;
pub use slots::*;

/// A property descriptor; what is `None` is absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Desc {
    pub value: Option<Value>,
    pub get: Option<Value>,
    pub set: Option<Value>,
    pub writable: Option<bool>,
    pub enumerable: Option<bool>,
    pub configurable: Option<bool>,
}

/// An own property as it is.
#[derive(Clone, Copy, Debug)]
pub enum Prop {
    Data { value: Value, attrs: u8 },
    Accessor { get: Value, set: Value, attrs: u8 },
}

impl Prop {
    pub fn attrs(&self) -> u8 {
        match *self {
            Prop::Data { attrs, .. } | Prop::Accessor { attrs, .. } => attrs,
        }
    }
    pub fn enumerable(&self) -> bool {
        self.attrs() & E != 0
    }
    pub fn configurable(&self) -> bool {
        self.attrs() & C != 0
    }
}

impl Desc {
    pub fn data(value: Value, attrs: u8) -> Desc {
        Desc {
            value: Some(value),
            writable: Some(attrs & W != 0),
            enumerable: Some(attrs & E != 0),
            configurable: Some(attrs & C != 0),
            ..Desc::default()
        }
    }
    pub fn is_accessor(&self) -> bool {
        self.get.is_some() || self.set.is_some()
    }
    pub fn is_data(&self) -> bool {
        self.value.is_some() || self.writable.is_some()
    }
}

#[inline(always)]
pub fn kind(m: Mem, o: Value) -> u8 {
    m.r8(o as u32, H_KIND)
}
#[inline(always)]
pub fn flags(m: Mem, o: Value) -> u8 {
    m.r8(o as u32, H_FLAGS)
}
pub fn add_flags(cx: &mut Cx, m: Mem, o: Value, f: u8) {
    let old = flags(m, o);
    if old & f != f {
        cx.heap.dirty(m, o as u32, 8);
        m.w8(o as u32, H_FLAGS, old | f);
    }
}
pub fn set_shape(cx: &mut Cx, m: Mem, o: Value, s: u32) {
    cx.heap.dirty(m, o as u32, 8);
    m.w32(o as u32, H_X, s);
}
#[inline]
pub fn is_callable(m: Mem, v: Value) -> bool {
    is_obj(v) && matches!(kind(m, v), FN | NATIVE | BOUND)
}
/// Was it made with the realm and frozen with it?
pub fn is_primordial(m: Mem, o: Value) -> bool {
    let f = flags(m, o);
    f & FROZEN != 0
        && if kind(m, o) == ARR {
            o == roots::get(m, R_ARRAY_PROTO) && roots::get(m, R_UNLOCKED) != TRUE
        } else {
            f & PRIMORDIAL != 0
        }
}
pub fn proto_of(m: Mem, o: Value) -> Value {
    shape::proto(m, shape::of(m, o))
}

// ---- making ----

/// `{}`
pub fn new(cx: &mut Cx, m: Mem) -> Res {
    from_shape(cx, m, roots::get(m, R_SHAPE_OBJECT) as u32)
}

/// An ordinary object of an empty or literal shape, slots undefined.
pub fn from_shape(cx: &mut Cx, m: Mem, s: u32) -> Res {
    of_kind(cx, m, RECORD, s)
}

pub fn of_kind(cx: &mut Cx, m: Mem, kind: u8, s: u32) -> Res {
    let n = shape::cap(m, s);
    let at = cx.alloc(m, 8 + n * 8)?;
    m.w64(at, 0, header(kind, 0, n as u16, s));
    for i in 0..n {
        m.w64(at.wrapping_add(8 + i * 8), 0, UNDEF);
    }
    Ok(OBJ | at as u64)
}

/// OrdinaryObjectCreate(proto).
pub fn create(cx: &mut Cx, m: Mem, proto: Value) -> Res {
    let s = shape_for(cx, m, proto)?;
    from_shape(cx, m, s)
}

/// The empty shape of ordinary objects with this prototype.
pub fn shape_for(cx: &mut Cx, m: Mem, proto: Value) -> Res<u32> {
    if proto == roots::get(m, R_OBJECT_PROTO) {
        return Ok(roots::get(m, R_SHAPE_OBJECT) as u32);
    }
    if proto == NULL {
        return Ok(roots::get(m, R_SHAPE_NULL_PROTO) as u32);
    }
    shape::root(cx, m, proto, 4, 0)
}

/// An object of a kind with fixed words: 1 overflow, then `words`.
pub fn exotic(cx: &mut Cx, m: Mem, kind: u8, s: u32, words: &[Value]) -> Res {
    let at = cx.alloc(m, 16 + words.len() as u32 * 8)?;
    m.w64(at, 0, header(kind, 0, 1 + words.len() as u16, s));
    m.w64(at, 8, UNDEF);
    for (i, w) in words.iter().enumerate() {
        m.w64(at.wrapping_add(16 + i as u32 * 8), 0, *w);
    }
    Ok(OBJ | at as u64)
}

// ---- [[GetOwnProperty]] ----

/// What FROZEN and SEALED leave of attributes.
fn effective(m: Mem, o: Value, attrs: u8) -> u8 {
    let f = flags(m, o);
    if f & FROZEN != 0 {
        attrs & (E | ACC)
    } else if f & SEALED != 0 {
        attrs & !C
    } else {
        attrs
    }
}

/// [[GetOwnProperty]]
pub fn get_own(cx: &mut Cx, m: Mem, o: Value, key: Value) -> Res<Option<Prop>> {
    match kind(m, o) {
        ARR => {
            if is_int(key) {
                let v = crate::array::element(m, o, key as u32);
                if v != HOLE {
                    return Ok(Some(Prop::Data { value: v, attrs: effective(m, o, WEC) }));
                }
            } else if key == roots::get(m, R_STR_LENGTH) {
                let w = if flags(m, o) & (FIXED_LENGTH | FROZEN) == 0 { W } else { 0 };
                return Ok(Some(Prop::Data { value: m.r64(o as u32, 16), attrs: w }));
            }
        }
        WRAPPER => {
            let p = m.r64(o as u32, 16);
            if is_str(p) {
                if is_int(key) && (key as u32) < string::len(m, p) {
                    let f = string::flat(cx, m, p)?;
                    let u = string::unit(m, f, key as u32);
                    return Ok(Some(Prop::Data { value: string::of_unit(cx, m, u)?, attrs: E }));
                }
                if key == roots::get(m, R_STR_LENGTH) {
                    return Ok(Some(Prop::Data { value: int(string::len(m, p) as i32), attrs: 0 }));
                }
            }
        }
        NAMESPACE => return crate::module::namespace_own(cx, m, o, key),
        FN | NATIVE | BOUND => {
            let meta = shape::meta(m, shape::of(m, o));
            if meta & shape::SENDER != 0 {
                return Ok(crate::send::sender_own(cx, m, o, key)?.map(|value| Prop::Data { value, attrs: E }));
            }
            if meta & VIRTUAL != 0
                && let Some(p) = function::virtual_own(cx, m, o, key)?
            {
                return Ok(Some(Prop::Data { value: p.0, attrs: effective(m, o, p.1) }));
            }
        }
        _ => {}
    }
    Ok(own_named(m, o, key))
}

/// An own property that stands in the shape.
pub fn own_named(m: Mem, o: Value, key: Value) -> Option<Prop> {
    let s = shape::of(m, o);
    let (i, attrs) = shape::find(m, s, key)?;
    let v = m.r64(slot_addr(m, o, s, i), 0);
    let attrs = effective(m, o, attrs);
    Some(if attrs & ACC != 0 {
        Prop::Accessor { get: m.r64(v as u32, 8), set: m.r64(v as u32, 16), attrs: attrs & (E | C) }
    } else {
        Prop::Data { value: v, attrs }
    })
}

// ---- [[Get]] ----

/// Get(o, key) for an object.
pub fn get(cx: &mut Cx, m: Mem, o: Value, key: Value) -> Res {
    get_with(cx, m, o, key, o)
}

/// o.[[Get]](key, receiver)
pub fn get_with(cx: &mut Cx, m: Mem, o: Value, key: Value, receiver: Value) -> Res {
    let mut at = o;
    loop {
        match get_own(cx, m, at, key)? {
            Some(Prop::Data { value, .. }) => return Ok(value),
            Some(Prop::Accessor { get: UNDEF, .. }) => return Ok(UNDEF),
            Some(Prop::Accessor { get, .. }) => return crate::interp::call(cx, m, get, receiver, &[]),
            None => {}
        }
        at = proto_of(m, at);
        if !is_obj(at) {
            return Ok(UNDEF);
        }
        cx.charge(1)?;
    }
}

/// GetV(v, key): also of primitives; a TypeError for undefined and null.
pub fn get_v(cx: &mut Cx, m: Mem, v: Value, key: Value) -> Res {
    if is_obj(v) {
        return get(cx, m, v, key);
    }
    if is_str(v) {
        if is_int(key) && (key as u32) < string::len(m, v) {
            let f = string::flat(cx, m, v)?;
            let u = string::unit(m, f, key as u32);
            return string::of_unit(cx, m, u);
        }
        if key == roots::get(m, R_STR_LENGTH) {
            return Ok(int(string::len(m, v) as i32));
        }
    }
    let p = proto_of_primitive(m, v);
    if p == NULL {
        let k = key_text(cx, m, key)?;
        let what = if v == UNDEF { "undefined" } else { "null" };
        return Err(cx.type_error(m, &format!("Cannot read properties of {what} (reading '{k}')")));
    }
    get_with(cx, m, p, key, v)
}

/// The prototype through which a primitive finds properties; null for undefined and null.
pub fn proto_of_primitive(m: Mem, v: Value) -> Value {
    let r = if is_str(v) {
        R_STRING_PROTO
    } else if is_number(v) {
        R_NUMBER_PROTO
    } else if is_bool(v) {
        R_BOOLEAN_PROTO
    } else if is_sym(v) {
        R_SYMBOL_PROTO
    } else if is_big(v) {
        R_BIGINT_PROTO
    } else {
        return NULL;
    };
    roots::get(m, r)
}

/// GetMethod: undefined for undefined and null, a TypeError for what cannot be called.
pub fn get_method(cx: &mut Cx, m: Mem, v: Value, key: Value) -> Res {
    let f = get_v(cx, m, v, key)?;
    if is_nullish(f) {
        return Ok(UNDEF);
    }
    if !is_callable(m, f) {
        let k = key_text(cx, m, key)?;
        return Err(cx.type_error(m, &format!("{k} is not a function")));
    }
    Ok(f)
}

pub fn has_own(cx: &mut Cx, m: Mem, o: Value, key: Value) -> Res<bool> {
    Ok(get_own(cx, m, o, key)?.is_some())
}

/// HasProperty
pub fn has(cx: &mut Cx, m: Mem, o: Value, key: Value) -> Res<bool> {
    let mut at = o;
    while is_obj(at) {
        if kind(m, at) == NAMESPACE {
            return crate::module::namespace_has(cx, m, at, key);
        }
        if get_own(cx, m, at, key)?.is_some() {
            return Ok(true);
        }
        at = proto_of(m, at);
        cx.charge(1)?;
    }
    Ok(false)
}

// ---- [[Set]] ----

/// Set(o, key, v, true): a TypeError when refused.
pub fn put(cx: &mut Cx, m: Mem, o: Value, key: Value, v: Value) -> Res<()> {
    if set(cx, m, o, key, v, o)? {
        return Ok(());
    }
    Err(refuse_set(cx, m, o, key))
}

/// Why `o.key = …` was refused.
#[cold]
pub fn refuse_set(cx: &mut Cx, m: Mem, o: Value, key: Value) -> crate::cx::Stop {
    let new = is_obj(o) && flags(m, o) & (NONEXT | FROZEN) != 0;
    match if new { has(cx, m, o, key) } else { Ok(true) } {
        Ok(true) => refuse(cx, m, "Cannot assign to read only property", key),
        Ok(false) => refuse(cx, m, "The object is not extensible: cannot add property", key),
        Err(stop) => stop,
    }
}

#[cold]
pub fn refuse(cx: &mut Cx, m: Mem, what: &str, key: Value) -> crate::cx::Stop {
    match key_text(cx, m, key) {
        Ok(k) => cx.type_error(m, &format!("{what} '{k}'")),
        Err(e) => e,
    }
}

/// OrdinarySet, for an object or (through its prototype) a primitive `receiver`. An inherited data property of a frozen
/// primordial does not stop an own property from being made (the override mistake, repaired).
pub fn set(cx: &mut Cx, m: Mem, o: Value, key: Value, v: Value, receiver: Value) -> Res<bool> {
    let mut at = o;
    loop {
        if at == receiver && set_own_fast(cx, m, at, key, v)? {
            return Ok(true);
        }
        if kind(m, at) == NAMESPACE {
            return Ok(false);
        }
        match get_own(cx, m, at, key)? {
            Some(Prop::Data { attrs, .. }) => {
                if attrs & W == 0 && (at == receiver || !is_primordial(m, at)) {
                    return Ok(false);
                }
                break;
            }
            Some(Prop::Accessor { set: UNDEF, .. }) => return Ok(false),
            Some(Prop::Accessor { set, .. }) => {
                crate::interp::call(cx, m, set, receiver, &[v])?;
                return Ok(true);
            }
            None => {}
        }
        at = proto_of(m, at);
        if !is_obj(at) {
            break;
        }
        cx.charge(1)?;
    }
    if !is_obj(receiver) {
        return Ok(false);
    }
    match get_own(cx, m, receiver, key)? {
        Some(Prop::Accessor { .. }) => Ok(false),
        Some(Prop::Data { attrs, .. }) if attrs & W == 0 => Ok(false),
        Some(_) => define(cx, m, receiver, key, Desc { value: Some(v), ..Desc::default() }),
        None => create_data(cx, m, receiver, key, v),
    }
}

/// Own, existing, plain: done at once. False: take the long way.
fn set_own_fast(cx: &mut Cx, m: Mem, o: Value, key: Value, v: Value) -> Res<bool> {
    if flags(m, o) & FROZEN != 0 {
        return Ok(false);
    }
    if kind(m, o) == ARR && is_int(key) {
        return crate::array::set_existing(cx, m, o, key as u32, v);
    }
    let s = shape::of(m, o);
    if let Some((i, attrs)) = shape::find(m, s, key)
        && attrs & (W | ACC) == W
    {
        let at = slot_addr(m, o, s, i);
        cx.heap.write(m, at, v);
        return Ok(true);
    }
    Ok(false)
}
