//! What is a program and what is none: tables of sources.
use syntax::ast::*;
use syntax::diagnostic::Level;
use syntax::{Options, parse};

fn codes(source: &str, goal: Goal) -> Vec<&'static str> {
    let parsed = parse(source, &Options { goal, level: Level::Strict, dialect_2013: false });
    parsed.diagnostics.iter().map(|d| d.code).collect()
}

#[rustfmt::skip]
const SCRIPTS: &[&str] = &[
    "", ";", "#!hashbang\n1", "\u{feff}1", "a\nb", "a\n++b", "if (a) b\nelse c", "do {} while (a) b", "return_", "let a\nlet b",
    "1_000.5e-3 + 0xFf + 0o17 + 0b11 + .5 + 5. + 1n + 0xFn", "'\\x41\\u0041\\u{1F600}\\\n\\0'", "`a${`b${1}`}c`", "a`\\u{`", "a`\\01`",
    "/[/]\\//gimsuyd", "a / b / c", "a = b / /c/.d", "x = {}\n/a/g", "({get a() {}, set a(b) {}, async *b() {}, [c]: 1, 'd': 2, 3: 4, 5n: 6, get, set, async, ...e})",
    "({__proto__: null, __proto__})", "({__proto__: a, __proto__: b} = {})", "({a = 1} = {})", "[{a = 1}] = b", "[a, , b = 1, ...[c, d]] = e", "[a.b, c[d], (e)] = f",
    "({a: b.c, ...d.e} = f)", "(a, b) => a", "() => {}", "(a, ...b) => a", "({a = 1}, [b = 2]) => a", "(a = (b, c) => d) => e", "async a => await a",
    "async (a, b = 1) => { await a; }", "async()", "async(a, b)", "async\n(a)", "async => async", "(async) => 1", "async function f() {}", "(async function* f() { yield* await 1; })",
    "function* g() { yield; yield a; (yield)\n; yield* b; const x = yield; }", "class A extends (B, C) { static #a = 1; #b; get #c() { return 1; } set #c(v) {} static { this.#a; } [d] = 2; 'e'; 5() {} static async *f() {} static static() {} get; set; async; static; m() { return #b in this; } }",
    "class A extends B { constructor() { super(); super.x; (() => super())(); } }", "({m() { super.x; }})", "a?.b.c(d)?.[e]?.(f)", "a?.5:1", "a ?? b ?? c", "(a ?? b) || c",
    "a ||= b; a &&= b; a ??= b; a **= b", "2 ** 3 ** 4", "(-2) ** 2", "a ? b : c ? d : e", "new a.b.c", "new a()()", "new (a())()", "new new a()()", "function f() { new.target; }",
    "l: for (;;) { continue l; }", "l: { break l; }", "a: b: c: while (1) { continue a; }", "for (let a of b) ;", "for (const [a, b] of c) ;", "for (a.b of c) ;", "for (var a in b) ;", "for (let a = 1, b = (2 in c); a; a++) ;",
    "for (async of => {}; ;) break", "async function f() { for await (const a of b) ; for await (async of c) ; }", "switch (a) { case 1: default: case 2: let b; }",
    "try {} catch {} finally {}", "try {} catch ({a, b}) {}", "try {} catch (e) { var e; }", "debugger", "import('a')", "import('a', {with: {}})", "import('a').then()", "label: ;",
    "function f() {} function f() {} var f; var f", "{ function f() {} }", "function f(a, b = a) { var a; }", "var await; await: 1; function await_() {}", "let async; async = 1", "let of, get, set, from, as",
    "x ~. foo", "x ~. foo(1, ...a)", "x ~. (1)", "x ~. [i]", "x ~. [i](1)", "x\n~. a()\n~. b()", "a ~. b.c", "a?.b ~. c", "~.5", "x = ~a", "a.b ~. class", "`${a}` ~. b", "(x ~. a).b = 1",
    "a < ! --b", "while (a --> 0) ;", "eval('1')", "(0, eval)('1')", "void 0, typeof a, delete a.b, delete a?.b", "a = b ? (c, d) : e => f", "\\u0061bc + ünïcode", "a = function b() {}.c", "yield_ = 1",
];

