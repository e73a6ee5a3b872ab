//! One region of old space: 32 KiB, 128 lines, and what is known of each line.
//!
//! In: line numbers. Out: which lines are in use, and where the first object of a line begins.
//!
//! Invariants
//! - a line is *used* when an object that was not found dead has a byte in it; only unused lines are handed out;
//! - `first[l]` of a used line is the granule (8 bytes) at which its first object begins, or `NO_START`;
//!   from there on objects follow each other to the line's end, zeros being no objects;
//! - `before`, `meta_before` are what the last commit left; `saved` lines have an undo copy.
//!
//! Must never know: bytes of the heap.
use crate::layout::*;

/// No object begins in this line.
pub const NO_START: u8 = (LINE / 8) as u8;

/// The region holds pinned objects only (and nothing in it is ever moved).
pub const R_PINNED: u8 = 1;
/// Part of a large object lies in the region.
pub const R_LARGE: u8 = 2;
/// A weak object or an ephemeron table lies in the region, or did.
pub const R_WEAK: u8 = 4;
/// All flags.
pub const R_ALL: u8 = R_PINNED | R_LARGE | R_WEAK;

/// What is stored of a region besides its lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    pub flags: u8,
    /// If a large object reaches into the region: where it begins.
    pub head: u32,
}

#[derive(Clone, Debug)]
pub struct Region {
    pub used: u128,
    pub before: u128,
    pub saved: u128,
    /// Lines in which the marker has found a live object, or in which one was made since it started.
    pub marked: u128,
    pub meta: Meta,
    pub meta_before: Meta,
    pub changed: bool,
    /// Its unused lines are known to read as zero.
    pub clean: bool,
    /// Its objects will be moved elsewhere when the mark ends.
    pub evacuating: bool,
    pub first: [u8; REGION_LINES as usize],
}

impl Region {
    pub fn new(clean: bool) -> Region {
        Region {
            used: 0,
            before: 0,
            saved: 0,
            marked: 0,
            meta: Meta::default(),
            meta_before: Meta::default(),
            changed: false,
            clean,
            evacuating: false,
            first: [NO_START; REGION_LINES as usize],
        }
    }

    /// The first run of unused lines at or after line `from`: `[start, end)`.
    pub fn gap(&self, from: u32) -> Option<(u32, u32)> {
        if from >= REGION_LINES {
            return None;
        }
        let free = (!self.used >> from) << from;
        if free == 0 {
            return None;
        }
        let start = free.trailing_zeros();
        let len = (!(free >> start)).trailing_zeros();
        debug_assert!(start >= from && start + len <= REGION_LINES && len > 0);
        Some((start, start + len))
    }
}

/// Is bit `line` set? Of one half of the word alone.
#[inline(always)]
pub fn has(bits: u128, line: u32) -> bool {
    let half = if line & 64 == 0 { bits as u64 } else { (bits >> 64) as u64 };
    half >> (line & 63) & 1 == 1
}

/// Sets bit `line`, likewise.
#[inline(always)]
pub fn put(bits: &mut u128, line: u32) {
    let bit = 1u64 << (line & 63);
    *bits |= if line & 64 == 0 { bit as u128 } else { (bit as u128) << 64 };
}

/// Bits `a..=b`.
#[inline]
pub fn span(a: u32, b: u32) -> u128 {
    debug_assert!(a <= b && b < REGION_LINES);
    (u128::MAX >> (REGION_LINES - 1 - (b & 127))) & (u128::MAX << (a & 127))
}

/// Calls `f` with each run of set bits: first line, number of lines.
pub fn runs(mut bits: u128, mut f: impl FnMut(u32, u32)) {
    while bits != 0 {
        let start = bits.trailing_zeros();
        let len = (!(bits >> start)).trailing_zeros().min(REGION_LINES - start);
        f(start, len);
        bits &= !span(start, start + len - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_runs() {
        let mut r = Region::new(false);
        assert_eq!(r.gap(0), Some((0, 128)));
        assert_eq!(r.gap(127), Some((127, 128)));
        assert_eq!(r.gap(128), None);
        r.used = span(0, 3) | span(5, 127);
        assert_eq!(r.gap(0), Some((4, 5)));
        assert_eq!(r.gap(5), None);
        let mut seen = Vec::new();
        runs(r.used, |a, n| seen.push((a, n)));
        assert_eq!(seen, [(0, 4), (5, 123)]);
        seen.clear();
        runs(u128::MAX, |a, n| seen.push((a, n)));
        assert_eq!(seen, [(0, 128)]);
        for line in 0..REGION_LINES {
            let mut bits = 0;
            put(&mut bits, line);
            assert!(bits == 1 << line && has(bits, line) && !has(!bits, line));
        }
    }
}
