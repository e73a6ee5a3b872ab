//! Calls: what the fast path leaves over, construction, calls made for an instruction, calls from native code.
//!
//! ```text
//! a call made for an instruction (an accessor, spread, a bound function), above the caller's frame:
//!   [ place to go on << 32 | register for the result ] [ r0 callee ] [ r1 ] [ r2 this ] [ r3 … arguments ]
//! a construction: the same with new.target between the note and r0
//! ```
use super::fast::{a, b};
use super::{Frame, GO, callee, frame_end, function_at, middle, run, safepoint, unwind};
use crate::array;
use crate::builtins;
use crate::code::F_BUILTIN;
use crate::code::op::*;
use crate::cx::{Abort, Args, Cx, MAX_NATIVE_DEPTH, Res, Stop, Value};
use crate::engine::{STUB_EXIT, STUB_GETRET, STUB_NEWRET};
use crate::kinds::{BOUND, FN, NATIVE};
use crate::{convert, function, object, roots, send, string};
use cage::layout::{FRAMES, STACK_END, UNITS, WINDOW};
use cage::value::*;
use cage::{Code, Mem, Win};
use std::borrow::Cow;

/// Arguments of one call at most.
pub const MAX_ARGS: usize = 60_000;
/// No register: the result is dropped.
pub(super) const NOWHERE: u8 = 255;
/// Room left at the end of the frame stack for native frames' arguments.
const STACK_MARGIN: u32 = 4096;
/// No frame that begins here or further up is laid by the fast path.
pub(super) const FAST_END: u32 = STACK_END - STACK_MARGIN - 2 * WINDOW;
/// Bytes by which the part of the stack that the fast path may use grows at least.
const STACK_STEP: u32 = 1024;

// long: one arm an instruction
pub(super) fn exec<'c>(cx: &mut Cx, m: Mem<'c>, fr: &mut Frame<'c>, i: u32, code: Code<'c>) -> Res<()> {
    let win = fr.win;
    match i as u8 {
        CALL => {
            win.set(a(i).wrapping_add(2), UNDEF);
            call_at(cx, m, fr, a(i), b(i), code)
        }
        CALLM => call_at(cx, m, fr, a(i), b(i), code),
        CALLV => {
            let args = elements(cx, m, win.get(a(i).wrapping_add(3)))?;
            let f = win.get(a(i));
            if !object::is_callable(m, f) {
                return Err(no_callee(cx, m, fr, f, "function"));
            }
            push_call(cx, m, fr, code, win.get(a(i)), win.get(a(i).wrapping_add(2)), &args, a(i))
        }
        NEW | NEWV => {
            let args = if i as u8 == NEWV {
                elements(cx, m, win.get(a(i).wrapping_add(3)))?
            } else {
                (0..b(i)).map(|k| win.get(a(i).wrapping_add(3 + k))).collect()
            };
            push_construct(cx, m, fr, code, win.get(a(i)), &args, a(i))
        }
        RET | RETU => {
            // the fast path did not want it: the meter must be looked at
            cx.charge(1)?;
            let v = if i as u8 == RET { win.get(a(i)) } else { UNDEF };
            super::coro::leave(m, fr, v);
            Ok(())
        }
        REST => {
            safepoint(cx, m, frame_end(m, win, code))?;
            let list = extra_args(m, win, code);
            let v = array::from_slice(cx, m, &list)?;
            win.set(a(i), v);
            Ok(())
        }
        ARGS => {
            safepoint(cx, m, frame_end(m, win, code))?;
            let v = arguments_object(cx, m, win, code)?;
            win.set(a(i), v);
            Ok(())
        }
        SEND | SENDV => {
            let (target, key) = (win.get(a(i)), win.get(a(i).wrapping_add(1)));
            let mut few = [UNDEF; send::FEW];
            let args = if i as u8 == SENDV {
                Cow::Owned(elements(cx, m, win.get(a(i).wrapping_add(2)))?)
            } else {
                let at = |k: usize| win.get(a(i).wrapping_add(2 + k as u8));
                send::listed(&mut few, super::fast::c(i) as usize, at)
            };
            let form = b(i);
            let key = if form & 3 == 2 { UNDEF } else { object::to_key(cx, m, key)? };
            let v = send::send(cx, m, target, form & 3, key, &args, form & 4 != 0)?;
            win.set(a(i), v);
            Ok(())
        }
        THROW => {
            let v = win.get(a(i));
            Err(cx.throw(v))
        }
        THROWC => {
            let name = super::units::constant(cx, m, win.get(0), code.word(fr.pc))?;
            let t = string::to_rust(cx, m, name)?;
            Err(cx.type_error(m, &format!("Assignment to constant variable '{t}'")))
        }
        NEWTARGET => {
            let constructed = (win.get(1) >> 32) as u32 == STUB_NEWRET || cx.constructing.last() == Some(&m.off(win));
            let nt = if constructed { m.r64(m.off(win).wrapping_sub(8), 0) } else { UNDEF };
            win.set(a(i), nt);
            Ok(())
        }
        _ => Err(cx.stop(Abort::Corrupt)),
    }
}

