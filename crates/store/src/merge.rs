//! Merging: what the log has becomes rows of the meta file and extents, and its segments are free again.
//!
//! In: frames that are durable. Out: new extents beside the old ones, a record of what changed, a superblock that names both, and then,
//! when both its copies are durable, the old places for use. At every instant the superblock on disk names only what is whole, and the
//! log has the rest. It works from the log alone and holds no lock that a turn or a sync waits for; only at the end it takes the state's
//! lock to exchange places. Memory is bounded: extents are made in groups.
//!
//! A damaged extent that is only patched stays damaged: it is copied with a checksum that does not match, so the error is not lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::batch::Op;
use crate::codec::Reader;
use crate::disk::DiskFile;
use crate::error::{Error, ErrorKind, Result};
use crate::file::{FileStore, lock};
use crate::frame::{FRAME_HEAD_BYTES, FrameHead, KIND_OPEN, KIND_SEAL, padded};
use crate::image::{Piece, extent_crc, for_each_op, pieces, read_extent};
use crate::live::{Base, BaseSpace, Extent, Live, Overlay, Placed, RowDelta, RowSink as _, apply};
use crate::log::{Free, file_name};
use crate::meta::{self, MetaImage, Records, SpaceChange};
use crate::state::{FrameAt, LiveSegment, batches};
use crate::superblock::{EXTENT_BYTES, EpochRecord, Super};

/// Extents made at a time: 32 MiB of memory.
const GROUP_EXTENTS: usize = 1024;
/// The extents' file is synced each time this much was written, so that no sync of the log waits long behind one.
const SYNC_BYTES: u64 = 4 << 20;
/// The meta file is written anew when it is twice as long as it was then, and this much more.
const META_SLACK_BYTES: u64 = 1 << 20;
/// More free segments than this are removed.
const FREE_SEGMENTS_MAX: usize = 8;

/// What a merge did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    pub frames: u64,
    pub extents: u64,
    pub spaces: u64,
    pub rows: u64,
}

/// Which places of the extents' file hold something.
#[derive(Clone, Default)]
pub(crate) struct Slots {
    next: u32,
    free: BTreeSet<u32>,
}

impl Slots {
    /// From what a store names, in a file of `length` bytes.
    pub(crate) fn of(base: &Base, length: u64) -> Result<Slots> {
        let mut used: Vec<u32> = base.values().flat_map(|space| space.extents.iter().map(|extent| extent.slot)).collect();
        used.sort_unstable();
        if let Some(twice) = used.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::new(ErrorKind::Corrupt, format!("two extents are said to lie in slot {}", twice[0])));
        }
        let next = used.last().map_or(1, |last| last.saturating_add(1));
        if u64::from(next) * EXTENT_BYTES as u64 > length {
            let cause = format!("`extents` has {length} bytes; there must be {next} extents in it");
            return Err(Error::new(ErrorKind::Truncated, cause));
        }
        let mut free = BTreeSet::new();
        let mut expected = 1;
        for slot in used {
            free.extend(expected..slot);
            expected = slot + 1;
        }
        Ok(Slots { next, free })
    }

    fn take(&mut self) -> Result<u32> {
        if let Some(slot) = self.free.pop_first() {
            return Ok(slot);
        }
        let slot = self.next;
        self.next = slot
            .checked_add(1)
            .ok_or_else(|| Error::new(ErrorKind::Full, "the extents' file has all the extents it can have"))?;
        Ok(slot)
    }
}

/// What only merging changes. Holding it keeps extents, meta file and merged frames where they are.
pub(crate) struct Merger {
    pub superblock: Super,
    pub meta: Arc<dyn DiskFile>,
    slots: Slots,
    /// The length of the meta file when it was last written anew.
    meta_anew_bytes: u64,
}

impl Merger {
    pub(crate) fn new(superblock: Super, meta: Arc<dyn DiskFile>, slots: Slots) -> Merger {
        // How long the file was at first is not kept; half of what it is now lets it grow as long again.
        Merger { superblock, meta, slots, meta_anew_bytes: superblock.meta_length / 2 }
    }

