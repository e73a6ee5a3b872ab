//! `drses serve`, `drses vat`, `drses store` and `drses repl --state`, as an operator meets them.
use crate::kit::{Folder, drses};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

/// Two vats that hold a hundred coins between them; `move` takes two turns.
const BANK: &str = "export default async ({ vats, console }) => {
    const far = await vats.make('./till.js', {});
    let here = 100;
    console.log('open');
    return Far('bank', {
        move: async n => { here -= n; await (far ~. put(n)); return here; },
        total: async () => here + await (far ~. count()),
        bad: () => { throw TypeError('never'); },
        lonely: () => { Promise.reject(RangeError('nobody looks')); return 1; },
        spin: () => { for (;;) {} },
        wait: () => new Promise(() => {}),
    });
};";
const TILL: &str = "export default () => {
    let coins = 0;
    return Far('till', { put: n => { coins += n; }, count: () => coins });
};";

fn bank() -> Folder {
    Folder::new(&[("bank.js", BANK), ("till.js", TILL)])
}

const SERVE: &[&str] = &["serve", "--state", "s", "bank.js"];

fn call(folder: &Folder, method: &str, args: &[&str]) -> serde_json::Value {
    folder.json(&[&["vat", "call", "--state", "s", "bank", method], args].concat())["value"].clone()
}

#[test]
fn a_host_is_called_looked_at_and_stopped() {
    let folder = bank();
    let host = folder.serve(SERVE);
    let mode = |name: &str| std::fs::metadata(folder.path().join(name)).expect(name).permissions().mode() & 0o777;
    assert_eq!((mode("s"), mode("s/control.sock")), (0o700, 0o600));
    assert_eq!(call(&folder, "move", &["30"]), 70);
    assert_eq!(call(&folder, "total", &[]), 100);
    let bad = folder.run(&["vat", "call", "--state", "s", "1", "bad"]);
    assert_eq!((bad.code, bad.last_error()), (Some(1), "TypeError: never"));
    let shown = folder.json(&["vat", "show", "--state", "s", "till.js"]);
    assert_eq!((&shown["vat"], &shown["lastError"]), (&2.into(), &serde_json::Value::Null));
    assert_eq!(shown["exports"][0]["heldBy"], serde_json::json!([1]));
    assert!(shown["exports"][0]["ageTurns"].as_u64().is_some_and(|n| n >= 2), "{shown}");
    let functions = shown["heap"].as_array().expect("kinds").iter().find(|k| k["kind"] == "function");
    assert!(functions.is_some_and(|f| f["count"].as_u64() >= Some(2) && f["bytes"].as_u64() > Some(0)), "{shown}");
    assert_eq!(call(&folder, "lonely", &[]), 1);
    let shown = folder.json(&["vat", "show", "--state", "s", "bank"]);
    assert_eq!(shown["lastError"]["text"], "RangeError: nobody looks");
    let log = folder.json(&["vat", "log", "--state", "s", "2"])["turns"].clone();
    let put = log.as_array().expect("turns").iter().find(|t| t["received"] == "put()").expect("a turn that received put()");
    assert_eq!(put["from"]["vat"], 1);
    assert_eq!(host.term().0, Some(0));
    assert!(!folder.path().join("s/control.sock").exists());
    // the last error is there without a host, and after a restart
    assert_eq!(folder.json(&["vat", "show", "--state", "s", "bank"])["lastError"]["text"], "RangeError: nobody looks");
}

