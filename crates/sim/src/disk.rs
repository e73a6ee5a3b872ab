//! The durable side of a simulated host: a disk, the store on it, and the journal of this life of the process.
//!
//! In: steps of the world. Out: batches, released output, and a fresh store after each death. What it does with node and vats is what
//! `host` does, by the same code (`journal`).
use crate::random::Random;
use crate::watch::Watch;
use journal::{Journal, Out};
use ken::{Appended, rows};
use node::Node;
use std::collections::VecDeque;
use std::sync::Arc;
use store::disk::{Crash, Misdirect, SimDisk};
use store::{ErrorKind, FileStore, Opening, Options, Store};

/// The log is cut into pieces so small that a short run goes over their ends.
const SEGMENT_BYTES: u32 = 256 << 10;
/// Room that is reserved ahead of turns.
const RESERVE_BYTES: u64 = 64 << 10;

/// Why a step was not done.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The disk failed or the process was to die: it is dead.
    Dead(String),
    /// The disk does not hold what was written to it, and the store says so.
    Noticed(String),
    /// A promise is broken.
    Broken(String),
}

impl From<store::Error> for Stop {
    fn from(e: store::Error) -> Stop {
        match e.kind() {
            ErrorKind::Corrupt
            | ErrorKind::Damaged
            | ErrorKind::Truncated
            | ErrorKind::NewerVersion
            | ErrorKind::OtherIdentity => Stop::Noticed(e.to_string()),
            _ => Stop::Dead(e.to_string()),
        }
    }
}

pub(crate) struct Durable {
    pub disk: SimDisk,
    pub options: Options,
    pub identity: [u8; 32],
    /// The store was written by others: the first opening is taken as it is.
    pub foreign: bool,
    pub watch: Watch,
    pub life: Option<Life>,
    /// The disk before a bit of it flipped.
    whole: Option<SimDisk>,
}

/// What a process has and loses with its death.
pub(crate) struct Life {
    pub store: Arc<FileStore>,
    pub journal: Journal,
    appended: Vec<Appended<Out>>,
    /// Released and not yet written.
    released: VecDeque<Out>,
    pub full: bool,
}

impl Life {
    /// Batches that a crash could undo.
    pub fn has_unsynced(&self) -> bool {
        !self.appended.is_empty()
    }
}

impl Durable {
    pub fn new(identity: [u8; 32]) -> Durable {
        let options = Options { segment_bytes: SEGMENT_BYTES, ..Options::default() };
        Durable { disk: SimDisk::new(), options, identity, foreign: false, watch: Watch::default(), life: None, whole: None }
    }

    /// Opens the store; the caller restores node and vats from it.
    pub fn open(&mut self, random: &mut Random) -> Result<(), Stop> {
        let words: [u64; 4] = std::array::from_fn(|_| random.draw());
        let mut bytes = [0; 32];
        bytes.as_chunks_mut::<8>().0.iter_mut().zip(words).for_each(|(b, w)| *b = w.to_le_bytes());
        let opening = Opening { identity: self.identity, random: bytes };
        let store = FileStore::open(Arc::new(self.disk.clone()), opening, self.options)?;
        let foreign = std::mem::take(&mut self.foreign);
        if !foreign {
            self.watch.opened(&store, store.opened().sequence)?;
        }
        let store = Arc::new(store);
        let journal = Journal::new(store.clone());
        if foreign {
            let unwritten = journal.unwritten().map_err(|e| Stop::Broken(e.what))?;
            self.watch.adopt(&*store, unwritten)?;
        }
        self.life = Some(Life { store, journal, appended: Vec::new(), released: VecDeque::new(), full: false });
        Ok(())
    }

    /// The process is no more.
    pub fn die(&mut self, power: bool, seed: u64) {
        self.life = None;
        if power {
            let misdirect = if seed >> 17 & 1 == 1 { Misdirect::Unsynced } else { Misdirect::Never };
            self.disk.crash(Crash { seed, misdirect });
        } else {
            self.disk.exit();
            // a fault that has not come yet was for that process
            self.disk.fail_sync(u64::MAX);
        }
    }

