//! A map in order of its keys, for keys that are mostly numbers given out one after another and gone again soon.
//!
//! ```text
//! far     B-tree        keys that are no such numbers, or are away from the others
//! places  base, base+1, …   what stands at the number, or nothing; all of one group
//! ```
//! In and out: as a `BTreeMap`.
//!
//! Invariants
//! - a key whose number is among the places stands there and never in `far`;
//! - neither the first place nor the last is empty;
//! - there are no more places than `FEW`, or `THIN` times as many as are taken, and `GAP`: whatever numbers a peer chooses, memory is
//!   taken for what there is.
use passable::{PromiseId, Ref, VatId};
use std::collections::{BTreeMap, VecDeque};

/// Empty places that a new key may leave before it.
const GAP: u64 = 8;
/// Places that may be there however few are taken.
const FEW: usize = 64;
/// Of so many places one at least is taken.
const THIN: usize = 4;

/// What a map is ordered by.
pub(crate) trait Key: Ord + Clone {
    /// Its group and its number in it, in the order of keys; none: it is always among the far ones.
    fn near(&self) -> Option<(u64, u64)>;
}

impl Key for u64 {
    fn near(&self) -> Option<(u64, u64)> {
        Some((0, *self))
    }
}
impl Key for VatId {
    fn near(&self) -> Option<(u64, u64)> {
        Some((0, u64::from(self.0)))
    }
}
impl Key for PromiseId {
    fn near(&self) -> Option<(u64, u64)> {
        Some((u64::from(self.vat.0), self.n))
    }
}
impl Key for Ref {
    fn near(&self) -> Option<(u64, u64)> {
        // objects and powers come before promises and after them: they are far
        if let Ref::Promise(p) = self { p.near() } else { None }
    }
}
impl<A: Ord + Clone, B: Ord + Clone> Key for (A, B) {
    fn near(&self) -> Option<(u64, u64)> {
        None
    }
}

/// See the head.
pub(crate) struct Near<K, V> {
    far: BTreeMap<K, V>,
    group: u64,
    base: u64,
    places: VecDeque<Option<(K, V)>>,
    taken: usize,
}

impl<K, V> Default for Near<K, V> {
    fn default() -> Near<K, V> {
        Near { far: BTreeMap::new(), group: 0, base: 0, places: VecDeque::new(), taken: 0 }
    }
}

impl<K: Key, V> Near<K, V> {
    fn place(&self, key: &K) -> Option<usize> {
        let (group, n) = key.near()?;
        let at = n.wrapping_sub(self.base);
        (group == self.group && at < self.places.len() as u64).then_some(at as usize)
    }

    pub fn len(&self) -> usize {
        self.far.len() + self.taken
    }
    pub fn is_empty(&self) -> bool {
        self.taken == 0 && self.far.is_empty()
    }
    pub fn get(&self, key: &K) -> Option<&V> {
        match self.place(key) {
            Some(at) => self.places[at].as_ref().map(|e| &e.1),
            None => self.far.get(key),
        }
    }
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match self.place(key) {
            Some(at) => self.places[at].as_mut().map(|e| &mut e.1),
            None => self.far.get_mut(key),
        }
    }

    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let Some(at) = self.place(&key).or_else(|| self.new_place(&key)) else { return self.far.insert(key, value) };
        let before = self.places[at].replace((key, value));
        self.taken += usize::from(before.is_none());
        self.thin_out();
        before.map(|e| e.1)
    }

    /// A place for a key that has none. None: it belongs to the far ones.
    fn new_place(&mut self, key: &K) -> Option<usize> {
        let (group, n) = key.near()?;
        let end = if self.places.is_empty() { n } else { self.base.checked_add(self.places.len() as u64)? };
        let follows = self.places.is_empty() || (group == self.group && n >= end && n - end <= GAP);
        if !follows {
            return None;
        }
        // the places must not come to cover a far one
        if !self.far.is_empty() {
            let last = self.far.range(..=key).next_back().and_then(|far| far.0.near());
            if last.is_some_and(|(g, far)| g == group && far >= end) {
                return None;
            }
        }
        if self.places.is_empty() {
            (self.group, self.base) = (group, n);
        }
        (end..=n).for_each(|_| self.places.push_back(None));
        Some(self.places.len() - 1)
    }

    /// Where few are left of many places, the older ones are those that stay long: they become far ones.
    fn thin_out(&mut self) {
        while self.places.len() > FEW.max(THIN * self.taken) {
            for _ in 0..self.places.len() / 2 {
                if let Some((key, value)) = self.places.pop_front().flatten() {
                    self.far.insert(key, value);
                    self.taken -= 1;
                }
                self.base = self.base.wrapping_add(1);
            }
            self.trim();
        }
    }

    fn trim(&mut self) {
        while let Some(None) = self.places.front() {
            self.places.pop_front();
            self.base = self.base.wrapping_add(1);
        }
        while let Some(None) = self.places.back() {
            self.places.pop_back();
        }
        assert!(self.taken <= self.places.len() && (self.taken > 0) != self.places.is_empty(), "places are counted");
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        let Some(at) = self.place(key) else {
            // mostly there are none
            return if self.far.is_empty() { None } else { self.far.remove(key) };
        };
        let (_, value) = self.places[at].take()?;
        self.taken -= 1;
        if at == 0 || at + 1 == self.places.len() {
            self.trim();
        }
        self.thin_out();
        Some(value)
    }

    /// The entry, made if it is not there.
    pub fn or_insert(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        if !self.contains_key(&key) {
            self.insert(key.clone(), new());
        }
        match self.place(&key) {
            Some(at) => &mut self.places[at].as_mut().expect("it was made").1,
            None => self.far.get_mut(&key).expect("it was made"),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let mut far = self.far.iter().peekable();
        let mut near = self.places.iter().flatten().map(|e| (&e.0, &e.1)).peekable();
        std::iter::from_fn(move || match (far.peek(), near.peek()) {
            (Some(f), Some(n)) if f.0 < n.0 => far.next(),
            (_, Some(_)) => near.next(),
            _ => far.next(),
        })
    }
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|e| e.0)
    }
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|e| e.1)
    }
    /// The far ones first.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.far.values_mut().chain(self.places.iter_mut().flatten().map(|e| &mut e.1))
    }
    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }
    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        let near = self.places.back().and_then(Option::as_ref).map(|e| (&e.0, &e.1));
        self.far.last_key_value().into_iter().chain(near).max_by(|a, b| a.0.cmp(b.0))
    }
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        let key = self.first_key_value()?.0.clone();
        let value = self.remove(&key)?;
        Some((key, value))
    }
    pub fn clear(&mut self) {
        // mostly it is
        if self.is_empty() {
            return;
        }
        self.far.clear();
        self.places.clear();
        self.taken = 0;
    }
}

