//! The machine's state beside the cage, and how code stops.
//!
//! In: a heap, a meter, an engine. Out: `Cx`, which every native takes with the `Mem` of its cage.
//!
//! Invariants
//! - nothing here outlives a turn but what can be made anew from the stored bytes (`units` from the heap's list);
//! - natives hold plain offsets: no collection happens while native code is on the stack;
//! - every native charges the meter before it works, in slices; at least once in `LOOK` units the host is asked whether
//!   to go on.
//!
//! Must never know: randomness, files; clocks neither, but that unlocked realms may be lent the host's.
use crate::aside;
use crate::engine::{Engine, LoadedUnit};
use crate::string;
use crate::trace::Thrown;
use cage::value::*;
use cage::{Heap, Mem};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub type Value = u64;

/// Why a native did not come to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A JavaScript exception; its value is in `Cx::thrown`.
    Throw,
    /// The turn is aborted: not catchable. Why is in `Cx::abort`.
    Abort,
}

/// What aborted a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Abort {
    /// `limit: instructions per turn`
    Instructions,
    /// `limit: heap bytes`
    Heap,
    /// `limit: call depth`
    Depth,
    /// `limit: nested native calls`
    NativeDepth,
    /// `limit: messages per turn`
    Messages,
    /// The host asked for it.
    Interrupted,
    /// The heap contradicts itself.
    Corrupt,
}

impl Abort {
    pub fn message(self) -> &'static str {
        match self {
            Abort::Instructions => "limit: instructions per turn",
            Abort::Heap => "limit: heap bytes",
            Abort::Depth => "limit: call depth",
            Abort::NativeDepth => "limit: nested native calls",
            Abort::Messages => "limit: messages per turn",
            Abort::Interrupted => "interrupted",
            Abort::Corrupt => "the heap is damaged",
        }
    }
}

pub type Res<T = Value> = Result<T, Stop>;

/// Arguments of a native: a window on the frame stack (r2 this, r3 … arguments).
#[derive(Clone, Copy, Debug)]
pub struct Args {
    /// Address of r0, the function called.
    pub base: u32,
    pub argc: u32,
    /// The constructor called with `new`, else undefined.
    pub new_target: Value,
}

impl Args {
    #[inline(always)]
    pub fn this(self, m: Mem) -> Value {
        m.r64(self.base, 16)
    }
    /// The function object itself (its data words are the native's captures).
    #[inline(always)]
    pub fn callee(self, m: Mem) -> Value {
        m.r64(self.base, 0)
    }
    /// Argument `i`, undefined if there is none.
    #[inline(always)]
    pub fn get(self, m: Mem, i: u32) -> Value {
        if i < self.argc { m.r64(self.base.wrapping_add(i.wrapping_mul(8)), 24) } else { UNDEF }
    }
    pub fn is_construct(self) -> bool {
        self.new_target != UNDEF
    }
}

/// A builtin: `name` and `length` as the function object shows them.
pub type NativeFn = fn(&mut Cx, Mem, Args) -> Res;

/// Everything of one machine that is not in its cage.
pub struct Cx {
    pub heap: Heap,
    /// Units of work left until the meter is looked at. The interpreter takes from it directly.
    pub fuel: u64,
    /// Units of this turn beyond those.
    rest: u64,
    /// Set by the host to end the turn that runs (`Abort::Interrupted`).
    pub interrupt: Option<Arc<AtomicBool>>,
    /// Called at each look at the meter, where a host measures how long they are apart.
    pub looked: Option<fn()>,
    pub thrown: Value,
    pub abort: Option<Abort>,
    pub engine: Arc<Engine>,
    /// By unit number.
    pub units: Vec<Arc<LoadedUnit>>,
    /// Native frames on the Rust stack.
    pub native_depth: u32,
    /// Where the live part of the frame stack ends when native code runs.
    pub stack_top: u32,
    /// Where stress mode collects: every safepoint.
    pub stress: bool,
    /// Lines written by `print` and `console`, released by the host when the turn is committed.
    pub output: Vec<OutputLine>,
    pub new_target: Value,
    /// Frames that native code constructs with, innermost last.
    pub constructing: Vec<u32>,
    /// Run the `match` loop instead of threaded handlers.
    pub match_loop: bool,
    /// `Heap::moved` when the caches were last known good.
    pub cache_epoch: u64,
    /// Milliseconds since some moment, where the host lends a clock: for `performance.now` of unlocked realms.
    pub clock: Option<fn() -> f64>,
    /// Interned names that were found a moment ago.
    pub(crate) names: string::Names,
    /// Exceptions of this turn that left all frames.
    pub(crate) left: Vec<Thrown>,
}

