//! Short turns on the thread that brought their message.
//!
//! In: a world in which a peer's bytes have made a turn ready. Out: the turn is over, or it waits as before.
//!
//! To wake a thread costs more than a short turn. How long a turn is nobody knows before: it is begun with few instructions, and if these
//! do not do, it is undone like any turn that reaches a limit, and a thread that runs turns begins it anew.
//!
//! Invariants
//! - the thread reads on after `SHORT_INSTRUCTIONS` at the latest: no vat holds up a connection;
//! - a turn that is begun anew is the turn that it would have been: what was undone left nothing;
//! - nothing that could run beside waits for it: it is the only turn, and no other runs.
use crate::pool::{Pool, World};
use passable::{Ending, TurnOutcome, What};
use std::cell::RefCell;
use std::sync::{Arc, MutexGuard};
use vat::Quota;

/// Instructions of such a turn: about a millisecond.
const SHORT_INSTRUCTIONS: u64 = 200_000;

thread_local! {
    /// Kept for its memory.
    static OUTCOME: RefCell<TurnOutcome> = RefCell::default();
}

impl Pool {
    /// Runs what is ready, if it is one turn and a short one.
    pub(crate) fn run_short<'a>(self: &'a Arc<Self>, mut w: MutexGuard<'a, World>) -> MutexGuard<'a, World> {
        if w.ready.len() != 1 || w.idle() != w.threads || w.waits() {
            return w;
        }
        let Some((id, delivery)) = w.ready.pop_front() else { return w };
        let fit = matches!(delivery.what, What::Message(_) | What::Notify { .. });
        let taken = w.taken + 1;
        let slot = w.slots.get_mut(&id).filter(|s| fit && !s.suspect);
        let Some((mut vat, limits)) = slot.and_then(|s| {
            let vat = s.vat.take()?;
            s.last = taken;
            Some((vat, s.limits))
        }) else {
            w.ready.push_front((id, delivery));
            return w;
        };
        w.taken = taken;
        // counted like a thread that runs a turn: the process does not end meanwhile
        w.threads += 1;
        drop(w);
        let quota = crate::wake::quota(limits);
        let is_less = quota.instructions > SHORT_INSTRUCTIONS;
        vat.set_quota(Quota { instructions: quota.instructions.min(SHORT_INSTRUCTIONS), ..quota });
        OUTCOME.with_borrow_mut(|outcome| {
            vat.deliver_to(&self.shared, &delivery, outcome);
            let mut w = self.lock();
            w.threads -= 1;
            if is_less && matches!(&outcome.ending, Ending::Aborted(why) if vat::is_of_instructions(why)) {
                match w.slots.get_mut(&id) {
                    Some(slot) => slot.vat = Some(vat),
                    None => w.resident -= 1,
                }
                w.ready.push_front((id, delivery));
                return w;
            }
            self.ended(&mut w, id, delivery, Ok(vat), outcome, true);
            w
        })
    }
}
