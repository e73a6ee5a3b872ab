#![forbid(unsafe_code)]
//! String hashes are keyed: what collides cannot be chosen without the key, and nothing a program sees follows a hash.
use engine::engine::Engine;
use engine::machine::{Base, Machine, Outcome, Quota};
use engine::string;
use std::collections::BTreeSet;
use std::sync::Arc;

fn machine(engine: &Arc<Engine>, base: &Base, key: u128) -> Machine {
    let mut machine = Machine::new(engine, base, Quota::default()).unwrap();
    assert!(machine.draw_hash_key(key));
    machine
}

/// Strings of which each pair of eight units collides under every key, if words are only multiplied and shifted: the highest
/// bit of one word is taken back by two bits of the next.
fn flood(bits: u32) -> Vec<String> {
    let pair = |flipped: bool| if flipped { "aaaaaaa\u{e1}aaa\u{e1}aaa\u{e1}" } else { "aaaaaaaaaaaaaaaa" };
    (0..1u32 << bits).map(|n| (0..bits).map(|b| pair(n >> b & 1 == 1)).collect()).collect()
}

fn hashes(machine: &mut Machine, texts: &[String]) -> Vec<u32> {
    let mut all = Vec::new();
    machine.look(|cx, m| {
        for text in texts {
            let Ok(s) = string::from_str(cx, m, text) else { panic!("no room") };
            let Ok(h) = string::hash(cx, m, s) else { panic!("no string") };
            all.push(h);
        }
    });
    all
}

#[test]
fn chosen_strings_do_not_collide_and_each_key_gives_other_hashes() {
    let engine = Arc::new(Engine::new().unwrap());
    let base = Base::build(&engine, false).unwrap();
    let texts = flood(10);
    let mut buckets = Vec::new();
    for key in [1, 2, u128::MAX / 7] {
        let all = hashes(&mut machine(&engine, &base, key), &texts);
        let places: BTreeSet<u32> = all.iter().map(|h| h & 2047).collect();
        // 1024 thrown into 2048 places at random hit about 806 different ones
        assert!((700..900).contains(&places.len()), "{} places under key {key}", places.len());
        buckets.push(all);
    }
    assert!(buckets[0].iter().zip(&buckets[1]).all(|(a, b)| a != b));
}

#[test]
fn equal_strings_hash_alike_whatever_their_kind() {
    let engine = Arc::new(Engine::new().unwrap());
    let base = Base::build(&engine, false).unwrap();
    let mut machine = machine(&engine, &base, 99);
    let source = "const seen = new Map(); const wide = '\\u{4e00}';
        for (const n of [0, 1, 7, 8, 9, 16, 30]) {
            const narrow = 'x\\u00e9'.repeat(n);
            const cut = (wide + narrow).slice(1);
            seen.set(narrow, n);
            const o = { [narrow]: n };
            if (seen.get(cut) !== n || o[cut] !== n) print('differs', n);
        }";
    let turn = machine.run_script(source, "test");
    assert!(matches!(turn.outcome, Outcome::Done(())) && turn.output.is_empty(), "{:?}", turn.output);
}

#[test]
fn nothing_a_program_sees_follows_the_key_and_it_is_drawn_once() {
    let engine = Arc::new(Engine::new().unwrap());
    let base = Base::build(&engine, false).unwrap();
    let source = "const o = {}, m = new Map(), s = new Set();
        for (let i = 0; i < 500; i += 1) { const k = 'k' + (i * 7919) % 500; o[k] = i; m.set(k, i); s.add(k); }
        for (let i = 0; i < 500; i += 3) { delete o['k' + i]; m.delete('k' + i); s.delete('k' + i); }
        print(Object.keys(o).join(), [...m.keys()].join(), [...s].join(), JSON.stringify(o));";
    let mut printed = BTreeSet::new();
    let mut images = BTreeSet::new();
    for key in [0, 5, 1 << 100] {
        let mut machine = machine(&engine, &base, key);
        let turn = machine.run_script(source, "test");
        printed.insert(turn.output[0].text.clone());
        assert!(!machine.draw_hash_key(7), "drawn again after strings were hashed");
        machine.verify().unwrap();
        images.insert(machine.save().image);
    }
    assert_eq!((printed.len(), images.len()), (1, 3), "the key is in the image and nowhere else");
}
