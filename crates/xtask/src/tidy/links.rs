//! A link or an include in a Markdown file leads somewhere.
//!
//! Only links to files of this repository are looked at; other addresses are not fetched, and anchors within a file are not checked.
//! Fenced blocks are skipped, but for the includes that the book makes in them.

use std::path::Path;

use crate::report::Finding;
use crate::tree::File;

const INCLUDE: &str = "{{#include ";

/// Every relative target must exist.
pub fn check(root: &Path, file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !file.path.ends_with(".md") {
        return findings;
    }
    let folder = root.join(&file.path).parent().map(Path::to_path_buf).unwrap_or_default();
    let mut fenced = false;
    for (at, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let includes = between(line, INCLUDE, "}}");
        let text = without_code(line);
        let links = if fenced { Vec::new() } else { between(&text, "](", ")") };
        for target in includes.into_iter().chain(links) {
            let path = target.split('#').next().unwrap_or("");
            let elsewhere = path.is_empty() || path.contains(':') || path.contains(' ');
            if !elsewhere && !folder.join(path).exists() {
                let mend = "correct the path (it is relative to this file), or remove the link";
                findings.push(Finding::new("link", &file.path, at + 1, format!("`{path}` does not exist"), mend));
            }
        }
    }
    findings
}

/// A line without what stands in backticks.
fn without_code(line: &str) -> String {
    let pieces: Vec<&str> = line.split('`').collect();
    // an odd backtick begins nothing
    let closed = pieces.len() - pieces.len().is_multiple_of(2) as usize;
    let shown = |(i, _): &(usize, &&str)| i.is_multiple_of(2) || *i >= closed;
    pieces.iter().enumerate().filter(shown).map(|(_, piece)| *piece).collect()
}

/// The texts between each `open` and the next `close`.
fn between<'a>(line: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    line.split(open).skip(1).filter_map(|rest| rest.split_once(close)).map(|(inside, _)| inside).collect()
}
