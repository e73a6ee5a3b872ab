//! harden: freezes an object and all that can be reached from it by reflection.
//!
//! In: a value. Out: the same value, or the turn's end.
//!
//! Invariants
//! - no program code runs: getters are followed as functions, never called;
//! - the traversal keeps its own stack; it cannot fail but by a limit, which rolls back the turn, so that no half of
//!   a graph is ever seen marked;
//! - what a closure captured, what a collection holds and what a promise will be are not followed;
//! - `lock` leaves out what the machine itself goes on changing;
//! - HARDENED on an object means: it and all it reaches by properties and prototypes is frozen.
use crate::aside::Aside;
use crate::cx::{Abort, Cx, Res, Value};
use crate::kinds::*;
use crate::object;
use crate::roots::{self, *};
use crate::shape::{self, VIRTUAL};
use cage::Mem;
use cage::layout::{H_FLAGS, H_KIND, H_N, H_X};
use cage::value::*;

/// Notes that all `o` reaches is frozen.
pub fn mark(cx: &mut Cx, m: Mem, o: Value) {
    object::add_flags(cx, m, o, FROZEN | NONEXT | SEALED | HARDENED);
}

/// Nothing of it can change by harden any more.
#[inline(always)]
pub fn is_hardened(m: Mem, v: Value) -> bool {
    !is_obj(v) || m.r8(v as u32, H_FLAGS) & HARDENED != 0
}

/// harden(v)
#[inline]
pub fn harden(cx: &mut Cx, m: Mem, v: Value) -> Res {
    if is_hardened(m, v) {
        return Ok(v);
    }
    harden_as(cx, m, v, 0)
}

/// Likewise; what is not an array gets the flags `more` besides.
fn harden_as(cx: &mut Cx, m: Mem, v: Value, more: u8) -> Res {
    if is_hardened(m, v) {
        return Ok(v);
    }
    let mut todo = Aside::with_capacity(16);
    todo.push(v);
    while let Some(o) = todo.pop() {
        if m.r8(o as u32, H_FLAGS) & HARDENED == 0 {
            mark(cx, m, o);
            if more != 0 && object::kind(m, o) != ARR {
                object::add_flags(cx, m, o, more);
            }
            visit(cx, m, o, &mut todo)?;
        }
    }
    Ok(v)
}

#[inline(always)]
fn push(m: Mem, v: Value, todo: &mut Aside<Value>) {
    if is_obj(v) && m.r8(v as u32, H_FLAGS) & HARDENED == 0 {
        todo.push(v);
    }
}

/// Puts what `o` reaches on the list.
fn visit(cx: &mut Cx, m: Mem, o: Value, todo: &mut Aside<Value>) -> Res<()> {
    let s = shape::of(m, o);
    push(m, shape::proto(m, s), todo);
    let words = match m.r8(o as u32, H_KIND) {
        RECORD | ERROR | ARGS => m.r16(o as u32, H_N) as u32,
        FN => {
            // the prototype of a constructor must exist before it can be frozen
            let arrow = s == roots::get(m, R_SHAPE_ARROW) as u32;
            if !arrow && shape::meta(m, s) & VIRTUAL != 0 {
                let key = roots::get(m, R_STR_PROTOTYPE);
                object::get_own(cx, m, o, key)?;
            }
            1
        }
        _ => 1,
    };
    // marking it may mean to keep a copy of what it was
    cx.charge(8 + words as u64 / 2)?;
    for i in 1..=words {
        let v = m.r64((o as u32).wrapping_add(i * 8), 0);
        push(m, v, todo);
        if is_cell(v) {
            cell(cx, m, v, todo)?;
        }
    }
    Ok(())
}

/// Slots beyond the object itself, accessors, an array's elements (behind which its named slots hang).
fn cell(cx: &mut Cx, m: Mem, c: Value, todo: &mut Aside<Value>) -> Res<()> {
    let mut c = c;
    // elements, their overflow, an accessor in it: no deeper
    for _ in 0..4 {
        let at = c as u32;
        if m.r8(at, H_KIND) == ACCESSOR {
            push(m, m.r64(at, 8), todo);
            push(m, m.r64(at, 16), todo);
            return Ok(());
        }
        if m.r8(at, H_KIND) != ELEMS {
            return Ok(());
        }
        let (x, tail) = (m.r32(at, H_X), m.r16(at, H_N) as u32);
        if !cx.heap.holds(at, 8 + 8 * x as u64) {
            return Err(cx.stop(Abort::Corrupt));
        }
        for i in 0..x {
            if i % 1024 == 0 {
                cx.charge((x - i).min(1024) as u64 / 4)?;
            }
            let v = m.r64(at.wrapping_add(8 + i * 8), 0);
            push(m, v, todo);
            if is_cell(v) && m.r8(v as u32, H_KIND) == ACCESSOR {
                push(m, m.r64(v as u32, 8), todo);
                push(m, m.r64(v as u32, 16), todo);
            }
        }
        let next = m.r64(at.wrapping_add(8 + x * 8), 0);
        if tail == 0 || !is_cell(next) {
            return Ok(());
        }
        c = next;
    }
    Ok(())
}

/// Hardens the primordials: the values of the global object's properties and what only the machine holds. The global
/// object itself stays open.
pub fn lock(cx: &mut Cx, m: Mem, global: Value) -> Res<()> {
    for key in object::own_keys(cx, m, global)? {
        match object::get_own(cx, m, global, key)? {
            Some(object::Prop::Data { value, .. }) if value != global => {
                harden_as(cx, m, value, PRIMORDIAL)?;
            }
            Some(object::Prop::Accessor { get, set, .. }) => {
                harden_as(cx, m, get, PRIMORDIAL)?;
                harden_as(cx, m, set, PRIMORDIAL)?;
            }
            _ => {}
        }
    }
    for n in FIRST_INTRINSIC..roots::COUNT as u16 {
        let v = roots::get(m, n);
        if is_obj(v) && !STATE.contains(&n) {
            harden_as(cx, m, v, PRIMORDIAL)?;
        }
    }
    // the prototypes of shapes for instances, if nothing else names them
    for n in R_SHAPE_OBJECT..FIRST_INTRINSIC {
        let s = roots::get(m, n);
        if is_cell(s) && m.r8(s as u32, H_KIND) == SHAPE {
            harden_as(cx, m, shape::proto(m, s as u32), PRIMORDIAL)?;
        }
    }
    Ok(())
}

/// Roots from here on hold intrinsics, but for `STATE`.
const FIRST_INTRINSIC: u16 = R_OBJECT_PROTO;
const STATE: &[u16] = &[R_NOTES, R_SHARED_GLOBALS];
