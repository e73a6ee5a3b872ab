//! Who holds what: exports of vats, and promises.
//!
//! Invariants
//! - `transit` counts queued deliveries and settled promises that name a reference; holders are vats;
//! - an entry goes when neither is left (an export: when its vat has been told so).
use crate::{Node, Queued};
use passable::{Data, ObjectId, PromiseId, Ref, VatId, What};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

/// A map whose order nobody sees: looked up by ids only.
pub type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// Mixes small whole numbers; ids come from counters, never from a program.
#[derive(Clone, Copy, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.write_u64(*b as u64);
        }
    }
    fn write_u32(&mut self, n: u32) {
        self.write_u64(n as u64);
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// The decider of an answer while its message has not reached a vat.
pub(crate) const NOBODY: VatId = VatId(u32::MAX);

/// A small set of vats: mostly one.
#[derive(Debug)]
pub(crate) struct Holders {
    /// NOBODY: none.
    first: VatId,
    /// Sorted.
    more: Vec<VatId>,
}

impl Default for Holders {
    fn default() -> Holders {
        Holders { first: NOBODY, more: Vec::new() }
    }
}

impl Holders {
    pub fn one(v: VatId) -> Holders {
        Holders { first: v, more: Vec::new() }
    }
    pub fn insert(&mut self, v: VatId) {
        if self.first == NOBODY {
            self.first = v;
        } else if self.first != v
            && let Err(i) = self.more.binary_search(&v)
        {
            self.more.insert(i, v);
        }
    }
    pub fn remove(&mut self, v: VatId) {
        if self.first == v {
            self.first = self.more.pop().unwrap_or(NOBODY);
        } else if let Ok(i) = self.more.binary_search(&v) {
            self.more.remove(i);
        }
    }
    pub fn contains(&self, v: VatId) -> bool {
        self.first == v || self.more.binary_search(&v).is_ok()
    }
    pub fn is_empty(&self) -> bool {
        self.first == NOBODY
    }
    /// The vat in it, if there is one and no other.
    pub fn only(&self) -> Option<VatId> {
        (self.first != NOBODY && self.more.is_empty()).then_some(self.first)
    }
    pub fn iter(&self) -> impl Iterator<Item = VatId> + '_ {
        (self.first != NOBODY).then_some(self.first).into_iter().chain(self.more.iter().copied())
    }
}

/// An object that others hold.
#[derive(Debug, Default)]
pub(crate) struct Export {
    pub holders: Holders,
    /// Vats that do not hold it and would recognise it.
    pub recognisers: Holders,
    pub transit: u32,
    /// It has a row in the store.
    pub stored: bool,
    /// The vat's turn that first gave it away.
    pub born: u64,
}

impl Export {
    /// One that is given away in the vat's turn `born`.
    pub fn new(born: u64) -> Export {
        Export { born, ..Export::default() }
    }
    pub fn is_loose(&self) -> bool {
        self.holders.is_empty() && self.transit == 0
    }
    pub fn is_recognised(&self) -> bool {
        !self.recognisers.is_empty()
    }
}

#[derive(Debug)]
pub(crate) enum State {
    Pending,
    Forwarded(PromiseId),
    Settled { rejected: bool, value: Data },
}

/// A promise that more than one vat knows.
#[derive(Debug)]
pub(crate) struct Promise {
    /// The vat whose turn resolves it; the host for powers.
    pub decider: VatId,
    pub state: State,
    pub holders: Holders,
    pub listeners: Holders,
    /// Messages sent on it, in order, with their senders.
    pub waiting: Vec<(VatId, Queued)>,
    pub waiting_bytes: u64,
    /// Promises that become what this one becomes.
    pub followers: Vec<PromiseId>,
    pub transit: u32,
    /// Somebody will hear of a rejection.
    pub handled: bool,
    /// The vat that dropped it without ever looking: a rejection is reported in its name.
    pub orphan: Option<VatId>,
    /// It has a row in the store.
    pub stored: bool,
    /// The answer to an operator's message that is `Queued::young`.
    pub young: bool,
}

impl Promise {
    pub fn new(decider: VatId, holder: VatId) -> Promise {
        Promise {
            decider,
            state: State::Pending,
            holders: Holders::one(holder),
            listeners: Holders::default(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            followers: Vec::new(),
            transit: 0,
            handled: false,
            orphan: None,
            stored: false,
            young: false,
        }
    }
}

impl Promise {
    pub fn is_needed(&self) -> bool {
        !self.holders.is_empty()
            || self.transit > 0
            || !self.waiting.is_empty()
            || !self.followers.is_empty()
            || self.orphan.is_some() && matches!(self.state, State::Pending)
    }
}

impl Node {
    /// For a change that is stored.
    pub(crate) fn export_mut(&mut self, o: ObjectId) -> Option<&mut Export> {
        self.dirty.export(o);
        self.vat_mut(o.vat)?.exports.get_mut(&o.n)
    }

