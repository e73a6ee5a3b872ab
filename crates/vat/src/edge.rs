//! The edge of a vat: deliveries become jobs, what left the heap in a turn becomes ops.
//!
//! In: a delivery's contents at the beginning of a turn; `engine::send`'s entries at its end. Out: `passable::Op`s, in order.
//!
//! Invariants
//! - entries are read when all jobs are done, so that a promise settled within the turn is told as settled;
//! - what cannot pass is refused where it would leave: the answer is rejected by a TypeError that names the path.
use crate::{decode, encode, known};
use engine::builtins::{error, power};
use engine::cage::value::*;
use engine::cx::{Abort, Cx, ErrorKind, Res, Value};
use engine::machine::Leave;
use engine::roots::{self, R_EXPORTS, R_SELF, T_OUTGOING};
use engine::{array, cage::Mem, harden, pass, promise, send, string, table};
use passable::{Data, Delivery, Limits, MakeVat, Message, NetAsk, Op, PromiseId, Ref, Resolution, Source, Target, VatId, Writer};
use std::cell::RefCell;

/// What one turn gathers.
pub struct Edge<'a> {
    ops: Vec<Op>,
    /// References that this turn named.
    recent: Vec<Ref>,
    /// References that came with the delivery and were not known.
    arrived: &'a RefCell<Vec<Ref>>,
    /// Markings of the heap before the turn.
    marks: u64,
}

fn promise_id(m: Mem, t: Value) -> PromiseId {
    PromiseId { vat: VatId(num(m.r64(t as u32, 8)) as u32), n: num(m.r64(t as u32, 16)) as u64 }
}

/// The answer TUPLE of a promise.
pub fn answer(cx: &mut Cx, m: Mem, p: PromiseId) -> Res {
    promise::tuple(cx, m, [from_num(p.vat.0 as f64), from_num(p.n as f64)])
}

/// What others did with references, before the delivery itself.
pub fn gone(cx: &mut Cx, m: Mem, d: &Delivery) -> Res<()> {
    let vat = VatId(num(roots::get(m, R_SELF)) as u32);
    for (n, recognised) in &d.dropped {
        let exports = roots::get(m, R_EXPORTS);
        let key = from_num(*n as f64);
        if !is_obj(exports) {
            break;
        }
        if let Some(o) = table::get(cx, m, exports, key)? {
            table::delete(cx, m, exports, key)?;
            if *recognised {
                known::watch(cx, m, Ref::Object(passable::ObjectId { vat, n: *n }), o)?;
            }
        }
    }
    for r in &d.retired {
        known::forget(cx, m, *r)?;
    }
    Ok(())
}

/// Arguments that are laid out without an allocation.
const FEW: usize = 8;

/// Puts a message to the jobs.
pub fn message(cx: &mut Cx, m: Mem, msg: &Message, recent: &mut Vec<Ref>) -> Res<()> {
    let target = match &msg.target {
        Target::Object(o) => decode::reference(cx, m, Ref::Object(*o), recent)?,
        Target::Value(d) => decode::value(cx, m, &mut decode::In::new(d), recent)?,
        Target::Promise(p) => decode::reference(cx, m, Ref::Promise(*p), recent)?,
    };
    let mut d = decode::In::new(&msg.body);
    let form = d.r.byte();
    let form = decode::ok(cx, form)?;
    if form > send::CALL {
        return Err(cx.stop(Abort::Corrupt));
    }
    let only = if msg.answer.is_none() { send::ONLY } else { 0 };
    let key = if form >= send::APPLY { UNDEF } else { decode::key(cx, m, &mut d, recent)? };
    let n = d.r.count();
    let n = decode::ok(cx, n)?;
    let head = [int((form | only) as i32), key];
    let mut few = [UNDEF; FEW];
    let message = if n <= FEW {
        for v in &mut few[..n] {
            *v = decode::value(cx, m, &mut d, recent)?;
        }
        promise::tuple_of(cx, m, &head, &few[..n])?
    } else {
        let mut all = Vec::with_capacity(n.min(64));
        for _ in 0..n {
            all.push(decode::value(cx, m, &mut d, recent)?);
        }
        promise::tuple_of(cx, m, &head, &all)?
    };
    let result = match msg.answer {
        Some(p) => answer(cx, m, p)?,
        None => UNDEF,
    };
    if promise::is_promise(m, target) {
        return Err(cx.stop(Abort::Corrupt));
    }
    promise::enqueue_job(cx, m, promise::DELIVER, result, message, target)
}

