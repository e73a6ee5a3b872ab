//! Evacuation of the nursery, at safepoints and at turn ends.
mod kit;
use cage::layout::*;
use cage::value::*;
use cage::{Cage, HeapFull, Limits};
use kit::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[test]
fn survivors_of_a_turn_are_old_and_whole() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, BIG_LIMIT);
    let a = vec(&mut heap, mem, 3);
    let b = vec(&mut heap, mem, 1);
    heap.write(mem, a + 8, obj(b));
    heap.write(mem, a + 16, int(7));
    heap.write(mem, b + 8, obj(a)); // a cycle
    heap.write(mem, root(0), obj(a));
    let mut extra = [obj(b)];
    heap.turn_end(mem, &mut extra).unwrap();
    let v = mem.r64(root(0), 0);
    assert!(is_obj(v) && v as u32 >= OLD);
    assert_eq!(get(mem, v, 1), int(7));
    assert_eq!(get(mem, v, 0), extra[0]);
    assert_eq!(get(mem, extra[0], 0), v);
    assert_eq!(heap.nur, NURSERY);
}

#[test]
fn mid_turn_survivors_age_once_and_are_then_promoted() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, BIG_LIMIT);
    let a = vec(&mut heap, mem, 2);
    mem.w64(STACK, 0, obj(a));
    heap.write(mem, root(1), obj(a));
    mem.w64(STACK + 8, 0, 0x1_0000_0123); // a return word is no reference
    mem.w64(STACK + 16, 0, obj(a)); // above the live frame: stale
    heap.collect(mem, STACK + 16, &mut []).unwrap();
    let v = mem.r64(STACK, 0);
    assert!((v as u32) < OLD && v as u32 != a, "aged, not promoted");
    assert_eq!(mem.r64(root(1), 0), v, "a remembered slot follows and stays remembered");
    assert_eq!(mem.r64(STACK + 8, 0), 0x1_0000_0123);
    assert_eq!(mem.r64(STACK + 16, 0), 0, "stale words are gone");
    heap.collect(mem, STACK + 16, &mut []).unwrap();
    let v = mem.r64(STACK, 0);
    assert!(v as u32 >= OLD);
    assert_eq!(mem.r64(root(1), 0), v);
}

#[test]
fn the_stack_is_zeroed_as_far_as_it_was_used() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, BIG_LIMIT);
    heap.use_stack(STACK + 9000);
    assert!(heap.frames_below > FRAMES && heap.frames_below + WINDOW <= STACK + 9000);
    let a = vec(&mut heap, mem, 2);
    for at in [FRAMES, STACK + 4000, STACK + 8992] {
        mem.w64(at, 0, obj(a));
    }
    heap.collect(mem, FRAMES + 8, &mut []).unwrap();
    assert_ne!(mem.r64(FRAMES, 0), obj(a), "it has moved");
    assert_eq!((mem.r64(STACK + 4000, 0), mem.r64(STACK + 8992, 0)), (0, 0));
    assert!(heap.frames_below <= FRAMES + 8, "what is used from now on is to be said anew");
    heap.turn_end(mem, &mut []).unwrap();
    heap.commit(mem);
    assert_eq!(heap.verify(mem), Ok(()));
    mem.w64(STACK + 4000, 0, 1);
    assert!(heap.verify(mem).is_err(), "a word was written that nobody spoke of");
}

#[test]
fn words_are_stored_through_the_barrier() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, BIG_LIMIT);
    let image = heap.save(mem);
    // across two blocks of old space: what stands there already, a number, something young
    let (a, from, to) = (vec(&mut heap, mem, 1), vec(&mut heap, mem, 4), root(28));
    for (i, v) in [mem.r64(to, 0), int(5), obj(a), TRUE].into_iter().enumerate() {
        mem.w64(from + 8 + 8 * i as u32, 0, v);
    }
    heap.write_words(mem, from + 8, to, 4);
    let end = heap.turn_end(mem, &mut []).unwrap();
    assert!(end.survivors > 0 && (1..=2).contains(&end.dirty_blocks));
    let v = mem.r64(to + 16, 0);
    assert!(is_obj(v) && v as u32 >= OLD, "the young one was remembered");
    assert_eq!((mem.r64(to + 8, 0), mem.r64(to + 24, 0)), (int(5), TRUE));
    heap.rollback(mem);
    assert_eq!(heap.save(mem), image, "and all of it can be undone");
    // what leaves the heap has no effect
    heap.write_words(mem, from, u32::MAX - 15, 4);
    heap.write_words(mem, from, OLD + (1 << 30), 1000);
    assert_eq!(heap.save(mem), image);
}

