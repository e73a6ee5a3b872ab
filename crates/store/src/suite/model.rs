//! The plainest store there can be, and random batches for it and for a real one.
//!
//! In: a seed. Out: batches, and what a store must hold after each. The model shares no code with the stores: maps and vectors.

use std::collections::BTreeMap;

use crate::batch::Batch;
use crate::disk::Random;
use crate::store::Store;

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    pub rows: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
    pub spaces: BTreeMap<u64, Vec<u8>>,
}

impl Model {
    pub fn put(&mut self, batch: &mut Batch, table: u8, key: &[u8], value: &[u8]) {
        batch.put(table, key, value);
        self.rows.insert((table, key.to_vec()), value.to_vec());
    }

    pub fn delete(&mut self, batch: &mut Batch, table: u8, key: &[u8]) {
        batch.delete(table, key);
        self.rows.remove(&(table, key.to_vec()));
    }

    pub fn write(&mut self, batch: &mut Batch, space: u64, offset: usize, data: &[u8]) {
        batch.write(space, offset as u64, data);
        if data.is_empty() {
            return;
        }
        let bytes = self.spaces.entry(space).or_default();
        if bytes.len() < offset + data.len() {
            bytes.resize(offset + data.len(), 0);
        }
        bytes[offset..offset + data.len()].copy_from_slice(data);
    }

    pub fn zero(&mut self, batch: &mut Batch, space: u64, offset: usize, length: usize) {
        batch.zero(space, offset as u64, length as u64);
        let bytes = self.spaces.entry(space).or_default();
        let end = (offset + length).min(bytes.len());
        if offset < end {
            bytes[offset..end].fill(0);
        }
    }

    pub fn resize(&mut self, batch: &mut Batch, space: u64, length: usize) {
        batch.resize(space, length as u64);
        self.spaces.entry(space).or_default().resize(length, 0);
    }

    pub fn drop_space(&mut self, batch: &mut Batch, space: u64) {
        batch.drop_space(space);
        self.spaces.remove(&space);
    }

    /// Some random operations, on few keys and spaces so that they meet.
    pub fn random_batch(&mut self, random: &mut Random) -> Batch {
        let mut batch = Batch::new();
        for _ in 0..1 + random.below(6) {
            let key = [b'a' + random.below(6) as u8, b'x'];
            let key = &key[..1 + random.below(2) as usize];
            let table = random.below(2) as u8;
            let space = 1 + random.below(5);
            let reach = [2_000, 40_000, 150_000][random.below(3) as usize];
            let offset = random.below(reach) as usize;
            match random.below(20) {
                0..5 => {
                    let value = vec![random.draw() as u8; random.below(60) as usize];
                    self.put(&mut batch, table, key, &value);
                }
                5..7 => self.delete(&mut batch, table, key),
                7..15 => {
                    let data: Vec<u8> = (0..random.below(200)).map(|_| random.draw() as u8).collect();
                    self.write(&mut batch, space, offset, &data);
                }
                15 => {
                    let data = vec![random.draw() as u8; random.below(70_000) as usize];
                    self.write(&mut batch, space, offset, &data);
                }
                16..18 => self.zero(&mut batch, space, offset, random.below(reach) as usize),
                18 => self.resize(&mut batch, space, offset),
                _ => self.drop_space(&mut batch, space),
            }
        }
        batch
    }

    /// What `store` holds, read by all its means.
    pub fn of(store: &dyn Store) -> crate::Result<Model> {
        let mut model = Model::default();
        for table in 0..=u8::MAX {
            for (key, value) in store.scan(table, b"", None, usize::MAX) {
                model.rows.insert((table, key), value);
            }
        }
        for space in store.spaces() {
            let Some(length) = store.length(space) else { continue };
            let mut bytes = vec![0; length as usize];
            store.read(space, 0, &mut bytes)?;
            model.spaces.insert(space, bytes);
        }
        Ok(model)
    }
}
