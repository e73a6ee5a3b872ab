//! The slow path: a complete interpreter of one instruction.
//!
//! In: a frame, the place behind the instruction's first word, the instruction. Out: where to go on, or why the run ends.
//!
//! Invariants
//! - `Cx::stack_top` is above the frame while anything is called from here;
//! - an instruction that allocates comes by a safepoint first, when nothing but the frames holds values.
use super::fast::{a, b, c, imm16};
use super::{ABORTED, DONE, Frame, GO, THROWN, arith, calls, coro, frame_end, iter, props, safepoint, units, unwind};
use crate::code::op::*;
use crate::convert::{self, truthy};
use crate::cx::{Abort, Cx, ErrorKind, Res, Stop, Value};
use crate::kinds::{BOX, ENV, FN, FROZEN, HARDENED, NONEXT, SEALED};
use crate::{object, roots, string};
use cage::layout::header;
use cage::value::*;
use cage::{Code, Mem, Win};

/// Under stress this many collections come before instructions that seldom allocate; the depth of the stack makes each dear.
const STRESSED: u64 = 4096;

/// Where an instruction leaves the machine.
pub(super) enum Flow {
    Go,
    Exit,
}

/// One instruction. Gives GO and the place to go on (window << 32 | program counter), or what `run` comes back with.
#[inline(never)]
pub(super) fn step<'c>(cx: &mut Cx, m: Mem<'c>, win: Win<'c>, pc: u32, i: u32, code: Code<'c>) -> (u64, u64) {
    let mut fr = Frame { win, pc };
    let saved = cx.stack_top;
    cx.stack_top = frame_end(m, win, code);
    let mut r = exec(cx, m, &mut fr, i, code);
    cx.stack_top = saved;
    if let Err(Stop::Throw) = r {
        r = unwind::unwind(cx, m, win, pc.wrapping_sub(1), code).map(|f| {
            fr = f;
            Flow::Go
        });
    }
    match r {
        Ok(Flow::Go) => (GO, (m.off(fr.win) as u64) << 32 | fr.pc as u64),
        Ok(Flow::Exit) => (DONE, 0),
        Err(Stop::Throw) => (THROWN, 0),
        Err(Stop::Abort) => (ABORTED, 0),
    }
}

/// The next extra word.
#[inline]
pub(super) fn word(fr: &mut Frame, code: Code) -> u32 {
    let w = code.word(fr.pc);
    fr.pc = fr.pc.wrapping_add(1);
    w
}

/// Takes the jump that the next extra word is.
pub(super) fn jump(cx: &mut Cx, fr: &mut Frame, code: Code, taken: bool) -> Res<()> {
    let rel = word(fr, code) as i32;
    if taken {
        if rel < 0 {
            cx.charge(1)?;
        }
        fr.pc = fr.pc.wrapping_add(rel as u32);
    }
    Ok(())
}

// long: one arm an instruction group
fn exec<'c>(cx: &mut Cx, m: Mem<'c>, fr: &mut Frame<'c>, i: u32, code: Code<'c>) -> Res<Flow> {
    let win = fr.win;
    let stressed = cx.stress && cx.heap.collections() < STRESSED;
    if (stressed || super::nursery_full(cx)) && (GETP..=CONCAT).contains(&(i as u8)) {
        // names, texts and big numbers that a loop makes without making an object
        safepoint(cx, m, frame_end(m, win, code))?;
    }
    match i as u8 {
        LDI => win.set(a(i), int(imm16(i))),
        #[cfg(feature = "moved-base")]
        LATER => win.set(a(i), UNDEF),
        LDV => win.set(a(i), UNDEF | b(i) as u64),
        LDK => {
            let slot = word(fr, code);
            let v = load_constant(cx, m, win, slot)?;
            win.set(a(i), v);
        }
        LDD => {
            win.set(a(i), code.pair(fr.pc));
            fr.pc = fr.pc.wrapping_add(2);
        }
        MOV => win.set(a(i), win.get(b(i))),
        GETCAP..=SETENV => variables(cx, m, fr, i, code)?,
        GETP..=OBJCHECK => props::exec(cx, m, fr, i, code)?,
        ADD..=CONCAT => arith::exec(cx, m, fr, i)?,
        JMP => {
            let rel = (i as i32) >> 8;
            if rel < 0 {
                cx.charge(1)?;
            }
            fr.pc = fr.pc.wrapping_add(rel as u32);
        }
        JT..=JSNEI => branches(cx, m, fr, i, code)?,
        CALL..=NEWTARGET => calls::exec(cx, m, fr, i, code)?,
        ITER..=FORINCHECK => iter::exec(cx, m, fr, i, code)?,
        ASYNC..=LINKED => coro::exec(cx, m, fr, i, code)?,
        NOP => {}
        PAY => cx.charge(a(i) as u64)?,
        HARDEN => {
            let v = win.get(a(i));
            crate::harden::harden(cx, m, v)?;
        }
        EXIT => return Ok(Flow::Exit),
        GETRET | NEWRET => calls::came_back(m, fr, i as u8, code),
        _ => return Err(cx.stop(Abort::Corrupt)),
    }
    Ok(Flow::Go)
}

