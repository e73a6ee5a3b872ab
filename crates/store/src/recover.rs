//! Reading the log at opening: which frames count, whether something is missing, and where to go on.
//!
//! In: the files of segments and where the merged part ends. Out: the longest run of whole frames, consecutive in number and sequence,
//! each naming the crc of the one before, with epochs that never fall. Then the question whether more was durable once:
//! - a later segment whose head is whole says that all frames before its first one were durable;
//! - a whole frame further on says so of all frames up to its `synced`.
//!
//! If either holds for a frame that the run does not reach, something durable is lost, and the store does not open. Otherwise the run
//! ends in a torn write that nobody was told of: it is cut, by number. Nothing is written here.

use std::sync::Arc;

use crate::disk::{Disk, DiskFile, SECTOR_BYTES};
use crate::error::{Error, ErrorKind, Result};
use crate::faults::Faults;
use crate::frame::{FRAME_HEAD_BYTES, FrameHead, SEGMENT_HEAD_BYTES, SegmentHead, padded};
use crate::log::{Free, file_name, file_number};
use crate::state::{FrameAt, LiveSegment};
use crate::superblock::{FORMAT_VERSION, Super};

/// How much is read at a time: a size that stays in the processor's cache until it is checked and applied.
const CHUNK_BYTES: usize = 512 << 10;

/// How far behind the end of the run is looked for a frame that says that more was durable. The frame after a lost one begins where the
/// lost one ended, and frames are at most half as long as this unless a single batch is longer; then the lost head may say so.
const AHEAD_BYTES: u64 = 8 << 20;

pub(crate) struct Segment {
    pub file: u32,
    pub handle: Arc<dyn DiskFile>,
    pub head: SegmentHead,
}

/// The files of the log, sorted out by their heads.
pub(crate) struct Segments {
    /// Those that recovery reads, in order.
    pub live: Vec<Segment>,
    pub free: Vec<Free>,
    /// Those without a readable head: a beginning that tore, or damage.
    pub odd: Vec<Free>,
    pub next_file: u32,
}

impl Segments {
    pub(crate) fn find(disk: &dyn Disk, superblock: &Super) -> Result<Segments> {
        let mut found = Segments { live: Vec::new(), free: Vec::new(), odd: Vec::new(), next_file: 1 };
        let names = disk.list().map_err(|error| Error::io("listing the store's folder", &error))?;
        for (name, file) in names.iter().filter_map(|name| Some((name, file_number(name)?))) {
            let io = |error: std::io::Error| Error::io(format_args!("reading {name}"), &error);
            let handle = disk.open(name).map_err(io)?;
            let length = handle.length().map_err(io)?;
            let mut sector = [0; SEGMENT_HEAD_BYTES];
            let count = handle.read_at(&mut sector, 0).map_err(io)?;
            found.next_file = found.next_file.max(file.saturating_add(1));
            let capacity = u32::try_from(length - length % SECTOR_BYTES as u64).unwrap_or(0);
            let free = Free { file, handle, capacity };
            match SegmentHead::read(&sector[..count]) {
                None => found.odd.push(free),
                Some(head) if head.version > FORMAT_VERSION => {
                    let cause = format!("{name} has format version {}; this program reads up to {FORMAT_VERSION}", head.version);
                    return Err(Error::new(ErrorKind::NewerVersion, cause));
                }
                Some(head) if head.identity != superblock.identity => {
                    return Err(Error::new(ErrorKind::OtherIdentity, format!("{name} belongs to another store")));
                }
                Some(head) if head.id < superblock.replay_segment => found.free.push(free),
                Some(head) if u64::from(head.capacity) * SECTOR_BYTES as u64 > length => {
                    let cause = format!("{name} has {length} bytes; it was made with {} sectors", head.capacity);
                    return Err(Error::new(ErrorKind::Truncated, cause));
                }
                Some(head) => found.live.push(Segment { file, handle: free.handle, head }),
            }
        }
        found.live.sort_by_key(|segment| segment.head.id);
        Ok(found)
    }
}

/// Who is told of each frame that counts. `false`: the body is not what the head says.
pub(crate) trait FrameSink {
    fn frame(&mut self, head: &FrameHead, body: &[u8], at: FrameAt, segment: &LiveSegment) -> bool;
}

/// How far the run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The last frame of it, and its crc, epoch, and the batches up to its end.
    pub frame: u64,
    pub crc: u32,
    pub epoch: u64,
    pub sequence: u64,
    /// The segment (its place among the live ones) and the offset where the run ends.
    pub segment: usize,
    pub offset: u32,
}

/// What recovery found out.
pub(crate) struct Recovered {
    pub run: Run,
    /// The number of a frame that was begun and not ended.
    pub cut: Option<u64>,
}

/// Pieces of a file, read ahead.
struct Window {
    buffer: Vec<u8>,
    start: u64,
    filled: usize,
}

impl Window {
    fn new() -> Window {
        Window { buffer: vec![0; CHUNK_BYTES], start: 0, filled: 0 }
    }

    fn restart(&mut self) {
        self.filled = 0;
    }

    /// `length` bytes at `offset`; `None` where the file is shorter.
    fn get(&mut self, file: &dyn DiskFile, offset: u64, length: usize) -> Result<Option<&[u8]>> {
        let held = offset >= self.start && offset + length as u64 <= self.start + self.filled as u64;
        if !held {
            if self.buffer.len() < length {
                self.buffer.resize(length, 0);
            }
            self.filled = file.read_at(&mut self.buffer, offset).map_err(|error| Error::io("reading the log", &error))?;
            self.start = offset;
        }
        let from = (offset - self.start) as usize;
        Ok((self.filled >= from + length).then(|| &self.buffer[from..from + length]))
    }
}

