//! Connections of simulated hosts: bytes under way, and what befalls them.
//!
//! In: bytes that an end writes, cuts, closings. Out: what comes to an end, in the order in which it was written, some of it late or never.
//!
//! Invariants
//! - what is written on one connection arrives in that order, or not; after something that does not arrive nothing does;
//! - whoever wrote something that did not arrive is told that the connection is closed, sooner or later; so is everybody else, much later;
//! - bytes of an old connection may arrive after those of a newer one.
use crate::random::Random;
use ocapn::ConnId;
use std::collections::{BTreeMap, VecDeque};

/// An end of a connection: the host and its number there.
pub(crate) type End = (usize, ConnId);

/// How an end sees its connection.
pub(crate) struct Half {
    pub other: End,
    /// The opening of the other host that it was made with.
    pub opening: u64,
    /// What comes to it; none: the end.
    coming: VecDeque<Option<Vec<u8>>>,
    /// When the last of it arrives.
    last: u64,
    /// Nothing is carried any more.
    cut: bool,
    /// That it is over is under way to it.
    told: bool,
}

impl Half {
    /// Nothing that is written on it from now on arrives.
    pub fn is_cut(&self) -> bool {
        self.cut
    }
}

/// All connections. What arrives is to be asked for by `arrive`, at the times that are handed out with the end.
#[derive(Default)]
pub(crate) struct Wires {
    halves: BTreeMap<End, Half>,
    /// (when, end): something arrives.
    pub arrivals: Vec<(u64, End)>,
}

const MS: u64 = 1_000_000;
/// Until a connection that carries nothing is known to be dead by whoever writes on it.
const SOON: u64 = 1_000 * MS;
/// Likewise by who does not write.
const LATE: u64 = 30_000 * MS;

impl Wires {
    pub fn open(&mut self, ends: [(End, u64); 2]) {
        for (this, other) in [(0, 1), (1, 0)] {
            let half =
                Half { other: ends[other].0, opening: ends[other].1, coming: VecDeque::new(), last: 0, cut: false, told: false };
            self.halves.insert(ends[this].0, half);
        }
    }

    pub fn get(&self, end: End) -> Option<&Half> {
        self.halves.get(&end)
    }

    /// One of the connections.
    pub fn any(&self, random: &mut Random) -> Option<End> {
        let n = random.below(self.halves.len() as u64) as usize;
        self.halves.keys().nth(n).copied()
    }

    /// Connections between hosts of which `across` says yes.
    pub fn between(&self, mut across: impl FnMut(usize, usize) -> bool) -> Vec<End> {
        // each once: by the end with the lower number
        let once = self.halves.iter().filter(|h| *h.0 < h.1.other);
        once.filter(|h| across(h.0.0, h.1.other.0)).map(|h| *h.0).collect()
    }

    fn push(&mut self, end: End, piece: Option<Vec<u8>>, at: u64) {
        let Some(half) = self.halves.get_mut(&end) else { return };
        half.last = half.last.max(at);
        half.told |= piece.is_none();
        half.coming.push_back(piece);
        self.arrivals.push((half.last, end));
    }

    /// `end` writes; it takes `delay` to the other side.
    pub fn write(&mut self, end: End, bytes: Vec<u8>, now: u64, delay: u64, random: &mut Random) {
        let Some(half) = self.halves.get(&end) else { return };
        let (other, cut) = (half.other, half.cut);
        let reads = self.halves.get(&other).is_some_and(|o| !o.told);
        if !cut && reads {
            return self.push(other, Some(bytes), now + delay);
        }
        self.lost(end, now + random.below(SOON));
    }

    /// `end` is told that its connection is over.
    fn lost(&mut self, end: End, at: u64) {
        if self.halves.get(&end).is_some_and(|h| !h.told) {
            self.push(end, None, at);
        }
    }

    /// `end` closes: the other side reads what is under way, and then that.
    pub fn close(&mut self, end: End, now: u64, delay: u64) {
        let Some(half) = self.halves.remove(&end) else { return };
        if let Some(other) = self.halves.get_mut(&half.other) {
            let cut = std::mem::replace(&mut other.cut, true);
            if !cut {
                self.lost(half.other, now + delay);
            }
        }
    }

    /// Nothing is carried any more. Of what is under way a part arrives, some of it late.
    pub fn cut(&mut self, end: End, now: u64, random: &mut Random) {
        let Some(other) = self.halves.get(&end).map(|h| h.other) else { return };
        let lost = [self.break_off(end, random), self.break_off(other, random)];
        // who wrote what was lost is the other one
        for (end, lost) in [(other, lost[0]), (end, lost[1])] {
            let soon = lost || random.chance(2, 3);
            let at = now + random.below(if soon { SOON } else { LATE });
            self.lost(end, at);
        }
    }

    /// The host is no more: of what it wrote a part arrives.
    pub fn kill(&mut self, host: usize, now: u64, random: &mut Random) {
        let range = (host, ConnId(0))..(host + 1, ConnId(0));
        let mine: Vec<End> = self.halves.range(range).map(|h| *h.0).collect();
        for end in mine {
            let Some(half) = self.halves.remove(&end) else { continue };
            self.break_off(half.other, random);
            let soon = !half.coming.is_empty() || random.chance(2, 3);
            let at = now + random.below(if soon { SOON } else { LATE });
            self.lost(half.other, at);
        }
    }

    /// Of what is under way to an end a part is lost, the last piece may be torn. Was anything?
    fn break_off(&mut self, end: End, random: &mut Random) -> bool {
        let Some(half) = self.halves.get_mut(&end) else { return false };
        if std::mem::replace(&mut half.cut, true) || half.told || half.coming.is_empty() {
            return false;
        }
        let all = half.coming.len();
        half.coming.truncate(random.below(all as u64 + 1) as usize);
        let mut lost = half.coming.len() < all;
        if let Some(Some(last)) = half.coming.back_mut()
            && random.chance(1, 2)
        {
            lost = true;
            last.truncate(random.below(last.len() as u64 + 1) as usize);
        }
        lost
    }

    /// What arrives at an end now; none: nothing does. The end of the connection is the last thing that comes.
    pub fn arrive(&mut self, end: End, now: u64, random: &mut Random) -> Option<Option<Vec<u8>>> {
        let half = self.halves.get_mut(&end)?;
        if half.cut && !half.coming.is_empty() && random.chance(1, 3) {
            // rests of an old connection take their time
            self.arrivals.push((now + random.below(SOON), end));
            return None;
        }
        let piece = half.coming.pop_front()?;
        if piece.is_none() {
            self.halves.remove(&end);
        }
        Some(piece)
    }
}
