//! A machine: one cage with the state to run it, turn by turn.
//!
//! In: source texts, calls. Out: `Outcome`s; between turns images.
//!
//! Invariants
//! - a turn either commits or leaves every stored byte as it was;
//! - between turns nothing of the machine is outside its cage but caches, the list of loaded units, and limits.
//!
//! Must never know: files, clocks, where output goes.
use crate::code::CodeUnit;
use crate::cx::{Abort, Cx, OutputLine, Res, Stop};
use crate::engine::{Engine, LoadedUnit};
use crate::faults::Faults;
use crate::kinds::KINDS;
use crate::realm::Arrangement;
use crate::roots::{self, R_GLOBAL, R_UNLOCKED};
pub use crate::source::compile_source;
use crate::trace::{self, Trace};
use crate::{builtins, harden, interp, promise, realm, string};
use cage::heap::ImageError;
use cage::layout::{FRAMES, LOOKUP, STACK};
use cage::value::*;
use cage::{Cage, Heap, Limits, Mem};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use syntax::ast::Goal;
use syntax::diagnostic::Level;

/// What a machine may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of heap (`limit: heap bytes`).
    pub heap_bytes: u64,
    /// Instructions of one turn (`limit: instructions per turn`).
    pub instructions: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Quota { heap_bytes: 512 << 20, instructions: 10_000_000_000 }
    }
}

/// The frozen primordials every machine begins with.
pub struct Base {
    image: cage::heap::Base,
    units: Vec<Arc<LoadedUnit>>,
    /// The stored bytes, for those who compare them.
    pub bytes: Vec<u8>,
}

/// One vat's heap and what runs it.
pub struct Machine {
    cx: Cx,
    cage: Cage,
    quota: Quota,
    /// Each committed turn tells its delta.
    record: bool,
    faults: Faults,
}

/// How a turn ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome<T> {
    /// Committed.
    Done(T),
    /// An exception nobody caught; its effects up to there are committed. As text: `Name: message` or `Uncaught: value`.
    Threw(String),
    /// Rolled back.
    Aborted(Abort),
}

/// What a turn had to say, whatever its outcome.
#[derive(Debug)]
pub struct Turn<T> {
    pub outcome: Outcome<T>,
    /// Released when the turn is committed; of an aborted one, for its author to see.
    pub output: Vec<OutputLine>,
    /// Rejections that nobody handled by the end of the turn, as text.
    pub unhandled: Vec<String>,
    /// Where the last exceptions that left all frames came from, these rejections among them.
    pub traces: Vec<Trace>,
    /// Instructions it took.
    pub instructions: u64,
    /// What makes the image of the commit before it the image of this one (`cage::apply_delta`, `cage::image_patches`); empty
    /// unless the machine records and the turn was committed.
    pub delta: Vec<u8>,
}

/// What a turn says beside its outcome, into memory that is used again: see `Turn`.
#[derive(Debug, Default)]
pub struct Said {
    pub output: Vec<OutputLine>,
    pub unhandled: Vec<String>,
    pub traces: Vec<Trace>,
    pub instructions: u64,
    pub delta: Vec<u8>,
}

impl<T> Turn<T> {
    /// With another value where it was committed.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Turn<U> {
        let outcome = match self.outcome {
            Outcome::Done(v) => Outcome::Done(f(v)),
            Outcome::Threw(t) => Outcome::Threw(t),
            Outcome::Aborted(a) => Outcome::Aborted(a),
        };
        let Turn { output, unhandled, traces, instructions, delta, .. } = self;
        Turn { outcome, output, unhandled, traces, instructions, delta }
    }
}

/// What an embedder does at the end of a turn that is to be committed.
pub trait Leave {
    /// All jobs are done: what is to leave the heap is read now.
    fn leave(&mut self, cx: &mut Cx, m: Mem) -> Res<()>;
    /// The turn's garbage is gone. May write to old space, but no references.
    fn collected(&mut self, cx: &mut Cx, m: Mem) -> Res<()>;
}

