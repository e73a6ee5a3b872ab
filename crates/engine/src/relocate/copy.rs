//! The vat's own objects laid anew.
//!
//! In: the old heap, what of it is the vat's own. Out: the same objects in the new heap, every reference translated.
//!
//! In this order: places for all objects, so that each reference can be translated; names of properties, which interning finds or
//! makes; shapes, from the fewest properties to the most, as those they were made from come first; the words; what the vat changed of its base;
//! tables whose order follows offsets.
//!
//! Invariants
//! - objects come in the order of their old places;
//! - an object has as many bytes as it had, its kind and its flags.
use super::changes::{self, Change};
use super::names::Names;
use super::places::Places;
use super::walk::{Own, is_name};
use super::{Unmoved, size_at};
use crate::cx::{Cx, Value};
use crate::kinds::*;
use crate::roots::{self, *};
use crate::{array, interp, shape, string, table};
use cage::Mem;
use cage::layout::{H_FLAGS, H_KIND, H_X, PINNED, Trace};
use cage::value::*;
use std::collections::BTreeMap;

/// Where everything of the old heap is now.
pub(super) struct Lay<'a> {
    pub names: &'a Names,
    om: Mem<'a>,
    objects: Places,
    units: Vec<Option<u32>>,
}

impl Lay<'_> {
    /// A value of the old heap in the new one.
    pub fn value(&self, v: Value) -> Result<Value, Unmoved> {
        if !is_ref(v) {
            return Ok(v);
        }
        let at = v as u32;
        match self.names.place(at).or_else(|| self.objects.get(at)) {
            Some(to) => Ok(v >> 48 << 48 | u64::from(to)),
            None => Err(Unmoved::Damaged("an object has no place")),
        }
    }

    /// The kind of an old object.
    pub fn kind(&self, at: u32) -> u8 {
        self.om.r8(at, H_KIND)
    }
}

/// Lays all anew.
pub(super) fn lay(
    names: &Names,
    (ocx, om): (&mut Cx, Mem),
    (cx, m): (&mut Cx, Mem),
    own: Own,
    plan: &[Change],
) -> Result<(), Unmoved> {
    let Own { mut objects, units, order, parents } = own;
    // strings are hashed under the vat's key from the first
    for n in [R_HASH_KEY, R_HASH_KEY2] {
        roots::set(cx, m, n, roots::get(om, n));
    }
    let members = objects.members();
    objects.close();
    let mut lay = Lay { names, om, objects, units };
    let (mut shapes, mut tables) = (Vec::new(), Vec::new());
    for at in &members {
        match om.r8(*at, H_KIND) {
            SHAPE => shapes.push((shape::count(om, *at), *at)),
            _ if is_name(om, *at) => {
                let to = name(ocx, om, cx, m, *at)?;
                lay.objects.set(*at, to);
            }
            kind => {
                let to = place(ocx, om, cx, m, *at)?;
                lay.objects.set(*at, to);
                if matches!(kind, TABLE | ETABLE) {
                    tables.push(to);
                }
            }
        }
    }
    shapes.sort_unstable();
    for (_, at) in shapes {
        let to = shape_of(&lay, (ocx, om), (cx, m), at, &parents)?;
        lay.objects.set(at, to);
    }
    for at in members {
        if om.r8(at, H_KIND) != SHAPE && !is_name(om, at) {
            fill(&lay, (ocx, om), (cx, m), at)?;
        }
    }
    changes::apply(&lay, cx, m, plan)?;
    for t in tables {
        table::relaid(cx, m, t)?;
    }
    list_units(&lay, (ocx, om), (cx, m), &order)
}

/// Room for an object.
fn place(ocx: &Cx, om: Mem, cx: &mut Cx, m: Mem, at: u32) -> Result<u32, Unmoved> {
    let size = size_at(ocx, om, at)?;
    let pinned = om.r8(at, H_FLAGS) & PINNED != 0 && !matches!(om.r8(at, H_KIND), STR8 | STR16 | ROPE);
    let to = if pinned { cx.heap.alloc_pinned(m, size) } else { cx.heap.alloc_old(m, size) };
    let to = to.map_err(|_| Unmoved::Limit("limit: heap bytes"))?;
    // the shape of an object comes later: its size does not follow from it
    m.w64(to, 0, om.r64(at, 0));
    Ok(to)
}

