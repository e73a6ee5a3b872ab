//! The file `super`: what the store is, how far the log has been merged, and who opened it last.
//!
//! In: a file. Out: the newest superblock, and two kinds of write. Both copies are written, one after the other, each synced, before
//! anything that an older superblock needs is used again; so a crash between the two leaves a good one, and damage to either is mended
//! by the other. The fence is one sector of its own, written at each opening and read after each sync of the log.
//!
//! ```text
//!     0  superblock      4096  superblock, again      8192  fence
//! superblock   0 "DRSESTOR"  8 version:u32  12 extent:u32 (bytes)  16 identity[32]  48 generation:u64
//!             56 meta number:u64  64 meta length:u64  72 meta crc:u32  76 merged crc:u32  80 merged frame:u64
//!             88 merged sequence:u64  96 merged epoch:u64  104 replay segment:u64  112 replay offset:u32  116 crc:u32 of 0..116
//! fence        0 "DRSFENCE"  8 epoch:u64  16 random[32]  48 crc:u32 of 0..48
//! ```

use sha2::{Digest as _, Sha256};

use crate::codec::Reader;
use crate::disk::{DiskFile, SECTOR_BYTES};
use crate::error::{Error, ErrorKind, Result};

/// The version of the format that this build writes, and the newest it reads.
pub const FORMAT_VERSION: u32 = 1;
/// Bytes of a space that are stored together: read, checked and copied on write. Beside 16 and 64 KiB (`examples/bench.rs`, 64 counters) this
/// wrote 1.34 bytes a byte of batches against 1.32 and 1.37, and read 100 KiB as fast; half the places of 16 KiB are half the memory for them.
pub const EXTENT_BYTES: usize = 32 << 10;

pub(crate) const SUPER_FILE: &str = "super";
const COPIES: [u64; 2] = [0, 4096];
const FENCE_AT: u64 = 8192;
const MAGIC: [u8; 8] = *b"DRSESTOR";
const FENCE_MAGIC: [u8; 8] = *b"DRSFENCE";
const USED: usize = 8 + 4 + 4 + 32 + 8 + 8 + 8 + 4 + 4 + 8 + 8 + 8 + 8 + 4;

/// One opening of a store, as peers compare it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochRecord {
    pub epoch: u64,
    pub random: [u8; 32],
    /// The hash of the record before; zero for the first.
    pub previous: [u8; 32],
}

impl EpochRecord {
    pub(crate) const BYTES: usize = 8 + 32 + 32;

    /// SHA-256 over the store's identity and the record.
    pub fn hash(&self, identity: &[u8; 32]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(b"drses-store/epoch/1");
        hasher.update(identity);
        hasher.update(self.bytes());
        hasher.finalize().into()
    }

