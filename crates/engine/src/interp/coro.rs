//! Coroutines: async functions that are suspended live in the heap, frame and all.
//!
//! ```text
//! CORO  1 promise, 2 closure, 3 int: 0 not suspended yet, else 1 + place to go on (words from the function's header),
//!       4 int: register for the result, 5 int: number of arguments, 6 … registers 2 up
//! ```
//! Invariants
//! - a suspended frame holds no address of code: the place is relative to its function;
//! - the first suspension returns the promise to the caller, later ones return to the job that resumed.
use super::fast::{a, b, c};
use super::{Frame, frame_end, function_at, run, safepoint};
use crate::code::op::*;
use crate::cx::{Abort, Cx, Res, Value};
use crate::engine::STUB_EXIT;
use crate::kinds::{CORO, FN};
use crate::{object, promise};
use cage::layout::{H_X, STACK_END, header};
use cage::value::*;
use cage::{Code, Mem, Win};

/// Words before the registers.
const HEAD: u32 = 5;

pub(super) fn exec<'c>(cx: &mut Cx, m: Mem<'c>, fr: &mut Frame<'c>, i: u32, code: Code<'c>) -> Res<()> {
    let win = fr.win;
    match i as u8 {
        ASYNC => {
            safepoint(cx, m, frame_end(m, win, code))?;
            let n = registers(m, win, code);
            let p = promise::new_promise(cx, m)?;
            let at = cx.alloc(m, 8 + (HEAD + n) * 8)?;
            m.w64(at, 0, header(CORO, 0, 0, HEAD + n));
            m.w64(at, 8, p);
            m.w64(at, 16, win.get(0));
            for k in 2..HEAD + n {
                m.w64(at.wrapping_add(8 + k * 8), 0, UNDEF);
            }
            m.w64(at, 24, int(0));
            win.set(a(i), CELL | at as u64);
            Ok(())
        }
        AWAIT => {
            let coro = checked(cx, m, win.get(c(i)))?;
            let first = m.r64(coro as u32, 24) == int(0);
            let v = win.get(b(i));
            promise::await_value(cx, m, coro, v)?;
            suspend(cx, m, fr, coro, a(i), code);
            let back = if first { m.r64(coro as u32, 8) } else { UNDEF };
            leave(m, fr, back);
            Ok(())
        }
        LINKED => {
            let coro = checked(cx, m, win.get(a(i)))?;
            suspend(cx, m, fr, coro, a(i), code);
            leave(m, fr, coro);
            Ok(())
        }
        RETASYNC | REJASYNC => {
            let coro = checked(cx, m, win.get(b(i)))?;
            let p = m.r64(coro as u32, 8);
            if i as u8 == RETASYNC {
                promise::resolve(cx, m, p, win.get(a(i)))?;
            } else {
                promise::reject(cx, m, p, win.get(a(i)))?;
            }
            leave(m, fr, p);
            Ok(())
        }
        _ => Err(cx.stop(Abort::Corrupt)),
    }
}

fn checked(cx: &mut Cx, m: Mem, coro: Value) -> Res {
    if is_cell(coro) && object::kind(m, coro) == CORO { Ok(coro) } else { Err(cx.stop(Abort::Corrupt)) }
}

/// Registers from r2 on of a frame.
fn registers(m: Mem, win: Win, code: Code) -> u32 {
    let nregs = code.word(function_at(m, win)) as u8 as u32;
    let argc = (win.get(1) >> 16) as u32 & 0xFFFF;
    nregs.max(3 + argc) - 2
}

fn suspend(cx: &mut Cx, m: Mem, fr: &Frame, coro: Value, dest: u8, code: Code) {
    let (win, at) = (fr.win, coro as u32);
    let place = fr.pc.wrapping_sub(function_at(m, win));
    let argc = (win.get(1) >> 16) as u32 & 0xFFFF;
    for (word, v) in [(24, 1 + place as i32), (32, dest as i32), (40, argc as i32)] {
        // a loop suspends at one place again and again
        if m.r64(at, word) != int(v) {
            cx.heap.write(m, at.wrapping_add(word as u32), int(v));
        }
    }
    let n = registers(m, win, code).min(m.r32(at, H_X).saturating_sub(HEAD));
    let base = m.off(win).wrapping_add(16);
    cx.heap.write_words(m, base, at.wrapping_add(8 + HEAD * 8), n);
}

/// Returns from the frame with `v`.
pub(super) fn leave<'c>(m: Mem<'c>, fr: &mut Frame<'c>, v: Value) {
    let back = fr.win.get(1);
    fr.win.set(0, v);
    fr.pc = (back >> 32) as u32;
    fr.win = m.win(m.off(fr.win).wrapping_sub((back as u32 & 0xFFFF) * 8));
}

/// Goes on with a suspended coroutine: `v` is what it awaited, or is thrown there. Runs until it is suspended again or
/// ends; called at the bottom of a turn.
pub fn resume(cx: &mut Cx, m: Mem, coro: Value, v: Value, throw: bool) -> Res<()> {
    let coro = checked(cx, m, coro)?;
    let at = coro as u32;
    let f = m.r64(at, 16);
    let place = as_int(m.r64(at, 24)).wrapping_sub(1);
    if !is_obj(f) || object::kind(m, f) != FN || place < 0 {
        return Err(cx.stop(Abort::Corrupt));
    }
    let n = m.r32(at, H_X).saturating_sub(HEAD);
    let base = cx.stack_top;
    if n >= (STACK_END - cage::layout::FRAMES) / 8 || base.saturating_add((n + 300) * 8) >= STACK_END {
        return Err(cx.stop(Abort::Depth));
    }
    cx.heap.use_stack(base + (n + 2) * 8);
    let win = m.win(base);
    win.set(0, f);
    let argc = m.r64(at, 40) as u32 & 0xFFFF;
    win.set(1, (STUB_EXIT as u64) << 32 | (argc as u64) << 16);
    for k in 0..n {
        m.w64(base.wrapping_add(16 + k * 8), 0, m.r64(at.wrapping_add(8 + (HEAD + k) * 8), 0));
    }
    let engine = cx.engine.clone();
    let code = engine.space.code();
    let pc = function_at(m, win).wrapping_add(place as u32);
    if throw {
        cx.thrown = v;
        let fr = super::unwind::unwind(cx, m, win, pc.wrapping_sub(1), code)?;
        return run(cx, m, fr.win, fr.pc, code);
    }
    win.set(m.r64(at, 32) as u8, v);
    // the program of an async function catches all it throws
    run(cx, m, win, pc, code)
}
