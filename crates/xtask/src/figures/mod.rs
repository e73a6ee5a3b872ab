//! `cargo xtask figures`: what is promised of time and memory, measured, one row a figure, kept in `bench/RESULTS.md`.
//!
//! Without `--only` it measures one vat. `--only turns` and `--only durable` measure turns between vats, each for a section of its own.
//!
//! In: nothing but the repository (and a folder of other scripts, if one is named). Out: a table; `false` if a promise is broken.

mod durable;
mod growth;
mod turns;

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::bench::{self, Cost};
use crate::book;

/// Best of so many runs.
const RUNS: usize = 5;
const PARTS: &[&str] = &["empty", "drop", "pause", "cages", "records", "keys", "growth", "natives", "code", "heaps", "images"];

/// Sets of figures with sections of their own: name, heading, facts.
const SETS: &[(&str, &str, &str)] = &[
    (
        "turns",
        "## Figures of turns between vats",
        "Times are CPU time of all threads unless the row says otherwise, best of several runs.",
    ),
    (
        "durable",
        "## Figures of durable turns",
        "Elapsed time unless the row says otherwise; what depends on the disk stands beside a bare writer in the same run.",
    ),
];

struct Options {
    only: Vec<String>,
    images: u64,
    /// A folder with a `gcpause.js` of others.
    special: Option<String>,
}

/// `what | target | measured | yes or NO`
pub struct Row(pub String);

impl Row {
    pub fn new(what: &str, target: &str, measured: &str, good: bool) -> Row {
        Row(format!("{what} | {target} | {measured} | {}", if good { "yes" } else { "NO" }))
    }
}

pub fn run(root: &Path, args: &[&str]) -> Result<bool> {
    let options = options(args)?;
    let drses = book::drses(root, &["--release"])?.context("there is no `drses` program")?;
    if let [only] = options.only.as_slice()
        && let Some((name, heading, facts)) = SETS.iter().find(|set| set.0 == only)
    {
        let rows = if *name == "turns" { turns::run(&drses, root)? } else { durable::run(root)? };
        rows.iter().for_each(|row| println!("| {} |", row.0));
        bench::keep(
            &root.join("bench/RESULTS.md"),
            heading,
            &format!("cargo xtask figures --only {name}"),
            facts,
            &table(&rows),
        )?;
        return Ok(rows.iter().all(|row| row.0.ends_with("yes")));
    }
    let mut rows = Vec::new();
    for part in PARTS.iter().filter(|part| options.only.is_empty() || options.only.iter().any(|name| name == *part)) {
        eprintln!("figures: {part}");
        let new = match *part {
            "empty" => empty(&drses)?,
            "drop" => drop_much(&drses, root)?,
            "pause" => pause(&drses, root, options.special.as_deref())?,
            "growth" => growth::run(&drses)?,
            "images" => inside(root, &["images", &options.images.to_string()])?,
            part => inside(root, &[part])?,
        };
        new.iter().for_each(|row| println!("| {} |", row.0));
        rows.extend(new);
    }
    if options.only.is_empty() {
        let command = format!("cargo xtask figures --images {}", options.images);
        let facts = "Absolute times are CPU time unless the row says otherwise, best of 5.";
        bench::keep(&root.join("bench/RESULTS.md"), "## Figures of one vat", &command, facts, &table(&rows))?;
    }
    Ok(rows.iter().all(|row| row.0.ends_with("yes")))
}

pub fn table(rows: &[Row]) -> String {
    let head = String::from("| figure | target | measured | met |\n|---|---|---|---|\n");
    rows.iter().fold(head, |text, row| text + "| " + &row.0 + " |\n")
}

fn options(args: &[&str]) -> Result<Options> {
    let mut options = Options { only: Vec::new(), images: 10_000, special: None };
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let mut value = || rest.next().with_context(|| format!("`{arg}` needs a value"));
        match *arg {
            "--only" => options.only = value()?.split(',').map(str::to_owned).collect(),
            "--images" => options.images = value()?.parse().context("`--images` needs a number")?,
            "--special" => options.special = Some((*value()?).to_owned()),
            _ => bail!("figures knows no `{arg}`"),
        }
    }
    let alone = options.only.len() == 1;
    let known = |name: &str| PARTS.contains(&name) || (alone && SETS.iter().any(|set| set.0 == name));
    if let Some(name) = options.only.iter().find(|name| !known(name)) {
        bail!("there is no figure `{name}`; there are {}; and, alone, turns or durable", PARTS.join(", "));
    }
    Ok(options)
}

