//! Random operation sequences on a heap and on a plain model of it.
mod kit;
#[path = "kit/world.rs"]
mod world;
use cage::Limits;
use kit::*;
use world::World;

fn run(seed: u64, steps: u32, limits: Limits) {
    run_with(seed, steps, limits, false);
}

fn run_with(seed: u64, steps: u32, limits: Limits, stress: bool) {
    let mut w = World::new(seed, limits);
    w.stress = stress;
    w.heap.set_stress(stress);
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for _ in 0..steps {
            w.step();
        }
        w.commit().unwrap_or_else(|_| w.rollback());
    }));
    if let Err(e) = done {
        eprintln!("seed {seed}, the last steps: {:#?}", &w.log[w.log.len().saturating_sub(20)..]);
        std::panic::resume_unwind(e);
    }
}

fn seeds(quick: u64) -> std::ops::Range<u64> {
    let n = std::env::var("CAGE_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(quick);
    0..n
}

#[test]
fn heap_and_model_agree() {
    for seed in seeds(300) {
        run(seed, 400, BIG_LIMIT);
    }
}

#[test]
fn heap_and_model_agree_under_a_small_limit() {
    for seed in seeds(100) {
        run(1_000_000 + seed, 600, Limits { heap_bytes: 1 << 20 });
    }
}

#[test]
fn heap_and_model_agree_when_everything_moves() {
    for seed in seeds(150) {
        run_with(2_000_000 + seed, 400, BIG_LIMIT, true);
    }
}
