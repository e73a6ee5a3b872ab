//! What child processes cost, run one at a time: CPU time, elapsed time, peak memory.
//!
//! Each run goes through a helper process (`xtask measure`) that has this one child, so that the kernel's account of the helper's
//! children is the account of the run. Peak memory has a floor of the helper's own (some 3 MiB), since a child begins as its copy.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};

/// A program that runs a script file, its path put after `words`.
pub struct Engine {
    pub name: &'static str,
    pub program: PathBuf,
    pub words: Vec<&'static str>,
}

/// The cost of one run, or the medians of several.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// User and system time.
    pub cpu_ms: f64,
    pub wall_ms: f64,
    pub peak_mib: f64,
}

pub struct Measured {
    /// One an engine.
    pub medians: Vec<Cost>,
    pub printed: String,
    /// Set when two engines, or two rounds, printed different things.
    pub disagreement: Option<String>,
}

/// Run the script `count` times under each engine, the engines in turn.
pub fn rounds(engines: &[Engine], script: &Path, count: usize) -> Result<Measured> {
    let mut costs = vec![Vec::new(); engines.len()];
    let mut first: Option<(&str, String)> = None;
    let mut disagreement = None;
    for _ in 0..count {
        for (engine, costs) in engines.iter().zip(&mut costs) {
            let (cost, printed) = once(engine, script)?;
            costs.push(cost);
            match &first {
                None => first = Some((engine.name, printed)),
                Some((name, expected)) if *expected != printed => {
                    disagreement = Some(format!("{name} printed {expected:?}, {} printed {printed:?}", engine.name));
                }
                Some(_) => {}
            }
        }
    }
    let printed = first.map(|(_, printed)| printed).unwrap_or_default();
    Ok(Measured { medians: costs.iter().map(|costs| medians(costs)).collect(), printed, disagreement })
}

fn once(engine: &Engine, script: &Path) -> Result<(Cost, String)> {
    cost(&engine.program, &engine.words, script)
}

/// Runs a program once on a script: what that cost, and what it printed.
pub fn cost(program: &Path, words: &[&str], script: &Path) -> Result<(Cost, String)> {
    let account = std::env::temp_dir().join(format!("drses-cost-{}", std::process::id()));
    let helper = std::env::current_exe().context("finding this program")?;
    let mut command = Command::new(helper);
    command.arg("measure").arg(&account).arg(program).args(words).arg(script);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("starting {}", program.display()))?;
    let text = std::fs::read_to_string(&account);
    let _ = std::fs::remove_file(&account);
    if !output.status.success() {
        bail!("{} failed on {} ({})", program.display(), script.display(), output.status);
    }
    let numbers: Vec<f64> = text.context("reading what a run cost")?.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [cpu_ms, wall_ms, peak_mib] = numbers[..] else { bail!("the helper wrote no account") };
    Ok((Cost { cpu_ms, wall_ms, peak_mib }, String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// The helper: run one command, write its cost to the file `account`, and end as the command did.
pub fn helper(account: &str, command: &[&str]) -> Result<ExitStatus> {
    let [program, args @ ..] = command else { bail!("measure needs a command") };
    let start = Instant::now();
    let status = Command::new(program).args(args).status().with_context(|| format!("starting {program}"))?;
    let wall_ms = start.elapsed().as_secs_f64() * 1e3;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("reading the usage of a child process")?;
    let milliseconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 * 1e3 + time.tv_usec() as f64 / 1e3;
    let cpu_ms = milliseconds(usage.user_time()) + milliseconds(usage.system_time());
    let peak_mib = usage.max_rss() as f64 / 1024.0;
    std::fs::write(account, format!("{cpu_ms} {wall_ms} {peak_mib}")).with_context(|| format!("writing {account}"))?;
    Ok(status)
}

fn medians(costs: &[Cost]) -> Cost {
    let of = |part: fn(&Cost) -> f64| median(&mut costs.iter().map(part).collect::<Vec<f64>>());
    Cost { cpu_ms: of(|cost| cost.cpu_ms), wall_ms: of(|cost| cost.wall_ms), peak_mib: of(|cost| cost.peak_mib) }
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
    fn medians_are_taken_part_by_part() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0]), 2.5);
        assert_eq!(median(&mut []), 0.0);
        let cost = |cpu_ms, peak_mib| Cost { cpu_ms, wall_ms: 0.0, peak_mib };
        assert_eq!(medians(&[cost(1.0, 9.0), cost(2.0, 7.0), cost(3.0, 8.0)]), cost(2.0, 8.0));
    }
}
