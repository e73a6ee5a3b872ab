//! The steps of a world that has a store: turns in flight, batches, deaths and openings.
//!
//! In: a plan. Out: the same run as without faults would be legal, or `Outcome::Broken`.
//!
//! Invariants
//! - a death loses node, vats, journal and clocks; the store alone is opened again, and the world goes on from there;
//! - faults end before the run does: a run that makes no progress then is a failure;
//! - each opening and, by chance, each batch is compared: the store with what was appended, a restored node with the living one, a
//!   woken heap with the one that fell asleep;
//! - in half of the runs each process may be of another build than the one before.
use crate::disk::{Durable, Stop};
use crate::mistakes::Mistake;
use crate::plan::{FULL_STEPS, Plan, Trouble};
use crate::{Named, Outcome, World};
use journal::{MAX_ATTEMPTS, Out};
use ken::rows;
use node::{Config, Event, Node};
use passable::{Delivery, Ending, Limits, TurnOutcome, VatId, What};
use std::sync::Arc;
use store::Store;
use vat::{Shared, Vat};

/// Openings in a row that a plan may kill.
const MAX_OPENINGS: usize = 100;

pub(crate) type Step<T> = Result<T, Stop>;

impl World {
    /// A world with a store, in which a program begins.
    pub fn durable(shared: &Arc<Shared>, program: u64, args: &[String], limits: Limits, seed: u64, plan: Plan) -> World {
        World::durable_with(shared, program, args, limits, seed, plan, None)
    }

    /// One that makes a mistake.
    pub fn durable_with(
        shared: &Arc<Shared>,
        program: u64,
        args: &[String],
        limits: Limits,
        seed: u64,
        plan: Plan,
        mistake: Option<Mistake>,
    ) -> World {
        let mut w = World::empty(shared, program, true, seed);
        (w.plan, w.mistake) = (plan, mistake);
        w.args = args.to_vec();
        w.begin_durably(limits, [7; 32]);
        w
    }

    /// The program starts in a new store.
    pub(crate) fn begin_durably(&mut self, limits: Limits, identity: [u8; 32]) {
        let mut d = Durable::new(identity);
        #[cfg(feature = "seeded-bugs")]
        if let Some(Mistake::Store(bug)) = self.mistake {
            d.options.bug = Some(bug);
        }
        if let Err(stop) = d.open(&mut self.random) {
            self.ended = Some(Outcome::Broken(format!("a new store cannot be made: {stop:?}")));
            return;
        }
        self.durable = Some(d);
        self.start_limits = Some(limits);
        self.begin();
    }

    /// It opens a store that another host wrote.
    pub(crate) fn go_on_from(&mut self, disk: store::disk::SimDisk) -> Result<(), String> {
        let mut d = Durable::new(store::FileStore::identity_of(&disk).map_err(|e| e.to_string())?);
        (d.disk, d.foreign) = (disk, true);
        self.durable = Some(d);
        self.reopen().map_err(|stop| format!("{stop:?}"))
    }

    /// The program starts in an empty store.
    fn begin(&mut self) {
        let (shared, program) = (self.shared.clone(), self.program);
        let Some(limits) = self.start_limits else { return };
        if let Some(j) = self.journal() {
            j.begin();
            j.put_programs(&shared, program);
        }
        let powers: &[passable::Power] = if self.line.is_some() { &passable::Power::ALL } else { &passable::Power::USUAL };
        let powers = vat::powers_data(powers, &self.args, &[]);
        self.go_online();
        self.step(Event::Start { program, powers, limits, imports: Vec::new() });
    }

    /// One thing happens; false: the run is over.
    pub(crate) fn one_durably(&mut self) -> bool {
        self.steps += 1;
        match self.faults().and_then(|()| self.act()) {
            Ok(more) => more || self.finish(),
            Err(Stop::Dead(why)) => {
                self.die(&why);
                true
            }
            Err(Stop::Broken(why) | Stop::Noticed(why)) => self.broken(why),
        }
    }

