//! Properties: filling and using inline caches, elements, literals.
//!
//! ```text
//! a cache of a get: four entries { shape : 32 | place : 32 }
//!   place < 0x1_0000        byte offset of an inline slot from the object
//!   place < OLD             offset of the reference to the overflow slots << 16 | byte offset therein
//!   else                    address of a slot of a frozen prototype, in old space
//! a cache of a set: entries 0, 1 as above; then { shape : 32 | shape with the property added : 32 } { place }
//! ```
//! Invariants
//! - an entry is valid as long as its shape: shapes never change what they say, and whatever makes them or the slots
//!   of prototypes move empties all caches;
//! - what is cached of a prototype is cached only if every object up to it is frozen.
use super::calls::{NOWHERE, push_call};
use super::fast::{a, at_loc, b, c};
use super::slow::{key, word};
use super::{Frame, frame_end, iter, safepoint};
use crate::code::op::*;
use crate::cx::{Abort, Cx, ErrorKind, Res, Value};
use crate::kinds::*;
use crate::object::{self, Desc, Prop};
use crate::roots::{self, *};
use crate::shape::{self, ACC, E, EXOTIC, W, WEC};
use crate::{array, convert, function, string};
use cage::layout::{H_X, OLD};
use cage::value::*;
use cage::{Code, Mem};