/// The elements of an argument list.
fn elements(cx: &mut Cx, m: Mem, list: Value) -> Res<Vec<Value>> {
    if !array::is_array(m, list) {
        return Err(cx.stop(Abort::Corrupt));
    }
    if array::dense_len(m, list) as usize > MAX_ARGS {
        return Err(cx.range_error(m, "limit: arguments of a call"));
    }
    Ok(array::values(cx, m, list)?.into_iter().map(|v| if v == HOLE { UNDEF } else { v }).collect())
}

#[cold]
fn not_callable(cx: &mut Cx, m: Mem, f: Value, what: &str) -> Stop {
    let shown = match f {
        _ if is_obj(f) => "object".to_owned(),
        _ if is_str(f) => "string".to_owned(),
        _ if is_sym(f) => "symbol".to_owned(),
        _ => convert::to_shown(cx, m, f).unwrap_or_default(),
    };
    cx.type_error(m, &format!("{shown} is not a {what}"))
}

/// As `not_callable`, for the call instruction of a frame: named as the source names the callee.
#[cold]
fn no_callee(cx: &mut Cx, m: Mem, fr: &Frame, f: Value, what: &str) -> Stop {
    let at = function_at(m, fr.win);
    let named = function::code_of(cx, m, fr.win.get(0)).and_then(|(unit, i)| {
        let info = &unit.unit.functions[i];
        if info.flags & F_BUILTIN != 0 {
            return None;
        }
        let byte = info.byte_at(fr.pc.wrapping_sub(1).wrapping_sub(at))? as usize;
        if what == "constructor" { callee::path_from(&unit.unit.source, byte) } else { callee::path_to(&unit.unit.source, byte) }
    });
    match named {
        Some(name) => cx.type_error(m, &format!("{name} is not a {what}")),
        None => not_callable(cx, m, f, what),
    }
}

/// What a frame that does not fit means: the limit, or in unlocked realms an error that can be caught.
#[cold]
fn too_deep(cx: &mut Cx, m: Mem) -> Stop {
    if roots::get(m, roots::R_UNLOCKED) == TRUE {
        return cx.range_error(m, "Maximum call stack size exceeded");
    }
    cx.stop(Abort::Depth)
}