/// What a promise has become that something here waits for.
pub fn notify(cx: &mut Cx, m: Mem, id: PromiseId, rejected: bool, value: &Data, recent: &mut Vec<Ref>) -> Res<()> {
    let r = Ref::Promise(id);
    let Some(p) = known::take(cx, m, r)? else { return Ok(()) };
    let v = decode::value(cx, m, &mut decode::In::new(value), recent)?;
    if promise::state(m, p) != promise::PENDING || promise::handler(m, p) == UNDEF {
        return Ok(());
    }
    promise::set_handler(cx, m, p, UNDEF);
    if rejected { promise::reject(cx, m, p, v) } else { promise::resolve(cx, m, p, v) }
}

impl Edge<'_> {
    /// `ops` and `recent` are empty, given for their memory.
    pub fn new(marks: u64, arrived: &RefCell<Vec<Ref>>, ops: Vec<Op>, recent: Vec<Ref>) -> Edge<'_> {
        Edge { ops, recent, arrived, marks }
    }
    /// What the turn asks for, and a list to be used again.
    pub fn done(self) -> (Vec<Op>, Vec<Ref>) {
        (self.ops, self.recent)
    }
}

impl Leave for Edge<'_> {
    fn leave(&mut self, cx: &mut Cx, m: Mem) -> Res<()> {
        let mut last = None;
        // reading one may put others
        while let Some(e) = send::outgoing(m, last) {
            cx.charge(1)?;
            self.entry(cx, m, e)?;
            last = Some(e);
        }
        roots::set_of_turn(m, T_OUTGOING, UNDEF);
        Ok(())
    }

    fn collected(&mut self, cx: &mut Cx, m: Mem) -> Res<()> {
        let all = cx.heap.marks() != self.marks;
        let mut arrived = self.arrived.borrow_mut();
        if !arrived.is_empty() {
            self.recent.append(&mut arrived);
        }
        if !all && self.recent.is_empty() {
            return Ok(());
        }
        known::sweep(cx, m, all, &self.recent, &mut self.ops)
    }
}

