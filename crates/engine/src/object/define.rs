//! [[DefineOwnProperty]]: ECMA-262 10.1.6, ValidateAndApplyPropertyDescriptor in its step order.
//!
//! In: an object, a key, a descriptor. Out: whether the property now is as the descriptor says.
use super::*;

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
