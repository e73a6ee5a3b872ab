//! Programs for the builtins of arrays, strings and JSON, each beside what it prints; the corners and the sizes that the
//! chapters of `tests/lang` leave out.
use engine::engine::Engine;
use engine::machine::{Base, Machine, Outcome, Quota};
use std::sync::{Arc, LazyLock};

struct Realm {
    engine: Arc<Engine>,
    base: Base,
}

static LOCKED: LazyLock<Realm> = LazyLock::new(|| {
    let engine = Arc::new(Engine::new().expect("code space"));
    let base = Base::build(&engine, false).expect("the realm is built");
    Realm { engine, base }
});

fn machine(quota: Quota) -> Machine {
    Machine::new(&LOCKED.engine, &LOCKED.base, quota).expect("a machine")
}

/// Runs a program; its lines, and how it ended if not well.
fn run(machine: &mut Machine, source: &str) -> Vec<String> {
    let turn = machine.run_script(source, "test");
    let mut lines: Vec<String> = turn.output.into_iter().map(|l| l.text).collect();
    match turn.outcome {
        Outcome::Done(()) => {}
        Outcome::Threw(what) => lines.push(format!("! {what}")),
        Outcome::Aborted(why) => lines.push(format!("! {}", why.message())),
        _ => lines.push("!".to_owned()),
    }
    lines
}

#[track_caller]
fn prints(source: &str, want: &[&str]) {
    let mut one = machine(Quota::default());
    assert_eq!(run(&mut one, source), want, "{source}");
}

/// Likewise, and once more collecting at every safepoint; for programs that are short.
#[track_caller]
fn prints_under_stress(source: &str, want: &[&str]) {
    prints(source, want);
    let mut stressed = machine(Quota::default());
    stressed.set_stress(true);
    assert_eq!(run(&mut stressed, source), want, "under stress: {source}");
}

#[test]
fn a_queue_is_linear_and_keeps_its_order() {
    prints(
        "const q = []; for (let i = 0; i < 100000; i++) q.push(i);
         let sum = 0; for (let i = 0; i < 200000; i++) { sum += q.shift(); q.push(i); }
         print(sum, q.length, q[0], q[99999]);",
        &["9999900000 100000 100000 199999"],
    );
}

#[test]
fn a_queue_lives_on_over_turns_and_images() {
    let mut m = machine(Quota::default());
    assert!(run(&mut m, "globalThis.q = []; for (let i = 0; i < 5000; i++) q.push({ i }); q.shift();").is_empty());
    assert!(run(&mut m, "for (let i = 0; i < 2000; i++) q.shift(); q.push('end');").is_empty());
    let saved = m.save();
    let mut again = Machine::load(&LOCKED.engine, &LOCKED.base, &saved, Quota::default()).expect("loads");
    assert_eq!(run(&mut again, "print(q.length, q[0].i, q[2998].i, q[2999], q.shift().i);"), ["3000 2001 4999 end 2001"]);
}

#[test]
fn splice_and_its_kin_agree_with_the_long_way() {
    prints(
        "const plain = [], like = { length: 0 }, P = Array.prototype; let x = 1, bad = 0;
         const rnd = n => { x = (x * 48271) % 2147483647; return x % n; };
         for (let i = 0; i < 1500; i++) {
           const k = rnd(7), a = rnd(12), b = rnd(5), v = { i };
           const op = [o => P.push.call(o, v), o => P.pop.call(o), o => P.shift.call(o), o => P.unshift.call(o, v, v),
             o => P.splice.call(o, a, b, v).length, o => (P.reverse.call(o), 0), o => (P.copyWithin.call(o, a, b, a + b), 0)][k];
           if (op(plain) !== op(like)) bad++;
           if (plain.length !== like.length) bad++;
           for (let j = 0; j < plain.length; j++) if (plain[j] !== like[j]) bad++;
         }
         print(bad, plain.length > 10);",
        &["0 true"],
    );
}

