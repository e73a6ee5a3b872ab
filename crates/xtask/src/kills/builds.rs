//! A second build of `drses`, with another base, one more opcode and changed builtins: states must outlive the build that began them.
//!
//! In: the sources. Out: the program; and whether what cannot be carried over is refused as it should be.
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::book;

/// Builds it and puts a copy into `folder`.
pub fn other(root: &Path, folder: &Path, options: &[&str]) -> Result<PathBuf> {
    let feature = ["-p", "drses-engine", "--features", "drses-engine/moved-base"];
    let all: Vec<&str> = feature.iter().chain(options).copied().collect();
    let Some(built) = book::drses(root, &all)? else { bail!("there is no `drses` program yet") };
    let copy = folder.join("drses-of-another-build");
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    std::fs::copy(&built, &copy).with_context(|| format!("copying {}", built.display()))?;
    Ok(copy)
}

/// Entries of a REPL with a state: what both builds have goes on, what one of them lacks is refused by it and named, and the build
/// that wrote it goes on after that.
pub fn refusals(usual: &Path, other: &Path, folder: &Path) -> Result<()> {
    let gone = [(other, usual, "globalThis.f = Object.later;", "later"), (usual, other, "globalThis.f = Math.expm1;", "expm1")];
    for (n, (first, then, entry, name)) in gone.into_iter().enumerate() {
        let state = folder.join(format!("gone-{n}"));
        entries(first, &state, entry)?;
        let said = entries(then, &state, "f")?;
        if !said.contains("E-BASE") || !said.contains(name) {
            bail!("`{entry}` of one build, then the other said:\n{said}");
        }
        let said = entries(first, &state, "typeof f")?;
        if !said.contains("function") {
            bail!("the build that wrote it cannot go on after a refusal:\n{said}");
        }
    }
    let state = folder.join("both");
    entries(usual, &state, "globalThis.n = [1, 2].map(x => x + 1);")?;
    for build in [other, usual, usual, other] {
        let said = entries(build, &state, "n.join()")?;
        if !said.contains("2,3") {
            bail!("what both builds have said:\n{said}");
        }
    }
    // `void` is an opcode of its own in the other build
    let state = folder.join("newer");
    entries(other, &state, "globalThis.f = () => void 0;")?;
    let said = entries(usual, &state, "f()")?;
    if !said.contains("E-STORE-NEWER") {
        bail!("code with a later build's opcode said:\n{said}");
    }
    Ok(())
}

/// What a REPL with this state says to one entry: output and errors.
fn entries(drses: &Path, state: &Path, entry: &str) -> Result<String> {
    let mut command = Command::new(drses);
    command.arg("repl").arg("--state").arg(state).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("starting drses")?;
    // one that refuses its state reads nothing
    let _ = child.stdin.take().context("a pipe")?.write_all(format!("{entry}\n").as_bytes());
    let out = child.wait_with_output()?;
    Ok(String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr))
}
