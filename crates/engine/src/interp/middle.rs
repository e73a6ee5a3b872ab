//! Handlers with a middle way between the fast path and the slow one: polymorphic property reads and calls of builtins.
//!
//! In and out: as for all handlers (see `interp`).
//!
//! Invariants
//! - the middle way has no effect before it is sure to do the whole instruction;
//! - no local with a destructor is alive at a call in tail position, no result comes back through memory.
use super::fast::{self, a, b};
use super::{ABORTED, DONE, GO, TABLE, THROWN, calls, props, slow_handler, units};
use crate::code::op::{CALL, GETM};
use crate::cx::{Cx, Stop};
use crate::kinds::{ARR, NATIVE, ROPE};
use crate::{builtins, function, string};
use cage::layout::{H_FLAGS, H_KIND, H_X, NURSERY2, PINNED, UNITS};
use cage::value::*;
use cage::{Code, Mem, Win};

macro_rules! two_step {
    ($name:ident, $middle:ident) => {
        pub fn $name<'c>(cx: &mut Cx, m: Mem<'c>, mut win: Win<'c>, mut pc: u32, i: u32, code: Code<'c>) -> u64 {
            let (win0, pc0) = (win, pc);
            if fast::$name(cx, m, &mut win, &mut pc, i, code).is_some() {
                let i = code.word(pc);
                TABLE[i as u8 as usize](cx, m, win, pc.wrapping_add(1), i, code)
            } else {
                $middle(cx, m, win0, pc0, i, code)
            }
        }
    };
}
/// EXIT: the run is over.
pub fn exit<'c>(_: &mut Cx, _: Mem<'c>, _: Win<'c>, _: u32, _: u32, _: Code<'c>) -> u64 {
    DONE
}

two_step!(getp, read);
two_step!(getm, read);
two_step!(call, native);
two_step!(callm, native);

/// GETP, GETM by any entry of the cache, of any value; else by the look-up cache.
#[inline(never)]
fn read<'c>(cx: &mut Cx, m: Mem<'c>, win: Win<'c>, pc: u32, i: u32, code: Code<'c>) -> u64 {
    let o = win.get(b(i));
    let ic = code.word(pc);
    let mut v = props::cached(m, ic, o);
    if v.is_none() && m.r64(ic, 24) != 0 {
        // all four places are taken: the key's constant slot is warm
        let unit = m.r64(win.get(0) as u32, 16) as u32;
        let slots = m.r32(UNITS + (unit & 0x3FFF) * 16, 4);
        let k = m.r64(slots.wrapping_add(code.word(pc.wrapping_add(1)).wrapping_mul(8)), 0);
        if is_str(k) && units::is_plain_key(m, k) {
            v = props::own_data(m, o, k);
        }
    }
    let Some(v) = v else { return slow_handler(cx, m, win, pc, i, code) };
    win.set(a(i), v);
    if i as u8 == GETM {
        win.set(a(i).wrapping_add(2), o);
    }
    let pc = pc.wrapping_add(2);
    let i = code.word(pc);
    TABLE[i as u8 as usize](cx, m, win, pc.wrapping_add(1), i, code)
}

/// A call of a builtin; anything else goes the slow way.
#[inline(never)]
fn native<'c>(cx: &mut Cx, m: Mem<'c>, win: Win<'c>, pc: u32, i: u32, code: Code<'c>) -> u64 {
    let f = win.get(a(i));
    if !is_obj(f) || m.r8(f as u32, H_KIND) != NATIVE {
        let at = short_call(cx, m, win, pc, i, code);
        if at == 0 {
            return slow_handler(cx, m, win, pc, i, code);
        }
        let (win, pc) = (m.win((at >> 32) as u32), at as u32);
        let i = code.word(pc);
        return TABLE[i as u8 as usize](cx, m, win, pc.wrapping_add(1), i, code);
    }
    let number = function::native_number(m, f);
    if number == builtins::FUNCTION_CALL || number == builtins::FUNCTION_APPLY {
        return slow_handler(cx, m, win, pc, i, code);
    }
    if let Some(v) = intrinsic(cx, m, win, a(i), b(i), number) {
        win.set(a(i), v);
        let i = code.word(pc);
        return TABLE[i as u8 as usize](cx, m, win, pc.wrapping_add(1), i, code);
    }
    let (exit, at) = calls::native_here(cx, m, win, pc, i, code);
    if exit != GO {
        return exit;
    }
    let (win, pc) = (m.win((at >> 32) as u32), at as u32);
    let i = code.word(pc);
    TABLE[i as u8 as usize](cx, m, win, pc.wrapping_add(1), i, code)
}

/// A call of a closure with fewer arguments than parameters: window << 32 | program counter, or 0.
#[inline(never)]
fn short_call<'c>(cx: &mut Cx, m: Mem<'c>, mut win: Win<'c>, mut pc: u32, i: u32, code: Code<'c>) -> u64 {
    let Some(new) = fast::enter::<true>(cx, m, &mut win, &mut pc, i, code) else { return 0 };
    if i as u8 == CALL {
        new.set(2, UNDEF);
    }
    (m.off(new) as u64) << 32 | pc as u64
}

/// Builtins that loops live on, in their plainest case. `None`, and no effect: call them.
#[inline(never)]
fn intrinsic(cx: &mut Cx, m: Mem, win: Win, at: u8, argc: u8, number: u16) -> Option<u64> {
    let (this, arg) = (win.get(at.wrapping_add(2)), win.get(at.wrapping_add(3)));
    if argc != 1 {
        return None;
    }
    match number {
        builtins::ARRAY_PUSH => {
            if !is_obj(this) || m.r8(this as u32, H_KIND) != ARR || m.r8(this as u32, H_FLAGS) & !PINNED != 0 {
                return None;
            }
            let (e, len) = (m.r32(this as u32, 8), m.r64(this as u32, 16));
            if !is_int(len) || len as u32 >= m.r32(e, H_X) {
                return None;
            }
            cx.fuel = cx.fuel.checked_sub(1)?;
            let n = len as u32;
            cx.heap.write(m, e.wrapping_add(8 + n * 8), arg);
            cx.heap.write(m, (this as u32).wrapping_add(16), int(n as i32 + 1));
            Some(int(n as i32 + 1))
        }
        builtins::CHAR_CODE_AT => {
            if !is_str(this) || !is_int(arg) || m.r8(this as u32, H_KIND) == ROPE || arg as u32 >= m.r32(this as u32, H_X) {
                return None;
            }
            cx.fuel = cx.fuel.checked_sub(1)?;
            Some(int(string::unit(m, this, arg as u32) as i32))
        }
        _ => None,
    }
}

/// Is the nursery past its first chunk, or a collection due?
#[inline]
pub(super) fn behind(cx: &Cx) -> bool {
    cx.heap.nur >= NURSERY2 || cx.heap.wants_collect()
}

/// What a run comes back with for a stop that nothing caught.
pub(super) fn exit_of(s: Stop) -> u64 {
    match s {
        Stop::Throw => THROWN,
        Stop::Abort => ABORTED,
    }
}
