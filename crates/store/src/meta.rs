//! The files `meta-N`: rows, places of extents and epoch records as merged, as a first record and changes after it.
//!
//! In: what one merge changed. Out: a record to append; at opening all records put together. Each record's crc continues the one before,
//! and the superblock says how long the file is and with which crc it ends; what lies behind is a record whose merge never ended.
//!
//! ```text
//! record      length:u32  crc:u32  body                crc32c over length and body, continued from the record before
//! body        entries
//! row         1  table:u8  key:bytes  value:bytes
//! no row      2  table:u8  key:bytes
//! space       3  space:varint  fresh:u8  length:varint  count:varint  count × (index:varint slot:varint crc:u32)
//! no space    4  space:varint
//! epoch       5  epoch:u64  random[32]  previous[32]
//! ```
//! `fresh` 1: extents not named here are gone. Slot 0: this extent is zero.

use crate::codec::{Reader, put_bytes, put_varint};
use crate::disk::DiskFile;
use crate::error::{Error, ErrorKind, Result};
use crate::live::{Base, BaseSpace, Extent, RowSink as _, Rows};
use crate::superblock::{EpochRecord, Super};

const ROW: u8 = 1;
const NO_ROW: u8 = 2;
const SPACE: u8 = 3;
const NO_SPACE: u8 = 4;
const EPOCH: u8 = 5;

const RECORD_HEAD_BYTES: usize = 8;
/// A record ends soon after this many bytes, so that its length fits and writing is in pieces.
const RECORD_BYTES_TARGET: usize = 16 << 20;

pub(crate) fn file_name(number: u64) -> String {
    format!("meta-{number}")
}

/// What one space became in a merge.
#[derive(Clone, Debug)]
pub(crate) enum SpaceChange {
    Gone,
    Changed { fresh: bool, length: u64, extents: Vec<Extent> },
}

impl SpaceChange {
    pub(crate) fn apply(&self, base: &mut Base, space: u64) {
        match self {
            SpaceChange::Gone => drop(base.remove(&space)),
            SpaceChange::Changed { fresh, length, extents } => {
                let entry = base.entry(space).or_default();
                if *fresh {
                    entry.extents.clear();
                }
                entry.length = *length;
                entry.merge(extents);
            }
        }
    }
}

/// Records ready to be written one after the other.
pub(crate) struct Records {
    pub bytes: Vec<u8>,
    pub crc: u32,
    start: usize,
}

impl Records {
    /// Records that follow one with `crc`.
    pub(crate) fn after(crc: u32) -> Records {
        Records { bytes: vec![0; RECORD_HEAD_BYTES], crc, start: 0 }
    }

    pub(crate) fn row(&mut self, table: u8, key: &[u8], value: Option<&[u8]>) {
        self.bytes.extend_from_slice(&[if value.is_some() { ROW } else { NO_ROW }, table]);
        put_bytes(&mut self.bytes, key);
        if let Some(value) = value {
            put_bytes(&mut self.bytes, value);
        }
        self.full();
    }

    pub(crate) fn space(&mut self, space: u64, change: &SpaceChange) {
        match change {
            SpaceChange::Gone => {
                self.bytes.push(NO_SPACE);
                put_varint(&mut self.bytes, space);
            }
            SpaceChange::Changed { fresh, length, extents } => {
                self.bytes.push(SPACE);
                put_varint(&mut self.bytes, space);
                self.bytes.push(u8::from(*fresh));
                put_varint(&mut self.bytes, *length);
                put_varint(&mut self.bytes, extents.len() as u64);
                for extent in extents {
                    put_varint(&mut self.bytes, u64::from(extent.index));
                    put_varint(&mut self.bytes, u64::from(extent.slot));
                    self.bytes.extend_from_slice(&extent.crc.to_le_bytes());
                }
            }
        }
        self.full();
    }

    pub(crate) fn epoch(&mut self, record: &EpochRecord) {
        self.bytes.push(EPOCH);
        self.bytes.extend_from_slice(&record.bytes());
        self.full();
    }

    /// Everything of an image.
    pub(crate) fn image(&mut self, image: &MetaImage) {
        for record in &image.epochs {
            self.epoch(record);
        }
        for (table, key, value) in image.rows.all() {
            self.row(table, key, Some(value));
        }
        let mut spaces: Vec<u64> = image.base.keys().copied().collect();
        spaces.sort_unstable();
        for space in spaces {
            let BaseSpace { length, extents } = image.base[&space].clone();
            self.space(space, &SpaceChange::Changed { fresh: true, length, extents });
        }
    }

