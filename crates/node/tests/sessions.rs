//! Sessions with peers as vats: two hosts with real sessions, joined in memory.
mod kit;

use kit::{MAIN, World, call, fulfil, message, method, object, promise, to};
use node::Event;
use passable::{Data, Delivery, HOST, NetAsk, Op, PromiseId, Ref, Resolution, VatId, What};

/// Host 0 serves object 1 of its program; host 1 has it as the first of its imports.
fn two(vat: &mut dyn FnMut(usize, VatId, &Delivery) -> Vec<Op>) -> World {
    let mut w = World::new(2);
    w.start(0, Vec::new());
    w.run(0, vat);
    let root = w.hosts[0].roots[0].clone();
    w.start(1, vec![root]);
    w
}

fn serve_root(d: &Delivery) -> Option<Vec<Op>> {
    match &d.what {
        What::Start { answer, .. } => Some(vec![fulfil(*answer, Data::reference(object(MAIN, 1)))]),
        _ => None,
    }
}

/// Each message to object 1 is answered with its method's name; `make` with a new object.
fn server(log: &mut Vec<String>, d: &Delivery, next: &mut u64) -> Vec<Op> {
    if let Some(ops) = serve_root(d) {
        return ops;
    }
    for (n, _) in &d.dropped {
        log.push(format!("dropped {n}"));
    }
    let Some(m) = message(d) else { return Vec::new() };
    let name = method(&m.body);
    log.push(name.clone());
    let value = if name == "make" {
        *next += 1;
        Data::reference(object(MAIN, *next))
    } else {
        Data::string(&name)
    };
    m.answer.map(|p| fulfil(p, value)).into_iter().collect()
}

/// The promise that the host decides for import number `n`.
fn import(n: u64) -> Ref {
    Ref::Promise(promise(HOST, n))
}

fn own(n: u64) -> PromiseId {
    promise(MAIN, n)
}

#[test]
fn a_chain_of_sends_goes_out_at_once() {
    let sends = 40;
    let (mut log, mut next, mut heard) = (Vec::new(), 1, Vec::new());
    let mut vat = |i: usize, _: VatId, d: &Delivery| match (i, &d.what) {
        (0, _) => server(&mut log, d, &mut next),
        (_, What::Start { .. }) => {
            let mut ops = vec![call(to(import(1)), "make", &[], Some(own(1)))];
            ops.extend((1..sends).map(|n| call(to(Ref::Promise(own(n))), "make", &[], Some(own(n + 1)))));
            ops.push(call(to(Ref::Promise(own(sends))), "last", &[], Some(own(sends + 1))));
            ops.push(Op::Listen(own(sends + 1)));
            ops
        }
        (_, What::Notify { promise, rejected, value }) => {
            heard.push((*promise, *rejected, value.clone()));
            Vec::new()
        }
        _ => Vec::new(),
    };
    let mut w = two(&mut vat);
    w.run(0, &mut vat);
    assert_eq!((log.len() as u64, log.last().map(String::as_str)), (sends + 1, Some("last")));
    assert_eq!(heard, [(own(sends + 1), false, Data::string("last"))]);
    assert!(w.hosts.iter().all(|h| h.reports.is_empty() && h.notes.is_empty()));
    let count = |bytes: &[u8], word: &str| bytes.windows(word.len()).filter(|w| *w == word.as_bytes()).count() as u64;
    let makes: Vec<u64> = w.written.iter().filter(|b| b.0 == 1).map(|b| count(&b.1, "make")).filter(|n| *n > 0).collect();
    assert_eq!(makes, [sends], "one write holds all messages");
}

#[test]
fn what_a_peer_lets_go_is_let_go() {
    let (mut log, mut next) = (Vec::new(), 1);
    let mut got = Vec::new();
    let mut vat = |i: usize, _: VatId, d: &Delivery| match (i, &d.what) {
        (0, _) => server(&mut log, d, &mut next),
        (_, What::Start { .. }) => {
            vec![call(to(import(1)), "make", &[], Some(own(1))), Op::Listen(own(1))]
        }
        (_, What::Notify { value, .. }) => {
            got.extend(value.as_reference());
            Vec::new()
        }
        (_, What::Collect) => got.drain(..).map(|what| Op::Drop { what, recognised: false }).collect(),
        _ => Vec::new(),
    };
    let mut w = two(&mut vat);
    w.run(0, &mut vat);
    assert_eq!(w.hosts[0].node.held(MAIN), 2);
    w.step(1, Event::Idle { vat: MAIN });
    w.run(0, &mut vat);
    // the export goes with the next delivery to its vat
    w.step(0, Event::Idle { vat: MAIN });
    w.run(0, &mut vat);
    assert_eq!(w.hosts[0].node.held(MAIN), 1);
    assert_eq!(log, ["make", "dropped 2"]);
    let sessions: Vec<VatId> = w.hosts[1].node.sessions().collect();
    // the root alone is left
    assert_eq!(w.hosts[1].node.held(sessions[0]), 1, "{:?}", w.hosts[1].node.describe());
}

