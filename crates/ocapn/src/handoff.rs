//! What the bootstrap object does: sturdyrefs are fetched, gifts deposited and withdrawn; and the gifts that are for this host.
//!
//! ```text
//! gifter → exporter   ['deposit-gift id <desc:export n>]
//! gifter → receiver   <desc:sig-envelope <desc:handoff-give receiver-key exporter session gifter-side id> signature>
//! receiver → exporter ['withdraw-gift <desc:sig-envelope <desc:handoff-receive session side count give> signature>]
//! ```
//! Invariants
//! - a gift goes to whoever has the receiver's key and a give that the depositing peer has signed, once;
//! - a handoff count is used once in a session;
//! - gifts and withdrawals that wait are bounded for each session, and end with it;
//! - the receiver verifies nothing of a give but that it is for its key: only the exporter knows the gifter.
use crate::deliver::bootstrap;
use crate::keys::{self, Hash};
use crate::peer::MAX_SWISS_BYTES;
use crate::receive::Answer;
use crate::session::{MAX_WAITING, Session, Waiting, Withdraw};
use crate::write::write_place;
use crate::{Abort, Captp, Home, Out, Peer, Sturdyref};
use passable::syrup::{Fault, Reader, Token, Writer};
use passable::{Data, Op, PromiseId, Ref, Resolution, VatId};

/// Gifts and withdrawals of one session that wait.
pub const MAX_GIFTS: usize = 10_000;
/// Handoff counts above the ones that were used without a gap.
pub const MAX_HANDOFF_GAPS: usize = 10_000;
/// Bytes of a gift's id.
const MAX_GIFT_ID_BYTES: usize = 1024;

/// A gift's name: the session of gifter and exporter, and the id as it stands.
pub(crate) type GiftKey = (Hash, Vec<u8>);

/// A gift that is there.
#[derive(Debug)]
pub(crate) struct Gift {
    pub from: VatId,
    pub what: Ref,
}

/// A withdrawal that waits for its gift.
#[derive(Debug)]
pub(crate) struct Withdrawal {
    pub by: VatId,
    pub promise: PromiseId,
}

/// How a withdrawal went.
enum Withdrawn {
    Now(Ref),
    Later(GiftKey),
    Not(&'static str),
}

/// A signed give.
struct Give<'a> {
    receiver: Hash,
    exporter: Peer,
    session: &'a [u8],
    side: &'a [u8],
    id: Vec<u8>,
    /// What is signed.
    object: &'a [u8],
    signature: [u8; 64],
}

impl<'a> Give<'a> {
    /// The label of the envelope has been read.
    fn read(r: &mut Reader<'a>) -> Result<Give<'a>, Fault> {
        let object = { *r }.raw()?;
        r.record_of("desc:handoff-give", 5)?;
        let receiver = keys::read_public(r)?;
        let exporter = Peer::read(r)?;
        let (session, side) = (r.bytes()?, r.bytes()?);
        let id = gift_id(r)?;
        r.end()?;
        let signature = keys::read_signature(r)?;
        r.end()?;
        Ok(Give { receiver, exporter, session, side, id, object, signature })
    }
}

/// Bytes with some, an integer with others.
fn gift_id(r: &mut Reader<'_>) -> Result<Vec<u8>, Fault> {
    match r.peek()? {
        Token::Bytes(b) if b.len() > MAX_GIFT_ID_BYTES => Err(Fault::TooLong),
        Token::Bytes(_) | Token::Integer { .. } => Ok(r.raw()?.to_vec()),
        _ => Err(Fault::Unexpected),
    }
}

fn too_much_waits() -> Data {
    Data::error("RangeError", "limit: messages waiting for a host that has not answered")
}

fn refusal(name: &str, why: &str) -> (bool, Data) {
    (true, Data::error(name, why))
}

impl Captp {
    /// A message to the bootstrap object.
    pub(crate) fn bootstrap(
        &mut self,
        s: &mut Session,
        mut r: Reader<'_>,
        answer: Answer,
        home: &mut dyn Home,
    ) -> Result<(), Abort> {
        let n = r.list()?;
        let method = match (n, r.token()?) {
            (1.., Token::Symbol(method)) => method,
            _ => "",
        };
        let (rejected, value) = match (method, n) {
            ("fetch", 2) => self.fetch(s, &mut r, home)?,
            ("deposit-gift", 3) => self.deposit_gift(s, &mut r, home)?,
            ("withdraw-gift", 2) => match self.withdraw_gift(s, &mut r)? {
                Withdrawn::Now(what) => (false, Data::reference(what)),
                Withdrawn::Later(key) => {
                    self.wait_for_gift(s, key, answer);
                    return Ok(());
                }
                Withdrawn::Not(why) => refusal("Error", why),
            },
            _ => refusal("TypeError", "the bootstrap object takes fetch, deposit-gift and withdraw-gift"),
        };
        // what it is was put to the session for this; it stays as long as the peer knows it
        s.hold_all(&value);
        let slots = value.slots.clone();
        self.tell_now(s, answer, rejected, value);
        slots.into_iter().for_each(|r| s.release(r));
        Ok(())
    }

