//! Traces that hosts wrote, put together.
//!
//! In: files. Out: one text, and what was missed on the way.
use crate::operate::{Problem, problem};
use std::path::{Path, PathBuf};
use trace::Merged;

/// Bytes of all files together that are read.
const MAX_BYTES: u64 = 2 << 30;

fn merged(files: &[PathBuf]) -> Result<Merged, Problem> {
    let mut texts = Vec::new();
    let mut bytes = 0;
    for file in files {
        let failed = |e: std::io::Error| {
            problem("E-TRACE", format!("cannot read {}: {e}", file.display()), "name files that --trace wrote")
        };
        bytes += std::fs::metadata(file).map_err(failed)?.len();
        if bytes > MAX_BYTES {
            let help = "cut the files: entries of one process may be left out at the beginning or at the end";
            return Err(problem("E-TRACE", "the traces have more than 2 GiB", help));
        }
        texts.push(String::from_utf8_lossy(&std::fs::read(file).map_err(failed)?).into_owned());
    }
    let merged = trace::merge(texts.iter().map(String::as_str));
    if merged.records.is_empty() {
        return Err(problem("E-TRACE", "there is no entry of a trace in these files", "name files that --trace wrote"));
    }
    Ok(merged)
}

fn notes(merged: &Merged) -> Vec<String> {
    let mut notes = Vec::new();
    if merged.strange > 0 {
        notes.push(format!("{} lines are no entries of a trace and are left out", merged.strange));
    }
    if merged.unsent > 0 {
        notes.push(format!("{} messages came from hosts whose traces are not here", merged.unsent));
    }
    notes
}

/// All entries as lines, causes before what they caused; and notes for people.
pub fn merge(files: &[PathBuf]) -> Result<(String, Vec<String>), Problem> {
    let merged = merged(files)?;
    let mut text = String::new();
    for r in &merged.records {
        text.push_str(&r.line);
        text.push('\n');
    }
    Ok((text, notes(&merged)))
}

/// The same for Perfetto.
pub fn perfetto(files: &[PathBuf]) -> Result<(String, Vec<String>), Problem> {
    let merged = merged(files)?;
    Ok((format!("{}\n", trace::perfetto(&merged.records)), notes(&merged)))
}

/// Writes what was made.
pub fn write(to: &Path, text: &str) -> Result<(), Problem> {
    let failed = |e| problem("E-TRACE", format!("cannot write {}: {e}", to.display()), "choose another file, or make room");
    std::fs::write(to, text).map_err(failed)
}
