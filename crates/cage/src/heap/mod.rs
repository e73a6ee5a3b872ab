//! The heap of one cage: allocation, the write barrier, collection, turns.
//!
//! In: requests for bytes, stores, safepoints, ends of turns. Out: offsets, deltas, images.
//!
//! Rules for the embedder
//! - the first object is the root: made by `alloc_pinned` right after `Heap::new`, it lies at `OLD`;
//! - `alloc` and `alloc_native` give memory whose words hold anything: write all of them before the next safepoint.
//!   Up to `MAX_YOUNG` bytes it is young and may be filled with plain `mem` writes; more, and it is old space
//!   (zeroed) and must be filled through `write`.
//! - old objects are changed through `store`/`write`/`copy_values` alone, or after `dirty`;
//! - the stack is written only as far as `use_stack` was told since the last collection;
//! - an object never changes its size in place;
//! - collection happens in `collect` and `turn_end` only; both may move every object that is not pinned;
//! - after an error of any call the turn must be rolled back.
//!
//! Invariants
//! - a block of old space whose `DIRTY` byte is not zero has been seen by `write_slow` in this turn (or was laid out in it),
//!   and by the marker's list of blocks to look at again if it is at work: a store into it needs no more;
//! - every old slot that holds a young reference is in `remembered`, once;
//! - what lies in a line of the base stays there: it is never moved, and its place never given to another object, so that an offset
//!   tells an object of the base from all others for as long as the heap lives.
//!
//! Must never know: what a kind means beyond its table row.
mod compact;
mod image;
mod mark;
mod minor;
mod old;
mod patch;
mod reach;
mod region;
mod sweep;
mod turn;
mod undo;
mod verify;
mod waiting;
mod weak;

use crate::layout::*;
use crate::mem::Mem;
use crate::touch::Absent;
use crate::value::*;
pub use image::{Base, ImageError, Read, seal};
pub use mark::Tuning;
pub use old::{Book, Class, Hole};
pub use patch::{apply_delta, image_len, image_patches};
pub use region::Region;
use std::sync::Arc;
pub use turn::{DeltaStats, TurnEnd};
use undo::Undo;
pub use verify::Fault;

/// What an embedder allows one heap.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of old space, nursery and undo copies together.
    pub heap_bytes: u64,
}

/// One part in so many of the heap is kept for deliveries after the limit was reached.
const RESERVE: u64 = 20;

/// Bytes laid into old space at once after which a collection is wanted, if marking is due or on.
const DIRECT_MAX: u64 = 256 << 10;

/// Figures of one heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub old_bytes: u64,
    pub live_bytes_at_last_mark: u64,
    pub since_last_mark: u64,
    pub heap_bytes: u64,
    pub limit_bytes: u64,
    pub regions: u32,
    pub free_regions: u32,
    pub undo_blocks: u32,
    pub collections: u64,
    pub marks: u64,
    /// The most work of one `collect`: bytes copied and work of marking (see `Tuning`).
    pub most_work: u64,
    /// Moved out of sparse regions since the heap was opened.
    pub moved_bytes: u64,
    /// References that the marker found to name no object: more than 0 means a damaged heap.
    pub bad_references: u64,
}

/// Asked within long work whether it shall go on.
pub type GoOn = Box<dyn Fn() -> bool + Send>;

/// The heap limit is reached, or `GoOn` said no: the turn must be aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapFull;

/// What an embedder is asked, if it wants to be.
#[derive(Default)]
struct Asked(Option<GoOn>);

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Asked" } else { "nobody" })
    }
}

/// Bookkeeping of one cage; all of it can be made anew from an image.
#[derive(Debug)]
pub struct Heap {
    /// Next free byte of the nursery, and its end.
    pub nur: u32,
    pub nur_end: u32,
    /// No word of the stack from here on was written since it was last zeroed (see `use_stack`).
    stack_used: u32,
    /// A frame that begins below may write all its window without asking.
    pub frames_below: u32,
    kinds: &'static Kinds,
    limits: Limits,
    regions: Vec<Region>,
    /// Regions whose bookkeeping differs from what was committed.
    changed: Vec<u32>,
    book: Book,
    book_before: Book,
    /// No region below is free; a hint.
    first_free: usize,
    /// Regions beyond were never written to.
    touched: usize,
    undo: Undo,
    remembered: Vec<u32>,
    young: minor::Young,
    met: weak::Met,
    mark: mark::Marker,
    collections: u64,
    moved: u64,
    tuning: Tuning,
    requested: bool,
    full: bool,
    stress: bool,
    reserve: bool,
    moved_bytes: u64,
    /// The lines that objects of the base take, for each region that is mapped from it.
    base_lines: Vec<u128>,
    /// Regions below may have pages to be given back; some wait for a commit; bytes of free regions with pages.
    discard_left: usize,
    discard_again: bool,
    free_bytes: u64,
    /// What is read when it is first touched.
    absent: Option<Arc<Absent>>,
    go_on: Asked,
}

