//! Reading a space: merged extents, and over them the patches that the log or the memory still has.
//!
//! In: a space and a range. Out: its bytes, or that an extent is damaged. What to read is noted under the state's lock, read without it,
//! and then it is asked whether a merge ended meanwhile; if so the places may have been used again and the reading is done once more.
//! An extent is compared with its checksum, which covers the space's number and the extent's place, so that no other extent passes.

use std::sync::Arc;

use crate::batch::Op;
use crate::codec::Reader;
use crate::disk::DiskFile;
use crate::error::{Error, ErrorKind, Result};
use crate::file::{FileStore, lock};
use crate::frame::FRAME_HEAD_BYTES;
use crate::live::{Extent, PatchRef, REACH_SHIFT};
use crate::state::{FrameBytes, State};
use crate::superblock::EXTENT_BYTES;

/// Patches that lie closer together than this are read in one piece.
const GAP_BYTES: u64 = 4 << 10;
const PIECE_BYTES_MAX: u64 = 1 << 20;

pub(crate) fn extent_crc(space: u64, index: u32, bytes: &[u8]) -> u32 {
    let named = crc32c::crc32c_append(crc32c::crc32c(&space.to_le_bytes()), &index.to_le_bytes());
    crc32c::crc32c_append(named, bytes)
}

/// Read an extent into `buffer`. `false`: it is not what was written.
pub(crate) fn read_extent(file: &dyn DiskFile, space: u64, extent: Extent, buffer: &mut [u8]) -> Result<bool> {
    assert_eq!(buffer.len(), EXTENT_BYTES, "an extent is read whole");
    let at = u64::from(extent.slot) * EXTENT_BYTES as u64;
    let count =
        file.read_at(buffer, at).map_err(|error| Error::io(format_args!("reading an extent of space {space}"), &error))?;
    Ok(count == EXTENT_BYTES && extent_crc(space, extent.index, buffer) == extent.crc)
}

/// Part of a segment with operations in it, or such operations in memory.
pub(crate) enum Piece {
    Memory(Vec<u8>),
    Disk { file: Arc<dyn DiskFile>, start: u64, end: u64, parts: Vec<(u64, u32)> },
}

/// Note where the operations of `patches` are, in order, close ones together.
pub(crate) fn pieces<'a>(state: &State, patches: impl Iterator<Item = &'a PatchRef>) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut last_file = None;
    for patch in patches {
        match state.frame(patch.frame) {
            FrameBytes::Memory(body) => {
                let from = patch.at as usize - FRAME_HEAD_BYTES;
                pieces.push(Piece::Memory(body[from..from + patch.length as usize].to_vec()));
                last_file = None;
            }
            FrameBytes::Disk(at) => {
                let start = u64::from(at.offset) + u64::from(patch.at);
                let end = start + u64::from(patch.length);
                if last_file == Some(at.file)
                    && let Some(Piece::Disk { start: first, end: last, parts, .. }) = pieces.last_mut()
                    && start >= *last
                    && start - *last <= GAP_BYTES
                    && end - *first <= PIECE_BYTES_MAX
                {
                    *last = end;
                    parts.push((start, patch.length));
                    continue;
                }
                let file = state.segments[&at.file].handle.clone();
                pieces.push(Piece::Disk { file, start, end, parts: vec![(start, patch.length)] });
                last_file = Some(at.file);
            }
        }
    }
    pieces
}

/// Tell `each` all operations of `pieces`, in order.
pub(crate) fn for_each_op(pieces: &[Piece], mut each: impl FnMut(&Op<'_>)) -> Result<()> {
    let mut buffer = Vec::new();
    let mut run = |bytes: &[u8]| {
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let op = Op::read(&mut reader)?;
            op.for_each(&mut each)?;
        }
        Some(())
    };
    let bad = || Error::new(ErrorKind::Corrupt, "operations in the log have changed since they were checked");
    for piece in pieces {
        match piece {
            Piece::Memory(bytes) => run(bytes).ok_or_else(bad)?,
            Piece::Disk { file, start, end, parts } => {
                buffer.resize((end - start) as usize, 0);
                let count = file.read_at(&mut buffer, *start).map_err(|error| Error::io("reading the log", &error))?;
                if count < buffer.len() {
                    return Err(bad());
                }
                for (at, length) in parts {
                    let from = (at - start) as usize;
                    run(&buffer[from..from + *length as usize]).ok_or_else(bad)?;
                }
            }
        }
    }
    Ok(())
}

/// What has to be read for one range.
struct View {
    generation: u64,
    extents: Vec<Extent>,
    pieces: Vec<Piece>,
}

impl View {
    fn note(state: &State, space: u64, offset: u64, length: u64) -> View {
        let live = state.overlay.get(&space);
        let mut view = View { generation: state.generation, extents: Vec::new(), pieces: Vec::new() };
        if length == 0 {
            return view;
        }
        let hidden = live.is_some_and(|live| live.hidden != 0);
        if let Some(base) = state.base.get(&space).filter(|_| !hidden) {
            let index = |at: u64| u32::try_from(at / EXTENT_BYTES as u64).unwrap_or(u32::MAX);
            view.extents = base.within(index(offset), index(offset + length - 1)).to_vec();
        }
        if let Some(live) = live {
            let (low, high) = (offset >> REACH_SHIFT, (offset + length).div_ceil(1 << REACH_SHIFT));
            let meets = |patch: &&PatchRef| u64::from(patch.low) < high && u64::from(patch.high) > low;
            view.pieces = pieces(state, live.patches.iter().filter(meets));
        }
        view
    }

    fn fill(&self, extents: &dyn DiskFile, space: u64, offset: u64, buffer: &mut [u8]) -> Result<()> {
        buffer.fill(0);
        let end = offset + buffer.len() as u64;
        let mut whole = vec![0; if self.extents.is_empty() { 0 } else { EXTENT_BYTES }];
        for extent in &self.extents {
            if !read_extent(extents, space, *extent, &mut whole)? {
                let cause = format!("extent {} of space {space} is damaged", extent.index);
                return Err(Error::new(ErrorKind::Damaged, cause));
            }
            let start = u64::from(extent.index) * EXTENT_BYTES as u64;
            let (from, to) = (start.max(offset), (start + EXTENT_BYTES as u64).min(end));
            let bytes = &whole[(from - start) as usize..(to - start) as usize];
            buffer[(from - offset) as usize..(to - offset) as usize].copy_from_slice(bytes);
        }
        for_each_op(&self.pieces, |op| op.patch(offset, buffer))
    }
}

impl FileStore {
    pub(crate) fn read_space(&self, space: u64, offset: u64, buffer: &mut [u8]) -> Result<()> {
        if offset.checked_add(buffer.len() as u64).is_none_or(|end| end > crate::SPACE_BYTES_MAX) {
            return Err(Error::new(ErrorKind::Limit, "a read reaches beyond 4 GiB of a space"));
        }
        loop {
            let view = View::note(&lock(&self.state), space, offset, buffer.len() as u64);
            let filled = view.fill(&*self.extents, space, offset, buffer);
            if lock(&self.state).generation == view.generation {
                return filled;
            }
        }
    }
}
