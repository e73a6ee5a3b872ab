//! Threads that run turns, around one node.
//!
//! In: a program. Out: an exit code; lines are released turn by turn.
//!
//! Invariants
//! - the node is stepped under one lock, so that the order of its events is the order of commits;
//! - a turn runs outside the lock, on one thread, with the vat taken out of its slot;
//! - a thread that ends a turn goes on with the next one that is ready: two vats that answer each other stay on one
//!   thread; another thread is woken only if what is ready would take those that are awake longer than `QUEUE`;
//! - a thread that finds nothing ready commits what happened, if nobody does: an answer that one caller waits for changes threads once;
//! - if turns are ready and no thread has taken one for a while, there is one thread more (`clock`): vats that spin do not keep
//!   others waiting.
use crate::awake::Waits;
use crate::commit::leave;
use crate::net::Net;
use crate::output;
use crate::powers::Powers;
use crate::seat::Seat;
pub(crate) use crate::slot::Slot;
use crate::wake::NotRun;
use journal::{Journal, Out};
use node::{Effect, Event, Node};
use passable::{Delivery, Limits, TurnOutcome, VatId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use vat::{Shared, Vat};

/// Bytes of stack of a thread that runs turns: natives may nest `MAX_NATIVE_DEPTH` deep.
pub const STACK_BYTES: usize = 64 << 20;
/// Threads at most.
pub(crate) const MAX_THREADS: usize = 64;
/// How long ready turns may have to wait for threads that are awake, judged by turns of late: short ones are done sooner than another
/// thread has come.
const QUEUE: Duration = Duration::from_micros(200);
/// Of so many turns one is timed.
pub(crate) const SAMPLE: u64 = 16;
/// Vats in memory at most, where there is a store to leave it for.
pub(crate) const MAX_RESIDENT: usize = 1000;

/// What a host is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Ends when nothing is left to do.
    Run,
    /// Ends when it is asked to.
    Serve,
    /// No turn runs: an operator looks, or changes rows.
    Look,
    /// Runs until an operator's call is answered.
    Call,
}

/// Whether the thread that commits is to come, or comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Called {
    No,
    /// When what is gathered is to be committed: it looks at the time by itself.
    Soon,
    Now,
}

pub(crate) struct World {
    pub(crate) node: Node,
    pub(crate) ready: VecDeque<(VatId, Box<Delivery>)>,
    /// Counts turns taken from `ready`: stands still when all threads are busy.
    pub(crate) taken: u64,
    pub(crate) slots: BTreeMap<VatId, Slot>,
    /// Vats in memory.
    pub(crate) resident: usize,
    pub(crate) powers: Powers,
    pub(crate) journal: Option<Journal>,
    pub(crate) net: Arc<Net>,
    /// Something happened that is in no batch yet.
    pub(crate) stepped: bool,
    pub(crate) committing: bool,
    /// The disk is full: no turn begins until there is room.
    pub(crate) full: bool,
    pub(crate) threads: usize,
    /// One of them commits.
    commits: bool,
    /// How long turns of late took, on the average.
    pub(crate) pace: Duration,
    /// Those that wait for work, the one that came last at the end: it is the first to be called, since its memory is the warmest.
    seats: Vec<Arc<Seat<World>>>,
    /// What the thread that commits was told since it waits.
    pub(crate) called: Called,
    /// No batch is taken before then unless so much output waits, or it is due (`commit`).
    pub(crate) gather: Option<(Instant, usize)>,
    /// The thread that keeps time looks at nothing but delays for a while.
    pub(crate) resting: bool,
    /// What happened is to be committed though no output waits for it.
    pub(crate) overdue: bool,
    pub(crate) start: Instant,
    /// Seconds since `start`, from 1.
    pub(crate) tick: u64,
    /// `taken` when it began.
    pub(crate) taken_at_tick: u64,
    /// Threads that gather what sessions write.
    pub(crate) gathering: u32,
    /// Kept between steps for their memory.
    pub(crate) effects: Vec<Effect>,
    /// Answers of powers, on their way to the node.
    answers: VecDeque<Event>,
    /// The exit code to end with, once what happened is durable; no turn begins any more.
    pub(crate) closing: Option<i32>,
    /// When the process was asked to end.
    pub(crate) closing_since: Option<Instant>,
    /// Set once: the process's exit code.
    pub(crate) end: Option<i32>,
    pub(crate) failed: bool,
    pub(crate) mode: Mode,
    /// Turns of vats that were done when the process began.
    pub(crate) begun: BTreeMap<VatId, u64>,
}