/// The barrier's fast half: young object, or dirty block and no young reference stored. `None`: use `Heap::write`.
#[inline(always)]
pub fn store(mem: Mem, addr: u32, v: u64) -> Option<()> {
    if addr >= OLD && (mem.r8(DIRTY + ((addr - OLD) >> 8), 0) == 0 || (is_ref(v) && (v as u32) < OLD)) {
        return None;
    }
    mem.w64(addr, 0, v);
    Some(())
}

impl Heap {
    /// The heap of a cage of zeros.
    pub fn new(kinds: &'static Kinds, limits: Limits) -> Heap {
        debug_assert!(kinds[FREE as usize].size == Size::None && kinds[FORWARD as usize].size == Size::None);
        Heap {
            nur: NURSERY,
            nur_end: EDEN_END,
            stack_used: FRAMES,
            frames_below: 0,
            kinds,
            limits,
            regions: Vec::new(),
            changed: Vec::new(),
            book: Book::default(),
            book_before: Book::default(),
            first_free: 0,
            touched: 0,
            undo: Undo::default(),
            remembered: Vec::new(),
            young: minor::Young::new(),
            met: weak::Met::default(),
            mark: mark::Marker::default(),
            collections: 0,
            moved: 0,
            tuning: Tuning::default(),
            requested: false,
            full: false,
            stress: false,
            reserve: false,
            moved_bytes: 0,
            base_lines: Vec::new(),
            discard_left: 0,
            discard_again: false,
            free_bytes: 0,
            absent: None,
            go_on: Asked::default(),
        }
    }

    /// Has `go_on` asked within long collections, every few milliseconds. When it says no while objects are copied or all is marked in
    /// one pause the collection fails, as it does for want of memory; at other moments the next answer counts.
    pub fn ask(&mut self, go_on: GoOn) {
        self.go_on = Asked(Some(go_on));
    }

    /// Shall work go on?
    fn goes_on(&self) -> bool {
        self.go_on.0.as_ref().is_none_or(|ask| ask())
    }

    /// Gives pages of old space back: they read as zero (or as the base's) afterwards.
    fn discard(&self, mem: Mem, at: u32, len: u32) {
        if let Some(absent) = &self.absent {
            absent.forget(at, len);
        }
        mem.discard(at, len);
    }

    /// A young object of `bytes` (a multiple of 8). `None`: reach a safepoint and `collect`, or use `alloc_native`.
    #[inline(always)]
    pub fn alloc(&mut self, bytes: u32) -> Option<u32> {
        let at = self.nur;
        let end = at.wrapping_add(bytes);
        if end > self.nur_end {
            return None;
        }
        self.nur = end;
        Some(at)
    }

    /// As `alloc`, but never fails for want of a collection: takes a further chunk of nursery, or old space for what is large.
    pub fn alloc_native(&mut self, mem: Mem, bytes: u32) -> Result<u32, HeapFull> {
        let bytes = round(bytes)?;
        if bytes > MAX_YOUNG {
            return self.alloc_old(mem, bytes);
        }
        if bytes > self.young.end - self.nur {
            self.take_chunk()?;
        }
        let at = self.nur;
        self.nur += bytes;
        self.nur_end = if self.young.wanted { self.nur } else { self.young.end };
        debug_assert!(self.nur <= self.young.end);
        Ok(at)
    }

    /// A further chunk of nursery.
    fn take_chunk(&mut self) -> Result<(), HeapFull> {
        if self.young.end == NURSERY2_END || !self.has_room(CHUNK as u64) {
            return Err(HeapFull);
        }
        if self.young.end < NURSERY2 {
            self.nur = NURSERY2;
            self.young.end = NURSERY2;
        }
        self.young.end += CHUNK;
        debug_assert!(self.young.end <= NURSERY2_END);
        Ok(())
    }

    /// The stack will be written up to `end`: to be called before, so that what stands there is zeroed when it is dead.
    #[inline]
    pub fn use_stack(&mut self, end: u32) {
        if end > self.stack_used {
            self.stack_used = end.min(STACK_END);
            self.frames_below = self.stack_used.saturating_sub(WINDOW);
        }
    }

