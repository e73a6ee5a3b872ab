//! What the node delivers to a session: messages for the peer, what promises became, what is no longer held.
//!
//! In: `passable::Delivery`. Out: messages to the peer, ops of the session.
//!
//! Invariants
//! - what a delivery names is held while it is worked on, or waits; what nothing here needs afterwards is dropped;
//! - messages are written in the order they were delivered;
//! - a message that cannot be told to the peer rejects its answer, and nothing of it is written.
use crate::give::{Given, Name, Refused};
use crate::receive::GET;
use crate::session::{Live, MAX_QUESTIONS, MAX_WAITING, Object, Place, Question, Resolver, Session, Thing, Waiting, Why};
use crate::walk::Walk;
use crate::write::write_place;
use crate::{BOOTSTRAP, Captp, Dialect};
use passable::syrup::Writer;
use passable::{Data, Delivery, Item, Message, Op, PromiseId, Ref, Resolution, Target, What};

/// Forms of a message's body (see `passable::data`).
const METHOD: u8 = 1;

impl Captp {
    /// A delivery as it comes.
    pub(crate) fn delivered(&mut self, s: &mut Session, delivery: Delivery) {
        hold(s, &delivery.what);
        if s.live.is_some() {
            return self.perform(s, delivery);
        }
        if let What::Notify { promise, rejected, value } = &delivery.what {
            // from now on the node does not hold the promise for this session
            s.settled(*promise, *rejected, value);
            s.early.insert(*promise, (*rejected, value.clone()));
        }
        if s.waiting.len() >= MAX_WAITING
            && let What::Message(m) = &delivery.what
        {
            reject(s, m.answer, Data::error("RangeError", "limit: messages waiting for a host that has not answered"));
            return release(s, &delivery.what);
        }
        s.wait(Waiting::Delivery(delivery));
    }

    pub(crate) fn perform(&mut self, s: &mut Session, delivery: Delivery) {
        let Delivery { what, dropped, retired } = delivery;
        s.wire_log.performs(&what);
        for (n, recognised) in dropped {
            s.dropped(n, recognised);
        }
        for r in retired {
            if let Ref::Promise(p) = r {
                s.retired(p);
            }
        }
        match &what {
            What::Message(m) => self.message_to(s, m),
            What::Notify { promise, rejected, value } => self.notified(s, *promise, *rejected, value),
            What::Trace { .. } => {
                let held = s.held().collect();
                s.ops.push(Op::Reached(held));
            }
            What::Collect | What::Start { .. } | What::StartText { .. } => {}
        }
        release(s, &what);
    }

    fn notified(&mut self, s: &mut Session, p: PromiseId, rejected: bool, value: &Data) {
        s.settled(p, rejected, value);
        let resolvers = s.listeners.remove(&p).unwrap_or_default();
        s.listening -= resolvers.len();
        for resolver in resolvers {
            self.tell(s, resolver, rejected, value);
        }
    }

    /// Calls a resolver.
    pub(crate) fn tell(&mut self, s: &mut Session, resolver: Resolver, rejected: bool, value: &Data) {
        match &resolver {
            Resolver::Host(r) => {
                let mut w = passable::Writer::new();
                w.byte(METHOD);
                w.string(if rejected { "break" } else { "fulfill" });
                w.varint(1);
                // what comes from a promise is a value; it was written by a vat or by `take`
                if crate::walk::append(&mut w, value).is_ok() {
                    let target = match r {
                        Ref::Object(o) => Target::Object(*o),
                        Ref::Promise(p) => Target::Promise(*p),
                        Ref::Power(_) => return s.unuse(&resolver),
                    };
                    s.ops.push(Op::Send(Box::new(Message { target, body: w.done(), answer: None, id: 0 })));
                }
            }
            Resolver::Peer(position) => {
                if let Err(refused) = self.write_resolution(s, *position, rejected, value) {
                    // text and a name always pass
                    let _ = self.write_resolution(s, *position, true, &refused.data());
                }
            }
        }
        s.unuse(&resolver);
    }

    fn write_resolution(&mut self, s: &mut Session, position: u64, rejected: bool, value: &Data) -> Result<(), Refused> {
        let mut w = s.writer();
        let mut given = Given::default();
        s.begin_deliver_only(&mut w, Place::Export(position));
        w.list();
        w.symbol(if rejected { "break" } else { "fulfill" });
        if let Err(refused) = self.give(s, &mut Walk::new(value), &mut w, &mut given, Name::Answer) {
            s.take_back(given);
            return Err(refused);
        }
        w.end();
        self.deposit(given);
        s.end_deliver_only(w);
        Ok(())
    }

