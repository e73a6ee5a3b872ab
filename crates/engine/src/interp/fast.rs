//! Fast paths: each instruction's common case, without calls, without allocation slow paths.
//! Length: a table of instructions.
//!
//! In: a frame and an instruction. Out: the effect, or `None` and **no effect at all**: then the slow path does the
//! whole instruction again.
//!
//! Invariants
//! - no local with a destructor, no call that is not inlined: a handler must compile to a jump at its end;
//! - what is rare lies behind `cold_path`: a conditional move in place of the branch would make every addition wait for the
//!   sum as doubles;
//! - every backward jump, call and return takes fuel, and PAY, which stands in code that goes on for long without;
//! - registers, code and heap are reached through accessors that cannot leave their reservations.
use crate::cx::Cx;
use crate::kinds::*;
use cage::heap::store;
use cage::layout::*;
use cage::value::*;
use cage::{Code, Mem, Win};
use std::hint::cold_path;

#[inline(always)]
pub fn a(i: u32) -> u8 {
    (i >> 8) as u8
}
#[inline(always)]
pub fn b(i: u32) -> u8 {
    (i >> 16) as u8
}
#[inline(always)]
pub fn c(i: u32) -> u8 {
    (i >> 24) as u8
}
/// The 16-bit immediate of fields b and c.
#[inline(always)]
pub fn imm16(i: u32) -> i32 {
    (i as i32) >> 16
}
#[inline(always)]
fn ok(c: bool) -> Option<()> {
    if c {
        Some(())
    } else {
        cold_path();
        None
    }
}

macro_rules! ops { ($($name:ident($cx:ident, $m:ident, $win:ident, $pc:ident, $i:ident, $code:ident) $body:block)*) => { $(
    #[inline(always)]
    pub fn $name<'c>($cx: &mut Cx, $m: Mem<'c>, $win: &mut Win<'c>, $pc: &mut u32, $i: u32, $code: Code<'c>) -> Option<()> {
        let _ = (&$cx, &$m, &$win, &$pc, &$i, &$code);
        $body
        Some(())
    }
)* } }

/// A function word as linked: `1 : 1 | root of its shape : 7 | born hardened : 1 | offset of its header words : 23`.
pub const FUNC_HARDENED: u32 = 1 << 23;
pub const FUNC_OFFSET: u32 = FUNC_HARDENED - 1;

/// Jumps by the word at `pc` (or not), charging backward jumps.
#[inline(always)]
fn branch(cx: &mut Cx, pc: &mut u32, code: Code, taken: bool) -> Option<()> {
    let next = pc.wrapping_add(1);
    if taken {
        let rel = code.word(*pc) as i32;
        if rel < 0 {
            cx.fuel = cx.fuel.checked_sub(1)?;
        }
        *pc = next.wrapping_add(rel as u32);
    } else {
        *pc = next;
    }
    Some(())
}

/// `x op y` for two numbers, else `None`.
macro_rules! compare { ($x:expr, $y:expr, $op:tt) => {{
    let (x, y) = ($x, $y);
    if x & y >= INT {
        (x as u32 as i32) $op (y as u32 as i32)
    } else {
        ok(is_number(x) & is_number(y))?;
        num(x) $op num(y)
    }
}} }
macro_rules! compare_imm { ($x:expr, $y:expr, $op:tt) => {{
    let (x, y) = ($x, $y);
    if is_int(x) {
        (x as u32 as i32) $op y
    } else {
        ok(is_double(x))?;
        f64::from_bits(x) $op y as f64
    }
}} }
macro_rules! arith { ($win:ident, $i:ident, $checked:ident, $op:tt) => {{
    let (x, y) = ($win.get(b($i)), $win.get(c($i)));
    if x & y >= INT {
        let (p, q) = (x as u32 as i32, y as u32 as i32);
        let r = match p.$checked(q) {
            Some(r) => int(r),
            None => {
                cold_path();
                (p as f64 $op q as f64).to_bits()
            }
        };
        $win.set(a($i), r);
    } else {
        ok(is_number(x) & is_number(y))?;
        let r = num(x) $op num(y);
        ok(!r.is_nan())?;
        $win.set(a($i), r.to_bits());
    }
}} }
macro_rules! bits {
    ($win:ident, $i:ident, $x:ident, $y:ident, $r:expr) => {{
        let (vx, vy) = ($win.get(b($i)), $win.get(c($i)));
        ok(vx & vy >= INT)?;
        let ($x, $y) = (vx as u32 as i32, vy as u32 as i32);
        $win.set(a($i), int($r));
    }};
}
macro_rules! bits_imm {
    ($win:ident, $i:ident, $x:ident, $y:ident, $r:expr) => {{
        let vx = $win.get(b($i));
        ok(is_int(vx))?;
        let ($x, $y) = (vx as u32 as i32, c($i) as i32);
        $win.set(a($i), int($r));
    }};
}
/// Equal for sure (Some(true)), different for sure, or `None` (two strings, two bigints).
macro_rules! same {
    ($x:expr, $y:expr) => {{
        let (x, y) = ($x, $y);
        if x & y >= INT {
            x == y
        } else if is_number(x) & is_number(y) {
            num(x) == num(y)
        } else if x == y {
            true
        } else {
            ok(x >> 48 != y >> 48 || !(is_str(x) | is_big(x)))?;
            false
        }
    }};
}