/// The constant whose slot this is.
fn load_constant(cx: &mut Cx, m: Mem, win: Win, slot: u32) -> Res {
    let n = m.r64(win.get(0) as u32, 16) as u32;
    let Some(u) = cx.units.get(n as usize) else { return Err(cx.stop(Abort::Corrupt)) };
    let i = slot.wrapping_sub(u.slots) / 8;
    units::constant(cx, m, win.get(0), i)
}

/// The key that constant #i names.
pub(super) fn key(cx: &mut Cx, m: Mem, win: Win, i: u32) -> Res {
    let k = units::constant(cx, m, win.get(0), i)?;
    object::key_of(cx, m, k)
}

fn capture(m: Mem, win: Win, n: u8) -> Value {
    m.r64((win.get(0) as u32).wrapping_add(n as u32 * 8), 24)
}

#[cold]
fn uninitialised(cx: &mut Cx, m: Mem, win: Win, name: u32) -> Stop {
    let text = units::constant(cx, m, win.get(0), name).and_then(|s| string::to_rust(cx, m, s));
    match text {
        Ok(t) => cx.error(m, ErrorKind::Reference, &format!("Cannot access '{t}' before initialization")),
        Err(s) => s,
    }
}

// long: one arm an instruction
fn variables<'c>(cx: &mut Cx, m: Mem<'c>, fr: &mut Frame<'c>, i: u32, code: Code<'c>) -> Res<()> {
    let win = fr.win;
    match i as u8 {
        GETCAP => win.set(a(i), capture(m, win, b(i))),
        GETCAPB | GETBOX => {
            let name = word(fr, code);
            let bx = if i as u8 == GETCAPB { capture(m, win, b(i)) } else { win.get(b(i)) };
            let v = m.r64(bx as u32, 8);
            if v == TDZ {
                return Err(uninitialised(cx, m, win, name));
            }
            win.set(a(i), v);
        }
        SETCAPB | SETBOX => {
            let name = word(fr, code);
            let (bx, v) =
                if i as u8 == SETCAPB { (capture(m, win, b(i)), win.get(a(i))) } else { (win.get(a(i)), win.get(b(i))) };
            if m.r64(bx as u32, 8) == TDZ {
                return Err(uninitialised(cx, m, win, name));
            }
            write_cell(cx, m, bx, 8, v)?;
        }
        INITBOX => write_cell(cx, m, win.get(a(i)), 8, win.get(b(i)))?,
        NEWBOX => {
            safepoint(cx, m, frame_end(m, win, code))?;
            let at = cx.alloc(m, 16)?;
            m.w64(at, 0, header(BOX, 0, 0, 0));
            m.w64(at, 8, win.get(b(i)));
            win.set(a(i), CELL | at as u64);
        }
        CHECK => {
            let name = word(fr, code);
            if win.get(a(i)) == TDZ {
                return Err(uninitialised(cx, m, win, name));
            }
        }
        CLOSURE => closure(cx, m, fr, i, code)?,
        NEWENV => {
            let n = word(fr, code);
            safepoint(cx, m, frame_end(m, win, code))?;
            cx.charge(n as u64 / 16)?;
            let at = cx.alloc(m, 8 + n * 8)?;
            m.w64(at, 0, header(ENV, 0, 0, n));
            for k in 0..n {
                m.w64(at.wrapping_add(8 + k * 8), 0, TDZ);
            }
            win.set(a(i), CELL | at as u64);
        }
        GETENV => {
            let (n, name) = (word(fr, code), word(fr, code));
            let v = m.r64((win.get(b(i)) as u32).wrapping_add(8 + n * 8), 0);
            if v == TDZ {
                return Err(uninitialised(cx, m, win, name));
            }
            win.set(a(i), v);
        }
        SETENV => {
            let (n, name) = (word(fr, code), word(fr, code));
            let at = 8 + n * 8;
            if c(i) == 0 && m.r64((win.get(a(i)) as u32).wrapping_add(at), 0) == TDZ {
                return Err(uninitialised(cx, m, win, name));
            }
            write_cell(cx, m, win.get(a(i)), at, win.get(b(i)))?;
        }
        _ => return Err(cx.stop(Abort::Corrupt)),
    }
    Ok(())
}

