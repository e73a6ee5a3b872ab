//! What every store must do, as a suite that any implementation runs.
//!
//! In: a way to make stores. Out: a panic that says what was wrong, or nothing. `all` needs nothing durable; `durable` reopens.

mod model;

pub use crate::disk::Random;
pub use model::Model;

use crate::batch::{Batch, KEY_BYTES_MAX, SPACE_BYTES_MAX};
use crate::disk::SimDisk;
use crate::file::{FileStore, Opening, Options};
use crate::store::Store;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

type Case = fn(&dyn Store);

const CASES: &[(&str, Case)] = &[
    ("rows are ordered and the last operation wins", rows),
    ("spaces are sparse and patched in order", spaces),
    ("a dropped space is gone, and may come again", dropped),
    ("what is beyond a limit changes nothing", limits),
    ("numbers have no holes, and syncing catches up", numbers),
    ("one thread syncs while another appends", threads),
    ("random batches leave what a model holds", random),
    ("a backup opens and holds the same", backup),
];

/// Run every case, each on a store of its own that `fresh` makes.
pub fn all(fresh: &mut dyn FnMut() -> Box<dyn Store>) {
    for (_, case) in CASES {
        case(&*fresh());
    }
}

/// Run the cases that need a store to outlive its handle. `reopen` opens the store of the last call, or with `true` a fresh one.
pub fn durable(reopen: &mut dyn FnMut(bool) -> Box<dyn Store>) {
    let mut random = Random(77);
    let mut model = Model::default();
    let mut store = reopen(true);
    for round in 0..40u64 {
        for _ in 0..random.below(8) {
            append(&*store, &model.random_batch(&mut random));
        }
        if random.below(3) == 0 {
            store.sync().expect("syncs");
            store.merge_step().expect("merges");
        }
        let (appended, _) = store.position();
        let epochs = store.epochs();
        let identity = store.identity();
        store.close().expect("closes");
        store = reopen(false);
        assert_eq!(store.position(), (appended, appended), "all of it is there, round {round}");
        assert_eq!(Model::of(&*store).expect("can be read"), model, "round {round}");
        let now = store.epochs();
        assert_eq!((&now[..epochs.len()], now.len()), (&epochs[..], epochs.len() + 1), "one record more");
        let (last, before) = (now[now.len() - 1], now[now.len() - 2]);
        assert_eq!((last.epoch, last.previous), (before.epoch + 1, before.hash(&identity)), "records are chained");
        assert_eq!(store.check().expect("can be read").damage, []);
    }
}

fn append(store: &dyn Store, batch: &Batch) -> u64 {
    store.append(batch).expect("within the limits")
}

fn read(store: &dyn Store, space: u64, offset: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![7; length];
    store.read(space, offset, &mut bytes).expect("can be read");
    bytes
}

fn rows(store: &dyn Store) {
    let mut batch = Batch::new();
    batch.put(1, b"b", b"2").put(1, b"a", b"1").put(2, b"a", b"other").put(1, b"b", b"3").put(1, b"c", b"4").delete(1, b"c");
    append(store, &batch);
    assert_eq!(store.get(1, b"b").as_deref(), Some(&b"3"[..]));
    assert_eq!(store.get(1, b"c"), None);
    assert_eq!(store.get(3, b"a"), None);
    let row = |key: &[u8], value: &[u8]| (key.to_vec(), value.to_vec());
    assert_eq!(store.scan(1, b"", None, 9), [row(b"a", b"1"), row(b"b", b"3")]);
    assert_eq!(store.scan(1, b"a", Some(b"b"), 9), [row(b"a", b"1")]);
    assert_eq!(store.scan(1, b"b", Some(b"a"), 9), [], "an empty range");
    assert_eq!(store.scan(1, b"", None, 1), [row(b"a", b"1")]);
    batch.clear();
    batch.put(5, &[1, 0xff], b"x").put(5, &[1, 0xff, 0], b"y").put(5, &[2], b"z").put(5, &[0xff, 0xff], b"w");
    append(store, &batch);
    assert_eq!(store.scan_prefix(5, &[1, 0xff], 9).len(), 2);
    assert_eq!(store.scan_prefix(5, &[0xff], 9).len(), 1);
    assert_eq!(store.stats().rows, 7);
}

fn spaces(store: &dyn Store) {
    assert_eq!((store.length(9), read(store, 9, 100, 3)), (None, vec![0; 3]), "a space that is not there");
    let far = SPACE_BYTES_MAX - 3;
    let mut batch = Batch::new();
    batch.write(9, 10, b"abcdef").write(9, 12, b"XY").write(9, far, b"end");
    append(store, &batch);
    for merged in [false, true] {
        assert_eq!(read(store, 9, 8, 10), b"\0\0abXYef\0\0");
        assert_eq!(read(store, 9, far - 1, 4), b"\0end");
        assert_eq!(store.length(9), Some(SPACE_BYTES_MAX));
        if !merged {
            store.sync().expect("syncs");
            store.merge_step().expect("merges");
        }
    }
    batch.clear();
    batch.zero(9, 11, 2).resize(9, 14).write(9, 20, b"g");
    append(store, &batch);
    for _ in 0..2 {
        assert_eq!(read(store, 9, 8, 14), b"\0\0a\0\0Y\0\0\0\0\0\0g\0");
        assert_eq!(read(store, 9, far, 3), [0; 3]);
        assert_eq!(store.length(9), Some(21));
        store.sync().expect("syncs");
        store.merge_step().expect("merges");
    }
    assert_eq!(store.spaces(), [9]);
}

