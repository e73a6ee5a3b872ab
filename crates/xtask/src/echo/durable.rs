//! Calls between two durable hosts over Noise, beside the syncs of the disk that holds their states.
//!
//! A call takes two syncs at least: the caller's turn is durable before the message leaves, the answerer's before the answer does. So a
//! hundred outstanding calls take no less than two syncs, and a hundred calls in two syncs is what their rate is measured by.
//!
//! Invariant: the syncs are those of the same disk, before and after the calls of the same round, and small ones: a batch of many turns
//! takes no less.
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::figures::Row;

const CALLS: u64 = 20_000;
const OUTSTANDING: u64 = 100;
/// Syncs in a call.
const SYNCS: f64 = 2.0;
/// The promise: so many times a hundred calls in two syncs.
const LEAST: f64 = 0.5;
/// Syncs timed before the calls, and again after them.
const TIMED: usize = 500;
/// Bytes written before each.
const BYTES: usize = 4096;
/// Of the file, which is written round and round: a sync is to write no change of its length.
const FILE_BYTES: u64 = 4 << 20;

/// What a round found.
pub struct Round {
    /// Calls a second.
    rate: f64,
    /// The median.
    sync: Duration,
}

impl Round {
    fn times(&self) -> f64 {
        self.rate / self.most()
    }
    /// A hundred calls in two syncs: calls a second.
    fn most(&self) -> f64 {
        OUTSTANDING as f64 / (SYNCS * self.sync.as_secs_f64())
    }
}

/// Measures in a new folder, which is removed.
pub fn measure(drses: &Path, figures: &Path) -> Result<Round> {
    let folder = std::env::temp_dir().join(format!("drses-echo-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let round = measure_in(&folder, drses, figures);
    let _ = std::fs::remove_dir_all(&folder);
    let round = round?;
    eprintln!("durable, {OUTSTANDING} outstanding: {:.0} calls/s; a sync {:.3} ms", round.rate, round.sync.as_secs_f64() * 1e3);
    Ok(round)
}

fn measure_in(folder: &Path, drses: &Path, figures: &Path) -> Result<Round> {
    let mut serve = Command::new(drses);
    serve.args(["serve", "--listen", "noise://127.0.0.1:0", "--state"]).arg(folder.join("server")).arg(figures.join("server.js"));
    let server = super::listening(&mut serve, "durable drses")?;
    let mut syncs = syncs(folder)?;
    let mut client = Command::new(drses);
    client.args(["run", "--state"]).arg(folder.join("client")).arg("--ref").arg(format!("echo={}", server.1));
    client.arg(figures.join("client.js")).args([CALLS.to_string(), OUTSTANDING.to_string()]);
    let seconds = super::seconds(client.stdin(Stdio::null()).stderr(Stdio::inherit()), "durable drses")?;
    syncs.extend(self::syncs(folder)?);
    syncs.sort_unstable();
    Ok(Round { rate: CALLS as f64 / seconds, sync: syncs[syncs.len() / 2] })
}

/// How long writes took, each with its sync.
fn syncs(folder: &Path) -> Result<Vec<Duration>> {
    let file = File::create(folder.join("syncs")).context("making a file to sync")?;
    for piece in 0..FILE_BYTES >> 20 {
        file.write_all_at(&[0; 1 << 20], piece << 20)?;
    }
    file.sync_all()?;
    let once = |i: usize| -> Result<Duration> {
        let start = Instant::now();
        file.write_all_at(&[5; BYTES], (i * BYTES) as u64 % FILE_BYTES)?;
        file.sync_data()?;
        Ok(start.elapsed())
    };
    (0..TIMED).map(once).collect()
}

/// The round in the middle: a sync that is slow by chance would flatter the best one.
pub fn row(rounds: &[Round]) -> Option<Row> {
    let mut sorted: Vec<&Round> = rounds.iter().collect();
    sorted.sort_by(|a, b| a.times().total_cmp(&b.times()));
    let middle = *sorted.get(sorted.len() / 2)?;
    let sync_ms = middle.sync.as_secs_f64() * 1e3;
    Some(Row::new(
        &format!("Echo between durable hosts over Noise, {OUTSTANDING} outstanding: calls/s beside {OUTSTANDING} in two syncs"),
        &format!("≥ {LEAST} ×"),
        &format!("{:.2} × ({:.0} to {:.0} calls/s; p50 of a sync {sync_ms:.3} ms)", middle.times(), middle.rate, middle.most()),
        middle.times() >= LEAST,
    ))
}
