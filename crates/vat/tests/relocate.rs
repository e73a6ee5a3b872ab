//! Vats that go over to the base of another build: what is refused, what is carried, and what damaged images do.
use engine::machine::compile_source;
use engine::syntax::ast::Goal;
use engine::syntax::diagnostic::Level;
use passable::VatId;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vat::{Arrangement, Code, Ending, LoadedUnit, Older, Quota, Shared, Unmoved, Vat, Whole};

fn build(arrangement: Arrangement) -> Shared {
    Shared::arranged(false, arrangement).expect("a base")
}

fn both() -> (Shared, Shared) {
    (build(Arrangement::Usual), build(Arrangement::Moved))
}

fn linked(to: &Shared, units: &[Arc<LoadedUnit>]) -> Vec<Arc<LoadedUnit>> {
    units.iter().map(|u| to.unit_of(&u.unit.to_bytes()).expect("a unit")).collect()
}

fn base_units(from: &Shared, to: &Shared) -> Vec<Option<Arc<LoadedUnit>>> {
    linked(to, from.base_units()).into_iter().map(Some).collect()
}

/// The base of `from`, as `to` knows it.
fn older(from: &Shared, to: &Shared) -> Arc<Older> {
    to.add_older([1; 32], from.base_bytes().to_vec(), base_units(from, to)).expect("a base that can be named")
}

fn vat(shared: &Shared) -> Vat {
    Vat::new(shared, VatId(1), Quota::default()).expect("a vat")
}

fn run(vat: &mut Vat, text: &str) -> Vec<String> {
    let unit = compile_source(text, "test", Goal::Script, Level::Ses, false).expect("a script");
    let outcome = vat.run(Code::Script(unit));
    assert!(matches!(outcome.ending, Ending::Done), "{text}: {:?}", outcome.ending);
    vat.verify().expect("a sound heap");
    outcome.output.into_iter().map(|l| l.text).collect()
}

fn cross(whole: Whole, from: &Shared, to: &Shared) -> Result<Vat, Unmoved> {
    Vat::wake_over(to, &older(from, to), VatId(1), whole.space, linked(to, &whole.units), Quota::default())
}

#[test]
fn the_other_build_has_everything_elsewhere() {
    let (usual, moved) = both();
    for (from, to, gone) in [(&usual, &moved, ["%Math%.expm1", ".expm1"]), (&moved, &usual, ["%Object%.later", ".later"])] {
        let survey = older(from, to).survey();
        assert!(survey.paired > 500, "{} objects", survey.paired);
        assert_eq!(survey.in_place, 1, "the root alone may lie where it lay");
        assert!(survey.gone.iter().any(|n| n.ends_with(gone[1])), "{:?}", survey.gone);
        assert!(survey.gone.len() <= 4, "{:?}", survey.gone);
    }
}

#[test]
fn what_went_away_is_named() {
    let (usual, moved) = both();
    for (from, to, hold, name) in [(&usual, &moved, "Math.expm1", "expm1"), (&moved, &usual, "Object.later", "Object%.later")] {
        let mut v = vat(from);
        run(&mut v, "globalThis.kept = [1, { deep: null }];");
        cross(v.whole(from), from, to).map(drop).expect("nothing is missed");
        run(&mut v, &format!("kept[1].deep = new Map([[1, {hold}]]);"));
        match cross(v.whole(from), from, to) {
            Err(Unmoved::Gone(what)) => assert!(what.ends_with(name), "{what}"),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("{hold} is nowhere"),
        }
        run(&mut v, "kept[1].deep = null;");
        let mut there = cross(v.whole(from), from, to).expect("nothing is missed any more");
        assert_eq!(run(&mut there, "print(kept.length, kept[1].deep)"), ["2 null"]);
    }
}

/// A closure of shipped script code that this build has not becomes the vat's own, code and all.
#[test]
fn code_of_the_older_base_is_carried() {
    let (usual, moved) = both();
    let mut v = vat(&moved);
    run(&mut v, "globalThis.f = Object.laterFunction('a'); globalThis.g = [3, 1, 2];");
    assert_eq!(run(&mut v, "print(f(1), f(2))"), ["a1 a12"]);
    // a build that cannot read that code refuses the vat, and no other
    let mut units = base_units(&moved, &usual);
    let whole = v.whole(&moved);
    units.iter_mut().filter(|u| u.as_ref().is_some_and(|u| u.unit.name == "builtin:later")).for_each(|u| *u = None);
    let without = usual.add_older([2; 32], moved.base_bytes().to_vec(), units).expect("a base");
    let refused = Vat::wake_over(&usual, &without, VatId(1), whole.space, linked(&usual, &whole.units), Quota::default());
    assert!(matches!(refused, Err(Unmoved::Gone(what)) if what.contains("opcodes")));
    let whole = vat(&moved).whole(&moved);
    Vat::wake_over(&usual, &without, VatId(1), whole.space, Vec::new(), Quota::default())
        .map(drop)
        .expect("it needs no such code");
    let before = v.whole(&moved).units.len();
    let mut there = cross(v.whole(&moved), &moved, &usual).expect("it goes over");
    assert_eq!(there.whole(&usual).units.len(), before + 1, "the unit of the closure");
    let said = run(
        &mut there,
        "print(f(3), f.toString().includes('native code'), typeof Object.laterFunction, g.sort().map(x => x + 1).join())",
    );
    assert_eq!(said, ["a123 true undefined 2,3,4"]);
    let mut back = cross(there.whole(&usual), &usual, &moved).expect("and back");
    assert_eq!(run(&mut back, "print(f(4), Object.laterFunction('b')(1))"), ["a1234 b1"]);
}

