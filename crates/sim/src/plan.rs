//! What goes wrong in a run, and how often the simulated host does what: drawn from the seed before the run begins.
//!
//! In: a seed. Out: a list of faults by step, and rates. A list with fewer faults is a run too: that is how failures are shrunk.
use crate::random::Random;

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The process dies between two steps.
    Kill,
    /// The process dies after so many more effects on the disk: within a sync, a merge, an opening.
    KillAtEffect(u64),
    /// The sync after so many more fails: the process ends.
    FailSync(u64),
    /// The disk has room for so many bytes more; after some steps there is room again.
    Full(u64),
    /// The process dies at rest, and a bit flips of what its disk holds: the store says so when it is opened, or never relied on it.
    Flip,
}

/// A fault and when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Before this step of the world.
    pub at: u64,
    pub what: Trouble,
    /// The power goes too: what is not synced may be lost. Without: the system stays, all that was written is there.
    pub power: bool,
    /// Chooses what of the disk survives.
    pub seed: u64,
    /// Milliseconds until the process is there again.
    pub down_ms: u64,
}

/// In how many of a thousand steps the host does what.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    pub append: u64,
    pub sync: u64,
    pub merge: u64,
    pub sleep: u64,
    /// Turns in flight at once.
    pub in_flight: usize,
}

/// See the head.
#[derive(Clone, Debug)]
pub struct Plan {
    pub faults: Vec<Fault>,
    pub rates: Rates,
}

/// Faults of a run at most.
const MAX_FAULTS: u64 = 14;
/// Steps that a disk stays full.
pub const FULL_STEPS: u64 = 40;

impl Plan {
    pub fn draw(seed: u64) -> Plan {
        let mut r = Random::new(seed ^ 0x005e_ed0f_fa17);
        let pick = |r: &mut Random, of: &[u64]| of[r.below(of.len() as u64) as usize];
        let rates = Rates {
            append: pick(&mut r, &[30, 120, 400]),
            sync: pick(&mut r, &[20, 80, 300]),
            merge: pick(&mut r, &[0, 5, 40]),
            sleep: pick(&mut r, &[0, 10, 100]),
            in_flight: pick(&mut r, &[1, 2, 4]) as usize,
        };
        // how often anything of a kind goes wrong is drawn too: some runs have one kind of fault alone
        let chances: [u64; 4] = std::array::from_fn(|_| pick(&mut r, &[0, 1, 4]));
        let gap = pick(&mut r, &[12, 60, 250]);
        let power = pick(&mut r, &[0, 50, 100]);
        let (mut faults, mut at) = (Vec::new(), 0);
        for _ in 0..r.below(MAX_FAULTS) {
            at += 1 + r.below(2 * gap);
            let what = match kind(&mut r, &chances) {
                0 => Trouble::Kill,
                1 => Trouble::KillAtEffect(pick(&mut r, &[2, 8, 40]).min(r.below(40) + 1)),
                2 => Trouble::FailSync(r.below(4)),
                _ => Trouble::Full(r.below(20_000)),
            };
            let power = r.below(100) < power;
            faults.push(Fault { at, what, power, seed: r.draw(), down_ms: pick(&mut r, &[0, 3, 1000]) });
        }
        // drawn apart, in some runs
        let mut r = Random::new(seed ^ 0x000f_11b5_b175);
        let last = at.max(gap);
        for _ in 0..r.below(8).saturating_sub(4) {
            let (at, power) = (1 + r.below(last), r.below(2) == 1);
            faults.push(Fault { at, what: Trouble::Flip, power, seed: r.draw(), down_ms: 0 });
        }
        faults.sort_by_key(|f| f.at);
        Plan { faults, rates }
    }

    /// One in which nothing goes wrong.
    pub fn calm() -> Plan {
        Plan { faults: Vec::new(), rates: Rates { append: 200, sync: 100, merge: 5, sleep: 0, in_flight: 1 } }
    }
}

/// One of the kinds by their weights; the first if all are zero.
fn kind(r: &mut Random, weights: &[u64; 4]) -> usize {
    let mut at = r.below(weights.iter().sum());
    for (i, w) in weights.iter().enumerate() {
        if at < *w {
            return i;
        }
        at -= w;
    }
    0
}