    pub(crate) fn broken(&mut self, why: String) -> bool {
        self.note(|_| format!("BROKEN: {why}"));
        self.ended = Some(Outcome::Broken(why));
        false
    }

    pub(crate) fn store(&mut self) -> Step<&mut Durable> {
        self.durable.as_mut().ok_or_else(|| Stop::Broken("a world without a store".to_owned()))
    }

    /// What the plan has for this step.
    pub(crate) fn faults(&mut self) -> Step<()> {
        if self.full_until > 0 && self.steps >= self.full_until {
            self.full_until = 0;
            self.store()?.disk.set_capacity(None);
            self.note(|_| "the disk has room again".to_owned());
        }
        let Some(f) = self.plan.faults.get(self.next_fault).copied().filter(|f| f.at <= self.steps) else { return Ok(()) };
        if self.spares_suspects && self.is_in_danger() {
            return Ok(());
        }
        self.next_fault += 1;
        self.current = Some(f);
        self.note(|_| format!("fault: {:?}", f.what));
        match f.what {
            Trouble::Kill => return Err(Stop::Dead("killed".to_owned())),
            Trouble::KillAtEffect(n) => self.store()?.disk.kill(n),
            Trouble::FailSync(n) => self.store()?.disk.fail_sync(n),
            Trouble::Flip => {
                // as a host does that has nothing to do: damage to the last frame is noticed then
                self.append()?;
                self.sync()?;
                if let Some(j) = self.journal() {
                    j.store().seal()?;
                }
                self.flips = true;
                return Err(Stop::Dead("killed, and a bit of its disk flips".to_owned()));
            }
            Trouble::Full(room) => {
                let disk = &self.store()?.disk;
                let used: usize = disk.contents().values().map(Vec::len).sum();
                disk.set_capacity(Some(used as u64 + room));
                self.full_until = self.steps + FULL_STEPS;
            }
        }
        Ok(())
    }

    /// One more death, and a delivery could be given up.
    fn is_in_danger(&mut self) -> bool {
        if self.begun.values().all(|n| n + 1 < MAX_ATTEMPTS) {
            return false;
        }
        let Some(d) = &self.durable else { return false };
        let attempts = |l: &crate::disk::Life| l.store.scan(rows::ATTEMPTS, &[], None, 1).len();
        d.life.as_ref().is_none_or(|l| !l.journal.waiting.is_empty() || l.has_unsynced() || attempts(l) > 0)
    }

    pub(crate) fn act(&mut self) -> Step<bool> {
        let r = self.plan.rates;
        let roll = self.random.below(1000);
        if roll < r.append {
            return self.append().map(|_| true);
        }
        if roll < r.append + r.sync {
            return self.sync().map(|()| true);
        }
        if roll < r.append + r.sync + r.merge {
            self.note(|_| "merge".to_owned());
            return self.store()?.merge().map(|()| true);
        }
        if roll < r.append + r.sync + r.merge + r.sleep {
            return self.sleep().map(|()| true);
        }
        if self.random.chance(1, 4) && self.write()? {
            return Ok(true);
        }
        let waits = self.store()?.life.as_ref().is_some_and(|l| l.full || l.journal.is_full());
        let mut choices = if waits { Vec::new() } else { self.choices() };
        if self.running.len() >= r.in_flight {
            choices.clear();
        }
        let finish = !self.running.is_empty() && (choices.is_empty() || self.random.chance(1, 2));
        if finish {
            let i = self.random.below(self.running.len() as u64) as usize;
            let (vat, delivery) = self.running.swap_remove(i);
            self.durable_turn(vat, delivery)?;
            self.find_idle();
            return Ok(true);
        }
        if !choices.is_empty() && (self.delays.is_empty() || !self.random.chance(1, 64)) {
            let (vat, index) = choices[self.random.below(choices.len() as u64) as usize];
            return self.begin_turn(vat, index).map(|()| true);
        }
        if waits {
            // room is looked for with the next sync
            return self.sync().map(|()| true);
        }
        if self.pass_time() {
            self.note(|w| format!("time is {}", w.now_ms));
            return Ok(true);
        }
        // nothing is left but to write down what happened
        let appended = self.append()?;
        if appended || !self.store()?.is_idle() {
            self.sync()?;
            while self.write()? {}
            return Ok(true);
        }
        Ok(false)
    }

