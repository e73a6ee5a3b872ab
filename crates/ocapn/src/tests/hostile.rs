//! One machine against bytes made by hand.
use super::lines::World;
use super::value::V;
use super::world::Does;
use crate::keys::{self, Keys};
use crate::{ConnId, In, Peer};
use passable::Ref;
use passable::syrup::Writer;

fn hello(keys: &Keys, version: &str, sign: &[u8]) -> Vec<u8> {
    hello_of(&Peer { transport: "test".into(), designator: "mallory".into(), hints: None }, keys, version, sign)
}

/// What a peer that says it is there says first.
pub(super) fn hello_of(peer: &Peer, keys: &Keys, version: &str, sign: &[u8]) -> Vec<u8> {
    let mut w = Writer::new();
    w.record("op:start-session");
    w.string(version);
    w.raw(&keys.record);
    peer.write(&mut w);
    let location = keys::my_location(&peer.to_syrup());
    keys::write_signature(&mut w, &keys.sign(if sign.is_empty() { &location } else { sign }));
    w.end();
    w.done()
}

fn world() -> World {
    let mut w = World::new(&["a"]);
    w.hosts[0].register("echo", Does::Echo);
    w.hosts[0].register("pair", Does::Pair);
    w.hosts[0].register("greet", Does::Greet);
    w
}

/// A connection on which these bytes come.
fn conn(w: &mut World, bytes: &[u8]) -> ConnId {
    let conn = w.open(0, None);
    say(w, conn, bytes);
    conn
}

fn say(w: &mut World, conn: ConnId, bytes: &[u8]) {
    w.hosts[0].step(In::Received { conn, bytes: bytes.to_vec() });
}

fn heard(w: &mut World) -> String {
    w.hosts[0].settle_down();
    std::mem::take(&mut w.hosts[0].wire).iter().map(|x| String::from_utf8_lossy(&x.1).into_owned()).collect()
}

const FETCH: &str = "<10'op:deliver<11'desc:export0+>[5'fetch4:echo]f<18'desc:import-object0+>>";

#[test]
fn hellos_that_are_refused() {
    let keys = Keys::new(&[7; 32]);
    let good = hello(&keys, "1.0", b"");
    for (bytes, why) in [
        (hello(&keys, "2.0", b""), "version"),
        (hello(&keys, "1.0", b"other"), "signature"),
        (b"<8'op:abort3\"bye>".to_vec(), ""),
        (FETCH.as_bytes().to_vec(), "before the hello"),
        (b"<5'hello>".to_vec(), "before the hello"),
        (b"hello".to_vec(), "malformed"),
        (vec![b'['; 100], "malformed"),
        ([b"<16'op:start-session".to_vec(), vec![b't'; 70_000]].concat(), "too many bytes"),
        (b"<16'op:start-session3\"1.0[]tt>".to_vec(), "malformed"),
        ([&good[..], &good[..]].concat(), "a second hello"),
    ] {
        let mut w = world();
        let c = conn(&mut w, &bytes);
        let heard = heard(&mut w);
        assert_eq!(heard.contains("op:abort"), !why.is_empty(), "{heard}");
        assert!(heard.contains(why), "{heard}");
        assert_eq!(w.hosts[0].closed, vec![c]);
        assert_eq!(w.hosts[0].captp.sessions().count(), 0);
        // nothing is answered any more
        say(&mut w, c, &good);
        assert_eq!(super::hostile::heard(&mut w), "");
    }
}

#[test]
fn a_peer_may_not_mirror_our_hello_nor_claim_another_designator() {
    let mut w = World::new(&["a", "b"]);
    w.deaf = true;
    w.hosts[0].import("ocapn://b.test/s/YWJj");
    let (session, _) = w.hosts[0].dials.remove(0);
    let c = w.open(0, Some(session));
    let ours = heard(&mut w);
    say(&mut w, c, ours.as_bytes());
    // the bytes are not all text: the mirror is taken as it is
    assert!(heard(&mut w).contains("op:abort"));

    let mut w = world();
    let here = w.hosts[0].peer.clone();
    let open = crate::Opened {
        conn: ConnId(99),
        dialled: None,
        here,
        authenticated: Some("somebody".into()),
        dialect: None,
        framing: None,
        seed: [3; 32],
    };
    w.hosts[0].step(In::Opened(open));
    say(&mut w, ConnId(99), &hello(&Keys::new(&[7; 32]), "1.0", b""));
    assert!(heard(&mut w).contains("the peer is not mallory"));
}