#[test]
fn going_over_is_deterministic() {
    let (usual, moved) = both();
    let mut v = vat(&usual);
    run(&mut v, "globalThis.m = new Map([[Array, 1], [Symbol('x'), 2]]); globalThis.o = { a: 1, b: [m] };");
    let [a, b] = [0, 1].map(|_| cross(v.whole(&usual), &usual, &moved).expect("it goes over").whole(&moved));
    assert!(a.space == b.space && a.units.len() == b.units.len());
}

#[test]
fn realms_do_not_mix() {
    let unlocked = Shared::arranged(true, Arrangement::Usual).expect("a base");
    let locked = build(Arrangement::Usual);
    let units = base_units(&unlocked, &locked);
    assert!(matches!(locked.add_older([1; 32], unlocked.base_bytes().to_vec(), units), Err(Unmoved::OtherRealm)));
}

/// Whatever the bytes of a heap or of a base, it is refused, or gives a sound heap, and soon.
#[test]
fn damaged_images_do_no_harm() {
    let (usual, moved) = both();
    let mut v = vat(&usual);
    run(
        &mut v,
        "globalThis.m = new Map([[Array, 1], [Symbol('x'), { a: 1 }]]); globalThis.w = new WeakMap([[m, m]]);
         globalThis.wide = {}; for (let i = 0; i < 200; i += 1) wide['k' + i] = [i, `text ${i}`];
         globalThis.f = async x => { await null; return [x, m]; }; globalThis.p = f(new Promise(() => {}));",
    );
    let whole = v.whole(&usual);
    let known = older(&usual, &moved);
    let (mut seed, mut refused) = (0x9E37_79B9_7F4A_7C15u64, 0);
    let mut draw = move |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % n as u64) as usize
    };
    for _ in 0..400 {
        let mut space = whole.space.clone();
        for _ in 0..1 + draw(3) {
            // where the vat's own objects are most of all
            let set: Vec<usize> = (0..8).map(|_| draw(space.len())).collect();
            let at = set.iter().copied().find(|at| space[*at] != 0).unwrap_or(set[0]);
            space[at] ^= 1 << draw(8);
        }
        let began = Instant::now();
        let units = linked(&moved, &whole.units);
        match Vat::wake_over(&moved, &known, VatId(1), space, units, Quota::default()) {
            Ok(mut v) => v.machine().verify().expect("a sound heap"),
            Err(why) => {
                assert!(!why.to_string().is_empty());
                refused += 1;
            }
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    assert!(refused > 0, "no bit mattered");
    for _ in 0..40 {
        let mut image = usual.base_bytes().to_vec();
        let at = 200 + draw(image.len() - 200);
        image[at] ^= 1 << draw(8);
        engine::cage::heap::seal(&mut image);
        if let Ok(base) = moved.add_older([draw(251) as u8; 32], image, base_units(&usual, &moved)) {
            let _ = Vat::wake_over(&moved, &base, VatId(1), whole.space.clone(), linked(&moved, &whole.units), Quota::default());
        }
    }
}

/// `cargo test --release -p drses-vat --test relocate figures -- --ignored --nocapture`
#[test]
#[ignore = "figures, for a release build"]
fn figures() {
    let (usual, moved) = both();
    let began = Instant::now();
    let known = older(&usual, &moved);
    println!("naming the base of another build, once a process: {:?}", began.elapsed());
    for (what, text) in [
        ("a new vat", "globalThis.n = 1;"),
        ("2,000 records", "globalThis.all = []; for (let i = 0; i < 2000; i += 1) all.push({ i, s: `text ${i}`, a: [i] });"),
        ("200,000 records", "globalThis.all = []; for (let i = 0; i < 200000; i += 1) all.push({ i, s: `text ${i}`, a: [i] });"),
    ] {
        let mut v = vat(&usual);
        run(&mut v, text);
        let bytes = v.heap_bytes();
        let mut best = Duration::MAX;
        for _ in 0..5 {
            let (whole, units) = (v.whole(&usual), linked(&moved, &v.whole(&usual).units));
            let began = Instant::now();
            Vat::wake_over(&moved, &known, VatId(1), whole.space, units, Quota::default()).expect("it goes over");
            best = best.min(began.elapsed());
        }
        println!("{what}, {} KiB of heap: {best:?}", bytes >> 10);
    }
}