// long: one arm an instruction
pub(super) fn exec<'c>(cx: &mut Cx, m: Mem<'c>, fr: &mut Frame<'c>, i: u32, code: Code<'c>) -> Res<()> {
    let win = fr.win;
    match i as u8 {
        GETP | GETM | GETLEN => {
            let (ic, k) = (word(fr, code), word(fr, code));
            let o = win.get(b(i));
            if i as u8 == GETM {
                win.set(a(i).wrapping_add(2), o);
            }
            if let Some(v) = cached(m, ic, o) {
                win.set(a(i), v);
                return Ok(());
            }
            let k = key(cx, m, win, k)?;
            fill_get(m, ic, o, k);
            get(cx, m, fr, code, o, k, a(i))
        }
        SETP => {
            let (ic, k) = (word(fr, code), word(fr, code));
            let (o, v) = (win.get(a(i)), win.get(b(i)));
            if set_cached(cx, m, ic, o, v)? {
                return Ok(());
            }
            let k = key(cx, m, win, k)?;
            set_filling(cx, m, fr, code, ic, o, k, v)
        }
        DEFP => {
            let (ic, k) = (word(fr, code), word(fr, code));
            let (o, v) = (win.get(a(i)), win.get(b(i)));
            if add_cached(cx, m, ic, o, v)? {
                return Ok(());
            }
            let k = key(cx, m, win, k)?;
            let before = shape::of(m, o);
            object::create_data_or_throw(cx, m, o, k, v)?;
            fill_add(m, ic, o, before);
            Ok(())
        }
        GETE | GETEM => {
            let (o, k) = (win.get(b(i)), win.get(c(i)));
            if i as u8 == GETEM {
                win.set(a(i).wrapping_add(2), o);
            }
            get_element(cx, m, fr, code, o, k, a(i))
        }
        SETE => {
            let (o, k, v) = (win.get(a(i)), win.get(b(i)), win.get(c(i)));
            if is_obj(o)
                && is_int(k)
                && object::kind(m, o) == ARR
                && as_int(k) >= 0
                && array::set_existing(cx, m, o, k as u32, v)?
            {
                return Ok(());
            }
            cx.charge(1)?;
            let k = element_key(cx, m, o, k)?;
            set(cx, m, fr, code, o, k, v)
        }
        DEFE => {
            let (o, k, v) = (win.get(a(i)), win.get(b(i)), win.get(c(i)));
            let k = object::key_of(cx, m, k)?;
            object::create_data_or_throw(cx, m, o, k, v)
        }
        DEFACC => {
            let setter = word(fr, code) == 1;
            let k = object::key_of(cx, m, win.get(b(i)))?;
            let f = Some(win.get(c(i)));
            let d = Desc { enumerable: Some(true), configurable: Some(true), ..Desc::default() };
            let d = if setter { Desc { set: f, ..d } } else { Desc { get: f, ..d } };
            object::define_or_throw(cx, m, win.get(a(i)), k, d)
        }
        DELE => {
            let k = element_key(cx, m, win.get(b(i)), win.get(c(i)))?;
            let o = convert::to_object(cx, m, win.get(b(i)))?;
            object::delete_or_throw(cx, m, o, k)?;
            win.set(a(i), TRUE);
            Ok(())
        }
        GETG | SETG | HASG => global(cx, m, fr, i, code),
        NEWREC..=NEWARR => literal(cx, m, fr, i, code),
        PUSH => array::push(cx, m, win.get(a(i)), win.get(b(i))),
        APPEND => {
            let list = iter::iterate_to_vec(cx, m, win.get(b(i)))?;
            list.into_iter().try_for_each(|v| cx.charge(1).and_then(|()| array::push(cx, m, win.get(a(i)), v)))
        }
        SETPROTO => {
            let p = win.get(b(i));
            if is_obj(p) || p == NULL {
                object::set_proto(cx, m, win.get(a(i)), p)?;
            }
            Ok(())
        }
        COPYDATA => copy_data(cx, m, win.get(a(i)), win.get(b(i)), &[]),
        OBJREST => {
            let n = word(fr, code) as u8;
            let mut without = Vec::new();
            for k in 0..n {
                without.push(object::key_of(cx, m, win.get(c(i).wrapping_add(k)))?);
            }
            let o = object::new(cx, m)?;
            copy_data(cx, m, o, win.get(b(i)), &without)?;
            win.set(a(i), o);
            Ok(())
        }
        TOKEY => {
            let o = win.get(c(i));
            if is_nullish(o) {
                let what = if o == NULL { "null" } else { "undefined" };
                return Err(cx.type_error(m, &format!("Cannot read properties of {what}")));
            }
            let k = object::to_key(cx, m, win.get(b(i)))?;
            win.set(a(i), k);
            Ok(())
        }
        IN => {
            let o = win.get(c(i));
            if !is_obj(o) {
                return Err(cx.type_error(m, "Cannot use 'in' operator to search in a non-object"));
            }
            let r = match object::to_known_key(cx, m, win.get(b(i)))? {
                Some(k) => object::has(cx, m, o, k)?,
                None => false,
            };
            win.set(a(i), bool(r));
            Ok(())
        }
        INSTANCEOF => {
            let r = convert::instance_of(cx, m, win.get(b(i)), win.get(c(i)))?;
            win.set(a(i), bool(r));
            Ok(())
        }
        SETNAME => {
            let prefix = ["", "get", "set"].get(c(i) as usize).copied().unwrap_or("");
            let k = object::key_of(cx, m, win.get(b(i)))?;
            function::set_name(cx, m, win.get(a(i)), k, prefix)
        }
        OBJCHECK => {
            let v = win.get(a(i));
            let what = if v == NULL { "null" } else { "undefined" };
            Err(cx.type_error(m, &format!("Cannot destructure '{what}' as it is {what}")))
        }
        _ => Err(cx.stop(Abort::Corrupt)),
    }
}

// ---- gets ----

/// What stands for the shape of a value in caches: an object's shape, or the root number of a primitive's prototype.
#[inline(always)]
fn shape_key(m: Mem, v: Value) -> u32 {
    if is_obj(v) {
        m.r32(v as u32, H_X)
    } else if is_str(v) {
        R_STRING_PROTO as u32
    } else if is_number(v) {
        R_NUMBER_PROTO as u32
    } else if is_big(v) {
        R_BIGINT_PROTO as u32
    } else {
        0
    }
}

#[inline(never)]
pub(super) fn cached(m: Mem, ic: u32, o: Value) -> Option<Value> {
    let s = shape_key(m, o);
    if s == 0 {
        return None;
    }
    for k in 0..4 {
        let e = m.r64(ic.wrapping_add(k * 8), 0);
        if e as u32 == s {
            return Some(at_loc(m, o, (e >> 32) as u32));
        }
    }
    None
}

