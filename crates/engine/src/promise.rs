//! Promises and the job queue: ECMA-262 27.2.1 and 9.5.
//! Length: states, reactions and jobs are one machine.
//!
//! In: promises, values, reactions. Out: jobs in the heap, and `run_jobs`, which runs them.
//!
//! ```text
//! PROMISE  2 state (int: STATE bits, HANDLED, FORWARDED); 3 result; 4 last reaction, or undefined; 5 handler (see `send`)
//! TUPLE of a reaction or job
//!          1 int: job kind | state << 8; 2 target; 3 on fulfilled, or the handler that was chosen;
//!          4 on rejected, or the argument; 5 next
//! ```
//! Invariants
//! - reactions of a promise and jobs of the queue are rings through word 5, named by their last: the order of entry;
//! - a reaction becomes its own job when its promise is settled: nothing is allocated then;
//! - job kinds are a durable format: append-only;
//! - a job begins on an empty stack; the one that runs hangs on root T_JOB, so that it may be moved meanwhile.
use crate::cx::{Abort, Cx, Res, Stop, Value};
use crate::interp;
use crate::kinds::*;
use crate::object;
use crate::roots::{self, *};
use crate::{array, function};
use cage::Mem;
use cage::layout::{OLD, header};
use cage::value::*;

pub const PENDING: i32 = 0;
pub const FULFILLED: i32 = 1;
pub const REJECTED: i32 = 2;
const STATE: i32 = 3;
/// Somebody will hear of a rejection.
const HANDLED: i32 = 4;
/// Pending, and resolved to the promise in word 3.
const FORWARDED: i32 = 8;

// Job kinds.
/// Reaction whose result goes to a promise of the intrinsic kind (or nowhere).
const THEN: i32 = 0;
/// Reaction whose result goes to a capability (TUPLE promise, resolve, reject).
const CAPABILITY: i32 = 1;
/// Reaction that resumes a coroutine.
const AWAIT: i32 = 2;
/// Reaction that resolves or rejects the target alike.
const SETTLE: i32 = 3;
/// Job: the target follows the promise in word 3.
const FOLLOW: i32 = 4;
/// Job: calls `then` (word 3) of the thenable (word 4) for the target.
const THENABLE: i32 = 5;
/// Reaction: the message in word 3 goes to what the promise became, its answer to the target.
pub const SEND: i32 = 6;
/// Job: the message in word 3 goes to the object in word 4.
pub const DELIVER: i32 = 7;
/// Job: program function in word 3 is called with the argument in word 4 (handlers of HandledPromise).
pub const CALLBACK: i32 = 8;
/// Reaction: the target is an answer TUPLE (see `send`).
pub const ANSWER: i32 = 9;

#[inline(always)]
pub fn is_promise(m: Mem, v: Value) -> bool {
    is_obj(v) && object::kind(m, v) == PROMISE
}
#[inline(always)]
fn word(m: Mem, at: Value, i: u32) -> Value {
    m.r64((at as u32).wrapping_add(i * 8), 0)
}
#[inline(always)]
fn set_word(cx: &mut Cx, m: Mem, at: Value, i: u32, v: Value) {
    cx.heap.write(m, (at as u32).wrapping_add(i * 8), v);
}
/// PENDING, FULFILLED or REJECTED.
pub fn state(m: Mem, p: Value) -> i32 {
    as_int(word(m, p, 2)) & STATE
}
/// What it was fulfilled or rejected with.
pub fn result(m: Mem, p: Value) -> Value {
    word(m, p, 3)
}

/// A pending promise.
pub fn new_promise(cx: &mut Cx, m: Mem) -> Res {
    let s = roots::get(m, R_SHAPE_PROMISE) as u32;
    of_shape(cx, m, s)
}

