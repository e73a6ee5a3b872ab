//! Eventual sends within a vat, and where those leave it that go to presences and remote promises.
//!
//! In: a target, a message, arguments. Out: a promise at once; the delivery is a later job.
//!
//! ```text
//! message TUPLE  1 int: form (0 get, 1 method, 2 apply) | 4 if nobody wants the answer; 2 key; 3 … arguments
//! handler (word 5 of a pending promise, value in R_PRESENCES of a presence)
//!                an object: its traps are called; anything else but undefined: the message goes to R_OUTGOING
//! outgoing TUPLE 1 target, 2 handler, 3 message, 4 result promise or undefined
//! ```
//! Invariants
//! - nothing of the program runs in the job that sends;
//! - what is sent on one promise is delivered in that order: it waits on the promise, moves on when the promise is
//!   resolved to another, and becomes jobs in order when it is settled;
//! - arguments and answers are hardened, and refused if they cannot pass: then the answer is rejected, nothing is thrown.
use crate::cx::{Cx, ErrorKind, Res, Value};
use crate::kinds::*;
use crate::object;
use crate::promise::{self, DELIVER, PENDING, SEND};
use crate::roots::{self, *};
use crate::{array, function, harden, interp, pass, string, table};
use cage::Mem;
use cage::layout::H_X;
use cage::value::*;

pub const GET: u8 = 0;
pub const METHOD: u8 = 1;
pub const APPLY: u8 = 2;
const ONLY: u8 = 4;

/// Sends. `form` is GET, METHOD or APPLY; the promise of the answer, or undefined if `send_only`.
pub fn send(cx: &mut Cx, m: Mem, target: Value, form: u8, key: Value, args: &[Value], send_only: bool) -> Res {
    cx.charge(10 + args.len() as u64)?;
    let key = if form == APPLY { UNDEF } else { object::to_key(cx, m, key)? };
    let result = if send_only { UNDEF } else { answer(cx, m)? };
    for (i, v) in args.iter().enumerate() {
        if is_obj(*v) || is_sym(*v) {
            if let Some(why) = pass::refusal(cx, m, *v, &format!("argument {i}"))? {
                let e = crate::builtins::error::make(cx, m, ErrorKind::Type, &why)?;
                broken(cx, m, result, e)?;
                return Ok(result);
            }
            harden::harden(cx, m, *v)?;
        }
    }
    let mut words = Vec::with_capacity(2 + args.len());
    words.push(int((form | if send_only { ONLY } else { 0 }) as i32));
    words.push(key);
    words.extend_from_slice(args);
    let message = promise::tuple(cx, m, &words)?;
    dispatch(cx, m, target, message, result)?;
    Ok(result)
}

/// A promise as programs get it from a send: hardened where primordials are.
fn answer(cx: &mut Cx, m: Mem) -> Res {
    let p = promise::new_promise(cx, m)?;
    if roots::get(m, R_UNLOCKED) != TRUE {
        harden::mark(cx, m, p);
    }
    Ok(p)
}

/// Brings a message on its way.
fn dispatch(cx: &mut Cx, m: Mem, target: Value, message: Value, result: Value) -> Res<()> {
    let mut target = target;
    while promise::is_promise(m, target) && promise::state(m, target) == PENDING {
        match promise::forwarded(m, target) {
            Some(next) => {
                cx.charge(1)?;
                target = next;
            }
            None if promise::handler(m, target) != UNDEF => {
                let h = promise::handler(m, target);
                return hand_over(cx, m, target, h, message, result);
            }
            None => break,
        }
        cx.charge(1)?;
    }
    if promise::is_promise(m, target) {
        return promise::add_reaction(cx, m, target, SEND, result, message, UNDEF);
    }
    if let Some(h) = presence_handler(cx, m, target)? {
        return hand_over(cx, m, target, h, message, result);
    }
    promise::enqueue_job(cx, m, DELIVER, result, message, target)
}

/// `p` is from now on resolved to pending `next`: the messages that wait on it wait there.
pub fn forward(cx: &mut Cx, m: Mem, waiting: Vec<(Value, Value)>, next: Value) -> Res<()> {
    for (message, result) in waiting {
        dispatch(cx, m, next, message, result)?;
    }
    Ok(())
}

