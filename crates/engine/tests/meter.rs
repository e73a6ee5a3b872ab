#![forbid(unsafe_code)]
//! What programs pay for: code without loops and calls as well, and exceptions, constants and operators that cost more than others.
use engine::engine::Engine;
use engine::machine::{Base, Machine, Outcome, Quota};
use std::sync::Arc;

/// Whether the program came to its end, and the units it took.
fn run(source: &str, instructions: u64) -> (bool, u64) {
    let engine = Arc::new(Engine::new().expect("code space"));
    let base = Base::build(&engine, false).expect("the realm is built");
    let mut machine = Machine::new(&engine, &base, Quota { heap_bytes: 64 << 20, instructions }).expect("a machine");
    let turn = machine.run_script(source, "test");
    (matches!(turn.outcome, Outcome::Done(())), turn.instructions)
}

fn takes(source: &str, at_least: u64) {
    let (done, units) = run(source, u64::MAX);
    assert!(done, "{}", &source[..100.min(source.len())]);
    assert!(units >= at_least, "{units} units, not {at_least}: {}", &source[..100.min(source.len())]);
}

#[test]
fn a_long_way_without_a_call_takes_fuel() {
    takes(&format!("let x = 0; {}", "x = x + 1;".repeat(64_000)), 1000);
    takes(&format!("let x = 0; {}", "if (x > 1) x = 2;".repeat(64_000)), 1000);
    takes(&format!("let x = 0; for (let i = 0; i < 10; i += 1) {{ {} }}", "x = x + 1;".repeat(6400)), 1000);
    takes(&format!("const f = x => {{ {} }}; for (let i = 0; i < 10; i += 1) f(i);", "x = x + 1;".repeat(6400)), 1000);
    takes(&format!("const list = [{}];", "{ a: [1] },".repeat(64_000)), 4000);
}

#[test]
fn a_long_way_is_ended_by_the_limit() {
    let source = format!("let x = 0; for (let i = 0; i < 10; i += 1) {{ {} }}", "x = x + 1;".repeat(64_000));
    let (done, _) = run(&source, 5000);
    assert!(!done);
}

#[test]
fn operators_on_texts_take_fuel() {
    for text in ["v = s + 0.5;", "v = +s;", "v = s < u;", "v = `${s}${u}`;", "v = s == 1;", "v = 2 ** 0.3;", "if (s < u) v = 1;"]
    {
        takes(&format!("let s = '1.5', u = '2', v; {}", text.repeat(2000)), 2000);
    }
}

#[test]
fn an_exception_pays_for_the_handlers_that_are_looked_at() {
    let each = "try { throw 1; } catch { x = 1; }";
    takes(&format!("let x; {}", each.repeat(2000)), 2000 * 2000 / 64);
}

#[test]
fn constants_take_fuel() {
    takes(&format!("let t = () => 1; const f = () => [{}];", "t`a${1}b`,".repeat(2000)), 8 * 2000);
}

#[test]
fn a_sparse_array_that_gets_shorter_pays_for_its_keys() {
    let sparse = "const a = []; for (let i = 0; i < 1e5; i += 1) a.push(i); Object.defineProperty(a, 5, { get() {}, configurable: true }); delete a[5];";
    let (_, made) = run(sparse, u64::MAX);
    takes(&format!("{sparse} a.length = 6;"), made + 50_000);
}
