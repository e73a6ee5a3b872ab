//! Hosts that talk: real nodes and sessions, lines whose bytes come at any time, vats that do anything by a seed.
//!
//! What is checked: what one vat sends on one reference arrives in that order (among two hosts also across promises, wherever
//! they lead); nothing is named that is not held (the node would end the session); in the end no table has anything left.
mod chance;

use chance::{One, Random, VAT, Vat};
use node::{Config, Effect, Event, Node};
use ocapn::{ConnId, In, Opened, Out, Peer};
use passable::{Data, Delivery, Ending, Limits, TurnOutcome, VatId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

struct Host {
    node: Node,
    vat: Vat,
    turns: VecDeque<(VatId, Delivery)>,
    trouble: Vec<String>,
}

struct World {
    hosts: Vec<Host>,
    peers: Vec<Peer>,
    /// By reading end.
    lines: BTreeMap<(usize, ConnId), VecDeque<Vec<u8>>>,
    ends: BTreeMap<(usize, ConnId), (usize, ConnId)>,
    next: u64,
    random: Random,
    /// Numbers of vats are times for all.
    clock: u64,
    framing: Option<ocapn::Framing>,
}

impl World {
    fn new(n: usize, seed: u64) -> World {
        let peers: Vec<Peer> =
            (0..n).map(|i| Peer { transport: "test".into(), designator: format!("h{i}"), hints: None }).collect();
        let framing = (seed % 2 == 1).then_some(ocapn::Framing::Length);
        let (ends, lines) = (BTreeMap::new(), BTreeMap::new());
        let mut w = World { hosts: Vec::new(), peers, lines, ends, next: 1, random: Random(seed), clock: 10, framing };
        for host in 0..n {
            let node = Node::new(Config::default(), Box::new(One));
            let vat = Vat::new(host, n);
            w.hosts.push(Host { node, vat, turns: VecDeque::new(), trouble: Vec::new() });
            w.step(
                host,
                Event::Online { here: vec![w.peers[host].clone()], secret: [host as u8; 32], may_choose: true, history: None },
            );
            let limits = Limits { heap_bytes: 1 << 20, instructions: 1 << 20 };
            w.step(host, Event::Start { program: 0, powers: Data::undefined(), limits, imports: Vec::new() });
        }
        w
    }

    fn step(&mut self, host: usize, event: Event) {
        let mut out = Vec::new();
        self.hosts[host].node.step(event, &mut out);
        for effect in out {
            match effect {
                Effect::RunTurn { vat, delivery } => self.hosts[host].turns.push_back((vat, *delivery)),
                Effect::Peer(Out::Dial { session, peer, .. }) => self.dial(host, session, &peer),
                Effect::Peer(Out::Write { conn, bytes }) => {
                    if let Some(to) = self.ends.get(&(host, conn)) {
                        self.lines.entry(*to).or_default().push_back(bytes);
                    }
                }
                Effect::Peer(Out::Close { conn }) => {
                    self.ends.remove(&(host, conn));
                }
                // both dial at first; one of the two connections is given up
                Effect::Peer(Out::Note { text, .. }) if text.contains("crossed hellos") => {}
                Effect::Peer(Out::Note { text, .. }) if !text.contains("wanted no answer") => self.hosts[host].trouble.push(text),
                Effect::Report(r) if r.text.contains("does not hold") => self.hosts[host].trouble.push(r.text),
                _ => {}
            }
        }
    }

    fn dial(&mut self, from: usize, session: VatId, peer: &Peer) {
        let to = self.peers.iter().position(|p| p == peer).expect("a host");
        let conns = [ConnId(self.next), ConnId(self.next + 1)];
        self.next += 2;
        self.ends.insert((from, conns[0]), (to, conns[1]));
        self.ends.insert((to, conns[1]), (from, conns[0]));
        for (host, conn, dialled) in [(to, conns[1], None), (from, conns[0], Some(session))] {
            let seed = std::array::from_fn(|i| (conn.0 as usize * 7 + i) as u8);
            let here = self.peers[host].clone();
            let framing = self.framing;
            let open = Opened { conn, dialled, here, authenticated: None, dialect: None, framing, seed };
            self.step(host, Event::Peer(In::Opened(open)));
        }
    }

    /// Something that can happen does. False: nothing can.
    fn happen(&mut self) -> bool {
        let mut can: Vec<(usize, Option<ConnId>)> = Vec::new();
        can.extend((0..self.hosts.len()).filter(|h| !self.hosts[*h].turns.is_empty()).map(|h| (h, None)));
        can.extend(self.lines.iter().filter(|l| !l.1.is_empty()).map(|l| (l.0.0, Some(l.0.1))));
        let Some((host, line)) = self.random.of(&can).copied() else { return false };
        match line {
            Some(conn) => {
                let bytes = self.lines.get_mut(&(host, conn)).and_then(VecDeque::pop_front).expect("bytes");
                self.step(host, Event::Peer(In::Received { conn, bytes }));
            }
            None => self.run_turn(host),
        }
        true
    }

    fn run_turn(&mut self, host: usize) {
        let h = &mut self.hosts[host];
        let (vat, delivery) = h.turns.pop_front().expect("a turn");
        h.vat.next = self.clock;
        let ops = h.vat.turn(&delivery, &mut self.random, &self.peers);
        self.clock = h.vat.next;
        let outcome = TurnOutcome { ending: Ending::Done, ops, ..TurnOutcome::aborted("", "") };
        self.step(host, Event::TurnDone { vat, delivery: Box::new(delivery), outcome });
    }

    fn quiet(&mut self) {
        for _ in 0..1_000_000 {
            if !self.happen() {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    /// Each vat gets a turn of its own.
    fn poke(&mut self) {
        for host in 0..self.hosts.len() {
            self.step(host, Event::Idle { vat: VAT });
        }
    }
}

fn run(hosts: usize, seed: u64) -> usize {
    let mut w = World::new(hosts, seed);
    for round in 0..60 {
        w.poke();
        let some = w.random.below(40);
        for _ in 0..some {
            w.happen();
        }
        if round % 20 == 19 {
            w.quiet();
        }
    }
    for h in &mut w.hosts {
        h.vat.tired = true;
    }
    for _ in 0..12 {
        w.poke();
        w.quiet();
    }
    let (mut received, mut left) = (0, Vec::new());
    for h in &w.hosts {
        received += h.vat.received;
        assert_eq!(h.trouble, Vec::<String>::new(), "seed {seed}, host {}", h.vat.host);
        assert!(h.vat.rejected.iter().all(|r| !r.contains("does not hold")), "seed {seed}");
        assert_eq!(h.vat.listening, BTreeSet::new(), "seed {seed}, host {}: all is answered in the end", h.vat.host);
        for s in h.node.session_tables() {
            if s.exports + s.imports + s.questions + s.answers + h.node.held(s.session) > 0 {
                let held = h.node.held(s.session);
                let what = format!("host {} about {}: held {held}, promises {}", h.vat.host, s.peer, h.node.promises());
                left.push(format!(
                    "{what}, {} exports, {} imports, {} questions, {} answers",
                    s.exports, s.imports, s.questions, s.answers
                ));
            }
        }
    }
    assert_eq!(left, Vec::<String>::new(), "seed {seed}");
    received
}

#[test]
fn two_hosts_keep_the_order_of_each_reference() {
    let received: usize = (0..60).map(|seed| run(2, seed)).sum();
    assert!(received > 2_000, "{received}");
}

#[test]
fn three_hosts_hand_on_what_they_hold() {
    let received: usize = (0..60).map(|seed| run(3, seed)).sum();
    assert!(received > 2_000, "{received}");
}
