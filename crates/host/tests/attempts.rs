//! A delivery that processes died of is given up at the fourth attempt, and only then.
#![forbid(unsafe_code)]
use ken::rows;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{Batch, FileStore, Opening, Options, Store, disk::RealDisk};

/// A state of a program that answers, as a process left it that was killed after this many attempts at the delivery `seq` of vat 1.
fn killed(name: &str, seq: u64, attempts: u64) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("drses-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let program = folder.join("a.js");
    std::fs::write(&program, "export default () => Far('a', { hi: () => 'hi' });").expect("a program");
    let state = folder.join("s");
    let options = host::run::Options::default();
    assert_eq!(host::run::on_big_stack(|| host::state::run(&program, &[], &state, Default::default(), &options)), 0);
    let store = open(&state);
    let mut row = ken::codec::Put::new();
    row.number(seq);
    row.number(attempts);
    let mut batch = Batch::new();
    batch.put(rows::META, rows::META_CLEAN, &[0]).put(rows::ATTEMPTS, &rows::vat(passable::VatId(1)), &row.done());
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

/// Deliveries that the call of a test may be: the start of the program came before it.
const SEQS: std::ops::Range<u64> = 1..9;

/// What a call is answered after so many deaths at each of the deliveries it may be.
fn answers(name: &str, attempts: u64, mut look: impl FnMut(&Path, &Value)) {
    for seq in SEQS {
        let state = killed(name, seq, attempts);
        // looking is no attempt, and forgets none
        ask(&state, &json!({ "do": "ls" }));
        assert_eq!(self::attempts(&state), 1);
        let answer = ask(&state, &json!({ "do": "call", "vat": 1, "method": "hi" }));
        assert_eq!(self::attempts(&state), 0);
        look(&state, &answer);
        std::fs::remove_dir_all(state.parent().expect("a folder")).expect("removed");
    }
}

#[test]
fn after_two_deaths_it_runs_and_nothing_is_held_against_it() {
    answers("two", 2, |state, answer| {
        assert_eq!(*answer, json!({ "value": "hi" }));
        assert_eq!(ask(state, &json!({ "do": "ls" }))["vats"][0]["paused"], false);
    });
}

#[test]
fn after_three_deaths_it_is_given_up_its_caller_told_and_the_vat_paused() {
    let mut parked = 0;
    answers("three", 3, |state, answer| {
        // deaths at another delivery are not held against this one
        let Some(text) = answer["rejected"]["@error"].as_str() else { return assert_eq!(*answer, json!({ "value": "hi" })) };
        parked += 1;
        assert!(text.contains("parked"), "{text}");
        let vat = ask(state, &json!({ "do": "show", "vat": 1 }));
        assert_eq!((&vat["paused"], &vat["waiting"]), (&json!(true), &json!(0)));
        assert!(vat["lastError"]["text"].as_str().is_some_and(|t| t.contains("parked")), "{vat}");
        ask(state, &json!({ "do": "resume", "vat": 1 }));
        assert_eq!(ask(state, &json!({ "do": "call", "vat": 1, "method": "hi" })), json!({ "value": "hi" }));
    });
    assert_eq!(parked, 1);
}
