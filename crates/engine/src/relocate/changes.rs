//! What a vat changed of the objects of its base.
//!
//! In: the vat's heap, the base as it was. Out: the changes, by meaning, in the old heap's terms; applied to the base of this build.
//!
//! Invariants
//! - an object of the base of which no byte differs is not looked at further;
//! - a property counts as changed if its attributes or its value do, whatever shape the object has; the order of those that
//!   were added is kept.
use super::copy::Lay;
use super::names::{self, Names};
use super::walk::Seen;
use super::{Unmoved, size_at};
use crate::cx::{Cx, Res, Value};
use crate::kinds::*;
use crate::object;
use crate::roots::{self, *};
use crate::shape;
use cage::Mem;
use cage::layout::{H_FLAGS, H_KIND, H_X, Trace};
use cage::value::*;
use std::collections::BTreeMap;

/// One change; objects and values are the old heap's.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Root(u16, Value),
    /// The object has these flags besides.
    Flags(u32, u8),
    /// A property was added, or is another.
    Property(u32, Value, u8, Value),
    Deleted(u32, Value),
    /// A word that is no property.
    Word(u32, u32, Value),
}

impl Change {
    /// What it refers to, besides the base object.
    pub fn values(&self) -> [Value; 2] {
        match *self {
            Change::Root(_, v) | Change::Word(_, _, v) => [v, UNDEF],
            Change::Property(_, k, _, v) => [k, v],
            Change::Deleted(_, k) => [k, UNDEF],
            Change::Flags(..) => [UNDEF; 2],
        }
    }
}

/// Roots that are not carried over as they are: tables of strings are made anew, numbers of units differ.
const MADE_ANEW: [u16; 4] = [R_INTERN, R_INTERN_USED, R_INTERN_BASE, R_UNITS];

/// All changes, in an order that the base's names give.
pub(super) fn find(names: &Names, old: (&mut Cx, Mem), wm: Mem, seen: &Seen) -> Result<Vec<Change>, Unmoved> {
    let (cx, m) = old;
    let mut plan = Vec::new();
    let units = roots::get(wm, R_UNITS);
    for (at, _) in names.pairs() {
        if !seen.objects.has(at) || at == units as u32 {
            continue;
        }
        match m.r8(at, H_KIND) {
            kind if kind != wm.r8(at, H_KIND) => return Err(Unmoved::Damaged("an object of the base is of another kind")),
            ROOTS => {
                let numbers = (1..=COUNT as u16).filter(|n| !MADE_ANEW.contains(n));
                let differ = numbers.filter(|n| roots::get(m, *n) != roots::get(wm, *n));
                plan.extend(differ.map(|n| Change::Root(n, roots::get(m, n))));
            }
            SYMBOL | SHAPE => {}
            BOX | ENV | TUPLE => words(m, wm, at, (1, size_at(cx, m, at)? / 8), &mut plan),
            _ if differs(cx, m, wm, at)? => object(cx, m, wm, at, &mut plan)?,
            _ => {}
        }
    }
    Ok(plan)
}

fn words(m: Mem, wm: Mem, at: u32, (from, end): (u32, u32), plan: &mut Vec<Change>) {
    let word = |m: Mem, i: u32| m.r64(at + i * 8, 0);
    let differ = (from..end).filter(|i| word(m, *i) != word(wm, *i));
    plan.extend(differ.map(|i| Change::Word(at, i, word(m, i))));
}

