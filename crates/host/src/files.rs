//! How many files this process may have open, and who may have how many of them.
//!
//! Invariants
//! - peers and operators together leave some to everybody else: a store that cannot make a file ends the process.
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::OnceLock;

/// Files that all shares together need when each is as large as it may be, and more.
const WANTED: u64 = 4096;
/// Files that are nobody's share: those of the store, what listens, what a command opens for a moment.
const KEPT: u64 = 48;

/// A part of the files that may be open: one of `parts`, and at most `most`. The parts of all who ask add up to less than one.
pub(crate) fn share(most: usize, parts: u64) -> usize {
    static LIMIT: OnceLock<u64> = OnceLock::new();
    of(*LIMIT.get_or_init(raised), most, parts)
}

fn of(limit: u64, most: usize, parts: u64) -> usize {
    let part = limit.saturating_sub(KEPT) / parts.max(1);
    usize::try_from(part).unwrap_or(most).clamp(1, most)
}

/// The limit, once it is raised as far as it may and needs to be.
fn raised() -> u64 {
    let now = getrlimit(Resource::Nofile);
    let current = now.current.unwrap_or(u64::MAX);
    let more = now.maximum.unwrap_or(u64::MAX).min(WANTED);
    if current >= more || setrlimit(Resource::Nofile, Rlimit { current: Some(more), ..now }).is_err() {
        return current;
    }
    more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_limit_is_the_shares_leave_some() {
        let shares = |limit| [(1024, 2), (128, 16), (64, 16), (256, 8)].map(|(most, parts)| of(limit, most, parts));
        assert_eq!(shares(WANTED), [1024, 128, 64, 256]);
        assert_eq!(shares(u64::MAX), [1024, 128, 64, 256]);
        for limit in [64, 100, 256, 1024] {
            let all: usize = shares(limit).iter().sum();
            assert!(all as u64 + KEPT <= limit, "{limit}: {all}");
        }
        assert_eq!(shares(0), [1; 4]);
    }
}
