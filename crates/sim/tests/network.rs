//! Many hosts in one world: a share of the seeds. `drses sim --hosts N --refs N --seeds N` runs others.
use sim::mistakes::Mistake;
use sim::network::{Done, Mesh, Settings};

fn mesh(hosts: usize, refs: usize, mistake: Option<Mistake>) -> Mesh {
    let settings = Settings { rounds: 20, mistake, ..Settings::new(hosts, refs) };
    Mesh::new(settings).unwrap_or_else(|e| panic!("{e}"))
}

/// The seeds come to a good end, and to troubles of every kind.
fn seeds(hosts: usize, refs: usize, seeds: std::ops::Range<u64>) {
    let mesh = mesh(hosts, refs, None);
    let mut all = Done::default();
    for seed in seeds {
        let done = mesh.run(seed).unwrap_or_else(|f| {
            let last = f.trace.len().saturating_sub(200);
            panic!("{hosts} hosts, {refs} references, seed {seed}: {}\n{}", f.what, f.trace[last..].join("\n"))
        });
        all.deaths += done.deaths;
        all.cuts += done.cuts;
        all.partitions += done.partitions;
        all.twins += done.twins;
        all.noticed += done.noticed;
        all.messages += done.messages;
    }
    let troubles = [all.deaths, all.cuts, all.partitions, all.twins, all.noticed];
    assert!(all.messages > 300 && troubles.iter().all(|n| *n > 0), "{all:?}");
}

#[test]
fn three_hosts_lose_nothing_and_leave_nothing() {
    seeds(3, 9, 0..12);
}

#[test]
fn six_hosts_lose_nothing_and_leave_nothing() {
    seeds(6, 30, 100..104);
}

#[test]
fn sixteen_hosts_lose_nothing_and_leave_nothing() {
    seeds(16, 80, 200..201);
}

#[test]
fn a_seed_runs_the_same_each_time() {
    let mesh = mesh(4, 12, None);
    let run = |seed| format!("{:?}", mesh.run(seed).unwrap_or_else(|f| panic!("{}", f.what)));
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

/// Mistakes of a host that only others notice.
#[test]
fn mistakes_are_found() {
    for mistake in [Mistake::ReleasedEarly, Mistake::DeliveredTwice] {
        let mesh = mesh(3, 9, Some(mistake));
        let found = (0..100).find_map(|seed| mesh.run(seed).err());
        let f = found.unwrap_or_else(|| panic!("{mistake:?} is not found by 100 seeds"));
        println!("{mistake:?}: seed {}: {}", f.seed, f.what);
    }
}
