//! Bad input and bad disks: each a clear error, and nothing changed on disk.

use std::io;
use std::sync::Arc;

use super::{Folder, IDENTITY, open, opening, small};
use crate::disk::{Crash, Disk, DiskFile, Misdirect, Random, RealDisk, RecordingDisk, SimDisk, replay};
use crate::suite::Model;
use crate::superblock::Super;
use crate::{Batch, EXTENT_BYTES, ErrorKind, FileStore, Opening, Options, Store as _};

/// A closed store with rows and spaces, part of it merged.
fn made() -> (SimDisk, Model) {
    let disk = SimDisk::new();
    let mut model = Model::default();
    let mut random = Random(9);
    let store = open(&disk, small()).expect("opens");
    for round in 0..40 {
        store.append(&model.random_batch(&mut random)).expect("within the limits");
        store.sync().expect("syncs");
        if round == 20 {
            store.merge_step().expect("merges");
        }
    }
    Box::new(store).close().expect("closes");
    (disk, model)
}

/// The error of opening, which must leave every byte as it was.
fn refused(disk: &SimDisk) -> ErrorKind {
    let before = disk.contents();
    let error = open(disk, small()).map(drop).expect_err("must not open");
    assert!(before == disk.contents(), "nothing is changed: {error}");
    assert!(error.to_string().starts_with("E-STORE-") && !error.cause().is_empty() && !error.remedy().is_empty());
    error.kind()
}

fn with(disk: &SimDisk, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = disk.contents().remove(name).expect("the file is there");
    change(&mut bytes);
    disk.put(name, bytes);
}

#[test]
fn a_store_of_another_version_or_host_is_refused() {
    let (disk, _) = made();
    let error = FileStore::open(Arc::new(disk.clone()), Opening { identity: [4; 32], random: [0; 32] }, small());
    assert_eq!(error.map(drop).expect_err("another identity").kind(), ErrorKind::OtherIdentity);
    assert_eq!(FileStore::identity_of(&disk).expect("can be read"), IDENTITY);
    with(&disk, "super", |bytes| {
        for at in [0, 4096] {
            bytes[at + 8] += 1;
            let crc = crc32c::crc32c(&bytes[at..at + 116]).to_le_bytes();
            bytes[at + 116..at + 120].copy_from_slice(&crc);
        }
    });
    assert_eq!(refused(&disk), ErrorKind::NewerVersion);
}

#[test]
fn a_store_is_opened_once() {
    let (disk, _) = made();
    let store = open(&disk, small()).expect("opens");
    assert_eq!(refused(&disk), ErrorKind::Locked);
    drop(store);
    open(&disk, small()).expect("opens again");

    let folder = Folder::new();
    let real = || FileStore::open(Arc::new(RealDisk::new(&folder.0)), opening(1), small());
    let store = real().expect("opens");
    assert_eq!(real().map(drop).expect_err("open already").kind(), ErrorKind::Locked);
    drop(store);
    real().expect("opens again");
}

#[test]
fn what_is_missing_or_cut_short_is_named() {
    let (pristine, _) = made();
    let disk = || SimDisk::load(&pristine).expect("a copy");
    assert_eq!(
        FileStore::open(Arc::new(SimDisk::new()), opening(1), Options { create: false, ..small() })
            .map(drop)
            .expect_err("nothing")
            .kind(),
        ErrorKind::Missing
    );
    for (name, kinds) in pristine.contents().keys().map(|name| (name.clone(), [ErrorKind::Truncated, ErrorKind::Corrupt])) {
        let half = disk();
        with(&half, &name, |bytes| bytes.truncate(bytes.len() / 2));
        // A free segment is not needed, and half of `super` has one of its copies.
        if let Err(error) = open(&half, small()) {
            assert!(kinds.contains(&error.kind()), "{name}: {error}");
        } else {
            assert!(name.starts_with("log-") || name == "super", "{name} was cut and nobody minded");
        }
        let gone = disk();
        gone.remove(&name).expect("works");
        if name == "super" || name == "extents" || name.starts_with("meta") {
            assert_eq!(refused(&gone), ErrorKind::Corrupt, "{name}");
        }
    }
    let stump = disk();
    with(&stump, "super", |bytes| bytes.truncate(100));
    assert_eq!(refused(&stump), ErrorKind::Corrupt);
    let read_only = disk();
    read_only.set_read_only(true);
    assert_eq!(refused(&read_only), ErrorKind::ReadOnly);
    let forest = SimDisk::new();
    forest.put("extents", vec![1]);
    assert_eq!(refused(&forest), ErrorKind::Corrupt, "parts of a store are not written over");
}