/// A sum that left the ints.
#[inline(always)]
fn wide(f: f64) -> u64 {
    cold_path();
    f.to_bits()
}
#[inline(always)]
fn rem(x: i32, y: i32) -> Option<i32> {
    ok(y > 0)?;
    let r = x % y;
    ok(r != 0 || x >= 0)?;
    Some(r)
}
#[inline(always)]
fn cap(m: Mem, win: Win, n: u8) -> u64 {
    m.r64((win.get(0) as u32).wrapping_add(n as u32 * 8), 24)
}
/// ToBoolean of what needs no look at the heap.
#[inline(always)]
fn truthy(m: Mem, v: u64) -> Option<bool> {
    if is_bool(v) {
        Some(v == TRUE)
    } else if is_int(v) {
        Some(v as u32 != 0)
    } else if is_obj(v) {
        Some(true)
    } else if is_nullish(v) {
        Some(false)
    } else if is_str(v) {
        Some(m.r32(v as u32, H_X) != 0)
    } else {
        None
    }
}
/// Address of element `x` of array `o`, if it is there.
#[inline(always)]
fn elem(m: Mem, o: u64, x: u64) -> Option<u32> {
    ok(is_obj(o) & is_int(x))?;
    ok(m.r8(o as u32, H_KIND) == ARR)?;
    let e = m.r32(o as u32, 8);
    ok((x as u32) < m.r32(e, H_X))?;
    Some(e.wrapping_add((x as u32).wrapping_mul(8)).wrapping_add(8))
}
/// Where the stack is known to be used a call by the fast path finds room for a whole window, and the margin at the end is far.
const _: () = assert!(super::calls::FAST_END + cage::layout::WINDOW < STACK_END - 4096);

/// Lays the frame of closure r[a] over the caller's. With `FILL` missing arguments become undefined; without, a call with
/// too few is not for the fast path (a loop there would cost every call six saved registers).
#[inline(always)]
pub(super) fn enter<'c, const FILL: bool>(
    cx: &mut Cx,
    m: Mem<'c>,
    win: &mut Win<'c>,
    pc: &mut u32,
    i: u32,
    code: Code<'c>,
) -> Option<Win<'c>> {
    let f = win.get(a(i));
    ok(is_obj(f))?;
    ok(m.r8(f as u32, H_KIND) == FN)?;
    let cw = m.r64(f as u32, 16);
    let unit = m.r32(UNITS + ((cw as u32) & 0x3FFF) * 16, 0);
    let at = unit.wrapping_add((cw >> 32) as u32);
    let h = code.word(at);
    let (nparams, argc) = ((h >> 8) as u8, b(i));
    let to = m.off(*win).wrapping_add(a(i) as u32 * 8);
    ok(to < cx.heap.frames_below)?;
    ok(FILL || argc >= nparams)?;
    cx.fuel = cx.fuel.checked_sub(1)?;
    let new = m.win(to);
    if FILL {
        for k in argc..nparams {
            new.set(k.wrapping_add(3), UNDEF);
        }
    }
    new.set(1, (*pc as u64) << 32 | (argc as u64) << 16 | a(i) as u64);
    *pc = at.wrapping_add(2);
    *win = new;
    Some(new)
}

