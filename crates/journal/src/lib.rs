#![forbid(unsafe_code)]
//! What a durable host writes: turns into batches, batches into a store, and programs and vats out of it again.
//!
//! In: changes of turns, output. Out: rows and patches; lines and reports, to be released once durable.
//!
//! Invariants
//! - a batch is taken when no event of the node is half done, so that node and heaps in it are of one moment;
//! - a vat may leave memory only if `may_sleep` says so: else what its last turn changed is not in the store yet;
//! - output goes to the ledger with the batch of its turn, and comes back when that is durable; until then its rows say
//!   that it may not have been written: it is written again after a crash (at least once);
//! - a failed append or sync ends the process: that is for the caller to do.
//!
//! Must never know: threads, clocks, files, terminals.
mod bases;

use bases::Bases;
use ken::codec::{Get, Put};
use ken::{Ledger, Undurable, rows};
use node::{Node, Report};
use passable::{Line, PromiseId, VatId};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::Store;
use vat::{Changes, Program, Shared, Vat};

/// Bytes of changes that may wait for the log before turns wait.
pub const MAX_WAITING_BYTES: usize = 16 << 20;
/// Bytes of a heap that can be brought over to another base: it is one batch.
pub const MAX_RELAID_BYTES: usize = 160 << 20;
/// Room in the log that is reserved ahead of turns.
pub const RESERVE_BYTES: u64 = 2 << 20;

/// How often a delivery is begun that processes died of.
pub const MAX_ATTEMPTS: u64 = 3;

/// What leaves the process.
#[derive(Debug)]
pub enum Out {
    Lines {
        number: u64,
        lines: Vec<Line>,
    },
    Aborted(Vec<Line>),
    Report {
        report: Box<Report>,
        names: Vec<(VatId, String)>,
    },
    NothingToStart(String),
    /// Four fifths of the heap of the vat with this name are in use.
    NearLimit(VatId, String),
    StartRejected(String, Vec<passable::Place>),
    /// What happened, each entry with its vat's name.
    Trace(Vec<(trace::Entry, String)>),
    /// Something for the network.
    Net(ocapn::Out),
    /// The root's sturdyrefs.
    Root(Vec<String>),
    /// An answer to somebody who called from outside.
    Reply {
        to: u64,
        rejected: bool,
        value: passable::Data,
    },
}

/// Names of files with the hashes of their texts.
pub type FileList = Vec<(String, [u8; 32])>;

/// The changes since the last batch was taken.
pub struct Journal {
    pub ledger: Ledger,
    pub waiting: Undurable<Out>,
    /// Turns in it.
    pub turns: u64,
    next_output: u64,
    /// Rows of output that has been written.
    written: Vec<u64>,
    /// Batches taken.
    batches: u64,
    known_code: BTreeSet<[u8; 32]>,
    /// Vats with changes in what waits.
    touched: BTreeSet<VatId>,
    /// Rows of units in what waits: no scan of the store finds them.
    new_units: Vec<(VatId, u64)>,
    bases: Bases,
}

/// Why a store does not fit this program or process.
#[derive(Debug)]
pub struct Misfit {
    pub code: &'static str,
    pub what: String,
    pub help: &'static str,
}

pub fn misfit(code: &'static str, what: impl Into<String>, help: &'static str) -> Misfit {
    Misfit { code, what: what.into(), help }
}

/// The store holds what only a later build knows.
const NEWER: &str = "E-STORE-NEWER";
pub const DAMAGED: &str = "restore the store from a backup (`drses store check` says what is damaged)";

impl From<passable::Bad> for Misfit {
    fn from(_: passable::Bad) -> Misfit {
        misfit("E-STATE", "rows of the store contradict each other", DAMAGED)
    }
}