pub(crate) struct Pool {
    world: Mutex<World>,
    /// The thread that keeps time waits here.
    pub(crate) clock: Condvar,
    /// The thread that commits waits here.
    pub(crate) commit: Condvar,
    pub(crate) shared: Arc<Shared>,
    pub(crate) net: Arc<Net>,
    /// Set once: turns in hand end.
    pub(crate) interrupt: Arc<AtomicBool>,
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

impl Pool {
    pub(crate) fn new(shared: Arc<Shared>, node: Node, journal: Option<Journal>, net: Arc<Net>, mode: Mode) -> Arc<Pool> {
        let begun = node.vats().map(|v| (v, node.turns(v))).collect();
        let world = World {
            node,
            ready: VecDeque::new(),
            taken: 0,
            slots: BTreeMap::new(),
            resident: 0,
            powers: Powers::new(),
            journal,
            net: net.clone(),
            stepped: true,
            committing: false,
            full: false,
            threads: 0,
            commits: false,
            pace: Duration::ZERO,
            seats: Vec::new(),
            called: Called::No,
            gather: None,
            resting: false,
            overdue: false,
            start: Instant::now(),
            tick: 1,
            taken_at_tick: 0,
            gathering: 0,
            effects: Vec::new(),
            answers: VecDeque::new(),
            closing: None,
            closing_since: None,
            end: None,
            failed: false,
            mode,
            begun,
        };
        let cores = std::thread::available_parallelism().map_or(2, |n| n.get()).max(2);
        let (clock, commit) = (Condvar::new(), Condvar::new());
        Arc::new(Pool { world: Mutex::new(world), clock, commit, shared, net, interrupt: Arc::default(), cores })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        // of a thread that panicked: most end the process (`vital`)
        self.world.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Takes an event and carries out its effects, and theirs.
    pub(crate) fn step(&self, w: &mut World, event: Event) {
        let mut effects = std::mem::take(&mut w.effects);
        w.node.step(event, &mut effects);
        w.effects = effects;
        self.carry_out_all(w);
    }

    pub(crate) fn carry_out_all(&self, w: &mut World) {
        let mut effects = std::mem::take(&mut w.effects);
        w.stepped = true;
        // mostly there is one
        effects.reverse();
        while let Some(e) = effects.pop() {
            self.carry_out(w, e);
        }
        w.effects = effects;
        while let Some(event) = w.answers.pop_front() {
            let mut effects = std::mem::take(&mut w.effects);
            w.node.step(event, &mut effects);
            for e in effects.drain(..) {
                self.carry_out(w, e);
            }
            w.effects = effects;
        }
        if w.node.has_trace() {
            let entries = w.node.take_trace();
            let named = entries.into_iter().map(|e| {
                let name = w.node.name(VatId(e.turn.vat)).to_owned();
                (e, name)
            });
            let named = named.collect();
            leave(w, Out::Trace(named));
        }
    }

    // long: one arm an effect
    fn carry_out(&self, w: &mut World, effect: Effect) {
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
            Effect::Now { answer: promise } => {
                let value = w.powers.now();
                w.answers.push_back(Event::Answer { promise, rejected: false, value });
            }
            Effect::Random { bytes, answer: promise } => {
                let (rejected, value) = match w.powers.random(bytes) {
                    Ok(value) => (false, value),
                    Err(why) => (true, passable::Data::error("Error", &format!("random.bytes: {why}"))),
                };
                w.answers.push_back(Event::Answer { promise, rejected, value });
            }
            Effect::DrawSwissnum { answer } => w.answers.push_back(match crate::state::random() {
                Ok(swiss) => Event::Swissnum { answer, swiss },
                Err(why) => {
                    let value = passable::Data::error("Error", &format!("net.export: {why}"));
                    Event::Answer { promise: answer, rejected: true, value }
                }
            }),
            Effect::Peer(ocapn::Out::Established { session, conn, peer }) => w.net.established(session, conn, &peer),
            Effect::Peer(out) if w.journal.is_none() => self.net.out(out),
            Effect::Peer(out) => leave(w, Out::Net(out)),
            Effect::Root { uris } => leave(w, Out::Root(uris)),
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
                if let Some(j) = &mut w.journal {
                    j.last_error(r.vat, r.causes.first().map_or(0, |c| c.id.turn), &r.text);
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
                if w.mode == Mode::Call {
                    w.closing = w.closing.or(Some(0));
                }
                leave(w, Out::Reply { to, rejected, value });
            }
        }
    }

