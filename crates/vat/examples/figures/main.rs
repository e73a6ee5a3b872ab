//! The figures of one vat that need to look inside: `cargo run --release -p drses-vat --example figures -- PART`.
//!
//! Prints one row a figure: `what | target | measured | yes or NO`. Times are CPU time of this thread unless the row says otherwise.
//! `cargo xtask figures` runs all parts and keeps the rows.
mod code;
mod heap;
mod images;
mod natives;

use engine::machine::{Machine, compile_source};
use engine::syntax::{ast::Goal, diagnostic::Level};
use passable::TurnOutcome;
use std::time::Duration;
use vat::{Code, CodeUnit, Ending, Vat};

/// Natives nest on the Rust stack.
const STACK: usize = 64 << 20;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<String> = args;
    let t = std::thread::Builder::new().stack_size(STACK).spawn(move || part(&words));
    t.expect("a thread").join().expect("a figure");
}

fn part(words: &[String]) {
    let count = words.get(1).and_then(|n| n.parse().ok());
    match words.first().map(String::as_str) {
        Some("cages") => heap::cages(),
        Some("records") => heap::records(),
        Some("keys") => heap::keys(),
        Some("work") => heap::work(),
        Some("images") => images::run(count.unwrap_or(10_000), words.get(2).and_then(|n| n.parse().ok()).unwrap_or(1 << 32)),
        Some("code") => code::code(words.get(1).map(String::as_str)),
        Some("heaps") => code::heaps(words.get(1).map(String::as_str)),
        Some("natives") => natives::natives(words.get(1).map(String::as_str)),
        _ => panic!(
            "PART is cages, records, keys, work, code [PART OF A STATEMENT], heaps [NAME], natives [NAME or I/N] or images [N [FIRST SEED]]"
        ),
    }
}

/// One row.
fn row(what: &str, target: &str, measured: &str, good: bool) {
    println!("{what} | {target} | {measured} | {}", if good { "yes" } else { "NO" });
}

fn unit(source: &str) -> CodeUnit {
    match compile_source(source, "figure", Goal::Script, Level::Ses, false) {
        Ok(unit) => unit,
        Err(errors) => panic!("{}", errors[0].message),
    }
}

/// One turn that must end well.
fn run(vat: &mut Vat, source: &str) -> TurnOutcome {
    let t = vat.run(Code::Script(unit(source)));
    assert!(matches!(t.ending, Ending::Done), "{:?} in {source}", t.ending);
    t
}

/// A whole collection, as one turn; the bytes in use after it.
fn collected(machine: &mut Machine) -> u64 {
    machine.turn(|cx, m| {
        cx.native_depth = 0;
        cx.heap.collect_full(m, engine::cage::layout::STACK, &mut []).map_err(|_| cx.stop(engine::cx::Abort::Heap))
    });
    machine.heap_stats().old_bytes
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}