/// Rows of the example that looks inside a vat.
fn inside(root: &Path, words: &[&str]) -> Result<Vec<Row>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "-q", "--release", "-p", "drses-vat", "--example", "figures", "--"]).args(words);
    let output = command.current_dir(root).stderr(std::process::Stdio::inherit()).output().context("starting cargo")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut rows: Vec<Row> = text.lines().filter(|line| line.contains(" | ")).map(|line| Row(line.to_owned())).collect();
    if !output.status.success() {
        rows.push(Row::new(words[0], "ends well", &output.status.to_string(), false));
    }
    Ok(rows)
}

/// The best of several runs of a script, and what the last printed.
fn best(drses: &Path, words: &[&str], script: &Path, runs: usize) -> Result<(Cost, String)> {
    let mut best = Cost { cpu_ms: f64::MAX, wall_ms: f64::MAX, peak_mib: f64::MAX };
    let mut printed = String::new();
    for _ in 0..runs {
        let (cost, text) = bench::cost(drses, words, script)?;
        best.cpu_ms = best.cpu_ms.min(cost.cpu_ms);
        best.wall_ms = best.wall_ms.min(cost.wall_ms);
        best.peak_mib = best.peak_mib.min(cost.peak_mib);
        printed = text;
    }
    Ok((best, printed))
}

fn empty(drses: &Path) -> Result<Vec<Row>> {
    let script = std::env::temp_dir().join(format!("drses-empty-{}.js", std::process::id()));
    std::fs::write(&script, "'use strict';\n")?;
    let cost = best(drses, &["run", "--script"], &script, 3 * RUNS);
    let _ = std::fs::remove_file(&script);
    let (cost, _) = cost?;
    Ok(vec![
        Row::new("Empty script, locked down: elapsed", "≤ 5 ms", &format!("{:.1} ms", cost.wall_ms), cost.wall_ms <= 5.0),
        Row::new("Empty script: peak memory", "≤ 10 MiB", &format!("{:.1} MiB", cost.peak_mib), cost.peak_mib <= 10.0),
    ])
}

fn drop_much(drses: &Path, root: &Path) -> Result<Vec<Row>> {
    let (cost, _) = best(drses, &["run", "--script"], &root.join("bench/figures/drop.js"), 1)?;
    let text = format!("{:.1} MiB", cost.peak_mib);
    Ok(vec![Row::new("One turn, 10 MB live, 10 GB dropped: peak memory", "< 64 MiB", &text, cost.peak_mib < 64.0)])
}

fn pause(drses: &Path, root: &Path, special: Option<&str>) -> Result<Vec<Row>> {
    let words = ["run", "--script", "--unlocked"];
    let worst = |script: &Path, read: fn(&str) -> Option<&str>| -> Result<f64> {
        let mut worst = f64::MAX;
        for _ in 0..RUNS {
            let (_, printed) = best(drses, &words, script, 1)?;
            worst = worst.min(read(&printed).and_then(|word| word.parse().ok()).context("the script printed no time")?);
        }
        Ok(worst)
    };
    let ours = worst(&root.join("bench/figures/pause.js"), |text| Some(text.trim()))?;
    let row = |name: &str, ms: f64| Row::new(name, "≤ 10 ms", &format!("{ms:.1} ms"), ms <= 10.0);
    let mut rows = vec![row("Longest step beside 100 MB live, elapsed", ours)];
    if let Some(folder) = special {
        let theirs = worst(&Path::new(folder).join("gcpause.js"), |text| text.split("worst_ms=").nth(1)?.split(' ').next())?;
        rows.push(row("The same, DIR/gcpause.js", theirs));
    }
    rows.extend(inside(root, &["work"])?);
    Ok(rows)
}