    /// The session holds this from now on. It may have been about to let it go.
    fn grant(&mut self, s: &mut Session, what: Ref) {
        s.ops.retain(|op| !matches!(op, Op::Drop { what: dropped, .. } if *dropped == what));
        self.out.push(Out::Hold { session: s.vat, what });
    }

    fn fetch(&mut self, s: &mut Session, r: &mut Reader<'_>, home: &mut dyn Home) -> Result<(bool, Data), Abort> {
        let swiss = match r.token()? {
            Token::Bytes(b) if b.len() <= MAX_SWISS_BYTES => b,
            Token::String(t) if t.len() <= MAX_SWISS_BYTES => t.as_bytes(),
            _ => return Err(Fault::Unexpected.into()),
        };
        Ok(match home.lookup(swiss) {
            Some(what) => {
                self.grant(s, what);
                (false, Data::reference(what))
            }
            None => refusal("Error", "nothing is registered under this swissnum"),
        })
    }

    fn deposit_gift(&mut self, s: &mut Session, r: &mut Reader<'_>, home: &mut dyn Home) -> Result<(bool, Data), Abort> {
        let id = gift_id(r)?;
        let mut w = passable::Writer::new();
        self.take(s, r, &mut w, home)?;
        let what = match w.done().as_reference() {
            Some(Ref::Object(o)) if o.vat != s.vat => Ref::Object(o),
            _ => return Ok(refusal("TypeError", "a gift is an object of the host where it is deposited")),
        };
        let Some(live) = &s.live else { return Err(Fault::Unexpected.into()) };
        let key = (live.id, id);
        if let Some(first) = self.first_withdrawal(&key) {
            if first.by == s.vat {
                self.grant(s, what);
                hand_over(s, first.promise, what);
            } else if let Some(mut receiver) = self.sessions.remove(&first.by) {
                self.grant(&mut receiver, what);
                hand_over(&mut receiver, first.promise, what);
                self.sessions.insert(first.by, receiver);
                self.dirty.insert(first.by);
            }
            return Ok((false, Data::undefined()));
        }
        if self.gifts.contains_key(&key) {
            return Ok(refusal("Error", "a gift with this id is there"));
        }
        if s.gifts >= MAX_GIFTS {
            return Ok(refusal("RangeError", "limit: gifts that nobody withdraws"));
        }
        s.gifts += 1;
        s.hold(what);
        self.gifts.insert(key, Gift { from: s.vat, what });
        Ok((false, Data::undefined()))
    }

    fn first_withdrawal(&mut self, key: &GiftKey) -> Option<Withdrawal> {
        let all = self.withdrawals.get_mut(key)?;
        // a key that is there has one
        let first = all.remove(0);
        if all.is_empty() {
            self.withdrawals.remove(key);
        }
        Some(first)
    }

    /// What was given is put to the session.
    fn withdraw_gift(&mut self, s: &mut Session, r: &mut Reader<'_>) -> Result<Withdrawn, Abort> {
        r.record_of("desc:sig-envelope", 2)?;
        let signed = { *r }.raw()?;
        r.record_of("desc:handoff-receive", 4)?;
        let (session, side, count) = (r.bytes()?, r.bytes()?, r.natural()?);
        r.record_of("desc:sig-envelope", 2)?;
        let give = Give::read(r)?;
        r.end()?;
        let signature = keys::read_signature(r)?;
        r.end()?;
        let Some(live) = &s.live else { return Err(Fault::Unexpected.into()) };
        if session != live.id {
            return Ok(Withdrawn::Not("the handoff is not for this session"));
        }
        if side != live.peer_id {
            return Ok(Withdrawn::Not("the handoff is not for this side of the session"));
        }
        let Some((key, by)) = self.gifter(s, &give) else {
            return Ok(Withdrawn::Not("the gifter has no session with this host, or did not sign the gift"));
        };
        if !keys::verify(&give.receiver, signed, &signature) {
            return Ok(Withdrawn::Not("the withdrawal is not signed by the receiver"));
        }
        if !s.use_handoff(count) {
            return Ok(Withdrawn::Not("the handoff count was used before"));
        }
        match self.gifts.remove(&key) {
            Some(gift) => {
                debug_assert_eq!(gift.from, by);
                self.grant(s, gift.what);
                self.take_from(s, &gift);
                Ok(Withdrawn::Now(gift.what))
            }
            None if s.gifts >= MAX_GIFTS => Ok(Withdrawn::Not("limit: withdrawals that wait for their gifts")),
            None => Ok(Withdrawn::Later(key)),
        }
    }