/// The place of slot `i` as caches name it.
fn place(m: Mem, o: Value, s: u32, i: u32) -> Option<u32> {
    let meta = shape::meta(m, s);
    if meta & EXOTIC != 0 {
        let off = 8 + i * 8;
        return (object::kind(m, o) != ARR && off < 0xFFF8).then_some(8 << 16 | off);
    }
    let cap = meta & 0xFF;
    if i + 1 < cap || (shape::count(m, s) <= cap && meta & shape::IS_DICT == 0) {
        return Some(8 + i * 8);
    }
    let off = 8 + (i + 1).wrapping_sub(cap) * 8;
    (off < 0xFFF8).then_some((cap * 8) << 16 | off)
}

fn fill_get(m: Mem, ic: u32, o: Value, k: Value) {
    let s = shape_key(m, o);
    if s == 0 {
        return;
    }
    let Some(p) = (if is_obj(o) { own_place(m, o, s, k) } else { None }).or_else(|| inherited_place(m, o, k)) else {
        return;
    };
    // the first free place; a cache that has seen four shapes is left to the look-up cache from there on, but for the last
    // place, so that a program that goes on with other shapes is served too
    let free = (0..3).find(|e| m.r64(ic.wrapping_add(e * 8), 0) == 0).unwrap_or(3);
    m.w64(ic.wrapping_add(free * 8), 0, s as u64 | (p as u64) << 32);
}

/// The value of an own data property in the shape, by the look-up cache. Not inlined: its places in memory would cost
/// the handler that asks its tail call.
#[inline(never)]
pub(super) fn own_data(m: Mem, o: Value, k: Value) -> Option<Value> {
    if !is_obj(o) {
        return None;
    }
    let s = shape::of(m, o);
    let (i, attrs) = shape::find(m, s, k)?;
    if attrs & ACC != 0 {
        return None;
    }
    Some(m.r64(object::slot_addr(m, o, s, i), 0))
}

fn own_place(m: Mem, o: Value, s: u32, k: Value) -> Option<u32> {
    let (i, attrs) = shape::find(m, s, k)?;
    if attrs & ACC != 0 { None } else { place(m, o, s, i) }
}

/// The slot of a frozen prototype that answers for `k`, if nothing nearer does.
fn inherited_place(m: Mem, o: Value, k: Value) -> Option<u32> {
    let mut p = if is_obj(o) {
        let s = shape::of(m, o);
        let special = shape::meta(m, s) & (shape::VIRTUAL | shape::ARRAY | shape::IS_DICT) != 0;
        let own = is_int(k)
            || k == roots::get(m, R_STR_LENGTH)
            || k == roots::get(m, R_STR_NAME)
            || k == roots::get(m, R_STR_PROTOTYPE);
        if (special && own) || matches!(object::kind(m, o), WRAPPER | NAMESPACE) || shape::is_dict(m, s) {
            return None;
        }
        if shape::find(m, s, k).is_some() {
            return None;
        }
        shape::proto(m, s)
    } else {
        if is_int(k) || k == roots::get(m, R_STR_LENGTH) {
            return None;
        }
        object::proto_of_primitive(m, o)
    };
    for _ in 0..8 {
        if !is_obj(p) || object::flags(m, p) & FROZEN == 0 || shape::meta(m, shape::of(m, p)) & shape::VIRTUAL != 0 {
            return None;
        }
        let s = shape::of(m, p);
        if let Some((i, attrs)) = shape::find(m, s, k) {
            let at = object::slot_addr(m, p, s, i);
            return (attrs & ACC == 0 && at >= OLD).then_some(at);
        }
        if object::kind(m, p) == ARR && is_int(k) {
            return None;
        }
        p = shape::proto(m, s);
    }
    None
}