/// The interned string of the same text.
fn name(ocx: &Cx, om: Mem, cx: &mut Cx, m: Mem, at: u32) -> Result<u32, Unmoved> {
    size_at(ocx, om, at)?;
    let n = string::len(om, STR | u64::from(at));
    let units: Vec<u16> = (0..n).map(|i| string::unit(om, STR | u64::from(at), i)).collect();
    let s = string::from_units(cx, m, &units)?;
    Ok(string::intern(cx, m, s)? as u32)
}

/// The words of an object.
fn fill(lay: &Lay, (ocx, om): (&Cx, Mem), (cx, m): (&mut Cx, Mem), at: u32) -> Result<(), Unmoved> {
    let (size, to) = (size_at(ocx, om, at)?, lay.value(CELL | u64::from(at))? as u32);
    let h = om.r64(at, 0);
    cx.heap.dirty(m, to, size);
    let from = match KINDS[h as u8 as usize].trace {
        Trace::Raw => size / 8,
        Trace::Shaped(k) => {
            let s = lay.value(CELL | h >> 32)?;
            m.w32(to, H_X, s as u32);
            u32::from(k)
        }
        Trace::Values(k) | Trace::Weak(k) | Trace::Ephemerons(k) => u32::from(k),
    };
    for i in 1..size / 8 {
        let v = om.r64(at + i * 8, 0);
        if i < from {
            // bytes, not values: what stands behind the end of a string may look like a reference
            m.w64(to + i * 8, 0, v);
            continue;
        }
        let v = match h as u8 {
            FN if i == 2 => {
                let unit = lay.units.get(v as u32 as usize).copied().flatten();
                u64::from(unit.ok_or(Unmoved::Damaged("a closure names a code unit that is not there"))?) | v >> 32 << 32
            }
            _ => lay.value(v)?,
        };
        cx.heap.write(m, to + i * 8, v);
    }
    Ok(())
}

/// The shape that lays objects out as the old one: the successor of the one it was made from, or one by itself.
fn shape_of(
    lay: &Lay,
    (ocx, om): (&mut Cx, Mem),
    (cx, m): (&mut Cx, Mem),
    at: u32,
    parents: &BTreeMap<u32, u32>,
) -> Result<u32, Unmoved> {
    let entries = shape::entries(ocx, om, at)?;
    let (proto, meta) = (lay.value(shape::proto(om, at))?, shape::meta(om, at));
    if let (Some(parent), Some((key, _, attrs)), false) = (parents.get(&at), entries.last(), shape::is_dict(om, at))
        && let Ok(parent) = lay.value(CELL | u64::from(*parent))
        && shape::count(m, parent as u32) as usize + 1 == entries.len()
        && let Some(s) = shape::add(cx, m, parent as u32, lay.value(*key)?, *attrs)?
        && shape::meta(m, s) == meta
    {
        return Ok(s);
    }
    let entries = entries.into_iter().map(|(k, slot, attrs)| Ok((lay.value(k)?, slot, attrs)));
    let entries = entries.collect::<Result<Vec<_>, Unmoved>>()?;
    let slots = if shape::is_dict(om, at) { shape::dict_slots(om, at) } else { 0 };
    Ok(shape::like(cx, m, proto, meta, &entries, slots)?)
}

/// The constants of the vat's own units, behind those of the base.
fn list_units(lay: &Lay, (ocx, om): (&Cx, Mem), (cx, m): (&mut Cx, Mem), order: &[usize]) -> Result<(), Unmoved> {
    let old = roots::get(om, R_UNITS);
    for n in order {
        let consts = lay.value(array::element(om, old, *n as u32))?;
        interp::list_unit(cx, m, ocx.units[*n].clone(), consts)?;
    }
    Ok(())
}
