//! Hosts joined in memory: real nodes with the real machine of sessions, vats that are closures.
//!
//! In: what each vat does with a delivery, as ops. Out: what happened; everything is in the order that the world's seed chose.
#![allow(dead_code)]
use node::{Config, Effect, Event, Node, Programs, Report};
use ocapn::{ConnId, In, Opened, Out, Peer};
use passable::{Data, Delivery, Limits, Message, ObjectId, Op, PromiseId, Ref, Resolution, Target, TurnOutcome, VatId, What};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use store::{Batch, Store};

pub const LIMITS: Limits = Limits { heap_bytes: 1 << 20, instructions: 1 << 20 };
/// The vat of a host's program.
pub const MAIN: VatId = VatId(1);

pub struct NoPrograms;

impl Programs for NoPrograms {
    fn named_by(&self, _: u64, _: &str) -> Result<u64, String> {
        Err("none".to_owned())
    }
    fn name(&self, n: u64) -> String {
        format!("program {n}")
    }
}

pub fn object(vat: VatId, n: u64) -> Ref {
    Ref::Object(ObjectId { vat, n })
}
pub fn promise(vat: VatId, n: u64) -> PromiseId {
    PromiseId { vat, n }
}

/// A message that calls a method with references as arguments.
pub fn call(to: Target, method: &str, args: &[Ref], answer: Option<PromiseId>) -> Op {
    let body = ken::codec::method_call(method, |w| {
        args.iter().for_each(|r| w.reference(*r));
        args.len()
    });
    Op::Send(Box::new(Message { target: to, body, answer, id: 0 }))
}
pub fn to(r: Ref) -> Target {
    match r {
        Ref::Object(o) => Target::Object(o),
        Ref::Promise(p) => Target::Promise(p),
        Ref::Power(_) => panic!("a power has no messages"),
    }
}
pub fn fulfil(p: PromiseId, value: Data) -> Op {
    Op::Resolve { promise: p, to: Resolution::Fulfilled(value) }
}

/// The method that a message calls, whichever form it has; empty: none.
pub fn method(d: &Data) -> String {
    let mut r = passable::Reader::new(&d.body);
    let form = r.byte().expect("a form");
    if form == 3 {
        r.count().expect("a count");
    }
    match r.item() {
        Ok(passable::Item::String(t) | passable::Item::Registered(t)) if form != 2 => t.to_rust(),
        _ => String::new(),
    }
}

/// One host.
pub struct Host {
    pub node: Node,
    pub store: Arc<dyn Store>,
    pub here: Peer,
    pub turns: VecDeque<(VatId, Delivery)>,
    pub reports: Vec<Report>,
    pub notes: Vec<String>,
    pub roots: Vec<String>,
    pub replies: BTreeMap<u64, (bool, Data)>,
    secret: u8,
}

/// Hosts and the connections between them.
pub struct World {
    pub hosts: Vec<Host>,
    /// Ends of a connection: host and its number there.
    links: BTreeMap<(usize, ConnId), (usize, ConnId)>,
    /// Bytes under way, by the end that they go to.
    pub wires: BTreeMap<(usize, ConnId), VecDeque<Option<Vec<u8>>>>,
    next: u64,
    /// All that was written, with the host that wrote it.
    pub written: Vec<(usize, Vec<u8>)>,
    /// Nobody answers dials to these hosts.
    pub away: Vec<usize>,
}

fn peer(i: usize) -> Peer {
    Peer { transport: "memory".into(), designator: format!("host{i}"), hints: Some(BTreeMap::new()) }
}

fn new_host(i: usize, store: Arc<dyn Store>) -> Host {
    let config = Config { durable: true, ..Config::default() };
    let restored = Node::restore(config, Box::new(NoPrograms), &*store).expect("sound rows");
    let node = restored.unwrap_or_else(|| Node::new(config, Box::new(NoPrograms)));
    Host {
        node,
        store,
        here: peer(i),
        turns: VecDeque::new(),
        reports: Vec::new(),
        notes: Vec::new(),
        roots: Vec::new(),
        replies: BTreeMap::new(),
        secret: i as u8 + 1,
    }
}