/// Which history of the host this is: 1 until a restore began another one.
pub fn incarnation(store: &dyn Store) -> u64 {
    let row = store.get(rows::META, rows::META_INCARNATION);
    row.and_then(|r| Get::new(&r).number().ok()).unwrap_or(1)
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

impl Journal {
    pub fn new(store: Arc<dyn Store>) -> Journal {
        let known_code = store.scan(rows::CODE, &[], None, usize::MAX).into_iter().filter_map(|r| r.0.try_into().ok()).collect();
        let last = store
            .scan(rows::OUTPUT, &[], None, usize::MAX)
            .last()
            .and_then(|r| Some(u64::from_be_bytes(r.0.as_slice().try_into().ok()?)));
        Journal {
            ledger: Ledger::new(store),
            waiting: Undurable::default(),
            turns: 0,
            next_output: last.map_or(1, |n| n + 1),
            written: Vec::new(),
            batches: 1,
            known_code,
            touched: BTreeSet::new(),
            new_units: Vec::new(),
            bases: Bases::default(),
        }
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        self.ledger.store()
    }

    /// The history of the store, as other hosts are told of it.
    pub fn history(&self) -> ocapn::History {
        let (store, epochs) = (self.store(), self.store().epochs());
        let identity = store.identity();
        // an opening that died early has a number and no record: records are counted
        let number = epochs.len() as u64;
        ocapn::History { incarnation: incarnation(&**store), number, hashes: epochs.iter().map(|e| e.hash(&identity)).collect() }
    }

    /// Turns must wait until some of this is in the log.
    pub fn is_full(&self) -> bool {
        self.waiting.batch.log_bytes() > MAX_WAITING_BYTES
    }

    /// A committed turn of a vat.
    pub fn turn(&mut self, vat: VatId, changes: &Changes, shared: &Shared) -> Result<(), String> {
        self.turns += 1;
        self.touched.insert(vat);
        let store = self.ledger.store().clone();
        let batch = &mut self.waiting.batch;
        self.bases.note(&*store, shared, vat, batch, &mut self.known_code);
        if let Some(n) = changes.length() {
            batch.resize(rows::space(vat), n);
        }
        changes
            .patches(shared, |offset, bytes| {
                batch.write(rows::space(vat), offset, bytes);
            })
            .map_err(|e| e.to_string())?;
        self.units(vat, changes.first_unit, &changes.units);
        Ok(())
    }

    /// Units of a vat from the one with this number on.
    fn units(&mut self, vat: VatId, first: usize, units: &[Arc<vat::LoadedUnit>]) {
        let batch = &mut self.waiting.batch;
        for (i, unit) in units.iter().enumerate() {
            let hash = *unit.hash();
            if self.known_code.insert(hash) {
                batch.put(rows::CODE, &hash, &unit.unit.to_bytes());
            }
            let index = (first + i) as u64;
            batch.put(rows::UNITS, &rows::pair(vat, index), &hash);
            self.new_units.push((vat, index));
        }
    }

    /// A vat that was stored over another base woke, and was laid anew over this build's: that goes before its next turn. Call it for
    /// every vat that is woken.
    pub fn woke(&mut self, id: VatId, vat: &mut Vat, shared: &Shared) {
        let Some(whole) = vat.take_relaid() else { return };
        self.touched.insert(id);
        let store = self.ledger.store().clone();
        let batch = &mut self.waiting.batch;
        batch.drop_space(rows::space(id)).resize(rows::space(id), whole.length());
        whole.patches(|offset, bytes| {
            batch.write(rows::space(id), offset, bytes);
        });
        for (key, _) in store.scan_prefix(rows::UNITS, &rows::vat(id), usize::MAX) {
            batch.delete(rows::UNITS, &key);
        }
        self.bases.note(&*store, shared, id, batch, &mut self.known_code);
        self.units(id, 0, &whole.units);
    }

    /// All that the vat is stands in the store: it may be dropped, and woken from there.
    pub fn may_sleep(&self, vat: VatId) -> bool {
        !self.touched.contains(&vat)
    }

    /// Vats whose changes wait.
    pub fn touched(&self) -> impl Iterator<Item = VatId> + '_ {
        self.touched.iter().copied()
    }

    /// The number of the batch that changes of now go with.
    pub fn batch(&self) -> u64 {
        self.batches
    }

    /// The last error of a vat that nobody handled, and the turn it was in: for operators.
    pub fn last_error(&mut self, vat: VatId, turn: u64, text: &str) {
        let mut p = Put::new();
        p.number(turn);
        p.text(text);
        self.waiting.batch.put(rows::ERRORS, &rows::vat(vat), &p.done());
    }

    /// An ended vat's units and error are forgotten, and how often its deliveries were begun.
    pub fn ended(&mut self, vat: VatId) {
        for (v, index) in &self.new_units {
            if *v == vat {
                self.waiting.batch.delete(rows::UNITS, &rows::pair(vat, *index));
            }
        }
        self.waiting.batch.delete(rows::ATTEMPTS, &rows::vat(vat));
        self.waiting.batch.delete(rows::ERRORS, &rows::vat(vat));
        self.bases.ended(&**self.ledger.store(), vat, &mut self.waiting.batch);
        for (key, _) in self.store().clone().scan_prefix(rows::UNITS, &rows::vat(vat), usize::MAX) {
            self.waiting.batch.delete(rows::UNITS, &key);
        }
    }

    /// Lines that a turn wrote.
    pub fn lines(&mut self, lines: Vec<Line>) {
        let number = self.next_output;
        self.next_output += 1;
        let mut p = Put::new();
        p.number(lines.len() as u64);
        for l in &lines {
            p.flag(l.error);
            p.text(&l.text);
        }
        self.waiting.batch.put(rows::OUTPUT, &rows::number(number), &p.done());
        self.waiting.output.push(Out::Lines { number, lines });
    }

    /// Lines of an earlier process that may not have been written.
    pub fn unwritten(&self) -> Result<Vec<(u64, Vec<Line>)>, Misfit> {
        let mut all = Vec::new();
        for (key, value) in self.store().scan(rows::OUTPUT, &[], None, usize::MAX) {
            let number = u64::from_be_bytes(key.as_slice().try_into().map_err(|_| passable::Bad)?);
            let mut g = Get::new(&value);
            let n = g.count()?;
            let mut lines = Vec::new();
            for _ in 0..n {
                lines.push(Line { error: g.flag()?, text: g.text()? });
            }
            all.push((number, lines));
        }
        Ok(all)
    }

    pub fn wrote(&mut self, number: u64) {
        self.written.push(number);
    }

    /// Rows of written output are to go.
    pub fn has_written(&self) -> bool {
        !self.written.is_empty()
    }

    /// Counts that the delivery `seq` of a vat is begun once more after an unclean stop. Another delivery begins from one.
    pub fn attempt(&mut self, vat: VatId, seq: u64) -> u64 {
        let row = self.store().get(rows::ATTEMPTS, &rows::vat(vat));
        let read = |row: Vec<u8>| {
            let mut g = Get::new(&row);
            Some((g.number().ok()?, g.number().ok()?))
        };
        let before = row.and_then(read).filter(|r| r.0 == seq).map_or(0, |r| r.1);
        let mut p = Put::new();
        p.number(seq);
        p.number(before + 1);
        self.waiting.batch.put(rows::ATTEMPTS, &rows::vat(vat), &p.done());
        before + 1
    }

    /// The attempts of a vat are over: the delivery is given up.
    pub fn attempts_over(&mut self, vat: VatId) {
        self.waiting.batch.delete(rows::ATTEMPTS, &rows::vat(vat));
    }

    /// The process ends well, or the attempts are over: none is counted any more.
    pub fn clean(&mut self) {
        for (key, _) in self.store().clone().scan(rows::ATTEMPTS, &[], None, usize::MAX) {
            self.waiting.batch.delete(rows::ATTEMPTS, &key);
        }
        self.waiting.batch.put(rows::META, rows::META_CLEAN, &[1]);
    }

    /// Notes that the process has not ended; whether the one before it ended well.
    pub fn begin(&mut self) -> bool {
        let clean = self.store().get(rows::META, rows::META_CLEAN).is_none_or(|v| v == [1]);
        self.waiting.batch.put(rows::META, rows::META_CLEAN, &[0]);
        clean
    }

    pub fn delay(&mut self, p: PromiseId, due_ms: u64, ms: u64) {
        let mut row = Put::new();
        row.number(due_ms);
        row.number(ms);
        self.waiting.batch.put(rows::DELAYS, &rows::promise(p), &row.done());
    }

    pub fn delay_over(&mut self, p: PromiseId) {
        self.waiting.batch.delete(rows::DELAYS, &rows::promise(p));
    }

    /// Delays of an earlier process in the order in which they are due: (promise, due, asked for), in milliseconds.
    pub fn delays(&self) -> Result<Vec<(PromiseId, u64, u64)>, Misfit> {
        let mut all = Vec::new();
        for (key, value) in self.store().scan(rows::DELAYS, &[], None, usize::MAX) {
            let (vat, n) = rows::read_pair(&key).ok_or(passable::Bad)?;
            let mut g = Get::new(&value);
            all.push((PromiseId { vat, n }, g.number()?, g.number()?));
        }
        // those that came due meanwhile are all due now: their order is that of this list
        all.sort_by_key(|d| (d.1, d.0));
        Ok(all)
    }

    /// The batch of all since the last one, if there is anything.
    pub fn take(&mut self, node: &mut Node) -> Option<Undurable<Out>> {
        node.changes(&mut self.waiting.batch);
        for n in self.written.drain(..) {
            self.waiting.batch.delete(rows::OUTPUT, &rows::number(n));
        }
        if self.waiting.is_empty() {
            return None;
        }
        self.turns = 0;
        self.touched.clear();
        self.new_units.clear();
        self.batches += 1;
        Some(std::mem::take(&mut self.waiting))
    }

    /// Stores the programs, and of what files they were made.
    pub fn put_programs(&mut self, shared: &Shared, entry: u64) {
        let mut files = Put::new();
        let mut seen = BTreeSet::new();
        let mut listed = Vec::new();
        for (n, program) in shared.programs().iter().enumerate() {
            let mut p = Put::new();
            p.text(&program.name);
            p.number(program.graph().len() as u64);
            for module in program.graph() {
                let hash = *module.unit.hash();
                if self.known_code.insert(hash) {
                    self.waiting.batch.put(rows::CODE, &hash, &module.unit.unit.to_bytes());
                }
                p.bytes(&hash);
                p.number(module.requests.len() as u64);
                module.requests.iter().for_each(|r| p.number(*r as u64));
                if seen.insert(module.unit.unit.name.clone()) {
                    listed.push((module.unit.unit.name.clone(), sha256(module.unit.unit.source.as_bytes())));
                }
            }
            let makes = program.makes();
            p.number(makes.len() as u64);
            for (specifier, target) in makes {
                p.text(&specifier);
                p.flag(target.is_some());
                p.number(target.unwrap_or(0));
            }
            self.waiting.batch.put(rows::PROGRAMS, &rows::number(n as u64), &p.done());
        }
        files.number(entry);
        files.number(listed.len() as u64);
        for (name, hash) in listed {
            files.text(&name);
            files.bytes(&hash);
        }
        self.waiting.batch.put(rows::META, rows::META_PROGRAM, &files.done());
        let store = self.ledger.store().clone();
        self.bases.begin(&*store, shared, &mut self.waiting.batch, &mut self.known_code);
    }

    /// The store is a REPL's from now on, and of this base.
    pub fn mark_repl(&mut self, shared: &Shared) {
        self.waiting.batch.put(rows::META, rows::META_KIND, b"repl");
        let store = self.ledger.store().clone();
        self.bases.begin(&*store, shared, &mut self.waiting.batch, &mut self.known_code);
    }

    /// The store is a REPL's.
    pub fn is_repl(&self) -> bool {
        self.store().get(rows::META, rows::META_KIND).is_some_and(|k| k == b"repl")
    }

    /// Of what files the stored program was made: name and hash of the text.
    pub fn files(&self) -> Result<Option<FileList>, Misfit> {
        let Some(row) = self.store().get(rows::META, rows::META_PROGRAM) else { return Ok(None) };
        let mut g = Get::new(&row);
        g.number()?;
        let n = g.count()?;
        let mut files = Vec::new();
        for _ in 0..n {
            files.push((g.text()?, g.bytes()?.try_into().map_err(|_| passable::Bad)?));
        }
        Ok(Some(files))
    }

    /// The file of the stored program's entry.
    pub fn entry_name(&self) -> Result<String, Misfit> {
        let row = self.store().get(rows::META, rows::META_PROGRAM).ok_or(passable::Bad)?;
        let entry = Get::new(&row).number()?;
        let program = self.store().get(rows::PROGRAMS, &rows::number(entry)).ok_or(passable::Bad)?;
        Ok(Get::new(&program).text()?)
    }

    /// Links the stored programs, in the place of those that are there.
    pub fn restore_programs(&self, shared: &Shared) -> Result<(), Misfit> {
        bases::check(&**self.store(), shared)?;
        let mut programs = Vec::new();
        for (_, row) in self.store().scan(rows::PROGRAMS, &[], None, usize::MAX) {
            let mut g = Get::new(&row);
            let name = g.text()?;
            let n = g.count()?;
            let mut graph = Vec::new();
            for _ in 0..n {
                let unit = self.code(shared, g.bytes()?)?;
                let k = g.count()?;
                let requests = (0..k).map(|_| g.number().map(|r| r as usize)).collect::<Result<Vec<_>, _>>()?;
                graph.push(vat::ModuleIn { unit, requests });
            }
            if graph.iter().any(|m| m.requests.iter().any(|r| *r >= graph.len())) {
                return Err(passable::Bad.into());
            }
            let k = g.count()?;
            let mut makes = Vec::new();
            for _ in 0..k {
                let (specifier, there, target) = (g.text()?, g.flag()?, g.number()?);
                makes.push((specifier, there.then_some(target)));
            }
            programs.push(Program::restored(name, graph, makes));
        }
        shared.restore_programs(programs);
        Ok(())
    }

    fn code(&self, shared: &Shared, hash: &[u8]) -> Result<Arc<vat::LoadedUnit>, Misfit> {
        code(&**self.store(), shared, hash)
    }
}