/// CALL, CALLM: the callee is no plain closure, or its frame did not fit, or fuel is out.
fn call_at<'c>(cx: &mut Cx, m: Mem<'c>, fr: &mut Frame<'c>, at: u8, argc: u8, code: Code<'c>) -> Res<()> {
    let win = fr.win;
    let f = win.get(at);
    if !is_obj(f) {
        return Err(no_callee(cx, m, fr, f, "function"));
    }
    match object::kind(m, f) {
        NATIVE => {
            let base = m.off(win).wrapping_add(at as u32 * 8);
            let number = function::native_number(m, f);
            if number == builtins::FUNCTION_CALL || number == builtins::FUNCTION_APPLY {
                return call_apply(cx, m, fr, at, argc, number, code);
            }
            let v = run_native(cx, m, f, Args { base, argc: argc as u32, new_target: UNDEF })?;
            win.set(at, v);
            let behind = cx.heap.nur >= cage::layout::NURSERY2 || cx.heap.wants_collect();
            if cx.native_depth == 0 && (behind || cx.stress) {
                return super::collect(cx, m, frame_end(m, win, code));
            }
            Ok(())
        }
        BOUND => {
            let args: Vec<Value> = (0..argc).map(|k| win.get(at.wrapping_add(3 + k))).collect();
            push_call(cx, m, fr, code, f, UNDEF, &args, at)
        }
        FN => {
            let base = m.off(win).wrapping_add(at as u32 * 8);
            let delta = at as u32;
            let args = argc as u32;
            // deep stacks grow in large steps
            let step = WINDOW + STACK_STEP + base.saturating_sub(FRAMES) / 4;
            cx.heap.use_stack(base.saturating_add(step).min(FAST_END + WINDOW));
            enter(cx, m, fr, f, base, args, fr.pc, delta, code)
        }
        _ => Err(no_callee(cx, m, fr, f, "function")),
    }
}

/// A builtin called by CALL or CALLM (`i`), its window laid out: gives GO and where to go on, or how the run ends.
#[inline(never)]
pub(super) fn native_here<'c>(cx: &mut Cx, m: Mem<'c>, win: Win<'c>, pc: u32, i: u32, code: Code<'c>) -> (u64, u64) {
    let at = a(i);
    if i as u8 == CALL {
        win.set(at.wrapping_add(2), UNDEF);
    }
    let saved = cx.stack_top;
    cx.stack_top = frame_end(m, win, code);
    let args = Args { base: m.off(win).wrapping_add(at as u32 * 8), argc: b(i) as u32, new_target: UNDEF };
    let mut r = run_native(cx, m, win.get(at), args);
    if let Ok(v) = r {
        win.set(at, v);
        if cx.native_depth == 0 && (cx.stress || middle::behind(cx)) {
            r = super::collect(cx, m, cx.stack_top).map(|()| v);
        }
    }
    cx.stack_top = saved;
    match r {
        Ok(_) => (GO, (m.off(win) as u64) << 32 | pc as u64),
        Err(Stop::Throw) => match unwind::unwind(cx, m, win, pc.wrapping_sub(1), code) {
            Ok(f) => (GO, (m.off(f.win) as u64) << 32 | f.pc as u64),
            Err(s) => (middle::exit_of(s), 0),
        },
        Err(s) => (middle::exit_of(s), 0),
    }
}

/// f.call(this, …) and f.apply(this, list) without a native frame.
fn call_apply<'c>(cx: &mut Cx, m: Mem<'c>, fr: &mut Frame<'c>, at: u8, argc: u8, number: u16, code: Code<'c>) -> Res<()> {
    let win = fr.win;
    let f = win.get(at.wrapping_add(2));
    let arg = |k: u8| if k < argc { win.get(at.wrapping_add(3 + k)) } else { UNDEF };
    let args: Vec<Value> = if number == builtins::FUNCTION_CALL {
        (1..argc).map(arg).collect()
    } else if is_nullish(arg(1)) {
        Vec::new()
    } else {
        array_like(cx, m, arg(1))?
    };
    if !object::is_callable(m, f) {
        return Err(not_callable(cx, m, f, "function"));
    }
    push_call(cx, m, fr, code, f, arg(0), &args, at)
}

