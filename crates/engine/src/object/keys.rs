//! [[Delete]], [[OwnPropertyKeys]], prototypes, extensibility, and what a property key is.
//!
//! In: objects, values. Out: keys as `shape` takes them, in the order of ECMA-262 10.1.11.
use super::*;
use crate::aside::Aside;
use crate::builtins::sort::merge_sort;

/// [[Delete]]
pub fn delete(cx: &mut Cx, m: Mem, o: Value, key: Value) -> Res<bool> {
    if kind(m, o) == NAMESPACE {
        return Ok(!crate::module::namespace_has(cx, m, o, key)?);
    }
    let Some(p) = get_own(cx, m, o, key)? else { return Ok(true) };
    if !p.configurable() {
        return Ok(false);
    }
    if kind(m, o) == ARR && is_int(key) && crate::array::element(m, o, key as u32) != HOLE {
        return crate::array::punch(cx, m, o, key as u32);
    }
    remove(cx, m, o, key)?;
    Ok(true)
}

/// Takes a property out that stands in the shape, whatever the flags say.
pub(crate) fn remove(cx: &mut Cx, m: Mem, o: Value, key: Value) -> Res<()> {
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
    Ok(())
}

/// Delete as the strict operator does it.
pub fn delete_or_throw(cx: &mut Cx, m: Mem, o: Value, key: Value) -> Res<()> {
    if delete(cx, m, o, key)? { Ok(()) } else { Err(refuse(cx, m, "Cannot delete property", key)) }
}

/// Keys of an object that are listed at once, at most: a list of them is no part of the heap.
pub const MAX_KEYS: u32 = 1 << 23;

/// Stops before more keys are listed than may be.
pub fn check_number(cx: &mut Cx, m: Mem, n: u32) -> Res<()> {
    if n > MAX_KEYS { Err(cx.range_error(m, "limit: properties listed at once")) } else { Ok(()) }
}

/// [[OwnPropertyKeys]]: indices ascending, strings, symbols, each as added. Keys as `shape` takes them.
pub fn own_keys(cx: &mut Cx, m: Mem, o: Value) -> Res<Aside<Value>> {
    let mut keys = Aside::new();
    match kind(m, o) {
        ARR => crate::array::own_indices(cx, m, o, &mut keys)?,
        WRAPPER if is_str(m.r64(o as u32, 16)) => {
            let n = string::len(m, m.r64(o as u32, 16));
            check_number(cx, m, n)?;
            for i in 0..n {
                if i % 1024 == 0 {
                    cx.charge(128)?;
                }
                keys.push(int(i as i32));
            }
        }
        NAMESPACE => return crate::module::namespace_keys(cx, m, o),
        _ => {}
    }
    let s = shape::of(m, o);
    let all = shape::entries(cx, m, s)?;
    let dense = keys.len();
    add(cx, &mut keys, &all, is_int)?;
    if keys.len() > dense {
        merge_sort(cx, &mut keys, |_, x, y| Ok((*x as u32).cmp(&(*y as u32))))?;
    }
    let indices = keys.len();
    add(cx, &mut keys, &all, is_str)?;
    big_indices_first(cx, m, &mut keys, indices)?;
    if shape::meta(m, s) & shape::ARRAY != 0 || (kind(m, o) == WRAPPER && is_str(m.r64(o as u32, 16))) {
        keys.insert(indices, roots::get(m, R_STR_LENGTH));
    }
    if shape::meta(m, s) & VIRTUAL != 0 {
        function::virtual_keys(cx, m, o, &mut keys)?;
    }
    add(cx, &mut keys, &all, |k| is_sym(k) && flags(m, k) & INTERNAL == 0)?;
    Ok(keys)
}

/// Those keys of a shape's entries that are of some sort.
fn add(cx: &mut Cx, keys: &mut Aside<Value>, all: &[(Value, u32, u8)], sort: impl Fn(Value) -> bool) -> Res<()> {
    for slice in all.chunks(1024) {
        cx.charge(slice.len() as u64 / 8)?;
        slice.iter().filter(|e| sort(e.0)).for_each(|e| keys.push(e.0));
    }
    Ok(())
}

/// Array indices from 2^31 - 1 on are strings here; they still come before other strings, in order.
fn big_indices_first(cx: &mut Cx, m: Mem, keys: &mut Aside<Value>, from: usize) -> Res<()> {
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
    let mut any = false;
    for slice in keys[from..].chunks(1024) {
        cx.charge(slice.len() as u64 / 4)?;
        any |= slice.iter().any(|k| big(*k).is_some());
    }
    if any {
        let mut strings = Aside::with_capacity(keys.len() - from);
        for slice in keys[from..].chunks(1024) {
            cx.charge(slice.len() as u64 / 8)?;
            strings.extend_from_slice(slice);
        }
        let place = |k: &Value| big(*k).unwrap_or(u64::MAX);
        merge_sort(cx, &mut strings, |_, x, y| Ok(place(x).cmp(&place(y))))?;
        for (to, from) in keys[from..].chunks_mut(1024).zip(strings.chunks(1024)) {
            cx.charge(from.len() as u64 / 8)?;
            to.copy_from_slice(from);
        }
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

/// `to_key` for who only looks: no key means that nothing has a property of that name. So names that are looked up once leave nothing
/// behind.
pub fn to_known_key(cx: &mut Cx, m: Mem, v: Value) -> Res<Option<Value>> {
    let p = if is_obj(v) { crate::convert::to_primitive(cx, m, v, crate::convert::Hint::String)? } else { v };
    if !is_str(p) {
        return key_of(cx, m, p).map(Some);
    }
    let s = string::flat(cx, m, p)?;
    if !string::is_interned(m, s)
        && let Some(i) = string::array_index(m, s)
    {
        return Ok(Some(int(i as i32)));
    }
    match string::interned(cx, m, s)? {
        // an index that is interned is still an index
        Some(e) => key_of(cx, m, e).map(Some),
        None => Ok(None),
    }
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
        let t = if is_str(d) { string::to_short(cx, m, d, SHOWN)? } else { String::new() };
        return Ok(format!("Symbol({t})"));
    }
    let s = key_value(cx, m, key)?;
    string::to_short(cx, m, s, SHOWN)
}

/// Units of a key that a message shows.
const SHOWN: u32 = 80;

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
