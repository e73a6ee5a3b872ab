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
use crate::commit::leave;
use crate::journal::{Journal, Out};
use crate::output;
use crate::powers::Powers;
use node::{Effect, Event, Node};
use passable::{Delivery, Limits, PromiseId, TurnOutcome, VatId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use vat::{Quota, Shared, Vat};

/// Bytes of stack of a thread that runs turns: natives may nest `MAX_NATIVE_DEPTH` deep.
pub const STACK_BYTES: usize = 64 << 20;
/// Threads at most.
const MAX_THREADS: usize = 64;
/// How long ready turns may wait for a thread before there is one more.
const STALL: Duration = Duration::from_millis(10);
/// Vats in memory at most, where there is a store to leave it for.
const MAX_RESIDENT: usize = 1000;
/// How often a delivery is begun that processes died of.
pub(crate) const MAX_ATTEMPTS: u64 = 3;
/// A vat that had no turn in a whole tick is asked to collect its garbage.
const TICK: Duration = Duration::from_secs(1);

/// Where a vat is while no turn of it runs.
struct Slot {
    vat: Option<Box<Vat>>,
    limits: Limits,
    /// It may stand in the store.
    stored: bool,
    /// The tick of its last turn since it was asked to collect; 0: there was none.
    ran: u64,
    /// Counts turns of all vats: which one ran longest ago.
    last: u64,
    /// Bytes of its heap after its last turn, and the last error that nobody handled: for operators.
    heap_bytes: u64,
    /// The operator was told that it is nearly full.
    warned: bool,
    last_error: Option<String>,
    /// Its next delivery was begun by a process that did not end well: the attempt is counted before it runs.
    suspect: bool,
}

impl Slot {
    fn new(limits: Limits) -> Slot {
        Slot { vat: None, limits, stored: false, ran: 0, last: 0, heap_bytes: 0, warned: false, last_error: None, suspect: false }
    }
}

pub(crate) struct World {
    pub(crate) node: Node,
    ready: VecDeque<(VatId, Delivery)>,
    /// Counts turns taken from `ready`: stands still when all threads are busy.
    taken: u64,
    slots: BTreeMap<VatId, Slot>,
    /// Vats in memory.
    resident: usize,
    powers: Powers,
    pub(crate) journal: Option<Journal>,
    /// Something happened that is in no batch yet.
    pub(crate) stepped: bool,
    pub(crate) committing: bool,
    /// The disk is full: no turn begins until there is room.
    pub(crate) full: bool,
    threads: usize,
    idle: usize,
    start: Instant,
    /// Seconds since `start`, from 1.
    tick: u64,
    /// Kept between steps for their memory.
    effects: Vec<Effect>,
    /// The exit code to end with, once what happened is durable; no turn begins any more.
    pub(crate) closing: Option<i32>,
    /// When the process was asked to end.
    pub(crate) closing_since: Option<Instant>,
    /// Set once: the process's exit code.
    pub(crate) end: Option<i32>,
    failed: bool,
    /// Stays when nothing is left to do.
    pub(crate) serves: bool,
}

pub(crate) struct Pool {
    world: Mutex<World>,
    /// Threads that run turns wait here.
    pub(crate) work: Condvar,
    /// The thread that keeps time waits here.
    pub(crate) clock: Condvar,
    /// The thread that commits waits here.
    pub(crate) commit: Condvar,
    pub(crate) shared: Arc<Shared>,
    /// Set once: turns in hand end.
    pub(crate) interrupt: Arc<AtomicBool>,
    cores: usize,
}

/// How a program is run.
pub struct Job {
    pub shared: Arc<Shared>,
    /// A restored node, or a new one.
    pub node: Node,
    pub journal: Option<Journal>,
    /// For a new node: the program with its powers.
    pub start: Option<Event>,
    /// After an unclean stop.
    pub unclean: bool,
    pub serves: bool,
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

/// Runs a job to its end; the exit code.
pub fn run(job: Job, server: Option<std::os::unix::net::UnixListener>) -> i32 {
    let pool = Pool::new(job.shared, job.node, job.journal, job.serves);
    if let Some(listener) = server {
        crate::control::serve(&pool, listener);
    }
    pool.begin(job.start, job.unclean)
}

impl Pool {
    fn new(shared: Arc<Shared>, node: Node, journal: Option<Journal>, serves: bool) -> Arc<Pool> {
        let world = World {
            node,
            ready: VecDeque::new(),
            taken: 0,
            slots: BTreeMap::new(),
            resident: 0,
            powers: Powers::new(),
            journal,
            stepped: true,
            committing: false,
            full: false,
            threads: 0,
            idle: 0,
            start: Instant::now(),
            tick: 1,
            effects: Vec::new(),
            closing: None,
            closing_since: None,
            end: None,
            failed: false,
            serves,
        };
        let cores = std::thread::available_parallelism().map_or(2, |n| n.get()).max(2);
        let (work, clock, commit) = (Condvar::new(), Condvar::new(), Condvar::new());
        Arc::new(Pool { world: Mutex::new(world), work, clock, commit, shared, interrupt: Arc::default(), cores })
    }

    fn begin(self: Arc<Self>, start: Option<Event>, unclean: bool) -> i32 {
        let committer = {
            let mut w = self.lock();
            match start {
                Some(event) => self.step(&mut w, event),
                None => self.resume(&mut w, unclean),
            }
            let durable = w.journal.is_some();
            self.provide(&mut w);
            drop(w);
            let pool = self.clone();
            durable.then(|| std::thread::Builder::new().name("commit".into()).spawn(move || pool.commits()))
        };
        let stop = crate::signals::watch(&self);
        let code = self.clone().keep_time();
        drop(stop);
        if let Some(Ok(t)) = committer {
            self.commit.notify_all();
            let _ = t.join();
        }
        code
    }

    /// Vats of the store are there when they are needed; delays go on; what may not have been written is written.
    fn resume(self: &Arc<Self>, w: &mut World, unclean: bool) {
        for vat in w.node.vats().collect::<Vec<_>>() {
            let mut slot = Slot::new(w.node.limits(vat));
            (slot.stored, slot.suspect) = (true, unclean);
            w.slots.insert(vat, slot);
        }
        let Some(journal) = &w.journal else { return };
        let (delays, lines) = match (journal.delays(), journal.unwritten()) {
            (Ok(d), Ok(l)) => (d, l),
            (Err(e), _) | (_, Err(e)) => {
                output::misfit(&e);
                w.end = Some(1);
                return;
            }
        };
        for (p, due, ms) in delays {
            w.powers.resume(p, due, ms);
        }
        for (number, lines) in lines {
            if output::written(output::release(&lines))
                && let Some(j) = &mut w.journal
            {
                j.wrote(number);
            }
        }
        let mut effects = std::mem::take(&mut w.effects);
        w.node.resume(&mut effects);
        w.effects = effects;
        self.carry_out_all(w);
        if let Some(Some(reason)) = w.node.started() {
            output::start_rejected(&reason.describe(), &[]);
            w.closing = Some(1);
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        // a thread that panicked left the world as it was before its event
        self.world.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Takes an event and carries out its effects, and theirs.
    pub(crate) fn step(&self, w: &mut World, event: Event) {
        let mut effects = std::mem::take(&mut w.effects);
        w.node.step(event, &mut effects);
        w.effects = effects;
        self.carry_out_all(w);
    }

    fn carry_out_all(&self, w: &mut World) {
        let mut effects = std::mem::take(&mut w.effects);
        let mut answers: VecDeque<Event> = VecDeque::new();
        w.stepped = true;
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
        let entries = w.node.take_trace();
        if !entries.is_empty() {
            let named = entries.into_iter().map(|e| {
                let name = w.node.name(VatId(e.turn.vat)).to_owned();
                (e, name)
            });
            let named = named.collect();
            leave(w, Out::Trace(named));
        }
    }

    // long: one arm an effect
    fn carry_out(&self, w: &mut World, effect: Effect, answers: &mut VecDeque<Event>) {
        let mut answer = |(promise, value): (PromiseId, passable::Data)| {
            answers.push_back(Event::Answer { promise, rejected: false, value });
        };
        match effect {
            Effect::MakeVat { vat, limits } => {
                w.slots.insert(vat, Slot::new(limits));
            }
            Effect::RunTurn { vat, delivery } => w.ready.push_back((vat, delivery)),
            Effect::EndVat { vat } => {
                if w.slots.remove(&vat).is_some_and(|s| s.vat.is_some()) {
                    w.resident -= 1;
                }
                if let Some(j) = &mut w.journal {
                    j.ended(vat);
                }
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
                let due = w.powers.delay(ms, answer);
                if let Some(j) = &mut w.journal {
                    j.delay(answer, due, ms);
                }
                self.clock.notify_one();
            }
            Effect::Cancel { answer } => {
                if w.powers.cancel(answer)
                    && let Some(j) = &mut w.journal
                {
                    j.delay_over(answer);
                }
            }
            Effect::Output { lines, aborted: false, .. } => match &mut w.journal {
                Some(j) => j.lines(lines),
                None => {
                    if !output::written(output::release(&lines)) {
                        w.end = w.end.or(Some(1));
                    }
                }
            },
            Effect::Output { lines, .. } => leave(w, Out::Aborted(lines)),
            Effect::Report(r) => {
                w.failed = true;
                if let Some(s) = w.slots.get_mut(&r.vat) {
                    s.last_error = Some(r.text.clone());
                }
                let names = r.causes.iter().map(|c| (c.id.vat, w.node.name(c.id.vat).to_owned())).collect();
                leave(w, Out::Report { report: Box::new(r), names });
            }
            Effect::Started { rejected: Some(reason), places, nothing_to_start } => {
                let (out, code) = if nothing_to_start {
                    (Out::NothingToStart(w.node.name(VatId(1)).to_owned()), 2)
                } else {
                    (Out::StartRejected(reason.describe(), places), 1)
                };
                leave(w, out);
                w.closing = w.closing.or(Some(code));
            }
            Effect::Started { rejected: None, .. } => {}
            Effect::Reply { to, rejected, value } => {
                leave(w, Out::Reply { to, rejected, text: crate::json::of_data(&value) });
            }
        }
    }

    /// Sees to it that threads are there for what is ready, and that what happened is committed.
    pub(crate) fn provide(self: &Arc<Self>, w: &mut World) {
        if w.journal.is_some() && w.stepped && !w.committing {
            self.commit.notify_one();
        }
        if w.end.is_some() {
            self.work.notify_all();
            self.clock.notify_one();
        } else if w.ready.is_empty() || w.waits() {
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
            let next = if w.waits() { None } else { w.ready.pop_front() };
            let Some((id, delivery)) = next else {
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
            let taken = w.taken;
            let Some(slot) = w.slots.get_mut(&id) else { continue };
            slot.last = taken;
            if std::mem::take(&mut slot.suspect) && !self.attempt(&mut w, id) {
                continue;
            }
            let Some(slot) = w.slots.get_mut(&id) else { continue };
            let (vat, limits, stored) = (slot.vat.take(), slot.limits, slot.stored);
            let store = w.journal.as_ref().map(|j| j.store().clone());
            drop(w);
            let had = vat.is_some();
            let ran = self.turn(id, vat, limits, &delivery, store.as_deref().filter(|_| stored), store.is_some());
            w = self.lock();
            self.ended(&mut w, id, delivery, ran, had);
        }
        drop(w);
        self.work.notify_all();
        self.clock.notify_one();
    }

    /// A turn is over: its changes are noted and its outcome goes to the node, in one step.
    fn ended(
        self: &Arc<Self>,
        w: &mut World,
        id: VatId,
        delivery: Delivery,
        ran: Result<(Box<Vat>, TurnOutcome), String>,
        had: bool,
    ) {
        let (tick, mut near) = (w.tick, false);
        let event = match ran {
            Ok((_, outcome)) if crate::signals::was_interrupted(w, &outcome) => {
                output::interrupted(w.node.name(id), w.journal.is_some());
                return;
            }
            Ok((mut vat, outcome)) => {
                if w.journal.is_some() && !matches!(outcome.ending, passable::Ending::Aborted(_)) {
                    let changes = vat.take_changes();
                    let noted = w.journal.as_mut().map_or(Ok(()), |j| j.turn(id, &changes, &self.shared));
                    if let Err(why) = noted {
                        output::fatal("E-STATE", &format!("the changes of vat {} cannot be stored: {why}", id.0));
                    }
                }
                if let Some(slot) = w.slots.get_mut(&id) {
                    slot.vat = Some(vat);
                    slot.stored = true;
                    slot.heap_bytes = outcome.heap_bytes;
                    near = !slot.warned && outcome.heap_bytes >= slot.limits.heap_bytes / 5 * 4;
                    slot.warned |= near;
                    if !matches!(delivery.what, passable::What::Collect | passable::What::Trace { .. }) {
                        slot.ran = tick;
                    }
                    w.resident += !had as usize;
                }
                Event::TurnDone { vat: id, delivery, outcome }
            }
            Err(why) => Event::VatFailed { vat: id, why },
        };
        if near {
            leave(w, Out::NearLimit(id, w.node.name(id).to_owned()));
        }
        self.step(w, event);
        if w.resident > MAX_RESIDENT && w.journal.is_some() {
            hibernate(w);
        }
        if w.journal.is_some() && !w.committing {
            self.commit.notify_one();
        }
    }

    fn turn(
        &self,
        id: VatId,
        vat: Option<Box<Vat>>,
        limits: Limits,
        delivery: &Delivery,
        stored: Option<&dyn store::Store>,
        record: bool,
    ) -> Result<(Box<Vat>, TurnOutcome), String> {
        let mut vat = match vat {
            Some(v) => v,
            None => {
                let quota = Quota { heap_bytes: limits.heap_bytes, instructions: limits.instructions };
                let woken = match stored {
                    Some(s) => crate::journal::wake(s, &self.shared, id, quota).map_err(|e| e.what)?,
                    None => None,
                };
                let mut v = match woken {
                    Some(v) => v,
                    None => {
                        let no_memory = |e| format!("no memory can be reserved for a vat: {e}");
                        let mut v = Vat::new(&self.shared, id, quota).map_err(no_memory)?;
                        v.set_hash_key(Powers::hash_key().map_err(|e| format!("the system gives no random bytes: {e}"))?);
                        v
                    }
                };
                if record {
                    v.record();
                }
                v.machine().set_interrupt(self.interrupt.clone());
                Box::new(v)
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
            let running = w.threads - w.idle;
            let left = w.closing.is_some() || (w.node.is_done() && !w.serves);
            if left && (running == 0 || w.closing.is_some_and(|c| c < 0)) && !w.committing && !w.stepped_durably() {
                self.close(&mut w);
                continue;
            }
            self.hurry(&mut w);
            if w.closing.is_none() {
                for p in w.powers.due() {
                    if let Some(j) = &mut w.journal {
                        j.delay_over(p);
                    }
                    self.step(&mut w, Event::Answer { promise: p, rejected: false, value: passable::Data::undefined() });
                }
                self.idle_vats(&mut w);
            }
            if w.full {
                let room = w.journal.as_ref().map(|j| j.store().reserve(crate::journal::RESERVE_BYTES));
                w.full = matches!(room, Some(Err(_)));
            }
            if !w.ready.is_empty() || w.stepped {
                self.provide(&mut w);
                if !w.ready.is_empty() && !w.waits() && w.idle == 0 && w.taken == last_taken && w.threads < MAX_THREADS {
                    self.add_thread(&mut w);
                }
            }
            last_taken = w.taken;
            let busy = w.idle < w.threads || !w.ready.is_empty() || w.closing.is_some();
            let wait = if busy { STALL } else { TICK };
            let wait = w.powers.next_due().filter(|_| w.closing.is_none()).map_or(wait, |d| d.min(wait));
            w = self.clock.wait_timeout(w, wait).unwrap_or_else(|e| e.into_inner()).0;
        }
    }

    /// From a vat's next waking on; where it is in memory it wakes anew.
    pub(crate) fn set_limits(&self, w: &mut World, vat: VatId, limits: Limits) {
        let durable = w.journal.is_some();
        if let Some(s) = w.slots.get_mut(&vat) {
            s.limits = limits;
            if durable && s.vat.take().is_some() {
                w.resident -= 1;
            }
        }
    }

    /// Vats that have had nothing to do for a while collect.
    fn idle_vats(self: &Arc<Self>, w: &mut World) {
        let tick = w.start.elapsed().as_secs() + 1;
        if tick == w.tick {
            return;
        }
        w.tick = tick;
        let long = |s: &Slot| s.ran > 0 && s.ran + 1 < tick;
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

impl World {
    pub(crate) fn is_resident(&self, vat: VatId) -> bool {
        self.slots.get(&vat).is_some_and(|s| s.vat.is_some())
    }
    pub(crate) fn heap_bytes(&self, vat: VatId) -> u64 {
        self.slots.get(&vat).map_or(0, |s| s.heap_bytes)
    }
    pub(crate) fn last_error(&self, vat: VatId) -> Option<String> {
        self.slots.get(&vat)?.last_error.clone()
    }
    /// No turn may begin.
    fn waits(&self) -> bool {
        self.closing.is_some() || self.full || self.journal.as_ref().is_some_and(Journal::is_full)
    }
    /// Something is to be committed.
    fn stepped_durably(&self) -> bool {
        self.journal.is_some() && self.stepped
    }
}

/// The vat that ran longest ago leaves memory: all of it is in the store.
fn hibernate(w: &mut World) {
    let mut sleepers: Vec<(u64, VatId)> = w.slots.iter().filter(|s| s.1.vat.is_some()).map(|s| (s.1.last, *s.0)).collect();
    sleepers.sort_unstable();
    // some at once, so that they are not looked for at every turn
    for (_, id) in sleepers.into_iter().take(MAX_RESIDENT / 8 + 1) {
        if let Some(s) = w.slots.get_mut(&id) {
            s.vat = None;
            w.resident -= 1;
        }
    }
}
