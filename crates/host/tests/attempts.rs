//! A delivery that processes died of is given up at the fourth attempt, and only then.
#![forbid(unsafe_code)]
use ken::rows;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{Batch, FileStore, Opening, Options, Store, disk::RealDisk};

/// A state of a program that answers, as a process left it that was killed after this many attempts at a delivery of vat 1.
fn killed(name: &str, attempts: u8) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("drses-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let program = folder.join("a.js");
    std::fs::write(&program, "export default () => Far('a', { hi: () => 'hi' });").expect("a program");
    let state = folder.join("s");
    let options = host::run::Options::default();
    assert_eq!(host::run::on_big_stack(|| host::state::run(&program, &[], &state, Default::default(), &options)), 0);
    let store = open(&state);
    let mut batch = Batch::new();
    batch.put(rows::META, rows::META_CLEAN, &[0]).put(rows::ATTEMPTS, &rows::vat(passable::VatId(1)), &[attempts]);
    store.append(&batch).expect("appended");
    store.seal().expect("sealed");
    state
}

fn open(state: &Path) -> FileStore {
    let disk = Arc::new(RealDisk::new(state));
    let identity = FileStore::identity_of(&*disk).expect("a store");
    FileStore::open(disk, Opening { identity, random: [8; 32] }, Options::default()).expect("it opens")
}

fn ask(state: &Path, request: &Value) -> Value {
    host::operate::ask(state, request).expect("an answer")
}

fn attempts(state: &Path) -> usize {
    open(state).scan(rows::ATTEMPTS, &[], None, usize::MAX).len()
}

#[test]
fn after_two_deaths_it_runs_and_nothing_is_held_against_it() {
    let state = killed("two", 2);
    // looking is no attempt, and forgets none
    ask(&state, &json!({ "do": "ls" }));
    assert_eq!(attempts(&state), 1);
    assert_eq!(ask(&state, &json!({ "do": "call", "vat": 1, "method": "hi" })), json!({ "value": "hi" }));
    assert_eq!(attempts(&state), 0);
    assert_eq!(ask(&state, &json!({ "do": "ls" }))["vats"][0]["paused"], false);
    std::fs::remove_dir_all(state.parent().expect("a folder")).expect("removed");
}

#[test]
fn after_three_deaths_it_is_given_up_its_caller_told_and_the_vat_paused() {
    let state = killed("three", 3);
    let answer = ask(&state, &json!({ "do": "call", "vat": 1, "method": "hi" }));
    let text = answer["rejected"]["@error"].as_str().expect("it is rejected");
    assert!(text.contains("parked"), "{text}");
    let vat = ask(&state, &json!({ "do": "show", "vat": 1 }));
    assert_eq!((&vat["paused"], &vat["waiting"]), (&json!(true), &json!(0)));
    assert!(vat["lastError"]["text"].as_str().is_some_and(|t| t.contains("parked")), "{vat}");
    ask(&state, &json!({ "do": "resume", "vat": 1 }));
    assert_eq!(ask(&state, &json!({ "do": "call", "vat": 1, "method": "hi" })), json!({ "value": "hi" }));
    std::fs::remove_dir_all(state.parent().expect("a folder")).expect("removed");
}