    fn full(&mut self) {
        if self.bytes.len() - self.start > RECORD_BYTES_TARGET {
            self.end();
        }
    }

    fn end(&mut self) {
        let body = self.bytes.len() - self.start - RECORD_HEAD_BYTES;
        assert!(u32::try_from(body).is_ok(), "an entry is smaller than 4 GiB");
        let length = (body as u32).to_le_bytes();
        self.crc = crc_after(self.crc, &length, &self.bytes[self.start + RECORD_HEAD_BYTES..]);
        self.bytes[self.start..self.start + 4].copy_from_slice(&length);
        self.bytes[self.start + 4..self.start + 8].copy_from_slice(&self.crc.to_le_bytes());
        self.start = self.bytes.len();
        self.bytes.resize(self.start + RECORD_HEAD_BYTES, 0);
    }

    /// The bytes to append and the crc of the last record.
    pub(crate) fn finish(mut self) -> (Vec<u8>, u32) {
        self.end();
        self.bytes.truncate(self.start);
        (self.bytes, self.crc)
    }
}

fn crc_after(crc: u32, length: &[u8; 4], body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc, length), body)
}

/// All records put together.
#[derive(Default)]
pub(crate) struct MetaImage {
    pub rows: Rows,
    pub base: Base,
    pub epochs: Vec<EpochRecord>,
}

impl MetaImage {
    /// Read the file that `named` names.
    pub(crate) fn load(file: &dyn DiskFile, named: &Super) -> Result<MetaImage> {
        let name = file_name(named.meta_number);
        let io = |error: std::io::Error| Error::io(format_args!("reading {name}"), &error);
        let length = file.length().map_err(io)?;
        if length < named.meta_length {
            let cause = format!("{name} has {length} bytes; {} were made durable", named.meta_length);
            return Err(Error::new(ErrorKind::Truncated, cause));
        }
        let mut bytes = vec![0; named.meta_length as usize];
        let count = file.read_at(&mut bytes, 0).map_err(io)?;
        if count != bytes.len() {
            return Err(Error::new(ErrorKind::Truncated, format!("{name} ends at {count}")));
        }
        MetaImage::parse(&bytes, named.meta_crc)
            .map_err(|at| Error::new(ErrorKind::Corrupt, format!("{name} is damaged: the record at {at} cannot be read")))
    }

    /// `Err`: where the first record that cannot be read begins.
    fn parse(bytes: &[u8], crc: u32) -> std::result::Result<MetaImage, usize> {
        let mut image = MetaImage::default();
        let mut reader = Reader::new(bytes);
        let mut chained = 0;
        while !reader.is_empty() {
            let at = reader.at();
            chained = image.record(&mut reader, chained).ok_or(at)?;
        }
        if chained == crc { Ok(image) } else { Err(bytes.len()) }
    }

    fn record(&mut self, reader: &mut Reader<'_>, chained: u32) -> Option<u32> {
        let length: [u8; 4] = reader.array()?;
        let crc = reader.u32()?;
        let body = reader.take(u32::from_le_bytes(length) as usize)?;
        if crc_after(chained, &length, body) != crc {
            return None;
        }
        let mut entries = Reader::new(body);
        while !entries.is_empty() {
            self.entry(&mut entries)?;
        }
        Some(crc)
    }

    fn entry(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        match reader.u8()? {
            ROW => self.rows.put(reader.u8()?, reader.bytes()?, reader.bytes()?),
            NO_ROW => self.rows.delete(reader.u8()?, reader.bytes()?),
            SPACE => {
                let space = reader.varint()?;
                let fresh = reader.u8()? == 1;
                let (length, count) = (reader.varint()?, reader.varint()?);
                let mut extents = Vec::new();
                for _ in 0..count {
                    let (index, slot) = (u32::try_from(reader.varint()?).ok()?, u32::try_from(reader.varint()?).ok()?);
                    extents.push(Extent { index, slot, crc: reader.u32()? });
                }
                if !extents.is_sorted_by(|one, next| one.index < next.index) {
                    return None;
                }
                SpaceChange::Changed { fresh, length, extents }.apply(&mut self.base, space);
            }
            NO_SPACE => SpaceChange::Gone.apply(&mut self.base, reader.varint()?),
            EPOCH => {
                let record = EpochRecord::read(reader)?;
                if self.epochs.last().is_some_and(|last| last.epoch >= record.epoch) {
                    return None;
                }
                self.epochs.push(record);
            }
            _ => return None,
        }
        Some(())
    }
}
