//! Rows while a log is read: the last operation on each key, by hash, so that what a queue put and took again costs little.
//!
//! In: operations in order. Out: at the end, rows. A key that was put and deleted, and that the merged rows do not have, leaves nothing
//! behind. The hash is seeded with bytes that nobody can guess, so nobody can choose keys that collide.
//!
//! `Gathering` does that on a thread of its own once there are many: who reads the log has enough to do with the rest of it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use crate::batch::{Batch, Op};
use crate::codec::Reader;
use crate::error::{Error, Result};
use crate::live::{RowSink, Rows};

/// Keys up to this long are kept in four words with their table and length.
const SHORT_BYTES: usize = 30;

/// Bytes of the key, zeros, its length, its table.
type ShortKey = [u64; 4];

/// Made in registers: words put together in memory byte by byte and loaded whole would wait for the stores.
#[inline]
fn short(table: u8, key: &[u8]) -> ShortKey {
    debug_assert!(key.len() <= SHORT_BYTES, "the caller looks at the length");
    let end = (key.len() as u64) << 48 | u64::from(table) << 56;
    [word(key, 0), word(key, 8), word(key, 16), word(key, 24) | end]
}

/// The eight bytes of `key` at `at`, zeros behind its end.
#[inline]
fn word(key: &[u8], at: usize) -> u64 {
    if let Some(whole) = key.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        return u64::from_le_bytes(*whole);
    }
    let left = key.len().saturating_sub(at);
    match key.last_chunk::<8>() {
        // The last eight bytes, without those before `at`.
        Some(last) if left > 0 => u64::from_le_bytes(*last) >> (8 * (8 - left)),
        _ => key.iter().skip(at).rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

fn parts(key: &ShortKey) -> (u8, [u8; SHORT_BYTES], usize) {
    let mut bytes = [0; 32];
    for (place, word) in bytes.chunks_exact_mut(8).zip(key) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    let mut start = [0; SHORT_BYTES];
    start.copy_from_slice(&bytes[..SHORT_BYTES]);
    (bytes[31], start, usize::from(bytes[30]))
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
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }
    #[inline]
    fn write_u64(&mut self, word: u64) {
        let wide = u128::from(self.0 ^ word) * u128::from(self.1);
        self.0 = (wide as u64) ^ (wide >> 64) as u64;
    }
}

/// A short key, hashed word by word.
#[derive(Eq)]
struct Short(ShortKey);

impl PartialEq for Short {
    /// Word by word: a comparison of memory would wait for the stores of a key that was made a moment ago.
    #[inline]
    fn eq(&self, other: &Short) -> bool {
        let (one, two) = (&self.0, &other.0);
        (one[0] ^ two[0]) | (one[1] ^ two[1]) | (one[2] ^ two[2]) | (one[3] ^ two[3]) == 0
    }
}

impl Hash for Short {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        for word in self.0 {
            hasher.write_u64(word);
        }
    }
}

type Last<K> = HashMap<K, Option<Box<[u8]>>, Seeded>;

/// See the head of this file.
pub(crate) struct Gathered {
    /// As merged.
    rows: Rows,
    /// `None`: deleted.
    last: Last<Short>,
    long: Last<(u8, Box<[u8]>)>,
}

impl Gathered {
    pub(crate) fn over(rows: Rows, random: &[u8; 32]) -> Gathered {
        let word = |at: usize| random[at..at + 8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        // Odd, so that no word is multiplied away.
        let seeded = Seeded(word(0), word(8) | 1);
        Gathered { rows, last: HashMap::with_hasher(seeded), long: HashMap::with_hasher(seeded) }
    }

    pub(crate) fn finish(self) -> Rows {
        let mut rows = self.rows;
        let mut last = |table: u8, key: &[u8], value: Option<Box<[u8]>>| match value {
            Some(value) => rows.put(table, key, &value),
            None => rows.delete(table, key),
        };
        for (key, value) in self.last {
            let (table, bytes, length) = parts(&key.0);
            last(table, &bytes[..length], value);
        }
        for ((table, key), value) in self.long {
            last(table, &key, value);
        }
        rows
    }
}

impl RowSink for Gathered {
    #[inline]
    fn put(&mut self, table: u8, key: &[u8], value: &[u8]) {
        if key.len() <= SHORT_BYTES {
            match self.last.entry(Short(short(table, key))) {
                Entry::Vacant(place) => drop(place.insert(Some(value.into()))),
                // rows that are put again and again mostly stay as long as they were
                Entry::Occupied(mut old) => match old.get_mut() {
                    Some(old) if old.len() == value.len() => old.copy_from_slice(value),
                    old => *old = Some(value.into()),
                },
            }
        } else {
            self.long.insert((table, key.into()), Some(value.into()));
        }
    }