    fn begin_turn(&mut self, vat: VatId, index: usize) -> Step<()> {
        self.step(Event::Run { vat, index });
        let Some(seq) = self.node.in_flight(vat) else { return Ok(()) };
        self.note(|w| {
            let what = w.running.last().map(|r| (told(&r.1.what), &r.1.dropped));
            let (what, dropped) = what.map_or_else(Default::default, |w| (w.0, w.1.clone()));
            format!("vat {} begins {seq}: {what}, dropped {dropped:?}", vat.0)
        });
        if self.mistake == Some(Mistake::ConsumedEarly)
            && let Some(j) = self.journal()
        {
            j.waiting.batch.delete(rows::INBOX, &rows::pair(vat, seq));
        }
        if self.suspects.remove(&vat) {
            let tries = self.journal().map_or(0, |j| j.attempt(vat, seq));
            let begun = self.begun.entry((vat, seq)).or_default();
            *begun += 1;
            if tries > *begun {
                return Err(Stop::Broken(format!("delivery {seq} of vat {} counts {tries} attempts, {begun} were made", vat.0)));
            }
            if tries > MAX_ATTEMPTS {
                if let Some(j) = self.journal() {
                    j.attempts_over(vat);
                }
                self.parked = true;
                self.note(|_| format!("vat {} is parked", vat.0));
                if let Some(at) = self.running.iter().position(|r| r.0 == vat) {
                    let (_, delivery) = self.running.swap_remove(at);
                    self.step(Event::Park { vat, delivery });
                }
                return Ok(());
            }
            self.counted.insert(vat);
            self.append()?;
            self.sync()?;
        }
        Ok(())
    }

    /// A turn in flight ends.
    fn durable_turn(&mut self, id: VatId, delivery: Box<Delivery>) -> Step<()> {
        if !self.node.vats().any(|v| v == id) {
            return Ok(());
        }
        self.turns += 1;
        self.wake(id)?;
        let Some(v) = self.vats.get_mut(&id) else { return Ok(()) };
        let mut outcome = v.deliver(&self.shared, &delivery);
        if let Some(why) = v.unread() {
            return Err(Stop::Broken(format!("part of the heap of vat {} cannot be read: {why}", id.0)));
        }
        let counted = self.counted.remove(&id);
        if self.verify {
            let sound = v.machine().verify();
            sound.map_err(|e| Stop::Broken(format!("the heap of vat {} after a turn: {e}", id.0)))?;
        }
        if !matches!(outcome.ending, Ending::Aborted(_)) {
            let changes = v.take_changes();
            let shared = self.shared.clone();
            let left_out = self.mistake == Some(Mistake::PatchLeftOut) && self.random.chance(1, 8);
            if let Some(j) = self.journal() {
                let old = if left_out { first_patch(&changes, &shared, j, id) } else { None };
                j.turn(id, &changes, &shared).map_err(|e| Stop::Broken(format!("changes cannot be stored: {e}")))?;
                if let Some((at, bytes)) = old {
                    j.waiting.batch.write(rows::space(id), at, &bytes);
                }
            }
        }
        if counted && let Some(j) = self.journal() {
            j.attempts_over(id);
        }
        self.note(|_| format!("vat {} ends: {:?}, {} ops", id.0, outcome.ending, outcome.ops.len()));
        self.spoil(id, &delivery, &mut outcome);
        self.step(Event::TurnDone { vat: id, delivery, outcome });
        self.maybe_pause(id);
        Ok(())
    }

