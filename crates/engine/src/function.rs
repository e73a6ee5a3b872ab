//! Functions: closures and builtins as objects, their virtual properties, construction.
//!
//! Invariants
//! - `length`, `name` (and `prototype` of constructors) of a closure or builtin nobody changed are virtual: computed from
//!   its code; the first change makes them properties like any other (`materialize`).
use crate::aside::Aside;
use crate::code::{F_ASYNC, F_CONSTRUCTOR, F_HARDENED, FuncInfo};
use crate::cx::{Cx, Res, Value};
use crate::engine::LoadedUnit;
use crate::kinds::*;
use crate::object;
use crate::roots::{self, *};
use crate::shape::{self, C, EXOTIC, VIRTUAL, W, WC};
use crate::string;
use cage::Mem;
use cage::layout::header;
use cage::value::*;
use std::sync::Arc;

/// The unit and function of a closure.
pub fn code_of(cx: &Cx, m: Mem, f: Value) -> Option<(Arc<LoadedUnit>, usize)> {
    let w = m.r64(f as u32, 16);
    let unit = cx.units.get(w as u32 as usize)?.clone();
    let i = unit.unit.functions.binary_search_by_key(&((w >> 32) as u32), |x| x.at).ok()?;
    Some((unit, i))
}

pub fn info_of(cx: &Cx, m: Mem, f: Value) -> Option<FuncInfo> {
    code_of(cx, m, f).map(|(u, i)| u.unit.functions[i].clone())
}

/// A builtin function object. `data` are its captures (word 3 on).
pub fn native(cx: &mut Cx, m: Mem, number: u16, data: &[Value]) -> Res {
    let at = cx.alloc(m, 24 + data.len() as u32 * 8)?;
    m.w64(at, 0, header(NATIVE, 0, 2 + data.len() as u16, roots::get(m, R_SHAPE_NATIVE) as u32));
    m.w64(at, 8, UNDEF);
    m.w64(at, 16, int(number as i32));
    for (i, v) in data.iter().enumerate() {
        m.w64(at.wrapping_add(24 + i as u32 * 8), 0, *v);
    }
    Ok(OBJ | at as u64)
}

/// Capture `i` of the builtin function that is running.
#[inline]
pub fn data(m: Mem, callee: Value, i: u32) -> Value {
    m.r64((callee as u32).wrapping_add(i * 8), 24)
}
pub fn set_data(cx: &mut Cx, m: Mem, callee: Value, i: u32, v: Value) {
    cx.heap.write(m, (callee as u32).wrapping_add(24 + i * 8), v);
}

pub fn native_number(m: Mem, f: Value) -> u16 {
    m.r32(f as u32, 16) as u16
}

/// May it be the target of `new`?
pub fn is_constructor(cx: &Cx, m: Mem, f: Value) -> bool {
    if !is_obj(f) {
        return false;
    }
    match object::kind(m, f) {
        FN => code_of(cx, m, f).is_some_and(|(u, i)| u.unit.functions[i].flags & (F_CONSTRUCTOR | F_HARDENED) == F_CONSTRUCTOR),
        NATIVE => crate::builtins::native(native_number(m, f)).is_some_and(|n| n.constructor),
        BOUND => is_constructor(cx, m, m.r64(f as u32, 16)),
        _ => false,
    }
}

fn own_length_name(cx: &mut Cx, m: Mem, f: Value) -> Res<(Value, Value)> {
    match object::kind(m, f) {
        NATIVE => {
            let Some(n) = crate::builtins::native(native_number(m, f)) else { return Ok((int(0), string::empty(m))) };
            Ok((int(n.length as i32), cx.str(m, n.name)?))
        }
        _ => {
            let Some((u, i)) = code_of(cx, m, f) else { return Ok((int(0), string::empty(m))) };
            let info = &u.unit.functions[i];
            Ok((int(info.length as i32), string::from_units(cx, m, &info.name)?))
        }
    }
}

fn has_virtual_prototype(cx: &Cx, m: Mem, f: Value) -> bool {
    object::kind(m, f) == FN
        && code_of(cx, m, f)
            .is_some_and(|(u, i)| u.unit.functions[i].flags & (F_CONSTRUCTOR | F_ASYNC | F_HARDENED) == F_CONSTRUCTOR)
}

/// Value and attributes of a virtual property.
pub fn virtual_own(cx: &mut Cx, m: Mem, f: Value, key: Value) -> Res<Option<(Value, u8)>> {
    if key == roots::get(m, R_STR_LENGTH) {
        return Ok(Some((own_length_name(cx, m, f)?.0, C)));
    }
    if key == roots::get(m, R_STR_NAME) {
        return Ok(Some((own_length_name(cx, m, f)?.1, C)));
    }
    if key == roots::get(m, R_STR_PROTOTYPE) && has_virtual_prototype(cx, m, f) {
        // the prototype object must be one and the same from now on
        materialize(cx, m, f)?;
        return Ok(object::own_named(m, f, key).map(|p| match p {
            object::Prop::Data { value, attrs } => (value, attrs),
            object::Prop::Accessor { attrs, .. } => (UNDEF, attrs),
        }));
    }
    Ok(None)
}