/// A message whose target is rejected.
pub fn broken(cx: &mut Cx, m: Mem, result: Value, reason: Value) -> Res<()> {
    // nobody wants the answer: the failure is reported as a rejection nobody handles
    let p = if result == UNDEF { promise::new_promise(cx, m)? } else { result };
    promise::reject(cx, m, p, reason)
}

/// The handler of a presence.
pub fn presence_handler(cx: &mut Cx, m: Mem, o: Value) -> Res<Option<Value>> {
    let all = roots::get(m, R_PRESENCES);
    if !is_obj(o) || !is_obj(all) { Ok(None) } else { table::weak_get(cx, m, all, o) }
}

/// Makes `handler` answer what is sent to `presence`.
pub fn set_presence_handler(cx: &mut Cx, m: Mem, presence: Value, handler: Value) -> Res<()> {
    let mut all = roots::get(m, R_PRESENCES);
    if !is_obj(all) {
        all = crate::builtins::map_set::new(cx, m, WEAKMAP)?;
        roots::set(cx, m, R_PRESENCES, all);
    }
    table::weak_set(cx, m, all, presence, handler)
}

/// A message for a handler: a job that calls its trap, or an entry of what leaves the vat.
fn hand_over(cx: &mut Cx, m: Mem, target: Value, handler: Value, message: Value, result: Value) -> Res<()> {
    if is_obj(handler) {
        let to = promise::tuple(cx, m, &[target, handler])?;
        return promise::enqueue_job(cx, m, DELIVER, result, message, to);
    }
    let mut out = roots::get(m, R_OUTGOING);
    if !is_obj(out) {
        out = array::with_capacity(cx, m, 4)?;
        roots::set(cx, m, R_OUTGOING, out);
    }
    let t = promise::tuple(cx, m, &[target, handler, message, result])?;
    array::push(cx, m, out, t)
}

/// What left the vat in this turn, in order: TUPLEs (see the head).
pub fn take_outgoing(cx: &mut Cx, m: Mem) -> Vec<Value> {
    let out = roots::get(m, R_OUTGOING);
    if !is_obj(out) {
        return Vec::new();
    }
    let n = array::sound_len(cx, m, out).unwrap_or(0);
    roots::set(cx, m, R_OUTGOING, UNDEF);
    (0..n).map(|i| array::element(m, out, i)).collect()
}

/// The arguments of a message.
pub fn arguments(m: Mem, message: Value) -> Vec<Value> {
    let n = m.r32(message as u32, H_X).min(interp::MAX_ARGS as u32 + 2);
    (3..=n).map(|i| m.r64((message as u32).wrapping_add(i * 8), 0)).collect()
}

/// Runs a delivery: the job's target is the result promise, or undefined.
pub fn deliver(cx: &mut Cx, m: Mem, result: Value, message: Value, target: Value) -> Res<()> {
    // what a promise became may live elsewhere
    if is_obj(target)
        && let Some(h) = presence_handler(cx, m, target)?
    {
        return hand_over(cx, m, target, h, message, result);
    }
    let r = if is_cell(target) { trap(cx, m, message, target) } else { perform(cx, m, message, target) };
    let r = r.and_then(|v| match pass::refusal(cx, m, v, "answer")? {
        Some(why) => Err(cx.type_error(m, &why)),
        None => harden::harden(cx, m, v),
    });
    let r = promise::caught(cx, r)?;
    let result = promise::running(m, 2);
    match r {
        Ok(_) if result == UNDEF => Ok(()),
        Ok(v) => promise::resolve(cx, m, result, v),
        Err(e) => {
            let e = harden::harden(cx, m, e)?;
            broken(cx, m, result, e)
        }
    }
}

