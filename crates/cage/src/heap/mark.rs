//! Marking: which objects of old space are alive, found out in bounded steps.
//!
//! In: the root object; at the end the stack, extra slots and young survivors. Out: a bit for each live object and each line
//! with a live byte, which `sweep` turns into free lines.
//!
//! A mark runs from `start` over steps to `finish`. It begins and proceeds by bytes allocated, never by time. In between the
//! program runs; a block it stores into is looked at again (incremental update): looking at a block clears its `DIRTY` byte,
//! so that the next store into it is noticed again. Objects made during a mark are alive for it.
//!
//! Invariants
//! - an object with its bit set is in `gray`, or what its strong slots named when it was looked at is marked;
//! - a marked object whose block changed since is in a block of `rescan`;
//! - each object is pushed once, and the bytes of all marked objects never exceed the bytes in use: the work is bounded
//!   whatever the words say; what is no object is counted and skipped;
//! - weak slots and ephemerons are decided in `finish` alone, in one pause;
//! - what is marked in one pause is marked in steps, between which the embedder is asked: if it says no the turn is to be undone.
//!
//! Must never know: time.
use super::minor::{first_value, young_ref};
use super::old::line_of;
use super::region::{R_LARGE, span};
use super::waiting::Waiting;
use super::{Heap, HeapFull};
use crate::layout::*;
use crate::mem::Mem;
use crate::value::*;

const GRANULES: usize = REGION as usize / 8;

/// Work for each byte allocated while marking.
const PACE: u64 = 6;
/// Work for each block dirtied while marking.
const BLOCK_WORK: u64 = 2 * BLOCK as u64;
/// Work after which a mark is given up: only in a damaged heap, where objects overlap or change their size, is there so much.
const MAX_WORK: u64 = 32;
/// Words of an object looked at at a time.
const PIECE: u32 = 128;
/// Up to so many regions the bits are given back between marks; for more that would cost each mark page faults.
const KEEP_BITS: usize = 256;
/// Entries of a list that stays allocated between marks.
const KEEP_LIST: usize = 1 << 14;
/// What an object costs besides its bytes: about the cache misses it causes.
const OBJECT_COST: u64 = 64;

/// How much is done when; tests make the steps smaller.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// Marking begins when as many bytes of old space were allocated since the last as were alive then, and at least these.
    pub min_since: u64,
    /// Work of a step at a safepoint, at least and at most. 1 MiB takes 1 to 2 ms: with a full nursery and the final pause a
    /// `collect` stays below 10 ms on a machine half as fast.
    pub step_min: u64,
    pub step_max: u64,
    /// Work of the final pause before it gives up and goes on in steps.
    pub final_max: u64,
    /// Bytes of objects moved out of sparse regions by one mark.
    pub move_max: u64,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning { min_since: 1 << 20, step_min: 64 << 10, step_max: 1 << 20, final_max: 1 << 20, move_max: 256 << 10 }
    }
}

/// State of marking; volatile.
#[derive(Debug, Default)]
pub struct Marker {
    on: bool,
    /// By region: a bit for each granule at which a live object begins.
    bits: Vec<[u64; GRANULES / 64]>,
    /// Objects to be looked at from a word on.
    pub(super) gray: Vec<(u32, u32)>,
    /// Blocks to be looked at again.
    pub(super) rescan: Vec<u32>,
    /// How many the last step left.
    rescan_left: usize,
    /// Work of this mark so far, and whether that was too much.
    work: u64,
    broken: bool,
    /// Objects laid into old space by `alloc_old` and `alloc_pinned` while marking: their kind is not known yet.
    born: Vec<u32>,
    pub(super) weak: Vec<u32>,
    pub(super) eph: Vec<u32>,
    /// Pairs whose key is not marked yet: key -> slots.
    pub(super) waiting: Waiting,
    pub(super) ready: Vec<u32>,
    /// Slots that name objects of regions to be evacuated.
    pub(super) slots: Vec<u32>,
    /// How many regions that is.
    pub(super) moving: usize,
    /// Bytes of objects that may still be marked.
    left: u64,
    /// References that named no object.
    pub(super) bad: u64,
    /// `since` when pacing last looked.
    pub(super) paced: u64,
    pub(super) cycles: u64,
    /// Work of all marks, and the most that one `collect` did, copied bytes included.
    pub(super) work_ever: u64,
    pub(super) most_work: u64,
}

