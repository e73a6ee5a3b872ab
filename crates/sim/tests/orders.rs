//! Programs that watch order, conservation and garbage, in many seeded orders.
//!
//! A share of the seeds runs here; `DRSES_SEEDS` says how many instead.
use passable::Limits;
use sim::{Outcome, Run, World};
use std::path::Path;
use std::sync::Arc;
use vat::Shared;
use vat::program::{Fault, Texts, fault};

struct Files;

impl Texts for Files {
    fn read(&mut self, file: &str) -> Result<String, Fault> {
        std::fs::read_to_string(file).map_err(|e| fault(file, "E-FILE", e.to_string(), "look"))
    }
    fn exists(&mut self, file: &str) -> bool {
        Path::new(file).is_file()
    }
}

const LIMITS: Limits = Limits { heap_bytes: 64 << 20, instructions: 1_000_000_000 };

fn seeds() -> u64 {
    std::env::var("DRSES_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(60)
}

fn each_seed(program: &str, verify: bool, check: impl FnMut(u64, &Run) + Send) {
    each_of(seeds(), program, verify, check);
}

fn each_of(seeds: u64, program: &str, verify: bool, mut check: impl FnMut(u64, &Run) + Send) {
    let shared = Arc::new(Shared::new(false).expect("a base"));
    let file = format!("{}/{program}", env!("CARGO_MANIFEST_DIR"));
    let n = shared.install(&file, None, &mut Files).unwrap_or_else(|f| panic!("{f:?}"));
    std::thread::scope(|s| {
        let t = std::thread::Builder::new().stack_size(64 << 20).spawn_scoped(s, || {
            for seed in 0..seeds {
                let mut w = World::new(&shared, n, &[], LIMITS, seed);
                w.verify = verify;
                let run = w.run(2_000_000);
                assert_eq!(run.outcome, Outcome::Done, "seed {seed}: {:?}", run.lines);
                check(seed, &run);
            }
        });
        t.expect("a thread").join().unwrap_or_else(|e| std::panic::resume_unwind(e));
    });
}

/// The program prints `ok` as its last line and nothing is left unhandled.
fn all_well(seed: u64, run: &Run) {
    assert!(run.reports.is_empty(), "seed {seed}: {:?}", run.reports);
    assert_eq!(run.lines.last().map(String::as_str), Some("ok"), "seed {seed}: {:?}", run.lines);
}

#[test]
fn what_is_sent_on_a_reference_arrives_in_that_order() {
    each_seed("programs/order.js", true, all_well);
}

#[test]
fn what_a_vat_sent_on_a_promise_comes_before_the_news_that_it_is_its_own() {
    each_seed("programs/home.js", true, all_well);
}

#[test]
fn a_reference_passed_on_is_used_after_what_was_sent_on_it_before() {
    each_seed("programs/grant.js", true, all_well);
}

#[test]
fn what_nobody_holds_is_given_back_circles_among_vats_too() {
    each_seed("programs/garbage.js", true, |seed, run| {
        all_well(seed, run);
        // the roots of two vats, the promises of those, and of what start returned
        assert!(run.exports <= 3, "seed {seed}: {} exports are still held", run.exports);
        assert!(run.promises <= 4, "seed {seed}: {} promises are still known", run.promises);
    });
}

#[test]
fn whatever_is_sent_arrives_as_what_it_is() {
    each_of(seeds() / 4, "programs/chaos.js", true, |seed, run| {
        all_well(seed, run);
        assert!(run.promises < 2000, "seed {seed}: {} promises are still known", run.promises);
    });
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let mut first = Vec::new();
    each_seed("programs/order.js", false, |_, run| first.push((run.turns, run.lines.clone())));
    let mut again = Vec::new();
    each_seed("programs/order.js", false, |_, run| again.push((run.turns, run.lines.clone())));
    assert_eq!(first, again);
    let lengths: std::collections::BTreeSet<u64> = first.iter().map(|f| f.0).collect();
    assert!(lengths.len() > 1, "the seeds choose different orders");
}
