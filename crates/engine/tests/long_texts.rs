#![forbid(unsafe_code)]
//! Texts that are long: built in pieces, normalized with as many marks as one likes, and paid for.
use engine::engine::Engine;
use engine::machine::{Base, Machine, Outcome, Quota};
use engine::{roots, string};
use std::sync::Arc;
use unicode_normalization::UnicodeNormalization;

fn machine(quota: Quota) -> Machine {
    let engine = Arc::new(Engine::new().expect("code space"));
    let base = Base::build(&engine, false).expect("the realm is built");
    Machine::new(&engine, &base, quota).expect("a machine")
}

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

/// The forms NFC, NFD, NFKC and NFKD of a text as programs get them.
fn forms(machine: &mut Machine, text: &str) -> Vec<String> {
    let mut all = Vec::new();
    machine.look(|cx, m| {
        let Ok(s) = string::from_str(cx, m, text) else { panic!("no room") };
        let proto = roots::get(m, roots::R_STRING_PROTO);
        for form in ["NFC", "NFD", "NFKC", "NFKD"] {
            let made = engine::object::get_str(cx, m, proto, "normalize").and_then(|f| {
                let form = string::from_str(cx, m, form)?;
                let v = engine::interp::call(cx, m, f, s, &[form])?;
                string::to_rust(cx, m, v)
            });
            all.push(made.expect("a normal form"));
        }
    });
    all
}

fn library(text: &str) -> Vec<String> {
    vec![text.nfc().collect(), text.nfd().collect(), text.nfkc().collect(), text.nfkd().collect()]
}

#[test]
fn normal_forms_are_those_of_the_library() {
    // letters, marks of several classes, what they combine to and what they must not, syllables and their parts
    let letters: Vec<char> = "aeoAEÅﬁǄ½\u{212B}\u{1E9B}\u{0344}\u{0958}\u{FB1D}\u{2ADC}\u{FDFA}\u{1100}\u{1161}\u{11A8}가각\u{0915}\u{09C7}\u{09BE}\u{0B47}\u{0B57}\u{1D15F}\u{10FFFF}"
        .chars()
        .collect();
    let marks: Vec<char> = "\u{300}\u{301}\u{302}\u{303}\u{304}\u{307}\u{308}\u{30A}\u{323}\u{327}\u{328}\u{331}\u{338}\u{345}\u{59A}\u{5B0}\u{93C}\u{3099}\u{1D165}"
        .chars()
        .collect();
    let mut machine = machine(Quota::default());
    let mut seed = 1u64;
    let mut next = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % n
    };
    for _ in 0..3000 {
        let mut text = String::new();
        for _ in 0..1 + next(8) {
            if next(5) > 0 {
                text.push(letters[next(letters.len())]);
            }
            (0..next(4)).for_each(|_| text.push(marks[next(marks.len())]));
        }
        assert_eq!(forms(&mut machine, &text), library(&text), "{:?}", text.escape_unicode().to_string());
    }
}

#[test]
fn a_letter_with_very_many_marks_has_normal_forms() {
    let mut machine = machine(Quota::default());
    let text: String = "e".chars().chain((0..300_000).map(|i| ['\u{308}', '\u{323}', '\u{301}', '\u{328}'][i % 4])).collect();
    assert_eq!(forms(&mut machine, &text), library(&text));
    // and they are paid for as they are read
    machine.set_quota(Quota { instructions: 200_000, ..Quota::default() });
    let lines = run(&mut machine, "('e' + '\\u0308\\u0323'.repeat(1000000)).normalize()");
    assert_eq!(lines, ["! limit: instructions per turn"]);
}