/// Get of any value into a register; a getter that is a closure runs in a frame of its own.
fn get<'c>(cx: &mut Cx, m: Mem<'c>, fr: &mut Frame<'c>, code: Code<'c>, o: Value, k: Value, dest: u8) -> Res<()> {
    if !is_obj(o) {
        let v = object::get_v(cx, m, o, k)?;
        fr.win.set(dest, v);
        return Ok(());
    }
    let mut at = o;
    while is_obj(at) {
        match object::get_own(cx, m, at, k)? {
            Some(Prop::Data { value, .. }) => {
                fr.win.set(dest, value);
                return Ok(());
            }
            Some(Prop::Accessor { get: UNDEF, .. }) => break,
            Some(Prop::Accessor { get, .. }) => return push_call(cx, m, fr, code, get, o, &[], dest),
            None => {}
        }
        at = object::proto_of(m, at);
        cx.charge(1)?;
    }
    fr.win.set(dest, UNDEF);
    Ok(())
}

/// ToPropertyKey of an element's key; a nullish base is an error before the key is converted.
fn element_key(cx: &mut Cx, m: Mem, o: Value, k: Value) -> Res {
    if is_nullish(o) && is_obj(k) {
        let what = if o == NULL { "null" } else { "undefined" };
        return Err(cx.type_error(m, &format!("Cannot read properties of {what}")));
    }
    object::to_key(cx, m, k)
}

/// Is there a sender (what `E(x)` gives) among an object and its prototypes?
fn answers_any_name(cx: &mut Cx, m: Mem, mut o: Value) -> Res<bool> {
    while is_obj(o) {
        cx.charge(1)?;
        if shape::meta(m, shape::of(m, o)) & shape::SENDER != 0 {
            return Ok(true);
        }
        o = object::proto_of(m, o);
    }
    Ok(false)
}

fn get_element<'c>(cx: &mut Cx, m: Mem<'c>, fr: &mut Frame<'c>, code: Code<'c>, o: Value, k: Value, dest: u8) -> Res<()> {
    if is_str(o) && is_int(k) && (k as u32) < string::len(m, o) {
        let f = string::flat(cx, m, o)?;
        let u = string::unit(m, f, k as u32);
        let v = string::of_unit(cx, m, u)?;
        fr.win.set(dest, v);
        return Ok(());
    }
    cx.charge(1)?;
    let k = if is_nullish(o) || !is_str(k) {
        element_key(cx, m, o, k)?
    } else {
        match object::to_known_key(cx, m, k)? {
            Some(k) => k,
            None if answers_any_name(cx, m, o)? => element_key(cx, m, o, k)?,
            None => {
                fr.win.set(dest, UNDEF);
                return Ok(());
            }
        }
    };
    if is_obj(o) && !is_int(k) && shape::meta(m, shape::of(m, o)) & (EXOTIC | shape::IS_DICT) == 0 {
        let s = shape::of(m, o);
        if let Some((i, attrs)) = shape::find(m, s, k)
            && attrs & ACC == 0
        {
            fr.win.set(dest, m.r64(object::slot_addr(m, o, s, i), 0));
            return Ok(());
        }
    }
    get(cx, m, fr, code, o, k, dest)
}

// ---- sets ----

fn set_cached(cx: &mut Cx, m: Mem, ic: u32, o: Value, v: Value) -> Res<bool> {
    if !is_obj(o) || object::flags(m, o) & FROZEN != 0 {
        return Ok(false);
    }
    let s = shape::of(m, o);
    for k in 0..2 {
        let e = m.r64(ic.wrapping_add(k * 8), 0);
        if e as u32 == s && s != 0 {
            let loc = (e >> 32) as u32;
            let at = if loc < 0x1_0000 {
                (o as u32).wrapping_add(loc)
            } else {
                m.r32((o as u32).wrapping_add(loc >> 16), 0).wrapping_add(loc & 0xFFFF)
            };
            cx.heap.write(m, at, v);
            return Ok(true);
        }
    }
    add_cached(cx, m, ic, o, v)
}