#[test]
fn messages_that_end_their_session_and_no_other() {
    let cases: &[(&str, &str)] = &[
        ("<7'unknown>", "is not known"),
        ("<10'op:deliver>", "is not known"),
        ("<10'op:deliver<11'desc:export9+>[]ff>", "nothing is exported at the position 9"),
        ("<10'op:deliver<11'desc:answer9+>[]ff>", "no answer has the position 9"),
        ("<10'op:deliver<18'desc:import-object0+>[]ff>", "nothing that can be sent to"),
        ("<10'op:deliver<11'desc:export1+>3\"argff>", "malformed"),
        ("<10'op:deliver<11'desc:export1+>[<11'desc:export77+>]ff>", "nothing is exported at the position 77"),
        ("<10'op:deliver<11'desc:export1+>[<11'desc:answer77+>]ff>", "no answer has the position 77"),
        (
            "<10'op:deliver<11'desc:export1+>[<18'desc:import-object5+><19'desc:import-promise5+>]ff>",
            "for an object and for a promise",
        ),
        ("<10'op:deliver<11'desc:export1+>[]0+<11'desc:export0+>>", "no object that could be a resolver"),
        ("<10'op:deliver<11'desc:export1+>[]1-f>", "malformed"),
        ("<10'op:deliver<11'desc:export1+>[]99999999999999999999+f>", "malformed"),
        ("<10'op:deliver<11'desc:export1+>[]3+f><10'op:deliver<11'desc:export1+>[]3+f>", "the answer position 3 is in use"),
        ("<10'op:deliver<11'desc:export1+>[<3'odd1+>]ff>", "is not known"),
        ("<10'op:deliver<11'desc:export1+>[#t$]ff>", "a set is no value"),
        ("<10'op:deliver<11'desc:export1+>[{1+t}]ff>", "malformed"),
        ("<10'op:deliver<11'desc:export1+>[{1\"bt1\"at}]ff>", "keys that are not in order"),
        ("<10'op:deliver<11'desc:export1+>[F1234]ff>", "unexpected byte"),
        ("<12'op:gc-export[1+][2+]>", "was not sent 2 times"),
        ("<12'op:gc-export[1+][0+]>", "was not sent 0 times"),
        ("<12'op:gc-export[9+][1+]>", "was not sent 1 times"),
        ("<12'op:gc-export[1+1+][1+1+]>", "was not sent 1 times"),
        ("<12'op:gc-export[1+][]>", "different lengths"),
        ("<13'op:gc-answers[4+]>", "no answer has the position 4"),
        ("<9'op:listen<11'desc:export1+>f>", "without a resolver"),
        ("<9'op:listen<11'desc:export1+><18'desc:import-object1+>3\"yes>", "malformed"),
        ("<6'op:get<11'desc:export1+>1+2+>", "malformed"),
        ("<10'op:deliver<11'desc:export0+>[5'fetch1+]ff>", "malformed"),
        ("<10'op:deliver<11'desc:export0+>[13'withdraw-gift1+]ff>", "malformed"),
        ("<10'op:deliver<11'desc:export0+>[12'deposit-giftt<11'desc:export1+>]ff>", "malformed"),
        ("<10'op:deliver<11'desc:export1+>[<17'desc:sig-envelopett>]ff>", "malformed"),
        ("<16'op:start-session>", "a second hello"),
        ("}", "unexpected byte"),
        ("99999999:", "too many bytes"),
        ("<10'op:deliver99999999999:", "too many bytes"),
    ];
    for (bytes, why) in cases {
        let mut w = world();
        let good = conn(&mut w, &hello(&Keys::new(&[8; 32]), "1.0", b""));
        // another peer, whose session goes on
        let other = Peer { transport: "test".into(), designator: "other".into(), hints: None };
        let keys = Keys::new(&[9; 32]);
        let mut h = Writer::new();
        h.record("op:start-session");
        h.string("1.0");
        h.raw(&keys.record);
        other.write(&mut h);
        keys::write_signature(&mut h, &keys.sign(&keys::my_location(&other.to_syrup())));
        h.end();
        let bystander = conn(&mut w, &h.done());
        say(&mut w, good, FETCH.as_bytes());
        let _ = heard(&mut w);
        say(&mut w, good, bytes.as_bytes());
        let text = heard(&mut w);
        assert!(text.contains("op:abort") && text.contains(why), "{bytes}: {text}");
        assert_eq!(w.hosts[0].closed, vec![good], "{bytes}");
        assert_eq!(w.hosts[0].ended.len(), 1);
        say(&mut w, bystander, FETCH.as_bytes());
        assert!(heard(&mut w).contains("fulfill"), "{bytes}");
    }
}

