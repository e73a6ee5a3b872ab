//! How long natives work between two looks at the meter, when their arguments are as large as they may be.
//!
//! Every function that can be reached from the global object is called with large receivers and arguments of many kinds, each call in a
//! turn of its own that is rolled back. Time is CPU time of this thread, from one look at the meter to the next.
//!
//! Which values meet is found out: each value is receiver once and first argument once; those that kept the native longest then meet
//! all values as the next argument. A native that is done at once with everything costs no time this way.
use super::{cpu, row, run};
use engine::cx::{Abort, Cx, Res};
use engine::machine::Machine;
use engine::{array, cage::Mem, cage::value, interp, object, roots, string};
use passable::VatId;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use vat::{Quota, Shared, Vat};

const SETUP: &str = include_str!("natives.js");
/// No stretch may be longer.
const MOST: Duration = Duration::from_millis(10);
/// A call is ended after this long when it is to be found out what takes long at all …
const SHORT: Duration = Duration::from_millis(60);
/// … and after this long where something does: what comes last in a native, such as freeing, shall be seen too.
const LONG: Duration = Duration::from_millis(500);
/// Each search but the first is ended after this long.
const SEARCH: Duration = Duration::from_millis(700);
/// How many of what takes longest are called with all values as the next argument.
const BEST: usize = 4;
const HEAP: u64 = 3 << 30;
/// What a call may take of the heap beside the values.
const ROOM: u64 = 512 << 20;
/// As a number of a value: undefined; no argument.
const UNDEFINED: i32 = -1;
const NONE: i32 = -2;

thread_local! {
    /// The way to where a longer stretch ends is shown.
    static SHOWN: Cell<Duration> = const { Cell::new(Duration::MAX) };
    static MAY_TAKE: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static START: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static LAST: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static LONGEST: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static STOP: Arc<AtomicBool> = Arc::default();
}

fn looked() {
    let now = cpu();
    let stretch = now.saturating_sub(LAST.get());
    LONGEST.set(LONGEST.get().max(stretch));
    if stretch > SHOWN.get() {
        let here = std::backtrace::Backtrace::force_capture().to_string();
        let ours = here.lines().filter(|l| l.contains(": engine::") || l.contains("crates/engine")).take(24);
        eprintln!("{:.1} ms end at\n{}", stretch.as_secs_f64() * 1e3, ours.collect::<Vec<_>>().join("\n"));
        LONGEST.set(LONGEST.get().max(stretch));
    }
    if now.saturating_sub(START.get()) > MAY_TAKE.get() {
        STOP.with(|stop| stop.store(true, Ordering::Relaxed));
    }
    // what a look itself takes is not work of the native
    LAST.set(cpu());
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

/// Receiver and two arguments, by number.
type Case = [i32; 3];

/// What one native did.
#[derive(Default)]
struct Found {
    longest: Duration,
    how: Case,
    calls: u32,
    spent: Duration,
}

struct Caller<'m> {
    machine: &'m mut Machine,
    values: i32,
    /// Tells where long stretches end.
    show: bool,
}

