//! Work and memory stay in proportion to what a program does.
use engine::machine::compile_source;
use engine::module::{self, ModuleIn};
use engine::syntax::{ast::Goal, diagnostic::Level};
use passable::VatId;
use vat::{Code, Ending, Quota, Shared, Vat};

const ROOMY: u64 = 1_000_000_000;

/// How a script ends that may use so much.
fn ending(source: &str, heap_bytes: u64, instructions: u64) -> Ending {
    let shared = Shared::new(false).expect("a base");
    let mut vat = Vat::new(&shared, VatId(1), Quota { heap_bytes, instructions }).expect("a vat");
    let unit = compile_source(source, "script", Goal::Script, Level::Ses, false).expect("it parses");
    let ending = vat.run(Code::Script(unit)).ending;
    vat.machine().verify().expect("a sound heap");
    ending
}

#[test]
fn what_a_loop_makes_and_forgets_is_given_back_though_it_makes_no_object() {
    let programs = [
        "const o = {}; for (let i = 0; i < 3e5; i += 1) { o['k' + i] = 1; delete o['k' + i]; }",
        "const o = {}; let n = 0; for (let i = 0; i < 3e5; i += 1) { if (o['k' + i]) { n += 1; } }",
        "let x = 1n; for (let i = 0; i < 5e5; i += 1) { x = (x * 12345678901234567891n + 1n) % 340282366920938463463374607431768211297n; }",
        "let s = ''; for (let i = 0; i < 5e5; i += 1) { s = `${i} and ${i + 1} are numbers`; }",
    ];
    for program in programs {
        let ended = ending(program, 24 << 20, ROOMY);
        assert!(matches!(ended, Ending::Done), "{program}: {ended:?}");
    }
}

#[test]
fn a_text_that_grows_unit_by_unit_has_few_leaves() {
    // a leaf for each unit takes 24 bytes of it
    let program = "let s = ''; for (let i = 0; i < 1e6; i += 1) { s += 'x'; } if (s.indexOf('y') !== -1 || s.length !== 1e6) { throw s.length; }";
    assert!(matches!(ending(program, 12 << 20, ROOMY), Ending::Done));
}

#[test]
fn pairs_of_a_weak_map_with_dead_keys_are_given_back() {
    let program = "const w = new WeakMap(); for (let i = 0; i < 3e5; i += 1) { w.set({}, {}); }";
    assert!(matches!(ending(program, 24 << 20, ROOMY), Ending::Done));
}

#[test]
fn a_chain_of_promises_costs_its_length() {
    let program = "
        const makers = [];
        const promises = [];
        for (let i = 0; i < 20000; i += 1) { promises.push(new Promise((resolve) => { makers.push(resolve); })); }
        for (let i = 1; i < 20000; i += 1) { makers[i](promises[i - 1]); }
        Promise.resolve().then(() => makers[0](1));
        promises[19999].then((v) => { if (v !== 1) { throw Error('lost'); } });
    ";
    assert!(matches!(ending(program, 64 << 20, 20_000_000), Ending::Done));
}

#[test]
fn promises_resolved_in_a_circle_stay_pending() {
    let program = "
        const kits = [0, 1, 2, 3].map(() => { const kit = {}; kit.promise = new Promise((r) => { kit.resolve = r; }); return kit; });
        kits.forEach((kit, i) => { kit.resolve(kits[(i + 1) % 4].promise); kit.promise.then(() => { throw Error('settled'); }); });
    ";
    assert!(matches!(ending(program, 64 << 20, 1_000_000), Ending::Done));
}

/// A chain of `n` modules, each of which hands on what the next gives: its first names are found at its end.
fn chain(shared: &Shared, n: usize, link: &str, last: &str) -> Vec<ModuleIn> {
    let text = |i: usize| match i {
        0 => "import { x } from 'next'; if (x === undefined) { throw Error('lost'); }",
        i if i + 1 == n => last,
        _ => link,
    };
    let unit = |i: usize| {
        let unit = compile_source(text(i), "module", Goal::Module, Level::Ses, false).expect("it parses");
        shared.link(unit).expect("room for code")
    };
    // the modules between are one text
    let between = unit(1);
    let of = |i: usize| if i == 0 || i + 1 == n { unit(i) } else { between.clone() };
    (0..n).map(|i| ModuleIn { unit: of(i), requests: if i + 1 < n { vec![i + 1] } else { Vec::new() } }).collect()
}

#[test]
fn chains_of_exports_are_followed_without_recursion() {
    let shared = Shared::new(false).expect("a base");
    let links = [
        ("export { x } from 'next';", "export const x = 1;"),
        ("export * from 'next';", "export const x = 1;"),
        ("import { x } from 'next'; export { x };", "export const x = 1;"),
        ("export * as x from 'next';", "export const x = 1;"),
    ];
    for (link, last) in links {
        let graph = chain(&shared, 10_000, link, last);
        assert!(module::missing_names(&graph).is_empty(), "{link}");
        let mut vat = Vat::new(&shared, VatId(1), Quota::default()).expect("a vat");
        let ended = vat.run(Code::Modules(graph)).ending;
        assert!(matches!(ended, Ending::Done), "{link}: {ended:?}");
    }
    let graph = chain(&shared, 10_000, "export { x } from 'next';", "export const y = 1;");
    assert_eq!(module::missing_names(&graph).len(), 9_999);
}