#[test]
fn a_promise_is_resolved_once() {
    let mut w = world();
    let c = conn(&mut w, &hello(&Keys::new(&[8; 32]), "1.0", b""));
    say(&mut w, c, b"<10'op:deliver<11'desc:export0+>[5'fetch5:greet]f<18'desc:import-object0+>>");
    say(&mut w, c, b"<15'op:deliver-only<11'desc:export1+>[<18'desc:import-object1+>]>");
    let text = heard(&mut w);
    // the greeting: answer 2, resolver 3 (the answer to fetch took one, for want of a better known form)
    assert!(text.contains("<10'op:deliver<11'desc:export1+>[5\"Hello]2+<18'desc:import-object3+>>"), "{text}");
    for (args, why) in [("[7'fulfill]", "1 arguments"), ("[3'odd1+]", "neither"), ("[]", "neither")] {
        let mut w2 = world();
        let c = conn(&mut w2, &hello(&Keys::new(&[8; 32]), "1.0", b""));
        say(&mut w2, c, b"<10'op:deliver<11'desc:export0+>[5'fetch5:greet]f<18'desc:import-object0+>>");
        say(&mut w2, c, b"<15'op:deliver-only<11'desc:export1+>[<18'desc:import-object1+>]>");
        let _ = heard(&mut w2);
        say(&mut w2, c, format!("<15'op:deliver-only<11'desc:export3+>{args}>").as_bytes());
        let text = heard(&mut w2);
        assert!(text.contains("op:abort") && text.contains(why), "{text}");
    }
    say(&mut w, c, b"<15'op:deliver-only<11'desc:export3+>[7'fulfill4\"Good]>");
    let text = heard(&mut w);
    assert!(text.contains("<12'op:gc-answer[2+]>"), "{text}");
    say(&mut w, c, b"<15'op:deliver-only<11'desc:export3+>[7'fulfill4\"Good]>");
    assert!(heard(&mut w).contains("resolved twice"));
}

/// What is written before it is known what the peer knows, and after.
#[test]
fn the_peer_is_written_to_as_it_writes() {
    let fetch = |n: u32| format!("<10'op:deliver<11'desc:export0+>[5'fetch4:echo]f<18'desc:import-object{n}+>>");
    let mut w = world();
    let c = conn(&mut w, &hello(&Keys::new(&[8; 32]), "1.0", b""));
    say(&mut w, c, fetch(0).as_bytes());
    let text = heard(&mut w);
    let value = "[7'fulfill<18'desc:import-object1+>]";
    assert!(
        text.contains(&format!("<10'op:deliver<11'desc:export0+>{value}f<18'desc:import-object2+>><12'op:gc-export[0+][1+]>")),
        "{text}"
    );
    for (says, told, given_back) in [
        (
            "<10'op:deliver<11'desc:export1+>[]ff>",
            "<10'op:deliver<11'desc:export3+>[7'fulfill<18'desc:import-object1+>]ff>",
            "<12'op:gc-export[3+][1+]>",
        ),
        (
            "<15'op:deliver-only<11'desc:export1+>[]>",
            "<15'op:deliver-only<11'desc:export3+>[7'fulfill<18'desc:import-object1+>]>",
            "<12'op:gc-export[3+]",
        ),
        (
            "<13'op:gc-exports[1+][1+]>",
            "<10'op:deliver<11'desc:export3+>[7'fulfill<18'desc:import-object3+>]ff>",
            "<13'op:gc-exports[3+]",
        ),
    ] {
        let mut w = world();
        let c = conn(&mut w, &hello(&Keys::new(&[8; 32]), "1.0", b""));
        say(&mut w, c, fetch(0).as_bytes());
        let _ = heard(&mut w);
        say(&mut w, c, says.as_bytes());
        let _ = heard(&mut w);
        say(&mut w, c, fetch(3).as_bytes());
        let text = heard(&mut w);
        assert!(text.contains(told) && text.contains(given_back), "{says}: {text}");
    }
}