    pub(crate) fn slots(&self) -> u64 {
        u64::from(self.slots.next)
    }

    pub(crate) fn meta_bytes(&self) -> u64 {
        self.superblock.meta_length
    }
}

/// The frames to merge, and what they say.
struct Log {
    frames: Vec<(FrameAt, LiveSegment)>,
    base: Arc<Base>,
    rows: RowDelta,
    overlay: Overlay,
    epochs: Vec<EpochRecord>,
    last: Option<FrameHead>,
    sequence: u64,
}

/// What changed, ready to be named by a superblock.
#[derive(Default)]
struct Changes {
    spaces: BTreeMap<u64, SpaceChange>,
    freed: Vec<u32>,
    taken: Vec<u32>,
    written: u64,
    unsynced: u64,
}

impl FileStore {
    /// Merge what is durable now. A full disk is told and changes nothing; any other failure poisons the store.
    pub fn merge(&self) -> Result<Merged> {
        self.usable()?;
        let mut merger = lock(&self.merger);
        let Some(mut log) = self.read_log(&merger).map_err(|error| self.poison(error))? else { return Ok(Merged::default()) };
        let mut changes = Changes::default();
        let prepared =
            self.write_extents(&mut merger, &log, &mut changes).and_then(|()| self.write_meta(&merger, &log, &changes));
        let next = match prepared {
            Ok(next) => next,
            Err(error) => {
                // Nothing names what was written: the slots are free as before.
                merger.slots.free.extend(changes.taken);
                return Err(self.grave(error));
            }
        };
        if self.options.faults().segment_recycled_early() {
            self.recycle(&next.superblock).map_err(|error| self.grave(error))?;
        }
        // Let go of it, so that installing changes it in place.
        log.base = Arc::default();
        next.superblock.save(&*self.super_file).map_err(|error| self.poison(error))?;
        let merged = self.install(&mut merger, &log, &changes, next);
        self.recycle(&merger.superblock).map_err(|error| self.grave(error))?;
        Ok(merged)
    }

    fn read_log(&self, merger: &Merger) -> Result<Option<Log>> {
        let mut log = {
            let state = lock(&self.state);
            let frames = state.frames.iter().map(|at| (*at, state.segments[&at.file].clone())).collect();
            let (rows, overlay) = (RowDelta::default(), Overlay::default());
            let sequence = merger.superblock.merged_sequence;
            Log { frames, base: state.base.clone(), rows, overlay, epochs: Vec::new(), last: None, sequence }
        };
        if log.frames.is_empty() {
            return Ok(None);
        }
        let mut buffer = Vec::new();
        for index in 0..log.frames.len() {
            let (at, segment) = log.frames[index].clone();
            let number = merger.superblock.merged_frame + 1 + index as u64;
            buffer.resize(at.length as usize, 0);
            let name = file_name(at.file);
            segment
                .handle
                .read_at(&mut buffer, u64::from(at.offset))
                .map_err(|error| Error::io(format_args!("reading {name}"), &error))?;
            let head = FrameHead::read(&buffer)
                .filter(|head| head.number == number && head.length == at.length && head.is_whole(&buffer));
            let told = head.and_then(|head| log.frame(&head, &buffer[FRAME_HEAD_BYTES..], number));
            if told.is_none() && !self.options.faults().any() {
                return Err(Error::new(ErrorKind::Corrupt, format!("frame {number} in {name} has changed since it was durable")));
            }
            log.last = head;
        }
        Ok(Some(log))
    }

    fn write_extents(&self, merger: &mut Merger, log: &Log, changes: &mut Changes) -> Result<()> {
        let mut touched: Vec<u64> = log.overlay.keys().copied().collect();
        touched.sort_unstable();
        for space in touched {
            let (live, base) = (&log.overlay[&space], log.base.get(&space));
            let change = match live.length {
                None if base.is_none() => continue,
                None => {
                    changes.freed.extend(base.iter().flat_map(|base| base.extents.iter().map(|extent| extent.slot)));
                    SpaceChange::Gone
                }
                Some(length) => {
                    let extents = self.write_space(merger, space, live, base, changes)?;
                    SpaceChange::Changed { fresh: live.hidden != 0, length, extents }
                }
            };
            changes.spaces.insert(space, change);
        }
        self.sync_extents(changes)
    }

