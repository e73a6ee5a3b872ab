//! Threads that run turns, around one node.
//!
//! In: a program. Out: an exit code; lines are released turn by turn.
//!
//! Invariants
//! - the node is stepped under one lock, so that the order of its events is the order of commits;
//! - a turn runs outside the lock, on one thread, with the vat taken out of its slot;
//! - a thread that ends a turn goes on with the next one that is ready: two vats that answer each other stay on one
//!   thread; another thread is woken only if more is ready than one can take;
//! - if turns are ready and no thread has taken one for `STALL`, there is one thread more: vats that spin do not keep
//!   others waiting.
use crate::output;
use crate::powers::Powers;
use node::{Config, Effect, Event, Node, Report};
use passable::{Delivery, Limits, PromiseId, TurnOutcome, VatId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use vat::{Quota, Shared, Vat};

/// Bytes of stack of a thread that runs turns: natives may nest `MAX_NATIVE_DEPTH` deep.
pub const STACK_BYTES: usize = 64 << 20;
/// Threads at most.
const MAX_THREADS: usize = 64;
/// How long ready turns may wait for a thread before there is one more.
const STALL: Duration = Duration::from_millis(10);
/// A vat that had no turn in a whole tick is asked to collect its garbage.
const TICK: Duration = Duration::from_secs(1);

/// Where a vat is while no turn of it runs.
struct Slot {
    vat: Option<Box<Vat>>,
    limits: Limits,
    /// The tick of its last turn since it was asked to collect; 0: there was none.
    ran: u64,
}

struct World {
    node: Node,
    ready: VecDeque<(VatId, Delivery)>,
    /// Counts turns taken from `ready`: stands still when all threads are busy.
    taken: u64,
    slots: BTreeMap<VatId, Slot>,
    powers: Powers,
    threads: usize,
    idle: usize,
    start: Instant,
    /// Seconds since `start`, from 1.
    tick: u64,
    /// Kept between steps for their memory.
    effects: Vec<Effect>,
    /// Set once: the process's exit code.
    end: Option<i32>,
    failed: bool,
}

struct Pool {
    world: Mutex<World>,
    /// Threads that run turns wait here.
    work: Condvar,
    /// The thread that keeps time waits here.
    clock: Condvar,
    shared: Arc<Shared>,
    cores: usize,
}

/// Lets the node ask which program a specifier names.
pub struct Named(pub Arc<Shared>);

impl node::Programs for Named {
    fn named_by(&self, maker: u64, specifier: &str) -> Result<u64, String> {
        self.0.named_by(maker, specifier)
    }
    fn name(&self, program: u64) -> String {
        self.0.program(program).map_or_else(|| "?".to_owned(), |p| p.name.clone())
    }
}

/// Runs an installed program to its end; its exit code.
pub fn run(shared: Arc<Shared>, program: u64, args: &[String], limits: Limits) -> i32 {
    let node = Node::new(Config::default(), Box::new(Named(shared.clone())));
    let world = World {
        node,
        ready: VecDeque::new(),
        taken: 0,
        slots: BTreeMap::new(),
        powers: Powers::new(),
        threads: 0,
        idle: 0,
        start: Instant::now(),
        tick: 1,
        effects: Vec::new(),
        end: None,
        failed: false,
    };
    let cores = std::thread::available_parallelism().map_or(2, |n| n.get()).max(2);
    let pool = Arc::new(Pool { world: Mutex::new(world), work: Condvar::new(), clock: Condvar::new(), shared, cores });
    let powers = vat::powers_data(&passable::Power::ALL, args);
    {
        let mut w = pool.lock();
        pool.step(&mut w, Event::Start { program, powers, limits });
        pool.provide(&mut w);
    }
    pool.keep_time()
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, World> {
        // a thread that panicked left the world as it was before its event
        self.world.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Takes an event and carries out its effects, and theirs.
    fn step(&self, w: &mut World, event: Event) {
        let mut effects = std::mem::take(&mut w.effects);
        w.node.step(event, &mut effects);
        let mut answers: VecDeque<Event> = VecDeque::new();
        loop {
            for e in effects.drain(..) {
                self.carry_out(w, e, &mut answers);
            }
            match answers.pop_front() {
                Some(event) => w.node.step(event, &mut effects),
                None => break,
            }
        }
        w.effects = effects;
    }

    fn carry_out(&self, w: &mut World, effect: Effect, answers: &mut VecDeque<Event>) {
        let mut answer = |(promise, value): (PromiseId, passable::Data)| {
            answers.push_back(Event::Answer { promise, rejected: false, value });
        };
        match effect {
            Effect::MakeVat { vat, limits } => {
                w.slots.insert(vat, Slot { vat: None, limits, ran: 0 });
            }
            Effect::RunTurn { vat, delivery } => w.ready.push_back((vat, delivery)),
            Effect::EndVat { vat } => {
                w.slots.remove(&vat);
            }
            Effect::Now { answer: p } => answer((p, w.powers.now())),
            Effect::Random { bytes, answer: p } => match w.powers.random(bytes) {
                Ok(value) => answer((p, value)),
                Err(why) => {
                    let value = passable::Data::error("Error", &format!("random.bytes: {why}"));
                    answers.push_back(Event::Answer { promise: p, rejected: true, value });
                }
            },
            Effect::Delay { ms, answer } => {
                w.powers.delay(ms, answer);
                self.clock.notify_one();
            }
            Effect::Cancel { answer } => w.powers.cancel(answer),
            Effect::Output { lines, aborted: false, .. } => {
                if !output::written(output::release(&lines)) {
                    w.end = w.end.or(Some(1));
                }
            }
            Effect::Output { lines, .. } => output::aborted_lines(&lines),
            Effect::Report(r) => report(w, &r),
            Effect::Started { rejected: Some(reason), nothing_to_start } => {
                let code = if nothing_to_start {
                    output::nothing_to_start(w.node.name(VatId(1)));
                    2
                } else {
                    output::start_rejected(&reason.describe());
                    1
                };
                w.end = w.end.or(Some(code));
            }
            Effect::Started { rejected: None, .. } => {}
        }
    }

    /// Sees to it that threads are there for what is ready.
    fn provide(self: &Arc<Self>, w: &mut World) {
        if w.end.is_some() {
            self.work.notify_all();
            self.clock.notify_one();
        } else if w.ready.is_empty() {
            self.clock.notify_one();
        } else if w.idle > 0 {
            self.work.notify_one();
        } else if w.threads < self.cores {
            self.add_thread(w);
        }
    }

    fn add_thread(self: &Arc<Self>, w: &mut World) {
        let pool = self.clone();
        let made = std::thread::Builder::new().name("turns".into()).stack_size(STACK_BYTES).spawn(move || pool.turns());
        match made {
            Ok(_) => w.threads += 1,
            Err(e) if w.threads == 0 => {
                eprintln!("error[E-THREAD]: cannot start a thread: {e}\n  help: raise the limit of processes (ulimit -u)");
                w.end = w.end.or(Some(1));
            }
            Err(_) => {}
        }
    }

    /// The life of a thread that runs turns.
    fn turns(self: Arc<Self>) {
        let mut w = self.lock();
        while w.end.is_none() {
            let Some((id, delivery)) = w.ready.pop_front() else {
                self.provide(&mut w);
                w.idle += 1;
                w = self.work.wait(w).unwrap_or_else(|e| e.into_inner());
                w.idle -= 1;
                continue;
            };
            w.taken += 1;
            if !w.ready.is_empty() {
                self.provide(&mut w);
            }
            let Some(slot) = w.slots.get_mut(&id) else { continue };
            let (vat, limits) = (slot.vat.take(), slot.limits);
            drop(w);
            let ran = self.turn(id, vat, limits, &delivery);
            w = self.lock();
            let tick = w.tick;
            let event = match ran {
                Ok((vat, outcome)) => {
                    if let Some(slot) = w.slots.get_mut(&id) {
                        slot.vat = Some(vat);
                        if !matches!(delivery.what, passable::What::Collect) {
                            slot.ran = tick;
                        }
                    }
                    Event::TurnDone { vat: id, delivery, outcome }
                }
                Err(e) => Event::VatFailed { vat: id, why: format!("no memory can be reserved for a vat: {e}") },
            };
            self.step(&mut w, event);
        }
        self.work.notify_all();
        self.clock.notify_one();
    }

    fn turn(
        &self,
        id: VatId,
        vat: Option<Box<Vat>>,
        limits: Limits,
        delivery: &Delivery,
    ) -> std::io::Result<(Box<Vat>, TurnOutcome)> {
        let mut vat = match vat {
            Some(v) => v,
            None => {
                let quota = Quota { heap_bytes: limits.heap_bytes, instructions: limits.instructions };
                Box::new(Vat::new(&self.shared, id, quota)?)
            }
        };
        let outcome = vat.deliver(&self.shared, delivery);
        Ok((vat, outcome))
    }

    /// Timers, stalls and idle vats; ends when the program does.
    fn keep_time(self: Arc<Self>) -> i32 {
        let mut w = self.lock();
        let mut last_taken = w.taken;
        loop {
            if let Some(code) = w.end {
                return if code == 0 && w.failed { 1 } else { code };
            }
            if w.node.is_done() {
                w.end = Some(0);
                continue;
            }
            for p in w.powers.due() {
                self.step(&mut w, Event::Answer { promise: p, rejected: false, value: passable::Data::undefined() });
            }
            if w.end.is_some() {
                continue;
            }
            self.idle_vats(&mut w);
            if !w.ready.is_empty() {
                self.provide(&mut w);
                if w.idle == 0 && w.taken == last_taken && (w.threads < MAX_THREADS) {
                    self.add_thread(&mut w);
                }
            }
            last_taken = w.taken;
            let busy = w.idle < w.threads || !w.ready.is_empty();
            let wait = if busy { STALL } else { TICK };
            let wait = w.powers.next_due().map_or(wait, |d| d.min(wait));
            w = self.clock.wait_timeout(w, wait).unwrap_or_else(|e| e.into_inner()).0;
        }
    }

    /// Vats that have had nothing to do for a while collect.
    fn idle_vats(self: &Arc<Self>, w: &mut World) {
        let tick = w.start.elapsed().as_secs() + 1;
        if tick == w.tick {
            return;
        }
        w.tick = tick;
        let long = |s: &Slot| s.vat.is_some() && s.ran > 0 && s.ran + 1 < tick;
        let idle: Vec<VatId> = w.slots.iter().filter(|s| long(s.1)).map(|s| *s.0).collect();
        for vat in idle {
            if let Some(s) = w.slots.get_mut(&vat) {
                s.ran = 0;
            }
            self.step(w, Event::Idle { vat });
        }
        if w.ready.is_empty() && w.node.is_quiet() {
            self.step(w, Event::Quiet);
        }
    }
}

fn report(w: &mut World, r: &Report) {
    w.failed = true;
    output::report(r, |vat| w.node.name(vat).to_owned());
}
