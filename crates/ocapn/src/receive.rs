//! What a peer says in a session.
//!
//! In: whole messages. Out: ops of the session, messages to the peer.
//!
//! Invariants
//! - a message that is malformed, names what is not there, or uses a position twice aborts the session; what came before stands;
//! - a message to what is here is a send of the session; its answer is a promise that the node settles.
use crate::few::Few;
use crate::session::{MAX_ANSWERS, MAX_LISTENERS, Object, Owed, Place, Resolver, Session, Thing, Why};
use crate::take::shown;
use crate::{Abort, Captp, Dialect, Home};
use passable::syrup::{Fault, Reader, Token};
use passable::{Data, Message, Op, PromiseId, Ref, Resolution, Target};

/// The form of a body that the vat decides on: a call, or the method that the first argument names.
pub(crate) const CALL: u8 = 3;
pub(crate) const GET: u8 = 0;

/// Where an answer goes.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub position: Option<u64>,
    pub resolver: Option<Resolver>,
}

impl Captp {
    pub(crate) fn message(&mut self, s: &mut Session, mut r: Reader<'_>, home: &mut dyn Home) -> Result<(), Abort> {
        s.traffic.messages_in += 1;
        let number = s.line.as_ref().map_or(s.traffic.messages_in, |line| line.stream.position().next - 1);
        s.wire_log.reads(number, s.ops.len());
        let (label, n) = r.record()?;
        match (label, n) {
            ("op:deliver-only", 2) => {
                s.evidence(Dialect::A);
                self.deliver(s, &mut r, false, home)?;
            }
            ("op:deliver", 4) => self.deliver(s, &mut r, true, home)?,
            ("op:listen", 2 | 3) => self.listen(s, &mut r, n == 3)?,
            ("op:gc-export" | "op:gc-exports", 2) => gc_exports(s, &mut r, label)?,
            ("op:gc-answer" | "op:gc-answers", 1) => gc_answers(s, &mut r, label)?,
            ("op:get" | "op:index" | "op:untag", 3) => self.get(s, &mut r, label)?,
            ("op:abort", 1) => return Err(Abort::by_peer(r.string()?)),
            ("op:start-session", _) => return Err(Abort::new("a second hello".to_owned())),
            (label, n) => return Err(Abort::new(format!("the operation {} with {n} fields is not known", shown(label)))),
        }
        r.end()?;
        s.message_over();
        if r.is_empty() { Ok(()) } else { Err(Fault::Unexpected.into()) }
    }

    fn deliver(&mut self, s: &mut Session, r: &mut Reader<'_>, answered: bool, home: &mut dyn Home) -> Result<(), Abort> {
        match target(s, r)? {
            Thing::Bootstrap => {
                let arguments = *r;
                r.raw()?;
                let answer = if answered { read_answer(s, r)? } else { Answer::default() };
                self.bootstrap(s, arguments, answer, home)
            }
            Thing::Resolver(question) => {
                let (rejected, value) = self.resolution(s, r, home)?;
                let answer = if answered { read_answer(s, r)? } else { Answer::default() };
                self.answered(s, question, rejected, value)?;
                self.tell_now(s, answer, false, Data::undefined());
                Ok(())
            }
            thing => {
                let n = r.list()?;
                let mut w = passable::Writer::new();
                w.byte(CALL);
                w.varint(n as u64);
                for _ in 0..n {
                    self.take(s, r, &mut w, home)?;
                }
                r.end()?;
                let answer = if answered { read_answer(s, r)? } else { Answer::default() };
                self.send(s, thing, w.done(), answer);
                Ok(())
            }
        }
    }

    /// `['fulfill v]` or `['break reason]`.
    fn resolution(&mut self, s: &mut Session, r: &mut Reader<'_>, home: &mut dyn Home) -> Result<(bool, Data), Abort> {
        let n = r.list()?;
        let rejected = match r.token()? {
            Token::Symbol("fulfill") => false,
            Token::Symbol("break") => true,
            _ => return Err(Abort::new("a resolver was sent what is neither 'fulfill nor 'break".to_owned())),
        };
        if n != 2 {
            return Err(Abort::new(format!("a resolver was sent {n} arguments")));
        }
        let mut w = passable::Writer::new();
        self.take(s, r, &mut w, home)?;
        r.end()?;
        Ok((rejected, w.done()))
    }

