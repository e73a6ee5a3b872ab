//! Durable sessions as rows of a store.
//!
//! In: what changed in tables since the last time; at an opening: all rows. Out: rows to be written and deleted; sessions as they were.
//!
//! ```text
//! SESSIONS     vat u32 | part u8 | key        value                    (numbers in keys are big-endian)
//!   0 head                                    peer's locator, seed of the own key?, (peer's key, we dialled)?
//!   1 counters                                next_out, next_in, and the numbers that were given out last
//!   2 export   position u64                   thing | count
//!   3 import   position u64                   promise? | number? | received | uses
//!   4 object   number u64                     u8 (0 import, 1 bootstrap, 2 resolver) | its position or question
//!   5 owed     vat u32 | n u64                place | sent | fenced
//!   6 fenced   vat u32 | n u64                messages that wait for what the promise becomes
//!   7 local    vat u32 | n u64                (a promise that the session decides by itself)
//!   8 question number u64                     why
//!   9 answer   position u64                   thing
//!   10 listener vat u32 | n u64               resolvers
//!   11 handoff count u64                      (used)
//!   12 pinned  number u64                     (an object that nobody else holds)
//!   13 waiting number u64                     what waits for the peer's hello
//!   14 message number u64                     a message that was not acknowledged, as it is written
//! GIFTS        session 32 | id                 vat | reference
//! WITHDRAWALS  session 32 | id                 list of (vat, promise)
//! PEERS        transport 0 designator          (incarnation, number, hash 32)? | (session 32, why)?
//!
//! thing = u8 (0 bootstrap, 1 reference, 2 settled, 3 resolver) | reference; or flag, data; or question
//! place = u8 (0 answer, 1 export) | position       x? = flag | x if it is set       the rest as in `passable::codec`
//! why   = u8 (0 nothing, 1 message, 2 listen, 3 fence) | promise?; or position, promise; or promise, flag, data
//! ```
//! Invariants
//! - after `changes` the rows are the durable sessions of this moment, when nothing is half done;
//! - what follows from rows is not stored: how often a reference is held, which promises have listeners;
//! - rows that are damaged or contradict each other are an error, never a panic.
use crate::entries::{InKey, InRow, hash, maybe};
use crate::few::Few;
use crate::handoff::{Gift, Withdrawal};
use crate::keys::{self, Hash, Keys};
use crate::session::{BOOTSTRAP, Live, Object, Resolver, Session, Thing, Waiting, Why};
use crate::stream::{Line, Stream};
use crate::table::Table;
use crate::{Captp, Dialect, Framing, LINE, Peer};
use passable::codec::{Get, Put};
use passable::{Bad, MAX_ID, ObjectId, Ref, VatId, What};

/// Which table a row is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowTable {
    Sessions,
    Gifts,
    Withdrawals,
    Peers,
}

impl RowTable {
    pub const ALL: [RowTable; 4] = [RowTable::Sessions, RowTable::Gifts, RowTable::Withdrawals, RowTable::Peers];
}

/// A row's table and key.
pub(crate) type Key = (RowTable, Vec<u8>);
/// A row that is to be written, or without a value to be deleted.
pub type Row<'a> = (RowTable, &'a [u8], Option<&'a [u8]>);

const HEAD: u8 = 0;
const COUNTERS: u8 = 1;
const EXPORT: u8 = 2;
const IMPORT: u8 = 3;
const OBJECT: u8 = 4;
const OWED: u8 = 5;
const FENCED: u8 = 6;
const LOCAL: u8 = 7;
const QUESTION: u8 = 8;
const ANSWER: u8 = 9;
const LISTENER: u8 = 10;
const HANDOFF: u8 = 11;
const PINNED: u8 = 12;
const WAITING: u8 = 13;
const MESSAGE: u8 = 14;

/// A whole row.
fn read<T: InRow>(bytes: &[u8]) -> Result<T, Bad> {
    let mut g = Get::new(bytes);
    let value = T::read(&mut g)?;
    if g.is_empty() { Ok(value) } else { Err(Bad) }
}

fn written(value: &impl InRow) -> Vec<u8> {
    let mut p = Put::new();
    value.write(&mut p);
    p.done()
}

