//! Where a thread that runs turns waits for one.
//!
//! In: the world, which it lets go. Out: the world, when it was called.
//!
//! Invariants
//! - it is called by who has the world (`call` asks for it), and woken after that (`wake`): whoever looks under the lock before its sleep
//!   sees the call, or sleeps before it is woken. Were it called without the lock, both could fall between its look and its sleep;
//! - whoever is called is woken.
use crate::awake::Waits;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};

/// Of a world `T`.
pub(crate) struct Seat<T> {
    called: AtomicBool,
    changed: Condvar,
    of: PhantomData<fn(T)>,
}

impl<T> Default for Seat<T> {
    fn default() -> Seat<T> {
        Seat { called: AtomicBool::new(false), changed: Condvar::new(), of: PhantomData }
    }
}

impl<T> Seat<T> {
    /// `wake` must follow.
    pub fn call(&self, _world: &mut T) {
        self.called.store(true, Ordering::Release);
    }

    /// With the lock or without.
    pub fn wake(&self) {
        self.changed.notify_one();
    }

    /// Waits, without sleep if it was called soon of late. `w` is of `world`.
    pub fn wait<'a>(&self, world: &'a Mutex<T>, w: MutexGuard<'a, T>, waits: &mut Waits) -> MutexGuard<'a, T> {
        drop(w);
        // of a thread that panicked: most end the process (`vital`)
        let lock = || world.lock().unwrap_or_else(|e| e.into_inner());
        let look = || self.called.load(Ordering::Acquire).then(lock);
        let w = waits.wait(look, || {
            let mut w = lock();
            while !self.called.load(Ordering::Acquire) {
                w = self.changed.wait(w).unwrap_or_else(|e| e.into_inner());
            }
            w
        });
        self.called.store(false, Ordering::Relaxed);
        w
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;
    use std::time::{Duration, Instant};

    const TIMES: u64 = 30_000;

    #[test]
    fn whoever_is_called_comes() {
        let (world, seat, came) = (Arc::new(Mutex::new(())), Arc::new(Seat::<()>::default()), Arc::new(AtomicU64::new(0)));
        let (w, s, c) = (world.clone(), seat.clone(), came.clone());
        std::thread::spawn(move || {
            let mut waits = Waits::default();
            let mut guard = w.lock().expect("sound");
            for n in 1..=TIMES {
                // it sleeps each time
                waits.sleep_next();
                c.store(n - 1, Ordering::Release);
                guard = s.wait(&w, guard, &mut waits);
            }
            c.store(TIMES, Ordering::Release);
        });
        for n in 0..TIMES {
            // about when it goes to sleep
            (0..n % 64).for_each(|_| std::hint::spin_loop());
            seat.call(&mut world.lock().expect("sound"));
            seat.wake();
            let (mut looks, begun) = (0u64, Instant::now());
            while came.load(Ordering::Acquire) <= n {
                looks += 1;
                if looks.is_multiple_of(1 << 12) {
                    std::thread::yield_now();
                    assert!(begun.elapsed() < Duration::from_secs(20), "call {n} was not heard");
                }
            }
        }
    }
}
