//! Figures of durable turns: parts of an example of `host`, since they need to look inside.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::Row;

/// Parts that write gigabytes (`many`) are run by name alone.
const PARTS: &[&str] = &["turns", "one", "slow", "wake", "recover", "large"];

pub fn run(root: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for name in PARTS {
        rows.extend(part(root, name)?);
    }
    Ok(rows)
}

/// Rows of one part.
pub fn part(root: &Path, name: &str) -> Result<Vec<Row>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "-q", "--release", "-p", "drses-host", "--example", "durable", "--", name, "bench/figures/counters"]);
    let output = command.current_dir(root).stderr(Stdio::inherit()).output().context("starting cargo")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut rows: Vec<Row> = text.lines().filter(|line| line.contains(" | ")).map(|line| Row(line.to_owned())).collect();
    if !output.status.success() {
        rows.push(Row::new(name, "ends well", &output.status.to_string(), false));
    }
    Ok(rows)
}
