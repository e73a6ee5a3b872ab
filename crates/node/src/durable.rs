//! What of a node is stored: which rows changed, their bytes, and a node made of them again.
//!
//! In: changes of the node between two batches. Out: rows of a `store::Batch`; at an opening: a node as it was.
//!
//! Invariants
//! - rows are written as things are when a batch is taken: what came and went since the last one leaves no trace;
//! - a delivery in flight is stored as waiting: after a crash it runs again, and nothing of its first run was seen;
//! - what operators sent lately is not stored (`operate`);
//! - counts of what is in transit are not stored; they follow from the queues and from what promises became.
use crate::refs::{Export, Holders, NOBODY, Promise, State};
use crate::{Config, Current, Node, Programs, Queued, Vat};
use ken::codec::{Get, Put};
use ken::rows;
use passable::{Bad, ObjectId, PromiseId, Ref, VatId};
use std::collections::{BTreeMap, VecDeque};
use store::{Batch, Store};

/// Things that changed, some of them noted several times.
pub(crate) struct Marks<T> {
    all: Vec<T>,
    /// From this length on they are looked through for what is there twice.
    limit: usize,
}

/// Marks that are kept without a look for what is there twice.
const MIN_MARKS: usize = 1024;

impl<T> Default for Marks<T> {
    fn default() -> Marks<T> {
        Marks { all: Vec::new(), limit: MIN_MARKS }
    }
}