fn code(store: &dyn Store, shared: &Shared, hash: &[u8]) -> Result<Arc<vat::LoadedUnit>, Misfit> {
    let bytes = store.get(rows::CODE, hash).ok_or_else(|| misfit("E-STATE", "a code unit is missing in the store", DAMAGED))?;
    if sha256(&bytes)[..] != *hash {
        return Err(misfit("E-STATE", "a code unit in the store is damaged", DAMAGED));
    }
    // its bytes are what was stored
    shared.unit_of(&bytes).map_err(|e| {
        let help = "open it with the build that wrote it, or with a later one";
        misfit(NEWER, format!("a code unit in the store is not one that this build knows: {e}"), help)
    })
}

/// The turn and text of the last error of a vat that nobody handled.
pub fn last_error(store: &dyn Store, vat: VatId) -> Option<(u64, String)> {
    let row = store.get(rows::ERRORS, &rows::vat(vat))?;
    let mut g = Get::new(&row);
    Some((g.number().ok()?, g.text().ok()?))
}

/// A vat as bytes of the store, of one moment.
pub struct Sleeping {
    id: VatId,
    space: Vec<u8>,
    units: Vec<Arc<vat::LoadedUnit>>,
    /// What it is stored over, if not this build's base.
    older: Option<Arc<vat::Older>>,
}

