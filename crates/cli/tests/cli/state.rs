//! `drses run --state`: kills, changed programs, and stores that are not as they should be.
use crate::kit::Folder;

/// Prints six steps with a pause after each.
const STEPS: &str = "export default async ({ console, timer }) => {
    for (let i = 1; i <= 6; i += 1) { console.log(`step ${i}`); await timer.delay(60); }
    console.log('done');
};";

/// Two vats: the clerk keeps a note, the main vat asks for it each time it is called.
const OFFICE: &str = "export default async ({ vats }) => {
    const clerk = await vats.make('./clerk.js', {});
    return Far('office', { ask: () => clerk ~. note(), here: () => 'here' });
};";
const CLERK: &str = "export default () => {
    const note = 'MARKER-OF-THE-CLERK '.repeat(20);
    return Far('clerk', { note: () => note.length });
};";

fn office() -> Folder {
    let folder = Folder::new(&[("office.js", OFFICE), ("clerk.js", CLERK)]);
    assert_eq!(folder.run(&["run", "--state", "s", "office.js"]).code, Some(0));
    folder
}

#[test]
fn a_killed_program_goes_on_where_it_was() {
    let folder = Folder::new(&[("steps.js", STEPS)]);
    let mut printed = Vec::new();
    for stop in ["step 2", "step 3", "step 5"] {
        let mut run = folder.start(&["run", "--state", "s", "steps.js"]);
        run.wait_for(stop);
        printed.extend(run.kill9());
    }
    let last = folder.run(&["run", "--state", "s", "steps.js"]);
    assert_eq!(last.code, Some(0), "{}", last.err);
    printed.extend(last.out.lines().map(str::to_owned));
    // a line may come twice if the kill came before it was noted as written; none is missing and none is early
    printed.dedup();
    let wanted: Vec<String> = (1..=6).map(|i| format!("step {i}")).chain(["done".to_owned()]).collect();
    assert_eq!(printed, wanted);
    let again = folder.run(&["run", "--state", "s", "steps.js"]);
    assert_eq!((again.code, again.out.as_str()), (Some(0), ""));
    assert!(again.err.contains("nothing is left to do"), "{}", again.err);
}

#[test]
fn three_kills_do_not_park_what_ran_well() {
    // each process dies while it waits, none of a delivery: no attempt may be held against the program
    let folder = Folder::new(&[("steps.js", STEPS.replace("delay(60)", "delay(400)").as_str())]);
    for n in 1..=5 {
        let mut run = folder.start(&["run", "--state", "s", "steps.js"]);
        run.wait_for(&format!("step {n}"));
        run.kill9();
    }
    let last = folder.run(&["run", "--state", "s", "steps.js"]);
    assert_eq!(last.code, Some(0), "{}", last.err);
    assert!(last.out.ends_with("step 6\ndone\n"), "{}", last.out);
}