#[test]
fn what_a_peer_owes_is_rejected_when_the_host_restarts() {
    let mut heard = Vec::new();
    let mut vat = |i: usize, _: VatId, d: &Delivery| match (i, &d.what) {
        (0, _) => serve_root(d).unwrap_or_default(),
        (_, What::Start { .. }) => vec![call(to(import(1)), "wait", &[], Some(own(1))), Op::Listen(own(1))],
        (_, What::Notify { rejected, value, .. }) => {
            heard.push((*rejected, value.describe()));
            Vec::new()
        }
        _ => Vec::new(),
    };
    let mut w = two(&mut vat);
    w.run(0, &mut vat);
    let promises = w.hosts[1].node.promises();
    assert_eq!(w.hosts[1].node.sessions().count(), 1);
    w.restart(1);
    w.run(0, &mut vat);
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(heard[0].0 && heard[0].1.contains("restarted"), "{heard:?}");
    assert_eq!(w.hosts[0].node.sessions().count() + w.hosts[1].node.sessions().count(), 0);
    assert!(w.hosts[1].node.promises() < promises);
    // nothing of the session is held where the peer lives, but what has a sturdyref
    assert_eq!(w.hosts[0].node.exports(MAIN).iter().map(|e| e.holders.clone()).collect::<Vec<_>>(), [[HOST]]);
}

#[test]
fn an_import_that_is_under_way_is_rejected_when_the_host_restarts() {
    let mut heard = Vec::new();
    let mut vat = |i: usize, _: VatId, d: &Delivery| match (i, &d.what) {
        (0, _) => serve_root(d).unwrap_or_default(),
        (_, What::Start { .. }) => vec![Op::Listen(promise(HOST, 1))],
        (_, What::Notify { rejected, .. }) => {
            heard.push(*rejected);
            Vec::new()
        }
        _ => Vec::new(),
    };
    let mut w = two(&mut vat);
    // the connection is being made when the process dies
    w.restart(1);
    w.run(0, &mut vat);
    assert!(!heard.is_empty() && heard.iter().all(|rejected| *rejected), "{heard:?}");
}

#[test]
fn sturdyrefs_survive_and_are_revoked() {
    let mut uris = Vec::new();
    let mut n = 10;
    let mut vat = |i: usize, _: VatId, d: &Delivery| {
        let asks = |ask: NetAsk, n: u64| vec![Op::Net { ask, answer: own(n) }, Op::Listen(own(n))];
        match (i, &d.what) {
            (0, What::Start { answer, .. }) => {
                let mut ops = vec![fulfil(*answer, Data::reference(object(MAIN, 1)))];
                ops.extend(asks(NetAsk::Export(object(MAIN, 2)), 1));
                ops.extend(asks(NetAsk::ExportAs(object(MAIN, 2), b"chosen".to_vec()), 2));
                ops.extend(asks(NetAsk::ExportAs(object(MAIN, 3), b"chosen".to_vec()), 3));
                ops.extend(asks(NetAsk::Import("nonsense".to_owned()), 4));
                ops
            }
            (0, What::Notify { promise, rejected, value }) => {
                let mut r = passable::Reader::new(&value.body);
                let text = r.text().map_or_else(|_| value.describe(), |t| t.to_rust());
                uris.push((promise.n, *rejected, text));
                Vec::new()
            }
            (0, What::Message(_)) => {
                n += 1;
                {
                    let drawn: Option<&(u64, bool, String)> = uris.iter().find(|u| u.0 == 1);
                    asks(NetAsk::Revoke(drawn.expect("exported").2.clone()), n)
                }
            }
            _ => Vec::new(),
        }
    };
    let mut w = World::new(1);
    w.start(0, Vec::new());
    w.run(0, &mut vat);
    w.restart(0);
    w.run(0, &mut vat);
    assert_eq!(w.hosts[0].node.sturdyrefs().len(), 3);
    assert_eq!(w.hosts[0].node.held(MAIN), 2);
    let body = ken::codec::method_call("revoke", |_| 0);
    w.step(0, Event::Call { vat: MAIN, body, reply: 1 });
    w.run(0, &mut vat);
    let settled: std::collections::BTreeSet<(u64, bool)> = uris.iter().map(|u| (u.0, u.1)).collect();
    assert_eq!(settled, [(1, false), (2, false), (3, true), (4, true), (11, false)].into(), "{uris:?}");
    assert_eq!(w.hosts[0].node.sturdyrefs().len(), 2);
    // the chosen one still holds the object; the operator revokes it
    assert_eq!(w.hosts[0].node.held(MAIN), 2);
    let mut quiet = |_: usize, _: VatId, _: &Delivery| Vec::new();
    // the chosen name was given first: the other had to be drawn
    w.step(0, Event::Revoke { number: 1 });
    w.run(0, &mut quiet);
    w.step(0, Event::Idle { vat: MAIN });
    w.run(0, &mut quiet);
    assert_eq!(w.hosts[0].node.held(MAIN), 1, "{:?}", w.hosts[0].node.describe());
}

