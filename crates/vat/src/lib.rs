#![forbid(unsafe_code)]
//! A vat: one machine and what is delivered to it.
//!
//! In: a `Delivery`. Out: a `TurnOutcome`, as plain Rust data.
//!
//! Invariants
//! - one delivery is one turn, the jobs it causes included: it commits whole or leaves no trace in the heap;
//! - between turns the vat keeps no state outside its cage that could not be made anew: tables of exports and imports,
//!   counters and promises are in the heap, and are rolled back, saved and loaded with it.
//!
//! Must never know: files, sockets, clocks, other vats.
mod decode;
mod edge;
mod encode;
mod known;
mod powers;
pub mod program;
mod reach;
mod start;
mod stored;

use edge::Edge;
use engine::cage::{Mem, value};
use engine::cx::{Abort, Cx, Res, Value};
use engine::machine::{Machine, Outcome, Said, Saved, Turn};
use engine::module;
use engine::{interp, roots};
use passable::{Aborted, Delivery, Line, Ref, TurnOutcome, VatId, What};
use std::cell::RefCell;

pub use edge::powers as powers_data;
pub use engine::cage::heap::ImageError;
pub use engine::code::CodeUnit;
pub use engine::engine::LoadedUnit;
pub use engine::machine::Quota;
pub use engine::module::ModuleIn;
pub use engine::realm::Arrangement;
pub use passable::Ending;
pub use program::{Program, Shared};
pub use stored::{Changes, Older, Read, Unmoved, Whole, can_wake_at_touch, pieces};

/// One vat.
pub struct Vat {
    machine: Machine,
    id: VatId,
    quota: Quota,
    /// Units of the base, and those that `take_changes` has told of.
    base_units: usize,
    told_units: usize,
    /// What the last turn changed, until it is taken; the rest is empty, kept for its memory.
    said: Said,
    /// The key of string hashes, to be set in the first turn.
    hash_key: Option<u128>,
    /// It was laid anew over another base, and nobody was told yet.
    relaid: Option<Box<stored::Whole>>,
    /// Empty: kept for its memory.
    recent: Vec<Ref>,
}

/// Code that is delivered without a start: for scripts, REPLs and tests.
pub enum Code {
    /// A script, run in the start compartment.
    Script(CodeUnit),
    /// A script whose completion value is shown (REPL).
    Entry(CodeUnit),
    /// Modules, entry first, run in the start compartment and not started.
    Modules(Vec<ModuleIn>),
}

impl Vat {
    pub fn new(shared: &Shared, id: VatId, quota: Quota) -> std::io::Result<Vat> {
        Ok(Vat::of(Machine::new(shared.engine(), shared.base(), quota)?, id, quota, shared))
    }

    fn of(machine: Machine, id: VatId, quota: Quota, shared: &Shared) -> Vat {
        let told_units = machine.units().len();
        Vat {
            machine,
            id,
            quota,
            base_units: Machine::base_units(shared.base()),
            told_units,
            said: Said::default(),
            hash_key: None,
            relaid: None,
            recent: Vec::new(),
        }
    }

    /// The vat at rest as bytes.
    pub fn save(&self) -> Saved {
        self.machine.save()
    }

    /// A vat from its bytes, in another cage.
    pub fn load(shared: &Shared, id: VatId, saved: &Saved, quota: Quota) -> Result<Vat, engine::cage::heap::ImageError> {
        Ok(Vat::of(Machine::load(shared.engine(), shared.base(), saved, quota)?, id, quota, shared))
    }

    /// For tests and conformance: see `Machine`.
    pub fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// The key of its string hashes, an input as deliveries are: drawn before the first of them.
    pub fn set_hash_key(&mut self, key: u128) {
        self.hash_key = Some(key);
    }

    pub fn quota(&self) -> Quota {
        self.quota
    }

    /// Other limits, from the next turn on.
    pub fn set_quota(&mut self, quota: Quota) {
        if quota != self.quota {
            self.quota = quota;
            self.machine.set_quota(quota);
        }
    }

