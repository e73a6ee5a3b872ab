//! Hosts with small nodes of their own.
//!
//! A host's node is strict where the real one is: a session may name only what it holds, and decides only its own promises.
use super::value::{V, body, parts};
use crate::{Captp, ConnId, Home, In, Out, Peer};
use passable::{Data, Delivery, Message, ObjectId, Op, PromiseId, Ref, Resolution, Target, VatId, What};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The vat of a host's own objects.
pub const VAT: VatId = VatId(1);
const NOBODY: VatId = VatId(u32::MAX);

/// What an object does with a message.
#[derive(Clone, Debug)]
pub enum Does {
    /// Answers the list of its arguments.
    Echo,
    /// Calls its first argument with "Hello", and answers what that answers.
    Greet,
    /// Answers a promise and its resolver.
    Pair,
    Resolver(PromiseId),
    /// Notes its arguments.
    Note,
    /// Answers its first argument.
    First,
    Fail,
}

#[derive(Debug)]
enum State {
    Pending,
    Forwarded(PromiseId),
    Settled(bool, Data),
}

#[derive(Debug)]
struct Prom {
    decider: VatId,
    state: State,
    waiting: Vec<(VatId, Message)>,
    listeners: BTreeSet<VatId>,
}

pub struct Host {
    pub captp: Captp,
    pub peer: Peer,
    pub home: Names,
    objects: BTreeMap<u64, Does>,
    next: u64,
    holders: BTreeMap<VatId, BTreeSet<Ref>>,
    named: BTreeSet<ObjectId>,
    promises: BTreeMap<PromiseId, Prom>,
    todo: VecDeque<(VatId, What)>,
    /// Arguments of `Does::Note`.
    pub noted: Vec<V>,
    pub notes: Vec<String>,
    pub ended: Vec<(VatId, String)>,
    pub dials: Vec<(VatId, Peer)>,
    pub wire: Vec<(ConnId, Vec<u8>)>,
    pub closed: Vec<ConnId>,
    /// Messages handed over to sessions as to be pipelined.
    pub pipelined: usize,
}

#[derive(Default)]
pub struct Names {
    next: u32,
    swiss: BTreeMap<Vec<u8>, Ref>,
}

impl Home for Names {
    fn new_session(&mut self) -> VatId {
        self.next += 1;
        VatId(self.next)
    }
    fn lookup(&mut self, swiss: &[u8]) -> Option<Ref> {
        self.swiss.get(swiss).copied()
    }
}

impl Host {
    pub fn new(name: &str) -> Host {
        let peer = Peer { transport: "test".into(), designator: name.into(), hints: Some(BTreeMap::new()) };
        Host {
            captp: Captp::new(),
            peer,
            home: Names { next: VAT.0, swiss: BTreeMap::new() },
            objects: BTreeMap::new(),
            next: 1,
            holders: BTreeMap::new(),
            named: BTreeSet::new(),
            promises: BTreeMap::new(),
            todo: VecDeque::new(),
            noted: Vec::new(),
            notes: Vec::new(),
            ended: Vec::new(),
            dials: Vec::new(),
            wire: Vec::new(),
            closed: Vec::new(),
            pipelined: 0,
        }
    }

    pub fn object(&mut self, does: Does) -> Ref {
        self.next += 1;
        self.objects.insert(self.next, does);
        Ref::Object(ObjectId { vat: VAT, n: self.next })
    }
    pub fn register(&mut self, swiss: &str, does: Does) -> Ref {
        let r = self.object(does);
        self.home.swiss.insert(swiss.as_bytes().to_vec(), r);
        r
    }
    fn promise(&mut self, decider: VatId) -> PromiseId {
        self.next += 1;
        let p = PromiseId { vat: VAT, n: self.next };
        self.insert(p, decider);
        self.holders.entry(VAT).or_default().insert(Ref::Promise(p));
        p
    }
    fn insert(&mut self, p: PromiseId, decider: VatId) {
        let new = Prom { decider, state: State::Pending, waiting: Vec::new(), listeners: BTreeSet::new() };
        assert!(self.promises.insert(p, new).is_none(), "{p:?} is new");
    }

