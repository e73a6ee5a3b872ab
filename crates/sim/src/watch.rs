//! The witness of a run: what was committed, what was reported durable, what was written out.
//!
//! In: each batch as it is appended, each line as it is written, each opening. Out: an error where a promise is broken.
//!
//! What it holds a store to
//! - what an opening finds is what was there after some batch, at least the last one that was reported durable;
//! - nothing is written whose batch is not found again;
//! - lines are written in the order of their commits, without gaps; what is written again says the same.
//!
//! It shares no code with the store but reading: states are known by hashes of all rows and spaces.
use crate::disk::Stop;
use ken::rows;
use passable::Line;
use std::collections::BTreeMap;
use store::Store;

/// Tables whose rows count; code units are known by their hashes.
const TABLES: std::ops::RangeInclusive<u8> = rows::META..=rows::PEERS;

#[derive(Default)]
pub(crate) struct Watch {
    /// The state after each batch that may still be found.
    states: BTreeMap<u64, u64>,
    spaces: BTreeMap<u64, u64>,
    pub durable: u64,
    /// Lines of committed turns, with the batch of each.
    lines: Vec<(u64, Vec<Line>)>,
    /// Where the lines of an output's number are.
    index: BTreeMap<u64, usize>,
    /// How many of `lines` have been written at least once, and the next that this process must write.
    written: usize,
    next: Option<usize>,
}

impl Watch {
    /// A batch is in the log; `touched`: the spaces that it may have changed.
    pub fn appended(&mut self, store: &dyn Store, touched: &[u64], out: Vec<(u64, Vec<Line>)>) -> Result<(), Stop> {
        let batch = store.position().0;
        for s in touched {
            self.spaces.remove(s);
        }
        let state = self.state(store)?;
        self.states.insert(batch, state);
        for (number, lines) in out {
            self.index.insert(number, self.lines.len());
            self.lines.push((batch, lines));
        }
        Ok(())
    }

    /// Begins with a store that others wrote: what is there is right, and `unwritten` may not have been written.
    pub fn adopt(&mut self, store: &dyn Store, unwritten: Vec<(u64, Vec<Line>)>) -> Result<(), Stop> {
        let found = store.position().0;
        let state = self.state(store)?;
        self.states.insert(found, state);
        self.durable = found;
        for (number, lines) in unwritten {
            self.index.insert(number, self.lines.len());
            self.lines.push((found, lines));
        }
        Ok(())
    }

    pub fn synced(&mut self, durable: u64) {
        assert!(durable >= self.durable, "what is durable grows");
        self.durable = durable;
    }

    /// Lines leave the process.
    pub fn wrote(&mut self, number: u64, lines: &[Line]) -> Result<(), String> {
        let Some(&at) = self.index.get(&number) else { return Err(format!("output {number} was written and never committed")) };
        if self.lines[at].1 != lines {
            return Err(format!("output {number} is {lines:?}; committed was {:?}", self.lines[at].1));
        }
        let next = self.next.unwrap_or(at);
        if at != next || at > self.written {
            return Err(format!("output {at} was written, {next} had to come, {} had been written", self.written));
        }
        self.next = Some(at + 1);
        self.written = self.written.max(at + 1);
        Ok(())
    }

    /// The store was opened, after a crash or not, and holds the state after batch `found`.
    pub fn opened(&mut self, store: &dyn Store, found: u64) -> Result<(), Stop> {
        if found < self.durable {
            return Err(Stop::Broken(format!(
                "batch {} was reported durable; after the crash {found} is the last",
                self.durable
            )));
        }
        self.spaces.clear();
        let state = self.state(store)?;
        if found > 0 {
            match self.states.get(&found) {
                None => return Err(Stop::Broken(format!("batch {found} was found and never appended"))),
                Some(s) if *s != state => {
                    return Err(Stop::Broken(format!("what was found is not the state after batch {found}")));
                }
                Some(_) => {}
            }
        }
        self.states.retain(|n, _| *n <= found);
        self.lines.retain(|l| l.0 <= found);
        if self.written > self.lines.len() {
            return Err(Stop::Broken(format!(
                "{} outputs were written, {} are committed after the crash",
                self.written,
                self.lines.len()
            )));
        }
        self.durable = found;
        self.next = None;
        Ok(())
    }

    /// All lines, once each; an error if some were never written.
    pub fn lines(&self) -> Result<Vec<String>, String> {
        if self.written != self.lines.len() {
            return Err(format!("{} outputs were committed, {} written", self.lines.len(), self.written));
        }
        let all = self.lines.iter().flat_map(|l| &l.1);
        Ok(all.filter(|l| !l.error).map(|l| l.text.clone()).collect())
    }

    /// A hash of all that the store holds.
    fn state(&mut self, store: &dyn Store) -> Result<u64, Stop> {
        let mut h = Hash(0);
        for table in TABLES {
            for (key, value) in store.scan(table, &[], None, usize::MAX) {
                h.word(u64::from(table) << 32 | key.len() as u64);
                h.bytes(&key);
                if table != rows::CODE {
                    h.bytes(&value);
                }
            }
        }
        let spaces = store.spaces();
        self.spaces.retain(|s, _| spaces.contains(s));
        for s in spaces {
            let of_space = match self.spaces.get(&s) {
                Some(h) => *h,
                None => {
                    let length = store.length(s).unwrap_or(0);
                    let mut bytes = vec![0; length as usize];
                    store.read(s, 0, &mut bytes)?;
                    let mut h = Hash(s);
                    h.bytes(&bytes);
                    self.spaces.insert(s, h.0);
                    h.0
                }
            };
            h.word(of_space);
        }
        Ok(h.0)
    }
}

/// Good enough to tell states apart that nobody chose to be alike.
struct Hash(u64);

impl Hash {
    fn word(&mut self, w: u64) {
        self.0 = (self.0.rotate_left(23) ^ w).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 ^= self.0 >> 29;
    }
    fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|w| self.word(u64::from_le_bytes(*w)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last));
        self.word(bytes.len() as u64);
    }
}