    pub fn heap_bytes(&self) -> u64 {
        self.machine.heap_bytes()
    }

    /// Is the stored heap whole? Between turns.
    pub fn verify(&self) -> Result<(), String> {
        self.machine.verify()
    }

    /// What it holds besides the base: for each kind of object its name, a count, and bytes; most bytes first.
    pub fn census(&self, shared: &Shared) -> std::io::Result<Vec<(&'static str, u64, u64)>> {
        let base = Machine::new(shared.engine(), shared.base(), self.quota)?.census();
        let of_base = |name| base.iter().find(|b| b.0 == name).map_or((0, 0), |b| (b.1, b.2));
        let mut all: Vec<(&'static str, u64, u64)> = self
            .machine
            .census()
            .into_iter()
            .map(|(name, n, bytes)| (name, n.saturating_sub(of_base(name).0), bytes.saturating_sub(of_base(name).1)))
            .filter(|c| c.1 > 0)
            .collect();
        all.sort_by_key(|c| (std::cmp::Reverse(c.2), c.0));
        Ok(all)
    }

    /// One turn that runs code as it is.
    pub fn run(&mut self, code: Code) -> TurnOutcome {
        let t = match code {
            Code::Script(unit) => self.machine.run_unit(unit).map(|()| Ending::Done),
            Code::Entry(unit) => {
                let (id, key) = (self.id, self.hash_key);
                let t = self.machine.turn(|cx, m| {
                    begin(cx, m, id, key);
                    let global = roots::get(m, roots::R_GLOBAL);
                    let v = interp::run_unit(cx, m, unit, global)?;
                    show(cx, m, v)
                });
                t.map(Ending::Value)
            }
            Code::Modules(graph) => {
                let t = self.machine.turn(|cx, m| {
                    let global = roots::get(m, roots::R_GLOBAL);
                    module::run_graph(cx, m, &graph, global).map(|_| ())
                });
                t.map(|()| Ending::Done)
            }
        };
        let Turn { outcome, output, unhandled, traces, instructions, delta, .. } = t;
        let (mut out, mut ending) = (TurnOutcome::default(), Ending::Done);
        let outcome = match outcome {
            Outcome::Done(e) => {
                ending = e;
                Outcome::Done(())
            }
            Outcome::Threw(text) => Outcome::Threw(text),
            Outcome::Aborted(why) => Outcome::Aborted(why),
            _ => Outcome::Aborted(Abort::Corrupt),
        };
        self.said = Said { output, unhandled, traces, instructions, delta };
        self.outcome(outcome, ending, &mut out);
        out
    }

    /// One turn.
    pub fn deliver(&mut self, shared: &Shared, d: &Delivery) -> TurnOutcome {
        let mut outcome = TurnOutcome::default();
        self.deliver_to(shared, d, &mut outcome);
        outcome
    }

    /// One turn. `out` becomes its outcome; of what it was before the memory is used again.
    pub fn deliver_to(&mut self, shared: &Shared, d: &Delivery, out: &mut TurnOutcome) {
        if let What::Trace { exports } = &d.what {
            let mut reached = Vec::new();
            self.machine.look(|cx, m| reached = reach::refs(cx, m, exports));
            self.machine.rest();
            *out = TurnOutcome::default();
            out.ops.push(passable::Op::Reached(reached));
            out.heap_bytes = self.machine.heap_bytes();
            self.said.delta.clear();
            return;
        }
        let arrived = RefCell::new(Vec::new());
        out.ops.clear();
        let (ops, recent) = (std::mem::take(&mut out.ops), std::mem::take(&mut self.recent));
        let mut edge = Edge::new(self.machine.heap_marks(), &arrived, ops, recent);
        let (id, key, mut ending) = (self.id, self.hash_key, Ending::Done);
        self.said.delta.clear();
        let body = |cx: &mut Cx, m: Mem| {
            begin(cx, m, id, key);
            edge::gone(cx, m, d)?;
            let recent = &mut *arrived.borrow_mut();
            match &d.what {
                What::Message(msg) => edge::message(cx, m, msg, recent)?,
                What::Notify { promise, rejected, value } => edge::notify(cx, m, *promise, *rejected, value, recent)?,
                What::Start { program, powers, answer } => match shared.program(*program) {
                    Some(p) => ending = start::program(cx, m, p.graph(), powers, *answer, recent)?,
                    None => return Err(cx.error(m, engine::cx::ErrorKind::Error, "the program is not known")),
                },
                What::StartText { text, powers, answer } => {
                    ending = start::text(cx, m, shared, text, powers, *answer, recent)?;
                }
                What::Collect | What::Trace { .. } => {}
            }
            Ok(())
        };
        let outcome = self.machine.turn_to(body, &mut edge, matches!(d.what, What::Collect), &mut self.said);
        (out.ops, self.recent) = edge.done();
        self.recent.clear();
        if matches!(d.what, What::Collect) {
            self.machine.rest();
        }
        // a vat that filled its heap must still be able to hear of it, and to let go of what it holds
        match &outcome {
            Outcome::Aborted(Abort::Heap) => self.machine.set_reserve(true),
            Outcome::Done(()) if !self.machine.near_limit() => self.machine.set_reserve(false),
            _ => {}
        }
        self.outcome(outcome, ending, out);
    }

    #[inline]
    fn outcome(&mut self, outcome: Outcome<()>, ending: Ending, out: &mut TurnOutcome) {
        out.ending = match outcome {
            Outcome::Done(()) => ending,
            Outcome::Threw(text) => Ending::Threw(text),
            Outcome::Aborted(why) => Ending::Aborted(aborted(why)),
            _ => Ending::Aborted(aborted(Abort::Corrupt)),
        };
        if matches!(out.ending, Ending::Aborted(_)) {
            out.ops.clear();
        }
        let said = &mut self.said;
        out.output.clear();
        if !said.output.is_empty() {
            out.output.extend(said.output.drain(..).map(|l| Line { error: l.error, text: l.text }));
        }
        out.traces.clear();
        if !said.traces.is_empty() {
            out.traces.extend(said.traces.drain(..).map(trace));
        }
        out.unhandled.clear();
        if !said.unhandled.is_empty() {
            out.unhandled.append(&mut said.unhandled);
        }
        out.instructions = said.instructions;
        out.heap_bytes = self.machine.heap_bytes();
    }
}

/// In its first turn a vat learns its number, and its strings their key.
fn begin(cx: &mut Cx, m: Mem, id: VatId, key: Option<u128>) {
    if roots::get(m, roots::R_SELF) == value::UNDEF {
        roots::set(cx, m, roots::R_SELF, value::from_num(id.0 as f64));
        if let Some(key) = key {
            engine::string::draw_key(cx, m, key);
        }
    }
}

fn trace(t: engine::trace::Trace) -> passable::Trace {
    let place = |p: engine::trace::Place| passable::Place { function: p.function, file: p.file, line: p.line, column: p.column };
    passable::Trace { text: t.text, places: t.places.into_iter().map(place).collect() }
}

/// As it is told outside: the limit's name, never the amount.
fn aborted(why: Abort) -> Aborted {
    let (limit, name) = match why {
        Abort::Interrupted | Abort::Corrupt => (false, "Error"),
        _ => (true, "RangeError"),
    };
    Aborted { limit, name: name.to_owned(), message: why.message().to_owned() }
}

/// The limit of instructions was reached.
pub fn is_of_instructions(why: &Aborted) -> bool {
    why.limit && why.message == Abort::Instructions.message()
}

fn show(cx: &mut Cx, m: Mem, v: Value) -> Res<String> {
    engine::builtins::console::inspect::inspect(cx, m, v, engine::builtins::console::inspect::DEPTH)
}
