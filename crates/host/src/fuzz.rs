//! Fuzz targets: what operators and peers send to a host.
use crate::net::fuzz as net;
use crate::operate::{Asker, forget_calls};
use crate::pool::{Mode, Named, Pool};
use crate::{json, operate};
use node::{Config, Event, Node};
use passable::{Data, Limits, Writer};
use std::sync::{Arc, OnceLock, mpsc};
use vat::Shared;

/// Takes an input; a panic is a finding.
pub type Target = fn(&[u8]);
/// Name and function; `cargo xtask fuzz` runs them, the tests run their corpora.
pub const TARGETS: &[(&str, Target)] = &[
    ("control", control),
    ("json", json),
    ("noise-accept", net::accept),
    ("noise-dial", net::dial),
    ("noise-frames", net::frames),
];

/// A line to the control socket of a host that has one vat and runs no turn: an answer, or the promise of one.
pub fn control(bytes: &[u8]) {
    static SHARED: OnceLock<Arc<Shared>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| Arc::new(Shared::new(false).expect("memory"))).clone();
    let node = Node::new(Config::default(), Box::new(Named(shared.clone())));
    let pool = Pool::new(shared, node, None, Arc::default(), Mode::Look);
    {
        let limits = Limits { heap_bytes: 1 << 20, instructions: 1000 };
        let start = Event::Start { program: 0, powers: Data::undefined(), limits, imports: Vec::new() };
        pool.step(&mut pool.lock(), start);
    }
    for line in bytes.split(|b| *b == b'\n') {
        let (to, _answers) = mpsc::channel();
        let Ok(v) = serde_json::from_slice::<serde_json::Value>(line) else { continue };
        if let Some(answer) = operate::command(&pool, || Asker::Here(to.clone()), &v) {
            assert!(answer.is_object(), "{answer}");
        }
    }
    forget_calls();
}

/// JSON as arguments of a call, and back.
pub fn json(bytes: &[u8]) {
    json::of_data(&Data { body: bytes.into(), slots: Vec::new() });
    let Ok(v) = serde_json::from_slice::<serde_json::Value>(bytes) else { return };
    let mut w = Writer::new();
    if json::write(&mut w, &v, 0) {
        let once = json::of_data(&w.done());
        let mut w = Writer::new();
        assert!(json::write(&mut w, &once, 0));
        assert_eq!(json::of_data(&w.done()), once, "what was shown is written as it was shown");
    }
}

#[cfg(test)]
#[path = "../../../fuzz/corpus.rs"]
mod corpus;

#[test]
fn corpora() {
    corpus::run(TARGETS);
}
