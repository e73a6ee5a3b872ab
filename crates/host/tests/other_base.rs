//! A store whose heaps were made over other built-in objects is refused, and so is one with rows that mean nothing.
#![forbid(unsafe_code)]
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use store::{Batch, FileStore, Opening, Options, Store, disk::RealDisk};

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("drses-host-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

/// A state with these rows in META.
fn state(name: &str, rows: &[(&[u8], &[u8])]) -> PathBuf {
    let folder = folder(name);
    let opening = Opening { identity: [7; 32], random: [8; 32] };
    let store = FileStore::open(Arc::new(RealDisk::new(&folder)), opening, Options::default()).expect("a store is made");
    let mut batch = Batch::new();
    for (key, value) in rows {
        batch.put(ken::rows::META, key, value);
    }
    store.append(&batch).expect("appended");
    store.seal().expect("sealed");
    folder
}

fn refusal(folder: &std::path::Path) -> (String, String) {
    let problem = host::operate::ask(folder, &json!({ "do": "ls" })).expect_err("it is refused");
    std::fs::remove_dir_all(folder).expect("removed");
    (problem.code, problem.message)
}

#[test]
fn another_base_is_refused() {
    let folder = state("base", &[(ken::rows::META_BASE, &[1; 32])]);
    let (code, message) = refusal(&folder);
    assert_eq!(code, "E-BASE");
    assert!(message.contains("other built-in objects"), "{message}");
}

#[test]
fn rows_that_mean_nothing_are_refused() {
    let folder = state("rows", &[(ken::rows::META_NODE, &[255; 40])]);
    assert_eq!(refusal(&folder).0, "E-STATE");
}

#[test]
fn a_store_in_which_nothing_was_begun_says_so() {
    let (code, message) = refusal(&state("empty", &[]));
    assert_eq!((code.as_str(), message.as_str()), ("E-STATE", "no program was begun in this state"));
}
