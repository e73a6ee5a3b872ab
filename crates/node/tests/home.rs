//! A vat sends on a promise that has become an object of its own: what it sent before it heard of that comes first.
use node::{Config, Effect, Event, Node, Programs};
use passable::{
    Data, Delivery, Limits, Message, ObjectId, Op, PromiseId, Ref, Resolution, Source, Target, TurnOutcome, VatId, What,
};

struct One;

impl Programs for One {
    fn named_by(&self, _: u64, _: &str) -> Result<u64, String> {
        Ok(1)
    }
    fn name(&self, _: u64) -> String {
        "one.js".to_owned()
    }
}

const A: VatId = VatId(1);
const B: VatId = VatId(2);
/// An object of A's, and the promise that B makes it the value of.
const OBJECT: Ref = Ref::Object(ObjectId { vat: A, n: 1 });
const P: PromiseId = PromiseId { vat: A, n: 2 };

fn done(ops: Vec<Op>) -> TurnOutcome {
    TurnOutcome { ending: passable::Ending::Done, ops, ..TurnOutcome::aborted("", "") }
}

fn send(to: Target, verb: &str, with: Option<Ref>, answer: Option<PromiseId>) -> Op {
    let mut body = ken::codec::method_call(verb, |_| 0);
    body.slots.extend(with);
    Op::Send(Box::new(Message { target: to, body, answer, id: 0 }))
}

struct World {
    node: Node,
    out: Vec<Effect>,
}

impl World {
    /// The delivery that the vat is given now.
    fn given(&mut self, to: VatId) -> Box<Delivery> {
        let at = self.out.iter().position(|e| matches!(e, Effect::RunTurn { vat, .. } if *vat == to)).expect("a turn");
        let Effect::RunTurn { delivery, .. } = self.out.remove(at) else { unreachable!() };
        delivery
    }
    fn over(&mut self, vat: VatId, delivery: Box<Delivery>, ops: Vec<Op>) {
        self.node.step(Event::TurnDone { vat, delivery, outcome: done(ops) }, &mut self.out);
    }
}

#[test]
fn what_was_sent_before_the_news_comes_before_it() {
    let mut w = World { node: Node::new(Config { durable: true, ..Config::default() }, Box::new(One)), out: Vec::new() };
    let limits = Limits { heap_bytes: 1 << 20, instructions: 1 << 20 };
    w.node.step(Event::Start { program: 0, powers: Data::undefined(), limits, imports: Vec::new() }, &mut w.out);
    // A makes B, gives its root an object, and asks to hear of the answer
    let root = PromiseId { vat: A, n: 1 };
    let first = w.given(A);
    let made = Op::MakeVat(Box::new(passable::MakeVat {
        source: Source::Specifier("b".to_owned()),
        powers: Data::undefined(),
        limits,
        answer: root,
    }));
    // … and is busy after that: messages to itself are in flight and wait
    let own = |verb| send(Target::Object(ObjectId { vat: A, n: 1 }), verb, None, None);
    let same = send(Target::Promise(root), "same", Some(OBJECT), Some(P));
    w.over(A, first, vec![made, same, Op::Listen(P), own("one"), own("two")]);
    // B begins, and gets the message
    let start = w.given(B);
    let What::Start { answer, .. } = start.what else { panic!("{start:?}") };
    let itself = Data::reference(Ref::Object(ObjectId { vat: B, n: 1 }));
    w.over(B, start, vec![Op::Resolve { promise: answer, to: Resolution::Fulfilled(itself) }]);
    let asked = w.given(B);
    w.over(B, asked, vec![Op::Resolve { promise: P, to: Resolution::Fulfilled(Data::reference(OBJECT)) }]);
    w.node.changes(&mut store::Batch::new());
    // A's turn sends on the promise whose news waits for it
    let mut seen = Vec::new();
    let mut ops = vec![send(Target::Promise(P), "before", None, None)];
    while let Some(at) = w.out.iter().position(|e| matches!(e, Effect::RunTurn { vat: A, .. })) {
        let Effect::RunTurn { delivery, .. } = w.out.remove(at) else { unreachable!() };
        seen.push(match &delivery.what {
            What::Notify { promise, .. } if *promise == P => "news",
            What::Message(m) if m.body == ken::codec::method_call("before", |_| 0) => "before",
            _ => "else",
        });
        w.over(A, delivery, std::mem::take(&mut ops));
    }
    let place = |what| seen.iter().position(|s| *s == what).unwrap_or_else(|| panic!("{what}: {seen:?}"));
    assert!(place("before") < place("news"), "{seen:?}");
    assert!(w.node.is_quiet());
}