    /// A message for the peer.
    fn message_to(&mut self, s: &mut Session, m: &Message) {
        let place = match &m.target {
            Target::Object(o) => match s.objects.get(&o.n) {
                Some(Object::Import(position)) => Place::Export(*position),
                Some(local) => return self.message_to_local(s, *local, m),
                None => return reject(s, m.answer, Data::error("Error", "the object's host has taken it back")),
            },
            Target::Promise(p) => match s.owed.get(p).copied() {
                Some(owed) if owed.fenced => {
                    s.hold_all(&m.body);
                    s.fenced.or_insert(*p, Vec::new).push(m.clone());
                    return;
                }
                Some(owed) => {
                    if !owed.sent
                        && let Some(owed) = s.owed.get_mut(p)
                    {
                        owed.sent = true;
                    }
                    owed.place
                }
                // resolved meanwhile: the node knows to what
                None => {
                    s.hold_all(&m.body);
                    return s.send_on(m.target.clone(), m.clone());
                }
            },
            Target::Value(_) => return reject(s, m.answer, Data::error("TypeError", "data has no methods")),
        };
        if s.questions.len() >= MAX_QUESTIONS {
            return reject(s, m.answer, Data::error("RangeError", "limit: questions to another host that are not answered"));
        }
        if s.line.as_ref().is_some_and(|l| l.stream.is_full()) {
            let why = Data::error("RangeError", "limit: messages to another host that it has not acknowledged");
            return self.not_sent(s, m.answer, why);
        }
        if let Err(why) = self.write_message(s, place, m) {
            self.not_sent(s, m.answer, why);
        }
    }

    fn not_sent(&mut self, s: &mut Session, answer: Option<PromiseId>, why: Data) {
        match answer {
            Some(_) => reject(s, answer, why),
            None => self.note(Some(s.vat), None, format!("a message was not sent: {}", why.describe())),
        }
    }

    fn write_message(&mut self, s: &mut Session, place: Place, m: &Message) -> Result<(), Data> {
        let mut walk = Walk::new(&m.body);
        let malformed = |_| Data::error("TypeError", "malformed data");
        let form = walk.r.byte().map_err(malformed)?;
        let key = match form {
            GET | METHOD => Some(walk.r.item().map_err(malformed)?),
            _ => None,
        };
        if let (GET, Some(key)) = (form, key) {
            return write_get(s, place, key, m.answer);
        }
        let n = walk.r.count().map_err(malformed)?;
        let mut w = s.writer();
        let mut given = Given::default();
        // some know no message without an answer, some no answer that nobody wants
        let only = m.answer.is_none() && s.folded() == Some(true);
        w.record("op:deliver");
        write_place(&mut w, place);
        w.list();
        if let Some(key) = key {
            let name = method_name(key)
                .ok_or_else(|| Data::error("TypeError", "a method with this name cannot be called on another host"))?;
            w.symbol(&name);
        }
        for i in 0..n {
            if let Err(refused) = self.give(s, &mut walk, &mut w, &mut given, Name::Argument(i)) {
                s.take_back(given);
                return Err(refused.data());
            }
        }
        w.end();
        self.deposit(given);
        if only {
            w.boolean(false);
            w.boolean(false);
        } else {
            s.ask(&mut w, m.answer);
        }
        w.end();
        s.write(w);
        Ok(())
    }

    /// A message to what the peer gave back of ours: the bootstrap object, a resolver.
    fn message_to_local(&mut self, s: &mut Session, local: Object, m: &Message) {
        let Object::Resolver(question) = local else {
            return reject(s, m.answer, Data::error("TypeError", "this object is for the peer alone"));
        };
        let resolution = resolution_in(&m.body);
        let fine = match resolution {
            Some((rejected, value)) => self.answered(s, question, rejected, value).is_ok(),
            None => false,
        };
        if !fine {
            return reject(s, m.answer, Data::error("TypeError", "a resolver takes fulfill or break, once"));
        }
        if let Some(promise) = m.answer {
            s.ops.push(Op::Resolve { promise, to: Resolution::Fulfilled(Data::undefined()) });
        }
    }
}

impl Session {
    /// The answer position and the resolver of a question; its answer settles the promise.
    pub(crate) fn ask(&mut self, w: &mut Writer, answer: Option<PromiseId>) {
        let question = self.new_question();
        let resolver = self.new_export(Thing::Resolver(question));
        w.natural(question);
        self.write_import(w, resolver, false);
        self.asked(question, answer);
    }

