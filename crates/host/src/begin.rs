//! How a host begins: with a program, with what a store holds, or for one look of an operator.
//!
//! In: a job. Out: a pool that goes on, and its exit code.
//!
//! Invariants
//! - vats of a store are woken when they are needed, none before;
//! - a host that only looks runs no turn, writes no line of a program, and leaves the note of an unclean stop as it was.
use crate::net::Net;
use crate::output;
use crate::pool::{Mode, Pool, Slot, World};
use journal::Journal;
use node::{Event, Node};
use passable::{Limits, VatId};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use vat::Shared;

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
    pub mode: Mode,
    /// All vats are paused before anything runs.
    pub paused: bool,
    /// Limits that the program's first vat has from now on.
    pub limits: Option<Limits>,
    pub net: Arc<Net>,
}

/// Runs a job to its end; the exit code.
pub fn run(job: Job, server: Option<UnixListener>) -> i32 {
    run_with(job, server, |_| {})
}

/// As `run`; `then` is called once before anything waits for the end.
pub(crate) fn run_with(job: Job, server: Option<UnixListener>, then: impl FnOnce(&Arc<Pool>)) -> i32 {
    let pool = begin(job);
    if let Some(listener) = server {
        crate::control::serve(&pool, listener);
    }
    then(&pool);
    pool.net.start();
    keep(&pool)
}

/// Begins a new program, or goes on with a restored one; no turn runs yet.
pub(crate) fn begin(job: Job) -> Arc<Pool> {
    let Job { shared, node, journal, start, unclean, mode, paused, limits, net } = job;
    let pool = Pool::new(shared, node, journal, net, mode);
    pool.net.attach(&pool);
    let mut w = pool.lock();
    pool.go_online(&mut w);
    match start {
        Some(event) => pool.step(&mut w, event),
        None => pool.resume(&mut w, unclean),
    }
    if let Some(limits) = limits {
        pool.set_limits(&mut w, VatId(1), limits);
        pool.step(&mut w, Event::Limit { vat: VatId(1), limits });
    }
    if paused {
        pool.pause_all(&mut w);
    }
    drop(w);
    pool
}

/// Runs until the program ends; its exit code.
pub(crate) fn keep(pool: &Arc<Pool>) -> i32 {
    // before any turn begins: a signal lets it end
    let stop = crate::signals::watch(pool);
    let committer = pool.lock().journal.is_some().then(|| {
        let pool = pool.clone();
        crate::vital::start("commit", None, move || pool.commits())
    });
    pool.provide(&mut pool.lock());
    let code = pool.clone().keep_time();
    drop(stop);
    pool.net.finish();
    if let Some(Ok(t)) = committer {
        pool.commit.notify_all();
        let _ = t.join();
    }
    // threads that outlive this hold the pool, and must not hold the store
    drop(pool.lock().journal.take());
    code
}

impl Pool {
    /// Turns that were to begin do not, and no other does until an operator lets its vat go on.
    fn pause_all(&self, w: &mut World) {
        for (vat, delivery) in std::mem::take(&mut w.ready) {
            self.step(w, Event::NotRun { vat, delivery, why: None });
        }
        for vat in w.node.vats().collect::<Vec<_>>() {
            self.step(w, Event::Pause { vat });
        }
    }

    /// Before anything else happens: sessions of an earlier process that are not durable are over, the others go on.
    fn go_online(&self, w: &mut World) {
        if w.mode == Mode::Look {
            return;
        }
        let history = w.journal.as_ref().map(|j| j.history());
        match self.net.online(history) {
            Ok(event) => self.step(w, event),
            Err(p) => {
                output::problem(&p);
                w.end = Some(1);
            }
        }
    }

    /// Vats of the store are there when they are needed; delays go on; what may not have been written is written.
    fn resume(self: &Arc<Self>, w: &mut World, unclean: bool) {
        for vat in w.node.vats().collect::<Vec<_>>() {
            let mut slot = Slot::new(w.node.limits(vat));
            (slot.stored, slot.suspect) = (true, unclean);
            w.slots.insert(vat, slot);
        }
        if w.mode == Mode::Look {
            return;
        }
        if let Err(e) = self.resume_powers(w) {
            output::problem(&e.into());
            w.end = Some(1);
            return;
        }
        let mut effects = std::mem::take(&mut w.effects);
        w.node.resume(&mut effects);
        w.effects = effects;
        self.carry_out_all(w);
        if w.mode != Mode::Call
            && let Some(Some(reason)) = w.node.started()
        {
            output::start_rejected(&reason.describe(), &[]);
            w.closing = Some(1);
        } else if w.mode == Mode::Run && w.node.is_done() {
            output::nothing_left();
        }
    }

    fn resume_powers(&self, w: &mut World) -> Result<(), journal::Misfit> {
        let Some(journal) = &w.journal else { return Ok(()) };
        let (delays, unwritten) = (journal.delays()?, journal.unwritten()?);
        for (p, due, ms) in delays {
            w.powers.resume(p, due, ms);
        }
        for (number, lines) in unwritten {
            if output::written(output::release(&lines))
                && let Some(j) = &mut w.journal
            {
                j.wrote(number);
            }
        }
        Ok(())
    }
}
