//! Hosts that do anything, by a seed: values arrive, nothing is named that is not held, and nothing is left in the end.
use super::lines::World;
use super::value::V;
use super::world::Does;
use crate::{Dialect, Framing, In};
use passable::{PromiseId, Ref};

/// What decides.
pub(crate) enum Choices<'a> {
    Seed(u64),
    /// A byte a choice; 0 when they are at their end.
    Bytes(&'a [u8]),
}

impl Choices<'_> {
    pub fn below(&mut self, n: usize) -> usize {
        match self {
            Choices::Seed(seed) => {
                *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (*seed >> 33) as usize % n
            }
            Choices::Bytes(bytes) => {
                let Some((first, rest)) = bytes.split_first() else { return 0 };
                *bytes = rest;
                *first as usize % n
            }
        }
    }
    pub fn is_over(&self) -> bool {
        matches!(self, Choices::Bytes([]))
    }
}

/// What a host's program holds.
#[derive(Default)]
struct Bag {
    refs: Vec<Ref>,
    promises: Vec<PromiseId>,
}

const NAMES: [&str; 3] = ["a", "b", "c"];

fn world(random: &mut Choices<'_>) -> World {
    let mut w = World::new(&NAMES);
    match random.below(4) {
        0 => w.dialect = Some(Dialect::B),
        1 => w.dialect = Some(Dialect::Goblins),
        2 => w.framing = Some(Framing::Length),
        _ => {}
    }
    for h in &mut w.hosts {
        h.register("echo", Does::Echo);
        h.register("first", Does::First);
        h.register("pair", Does::Pair);
        h.register("fail", Does::Fail);
    }
    w
}

/// Something to pass, of what the host holds.
fn argument(w: &mut World, bag: &Bag, host: usize, random: &mut Choices<'_>) -> V {
    match random.below(6) {
        0 => V::Num(random.below(1000) as f64),
        1 => V::Ref(w.hosts[host].object(Does::Echo)),
        2 | 3 if !bag.refs.is_empty() => V::Ref(bag.refs[random.below(bag.refs.len())]),
        4 if !bag.promises.is_empty() => V::Ref(Ref::Promise(bag.promises[random.below(bag.promises.len())])),
        _ => V::List(vec![V::Null, V::Str("x".into())]),
    }
}

fn act(w: &mut World, bags: &mut [Bag], random: &mut Choices<'_>) {
    let host = random.below(bags.len());
    match random.below(8) {
        0 => {
            let to = (host + 1 + random.below(2)) % 3;
            let swiss = ["echo", "first", "pair", "fail"][random.below(4)];
            let sturdy = crate::Sturdyref { peer: w.hosts[to].peer.clone(), swiss: swiss.as_bytes().to_vec() };
            let p = w.hosts[host].import(&sturdy.to_uri());
            bags[host].promises.push(p);
        }
        1..=4 if !bags[host].refs.is_empty() => {
            let to = bags[host].refs[random.below(bags[host].refs.len())];
            let args: Vec<V> = (0..random.below(4)).map(|_| argument(w, &bags[host], host, random)).collect();
            if random.below(4) == 0 {
                w.hosts[host].send_only(to, None, &args, None);
            } else {
                let p = w.hosts[host].call(to, None, &args);
                bags[host].promises.push(p);
            }
        }
        5 if !bags[host].promises.is_empty() => {
            let to = bags[host].promises[random.below(bags[host].promises.len())];
            let arg = argument(w, &bags[host], host, random);
            let p = w.hosts[host].call(Ref::Promise(to), None, &[arg]);
            bags[host].promises.push(p);
        }
        6 => w.run_some(random.below(3)),
        _ => learn(w, &mut bags[host], host, random),
    }
}

/// Promises that are settled give up what is in them; some of it is forgotten.
fn learn(w: &mut World, bag: &mut Bag, host: usize, random: &mut Choices<'_>) {
    for p in std::mem::take(&mut bag.promises) {
        match w.hosts[host].value(p) {
            None => bag.promises.push(p),
            Some(Ok(v)) => refs(&v, &mut bag.refs),
            Some(Err(_)) => {}
        }
    }
    bag.refs.retain(|_| random.below(4) > 0);
    let mut keep = bag.refs.clone();
    keep.extend(bag.promises.iter().map(|p| Ref::Promise(*p)));
    w.hosts[host].collect(&keep);
}

fn refs(v: &V, out: &mut Vec<Ref>) {
    match v {
        V::Ref(r @ Ref::Object(_)) => out.push(*r),
        V::List(all) => all.iter().for_each(|v| refs(v, out)),
        V::Settled(_, v) => refs(v, out),
        _ => {}
    }
}

