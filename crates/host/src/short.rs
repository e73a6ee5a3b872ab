//! Short turns on the thread that brought their message, and what is sent in them as one write.
//!
//! In: a world in which a peer's bytes have made turns ready. Out: they are over, or wait as before; bytes for peers.
//!
//! To wake a thread costs more than a short turn, and so does a write for each answer. How long a turn is nobody knows before: it is
//! begun with few instructions, and if these do not do, it is undone like any turn that reaches a limit, and a thread that runs turns
//! begins it anew.
//!
//! Invariants
//! - the thread reads on after twice `SHORT_INSTRUCTIONS` at the latest, and the sync of a batch if few bytes brought it: no vat holds up
//!   a connection, nor what others have sent;
//! - a turn that is begun anew is the turn that it would have been: what was undone left nothing;
//! - it begins only if no other thread runs turns, and calls one under the same conditions as those do.
use crate::pool::{Called, Pool, SAMPLE, World};
use passable::{Delivery, Ending, TurnOutcome, VatId, What};
use std::cell::RefCell;
use std::sync::{Arc, MutexGuard};
use std::time::Instant;
use vat::{Quota, Vat};

/// Instructions of such a turn, and of those that are begun one after another: about a millisecond.
const SHORT_INSTRUCTIONS: u64 = 200_000;
/// What a turn is counted for beside its instructions.
const TURN_INSTRUCTIONS: u64 = 500;

thread_local! {
    /// Kept for its memory.
    static OUTCOME: RefCell<TurnOutcome> = RefCell::default();
}

/// A turn that this thread is to run.
struct Short {
    id: VatId,
    delivery: Box<Delivery>,
    vat: Box<Vat>,
    /// With less than the vat may use.
    is_less: bool,
    timed: bool,
}

impl Pool {
    /// What sessions write is gathered until `let_leave`: for a moment, in which turns run that are short. Where there is a store it is
    /// gathered by its batches.
    pub(crate) fn gather(&self, w: &mut World) {
        if w.journal.is_none() {
            w.gathering += 1;
            w.node.hold_back(true);
        }
    }

    /// What was gathered leaves. Peers are told later that something is no longer held (`tell_garbage`): a word for many.
    pub(crate) fn let_leave(&self, w: &mut World) {
        if w.journal.is_some() {
            return;
        }
        w.gathering -= 1;
        w.node.hold_back(w.gathering > 0);
        let mut effects = std::mem::take(&mut w.effects);
        w.node.flush(true, &mut effects);
        w.effects = effects;
        self.carry_out_all(w);
        if w.resting && w.node.has_garbage() {
            w.resting = false;
            self.clock.notify_one();
        }
    }

    /// What peers have not been told that it is held no longer.
    pub(crate) fn tell_garbage(&self, w: &mut World) {
        let mut effects = std::mem::take(&mut w.effects);
        w.node.flush(false, &mut effects);
        w.effects = effects;
        self.carry_out_all(w);
    }

    /// Another thread is called if more is ready than this one soon runs. For what is to be committed nobody is called yet: turns add to it.
    fn call_for_turns(self: &Arc<Self>, w: &mut World) {
        let called = std::mem::replace(&mut w.called, Called::Now);
        let calls = self.calls_for(w);
        w.called = called;
        calls.wake(self);
    }

    /// Runs what is ready, if those are short turns.
    pub(crate) fn run_short<'a>(self: &'a Arc<Self>, mut w: MutexGuard<'a, World>) -> MutexGuard<'a, World> {
        if w.ready.is_empty() || w.idle() != w.threads || w.waits() {
            return w;
        }
        // counted like a thread that runs turns: the process does not end meanwhile
        w.threads += 1;
        self.call_for_turns(&mut w);
        OUTCOME.with_borrow_mut(|outcome| {
            let mut used = 0;
            while used < SHORT_INSTRUCTIONS
                && let Some(short) = self.next_short(&mut w)
            {
                drop(w);
                let instructions;
                (w, instructions) = self.run_one(short, outcome);
                let Some(instructions) = instructions else { break };
                used += instructions + TURN_INSTRUCTIONS;
            }
            w.threads -= 1;
            w
        })
    }

    /// The next turn that is ready, if it may be one of these.
    fn next_short(&self, w: &mut World) -> Option<Short> {
        if w.waits() || w.end.is_some() {
            return None;
        }
        let (id, delivery) = w.ready.front()?;
        let (id, fit) = (*id, matches!(delivery.what, What::Message(_) | What::Notify { .. }));
        let taken = w.taken + 1;
        let slot = w.slots.get_mut(&id).filter(|s| fit && !s.suspect)?;
        let mut vat = slot.vat.take()?;
        slot.last = taken;
        let quota = crate::wake::quota(slot.limits);
        w.taken = taken;
        let (_, delivery) = w.ready.pop_front()?;
        vat.set_quota(Quota { instructions: quota.instructions.min(SHORT_INSTRUCTIONS), ..quota });
        Some(Short { id, delivery, vat, is_less: quota.instructions > SHORT_INSTRUCTIONS, timed: taken.is_multiple_of(SAMPLE) })
    }

    /// How many instructions it took; none: it waits again, since it is no short one.
    fn run_one<'a>(self: &'a Arc<Self>, short: Short, outcome: &mut TurnOutcome) -> (MutexGuard<'a, World>, Option<u64>) {
        let Short { id, delivery, mut vat, is_less, timed } = short;
        let begun = timed.then(Instant::now);
        vat.deliver_to(&self.shared, &delivery, outcome);
        let took = begun.map(|b| b.elapsed());
        let mut w = self.lock();
        if is_less && matches!(&outcome.ending, Ending::Aborted(why) if vat::is_of_instructions(why)) {
            match w.slots.get_mut(&id) {
                Some(slot) => slot.vat = Some(vat),
                None => w.resident -= 1,
            }
            w.ready.push_front((id, delivery));
            return (w, None);
        }
        if let Some(took) = took {
            w.note_pace(took);
        }
        let instructions = outcome.instructions;
        self.ended(&mut w, id, delivery, Ok(vat), outcome, true);
        (w, Some(instructions))
    }
}