pub fn of_shape(cx: &mut Cx, m: Mem, s: u32) -> Res {
    let at = cx.alloc(m, 48)?;
    m.w64(at, 0, header(PROMISE, crate::builtins::map_set::birth_flags(m), 0, s));
    m.w64(at, 8, UNDEF);
    m.w64(at, 16, int(PENDING));
    m.w64(at, 24, UNDEF);
    m.w64(at, 32, UNDEF);
    m.w64(at, 40, UNDEF);
    Ok(OBJ | at as u64)
}

/// A plain tuple of the machine.
#[inline]
pub fn tuple<const N: usize>(cx: &mut Cx, m: Mem, words: [Value; N]) -> Res {
    const { assert!(N < 64) }; // young: plain writes
    let at = cx.alloc(m, 8 + N as u32 * 8)?;
    m.w64(at, 0, header(TUPLE, 0, 0, N as u32));
    for (i, v) in words.into_iter().enumerate() {
        m.w64(at, 8 + i as u16 * 8, v);
    }
    Ok(CELL | at as u64)
}

/// Likewise of any words, in two pieces.
pub fn tuple_of(cx: &mut Cx, m: Mem, words: &[Value], more: &[Value]) -> Res {
    let n = (words.len() + more.len()) as u32;
    let at = cx.alloc(m, 8 + n * 8)?;
    m.w64(at, 0, header(TUPLE, 0, 0, n));
    let mut to = at.wrapping_add(8);
    for v in words.iter().chain(more) {
        if at < OLD {
            m.w64(to, 0, *v)
        } else {
            cx.heap.write(m, to, *v)
        }
        to = to.wrapping_add(8);
    }
    Ok(CELL | at as u64)
}

fn reaction(cx: &mut Cx, m: Mem, kind: i32, target: Value, a: Value, b: Value) -> Res {
    let at = cx.alloc(m, 48)?;
    m.w64(at, 0, header(TUPLE, 0, 0, 5));
    m.w64(at, 8, int(kind));
    m.w64(at, 16, target);
    m.w64(at, 24, a);
    m.w64(at, 32, b);
    m.w64(at, 40, UNDEF);
    Ok(CELL | at as u64)
}

/// Puts `node` at the end of the ring whose last is `last` (undefined: none); the new last is `node`.
fn link(cx: &mut Cx, m: Mem, last: Value, node: Value) {
    if is_cell(last) {
        let first = word(m, last, 5);
        set_word(cx, m, node, 5, first);
        set_word(cx, m, last, 5, node);
    } else {
        set_word(cx, m, node, 5, node);
    }
}

/// HostEnqueuePromiseJob
fn enqueue(cx: &mut Cx, m: Mem, job: Value) {
    link(cx, m, roots::of_turn(m, T_JOBS), job);
    roots::set_of_turn(m, T_JOBS, job);
}

/// Enqueues a job of `kind`.
pub fn enqueue_job(cx: &mut Cx, m: Mem, kind: i32, target: Value, a: Value, b: Value) -> Res<()> {
    let job = reaction(cx, m, kind, target, a, b)?;
    enqueue(cx, m, job);
    Ok(())
}

pub fn has_jobs(m: Mem) -> bool {
    is_cell(roots::of_turn(m, T_JOBS))
}

/// Takes the first job off the queue.
fn pop(cx: &mut Cx, m: Mem) -> Option<Value> {
    let last = roots::of_turn(m, T_JOBS);
    if !is_cell(last) {
        return None;
    }
    let first = word(m, last, 5);
    if first == last {
        roots::set_of_turn(m, T_JOBS, UNDEF);
    } else {
        let second = word(m, first, 5);
        set_word(cx, m, last, 5, second);
    }
    set_word(cx, m, first, 5, UNDEF);
    Some(first)
}

/// Makes a reaction the job it becomes once its promise is settled.
fn ripen(cx: &mut Cx, m: Mem, r: Value, state: i32, value: Value) {
    let kind = as_int(word(m, r, 1)) & 0xFF;
    if state == REJECTED && kind <= CAPABILITY {
        let handler = word(m, r, 4);
        set_word(cx, m, r, 3, handler);
    }
    set_word(cx, m, r, 1, int(kind | state << 8));
    set_word(cx, m, r, 4, value);
    enqueue(cx, m, r);
}

