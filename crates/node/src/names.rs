//! Names in the network: sturdyrefs of this host's objects, and references that are imported by theirs.
//!
//! In: requests of the powers `net` and `names`, secrets drawn outside. Out: sturdyrefs as URIs, objects by their swissnums.
//!
//! Invariants
//! - an object with a sturdyref is held by the host until the last one is revoked, or its vat ends;
//! - a swissnum is kept as its keyed hash alone: no look-up takes longer the more of a guess is right, and rows tell none;
//! - sturdyrefs survive restarts; an import that is under way is a promise of a session, and ends with it.
use crate::refs::{Promise, State};
use crate::{Effect, Node};
use ken::codec::{Get, Put};
use ken::rows;
use ocapn::{In, Peer, Sturdyref};
use passable::{Bad, Data, HOST, NetAsk, ObjectId, PromiseId, Ref, TurnId, VatId};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use store::{Batch, Store};

/// Sturdyrefs that a host keeps at most.
pub const MAX_STURDYREFS: usize = 1_000_000;

type Hash = [u8; 32];

/// What a swissnum names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Named {
    object: ObjectId,
    /// In the order in which they were made, from 1; 0: the root.
    number: u64,
    /// The swissnum was chosen, not drawn.
    chosen: bool,
}

/// A sturdyref, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sturdy {
    pub number: u64,
    pub vat: VatId,
    pub object: u64,
    pub chosen: bool,
    /// The root's alone: those of others are known to whom they were given.
    pub uris: Vec<String>,
}

#[derive(Default)]
pub(crate) struct Names {
    /// What this host is reached by, if it listens.
    here: Vec<Peer>,
    /// Drawn when the host was online for the first time.
    secret: Option<[u8; 32]>,
    /// The root has been given its sturdyref.
    root_named: bool,
    next: u64,
    may_choose: bool,
    refs: BTreeMap<Hash, Named>,
    /// Exports whose swissnums are being drawn.
    drawing: BTreeMap<PromiseId, Ref>,
    changed_refs: BTreeSet<Hash>,
}

impl Names {
    fn derived(&self, what: &[u8], more: &[u8]) -> Hash {
        let mut h = Sha256::new();
        h.update(self.secret.unwrap_or_default());
        h.update([what.len() as u8]);
        h.update(what);
        h.update(more);
        h.finalize().into()
    }
    fn hash(&self, swiss: &[u8]) -> Hash {
        self.derived(b"swissnum", swiss)
    }
    fn root_swiss(&self) -> Hash {
        self.derived(b"root", &[])
    }
    fn uri(&self, swiss: &[u8]) -> Vec<String> {
        let all = self.here.iter().map(|peer| Sturdyref { peer: peer.clone(), swiss: swiss.to_vec() }.to_uri());
        all.collect()
    }
}

impl Node {
    /// The host can be reached, and reaches others, from now on. Its secret is drawn anew at each start; the first one counts.
    pub(crate) fn online(&mut self, here: Vec<Peer>, secret: [u8; 32], may_choose: bool, history: Option<ocapn::History>) {
        self.peers.online = true;
        let names = &mut self.peers.names;
        (names.here, names.may_choose) = (here.clone(), may_choose);
        if names.secret.is_none() {
            names.secret = Some(secret);
            self.dirty.meta = true;
        }
        self.end_old_sessions();
        self.captp(In::Online { here, history });
        self.name_root();
    }

    /// The program's root gets a sturdyref, once, if it is an object of this host.
    pub(crate) fn name_root(&mut self) {
        let names = &self.peers.names;
        if !self.peers.online || names.here.is_empty() {
            return;
        }
        let hash = names.hash(&names.root_swiss());
        if !names.root_named {
            let root = self.main.and_then(|p| self.promises.get(&p));
            let object = match root.map(|e| &e.state) {
                Some(State::Settled { rejected: false, value }) => value.as_reference(),
                _ => return,
            };
            let Some(Ref::Object(object)) = object else { return };
            self.peers.names.root_named = true;
            self.dirty.meta = true;
            self.enter(hash, Named { object, number: 0, chosen: false });
        }
        if self.peers.names.refs.contains_key(&hash) {
            let uris = self.root_uris();
            self.out.push(Effect::Root { uris });
        }
    }

    fn root_uris(&self) -> Vec<String> {
        self.peers.names.uri(&self.peers.names.root_swiss())
    }

    /// What a swissnum names.
    pub(crate) fn named(&self, swiss: &[u8]) -> Option<Ref> {
        let names = &self.peers.names;
        names.secret?;
        names.refs.get(&names.hash(swiss)).map(|n| Ref::Object(n.object))
    }

