//! Which objects of a heap there are, and which of them must be laid anew.
//!
//! In: the old heap. Out: what its root reaches; of that, in order of places, what is the vat's own.
//!
//! Invariants
//! - what is held weakly counts as held: a relocation is no collection. But for transitions of shapes and interned strings, which
//!   are found again by what they are;
//! - the bytes of all objects met never exceed twice those of the heap: more only a damaged one has, whose objects overlap.
use super::changes::Change;
use super::names::Names;
use super::places::Places;
use super::{Unmoved, size_at};
use crate::cx::{Cx, Value};
use crate::kinds::*;
use crate::object;
use crate::roots::{self, R_INTERN, R_INTERN_BASE, R_KNOWN, R_UNITS};
use crate::shape;
use cage::Mem;
use cage::layout::{H_KIND, H_X, OLD, Trace};
use cage::value::*;
use std::collections::{BTreeMap, BTreeSet};

/// What the root reaches.
pub(super) struct Seen {
    pub objects: Places,
    /// The shape from which a shape was made by one more property.
    parents: BTreeMap<u32, u32>,
}

/// What is laid anew.
pub(super) struct Own {
    pub objects: Places,
    /// New number of each old unit, if it has one.
    pub units: Vec<Option<u32>>,
    /// The old numbers of those that the vat has of its own from now on, in order.
    pub order: Vec<usize>,
    pub parents: BTreeMap<u32, u32>,
}

/// Units of the older base by number: each one's number in the newer base, if that has it; and how many the newer base has.
pub(super) struct BaseUnits {
    pub same: Vec<Option<u32>>,
    /// Numbers of those that cannot be read.
    pub unknown: Vec<usize>,
    pub count: u32,
}

/// Calls `each` with every reference that the object at `at` holds.
fn references(cx: &Cx, m: Mem, at: u32, each: &mut dyn FnMut(Value)) -> Result<(), Unmoved> {
    let size = size_at(cx, m, at)?;
    let word = |i: u32| m.r64(at + i * 8, 0);
    match m.r8(at, H_KIND) {
        ROOTS => {
            let strings = [u32::from(R_INTERN), u32::from(R_INTERN_BASE)];
            (1..size / 8).filter(|i| !strings.contains(i)).for_each(|i| each(word(i)));
        }
        SHAPE => {
            each(word(1));
            for k in shape::keys(cx, m, at).ok_or(Unmoved::Damaged("a shape has no keys"))? {
                each(k);
            }
        }
        DESCS | DICT => {}
        WEAKS if at != roots::get(m, R_KNOWN) as u32 => {}
        kind => {
            let from = match KINDS[kind as usize].trace {
                Trace::Raw => return Ok(()),
                Trace::Values(k) | Trace::Weak(k) | Trace::Ephemerons(k) => k,
                Trace::Shaped(k) => {
                    each(CELL | u64::from(m.r32(at, H_X)));
                    k
                }
            };
            (u32::from(from)..size / 8).for_each(|i| each(word(i)));
        }
    }
    Ok(())
}

/// Objects to be looked at.
struct Work<'a> {
    set: &'a mut Places,
    todo: Vec<u32>,
    /// Bytes that may still be met.
    left: u64,
}

