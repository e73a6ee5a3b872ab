//! What befalls a network: connections that are cut, hosts that do not reach each other for a while, copies of stores.
//!
//! In: a seed's chance. Out: troubles with their times, all before the run's end.
//!
//! Invariants
//! - hosts are apart for less time than it takes until a host that was never reached is given up.
use super::twins::Twin;
use super::{Coming, MS, Network};
use std::collections::BTreeSet;

/// One trouble.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// A connection.
    Cut,
    /// Some hosts are apart from the others, for so many milliseconds.
    Apart { hosts: usize, ms: u64 },
    /// They are not any longer.
    Together,
    /// See `twins`.
    Twin(Twin),
}

/// Hosts that do not reach each other.
pub(crate) struct Apart {
    /// One of the two sides.
    pub places: BTreeSet<usize>,
    pub until: u64,
}

impl Apart {
    pub fn separates(&self, a: usize, b: usize) -> bool {
        self.places.contains(&a) != self.places.contains(&b)
    }
}

/// Troubles of a run for each host, in the mean.
const CUTS: u64 = 6;
/// Times when hosts are apart, and for how many milliseconds at most.
const PARTITIONS: u64 = 10;
const APART_MS: u64 = 900;
/// Milliseconds that a host takes for a round, in the mean.
const ROUND_MS: u64 = 45;

impl Network {
    /// Troubles to come, while hosts are at work.
    pub(super) fn draw_troubles(&mut self) {
        let span = self.settings.rounds * ROUND_MS + 1_000;
        let hosts = self.settings.hosts as u64;
        for _ in 0..CUTS * hosts {
            let at = self.random.below(span * MS);
            self.later(at, Coming::Trouble(Trouble::Cut));
        }
        for _ in 0..PARTITIONS {
            let at = self.random.below(span * MS);
            let few = 1 + self.random.below(hosts.min(3)) as usize;
            let hosts = if self.random.chance(1, 2) { few } else { 1 + self.random.below(hosts / 2) as usize };
            let ms = 1 + self.random.below(APART_MS);
            self.later(at, Coming::Trouble(Trouble::Apart { hosts, ms }));
        }
        self.draw_twins(span);
    }

    pub(super) fn trouble(&mut self, trouble: Trouble) -> Result<(), String> {
        match trouble {
            Trouble::Cut => {
                if let Some(end) = self.wires.any(&mut self.random) {
                    self.done.cuts += 1;
                    self.wires.cut(end, self.now, &mut self.random);
                }
            }
            Trouble::Apart { hosts, ms } => {
                if self.apart.is_none() {
                    self.part(hosts, ms);
                }
            }
            Trouble::Together => self.apart = None,
            Trouble::Twin(twin) => return self.twin(twin),
        }
        Ok(())
    }

    /// So many hosts do not reach the others. Some of their connections break at once, others only carry nothing.
    fn part(&mut self, hosts: usize, ms: u64) {
        let mut places = BTreeSet::new();
        for _ in 0..hosts {
            places.insert(self.random.below(self.settings.hosts as u64) as usize);
        }
        let apart = Apart { places, until: self.now + ms * MS };
        self.note(|| format!("hosts {:?} are apart for {ms} ms", apart.places));
        self.done.partitions += 1;
        let across = self.wires.between(|a, b| apart.separates(self.hosts[a].place, self.hosts[b].place));
        for end in across {
            if self.random.chance(1, 2) {
                self.done.cuts += 1;
                self.wires.cut(end, self.now, &mut self.random);
            }
        }
        self.later(apart.until, Coming::Trouble(Trouble::Together));
        self.apart = Some(apart);
    }
}
