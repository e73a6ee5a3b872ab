//! A batch: the operations that become durable together or not at all, in the bytes in which the log keeps them.
//!
//! In: calls. Out: encoded operations, and their reader. A batch is encoded while it is built, so appending it is one copy. Operations
//! apply in order. What is beyond a limit is remembered and refused when the batch is appended, before anything changes.
//!
//! ```text
//! put       1  table:u8  key:bytes  value:bytes          bytes = varint length, then as many bytes
//! delete    2  table:u8  key:bytes
//! write     3  space:varint  offset:varint  data:bytes
//! zero      4  space:varint  offset:varint  length:varint
//! truncate  5  space:varint  length:varint
//! drop      6  space:varint
//! ```

use crate::codec::{Reader, put_bytes, put_varint};
use crate::error::{Error, ErrorKind, Result};

/// The longest key of a row.
pub const KEY_BYTES_MAX: usize = 4 << 10;
/// The longest value of a row.
pub const VALUE_BYTES_MAX: usize = 64 << 20;
/// A space ends here: 4 GiB.
pub const SPACE_BYTES_MAX: u64 = 1 << 32;
/// The longest batch, encoded.
pub const BATCH_BYTES_MAX: usize = 256 << 20;

const PUT: u8 = 1;
const DELETE: u8 = 2;
const WRITE: u8 = 3;
const ZERO: u8 = 4;
const TRUNCATE: u8 = 5;
const DROP: u8 = 6;

/// Operations to be applied together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    bytes: Vec<u8>,
    operations: u32,
    beyond: Option<&'static str>,
}

impl Batch {
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Set a row.
    pub fn put(&mut self, table: u8, key: &[u8], value: &[u8]) -> &mut Batch {
        self.limit(key.len() <= KEY_BYTES_MAX, "a key is at most 4 KiB");
        self.limit(value.len() <= VALUE_BYTES_MAX, "a value is at most 64 MiB");
        self.bytes.extend_from_slice(&[PUT, table]);
        put_bytes(&mut self.bytes, key);
        put_bytes(&mut self.bytes, value);
        self.counted()
    }

    /// Remove a row, if it is there.
    pub fn delete(&mut self, table: u8, key: &[u8]) -> &mut Batch {
        self.limit(key.len() <= KEY_BYTES_MAX, "a key is at most 4 KiB");
        self.bytes.extend_from_slice(&[DELETE, table]);
        put_bytes(&mut self.bytes, key);
        self.counted()
    }

    /// Patch a space; it becomes as long as the patch reaches.
    pub fn write(&mut self, space: u64, offset: u64, data: &[u8]) -> &mut Batch {
        self.limit(within(offset, data.len() as u64), "a space is at most 4 GiB");
        self.bytes.push(WRITE);
        put_varint(&mut self.bytes, space);
        put_varint(&mut self.bytes, offset);
        put_bytes(&mut self.bytes, data);
        self.counted()
    }

    /// Set bytes of a space to zero; its length stays.
    pub fn zero(&mut self, space: u64, offset: u64, length: u64) -> &mut Batch {
        self.limit(within(offset, length), "a space is at most 4 GiB");
        self.bytes.push(ZERO);
        put_varint(&mut self.bytes, space);
        put_varint(&mut self.bytes, offset);
        put_varint(&mut self.bytes, length);
        self.counted()
    }

    /// Forget what lies at `length` and after; a shorter space keeps its length.
    pub fn truncate(&mut self, space: u64, length: u64) -> &mut Batch {
        self.limit(length <= SPACE_BYTES_MAX, "a space is at most 4 GiB");
        self.bytes.push(TRUNCATE);
        put_varint(&mut self.bytes, space);
        put_varint(&mut self.bytes, length);
        self.counted()
    }

    /// Forget a space.
    pub fn drop_space(&mut self, space: u64) -> &mut Batch {
        self.bytes.push(DROP);
        put_varint(&mut self.bytes, space);
        self.counted()
    }

    /// Empty it, keeping its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.operations = 0;
        self.beyond = None;
    }

    pub fn is_empty(&self) -> bool {
        self.operations == 0
    }

    /// How many operations.
    pub fn operations(&self) -> u32 {
        self.operations
    }

    /// How many bytes the log will need for it, frame headers aside.
    pub fn log_bytes(&self) -> usize {
        self.bytes.len() + 5
    }

    /// The encoded operations, or why they cannot be appended.
    pub(crate) fn encoded(&self) -> Result<&[u8]> {
        if let Some(limit) = self.beyond {
            return Err(Error::new(ErrorKind::Limit, format!("a batch breaks a limit: {limit}")));
        }
        if self.bytes.len() > BATCH_BYTES_MAX {
            let cause = format!("a batch of {} bytes; at most {BATCH_BYTES_MAX} fit", self.bytes.len());
            return Err(Error::new(ErrorKind::Limit, cause));
        }
        Ok(&self.bytes)
    }

    fn counted(&mut self) -> &mut Batch {
        self.operations += 1;
        self
    }

    fn limit(&mut self, kept: bool, limit: &'static str) {
        if !kept && self.beyond.is_none() {
            self.beyond = Some(limit);
        }
    }
}

fn within(offset: u64, length: u64) -> bool {
    offset.checked_add(length).is_some_and(|end| end <= SPACE_BYTES_MAX)
}

