//! Work of a native that cannot be cut into slices, done by a thread of its own while the turn's thread looks at the meter.
//!
//! In: a job that touches no heap. Out: what it gives, always the same for the same job.
//!
//! Invariants
//! - what a job costs is charged before it begins, so what a turn may do does not depend on how fast it is done;
//! - the turn waits at most `WAIT` between two looks; how often it looked leaves no trace, so that no clock is read that a program or a
//!   replay could notice; one that is ended meanwhile leaves the job, which ends by itself;
//! - a panic of the job is one of the turn.
//!
//! Must never know: what the job is.
use crate::cx::{Cx, Res};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::Builder;
use std::time::Duration;

/// Between two looks.
const WAIT: Duration = Duration::from_millis(2);
/// Of the thread: four times what the nesting that the front end allows takes in an unoptimised build.
const STACK_BYTES: usize = 8 << 20;

/// Does the job on another thread; on this one if none can be started.
pub fn run<T: Send + 'static>(cx: &mut Cx, job: impl FnOnce() -> T + Send + 'static) -> Res<T> {
    let job = Arc::new(Mutex::new(Some(job)));
    let (done, result) = sync_channel(1);
    let take = move |job: &Mutex<Option<_>>| job.lock().unwrap_or_else(|e| e.into_inner()).take();
    let theirs = job.clone();
    let started = Builder::new().name("compiler".to_owned()).stack_size(STACK_BYTES).spawn(move || {
        if let Some(job) = take(&theirs) {
            // nobody may wait any more
            let _ = done.send(catch_unwind(AssertUnwindSafe(job)));
        }
    });
    if started.is_err()
        && let Some(job) = take(&job)
    {
        return Ok(job());
    }
    loop {
        match result.recv_timeout(WAIT) {
            Ok(Ok(made)) => return Ok(made),
            Ok(Err(panic)) => resume_unwind(panic),
            Err(RecvTimeoutError::Timeout) => cx.look_again()?,
            // it sends before it ends
            Err(RecvTimeoutError::Disconnected) => return Err(cx.stop(crate::cx::Abort::Corrupt)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cx::Abort;
    use crate::engine::Engine;
    use std::cell::Cell;
    use std::sync::atomic::{AtomicBool, Ordering};

    thread_local! {
        static LOOKS: Cell<u32> = const { Cell::new(0) };
    }

    fn cx() -> Cx {
        let heap = cage::Heap::new(&crate::kinds::KINDS, cage::Limits { heap_bytes: 1 << 20 });
        Cx::new(&Engine::new().expect("an engine").into(), heap, Vec::new())
    }

    #[test]
    fn the_meter_is_looked_at_meanwhile_and_costs_nothing() {
        let mut cx = cx();
        cx.looked = Some(|| LOOKS.set(LOOKS.get() + 1));
        let before = cx.units_left();
        let made = run(&mut cx, || {
            std::thread::sleep(40 * WAIT);
            17
        });
        assert_eq!(made, Ok(17));
        assert!(LOOKS.get() >= 5, "{} looks", LOOKS.get());
        assert_eq!(cx.units_left(), before);
    }

    #[test]
    fn a_turn_that_is_ended_does_not_wait() {
        let mut cx = cx();
        let interrupt = Arc::new(AtomicBool::new(true));
        cx.interrupt = Some(interrupt.clone());
        let (release, held) = std::sync::mpsc::channel::<()>();
        let made = run(&mut cx, move || {
            let _ = held.recv();
        });
        assert!(made.is_err() && cx.abort == Some(Abort::Interrupted));
        drop(release);
        interrupt.store(false, Ordering::Relaxed);
    }

    #[test]
    fn a_panic_comes_through() {
        let mut cx = cx();
        let made = catch_unwind(AssertUnwindSafe(|| run(&mut cx, || assert_eq!(1, 2, "of the job"))));
        assert!(made.is_err_and(|p| p.downcast_ref::<String>().is_some_and(|s| s.contains("of the job"))));
    }
}
