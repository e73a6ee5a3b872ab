//! Sessions over the netlayer of drses hosts: what ends them, what does not, and who is refused.
use super::value::V;
use super::world::{Does, Host};
use crate::hello::{Greeting, History};
use crate::stream::Position;
use crate::{ConnId, In, LINE, Opened, RowTable};
use passable::{PromiseId, Ref};

const HERE: usize = 0;
const THERE: usize = 1;

/// Two hosts and the connection between them.
struct Pair {
    hosts: [Host; 2],
    conns: [ConnId; 2],
    next: u64,
}

fn history(incarnation: u64, hashes: &[u8]) -> Option<History> {
    let hashes: Vec<[u8; 32]> = hashes.iter().map(|h| [*h; 32]).collect();
    Some(History { incarnation, number: hashes.len() as u64, hashes })
}

impl Pair {
    fn new(histories: [Option<History>; 2]) -> Pair {
        let hosts = ["here", "there"].map(|name| {
            let mut h = Host::new(name);
            h.peer.transport = LINE.to_owned();
            h.register("note", Does::Note);
            h.register("echo", Does::Echo);
            h
        });
        let mut p = Pair { hosts, conns: [ConnId(0); 2], next: 1 };
        for (i, history) in histories.into_iter().enumerate() {
            p.online(i, history);
        }
        p
    }

    fn online(&mut self, i: usize, history: Option<History>) {
        let here = vec![self.hosts[i].peer.clone()];
        self.hosts[i].step(In::Online { here, history });
    }

    fn open(&mut self, i: usize, dialled: Option<passable::VatId>) -> ConnId {
        let conn = ConnId(self.next);
        self.next += 1;
        let (here, other) = (self.hosts[i].peer.clone(), self.hosts[1 - i].peer.designator.clone());
        let seed = [self.next as u8; 32];
        let open = Opened { conn, dialled, here, authenticated: Some(other), dialect: None, framing: None, seed };
        self.hosts[i].step(In::Opened(open));
        conn
    }

    /// Carries dials and bytes until nothing moves.
    fn run(&mut self) {
        let mut moved = true;
        while std::mem::take(&mut moved) {
            for i in [HERE, THERE] {
                self.hosts[i].settle_down();
                if let Some((session, _)) = self.hosts[i].dials.pop() {
                    moved = true;
                    self.conns[1 - i] = self.open(1 - i, None);
                    self.conns[i] = self.open(i, Some(session));
                }
                for (conn, bytes) in std::mem::take(&mut self.hosts[i].wire) {
                    moved = true;
                    if conn == self.conns[i] {
                        let to = self.conns[1 - i];
                        self.hosts[1 - i].step(In::Received { conn: to, bytes });
                    }
                }
                for conn in std::mem::take(&mut self.hosts[i].closed) {
                    moved = true;
                    if conn == self.conns[i] {
                        let conn = self.conns[1 - i];
                        self.hosts[1 - i].step(In::Closed { conn, why: "closed".into() });
                    }
                }
            }
        }
    }

    fn cut(&mut self) {
        for i in [HERE, THERE] {
            let conn = self.conns[i];
            self.hosts[i].wire.clear();
            self.hosts[i].step(In::Closed { conn, why: "cut".into() });
        }
        // both dial; that of this side is carried
        self.hosts[THERE].dials.clear();
    }

    fn fetch(&mut self, swiss: &str) -> Ref {
        let sturdy = crate::Sturdyref { peer: self.hosts[THERE].peer.clone(), swiss: swiss.as_bytes().to_vec() };
        let p = self.hosts[HERE].import(&sturdy.to_uri());
        self.run();
        self.hosts[HERE].reference(p)
    }

    fn note(&mut self, to: Ref, n: f64) -> PromiseId {
        self.hosts[HERE].call(to, None, &[V::Num(n)])
    }
    fn received(&mut self, i: usize, text: &str) {
        let conn = self.conns[i];
        self.hosts[i].step(In::Received { conn, bytes: text.as_bytes().to_vec() });
    }
    fn sessions(&self, i: usize) -> usize {
        self.hosts[i].captp.sessions().count()
    }
}

