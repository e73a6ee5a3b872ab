#![forbid(unsafe_code)]
//! Programs that make much garbage of every kind in heaps of a few MiB.
use engine::engine::Engine;
use engine::machine::{Base, Machine, Outcome, Quota};
use std::sync::Arc;

fn run(heap_mib: u64, source: &str) -> String {
    let engine = Arc::new(Engine::new().expect("code space"));
    let base = Base::build(&engine, false).expect("the realm is built");
    let quota = Quota { heap_bytes: heap_mib << 20, instructions: 3_000_000_000 };
    let mut machine = Machine::new(&engine, &base, quota).expect("a machine");
    let turn = machine.run_script(source, "test");
    let stats = machine.heap_stats();
    let how = match turn.outcome {
        Outcome::Done(()) => "done".to_owned(),
        Outcome::Threw(what) => what,
        Outcome::Aborted(why) => why.message().to_owned(),
        _ => "?".to_owned(),
    };
    eprintln!("{how}: {stats:?}");
    how
}

#[test]
fn names_that_are_looked_up_once() {
    for mib in [4, 16] {
        let how = run(mib, "const o = {}; for (let i = 0; i < 1000000; i += 1) if (o['k' + i] !== undefined) print('?');");
        assert_eq!(how, "done", "{mib} MiB");
    }
}