    /// Something happens to the machine, and all that follows from it in this host.
    pub fn step(&mut self, event: In) {
        let mut out = Vec::new();
        self.captp.step(event, &mut self.home, &mut out);
        self.carry_out(out);
        self.work();
        let mut out = Vec::new();
        self.captp.flush(&mut out);
        self.carry_out(out);
    }

    fn work(&mut self) {
        while let Some((vat, what)) = self.todo.pop_front() {
            self.deliver(vat, Delivery::from(what));
        }
    }

    fn deliver(&mut self, session: VatId, delivery: Delivery) {
        if self.ended.iter().any(|e| e.0 == session) {
            return;
        }
        let (a, b, _) = delivery.what.refs();
        let holder = self.holders.entry(session).or_default();
        for r in a.iter().chain(b) {
            if !matches!(r, Ref::Object(o) if o.vat == session) {
                holder.insert(*r);
            }
        }
        if let What::Notify { promise, .. } = &delivery.what {
            holder.remove(&Ref::Promise(*promise));
        }
        let mut out = Vec::new();
        self.captp.step(In::Deliver { session, delivery }, &mut self.home, &mut out);
        self.carry_out(out);
    }

    fn carry_out(&mut self, out: Vec<Out>) {
        for o in out {
            match o {
                Out::Hold { session, what } => {
                    if let Ref::Promise(p) = what
                        && !self.promises.contains_key(&p)
                    {
                        self.insert(p, p.vat);
                    }
                    self.holders.entry(session).or_default().insert(what);
                }
                Out::Ops { session, ops } => ops.into_iter().for_each(|op| self.op(session, op)),
                Out::Settle { promise, to } => {
                    if let Resolution::Forwarded(q) = to
                        && !self.promises.contains_key(&q)
                    {
                        self.insert(q, q.vat);
                    }
                    self.resolve(promise, to);
                }
                Out::EndSession { session, why } => self.end(session, why),
                Out::Dial { session, peer, .. } => self.dials.push((session, peer)),
                Out::Write { conn, bytes } => self.wire.push((conn, bytes)),
                Out::Close { conn } => self.closed.push(conn),
                Out::Established { .. } => {}
                Out::Note { text, .. } => self.notes.push(text),
            }
        }
    }

    fn end(&mut self, session: VatId, why: String) {
        self.holders.remove(&session);
        self.todo.retain(|(v, _)| *v != session);
        let owed: Vec<PromiseId> = self.promises.iter().filter(|p| p.1.decider == session).map(|p| *p.0).collect();
        for p in owed {
            self.resolve(p, Resolution::Rejected(Data::error("Error", &why)));
        }
        self.ended.push((session, why));
    }

    fn names(&mut self, session: VatId, r: Ref) {
        let holds = self.holders.get(&session).is_some_and(|h| h.contains(&r));
        match r {
            Ref::Object(o) if o.vat == session => {
                self.named.insert(o);
            }
            Ref::Promise(p) if !self.promises.contains_key(&p) && p.vat == session => self.insert(p, session),
            Ref::Promise(p) => assert!(holds || self.promises[&p].decider == session, "{session:?} names {r:?}"),
            _ => assert!(holds, "{session:?} names {r:?} and does not hold it"),
        }
    }