/// One operation, borrowing from the encoded batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op<'a> {
    Put { table: u8, key: &'a [u8], value: &'a [u8] },
    Delete { table: u8, key: &'a [u8] },
    Write { space: u64, offset: u64, data: &'a [u8] },
    Zero { space: u64, offset: u64, length: u64 },
    Truncate { space: u64, length: u64 },
    Drop { space: u64 },
}

impl<'a> Op<'a> {
    /// The next operation; `None` if the bytes are not one, or one beyond the limits.
    #[inline]
    pub(crate) fn read(reader: &mut Reader<'a>) -> Option<Op<'a>> {
        Some(match reader.u8()? {
            PUT => Op::Put { table: reader.u8()?, key: reader.bytes()?, value: reader.bytes()? },
            DELETE => Op::Delete { table: reader.u8()?, key: reader.bytes()? },
            WRITE => {
                let (space, offset, data) = (reader.varint()?, reader.varint()?, reader.bytes()?);
                within(offset, data.len() as u64).then_some(Op::Write { space, offset, data })?
            }
            ZERO => {
                let (space, offset, length) = (reader.varint()?, reader.varint()?, reader.varint()?);
                within(offset, length).then_some(Op::Zero { space, offset, length })?
            }
            TRUNCATE => {
                let (space, length) = (reader.varint()?, reader.varint()?);
                (length <= SPACE_BYTES_MAX).then_some(Op::Truncate { space, length })?
            }
            DROP => Op::Drop { space: reader.varint()? },
            _ => return None,
        })
    }

    /// The space it concerns, if it is not about a row.
    #[inline]
    pub(crate) fn space(&self) -> Option<u64> {
        match *self {
            Op::Put { .. } | Op::Delete { .. } => None,
            Op::Write { space, .. } | Op::Zero { space, .. } | Op::Truncate { space, .. } | Op::Drop { space } => Some(space),
        }
    }

    /// Do to `window`, which shows the space from `start` on, what this operation does there.
    pub(crate) fn patch(&self, start: u64, window: &mut [u8]) {
        let end = start + window.len() as u64;
        let clip = |from: u64, to: u64| (from.clamp(start, end) - start) as usize..(to.clamp(start, end) - start) as usize;
        match *self {
            Op::Put { .. } | Op::Delete { .. } => {}
            Op::Write { offset, data, .. } => {
                let here = clip(offset, offset + data.len() as u64);
                if !here.is_empty() {
                    let from = (start + here.start as u64 - offset) as usize;
                    window[here.clone()].copy_from_slice(&data[from..from + here.len()]);
                }
            }
            Op::Zero { offset, length, .. } => window[clip(offset, offset + length)].fill(0),
            Op::Truncate { length, .. } => window[clip(length, SPACE_BYTES_MAX)].fill(0),
            Op::Drop { .. } => window.fill(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_come_back_in_order() {
        let mut batch = Batch::new();
        batch.put(1, b"k", b"v").delete(2, b"").write(7, 300, b"abc").zero(7, 1, 2).truncate(7, 9).drop_space(u64::MAX);
        let bytes = batch.encoded().expect("within the limits");
        let mut reader = Reader::new(bytes);
        let mut ops = Vec::new();
        while !reader.is_empty() {
            ops.push(Op::read(&mut reader).expect("whole"));
        }
        let expected = [
            Op::Put { table: 1, key: b"k", value: b"v" },
            Op::Delete { table: 2, key: b"" },
            Op::Write { space: 7, offset: 300, data: b"abc" },
            Op::Zero { space: 7, offset: 1, length: 2 },
            Op::Truncate { space: 7, length: 9 },
            Op::Drop { space: u64::MAX },
        ];
        assert_eq!(ops, expected);
        assert_eq!(batch.operations(), 6);
    }

    #[test]
    fn what_is_beyond_a_limit_is_refused_and_names_it() {
        let mut long_key = Batch::new();
        long_key.put(0, &vec![0; KEY_BYTES_MAX + 1], b"");
        let mut long_space = Batch::new();
        long_space.write(1, SPACE_BYTES_MAX - 1, b"ab");
        for batch in [long_key, long_space] {
            let error = batch.encoded().expect_err("beyond");
            assert_eq!(error.kind(), ErrorKind::Limit);
            assert!(error.cause().contains("at most"), "{error}");
        }
        let mut last_byte = Batch::new();
        assert!(last_byte.write(1, SPACE_BYTES_MAX - 1, b"a").encoded().is_ok());
    }

    #[test]
    fn a_patch_touches_its_window_alone() {
        let mut window = [9u8; 4];
        Op::Write { space: 1, offset: 8, data: b"abcd" }.patch(10, &mut window);
        assert_eq!(window, [b'c', b'd', 9, 9]);
        Op::Truncate { space: 1, length: 13 }.patch(10, &mut window);
        assert_eq!(window, [b'c', b'd', 9, 0]);
        Op::Zero { space: 1, offset: 0, length: 11 }.patch(10, &mut window);
        assert_eq!(window, [0, b'd', 9, 0]);
        Op::Write { space: 1, offset: 100, data: b"abcd" }.patch(10, &mut window);
        Op::Truncate { space: 1, length: 100 }.patch(10, &mut window);
        assert_eq!(window, [0, b'd', 9, 0]);
    }
}