fn durable() -> Pair {
    Pair::new([history(1, &[1, 2]), history(1, &[3])])
}

#[test]
fn what_is_sent_while_the_peer_is_away_arrives() {
    let mut p = durable();
    let note = p.fetch("note");
    p.cut();
    // as the dial that follows is not answered yet
    let answers: Vec<PromiseId> = (1..=3).map(|n| p.note(note, f64::from(n))).collect();
    assert!(answers.iter().all(|a| p.hosts[HERE].value(*a).is_none()));
    p.run();
    assert_eq!(p.hosts[THERE].noted, [1.0, 2.0, 3.0].map(V::Num));
    assert!(answers.iter().all(|a| p.hosts[HERE].value(*a).is_some()));
    assert_eq!((p.hosts[HERE].ended.len(), p.hosts[THERE].ended.len()), (0, 0));
}

#[test]
fn without_a_history_a_session_ends_with_its_connection() {
    for histories in [[None, history(1, &[1])], [history(1, &[1]), None], [None, None]] {
        let mut p = Pair::new(histories);
        let echo = p.fetch("echo");
        assert!(p.hosts.iter().all(|h| h.captp.sessions().all(|s| !s.durable)));
        p.cut();
        assert_eq!((p.hosts[HERE].ended.len(), p.hosts[THERE].ended.len()), (1, 1));
        let answer = p.note(echo, 1.0);
        assert!(matches!(p.hosts[HERE].value(answer), Some(Err(_))));
        let mut rows = 0;
        p.hosts.iter_mut().for_each(|h| h.captp.changes(&mut |(_, _, value)| rows += usize::from(value.is_some())));
        assert_eq!(rows, 0, "nothing of it is stored");
    }
}

#[test]
fn what_breaks_the_rules_of_the_stream_ends_the_session_on_both_sides() {
    for bad in ["<9'drses:ack999+>", "<10'drses:from1+>", "<9'drses:ack1+>", "<9'drses:ack1+2+>", "<3'drs>", "x"] {
        let mut p = durable();
        let note = p.fetch("note");
        p.note(note, 1.0);
        p.run();
        p.received(THERE, bad);
        assert_eq!(p.hosts[THERE].ended.len(), 1, "{bad}");
        p.run();
        assert_eq!(p.hosts[HERE].ended.len(), 1, "{bad}: {:?}", p.hosts[HERE].notes);
    }
}

#[test]
fn who_did_not_hear_the_end_is_told_it_later() {
    let mut p = durable();
    let note = p.fetch("note");
    p.cut();
    p.hosts[HERE].dials.clear();
    let session = p.hosts[THERE].captp.sessions().next().expect("a session").session;
    p.hosts[THERE].step(In::End { session, why: "forgotten".into() });
    p.hosts[THERE].dials.clear();
    let here = p.hosts[HERE].captp.sessions().next().expect("a session").session;
    p.hosts[HERE].step(In::DialFailed { session: here, why: "away".into() });
    let answer = p.note(note, 1.0);
    p.run();
    assert!(p.hosts[HERE].ended.iter().any(|e| e.1.contains("forgotten")), "{:?}", p.hosts[HERE].ended);
    assert!(matches!(p.hosts[HERE].value(answer), Some(Err(_))));
    // and may begin anew
    let note = p.fetch("note");
    p.note(note, 2.0);
    p.run();
    assert_eq!(p.hosts[THERE].noted, [V::Num(2.0)]);
}

