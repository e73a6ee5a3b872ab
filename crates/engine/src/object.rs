//! Objects: the essential internal methods of ECMA-262 10.1 and its exotic kinds here (arrays, functions with virtual
//! properties, string wrappers), over shapes and slots.
//!
//! In: an object value and a key as `shape` takes it (see `to_key`). Out: values, descriptors, booleans.
//!
//! Invariants
//! - a slot is written through the heap's barrier; a header's flags and shape after `heap.dirty`;
//! - FROZEN in the header stands for "not extensible, nothing configurable, no data property writable", whatever the shape says;
//! - index properties of arrays are dense elements, or, once SPARSE is set, maybe named properties.
use crate::cx::{Abort, Cx, Res, Value};
use crate::kinds::*;
use crate::roots::{self, *};
use crate::shape::{self, ACC, C, E, EXOTIC, VIRTUAL, W, WEC};
use crate::{function, string};
use cage::Mem;
use cage::layout::{H_FLAGS, H_KIND, H_N, H_X, header};
use cage::value::*;

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

// ---- slots ----

/// Address of slot `i` of `o` in shape `s`; 0 if it has none.
#[inline]
pub fn slot_addr(m: Mem, o: Value, s: u32, i: u32) -> u32 {
    let (at, meta) = (o as u32, shape::meta(m, s));
    if meta & EXOTIC == 0 {
        let cap = meta & 0xFF;
        if i + 1 < cap || (shape::count(m, s) <= cap && meta & shape::IS_DICT == 0) {
            return at.wrapping_add(8 + i * 8);
        }
        return overflow_addr(m, m.r64(at.wrapping_add(cap * 8), 0), (i + 1).wrapping_sub(cap));
    }
    overflow_addr(m, m.r64(overflow_place(m, o, s), 0), i)
}

fn overflow_addr(m: Mem, elems: Value, i: u32) -> u32 {
    if !is_cell(elems) || i >= m.r32(elems as u32, H_X) { 0 } else { (elems as u32).wrapping_add(8 + i * 8) }
}

/// Where the reference to the overflow slots of `o` stands.
fn overflow_place(m: Mem, o: Value, s: u32) -> u32 {
    let (at, meta) = (o as u32, shape::meta(m, s));
    if meta & EXOTIC == 0 {
        at.wrapping_add((meta & 0xFF) * 8)
    } else if kind(m, o) == ARR {
        // behind the elements: arrays with named properties are rare
        let e = m.r64(at, 8) as u32;
        e.wrapping_add(8).wrapping_add(m.r32(e, H_X).wrapping_mul(8))
    } else {
        at.wrapping_add(8)
    }
}

/// A reference array of `n` words, filled with `fill`.
pub fn new_elems(cx: &mut Cx, m: Mem, n: u32, tail: bool, fill: Value) -> Res<u32> {
    cx.charge(n as u64 / 16)?;
    let words = n.checked_add(tail as u32).filter(|w| *w < 1 << 28);
    let Some(words) = words else { return Err(cx.stop(Abort::Heap)) };
    let e = cx.alloc(m, 8 + words * 8)?;
    m.w64(e, 0, header(ELEMS, 0, tail as u16, n));
    for i in 0..n {
        m.w64(e.wrapping_add(8 + i * 8), 0, fill);
    }
    if tail {
        m.w64(e.wrapping_add(8 + n * 8), 0, UNDEF);
    }
    Ok(e)
}