impl Edge<'_> {
    fn entry(&mut self, cx: &mut Cx, m: Mem, e: Value) -> Res<()> {
        let w = |i: u32| m.r64((e as u32).wrapping_add(8 + i * 8), 0);
        match as_int(w(1)) {
            send::OUT_SEND => self.send(cx, m, w(2), w(3), w(4)),
            send::OUT_RESOLVE => self.resolve(cx, m, w(2), as_int(w(3)), w(4)),
            send::OUT_LISTEN => {
                // one that is settled here has been told before
                let p = m.r64(w(2) as u32, 40);
                if promise::is_promise(m, p) && promise::handler(m, p) == w(2) {
                    encode::named(cx, m, &mut self.recent, p, w(2))?;
                    self.ops.push(Op::Listen(promise_id(m, w(2))));
                }
                Ok(())
            }
            send::OUT_POWER => self.power(cx, m, as_int(w(2)), w(3), w(4)),
            _ => Err(cx.stop(Abort::Corrupt)),
        }
    }

    /// The number under which the answer `p` is known outside.
    fn answer_id(&mut self, cx: &mut Cx, m: Mem, p: Value) -> Res<Option<PromiseId>> {
        if !promise::is_promise(m, p) {
            return Ok(None);
        }
        let h = promise::handler(m, p);
        if !is_cell(h) {
            return Err(cx.stop(Abort::Corrupt));
        }
        encode::named(cx, m, &mut self.recent, p, h)?;
        Ok(Some(promise_id(m, h)))
    }

    fn send(&mut self, cx: &mut Cx, m: Mem, to: Value, message: Value, result: Value) -> Res<()> {
        let answer = self.answer_id(cx, m, result)?;
        let form = as_int(m.r64(message as u32, 8)) as u8 & 3;
        let mut out = encode::Out::new(&mut self.recent);
        out.w.byte(form);
        if form < send::APPLY {
            let key = engine::object::key_value(cx, m, m.r64(message as u32, 16))?;
            encode::value(cx, m, &mut out, key)?;
        }
        let n = send::arity(m, message);
        out.w.varint(n as u64);
        for i in 0..n {
            encode::value(cx, m, &mut out, send::argument(m, message, i))?;
        }
        let body = out.w.done();
        let target = match known::of_tuple(m, to) {
            Ref::Object(o) => Target::Object(o),
            Ref::Promise(p) => Target::Promise(p),
            Ref::Power(_) => return Err(cx.stop(Abort::Corrupt)),
        };
        self.ops.push(Op::Send(Box::new(Message { target, body, answer, id: 0 })));
        Ok(())
    }

    /// A value that nobody has looked at: if it cannot pass, a TypeError instead.
    fn checked(&mut self, cx: &mut Cx, m: Mem, v: Value, name: &str) -> Res<(Data, bool)> {
        let (v, refused) = match pass::refusal(cx, m, v, name)? {
            Some(why) => (error::make(cx, m, ErrorKind::Type, &why)?, true),
            None => (v, false),
        };
        harden::harden(cx, m, v)?;
        let mut out = encode::Out::new(&mut self.recent);
        encode::value(cx, m, &mut out, v)?;
        Ok((out.w.done(), refused))
    }

    fn resolve(&mut self, cx: &mut Cx, m: Mem, answer: Value, how: i32, v: Value) -> Res<()> {
        let promise = promise_id(m, answer);
        let to = match how {
            send::OUT_FORWARDED => {
                known::mark_promise(cx, m, v);
                let Ref::Promise(p) = known::of_tuple(m, v) else { return Err(cx.stop(Abort::Corrupt)) };
                Resolution::Forwarded(p)
            }
            promise::FULFILLED => match self.checked(cx, m, v, "answer")? {
                (d, false) => Resolution::Fulfilled(d),
                (d, true) => Resolution::Rejected(d),
            },
            _ => Resolution::Rejected(self.checked(cx, m, v, "reason")?.0),
        };
        self.ops.push(Op::Resolve { promise, to });
        Ok(())
    }

    fn power(&mut self, cx: &mut Cx, m: Mem, asked: i32, args: Value, result: Value) -> Res<()> {
        let Some(answer) = self.answer_id(cx, m, result)? else { return Err(cx.stop(Abort::Corrupt)) };
        let arg = |i: u32| array::element(m, args, i);
        let op = match asked {
            power::NOW => Op::Now { answer },
            power::DELAY => Op::Delay { ms: num(arg(0)) as u64, answer },
            power::BYTES => Op::Random { bytes: num(arg(0)) as u32, answer },
            power::MAKE | power::MAKE_FROM_SOURCE => {
                let text = string::to_rust(cx, m, arg(0))?;
                let source = if asked == power::MAKE { Source::Specifier(text) } else { Source::Text(text) };
                let mut out = encode::Out::new(&mut self.recent);
                encode::powers(cx, m, &mut out, arg(1))?;
                let limit = |v: Value| if is_number(v) { num(v).min(1e18) as u64 } else { 0 };
                let limits = Limits { heap_bytes: limit(arg(2)), instructions: limit(arg(3)) };
                Op::MakeVat(Box::new(MakeVat { source, powers: out.w.done(), limits, answer }))
            }
            power::EXPORT | power::EXPORT_AS => {
                let what = encode::reference(cx, m, arg(0))?;
                let ask = if asked == power::EXPORT {
                    NetAsk::Export(what)
                } else {
                    NetAsk::ExportAs(what, string::units(cx, m, arg(1))?.iter().map(|c| *c as u8).collect())
                };
                Op::Net { ask, answer }
            }
            power::IMPORT => Op::Net { ask: NetAsk::Import(string::to_rust(cx, m, arg(0))?), answer },
            power::REVOKE => Op::Net { ask: NetAsk::Revoke(string::to_rust(cx, m, arg(0))?), answer },
            _ => return Err(cx.stop(Abort::Corrupt)),
        };
        self.ops.push(op);
        Ok(())
    }
}

/// `{ console, timer, …, args, refs }` as data.
pub fn powers(list: &[passable::Power], args: &[String], refs: &[(String, PromiseId)]) -> Data {
    let mut w = Writer::new();
    w.record(list.len() + 2);
    for p in list {
        w.string(p.name());
        w.reference(Ref::Power(*p));
    }
    w.string("args");
    w.array(args.len());
    for a in args {
        w.string(a);
    }
    w.string("refs");
    w.record(refs.len());
    for (name, p) in refs {
        w.string(name);
        w.reference(Ref::Promise(*p));
    }
    w.done()
}
