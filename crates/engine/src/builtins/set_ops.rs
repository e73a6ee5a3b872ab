//! Set.prototype.union and its kin: ECMA-262 24.2.4, 24.2.1.2.
//!
//! Reentrant: the other operand is whatever has `size`, `has` and `keys`. After each call of program code a set is
//! looked at anew through its cursor.
use super::iterate::{self, Iteration};
use super::map_set::{new, this_of};
use super::{Native, f};
use crate::convert;
use crate::cx::{Args, Cx, Res, Value};
use crate::kinds::SET;
use crate::realm::Realm;
use crate::roots::{self, R_SET_PROTO};
use crate::{interp, object, table};
use cage::Mem;
use cage::value::*;

pub const TABLE: &[Native] = &[
    f(0x2E0, "union", 1, union),
    f(0x2E1, "intersection", 1, intersection),
    f(0x2E2, "difference", 1, difference),
    f(0x2E3, "symmetricDifference", 1, symmetric_difference),
    f(0x2E4, "isSubsetOf", 1, is_subset_of),
    f(0x2E5, "isSupersetOf", 1, is_superset_of),
    f(0x2E6, "isDisjointFrom", 1, is_disjoint_from),
];

/// A Set Record.
struct Other {
    set: Value,
    size: f64,
    has: Value,
    keys: Value,
}

impl Other {
    /// GetSetRecord
    fn of(cx: &mut Cx, m: Mem, v: Value) -> Res<Other> {
        if !is_obj(v) {
            return Err(cx.type_error(m, "the other operand is not an object with size, has and keys"));
        }
        let raw = object::get_str(cx, m, v, "size")?;
        let n = convert::to_number(cx, m, raw)?;
        if n.is_nan() {
            return Err(cx.type_error(m, "size of the other operand is not a number"));
        }
        let size = n.trunc() + 0.0;
        if size < 0.0 {
            return Err(cx.range_error(m, "size of the other operand is negative"));
        }
        let has = object::get_str(cx, m, v, "has")?;
        if !object::is_callable(m, has) {
            return Err(cx.type_error(m, "has of the other operand is not a function"));
        }
        let keys = object::get_str(cx, m, v, "keys")?;
        if !object::is_callable(m, keys) {
            return Err(cx.type_error(m, "keys of the other operand is not a function"));
        }
        Ok(Other { set: v, size, has, keys })
    }
    fn has(&self, cx: &mut Cx, m: Mem, v: Value) -> Res<bool> {
        let r = interp::call(cx, m, self.has, self.set, &[v])?;
        Ok(convert::truthy(m, r))
    }
    fn keys(&self, cx: &mut Cx, m: Mem) -> Res<Iteration> {
        let it = interp::call(cx, m, self.keys, self.set, &[])?;
        if !is_obj(it) {
            return Err(cx.type_error(m, "keys of the other operand gave no iterator"));
        }
        iterate::direct(cx, m, it)
    }
}

fn operands(cx: &mut Cx, m: Mem, a: Args) -> Res<(Value, Other)> {
    let o = this_of(cx, m, a, SET)?;
    Ok((o, Other::of(cx, m, a.get(m, 0))?))
}

/// A set of the same elements.
fn copy(cx: &mut Cx, m: Mem, o: Value) -> Res {
    let r = new(cx, m, SET)?;
    let mut c = table::cursor(cx, m, o)?;
    while let Some((k, _)) = table::next(cx, m, &mut c)? {
        cx.charge(2)?;
        table::set(cx, m, r, k, UNDEF)?;
    }
    Ok(r)
}

fn no_more_than(m: Mem, o: Value, other: &Other) -> bool {
    table::size(m, o) as f64 <= other.size
}

fn union(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, other) = operands(cx, m, a)?;
    let mut it = other.keys(cx, m)?;
    let r = copy(cx, m, o)?;
    while let Some(v) = it.step(cx, m)? {
        table::set(cx, m, r, v, UNDEF)?;
    }
    Ok(r)
}

fn intersection(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, other) = operands(cx, m, a)?;
    let r = new(cx, m, SET)?;
    if no_more_than(m, o, &other) {
        let mut c = table::cursor(cx, m, o)?;
        while let Some((k, _)) = table::next(cx, m, &mut c)? {
            if other.has(cx, m, k)? {
                table::set(cx, m, r, k, UNDEF)?;
            }
        }
    } else {
        let mut it = other.keys(cx, m)?;
        while let Some(v) = it.step(cx, m)? {
            if table::has(cx, m, o, v)? {
                table::set(cx, m, r, v, UNDEF)?;
            }
        }
    }
    Ok(r)
}

fn difference(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, other) = operands(cx, m, a)?;
    if no_more_than(m, o, &other) {
        let r = copy(cx, m, o)?;
        let mut c = table::cursor(cx, m, o)?;
        while let Some((k, _)) = table::next(cx, m, &mut c)? {
            if other.has(cx, m, k)? {
                table::delete(cx, m, r, k)?;
            }
        }
        return Ok(r);
    }
    let mut it = other.keys(cx, m)?;
    let r = copy(cx, m, o)?;
    while let Some(v) = it.step(cx, m)? {
        table::delete(cx, m, r, v)?;
    }
    Ok(r)
}

fn symmetric_difference(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, other) = operands(cx, m, a)?;
    let mut it = other.keys(cx, m)?;
    let r = copy(cx, m, o)?;
    while let Some(v) = it.step(cx, m)? {
        if table::has(cx, m, o, v)? {
            table::delete(cx, m, r, v)?;
        } else {
            table::set(cx, m, r, v, UNDEF)?;
        }
    }
    Ok(r)
}

fn is_subset_of(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, other) = operands(cx, m, a)?;
    if !no_more_than(m, o, &other) {
        return Ok(FALSE);
    }
    let mut c = table::cursor(cx, m, o)?;
    while let Some((k, _)) = table::next(cx, m, &mut c)? {
        if !other.has(cx, m, k)? {
            return Ok(FALSE);
        }
    }
    Ok(TRUE)
}

fn is_superset_of(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, other) = operands(cx, m, a)?;
    if (table::size(m, o) as f64) < other.size {
        return Ok(FALSE);
    }
    let mut it = other.keys(cx, m)?;
    while let Some(v) = it.step(cx, m)? {
        if !table::has(cx, m, o, v)? {
            it.finish(cx, m)?;
            return Ok(FALSE);
        }
    }
    Ok(TRUE)
}

fn is_disjoint_from(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, other) = operands(cx, m, a)?;
    if no_more_than(m, o, &other) {
        let mut c = table::cursor(cx, m, o)?;
        while let Some((k, _)) = table::next(cx, m, &mut c)? {
            if other.has(cx, m, k)? {
                return Ok(FALSE);
            }
        }
        return Ok(TRUE);
    }
    let mut it = other.keys(cx, m)?;
    while let Some(v) = it.step(cx, m)? {
        if table::has(cx, m, o, v)? {
            it.finish(cx, m)?;
            return Ok(FALSE);
        }
    }
    Ok(TRUE)
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let proto = roots::get(m, R_SET_PROTO);
    r.methods(cx, m, proto, &[0x2E0, 0x2E1, 0x2E2, 0x2E3, 0x2E4, 0x2E5, 0x2E6])
}