/// Reads a vat; `None`: nothing of it is there.
pub fn read(store: &dyn Store, shared: &Shared, id: VatId) -> Result<Option<Sleeping>, Misfit> {
    let Some(length) = store.length(rows::space(id)) else { return Ok(None) };
    let failed = |e: store::Error| misfit("E-STATE", format!("the heap of vat {} cannot be read: {}", id.0, e.cause()), DAMAGED);
    let mut space = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    store.read(rows::space(id), 0, &mut space).map_err(failed)?;
    let (units, older) = (units(store, shared, id)?, bases::older(store, shared, id)?);
    Ok(Some(Sleeping { id, space, units, older }))
}

fn units(store: &dyn Store, shared: &Shared, id: VatId) -> Result<Vec<Arc<vat::LoadedUnit>>, Misfit> {
    let all = store.scan_prefix(rows::UNITS, &rows::vat(id), usize::MAX);
    all.iter().map(|(_, hash)| code(store, shared, hash)).collect()
}

impl Sleeping {
    pub fn wake(self, shared: &Shared, quota: vat::Quota) -> Result<Vat, Misfit> {
        let Sleeping { id, space, units, older } = self;
        if let Some(older) = older {
            if space.len() > MAX_RELAID_BYTES {
                return Err(bases::too_large(id, space.len()));
            }
            return Vat::wake_over(shared, &older, id, space, units, quota).map_err(|why| bases::unmoved(id, &why));
        }
        Vat::wake(shared, id, space, units, quota).map_err(|e| damaged(id, &e))
    }
}

