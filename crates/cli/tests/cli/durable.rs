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
        for i in 0..3 {
            std::thread::sleep(Duration::from_millis(120));
            hosts[i].kill();
            kills += 1;
            std::thread::sleep(Duration::from_millis(if kills % 4 == 0 { 150 } else { 0 }));
            hosts[i].start();
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