#[test]
fn another_history_is_refused_and_nothing_ends() {
    for other in [history(1, &[9]), history(1, &[9, 8])] {
        let mut p = durable();
        p.fetch("note");
        p.cut();
        p.hosts.iter_mut().for_each(|h| h.dials.clear());
        p.online(HERE, history(1, &[1, 2, 4]));
        p.online(THERE, other.clone());
        p.hosts[THERE].dials.clear();
        let session = p.hosts[HERE].captp.sessions().next().expect("a session").session;
        p.hosts[HERE].dials = vec![(session, p.hosts[THERE].peer.clone())];
        // the refused host is dialled again later, as often as somebody carries it
        for _ in 0..3 {
            p.hosts[HERE].settle_down();
            let Some((session, _)) = p.hosts[HERE].dials.pop() else { break };
            p.conns[THERE] = p.open(THERE, None);
            p.conns[HERE] = p.open(HERE, Some(session));
            for _ in 0..4 {
                for i in [HERE, THERE] {
                    for (conn, bytes) in std::mem::take(&mut p.hosts[i].wire) {
                        if conn == p.conns[i] {
                            let to = p.conns[1 - i];
                            p.hosts[1 - i].step(In::Received { conn: to, bytes });
                        }
                    }
                }
            }
        }
        assert_eq!((p.hosts[HERE].ended.len(), p.hosts[THERE].ended.len()), (0, 0), "{other:?}");
        assert!(p.hosts[HERE].captp.sessions().all(|s| s.conn.is_none() && s.away.is_some()), "{other:?}");
        assert!(p.hosts.iter().all(|h| h.notes.iter().any(|n| n.contains("refused"))), "{other:?}");
    }
}

#[test]
fn a_peer_that_is_another_than_the_netlayer_says_is_refused() {
    let mut p = durable();
    p.conns = [ConnId(50), p.open(THERE, None)];
    let keys = crate::keys::Keys::new(&[5; 32]);
    let mut here = p.hosts[HERE].peer.clone();
    here.designator = "somebody".into();
    let position = Position { next: 1, acked: 1 };
    let g = Greeting { here, key: keys.public(), history: history(1, &[1]), session: None, position, seen: None, dial: 1 };
    let bytes = g.to_syrup(&keys);
    let conn = p.conns[THERE];
    p.hosts[THERE].step(In::Received { conn, bytes });
    assert_eq!((p.hosts[THERE].closed.clone(), p.sessions(THERE)), (vec![conn], 0));
    let told = String::from_utf8_lossy(&p.hosts[THERE].wire[0].1).into_owned();
    assert!(told.starts_with("<12'drses:refuse5'hello"), "{told}");
}

/// Over a netlayer that takes anybody's word somebody says to be a host that is known by its key.
#[test]
fn a_session_with_a_known_key_is_not_to_be_had_over_another_netlayer() {
    for away in [false, true] {
        let mut p = durable();
        let note = p.fetch("note");
        if away {
            // the dial that follows is answered later
            p.cut();
        }
        p.note(note, 1.0);
        let mut here = p.hosts[HERE].peer.clone();
        here.transport = "test".into();
        let conn = ConnId(77);
        let open = Opened { conn, dialled: None, here, authenticated: None, dialect: None, framing: None, seed: [9; 32] };
        p.hosts[HERE].step(In::Opened(open));
        let keys = crate::keys::Keys::new(&[5; 32]);
        let bytes = super::hostile::hello_of(&p.hosts[THERE].peer, &keys, "1.0", b"");
        p.hosts[HERE].step(In::Received { conn, bytes });
        p.hosts[HERE].settle_down();
        let heard: Vec<String> =
            p.hosts[HERE].wire.iter().filter(|w| w.0 == conn).map(|w| String::from_utf8_lossy(&w.1).into_owned()).collect();
        assert_eq!(heard, ["<8'op:abort34\"a peer at test says it is at noise>"], "and nothing of the session");
        assert!(p.hosts[HERE].ended.is_empty(), "{:?}", p.hosts[HERE].ended);
        p.run();
        assert_eq!(p.hosts[THERE].noted, [V::Num(1.0)], "{away}");
    }
}

