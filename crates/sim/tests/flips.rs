//! Bits of the disk flip in runs, and the store says so or never relied on them.
use sim::hunt::{MAX_TURNS, on_big_stack};
use sim::plan::Plan;
use sim::programs::{Known, LIMITS};
use sim::{Outcome, World};
use std::sync::Arc;
use vat::Shared;

#[test]
fn a_flipped_bit_is_noticed_or_was_never_relied_on() {
    on_big_stack(|| {
        let shared = Arc::new(Shared::new(false).expect("a base"));
        let program = shared.install("once.js", None, &mut Known).unwrap_or_else(|f| panic!("{f:?}"));
        let (mut flipped, mut noticed) = (0, 0);
        for seed in 0..100 {
            let mut w = World::durable(&shared, program, &[], LIMITS, seed, Plan::draw(seed));
            w.tell = true;
            let run = w.run(MAX_TURNS);
            // what was given up, since the process died of it too often, may be missed by the program
            assert!(run.outcome == Outcome::Done || run.parked, "seed {seed}: {:?} {:#?}", run.outcome, run.trace);
            let told = |what: &str| run.trace.iter().filter(|line| line.contains(what)).count();
            flipped += told("a bit flips in ");
            noticed += told("the flipped bit is noticed: ");
        }
        println!("{flipped} bits flipped, {noticed} of them were noticed");
        assert!(noticed > 0 && flipped > noticed, "{flipped} bits flipped, {noticed} of them were noticed");
    });
}
