//! What the store holds in memory: rows, where the extents of spaces are, and which patches lie over them.
//!
//! In: encoded operations with the place where the log has them. Out: rows at once; for a space, references to operations that are
//! applied when it is read. The bytes of a space are never held here, so many spaces cost little. Three parts:
//! - `Rows`: ordered maps, the whole truth;
//! - `Base`: for each space its length and merged extents, changed by merging alone;
//! - `Overlay`: for the spaces changed since, references into the log in order, and the length they give.
//!
//! Operations before a `drop` of a space are forgotten; what the base has of it is hidden until the drop itself is merged.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Deref;

use crate::batch::{Op, SPACE_BYTES_MAX};
use crate::codec::Reader;

type Bytes = Box<[u8]>;

/// A multiplication spreads numbers of spaces well enough; nobody foreign chooses them.
#[derive(Clone, Copy, Default)]
pub(crate) struct SpaceHasher(u64);

impl Hasher for SpaceHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }
}

pub(crate) type SpaceMap<T> = HashMap<u64, T, BuildHasherDefault<SpaceHasher>>;

/// Where operations on rows go.
pub(crate) trait RowSink {
    fn put(&mut self, table: u8, key: &[u8], value: &[u8]);
    fn delete(&mut self, table: u8, key: &[u8]);
}

/// Keys up to this long lie in the tree itself: a search looks at no other memory.
const SHORT_BYTES: usize = 22;

/// The key of a row. Ordered as its bytes are.
pub(crate) enum Key {
    Short(u8, [u8; SHORT_BYTES]),
    Long(Bytes),
}

impl From<&[u8]> for Key {
    fn from(bytes: &[u8]) -> Key {
        if bytes.len() > SHORT_BYTES {
            return Key::Long(bytes.into());
        }
        let mut short = [0; SHORT_BYTES];
        short[..bytes.len()].copy_from_slice(bytes);
        Key::Short(bytes.len() as u8, short)
    }
}

impl Deref for Key {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Key::Short(length, bytes) => &bytes[..usize::from(*length)],
            Key::Long(bytes) => bytes,
        }
    }
}

impl Borrow<[u8]> for Key {
    #[inline]
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        **self == **other
    }
}

impl Eq for Key {}

/// All rows, by table and key.
pub(crate) struct Rows {
    tables: Vec<BTreeMap<Key, Bytes>>,
    count: usize,
}

impl Default for Rows {
    fn default() -> Rows {
        Rows { tables: (0..=u8::MAX).map(|_| BTreeMap::new()).collect(), count: 0 }
    }
}

impl RowSink for Rows {
    fn put(&mut self, table: u8, key: &[u8], value: &[u8]) {
        let table = &mut self.tables[usize::from(table)];
        if let Some(old) = table.get_mut(key) {
            // rows that are put again and again mostly stay as long as they were
            if old.len() == value.len() {
                old.copy_from_slice(value);
            } else {
                *old = value.into();
            }
        } else {
            table.insert(key.into(), value.into());
            self.count += 1;
        }
    }

    fn delete(&mut self, table: u8, key: &[u8]) {
        self.count -= usize::from(self.tables[usize::from(table)].remove(key).is_some());
    }
}

impl Rows {
    pub(crate) fn table(&self, table: u8) -> &BTreeMap<Key, Bytes> {
        &self.tables[usize::from(table)]
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (u8, &[u8], &[u8])> {
        (0u8..=u8::MAX).zip(&self.tables).flat_map(|(table, rows)| rows.iter().map(move |(key, value)| (table, &**key, &**value)))
    }

    /// Rows of `table` from `from` on, below `until`, at most `limit`.
    pub(crate) fn scan(&self, table: u8, from: &[u8], until: Option<&[u8]>, limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        use std::ops::Bound;
        if until.is_some_and(|until| until <= from) {
            return Vec::new();
        }
        let end = until.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.table(table).range::<[u8], _>((Bound::Included(from), end));
        rows.take(limit).map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
    }
}

/// What rows changed between two places of the log; the last change of each.
#[derive(Default)]
pub(crate) struct RowDelta(pub(crate) BTreeMap<(u8, Bytes), Option<Bytes>>);

impl RowSink for RowDelta {
    fn put(&mut self, table: u8, key: &[u8], value: &[u8]) {
        self.0.insert((table, key.into()), Some(value.into()));
    }
    fn delete(&mut self, table: u8, key: &[u8]) {
        self.0.insert((table, key.into()), None);
    }
}

/// Where one extent of a space lies in the file of extents, and what its checksum is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub index: u32,
    pub slot: u32,
    pub crc: u32,
}