#[rustfmt::skip]
const NO_SCRIPTS: &[(&str, &str)] = &[
    ("a b", "E-SYNTAX"), ("{", "E-SYNTAX"), ("}", "E-SYNTAX"), ("(a", "E-SYNTAX"), ("let a, a", "E-DUPLICATE"), ("let a; var a", "E-DUPLICATE"), ("let a; { var a; }", "E-DUPLICATE"), ("{ let a; { var a; } }", "E-DUPLICATE"),
    ("function f(a, a) {}", "E-DUPLICATE"), ("(a, [a]) => 1", "E-DUPLICATE"), ("function f(a) { let a; }", "E-DUPLICATE"), ("try {} catch (e) { let e; }", "E-DUPLICATE"), ("try {} catch ([e]) { var e; }", "E-DUPLICATE"),
    ("{ function f() {} function f() {} }", "E-DUPLICATE"), ("switch (a) { case 1: let b; case 2: let b; }", "E-DUPLICATE"), ("for (let a of b) { var a; }", "E-DUPLICATE"),
    ("010", "E-OCTAL"), ("08", "E-OCTAL"), ("'\\01'", "E-OCTAL"), ("'\\8'", "E-OCTAL"), ("`\\u{`", "E-ESCAPE"), ("'\\xg'", "E-ESCAPE"), ("1__0", "E-NUMBER"), ("1_", "E-NUMBER"), ("3in a", "E-NUMBER"), ("0x", "E-NUMBER"), ("1.5n", "E-NUMBER"),
    ("'a\n'", "E-STRING"), ("`a", "E-TEMPLATE"), ("/a", "E-REGEXP"), ("/a/gg", "E-REGEXP"), ("/a/uv", "E-REGEXP"), ("/* a", "E-COMMENT"), ("a <!-- b", "E-HTML-COMMENT"), ("a\n--> b", "E-HTML-COMMENT"), ("@a", "E-CHARACTER"), ("a # b", "E-CHARACTER"),
    ("with (a) {}", "E-WITH"), ("delete a", "E-DELETE"), ("delete ((a))", "E-DELETE"), ("class A { #a; m() { delete this.#a; } }", "E-DELETE"), ("a.#b", "E-PRIVATE"), ("class A { m() { this.#b; } }", "E-PRIVATE"), ("class A extends (o => o.#b) { #b; }", "E-PRIVATE"),
    ("let let = 1", "E-RESERVED"), ("var static", "E-RESERVED"), ("interface", "E-RESERVED"), ("yield = 1", "E-RESERVED"), ("v\\u0061r = 1", "E-RESERVED"), ("async function f(await) {}", "E-RESERVED"), ("async (await) => 1", "E-RESERVED"), ("class A { static { await; } }", "E-RESERVED"),
    ("var eval", "E-NAME"), ("arguments => 1", "E-NAME"), ("eval = 1", "E-TARGET"), ("arguments++", "E-TARGET"), ("1 = 2", "E-TARGET"), ("f() = 1", "E-TARGET"), ("a?.b = 1", "E-TARGET"), ("({a}) = 1", "E-TARGET"), ("[a, ...b, c] = d", "E-TARGET"), ("[...a,] = b", "E-TARGET"), ("({...{a}} = b)", "E-TARGET"), ("for (f() of a) ;", "E-TARGET"),
    ("({a = 1})", "E-SYNTAX"), ("f({a = 1})", "E-SYNTAX"), ("({__proto__: a, __proto__: b})", "E-SYNTAX"), ("(a, b)\n=> 1", "E-ARROW"), ("()", "E-SYNTAX"), ("(a,)", "E-SYNTAX"), ("(...a)", "E-SYNTAX"), ("(...a, b) => 1", "E-SYNTAX"), ("a => {} ? 1 : 2", "E-SYNTAX"), ("() => {} || a", "E-SYNTAX"), ("(a.b) => 1", "E-PARAMS"), ("((a)) => 1", "E-PARAMS"), ("(...a = 1) => 1", "E-PARAMS"),
    ("a ?? b || c", "E-MIX"), ("a && b ?? c", "E-MIX"), ("-a ** b", "E-POWER"), ("async () => await a ** b", "E-POWER"), ("a?.`b`", "E-CHAIN"), ("new a?.b()", "E-CHAIN"), ("new import('a')", "E-SYNTAX"),
    ("break", "E-JUMP"), ("continue", "E-JUMP"), ("break a", "E-LABEL"), ("l: { continue l; }", "E-LABEL"), ("l: l: a", "E-LABEL"), ("l: { function f() { break l; } }", "E-LABEL"), ("return", "E-RETURN"), ("new.target", "E-NEW-TARGET"), ("super.a", "E-SUPER"), ("class A { constructor() { super(); } }", "E-SUPER"), ("function f() { super.a; }", "E-SUPER"),
    ("if (a) function f() {}", "E-DECLARATION"), ("while (a) let b", "E-DECLARATION"), ("l: function f() {}", "E-DECLARATION"), ("const a", "E-INITIALISER"), ("let [a]", "E-INITIALISER"), ("for (let a = 1 of b) ;", "E-FOR"), ("for (let a, b of c) ;", "E-FOR"), ("for (async of a) ;", "E-FOR"), ("switch (a) { default: default: }", "E-SWITCH"), ("throw\na", "E-THROW"), ("try {}", "E-SYNTAX"),
    ("class A { constructor() {} constructor() {} }", "E-CLASS"), ("class A { get constructor() {} }", "E-CLASS"), ("class A { static prototype() {} }", "E-CLASS"), ("class A { constructor = 1; }", "E-CLASS"), ("class A { #constructor; }", "E-CLASS"), ("class A { #a; #a; }", "E-DUPLICATE"), ("class A { x = arguments; }", "E-ARGUMENTS"), ("class A { static { arguments; } }", "E-ARGUMENTS"),
    ("({get a(b) {}})", "E-PARAMS"), ("({set a() {}})", "E-PARAMS"), ("function f(a = 1) { 'use strict'; }", "E-STRICT"), ("function* g(a = yield) {}", "E-YIELD"), ("async function f(a = await 1) {}", "E-AWAIT"), ("async (a = await 1) => 1", "E-SYNTAX"), ("function* g() { (a = yield) => 1; }", "E-PARAMS"), ("import a from 'b'", "E-MODULE"), ("export let a", "E-MODULE"), ("import.meta", "E-IMPORT-META"), ("{ import 'a'; }", "E-MODULE"),
    ("x ~. p = 1", "JS-062"), ("x ~. p += 1", "JS-065"), ("x ~. p++", "JS-065"), ("--x ~. p", "JS-065"), ("delete x ~. p", "JS-063"), ("x ~. `a`", "JS-064"), ("x ~. ", "E-SYNTAX"), ("x ~ .y", "E-SYNTAX"), ("x ~. #p", "E-SYNTAX"), ("[x ~. p] = a", "JS-062"), ("new x ~. p", "E-CHAIN"),
];