    /// May `vat` name `r`? What is its own and new is entered.
    pub(crate) fn may_name(&mut self, vat: VatId, r: Ref) -> bool {
        match r {
            Ref::Power(_) => true,
            Ref::Object(o) if o.vat == vat => {
                if let Some(v) = self.vats.get_mut(vat.0 as usize).and_then(|v| v.as_deref_mut())
                    && let Entry::Vacant(place) = v.exports.entry(o.n)
                {
                    place.insert(Export::new(v.turns));
                    self.first_named.push(r);
                }
                true
            }
            // an object of a dead vat may still be named: what is sent to it is rejected
            Ref::Object(o) => match self.vat_ref(o.vat) {
                None => (o.vat.0 as usize) < self.vats.len() && o.vat.0 != 0,
                Some(v) => v.exports.get(&o.n).is_some_and(|e| e.holders.contains(vat)),
            },
            Ref::Promise(p) => match self.promises.get(&p) {
                Some(e) => e.holders.contains(vat) || e.decider == vat,
                None if p.vat == vat => {
                    // one that it decides, passed on for the first time
                    let mut e = Promise::new(vat, vat);
                    e.holders.remove(vat);
                    self.insert_promise(p, e);
                    self.first_named.push(r);
                    true
                }
                None => false,
            },
        }
    }

    /// What an op named for the first time stays if something holds it now: the op may have come to nothing.
    pub(crate) fn look_at_first_named(&mut self) {
        while let Some(r) = self.first_named.pop() {
            match r {
                Ref::Object(o) => self.look_at_export(o),
                Ref::Promise(p) => self.look_at_promise(p),
                Ref::Power(_) => {}
            }
        }
    }

    /// Something queued names it.
    pub(crate) fn retain(&mut self, r: Ref) {
        match r {
            Ref::Object(o) => {
                if let Some(v) = self.vat_mut(o.vat) {
                    v.exports.entry(o.n).or_default().transit += 1;
                }
            }
            Ref::Promise(p) => {
                if let Some(e) = self.promises.get_mut(&p) {
                    e.transit += 1;
                }
            }
            Ref::Power(_) => {}
        }
    }

    pub(crate) fn release(&mut self, r: Ref) {
        match r {
            Ref::Object(o) => {
                if let Some(e) = self.vat_mut(o.vat).and_then(|v| v.exports.get_mut(&o.n)) {
                    e.transit = e.transit.saturating_sub(1);
                    if e.is_loose() {
                        self.look_at_export(o);
                    }
                }
            }
            Ref::Promise(p) => {
                if let Some(e) = self.promises.get_mut(&p) {
                    e.transit = e.transit.saturating_sub(1);
                    if !e.is_needed() {
                        self.look_at_promise(p);
                    }
                }
            }
            Ref::Power(_) => {}
        }
    }

    /// Calls `f` for each reference in a delivery, its target included.
    pub(crate) fn each_ref(what: &What, mut f: impl FnMut(Ref)) {
        let (a, b, target) = what.refs();
        a.iter().for_each(|r| f(*r));
        b.iter().for_each(|r| f(*r));
        target.into_iter().for_each(f);
    }

    pub(crate) fn retain_all(&mut self, what: &What) {
        Node::each_ref(what, |r| self.retain(r));
    }
    pub(crate) fn release_all(&mut self, what: &What) {
        Node::each_ref(what, |r| self.release(r));
    }

    /// `vat` holds `r` from now on.
    pub(crate) fn hold(&mut self, vat: VatId, r: Ref) {
        match r {
            Ref::Object(o) if o.vat != vat => {
                if let Some(e) = self.export_mut(o) {
                    e.holders.insert(vat);
                    e.recognisers.remove(vat);
                }
            }
            Ref::Promise(p) => {
                if let Some(e) = self.promise_mut(p) {
                    e.holders.insert(vat);
                }
            }
            _ => {}
        }
    }

