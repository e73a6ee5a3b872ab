//! Batches to the store, output out of it: the part of the pool that knows the disk.
//!
//! In: a world in which something happened. Out: durable batches, then their output.
//!
//! Invariants
//! - a batch is taken under the lock, and synced without it: turns go on meanwhile;
//! - one thread at a time commits: one that runs turns and finds none ready, one that brought few bytes of a peer and ran what came of
//!   them, else the one that does nothing else. It begins when output waits; what nobody waits for goes with the next batch, when nothing
//!   runs any more, or when the clock has looked twice (`clock`);
//! - after a batch whose output many waited for the next one is gathered until half as many wait again, but no longer than that one took,
//!   and not if that was long: a batch costs much beside what is in it, turns of some run while the batch of others is synced, and
//!   whoever is answered alone never waits for others;
//! - output is written only after the sync of its batch, in order;
//! - a failed append or sync ends the process.
use crate::control::Answers;
use crate::net::Net;
use crate::output;
use crate::pool::{Called, Mode, Pool, World};
use journal::{Journal, Out};
use passable::VatId;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

/// Batches with so many outputs follow each other with a pause between …
const GATHER_FROM: usize = 8;
/// … if they take no longer than this. A slow disk gathers by itself.
const GATHER_MOST: Duration = Duration::from_micros(500);

impl Pool {
    /// The life of the thread that commits.
    pub(crate) fn commits(self: Arc<Self>) {
        let mut w = self.lock();
        loop {
            if w.wants_commit() {
                w = self.commit_once(w);
                continue;
            }
            if w.end.is_some() && !w.committing {
                return;
            }
            let left = w.gathers();
            w.called = if left.is_some() { Called::Soon } else { Called::No };
            w = match left {
                Some(left) => self.commit.wait_timeout(w, left).unwrap_or_else(|e| e.into_inner()).0,
                None => self.commit.wait(w).unwrap_or_else(|e| e.into_inner()),
            };
        }
    }

    /// Commits what there is, without the lock meanwhile.
    pub(crate) fn commit_once<'a>(self: &'a Arc<Self>, mut w: MutexGuard<'a, World>) -> MutexGuard<'a, World> {
        let waited = w.waits();
        let Some((ledger, appended)) = take_batch(&mut w) else { return w };
        w.committing = true;
        let begun = Instant::now();
        drop(w);
        let released = ledger.sync(vec![appended]).unwrap_or_else(|e| output::store_failed(&e));
        let output = released.into_output();
        let many = output.len();
        let wrote = write_out(&self.net, output);
        self.net.write_now();
        let room = ledger.store().reserve(journal::RESERVE_BYTES);
        w = self.lock();
        w.committing = false;
        let took = begun.elapsed();
        w.gather = (many >= GATHER_FROM && took <= GATHER_MOST).then(|| (begun + 2 * took, many / 2));
        self.after_commit(&mut w, wrote, room);
        if waited && !w.ready.is_empty() {
            self.provide(&mut w);
        }
        w
    }

    pub(crate) fn after_commit(self: &Arc<Self>, w: &mut World, wrote: (Vec<u64>, bool), room: store::Result<()>) {
        let wrote_lines = !wrote.0.is_empty();
        if let Some(j) = &mut w.journal {
            wrote.0.into_iter().for_each(|n| j.wrote(n));
        }
        if !wrote.1 {
            w.closing = w.closing.or(Some(1));
        }
        match room {
            Ok(()) => w.full = false,
            Err(e) if e.kind() == store::ErrorKind::Full => {
                if !std::mem::replace(&mut w.full, true) {
                    output::disk_full(&e);
                }
            }
            Err(e) => output::store_failed(&e),
        }
        if wrote_lines || w.full || w.may_end() {
            self.clock.notify_one();
        }
        if w.end.is_some() {
            self.commit.notify_one();
        }
    }

    /// Commits what is there, in this thread, under the lock.
    pub(crate) fn commit_now(self: &Arc<Self>, w: &mut World) {
        if let Some((ledger, appended)) = take_batch(w) {
            let released = ledger.sync(vec![appended]).unwrap_or_else(|e| output::store_failed(&e));
            let (numbers, fine) = write_out(&self.net, released.into_output());
            if let Some(j) = &mut w.journal {
                numbers.into_iter().for_each(|n| j.wrote(n));
            }
            self.net.tell_writers();
            if !fine {
                w.closing = w.closing.or(Some(1));
            }
        }
    }

