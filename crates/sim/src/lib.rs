#![forbid(unsafe_code)]
//! A simulated world: the real `node` and real vats, with a seed in the place of time and chance.
//!
//! In: a program and a seed. Out: what it printed, what nobody handled, how it ended. The same seed gives the same run.
//!
//! A world is fleeting (`World::new`), or it has a store (`World::durable`): then the process dies between any two effects, loses what
//! its disk lost, and goes on; `hunt` runs many seeds and makes failures small.
//!
//! Invariants
//! - each step is one that could have happened: a waiting delivery may overtake another one only if nothing that caused
//!   its sending followed the other's sending (causal order: O1 and O2 hold in every order chosen, and the choice is free
//!   within that), and news of a promise overtake nothing that their vat sent to itself;
//! - time passes only when nothing else can happen, or by chance.
//!
//! Must never know: `host`, the machine's clock, its files.
pub mod clocks;
mod disk;
mod end;
pub mod hunt;
mod life;
pub mod mistakes;
pub mod network;
pub mod plan;
pub mod programs;
pub mod random;
pub mod states;
mod watch;

use clocks::Clocks;
use disk::Durable;
use journal::{Journal, Out};
use mistakes::Mistake;
use node::{Config, Effect, Event, Node, Report};
use passable::{Data, Delivery, Limits, PromiseId, TurnId, VatId, What, Writer};
use plan::Plan;
use random::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use vat::{Quota, Shared, Vat};

/// Milliseconds since 1970 when a simulated world begins.
const BEGIN_MS: u64 = 1_000_000_000_000;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was left to do.
    Done,
    /// The program's start was rejected.
    Rejected(String),
    /// More steps than were allowed.
    Steps,
    /// Something that must hold did not.
    Broken(String),
}

/// What came of a run.
#[derive(Debug)]
pub struct Run {
    pub outcome: Outcome,
    /// Lines printed, without those to stderr, in order of commits.
    pub lines: Vec<String>,
    pub reports: Vec<Report>,
    pub turns: u64,
    /// How often the process died.
    pub deaths: u64,
    /// A delivery was given up, since the process had died of it too often.
    pub parked: bool,
    /// What happened, if it was to be told.
    pub trace: Vec<String>,
    /// Objects that vats hold of each other, and promises that more than one vat knows, at the end.
    pub exports: usize,
    pub promises: usize,
}

/// A world in which one program runs.
pub struct World {
    shared: Arc<Shared>,
    /// Another build, with another base: by chance the next process is of it.
    pub other_build: Option<Arc<Shared>>,
    node: Node,
    vats: BTreeMap<VatId, Vat>,
    limits: BTreeMap<VatId, Limits>,
    random: Random,
    now_ms: u64,
    /// (due, number, promise)
    delays: BTreeSet<(u64, u64, PromiseId)>,
    asked: u64,
    clocks: Clocks,
    /// Turns in flight, as the node gave them out.
    // as the node hands them out
    #[allow(clippy::vec_box)]
    running: Vec<(VatId, Box<Delivery>)>,
    lines: Vec<String>,
    reports: Vec<Report>,
    ended: Option<Outcome>,
    turns: u64,
    /// Look at every heap after every turn.
    pub verify: bool,
    program: u64,
    durable: Option<Durable>,
    plan: Plan,
    mistake: Option<Mistake>,
    steps: u64,
    next_fault: usize,
    /// The fault that came last and has not killed yet.
    current: Option<plan::Fault>,
    args: Vec<String>,
    start_limits: Option<Limits>,
    /// A row of the inbox that a mistake brings back.
    again: Option<(Vec<u8>, Vec<u8>)>,
    deaths: u64,
    parked: bool,
    /// A bit of the disk flips before the next opening.
    flips: bool,
    /// The disk has room again from this step on.
    full_until: u64,
    /// Images of vats that sleep, to be compared when they wake.
    asleep: BTreeMap<VatId, Vec<u8>>,
    /// Vats whose next delivery was begun by a process that died.
    suspects: BTreeSet<VatId>,
    /// Vats whose delivery in flight is counted as an attempt.
    counted: BTreeSet<VatId>,
    /// How often the deliveries of suspects were begun, by their numbers.
    begun: BTreeMap<(VatId, u64), u64>,
    /// A process does not die while a delivery may be given up for it.
    spares_suspects: bool,
    /// A vat whose program has this name is paused when it has run a while, for ever.
    pub pause: Option<String>,
    /// What happens is written down.
    pub tell: bool,
    trace: Vec<String>,
    /// Of a host among others; none: it has no peers.
    line: Option<Box<network::Line>>,
}

struct Named(Arc<Shared>);

