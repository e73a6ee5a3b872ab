//! Two hosts.
use super::lines::World;
use super::value::{V, rec, s, sym};
use super::world::{Does, VAT};
use crate::{Dialect, Framing, In};
use passable::{Ref, VatId};

const WAYS: [(Dialect, Framing); 5] = [
    (Dialect::A, Framing::Raw),
    (Dialect::B, Framing::Length),
    (Dialect::C, Framing::Length),
    (Dialect::Goblins, Framing::Raw),
    (Dialect::B, Framing::Raw),
];

fn two(way: Option<(Dialect, Framing)>) -> World {
    let mut w = World::new(&["a", "b"]);
    w.dialect = way.map(|x| x.0);
    w.framing = way.map(|x| x.1);
    for (swiss, does) in
        [("echo", Does::Echo), ("greet", Does::Greet), ("pair", Does::Pair), ("first", Does::First), ("fail", Does::Fail)]
    {
        w.hosts[1].register(swiss, does);
    }
    w
}

fn ways() -> impl Iterator<Item = Option<(Dialect, Framing)>> {
    WAYS.into_iter().map(Some).chain([None])
}

#[test]
fn every_value_comes_back_as_it_went() {
    for way in ways() {
        let mut w = two(way);
        let echo = w.fetch(0, 1, "echo");
        let own = w.hosts[0].object(Does::Note);
        let all = [
            V::Undefined,
            V::Null,
            V::Bool(true),
            V::Num(1.0),
            V::Num(-2.5e300),
            V::Num(f64::INFINITY),
            V::Big(true, vec![7, 9]),
            V::Big(false, vec![]),
            s("käse 日本 \u{1F600}"),
            s(""),
            sym("name"),
            V::List(vec![V::List(vec![]), V::Num(0.5)]),
            rec(&[("zz", V::Num(1.0)), ("port", V::Num(2.0)), ("a much longer key", V::Null)]),
            rec(&[("#bytes", s("\u{0}\u{ff}x"))]),
            rec(&[("##bytes", s("plain"))]),
            rec(&[("#tag", s("decimal")), ("payload", s("3.14"))]),
            rec(&[("#sturdyref", s("ocapn://abc.onion/s/YWJj"))]),
            V::Err("TypeError".into(), "not: so".into()),
            V::Err("Error".into(), "plain".into()),
            V::Ref(echo),
            V::Ref(own),
        ];
        let p = w.hosts[0].call(echo, None, &all);
        w.run();
        let Some(Ok(V::List(back))) = w.hosts[0].value(p) else { panic!("{way:?}: {:?}", w.hosts[0].value(p)) };
        // dicts are sorted on the wire
        let sorted = rec(&[("zz", V::Num(1.0)), ("port", V::Num(2.0)), ("a much longer key", V::Null)]);
        for (sent, back) in all.iter().zip(&back) {
            match (sent, back) {
                (V::Rec(a), V::Rec(b)) if *sent == sorted => {
                    assert!(a.len() == b.len() && a.iter().all(|x| b.contains(x)), "{back:?}");
                }
                _ => assert_eq!(sent, back, "{way:?}"),
            }
        }
        assert_eq!(all.len(), back.len());
    }
}

#[test]
fn what_cannot_be_sent_is_refused_with_its_path() {
    let mut w = two(None);
    let echo = w.fetch(0, 1, "echo");
    let own = w.hosts[0].object(Does::Note);
    for (bad, path) in [
        (rec(&[("a", V::List(vec![V::Null, rec(&[("#odd", V::Null)])]))]), "argument 1.a[1]"),
        (V::Ref(Ref::Power(passable::Power::Console)), "argument 1"),
        (V::List(vec![V::Null, rec(&[("#bytes", s("\u{100}"))])]), "argument 1[1]"),
    ] {
        // what stands before is put back
        let p = w.hosts[0].call(echo, None, &[V::Ref(own), bad.clone()]);
        w.run();
        match w.hosts[0].value(p) {
            Some(Err(V::Err(name, text))) => assert!(name == "TypeError" && text.starts_with(path), "{text}"),
            other => panic!("{bad:?}: {other:?}"),
        }
    }
    assert_eq!(w.hosts[0].captp.sessions().next().unwrap().exports, 0, "nothing was exported for them");
    let p = w.hosts[0].call(echo, None, &[V::Ref(own)]);
    w.run();
    assert_eq!(w.hosts[0].value(p), Some(Ok(V::List(vec![V::Ref(own)]))));
}

