//! How long natives work between two looks at the meter, when their arguments are as large as they may be.
//!
//! Every function that can be reached from the global object is called with large receivers and arguments of many kinds, each call in a
//! turn of its own that is rolled back. Time is CPU time of this thread, from one look at the meter to the next.
use super::{cpu, row, run};
use engine::cx::{Abort, Cx, Res};
use engine::machine::Machine;
use engine::{array, cage::Mem, cage::value, interp, object, roots, string};
use passable::VatId;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;
use vat::{Quota, Shared, Vat};

const SETUP: &str = include_str!("natives.js");
/// No stretch may be longer.
const MOST: Duration = Duration::from_millis(10);
/// Units a call may take; the setup takes more.
const UNITS: u64 = 6_000_000;
const HEAP: u64 = 3 << 30;

thread_local! {
    static LAST: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static LONGEST: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

fn looked() {
    let now = cpu();
    LONGEST.set(LONGEST.get().max(now.saturating_sub(LAST.get())));
    LAST.set(now);
}

/// A list of texts that the setup left under a name of the global object.
fn texts(machine: &mut Machine, name: &str) -> Vec<String> {
    let mut all = Vec::new();
    machine.look(|cx, m| {
        let global = roots::get(m, roots::R_GLOBAL);
        let list = object::get_str(cx, m, global, name).and_then(|list| array::values(cx, m, list)).expect("a list");
        all = list.iter().map(|v| string::to_rust(cx, m, *v).expect("a text")).collect();
    });
    all
}

/// The longest stretch of one call, and how it ended.
fn call(machine: &mut Machine, words: [i32; 4]) -> Duration {
    machine.turn(|cx: &mut Cx, m: Mem| -> Res<()> {
        cx.set_units(UNITS);
        let global = roots::get(m, roots::R_GLOBAL);
        let go = object::get_str(cx, m, global, "go")?;
        LAST.set(cpu());
        LONGEST.set(Duration::ZERO);
        let _ = interp::call(cx, m, go, value::UNDEF, &words.map(value::int));
        looked();
        // undone, so that the next call finds the same
        Err(cx.stop(Abort::Interrupted))
    });
    LONGEST.get()
}

/// Calls the natives whose names contain `filter` (all, if there is none).
pub fn natives(filter: Option<&str>) {
    let shared = Shared::new(false).expect("a base");
    let quota = Quota { heap_bytes: HEAP, instructions: u64::MAX };
    let mut vat = Vat::new(&shared, VatId(1), quota).expect("a vat");
    run(&mut vat, SETUP);
    let (functions, values) = (texts(vat.machine(), "functionNames"), texts(vat.machine(), "valueNames"));
    let machine = vat.machine();
    machine.set_looked(looked);
    let mut worst: BTreeMap<&str, (Duration, String)> = BTreeMap::new();
    let mut calls = 0;
    let name = |i: i32| values.get(i as usize).map_or("", String::as_str);
    let n = values.len() as i32;
    for (f, function) in functions.iter().enumerate().filter(|(_, name)| filter.is_none_or(|part| name.contains(part))) {
        for (this, a, b) in cases(n, f as i32) {
            let mut took = call(machine, [f as i32, this, a, b]);
            if took > MOST {
                // what is long once by chance is not long twice
                took = took.min(call(machine, [f as i32, this, a, b]));
            }
            calls += 1;
            let entry = worst.entry(function).or_default();
            if took > entry.0 {
                *entry = (took, format!("this {}, arguments {} {}", name(this), name(a), name(b)));
            }
        }
    }
    let mut all: Vec<_> = worst.iter().collect();
    all.sort_by_key(|x| std::cmp::Reverse(x.1.0));
    for (function, (took, how)) in all.iter().take(40).filter(|x| x.1.0 * 2 > MOST) {
        eprintln!("{:6.1} ms {function}: {how}", took.as_secs_f64() * 1e3);
    }
    let (function, (took, _)) = all.first().expect("there are natives");
    let text = format!("{:.1} ms in `{function}` ({} natives, {calls} calls)", took.as_secs_f64() * 1e3, all.len());
    row("Longest stretch between looks at the meter, CPU time", "≤ 10 ms", &text, *took <= MOST);
}

/// Receiver and two arguments, by number; -1 is undefined, -2 stands for no argument. Every value is receiver, first argument and
/// second argument once or more; which come together differs from function to function.
fn cases(n: i32, f: i32) -> Vec<(i32, i32, i32)> {
    let mut all = vec![(-1, -2, -2)];
    for v in 0..n {
        all.push((v, if v % 5 == 0 { -2 } else { (v * 7 + f) % n }, if v % 3 == 0 { -2 } else { (v * 11 + f * 3) % n }));
        all.push((-1, v, if v % 3 == 0 { -2 } else { (v * 13 + f) % n }));
    }
    all
}