#[test]
fn a_peer_that_is_away_for_long_fills_its_queue_and_then_new_messages_are_rejected() {
    let mut p = durable();
    let note = p.fetch("note");
    p.cut();
    let large = V::Str("x".repeat(4 << 20));
    let answers: Vec<PromiseId> = (0..20).map(|_| p.hosts[HERE].call(note, None, std::slice::from_ref(&large))).collect();
    let rejected = |p: &Pair| answers.iter().filter(|a| matches!(p.hosts[HERE].value(**a), Some(Err(_)))).count();
    assert_eq!(rejected(&p), 4);
    p.run();
    assert_eq!((p.hosts[THERE].noted.len(), rejected(&p)), (16, 4), "each was delivered once, or rejected");
}

#[test]
fn rows_tell_each_change_once() {
    let mut p = durable();
    let note = p.fetch("note");
    let mut rows = std::collections::BTreeMap::new();
    let mut take = |p: &mut Pair| {
        let mut told = 0;
        p.hosts[HERE].captp.changes(&mut |(table, key, value)| {
            told += 1;
            match value {
                Some(value) => drop(rows.insert((table, key.to_vec()), value.to_vec())),
                None => assert!(rows.remove(&(table, key.to_vec())).is_some()),
            }
        });
        told
    };
    assert!(take(&mut p) > 3);
    assert_eq!(take(&mut p), 0);
    p.note(note, 1.0);
    let one = take(&mut p);
    assert!((3..=8).contains(&one), "a message is a few rows: {one}");
    p.run();
    take(&mut p);
    let back = crate::Captp::restore(&mut |table: RowTable| {
        rows.iter().filter(|r| r.0.0 == table).map(|r| (r.0.1.clone(), r.1.clone())).collect()
    });
    assert_eq!(back.expect("sound").describe(), p.hosts[HERE].captp.describe());
}

/// An old copy of a store is opened; what it sends before it reaches the peer has numbers that the peer has taken from the original.
#[test]
fn a_copy_that_sent_other_messages_under_the_same_numbers_is_refused() {
    let mut p = durable();
    let note = p.fetch("note");
    let mut rows = std::collections::BTreeMap::new();
    p.hosts[HERE].captp.changes(&mut |(table, key, value)| {
        rows.extend(value.map(|v| ((table, key.to_vec()), v.to_vec())));
    });
    p.hosts[HERE].send_only(note, None, &[V::Num(1.0)], None);
    p.run();
    assert_eq!(p.hosts[THERE].noted, [V::Num(1.0)]);
    p.cut();
    p.hosts.iter_mut().for_each(|h| h.dials.clear());
    let of = |table| rows.iter().filter(|r| r.0.0 == table).map(|r| (r.0.1.clone(), r.1.clone())).collect();
    p.hosts[HERE].captp = crate::Captp::restore(&mut |table| of(table)).expect("sound rows");
    p.online(HERE, history(1, &[1, 2, 4]));
    p.hosts[HERE].dials.clear();
    p.hosts[HERE].send_only(note, None, &[V::Num(2.0)], None);
    let session = p.hosts[HERE].captp.sessions().next().expect("a session").session;
    p.hosts[HERE].dials.clear();
    p.conns[THERE] = p.open(THERE, None);
    p.conns[HERE] = p.open(HERE, Some(session));
    for _ in 0..4 {
        for i in [HERE, THERE] {
            p.hosts[i].settle_down();
            for (conn, bytes) in std::mem::take(&mut p.hosts[i].wire) {
                if conn == p.conns[i] {
                    let to = p.conns[1 - i];
                    p.hosts[1 - i].step(In::Received { conn: to, bytes });
                }
            }
        }
    }
    assert!(p.hosts[HERE].notes.iter().any(|n| n.contains("refused") && n.contains("runs twice")), "{:?}", p.hosts[HERE].notes);
    assert_eq!(p.hosts[THERE].noted, [V::Num(1.0)]);
    assert!(p.hosts[HERE].captp.sessions().all(|s| s.conn.is_none() && s.unacked.0 > 0));
}