    /// Flips a bit of the disk of a dead process; where. `unflip` takes it back, as an operator takes a backup.
    pub fn flip(&mut self, seed: u64) -> std::io::Result<String> {
        self.whole = Some(SimDisk::load(&self.disk)?);
        let mut random = Random::new(seed);
        let files: Vec<(String, Vec<u8>)> = self.disk.contents().into_iter().filter(|f| !f.1.is_empty()).collect();
        let (name, bytes) = &files[random.below(files.len() as u64) as usize];
        let from = random.below(bytes.len() as u64) as usize;
        // most of a file is nothing: rather what is something
        let some = bytes[from..].iter().position(|b| *b != 0).filter(|_| random.chance(3, 4));
        let at = from + some.unwrap_or(0);
        if !self.disk.flip(name, at as u64, 1 << random.below(8)) {
            return Ok("nothing, since it was not synced".to_owned());
        }
        Ok(format!("{name}, byte {at} of {}", bytes.len()))
    }

    /// The disk as it was before a bit of it flipped; false: none has.
    pub fn unflip(&mut self) -> bool {
        self.whole.take().map(|whole| self.disk = whole).is_some()
    }

    /// It was opened with the flipped bit, and nothing was amiss.
    pub fn flip_was_harmless(&mut self) {
        self.whole = None;
    }

    fn life(&mut self) -> Result<&mut Life, Stop> {
        self.life.as_mut().ok_or_else(|| Stop::Dead("the process is dead".to_owned()))
    }

    /// Whether anything waits to be appended, synced or written. Node changes are not looked at.
    pub fn is_idle(&self) -> bool {
        self.life.as_ref().is_some_and(|l| l.appended.is_empty() && l.released.is_empty() && l.journal.waiting.is_empty())
    }

    /// Puts what happened to the log. `early`: its output leaves at once (a mistake that must be found).
    pub fn append(&mut self, node: &mut Node, early: bool) -> Result<bool, Stop> {
        let life = self.life.as_mut().ok_or_else(|| Stop::Dead("the process is dead".to_owned()))?;
        let mut touched: Vec<u64> = life.journal.touched().map(rows::space).collect();
        // the vat's first turn is in the same batch as its making, its end may be later: a space that is gone is told by the store
        touched.sort_unstable();
        let Some(mut batch) = life.journal.take(node) else { return Ok(false) };
        let lines = |o: &Out| match o {
            Out::Lines { number, lines } => Some((*number, lines.clone())),
            _ => None,
        };
        let lines = batch.output.iter().filter_map(lines).collect();
        if early {
            life.released.extend(batch.output.drain(..));
        }
        life.appended.push(life.journal.ledger.append(batch)?);
        self.watch.appended(&*life.store, &touched, lines)?;
        Ok(true)
    }

    pub fn sync(&mut self) -> Result<(), Stop> {
        let life = self.life()?;
        let appended = std::mem::take(&mut life.appended);
        let released = life.journal.ledger.sync(appended)?;
        life.released.extend(released.into_output());
        let durable = life.store.position().1;
        let room = life.store.reserve(RESERVE_BYTES);
        life.full = match room {
            Ok(()) => false,
            Err(e) if e.kind() == ErrorKind::Full => true,
            Err(e) => return Err(e.into()),
        };
        self.watch.synced(durable);
        Ok(())
    }

    /// Writes one output; what it was.
    pub fn write(&mut self) -> Result<Option<Out>, Stop> {
        let life = self.life()?;
        let Some(out) = life.released.pop_front() else { return Ok(None) };
        if let Out::Lines { number, lines } = &out {
            life.journal.wrote(*number);
            self.watch.wrote(*number, lines).map_err(Stop::Broken)?;
        }
        Ok(Some(out))
    }

    /// What an earlier process may not have written is written again.
    pub fn write_again(&mut self) -> Result<(), Stop> {
        let life = self.life()?;
        for (number, lines) in life.journal.unwritten().map_err(|e| Stop::Broken(e.what))? {
            life.released.push_back(Out::Lines { number, lines });
        }
        Ok(())
    }

    pub fn merge(&mut self) -> Result<(), Stop> {
        match self.life()?.store.merge_step() {
            Err(e) if e.kind() != ErrorKind::Full => Err(e.into()),
            _ => Ok(()),
        }
    }
}
