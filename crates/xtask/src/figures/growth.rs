//! Instructions of one operation on a small collection and on a large one, counted by callgrind (they do not vary with the
//! machine's load, as times do).

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::Row;

const LARGE: u32 = 1_000_000;
const SMALL: u32 = 1_000;

struct Operation {
    name: &'static str,
    /// Done once, and not counted.
    ready: &'static str,
    /// Begins each of `TIMES` collections.
    begin: &'static str,
    /// Done `N` times to each.
    each: &'static str,
}

const fn operation(name: &'static str, ready: &'static str, begin: &'static str, each: &'static str) -> Operation {
    Operation { name, ready, begin, each }
}

const OPERATIONS: &[Operation] = &[
    operation("Map.prototype.set", "", "const c = new Map();", "c.set(i, i);"),
    operation(
        "Map.prototype.get",
        "const made = new Map(); for (let i = 0; i < N; i += 1) made.set(i, i);",
        "",
        "sum += made.get(i);",
    ),
    operation("Set.prototype.add", "", "const c = new Set();", "c.add(i);"),
    operation("Array.prototype.push", "", "const c = [];", "c.push(i);"),
    operation(
        "Array.prototype.push and shift",
        "const queue = []; for (let i = 0; i < N; i += 1) queue.push(i);",
        "",
        "queue.push(i); sum += queue.shift();",
    ),
    operation("String append", "", "let c = '';", "c += 'x';"),
];

/// A million operations in all, on collections of `n`.
fn script(operation: &Operation, each: &str, n: u32) -> String {
    let Operation { ready, begin, .. } = operation;
    let body =
        format!("let sum = 0; for (let t = 0; t < TIMES; t += 1) {{ {begin} for (let i = 0; i < N; i += 1) {{ {each} }} }}");
    format!("'use strict'; {ready} {body}").replace("TIMES", &(LARGE / n).to_string()).replace('N', &n.to_string())
}

pub fn run(drses: &Path) -> Result<Vec<Row>> {
    if Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_err() {
        return Ok(vec![Row::new("Instructions per operation", "≤ 1.5 ×", "not measured: needs valgrind", false)]);
    }
    let empty = instructions(drses, "'use strict';")?;
    let mut rows = Vec::new();
    for operation in OPERATIONS {
        let of = |n: u32| -> Result<f64> {
            let ready = if operation.begin.is_empty() { instructions(drses, &script(operation, "", n))? } else { empty };
            Ok((instructions(drses, &script(operation, operation.each, n))? - ready) / LARGE as f64)
        };
        let (small, large) = (of(SMALL)?, of(LARGE)?);
        let ratio = large / small;
        let text = format!("{ratio:.2} × ({small:.0} → {large:.0})");
        rows.push(Row::new(
            &format!("{}: instructions at 10⁶ elements to those at 10³", operation.name),
            "≤ 1.5 ×",
            &text,
            ratio <= 1.5,
        ));
    }
    Ok(rows)
}

/// Instructions that `drses` executes for a script.
fn instructions(drses: &Path, source: &str) -> Result<f64> {
    let script = std::env::temp_dir().join(format!("drses-growth-{}.js", std::process::id()));
    std::fs::write(&script, source)?;
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(drses).args(["run", "--script"]).arg(&script);
    let output = command.output().context("starting valgrind");
    let _ = std::fs::remove_file(&script);
    let output = output?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let count = text.lines().find_map(|line| line.split("Collected :").nth(1)?.trim().parse().ok());
    match count {
        Some(count) if output.status.success() => Ok(count),
        _ => bail!("valgrind failed: {text}"),
    }
}
