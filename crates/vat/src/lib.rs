#![forbid(unsafe_code)]
//! A vat: one machine and what is delivered to it.
//!
//! In: a `Delivery`. Out: a `TurnOutcome`, as plain Rust data.
//!
//! Invariants
//! - one delivery is one turn, the jobs it causes included: it commits whole or leaves no trace in the heap;
//! - between turns the vat keeps no state outside its cage that could not be made anew.
//!
//! Must never know: files, sockets, clocks, other vats.
use engine::cx::{Abort, Cx, OutputLine, Res, Value};
use engine::engine::Engine;
use engine::machine::{Base, Machine, Outcome, Saved};
use engine::module::{self, ModuleIn};
use engine::{array, harden, interp, object, promise, roots, string};
use engine::{cage::Mem, cage::value};
use std::sync::Arc;

pub use engine::code::CodeUnit;
pub use engine::machine::Quota;

/// What all vats of a process share.
pub struct Shared {
    engine: Arc<Engine>,
    base: Base,
}

impl Shared {
    /// Builds the base of locked (or unlocked) realms.
    pub fn new(unlocked: bool) -> std::io::Result<Shared> {
        let engine = Arc::new(Engine::new()?);
        let base = Base::build(&engine, unlocked)?;
        Ok(Shared { engine, base })
    }

    /// The stored bytes of the base.
    pub fn base_bytes(&self) -> &[u8] {
        &self.base.bytes
    }
}

/// One vat.
pub struct Vat {
    machine: Machine,
}

/// What can be delivered.
pub enum Delivery {
    /// A script, run in the start compartment.
    Script(CodeUnit),
    /// A script whose completion value is shown (REPL).
    Entry(CodeUnit),
    /// Modules, entry first, run in the start compartment and not started.
    Modules(Vec<ModuleIn>),
    /// A program: its modules, entry first, and what `powers.args` holds.
    Start { graph: Vec<ModuleIn>, args: Vec<String> },
}

/// How a turn ended.
#[derive(Debug)]
pub enum Ending {
    Done,
    /// The completion value of an entry, as text.
    Value(String),
    /// `Name: message` or `Uncaught: value`.
    Threw(String),
    /// Rolled back.
    Aborted(Abort),
    /// The program exports nothing to start.
    NoStart,
}

/// What a turn brought.
#[derive(Debug)]
pub struct TurnOutcome {
    pub ending: Ending,
    /// In the order written; to be released when the turn is durable.
    pub output: Vec<OutputLine>,
    /// Rejections nobody handled.
    pub unhandled: Vec<String>,
}

/// What became of the program's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Main {
    Pending,
    Fulfilled,
    Rejected(String),
}

impl Vat {
    pub fn new(shared: &Shared, quota: Quota) -> std::io::Result<Vat> {
        Ok(Vat { machine: Machine::new(&shared.engine, &shared.base, quota)? })
    }

    /// The vat at rest as bytes.
    pub fn save(&self) -> Saved {
        self.machine.save()
    }

    /// A vat from its bytes, in another cage.
    pub fn load(shared: &Shared, saved: &Saved, quota: Quota) -> Result<Vat, engine::cage::heap::ImageError> {
        Ok(Vat { machine: Machine::load(&shared.engine, &shared.base, saved, quota)? })
    }

    /// For tests and conformance: see `Machine`.
    pub fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// One turn.
    pub fn deliver(&mut self, delivery: Delivery) -> TurnOutcome {
        match delivery {
            Delivery::Script(unit) => {
                let t = self.machine.run_unit(unit);
                TurnOutcome { ending: ending(t.outcome, |()| Ending::Done), output: t.output, unhandled: t.unhandled }
            }
            Delivery::Entry(unit) => {
                let t = self.machine.turn(|cx, m| {
                    let global = roots::get(m, roots::R_GLOBAL);
                    let v = interp::run_unit(cx, m, unit, global)?;
                    show(cx, m, v)
                });
                TurnOutcome { ending: ending(t.outcome, Ending::Value), output: t.output, unhandled: t.unhandled }
            }
            Delivery::Modules(graph) => {
                let t = self.machine.turn(|cx, m| {
                    let global = roots::get(m, roots::R_GLOBAL);
                    module::run_graph(cx, m, graph, global).map(|_| ())
                });
                TurnOutcome { ending: ending(t.outcome, |()| Ending::Done), output: t.output, unhandled: t.unhandled }
            }
            Delivery::Start { graph, args } => {
                let t = self.machine.turn(|cx, m| start(cx, m, graph, &args));
                let ending = ending(t.outcome, |started| if started { Ending::Done } else { Ending::NoStart });
                TurnOutcome { ending, output: t.output, unhandled: t.unhandled }
            }
        }
    }

    /// What became of what `start` returned.
    pub fn main_state(&mut self) -> Main {
        let mut state = Main::Fulfilled;
        self.machine.look(|cx, m| {
            let p = roots::get(m, roots::R_MAIN);
            if promise::is_promise(m, p) {
                state = match promise::state(m, p) {
                    0 => Main::Pending,
                    1 => Main::Fulfilled,
                    _ => {
                        let reason = promise::result(m, p);
                        Main::Rejected(engine::builtins::error::describe(cx, m, reason))
                    }
                };
            }
        });
        state
    }
}

fn ending<T>(o: Outcome<T>, done: impl FnOnce(T) -> Ending) -> Ending {
    match o {
        Outcome::Done(v) => done(v),
        Outcome::Threw(t) => Ending::Threw(t),
        Outcome::Aborted(a) => Ending::Aborted(a),
        _ => Ending::Aborted(Abort::Corrupt),
    }
}

fn show(cx: &mut Cx, m: Mem, v: Value) -> Res<String> {
    engine::builtins::console::inspect::inspect(cx, m, v, engine::builtins::console::inspect::DEPTH)
}

/// Evaluates the program's modules and calls its start with its powers. False: it exports nothing to start.
fn start(cx: &mut Cx, m: Mem, graph: Vec<ModuleIn>, args: &[String]) -> Res<bool> {
    let global = engine::realm::program_global(cx, m)?;
    let ns = module::run_graph(cx, m, graph, global)?;
    let f = module::start_of(cx, m, ns)?;
    if f == value::UNDEF {
        return Ok(false);
    }
    let powers = powers(cx, m, args)?;
    let r = interp::call_rooted(cx, m, f, value::UNDEF, &[powers], &mut [])?;
    let p = promise::to_promise(cx, m, r)?;
    promise::mark_handled(cx, m, p);
    roots::set(cx, m, roots::R_MAIN, p);
    Ok(true)
}

/// `{ console, args }`, hardened.
fn powers(cx: &mut Cx, m: Mem, args: &[String]) -> Res {
    let o = object::new(cx, m)?;
    let global = roots::get(m, roots::R_GLOBAL);
    let console = object::get_str(cx, m, global, "console")?;
    let list = args.iter().map(|a| string::from_str(cx, m, a)).collect::<Res<Vec<_>>>()?;
    let list = array::from_slice(cx, m, &list)?;
    for (name, v) in [("console", console), ("args", list)] {
        let key = string::intern_str(cx, m, name)?;
        object::create_data_or_throw(cx, m, o, key, v)?;
    }
    harden::harden(cx, m, o)
}