impl<T: Ord> Marks<T> {
    fn add(&mut self, t: T) {
        if self.all.last() == Some(&t) {
            return;
        }
        if self.all.len() >= self.limit {
            self.tidy();
            self.limit = (2 * self.all.len()).max(MIN_MARKS);
        }
        self.all.push(t);
    }
    fn tidy(&mut self) {
        self.all.sort_unstable();
        self.all.dedup();
    }
    /// Each once, in order.
    fn each(&mut self) -> &[T] {
        self.tidy();
        &self.all
    }
    fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// What changed since the last batch.
#[derive(Default)]
pub(crate) struct Dirty {
    on: bool,
    pub meta: bool,
    vats: Marks<VatId>,
    exports: Marks<ObjectId>,
    promises: Marks<PromiseId>,
    inbox: Marks<(VatId, u64)>,
    waiting: Marks<(PromiseId, u64)>,
    /// Rows that are there and are to go.
    gone: Vec<(u8, Vec<u8>)>,
    ended: Vec<VatId>,
}

impl Dirty {
    pub fn new(on: bool) -> Dirty {
        Dirty { on, meta: on, ..Dirty::default() }
    }
    pub fn vat(&mut self, v: VatId) {
        if self.on {
            self.vats.add(v);
        }
    }
    pub fn export(&mut self, o: ObjectId) {
        if self.on {
            self.exports.add(o);
        }
    }
    pub fn promise(&mut self, p: PromiseId) {
        if self.on {
            self.promises.add(p);
        }
    }
    pub fn inbox(&mut self, v: VatId, seq: u64) {
        if self.on {
            self.inbox.add((v, seq));
        }
    }
    pub fn waiting(&mut self, p: PromiseId, seq: u64) {
        if self.on {
            self.waiting.add((p, seq));
        }
    }
    pub fn gone(&mut self, table: u8, key: &[u8]) {
        if self.on {
            self.gone.push((table, key.to_vec()));
        }
    }
    pub fn ended(&mut self, vat: VatId, v: &Vat) {
        if !self.on {
            return;
        }
        self.ended.push(vat);
        self.gone(rows::VATS, &rows::vat(vat));
        for q in v.inbox.iter().filter(|q| q.stored) {
            self.gone(rows::INBOX, &rows::pair(vat, q.seq));
        }
        if let Some(c) = v.current.as_ref().filter(|c| c.stored) {
            self.gone(rows::INBOX, &rows::pair(vat, c.seq));
        }
        let mut exports: Vec<u64> = v.exports.iter().filter(|e| e.1.stored).map(|e| *e.0).collect();
        exports.sort_unstable();
        for n in exports {
            self.gone(rows::EXPORTS, &rows::pair(vat, n));
        }
    }
}

/// A delivery as a row.
fn delivery(q: &Queued) -> Vec<u8> {
    let mut row = Vec::new();
    delivery_to(q, &mut row);
    row
}

/// Likewise, into memory that is used again.
pub(crate) fn delivery_to(q: &Queued, row: &mut Vec<u8>) {
    let mut p = Put::into(std::mem::take(row));
    p.turn(q.origin);
    p.flag(q.last_chance);
    p.what(&q.what);
    *row = p.done();
}

fn read_delivery(bytes: &[u8], seq: u64) -> Result<Queued, Bad> {
    let mut g = Get::new(bytes);
    let (origin, last_chance, what) = (g.turn()?, g.flag()?, g.what()?);
    let bytes = crate::route::size(&what);
    Ok(Queued { what, origin, last_chance, bytes, seq, stored: true, young: false })
}

fn refs(p: &mut Put, list: &[Ref]) {
    p.number(list.len() as u64);
    list.iter().for_each(|r| p.reference(*r));
}

fn vat_row(v: &Vat) -> Vec<u8> {
    let mut p = Put::new();
    p.text(&v.name);
    p.limits(v.limits);
    p.flag(v.program.is_some());
    p.number(v.program.unwrap_or(0));
    p.number(v.turns);
    p.number(v.next_seq);
    p.flag(v.paused);
    p.maybe_promise(v.root);
    // what a turn in flight was told it is told again
    let told = v.current.iter().flat_map(|c| c.dropped().iter().map(|d| d.0));
    let mut loose: Vec<u64> = told.chain(v.loose.iter().copied()).collect();
    loose.sort_unstable();
    loose.dedup();
    p.number(loose.len() as u64);
    loose.into_iter().for_each(|n| p.number(n));
    let retired: Vec<Ref> = v.current.iter().flat_map(|c| c.retired().iter().copied()).chain(v.retired.iter().copied()).collect();
    refs(&mut p, &retired);
    if v.session {
        p.flag(true);
    }
    p.done()
}

fn read_vat(bytes: &[u8]) -> Result<Vat, Bad> {
    let mut g = Get::new(bytes);
    let (name, limits, has_program, program) = (g.text()?, g.limits()?, g.flag()?, g.number()?);
    let (turns, next_seq, paused, root) = (g.number()?, g.number()?, g.flag()?, g.maybe_promise()?);
    let n = g.count()?;
    let loose = (0..n).map(|_| g.number()).collect::<Result<_, _>>()?;
    let n = g.count()?;
    let retired = (0..n).map(|_| g.reference()).collect::<Result<_, _>>()?;
    let session = !g.is_empty() && g.flag()?;
    Ok(Vat {
        inbox: VecDeque::new(),
        inbox_bytes: 0,
        current: None,
        paused,
        turns,
        exports: Default::default(),
        loose,
        retired,
        next_seq,
        root,
        limits,
        program: has_program.then_some(program),
        name,
        session,
    })
}

fn export_row(e: &Export) -> Vec<u8> {
    let mut p = Put::new();
    p.vats(e.holders.iter());
    p.vats(e.recognisers.iter());
    p.number(e.born);
    p.done()
}

fn holders(list: Vec<VatId>) -> Holders {
    let mut h = Holders::default();
    list.into_iter().for_each(|v| h.insert(v));
    h
}

fn promise_row(e: &Promise) -> Vec<u8> {
    let mut p = Put::new();
    p.vat(e.decider);
    match &e.state {
        State::Pending => p.byte(0),
        State::Forwarded(q) => {
            p.byte(1);
            p.promise(*q);
        }
        State::Settled { rejected, value } => {
            p.byte(2);
            p.flag(*rejected);
            p.data(value);
        }
    }
    p.vats(e.holders.iter());
    p.vats(e.listeners.iter());
    p.number(e.followers.len() as u64);
    e.followers.iter().for_each(|f| p.promise(*f));
    p.flag(e.handled);
    p.vat(e.orphan.unwrap_or(NOBODY));
    p.done()
}

fn read_promise(bytes: &[u8]) -> Result<Promise, Bad> {
    let mut g = Get::new(bytes);
    let mut e = Promise::new(g.vat()?, NOBODY);
    e.state = match g.byte()? {
        0 => State::Pending,
        1 => State::Forwarded(g.promise()?),
        2 => State::Settled { rejected: g.flag()?, value: g.data()? },
        _ => return Err(Bad),
    };
    e.holders = holders(g.vats()?);
    e.listeners = holders(g.vats()?);
    let n = g.count()?;
    e.followers = (0..n).map(|_| g.promise()).collect::<Result<_, _>>()?;
    e.handled = g.flag()?;
    let orphan = g.vat()?;
    e.orphan = (orphan != NOBODY).then_some(orphan);
    e.stored = true;
    Ok(e)
}

impl Node {
    /// Puts all that changed since the last call to a batch.
    pub fn changes(&mut self, batch: &mut Batch) {
        let on = self.dirty.on;
        let mut dirty = std::mem::replace(&mut self.dirty, Dirty { on, ..Dirty::default() });
        for (table, key) in &dirty.gone {
            batch.delete(*table, key);
        }
        for vat in &dirty.ended {
            batch.drop_space(rows::space(*vat));
        }
        if dirty.meta || !dirty.vats.is_empty() || !dirty.waiting.is_empty() {
            batch.put(rows::META, rows::META_NODE, &self.meta_row());
        }
        self.put_names(batch, dirty.meta);
        self.put_sessions(batch);
        for vat in dirty.vats.each() {
            if let Some(v) = self.vat_ref(*vat) {
                batch.put(rows::VATS, &rows::vat(*vat), &vat_row(v));
            }
        }
        for (vat, seq) in dirty.inbox.each() {
            self.put_delivery(batch, *vat, *seq);
        }
        for o in dirty.exports.each() {
            let Some(e) = self.vats.get_mut(o.vat.0 as usize).and_then(|v| v.as_deref_mut()?.exports.get_mut(&o.n)) else {
                continue;
            };
            if !e.holders.is_empty() || !e.recognisers.is_empty() {
                e.stored = true;
                batch.put(rows::EXPORTS, &rows::object(*o), &export_row(e));
            } else if std::mem::take(&mut e.stored) {
                batch.delete(rows::EXPORTS, &rows::object(*o));
            }
        }
        for p in dirty.promises.each() {
            if let Some(e) = self.promises.get_mut(p).filter(|e| !e.young) {
                e.stored = true;
                batch.put(rows::PROMISES, &rows::promise(*p), &promise_row(e));
            }
        }
        for (p, seq) in dirty.waiting.each() {
            let found = self.promises.get_mut(p).and_then(|e| e.waiting.iter_mut().find(|w| w.1.seq == *seq));
            if let Some((from, q)) = found {
                q.stored = true;
                let mut row = Put::new();
                row.vat(*from);
                row.bytes(&delivery(q));
                batch.put(rows::WAITING, &rows::waiting(*p, *seq), &row.done());
            }
        }
    }