    /// Make the extents of one space that its patches touch.
    fn write_space(
        &self,
        merger: &mut Merger,
        space: u64,
        live: &Live,
        base: Option<&BaseSpace>,
        changes: &mut Changes,
    ) -> Result<Vec<Extent>> {
        let old: &[Extent] = base.map_or(&[], |base| &base.extents);
        let visible: &[Extent] = if live.hidden == 0 { old } else { &[] };
        if live.hidden != 0 {
            changes.freed.extend(old.iter().map(|extent| extent.slot));
        }
        let pieces = pieces(&lock(&self.state), live.patches.iter());
        let dirty = dirty_extents(&pieces, visible)?;
        let mut made = Vec::with_capacity(dirty.len());
        for group in dirty.chunks(GROUP_EXTENTS) {
            let mut images = self.load_group(space, group, visible)?;
            for_each_op(&pieces, |op| patch_group(&mut images, op))?;
            for (index, image) in images {
                if let Some(replaced) = find(visible, index) {
                    changes.freed.push(replaced.slot);
                    if self.options.faults().extent_recycled_early() {
                        merger.slots.free.insert(replaced.slot);
                    }
                }
                made.push(self.write_extent(merger, space, index, &image, changes)?);
            }
        }
        Ok(made)
    }

    fn load_group(&self, space: u64, group: &[u32], visible: &[Extent]) -> Result<BTreeMap<u32, Image>> {
        let mut images = BTreeMap::new();
        for index in group {
            let mut image = Image { bytes: vec![0; EXTENT_BYTES], damaged: false };
            if let Some(extent) = find(visible, *index) {
                image.damaged = !read_extent(&*self.extents, space, *extent, &mut image.bytes)?;
            }
            images.insert(*index, image);
        }
        Ok(images)
    }

    fn write_extent(&self, merger: &mut Merger, space: u64, index: u32, image: &Image, changes: &mut Changes) -> Result<Extent> {
        if !image.damaged && image.bytes.iter().all(|byte| *byte == 0) {
            return Ok(Extent { index, slot: 0, crc: 0 });
        }
        let slot = merger.slots.take()?;
        changes.taken.push(slot);
        let right = extent_crc(space, index, &image.bytes);
        let crc = if image.damaged { !right } else { right };
        self.extents
            .write_at(&image.bytes, u64::from(slot) * EXTENT_BYTES as u64)
            .map_err(|error| Error::io("writing extents", &error))?;
        changes.written += 1;
        changes.unsynced += EXTENT_BYTES as u64;
        if changes.unsynced >= SYNC_BYTES {
            self.sync_extents(changes)?;
        }
        Ok(Extent { index, slot, crc })
    }

    fn sync_extents(&self, changes: &mut Changes) -> Result<()> {
        changes.unsynced = 0;
        if self.options.faults().extent_sync_skipped() {
            return Ok(());
        }
        self.extents.sync().map_err(|error| Error::sync("extents", &error))
    }