#[test]
fn messages_are_pipelined_in_one_round_trip() {
    for way in ways() {
        let mut w = two(way);
        let first = w.fetch(0, 1, "first");
        let echo = w.fetch(0, 1, "echo");
        w.written.clear();
        let p = w.hosts[0].call(first, None, &[V::Ref(echo)]);
        let q = w.hosts[0].call(Ref::Promise(p), None, &[V::Num(1.0)]);
        let bad = w.hosts[0].call(Ref::Promise(q), None, &[]);
        w.run();
        assert_eq!(w.hosts[0].value(q), Some(Ok(V::List(vec![V::Num(1.0)]))), "{way:?}");
        assert!(matches!(w.hosts[0].value(bad), Some(Err(_))), "a list is not called");
        let turns = w.written.windows(2).filter(|x| x[0].0 == 0 && x[1].0 == 1).count();
        assert_eq!(turns, 1, "one answer, and what is given back after it: {way:?}");
    }
}

#[test]
fn a_rejection_reaches_all_that_was_pipelined() {
    let mut w = two(None);
    let fail = w.fetch(0, 1, "fail");
    let p = w.hosts[0].call(fail, None, &[]);
    let q = w.hosts[0].call(Ref::Promise(p), Some("m"), &[]);
    let r = w.hosts[0].call(Ref::Promise(q), Some("m"), &[]);
    w.run();
    for p in [p, q, r] {
        assert_eq!(w.hosts[0].value(p), Some(Err(V::Err("TypeError".into(), "no".into()))));
    }
}

#[test]
fn promises_are_values_and_are_told_later() {
    for way in ways() {
        for method in ["fulfill", "break"] {
            let mut w = two(way);
            let pair = w.fetch(0, 1, "pair");
            let p = w.hosts[0].call(pair, None, &[]);
            w.run();
            let Some(Ok(V::List(both))) = w.hosts[0].value(p) else { panic!("{:?}", w.hosts[0].value(p)) };
            let (V::Ref(Ref::Promise(promise)), V::Ref(resolver)) = (&both[0], &both[1]) else { panic!("{both:?}") };
            let (promise, resolver) = (*promise, *resolver);
            assert_eq!(w.hosts[0].value(promise), None);
            let pipelined = w.hosts[0].call(Ref::Promise(promise), Some("x"), &[]);
            w.run();
            assert_eq!(w.hosts[0].value(pipelined), None);
            w.hosts[0].call(resolver, None, &[sym(method), s("ok")]);
            w.run();
            let expected = if method == "break" { Err(s("ok")) } else { Ok(s("ok")) };
            assert_eq!(w.hosts[0].value(promise), Some(expected), "{way:?}");
            assert!(matches!(w.hosts[0].value(pipelined), Some(Err(_))));
        }
    }
}