    /// A request of the power `net` or `names`.
    pub(crate) fn op_net(&mut self, vat: VatId, id: TurnId, ask: NetAsk, answer: PromiseId) {
        if answer.vat != vat || self.promises.contains_key(&answer) {
            return;
        }
        if let NetAsk::Export(r) | NetAsk::ExportAs(r, _) = &ask
            && !self.all_named(vat, id, &[*r])
        {
            return;
        }
        self.insert_promise(answer, Promise::new(HOST, vat));
        self.open_requests += 1;
        match ask {
            NetAsk::Export(r) => match self.may_be_exported(r) {
                Ok(_) => {
                    self.retain(r);
                    self.peers.names.drawing.insert(answer, r);
                    self.out.push(Effect::DrawSwissnum { answer });
                }
                Err(e) => self.settle(answer, true, e),
            },
            NetAsk::ExportAs(r, swiss) => self.export_as(r, &swiss, answer),
            NetAsk::Import(uri) => self.import(uri, answer),
            NetAsk::Revoke(uri) => {
                let done = match Sturdyref::from_uri(&uri) {
                    Err(e) => Err(Data::error("TypeError", &format!("net.revoke: {e}"))),
                    Ok(s) if self.is_here(&s.peer) => {
                        let hash = self.peers.names.hash(&s.swiss);
                        let there = self.peers.names.refs.contains_key(&hash);
                        self.unname(&hash);
                        let mut w = passable::Writer::new();
                        w.boolean(there);
                        Ok(w.done())
                    }
                    Ok(_) => Err(Data::error("Error", "net.revoke: the sturdyref is of another host")),
                };
                let rejected = done.is_err();
                self.settle(answer, rejected, done.unwrap_or_else(|e| e));
            }
        }
    }

    fn may_be_exported(&self, r: Ref) -> Result<ObjectId, Data> {
        let refuse = |name: &str, why: &str| Err(Data::error(name, why));
        let names = &self.peers.names;
        if names.here.is_empty() || !self.peers.online {
            return refuse("Error", "net.export: this host listens nowhere: start it with --listen URL");
        }
        if names.refs.len() >= MAX_STURDYREFS {
            return refuse("RangeError", "limit: sturdyrefs of a host");
        }
        match r {
            Ref::Object(o) if self.is_session(o.vat) => refuse(
                "TypeError",
                "net.export: the object lives on another host: ask it for its sturdyref, or export a forwarder",
            ),
            Ref::Object(o) => Ok(o),
            Ref::Promise(_) => refuse("TypeError", "net.export: a promise has no name of its own: await it"),
            Ref::Power(_) => {
                refuse("TypeError", "net.export: a power of this host cannot be exported: export an object that uses it")
            }
        }
    }

    fn export_as(&mut self, r: Ref, swiss: &[u8], answer: PromiseId) {
        if !self.peers.names.may_choose {
            let why = "names.export: swissnums cannot be chosen here: start the host with --allow-chosen-swissnums";
            return self.settle(answer, true, Data::error("Error", why));
        }
        let object = match self.may_be_exported(r) {
            Ok(o) => o,
            Err(e) => return self.settle(answer, true, e),
        };
        let hash = self.peers.names.hash(swiss);
        if self.peers.names.refs.get(&hash).is_some_and(|n| n.object != object) {
            let why = "names.export: the swissnum names another object: revoke it first";
            return self.settle(answer, true, Data::error("Error", why));
        }
        self.give_name(object, swiss, true, answer);
    }

    /// A swissnum has been drawn for an export.
    pub(crate) fn swissnum(&mut self, answer: PromiseId, swiss: [u8; 32]) {
        let Some(r) = self.peers.names.drawing.remove(&answer) else { return };
        if let Ref::Object(object) = r {
            self.give_name(object, &swiss, false, answer);
        }
        self.release(r);
    }

    /// No swissnum could be drawn.
    pub(crate) fn not_drawn(&mut self, answer: PromiseId) {
        if let Some(r) = self.peers.names.drawing.remove(&answer) {
            self.release(r);
        }
    }

    fn give_name(&mut self, object: ObjectId, swiss: &[u8], chosen: bool, answer: PromiseId) {
        if !self.exists(object) {
            return self.settle(answer, true, Data::error("Error", "net.export: the vat of the object has ended"));
        }
        let hash = self.peers.names.hash(swiss);
        if !self.peers.names.refs.contains_key(&hash) {
            self.peers.names.next += 1;
            self.dirty.meta = true;
            let number = self.peers.names.next;
            self.enter(hash, Named { object, number, chosen });
        }
        let uri = self.peers.names.uri(swiss).into_iter().next().unwrap_or_default();
        self.settle(answer, false, Data::string(&uri));
    }

    fn exists(&self, o: ObjectId) -> bool {
        self.vat_ref(o.vat).is_some_and(|v| v.exports.contains_key(&o.n))
    }

    fn enter(&mut self, hash: Hash, named: Named) {
        if !self.exists(named.object) {
            return;
        }
        self.peers.names.refs.insert(hash, named);
        self.peers.names.changed_refs.insert(hash);
        if let Some(e) = self.export_mut(named.object) {
            e.holders.insert(HOST);
        }
    }

