//! Messages and deliveries as bytes.
//!
//! ```text
//! varint as in `passable::data`; bytes = varint length | bytes; list = varint count | items
//! ref     = u8 (0 object, 1 promise, 2 power) | varint vat, varint n (power: varint number)
//! data    = bytes body | list of refs
//! message = target u8 (0 object, 1 promise, 2 value) | its ids or data | data body | u8 answer? | promise | varint id
//! what    = u8 (0 start, 1 start text, 2 message, 3 notify, 4 collect, 5 trace) | its parts in the order of the type
//! ```
use crate::{Bad, Data, Limits, Message, ObjectId, Power, PromiseId, Reader, Ref, Target, TurnId, VatId, What, Writer};

/// Writes the types of deliveries.
#[derive(Default)]
pub struct Put(Vec<u8>);

impl Put {
    pub fn new() -> Put {
        Put::default()
    }
    /// Over what is in `memory`.
    pub fn into(mut memory: Vec<u8>) -> Put {
        memory.clear();
        Put(memory)
    }
    pub fn done(self) -> Vec<u8> {
        self.0
    }
    pub fn byte(&mut self, b: u8) {
        self.0.push(b);
    }
    pub fn flag(&mut self, b: bool) {
        self.0.push(b as u8);
    }
    pub fn number(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }
    pub fn bytes(&mut self, b: &[u8]) {
        self.number(b.len() as u64);
        self.0.extend_from_slice(b);
    }
    pub fn text(&mut self, s: &str) {
        self.bytes(s.as_bytes());
    }
    pub fn vat(&mut self, v: VatId) {
        self.number(v.0 as u64);
    }
    pub fn promise(&mut self, p: PromiseId) {
        self.vat(p.vat);
        self.number(p.n);
    }
    pub fn maybe_promise(&mut self, p: Option<PromiseId>) {
        self.flag(p.is_some());
        if let Some(p) = p {
            self.promise(p);
        }
    }
    pub fn object(&mut self, o: ObjectId) {
        self.vat(o.vat);
        self.number(o.n);
    }
    pub fn reference(&mut self, r: Ref) {
        match r {
            Ref::Object(o) => {
                self.byte(0);
                self.object(o);
            }
            Ref::Promise(p) => {
                self.byte(1);
                self.promise(p);
            }
            Ref::Power(p) => {
                self.byte(2);
                self.number(p as u64);
            }
        }
    }
    pub fn data(&mut self, d: &Data) {
        self.bytes(&d.body);
        self.number(d.slots.len() as u64);
        d.slots.iter().for_each(|r| self.reference(*r));
    }
    pub fn turn(&mut self, t: TurnId) {
        self.vat(t.vat);
        self.number(t.turn);
    }
    pub fn limits(&mut self, l: Limits) {
        self.number(l.heap_bytes);
        self.number(l.instructions);
    }
    pub fn vats(&mut self, list: impl Iterator<Item = VatId>) {
        let list: Vec<VatId> = list.collect();
        self.number(list.len() as u64);
        list.into_iter().for_each(|v| self.vat(v));
    }
    pub fn message(&mut self, m: &Message) {
        match &m.target {
            Target::Object(o) => {
                self.byte(0);
                self.object(*o);
            }
            Target::Promise(p) => {
                self.byte(1);
                self.promise(*p);
            }
            Target::Value(d) => {
                self.byte(2);
                self.data(d);
            }
        }
        self.data(&m.body);
        self.maybe_promise(m.answer);
        self.number(m.id);
    }
    pub fn what(&mut self, w: &What) {
        match w {
            What::Start { program, powers, answer } => {
                self.byte(0);
                self.number(*program);
                self.data(powers);
                self.promise(*answer);
            }
            What::StartText { text, powers, answer } => {
                self.byte(1);
                self.text(text);
                self.data(powers);
                self.promise(*answer);
            }
            What::Message(m) => {
                self.byte(2);
                self.message(m);
            }
            What::Notify { promise, rejected, value } => {
                self.byte(3);
                self.promise(*promise);
                self.flag(*rejected);
                self.data(value);
            }
            What::Collect => self.byte(4),
            What::Trace { exports } => {
                self.byte(5);
                self.number(exports.len() as u64);
                exports.iter().for_each(|n| self.number(*n));
            }
        }
    }
}

/// Reads them back.
pub struct Get<'a>(&'a [u8]);

type Res<T> = Result<T, Bad>;