    pub(crate) fn bytes(&self) -> [u8; EpochRecord::BYTES] {
        let mut out = [0; EpochRecord::BYTES];
        out[..8].copy_from_slice(&self.epoch.to_le_bytes());
        out[8..40].copy_from_slice(&self.random);
        out[40..].copy_from_slice(&self.previous);
        out
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<EpochRecord> {
        Some(EpochRecord { epoch: reader.u64()?, random: reader.array()?, previous: reader.array()? })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Super {
    pub identity: [u8; 32],
    pub generation: u64,
    pub meta_number: u64,
    pub meta_length: u64,
    pub meta_crc: u32,
    /// All frames up to here are merged; recovery begins after it.
    pub merged_frame: u64,
    pub merged_crc: u32,
    pub merged_sequence: u64,
    pub merged_epoch: u64,
    /// Where the frame after that lies, or will.
    pub replay_segment: u64,
    pub replay_offset: u32,
}

impl Super {
    pub(crate) fn bytes(&self) -> [u8; SECTOR_BYTES] {
        let mut out = Vec::with_capacity(SECTOR_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        out.extend_from_slice(&(EXTENT_BYTES as u32).to_le_bytes());
        out.extend_from_slice(&self.identity);
        for word in [self.generation, self.meta_number, self.meta_length] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.meta_crc.to_le_bytes());
        out.extend_from_slice(&self.merged_crc.to_le_bytes());
        for word in [self.merged_frame, self.merged_sequence, self.merged_epoch, self.replay_segment] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.replay_offset.to_le_bytes());
        seal(out, USED)
    }

    /// A copy, if it is one; `Err` if it is whole but not for this build.
    fn parse(sector: &[u8; SECTOR_BYTES]) -> Result<Option<Super>> {
        let Some(used) = sealed(sector, USED, &MAGIC) else { return Ok(None) };
        let mut reader = Reader::new(&used[8..]);
        let version = reader.u32().unwrap_or(0);
        if version > FORMAT_VERSION {
            let cause = format!("the store has format version {version}; this program reads up to {FORMAT_VERSION}");
            return Err(Error::new(ErrorKind::NewerVersion, cause));
        }
        let extent = reader.u32().unwrap_or(0);
        if version == 0 || extent as usize != EXTENT_BYTES {
            let cause = format!("the superblock is whole but says version {version} and extents of {extent} bytes");
            return Err(Error::new(ErrorKind::Corrupt, cause));
        }
        Ok(Super::fields(&mut reader))
    }

    fn fields(reader: &mut Reader<'_>) -> Option<Super> {
        let identity = reader.array()?;
        let (generation, meta_number, meta_length) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let (meta_crc, merged_crc) = (reader.u32()?, reader.u32()?);
        Some(Super {
            identity,
            generation,
            meta_number,
            meta_length,
            meta_crc,
            merged_crc,
            merged_frame: reader.u64()?,
            merged_sequence: reader.u64()?,
            merged_epoch: reader.u64()?,
            replay_segment: reader.u64()?,
            replay_offset: reader.u32()?,
        })
    }

    /// The newest whole copy.
    pub(crate) fn load(file: &dyn DiskFile) -> Result<Super> {
        let mut newest: Option<Super> = None;
        for at in COPIES {
            if let Some(copy) = Super::parse(&sector(file, at)?)?
                && newest.is_none_or(|newest| newest.generation < copy.generation)
            {
                newest = Some(copy);
            }
        }
        let cause = "neither copy of the superblock is whole";
        newest.ok_or_else(|| Error::new(ErrorKind::Corrupt, cause))
    }

    /// Write both copies, one after the other is durable.
    pub(crate) fn save(&self, file: &dyn DiskFile) -> Result<()> {
        let bytes = self.bytes();
        assert_eq!(Super::parse(&bytes)?, Some(*self), "what is written can be read");
        for at in COPIES {
            file.write_at(&bytes, at).map_err(|error| Error::io("writing the superblock", &error))?;
            file.sync().map_err(|error| Error::sync("the superblock", &error))?;
        }
        Ok(())
    }
}

/// The epoch of the last opening that was allowed to write; 0 if none is there or it cannot be read.
pub(crate) fn fence(file: &dyn DiskFile) -> Result<u64> {
    let sector = sector(file, FENCE_AT)?;
    let epoch = sealed(&sector, 48, &FENCE_MAGIC).and_then(|used| Reader::new(&used[8..]).u64());
    Ok(epoch.unwrap_or(0))
}

/// From now on only this epoch commits.
pub(crate) fn set_fence(file: &dyn DiskFile, epoch: u64, random: &[u8; 32]) -> Result<()> {
    let mut out = FENCE_MAGIC.to_vec();
    out.extend_from_slice(&epoch.to_le_bytes());
    out.extend_from_slice(random);
    file.write_at(&seal(out, 48), FENCE_AT).map_err(|error| Error::io("writing the fence", &error))?;
    file.sync().map_err(|error| Error::sync("the fence", &error))
}

fn sector(file: &dyn DiskFile, at: u64) -> Result<[u8; SECTOR_BYTES]> {
    let mut sector = [0; SECTOR_BYTES];
    file.read_at(&mut sector, at).map_err(|error| Error::io("reading the superblock", &error))?;
    Ok(sector)
}

fn seal(mut out: Vec<u8>, used: usize) -> [u8; SECTOR_BYTES] {
    assert_eq!(out.len(), used, "as drawn");
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    let mut sector = [0; SECTOR_BYTES];
    sector[..out.len()].copy_from_slice(&out);
    sector
}

fn sealed<'a>(sector: &'a [u8; SECTOR_BYTES], used: usize, magic: &[u8; 8]) -> Option<&'a [u8]> {
    let (body, rest) = sector.split_at(used);
    let crc = u32::from_le_bytes(rest[..4].try_into().ok()?);
    (body.starts_with(magic) && crc32c::crc32c(body) == crc).then_some(body)
}
