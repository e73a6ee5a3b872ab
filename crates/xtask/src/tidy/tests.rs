//! Each rule of `tidy`: a tree that breaks it, and the same tree mended.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::check;

/// A tree in a folder of its own, removed at the end of the test.
struct Tree(PathBuf);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Tree {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("drses-tidy-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let tree = Tree(std::env::temp_dir().join(name));
        for (path, text) in files {
            let path = tree.0.join(path);
            std::fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder can be made");
            std::fs::write(path, text).expect("a file can be written");
        }
        tree
    }

    /// `check:file:line` of each finding.
    fn findings(&self) -> Vec<String> {
        let found = check(&self.0).expect("the tree can be read");
        assert!(found.iter().all(|finding| !finding.mend.is_empty()), "every finding says how to mend it");
        found.iter().map(|finding| format!("{}:{}:{}", finding.check, finding.file, finding.line)).collect()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn findings(path: &str, text: &str) -> Vec<String> {
    Tree::new(&[(path, text)]).findings()
}

const NONE: [&str; 0] = [];

#[test]
fn rooms_depend_downwards_only() {
    let bad =
        Tree::new(&[("crates/cage/Cargo.toml", "[dependencies]\nengine.workspace = true\n"), ("crates/attic/Cargo.toml", "")]);
    assert_eq!(bad.findings(), ["dag:crates/attic/Cargo.toml:1", "dag:crates/cage/Cargo.toml:2"]);
    assert_eq!(findings("crates/engine/Cargo.toml", "[dependencies]\ncage.workspace = true\nlibm = \"0.2\"\n"), NONE);
}

#[test]
fn files_are_short_or_say_why_not() {
    let body = |lines: usize| "// line\n".repeat(lines);
    let path = "crates/vat/src/a.rs";
    assert_eq!(findings(path, &format!("//! Head.\n{}", body(599))), NONE);
    assert_eq!(findings(path, &format!("//! Head.\n{}", body(600))), ["file-length:crates/vat/src/a.rs:1"]);
    assert_eq!(findings(path, &format!("//! Head.\n//! Length: one state machine.\n{}", body(900))), NONE);
    let long = format!("//! Head.\n//! Length: one state machine.\n{}", body(1000));
    assert_eq!(findings(path, &long), ["file-length:crates/vat/src/a.rs:1"]);
    assert_eq!(findings(path, &format!("//! Head.\n//! Length: a table of opcodes.\n{}", body(1000))), NONE);
}

#[test]
fn functions_are_short_or_say_why_not() {
    let function =
        |above: &str, lines: usize| format!("//! Head.\n{above}fn long(x: [u8; 4]) {{\n{}}}\n", "    call();\n".repeat(lines));
    let path = "crates/vat/src/a.rs";
    assert_eq!(findings(path, &function("", 68)), NONE);
    assert_eq!(findings(path, &function("", 69)), ["function-length:crates/vat/src/a.rs:2"]);
    assert_eq!(findings(path, &function("// long: one arm an opcode\n#[inline]\n", 90)), NONE);
    assert_eq!(findings(path, &function("// long:\n", 90)), ["function-length:crates/vat/src/a.rs:3"]);
}

#[test]
fn unsafe_stays_on_its_island_and_is_argued() {
    let argued = "//! Head.\nfn f() {\n    // SAFETY: the offset was checked above.\n    let x =\n        unsafe { g() };\n}\n";
    let bare = "//! Head.\nfn f() {\n    let x = unsafe { g() };\n}\n";
    assert_eq!(findings("crates/cage/src/a.rs", argued), NONE);
    assert_eq!(findings("crates/cage/src/a.rs", bare), ["unsafe:crates/cage/src/a.rs:3"]);
    assert_eq!(findings("crates/vat/src/a.rs", argued), ["unsafe:crates/vat/src/a.rs:5"]);
    assert_eq!(findings("crates/vat/src/a.rs", "//! unsafe.\n#![forbid(unsafe_code)]\n"), NONE);
}

#[test]
fn nothing_is_a_stub_but_tests_may_panic() {
    let path = "crates/vat/src/a.rs";
    assert_eq!(findings(path, "//! Head.\nfn f() {\n    todo!()\n}\n"), ["stub:crates/vat/src/a.rs:3"]);
    let panics = "//! Head.\nfn f() {\n    panic!(\n        \"classes are not implemented yet\"\n    )\n}\n";
    assert_eq!(findings(path, panics), ["stub:crates/vat/src/a.rs:3"]);
    assert_eq!(findings(path, "//! Head.\n#[cfg(test)]\nmod tests {\n    fn f() {\n        unimplemented!()\n    }\n}\n"), NONE);
}

#[test]
fn no_path_of_one_machine() {
    let home = concat!("see /ho", "me/me/notes\n");
    assert_eq!(findings("docs/a.md", home), ["machine-path:docs/a.md:1"]);
    assert_eq!(findings("docs/a.md", concat!("see bench/wo", "rk/fib.js and a/ho", "me/b\n")), NONE);
}

#[test]
fn the_core_is_deterministic() {
    let clock = "//! Head.\nuse std::time::Instant;\n";
    assert_eq!(findings("crates/vat/src/a.rs", clock), ["determinism:crates/vat/src/a.rs:2"]);
    assert_eq!(findings("crates/host/src/a.rs", clock), NONE);
    assert_eq!(findings("crates/vat/tests/a.rs", clock), NONE);
    let excused = "//! Head.\nfn f() {\n    // determinism: looked up only, never iterated.\n    let m = HashMap::new();\n}\n";
    assert_eq!(findings("crates/vat/src/a.rs", excused), NONE);
}

#[test]
fn files_open_with_prose() {
    assert_eq!(findings("crates/vat/src/a.rs", "use a::b;\n"), ["opening:crates/vat/src/a.rs:1"]);
    assert_eq!(findings("crates/vat/src/a.rs", "#![forbid(unsafe_code)]\n\n//! What it is.\n"), NONE);
}

#[test]
fn the_readme_is_short() {
    assert_eq!(findings("README.md", &"a\n".repeat(200)), NONE);
    assert_eq!(findings("README.md", &"a\n".repeat(201)), ["readme-length:README.md:201"]);
}

#[test]
fn links_lead_somewhere() {
    let text = "[a](b.md) [c](#top) [d](https://d.example/e) `x[0](y)` \n```js\nf[0](x.md)\n{{#include ../g.js}}\n```\n";
    assert_eq!(findings("docs/a.md", text), ["link:docs/a.md:1", "link:docs/a.md:4"]);
    assert_eq!(Tree::new(&[("docs/a.md", text), ("docs/b.md", "b\n"), ("g.js", "1;\n")]).findings(), NONE);
}