impl World {
    pub fn new(hosts: usize) -> World {
        let all = (0..hosts)
            .map(|i| new_host(i, Arc::new(store::MemStore::new(store::Opening { identity: [i as u8; 32], random: [0; 32] }))))
            .collect();
        let mut w =
            World { hosts: all, links: BTreeMap::new(), wires: BTreeMap::new(), next: 1, written: Vec::new(), away: Vec::new() };
        (0..hosts).for_each(|i| w.online(i));
        w
    }

    /// Hosts whose nodes note nothing for a store.
    pub fn without_stores(hosts: usize) -> World {
        let mut w = World::new(0);
        for i in 0..hosts {
            let mut h = new_host(i, Arc::new(store::MemStore::new(store::Opening { identity: [i as u8; 32], random: [0; 32] })));
            h.node = Node::new(Config::default(), Box::new(NoPrograms));
            w.hosts.push(h);
            w.online(i);
        }
        w
    }

    /// What host `i` has held back leaves.
    pub fn flush(&mut self, i: usize, patient: bool) {
        let mut out = Vec::new();
        self.hosts[i].node.flush(patient, &mut out);
        self.effects(i, out);
    }

    fn online(&mut self, i: usize) {
        let h = &self.hosts[i];
        let (here, secret) = (vec![h.here.clone()], [h.secret; 32]);
        self.step(i, Event::Online { here, secret, may_choose: true, history: None });
    }

    pub fn start(&mut self, i: usize, imports: Vec<String>) {
        // what the program is given it holds
        let mut w = passable::Writer::new();
        w.array(imports.len());
        (1..=imports.len() as u64).for_each(|n| w.reference(Ref::Promise(promise(passable::HOST, n))));
        self.step(i, Event::Start { program: 0, powers: w.done(), limits: LIMITS, imports });
    }

    /// The host's process dies after all was durable, and begins again. Connections end.
    pub fn restart(&mut self, i: usize) {
        let mut batch = Batch::new();
        self.hosts[i].node.changes(&mut batch);
        self.hosts[i].store.append(&batch).expect("appended");
        let ends: Vec<ConnId> = self.links.keys().filter(|k| k.0 == i).map(|k| k.1).collect();
        for conn in ends {
            self.close(i, conn);
            self.wires.remove(&(i, conn));
        }
        let store = self.hosts[i].store.clone();
        self.hosts[i] = new_host(i, store);
        self.online(i);
        let mut out = Vec::new();
        self.hosts[i].node.resume(&mut out);
        self.effects(i, out);
    }

    /// The connection's end at host `i` closes: the other end hears of it after what is under way.
    pub fn close(&mut self, i: usize, conn: ConnId) {
        if let Some(other) = self.links.remove(&(i, conn)) {
            self.wires.entry(other).or_default().push_back(None);
        }
    }

    pub fn step(&mut self, i: usize, event: Event) {
        let mut out = Vec::new();
        self.hosts[i].node.step(event, &mut out);
        self.effects(i, out);
    }

    fn effects(&mut self, i: usize, effects: Vec<Effect>) {
        for e in effects {
            match e {
                Effect::RunTurn { vat, delivery } => self.hosts[i].turns.push_back((vat, *delivery)),
                Effect::DrawSwissnum { answer } => {
                    self.next += 1;
                    let swiss = [self.next as u8; 32];
                    self.step(i, Event::Swissnum { answer, swiss });
                }
                Effect::Root { uris } => self.hosts[i].roots = uris,
                Effect::Report(r) => self.hosts[i].reports.push(r),
                Effect::Reply { to, rejected, value } => drop(self.hosts[i].replies.insert(to, (rejected, value))),
                Effect::Peer(out) => self.net(i, out),
                _ => {}
            }
        }
    }

    fn net(&mut self, i: usize, out: Out) {
        match out {
            Out::Write { conn, bytes } => {
                self.written.push((i, bytes.clone()));
                if let Some(other) = self.links.get(&(i, conn)) {
                    self.wires.entry(*other).or_default().push_back(Some(bytes));
                }
            }
            Out::Close { conn } => self.close(i, conn),
            Out::Dial { session, peer, .. } => self.dial(i, session, &peer),
            Out::Note { text, .. } => self.hosts[i].notes.push(text),
            _ => {}
        }
    }

