//! Opening: make the store if it is not there, take the lock, read everything, and only then begin an epoch.
//!
//! In: a disk and who opens. Out: a store that is ready, or an error before the first effect. Order matters:
//! 1. read superblock, rows and places of extents, and the log, changing nothing;
//! 2. sync the folder and the end of the log: what a killed process had made and not synced counts from here on, so it must stay;
//! 3. raise the fence: an older handle that syncs later will see it and commit no more;
//! 4. look whether an older handle committed between 1 and 3, and if so read again;
//! 5. write the epoch's record as the first frame of a fresh segment.
//!
//! A store is made under the name `super.new`, which becomes `super` when all else is durable. So a folder with parts of a store and
//! neither name has lost its superblock, and is not touched.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use crate::codec::Reader;
use crate::disk::{Disk, DiskFile};
use crate::error::{Error, ErrorKind, Result};
use crate::file::{FileStore, Opened, Opening, Options, lock};
use crate::frame::{FrameHead, KIND_OPEN, KIND_SEAL, SEGMENT_HEAD_BYTES};
use crate::gather::Gathering;
use crate::live::{Placed, apply};
use crate::log::{Free, LogEnd, Pool, file_name, file_number};
use crate::merge::{Merger, Slots};
use crate::meta::{self, MetaImage, Records};
use crate::recover::{FrameSink, Recovered, Segments, recover};
use crate::state::{FrameAt, LiveSegment, State, batches};
use crate::superblock::{EXTENT_BYTES, EpochRecord, SUPER_FILE, Super, fence, set_fence};

pub(crate) const EXTENTS_FILE: &str = "extents";
pub(crate) const SUPER_NEW_FILE: &str = "super.new";

/// Whether a store may have made a file of this name.
pub(crate) fn is_ours(name: &str) -> bool {
    let meta = name.strip_prefix("meta-").is_some_and(|digits| digits.parse::<u64>().is_ok());
    meta || [SUPER_FILE, SUPER_NEW_FILE, EXTENTS_FILE].contains(&name) || file_number(name).is_some()
}

pub(crate) fn identity_of(disk: &dyn Disk) -> Result<[u8; 32]> {
    let file = disk.open(SUPER_FILE).map_err(|error| Error::io("opening the superblock", &error))?;
    Ok(Super::load(&*file)?.identity)
}

pub(crate) fn open(disk: Arc<dyn Disk>, opening: Opening, options: Options) -> Result<FileStore> {
    options.validate()?;
    let created = make_if_missing(&*disk, &opening, &options)?;
    let super_file = disk.open(SUPER_FILE).map_err(|error| Error::io("opening the superblock", &error))?;
    if !super_file.try_lock().map_err(|error| Error::io("locking the store", &error))? {
        return Err(Error::new(ErrorKind::Locked, "another process has the store open"));
    }
    let superblock = Super::load(&*super_file)?;
    if superblock.identity != opening.identity {
        return Err(Error::new(ErrorKind::OtherIdentity, "the store has another identity than the one that was asked for"));
    }
    let mut found = Found::read(&*disk, superblock, &options, &opening.random)?;
    found.sync_end(&*disk)?;
    let epoch = fence(&*super_file)?.max(found.recovered.run.epoch) + 1;
    set_fence(&*super_file, epoch, &opening.random)?;
    if found.is_overtaken(&*disk)? {
        found = Found::read(&*disk, superblock, &options, &opening.random)?;
        found.sync_end(&*disk)?;
    }
    let store = found.into_store(disk, super_file, options, epoch, created)?;
    tidy_up(&store, superblock.meta_number);
    store.pool.prepare_first(&*store.disk)?;
    let record = next_record(&lock(&store.state).epochs, &opening, epoch);
    lock(&store.state).epochs.push(record);
    store.write_queued(Some((KIND_OPEN, record.bytes().to_vec())))?;
    Ok(store)
}

fn next_record(epochs: &[EpochRecord], opening: &Opening, epoch: u64) -> EpochRecord {
    let previous = epochs.last().map_or([0; 32], |last| last.hash(&opening.identity));
    assert!(epochs.last().is_none_or(|last| last.epoch < epoch), "epochs grow");
    EpochRecord { epoch, random: opening.random, previous }
}

/// Files that an ended process left and nobody names. Failing to remove one costs its room until the next opening.
fn tidy_up(store: &FileStore, meta_number: u64) {
    let Ok(names) = store.disk.list() else { return };
    let stale = |name: &&String| {
        let other_meta = name.strip_prefix("meta-").is_some_and(|number| number.parse() != Ok(meta_number));
        other_meta && is_ours(name)
    };
    for name in names.iter().filter(stale) {
        let _ = store.disk.remove(name);
    }
}