#[test]
fn no_flipped_bit_gives_a_wrong_answer() {
    let (pristine, model) = made();
    let mut random = Random(21);
    let (mut refused_some, mut damaged_some, mut cut_some) = (0, 0, 0);
    for _ in 0..600 {
        let disk = SimDisk::load(&pristine).expect("a copy");
        let files = pristine.contents();
        let name = files.keys().nth(random.below(files.len() as u64) as usize).expect("within").clone();
        assert!(disk.flip(&name, random.below(files[&name].len() as u64), 1 << random.below(8)));
        let store = match open(&disk, small()) {
            Ok(store) => store,
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Truncated), "{error}");
                refused_some += 1;
                continue;
            }
        };
        cut_some += u32::from(store.opened().cut.is_some());
        match Model::of(&store) {
            Ok(found) => assert!(found == model, "a flipped bit in {name} passes"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Damaged);
                assert!(!store.check().expect("can be read").damage.is_empty());
                damaged_some += 1;
            }
        }
    }
    assert!(refused_some > 20 && damaged_some > 20, "{refused_some} {damaged_some} {cut_some}");
}

#[test]
fn damage_to_one_space_is_no_damage_to_another_and_is_not_merged_away() {
    let disk = SimDisk::new();
    let store = open(&disk, small()).expect("opens");
    let mut batch = Batch::new();
    batch.write(1, 0, &[1; 3 * EXTENT_BYTES]).write(2, 0, &[2; EXTENT_BYTES]);
    store.append(&batch).expect("within the limits");
    store.sync().expect("syncs");
    store.merge_step().expect("merges");
    // Slot 1 is the first extent of space 1.
    assert!(disk.flip("extents", EXTENT_BYTES as u64 + 5, 4));
    let mut bytes = [0; 10];
    let length = EXTENT_BYTES as u64;
    for _ in 0..2 {
        assert_eq!(store.read(1, 100, &mut bytes).expect_err("damaged").kind(), ErrorKind::Damaged);
        store.read(1, length, &mut bytes).expect("another extent");
        store.read(2, 0, &mut bytes).expect("another space");
        assert_eq!(store.check().expect("can be read").damage.len(), 1);
        batch.clear();
        store.append(batch.write(1, 7, b"patched")).expect("within the limits");
        store.sync().expect("syncs");
        store.merge_step().expect("merges");
    }
    batch.clear();
    store.append(batch.write(1, 0, &[3; EXTENT_BYTES])).expect("within the limits");
    store.sync().expect("syncs");
    store.merge_step().expect("merges");
    store.read(1, 0, &mut bytes).expect("what is written wholly anew is whole");
    assert_eq!(bytes, [3; 10]);
}

#[test]
fn a_full_disk_stops_intake_and_changes_nothing() {
    let disk = SimDisk::new();
    let store = open(&disk, small()).expect("opens");
    let mut model = Model::default();
    let mut random = Random(4);
    let used: u64 = disk.contents().values().map(|bytes| bytes.len() as u64).sum();
    disk.set_capacity(Some(used + 300_000));
    let mut full = false;
    for _ in 0..2000 {
        let mut next = model.clone();
        let batch = next.random_batch(&mut random);
        if let Err(error) = store.reserve(batch.log_bytes() as u64) {
            assert_eq!(error.kind(), ErrorKind::Full);
            full = true;
            break;
        }
        store.append(&batch).expect("what was reserved fits");
        store.sync().expect("what was reserved fits");
        model = next;
    }
    assert!(full, "the disk was to fill up");
    assert_eq!(store.merge_step().map(drop).map_err(|error| error.kind()), Err(ErrorKind::Full), "merging needs room too");
    assert_eq!(Model::of(&store).expect("can be read"), model);
    disk.set_capacity(None);
    store.reserve(1000).expect("there is room again");
    store.append(&model.random_batch(&mut random)).expect("within the limits");
    store.sync().expect("goes on");
    assert!(store.merge_step().expect("goes on"));
    assert_eq!(Model::of(&store).expect("can be read"), model);
    drop(store);
    assert_eq!(Model::of(&open(&disk, small()).expect("opens")).expect("can be read"), model);
}