    /// Append to the meta file, or write it anew; returns the superblock that names the result.
    fn write_meta(&self, merger: &Merger, log: &Log, changes: &Changes) -> Result<Next> {
        let (old, last) = (&merger.superblock, log.last);
        let Some(last) = last else { return Err(Error::new(ErrorKind::Corrupt, "the log to be merged has no whole frame")) };
        let Some((at, segment)) = log.frames.last() else { unreachable!("an empty log is not merged") };
        let mut superblock = Super {
            generation: old.generation + 1,
            merged_frame: old.merged_frame + log.frames.len() as u64,
            merged_crc: last.crc,
            merged_sequence: log.sequence,
            merged_epoch: last.epoch,
            replay_segment: segment.id,
            replay_offset: at.offset + padded(at.length as usize) as u32,
            ..*old
        };
        let mut records = Records::after(old.meta_crc);
        log.record(&mut records, changes);
        let (bytes, crc) = records.finish();
        let length = old.meta_length + bytes.len() as u64;
        if length <= 2 * merger.meta_anew_bytes + META_SLACK_BYTES {
            write_synced(&*merger.meta, &bytes, old.meta_length)?;
            (superblock.meta_length, superblock.meta_crc) = (length, crc);
            return Ok(Next { superblock, meta: None });
        }
        let mut image = MetaImage::load(&*merger.meta, old)?;
        log.apply(&mut image, changes);
        let mut records = Records::after(0);
        records.image(&image);
        let (bytes, crc) = records.finish();
        superblock.meta_number += 1;
        let name = meta::file_name(superblock.meta_number);
        let io = |error: std::io::Error| Error::io(format_args!("making {name}"), &error);
        let file = self.disk.create(&name).map_err(io)?;
        write_synced(&*file, &bytes, 0)?;
        self.disk.sync_dir().map_err(|error| Error::sync("the store's folder", &error))?;
        (superblock.meta_length, superblock.meta_crc) = (bytes.len() as u64, crc);
        Ok(Next { superblock, meta: Some(file) })
    }

    /// The superblock is durable: from now on reads use what it names.
    fn install(&self, merger: &mut Merger, log: &Log, changes: &Changes, next: Next) -> Merged {
        let old_meta = merger.superblock.meta_number;
        merger.superblock = next.superblock;
        let touched: Vec<u64> = log.overlay.keys().copied().collect();
        {
            let mut state = lock(&self.state);
            let base = Arc::make_mut(&mut state.base);
            for (space, change) in &changes.spaces {
                change.apply(base, *space);
            }
            state.forget_merged(next.superblock.merged_frame, &touched);
            state.generation = next.superblock.generation;
        }
        merger.slots.free.extend(&changes.freed);
        if let Some(file) = next.meta {
            merger.meta = file;
            merger.meta_anew_bytes = next.superblock.meta_length;
            // Left behind, it is removed at the next opening.
            let _ = self.disk.remove(&meta::file_name(old_meta));
        }
        let (spaces, rows) = (changes.spaces.len() as u64, log.rows.0.len() as u64);
        Merged { frames: log.frames.len() as u64, extents: changes.written, spaces, rows }
    }

    /// Give segments back that lie wholly before where recovery would begin.
    fn recycle(&self, superblock: &Super) -> Result<()> {
        let unneeded: BTreeMap<u32, LiveSegment> = {
            let mut state = lock(&self.state);
            let ended = |segment: &LiveSegment| segment.id < superblock.replay_segment;
            let files: Vec<u32> = state.segments.iter().filter(|(_, segment)| ended(segment)).map(|(file, _)| *file).collect();
            let early = self.options.faults().segment_recycled_early();
            let take =
                |file| if early { Some((file, state.segments.get(&file)?.clone())) } else { state.segments.remove_entry(&file) };
            files.into_iter().filter_map(take).collect()
        };
        let mut removed = false;
        for (file, segment) in unneeded {
            let length = segment.handle.length().map_err(|error| Error::io("reading the log", &error))?;
            let usual = length == u64::from(self.options.segment_bytes);
            if usual && self.pool.free_count() < FREE_SEGMENTS_MAX {
                self.pool.give(Free { file, handle: segment.handle, capacity: length as u32 });
            } else {
                self.disk
                    .remove(&file_name(file))
                    .map_err(|error| Error::io(format_args!("removing {}", file_name(file)), &error))?;
                removed = true;
            }
        }
        if removed {
            self.disk.sync_dir().map_err(|error| Error::sync("the store's folder", &error))?;
        }
        Ok(())
    }
}

/// What `write_meta` prepared.
struct Next {
    superblock: Super,
    meta: Option<Arc<dyn DiskFile>>,
}

struct Image {
    bytes: Vec<u8>,
    damaged: bool,
}