/// Walk the live segments from where `superblock` says, telling `sink` of each frame that counts.
pub(crate) fn recover(segments: &Segments, superblock: &Super, faults: Faults, sink: &mut impl FrameSink) -> Result<Recovered> {
    let mut run = Run {
        frame: superblock.merged_frame,
        crc: superblock.merged_crc,
        epoch: superblock.merged_epoch,
        sequence: superblock.merged_sequence,
        segment: 0,
        offset: superblock.replay_offset,
    };
    let first = segments.live.first();
    let begun = superblock.merged_frame > 0;
    if begun && first.is_none_or(|first| first.head.id != superblock.replay_segment) {
        let cause = format!("segment {} of the log, where recovery begins, is not there", superblock.replay_segment);
        return Err(Error::new(ErrorKind::Corrupt, cause));
    }
    let mut window = Window::new();
    for (index, segment) in segments.live.iter().enumerate() {
        if index > 0 || !begun {
            let fits = segment.head.first == run.frame + 1 && segment.head.before == run.crc && segment.head.epoch >= run.epoch;
            if !fits && !faults.stale_frame_adopted() {
                return Err(missing(&run, &file_name(segment.file), segment.head.first.saturating_sub(1)));
            }
            run.offset = SEGMENT_HEAD_BYTES as u32;
        }
        run.segment = index;
        let bound = segments.live.get(index + 1).map_or(u64::MAX, |next| next.head.first);
        walk(segment, &mut run, bound, faults, &mut window, sink)?;
    }
    let cut = ahead(segments, &run, &mut window)?;
    Ok(Recovered { run, cut })
}

fn missing(run: &Run, place: &str, durable: u64) -> Error {
    let frame = run.frame + 1;
    let cause = format!("frame {frame} of the log cannot be read; {place} says that frames up to {durable} were durable");
    Error::new(ErrorKind::Corrupt, cause)
}

/// The frames of one segment that continue the run, below `bound`.
fn walk(
    segment: &Segment,
    run: &mut Run,
    bound: u64,
    faults: Faults,
    window: &mut Window,
    sink: &mut impl FrameSink,
) -> Result<()> {
    window.restart();
    let live = LiveSegment { id: segment.head.id, handle: segment.handle.clone() };
    loop {
        if run.frame + 1 >= bound && !faults.stale_frame_adopted() {
            return Ok(());
        }
        let Some(head) = window.get(&*segment.handle, u64::from(run.offset), FRAME_HEAD_BYTES)?.and_then(FrameHead::read) else {
            return Ok(());
        };
        let next = head.number == run.frame + 1
            && head.sequence == run.sequence + 1
            && head.before == run.crc
            && head.epoch == segment.head.epoch;
        if !next && !faults.stale_frame_adopted() {
            return Ok(());
        }
        let length = head.length as usize;
        let Some(frame) = window.get(&*segment.handle, u64::from(run.offset), length)? else { return Ok(()) };
        if !head.is_whole(frame) && !faults.torn_tail_accepted() {
            return Ok(());
        }
        // Places in a segment are 32 bits; no segment that we make is longer.
        let Some(end) = run.offset.checked_add(padded(length) as u32) else { return Ok(()) };
        let at = FrameAt { file: segment.file, offset: run.offset, length: head.length };
        if !sink.frame(&head, &frame[FRAME_HEAD_BYTES..], at, &live) {
            if faults.any() {
                return Ok(());
            }
            let cause = format!("frame {} of the log has a good checksum and no meaning", head.number);
            return Err(Error::new(ErrorKind::Corrupt, cause));
        }
        run.frame += 1;
        run.crc = head.crc;
        run.epoch = head.epoch;
        run.sequence += u64::from(head.batches);
        run.offset = end;
    }
}

/// Look behind the end of the run, and in segments without a head, for a frame that says that more was durable. Returns the number of a
/// frame that was begun there.
fn ahead(segments: &Segments, run: &Run, window: &mut Window) -> Result<Option<u64>> {
    let last = segments.live.get(run.segment).map(|segment| (segment.file, &segment.handle, u64::from(run.offset)));
    let odd = segments.odd.iter().map(|free| (free.file, &free.handle, 0));
    let mut cut = None;
    for (file, handle, from) in last.into_iter().chain(odd) {
        window.restart();
        let mut at = from;
        let mut until = if from == 0 { u64::MAX } else { from + AHEAD_BYTES };
        while at < until
            && let Some(bytes) = window.get(&**handle, at, SECTOR_BYTES)?
        {
            if let Some(head) = FrameHead::read(bytes).filter(|head| head.number > run.frame && head.epoch >= run.epoch) {
                let whole = window.get(&**handle, at, head.length as usize)?.is_some_and(|frame| head.is_whole(frame));
                if whole && head.synced > run.frame {
                    return Err(missing(run, &format!("frame {} in {}", head.number, file_name(file)), head.synced));
                }
                if at == from && head.number == run.frame + 1 {
                    until = until.saturating_add(u64::from(head.length));
                }
                if whole || head.number == run.frame + 1 {
                    cut = Some(cut.unwrap_or(u64::MAX).min(head.number));
                }
            }
            at += SECTOR_BYTES as u64;
        }
    }
    Ok(cut)
}
