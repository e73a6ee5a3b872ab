//! Durable sessions: real hosts, killed in turn while they talk.
use crate::kit::{Folder, Started};
use std::time::{Duration, Instant};

/// Notes numbers, and whether each comes after the one before.
const SINK: &str = "// @jessie-check
export default () => {
  let count = 0;
  let last = 0;
  let wrong = 0;
  let sum = 0;
  return harden({
    inOrder: n => {
      if (n !== last + 1) {
        wrong += 1;
      }
      last = n;
      count += 1;
      return n;
    },
    note: n => {
      sum += n;
      count += 1;
      return n;
    },
    state: () => harden([count, last, wrong, sum]),
  });
};
";

/// Passes numbers on to what it is given, and keeps a promise until it is asked to keep it no longer.
const RELAY: &str = "// @jessie-check
export default () => {
  const { promise, resolve } = makePromiseKit();
  const own = harden({ shout: word => word + '!' });
  return harden({
    through: (sink, n) => sink ~. note(n),
    promised: () => promise,
    keepIt: () => {
      resolve(own);
      return true;
    },
  });
};
";

/// Sends numbers 1 to N to both, without waiting for answers; counts what it is told.
const TELLER: &str = "// @jessie-check
export default ({ console, timer, refs: { sink, relay }, args }) => {
  const count = Number(args[0]);
  let answers = 0;
  let passed = 0;
  let wrong = 0;
  let heard = 'nothing';
  const failed = e => {
    wrong += 1;
    console.log('wrong: ' + e.message);
  };
  const tell = n => {
    if (n > count) {
      return undefined;
    }
    E.when(sink ~. inOrder(n), m => {
      answers += 1;
      if (m !== n || answers !== n) {
        wrong += 1;
      }
    }, failed);
    E.when(relay ~. through(sink, n), m => {
      passed += 1;
      if (m !== n) {
        wrong += 1;
      }
    }, failed);
    return E.when(timer ~. delay(3), _ => tell(n + 1));
  };
  // sent on a promise that is half way through
  E.when(relay ~. promised() ~. shout('kept'), w => { heard = w; }, failed);
  tell(1);
  return harden({ state: () => harden([answers, passed, wrong, heard]) });
};
";

/// A host that may be killed and started again.
struct Host<'a> {
    folder: &'a Folder,
    args: Vec<String>,
    state: &'static str,
    running: Option<Started>,
    uri: String,
}

impl<'a> Host<'a> {
    fn new(folder: &'a Folder, state: &'static str, program: &[&str]) -> Host<'a> {
        let args = |listen: &str| -> Vec<String> {
            ["serve", "--state", state, "--listen", listen].iter().chain(program).map(|a| (*a).to_owned()).collect()
        };
        let mut h = Host { folder, args: args("noise://127.0.0.1:0"), state, running: None, uri: String::new() };
        h.start();
        let port = h.uri.rsplit_once("port=").expect("a port").1.to_owned();
        h.args = args(&format!("noise://127.0.0.1:{port}"));
        h
    }
    fn start(&mut self) {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let mut host = self.folder.start(&args);
        self.uri = host.line(|l| l.starts_with("ocapn://"));
        self.running = Some(host);
    }
    fn kill(&mut self) {
        if let Some(host) = self.running.take() {
            let out = host.kill9();
            assert!(!out.iter().any(|l| l.contains("wrong")), "{out:?}");
        }
    }
    fn call(&self, method: &str) -> serde_json::Value {
        self.folder.json(&["vat", "call", "--state", self.state, "1", method])["value"].clone()
    }
}

#[test]
fn hosts_that_are_killed_lose_no_message() {
    const N: u64 = 400;
    let f = Folder::new(&[("sink.js", SINK), ("relay.js", RELAY), ("teller.js", TELLER)]);
    let sink = Host::new(&f, "s", &["sink.js"]);
    let relay = Host::new(&f, "r", &["relay.js"]);
    let refs = [format!("--ref=sink={}", sink.uri), format!("--ref=relay={}", relay.uri)];
    let teller = Host::new(&f, "t", &[&refs[0], &refs[1], "teller.js", "400"]);
    let mut hosts = [sink, relay, teller];
    let start = Instant::now();
    let mut kills = 0;
    loop {
        for host in &mut hosts {
            std::thread::sleep(Duration::from_millis(120));
            host.kill();
            kills += 1;
            std::thread::sleep(Duration::from_millis(if kills % 4 == 0 { 150 } else { 0 }));
            host.start();
        }
        let state = hosts[2].call("state");
        if (state[0].as_u64(), state[1].as_u64()) == (Some(N), Some(N)) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "{state} {}", hosts[0].call("state"));
    }
    assert!(kills >= 9, "{kills}");
    assert_eq!(hosts[1].call("keepIt"), true);
    let heard = |h: &Host<'_>| h.call("state")[3] == "kept!";
    while !heard(&hosts[2]) {
        assert!(start.elapsed() < Duration::from_secs(150), "the promise was kept");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(hosts[2].call("state"), serde_json::json!([N, N, 0, "kept!"]));
    assert_eq!(hosts[0].call("state"), serde_json::json!([2 * N, N, 0, N * (N + 1) / 2]));
}