    /// Has the next `alloc` ask for a collection: much was laid into old space since the last.
    fn want_collection(&mut self) {
        self.young.wanted = true;
        self.nur_end = self.nur;
    }

    /// Has the next `collect` be a full one, and the next `alloc` ask for it.
    pub fn request_full(&mut self) {
        self.full = true;
        self.want_collection();
    }

    /// Does the heap want `collect` to be called at the next safepoint? (`alloc` gives nothing until then.)
    pub fn wants_collect(&self) -> bool {
        self.young.wanted
    }

    /// An old, zeroed object.
    pub fn alloc_old(&mut self, mem: Mem, bytes: u32) -> Result<u32, HeapFull> {
        self.alloc_direct(mem, round(bytes)?, Class::Small)
    }

    /// As `alloc_old`; the object never moves and its header must carry `PINNED`.
    pub fn alloc_pinned(&mut self, mem: Mem, bytes: u32) -> Result<u32, HeapFull> {
        self.alloc_direct(mem, round(bytes)?, Class::Pinned)
    }

    fn alloc_direct(&mut self, mem: Mem, bytes: u32, class: Class) -> Result<u32, HeapFull> {
        let at = self.old_alloc(mem, bytes, class).ok_or(HeapFull)?;
        debug_assert!(at >= OLD);
        self.young.direct.push(at);
        if self.book.since.saturating_sub(self.mark.paced) >= DIRECT_MAX && self.wants_mark() {
            self.want_collection();
        }
        if self.mark.active() {
            self.mark_new(at, bytes, false);
        }
        Ok(at)
    }

    /// A block of old space is about to change.
    fn touch(&mut self, mem: Mem, block: u32) {
        debug_assert!(block < DIRTY);
        if mem.r8(DIRTY + block, 0) == 0 {
            mem.w8(DIRTY + block, 0, 1);
            self.keep(mem, block);
            if self.mark.active() {
                self.mark.rescan.push(block);
            }
        }
    }

    /// Stores a value anywhere, barrier included.
    #[inline]
    pub fn write(&mut self, mem: Mem, addr: u32, v: u64) {
        if store(mem, addr, v).is_none() {
            self.write_slow(mem, addr, v);
        }
    }

    #[cold]
    #[inline(never)]
    pub fn write_slow(&mut self, mem: Mem, addr: u32, v: u64) {
        if addr >= OLD {
            if addr >= self.old_end() {
                return; // no object lies there: a damaged reference shall not make memory resident
            }
            if mem.r64(addr, 0) == v && !minor::young_ref(v) {
                return; // it stands there already: the block stays clean
            }
            self.touch(mem, (addr - OLD) >> 8);
            if addr & 255 > 248 {
                self.dirty(mem, addr, 8);
            }
            if is_ref(v) && (v as u32) < OLD {
                self.remember(mem, addr);
            }
        }
        mem.w64(addr, 0, v);
    }

    /// Stores the `n` words from `from` on at `to`, barrier included: as `write` one by one, for less.
    pub fn write_words(&mut self, mem: Mem, from: u32, to: u32, n: u32) {
        let words = (0..n).map(|i| (from.wrapping_add(i * 8), to.wrapping_add(i * 8)));
        if to < OLD || !to.is_multiple_of(8) || to as u64 + n as u64 * 8 > self.old_end() as u64 {
            return words.for_each(|(from, to)| self.write(mem, to, mem.r64(from, 0)));
        }
        for (from, to) in words {
            let (v, young) = (mem.r64(from, 0), minor::young_ref(mem.r64(from, 0)));
            if mem.r64(to, 0) == v && !young {
                continue;
            }
            self.touch(mem, (to - OLD) >> 8);
            if young {
                self.remember(mem, to);
            }
            mem.w64(to, 0, v);
        }
    }

    /// Puts an old slot into the remembered set, once.
    #[inline]
    fn remember(&mut self, mem: Mem, slot: u32) {
        debug_assert!(slot >= OLD);
        let (at, bit) = slot_bit(slot);
        let bits = mem.r8(at, 0);
        if bits & bit == 0 {
            mem.w8(at, 0, bits | bit);
            self.remembered.push(slot);
        }
    }

    /// Makes the bytes `[addr, addr + len)` writable with plain `mem` writes of anything but young references.
    #[inline]
    pub fn dirty(&mut self, mem: Mem, addr: u32, len: u32) {
        if addr >= OLD && len > 0 {
            let end = addr.saturating_add(len).min(self.old_end());
            for block in (addr - OLD) / BLOCK..end.saturating_sub(OLD).div_ceil(BLOCK) {
                self.touch(mem, block);
            }
        }
    }

