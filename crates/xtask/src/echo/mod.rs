//! `cargo xtask echo`: calls of an echo between two processes over TCP of this machine, beside capnp-rpc (Rust) and `@endo/captp` (npm).
//!
//! In: the program `capnp`; if `@endo/captp` is to be measured, a folder `node_modules` with npm's `@endo/captp`, `@endo/init` and
//! `@endo/far`. Out: rows for `bench/RESULTS.md`; `false` if a promise is broken.
//!
//! All sides send a number and a short text and get them back, one at a time and with a hundred outstanding, a process a side, without
//! durability. Rounds are interleaved, so that noise falls on all alike; the best round counts. CPU a call is that of both processes, of
//! a long run less a short one, so that start-up falls out. Durable sessions stand beside the syncs of the disk (`durable`).

mod durable;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};

use crate::figures::{Row, table};
use crate::{bench, book, tree};

const ROUNDS: usize = 3;
/// Callers at once.
const OUTSTANDING: [usize; 2] = [1, 100];
/// Ticks a second of the times in `/proc`.
const TICKS: f64 = 100.0;

/// Who is measured: name, calls of a long run one at a time and with many outstanding.
const SIDES: [(&str, [u64; 2]); 3] =
    [("drses", [40_000, 100_000]), ("capnp-rpc", [40_000, 100_000]), ("@endo/captp", [4_000, 6_000])];
const DRSES: usize = 0;
const CAPNP: usize = 1;
const CAPTP: usize = 2;

/// How each is started.
struct Programs {
    drses: PathBuf,
    capnp: PathBuf,
    figures: PathBuf,
    /// None: `@endo/captp` is not measured.
    modules: Option<PathBuf>,
}

/// A server that does not outlive the measurement, and what it printed first.
struct Server(Child, String);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Of a run: seconds of its calls, CPU seconds of both processes.
#[derive(Clone, Copy)]
struct Ran {
    seconds: f64,
    cpu: f64,
}

/// The best of the rounds.
#[derive(Clone, Copy)]
struct Best {
    rate: f64,
    cpu_us: f64,
}

pub fn run(root: &Path, modules: Option<&str>) -> Result<bool> {
    let modules = modules.map(|m| std::fs::canonicalize(m).with_context(|| format!("looking for the folder {m}"))).transpose()?;
    let drses = book::drses(root, &["--release"])?.context("there is no `drses` program")?;
    let programs = Programs { drses, capnp: capnp(root)?, figures: root.join("bench/figures/echo"), modules };
    let sides = if programs.modules.is_some() { &SIDES[..] } else { &SIDES[..CAPTP] };
    let mut best = [[Best { rate: 0.0, cpu_us: f64::MAX }; 2]; SIDES.len()];
    let mut durable = Vec::new();
    for round in 0..ROUNDS {
        for (side, (name, calls)) in sides.iter().enumerate() {
            let server = serve(&programs, side)?;
            for (way, outstanding) in OUTSTANDING.into_iter().enumerate() {
                let short = call(&programs, side, &server, calls[way] / 10, outstanding)?;
                let long = call(&programs, side, &server, calls[way], outstanding)?;
                // each run warms up with a tenth of its calls
                let more = (calls[way] - calls[way] / 10) as f64 * 1.1;
                let found = Best { rate: calls[way] as f64 / long.seconds, cpu_us: (long.cpu - short.cpu) / more * 1e6 };
                eprintln!("round {round}: {name}, {outstanding} outstanding: {:.0} calls/s, {:.1} µs", found.rate, found.cpu_us);
                let b = &mut best[side][way];
                *b = Best { rate: b.rate.max(found.rate), cpu_us: b.cpu_us.min(found.cpu_us) };
            }
        }
        durable.push(durable::measure(&programs.drses, &programs.figures)?);
    }
    let mut rows = rows(&best[..sides.len()]);
    rows.extend(durable::row(&durable));
    rows.iter().for_each(|row| println!("| {} |", row.0));
    let mut facts = "Elapsed calls a second, and CPU time of both processes a call; best of three interleaved rounds, a process a side, TCP of one machine.".to_owned();
    let command = if programs.modules.is_some() {
        "cargo xtask echo --node-modules DIR"
    } else {
        let left_out = "@endo/captp is left out: it is measured with --node-modules.";
        eprintln!("echo: {left_out}");
        facts = format!("{facts} {left_out}");
        "cargo xtask echo"
    };
    bench::keep(&root.join("bench/RESULTS.md"), "## Echo beside capnp-rpc and @endo/captp", command, &facts, &table(&rows))?;
    Ok(rows.iter().all(|row| row.0.ends_with("yes")))
}

