//! Vats that do anything by a seed: they send, answer, pass on, listen, let go; and they notice what comes out of order.
#![allow(dead_code)]
use node::Programs;
use ocapn::{Peer, Sturdyref};
use passable::{
    Data, Delivery, Item, Message, NetAsk, ObjectId, Op, PromiseId, Reader, Ref, Resolution, Target, VatId, What, Writer,
};
use std::collections::{BTreeMap, BTreeSet};

pub struct One;

impl Programs for One {
    fn named_by(&self, _: u64, _: &str) -> Result<u64, String> {
        Err("none".to_owned())
    }
    fn name(&self, _: u64) -> String {
        "one.js".to_owned()
    }
}

#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n
    }
    pub fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        if all.is_empty() { None } else { all.get(self.below(all.len())) }
    }
}

pub const VAT: VatId = VatId(1);
pub const SWISS: &[u8] = b"the one object";

/// What is sent on one reference, whatever that becomes.
#[derive(Clone, Debug)]
pub struct Stream {
    number: u64,
    sent: u64,
    target: Ref,
    checked: bool,
}

/// A vat that acts by chance.
#[derive(Clone)]
pub struct Vat {
    pub host: usize,
    pub hosts: usize,
    pub next: u64,
    pub held: BTreeSet<Ref>,
    pub listening: BTreeSet<PromiseId>,
    pub streams: BTreeMap<Ref, Stream>,
    /// Answers and promises of its own that it has not settled.
    pub owed: Vec<PromiseId>,
    /// By sender and stream: the last message.
    pub seen: BTreeMap<(u64, u64), u64>,
    pub received: usize,
    pub rejected: Vec<String>,
    /// It only lets go.
    pub tired: bool,
    pub ops: Vec<Op>,
}

fn object(n: u64) -> Ref {
    Ref::Object(ObjectId { vat: VAT, n })
}

impl Vat {
    pub fn new(host: usize, hosts: usize) -> Vat {
        Vat {
            host,
            hosts,
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
        }
    }

    pub fn turn(&mut self, d: &Delivery, random: &mut Random, peers: &[Peer]) -> Vec<Op> {
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