#[test]
fn a_failed_sync_poisons_and_is_never_tried_again() {
    for after in 0..3 {
        let disk = SimDisk::new();
        let store = open(&disk, small()).expect("opens");
        store.append(Batch::new().put(0, b"a", b"1").write(1, 0, &[1; 50_000])).expect("within the limits");
        store.sync().expect("syncs");
        store.append(Batch::new().put(0, b"b", b"2")).expect("within the limits");
        disk.fail_sync(after);
        let failed = if after == 0 { store.sync().map(drop) } else { store.merge_step().map(drop) };
        assert_eq!(failed.expect_err("the sync fails").kind(), ErrorKind::Poisoned);
        let effects = disk.effects();
        for error in [
            store.append(&Batch::new()).map(drop),
            store.sync().map(drop),
            store.reserve(1).map(drop),
            store.seal(),
            store.merge_step().map(drop),
        ] {
            let error = error.expect_err("poisoned");
            assert_eq!(error.kind(), ErrorKind::Poisoned);
            assert!(error.cause().contains("failed to sync"), "the first cause is told: {error}");
        }
        assert_eq!(disk.effects(), effects, "nothing was tried");
        assert_eq!(store.get(0, b"b").as_deref(), Some(&b"2"[..]), "reads work");
        drop(store);
        disk.crash(Crash { seed: after, misdirect: Misdirect::Never });
        assert_eq!(open(&disk, small()).expect("opens").get(0, b"a").as_deref(), Some(&b"1"[..]));
    }
}

/// A disk whose lock holds nobody back, as on a file system that has none.
struct Lockless(SimDisk);

struct LocklessFile(Arc<dyn DiskFile>);

impl Disk for Lockless {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(LocklessFile(self.0.open(name)?)))
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(LocklessFile(self.0.create(name)?)))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.0.sync_dir()
    }
}

