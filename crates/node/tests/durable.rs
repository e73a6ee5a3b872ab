//! Durable sessions: real nodes over stores, connections that break at any message, hosts that are killed between any two effects and
//! go on from their rows.
//!
//! What is checked: what one vat sends on one reference arrives in that order and never twice; among numbered messages none is missing;
//! all that is asked is answered in the end; in the end no table has anything left; rows give back the node that wrote them.
mod chance;

use chance::{One, Random, VAT, Vat};
use node::{Config, Effect, Event, Node};
use ocapn::{ConnId, History, In, Opened, Out, Peer};
use passable::{Data, Delivery, Ending, Limits, TurnOutcome, VatId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use store::{Batch, MemStore, Opening, Store};

const CONFIG: Config = Config { manual: false, durable: true, trace: false };

struct Host {
    /// None: it is dead.
    node: Option<Node>,
    store: MemStore,
    /// As the store has it.
    saved: Vat,
    vat: Vat,
    turns: VecDeque<(VatId, Delivery)>,
    /// What leaves once it is durable.
    output: Vec<Out>,
    history: History,
    trouble: Vec<String>,
}

/// An end of a connection.
type End = (usize, ConnId);

struct World {
    hosts: Vec<Host>,
    peers: Vec<Peer>,
    /// What is under way to an end; none: the connection's end.
    lines: BTreeMap<End, VecDeque<Option<Vec<u8>>>>,
    ends: BTreeMap<End, End>,
    dials: VecDeque<(usize, VatId, Peer)>,
    next: u64,
    random: Random,
    clock: u64,
    kills: usize,
    cuts: usize,
}

fn hash(random: &mut Random) -> [u8; 32] {
    std::array::from_fn(|_| random.below(256) as u8)
}

impl World {
    fn new(n: usize, seed: u64) -> World {
        let peer = |i| Peer {
            transport: ocapn::LINE.into(),
            designator: format!("h{i}"),
            hints: Some([("port".to_owned(), format!("{i}"))].into()),
        };
        let mut w = World {
            hosts: Vec::new(),
            peers: (0..n).map(peer).collect(),
            lines: BTreeMap::new(),
            ends: BTreeMap::new(),
            dials: VecDeque::new(),
            next: 1,
            random: Random(seed),
            clock: 10,
            kills: 0,
            cuts: 0,
        };
        for i in 0..n {
            let store = MemStore::new(Opening { identity: [i as u8; 32], random: [0; 32] });
            let vat = Vat::new(i, n);
            w.hosts.push(Host {
                node: Some(Node::new(CONFIG, Box::new(One))),
                store,
                saved: vat.clone(),
                vat,
                turns: VecDeque::new(),
                output: Vec::new(),
                history: History { incarnation: 1, number: 0, hashes: Vec::new() },
                trouble: Vec::new(),
            });
            w.online(i);
            let limits = Limits { heap_bytes: 1 << 20, instructions: 1 << 20 };
            w.step(i, Event::Start { program: 0, powers: Data::undefined(), limits, imports: Vec::new() });
            w.commit(i);
        }
        w
    }

    fn online(&mut self, i: usize) {
        let record = hash(&mut self.random);
        let h = &mut self.hosts[i];
        h.history.number += 1;
        h.history.hashes.push(record);
        let history = Some(h.history.clone());
        self.step(i, Event::Online { here: vec![self.peers[i].clone()], secret: [i as u8; 32], may_choose: true, history });
    }

    fn step(&mut self, i: usize, event: Event) {
        let Some(node) = self.hosts[i].node.as_mut() else { return };
        let mut out = Vec::new();
        node.step(event, &mut out);
        self.carry_out(i, out);
    }

    fn carry_out(&mut self, i: usize, out: Vec<Effect>) {
        let h = &mut self.hosts[i];
        for effect in out {
            match effect {
                Effect::RunTurn { vat, delivery } => h.turns.push_back((vat, *delivery)),
                Effect::Peer(Out::Note { text, conn, .. }) => {
                    let usual = ["connection ended", "wanted no answer", "cannot be reached"];
                    // the last words of a process that was killed may be heard after those of the next one
                    let late = text.contains("refused") && conn.is_some_and(|c| !self.ends.contains_key(&(i, c)));
                    if !late && !usual.iter().any(|u| text.contains(u)) {
                        h.trouble.push(text);
                    }
                }
                Effect::Peer(out) => h.output.push(out),
                Effect::Report(r) if r.text.contains("does not hold") => h.trouble.push(r.text),
                _ => {}
            }
        }
    }

    /// A batch: what happened is durable, and what waited for that leaves.
    fn commit(&mut self, i: usize) {
        let h = &mut self.hosts[i];
        let Some(node) = h.node.as_mut() else { return };
        let mut batch = Batch::new();
        node.changes(&mut batch);
        h.store.append(&batch).expect("appended");
        h.saved = h.vat.clone();
        for out in std::mem::take(&mut h.output) {
            match out {
                Out::Dial { session, peer, .. } => self.dials.push_back((i, session, peer)),
                Out::Write { conn, bytes } => {
                    if let Some(to) = self.ends.get(&(i, conn)) {
                        self.lines.entry(*to).or_default().push_back(Some(bytes));
                    }
                }
                Out::Close { conn } => self.close((i, conn)),
                _ => {}
            }
        }
    }

    /// One side has closed: the other reads what was written before, and then that.
    fn close(&mut self, end: End) {
        if let Some(other) = self.ends.remove(&end) {
            self.ends.remove(&other);
            self.lines.remove(&end);
            self.lines.entry(other).or_default().push_back(None);
        }
    }

    fn dial(&mut self) {
        let Some((from, session, peer)) = self.dials.pop_front() else { return };
        let to = self.peers.iter().position(|p| p.key() == peer.key()).expect("a host");
        if self.hosts[to].node.is_none() || self.random.below(10) == 0 {
            return self.step(from, Event::Peer(In::DialFailed { session, why: "nobody is there".into() }));
        }
        let conns = [ConnId(self.next), ConnId(self.next + 1)];
        self.next += 2;
        self.ends.insert((from, conns[0]), (to, conns[1]));
        self.ends.insert((to, conns[1]), (from, conns[0]));
        for (host, other, conn, dialled) in [(to, from, conns[1], None), (from, to, conns[0], Some(session))] {
            let (seed, here) = (hash(&mut self.random), self.peers[host].clone());
            let authenticated = Some(self.peers[other].designator.clone());
            let open = Opened { conn, dialled, here, authenticated, dialect: None, framing: None, seed };
            self.step(host, Event::Peer(In::Opened(open)));
        }
    }

    /// A connection breaks: of what was under way on it some arrives.
    fn cut(&mut self) {
        let all: Vec<End> = self.ends.keys().copied().collect();
        let Some(end) = self.random.of(&all).copied() else { return };
        self.cuts += 1;
        let other = self.ends.remove(&end).expect("an end");
        self.ends.remove(&other);
        for end in [end, other] {
            self.break_off(end);
        }
    }

    fn break_off(&mut self, end: End) {
        let line = self.lines.entry(end).or_default();
        let some = if line.is_empty() { 0 } else { self.random.below(line.len() + 1) };
        line.truncate(some);
        if let Some(Some(last)) = line.back_mut() {
            let part = self.random.below(last.len() + 1);
            last.truncate(part);
        }
        line.push_back(None);
    }

    /// What was not durable never was.
    fn kill(&mut self, i: usize) {
        self.kills += 1;
        let h = &mut self.hosts[i];
        h.node = None;
        h.turns.clear();
        h.output.clear();
        h.vat = h.saved.clone();
        self.dials.retain(|d| d.0 != i);
        let mine: Vec<End> = self.ends.keys().copied().filter(|e| e.0 == i).collect();
        for end in mine {
            let other = self.ends.remove(&end).expect("an end");
            self.ends.remove(&other);
            self.break_off(other);
        }
        self.lines.retain(|end, _| end.0 != i);
    }

    fn restart(&mut self, i: usize) {
        let h = &mut self.hosts[i];
        if h.node.is_some() {
            return;
        }
        h.node = Some(Node::restore(CONFIG, Box::new(One), &h.store).expect("sound rows").expect("rows"));
        self.online(i);
        let mut out = Vec::new();
        if let Some(node) = self.hosts[i].node.as_mut() {
            node.resume(&mut out);
        }
        self.carry_out(i, out);
    }

    /// Something that can happen does. False: nothing can.
    fn happen(&mut self) -> bool {
        let mut can: Vec<(usize, Option<ConnId>)> = Vec::new();
        can.extend((0..self.hosts.len()).filter(|h| !self.hosts[*h].turns.is_empty()).map(|h| (h, None)));
        can.extend(self.lines.iter().filter(|l| !l.1.is_empty()).map(|l| (l.0.0, Some(l.0.1))));
        let pick = self.random.below(can.len() + usize::from(!self.dials.is_empty()) + 1);
        match can.get(pick).copied() {
            Some((i, Some(conn))) => {
                let line = self.lines.get_mut(&(i, conn)).expect("a line");
                match line.pop_front().expect("something") {
                    Some(bytes) => self.step(i, Event::Peer(In::Received { conn, bytes })),
                    None => {
                        self.lines.remove(&(i, conn));
                        self.step(i, Event::Peer(In::Closed { conn, why: "end of stream".into() }));
                    }
                }
                if self.random.below(3) == 0 {
                    self.commit(i);
                }
            }
            Some((i, None)) => {
                self.run_turn(i);
                if self.random.below(3) == 0 {
                    self.commit(i);
                }
            }
            None if pick == can.len() && !self.dials.is_empty() => self.dial(),
            None => {
                (0..self.hosts.len()).for_each(|i| self.commit(i));
                let idle = self.lines.values().all(VecDeque::is_empty) && self.hosts.iter().all(|h| h.turns.is_empty());
                return !(idle && self.dials.is_empty());
            }
        }
        true
    }

    fn run_turn(&mut self, i: usize) {
        let h = &mut self.hosts[i];
        let (vat, delivery) = h.turns.pop_front().expect("a turn");
        h.vat.next = self.clock;
        let ops = h.vat.turn(&delivery, &mut self.random, &self.peers);
        self.clock = h.vat.next;
        let outcome = TurnOutcome { ending: Ending::Done, ops, ..TurnOutcome::aborted("", "") };
        self.step(i, Event::TurnDone { vat, delivery: Box::new(delivery), outcome });
    }

    fn quiet(&mut self) {
        (0..self.hosts.len()).for_each(|i| self.restart(i));
        for _ in 0..1_000_000 {
            if !self.happen() {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    fn poke(&mut self) {
        for i in 0..self.hosts.len() {
            self.step(i, Event::Idle { vat: VAT });
        }
    }

    /// Rows give back the node that wrote them.
    fn compare(&mut self, i: usize, seed: u64) {
        self.commit(i);
        let h = &self.hosts[i];
        let Some(node) = &h.node else { return };
        let back = Node::restore(CONFIG, Box::new(One), &h.store).expect("sound rows").expect("rows");
        let (back, was) = (back.describe(), node.describe());
        let lost: Vec<&String> = was.iter().filter(|f| !back.contains(f)).collect();
        let new: Vec<&String> = back.iter().filter(|f| !was.contains(f)).collect();
        assert!(lost.is_empty() && new.is_empty(), "seed {seed}, host {i}: lost {lost:#?}, new {new:#?}");
    }
}

fn trouble(w: &mut World, kills: bool) {
    match w.random.below(12) {
        0..=2 => w.cut(),
        3..=5 if kills => {
            let i = w.random.below(w.hosts.len());
            w.kill(i);
            for _ in 0..w.random.below(20) {
                w.happen();
            }
            w.restart(i);
        }
        _ => {}
    }
}

fn run(hosts: usize, seed: u64, kills: bool) -> (usize, usize) {
    let mut w = World::new(hosts, seed);
    for round in 0..80 {
        w.poke();
        let some = w.random.below(30);
        for _ in 0..some {
            w.happen();
        }
        trouble(&mut w, kills);
        if round % 10 == 9 {
            let i = w.random.below(hosts);
            w.compare(i, seed);
        }
        if round % 20 == 19 {
            w.quiet();
        }
    }
    for h in &mut w.hosts {
        h.vat.tired = true;
        h.saved.tired = true;
    }
    for _ in 0..14 {
        w.poke();
        trouble(&mut w, kills);
        w.quiet();
    }
    let (mut received, mut left) = (0, Vec::new());
    for h in &w.hosts {
        received += h.vat.received;
        assert_eq!(h.trouble, Vec::<String>::new(), "seed {seed}, host {}", h.vat.host);
        let bad = |r: &String| r.contains("does not hold") || r.contains("session");
        assert!(!h.vat.rejected.iter().any(bad), "seed {seed}: {:?}", h.vat.rejected);
        assert_eq!(h.vat.listening, BTreeSet::new(), "seed {seed}, host {}: all is answered in the end", h.vat.host);
        let node = h.node.as_ref().expect("alive");
        for s in node.session_tables() {
            assert!(s.durable, "seed {seed}");
            let held = node.held(s.session);
            if s.exports + s.imports + s.questions + s.answers + s.unacked.0 + held > 0 {
                left.push(format!("host {} about {}: held {held}, promises {}, {s:?}", h.vat.host, s.peer, node.promises()));
            }
        }
    }
    assert_eq!(left, Vec::<String>::new(), "seed {seed}");
    (received, w.kills + w.cuts)
}

fn seeds(hosts: usize, kills: bool, seeds: std::ops::Range<u64>) {
    let (mut received, mut troubles) = (0, 0);
    for seed in seeds {
        let (r, t) = run(hosts, seed, kills);
        received += r;
        troubles += t;
    }
    assert!(received > 300 && troubles > 50, "{received} {troubles}");
}

#[test]
fn connections_that_break_lose_nothing() {
    seeds(2, false, 0..20);
}

#[test]
fn two_hosts_that_are_killed_lose_nothing() {
    seeds(2, true, 0..30);
}

#[test]
fn three_hosts_that_are_killed_hand_on_what_they_hold() {
    seeds(3, true, 0..12);
}

/// Many more of the same.
#[test]
#[ignore = "minutes"]
fn many_seeds() {
    for hosts in [2, 3] {
        seeds(hosts, true, 1_000..1_200);
    }
}

/// A store with the same rows but one.
fn damaged(of: &MemStore, change: (u8, &[u8], Option<&[u8]>)) -> MemStore {
    let store = MemStore::new(Opening { identity: [9; 32], random: [0; 32] });
    let mut batch = Batch::new();
    for table in 1..=ken::rows::PEERS {
        for (key, value) in of.scan(table, &[], None, usize::MAX) {
            batch.put(table, &key, &value);
        }
    }
    match change {
        (table, key, Some(value)) => drop(batch.put(table, key, value)),
        (table, key, None) => drop(batch.delete(table, key)),
    }
    store.append(&batch).expect("appended");
    store
}

#[test]
fn rows_that_are_damaged_are_refused_or_lead_to_something() {
    let mut w = World::new(3, 77);
    for _ in 0..30 {
        w.poke();
        for _ in 0..20 {
            w.happen();
        }
    }
    w.cut();
    (0..3).for_each(|i| w.commit(i));
    let (mut refused, mut taken) = (0, 0);
    for table in ken::rows::SESSIONS..=ken::rows::PEERS {
        for (key, value) in w.hosts[0].store.scan(table, &[], None, usize::MAX) {
            let mut tries: Vec<Option<Vec<u8>>> = vec![None, Some(Vec::new())];
            for _ in 0..6 {
                let mut bad = value.clone();
                if !bad.is_empty() {
                    let at = w.random.below(bad.len());
                    match w.random.below(3) {
                        0 => bad[at] ^= 1 << w.random.below(8),
                        1 => bad.truncate(at),
                        _ => bad[at] = 0xFF,
                    }
                }
                tries.push(Some(bad));
            }
            for bad in tries {
                let store = damaged(&w.hosts[0].store, (table, &key, bad.as_deref()));
                let Ok(Some(mut node)) = Node::restore(CONFIG, Box::new(One), &store) else {
                    refused += 1;
                    continue;
                };
                taken += 1;
                let mut out = Vec::new();
                let history = Some(w.hosts[0].history.clone());
                node.step(Event::Online { here: vec![w.peers[0].clone()], secret: [0; 32], may_choose: true, history }, &mut out);
                node.resume(&mut out);
                for session in node.sessions().collect::<Vec<_>>() {
                    node.step(Event::Forget { session }, &mut out);
                }
                node.changes(&mut Batch::new());
            }
        }
    }
    assert!(refused > 100 && taken > 100, "{refused} {taken}");
}
