//! The interpreter: handlers that end in a call in tail position, frames, calls from native code.
//!
//! In: a closure and arguments on the frame stack. Out: a result or a `Stop`.
//!
//! Invariants
//! - a handler runs its fast path (`fast`), on failure maybe a middle one (`middle`), and at last the one shared slow path
//!   (`slow`), which does the whole instruction again;
//! - no call from JavaScript to JavaScript recurses on the Rust stack; natives that call back do, at most
//!   `MAX_NATIVE_DEPTH` deep, and while one is on the stack nothing is collected;
//! - what is above the live frames is dead: a call's frame may be laid at `frame_end`.
//!
//! Must never know: where output goes, what a vat is.
mod arith;
mod callee;
mod calls;
mod coro;
pub mod fast;
mod iter;
mod middle;
mod props;
mod slow;
mod units;
mod unwind;

pub use calls::{MAX_ARGS, array_like, call, call_job, call_rooted, construct};
pub use coro::resume;
pub use iter::iterate_to_vec;
pub(crate) use units::list_unit;
pub use units::{add_unit, drop_caches, forget_caches, program_closure, restore, run_unit};

use crate::code::op::*;
use crate::cx::{Cx, Res, Stop};
use crate::trace;
use cage::layout::{H_KIND, STACK_END, UNITS};
use cage::value::*;
use cage::{Code, Mem, Win};

type Handler = for<'x, 'c> fn(&'x mut Cx, Mem<'c>, Win<'c>, u32, u32, Code<'c>) -> u64;

/// What a run of handlers comes back with.
const DONE: u64 = 0;
const THROWN: u64 = 1;
const ABORTED: u64 = 2;
/// Of a slow step: the run goes on.
const GO: u64 = 3;

/// A frame and the place in its code behind the instruction's first word.
pub(crate) struct Frame<'c> {
    pub win: Win<'c>,
    pub pc: u32,
}

macro_rules! machine { ($($num:ident $name:ident;)*) => {
    mod handlers {
        use super::*;
        $(pub fn $name<'c>(cx: &mut Cx, m: Mem<'c>, mut win: Win<'c>, mut pc: u32, i: u32, code: Code<'c>) -> u64 {
            let (win0, pc0) = (win, pc);
            if fast::$name(cx, m, &mut win, &mut pc, i, code).is_some() {
                let i = code.word(pc);
                TABLE[i as u8 as usize](cx, m, win, pc.wrapping_add(1), i, code)
            } else {
                slow_handler(cx, m, win0, pc0, i, code)
            }
        })*
    }
    static TABLE: [Handler; 256] = {
        let mut t: [Handler; 256] = [slow_handler; 256];
        $(t[$num as usize] = handlers::$name;)*
        t[GETP as usize] = middle::getp;
        t[GETM as usize] = middle::getm;
        t[CALL as usize] = middle::call;
        t[CALLM as usize] = middle::callm;
        t[EXIT as usize] = middle::exit;
        t
    };
    /// The same instructions as one `match` in a loop: opt-level 0, Miri, wasm, and to compare with.
    fn run_match<'c>(cx: &mut Cx, m: Mem<'c>, mut win: Win<'c>, mut pc: u32, code: Code<'c>) -> u64 {
        loop {
            let i = code.word(pc);
            pc = pc.wrapping_add(1);
            let (win0, pc0) = (win, pc);
            let done = match i as u8 {
                $($num => fast::$name(cx, m, &mut win, &mut pc, i, code),)*
                _ => None,
            };
            if done.is_none() {
                let (exit, at) = slow::step(cx, m, win0, pc0, i, code);
                if exit != GO {
                    return exit;
                }
                (win, pc) = (m.win((at >> 32) as u32), at as u32);
            }
        }
    }
} }
fast::fast_ops!(machine);

#[cold]
#[inline(never)]
fn slow_handler<'c>(cx: &mut Cx, m: Mem<'c>, win: Win<'c>, pc: u32, i: u32, code: Code<'c>) -> u64 {
    // two words come back in registers: a place in memory for the result would cost the tail call
    let (exit, at) = slow::step(cx, m, win, pc, i, code);
    if exit != GO {
        return exit;
    }
    let (win, pc) = (m.win((at >> 32) as u32), at as u32);
    let i = code.word(pc);
    TABLE[i as u8 as usize](cx, m, win, pc.wrapping_add(1), i, code)
}

/// Runs from `pc` until an EXIT.
fn run<'c>(cx: &mut Cx, m: Mem<'c>, win: Win<'c>, pc: u32, code: Code<'c>) -> Res<()> {
    let exit = if cx.match_loop || cfg!(drses_match_loop) {
        run_match(cx, m, win, pc, code)
    } else {
        let i = code.word(pc);
        TABLE[i as u8 as usize](cx, m, win, pc.wrapping_add(1), i, code)
    };
    match exit {
        DONE => Ok(()),
        THROWN => Err(Stop::Throw),
        _ => Err(Stop::Abort),
    }
}

/// Where the function of a frame begins in code space (its header words); 0 if r0 is no closure.
#[inline]
fn function_at(m: Mem, win: Win) -> u32 {
    let f = win.get(0);
    if !is_obj(f) || m.r8(f as u32, H_KIND) != crate::kinds::FN {
        return 0;
    }
    let cw = m.r64(f as u32, 16);
    m.r32(UNITS + ((cw as u32) & 0x3FFF) * 16, 0).wrapping_add((cw >> 32) as u32)
}

/// Address past the live registers of a frame.
#[inline]
fn frame_end(m: Mem, win: Win, code: Code) -> u32 {
    let at = function_at(m, win);
    let nregs = code.word(at) as u8 as u32;
    let argc = (win.get(1) >> 16) as u32 & 0xFFFF;
    m.off(win).wrapping_add(nregs.max(3 + argc) * 8).min(STACK_END)
}

/// A safepoint: collects if the nursery is nearly full (or always, under stress) and no native code is on the stack.
#[inline]
pub(crate) fn safepoint(cx: &mut Cx, m: Mem, end: u32) -> Res<()> {
    if cx.native_depth == 0 && (cx.stress || nursery_full(cx)) {
        collect(cx, m, end)?;
    }
    Ok(())
}

#[inline(never)]
fn collect(cx: &mut Cx, m: Mem, end: u32) -> Res<()> {
    let mut extra = vec![cx.thrown, cx.new_target];
    extra.extend(trace::values(cx));
    if cx.stress {
        // a collection at every safepoint; a full one at the first hundred and at every 256th from there
        let n = cx.heap.collections();
        cx.heap.set_stress(n < 100 || n.is_multiple_of(256));
    }
    let full = cx.heap.collect(m, end, &mut extra);
    (cx.thrown, cx.new_target) = (extra[0], extra[1]);
    trace::moved(cx, &extra[2..]);
    forget_caches(cx, m);
    full.map_err(|_| cx.not_collected())
}

/// Little is left of the nursery, or the heap itself asks for a collection.
#[inline]
fn nursery_full(cx: &Cx) -> bool {
    cx.heap.nur >= cage::layout::NURSERY2 || cx.heap.nur_end.wrapping_sub(cx.heap.nur) < 4096 || cx.heap.wants_collect()
}
