//! The beginning of a turn: deliveries go into inboxes, and from there to their vats.
//!
//! Invariants
//! - a vat has at most one turn in flight; what waits is begun in the order of the inbox, unless a scheduler chooses (then its choice is causal, and is answered for by it);
//! - what the vat's others let go of is told with its next delivery that is a turn of it: not with one that only looks for garbage.
use crate::{Effect, Node, Queued};
use passable::{Delivery, ObjectId, PromiseId, Ref, TurnId, VatId, What};

/// Deliveries kept for their memory.
const MAX_SPARE: usize = 64;
/// Bytes of a row that are kept for the next one.
const MAX_SPARE_BYTES: usize = 1 << 10;

/// What a vat is now working on.
pub(crate) struct Current {
    pub last_chance: bool,
    /// The promise of a start's answer.
    pub start: Option<PromiseId>,
    pub seq: u64,
    pub stored: bool,
    pub young: bool,
    /// What the store is to know of it; none if there is no store.
    pub kept: Option<Box<Kept>>,
}

/// Of a delivery that a vat works on, what is kept for the store alone.
#[derive(Default)]
pub(crate) struct Kept {
    /// The delivery as a row; empty if the store had it when the turn began.
    pub row: Vec<u8>,
    /// Told with it.
    pub dropped: Vec<(u64, bool)>,
    pub retired: Vec<Ref>,
}

impl Current {
    pub fn dropped(&self) -> &[(u64, bool)] {
        self.kept.as_ref().map_or(&[], |k| &k.dropped)
    }
    pub fn retired(&self) -> &[Ref] {
        self.kept.as_ref().map_or(&[], |k| &k.retired)
    }
}

impl Node {
    /// Puts a delivery into an inbox; the references in it are held until it is consumed. If nothing else is to be done before, its
    /// turn begins.
    pub(crate) fn enqueue(&mut self, to: VatId, what: What, origin: TurnId) {
        self.enqueue_as(to, what, origin, false);
    }

    /// Likewise; `young`: as it says in `operate`.
    pub(crate) fn enqueue_as(&mut self, to: VatId, what: What, origin: TurnId, young: bool) {
        let bytes = crate::route::size(&what);
        if !matches!(what, What::Trace { .. } | What::Collect) {
            self.disturb();
        }
        self.retain_all(&what);
        let manual = self.config.manual && !self.is_session(to);
        let Some(v) = self.vat_mut(to) else { return };
        let seq = v.next_seq;
        v.next_seq += 1;
        let queued = Queued { what, origin, last_chance: false, bytes, seq, stored: false, young };
        let at_once = !manual && v.inbox.is_empty() && v.current.is_none() && !v.paused;
        if young {
            // its number is given out
            self.dirty.vat(to);
        } else {
            self.dirty.inbox(to, seq);
        }
        self.pending += 1;
        if at_once {
            self.begin(to, queued);
        } else if let Some(v) = self.vat_mut(to) {
            v.inbox_bytes += bytes;
            v.inbox.push_back(queued);
        }
    }

    /// Begins the next turn of a vat, if there is one to begin.
    pub(crate) fn schedule(&mut self, vat: VatId) {
        if !self.config.manual || self.is_session(vat) {
            self.run_at(vat, 0);
        }
    }

    pub(crate) fn run_at(&mut self, vat: VatId, index: usize) {
        let Some(v) = self.vats.get_mut(vat.0 as usize).and_then(|v| v.as_deref_mut()) else { return };
        if v.current.is_some() || v.paused {
            return;
        }
        let Some(queued) = (if index == 0 { v.inbox.pop_front() } else { v.inbox.remove(index) }) else { return };
        v.inbox_bytes -= queued.bytes;
        self.begin(vat, queued);
    }

    /// Begins a vat's turn with a delivery that was taken from its inbox.
    fn begin(&mut self, vat: VatId, queued: Queued) {
        let Some(v) = self.vats.get_mut(vat.0 as usize).and_then(|v| v.as_deref_mut()) else { return };
        v.turns += 1;
        let session = v.session;
        let id = TurnId { vat, turn: v.turns };
        self.causes.begin(id, queued.origin, &queued.what);
        self.told.began(id, &queued.what);
        let mut delivery = self.spare.pop().unwrap_or_else(|| Box::new(What::Collect.into()));
        // a session is told when it is handed the delivery; a vat that is only looked at does not hear
        let hears = !session && !matches!(queued.what, What::Trace { .. });
        (delivery.dropped, delivery.retired) = if hears { self.take_news(vat) } else { Default::default() };
        let kept = self.config.durable.then(|| {
            let mut kept = self.spare_kept.pop().unwrap_or_default();
            kept.row.clear();
            if !queued.stored {
                crate::durable::delivery_to(&queued, &mut kept.row);
            }
            kept.dropped.clone_from(&delivery.dropped);
            kept.retired.clone_from(&delivery.retired);
            kept
        });
        let current = Current {
            last_chance: queued.last_chance,
            start: crate::done::start_answer(&queued.what),
            seq: queued.seq,
            stored: queued.stored,
            young: queued.young,
            kept,
        };
        if let Some(v) = self.vat_mut(vat) {
            v.current = Some(current);
        }
        self.dirty.vat(vat);
        delivery.dropped.iter().for_each(|(n, _)| self.dirty.export(ObjectId { vat, n: *n }));
        delivery.what = queued.what;
        if session {
            self.for_session(vat, delivery);
        } else {
            self.out.push(Effect::RunTurn { vat, delivery });
        }
    }

    /// A delivery that is over: its memory serves another one.
    pub(crate) fn recycle(&mut self, mut delivery: Box<Delivery>, kept: Option<Box<Kept>>) {
        if let Some(kept) = kept.filter(|k| self.spare_kept.len() < MAX_SPARE && k.row.capacity() <= MAX_SPARE_BYTES) {
            self.spare_kept.push(kept);
        }
        if self.spare.len() < MAX_SPARE {
            delivery.what = What::Collect;
            delivery.dropped.clear();
            delivery.retired.clear();
            self.spare.push(delivery);
        }
    }
}