fn react(cx: &mut Cx, m: Mem, p: Value, r: Value) -> Res<()> {
    let s = as_int(word(m, p, 2));
    if s & STATE == PENDING {
        link(cx, m, word(m, p, 4), r);
        set_word(cx, m, p, 4, r);
        if is_cell(word(m, p, 5)) {
            listen(cx, m, p)?;
        }
    } else {
        let v = word(m, p, 3);
        ripen(cx, m, r, s & STATE, v);
    }
    if s & HANDLED == 0 {
        set_word(cx, m, p, 2, int(s | HANDLED));
    }
    Ok(())
}

/// Asks what becomes of `p`, which is decided elsewhere; it is held until that is told.
fn listen(cx: &mut Cx, m: Mem, p: Value) -> Res<()> {
    let r = word(m, p, 5);
    let flags = as_int(word(m, r, 4));
    if flags & crate::send::LISTENED != 0 {
        return Ok(());
    }
    set_word(cx, m, r, 4, int(flags | crate::send::LISTENED));
    set_word(cx, m, r, 5, p);
    crate::send::push_out(cx, m, [UNDEF, int(crate::send::OUT_LISTEN), r])
}

/// Likewise if something waits on `p` already.
pub fn listen_if_waited(cx: &mut Cx, m: Mem, p: Value) -> Res<()> {
    if is_cell(word(m, p, 4)) { listen(cx, m, p) } else { Ok(()) }
}

/// Puts a reaction of `kind` on `p`.
pub fn add_reaction(cx: &mut Cx, m: Mem, p: Value, kind: i32, target: Value, a: Value, b: Value) -> Res<()> {
    let r = reaction(cx, m, kind, target, a, b)?;
    react(cx, m, p, r)
}

fn settle(cx: &mut Cx, m: Mem, p: Value, state: i32, v: Value) -> Res<()> {
    let s = as_int(word(m, p, 2));
    if s & STATE != PENDING {
        return Ok(());
    }
    let last = word(m, p, 4);
    set_word(cx, m, p, 2, int((s & !FORWARDED) | state));
    set_word(cx, m, p, 3, v);
    set_word(cx, m, p, 4, UNDEF);
    if state == REJECTED && s & HANDLED == 0 {
        note_unhandled(cx, m, p)?;
    }
    if !is_cell(last) {
        return Ok(());
    }
    let mut r = word(m, last, 5);
    loop {
        cx.charge(2)?;
        let next = word(m, r, 5);
        ripen(cx, m, r, state, v);
        if r == last {
            return Ok(());
        }
        if !is_cell(next) {
            return Err(cx.stop(Abort::Corrupt));
        }
        r = next;
    }
}

/// FulfillPromise
pub fn fulfill(cx: &mut Cx, m: Mem, p: Value, v: Value) -> Res<()> {
    settle(cx, m, p, FULFILLED, v)
}

/// RejectPromise
pub fn reject(cx: &mut Cx, m: Mem, p: Value, reason: Value) -> Res<()> {
    settle(cx, m, p, REJECTED, reason)
}

/// Is `p` a promise on which `then` and `constructor` are surely the intrinsic ones?
#[inline]
pub fn is_plain(m: Mem, p: Value) -> bool {
    is_obj(p)
        && CELL | crate::shape::of(m, p) as u64 == roots::get(m, R_SHAPE_PROMISE)
        && roots::get(m, R_UNLOCKED) != TRUE
        && object::kind(m, p) == PROMISE
}