/// Grows the overflow slots of `o` (laid out for shape `s`) to hold index `i`.
fn grow_overflow(cx: &mut Cx, m: Mem, o: Value, s: u32, i: u32) -> Res<()> {
    if kind(m, o) == ARR {
        let e = m.r64(o as u32, 8) as u32;
        if m.r16(e, H_N) == 0 {
            crate::array::resize(cx, m, o, m.r32(e, H_X), true)?;
        }
    }
    let place = overflow_place(m, o, s);
    let old = m.r64(place, 0);
    let have = if is_cell(old) { m.r32(old as u32, H_X) } else { 0 };
    if i < have {
        return Ok(());
    }
    let n = (i + 1).max(have + have / 2).max(3);
    let e = new_elems(cx, m, n, false, UNDEF)?;
    for k in 0..have {
        let v = m.r64((old as u32).wrapping_add(8 + k * 8), 0);
        cx.heap.write(m, e.wrapping_add(8 + k * 8), v);
    }
    let place = overflow_place(m, o, s);
    cx.heap.write(m, place, CELL | e as u64);
    Ok(())
}

/// Moves `o` to `new` (its shape plus one property) and stores the property's value.
pub fn add_slot(cx: &mut Cx, m: Mem, o: Value, new: u32, v: Value) -> Res<()> {
    let (i, meta) = (shape::count(m, new) - 1, shape::meta(m, new));
    if meta & EXOTIC != 0 {
        grow_overflow(cx, m, o, new, i)?;
    } else if i >= meta & 0xFF {
        let cap = meta & 0xFF;
        if i == cap {
            // the last inline slot makes room for the reference to the overflow slots
            let last = m.r64((o as u32).wrapping_add(cap * 8), 0);
            let e = new_elems(cx, m, 4, false, UNDEF)?;
            m.w64(e, 8, last);
            cx.heap.write(m, (o as u32).wrapping_add(cap * 8), CELL | e as u64);
        } else {
            grow_overflow(cx, m, o, new, i + 1 - cap)?;
        }
    }
    set_shape(cx, m, o, new);
    let at = slot_addr(m, o, new, i);
    cx.heap.write(m, at, v);
    Ok(())
}

/// Turns `o` into a dictionary (slots spilled); gives its new shape.
pub fn to_dict(cx: &mut Cx, m: Mem, o: Value) -> Res<u32> {
    let s = shape::of(m, o);
    if shape::is_dict(m, s) {
        return Ok(s);
    }
    let (n, meta) = (shape::count(m, s), shape::meta(m, s));
    let cap = meta & 0xFF;
    let new = shape::to_dict(cx, m, s)?;
    if meta & EXOTIC == 0 && n <= cap {
        let last = m.r64((o as u32).wrapping_add(cap * 8), 0);
        let e = new_elems(cx, m, 4, false, UNDEF)?;
        m.w64(e, 8, last);
        cx.heap.write(m, (o as u32).wrapping_add(cap * 8), CELL | e as u64);
    }
    set_shape(cx, m, o, new);
    add_flags(cx, m, o, DICT_MODE);
    Ok(new)
}

/// Adds own property `key`, known to be absent, whatever the flags say.
pub fn add_property(cx: &mut Cx, m: Mem, o: Value, key: Value, attrs: u8, v: Value) -> Res<()> {
    if shape::meta(m, shape::of(m, o)) & VIRTUAL != 0 && key != roots::get(m, R_ID) {
        function::materialize(cx, m, o)?;
    }
    let s = shape::of(m, o);
    if !shape::is_dict(m, s) {
        if let Some(new) = shape::add(cx, m, s, key, attrs)? {
            return add_slot(cx, m, o, new, v);
        }
        to_dict(cx, m, o)?;
    }
    let s = compact_dict(cx, m, o)?;
    let slot = shape::dict_add(cx, m, s, key, attrs)?;
    let meta = shape::meta(m, s);
    let i = if meta & EXOTIC == 0 { (slot + 1).saturating_sub(meta & 0xFF) } else { slot };
    if meta & EXOTIC != 0 || slot + 1 >= meta & 0xFF {
        grow_overflow(cx, m, o, s, i)?;
    }
    let at = slot_addr(m, o, s, slot);
    cx.heap.write(m, at, v);
    Ok(())
}

