//! The simulator's programs, with a store and deaths at any point: a share of the seeds. `drses sim --seeds N` runs more.
use sim::hunt::{Stage, on_big_stack};
use sim::programs::ALL;
use vat::program::{Fault, Texts, fault};

fn seeds(usual: u64) -> u64 {
    std::env::var("DRSES_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(usual)
}

fn survives(name: &str) {
    let program = ALL.iter().find(|p| p.name == name).expect("a program of the simulator");
    on_big_stack(|| {
        let stage = Stage::of(program).unwrap_or_else(|e| panic!("{e}"));
        let (mut turns, mut deaths) = (0, 0);
        for seed in 0..seeds(12) {
            let done = stage.run(seed).unwrap_or_else(|f| {
                let trace: Vec<&String> = f.trace.iter().rev().take(60).collect();
                let trace: Vec<&str> = trace.into_iter().rev().map(String::as_str).collect();
                panic!("{name}, seed {}: {}\n{:#?}\n{}", f.seed, f.what, f.faults, trace.join("\n"))
            });
            turns += done.turns;
            deaths += done.deaths;
        }
        assert!(turns > 0 && deaths > 0, "{turns} turns, {deaths} deaths");
        println!("{name}: {turns} turns, {deaths} deaths");
    });
}

macro_rules! tests {
    ($($name:ident)*) => { $(#[test] fn $name() { survives(stringify!($name)); })* };
}

tests! { once order grant home trade heap timers garbage many builds limits stuck }

struct Files;

impl Texts for Files {
    fn read(&mut self, file: &str) -> Result<String, Fault> {
        std::fs::read_to_string(file).map_err(|e| fault(file, "E-FILE", e.to_string(), "look"))
    }
    fn exists(&mut self, file: &str) -> bool {
        std::path::Path::new(file).is_file()
    }
}

/// The eighteen cases come out as they must, totals included, and each is told once, whatever dies.
#[test]
fn escrow() {
    let folder = format!("{}/../../examples/escrow", env!("CARGO_MANIFEST_DIR"));
    let expected = std::fs::read_to_string(format!("{folder}/cases.txt")).expect("what must be printed");
    let lines: Vec<&str> = expected.lines().collect();
    on_big_stack(|| {
        let stage = Stage::new(&format!("{folder}/main.js"), &mut Files).unwrap_or_else(|e| panic!("{e}"));
        let stage = stage.prints(&["cases"], &lines);
        for seed in 0..seeds(12).div_ceil(6) {
            let done = stage.run(seed).unwrap_or_else(|f| panic!("seed {}: {}\n{:#?}", f.seed, f.what, f.faults));
            println!("escrow: {} turns, {} deaths", done.turns, done.deaths);
        }
    });
}
