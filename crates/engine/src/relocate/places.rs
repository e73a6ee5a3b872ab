//! Sets of offsets in old space, and where objects of one heap come to lie in another.
//!
//! In: offsets, as a heap that may be damaged names them. Out: in the set or not; the new offset.
//!
//! Invariants
//! - one bit for each granule of the heap, and four bytes for each member: no offset is hashed, members are listed in order;
//! - what is no granule of old space is no member.
use cage::layout::{OLD, REGION};

/// Offsets of objects.
pub(super) struct Places {
    bits: Vec<u64>,
    /// Members in all words before, once `close`d.
    before: Vec<u32>,
    /// Where each member goes; 0: not known yet.
    to: Vec<u32>,
}

impl Places {
    /// The empty set over a heap of so many regions.
    pub fn new(regions: u32) -> Places {
        Places { bits: vec![0; regions as usize * (REGION as usize / 512)], before: Vec::new(), to: Vec::new() }
    }

    fn granule(&self, at: u32) -> Option<(usize, u64)> {
        let from_old = at.checked_sub(OLD).filter(|o| o.is_multiple_of(8))?;
        let (word, bit) = ((from_old / 512) as usize, 1 << (from_old / 8 % 64));
        (word < self.bits.len()).then_some((word, bit))
    }

    /// Is it an offset at which an object can lie?
    pub fn fits(&self, at: u32) -> bool {
        self.granule(at).is_some()
    }

    /// Enters an offset; false if it was there, or is none.
    pub fn enter(&mut self, at: u32) -> bool {
        debug_assert!(self.before.is_empty(), "the set is closed");
        let Some((word, bit)) = self.granule(at) else { return false };
        let new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        new
    }

    pub fn has(&self, at: u32) -> bool {
        self.granule(at).is_some_and(|(word, bit)| self.bits[word] & bit != 0)
    }

    /// All members, ascending.
    pub fn members(&self) -> Vec<u32> {
        let mut all = Vec::new();
        for (i, word) in self.bits.iter().enumerate() {
            let mut left = *word;
            while left != 0 {
                all.push(OLD + (i as u32 * 64 + left.trailing_zeros()) * 8);
                left &= left - 1;
            }
        }
        all
    }

    /// No more members: from now on they can be given new places.
    pub fn close(&mut self) {
        let mut n = 0;
        self.before = vec![0; self.bits.len()];
        for (before, word) in self.before.iter_mut().zip(&self.bits) {
            *before = n;
            n += word.count_ones();
        }
        self.to = vec![0; n as usize];
    }

    fn index(&self, at: u32) -> Option<usize> {
        let (word, bit) = self.granule(at).filter(|(word, bit)| self.bits[*word] & bit != 0)?;
        Some((*self.before.get(word)? + (self.bits[word] & (bit - 1)).count_ones()) as usize)
    }

    /// The member `at` comes to lie at `to`.
    pub fn set(&mut self, at: u32, to: u32) {
        if let Some(i) = self.index(at) {
            self.to[i] = to;
        }
    }

    /// Where the member comes to lie, if that is known.
    pub fn get(&self, at: u32) -> Option<u32> {
        self.index(at).map(|i| self.to[i]).filter(|to| *to != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_places() {
        let mut set = Places::new(2);
        let last = OLD + 2 * REGION - 8;
        for at in [OLD + 512, OLD, last, OLD + 8] {
            assert!(set.enter(at));
            assert!(!set.enter(at), "{at:#x} is there once");
        }
        for none in [0, OLD - 8, OLD + 4, last + 8, u32::MAX] {
            assert!(!set.enter(none) && !set.has(none) && !set.fits(none), "{none:#x}");
        }
        assert_eq!(set.members(), [OLD, OLD + 8, OLD + 512, last]);
        set.close();
        set.set(last, 7);
        set.set(OLD + 8, 9);
        set.set(OLD + 16, 11);
        assert_eq!([OLD, OLD + 8, OLD + 16, OLD + 512, last].map(|at| set.get(at)), [None, Some(9), None, None, Some(7)]);
    }
}