#[test]
fn native_frames_grow_the_nursery_and_the_limit_ends_it() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, Limits { heap_bytes: 8 << 20 });
    let mut list = UNDEF;
    let mut n = 0;
    let end = loop {
        match heap.alloc_native(mem, 72) {
            Ok(at) => {
                mem.w64(at, 0, header(VEC, 0, 0, 8));
                (0..8).for_each(|i| mem.w64(at + 8 + 8 * i, 0, list));
                list = obj(at);
                n += 1;
            }
            Err(e) => break e,
        }
    };
    assert_eq!(end, HeapFull);
    assert!(n > 7 * (1 << 20) / 72, "{n}");
    heap.rollback(mem);
    assert_eq!(heap.nur, NURSERY);
    assert_eq!(mem.r64(NURSERY2, 0), 0, "chunks are given back");
    assert!(heap.alloc(64).is_some());
}

/// Sixteen MiB of young vectors: half of them a list, half of them held by an old vector.
fn much_young(heap: &mut cage::heap::Heap, mem: cage::Mem) {
    const N: u32 = (8 << 20) / 72;
    let old = heap.alloc_old(mem, 8 + 8 * N).unwrap();
    heap.write(mem, old, header(VEC, 0, 0, N));
    let mut list = UNDEF;
    for i in 0..N {
        let (link, held) = (vec(heap, mem, 8), vec(heap, mem, 8));
        heap.write(mem, link + 8, list);
        list = obj(link);
        heap.write(mem, held + 8, int(i as i32));
        heap.write(mem, old + 8 + 8 * i, obj(held));
    }
    heap.write(mem, root(0), obj(old));
    mem.w64(STACK, 0, list);
}

#[test]
fn a_long_evacuation_asks_and_can_be_given_up() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, BIG_LIMIT);
    let image = heap.save(mem);
    let asked = Arc::new(AtomicU32::new(0));
    // in the list, in what the old vector holds, while memory is given back, never
    for (gives_up_at, at_end) in [(1, false), (2, true), (40, false), (64, false), (u32::MAX, false), (u32::MAX, true)] {
        asked.store(0, Ordering::Relaxed);
        let count = asked.clone();
        heap.ask(Box::new(move || count.fetch_add(1, Ordering::Relaxed) + 1 < gives_up_at));
        much_young(&mut heap, mem);
        let done = if at_end { heap.turn_end(mem, &mut []).map(drop) } else { heap.collect(mem, STACK + 8, &mut []) };
        let asked = asked.load(Ordering::Relaxed);
        if gives_up_at == u32::MAX {
            assert_eq!(done, Ok(()));
            assert!(if at_end { 30..45 } else { 60..80 }.contains(&asked), "{asked}");
            heap.verify(mem).unwrap();
            let old = mem.r64(root(0), 0);
            assert!((0..100_000).all(|i| get(mem, get(mem, old, i), 0) == int(i as i32)));
        } else {
            assert_eq!(done, Err(HeapFull), "{gives_up_at}");
            assert!((gives_up_at..gives_up_at + 4).contains(&asked), "{gives_up_at}: {asked}");
        }
        heap.rollback(mem);
        assert_eq!(heap.save(mem), image, "{gives_up_at}");
        heap.verify(mem).unwrap();
    }
}

#[test]
fn a_long_list_survives_many_collections() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, BIG_LIMIT);
    mem.w64(STACK, 0, UNDEF);
    const N: i32 = 100_000;
    for i in 0..N {
        let at = loop {
            match heap.alloc(24) {
                Some(at) => break at,
                None => heap.collect(mem, STACK + 8, &mut []).unwrap(),
            }
        };
        mem.w64(at, 0, header(VEC, 0, 0, 2));
        mem.w64(at, 8, int(i));
        mem.w64(at, 16, mem.r64(STACK, 0));
        mem.w64(STACK, 0, obj(at));
    }
    assert!(heap.collections() > 2);
    let mut v = mem.r64(STACK, 0);
    for i in (0..N).rev() {
        assert_eq!(get(mem, v, 0), int(i));
        v = get(mem, v, 1);
    }
    assert_eq!(v, UNDEF);
}

