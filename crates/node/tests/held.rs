//! What sessions write while it is held back leaves whole, and of garbage peers are told together.
mod kit;

use kit::{MAIN, World, call, fulfil, message, method, object, promise, to};
use node::Event;
use passable::{Data, Delivery, HOST, Op, Ref, VatId, What};

const CALLS: u64 = 5;
const FIRST: Ref = Ref::Promise(passable::PromiseId { vat: HOST, n: 1 });

fn times(text: &str, w: &World, from: usize) -> usize {
    let all: Vec<u8> = w.written[from..].iter().filter(|x| x.0 == 0).flat_map(|x| x.1.clone()).collect();
    String::from_utf8_lossy(&all).matches(text).count()
}

#[test]
fn what_is_held_back_leaves_as_one_write_and_garbage_when_it_is_asked_for() {
    let (mut w, mut next) = (World::without_stores(2), 0);
    // the second host answers with data, the first asks as often as it is told
    let mut vat = |i: usize, _: VatId, d: &Delivery| -> Vec<Op> {
        if let What::Start { answer, .. } = &d.what {
            return vec![fulfil(*answer, Data::reference(object(MAIN, 1)))];
        }
        let Some(m) = message(d) else { return Vec::new() };
        let Some(answer) = m.answer else { return Vec::new() };
        if i == 1 {
            return vec![fulfil(answer, Data::string("yes"))];
        }
        let n: u64 = method(&m.body).parse().expect("a number");
        let mut ops = vec![fulfil(answer, Data::undefined())];
        for _ in 0..n {
            next += 1;
            ops.push(call(to(FIRST), "ask", &[], Some(promise(MAIN, next))));
        }
        ops
    };
    for i in [1, 0] {
        let root = w.hosts.get(i + 1).map(|h| h.roots[0].clone());
        w.start(i, root.into_iter().collect());
        w.ticks(&mut vat);
    }
    let ask = |n: u64, reply: u64| Event::Call { vat: MAIN, body: ken::codec::method_call(&n.to_string(), |_| 0), reply };
    // by the first calls the dialect is found out
    w.step(0, ask(1, 1));
    w.ticks(&mut vat);
    assert!(!w.hosts[0].node.has_garbage(), "without patience it is told at once");

    w.hosts[0].node.hold_back(true);
    let before = w.written.len();
    w.step(0, ask(CALLS, 2));
    while !w.hosts[0].turns.is_empty() {
        w.end_turn(0, 0, &mut vat);
    }
    assert_eq!(w.written.len(), before, "nothing leaves");
    w.flush(0, true);
    assert_eq!(w.written.len(), before + 1);
    assert_eq!(times("op:deliver<", &w, before), CALLS as usize);

    // the answers come, and answer positions are to be given back
    let before = w.written.len();
    w.ticks(&mut vat);
    w.flush(0, true);
    assert_eq!(times("op:gc", &w, before), 0, "a word for each answer");
    assert!(w.hosts[0].node.has_garbage());
    w.flush(0, false);
    assert_eq!(times("op:gc-answer", &w, before), 1);
    assert!(!w.hosts[0].node.has_garbage());
    w.hosts[0].node.hold_back(false);
    w.ticks(&mut vat);
    assert!(w.hosts.iter().all(|h| h.reports.is_empty() && h.notes.is_empty()));
    assert_eq!(w.hosts[1].node.session_tables()[0].answers, 0, "all are given back");
}
