//! `cargo xtask fuzz`: the fuzz targets of the crates under libFuzzer, which sees the branches that an input takes.
//!
//! In: names of targets, seconds for each. Out: a line for each target: inputs run, branches seen; inputs that fail are kept and named.
//! Needs a C++ compiler (libFuzzer is built from its source). The checked-in inputs are the first ones; what is found on the way is kept
//! in the folder of the build.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::tree;

/// Counters in every branch, and a look at what is compared.
const RUSTFLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                         -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                         -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";
/// Target, and the longest input in bytes.
const TARGETS: &[(&str, u32)] = &[
    ("syrup", 4096),
    ("data", 4096),
    ("marshal", 2048),
    ("framing", 4096),
    ("locator", 2048),
    ("messages", 4096),
    ("session", 512),
    ("chaos", 512),
    ("cuts", 512),
    ("delivery", 2048),
    ("rows", 4096),
    ("files", 512),
    ("frame", 4096),
    ("control", 2048),
    ("json", 2048),
    ("noise-accept", 1024),
    ("noise-dial", 1024),
    ("noise-frames", 2048),
];
const SECONDS: u64 = 60;
/// One input may take so long.
const TIMEOUT_S: u32 = 10;
const MAX_MEMORY_MIB: u32 = 2048;

pub fn run(root: &Path, words: &[&str]) -> Result<bool> {
    let (mut chosen, mut seconds) = (Vec::new(), SECONDS);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("`{word}` wants a value"))?;
        match *word {
            "--target" => chosen.extend(value.split(',')),
            "--seconds" => seconds = value.parse().context("--seconds wants a whole number")?,
            _ => bail!("`{word}` is no option of fuzz: there are --target A,B and --seconds N"),
        }
    }
    if let Some(unknown) = chosen.iter().find(|name| !TARGETS.iter().any(|t| t.0 == **name)) {
        let names: Vec<&str> = TARGETS.iter().map(|t| t.0).collect();
        bail!("there is no target `{unknown}`; there are {}", names.join(", "));
    }
    let (program, folder) = build(root)?;
    let mut fine = true;
    for (name, longest) in TARGETS.iter().filter(|t| chosen.is_empty() || chosen.contains(&t.0)) {
        fine &= one(root, &program, &folder, name, *longest, seconds)?;
    }
    Ok(fine)
}

/// Compiles all targets as one program; it, and a folder for what is found.
fn build(root: &Path) -> Result<(PathBuf, PathBuf)> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let version = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV").output()?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    // named, so that build scripts are compiled without counters
    let machine =
        version.lines().find_map(|l| l.strip_prefix("host: ")).context("rustc does not say for which machine it compiles")?;
    let folder = tree::target(root).join("fuzz");
    let status = Command::new(cargo)
        .args(["build", "--release", "--manifest-path"])
        .arg(root.join("fuzz/Cargo.toml"))
        .args(["--target", machine, "--target-dir"])
        .arg(&folder)
        .env("RUSTFLAGS", RUSTFLAGS)
        .status()
        .context("starting cargo")?;
    if !status.success() {
        bail!("the fuzz targets do not compile");
    }
    Ok((folder.join(machine).join("release/fuzz"), folder))
}

fn one(root: &Path, program: &Path, folder: &Path, name: &str, longest: u32, seconds: u64) -> Result<bool> {
    let (found, failing) = (folder.join("corpus").join(name), folder.join("failing").join(name));
    for made in [&found, &failing] {
        std::fs::create_dir_all(made).with_context(|| format!("making the folder {}", made.display()))?;
    }
    let log = folder.join(format!("{name}.log"));
    let start = Instant::now();
    let status = Command::new(program)
        .env("DRSES_FUZZ", name)
        .arg(format!("-max_len={longest}"))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={TIMEOUT_S}"))
        .arg(format!("-rss_limit_mb={MAX_MEMORY_MIB}"))
        .arg(format!("-artifact_prefix={}/", failing.display()))
        .args(["-print_final_stats=1", "-verbosity=1"])
        .args([&found, &root.join("fuzz/corpus").join(name)])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log)?)
        .status()
        .context("starting the fuzzer")?;
    let told = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
    let stat = |what: &str| told.lines().rev().find_map(|l| l.strip_prefix(what).map(str::trim).map(str::to_owned));
    let runs = stat("stat::number_of_executed_units:").unwrap_or_else(|| "?".to_owned());
    let memory = stat("stat::peak_rss_mb:").unwrap_or_else(|| "?".to_owned());
    let branches = told.lines().rev().find_map(|l| l.split("cov: ").nth(1)?.split(' ').next()).unwrap_or("?");
    let end = if status.success() { "nothing found" } else { "FAILED" };
    println!("{name}: {runs} inputs in {} s, {branches} branches, {memory} MiB: {end}", start.elapsed().as_secs());
    if !status.success() {
        let lines: Vec<&str> = told.lines().collect();
        lines[lines.len().saturating_sub(40)..].iter().for_each(|line| println!("  {line}"));
        println!("  the input is in {}; all that was said is in {}", failing.display(), log.display());
    }
    Ok(status.success())
}
