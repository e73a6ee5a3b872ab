//! What the powers timer and random are made of: clocks and the system's randomness.
//!
//! In: requests. Out: answers as data, and which delays are due.
//!
//! Invariants
//! - a delay ends no earlier than asked, by a clock that is never set back;
//! - of delays that are due the earliest comes first, then the one that was asked for first.
use passable::{Data, PromiseId, Writer};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub struct Powers {
    start: Instant,
    asked: u64,
    /// (milliseconds since `start`, number of the request)
    delays: BTreeSet<(u64, u64, PromiseId)>,
    by_promise: BTreeMap<PromiseId, (u64, u64)>,
}

impl Default for Powers {
    fn default() -> Powers {
        Powers::new()
    }
}

impl Powers {
    pub fn new() -> Powers {
        Powers { start: Instant::now(), asked: 0, delays: BTreeSet::new(), by_promise: BTreeMap::new() }
    }

    /// Milliseconds since 1970.
    pub fn now(&self) -> Data {
        Data::number(Powers::wall_ms() as f64)
    }

    /// A key that programs cannot know, for the string hashes of a new vat.
    pub fn hash_key() -> std::io::Result<u128> {
        let mut key = [0; 16];
        fill(&mut key)?;
        Ok(u128::from_le_bytes(key))
    }

    pub fn random(&self, bytes: u32) -> std::io::Result<Data> {
        let mut buffer = vec![0u8; bytes as usize];
        fill(&mut buffer)?;
        let mut w = Writer::new();
        w.array(buffer.len());
        for b in buffer {
            w.integer(b as i32);
        }
        Ok(w.done())
    }

    fn wall_ms() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
    }

    /// A delay of an earlier process, by the time it was due and its whole length: a clock that was set back lengthens it by
    /// nothing.
    pub fn resume(&mut self, answer: PromiseId, due_ms: u64, ms: u64) {
        let left = due_ms.saturating_sub(Powers::wall_ms()).min(ms);
        self.delay(left, answer);
    }

    /// When it will be due, in milliseconds since 1970.
    pub fn delay(&mut self, ms: u64, answer: PromiseId) -> u64 {
        // the clock's part of a millisecond that has begun does not count
        let now = self.start.elapsed().as_micros().div_ceil(1000) as u64;
        let due = now.saturating_add(ms);
        self.asked += 1;
        self.delays.insert((due, self.asked, answer));
        self.by_promise.insert(answer, (due, self.asked));
        Powers::wall_ms().saturating_add(ms)
    }

    /// False: there was no such delay.
    pub fn cancel(&mut self, answer: PromiseId) -> bool {
        match self.by_promise.remove(&answer) {
            Some((due, n)) => self.delays.remove(&(due, n, answer)),
            None => false,
        }
    }

    /// Delays that are due now, in order; they are forgotten.
    pub fn due(&mut self) -> Vec<PromiseId> {
        let now = self.start.elapsed().as_millis() as u64;
        let mut out = Vec::new();
        while let Some(&(due, n, p)) = self.delays.first()
            && due <= now
        {
            self.delays.remove(&(due, n, p));
            self.by_promise.remove(&p);
            out.push(p);
        }
        out
    }

    /// How long until the next one is due.
    pub fn next_due(&self) -> Option<Duration> {
        let due = Duration::from_millis(self.delays.first()?.0);
        Some(due.saturating_sub(self.start.elapsed()))
    }
}

/// Bytes from the operating system.
fn fill(buffer: &mut [u8]) -> std::io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        filled += rustix::rand::getrandom(&mut buffer[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_a_cancelled_one_never() {
        let p = |n| PromiseId { vat: passable::VatId(1), n };
        let mut powers = Powers::new();
        powers.delay(3, p(1));
        powers.delay(1, p(2));
        powers.delay(1, p(3));
        powers.delay(0, p(4));
        powers.cancel(p(4));
        std::thread::sleep(Duration::from_millis(8));
        assert_eq!(powers.due(), [p(2), p(3), p(1)]);
        assert_eq!(powers.next_due(), None);
    }
}