/// Nothing leaves.
impl Leave for () {
    fn leave(&mut self, _: &mut Cx, _: Mem) -> Res<()> {
        Ok(())
    }
    fn collected(&mut self, _: &mut Cx, _: Mem) -> Res<()> {
        Ok(())
    }
}

/// A machine at rest.
pub struct Saved {
    pub image: Vec<u8>,
    units: Vec<Arc<LoadedUnit>>,
}

impl Base {
    /// Builds the realm. Deterministic.
    pub fn build(engine: &Arc<Engine>, unlocked: bool) -> std::io::Result<Base> {
        Base::arranged(engine, unlocked, Arrangement::BUILT)
    }

    /// Likewise, as another build might.
    #[doc(hidden)]
    pub fn arranged(engine: &Arc<Engine>, unlocked: bool, arrangement: Arrangement) -> std::io::Result<Base> {
        let cage = Cage::new()?;
        let heap = Heap::new(&KINDS, Limits { heap_bytes: 64 << 20 });
        let mut cx = Cx::new(engine, heap, Vec::new());
        let m = cage.mem();
        // nothing but a fault of our own can stop it
        let made = make_realm(&mut cx, m, unlocked, arrangement);
        let why = cx.abort;
        made.unwrap_or_else(|s| panic!("the realm cannot be built: {s:?} {why:?} {}", describe(&mut cx, m)));
        let full = |_| std::io::Error::other("the realm does not fit its heap");
        // entries of weak tables that are dead would be cleared by each vat for itself
        cx.heap.collect_full(m, STACK, &mut []).map_err(full)?;
        cx.heap.turn_end(m, &mut []).map_err(full)?;
        cx.heap.commit(m);
        cx.heap.begin_afresh();
        let settled = realm::pad(&mut cx, m, arrangement, 5).and_then(|()| realm::settle(&mut cx, m));
        settled.unwrap_or_else(|s| panic!("the realm cannot be settled: {s:?} {:?}", cx.abort));
        cx.heap.turn_end(m, &mut []).map_err(full)?;
        cx.heap.commit(m);
        let bytes = cx.heap.save(m);
        let image = cage::heap::Base::new(&bytes).map_err(std::io::Error::other)?;
        Ok(Base { image, units: cx.units, bytes })
    }

    /// A base as it is stored.
    pub(crate) fn stored(bytes: Vec<u8>, units: Vec<Arc<LoadedUnit>>) -> Result<Base, ImageError> {
        Ok(Base { image: cage::heap::Base::new(&bytes)?, units, bytes })
    }

    /// The units that every machine on this base begins with.
    pub fn units(&self) -> &[Arc<LoadedUnit>] {
        &self.units
    }
}

impl Saved {
    /// All units, those of the base first.
    pub fn units(&self) -> &[Arc<LoadedUnit>] {
        &self.units
    }
}

fn make_realm(cx: &mut Cx, m: Mem, unlocked: bool, arrangement: Arrangement) -> Res<()> {
    // the builders hold offsets: nothing may move while they work
    cx.native_depth = 1;
    let realm = realm::begin(cx, m, unlocked, arrangement)?;
    builtins::install(cx, m, &realm)?;
    if !unlocked {
        harden::lock(cx, m, realm.global)?;
    }
    realm::remember_program_global(cx, m)?;
    string::seal_base(cx, m)?;
    cx.native_depth = 0;
    Ok(())
}

/// The text of the exception in `Cx::thrown`.
fn describe(cx: &mut Cx, m: Mem) -> String {
    let v = cx.thrown;
    crate::builtins::error::describe(cx, m, v)
}

