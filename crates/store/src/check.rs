//! Reading everything to see whether it can be read, and copying a store while it is used.
//!
//! In: an open store. Out: what is damaged, by space and extent; or a store in another folder. Both hold the merger, so that extents and
//! merged frames stay where they are; turns and syncs go on.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, SECTOR_BYTES};
use crate::error::{Error, ErrorKind, Result};
use crate::file::{FileStore, lock};
use crate::frame::{FrameHead, SEGMENT_HEAD_BYTES, SegmentHead, padded};
use crate::image::read_extent;
use crate::log::file_name;
use crate::merge::Merger;
use crate::meta::{self, MetaImage};
use crate::open::{is_ours, make};
use crate::state::FrameAt;
use crate::store::Store as _;
use crate::superblock::{EXTENT_BYTES, Super};

const COPY_BYTES: usize = 1 << 20;

/// An extent that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    pub space: u64,
    /// Where in the space it begins.
    pub offset: u64,
    pub length: u64,
}

/// What a check has read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub extents: u64,
    pub frames: u64,
    pub rows: u64,
    /// Spaces that a restore is needed for.
    pub damage: Vec<Damage>,
}

impl FileStore {
    /// An error if the log, the meta file or the superblock cannot be read; damaged extents are listed.
    pub(crate) fn check_all(&self) -> Result<Checked> {
        let merger = lock(&self.merger);
        let saved = Super::load(&*self.super_file)?;
        if saved != merger.superblock {
            return Err(Error::new(ErrorKind::Corrupt, "the superblock on disk is not the one that was written"));
        }
        let image = MetaImage::load(&*merger.meta, &saved)?;
        let mut checked = Checked { rows: lock(&self.state).rows.count() as u64, ..Checked::default() };
        let mut spaces: Vec<_> = image.base.iter().collect();
        spaces.sort_unstable_by_key(|(space, _)| **space);
        let mut buffer = vec![0; EXTENT_BYTES];
        for (space, base) in spaces {
            for extent in &base.extents {
                checked.extents += 1;
                if !read_extent(&*self.extents, *space, *extent, &mut buffer)? {
                    let length = EXTENT_BYTES as u64;
                    checked.damage.push(Damage { space: *space, offset: u64::from(extent.index) * length, length });
                }
            }
        }
        for (number, at, file) in self.frames(&merger) {
            checked.frames += 1;
            let mut frame = vec![0; at.length as usize];
            file.read_at(&mut frame, u64::from(at.offset)).map_err(|error| Error::io("reading the log", &error))?;
            let whole = FrameHead::read(&frame)
                .is_some_and(|head| head.number == number && head.length == at.length && head.is_whole(&frame));
            if !whole {
                let cause = format!("frame {number} in {} has changed since it was durable", file_name(at.file));
                return Err(Error::new(ErrorKind::Corrupt, cause));
            }
        }
        Ok(checked)
    }

    /// The durable frames that are not merged. They stay while `_merger` is held.
    fn frames(&self, _merger: &Merger) -> Vec<(u64, FrameAt, Arc<dyn DiskFile>)> {
        let state = lock(&self.state);
        let numbered = (state.merged_frame + 1..).zip(&state.frames);
        numbered.map(|(number, at)| (number, *at, state.segments[&at.file].handle.clone())).collect()
    }

    pub(crate) fn back_up(&self, to: &dyn Disk) -> Result<()> {
        let there = to.list().map_err(|error| Error::io("listing the backup's folder", &error))?;
        if let Some(name) = there.iter().find(|name| is_ours(name)) {
            return Err(Error::new(ErrorKind::Exists, format!("the folder for the backup holds `{name}` already")));
        }
        self.sync()?;
        let merger = lock(&self.merger);
        let frames = self.frames(&merger);
        let superblock = merger.superblock;
        make(to, superblock, |extents| {
            let bytes = merger.slots() * EXTENT_BYTES as u64;
            copy(&*self.extents, extents, 0, bytes)?;
            let name = meta::file_name(superblock.meta_number);
            let meta = to.create(&name).map_err(|error| Error::io("making a backup", &error))?;
            copy(&*merger.meta, &*meta, 0, superblock.meta_length)?;
            meta.sync().map_err(|error| Error::sync(name, &error))?;
            copy_log(&superblock, &frames, self.segments_from(superblock.replay_segment), to)
        })
    }

    /// The segments that recovery would read, by the number of their file.
    fn segments_from(&self, id: u64) -> BTreeMap<u32, Arc<dyn DiskFile>> {
        let state = lock(&self.state);
        state.segments.iter().filter(|(_, it)| it.id >= id).map(|(file, it)| (*file, it.handle.clone())).collect()
    }
}

/// Copy the heads of segments and `frames`, and nothing behind the last of these: what is being written there is not durable.
fn copy_log(
    superblock: &Super,
    frames: &[(u64, FrameAt, Arc<dyn DiskFile>)],
    segments: BTreeMap<u32, Arc<dyn DiskFile>>,
    to: &dyn Disk,
) -> Result<()> {
    let last = frames.last().map_or(superblock.merged_frame, |(number, ..)| *number);
    for (file, from) in segments {
        let mut sector = [0; SEGMENT_HEAD_BYTES];
        from.read_at(&mut sector, 0).map_err(|error| Error::io("reading the log", &error))?;
        let Some(head) = SegmentHead::read(&sector) else {
            return Err(Error::new(ErrorKind::Corrupt, format!("the head of {} has changed", file_name(file))));
        };
        if head.first > last + 1 {
            continue;
        }
        let name = file_name(file);
        let copied = to.create(&name).map_err(|error| Error::io("making a backup", &error))?;
        copy(&*from, &*copied, 0, SEGMENT_HEAD_BYTES as u64)?;
        let here = || frames.iter().filter(|(_, at, _)| at.file == file).map(|(_, at, _)| at);
        if let (Some(first), Some(end)) = (here().next(), here().next_back()) {
            copy(&*from, &*copied, u64::from(first.offset), u64::from(end.offset) + padded(end.length as usize) as u64)?;
        }
        let end = u64::from(head.capacity) * SECTOR_BYTES as u64;
        if copied.length().map_err(|error| Error::io("making a backup", &error))? < end {
            let zeros = [0; SECTOR_BYTES];
            copied.write_at(&zeros, end - SECTOR_BYTES as u64).map_err(|error| Error::io("making a backup", &error))?;
        }
        copied.sync().map_err(|error| Error::sync(name, &error))?;
    }
    Ok(())
}

/// Copy the bytes of `start..end`.
fn copy(from: &dyn DiskFile, to: &dyn DiskFile, start: u64, end: u64) -> Result<()> {
    let mut buffer = vec![0; COPY_BYTES];
    let mut at = start;
    while at < end {
        let piece = (end - at).min(COPY_BYTES as u64) as usize;
        let count = from.read_at(&mut buffer[..piece], at).map_err(|error| Error::io("reading for a backup", &error))?;
        if count == 0 {
            break;
        }
        to.write_at(&buffer[..count], at).map_err(|error| Error::io("writing a backup", &error))?;
        at += count as u64;
    }
    Ok(())
}