/// A space as merged: its extents by index; a missing one is zero.
#[derive(Clone, Debug, Default)]
pub(crate) struct BaseSpace {
    pub length: u64,
    pub extents: Vec<Extent>,
}

impl BaseSpace {
    /// The extents with an index in `from..=to`.
    pub(crate) fn within(&self, from: u32, to: u32) -> &[Extent] {
        let start = self.extents.partition_point(|extent| extent.index < from);
        let end = self.extents.partition_point(|extent| extent.index <= to);
        &self.extents[start..end.max(start)]
    }

    /// Put `changes` (sorted by index; slot 0 for a hole) over what is there.
    pub(crate) fn merge(&mut self, changes: &[Extent]) {
        debug_assert!(changes.is_sorted_by_key(|change| change.index), "the caller sorts");
        let old = std::mem::take(&mut self.extents);
        let mut merged = Vec::with_capacity(old.len() + changes.len());
        let mut old = old.into_iter().peekable();
        for change in changes {
            while let Some(extent) = old.next_if(|extent| extent.index < change.index) {
                merged.push(extent);
            }
            old.next_if(|extent| extent.index == change.index);
            if change.slot != 0 {
                merged.push(*change);
            }
        }
        merged.extend(old);
        merged.shrink_to_fit();
        self.extents = merged;
    }
}

pub(crate) type Base = SpaceMap<BaseSpace>;

/// Operations of one batch on one space, standing together: `length` bytes at `at` of frame `frame`, head included. `low` and `high`
/// bound what they touch, in units of 4 KiB, so that a read may skip them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PatchRef {
    pub frame: u64,
    pub at: u32,
    pub length: u32,
    pub low: u32,
    pub high: u32,
}

pub(crate) const REACH_SHIFT: u32 = 12;

/// A space changed since the last merge.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    /// `None`: it is not there.
    pub length: Option<u64>,
    /// The frame of its last drop; 0 for none. What the base has is hidden while this is set.
    pub hidden: u64,
    pub patches: Vec<PatchRef>,
}

pub(crate) type Overlay = SpaceMap<Live>;

/// The encoded operations of one batch and where the log has them.
#[derive(Clone, Copy)]
pub(crate) struct Placed<'a> {
    pub ops: &'a [u8],
    pub frame: u64,
    pub at: u32,
}

/// Apply a batch: rows to `rows`, spaces to `overlay`. `None` if the bytes are no operations; what came before them is applied then.
pub(crate) fn apply(rows: &mut impl RowSink, overlay: &mut Overlay, base: &Base, placed: Placed<'_>) -> Option<()> {
    let mut reader = Reader::new(placed.ops);
    while !reader.is_empty() {
        let start = reader.at();
        match Op::read(&mut reader)? {
            Op::Put { table, key, value } => rows.put(table, key, value),
            Op::Delete { table, key } => rows.delete(table, key),
            first => {
                let space = first.space()?;
                let live = overlay
                    .entry(space)
                    .or_insert_with(|| Live { length: base.get(&space).map(|base| base.length), ..Live::default() });
                run(live, first, space, &mut reader, start, &placed)?;
            }
        }
    }
    Some(())
}

