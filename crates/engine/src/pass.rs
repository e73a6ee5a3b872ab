//! What may be passed in a message, and how: pass styles.
//!
//! In: a value. Out: its style, or a refusal that names the path to what cannot pass.
//!
//! Invariants
//! - nothing here runs program code or changes the heap but for materialising a function's properties;
//! - remotable: a function, an object with a method, a `Far` object; copied: plain records and arrays of what may pass;
//! - what is copied is a tree or a DAG, never a circle.
use crate::aside::Aside;
use crate::cx::{Cx, Res, Value};
use crate::kinds::*;
use crate::met::Met;
use crate::object;
use crate::roots::{self, *};
use crate::shape::{self, ACC, E};
use crate::{array, function};
use cage::Mem;
use cage::value::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A primitive.
    Atom,
    CopyRecord,
    CopyArray,
    Remotable,
    Promise,
    Error,
    /// Cannot pass; why.
    Refused(&'static str),
}

/// The interface name given with `Far`, or undefined.
pub fn interface_of(m: Mem, o: Value) -> Value {
    let s = shape::of(m, o);
    match shape::find(m, s, roots::get(m, R_FAR)) {
        Some((i, _)) => m.r64(object::slot_addr(m, o, s, i), 0),
        None => UNDEF,
    }
}

/// The style of a value by itself: what it holds is not looked at.
pub fn style(cx: &mut Cx, m: Mem, v: Value) -> Res<Style> {
    if is_sym(v) {
        let passes = object::flags(m, v) & (WELL_KNOWN | REGISTERED) != 0;
        return Ok(if passes { Style::Atom } else { Style::Refused("a symbol that is not registered") });
    }
    if !is_obj(v) {
        return Ok(Style::Atom);
    }
    Ok(match object::kind(m, v) {
        FN | NATIVE | BOUND | NAMESPACE | PRESENCE => Style::Remotable,
        PROMISE => Style::Promise,
        ERROR => Style::Error,
        ARR => array_style(cx, m, v)?,
        RECORD => record_style(cx, m, v)?,
        MAP => Style::Refused("a Map"),
        SET => Style::Refused("a Set"),
        WEAKMAP => Style::Refused("a WeakMap"),
        WEAKSET => Style::Refused("a WeakSet"),
        ITER => Style::Refused("an iterator"),
        COMPARTMENT => Style::Refused("a Compartment"),
        WRAPPER => Style::Refused("a wrapped primitive"),
        ARGS => Style::Refused("an arguments object"),
        _ => Style::Refused("an exotic object"),
    })
}

fn array_style(cx: &mut Cx, m: Mem, v: Value) -> Res<Style> {
    if object::proto_of(m, v) != roots::get(m, R_ARRAY_PROTO) {
        return Ok(Style::Refused("an array with another prototype"));
    }
    let whole = array::length(m, v) == f64::from(array::dense_len(m, v));
    if !whole || !array::all(cx, m, v, |v| v != HOLE)? {
        return Ok(Style::Refused("an array with holes"));
    }
    let s = shape::of(m, v);
    let named = shape::entries(cx, m, s)?.iter().any(|e| !is_internal(m, e.0));
    Ok(if named { Style::Refused("an array with named properties") } else { Style::CopyArray })
}

fn is_internal(m: Mem, key: Value) -> bool {
    is_sym(key) && object::flags(m, key) & INTERNAL != 0
}