/// What a promise's resolve function does the first time it is called.
pub fn resolve(cx: &mut Cx, m: Mem, p: Value, v: Value) -> Res<()> {
    if !is_obj(v) {
        return fulfill(cx, m, p, v);
    }
    if v == p {
        let e = crate::builtins::error::make(cx, m, crate::cx::ErrorKind::Type, "Chaining cycle detected for promise")?;
        return reject(cx, m, p, e);
    }
    let then = if is_plain(m, v) {
        roots::get(m, R_PROMISE_THEN)
    } else {
        let r = object::get(cx, m, v, roots::get(m, R_STR_THEN));
        match caught(cx, r)? {
            Ok(t) => t,
            Err(e) => return reject(cx, m, p, e),
        }
    };
    if then == roots::get(m, R_PROMISE_THEN) && is_promise(m, v) {
        return enqueue_job(cx, m, FOLLOW, p, v, UNDEF);
    }
    if !object::is_callable(m, then) {
        return fulfill(cx, m, p, v);
    }
    enqueue_job(cx, m, THENABLE, p, then, v)
}

/// An exception as a value; a turn's end stays one.
#[inline]
pub fn caught<T>(cx: &mut Cx, r: Res<T>) -> Res<Result<T, Value>> {
    match r {
        Ok(v) => Ok(Ok(v)),
        Err(Stop::Throw) => Ok(Err(cx.thrown)),
        Err(Stop::Abort) => Err(Stop::Abort),
    }
}

/// PerformPromiseThen. `result`: a promise of the intrinsic kind, a capability TUPLE, or undefined.
pub fn then(cx: &mut Cx, m: Mem, p: Value, on_fulfilled: Value, on_rejected: Value, result: Value) -> Res<()> {
    cx.charge(4)?;
    let f = if object::is_callable(m, on_fulfilled) { on_fulfilled } else { UNDEF };
    let r = if object::is_callable(m, on_rejected) { on_rejected } else { UNDEF };
    add_reaction(cx, m, p, if is_cell(result) { CAPABILITY } else { THEN }, result, f, r)
}

/// PromiseResolve(%Promise%, v)
pub fn to_promise(cx: &mut Cx, m: Mem, v: Value) -> Res {
    promise_resolve(cx, m, roots::get(m, R_PROMISE), v)
}

/// PromiseResolve
pub fn promise_resolve(cx: &mut Cx, m: Mem, c: Value, v: Value) -> Res {
    let intrinsic = c == roots::get(m, R_PROMISE);
    if is_promise(m, v) {
        if intrinsic && is_plain(m, v) {
            return Ok(v);
        }
        let key = roots::get(m, R_STR_CONSTRUCTOR);
        if object::get(cx, m, v, key)? == c {
            return Ok(v);
        }
    }
    let cap = Capability::new(cx, m, c)?;
    cap.resolve(cx, m, v)?;
    Ok(cap.promise)
}

/// Await: resumes `coro` once `v` is settled.
pub fn await_value(cx: &mut Cx, m: Mem, coro: Value, v: Value) -> Res<()> {
    let p = to_promise(cx, m, v)?;
    add_reaction(cx, m, p, AWAIT, coro, UNDEF, UNDEF)
}

// ---- capabilities ----

/// A PromiseCapability record. `resolve` undefined: a promise of the intrinsic kind, resolved directly.
#[derive(Clone, Copy, Debug)]
pub struct Capability {
    pub promise: Value,
    resolve: Value,
    reject: Value,
}

