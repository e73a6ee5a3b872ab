//! Fuzz targets: decoders of what peers send, and sessions as sequences of acts.
use crate::framing::Incoming;
use crate::keys::{self, Keys};
use crate::tests::chaos::{Choices, live};
use crate::tests::lines::World;
use crate::tests::value::V;
use crate::tests::world::Does;
use crate::{ConnId, In, Peer, Sturdyref};
use passable::Ref;
use passable::syrup::{Limits, Writer};

/// Takes an input; a panic is a finding.
pub type Target = fn(&[u8]);
/// Name and function; `cargo xtask fuzz` runs them, the tests run their corpora.
pub const TARGETS: &[(&str, Target)] =
    &[("framing", framing), ("locator", locator), ("messages", messages), ("session", session), ("chaos", chaos), ("cuts", cuts)];

const LIMITS: Limits = Limits { bytes: 1 << 12, depth: 16, digits: 40 };

/// In one piece or in many: the same messages, and the same end.
pub fn framing(bytes: &[u8]) {
    let all = |size: usize| {
        let mut incoming = Incoming::new(None, LIMITS);
        let mut found = Vec::new();
        for piece in bytes.chunks(size) {
            incoming.push(piece);
            loop {
                match incoming.next() {
                    Ok(Some(mut r)) => found.push(r.raw().expect("it was found whole").to_vec()),
                    Ok(None) => break,
                    Err(_) => return (found, true),
                }
            }
        }
        (found, false)
    };
    assert_eq!(all(bytes.len().max(1)), all(1 + bytes.len() % 5));
}

/// Text and bytes that may name a host or an object: what is read is written the same.
pub fn locator(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(peer) = Peer::from_uri(text) {
            assert_eq!(Peer::from_uri(&peer.to_uri()), Ok(peer));
        }
        if let Ok(sturdy) = Sturdyref::from_uri(text) {
            assert_eq!(Sturdyref::from_uri(&sturdy.to_uri()), Ok(sturdy));
        }
        crate::key_of(text);
    }
    let mut incoming = Incoming::new(Some(crate::Framing::Raw), LIMITS);
    incoming.push(bytes);
    if let Ok(Some(mut r)) = incoming.next()
        && let Ok(peer) = Peer::read(&mut r)
    {
        let again = peer.to_syrup();
        incoming.push(&again);
        let mut r = Incoming::new(Some(crate::Framing::Raw), LIMITS);
        r.push(&again);
        let read = r.next().expect("canonical").map(|mut r| Peer::read(&mut r));
        assert_eq!(read, Some(Ok(peer)));
    }
}

fn hello() -> Vec<u8> {
    let keys = Keys::new(&[7; 32]);
    let peer = Peer { transport: "test".into(), designator: "mallory".into(), hints: None };
    let mut w = Writer::new();
    w.record("op:start-session");
    w.string("1.0");
    w.raw(&keys.record);
    peer.write(&mut w);
    keys::write_signature(&mut w, &keys.sign(&keys::my_location(&peer.to_syrup())));
    w.end();
    w.done()
}

/// A host with objects, a good session with it, and one with a peer that sends what it likes.
fn host() -> (World, ConnId) {
    static HELLO: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    let mut w = World::new(&["a", "b"]);
    for (name, does) in
        [("echo", Does::Echo), ("first", Does::First), ("pair", Does::Pair), ("greet", Does::Greet), ("note", Does::Note)]
    {
        w.hosts[0].register(name, does);
    }
    let conn = w.open(0, None);
    let bytes = HELLO.get_or_init(hello).clone();
    w.hosts[0].step(In::Received { conn, bytes });
    w.hosts[0].wire.clear();
    (w, conn)
}

/// The host still serves another peer.
fn still_works(w: &mut World) {
    w.run();
    let echo = w.fetch(1, 0, "echo");
    let p = w.hosts[1].call(echo, None, &[V::Num(1.0)]);
    w.run();
    assert_eq!(w.hosts[1].value(p), Some(Ok(V::List(vec![V::Num(1.0)]))));
}

/// What follows a good hello.
pub fn messages(bytes: &[u8]) {
    let (mut w, conn) = host();
    let size = 1 + bytes.first().map_or(0, |b| *b as usize * 8);
    for piece in bytes.get(1..).unwrap_or(&[]).chunks(size) {
        w.hosts[0].step(In::Received { conn, bytes: piece.to_vec() });
        w.hosts[0].settle_down();
    }
    still_works(&mut w);
}

/// Messages of the right form with positions that may be wrong, among acts of the host itself: a byte a choice.
pub fn session(bytes: &[u8]) {
    const MAX_MESSAGES: usize = 200;
    let (mut w, conn) = host();
    let mut choices = Choices::Bytes(bytes);
    let mut held: Vec<Ref> = Vec::new();
    for _ in 0..MAX_MESSAGES {
        if choices.is_over() {
            break;
        }
        match choices.below(12) {
            0 => w.hosts[0].collect(&held),
            1 => w.hosts[0].give_up_pairs(),
            2 if !held.is_empty() => {
                let to = held[choices.below(held.len())];
                let argument = V::Ref(held[choices.below(held.len())]);
                w.hosts[0].call(to, None, &[argument, V::Undefined]);
            }
            _ => {
                let mut message = Writer::new();
                operation(&mut message, &mut choices);
                w.hosts[0].step(In::Received { conn, bytes: message.done() });
            }
        }
        w.hosts[0].settle_down();
        // what the peer passed to an object that notes it
        for v in std::mem::take(&mut w.hosts[0].noted) {
            if let V::Ref(r) = v {
                held.push(r);
            }
        }
    }
    still_works(&mut w);
}