impl Machine {
    /// A new machine on a base.
    pub fn new(engine: &Arc<Engine>, base: &Base, quota: Quota) -> std::io::Result<Machine> {
        let mut cage = Cage::new()?;
        let heap = Heap::on_base(&mut cage, &base.image, &KINDS, Limits { heap_bytes: quota.heap_bytes })?;
        let cx = Cx::new(engine, heap, base.units.clone());
        let mut machine = Machine { cx, cage, quota, record: false, faults: Faults::default() };
        machine.refill();
        Ok(machine)
    }

    /// A machine as it was saved, in another cage.
    pub fn load(engine: &Arc<Engine>, base: &Base, saved: &Saved, quota: Quota) -> Result<Machine, ImageError> {
        Machine::restore(engine, base, &saved.image, saved.units.clone(), quota)
    }

    /// A machine from its parts: the image, whose checksums must be right (`cage::heap::seal`), and the units it added to those of
    /// its base, in the order of `units`.
    pub fn wake(
        engine: &Arc<Engine>,
        base: &Base,
        image: &[u8],
        units: Vec<Arc<LoadedUnit>>,
        quota: Quota,
    ) -> Result<Machine, ImageError> {
        let all = base.units.iter().cloned().chain(units).collect();
        Machine::restore(engine, base, image, all, quota)?.complete()
    }

    /// Likewise of an image of which only what is touched is read: `read` gives any stretch of it. An error of kind
    /// `Unsupported` where the system cannot tell of touches.
    pub fn wake_at_touch(
        engine: &Arc<Engine>,
        base: &Base,
        length: u64,
        read: cage::heap::Read,
        units: Vec<Arc<LoadedUnit>>,
        quota: Quota,
    ) -> Result<Machine, ImageError> {
        let mut cage = Cage::new().map_err(ImageError::Io)?;
        let limits = Limits { heap_bytes: quota.heap_bytes };
        let heap = Heap::load_at_touch(&mut cage, &base.image, length, read, &KINDS, limits)?;
        let all = base.units.iter().cloned().chain(units).collect();
        Machine::over(engine, heap, cage, all, quota).complete()
    }

    /// Itself, if its heap was saved with the code units that it has.
    fn complete(self) -> Result<Machine, ImageError> {
        if known_units(self.cage.mem()) != self.cx.units.len() {
            return Err(ImageError::Bookkeeping { what: "it was not saved with these code units", region: 0 });
        }
        Ok(self)
    }

    fn restore(
        engine: &Arc<Engine>,
        base: &Base,
        image: &[u8],
        units: Vec<Arc<LoadedUnit>>,
        quota: Quota,
    ) -> Result<Machine, ImageError> {
        let mut cage = Cage::new().map_err(ImageError::Io)?;
        let limits = Limits { heap_bytes: quota.heap_bytes };
        let heap = Heap::load_on(&mut cage, &base.image, image, &KINDS, limits)?;
        Ok(Machine::over(engine, heap, cage, units, quota))
    }

    fn over(engine: &Arc<Engine>, heap: Heap, cage: Cage, units: Vec<Arc<LoadedUnit>>, quota: Quota) -> Machine {
        let cx = Cx::new(engine, heap, units);
        let mut machine = Machine { cx, cage, quota, record: false, faults: Faults::default() };
        machine.refill();
        machine
    }

    /// Part of the heap was not touched yet and is not in memory.
    pub fn is_partly_there(&self) -> bool {
        self.cage.absent().is_some_and(|a| a.left() > 0)
    }

    /// Why part of the heap could not be read when it was touched: what was done since is worth nothing.
    pub fn unread(&self) -> Option<String> {
        self.cage.absent().and_then(|a| a.failed())
    }

    /// Its state and its cage, for who reads or lays out a whole heap: native code, during which nothing moves.
    pub(crate) fn with<T>(&mut self, body: impl FnOnce(&mut Cx, Mem) -> T) -> T {
        let m = self.cage.mem();
        self.cx.native_depth = 1;
        let done = body(&mut self.cx, m);
        self.cx.native_depth = 0;
        done
    }