/// Adds the property by a cached transition.
fn add_cached(cx: &mut Cx, m: Mem, ic: u32, o: Value, v: Value) -> Res<bool> {
    if !is_obj(o) || object::flags(m, o) & (FROZEN | NONEXT) != 0 {
        return Ok(false);
    }
    let e = m.r64(ic.wrapping_add(16), 0);
    if e as u32 != shape::of(m, o) || e as u32 == 0 {
        return Ok(false);
    }
    object::add_slot(cx, m, o, (e >> 32) as u32, v)?;
    Ok(true)
}

/// Notes that `o` came from shape `before` by gaining one plain property, if it did and may again without a look at prototypes.
fn fill_add(m: Mem, ic: u32, o: Value, before: u32) {
    let after = shape::of(m, o);
    if before == after
        || shape::is_dict(m, after)
        || shape::meta(m, before) & EXOTIC != 0
        || shape::count(m, after) != shape::count(m, before) + 1
    {
        return;
    }
    let n = shape::count(m, before);
    if shape::attrs_at(m, after, n) != WEC {
        return;
    }
    m.w64(ic.wrapping_add(16), 0, before as u64 | (after as u64) << 32);
}

/// Adding `k` can meet nothing on the prototype chain: all of it is frozen, and none but a primordial has data under `k`.
fn chain_allows(m: Mem, o: Value, k: Value) -> bool {
    let mut p = object::proto_of(m, o);
    for _ in 0..8 {
        if !is_obj(p) {
            return true;
        }
        let s = shape::of(m, p);
        let plain = object::flags(m, p) & FROZEN != 0 && object::kind(m, p) == RECORD;
        let forbids = |attrs: u8| attrs & ACC != 0 || !object::is_primordial(m, p);
        if !plain || shape::find(m, s, k).is_some_and(|(_, attrs)| forbids(attrs)) {
            return false;
        }
        p = shape::proto(m, s);
    }
    false
}

#[expect(clippy::too_many_arguments)]
fn set_filling<'c>(
    cx: &mut Cx,
    m: Mem<'c>,
    fr: &mut Frame<'c>,
    code: Code<'c>,
    ic: u32,
    o: Value,
    k: Value,
    v: Value,
) -> Res<()> {
    if is_obj(o) && object::kind(m, o) != NAMESPACE {
        let s = shape::of(m, o);
        if let Some((i, attrs)) = shape::find(m, s, k) {
            if attrs & (W | ACC) == W
                && let Some(p) = place(m, o, s, i)
            {
                m.w64(ic.wrapping_add(8), 0, m.r64(ic, 0));
                m.w64(ic, 0, s as u64 | (p as u64) << 32);
            }
        } else if object::kind(m, o) == RECORD && chain_allows(m, o, k) && object::is_extensible(m, o) {
            object::add_property(cx, m, o, k, WEC, v)?;
            fill_add(m, ic, o, s);
            return Ok(());
        }
    }
    set(cx, m, fr, code, o, k, v)
}

/// PutValue in strict code; a setter that is a closure runs in a frame of its own.
fn set<'c>(cx: &mut Cx, m: Mem<'c>, fr: &mut Frame<'c>, code: Code<'c>, o: Value, k: Value, v: Value) -> Res<()> {
    if is_nullish(o) {
        let what = if o == NULL { "null" } else { "undefined" };
        let t = object::key_text(cx, m, k)?;
        return Err(cx.type_error(m, &format!("Cannot set properties of {what} (setting '{t}')")));
    }
    let mut at = if is_obj(o) { o } else { object::proto_of_primitive(m, o) };
    while is_obj(at) {
        if object::kind(m, at) == NAMESPACE {
            // its [[Set]] refuses without a look
            break;
        }
        match object::get_own(cx, m, at, k)? {
            Some(Prop::Accessor { set: f, .. }) if f != UNDEF => return push_call(cx, m, fr, code, f, o, &[v], NOWHERE),
            Some(_) => break,
            None => {}
        }
        at = object::proto_of(m, at);
        cx.charge(1)?;
    }
    let start = if is_obj(o) { o } else { object::proto_of_primitive(m, o) };
    if object::set(cx, m, start, k, v, o)? {
        return Ok(());
    }
    Err(object::refuse_set(cx, m, o, k))
}