impl Capability {
    /// NewPromiseCapability
    pub fn new(cx: &mut Cx, m: Mem, c: Value) -> Res<Capability> {
        if c == roots::get(m, R_PROMISE) {
            return Ok(Capability { promise: new_promise(cx, m)?, resolve: UNDEF, reject: UNDEF });
        }
        if !function::is_constructor(cx, m, c) {
            return Err(cx.type_error(m, "Promise method called on a value that is no constructor"));
        }
        let executor = function::native(cx, m, crate::builtins::promise::CAPABILITY_EXECUTOR, &[UNDEF, UNDEF])?;
        let promise = interp::construct(cx, m, c, &[executor], c)?;
        let (resolve, reject) = (function::data(m, executor, 0), function::data(m, executor, 1));
        if !object::is_callable(m, resolve) || !object::is_callable(m, reject) {
            return Err(cx.type_error(m, "Promise resolve or reject function is not callable"));
        }
        Ok(Capability { promise, resolve, reject })
    }
    pub fn resolve(&self, cx: &mut Cx, m: Mem, v: Value) -> Res<()> {
        if self.resolve == UNDEF {
            return resolve(cx, m, self.promise, v);
        }
        interp::call(cx, m, self.resolve, UNDEF, &[v]).map(|_| ())
    }
    pub fn reject(&self, cx: &mut Cx, m: Mem, e: Value) -> Res<()> {
        if self.resolve == UNDEF {
            return reject(cx, m, self.promise, e);
        }
        interp::call(cx, m, self.reject, UNDEF, &[e]).map(|_| ())
    }
    /// Resolve and reject as functions to hand out.
    pub fn functions(&mut self, cx: &mut Cx, m: Mem) -> Res<(Value, Value)> {
        if self.resolve == UNDEF {
            (self.resolve, self.reject) = resolving_functions(cx, m, self.promise)?;
        }
        Ok((self.resolve, self.reject))
    }
    /// What `then` takes as result.
    pub fn result(&self, cx: &mut Cx, m: Mem) -> Res {
        if self.resolve == UNDEF { Ok(self.promise) } else { tuple(cx, m, [self.promise, self.resolve, self.reject]) }
    }
    /// IfAbruptRejectPromise
    pub fn or_reject<T>(&self, cx: &mut Cx, m: Mem, r: Res<T>) -> Res<Option<T>> {
        match caught(cx, r)? {
            Ok(v) => Ok(Some(v)),
            Err(e) => {
                self.reject(cx, m, e)?;
                Ok(None)
            }
        }
    }
    fn of_tuple(m: Mem, t: Value) -> Capability {
        Capability { promise: word(m, t, 1), resolve: word(m, t, 2), reject: word(m, t, 3) }
    }
}

/// CreateResolvingFunctions. Each knows its promise and its fellow; the first called makes both forget.
pub fn resolving_functions(cx: &mut Cx, m: Mem, p: Value) -> Res<(Value, Value)> {
    let resolve = function::native(cx, m, crate::builtins::promise::RESOLVE, &[p, UNDEF])?;
    let reject = function::native(cx, m, crate::builtins::promise::REJECT, &[p, resolve])?;
    function::set_data(cx, m, resolve, 1, reject);
    Ok((resolve, reject))
}

/// The promise of a resolving function that was not yet called, which it forgets; else undefined.
pub fn take_target(cx: &mut Cx, m: Mem, f: Value) -> Value {
    let p = function::data(m, f, 0);
    if p != UNDEF {
        let fellow = function::data(m, f, 1);
        function::set_data(cx, m, f, 0, UNDEF);
        function::set_data(cx, m, fellow, 0, UNDEF);
    }
    p
}

// ---- running ----

/// Runs jobs until none is left.
pub fn run_jobs(cx: &mut Cx, m: Mem) -> Res<()> {
    while has_jobs(m) {
        run_one_job(cx, m)?;
    }
    roots::set_of_turn(m, T_JOB, UNDEF);
    Ok(())
}

/// What a job costs beside what it runs: its reaction, its promise, the queue.
const JOB: u64 = 48;

/// False: there was none.
pub fn run_one_job(cx: &mut Cx, m: Mem) -> Res<bool> {
    interp::safepoint(cx, m, cx.stack_top)?;
    let Some(job) = pop(cx, m) else {
        roots::set_of_turn(m, T_JOB, UNDEF);
        return Ok(false);
    };
    cx.charge(JOB)?;
    roots::set_of_turn(m, T_JOB, job);
    if run_job(cx, m, job)? == Err(()) {
        // what a job throws is a result of its own; an exception here is an engine's fault
        return Err(cx.stop(Abort::Corrupt));
    }
    Ok(true)
}