impl DiskFile for LocklessFile {
    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_at(bytes, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
    fn try_lock(&self) -> io::Result<bool> {
        Ok(true)
    }
}

#[test]
fn an_older_epoch_cannot_commit() {
    let disk = SimDisk::new();
    let lockless = || -> Arc<dyn Disk> { Arc::new(Lockless(disk.clone())) };
    let old = FileStore::open(lockless(), opening(1), small()).expect("opens");
    old.append(Batch::new().put(0, b"a", b"old")).expect("within the limits");
    assert_eq!(old.sync().expect("syncs"), 1);
    let new = FileStore::open(lockless(), opening(2), small()).expect("opens");
    assert_eq!((new.opened().epoch, new.get(0, b"a").as_deref()), (2, Some(&b"old"[..])));
    old.append(Batch::new().put(0, b"a", b"zombie")).expect("it does not know");
    assert_eq!(old.sync().expect_err("fenced").kind(), ErrorKind::Fenced);
    assert_eq!(old.sync().expect_err("for good").kind(), ErrorKind::Fenced);
    new.append(Batch::new().put(0, b"b", b"new")).expect("within the limits");
    new.sync().expect("syncs");
    let later = FileStore::open(lockless(), opening(3), small()).expect("opens");
    assert_eq!(later.get(0, b"a").as_deref(), Some(&b"old"[..]), "what the zombie wrote does not count");
    assert_eq!(later.get(0, b"b").as_deref(), Some(&b"new"[..]));
    assert_eq!(later.epochs().iter().map(|record| record.epoch).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn names_that_a_killed_process_left_survive_the_power_cut_after_the_next() {
    for kill in 0..60 {
        let disk = SimDisk::new();
        disk.kill(kill);
        let first = open(&disk, small());
        drop(first);
        disk.exit();
        let store = open(&disk, small()).unwrap_or_else(|error| panic!("after {kill}: {error}"));
        store.append(Batch::new().put(0, b"k", b"v")).expect("within the limits");
        store.sync().expect("syncs");
        drop(store);
        for seed in 0..4 {
            disk.crash(Crash { seed, misdirect: Misdirect::Never });
            let store = open(&disk, small()).unwrap_or_else(|error| panic!("after {kill}: {error}"));
            assert_eq!(store.get(0, b"k").as_deref(), Some(&b"v"[..]), "after {kill}");
        }
    }
}

#[test]
fn a_torn_tail_is_cut_and_told_by_number() {
    let (disk, model) = made();
    let store = open(&disk, small()).expect("opens");
    let frames = store.stats().log_frames;
    let merged = Super::load(&*disk.open("super").expect("there")).expect("whole").merged_frame;
    store.append(Batch::new().put(0, b"torn", &[7; 2000])).expect("within the limits");
    disk.fail_sync(0);
    store.sync().expect_err("the sync fails");
    drop(store);
    let mut told = false;
    for seed in 0..40 {
        let copy = SimDisk::load(&disk).expect("a copy");
        // Each sector of the last frame is lost or not.
        let mut random = Random(seed);
        let name = copy
            .contents()
            .into_iter()
            .rfind(|(_, bytes)| bytes.windows(2000).any(|window| window == [7; 2000]))
            .expect("there")
            .0;
        with(&copy, &name, |bytes| {
            let at = bytes.windows(2000).position(|window| window == [7; 2000]).expect("there") / 512 * 512;
            (0..5).filter(|_| random.below(2) == 0).for_each(|sector| bytes[at + sector * 512..][..512].fill(0));
        });
        let store = open(&copy, small()).expect("opens");
        if store.get(0, b"torn").is_none() {
            assert_eq!(Model::of(&store).expect("can be read"), model);
            told |= store.opened().cut == Some(merged + frames + 1);
        }
    }
    assert!(told, "a frame whose head is there is told by its number");
}

#[test]
fn misdirected_writes_are_found_or_harmless() {
    for (seed, misdirect) in (0..300).flat_map(|seed| [(seed, Misdirect::Anywhere), (seed, Misdirect::Unsynced)]) {
        let (disk, model) = made();
        let store = open(&disk, small()).expect("opens");
        let durable = store.position().1;
        store.append(Batch::new().write(9, 0, &[5; 30_000])).expect("within the limits");
        disk.kill(1);
        let _ = store.sync();
        drop(store);
        disk.crash(Crash { seed, misdirect });
        let harmless = misdirect == Misdirect::Unsynced;
        match open(&disk, small()) {
            Ok(store) => match Model::of(&store) {
                Ok(mut found) => {
                    found.spaces.remove(&9);
                    assert!(store.position().0 >= durable && found == model, "seed {seed}");
                }
                Err(error) => assert!(!harmless && error.kind() == ErrorKind::Damaged, "seed {seed}: {error}"),
            },
            Err(error) => assert!(!harmless && error.kind() == ErrorKind::Corrupt, "seed {seed}: {error}"),
        }
    }
}

/// A sink that can be looked into.
#[derive(Clone, Default)]
struct Sink(Arc<std::sync::Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().map_err(|_| io::ErrorKind::Other)?.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn crash_states_are_made_from_a_trace() {
    let (sink, folder) = (Sink::default(), Folder::new());
    let real: Arc<dyn Disk> = Arc::new(RealDisk::new(&folder.0));
    let recording = RecordingDisk::new(real, Box::new(sink.clone()));
    let store = FileStore::open(Arc::new(recording), opening(1), small()).expect("opens");
    let (mut states, mut random) = (vec![Model::default()], Random(8));
    // (how many bytes of trace there were, what was durable then)
    let mut told = vec![(0, 0)];
    for round in 0..30 {
        let mut next = states[states.len() - 1].clone();
        store.append(&next.random_batch(&mut random)).expect("within the limits");
        states.push(next);
        let durable = store.sync().expect("syncs");
        told.push((sink.0.lock().expect("whole").len(), durable));
        if round % 10 == 9 {
            store.merge_step().expect("merges");
        }
    }
    let trace = sink.0.lock().expect("whole").clone();
    let events = replay(&trace, usize::MAX, &SimDisk::new()).expect("can be replayed");
    assert!(events > 60);
    for seed in 0..200 {
        let length = random.below(trace.len() as u64 + 1) as usize;
        let disk = SimDisk::new();
        assert!(replay(&trace[..length], events, &disk).expect("can be replayed") <= events);
        disk.crash(Crash { seed, misdirect: Misdirect::Never });
        let copy = Folder::new();
        std::fs::create_dir_all(&copy.0).expect("room");
        disk.save(&RealDisk::new(&copy.0)).expect("room");
        let store = FileStore::open(Arc::new(RealDisk::new(&copy.0)), opening(2), small()).expect("opens");
        let durable = told.iter().rfind(|(at, _)| *at <= length).expect("the first is 0").1;
        let (found, _) = store.position();
        assert!(found >= durable, "{found} of {durable}");
        assert_eq!(Model::of(&store).expect("can be read"), states[found as usize]);
    }
}