pub fn virtual_keys(cx: &mut Cx, m: Mem, f: Value, keys: &mut Aside<Value>) -> Res<()> {
    keys.push(roots::get(m, R_STR_LENGTH));
    keys.push(roots::get(m, R_STR_NAME));
    if has_virtual_prototype(cx, m, f) {
        keys.push(roots::get(m, R_STR_PROTOTYPE));
    }
    Ok(())
}

/// Makes the virtual properties real ones.
pub fn materialize(cx: &mut Cx, m: Mem, f: Value) -> Res<()> {
    let s = shape::of(m, f);
    if shape::meta(m, s) & VIRTUAL == 0 {
        return Ok(());
    }
    let (length, name) = own_length_name(cx, m, f)?;
    let with_prototype = has_virtual_prototype(cx, m, f);
    let all = shape::entries(cx, m, s)?;
    let kept: Vec<Value> = all.iter().map(|e| m.r64(object::slot_addr(m, f, s, e.1), 0)).collect();
    let bare = shape::root(cx, m, shape::proto(m, s), 1, EXOTIC)?;
    object::set_shape(cx, m, f, bare);
    let (l, n) = (roots::get(m, R_STR_LENGTH), roots::get(m, R_STR_NAME));
    object::add_property(cx, m, f, l, C, length)?;
    object::add_property(cx, m, f, n, C, name)?;
    if with_prototype {
        let p = object::new(cx, m)?;
        let c = roots::get(m, R_STR_CONSTRUCTOR);
        object::add_property(cx, m, p, c, WC, f)?;
        let k = roots::get(m, R_STR_PROTOTYPE);
        object::add_property(cx, m, f, k, W, p)?;
    }
    for ((key, _, attrs), v) in all.into_iter().zip(kept) {
        object::add_property(cx, m, f, key, attrs, v)?;
    }
    Ok(())
}

/// SetFunctionName for a fresh function: `prefix` is "", "get" or "set".
pub fn set_name(cx: &mut Cx, m: Mem, f: Value, key: Value, prefix: &str) -> Res<()> {
    let mut name = if is_sym(key) {
        let d = m.r64(key as u32, 8);
        if is_str(d) {
            let t = string::to_rust(cx, m, d)?;
            cx.str(m, &format!("[{t}]"))?
        } else {
            string::empty(m)
        }
    } else {
        object::key_value(cx, m, key)?
    };
    if !prefix.is_empty() {
        let p = cx.str(m, &format!("{prefix} "))?;
        name = string::concat(cx, m, p, name)?;
    }
    let k = roots::get(m, R_STR_NAME);
    object::define_or_throw(cx, m, f, k, object::Desc::data(name, C))
}

/// The source text `Function.prototype.toString` gives.
pub fn source_text(cx: &mut Cx, m: Mem, f: Value) -> Res {
    if object::kind(m, f) == FN
        && let Some((u, i)) = code_of(cx, m, f)
    {
        let info = &u.unit.functions[i];
        if info.flags & crate::code::F_BUILTIN == 0 {
            let t = u.unit.source.get(info.source.start as usize..info.source.end as usize).unwrap_or("");
            return string::from_long_str(cx, m, t);
        }
    }
    let (_, name) = own_length_name(cx, m, f).unwrap_or((UNDEF, string::empty(m)));
    let name = string::to_short(cx, m, name, crate::convert::MAX_SHOWN)?;
    cx.str(m, &format!("function {name}() {{ [native code] }}"))
}

/// GetPrototypeFromConstructor: `new_target.prototype` if an object, else the intrinsic at `default`.
pub fn proto_from(cx: &mut Cx, m: Mem, new_target: Value, default: u16) -> Res {
    if is_obj(new_target) {
        let k = roots::get(m, R_STR_PROTOTYPE);
        let p = object::get(cx, m, new_target, k)?;
        if is_obj(p) {
            return Ok(p);
        }
    }
    Ok(roots::get(m, default))
}

/// The shape at root `s` if `new_target` asks for the prototype it has, else one like it with the right prototype.
pub fn shape_from(cx: &mut Cx, m: Mem, new_target: Value, s: u16, default: u16) -> Res<u32> {
    let standard = roots::get(m, s) as u32;
    let p = proto_from(cx, m, new_target, default)?;
    if p == shape::proto(m, standard) { Ok(standard) } else { shape::with_proto(cx, m, standard, p) }
}
