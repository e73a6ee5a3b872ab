//! Code units in a vat: numbers, constants, caches.
//!
//! Invariants
//! - a unit's constants are materialised when it is added, so that what a run allocates does not depend on warm caches;
//! - the UNITS table and constant slots are volatile: zero means "look it up" (the table is refilled by `restore`).
use super::calls::call_rooted;
use crate::array;
use crate::code::{CodeUnit, Const};
use crate::cx::{Abort, Cx, Res, Value};
use crate::engine::LoadedUnit;
use crate::kinds::{ELEMS, FN, INDEX_LIKE};
use crate::roots::{self, *};
use crate::{bigint, harden, object, realm, string};
use cage::Mem;
use cage::layout::{LOOKUP, LOOKUP_END, OLD, SEARCHES, UNITS, UNITS_END, header};
use cage::value::*;
use std::sync::Arc;

/// Units of one vat.
pub const MAX_UNITS: usize = ((UNITS_END - UNITS) / 16) as usize;

/// Makes a linked unit known to this vat; gives its number.
pub fn add_unit(cx: &mut Cx, m: Mem, unit: Arc<LoadedUnit>) -> Res<u32> {
    if let Some(n) = cx.units.iter().position(|u| Arc::ptr_eq(u, &unit)) {
        return Ok(n as u32);
    }
    let n = cx.units.len();
    if n >= MAX_UNITS {
        return Err(cx.range_error(m, "limit: code units of a vat"));
    }
    let count = unit.unit.consts.len() as u32;
    let e = object::new_elems(cx, m, count, false, HOLE)?;
    for (i, c) in unit.unit.consts.iter().enumerate() {
        cx.charge(match c {
            Const::String(_) | Const::BigInt(_) => 1,
            Const::Shape(keys) => 1 + keys.len() as u64,
            Const::Template { raw, .. } => 4 + 2 * raw.len() as u64,
        })?;
        let v = materialize(cx, m, c, e)?;
        cx.heap.write(m, e.wrapping_add(8 + i as u32 * 8), v);
    }
    // last: a constant that cannot be made (a BigInt beyond its limit) leaves list and table alike
    list_unit(cx, m, unit, CELL | e as u64)?;
    Ok(n as u32)
}

/// Gives the next number to a unit whose constants are made.
pub(crate) fn list_unit(cx: &mut Cx, m: Mem, unit: Arc<LoadedUnit>, consts: Value) -> Res<()> {
    let n = cx.units.len();
    if n >= MAX_UNITS {
        return Err(cx.stop(Abort::Heap));
    }
    let mut list = roots::get(m, R_UNITS);
    if !is_obj(list) {
        list = array::from_slice(cx, m, &[])?;
        roots::set(cx, m, R_UNITS, list);
    }
    array::push(cx, m, list, consts)?;
    cx.units.push(unit);
    restore(cx, m, n);
    Ok(())
}

fn materialize(cx: &mut Cx, m: Mem, c: &Const, consts: u32) -> Res {
    let text = |cx: &mut Cx, u: &[u16]| string::from_units(cx, m, u);
    match c {
        Const::String(u) => {
            let s = text(cx, u)?;
            string::intern(cx, m, s)
        }
        Const::BigInt(digits) => bigint::from_digits(cx, m, digits),
        Const::Shape(keys) => {
            let keys: Vec<Value> = keys.iter().map(|k| m.r64(consts.wrapping_add(8 + k * 8), 0)).collect();
            Ok(CELL | realm::literal_shape(cx, m, &keys)? as u64)
        }
        Const::Template { cooked, raw } => {
            let mut items = Vec::new();
            for u in cooked {
                items.push(match u {
                    Some(u) => text(cx, u)?,
                    None => UNDEF,
                });
            }
            let t = array::from_slice(cx, m, &items)?;
            let raws = raw.iter().map(|u| text(cx, u)).collect::<Res<Vec<_>>>()?;
            let r = array::from_slice(cx, m, &raws)?;
            object::freeze(cx, m, r);
            let key = roots::get(m, R_STR_RAW);
            object::add_property(cx, m, t, key, 0, r)?;
            object::freeze(cx, m, t);
            harden::mark(cx, m, t);
            Ok(t)
        }
    }
}

