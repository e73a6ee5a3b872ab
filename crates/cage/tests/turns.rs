//! Turns: what a delta says, what rollback restores, what limits do.
mod kit;
#[path = "kit/world.rs"]
mod world;
use cage::heap::{Heap, Tuning};
use cage::layout::*;
use cage::value::*;
use cage::{Base, Cage, HeapFull, ImageError, Limits, Mem, apply_delta};
use kit::*;
use world::World;

#[test]
fn a_turn_that_changes_one_word_has_a_delta_of_38_bytes() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, BIG_LIMIT);
    let mut image = heap.save(mem);
    heap.write(mem, root(3), int(5));
    heap.write(mem, root(60), TRUE); // another block, not changed in fact
    heap.write(mem, root(60), UNDEF);
    heap.write(mem, root(63), UNDEF); // a third one, which holds that already: it stays clean
    let end = heap.turn_end(mem, &mut []).unwrap();
    assert_eq!((end.dirty_blocks, end.changed_regions, end.survivors), (2, 0, 0));
    let mut delta = Vec::new();
    let st = heap.delta(mem, &mut delta);
    assert_eq!((st.bytes, st.blocks, delta.len()), (38, 1, 38));
    apply_delta(&mut image, &delta).unwrap();
    assert_eq!(image, heap.save(mem));
    assert_eq!(heap.delta(mem, &mut delta).bytes, 0, "nothing happened since");
}

#[test]
fn a_delta_that_does_not_fit_is_refused() {
    let cage = Cage::new().unwrap();
    let mut heap = heap(&cage, BIG_LIMIT);
    let image = heap.save(cage.mem());
    let mut delta = Vec::new();
    heap.write(cage.mem(), root(0), TRUE);
    heap.delta(cage.mem(), &mut delta);
    for len in 1..delta.len() {
        let e = apply_delta(&mut image.clone(), &delta[..len]).unwrap_err();
        assert!(matches!(e, ImageError::Delta { .. }), "{e}");
    }
    delta[3] = 0x7F; // a region the image does not have
    assert_eq!(apply_delta(&mut image.clone(), &delta).unwrap_err().code(), "CAGE-007");
}

#[test]
fn rollback_restores_what_a_mid_turn_collection_freed_and_gave_to_others() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, BIG_LIMIT);
    for i in 0..40 {
        let a = vec(&mut heap, mem, 900);
        heap.write(mem, a + 8, int(i));
        heap.write(mem, root(i as u32), obj(a));
    }
    heap.turn_end(mem, &mut []).unwrap();
    heap.commit(mem);
    let before = heap.save(mem);
    (0..40).for_each(|i| heap.write(mem, root(i), UNDEF));
    heap.collect_full(mem, STACK, &mut []).unwrap();
    assert!(heap.live_bytes() < 2000, "all is free: {}", heap.live_bytes());
    for i in 0..60 {
        let a = vec(&mut heap, mem, 900);
        heap.write(mem, root(i), obj(a));
        if i % 7 == 0 {
            heap.collect(mem, STACK, &mut []).unwrap();
        }
    }
    heap.collect(mem, STACK, &mut []).unwrap();
    heap.collect(mem, STACK, &mut []).unwrap();
    heap.rollback(mem);
    heap.verify(mem).unwrap();
    assert_eq!(before, heap.save(mem));
}

#[test]
fn five_percent_are_kept_and_four_fifths_are_told() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, Limits { heap_bytes: 4 << 20 });
    assert!(!heap.near_limit());
    let fill = |heap: &mut Heap| while heap.alloc_old(mem, 8000).is_ok() {};
    fill(&mut heap);
    let used = heap.heap_bytes();
    assert!(used > (4 << 20) * 9 / 10 && used <= (4 << 20) * 95 / 100, "{used}");
    assert!(heap.near_limit());
    heap.set_reserve(true);
    fill(&mut heap);
    let used = heap.heap_bytes();
    assert!(used > (4 << 20) * 97 / 100 && used <= 4 << 20, "{used}");
    heap.rollback(mem);
    assert!(heap.heap_bytes() < 4096 && !heap.near_limit());
}