    /// Where old space ends now.
    fn old_end(&self) -> u32 {
        OLD + self.regions.len() as u32 * REGION
    }

    /// Can an object of `bytes` lie at `at`? To be asked before work whose size a header says: the header may be damaged.
    #[inline]
    pub fn holds(&self, at: u32, bytes: u64) -> bool {
        if at < OLD { bytes <= MAX_YOUNG as u64 } else { at as u64 + bytes <= self.old_end() as u64 }
    }

    /// Moves `n` words, overlapping or not, barrier included; as many as lie in the heap.
    /// The embedder charges its meter for `n` before.
    pub fn copy_values(&mut self, mem: Mem, from: u32, to: u32, n: u32) {
        let end = self.old_end();
        let room = |at: u32| if at < OLD { (OLD - at) / 8 } else { end.saturating_sub(at) / 8 };
        let n = n.min(room(from)).min(room(to));
        if to < OLD {
            return mem.copy(from, to, n * 8);
        }
        self.dirty(mem, to, n * 8);
        mem.copy(from, to, n * 8);
        for slot in (0..n).map(|i| to + i * 8) {
            let v = mem.r64(slot, 0);
            if is_ref(v) && (v as u32) < OLD {
                self.remember(mem, slot);
            }
        }
    }

    /// How many collections have been.
    pub fn collections(&self) -> u64 {
        self.collections
    }

    /// Changes whenever old objects may have moved or their places may have been given to others: drop what remembers
    /// old offsets outside the heap, such as inline caches. (Young objects move at every collection.)
    pub fn moved(&self) -> u64 {
        self.moved
    }

    /// Bytes charged to the limit: lines of old space in use, chunks of nursery, undo copies.
    pub fn heap_bytes(&self) -> u64 {
        let chunks = self.young.end.saturating_sub(NURSERY2);
        self.book.used_lines as u64 * LINE as u64 + chunks as u64 + self.undo.len() as u64 * BLOCK as u64
    }

    /// Under stress every `collect` is a `collect_full` that moves all it may: the embedder calls it at each safepoint.
    pub fn set_stress(&mut self, on: bool) {
        self.stress = on;
    }

    pub fn stress(&self) -> bool {
        self.stress
    }

    /// The limit that holds now, in bytes.
    fn limit(&self) -> u64 {
        let all = self.limits.heap_bytes;
        if self.reserve { all } else { all - all / RESERVE }
    }

    /// Allows this turn the last 5 % of the heap: for deliveries after one was aborted for want of memory.
    pub fn set_reserve(&mut self, on: bool) {
        self.reserve = on;
    }

    /// Four fifths of the limit are in use: tell the operator.
    pub fn near_limit(&self) -> bool {
        self.heap_bytes() >= self.limits.heap_bytes / 5 * 4
    }

    /// Other limits from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Bytes of old space in use: what lives, and what died since it was last marked.
    pub fn live_bytes(&self) -> u64 {
        self.book.used_lines as u64 * LINE as u64
    }

    /// How many markings of the whole heap have come to their end.
    pub fn marks(&self) -> u64 {
        self.mark.cycles
    }

    /// What an operator may want to know.
    pub fn stats(&self) -> Stats {
        Stats {
            old_bytes: self.live_bytes(),
            live_bytes_at_last_mark: self.book.live,
            since_last_mark: self.book.since,
            heap_bytes: self.heap_bytes(),
            limit_bytes: self.limits.heap_bytes,
            regions: self.regions.len() as u32,
            free_regions: self.regions.iter().filter(|r| r.used == 0).count() as u32,
            undo_blocks: self.undo.len() as u32,
            collections: self.collections,
            marks: self.mark.cycles,
            most_work: self.mark.most_work,
            moved_bytes: self.moved_bytes,
            bad_references: self.mark.bad,
        }
    }

    /// Other amounts of work than the usual ones, for tests.
    #[doc(hidden)]
    pub fn tune(&mut self, tuning: Tuning) {
        self.tuning = tuning;
    }

    fn has_room(&self, bytes: u64) -> bool {
        self.heap_bytes() + bytes <= self.limit()
    }
}

/// Whole words, and at least the header.
fn round(bytes: u32) -> Result<u32, HeapFull> {
    if bytes > 1 << 31 { Err(HeapFull) } else { Ok(bytes.max(8).next_multiple_of(8)) }
}
