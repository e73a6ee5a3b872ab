//! Damaged images: whatever the bytes are, there is no signal, no panic, no hang, and no other cage changes.
mod kit;
#[path = "kit/world.rs"]
mod world;
use cage::heap::{Heap, seal, store};
use cage::layout::*;
use cage::value::*;
use cage::{Cage, Limits, Mem, apply_delta};
use kit::*;
use std::time::{Duration, Instant};
use world::World;

const LIMITS: Limits = Limits { heap_bytes: 64 << 20 };

/// Images of heaps that random programs left.
fn images(n: u64) -> Vec<Vec<u8>> {
    (0..n)
        .map(|seed| {
            let mut w = World::new(7_000_000 + seed, BIG_LIMIT);
            (0..200).for_each(|_| w.step());
            w.commit().unwrap_or_else(|_| w.rollback());
            w.image.clone()
        })
        .collect()
}

/// Changes some bits, words or offsets; most often where objects are.
fn damage(image: &mut [u8], rng: &mut Rng) {
    let books = rng.below(4) == 0;
    for _ in 0..1 + rng.below(24) {
        let at = rng.below(image.len() as u32) as usize;
        match rng.below(8) {
            0 => image[at] = rng.next() as u8,
            1 | 2 => {
                // a word that looks like a reference, or a header
                let v = match rng.below(4) {
                    0 => OBJ | (OLD + rng.below(1 << 19)) as u64,
                    1 => OBJ | rng.next() as u32 as u64,
                    2 => header(rng.below(12) as u8, rng.next() as u8, rng.next() as u16, rng.next() as u32),
                    _ => rng.next(),
                };
                let at = (at & !7).min(image.len() - 8);
                image[at..at + 8].copy_from_slice(&v.to_le_bytes());
            }
            3 if books => {
                // bookkeeping of the allocator or of a region
                let at = if rng.below(2) == 0 { 32 + rng.below(64) as usize } else { 128 + rng.below(160) as usize };
                if at < image.len() {
                    image[at] ^= 1 << rng.below(8);
                }
            }
            _ => image[at] ^= 1 << rng.below(8),
        }
    }
}

/// What an interpreter would do with such a heap: follow words, store through them, allocate.
fn wander(heap: &mut Heap, mem: Mem, rng: &mut Rng) {
    let mut v = OBJ | OLD as u64;
    for _ in 0..200 {
        let off = v as u32;
        let slot = off.wrapping_add(8 * rng.below(8));
        match rng.below(8) {
            0 => heap.write(mem, slot, v),
            1 => {
                if store(mem, slot, int(1)).is_none() {
                    heap.write_slow(mem, slot, int(1));
                }
            }
            2 => heap.dirty(mem, slot, rng.below(600)),
            3 => heap.copy_values(mem, off, slot, rng.below(100)),
            4 => {
                if let Ok(at) = heap.alloc_native(mem, 8 * (1 + rng.below(40))) {
                    heap.write(mem, at, header(VEC, 0, 0, 1));
                    heap.write(mem, at + 8, v);
                    heap.write(mem, slot, obj(at));
                }
            }
            5 => {
                let _ = heap.alloc_old(mem, rng.below(40_000));
            }
            _ => v = mem.r64(slot, 0),
        }
        if rng.below(20) == 0 {
            v = OBJ | OLD as u64;
        }
        heap.use_stack(STACK + 8 * 16);
        mem.w64(STACK + 8 * rng.below(16), 0, v);
    }
}

