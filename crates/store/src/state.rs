//! Everything a file store keeps in memory behind one short lock: rows and overlay, where frames lie, and what is not written yet.
//!
//! In: batches, and word of what became durable or was merged. Out: frames to write, places to read. Frames are numbered without holes:
//! `frames` holds those on disk since the last merge, `queued` those that are closed and not durable, and `building` the one that batches
//! are appended to. No effect on a disk happens under this lock.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::codec::{Reader, put_varint};
use crate::disk::DiskFile;
use crate::frame::{FRAME_HEAD_BYTES, KIND_BATCHES, KIND_OPEN, KIND_SEAL, padded};
use crate::live::{Base, Live, Overlay, Placed, Rows, SpaceMap, apply};
use crate::superblock::EpochRecord;

/// Where a frame lies: the number of its segment's file, and the place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameAt {
    pub file: u32,
    pub offset: u32,
    pub length: u32,
}

/// A closed frame that is not durable yet.
pub(crate) struct Queued {
    pub number: u64,
    /// The number of its first batch.
    pub sequence: u64,
    pub batches: u32,
    pub kind: u32,
    pub body: Vec<u8>,
}

#[derive(Default)]
struct Building {
    body: Vec<u8>,
    batches: u32,
}

/// A segment with frames that are not merged.
#[derive(Clone)]
pub(crate) struct LiveSegment {
    pub id: u64,
    pub handle: Arc<dyn DiskFile>,
}

pub(crate) struct State {
    pub rows: Rows,
    pub overlay: Overlay,
    /// Shared with a merge that reads it without the lock.
    pub base: Arc<Base>,
    pub epochs: Vec<EpochRecord>,
    /// Files of segments with frames in `frames`.
    pub segments: BTreeMap<u32, LiveSegment>,
    /// Frames on disk and not merged; the first has number `merged_frame + 1`.
    pub frames: VecDeque<FrameAt>,
    pub merged_frame: u64,
    /// Grows with each merge: whoever read a disk without this lock asks whether it still is what it was.
    pub generation: u64,
    pub appended: u64,
    pub durable: u64,
    /// Bytes on disk of `frames`.
    pub log_bytes: u64,
    pub queued: VecDeque<Arc<Queued>>,
    building: Building,
    queued_bytes: u64,
    frame_bytes_target: usize,
}

impl State {
    /// A store as merged up to `merged_frame` and `sequence`.
    pub(crate) fn new(merged_frame: u64, sequence: u64, generation: u64, frame_bytes_target: usize) -> State {
        State {
            rows: Rows::default(),
            overlay: Overlay::default(),
            base: Arc::default(),
            epochs: Vec::new(),
            segments: BTreeMap::new(),
            frames: VecDeque::new(),
            merged_frame,
            generation,
            appended: sequence,
            durable: sequence,
            log_bytes: 0,
            queued: VecDeque::new(),
            building: Building::default(),
            queued_bytes: 0,
            frame_bytes_target,
        }
    }

    /// The last frame that is on disk.
    pub(crate) fn durable_frame(&self) -> u64 {
        self.merged_frame + self.frames.len() as u64
    }

    /// The number that the frame being built will have.
    fn building_number(&self) -> u64 {
        self.durable_frame() + self.queued.len() as u64 + 1
    }

    /// Append encoded operations; they are visible from now on.
    pub(crate) fn append(&mut self, ops: &[u8]) -> u64 {
        if self.building.batches > 0 && self.building.body.len() + ops.len() > self.frame_bytes_target {
            self.close_frame();
        }
        let frame = self.building_number();
        put_varint(&mut self.building.body, ops.len() as u64);
        let at = (FRAME_HEAD_BYTES + self.building.body.len()) as u32;
        self.building.body.extend_from_slice(ops);
        self.building.batches += 1;
        self.appended += 1;
        let whole = apply(&mut self.rows, &mut self.overlay, &self.base, Placed { ops, frame, at });
        assert!(whole.is_some(), "a batch encodes whole operations");
        self.appended
    }

    /// Close the frame being built, if it has batches.
    pub(crate) fn close_frame(&mut self) {
        if self.building.batches == 0 {
            return;
        }
        let next_room = self.building.body.len();
        let Building { body, batches } = std::mem::take(&mut self.building);
        self.building.body.reserve(next_room);
        let sequence = self.appended + 1 - u64::from(batches);
        self.queue(KIND_BATCHES, sequence, batches, body);
    }

