//! Before a turn: its vat is there, and an attempt that a process may die of is counted.
//!
//! In: a vat's number and what is there of it. Out: the vat, awake; or why there is none.
//!
//! Invariants
//! - a vat is woken before the attempt is counted: waking runs no program, and may take long;
//! - an attempt is durable before the delivery runs.
use crate::pool::{MAX_RESIDENT, Pool, Slot, World};
use crate::powers::Powers;
use journal::{Journal, MAX_ATTEMPTS};
use node::Event;
use passable::{Delivery, Limits, VatId};
use std::sync::Arc;
use std::time::Duration;
use vat::{Quota, Vat};

/// Why a turn did not run.
pub(crate) enum NotRun {
    /// A new vat could not be made.
    Unmade(String),
    /// The stored vat could not be woken.
    Asleep(String),
}

pub(crate) fn quota(limits: Limits) -> Quota {
    Quota { heap_bytes: limits.heap_bytes, instructions: limits.instructions }
}

/// Why a turn that needed a part of the heap which cannot be read did not happen.
pub(crate) fn unread(why: &str) -> String {
    format!("part of its heap cannot be read: {why} (E-STATE: {})", journal::DAMAGED)
}

impl Pool {
    /// The vat that was in memory, or the one in the store, or a new one.
    pub(crate) fn awake(
        self: &Arc<Self>,
        id: VatId,
        vat: Option<Box<Vat>>,
        limits: Limits,
        stored: Option<&Arc<dyn store::Store>>,
        record: bool,
    ) -> Result<Box<Vat>, NotRun> {
        let quota = quota(limits);
        if let Some(mut v) = vat {
            v.set_quota(quota);
            return Ok(v);
        }
        let woken = match stored {
            Some(s) => journal::wake(s, &self.shared, id, quota)
                .map_err(|e| NotRun::Asleep(format!("{} ({}: {})", e.what, e.code, e.help)))?,
            None => None,
        };
        let mut v = match woken {
            Some(mut v) if record => {
                self.woke(id, &mut v);
                v
            }
            Some(v) => v,
            None => {
                let no_memory = |e| NotRun::Unmade(format!("no memory can be reserved for a vat: {e}"));
                let no_random = |e| NotRun::Unmade(format!("the system gives no random bytes: {e}"));
                let mut v = Vat::new(&self.shared, id, quota).map_err(no_memory)?;
                v.set_hash_key(Powers::hash_key().map_err(no_random)?);
                v
            }
        };
        if record {
            v.record();
        }
        v.machine().set_interrupt(self.interrupt.clone());
        Ok(Box::new(v))
    }

    /// A vat that was laid anew over the base of this build is stored so, before its turn.
    fn woke(self: &Arc<Self>, id: VatId, vat: &mut Vat) {
        let mut w = self.lock();
        if !w.slots.contains_key(&id) {
            return; // it ended meanwhile
        }
        let full = w.journal.as_mut().is_some_and(|j| {
            j.woke(id, vat, &self.shared);
            j.is_full()
        });
        drop(w);
        if full {
            // a batch has a limit: the turn's changes go into the next one
            drop(self.settled());
        }
    }

    /// Counts an attempt durably before a delivery runs that an earlier process may have died of. `None`: it is given up, and the
    /// vat is taken back.
    pub(crate) fn attempt(
        self: &Arc<Self>,
        id: VatId,
        delivery: Box<Delivery>,
        awake: &mut Result<Box<Vat>, NotRun>,
    ) -> Option<Box<Delivery>> {
        let mut w = self.lock();
        while w.committing {
            // the attempt is committed here: what was before it goes out first
            drop(w);
            std::thread::sleep(Duration::from_millis(1));
            w = self.lock();
        }
        let Some(seq) = w.node.in_flight(id) else { return Some(delivery) };
        let Some(j) = &mut w.journal else { return Some(delivery) };
        let tries = j.attempt(id, seq);
        if tries <= MAX_ATTEMPTS {
            self.commit_now(&mut w);
            if let Some(slot) = w.slots.get_mut(&id) {
                slot.counted = true;
            }
            return Some(delivery);
        }
        j.attempts_over(id);
        let back = std::mem::replace(awake, Err(NotRun::Asleep(String::new()))).ok();
        w.resident += usize::from(back.is_some() && w.slots.contains_key(&id));
        if let Some(slot) = w.slots.get_mut(&id) {
            slot.vat = back;
        }
        self.step(&mut w, Event::Park { vat: id, delivery });
        None
    }

    /// The turn that an attempt was counted for is over.
    pub(crate) fn attempt_over(&self, w: &mut World, id: VatId) {
        if let Some(j) = &mut w.journal
            && w.slots.get_mut(&id).is_some_and(|s| std::mem::take(&mut s.counted))
        {
            j.attempts_over(id);
        }
    }
}

/// Vats that ran longest ago leave memory, if all of them is in the store.
pub(crate) fn hibernate(w: &mut World) {
    let batch = w.journal.as_ref().map_or(0, Journal::batch);
    let whole = |s: &Slot| s.vat.is_some() && s.batch < batch;
    let mut sleepers: Vec<(u64, VatId)> = w.slots.iter().filter(|s| whole(s.1)).map(|s| (s.1.last, *s.0)).collect();
    sleepers.sort_unstable();
    // some at once, so that they are not looked for at every turn
    for (_, id) in sleepers.into_iter().take(MAX_RESIDENT / 8 + 1) {
        if let Some(s) = w.slots.get_mut(&id) {
            s.vat = None;
            w.resident -= 1;
        }
    }
}
