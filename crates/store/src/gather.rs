//! Rows while a log is read: the last operation on each key, by hash, so that what a queue put and took again costs little.
//!
//! In: operations in order. Out: at the end, rows. A key that was put and deleted, and that the merged rows do not have, leaves nothing
//! behind. The hash is seeded with bytes that nobody can guess, so nobody can choose keys that collide.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher};

use crate::live::{RowSink, Rows};

const INLINE_BYTES: usize = 30;

/// Table and key; short keys, which are most, without an allocation.
#[derive(PartialEq, Eq)]
enum Key {
    Short { table: u8, length: u8, bytes: [u8; INLINE_BYTES] },
    Long { table: u8, bytes: Box<[u8]> },
}

impl Key {
    fn new(table: u8, key: &[u8]) -> Key {
        if key.len() > INLINE_BYTES {
            return Key::Long { table, bytes: key.into() };
        }
        let mut bytes = [0; INLINE_BYTES];
        bytes[..key.len()].copy_from_slice(key);
        Key::Short { table, length: key.len() as u8, bytes }
    }

    fn parts(&self) -> (u8, &[u8]) {
        match self {
            Key::Short { table, length, bytes } => (*table, &bytes[..usize::from(*length)]),
            Key::Long { table, bytes } => (*table, bytes),
        }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        match self {
            // All of the array: its length is known, and what is behind the key is zero.
            Key::Short { table, length, bytes } => {
                hasher.write_u64(u64::from(*table) << 8 | u64::from(*length));
                hasher.write(bytes);
            }
            Key::Long { table, bytes } => {
                hasher.write_u64(u64::from(*table) << 8 | 0xff);
                hasher.write(bytes);
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Seeded(u64, u64);

struct Folded(u64, u64);

impl BuildHasher for Seeded {
    type Hasher = Folded;
    fn build_hasher(&self) -> Folded {
        Folded(self.0, self.1)
    }
}

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }
    fn write_u64(&mut self, word: u64) {
        let wide = u128::from(self.0 ^ word) * u128::from(self.1);
        self.0 = (wide as u64) ^ (wide >> 64) as u64;
    }
}

/// See the head of this file.
pub(crate) struct Gathered {
    /// As merged.
    rows: Rows,
    /// `None`: deleted.
    last: HashMap<Key, Option<Box<[u8]>>, Seeded>,
}

impl Gathered {
    pub(crate) fn over(rows: Rows, random: &[u8; 32]) -> Gathered {
        let word = |at: usize| random[at..at + 8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        // Odd, so that no word is multiplied away.
        Gathered { rows, last: HashMap::with_hasher(Seeded(word(0), word(8) | 1)) }
    }

    pub(crate) fn finish(self) -> Rows {
        let mut rows = self.rows;
        for (key, value) in self.last {
            let (table, key) = key.parts();
            match value {
                Some(value) => rows.put(table, key, &value),
                None => rows.delete(table, key),
            }
        }
        rows
    }
}

impl RowSink for Gathered {
    fn put(&mut self, table: u8, key: &[u8], value: &[u8]) {
        self.last.insert(Key::new(table, key), Some(value.into()));
    }

    fn delete(&mut self, table: u8, key: &[u8]) {
        let merged = self.rows.table(table);
        if !merged.is_empty() && merged.contains_key(key) {
            self.last.insert(Key::new(table, key), None);
        } else {
            self.last.remove(&Key::new(table, key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gathering_leaves_what_applying_leaves() {
        let mut random = crate::disk::Random(3);
        for _ in 0..200 {
            let (mut merged, mut plain) = (Rows::default(), Rows::default());
            for key in 0..3u8 {
                merged.put(0, &[key], b"merged");
                plain.put(0, &[key], b"merged");
            }
            let mut gathered = Gathered::over(merged, &[random.next() as u8; 32]);
            for step in 0..40u8 {
                let (table, key) = (random.below(2) as u8, vec![random.below(6) as u8; 1 + 40 * random.below(2) as usize]);
                if random.below(2) == 0 {
                    gathered.put(table, &key, &[step]);
                    plain.put(table, &key, &[step]);
                } else {
                    gathered.delete(table, &key);
                    plain.delete(table, &key);
                }
            }
            let found = gathered.finish();
            assert!(found.all().eq(plain.all()));
            assert_eq!(found.count(), plain.count());
        }
    }
}
