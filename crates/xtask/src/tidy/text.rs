//! Checks of words: how a file opens, stubs, machine paths, and the deterministic core.

use crate::report::Finding;
use crate::source::{Source, find_word};
use crate::tree::File;

/// Rooms whose answers may depend on nothing but their arguments.
const DETERMINISTIC: &[&str] = &["engine", "vat", "ken", "ocapn", "node", "passable", "syntax"];

/// What would let the clock, the environment or a random hash seed into them.
const UNREPEATABLE: &[&str] = &[
    "SystemTime",
    "Instant",
    "std::env",
    "RandomState",
    "HashMap::new()",
    "HashSet::new()",
    "HashMap::with_capacity(",
    "HashSet::with_capacity(",
];

/// Folders of one machine. Written in two halves, so that this file is not found by its own check.
const MACHINE_PATHS: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("/tm", "p/wt"),
    concat!("C:\\Us", "ers"),
];

/// Each file opens with prose: `//!`, after inner attributes if there are any.
pub fn opening(source: &Source) -> Option<Finding> {
    let first = source.raw.iter().position(|line| !line.trim().is_empty() && !line.starts_with("#!["))?;
    let prose = source.raw[first].strip_prefix("//!").is_some_and(|rest| !rest.trim().is_empty());
    (!prose).then(|| {
        let mend = "open the file with `//!` prose: what it is for and which invariants hold";
        Finding::new("opening", &source.path, first + 1, "the file does not say what it is", mend)
    })
}

/// No code that only promises to be written.
pub fn stubs(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in source.code.iter().enumerate().filter(|(at, _)| !source.test[*at]) {
        let macro_stub = ["todo!", "unimplemented!"].into_iter().find(|word| find_word(line, word).is_some());
        if let Some(word) = macro_stub {
            findings.push(Finding::new(
                "stub",
                &source.path,
                at + 1,
                format!("`{word}` in code that ships"),
                "write it, or leave the caller out",
            ));
        } else if find_word(line, "panic!").is_some() && panics_unfinished(source, at) {
            let mend = "return an error with a code and a remedy; a panic is for a broken invariant";
            findings.push(Finding::new("stub", &source.path, at + 1, "a panic for something that is not written yet", mend));
        }
    }
    findings
}

fn panics_unfinished(source: &Source, at: usize) -> bool {
    let said = source.raw[at..].iter().take(2).map(|line| line.to_lowercase()).collect::<String>();
    said.contains("not implemented") || said.contains("not yet") || said.contains("unfinished")
}

/// No path that exists on one machine only.
pub fn machine_paths(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        for path in MACHINE_PATHS {
            let inside_longer = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '*' | '}' | ')');
            let found = line.match_indices(path).any(|(start, _)| !line[..start].chars().next_back().is_some_and(inside_longer));
            if found {
                let mend = "use a path relative to the repository, or an argument";
                findings.push(Finding::new(
                    "machine-path",
                    &file.path,
                    at + 1,
                    format!("the path `{path}…` of one machine"),
                    mend,
                ));
            }
        }
    }
    findings
}

/// The deterministic core reads no clock, no environment and no hash order, unless `// determinism: reason` stands above.
pub fn determinism(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !source.is_core() || !source.room().is_some_and(|room| DETERMINISTIC.contains(&room)) {
        return findings;
    }
    for (at, line) in source.code.iter().enumerate().filter(|(at, _)| !source.test[*at]) {
        let Some(word) = UNREPEATABLE.iter().find(|word| find_word(line, word).is_some()) else { continue };
        let excused = |note: &str| note.strip_prefix("// determinism:").is_some_and(|reason| !reason.trim().is_empty());
        if !source.notes_above(at).any(excused) {
            let mend =
                "pass it in as an argument or use an ordered map; if nobody can observe it, say why in `// determinism: …` above";
            findings.push(Finding::new("determinism", &source.path, at + 1, format!("`{word}` in the deterministic core"), mend));
        }
    }
    findings
}