    /// Commits what `with` laid out, if it holds together.
    pub(crate) fn settle(&mut self) -> Result<(), Abort> {
        let m = self.cage.mem();
        self.cx.heap.turn_end(m, &mut []).map_err(|_| Abort::Heap)?;
        self.cx.heap.commit(m);
        interp::drop_caches(&mut self.cx, m);
        self.cx.heap.verify(m).map_err(|_| Abort::Corrupt)
    }

    /// How many units the machine knows, those of its base included. Between turns the number never falls.
    pub fn unit_count(&self) -> usize {
        self.cx.units.len()
    }

    /// All units, those of the base first.
    pub fn units(&self) -> &[Arc<LoadedUnit>] {
        &self.cx.units
    }

    /// How many of `units` are the base's.
    pub fn base_units(base: &Base) -> usize {
        base.units.len()
    }

    /// Draws the key of the vat's string hashes, an input as deliveries are: right after `new`. False: it is too late.
    pub fn draw_hash_key(&mut self, key: u128) -> bool {
        let m = self.cage.mem();
        let drawn = string::draw_key(&mut self.cx, m, key);
        self.cx.heap.commit(m);
        drawn
    }

    /// Whether each committed turn tells its delta (`Turn::delta`), so that an image elsewhere can follow. Turn it on before the
    /// first turn that the image does not hold.
    pub fn set_record(&mut self, on: bool) {
        self.record = on;
    }

    /// The stored bytes, between turns.
    pub fn save(&self) -> Saved {
        Saved { image: self.cx.heap.save(self.cage.mem()), units: self.cx.units.clone() }
    }

    /// Writes the volatile table of units.
    fn refill(&mut self) {
        let m = self.cage.mem();
        for n in 0..self.cx.units.len() {
            interp::restore(&mut self.cx, m, n);
        }
    }

    /// Checks the whole stored heap, between turns.
    pub fn verify(&self) -> Result<(), String> {
        self.cx.heap.verify(self.cage.mem()).map_err(|f| f.to_string())
    }

    /// Collect at every safepoint.
    pub fn set_stress(&mut self, on: bool) {
        self.cx.stress = on;
    }

    /// Run the `match` loop instead of the threaded handlers.
    pub fn set_match_loop(&mut self, on: bool) {
        self.cx.match_loop = on;
    }

    /// Lends unlocked realms a clock, in milliseconds since any moment.
    pub fn set_clock(&mut self, clock: fn() -> f64) {
        self.cx.clock = Some(clock);
    }

    /// How many markings of the whole heap have ended.
    pub fn heap_marks(&self) -> u64 {
        self.cx.heap.marks()
    }

    /// Lets turns use the last 5 % of the heap: for deliveries after one was aborted for want of memory.
    pub fn set_reserve(&mut self, on: bool) {
        self.cx.heap.set_reserve(on);
    }

    /// Is the heap near its limit?
    pub fn near_limit(&self) -> bool {
        self.cx.heap.near_limit()
    }

    /// Bytes of the heap.
    pub fn heap_bytes(&self) -> u64 {
        self.cx.heap.heap_bytes()
    }

    /// A flag that ends the turn that runs, soon after it is set; the host clears it.
    pub fn set_interrupt(&mut self, flag: Arc<AtomicBool>) {
        self.cx.interrupt = Some(flag);
        self.cx.be_asked();
    }

    /// Has `looked` called at each look at the meter, so that a host can measure how long they are apart.
    pub fn set_looked(&mut self, looked: fn()) {
        self.cx.looked = Some(looked);
        self.cx.be_asked();
    }

    /// What an operator may want to know of the heap.
    pub fn heap_stats(&self) -> cage::heap::Stats {
        self.cx.heap.stats()
    }

