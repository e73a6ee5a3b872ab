//! Evacuation of sparse regions, so that a few objects do not hold much memory.
//!
//! In: a finished mark, the slots that name objects of the regions to be emptied. Out: those objects elsewhere.
//!
//! The regions are chosen when a mark starts; while it runs, each slot that names one of their objects is listed. They are
//! emptied when the mark ends at a turn's end or in `collect_full`; a mark that ends within a turn moves nothing.
//!
//! Invariants
//! - pinned and large objects never move, objects of the base neither, and nothing is laid into a region that will be emptied;
//! - moved objects leave no trace in stored bytes: where they went is kept outside, sorted by where they were;
//! - every word that named a moved object names it again: listed slots, the objects' own, the roots.
//!
//! Must never know: which embedder caches offsets; `moved()` tells it to drop them.
use super::Heap;
use super::minor::{first_value, young_ref};
use super::old::{Class, line_of};
use super::region::{R_LARGE, R_PINNED};
use crate::layout::*;
use crate::mem::Mem;
use crate::value::*;

/// A region with at most so many lines in use is sparse.
const SPARSE: u32 = REGION_LINES / 4;
/// More slots than these are not kept: nothing moves then.
const MAX_SLOTS: usize = 1 << 19;

impl Heap {
    /// Chooses the regions that the mark which begins will empty: up to `bytes` of lines, all if `every`.
    pub(super) fn choose_regions(&mut self, bytes: u64, every: bool) {
        debug_assert!(self.mark.slots.is_empty());
        let most = if every { REGION_LINES } else { SPARSE };
        let fits = |heap: &Heap, r: usize| {
            let reg = &heap.regions[r];
            let n = reg.used.count_ones();
            (r >= heap.base_lines.len() && n > 0 && n <= most && reg.meta.flags & (R_PINNED | R_LARGE) == 0 && !heap.reserved(r))
                .then_some(n)
        };
        let waste: u64 = (0..self.regions.len()).filter_map(|r| fits(self, r)).map(|n| (REGION_LINES - n) as u64).sum();
        let worth = self.book.live / 8 + self.tuning.min_since / 4;
        if !every && waste * LINE as u64 <= worth {
            return;
        }
        let mut left = bytes;
        for r in 0..self.regions.len() {
            let Some(n) = fits(self, r) else { continue };
            let cost = n as u64 * LINE as u64;
            if cost <= left {
                left -= cost;
                self.regions[r].evacuating = true;
                self.mark.moving += 1;
            }
        }
    }

    /// Nothing will be moved by this mark.
    pub(super) fn keep_regions(&mut self) {
        if self.mark.moving > 0 {
            self.regions.iter_mut().for_each(|r| r.evacuating = false);
            self.mark.moving = 0;
        }
        self.mark.slots.clear();
    }

    /// Empties the chosen regions. Everything is marked, weak slots are decided, nothing is swept yet.
    pub(super) fn evacuate_regions(&mut self, mem: Mem, stack_end: u32, extra: &mut [u64]) {
        if self.mark.moving == 0 {
            return;
        }
        let chosen: Vec<usize> = (0..self.regions.len()).filter(|r| self.regions[*r].evacuating).collect();
        let bytes: u64 = chosen.iter().map(|r| self.regions[*r].used.count_ones() as u64 * LINE as u64).sum();
        if self.mark.slots.len() > MAX_SLOTS || !self.has_room(bytes + chosen.len() as u64 * REGION as u64) {
            return self.keep_regions();
        }
        let mut moves = Vec::new();
        for r in chosen {
            if !self.move_region(mem, r, &mut moves) {
                break;
            }
        }
        debug_assert!(moves.is_sorted_by_key(|m: &(u32, u32)| m.0));
        for i in 0..moves.len() {
            self.mend_object(mem, moves[i].1, &moves);
        }
        for slot in std::mem::take(&mut self.mark.slots) {
            // A moved object's slots were mended in its new place; one that could not be moved is mended in its old one.
            if !self.regions.get(line_of(slot).0).is_some_and(|r| r.evacuating && r.marked == 0) {
                self.mend(mem, slot, &moves);
            }
        }
        (STACK..stack_end).step_by(8).for_each(|at| self.mend(mem, at, &moves));
        for v in extra.iter_mut() {
            *v = find(&moves, *v).unwrap_or(*v);
        }
        let moves = &moves;
        self.each_survivor(mem, |heap, at, _, _| heap.mend_object(mem, at, moves));
        self.keep_regions();
    }

    /// Copies the live objects of a region; false if there was no room for all.
    fn move_region(&mut self, mem: Mem, r: usize, moves: &mut Vec<(u32, u32)>) -> bool {
        let start = OLD + r as u32 * REGION;
        for g in self.mark.starts(r) {
            let at = start + g * 8;
            let h = mem.r64(at, 0);
            let Some(size) = size_of(self.kinds, h).filter(|s| *s <= MAX_SMALL && (h >> 8) as u8 & PINNED == 0) else {
                return false;
            };
            let Some(to) = self.old_alloc(mem, size, Class::Small) else { return false };
            self.mark_new(to, size, true);
            mem.copy(at, to, size);
            if let Trace::Weak(_) | Trace::Ephemerons(_) = self.kinds[h as u8 as usize].trace {
                self.flag_weak(to, size);
            }
            self.moved_bytes += size as u64;
            moves.push((at, to));
        }
        self.regions[r].marked = 0;
        true
    }

    /// Has the slots of an object name what moved.
    fn mend_object(&mut self, mem: Mem, at: u32, moves: &[(u32, u32)]) {
        let h = mem.r64(at, 0);
        let trace = self.kinds[h as u8 as usize].trace;
        if let (Some(size), Some(k)) = (size_of(self.kinds, h), first_value(trace)) {
            (k..size / 8).for_each(|i| self.mend(mem, at.saturating_add(i * 8), moves));
        }
    }

    fn mend(&mut self, mem: Mem, slot: u32, moves: &[(u32, u32)]) {
        let v = mem.r64(slot, 0);
        if let Some(v) = find(moves, v) {
            self.dirty(mem, slot, 8);
            mem.w64(slot, 0, v);
        } else if slot >= OLD && young_ref(v) {
            self.remember(mem, slot); // its object moved, and the slot with it
        }
    }
}

/// What names the moved object that `v` named.
fn find(moves: &[(u32, u32)], v: u64) -> Option<u64> {
    if !is_ref(v) {
        return None;
    }
    let at = moves.binary_search_by_key(&(v as u32), |m| m.0).ok()?;
    Some(((v >> 48) << 48) | moves[at].1 as u64)
}
