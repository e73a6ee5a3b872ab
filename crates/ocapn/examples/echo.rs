//! What the machine costs: echo between two of them in memory. `cargo run --release -p drses-ocapn --example echo`
//!
//! The nodes are as small as can be: one object that answers its arguments at once. No socket, no disk, no JavaScript.
use ocapn::{Captp, ConnId, Home, In, Opened, Out, Peer, Sturdyref};
use passable::{Data, Message, ObjectId, Op, PromiseId, Ref, Resolution, Target, VatId, What, Writer};
use std::time::Instant;

const CALLS: u64 = 200_000;
const VAT: VatId = VatId(1);
const OBJECT: Ref = Ref::Object(ObjectId { vat: VAT, n: 1 });

struct Names;

impl Home for Names {
    fn new_session(&mut self) -> VatId {
        VatId(2)
    }
    fn lookup(&mut self, _: &[u8]) -> Option<Ref> {
        Some(OBJECT)
    }
}

#[derive(Default)]
struct Side {
    captp: Captp,
    out: Vec<Out>,
    written: Vec<u8>,
    dials: Vec<VatId>,
    /// The object that was fetched.
    found: Option<ObjectId>,
    answered: u64,
    bytes: u64,
}

impl Side {
    fn step(&mut self, event: In) {
        self.captp.step(event, &mut Names, &mut self.out);
        while !self.out.is_empty() {
            for out in std::mem::take(&mut self.out) {
                self.done(out);
            }
        }
    }

    fn done(&mut self, out: Out) {
        match out {
            Out::Ops { session, ops } => {
                let mut answers = Vec::new();
                for op in ops {
                    match op {
                        Op::Send(m) => answers.push((m.answer, m.body)),
                        Op::Resolve { to, .. } => {
                            self.answered += 1;
                            if let Resolution::Fulfilled(d) = to
                                && let Some(Ref::Object(o)) = d.as_reference()
                            {
                                self.found = Some(o);
                            }
                        }
                        _ => {}
                    }
                }
                for (promise, body) in answers {
                    let Some(promise) = promise else { continue };
                    // form and count, then one value: the answer is that value
                    let value = Data { body: passable::Body::from(&body.body[2..]), slots: body.slots };
                    let delivery = What::Notify { promise, rejected: false, value }.into();
                    self.captp.step(In::Deliver { session, delivery }, &mut Names, &mut self.out);
                }
            }
            Out::Write { bytes, .. } => self.written.extend(bytes),
            Out::Dial { session, .. } => self.dials.push(session),
            Out::Note { text, .. } => eprintln!("{text}"),
            _ => {}
        }
    }

    fn flush(&mut self) -> Vec<u8> {
        self.captp.flush(&mut self.out);
        for out in std::mem::take(&mut self.out) {
            self.done(out);
        }
        self.bytes += self.written.len() as u64;
        std::mem::take(&mut self.written)
    }
}

fn peer(name: &str) -> Peer {
    Peer { transport: "memory".to_owned(), designator: name.to_owned(), hints: None }
}

fn open(side: &mut Side, name: &str, dialled: Option<VatId>) {
    let seed = [name.as_bytes()[0]; 32];
    let (dialect, framing) = (Some(ocapn::Dialect::B), Some(ocapn::Framing::Length));
    let here = peer(name);
    side.step(In::Opened(Opened { conn: ConnId(1), dialled, here, authenticated: None, dialect, framing, seed }));
}

fn exchange(a: &mut Side, b: &mut Side) {
    loop {
        let (x, y) = (a.flush(), b.flush());
        if x.is_empty() && y.is_empty() {
            return;
        }
        if !x.is_empty() {
            b.step(In::Received { conn: ConnId(1), bytes: x });
        }
        if !y.is_empty() {
            a.step(In::Received { conn: ConnId(1), bytes: y });
        }
    }
}

fn main() {
    let (mut a, mut b) = (Side::default(), Side::default());
    let uri = Sturdyref { peer: peer("server"), swiss: b"echo".to_vec() }.to_uri();
    a.step(In::Import { uri, answer: PromiseId { vat: VAT, n: 1 } });
    let session = a.dials[0];
    open(&mut b, "server", None);
    open(&mut a, "client", Some(session));
    exchange(&mut a, &mut b);
    let target = a.found.expect("the echo object");
    for outstanding in [1, 100] {
        let (start, mut n) = (Instant::now(), 0);
        let (answered, bytes) = (a.answered, a.bytes + b.bytes);
        while n < CALLS {
            for _ in 0..outstanding {
                n += 1;
                let mut w = Writer::new();
                w.byte(2);
                w.varint(1);
                w.string("a short text");
                let answer = Some(PromiseId { vat: VAT, n: 100 + n + outstanding * CALLS });
                let message = Message { target: Target::Object(target), body: w.done(), answer, id: 0 };
                let delivery = What::Message(Box::new(message)).into();
                a.step(In::Deliver { session, delivery });
            }
            exchange(&mut a, &mut b);
        }
        assert_eq!(a.answered - answered, n);
        let seconds = start.elapsed().as_secs_f64();
        let bytes = (a.bytes + b.bytes - bytes) / n;
        println!(
            "{outstanding:>3} outstanding: {:.0} calls/s, {:.2} us a call, both sides; {bytes} bytes",
            n as f64 / seconds,
            seconds * 1e6 / n as f64
        );
    }
}
