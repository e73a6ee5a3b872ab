//! Checks from inside the room: the suite over every store, crashes, bad input, seeded mistakes.

mod bad;
mod crash;
mod golden;

use std::sync::Arc;

use crate::disk::{Disk, RealDisk, SimDisk};
use crate::{Background, Batch, FileStore, MemStore, Opening, Options, Result, Store, suite};

const IDENTITY: [u8; 32] = [3; 32];

fn opening(random: u8) -> Opening {
    Opening { identity: IDENTITY, random: [random; 32] }
}

/// Small segments, so that a short test goes over their ends.
fn small() -> Options {
    Options { segment_bytes: 64 << 10, ..Options::default() }
}

fn open(disk: &SimDisk, options: Options) -> Result<FileStore> {
    FileStore::open(Arc::new(disk.clone()), opening(1), options)
}

/// A folder of its own, removed at the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Folder {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("drses-store-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Folder(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_suite_over_memory() {
    suite::all(&mut || Box::new(MemStore::new(opening(1))));
}

#[test]
fn the_suite_over_a_simulated_disk() {
    suite::all(&mut || Box::new(open(&SimDisk::new(), small()).expect("opens")));
    let mut disk = SimDisk::new();
    suite::durable(&mut |fresh| {
        if fresh {
            disk = SimDisk::new();
        }
        Box::new(open(&disk, small()).expect("opens"))
    });
}

#[test]
fn the_suite_over_a_real_disk() {
    let mut folders = Vec::new();
    let mut fresh = |options: Options, again: bool| -> Box<dyn Store> {
        if !again {
            folders.push(Folder::new());
        }
        let folder = folders.last().map(|folder| folder.0.clone()).expect("the first call is a fresh one");
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(folder));
        Box::new(FileStore::open(disk, opening(1), options).expect("opens"))
    };
    suite::all(&mut || fresh(small(), false));
    suite::durable(&mut |first| fresh(small(), !first));
}

#[test]
fn the_background_keeps_the_log_short_while_turns_go_on() {
    let disk = SimDisk::new();
    let options = Options { merge_bytes: 200_000, ..small() };
    let store = Arc::new(open(&disk, options).expect("opens"));
    let background = Background::start(store.clone()).expect("starts");
    let mut turns = 0;
    while store.stats().generation < 4 {
        turns += 1;
        assert!(turns < 100_000, "nothing is merged");
        let mut batch = Batch::new();
        batch.write(turns % 50, turns % 7 * 1000, &turns.to_le_bytes()).put(0, &turns.to_be_bytes(), &[1; 300]);
        store.reserve(batch.log_bytes() as u64).expect("room");
        store.append(&batch).expect("within the limits");
        store.sync().expect("syncs");
        if store.stats().log_bytes > 10 * options.merge_bytes {
            // On a busy machine the other thread may not have had its turn for long.
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
    drop(background);
    assert_eq!(store.check().expect("can be read").damage, []);
    drop(store);
    let store = open(&disk, options).expect("opens");
    assert_eq!((store.position().0, store.stats().rows), (turns, turns));
    let mut bytes = [0; 8];
    store.read(turns % 50, turns % 7 * 1000, &mut bytes).expect("can be read");
    assert_eq!(u64::from_le_bytes(bytes), turns);
}

#[test]
fn openings_that_are_killed_do_not_pile_up_segments() {
    let disk = SimDisk::new();
    let options = Options { merge_bytes: 128 << 10, ..small() };
    for n in 0..40u8 {
        let store = Arc::new(open(&disk, options).expect("opens"));
        let mut batch = Batch::new();
        batch.put(1, &[n], &[n]);
        store.append(&batch).expect("appended");
        store.sync().expect("synced");
        let background = Background::start(store.clone()).expect("starts");
        let start = std::time::Instant::now();
        while store.log_is_long() {
            assert!(start.elapsed().as_secs() < 60, "the log is not merged");
            std::thread::yield_now();
        }
        drop(background);
    }
    let segments = disk.list().expect("listed").iter().filter(|name| name.starts_with("log-")).count();
    assert!(segments <= 16, "{segments} segments");
    let store = open(&disk, options).expect("opens");
    assert!((0..40).all(|n| store.get(1, &[n]).as_deref() == Some(&[n][..])));
}
