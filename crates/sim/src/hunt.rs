//! Many seeds over a program, and failures made small.
//!
//! In: a program and seeds. Out: how much was done, or a failure with as few faults as show it, and what happened in it.
use crate::mistakes::Mistake;
use crate::plan::{Fault, Plan};
use crate::programs::{Known, LIMITS, Program};
use crate::{Outcome, Run, World};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use vat::Shared;
use vat::program::Texts;

/// Turns of a run at most; none of the programs comes near.
pub const MAX_TURNS: u64 = 50_000;
/// Runs that are spent on making a failure small.
const MAX_TRIES: usize = 60;
/// Bytes of stack that a thread needs to run turns.
pub const STACK_BYTES: usize = 64 << 20;

/// A program, linked, to be run with many seeds.
pub struct Stage {
    shared: Arc<Shared>,
    /// The same program under a build with another base.
    other_build: Arc<Shared>,
    entry: u64,
    args: Vec<String>,
    pause: Option<String>,
    reports: bool,
    /// What it must print; none: `ok` as its last line.
    expected: Option<Vec<String>>,
    pub mistake: Option<Mistake>,
}

/// What one seed came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    pub turns: u64,
    pub deaths: u64,
}

/// A run that broke a promise.
#[derive(Debug)]
pub struct Failure {
    pub seed: u64,
    pub what: String,
    /// The faults that suffice.
    pub faults: Vec<Fault>,
    pub trace: Vec<String>,
}

impl Stage {
    /// One of the simulator's own programs.
    pub fn of(program: &Program) -> Result<Stage, String> {
        let mut stage = Stage::new(&format!("{}.js", program.name), &mut Known)?;
        (stage.pause, stage.reports) = (program.pause.map(str::to_owned), program.reports);
        Ok(stage)
    }

    /// Any program; it prints `ok` in the end, or what `prints` says.
    pub fn new(entry: &str, texts: &mut dyn Texts) -> Result<Stage, String> {
        let mut build = |arrangement| {
            let shared = Shared::arranged(false, arrangement).map_err(|e| format!("no memory for a base: {e}"))?;
            let entry = shared.install(entry, None, texts).map_err(|faults| format!("{faults:?}"))?;
            Ok::<_, String>((Arc::new(shared), entry))
        };
        let (other_build, _) = build(vat::Arrangement::Moved)?;
        let (shared, entry) = build(vat::Arrangement::Usual)?;
        Ok(Stage { shared, other_build, entry, args: Vec::new(), pause: None, reports: false, expected: None, mistake: None })
    }

    pub fn prints(mut self, args: &[&str], lines: &[&str]) -> Stage {
        self.args = args.iter().map(|a| (*a).to_owned()).collect();
        self.expected = Some(lines.iter().map(|l| (*l).to_owned()).collect());
        self
    }

    /// Runs one seed. To be called on a thread with `STACK_BYTES` of stack.
    pub fn run(&self, seed: u64) -> Result<Done, Failure> {
        let plan = Plan::draw(seed);
        match self.attempt(seed, &plan, false) {
            Ok(run) => Ok(Done { turns: run.turns, deaths: run.deaths }),
            Err((what, _)) => Err(self.shrink(seed, plan, what)),
        }
    }

    /// Whether a seed fails, without more ado.
    pub fn fails(&self, seed: u64) -> Option<String> {
        self.attempt(seed, &Plan::draw(seed), false).err().map(|e| e.0)
    }

    fn attempt(&self, seed: u64, plan: &Plan, tell: bool) -> Result<Run, (String, Vec<String>)> {
        let run = catch_unwind(AssertUnwindSafe(|| {
            let (program, args, plan) = (self.entry, &self.args, plan.clone());
            let mut w = World::durable_with(&self.shared, program, args, LIMITS, seed, plan, self.mistake);
            w.pause.clone_from(&self.pause);
            w.other_build = seed.is_multiple_of(2).then(|| self.other_build.clone());
            w.tell = tell;
            w.run(MAX_TURNS)
        }));
        let run = run.map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            (format!("panic: {}", text.unwrap_or_default()), Vec::new())
        })?;
        match self.wrong(&run) {
            Some(what) => Err((what, run.trace)),
            None => Ok(run),
        }
    }

    /// What is wrong with a run.
    fn wrong(&self, run: &Run) -> Option<String> {
        match &run.outcome {
            Outcome::Broken(what) => return Some(what.clone()),
            // what was given up may be missed by the program
            _ if run.parked => return None,
            Outcome::Rejected(why) => return Some(format!("the program threw {why}")),
            Outcome::Steps => return Some(format!("no end after {} turns", run.turns)),
            Outcome::Done => {}
        }
        if let Some(r) = run.reports.first()
            && !self.reports
        {
            return Some(format!("a report: {}", r.text));
        }
        match &self.expected {
            Some(lines) if *lines == run.lines => None,
            None if run.lines.last().is_some_and(|l| l == "ok") => None,
            _ => Some(format!("it printed {:?} and ended", run.lines)),
        }
    }

    /// Fewer faults, as long as the run still fails; then once more with all that happens.
    fn shrink(&self, seed: u64, mut plan: Plan, mut what: String) -> Failure {
        let mut tries = 0;
        let mut size = plan.faults.len().max(1);
        while size > 0 && tries < MAX_TRIES {
            let mut at = 0;
            while at < plan.faults.len() && tries < MAX_TRIES {
                let mut fewer = plan.clone();
                let end = (at + size).min(fewer.faults.len());
                fewer.faults.drain(at..end);
                tries += 1;
                match self.attempt(seed, &fewer, false) {
                    Err((why, _)) => (plan, what) = (fewer, why),
                    Ok(_) => at = end,
                }
            }
            size /= 2;
        }
        let trace = self.attempt(seed, &plan, true).err().map_or(Vec::new(), |e| e.1);
        Failure { seed, what, faults: plan.faults, trace }
    }
}

/// Runs `body` on a thread with a stack for turns.
pub fn on_big_stack<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|s| {
        let t = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(s, body);
        match t.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(v)) => v,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(e) => panic!("a thread cannot be started: {e}"),
        }
    })
}