    fn asked(&mut self, question: u64, answer: Option<PromiseId>) {
        self.questions.insert(question, Question { why: Why::Message(answer) });
        if let Some(p) = answer {
            let place = Place::Answer(question);
            self.owed.insert(p, crate::session::Owed { place, sent: false, fenced: false });
        }
    }

    /// Nobody here holds the object.
    fn dropped(&mut self, n: u64, recognised: bool) {
        // while somebody would recognise it, its position must not come to mean another
        if recognised || !self.let_go(n) {
            return;
        }
        match self.objects.get(&n) {
            Some(Object::Import(position)) => self.unnumber(*position),
            Some(Object::Bootstrap) => {}
            Some(Object::Resolver(_)) => {
                self.objects.remove(&n);
            }
            None => {}
        }
    }

    /// Nobody here needs what the promise becomes.
    fn retired(&mut self, p: PromiseId) {
        self.local.remove(&p);
        match self.owed.remove(&p).map(|o| o.place) {
            Some(Place::Answer(q)) => {
                match self.questions.get_mut(&q) {
                    // its answer position goes when the answer comes
                    Some(question) => question.why = Why::Message(None),
                    // it has come, and something else is waited for
                    None => {
                        self.gc_answers.insert(q, ());
                    }
                }
            }
            Some(Place::Export(position)) => self.unnumber(position),
            None => {}
        }
    }
}

impl Live {
    /// What the dialect of a session follows from, unless it is given: how the peer writes.
    pub(crate) fn guess(framing: crate::Framing) -> Dialect {
        match framing {
            crate::Framing::Raw => Dialect::A,
            crate::Framing::Length => Dialect::B,
        }
    }
}

/// A part of what an object or a promise of the peer is, or becomes.
fn write_get(s: &mut Session, place: Place, key: Item<'_>, answer: Option<PromiseId>) -> Result<(), Data> {
    if !s.dialect().is_folded() {
        return Err(Data::error("TypeError", "the host of the object knows no reading of properties, only messages"));
    }
    let name = method_name(key).ok_or_else(|| Data::error("TypeError", "such a property cannot be read from another host"))?;
    let mut w = Writer::new();
    match index(&name) {
        Some(i) => {
            w.record("op:index");
            write_place(&mut w, place);
            w.natural(i);
        }
        None => {
            w.record("op:get");
            write_place(&mut w, place);
            w.string(&name);
        }
    }
    let question = s.new_question();
    w.natural(question);
    w.end();
    s.write(w);
    s.asked(question, answer);
    // the operation has no resolver of its own
    s.listen_for_question(Place::Answer(question), question);
    Ok(())
}

/// A key that may be one of an array: programs do not tell `x[0]` from `x['0']`.
fn index(name: &str) -> Option<u64> {
    let canonical = name == "0" || !name.starts_with('0');
    if canonical && name.len() <= 9 && name.bytes().all(|b| b.is_ascii_digit()) { name.parse().ok() } else { None }
}

/// A key as a peer knows it.
fn method_name(key: Item<'_>) -> Option<String> {
    match key {
        Item::String(t) | Item::Registered(t) => crate::give::string(t).ok(),
        Item::Integer(i) => Some(i.to_string()),
        _ => None,
    }
}

/// What a message to a resolver says.
fn resolution_in(body: &Data) -> Option<(bool, Data)> {
    let mut walk = Walk::new(body);
    let form = walk.r.byte().ok()?;
    let mut n = 0;
    let name = match form {
        METHOD => walk.r.item().ok()?,
        GET => return None,
        _ => {
            n = walk.r.count().ok()?;
            walk.r.item().ok()?
        }
    };
    if form == METHOD {
        n = walk.r.count().ok()? + 1;
    }
    let rejected = match method_name(name)?.as_str() {
        "fulfill" => false,
        "break" => true,
        _ => return None,
    };
    if n != 2 {
        return None;
    }
    let mut w = passable::Writer::new();
    walk.value(&mut w).ok()?;
    Some((rejected, w.done()))
}

fn reject(s: &mut Session, answer: Option<PromiseId>, why: Data) {
    if let Some(promise) = answer {
        s.ops.push(Op::Resolve { promise, to: Resolution::Rejected(why) });
    }
}

/// What is in a delivery is held while it lasts.
fn hold(s: &mut Session, what: &What) {
    each(what, |r| s.hold(r));
}
fn release(s: &mut Session, what: &What) {
    each(what, |r| s.release(r));
}
fn each(what: &What, f: impl FnMut(Ref)) {
    let (a, b, _) = what.refs();
    a.iter().chain(b).copied().for_each(f);
}

/// The bootstrap object of the peer.
pub(crate) fn bootstrap() -> Place {
    Place::Export(BOOTSTRAP)
}