    /// A message to what is here and is neither of the session nor a resolver.
    pub(crate) fn send(&mut self, s: &mut Session, to: Thing, body: Data, answer: Answer) {
        let to = match to {
            Thing::Settled { rejected: true, value } => return self.tell_now(s, answer, true, value),
            Thing::Settled { rejected: false, value } => match value.as_reference() {
                Some(r) => r,
                None => {
                    let (rejected, value) = on_data(&body, &value);
                    return self.tell_now(s, answer, rejected, value);
                }
            },
            Thing::Ref(r) => r,
            Thing::Bootstrap | Thing::Resolver(_) => {
                let why = Data::error("TypeError", "it cannot be sent to in this way");
                return self.tell_now(s, answer, true, why);
            }
        };
        let target = match to {
            Ref::Object(o) => Target::Object(o),
            Ref::Promise(p) => Target::Promise(p),
            Ref::Power(_) => return self.tell_now(s, answer, true, Data::error("TypeError", "it is a power")),
        };
        let promise = (answer.position.is_some() || answer.resolver.is_some()).then(|| s.new_promise());
        s.ops.push(Op::Send(Box::new(Message { target, body, answer: promise, id: 0 })));
        if let Some(p) = promise {
            s.owe(p, answer);
        }
    }

    /// An answer that is known.
    pub(crate) fn tell_now(&mut self, s: &mut Session, answer: Answer, rejected: bool, value: Data) {
        if let Some(resolver) = answer.resolver {
            self.tell(s, resolver, rejected, &value);
        }
        if let Some(position) = answer.position {
            s.new_answer(position, Thing::Settled { rejected, value });
        }
    }

    fn listen(&mut self, s: &mut Session, r: &mut Reader<'_>, partial: bool) -> Result<(), Abort> {
        if !partial {
            s.evidence(Dialect::C);
        }
        let thing = target(s, r)?;
        let resolver = read_resolver(s, r)?.ok_or_else(|| Abort::new("op:listen without a resolver".to_owned()))?;
        if partial {
            r.boolean()?;
        }
        let value = match thing {
            Thing::Ref(Ref::Promise(p)) => {
                s.listen_for(p, resolver);
                return Ok(());
            }
            Thing::Settled { rejected, value } => {
                // told by way of the node: after what was sent on the promise before
                let to = if rejected { Resolution::Rejected(value) } else { Resolution::Fulfilled(value) };
                let promise = self.own_promise(s, to);
                s.listen_for(promise, resolver);
                return Ok(());
            }
            Thing::Ref(r) => Data::reference(r),
            Thing::Bootstrap => Data::reference(Ref::Object(s.bootstrap_object())),
            Thing::Resolver(_) => return Err(Abort::new("op:listen to a resolver".to_owned())),
        };
        self.tell(s, resolver, false, &value);
        Ok(())
    }

    fn get(&mut self, s: &mut Session, r: &mut Reader<'_>, label: &str) -> Result<(), Abort> {
        s.evidence(Dialect::B);
        let thing = target(s, r)?;
        let mut w = passable::Writer::new();
        w.byte(GET);
        let mut refused = None;
        match (label, r.token()?) {
            ("op:get", Token::String(k) | Token::Symbol(k)) => w.string(k),
            ("op:index", Token::Integer { negative: false, digits }) if digits.len() <= 9 => {
                w.integer(digits.iter().fold(0, |n, d| n * 10 + (d - b'0') as i32));
            }
            ("op:untag", Token::String(_) | Token::Symbol(_)) => {
                refused = Some("op:untag is not supported; take the payload where the tagged value is");
            }
            _ => return Err(Fault::Unexpected.into()),
        }
        w.varint(0);
        let position = Some(answer_position(s, r)?);
        let answer = Answer { position, resolver: None };
        match refused {
            Some(why) => self.tell_now(s, answer, true, Data::error("TypeError", why)),
            None => self.send(s, thing, w.done(), answer),
        }
        Ok(())
    }

    /// A question is answered.
    pub(crate) fn answered(&mut self, s: &mut Session, question: u64, rejected: bool, value: Data) -> Result<(), Abort> {
        let Some(q) = s.questions.remove(&question) else {
            return Err(Abort::new("a promise was resolved twice".to_owned()));
        };
        // nobody waits for an answer that only the form of a message asks for
        if !matches!(q.why, Why::Nothing | Why::Message(None)) {
            s.count_trip(question);
        }
        let (promise, place) = match q.why {
            Why::Fence { promise, rejected, value } => {
                let slots = value.slots.clone();
                s.conclude(promise, rejected, value);
                slots.into_iter().for_each(|r| s.release(r));
                return Ok(());
            }
            Why::Nothing => return Ok(()),
            Why::Message(None) => {
                s.gc_answers.insert(question, ());
                self.unwanted(s, rejected, &value);
                return Ok(());
            }
            Why::Message(Some(p)) => (p, Place::Answer(question)),
            Why::Listen { position, promise } => (promise, Place::Export(position)),
        };
        // what leads out of the session may be reached on another way than what was sent on the promise takes
        let away = !rejected && matches!(value.as_reference(), Some(r) if !is_peers(s, r));
        if let Some(owed) = s.owed.get_mut(&promise)
            && owed.sent
            && away
        {
            owed.fenced = true;
            s.hold_all(&value);
            s.listen(place, Why::Fence { promise, rejected, value });
            return Ok(());
        }
        s.conclude(promise, rejected, value);
        Ok(())
    }