    fn op(&mut self, session: VatId, op: Op) {
        match op {
            Op::Send(m) => {
                match &m.target {
                    Target::Object(o) => self.names(session, Ref::Object(*o)),
                    Target::Promise(p) => self.names(session, Ref::Promise(*p)),
                    Target::Value(_) => panic!("a session performs nothing"),
                }
                m.body.slots.iter().for_each(|r| self.names(session, *r));
                if let Some(p) = m.answer {
                    assert_eq!(p.vat, session);
                    self.insert(p, NOBODY);
                    self.holders.entry(session).or_default().insert(Ref::Promise(p));
                }
                self.send(session, *m);
            }
            Op::Resolve { promise, to } => {
                match &to {
                    Resolution::Fulfilled(d) | Resolution::Rejected(d) => d.slots.iter().for_each(|r| self.names(session, *r)),
                    Resolution::Forwarded(p) => self.names(session, Ref::Promise(*p)),
                }
                if let Some(p) = self.promises.get(&promise) {
                    assert_eq!(p.decider, session, "{promise:?}");
                    assert!(matches!(p.state, State::Pending), "resolved twice");
                    self.resolve(promise, to);
                }
            }
            Op::Listen(p) => {
                self.names(session, Ref::Promise(p));
                self.listen(session, p);
            }
            Op::Drop { what, .. } => {
                self.holders.entry(session).or_default().remove(&what);
                if let Ref::Promise(p) = what
                    && let Some(e) = self.promises.get_mut(&p)
                {
                    e.listeners.remove(&session);
                }
            }
            Op::Reached(_) | Op::Retired(_) => {}
            other => panic!("{other:?}"),
        }
    }

    fn root(&self, mut p: PromiseId) -> PromiseId {
        while let State::Forwarded(q) = self.promises[&p].state {
            p = q;
        }
        p
    }

    /// Sends as this host's own vat.
    pub fn call(&mut self, to: Ref, method: Option<&str>, args: &[V]) -> PromiseId {
        let answer = self.promise(NOBODY);
        self.send_only(to, method, args, Some(answer));
        answer
    }
    pub fn send_only(&mut self, to: Ref, method: Option<&str>, args: &[V], answer: Option<PromiseId>) {
        let target = match to {
            Ref::Object(o) => Target::Object(o),
            Ref::Promise(p) => Target::Promise(p),
            Ref::Power(_) => unreachable!(),
        };
        self.send(VAT, Message { target, body: body(method, args), answer, id: 0 });
        self.settle_down();
    }
    /// A property of what something is, or becomes.
    pub fn get(&mut self, to: Ref, key: &str) -> PromiseId {
        let Ref::Promise(p) = to else { panic!() };
        let answer = self.promise(NOBODY);
        let mut w = passable::Writer::new();
        w.byte(0);
        w.string(key);
        w.varint(0);
        self.send(VAT, Message { target: Target::Promise(p), body: w.done(), answer: Some(answer), id: 0 });
        self.settle_down();
        answer
    }
    pub fn import(&mut self, uri: &str) -> PromiseId {
        let answer = self.promise(VatId(0));
        self.step(In::Import { uri: uri.to_owned(), answer });
        answer
    }
    pub fn settle_down(&mut self) {
        self.work();
        let mut out = Vec::new();
        self.captp.flush(&mut out);
        self.carry_out(out);
    }

    fn send(&mut self, from: VatId, mut m: Message) {
        match m.target.clone() {
            Target::Object(o) if o.vat == VAT => {
                if let Some(p) = m.answer {
                    self.promises.get_mut(&p).unwrap().decider = VAT;
                }
                self.perform(o.n, m);
            }
            Target::Object(o) => {
                if self.ended.iter().any(|e| e.0 == o.vat) {
                    if let Some(p) = m.answer {
                        self.resolve(p, Resolution::Rejected(Data::error("Error", "the vat of the target has ended")));
                    }
                    return;
                }
                self.hand(o.vat, m);
            }
            Target::Promise(p) => {
                let p = self.root(p);
                let e = &self.promises[&p];
                let decider = e.decider;
                match &e.state {
                    State::Settled(rejected, value) => {
                        let (rejected, value) = (*rejected, value.clone());
                        match (rejected, value.as_reference()) {
                            (false, Some(Ref::Object(o))) => {
                                m.target = Target::Object(o);
                                self.send(from, m);
                            }
                            (false, _) => {
                                if let Some(a) = m.answer {
                                    self.resolve(a, Resolution::Rejected(Data::error("TypeError", "data")));
                                }
                            }
                            (true, _) => {
                                if let Some(a) = m.answer {
                                    self.resolve(a, Resolution::Rejected(value));
                                }
                            }
                        }
                    }
                    _ if decider.0 > VAT.0 && decider != NOBODY && self.captp.takes(decider, p) => {
                        m.target = Target::Promise(p);
                        self.pipelined += 1;
                        self.hand(decider, m);
                    }
                    _ => self.promises.get_mut(&p).unwrap().waiting.push((from, m)),
                }
            }
            Target::Value(_) => unreachable!(),
        }
    }