impl<'a> Get<'a> {
    pub fn new(b: &'a [u8]) -> Get<'a> {
        Get(b)
    }
    pub fn byte(&mut self) -> Res<u8> {
        let (b, rest) = self.0.split_first().ok_or(Bad)?;
        self.0 = rest;
        Ok(*b)
    }
    pub fn flag(&mut self) -> Res<bool> {
        Ok(self.byte()? != 0)
    }
    pub fn number(&mut self) -> Res<u64> {
        let mut r = Reader::new(self.0);
        let n = r.varint()?;
        self.0 = r.rest();
        Ok(n)
    }
    pub fn count(&mut self) -> Res<usize> {
        let n = usize::try_from(self.number()?).map_err(|_| Bad)?;
        if n > self.0.len() { Err(Bad) } else { Ok(n) }
    }
    pub fn bytes(&mut self) -> Res<&'a [u8]> {
        let n = self.count()?;
        let (a, b) = self.0.split_at(n);
        self.0 = b;
        Ok(a)
    }
    pub fn text(&mut self) -> Res<String> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| Bad)
    }
    pub fn vat(&mut self) -> Res<VatId> {
        u32::try_from(self.number()?).map(VatId).map_err(|_| Bad)
    }
    pub fn promise(&mut self) -> Res<PromiseId> {
        Ok(PromiseId { vat: self.vat()?, n: self.number()? })
    }
    pub fn maybe_promise(&mut self) -> Res<Option<PromiseId>> {
        if self.flag()? { self.promise().map(Some) } else { Ok(None) }
    }
    pub fn object(&mut self) -> Res<ObjectId> {
        Ok(ObjectId { vat: self.vat()?, n: self.number()? })
    }
    pub fn reference(&mut self) -> Res<Ref> {
        Ok(match self.byte()? {
            0 => Ref::Object(self.object()?),
            1 => Ref::Promise(self.promise()?),
            2 => Ref::Power(Power::from_number(self.number()?).ok_or(Bad)?),
            _ => return Err(Bad),
        })
    }
    pub fn data(&mut self) -> Res<Data> {
        let body = self.bytes()?.into();
        let n = self.count()?;
        Ok(Data { body, slots: (0..n).map(|_| self.reference()).collect::<Res<_>>()? })
    }
    pub fn turn(&mut self) -> Res<TurnId> {
        Ok(TurnId { vat: self.vat()?, turn: self.number()? })
    }
    pub fn limits(&mut self) -> Res<Limits> {
        Ok(Limits { heap_bytes: self.number()?, instructions: self.number()? })
    }
    pub fn vats(&mut self) -> Res<Vec<VatId>> {
        let n = self.count()?;
        (0..n).map(|_| self.vat()).collect()
    }
    pub fn message(&mut self) -> Res<Message> {
        let target = match self.byte()? {
            0 => Target::Object(self.object()?),
            1 => Target::Promise(self.promise()?),
            2 => Target::Value(self.data()?),
            _ => return Err(Bad),
        };
        Ok(Message { target, body: self.data()?, answer: self.maybe_promise()?, id: self.number()? })
    }
    pub fn what(&mut self) -> Res<What> {
        Ok(match self.byte()? {
            0 => What::Start { program: self.number()?, powers: self.data()?, answer: self.promise()? },
            1 => What::StartText { text: self.text()?, powers: self.data()?, answer: self.promise()? },
            2 => What::Message(Box::new(self.message()?)),
            3 => What::Notify { promise: self.promise()?, rejected: self.flag()?, value: self.data()? },
            4 => What::Collect,
            5 => {
                let n = self.count()?;
                What::Trace { exports: (0..n).map(|_| self.number()).collect::<Res<_>>()? }
            }
            _ => return Err(Bad),
        })
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `true` if bytes that `Put` wrote are read back whole; for checks before writing.
pub fn round_trips(w: &What) -> bool {
    let mut p = Put::new();
    p.what(w);
    let bytes = p.done();
    let mut g = Get::new(&bytes);
    g.what().is_ok_and(|back| back == *w) && g.is_empty()
}

/// A message body that calls a method with JSON-like arguments is made by `Writer`; its form byte.
pub fn method_call(name: &str, args: impl FnOnce(&mut Writer) -> usize) -> Data {
    let mut inner = Writer::new();
    let n = args(&mut inner);
    let inner = inner.done();
    let mut w = Writer::new();
    w.byte(1);
    w.string(name);
    w.varint(n as u64);
    let mut d = w.done();
    d.body.extend_from_slice(&inner.body);
    d.slots = inner.slots;
    d
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_come_back_as_they_were() {
        let p = PromiseId { vat: VatId(3), n: 1 << 40 };
        let o = ObjectId { vat: VatId(700), n: 9 };
        let mut w = Writer::new();
        w.array(2);
        w.reference(Ref::Object(o));
        w.reference(Ref::Power(Power::Timer));
        let d = w.done();
        let m = Message { target: Target::Object(o), body: method_call("up", |_| 0), answer: Some(p), id: 7 };
        let all = [
            What::Start { program: 5, powers: d.clone(), answer: p },
            What::StartText { text: "export default 1;".into(), powers: d.clone(), answer: p },
            What::Message(Box::new(m.clone())),
            What::Message(Box::new(Message { target: Target::Value(d.clone()), answer: None, ..m.clone() })),
            What::Message(Box::new(Message { target: Target::Promise(p), ..m })),
            What::Notify { promise: p, rejected: true, value: d },
            What::Collect,
            What::Trace { exports: vec![1, 2, 300] },
        ];
        assert!(all.iter().all(round_trips));
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        let mut seed = 7u64;
        for _ in 0..50_000 {
            let mut bytes = Vec::new();
            for _ in 0..seed % 32 {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                bytes.push((seed >> 40) as u8 % 9);
            }
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let _ = Get::new(&bytes).what();
        }
    }
}
