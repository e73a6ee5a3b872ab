//! `drses desugar`: texts without `~.`, for engines that do not know it.
//!
//! In: files. Out: plain ECMAScript on stdout, in a file, or file by file in a folder.
//!
//! Invariants
//! - nothing is written where a text has faults; the files before it may have been.
use clap::Args;
use host::{bundle, output};
use std::io::IsTerminal;
use std::path::{Component, Path, PathBuf};
use syntax::ast::Goal;
use syntax::diagnostic::Level;

#[derive(Args)]
pub struct Desugar {
    /// Source files; with --dir also folders: all .js files in them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "OUT", conflicts_with = "dir")]
    out: Option<PathBuf>,
    /// Write each file under this folder, at the path it was given by
    #[arg(long, value_name = "OUT")]
    dir: Option<PathBuf>,
    /// Language level: jessie jessie-2026 tinyses ses strict
    #[arg(long, value_parser = super::level)]
    level: Option<Level>,
    /// Read the files as scripts, not modules
    #[arg(long)]
    script: bool,
}

pub fn run(d: &Desugar) -> i32 {
    let files = match sources(d) {
        Ok(files) => files,
        Err(text) => {
            host::tell!("{text}");
            return 2;
        }
    };
    for file in &files {
        let Some(plain) = desugared(d, file) else { return 1 };
        let to = match (&d.dir, &d.out) {
            (Some(dir), _) => Some(dir.join(file)),
            (None, out) => out.clone(),
        };
        let written = match &to {
            Some(path) => write(path, &plain),
            None => output::data(&plain),
        };
        if !written {
            return 1;
        }
    }
    0
}

/// The files to read, or why the command is wrong.
fn sources(d: &Desugar) -> Result<Vec<PathBuf>, String> {
    let Some(_) = &d.dir else {
        if d.files.len() > 1 {
            return Err("error[E-USAGE]: one file at a time goes to stdout or to --out\n  help: use --dir OUT".to_owned());
        }
        return Ok(vec![bundle::entry_file(&d.files[0])]);
    };
    let mut found = Vec::new();
    let mut todo: Vec<PathBuf> = d.files.iter().rev().cloned().collect();
    while let Some(path) = todo.pop() {
        if path.components().any(|c| !matches!(c, Component::Normal(_) | Component::CurDir)) {
            let name = path.display();
            return Err(format!(
                "error[E-USAGE]: {name} leads out of the folder the command runs in, so it has no place under --dir\n  \
                 help: run the command in a folder above the file, with a relative path"
            ));
        }
        if !path.is_dir() {
            found.push(path);
            continue;
        }
        let entries = std::fs::read_dir(&path).map_err(|e| format!("error[E-FILE]: cannot read {}: {e}", path.display()))?;
        let mut inside: Vec<PathBuf> = entries.filter_map(Result::ok).map(|e| e.path()).collect();
        inside.retain(|p| !p.is_symlink() && (p.is_dir() || p.extension().is_some_and(|e| e == "js")));
        inside.sort();
        todo.extend(inside.into_iter().rev());
    }
    Ok(found)
}

/// The text of one file without `~.`; says what is wrong with it otherwise.
fn desugared(d: &Desugar, file: &Path) -> Option<String> {
    let name = file.display().to_string();
    let (source, diagnostics) = match bundle::read(file) {
        Ok(source) => {
            let goal = if d.script { Goal::Script } else { Goal::Module };
            let options = syntax::Options { goal, level: bundle::level_of(&source, d.level), dialect_2013: false };
            match syntax::desugar::desugar(&source, &options) {
                Ok(plain) => return Some(plain),
                Err(found) => (source, found),
            }
        }
        Err(f) => (f.source, f.diagnostics),
    };
    let color = std::io::stderr().is_terminal();
    host::output::note(&syntax::render::render(&name, &source, &diagnostics, color));
    None
}

fn write(path: &Path, text: &str) -> bool {
    let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    match folder.and_then(|()| std::fs::write(path, text)) {
        Ok(()) => true,
        Err(e) => {
            host::tell!("error[E-OUTPUT]: cannot write {}: {e}\n  help: check the path and its permissions", path.display());
            false
        }
    }
}
