//! Values of the heap as data that may cross the vat's edge.
//!
//! In: values that passed `engine::pass` and are hardened. Out: `passable` bytes; objects and promises get numbers.
//!
//! Invariants
//! - no program code runs; explicit stack;
//! - what occurs twice in a value is written once (and arrives as one);
//! - a promise that is settled is written as what it became.
use crate::known;
use engine::cage::value::*;
use engine::cx::{Abort, Cx, Res, Value};
use engine::kinds::{MAP, REGISTERED, STR8, WEAKMAP};
use engine::pass::{self, Style};
use engine::roots::{self, *};
use engine::{array, bigint, builtins, cage::Mem, harden, object, promise, send, string, table};
use passable::{ObjectId, Power, PromiseId, Ref, VatId, Writer};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// A message being written, or a value.
pub struct Out<'a> {
    pub w: Writer,
    /// Arrays, records and settled promises by address, numbered in the order they were begun: the first one, and the others.
    first: Option<u32>,
    seen: BTreeMap<u32, u64>,
    /// References named in this turn (their objects may be young).
    pub recent: &'a mut Vec<Ref>,
}

impl<'a> Out<'a> {
    pub fn new(recent: &'a mut Vec<Ref>) -> Out<'a> {
        Out { w: Writer::new(), first: None, seen: BTreeMap::new(), recent }
    }
}

fn this_vat(m: Mem) -> VatId {
    VatId(num(roots::get(m, R_SELF)) as u32)
}

/// Writes one value.
pub fn value(cx: &mut Cx, m: Mem, out: &mut Out<'_>, v: Value) -> Res<()> {
    if !is_obj(v) {
        cx.charge(2)?;
        return atom(cx, m, out, v);
    }
    cx.charge(2)?;
    let mut todo = Vec::new();
    object_value(cx, m, out, v, &mut todo)?;
    todo.reverse();
    all(cx, m, out, todo)
}

/// Writes the powers for a new vat: a record goes by copy even if there are functions in it.
pub fn powers(cx: &mut Cx, m: Mem, out: &mut Out<'_>, v: Value) -> Res<()> {
    if !pass::is_plain_record(cx, m, v)? {
        return value(cx, m, out, v);
    }
    again(cx, out, v)?;
    let mut todo = Vec::new();
    record(cx, m, out, v, &mut todo)?;
    todo.reverse();
    all(cx, m, out, todo)
}

fn all(cx: &mut Cx, m: Mem, out: &mut Out<'_>, mut todo: Vec<Value>) -> Res<()> {
    while let Some(v) = todo.pop() {
        cx.charge(2)?;
        if is_obj(v) {
            let from = todo.len();
            object_value(cx, m, out, v, &mut todo)?;
            todo[from..].reverse();
        } else {
            atom(cx, m, out, v)?;
        }
    }
    Ok(())
}

fn atom(cx: &mut Cx, m: Mem, out: &mut Out<'_>, v: Value) -> Res<()> {
    match v {
        UNDEF => out.w.undefined(),
        NULL => out.w.null(),
        TRUE => out.w.boolean(true),
        FALSE => out.w.boolean(false),
        _ if is_int(v) => out.w.integer(as_int(v)),
        _ if is_number(v) => out.w.number(num(v)),
        _ if is_str(v) => text(cx, m, out, v)?,
        _ if is_big(v) => {
            let limbs = bigint::to_limbs(m, v);
            cx.charge(limbs.len() as u64)?;
            out.w.bigint(bigint::is_negative(m, v), &limbs);
        }
        _ if is_sym(v) => symbol(cx, m, out, v)?,
        _ => return Err(cx.stop(Abort::Corrupt)),
    }
    Ok(())
}

/// Writes a string.
pub fn text(cx: &mut Cx, m: Mem, out: &mut Out<'_>, s: Value) -> Res<()> {
    let s = string::flat(cx, m, s)?;
    let n = string::len(m, s);
    cx.charge(n as u64 / 8)?;
    if object::kind(m, s) == STR8 {
        let mut small = [0u8; 64];
        if let Some(b) = small.get_mut(..n as usize) {
            let _ = m.bytes_out((s as u32).wrapping_add(8), b);
            out.w.latin1(b);
        } else {
            let mut b = Vec::new();
            if m.append((s as u32).wrapping_add(8), n, &mut b).is_none() {
                return Err(cx.stop(Abort::Corrupt));
            }
            out.w.latin1(&b);
        }
    } else {
        let u = string::units(cx, m, s)?;
        out.w.utf16(&u);
    }
    Ok(())
}

fn symbol(cx: &mut Cx, m: Mem, out: &mut Out<'_>, v: Value) -> Res<()> {
    let d = builtins::symbol::description(m, v);
    if object::flags(m, v) & REGISTERED != 0 {
        out.w.registered_symbol();
        return text(cx, m, out, d);
    }
    let name = string::to_rust(cx, m, d)?;
    out.w.well_known_symbol();
    out.w.string(name.strip_prefix("Symbol.").unwrap_or(&name));
    Ok(())
}

/// Writes what was written before as a reference to it. False: it is new, and noted.
fn again(cx: &mut Cx, out: &mut Out<'_>, v: Value) -> Res<bool> {
    cx.charge(2)?;
    let Some(first) = out.first else {
        out.first = Some(v as u32);
        return Ok(false);
    };
    if first == v as u32 {
        out.w.again(0);
        return Ok(true);
    }
    let n = out.seen.len() as u64 + 1;
    match out.seen.entry(v as u32) {
        Entry::Occupied(e) => {
            out.w.again(*e.get());
            Ok(true)
        }
        Entry::Vacant(e) => {
            e.insert(n);
            Ok(false)
        }
    }
}

fn object_value(cx: &mut Cx, m: Mem, out: &mut Out<'_>, v: Value, todo: &mut Vec<Value>) -> Res<()> {
    match pass::style(cx, m, v)? {
        Style::CopyArray => {
            if !again(cx, out, v)? {
                let n = array::dense_len(m, v);
                out.w.array(n as usize);
                todo.extend((0..n).map(|i| array::element(m, v, i)));
            }
        }
        Style::CopyRecord => {
            if !again(cx, out, v)? {
                record(cx, m, out, v, todo)?;
            }
        }
        Style::Error => error(cx, m, out, v)?,
        Style::Promise => promise_value(cx, m, out, v, todo)?,
        Style::Remotable => {
            let r = reference(cx, m, v)?;
            out.w.reference(r);
        }
        Style::Atom | Style::Refused(_) => return Err(cx.stop(Abort::Corrupt)),
    }
    Ok(())
}

/// Begins a record; its keys and values are what is to be written next.
fn record(cx: &mut Cx, m: Mem, out: &mut Out<'_>, v: Value, todo: &mut Vec<Value>) -> Res<()> {
    let parts = pass::children(cx, m, v)?;
    out.w.record(parts.len());
    for (k, child) in parts {
        todo.push(object::key_value(cx, m, k)?);
        todo.push(child);
    }
    Ok(())
}

/// Name and message; no program code runs.
fn error(cx: &mut Cx, m: Mem, out: &mut Out<'_>, e: Value) -> Res<()> {
    out.w.error();
    for (root, none) in [(R_STR_NAME, "Error"), (R_STR_MESSAGE, "")] {
        let key = roots::get(m, root);
        let mut at = e;
        let mut found = UNDEF;
        for _ in 0..64 {
            if !is_obj(at) {
                break;
            }
            if let Some(object::Prop::Data { value, .. }) = object::own_named(m, at, key) {
                found = value;
                break;
            }
            at = object::proto_of(m, at);
        }
        if is_str(found) { text(cx, m, out, found)? } else { out.w.string(none) }
    }
    Ok(())
}

fn promise_value(cx: &mut Cx, m: Mem, out: &mut Out<'_>, p: Value, todo: &mut Vec<Value>) -> Res<()> {
    let at = promise::last_of(cx, m, p)?;
    promise::mark_handled(cx, m, p);
    promise::mark_handled(cx, m, at);
    let state = promise::state(m, at);
    if state == promise::PENDING {
        let r = pending(cx, m, out.recent, at)?;
        out.w.reference(r);
        return Ok(());
    }
    if again(cx, out, at)? {
        return Ok(());
    }
    let v = promise::result(m, at);
    match pass::refusal(cx, m, v, "the promise's value")? {
        Some(why) => {
            out.w.settled(true);
            out.w.error();
            out.w.string("TypeError");
            out.w.string(&why);
        }
        None => {
            harden::harden(cx, m, v)?;
            out.w.settled(state == promise::REJECTED);
            todo.push(v);
        }
    }
    Ok(())
}

/// The name of a pending promise that is resolved to no other.
pub fn pending(cx: &mut Cx, m: Mem, recent: &mut Vec<Ref>, p: Value) -> Res<Ref> {
    let h = promise::handler(m, p);
    if is_cell(h) {
        return named(cx, m, recent, p, h);
    }
    if let Some(n) = number_of(cx, m, p)? {
        return Ok(Ref::Promise(PromiseId { vat: this_vat(m), n }));
    }
    // decided here: from now on somebody elsewhere waits on it
    let n = send::next_number(cx, m, R_NEXT_PROMISE);
    set_number(cx, m, p, n)?;
    let answer = promise::tuple(cx, m, [roots::get(m, R_SELF), n])?;
    promise::add_reaction(cx, m, p, promise::ANSWER, answer, UNDEF, UNDEF)?;
    let r = Ref::Promise(PromiseId { vat: this_vat(m), n: num(n) as u64 });
    let t = known::tuple(cx, m, r)?;
    known::insert(cx, m, t, p)?;
    recent.push(r);
    Ok(r)
}

/// The reference of a promise decided elsewhere; one that this vat named in this turn becomes known now.
pub fn named(cx: &mut Cx, m: Mem, recent: &mut Vec<Ref>, p: Value, h: Value) -> Res<Ref> {
    let f = as_int(m.r64(h as u32, 32));
    if f & send::FRESH == 0 {
        return Ok(known::of_tuple(m, h));
    }
    let r = known::insert_fresh(cx, m, h, p, f & !send::FRESH)?;
    recent.push(r);
    Ok(r)
}

fn number_of(cx: &mut Cx, m: Mem, o: Value) -> Res<Option<u64>> {
    let all = roots::get(m, R_EXPORT_NUMBERS);
    if !is_obj(all) {
        return Ok(None);
    }
    Ok(table::weak_get(cx, m, all, o)?.filter(|n| is_number(*n) && num(*n) >= 0.0).map(|n| num(n) as u64))
}

fn set_number(cx: &mut Cx, m: Mem, o: Value, n: Value) -> Res<()> {
    let mut all = roots::get(m, R_EXPORT_NUMBERS);
    if !is_obj(all) {
        all = builtins::map_set::new(cx, m, WEAKMAP)?;
        roots::set(cx, m, R_EXPORT_NUMBERS, all);
    }
    table::weak_set(cx, m, all, o, n)
}

/// The reference of an object that is passed by reference; one of this vat is exported.
pub fn reference(cx: &mut Cx, m: Mem, o: Value) -> Res<Ref> {
    if let Some(h) = send::presence_handler(m, o)
        && is_cell(h)
    {
        return Ok(known::of_tuple(m, h));
    }
    let powers = roots::get(m, R_POWERS);
    if is_obj(powers) {
        for p in Power::ALL {
            if array::element(m, powers, p as u32) == o {
                return Ok(Ref::Power(p));
            }
        }
    }
    let n = match number_of(cx, m, o)? {
        Some(n) => from_num(n as f64),
        None => {
            let n = send::next_number(cx, m, R_NEXT_EXPORT);
            set_number(cx, m, o, n)?;
            n
        }
    };
    let mut exports = roots::get(m, R_EXPORTS);
    if !is_obj(exports) {
        exports = builtins::map_set::new(cx, m, MAP)?;
        roots::set(cx, m, R_EXPORTS, exports);
    }
    if !table::has(cx, m, exports, n)? {
        table::set(cx, m, exports, n, o)?;
    }
    Ok(Ref::Object(ObjectId { vat: this_vat(m), n: num(n) as u64 }))
}