    /// Sees to it that threads are there for what is ready, that what happened is committed, and that what was sent leaves.
    pub(crate) fn provide(self: &Arc<Self>, w: &mut World) {
        self.net.tell_writers();
        self.provide_threads(w);
    }

    /// As `provide`; what was sent is written by the caller (`Net::write_now`).
    pub(crate) fn provide_threads(self: &Arc<Self>, w: &mut World) {
        self.calls_for(w).wake(self);
    }

    /// Likewise, and lets the world go before anybody is woken: whoever comes finds it free.
    pub(crate) fn let_go(self: &Arc<Self>, mut w: MutexGuard<'_, World>) {
        self.net.tell_writers();
        let calls = self.calls_for(&mut w);
        drop(w);
        calls.wake(self);
    }

    /// Calls whom there is work for; they are to be woken by it (`Calls::wake`).
    pub(crate) fn calls_for(self: &Arc<Self>, w: &mut World) -> Calls {
        let wanted = w.wants_committer();
        let commits = wanted > w.called;
        w.called = w.called.max(wanted);
        let mut calls = Calls { commits, ..Calls::default() };
        if w.end.is_some() {
            for seat in std::mem::take(&mut w.seats) {
                seat.call(w);
                seat.wake();
            }
            calls.clock = true;
        } else if w.ready.is_empty() || w.waits() {
            calls.clock = w.may_end();
        } else {
            calls.clock = std::mem::take(&mut w.resting);
            let awake = w.threads - w.idle() - usize::from(w.commits);
            if awake > 0 && w.pace * w.ready.len() as u32 <= QUEUE * awake as u32 {
                return calls;
            }
            calls.turns = w.seats.pop().inspect(|s| s.call(w));
            if calls.turns.is_none() && w.threads < self.cores {
                self.add_thread(w);
            }
        }
        calls
    }

    pub(crate) fn add_thread(self: &Arc<Self>, w: &mut World) {
        let pool = self.clone();
        let made = crate::vital::start("turns", Some(STACK_BYTES), move || pool.turns());
        match made {
            Ok(_) => w.threads += 1,
            Err(e) if w.threads == 0 => {
                crate::tell!("error[E-THREAD]: cannot start a thread: {e}\n  help: raise the limit of processes (ulimit -u)");
                w.end = w.end.or(Some(1));
            }
            Err(_) => {}
        }
    }

