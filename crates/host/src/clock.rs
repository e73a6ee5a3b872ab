//! The thread that keeps time: delays, stalls, idle vats, what peers are told later, and the end of the process.
//!
//! In: a world. Out: events of what is due, threads where turns wait for one, batches that nobody waits for, garbage of peers.
//!
//! Invariants
//! - while anything is under way it looks every `STALL`; else it rests, until it is told or something is due;
//! - what happened is committed after two `STALL`s at the latest, though no output waits for it;
//! - operators' messages that wait at a tick are stored.
use crate::pool::{MAX_THREADS, Mode, Pool, Slot, World};
use journal::Journal;
use node::Event;
use passable::VatId;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long ready turns may wait for a thread before there is one more.
const STALL: Duration = Duration::from_millis(10);
/// A vat that had no turn in a whole tick is asked to collect its garbage.
const TICK: Duration = Duration::from_secs(1);

impl Pool {
    /// Timers, stalls and idle vats; ends when the program does.
    pub(crate) fn keep_time(self: Arc<Self>) -> i32 {
        let mut w = self.lock();
        let (mut last_taken, mut last_batch) = (w.taken, None);
        let mut quiet = (last_taken, Instant::now());
        let mut garbage_waits = false;
        loop {
            if let Some(code) = w.end {
                return if code == 0 && w.failed && w.mode == Mode::Run { 1 } else { code };
            }
            let running = w.threads - w.idle();
            let left = w.closing.is_some() || (w.node.is_done() && w.mode != Mode::Serve);
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
                let room = w.journal.as_ref().map(|j| j.store().reserve(journal::RESERVE_BYTES));
                w.full = matches!(room, Some(Err(_)));
            }
            // more of it comes while it waits
            let garbage = w.node.has_garbage();
            if garbage && garbage_waits {
                self.tell_garbage(&mut w);
            }
            garbage_waits = garbage && !garbage_waits;
            // nobody waits for it, and yet it is to be durable soon
            let batch = w.journal.as_ref().filter(|_| w.stepped && !w.committing).map(Journal::batch);
            w.overdue |= batch.is_some() && batch == last_batch;
            last_batch = batch;
            if !w.ready.is_empty() && w.taken == last_taken {
                // whatever runs is longer than turns were of late
                w.pace = w.pace.max(STALL);
            }
            if !w.ready.is_empty() || w.stepped || self.net.has_unwritten() {
                self.provide(&mut w);
                if !w.ready.is_empty() && !w.waits() && w.idle() == 0 && w.taken == last_taken && w.threads < MAX_THREADS {
                    self.add_thread(&mut w);
                }
            }
            last_taken = w.taken;
            let noting = running == 0 && self.note_output(&mut w, &mut quiet);
            let busy = noting || garbage_waits || w.idle() < w.threads || !w.ready.is_empty() || w.stepped || w.closing.is_some();
            w.resting = !busy;
            let wait = if busy { STALL } else { TICK };
            let wait = w.powers.next_due().filter(|_| w.closing.is_none()).map_or(wait, |d| d.min(wait));
            w = self.clock.wait_timeout(w, wait).unwrap_or_else(|e| e.into_inner()).0;
        }
    }

    /// After a moment without turns it is noted that lines were written, so that they are not written again after a crash. True:
    /// that is to come.
    fn note_output(self: &Arc<Self>, w: &mut World, quiet: &mut (u64, Instant)) -> bool {
        if w.committing || w.stepped || !w.journal.as_ref().is_some_and(Journal::has_written) {
            return false;
        }
        if quiet.0 != w.taken {
            *quiet = (w.taken, Instant::now());
        }
        if quiet.1.elapsed() < STALL {
            return true;
        }
        (w.stepped, w.overdue) = (true, true);
        self.provide(w);
        false
    }

    /// Vats that have had nothing to do for a while collect.
    fn idle_vats(self: &Arc<Self>, w: &mut World) {
        let tick = w.start.elapsed().as_secs() + 1;
        if tick == w.tick {
            return;
        }
        w.tick = tick;
        if w.journal.is_some() && w.node.has_young_calls() {
            self.step(w, Event::KeepCalls);
        }
        // a collection would read all of a heap that was hardly touched
        let whole = |s: &Slot| s.vat.as_ref().is_none_or(|v| !v.is_partly_there());
        let long = |s: &Slot| s.ran > 0 && s.ran + 1 < tick && whole(s);
        let idle: Vec<VatId> = w.slots.iter().filter(|s| long(s.1)).map(|s| *s.0).collect();
        for vat in idle {
            let Some(s) = w.slots.get_mut(&vat) else { continue };
            s.ran = 0;
            // one that sleeps is not woken for this: others might have to leave memory for it
            if s.vat.is_some() {
                self.step(w, Event::Idle { vat });
            }
        }
        // no turn in a whole tick: between two turns there is mostly a moment in which nothing waits
        let still = std::mem::replace(&mut w.taken_at_tick, w.taken) == w.taken;
        if still && w.ready.is_empty() && w.node.is_quiet() {
            self.step(w, Event::Quiet);
        }
    }
}
