//! Turns: their end, their delta, their rollback.
//!
//! A turn goes on until `delta`, `commit` or `rollback`. `turn_end` empties the nursery and may come before each of them.
//!
//! ## Bytes of a delta
//! Records one after another, all numbers little-endian. A record begins with a `u32` whose upper 24 bits are an offset
//! from `OLD` (a multiple of 256) and whose lowest byte tells what follows:
//! ```text
//! 1  a changed block      first u8 | mask u8 | for each set bit i of mask: bytes [32 i, 32 i + 32) of the block
//! 2  fresh lines          length u32 | first u8 for each line begun | used | the bytes; the rest of the last line is zero
//! 3  a region's lines     freed u128 | used u128 | flags u8 | three zeros | head u32
//! 4  the allocator        the bytes of `Book` (offset 0); comes first
//! ```
//! Lines named by 2 come into use, `used` are the bytes `line / 8` to `last line / 8` of the region's u128 as it is now. 3 comes
//! behind them if lines went out of use (`freed`: those read as zero from now on) or the rest changed; it gives all used lines.
//! `first` is what an image stores for the line (see `image`), or in 1 `SAME`.
//!
//! Invariants
//! - a delta applied to the image of the last commit gives the image of this one, byte for byte;
//! - blocks whose bytes are what they were are not in it;
//! - it can be turned into plain patches of the image without knowing the image (see `patch`).
use super::image::stored;
use super::region::{Region, runs};
use super::{Heap, HeapFull};
use crate::layout::*;
use crate::mem::Mem;

pub const D_BLOCK: u8 = 1;
pub const D_LINES: u8 = 2;
pub const D_REGION: u8 = 3;
pub const D_BOOK: u8 = 4;
/// In place of a block's `first`: it is what it was.
pub const SAME: u8 = 0xFF;

/// Memory past the end of the heap that an aborted turn may leave behind.
const KEEP_BEYOND: u32 = 1 << 20;

/// What the end of a turn found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TurnEnd {
    /// Bytes that were copied to old space.
    pub survivors: u64,
    /// Old blocks with an undo copy.
    pub dirty_blocks: u32,
    /// Regions with fresh or freed lines.
    pub changed_regions: u32,
}

/// What a delta consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeltaStats {
    pub bytes: u32,
    pub blocks: u32,
    pub fresh_lines: u32,
    pub regions: u32,
}

impl Heap {
    /// The turn is over, the stack empty: what `extra` and old space reach goes to old space, the nursery is empty after.
    /// Then comes `delta`, `commit` or `rollback` (the last also after an error).
    pub fn turn_end(&mut self, mem: Mem, extra: &mut [u64]) -> Result<TurnEnd, HeapFull> {
        self.evacuate(mem, STACK, extra, true)?;
        debug_assert!(self.remembered.is_empty());
        self.pace(mem, STACK, extra)?;
        Ok(TurnEnd {
            survivors: self.survivors(),
            dirty_blocks: self.undo.len() as u32,
            changed_regions: self.changed.len() as u32,
        })
    }

    /// Appends to `out` what turned the heap of the last commit into this one, and commits.
    pub fn delta(&mut self, mem: Mem, out: &mut Vec<u8>) -> DeltaStats {
        let mut st = DeltaStats::default();
        let from = out.len();
        if self.book != self.book_before {
            out.extend_from_slice(&(D_BOOK as u32).to_le_bytes());
            out.extend_from_slice(&self.book.to_bytes());
        }
        for (block, first, copy) in self.undo.iter() {
            let (r, line) = ((block / REGION_LINES) as usize, block % REGION_LINES);
            if self.regions.get(r).is_some_and(|reg| reg.used >> line & 1 == 1) {
                st.blocks += block_record(mem, block, copy, first, self.regions[r].first[line as usize], out);
            }
        }
        for &r in &self.changed {
            let reg = &self.regions[r as usize];
            let fresh = reg.used & !reg.before;
            st.fresh_lines += fresh.count_ones();
            runs(fresh, |a, n| lines_record(mem, r, reg, a, n, out));
            let freed = reg.before & !reg.used;
            if freed != 0 || reg.meta != reg.meta_before {
                st.regions += 1;
                out.extend_from_slice(&((r * REGION) | D_REGION as u32).to_le_bytes());
                out.extend_from_slice(&freed.to_le_bytes());
                out.extend_from_slice(&reg.used.to_le_bytes());
                out.extend_from_slice(&(reg.meta.flags as u32).to_le_bytes());
                out.extend_from_slice(&reg.meta.head.to_le_bytes());
            }
        }
        st.bytes = (out.len() - from) as u32;
        self.commit(mem);
        st
    }

