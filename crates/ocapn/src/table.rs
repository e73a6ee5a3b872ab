//! A map that knows which of its entries changed since it was last asked.
//!
//! In: insertions, removals, entries that are lent out for a change. Out: what rows of a store must be written or deleted.
//!
//! Invariants
//! - after `changes` the store has exactly the entries of the map: an entry that was there then and changed is told once, one that came
//!   and went in between is not told at all;
//! - there is no other way to change an entry than those that note it; but of a table of which nothing is ever stored (`note_nothing`)
//!   nothing is noted.
use crate::near::{Key, Near};
use std::ops::Deref;

/// See the head. Read as a `Near`.
pub(crate) struct Table<K, V> {
    map: Near<K, V>,
    /// True: it was there when the table was last asked.
    changed: Near<K, bool>,
    /// Nothing is noted.
    silent: bool,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Table<K, V> {
        Table { map: Near::default(), changed: Near::default(), silent: false }
    }
}

impl<K: Key + std::fmt::Debug, V: std::fmt::Debug> std::fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.map.fmt(f)
    }
}

impl<K, V> Deref for Table<K, V> {
    type Target = Near<K, V>;
    fn deref(&self) -> &Near<K, V> {
        &self.map
    }
}

impl<K: Key, V> Table<K, V> {
    fn note(&mut self, key: &K) {
        if !self.silent && !self.changed.contains_key(key) {
            self.changed.insert(key.clone(), self.map.contains_key(key));
        }
    }

    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.note(&key);
        self.map.insert(key, value)
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        if !self.silent && self.map.contains_key(key) {
            self.note(key);
        }
        self.map.remove(key)
    }

    /// For a change.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        if !self.silent && self.map.contains_key(key) {
            self.note(key);
        }
        self.map.get_mut(key)
    }

    /// For a change; made if it is not there.
    pub fn or_insert(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        self.note(&key);
        self.map.or_insert(key, new)
    }

    pub fn pop_first(&mut self) -> Option<(K, V)> {
        let key = self.map.first_key_value()?.0.clone();
        let value = self.remove(&key)?;
        Some((key, value))
    }

    /// An entry as it stands in the store.
    pub fn restored(&mut self, key: K, value: V) {
        self.map.insert(key, value);
    }

    /// Tells each entry that changed: its value, or none if its row is to go.
    pub fn changes(&mut self, mut told: impl FnMut(&K, Option<&V>)) {
        while let Some((key, was)) = self.changed.pop_first() {
            match self.map.get(&key) {
                None if !was => {}
                value => told(&key, value),
            }
        }
    }

    /// Forgets what changed: nothing of it is to be stored.
    pub fn unnoted(&mut self) {
        self.changed.clear();
    }

    /// Nothing of the table is ever stored: from now on nothing is noted.
    pub fn note_nothing(&mut self) {
        self.changed.clear();
        self.silent = true;
    }

    /// Tells the entries that the store has, which are to go.
    pub fn stored_keys(&self, mut told: impl FnMut(&K)) {
        for key in self.map.keys().filter(|k| self.changed.get(*k) != Some(&false)) {
            told(key);
        }
        for (key, was) in self.changed.iter() {
            if *was && !self.map.contains_key(key) {
                told(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn what_is_never_stored_leaves_no_notes() {
        let mut table = Table::default();
        table.insert(1, 'a');
        table.note_nothing();
        for n in 2..1000 {
            table.insert(n, 'b');
            table.or_insert(n, || 'c');
            assert_eq!(table.get_mut(&n).copied(), Some('b'));
            assert_eq!(table.remove(&n), Some('b'));
        }
        assert_eq!((table.len(), table.changed.len()), (1, 0));
    }

    /// By chance: the store that follows what is told is always the map.
    #[test]
    fn what_is_told_keeps_a_copy_equal() {
        let (mut table, mut copy, mut seed) = (Table::default(), BTreeMap::new(), 1u64);
        let mut told_in_all = 0;
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let (what, key) = (seed >> 60, (seed >> 40) % 7);
            match what {
                0..=3 => drop(table.insert(key, seed)),
                4..=7 => drop(table.remove(&key)),
                8 | 9 => {
                    if let Some(v) = table.get_mut(&key) {
                        *v += 1;
                    }
                }
                10 => *table.or_insert(key, || 0) += 1,
                11 => drop(table.pop_first()),
                12 => {
                    let mut keys = Vec::new();
                    table.stored_keys(|k| keys.push(*k));
                    keys.sort_unstable();
                    assert_eq!(keys, copy.keys().copied().collect::<Vec<u64>>());
                }
                _ => {
                    table.changes(|k, v| {
                        told_in_all += 1;
                        match v {
                            Some(v) => drop(copy.insert(*k, *v)),
                            None => assert!(copy.remove(k).is_some(), "a row that is not there is not deleted"),
                        }
                    });
                    assert!(table.iter().eq(copy.iter()));
                }
            }
        }
        assert!(told_in_all > 1_000);
    }
}
