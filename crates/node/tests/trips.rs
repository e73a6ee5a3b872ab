//! How often messages cross the wire: hosts in a row, each of which hands what it is asked on to the next.
mod kit;

use kit::{MAIN, World, call, fulfil, message, method, object, promise, to};
use node::Event;
use passable::{Data, Delivery, HOST, Op, Ref, Resolution, Target, VatId, What};

/// What host 0 has heard.
#[derive(Default)]
struct Asker {
    next: u64,
    heard: Vec<(bool, Data)>,
}

const FIRST: Ref = Ref::Promise(passable::PromiseId { vat: HOST, n: 1 });

/// The program of host `i` of `hosts`: the first asks, the last answers, the others hand on.
fn program(i: usize, hosts: usize, asker: &mut Asker, chained: bool, d: &Delivery) -> Vec<Op> {
    if let What::Start { answer, .. } = &d.what {
        return vec![fulfil(*answer, Data::reference(object(MAIN, 1)))];
    }
    if let What::Notify { rejected, value, .. } = &d.what {
        asker.heard.push((*rejected, value.clone()));
        return Vec::new();
    }
    let Some(m) = message(d) else { return Vec::new() };
    let (name, answer) = (method(&m.body), m.answer);
    if i == 0 {
        return ask(asker, name.parse().expect("a number"), chained);
    }
    let Some(answer) = answer else { return Vec::new() };
    if i + 1 == hosts {
        // to a neighbour an object that answers the same; to others data, since an object is fetched where it lives
        let value = if hosts == 2 { Data::reference(object(MAIN, 1)) } else { Data::string("far") };
        return vec![fulfil(answer, value)];
    }
    asker.next += 1;
    let p = promise(MAIN, 1_000_000 + asker.next);
    vec![call(to(FIRST), &name, &[], Some(p)), Op::Resolve { promise: answer, to: Resolution::Forwarded(p) }]
}

/// `n` messages in one turn; `chained`: each to the answer of the one before.
fn ask(asker: &mut Asker, n: u64, chained: bool) -> Vec<Op> {
    let mut ops = Vec::new();
    let mut target: Target = to(FIRST);
    for _ in 0..n {
        asker.next += 1;
        let p = promise(MAIN, asker.next);
        ops.push(call(target.clone(), "ask", &[], Some(p)));
        ops.push(Op::Listen(p));
        if chained {
            target = Target::Promise(p);
        }
    }
    ops
}

fn trips(w: &World) -> u64 {
    w.hosts[0].node.session_tables().iter().map(|s| s.traffic.round_trips).sum()
}

/// Ticks that `n` messages take over a row of hosts that are connected, and the round trips that the asker's session counts.
fn row(hosts: usize, n: u64, chained: bool) -> (usize, u64) {
    let mut asker = Asker::default();
    let mut w = World::new(hosts);
    let mut vat = |i: usize, _: VatId, d: &Delivery| program(i, hosts, &mut asker, chained, d);
    for i in (0..hosts).rev() {
        let next = w.hosts.get(i + 1).map(|h| h.roots[0].clone());
        w.start(i, next.into_iter().collect());
        w.ticks(&mut vat);
    }
    let mut go = |w: &mut World, n: u64, reply: u64| {
        let body = ken::codec::method_call(&n.to_string(), |_| 0);
        w.step(0, Event::Call { vat: MAIN, body, reply });
        w.ticks(&mut vat)
    };
    // connections are made and all that is asked about imports is answered
    go(&mut w, 1, 1);
    let before = trips(&w);
    let ticks = go(&mut w, n, 2);
    let counted = trips(&w) - before;
    assert!(w.hosts.iter().all(|h| h.reports.is_empty() && h.notes.is_empty()));
    assert_eq!(asker.heard.len() as u64, n + 1);
    assert!(asker.heard.iter().all(|(rejected, value)| !rejected && value.as_reference().is_some() == (hosts == 2)));
    (ticks, counted)
}

#[test]
fn pipelined_calls_cost_one_round_trip_and_one_more_for_each_host_further() {
    for n in [1, 10, 500] {
        // there and back, and a tick for what is given back of answers
        assert_eq!(row(2, n, false), (3, 1), "{n}");
        assert_eq!(row(2, n, true), (3, 1), "{n}, each to the answer of the one before");
        for hosts in 3..6 {
            let (ticks, counted) = row(hosts, n, false);
            assert_eq!((ticks - 1) / 2, hosts - 1, "{n} calls over {hosts} hosts took {ticks} ticks");
            assert_eq!(counted, 1, "to its neighbour the asker has one");
        }
    }
}

#[test]
fn who_waits_for_each_answer_has_a_round_trip_for_each() {
    let (hosts, first, all) = (2, 5, 25);
    let mut asker = Asker::default();
    let mut w = World::new(hosts);
    let mut before = 0;
    let mut vat = |i: usize, _: VatId, d: &Delivery| {
        let mut ops = program(i, hosts, &mut asker, false, d);
        if i == 0 && matches!(d.what, What::Notify { .. }) && ![first, all].contains(&asker.heard.len()) {
            ops.extend(ask(&mut asker, 1, false));
        }
        ops
    };
    for i in [1, 0] {
        let next = w.hosts.get(i + 1).map(|h| h.roots[0].clone());
        w.start(i, next.into_iter().collect());
        w.ticks(&mut vat);
    }
    for reply in 1..3 {
        before = trips(&w);
        w.step(0, Event::Call { vat: MAIN, body: ken::codec::method_call("1", |_| 0), reply });
        w.ticks(&mut vat);
    }
    assert_eq!((asker.heard.len(), trips(&w) - before), (all, (all - first) as u64));
}