    /// The life of a thread that runs turns.
    fn turns(self: Arc<Self>) {
        let (mut outcome, seat, mut waits) = (TurnOutcome::default(), Arc::new(Seat::default()), Waits::default());
        let mut w = self.lock();
        while w.end.is_none() {
            let next = if w.waits() { None } else { w.ready.pop_front() };
            let Some((id, delivery)) = next else {
                // nothing is to be done that could add to what is written
                if self.net.has_unwritten() {
                    drop(w);
                    self.net.write_now();
                    w = self.lock();
                    continue;
                }
                w.seats.push(seat.clone());
                if w.wants_commit() {
                    w.leave(&seat);
                    w.commits = true;
                    w = self.commit_once(w);
                    w.commits = false;
                    continue;
                }
                self.provide(&mut w);
                w = seat.wait(&self.world, w, &mut waits);
                w.leave(&seat);
                continue;
            };
            w.taken += 1;
            // the turn may be a long one
            self.net.tell_writers();
            let calls = if w.ready.is_empty() { Calls::default() } else { self.calls_for(&mut w) };
            let taken = w.taken;
            let Some(slot) = w.slots.get_mut(&id) else {
                calls.wake(&self);
                continue;
            };
            slot.last = taken;
            if !slot.suspect
                && let Some(mut vat) = slot.vat.take()
            {
                vat.set_quota(crate::wake::quota(slot.limits));
                drop(w);
                calls.wake(&self);
                let begun = taken.is_multiple_of(SAMPLE).then(Instant::now);
                vat.deliver_to(&self.shared, &delivery, &mut outcome);
                let took = begun.map(|b| b.elapsed());
                w = self.lock();
                if let Some(took) = took {
                    w.note_pace(took);
                }
                self.ended(&mut w, id, delivery, Ok(vat), &mut outcome, true);
            } else {
                calls.wake(&self);
                w = self.wake_and_run(w, id, delivery, &mut outcome);
            }
        }
        self.provide(&mut w);
    }

    /// A turn of a vat that is not in memory, or has a delivery that a process may have died of.
    fn wake_and_run<'a>(
        self: &'a Arc<Self>,
        mut w: MutexGuard<'a, World>,
        id: VatId,
        delivery: Box<Delivery>,
        outcome: &mut TurnOutcome,
    ) -> MutexGuard<'a, World> {
        let Some(slot) = w.slots.get_mut(&id) else { return w };
        let suspect = std::mem::take(&mut slot.suspect);
        let (vat, limits, stored) = (slot.vat.take(), slot.limits, slot.stored);
        let store = w.journal.as_ref().map(|j| j.store().clone());
        drop(w);
        let had = vat.is_some();
        let mut awake = self.awake(id, vat, limits, store.as_ref().filter(|_| stored), store.is_some());
        let delivery = if suspect && awake.is_ok() {
            match self.attempt(id, delivery, &mut awake) {
                Some(d) => d,
                None => return self.lock(),
            }
        } else {
            delivery
        };
        let ran = awake.map(|mut v| {
            v.deliver_to(&self.shared, &delivery, outcome);
            v
        });
        let mut w = self.lock();
        self.ended(&mut w, id, delivery, ran, outcome, had);
        w
    }

    /// A turn is over: its changes are noted and its outcome goes to the node, in one step.
    pub(crate) fn ended(
        self: &Arc<Self>,
        w: &mut World,
        id: VatId,
        delivery: Box<Delivery>,
        ran: Result<Box<Vat>, NotRun>,
        outcome: &mut TurnOutcome,
        had: bool,
    ) {
        let mut vat = match ran {
            Ok(vat) => vat,
            Err(why) => return self.did_not_run(w, id, delivery, why),
        };
        if let Some(why) = vat.unread() {
            w.resident -= usize::from(had);
            return self.did_not_run(w, id, delivery, NotRun::Asleep(crate::wake::unread(&why)));
        }
        self.attempt_over(w, id);
        if crate::signals::was_interrupted(w, outcome) {
            output::interrupted(w.node.name(id), w.journal.is_some());
            return;
        }
        if let Some(j) = &mut w.journal
            // what an ended vat did after all is of no account
            && w.slots.contains_key(&id)
            && !matches!(outcome.ending, passable::Ending::Aborted(_))
        {
            let changes = vat.take_changes();
            if let Err(why) = j.turn(id, &changes, &self.shared) {
                output::fatal("E-STATE", &format!("the changes of vat {} cannot be stored: {why}", id.0));
            }
        }
        let (tick, batch) = (w.tick, w.journal.as_ref().map_or(0, Journal::batch));
        if let Some(slot) = w.slots.get_mut(&id) {
            slot.vat = Some(vat);
            slot.stored = true;
            slot.batch = batch;
            slot.heap_bytes = outcome.heap_bytes;
            if !matches!(delivery.what, passable::What::Collect | passable::What::Trace { .. }) {
                slot.ran = tick;
            }
            w.resident += !had as usize;
            if !slot.warned && outcome.heap_bytes >= slot.limits.heap_bytes / 5 * 4 {
                slot.warned = true;
                leave(w, Out::NearLimit(id, w.node.name(id).to_owned()));
            }
        } else if had {
            w.resident -= 1;
        }
        let mut effects = std::mem::take(&mut w.effects);
        w.node.step_turn_done(id, delivery, outcome, &mut effects);
        w.effects = effects;
        self.carry_out_all(w);
        self.after_turn(w);
    }

    fn did_not_run(&self, w: &mut World, id: VatId, delivery: Box<Delivery>, why: NotRun) {
        self.attempt_over(w, id);
        let event = match why {
            NotRun::Unmade(why) => Event::VatFailed { vat: id, why },
            NotRun::Asleep(why) => Event::NotRun { vat: id, delivery, why: Some(why) },
        };
        self.step(w, event);
        self.after_turn(w);
    }

    fn after_turn(&self, w: &mut World) {
        if w.journal.is_some() && w.resident > MAX_RESIDENT {
            crate::wake::hibernate(w);
        }
    }

    /// From a vat's next turn on.
    pub(crate) fn set_limits(&self, w: &mut World, vat: VatId, limits: Limits) {
        if let Some(s) = w.slots.get_mut(&vat) {
            s.limits = limits;
        }
    }
}