/// What a program wrote in a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputLine {
    /// To stderr.
    pub error: bool,
    pub text: String,
}

/// Units of work between two looks at the meter, at most. A unit takes a microsecond where all memory is cold; a look takes some 20 ns.
pub const LOOK: u64 = 1 << 11;

/// Bytes of an object before which free memory is cleaned.
const CLEANED: u32 = 4 << 20;

/// Natives on the Rust stack at once.
pub const MAX_NATIVE_DEPTH: u32 = 200;

impl Cx {
    /// The state of a machine between turns.
    pub fn new(engine: &Arc<Engine>, heap: Heap, units: Vec<Arc<LoadedUnit>>) -> Cx {
        Cx {
            heap,
            fuel: LOOK,
            rest: u64::MAX - LOOK,
            interrupt: None,
            looked: None,
            thrown: UNDEF,
            abort: None,
            engine: engine.clone(),
            units,
            native_depth: 0,
            stack_top: cage::layout::FRAMES,
            stress: false,
            output: Vec::new(),
            new_target: UNDEF,
            constructing: Vec::new(),
            match_loop: false,
            cache_epoch: 0,
            clock: None,
            names: string::Names::default(),
            left: Vec::new(),
        }
    }

    /// Charges `n` units of work.
    #[inline(always)]
    pub fn charge(&mut self, n: u64) -> Res<()> {
        if self.fuel < n {
            return self.look(n);
        }
        self.fuel -= n;
        Ok(())
    }

    /// Takes `n` units from what the turn has left, if the host lets it go on.
    #[cold]
    #[inline(never)]
    fn look(&mut self, n: u64) -> Res<()> {
        if let Some(looked) = self.looked {
            looked();
        }
        aside::sweep();
        if self.interrupt.as_ref().is_some_and(|i| i.load(Ordering::Relaxed)) {
            return Err(self.stop(Abort::Interrupted));
        }
        match self.units_left().checked_sub(n) {
            Some(left) => self.set_units(left),
            None => {
                self.set_units(0);
                return Err(self.stop(Abort::Instructions));
            }
        }
        Ok(())
    }

    /// Has the heap look in long collections as `look` does. Nothing is charged there: what makes objects was.
    pub(crate) fn be_asked(&mut self) {
        let (interrupt, looked) = (self.interrupt.clone(), self.looked);
        self.heap.ask(Box::new(move || {
            if let Some(looked) = looked {
                looked();
            }
            !interrupt.as_ref().is_some_and(|i| i.load(Ordering::Relaxed))
        }));
    }

    /// A collection failed.
    pub(crate) fn not_collected(&mut self) -> Stop {
        let stopped = self.interrupt.as_ref().is_some_and(|i| i.load(Ordering::Relaxed));
        self.stop(if stopped { Abort::Interrupted } else { Abort::Heap })
    }

    /// A look that nothing is charged for: while the turn waits.
    pub(crate) fn look_again(&mut self) -> Res<()> {
        self.look(0)
    }

    /// Units this turn may still take.
    pub fn units_left(&self) -> u64 {
        self.fuel.saturating_add(self.rest)
    }

