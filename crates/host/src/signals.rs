//! Ctrl-C and SIGTERM: turns in hand are finished, what is durable is sealed, then the process ends.
//!
//! Invariants
//! - a second signal ends the process at once: what is durable stays.
use crate::pool::Pool;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use std::sync::Arc;

/// Ends the watch when it is dropped.
pub struct Watch(Option<Handle>);

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(h) = self.0.take() {
            h.close();
        }
    }
}

/// Watches until the result is dropped.
pub fn watch(pool: &Arc<Pool>) -> Watch {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return Watch(None) };
    let handle = signals.handle();
    let pool = pool.clone();
    let made = std::thread::Builder::new().name("signals".into()).spawn(move || {
        for (n, signal) in signals.forever().enumerate() {
            let code = 128 + signal;
            if n > 0 {
                std::process::exit(code);
            }
            pool.ask_to_end(code);
        }
    });
    if made.is_err() {
        handle.close();
        return Watch(None);
    }
    Watch(Some(handle))
}
