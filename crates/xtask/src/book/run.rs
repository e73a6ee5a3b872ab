//! One example → what is wrong with it, if anything.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::extract::{Example, Kind, PROGRAM};
use super::session;

/// An example that runs longer than this is stopped and has failed.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Run one example with `program`; a text if it did not do what the page says.
pub fn example(root: &Path, program: &Path, example: &Example) -> Result<Option<String>> {
    let folder = std::env::temp_dir().join(format!("drses-book-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("making the folder {}", folder.display()))?;
    let script = folder.join(PROGRAM);
    std::fs::write(&script, &example.code)?;
    for (name, text) in &example.files {
        std::fs::write(folder.join(name), text)?;
    }
    if let Kind::Session(steps) = &example.kind {
        let fault = session::run(&folder, program, steps);
        let _ = std::fs::remove_dir_all(&folder);
        return fault;
    }
    let mut command = Command::new(program);
    match &example.kind {
        Kind::Script(options) => command.args(["run", "--script"]).args(options).arg(&script),
        Kind::Program(options) => command.arg("run").args(options).arg(&script),
        Kind::Accept | Kind::Reject(_) => command.args(["check", "--level", "jessie"]).arg(&script),
        Kind::Command(words) => command.args(words),
        Kind::Session(_) => &mut command,
    };
    let result = captured(command.current_dir(root), &folder.join("output"));
    let _ = std::fs::remove_dir_all(&folder);
    let (printed, status) = result?;
    Ok(fault(example, &printed, status.and_then(|status| status.code())))
}

/// Everything printed on either stream, in the order it came, and the status; no status if the time ran out.
pub(super) fn captured(command: &mut Command, path: &Path) -> Result<(String, Option<ExitStatus>)> {
    let file = File::create(path)?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
    let mut child = command.spawn().context("starting the program")?;
    let status = wait(&mut child)?;
    Ok((String::from_utf8_lossy(&std::fs::read(path)?).into_owned(), status))
}

pub(super) fn wait(child: &mut Child) -> Result<Option<ExitStatus>> {
    let start = Instant::now();
    while start.elapsed() < TIME_LIMIT {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

fn fault(example: &Example, printed: &str, exit: Option<i32>) -> Option<String> {
    let lines: Vec<&str> = printed.lines().collect();
    let shown = || format!("  printed:\n{}", indented(&lines));
    match exit {
        None => return Some(format!("  it was stopped by a signal, or after {} s\n{}", TIME_LIMIT.as_secs(), shown())),
        Some(status) if status != example.exit => {
            return Some(format!("  exit status {status}, expected {}\n{}", example.exit, shown()));
        }
        Some(_) => {}
    }
    match &example.kind {
        Kind::Accept => None,
        Kind::Reject(code) => {
            (!printed.contains(code.as_str())).then(|| format!("  the diagnostics do not name {code}\n{}", shown()))
        }
        Kind::Script(_) | Kind::Program(_) | Kind::Command(_) | Kind::Session(_) => {
            let wanted: Vec<&str> = example.output.iter().map(String::as_str).collect();
            (!matches(&wanted, &lines)).then(|| format!("  expected:\n{}\n{}", indented(&wanted), shown()))
        }
    }
}

pub(super) fn indented(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// Is this the wanted line, where a wanted `…` stands for any text?
fn line_matches(wanted: &str, line: &str) -> bool {
    let mut parts = wanted.split('…');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Are these the wanted lines, where a wanted `…` stands for any number of lines? Spaces at line ends do not count.
pub(super) fn matches(wanted: &[&str], lines: &[&str]) -> bool {
    // `reached[n]`: the patterns read so far can match the first n lines.
    let mut reached = vec![false; lines.len() + 1];
    reached[0] = true;
    for pattern in wanted {
        if *pattern == "…" {
            let first = reached.iter().position(|r| *r).unwrap_or(reached.len());
            reached[first..].fill(true);
            continue;
        }
        for n in (0..=lines.len()).rev() {
            reached[n] = n > 0 && reached[n - 1] && line_matches(pattern.trim_end(), lines[n - 1].trim_end());
        }
    }
    reached[lines.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_stand_for_any_lines() {
        assert!(matches(&["a", "b"], &["a", "b "]));
        assert!(matches(&["…", "b"], &["a", "b"]));
        assert!(matches(&["a", "…"], &["a"]));
        assert!(matches(&["…", "b", "…", "d"], &["b", "c", "b", "x", "d"]));
        assert!(!matches(&["a"], &["a", "b"]));
        assert!(!matches(&["…", "c"], &["a", "b"]));
        assert!(matches(&[], &[]));
    }

    #[test]
    fn dots_in_a_line_stand_for_any_text() {
        assert!(line_matches("a…b…c", "a-b-b-c"));
        assert!(line_matches("limit: …", "limit: instructions"));
        assert!(!line_matches("limit: …", "no limit: x"));
        assert!(!line_matches("a…b", "a-b-"));
        assert!(line_matches("ab", "ab") && !line_matches("ab", "abc"));
    }

    #[test]
    fn a_fault_shows_both_sides() {
        let kind = Kind::Script(Vec::new());
        let (file, output) = ("a.md".to_owned(), vec!["1".to_owned()]);
        let example = Example { file, line: 1, kind, code: String::new(), files: Vec::new(), output, exit: 0 };
        assert_eq!(fault(&example, "1\n", Some(0)), None);
        assert!(fault(&example, "2\n", Some(0)).expect("a fault").contains("2"));
        assert!(fault(&example, "1\n", Some(1)).expect("a fault").contains("exit status 1, expected 0"));
        assert!(fault(&example, "", None).expect("a fault").contains("stopped"));
    }
}