/// `x[0]` and `x['0']` are one to a program.
#[test]
fn parts_are_asked_for_by_index_or_by_name() {
    for (key, wire) in [
        ("0", "<8'op:index<11'desc:answer1+>0+2+>"),
        ("12", "<8'op:index<11'desc:answer1+>12+2+>"),
        ("01", "<6'op:get<11'desc:answer1+>2\"012+>"),
        ("name", "<6'op:get<11'desc:answer1+>4\"name2+>"),
    ] {
        let mut w = world();
        w.dialect = Some(crate::Dialect::B);
        let c = conn(&mut w, &hello(&Keys::new(&[8; 32]), "1.0", b""));
        let p = w.hosts[0].import("ocapn://mallory.test/s/YWJj");
        w.hosts[0].get(Ref::Promise(p), key);
        let text = heard(&mut w);
        assert!(text.contains(wire) && text.contains("<9'op:listen<11'desc:answer2+>"), "{text}");
        assert!(!w.hosts[0].closed.contains(&c));
    }
}

/// Any bytes, and good messages with wrong bytes in them: the session goes on or ends, and the next one works.
#[test]
fn any_bytes() {
    let mut seed = 3u64;
    let mut random = move |n: usize| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize % n
    };
    let good: Vec<&[u8]> = vec![
        FETCH.as_bytes(),
        b"<10'op:deliver<11'desc:export0+>[5'fetch4:pair]0+<18'desc:import-object1+>>",
        b"<10'op:deliver<11'desc:answer0+>[]1+<18'desc:import-object2+>>",
        b"<10'op:deliver<11'desc:export1+>[1+2-D\0\0\0\0\0\0\0\0\x03\"abc{1\"at2\"bb[]}<18'desc:import-object3+><19'desc:import-promise4+>]2+f>",
        b"<9'op:listen<11'desc:answer2+><18'desc:import-object5+>f>",
        b"<15'op:deliver-only<11'desc:export2+>[7'fulfill<19'desc:import-promise4+>]>",
        b"<12'op:gc-export[1+][1+]>",
        b"<12'op:gc-answer[0+]>",
        b"<6'op:get<11'desc:answer2+>3\"abc7+>",
        b"<10'op:deliver<11'desc:export0+>[12'deposit-gift2:id<11'desc:export1+>]ff>",
        b"<8'op:abort3\"bye>",
    ];
    let letters = b"<>[]{}0123456789+-'\":tfD ab\xff";
    let (mut live, mut ended) = (0, 0);
    let mut w = world();
    for round in 0..3000 {
        let c = conn(&mut w, &hello(&Keys::new(&[8; 32]), "1.0", b""));
        for _ in 0..random(8) {
            let mut bytes = good[random(good.len())].to_vec();
            for _ in 0..random(3) {
                let at = random(bytes.len());
                match random(3) {
                    0 => bytes[at] = letters[random(letters.len())],
                    1 => bytes.insert(at, letters[random(letters.len())]),
                    _ => {
                        bytes.remove(at);
                    }
                }
            }
            say(&mut w, c, &bytes);
        }
        let h = &mut w.hosts[0];
        h.wire.clear();
        h.dials.clear();
        if h.closed.contains(&c) {
            ended += 1
        } else {
            live += 1
        }
        h.closed.clear();
        if round % 50 == 0 {
            h.collect(&[]);
        }
        h.step(In::Closed { conn: c, why: "over".into() });
        assert_eq!(h.captp.sessions().filter(|s| s.conn.is_some()).count(), 0);
    }
    assert!(live > 200 && ended > 200, "{live} {ended}");
    let c = conn(&mut w, &hello(&Keys::new(&[8; 32]), "1.0", b""));
    say(&mut w, c, FETCH.as_bytes());
    assert!(heard(&mut w).contains("fulfill"));
    assert!(w.hosts[0].noted.iter().all(|v| *v != V::Null));
}

#[test]
fn messages_that_never_end_take_no_more_than_is_set_aside_for_all() {
    let mut w = world();
    let good = conn(&mut w, &hello(&Keys::new(&[8; 32]), "1.0", b""));
    let size = crate::MAX_MESSAGE_BYTES - 1000;
    let begun = [format!("<10'op:deliver<11'desc:export0+>[{size}:").into_bytes(), vec![b'x'; size - 1]].concat();
    let most = crate::MAX_UNFINISHED_BYTES / begun.len();
    for n in 0..most + 3 {
        let peer = Peer { transport: "test".into(), designator: format!("mallory {n}"), hints: None };
        let bytes = hello_of(&peer, &Keys::new(&[n as u8 + 10; 32]), "1.0", b"");
        let c = conn(&mut w, &bytes);
        say(&mut w, c, &begun);
    }
    assert!(heard(&mut w).contains("messages of all peers that are not whole"));
    assert_eq!(w.hosts[0].closed.len(), 3, "those that were too many");
    say(&mut w, good, FETCH.as_bytes());
    assert!(heard(&mut w).contains("fulfill"), "others do not notice");
}