/// Is one of the own data properties of `o`, `constructor` aside, a function?
fn has_method(cx: &mut Cx, m: Mem, o: Value) -> Res<bool> {
    let s = shape::of(m, o);
    for (key, slot, attrs) in shape::entries(cx, m, s)? {
        cx.charge(1)?;
        if attrs & ACC == 0 && key != roots::get(m, R_STR_CONSTRUCTOR) {
            let v = m.r64(object::slot_addr(m, o, s, slot), 0);
            if object::is_callable(m, v) && !is_internal(m, key) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn record_style(cx: &mut Cx, m: Mem, v: Value) -> Res<Style> {
    if interface_of(m, v) != UNDEF {
        return Ok(Style::Remotable);
    }
    let mut o = v;
    while is_obj(o) && o != roots::get(m, R_OBJECT_PROTO) {
        cx.charge(1)?;
        if object::kind(m, o) == RECORD && has_method(cx, m, o)? {
            return Ok(Style::Remotable);
        }
        o = object::proto_of(m, o);
    }
    if object::proto_of(m, v) != roots::get(m, R_OBJECT_PROTO) {
        return Ok(Style::Refused("an object with another prototype and no method"));
    }
    let s = shape::of(m, v);
    for (key, _, attrs) in shape::entries(cx, m, s)? {
        cx.charge(1)?;
        if is_internal(m, key) {
            continue;
        }
        if attrs & ACC != 0 {
            return Ok(Style::Refused("a record with a getter or setter"));
        }
        if is_sym(key) {
            return Ok(Style::Refused("a record with a symbol as key"));
        }
        if attrs & E == 0 {
            return Ok(Style::Refused("a record with a property that is not enumerable"));
        }
    }
    Ok(Style::CopyRecord)
}

/// Is this a record of plain properties, whether or not some of them are functions?
pub fn is_plain_record(cx: &mut Cx, m: Mem, v: Value) -> Res<bool> {
    if !is_obj(v) || object::kind(m, v) != RECORD || object::proto_of(m, v) != roots::get(m, R_OBJECT_PROTO) {
        return Ok(false);
    }
    if interface_of(m, v) != UNDEF {
        return Ok(false);
    }
    let s = shape::of(m, v);
    let plain = |(key, attrs): (Value, u8)| attrs & ACC == 0 && attrs & E != 0 && !is_sym(key);
    for (key, _, attrs) in shape::entries(cx, m, s)? {
        cx.charge(1)?;
        if !is_internal(m, key) && !plain((key, attrs)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What is noted of a value that was met.
const OPEN: u32 = 0;
const DONE: u32 = 1;

/// One step of the walk.
#[derive(Clone, Copy)]
struct Node {
    value: Value,
    parent: usize,
    key: Value,
    /// Comes a second time, when all below it is done.
    leave: bool,
}

/// Why `v` (called `name`) cannot pass, if it cannot.
#[inline]
pub fn refusal(cx: &mut Cx, m: Mem, v: Value, name: &str) -> Res<Option<String>> {
    if !is_obj(v) && !is_sym(v) {
        return Ok(None);
    }
    refusal_of(cx, m, v, name)
}

fn refusal_of(cx: &mut Cx, m: Mem, v: Value, name: &str) -> Res<Option<String>> {
    match style(cx, m, v)? {
        Style::Refused(why) => return Ok(Some(format!("{name} cannot be passed: {why}"))),
        Style::CopyRecord | Style::CopyArray => {}
        _ => return Ok(None),
    }
    if has_primitives_alone(cx, m, v)? {
        return Ok(None);
    }
    let mut nodes = Aside::from(vec![Node { value: v, parent: usize::MAX, key: UNDEF, leave: false }]);
    let mut todo = Aside::from(vec![0usize]);
    let mut seen = Met::new();
    while let Some(i) = todo.pop() {
        let (value, leave) = (nodes[i].value, nodes[i].leave);
        let at = value as u32 as u64;
        if leave {
            seen.set(cx, at, DONE)?;
            continue;
        }
        cx.charge(4)?;
        let style = style(cx, m, value)?;
        if let Style::Refused(why) = style {
            let path = path_of(cx, m, &nodes, i, name)?;
            return Ok(Some(format!("{path} cannot be passed: {why}")));
        }
        if !matches!(style, Style::CopyRecord | Style::CopyArray) {
            continue;
        }
        match seen.set(cx, at, OPEN)? {
            Some(DONE) => {
                seen.set(cx, at, DONE)?;
                continue;
            }
            Some(_) => {
                let path = path_of(cx, m, &nodes, i, name)?;
                return Ok(Some(format!("{path} cannot be passed: copied data that contains itself")));
            }
            None => {}
        }
        nodes[i].leave = true;
        todo.push(i);
        for (key, child) in children(cx, m, value)? {
            cx.charge(1)?;
            if is_obj(child) || is_sym(child) {
                nodes.push(Node { value: child, parent: i, key, leave: false });
                todo.push(nodes.len() - 1);
            }
        }
    }
    Ok(None)
}

/// Nothing in the plain record or array needs a look of its own.
fn has_primitives_alone(cx: &mut Cx, m: Mem, o: Value) -> Res<bool> {
    let primitive = |v| !is_obj(v) && !is_sym(v);
    if object::kind(m, o) == ARR {
        return array::all(cx, m, o, primitive);
    }
    let s = shape::of(m, o);
    for (key, slot, _) in shape::entries(cx, m, s)? {
        cx.charge(1)?;
        if !is_internal(m, key) && !primitive(m.r64(object::slot_addr(m, o, s, slot), 0)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Keys and values of a plain record or array.
pub fn children(cx: &mut Cx, m: Mem, o: Value) -> Res<Aside<(Value, Value)>> {
    let mut found = Aside::new();
    if object::kind(m, o) == ARR {
        for (i, v) in array::values(cx, m, o)?.into_iter().enumerate() {
            if i % 1024 == 0 {
                cx.charge(256)?;
            }
            found.push((int(i as i32), v));
        }
        return Ok(found);
    }
    let s = shape::of(m, o);
    for (i, (key, slot, _)) in shape::entries(cx, m, s)?.into_iter().enumerate() {
        if i % 1024 == 0 {
            cx.charge(256)?;
        }
        if !is_internal(m, key) {
            found.push((key, m.r64(object::slot_addr(m, o, s, slot), 0)));
        }
    }
    Ok(found)
}

fn path_of(cx: &mut Cx, m: Mem, nodes: &[Node], at: usize, name: &str) -> Res<String> {
    let mut keys = Aside::new();
    let mut i = at;
    while i < nodes.len() && nodes[i].parent != usize::MAX {
        cx.charge(1)?;
        keys.push(nodes[i].key);
        i = nodes[i].parent;
    }
    let mut text = name.to_owned();
    for k in keys.iter().rev().copied() {
        let t = object::key_text(cx, m, k)?;
        text += &if is_int(k) { format!("[{t}]") } else { format!(".{t}") };
        if text.len() > 400 {
            text += "…";
            break;
        }
    }
    Ok(text)
}

/// Far(name, o): notes the interface name and hardens.
pub fn far(cx: &mut Cx, m: Mem, name: Value, o: Value) -> Res {
    if !is_obj(o) || !matches!(object::kind(m, o), RECORD | FN | NATIVE | BOUND) {
        return Err(cx.type_error(m, "Far: only an object or a function can be passed by reference"));
    }
    if interface_of(m, o) == UNDEF {
        if object::kind(m, o) == FN {
            // its prototype must be one and the same before the shape is its own
            let key = roots::get(m, R_STR_PROTOTYPE);
            function::virtual_own(cx, m, o, key)?;
        }
        let key = roots::get(m, R_FAR);
        object::add_property(cx, m, o, key, 0, name)?;
    }
    crate::harden::harden(cx, m, o)
}