#[test]
fn a_promise_of_ours_is_told_to_the_peer() {
    // a promise of host 0 goes to host 1 and comes back as an answer
    let mut w = two(None);
    let pair = w.hosts[0].object(Does::Pair);
    let first = w.fetch(0, 1, "first");
    let p = w.hosts[0].call(pair, None, &[]);
    let Some(Ok(V::List(both))) = w.hosts[0].value(p) else { panic!() };
    let back = w.hosts[0].call(first, None, &[both[0].clone()]);
    w.run();
    assert_eq!(w.hosts[0].value(back), None);
    let V::Ref(resolver) = both[1] else { panic!() };
    w.hosts[0].call(resolver, None, &[s("fulfill"), V::Num(5.0)]);
    w.run();
    assert_eq!(w.hosts[0].value(back), Some(Ok(V::Num(5.0))));
    // one that is settled when it is sent
    let settled = V::Settled(false, Box::new(V::List(vec![V::Num(6.0), V::Ref(first)])));
    let back = w.hosts[0].call(first, None, std::slice::from_ref(&settled));
    w.run();
    assert_eq!(w.hosts[0].value(back), Some(Ok(V::List(vec![V::Num(6.0), V::Ref(first)]))));
    let settled = V::Settled(true, Box::new(s("broken")));
    let back = w.hosts[0].call(first, None, &[settled]);
    w.run();
    assert_eq!(w.hosts[0].value(back), Some(Err(s("broken"))));
}

#[test]
fn properties_are_read_where_the_dialect_has_it() {
    for way in ways() {
        let mut w = two(way);
        let first = w.fetch(0, 1, "first");
        let p = w.hosts[0].call(first, None, &[rec(&[("x", V::Num(3.0))])]);
        let x = w.hosts[0].get(Ref::Promise(p), "x");
        w.run();
        let value = w.hosts[0].value(x);
        match way {
            // the strict small node of the tests performs nothing on data; the peer's session does once it has been told
            Some((Dialect::B | Dialect::C, _)) => assert!(matches!(value, Some(Err(V::Err(..))) | Some(Ok(_))), "{value:?}"),
            _ => assert!(matches!(value, Some(Err(V::Err(name, _))) if name == "TypeError")),
        }
    }
}

#[test]
fn what_is_not_held_is_given_back_with_all_its_counts() {
    for way in ways() {
        let mut w = two(way);
        let echo = w.fetch(0, 1, "echo");
        let own = w.hosts[0].object(Does::Note);
        for n in [1, 4, 2] {
            let p = w.hosts[0].call(echo, None, &vec![V::Ref(own); n]);
            w.run();
            assert_eq!(w.hosts[0].value(p), Some(Ok(V::List(vec![V::Ref(own); n]))));
        }
        w.hosts[1].collect(&[]);
        w.run();
        w.hosts[0].collect(&[echo]);
        w.run();
        let (a, b) = (w.hosts[0].captp.sessions().next().unwrap(), w.hosts[1].captp.sessions().next().unwrap());
        assert_eq!((a.exports, a.imports, a.questions, a.answers), (0, 1, 0, 0), "{way:?}");
        assert_eq!((b.exports, b.imports, b.questions, b.answers), (1, 0, 0, 0), "{way:?}");
        assert_eq!(w.hosts[0].held_by(a.session), vec![]);
        w.hosts[0].collect(&[]);
        w.run();
        let b = w.hosts[1].captp.sessions().next().unwrap();
        assert_eq!((b.exports, b.imports), (0, 0), "{way:?}");
        assert_eq!(w.hosts[1].held_by(b.session), vec![]);
        assert!(w.hosts[0].ended.is_empty() && w.hosts[1].ended.is_empty());
    }
}

/// An answer that is an object of the asking peer, which nobody here holds, can still be sent to.
#[test]
fn an_answer_keeps_what_it_is() {
    for way in ways() {
        let mut w = two(way);
        let first = w.fetch(0, 1, "first");
        let own = w.hosts[0].object(Does::Note);
        let p = w.hosts[0].call(first, None, &[V::Ref(own)]);
        // host 1 answers and forgets, and host 0 has not heard of it
        w.run_some(0);
        w.hosts[1].collect(&[]);
        w.hosts[0].send_only(Ref::Promise(p), None, &[V::Num(1.0)], None);
        w.run_some(0);
        w.hosts[1].collect(&[]);
        w.run();
        assert_eq!(w.hosts[0].noted, vec![V::Num(1.0)], "{way:?}: {:?}", w.hosts[1].notes);
        for _ in 0..2 {
            w.hosts[0].collect(&[]);
            w.hosts[1].collect(&[]);
            w.run();
        }
        for h in &w.hosts {
            let s = h.captp.sessions().next().unwrap();
            assert_eq!((s.exports, s.imports, s.questions, s.answers), (0, 0, 0, 0), "{way:?}");
        }
    }
}