    /// The gift's name, and the session of the peer that gave it.
    fn gifter(&self, s: &Session, give: &Give<'_>) -> Option<(GiftKey, VatId)> {
        let id: Hash = give.session.try_into().ok()?;
        let by = *self.live.get(&id)?;
        let live = if by == s.vat { s.live.as_ref() } else { self.sessions.get(&by)?.live.as_ref() }?;
        let fine = give.side == live.peer_id && keys::verify(&live.peer_key, give.object, &give.signature);
        fine.then(|| ((id, give.id.clone()), by))
    }

    /// The gifter's session does not keep the gift any longer.
    fn take_from(&mut self, s: &mut Session, gift: &Gift) {
        if gift.from == s.vat {
            s.gifts -= 1;
            s.for_now.push(gift.what);
        } else if let Some(from) = self.sessions.get_mut(&gift.from) {
            from.gifts = from.gifts.saturating_sub(1);
            from.release(gift.what);
            self.dirty.insert(gift.from);
        }
    }

    fn wait_for_gift(&mut self, s: &mut Session, key: GiftKey, answer: Answer) {
        let promise = s.new_promise();
        let r = Ref::Promise(promise);
        self.grant(s, r);
        s.local.insert(promise, ());
        s.gifts += 1;
        s.hold(r);
        s.owe(promise, answer);
        self.withdrawals.or_insert(key, Vec::new).push(Withdrawal { by: s.vat, promise });
    }

    /// A give that came to this host as receiver: the promise of what is given. `fields` is behind the envelope's label, `give` the whole.
    pub(crate) fn accept_gift(
        &mut self,
        s: &mut Session,
        mut fields: Reader<'_>,
        give: &[u8],
        home: &mut dyn Home,
    ) -> Result<PromiseId, Abort> {
        let read = Give::read(&mut fields)?;
        let Some(live) = &s.live else { return Err(Fault::Unexpected.into()) };
        let keys = live.keys.clone();
        if keys::public_record(&read.receiver) != keys.record {
            return Err(Abort::new("a handoff that is for another's key".to_owned()));
        }
        if self.here.contains(&read.exporter.key()) {
            return Ok(self.gift_of_own(s, &read));
        }
        let vat = match self.session_for(&read.exporter, home) {
            Ok(vat) => vat,
            Err(why) => return Ok(self.own_promise(s, Resolution::Rejected(why))),
        };
        if vat == s.vat {
            let promise = s.new_promise();
            self.withdraw(s, Withdraw { give: give.to_vec(), keys, promise });
            return Ok(promise);
        }
        let Some(mut other) = self.sessions.remove(&vat) else { return Err(Fault::Unexpected.into()) };
        if other.waiting.len() >= MAX_WAITING {
            self.sessions.insert(vat, other);
            return Ok(self.own_promise(s, Resolution::Rejected(too_much_waits())));
        }
        let promise = other.new_promise();
        let withdraw = Withdraw { give: give.to_vec(), keys, promise };
        self.grant(s, Ref::Promise(promise));
        s.hold(Ref::Promise(promise));
        s.for_now.push(Ref::Promise(promise));
        if other.live.is_some() {
            self.withdraw(&mut other, withdraw);
        } else {
            other.wait(Waiting::Withdraw(Box::new(withdraw)));
        }
        self.sessions.insert(vat, other);
        self.dirty.insert(vat);
        Ok(promise)
    }

    /// A gift whose exporter is this very host.
    fn gift_of_own(&mut self, s: &mut Session, give: &Give<'_>) -> PromiseId {
        let gift = self.gifter(s, give).and_then(|(key, _)| self.gifts.remove(&key));
        let to = match gift {
            Some(gift) => {
                self.grant(s, gift.what);
                self.take_from(s, &gift);
                s.hold(gift.what);
                s.for_now.push(gift.what);
                Resolution::Fulfilled(Data::reference(gift.what))
            }
            None => Resolution::Rejected(Data::error("Error", "the gift is not there")),
        };
        self.own_promise(s, to)
    }

    /// A promise of the session that is resolved already, held until the message is over.
    pub(crate) fn own_promise(&mut self, s: &mut Session, to: Resolution) -> PromiseId {
        let promise = s.new_promise();
        self.grant(s, Ref::Promise(promise));
        s.hold(Ref::Promise(promise));
        s.for_now.push(Ref::Promise(promise));
        s.ops.push(Op::Resolve { promise, to });
        promise
    }