fn write_cell(cx: &mut Cx, m: Mem, cell: Value, disp: u32, v: Value) -> Res<()> {
    if !is_cell(cell) {
        return Err(cx.stop(Abort::Corrupt));
    }
    cx.heap.write(m, (cell as u32).wrapping_add(disp), v);
    Ok(())
}

fn closure<'c>(cx: &mut Cx, m: Mem<'c>, fr: &mut Frame<'c>, i: u32, code: Code<'c>) -> Res<()> {
    let win = fr.win;
    let (n, f) = (b(i) as u32, word(fr, code));
    safepoint(cx, m, frame_end(m, win, code))?;
    let at = cx.alloc(m, 24 + n * 8)?;
    let shape = m.r32(roots::at((f >> 24 & 0x7F) as u16), 0);
    let flags = if f & super::fast::FUNC_HARDENED != 0 { FROZEN | NONEXT | HARDENED | SEALED } else { 0 };
    let unit = m.r64(win.get(0) as u32, 16) as u32;
    m.w64(at, 0, header(FN, flags, (2 + n) as u16, shape));
    m.w64(at, 8, UNDEF);
    m.w64(at, 16, unit as u64 | ((f & super::fast::FUNC_OFFSET) as u64) << 32);
    for k in 0..n {
        let w = code.word(fr.pc.wrapping_add(k / 2)) >> (16 * (k & 1));
        let v = if w & 0x8000 != 0 { capture(m, win, w as u8) } else { win.get(w as u8) };
        m.w64(at.wrapping_add(24 + k * 8), 0, v);
    }
    fr.pc = fr.pc.wrapping_add(n.div_ceil(2));
    win.set(a(i), OBJ | at as u64);
    Ok(())
}

/// `x < y` (or `x <= y`) after ToPrimitive of both, `y` first if `swapped`; `None` if either is NaN.
pub(super) fn relational(cx: &mut Cx, m: Mem, x: Value, y: Value, or_equal: bool, swapped: bool) -> Res<bool> {
    use convert::{Hint, to_primitive};
    let (x, y) = if swapped {
        let y = to_primitive(cx, m, y, Hint::Number)?;
        (to_primitive(cx, m, x, Hint::Number)?, y)
    } else {
        let x = to_primitive(cx, m, x, Hint::Number)?;
        (x, to_primitive(cx, m, y, Hint::Number)?)
    };
    if or_equal {
        // x <= y is not (y < x), and false for NaN
        Ok(convert::less_than(cx, m, y, x)? == Some(false))
    } else {
        Ok(convert::less_than(cx, m, x, y)? == Some(true))
    }
}

fn branches<'c>(cx: &mut Cx, m: Mem<'c>, fr: &mut Frame<'c>, i: u32, code: Code<'c>) -> Res<()> {
    let (x, y, k) = (fr.win.get(a(i)), fr.win.get(b(i)), int(imm16(i)));
    // for a swapped operator the operand that was written first stands in b
    let swapped = c(i) == 1;
    let immediate = (JLTI..=JSNEI).contains(&(i as u8));
    if i as u8 >= JLT && !(is_number(x) && (immediate || is_number(y))) {
        cx.charge(1)?;
    }
    let taken = match i as u8 {
        JT => truthy(m, x),
        JF => !truthy(m, x),
        JNULL => is_nullish(x),
        JNNULL => !is_nullish(x),
        JUNDEF => x == UNDEF,
        JNUNDEF => x != UNDEF,
        JLT => relational(cx, m, x, y, false, swapped)?,
        JNLT => !relational(cx, m, x, y, false, swapped)?,
        JLE => relational(cx, m, x, y, true, swapped)?,
        JNLE => !relational(cx, m, x, y, true, swapped)?,
        JSEQ => convert::strict_equals(cx, m, x, y)?,
        JSNE => !convert::strict_equals(cx, m, x, y)?,
        JEQ => convert::loose_equals(cx, m, x, y)?,
        JNE => !convert::loose_equals(cx, m, x, y)?,
        JLTI => relational(cx, m, x, k, false, false)?,
        JNLTI => !relational(cx, m, x, k, false, false)?,
        JLEI => relational(cx, m, x, k, true, false)?,
        JNLEI => !relational(cx, m, x, k, true, false)?,
        JGTI => relational(cx, m, k, x, false, true)?,
        JNGTI => !relational(cx, m, k, x, false, true)?,
        JGEI => relational(cx, m, k, x, true, true)?,
        JNGEI => !relational(cx, m, k, x, true, true)?,
        JSEQI => convert::strict_equals(cx, m, x, k)?,
        JSNEI => !convert::strict_equals(cx, m, x, k)?,
        _ => return Err(cx.stop(Abort::Corrupt)),
    };
    jump(cx, fr, code, taken)
}