/// The message as a get or a call on a near object.
fn perform(cx: &mut Cx, m: Mem, message: Value, target: Value) -> Res {
    let form = as_int(m.r64(message as u32, 8)) as u8 & 3;
    let key = m.r64(message as u32, 16);
    if form == GET {
        return object::get_v(cx, m, target, key);
    }
    let args = arguments(m, message);
    if form == APPLY {
        if !object::is_callable(m, target) {
            return Err(cx.type_error(m, "the target of the send is not a function"));
        }
        return interp::call_job(cx, m, target, UNDEF, &args);
    }
    let f = object::get_v(cx, m, target, key)?;
    if !object::is_callable(m, f) {
        let k = object::key_text(cx, m, key)?;
        let what = if f == UNDEF { "has no method" } else { "has a property that is no method:" };
        return Err(cx.type_error(m, &format!("the target of the send {what} '{k}'")));
    }
    interp::call_job(cx, m, f, target, &args)
}

/// The message as a call of a handler's trap; `to` is the TUPLE target, handler.
fn trap(cx: &mut Cx, m: Mem, message: Value, to: Value) -> Res {
    let (target, handler) = (m.r64(to as u32, 8), m.r64(to as u32, 16));
    let form = as_int(m.r64(message as u32, 8)) as u8;
    let names = [["get", "applyMethod", "applyFunction"], ["getSendOnly", "applyMethodSendOnly", "applyFunctionSendOnly"]];
    let i = (form & 3).min(2) as usize;
    let mut args = vec![target];
    if i != 2 {
        args.push(object::key_value(cx, m, m.r64(message as u32, 16))?);
    }
    if i != 0 {
        let list = arguments(m, message);
        let list = array::from_slice(cx, m, &list)?;
        args.push(harden::harden(cx, m, list)?);
    }
    for only in if form & ONLY != 0 { [1, 0].as_slice() } else { [0].as_slice() } {
        let f = object::get_str(cx, m, handler, names[*only][i])?;
        if object::is_callable(m, f) {
            return interp::call_job(cx, m, f, handler, &args);
        }
    }
    if i == 2 {
        // a call is a method call without a name
        let f = object::get_str(cx, m, handler, "applyMethod")?;
        if object::is_callable(m, f) {
            args.insert(1, UNDEF);
            return interp::call_job(cx, m, f, handler, &args);
        }
    }
    Err(cx.type_error(m, &format!("the handler has no method '{}'", names[0][i])))
}

// ---- E ----

/// What E(x) gives: a builtin function with the shape R_SHAPE_SENDER; data 0 target, 1 mode.
pub fn sender(cx: &mut Cx, m: Mem, target: Value, mode: i32) -> Res {
    let f = function::native(cx, m, crate::builtins::eventual::SENDER, &[target, int(mode)])?;
    object::set_shape(cx, m, f, roots::get(m, R_SHAPE_SENDER) as u32);
    object::add_flags(cx, m, f, FROZEN | NONEXT | SEALED | HARDENED);
    Ok(f)
}

/// A property of what E(x) gives: for each name a function that sends, or (E.get) the promise of the property.
pub fn sender_own(cx: &mut Cx, m: Mem, f: Value, key: Value) -> Res<Option<Value>> {
    if is_sym(key) {
        let well_known = object::flags(m, key) & (WELL_KNOWN | INTERNAL) != 0;
        if well_known && key != roots::get(m, R_SYM_ASYNC_ITERATOR) {
            return Ok(None);
        }
    }
    let (target, mode) = (function::data(m, f, 0), function::data(m, f, 1));
    if as_int(mode) == crate::builtins::eventual::MODE_GET {
        return Ok(Some(send(cx, m, target, GET, key, &[], false)?));
    }
    let f = function::native(cx, m, crate::builtins::eventual::SENDER_METHOD, &[target, mode, key, f])?;
    object::add_flags(cx, m, f, FROZEN | NONEXT | SEALED | HARDENED);
    Ok(Some(f))
}

/// Internal names and shapes of this part.
pub fn prepare(cx: &mut Cx, m: Mem) -> Res<()> {
    for (root, name) in [(R_FAR, "interface"), (R_DETAILS, "details")] {
        let d = string::intern_str(cx, m, name)?;
        let s = crate::realm::symbol(cx, m, d, INTERNAL)?;
        roots::set(cx, m, root, s);
    }
    let s = crate::shape::root(cx, m, NULL, 1, crate::shape::EXOTIC | crate::shape::SENDER)?;
    roots::set(cx, m, R_SHAPE_SENDER, CELL | s as u64);
    Ok(())
}