/// Returns whether a store was made.
fn make_if_missing(disk: &dyn Disk, opening: &Opening, options: &Options) -> Result<bool> {
    let names = disk.list().map_err(|error| Error::io("listing the store's folder", &error))?;
    if names.iter().any(|name| name == SUPER_FILE) {
        return Ok(false);
    }
    let unfinished = names.iter().any(|name| name == SUPER_NEW_FILE);
    if !unfinished && let Some(part) = names.iter().find(|name| is_ours(name)) {
        let cause = format!("the folder holds `{part}` of a store and no superblock");
        return Err(Error::new(ErrorKind::Corrupt, cause));
    }
    if !options.create {
        return Err(Error::new(ErrorKind::Missing, "the folder holds no store"));
    }
    let superblock = Super {
        identity: opening.identity,
        generation: 1,
        meta_number: 1,
        meta_length: 0,
        meta_crc: 0,
        merged_frame: 0,
        merged_crc: 0,
        merged_sequence: 0,
        merged_epoch: 0,
        replay_segment: 1,
        replay_offset: SEGMENT_HEAD_BYTES as u32,
    };
    make(disk, superblock, |_| Ok(()))?;
    Ok(true)
}

/// Make a store with this superblock. `fill` writes what belongs in it besides; all it makes must be synced by it.
pub(crate) fn make(disk: &dyn Disk, mut superblock: Super, fill: impl FnOnce(&dyn DiskFile) -> Result<()>) -> Result<()> {
    let io = |error: std::io::Error| Error::io("making a store", &error);
    let super_file = disk.create(SUPER_NEW_FILE).map_err(io)?;
    // From here on the folder is known to hold an unfinished store.
    disk.sync_dir().map_err(io)?;
    // Segments of an attempt that did not end would be read as this store's.
    for name in disk.list().map_err(io)?.iter().filter(|name| file_number(name).is_some()) {
        disk.remove(name).map_err(io)?;
    }
    let extents = disk.create(EXTENTS_FILE).map_err(io)?;
    // Slot 0 is never used: 0 says that there is none.
    extents.write_at(&[0; EXTENT_BYTES], 0).map_err(io)?;
    fill(&*extents)?;
    extents.sync().map_err(io)?;
    if superblock.meta_length == 0 {
        let (bytes, crc) = Records::after(0).finish();
        let meta = disk.create(&meta::file_name(superblock.meta_number)).map_err(io)?;
        meta.write_at(&bytes, 0).map_err(io)?;
        meta.sync().map_err(io)?;
        (superblock.meta_length, superblock.meta_crc) = (bytes.len() as u64, crc);
    }
    superblock.save(&*super_file)?;
    disk.sync_dir().map_err(io)?;
    disk.rename(SUPER_NEW_FILE, SUPER_FILE).map_err(io)?;
    disk.sync_dir().map_err(io)
}

/// What is on disk, read and checked.
struct Found {
    superblock: Super,
    segments: Segments,
    recovered: Recovered,
    state: State,
    extents: Arc<dyn DiskFile>,
    meta: Arc<dyn DiskFile>,
    slots: Slots,
}