#[test]
fn undo_copies_count_as_heap() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, Limits { heap_bytes: 4 << 20 });
    let n = 300_000;
    let table = heap.alloc_old(mem, 8 + 8 * n).unwrap();
    heap.write(mem, table, header(VEC, 0, 0, n));
    heap.write(mem, root(0), obj(table));
    heap.turn_end(mem, &mut []).unwrap();
    heap.commit(mem);
    let before = heap.save(mem);
    (0..n).for_each(|i| heap.write(mem, table + 8 + 8 * i, int(1)));
    assert_eq!(heap.collect(mem, STACK, &mut []), Err(HeapFull));
    heap.rollback(mem);
    assert_eq!(before, heap.save(mem));
    heap.turn_end(mem, &mut []).unwrap();
}

/// A heap knows an object of its base by its offset: it never moves, and no other ever lies there.
#[test]
fn what_the_base_holds_stays() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut first = heap(&cage, BIG_LIMIT);
    for i in 0..50 {
        let a = vec(&mut first, mem, 200);
        first.write(mem, a + 8, int(i));
        first.write(mem, root(i as u32), obj(a));
    }
    first.turn_end(mem, &mut []).unwrap();
    first.commit(mem);
    let base = Base::new(&first.save(mem)).unwrap();
    let at: Vec<u32> = (0..50).map(|i| mem.r64(root(i), 0) as u32).collect();
    let mut cages = [Cage::new().unwrap(), Cage::new().unwrap()];
    let [one, two] = &mut cages;
    let mut heap = Heap::on_base(one, &base, &KINDS, BIG_LIMIT).unwrap();
    let churn = |heap: &mut Heap, mem: Mem| {
        for round in 0..6 {
            // all but every tenth are let go of, one after the other
            (0..50).filter(|i| i % 10 != 0 && i % 5 <= round).for_each(|i| heap.write(mem, root(i), UNDEF));
            for i in 50..64 {
                let v = vec(heap, mem, 40 * i - 1900);
                heap.write(mem, root(i), obj(v));
            }
            // under stress all that may move does
            heap.set_stress(round % 2 == 1);
            heap.collect_full(mem, STACK, &mut []).unwrap();
            heap.turn_end(mem, &mut []).unwrap();
            heap.commit(mem);
            heap.verify(mem).unwrap();
            for (i, from) in at.iter().enumerate() {
                assert_eq!(mem.r64(*from, 8), int(i as i32), "round {round}: base object {i} is as it was");
                let own = (50..64).map(|k| mem.r64(root(k), 0) as u32).find(|o| (*from..from + 1608).contains(o));
                assert_eq!(own, None, "round {round}: in the place of base object {i}");
            }
            (0..50).step_by(10).for_each(|i| assert_eq!(mem.r64(root(i as u32), 0), obj(at[i]), "base object {i} moved"));
        }
    };
    churn(&mut heap, one.mem());
    let image = heap.save(one.mem());
    let mut woken = Heap::load_on(two, &base, &image, &KINDS, BIG_LIMIT).unwrap();
    churn(&mut woken, two.mem());
}