#[test]
fn ephemerons_and_weak_slots_in_the_nursery() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, BIG_LIMIT);
    // A chain: table (k0 -> k1), (k1 -> k2), …; only k0 is held otherwise.
    const N: u32 = 500;
    let keys: Vec<u32> = (0..N + 2)
        .map(|i| {
            let at = vec(&mut heap, mem, 1);
            heap.write(mem, at + 8, int(i as i32));
            at
        })
        .collect();
    let table = heap.alloc_native(mem, 8 + 8 + 16 * (N + 1)).unwrap();
    heap.write(mem, table, header(EPH, 0, 0, 1 + 2 * (N + 1)));
    heap.write(mem, table + 8, 0);
    for i in 0..N {
        let pair = table + 16 + 16 * (N - 1 - i); // worst order
        heap.write(mem, pair, obj(keys[i as usize]));
        heap.write(mem, pair + 8, obj(keys[i as usize + 1]));
    }
    let last = table + 16 + 16 * N;
    heap.write(mem, last, obj(keys[N as usize + 1])); // held by nothing
    heap.write(mem, last + 8, obj(keys[0]));
    let weak = heap.alloc(24).unwrap();
    mem.w64(weak, 0, header(WEAK, 0, 0, 2));
    mem.w64(weak, 8, obj(keys[1]));
    mem.w64(weak, 16, obj(keys[N as usize + 1]));
    heap.write(mem, root(0), obj(table));
    heap.write(mem, root(1), obj(weak));
    let mut extra = [obj(keys[0])];
    heap.turn_end(mem, &mut extra).unwrap();
    let (table, weak) = (mem.r64(root(0), 0), mem.r64(root(1), 0));
    for i in 0..N {
        let k = get(mem, table, 1 + 2 * (N - 1 - i));
        assert_eq!(get(mem, k, 0), int(i as i32));
        assert_eq!(get(mem, get(mem, table, 2 + 2 * (N - 1 - i)), 0), int(i as i32 + 1));
    }
    assert_eq!(get(mem, get(mem, weak, 0), 0), int(1));
    assert_eq!(get(mem, weak, 1), TOMB);
    assert_eq!(get(mem, table, 1 + 2 * N), TOMB);
    assert_eq!(get(mem, table, 2 + 2 * N), UNDEF);
}

#[test]
fn an_old_table_does_not_keep_young_keys() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, BIG_LIMIT);
    // One table promoted, one laid into old space at once; both outlive the turn.
    let small = heap.alloc(8 + 8 + 16 * 4).unwrap();
    let large = heap.alloc_native(mem, 8 + 8 + 16 * 600).unwrap();
    assert!(small < OLD && large >= OLD);
    for (table, n) in [(small, 4), (large, 600)] {
        heap.write(mem, table, header(EPH, 0, 0, 1 + 2 * n));
        (0..2 * n + 1).for_each(|i| heap.write(mem, table + 8 + 8 * i, UNDEF));
    }
    heap.write(mem, root(0), obj(small));
    heap.write(mem, root(1), obj(large));
    heap.turn_end(mem, &mut []).unwrap();
    heap.commit(mem);
    let before = heap.live_bytes();
    for turn in 0..100 {
        for i in 0..2 {
            let table = mem.r64(root(i), 0) as u32;
            let (dead, live) = (vec(&mut heap, mem, 8), vec(&mut heap, mem, 1));
            heap.write(mem, table + 16, obj(dead));
            heap.write(mem, table + 24, obj(dead)); // the value names its key: still dead
            heap.write(mem, table + 32, obj(live));
            heap.write(mem, table + 40, int(turn));
            heap.write(mem, root(2 + i), obj(live));
        }
        heap.turn_end(mem, &mut []).unwrap();
        heap.commit(mem);
        heap.verify(mem).unwrap();
        for i in 0..2 {
            let table = mem.r64(root(i), 0);
            assert_eq!(get(mem, table, 1), TOMB);
            assert_eq!(get(mem, table, 2), UNDEF);
            assert_eq!(get(mem, table, 3), mem.r64(root(2 + i), 0));
            assert_eq!(get(mem, table, 4), int(turn));
        }
    }
    assert!(heap.live_bytes() <= before + 100 * 2 * 16 + 512, "only the live keys stay");
}

#[test]
fn no_collection_does_much_at_once_beside_a_large_heap_that_changes() {
    const LISTS: u32 = 60;
    const EACH: u32 = 10_000;
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, BIG_LIMIT);
    let safe = |heap: &mut cage::heap::Heap| {
        if heap.nur_end - heap.nur < 4096 || heap.wants_collect() {
            heap.collect(mem, STACK, &mut []).unwrap();
        }
    };
    for list in 0..LISTS {
        let at = vec(&mut heap, mem, EACH);
        heap.write(mem, root(list), obj(at));
    }
    let mut rng = Rng::new(7);
    for _ in 0..3 * LISTS * EACH {
        let v = vec(&mut heap, mem, 5);
        let (list, i) = (rng.below(LISTS), rng.below(EACH));
        let at = mem.r64(root(list), 0) as u32;
        heap.write(mem, at + 8 + 8 * i, obj(v));
        safe(&mut heap);
    }
    let stats = heap.stats();
    assert!(stats.marks >= 2 && stats.old_bytes > 24 << 20, "{stats:?}");
    // a full nursery, one step, one attempt to end the mark, and the last object of each
    let bound = (NURSERY_END - NURSERY) as u64 + (1 << 20) + (1 << 20) + (64 << 10);
    assert!(stats.most_work <= bound, "{} > {bound}", stats.most_work);
}