ops! {
    ldi(cx, m, win, pc, i, code) { win.set(a(i), int(imm16(i))); }
    ldv(cx, m, win, pc, i, code) { win.set(a(i), UNDEF | b(i) as u64); }
    ldk(cx, m, win, pc, i, code) {
        let v = m.r64(code.word(*pc), 0);
        ok(v != 0)?;
        *pc = pc.wrapping_add(1);
        win.set(a(i), v);
    }
    ldd(cx, m, win, pc, i, code) { win.set(a(i), code.pair(*pc)); *pc = pc.wrapping_add(2); }
    mov(cx, m, win, pc, i, code) { win.set(a(i), win.get(b(i))); }
    getcap(cx, m, win, pc, i, code) { win.set(a(i), cap(m, *win, b(i))); }
    getcapb(cx, m, win, pc, i, code) {
        let v = m.r64(cap(m, *win, b(i)) as u32, 8);
        ok(v != TDZ)?;
        *pc = pc.wrapping_add(1);
        win.set(a(i), v);
    }
    setcapb(cx, m, win, pc, i, code) {
        let bx = cap(m, *win, b(i)) as u32;
        ok(m.r64(bx, 8) != TDZ)?;
        store(m, bx.wrapping_add(8), win.get(a(i)))?;
        *pc = pc.wrapping_add(1);
    }
    newbox(cx, m, win, pc, i, code) {
        let at = cx.heap.alloc(16)?;
        m.w64(at, 0, header(BOX, 0, 0, 0));
        m.w64(at, 8, win.get(b(i)));
        win.set(a(i), CELL | at as u64);
    }
    getbox(cx, m, win, pc, i, code) {
        let v = m.r64(win.get(b(i)) as u32, 8);
        ok(v != TDZ)?;
        *pc = pc.wrapping_add(1);
        win.set(a(i), v);
    }
    setbox(cx, m, win, pc, i, code) {
        let bx = win.get(a(i)) as u32;
        ok(m.r64(bx, 8) != TDZ)?;
        store(m, bx.wrapping_add(8), win.get(b(i)))?;
        *pc = pc.wrapping_add(1);
    }
    initbox(cx, m, win, pc, i, code) { store(m, (win.get(a(i)) as u32).wrapping_add(8), win.get(b(i)))?; }
    check(cx, m, win, pc, i, code) { ok(win.get(a(i)) != TDZ)?; *pc = pc.wrapping_add(1); }
    closure(cx, m, win, pc, i, code) {
        let n = b(i) as u32;
        let at = cx.heap.alloc(24 + n * 8)?;
        let cw = m.r64(win.get(0) as u32, 16);
        let f = code.word(*pc);
        // as linked by `Engine::load`: root of the shape, born hardened?, offset of the function
        let shape = m.r32(OLD, ((f >> 24 & 0x7F) * 8) as u16);
        let flags = if f & FUNC_HARDENED != 0 { FROZEN | NONEXT | HARDENED | SEALED } else { 0 };
        m.w64(at, 0, header(FN, flags, (2 + n) as u16, shape));
        m.w64(at, 8, UNDEF);
        m.w64(at, 16, cw as u32 as u64 | ((f & FUNC_OFFSET) as u64) << 32);
        let mut k = 0;
        while k < n {
            let w = code.word(pc.wrapping_add(1 + k / 2)) >> (16 * (k & 1));
            let v = if w & 0x8000 != 0 { cap(m, *win, w as u8) } else { win.get(w as u8) };
            m.w64(at.wrapping_add(k * 8), 24, v);
            k += 1;
        }
        *pc = pc.wrapping_add(1 + n.div_ceil(2));
        win.set(a(i), OBJ | at as u64);
    }
    getp(cx, m, win, pc, i, code) {
        let v = own_any(m, win.get(b(i)), code.word(*pc))?;
        *pc = pc.wrapping_add(2);
        win.set(a(i), v);
    }
    getm(cx, m, win, pc, i, code) {
        let o = win.get(b(i));
        let v = own_any(m, o, code.word(*pc))?;
        *pc = pc.wrapping_add(2);
        win.set(a(i), v);
        win.set(a(i).wrapping_add(2), o);
    }
    setp(cx, m, win, pc, i, code) {
        let o = win.get(a(i));
        ok(is_obj(o))?;
        let h = m.r64(o as u32, 0);
        let e = m.r64(code.word(*pc), 0);
        let loc = (e >> 32) as u32;
        ok(((h >> 32) as u32 == e as u32) & (h >> 8 & FROZEN as u64 == 0) & (loc < 0x1_0000))?;
        store(m, (o as u32).wrapping_add(loc), win.get(b(i)))?;
        *pc = pc.wrapping_add(2);
    }
    getlen(cx, m, win, pc, i, code) {
        let o = win.get(b(i));
        if is_obj(o) {
            ok(m.r8(o as u32, H_KIND) == ARR)?;
            win.set(a(i), m.r64(o as u32, 16));
        } else {
            ok(is_str(o))?;
            win.set(a(i), int(m.r32(o as u32, H_X) as i32));
        }
        *pc = pc.wrapping_add(2);
    }
    gete(cx, m, win, pc, i, code) {
        let v = m.r64(elem(m, win.get(b(i)), win.get(c(i)))?, 0);
        ok(v != HOLE)?;
        win.set(a(i), v);
    }
    sete(cx, m, win, pc, i, code) {
        let o = win.get(a(i));
        let at = elem(m, o, win.get(b(i)))?;
        ok(m.r8(o as u32, H_FLAGS) & FROZEN == 0)?;
        ok(m.r64(at, 0) != HOLE)?;
        store(m, at, win.get(c(i)))?;
    }
    getg(cx, m, win, pc, i, code) {
        let v = own_any(m, cap(m, *win, b(i)), code.word(*pc))?;
        *pc = pc.wrapping_add(2);
        win.set(a(i), v);
    }
    newrec(cx, m, win, pc, i, code) {
        let n = c(i) as u32;
        let shape = m.r64(code.word(*pc), 0);
        ok(shape != 0)?;
        let at = cx.heap.alloc(8 + n * 8)?;
        m.w64(at, 0, header(RECORD, 0, n as u16, shape as u32));
        let mut k = 0;
        while k < n {
            m.w64(at.wrapping_add(k * 8), 8, win.get(b(i).wrapping_add(k as u8)));
            k += 1;
        }
        *pc = pc.wrapping_add(1);
        win.set(a(i), OBJ | at as u64);
    }
    newarr(cx, m, win, pc, i, code) {
        let n = c(i) as u32;
        let at = cx.heap.alloc(32 + n * 8)?;
        m.w64(at, 0, header(ARR, 0, 0, m.r32(OLD, crate::roots::R_SHAPE_ARRAY * 8)));
        let e = at.wrapping_add(24);
        m.w64(at, 8, CELL | e as u64);
        m.w64(at, 16, int(n as i32));
        m.w64(e, 0, header(ELEMS, 0, 0, n));
        let mut k = 0;
        while k < n {
            m.w64(e.wrapping_add(k * 8), 8, win.get(b(i).wrapping_add(k as u8)));
            k += 1;
        }
        win.set(a(i), OBJ | at as u64);
    }
    tokey(cx, m, win, pc, i, code) {
        let k = win.get(b(i));
        ok(is_int(k) && !is_nullish(win.get(c(i))))?;
        win.set(a(i), k);
    }
    objcheck(cx, m, win, pc, i, code) { ok(!is_nullish(win.get(a(i))))?; }

    add(cx, m, win, pc, i, code) { arith!(win, i, checked_add, +); }
    sub(cx, m, win, pc, i, code) { arith!(win, i, checked_sub, -); }
    mul(cx, m, win, pc, i, code) {
        let (x, y) = (win.get(b(i)), win.get(c(i)));
        if x & y >= INT {
            let (p, q) = (x as u32 as i32, y as u32 as i32);
            let r = match p.checked_mul(q) {
                Some(r) => {
                    ok(r != 0 || (p | q) >= 0)?; // -0
                    int(r)
                }
                None => {
                    cold_path();
                    (p as f64 * q as f64).to_bits()
                }
            };
            win.set(a(i), r);
        } else {
            ok(is_number(x) & is_number(y))?;
            let r = num(x) * num(y);
            ok(!r.is_nan())?;
            win.set(a(i), r.to_bits());
        }
    }
    div(cx, m, win, pc, i, code) {
        let (x, y) = (win.get(b(i)), win.get(c(i)));
        ok(is_number(x) & is_number(y))?;
        let r = num(x) / num(y);
        let k = r as i32;
        if k as f64 == r && k != 0 {
            win.set(a(i), int(k));
        } else {
            ok(!r.is_nan())?;
            win.set(a(i), r.to_bits());
        }
    }
    modulo(cx, m, win, pc, i, code) {
        let (x, y) = (win.get(b(i)), win.get(c(i)));
        if x & y >= INT {
            win.set(a(i), int(rem(x as u32 as i32, y as u32 as i32)?));
        } else {
            // whole numbers beyond an int, as hashes and generators have them
            ok(is_number(x) & is_number(y))?;
            let (f, g) = (num(x), num(y));
            ok((0.0..9.0e15).contains(&f) & (1.0..9.0e15).contains(&g))?;
            let (p, q) = (f as i64, g as i64);
            ok((p as f64 == f) & (q as f64 == g))?;
            let r = p % q;
            win.set(a(i), if r as i32 as i64 == r { int(r as i32) } else { (r as f64).to_bits() });
        }
    }
    band(cx, m, win, pc, i, code) { bits!(win, i, x, y, x & y); }
    bor(cx, m, win, pc, i, code) { bits!(win, i, x, y, x | y); }
    bxor(cx, m, win, pc, i, code) { bits!(win, i, x, y, x ^ y); }
    shl(cx, m, win, pc, i, code) { bits!(win, i, x, y, x.wrapping_shl(y as u32)); }
    shr(cx, m, win, pc, i, code) { bits!(win, i, x, y, x.wrapping_shr(y as u32)); }
    ushr(cx, m, win, pc, i, code) {
        let (x, y) = (win.get(b(i)), win.get(c(i)));
        ok(x & y >= INT)?;
        let r = (x as u32).wrapping_shr(y as u32);
        ok(r as i32 >= 0)?;
        win.set(a(i), int(r as i32));
    }
    addi(cx, m, win, pc, i, code) {
        let x = win.get(b(i));
        let y = c(i) as i8 as i32;
        if is_int(x) {
            let p = x as u32 as i32;
            win.set(a(i), p.checked_add(y).map_or_else(|| wide(p as f64 + y as f64), int));
        } else {
            ok(is_double(x))?;
            let r = f64::from_bits(x) + y as f64;
            ok(!r.is_nan())?;
            win.set(a(i), r.to_bits());
        }
    }
    subi(cx, m, win, pc, i, code) {
        let x = win.get(b(i));
        let y = c(i) as i8 as i32;
        if is_int(x) {
            let p = x as u32 as i32;
            win.set(a(i), p.checked_sub(y).map_or_else(|| wide(p as f64 - y as f64), int));
        } else {
            ok(is_double(x))?;
            let r = f64::from_bits(x) - y as f64;
            ok(!r.is_nan())?;
            win.set(a(i), r.to_bits());
        }
    }
    muli(cx, m, win, pc, i, code) {
        let x = win.get(b(i));
        let y = c(i) as i8 as i32;
        if is_int(x) {
            let p = x as u32 as i32;
            let r = match p.checked_mul(y) {
                Some(r) => {
                    ok(r != 0 || (p | y) >= 0)?;
                    int(r)
                }
                None => {
                    cold_path();
                    (p as f64 * y as f64).to_bits()
                }
            };
            win.set(a(i), r);
        } else {
            ok(is_double(x))?;
            let r = f64::from_bits(x) * y as f64;
            ok(!r.is_nan())?;
            win.set(a(i), r.to_bits());
        }
    }
    modi(cx, m, win, pc, i, code) {
        let x = win.get(b(i));
        ok(is_int(x))?;
        win.set(a(i), int(rem(x as u32 as i32, c(i) as i32)?));
    }
    bandi(cx, m, win, pc, i, code) { bits_imm!(win, i, x, y, x & y); }
    bori(cx, m, win, pc, i, code) {
        let x = win.get(b(i));
        if is_int(x) {
            win.set(a(i), int(x as u32 as i32 | c(i) as i32));
        } else {
            ok(is_double(x))?;
            let f = f64::from_bits(x);
            ok(f.abs() < 9.0e15)?;
            win.set(a(i), int(f as i64 as i32 | c(i) as i32));
        }
    }
    shli(cx, m, win, pc, i, code) { bits_imm!(win, i, x, y, x.wrapping_shl(y as u32)); }
    shri(cx, m, win, pc, i, code) { bits_imm!(win, i, x, y, x.wrapping_shr(y as u32)); }
    ushri(cx, m, win, pc, i, code) {
        let x = win.get(b(i));
        ok(is_int(x))?;
        let r = (x as u32).wrapping_shr(c(i) as u32);
        ok(r as i32 >= 0)?;
        win.set(a(i), int(r as i32));
    }
    neg(cx, m, win, pc, i, code) {
        let x = win.get(b(i));
        if is_int(x) {
            ok(x as u32 != 0)?;
            win.set(a(i), int((x as u32 as i32).checked_neg()?));
        } else {
            ok(is_double(x) & (x != NAN))?;
            win.set(a(i), (-f64::from_bits(x)).to_bits());
        }
    }
    plus(cx, m, win, pc, i, code) { let x = win.get(b(i)); ok(is_number(x))?; win.set(a(i), x); }
    bnot(cx, m, win, pc, i, code) { let x = win.get(b(i)); ok(is_int(x))?; win.set(a(i), int(!(x as u32 as i32))); }
    not(cx, m, win, pc, i, code) { win.set(a(i), bool(!truthy(m, win.get(b(i)))?)); }
    tonum(cx, m, win, pc, i, code) { let x = win.get(b(i)); ok(is_number(x))?; win.set(a(i), x); }
    inc(cx, m, win, pc, i, code) {
        let x = win.get(b(i));
        ok(is_int(x))?;
        win.set(a(i), int((x as u32 as i32).checked_add(1)?));
    }
    dec(cx, m, win, pc, i, code) {
        let x = win.get(b(i));
        ok(is_int(x))?;
        win.set(a(i), int((x as u32 as i32).checked_sub(1)?));
    }
    lt(cx, m, win, pc, i, code) { win.set(a(i), bool(compare!(win.get(b(i)), win.get(c(i)), <))); }
    le(cx, m, win, pc, i, code) { win.set(a(i), bool(compare!(win.get(b(i)), win.get(c(i)), <=))); }
    gt(cx, m, win, pc, i, code) { win.set(a(i), bool(compare!(win.get(b(i)), win.get(c(i)), >))); }
    ge(cx, m, win, pc, i, code) { win.set(a(i), bool(compare!(win.get(b(i)), win.get(c(i)), >=))); }
    seq(cx, m, win, pc, i, code) { win.set(a(i), bool(same!(win.get(b(i)), win.get(c(i))))); }
    sne(cx, m, win, pc, i, code) { win.set(a(i), bool(!same!(win.get(b(i)), win.get(c(i))))); }
    tostr(cx, m, win, pc, i, code) { let x = win.get(b(i)); ok(is_str(x))?; win.set(a(i), x); }

    jmp(cx, m, win, pc, i, code) {
        let rel = (i as i32) >> 8;
        if rel < 0 {
            cx.fuel = cx.fuel.checked_sub(1)?;
        }
        *pc = pc.wrapping_add(rel as u32);
    }
    jt(cx, m, win, pc, i, code) { let t = truthy(m, win.get(a(i)))?; branch(cx, pc, code, t)?; }
    jf(cx, m, win, pc, i, code) { let t = truthy(m, win.get(a(i)))?; branch(cx, pc, code, !t)?; }
    jnull(cx, m, win, pc, i, code) { branch(cx, pc, code, is_nullish(win.get(a(i))))?; }
    jnnull(cx, m, win, pc, i, code) { branch(cx, pc, code, !is_nullish(win.get(a(i))))?; }
    jundef(cx, m, win, pc, i, code) { branch(cx, pc, code, win.get(a(i)) == UNDEF)?; }
    jnundef(cx, m, win, pc, i, code) { branch(cx, pc, code, win.get(a(i)) != UNDEF)?; }
    jlt(cx, m, win, pc, i, code) { let t = compare!(win.get(a(i)), win.get(b(i)), <); branch(cx, pc, code, t)?; }
    jnlt(cx, m, win, pc, i, code) { let t = compare!(win.get(a(i)), win.get(b(i)), <); branch(cx, pc, code, !t)?; }
    jle(cx, m, win, pc, i, code) { let t = compare!(win.get(a(i)), win.get(b(i)), <=); branch(cx, pc, code, t)?; }
    jnle(cx, m, win, pc, i, code) { let t = compare!(win.get(a(i)), win.get(b(i)), <=); branch(cx, pc, code, !t)?; }
    jseq(cx, m, win, pc, i, code) { let t = same!(win.get(a(i)), win.get(b(i))); branch(cx, pc, code, t)?; }
    jsne(cx, m, win, pc, i, code) { let t = same!(win.get(a(i)), win.get(b(i))); branch(cx, pc, code, !t)?; }
    jlti(cx, m, win, pc, i, code) { let t = compare_imm!(win.get(a(i)), imm16(i), <); branch(cx, pc, code, t)?; }
    jnlti(cx, m, win, pc, i, code) { let t = compare_imm!(win.get(a(i)), imm16(i), <); branch(cx, pc, code, !t)?; }
    jlei(cx, m, win, pc, i, code) { let t = compare_imm!(win.get(a(i)), imm16(i), <=); branch(cx, pc, code, t)?; }
    jnlei(cx, m, win, pc, i, code) { let t = compare_imm!(win.get(a(i)), imm16(i), <=); branch(cx, pc, code, !t)?; }
    jgti(cx, m, win, pc, i, code) { let t = compare_imm!(win.get(a(i)), imm16(i), >); branch(cx, pc, code, t)?; }
    jngti(cx, m, win, pc, i, code) { let t = compare_imm!(win.get(a(i)), imm16(i), >); branch(cx, pc, code, !t)?; }
    jgei(cx, m, win, pc, i, code) { let t = compare_imm!(win.get(a(i)), imm16(i), >=); branch(cx, pc, code, t)?; }
    jngei(cx, m, win, pc, i, code) { let t = compare_imm!(win.get(a(i)), imm16(i), >=); branch(cx, pc, code, !t)?; }
    jseqi(cx, m, win, pc, i, code) {
        let x = win.get(a(i));
        let t = if is_double(x) { f64::from_bits(x) == imm16(i) as f64 } else { x == int(imm16(i)) };
        branch(cx, pc, code, t)?;
    }
    jsnei(cx, m, win, pc, i, code) {
        let x = win.get(a(i));
        let t = if is_double(x) { f64::from_bits(x) == imm16(i) as f64 } else { x == int(imm16(i)) };
        branch(cx, pc, code, !t)?;
    }

    call(cx, m, win, pc, i, code) { enter::<false>(cx, m, win, pc, i, code)?.set(2, UNDEF); }
    callm(cx, m, win, pc, i, code) { enter::<false>(cx, m, win, pc, i, code)?; }
    ret(cx, m, win, pc, i, code) {
        let v = win.get(a(i));
        let back = win.get(1);
        cx.fuel = cx.fuel.checked_sub(1)?;
        win.set(0, v);
        *pc = (back >> 32) as u32;
        *win = m.win(m.off(*win).wrapping_sub((back as u32 & 0xFFFF) * 8));
    }
    retu(cx, m, win, pc, i, code) {
        let back = win.get(1);
        cx.fuel = cx.fuel.checked_sub(1)?;
        win.set(0, UNDEF);
        *pc = (back >> 32) as u32;
        *win = m.win(m.off(*win).wrapping_sub((back as u32 & 0xFFFF) * 8));
    }
    next(cx, m, win, pc, i, code) {
        // an array and a position: the machine iterates it itself
        let (o, x) = (win.get(a(i)), win.get(a(i).wrapping_add(1)));
        ok(is_obj(o) & is_int(x))?;
        ok(m.r8(o as u32, H_KIND) == ARR)?;
        let len = m.r64(o as u32, 16);
        ok(is_int(len))?;
        if (x as u32) < len as u32 {
            let v = m.r64(elem(m, o, x)?, 0);
            ok(v != HOLE)?;
            // first what may fail: the instruction is then done again
            branch(cx, pc, code, true)?;
            win.set(a(i).wrapping_add(2), v);
            win.set(a(i).wrapping_add(1), int((x as u32 as i32).wrapping_add(1)));
            // the jump counts from behind both words
            *pc = pc.wrapping_add(1);
        } else {
            *pc = pc.wrapping_add(1);
            branch(cx, pc, code, true)?;
        }
    }
    nop(cx, m, win, pc, i, code) { }
    pay(cx, m, win, pc, i, code) { cx.fuel = cx.fuel.checked_sub(a(i) as u64)?; }
}

