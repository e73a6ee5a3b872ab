//! Which values a native has met, and a number beside each: memory beside the heap that grows and is freed in slices.
//!
//! In: keys that are not 0 (values, offsets). Out: the number noted with a key.
//!
//! Invariants
//! - a power of two of places, open addressing, at most half of them in use;
//! - growing is charged; nothing is ever walked in the order of places but to grow.
use crate::aside::Aside;
use crate::cx::{Cx, Res};

/// Places at first.
const FEW: usize = 16;
/// Places between two charges.
const SLICE: usize = 1024;

#[derive(Debug, Default)]
pub struct Met {
    places: Aside<(u64, u32)>,
    used: usize,
}

impl Met {
    pub fn new() -> Met {
        Met::default()
    }

    /// Where a key stands or would stand. There are places.
    #[inline]
    fn place(&self, key: u64) -> usize {
        debug_assert!(key != 0 && self.places.len().is_power_of_two());
        let h = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut i = (h ^ h >> 32) as usize & (self.places.len() - 1);
        while self.places[i].0 != key && self.places[i].0 != 0 {
            i = (i + 1) & (self.places.len() - 1);
        }
        i
    }

    pub fn get(&self, key: u64) -> Option<u32> {
        if self.used == 0 {
            return None;
        }
        let (k, v) = self.places[self.place(key)];
        (k == key).then_some(v)
    }

    /// Notes `v` beside a key; what stood there.
    pub fn set(&mut self, cx: &mut Cx, key: u64, v: u32) -> Res<Option<u32>> {
        if self.used * 2 >= self.places.len() {
            self.grow(cx)?;
        }
        let i = self.place(key);
        let before = std::mem::replace(&mut self.places[i], (key, v));
        self.used += (before.0 == 0) as usize;
        Ok((before.0 != 0).then_some(before.1))
    }

    /// Forgets a key.
    pub fn remove(&mut self, key: u64) {
        if self.used == 0 {
            return;
        }
        let i = self.place(key);
        if self.places[i].0 == 0 {
            return;
        }
        self.places[i] = (0, 0);
        self.used -= 1;
        // what stood behind it may have been meant for its place
        let mut k = (i + 1) & (self.places.len() - 1);
        while self.places[k].0 != 0 {
            let moved = std::mem::take(&mut self.places[k]);
            let to = self.place(moved.0);
            self.places[to] = moved;
            k = (k + 1) & (self.places.len() - 1);
        }
    }

    #[cold]
    fn grow(&mut self, cx: &mut Cx) -> Res<()> {
        let n = (self.places.len() * 2).max(FEW);
        let mut places = Aside::with_capacity(n);
        while places.len() < n {
            cx.charge(SLICE.min(n) as u64 / 16)?;
            let more = (places.len() + SLICE).min(n);
            places.resize(more, (0, 0));
        }
        let old = std::mem::replace(&mut self.places, places);
        for slice in old.chunks(SLICE) {
            cx.charge(slice.len() as u64)?;
            for entry in slice.iter().filter(|entry| entry.0 != 0) {
                let i = self.place(entry.0);
                self.places[i] = *entry;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;
    use std::collections::BTreeMap;

    #[test]
    fn it_knows_what_a_map_knows() {
        let heap = cage::Heap::new(&crate::kinds::KINDS, cage::Limits { heap_bytes: 1 << 20 });
        let mut cx = Cx::new(&Engine::new().expect("an engine").into(), heap, Vec::new());
        let (mut met, mut map, mut seed) = (Met::new(), BTreeMap::new(), 7u64);
        for step in 0..200_000u32 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = (seed >> 40) % 5000 * 8 + 8;
            if step < 100_000 && seed >> 20 & 3 > 0 {
                assert_eq!(met.set(&mut cx, key, step), Ok(map.insert(key, step)));
            } else {
                met.remove(key);
                map.remove(&key);
            }
            assert_eq!(met.get(key), map.get(&key).copied());
            assert_eq!(met.used, map.len());
        }
        assert!((1..=5000).all(|k| met.get(k * 8) == map.get(&(k * 8)).copied()));
    }
}