#[test]
fn callbacks_that_change_the_array() {
    prints_under_stress(
        "print([1, 2, 3].map((v, i, a) => { a.length = 1; return v; }).join('|'));
         print([1, 2, 3].filter((v, i, a) => { a.push(v); return true; }).join());
         const a = [1, 2, 3, 4]; a.forEach((v, i) => { if (i === 0) delete a[2]; print(v); });
         const b = [3, 2, 1]; b.sort((p, q) => { b.length = 0; return p - q; }); print(b.join());
         print([1, , 3].map(v => v * 2).length, 1 in [1, , 3].map(v => v), [5, , 6].reduce((p, c) => p + c));",
        &["1||", "1,2,3", "1", "2", "4", "1,2,3", "3 false 11"],
    );
}

#[test]
fn short_ones_under_stress() {
    prints_under_stress(
        "const q = []; for (let i = 0; i < 60; i++) { q.push({ i }); if (i % 3 === 2) q.shift(); }
         const s = q.map(o => o.i).sort((a, b) => b - a); q.splice(3, 5, 'x'); q.unshift(1, 2);
         print(s.join(), q.length, q[2].i, q[5], Array.from(new Set([3, 3, 4]), x => [x]).flat().join());",
        &[
            "59,58,57,56,55,54,53,52,51,50,49,48,47,46,45,44,43,42,41,40,39,38,37,36,35,34,33,32,31,30,29,28,27,26,25,24,23,22,21,20 38 20 x 3,4",
        ],
    );
}

#[test]
fn sorting_is_stable_and_takes_n_log_n() {
    prints(
        "const a = []; let x = 3; for (let i = 0; i < 20000; i++) { x = (x * 48271) % 2147483647; a.push({ k: x % 50, i }); }
         let calls = 0; a.sort((p, q) => { calls++; return p.k - q.k; });
         let ok = true; for (let i = 1; i < a.length; i++) {
           const p = a[i - 1], q = a[i]; if (p.k > q.k || (p.k === q.k && p.i > q.i)) ok = false; }
         print(ok, calls < 400000);
         print([10, 9, 1, -1, -2, 100].sort().join(), ['b', undefined, 'a', , 'ab'].sort().length);
         print([3, 'x', 1n, null, true, 'X'].sort().join(), [{ toString: () => 'b' }, 'a'].sort()[0]);",
        &["true true", "-1,-2,1,10,100,9 5", "1,3,X,,true,x a"],
    );
}

