//! Exceptions: from a throwing instruction to the innermost handler.
//!
//! In: the frame and place where it was thrown; the value is in `Cx::thrown`. Out: the handler's frame, or `Stop::Throw`
//! when the frames of this run have none.
use super::{Frame, frame_end, function_at};
use crate::code::op::REJASYNC;
use crate::cx::{Cx, Res, Stop};
use crate::engine::{STUB_EXIT, STUB_GETRET, STUB_NEWRET};
use crate::{function, trace};
use cage::value::*;
use cage::{Code, Mem, Win};

pub(super) fn unwind<'c>(cx: &mut Cx, m: Mem<'c>, win: Win<'c>, pc: u32, code: Code<'c>) -> Res<Frame<'c>> {
    let from = (win, pc);
    let (mut win, mut pc) = (win, pc);
    loop {
        cx.charge(1)?;
        if let Some((target, reg)) = handler(cx, m, win, pc)? {
            if code.word(target) as u8 == REJASYNC {
                left(cx, m, from, m.off(win), code);
            } else {
                trace::taken(cx, cx.thrown);
            }
            win.set(reg, cx.thrown);
            cx.thrown = UNDEF;
            return Ok(Frame { win, pc: target });
        }
        let Some(caller) = caller(m, win, code) else {
            left(cx, m, from, m.off(win), code);
            return Err(Stop::Throw);
        };
        (win, pc) = caller;
    }
}

/// The frame that called, and its place; none if Rust did.
fn caller<'c>(m: Mem<'c>, win: Win<'c>, code: Code<'c>) -> Option<(Win<'c>, u32)> {
    let back = win.get(1);
    let ret = (back >> 32) as u32;
    if ret == STUB_EXIT {
        return None;
    }
    let win = m.win(m.off(win).wrapping_sub((back as u32 & 0xFFFF) * 8));
    let pc = if ret == STUB_GETRET || ret == STUB_NEWRET {
        // the place of the instruction that made the call stands above its frame
        (m.r64(frame_end(m, win, code), 0) >> 32) as u32
    } else {
        ret
    };
    Some((win, pc.wrapping_sub(1)))
}

/// The exception leaves all frames up to the one at `last`: the innermost are noted for its trace.
#[cold]
#[inline(never)]
fn left<'c>(cx: &mut Cx, m: Mem<'c>, from: (Win<'c>, u32), last: u32, code: Code<'c>) {
    let (mut win, mut pc) = from;
    loop {
        let at = function_at(m, win);
        let more = at == 0 || trace::leaves(cx, m, win.get(0), pc.wrapping_sub(at));
        if !more || m.off(win) <= last {
            return;
        }
        let Some(caller) = caller(m, win, code) else { return };
        (win, pc) = caller;
    }
}

/// Target and register of the handler that covers `pc` in the function of `win`.
fn handler(cx: &mut Cx, m: Mem, win: Win, pc: u32) -> Res<Option<(u32, u8)>> {
    let at = function_at(m, win);
    if at == 0 {
        return Ok(None);
    }
    let Some((unit, i)) = function::code_of(cx, m, win.get(0)) else { return Ok(None) };
    let info = &unit.unit.functions[i];
    // each is looked at
    cx.charge(info.handlers.len() as u64 / 64)?;
    Ok(info.handler(pc.wrapping_sub(at)).map(|h| (at.wrapping_add(h.target), h.reg)))
}
