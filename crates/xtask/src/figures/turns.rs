//! Figures of turns between vats that live in memory. The programs are in `bench/figures`.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::{Row, best, durable};

/// Calls of the ping-pong of which the rate is told.
const CALLS: u64 = 1_000_000;
const LIVE: u64 = 4000;

pub fn run(drses: &Path, root: &Path) -> Result<Vec<Row>> {
    let programs = root.join("bench/figures");
    let mut rows = Vec::new();
    let mut tell = |new: Vec<Row>| {
        new.iter().for_each(|row| eprintln!("figures: {}", row.0));
        rows.extend(new);
    };
    tell(ping_pong(drses, &programs.join("pingpong"))?);
    tell(vec![spin(drses, &programs.join("spin"))?]);
    tell(live(drses, &programs.join("counters/live.js"))?);
    tell(vec![local(drses, &programs.join("local.js"))?]);
    tell(durable::part(root, "chain")?);
    Ok(rows)
}

/// Runs a program with a number as argument: the best cost of several runs.
fn with(drses: &Path, program: &Path, n: u64, runs: usize) -> Result<crate::bench::Cost> {
    let program = program.display().to_string();
    Ok(best(drses, &["run", &program], Path::new(&n.to_string()), runs)?.0)
}

fn ping_pong(drses: &Path, program: &Path) -> Result<Vec<Row>> {
    let none = with(drses, program, 0, 5)?;
    let short = with(drses, program, CALLS / 2, 5)?;
    let rate = CALLS as f64 / (short.cpu_ms - none.cpu_ms) * 1e3;
    let mut rows = vec![Row::new(
        "Ping-pong between two vats: turns in a second of CPU time",
        "≥ 1,000,000",
        &format!("{rate:.0}"),
        rate >= 1e6,
    )];
    if let (Ok(a), Ok(b)) = (instructions(drses, program, 1000), instructions(drses, program, 11_000)) {
        let each = (b - a) / 20_000.0;
        rows.push(Row::new("Instructions of such a turn", "≤ 8,000", &format!("{each:.0}"), each <= 8_000.0));
    }
    let long = with(drses, program, 5 * CALLS, 1)?;
    let ratio = long.peak_mib / short.peak_mib;
    let text = format!("{ratio:.3} × ({:.1} → {:.1} MiB)", short.peak_mib, long.peak_mib);
    rows.push(Row::new("Peak memory after 10⁷ turns to that after 10⁶", "≤ 1.05 ×", &text, ratio <= 1.05));
    Ok(rows)
}

fn instructions(drses: &Path, program: &Path, calls: u64) -> Result<f64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(drses).arg("run").arg(program);
    let output = command.arg(calls.to_string()).output().context("starting valgrind")?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.lines().find_map(|line| line.split("Collected :").nth(1)?.trim().parse().ok()).context("valgrind counted nothing")
}

fn spin(drses: &Path, program: &Path) -> Result<Row> {
    let mut child = Command::new(drses).arg("run").arg(program).stdout(Stdio::piped()).spawn()?;
    let mut printed = String::new();
    BufReader::new(child.stdout.take().context("its output")?).read_line(&mut printed)?;
    let _ = child.kill();
    let _ = child.wait();
    let of = |name: &str| printed.split(name).nth(1)?.split_whitespace().next()?.parse::<f64>().ok();
    let (alone, beside) = (of("alone=").context("no rate")?, of("beside=").context("no rate")?);
    let ratio = beside / alone;
    let text = format!("{ratio:.2} × ({alone:.0} → {beside:.0} calls/s, elapsed)");
    Ok(Row::new("A pair's rate while another vat spins for 10 s, to that alone", "≥ 0.8 ×", &text, ratio >= 0.8))
}

/// Private memory and page tables of a process, in KiB.
fn memory(pid: u32) -> Option<u64> {
    let sum = |file: String, names: &[&str]| -> Option<u64> {
        let text = std::fs::read_to_string(file).ok()?;
        let of = |line: &str| {
            names.iter().any(|name| line.starts_with(name)).then(|| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        };
        Some(text.lines().filter_map(|line| of(line)?).sum())
    };
    Some(sum(format!("/proc/{pid}/smaps_rollup"), &["Private_"])? + sum(format!("/proc/{pid}/status"), &["VmPTE:"])?)
}

/// Milliseconds it took to make `n` vats, and the memory of the process with them, in KiB.
fn alive(drses: &Path, program: &Path, n: u64) -> Result<(f64, u64)> {
    let mut child = Command::new(drses).arg("run").arg(program).arg(n.to_string()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("its output")?).read_line(&mut line)?;
    let held = memory(child.id());
    let _ = child.kill();
    let _ = child.wait();
    let took = line.split("ms=").nth(1).and_then(|ms| ms.trim().parse().ok());
    Ok((took.with_context(|| format!("it printed {line:?}"))?, held.context("reading its memory")?))
}

fn live(drses: &Path, program: &Path) -> Result<Vec<Row>> {
    let none = alive(drses, program, 0)?.1;
    let (mut took, held) = alive(drses, program, LIVE)?;
    for _ in 0..2 {
        took = took.min(alive(drses, program, LIVE)?.0);
    }
    let each = held.saturating_sub(none) as f64 / LIVE as f64;
    let us = took * 1e3 / LIVE as f64;
    Ok(vec![
        Row::new(
            "4,000 live counter vats: private memory and page tables of each",
            "≤ 64 KiB",
            &format!("{each:.1} KiB"),
            each <= 64.0,
        ),
        Row::new("From `vats.make` to the vat's first answer, elapsed, mean", "≤ 100 µs", &format!("{us:.0} µs"), us <= 100.0),
    ])
}

fn local(drses: &Path, program: &Path) -> Result<Row> {
    let us = (with(drses, program, CALLS, 3)?.cpu_ms - with(drses, program, 0, 3)?.cpu_ms) * 1e3 / CALLS as f64;
    Ok(Row::new("`E(local).m()`, sent and settled", "≤ 2 µs", &format!("{us:.2} µs"), us <= 2.0))
}
