//! Old space: where the free lines are and how objects are laid into them.
//!
//! In: sizes. Out: offsets of zeroed memory, and undo copies of what is about to change.
//!
//! Invariants
//! - no object of at most `MAX_SMALL` bytes crosses a region's end; larger ones begin at a region's start;
//! - pinned objects have regions of their own, so that all other regions can be emptied;
//! - a hole is a run of bytes within one region whose lines, but the one `cur` stands in, are unused;
//!   no two holes share a region;
//! - a line that was in use when the turn began is copied before its first change in the turn.
//!
//! Must never know: what objects hold.
use super::Heap;
use super::region::{NO_START, R_LARGE, R_PINNED, Region, has, put, runs, span};
use crate::layout::*;
use crate::mem::Mem;

/// Room for objects: `[cur, end)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hole {
    pub cur: u32,
    pub end: u32,
}

/// What an object is laid beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Small = 0,
    /// Objects of more than a line that the hole for small ones had no room for.
    Medium = 1,
    Pinned = 2,
}

/// The allocator's state, stored with every delta that changes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Book {
    pub regions: u32,
    /// By `Class`.
    pub holes: [Hole; 3],
    /// The line at which the search for free lines goes on, by `Class` ; by `Medium`: for
    /// neighbouring free regions.
    pub next: [u32; 3],
    pub used_lines: u32,
    /// Bytes of old space handed out since marking last ended.
    pub since: u64,
    /// Bytes in use when it ended.
    pub live: u64,
}

/// Bytes of a stored `Book`.
pub const BOOK_BYTES: usize = 4 + 3 * 8 + 3 * 4 + 4 + 8 + 8 + 4;
const _: () = assert!(BOOK_BYTES == 64);

impl Book {
    /// `regions, 3 × (cur, end), 3 × next, used_lines : u32 | since, live : u64 | u32 0`
    pub fn to_bytes(self) -> [u8; BOOK_BYTES] {
        let mut out = [0; BOOK_BYTES];
        let h = self.holes;
        let n = self.next;
        let words = [self.regions, h[0].cur, h[0].end, h[1].cur, h[1].end, h[2].cur, h[2].end, n[0], n[1], n[2], self.used_lines];
        for (to, w) in out.chunks_exact_mut(4).zip(words) {
            to.copy_from_slice(&w.to_le_bytes());
        }
        out[44..52].copy_from_slice(&self.since.to_le_bytes());
        out[52..60].copy_from_slice(&self.live.to_le_bytes());
        out
    }

    pub fn from_bytes(b: &[u8; BOOK_BYTES]) -> Book {
        let w = |i: usize| u32::from_le_bytes([b[4 * i], b[4 * i + 1], b[4 * i + 2], b[4 * i + 3]]);
        let hole = |i: usize| Hole { cur: w(i), end: w(i + 1) };
        Book {
            regions: w(0),
            holes: [hole(1), hole(3), hole(5)],
            next: [w(7), w(8), w(9)],
            used_lines: w(10),
            since: w(11) as u64 | ((w(12) as u64) << 32),
            live: w(13) as u64 | ((w(14) as u64) << 32),
        }
    }
}

/// Region and line of an old offset.
#[inline]
pub fn line_of(at: u32) -> (usize, u32) {
    debug_assert!(at >= OLD);
    let line = (at - OLD) / LINE;
    ((line / REGION_LINES) as usize, line % REGION_LINES)
}

/// Regions of a large object from which on their pages are given back rather than zeroed.
const DISCARD_REGIONS: usize = (8 << 20) / REGION as usize;

impl Heap {
    /// Zeroed old memory. `None`: the limit or the span is exhausted.
    pub(super) fn old_alloc(&mut self, mem: Mem, bytes: u32, class: Class) -> Option<u32> {
        debug_assert!(bytes >= 8 && bytes.is_multiple_of(8));
        let hole = &mut self.book.holes[class as usize];
        if bytes <= hole.end - hole.cur && bytes <= MAX_SMALL {
            let at = hole.cur;
            hole.cur += bytes;
            self.place(mem, at, bytes);
            return Some(at);
        }
        self.old_alloc_slow(mem, bytes, class)
    }

