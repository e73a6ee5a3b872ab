//! The bytes of the log: heads of segments and frames.
//!
//! In: what a head says. Out: its bytes, and back, checked. A frame begins at a multiple of 512, so that writing one never rewrites a
//! sector of another. `docs/store-format.md` draws the whole.
//!
//! ```text
//! frame     0 length:u32   4 crc:u32   8 epoch:u64   16 number:u64   24 sequence:u64   32 synced:u64
//!          40 before:u32  44 batches:u32  48 kind:u32  52 zero:u32  56 body
//! ```
//! `length` is head and body, `crc` covers all but itself, `before` is the crc of the frame before, `synced` the number of the last frame
//! that was durable when this one was written, `sequence` the number of the first batch.

use crate::codec::Reader;
use crate::disk::SECTOR_BYTES;

pub(crate) const FRAME_HEAD_BYTES: usize = 56;
/// Nothing that calls itself a frame is longer.
pub(crate) const FRAME_BYTES_MAX: usize = crate::batch::BATCH_BYTES_MAX + (8 << 20);
/// Frames of a segment begin here.
pub(crate) const SEGMENT_HEAD_BYTES: usize = SECTOR_BYTES;

/// Batches.
pub(crate) const KIND_BATCHES: u32 = 0;
/// An opening: the body is an epoch record.
pub(crate) const KIND_OPEN: u32 = 1;
/// Nothing more was coming: makes damage of the frame before visible.
pub(crate) const KIND_SEAL: u32 = 2;

/// Bytes on disk of a frame of `length`.
pub(crate) fn padded(length: usize) -> usize {
    length.next_multiple_of(SECTOR_BYTES)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHead {
    pub length: u32,
    pub crc: u32,
    pub epoch: u64,
    pub number: u64,
    pub sequence: u64,
    pub synced: u64,
    pub before: u32,
    pub batches: u32,
    pub kind: u32,
}

impl FrameHead {
    /// The head at the start of `bytes`; `None` if no frame can begin so. Does not look at the crc.
    pub(crate) fn read(bytes: &[u8]) -> Option<FrameHead> {
        let mut reader = Reader::new(bytes.get(..FRAME_HEAD_BYTES)?);
        let head = FrameHead {
            length: reader.u32()?,
            crc: reader.u32()?,
            epoch: reader.u64()?,
            number: reader.u64()?,
            sequence: reader.u64()?,
            synced: reader.u64()?,
            before: reader.u32()?,
            batches: reader.u32()?,
            kind: reader.u32()?,
        };
        let zero = reader.u32()?;
        let length = head.length as usize;
        let plausible = (FRAME_HEAD_BYTES..=FRAME_BYTES_MAX).contains(&length) && head.kind <= KIND_SEAL && zero == 0;
        (plausible && head.synced < head.number).then_some(head)
    }

    /// Whether `frame` (head and body, without padding) carries the crc that it says.
    pub(crate) fn is_whole(&self, frame: &[u8]) -> bool {
        debug_assert_eq!(frame.len(), self.length as usize, "the caller cuts the frame to its length");
        crc_of(frame) == self.crc
    }
}

fn crc_of(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[8..])
}

/// Append a frame with its padding to `out`; returns its crc. `length` and `crc` of the head are filled here.
pub(crate) fn put_frame(out: &mut Vec<u8>, head: &FrameHead, body: &[u8]) -> u32 {
    assert!(out.len().is_multiple_of(SECTOR_BYTES), "a frame begins at a sector");
    let start = out.len();
    let length = FRAME_HEAD_BYTES + body.len();
    assert!(length <= FRAME_BYTES_MAX, "the limits of a batch bound a frame");
    out.extend_from_slice(&(length as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    for word in [head.epoch, head.number, head.sequence, head.synced] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for word in [head.before, head.batches, head.kind, 0] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(body);
    let crc = crc_of(&out[start..]);
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    out.resize(start + padded(length), 0);
    crc
}

const SEGMENT_MAGIC: [u8; 8] = *b"DRSESLOG";
const SEGMENT_USED: usize = 8 + 4 + 4 + 32 + 8 + 8 + 8 + 4 + 4;

/// The first sector of a segment. `id` grows with each use of the file; a segment made in advance has id 0.
///
/// ```text
/// 0 "DRSESLOG"  8 version:u32  12 zero:u32  16 identity[32]  48 id:u64  56 epoch:u64  64 first:u64  72 before:u32
/// 76 capacity:u32 (in sectors)  80 crc:u32 of 0..80  84 zero
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHead {
    pub version: u32,
    pub identity: [u8; 32],
    pub id: u64,
    pub epoch: u64,
    /// The number of its first frame.
    pub first: u64,
    /// The crc of the frame before that.
    pub before: u32,
    pub capacity: u32,
}

impl SegmentHead {
    pub(crate) fn bytes(&self) -> [u8; SECTOR_BYTES] {
        let mut out = Vec::with_capacity(SECTOR_BYTES);
        out.extend_from_slice(&SEGMENT_MAGIC);
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.identity);
        for word in [self.id, self.epoch, self.first] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.before.to_le_bytes());
        out.extend_from_slice(&self.capacity.to_le_bytes());
        assert_eq!(out.len(), SEGMENT_USED, "as drawn");
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        let mut sector = [0; SECTOR_BYTES];
        sector[..out.len()].copy_from_slice(&out);
        sector
    }

    pub(crate) fn read(sector: &[u8]) -> Option<SegmentHead> {
        let used = sector.get(..SEGMENT_USED)?;
        let crc = u32::from_le_bytes(sector.get(SEGMENT_USED..SEGMENT_USED + 4)?.try_into().ok()?);
        let mut reader = Reader::new(used);
        if reader.array()? != SEGMENT_MAGIC || crc32c::crc32c(used) != crc {
            return None;
        }
        let version = reader.u32()?;
        reader.u32()?;
        Some(SegmentHead {
            version,
            identity: reader.array()?,
            id: reader.u64()?,
            epoch: reader.u64()?,
            first: reader.u64()?,
            before: reader.u32()?,
            capacity: reader.u32()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_and_no_flipped_bit_passes() {
        let head = FrameHead {
            length: 0,
            crc: 0,
            epoch: 3,
            number: 9,
            sequence: 70,
            synced: 8,
            before: 5,
            batches: 2,
            kind: KIND_BATCHES,
        };
        let mut out = Vec::new();
        let crc = put_frame(&mut out, &head, b"two batches");
        assert_eq!(out.len(), SECTOR_BYTES);
        let length = FRAME_HEAD_BYTES + 11;
        let read = FrameHead::read(&out).expect("plausible");
        assert_eq!(read, FrameHead { length: length as u32, crc, ..head });
        assert!(read.is_whole(&out[..length]));
        for bit in 0..length * 8 {
            let mut damaged = out.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let passes = FrameHead::read(&damaged)
                .is_some_and(|read| damaged.get(..read.length as usize).is_some_and(|frame| read.is_whole(frame)));
            assert!(!passes, "bit {bit}");
        }
    }

    #[test]
    fn a_segment_head_comes_back_and_no_flipped_bit_passes() {
        let head = SegmentHead { version: 1, identity: [7; 32], id: 4, epoch: 2, first: 30, before: 99, capacity: 64 };
        let sector = head.bytes();
        assert_eq!(SegmentHead::read(&sector), Some(head));
        for bit in 0..(SEGMENT_USED + 4) * 8 {
            let mut damaged = sector;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHead::read(&damaged), None, "bit {bit}");
        }
    }
}