/// CreateListFromArrayLike
pub fn array_like(cx: &mut Cx, m: Mem, v: Value) -> Res<Vec<Value>> {
    if array::simple(m, v).is_some() {
        let n = array::dense_len(m, v);
        if n as usize > MAX_ARGS || (0..n).all(|i| array::element(m, v, i) != HOLE) {
            return elements(cx, m, v);
        }
    }
    if !is_obj(v) {
        return Err(cx.type_error(m, "CreateListFromArrayLike called on non-object"));
    }
    let len = object::get(cx, m, v, roots::get(m, roots::R_STR_LENGTH))?;
    let n = convert::to_length(cx, m, len)?;
    if n > MAX_ARGS as f64 {
        return Err(cx.range_error(m, "limit: arguments of a call"));
    }
    (0..n as i32).map(|i| object::get(cx, m, v, int(i))).collect()
}

/// Runs a builtin whose window is laid out.
fn run_native(cx: &mut Cx, m: Mem, f: Value, args: Args) -> Res {
    let Some(n) = builtins::native(function::native_number(m, f)) else { return Err(cx.stop(Abort::Corrupt)) };
    cx.charge(1)?;
    let top = args.base.wrapping_add((3 + args.argc) * 8);
    let saved = cx.stack_top;
    cx.stack_top = saved.max(top);
    let r = (n.run)(cx, m, args);
    cx.stack_top = saved;
    r
}

/// Enters closure `f` whose window is at `base` with its arguments laid out.
// long: the arguments are the frame
#[expect(clippy::too_many_arguments)]
fn enter<'c>(
    cx: &mut Cx,
    m: Mem<'c>,
    fr: &mut Frame<'c>,
    f: Value,
    base: u32,
    argc: u32,
    ret: u32,
    delta: u32,
    code: Code<'c>,
) -> Res<()> {
    let cw = m.r64(f as u32, 16);
    let at = m.r32(UNITS + ((cw as u32) & 0x3FFF) * 16, 0).wrapping_add((cw >> 32) as u32);
    let h = code.word(at);
    let (nregs, nparams) = (h as u8 as u32, (h >> 8) as u8 as u32);
    if base.wrapping_add((nregs + argc + 8) * 8) >= STACK_END - STACK_MARGIN || base < FRAMES {
        return Err(too_deep(cx, m));
    }
    cx.charge(1)?;
    cx.heap.use_stack(base + nregs.max(3 + nparams.max(argc)) * 8);
    for k in argc..nparams {
        m.w64(base + (3 + k) * 8, 0, UNDEF);
    }
    let new = m.win(base);
    new.set(0, f);
    new.set(1, (ret as u64) << 32 | (argc.min(0xFFFF) as u64) << 16 | (delta & 0xFFFF) as u64);
    fr.win = new;
    fr.pc = at.wrapping_add(2);
    Ok(())
}

/// Unwraps bound functions: target, this, arguments.
fn unbind<'a>(cx: &mut Cx, m: Mem, mut f: Value, mut this: Value, args: &'a [Value]) -> Res<(Value, Value, Cow<'a, [Value]>)> {
    if !is_obj(f) || object::kind(m, f) != BOUND {
        return Ok((f, this, Cow::Borrowed(args)));
    }
    let mut args = args.to_vec();
    while is_obj(f) && object::kind(m, f) == BOUND {
        let e = m.r64(f as u32, 32) as u32;
        let n = m.r32(e, cage::layout::H_X).min(MAX_ARGS as u32);
        cx.charge(1 + (args.len() as u64 + n as u64) / 4)?;
        let mut all: Vec<Value> = (0..n).map(|k| m.r64(e.wrapping_add(8 + k * 8), 0)).collect();
        all.append(&mut args);
        if all.len() > MAX_ARGS {
            return Err(cx.range_error(m, "limit: arguments of a call"));
        }
        args = all;
        this = m.r64(f as u32, 24);
        f = m.r64(f as u32, 16);
    }
    Ok((f, this, Cow::Owned(args)))
}