    /// What the heap holds: for each kind of object its name, how many the root reaches, and their bytes.
    pub fn census(&self) -> Vec<(&'static str, u64, u64)> {
        let m = self.cage.mem();
        let mut counts = [(0u64, 0u64); 256];
        self.cx.heap.reach(m, &[cage::value::OBJ | cage::layout::OLD as u64], |kind, at| {
            let (n, bytes) = &mut counts[kind as usize];
            *n += 1;
            *bytes += u64::from(cage::layout::size_of(&KINDS, m.r64(at, 0)).unwrap_or(0));
        });
        let found = counts.iter().enumerate().filter(|c| c.1.0 > 0);
        found.map(|(kind, (n, bytes))| (KINDS[kind].name, *n, *bytes)).collect()
    }

    /// Other limits, from the next turn on.
    pub fn set_quota(&mut self, quota: Quota) {
        self.quota = quota;
        self.cx.heap.set_limits(Limits { heap_bytes: quota.heap_bytes });
    }

    /// One turn: `body`, then all the jobs it caused; then commit or rollback.
    pub fn turn<T>(&mut self, body: impl FnOnce(&mut Cx, Mem) -> Res<T>) -> Turn<T> {
        self.turn_with(body, &mut (), false)
    }

    /// Likewise; `leave` sees what leaves, and `full` asks for a collection of all garbage at the end.
    pub fn turn_with<T>(&mut self, body: impl FnOnce(&mut Cx, Mem) -> Res<T>, leave: &mut dyn Leave, full: bool) -> Turn<T> {
        let mut said = Said::default();
        let outcome = self.turn_to(body, leave, full, &mut said);
        let Said { output, unhandled, traces, instructions, delta } = said;
        Turn { outcome, output, unhandled, traces, instructions, delta }
    }

    /// Likewise; what it says goes to `said`, which is empty but for its memory.
    pub fn turn_to<T>(
        &mut self,
        body: impl FnOnce(&mut Cx, Mem) -> Res<T>,
        leave: &mut dyn Leave,
        full: bool,
        said: &mut Said,
    ) -> Outcome<T> {
        let m = self.cage.mem();
        let cx = &mut self.cx;
        cx.set_units(self.quota.instructions);
        cx.abort = None;
        cx.stack_top = FRAMES;
        cx.native_depth = 0;
        cx.constructing.clear();
        cx.left.clear();
        // a panic is a fault of ours that a damaged heap may reach: it ends the turn, not the host
        let run = |cx: &mut Cx| match body(cx, m) {
            Ok(v) => Outcome::Done(v),
            Err(Stop::Throw) => Outcome::Threw(describe(cx, m)),
            Err(Stop::Abort) => Outcome::Aborted(cx.abort.unwrap_or(Abort::Corrupt)),
        };
        let mut outcome = catch_unwind(AssertUnwindSafe(|| run(cx))).unwrap_or(Outcome::Aborted(Abort::Corrupt));
        cx.thrown = UNDEF;
        let record = self.record;
        if !matches!(outcome, Outcome::Aborted(_))
            && let Err(why) =
                catch_unwind(AssertUnwindSafe(|| finish(cx, m, said, leave, full, record))).unwrap_or(Err(Abort::Corrupt))
        {
            outcome = Outcome::Aborted(why);
        }
        if let Outcome::Aborted(_) = outcome {
            said.unhandled.clear();
            said.traces.clear();
            said.delta.clear();
            cx.heap.rollback(m);
            self.after_rollback();
        }
        crate::aside::sweep_all();
        if !self.cx.output.is_empty() {
            said.output.append(&mut self.cx.output);
        }
        said.instructions = self.quota.instructions.saturating_sub(self.cx.units_left());
        outcome
    }

    /// Gives memory back that a vat at rest does without; its next turn is a little slower.
    pub fn rest(&mut self) {
        let m = self.cage.mem();
        self.cx.heap.rest(m, LOOKUP);
    }

