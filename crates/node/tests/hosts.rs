//! Hosts that talk: real nodes and sessions, lines whose bytes come at any time, vats that do anything by a seed.
//!
//! What is checked: what one vat sends on one reference arrives in that order (among two hosts also across promises, wherever
//! they lead); nothing is named that is not held (the node would end the session); in the end no table has anything left.
use node::{Config, Effect, Event, Node, Programs};
use ocapn::{ConnId, In, Opened, Out, Peer, Sturdyref};
use passable::{
    Data, Delivery, Ending, Item, Limits, Message, NetAsk, ObjectId, Op, PromiseId, Reader, Ref, Resolution, Target, TurnOutcome,
    VatId, What, Writer,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

struct One;

impl Programs for One {
    fn named_by(&self, _: u64, _: &str) -> Result<u64, String> {
        Err("none".to_owned())
    }
    fn name(&self, _: u64) -> String {
        "one.js".to_owned()
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n
    }
    fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        if all.is_empty() { None } else { all.get(self.below(all.len())) }
    }
}

const VAT: VatId = VatId(1);
const SWISS: &[u8] = b"the one object";

/// What is sent on one reference, whatever that becomes.
#[derive(Clone, Debug)]
struct Stream {
    number: u64,
    sent: u64,
    target: Ref,
    checked: bool,
}

/// A vat that acts by chance.
struct Vat {
    host: usize,
    hosts: usize,
    next: u64,
    held: BTreeSet<Ref>,
    listening: BTreeSet<PromiseId>,
    streams: BTreeMap<Ref, Stream>,
    /// Answers and promises of its own that it has not settled.
    owed: Vec<PromiseId>,
    /// By sender and stream: the last message.
    seen: BTreeMap<(u64, u64), u64>,
    received: usize,
    rejected: Vec<String>,
    /// It only lets go.
    tired: bool,
    ops: Vec<Op>,
}

fn object(n: u64) -> Ref {
    Ref::Object(ObjectId { vat: VAT, n })
}

impl Vat {
    fn turn(&mut self, d: &Delivery, random: &mut Random, peers: &[Peer]) -> Vec<Op> {
        let (a, b, _) = d.what.refs();
        self.held.extend(a.iter().chain(b).filter(|r| !matches!(r, Ref::Object(o) if o.vat == VAT)));
        match &d.what {
            What::Start { answer, .. } => {
                self.resolve(*answer, Resolution::Fulfilled(Data::reference(object(1))));
                let answer = self.promise();
                self.ops.push(Op::Net { ask: NetAsk::ExportAs(object(1), SWISS.to_vec()), answer });
            }
            What::Message(m) => self.message(m, random),
            What::Notify { promise, rejected, value } => self.notified(*promise, *rejected, value),
            What::Trace { .. } => {
                let held = self.held.iter().copied().collect();
                self.ops.push(Op::Reached(held));
            }
            What::Collect | What::StartText { .. } => {}
        }
        for (n, recognised) in &d.dropped {
            assert!(!recognised && *n > 0);
        }
        if !matches!(d.what, What::Trace { .. }) {
            for _ in 0..random.below(4) {
                self.act(random, peers);
            }
            self.relax();
        }
        std::mem::take(&mut self.ops)
    }

    fn promise(&mut self) -> PromiseId {
        self.next += 1;
        let p = PromiseId { vat: VAT, n: self.next };
        self.held.insert(Ref::Promise(p));
        p
    }

    fn resolve(&mut self, promise: PromiseId, to: Resolution) {
        self.ops.push(Op::Resolve { promise, to });
    }