    /// Asks the session's peer for a gift.
    pub(crate) fn withdraw(&mut self, s: &mut Session, wanted: Withdraw) {
        let Some(live) = &s.live else { return };
        let mut receive = Writer::new();
        receive.record("desc:handoff-receive");
        receive.bytes(&live.id);
        receive.bytes(&live.keys.id);
        receive.natural(s.next_handoff);
        receive.raw(&wanted.give);
        receive.end();
        let receive = receive.done();
        s.next_handoff += 1;
        let signature = wanted.keys.sign(&receive);
        s.ask_bootstrap("withdraw-gift", wanted.promise, |w| {
            w.record("desc:sig-envelope");
            w.raw(&receive);
            keys::write_signature(w, &signature);
            w.end();
        });
    }

    /// Something by its sturdyref.
    pub(crate) fn import(&mut self, uri: &str, answer: PromiseId, home: &mut dyn Home) {
        let sturdy = match Sturdyref::from_uri(uri) {
            Ok(sturdy) => sturdy,
            Err(why) => {
                let to = Resolution::Rejected(Data::error("TypeError", &why.to_string()));
                return self.out.push(Out::Settle { promise: answer, to });
            }
        };
        let vat = match self.session_for(&sturdy.peer, home) {
            Ok(vat) => vat,
            Err(why) => return self.out.push(Out::Settle { promise: answer, to: Resolution::Rejected(why) }),
        };
        let Some(s) = self.sessions.get_mut(&vat) else { return };
        if s.waiting.len() >= MAX_WAITING {
            return self.out.push(Out::Settle { promise: answer, to: Resolution::Rejected(too_much_waits()) });
        }
        let promise = s.new_promise();
        self.out.push(Out::Settle { promise: answer, to: Resolution::Forwarded(promise) });
        if s.live.is_some() {
            s.fetch_from_peer(&sturdy.swiss, promise);
        } else {
            s.wait(Waiting::Fetch { swiss: sturdy.swiss, promise });
        }
        self.dirty.insert(vat);
    }
}

impl Captp {
    /// The session has ended: so have its gifts, and the withdrawals that wait for gifts of it, and those that it made.
    pub(crate) fn forget_gifts(&mut self, vat: VatId, id: &Hash) {
        let of_session = |key: &GiftKey| key.0 == *id;
        let gone: Vec<GiftKey> = self.gifts.keys().filter(|k| of_session(k)).cloned().collect();
        for key in gone {
            self.gifts.remove(&key);
        }
        let mut lost = Vec::new();
        let touched: Vec<GiftKey> =
            self.withdrawals.iter().filter(|w| of_session(w.0) || w.1.iter().any(|w| w.by == vat)).map(|w| w.0.clone()).collect();
        for key in touched {
            let mut all = self.withdrawals.remove(&key).unwrap_or_default();
            all.retain(|w| w.by != vat);
            if of_session(&key) {
                lost.append(&mut all);
            }
            if !all.is_empty() {
                self.withdrawals.insert(key, all);
            }
        }
        for w in lost {
            let Some(s) = self.sessions.get_mut(&w.by) else { continue };
            s.gifts = s.gifts.saturating_sub(1);
            s.local.remove(&w.promise);
            let why = Data::error("Error", "the session of the gifter ended before the gift came");
            s.ops.push(Op::Resolve { promise: w.promise, to: Resolution::Rejected(why) });
            s.release(Ref::Promise(w.promise));
            self.dirty.insert(w.by);
        }
    }
}

/// A withdrawal that waited gets its gift.
fn hand_over(receiver: &mut Session, promise: PromiseId, what: Ref) {
    receiver.gifts = receiver.gifts.saturating_sub(1);
    receiver.local.remove(&promise);
    receiver.hold(what);
    receiver.ops.push(Op::Resolve { promise, to: Resolution::Fulfilled(Data::reference(what)) });
    receiver.release(what);
    receiver.release(Ref::Promise(promise));
}

impl Session {
    pub(crate) fn fetch_from_peer(&mut self, swiss: &[u8], promise: PromiseId) {
        self.ask_bootstrap("fetch", promise, |w| w.bytes(swiss));
    }

    fn ask_bootstrap(&mut self, method: &str, promise: PromiseId, argument: impl FnOnce(&mut Writer)) {
        let mut w = Writer::new();
        w.record("op:deliver");
        write_place(&mut w, bootstrap());
        w.list();
        w.symbol(method);
        argument(&mut w);
        w.end();
        self.ask(&mut w, Some(promise));
        w.end();
        self.write(w);
    }

    /// False: it was used before, or is too far ahead.
    fn use_handoff(&mut self, count: u64) -> bool {
        if count < self.handoffs_below || self.handoffs.len() >= MAX_HANDOFF_GAPS || self.handoffs.insert(count, ()).is_some() {
            return false;
        }
        while self.handoffs.remove(&self.handoffs_below).is_some() {
            self.handoffs_below += 1;
        }
        true
    }
}