    /// Looks at the heap between turns; changes nothing that is stored.
    pub fn look(&mut self, body: impl FnOnce(&mut Cx, Mem)) {
        let m = self.cage.mem();
        self.cx.set_units(self.quota.instructions);
        self.cx.abort = None;
        body(&mut self.cx, m);
        // what looking allocated is forgotten
        self.cx.heap.rollback(m);
        interp::drop_caches(&mut self.cx, m);
    }

    /// Switches a mistake on.
    #[cfg(feature = "seeded-bugs")]
    pub fn keep_caches(&mut self) {
        self.faults.keep_caches();
    }

    fn after_rollback(&mut self) {
        let m = self.cage.mem();
        let cx = &mut self.cx;
        if !self.faults.caches_kept() {
            interp::drop_caches(cx, m);
        }
        // units that only this turn added are forgotten with it
        cx.units.truncate(known_units(m));
    }

    /// Compiles a script.
    pub fn compile(source: &str, name: &str, completion: bool) -> Result<CodeUnit, Vec<syntax::diagnostic::Diagnostic>> {
        compile_source(source, name, Goal::Script, Level::Ses, completion)
    }

    /// Compiles and runs a script in the start compartment.
    pub fn run_script(&mut self, source: &str, name: &str) -> Turn<()> {
        match Machine::compile(source, name, false) {
            Ok(unit) => self.run_unit(unit),
            Err(errors) => {
                let first = errors.into_iter().next().map_or_else(String::new, |d| d.message);
                Turn {
                    outcome: Outcome::Threw(format!("SyntaxError: {first}")),
                    output: Vec::new(),
                    unhandled: Vec::new(),
                    traces: Vec::new(),
                    instructions: 0,
                    delta: Vec::new(),
                }
            }
        }
    }

    /// Runs a compiled script in the start compartment.
    pub fn run_unit(&mut self, unit: CodeUnit) -> Turn<()> {
        self.turn(|cx, m| {
            let global = roots::get(m, R_GLOBAL);
            interp::run_unit(cx, m, unit, global).map(|_| ())
        })
    }

    /// Is this realm unlocked?
    pub fn is_unlocked(&self) -> bool {
        roots::get(self.cage.mem(), R_UNLOCKED) == TRUE
    }
}

/// How many units the heap has the constants of.
fn known_units(m: Mem) -> usize {
    let list = roots::get(m, roots::R_UNITS);
    if is_obj(list) { crate::array::length(m, list) as usize } else { 0 }
}

/// Jobs, unhandled rejections, collection, commit.
fn finish(cx: &mut Cx, m: Mem, said: &mut Said, leave: &mut dyn Leave, full: bool, record: bool) -> Result<(), Abort> {
    let done = (|| {
        promise::run_jobs(cx, m)?;
        // a rejected promise that leaves is for its receiver to handle
        leave.leave(cx, m)?;
        if promise::has_unhandled(m) {
            for v in promise::take_unhandled(cx, m)? {
                said.unhandled.push(crate::builtins::error::describe(cx, m, v));
            }
        }
        if !cx.left.is_empty() {
            said.traces = trace::take(cx, m);
        }
        Ok(())
    })();
    let ended = |cx: &Cx, r: Res<()>| match r {
        Ok(()) => Ok(()),
        Err(Stop::Throw) => Err(Abort::Corrupt),
        Err(Stop::Abort) => Err(cx.abort.unwrap_or(Abort::Corrupt)),
    };
    ended(cx, done)?;
    let collected = if full { cx.heap.collect_full(m, STACK, &mut []) } else { Ok(()) };
    let done = collected.and_then(|()| cx.heap.turn_end(m, &mut [])).map(drop).map_err(|_| cx.not_collected());
    ended(cx, done)?;
    let done = leave.collected(cx, m);
    ended(cx, done)?;
    interp::forget_caches(cx, m);
    // last: what is committed cannot fail any more, and a delta that is lost would part the image from the heap
    if record {
        cx.heap.delta(m, &mut said.delta);
    } else {
        cx.heap.commit(m);
    }
    Ok(())
}