/// Does any byte of the object or of its parts differ?
fn differs(cx: &Cx, m: Mem, wm: Mem, at: u32) -> Result<bool, Unmoved> {
    if bytes_differ(cx, m, wm, at)? {
        return Ok(true);
    }
    let s = m.r32(at, H_X);
    if shape::is_dict(m, s) && (bytes_differ(cx, m, wm, s)? || part_differs(cx, m, wm, m.r64(s, 16))?) {
        return Ok(true);
    }
    let (first, end) = (if m.r8(at, H_KIND) == FN { 3 } else { 1 }, size_at(cx, m, at)? / 8);
    for i in (1..end).filter(|i| *i == 1 || *i >= first) {
        if part_differs(cx, m, wm, m.r64(at + i * 8, 0))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A part is a cell that belongs to one object: elements, overflow slots, an accessor, a table.
fn part_differs(cx: &Cx, m: Mem, wm: Mem, v: Value) -> Result<bool, Unmoved> {
    if !is_cell(v) || !matches!(m.r8(v as u32, H_KIND), ELEMS | ACCESSOR | DICT | TABLE | ETABLE) {
        return Ok(false);
    }
    if bytes_differ(cx, m, wm, v as u32)? {
        return Ok(true);
    }
    if m.r8(v as u32, H_KIND) != ELEMS {
        return Ok(false);
    }
    // overflow slots may hold accessors, elements may have overflow slots behind them
    for i in 1..size_at(cx, m, v as u32)? / 8 {
        let w = m.r64(v as u32 + i * 8, 0);
        if is_cell(w) && matches!(m.r8(w as u32, H_KIND), ACCESSOR | ELEMS) && bytes_differ(cx, m, wm, w as u32)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn bytes_differ(cx: &Cx, m: Mem, wm: Mem, at: u32) -> Result<bool, Unmoved> {
    let size = size_at(cx, m, at)?;
    Ok((0..size / 8).any(|i| m.r64(at + i * 8, 0) != wm.r64(at + i * 8, 0)))
}

/// The changes of one object, of which some byte differs.
fn object(cx: &mut Cx, m: Mem, wm: Mem, at: u32, plan: &mut Vec<Change>) -> Result<(), Unmoved> {
    let more = m.r8(at, H_FLAGS) & !wm.r8(at, H_FLAGS) & !DICT_MODE;
    if more != 0 {
        plan.push(Change::Flags(at, more));
    }
    let now = names::properties(cx, m, at)?;
    let was: BTreeMap<Value, (u8, Value)> =
        names::properties(cx, wm, at)?.into_iter().map(|(k, attrs, v)| (k, (attrs, v))).collect();
    for (k, attrs, v) in &now {
        let same = was.get(k).is_some_and(|w| *w == (*attrs, *v)) && !part_differs(cx, m, wm, *v)?;
        if !same {
            plan.push(Change::Property(at, *k, *attrs, *v));
        }
    }
    let left: std::collections::BTreeSet<Value> = now.iter().map(|p| p.0).collect();
    plan.extend(was.keys().filter(|k| !left.contains(k)).map(|k| Change::Deleted(at, *k)));
    if m.r8(at, H_KIND) == ARR {
        return elements(cx, m, wm, at, plan);
    }
    let (from, end) = names::own_words(m, at);
    for i in from..end {
        let v = m.r64(at + i * 8, 0);
        if v != wm.r64(at + i * 8, 0) || part_differs(cx, m, wm, v)? {
            plan.push(Change::Word(at, i, v));
        }
    }
    Ok(())
}

/// An array's elements, all of them if one differs, and its length.
fn elements(cx: &Cx, m: Mem, wm: Mem, at: u32, plan: &mut Vec<Change>) -> Result<(), Unmoved> {
    let a = OBJ | u64::from(at);
    let n = crate::array::dense_len(m, a);
    size_at(cx, m, crate::array::elems(m, a))?;
    let same = n == crate::array::dense_len(wm, a)
        && m.r64(at, 16) == wm.r64(at, 16)
        && (0..n).all(|i| crate::array::element(m, a, i) == crate::array::element(wm, a, i));
    if !same {
        plan.push(Change::Word(at, 1, m.r64(at, 8)));
        plan.push(Change::Word(at, 2, m.r64(at, 16)));
    }
    Ok(())
}

/// Makes the changes in the new heap.
pub(super) fn apply(lay: &Lay, cx: &mut Cx, m: Mem, plan: &[Change]) -> Result<(), Unmoved> {
    for change in plan {
        match *change {
            Change::Root(n, v) => root(cx, m, n, lay.value(v)?),
            Change::Flags(at, flags) => object::add_flags(cx, m, lay.value(OBJ | u64::from(at))?, flags),
            Change::Property(at, k, attrs, v) => {
                let (o, k, v) = (lay.value(OBJ | u64::from(at))?, lay.value(k)?, lay.value(v)?);
                property(cx, m, o, k, attrs, v)?;
            }
            Change::Deleted(at, k) => {
                let (o, k) = (lay.value(OBJ | u64::from(at))?, lay.value(k)?);
                object::remove(cx, m, o, k)?;
            }
            Change::Word(at, i, v) => {
                let (to, v) = (lay.value(CELL | u64::from(at))? as u32, lay.value(v)?);
                let alike = lay.kind(at) == m.r8(to, H_KIND);
                if !alike || i >= size_at(cx, m, to)? / 8 {
                    return Err(Unmoved::Differs(lay.names.name(at)));
                }
                cx.heap.write(m, to + i * 8, v);
            }
        }
    }
    Ok(())
}

fn root(cx: &mut Cx, m: Mem, n: u16, v: Value) {
    // counters of both go on from the higher one
    let v = if n == R_NEXT_HASH { int(as_int(v).max(as_int(roots::get(m, n)))) } else { v };
    roots::set(cx, m, n, v);
}

/// Defines a property whatever the flags say. `v` is the word as it stands: of an accessor its cell.
fn property(cx: &mut Cx, m: Mem, o: Value, k: Value, attrs: u8, v: Value) -> Res<()> {
    let s = shape::of(m, o);
    match shape::find(m, s, k) {
        Some((i, a)) if a == attrs => {
            let at = object::slot_addr(m, o, s, i);
            cx.heap.write(m, at, v);
            Ok(())
        }
        Some(_) => object::reconfigure(cx, m, o, k, attrs, v),
        None => object::add_property(cx, m, o, k, attrs, v),
    }
}

const _: () = assert!(matches!(KINDS[ROOTS as usize].trace, Trace::Values(1)));
