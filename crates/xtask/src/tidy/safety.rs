//! `unsafe` lives on one island, and each use there carries its argument.

use crate::report::Finding;
use crate::source::{Source, find_word};

/// The only room that may hold `unsafe`.
const ISLAND: &str = "cage";

/// How many lines up a statement that goes over several lines may begin.
const STATEMENT_LINES: usize = 8;

/// No `unsafe` outside the island; a `SAFETY:` comment (or a `# Safety` section of an `unsafe fn`) directly above each one on it.
pub fn unsafe_code(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in source.code.iter().enumerate() {
        if find_word(line, "unsafe").is_none() {
            continue;
        }
        if source.room() != Some(ISLAND) {
            let mend = format!("do it in safe Rust, or move it into `crates/{ISLAND}` behind a safe function");
            findings.push(Finding::new("unsafe", &source.path, at + 1, format!("`unsafe` outside `crates/{ISLAND}`"), mend));
        } else if !is_argued(source, at) {
            let mend = "write `// SAFETY: …` directly above: which invariant makes this sound, and who keeps it";
            findings.push(Finding::new("unsafe", &source.path, at + 1, "`unsafe` without its argument", mend));
        }
    }
    findings
}

fn is_argued(source: &Source, at: usize) -> bool {
    let argued = |note: &str| note.contains("SAFETY:") || (note.starts_with("///") && note.contains("# Safety"));
    if source.raw[at].contains("// SAFETY:") {
        return true;
    }
    let mut first = at;
    for _ in 0..STATEMENT_LINES {
        if source.notes_above(first).any(argued) {
            return true;
        }
        let Some(above) = first.checked_sub(1) else { return false };
        let text = source.code[above].trim();
        let ends_statement = text.is_empty() || text.ends_with([';', '{', '}', ',']);
        if ends_statement {
            return false;
        }
        first = above;
    }
    false
}
