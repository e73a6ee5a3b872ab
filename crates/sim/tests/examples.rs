//! The examples whose outcome must not depend on the order of messages, in many seeded orders.
//!
//! What is printed in every order is what `drses run` prints. In the eighteen cases of `escrow` that says: each decision is as it must be, of
//! the two deals of E18 one succeeds, and what is in purses and in escrow adds up to what was issued.
//! A share of the seeds runs here; `DRSES_SEEDS` says how many instead.
use passable::Limits;
use sim::{Outcome, World};
use std::path::Path;
use std::sync::Arc;
use vat::Shared;
use vat::program::{Fault, Texts, fault};

const LIMITS: Limits = Limits { heap_bytes: 64 << 20, instructions: 1_000_000_000 };
/// More than any of these runs takes.
const MAX_TURNS: u64 = 1_000_000;
const STACK_BYTES: usize = 64 << 20;

struct Disk;

impl Texts for Disk {
    fn read(&mut self, file: &str) -> Result<String, Fault> {
        std::fs::read_to_string(file).map_err(|e| fault(file, "E-FILE", e.to_string(), "look for it"))
    }
    fn exists(&mut self, file: &str) -> bool {
        Path::new(file).is_file()
    }
}

/// The example prints in every order what the file says, and leaves nothing unhandled.
fn prints_in_every_order(example: &str, args: &[&str], file: &str) {
    let folder = format!("{}/../../examples/{example}", env!("CARGO_MANIFEST_DIR"));
    let expected = std::fs::read_to_string(format!("{folder}/{file}")).expect("what must be printed");
    let expected: Vec<&str> = expected.lines().collect();
    let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
    let seeds = std::env::var("DRSES_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(4);
    let shared = Arc::new(Shared::new(false).expect("a base"));
    let program = shared.install(&format!("{folder}/main.js"), None, &mut Disk).unwrap_or_else(|f| panic!("{f:?}"));
    let all = || {
        for seed in 0..seeds {
            let run = World::new(&shared, program, &args, LIMITS, seed).run(MAX_TURNS);
            assert_eq!(run.outcome, Outcome::Done, "seed {seed}");
            let lines: Vec<&str> = run.lines.iter().flat_map(|l| l.lines()).collect();
            assert_eq!(lines, expected, "seed {seed}");
            assert!(run.reports.is_empty(), "seed {seed}: {:?}", run.reports);
        }
    };
    std::thread::scope(|s| {
        let t = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(s, all).expect("a thread");
        t.join().unwrap_or_else(|e| std::panic::resume_unwind(e));
    });
}

#[test]
fn eighteen_cases_of_the_escrow() {
    prints_in_every_order("escrow", &["cases"], "cases.txt");
}

#[test]
fn the_table_of_the_contract_host() {
    prints_in_every_order("contract-host", &[], "expected.txt");
}
