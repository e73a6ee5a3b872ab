//! `cargo xtask tidy`: the rules of the house that a machine can check.
//!
//! Each check reads files and returns findings; none writes. A rule that is not checked here is a wish.

mod dag;
mod length;
mod links;
mod safety;
mod text;

use std::path::Path;

use anyhow::Result;

use crate::report::Finding;
use crate::source::Source;
use crate::tree;

/// Run every check over the tree at `root`; findings come sorted by place.
pub fn check(root: &Path) -> Result<Vec<Finding>> {
    let files = tree::files(root)?;
    let mut findings = dag::check(&files);
    for file in &files {
        findings.extend(text::machine_paths(file));
        findings.extend(length::readme(file));
        findings.extend(links::check(root, file));
        if file.path.ends_with(".rs") {
            let source = Source::new(&file.path, &file.text);
            findings.extend(length::file(&source));
            findings.extend(length::functions(&source));
            findings.extend(safety::unsafe_code(&source));
            findings.extend(text::opening(&source));
            findings.extend(text::stubs(&source));
            findings.extend(text::determinism(&source));
        }
    }
    findings.sort();
    Ok(findings)
}

/// Check, print, and say whether all is well.
pub fn run(root: &Path, json: bool) -> Result<bool> {
    let findings = check(root)?;
    for finding in &findings {
        println!("{}", if json { finding.json() } else { finding.text() });
    }
    match findings.len() {
        0 => eprintln!("tidy: nothing to mend"),
        1 => eprintln!("tidy: 1 thing to mend"),
        n => eprintln!("tidy: {n} things to mend"),
    }
    Ok(findings.is_empty())
}

#[cfg(test)]
mod tests;