    fn unwanted(&mut self, s: &Session, rejected: bool, value: &Data) {
        if rejected {
            self.note(
                Some(s.vat),
                None,
                format!("a message that wanted no answer was rejected by the peer: {}", value.describe()),
            );
        }
    }
}

impl Session {
    /// The peer is to hear of the promise, which the session holds.
    pub(crate) fn owe(&mut self, p: PromiseId, answer: Answer) {
        if let Some(position) = answer.position {
            self.new_answer(position, Thing::Ref(Ref::Promise(p)));
        }
        if let Some(resolver) = answer.resolver {
            self.listen_for(p, resolver);
        }
    }

    fn listen_for(&mut self, p: PromiseId, resolver: Resolver) {
        self.listening += 1;
        let all = self.listeners.or_insert(p, Few::default);
        all.push(resolver);
        if all.len() == 1 {
            // a promise that is dropped is not told
            self.hold(Ref::Promise(p));
            self.ops.push(Op::Listen(p));
        }
    }

    /// A promise of the peer is resolved.
    fn conclude(&mut self, promise: PromiseId, rejected: bool, value: Data) {
        let owed = self.owed.remove(&promise);
        // what was sent on it was sent on what it becomes
        if let (Some(Owed { sent: true, .. }), Some(Ref::Promise(next))) = (&owed, value.as_reference())
            && let Some(next) = self.owed.get_mut(&next)
        {
            next.sent = true;
        }
        match owed.map(|o| o.place) {
            Some(Place::Answer(q)) => {
                self.gc_answers.insert(q, ());
            }
            Some(Place::Export(position)) => self.unnumber(position),
            // nobody needs it any longer
            None => {}
        }
        // what was sent after it was known goes before what waits in the node
        for m in self.fenced.remove(&promise).unwrap_or_default() {
            self.send_again(&value, m);
        }
        let to = match value.as_reference() {
            _ if rejected => Resolution::Rejected(value),
            Some(Ref::Promise(p)) => Resolution::Forwarded(p),
            _ => Resolution::Fulfilled(value),
        };
        self.ops.push(Op::Resolve { promise, to });
    }

    /// A message of another vat that came to this session goes on to what its target became.
    fn send_again(&mut self, became: &Data, m: Message) {
        match became.as_reference() {
            Some(Ref::Object(o)) => self.send_on(Target::Object(o), m),
            Some(Ref::Promise(p)) => self.send_on(Target::Promise(p), m),
            // only what leads elsewhere is waited for
            _ => {}
        }
    }

    pub(crate) fn send_on(&mut self, target: Target, m: Message) {
        let answer = m.answer.map(|_| self.new_promise());
        let slots = m.body.slots.clone();
        self.ops.push(Op::Send(Box::new(Message { target, body: m.body, answer, id: 0 })));
        if let (Some(promise), Some(new)) = (m.answer, answer) {
            self.ops.push(Op::Resolve { promise, to: Resolution::Forwarded(new) });
            self.ops.push(Op::Drop { what: Ref::Promise(new), recognised: false });
        }
        slots.into_iter().for_each(|r| self.release(r));
    }
}

/// The peer's own, of this session.
fn is_peers(s: &Session, r: Ref) -> bool {
    match r {
        Ref::Object(o) => o.vat == s.vat && matches!(s.objects.get(&o.n), Some(Object::Import(_))),
        // one of which it is known what it becomes leads there
        Ref::Promise(p) => s.owed.get(&p).is_some_and(|o| !o.fenced),
        Ref::Power(_) => false,
    }
}

/// What a message names as its target.
fn target(s: &Session, r: &mut Reader<'_>) -> Result<Thing, Abort> {
    let (label, n) = r.record()?;
    let position = if n == 1 { r.natural()? } else { return Err(Fault::Unexpected.into()) };
    r.end()?;
    match label {
        "desc:export" => match s.exports.get(&position) {
            Some(e) => Ok(e.thing.clone()),
            None => Err(Abort::new(format!("nothing is exported at the position {position}"))),
        },
        "desc:answer" => match s.answers.get(&position) {
            Some(thing) => Ok(thing.clone()),
            None => Err(Abort::new(format!("no answer has the position {position}"))),
        },
        label => Err(Abort::new(format!("{} is nothing that can be sent to", shown(label)))),
    }
}