    /// Gives the turn so many units.
    pub fn set_units(&mut self, n: u64) {
        // under stress the interpreter's fast paths fail for want of fuel at every other turn, and are done again
        self.fuel = n.min(if self.stress { 1 } else { LOOK });
        self.rest = n - self.fuel;
    }

    #[cold]
    #[inline(never)]
    pub fn stop(&mut self, why: Abort) -> Stop {
        if self.abort.is_none() {
            self.abort = Some(why);
        }
        Stop::Abort
    }

    /// Memory for a new object, from a native (never collects). See the rules of `cage::heap`.
    #[inline]
    pub fn alloc(&mut self, m: Mem, bytes: u32) -> Res<u32> {
        match self.heap.alloc(bytes.next_multiple_of(8)) {
            Some(at) if bytes <= cage::layout::MAX_YOUNG => Ok(at),
            Some(at) => {
                self.heap.nur = at;
                self.alloc_slow(m, bytes)
            }
            None => self.alloc_slow(m, bytes),
        }
    }

    #[cold]
    #[inline(never)]
    fn alloc_slow(&mut self, m: Mem, bytes: u32) -> Res<u32> {
        self.make_room(m, bytes)?;
        self.heap.alloc_native(m, bytes).map_err(|_| self.stop(Abort::Heap))
    }

    /// What a large object may be laid over is cleaned before, bit by bit.
    fn make_room(&mut self, m: Mem, bytes: u32) -> Res<()> {
        if bytes >= CLEANED {
            let mut next = Some(0);
            while let Some(from) = next {
                next = self.heap.clean_free(m, from);
                self.charge(LOOK / 2)?;
            }
        }
        Ok(())
    }

    /// An old object that never moves.
    pub fn alloc_pinned(&mut self, m: Mem, bytes: u32) -> Res<u32> {
        self.make_room(m, bytes)?;
        self.heap.alloc_pinned(m, bytes).map_err(|_| self.stop(Abort::Heap))
    }

    /// An old object that may move between turns.
    pub fn alloc_old(&mut self, m: Mem, bytes: u32) -> Res<u32> {
        self.make_room(m, bytes)?;
        self.heap.alloc_old(m, bytes).map_err(|_| self.stop(Abort::Heap))
    }

    /// Throws `v`.
    #[inline]
    pub fn throw(&mut self, v: Value) -> Stop {
        self.thrown = v;
        Stop::Throw
    }

    /// Makes and throws an error of the engine's own.
    #[cold]
    #[inline(never)]
    pub fn error(&mut self, m: Mem, kind: ErrorKind, message: &str) -> Stop {
        match crate::builtins::error::make(self, m, kind, message) {
            Ok(e) => self.throw(e),
            Err(s) => s,
        }
    }
    #[cold]
    pub fn type_error(&mut self, m: Mem, message: &str) -> Stop {
        self.error(m, ErrorKind::Type, message)
    }
    #[cold]
    pub fn range_error(&mut self, m: Mem, message: &str) -> Stop {
        self.error(m, ErrorKind::Range, message)
    }

    /// A new string.
    pub fn str(&mut self, m: Mem, s: &str) -> Res {
        string::from_str(self, m, s)
    }
}

/// The native errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    Error,
    Type,
    Range,
    Reference,
    Syntax,
    Eval,
    Uri,
    Aggregate,
}

impl ErrorKind {
    pub const ALL: [ErrorKind; 8] = [
        ErrorKind::Error,
        ErrorKind::Type,
        ErrorKind::Range,
        ErrorKind::Reference,
        ErrorKind::Syntax,
        ErrorKind::Eval,
        ErrorKind::Uri,
        ErrorKind::Aggregate,
    ];
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::Error => "Error",
            ErrorKind::Type => "TypeError",
            ErrorKind::Range => "RangeError",
            ErrorKind::Reference => "ReferenceError",
            ErrorKind::Syntax => "SyntaxError",
            ErrorKind::Eval => "EvalError",
            ErrorKind::Uri => "URIError",
            ErrorKind::Aggregate => "AggregateError",
        }
    }
}
