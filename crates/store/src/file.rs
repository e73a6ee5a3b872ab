//! The embedded store: a redo log and copy-on-write extents over a `Disk`.
//!
//! In: the calls of `Store`. Out: effects on the disk. Locks, in the order in which they may be taken: `merger` (one merge, check or
//! backup at a time), `end` (one writer of the log), then `state` or the pool's, both held briefly and never over an effect on the disk.
//! So a turn that appends waits for no disk, and reads wait for their own.
//!
//! A failed write or sync **poisons** the store: what is on disk is not known, every later append and sync fails, and nothing is tried
//! again. Reads still work. A disk that is full before anything was written poisons nothing (`reserve`, `merge_step`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::batch::Batch;
use crate::check::Checked;
use crate::disk::{Disk, DiskFile};
use crate::error::{Error, ErrorKind, Result};
use crate::faults::Faults;
use crate::frame::KIND_SEAL;
use crate::log::{LogEnd, Pool};
use crate::merge::Merger;
use crate::state::{State, spaces};
use crate::store::{Row, Stats, Store};
use crate::superblock::{EpochRecord, fence};

/// What the caller brings to an opening.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// Which store this must be; given to a new one.
    pub identity: [u8; 32],
    /// 32 bytes that nobody can guess, new for each opening.
    pub random: [u8; 32],
}

/// How a file store works. The default is for a host.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Make the store if the folder has none.
    pub create: bool,
    /// The size of a segment of the log, in bytes; a multiple of 512.
    pub segment_bytes: u32,
    /// `Background` merges when the log has grown to this.
    pub merge_bytes: u64,
    /// Segments that `Background` keeps ready.
    pub spare_segments: usize,
    /// The mistake to make.
    #[cfg(any(test, feature = "seeded-bugs"))]
    pub bug: Option<crate::Bug>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            create: true,
            segment_bytes: 32 << 20,
            merge_bytes: 128 << 20,
            spare_segments: 2,
            #[cfg(any(test, feature = "seeded-bugs"))]
            bug: None,
        }
    }
}

/// The smallest segment: room for a head and some frames.
const SEGMENT_BYTES_MIN: u32 = 16 << 10;
/// Segments in use beyond those that a log of `merge_bytes` fills.
const SEGMENTS_SLACK: u64 = 4;
/// A frame is closed when it has grown to this, if a single batch is not longer.
const FRAME_BYTES_TARGET: usize = 4 << 20;

impl Options {
    pub(crate) fn faults(&self) -> Faults {
        #[cfg(any(test, feature = "seeded-bugs"))]
        return Faults::new(self.bug);
        #[cfg(not(any(test, feature = "seeded-bugs")))]
        Faults::default()
    }

    pub(crate) fn frame_bytes_target(&self) -> usize {
        FRAME_BYTES_TARGET.min(self.segment_bytes as usize / 8)
    }

    /// Segments that may be in use before `Background` merges.
    pub(crate) fn segments_max(&self) -> u64 {
        self.merge_bytes / u64::from(self.segment_bytes) + SEGMENTS_SLACK
    }

    pub(crate) fn validate(&self) -> Result<()> {
        if self.segment_bytes < SEGMENT_BYTES_MIN || !self.segment_bytes.is_multiple_of(512) {
            let cause =
                format!("segments of {} bytes; a multiple of 512 from {SEGMENT_BYTES_MIN} on is needed", self.segment_bytes);
            return Err(Error::new(ErrorKind::Limit, cause));
        }
        Ok(())
    }
}

/// What an opening found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The store was made by this opening.
    pub created: bool,
    pub epoch: u64,
    /// The last batch; all up to it are durable.
    pub sequence: u64,
    /// The number of the frame that was begun and not ended before a crash, if there was one. Nobody was told of it.
    pub cut: Option<u64>,
}

/// See the head of this file.
pub struct FileStore {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) identity: [u8; 32],
    pub(crate) options: Options,
    pub(crate) opened: Opened,
    /// Holds the lock.
    pub(crate) super_file: Arc<dyn DiskFile>,
    pub(crate) extents: Arc<dyn DiskFile>,
    pub(crate) state: Mutex<State>,
    pub(crate) end: Mutex<LogEnd>,
    pub(crate) pool: Pool,
    pub(crate) merger: Mutex<Merger>,
    pub(crate) poisoned: AtomicBool,
    pub(crate) why: Mutex<Option<Error>>,
    /// Told after a sync that there may be something to merge.
    pub(crate) bell: crate::background::Bell,
}