#[test]
fn garbage_is_looked_for_around_sessions() {
    // what only a peer holds is no garbage
    let (mut log, mut next) = (Vec::new(), 1);
    let mut vat = |i: usize, _: VatId, d: &Delivery| match (i, &d.what) {
        (_, What::Trace { .. }) => vec![Op::Reached(Vec::new())],
        (0, _) => server(&mut log, d, &mut next),
        (_, What::Start { .. }) => vec![call(to(import(1)), "make", &[], Some(own(1))), Op::Listen(own(1))],
        _ => Vec::new(),
    };
    let mut w = two(&mut vat);
    w.run(0, &mut vat);
    w.step(0, Event::Quiet);
    w.run(0, &mut vat);
    w.step(0, Event::Idle { vat: MAIN });
    w.run(0, &mut vat);
    assert_eq!(w.hosts[0].node.held(MAIN), 2, "{:?}", w.hosts[0].node.describe());
    assert_eq!(log, ["make"]);
}

#[test]
fn the_operator_ends_a_session() {
    let mut heard = Vec::new();
    let mut vat = |i: usize, _: VatId, d: &Delivery| match (i, &d.what) {
        (0, _) => serve_root(d).unwrap_or_default(),
        (_, What::Start { .. }) => vec![call(to(import(1)), "wait", &[], Some(own(1))), Op::Listen(own(1))],
        (_, What::Notify { rejected, value, .. }) => {
            heard.push((*rejected, value.describe()));
            Vec::new()
        }
        _ => Vec::new(),
    };
    let mut w = two(&mut vat);
    w.run(0, &mut vat);
    let session = w.hosts[0].node.sessions().next().expect("a session");
    // it has no turns to pause
    w.step(0, Event::Pause { vat: session });
    assert!(!w.hosts[0].node.is_paused(session));
    w.step(0, Event::Kill { vat: session });
    w.run(0, &mut vat);
    assert!(matches!(&heard[..], [(true, why)] if why.starts_with("Error: ")), "{heard:?}");
    assert_eq!(w.hosts[0].node.sessions().count() + w.hosts[1].node.sessions().count(), 0);
}

#[test]
fn a_dial_that_fails_rejects_what_waited() {
    let mut heard = Vec::new();
    let mut vat = |_: usize, _: VatId, d: &Delivery| match &d.what {
        What::Start { answer, .. } => {
            let to_answer = Op::Resolve { promise: *answer, to: Resolution::Fulfilled(Data::undefined()) };
            vec![to_answer, call(to(import(1)), "a", &[], Some(own(1))), Op::Listen(own(1))]
        }
        What::Notify { rejected, value, .. } => {
            heard.push((*rejected, value.describe()));
            Vec::new()
        }
        _ => Vec::new(),
    };
    let mut w = World::new(1);
    w.start(0, vec!["ocapn://nobody.memory/s/YQ".to_owned()]);
    w.run(0, &mut vat);
    assert!(!heard.is_empty() && heard.iter().all(|h| h.0 && h.1.contains("nobody is there")), "{heard:?}");
    assert_eq!(w.hosts[0].node.sessions().count(), 0);
    assert!(w.hosts[0].node.is_done());
}

