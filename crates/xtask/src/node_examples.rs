//! `cargo xtask node-examples`: each example, desugared, prints on Node what it prints under drses.
//!
//! In: a folder `node_modules` with npm's `ses`, `@endo/eventual-send` and `@endo/far`. Out: what differs.
//!
//! The shim `node/run.mjs` stands for the powers. It has no limits, so `sandbox` leaves out the guests whom only limits stop.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::book;

const SHIM: &str = include_str!("../node/run.mjs");

/// Example, arguments, and the file in its folder that holds what must be printed.
const RUNS: &[(&str, &[&str], &str)] = &[
    ("hello", &[], "expected.txt"),
    ("counter", &[], "expected.txt"),
    ("mint", &[], "expected.txt"),
    ("escrow-one-vat", &[], "expected.txt"),
    ("escrow", &[], "expected.txt"),
    ("escrow", &["cases"], "cases.txt"),
    ("contract-host", &[], "expected.txt"),
    ("auction", &[], "expected.txt"),
    ("caretaker", &[], "expected.txt"),
    ("sandbox", &["harmless"], "harmless.txt"),
];

/// Examples for several hosts: the shim has no network.
const WITH_A_NETWORK: &[&str] = &["ocapn-peer", "guestbook", "chat"];

pub fn run(root: &Path, modules: &str) -> Result<bool> {
    every_example_is_run(root)?;
    let modules = std::fs::canonicalize(modules).with_context(|| format!("looking for the folder {modules}"))?;
    let Some(program) = book::drses(root, &[])? else { bail!("there is no `drses` program yet") };
    let folder = std::env::temp_dir().join(format!("drses-node-{}", std::process::id()));
    let result = prepare(root, &program, &folder, &modules).and_then(|()| run_all(root, &folder));
    let _ = std::fs::remove_dir_all(&folder);
    result
}

/// A new example is not to be forgotten here.
fn every_example_is_run(root: &Path) -> Result<()> {
    for entry in std::fs::read_dir(root.join("examples"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !WITH_A_NETWORK.contains(&name.as_str()) && !RUNS.iter().any(|run| run.0 == name) {
            bail!("examples/{name} is not in the table of `cargo xtask node-examples`");
        }
    }
    Ok(())
}

fn prepare(root: &Path, program: &Path, folder: &Path, modules: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("package.json"), "{ \"type\": \"module\" }\n")?;
    std::fs::write(folder.join("run.mjs"), SHIM)?;
    std::os::unix::fs::symlink(modules, folder.join("node_modules"))?;
    let desugared =
        Command::new(program).args(["desugar", "examples", "--dir"]).arg(folder).current_dir(root).status().context("drses")?;
    if !desugared.success() {
        bail!("`drses desugar examples` failed");
    }
    Ok(())
}

fn run_all(root: &Path, folder: &Path) -> Result<bool> {
    let mut failed = 0;
    for (name, args, file) in RUNS {
        let expected = std::fs::read_to_string(root.join("examples").join(name).join(file))?;
        let mut node = Command::new("node");
        node.arg("run.mjs").arg(PathBuf::from("examples").join(name)).args(*args);
        let output = node.current_dir(folder).stdin(Stdio::null()).output().context("starting node")?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let fine = output.status.success() && printed == expected;
        let words = [&[*name], *args].concat().join(" ");
        println!("test {words} ... {}", if fine { "ok" } else { "FAILED" });
        if !fine {
            failed += 1;
            println!("  {}, printed:\n{printed}{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
    }
    println!("\ntest result: {}. {} passed; {failed} failed", if failed == 0 { "ok" } else { "FAILED" }, RUNS.len() - failed);
    Ok(failed == 0)
}