#[test]
fn what_is_built_in_pieces_is_whole() {
    let mut machine = machine(Quota::default());
    // 400,000 units: more than a piece; wide units in some pieces alone
    let lines = run(
        &mut machine,
        "const n = 400000, a = 'ab'.repeat(n / 2);
         const same = (x, y) => x === y && x.length === y.length && x.charCodeAt(n - 1) === y.charCodeAt(n - 1);
         const b = a.replaceAll('b', '\u{4e00}');
         print(b.length, same(b, 'a\u{4e00}'.repeat(n / 2)), same(b.replaceAll('\u{4e00}', 'b'), a));
         const late = a + '\u{4e00}';
         print(same(late.replaceAll('a', 'c').slice(0, -1), 'cb'.repeat(n / 2)), late.replaceAll('a', 'cc').length);
         print(same(JSON.parse(JSON.stringify({ a: [b, late] })).a[0], b), JSON.stringify(late).length);
         print(same(a.split('').join(''), a), same([a, a].join('').slice(n), a), [late, a].join().length);
         print(same(b.toUpperCase().toLowerCase(), b), same(a.toUpperCase().toLowerCase(), a));
         print(same(decodeURIComponent(encodeURIComponent(b)), b), same(unescape(escape(b)), b));
         print(same('x'.padEnd(n, 'xy'), 'xx' + 'yx'.repeat(n / 2 - 1)), '\u{4e00}'.padStart(3, 'xy') === 'xy\u{4e00}');
         print(same((a + '\\ud800').toWellFormed(), a + '\\ufffd'), same(b.normalize('NFD'), b));
         print(a.bold().length - n, a.link('\"').slice(0, 20), same(a.replaceAll('', '-').replaceAll('-', ''), a));
         const p = a.split('b'); print(p.length, p[0], p[n / 2 - 1], p[n / 2] === '', a.split('b', 3).join());
         print('aaa'.split('a', 2).length, 'xaxa'.split('a').length, ''.split('a').length, 'ab'.split('ab').join('|'));",
    );
    let want = [
        "400000 true true",
        "true 600001",
        "true 400003",
        "true true 800002",
        "true true",
        "true true",
        "true true",
        "true true",
        "7 <a href=\"&quot;\">aba true",
        "200001 a a true a,a,a",
        "2 3 1 |",
    ];
    assert_eq!(lines, want);
}

#[test]
fn what_a_text_costs_is_paid_before_it_is_there() {
    let mut machine = machine(Quota::default());
    let setup = "const wide = '\\u4e00'.repeat(4000000), list = []; for (let i = 0; i < 300000; i += 1) list.push(i);
        globalThis.wide = wide; globalThis.list = list; globalThis.bound = (() => 1).bind(null, ...list.slice(0, 50000));
        globalThis.keys = Object.fromEntries(list.map(i => ['k' + i, i]));";
    assert_eq!(run(&mut machine, setup), [""; 0]);
    machine.set_quota(Quota { instructions: 60_000, ..Quota::default() });
    for source in [
        "wide.toUpperCase()",
        "wide.normalize('NFD')",
        "wide.split('\\u4e00')",
        "wide.replaceAll('\\u4e00', 'x')",
        "JSON.stringify(wide)",
        "JSON.stringify(list)",
        "encodeURI(wide)",
        "Object.getOwnPropertyNames(keys)",
        "Object.keys(Object(wide))",
        "[...list, ...list]",
        "list.map(bound)",
        "list.join()",
        "print(wide)",
        "Function(wide)",
        "for (const k in keys) break;",
    ] {
        assert_eq!(run(&mut machine, source), ["! limit: instructions per turn"], "{source}");
    }
}

#[test]
fn a_long_source_is_compiled_as_a_short_one_is() {
    let mut machine = machine(Quota::default());
    let source = "const filler = i => `{ const v${i} = ${i}; }\\n`;
        const long = Array.from({ length: 5000 }, (_, i) => filler(i)).join('');
        const c = new Compartment({ x: 3 });
        const says = f => { try { return f(); } catch (e) { return `${e.name}: ${e.message}`; } };
        print(long.length > 100000, c.evaluate(long + 'x + 4'), (0, eval)(long + '6 * 7'));
        print(says(() => c.evaluate(long + 'let = = 3')));
        print(Function('a', 'b', long + 'return a * b')(6, 7), confine(`(() => { ${long} return y; })()`, { y: 8 }));
        print(says(() => Function(long + '}, () => {')));";
    let want = [
        "true 7 42",
        "SyntaxError: 5001:5: expected a name, found `=`",
        "42 8",
        "SyntaxError: the parameters or the body of a function end it",
    ];
    assert_eq!(run(&mut machine, source), want);
}
