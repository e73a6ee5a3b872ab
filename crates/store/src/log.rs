//! Writing the log: segments, made in advance and used again, and frames chained one to the next.
//!
//! In: queued frames. Out: their places, durable. One `sync` writes all queued frames with one write and one sync, unless they go over
//! the end of a segment: then the first segment is durable before the next one is begun, so a segment's head says that all before it is
//! whole. The head of a segment is written together with its first frame. `Pool` holds segments ready for use; it has a lock of its own so
//! that reserving room never waits for a sync.

use std::sync::{Arc, Mutex};

use crate::disk::{Disk, DiskFile, SECTOR_BYTES};
use crate::error::{Error, ErrorKind, Result};
use crate::file::lock;
use crate::frame::{FRAME_HEAD_BYTES, FrameHead, SEGMENT_HEAD_BYTES, SegmentHead, padded, put_frame};
use crate::state::{FrameAt, LiveSegment, Queued};
use crate::superblock::FORMAT_VERSION;

const ZEROS_BYTES: usize = 1 << 20;
/// A segment in the making is synced each time this much was written, so that no sync of the log waits long behind one.
const SYNC_BYTES: u64 = 4 << 20;
/// A segment that an opening makes for itself.
const FIRST_SEGMENT_BYTES: u32 = 256 << 10;

pub(crate) fn file_name(file: u32) -> String {
    format!("log-{file:08}")
}

/// The number in the name of a segment's file.
pub(crate) fn file_number(name: &str) -> Option<u32> {
    name.strip_prefix("log-").filter(|digits| digits.len() == 8)?.parse().ok()
}

/// A segment that nothing needs.
pub(crate) struct Free {
    pub file: u32,
    pub handle: Arc<dyn DiskFile>,
    pub capacity: u32,
}

/// Segments ready for use.
pub(crate) struct Pool {
    inner: Mutex<PoolInner>,
    identity: [u8; 32],
    segment_bytes: u32,
    frame_bytes_target: usize,
}

struct PoolInner {
    free: Vec<Free>,
    next_file: u32,
}

impl Pool {
    pub(crate) fn new(
        identity: [u8; 32],
        segment_bytes: u32,
        frame_bytes_target: usize,
        free: Vec<Free>,
        next_file: u32,
    ) -> Pool {
        Pool { inner: Mutex::new(PoolInner { free, next_file }), identity, segment_bytes, frame_bytes_target }
    }

    pub(crate) fn free_count(&self) -> usize {
        lock(&self.inner).free.len()
    }

    /// Bytes of frames that surely fit a segment: what a frame that does not fit leaves at the end is taken off.
    fn usable(&self, capacity: u32) -> u64 {
        (u64::from(capacity)).saturating_sub((SEGMENT_HEAD_BYTES + self.frame_bytes_target + 2 * SECTOR_BYTES) as u64)
    }

    /// Make sure that `unsynced` and after it `bytes` more fit into free segments. The rest of the segment in use is left for padding.
    pub(crate) fn reserve(&self, disk: &dyn Disk, unsynced: u64, bytes: u64) -> Result<()> {
        let single = padded(SEGMENT_HEAD_BYTES + FRAME_HEAD_BYTES + bytes as usize) as u64;
        let large = bytes > self.usable(self.segment_bytes);
        let capacity = if large { u32::try_from(single) } else { Ok(self.segment_bytes) };
        let capacity = capacity
            .map_err(|_| Error::new(ErrorKind::Limit, format!("{bytes} bytes of log are more than a segment can hold")))?;
        loop {
            let holds = {
                let inner = lock(&self.inner);
                let room: u64 = inner.free.iter().map(|free| self.usable(free.capacity)).sum();
                let longest = inner.free.iter().map(|free| u64::from(free.capacity)).max().unwrap_or(0);
                (large || room >= unsynced + bytes) && longest >= single
            };
            if holds {
                return Ok(());
            }
            let made = self.make(disk, capacity)?;
            self.give(made);
        }
    }

    /// Have a segment for the first frame of an opening, which should not wait until a long one is made.
    pub(crate) fn prepare_first(&self, disk: &dyn Disk) -> Result<()> {
        if self.free_count() == 0 {
            let made = self.make(disk, self.segment_bytes.min(FIRST_SEGMENT_BYTES))?;
            self.give(made);
        }
        Ok(())
    }

    /// Have at least `count` segments ready.
    pub(crate) fn prepare(&self, disk: &dyn Disk, count: usize) -> Result<()> {
        while self.free_count() < count {
            let made = self.make(disk, self.segment_bytes)?;
            self.give(made);
        }
        Ok(())
    }

    pub(crate) fn give(&self, free: Free) {
        lock(&self.inner).free.push(free);
    }

    /// A segment for a frame of `bytes` with padding.
    fn take(&self, disk: &dyn Disk, bytes: usize) -> Result<Free> {
        let needed = (SEGMENT_HEAD_BYTES + bytes) as u64;
        {
            let mut inner = lock(&self.inner);
            let fits = |free: &Free| u64::from(free.capacity) >= needed;
            if let Some(at) = inner.free.iter().position(fits) {
                return Ok(inner.free.remove(at));
            }
        }
        self.make(disk, u32::try_from(needed).unwrap_or(u32::MAX).max(self.segment_bytes))
    }

    /// Make a file of zeros whose room is durable. When the disk is full the file goes and nothing has changed.
    fn make(&self, disk: &dyn Disk, capacity: u32) -> Result<Free> {
        let file = {
            let mut inner = lock(&self.inner);
            inner.next_file += 1;
            inner.next_file - 1
        };
        let name = file_name(file);
        let written = self.write_zeros(disk, &name, capacity);
        written.map(|handle| Free { file, handle, capacity }).map_err(|error| {
            // The file is not used whether or not removing it works; the next opening finds it free.
            let _ = disk.remove(&name);
            Error::io(format_args!("making {name}"), &error)
        })
    }