    /// Makes the mistakes that concern an outcome.
    fn spoil(&mut self, id: VatId, delivery: &Delivery, outcome: &mut TurnOutcome) {
        match self.mistake {
            Some(Mistake::WakeUpLost) => {
                if matches!((&outcome.ending, &delivery.what), (Ending::Aborted(_), What::Notify { .. })) {
                    outcome.ending = Ending::Done;
                }
            }
            Some(Mistake::DeliveredTwice) => {
                let seq = self.node.in_flight(id);
                if let (Some(seq), Some(j)) = (seq, self.journal()) {
                    let key = rows::pair(id, seq);
                    if let Some(row) = j.store().get(rows::INBOX, &key) {
                        self.again = Some((key.to_vec(), row));
                    }
                }
            }
            _ => {}
        }
    }

    fn maybe_pause(&mut self, id: VatId) {
        let Some(name) = &self.pause else { return };
        if self.node.name(id).ends_with(name.as_str()) && self.node.turns(id) > 3 && !self.node.is_paused(id) {
            self.note(|_| format!("vat {} is paused for ever", id.0));
            self.step(Event::Pause { vat: id });
        }
    }

    /// The vat is in memory: as it stands in the store, or new.
    pub(crate) fn wake(&mut self, id: VatId) -> Step<()> {
        if self.vats.contains_key(&id) {
            return Ok(());
        }
        let (quota, shared) = (self.quota(id), self.shared.clone());
        let key = u128::from(self.random.draw()) << 64 | u128::from(self.random.draw());
        let Some(j) = self.journal() else { return Ok(()) };
        let woken = journal::wake(j.store(), &shared, id, quota);
        let mut v = match woken.map_err(|e| Stop::Broken(e.what))? {
            Some(mut v) => {
                self.note(|_| format!("vat {} wakes", id.0));
                let sound = v.machine().verify();
                sound.map_err(|e| Stop::Broken(format!("the heap of vat {} after waking: {e}", id.0)))?;
                if let Some(image) = self.asleep.remove(&id)
                    && let Some(at) = difference(&image, &v.save().image)
                {
                    return Err(Stop::Broken(format!("vat {} woke with another heap: byte {at}", id.0)));
                }
                v
            }
            None => {
                let no_memory = |e| Stop::Broken(format!("no memory can be reserved for a vat: {e}"));
                let mut v = Vat::new(&shared, id, quota).map_err(no_memory)?;
                v.set_hash_key(key);
                v
            }
        };
        v.record();
        #[cfg(feature = "seeded-bugs")]
        if self.mistake == Some(Mistake::ShapeReused) {
            v.machine().keep_caches();
        }
        if let Some(j) = self.journal() {
            j.woke(id, &mut v, &shared);
        }
        self.vats.insert(id, v);
        Ok(())
    }