/// One message, and nothing of it known to be right.
fn operation(w: &mut Writer, c: &mut Choices<'_>) {
    const LABELS: [&str; 11] = [
        "op:deliver",
        "op:deliver",
        "op:deliver-only",
        "op:listen",
        "op:gc-export",
        "op:gc-exports",
        "op:gc-answer",
        "op:gc-answers",
        "op:get",
        "op:index",
        "op:untag",
    ];
    let label = LABELS[c.below(LABELS.len())];
    w.record(label);
    match label {
        "op:deliver" => {
            descriptor(w, c, &["desc:export", "desc:answer"]);
            arguments(w, c);
            maybe_position(w, c);
            resolver(w, c);
        }
        "op:deliver-only" => {
            descriptor(w, c, &["desc:export", "desc:answer"]);
            arguments(w, c);
        }
        "op:listen" => {
            descriptor(w, c, &["desc:export", "desc:answer"]);
            resolver(w, c);
            if c.below(4) > 0 {
                w.boolean(c.below(2) == 1);
            }
        }
        "op:get" | "op:untag" => {
            descriptor(w, c, &["desc:export", "desc:answer"]);
            w.string(["a", "length", "#tag"][c.below(3)]);
            w.natural(c.below(10) as u64);
        }
        "op:index" => {
            descriptor(w, c, &["desc:export", "desc:answer"]);
            w.natural(c.below(4) as u64);
            w.natural(c.below(10) as u64);
        }
        _ => {
            for _ in 0..if label.starts_with("op:gc-export") { 2 } else { 1 } {
                numbers(w, c);
            }
        }
    }
    w.end();
}

fn numbers(w: &mut Writer, c: &mut Choices<'_>) {
    if c.below(8) == 0 {
        return w.natural(c.below(8) as u64);
    }
    w.list();
    for _ in 0..c.below(3) {
        w.natural(c.below(8) as u64);
    }
    w.end();
}

fn descriptor(w: &mut Writer, c: &mut Choices<'_>, labels: &[&str]) {
    w.record(labels[c.below(labels.len())]);
    w.natural(c.below(8) as u64);
    w.end();
}

fn maybe_position(w: &mut Writer, c: &mut Choices<'_>) {
    match c.below(3) {
        0 => w.boolean(false),
        _ => w.natural(c.below(10) as u64),
    }
}

fn resolver(w: &mut Writer, c: &mut Choices<'_>) {
    match c.below(4) {
        0 => w.boolean(false),
        _ => descriptor(w, c, &["desc:import-object", "desc:import-object", "desc:import-promise", "desc:export"]),
    }
}

fn arguments(w: &mut Writer, c: &mut Choices<'_>) {
    w.list();
    match c.below(6) {
        0 | 1 => {
            w.symbol("fetch");
            w.bytes([b"echo".as_slice(), b"pair", b"greet", b"first", b"note"][c.below(5)]);
        }
        2 => {
            w.symbol(["fulfill", "break"][c.below(2)]);
            value(w, c, 0);
        }
        3 => {
            w.symbol(["deposit-gift", "withdraw-gift"][c.below(2)]);
            value(w, c, 0);
            value(w, c, 0);
        }
        _ => {
            for _ in 0..c.below(4) {
                value(w, c, 0);
            }
        }
    }
    w.end();
}

fn value(w: &mut Writer, c: &mut Choices<'_>, depth: usize) {
    const MAX_DEPTH: usize = 3;
    match c.below(if depth < MAX_DEPTH { 12 } else { 8 }) {
        0 => w.boolean(true),
        1 => w.natural(c.below(200) as u64),
        2 => w.double(c.below(100) as f64 / 8.0),
        3 => w.string("text"),
        4 => w.bytes(b"\x00\xff"),
        5 => {
            w.record("void");
            w.end();
        }
        6 | 7 => descriptor(w, c, &["desc:import-object", "desc:import-promise", "desc:export", "desc:answer"]),
        8 => {
            w.list();
            for _ in 0..c.below(3) {
                value(w, c, depth + 1);
            }
            w.end();
        }
        9 => {
            w.dict();
            w.key("a");
            value(w, c, depth + 1);
            w.end();
        }
        10 => {
            w.record("desc:error");
            w.string("TypeError: x");
            w.end();
        }
        _ => {
            w.record("desc:tagged");
            w.symbol("tag");
            value(w, c, depth + 1);
            w.end();
        }
    }
}

/// Three hosts that do anything: in the end nothing is left.
pub fn chaos(bytes: &[u8]) {
    live(&mut Choices::Bytes(bytes), false);
}

/// Three hosts that do anything while lines break: what is owed is settled, and they still work.
pub fn cuts(bytes: &[u8]) {
    live(&mut Choices::Bytes(bytes), true);
}

#[cfg(test)]
#[path = "../../../fuzz/corpus.rs"]
mod corpus;

#[test]
fn corpora() {
    corpus::run(TARGETS);
}