/// The operations on one space that follow each other, from `first` on.
fn run(live: &mut Live, first: Op<'_>, space: u64, reader: &mut Reader<'_>, start: usize, placed: &Placed<'_>) -> Option<()> {
    let (mut op, mut start) = (first, start);
    let (mut low, mut high) = (u64::MAX, 0);
    loop {
        match op {
            Op::Patches { low: first, last, .. } => {
                let end = u64::from(last) + 1;
                (low, high) = (low.min(u64::from(first)), high.max(end));
                live.length = Some(live.length.unwrap_or(0).max(end));
            }
            Op::Zero { offset, length, .. } => {
                (low, high) = (low.min(offset), high.max(offset + length));
                live.length = Some(live.length.unwrap_or(0));
            }
            Op::Resize { length, .. } => {
                (low, high) = (low.min(length), SPACE_BYTES_MAX);
                live.length = Some(length);
            }
            Op::Drop { .. } => {
                *live = Live { length: None, hidden: placed.frame, patches: Vec::new() };
                start = reader.at();
                (low, high) = (u64::MAX, 0);
            }
            Op::Put { .. } | Op::Delete { .. } | Op::Write { .. } => return None,
        }
        let mut ahead = reader.clone();
        match Op::read(&mut ahead) {
            Some(next) if next.space() == Some(space) => {
                op = next;
                *reader = ahead;
            }
            _ => break,
        }
    }
    let end = reader.at();
    if end > start {
        live.patches.push(PatchRef {
            frame: placed.frame,
            at: placed.at + start as u32,
            length: (end - start) as u32,
            low: (low >> REACH_SHIFT) as u32,
            high: (high.div_ceil(1 << REACH_SHIFT)) as u32,
        });
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Batch;

    #[test]
    fn operations_on_one_space_share_a_reference_and_a_drop_forgets() {
        let mut batch = Batch::new();
        batch.write(1, 10, b"abc").zero(1, 0, 4).put(0, b"k", b"v").write(1, 5000, b"d").write(2, 0, b"e").drop_space(2);
        batch.write(2, 1, b"f").resize(3, 7);
        let (mut rows, mut overlay) = (Rows::default(), Overlay::default());
        let ops = batch.encoded().expect("within the limits");
        apply(&mut rows, &mut overlay, &Base::default(), Placed { ops, frame: 4, at: 60 }).expect("whole");
        let one = &overlay[&1];
        assert_eq!((one.length, one.patches.len()), (Some(5001), 2));
        assert_eq!((one.patches[0].low, one.patches[0].high, one.patches[1].low, one.patches[1].high), (0, 1, 1, 2));
        let two = &overlay[&2];
        assert_eq!((two.length, two.hidden, two.patches.len()), (Some(2), 4, 1));
        let at = two.patches[0].at as usize - 60;
        let mut patched = [0; 3];
        let op = Op::read(&mut Reader::new(&ops[at..])).expect("whole");
        op.for_each(|op| op.patch(0, &mut patched)).expect("whole");
        assert_eq!(patched, [0, b'f', 0]);
        assert_eq!(overlay[&3].length, Some(7), "a resize makes a space");
        assert_eq!(rows.count(), 1);
    }

    #[test]
    fn keys_are_ordered_as_their_bytes() {
        let mut random = crate::disk::Random(5);
        let mut key = || -> Vec<u8> { (0..random.below(2 * SHORT_BYTES as u64)).map(|_| random.below(3) as u8).collect() };
        for _ in 0..20_000 {
            let (a, b) = (key(), key());
            let (one, two) = (Key::from(&a[..]), Key::from(&b[..]));
            assert_eq!((one.cmp(&two), one == two), (a.cmp(&b), a == b));
            assert_eq!((&*one, &*two), (&a[..], &b[..]));
        }
    }

    #[test]
    fn extents_are_merged_by_index() {
        let extent = |index, slot| Extent { index, slot, crc: 0 };
        let mut space = BaseSpace { length: 0, extents: vec![extent(1, 10), extent(3, 11), extent(9, 12)] };
        space.merge(&[extent(0, 20), extent(3, 21), extent(4, 0), extent(9, 0), extent(12, 22)]);
        assert_eq!(space.extents, [extent(0, 20), extent(1, 10), extent(3, 21), extent(12, 22)]);
        assert_eq!(space.within(1, 3).len(), 2);
        assert_eq!(space.within(4, 11).len(), 0);
    }
}