/// Renumbers the slots of a dictionary most of whose slots belong to deleted properties.
fn compact_dict(cx: &mut Cx, m: Mem, o: Value) -> Res<u32> {
    let s = shape::of(m, o);
    if shape::dict_slots(m, s) <= shape::count(m, s) * 2 + 64 {
        return Ok(s);
    }
    let all = shape::entries(cx, m, s)?;
    let values: Vec<Value> = all.iter().map(|e| m.r64(slot_addr(m, o, s, e.1), 0)).collect();
    let empty = shape::root(cx, m, shape::proto(m, s), shape::cap(m, s) as u8, shape::meta(m, s) & (EXOTIC | shape::ARRAY))?;
    let new = shape::to_dict(cx, m, empty)?;
    set_shape(cx, m, o, new);
    for ((key, _, attrs), v) in all.into_iter().zip(values) {
        let slot = shape::dict_add(cx, m, new, key, attrs)?;
        let at = slot_addr(m, o, new, slot);
        cx.heap.write(m, at, v);
    }
    Ok(new)
}

/// Changes attributes and value of existing own property `key` (slot `i`).
fn reconfigure(cx: &mut Cx, m: Mem, o: Value, key: Value, attrs: u8, v: Value) -> Res<()> {
    let s = to_dict(cx, m, o)?;
    shape::dict_set_attrs(cx, m, s, key, attrs);
    let new = shape::dict_renew(cx, m, s)?;
    set_shape(cx, m, o, new);
    if let Some((i, _)) = shape::find(m, new, key) {
        let at = slot_addr(m, o, new, i);
        cx.heap.write(m, at, v);
    }
    Ok(())
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
    Err(refuse(cx, m, "Cannot assign to read only property", key))
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

// ---- [[DefineOwnProperty]] ----

/// CreateDataProperty
pub fn create_data(cx: &mut Cx, m: Mem, o: Value, key: Value, v: Value) -> Res<bool> {
    define(cx, m, o, key, Desc::data(v, WEC))
}

/// CreateDataPropertyOrThrow
pub fn create_data_or_throw(cx: &mut Cx, m: Mem, o: Value, key: Value, v: Value) -> Res<()> {
    if create_data(cx, m, o, key, v)? { Ok(()) } else { Err(refuse(cx, m, "Cannot define property", key)) }
}

/// DefinePropertyOrThrow
pub fn define_or_throw(cx: &mut Cx, m: Mem, o: Value, key: Value, d: Desc) -> Res<()> {
    if define(cx, m, o, key, d)? { Ok(()) } else { Err(refuse(cx, m, "Cannot redefine property", key)) }
}

/// [[DefineOwnProperty]]
pub fn define(cx: &mut Cx, m: Mem, o: Value, key: Value, d: Desc) -> Res<bool> {
    match kind(m, o) {
        ARR => crate::array::define(cx, m, o, key, d),
        NAMESPACE => crate::module::namespace_define(cx, m, o, key, d),
        _ => ordinary_define(cx, m, o, key, d),
    }
}

/// ValidateAndApplyPropertyDescriptor on an object whose property, if any, `get_own` sees.
pub fn ordinary_define(cx: &mut Cx, m: Mem, o: Value, key: Value, d: Desc) -> Res<bool> {
    let current = get_own(cx, m, o, key)?;
    let Some(cur) = current else {
        if flags(m, o) & (NONEXT | FROZEN) != 0 {
            return Ok(false);
        }
        let (attrs, v) = new_property(cx, m, d)?;
        add_property(cx, m, o, key, attrs, v)?;
        return Ok(true);
    };
    if !compatible(cx, m, &cur, &d)? {
        return Ok(false);
    }
    if shape::meta(m, shape::of(m, o)) & VIRTUAL != 0 {
        function::materialize(cx, m, o)?;
    }
    let (attrs, v) = merged(cx, m, &cur, &d)?;
    let s = shape::of(m, o);
    match shape::find(m, s, key) {
        Some((i, old)) if old == attrs || effective(m, o, old) == attrs => {
            let at = slot_addr(m, o, s, i);
            cx.heap.write(m, at, v);
        }
        Some(_) => reconfigure(cx, m, o, key, attrs, v)?,
        // a virtual property (an index of a string wrapper) can only be redefined as what it is
        None => {}
    }
    Ok(true)
}

fn accessor_cell(cx: &mut Cx, m: Mem, get: Value, set: Value) -> Res {
    let at = cx.alloc(m, 24)?;
    m.w64(at, 0, header(ACCESSOR, 0, 0, 0));
    m.w64(at, 8, get);
    m.w64(at, 16, set);
    Ok(CELL | at as u64)
}

fn new_property(cx: &mut Cx, m: Mem, d: Desc) -> Res<(u8, Value)> {
    let base = if d.enumerable == Some(true) { E } else { 0 } | if d.configurable == Some(true) { C } else { 0 };
    if d.is_accessor() {
        return Ok((base | ACC, accessor_cell(cx, m, d.get.unwrap_or(UNDEF), d.set.unwrap_or(UNDEF))?));
    }
    Ok((base | if d.writable == Some(true) { W } else { 0 }, d.value.unwrap_or(UNDEF)))
}

fn compatible(cx: &mut Cx, m: Mem, cur: &Prop, d: &Desc) -> Res<bool> {
    if cur.configurable() {
        return Ok(true);
    }
    if d.configurable == Some(true) || d.enumerable.is_some_and(|e| e != cur.enumerable()) {
        return Ok(false);
    }
    match *cur {
        Prop::Accessor { get, set, .. } => Ok(!d.is_data() && d.get.is_none_or(|g| g == get) && d.set.is_none_or(|s| s == set)),
        Prop::Data { value, attrs } => {
            if d.is_accessor() {
                return Ok(false);
            }
            if attrs & W != 0 {
                return Ok(true);
            }
            if d.writable == Some(true) {
                return Ok(false);
            }
            match d.value {
                Some(v) => crate::convert::same_value(cx, m, v, value),
                None => Ok(true),
            }
        }
    }
}

fn merged(cx: &mut Cx, m: Mem, cur: &Prop, d: &Desc) -> Res<(u8, Value)> {
    let pick = |set: Option<bool>, bit: u8, old: u8| match set {
        Some(true) => bit,
        Some(false) => 0,
        None => old & bit,
    };
    let a = cur.attrs();
    let base = pick(d.enumerable, E, a) | pick(d.configurable, C, a);
    if d.is_accessor() {
        let (g, s) = match *cur {
            Prop::Accessor { get, set, .. } => (get, set),
            Prop::Data { .. } => (UNDEF, UNDEF),
        };
        return Ok((base | ACC, accessor_cell(cx, m, d.get.unwrap_or(g), d.set.unwrap_or(s))?));
    }
    match *cur {
        Prop::Accessor { get, set, .. } if !d.is_data() => Ok((base | ACC, accessor_cell(cx, m, get, set)?)),
        Prop::Accessor { .. } => Ok((base | pick(d.writable, W, 0), d.value.unwrap_or(UNDEF))),
        Prop::Data { value, .. } => Ok((base | pick(d.writable, W, a), d.value.unwrap_or(value))),
    }
}

// ---- [[Delete]], keys, prototype, extensibility ----

/// [[Delete]]
pub fn delete(cx: &mut Cx, m: Mem, o: Value, key: Value) -> Res<bool> {
    let Some(p) = get_own(cx, m, o, key)? else { return Ok(true) };
    if !p.configurable() {
        return Ok(false);
    }
    if kind(m, o) == ARR && is_int(key) && crate::array::element(m, o, key as u32) != HOLE {
        return crate::array::punch(cx, m, o, key as u32);
    }
    if shape::meta(m, shape::of(m, o)) & VIRTUAL != 0 {
        function::materialize(cx, m, o)?;
    }
    let s = to_dict(cx, m, o)?;
    if let Some((i, _)) = shape::find(m, s, key) {
        let at = slot_addr(m, o, s, i);
        cx.heap.write(m, at, UNDEF);
    }
    shape::dict_remove(cx, m, s, key);
    let new = shape::dict_renew(cx, m, s)?;
    set_shape(cx, m, o, new);
    Ok(true)
}

/// Delete as the strict operator does it.
pub fn delete_or_throw(cx: &mut Cx, m: Mem, o: Value, key: Value) -> Res<()> {
    if delete(cx, m, o, key)? { Ok(()) } else { Err(refuse(cx, m, "Cannot delete property", key)) }
}

/// [[OwnPropertyKeys]]: indices ascending, strings, symbols, each as added. Keys as `shape` takes them.
pub fn own_keys(cx: &mut Cx, m: Mem, o: Value) -> Res<Vec<Value>> {
    let mut keys = Vec::new();
    match kind(m, o) {
        ARR => crate::array::own_indices(cx, m, o, &mut keys)?,
        WRAPPER if is_str(m.r64(o as u32, 16)) => {
            keys.extend((0..string::len(m, m.r64(o as u32, 16))).map(|i| int(i as i32)));
        }
        NAMESPACE => return crate::module::namespace_keys(cx, m, o),
        _ => {}
    }
    cx.charge(keys.len() as u64 / 8)?;
    let s = shape::of(m, o);
    let all = shape::entries(cx, m, s)?;
    let dense = keys.len();
    keys.extend(all.iter().map(|e| e.0).filter(|k| is_int(*k)));
    if keys.len() > dense {
        keys.sort_unstable_by_key(|k| *k as u32);
    }
    let indices = keys.len();
    keys.extend(all.iter().map(|e| e.0).filter(|k| is_str(*k)));
    big_indices_first(cx, m, &mut keys, indices)?;
    if shape::meta(m, s) & shape::ARRAY != 0 || (kind(m, o) == WRAPPER && is_str(m.r64(o as u32, 16))) {
        keys.insert(indices, roots::get(m, R_STR_LENGTH));
    }
    if shape::meta(m, s) & VIRTUAL != 0 {
        function::virtual_keys(cx, m, o, &mut keys)?;
    }
    keys.extend(all.iter().map(|e| e.0).filter(|k| is_sym(*k) && flags(m, *k) & INTERNAL == 0));
    Ok(keys)
}

/// Array indices from 2^31 - 1 on are strings here; they still come before other strings, in order.
fn big_indices_first(cx: &mut Cx, m: Mem, keys: &mut [Value], from: usize) -> Res<()> {
    let big = |k: Value| {
        let n = string::len(m, k);
        if n != 10 || !string::is_latin1(m, k) || !(49..58).contains(&string::unit(m, k, 0)) {
            return None;
        }
        let digit = |i| (string::unit(m, k, i) as u64).wrapping_sub(48);
        if (0..n).any(|i| digit(i) > 9) {
            return None;
        }
        Some((0..n).fold(0, |v, i| v * 10 + digit(i))).filter(|v| *v < u32::MAX as u64)
    };
    if keys[from..].iter().any(|k| big(*k).is_some()) {
        cx.charge(keys.len() as u64)?;
        keys[from..].sort_by_key(|k| big(*k).unwrap_or(u64::MAX));
    }
    Ok(())
}

/// [[SetPrototypeOf]]
pub fn set_proto(cx: &mut Cx, m: Mem, o: Value, proto: Value) -> Res<bool> {
    if proto_of(m, o) == proto {
        return Ok(true);
    }
    if flags(m, o) & (NONEXT | FROZEN) != 0 || o == roots::get(m, R_OBJECT_PROTO) {
        return Ok(false);
    }
    let mut p = proto;
    while is_obj(p) {
        if p == o {
            return Ok(false);
        }
        p = proto_of(m, p);
        cx.charge(1)?;
    }
    let s = shape::of(m, o);
    let new = if shape::count(m, s) == 0 && kind(m, o) == RECORD && shape::cap(m, s) == 4 && !shape::is_dict(m, s) {
        shape_for(cx, m, proto)?
    } else {
        if shape::meta(m, s) & VIRTUAL != 0 {
            function::materialize(cx, m, o)?;
        }
        let s = shape::of(m, o);
        shape::with_proto(cx, m, s, proto)?
    };
    set_shape(cx, m, o, new);
    Ok(true)
}

pub fn is_extensible(m: Mem, o: Value) -> bool {
    flags(m, o) & (NONEXT | FROZEN) == 0
}

pub fn prevent_extensions(cx: &mut Cx, m: Mem, o: Value) {
    add_flags(cx, m, o, NONEXT);
}

/// SetIntegrityLevel(o, frozen)
pub fn freeze(cx: &mut Cx, m: Mem, o: Value) {
    add_flags(cx, m, o, FROZEN | NONEXT | SEALED);
}

/// SetIntegrityLevel(o, sealed)
pub fn seal(cx: &mut Cx, m: Mem, o: Value) {
    add_flags(cx, m, o, NONEXT | SEALED);
}

// ---- keys ----

/// The key that a primitive string, symbol or number names (ToPropertyKey after ToPrimitive).
pub fn key_of(cx: &mut Cx, m: Mem, v: Value) -> Res {
    if is_int(v) && as_int(v) >= 0 && as_int(v) != i32::MAX {
        return Ok(v);
    }
    if is_sym(v) {
        return Ok(v);
    }
    let s = if is_str(v) { v } else { crate::convert::to_string(cx, m, v)? };
    if string::is_interned(m, s) && flags(m, s) & INDEX_LIKE == 0 {
        return Ok(s);
    }
    let f = string::flat(cx, m, s)?;
    if let Some(i) = string::array_index(m, f) {
        return Ok(int(i as i32));
    }
    string::intern(cx, m, f)
}

/// ToPropertyKey
pub fn to_key(cx: &mut Cx, m: Mem, v: Value) -> Res {
    let p = if is_obj(v) { crate::convert::to_primitive(cx, m, v, crate::convert::Hint::String)? } else { v };
    key_of(cx, m, p)
}

/// The string or symbol a key stands for, as programs see it.
pub fn key_value(cx: &mut Cx, m: Mem, key: Value) -> Res {
    if is_int(key) { crate::convert::to_string(cx, m, key) } else { Ok(key) }
}

/// For messages.
pub fn key_text(cx: &mut Cx, m: Mem, key: Value) -> Res<String> {
    if is_sym(key) {
        let d = m.r64(key as u32, 8);
        let t = if is_str(d) { string::to_rust(cx, m, d)? } else { String::new() };
        return Ok(format!("Symbol({t})"));
    }
    let s = key_value(cx, m, key)?;
    let t = string::to_rust(cx, m, s)?;
    Ok(if t.chars().count() > 80 { t.chars().take(79).chain(['…']).collect() } else { t })
}

/// Gets by a name known to Rust; for natives off the fast path.
pub fn get_str(cx: &mut Cx, m: Mem, o: Value, name: &str) -> Res {
    let k = string::intern_str(cx, m, name)?;
    get_v(cx, m, o, k)
}

/// An object's identity hash: drawn from the vat's counter at first use, kept under an internal symbol.
pub fn identity_hash(cx: &mut Cx, m: Mem, o: Value) -> Res<u32> {
    let id = roots::get(m, R_ID);
    let s = shape::of(m, o);
    if let Some((i, _)) = shape::find(m, s, id) {
        return Ok(m.r64(slot_addr(m, o, s, i), 0) as u32);
    }
    let h = as_int(roots::get(m, R_NEXT_HASH));
    roots::set(cx, m, R_NEXT_HASH, int(h.wrapping_add(1)));
    let mixed = (h as u32).wrapping_mul(0x9E37_79B1);
    add_property(cx, m, o, id, 0, int(mixed as i32))?;
    Ok(mixed)
}