    /// A vat leaves memory.
    fn sleep(&mut self) -> Step<()> {
        let early = self.mistake == Some(Mistake::SleepsEarly);
        let Some(j) = self.durable.as_ref().and_then(|d| d.life.as_ref()).map(|l| &l.journal) else { return Ok(()) };
        let may = |v: &VatId| early || j.may_sleep(*v);
        let all: Vec<VatId> = self.vats.keys().copied().filter(may).collect();
        if all.is_empty() {
            return Ok(());
        }
        let id = all[self.random.below(all.len() as u64) as usize];
        self.note(|_| format!("vat {} falls asleep", id.0));
        if let Some(v) = self.vats.remove(&id) {
            self.asleep.insert(id, v.save().image);
        }
        if self.mistake == Some(Mistake::TimerLost) {
            let of_vat: Vec<_> = self.delays.iter().map(|d| d.2).filter(|p| p.vat == id).collect();
            self.delays.retain(|d| d.2.vat != id);
            for p in of_vat {
                if let Some(j) = self.journal() {
                    j.delay_over(p);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn append(&mut self) -> Step<bool> {
        let early = self.mistake == Some(Mistake::ReleasedEarly);
        let Some(d) = &mut self.durable else { return Ok(false) };
        let appended = d.append(&mut self.node, early)?;
        if appended
            && let Some((key, row)) = self.again.take()
            && let Some(j) = self.journal()
        {
            // after the node's own deletion, which is in the batch before
            j.waiting.batch.put(rows::INBOX, &key, &row);
        }
        if appended {
            let number = self.durable.as_ref().and_then(|d| d.life.as_ref()).map_or(0, |l| l.store.position().0);
            self.note(|_| format!("batch {number} is in the log"));
            if self.random.chance(1, 8) {
                self.compare_nodes()?;
            }
        }
        Ok(appended)
    }

    pub(crate) fn sync(&mut self) -> Step<()> {
        self.store()?.sync()?;
        self.note(|w| format!("durable up to {}", w.durable.as_ref().map_or(0, |d| d.watch.durable)));
        Ok(())
    }

    fn write(&mut self) -> Step<bool> {
        let Some(out) = self.store()?.write()? else { return Ok(false) };
        match out {
            Out::Report { report, .. } => self.reports.push(*report),
            Out::Net(out) => self.leaves(out),
            Out::Reply { to, rejected, value } => self.replied(to, rejected, value),
            Out::Lines { number, .. } => self.note(|_| format!("output {number} is written")),
            _ => {}
        }
        Ok(true)
    }

    pub(crate) fn config() -> Config {
        Config { manual: true, durable: true, ..Config::default() }
    }

    /// The process dies; another one begins.
    pub(crate) fn die(&mut self, why: &str) {
        let mut why = why.to_owned();
        for _ in 0..MAX_OPENINGS {
            self.deaths += 1;
            self.note(|_| format!("the process dies: {why}"));
            self.vats.clear();
            self.asleep.clear();
            self.running.clear();
            self.counted.clear();
            self.delays.clear();
            self.again = None;
            let fault = self.current.take();
            if let Some(d) = &mut self.durable {
                d.die(fault.is_some_and(|f| f.power), fault.map_or(0, |f| f.seed));
                if self.full_until > 0 {
                    self.full_until = 0;
                    d.disk.set_capacity(None);
                }
            }
            self.now_ms += fault.map_or(0, |f| f.down_ms);
            if let Some(other) = self.other_build.as_mut().filter(|_| fault.is_some_and(|f| f.seed >> 16 & 1 == 1)) {
                std::mem::swap(&mut self.shared, other);
                self.note(|_| "the next process is of another build".to_owned());
            }
            if std::mem::take(&mut self.flips)
                && let Some(Ok(place)) = self.durable.as_mut().map(|d| d.flip(fault.map_or(0, |f| f.seed)))
            {
                self.note(|_| format!("a bit flips in {place}"));
            }
            let opened = self.faults_of_opening().and_then(|()| self.reopen());
            let flipped = |w: &mut World| w.durable.as_mut().is_some_and(Durable::unflip);
            why = match opened {
                Ok(()) => {
                    if let Some(d) = &mut self.durable {
                        d.flip_was_harmless();
                    }
                    return;
                }
                Err(Stop::Dead(again)) if self.current.is_some() => again,
                Err(Stop::Noticed(why)) if flipped(self) => format!("the flipped bit is noticed: {why}"),
                Err(Stop::Dead(again) | Stop::Noticed(again)) => {
                    self.broken(format!("the store does not open: {again}"));
                    return;
                }
                Err(Stop::Broken(why)) => {
                    self.broken(why);
                    return;
                }
            };
        }
        self.broken("too many openings in a row failed".to_owned());
    }

    /// By chance the next fault comes while the store is opened.
    fn faults_of_opening(&mut self) -> Step<()> {
        let next = self.plan.faults.get(self.next_fault).copied();
        if let Some(f) = next
            && matches!(f.what, Trouble::KillAtEffect(_))
            && f.seed.is_multiple_of(4)
        {
            self.next_fault += 1;
            self.current = Some(f);
            if let Trouble::KillAtEffect(n) = f.what {
                self.store()?.disk.kill(n % 12);
            }
        }
        Ok(())
    }

    /// Node, delays and output as they stand in the store.
    fn reopen(&mut self) -> Step<()> {
        let mut random = self.random.clone();
        let opened = self.store()?.open(&mut random);
        self.random = random;
        opened?;
        let shared = self.shared.clone();
        self.node = Node::new(World::config(), Box::new(Named(shared.clone())));
        let Some(j) = self.journal() else { return Ok(()) };
        let found = j.store().position().0;
        let misfit = |e: journal::Misfit| Stop::Broken(e.what);
        if j.files().map_err(misfit)?.is_none() {
            self.note(|_| format!("opened after batch {found}: nothing is there"));
            self.clocks = Default::default();
            self.limits.clear();
            self.begin();
            return Ok(());
        }
        let clean = j.begin();
        j.restore_programs(&shared).map_err(misfit)?;
        let delays = j.delays().map_err(misfit)?;
        let node = Node::restore(World::config(), Box::new(Named(shared)), &**j.store());
        let node = node.map_err(|_| Stop::Broken("the rows of the store contradict each other".to_owned()))?;
        self.node = node.ok_or_else(|| Stop::Broken("programs are stored and no node".to_owned()))?;
        self.note(|_| format!("opened after batch {found}"));
        for (p, due, ms) in delays {
            self.asked += 1;
            let left = due.saturating_sub(self.now_ms).min(ms);
            self.delays.insert((self.now_ms + left, self.asked, p));
        }
        let all: Vec<VatId> = self.node.vats().collect();
        let dead = (0..self.node.made()).map(VatId).filter(|v| !all.contains(v));
        for v in dead.collect::<Vec<_>>() {
            self.limits.remove(&v);
        }
        for v in &all {
            self.clocks.forget_after(*v, self.node.turns(*v));
            self.limits.insert(*v, self.node.limits(*v));
        }
        // vats that the crash undid have made no turns
        self.clocks.forget_from(self.node.made());
        if !clean {
            self.suspects = all.into_iter().collect();
        }
        if self.mistake != Some(Mistake::OutputLost) {
            self.store()?.write_again()?;
        }
        self.go_online();
        let mut effects = Vec::new();
        self.node.resume(&mut effects);
        for e in effects {
            self.carry_out(e);
        }
        if let Some(Some(reason)) = self.node.started() {
            self.ended = Some(Outcome::Rejected(reason.describe()));
        }
        Ok(())
    }
}

/// The bytes that the first patch of a turn replaces.
fn first_patch(changes: &vat::Changes, shared: &Shared, j: &journal::Journal, id: VatId) -> Option<(u64, Vec<u8>)> {
    let mut found = None;
    let _ = changes.patches(shared, |at, bytes| {
        let mut old = vec![0; bytes.len()];
        let read = j.store().read(rows::space(id), at, &mut old);
        if found.is_none() && read.is_ok() && old != bytes {
            found = Some((at, old));
        }
    });
    found
}

/// The first place where two images differ; what comes after the shorter one counts.
fn difference(a: &[u8], b: &[u8]) -> Option<usize> {
    let same = a.iter().zip(b).position(|(a, b)| a != b);
    same.or((a.len() != b.len()).then_some(a.len().min(b.len())))
}

/// A delivery in few words.
fn told(what: &What) -> String {
    match what {
        What::Start { program, .. } => format!("start of program {program}"),
        What::StartText { .. } => "start of a text".to_owned(),
        What::Message(m) => format!("message to {:?}, answer {:?}", m.target, m.answer),
        What::Notify { promise, rejected, .. } => format!("{promise:?} is settled, rejected: {rejected}"),
        What::Collect => "collect".to_owned(),
        What::Trace { exports } => format!("trace from {} exports", exports.len()),
    }
}