/// Writes the volatile entry of unit `n`.
pub fn restore(cx: &mut Cx, m: Mem, n: usize) {
    let u = &cx.units[n];
    let at = UNITS + n as u32 * 16;
    m.w32(at, 0, u.base);
    m.w32(at, 4, u.slots);
}

/// The constants of unit `n` in the heap.
fn consts_of(m: Mem, n: u32) -> u32 {
    let list = roots::get(m, R_UNITS);
    if !is_obj(list) {
        return 0;
    }
    let e = array::element(m, list, n);
    if is_cell(e) && object::kind(m, e) == ELEMS { e as u32 } else { 0 }
}

/// An interned string that is a property key as it stands (no array index).
#[inline]
pub(super) fn is_plain_key(m: Mem, s: Value) -> bool {
    string::is_interned(m, s) && object::flags(m, s) & INDEX_LIKE == 0
}

/// Constant `i` of the unit that the frame's function belongs to; warms its slot.
pub(super) fn constant(cx: &mut Cx, m: Mem, closure: Value, i: u32) -> Res {
    let n = m.r64(closure as u32, 16) as u32;
    let slots = m.r32(UNITS + (n & 0x3FFF) * 16, 4);
    let slot = slots.wrapping_add(i.wrapping_mul(8));
    let v = m.r64(slot, 0);
    if v != 0 {
        return Ok(v);
    }
    let e = consts_of(m, n);
    if e == 0 || i >= m.r32(e, cage::layout::H_X) {
        return Err(cx.stop(Abort::Corrupt));
    }
    let v = m.r64(e.wrapping_add(8 + i * 8), 0);
    // a young constant still moves: it is noted once it is old
    if !is_ref(v) || v as u32 >= OLD {
        m.w64(slot, 0, v);
    }
    Ok(v)
}

/// Empties all caches of this vat if objects have moved or died since they were filled.
pub fn forget_caches(cx: &mut Cx, m: Mem) {
    let epoch = cx.heap.moved();
    if epoch != cx.cache_epoch {
        cx.cache_epoch = epoch;
        drop_caches(cx, m);
    }
}

/// Empties all caches of this vat (after a rollback, a load, a collection).
pub fn drop_caches(cx: &mut Cx, m: Mem) {
    m.discard(LOOKUP, LOOKUP_END - LOOKUP);
    if m.r32(SEARCHES, 0) != 0 {
        m.w32(SEARCHES, 0, 0);
    }
    for u in &cx.units {
        m.zero(u.volatile.0, u.volatile.1 - u.volatile.0);
    }
}

/// The program of a unit as a closure; `captures` follow the global object.
pub fn program_closure(cx: &mut Cx, m: Mem, unit: u32, global: Value, captures: &[Value]) -> Res {
    let at = cx.units[unit as usize].unit.functions[0].at;
    let n = 1 + captures.len() as u32;
    let f = cx.alloc(m, 24 + n * 8)?;
    m.w64(f, 0, header(FN, 0, (2 + n) as u16, roots::get(m, R_SHAPE_ARROW) as u32));
    m.w64(f, 8, UNDEF);
    m.w64(f, 16, unit as u64 | (at as u64) << 32);
    m.w64(f, 24, global);
    for (i, c) in captures.iter().enumerate() {
        m.w64(f.wrapping_add(32 + i as u32 * 8), 0, *c);
    }
    Ok(OBJ | f as u64)
}

/// Loads a script and runs it; its completion value.
pub fn run_unit(cx: &mut Cx, m: Mem, unit: CodeUnit, global: Value) -> Res {
    let Some(loaded) = cx.engine.load(unit) else { return Err(cx.range_error(m, "limit: code of the process")) };
    // the global object may move while constants are made: it is kept on the stack by the call only afterwards
    let n = add_unit(cx, m, loaded)?;
    let f = program_closure(cx, m, n, global, &[])?;
    call_rooted(cx, m, f, global, &[], &mut [])
}
