//! A batch: the operations that become durable together or not at all, in the bytes in which the log keeps them.
//!
//! In: calls. Out: encoded operations, and their reader. A batch is encoded while it is built, so appending it is one copy. Operations
//! apply in order. What is beyond a limit is remembered and refused when the batch is appended, before anything changes.
//!
//! ```text
//! put       1  table:u8  key:bytes  value:bytes          bytes = varint length, then as many bytes
//! delete    2  table:u8  key:bytes
//! patches   3  space:varint  length:u32  low:u32  last:u32  length bytes of (offset:varint  data:bytes)
//! zero      4  space:varint  offset:varint  length:varint
//! resize    5  space:varint  length:varint
//! drop      6  space:varint
//! ```
//!
//! Writes to one space that follow each other share one `patches`: `low` is the first byte that they touch and `last` the last, so that
//! the log can be indexed without looking at each.

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
const PATCHES: u8 = 3;
const ZERO: u8 = 4;
const RESIZE: u8 = 5;
const DROP: u8 = 6;

/// Operations to be applied together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    bytes: Vec<u8>,
    operations: u32,
    beyond: Option<&'static str>,
    /// The `patches` at the end, while writes to the same space may join it: the space and where its lengths begin.
    open: Option<(u64, usize)>,
}

/// `length`, `low` and `last` of patches.
const PATCHES_HEAD_BYTES: usize = 12;

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

    /// Patch a space; it becomes at least as long as the patch reaches. An empty patch is none.
    pub fn write(&mut self, space: u64, offset: u64, data: &[u8]) -> &mut Batch {
        if data.is_empty() {
            return self;
        }
        if !within(offset, data.len() as u64) {
            self.limit(false, "a space is at most 4 GiB");
            return self;
        }
        self.operations += 1;
        let (low, last) = (offset as u32, (offset + data.len() as u64 - 1) as u32);
        let head = match self.open {
            Some((open, head)) if open == space => {
                let low = low.min(self.word(head + 4));
                let last = last.max(self.word(head + 8));
                self.set_word(head + 4, low);
                self.set_word(head + 8, last);
                head
            }
            _ => {
                self.bytes.push(PATCHES);
                put_varint(&mut self.bytes, space);
                let head = self.bytes.len();
                for word in [0, low, last] {
                    self.bytes.extend_from_slice(&word.to_le_bytes());
                }
                self.open = Some((space, head));
                head
            }
        };
        put_varint(&mut self.bytes, offset);
        put_bytes(&mut self.bytes, data);
        // A length that does not fit belongs to a batch that is refused.
        self.set_word(head, (self.bytes.len() - head - PATCHES_HEAD_BYTES) as u32);
        self
    }

    fn word(&self, at: usize) -> u32 {
        Reader::new(&self.bytes[at..]).u32().unwrap_or(0)
    }

    fn set_word(&mut self, at: usize, word: u32) {
        self.bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
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

    /// Set the length of a space: what lies behind is forgotten, what is new is zero.
    pub fn resize(&mut self, space: u64, length: u64) -> &mut Batch {
        self.limit(length <= SPACE_BYTES_MAX, "a space is at most 4 GiB");
        self.bytes.push(RESIZE);
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
        self.open = None;
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

    /// The encoded operations, however many.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn counted(&mut self) -> &mut Batch {
        self.operations += 1;
        self.open = None;
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
    Put {
        table: u8,
        key: &'a [u8],
        value: &'a [u8],
    },
    Delete {
        table: u8,
        key: &'a [u8],
    },
    /// Writes to one space; `for_each` takes them apart.
    Patches {
        space: u64,
        low: u32,
        last: u32,
        body: &'a [u8],
    },
    /// One of them; never encoded alone.
    Write {
        space: u64,
        offset: u64,
        data: &'a [u8],
    },
    Zero {
        space: u64,
        offset: u64,
        length: u64,
    },
    Resize {
        space: u64,
        length: u64,
    },
    Drop {
        space: u64,
    },
}

impl<'a> Op<'a> {
    /// The next operation; `None` if the bytes are not one, or one beyond the limits. Inlined always: an `Op` that goes through memory
    /// costs more than reading it.
    #[inline(always)]
    pub(crate) fn read(reader: &mut Reader<'a>) -> Option<Op<'a>> {
        Some(match reader.u8()? {
            PUT => Op::Put { table: reader.u8()?, key: reader.bytes()?, value: reader.bytes()? },
            DELETE => Op::Delete { table: reader.u8()?, key: reader.bytes()? },
            PATCHES => {
                let (space, length) = (reader.varint()?, reader.u32()?);
                let (low, last) = (reader.u32()?, reader.u32()?);
                let body = reader.take(length as usize)?;
                (low <= last).then_some(Op::Patches { space, low, last, body })?
            }
            ZERO => {
                let (space, offset, length) = (reader.varint()?, reader.varint()?, reader.varint()?);
                within(offset, length).then_some(Op::Zero { space, offset, length })?
            }
            RESIZE => {
                let (space, length) = (reader.varint()?, reader.varint()?);
                (length <= SPACE_BYTES_MAX).then_some(Op::Resize { space, length })?
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
            Op::Patches { space, .. }
            | Op::Write { space, .. }
            | Op::Zero { space, .. }
            | Op::Resize { space, .. }
            | Op::Drop { space } => Some(space),
        }
    }

    /// Tell `each` of this operation, patches one by one. `None` if they are not what they say.
    pub(crate) fn for_each(&self, mut each: impl FnMut(&Op<'a>)) -> Option<()> {
        let Op::Patches { space, low, last, body } = *self else {
            each(self);
            return Some(());
        };
        let mut reader = Reader::new(body);
        while !reader.is_empty() {
            let (offset, data) = (reader.varint()?, reader.bytes()?);
            let end = offset.checked_add(data.len() as u64)?;
            if offset < u64::from(low) || end > u64::from(last) + 1 {
                return None;
            }
            each(&Op::Write { space, offset, data });
        }
        Some(())
    }

    /// Do to `window`, which shows the space from `start` on, what this operation does there.
    pub(crate) fn patch(&self, start: u64, window: &mut [u8]) {
        let end = start + window.len() as u64;
        let clip = |from: u64, to: u64| (from.clamp(start, end) - start) as usize..(to.clamp(start, end) - start) as usize;
        match *self {
            Op::Put { .. } | Op::Delete { .. } | Op::Patches { .. } => {}
            Op::Write { offset, data, .. } => {
                let here = clip(offset, offset + data.len() as u64);
                if !here.is_empty() {
                    let from = (start + here.start as u64 - offset) as usize;
                    window[here.clone()].copy_from_slice(&data[from..from + here.len()]);
                }
            }
            Op::Zero { offset, length, .. } => window[clip(offset, offset + length)].fill(0),
            Op::Resize { length, .. } => window[clip(length, SPACE_BYTES_MAX)].fill(0),
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
        batch.put(1, b"k", b"v").delete(2, b"").write(7, 300, b"abc").write(7, 9, b"d").write(8, 1, b"e").write(8, 1, b"");
        batch.zero(7, 1, 2).resize(7, 9).drop_space(u64::MAX);
        let bytes = batch.encoded().expect("within the limits");
        let mut reader = Reader::new(bytes);
        let (mut ops, mut reaches) = (Vec::new(), Vec::new());
        while !reader.is_empty() {
            let op = Op::read(&mut reader).expect("whole");
            if let Op::Patches { low, last, .. } = op {
                reaches.push((low, last));
            }
            op.for_each(|op| ops.push(*op)).expect("whole");
        }
        let expected = [
            Op::Put { table: 1, key: b"k", value: b"v" },
            Op::Delete { table: 2, key: b"" },
            Op::Write { space: 7, offset: 300, data: b"abc" },
            Op::Write { space: 7, offset: 9, data: b"d" },
            Op::Write { space: 8, offset: 1, data: b"e" },
            Op::Zero { space: 7, offset: 1, length: 2 },
            Op::Resize { space: 7, length: 9 },
            Op::Drop { space: u64::MAX },
        ];
        assert_eq!(ops, expected);
        assert_eq!(reaches, [(9, 302), (1, 1)], "writes to one space share patches");
        assert_eq!(batch.operations(), 8);
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
        Op::Resize { space: 1, length: 13 }.patch(10, &mut window);
        assert_eq!(window, [b'c', b'd', 9, 0]);
        Op::Zero { space: 1, offset: 0, length: 11 }.patch(10, &mut window);
        assert_eq!(window, [0, b'd', 9, 0]);
        Op::Write { space: 1, offset: 100, data: b"abcd" }.patch(10, &mut window);
        Op::Resize { space: 1, length: 100 }.patch(10, &mut window);
        assert_eq!(window, [0, b'd', 9, 0]);
    }
}
