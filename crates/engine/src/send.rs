//! Eventual sends within a vat, and where those leave it that go to presences and remote promises.
//!
//! In: a target, a message, arguments. Out: a promise at once; the delivery is a later job.
//!
//! ```text
//! message TUPLE  1 int: form (0 get, 1 method, 2 apply, 3 call) | 4 if nobody wants the answer; 2 key; 3 … arguments
//! handler (word 5 of a pending promise, word 2 of a PRESENCE)
//!                an object: its traps are called; the TUPLE of a reference: the message goes to T_OUTGOING
//! reference TUPLE 1 vat (number), 2 its number there, 3 token (see below) or undefined, 4 int flags (`reference`),
//!                5 the promise while it is listened to, else undefined
//! answer TUPLE   1 vat, 2 number: in the place of a result promise, names the promise that somebody elsewhere waits on
//! outgoing TUPLE 1 the next one (a ring, which T_OUTGOING names by its last), 2 int: what, then
//!                OUT_SEND     3 reference, 4 message, 5 result promise or undefined
//!                OUT_RESOLVE  3 answer, 4 int: 1 fulfilled, 2 rejected, 3 forwarded, 5 value (3: a reference)
//!                OUT_LISTEN   3 reference
//!                OUT_POWER    3 int: what (see `builtins::power`), 4 arguments (array), 5 result promise
//! ```
//! A presence may die and come again while others still hold its object: weak collections therefore enter the token of
//! its reference, which lives as long as the reference is known, in its place.
//!
//! Invariants
//! - nothing of the program runs in the job that sends;
//! - what is sent on one promise is delivered in that order: it waits on the promise, moves on when the promise is
//!   resolved to another, and becomes jobs in order when it is settled;
//! - arguments and answers are hardened, and refused if they cannot pass: then the answer is rejected, nothing is thrown.
use crate::cx::{Abort, Cx, ErrorKind, Res, Value};
use crate::kinds::*;
use crate::object;
use crate::promise::{self, DELIVER, PENDING, SEND};
use crate::roots::{self, *};
use crate::{array, function, harden, interp, pass, string};
use cage::Mem;
use cage::layout::H_X;
use cage::value::*;
use std::borrow::Cow;

pub const GET: u8 = 0;
pub const METHOD: u8 = 1;
pub const APPLY: u8 = 2;
/// From peers whose messages do not tell methods from arguments: a function is applied to all arguments; of any other object the
/// method is called that the first argument, a registered symbol, names.
pub const CALL: u8 = 3;
pub const ONLY: u8 = 4;

pub const OUT_SEND: i32 = 0;
pub const OUT_RESOLVE: i32 = 1;
pub const OUT_LISTEN: i32 = 2;
pub const OUT_POWER: i32 = 3;
/// How an answer is settled that becomes what another reference becomes.
pub const OUT_FORWARDED: i32 = 3;

// Flags of a reference.
/// Named by this vat in this turn, and not yet known outside.
pub const FRESH: i32 = 1;
/// OUT_LISTEN was put.
pub const LISTENED: i32 = 2;
/// That the program no longer holds it has been told outside.
pub const DROPPED: i32 = 4;

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
    let message = promise::tuple_of(cx, m, &[int((form | if send_only { ONLY } else { 0 }) as i32), key], args)?;
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
    let target = if promise::is_promise(m, target) { promise::last_of(cx, m, target)? } else { target };
    cx.charge(2)?;
    if promise::is_promise(m, target) && promise::state(m, target) == PENDING && promise::handler(m, target) != UNDEF {
        let h = promise::handler(m, target);
        // its rejection comes to the answer
        promise::mark_handled(cx, m, target);
        return hand_over(cx, m, target, h, message, result);
    }
    if promise::is_promise(m, target) {
        return promise::add_reaction(cx, m, target, SEND, result, message, UNDEF);
    }
    if let Some(h) = presence_handler(m, target) {
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
    if is_cell(result) {
        return answer_out(cx, m, result, promise::REJECTED, reason);
    }
    // nobody wants the answer: the failure is reported as a rejection nobody handles
    let p = if result == UNDEF { promise::new_promise(cx, m)? } else { result };
    promise::reject(cx, m, p, reason)
}