/// Holds what it is given as `refs.there`, and tells what became of what it asked.
const ASKER: &str = "// @jessie-check
export default ({ refs: { there } }) => {
  let told = 'nothing';
  return harden({
    ask: () => {
      E.when(there ~. later(), v => { told = 'told ' + v; }, e => { told = 'rejected: ' + e.message; });
      return true;
    },
    quick: () => there ~. quick(),
    told: () => told,
  });
};
";

/// Answers at once, or when it is asked to.
const ANSWERER: &str = "// @jessie-check
export default () => {
  const { promise, resolve } = makePromiseKit();
  let asked = 0;
  return harden({
    later: () => {
      asked += 1;
      return promise;
    },
    quick: () => 'at once',
    answer: () => {
      resolve('at last');
      return asked;
    },
  });
};
";

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn asker_and_answerer(f: &Folder) -> (Host<'_>, Host<'_>) {
    f.write("asker.js", ASKER.as_bytes());
    f.write("answerer.js", ANSWERER.as_bytes());
    let there = Host::new(f, "there", &["answerer.js"]);
    let here = Host::new(f, "here", &[&format!("--ref=there={}", there.uri), "asker.js"]);
    assert_eq!(here.call("quick"), "at once");
    (here, there)
}

fn peers(f: &Folder, state: &str) -> Vec<serde_json::Value> {
    f.json(&["peer", "ls", "--state", state])["peers"].as_array().expect("a list").clone()
}

fn key(uri: &str) -> &str {
    uri.strip_prefix("ocapn://").and_then(|u| u.split_once('.')).expect("a locator").0
}

#[test]
fn a_peer_that_is_away_is_listed_and_can_be_forgotten() {
    let f = Folder::new(&[]);
    let (here, mut there) = asker_and_answerer(&f);
    assert_eq!(here.call("ask"), true);
    until("the question arrives", || peers(&f, "there")[0]["unacknowledged"] == 0);
    there.kill();
    until("its absence is noticed", || peers(&f, "here")[0]["away"].is_string());
    assert_eq!(here.call("ask"), true);
    until("it is dialled", || peers(&f, "here")[0]["attempts"].as_u64() > Some(1));
    let away = peers(&f, "here")[0].clone();
    assert!(away["unacknowledged"].as_u64() > Some(0) && away["durable"] == true, "{away}");
    let listed = f.run(&["peer", "ls", "--state", "here"]).out;
    assert!(listed.contains("away, attempt"), "{listed}");

    let forgotten = f.json(&["peer", "forget", "--state", "here", key(&there.uri)]);
    assert_eq!((&forgotten["ok"], &forgotten["promises"]), (&serde_json::json!(true), &serde_json::json!(2)), "{forgotten}");
    assert_eq!(peers(&f, "here"), Vec::<serde_json::Value>::new());
    let told = here.call("told");
    assert!(told.as_str().is_some_and(|t| t.starts_with("rejected:") && t.contains("forgotten")), "{told}");
    // the other side comes back with the session that is no more, and is told
    there.start();
    until("the other side is told", || peers(&f, "there").is_empty());
    let ran = f.run(&["peer", "forget", "--state", "here", "nobody"]);
    assert!(ran.code == Some(1) && ran.err.contains("E-PEER"), "{}", ran.err);
}

#[test]
fn a_store_at_rest_forgets_too() {
    let f = Folder::new(&[]);
    let (mut here, mut there) = asker_and_answerer(&f);
    assert_eq!(here.call("ask"), true);
    until("the question arrives", || peers(&f, "there")[0]["unacknowledged"] == 0);
    here.kill();
    there.kill();
    let away = peers(&f, "here")[0].clone();
    assert!(away["away"].is_string(), "{away}");
    f.json(&["peer", "forget", "--state", "here", key(&there.uri)]);
    here.start();
    there.start();
    until("the other side is told", || peers(&f, "there").is_empty());
    assert!(here.call("told").as_str().is_some_and(|t| t.starts_with("rejected:")));
}