fn run_on(image: &[u8], rng: &mut Rng) -> bool {
    let cage = Cage::new().unwrap();
    let Ok(mut heap) = Heap::load(&cage, image, &KINDS, LIMITS) else { return false };
    let mem = cage.mem();
    let _ = heap.verify(mem);
    let mut extra = [OBJ | OLD as u64, mem.r64(OLD + 8, 0)];
    let mut now = image.to_vec();
    for _ in 0..4 {
        wander(&mut heap, mem, rng);
        let end = STACK + 8 * 16;
        let done = match rng.below(4) {
            0 => heap.collect_full(mem, end, &mut extra),
            1 => {
                heap.request_mark();
                heap.collect(mem, end, &mut extra)
            }
            _ => heap.collect(mem, end, &mut extra),
        };
        wander(&mut heap, mem, rng);
        let _ = heap.verify(mem);
        if done.is_ok() && heap.turn_end(mem, &mut extra).is_ok() && rng.below(4) > 0 {
            let mut delta = Vec::new();
            heap.delta(mem, &mut delta);
            let _ = apply_delta(&mut now, &delta);
            let _ = heap.mark_step(mem, &mut extra, rng.below(100_000) as u64);
        } else {
            heap.rollback(mem);
            extra = [UNDEF; 2];
        }
        let _ = heap.stats();
    }
    heap.commit(mem);
    let again = heap.save(mem);
    Heap::load(&Cage::new().unwrap(), &again, &KINDS, LIMITS).expect("a saved image can be loaded");
    true
}

fn fuzz(from: u64, n: u64) {
    let images = images(12);
    let neighbour = Cage::new().unwrap();
    let mut beside = heap(&neighbour, BIG_LIMIT);
    let v = vec(&mut beside, neighbour.mem(), 100);
    beside.write(neighbour.mem(), root(0), obj(v));
    beside.turn_end(neighbour.mem(), &mut []).unwrap();
    beside.commit(neighbour.mem());
    let before = beside.save(neighbour.mem());
    let (mut opened, mut slowest) = (0, Duration::ZERO);
    for seed in from..from + n {
        let mut rng = Rng::new(seed);
        let mut image = images[seed as usize % images.len()].clone();
        damage(&mut image, &mut rng);
        if seed.is_multiple_of(64) && image != images[seed as usize % images.len()] {
            let cage = Cage::new().unwrap();
            match Heap::load(&cage, &image, &KINDS, LIMITS) {
                Err(e) => assert!(e.to_string().contains(e.remedy())),
                // bytes between the parts
                Ok(heap) => assert!(heap.save(cage.mem()) == images[seed as usize % images.len()], "the checksums see it"),
            }
        }
        seal(&mut image);
        let t = Instant::now();
        let done = std::panic::catch_unwind(|| run_on(&image, &mut rng.clone()));
        slowest = slowest.max(t.elapsed());
        match done {
            Ok(ok) => opened += ok as u64,
            Err(_) => panic!("a panic escaped: seed {seed}"),
        }
        assert!(t.elapsed() < Duration::from_secs(1), "seed {seed} took {:?}", t.elapsed());
    }
    assert_eq!(beside.save(neighbour.mem()), before, "the neighbour changed");
    assert!(opened > n / 4, "{opened} of {n} opened");
    println!("{opened} of {n} damaged images opened, the slowest took {slowest:?}");
}

#[test]
fn damaged_images_harm_nobody() {
    fuzz(0, 10_000);
}

#[test]
#[ignore = "a million images, or $CAGE_IMAGES"]
fn many_damaged_images_harm_nobody() {
    let n = std::env::var("CAGE_IMAGES").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    fuzz(1 << 32, n);
}

#[test]
fn any_bytes_as_image_or_delta_give_an_error() {
    let image = &images(1)[0];
    let cage = Cage::new().unwrap();
    for len in (0..image.len()).step_by(997) {
        let e = Heap::load(&cage, &image[..len], &KINDS, LIMITS).unwrap_err();
        assert!(!e.remedy().is_empty() && e.to_string().starts_with(e.code()));
    }
    let mut rng = Rng::new(3);
    for _ in 0..2000 {
        let mut bytes = vec![0; rng.below(400) as usize];
        bytes.iter_mut().for_each(|b| *b = if rng.below(2) == 0 { rng.below(5) as u8 } else { rng.next() as u8 });
        assert!(Heap::load(&cage, &bytes, &KINDS, LIMITS).is_err());
        let mut copy = image.clone();
        let _ = apply_delta(&mut copy, &bytes);
    }
}
