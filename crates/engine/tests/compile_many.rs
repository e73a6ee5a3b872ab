#![forbid(unsafe_code)]
//! Shapes of programs that are large, deep or odd: they compile (or say why not) in bounded stack and pass the verifier.
use engine::code::{CodeUnit, FuncInfo, op};
use engine::compile::{CompileError, CompileOptions, compile, verify};
use std::fmt::Write;
use syntax::Options;
use syntax::ast::Goal;

fn build(source: &str, goal: Goal) -> Result<(), CompileError> {
    let parsed = syntax::parse(source, &Options { goal, ..Options::default() });
    assert!(!parsed.has_errors(), "{:?}", parsed.diagnostics);
    let options = CompileOptions { script_completion: goal == Goal::Script, ..CompileOptions::default() };
    let unit = compile(&parsed.tree, source.into(), "test", &options)?;
    let again = compile(&parsed.tree, source.into(), "test", &options)?;
    assert!(unit.words == again.words && unit.consts == again.consts, "the same source gave other code");
    if let Err(e) = verify(&unit) {
        panic!("{e}\n{}", engine::compile::disassemble(&unit));
    }
    unit.functions.iter().for_each(|f| paid(&unit, f));
    Ok(())
}

/// Instructions that follow each other, jumps included, before one takes fuel.
const MOST: u32 = 66;

/// On every way through a function there is soon an instruction that takes fuel. A backward jump does, an exception on its way too.
fn paid(unit: &CodeUnit, f: &FuncInfo) {
    let words = &unit.words[f.at as usize..(f.at + f.len + 2) as usize];
    let mut unpaid: Vec<Option<u32>> = vec![None; words.len() + 1];
    let mut starts = vec![2];
    while let Some(&at) = starts.last().filter(|at| **at < words.len()) {
        let [o, _, b, _] = words[at].to_le_bytes();
        let sources = if o == op::CLOSURE { usize::from(b).div_ceil(2) } else { 0 };
        starts.push(at + 1 + op::extra(o).unwrap() as usize + sources);
    }
    let next = |at: usize| starts[starts.binary_search(&at).unwrap() + 1];
    let jumps = |at: usize| {
        let operands = op::OPS.iter().find(|e| e.0 == words[at] as u8).unwrap().2;
        let extra = operands.split(' ').filter(|s| "j#@~fw".contains(s.chars().next().unwrap_or(' '))).enumerate();
        let mut to: Vec<i64> = extra.filter(|e| e.1 == "j").map(|(k, _)| i64::from(words[at + 1 + k] as i32)).collect();
        to.extend((operands == "J").then_some(i64::from(words[at] as i32 >> 8)));
        to.into_iter().map(move |rel| (next(at) as i64 + rel) as usize)
    };
    unpaid[2] = Some(0);
    f.handlers.iter().for_each(|h| unpaid[h.target as usize] = Some(0));
    for &at in starts.iter().filter(|at| **at < words.len()) {
        jumps(at).filter(|to| *to <= at).for_each(|to| unpaid[to] = Some(0));
    }
    for &at in starts.iter().filter(|at| **at < words.len()) {
        let Some(before) = unpaid[at] else { continue };
        let o = words[at] as u8;
        let after = if matches!(o, op::CALL..=op::NEWV | op::PAY) { 0 } else { before + 1 };
        assert!(after <= MOST, "{after} instructions for nothing at {at} of {}", engine::compile::disassemble(unit));
        let falls = !matches!(o, op::JMP | op::RET | op::RETU | op::THROW | op::THROWC | op::RETASYNC | op::REJASYNC);
        for to in jumps(at).filter(|to| *to > at).chain(falls.then(|| next(at))) {
            unpaid[to] = Some(unpaid[to].unwrap_or(0).max(after));
        }
    }
}