    fn put_delivery(&mut self, batch: &mut Batch, vat: VatId, seq: u64) {
        let Some(v) = self.vat_mut(vat) else { return };
        let key = rows::pair(vat, seq);
        if let Some(c) = v.current.as_mut().filter(|c| c.seq == seq) {
            if let Some(kept) = c.kept.as_ref().filter(|_| !c.stored) {
                c.stored = true;
                batch.put(rows::INBOX, &key, &kept.row);
            }
            return;
        }
        if let Ok(i) = v.inbox.binary_search_by_key(&seq, |q| q.seq) {
            let q = &mut v.inbox[i];
            q.stored = true;
            batch.put(rows::INBOX, &key, &delivery(q));
        }
    }

    fn meta_row(&self) -> Vec<u8> {
        let mut p = Put::new();
        p.number(self.vats.len() as u64);
        p.number(self.next_promise);
        p.number(self.next_waiting);
        p.maybe_promise(self.main);
        p.flag(self.nothing_to_start);
        p.done()
    }

    /// A node as it stands in a store; `None`: nothing of one is there. `Bad`: its rows contradict themselves.
    pub fn restore(config: Config, programs: Box<dyn Programs>, store: &dyn Store) -> Result<Option<Node>, Bad> {
        let Some(meta) = store.get(rows::META, rows::META_NODE) else { return Ok(None) };
        let mut n = Node::new(config, programs);
        n.dirty.meta = false;
        let mut g = Get::new(&meta);
        let vats = usize::try_from(g.number()?).ok().filter(|n| *n <= crate::MAX_VATS).ok_or(Bad)?;
        n.next_promise = g.number()?;
        n.next_waiting = g.number()?;
        n.main = g.maybe_promise()?;
        n.nothing_to_start = g.flag()?;
        n.vats.resize_with(vats, || None);
        for (key, value) in store.scan(rows::VATS, &[], None, usize::MAX) {
            let id = u32::from_be_bytes(key.as_slice().try_into().map_err(|_| Bad)?);
            let mut v = read_vat(&value)?;
            // an export that nobody holds has no row of its own: it is here until its vat is told
            for n in &v.loose {
                v.exports.entry(*n).or_default();
            }
            if v.session {
                n.restored_session(VatId(id));
            }
            *n.vats.get_mut(id as usize).ok_or(Bad)? = Some(Box::new(v));
        }
        for (key, value) in store.scan(rows::EXPORTS, &[], None, usize::MAX) {
            let (vat, number) = rows::read_pair(&key).ok_or(Bad)?;
            let mut g = Get::new(&value);
            let (held, recognised) = (holders(g.vats()?), holders(g.vats()?));
            let e = Export { holders: held, recognisers: recognised, transit: 0, stored: true, born: g.number()? };
            n.vat_mut(vat).ok_or(Bad)?.exports.insert(number, e);
        }
        for (key, value) in store.scan(rows::PROMISES, &[], None, usize::MAX) {
            let (vat, number) = rows::read_pair(&key).ok_or(Bad)?;
            n.promises.insert(PromiseId { vat, n: number }, read_promise(&value)?);
        }
        for (key, value) in store.scan(rows::WAITING, &[], None, usize::MAX) {
            let (p, seq) = rows::read_waiting(&key).ok_or(Bad)?;
            let mut g = Get::new(&value);
            let from = g.vat()?;
            let q = read_delivery(g.bytes()?, seq)?;
            let e = n.promises.get_mut(&p).ok_or(Bad)?;
            e.waiting_bytes += q.bytes;
            e.waiting.push((from, q));
        }
        for (key, value) in store.scan(rows::INBOX, &[], None, usize::MAX) {
            let (vat, seq) = rows::read_pair(&key).ok_or(Bad)?;
            let q = read_delivery(&value, seq)?;
            let v = n.vat_mut(vat).ok_or(Bad)?;
            // what came since the vat's row was written has numbers above the one it tells
            v.next_seq = v.next_seq.max(seq + 1);
            v.inbox_bytes += q.bytes;
            v.inbox.push_back(q);
        }
        n.restore_names(store)?;
        n.restore_sessions(store)?;
        n.count_transit();
        n.search.changed = true;
        Ok(Some(n))
    }