/// Threads that are called and must be woken.
#[derive(Default)]
#[must_use = "who is called and not woken sleeps on"]
pub(crate) struct Calls {
    commits: bool,
    clock: bool,
    turns: Option<Arc<Seat<World>>>,
}

impl Calls {
    pub(crate) fn wake(self, pool: &Pool) {
        if self.commits {
            pool.commit.notify_one();
        }
        if self.clock {
            pool.clock.notify_one();
        }
        if let Some(seat) = self.turns {
            seat.wake();
        }
    }
}

impl World {
    /// A turn took so long.
    pub(crate) fn note_pace(&mut self, took: Duration) {
        self.pace = (self.pace * 3 + took) / 4;
    }
    /// Threads that run nothing.
    pub(crate) fn idle(&self) -> usize {
        self.seats.len()
    }
    /// The thread of this seat waits no longer, whether it was called or not.
    fn leave(&mut self, seat: &Arc<Seat<World>>) {
        self.seats.retain(|s| !Arc::ptr_eq(s, seat));
    }
    pub(crate) fn is_resident(&self, vat: VatId) -> bool {
        self.slots.get(&vat).is_some_and(|s| s.vat.is_some())
    }
    pub(crate) fn begun_turns(&self, vat: VatId) -> u64 {
        self.begun.get(&vat).copied().unwrap_or(0)
    }
    pub(crate) fn heap_bytes(&self, vat: VatId) -> u64 {
        self.slots.get(&vat).map_or(0, |s| s.heap_bytes)
    }
    /// No turn may begin.
    pub(crate) fn waits(&self) -> bool {
        self.closing.is_some() || self.full || self.mode == Mode::Look || self.journal.as_ref().is_some_and(Journal::is_full)
    }
    pub(crate) fn log_is_full(&self) -> bool {
        self.full || self.journal.as_ref().is_some_and(Journal::is_full)
    }
    /// Something is to be committed.
    pub(crate) fn stepped_durably(&self) -> bool {
        self.journal.is_some() && self.stepped
    }
}
