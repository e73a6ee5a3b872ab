//! Where a thread that runs turns waits for one.
//!
//! In: the world, which it lets go. Out: the world, when it was called.
//!
//! Invariant: whoever is called between letting the world go and its sleep does not sleep.
use crate::awake::Waits;
use crate::pool::{Pool, World};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, MutexGuard};

#[derive(Default)]
pub(crate) struct Seat {
    called: AtomicBool,
    changed: Condvar,
}

impl Seat {
    pub fn call(&self) {
        self.called.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// Waits, without sleep if it was called soon of late.
    pub fn wait<'a>(&self, pool: &'a Pool, w: MutexGuard<'a, World>, waits: &mut Waits) -> MutexGuard<'a, World> {
        drop(w);
        let look = || self.called.load(Ordering::Acquire).then(|| pool.lock());
        let w = waits.wait(look, || {
            let mut w = pool.lock();
            while !self.called.load(Ordering::Acquire) {
                w = self.changed.wait(w).unwrap_or_else(|e| e.into_inner());
            }
            w
        });
        self.called.store(false, Ordering::Relaxed);
        w
    }
}