    /// What queues and settled promises name is in transit; what is open is counted.
    fn count_transit(&mut self) {
        let mut named: Vec<Ref> = Vec::new();
        for v in self.vats.iter().flatten() {
            for q in &v.inbox {
                Node::each_ref(&q.what, |r| named.push(r));
            }
            if !v.paused {
                self.pending += v.inbox.len() as u64;
            }
        }
        for e in self.promises.values() {
            match &e.state {
                State::Settled { value, .. } => named.extend(&value.slots),
                State::Pending if e.decider == passable::HOST => self.open_requests += 1,
                _ => {}
            }
            for (_, q) in &e.waiting {
                named.extend(q.what.refs().0);
            }
        }
        for r in named {
            self.retain(r);
        }
    }

    /// Begins what waits, after a restore.
    pub fn resume(&mut self, out: &mut Vec<crate::Effect>) {
        std::mem::swap(&mut self.out, out);
        let all: Vec<VatId> = self.vats().collect();
        for vat in all {
            self.schedule(vat);
        }
        self.serve_sessions();
        std::mem::swap(&mut self.out, out);
    }

    /// Requests of powers that are open, with their promises: a host looks its own rows up for them.
    pub fn open_requests(&self) -> Vec<PromiseId> {
        let open = |e: &Promise| matches!(e.state, State::Pending) && e.decider == passable::HOST;
        let mut all: Vec<PromiseId> = self.promises.iter().filter(|e| open(e.1)).map(|e| *e.0).collect();
        all.sort();
        all
    }