    #[cold]
    fn old_alloc_slow(&mut self, mem: Mem, bytes: u32, class: Class) -> Option<u32> {
        if !self.has_room(bytes as u64) {
            return None;
        }
        if bytes > MAX_SMALL {
            return self.alloc_large(mem, bytes, class);
        }
        let class = if class == Class::Small && bytes > LINE { Class::Medium } else { class };
        let hole = self.book.holes[class as usize];
        if bytes > hole.end - hole.cur {
            self.book.holes[class as usize] = self.find_hole(bytes, class)?;
        }
        let hole = &mut self.book.holes[class as usize];
        let at = hole.cur;
        hole.cur += bytes;
        debug_assert!(hole.cur <= hole.end);
        self.place(mem, at, bytes);
        Some(at)
    }

    /// The large object that `at` lies in, if it lies in one. A reference to its inside keeps it whole, so that the embedder may
    /// let a sequence begin further in.
    #[inline]
    pub fn large_at(&self, mem: Mem, at: u32) -> Option<u32> {
        let meta = self.regions.get((at.checked_sub(OLD)? / REGION) as usize)?.meta;
        if meta.flags & R_LARGE == 0 || meta.head < OLD {
            return None;
        }
        let size = size_of(self.kinds, mem.r64(meta.head, 0))?;
        (at >= meta.head && at - meta.head < size).then_some(meta.head)
    }

    pub(super) fn reserved(&self, region: usize) -> bool {
        self.book.holes.iter().any(|h| h.cur < h.end && line_of(h.cur).0 == region)
    }

    /// What is allocated from now on lies behind all there is: what a base's users change first, so that it shares pages.
    pub fn begin_afresh(&mut self) {
        self.book.holes = Default::default();
        self.book.next = [self.book.regions * REGION_LINES; 3];
    }

    fn find_hole(&mut self, bytes: u32, class: Class) -> Option<Hole> {
        self.book.holes[class as usize] = Hole::default();
        // gaps of the base are left alone: whoever fills one takes a page of its own
        let mut line = self.book.next[class as usize].max(self.base_lines.len() as u32 * REGION_LINES);
        let pinned = if class == Class::Pinned { R_PINNED } else { 0 };
        while class != Class::Medium && ((line / REGION_LINES) as usize) < self.regions.len() {
            let r = (line / REGION_LINES) as usize;
            let reg = &self.regions[r];
            let fits = reg.used != 0 && !reg.evacuating && reg.meta.flags & R_PINNED == pinned && !self.reserved(r);
            match reg.gap(line % REGION_LINES).filter(|_| fits) {
                None => line = (line / REGION_LINES + 1) * REGION_LINES,
                Some((from, to)) => {
                    line = r as u32 * REGION_LINES + to;
                    if (to - from) * LINE >= bytes {
                        self.book.next[class as usize] = line;
                        let start = OLD + r as u32 * REGION;
                        return Some(Hole { cur: start + from * LINE, end: start + to * LINE });
                    }
                }
            }
        }
        self.book.next[class as usize] = line;
        let r = self.take_regions(1)?;
        self.change(r);
        self.regions[r].meta.flags = pinned;
        self.regions[r].meta.head = 0;
        let start = OLD + r as u32 * REGION;
        Some(Hole { cur: start, end: start + REGION })
    }

    /// The first of `n` neighbouring regions with nothing in them, made new if need be.
    fn take_regions(&mut self, n: usize) -> Option<usize> {
        let mut run = 0;
        let mut r = self.first_free;
        if n > 1 {
            // Each region is looked at once between two sweeps. What the turn freed is left alone: a rollback wants its bytes, and to
            // copy all that a large object covers at one go takes long.
            r = r.max((self.book.next[Class::Medium as usize] / REGION_LINES) as usize);
            while run < n && r < self.regions.len() {
                let reg = &self.regions[r];
                run = if reg.used != 0 || reg.before != 0 || self.reserved(r) { 0 } else { run + 1 };
                r += 1;
            }
        } else {
            while r < self.regions.len() && (self.regions[r].used != 0 || self.reserved(r)) {
                r += 1;
            }
            self.first_free = r;
            run = (r < self.regions.len()) as usize;
            r += run;
        }
        debug_assert!(run == n || r == self.regions.len());
        if r + (n - run) > MAX_REGIONS as usize {
            return None;
        }
        while run < n {
            self.regions.push(Region::new(self.regions.len() >= self.touched));
            self.touched = self.touched.max(self.regions.len());
            r += 1;
            run += 1;
        }
        self.book.regions = self.regions.len() as u32;
        if n > 1 {
            self.book.next[Class::Medium as usize] = r as u32 * REGION_LINES;
        }
        Some(r - n)
    }