    fn write_zeros(&self, disk: &dyn Disk, name: &str, capacity: u32) -> std::io::Result<Arc<dyn DiskFile>> {
        let handle = disk.create(name)?;
        let zeros = vec![0; ZEROS_BYTES.min(capacity as usize)];
        let mut at = 0;
        while at < u64::from(capacity) {
            let piece = (u64::from(capacity) - at).min(zeros.len() as u64);
            handle.write_at(&zeros[..piece as usize], at)?;
            at += piece;
            if at.is_multiple_of(SYNC_BYTES) {
                handle.sync()?;
            }
        }
        let head = SegmentHead {
            version: FORMAT_VERSION,
            identity: self.identity,
            id: 0,
            epoch: 0,
            first: 0,
            before: 0,
            capacity: capacity / SECTOR_BYTES as u32,
        };
        handle.write_at(&head.bytes(), 0)?;
        handle.sync()?;
        disk.sync_dir()?;
        Ok(handle)
    }
}

/// The end of the log. Whoever holds it is the one writer.
pub(crate) struct LogEnd {
    pub epoch: u64,
    /// The last frame written, and its crc.
    pub frame: u64,
    pub crc: u32,
    /// The segment in use; none before the first frame of an opening.
    pub segment: Option<Current>,
    /// The id that the next segment will have.
    pub next_segment: u64,
    pub sealed: bool,
    scratch: Vec<u8>,
}

pub(crate) struct Current {
    pub file: u32,
    pub id: u64,
    pub handle: Arc<dyn DiskFile>,
    pub capacity: u32,
    pub offset: u32,
}

/// A frame that is durable now.
pub(crate) struct Written {
    pub at: FrameAt,
    pub segment: LiveSegment,
}

impl LogEnd {
    pub(crate) fn new(epoch: u64, frame: u64, crc: u32, next_segment: u64) -> LogEnd {
        LogEnd { epoch, frame, crc, segment: None, next_segment, sealed: false, scratch: Vec::new() }
    }

    /// Write `frames` and make them durable. `skip_sync` is for a seeded bug.
    pub(crate) fn write(
        &mut self,
        disk: &dyn Disk,
        pool: &Pool,
        identity: [u8; 32],
        frames: &[Arc<Queued>],
        skip_sync: bool,
    ) -> Result<Vec<Written>> {
        // All frames of one call say the same: what was durable before it.
        let synced = self.frame;
        let mut written = Vec::with_capacity(frames.len());
        self.scratch.clear();
        let mut begin = self.segment.as_ref().map_or(0, |segment| segment.offset);
        for frame in frames {
            let bytes = padded(FRAME_HEAD_BYTES + frame.body.len());
            let fits = self.segment.as_ref().is_some_and(|segment| segment.offset as usize + bytes <= segment.capacity as usize);
            if !fits {
                self.flush(begin, skip_sync)?;
                self.next_segment(disk, pool, identity, bytes, frame.number)?;
                begin = 0;
            }
            written.push(self.put(frame, synced, bytes));
        }
        self.flush(begin, skip_sync)?;
        Ok(written)
    }

    fn put(&mut self, frame: &Queued, synced: u64, bytes: usize) -> Written {
        assert_eq!(frame.number, self.frame + 1, "frames are written in order");
        let head = FrameHead {
            length: 0,
            crc: 0,
            epoch: self.epoch,
            number: frame.number,
            sequence: frame.sequence,
            synced,
            before: self.crc,
            batches: frame.batches,
            kind: frame.kind,
        };
        self.crc = put_frame(&mut self.scratch, &head, &frame.body);
        self.frame = frame.number;
        let Some(segment) = &mut self.segment else { unreachable!("a segment was begun for it") };
        let at = FrameAt { file: segment.file, offset: segment.offset, length: (FRAME_HEAD_BYTES + frame.body.len()) as u32 };
        segment.offset += bytes as u32;
        Written { at, segment: LiveSegment { id: segment.id, handle: segment.handle.clone() } }
    }

    fn next_segment(&mut self, disk: &dyn Disk, pool: &Pool, identity: [u8; 32], bytes: usize, first: u64) -> Result<()> {
        let Free { file, handle, capacity } = pool.take(disk, bytes)?;
        let id = self.next_segment;
        self.next_segment += 1;
        let head = SegmentHead {
            version: FORMAT_VERSION,
            identity,
            id,
            epoch: self.epoch,
            first,
            before: self.crc,
            capacity: capacity / SECTOR_BYTES as u32,
        };
        self.scratch.extend_from_slice(&head.bytes());
        self.segment = Some(Current { file, id, handle, capacity, offset: SEGMENT_HEAD_BYTES as u32 });
        Ok(())
    }

    /// Write what is in `scratch` at `begin` of the segment in use, and sync it.
    fn flush(&mut self, begin: u32, skip_sync: bool) -> Result<()> {
        let Some(segment) = &self.segment else { return Ok(()) };
        if self.scratch.is_empty() {
            return Ok(());
        }
        let name = file_name(segment.file);
        segment
            .handle
            .write_at(&self.scratch, u64::from(begin))
            .map_err(|error| Error::io(format_args!("writing {name}"), &error))?;
        if !skip_sync {
            segment.handle.sync().map_err(|error| Error::sync(name, &error))?;
        }
        self.scratch.clear();
        Ok(())
    }
}
