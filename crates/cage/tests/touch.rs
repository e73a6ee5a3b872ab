#![forbid(unsafe_code)]
//! Heaps of which only what is touched is read.
mod kit;
use cage::heap::Read;
use cage::layout::OLD;
use cage::{Base, Cage, Heap, ImageError};
use kit::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Said where the system tells of no touches: then heaps are loaded whole, and nothing here can be tried.
fn is_there() -> bool {
    let there = cage::touch::is_there();
    if !there {
        println!("not tried: this system tells of no touches");
    }
    there
}

/// An image with many vectors of which the root knows, and one of them far from the others.
fn large() -> (Vec<u8>, Vec<u32>) {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, BIG_LIMIT);
    for i in 0..8 {
        let v = vec(&mut heap, mem, 60_000);
        heap.write(mem, v + 8, cage::value::int(i));
        heap.write(mem, root(i as u32), obj(v));
        heap.turn_end(mem, &mut []).unwrap();
        heap.commit(mem);
    }
    let at = (0..8).map(|i| mem.r64(root(i), 0) as u32).collect();
    (heap.save(mem), at)
}

fn open(image: &[u8], spoiled: Option<usize>) -> (Result<Heap, ImageError>, Cage, Arc<AtomicUsize>) {
    let (image, count): (Arc<[u8]>, Arc<AtomicUsize>) = (image.into(), Arc::default());
    let (length, counts) = (image.len() as u64, count.clone());
    let read: Read = Arc::new(move |at, to| {
        counts.fetch_add(to.len(), Ordering::Relaxed);
        if spoiled.is_some_and(|s| s >= at as usize && s < at as usize + to.len()) {
            return Err("spoiled".to_owned());
        }
        to.copy_from_slice(&image[at as usize..][..to.len()]);
        Ok(())
    });
    let empty = Cage::new().unwrap();
    let base = Base::new(&heap(&empty, BIG_LIMIT).save(empty.mem())).unwrap();
    let mut cage = Cage::new().unwrap();
    let heap = Heap::load_at_touch(&mut cage, &base, length, read, &KINDS, BIG_LIMIT);
    (heap, cage, count)
}

#[test]
fn only_what_is_touched_is_read() {
    if !is_there() {
        return;
    }
    let (image, at) = large();
    let (heap, cage, read) = open(&image, None);
    let (heap, mem) = (heap.unwrap(), cage.mem());
    let before = read.load(Ordering::Relaxed);
    assert!(before < 128 << 10, "{before} bytes to begin with");
    assert_eq!(mem.r64(at[3], 8), cage::value::int(3));
    assert_eq!(mem.r64(at[3] + 40_000, 0), cage::value::UNDEF);
    let after = read.load(Ordering::Relaxed) - before;
    assert!(after == 64 << 10, "{after} bytes for two places");
    assert!(heap.save(mem) == image && cage.absent().unwrap().left() == 0);
    let (heap, cage, _) = open(&image, None);
    heap.unwrap().verify(cage.mem()).unwrap();
}

#[test]
fn what_cannot_be_read_is_zeros_and_is_told() {
    if !is_there() {
        return;
    }
    let (image, at) = large();
    // in an image of one table the lines follow it
    let (heap, cage, _) = open(&image, Some(at[5] as usize - OLD as usize + (32 << 10) + 100));
    heap.unwrap();
    let mem = cage.mem();
    assert_eq!((mem.r64(at[1], 8), cage.absent().unwrap().failed()), (cage::value::int(1), None));
    assert_eq!(mem.r64(at[5], 8), 0);
    assert_eq!(cage.absent().unwrap().failed().as_deref(), Some("spoiled"));
    let (heap, ..) = open(&image, Some(5000));
    assert!(matches!(heap, Err(ImageError::Read(why)) if why == "spoiled"));
}

#[test]
fn damaged_tables_are_refused_or_harmless() {
    if !is_there() {
        return;
    }
    let (image, _) = large();
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let mut image = image.clone();
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(9000) as usize;
            image[at] ^= 1 << rng.below(8);
        }
        let (heap, cage, _) = open(&image, None);
        if let Ok(mut heap) = heap {
            let mem = cage.mem();
            let v = vec(&mut heap, mem, 500);
            heap.write(mem, root(1), obj(v));
            let _ = heap.turn_end(mem, &mut []);
            heap.commit(mem);
        }
    }
}
