//! Sweeping: lines without a live byte become free; memory beyond need is given back.
//!
//! In: the marked lines. Out: the line map, the allocator's state.
//!
//! Invariants
//! - no byte of old space is written; lines that were in use when the turn began keep their bytes until they are reused
//!   behind an undo copy or the turn ends;
//! - lines of the base stay in use;
//! - the work is a few words for each region.
//!
//! Must never know: objects.
use super::Heap;
use super::old::{Hole, line_of};
use super::region::R_LARGE;
use crate::layout::*;
use crate::mem::Mem;

/// Free memory kept for the next turns; of what lies beyond, pages are given back.
const KEEP_FREE: u64 = 1 << 20;
/// Regions looked at, and given back, in one call.
const LOOK_MAX: usize = 4096;
const GIVE_MAX: usize = 64;

impl Heap {
    pub(super) fn sweep(&mut self, mem: Mem) {
        debug_assert!(self.mark.active());
        let mut used = 0;
        for r in 0..self.regions.len() {
            let reg = &self.regions[r];
            let meta = self.meta_after(r);
            let live = reg.used & (reg.marked | self.base_lines.get(r).copied().unwrap_or(0));
            if live != reg.used || meta != reg.meta {
                self.change(r);
                let reg = &mut self.regions[r];
                reg.clean &= live == reg.used;
                reg.used = live;
                reg.meta = meta;
            }
            used += live.count_ones();
        }
        self.mark.stop();
        self.mark.cycles += 1;
        self.moved += 1;
        self.first_free = 0;
        self.book.holes = [Hole::default(); 3];
        self.book.next = [0; 3];
        self.book.used_lines = used;
        self.book.live = used as u64 * LINE as u64;
        self.book.since = 0;
        self.mark.paced = 0;
        let regions = &self.regions;
        self.remembered.retain(|slot| {
            let (r, line) = line_of(*slot);
            let keep = regions.get(r).is_some_and(|reg| reg.used >> line & 1 == 1);
            if !keep {
                let (at, bit) = slot_bit(*slot);
                mem.w8(at, 0, mem.r8(at, 0) & !bit);
            }
            keep
        });
        self.discard_left = self.regions.len();
        self.free_bytes = self.regions.iter().filter(|r| r.used == 0 && !r.clean).count() as u64 * REGION as u64;
        self.give_back(mem);
    }

    /// Flags of a region after this sweep.
    fn meta_after(&self, r: usize) -> super::region::Meta {
        let mut meta = self.regions[r].meta;
        if self.base_lines.get(r).is_some_and(|lines| *lines != 0) {
            return meta; // what lies there stays
        }
        if meta.flags & R_LARGE != 0 && !self.mark.is_marked(meta.head.max(OLD)) {
            meta.flags &= !R_LARGE;
            meta.head = 0;
        }
        if self.regions[r].used & self.regions[r].marked == 0 {
            meta = super::region::Meta::default();
        }
        meta
    }

    /// Gives back pages of free regions from region `from` on, all of which read as zero after: at most `GIVE_MAX` regions; where to go
    /// on, if there are more. For who is about to ask for a large object, and can be asked to wait in between.
    pub fn clean_free(&mut self, mem: Mem, from: u32) -> Option<u32> {
        let (mut looked, mut given) = (0, 0);
        for r in (from as usize).max(self.base_lines.len())..self.regions.len() {
            if looked == LOOK_MAX || given == GIVE_MAX {
                return Some(r as u32);
            }
            looked += 1;
            let reg = &self.regions[r];
            if reg.used == 0 && reg.before == 0 && !reg.clean && !self.reserved(r) {
                self.discard(mem, OLD + r as u32 * REGION, REGION);
                self.regions[r].clean = true;
                self.free_bytes = self.free_bytes.saturating_sub(REGION as u64);
                given += 1;
            }
        }
        None
    }

    /// Gives back the pages of some free regions beyond those kept. A region with bytes that rollback may want waits for a
    /// commit. Called again, at safepoints and commits, while `discard_left` is not 0.
    pub(super) fn give_back(&mut self, mem: Mem) {
        let (mut looked, mut given) = (0, 0);
        while self.discard_left > 0 && looked < LOOK_MAX && given < GIVE_MAX {
            self.discard_left -= 1;
            looked += 1;
            let r = self.discard_left;
            let Some(reg) = self.regions.get_mut(r) else { continue };
            if reg.used != 0 || reg.clean {
                continue;
            }
            if reg.before != 0 {
                self.discard_again = true;
            } else if self.free_bytes > KEEP_FREE + self.book.live / 4 {
                reg.clean = r >= self.base_lines.len();
                self.discard(mem, OLD + r as u32 * REGION, REGION);
                self.free_bytes -= REGION as u64;
                given += 1;
            }
        }
        debug_assert!(looked <= LOOK_MAX);
    }
}
