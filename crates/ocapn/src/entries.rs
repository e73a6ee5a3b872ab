//! Entries of a session's tables as bytes of rows, in the forms that `rows` draws.
//!
//! Invariants
//! - what was written is read back as it was; other bytes are an error, never a panic.
use crate::few::Few;
use crate::handoff::{Gift, Withdrawal};
use crate::hello::Seen;
use crate::keys::{Hash, Keys};
use crate::near::Key;
use crate::resume::Known;
use crate::session::{Export, Import, Object, Owed, Place, Question, Resolver, Thing, Waiting, Why, Withdraw};
use passable::codec::{Get, Put};
use passable::{Bad, Delivery, PromiseId, VatId};

/// A key in a table of a session.
pub(crate) trait InKey: Key {
    fn write(&self, key: &mut Vec<u8>);
    fn read(bytes: &[u8]) -> Result<Self, Bad>;
}
impl InKey for u64 {
    fn write(&self, key: &mut Vec<u8>) {
        key.extend_from_slice(&self.to_be_bytes());
    }
    fn read(bytes: &[u8]) -> Result<u64, Bad> {
        bytes.try_into().map(u64::from_be_bytes).map_err(|_| Bad)
    }
}
impl InKey for PromiseId {
    fn write(&self, key: &mut Vec<u8>) {
        key.extend_from_slice(&self.vat.0.to_be_bytes());
        key.extend_from_slice(&self.n.to_be_bytes());
    }
    fn read(bytes: &[u8]) -> Result<PromiseId, Bad> {
        let (vat, n) = bytes.split_first_chunk::<4>().ok_or(Bad)?;
        Ok(PromiseId { vat: VatId(u32::from_be_bytes(*vat)), n: u64::read(n)? })
    }
}

/// What stands in a table of a session.
pub(crate) trait InRow: Sized {
    fn write(&self, p: &mut Put);
    fn read(g: &mut Get<'_>) -> Result<Self, Bad>;
}

pub(crate) fn maybe<T>(g: &mut Get<'_>, read: impl FnOnce(&mut Get<'_>) -> Result<T, Bad>) -> Result<Option<T>, Bad> {
    if g.flag()? { read(g).map(Some) } else { Ok(None) }
}
pub(crate) fn hash(g: &mut Get<'_>) -> Result<Hash, Bad> {
    g.bytes()?.try_into().map_err(|_| Bad)
}

