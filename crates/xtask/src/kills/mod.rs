//! `cargo xtask kills`: the program `drses` with a state, killed by SIGKILL at random instants and started again.
//!
//! In: a number of kills. Out: whether what was printed is, over all lives of a state together, what an undisturbed run prints: lines may
//! come again after a kill (output is written at least once), none is missing, none is another. Both programs check for themselves
//! that what they count, or trade, is conserved, and print it.
//! With `--builds` each life is by chance of this build or of another one, whose built-in objects lie elsewhere.
mod builds;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::book;

/// What is killed: a name, and the program with its arguments.
const PROGRAMS: &[(&str, &[&str])] =
    &[("counter", &["crates/xtask/src/kills/count.js"]), ("escrow", &["examples/escrow", "cases"])];
/// What uses of built-in objects all that can be used.
const OF_BUILDS: (&str, &[&str]) = ("builds", &["crates/sim/programs/builds.js"]);
/// The latest instant of a kill, after the start.
const LATEST: Duration = Duration::from_millis(300);
/// Lives of one state at most: a program must come to its end between kills.
const MAX_LIVES: u64 = 400;
const ROUNDS: u64 = 100;

/// Runs the chore; `false` if anything was lost.
pub fn run(root: &Path, args: &[&str]) -> Result<bool> {
    let (mut rounds, mut release, mut seed, mut builds) = (ROUNDS, false, 1u64, false);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match *arg {
            "--rounds" => rounds = args.next().context("how many rounds?")?.parse()?,
            "--seed" => seed = args.next().context("which seed?")?.parse()?,
            "--release" => release = true,
            "--builds" => builds = true,
            other => bail!("`{other}` is no option of kills: --rounds N, --seed S, --release, --builds"),
        }
    }
    let options: &[&str] = if release { &["--release"] } else { &[] };
    let folder = std::env::temp_dir().join(format!("drses-kills-{}", std::process::id()));
    // this build's program comes last: it is the one that stays in the target folder
    let other = if builds { Some(builds::other(root, &folder, options)?) } else { None };
    let Some(drses) = book::drses(root, options)? else { bail!("there is no `drses` program yet") };
    if let Some(other) = &other {
        builds::refusals(&drses, other, &folder)?;
    }
    let lives: Vec<PathBuf> = [drses.clone()].into_iter().chain(other).collect();
    let mut chance = Chance(seed);
    let mut fine = true;
    for (name, program) in PROGRAMS.iter().chain(builds.then_some(&OF_BUILDS)) {
        let plain = Command::new(&drses).arg("run").args(*program).current_dir(root).output().context("starting drses")?;
        let expected: Vec<String> = String::from_utf8_lossy(&plain.stdout).lines().map(str::to_owned).collect();
        if !plain.status.success() || expected.is_empty() {
            bail!("{name} does not run: {}", String::from_utf8_lossy(&plain.stderr));
        }
        let (mut kills, mut states) = (0, 0);
        while kills < rounds {
            states += 1;
            let state = folder.join(format!("{name}-{states}"));
            let told = live(&lives, root, program, &state, &expected, &mut chance, rounds - kills);
            let removed = std::fs::remove_dir_all(&state);
            match told {
                Ok(k) => kills += k,
                Err(why) => {
                    eprintln!("kills: {name}, seed {seed}, state {states}: {why:#}");
                    fine = false;
                    break;
                }
            }
            removed.with_context(|| format!("removing {}", state.display()))?;
        }
        println!("{name}: {kills} kills, {states} states that came to their end, {} lines each", expected.len());
    }
    let _ = std::fs::remove_dir_all(&folder);
    Ok(fine)
}

/// One state from its beginning to the program's end; how often the process was killed.
fn live(
    builds: &[PathBuf],
    root: &Path,
    program: &[&str],
    state: &Path,
    expected: &[String],
    chance: &mut Chance,
    at_most: u64,
) -> Result<u64> {
    let (mut kills, mut reached) = (0, 0);
    for _ in 0..MAX_LIVES {
        let build = (chance.part() * builds.len() as f64) as usize;
        let mut command = Command::new(&builds[build.min(builds.len() - 1)]);
        command.arg("run").arg("--state").arg(state).args(program).current_dir(root);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("starting drses")?;
        let kill = (kills < at_most).then(|| LATEST.mul_f64(chance.part()));
        let (out, err, killed, code) = watch(&mut child, kill)?;
        // what a write was killed in is written again
        let whole = out.rfind('\n').map_or("", |end| &out[..end]);
        let lines: Vec<&str> = if whole.is_empty() { Vec::new() } else { whole.split('\n').collect() };
        reached = place(expected, &lines, reached)
            .with_context(|| format!("after {reached} of {} lines this came:\n{out}\n{err}", expected.len()))?;
        if killed {
            kills += 1;
            continue;
        }
        if code != Some(0) {
            bail!("exit code {code:?} after {kills} kills: {err}");
        }
        if reached != expected.len() {
            bail!("it ended after {reached} of {} lines", expected.len());
        }
        return Ok(kills);
    }
    bail!("no end after {MAX_LIVES} starts");
}

/// What a process wrote until it ended or was killed: output, errors, whether it was killed, exit code.
fn watch(child: &mut Child, kill: Option<Duration>) -> Result<(String, String, bool, Option<i32>)> {
    let mut out = child.stdout.take().context("a pipe")?;
    let mut err = child.stderr.take().context("a pipe")?;
    let out = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        out.read_to_end(&mut bytes).map(|_| bytes)
    });
    let err = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        err.read_to_end(&mut bytes).map(|_| bytes)
    });
    let mut killed = false;
    if let Some(after) = kill {
        let since = Instant::now();
        while since.elapsed() < after && child.try_wait()?.is_none() {
            std::thread::sleep(Duration::from_millis(1).min(after.saturating_sub(since.elapsed())));
        }
        if child.try_wait()?.is_none() {
            child.kill()?;
        }
    }
    let status = child.wait()?;
    if status.code().is_none() {
        killed = true;
    }
    let text = |t: std::thread::JoinHandle<std::io::Result<Vec<u8>>>| -> Result<String> {
        let bytes = t.join().map_err(|_| anyhow::anyhow!("a reader died"))??;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    Ok((text(out)?, text(err)?, killed, status.code()))
}

/// How far the expected lines are reached when `lines` came: they begin at most where the last life ended. None: they do not fit.
fn place(expected: &[String], lines: &[&str], reached: usize) -> Option<usize> {
    let fits = |from: &usize| {
        let end = from + lines.len();
        end <= expected.len() && expected[*from..end].iter().zip(lines).all(|(a, b)| a == b)
    };
    let from = (0..=reached).rev().find(fits)?;
    Some(reached.max(from + lines.len()))
}

/// Chance from a seed.
struct Chance(u64);

impl Chance {
    /// From 0 to 1.
    fn part(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1u64 << 24) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn lines_may_come_again_and_none_may_be_missing() {
        let all: Vec<String> = ["a", "b", "a", "c"].iter().map(|s| (*s).to_owned()).collect();
        assert_eq!(place(&all, &["a", "b"], 0), Some(2));
        assert_eq!(place(&all, &["b", "a"], 2), Some(3), "one came again");
        assert_eq!(place(&all, &[], 3), Some(3));
        assert_eq!(place(&all, &["c"], 2), None, "one is missing");
        assert_eq!(place(&all, &["x"], 4), None);
    }
}