    fn hand(&mut self, session: VatId, m: Message) {
        if let Some(p) = m.answer {
            self.promises.get_mut(&p).unwrap().decider = session;
        }
        self.todo.push_back((session, What::Message(Box::new(m))));
    }

    fn listen(&mut self, vat: VatId, p: PromiseId) {
        let root = self.root(p);
        if let State::Settled(rejected, value) = &self.promises[&root].state {
            let (rejected, value) = (*rejected, value.clone());
            self.todo.push_back((vat, What::Notify { promise: p, rejected, value }));
        } else {
            self.promises.get_mut(&p).unwrap().listeners.insert(vat);
        }
    }

    fn resolve(&mut self, p: PromiseId, to: Resolution) {
        let (rejected, value) = match to {
            Resolution::Fulfilled(d) => (false, d),
            Resolution::Rejected(d) => (true, d),
            Resolution::Forwarded(q) => {
                let root = self.root(q);
                if let State::Settled(rejected, value) = &self.promises[&root].state {
                    (*rejected, value.clone())
                } else if root == p {
                    (true, Data::error("TypeError", "Chaining cycle detected for promise"))
                } else {
                    let e = self.promises.get_mut(&p).unwrap();
                    e.state = State::Forwarded(root);
                    for (from, m) in std::mem::take(&mut e.waiting) {
                        self.send(from, Message { target: Target::Promise(root), ..m });
                    }
                    return;
                }
            }
        };
        let followers: Vec<PromiseId> = self.promises.keys().copied().filter(|q| self.root(*q) == p).collect();
        for q in followers {
            let e = self.promises.get_mut(&q).unwrap();
            e.state = State::Settled(rejected, value.clone());
            let (listeners, waiting) = (std::mem::take(&mut e.listeners), std::mem::take(&mut e.waiting));
            for (from, m) in waiting {
                self.send(from, Message { target: Target::Promise(q), ..m });
            }
            for vat in listeners {
                self.todo.push_back((vat, What::Notify { promise: q, rejected, value: value.clone() }));
            }
        }
    }

    fn perform(&mut self, n: u64, m: Message) {
        let (_, key, args) = parts(&m.body);
        let mut all: Vec<V> = key.into_iter().collect();
        all.extend(args);
        let Some(does) = self.objects.get(&n).cloned() else { panic!("no object {n}") };
        let mut to = match does {
            Does::Echo => Resolution::Fulfilled(V::List(all).data()),
            Does::First => Resolution::Fulfilled(all.first().cloned().unwrap_or(V::Undefined).data()),
            Does::Fail => Resolution::Rejected(Data::error("TypeError", "no")),
            Does::Note => {
                self.noted.extend(all);
                Resolution::Fulfilled(Data::undefined())
            }
            Does::Greet => {
                let Some(V::Ref(r)) = all.first() else {
                    if let Some(p) = m.answer {
                        self.resolve(p, Resolution::Rejected(Data::error("TypeError", "nobody to greet")));
                    }
                    return;
                };
                let answer = self.promise(NOBODY);
                let target = match r {
                    Ref::Object(o) => Target::Object(*o),
                    Ref::Promise(p) => Target::Promise(*p),
                    Ref::Power(_) => unreachable!(),
                };
                let body = body(None, &[V::Str("Hello".into())]);
                self.send(VAT, Message { target, body, answer: Some(answer), id: 0 });
                Resolution::Forwarded(answer)
            }
            Does::Pair => {
                let p = self.promise(VAT);
                let r = self.object(Does::Resolver(p));
                Resolution::Fulfilled(V::List(vec![V::Ref(Ref::Promise(p)), V::Ref(r)]).data())
            }
            Does::Resolver(p) => {
                let value = all.get(1).cloned().unwrap_or(V::Undefined).data();
                let broken = all.first().is_some_and(|v| matches!(v, V::Sym(s) | V::Str(s) if s == "break"));
                self.resolve(p, if broken { Resolution::Rejected(value) } else { Resolution::Fulfilled(value) });
                Resolution::Fulfilled(Data::undefined())
            }
        };
        if let Resolution::Fulfilled(d) = &to
            && let Some(Ref::Promise(p)) = d.as_reference()
        {
            to = Resolution::Forwarded(p);
        }
        if let Some(p) = m.answer {
            self.resolve(p, to);
        }
    }

