//! States that a crash of the real program could have left, opened in process and by the real program.
//!
//! A share of them here; `DRSES_STATES` says how many instead: `DRSES_STATES=10000 cargo test --release -p drses --test cli crashes`.
use crate::kit::Folder;
use sim::hunt::on_big_stack;
use sim::states::Recording;
use std::process::{Command, Stdio};
use std::sync::Arc;

const PROGRAM: &str = "\
export default async ({ console, timer, vats }) => {
  const source = `export default () => { let n = 0; const log = []; return Far('c', {
    add: k => { n += k; log.push({ n, text: 'entry ' + n }); return n; } }); };`;
  const counters = [await vats.makeFromSource(source, {}), await vats.makeFromSource(source, {})];
  for (let n = 1; n <= 40; n += 1) {
    const [a, b] = await Promise.all(counters.map(c => c ~. add(n)));
    if (a !== b || a !== (n * (n + 1)) / 2) throw Error(`${a} and ${b} after ${n}`);
    if (n % 20 === 0) await (timer ~. delay(1));
    console.log(`${n} ${a}`);
  }
  console.log('ok');
};
";

fn states() -> usize {
    std::env::var("DRSES_STATES").ok().and_then(|s| s.parse().ok()).unwrap_or(150)
}

/// Runs the program with a record of its disk and its lines in one file.
fn record(folder: &Folder) -> Recording {
    let out = std::fs::OpenOptions::new().create(true).append(true).open(folder.path().join("record")).expect("a file");
    let status = Command::new(env!("CARGO_BIN_EXE_drses"))
        .args(["run", "--state", "state", "main.js"])
        .env("DRSES_RECORD_DISK", folder.path().join("record"))
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(out)
        .status()
        .expect("drses runs");
    assert!(status.success(), "{status}");
    Recording::read(&std::fs::read(folder.path().join("record")).expect("a record"))
}

#[test]
fn states_that_a_crash_could_leave_hold_what_was_released() {
    let folder = Folder::new(&[("main.js", PROGRAM)]);
    let recording = record(&folder);
    let all = recording.lines();
    assert_eq!(all.last().map(String::as_str), Some("ok"), "{all:?}");
    assert!(recording.effects > 50, "{} effects", recording.effects);
    let count = states();
    let vats = on_big_stack(|| {
        let shared = Arc::new(vat_shared());
        let mut vats = 0;
        for i in 0..count {
            // spread over the whole record, each place with several seeds
            let effects = i * 7919 % (recording.effects + 1);
            let found = recording.check(&shared, effects, i as u64, i % 20 == 0);
            vats += found.unwrap_or_else(|e| panic!("state {i}, after {effects} effects: {e}"));
        }
        vats
    });
    assert!(vats > count, "{vats} vats woke in {count} states");
    println!("{count} states of {} effects, {vats} vats woke", recording.effects);
    for i in 0..(count / 100).clamp(5, 200) {
        real(&folder, &recording, &all, i);
    }
}

/// The real program opens a state and comes to its end.
fn real(folder: &Folder, recording: &Recording, all: &[String], i: usize) {
    let effects = i * 104_729 % (recording.effects + 1);
    let state = format!("state-{i}");
    recording.save(effects, i as u64, &folder.path().join(&state)).expect("a state");
    let args = ["run", "--state", &state, "main.js"];
    let ran = Command::new(env!("CARGO_BIN_EXE_drses")).args(args).current_dir(folder.path()).output().expect("drses runs");
    let out = String::from_utf8_lossy(&ran.stdout);
    let err = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "state {i}, after {effects} effects: {err}");
    let lines: Vec<String> = out.lines().map(str::to_owned).collect();
    let released = recording.released(effects);
    let fits = all.ends_with(&lines) && all.len() - lines.len() <= released;
    assert!(fits, "state {i}, after {effects} effects: {released} lines were released, then came {lines:?}");
}

fn vat_shared() -> sim::states::Shared {
    sim::states::Shared::new(false).expect("a base")
}