fn write_synced(file: &dyn DiskFile, bytes: &[u8], at: u64) -> Result<()> {
    file.write_at(bytes, at).map_err(|error| Error::io("writing the meta file", &error))?;
    file.sync().map_err(|error| Error::sync("the meta file", &error))
}

fn find(extents: &[Extent], index: u32) -> Option<&Extent> {
    extents.binary_search_by_key(&index, |extent| extent.index).ok().map(|at| &extents[at])
}

/// The indices that some operation touches, sorted. Zeroing touches only what is there or is written too.
fn dirty_extents(pieces: &[Piece], visible: &[Extent]) -> Result<Vec<u32>> {
    let mut dirty = BTreeSet::new();
    let index = |at: u64| u32::try_from(at / EXTENT_BYTES as u64).unwrap_or(u32::MAX);
    for_each_op(pieces, |op| {
        let (from, to, grows) = match *op {
            Op::Write { offset, data, .. } => (offset, offset + data.len() as u64, true),
            Op::Zero { offset, length, .. } => (offset, offset + length, false),
            Op::Resize { length, .. } => (length, crate::SPACE_BYTES_MAX, false),
            Op::Put { .. } | Op::Delete { .. } | Op::Patches { .. } | Op::Drop { .. } => return,
        };
        if from >= to {
            return;
        }
        let (first, last) = (index(from), index(to - 1));
        if grows {
            dirty.extend(first..=last);
        } else {
            let start = visible.partition_point(|extent| extent.index < first);
            dirty.extend(visible[start..].iter().map(|extent| extent.index).take_while(|index| *index <= last));
        }
    })?;
    Ok(dirty.into_iter().collect())
}

/// Do an operation to those extents of the group that it touches.
fn patch_group(images: &mut BTreeMap<u32, Image>, op: &Op<'_>) {
    let size = EXTENT_BYTES as u64;
    let index = |at: u64| u32::try_from(at / size).unwrap_or(u32::MAX);
    let (from, to) = match *op {
        Op::Write { offset, data, .. } => (offset, offset + data.len() as u64),
        Op::Zero { offset, length, .. } => (offset, offset + length),
        Op::Resize { length, .. } => (length, crate::SPACE_BYTES_MAX),
        Op::Put { .. } | Op::Delete { .. } | Op::Patches { .. } | Op::Drop { .. } => return,
    };
    if from < to {
        for (index, image) in images.range_mut(index(from)..=index(to - 1)) {
            op.patch(u64::from(*index) * size, &mut image.bytes);
            // What covers it wholly mends it.
            let start = u64::from(*index) * size;
            image.damaged &= from > start || to < start + size;
        }
    }
}

impl Log {
    /// Take in a frame.
    fn frame(&mut self, head: &FrameHead, body: &[u8], frame: u64) -> Option<()> {
        self.sequence += u64::from(head.batches);
        match head.kind {
            KIND_OPEN => self.epochs.push(EpochRecord::read(&mut Reader::new(body))?),
            KIND_SEAL => {}
            _ => {
                let (rows, overlay, base) = (&mut self.rows, &mut self.overlay, &self.base);
                batches(body, head.batches, |ops, at| apply(rows, overlay, base, Placed { ops, frame, at }))?;
            }
        }
        Some(())
    }

    fn record(&self, records: &mut Records, changes: &Changes) {
        for epoch in &self.epochs {
            records.epoch(epoch);
        }
        for ((table, key), value) in &self.rows.0 {
            records.row(*table, key, value.as_deref());
        }
        for (space, change) in &changes.spaces {
            records.space(*space, change);
        }
    }

    fn apply(&self, image: &mut MetaImage, changes: &Changes) {
        image.epochs.extend(&self.epochs);
        for ((table, key), value) in &self.rows.0 {
            match value {
                Some(value) => image.rows.put(*table, key, value),
                None => image.rows.delete(*table, key),
            }
        }
        for (space, change) in &changes.spaces {
            change.apply(&mut image.base, *space);
        }
    }
}