/// Lays `this` and arguments at `base`; the caller has checked that they fit.
fn lay(m: Mem, base: u32, f: Value, this: Value, args: &[Value]) {
    m.w64(base, 0, f);
    m.w64(base, 8, 0);
    m.w64(base, 16, this);
    for (k, v) in args.iter().enumerate() {
        m.w64(base + 24 + k as u32 * 8, 0, *v);
    }
}

fn room(cx: &mut Cx, m: Mem, base: u32, args: &[Value]) -> Res<()> {
    cx.charge(args.len() as u64 / 8)?;
    if base < FRAMES || base.saturating_add((args.len() as u32 + 16) * 8) >= STACK_END - STACK_MARGIN {
        return Err(too_deep(cx, m));
    }
    cx.heap.use_stack(base + (args.len() as u32 + 16) * 8);
    Ok(())
}

/// Calls `f` for the instruction at hand; the result goes to register `dest`, then the machine goes on at `fr.pc`.
#[expect(clippy::too_many_arguments)]
pub(super) fn push_call<'c>(
    cx: &mut Cx,
    m: Mem<'c>,
    fr: &mut Frame<'c>,
    code: Code<'c>,
    f: Value,
    this: Value,
    args: &[Value],
    dest: u8,
) -> Res<()> {
    let (f, this, args) = unbind(cx, m, f, this, args)?;
    if !object::is_callable(m, f) {
        return Err(not_callable(cx, m, f, "function"));
    }
    let end = frame_end(m, fr.win, code);
    room(cx, m, end, &args)?;
    lay(m, end + 8, f, this, &args);
    if object::kind(m, f) == NATIVE {
        let v = run_native(cx, m, f, Args { base: end + 8, argc: args.len() as u32, new_target: UNDEF })?;
        if dest != NOWHERE {
            fr.win.set(dest, v);
        }
        return Ok(());
    }
    m.w64(end, 0, (fr.pc as u64) << 32 | dest as u64);
    let delta = (end + 8 - m.off(fr.win)) / 8;
    enter(cx, m, fr, f, end + 8, args.len() as u32, STUB_GETRET, delta, code)
}

/// OrdinaryCreateFromConstructor for `new f` of a plain closure.
fn make_this(cx: &mut Cx, m: Mem, f: Value, new_target: Value) -> Res {
    let builtin = function::code_of(cx, m, f).is_some_and(|(u, i)| u.unit.functions[i].flags & F_BUILTIN != 0);
    if builtin {
        return Ok(UNDEF);
    }
    let proto = function::proto_from(cx, m, new_target, roots::R_OBJECT_PROTO)?;
    object::create(cx, m, proto)
}

fn push_construct<'c>(
    cx: &mut Cx,
    m: Mem<'c>,
    fr: &mut Frame<'c>,
    code: Code<'c>,
    f: Value,
    args: &[Value],
    dest: u8,
) -> Res<()> {
    if !function::is_constructor(cx, m, f) {
        return Err(no_callee(cx, m, fr, f, "constructor"));
    }
    let (f, _, args) = unbind(cx, m, f, UNDEF, args)?;
    let end = frame_end(m, fr.win, code);
    room(cx, m, end, &args)?;
    if object::kind(m, f) == NATIVE {
        lay(m, end, f, UNDEF, &args);
        let v = run_native(cx, m, f, Args { base: end, argc: args.len() as u32, new_target: f })?;
        fr.win.set(dest, v);
        return Ok(());
    }
    let this = make_this(cx, m, f, f)?;
    lay(m, end + 16, f, this, &args);
    m.w64(end, 0, (fr.pc as u64) << 32 | dest as u64);
    m.w64(end, 8, f);
    let delta = (end + 16 - m.off(fr.win)) / 8;
    enter(cx, m, fr, f, end + 16, args.len() as u32, STUB_NEWRET, delta, code)
}