#[test]
fn scripts() {
    let bad: Vec<String> = SCRIPTS
        .iter()
        .filter(|s| !codes(s, Goal::Script).is_empty())
        .map(|s| format!("{s}: {:?}", codes(s, Goal::Script)))
        .collect();
    assert!(bad.is_empty(), "\n{}", bad.join("\n"));
}

#[test]
fn no_scripts() {
    let wrong = |(source, code): &&(&str, &str)| !codes(source, Goal::Script).contains(code);
    let bad: Vec<String> =
        NO_SCRIPTS.iter().filter(wrong).map(|(s, c)| format!("{s}: {c}, found {:?}", codes(s, Goal::Script))).collect();
    assert!(bad.is_empty(), "\n{}", bad.join("\n"));
}

#[test]
fn modules() {
    for source in [
        "import a, {b, c as d, default as e, 'f g' as h} from 'm'; import 'n'; import i, * as j from 'o' with {type: 'json',};",
        "export {a, a as b, a as 'c d', a as if}; let a; export default class {}",
        "export * from 'm'; export * as ns from 'm'; export * as 'x' from 'm'; export {default} from 'm'; export {default as q} from 'm'",
        "await 1; for await (const a of b) ; import.meta.url; await import('a')",
        "export default async () => {}",
        "export default async function () {}",
        "export default (a, b)",
        "export const {a, b: [c]} = d",
        "export default function f() {} f()",
        "export {}; export {} from 'm'",
    ] {
        assert_eq!(codes(source, Goal::Module), Vec::<&str>::new(), "{source}");
    }
    for (source, code) in [
        ("export {a}", "E-EXPORT"),
        ("export let a; export {b as a}; let b", "E-DUPLICATE"),
        ("export default 1; export default 2", "E-DUPLICATE"),
        ("import {a, b as a} from 'm'", "E-DUPLICATE"),
        ("import {a} from 'm'; let a", "E-DUPLICATE"),
        ("var a; function a() {}", "E-DUPLICATE"),
        ("let await", "E-RESERVED"),
        ("import {if} from 'm'", "E-RESERVED"),
        ("export {'a'}; let a", "E-RESERVED"),
        ("import {a as eval} from 'm'", "E-NAME"),
        ("import 'm' with {a: 'b', a: 'c'}", "E-DUPLICATE"),
        ("{ export let a; }", "E-MODULE"),
        ("export {'\\uD800'} from 'm'", "E-MODULE"),
        ("() => await 1", "E-RESERVED"),
        ("(a = await 1) => 1", "E-PARAMS"),
        ("import a 'm'", "E-SYNTAX"),
    ] {
        assert!(codes(source, Goal::Module).contains(&code), "{source}: {code}, found {:?}", codes(source, Goal::Module));
    }
}