    /// What the program's start came to, if it is settled: `Some(None)` fulfilled.
    pub fn started(&self) -> Option<Option<passable::Data>> {
        match &self.promises.get(&self.main?)?.state {
            State::Settled { rejected: true, value } => Some(Some(value.clone())),
            State::Settled { .. } => Some(None),
            _ => None,
        }
    }

    /// How often messages that are not stored name what they name.
    fn named_by_young(&self) -> BTreeMap<Ref, u32> {
        let mut named = BTreeMap::new();
        let mut note = |what: &passable::What| Node::each_ref(what, |r| *named.entry(r).or_insert(0) += 1);
        for v in self.vats.iter().flatten() {
            v.inbox.iter().filter(|q| q.young).for_each(|q| note(&q.what));
            if let Some(c) = v.current.as_ref().filter(|c| c.young)
                && let Some(Ok(q)) = c.kept.as_ref().map(|k| read_delivery(&k.row, c.seq))
            {
                note(&q.what);
            }
        }
        named
    }

    /// All that is stored of it, one fact a line, whatever came in which order; a turn in flight counts as one that waits. For
    /// checks: a node that is restored says the same as the one whose changes were stored.
    pub fn describe(&self) -> Vec<String> {
        let young = self.named_by_young();
        let in_transit = |r: Ref, n: u32| n - young.get(&r).copied().unwrap_or(0).min(n);
        let mut all = vec![format!("next promise {}, main {:?}", self.next_promise, self.main)];
        for (id, v) in self.vats.iter().enumerate() {
            let Some(v) = v.as_deref() else { continue };
            let current = v.current.as_ref();
            let waits = v.inbox.iter().filter(|q| !q.young).map(|q| q.seq);
            let mut inbox: Vec<u64> = waits.chain(current.filter(|c| !c.young).map(|c| c.seq)).collect();
            inbox.sort_unstable();
            let told = current.map_or(&[][..], Current::dropped);
            let mut loose: Vec<u64> = told.iter().map(|d| d.0).chain(v.loose.iter().copied()).collect();
            loose.sort_unstable();
            loose.dedup();
            let none = Export::default();
            let held = |n: &u64| !v.exports.contains_key(n);
            let mut exports: Vec<(u64, &Export)> = v.exports.iter().map(|(n, e)| (*n, e)).collect();
            exports.extend(loose.iter().filter(|n| held(n)).map(|n| (*n, &none)));
            exports.sort_by_key(|e| e.0);
            all.push(format!(
                "vat {id}: {} turns, next {}, paused {}, inbox {inbox:?}, loose {loose:?}",
                v.turns, v.next_seq, v.paused
            ));
            for (n, e) in exports {
                let list = |h: &Holders| {
                    let mut all: Vec<VatId> = h.iter().collect();
                    all.sort();
                    all
                };
                all.push(format!(
                    "export {id}/{n}: held {:?}, known {:?}, in transit {}",
                    list(&e.holders),
                    list(&e.recognisers),
                    in_transit(Ref::Object(ObjectId { vat: VatId(id as u32), n }), e.transit)
                ));
            }
        }
        let mut promises: Vec<(&PromiseId, &Promise)> = self.promises.iter().filter(|e| !e.1.young).collect();
        promises.sort_by_key(|p| *p.0);
        for (id, p) in promises {
            let waiting: Vec<u64> = p.waiting.iter().map(|w| w.1.seq).collect();
            let row = promise_row(p);
            all.push(format!(
                "promise {}/{}: {row:?}, waiting {waiting:?}, in transit {}",
                id.vat.0,
                id.n,
                in_transit(Ref::Promise(*id), p.transit)
            ));
        }
        all.extend(self.describe_sessions());
        all
    }
}
