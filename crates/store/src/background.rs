//! A thread that merges a store while it is used.
//!
//! In: a store. Out: a log that stays short, and segments that are ready before they are needed. It sleeps until a sync rings the bell.
//! A full disk is tried again at the next ring; a store that is poisoned ends it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::error::{ErrorKind, Result};
use crate::file::{FileStore, lock};
use crate::store::Store as _;

/// Wakes the thread.
#[derive(Default)]
pub(crate) struct Bell {
    rung: Mutex<Rung>,
    heard: Condvar,
}

#[derive(Default)]
struct Rung {
    work: bool,
    stop: bool,
}

impl Bell {
    pub(crate) fn ring(&self) {
        lock(&self.rung).work = true;
        self.heard.notify_one();
    }

    fn stop(&self) {
        lock(&self.rung).stop = true;
        self.heard.notify_one();
    }

    /// Sleep until it rings; `false` when it is time to end.
    fn wait(&self) -> bool {
        let mut rung = lock(&self.rung);
        while !rung.work && !rung.stop {
            rung = self.heard.wait(rung).unwrap_or_else(PoisonError::into_inner);
        }
        rung.work = false;
        !rung.stop
    }
}

/// The thread; it ends when this is dropped.
pub struct Background {
    store: Arc<FileStore>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Begin to keep the log of `store` short.
    pub fn start(store: Arc<FileStore>) -> Result<Background> {
        if lock(&store.state).segments.len() as u64 > 2 * store.options.segments_max() {
            // processes that were killed before they could: this one does it before anything else
            match store.merge_step() {
                Err(error) if error.kind() != ErrorKind::Full => return Err(error),
                _ => {}
            }
        }
        // with one there the first batches need not wait for more
        if store.pool.free_count() == 0 {
            store.prepare_segments()?;
        }
        let shared = store.clone();
        let spawned = thread::Builder::new().name("store-merge".to_owned()).spawn(move || run(&shared));
        store.bell.ring();
        let thread = spawned.map_err(|error| crate::Error::io("starting the thread that merges", &error))?;
        Ok(Background { store, thread: Some(thread) })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.store.bell.stop();
        if let Some(thread) = self.thread.take() {
            // A panic in there is a broken invariant; the store it touched is not asked to go on.
            let _ = thread.join();
        }
        lock(&self.store.bell.rung).stop = false;
    }
}

fn run(store: &FileStore) {
    while store.bell.wait() {
        let worked =
            store.prepare_segments().and_then(|()| if store.log_is_long() { store.merge_step().map(drop) } else { Ok(()) });
        match worked {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Full => {}
            // The next append or sync says why.
            Err(_) => return,
        }
    }
}

impl FileStore {
    /// In bytes, or in segments: each opening begins one, so a process that is killed again and again leaves many with little in each.
    pub(crate) fn log_is_long(&self) -> bool {
        let state = lock(&self.state);
        state.log_bytes >= self.options.merge_bytes || state.segments.len() as u64 > self.options.segments_max()
    }
}
