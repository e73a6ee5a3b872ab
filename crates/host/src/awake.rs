//! Waiting without sleep for what comes soon.
//!
//! In: a question that is asked again and again. Out: it came true, or it was time to sleep.
//!
//! To put a thread to sleep and wake it again costs tens of microseconds where the processor halts meanwhile, which is more than a short
//! turn and its answer take. Who mostly waited for a moment only asks again for as long as that, and sleeps if nothing has come.
//!
//! Invariants
//! - a thread whose waits are long asks once and sleeps;
//! - one thread of the process at a time waits so, and every few questions it leaves its processor to whoever wants it.
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A wait is short if it takes no longer; a sleep and a waking of both sides are within it.
const SHORT: Duration = Duration::from_micros(150);
/// A wait is counted as no longer than this: some short ones make up for it.
const LONG: Duration = Duration::from_millis(1);

/// It looks so often between two moments in which it leaves its processor to others.
const LOOKS: u32 = 4;

/// A thread of the process waits without sleep.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// How long a thread has waited of late.
pub(crate) struct Waits(Duration);

impl Default for Waits {
    fn default() -> Waits {
        Waits(LONG)
    }
}

impl Waits {
    /// Waits until `look` gives something: at once, or after `sleep`, which returns when it has come.
    pub fn wait<T>(&mut self, look: impl FnMut() -> Option<T>, sleep: impl FnOnce() -> T) -> T {
        self.wait_beside(&TAKEN, look, sleep)
    }

    fn wait_beside<T>(&mut self, taken: &AtomicBool, mut look: impl FnMut() -> Option<T>, sleep: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let mut found = look();
        if found.is_none() && self.0 <= SHORT && !taken.swap(true, Ordering::Relaxed) {
            let mut looks = 0u32;
            while found.is_none() && begun.elapsed() < SHORT {
                looks += 1;
                if looks.is_multiple_of(LOOKS) {
                    std::thread::yield_now();
                }
                found = look();
            }
            taken.store(false, Ordering::Relaxed);
        }
        let found = found.unwrap_or_else(sleep);
        self.0 = (self.0 * 3 + begun.elapsed().min(LONG)) / 4;
        found
    }

    /// The next wait is a sleep: what comes meanwhile is better taken together.
    pub fn sleep_next(&mut self) {
        self.0 = LONG;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn who_waited_long_sleeps_and_who_waited_shortly_looks_again() {
        let (mut waits, looked, taken) = (Waits::default(), Cell::new(0), AtomicBool::new(false));
        // how often it looked; none: it slept
        let wait = |waits: &mut Waits, there_at: u32, taken: &AtomicBool| {
            looked.set(0);
            let look = || {
                looked.set(looked.get() + 1);
                (looked.get() == there_at).then_some(Some(there_at))
            };
            let sleep = || {
                std::thread::sleep(Duration::from_millis(5));
                None
            };
            waits.wait_beside(taken, look, sleep)
        };
        assert_eq!(wait(&mut waits, 1, &taken), Some(1));
        assert_eq!(wait(&mut waits, 2, &taken), None, "its waits were long");
        // a thread that has no processor for a while is late at times
        let looks_again = |waits: &mut Waits| {
            waits.0 = Duration::ZERO;
            wait(waits, 2, &taken) == Some(2)
        };
        assert!((0..1000).any(|_| looks_again(&mut waits)));
        waits.0 = Duration::ZERO;
        assert_eq!(wait(&mut waits, 2, &AtomicBool::new(true)), None, "another one waits so");
        assert!(waits.0 > SHORT, "{:?}", waits.0);
        waits.0 = Duration::ZERO;
        assert_eq!(wait(&mut waits, u32::MAX, &taken), None, "nothing came");
        assert!(waits.0 > SHORT && !taken.load(Ordering::Relaxed));
        waits.0 = Duration::ZERO;
        waits.sleep_next();
        assert_eq!(wait(&mut waits, 2, &taken), None);
    }
}
