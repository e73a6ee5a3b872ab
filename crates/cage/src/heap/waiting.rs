//! Pairs of ephemeron tables whose key is not known to live yet, by key.
//!
//! In: keys and slots. Out: the slots of a key once it is found alive, the last entered first.
//!
//! Invariants
//! - entering a pair allocates nothing once the memory is there: a program can make a table of millions of keys;
//! - nothing depends on the order in which keys lie.
//!
//! Must never know: what lies at the slots.
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Mixes one offset. Offsets are where the heap laid objects: a program chooses none of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.write_u32(*b as u32));
    }
    fn write_u32(&mut self, v: u32) {
        let h = (self.0 ^ v as u64).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        self.0 = (h ^ h >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    }
}

/// Entries that stay allocated between collections.
const KEEP: usize = 1 << 14;
/// No further entry.
const END: u32 = u32::MAX;

#[derive(Debug, Default)]
pub struct Waiting {
    /// The newest entry of a key. Only ever asked for one key.
    // determinism: never walked
    last: HashMap<u32, u32, BuildHasherDefault<Mix>>,
    /// Slot, and the entry of the same key before it.
    entries: Vec<(u32, u32)>,
}

impl Waiting {
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn enter(&mut self, key: u32, slot: u32) {
        let n = self.entries.len() as u32;
        debug_assert!(n < END);
        let before = self.last.insert(key, n).unwrap_or(END);
        self.entries.push((slot, before));
    }

    /// Moves the slots that wait for `key` to `ready`.
    #[inline]
    pub fn wake(&mut self, key: u32, ready: &mut Vec<u32>) {
        if self.entries.is_empty() {
            return;
        }
        let mut at = self.last.remove(&key).unwrap_or(END);
        while let Some(&(slot, before)) = self.entries.get(at as usize) {
            debug_assert!(before == END || before < at);
            ready.push(slot);
            at = before;
        }
    }

    pub fn clear(&mut self) {
        if self.entries.capacity() > KEEP {
            *self = Waiting::default();
        }
        self.last.clear();
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_come_back_once_by_key() {
        let mut w = Waiting::default();
        for i in 0..1000 {
            w.enter(i % 10 * 8, i);
        }
        let mut ready = Vec::new();
        w.wake(16, &mut ready);
        assert_eq!(ready, (0..100).rev().map(|i| i * 10 + 2).collect::<Vec<_>>());
        w.wake(16, &mut ready);
        w.wake(7, &mut ready);
        assert_eq!(ready.len(), 100);
        w.clear();
        w.wake(24, &mut ready);
        assert!(w.is_empty() && ready.len() == 100);
    }
}