    /// Queue a frame without batches; the one being built must be closed.
    pub(crate) fn queue_mark(&mut self, kind: u32, body: Vec<u8>) {
        assert!(self.building.batches == 0 && (kind == KIND_OPEN || kind == KIND_SEAL), "a mark stands between frames");
        self.queue(kind, self.appended + 1, 0, body);
    }

    fn queue(&mut self, kind: u32, sequence: u64, batches: u32, body: Vec<u8>) {
        let number = self.building_number();
        self.queued_bytes += padded(FRAME_HEAD_BYTES + body.len()) as u64;
        self.queued.push_back(Arc::new(Queued { number, sequence, batches, kind, body }));
    }

    /// Bytes that the next syncs will write.
    pub(crate) fn unsynced_bytes(&self) -> u64 {
        self.queued_bytes + padded(FRAME_HEAD_BYTES + self.building.body.len()) as u64
    }

    /// The oldest queued frame is durable at `at`, in `segment`.
    pub(crate) fn synced(&mut self, at: FrameAt, segment: &LiveSegment) {
        let Some(frame) = self.queued.pop_front() else { unreachable!("only queued frames are written") };
        assert_eq!(frame.number, self.durable_frame() + 1, "frames become durable in order");
        self.queued_bytes -= padded(at.length as usize) as u64;
        self.durable = frame.sequence + u64::from(frame.batches) - 1;
        self.placed(at, segment);
    }

    /// A frame lies on disk.
    pub(crate) fn placed(&mut self, at: FrameAt, segment: &LiveSegment) {
        self.log_bytes += padded(at.length as usize) as u64;
        self.segments.entry(at.file).or_insert_with(|| segment.clone());
        self.frames.push_back(at);
    }

    /// The place of a frame, or its bytes while it is only in memory.
    pub(crate) fn frame(&self, number: u64) -> FrameBytes<'_> {
        assert!(number > self.merged_frame, "a merged frame is not read again");
        let index = (number - self.merged_frame - 1) as usize;
        match self.frames.get(index) {
            Some(at) => FrameBytes::Disk(*at),
            None => match self.queued.get(index - self.frames.len()) {
                Some(queued) => FrameBytes::Memory(&queued.body),
                None => FrameBytes::Memory(&self.building.body),
            },
        }
    }

    /// A space's length; `None` if it is not there.
    pub(crate) fn length(&self, space: u64) -> Option<u64> {
        match self.overlay.get(&space) {
            Some(live) => live.length,
            None => self.base.get(&space).map(|base| base.length),
        }
    }

    /// Forget what is merged up to `frame`: references, hidden bases, places of frames. The base has it now.
    pub(crate) fn forget_merged(&mut self, frame: u64, merged: &[u64]) {
        for space in merged {
            let Some(live) = self.overlay.get_mut(space) else { continue };
            if forget(live, frame) {
                self.overlay.remove(space);
            }
        }
        while self.merged_frame < frame {
            let Some(at) = self.frames.pop_front() else { unreachable!("only durable frames are merged") };
            self.log_bytes -= padded(at.length as usize) as u64;
            self.merged_frame += 1;
        }
    }
}

/// Whether nothing is left of it.
fn forget(live: &mut Live, frame: u64) -> bool {
    let kept = live.patches.partition_point(|patch| patch.frame <= frame);
    live.patches.drain(..kept);
    live.patches.shrink_to_fit();
    if live.hidden <= frame {
        live.hidden = 0;
    }
    live.patches.is_empty() && live.hidden == 0
}

pub(crate) enum FrameBytes<'a> {
    Disk(FrameAt),
    /// The body alone.
    Memory(&'a [u8]),
}

/// The batches of a frame's body: for each its operations and where they begin, counted from the frame's head.
pub(crate) fn batches(body: &[u8], count: u32, mut each: impl FnMut(&[u8], u32) -> Option<()>) -> Option<()> {
    let mut reader = Reader::new(body);
    for _ in 0..count {
        let length = usize::try_from(reader.varint()?).ok()?;
        let at = (FRAME_HEAD_BYTES + reader.at()) as u32;
        each(reader.take(length)?, at)?;
    }
    reader.is_empty().then_some(())
}

/// Spaces that are there, sorted.
pub(crate) fn spaces(base: &Base, overlay: &SpaceMap<Live>) -> Vec<u64> {
    let merged = base.keys().filter(|space| !overlay.contains_key(space));
    let changed = overlay.iter().filter(|(_, live)| live.length.is_some()).map(|(space, _)| space);
    let mut all: Vec<u64> = merged.chain(changed).copied().collect();
    all.sort_unstable();
    all
}
