//! A disk in memory that loses, tears and reorders what was not synced, fills up and fails, all by seed.
//!
//! Each file keeps what the running process sees, and every write since the last sync with the bytes that it replaced: from these follow its
//! **pristine** bytes (what was synced). At a crash
//! each 512-byte piece of each unsynced write survives or not by a drawn chance, so later pieces may be there without earlier ones; the
//! names that were not synced likewise. Handles from before the crash are dead. The same seed gives the same disk.
//!
//! Faults that are asked for: `capacity` (no room), `fail_sync` (the n-th sync from now fails), `kill` (after n more effects nothing
//! works any more, until `crash`), `read_only`, `flip` (a bit of the pristine bytes), and pieces that land elsewhere in their file
//! (`Misdirect`).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Disk, DiskFile, SECTOR_BYTES};

/// How a crash chooses what survives.
#[derive(Clone, Copy, Debug)]
pub struct Crash {
    pub seed: u64,
    pub misdirect: Misdirect,
}

/// Where pieces of unsynced writes may land that do not land where they were to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misdirect {
    /// All land at their places.
    Never,
    /// Some land at places of their file that were not synced either: what was synced stays.
    Unsynced,
    /// Some land anywhere in their file.
    Anywhere,
}

/// The disk; clones are the same disk.
#[derive(Clone, Default)]
pub struct SimDisk(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    files: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    name_changes: Vec<NameChange>,
    /// Handles of an earlier life are dead.
    life: u64,
    handles: u64,
    capacity: Option<u64>,
    sync_fails_in: Option<u64>,
    killed_in: Option<u64>,
    read_only: bool,
    effects: u64,
}

#[derive(Default)]
struct Inode {
    now: Vec<u8>,
    /// In the order in which they came.
    unsynced: Vec<Write>,
    lock: Option<u64>,
}

/// A write that was not synced.
struct Write {
    offset: u64,
    bytes: Vec<u8>,
    /// What was there, and how long the file was.
    before: Vec<u8>,
    length: usize,
}

enum NameChange {
    Bind(String, usize),
    Rename(String, String),
    Remove(String),
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            NameChange::Bind(name, inode) => drop(names.insert(name.clone(), *inode)),
            NameChange::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
            NameChange::Remove(name) => drop(names.remove(name)),
        }
    }
}

impl SimDisk {
    pub fn new() -> SimDisk {
        SimDisk::default()
    }

    /// A copy of what another disk holds, all of it synced.
    pub fn load(from: &dyn Disk) -> io::Result<SimDisk> {
        let disk = SimDisk::new();
        for name in from.list()? {
            let file = from.open(&name)?;
            let mut bytes = vec![0; file.length()? as usize];
            let count = file.read_at(&mut bytes, 0)?;
            bytes.truncate(count);
            disk.put(&name, bytes);
        }
        Ok(disk)
    }

    /// Write what the running process sees to another disk.
    pub fn save(&self, to: &dyn Disk) -> io::Result<()> {
        for (name, bytes) in self.contents() {
            to.create(&name)?.write_at(&bytes, 0)?;
        }
        Ok(())
    }

