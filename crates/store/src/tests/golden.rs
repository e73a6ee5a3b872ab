//! Stores written by earlier builds, which every later build must read; `tests/golden/vN` holds one of each format version.
//!
//! `cargo test -p drses-store golden -- --ignored` writes the one of this version anew. Do that only together with a new version number:
//! what is out there does not change with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::IDENTITY;
use crate::disk::SimDisk;
use crate::suite::Model;
use crate::{Batch, FORMAT_VERSION, FileStore, Opening, Options, Store as _};

fn folder(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v{version}"))
}

fn options() -> Options {
    Options { segment_bytes: 16 << 10, ..Options::default() }
}

fn open(disk: &SimDisk, random: u8) -> FileStore {
    FileStore::open(Arc::new(disk.clone()), Opening { identity: IDENTITY, random: [random; 32] }, options()).expect("opens")
}

/// Every kind of operation, merged and not; two openings; a clean close.
fn written() -> (SimDisk, Model) {
    let disk = SimDisk::new();
    let mut model = Model::default();
    for life in 1..=2u8 {
        let store = open(&disk, life);
        for step in 0..2u8 {
            let mut batch = Batch::new();
            model.put(&mut batch, 1, &[life, step], b"a row");
            model.put(&mut batch, 2, &[step], &[life; 40]);
            model.write(&mut batch, 7, usize::from(life) * 40_000 + usize::from(step), b"patched");
            model.write(&mut batch, 7, 10, &[life, step]);
            model.write(&mut batch, 8, 0, b"dropped and made again");
            model.delete(&mut batch, 2, &[step.wrapping_sub(1)]);
            model.zero(&mut batch, 7, 40_002, 3);
            model.resize(&mut batch, 9, 100 * usize::from(step));
            model.drop_space(&mut batch, 8);
            model.write(&mut batch, 8, 3, &[9, life]);
            store.append(&batch).expect("within the limits");
            store.sync().expect("syncs");
            if step == 0 {
                store.merge_step().expect("merges");
            }
        }
        Box::new(store).close().expect("closes");
    }
    (disk, model)
}

fn read(version: u32) -> SimDisk {
    let disk = SimDisk::new();
    for entry in std::fs::read_dir(folder(version)).expect("golden files are there") {
        let entry = entry.expect("can be listed");
        let name = entry.file_name().into_string().expect("a plain name");
        disk.put(&name, std::fs::read(entry.path()).expect("can be read"));
    }
    disk
}

#[test]
fn golden_stores_of_all_versions_are_read() {
    let (_, model) = written();
    for version in 1..=FORMAT_VERSION {
        let store = open(&read(version), 3);
        assert_eq!((store.opened().sequence, store.opened().cut), (4, None), "version {version}");
        assert_eq!(Model::of(&store).expect("can be read"), model, "version {version}");
        assert_eq!(store.epochs().len(), 3);
        assert_eq!(store.check().expect("can be read").damage, []);
    }
}

#[test]
fn this_build_writes_the_golden_bytes_of_its_version() {
    let (disk, _) = written();
    assert!(
        disk.contents() == read(FORMAT_VERSION).contents(),
        "the format has changed: raise FORMAT_VERSION and keep reading the old one"
    );
}

#[test]
#[ignore = "writes the golden files of this version"]
fn golden_files_are_written() {
    let (disk, _) = written();
    std::fs::create_dir_all(folder(FORMAT_VERSION)).expect("room");
    for (name, bytes) in disk.contents() {
        std::fs::write(folder(FORMAT_VERSION).join(name), bytes).expect("room");
    }
}
