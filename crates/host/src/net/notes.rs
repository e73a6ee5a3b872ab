//! What an operator is told of peers.
//!
//! Invariants
//! - peers cannot flood him: of many notes some are shown, and how many were not.
use crate::output;
use std::time::{Duration, Instant};

/// Notes about peers that are shown in `NOTES_PERIOD`.
const MAX_NOTES: u32 = 50;
const NOTES_PERIOD: Duration = Duration::from_secs(10);

/// Notes for the operator: peers cannot flood him.
#[derive(Default)]
pub(super) struct Notes {
    since: Option<Instant>,
    told: u32,
    kept_back: u64,
}

impl Notes {
    pub fn tell(&mut self, text: &str) {
        let fresh = self.since.is_none_or(|s| s.elapsed() >= NOTES_PERIOD);
        if fresh {
            if self.kept_back > 0 {
                crate::tell!("note: {} more notes about peers were not shown", self.kept_back);
            }
            *self = Notes { since: Some(Instant::now()), told: 0, kept_back: 0 };
        }
        if self.told < MAX_NOTES {
            self.told += 1;
            crate::tell!("note: {}", output::safe(text));
        } else {
            self.kept_back += 1;
        }
    }
}
