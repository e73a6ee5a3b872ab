//! How long natives work between two looks at the meter; built with the feature `probe` alone, for `cargo xtask figures`.
//!
//! In: every charge. Out: the longest time between two, and where the second was made.
//!
//! Must never be part of a build that runs programs: it reads the clock at each charge.
use std::cell::{Cell, RefCell};
// determinism: only in builds with the feature `probe`, which measure and run nobody's programs
use std::time::{Duration, Instant};

/// From here on the place of a charge is worth the time it takes to write it down.
const NOTED: Duration = Duration::from_millis(2);

thread_local! {
    // determinism: only in builds with the feature `probe`, which measure and run nobody's programs
    static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
    static WORST: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Begins to measure.
pub fn start() {
    WORST.set(Duration::ZERO);
    PLACE.with_borrow_mut(String::clear);
    // determinism: only in builds with the feature `probe`, which measure and run nobody's programs
    LAST.set(Some(Instant::now()));
}

/// The meter is looked at.
pub fn check() {
    let Some(last) = LAST.get() else { return };
    // determinism: only in builds with the feature `probe`, which measure and run nobody's programs
    let now = Instant::now();
    if now - last > WORST.get() {
        WORST.set(now - last);
        if now - last >= NOTED {
            PLACE.set(place());
        }
    }
    // determinism: only in builds with the feature `probe`, which measure and run nobody's programs
    LAST.set(Some(Instant::now()));
}

/// Ends it: the longest time between two charges, the last and this call included; where it ended, if long.
pub fn stop() -> (Duration, String) {
    check();
    LAST.set(None);
    (WORST.get(), PLACE.take())
}

/// The functions of the engine that led here, innermost first.
fn place() -> String {
    let text = std::backtrace::Backtrace::force_capture().to_string();
    let names = text.lines().filter_map(|l| l.split_once(": ").map(|(_, name)| name.trim()));
    let ours = names.filter(|n| n.contains("engine::") && !n.contains("probe") && !n.contains("charge"));
    ours.take(4).map(|n| n.rsplit("engine::").next().unwrap_or(n)).collect::<Vec<_>>().join(" < ")
}
