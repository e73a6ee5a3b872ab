//! `cargo xtask bench`: CPU time of drses beside quickjs-ng, on scripts that check themselves.
//!
//! Rounds are interleaved, so that noise falls on both engines alike. A figure is the median of the rounds, net of the engine's own
//! start-up (the median of an empty script). Ratios travel between machines; absolute times do not.

mod measure;
mod results;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::book;
use measure::Engine;
pub use measure::helper;
pub use measure::{Cost, cost};
pub use results::keep;

/// Runs of the empty script; a median of fewer is too coarse to subtract.
const STARTUP_RUNS: usize = 15;
const DEFAULT_ROUNDS: usize = 5;
const DEFAULT_WORKLOADS: &str = "bench/workloads";

struct Options {
    /// Relative to the root of the repository, so that what is kept names no folder of one machine.
    workloads: String,
    rounds: usize,
    only: Vec<String>,
    except: Vec<String>,
    save: bool,
}

/// What one script cost.
pub struct Row {
    pub name: String,
    /// Start-up included; one an engine, in the order of `Report::engines`.
    pub medians: Vec<Cost>,
}

pub struct Report {
    pub command: String,
    pub workloads: String,
    pub engines: Vec<String>,
    pub rounds: usize,
    pub startup: Vec<Cost>,
    pub rows: Vec<Row>,
}

impl Report {
    /// CPU time of engine `engine` in milliseconds, without its start-up; never below a microsecond, so that ratios are finite.
    pub fn net(&self, row: &Row, engine: usize) -> f64 {
        (row.medians[engine].cpu_ms - self.startup[engine].cpu_ms).max(0.001)
    }
}

/// Measure, print, and keep the figures. `false`, and nothing kept, if the engines disagree about what a script
/// prints or one of them fails.
pub fn run(root: &Path, args: &[&str]) -> Result<bool> {
    let options = options(root, args)?;
    let scripts = scripts(&root.join(&options.workloads), &options)?;
    let engines = engines(root)?;
    let empty = std::env::temp_dir().join(format!("drses-empty-{}.js", std::process::id()));
    std::fs::write(&empty, "'use strict';\n")?;
    let startup = measure::rounds(&engines, &empty, STARTUP_RUNS);
    let _ = std::fs::remove_file(&empty);
    let mut report = Report {
        command: command_line(&options),
        workloads: shown(&options.workloads).to_owned(),
        engines: engines.iter().map(|engine| engine.name.to_owned()).collect(),
        rounds: options.rounds,
        startup: startup?.medians,
        rows: Vec::new(),
    };
    let mut agreed = true;
    for script in &scripts {
        let name = script.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let measured = match measure::rounds(&engines, script, options.rounds) {
            Ok(measured) => measured,
            Err(error) => {
                eprintln!("bench: {name}: left out: {error:#}");
                agreed = false;
                continue;
            }
        };
        if let Some(difference) = &measured.disagreement {
            eprintln!("bench: {name}: {difference}");
            agreed = false;
        }
        eprintln!("bench: {name}: {}", measured.printed.trim_end());
        report.rows.push(Row { name, medians: measured.medians });
    }
    println!("{}", results::table(&report));
    if options.save && agreed && engines.len() > 1 {
        let path = root.join("bench/RESULTS.md");
        results::save(&path, &report)?;
        eprintln!("bench: kept in {}", path.display());
    }
    Ok(agreed)
}

fn options(root: &Path, args: &[&str]) -> Result<Options> {
    let mut options = Options {
        workloads: DEFAULT_WORKLOADS.to_owned(),
        rounds: DEFAULT_ROUNDS,
        only: Vec::new(),
        except: Vec::new(),
        save: true,
    };
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let mut value = || rest.next().with_context(|| format!("`{arg}` needs a value"));
        match *arg {
            "--workloads" => options.workloads = from_root(root, value()?)?,
            "--rounds" => options.rounds = value()?.parse().context("`--rounds` needs a number")?,
            "--only" => options.only = value()?.split(',').map(str::to_owned).collect(),
            "--except" => options.except = value()?.split(',').map(str::to_owned).collect(),
            "--no-save" => options.save = false,
            _ => bail!("bench knows no `{arg}`"),
        }
    }
    if options.rounds == 0 {
        bail!("`--rounds` must be at least 1");
    }
    // A selection is no result to keep.
    options.save &= options.only.is_empty();
    Ok(options)
}

/// The folder `path` as seen from `root`, with `..` where it lies outside.
fn from_root(root: &Path, path: &str) -> Result<String> {
    let folder = Path::new(path).canonicalize().with_context(|| format!("there is no folder {path}"))?;
    let root = root.canonicalize()?;
    let shared = root.components().zip(folder.components()).take_while(|(a, b)| a == b).count();
    let up = root.components().skip(shared).map(|_| "..".to_owned());
    let down = folder.components().skip(shared).map(|part| part.as_os_str().to_string_lossy().into_owned());
    Ok(up.chain(down).collect::<Vec<_>>().join("/"))
}

fn command_line(options: &Options) -> String {
    let workloads = match shown(&options.workloads) {
        DEFAULT_WORKLOADS => String::new(),
        folder => format!(" --workloads {folder}"),
    };
    let except = if options.except.is_empty() { String::new() } else { format!(" --except {}", options.except.join(",")) };
    format!("cargo xtask bench{workloads}{except} --rounds {}", options.rounds)
}

/// A folder as the results name it: one outside the repository has no name that others could use.
fn shown(workloads: &str) -> &str {
    if workloads.starts_with("..") { "DIR" } else { workloads }
}

fn scripts(folder: &Path, options: &Options) -> Result<Vec<PathBuf>> {
    let wanted = |path: &PathBuf| {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let chosen = options.only.is_empty() || options.only.contains(&stem);
        path.extension().is_some_and(|ending| ending == "js") && chosen && !options.except.contains(&stem)
    };
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading the workloads in {}", folder.display()))?;
    let paths: Vec<PathBuf> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<_>>()?;
    let mut found: Vec<PathBuf> = paths.into_iter().filter(wanted).collect();
    found.sort();
    if found.is_empty() {
        bail!("no workload to run in {}", folder.display());
    }
    Ok(found)
}

/// drses, if there is one yet, and the peer, both built for release.
fn engines(root: &Path) -> Result<Vec<Engine>> {
    let mut engines = Vec::new();
    if let Some(program) = book::drses(root, &["--release"])? {
        engines.push(Engine { name: "drses", program, words: vec!["run", "--script", "--unlocked"] });
    } else {
        eprintln!("bench: there is no `drses` program yet: only the peer is measured, and nothing is kept");
    }
    let program = book::built(root, "drses-xtask", "xtask", &["--release", "--features", "peer"])?;
    engines.push(Engine { name: "quickjs-ng", program, words: vec!["qjs"] });
    Ok(engines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_from_the_root() {
        let root = crate::tree::root();
        let inside = root.join("bench/workloads");
        assert_eq!(from_root(&root, &inside.to_string_lossy()).expect("it exists"), "bench/workloads");
        let outside = from_root(&root.join("bench/workloads"), &root.join("docs").to_string_lossy());
        assert_eq!(outside.expect("it exists"), "../../docs");
        assert!(from_root(&root, "no such folder").is_err());
    }
}
