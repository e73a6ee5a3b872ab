//! Traces of several processes as one, in an order that causes go before what they caused.
//!
//! In: lines of JSON, those of each process in their order. Out: records in order, and what is not there that should be.
//!
//! Invariants
//! - entries of one process stay in their order; a receipt comes after its sending, whatever the clocks of the two hosts say;
//! - where neither says anything, the clocks decide, then the order of the files;
//! - lines that are no entries are counted and left out; a receipt whose sending is in no file waits for nothing.
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// An entry, as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Of the text, as it stood.
    pub line: String,
    /// The vat, with its process.
    pub place: String,
    pub turn: u64,
    pub kind: Kind,
    pub message: Option<String>,
    pub text: String,
    pub micros: u64,
}

/// What an entry is to the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sent,
    Got,
    Other,
}

/// See the head.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merged {
    pub records: Vec<Record>,
    /// Lines that are no entries.
    pub strange: usize,
    /// Receipts of messages between hosts whose sending no file has.
    pub unsent: usize,
}

impl Record {
    /// None: it is no entry of a trace.
    pub fn read(line: &str) -> Option<Record> {
        let v: Value = serde_json::from_str(line).ok()?;
        let text = |v: &Value| v.as_str().map(str::to_owned);
        let classes: Vec<&str> = v.get("class")?.as_array()?.iter().filter_map(Value::as_str).collect();
        let is = |name: &str| classes.iter().any(|c| c.ends_with(name));
        let turn = v.get("anchor")?.get("turn")?;
        let kind = match () {
            () if is("log.Got") => Kind::Got,
            // a resolution is sent to whoever waits for it
            () if is("log.Sent") || is("log.Resolved") => Kind::Sent,
            () => Kind::Other,
        };
        let ms = v.get("timestamp")?.as_u64()?;
        Some(Record {
            line: line.to_owned(),
            place: text(turn.get("loop")?)?,
            turn: turn.get("number")?.as_u64()?,
            kind,
            message: v.get("message").and_then(text),
            text: v.get("text").or(v.get("reason")).and_then(text).unwrap_or_default(),
            micros: crate::micros(&v).unwrap_or(ms.saturating_mul(1000)),
        })
    }

    /// It has a name that both hosts know.
    fn is_between_hosts(&self) -> bool {
        self.message.as_ref().is_some_and(|m| m.starts_with('w') && !m.contains('/'))
    }
}

/// `files`: the text of each trace.
pub fn merge<'a>(files: impl IntoIterator<Item = &'a str>) -> Merged {
    let mut merged = Merged::default();
    let mut queues: Vec<VecDeque<Record>> = Vec::new();
    // how often each message is sent in what is to come
    let mut to_come: BTreeMap<String, usize> = BTreeMap::new();
    for file in files {
        let mut queue = VecDeque::new();
        for line in file.lines().filter(|l| !l.trim().is_empty()) {
            match Record::read(line) {
                Some(r) => queue.push_back(r),
                None => merged.strange += 1,
            }
        }
        queue
            .iter()
            .filter(|r| r.kind == Kind::Sent)
            .filter_map(|r| r.message.clone())
            .for_each(|m| *to_come.entry(m).or_insert(0) += 1);
        queues.push(queue);
    }
    let mut sent: BTreeSet<String> = BTreeSet::new();
    loop {
        let ready = |r: &Record| match (&r.message, r.kind) {
            (Some(m), Kind::Got) => sent.contains(m) || !to_come.contains_key(m),
            _ => true,
        };
        let first = |ready: &dyn Fn(&Record) -> bool| {
            let heads = queues.iter().enumerate().filter_map(|(i, q)| Some((q.front().filter(|r| ready(r))?.micros, i)));
            heads.min().map(|h| h.1)
        };
        // if files contradict each other, the clocks decide
        let Some(at) = first(&ready).or_else(|| first(&|_| true)) else { return merged };
        let Some(r) = queues[at].pop_front() else { return merged };
        if let Some(m) = &r.message {
            match r.kind {
                Kind::Sent => drop(sent.insert(m.clone())),
                Kind::Got if r.is_between_hosts() && !sent.contains(m) => merged.unsent += 1,
                _ => {}
            }
        }
        merged.records.push(r);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Entry, Event, Turn, Wire, line};

    fn wire(number: u64) -> Wire {
        Wire { session: [9; 8], from_lower: true, number }
    }

    fn of(process: &str, us: u64, event: Event) -> String {
        line(&Entry { turn: Turn { vat: 1, number: 1 }, number: 0, event }, "v", process, us)
    }

    #[test]
    fn causes_come_first_whatever_the_clocks_say() {
        let a = [
            of("a", 900, Event::WireSent { wire: wire(1), text: "op:deliver".into() }),
            of("a", 901, Event::WireGot { wire: Wire { from_lower: false, ..wire(1) } }),
        ]
        .join("\n");
        let b = [
            of("b", 5, Event::WireGot { wire: wire(1) }),
            of("b", 6, Event::WireSent { wire: Wire { from_lower: false, ..wire(1) }, text: "op:deliver".into() }),
        ]
        .join("\n");
        for files in [[a.as_str(), &b], [&b, &a]] {
            let merged = merge(files);
            let places: Vec<&str> = merged.records.iter().map(|r| &r.place[..1]).collect();
            assert_eq!((places, merged.strange, merged.unsent), (vec!["a", "b", "b", "a"], 0, 0));
        }
        let alone = merge([b.as_str(), "nonsense\n{}\n"]);
        assert_eq!((alone.records.len(), alone.strange, alone.unsent), (2, 2, 1));
    }

    #[test]
    fn files_that_contradict_each_other_come_to_an_end() {
        let one =
            [of("a", 1, Event::WireGot { wire: wire(2) }), of("a", 2, Event::WireSent { wire: wire(1), text: String::new() })];
        let two =
            [of("b", 1, Event::WireGot { wire: wire(1) }), of("b", 2, Event::WireSent { wire: wire(2), text: String::new() })];
        assert_eq!(merge([one.join("\n").as_str(), &two.join("\n")]).records.len(), 4);
    }
}
