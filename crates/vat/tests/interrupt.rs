//! A host ends the turn that runs: soon, whatever it is at, and as if it had never begun.
use engine::cx::Abort;
use engine::machine::compile_source;
use engine::syntax::{ast::Goal, diagnostic::Level};
use passable::VatId;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use vat::{Code, Ending, Quota, Shared, Vat};

/// What never ends by itself within the limits.
const ENDLESS: &[&str] = &[
    "for (;;);",
    "const f = () => Promise.resolve().then(f); f();",
    "globalThis.kept.length = 0; for (;;) 'ab'.repeat(1e7).replaceAll('a', 'bc').normalize('NFKD').split('b').sort().join();",
    "for (;;) JSON.parse(JSON.stringify(Array(1e6).fill({ a: [1, 'x'] })));",
    "Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1);",
    "const text = '[' + '{\"a\":[1]},'.repeat(1e5) + '1]'; for (;;) globalThis.kept = JSON.parse(text);",
];

#[test]
fn an_interrupted_turn_ends_and_leaves_no_trace() {
    let shared = Shared::new(false).expect("a base");
    let unit = |source: &str| {
        Code::Script(compile_source(source, "test", Goal::Script, Level::Ses, false).unwrap_or_else(|_| panic!("{source}")))
    };
    for source in ENDLESS {
        let mut vat = Vat::new(&shared, VatId(1), Quota { instructions: u64::MAX, ..Quota::default() }).expect("a vat");
        assert!(matches!(vat.run(unit("globalThis.kept = [1, 2, 3];")).ending, Ending::Done));
        let before = vat.save().image;
        let flag = Arc::new(AtomicBool::new(false));
        vat.machine().set_interrupt(flag.clone());
        let started = Instant::now();
        let ending = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(300));
                flag.store(true, Ordering::Relaxed);
            });
            vat.run(unit(source)).ending
        });
        let interrupted = matches!(&ending, Ending::Aborted(why) if why.message == Abort::Interrupted.message());
        assert!(interrupted, "{source}: {ending:?}");
        // much more than it takes, for slow machines
        assert!(started.elapsed() < Duration::from_secs(10), "{source}: {:?}", started.elapsed());
        assert!(vat.save().image == before, "{source}: bytes changed");
        flag.store(false, Ordering::Relaxed);
        let t = vat.run(unit("print(globalThis.kept.join());"));
        assert_eq!(t.output.first().map(|l| l.text.as_str()), Some("1,2,3"), "{source}: the vat goes on");
    }
}