    /// Ends the turn: what the heap is now, rollback will come back to.
    pub fn commit(&mut self, mem: Mem) {
        for (block, ..) in self.undo.iter() {
            mem.w8(DIRTY + block, 0, 0);
            if let Some(reg) = self.regions.get_mut((block / REGION_LINES) as usize) {
                reg.saved = 0;
            }
        }
        for r in self.changed.drain(..) {
            mem.zero(DIRTY + r * REGION_LINES, REGION_LINES);
            let reg = &mut self.regions[r as usize];
            reg.before = reg.used;
            reg.saved = 0;
            reg.meta_before = reg.meta;
            reg.changed = false;
        }
        self.undo.clear();
        self.book_before = self.book;
        if std::mem::take(&mut self.discard_again) {
            self.discard_left = self.regions.len();
        }
        self.give_back(mem);
    }

    /// Between turns: gives the pages of the volatile ranges from `from` on back, which are empty but for caches. What they held reads as
    /// zero afterwards. No effect while a mark goes on.
    pub fn rest(&mut self, mem: Mem, from: u32) {
        debug_assert!(self.undo.len() == 0 && self.remembered.is_empty() && self.nur == NURSERY);
        if !self.mark.active() && from < OLD {
            mem.discard(from, OLD - from);
        }
    }

    /// The turn was aborted: all stored bytes become again what they were when it began.
    pub fn rollback(&mut self, mem: Mem) {
        for (block, first, copy) in self.undo.iter().rev() {
            let _ = mem.bytes_in(OLD + block * BLOCK, copy);
            mem.w8(DIRTY + block, 0, 0);
            if let Some(reg) = self.regions.get_mut((block / REGION_LINES) as usize) {
                reg.saved = 0;
                reg.first[(block % REGION_LINES) as usize] = first;
            }
        }
        for r in self.changed.drain(..) {
            mem.zero(DIRTY + r * REGION_LINES, REGION_LINES);
            let reg = &mut self.regions[r as usize];
            reg.used = reg.before;
            reg.saved = 0;
            reg.meta = reg.meta_before;
            reg.changed = false;
            reg.clean = false;
            self.first_free = self.first_free.min(r as usize);
        }
        self.undo.clear();
        self.stop_mark();
        self.moved += 1;
        self.book = self.book_before;
        self.mark.paced = self.book.since;
        self.regions.truncate(self.book.regions as usize);
        self.first_free = self.first_free.min(self.regions.len());
        let beyond = (self.touched - self.regions.len()) as u32 * REGION;
        if beyond > KEEP_BEYOND {
            self.discard(mem, OLD + self.book.regions * REGION, beyond);
            self.touched = self.regions.len();
        }
        self.forget_young(mem);
    }
}

/// A changed block; 0 if it did not change.
fn block_record(mem: Mem, block: u32, before: &[u8; 256], first_before: u8, first: u8, out: &mut Vec<u8>) -> u32 {
    let mut now = [0; BLOCK as usize];
    let _ = mem.bytes_out(OLD + block * BLOCK, &mut now);
    let mut mask = 0u8;
    for (i, (x, y)) in now.chunks_exact(32).zip(before.chunks_exact(32)).enumerate() {
        mask |= ((x != y) as u8) << i;
    }
    if mask == 0 && first == first_before {
        return 0;
    }
    out.extend_from_slice(&((block * BLOCK) | D_BLOCK as u32).to_le_bytes());
    out.extend_from_slice(&[if first == first_before { SAME } else { stored(first) }, mask]);
    for (i, part) in now.chunks_exact(32).enumerate() {
        if mask >> i & 1 == 1 {
            out.extend_from_slice(part);
        }
    }
    1
}

/// A run of `n` fresh lines of a region from line `a` on, without the zeros at its end.
fn lines_record(mem: Mem, r: u32, reg: &Region, a: u32, n: u32, out: &mut Vec<u8>) {
    let line = r * REGION_LINES + a;
    let start = OLD + line * LINE;
    let last = start + (n - 1) * LINE;
    let mut len = last - start + LINE;
    while len > last - start + 8 && mem.r64(start + len - 8, 0) == 0 {
        len -= 8;
    }
    out.extend_from_slice(&((line * LINE) | D_LINES as u32).to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
    out.extend(reg.first[a as usize..(a + n) as usize].iter().map(|f| stored(*f)));
    out.extend_from_slice(&reg.used.to_le_bytes()[a as usize / 8..=(a + n - 1) as usize / 8]);
    let whole = mem.append(start, len, out);
    debug_assert!(whole.is_some());
}