#[test]
fn sigterm_ends_a_run_clean_and_with_its_own_code() {
    let folder = Folder::new(&[("steps.js", STEPS.replace("delay(60)", "delay(600000)").as_str())]);
    let mut run = folder.start(&["run", "--state", "s", "steps.js"]);
    run.wait_for("step 1");
    assert_eq!(run.term(), (Some(143), String::new()));
    // a clean end leaves nothing to write again
    let mut run = folder.start(&["run", "--state", "s", "steps.js"]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(run.out, [""; 0]);
    run.out.clear();
    assert_eq!(run.kill9(), [""; 0]);
}

#[test]
fn a_changed_program_is_refused_and_named() {
    let folder = office();
    folder.write("clerk.js", b"export default () => 0; // changed");
    let ran = folder.run(&["run", "--state", "s", "office.js"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert!(ran.err.contains("changed: clerk.js") && !ran.err.contains("changed: office.js"), "{}", ran.err);
    assert!(ran.err.contains("--continue") && ran.err.contains("--fresh"), "{}", ran.err);
    let ran = folder.run(&["run", "--state", "s", "--continue", "office.js"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(folder.json(&["vat", "call", "--state", "s", "1", "ask"])["value"], 400);
}

#[test]
fn a_state_belongs_to_one_program() {
    let folder = office();
    folder.write("other.js", b"export default ({ console }) => { console.log('other'); };");
    for more in [&[][..], &["--continue"]] {
        let ran = folder.run(&[&["run", "--state", "s"], more, &["other.js"]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
        assert!(ran.err.starts_with("error[E-OTHER-PROGRAM]") && ran.err.contains("office.js"), "{}", ran.err);
    }
    assert_eq!(folder.run(&["run", "--state", "s", "./office.js"]).code, Some(0));
}

#[test]
fn fresh_moves_the_old_state_aside_and_a_faulty_program_moves_nothing() {
    let folder = office();
    folder.write("office.js", b"export default (");
    let ran = folder.run(&["run", "--state", "s", "--fresh", "office.js"]);
    assert_eq!(ran.code, Some(1));
    assert!(!folder.path().join("s.old-1").exists());
    folder.write("office.js", b"export default ({ console }) => { console.log('new'); };");
    let ran = folder.run(&["run", "--state", "s", "--fresh", "office.js"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "new\n"));
    assert!(folder.path().join("s.old-1/super").exists(), "{}", ran.err);
    folder.write("none.js", b"export default (");
    assert_eq!(folder.run(&["run", "--state", "t", "none.js"]).code, Some(1));
    assert!(!folder.path().join("t").exists(), "a program that cannot run begins no state");
}

#[test]
fn new_limits_are_those_of_the_program_from_now_on() {
    let folder = Folder::new(&[("a.js", "export default () => Far('a', { hi: () => 'hi' });")]);
    let limit = |folder: &Folder| folder.json(&["vat", "show", "--state", "s", "1"])["maxHeap"].clone();
    assert_eq!(folder.run(&["run", "--state", "s", "--max-heap", "32MiB", "a.js"]).code, Some(0));
    assert_eq!(limit(&folder), 32 << 20);
    assert_eq!(folder.run(&["run", "--state", "s", "a.js"]).code, Some(0));
    assert_eq!(limit(&folder), 32 << 20);
    assert_eq!(folder.run(&["run", "--state", "s", "--max-heap", "64MiB", "a.js"]).code, Some(0));
    assert_eq!(limit(&folder), 64 << 20);
}

/// Damages one file; what then is told, with this code, changes nothing.
fn refused(file: &str, code: &str, damage: impl Fn(&mut Vec<u8>)) {
    let folder = office();
    let name = format!("s/{file}");
    let mut bytes = std::fs::read(folder.path().join(&name)).expect("a file of the store");
    damage(&mut bytes);
    folder.write(&name, &bytes);
    let before = folder.bytes("s");
    for args in [&["run", "--state", "s", "office.js"][..], &["vat", "ls", "--state", "s"], &["store", "check", "--state", "s"]] {
        let ran = folder.run(args);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{args:?}");
        assert!(ran.err.starts_with(&format!("error[{code}]: ")) && ran.err.contains("\n  help: "), "{args:?}: {}", ran.err);
        assert!(folder.bytes("s") == before, "{args:?} changed the store");
    }
}

/// Where the copies of the superblock are.
fn copies(file: &[u8]) -> Vec<usize> {
    (0..file.len()).step_by(512).filter(|at| file[*at..].starts_with(b"DRSESTOR")).collect()
}

/// CRC-32C, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, b| (0..8).fold(crc ^ u32::from(*b), step))
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    refused("super", "E-STORE-NEWER", |b| {
        // a newer program wrote one copy and died before the other
        let at = copies(b)[0];
        b[at + 8] = 99;
        let sum = crc(&b[at..at + 116]).to_le_bytes();
        b[at + 116..at + 120].copy_from_slice(&sum);
    });
}

#[test]
fn one_damaged_copy_of_the_superblock_is_made_up_for_by_the_other() {
    let folder = office();
    let mut bytes = std::fs::read(folder.path().join("s/super")).expect("a superblock");
    let at = copies(&bytes)[0];
    bytes[at + 20] ^= 1;
    folder.write("s/super", &bytes);
    assert_eq!(folder.json(&["vat", "call", "--state", "s", "1", "ask"])["value"], 400);
}

#[test]
fn a_damaged_superblock_is_refused() {
    refused("super", "E-STORE-CORRUPT", |b| copies(b).iter().for_each(|at| b[at + 20] ^= 1));
}

#[test]
fn a_truncated_log_is_refused() {
    refused("log-00000001", "E-STORE-TRUNCATED", |b| b.truncate(1024));
}

#[test]
fn a_flipped_bit_in_the_log_is_refused() {
    refused("log-00000001", "E-STORE-CORRUPT", |b| b[1300] ^= 16);
}

#[test]
fn the_superblock_of_another_host_is_refused() {
    let other = office();
    let bytes = std::fs::read(other.path().join("s/super")).expect("a superblock");
    refused("super", "E-STORE-IDENTITY", |b| b.clone_from(&bytes));
}

#[test]
fn flipped_bits_in_a_heap_pause_that_vat_alone_and_its_messages_wait() {
    let folder = office();
    folder.json(&["store", "compact", "--state", "s"]);
    let whole = std::fs::read(folder.path().join("s/extents")).expect("extents");
    let marker = b"MARKER-OF-THE-CLERK";
    let at = whole.windows(marker.len()).position(|w| w == marker).expect("the clerk's note is in an extent");
    let mut bytes = whole.clone();
    bytes[at] ^= 1;
    folder.write("s/extents", &bytes);
    // it opens, and the other vat answers
    assert_eq!(folder.json(&["vat", "call", "--state", "s", "1", "here"])["value"], "here");
    let checked = folder.run(&["store", "check", "--state", "s"]);
    assert_eq!(checked.code, Some(1));
    assert!(checked.out.contains("bytes of vat 2 from"), "{}", checked.out);
    let asked = folder.run(&["vat", "call", "--state", "s", "1", "ask"]);
    assert_eq!(asked.code, Some(1));
    assert!(asked.err.contains("error[E-PAUSED]") && asked.err.contains("error[E-NO-ANSWER]"), "{}", asked.err);
    assert_eq!(folder.json(&["vat", "call", "--state", "s", "1", "here"])["value"], "here");
    let vats = folder.json(&["vat", "ls", "--state", "s"])["vats"].clone();
    assert_eq!((&vats[0]["paused"], &vats[1]["paused"], &vats[1]["waiting"]), (&false.into(), &true.into(), &1.into()));
    let shown = folder.json(&["vat", "show", "--state", "s", "2"]);
    assert!(shown["lastError"]["text"].as_str().is_some_and(|t| t.contains("cannot be read")), "{shown}");
    assert!(shown["heapFault"].is_string(), "{shown}");
    let stuck = folder.run(&["run", "--state", "s", "office.js"]);
    assert_eq!(stuck.code, Some(1));
    assert!(stuck.err.contains("vat 2 (clerk.js) is paused"), "{}", stuck.err);
    // with the extent as it was the vat goes on, its message first
    folder.write("s/extents", &whole);
    assert_eq!(folder.run(&["vat", "resume", "--state", "s", "2"]).code, Some(0));
    assert_eq!(folder.json(&["vat", "call", "--state", "s", "1", "ask"])["value"], 400);
    assert_eq!(folder.json(&["vat", "ls", "--state", "s"])["vats"][1]["waiting"], 0);
    assert!(folder.run(&["store", "check", "--state", "s"]).out.ends_with("all is well\n"));
}

/// Of a large heap only what is touched is read: what is damaged elsewhere is found when it is touched, and nothing of that turn stays.
#[test]
fn a_flipped_bit_in_a_large_heap_pauses_its_vat_when_it_is_touched() {
    let store = "
        export default () => {
          const notes = [];
          let turns = 0;
          return Far('store', {
            fill: n => {
              for (let i = 0; i < n; i += 1) notes.push('x'.repeat(2000) + `MARKER-OF-NOTE-${notes.length}-`);
              return notes.length;
            },
            note: i => { turns += 1; return notes[i].charCodeAt(2000); },
            turns: () => turns,
          });
        };";
    let main = "export default async ({ vats }) => {
          const store = await vats.make('./store.js', {});
          return Far('main', { store: () => store, here: () => 'here' });
        };";
    let folder = Folder::new(&[("store.js", store), ("main.js", main)]);
    assert_eq!(folder.run(&["run", "--state", "s", "main.js"]).code, Some(0));
    for _ in 0..4 {
        folder.json(&["vat", "call", "--state", "s", "2", "fill", "1000"]);
    }
    folder.json(&["store", "compact", "--state", "s"]);
    let whole = std::fs::read(folder.path().join("s/extents")).expect("extents");
    let marker = b"MARKER-OF-NOTE-1700-";
    let at = whole.windows(marker.len()).position(|w| w == marker).expect("the note is in an extent");
    let mut bytes = whole.clone();
    bytes[at] ^= 1;
    folder.write("s/extents", &bytes);
    let note = |i: &str| folder.run(&["vat", "call", "--state", "s", "2", "note", i]);
    // where the system tells of no touches the heap is read whole, and the damage is found by the first turn
    let before = if host::can_wake_at_touch() { ["10", "3900"].as_slice() } else { &[] };
    for i in before {
        assert_eq!(note(i).out.trim(), "77");
    }
    let asked = note("1700");
    assert_eq!(asked.code, Some(1));
    assert!(asked.err.contains("error[E-PAUSED]"), "{}", asked.err);
    let shown = folder.json(&["vat", "show", "--state", "s", "2"]);
    assert!(shown["lastError"]["text"].as_str().is_some_and(|t| t.contains("cannot be read")), "{shown}");
    assert_eq!(folder.json(&["vat", "call", "--state", "s", "1", "here"])["value"], "here");
    // with the extent as it was the vat goes on, the note that was asked for first
    folder.write("s/extents", &whole);
    assert_eq!(folder.run(&["vat", "resume", "--state", "s", "2"]).code, Some(0));
    assert_eq!(folder.json(&["vat", "call", "--state", "s", "2", "turns"])["value"], before.len() + 1);
    assert!(folder.run(&["store", "check", "--state", "s"]).out.ends_with("all is well\n"));
}

#[test]
fn a_state_in_use_is_refused_and_not_moved() {
    let folder = Folder::new(&[("a.js", "export default () => Far('a', { hi: () => 'hi' });")]);
    let host = folder.serve(&["serve", "--state", "s", "a.js"]);
    for more in [&[][..], &["--fresh"], &["--continue"]] {
        let ran = folder.run(&[&["run", "--state", "s"], more, &["a.js"]].concat());
        assert_eq!(ran.code, Some(1));
        assert!(ran.err.starts_with("error[E-STORE-LOCKED]"), "{}", ran.err);
    }
    let ran = folder.run(&["store", "restore", "s", "t"]);
    assert!(ran.err.starts_with("error[E-STORE-LOCKED]"), "{}", ran.err);
    assert_eq!(folder.json(&["vat", "call", "--state", "s", "1", "hi"])["value"], "hi");
    let (code, err) = host.term();
    assert_eq!((code, err.lines().count()), (Some(0), 1), "{err}");
}
