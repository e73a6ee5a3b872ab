//! How long a program's own code works between two looks at the meter: loops whose bodies are one statement many times over, and such
//! bodies alone, as long as a source may make them; and programs whose collections have much to do.
use super::{cpu, row, unit};
use passable::VatId;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use vat::{Code, Quota, Shared, Vat};

/// No stretch may be longer.
const MOST: Duration = Duration::from_millis(10);
/// Each program is ended after this long.
const RUN: Duration = Duration::from_millis(400);
/// What stands in a loop, and what stands alone.
const MANY: usize = 500;
const ALONE: usize = 100_000;

/// The loop at its end lasts until the meter has been looked at.
const SETUP: &str = "let x = 1, y = 0.5, i = 1, s = 'abc', v; const o = { a: 1, b: 2, c: 3 }, list = [1, 2, 3], u = 'abd';
const f = () => 1, g = (...all) => all, F = function () {}, long = 'a'.repeat(99), same = 'a'.repeat(98) + 'a', big = 10n ** 99n;
const wide = {}; for (let k = 0; k < 1000; k += 1) wide['k' + k] = k;
let deep = {}; for (let k = 0; k < 1000; k += 1) deep = { __proto__: deep };
const getter = { get a() { return 1; }, set a(v) {}, m() { return 1; } }, tag = t => t, odd = { toString: () => 'a', valueOf: () => 1 };
const shapes = []; for (let k = 0; k < 64; k += 1) shapes.push({ ['q' + k]: 1, a: 1 }); for (let k = 0; k < 9000; k += 1);";

/// One a line.
const STATEMENTS: &str = include_str!("code.txt");

/// Heaps whose collections have much to do: a name, MiB of the limit, a program.
const HEAPS: &[(&str, u64, &str)] = &[
    (
        "gibibytes of text",
        3500,
        "const keep = []; for (let k = 0; k < 40; k += 1) keep.push('x'.repeat(2 ** 26)); let v; for (;;) v = Array(4000).fill(0);",
    ),
    (
        "millions of records",
        3500,
        "const keep = []; for (let k = 0; k < 15e6; k += 1) keep.push({ k }); let v; for (;;) v = { v: [1] };",
    ),
    (
        "what JSON.parse made",
        3500,
        "const text = '[' + '{\"a\":[1,2]},'.repeat(2 ** 21) + '1]'; let v; for (;;) { v = JSON.parse(text); v = [v, {}]; }",
    ),
    (
        "a heap near its limit",
        200,
        "const keep = []; for (let k = 0; k < 1.4e6; k += 1) keep.push({ k, l: [k] }); let v; for (;;) v = { v: [1, 2, 3, 4] };",
    ),
];

thread_local! {
    static MAY_TAKE: Cell<Duration> = const { Cell::new(RUN) };
    static START: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static LAST: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static LONGEST: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static LOOKS: Cell<u32> = const { Cell::new(0) };
    static STOP: Arc<AtomicBool> = Arc::default();
}

fn looked() {
    let now = cpu();
    // what comes before the first look is the host's work, and the setup
    if LOOKS.get() > 0 {
        LONGEST.set(LONGEST.get().max(now.saturating_sub(LAST.get())));
    }
    LOOKS.set(LOOKS.get() + 1);
    if now.saturating_sub(START.get()) > MAY_TAKE.get() {
        STOP.with(|stop| stop.store(true, Ordering::Relaxed));
    }
    LAST.set(cpu());
}

/// The longest stretch of one program, what all of it took, and how many looks that were.
fn once(vat: &mut Vat, source: &str) -> (Duration, Duration, u32) {
    let code = Code::Script(unit(source));
    STOP.with(|stop| stop.store(false, Ordering::Relaxed));
    START.set(cpu());
    LAST.set(START.get());
    LONGEST.set(Duration::ZERO);
    LOOKS.set(0);
    vat.run(code);
    (LONGEST.get(), cpu().saturating_sub(START.get()), LOOKS.get())
}

/// The same of programs beside large heaps, which take seconds to become so.
pub fn heaps(filter: Option<&str>) {
    let shared = Shared::new(false).expect("a base");
    MAY_TAKE.set(Duration::from_secs(20));
    for (name, mib, source) in HEAPS.iter().filter(|h| filter.is_none_or(|f| h.0.contains(f))) {
        let mut vat = Vat::new(&shared, VatId(1), Quota { heap_bytes: mib << 20, instructions: u64::MAX }).expect("a vat");
        vat.machine().set_looked(looked);
        vat.machine().set_interrupt(STOP.with(Arc::clone));
        let (longest, ..) = once(&mut vat, source);
        let text = format!("{:.1} ms", longest.as_secs_f64() * 1e3);
        row(&format!("Longest stretch between looks at the meter beside {name}, CPU time"), "≤ 10 ms", &text, longest <= MOST);
    }
}

/// Runs the programs whose statements contain `filter`, or all.
pub fn code(filter: Option<&str>) {
    let shared = Shared::new(false).expect("a base");
    let mut vat = Vat::new(&shared, VatId(1), Quota { heap_bytes: 1 << 30, instructions: u64::MAX }).expect("a vat");
    vat.machine().set_looked(looked);
    vat.machine().set_interrupt(STOP.with(Arc::clone));
    let (mut longest, mut over, mut programs) = ((Duration::ZERO, String::new()), 0, 0);
    for statement in STATEMENTS.lines().filter(|s| filter.is_none_or(|f| s.contains(f))) {
        let whole = |before: &str, n: usize| format!("{SETUP}\n{before} {{ {} }}", statement.repeat(n));
        for (how, source) in
            [("loop", whole("for (;;)", MANY)), ("short loop", whole("for (;;)", 3)), ("alone", whole("", ALONE))]
        {
            let mut found = once(&mut vat, &source);
            for _ in 0..2 {
                // what is long by chance is not long each time
                if found.0 > MOST / 2 {
                    let again = once(&mut vat, &source);
                    found.0 = found.0.min(again.0);
                }
            }
            let ms = |d: Duration| d.as_secs_f64() * 1e3;
            eprintln!(
                "{:8.2} ms longest, {:8.3} ms a look: {how} of {statement}",
                ms(found.0),
                ms(found.1) / found.2.max(1) as f64
            );
            (programs, over) = (programs + 1, over + (found.0 > MOST) as u32);
            if found.0 > longest.0 {
                longest = (found.0, format!("a {how} of `{statement}`"));
            }
        }
    }
    let text = format!("{:.1} ms in {} ({programs} programs; {over} too long)", longest.0.as_secs_f64() * 1e3, longest.1);
    row("Longest stretch of a program's own code between looks at the meter, CPU time", "≤ 10 ms", &text, over == 0);
}