/// What is left of sessions when all has been let go, and nothing is under way. Empty: nothing.
pub(crate) fn left_over(w: &mut World) -> String {
    for _ in 0..6 {
        for h in &mut w.hosts {
            h.give_up_pairs();
            h.collect(&[]);
        }
        w.run();
    }
    let mut left = String::new();
    for h in &w.hosts {
        if !h.ended.is_empty() {
            left.push_str(&format!("{} ended {:?}; ", h.peer, h.ended));
        }
        for s in h.captp.sessions() {
            let held = h.held_by(s.session);
            if s.exports + s.imports + s.questions + s.answers + held.len() > 0 {
                let x = h.captp.sessions.get(&s.session).expect("a session");
                left.push_str(&format!(
                    "{} about {}: {:?} {:?} {:?} {:?} {:?} {:?} {:?} held {held:?}; ",
                    h.peer, s.peer, x.imports, x.exports, x.questions, x.answers, x.objects, x.owed, x.listeners
                ));
            }
        }
    }
    left
}

/// A session machine's life: acts of three hosts, some of which are lines that break. `cuts`: there are such.
pub(crate) fn live(choices: &mut Choices<'_>, cuts: bool) {
    const MAX_ACTS: usize = 400;
    let mut w = world(choices);
    w.piece = [usize::MAX, 1, 7][choices.below(3)];
    let mut bags: Vec<Bag> = NAMES.iter().map(|_| Bag::default()).collect();
    for _ in 0..MAX_ACTS {
        if choices.is_over() {
            break;
        }
        match choices.below(if cuts { 16 } else { 13 }) {
            13 => w.cut_all(),
            14 => {
                let host = choices.below(NAMES.len());
                let session = w.hosts[host].captp.sessions().next().map(|s| s.session);
                if let Some(session) = session {
                    w.hosts[host].step(In::End { session, why: "tired".into() });
                }
            }
            15 => w.deaf = !w.deaf,
            _ => act(&mut w, &mut bags, choices),
        }
    }
    w.deaf = false;
    w.run();
    if cuts {
        w.cut_all();
        for h in &mut w.hosts {
            assert_eq!(h.captp.sessions().count(), 0);
            h.give_up_pairs();
            assert_eq!(h.open_promises(), vec![], "what is owed by sessions that ended is rejected");
        }
        let echo = w.fetch(0, 1, "echo");
        let p = w.hosts[0].call(echo, None, &[V::Num(1.0)]);
        w.run();
        assert_eq!(w.hosts[0].value(p), Some(Ok(V::List(vec![V::Num(1.0)]))));
    } else {
        let left = left_over(&mut w);
        assert!(left.is_empty(), "{left}");
    }
}

#[test]
fn nothing_is_left_when_nobody_holds_anything() {
    let mut busy = 0;
    for seed in 0..150 {
        let mut random = Choices::Seed(seed);
        let mut w = world(&mut random);
        let mut bags: Vec<Bag> = NAMES.iter().map(|_| Bag::default()).collect();
        for _ in 0..120 {
            act(&mut w, &mut bags, &mut random);
        }
        w.run();
        // all that can be answered is
        for (host, bag) in bags.iter_mut().enumerate() {
            let open = w.hosts[host].open_promises();
            assert!(bag.promises.iter().all(|p| w.hosts[host].value(*p).is_some() || open.contains(p)), "seed {seed}");
        }
        busy += w.written.len();
        let left = left_over(&mut w);
        assert!(left.is_empty(), "seed {seed}: {left}");
    }
    assert!(busy > 10_000, "{busy}");
}

#[test]
fn lines_that_break_leave_hosts_that_work() {
    for seed in 0..100 {
        let mut random = Choices::Seed(seed + 1000);
        let mut w = world(&mut random);
        let mut bags: Vec<Bag> = NAMES.iter().map(|_| Bag::default()).collect();
        for round in 0..120 {
            act(&mut w, &mut bags, &mut random);
            if round % 30 == 29 {
                if random.below(2) == 0 {
                    w.cut_all();
                    continue;
                }
                let first = w.hosts[0].captp.sessions().next().map(|s| s.session);
                if let Some(session) = first {
                    w.hosts[0].step(In::End { session, why: "tired".into() });
                }
            }
        }
        w.run();
        w.cut_all();
        for h in &mut w.hosts {
            assert_eq!(h.captp.sessions().count(), 0, "seed {seed}");
            h.give_up_pairs();
            assert_eq!(h.open_promises(), vec![], "seed {seed}: what is owed by sessions that ended is rejected");
        }
        let echo = w.fetch(0, 1, "echo");
        let p = w.hosts[0].call(echo, None, &[V::Num(1.0)]);
        w.run();
        assert_eq!(w.hosts[0].value(p), Some(Ok(V::List(vec![V::Num(1.0)]))), "seed {seed}");
    }
}