impl Marker {
    #[inline]
    pub fn active(&self) -> bool {
        self.on
    }

    #[inline]
    pub fn is_marked(&self, off: u32) -> bool {
        let g = (off - OLD) as usize / 8;
        self.bits.get(g / GRANULES).is_some_and(|b| b[g % GRANULES / 64] >> (g % 64) & 1 == 1)
    }

    /// Sets the bit; false if it was set, or the region is unknown.
    #[inline]
    fn set(&mut self, off: u32) -> bool {
        let g = (off - OLD) as usize / 8;
        let Some(bits) = self.bits.get_mut(g / GRANULES) else { return false };
        let (word, bit) = (&mut bits[g % GRANULES / 64], 1 << (g % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Granules of region `r` at which marked objects begin, in order.
    pub fn starts(&self, r: usize) -> impl Iterator<Item = u32> + use<> {
        let bits = self.bits.get(r).copied().unwrap_or([0; GRANULES / 64]);
        (0..GRANULES as u32).filter(move |g| bits[*g as usize / 64] >> (g % 64) & 1 == 1)
    }

    /// The last marked object of region `r` that begins before granule `g`.
    fn start_before(&self, r: usize, g: usize) -> Option<u32> {
        let bits = self.bits.get(r)?;
        let mut w = g / 64;
        let mut word = if g.is_multiple_of(64) { 0 } else { bits[w] & ((1 << (g % 64)) - 1) };
        while word == 0 {
            w = w.checked_sub(1)?;
            word = bits[w];
        }
        Some(OLD + r as u32 * REGION + (w * 64 + 63 - word.leading_zeros() as usize) as u32 * 8)
    }

    /// The heap is damaged: nothing more is looked at, nothing will be swept.
    fn give_up(&mut self) {
        self.gray.clear();
        self.ready.clear();
        self.rescan.clear();
        self.broken = true;
    }

    /// Ends or abandons a mark.
    pub fn stop(&mut self) {
        self.on = false;
        self.broken = false;
        if self.bits.len() <= KEEP_BITS {
            self.bits = Vec::new();
        }
        if self.gray.capacity() > KEEP_LIST {
            self.gray = Vec::new();
        }
        if self.rescan.capacity() > KEEP_LIST {
            self.rescan = Vec::new();
        }
        self.gray.clear();
        self.rescan.clear();
        (self.rescan_left, self.work) = (0, 0);
        self.born.clear();
        self.weak.clear();
        self.eph.clear();
        self.waiting.clear();
        self.ready.clear();
        self.slots.clear();
    }
}

impl Heap {
    /// Enough was allocated for a collection of old space.
    fn due(&self) -> bool {
        let least = self.tuning.min_since;
        let room = self.limits.heap_bytes.saturating_sub(self.book.live) / 4;
        self.requested || self.book.since >= self.book.live.max(least).min(room.max(least / 4))
    }

    /// Has the next `mark_step`, `collect` or `turn_end` begin a mark (an idle vat, one that is put to sleep).
    pub fn request_mark(&mut self) {
        self.requested = true;
    }

    /// Does the heap want `mark_step` to be called between turns?
    pub fn wants_mark(&self) -> bool {
        self.mark.on || self.due()
    }

    /// Between turns, after a commit: marks for about `budget` bytes of work, ends the mark if that suffices.
    /// What the end of a mark changes (freed lines, moved objects, dead weak slots) belongs to the turn that follows: commit
    /// it at once with `turn_end` and `delta`, or it will be rolled back with that turn.
    /// `extra` are references the embedder holds outside the cage. True: there is nothing more to do.
    pub fn mark_step(&mut self, mem: Mem, extra: &mut [u64], budget: u64) -> Result<bool, HeapFull> {
        debug_assert!(self.nur == NURSERY && self.young.half == 0, "mark_step is for between turns");
        if !self.mark.on {
            if !self.due() {
                return Ok(true);
            }
            self.start_mark(mem);
        }
        self.step(mem, budget);
        if self.at_end() { self.finish(mem, STACK, extra, self.tuning.final_max, true) } else { Ok(false) }
    }

    /// After an evacuation: starts, goes on with or ends a mark, as bytes allocated demand.
    pub(super) fn pace(&mut self, mem: Mem, stack_end: u32, extra: &mut [u64]) -> Result<(), HeapFull> {
        self.give_back(mem);
        if !self.mark.on {
            if !self.due() {
                self.mark.paced = self.book.since;
                return Ok(());
            }
            self.start_mark(mem);
        }
        let allocated = self.book.since.saturating_sub(self.mark.paced);
        self.mark.paced = self.book.since;
        let dirtied = self.mark.rescan.len().saturating_sub(self.mark.rescan_left) as u64;
        let least = if stack_end > FRAMES { self.tuning.step_min } else { 0 };
        // A program that dirties faster than that gets longer steps with time, so that the mark ends.
        let most = self.tuning.step_max << (self.mark.work / (2 * self.live_bytes().max(1 << 20))).min(16);
        self.step(mem, (allocated * PACE + dirtied * BLOCK_WORK).clamp(least.min(most), most));
        self.mark.rescan_left = self.mark.rescan.len();
        let tight = !self.has_room((self.limits.heap_bytes / 16).max(self.tuning.min_since));
        if tight {
            self.mark_all(mem)?;
        }
        if self.at_end() {
            self.finish(mem, stack_end, extra, if tight { u64::MAX } else { self.tuning.final_max }, stack_end <= FRAMES)?;
        }
        Ok(())
    }

    /// A complete collection at a safepoint, in one pause: nursery, old space, and every sparse region emptied.
    pub fn collect_full(&mut self, mem: Mem, stack_end: u32, extra: &mut [u64]) -> Result<(), HeapFull> {
        let stack_end = stack_end.clamp(STACK, STACK_END);
        self.evacuate(mem, stack_end, extra, false)?;
        self.stop_mark();
        self.choose_regions(u64::MAX, self.stress);
        self.begin_mark(mem);
        self.mark_all(mem)?;
        while !self.finish(mem, stack_end, extra, u64::MAX, true)? {
            self.mark_all(mem)?;
        }
        Ok(())
    }

    /// Marks in one pause, as long as the embedder has it go on.
    fn mark_all(&mut self, mem: Mem) -> Result<(), HeapFull> {
        loop {
            self.step(mem, self.tuning.step_max);
            if self.at_end() {
                return Ok(());
            }
            if !self.goes_on() {
                return Err(HeapFull);
            }
        }
    }

    /// Abandons a mark.
    pub(super) fn stop_mark(&mut self) {
        self.keep_regions();
        self.mark.stop();
    }

    fn start_mark(&mut self, mem: Mem) {
        self.choose_regions(self.tuning.move_max, false);
        // what it answers is heard at the next question
        self.goes_on();
        self.begin_mark(mem);
        self.goes_on();
    }

    fn begin_mark(&mut self, mem: Mem) {
        debug_assert!(!self.mark.on && self.mark.gray.is_empty());
        for (block, ..) in self.undo.iter() {
            mem.w8(DIRTY + block, 0, 0);
        }
        for &r in &self.changed {
            mem.zero(DIRTY + r * REGION_LINES, REGION_LINES);
        }
        self.mark.bits.clear();
        self.mark.bits.resize(self.regions.len(), [0; GRANULES / 64]);
        self.regions.iter_mut().for_each(|r| r.marked = 0);
        self.mark.on = true;
        self.requested = false;
        self.mark.left = self.book.used_lines as u64 * LINE as u64;
        self.mark.paced = self.book.since;
        self.mark_value(mem, OBJ | OLD as u64, 0);
    }

    /// Nothing is left but the roots outside old space and the weak ones.
    pub(super) fn at_end(&self) -> bool {
        self.mark.gray.is_empty() && self.mark.rescan.is_empty()
    }

    /// An object was laid at `at` while marking: it is alive.
    pub(super) fn mark_new(&mut self, at: u32, bytes: u32, known: bool) {
        let r = line_of(at).0;
        if self.mark.bits.len() <= r {
            self.mark.bits.resize(self.regions.len(), [0; GRANULES / 64]);
        }
        self.mark.set(at);
        self.mark_lines(at, bytes);
        self.mark.left += bytes as u64;
        if !known {
            self.mark.born.push(at);
        }
    }

    fn mark_lines(&mut self, at: u32, bytes: u32) {
        let ((r, a), (last, b)) = (line_of(at), line_of(at.saturating_add(bytes - 1)));
        for i in r..=last {
            let Some(reg) = self.regions.get_mut(i) else { return };
            reg.marked |= span(if i == r { a } else { 0 }, if i == last { b } else { REGION_LINES - 1 });
        }
    }

    /// Marks what `v` names; `slot` is where it was read (0: no place in old space).
    #[inline(always)]
    pub(super) fn mark_value(&mut self, mem: Mem, v: u64, slot: u32) {
        if is_ref(v) && v as u32 >= OLD {
            self.mark_old(mem, v as u32, slot);
        }
    }

    fn mark_old(&mut self, mem: Mem, off: u32, slot: u32) {
        let off = self.large_at(mem, off).unwrap_or(off);
        let (r, line) = line_of(off);
        let Some(reg) = self.regions.get(r) else {
            self.mark.bad += 1;
            return;
        };
        if reg.evacuating && slot != 0 {
            self.mark.slots.push(slot);
        }
        if self.mark.is_marked(off) {
            return;
        }
        let h = mem.r64(off, 0);
        let whole = off.is_multiple_of(8) && reg.used >> line & 1 == 1;
        let size = size_of(self.kinds, h).filter(|s| whole && *s as u64 <= self.mark.left);
        let Some(size) = size else {
            self.mark.bad += 1;
            return;
        };
        self.mark.set(off);
        self.mark.work += OBJECT_COST;
        self.mark.left -= size as u64;
        self.mark_lines(off, size);
        match self.kinds[h as u8 as usize].trace {
            Trace::Raw => {}
            Trace::Values(_) | Trace::Shaped(_) => self.mark.gray.push((off, 0)),
            Trace::Weak(_) => self.mark.weak.push(off),
            Trace::Ephemerons(_) => self.mark.eph.push(off),
        }
        let mark = &mut self.mark;
        mark.waiting.wake(off, &mut mark.ready);
    }

    /// Works for about `budget` bytes.
    pub(super) fn step(&mut self, mem: Mem, budget: u64) {
        debug_assert!(self.mark.on);
        let from = self.mark.work;
        let end = from.saturating_add(budget);
        while self.drain_gray(mem, end.saturating_sub(self.mark.work)) > 0
            && let Some(block) = self.mark.rescan.pop()
        {
            self.look_again(mem, block);
            self.mark.work += BLOCK as u64;
        }
        self.mark.work_ever += self.mark.work.saturating_sub(from);
    }

    /// Looks at gray objects; what is left of the budget.
    pub(super) fn drain_gray(&mut self, mem: Mem, budget: u64) -> u64 {
        let from = self.mark.work;
        let end = from.saturating_add(budget);
        let most = MAX_WORK * (self.live_bytes() + (4 << 20));
        while self.mark.work < end {
            if let Some((at, word)) = self.mark.gray.pop() {
                self.look_at(mem, at, word);
            } else if let Some(pair) = self.mark.ready.pop() {
                self.mark_value(mem, mem.r64(pair, 8), if pair >= OLD { pair + 8 } else { 0 });
            } else {
                break;
            }
            if self.mark.work > most {
                self.mark.give_up();
            }
        }
        end.saturating_sub(self.mark.work)
    }

    /// Marks what the object at `at` names from a word on; a long one is looked at in pieces.
    #[inline]
    fn look_at(&mut self, mem: Mem, at: u32, word: u32) {
        let h = mem.r64(at, 0);
        let kind = self.kinds[h as u8 as usize].trace;
        let (Some(size), Some(first)) = (size_of(self.kinds, h), first_value(kind)) else { return };
        if let (Trace::Shaped(_), 0) = (kind, word) {
            self.mark_value(mem, CELL | h >> 32, 0);
        }
        let words = size / 8;
        let from = word.max(first).min(words);
        let to = words.min(from + PIECE);
        if to < words {
            self.mark.gray.push((at, to));
        }
        (from..to).for_each(|i| self.mark_value(mem, mem.r64(at + i * 8, 0), at + i * 8));
        self.mark.work += (to - from) as u64 * 8 + 8;
    }

    /// Marks what the marked objects with bytes in this block name, and has the next store into it noticed.
    fn look_again(&mut self, mem: Mem, block: u32) {
        mem.w8(DIRTY + block, 0, 0);
        let (r, line) = ((block / REGION_LINES) as usize, block % REGION_LINES);
        let Some(reg) = self.regions.get(r) else { return };
        let g = line as usize * (LINE as usize / 8);
        let before = match self.mark.start_before(r, g) {
            None if reg.meta.flags & R_LARGE != 0 => Some(reg.meta.head),
            b => b,
        };
        let start = OLD + block * BLOCK;
        if let Some(at) = before {
            self.look_at_part(mem, at, start);
        }
        let bits = self.mark.bits.get(r).map_or(0, |b| (b[g / 64] >> (g % 64)) as u32);
        (0..32).filter(|i| bits >> i & 1 == 1).for_each(|i| self.look_at_part(mem, start + i * 8, start));
    }

    /// The part of an object that lies in the block at `start`.
    fn look_at_part(&mut self, mem: Mem, at: u32, start: u32) {
        let h = mem.r64(at, 0);
        let trace = self.kinds[h as u8 as usize].trace;
        let (Some(size), Trace::Values(k) | Trace::Shaped(k)) = (size_of(self.kinds, h), trace) else { return };
        if at >= start && trace == Trace::Shaped(k) {
            self.mark_value(mem, CELL | h >> 32, 0);
        }
        let end = at.saturating_add(size).min(start.saturating_add(BLOCK));
        let mut slot = (at + k as u32 * 8).max(start);
        while slot < end {
            self.mark_value(mem, mem.r64(slot, 0), slot);
            slot += 8;
        }
    }

    /// Roots outside old space.
    fn mark_roots(&mut self, mem: Mem, stack_end: u32, extra: &[u64]) {
        (STACK..stack_end).step_by(8).for_each(|at| self.mark_value(mem, mem.r64(at, 0), 0));
        extra.iter().for_each(|v| self.mark_value(mem, *v, 0));
        self.each_survivor(mem, |heap, at, size, trace| match trace {
            Trace::Values(k) | Trace::Shaped(k) => {
                if trace == Trace::Shaped(k) {
                    heap.mark_value(mem, CELL | mem.r32(at, H_X) as u64, 0);
                }
                (k as u32..size / 8).for_each(|i| heap.mark_value(mem, mem.r64(at + i * 8, 0), 0));
            }
            _ => {}
        });
    }

    /// Calls `f` with each young object right after an evacuation: offset, bytes, kind of tracing.
    pub(super) fn each_survivor(&mut self, mem: Mem, mut f: impl FnMut(&mut Heap, u32, u32, Trace)) {
        let (mut at, end) = (self.young.half, if self.young.half == 0 { 0 } else { self.young.half_end });
        while at < end {
            let h = mem.r64(at, 0);
            let Some(size) = size_of(self.kinds, h).filter(|s| *s <= end - at) else { break };
            f(self, at, size, self.kinds[h as u8 as usize].trace);
            at += size;
        }
    }

    /// Tries to end the mark with at most `budget` of work but for the weak ones; true if it did, and old space is swept.
    /// `compact`: objects of old space may move now.
    fn finish(&mut self, mem: Mem, stack_end: u32, extra: &mut [u64], budget: u64, compact: bool) -> Result<bool, HeapFull> {
        debug_assert!(self.at_end());
        let from = self.mark.work;
        self.mark_roots(mem, stack_end, extra);
        while let Some(at) = self.mark.born.pop() {
            match self.kinds[mem.r8(at, H_KIND) as usize].trace {
                Trace::Raw => {}
                Trace::Values(_) | Trace::Shaped(_) => self.mark.gray.push((at, 0)),
                Trace::Weak(_) => self.mark.weak.push(at),
                Trace::Ephemerons(_) => self.mark.eph.push(at),
            }
        }
        let left = self.drain_gray(mem, budget);
        let decided = left > 0 && self.decide_ephemerons(mem, left);
        self.mark.work_ever += self.mark.work.saturating_sub(from);
        if self.mark.broken {
            self.mark.bad += 1;
            self.book.since = 0;
            self.stop_mark();
            return Ok(true);
        }
        if !decided {
            return Ok(false);
        }
        debug_assert!(self.mark.gray.is_empty() && self.mark.ready.is_empty());
        self.clear_dead_pairs(mem);
        self.clear_dead_weak(mem);
        if compact {
            self.evacuate_regions(mem, stack_end, extra);
        }
        self.keep_regions();
        self.goes_on();
        self.sweep(mem);
        Ok(true)
    }

    /// Is what `v` names alive, as far as this mark knows? Young objects are, right after an evacuation.
    #[inline]
    pub(super) fn lives(&self, v: u64) -> bool {
        !is_ref(v) || young_ref(v) || self.mark.is_marked(v as u32)
    }
}
