//! A store that keeps everything in memory: for tests, and for hosts that need not survive.
//!
//! In and out: as `Store`. "Durable" means synced, and nothing survives the process. It applies operations by the plainest means, so that
//! it can also be the model that the other stores are compared with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::batch::{Batch, Op, SPACE_BYTES_MAX};
use crate::check::Checked;
use crate::codec::Reader;
use crate::disk::Disk;
use crate::error::{Error, ErrorKind, Result};
use crate::file::{FileStore, Opening, Options, lock};
use crate::live::{RowSink as _, Rows};
use crate::store::{Row, Stats, Store};
use crate::superblock::EpochRecord;

/// Space is kept in pages of this size.
const PAGE_BYTES: usize = 4096;

#[derive(Default)]
struct Space {
    length: u64,
    pages: BTreeMap<u64, Box<[u8; PAGE_BYTES]>>,
}

impl Space {
    fn apply(&mut self, op: &Op<'_>) {
        let size = PAGE_BYTES as u64;
        match *op {
            Op::Write { offset, data, .. } => {
                let end = offset + data.len() as u64;
                self.length = self.length.max(end);
                for page in offset / size..end.div_ceil(size) {
                    let bytes = self.pages.entry(page).or_insert_with(|| Box::new([0; PAGE_BYTES]));
                    op.patch(page * size, &mut bytes[..]);
                }
            }
            Op::Resize { length, .. } => {
                self.length = length;
                self.pages.retain(|page, _| page * size < length);
                for (page, bytes) in self.pages.range_mut(length / size..) {
                    op.patch(page * size, &mut bytes[..]);
                }
            }
            _ => self.pages.iter_mut().for_each(|(page, bytes)| op.patch(page * size, &mut bytes[..])),
        }
    }
}

#[derive(Default)]
struct Inner {
    rows: Rows,
    spaces: BTreeMap<u64, Space>,
    appended: u64,
    durable: u64,
}

/// See the head of this file.
pub struct MemStore {
    identity: [u8; 32],
    record: EpochRecord,
    inner: Mutex<Inner>,
}

impl MemStore {
    /// An empty store in its first epoch.
    pub fn new(opening: Opening) -> MemStore {
        let record = EpochRecord { epoch: 1, random: opening.random, previous: [0; 32] };
        MemStore { identity: opening.identity, record, inner: Mutex::default() }
    }
}

impl Store for MemStore {
    fn identity(&self) -> [u8; 32] {
        self.identity
    }

    fn epochs(&self) -> Vec<EpochRecord> {
        vec![self.record]
    }

    fn reserve(&self, _bytes: u64) -> Result<()> {
        Ok(())
    }

    fn append(&self, batch: &Batch) -> Result<u64> {
        let ops = batch.encoded()?;
        let mut guard = lock(&self.inner);
        let inner = &mut *guard;
        let mut reader = Reader::new(ops);
        while !reader.is_empty() {
            let Some(op) = Op::read(&mut reader) else { unreachable!("a batch encodes whole operations") };
            match op {
                Op::Put { table, key, value } => inner.rows.put(table, key, value),
                Op::Delete { table, key } => inner.rows.delete(table, key),
                Op::Drop { space } => drop(inner.spaces.remove(&space)),
                Op::Patches { space, .. } | Op::Write { space, .. } | Op::Zero { space, .. } | Op::Resize { space, .. } => {
                    let space = inner.spaces.entry(space).or_default();
                    let whole = op.for_each(|op| space.apply(op));
                    assert!(whole.is_some(), "a batch encodes whole operations");
                }
            }
        }
        inner.appended += 1;
        Ok(inner.appended)
    }

    fn sync(&self) -> Result<u64> {
        let mut inner = lock(&self.inner);
        inner.durable = inner.appended;
        Ok(inner.durable)
    }

    fn position(&self) -> (u64, u64) {
        let inner = lock(&self.inner);
        (inner.appended, inner.durable)
    }

    fn get(&self, table: u8, key: &[u8]) -> Option<Vec<u8>> {
        lock(&self.inner).rows.table(table).get(key).map(|value| value.to_vec())
    }

    fn scan(&self, table: u8, from: &[u8], until: Option<&[u8]>, limit: usize) -> Vec<Row> {
        lock(&self.inner).rows.scan(table, from, until, limit)
    }

    fn read(&self, space: u64, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let end = offset.checked_add(buffer.len() as u64).filter(|end| *end <= SPACE_BYTES_MAX);
        let end = end.ok_or_else(|| Error::new(ErrorKind::Limit, "a read reaches beyond 4 GiB of a space"))?;
        buffer.fill(0);
        let size = PAGE_BYTES as u64;
        let inner = lock(&self.inner);
        let Some(found) = inner.spaces.get(&space) else { return Ok(()) };
        for (page, bytes) in found.pages.range(offset / size..end.div_ceil(size)) {
            let data = &bytes[..];
            Op::Write { space, offset: page * size, data }.patch(offset, buffer);
        }
        Ok(())
    }

    fn length(&self, space: u64) -> Option<u64> {
        lock(&self.inner).spaces.get(&space).map(|space| space.length)
    }

    fn spaces(&self) -> Vec<u64> {
        lock(&self.inner).spaces.keys().copied().collect()
    }

    fn stats(&self) -> Stats {
        let inner = lock(&self.inner);
        let (rows, spaces) = (inner.rows.count() as u64, inner.spaces.len() as u64);
        Stats { epoch: 1, appended: inner.appended, durable: inner.durable, rows, spaces, ..Stats::default() }
    }

    fn merge_step(&self) -> Result<bool> {
        Ok(false)
    }

    fn check(&self) -> Result<Checked> {
        Ok(Checked { rows: lock(&self.inner).rows.count() as u64, ..Checked::default() })
    }

    /// A file store with the same contents and identity, in its first epoch.
    fn backup(&self, to: &dyn Disk) -> Result<()> {
        let copy = crate::disk::SimDisk::new();
        let opening = Opening { identity: self.identity, random: self.record.random };
        let store = FileStore::open(Arc::new(copy), opening, Options { segment_bytes: 1 << 20, ..Options::default() })?;
        {
            let inner = lock(&self.inner);
            let mut batch = Batch::new();
            for (table, key, value) in inner.rows.all() {
                batch.put(table, key, value);
            }
            store.append(&batch)?;
            for (number, space) in &inner.spaces {
                batch.clear();
                batch.resize(*number, space.length);
                for (page, bytes) in &space.pages {
                    let start = page * PAGE_BYTES as u64;
                    let within = (space.length.saturating_sub(start)).min(PAGE_BYTES as u64) as usize;
                    batch.write(*number, start, &bytes[..within]);
                }
                store.append(&batch)?;
            }
        }
        store.backup(to)
    }

    fn seal(&self) -> Result<()> {
        self.sync().map(drop)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.seal()
    }
}