/// GETRET, NEWRET: the call made for an instruction is over.
pub(super) fn came_back<'c>(m: Mem<'c>, fr: &mut Frame<'c>, op: u8, code: Code<'c>) {
    let end = frame_end(m, fr.win, code);
    let note = m.r64(end, 0);
    let v = if op == GETRET {
        m.r64(end, 8)
    } else {
        let r = m.r64(end, 16);
        if is_obj(r) { r } else { m.r64(end, 32) }
    };
    if note as u8 != NOWHERE {
        fr.win.set(note as u8, v);
    }
    fr.pc = (note >> 32) as u32;
}

/// Arguments beyond the parameters.
fn extra_args(m: Mem, win: Win, code: Code) -> Vec<Value> {
    let nparams = (code.word(function_at(m, win)) >> 8) as u8 as u32;
    let argc = (win.get(1) >> 16) as u32 & 0xFFFF;
    let base = m.off(win);
    (nparams..argc).map(|k| m.r64(base.wrapping_add(24 + k * 8), 0)).collect()
}

/// CreateUnmappedArgumentsObject
fn arguments_object(cx: &mut Cx, m: Mem, win: Win, _code: Code) -> Res {
    let argc = (win.get(1) >> 16) as u32 & 0xFFFF;
    let base = m.off(win);
    let o = object::of_kind(cx, m, crate::kinds::ARGS, roots::get(m, roots::R_SHAPE_ARGS) as u32)?;
    cx.charge(argc as u64 * 2)?;
    for k in 0..argc {
        object::create_data(cx, m, o, int(k as i32), m.r64(base.wrapping_add(24 + k * 8), 0))?;
    }
    let wc = crate::shape::WC;
    let len = roots::get(m, roots::R_STR_LENGTH);
    object::add_property(cx, m, o, len, wc, int(argc as i32))?;
    let it = roots::get(m, roots::R_SYM_ITERATOR);
    object::add_property(cx, m, o, it, wc, roots::get(m, roots::R_ARRAY_VALUES))?;
    let t = roots::get(m, roots::R_THROW_TYPE_ERROR);
    if is_obj(t) {
        let key = roots::get(m, roots::R_STR_CALLEE);
        let d =
            object::Desc { get: Some(t), set: Some(t), enumerable: Some(false), configurable: Some(false), ..Default::default() };
        object::define_or_throw(cx, m, o, key, d)?;
    }
    Ok(o)
}

/// Call(f, this, args) from native code: runs to its end before it returns; nothing is collected meanwhile.
pub fn call(cx: &mut Cx, m: Mem, f: Value, this: Value, args: &[Value]) -> Res {
    let (f, this, args) = unbind(cx, m, f, this, args)?;
    if !object::is_callable(m, f) {
        return Err(not_callable(cx, m, f, "function"));
    }
    nested(cx, m, |cx| {
        let base = cx.stack_top;
        room(cx, m, base, &args)?;
        lay(m, base, f, this, &args);
        run_laid(cx, m, f, base, args.len() as u32, UNDEF)
    })
}

/// Construct(f, args, new_target) from native code.
pub fn construct(cx: &mut Cx, m: Mem, f: Value, args: &[Value], new_target: Value) -> Res {
    if !function::is_constructor(cx, m, f) {
        return Err(not_callable(cx, m, f, "constructor"));
    }
    let mut link = f;
    let (f, _, args) = unbind(cx, m, f, UNDEF, args)?;
    // a bound function that is itself the new target stands for its target
    let mut new_target = new_target;
    while object::kind(m, link) == BOUND {
        let target = m.r64(link as u32, 16);
        if link == new_target {
            new_target = target;
        }
        link = target;
    }
    nested(cx, m, |cx| {
        let base = cx.stack_top;
        room(cx, m, base, &args)?;
        if object::kind(m, f) == NATIVE {
            lay(m, base, f, UNDEF, &args);
            return run_native(cx, m, f, Args { base, argc: args.len() as u32, new_target });
        }
        let this = make_this(cx, m, f, new_target)?;
        // a frame of its own, whose result NEWRET would take: here Rust does
        m.w64(base, 0, new_target);
        lay(m, base + 8, f, this, &args);
        let v = run_constructor(cx, m, f, base + 8, args.len() as u32)?;
        Ok(if is_obj(v) { v } else { m.r64(base, 24) })
    })
}