/// Heaps of more bytes are read where they are touched.
const WHOLE_BYTES: u64 = 2 << 20;

/// A vat as it stands in the store; `None`: nothing of it is there. If its turns are to be stored, tell the journal (`Journal::woke`).
///
/// Of a large heap only what is touched is read, while the vat lives (`Vat::unread` tells if that failed). What was not touched is not
/// changed by the vat's turns, so the store has it as it was.
pub fn wake(store: &Arc<dyn Store>, shared: &Arc<Shared>, id: VatId, quota: vat::Quota) -> Result<Option<Vat>, Misfit> {
    let large = store.length(rows::space(id)).filter(|n| *n > WHOLE_BYTES && vat::can_wake_at_touch());
    if let Some(length) = large
        && bases::older(&**store, shared, id)?.is_none()
    {
        let reads = store.clone();
        let read = move |at: u64, to: &mut [u8]| reads.read(rows::space(id), at, to).map_err(|e| e.cause().to_owned());
        let units = units(&**store, shared, id)?;
        return match Vat::wake_at_touch(shared, id, length, Arc::new(read), units, quota) {
            Ok(vat) => Ok(Some(vat)),
            Err(e) => Err(damaged(id, &e)),
        };
    }
    read(&**store, shared, id)?.map(|s| s.wake(shared, quota)).transpose()
}

fn damaged(id: VatId, e: &vat::ImageError) -> Misfit {
    misfit("E-STATE", format!("the heap of vat {} is damaged: {e}", id.0), DAMAGED)
}