fn key_of(vat: VatId, part: u8, rest: &impl InKey) -> Vec<u8> {
    let mut key = vat.0.to_be_bytes().to_vec();
    key.push(part);
    rest.write(&mut key);
    key
}

fn single(vat: VatId, part: u8) -> Vec<u8> {
    let mut key = vat.0.to_be_bytes().to_vec();
    key.push(part);
    key
}

fn peer_key(key: &(String, String)) -> Vec<u8> {
    [key.0.as_bytes(), &[0], key.1.as_bytes()].concat()
}

/// Calls `$f` with the part and the table of each table of a session that is rows of one entry each.
macro_rules! each_table {
    ($s:expr, $f:ident) => {
        $f!(EXPORT, $s.exports);
        $f!(IMPORT, $s.imports);
        $f!(OBJECT, $s.objects);
        $f!(OWED, $s.owed);
        $f!(FENCED, $s.fenced);
        $f!(LOCAL, $s.local);
        $f!(QUESTION, $s.questions);
        $f!(ANSWER, $s.answers);
        $f!(LISTENER, $s.listeners);
        $f!(HANDOFF, $s.handoffs);
        $f!(PINNED, $s.dropped_while_pinned);
        $f!(WAITING, $s.waiting);
    };
}

fn tell<K: InKey, V: InRow>(vat: VatId, part: u8, table: &mut Table<K, V>, told: &mut dyn FnMut(Row<'_>)) {
    let (mut at, mut row) = (single(vat, part), Vec::new());
    let head = at.len();
    table.changes(|key, value| {
        at.truncate(head);
        key.write(&mut at);
        let Some(value) = value else { return told((RowTable::Sessions, &at, None)) };
        let mut p = Put::into(std::mem::take(&mut row));
        value.write(&mut p);
        row = p.done();
        told((RowTable::Sessions, &at, Some(&row)));
    });
}

fn stored<K: InKey, V>(vat: VatId, part: u8, table: &Table<K, V>, gone: &mut Vec<Key>) {
    table.stored_keys(|key| gone.push((RowTable::Sessions, key_of(vat, part, key))));
}

impl Session {
    /// Nothing of it is ever stored: it ends with its connection.
    pub(crate) fn note_nothing(&mut self) {
        assert!(self.line.is_none(), "a session that may be durable notes what changes");
        macro_rules! silence {
            ($part:expr, $table:expr) => {
                $table.note_nothing();
            };
        }
        each_table!(self, silence);
    }

    /// Nothing of it is to be stored.
    pub(crate) fn unnote(&mut self) {
        macro_rules! unnote {
            ($part:expr, $table:expr) => {
                $table.unnoted();
            };
        }
        each_table!(self, unnote);
        if let Some(line) = &mut self.line {
            line.stream.kept().unnoted();
        }
    }

    fn changes(&mut self, told: &mut dyn FnMut(Row<'_>)) {
        let vat = self.vat;
        macro_rules! tell {
            ($part:expr, $table:expr) => {
                tell(vat, $part, &mut $table, told);
            };
        }
        each_table!(self, tell);
        let (head, counters) = (self.head(), self.counters());
        let Some(line) = &mut self.line else { return };
        line.stream.kept().changes(|n, message| {
            told((RowTable::Sessions, &key_of(vat, MESSAGE, n), message.map(Vec::as_slice)));
        });
        for (part, row, before) in [(HEAD, head, &mut line.head), (COUNTERS, counters, &mut line.counters)] {
            if *before != row {
                told((RowTable::Sessions, &single(vat, part), Some(&row)));
                *before = row;
            }
        }
    }

    fn head(&self) -> Vec<u8> {
        let mut p = Put::new();
        p.text(&self.peer.to_uri());
        let seed = self.line.as_ref().and_then(|l| l.keys.as_ref()).map(|k| k.seed);
        p.flag(seed.is_some());
        if let Some(seed) = seed {
            p.bytes(&seed);
        }
        p.flag(self.live.is_some());
        if let Some(live) = &self.live {
            p.bytes(&live.peer_key);
            p.flag(live.outgoing);
        }
        p.done()
    }

    fn counters(&self) -> Vec<u8> {
        let (next_out, next_in) = self.line.as_ref().map_or((1, 1), |l| (l.stream.next_out(), l.stream.position().next));
        let mut p = Put::new();
        let all = [
            next_out,
            next_in,
            self.next_export,
            self.next_object,
            self.next_promise,
            self.next_question,
            self.next_waiting,
            self.next_handoff,
            self.next_gift,
            self.handoffs_below,
        ];
        all.into_iter().for_each(|n| p.number(n));
        p.done()
    }

    /// One row of it.
    fn restore(&mut self, part: u8, key: &[u8], row: &[u8]) -> Result<(), Bad> {
        macro_rules! restore {
            ($part:expr, $table:expr) => {
                if part == $part {
                    $table.restored(InKey::read(key)?, read(row)?);
                    return Ok(());
                }
            };
        }
        each_table!(self, restore);
        let line = self.line.as_mut().ok_or(Bad)?;
        match part {
            COUNTERS if key.is_empty() => {
                line.counters = row.to_vec();
                let mut g = Get::new(row);
                let mut next = || g.number();
                line.stream = Stream::restored(next()?, next()?);
                let first = [
                    &mut self.next_export,
                    &mut self.next_object,
                    &mut self.next_promise,
                    &mut self.next_question,
                    &mut self.next_waiting,
                    &mut self.next_handoff,
                    &mut self.next_gift,
                    &mut self.handoffs_below,
                ];
                for n in first {
                    *n = next()?;
                    if *n > MAX_ID {
                        return Err(Bad);
                    }
                }
                if g.is_empty() { Ok(()) } else { Err(Bad) }
            }
            // counters come before
            MESSAGE => {
                line.stream.restored_message(InKey::read(key)?, row.to_vec());
                Ok(())
            }
            _ => Err(Bad),
        }
    }

    fn from_head(vat: VatId, row: &[u8]) -> Result<Session, Bad> {
        let mut g = Get::new(row);
        let peer = Peer::from_uri(&g.text()?).map_err(|_| Bad)?;
        if peer.transport != LINE {
            return Err(Bad);
        }
        let mut s = Session::new(vat, peer);
        let mut line = Line::new(true);
        line.keys = maybe(&mut g, hash)?.map(|seed| Keys::new(&seed));
        if g.flag()? {
            let (peer_key, outgoing) = (hash(&mut g)?, g.flag()?);
            let keys = line.keys.clone().ok_or(Bad)?;
            let peer_id = keys::public_id(&peer_key);
            let id = keys::session_id(&keys.id, &peer_id);
            let (dialect, folded, settled, framing) = (Dialect::C, Some(true), true, Framing::Raw);
            s.live = Some(Live { keys, outgoing, peer_key, peer_id, id, dialect, folded, settled, framing, out: Vec::new() });
        }
        line.head = row.to_vec();
        s.line = Some(line);
        if g.is_empty() { Ok(s) } else { Err(Bad) }
    }

    /// All rows are there: what follows from them is made.
    fn restored(&mut self) -> Result<(), Bad> {
        let below = |next: u64, last: Option<&u64>| last.is_none_or(|l| *l < next);
        let line = self.line.as_ref().ok_or(Bad)?;
        let own = || self.owed.keys().chain(self.local.keys()).filter(|p| p.vat == self.vat);
        let fine = line.stream.is_sound()
            && !line.counters.is_empty()
            && below(self.next_export, self.exports.keys().last())
            && below(self.next_object, self.objects.keys().last())
            && below(self.next_question, self.questions.keys().last())
            && below(self.next_waiting, self.waiting.keys().last())
            && (self.live.is_none() || self.waiting.is_empty())
            && below(self.next_promise, own().map(|p| &p.n).max())
            && self.exports.values().all(|e| e.count <= MAX_ID)
            && matches!(self.exports.get(&BOOTSTRAP).map(|e| &e.thing), Some(Thing::Bootstrap));
        if !fine {
            return Err(Bad);
        }
        self.listening = self.listeners.values().map(Few::len).sum();
        for (n, o) in self.objects.iter() {
            if matches!(o, Object::Bootstrap) {
                self.bootstrap = Some(ObjectId { vat: self.vat, n: *n });
            }
        }
        for (position, e) in self.exports.iter() {
            if let Thing::Ref(r) = e.thing {
                self.export_of.insert(r, *position);
            }
        }
        for (position, thing) in self.answers.iter() {
            if let Thing::Ref(Ref::Promise(p)) = thing {
                self.answer_of.or_insert(*p, Few::default).push(*position);
            }
        }
        self.held_by_tables().into_iter().for_each(|r| self.hold(r));
        self.early_of_waiting();
        Ok(())
    }

    /// What the tables hold, each reference as often as it is held; gifts and what waits for the hello aside.
    pub(crate) fn held_by_tables(&self) -> Vec<Ref> {
        let mut all = Vec::new();
        let things = self.exports.values().map(|e| &e.thing).chain(self.answers.values());
        for thing in things {
            match thing {
                Thing::Ref(r) => all.push(*r),
                Thing::Settled { value, .. } => all.extend(&value.slots),
                Thing::Bootstrap | Thing::Resolver(_) => {}
            }
        }
        for (p, resolvers) in self.listeners.iter() {
            all.push(Ref::Promise(*p));
            all.extend(resolvers.iter().filter_map(|r| if let Resolver::Host(r) = r { Some(*r) } else { None }));
        }
        for q in self.questions.values() {
            if let Why::Fence { value, .. } = &q.why {
                all.extend(&value.slots);
            }
        }
        for m in self.fenced.values().flatten() {
            all.extend(&m.body.slots);
        }
        all
    }

    /// As `Captp::delivered` noted what came before the hello.
    fn early_of_waiting(&mut self) {
        let mut held = Vec::new();
        for waiting in self.waiting.values() {
            if let Waiting::Delivery(d) = waiting {
                let (a, b, _) = d.what.refs();
                held.push((a.iter().chain(b).copied().collect::<Vec<Ref>>(), None));
                if let What::Notify { promise, rejected, value } = &d.what {
                    held.push((Vec::new(), Some((*promise, *rejected, value.clone()))));
                }
            }
        }
        for (refs, early) in held {
            refs.into_iter().for_each(|r| self.hold(r));
            if let Some((promise, rejected, value)) = early {
                self.no_longer_held(promise);
                self.early.insert(promise, (rejected, value));
            }
        }
    }
}

impl Captp {
    /// Tells which rows changed since the last call. Nothing may be half done: after `flush`.
    pub fn changes(&mut self, told: &mut dyn FnMut(Row<'_>)) {
        for (table, key) in std::mem::take(&mut self.gone) {
            told((table, &key, None));
        }
        for vat in std::mem::take(&mut self.touched) {
            if let Some(s) = self.sessions.get_mut(&vat).filter(|s| s.is_durable()) {
                s.changes(told);
            }
        }
        let sessions = &self.sessions;
        let durable = |vat: &VatId| sessions.get(vat).is_some_and(|s| s.is_durable());
        let of_gift = |key: &(Hash, Vec<u8>)| [key.0.as_slice(), &key.1].concat();
        self.gifts.changes(|key, gift| {
            let row = gift.filter(|g| durable(&g.from)).map(written);
            told((RowTable::Gifts, &of_gift(key), row.as_deref()));
        });
        self.withdrawals.changes(|key, all| {
            let of_durable = |all: &Vec<Withdrawal>| {
                let mut p = Put::new();
                let all: Vec<&Withdrawal> = all.iter().filter(|w| durable(&w.by)).collect();
                p.number(all.len() as u64);
                all.iter().for_each(|w| w.write(&mut p));
                (!all.is_empty()).then(|| p.done())
            };
            told((RowTable::Withdrawals, &of_gift(key), all.and_then(of_durable).as_deref()));
        });
        self.known.changes(|key, known| {
            told((RowTable::Peers, &peer_key(key), known.map(written).as_deref()));
        });
    }

    /// All that is stored and all that follows from it, one fact a line: for checks. A machine that was restored says the same as the one
    /// whose rows were stored.
    pub fn describe(&self) -> Vec<String> {
        let mut all = Vec::new();
        for s in self.sessions.values().filter(|s| s.is_durable()) {
            let vat = s.vat.0;
            all.push(format!("session {vat}: {:?} {:?}", s.head(), s.counters()));
            let Some(line) = &s.line else { continue };
            all.push(format!("session {vat}: messages {:?}", **line.stream.kept_keys()));
            macro_rules! describe {
                ($part:expr, $table:expr) => {
                    for (key, value) in $table.iter() {
                        all.push(format!("session {vat}: {} {key:?} {:?}", $part, written(value)));
                    }
                };
            }
            each_table!(s, describe);
            all.push(format!("session {vat}: held {:?}, pinned {:?}, {} gifts", s.held, s.pins, s.gifts));
            all.push(format!("session {vat}: {:?} {:?} {}", s.export_of, s.answer_of, s.listening));
        }
        let durable = |vat: &VatId| self.sessions.get(vat).is_some_and(|s| s.is_durable());
        all.extend(self.gifts.iter().filter(|g| durable(&g.1.from)).map(|g| format!("gift {g:?}")));
        all.extend(self.withdrawals.iter().filter(|w| w.1.iter().any(|w| durable(&w.by))).map(|w| format!("withdrawal {w:?}")));
        all.extend(self.known.iter().map(|k| format!("known {k:?}")));
        all
    }

    /// The rows of a session are to be deleted.
    pub(crate) fn forget_rows(&mut self, s: &Session) {
        let (vat, gone) = (s.vat, &mut self.gone);
        macro_rules! stored {
            ($part:expr, $table:expr) => {
                stored(vat, $part, &$table, gone);
            };
        }
        each_table!(s, stored);
        let Some(line) = &s.line else { return };
        stored(vat, MESSAGE, line.stream.kept_keys(), gone);
        for (part, row) in [(HEAD, &line.head), (COUNTERS, &line.counters)] {
            if !row.is_empty() {
                gone.push((RowTable::Sessions, single(vat, part)));
            }
        }
    }

    /// The sessions that rows tell of; `rows` lists a table in the order of its keys. They go on when the host is online.
    pub fn restore(rows: &mut dyn FnMut(RowTable) -> Vec<(Vec<u8>, Vec<u8>)>) -> Result<Captp, Bad> {
        let mut c = Captp::new();
        for (key, row) in rows(RowTable::Sessions) {
            let (vat, rest) = key.split_first_chunk::<4>().ok_or(Bad)?;
            let (vat, (part, rest)) = (VatId(u32::from_be_bytes(*vat)), rest.split_first().ok_or(Bad)?);
            if *part == HEAD && rest.is_empty() {
                c.sessions.insert(vat, Box::new(Session::from_head(vat, &row)?));
            } else {
                // the head has the lowest key
                c.sessions.get_mut(&vat).ok_or(Bad)?.restore(*part, rest, &row)?;
            }
        }
        for s in c.sessions.values_mut() {
            s.restored()?;
            if c.peers.insert(s.peer.key(), s.vat).is_some() {
                return Err(Bad);
            }
            if let Some(live) = &s.live {
                c.live.insert(live.id, s.vat);
            }
        }
        let gift_key = |key: Vec<u8>| {
            let (session, id) = key.split_first_chunk::<32>().ok_or(Bad)?;
            Ok::<_, Bad>((*session, id.to_vec()))
        };
        for (key, row) in rows(RowTable::Gifts) {
            let gift: Gift = read(&row)?;
            let from = c.sessions.get_mut(&gift.from).ok_or(Bad)?;
            from.gifts += 1;
            from.hold(gift.what);
            c.gifts.restored(gift_key(key)?, gift);
        }
        for (key, row) in rows(RowTable::Withdrawals) {
            let all: Vec<Withdrawal> = read(&row)?;
            if all.is_empty() {
                return Err(Bad);
            }
            for w in &all {
                let by = c.sessions.get_mut(&w.by).ok_or(Bad)?;
                by.gifts += 1;
                by.hold(Ref::Promise(w.promise));
            }
            c.withdrawals.restored(gift_key(key)?, all);
        }
        for (key, row) in rows(RowTable::Peers) {
            let at = key.iter().position(|b| *b == 0).ok_or(Bad)?;
            let text = |b: &[u8]| String::from_utf8(b.to_vec()).map_err(|_| Bad);
            c.known.restored((text(&key[..at])?, text(&key[at + 1..])?), read(&row)?);
        }
        Ok(c)
    }
}
