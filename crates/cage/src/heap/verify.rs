//! The verifier: is this heap whole?
//!
//! In: a heap at a safepoint or between turns. Out: nothing, or the first fault found.
//!
//! What must hold, and is looked at
//! - in every line in use, objects of known kinds follow each other from `first` on, zeros between them being nothing;
//! - what the root reaches, weakly or not: every reference names the beginning of an object (or a word of a large one), whose lines are in use; no two
//!   of these objects share a byte; an object is pinned exactly if its region is; a shape is old and pinned;
//! - an old slot that names something young is in the remembered set, and nothing is young between turns;
//! - the counts and holes of the allocator agree with the line map;
//! - the stack reads as zero beyond what is said to be used.
//!
//! What is dead and not yet swept is not followed. The work is bounded by the bytes in use, whatever they say.
//!
//! Must never know: what is on the stack. Young objects are looked at only where old ones name them.
use super::image::check;
use super::minor::{first_value, young_ref};
use super::old::line_of;
use super::region::{NO_START, R_LARGE, R_PINNED, span};
use super::{Heap, ImageError};
use crate::layout::*;
use crate::mem::Mem;
use crate::value::*;
use std::fmt;

/// Something that must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub what: &'static str,
    /// Offset of the object or line.
    pub at: u32,
    /// The value or header found.
    pub found: u64,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "damaged heap: {} (at {:#x}: {:#x}); restore the image from a backup", self.what, self.at, self.found)
    }
}

impl std::error::Error for Fault {}

const GRANULES: usize = REGION as usize / 8;
type Bits = Vec<[u64; GRANULES / 64]>;

fn fault(what: &'static str, at: u32, found: u64) -> Result<(), Fault> {
    Err(Fault { what, at, found })
}

fn has(bits: &Bits, at: u32) -> bool {
    let g = (at - OLD) as usize / 8;
    bits.get(g / GRANULES).is_some_and(|b| b[g % GRANULES / 64] >> (g % 64) & 1 == 1)
}

/// Sets a bit; was it clear?
fn set(bits: &mut Bits, at: u32) -> bool {
    let g = (at - OLD) as usize / 8;
    let new = !has(bits, at);
    if let Some(b) = bits.get_mut(g / GRANULES) {
        b[g % GRANULES / 64] |= 1 << (g % 64);
    }
    new
}

/// A walk over what the root reaches.
struct Walk<'a> {
    heap: &'a Heap,
    starts: Bits,
    seen: Bits,
    work: Vec<u32>,
    young: Vec<u32>,
    young_seen: std::collections::HashSet<u32>,
    /// Bytes that may still be walked.
    left: u64,
}

impl Heap {
    /// Walks the whole stored heap.
    pub fn verify(&self, mem: Mem) -> Result<(), Fault> {
        match check(&self.regions, &self.book) {
            Err(ImageError::Bookkeeping { what, region }) => return fault(what, OLD + region.min(MAX_REGIONS) * REGION, 0),
            Err(_) => return fault("the bookkeeping contradicts itself", OLD, 0),
            Ok(()) => {}
        }
        if let Some(at) = (0..16).map(|i| self.stack_used + i * 4096).find(|at| !mem.is_zero(*at, STACK_END.saturating_sub(*at)))
        {
            return fault("the stack was written further than was said", at, 0);
        }
        if self.regions.is_empty() {
            return Ok(());
        }
        let empty = vec![[0; GRANULES / 64]; self.regions.len()];
        let left = self.live_bytes() + (NURSERY_END - NURSERY) as u64 + self.young.end.saturating_sub(NURSERY2) as u64;
        let starts = self.find_starts(mem)?;
        let mut walk =
            Walk { heap: self, starts, seen: empty, work: vec![], young: vec![], young_seen: Default::default(), left };
        walk.value(mem, OBJ | OLD as u64, OLD)?;
        while let Some(at) = walk.work.pop().or_else(|| walk.young.pop()) {
            walk.object(mem, at)?;
        }
        walk.no_overlap(mem)
    }