fn run_constructor(cx: &mut Cx, m: Mem, f: Value, base: u32, argc: u32) -> Res {
    // the frame returns to Rust, not to NEWRET: NEWTARGET knows it by its address
    let engine = cx.engine.clone();
    let code = engine.space.code();
    let mut fr = Frame { win: m.win(base), pc: 0 };
    enter(cx, m, &mut fr, f, base, argc, STUB_EXIT, 0, code)?;
    cx.constructing.push(base);
    let r = run(cx, m, fr.win, fr.pc, code);
    cx.constructing.pop();
    r?;
    Ok(m.r64(base, 0))
}

fn nested<T>(cx: &mut Cx, m: Mem, body: impl FnOnce(&mut Cx) -> Res<T>) -> Res<T> {
    if cx.native_depth >= MAX_NATIVE_DEPTH {
        if roots::get(m, roots::R_UNLOCKED) == TRUE {
            return Err(cx.range_error(m, "Maximum call stack size exceeded"));
        }
        return Err(cx.stop(Abort::NativeDepth));
    }
    cx.native_depth += 1;
    let saved = cx.stack_top;
    let r = body(cx);
    cx.stack_top = saved;
    cx.native_depth -= 1;
    r
}

/// Runs `f` whose window is laid out at `base`.
fn run_laid(cx: &mut Cx, m: Mem, f: Value, base: u32, argc: u32, new_target: Value) -> Res {
    if object::kind(m, f) == NATIVE {
        return run_native(cx, m, f, Args { base, argc, new_target });
    }
    let engine = cx.engine.clone();
    let code = engine.space.code();
    let mut fr = Frame { win: m.win(base), pc: 0 };
    enter(cx, m, &mut fr, f, base, argc, STUB_EXIT, 0, code)?;
    run(cx, m, fr.win, fr.pc, code)?;
    Ok(m.r64(base, 0))
}

/// A call from the bottom of a turn: the machine may collect during it, and `keep` is kept up to date.
pub fn call_rooted(cx: &mut Cx, m: Mem, f: Value, this: Value, args: &[Value], keep: &mut [Value]) -> Res {
    let (f, this, args) = unbind(cx, m, f, this, args)?;
    if !object::is_callable(m, f) {
        return Err(not_callable(cx, m, f, "function"));
    }
    let saved = cx.stack_top;
    let kept = keep.len() as u32;
    cx.heap.use_stack(saved + kept * 8);
    for (i, v) in keep.iter().enumerate() {
        m.w64(saved + i as u32 * 8, 0, *v);
    }
    let base = saved + kept * 8;
    let r = room(cx, m, base, &args).and_then(|()| {
        lay(m, base, f, this, &args);
        cx.stack_top = base + (3 + args.len() as u32) * 8;
        run_laid(cx, m, f, base, args.len() as u32, UNDEF)
    });
    cx.stack_top = saved;
    for (i, v) in keep.iter_mut().enumerate() {
        *v = m.r64(saved + i as u32 * 8, 0);
    }
    r
}

/// A call that a job makes: collecting during it is fine unless the jobs themselves run under native code. What the
/// caller needs afterwards it must find by way of the heap.
pub fn call_job(cx: &mut Cx, m: Mem, f: Value, this: Value, args: &[Value]) -> Res {
    if cx.native_depth == 0 { call_rooted(cx, m, f, this, args, &mut []) } else { call(cx, m, f, this, args) }
}
