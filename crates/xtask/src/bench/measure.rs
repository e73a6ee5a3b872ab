//! CPU time of child processes, run one at a time.
//!
//! Invariant: no other child of this process lives while one is measured, so that the growth of the children's usage is its usage.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};

/// A program that runs a script file, its path put after `words`.
pub struct Engine {
    pub name: &'static str,
    pub program: PathBuf,
    pub words: Vec<&'static str>,
}

pub struct Measured {
    /// Milliseconds of CPU time (user and system), one an engine.
    pub medians: Vec<f64>,
    pub printed: String,
    /// Set when two engines, or two rounds, printed different things.
    pub disagreement: Option<String>,
}

/// Run the script `count` times under each engine, the engines in turn.
pub fn rounds(engines: &[Engine], script: &Path, count: usize) -> Result<Measured> {
    let mut times = vec![Vec::new(); engines.len()];
    let mut first: Option<(String, String)> = None;
    let mut disagreement = None;
    for _ in 0..count {
        for (engine, times) in engines.iter().zip(&mut times) {
            let (milliseconds, printed) = once(engine, script)?;
            times.push(milliseconds);
            match &first {
                None => first = Some((engine.name.to_owned(), printed)),
                Some((name, expected)) if *expected != printed => {
                    disagreement = Some(format!("{name} printed {expected:?}, {} printed {printed:?}", engine.name));
                }
                Some(_) => {}
            }
        }
    }
    let printed = first.map(|(_, printed)| printed).unwrap_or_default();
    Ok(Measured { medians: times.iter_mut().map(|times| median(times)).collect(), printed, disagreement })
}

fn once(engine: &Engine, script: &Path) -> Result<(f64, String)> {
    let before = children_milliseconds()?;
    let mut command = Command::new(&engine.program);
    command.args(&engine.words).arg(script).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().with_context(|| format!("starting {}", engine.name))?;
    let spent = children_milliseconds()? - before;
    if !output.status.success() {
        bail!("{} failed on {} ({})", engine.name, script.display(), output.status);
    }
    Ok((spent, String::from_utf8_lossy(&output.stdout).into_owned()))
}

fn children_milliseconds() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("reading the usage of child processes")?;
    let milliseconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 * 1e3 + time.tv_usec() as f64 / 1e3;
    Ok(milliseconds(usage.user_time()) + milliseconds(usage.system_time()))
}

/// The middle value; of two, their mean. Zero for none.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0]), 2.5);
        assert_eq!(median(&mut []), 0.0);
    }
}
