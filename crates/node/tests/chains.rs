//! Chains of messages, each to the answer of the one before, however long.
use node::{Config, Effect, Event, Node, Programs};
use passable::{Data, Limits, Message, Op, PromiseId, Ref, Resolution, Target, TurnOutcome, VatId};

struct One;

impl Programs for One {
    fn named_by(&self, _: u64, _: &str) -> Result<u64, String> {
        Err("none".to_owned())
    }
    fn name(&self, _: u64) -> String {
        "one.js".to_owned()
    }
}

/// More than a stack of `STACK_BYTES` could hold a frame each for.
const CHAIN: u64 = 50_000;
const STACK_BYTES: usize = 256 << 10;
const VAT: VatId = VatId(1);

fn p(n: u64) -> PromiseId {
    PromiseId { vat: VAT, n }
}

fn done(ops: Vec<Op>) -> TurnOutcome {
    TurnOutcome { ending: passable::Ending::Done, ops, ..TurnOutcome::aborted("", "") }
}

fn call(to: u64, answer: u64) -> Op {
    let body = ken::codec::method_call("next", |_| 0);
    Op::Send(Box::new(Message { target: Target::Promise(p(to)), body, answer: Some(p(answer)), id: 0 }))
}

/// A node whose vat sent a message to promise 1, one to its answer, and so on, and then resolves promise 1.
fn chain(to: Resolution) -> (usize, usize) {
    let mut node = Node::new(Config::default(), Box::new(One));
    let mut out = Vec::new();
    let limits = Limits { heap_bytes: 1 << 20, instructions: 1 << 20 };
    node.step(Event::Start { program: 0, powers: Data::undefined(), limits, imports: Vec::new() }, &mut out);
    let mut ops: Vec<Op> = vec![Op::Listen(p(1))];
    // promise 1 is the vat's own: it becomes known by being passed on
    let mut w = passable::Writer::new();
    w.byte(2);
    w.varint(1);
    w.reference(Ref::Promise(p(1)));
    let body = w.done();
    ops.push(Op::Send(Box::new(Message {
        target: Target::Object(passable::ObjectId { vat: VAT, n: 1 }),
        body,
        answer: None,
        id: 0,
    })));
    ops.extend((1..=CHAIN).map(|n| call(n, n + 1)));
    ops.push(Op::Listen(p(CHAIN + 1)));
    ops.push(Op::Resolve { promise: p(1), to });
    let Some(Effect::RunTurn { vat, delivery }) = out.pop() else { panic!("{out:?}") };
    out.clear();
    node.step(Event::TurnDone { vat, delivery, outcome: done(ops) }, &mut out);
    let mut turns = 0;
    while let Some(Effect::RunTurn { vat, delivery }) = out.pop() {
        turns += 1;
        node.step(Event::TurnDone { vat, delivery, outcome: done(Vec::new()) }, &mut out);
    }
    (turns, node.queue(VAT).0)
}

fn on_a_small_stack(to: Resolution) -> (usize, usize) {
    let t = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || chain(to)).expect("a thread");
    t.join().expect("the chain is gone through")
}

#[test]
fn a_rejection_goes_through_a_long_chain() {
    // the message that passed promise 1 on, and the news of the first and the last promise
    assert_eq!(on_a_small_stack(Resolution::Rejected(Data::error("Error", "no"))), (3, 0));
}

#[test]
fn an_object_gets_the_first_of_a_long_chain() {
    let object = Data::reference(Ref::Object(passable::ObjectId { vat: VAT, n: 1 }));
    // besides: the first message; what waits for its answer waits on
    assert_eq!(on_a_small_stack(Resolution::Fulfilled(object)), (3, 0));
}