#[test]
fn long_ways_are_paid_for() {
    for piece in [
        "x = x + 1;",
        "if (x < 0) x = 2;",
        "if (x < 0) { x = 1; x = 2; x = 3; } else if (y) x = 4; else { x = 5; y = 1; }",
        "x = x > 0 && y || x;",
        "x = y ? x : 1;",
        "x = y ?? x?.a;",
        "try { x = 1; } catch { x = 2; }",
        "try { x = 1; } finally { x = 2; }",
        "for (const k of []) { x = k; if (y) break; }",
        "for (const k in x) { x = k; }",
        "do { x = 1; if (y) continue; x = 2; } while (x < 0);",
        "switch (x) { case 1: x = 2; case y: x = 3; break; default: x = 4; }",
        "{ const { a, b = 1, ...r } = {}; x = a; y = r; }",
        "{ const [a, b = 1, ...r] = []; x = a; y = r; }",
        "x = { a: 1, b: x, c: [x, y] };",
        "x = `${x}${y}`; x = () => y;",
    ] {
        script(&format!("let x = 1, y; {}", piece.repeat(1000)));
        script(&format!("let x = 1, y; const f = () => {{ for (;;) {{ {} if (x) return; }} }};", piece.repeat(1000)));
        script(&format!("let x = 1, y; async () => {{ {} await x; {} }};", piece.repeat(1000), piece.repeat(1000)));
    }
}

fn script(source: &str) {
    if let Err(e) = build(source, Goal::Script) {
        panic!("{e:?}\n{}", source.get(..200).unwrap_or(source));
    }
}

/// On a stack of 2 MiB.
fn on_small_stack(f: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(f).unwrap();
    thread.join().unwrap();
}

fn repeat(n: usize, mut piece: impl FnMut(usize, &mut String)) -> String {
    let mut s = String::new();
    (0..n).for_each(|i| piece(i, &mut s));
    s
}

#[test]
fn chains_of_a_hundred_thousand() {
    on_small_stack(|| {
        const N: usize = 100_000;
        script(&format!("let a = 1; a{};", " + a".repeat(N)));
        script(&format!("let a = 1; a{};", " * 2 - 1".repeat(N)));
        script(&format!("let a = 1; if (a{}) a;", " && a".repeat(N)));
        script(&format!("let a = 1; a = a{};", " || a".repeat(N)));
        script(&format!("let a = 1; a = a{};", " ?? a".repeat(N)));
        script(&format!("let a = {{}}; a{};", ".b".repeat(N)));
        script(&format!("let a = {{}}; a{};", ".b()".repeat(N)));
        script(&format!("let a = {{}}; a{};", "(1)".repeat(N)));
        script(&format!("let a = {{}}; a{};", "[a]".repeat(N)));
        script(&format!("let a = {{}}; a?.b{};", ".c(a).d".repeat(N)));
        script(&format!("let a = {{}}; a{};", " ~. m(1)".repeat(N)));
        script(&format!("let a = 1; {} a;", "if (a === 1) a; else ".repeat(N)));
        script(&format!("let a = 1; (a{});", ", a".repeat(N)));
    });
}

#[test]
fn deep_nesting() {
    on_small_stack(|| {
        for n in [60, 400, 1000] {
            let nest = |open: &str, mid: &str, close: &str| format!("{}{mid}{}", open.repeat(n), close.repeat(n));
            for source in [
                nest("[", "1", "]"),
                format!("({})", nest("{ a: ", "1", "}")),
                nest("(", "1", ")"),
                nest("!", "1", ""),
                nest("f(", "1", ")"),
                nest("1 + (", "1", ")"),
                nest("{", "", "}"),
                nest("if (x) {", "", "}"),
                nest("while (x) {", "", "}"),
                nest("for (const a of x) {", "", "}"),
                nest("try {", "", "} finally { x }"),
                nest("x => ", "1", ""),
                nest("`${", "1", "}`"),
                nest("x ? 1 : ", "1", ""),
                nest("async () => { await ", "1", "}"),
            ] {
                let parsed = syntax::parse(&source, &Options::default());
                if parsed.has_errors() {
                    continue;
                }
                match build(&source, Goal::Script) {
                    Ok(()) => {}
                    Err(e) => assert_eq!(e.code, "E-REGISTERS", "{e:?}"),
                }
            }
        }
    });
}