    /// All files with their bytes, as the running process sees them.
    pub fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let inner = self.inner();
        inner.names.iter().map(|(name, &inode)| (name.clone(), inner.files[inode].now.clone())).collect()
    }

    /// Put a file there, synced.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        let mut inner = self.inner();
        let inode = inner.files.len();
        inner.files.push(Inode { now: bytes, ..Inode::default() });
        inner.names.insert(name.to_owned(), inode);
        inner.durable_names.insert(name.to_owned(), inode);
    }

    /// Bytes that fit in all files together.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.inner().capacity = bytes;
    }

    /// Let the sync after `after` more fail, once.
    pub fn fail_sync(&self, after: u64) {
        self.inner().sync_fails_in = Some(after);
    }

    /// Let `after` more effects happen and then none.
    pub fn kill(&self, after: u64) {
        self.inner().killed_in = Some(after);
    }

    pub fn set_read_only(&self, read_only: bool) {
        self.inner().read_only = read_only;
    }

    /// How many effects (writes, syncs, changes of names) there have been.
    pub fn effects(&self) -> u64 {
        self.inner().effects
    }

    /// Flip bits of a byte that was synced; `false` if there is no such byte.
    pub fn flip(&self, name: &str, offset: u64, mask: u8) -> bool {
        let mut inner = self.inner();
        let Some(&inode) = inner.names.get(name) else { return false };
        let file = &mut inner.files[inode];
        let at = offset as usize;
        let synced = file.unsynced.first().map_or(file.now.len(), |first| first.length);
        if at >= file.now.len() || at >= synced {
            return false;
        }
        file.now[at] ^= mask;
        for write in &mut file.unsynced {
            if let Some(byte) = at.checked_sub(write.offset as usize).and_then(|i| write.before.get_mut(i)) {
                *byte ^= mask;
            }
        }
        true
    }

    /// The power goes: what was synced is there, of the rest a part. Requested faults end.
    pub fn crash(&self, crash: Crash) {
        let mut guard = self.inner();
        let inner = &mut *guard;
        let mut random = Random(crash.seed);
        // From nothing survives to everything does, a chance drawn for each crash.
        let chance = [0, 10, 50, 90, 100][random.below(5) as usize];
        for change in std::mem::take(&mut inner.name_changes) {
            if random.below(100) < chance {
                change.apply(&mut inner.durable_names);
            }
        }
        inner.names = inner.durable_names.clone();
        for file in &mut inner.files {
            file.crash(&mut random, chance, crash.misdirect);
        }
        inner.life += 1;
        inner.capacity = None;
        inner.sync_fails_in = None;
        inner.killed_in = None;
        inner.forget_nameless();
    }

    /// The process goes, the system stays: everything written is there, handles and locks are not.
    pub fn exit(&self) {
        let mut inner = self.inner();
        inner.life += 1;
        inner.killed_in = None;
        for file in &mut inner.files {
            file.lock = None;
        }
        inner.forget_nameless();
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, inner: &mut Inner, inode: usize) -> Arc<dyn DiskFile> {
        inner.handles += 1;
        Arc::new(SimFile { disk: self.clone(), inode, life: inner.life, handle: inner.handles })
    }
}

impl Inode {
    fn crash(&mut self, random: &mut Random, chance: u64, misdirect: Misdirect) {
        let unsynced = std::mem::take(&mut self.unsynced);
        let mut image = std::mem::take(&mut self.now);
        for write in unsynced.iter().rev() {
            let at = write.offset as usize;
            image[at..at + write.before.len()].copy_from_slice(&write.before);
            image.truncate(write.length);
        }
        let whole_sectors = |write: &Write| {
            (write.offset as usize).div_ceil(SECTOR_BYTES)..(write.offset as usize + write.bytes.len()) / SECTOR_BYTES
        };
        let loose: Vec<usize> = unsynced.iter().flat_map(whole_sectors).collect();
        for Write { offset, bytes, .. } in unsynced {
            let mut at = 0;
            while at < bytes.len() {
                let place = offset as usize + at;
                let piece = (SECTOR_BYTES - place % SECTOR_BYTES).min(bytes.len() - at);
                if random.below(100) < chance {
                    let elsewhere = misdirect != Misdirect::Never && random.below(64) == 0;
                    let sector = match misdirect {
                        Misdirect::Unsynced if elsewhere && !loose.is_empty() => loose[random.below(loose.len() as u64) as usize],
                        Misdirect::Anywhere if elsewhere => random.below((image.len() / SECTOR_BYTES) as u64 + 1) as usize,
                        _ => place / SECTOR_BYTES,
                    };
                    let target = sector * SECTOR_BYTES + place % SECTOR_BYTES;
                    overwrite(&mut image, target, &bytes[at..at + piece]);
                }
                at += piece;
            }
        }
        self.now = image;
        self.lock = None;
    }
}

fn overwrite(image: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if image.len() < at + bytes.len() {
        image.resize(at + bytes.len(), 0);
    }
    image[at..at + bytes.len()].copy_from_slice(bytes);
}

