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

/// Starts a host with an example, in a folder of its own; the sturdyref of its root.
fn serves(name: &str, more: &[&str]) -> (kit::Folder, kit::Started, String) {
    let f = kit::Folder::new(&[]);
    let folder = root().join("examples").join(name).display().to_string();
    let listen = ["serve", "--state", "st", "--listen", "tcp-testing-only://127.0.0.1:0"];
    let mut host = f.serve(&[&listen, more, &[folder.as_str()]].concat());
    let uri = host.line(|l| l.starts_with("ocapn://"));
    (f, host, uri)
}

#[test]
fn guestbook() {
    let (f, host, uri) = serves("guestbook", &[]);
    let guest = root().join("examples/guestbook/guest.js").display().to_string();
    let book = format!("book={uri}");
    let ran = f.run(&["run", "--ref", &book, &guest, "Ada", "What a fine book"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(ran.out, "told of entry 1 by Ada\nsigned as number 1\nthe book has 1: Ada\n");
    let ran = f.run(&["run", "--ref", &book, &guest, "Bob", "Indeed"]);
    assert_eq!(ran.out, "told of entry 2 by Bob\nsigned as number 2\nthe book has 2: Ada, Bob\n");
    let printed = host.kill9();
    assert_eq!(printed[1..], ["1. Ada: What a fine book", "2. Bob: Indeed"]);
}

#[test]
fn ocapn_peer() {
    let (f, _host, uri) = serves("ocapn-peer", &["--allow-chosen-swissnums"]);
    // the car factory, by the swissnum that everybody knows
    let client = "export default ({ console, net, args }) => {
  const [uri] = args;
  return E.when(net.import(uri) ~. () ~. (harden([Symbol.for('red'), Symbol.for('zoomracer')])) ~. (), console.log);
};
";
    f.write("client.js", client.as_bytes());
    let (host, hints) = uri.split_once("/s/").expect("a sturdyref");
    let hints = hints.split_once('?').expect("hints").1;
    let factory = format!("{host}/s/SmFkUTArK1J6c0Q0TSs0MHVMeFRXVmFWcU0xMERjQko?{hints}");
    let ran = f.run(&["run", "client.js", &factory]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "Vroom! I am a red zoomracer car!\n", ""));
}

#[test]
fn every_example_is_tested_here() {
    let tested = include_str!("examples.rs");
    for entry in std::fs::read_dir(root().join("examples")).expect("examples") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
        let call = format!("prints_what_is_expected(\"{name}\");");
        let hosts = format!("serves(\"{name}\"");
        // those of several hosts have tests of their own (`chat`, `durable`)
        let own = ["chat", "escrow-network"].contains(&name);
        assert!(!path.is_dir() || own || tested.contains(&call) || tested.contains(&hosts), "no test for examples/{name}");
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