    fn message(&mut self, m: &Message, random: &mut Random) {
        let mut r = Reader::new(&m.body.body);
        let _form = r.byte();
        let n = r.count().expect("arguments");
        let mut numbers = Vec::new();
        for _ in 0..n {
            if let Ok(Item::BigInt { limbs, .. }) = r.item() {
                numbers.push(limbs.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)));
            }
        }
        let time = numbers.pop().expect("the time");
        self.arrived(&numbers);
        let Some(p) = m.answer else { return };
        let held: Vec<Ref> = self.held.iter().copied().collect();
        let objects: Vec<Ref> = held.iter().copied().filter(|r| matches!(r, Ref::Object(_))).collect();
        let to = match random.below(8) {
            0 => Resolution::Fulfilled(Data::number(7.0)),
            1 => Resolution::Rejected(Data::error("Error", "by chance")),
            2 => self.later(p),
            3 | 4 => match random.of(&held) {
                // to an older one alone, or promises could follow each other in a circle across hosts
                Some(Ref::Promise(q)) if q.vat == VAT && q.n < time && !self.owed.contains(q) => Resolution::Forwarded(*q),
                _ => Resolution::Fulfilled(Data::undefined()),
            },
            5 => match random.of(&objects) {
                Some(r) => Resolution::Fulfilled(Data::reference(*r)),
                None => Resolution::Fulfilled(Data::undefined()),
            },
            _ => {
                self.next += 1;
                Resolution::Fulfilled(Data::reference(object(self.next)))
            }
        };
        if !self.owed.contains(&p) {
            self.resolve(p, to);
        }
    }

    fn later(&mut self, p: PromiseId) -> Resolution {
        self.owed.push(p);
        Resolution::Rejected(Data::undefined())
    }

    fn arrived(&mut self, numbers: &[u64]) {
        self.received += 1;
        let [host, stream, n, checked] = numbers[..] else { panic!("{numbers:?}") };
        let last = self.seen.insert((host, stream), n).unwrap_or(0);
        assert!(checked == 0 || n > last, "host {} got {n} after {last} on stream {stream} of host {host}", self.host);
    }

    fn notified(&mut self, p: PromiseId, rejected: bool, value: &Data) {
        self.held.remove(&Ref::Promise(p));
        if !self.listening.remove(&p) && !rejected {
            return;
        }
        if rejected {
            self.rejected.push(value.describe());
        }
        let became = value.as_reference().filter(|_| !rejected);
        for s in self.streams.values_mut().filter(|s| s.target == Ref::Promise(p)) {
            // 0 is never an object: the stream is over
            s.target = became.unwrap_or(object(0));
        }
        self.streams.retain(|_, s| s.target != object(0));
    }

    fn act(&mut self, random: &mut Random, peers: &[Peer]) {
        if self.tired {
            return;
        }
        let held: Vec<Ref> = self.held.iter().copied().collect();
        match random.below(10) {
            0 => {
                let to = (self.host + 1 + random.below(peers.len() - 1)) % peers.len();
                let answer = self.promise();
                let uri = Sturdyref { peer: peers[to].clone(), swiss: SWISS.to_vec() }.to_uri();
                self.ops.push(Op::Net { ask: NetAsk::Import(uri), answer });
            }
            1 => {
                if let Some(Ref::Promise(p)) = random.of(&held) {
                    self.listen(*p);
                }
            }
            2 if held.len() > 12 => {
                if let Some(r) = random.of(&held) {
                    self.drop_ref(*r);
                }
            }
            3 => {
                if let Some(p) = self.owed.pop() {
                    let n = self.next + 1;
                    self.next = n;
                    self.resolve(p, Resolution::Fulfilled(Data::reference(object(n))));
                }
            }
            4..=8 => self.send(random, &held),
            _ => {}
        }
    }

    fn listen(&mut self, p: PromiseId) {
        if self.held.contains(&Ref::Promise(p)) && !self.owed.contains(&p) && self.listening.insert(p) {
            self.ops.push(Op::Listen(p));
        }
    }

    fn drop_ref(&mut self, r: Ref) {
        if let Ref::Promise(p) = r
            && (self.listening.contains(&p) || self.owed.contains(&p))
        {
            return;
        }
        self.held.remove(&r);
        self.streams.retain(|_, s| s.target != r);
        self.ops.push(Op::Drop { what: r, recognised: false });
    }

    fn send(&mut self, random: &mut Random, held: &[Ref]) {
        let streams: Vec<Ref> = self.streams.keys().copied().collect();
        let pick = if random.below(3) > 0 { random.of(&streams).or(random.of(held)) } else { random.of(held) };
        let Some(r) = pick.copied() else { return };
        if matches!(r, Ref::Promise(p) if self.owed.contains(&p)) {
            return;
        }
        self.next += 1;
        let (number, checked) = (self.next, self.hosts == 2 || matches!(r, Ref::Object(_)));
        let s = self.streams.entry(r).or_insert(Stream { number, sent: 0, target: r, checked });
        s.sent += 1;
        let (target, numbers) = (s.target, [self.host as u64, s.number, s.sent, u64::from(s.checked)]);
        let target = match target {
            Ref::Object(o) => Target::Object(o),
            Ref::Promise(p) => Target::Promise(p),
            Ref::Power(_) => return,
        };
        let mut w = Writer::new();
        w.byte(2);
        let arguments = random.below(3);
        w.varint(5 + arguments as u64);
        self.next += 1;
        let time = self.next;
        numbers.iter().chain([&time]).for_each(|n| w.bigint(false, &[*n]));
        for _ in 0..arguments {
            match (random.below(4), random.of(held)) {
                (0, _) => {
                    // a promise of its own
                    self.next += 1;
                    let p = PromiseId { vat: VAT, n: self.next };
                    self.owed.push(p);
                    w.reference(Ref::Promise(p));
                }
                (1 | 2, Some(r)) => w.reference(*r),
                _ => {
                    self.next += 1;
                    w.reference(object(self.next));
                }
            }
        }
        let answer = (random.below(3) > 0).then(|| self.promise());
        self.ops.push(Op::Send(Box::new(Message { target, body: w.done(), answer, id: 0 })));
        if let Some(p) = answer
            && random.below(2) == 0
        {
            self.listen(p);
        }
    }

    /// A tired vat settles what it owes and lets go of all it holds.
    fn relax(&mut self) {
        if !self.tired {
            return;
        }
        for p in std::mem::take(&mut self.owed) {
            self.resolve(p, Resolution::Rejected(Data::error("Error", "given up")));
        }
        for r in self.held.clone() {
            self.drop_ref(r);
        }
    }
}

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
            let vat = Vat {
                host,
                hosts: n,
                next: 10,
                held: BTreeSet::new(),
                listening: BTreeSet::new(),
                streams: BTreeMap::new(),
                owed: Vec::new(),
                seen: BTreeMap::new(),
                received: 0,
                rejected: Vec::new(),
                tired: false,
                ops: Vec::new(),
            };
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