    fn unname(&mut self, hash: &Hash) {
        let Some(named) = self.peers.names.refs.remove(hash) else { return };
        self.peers.names.changed_refs.insert(*hash);
        if !self.peers.names.refs.values().any(|n| n.object == named.object) {
            self.drop_ref(HOST, Ref::Object(named.object), false);
        }
    }

    /// Objects of a vat that has ended have no names.
    pub(crate) fn forget_names(&mut self, vat: VatId) {
        let gone: Vec<Hash> = self.peers.names.refs.iter().filter(|n| n.1.object.vat == vat).map(|n| *n.0).collect();
        for hash in gone {
            self.peers.names.refs.remove(&hash);
            self.peers.names.changed_refs.insert(hash);
        }
    }

    fn is_here(&self, peer: &Peer) -> bool {
        self.peers.names.here.iter().any(|h| h.key() == peer.key())
    }

    /// Brings the promise of an import on its way.
    pub(crate) fn import(&mut self, uri: String, answer: PromiseId) {
        if !self.peers.online {
            let why = "net.import: this host has no network";
            return self.settle(answer, true, Data::error("Error", why));
        }
        match Sturdyref::from_uri(&uri) {
            Err(e) => {
                self.settle(answer, true, Data::error("TypeError", &format!("net.import: {e}")));
            }
            Ok(s) if self.is_here(&s.peer) => match self.named(&s.swiss) {
                Some(r) => self.settle(answer, false, Data::reference(r)),
                None => self.settle(answer, true, Data::error("Error", "the sturdyref names nothing on this host")),
            },
            Ok(_) => self.captp(In::Import { uri, answer }),
        }
    }

    /// References that the program is to have from its start: promises under numbers 1, 2, … of the host.
    pub(crate) fn first_imports(&mut self, uris: Vec<String>) -> Vec<(String, PromiseId)> {
        let mut all = Vec::new();
        for uri in uris {
            let answer = self.new_promise_id();
            let mut e = Promise::new(HOST, HOST);
            e.handled = true;
            self.insert_promise(answer, e);
            self.open_requests += 1;
            all.push((uri, answer));
        }
        all
    }

    /// Sturdyrefs of this host, in the order in which they were made.
    pub fn sturdyrefs(&self) -> Vec<Sturdy> {
        let names = &self.peers.names;
        let of = |n: &Named| Sturdy {
            number: n.number,
            vat: n.object.vat,
            object: n.object.n,
            chosen: n.chosen,
            uris: if n.number == 0 { self.root_uris() } else { Vec::new() },
        };
        let mut all: Vec<Sturdy> = names.refs.values().map(of).collect();
        all.sort_by_key(|s| s.number);
        all
    }

    /// Revokes one of them.
    pub(crate) fn revoke(&mut self, number: u64) {
        let found = self.peers.names.refs.iter().find(|n| n.1.number == number).map(|n| *n.0);
        if let Some(hash) = found {
            self.unname(&hash);
        }
    }

    /// The number of the sturdyref that a URI is, if it is one of this host.
    pub fn sturdyref_number(&self, uri: &str) -> Option<u64> {
        let s = Sturdyref::from_uri(uri).ok()?;
        let names = &self.peers.names;
        names.secret?;
        names.refs.get(&names.hash(&s.swiss)).map(|n| n.number)
    }

    // ---- stored ----

    pub(crate) fn put_names(&mut self, batch: &mut Batch, counters: bool) {
        let names = &mut self.peers.names;
        for hash in std::mem::take(&mut names.changed_refs) {
            match names.refs.get(&hash) {
                Some(n) => {
                    let mut p = Put::new();
                    p.object(n.object);
                    p.number(n.number);
                    p.flag(n.chosen);
                    batch.put(rows::STURDYREFS, &hash, &p.done());
                }
                None => {
                    batch.delete(rows::STURDYREFS, &hash);
                }
            }
        }
        if let Some(secret) = names.secret.filter(|_| counters) {
            let mut p = Put::new();
            p.bytes(&secret);
            p.flag(names.root_named);
            p.number(names.next);
            batch.put(rows::META, rows::META_NET, &p.done());
        }
    }

    pub(crate) fn restore_names(&mut self, store: &dyn Store) -> Result<(), Bad> {
        let names = &mut self.peers.names;
        if let Some(row) = store.get(rows::META, rows::META_NET) {
            let mut g = Get::new(&row);
            names.secret = Some(g.bytes()?.try_into().map_err(|_| Bad)?);
            names.root_named = g.flag()?;
            names.next = g.number()?;
        }
        for (key, row) in store.scan(rows::STURDYREFS, &[], None, usize::MAX) {
            let mut g = Get::new(&row);
            let named = Named { object: g.object()?, number: g.number()?, chosen: g.flag()? };
            names.refs.insert(key.try_into().map_err(|_| Bad)?, named);
        }
        Ok(())
    }
}
