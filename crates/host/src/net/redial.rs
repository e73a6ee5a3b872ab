//! Dials that wait: a host that was not reached is dialled again later, and the more often it was not, the later.
//!
//! In: dials with the number of those before them that came to nothing. Out: dials whose time has come.
//!
//! Invariants
//! - one thread for all that waits; it begins with the first that does;
//! - a dial waits `FIRST_WAIT` after the first failure, twice as long after each further one, and `LONGEST_WAIT` at most.
use super::Net;
use ocapn::Peer;
use passable::VatId;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::{Duration, Instant};

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How often it is looked whether the process has ended.
const LOOK: Duration = Duration::from_secs(1);

/// How long a dial waits after so many that came to nothing.
fn wait(attempt: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << attempt.clamp(1, 16).saturating_sub(1)).min(LONGEST_WAIT)
}

#[derive(Default)]
struct Queue {
    /// By time, and then in the order in which they came.
    due: BTreeMap<(Instant, u64), (VatId, Peer)>,
    next: u64,
    running: bool,
}

/// See the head.
#[derive(Default)]
pub(super) struct Redials {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Net {
    /// Dials, at once or after a while.
    pub(super) fn dial_later(self: &Arc<Net>, session: VatId, peer: Peer, attempt: u32) {
        if attempt == 0 {
            return self.dial(session, peer);
        }
        let mut q = super::lock(&self.redials.queue);
        let key = (Instant::now() + wait(attempt), q.next);
        q.next += 1;
        q.due.insert(key, (session, peer.clone()));
        if !q.running {
            let net = Arc::downgrade(self);
            q.running = super::thread("redial", move || keep(&net)).is_ok();
            if !q.running {
                q.due.remove(&key);
                drop(q);
                return self.dial(session, peer);
            }
        }
        drop(q);
        self.redials.changed.notify_one();
    }
}

/// The life of the thread.
fn keep(net: &Weak<Net>) {
    while let Some(net) = net.upgrade() {
        let mut q = super::lock(&net.redials.queue);
        let now = Instant::now();
        let first = q.due.first_key_value().map(|d| d.0.0);
        match first {
            Some(at) if at <= now => {
                let Some((_, (session, peer))) = q.due.pop_first() else { continue };
                drop(q);
                net.dial(session, peer);
            }
            other => {
                let left = other.map_or(LOOK, |at| (at - now).min(LOOK));
                drop(net.redials.changed.wait_timeout(q, left));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_doubles_up_to_a_limit() {
        assert_eq!([1, 2, 3].map(|n| wait(n).as_millis()), [50, 100, 200]);
        assert_eq!(wait(9), LONGEST_WAIT);
        assert_eq!(wait(u32::MAX), LONGEST_WAIT);
    }
}
