//! `cargo xtask book`: the examples of the book and the README are tests.
//!
//! A fenced block is run when its first line says how:
//!
//! - ` ```js run ` is a script for `drses run --script`, ` ```js program ` a module for `drses run`; words after that are options.
//!   The ` ```text output ` block that follows is all it prints.
//! - ` ```js file=NAME ` is a file that lies beside the next ` ```js program ` (which is `example.js`).
//! - ` ```js jessie ` passes `drses check --level jessie`; ` ```js jessie reject JS-035 ` fails it, naming that rule.
//! - ` ```console ` whose commands all begin with `$ drses` or `$ cargo run` is run from the root of the repository, and prints what
//!   stands below each command. `cargo run … -- ARGS` is run as the program that was built, with these arguments.
//! - ` ```console session ` is run in a folder of its own, in which lie the ` ```js file=NAME ` blocks before it. One `$ drses … &` at a
//!   time may be in the background; what stands below it is waited for. `$ kill -9 %1` and `$ kill %1` end it;
//!   `$ cp FILE FILE` copies.
//!
//! Expected output may end with a line `[exit N]` (0 if there is none), and a line `…` stands for any number of lines;
//! within a line, `…` stands for any text.

mod extract;
mod run;
mod session;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::report::json_string;
use crate::tree;
use extract::{Example, Kind};

/// Run the examples of all files whose path contains the first argument that is no option.
pub fn run(root: &Path, args: &[&str]) -> Result<bool> {
    let json = args.contains(&"--json");
    let part = args.iter().find(|arg| !arg.starts_with("--")).copied().unwrap_or("");
    let mut examples = Vec::new();
    for file in tree::files(root)?.iter().filter(|file| is_book(&file.path) && file.path.contains(part)) {
        examples.extend(extract::examples(&file.path, &file.text)?);
    }
    let Some(program) = drses(root, &[])? else {
        eprintln!("book: {} examples found, none run: there is no `drses` program yet", examples.len());
        return Ok(true);
    };
    if !json {
        println!("\nrunning {} examples", examples.len());
    }
    let mut failed = 0;
    for example in &examples {
        let fault = run::example(root, &program, example)?;
        failed += usize::from(fault.is_some());
        print_result(example, fault.as_deref(), json);
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    if !json {
        println!("\ntest result: {verdict}. {} passed; {failed} failed; 0 ignored", examples.len() - failed);
    }
    Ok(failed == 0)
}

fn is_book(path: &str) -> bool {
    path == "README.md" || (path.starts_with("book/src/") && path.ends_with(".md"))
}

fn print_result(example: &Example, fault: Option<&str>, json: bool) {
    let Example { file, line, kind, .. } = example;
    let verdict = if fault.is_none() { "ok" } else { "FAILED" };
    let name = match kind {
        Kind::Script(_) => "script",
        Kind::Program(_) => "program",
        Kind::Accept => "jessie",
        Kind::Reject(_) => "jessie reject",
        Kind::Command(_) => "console",
        Kind::Session(_) => "session",
    };
    if json {
        let fault = fault.map_or("null".to_owned(), json_string);
        println!(
            "{{\"file\":{},\"line\":{line},\"kind\":\"{name}\",\"verdict\":\"{verdict}\",\"fault\":{fault}}}",
            json_string(file)
        );
    } else {
        println!("test {file}:{line} ({name}) ... {verdict}");
        if let Some(fault) = fault {
            println!("{fault}");
        }
    }
}

/// Build the `drses` program with `options` and say where it is; nothing if its crate is not there, or does nothing at all yet.
pub fn drses(root: &Path, options: &[&str]) -> Result<Option<PathBuf>> {
    if !root.join("crates/cli/Cargo.toml").exists() {
        return Ok(None);
    }
    let program = built(root, "drses", "drses", options)?;
    let version = Command::new(&program).arg("--version").output().context("starting drses")?;
    // An empty `main` succeeds at anything, in silence; a program prints its version or complains.
    let is_empty = version.status.success() && version.stdout.is_empty() && version.stderr.is_empty();
    Ok((!is_empty).then_some(program))
}

/// Build a package and return the path that cargo gives for its binary `name`.
pub fn built(root: &Path, package: &str, name: &str, options: &[&str]) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "-q", "-p", package, "--message-format=json-render-diagnostics"]).args(options);
    let output = command
        .current_dir(root)
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("building {package}"))?;
    if !output.status.success() {
        bail!("`cargo build -p {package}` failed");
    }
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut paths = messages.lines().filter_map(|line| line.split("\"executable\":\"").nth(1)?.split('"').next());
    let wanted = |path: &&str| Path::new(path).file_stem().is_some_and(|stem| stem == name);
    let Some(path) = paths.rfind(wanted) else { bail!("`cargo build -p {package}` made no program `{name}`") };
    Ok(PathBuf::from(path))
}