    fn dial(&mut self, i: usize, session: VatId, peer: &Peer) {
        let found = self.hosts.iter().position(|h| h.here.key() == peer.key()).filter(|j| !self.away.contains(j));
        let Some(j) = found else {
            return self.step(i, Event::Peer(In::DialFailed { session, why: "nobody is there".to_owned() }));
        };
        let (a, b) = ((i, ConnId(self.next)), (j, ConnId(self.next + 1)));
        self.next += 2;
        self.links.insert(a, b);
        self.links.insert(b, a);
        for (end, dialled) in [(a, Some(session)), (b, None)] {
            let here = self.hosts[end.0].here.clone();
            let seed = [end.1.0 as u8 ^ 0x55; 32];
            let opened = Opened { conn: end.1, dialled, here, authenticated: None, dialect: None, framing: None, seed };
            self.step(end.0, Event::Peer(In::Opened(opened)));
        }
    }

    /// Ends of connections to which something is under way.
    pub fn arriving(&self) -> Vec<(usize, ConnId)> {
        self.wires.iter().filter(|w| !w.1.is_empty()).map(|w| *w.0).collect()
    }

    /// The host at the other end.
    pub fn writer(&self, end: (usize, ConnId)) -> Option<usize> {
        self.links.get(&end).map(|other| other.0)
    }

    /// What is first under way to this end arrives.
    pub fn arrive(&mut self, end: (usize, ConnId)) {
        let Some(first) = self.wires.get_mut(&end).and_then(VecDeque::pop_front) else { return };
        let conn = end.1;
        match first {
            Some(bytes) => self.step(end.0, Event::Peer(In::Received { conn, bytes })),
            None => {
                self.links.remove(&end);
                self.step(end.0, Event::Peer(In::Closed { conn, why: "the other side closed".to_owned() }));
            }
        }
    }

    /// The turn of host `i` that waits at this place ends with these ops.
    pub fn end_turn(&mut self, i: usize, at: usize, vat: &mut dyn FnMut(usize, VatId, &Delivery) -> Vec<Op>) {
        let Some((id, delivery)) = self.hosts[i].turns.remove(at) else { return };
        let ops = vat(i, id, &delivery);
        let outcome = TurnOutcome { ending: passable::Ending::Done, ops, ..TurnOutcome::aborted("", "") };
        self.step(i, Event::TurnDone { vat: id, delivery: Box::new(delivery), outcome });
    }

    /// Everything happens, in an order that the seed chooses, until nothing is left.
    pub fn run(&mut self, seed: u64, vat: &mut dyn FnMut(usize, VatId, &Delivery) -> Vec<Op>) {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        for _ in 0..1_000_000 {
            let arriving = self.arriving();
            let turns: Vec<(usize, usize)> =
                (0..self.hosts.len()).flat_map(|i| (0..self.hosts[i].turns.len()).map(move |t| (i, t))).collect();
            let n = arriving.len() + turns.len();
            if n == 0 {
                return;
            }
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let pick = if seed == 0 { 0 } else { (state % n as u64) as usize };
            match arriving.get(pick) {
                Some(end) => self.arrive(*end),
                None => {
                    let (i, t) = turns[pick - arriving.len()];
                    self.end_turn(i, t, vat);
                }
            }
        }
        panic!("it does not end");
    }
}

impl World {
    /// As on lines that all take one tick: hosts do what they can, then all that is under way arrives. The ticks until nothing is left.
    pub fn ticks(&mut self, vat: &mut dyn FnMut(usize, VatId, &Delivery) -> Vec<Op>) -> usize {
        for tick in 0..1_000_000 {
            while let Some(i) = (0..self.hosts.len()).find(|i| !self.hosts[*i].turns.is_empty()) {
                self.end_turn(i, 0, vat);
            }
            let under_way: Vec<((usize, ConnId), usize)> =
                self.wires.iter().map(|w| (*w.0, w.1.len())).filter(|w| w.1 > 0).collect();
            if under_way.is_empty() {
                return tick;
            }
            for (end, n) in under_way {
                (0..n).for_each(|_| self.arrive(end));
            }
        }
        panic!("it does not end");
    }
}

/// What a message asks.
pub fn message(d: &Delivery) -> Option<&Message> {
    match &d.what {
        What::Message(m) => Some(m),
        _ => None,
    }
}