    fn alloc_large(&mut self, mem: Mem, bytes: u32, class: Class) -> Option<u32> {
        let n = bytes.div_ceil(REGION) as usize;
        let r = self.take_regions(n)?;
        let at = OLD + r as u32 * REGION;
        let flags = R_LARGE | if class == Class::Pinned { R_PINNED } else { 0 };
        debug_assert!(n == 1 || self.regions[r..r + n].iter().all(|reg| reg.before == 0));
        // Zeroing very much at one go takes longer than giving the pages back; what a rollback needs must stay.
        let free = r >= self.base_lines.len() && self.regions[r..r + n].iter().all(|reg| reg.before == 0);
        if n >= DISCARD_REGIONS && free && self.regions[r..r + n].iter().any(|reg| !reg.clean) {
            self.discard(mem, at, n as u32 * REGION);
            self.regions[r..r + n].iter_mut().for_each(|reg| reg.clean = true);
        }
        for i in 0..n {
            self.change(r + i);
            self.regions[r + i].meta.flags = flags;
            self.regions[r + i].meta.head = at;
            let left = bytes - i as u32 * REGION;
            let lines = left.min(REGION).div_ceil(LINE);
            self.claim(mem, r + i, span(0, lines - 1));
            if !self.mark.active() {
                // nothing to copy, no marker to tell: stores need not ask block by block
                self.fresh(mem, r + i, lines);
            }
        }
        self.regions[r].first[0] = 0;
        Some(at)
    }

    /// Sets the `DIRTY` bytes of the region's first lines that were not in use when the turn began.
    fn fresh(&self, mem: Mem, r: usize, lines: u32) {
        let block = r as u32 * REGION_LINES;
        let before = self.regions[r].before;
        (0..lines).filter(|l| before >> l & 1 == 0).for_each(|l| mem.w8(DIRTY + block + l, 0, 1));
    }

    /// Records an object of at most `MAX_SMALL` bytes at the cursor of a hole.
    #[inline]
    fn place(&mut self, mem: Mem, at: u32, bytes: u32) {
        let (r, a) = line_of(at);
        let (_, b) = line_of(at + (bytes - 1));
        let reg = &self.regions[r];
        if a == b && has(reg.used, a) && reg.first[a as usize] != NO_START && (!has(reg.before, a) || has(reg.saved, a)) {
            return; // behind another object, where the line is known to change
        }
        self.place_slow(mem, at, r, a, b);
    }

    #[cold]
    #[inline(never)]
    fn place_slow(&mut self, mem: Mem, at: u32, r: usize, a: u32, b: u32) {
        let reg = &self.regions[r];
        let new = span(a, b) & !reg.used;
        if new >> a & 1 == 0 && reg.before & !reg.saved & (1 << a) != 0 {
            self.keep(mem, (at - OLD) / BLOCK);
        }
        if new != 0 {
            self.claim(mem, r, new);
        }
        let first = &mut self.regions[r].first[a as usize];
        if *first == NO_START {
            *first = (at % LINE / 8) as u8;
        }
    }

    /// Takes unused lines into use: copied if they were in use when the turn began, zeroed, no object in them yet.
    pub(super) fn claim(&mut self, mem: Mem, r: usize, lines: u128) {
        debug_assert!(self.regions[r].used & lines == 0 && lines != 0);
        let old = lines & self.regions[r].before & !self.regions[r].saved;
        runs(old, |a, n| (a..a + n).for_each(|l| self.keep(mem, r as u32 * REGION_LINES + l)));
        self.change(r);
        let start = OLD + r as u32 * REGION;
        let reg = &mut self.regions[r];
        let clean = reg.clean;
        runs(lines, |a, n| {
            if !clean {
                mem.zero(start + a * LINE, n * LINE);
            }
            reg.first[a as usize..(a + n) as usize].fill(NO_START);
        });
        reg.used |= lines;
        self.book.used_lines += lines.count_ones();
        self.book.since += lines.count_ones() as u64 * LINE as u64;
    }

    /// The bookkeeping of region `r` will differ from what was committed.
    pub(super) fn change(&mut self, r: usize) {
        let reg = &mut self.regions[r];
        if !reg.changed {
            reg.changed = true;
            self.changed.push(r as u32);
        }
    }

    /// Keeps a copy of a block for rollback, unless there is one or nothing was stored in it.
    pub(super) fn keep(&mut self, mem: Mem, block: u32) {
        let Some(reg) = self.regions.get_mut((block / REGION_LINES) as usize) else { return };
        let line = block % REGION_LINES;
        if has(reg.before, line) && !has(reg.saved, line) {
            put(&mut reg.saved, line);
            self.undo.push(mem, block, reg.first[line as usize]);
        }
    }
}
