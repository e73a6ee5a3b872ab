//! Batches to the store, output out of it: the part of the pool that knows the disk.
//!
//! In: a world in which something happened. Out: durable batches, then their output.
//!
//! Invariants
//! - a batch is taken under the lock, and synced without it: turns go on meanwhile;
//! - output is written only after the sync of its batch, in order;
//! - a failed append or sync ends the process.
use crate::net::Net;
use crate::output;
use crate::pool::{Mode, Pool, STALL, World};
use journal::{Journal, Out};
use passable::VatId;
use std::sync::Arc;
use std::time::Instant;

impl Pool {
    /// The life of the thread that commits.
    pub(crate) fn commits(self: Arc<Self>) {
        let mut w = self.lock();
        loop {
            if !w.stepped {
                if w.end.is_some() {
                    return;
                }
                w = self.commit.wait(w).unwrap_or_else(|e| e.into_inner());
                continue;
            }
            let Some((ledger, appended)) = take_batch(&mut w) else { continue };
            w.committing = true;
            drop(w);
            let released = ledger.sync(vec![appended]).unwrap_or_else(|e| output::store_failed(&e));
            let wrote = write_out(&self.net, released.into_output());
            self.net.write_now();
            let room = ledger.store().reserve(journal::RESERVE_BYTES);
            w = self.lock();
            w.committing = false;
            self.after_commit(&mut w, wrote, room);
        }
    }

    pub(crate) fn after_commit(self: &Arc<Self>, w: &mut World, wrote: (Vec<u64>, bool), room: store::Result<()>) {
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
        self.work.notify_all();
        self.clock.notify_one();
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

    /// After a moment without turns it is noted that lines were written, so that they are not written again after a crash. True:
    /// that is to come.
    pub(crate) fn note_output(&self, w: &mut World, quiet: &mut (u64, Instant)) -> bool {
        if w.committing || w.stepped || !w.journal.as_ref().is_some_and(Journal::has_written) {
            return false;
        }
        if quiet.0 != w.taken {
            *quiet = (w.taken, Instant::now());
        }
        if quiet.1.elapsed() < STALL {
            return true;
        }
        w.stepped = true;
        self.commit.notify_one();
        false
    }

    /// Nothing is left to do, or the process is to end: what is written is sealed.
    pub(crate) fn close(self: &Arc<Self>, w: &mut World) {
        let mut code = w.closing.unwrap_or(0);
        if w.mode == Mode::Run && w.closing.is_none() && output::stuck(&w.node) {
            code = 1;
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
        self.work.notify_all();
        self.commit.notify_all();
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
    w.stepped = false;
    let j = w.journal.as_mut()?;
    let batch = j.take(&mut w.node)?;
    let ledger = j.ledger.clone();
    let appended = ledger.append(batch).unwrap_or_else(|e| output::store_failed(&e));
    Some((ledger, appended))
}

/// Writes output; the numbers of lines written, and whether all went well.
pub(crate) fn write_out(net: &Arc<Net>, all: Vec<Out>) -> (Vec<u64>, bool) {
    let (mut numbers, mut fine) = (Vec::new(), true);
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
            Out::Reply { to, rejected, value } => crate::operate::reply(to, rejected, value),
        }
    }
    (numbers, fine)
}