    /// What a vat is to be told with a delivery: exports that nothing holds, references that are no more.
    pub(crate) fn take_news(&mut self, vat: VatId) -> (Vec<(u64, bool)>, Vec<Ref>) {
        let Some(v) = self.vats.get_mut(vat.0 as usize).and_then(|v| v.as_deref_mut()) else { return Default::default() };
        let mut retired = std::mem::take(&mut v.retired);
        // a promise of a session may have been named again
        retired.retain(|r| !matches!(r, Ref::Promise(p) if self.promises.contains_key(p)));
        let mut dropped = Vec::new();
        for n in std::mem::take(&mut v.loose) {
            if let Some(e) = v.exports.get(&n)
                && e.is_loose()
            {
                let recognised = e.is_recognised();
                if !recognised
                    && let Some(e) = v.exports.remove(&n)
                    && e.stored
                {
                    self.dirty.gone(ken::rows::EXPORTS, &ken::rows::pair(vat, n));
                }
                dropped.push((n, recognised));
            }
        }
        (dropped, retired)
    }

    /// An export that nothing holds is told to its vat with the next delivery.
    pub(crate) fn look_at_export(&mut self, o: ObjectId) {
        let Some(v) = self.vat_mut(o.vat) else { return };
        if v.exports.get(&o.n).is_some_and(Export::is_loose) {
            v.loose.push(o.n);
            self.dirty.vat(o.vat);
            self.tell_session(o.vat);
        }
    }

    /// Forgets a promise that nothing needs.
    pub(crate) fn look_at_promise(&mut self, p: PromiseId) {
        let (mut next, mut todo) = (Some(p), Vec::new());
        while let Some(p) = next.take().or_else(|| todo.pop()) {
            let Entry::Occupied(e) = self.promises.entry(p) else { continue };
            if e.get().is_needed() {
                continue;
            }
            let e = e.remove();
            if e.stored {
                self.dirty.gone(ken::rows::PROMISES, &ken::rows::promise(p));
            }
            if self.is_session(e.decider)
                && let Some(v) = self.vat_mut(e.decider)
            {
                v.retired.push(Ref::Promise(p));
                self.dirty.vat(e.decider);
                self.tell_session(e.decider);
            }
            match e.state {
                State::Pending if e.decider == passable::HOST => {
                    self.open_requests = self.open_requests.saturating_sub(1);
                    self.out.push(crate::Effect::Cancel { answer: p });
                }
                State::Pending => {}
                State::Forwarded(q) => {
                    if let Some(next) = self.promise_mut(q) {
                        next.followers.retain(|f| *f != p);
                        todo.push(q);
                    }
                }
                State::Settled { value, .. } => {
                    for r in value.slots {
                        match r {
                            Ref::Promise(q) => {
                                if let Some(next) = self.promises.get_mut(&q) {
                                    next.transit = next.transit.saturating_sub(1);
                                    todo.push(q);
                                }
                            }
                            r => self.release(r),
                        }
                    }
                }
            }
        }
    }

    /// `vat` holds `r` no longer.
    pub(crate) fn drop_ref(&mut self, vat: VatId, r: Ref, recognised: bool) {
        match r {
            Ref::Object(o) => {
                if let Some(e) = self.export_mut(o) {
                    e.holders.remove(vat);
                    if recognised {
                        e.recognisers.insert(vat);
                    } else {
                        e.recognisers.remove(vat);
                    }
                    self.look_at_export(o);
                }
            }
            Ref::Promise(p) => {
                let session = self.is_session(vat);
                if let Some(e) = self.promise_mut(p) {
                    e.holders.remove(vat);
                    e.listeners.remove(vat);
                    let held = e.holders.iter().any(|h| h != passable::HOST);
                    let told = vat != passable::HOST && !session;
                    if !e.handled && !held && e.transit == 0 && e.decider != vat && told {
                        e.orphan = Some(vat);
                    }
                    self.look_at_promise(p);
                }
            }
            Ref::Power(_) => {}
        }
    }

    /// The object is no more: those who would recognise it are told.
    pub(crate) fn retired(&mut self, o: ObjectId) {
        let Some(v) = self.vat_mut(o.vat) else { return };
        if !v.exports.get(&o.n).is_some_and(Export::is_loose) {
            return;
        }
        let Some(e) = v.exports.remove(&o.n) else { return };
        if e.stored {
            self.dirty.gone(ken::rows::EXPORTS, &ken::rows::object(o));
        }
        for h in e.recognisers.iter() {
            self.dirty.vat(h);
            if let Some(v) = self.vat_mut(h) {
                v.retired.push(Ref::Object(o));
            }
        }
    }
}
