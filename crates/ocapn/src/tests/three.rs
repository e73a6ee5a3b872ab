//! Three hosts: gifts.
use super::lines::World;
use super::value::V;
use super::world::Does;
use crate::{Dialect, Framing};
use passable::Ref;

fn three(way: Option<(Dialect, Framing)>) -> World {
    let mut w = World::new(&["gifter", "receiver", "exporter"]);
    w.dialect = way.map(|x| x.0);
    w.framing = way.map(|x| x.1);
    w.hosts[1].register("first", Does::First);
    w.hosts[1].register("note", Does::Note);
    w.hosts[1].register("greet", Does::Greet);
    w.hosts[2].register("echo", Does::Echo);
    w.hosts[2].register("note", Does::Note);
    w
}

fn ways() -> [Option<(Dialect, Framing)>; 4] {
    [None, Some((Dialect::A, Framing::Raw)), Some((Dialect::B, Framing::Length)), Some((Dialect::Goblins, Framing::Raw))]
}

#[test]
fn an_object_of_a_third_host_is_reached_there() {
    for way in ways() {
        let mut w = three(way);
        let note = w.fetch(0, 2, "note");
        let greet = w.fetch(0, 1, "greet");
        w.hosts[0].call(greet, None, &[V::Ref(note)]);
        w.run();
        assert_eq!(
            w.hosts[2].noted,
            vec![V::Str("Hello".into())],
            "{way:?}: {:?}",
            w.hosts.iter().map(|h| &h.notes).collect::<Vec<_>>()
        );
        // the receiver talks to the exporter itself
        assert_eq!(w.lines(), 3);
    }
}

#[test]
fn a_gift_comes_back_as_what_was_given() {
    for way in ways() {
        let mut w = three(way);
        let echo = w.fetch(0, 2, "echo");
        let first = w.fetch(0, 1, "first");
        let p = w.hosts[0].call(first, None, &[V::Ref(echo)]);
        w.run();
        assert_eq!(w.hosts[0].reference(p), echo, "{way:?}");
        // all tables are empty once nobody holds anything
        for _ in 0..3 {
            for h in 0..3 {
                w.hosts[h].collect(&[]);
                w.run();
            }
        }
        for h in &w.hosts {
            for s in h.captp.sessions() {
                assert_eq!((s.exports, s.imports, s.questions, s.answers), (0, 0, 0, 0), "{way:?} {}", h.peer);
                assert_eq!(h.held_by(s.session), vec![]);
            }
            assert!(h.ended.is_empty(), "{:?}", h.ended);
        }
    }
}

#[test]
fn a_gift_of_an_exporter_that_cannot_be_reached_breaks() {
    let mut w = three(None);
    let echo = w.fetch(0, 2, "echo");
    let first = w.fetch(0, 1, "first");
    w.hosts[2].peer.designator = "moved".into();
    let p = w.hosts[0].call(first, None, &[V::Ref(echo)]);
    w.run();
    assert!(matches!(w.hosts[0].value(p), Some(Err(V::Err(_, text))) if text.contains("cannot be reached")));
}

#[test]
fn a_gift_whose_gifter_goes_before_it_is_fetched_breaks() {
    let mut w = three(None);
    let echo = w.fetch(0, 2, "echo");
    let note = w.fetch(0, 1, "note");
    w.deaf = true;
    w.hosts[0].call(note, None, &[V::Ref(echo)]);
    w.run();
    let given = w.hosts[1].noted.clone();
    let V::Ref(Ref::Promise(given)) = given[0] else { panic!("{given:?}") };
    // the gifter leaves, before the receiver has dialled
    let leaving: Vec<_> = w.hosts[0].captp.sessions().map(|s| s.session).collect();
    for session in leaving {
        w.hosts[0].step(crate::In::End { session, why: "leaving".into() });
    }
    w.run();
    w.deaf = false;
    w.run();
    assert!(
        matches!(w.hosts[1].value(given), Some(Err(V::Err(_, text))) if text.contains("gifter")),
        "{:?}",
        w.hosts[1].value(given)
    );
}