impl<'a> Work<'a> {
    fn new(cx: &Cx, set: &'a mut Places) -> Work<'a> {
        Work { set, todo: Vec::new(), left: cx.heap.live_bytes() * 2 }
    }

    fn meet(&mut self, v: Value) -> Result<(), Unmoved> {
        if !is_ref(v) {
            return Ok(());
        }
        if !self.set.fits(v as u32) {
            return Err(Unmoved::Damaged("a reference leaves the heap"));
        }
        if self.set.enter(v as u32) {
            self.todo.push(v as u32);
        }
        Ok(())
    }

    fn next(&mut self, cx: &Cx, m: Mem) -> Result<Option<u32>, Unmoved> {
        let Some(at) = self.todo.pop() else { return Ok(None) };
        let size = size_at(cx, m, at)?;
        self.left = self.left.checked_sub(u64::from(size)).ok_or(Unmoved::Damaged("objects overlap"))?;
        Ok(Some(at))
    }
}

/// All that the root reaches.
pub(super) fn reachable(cx: &Cx, m: Mem) -> Result<Seen, Unmoved> {
    let mut objects = Places::new(cx.heap.stats().regions);
    let mut work = Work::new(cx, &mut objects);
    let mut shapes = Vec::new();
    work.meet(OBJ | u64::from(OLD))?;
    while let Some(at) = work.next(cx, m)? {
        if m.r8(at, H_KIND) == SHAPE {
            shapes.push(at);
        }
        let mut met = Ok(());
        references(cx, m, at, &mut |v| {
            if met.is_ok() {
                met = work.meet(v);
            }
        })?;
        met?;
    }
    let parents = ancestry(cx, m, shapes)?;
    Ok(Seen { objects, parents })
}

/// From which shape each shape was made, those included that only transitions name.
fn ancestry(cx: &Cx, m: Mem, mut todo: Vec<u32>) -> Result<BTreeMap<u32, u32>, Unmoved> {
    let mut parents = BTreeMap::new();
    let mut left = cx.heap.live_bytes() / 8;
    while let Some(s) = todo.pop() {
        for next in shape::successors(m, s) {
            left = left.checked_sub(1).ok_or(Unmoved::Damaged("shapes have too many transitions"))?;
            let sound = size_at(cx, m, next).is_ok() && m.r8(next, H_KIND) == SHAPE;
            let follows = shape::count(m, next) == shape::count(m, s) + 1 && shape::proto(m, next) == shape::proto(m, s);
            if sound && follows && next >= OLD && parents.insert(next, s).is_none() {
                todo.push(next);
            }
        }
    }
    Ok(parents)
}

/// What of it is the vat's own, and what of the older base it changed: all that `plan` and own objects refer to and no name is for.
pub(super) fn own(names: &Names, cx: &Cx, m: Mem, seen: &Seen, plan: &[Change], base: &BaseUnits) -> Result<Own, Unmoved> {
    let mut objects = Places::new(cx.heap.stats().regions);
    let mut work = Work::new(cx, &mut objects);
    let mut carried = BTreeSet::new();
    let meet = |work: &mut Work, v: Value| {
        if !is_ref(v) || names.place(v as u32).is_some() {
            return Ok(());
        }
        if names.is_base(v as u32) && (is_obj(v) || is_sym(v)) {
            return Err(Unmoved::Gone(names.name(v as u32)));
        }
        work.meet(v)
    };
    for change in plan {
        for v in change.values() {
            meet(&mut work, v)?;
        }
    }
    let lists = |n: usize| crate::array::element(m, roots::get(m, R_UNITS), n as u32);
    let count = cx.units.len();
    for n in base.same.len()..count {
        meet(&mut work, lists(n))?;
    }
    loop {
        while let Some(at) = work.next(cx, m)? {
            if m.r8(at, H_KIND) == SHAPE
                && let Some(parent) = seen.parents.get(&at)
            {
                meet(&mut work, CELL | u64::from(*parent))?;
            }
            if m.r8(at, H_KIND) == FN {
                let unit = m.r32(at, 16) as usize;
                if unit >= count {
                    return Err(Unmoved::Damaged("a closure names a code unit that is not there"));
                }
                if base.unknown.contains(&unit) {
                    return Err(Unmoved::Gone("shipped code with opcodes".to_owned()));
                }
                if base.same.get(unit) == Some(&None) {
                    carried.insert(unit);
                }
            }
            let mut met = Ok(());
            references(cx, m, at, &mut |v| {
                if met.is_ok() {
                    met = meet(&mut work, v);
                }
            })?;
            met?;
        }
        let before = work.todo.len();
        for unit in &carried {
            meet(&mut work, lists(*unit))?;
        }
        if work.todo.len() == before {
            break;
        }
    }
    let order: Vec<usize> = (base.same.len()..count).chain(carried).collect();
    let mut units = base.same.clone();
    units.resize(count, None);
    for (i, n) in order.iter().enumerate() {
        units[*n] = Some(base.count + i as u32);
    }
    Ok(Own { objects, units, order, parents: seen.parents.clone() })
}

/// A string that interning must find.
pub(super) fn is_name(m: Mem, at: u32) -> bool {
    matches!(m.r8(at, H_KIND), STR8 | STR16) && object::flags(m, u64::from(at)) & INTERNED != 0
}
