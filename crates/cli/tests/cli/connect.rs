//! `drses repl --connect`: entries that talk to another host.
use crate::kit::{self, Folder, Started};

const SHOP: &str = "// @jessie-check
export default ({ timer }) => {
  let sold = 0;
  return harden({
    sell: name => {
      sold += 1;
      return harden({ name: () => name, number: sold });
    },
    make: name => harden({ name: () => name }),
    slow: x => E.when(timer.delay(200), _ => x),
    fail: why => { throw RangeError(why); },
  });
};
";

fn shop(f: &Folder) -> (Started, String) {
    let mut host = f.serve(&["serve", "--state", "st", "--listen", "tcp-testing-only://127.0.0.1:0", "shop.js"]);
    let uri = host.line(|l| l.starts_with("ocapn://"));
    (host, uri)
}

fn repl(f: &Folder, args: &[&str], input: &str) -> kit::Ran {
    kit::drses(f.path(), &[&["repl"], args].concat(), input.as_bytes())
}

#[test]
fn entries_talk_to_another_host() {
    let f = Folder::new(&[("shop.js", SHOP)]);
    let (_host, uri) = shop(&f);
    f.write("uri", uri.as_bytes());
    let input = "1 + 1
'text'
globalThis.cup = await ref ~. make('cup')
await cup ~. name()
await ref ~. make('a') ~. name()
const x = await ref ~. slow(3); const y = await ref ~. slow(4); x + y
await Promise.all([
  ref ~. slow(1),
  ref ~. slow('2'),
])
";
    for to in [uri.as_str(), "@uri", "st", "st/control.sock"] {
        let ran = repl(&f, &["--connect", to], input);
        let lines: Vec<&str> = ran.out.lines().collect();
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{to}: {}", ran.out);
        assert_eq!([&lines[..2], &lines[3..6]].concat(), ["2", "'text'", "'cup'", "'a'", "7"], "{}", ran.out);
        assert_eq!(lines[lines.len() - 1], "[ 1, '2' ]", "{}", ran.out);
    }
    let ran = repl(&f, &["--connect", "st", "-e", "await ref ~. make('a') ~. name()", "-e", "1"], "7");
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "'a'\n1\n", ""));
    // several references
    let ran =
        repl(&f, &["--connect", "st", "--ref", "other=@uri"], "await Promise.all([ref, other]).then(([a, b]) => a === b)\n");
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "true\n"), "{}", ran.err);
}

#[test]
fn promises_are_shown_as_they_are_settled() {
    let f = Folder::new(&[("shop.js", SHOP)]);
    let (_host, _) = shop(&f);
    let ran = repl(&f, &["--connect", "st"], "ref ~. slow('late')\nref ~. slow(2) ~. x()\n3\n");
    assert_eq!(ran.code, Some(1), "a promise was rejected: {}", ran.err);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[..3], ["#1 is promised", "#2 is promised", "3"]);
    assert_eq!(lines[3..], ["#1 is 'late'"]);
    assert!(ran.err.contains("TypeError"), "{}", ran.err);
}

#[test]
fn an_error_ends_nothing_and_is_told() {
    let f = Folder::new(&[("shop.js", SHOP)]);
    let (host, uri) = shop(&f);
    let ran = repl(&f, &["--connect", &uri], "await ref ~. fail('no')\n1 +\n;\nthrow Error('here')\nawait 5\n.exit\n7\n");
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), "5\n"), "{}", ran.err);
    assert!(ran.err.contains("RangeError: no") && ran.err.contains("Error: here") && ran.err.contains("repl:"), "{}", ran.err);
    host.kill9();
    let ran = repl(&f, &["--connect", &uri], "1\n");
    assert_eq!((ran.code, ran.out.as_str(), ran.err.contains("E-CONNECT")), (Some(1), "", true), "{}", ran.err);
    for (to, code) in [("st", "E-CONNECT"), ("ocapn://a.b", "E-REF"), ("@none", "E-REF")] {
        let ran = repl(&f, &["--connect", to], "");
        assert_eq!((ran.code, ran.err.contains(code)), (Some(2), true), "{to}: {}", ran.err);
    }
}
