//! Fuzz targets: files of a store that were damaged, and frames of a log that nobody wrote.
use crate::disk::{Random, SimDisk};
use crate::frame::{FRAME_HEAD_BYTES, FrameHead, KIND_BATCHES, SEGMENT_HEAD_BYTES, padded, put_frame};
use crate::suite::Model;
use crate::{ErrorKind, FileStore, Opening, Options, Result, Store};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// Takes an input; a panic is a finding.
pub type Target = fn(&[u8]);
/// Name and function; `cargo xtask fuzz` runs them, the tests run their corpora.
pub const TARGETS: &[(&str, Target)] = &[("files", files), ("frame", frame)];

fn open(disk: &SimDisk) -> Result<FileStore> {
    let opening = Opening { identity: [3; 32], random: [1; 32] };
    FileStore::open(Arc::new(disk.clone()), opening, Options { segment_bytes: 64 << 10, ..Options::default() })
}

/// Files by name, and models.
type Made = (BTreeMap<String, Vec<u8>>, Vec<Model>);

/// The files of a small store that was closed, part of it merged, and what it held after each batch.
fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let (disk, mut model, mut random) = (SimDisk::new(), Model::default(), Random(9));
        let mut models = vec![model.clone()];
        let store = open(&disk).expect("opens");
        for round in 0..12 {
            store.append(&model.random_batch(&mut random)).expect("within the limits");
            store.sync().expect("syncs");
            models.push(model.clone());
            if round == 5 {
                store.merge_step().expect("merges");
            }
        }
        Box::new(store).close().expect("closes");
        (disk.contents(), models)
    })
}

fn disk_with(files: &BTreeMap<String, Vec<u8>>) -> SimDisk {
    let disk = SimDisk::new();
    files.iter().for_each(|(name, bytes)| disk.put(name, bytes.clone()));
    disk
}

/// `bytes`: changes, each a file, a kind, a place (u24), a length and so many bytes. A store that opens holds what it held (or what it
/// held earlier, if its log was cut off), or says of what it lacks that it is damaged.
pub fn files(mut bytes: &[u8]) {
    let (pristine, models) = made();
    let (mut files, mut shorter) = (pristine.clone(), false);
    while let [which, kind, a, b, c, length, rest @ ..] = bytes {
        let (new, rest) = rest.split_at((*length as usize).min(rest.len()));
        bytes = rest;
        let n = *which as usize % files.len();
        let Some(file) = files.values_mut().nth(n) else { return };
        let at = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
        let at = if file.is_empty() { 0 } else { at % file.len() };
        match kind % 4 {
            0 | 1 => file.iter_mut().skip(at).zip(new).for_each(|(old, new)| *old = *new),
            2 => {
                file.truncate(at);
                shorter = true;
            }
            _ => file.extend_from_slice(new),
        }
    }
    let disk = disk_with(&files);
    let store = match open(&disk) {
        Ok(store) => store,
        Err(e) => return assert!(!e.cause().is_empty() && !e.remedy().is_empty()),
    };
    // the end of a log that was taken away looks like a log that ended there
    let may_be_older = shorter || store.opened().cut.is_some();
    match Model::of(&store) {
        Ok(found) if may_be_older => assert!(models.contains(&found), "what was never there"),
        Ok(found) => assert!(models.last() == Some(&found), "damage passes"),
        Err(e) => assert_eq!(e.kind(), ErrorKind::Damaged),
    }
    store.check().expect("can be read");
}

/// A log whose last frame has a right checksum and any body. `bytes`: its kind, how many batches it says it has, the body.
pub fn frame(bytes: &[u8]) {
    let [kind, batches, body @ ..] = bytes else { return };
    let mut files = made().0.clone();
    let mut last: Option<(String, usize, FrameHead)> = None;
    for (name, log) in files.iter().filter(|f| f.0.starts_with("log-")) {
        let mut at = SEGMENT_HEAD_BYTES;
        while let Some(head) = log.get(at..).and_then(FrameHead::read) {
            at += padded(head.length as usize);
            if last.as_ref().is_none_or(|l| l.2.number < head.number) {
                last = Some((name.clone(), at, head));
            }
        }
    }
    let (name, at, before) = last.expect("the store has a log");
    let Some(log) = files.get_mut(&name) else { return };
    let whole = before.kind == KIND_BATCHES;
    let sequence = before.sequence + if whole { u64::from(before.batches) } else { 0 };
    let head = FrameHead {
        length: (FRAME_HEAD_BYTES + body.len()) as u32,
        crc: 0,
        number: before.number + 1,
        sequence,
        synced: before.number,
        before: before.crc,
        batches: u32::from(*batches),
        kind: u32::from(*kind % 3),
        ..before
    };
    let mut forged = Vec::new();
    put_frame(&mut forged, &head, body);
    if at + forged.len() > log.len() {
        log.resize(at + forged.len(), 0);
    }
    log[at..at + forged.len()].copy_from_slice(&forged);
    let disk = disk_with(&files);
    match open(&disk) {
        Ok(store) => {
            // a space may be said to be larger than memory should be
            let small = store.spaces().iter().all(|s| store.length(*s).is_none_or(|n| n < 1 << 20));
            // patches are read when they are needed
            let refused = |e: &crate::Error| matches!(e.kind(), ErrorKind::Damaged | ErrorKind::Corrupt);
            if small && let Err(e) = Model::of(&store) {
                assert!(refused(&e), "{e}");
            }
            if let Err(e) = store.check() {
                assert!(refused(&e), "{e}");
            }
        }
        Err(e) => assert!(!e.cause().is_empty() && !e.remedy().is_empty()),
    }
}

#[cfg(test)]
#[path = "../../../fuzz/corpus.rs"]
mod corpus;

#[test]
fn corpora() {
    corpus::run(TARGETS);
}