#[test]
fn expressions_and_nothing_else() {
    assert!(codes("a + b, {c: 1}", Goal::Expression).is_empty());
    for source in ["", "a;", "let a", "a b", "a}"] {
        assert!(!codes(source, Goal::Expression).is_empty(), "{source}");
    }
}

#[test]
fn the_dialect_of_2013_sends_with_a_bang() {
    let dialect = Options { goal: Goal::Script, level: Level::Strict, dialect_2013: true };
    let parsed = parse("let r = x ! m(a) ! n; !r; r !== x;", &dialect);
    assert!(!parsed.has_errors(), "{:?}", parsed.diagnostics);
    assert_eq!(parsed.tree.exprs.iter().filter(|e| matches!(e, Expr::Send { .. })).count(), 2);
    assert!(!codes("x ! m(a)", Goal::Script).is_empty());
}

/// The value of a literal that is the whole program.
fn literal(source: &str) -> String {
    let parsed = parse(source, &Options { goal: Goal::Expression, ..Options::default() });
    assert!(!parsed.has_errors(), "{source}: {:?}", parsed.diagnostics);
    let Body::Expr(id) = parsed.tree.functions[0].body else { return String::new() };
    match parsed.tree.expr(id) {
        Expr::Number(n) => format!("{n:?}"),
        Expr::String(s) | Expr::BigInt(s) => parsed.tree.name_text(*s),
        Expr::Template { quasis, .. } => quasis
            .iter()
            .map(|q| q.cooked.map_or("-".into(), |c| parsed.tree.name_text(c)) + "|" + &parsed.tree.name_text(q.raw))
            .collect(),
        Expr::Object(props) => match &props[0] {
            Property::Value { key: Key::Name(k), .. } => parsed.tree.name_text(*k),
            _ => String::new(),
        },
        other => format!("{other:?}"),
    }
}

#[test]
fn values_of_literals() {
    for (source, expected) in [
        ("0x1F", "31.0"),
        ("0b101", "5.0"),
        ("0o17", "15.0"),
        ("1_000.5", "1000.5"),
        (".5e1", "5.0"),
        ("5.", "5.0"),
        ("1e400", "inf"),
        ("0x20000000000001", "9007199254740992.0"),
        ("0x20000000000003", "9007199254740996.0"),
        ("0xFFn", "0xff"),
        ("1_0n", "10"),
        ("'a\\x41\\u{1F600}\\n\\\r\nb'", "aA😀\nb"),
        ("'\\0'", "\0"),
        ("`a\\n\r\nb`", "a\n\nb|a\\n\nb"),
        ("({1e3: 0})", ""),
        ("{1e3: 0}", "1000"),
        ("{0.1: 0}", "0.1"),
        ("{1e21: 0}", "1e+21"),
        ("{1e-7: 0}", "1e-7"),
        ("{0x10n: 0}", "16"),
        ("{123456789012345680000: 0}", "123456789012345680000"),
        ("{.000001: 0}", "0.000001"),
    ] {
        if !expected.is_empty() {
            assert_eq!(literal(source), expected, "{source}");
        }
    }
}
