//! Data that came over the vat's edge as values of the heap.
//!
//! In: `passable` bytes. Out: hardened values; presences and promises for the references in them.
//!
//! Invariants
//! - whatever the bytes: values, or an aborted turn;
//! - explicit stack; the meter is charged by what is made.
use crate::{known, powers};
use engine::cage::value::*;
use engine::cx::{Abort, Cx, ErrorKind, Res, Value};
use engine::roots::{self, *};
use engine::{array, bigint, builtins, cage::Mem, harden, object, promise, send, string, table};
use passable::{Bad, Item, PromiseId, Reader, Ref, Text, VatId};

/// Reads values of one `Data`.
pub struct In<'a> {
    pub r: Reader<'a>,
    slots: &'a [Ref],
    /// Arrays, records and settled promises in the order they were begun.
    begun: Vec<Value>,
}

/// A container that is being filled; it is in its parent already.
enum Frame {
    Array {
        a: Value,
        left: usize,
    },
    Record {
        o: Value,
        left: usize,
    },
    /// One value settles it.
    Promise {
        p: Value,
        rejected: bool,
        left: usize,
    },
}

impl Frame {
    fn object(&self) -> Value {
        match self {
            Frame::Array { a: o, .. } | Frame::Record { o, .. } | Frame::Promise { p: o, .. } => *o,
        }
    }
    fn left(&mut self) -> &mut usize {
        match self {
            Frame::Array { left, .. } | Frame::Record { left, .. } | Frame::Promise { left, .. } => left,
        }
    }
}

