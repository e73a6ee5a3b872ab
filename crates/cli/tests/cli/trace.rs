//! Traces of two hosts, put together.
use crate::kit::Folder;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const SHOP: &str = "// @jessie-check
export default () => harden({ order: what => harden({ pack: () => what }) });
";
const GUEST: &str = "// @jessie-check
export default ({ console, refs: { shop } }) => E.when(shop ~. order('tea') ~. pack(), console.log);
";

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
}

fn is(v: &Value, class: &str) -> bool {
    v["class"].as_array().is_some_and(|all| all.iter().any(|c| c.as_str().is_some_and(|c| c.ends_with(class))))
}

/// Names of messages on a wire have no stroke; those of a host have one, after its id, which may begin with `w`.
fn of_a_wire(name: &str) -> bool {
    name.starts_with('w') && !name.contains('/')
}

/// The two hosts have talked; their traces.
fn talked() -> (Folder, String, String) {
    let f = Folder::new(&[("shop.js", SHOP), ("guest.js", GUEST)]);
    let listen = "tcp-testing-only://127.0.0.1:0";
    let mut host = f.serve(&["serve", "--state", "st", "--trace", "shop.jsonl", "--listen", listen, "shop.js"]);
    let uri = host.line(|l| l.starts_with("ocapn://"));
    let ran = f.run(&["run", "--trace", "guest.jsonl", "--ref", &format!("shop={uri}"), "guest.js"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "tea\n"), "{}", ran.err);
    assert_eq!(host.term().0, Some(0));
    let (shop, guest) = (f.read("shop.jsonl").expect("a trace"), f.read("guest.jsonl").expect("a trace"));
    (f, shop, guest)
}

/// What each turn began with, and what was sent in which turn: follows a message back to where it all began.
fn causes(all: &[Value], from: &Value) -> Vec<String> {
    let turn = |v: &Value| v["anchor"]["turn"].to_string();
    let began: BTreeMap<String, &Value> = all.iter().rev().filter(|v| is(v, "log.Got")).map(|v| (turn(v), v)).collect();
    let sent: BTreeMap<String, String> = all
        .iter()
        .filter(|v| is(v, "log.Sent") || is(v, "log.Resolved"))
        .map(|v| (v["message"].as_str().unwrap_or("").to_owned(), turn(v)))
        .collect();
    let (mut at, mut path) = (turn(from), Vec::new());
    while let Some(got) = began.get(&at) {
        path.push(got["anchor"]["turn"]["loop"].as_str().unwrap_or("").to_owned());
        match got["message"].as_str().and_then(|m| sent.get(m)) {
            Some(next) if path.len() < 100 => at = next.clone(),
            _ => break,
        }
    }
    path
}

#[test]
fn a_message_is_followed_to_the_other_host_and_back() {
    let (f, shop, guest) = talked();
    // in any order, and one after the other: names are the same
    let merged = f.run(&["trace", "merge", "shop.jsonl", "guest.jsonl"]);
    assert_eq!((merged.code, merged.err.as_str()), (Some(0), ""));
    assert_eq!(f.run(&["trace", "merge", "guest.jsonl", "shop.jsonl"]).out.lines().count(), merged.out.lines().count());
    for text in [merged.out.clone(), shop.clone() + &guest] {
        let all = lines(&text);
        let wires = |class: &str| -> BTreeSet<String> {
            let of = |v: &&Value| is(v, class) && v["message"].as_str().is_some_and(of_a_wire);
            all.iter().filter(of).map(|v| v["message"].as_str().expect("a name").to_owned()).collect()
        };
        let (sent, got) = (wires("log.Sent"), wires("log.Got"));
        assert!(sent.len() >= 4 && got.is_subset(&sent), "{sent:?} {got:?}");
        // the shop's turn for `order` goes back to the guest's start
        let order = all.iter().find(|v| {
            is(v, "log.Got")
                && v["text"] == "order()"
                && v["anchor"]["turn"]["loop"].as_str().is_some_and(|l| l.contains("shop.js"))
        });
        let path = causes(&all, order.expect("the order came"));
        let short: Vec<&str> = path.iter().map(|p| p.rsplit(' ').next().unwrap_or("")).collect();
        assert_eq!((short.first(), short.last(), short.len()), (Some(&"shop.js"), Some(&"guest.js"), 4), "{path:?}");
        // and the guest's last turn to the shop
        let last = all.iter().rfind(|v| {
            is(v, "log.Got")
                && v["text"].as_str().is_some_and(|t| t.contains("fulfilled"))
                && v["anchor"]["turn"]["loop"].as_str().is_some_and(|l| l.contains("guest.js"))
        });
        let path = causes(&all, last.expect("the answer came"));
        assert!(path.iter().any(|p| p.ends_with("shop.js")) && path.last().is_some_and(|p| p.ends_with("guest.js")), "{path:?}");
    }
    // causes come before what they caused
    let mut seen = BTreeSet::new();
    for v in lines(&merged.out) {
        let name = v["message"].as_str().unwrap_or("").to_owned();
        if is(&v, "log.Sent") {
            seen.insert(name);
        } else if is(&v, "log.Got") && of_a_wire(&name) {
            assert!(seen.contains(&name), "{v}");
        }
    }
    // of one host alone it is said that the other's is missing
    let alone = f.run(&["trace", "merge", "guest.jsonl"]);
    assert!(alone.code == Some(0) && alone.err.contains("came from hosts whose traces are not here"), "{}", alone.err);
}

#[test]
fn it_is_drawn_for_perfetto() {
    let (f, _, _) = talked();
    assert_eq!(f.run(&["trace", "perfetto", "shop.jsonl", "guest.jsonl", "-o", "t.json"]).code, Some(0));
    let doc: Value = serde_json::from_str(&f.read("t.json").expect("a file")).expect("JSON");
    let events = doc["traceEvents"].as_array().expect("events");
    let processes: Vec<&Value> = events.iter().filter(|e| e["name"] == "process_name").collect();
    assert_eq!(processes.len(), 2, "{doc}");
    let crossing = events.iter().filter(|e| e["ph"] == "s").filter(|s| {
        let end = events.iter().find(|f| f["ph"] == "f" && f["id"] == s["id"]);
        end.is_some_and(|f| f["pid"] != s["pid"] && f["ts"].as_u64() > s["ts"].as_u64())
    });
    assert!(crossing.count() >= 4, "arrows lead from one host to the other");
    for bad in [
        vec!["trace", "merge", "none"],
        vec!["trace", "perfetto", "shop.js"],
        vec!["trace", "merge", "shop.jsonl", "-o", "no/such/place"],
    ] {
        let ran = f.run(&bad);
        assert_eq!((ran.code, ran.err.contains("E-TRACE")), (Some(1), true), "{bad:?} {}", ran.err);
    }
}