#[test]
fn long_strings_are_searched_in_linear_time() {
    prints(
        "const n = 'a'.repeat(50000), s = n + n, p = n + 'b';
         print(s.indexOf(p), s.includes(p), s.lastIndexOf('b' + n), s.split(p).length, s.replaceAll(p, '').length);
         const w = '\\u4e2d'.repeat(50000);
         print((w + w).indexOf(w + 'x'), (w + w).lastIndexOf('x' + w), (w + 'ab').indexOf('ab'));
         print('aXbX'.replaceAll('X', (m, i) => i), 'abc'.replace('b', \"[$`$&$'$$$1]\"), 'ab'.replaceAll('', '-'));",
        &["-1 false -1 1 100000", "-1 -1 50000", "a1b3 a[abc$$1]c -a-b-"],
    );
}

#[test]
fn letters() {
    prints_under_stress(
        "print('ΑΣ ΑΣΑ Σ ΑΣ\\u0301'.toLowerCase(), 'straße ÿ ŉ'.toUpperCase(), 'İ'.toLowerCase().length);
         print('\\ud800A'.toLowerCase().charCodeAt(0) === 0xd800, 'e\\u0301'.normalize().length, 'é'.normalize('NFD').length);
         print('\\ud83d\\ude00'.at(0).isWellFormed(), '\\ufeff a\\u2029'.trim(), 'abc'.padStart(6, '12'), 'x'.padEnd(3));",
        &["ας ασα σ ας\u{301} STRASSE Ÿ ʼN 2", "true 1 2", "false a 121abc x  "],
    );
}

#[test]
fn json_corners() {
    prints_under_stress(
        "print(JSON.stringify({ a: [undefined, () => 1, NaN, -0, 1e21], u: undefined, '\\u2028\"': '\\ud800\\u0007' }));
         print(JSON.stringify([[], {}, [1, { b: 2 }]], null, 1).split('\\n').join('/'));
         print(JSON.stringify({ b: 1, a: { c: 2, a: 3 } }, ['a', 'b', 'a', 1]));
         for (const t of ['', '[1,]', '{\"a\":1,}', '01', '1.', '-', '\"\\n\"', '\"\\\\x\"', 'tru', '[1 2]', '{a:1}', '1 1', '\\u00a01'])
           try { JSON.parse(t); print('accepted', t); } catch (e) { if (e.name !== 'SyntaxError') print(e.name); }
         const o = JSON.parse('{\"__proto__\":1,\"a\":{\"a\":1,\"a\":2},\"10\":1,\"9\":2}');
         print(Object.keys(o).join(), o.a.a, Object.getPrototypeOf(o) === Object.prototype);
         print(JSON.stringify(JSON.parse('[1,{\"x\":[2,3]}]', function (k, v) { return typeof v === 'number' ? v + 1 : v; })));
         print(JSON.stringify({ get x() { delete this.y; return 1; }, y: 2, z: 3 }));",
        &[
            "{\"a\":[null,null,null,0,1e+21],\"\u{2028}\\\"\":\"\\ud800\\u0007\"}",
            "[/ [],/ {},/ [/  1,/  {/   \"b\": 2/  }/ ]/]",
            "{\"a\":{\"a\":3},\"b\":1}",
            "9,10,__proto__,a 2 true",
            "[2,{\"x\":[3,4]}]",
            "{\"x\":1,\"z\":3}",
        ],
    );
}

#[test]
fn nesting_is_limited_by_the_heap_alone() {
    prints(
        "const n = 200000, t = '['.repeat(n) + ']'.repeat(n); const v = JSON.parse(t); print(JSON.stringify(v) === t);
         let a = []; for (let i = 0; i < 1000; i++) a = [a, 1]; print(String(a).length, a.flat(Infinity).length);
         const c = [1]; c.push(c, [c]); print(c.join());
         try { JSON.stringify(c); } catch (e) { print(e.name); }",
        &["true", "2000 1000", "1,,", "TypeError"],
    );
}

#[test]
fn limits_stop_what_would_take_forever() {
    let quota = Quota { instructions: 1_000_000, heap_bytes: 32 << 20 };
    let cases = [
        ("Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)", "limit: instructions per turn"),
        ("Array.prototype.forEach.call({ length: 2 ** 53 - 1 }, x => x)", "limit: instructions per turn"),
        ("const c = [1]; c[1] = c; c.flat(Infinity)", "limit"),
        ("new Array(2 ** 32 - 1).sort()", "limit: instructions per turn"),
        ("'x'.repeat(2 ** 28)", "limit"),
        ("let o = ['0123456789'.repeat(1000)]; for (let i = 0; i < 30; i++) o = [o, o]; JSON.stringify(o)", "limit"),
    ];
    for (source, want) in cases {
        let lines = run(&mut machine(quota), source);
        assert!(lines.len() == 1 && lines[0].starts_with(&format!("! {want}")), "{source}: {lines:?}");
    }
}

#[test]
fn shipped_code_shows_no_source() {
    prints_under_stress(
        "print([].map.toString(), [].map.length, [].map.name, [].sort.length, Array.from.length, [].reduce.length);
         print(Object.getOwnPropertyNames([].map).join(), 'prototype' in [].map);
         try { new ([].map)(); } catch (e) { print(e.name); }",
        &["function map() { [native code] } 1 map 1 1 1", "length,name false", "TypeError"],
    );
}
