//! Each folder of `examples` prints what its `expected.txt` says, and nothing on standard error.
use crate::kit;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn prints_what_is_expected(name: &str) {
    prints_with(name, &[], "expected.txt");
}

fn prints_with(name: &str, args: &[&str], file: &str) {
    let folder = format!("examples/{name}");
    let expected = std::fs::read_to_string(root().join(&folder).join(file)).expect(file);
    let ran = kit::drses(&root(), &[&["run", &folder], args].concat(), b"");
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(ran.out, expected);
}

#[test]
fn hello() {
    prints_what_is_expected("hello");
}

#[test]
fn counter() {
    prints_what_is_expected("counter");
}

#[test]
fn mint() {
    prints_what_is_expected("mint");
}

#[test]
fn escrow_one_vat() {
    prints_what_is_expected("escrow-one-vat");
}

#[test]
fn escrow() {
    prints_what_is_expected("escrow");
}

#[test]
fn escrow_in_eighteen_cases() {
    prints_with("escrow", &["cases"], "cases.txt");
}

#[test]
fn contract_host() {
    prints_what_is_expected("contract-host");
}

#[test]
fn auction() {
    prints_what_is_expected("auction");
}

#[test]
fn caretaker() {
    prints_what_is_expected("caretaker");
}

#[test]
fn sandbox() {
    prints_what_is_expected("sandbox");
    prints_with("sandbox", &["harmless"], "harmless.txt");
}

#[test]
fn every_example_is_tested_here() {
    let tested = include_str!("examples.rs");
    for entry in std::fs::read_dir(root().join("examples")).expect("examples") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
        let call = format!("prints_what_is_expected(\"{name}\");");
        assert!(!path.is_dir() || tested.contains(&call), "no test for examples/{name}");
    }
}

#[test]
fn every_example_is_jessie() {
    for entry in std::fs::read_dir(root().join("examples")).expect("examples") {
        let folder = entry.expect("an entry").path();
        if !folder.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(&folder).expect("an example") {
            let file = file.expect("an entry").path();
            if file.extension().is_some_and(|e| e == "js") {
                let file = file.to_str().expect("a path").to_owned();
                let ran = kit::drses(&root(), &["check", "--level", "jessie", &file], b"");
                assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{file}");
            }
        }
    }
}