impl InRow for () {
    fn write(&self, _: &mut Put) {}
    fn read(_: &mut Get<'_>) -> Result<(), Bad> {
        Ok(())
    }
}
impl<T: InRow> InRow for Few<T> {
    fn write(&self, p: &mut Put) {
        p.number(self.len() as u64);
        self.iter().for_each(|x| x.write(p));
    }
    fn read(g: &mut Get<'_>) -> Result<Few<T>, Bad> {
        let n = g.count()?;
        (0..n).map(|_| T::read(g)).collect()
    }
}
impl<T: InRow> InRow for Vec<T> {
    fn write(&self, p: &mut Put) {
        p.number(self.len() as u64);
        self.iter().for_each(|x| x.write(p));
    }
    fn read(g: &mut Get<'_>) -> Result<Vec<T>, Bad> {
        let n = g.count()?;
        (0..n).map(|_| T::read(g)).collect()
    }
}
impl InRow for passable::Message {
    fn write(&self, p: &mut Put) {
        p.message(self);
    }
    fn read(g: &mut Get<'_>) -> Result<passable::Message, Bad> {
        g.message()
    }
}
impl InRow for Thing {
    fn write(&self, p: &mut Put) {
        match self {
            Thing::Bootstrap => p.byte(0),
            Thing::Ref(r) => {
                p.byte(1);
                p.reference(*r);
            }
            Thing::Settled { rejected, value } => {
                p.byte(2);
                p.flag(*rejected);
                p.data(value);
            }
            Thing::Resolver(q) => {
                p.byte(3);
                p.number(*q);
            }
        }
    }
    fn read(g: &mut Get<'_>) -> Result<Thing, Bad> {
        Ok(match g.byte()? {
            0 => Thing::Bootstrap,
            1 => Thing::Ref(g.reference()?),
            2 => Thing::Settled { rejected: g.flag()?, value: g.data()? },
            3 => Thing::Resolver(g.number()?),
            _ => return Err(Bad),
        })
    }
}
impl InRow for Export {
    fn write(&self, p: &mut Put) {
        self.thing.write(p);
        p.number(self.count);
    }
    fn read(g: &mut Get<'_>) -> Result<Export, Bad> {
        Ok(Export { thing: Thing::read(g)?, count: g.number()? })
    }
}
impl InRow for Import {
    fn write(&self, p: &mut Put) {
        p.flag(self.promise);
        p.flag(self.n.is_some());
        if let Some(n) = self.n {
            p.number(n);
        }
        p.number(self.received);
        p.number(u64::from(self.uses));
    }
    fn read(g: &mut Get<'_>) -> Result<Import, Bad> {
        let (promise, n) = (g.flag()?, maybe(g, |g| g.number())?);
        let (received, uses) = (g.number()?, u32::try_from(g.number()?).map_err(|_| Bad)?);
        Ok(Import { promise, n, received, uses })
    }
}
impl InRow for Object {
    fn write(&self, p: &mut Put) {
        let (kind, n) = match self {
            Object::Import(position) => (0, *position),
            Object::Bootstrap => (1, 0),
            Object::Resolver(q) => (2, *q),
        };
        p.byte(kind);
        p.number(n);
    }
    fn read(g: &mut Get<'_>) -> Result<Object, Bad> {
        Ok(match (g.byte()?, g.number()?) {
            (0, position) => Object::Import(position),
            (1, 0) => Object::Bootstrap,
            (2, q) => Object::Resolver(q),
            _ => return Err(Bad),
        })
    }
}
impl InRow for Place {
    fn write(&self, p: &mut Put) {
        let (kind, n) = match self {
            Place::Answer(n) => (0, *n),
            Place::Export(n) => (1, *n),
        };
        p.byte(kind);
        p.number(n);
    }
    fn read(g: &mut Get<'_>) -> Result<Place, Bad> {
        match (g.byte()?, g.number()?) {
            (0, n) => Ok(Place::Answer(n)),
            (1, n) => Ok(Place::Export(n)),
            _ => Err(Bad),
        }
    }
}
impl InRow for Owed {
    fn write(&self, p: &mut Put) {
        self.place.write(p);
        p.flag(self.sent);
        p.flag(self.fenced);
    }
    fn read(g: &mut Get<'_>) -> Result<Owed, Bad> {
        Ok(Owed { place: Place::read(g)?, sent: g.flag()?, fenced: g.flag()? })
    }
}
impl InRow for Question {
    fn write(&self, p: &mut Put) {
        match &self.why {
            Why::Nothing => p.byte(0),
            Why::Message(answer) => {
                p.byte(1);
                p.maybe_promise(*answer);
            }
            Why::Listen { position, promise } => {
                p.byte(2);
                p.number(*position);
                p.promise(*promise);
            }
            Why::Fence { promise, rejected, value } => {
                p.byte(3);
                p.promise(*promise);
                p.flag(*rejected);
                p.data(value);
            }
        }
    }
    fn read(g: &mut Get<'_>) -> Result<Question, Bad> {
        let why = match g.byte()? {
            0 => Why::Nothing,
            1 => Why::Message(g.maybe_promise()?),
            2 => Why::Listen { position: g.number()?, promise: g.promise()? },
            3 => Why::Fence { promise: g.promise()?, rejected: g.flag()?, value: g.data()? },
            _ => return Err(Bad),
        };
        Ok(Question { why })
    }
}
impl InRow for Resolver {
    fn write(&self, p: &mut Put) {
        match self {
            Resolver::Peer(position) => {
                p.byte(0);
                p.number(*position);
            }
            Resolver::Host(r) => {
                p.byte(1);
                p.reference(*r);
            }
        }
    }
    fn read(g: &mut Get<'_>) -> Result<Resolver, Bad> {
        match g.byte()? {
            0 => Ok(Resolver::Peer(g.number()?)),
            1 => Ok(Resolver::Host(g.reference()?)),
            _ => Err(Bad),
        }
    }
}
impl InRow for Waiting {
    fn write(&self, p: &mut Put) {
        match self {
            Waiting::Delivery(d) => {
                p.byte(0);
                p.what(&d.what);
                p.number(d.dropped.len() as u64);
                for (n, recognised) in &d.dropped {
                    p.number(*n);
                    p.flag(*recognised);
                }
                p.number(d.retired.len() as u64);
                d.retired.iter().for_each(|r| p.reference(*r));
            }
            Waiting::Fetch { swiss, promise } => {
                p.byte(1);
                p.bytes(swiss);
                p.promise(*promise);
            }
            Waiting::Withdraw(w) => {
                p.byte(2);
                p.bytes(&w.give);
                p.bytes(&w.keys.seed);
                p.promise(w.promise);
            }
        }
    }
    fn read(g: &mut Get<'_>) -> Result<Waiting, Bad> {
        Ok(match g.byte()? {
            0 => {
                let what = g.what()?;
                let n = g.count()?;
                let dropped = (0..n).map(|_| Ok((g.number()?, g.flag()?))).collect::<Result<_, Bad>>()?;
                let n = g.count()?;
                let retired = (0..n).map(|_| g.reference()).collect::<Result<_, _>>()?;
                Waiting::Delivery(Delivery { what, dropped, retired })
            }
            1 => Waiting::Fetch { swiss: g.bytes()?.to_vec(), promise: g.promise()? },
            2 => {
                let (give, seed) = (g.bytes()?.to_vec(), hash(g)?);
                Waiting::Withdraw(Box::new(Withdraw { give, keys: Keys::new(&seed), promise: g.promise()? }))
            }
            _ => return Err(Bad),
        })
    }
}
impl InRow for Withdrawal {
    fn write(&self, p: &mut Put) {
        p.vat(self.by);
        p.promise(self.promise);
    }
    fn read(g: &mut Get<'_>) -> Result<Withdrawal, Bad> {
        Ok(Withdrawal { by: g.vat()?, promise: g.promise()? })
    }
}
impl InRow for Gift {
    fn write(&self, p: &mut Put) {
        p.vat(self.from);
        p.reference(self.what);
    }
    fn read(g: &mut Get<'_>) -> Result<Gift, Bad> {
        Ok(Gift { from: g.vat()?, what: g.reference()? })
    }
}
impl InRow for Known {
    fn write(&self, p: &mut Put) {
        p.flag(self.seen.is_some());
        if let Some(seen) = &self.seen {
            p.number(seen.incarnation);
            p.number(seen.number);
            p.bytes(&seen.hash);
        }
        p.flag(self.ended.is_some());
        if let Some((id, why)) = &self.ended {
            p.bytes(id);
            p.text(why);
        }
    }
    fn read(g: &mut Get<'_>) -> Result<Known, Bad> {
        let seen = maybe(g, |g| Ok(Seen { incarnation: g.number()?, number: g.number()?, hash: hash(g)? }))?;
        Ok(Known { seen, ended: maybe(g, |g| Ok((hash(g)?, g.text()?)))? })
    }
}