/// The words of the running job; it may have been moved since it began.
pub(crate) fn running(m: Mem, i: u32) -> Value {
    word(m, roots::of_turn(m, T_JOB), i)
}

fn run_job(cx: &mut Cx, m: Mem, job: Value) -> Res<Result<(), ()>> {
    let info = as_int(word(m, job, 1));
    let (target, handler, arg) = (word(m, job, 2), word(m, job, 3), word(m, job, 4));
    let rejected = info >> 8 == REJECTED;
    let r = match info & 0xFF {
        THEN | CAPABILITY => run_reaction(cx, m, handler, arg, rejected),
        AWAIT => interp::resume(cx, m, target, arg, rejected),
        SETTLE if rejected => reject(cx, m, target, arg),
        SETTLE => resolve(cx, m, target, arg),
        FOLLOW => follow(cx, m, target, handler),
        THENABLE => run_thenable(cx, m, target, handler, arg),
        ANSWER => crate::send::answer_out(cx, m, target, info >> 8, arg),
        SEND if rejected => crate::send::broken(cx, m, target, arg),
        SEND | DELIVER => crate::send::deliver(cx, m, target, handler, arg),
        CALLBACK => interp::call_job(cx, m, handler, UNDEF, &[arg]).map(|_| ()),
        _ => return Ok(Err(())),
    };
    match r {
        Err(Stop::Abort) => Err(Stop::Abort),
        Err(Stop::Throw) => Ok(Err(())),
        Ok(()) => Ok(Ok(())),
    }
}

/// `p` becomes what `next` becomes; messages that wait on it move there if that is pending too.
fn follow(cx: &mut Cx, m: Mem, p: Value, next: Value) -> Res<()> {
    let s = as_int(word(m, p, 2)) & !FORWARDED;
    if state(m, p) == PENDING {
        // it leads nowhere yet: what leads to it ends at it
        set_word(cx, m, p, 2, int(s));
    }
    // (promises resolved to each other stay pending for ever)
    if state(m, next) == PENDING && state(m, p) == PENDING && last_of(cx, m, next)? != p {
        set_word(cx, m, p, 2, int(s | FORWARDED));
        set_word(cx, m, p, 3, next);
        let waiting = take_sends(cx, m, p)?;
        crate::send::forward(cx, m, waiting, next)?;
        for (_, answer) in take(cx, m, p, ANSWER)? {
            crate::send::answer_as(cx, m, answer, next)?;
        }
    }
    add_reaction(cx, m, next, SETTLE, p, UNDEF, UNDEF)
}

/// The promise that `p` leads to: it is settled, or was resolved to none. Each promise on the way is let lead to the one after
/// the next, so that following long chains again and again stays cheap.
pub fn last_of(cx: &mut Cx, m: Mem, p: Value) -> Res {
    let next_of = |q: Value| forwarded(m, q).filter(|_| state(m, q) == PENDING);
    let mut at = p;
    while let Some(next) = next_of(at) {
        cx.charge(1)?;
        let Some(after) = next_of(next) else { return Ok(next) };
        set_word(cx, m, at, 3, after);
        at = after;
    }
    Ok(at)
}

/// Takes the reactions that are messages off a pending promise: (message, result) in order.
pub fn take_sends(cx: &mut Cx, m: Mem, p: Value) -> Res<Vec<(Value, Value)>> {
    take(cx, m, p, SEND)
}

/// Takes the reactions of a kind off a pending promise: (word 3, target) in order.
fn take(cx: &mut Cx, m: Mem, p: Value, kind: i32) -> Res<Vec<(Value, Value)>> {
    let last = word(m, p, 4);
    let mut sends = Vec::new();
    if !is_cell(last) {
        return Ok(sends);
    }
    let (mut r, mut kept) = (word(m, last, 5), UNDEF);
    loop {
        cx.charge(1)?;
        let next = word(m, r, 5);
        if as_int(word(m, r, 1)) == kind {
            sends.push((word(m, r, 3), word(m, r, 2)));
        } else {
            link(cx, m, kept, r);
            kept = r;
        }
        if r == last {
            set_word(cx, m, p, 4, kept);
            return Ok(sends);
        }
        if !is_cell(next) {
            return Err(cx.stop(Abort::Corrupt));
        }
        r = next;
    }
}