    /// Nothing is left to do, or the process is to end: what is written is sealed.
    pub(crate) fn close(self: &Arc<Self>, w: &mut World) {
        let mut code = w.closing.unwrap_or(0);
        if w.mode == Mode::Run && w.closing.is_none() && output::stuck(&w.node) {
            code = 1;
        }
        if w.journal.is_some() {
            self.step(w, node::Event::KeepCalls);
        }
        if let Some(j) = &mut w.journal {
            if w.mode != Mode::Look {
                j.clean();
            }
            w.stepped = true;
            self.commit_now(w);
            if let Some(j) = &w.journal
                && let Err(e) = j.store().seal()
            {
                output::store_failed(&e);
            }
        }
        w.stepped = false;
        w.end = Some(code);
        self.provide(w);
        self.commit.notify_all();
    }
}

impl World {
    /// A batch is to be taken.
    pub(crate) fn wants_commit(&self) -> bool {
        let Some(j) = self.journal.as_ref().filter(|_| self.stepped && !self.committing) else { return false };
        let ends = self.closing.is_some() || self.end.is_some();
        let due = self.overdue || ends || j.is_full();
        due || (self.is_worth_it(j) && self.pause(j).is_none())
    }

    /// Somebody waits for it, or nothing would be added to it.
    fn is_worth_it(&self, j: &Journal) -> bool {
        !j.waiting.output.is_empty() || (self.idle() == self.threads && (self.ready.is_empty() || self.waits()))
    }

    /// A batch waits until more has come: how long still.
    fn gathers(&self) -> Option<Duration> {
        let j = self.journal.as_ref().filter(|j| self.stepped && !self.committing && self.is_worth_it(j))?;
        self.pause(j)
    }

    fn pause(&self, j: &Journal) -> Option<Duration> {
        let (until, _) = self.gather.filter(|g| j.waiting.output.len() < g.1)?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Whether the thread that commits has something to do.
    pub(crate) fn wants_committer(&self) -> Called {
        if self.wants_commit() {
            Called::Now
        } else if self.gathers().is_some() {
            Called::Soon
        } else {
            Called::No
        }
    }

    /// The thread that keeps time is to look whether this is the end.
    pub(crate) fn may_end(&self) -> bool {
        self.closing.is_some() || self.end.is_some() || (self.mode != Mode::Serve && self.node.is_done())
    }
}

/// What leaves the process: at once, or once it is durable.
pub(crate) fn leave(w: &mut World, out: Out) {
    match &mut w.journal {
        Some(j) => j.waiting.output.push(out),
        None => {
            let net = w.net.clone();
            write_out(&net, vec![out]);
        }
    }
}

/// Takes all that happened to the log; what is to be synced.
pub(crate) fn take_batch(w: &mut World) -> Option<(ken::Ledger, ken::Appended<Out>)> {
    (w.stepped, w.overdue) = (false, false);
    let j = w.journal.as_mut()?;
    let batch = j.take(&mut w.node)?;
    let ledger = j.ledger.clone();
    let appended = ledger.append(batch).unwrap_or_else(|e| output::store_failed(&e));
    Some((ledger, appended))
}

/// Writes output; the numbers of lines written, and whether all went well.
pub(crate) fn write_out(net: &Arc<Net>, all: Vec<Out>) -> (Vec<u64>, bool) {
    let (mut numbers, mut fine) = (Vec::new(), true);
    let mut answers = Answers::default();
    for out in all {
        match out {
            Out::Lines { number, lines } => {
                if output::written(output::release(&lines)) {
                    numbers.push(number);
                } else {
                    fine = false;
                }
            }
            Out::Net(out) => net.out(out),
            Out::Root(uris) => {
                let text: String = uris.iter().map(|u| format!("{u}\n")).collect();
                fine &= output::data(&text);
            }
            Out::Trace(entries) => output::trace(&entries),
            Out::Aborted(lines) => output::aborted_lines(&lines),
            Out::Report { report, names } => {
                let name = |v: VatId| names.iter().find(|n| n.0 == v).map_or_else(|| "?".to_owned(), |n| n.1.clone());
                output::report(&report, name);
            }
            Out::NothingToStart(file) => output::nothing_to_start(&file),
            Out::NearLimit(vat, name) => output::near_limit(vat, &name),
            Out::StartRejected(text, places) => output::start_rejected(&text, &places),
            Out::Reply { to, rejected, value } => crate::operate::reply(to, rejected, value, &mut answers),
        }
    }
    (numbers, fine)
}
