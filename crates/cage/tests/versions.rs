#![forbid(unsafe_code)]
//! Images of earlier versions are read.
mod kit;
use cage::{Base, Cage, Heap, ImageError};
use kit::*;

const HEADER: usize = 128;
const ENTRY: usize = 160;
const ENTRIES_AT: usize = 4096;
const LINES: usize = 32 << 10;
const GROUP: usize = 179;

/// An image of version 1 with what is in this one: each entry stands before its region's lines, the first one after the header.
fn version_1(image: &[u8], regions: usize) -> Vec<u8> {
    let mut old = image[..HEADER].to_vec();
    old[8] = 1;
    let sum = crc32c::crc32c(&old[..HEADER - 4]).to_le_bytes();
    old[HEADER - 4..].copy_from_slice(&sum);
    for r in 0..regions {
        let (group, within) = (r / GROUP * (GROUP + 1) * LINES, r % GROUP);
        old.extend_from_slice(&image[group + ENTRIES_AT + within * ENTRY..][..ENTRY]);
        old.extend_from_slice(&image[group + (1 + within) * LINES..][..LINES]);
    }
    old
}

#[test]
fn an_image_of_version_1_is_read_and_saved_as_one_of_today() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, BIG_LIMIT);
    // more than one table tells of
    for i in 0..30 {
        let v = vec(&mut heap, mem, 30_000);
        heap.write(mem, v + 8, cage::value::int(i));
        heap.write(mem, root(i as u32), obj(v));
        heap.turn_end(mem, &mut []).unwrap();
        heap.commit(mem);
    }
    let regions = heap.stats().regions as usize;
    assert!(regions > GROUP, "{regions}");
    let image = heap.save(mem);
    let old = version_1(&image, regions);
    assert_ne!(old.len(), image.len());

    let there = Cage::new().unwrap();
    let loaded = Heap::load(&there, &old, &KINDS, BIG_LIMIT).unwrap();
    loaded.verify(there.mem()).unwrap();
    assert!(loaded.save(there.mem()) == image, "saved as an image of today");
    let base = Base::new(&old).unwrap();
    assert_eq!(base.len(), Base::new(&image).unwrap().len());

    // by table it cannot be read
    let (length, read) = (old.len() as u64, old.clone());
    let read: cage::heap::Read = std::sync::Arc::new(move |at, to| {
        to.copy_from_slice(&read[at as usize..][..to.len()]);
        Ok(())
    });
    let found = Heap::load_at_touch(&mut Cage::new().unwrap(), &base, length, read, &KINDS, BIG_LIMIT);
    assert!(matches!(found, Err(ImageError::Version { found: 1 })));

    // what was damaged is noticed as in an image of today
    let mut damaged = old.clone();
    damaged[HEADER + ENTRY + 100] ^= 1;
    let refused = Heap::load(&Cage::new().unwrap(), &damaged, &KINDS, BIG_LIMIT);
    assert!(matches!(refused, Err(ImageError::Checksum { region: Some(0) })));
}