#[test]
fn cages_on_one_base_are_apart() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut first = heap(&cage, BIG_LIMIT);
    for i in 0..50 {
        let a = vec(&mut first, mem, 200);
        first.write(mem, a + 8, int(i));
        first.write(mem, root(i as u32), obj(a));
    }
    first.turn_end(mem, &mut []).unwrap();
    first.commit(mem);
    let image = first.save(mem);
    let base = Base::new(&image).unwrap();
    let (mut one, mut two) = (Cage::new().unwrap(), Cage::new().unwrap());
    let mut a = Heap::on_base(&mut one, &base, &KINDS, BIG_LIMIT).unwrap();
    let b = Heap::on_base(&mut two, &base, &KINDS, BIG_LIMIT).unwrap();
    let mem = one.mem();
    for i in 0..40 {
        a.write(mem, root(i), UNDEF);
    }
    a.collect_full(mem, STACK, &mut []).unwrap();
    for i in 0..30 {
        let v = vec(&mut a, mem, 500);
        a.write(mem, root(i), obj(v));
    }
    a.turn_end(mem, &mut []).unwrap();
    a.commit(mem);
    a.verify(mem).unwrap();
    assert_eq!(b.save(two.mem()), image, "the other cage on the base did not change");
    b.verify(two.mem()).unwrap();
    let changed = a.save(mem);
    let mut three = Cage::new().unwrap();
    let c = Heap::load_on(&mut three, &base, &changed, &KINDS, BIG_LIMIT).unwrap();
    c.verify(three.mem()).unwrap();
    assert_eq!(c.save(three.mem()), changed, "an image on its base is the same heap");
}

#[test]
fn the_same_operations_give_the_same_bytes() {
    for seed in 0..20 {
        let run = || {
            let mut w = World::new(9_000_000 + seed, BIG_LIMIT);
            (0..300).for_each(|_| w.step());
            w.commit().unwrap();
            (w.image.clone(), w.heap.stats())
        };
        let (a, b) = (run(), run());
        assert!(a == b, "seed {seed}");
    }
}

#[test]
fn sparse_regions_are_emptied_at_turn_ends() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, BIG_LIMIT);
    heap.tune(Tuning { move_max: 1 << 20, ..Tuning::default() });
    let n = 4000;
    let table = heap.alloc_old(mem, 8 + 8 * n).unwrap();
    heap.write(mem, table, header(VEC, 0, 0, n));
    heap.write(mem, root(0), obj(table));
    for i in 0..n {
        let v = vec(&mut heap, mem, 100);
        heap.write(mem, v + 8, int(i as i32));
        heap.write(mem, table + 8 + 8 * i, obj(v));
    }
    heap.turn_end(mem, &mut []).unwrap();
    heap.commit(mem);
    let full = heap.stats();
    // One in forty stays: about one in each region.
    (0..n).filter(|i| i % 40 != 0).for_each(|i| heap.write(mem, table + 8 + 8 * i, UNDEF));
    heap.turn_end(mem, &mut []).unwrap();
    heap.commit(mem);
    let before = heap.moved();
    for _ in 0..2 {
        heap.request_mark();
        while !heap.mark_step(mem, &mut [], 100_000).unwrap() {}
        heap.turn_end(mem, &mut []).unwrap();
        heap.commit(mem);
    }
    heap.verify(mem).unwrap();
    let now = heap.stats();
    assert!(heap.moved() > before && now.moved_bytes > 0);
    assert!(now.regions - now.free_regions < full.regions / 6, "{full:?} {now:?}");
    for i in (0..n).step_by(40) {
        assert_eq!(get(mem, mem.r64(table + 8 + 8 * i, 0), 0), int(i as i32));
    }
}

#[test]
fn a_long_turn_reuses_what_it_drops() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, Limits { heap_bytes: 12 << 20 });
    let n = 2000;
    let table = heap.alloc_old(mem, 8 + 8 * n).unwrap();
    heap.write(mem, table, header(VEC, 0, 0, n));
    heap.write(mem, root(0), obj(table));
    let mut rng = Rng::new(5);
    for i in 0..400_000u32 {
        let words = if i % 1000 == 0 { 6000 } else { 1 + rng.below(60) };
        let at = match heap.alloc(8 + 8 * words) {
            Some(at) if words < 1000 => at,
            _ => {
                heap.collect(mem, STACK, &mut []).unwrap();
                heap.alloc_native(mem, 8 + 8 * words).unwrap()
            }
        };
        heap.write(mem, at, header(VEC, 0, 0, words));
        (1..=words).for_each(|w| heap.write(mem, at + 8 * w, int(i as i32)));
        heap.write(mem, table + 8 + 8 * rng.below(n), obj(at));
    }
    assert!(heap.stats().marks > 3 && heap.heap_bytes() < 12 << 20, "{:?}", heap.stats());
    heap.verify(mem).unwrap();
    heap.turn_end(mem, &mut []).unwrap();
}

