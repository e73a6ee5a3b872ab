//! Evacuation of sparse regions, so that a few objects do not hold much memory.
//!
//! In: a finished mark, the slots that name objects of the regions to be emptied. Out: those objects elsewhere.
//!
//! Invariants
//! - only where nothing outside the heap holds offsets but `extra` (turn ends), or all roots are at hand (`collect_full`);
//! - pinned and large objects never move;
//! - moved objects leave no trace in stored bytes: where they went is kept outside.
//!
//! Must never know: which embedder caches offsets; `moved()` tells it to drop them.
use super::Heap;
use crate::mem::Mem;

impl Heap {
    pub(super) fn evacuate_regions(&mut self, _mem: Mem, _extra: &mut [u64]) {}
}