impl Found {
    fn read(disk: &dyn Disk, superblock: Super, options: &Options, random: &[u8; 32]) -> Result<Found> {
        let open = |name: &str| {
            disk.open(name).map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => Error::new(ErrorKind::Corrupt, format!("`{name}` is not there")),
                _ => Error::io(format_args!("opening {name}"), &error),
            })
        };
        let extents = open(EXTENTS_FILE)?;
        let meta = open(&meta::file_name(superblock.meta_number))?;
        let image = MetaImage::load(&*meta, &superblock)?;
        let length = extents.length().map_err(|error| Error::io("reading extents", &error))?;
        let slots = Slots::of(&image.base, length)?;
        let segments = Segments::find(disk, &superblock)?;
        let target = options.frame_bytes_target();
        let mut state = State::new(superblock.merged_frame, superblock.merged_sequence, superblock.generation, target);
        state.base = Arc::new(image.base);
        state.epochs = image.epochs;
        let mut sink = StateSink { state, rows: Gathering::over(image.rows, random), stopped: None };
        let recovered = recover(&segments, &superblock, options.faults(), &mut sink);
        let StateSink { mut state, rows, stopped } = sink;
        let recovered = stopped.map_or(recovered, Err)?;
        state.rows = rows.finish();
        assert_eq!(state.durable_frame(), recovered.run.frame, "every frame of the run was placed");
        Ok(Found { superblock, segments, recovered, state, extents, meta, slots })
    }

    /// Names too: a killed process may have made a file and not synced the folder, and this opening builds on that file.
    fn sync_end(&self, disk: &dyn Disk) -> Result<()> {
        disk.sync_dir().map_err(|error| Error::sync("the store's folder", &error))?;
        let Some(last) = self.segments.live.get(self.recovered.run.segment) else { return Ok(()) };
        last.handle.sync().map_err(|error| Error::sync(file_name(last.file), &error))
    }

    /// Whether the log has grown since it was read.
    fn is_overtaken(&self, disk: &dyn Disk) -> Result<bool> {
        let heads = |segments: &Segments| segments.live.iter().map(|segment| (segment.file, segment.head)).collect::<Vec<_>>();
        if heads(&Segments::find(disk, &self.superblock)?) != heads(&self.segments) {
            return Ok(true);
        }
        let run = &self.recovered.run;
        let Some(last) = self.segments.live.get(run.segment) else { return Ok(false) };
        let mut sector = [0; crate::disk::SECTOR_BYTES];
        last.handle.read_at(&mut sector, u64::from(run.offset)).map_err(|error| Error::io("reading the log", &error))?;
        let head = FrameHead::read(&sector);
        Ok(head.is_some_and(|head| head.number == run.frame + 1 && head.before == run.crc))
    }

    fn into_store(
        mut self,
        disk: Arc<dyn Disk>,
        super_file: Arc<dyn DiskFile>,
        options: Options,
        epoch: u64,
        created: bool,
    ) -> Result<FileStore> {
        let run = self.recovered.run;
        let last_id = self.segments.live.last().map_or(0, |last| last.head.id);
        let next_segment = (last_id + 1).max(self.superblock.replay_segment);
        let mut free = Vec::new();
        for segment in self.segments.free.into_iter().chain(self.segments.odd) {
            if segment.capacity >= options.segment_bytes {
                free.push(segment);
            } else {
                // Too short to be used: left by a making that did not end, or of another size. Its room is worth more than its name.
                let _ = disk.remove(&file_name(segment.file));
            }
        }
        for segment in &self.segments.live {
            let live = LiveSegment { id: segment.head.id, handle: segment.handle.clone() };
            self.state.segments.insert(segment.file, live);
        }
        keep_in_use(&mut self.segments.live.iter().map(|segment| segment.file), &free);
        let opened = Opened { created, epoch, sequence: run.sequence, cut: self.recovered.cut };
        let identity = self.superblock.identity;
        let target = options.frame_bytes_target();
        Ok(FileStore {
            disk,
            identity,
            options,
            opened,
            super_file,
            extents: self.extents,
            state: Mutex::new(self.state),
            end: Mutex::new(LogEnd::new(epoch, run.frame, run.crc, next_segment)),
            pool: Pool::new(identity, options.segment_bytes, target, free, self.segments.next_file),
            merger: Mutex::new(Merger::new(self.superblock, self.meta, self.slots)),
            poisoned: AtomicBool::new(false),
            why: Mutex::new(None),
            bell: crate::background::Bell::default(),
        })
    }
}

/// No segment that recovery reads may be offered for writing.
fn keep_in_use(live: &mut dyn Iterator<Item = u32>, free: &[Free]) {
    for file in live {
        assert!(free.iter().all(|free| free.file != file), "a live segment is not free");
    }
}

/// Puts frames into a state.
struct StateSink {
    state: State,
    rows: Gathering,
    /// Why no more frames are taken.
    stopped: Option<Error>,
}

impl FrameSink for StateSink {
    fn frame(&mut self, head: &FrameHead, body: &[u8], at: FrameAt, segment: &LiveSegment) -> bool {
        let state = &mut self.state;
        let frame = state.durable_frame() + 1;
        let applied = match head.kind {
            KIND_OPEN => EpochRecord::read(&mut Reader::new(body))
                // the next opening counts on this
                .filter(|record| record.epoch == head.epoch && state.epochs.last().is_none_or(|last| last.epoch < record.epoch))
                .map(|record| state.epochs.push(record)),
            KIND_SEAL => body.is_empty().then_some(()),
            _ => {
                let (rows, overlay, base) = (&mut self.rows, &mut state.overlay, &state.base);
                batches(body, head.batches, |ops, at| apply(rows, overlay, base, Placed { ops, frame, at }))
            }
        };
        self.stopped = self.rows.pass_on().err();
        if applied.is_none() || self.stopped.is_some() {
            return false;
        }
        state.appended += u64::from(head.batches);
        state.durable = state.appended;
        state.placed(at, segment);
        true
    }
}