/// Lock, whatever a panicking thread left: each of these locks guards what is whole between calls.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FileStore {
    /// Open the store in `disk`, or make it. Until the first effect an error leaves the disk as it was.
    pub fn open(disk: Arc<dyn Disk>, opening: Opening, options: Options) -> Result<FileStore> {
        crate::open::open(disk, opening, options)
    }

    /// The identity of the store in `disk`, for a caller that does not know it.
    pub fn identity_of(disk: &dyn Disk) -> Result<[u8; 32]> {
        crate::open::identity_of(disk)
    }

    pub fn opened(&self) -> Opened {
        self.opened
    }

    pub(crate) fn usable(&self) -> Result<()> {
        if !self.poisoned.load(Ordering::Acquire) {
            return Ok(());
        }
        let why = lock(&self.why).clone();
        Err(why.unwrap_or_else(|| Error::new(ErrorKind::Poisoned, "an earlier write failed")))
    }

    /// Remember that a write failed; returns the error that all later calls will have too.
    pub(crate) fn poison(&self, error: Error) -> Error {
        let kind = if error.kind() == ErrorKind::Fenced { ErrorKind::Fenced } else { ErrorKind::Poisoned };
        let error = Error::new(kind, error.cause());
        let first = lock(&self.why).get_or_insert(error).clone();
        self.poisoned.store(true, Ordering::Release);
        first
    }

    /// Write and sync what is queued, and `mark` after it; a seal only if nothing is queued.
    pub(crate) fn write_queued(&self, mark: Option<(u32, Vec<u8>)>) -> Result<u64> {
        let mut end = lock(&self.end);
        self.usable()?;
        let frames: Vec<_> = {
            let mut state = lock(&self.state);
            state.close_frame();
            let mut sealing = false;
            match mark {
                // A seal speaks of what was durable before it is written, so it never goes out together with a batch.
                Some((KIND_SEAL, body)) if state.queued.is_empty() && !end.sealed => {
                    state.queue_mark(KIND_SEAL, body);
                    sealing = true;
                }
                Some((KIND_SEAL, _)) | None => {}
                Some((kind, body)) => state.queue_mark(kind, body),
            }
            if state.queued.is_empty() {
                return Ok(state.durable);
            }
            end.sealed = sealing;
            state.queued.iter().cloned().collect()
        };
        let skip_sync = self.options.faults().sync_skipped();
        let written =
            end.write(&*self.disk, &self.pool, self.identity, &frames, skip_sync).map_err(|error| self.poison(error))?;
        // Asked after the sync: whoever opens later sees what was synced before it raised the fence.
        self.fenced(end.epoch).map_err(|error| self.poison(error))?;
        let mut state = lock(&self.state);
        for frame in &written {
            state.synced(frame.at, &frame.segment);
        }
        let (durable, log_bytes) = (state.durable, state.log_bytes);
        drop(state);
        if log_bytes >= self.options.merge_bytes || self.pool.free_count() < self.options.spare_segments {
            self.bell.ring();
        }
        Ok(durable)
    }

    fn fenced(&self, epoch: u64) -> Result<()> {
        let newest = fence(&*self.super_file)?;
        if newest == epoch {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Fenced, format!("this handle is epoch {epoch}; the store has been opened as epoch {newest}")))
    }

    /// Have the spare segments ready, so that a sync needs not make one.
    pub fn prepare_segments(&self) -> Result<()> {
        self.usable()?;
        self.pool.prepare(&*self.disk, self.options.spare_segments).map_err(|error| self.grave(error))
    }

    /// A full disk is told and nothing more; anything else poisons.
    pub(crate) fn grave(&self, error: Error) -> Error {
        if matches!(error.kind(), ErrorKind::Full | ErrorKind::Limit) { error } else { self.poison(error) }
    }
}

impl Store for FileStore {
    fn identity(&self) -> [u8; 32] {
        self.identity
    }

    fn epochs(&self) -> Vec<EpochRecord> {
        lock(&self.state).epochs.clone()
    }

    fn reserve(&self, bytes: u64) -> Result<()> {
        self.usable()?;
        let unsynced = lock(&self.state).unsynced_bytes();
        self.pool.reserve(&*self.disk, unsynced, bytes).map_err(|error| self.grave(error))
    }

    fn append(&self, batch: &Batch) -> Result<u64> {
        let ops = batch.encoded()?;
        self.usable()?;
        Ok(lock(&self.state).append(ops))
    }

    fn sync(&self) -> Result<u64> {
        self.write_queued(None)
    }

    fn position(&self) -> (u64, u64) {
        let state = lock(&self.state);
        (state.appended, state.durable)
    }

    fn get(&self, table: u8, key: &[u8]) -> Option<Vec<u8>> {
        lock(&self.state).rows.table(table).get(key).map(|value| value.to_vec())
    }

    fn scan(&self, table: u8, from: &[u8], until: Option<&[u8]>, limit: usize) -> Vec<Row> {
        lock(&self.state).rows.scan(table, from, until, limit)
    }

    fn read(&self, space: u64, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.read_space(space, offset, buffer)
    }

    fn length(&self, space: u64) -> Option<u64> {
        lock(&self.state).length(space)
    }

    fn spaces(&self) -> Vec<u64> {
        let state = lock(&self.state);
        spaces(&state.base, &state.overlay)
    }

    fn stats(&self) -> Stats {
        let state = lock(&self.state);
        let mut stats = Stats {
            epoch: self.opened.epoch,
            appended: state.appended,
            durable: state.durable,
            rows: state.rows.count() as u64,
            spaces: spaces(&state.base, &state.overlay).len() as u64,
            log_frames: state.frames.len() as u64,
            log_bytes: state.log_bytes,
            segments: state.segments.len() as u64,
            free_segments: self.pool.free_count() as u64,
            extents: state.base.values().map(|space| space.extents.len() as u64).sum(),
            generation: state.generation,
            ..Stats::default()
        };
        drop(state);
        let merger = lock(&self.merger);
        stats.slots = merger.slots();
        stats.meta_bytes = merger.meta_bytes();
        stats
    }

    fn merge_step(&self) -> Result<bool> {
        self.merge().map(|merged| merged.frames > 0)
    }

    fn check(&self) -> Result<Checked> {
        self.check_all()
    }

    fn backup(&self, to: &dyn Disk) -> Result<()> {
        self.back_up(to)
    }

    fn seal(&self) -> Result<()> {
        self.sync()?;
        self.write_queued(Some((KIND_SEAL, Vec::new()))).map(drop)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.seal()
    }
}