/// The handler of a presence.
#[inline]
pub fn presence_handler(m: Mem, o: Value) -> Option<Value> {
    if is_obj(o) && object::kind(m, o) == PRESENCE { Some(m.r64(o as u32, 16)) } else { None }
}

/// A new object whose messages `handler` answers.
pub fn presence(cx: &mut Cx, m: Mem, handler: Value) -> Res {
    let s = roots::get(m, R_SHAPE_PRESENCE) as u32;
    let o = object::exotic(cx, m, PRESENCE, s, &[handler])?;
    if roots::get(m, R_UNLOCKED) != TRUE {
        harden::mark(cx, m, o);
    }
    Ok(o)
}

/// A new reference TUPLE.
pub fn reference(cx: &mut Cx, m: Mem, vat: Value, n: Value, flags: i32) -> Res {
    promise::tuple(cx, m, [vat, n, UNDEF, int(flags), UNDEF])
}

/// The token under which weak collections enter a presence; undefined for a key that stands for itself.
pub fn weak_token(cx: &mut Cx, m: Mem, key: Value, make: bool) -> Res {
    let Some(r) = presence_handler(m, key).filter(|h| is_cell(*h)) else { return Ok(UNDEF) };
    let token = m.r64(r as u32, 24);
    if token != UNDEF || !make {
        return Ok(if token == UNDEF { NULL } else { token });
    }
    let token = object::create(cx, m, NULL)?;
    cx.heap.write(m, (r as u32).wrapping_add(24), token);
    Ok(token)
}

/// A message for a handler: a job that calls its trap, or an entry of what leaves the vat.
fn hand_over(cx: &mut Cx, m: Mem, target: Value, handler: Value, message: Value, result: Value) -> Res<()> {
    if is_obj(handler) {
        let to = promise::tuple(cx, m, [target, handler])?;
        return promise::enqueue_job(cx, m, DELIVER, result, message, to);
    }
    push_out(cx, m, [UNDEF, int(OUT_SEND), handler, message, result])?;
    if is_obj(result) { remote(cx, m, result) } else { Ok(()) }
}

/// Messages, answers and questions that one turn may send out.
pub const MAX_MESSAGES_PER_TURN: i32 = 1 << 17;

/// Puts an entry to what leaves the vat.
pub fn push_out<const N: usize>(cx: &mut Cx, m: Mem, words: [Value; N]) -> Res<()> {
    cx.charge(10)?;
    let (n, last) = (as_int(roots::of_turn(m, T_COUNT)), roots::of_turn(m, T_OUTGOING));
    if n >= MAX_MESSAGES_PER_TURN {
        return Err(cx.stop(Abort::Messages));
    }
    roots::set_of_turn(m, T_COUNT, int(n + 1));
    let e = promise::tuple(cx, m, words)?;
    let mut next = e;
    if is_cell(last) {
        next = m.r64(last as u32, 8);
        cx.heap.write(m, (last as u32).wrapping_add(8), e);
    }
    m.w64(e as u32, 8, next);
    roots::set_of_turn(m, T_OUTGOING, e);
    Ok(())
}

/// The pending promise `p` is from now on decided elsewhere, under a number of this vat: what waits on it moves on.
pub fn remote(cx: &mut Cx, m: Mem, p: Value) -> Res<()> {
    let n = next_number(cx, m, R_NEXT_PROMISE);
    let vat = roots::get(m, R_SELF);
    let r = reference(cx, m, vat, n, FRESH)?;
    promise::set_handler(cx, m, p, r);
    let waiting = promise::take_sends(cx, m, p)?;
    forward(cx, m, waiting, p)?;
    promise::listen_if_waited(cx, m, p)
}