fn dropped(store: &dyn Store) {
    let mut batch = Batch::new();
    append(store, batch.write(4, 0, &[1; 100_000]).write(5, 0, b"stays"));
    store.sync().expect("syncs");
    store.merge_step().expect("merges");
    batch.clear();
    append(store, batch.drop_space(4));
    assert_eq!((store.length(4), store.spaces()), (None, vec![5]));
    batch.clear();
    append(store, batch.write(4, 3, b"again"));
    for _ in 0..2 {
        assert_eq!((store.length(4), read(store, 4, 0, 10)), (Some(8), b"\0\0\0again\0\0".to_vec()));
        store.sync().expect("syncs");
        store.merge_step().expect("merges");
    }
    batch.clear();
    append(store, batch.drop_space(4).drop_space(4).drop_space(77));
    store.sync().expect("syncs");
    store.merge_step().expect("merges");
    assert_eq!(store.spaces(), [5]);
}

fn limits(store: &dyn Store) {
    let mut batch = Batch::new();
    batch.put(0, b"in the same batch", b"").put(0, &vec![0; KEY_BYTES_MAX + 1], b"");
    let error = store.append(&batch).expect_err("a key that is too long");
    assert_eq!(error.code(), "E-STORE-LIMIT");
    assert_eq!((store.position(), store.stats().rows), ((0, 0), 0), "nothing has changed");
    assert!(store.read(1, SPACE_BYTES_MAX, &mut [0]).is_err());
    assert!(store.read(1, u64::MAX, &mut [0]).is_err());
    assert!(store.read(1, SPACE_BYTES_MAX, &mut []).is_ok());
}

fn numbers(store: &dyn Store) {
    for number in 1..=20 {
        assert_eq!(append(store, Batch::new().put(0, &[number], b"")), u64::from(number));
        if number % 3 == 0 {
            assert_eq!(store.sync().expect("syncs"), u64::from(number));
            assert_eq!(store.sync().expect("syncs"), u64::from(number), "nothing to do");
        }
        assert_eq!(store.position(), (u64::from(number), u64::from(number / 3 * 3)));
    }
    assert_eq!(append(store, &Batch::new()), 21, "an empty batch has a number too");
    store.seal().expect("seals");
    store.seal().expect("seals once more");
    assert_eq!(store.position(), (21, 21));
    assert_eq!(append(store, &Batch::new()), 22);
}

fn threads(store: &dyn Store) {
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Acquire) {
                store.sync().expect("syncs");
                store.merge_step().expect("merges");
            }
        });
        for turn in 0..2000u32 {
            let mut batch = Batch::new();
            batch.put(0, &turn.to_be_bytes(), &[1; 40]).write(1, u64::from(turn) * 8, &u64::from(turn + 1).to_le_bytes());
            store.reserve(batch.log_bytes() as u64).expect("room");
            append(store, &batch);
            let seen = read(store, 1, u64::from(turn / 2) * 8, 8);
            assert_eq!(seen, u64::from(turn / 2 + 1).to_le_bytes(), "turn {turn}");
        }
        ended.store(true, Ordering::Release);
    });
    assert_eq!(store.sync().expect("syncs"), 2000);
    let all = read(store, 1, 0, 16000);
    assert!((0..2000u64).all(|turn| all[turn as usize * 8..][..8] == (turn + 1).to_le_bytes()));
}

fn random(store: &dyn Store) {
    let mut random = Random(5);
    let mut model = Model::default();
    for round in 0..300 {
        append(store, &model.random_batch(&mut random));
        if random.below(10) == 0 {
            store.sync().expect("syncs");
        }
        if random.below(20) == 0 {
            store.merge_step().expect("merges");
        }
        if random.below(10) == 0 {
            assert_eq!(Model::of(store).expect("can be read"), model, "round {round}");
        }
    }
    assert_eq!(store.check().expect("can be read").damage, []);
}

fn backup(store: &dyn Store) {
    let mut random = Random(6);
    let mut model = Model::default();
    for round in 0..60 {
        append(store, &model.random_batch(&mut random));
        if round == 30 {
            store.sync().expect("syncs");
            store.merge_step().expect("merges");
        }
    }
    let disk = SimDisk::new();
    store.backup(&disk).expect("room");
    assert_eq!(store.backup(&disk).expect_err("there is one").code(), "E-STORE-EXISTS");
    append(store, Batch::new().put(0, b"later", b""));
    let opening = Opening { identity: store.identity(), random: [9; 32] };
    let copy = FileStore::open(Arc::new(disk), opening, Options { create: false, ..Options::default() }).expect("opens");
    assert_eq!(Model::of(&copy).expect("can be read"), model);
    assert_eq!(copy.check().expect("can be read").damage, []);
}