    #[inline]
    fn delete(&mut self, table: u8, key: &[u8]) {
        let merged = self.rows.table(table);
        let there = !merged.is_empty() && merged.contains_key(key);
        match (key.len() <= SHORT_BYTES, there) {
            (true, true) => drop(self.last.insert(Short(short(table, key)), None)),
            (true, false) => drop(self.last.remove(&Short(short(table, key)))),
            (false, true) => drop(self.long.insert((table, key.into()), None)),
            (false, false) => drop(self.long.remove(&(table, key.into()))),
        }
    }
}

/// Bytes of operations that go to the thread at once.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces that may wait for it.
const MAX_PIECES: usize = 8;

/// See the head of this file.
pub(crate) struct Gathering {
    piece: Batch,
    /// None: a thread has it.
    gathered: Option<Gathered>,
    worker: Option<Worker>,
}

struct Worker {
    pieces: SyncSender<Batch>,
    /// Pieces that are done, for their memory.
    done: Receiver<Batch>,
    thread: JoinHandle<Gathered>,
}

fn gather(gathered: &mut Gathered, piece: &Batch) {
    let mut reader = Reader::new(piece.bytes());
    while !reader.is_empty() {
        match Op::read(&mut reader) {
            Some(Op::Put { table, key, value }) => gathered.put(table, key, value),
            Some(Op::Delete { table, key }) => gathered.delete(table, key),
            _ => unreachable!("a piece holds operations on rows"),
        }
    }
}

impl Worker {
    fn start(mut gathered: Gathered) -> Result<Worker> {
        let (pieces, to_do) = sync_channel::<Batch>(MAX_PIECES);
        let (back, done) = channel();
        let body = move || {
            for mut piece in to_do {
                gather(&mut gathered, &piece);
                piece.clear();
                // whoever reads may have ended
                let _ = back.send(piece);
            }
            gathered
        };
        let thread = std::thread::Builder::new().name("store-rows".to_owned()).spawn(body);
        let thread = thread.map_err(|error| Error::io("starting the thread that gathers rows", &error))?;
        Ok(Worker { pieces, done, thread })
    }
}

impl Gathering {
    pub(crate) fn over(rows: Rows, random: &[u8; 32]) -> Gathering {
        Gathering { piece: Batch::new(), gathered: Some(Gathered::over(rows, random)), worker: None }
    }

    /// To be called now and then: gives away what has come together.
    pub(crate) fn pass_on(&mut self) -> Result<()> {
        if self.piece.log_bytes() < PIECE_BYTES {
            return Ok(());
        }
        if let Some(gathered) = self.gathered.take() {
            self.worker = Some(Worker::start(gathered)?);
        }
        let Some(worker) = &self.worker else { unreachable!("the rows are here or with the thread") };
        let next = worker.done.try_recv().unwrap_or_default();
        // it fails if the thread has panicked: that is told by `finish`
        let _ = worker.pieces.send(std::mem::replace(&mut self.piece, next));
        Ok(())
    }

    pub(crate) fn finish(self) -> Rows {
        let mut gathered = match (self.gathered, self.worker) {
            (Some(gathered), _) => gathered,
            (None, Some(worker)) => {
                drop(worker.pieces);
                worker.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }
            (None, None) => unreachable!("the rows are here or with the thread"),
        };
        gather(&mut gathered, &self.piece);
        gathered.finish()
    }
}

impl RowSink for Gathering {
    #[inline]
    fn put(&mut self, table: u8, key: &[u8], value: &[u8]) {
        self.piece.put(table, key, value);
    }
    #[inline]
    fn delete(&mut self, table: u8, key: &[u8]) {
        self.piece.delete(table, key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_key_comes_back() {
        let key: Vec<u8> = (1..=SHORT_BYTES as u8).collect();
        for length in 0..=SHORT_BYTES {
            let (table, bytes, found) = parts(&short(200, &key[..length]));
            assert_eq!((table, &bytes[..found]), (200, &key[..length]));
            assert!(bytes[found..].iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn gathering_leaves_what_applying_leaves() {
        let mut random = crate::disk::Random(3);
        for _ in 0..200 {
            let (mut merged, mut plain) = (Rows::default(), Rows::default());
            for key in 0..3u8 {
                merged.put(0, &[key], b"merged");
                plain.put(0, &[key], b"merged");
            }
            let mut gathered = Gathered::over(merged, &[random.draw() as u8; 32]);
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

    #[test]
    fn a_thread_gathers_what_many_operations_leave() {
        let mut random = crate::disk::Random(4);
        let (mut plain, mut gathering) = (Rows::default(), Gathering::over(Rows::default(), &[9; 32]));
        for step in 0..40_000u32 {
            let (key, value) = ([random.below(200) as u8, 1], vec![step as u8; random.below(40) as usize]);
            if random.below(3) == 0 {
                gathering.delete(0, &key);
                plain.delete(0, &key);
            } else {
                gathering.put(0, &key, &value);
                plain.put(0, &key, &value);
            }
            gathering.pass_on().expect("a thread");
        }
        assert!(gathering.worker.is_some(), "it was enough for a thread");
        let found = gathering.finish();
        assert!(found.all().eq(plain.all()));
        assert_eq!(found.count(), plain.count());
    }
}
