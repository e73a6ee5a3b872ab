//! Fuzz targets: rows of a store that were damaged, or made by somebody else.
use crate::{Config, Node, Programs};
use store::{Batch, MemStore, Opening, Store};

/// Takes an input; a panic is a finding.
pub type Target = fn(&[u8]);
/// Name and function; `cargo xtask fuzz` runs them, the tests run their corpora.
pub const TARGETS: &[(&str, Target)] = &[("rows", rows)];

struct Nothing;

impl Programs for Nothing {
    fn named_by(&self, _: u64, specifier: &str) -> Result<u64, String> {
        Err(specifier.to_owned())
    }
    fn name(&self, _: u64) -> String {
        String::new()
    }
}

/// `bytes`: rows, each a table, the length of the key, that of the value (u16), key, value.
pub fn rows(mut bytes: &[u8]) {
    let store = MemStore::new(Opening { identity: [1; 32], random: [2; 32] });
    let mut batch = Batch::new();
    let mut first = true;
    while let [table, key, low, high, rest @ ..] = bytes {
        let (key, value) = (*key as usize, usize::from(*low) + 256 * usize::from(*high));
        let Some((k, rest)) = rest.split_at_checked(key) else { break };
        let (v, rest) = rest.split_at(value.min(rest.len()));
        bytes = rest;
        // without the node's own row there is nothing to be restored
        let (table, k) = if std::mem::take(&mut first) { (ken::rows::META, ken::rows::META_NODE) } else { (table % 16, k) };
        if !k.is_empty() {
            batch.put(table, k, v);
        }
    }
    if store.append(&batch).is_err() {
        return;
    }
    if let Ok(Some(node)) = Node::restore(Config { durable: true, ..Config::default() }, Box::new(Nothing), &store) {
        node.describe();
        node.open_requests();
        node.started();
    }
}

#[cfg(test)]
#[path = "../../../fuzz/corpus.rs"]
mod corpus;

#[test]
fn corpora() {
    corpus::run(TARGETS);
}