/// Counts a root up; what it was.
pub fn next_number(cx: &mut Cx, m: Mem, root: u16) -> Value {
    let v = roots::get(m, root);
    let n = if is_number(v) { num(v) } else { 1.0 };
    roots::set(cx, m, root, from_num(n + 1.0));
    from_num(n)
}

/// Settles what waits elsewhere on the answer TUPLE `answer`; `value` is a reference if `how` is 3.
pub fn answer_out(cx: &mut Cx, m: Mem, answer: Value, how: i32, value: Value) -> Res<()> {
    push_out(cx, m, [UNDEF, int(OUT_RESOLVE), answer, int(how), value])
}

/// Makes the answer TUPLE become what the value `v` is or will be.
pub fn answer_with(cx: &mut Cx, m: Mem, answer: Value, v: Value) -> Res<()> {
    if !is_obj(v) {
        return answer_out(cx, m, answer, promise::FULFILLED, v);
    }
    if promise::is_plain(m, v) {
        return answer_as(cx, m, answer, v);
    }
    let then = roots::get(m, R_STR_THEN);
    let own = if presence_handler(m, v).is_some() { Ok(UNDEF) } else { object::get(cx, m, v, then) };
    let then = match promise::caught(cx, own)? {
        Ok(t) => t,
        Err(e) => return answer_out(cx, m, answer, promise::REJECTED, e),
    };
    if !object::is_callable(m, then) {
        return answer_out(cx, m, answer, promise::FULFILLED, v);
    }
    let p = promise::new_promise(cx, m)?;
    promise::add_reaction(cx, m, p, promise::ANSWER, answer, UNDEF, UNDEF)?;
    promise::resolve(cx, m, p, v)
}

/// Makes the answer TUPLE become what the promise `p` becomes.
pub fn answer_as(cx: &mut Cx, m: Mem, answer: Value, p: Value) -> Res<()> {
    let at = promise::last_of(cx, m, p)?;
    let h = promise::handler(m, at);
    if promise::state(m, at) == PENDING && is_cell(h) {
        promise::mark_handled(cx, m, at);
        return answer_out(cx, m, answer, OUT_FORWARDED, h);
    }
    promise::add_reaction(cx, m, at, promise::ANSWER, answer, UNDEF, UNDEF)
}

/// What left the vat in this turn behind `before`, or first of all: a TUPLE (see the head).
pub fn outgoing(m: Mem, before: Option<Value>) -> Option<Value> {
    let last = roots::of_turn(m, T_OUTGOING);
    let next = m.r64(before.unwrap_or(last) as u32, 8);
    (is_cell(last) && before != Some(last) && is_cell(next)).then_some(next)
}

/// The arguments of a message.
pub fn arguments(m: Mem, message: Value) -> Vec<Value> {
    (0..arity(m, message)).map(|i| argument(m, message, i)).collect()
}
pub fn arity(m: Mem, message: Value) -> u32 {
    m.r32(message as u32, H_X).saturating_sub(2).min(interp::MAX_ARGS as u32)
}
pub fn argument(m: Mem, message: Value, i: u32) -> Value {
    m.r64((message as u32).wrapping_add(24).wrapping_add(i.wrapping_mul(8)), 0)
}

/// Runs a delivery: the job's target is the result promise, or undefined.
pub fn deliver(cx: &mut Cx, m: Mem, result: Value, message: Value, target: Value) -> Res<()> {
    // what a promise became may live elsewhere
    if let Some(h) = presence_handler(m, target) {
        return hand_over_answered(cx, m, target, h, message, result);
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
        Ok(v) if is_cell(result) => answer_with(cx, m, result, v),
        Ok(v) => promise::resolve(cx, m, result, v),
        Err(e) => {
            let e = harden::harden(cx, m, e)?;
            broken(cx, m, result, e)
        }
    }
}

