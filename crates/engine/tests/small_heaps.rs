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

#[test]
fn garbage_of_every_kind_is_found() {
    // 400,000 of each, which together need many times the heap
    let programs = [
        ("weak keys", "const w = new WeakMap(); for (let i = 0; i < 400000; i += 1) w.set({}, i);"),
        (
            "weak sets",
            "const w = new WeakSet(); for (let i = 0; i < 400000; i += 1) { const a = {}; w.add(a); if (w.has({}) || !w.has(a)) print('?'); w.delete(a); }",
        ),
        (
            "weak chains",
            "for (let i = 0; i < 20000; i += 1) { const w = new WeakMap(); let k = w; for (let j = 0; j < 20; j += 1) { const n = {}; w.set(k, n); k = n; } }",
        ),
        ("names made and deleted", "const o = {}; for (let i = 0; i < 400000; i += 1) { o['k' + i] = i; delete o['k' + i]; }"),
        (
            "names asked for",
            "const o = { a: 1 }; for (let i = 0; i < 400000; i += 1) if ('k' + i in o || Object.hasOwn(o, 'h' + i) || o.hasOwnProperty('p' + i)) print('?');",
        ),
    ];
    for (what, program) in programs {
        assert_eq!(run(4, program), "done", "{what}");
    }
}

#[test]
fn a_long_chain_of_weak_keys_is_kept() {
    // each key is the value of the one before: the table is old, keys and values are young
    let how = run(
        64,
        "const w = new WeakMap(), first = {}; let k = first;
         for (let i = 0; i < 60000; i += 1) { const n = { i }; w.set(k, n); k = n; }
         for (let i = 0; i < 60000; i += 1) w.set({}, { i });
         let n = 0; for (let k = first; k !== undefined; k = w.get(k)) { if (n > 0 && k.i !== n - 1) throw Error('another'); n += 1; }
         if (n !== 60001) throw Error(`${n} are left`);",
    );
    assert_eq!(how, "done");
}

#[test]
fn a_name_that_is_known_nowhere_is_still_sent() {
    let how = run(
        16,
        "const names = []; const far = { ['fo' + 'o' + 17]() { names.push('called'); } };
         const sender = E(far); const name = ['fo', 'o17'].join('');
         if (typeof sender[['never', 'heard', 'of'].join('')] !== 'function') throw Error('no method');
         if (far[['never', 'heard', 'of', 'it'].join('')] !== undefined) throw Error('a property');
         const heir = { __proto__: sender }; if (typeof heir[['nor', 'that'].join('')] !== 'function') throw Error('not inherited');
         const list = [7]; if (list[['', '0'].join('')] !== 7 || [...'ab'.repeat(1)].length !== 2) throw Error('an index');
         if ('ab'[['len', 'gth'].join('')] !== 2) throw Error('a length');",
    );
    assert_eq!(how, "done");
}