fn rows(best: &[[Best; 2]]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (way, outstanding) in OUTSTANDING.into_iter().enumerate() {
        let how = if outstanding == 1 { "one at a time".to_owned() } else { format!("{outstanding} outstanding") };
        let rate = |side: usize| best[side][way].rate;
        let cpu = |side: usize| best[side][way].cpu_us;
        for (peer, least) in [(CAPNP, 1.0), (CAPTP, 20.0)].into_iter().filter(|p| p.0 < best.len()) {
            let (name, times) = (SIDES[peer].0, rate(DRSES) / rate(peer));
            let measured = format!("{times:.2} × ({:.0} to {:.0} calls/s)", rate(DRSES), rate(peer));
            rows.push(Row::new(
                &format!("Echo, {how}: calls/s beside {name}"),
                &format!("≥ {least:.1} ×"),
                &measured,
                times >= least,
            ));
        }
        let times = cpu(DRSES) / cpu(CAPNP);
        let measured = format!("{times:.2} × ({:.1} to {:.1} µs)", cpu(DRSES), cpu(CAPNP));
        rows.push(Row::new(&format!("Echo, {how}: CPU a call beside capnp-rpc"), "≤ 1.0 ×", &measured, times <= 1.0));
    }
    rows
}

/// Compiles the side of capnp-rpc.
fn capnp(root: &Path) -> Result<PathBuf> {
    let folder = tree::target(root).join("echo");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = root.join("bench/echo/Cargo.toml");
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--manifest-path"]).arg(manifest).arg("--target-dir").arg(&folder);
    if !build.status().context("starting cargo")?.success() {
        bail!("bench/echo does not compile; it wants the program `capnp` of Cap'n Proto");
    }
    Ok(folder.join("release/drses-bench-echo"))
}

fn command(p: &Programs, side: usize) -> Command {
    match side {
        DRSES => Command::new(&p.drses),
        CAPNP => Command::new(&p.capnp),
        _ => {
            let mut node = Command::new("node");
            node.arg(p.figures.join("captp.mjs")).envs(p.modules.iter().map(|m| ("NODE_MODULES", m)));
            node
        }
    }
}

fn serve(p: &Programs, side: usize) -> Result<Server> {
    let mut c = command(p, side);
    match side {
        DRSES => c.args(["run", "--listen", "tcp-testing-only://127.0.0.1:0"]).arg(p.figures.join("server.js")),
        _ => c.arg("serve"),
    };
    listening(&mut c, SIDES[side].0)
}

/// Starts a server, and waits for the line that says where it is.
fn listening(c: &mut Command, name: &str) -> Result<Server> {
    let mut child = c.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().context("starting a server")?;
    let mut line = String::new();
    let out = child.stdout.take().context("a pipe")?;
    BufReader::new(out).read_line(&mut line)?;
    let server = Server(child, line.trim().to_owned());
    if server.1.is_empty() {
        bail!("the server of {name} does not listen");
    }
    Ok(server)
}

fn call(p: &Programs, side: usize, server: &Server, calls: u64, outstanding: usize) -> Result<Ran> {
    let mut c = command(p, side);
    match side {
        DRSES => c.args(["run", "--ref"]).arg(format!("echo={}", server.1)).arg(p.figures.join("client.js")),
        _ => c.args(["call", &server.1]),
    };
    c.args([calls.to_string(), outstanding.to_string()]).stdin(Stdio::null()).stderr(Stdio::inherit());
    let before = children()? + of_process(server.0.id())?;
    let seconds = seconds(&mut c, SIDES[side].0)?;
    let cpu = children()? + of_process(server.0.id())? - before;
    Ok(Ran { seconds, cpu })
}

/// Runs a client; what it says its calls took.
fn seconds(c: &mut Command, name: &str) -> Result<f64> {
    let output = c.output().context("starting a client")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.trim().parse().with_context(|| format!("{name}: the client printed {text:?}"))
}

/// CPU seconds of children that have ended.
fn children() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// CPU seconds of a process that runs.
fn of_process(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("reading the times of a server")?;
    let after = text.rsplit_once(')').context("the times of a server")?.1;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).context("the times of a server");
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}
