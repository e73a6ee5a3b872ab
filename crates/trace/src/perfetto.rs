//! Records as trace events of JSON, which Perfetto and `chrome://tracing` show: turns as slices, messages as arrows.
//!
//! ```text
//! process  one of the traces        thread  one of its vats
//! slice    a turn                   arrow   from a sending to its receipt
//! ```
//! Invariants
//! - time never goes back along an arrow or within a vat: where the clocks say so a turn is moved to a microsecond after its cause.
use crate::Record;
use crate::merge::Kind;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A vat as it is drawn.
#[derive(Default)]
struct Lane {
    process: usize,
    thread: usize,
    /// When its last turn ends.
    until: u64,
    turn: Option<u64>,
    /// Where its last turn stands among the events.
    slice: usize,
}

/// The document; `records` as `merge` orders them.
pub fn perfetto(records: &[Record]) -> Value {
    let mut events: Vec<Value> = Vec::new();
    let mut processes: BTreeMap<String, usize> = BTreeMap::new();
    let mut lanes: BTreeMap<String, Lane> = BTreeMap::new();
    // where and when a message was sent, and the arrow's number
    let mut sent: BTreeMap<&str, (u64, usize)> = BTreeMap::new();
    for r in records {
        let (process, vat) = r.place.split_once('/').unwrap_or(("", &r.place));
        let known = processes.len() + 1;
        let pid = *processes.entry(process.to_owned()).or_insert(known);
        if pid == known {
            events.push(json!({ "ph": "M", "name": "process_name", "pid": pid, "args": { "name": process } }));
        }
        let threads = lanes.len() + 1;
        let lane = lanes.entry(r.place.clone()).or_insert_with(|| {
            events.push(json!({ "ph": "M", "name": "thread_name", "pid": pid, "tid": threads, "args": { "name": vat } }));
            Lane { process: pid, thread: threads, ..Lane::default() }
        });
        let cause = r.message.as_deref().and_then(|m| sent.get(m)).filter(|_| r.kind == Kind::Got).copied();
        let at = r.micros.max(lane.until + 1).max(cause.map_or(0, |c| c.0 + 1));
        if lane.turn != Some(r.turn) {
            (lane.turn, lane.slice) = (Some(r.turn), events.len());
            let name = if r.text.is_empty() { format!("turn {}", r.turn) } else { r.text.clone() };
            events.push(
                json!({ "ph": "X", "name": name, "cat": "turn", "pid": lane.process, "tid": lane.thread, "ts": at, "dur": 1,
                                "args": { "turn": r.turn } }),
            );
        }
        let begun = events[lane.slice]["ts"].as_u64().unwrap_or(at);
        events[lane.slice]["dur"] = json!(at + 1 - begun);
        lane.until = at;
        let arrow = |ph: &str, id: usize, name: &str| {
            let end = if ph == "f" { json!("e") } else { Value::Null };
            let mut e =
                json!({ "ph": ph, "id": id, "name": name, "cat": "message", "pid": lane.process, "tid": lane.thread, "ts": at });
            if !end.is_null() {
                e["bp"] = end;
            }
            e
        };
        match (r.kind, &r.message, cause) {
            (Kind::Sent, Some(m), _) => {
                let id = sent.len() + 1;
                sent.insert(m, (at, id));
                events.push(arrow("s", id, "message"));
            }
            (Kind::Got, _, Some((_, id))) => events.push(arrow("f", id, "message")),
            _ => {}
        }
    }
    json!({ "displayTimeUnit": "ms", "traceEvents": events })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Entry, Event, Turn, line, merge};

    #[test]
    fn arrows_lead_from_sendings_to_receipts_and_never_back_in_time() {
        let entry = |vat, number, event| Entry { turn: Turn { vat, number }, number: 0, event };
        let a = line(&entry(1, 3, Event::Sent { message: 4, text: "go()".into(), answer: None }), "a.js", "p", 1000);
        let b = line(&entry(2, 1, Event::Got { message: 4, text: "go()".into() }), "b.js", "p", 1000);
        let merged = merge([a.as_str(), &b]);
        let doc = perfetto(&merged.records);
        let events = doc["traceEvents"].as_array().expect("events");
        let of = |ph: &str| events.iter().filter(|e| e["ph"] == ph).collect::<Vec<_>>();
        assert_eq!((of("X").len(), of("s").len(), of("f").len(), of("M").len()), (2, 1, 1, 3), "{doc}");
        let (s, f) = (of("s")[0], of("f")[0]);
        assert_eq!(s["id"], f["id"]);
        assert!(s["ts"].as_u64() < f["ts"].as_u64() && s["tid"] != f["tid"]);
        // an arrow ends within a slice
        let slice = of("X")[1];
        let (ts, dur) = (slice["ts"].as_u64().expect("a time"), slice["dur"].as_u64().expect("a time"));
        assert!((ts..=ts + dur).contains(&f["ts"].as_u64().expect("a time")));
    }
}