impl node::Programs for Named {
    fn named_by(&self, maker: u64, specifier: &str) -> Result<u64, String> {
        self.0.named_by(maker, specifier)
    }
    fn name(&self, program: u64) -> String {
        self.0.program(program).map_or_else(|| "?".to_owned(), |p| p.name.clone())
    }
}

impl World {
    /// A world that will run an installed program.
    pub fn new(shared: &Arc<Shared>, program: u64, args: &[String], limits: Limits, seed: u64) -> World {
        let mut w = World::empty(shared, program, false, seed);
        let powers = vat::powers_data(&passable::Power::USUAL, args, &[]);
        w.step(Event::Start { program, powers, limits, imports: Vec::new() });
        w
    }

    fn empty(shared: &Arc<Shared>, program: u64, durable: bool, seed: u64) -> World {
        let config = Config { manual: true, durable, ..Config::default() };
        World {
            shared: shared.clone(),
            other_build: None,
            node: Node::new(config, Box::new(Named(shared.clone()))),
            vats: BTreeMap::new(),
            limits: BTreeMap::new(),
            random: Random::new(seed),
            now_ms: BEGIN_MS,
            delays: BTreeSet::new(),
            asked: 0,
            clocks: Clocks::default(),
            running: Vec::new(),
            lines: Vec::new(),
            reports: Vec::new(),
            ended: None,
            turns: 0,
            verify: false,
            program,
            durable: None,
            plan: Plan::calm(),
            mistake: None,
            steps: 0,
            next_fault: 0,
            current: None,
            args: Vec::new(),
            start_limits: None,
            again: None,
            deaths: 0,
            parked: false,
            flips: false,
            full_until: 0,
            asleep: BTreeMap::new(),
            suspects: BTreeSet::new(),
            counted: BTreeSet::new(),
            begun: BTreeMap::new(),
            spares_suspects: false,
            pause: None,
            tell: false,
            trace: Vec::new(),
            line: None,
        }
    }

    /// Runs to the end, at most so many turns.
    pub fn run(mut self, max_turns: u64) -> Run {
        while self.ended.is_none() {
            if self.turns >= max_turns {
                self.ended = Some(Outcome::Steps);
            } else if !(if self.durable.is_some() { self.one_durably() } else { self.one() }) {
                self.ended = self.ended.take().or(Some(Outcome::Done));
            }
        }
        let outcome = self.ended.unwrap_or(Outcome::Done);
        let exports = self.node.vats().map(|v| self.node.held(v)).sum();
        let promises = self.node.promises();
        let (deaths, parked, trace) = (self.deaths, self.parked, self.trace);
        Run { outcome, lines: self.lines, reports: self.reports, turns: self.turns, deaths, parked, trace, exports, promises }
    }

    /// One thing happens; false: nothing can.
    fn one(&mut self) -> bool {
        let choices = self.choices();
        let timer = !self.delays.is_empty();
        if choices.is_empty() || (timer && self.random.chance(1, 64)) {
            return self.pass_time();
        }
        let (vat, index) = choices[self.random.below(choices.len() as u64) as usize];
        self.step(Event::Run { vat, index });
        if let Some((vat, delivery)) = self.running.pop() {
            self.turn(vat, delivery);
        }
        self.find_idle();
        true
    }

    /// Now and then a vat is found idle.
    fn find_idle(&mut self) {
        if self.random.chance(1, 32) {
            let all: Vec<VatId> = self.node.vats().filter(|v| !self.node.is_session(*v)).collect();
            let vat = all[self.random.below(all.len() as u64) as usize];
            self.step(Event::Idle { vat });
        }
    }

    /// Every delivery that may come next.
    fn choices(&self) -> Vec<(VatId, usize)> {
        let mut out = Vec::new();
        for vat in self.node.vats() {
            let waiting: Vec<(TurnId, bool)> =
                self.node.waiting(vat).map(|q| (q.origin, matches!(q.what, What::Notify { .. }))).collect();
            for (i, (origin, news)) in waiting.iter().enumerate() {
                // after the news that a promise is an object of its own, a vat sends to the object without the node
                let first = |before: &TurnId| self.clocks.precedes(*before, *origin) || (*news && before.vat == vat);
                if !waiting[..i].iter().any(|before| first(&before.0)) {
                    out.push((vat, i));
                }
            }
        }
        out
    }

    /// The earliest delay is over. In a network time is that of all hosts: what is not due yet waits.
    fn pass_time(&mut self) -> bool {
        if self.node.is_quiet() && (self.line.is_none() || self.random.chance(1, 16)) {
            self.step(Event::Quiet);
            if !self.node.is_quiet() {
                return true;
            }
        }
        let Some(&(due, n, p)) = self.delays.first() else { return false };
        if self.line.is_some() && due > self.now_ms {
            return false;
        }
        self.delays.remove(&(due, n, p));
        self.now_ms = self.now_ms.max(due);
        if let Some(j) = self.journal() {
            j.delay_over(p);
        }
        self.step(Event::Answer { promise: p, rejected: false, value: Data::undefined() });
        true
    }