impl<K: Key + std::fmt::Debug, V: std::fmt::Debug> std::fmt::Debug for Near<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(seed: &mut u64, n: u64) -> u64 {
        *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (*seed >> 33) % n
    }

    /// By chance, with keys that go up, jump, and come back: the same as a B-tree, and no more places than are due.
    fn like_a_tree<K: Key + std::fmt::Debug>(key: impl Fn(u64, &mut u64) -> K) {
        let (mut near, mut tree, mut seed, mut next) = (Near::default(), BTreeMap::new(), 3u64, 0u64);
        for step in 0..60_000u64 {
            // now few live at a time, now many
            let many = step / 5000 % 2 == 1;
            let old = next.saturating_sub(random(&mut seed, if many { 300 } else { 5 }));
            match random(&mut seed, 12) {
                0..=3 => {
                    next += 1 + if random(&mut seed, 50) == 0 { random(&mut seed, 40) } else { 0 };
                    let k = key(next, &mut seed);
                    assert_eq!(near.insert(k.clone(), step), tree.insert(k, step));
                }
                4 => {
                    let k = key(old, &mut seed);
                    *near.or_insert(k.clone(), || 7) += 1;
                    *tree.entry(k).or_insert(7) += 1;
                }
                5 => {
                    let k = key(old, &mut seed);
                    assert_eq!(near.get_mut(&k), tree.get_mut(&k));
                }
                6 if !many => assert_eq!(near.pop_first(), tree.pop_first()),
                _ => {
                    let k = key(old, &mut seed);
                    assert_eq!(near.remove(&k), tree.remove(&k));
                }
            }
            assert_eq!((near.len(), near.is_empty()), (tree.len(), tree.is_empty()));
            assert_eq!(near.first_key_value(), tree.first_key_value());
            assert_eq!(near.last_key_value(), tree.last_key_value());
            assert!(near.places.len() <= FEW.max(THIN * near.taken) + GAP as usize, "{} {}", near.places.len(), near.taken);
            if step % 64 == 0 {
                assert!(near.iter().eq(tree.iter()), "{near:?} {tree:?}");
            }
        }
        assert!(near.iter().eq(tree.iter()));
        near.clear();
        assert!(near.is_empty() && near.iter().next().is_none());
    }

    #[test]
    fn numbers_are_like_a_tree() {
        like_a_tree(|n, _| n);
    }

    #[test]
    fn promises_of_several_vats_are_like_a_tree() {
        like_a_tree(|n, seed| PromiseId { vat: VatId(2 + (random(seed, 10) == 0) as u32), n });
    }

    #[test]
    fn references_are_like_a_tree() {
        let promise = |n| PromiseId { vat: VatId(1), n };
        like_a_tree(|n, seed| match random(seed, 8) {
            0 => Ref::Object(passable::ObjectId { vat: VatId(1), n }),
            1 => Ref::Power(passable::Power::Timer),
            _ => Ref::Promise(promise(n)),
        });
    }

    #[test]
    fn the_largest_numbers_take_no_memory() {
        let mut near = Near::default();
        for n in [u64::MAX, 0, u64::MAX - 1, 5, 1 << 40, u64::MAX] {
            near.insert(n, ());
        }
        assert_eq!(near.keys().copied().collect::<Vec<u64>>(), [0, 5, 1 << 40, u64::MAX - 1, u64::MAX]);
        assert!(near.places.len() < FEW);
        assert_eq!(near.remove(&u64::MAX), Some(()));
        assert_eq!(near.insert(u64::MAX, ()), None);
    }
}
