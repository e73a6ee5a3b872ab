//! How long a file, a function and the README may be.

use crate::report::Finding;
use crate::source::{Source, find_word, item_end};
use crate::tree::File;

const FILE_LINES: usize = 600;
const FILE_LINES_WITH_REASON: usize = 1000;
const FUNCTION_LINES: usize = 70;
const README_LINES: usize = 200;
/// The reason for a long file stands among its first lines.
const HEAD_LINES: usize = 60;

/// Up to 600 lines freely; up to 1000 with a line `//! Length: reason`; above that the reason must be a table or a list of tests.
pub fn file(source: &Source) -> Option<Finding> {
    let lines = source.raw.len();
    if lines <= FILE_LINES {
        return None;
    }
    let head = source
        .raw
        .iter()
        .take(HEAD_LINES)
        .take_while(|line| line.starts_with("//!") || line.starts_with("#!") || line.is_empty());
    let reason = head.filter_map(|line| line.strip_prefix("//! Length:")).map(str::trim).find(|reason| !reason.is_empty());
    match reason {
        None => {
            let what = format!("{lines} lines; a file has at most {FILE_LINES}");
            let mend = format!(
                "split it by idea, or (up to {FILE_LINES_WITH_REASON}) say why it is one piece in a head line `//! Length: reason`"
            );
            Some(Finding::new("file-length", &source.path, 1, what, mend))
        }
        Some(reason) if lines > FILE_LINES_WITH_REASON && !(find_word(reason, "table").is_some() || reason.contains("tests")) => {
            let what = format!("{lines} lines; above {FILE_LINES_WITH_REASON} a file must be a table or a list of tests");
            Some(Finding::new(
                "file-length",
                &source.path,
                1,
                what,
                "split it; if it is a table or tests, say so in its `//! Length:` line",
            ))
        }
        Some(_) => None,
    }
}

/// Functions of at most 70 lines, unless a comment `// long: reason` stands directly above.
pub fn functions(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in source.code.iter().enumerate() {
        let Some(column) = function_on(line) else { continue };
        let Some(end) = item_end(&source.code, at, column) else { continue };
        let lines = end + 1 - at;
        let excused =
            source.notes_above(at).any(|note| note.strip_prefix("// long:").is_some_and(|reason| !reason.trim().is_empty()));
        if lines > FUNCTION_LINES && !excused {
            let name: String = line.chars().skip(column).take_while(|c| *c != '(' && *c != '<').collect();
            let what = format!("`{}` has {lines} lines; a function has at most {FUNCTION_LINES}", name.trim());
            let mend = "split it at its ideas; if it is one long table or match, put `// long: reason` directly above";
            findings.push(Finding::new("function-length", &source.path, at + 1, what, mend));
        }
    }
    findings
}

/// The column (in characters) of a function definition on this line: `fn` before a name, not a function type.
fn function_on(line: &str) -> Option<usize> {
    let start = find_word(line, "fn")?;
    let name = line[start + 2..].trim_start();
    let named = name.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '$');
    named.then(|| line[..start].chars().count())
}

/// A README that can be read in one sitting.
pub fn readme(file: &File) -> Option<Finding> {
    let lines = file.text.lines().count();
    (file.path == "README.md" && lines > README_LINES).then(|| {
        let what = format!("{lines} lines; the README has at most {README_LINES}");
        Finding::new("readme-length", &file.path, README_LINES + 1, what, "move detail to the book and link it")
    })
}