    fn quota(&self, vat: VatId) -> Quota {
        let limits = self.limits.get(&vat).copied().unwrap_or_else(|| self.node.limits(vat));
        Quota { heap_bytes: limits.heap_bytes, instructions: limits.instructions }
    }

    fn turn(&mut self, vat: VatId, delivery: Box<Delivery>) {
        self.turns += 1;
        let quota = self.quota(vat);
        let v = match self.vats.entry(vat) {
            std::collections::btree_map::Entry::Occupied(e) => e.into_mut(),
            std::collections::btree_map::Entry::Vacant(e) => match Vat::new(&self.shared, vat, quota) {
                Ok(v) => e.insert(v),
                Err(why) => return self.step(Event::VatFailed { vat, why: why.to_string() }),
            },
        };
        let outcome = v.deliver(&self.shared, &delivery);
        if self.verify {
            let sound = v.machine().verify();
            assert!(sound.is_ok(), "the heap of vat {} after turn {}: {sound:?}", vat.0, self.node.turns(vat));
        }
        self.step(Event::TurnDone { vat, delivery, outcome });
    }

    fn step(&mut self, event: Event) {
        let mut effects = Vec::new();
        let mut events = vec![event];
        while !events.is_empty() {
            for e in std::mem::take(&mut events) {
                self.node.step(e, &mut effects);
            }
            for e in std::mem::take(&mut effects) {
                events.extend(self.carry_out(e));
            }
        }
    }

    fn journal(&mut self) -> Option<&mut Journal> {
        Some(&mut self.durable.as_mut()?.life.as_mut()?.journal)
    }

    fn note(&mut self, what: impl FnOnce(&World) -> String) {
        if self.tell {
            let text = format!("{:5} {}", self.steps, what(self));
            self.trace.push(text);
        }
    }

    fn carry_out(&mut self, effect: Effect) -> Option<Event> {
        let answer = |promise, value| Some(Event::Answer { promise, rejected: false, value });
        match effect {
            Effect::MakeVat { vat, limits } => {
                self.limits.insert(vat, limits);
            }
            Effect::RunTurn { vat, delivery } => {
                let id = TurnId { vat, turn: self.node.turns(vat) };
                self.clocks.begin(id, self.node.cause(id));
                self.running.push((vat, delivery));
            }
            Effect::EndVat { vat } => {
                self.vats.remove(&vat);
                self.asleep.remove(&vat);
                if let Some(j) = self.journal() {
                    j.ended(vat);
                }
            }
            Effect::Now { answer: p } => return answer(p, Data::number(self.now_ms as f64)),
            Effect::Delay { ms, answer } => {
                self.asked += 1;
                let due = self.now_ms.saturating_add(ms);
                self.delays.insert((due, self.asked, answer));
                if let Some(j) = self.journal() {
                    j.delay(answer, due, ms);
                }
            }
            Effect::Random { bytes, answer: p } => {
                let mut w = Writer::new();
                w.array(bytes as usize);
                for _ in 0..bytes {
                    w.integer(self.random.below(256) as i32);
                }
                return answer(p, w.done());
            }
            Effect::DrawSwissnum { answer } => {
                let mut swiss = [0; 32];
                swiss.fill_with(|| self.random.below(256) as u8);
                return Some(Event::Swissnum { answer, swiss });
            }
            Effect::Peer(out) => self.for_peers(out),
            Effect::Root { .. } => {}
            Effect::Cancel { answer } => {
                self.delays.retain(|d| d.2 != answer);
                if let Some(j) = self.journal() {
                    j.delay_over(answer);
                }
            }
            Effect::Output { lines, aborted: false, .. } => match self.journal() {
                Some(j) => j.lines(lines),
                None => self.lines.extend(lines.into_iter().filter(|l| !l.error).map(|l| l.text)),
            },
            Effect::Output { .. } => {}
            Effect::Report(r) => match self.journal() {
                Some(j) => j.waiting.output.push(Out::Report { report: Box::new(r), names: Vec::new() }),
                None => self.reports.push(r),
            },
            Effect::Started { rejected: Some(reason), .. } => self.ended = Some(Outcome::Rejected(reason.describe())),
            Effect::Started { rejected: None, .. } => {}
            Effect::Reply { to, rejected, value } => {
                if let Some(j) = self.journal() {
                    j.waiting.output.push(Out::Reply { to, rejected, value });
                }
            }
        }
        None
    }
}