    /// What a promise became; none: it is pending.
    pub fn value(&self, p: PromiseId) -> Option<Result<V, V>> {
        match &self.promises[&self.root(p)].state {
            State::Settled(true, d) => Some(Err(V::of(d))),
            State::Settled(false, d) => Some(Ok(V::of(d))),
            _ => None,
        }
    }
    pub fn reference(&self, p: PromiseId) -> Ref {
        match self.value(p) {
            Some(Ok(V::Ref(r))) => r,
            other => panic!("no reference: {other:?}"),
        }
    }

    /// The host's own vat lets go of all but these; exports that nobody holds are told to their sessions.
    pub fn collect(&mut self, keep: &[Ref]) {
        self.holders.insert(VAT, keep.iter().copied().collect());
        let mut reached: BTreeSet<Ref> = self.holders.values().flatten().copied().collect();
        reached.extend(self.home.swiss.values());
        let mut todo: Vec<Ref> = reached.iter().copied().collect();
        while let Some(r) = todo.pop() {
            if let Ref::Promise(p) = r
                && let Some(e) = self.promises.get(&p)
            {
                let next = match &e.state {
                    State::Settled(_, d) => d.slots.clone(),
                    State::Forwarded(q) => vec![Ref::Promise(*q)],
                    State::Pending => Vec::new(),
                };
                todo.extend(next.into_iter().filter(|r| reached.insert(*r)));
            }
        }
        self.promises.retain(|p, e| reached.contains(&Ref::Promise(*p)) || matches!(e.state, State::Pending));
        let mut dropped: BTreeMap<VatId, Vec<(u64, bool)>> = BTreeMap::new();
        for o in std::mem::take(&mut self.named) {
            if reached.contains(&Ref::Object(o)) {
                self.named.insert(o);
            } else {
                dropped.entry(o.vat).or_default().push((o.n, false));
            }
        }
        for (vat, dropped) in dropped {
            self.deliver(vat, Delivery { what: What::Collect, dropped, retired: Vec::new() });
        }
        self.settle_down();
    }
    /// Promises that are not settled.
    pub fn open_promises(&self) -> Vec<PromiseId> {
        self.promises.keys().copied().filter(|p| self.value(*p).is_none()).collect()
    }
    /// Promises that this host's own vat would resolve are rejected.
    pub fn give_up_pairs(&mut self) {
        let own = |e: &Prom| e.decider == VAT && matches!(e.state, State::Pending);
        let all: Vec<PromiseId> = self.promises.iter().filter(|p| own(p.1)).map(|p| *p.0).collect();
        for p in all {
            self.resolve(p, Resolution::Rejected(Data::string("given up")));
        }
        self.settle_down();
    }
    pub fn held_by(&self, session: VatId) -> Vec<Ref> {
        self.holders.get(&session).into_iter().flatten().copied().collect()
    }
}