impl Caller<'_> {
    /// The longest stretch of one call, and what all of it took.
    fn once(&mut self, function: i32, case: Case) -> (Duration, Duration) {
        let mut took = Duration::ZERO;
        self.machine.turn(|cx: &mut Cx, m: Mem| -> Res<()> {
            let global = roots::get(m, roots::R_GLOBAL);
            let go = object::get_str(cx, m, global, "go")?;
            STOP.with(|stop| stop.store(false, Ordering::Relaxed));
            START.set(cpu());
            LAST.set(START.get());
            LONGEST.set(Duration::ZERO);
            let words = [function, case[0], case[1], case[2]];
            let _ = interp::call(cx, m, go, value::UNDEF, &words.map(value::int));
            looked();
            took = cpu().saturating_sub(START.get());
            // undone, so that the next call finds the same
            Err(cx.stop(Abort::Interrupted))
        });
        (LONGEST.get(), took)
    }

    fn call(&mut self, function: i32, case: Case, found: &mut Found) -> Duration {
        let (mut stretch, mut took) = self.once(function, case);
        for _ in 0..2 {
            // what is long by chance is not long each time
            if stretch > MOST / 2 && stretch > found.longest {
                let again = self.once(function, case);
                stretch = stretch.min(again.0);
                took += again.1;
            }
        }
        found.calls += 1;
        found.spent += took;
        if stretch > found.longest && stretch > MOST / 2 && self.show {
            SHOWN.set(stretch / 4 * 3);
            self.once(function, case);
            SHOWN.set(Duration::MAX);
        }
        if stretch > found.longest {
            found.longest = stretch;
            found.how = case;
        }
        took
    }

    /// Calls `function` with each of `cases`, for a short time; then those that took longest for a long one. They come first in the
    /// answer.
    fn all(&mut self, function: i32, cases: impl Iterator<Item = Case>, found: &mut Found, may_take: Duration) -> Vec<Case> {
        let (mut took, start) = (Vec::new(), found.spent);
        MAY_TAKE.set(SHORT);
        for case in cases {
            if found.spent - start > may_take {
                break;
            }
            took.push((self.call(function, case, found), case));
        }
        took.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
        took.truncate(BEST);
        MAY_TAKE.set(LONG);
        for (time, case) in &mut took {
            if *time > SHORT {
                *time = self.call(function, *case, found);
            }
        }
        took.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
        took.into_iter().map(|(_, case)| case).collect()
    }

    fn search(&mut self, function: i32) -> Found {
        let (n, mut found) = (self.values, Found::default());
        let alone = (0..n).flat_map(|v| [[v, NONE, NONE], [UNDEFINED, v, NONE]]);
        let first = std::iter::once([UNDEFINED, NONE, NONE]).chain(alone);
        let one = self.all(function, first, &mut found, Duration::MAX);
        let next = |case: &Case, v: i32| if case[1] == NONE { [case[0], v, NONE] } else { [case[0], case[1], v] };
        // each value meets each of the best before the next value comes
        let pairs = (0..n).flat_map(|v| one.iter().map(move |case| next(case, v)));
        let two = self.all(function, pairs, &mut found, SEARCH);
        let open: Vec<Case> = two.into_iter().filter(|case| case[2] == NONE).collect();
        self.all(function, (0..n).flat_map(|v| open.iter().map(move |case| next(case, v))), &mut found, SEARCH);
        found
    }
}

/// Calls the natives whose names contain `filter` (all, if there is none); of these it also tells where long stretches end. `I/N`: each
/// Nth of all from the Ith on, so that several processes share them.
pub fn natives(filter: Option<&str>) {
    let share = filter.and_then(|f| f.split_once('/')).and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    let (share, filter): ((usize, usize), _) = (share.unwrap_or((1, 1)), filter.filter(|_| share.is_none()));
    let shared = Shared::new(false).expect("a base");
    let mut vat = Vat::new(&shared, VatId(1), Quota { heap_bytes: HEAP, instructions: u64::MAX }).expect("a vat");
    run(&mut vat, SETUP);
    let (functions, values) = (texts(vat.machine(), "functionNames"), texts(vat.machine(), "valueNames"));
    let heap_bytes = vat.heap_bytes() + ROOM;
    vat.set_quota(Quota { heap_bytes, instructions: u64::MAX });
    let machine = vat.machine();
    machine.set_looked(looked);
    machine.set_interrupt(STOP.with(Arc::clone));
    let mut caller = Caller { machine, values: values.len() as i32, show: filter.is_some() };
    let chosen: Vec<usize> = (share.0.max(1) - 1..functions.len())
        .step_by(share.1.max(1))
        .filter(|f| filter.is_none_or(|part| functions[*f].contains(part)))
        .collect();
    let name = |i: i32| match i {
        NONE => "nothing",
        UNDEFINED => "undefined",
        i => values.get(i as usize).map_or("", String::as_str),
    };
    let mut all = Vec::new();
    for (done, f) in chosen.iter().enumerate() {
        let found = caller.search(*f as i32);
        let how = format!("this {}, arguments {} {}", name(found.how[0]), name(found.how[1]), name(found.how[2]));
        let (longest, spent) = (found.longest.as_secs_f64() * 1e3, found.spent.as_secs_f64());
        let place = format!("[{}/{}]", done + 1, chosen.len());
        eprintln!("{place} {longest:6.1} ms {}: {how} ({} calls, {spent:.1} s)", functions[*f], found.calls);
        all.push((found, &functions[*f], how));
    }
    all.sort_by_key(|x| std::cmp::Reverse(x.0.longest));
    report(&all);
}

fn report(all: &[(Found, &String, String)]) {
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    eprintln!("more than half of what may be:");
    for (found, function, how) in all.iter().filter(|x| x.0.longest * 2 > MOST) {
        eprintln!("{:6.1} ms {function}: {how}", ms(found.longest));
    }
    let (found, function, _) = all.first().expect("there are natives");
    let calls: u32 = all.iter().map(|x| x.0.calls).sum();
    let over = all.iter().filter(|x| x.0.longest > MOST).count();
    let text = format!("{:.1} ms in `{function}` ({} natives, {calls} calls; {over} too long)", ms(found.longest), all.len());
    row("Longest stretch between looks at the meter, CPU time", "≤ 10 ms", &text, over == 0);
}