#[test]
fn a_greeting_has_an_answer() {
    for way in ways() {
        let mut w = two(way);
        let greet = w.fetch(0, 1, "greet");
        let own = w.hosts[0].object(Does::Echo);
        let p = w.hosts[0].call(greet, None, &[V::Ref(own)]);
        w.run();
        assert_eq!(w.hosts[0].value(p), Some(Ok(V::List(vec![s("Hello")]))), "{way:?}");
    }
}

#[test]
fn messages_that_want_no_answer_arrive() {
    for way in ways() {
        let mut w = two(way);
        let r = w.hosts[1].register("note", Does::Note);
        let _ = r;
        let note = w.fetch(0, 1, "note");
        for i in 0..3 {
            w.hosts[0].send_only(note, Some("m"), &[V::Num(i as f64)], None);
        }
        w.run();
        let expected: Vec<V> = (0..3).flat_map(|i| [sym("m"), V::Num(i as f64)]).collect();
        assert_eq!(w.hosts[1].noted, expected, "{way:?}");
        assert_eq!(w.hosts[0].captp.sessions().next().unwrap().questions, 0);
    }
}

#[test]
fn bytes_may_come_in_any_pieces() {
    for way in ways() {
        for piece in [1, 2, 7] {
            let mut w = two(way);
            w.piece = piece;
            let echo = w.fetch(0, 1, "echo");
            let p = w.hosts[0].call(echo, None, &[s("abc")]);
            w.run();
            assert_eq!(w.hosts[0].value(p), Some(Ok(V::List(vec![s("abc")]))));
        }
    }
}

#[test]
fn both_dial_and_one_session_is_left() {
    for order in [[0, 1], [1, 0]] {
        let mut w = two(None);
        w.hosts[0].register("echo", Does::Echo);
        w.deaf = true;
        let uri = |w: &World, i: usize| crate::Sturdyref { peer: w.hosts[i].peer.clone(), swiss: b"echo".to_vec() }.to_uri();
        let promises: Vec<_> = order
            .into_iter()
            .map(|i| {
                let uri = uri(&w, 1 - i);
                (i, w.hosts[i].import(&uri))
            })
            .collect();
        w.deaf = false;
        w.run();
        assert_eq!(w.lines(), 1, "{:?}", w.hosts[0].notes);
        for (i, p) in promises {
            let echo = w.hosts[i].reference(p);
            let q = w.hosts[i].call(echo, None, &[V::Num(i as f64)]);
            w.run();
            assert_eq!(w.hosts[i].value(q), Some(Ok(V::List(vec![V::Num(i as f64)]))));
        }
        for h in &w.hosts {
            assert!(h.ended.is_empty(), "{:?}", h.ended);
            assert_eq!(h.captp.sessions().count(), 1);
        }
    }
}