    /// Where objects begin, by the line map.
    fn find_starts(&self, mem: Mem) -> Result<Bits, Fault> {
        let mut starts: Bits = vec![[0; GRANULES / 64]; self.regions.len()];
        for (r, reg) in self.regions.iter().enumerate() {
            for line in (0..REGION_LINES).filter(|l| reg.used >> l & 1 == 1 && reg.first[*l as usize] != NO_START) {
                let start = OLD + r as u32 * REGION + line * LINE;
                let mut at = start + reg.first[line as usize] as u32 * 8;
                while at < start + LINE {
                    let h = mem.r64(at, 0);
                    if h == 0 {
                        at += 8;
                        continue;
                    }
                    let Some(size) = size_of(self.kinds, h) else { return fault("no object's header", at, h).map(|()| starts) };
                    let large = size > MAX_SMALL;
                    let end = (at - OLD) as u64 + size as u64;
                    if large && (at != start || line != 0 || reg.meta.flags & R_LARGE == 0 || reg.meta.head != at) {
                        return fault("a large object outside its region", at, h).map(|()| starts);
                    }
                    if !large && end > (r as u64 + 1) * REGION as u64 {
                        return fault("an object crosses its region's end", at, h).map(|()| starts);
                    }
                    set(&mut starts, at);
                    at = at.saturating_add(size);
                }
            }
        }
        Ok(starts)
    }
}

impl Walk<'_> {
    /// A reference read at `slot`.
    fn value(&mut self, mem: Mem, v: u64, slot: u32) -> Result<(), Fault> {
        if !is_ref(v) {
            return Ok(());
        }
        if v >> 32 & 0xFFFF != 0 {
            return fault("a reference has other bits set", slot, v);
        }
        let off = v as u32;
        if young_ref(v) {
            let there = (NURSERY..NURSERY_END).contains(&off) || (NURSERY2..self.heap.young.end.max(NURSERY2)).contains(&off);
            if !there || !off.is_multiple_of(8) {
                return fault("a young reference names no object", slot, v);
            }
            let (at, bit) = slot_bit(slot);
            if slot >= OLD && (mem.r8(at, 0) & bit == 0 || self.heap.remembered.is_empty()) {
                return fault("an old slot names something young and is not remembered", slot, v);
            }
            if self.young_seen.insert(off) {
                self.young.push(off);
            }
            return Ok(());
        }
        let off = self.heap.large_at(mem, off).filter(|_| off.is_multiple_of(8)).unwrap_or(off);
        if !off.is_multiple_of(8) || !has(&self.starts, off) {
            return fault("a reference names no object's beginning", slot, v);
        }
        if set(&mut self.seen, off) {
            self.work.push(off);
        }
        Ok(())
    }

    fn object(&mut self, mem: Mem, at: u32) -> Result<(), Fault> {
        let h = mem.r64(at, 0);
        let trace = self.heap.kinds[h as u8 as usize].trace;
        let Some(size) = size_of(self.heap.kinds, h) else { return fault("no object's header", at, h) };
        if size as u64 > self.left {
            return fault("objects take more bytes than are in use", at, h);
        }
        self.left -= size as u64;
        if at >= OLD {
            self.place(at, size, h)?;
        }
        if let Trace::Shaped(_) = trace {
            let shape = (h >> 32) as u32;
            let pinned = shape >= OLD && mem.r8(shape, H_FLAGS) & PINNED != 0;
            if !pinned {
                return fault("a shape that is not old and pinned", at, h);
            }
            self.value(mem, CELL | shape as u64, at)?;
        }
        for i in first_value(trace).map_or(0..0, |k| k..size / 8) {
            self.value(mem, mem.r64(at + i * 8, 0), at + i * 8)?;
        }
        Ok(())
    }

    /// Lines and region of an old object that the root reaches.
    fn place(&self, at: u32, size: u32, h: u64) -> Result<(), Fault> {
        let ((r, a), (last, b)) = (line_of(at), line_of(at + (size - 1)));
        for i in r..=last {
            let Some(reg) = self.heap.regions.get(i) else { return fault("an object passes the heap's end", at, h) };
            let lines = span(if i == r { a } else { 0 }, if i == last { b } else { REGION_LINES - 1 });
            if reg.used & lines != lines {
                return fault("an object in free lines", at, h);
            }
            if ((h >> 8) as u8 & PINNED != 0) != (reg.meta.flags & R_PINNED != 0) {
                return fault("a pinned object in a region that may be emptied, or the reverse", at, h);
            }
        }
        Ok(())
    }

    /// No two reached objects share a byte.
    fn no_overlap(&self, mem: Mem) -> Result<(), Fault> {
        let mut end = OLD;
        for (r, bits) in self.seen.iter().enumerate() {
            for g in (0..GRANULES as u32).filter(|g| bits[*g as usize / 64] >> (g % 64) & 1 == 1) {
                let at = OLD + r as u32 * REGION + g * 8;
                if at < end {
                    return fault("two objects overlap", at, end as u64);
                }
                end = at.saturating_add(size_of(self.heap.kinds, mem.r64(at, 0)).unwrap_or(8));
            }
        }
        Ok(())
    }
}
