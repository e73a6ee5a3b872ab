#![forbid(unsafe_code)]
//! Runs the conformance tests of ECMAScript (test262) against the engine.
//!
//! In: `drses-test262 DIR [FILTER] [--update]`; DIR is a copy of the suite, FILTER a part of a test's path below `test/`.
//! Out: totals; each test whose verdict is not the expected one. `expected.txt` beside this crate names the tests that are known
//! to fail; `--update` writes what fails now there, and refuses if something new fails.
//!
//! Exit codes: 0 as expected, 1 not, 2 wrong usage. Nothing of the suite is kept here but names of tests.
mod absent;
mod meta;
mod run;

use run::{Runner, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const USAGE: &str = "usage: drses-test262 DIR [FILTER] [--update]\n  DIR      a copy of test262 (it has harness/ and test/)\n  FILTER   a part \
                     of a test's path, e.g. built-ins/Map/\n  --update write expected.txt anew, if nothing new fails";
/// Natives may nest deep.
const STACK_BYTES: usize = 64 << 20;
/// The parts of the suite that this engine means to pass.
const PARTS: [&str; 2] = ["language", "built-ins"];

fn main() {
    let (mut names, mut update) = (Vec::new(), false);
    for a in std::env::args().skip(1) {
        match a.as_str() {
            "--update" => update = true,
            flag if flag.starts_with('-') => usage(),
            _ => names.push(a),
        }
    }
    let (dir, filter) = match names.as_slice() {
        [dir] => (PathBuf::from(dir), String::new()),
        [dir, filter] => (PathBuf::from(dir), filter.clone()),
        _ => usage(),
    };
    match all(&dir, &filter, update) {
        Ok(true) => {}
        Ok(false) => std::process::exit(1),
        Err(e) => {
            eprintln!("error[E-FILE]: {}: {e}\n  help: DIR is a folder with test262's harness/ and test/", dir.display());
            std::process::exit(2);
        }
    }
}

fn usage() -> ! {
    eprintln!("{USAGE}");
    std::process::exit(2)
}

/// Names of all tests whose path contains `filter`, in order.
fn tests(dir: &Path, filter: &str) -> std::io::Result<Vec<String>> {
    let root = dir.join("test");
    let mut todo: Vec<PathBuf> = PARTS.iter().map(|p| root.join(p)).collect();
    let mut found = Vec::new();
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                todo.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).map_or_else(|_| String::new(), |p| p.to_string_lossy().replace('\\', "/"));
            if name.ends_with(".js") && !name.contains("_FIXTURE") && name.contains(filter) {
                found.push(name);
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Verdicts on all tests, on as many threads as there are cores.
fn verdicts(dir: &Path, tests: &[String]) -> std::io::Result<BTreeMap<String, Verdict>> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || -> std::io::Result<()> {
        let mut runner = Runner::new(dir)?;
        while let Some(name) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
            let verdict = runner.test(name)?;
            found.lock().unwrap_or_else(|e| e.into_inner()).insert(name.clone(), verdict);
        }
        Ok(())
    };
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    std::thread::scope(|s| -> std::io::Result<()> {
        let mut threads = Vec::new();
        for _ in 0..cores {
            threads.push(std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(s, work)?);
        }
        threads.into_iter().try_for_each(|t| t.join().unwrap_or_else(|_| Err(std::io::Error::other("a thread panicked"))))
    })?;
    Ok(found.into_inner().unwrap_or_else(|e| e.into_inner()))
}

/// True: all as expected.
fn all(dir: &Path, filter: &str, update: bool) -> std::io::Result<bool> {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("expected.txt");
    let text = std::fs::read_to_string(&list).unwrap_or_default();
    let expected: BTreeSet<&str> = text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()).collect();
    let found = verdicts(dir, &tests(dir, filter)?)?;
    let mut totals: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    let (mut new, mut mended) = (0, 0);
    for (name, verdict) in &found {
        let total = totals.entry(name.split('/').next().unwrap_or("")).or_default();
        match verdict {
            Verdict::Passed => {
                total[0] += 1;
                if expected.contains(name.as_str()) {
                    mended += 1;
                    println!("passes now: {name}");
                }
            }
            Verdict::Failed(why) => {
                total[1] += 1;
                if !expected.contains(name.as_str()) {
                    new += 1;
                    println!("fails: {name}\n  {}", why.lines().next().unwrap_or(""));
                }
            }
            Verdict::Skipped(_) => total[2] += 1,
        }
    }
    for (part, [passed, failed, skipped]) in &totals {
        println!("{part}: {passed} passed, {failed} failed, {skipped} skipped");
    }
    println!("{new} fail that are not in expected.txt, {mended} of it pass");
    if update && (new == 0 || text.is_empty()) {
        let kept = expected.iter().filter(|n| !found.contains_key(**n)).map(|n| (*n).to_owned());
        let failed = found.iter().filter(|f| matches!(f.1, Verdict::Failed(_))).map(|f| f.0.clone());
        let lines: BTreeSet<String> = kept.chain(failed).collect();
        let lines: Vec<String> = lines.into_iter().collect();
        std::fs::write(&list, format!("# Tests known to fail. The list gets only shorter.\n{}\n", lines.join("\n")))?;
        return Ok(true);
    }
    Ok(new == 0 && mended == 0)
}
