//! The commit rule as types.
//!
//! Invariants
//! - a `Released` is made by `Ledger::sync` alone, of what was appended before the sync began;
//! - output keeps its order.
use std::sync::Arc;
use store::{Batch, Result, Store};

/// Changes that are not durable, and the output that must wait for them.
#[derive(Debug)]
pub struct Undurable<T> {
    pub batch: Batch,
    pub output: Vec<T>,
}

impl<T> Default for Undurable<T> {
    fn default() -> Undurable<T> {
        Undurable { batch: Batch::new(), output: Vec::new() }
    }
}

impl<T> Undurable<T> {
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.output.is_empty()
    }
}

/// Output of changes that are in the log and not yet durable.
#[derive(Debug)]
pub struct Appended<T> {
    number: u64,
    output: Vec<T>,
}

/// Output that may leave the process.
#[derive(Debug)]
pub struct Released<T>(Vec<T>);

impl<T> Released<T> {
    pub fn into_output(self) -> Vec<T> {
        self.0
    }
}

/// A store, by way of the rule.
#[derive(Clone)]
pub struct Ledger {
    store: Arc<dyn Store>,
}

impl Ledger {
    pub fn new(store: Arc<dyn Store>) -> Ledger {
        Ledger { store }
    }
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Puts changes to the log, in the order of these calls.
    pub fn append<T>(&self, u: Undurable<T>) -> Result<Appended<T>> {
        let number = if u.batch.is_empty() { self.store.position().0 } else { self.store.append(&u.batch)? };
        Ok(Appended { number, output: u.output })
    }

    /// Makes durable what was appended, and releases its output. An error is final: the process must end.
    pub fn sync<T>(&self, appended: Vec<Appended<T>>) -> Result<Released<T>> {
        let durable = self.store.sync()?;
        let mut out = Vec::new();
        for a in appended {
            assert!(a.number <= durable, "a sync covers what was appended before it");
            out.extend(a.output);
        }
        Ok(Released(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{MemStore, Opening};

    #[test]
    fn output_comes_out_after_the_sync_and_in_order() {
        let store = Arc::new(MemStore::new(Opening { identity: [1; 32], random: [2; 32] }));
        let ledger = Ledger::new(store.clone());
        let mut appended = Vec::new();
        for n in 0..3u8 {
            let mut u = Undurable::default();
            u.batch.put(1, &[n], b"x");
            u.output.push(n);
            appended.push(ledger.append(u).expect("appended"));
        }
        assert_eq!(ledger.sync(appended).expect("synced").into_output(), [0, 1, 2]);
        let (last, durable) = store.position();
        assert_eq!(last, durable);
    }
}