#[test]
fn a_connection_that_ends_breaks_what_was_owed() {
    let mut w = two(None);
    let pair = w.fetch(0, 1, "pair");
    let p = w.hosts[0].call(pair, None, &[]);
    w.run();
    let Some(Ok(V::List(both))) = w.hosts[0].value(p) else { panic!() };
    let V::Ref(Ref::Promise(promise)) = both[0] else { panic!() };
    w.cut_all();
    match w.hosts[0].value(promise) {
        Some(Err(V::Err(_, text))) => assert!(text.contains("the connection ended") && text.contains("b.test"), "{text}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(w.hosts[0].captp.sessions().count() + w.hosts[1].captp.sessions().count(), 0);
    let q = w.hosts[0].call(pair, None, &[]);
    w.run();
    assert!(matches!(w.hosts[0].value(q), Some(Err(_))));
    // and again, in a new session
    let again = w.fetch(0, 1, "pair");
    assert_ne!(again, pair);
}

#[test]
fn a_peer_that_comes_again_has_lost_its_session() {
    let mut w = two(None);
    w.hosts[0].register("x", Does::Echo);
    w.fetch(0, 1, "echo");
    // host 1's side does not hear that the line broke
    let session = w.hosts[0].captp.sessions().next().unwrap();
    w.hosts[0].step(In::Closed { conn: session.conn.unwrap(), why: "reset".into() });
    let echo = w.fetch(0, 1, "echo");
    assert_eq!(w.hosts[1].captp.sessions().count(), 1);
    assert!(w.hosts[1].ended[0].1.contains("new session"), "{:?}", w.hosts[1].ended);
    let p = w.hosts[0].call(echo, None, &[]);
    w.run();
    assert_eq!(w.hosts[0].value(p), Some(Ok(V::List(vec![]))));
}

#[test]
fn what_cannot_be_reached_is_said() {
    let mut w = two(None);
    let p = w.hosts[0].import("ocapn://nobody.test/s/YWJj");
    let q = w.hosts[0].call(Ref::Promise(p), Some("m"), &[]);
    w.run();
    for p in [p, q] {
        assert!(matches!(w.hosts[0].value(p), Some(Err(V::Err(_, text))) if text.contains("cannot be reached: nobody is there")));
    }
    let p = w.hosts[0].import("ocapn://x");
    assert!(matches!(w.hosts[0].value(p), Some(Err(V::Err(name, _))) if name == "TypeError"));
    let uri = crate::Sturdyref { peer: w.hosts[1].peer.clone(), swiss: b"unknown".to_vec() }.to_uri();
    let p = w.hosts[0].import(&uri);
    w.run();
    assert!(matches!(w.hosts[0].value(p), Some(Err(V::Err(_, text))) if text.contains("swissnum")));
}

/// What is pipelined to a promise that becomes an object of ours arrives before what is sent when that is known.
#[test]
fn nothing_overtakes_what_was_pipelined() {
    for way in ways() {
        let mut w = two(way);
        let first = w.fetch(0, 1, "first");
        let note = w.hosts[0].object(Does::Note);
        let p = w.hosts[0].call(first, None, &[V::Ref(note)]);
        for i in 0..3 {
            w.hosts[0].send_only(Ref::Promise(p), None, &[V::Num(i as f64)], None);
        }
        // host 1 answers, and before what it sends on arrives more is sent
        let mut sent = 3;
        while sent < 20 {
            w.hosts[0].send_only(Ref::Promise(p), None, &[V::Num(sent as f64)], None);
            sent += 1;
            if sent % 4 == 0 {
                w.run();
            }
        }
        w.run();
        let expected: Vec<V> = (0..20).map(|i| V::Num(i as f64)).collect();
        assert_eq!(w.hosts[0].noted, expected, "{way:?}");
        assert_eq!(w.hosts[0].reference(p), note);
        w.hosts[0].send_only(Ref::Promise(p), None, &[V::Num(20.0)], None);
        assert_eq!(w.hosts[0].noted.len(), 21, "it is reached directly");
    }
}

#[test]
fn our_bootstrap_and_resolvers_may_come_back() {
    let mut w = two(None);
    let first = w.fetch(0, 1, "first");
    assert!(matches!(first, Ref::Object(o) if o.vat != VAT && o.vat != VatId(0)));
    let session = w.hosts[0].captp.sessions().next().unwrap().session;
    w.hosts[0].step(In::End { session, why: "enough".into() });
    w.run();
    assert!(w.hosts[1].ended[0].1.contains("enough"));
    assert_eq!(w.lines(), 0);
}
