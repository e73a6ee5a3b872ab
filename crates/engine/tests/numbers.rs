//! Numbers that stores hold: of opcodes, builtins, kinds and roots. Each list in `tests/golden` only grows: a line that is there stays as it is.
//!
//! A new number's line is added by hand, or by `DRSES_GOLDEN=write cargo test -p drses-engine --test numbers`, which adds what is
//! missing and changes nothing else.
use engine::builtins;
use engine::code::op::OPS;
use engine::kinds::KINDS;
use engine::roots;
use std::collections::BTreeMap;
use std::path::Path;

/// A list of numbers and what they mean.
type List = BTreeMap<u32, String>;

fn read(text: &str) -> List {
    let mut list = List::new();
    for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let (n, what) = line.split_once(' ').expect("a number and what it means");
        let n = n.parse().expect("a number");
        assert!(list.insert(n, what.to_owned()).is_none(), "{n} is there twice");
    }
    list
}

/// Numbers that the build has must be in the file, and the reverse.
fn check(file: &str, now: &List) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let text = std::fs::read_to_string(&path).expect("the list");
    let mut known = read(&text);
    if std::env::var_os("DRSES_GOLDEN").is_some_and(|v| v == "write") {
        let head: String = text.lines().filter(|l| l.starts_with('#')).map(|l| format!("{l}\n")).collect();
        for (n, what) in now {
            known.entry(*n).or_insert_with(|| what.clone());
        }
        let lines: String = known.iter().map(|(n, what)| format!("{n} {what}\n")).collect();
        std::fs::write(&path, head + &lines).expect("written");
    }
    for (n, what) in &known {
        let is = now.get(n).map(String::as_str);
        assert_eq!(
            is,
            Some(what.as_str()),
            "{file}: number {n} means something else now, or nothing: stores hold it, give the new thing a new number"
        );
    }
    for (n, what) in now {
        assert!(known.contains_key(n), "{file}: `{n} {what}` is new: add the line (DRSES_GOLDEN=write does)");
    }
}

#[test]
fn opcodes() {
    // how many words an instruction has and what they are is part of its meaning
    let all = OPS.iter().filter(|o| cfg!(not(feature = "moved-base")) || o.1 != "LATER");
    check(
        "opcodes.txt",
        &all.map(|(n, name, operands, _)| (u32::from(*n), format!("{name} {operands}").trim_end().to_owned())).collect(),
    );
}

#[test]
fn builtins_by_number() {
    let all = (0..builtins::MAX as u16).filter_map(builtins::native);
    check("builtins.txt", &all.map(|n| (u32::from(n.number), n.name.to_owned())).collect());
}

#[test]
fn kinds() {
    let all = (0u32..).zip(KINDS.iter()).filter(|k| !k.1.name.is_empty());
    check("kinds.txt", &all.map(|(n, k)| (n, format!("{}, {:?}, {:?}", k.name, k.size, k.trace))).collect());
}

#[test]
fn roots_by_number() {
    check("roots.txt", &roots::NAMES.iter().map(|r| (u32::from(r.0), r.1.to_owned())).collect());
}

#[test]
fn a_list_that_lost_or_changed_a_number_is_refused() {
    let now = read("1 one\n2 two\n");
    assert_eq!(now, read("# numbers\n\n2 two\n1 one\n"));
    for (had, new) in [("1 one\n2 zwei\n", 2), ("1 one\n2 two\n3 three\n", 3)] {
        let missing = read(had).into_iter().find(|(n, what)| now.get(n) != Some(what));
        assert_eq!(missing.map(|m| m.0), Some(new), "{had:?}");
    }
}