#[test]
fn without_a_host_the_store_is_opened_and_what_was_done_stays() {
    let folder = bank();
    assert_eq!(folder.run(&["run", "--state", "s", "bank.js"]).out, "open\n");
    for n in 1..=3 {
        assert_eq!(call(&folder, "move", &["10"]), 100 - 10 * n);
    }
    assert_eq!(call(&folder, "total", &[]), 100);
    let turns = folder.json(&["vat", "ls", "--state", "s"])["vats"][0]["turns"].clone();
    assert_eq!(folder.json(&["vat", "ls", "--state", "s"])["vats"][0]["turns"], turns, "looking runs no turn");
    let none = folder.run(&["vat", "call", "--state", "s", "1", "wait"]);
    assert_eq!(none.code, Some(1));
    assert!(none.err.starts_with("error[E-NO-ANSWER]"), "{}", none.err);
    assert_eq!(folder.run(&["vat", "limit", "--state", "s", "1", "--max-instructions", "1e6"]).code, Some(0));
    let spin = folder.run(&["vat", "call", "--state", "s", "1", "spin"]);
    assert_eq!(spin.last_error(), "RangeError: limit: instructions per turn");
    assert_eq!(call(&folder, "total", &[]), 100);
    assert_eq!(folder.run(&["vat", "kill", "--state", "s", "2"]).code, Some(0));
    let total = folder.run(&["vat", "call", "--state", "s", "1", "total"]);
    assert_eq!(total.code, Some(1));
    assert_eq!(folder.json(&["vat", "ls", "--state", "s"])["vats"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_paused_vat_keeps_its_messages_through_a_kill() {
    let folder = bank();
    let host = folder.serve(SERVE);
    assert_eq!(folder.run(&["vat", "pause", "--state", "s", "2"]).code, Some(0));
    let asked = folder.start(&["vat", "call", "--state", "s", "1", "move", "5"]);
    while folder.json(&["vat", "ls", "--state", "s"])["vats"][1]["waiting"] != 1 {}
    // an answer is durable, and what came before it
    assert_eq!(folder.run(&["vat", "call", "--state", "s", "1", "bad"]).last_error(), "TypeError: never");
    host.kill9();
    drop(asked);
    let host = folder.serve(SERVE);
    let vats = folder.json(&["vat", "ls", "--state", "s"])["vats"].clone();
    assert_eq!((&vats[1]["paused"], &vats[1]["waiting"]), (&true.into(), &1.into()));
    // only that vat waits
    assert_eq!(folder.run(&["vat", "call", "--state", "s", "1", "bad"]).last_error(), "TypeError: never");
    assert_eq!(folder.run(&["vat", "resume", "--state", "s", "2"]).code, Some(0));
    assert_eq!(call(&folder, "total", &[]), 100);
    assert_eq!(call(&folder, "move", &["0"]), 95);
    host.kill9();
}

#[test]
fn calls_that_wait_behind_a_long_turn_are_kept() {
    let waiting = |folder: &Folder| {
        let host = folder.serve(&["serve", "--state", "s", "--paused", "bank.js"]);
        let n = folder.json(&["vat", "ls", "--state", "s"])["vats"][0]["waiting"].clone();
        host.kill9();
        n
    };
    let busy = |folder: &Folder| {
        let host = folder.serve(&["serve", "--state", "s", "--max-instructions", "1e15", "bank.js"]);
        let turns = |folder: &Folder| folder.json(&["vat", "ls", "--state", "s"])["vats"][0]["turns"].as_u64();
        assert_eq!(call(folder, "total", &[]), 100);
        let before = turns(folder);
        let spins = folder.start(&["vat", "call", "--state", "s", "1", "spin"]);
        while turns(folder) == before {}
        let asks = folder.start(&["vat", "call", "--state", "s", "1", "total"]);
        while folder.json(&["vat", "ls", "--state", "s"])["vats"][0]["waiting"] != 1 {}
        (host, spins, asks)
    };
    // once a second has begun since
    let folder = bank();
    let (host, ..) = busy(&folder);
    std::thread::sleep(std::time::Duration::from_millis(2500));
    host.kill9();
    assert_eq!(waiting(&folder), 2);
    // and if the process ends in order
    let folder = bank();
    let (host, ..) = busy(&folder);
    host.term();
    assert_eq!(waiting(&folder), 2);
}

#[test]
fn a_host_can_begin_with_everything_paused() {
    let folder = bank();
    let host = folder.serve(&["serve", "--state", "s", "--paused", "bank.js"]);
    let vats = folder.json(&["vat", "ls", "--state", "s"])["vats"].clone();
    assert_eq!((&vats[0]["paused"], &vats[0]["waiting"]), (&true.into(), &1.into()));
    assert_eq!(folder.run(&["vat", "resume", "--state", "s", "1"]).code, Some(0));
    assert_eq!(call(&folder, "total", &[]), 100);
    assert_eq!(host.term().0, Some(0));
    let host = folder.serve(&["serve", "--state", "s", "--paused", "bank.js"]);
    let vats = folder.json(&["vat", "ls", "--state", "s"])["vats"].clone();
    assert_eq!((&vats[0]["paused"], &vats[1]["paused"]), (&true.into(), &true.into()));
    host.kill9();
}

#[test]
fn a_backup_of_a_busy_host_is_of_one_moment() {
    let folder = bank();
    let host = folder.serve(SERVE);
    let mut sequences = Vec::new();
    std::thread::scope(|s| {
        let busy = s.spawn(|| {
            let mut to = UnixStream::connect(folder.path().join("s/control.sock")).expect("the host listens");
            let mut answers = BufReader::new(to.try_clone().expect("a handle")).lines();
            for _ in 0..300 {
                to.write_all(b"{\"do\":\"call\",\"vat\":1,\"method\":\"move\",\"args\":[1]}\n").expect("asked");
            }
            for _ in 0..300 {
                answers.next().expect("an answer").expect("an answer");
            }
        });
        for n in 0..4 {
            let name = format!("backup-{n}");
            sequences.push(folder.json(&["store", "backup", "--state", "s", &name])["sequence"].as_u64());
        }
        busy.join().expect("all calls are answered");
    });
    for (n, sequence) in sequences.into_iter().enumerate() {
        let (from, to) = (format!("backup-{n}"), format!("restored-{n}"));
        let before = folder.bytes(&from);
        let restored = folder.json(&["store", "restore", "--new-incarnation", &from, &to]);
        assert_eq!(restored["incarnation"], 2);
        assert!(restored["sequence"].as_u64() >= sequence, "what a backup says to hold is in it");
        assert!(folder.bytes(&from) == before, "a restore leaves the backup as it was");
        let total = folder.json(&["vat", "call", "--state", &to, "1", "total"]);
        assert_eq!(total["value"], 100, "backup {n} is of one moment");
        assert_eq!(folder.json(&["store", "check", "--state", &to])["ok"], true);
    }
    assert_eq!(call(&folder, "total", &[]), 100);
    host.kill9();
}

#[test]
fn a_store_is_compacted_checked_and_not_written_over() {
    let folder = bank();
    let host = folder.serve(SERVE);
    for args in [&["store", "check"][..], &["store", "stats"], &["store", "compact"]] {
        folder.json(&[args, &["--state", "s"]].concat());
    }
    let stats = folder.json(&["store", "stats", "--state", "s"]);
    assert!(stats["extents"].as_u64() > Some(0), "{stats}");
    assert_eq!(stats["vats"], 2);
    folder.write("full/file", b"mine");
    for args in [&["store", "backup", "--state", "s", "full"][..], &["store", "restore", "s", "full"]] {
        let ran = folder.run(args);
        assert_eq!(ran.code, Some(1));
        assert!(ran.err.starts_with("error[E-STORE-"), "{}", ran.err);
    }
    assert_eq!(folder.bytes("full"), [("file".to_owned(), b"mine".to_vec())]);
    assert_eq!(folder.run(&["vat", "dump", "--state", "s", "1", "image"]).code, Some(0));
    assert!(folder.read("image.json").is_some_and(|t| t.contains("\"kind\": \"function\"")));
    assert!(folder.run(&["vat", "dump", "--state", "s", "1", "image"]).err.starts_with("error[E-DUMP]"));
    assert_eq!(host.term().0, Some(0));
    assert_eq!(call(&folder, "total", &[]), 100);
}

#[test]
fn what_could_not_be_written_whole_is_not_in_the_way_of_the_next_attempt() {
    let folder = bank();
    let host = folder.serve(SERVE);
    folder.write("image.json", b"mine");
    let dump = ["vat", "dump", "--state", "s", "1", "image"];
    assert!(folder.run(&dump).err.starts_with("error[E-DUMP]"));
    std::fs::remove_file(folder.path().join("image.json")).expect("it is there");
    assert_eq!(folder.run(&dump).code, Some(0));
    std::fs::remove_file(folder.path().join("s/host.key")).expect("it is there");
    let with_key = folder.run(&["store", "backup", "--state", "s", "backup", "--with-key"]);
    assert!(with_key.err.starts_with("error[E-KEY]"), "{}", with_key.err);
    assert_eq!(folder.run(&["store", "backup", "--state", "s", "backup"]).code, Some(0));
    drop(host);
}

#[test]
fn a_backup_that_cannot_be_written_is_restored() {
    let folder = bank();
    let host = folder.serve(SERVE);
    // an answer is durable, and what came before it
    assert_eq!(call(&folder, "total", &[]), 100);
    host.kill9();
    folder.json(&["store", "backup", "--state", "s", "backup"]);
    for (name, _) in folder.bytes("backup") {
        let file = folder.path().join("backup").join(name);
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o400)).expect("it is ours");
    }
    folder.json(&["store", "restore", "backup", "again"]);
    for (name, _) in folder.bytes("again") {
        let mode = std::fs::metadata(folder.path().join("again").join(&name)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o600, 0o600, "{name}: the copy is to be written");
    }
    assert_eq!(folder.json(&["vat", "call", "--state", "again", "1", "total"])["value"], 100);
}

#[test]
fn the_control_socket_answers_whatever_it_is_told() {
    let folder = bank();
    let host = folder.serve(SERVE);
    let mut to = UnixStream::connect(folder.path().join("s/control.sock")).expect("the host listens");
    let mut answers = BufReader::new(to.try_clone().expect("a handle")).lines();
    let mut ask = |line: &str| {
        to.write_all(format!("{line}\n").as_bytes()).expect("asked");
        answers.next().expect("an answer").expect("an answer")
    };
    let deep = format!("{{\"do\":\"call\",\"vat\":1,\"method\":\"total\",\"args\":[{}1{}]}}", "[".repeat(110), "]".repeat(110));
    let told = [
        ("no json", "E-JSON"),
        ("[1]", "E-COMMAND"),
        ("{\"do\":7}", "E-COMMAND"),
        ("{\"do\":\"show\"}", "E-VAT"),
        ("{\"do\":\"show\",\"vat\":-1}", "E-VAT"),
        ("{\"do\":\"show\",\"vat\":99999999999}", "E-VAT"),
        ("{\"do\":\"call\",\"vat\":1}", "E-ARGS"),
        ("{\"do\":\"call\",\"vat\":1,\"method\":\"total\",\"args\":{}}", "E-ARGS"),
        ("{\"do\":\"dump\",\"vat\":1}", "E-ARGS"),
        ("{\"do\":\"dump\",\"vat\":1,\"to\":\"relative\"}", "E-ARGS"),
        (&deep, "E-ARGS"),
        ("{\"do\":\"limit\",\"vat\":1,\"maxHeap\":5}", "E-ARGS"),
        ("{\"do\":\"backup\",\"to\":\"relative\"}", "E-ARGS"),
    ];
    for (line, code) in told {
        let answer: serde_json::Value = serde_json::from_str(&ask(line)).expect("JSON");
        assert_eq!(answer["error"]["code"], code, "{line}");
        assert!(answer["error"]["help"].as_str().is_some_and(|h| !h.is_empty()), "{line}");
    }
    let shown = ask("{\"do\":\"show\",\"vat\":1,\"to\":\"/nowhere/image\"}");
    assert!(shown.contains("\"heapBytes\""), "only a dump goes to a file: {shown}");
    assert!(ask("{\"do\":\"show\",\"vat\":1.5}").contains("1.5 names no vat"));
    assert_eq!(ask("{\"id\":[3],\"do\":\"call\",\"vat\":1,\"method\":\"total\"}"), "{\"id\":[3],\"value\":100}");
    assert_eq!(ask("{\"do\":\"stop\"}"), "{\"ok\":true}");
    drop(host);
}

#[test]
fn who_does_not_read_its_answers_is_cut_off_and_nobody_else_waits() {
    let folder = bank();
    let host = folder.serve(SERVE);
    let mut deaf = UnixStream::connect(folder.path().join("s/control.sock")).expect("the host listens");
    deaf.set_write_timeout(Some(std::time::Duration::from_secs(20))).expect("a timeout");
    // more answers than a socket holds
    for _ in 0..2000 {
        deaf.write_all(b"{\"do\":\"call\",\"vat\":1,\"method\":\"total\"}\n").expect("asked");
    }
    for _ in 0..20 {
        assert_eq!(call(&folder, "total", &[]), 100);
    }
    let cut = (0..1_000_000).find_map(|_| deaf.write_all(b"{\"do\":\"ls\"}\n").err()).expect("it is cut off");
    assert!(matches!(cut.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{cut}");
    assert_eq!(host.term().0, Some(0));
}

#[test]
fn a_host_goes_on_though_nobody_reads_its_errors() {
    let folder = bank();
    let (errors, of_host) = std::io::pipe().expect("a pipe");
    drop(errors);
    let mut command = Command::new(env!("CARGO_BIN_EXE_drses"));
    command.args(SERVE).current_dir(folder.path()).stdout(Stdio::null()).stderr(of_host);
    let mut host = command.spawn().expect("drses starts");
    // each of these tells the operator something
    for _ in 0..3 {
        while !folder.path().join("s/control.sock").exists() {
            assert!(host.try_wait().expect("a status").is_none(), "it runs");
        }
        assert_eq!(call(&folder, "lonely", &[]), 1);
        assert_eq!(call(&folder, "total", &[]), 100);
    }
    let mut to = UnixStream::connect(folder.path().join("s/control.sock")).expect("the host listens");
    to.write_all(b"{\"do\":\"stop\"}\n").expect("asked");
    assert_eq!(host.wait().expect("it ends").code(), Some(0));
}

#[test]
fn what_a_repl_made_is_there_next_time() {
    let folder = Folder::new(&[]);
    let entries = |text: &str| drses(folder.path(), &["repl", "--state", "r"], text.as_bytes());
    let first = entries("globalThis.names = new Map([['a', 1]]);\nglobalThis.next = () => names.size + 1;\nnext()\n");
    assert_eq!((first.code, first.out.lines().last()), (Some(0), Some("2")), "{}", first.err);
    let second = entries("names.set('b', 2); next()\nthrow 7\nnames.get('a')\n");
    assert_eq!((second.code, second.out.as_str()), (Some(1), "3\n1\n"));
    let third = entries("names.get('b')\n");
    assert_eq!((third.code, third.out.as_str()), (Some(0), "2\n"));
    let listed = folder.run(&["vat", "ls", "--state", "r"]);
    assert!(listed.err.starts_with("error[E-STATE]"), "{}", listed.err);
    folder.write("a.js", b"export default () => 1;");
    let run = folder.run(&["run", "--state", "r", "a.js"]);
    assert!(run.err.starts_with("error[E-STATE]"), "{}", run.err);
}
