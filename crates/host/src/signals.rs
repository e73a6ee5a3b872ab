//! Ctrl-C and SIGTERM: turns in hand are finished, what is durable is sealed, then the process ends.
//!
//! Invariants
//! - a turn that is not finished `GRACE` later is interrupted: it leaves no trace, and where there is a store its delivery
//!   is kept;
//! - a second signal ends the process at once: what is durable stays;
//! - where there are no vats to wait for (scripts, REPL) Ctrl-C interrupts the turn that runs.
use crate::output;
use crate::pool::{Mode, Pool, World};
use passable::{Ending, TurnOutcome};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long turns in hand may go on when the process is to end.
const GRACE: Duration = Duration::from_secs(5);

/// Ends the watch when it is dropped.
pub struct Watch(Option<Handle>);

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(h) = self.0.take() {
            h.close();
        }
    }
}

/// Calls `heard` with each signal, until the result is dropped.
fn listen(signals: &[i32], mut heard: impl FnMut(i32) + Send + 'static) -> Watch {
    let Ok(mut signals) = Signals::new(signals) else { return Watch(None) };
    let handle = signals.handle();
    let made = std::thread::Builder::new().name("signals".into()).spawn(move || signals.forever().for_each(&mut heard));
    if made.is_err() {
        handle.close();
        return Watch(None);
    }
    Watch(Some(handle))
}

/// Watches until the result is dropped.
pub fn watch(pool: &Arc<Pool>) -> Watch {
    let (pool, mut first) = (pool.clone(), true);
    listen(&[SIGINT, SIGTERM], move |signal| {
        if !std::mem::take(&mut first) {
            std::process::exit(128 + signal);
        }
        pool.ask_to_end(128 + signal);
    })
}

impl Pool {
    /// The process is asked to end: turns in hand are finished, no other begins.
    pub(crate) fn ask_to_end(self: &Arc<Self>, code: i32) {
        let mut w = self.lock();
        let code = if w.mode == Mode::Serve { 0 } else { code };
        w.closing = w.closing.or(Some(code));
        self.clock.notify_one();
    }

    /// As `ask_to_end`, with this exit code in any mode.
    pub(crate) fn ask_to_end_with(self: &Arc<Self>, code: i32) {
        let mut w = self.lock();
        w.closing = w.closing.or(Some(code));
        self.clock.notify_one();
    }

    /// Once the process has waited long enough for turns in hand, they are interrupted.
    pub(crate) fn hurry(&self, w: &mut World) {
        if w.closing.is_some() && w.closing_since.get_or_insert_with(Instant::now).elapsed() >= GRACE {
            self.interrupt.store(true, Ordering::Relaxed);
        }
    }
}

/// Was this turn ended since the process ends? Then it is as if it had not begun.
pub fn was_interrupted(w: &World, outcome: &TurnOutcome) -> bool {
    w.closing.is_some() && matches!(&outcome.ending, Ending::Aborted(a) if a.message == output::INTERRUPTED)
}

/// Turns one after the other, each of which Ctrl-C interrupts; between them, or a second time in one, it ends the process.
pub struct Turns {
    running: Arc<AtomicBool>,
    interrupt: Arc<AtomicBool>,
    _watch: Watch,
}

impl Turns {
    pub fn of(vat: &mut vat::Vat) -> Turns {
        let (running, interrupt) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        vat.machine().set_interrupt(interrupt.clone());
        let (r, i) = (running.clone(), interrupt.clone());
        let _watch = listen(&[SIGINT], move |signal| {
            if !r.load(Ordering::SeqCst) || i.swap(true, Ordering::SeqCst) {
                std::process::exit(128 + signal);
            }
        });
        Turns { running, interrupt, _watch }
    }

    /// Runs one; whether it was interrupted.
    pub fn run<T>(&self, turn: impl FnOnce() -> T) -> (T, bool) {
        self.interrupt.store(false, Ordering::SeqCst);
        self.running.store(true, Ordering::SeqCst);
        let result = turn();
        self.running.store(false, Ordering::SeqCst);
        (result, self.interrupt.load(Ordering::SeqCst))
    }
}

/// The exit code of a program that Ctrl-C ended.
pub const INTERRUPTED_CODE: i32 = 128 + SIGINT;
