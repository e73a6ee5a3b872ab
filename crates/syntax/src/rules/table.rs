//! The table of rules: the one place that `check --rules`, the documentation and the tests read.
//!
//! Invariant: one entry a rule of the specification and code, in order; examples are parsed by the tests.
use super::expressions as e;
use super::functions as f;
use super::globals as g;
use super::lexical as l;
use super::modules as m;
use super::statements as s;
use super::{Form, How, Rule};
use crate::diagnostic::Level;

use Form::{Body, Json, Justin, LaterBody, Module};
use How::{Allows, Expr, Json as JsonReader, Nobody, Parser, Stmt, Whole};
use Level::{Jessie, Jessie2026, Justin as JustinLevel, Ses, Strict, TinySes};

type Text = &'static str;

#[allow(clippy::too_many_arguments)]
const fn rule(code: Text, until: Level, how: How, form: Form, accept: Text, reject: Text, message: Text, help: Text) -> Rule {
    let checked = !matches!(how, How::Nobody);
    Rule { code, until, message, help, form, accept, reject, checked, how }
}

/// All rules of the ladder; those with `checked: false` are not enforced yet.
pub fn rules() -> &'static [Rule] {
    RULES
}

#[rustfmt::skip]
const RULES: &[Rule] = &[
    // ---- JSON and lexical
    rule("JS-001", Level::Json, JsonReader, Json, r#"{"a":[1,null]}"#, "{a:1}", "this is no JSON text", "write it as RFC 8259 has it"),
    rule("JS-002", Level::Json, JsonReader, Json, r#""\u00e9\n\/""#, r#""\q""#, "this escape is unknown", "write `\\u` and four digits"),
    rule("JS-003", Strict, Parser("E-STRING"), Body, "return 'é';", "return 'é", "a string ends on its line", "close it with the quote it began with"),
    rule("JS-004", TinySes, Whole(l::js_004), Body, "return 12.5e-3;", "return .5;", "a number is written in decimal, with digits on both sides of the point", "write `0.5`, `1` or the decimal value"),
    rule("JS-005", Strict, Parser("E-NUMBER"), Body, "return 1_000;", "return 1__0;", "a separator stands singly between two digits", "write `1_000`"),
    rule("JS-006", Strict, Parser("E-NUMBER"), Body, "return -5n;", "return 1.5n;", "a BigInt is an integer", "leave out the fraction or the `n`"),
    rule("JS-007", TinySes, Whole(l::js_007), Body, "return a\n+ b;", "return a\u{a0}+ b;", "white space is tab, line feed, carriage return and space", "write a plain space"),
    rule("JS-008", Level::Json, JsonReader, Json, "1", "1 // one", "JSON has no comments", "leave the comment out"),
    rule("JS-009", Strict, Parser("E-HTML-COMMENT"), Body, "return a < !b;", "return a <!--b;", "an old script could read this as a comment", "put spaces between the signs"),
    rule("JS-010", Strict, Allows, Module, "#!/usr/bin/env drses\nexport const a = 1;", "", "a first line that begins with `#!` is allowed", ""),
    rule("JS-011", TinySes, Whole(l::js_011), Body, "const $a_1 = 1; return $a_1;", "const é = 1; return é;", "identifiers are of ASCII letters, digits, `$` and `_`", "choose another name"),
    rule("JS-012", TinySes, Whole(l::js_012), Body, "return m.get(k);", "const async = 1; return async;", "this word is reserved", "choose another name"),
    rule("JS-013", Strict, Parser("E-RESERVED"), Body, "const lets = 1; return lets;", "const static = 1;", "`let` and `static` are reserved", "choose another name"),
    rule("JS-014", Strict, Allows, Body, "const in1 = 1; const for2 = 2; return in1 + for2;", "", "a keyword followed by a digit is a name", ""),
    rule("JS-015", Strict, Allows, Body, "const get = 1; const set = 2; return get + set;", "", "`get` and `set` are ordinary names", ""),
    rule("JS-016", Strict, Allows, Body, "const insulate = 1; return insulate;", "", "`insulate` is an ordinary name", ""),
    rule("JS-017", TinySes, Whole(l::js_017), Body, "const $x = 1; return $x;", "return a.$i_x;", "names that begin with `$h_` or `$i_` belong to the implementation", "choose another name"),
    rule("JS-018", TinySes, Whole(l::js_018), Body, "return a.proto;", "return a.__proto__;", "`__proto__` is no property name", "choose another name, or build the object whole"),
    rule("JS-019", TinySes, Expr(e::js_019), Body, "return a / b / c;", "return /ab/;", "Jessie has no regular expressions", "use the methods of strings, or a parser passed in as a power"),
    rule("JS-020", TinySes, Whole(l::js_020), Body, "let q = 1; return q;", "let q = 1\nreturn q;", "a statement ends with `;`", "write `;` here"),
    rule("JS-021", TinySes, Whole(l::js_021), Body, "return x;", "return\nx;", "the operand stands on the line of its keyword", "join the lines"),
    rule("JS-022", Strict, Parser("E-ARROW"), Body, "return x =>\nx;", "return x\n=> x;", "`=>` stands on the line of its parameters", "join the lines"),
    rule("JS-023", Strict, Parser("E-SYNTAX"), Body, "let q = 1; q++;", "let q = 1; q\n++;", "postfix `++` and `--` stand on the line of their operand", "join the lines"),
    rule("JS-024", TinySes, Whole(s::js_024), Module, ";", "export const g = x => { x;; };", "an empty statement does nothing", "leave the `;` out"),
    // ---- expressions
    rule("JS-030", TinySes, Expr(e::js_030), Justin, "[...a, 1,]", "[1,,2]", "an array literal has no holes", "write `undefined`"),
    rule("JS-031", Jessie, Expr(e::js_031), Justin, "{a, 'b': 2, 3: 4, ...c}", "{[k]: 1}", "a key of a literal is written out", "use `Object.fromEntries([[key, value]])`"),
    rule("JS-032", TinySes, Expr(e::js_032), Justin, "{a: 1, b: 2}", "{a: 1, a: 2}", "a key is given twice", "leave one of the two out"),
    rule("JS-033", TinySes, Expr(e::js_033), Body, "return harden({m(q) { return q; }, get w() { return 1; }, set w(v) {}});", "return harden({*m() {}});", "methods are plain: not async, no generators, accessors without computed keys", "write an ordinary method"),
    rule("JS-034", Jessie, Expr(e::js_034), Justin, "a.b", "a?.b", "Jessie has no optional chaining", "write `a === undefined ? undefined : a.b`"),
    rule("JS-035", TinySes, Expr(e::js_035), Justin, "a[+i]", "a[i]", "an index is a number", "write `a[+i]`, `a[0]` or `a.name`"),
    rule("JS-036", TinySes, Expr(e::js_036), Body, "return (1, a[+i])(x);", "return a[+i](x);", "a function out of an array would be called with the array as `this`", "write `(1, a[+i])(x)`"),
    rule("JS-037", TinySes, Nobody, Body, "", "", "the callee of `r.f(x)` may see `r` as `this`", "write `(1, r.f)(x)`"),
    rule("JS-038", TinySes, Expr(e::js_038), Body, "return (0, f)(x);", "return (a, b);", "the comma operator stands only in `(0, f)(x)`", "write two statements"),
    rule("JS-039", Strict, Allows, Justin, "f(a, ...b,)", "", "calls have spread and a trailing comma", ""),
    rule("JS-040", Strict, Parser("E-ESCAPE"), Justin, "`a${`b${c}`}d`", r"`\u{`", "this escape is malformed", "write `\\u` and four digits"),
    rule("JS-041", Strict, Allows, Justin, "a.b`v ${x}`", "", "templates may be tagged", ""),
    rule("JS-042", TinySes, Expr(e::js_042), Body, "return typeof x;", "delete a.b;", "Jessie has no `delete`", "build an object without the property"),
    rule("JS-043", Strict, Allows, Body, "let q = 1; q++; ++q;", "", "`++` and `--` stand before and behind variables and properties", ""),
    rule("JS-044", Strict, Parser("E-POWER"), Justin, "(-2) ** 2", "-x ** 2", "a unary operator before `**` is ambiguous", "put parentheses around it"),
    rule("JS-045", TinySes, Expr(e::js_045), Justin, "(a & b) === c", "a & b === c", "relational, equality and bitwise operators do not mix", "put parentheses around one of them"),
    rule("JS-046", Strict, Allows, Justin, "a << 2 | b", "", "bitwise operators and shifts are allowed", ""),
    rule("JS-047", TinySes, Expr(e::js_047), Justin, "a === b", "a == b", "`==` and `!=` convert before they compare", "write `===` or `!==`"),
    rule("JS-048", Jessie, Expr(e::js_048), Justin, "a || b && c", "a ?? b", "Jessie has no `??`", "write `a === undefined ? b : a`"),
    rule("JS-049", TinySes, Expr(e::js_049), Body, "return makeMap();", "return new Map();", "this is no part of Jessie", "write a maker: a function that returns a hardened object"),
    rule("JS-050", TinySes, Expr(e::js_050), Body, "return a;", "return import('x');", "Jessie imports at the top of a module only", "write an `import` declaration, or take the value as a parameter"),
    rule("JS-051", TinySes, Whole(l::js_051), Body, "return confine('1', harden({}));", "return eval(x);", "`eval` is reserved", "use `confine(source, names)`"),
    rule("JS-052", TinySes, Whole(e::js_052), Body, "const q = undefined; return q;", "const undefined = 1;", "this name always means its constant", "choose another name"),
    rule("JS-053", TinySes, Expr(e::js_053), Body, "a.b = 1; a[+i] = 1;", "a[i] = 1;", "one assigns to a variable, a named property or a numeric index", "write `a[+i] = 1`, or use a map"),
    rule("JS-054", TinySes, Expr(e::js_054), Body, "let q = 1; q **= 2; q >>>= 1;", "let q = 1; q ||= 2;", "Jessie has no logical assignment", "write an `if`"),
    // ---- eventual send
    rule("JS-060", Strict, Allows, Body, "return x~.foo(1);", "", "`x~.foo(1)` is one send", ""),
    rule("JS-061", Strict, Allows, Body, "return x~.[+i](1);", "", "`x~.(1)` and `x~.[i]` are sends", ""),
    rule("JS-062", Strict, Parser("JS-062"), Body, "return x~.foo;", "x~.foo = 1;", "a property of a distant object cannot be assigned to", "send a message that asks the object to do it"),
    rule("JS-063", Strict, Parser("JS-063"), Body, "return x~.foo;", "delete x~.foo;", "a property of a distant object cannot be deleted", "send a message that asks the object to do it"),
    rule("JS-064", Strict, Parser("JS-064"), Body, "return x~.(1);", "return x~.`t`;", "a send cannot be a tagged template", "write `~.(…)`"),
    rule("JS-065", Strict, Parser("JS-065"), Body, "return x~.a~.b(1)~.c;", "x~.p += 1;", "a property of a distant object cannot be assigned to", "send a message that asks the object to do it"),
    rule("JS-066", Strict, Allows, Body, "x~.foo();", "", "a send whose value is not used asks for no answer", ""),
    rule("JS-067", TinySes, Whole(l::js_067), Body, "return x~.foo;", "return x~.__proto__;", "this property cannot be asked for", "choose another name"),
    // ---- functions and patterns
    rule("JS-070", TinySes, Whole(f::js_070), Body, "return (q, w = 1, ...v) => q;", "return function* q() {};", "Jessie has no generators", "write a function that takes a function"),
    rule("JS-071", Jessie, Whole(f::js_071), Body, "return a.then(q => q);", "return async () => 1;", "Jessie has no async functions", "use `E.when(promise, value => …)`, or level jessie-2026"),
    rule("JS-072", TinySes, Whole(f::js_072), LaterBody, "return async () => { await null; if (a) { await b(); } };", "return async () => { if (a) { await b(); } c(); };", "the first `await` of a function stands in a branch", "write `await null;` before it"),
    rule("JS-073", TinySes, Nobody, Body, "", "", "an `await` stands deep within an expression", "give its value a name first"),
    rule("JS-074", Jessie, Whole(f::js_074), Body, "return (q = 1) => q;", "return ({q} = a) => q;", "a pattern has no default in Jessie", "take the parameter apart in the body"),
    rule("JS-075", Jessie, Whole(f::js_075), Body, "const {q, k: w, v = 1, ...u} = a; return q + w + v + u.x;", "const {a: q = 1} = b; return q;", "a renamed part of a pattern has no default in Jessie", "give the default in a second step"),
    rule("JS-076", TinySes, Whole(f::js_076), Body, "const [q, w,] = a; return q + w;", "const [q,,w] = a; return q + w;", "a pattern has no holes", "name what is not used"),
    rule("JS-077", Strict, Parser("E-PARAMS"), Body, "return ([q]) => q;", "return ([1, q]) => q;", "a pattern holds names, no values", "compare in the body"),
    rule("JS-078", Strict, Parser("E-DUPLICATE"), Body, "const q = 1; return q;", "const q = 1; const q = 2;", "a name is declared once", "give one of the two another name"),
    rule("JS-079", TinySes, Whole(f::js_079), Body, "let q = 1; q = 2;", "const q = 1; q = 2;", "this cannot be assigned or used here", "declare it with `let`, and before its use"),
    // ---- statements
    rule("JS-080", TinySes, Stmt(s::js_080), Body, "if (a) {} else if (b) {} else {}", "if (a) b();", "every arm is a block", "put `{ }` around it"),
    rule("JS-081", TinySes, Stmt(s::js_081), Body, "for (const q of e) {} for (let q = 0; q < n; q += 1) {}", "for (const q in o) {}", "loops are `for (const x of xs)` and `for (let i = 0; …)`", "write `for (const [k, v] of Object.entries(o))`"),
    rule("JS-082", TinySes, Stmt(s::js_082), Body, "while (a) {}", "do {} while (a);", "Jessie has no `do`", "write `while`"),
    rule("JS-083", TinySes, Stmt(s::js_083), Body, "switch (a) { case 1: case 2: { return; } default: { break; } }", "switch (a) { case 1: break; }", "a case is one block that ends in `return`, `break`, `continue` or `throw`", "write `case 1: { …; break; }`"),
    rule("JS-084", Strict, Parser("E-LABEL"), Body, "q: while (a) { continue q; }", "while (a) { continue q; }", "this label is unknown", "label the loop"),
    rule("JS-085", Jessie, Stmt(s::js_085), Body, "try {} catch (q) {}", "try {} catch {}", "`catch` names what it catches", "write `catch (_error)`"),
    rule("JS-086", TinySes, Stmt(s::js_086), Body, "const q = 1; return q;", "var q = 1;", "Jessie has no `var`", "write `const` or `let`"),
    rule("JS-087", TinySes, Stmt(s::js_087), Body, "function q() {} return q;", "class Q {}", "Jessie has no classes", "write a maker: a function that returns a hardened object"),
    rule("JS-088", TinySes, Stmt(s::js_088), Body, "a(b);", "[a, b];", "a statement does not begin with `[`", "give the array a name"),
    rule("JS-089", Strict, Parser("E-WITH"), Body, "debugger;", "with (a) {}", "`with` is no part of strict code", "name the object and write `object.name`"),
    rule("JS-090", Jessie2026, Whole(g::js_090), Module, "import { a } from './m.js'; export const f = b => a(b);", "import { harden } from './evil.js'; export default harden({});", "this name always means the one Jessie knows", "choose another name"),
    // ---- modules
    rule("JS-100", TinySes, Whole(m::js_100), Module, "'use jessie'; import { f } from 'm'; export const g = x => f(x); ;", "let a = 1;", "a module holds imports, constants and exports", "put it into a function"),
    rule("JS-101", TinySes, Whole(m::js_101), Module, "export const a = harden({ f: x => x });", "export const a = {};", "a constant of a module is hardened, and its making has no effect", "write `harden(…)`, or compute it in a function"),
    rule("JS-102", TinySes, Whole(m::js_102), Module, "export const a = harden({ f: x => x });", "export const f = x => x; harden(f);", "a constant of a module is hardened where it is made, or at once in the next statement (from jessie-2026 on)", "write `harden(…)` around its value"),
    rule("JS-103", TinySes, Whole(m::js_103), Module, "export const a = 1; export default harden({});", "const a = 1; export { a };", "exports are `export const` and `export default` (lists from jessie-2026 on)", "write `export const`"),
    rule("JS-104", TinySes, Whole(m::js_104), Module, "import a, { b as c, } from 'm'; import * as d from 'n'; export const f = () => a(c, d);", "import 'm';", "an import names what it imports", "name what you need, or leave it out"),
    rule("JS-105", Strict, Allows, Module, "export const a = 1;", "", "imports keep their names", ""),
    rule("JS-106", TinySes, Nobody, Module, "", "", "a module has no mutable state", "make the state in a function"),
    rule("JS-107", Jessie2026, Whole(g::js_107), Body, "return Object.keys(a);", "return Date;", "this name is declared nowhere", "take it as a parameter, or import it"),
    // ---- must harden before escape
    rule("JS-110", TinySes, Whole(super::harden::js_110), Body, "const q = {}; q.p = 1; return harden(q);", "const q = {}; q.p = 1; return q;", "this value escapes before it is hardened", "write `harden(…)` around it"),
    rule("JS-111", TinySes, Parser("JS-110"), Body, "const q = {}; q.p = 1; return harden({...q, w: q.p});", "const q = {}; g(q); return harden(q);", "a value that is not hardened yet may be filled and read only", "harden it first"),
    rule("JS-112", TinySes, Parser("JS-112"), Body, "const q = {}; q.p = 1; harden(q); return q;", "const q = {}; harden(q); q.p = 1; return q;", "what is hardened cannot be assigned to", "assign before it is hardened"),
    rule("JS-113", TinySes, Parser("JS-110"), Body, "return xs.map(q => q);", "const q = w => w; q.p = 1; return q;", "a function literal is born hardened unless its properties are assigned", "harden it after the last assignment"),
    rule("JS-114", TinySes, Parser("JS-114"), Body, "const q = harden({}); return () => q;", "const q = {}; return () => q;", "a closure escapes with a value that is not hardened yet", "harden it before the closure escapes"),
    rule("JS-115", Strict, Allows, Body, "return f(a);", "", "parameters, results and imports owe nothing", ""),
    // ---- other levels
    rule("JS-J01", JustinLevel, Expr(e::justin), Justin, "a.b(1)", "x => x", "Justin has no functions, assignments or sends", "use level jessie"),
    rule("JS-J02", JustinLevel, Parser("E-SYNTAX"), Justin, "a", "a; b", "Justin is one expression", "use level jessie"),
    rule("JS-S01", Ses, Expr(super::ses::import_call), Body, "return a;", "return import('x');", "`import(…)` needs a compartment that handles it", "write an `import` declaration"),
];
