//! `bench/RESULTS.md`: one section a folder of workloads, replaced by each run of its command; sections of others are left alone.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::Report;

const TITLE: &str =
    "# Results\n\nEach section is written by the command in it. Ratios may be compared between machines; times may not.\n";

/// The figures as a Markdown table; ratios of the first engine to the last.
pub fn table(report: &Report) -> String {
    let last = report.engines.len() - 1;
    let mut out = String::new();
    let mut heads: String = report.engines.iter().map(|name| format!(" {name}, net ms |")).collect();
    heads.extend(report.engines.iter().map(|name| format!(" {name}, peak MiB |")));
    let _ = writeln!(out, "| workload | ratio |{heads}\n|---|---:|{}", "---:|".repeat(2 * report.engines.len()));
    let mut logs = Vec::new();
    for row in &report.rows {
        let mut cells: String = (0..=last).map(|engine| format!(" {:.1} |", report.net(row, engine))).collect();
        cells.extend(row.medians.iter().map(|cost| format!(" {:.1} |", cost.peak_mib)));
        let ratio = report.net(row, 0) / report.net(row, last);
        logs.push(ratio.ln());
        let _ = writeln!(out, "| {} | {ratio:.2} |{cells}", row.name);
    }
    let mean = (logs.iter().sum::<f64>() / logs.len().max(1) as f64).exp();
    let _ = writeln!(out, "| **geometric mean** | **{mean:.2}** |{}", " |".repeat(2 * report.engines.len()));
    let _ = writeln!(out, "\nEmpty script (its CPU time is taken off above):\n");
    for (name, cost) in report.engines.iter().zip(&report.startup) {
        let _ =
            writeln!(out, "- {name}: {:.1} ms CPU, {:.1} ms elapsed, {:.1} MiB peak", cost.cpu_ms, cost.wall_ms, cost.peak_mib);
    }
    out
}

/// Put the report's section into the file, in place of an earlier one for the same workloads.
pub fn save(path: &Path, report: &Report) -> Result<()> {
    let heading = format!("## Workloads of {}", report.workloads);
    let facts = format!(
        "Median of {} interleaved rounds, CPU time (user and system); the ratio is of the first engine to the last.",
        report.rounds
    );
    keep(path, &heading, &report.command, &facts, &table(report))
}

/// Puts a section into the file, in place of an earlier one with the same heading.
pub fn keep(path: &Path, heading: &str, command: &str, facts: &str, table: &str) -> Result<()> {
    let old = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => TITLE.to_owned(),
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    let section = format!("{heading}\n\n    {command}\n\n{facts}\n{}, {}.\n\n{table}", today(), processor());
    std::fs::write(path, with_section(&old, heading, &section)).with_context(|| format!("writing {}", path.display()))
}

/// `text` with the section that begins with the line `heading` replaced, or `section` put at the end.
fn with_section(text: &str, heading: &str, section: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.iter().position(|line| *line == heading);
    let end = start.and_then(|start| lines[start + 1..].iter().position(|line| line.starts_with("## ")).map(|n| start + 1 + n));
    let before = lines[..start.unwrap_or(lines.len())].join("\n");
    let after = end.map(|end| lines[end..].join("\n")).unwrap_or_default();
    let parts = [before.trim_end(), section.trim_end(), after.trim_end()];
    let full: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    full.join("\n\n") + "\n"
}

fn processor() -> String {
    let facts = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        facts.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim().to_owned()));
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{} × {count}", model.unwrap_or_else(|| "unknown processor".to_owned()))
}

/// Today in UTC as YYYY-MM-DD (days to civil date after H. Hinnant's `civil_from_days`).
fn today() -> String {
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = civil(seconds / 86_400);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The date that is `days` after 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted_month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{Cost, Row};

    #[test]
    fn dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_454), (2026, 1, 1));
    }

    #[test]
    fn a_section_replaces_its_predecessor_only() {
        let text = "# T\n\n## A\n\nold\n\n## B\n\nkept\n";
        assert_eq!(with_section(text, "## A", "## A\n\nnew\n"), "# T\n\n## A\n\nnew\n\n## B\n\nkept\n");
        assert_eq!(with_section(text, "## C", "## C\n"), "# T\n\n## A\n\nold\n\n## B\n\nkept\n\n## C\n");
    }

    #[test]
    fn ratios_are_net_of_startup() {
        let cost = |cpu_ms| Cost { cpu_ms, wall_ms: 1.0, peak_mib: 5.0 };
        let report = Report {
            command: String::new(),
            workloads: String::new(),
            engines: vec!["a".to_owned(), "b".to_owned()],
            rounds: 1,
            startup: vec![cost(1.0), cost(10.0)],
            rows: vec![
                Row { name: "x".to_owned(), medians: vec![cost(11.0), cost(30.0)] },
                Row { name: "y".to_owned(), medians: vec![cost(3.0), cost(11.0)] },
            ],
        };
        let table = table(&report);
        assert!(table.contains("| x | 0.50 | 10.0 | 20.0 | 5.0 | 5.0 |"), "{table}");
        assert!(table.contains("| **geometric mean** | **1.00** | | | | |"), "{table}");
    }
}
