//! `cargo xtask ci`: what must pass before a change is merged. Every step runs even when one before it failed, so that one run tells
//! everything; the last lines say which failed.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::{book, escrow_network, kills, tidy};

const STEPS: &[(&str, Step)] = &[
    ("format", Step::Cargo(&["fmt", "--all", "--", "--check"])),
    ("lints", Step::Cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])),
    ("tidy", Step::Tidy),
    ("tests", Step::Cargo(&["test", "--workspace", "--no-fail-fast"])),
    ("book", Step::Book),
    ("kills", Step::Kills(&["--rounds", "20", "--builds"])),
    ("escrow-network", Step::EscrowNetwork(&["--trades", "100", "--kill-every", "300ms"])),
];

enum Step {
    Cargo(&'static [&'static str]),
    Tidy,
    Book,
    Kills(&'static [&'static str]),
    EscrowNetwork(&'static [&'static str]),
}

/// Run all steps; `false` if any failed.
pub fn run(root: &Path) -> Result<bool> {
    let start = Instant::now();
    let mut failed = Vec::new();
    for (index, (name, step)) in STEPS.iter().enumerate() {
        eprintln!("== [{}/{}] {name} (at {} s)", index + 1, STEPS.len(), start.elapsed().as_secs());
        let passed = match step {
            Step::Cargo(args) => cargo(root, args)?,
            Step::Tidy => tidy::run(root, false)?,
            Step::Book => book::run(root, &[])?,
            Step::Kills(args) => kills::run(root, args)?,
            Step::EscrowNetwork(args) => escrow_network::run(root, args)?,
        };
        if !passed {
            eprintln!("== {name} FAILED{}", remedy(step));
            failed.push(*name);
        }
    }
    let seconds = start.elapsed().as_secs();
    match failed[..] {
        [] => eprintln!("== ci: all {} steps passed in {seconds} s", STEPS.len()),
        _ => eprintln!("== ci: FAILED in {seconds} s: {}", failed.join(", ")),
    }
    Ok(failed.is_empty())
}

fn remedy(step: &Step) -> &'static str {
    match step {
        Step::Cargo(["fmt", ..]) => ": run `cargo fmt --all`",
        _ => "",
    }
}

/// The cargo that runs us, with output shown as it comes.
fn cargo(root: &Path, args: &[&str]) -> Result<bool> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(program)
        .args(args)
        .current_dir(root)
        .status()
        .with_context(|| format!("starting `cargo {}`", args.join(" ")))?;
    Ok(status.success())
}