/// The promise that pending `p` was resolved to, or one further on that it leads to.
fn forwarded(m: Mem, p: Value) -> Option<Value> {
    let next = word(m, p, 3);
    if as_int(word(m, p, 2)) & FORWARDED != 0 && is_promise(m, next) { Some(next) } else { None }
}

/// NewPromiseReactionJob
fn run_reaction(cx: &mut Cx, m: Mem, handler: Value, arg: Value, rejected: bool) -> Res<()> {
    let r = if handler != UNDEF {
        let r = interp::call_job(cx, m, handler, UNDEF, &[arg]);
        caught(cx, r)?
    } else if rejected {
        Err(arg)
    } else {
        Ok(arg)
    };
    let target = running(m, 2);
    if is_cell(target) {
        let cap = Capability::of_tuple(m, target);
        // a capability's functions may throw; nobody hears it
        let done = match r {
            Ok(v) => cap.resolve(cx, m, v),
            Err(e) => cap.reject(cx, m, e),
        };
        return caught(cx, done).map(|_| ());
    }
    if target == UNDEF {
        return Ok(());
    }
    match r {
        Ok(v) => resolve(cx, m, target, v),
        Err(e) => reject(cx, m, target, e),
    }
}

/// NewPromiseResolveThenableJob
fn run_thenable(cx: &mut Cx, m: Mem, target: Value, then: Value, thenable: Value) -> Res<()> {
    let (resolve, reject) = resolving_functions(cx, m, target)?;
    // while `then` runs the reject function hangs on the job
    let job = roots::of_turn(m, T_JOB);
    set_word(cx, m, job, 5, reject);
    let r = interp::call_job(cx, m, then, thenable, &[resolve, reject]);
    if let Err(e) = caught(cx, r)? {
        let p = take_target(cx, m, running(m, 5));
        if p != UNDEF {
            return self::reject(cx, m, p, e);
        }
    }
    Ok(())
}

// ---- rejections nobody handles ----

fn note_unhandled(cx: &mut Cx, m: Mem, p: Value) -> Res<()> {
    let mut list = roots::of_turn(m, T_UNHANDLED);
    if !is_obj(list) {
        list = array::with_capacity(cx, m, 4)?;
        roots::set_of_turn(m, T_UNHANDLED, list);
    }
    array::push(cx, m, list, p)
}

/// Were promises rejected in this turn that nobody handled then?
pub fn has_unhandled(m: Mem) -> bool {
    is_obj(roots::of_turn(m, T_UNHANDLED))
}

/// The reasons of rejected promises that nobody handles yet, in the order they were rejected; each is given once.
pub fn take_unhandled(cx: &mut Cx, m: Mem) -> Res<Vec<Value>> {
    let list = roots::of_turn(m, T_UNHANDLED);
    if !is_obj(list) {
        return Ok(Vec::new());
    }
    roots::set_of_turn(m, T_UNHANDLED, UNDEF);
    let all = array::values(cx, m, list)?;
    cx.charge(all.len() as u64)?;
    let open = all.into_iter().filter(|p| is_promise(m, *p) && as_int(word(m, *p, 2)) & HANDLED == 0);
    Ok(open.map(|p| result(m, p)).collect())
}

/// A rejection of `p` is somebody's affair already.
pub fn mark_handled(cx: &mut Cx, m: Mem, p: Value) {
    let s = as_int(word(m, p, 2));
    set_word(cx, m, p, 2, int(s | HANDLED));
}

pub fn handler(m: Mem, p: Value) -> Value {
    word(m, p, 5)
}
pub fn set_handler(cx: &mut Cx, m: Mem, p: Value, h: Value) {
    set_word(cx, m, p, 5, h);
}