impl<'a> In<'a> {
    pub fn new(data: &'a passable::Data) -> In<'a> {
        In { r: Reader::new(&data.body), slots: &data.slots, begun: Vec::new() }
    }
}

/// Malformed bytes are a fault of the heap they came from.
pub fn ok<T>(cx: &mut Cx, r: Result<T, Bad>) -> Res<T> {
    r.map_err(|Bad| cx.stop(Abort::Corrupt))
}

pub fn text(cx: &mut Cx, m: Mem, t: Text<'_>) -> Res {
    match t {
        Text::Latin1(b) => string::from_latin1(cx, m, b),
        Text::Utf16(_) => string::from_units(cx, m, &t.units()),
    }
}

/// Reads one value.
pub fn value(cx: &mut Cx, m: Mem, d: &mut In<'_>, recent: &mut Vec<Ref>) -> Res {
    cx.charge(2)?;
    let item = d.r.item();
    let item = ok(cx, item)?;
    match begin(cx, m, item)? {
        None => atom(cx, m, d, item, recent),
        Some(f) => container(cx, m, d, f, recent),
    }
}

/// Reads what is in a container that was begun.
fn container(cx: &mut Cx, m: Mem, d: &mut In<'_>, outer: Frame, recent: &mut Vec<Ref>) -> Res {
    let whole = outer.object();
    d.begun.push(whole);
    let mut stack = vec![outer];
    loop {
        while let Some(f) = stack.pop_if(|f| *f.left() == 0) {
            // all that is in it is hardened
            harden::mark(cx, m, f.object());
        }
        if stack.is_empty() {
            return Ok(whole);
        }
        cx.charge(2)?;
        let key = match stack.last() {
            Some(Frame::Record { .. }) => {
                let t = d.r.text();
                let t = ok(cx, t)?;
                let s = text(cx, m, t)?;
                object::to_key(cx, m, s)?
            }
            _ => UNDEF,
        };
        let item = d.r.item();
        let item = ok(cx, item)?;
        let (v, begun) = match begin(cx, m, item)? {
            Some(f) => (f.object(), Some(f)),
            None => (atom(cx, m, d, item, recent)?, None),
        };
        if let Some(f) = stack.last_mut() {
            *f.left() -= 1;
            put(cx, m, f, key, v)?;
        }
        if let Some(f) = begun {
            d.begun.push(v);
            stack.push(f);
        }
    }
}

/// Reads a message's key.
pub fn key(cx: &mut Cx, m: Mem, d: &mut In<'_>, recent: &mut Vec<Ref>) -> Res {
    let from = d.r.clone();
    if let Ok(Item::String(Text::Latin1(b))) = d.r.item()
        && let Some(k) = string::interned_name(cx, m, b)?
    {
        return Ok(k);
    }
    d.r = from;
    let k = value(cx, m, d, recent)?;
    object::to_key(cx, m, k)
}

/// Puts a value into a container.
fn put(cx: &mut Cx, m: Mem, f: &Frame, key: Value, v: Value) -> Res<()> {
    match *f {
        Frame::Array { a, .. } => array::push(cx, m, a, v),
        Frame::Record { o, .. } => object::create_data_or_throw(cx, m, o, key, v),
        Frame::Promise { p, rejected: true, .. } => promise::reject(cx, m, p, v),
        Frame::Promise { p, .. } => promise::fulfill(cx, m, p, v),
    }
}

/// The container that an item begins.
fn begin(cx: &mut Cx, m: Mem, item: Item<'_>) -> Res<Option<Frame>> {
    Ok(Some(match item {
        Item::Array(left) => Frame::Array { a: array::from_slice(cx, m, &[])?, left },
        Item::Record(left) => Frame::Record { o: object::new(cx, m)?, left },
        Item::Settled { rejected } => {
            let p = promise::new_promise(cx, m)?;
            promise::mark_handled(cx, m, p);
            Frame::Promise { p, rejected, left: 1 }
        }
        _ => return Ok(None),
    }))
}

fn atom(cx: &mut Cx, m: Mem, d: &mut In<'_>, item: Item<'_>, recent: &mut Vec<Ref>) -> Res {
    Ok(match item {
        Item::Undefined => UNDEF,
        Item::Null => NULL,
        Item::Boolean(b) => bool(b),
        Item::Integer(i) => int(i),
        Item::Number(n) => from_num(n),
        Item::String(t) => text(cx, m, t)?,
        Item::BigInt { negative, limbs } => {
            let limbs: Vec<u64> = limbs.as_chunks::<8>().0.iter().map(|l| u64::from_le_bytes(*l)).collect();
            bigint::from_limbs(cx, m, negative, &limbs)?
        }
        Item::Registered(t) => {
            let s = text(cx, m, t)?;
            builtins::symbol::registered(cx, m, s)?
        }
        Item::WellKnown(t) => well_known(cx, m, t)?,
        Item::Error { name, message } => error(cx, m, name, message)?,
        Item::Slot(i) => {
            let r = d.slots.get(i).copied().ok_or(Bad);
            let r = ok(cx, r)?;
            reference(cx, m, r, recent)?
        }
        Item::Again(i) => {
            let v = d.begun.get(i).copied().ok_or(Bad);
            ok(cx, v)?
        }
        Item::Array(_) | Item::Record(_) | Item::Settled { .. } => return Err(cx.stop(Abort::Corrupt)),
    })
}

fn well_known(cx: &mut Cx, m: Mem, t: Text<'_>) -> Res {
    let name = format!("Symbol.{}", t.to_rust());
    for root in R_SYM_ITERATOR..=R_SYM_SPLIT {
        let s = roots::get(m, root);
        if is_sym(s) {
            let d = builtins::symbol::description(m, s);
            if string::to_rust(cx, m, d)? == name {
                return Ok(s);
            }
        }
    }
    Err(cx.stop(Abort::Corrupt))
}

fn error(cx: &mut Cx, m: Mem, name: Text<'_>, message: Text<'_>) -> Res {
    let name_text = name.to_rust();
    let kind = ErrorKind::ALL.into_iter().find(|k| k.name() == name_text && *k != ErrorKind::Aggregate);
    let e = builtins::error::make(cx, m, kind.unwrap_or(ErrorKind::Error), "")?;
    let s = text(cx, m, message)?;
    let key = roots::get(m, R_STR_MESSAGE);
    object::put(cx, m, e, key, s)?;
    if kind.is_none() {
        let s = text(cx, m, name)?;
        let key = roots::get(m, R_STR_NAME);
        object::create_data_or_throw(cx, m, e, key, s)?;
    }
    harden::harden(cx, m, e)
}

/// What stands for a reference in this vat.
pub fn reference(cx: &mut Cx, m: Mem, r: Ref, recent: &mut Vec<Ref>) -> Res {
    let this = VatId(num(roots::get(m, R_SELF)) as u32);
    match r {
        Ref::Power(p) => powers::object(cx, m, p),
        Ref::Object(o) if o.vat == this => {
            let exports = roots::get(m, R_EXPORTS);
            let v = if is_obj(exports) { table::get(cx, m, exports, from_num(o.n as f64))? } else { None };
            v.ok_or_else(|| cx.stop(Abort::Corrupt))
        }
        Ref::Object(_) => {
            if let Some((v, _)) = known::get(cx, m, r)? {
                return Ok(v);
            }
            let t = match known::recognised(cx, m, r)? {
                Some(t) => t,
                None => known::tuple(cx, m, r)?,
            };
            let v = send::presence(cx, m, t)?;
            known::insert(cx, m, t, v)?;
            recent.push(r);
            Ok(v)
        }
        Ref::Promise(p) => remote_promise(cx, m, p, recent),
    }
}

fn remote_promise(cx: &mut Cx, m: Mem, p: PromiseId, recent: &mut Vec<Ref>) -> Res {
    let r = Ref::Promise(p);
    if let Some((v, _)) = known::get(cx, m, r)? {
        return Ok(v);
    }
    let t = known::tuple(cx, m, r)?;
    let v = promise::new_promise(cx, m)?;
    harden::mark(cx, m, v);
    promise::set_handler(cx, m, v, t);
    known::insert(cx, m, t, v)?;
    recent.push(r);
    Ok(v)
}