#[test]
fn what_is_named_in_a_message_that_comes_to_nothing_is_given_back() {
    let mut dropped = Vec::new();
    let mut vat = |_: usize, _: VatId, d: &Delivery| {
        dropped.extend(d.dropped.iter().copied());
        match &d.what {
            // nobody answered the dial: the import is rejected by now
            What::Start { answer, .. } => vec![
                fulfil(*answer, Data::undefined()),
                call(to(import(1)), "a", &[object(MAIN, 7), Ref::Promise(own(8))], Some(own(1))),
                Op::Listen(own(1)),
            ],
            _ => Vec::new(),
        }
    };
    let mut w = World::new(1);
    w.start(0, vec!["ocapn://nobody.memory/s/YQ".to_owned()]);
    w.run(0, &mut vat);
    w.step(0, Event::Idle { vat: MAIN });
    w.run(0, &mut vat);
    let facts = w.hosts[0].node.describe();
    assert_eq!(w.hosts[0].node.held(MAIN), 0, "{facts:?}");
    assert!(!facts.iter().any(|f| f.starts_with("promise 1/8")), "{facts:?}");
    assert_eq!(dropped, [(7, false)]);
}

#[test]
fn a_vat_that_is_only_looked_at_hears_its_news_later() {
    let (mut log, mut next, mut got) = (Vec::new(), 1, Vec::new());
    let mut vat = |i: usize, _: VatId, d: &Delivery| match (i, &d.what) {
        (_, What::Trace { .. }) => {
            assert!(d.dropped.is_empty() && d.retired.is_empty(), "{d:?}");
            vec![Op::Reached(Vec::new())]
        }
        (0, _) => server(&mut log, d, &mut next),
        (_, What::Start { .. }) => vec![call(to(import(1)), "make", &[], Some(own(1))), Op::Listen(own(1))],
        (_, What::Notify { value, .. }) => {
            got.extend(value.as_reference());
            Vec::new()
        }
        (_, What::Collect) => got.drain(..).map(|what| Op::Drop { what, recognised: false }).collect(),
        _ => Vec::new(),
    };
    let mut w = two(&mut vat);
    w.run(0, &mut vat);
    w.step(1, Event::Idle { vat: MAIN });
    w.run(0, &mut vat);
    // the peer has let go of it; the next delivery is a search for garbage
    w.step(0, Event::Quiet);
    w.run(0, &mut vat);
    w.step(0, Event::Idle { vat: MAIN });
    w.run(0, &mut vat);
    assert_eq!(log, ["make", "dropped 2"]);
    assert_eq!(w.hosts[0].node.held(MAIN), 1);
}

/// Host 1 hands an object of host 0 to host 2, whose withdrawal comes before the gift, while host 0 looks for garbage.
#[test]
fn a_withdrawal_that_waits_is_no_garbage() {
    let (mut log, mut next, mut got, mut heard) = (Vec::new(), 1, Vec::new(), Vec::new());
    let mut vat = |i: usize, _: VatId, d: &Delivery| match (i, &d.what) {
        (_, What::Trace { .. }) => vec![Op::Reached(Vec::new())],
        (0, _) => server(&mut log, d, &mut next),
        (1, What::Start { .. }) => vec![call(to(import(1)), "make", &[], Some(own(1))), Op::Listen(own(1))],
        (1, What::Notify { value, .. }) => {
            got.extend(value.as_reference());
            Vec::new()
        }
        (1, What::Collect) => vec![call(to(import(2)), "take", &got, Some(own(2)))],
        (2, What::Message(m)) => match m.body.slots[..] {
            [Ref::Promise(p)] => vec![Op::Listen(p)],
            _ => panic!("{m:?}"),
        },
        (2, What::Notify { rejected, value, .. }) => {
            heard.push((*rejected, value.as_reference().is_some()));
            Vec::new()
        }
        _ => serve_root(d).unwrap_or_default(),
    };
    let mut w = World::new(3);
    w.start(0, Vec::new());
    w.start(2, Vec::new());
    w.run(0, &mut vat);
    let roots = [0, 2].map(|i: usize| w.hosts[i].roots[0].clone());
    w.start(1, roots.to_vec());
    w.run(0, &mut vat);
    w.step(1, Event::Idle { vat: MAIN });
    w.end_turn(1, 0, &mut vat);
    let mut searching = false;
    while let Some(end) = w.arriving().into_iter().find(|end| end.0 != 0 || w.writer(*end) == Some(2)) {
        if end.0 == 0 && !std::mem::replace(&mut searching, true) {
            w.step(0, Event::Quiet);
            assert_eq!(w.hosts[0].turns.len(), 1, "it looks for garbage");
        }
        w.arrive(end);
        while !w.hosts[2].turns.is_empty() {
            w.end_turn(2, 0, &mut vat);
        }
    }
    while !w.hosts[0].turns.is_empty() {
        w.end_turn(0, 0, &mut vat);
    }
    // now comes the gift
    w.run(0, &mut vat);
    assert!(searching);
    assert_eq!(heard, [(false, true)]);
}