impl Inner {
    /// Count an effect; an error if the process is dead or the disk read-only.
    fn effect(&mut self) -> io::Result<()> {
        if self.read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        self.effects += 1;
        match &mut self.killed_in {
            Some(0) => Err(io::Error::other("the simulated process was killed")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Nobody reads a file again that has no name, and whose handles are dead.
    fn forget_nameless(&mut self) {
        let mut named: BTreeSet<usize> = self.names.values().chain(self.durable_names.values()).copied().collect();
        named.extend(
            self.name_changes.iter().filter_map(|c| if let NameChange::Bind(_, inode) = c { Some(*inode) } else { None }),
        );
        for (inode, file) in self.files.iter_mut().enumerate() {
            if !named.contains(&inode) {
                *file = Inode::default();
            }
        }
    }

    fn used(&self) -> u64 {
        self.names.values().map(|&inode| self.files[inode].now.len() as u64).sum()
    }

    fn lookup(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.name_changes.push(change);
    }
}

impl Disk for SimDisk {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut inner = self.inner();
        let inode = inner.lookup(name)?;
        if inner.read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        Ok(self.handle(&mut inner, inode))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut inner = self.inner();
        inner.effect()?;
        let inode = inner.files.len();
        inner.files.push(Inode::default());
        inner.change(NameChange::Bind(name.to_owned(), inode));
        Ok(self.handle(&mut inner, inode))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.inner();
        inner.effect()?;
        inner.lookup(from)?;
        inner.change(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut inner = self.inner();
        inner.effect()?;
        inner.lookup(name)?;
        inner.change(NameChange::Remove(name.to_owned()));
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.inner().names.keys().cloned().collect())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut inner = self.inner();
        inner.effect()?;
        inner.name_changes.clear();
        inner.durable_names = inner.names.clone();
        Ok(())
    }
}

struct SimFile {
    disk: SimDisk,
    inode: usize,
    life: u64,
    handle: u64,
}

impl SimFile {
    fn alive(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let inner = self.disk.inner();
        if inner.life == self.life { Ok(inner) } else { Err(io::Error::other("a handle from before the crash")) }
    }
}

impl DiskFile for SimFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.alive()?.files[self.inode].now.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let inner = self.alive()?;
        let now = &inner.files[self.inode].now;
        let from = (offset as usize).min(now.len());
        let count = buffer.len().min(now.len() - from);
        buffer[..count].copy_from_slice(&now[from..from + count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut inner = self.alive()?;
        let effect = inner.effect();
        let growth = (offset + bytes.len() as u64).saturating_sub(inner.files[self.inode].now.len() as u64);
        if inner.capacity.is_some_and(|capacity| inner.used() + growth > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // A process that dies in a write may have written any part of it.
        let dying = inner.killed_in == Some(0) && effect.is_err();
        if effect.is_ok() || dying {
            let file = &mut inner.files[self.inode];
            let length = file.now.len();
            let (from, to) = ((offset as usize).min(length), (offset as usize + bytes.len()).min(length));
            let before = file.now[from..to].to_vec();
            overwrite(&mut file.now, offset as usize, bytes);
            file.unsynced.push(Write { offset, bytes: bytes.to_vec(), before, length });
        }
        effect
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = self.alive()?;
        inner.effect()?;
        match &mut inner.sync_fails_in {
            Some(0) => {
                inner.sync_fails_in = None;
                // As after a failed fdatasync: the cache is clean, the disk is not. What was not synced may be lost for good.
                return Err(io::Error::other("the simulated disk failed to sync"));
            }
            Some(left) => *left -= 1,
            None => {}
        }
        inner.files[self.inode].unsynced.clear();
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        let mut inner = self.alive()?;
        let lock = &mut inner.files[self.inode].lock;
        let free = lock.is_none_or(|holder| holder == self.handle);
        if free {
            *lock = Some(self.handle);
        }
        Ok(free)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut inner = self.disk.inner();
        let lock = &mut inner.files[self.inode].lock;
        if *lock == Some(self.handle) {
            *lock = None;
        }
    }
}

/// SplitMix64: enough to choose, and the same everywhere.
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_survives_every_crash_and_some_of_the_rest_in_some() {
        let (mut lost, mut kept) = (0, 0);
        for seed in 0..100 {
            let disk = SimDisk::new();
            let file = disk.create("a").expect("room");
            disk.sync_dir().expect("works");
            file.write_at(&[1; 2048], 0).expect("room");
            file.sync().expect("works");
            file.write_at(&[2; 1024], 512).expect("room");
            disk.crash(Crash { seed, misdirect: Misdirect::Never });
            assert!(file.length().is_err(), "old handles are dead");
            let bytes = &disk.contents()["a"];
            assert_eq!((bytes[0], bytes[511], bytes[1536], bytes.len()), (1, 1, 1, 2048));
            for sector in [&bytes[512..1024], &bytes[1024..1536]] {
                assert!(sector.iter().all(|byte| *byte == sector[0]), "a sector is whole");
                if sector[0] == 1 { lost += 1 } else { kept += 1 }
            }
        }
        assert!(lost > 20 && kept > 20, "{lost} lost, {kept} kept");
    }

    #[test]
    fn one_handle_has_the_lock_until_it_goes() {
        let disk = SimDisk::new();
        disk.put("a", vec![]);
        let (one, two) = (disk.open("a").expect("there"), disk.open("a").expect("there"));
        assert!(one.try_lock().expect("works"));
        assert!(!two.try_lock().expect("works"));
        drop(one);
        assert!(two.try_lock().expect("works"));
    }
}