#[test]
fn more_variables_than_registers() {
    let lets = repeat(1000, |i, s| writeln!(s, "let v{i} = {i}; const w{i} = () => v{i} + 1; v{i} += w{i}();").unwrap());
    script(&lets);
    script(&format!("function f() {{ {lets} return () => v999; }}"));
    script(&format!("{lets} const all = () => {{ {} return () => v7; }};", repeat(900, |i, s| write!(s, "v{i}++;").unwrap())));
    let vars = repeat(600, |i, s| write!(s, "var x{i} = {i}; function g{i}() {{ return x{i}; }}").unwrap());
    script(&vars);
    let block = repeat(400, |i, s| writeln!(s, "let v{i} = {i}; const w{i} = v{i} * 2; v{i} += w{i};").unwrap());
    script(&format!("for (let i = 0; i < 3; i++) {{ {block} f(v0, v399); }}"));
    script(&format!("switch (x) {{ case 1: {{ {block} }} default: {{ {block} }} }}"));
    build(&format!("export const a = 1; {lets} export {{ v3 }};"), Goal::Module).unwrap();
}

#[test]
fn many_of_everything() {
    let list = |n: usize| repeat(n, |i, s| write!(s, "{i},").unwrap());
    script(&format!("const a = [{}];", list(10_000)));
    script(&format!("f({});", list(1000)));
    script(&format!("new F({});", list(1000)));
    script(&format!("x ~. f({});", list(1000)));
    script(&format!("const o = {{{}}};", repeat(1000, |i, s| write!(s, "k{i}: {i},").unwrap())));
    script(&format!("const s = `{}`;", repeat(1000, |i, s| write!(s, "a${{{i}}}").unwrap())));
    script(&format!("f`{}`;", repeat(300, |i, s| write!(s, "a${{{i}}}").unwrap())));
    script(&format!("switch (x) {{ {} }}", repeat(5000, |i, s| write!(s, "case {i}: f({i}); break;").unwrap())));
    script(&repeat(2000, |i, s| writeln!(s, "{{ const a = {i}; let b = () => a; b(); }}").unwrap()));
}

#[test]
fn modules() {
    for source in [
        "import a, { b as c } from 'x'; import * as ns from 'y'; export { c as d }; export * from 'z'; a(c, ns);",
        "export const x = 1; export let y; export var z = x; export function f() { return y; } f();",
        "export default () => 1;",
        "export default function () { return 1; }",
        "export const { a, b: [c] } = await d; export { e as f } from 'g'; export * as h from 'i'; let d, e;",
        "for await (const x of y) { if (x) break; }",
    ] {
        build(source, Goal::Module).unwrap();
    }
}

#[test]
fn not_yet() {
    for source in ["class A {}", "function* f() {}", "/a/;", "import('a');", "(class {});"] {
        let error = build(source, Goal::Script).unwrap_err();
        assert_eq!(error.code, "E-NOT-YET", "{source}: {error:?}");
        assert!(error.help.is_some());
    }
}

/// Damaged code is refused: one test for each promise of the verifier.
#[test]
fn the_verifier_sees() {
    let source = "function f(a) { for (const x of a) { if (x < 3) f(x); } return { a, b: 1 }; }";
    let parsed = syntax::parse(source, &Options::default());
    let good = compile(&parsed.tree, source.into(), "test", &CompileOptions::default()).unwrap();
    verify(&good).unwrap();
    let f = &good.functions[1];
    let at = f.at as usize;
    let find = |o: u8| (at + 2..at + 2 + f.len as usize).find(|&i| good.words[i].to_le_bytes()[0] == o).unwrap();
    let damaged = |position: usize, word: u32| {
        let mut unit = good.clone();
        unit.words[position] = word;
        verify(&unit).unwrap_err()
    };
    let (ret, call, jump, literal) = (find(op::RET), find(op::CALL), find(op::JNLTI), find(op::NEWREC));
    assert!(damaged(ret, op::word(op::RET, 200, 0, 0)).contains("beyond the frame"));
    assert!(damaged(ret, op::word(op::NOP, 0, 0, 0)).contains("runs off"));
    assert!(damaged(ret, op::word(op::EXIT, 0, 0, 0)).contains("unknown opcode"));
    assert!(damaged(jump + 1, 10_000).contains("bad operand"));
    assert!(damaged(literal + 1, 0).contains("bad operand"));
    let [_, a, n, _] = good.words[call].to_le_bytes();
    assert!(damaged(call, op::word(op::CALL, a - 1, n + 1, 0)).contains("holds nothing"));
    let mut unit = good.clone();
    unit.functions[1].handlers[0].target = (jump + 1 - at) as u32;
    assert!(verify(&unit).is_err());
}
