//! One session → what is wrong with it, if anything: commands in a folder, one of them in the background at a time.
//!
//! What stands below a command in the background is what it prints until the next step: that is waited for. A person who types
//! takes a moment, and so does the session before it kills.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::extract::{Action, Step};
use super::run::{TIME_LIMIT, captured, indented, matches, wait};

/// Between a line that is seen and the next command.
const TYPING: Duration = Duration::from_millis(300);

/// What runs in the background; killed when it is dropped.
struct Job(Child);

impl Drop for Job {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the steps in `folder`.
pub fn run(folder: &Path, program: &Path, steps: &[Step]) -> Result<Option<String>> {
    let mut job: Option<Job> = None;
    for step in steps {
        let printed = folder.join(format!("output-{}", step.line));
        let (seen, exit) = match &step.action {
            Action::Run(words) => {
                let (text, status) = captured(Command::new(program).args(words).current_dir(folder), &printed)?;
                (text, status.and_then(|s| s.code()))
            }
            Action::Start(words) => {
                let file = File::create(&printed)?;
                let mut command = Command::new(program);
                command.args(words).current_dir(folder).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
                job = Some(Job(command.spawn().context("starting the program")?));
                (until_printed(&printed, &step.output)?, Some(step.exit))
            }
            Action::Copy(from, to) => {
                std::fs::copy(folder.join(from), folder.join(to)).with_context(|| format!("copying {from}"))?;
                (String::new(), Some(step.exit))
            }
            Action::Kill(signal) => {
                let Some(mut ended) = job.take() else { continue };
                let pid = ended.0.id().to_string();
                Command::new("kill").args([signal, pid.as_str()]).status().context("sending a signal")?;
                let code = wait(&mut ended.0)?.map(|s| s.code().unwrap_or(step.exit));
                (String::new(), code)
            }
        };
        let lines: Vec<&str> = seen.lines().collect();
        let wanted: Vec<&str> = step.output.iter().map(String::as_str).collect();
        if exit != Some(step.exit) {
            let (is, line) = (exit.map_or("none".to_owned(), |e| e.to_string()), step.line);
            return Ok(Some(format!(
                "  line {line}: exit status {is}, expected {}\n  printed:\n{}",
                step.exit,
                indented(&lines)
            )));
        }
        if !matches(&wanted, &lines) {
            let line = step.line;
            return Ok(Some(format!("  line {line}: expected:\n{}\n  printed:\n{}", indented(&wanted), indented(&lines))));
        }
    }
    Ok(None)
}

/// What a job in the background has printed, once it is what is wanted and a moment has passed.
fn until_printed(path: &Path, wanted: &[String]) -> Result<String> {
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let start = Instant::now();
    loop {
        let text = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
        if matches(&wanted, &text.lines().collect::<Vec<_>>()) || start.elapsed() > TIME_LIMIT {
            std::thread::sleep(TYPING);
            return Ok(String::from_utf8_lossy(&std::fs::read(path)?).into_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