/// Any of the cache's first entry: inline, overflow or elsewhere.
#[inline(always)]
pub fn own_any(m: Mem, o: u64, ic: u32) -> Option<u64> {
    ok(is_obj(o))?;
    let e = m.r64(ic, 0);
    ok(m.r32(o as u32, H_X) == e as u32)?;
    Some(at_loc(m, o, (e >> 32) as u32))
}

/// The value at a cached place: an inline slot, an overflow slot, or (an address of old space) a slot of a prototype.
#[inline(always)]
pub fn at_loc(m: Mem, o: u64, loc: u32) -> u64 {
    if loc < 0x1_0000 {
        m.r64((o as u32).wrapping_add(loc), 0)
    } else if loc < OLD {
        let e = m.r32((o as u32).wrapping_add(loc >> 16), 0);
        m.r64(e.wrapping_add(loc & 0xFFFF), 0)
    } else {
        m.r64(loc, 0)
    }
}

macro_rules! list { ($($num:ident $name:ident;)*) => {
    /// Calls the macro with every (opcode, fast path) pair.
    macro_rules! fast_ops { ($mac:ident) => { $mac! { $($num $name;)* } } }
} }
list! {
    LDI ldi; LDV ldv; LDK ldk; LDD ldd; MOV mov; GETCAP getcap; GETCAPB getcapb; SETCAPB setcapb; NEWBOX newbox;
    GETBOX getbox; SETBOX setbox; INITBOX initbox; CHECK check; CLOSURE closure; GETP getp; GETM getm; SETP setp;
    GETLEN getlen; GETE gete; SETE sete; GETG getg; NEWREC newrec; NEWARR newarr; TOKEY tokey; OBJCHECK objcheck;
    ADD add; SUB sub; MUL mul; DIV div; MOD modulo; BAND band; BOR bor; BXOR bxor; SHL shl; SHR shr; USHR ushr;
    ADDI addi; SUBI subi; MULI muli; MODI modi; BANDI bandi; BORI bori; SHLI shli; SHRI shri; USHRI ushri;
    NEG neg; PLUS plus; BNOT bnot; NOT not; TONUM tonum; INC inc; DEC dec; LT lt; LE le; GT gt; GE ge; SEQ seq; SNE sne;
    TOSTR tostr; JMP jmp; JT jt; JF jf; JNULL jnull; JNNULL jnnull; JUNDEF jundef; JNUNDEF jnundef;
    JLT jlt; JNLT jnlt; JLE jle; JNLE jnle; JSEQ jseq; JSNE jsne; JLTI jlti; JNLTI jnlti; JLEI jlei; JNLEI jnlei;
    JGTI jgti; JNGTI jngti; JGEI jgei; JNGEI jngei; JSEQI jseqi; JSNEI jsnei; CALL call; CALLM callm; RET ret; RETU retu;
    NEXT next; NOP nop; PAY pay;
}
pub(super) use fast_ops;