#[test]
fn a_host_that_was_restored_is_refused_until_it_says_so() {
    let f = Folder::new(&[]);
    let (mut here, mut there) = asker_and_answerer(&f);
    f.json(&["store", "backup", "--state", "there", "backup", "--with-key"]);
    assert_eq!(here.call("ask"), true);
    until("the question arrives", || peers(&f, "there")[0]["unacknowledged"] == 0);
    // another opening, which the other host hears of
    there.kill();
    there.start();
    until("they are connected", || peers(&f, "here")[0]["connection"].is_u64());
    there.kill();
    std::fs::rename(f.path().join("there"), f.path().join("lost")).expect("renamed");
    let restore = |more: &[&str]| f.run(&[&["store", "restore", "backup", "there"], more].concat());
    let ran = restore(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    std::fs::copy(f.path().join("backup/host.key"), f.path().join("there/host.key")).expect("the key");
    there.start();
    let refused = |state: &str| peers(&f, state).iter().any(|p| p["away"].as_str().is_some_and(|a| a.contains("backup")));
    until("both refuse", || refused("here") && refused("there"));
    assert_eq!(here.call("told"), "nothing");

    there.kill();
    std::fs::remove_dir_all(f.path().join("there")).expect("removed");
    let ran = restore(&["--new-incarnation"]);
    assert!(ran.code == Some(0) && ran.out.contains("Rejected") && ran.out.contains("Kept"), "{}{}", ran.out, ran.err);
    std::fs::copy(f.path().join("backup/host.key"), f.path().join("there/host.key")).expect("the key");
    there.start();
    until("the promise is rejected", || here.call("told").as_str().is_some_and(|t| t.contains("new history")));
    here.kill();
    here.start();
}

/// `examples/escrow-network` as `cargo xtask escrow-network` runs it, small.
#[test]
fn five_hosts_trade_while_they_are_killed() {
    const TRADES: u64 = 24;
    let f = Folder::new(&[]);
    let program = |name: &str| format!("{}/../../examples/escrow-network/{name}.js", env!("CARGO_MANIFEST_DIR"));
    let purse = |h: &mut Host<'_>, n: usize| {
        let wanted = format!("{} purse {n} ", h.state);
        let line = h.running.as_mut().expect("it runs").line(|l| l.starts_with(&wanted));
        line[wanted.len()..].to_owned()
    };
    let issuer = program("issuer");
    let mut money = Host::new(&f, "money", &[&issuer, "money", "1000", "1000"]);
    let mut stock = Host::new(&f, "stock", &[&issuer, "stock", "1000", "1000"]);
    let purses = [1, 2].map(|n| [purse(&mut money, n), purse(&mut stock, n)]);
    let agent = Host::new(&f, "agent", &[&program("agent")]);
    let refs = |i: usize| {
        let all = [("agent", &agent.uri), ("money", &purses[i][0]), ("stock", &purses[i][1])];
        all.map(|(name, uri)| format!("--ref={name}={uri}"))
    };
    let (trader, [a, b, c]) = (program("trader"), refs(1));
    let bob = Host::new(&f, "bob", &[&a, &b, &c, &trader, "Bob"]);
    let [a, b, c] = refs(0);
    let partner = format!("--ref=partner={}", bob.uri);
    let alice = Host::new(&f, "alice", &[&a, &b, &c, &partner, &trader, "Alice", &TRADES.to_string()]);
    let mut hosts = [money, stock, agent, bob, alice];
    for i in [2, 0, 3, 1, 4, 2] {
        std::thread::sleep(Duration::from_millis(100));
        hosts[i].kill();
        hosts[i].start();
    }
    let swept = |h: &Host<'_>| h.call("report")["swept"] == TRADES;
    until("all trades come to their end", || swept(&hosts[4]) && swept(&hosts[3]));
    // two are off, and each other pair gives back what the one before took
    for host in &hosts[3..] {
        let report = host.call("report");
        assert_eq!((&report["ok"], &report["off"], &report["again"]), (&22.into(), &2.into(), &0.into()), "{report}");
        assert_eq!((&report["money"], &report["stock"]), (&1000.into(), &1000.into()), "{report}");
    }
    assert_eq!(hosts[4].call("outcomes"), hosts[3].call("outcomes"));
    assert_eq!((hosts[0].call("total"), hosts[1].call("total")), (2000.into(), 2000.into()));
}