#[test]
fn ephemeron_chains_are_decided_in_linear_time() {
    let time = |n: u32| {
        let cage = Cage::new().unwrap();
        let mem = cage.mem();
        let mut heap = heap(&cage, BIG_LIMIT);
        let table = heap.alloc_old(mem, 16 + 16 * n).unwrap();
        heap.write(mem, table, header(EPH, 0, 0, 1 + 2 * n));
        heap.write(mem, root(0), obj(table));
        let first = vec(&mut heap, mem, 1);
        heap.write(mem, root(1), obj(first));
        let mut key = first;
        for i in (0..n).rev() {
            let value = vec(&mut heap, mem, 1);
            heap.write(mem, table + 16 + 16 * i, obj(key));
            heap.write(mem, table + 24 + 16 * i, obj(value));
            key = value;
        }
        heap.turn_end(mem, &mut []).unwrap();
        heap.commit(mem);
        let t = std::time::Instant::now();
        heap.collect_full(mem, STACK, &mut []).unwrap();
        let took = t.elapsed();
        assert_ne!(get(mem, mem.r64(root(0), 0), 1), TOMB, "the whole chain lives");
        heap.write(mem, root(1), UNDEF);
        heap.collect_full(mem, STACK, &mut []).unwrap();
        assert!((0..n).all(|i| mem.r64(table + 16 + 16 * i, 0) == TOMB), "the whole chain is dead");
        took
    };
    let (small, large) = (time(2_000), time(100_000));
    assert!(large < small * 50 * 20 + std::time::Duration::from_millis(200), "{small:?} {large:?}");
}

#[test]
fn large_garbage_alone_brings_collections_about() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, Limits { heap_bytes: 16 << 20 });
    for _ in 0..500 {
        // what a program does: a large array made by a native, then a small object by the interpreter
        let large = vec(&mut heap, mem, 60_000);
        mem.w64(STACK, 0, obj(large));
        if heap.alloc(32).is_none() {
            assert!(heap.wants_collect());
            let under_a_native = heap.alloc_native(mem, 64).unwrap();
            assert!(under_a_native < OLD && heap.alloc(8).is_none());
            mem.w64(under_a_native, 0, header(VEC, 0, 0, 7));
            heap.collect(mem, STACK + 8, &mut []).unwrap();
        }
    }
    assert!(heap.stats().marks > 10, "{:?}", heap.stats());
}

#[test]
fn a_reference_to_the_inside_of_a_large_object_keeps_all_of_it() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let mut heap = heap(&cage, BIG_LIMIT);
    let large = vec(&mut heap, mem, 20_000);
    let text = vec(&mut heap, mem, 3);
    heap.write(mem, large + 8 + 19_999 * 8, obj(text));
    let inside = large + 9_000 * 8;
    heap.write(mem, inside, header(VEC, 0, 0, 20_000 - 9_000));
    heap.write(mem, root(0), obj(inside));
    for round in 0..3 {
        heap.collect_full(mem, STACK, &mut []).unwrap();
        heap.turn_end(mem, &mut []).unwrap();
        heap.commit(mem);
        heap.verify(mem).unwrap_or_else(|fault| panic!("round {round}: {fault}"));
        assert_eq!(mem.r64(root(0), 0), obj(inside), "a large object moved");
        assert_eq!(heap.large_at(mem, inside), Some(large));
        let last = mem.r64(large + 8 + 19_999 * 8, 0) as u32;
        assert_eq!(mem.r64(last, 0), header(VEC, 0, 0, 3), "what only its end names is gone");
    }
    assert!(heap.live_bytes() > 160_000);
    heap.write(mem, root(0), UNDEF);
    heap.collect_full(mem, STACK, &mut []).unwrap();
    assert_eq!(heap.large_at(mem, inside), None);
    assert!(heap.live_bytes() < 10_000, "{}", heap.live_bytes());
}