/// Likewise where the answer may be for somebody elsewhere: then a promise stands between.
fn hand_over_answered(cx: &mut Cx, m: Mem, target: Value, h: Value, message: Value, result: Value) -> Res<()> {
    if !is_cell(result) {
        return hand_over(cx, m, target, h, message, result);
    }
    let p = answer(cx, m)?;
    hand_over(cx, m, target, h, message, p)?;
    answer_as(cx, m, result, p)
}

/// Arguments that are laid out without an allocation.
pub const FEW: usize = 8;

/// `n` values as a slice, in `few` if they fit.
pub fn listed(few: &mut [Value; FEW], n: usize, at: impl Fn(usize) -> Value) -> Cow<'_, [Value]> {
    match few.get_mut(..n) {
        Some(few) => {
            few.iter_mut().enumerate().for_each(|(i, v)| *v = at(i));
            Cow::Borrowed(few)
        }
        None => Cow::Owned((0..n).map(at).collect()),
    }
}

/// The message as a get or a call on a near object.
fn perform(cx: &mut Cx, m: Mem, message: Value, target: Value) -> Res {
    let form = as_int(m.r64(message as u32, 8)) as u8 & 3;
    let key = m.r64(message as u32, 16);
    if form == GET {
        return object::get_v(cx, m, target, key);
    }
    let mut few = [UNDEF; FEW];
    let args = &*listed(&mut few, arity(m, message) as usize, |i| argument(m, message, i as u32));
    if form == APPLY || form == CALL && object::is_callable(m, target) {
        if !object::is_callable(m, target) {
            return Err(cx.type_error(m, "the target of the send is not a function"));
        }
        return interp::call_job(cx, m, target, UNDEF, args);
    }
    let (key, args) = match (form, args) {
        (CALL, [name, rest @ ..]) => match method_name(cx, m, *name)? {
            Some(key) => (key, rest),
            None => return Err(cx.type_error(m, NO_METHOD)),
        },
        (CALL, []) => return Err(cx.type_error(m, NO_METHOD)),
        _ => (key, args),
    };
    let f = object::get_v(cx, m, target, key)?;
    if !object::is_callable(m, f) {
        let k = object::key_text(cx, m, key)?;
        let what = if f == UNDEF { "has no method" } else { "has a property that is no method:" };
        return Err(cx.type_error(m, &format!("the target of the send {what} '{k}'")));
    }
    interp::call_job(cx, m, f, target, args)
}

const NO_METHOD: &str = "the target of the send is not a function, and the first argument names no method of it";

/// The key of the method that a registered symbol names.
fn method_name(cx: &mut Cx, m: Mem, name: Value) -> Res<Option<Value>> {
    if !is_sym(name) || object::flags(m, name) & REGISTERED == 0 {
        return Ok(None);
    }
    let text = crate::builtins::symbol::description(m, name);
    object::to_key(cx, m, text).map(Some)
}

/// The message as a call of a handler's trap; `to` is the TUPLE target, handler.
fn trap(cx: &mut Cx, m: Mem, message: Value, to: Value) -> Res {
    let (target, handler) = (m.r64(to as u32, 8), m.r64(to as u32, 16));
    let form = as_int(m.r64(message as u32, 8)) as u8;
    let names = [["get", "applyMethod", "applyFunction"], ["getSendOnly", "applyMethodSendOnly", "applyFunctionSendOnly"]];
    let mut i = (form & 3).min(APPLY) as usize;
    let mut args = vec![target];
    let mut list = arguments(m, message);
    if form & 3 == CALL
        && let Some(first) = list.first().copied()
        && let Some(key) = method_name(cx, m, first)?
    {
        i = METHOD as usize;
        list.remove(0);
        args.push(object::key_value(cx, m, key)?);
    } else if i != 2 {
        args.push(object::key_value(cx, m, m.r64(message as u32, 16))?);
    }
    if i != 0 {
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
