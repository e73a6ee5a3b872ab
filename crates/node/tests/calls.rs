//! Operators' messages: not stored while they are young, stored with what they did, or once they have waited.
mod kit;

use ken::rows;
use kit::{MAIN, NoPrograms, World, fulfil, message, method, object, promise};
use node::{Config, Event, Node};
use passable::{Data, Delivery, Op, Resolution, VatId, What};
use store::Batch;

/// Answers at once, or with a promise of its own; `settle` fulfils that.
fn vat(_: usize, _: VatId, d: &Delivery) -> Vec<Op> {
    if let What::Start { answer, .. } = &d.what {
        return vec![fulfil(*answer, Data::reference(object(MAIN, 1)))];
    }
    let Some(m) = message(d) else { return Vec::new() };
    let Some(answer) = m.answer else { return Vec::new() };
    match method(&m.body).as_str() {
        "later" => vec![Op::Resolve { promise: answer, to: Resolution::Forwarded(promise(MAIN, 7)) }],
        "settle" => vec![fulfil(promise(MAIN, 7), Data::string("late")), fulfil(answer, Data::undefined())],
        _ => vec![fulfil(answer, Data::string("now"))],
    }
}

/// A batch; then the node that its rows give says the same. Rows of messages and promises.
fn commit(w: &mut World) -> (usize, usize) {
    let h = &mut w.hosts[0];
    let mut batch = Batch::new();
    h.node.changes(&mut batch);
    h.store.append(&batch).expect("appended");
    let config = Config { durable: true, ..Config::default() };
    let restored = Node::restore(config, Box::new(NoPrograms), &*h.store).expect("sound rows").expect("a node");
    assert_eq!(restored.describe(), h.node.describe());
    let count = |table| h.store.scan(table, &[], None, usize::MAX).len();
    (count(rows::INBOX), count(rows::PROMISES))
}

fn call(w: &mut World, name: &str, reply: u64) {
    w.step(0, Event::Call { vat: MAIN, body: ken::codec::method_call(name, |_| 0), reply });
}

fn started() -> World {
    let mut w = World::new(1);
    w.start(0, Vec::new());
    w.ticks(&mut vat);
    assert_eq!(commit(&mut w), (0, 1), "the promise of the root");
    w
}

#[test]
fn a_message_that_is_answered_soon_leaves_no_row() {
    let mut w = started();
    (1..=3).for_each(|n| call(&mut w, "up", n));
    assert_eq!(commit(&mut w), (0, 1), "one is in flight, two wait");
    w.ticks(&mut vat);
    assert_eq!(commit(&mut w), (0, 1));
    assert_eq!(w.hosts[0].replies.len(), 3);
}

#[test]
fn a_promise_that_a_turn_left_is_stored_with_it() {
    let mut w = started();
    call(&mut w, "later", 1);
    assert_eq!(commit(&mut w), (0, 1));
    w.ticks(&mut vat);
    assert_eq!(commit(&mut w), (0, 3), "the answer, and the promise that it follows");
    // another process, that nobody has called
    w.restart(0);
    call(&mut w, "settle", 2);
    w.ticks(&mut vat);
    commit(&mut w);
    assert_eq!(w.hosts[0].replies.keys().collect::<Vec<_>>(), [&2]);
}

#[test]
fn what_has_waited_is_stored_and_done_by_the_next_process() {
    let mut w = started();
    (1..=3).for_each(|n| call(&mut w, "up", n));
    assert!(w.hosts[0].node.has_young_calls());
    w.step(0, Event::KeepCalls);
    assert!(!w.hosts[0].node.has_young_calls());
    assert_eq!(commit(&mut w), (3, 4));
    w.restart(0);
    let mut done = 0;
    w.ticks(&mut |i, v, d| {
        done += usize::from(message(d).is_some());
        vat(i, v, d)
    });
    assert_eq!(done, 3);
    assert_eq!(commit(&mut w), (0, 1), "nor does an answer stay that nobody waits for");
}

#[test]
fn a_vat_that_is_paused_keeps_what_it_was_sent() {
    let mut w = started();
    (1..=2).for_each(|n| call(&mut w, "up", n));
    w.step(0, Event::Pause { vat: MAIN });
    assert_eq!(commit(&mut w), (1, 2), "the first is in flight");
    call(&mut w, "up", 3);
    assert_eq!(commit(&mut w), (2, 3));
    // the turn of the first does not begin after all
    let (vat, delivery) = w.hosts[0].turns.pop_front().expect("a turn");
    w.step(0, Event::NotRun { vat, delivery: Box::new(delivery), why: None });
    assert_eq!(commit(&mut w), (3, 4));
}
