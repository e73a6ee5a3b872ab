//! Random batches, a crash at a random effect, and what must be there afterwards: exactly a prefix of what was appended, with everything
//! in it that was reported durable. And the proof that this finds mistakes: each seeded one fails it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{open, small};
use crate::disk::{Crash, Misdirect, Random, SimDisk};
use crate::suite::Model;
use crate::{Bug, Options, Store as _};

/// What the process was told before it died.
struct Told {
    /// The states after 0, 1, 2, … batches.
    states: Vec<Model>,
    durable: u64,
}

/// One life after the other on one disk; an assertion fails where a promise is broken.
fn lives(seed: u64, options: Options) {
    let mut random = Random(seed);
    let disk = SimDisk::new();
    let mut told = Told { states: vec![Model::default()], durable: 0 };
    for life in 0..2 + random.below(4) {
        let reach = [60, 500][random.below(2) as usize];
        disk.kill(random.below(reach));
        live(&disk, &mut random, &mut told, options);
        if random.below(4) == 0 {
            disk.exit();
        } else {
            disk.crash(Crash { seed: random.draw(), misdirect: Misdirect::Never });
        }
        verify(&disk, &mut told, options, &format!("seed {seed}, life {life}"));
        if random.below(4) == 0 {
            disk.crash(Crash { seed: random.draw(), misdirect: Misdirect::Never });
        } else {
            disk.exit();
        }
    }
}

/// Work until the kill, or for a while.
fn live(disk: &SimDisk, random: &mut Random, told: &mut Told, options: Options) {
    let Ok(store) = open(disk, options) else { return };
    for _ in 0..random.below(120) {
        let mut next = told.states.last().expect("there is a first").clone();
        let batch = next.random_batch(random);
        if store.reserve(batch.log_bytes() as u64).is_err() {
            return;
        }
        let Ok(number) = store.append(&batch) else { return };
        assert_eq!(number, told.states.len() as u64, "numbers go on");
        told.states.push(next);
        if random.below(4) == 0 {
            let Ok(durable) = store.sync() else { return };
            assert!(durable >= told.durable, "what is durable grows");
            told.durable = durable;
        }
        if random.below(12) == 0 && store.merge_step().is_err() {
            return;
        }
        if random.below(40) == 0 && store.seal().is_err() {
            return;
        }
    }
}

/// Open once more and compare.
fn verify(disk: &SimDisk, told: &mut Told, options: Options, place: &str) {
    let store = open(disk, options).unwrap_or_else(|error| panic!("{place}: does not open: {error}"));
    let (sequence, durable) = store.position();
    assert_eq!(sequence, durable, "{place}: what is found is durable");
    assert!(sequence >= told.durable, "{place}: {} was durable, {sequence} is there", told.durable);
    assert!(sequence < told.states.len() as u64, "{place}: {sequence} is there and was never appended");
    let found = Model::of(&store).unwrap_or_else(|error| panic!("{place}: cannot be read: {error}"));
    assert!(found == told.states[sequence as usize], "{place}: not the state after {sequence} batches");
    assert_eq!(store.check().unwrap_or_else(|error| panic!("{place}: {error}")).damage, [], "{place}");
    told.states.truncate(sequence as usize + 1);
    told.durable = sequence;
}

fn tiny() -> Options {
    Options { segment_bytes: 16 << 10, ..small() }
}

#[test]
fn after_a_crash_a_prefix_is_there() {
    for seed in 0..400 {
        lives(seed, tiny());
    }
}

#[test]
#[ignore = "minutes: cargo test --release -p drses-store crash -- --ignored"]
fn after_a_crash_a_prefix_is_there_for_many_seeds() {
    for seed in 1_000..11_000 {
        if seed % 500 == 0 {
            eprintln!("seed {seed}");
        }
        lives(seed, tiny());
    }
}

#[test]
fn each_seeded_mistake_is_found() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let bugs = [
        Bug::TornTailAccepted,
        Bug::StaleFrameAdopted,
        Bug::ExtentRecycledEarly,
        Bug::SegmentRecycledEarly,
        Bug::SyncSkipped,
        Bug::ExtentSyncSkipped,
    ];
    let found = bugs.map(|bug| {
        let options = Options { bug: Some(bug), ..tiny() };
        (bug, (0..1000).find(|seed| catch_unwind(AssertUnwindSafe(|| lives(*seed, options))).is_err()))
    });
    std::panic::set_hook(hook);
    for (bug, seed) in found {
        assert!(seed.is_some(), "{bug:?} is not found by 1000 seeds");
    }
}