/// The answer position and the resolver of a message.
fn read_answer(s: &mut Session, r: &mut Reader<'_>) -> Result<Answer, Abort> {
    let position = match r.peek()? {
        Token::Boolean(false) => {
            r.token()?;
            None
        }
        _ => Some(answer_position(s, r)?),
    };
    let resolver = read_resolver(s, r)?;
    if resolver.is_none() {
        s.evidence_folded();
    }
    Ok(Answer { position, resolver })
}

fn answer_position(s: &Session, r: &mut Reader<'_>) -> Result<u64, Abort> {
    let position = r.natural()?;
    if s.answers.contains_key(&position) {
        return Err(Abort::new(format!("the answer position {position} is in use")));
    }
    if s.answers.len() >= MAX_ANSWERS {
        return Err(Abort::new("limit: answers that were not given back".to_owned()));
    }
    Ok(position)
}

fn read_resolver(s: &mut Session, r: &mut Reader<'_>) -> Result<Option<Resolver>, Abort> {
    if r.peek()? == Token::Boolean(false) {
        r.token()?;
        return Ok(None);
    }
    if s.listening >= MAX_LISTENERS {
        return Err(Abort::new("limit: resolvers that wait".to_owned()));
    }
    let (label, n) = r.record()?;
    let position = if n == 1 { r.natural()? } else { return Err(Fault::Unexpected.into()) };
    r.end()?;
    let promise = match label {
        "desc:import-object" => false,
        "desc:import-promise" => true,
        "desc:export" => {
            return match s.exports.get(&position).map(|e| e.thing.clone()) {
                Some(Thing::Ref(r)) => {
                    s.hold(r);
                    Ok(Some(Resolver::Host(r)))
                }
                _ => Err(Abort::new(format!("no object that could be a resolver is exported at {position}"))),
            };
        }
        label => return Err(Abort::new(format!("{} is no resolver", shown(label)))),
    };
    if s.imports.len() >= crate::MAX_IMPORTS {
        return Err(Abort::new("limit: imports of a session".to_owned()));
    }
    match s.import(position, promise) {
        Some(import) => {
            import.uses += 1;
            Ok(Some(Resolver::Peer(position)))
        }
        None => Err(Abort::new(format!("the position {position} is used for an object and for a promise"))),
    }
}

/// Pairs of numbers, as two lists or singly.
fn gc_exports(s: &mut Session, r: &mut Reader<'_>, label: &str) -> Result<(), Abort> {
    let (positions, counts) = match r.peek()? {
        Token::List(_) => {
            s.evidence(if label == "op:gc-exports" { Dialect::B } else { Dialect::A });
            (numbers(r)?, numbers(r)?)
        }
        _ => {
            s.evidence(Dialect::Goblins);
            (vec![r.natural()?], vec![r.natural()?])
        }
    };
    if positions.len() != counts.len() {
        return Err(Abort::new(format!("{label} with lists of different lengths")));
    }
    for (position, count) in positions.into_iter().zip(counts) {
        if !s.unexport(position, count) {
            return Err(Abort::new(format!("{label}: the position {position} was not sent {count} times")));
        }
    }
    Ok(())
}

fn gc_answers(s: &mut Session, r: &mut Reader<'_>, label: &str) -> Result<(), Abort> {
    let positions = match r.peek()? {
        Token::List(_) => {
            s.evidence(if label == "op:gc-answers" { Dialect::B } else { Dialect::A });
            numbers(r)?
        }
        _ => {
            s.evidence(Dialect::Goblins);
            vec![r.natural()?]
        }
    };
    for position in positions {
        if !s.forget_answer(position) {
            return Err(Abort::new(format!("{label}: no answer has the position {position}")));
        }
    }
    Ok(())
}

fn numbers(r: &mut Reader<'_>) -> Result<Vec<u64>, Fault> {
    let n = r.list()?;
    let all = (0..n).map(|_| r.natural()).collect::<Result<_, _>>()?;
    r.end()?;
    Ok(all)
}

/// A message to what a promise became that is data: a part is taken, all else is refused.
fn on_data(body: &Data, value: &Data) -> (bool, Data) {
    let refuse = |why: &str| (true, Data::error("TypeError", why));
    let mut r = passable::Reader::new(&body.body);
    if r.byte() != Ok(GET) {
        return refuse("the promise became data, which has no methods");
    }
    let Ok(key) = r.item() else { return refuse("malformed data") };
    match crate::walk::part_of(value, key) {
        Ok(Some(part)) => (false, part),
        Ok(None) => (false, Data::undefined()),
        Err(why) => refuse(why.0),
    }
}