// ---- globals ----

fn global<'c>(cx: &mut Cx, m: Mem<'c>, fr: &mut Frame<'c>, i: u32, code: Code<'c>) -> Res<()> {
    let win = fr.win;
    let (ic, name) = (word(fr, code), word(fr, code));
    let o = m.r64((win.get(0) as u32).wrapping_add(b(i) as u32 * 8), 24);
    if !is_obj(o) {
        return Err(cx.stop(Abort::Corrupt));
    }
    let k = key(cx, m, win, name)?;
    if i as u8 == SETG {
        // the reference was resolved before the value was made
        let resolved = c(i) == 0 || win.get(c(i)) == TRUE;
        if !resolved || !object::has(cx, m, o, k)? {
            return Err(undefined_name(cx, m, k));
        }
        return set(cx, m, fr, code, o, k, win.get(a(i)));
    }
    if i as u8 == HASG {
        let there = object::has(cx, m, o, k)?;
        win.set(a(i), bool(there));
        return Ok(());
    }
    if let Some(p) = own_place(m, o, shape::of(m, o), k) {
        m.w64(ic, 0, shape::of(m, o) as u64 | (p as u64) << 32);
    }
    if !object::has(cx, m, o, k)? {
        if c(i) == 1 {
            win.set(a(i), UNDEF);
            return Ok(());
        }
        return Err(undefined_name(cx, m, k));
    }
    get(cx, m, fr, code, o, k, a(i))
}

#[cold]
fn undefined_name(cx: &mut Cx, m: Mem, k: Value) -> crate::cx::Stop {
    match object::key_text(cx, m, k) {
        Ok(t) => cx.error(m, ErrorKind::Reference, &format!("{t} is not defined")),
        Err(s) => s,
    }
}

// ---- literals ----

fn literal<'c>(cx: &mut Cx, m: Mem<'c>, fr: &mut Frame<'c>, i: u32, code: Code<'c>) -> Res<()> {
    let win = fr.win;
    safepoint(cx, m, frame_end(m, win, code))?;
    let item = |k: u8| win.get(b(i).wrapping_add(k));
    let v = match i as u8 {
        NEWREC => {
            let slot = word(fr, code);
            let n = m.r64(win.get(0) as u32, 16) as u32;
            let Some(u) = cx.units.get(n as usize) else { return Err(cx.stop(Abort::Corrupt)) };
            let index = slot.wrapping_sub(u.slots) / 8;
            let s = super::units::constant(cx, m, win.get(0), index)?;
            let o = object::from_shape(cx, m, s as u32)?;
            for k in 0..c(i) {
                m.w64((o as u32).wrapping_add(8 + k as u32 * 8), 0, item(k));
            }
            o
        }
        NEWOBJ => object::new(cx, m)?,
        _ => {
            let items: Vec<Value> = (0..c(i)).map(item).collect();
            array::from_slice(cx, m, &items)?
        }
    };
    win.set(a(i), v);
    Ok(())
}

/// CopyDataProperties
pub fn copy_data(cx: &mut Cx, m: Mem, to: Value, from: Value, without: &[Value]) -> Res<()> {
    if is_nullish(from) {
        return Ok(());
    }
    let from = convert::to_object(cx, m, from)?;
    for k in object::own_keys(cx, m, from)? {
        cx.charge(1)?;
        if without.contains(&k) {
            continue;
        }
        match object::get_own(cx, m, from, k)? {
            Some(p) if p.attrs() & E != 0 => {
                let v = match p {
                    Prop::Data { value, .. } => value,
                    Prop::Accessor { .. } => object::get(cx, m, from, k)?,
                };
                object::create_data_or_throw(cx, m, to, k, v)?;
            }
            _ => {}
        }
    }
    Ok(())
}
