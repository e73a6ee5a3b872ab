#![forbid(unsafe_code)]
//! What the compiler gives for small programs, instruction by instruction. A test that fails prints what there is now.
use engine::compile::{CompileOptions, compile, disassemble, verify};
use syntax::Options;
use syntax::ast::Goal;

fn check(source: &str, expected: &str) {
    let goal = if source.starts_with("import") { Goal::Module } else { Goal::Script };
    let parsed = syntax::parse(source, &Options { goal, ..Options::default() });
    assert!(!parsed.has_errors(), "{:?}", parsed.diagnostics);
    let unit = compile(&parsed.tree, source.into(), "test", &CompileOptions::default()).unwrap();
    verify(&unit).unwrap();
    let got = disassemble(&unit);
    assert!(got == expected, "now:\n{got}");
}

#[test]
fn recursion() {
    check(
        r##"const fib = n => (n < 2 ? n : fib(n - 1) + fib(n - 2));
fib(32);"##,
        r##"f0 "" params 0 registers 8 flags 0
     2 CLOSURE r3 0 0 f1
     4 MOV r4 r3
     5 LDI r7 32
     6 CALL r4 1
     7 RETU
f1 "fib" params 1 registers 9 flags 4
     2 JNLTI r3 2 →5
     4 RET r3
     5 MOV r4 r0
     6 SUBI r7 r3 1
     7 CALL r4 1
     8 MOV r5 r0
     9 SUBI r8 r3 2
    10 CALL r5 1
    11 ADD r4 r4 r5
    12 RET r4
"##,
    );
}

#[test]
fn counter() {
    check(
        r##"const makeCounter = start => {
  let count = start;
  return { incr: by => (count += by), read: () => count };
};"##,
        r##"f0 "" params 0 registers 4 flags 0
     2 CLOSURE r3 0 0 f1
     4 RETU
f1 "makeCounter" params 1 registers 7 flags 4
     2 NEWBOX r4 r3
     3 CLOSURE r5 1 0 f2 r4
     6 CLOSURE r6 1 0 f3 r4
     9 NEWREC r5 r5 2 {incr read}
    11 RET r5
f2 "incr" params 1 registers 5 flags 4
  captures count
     2 GETCAPB r4 0 "count"
     4 ADD r4 r4 r3
     5 SETCAPB r4 0 "count"
     7 RET r4
f3 "read" params 0 registers 4 flags 4
  captures count
     2 GETCAPB r3 0 "count"
     4 RET r3
"##,
    );
}

#[test]
fn mutual() {
    check(
        r##"const a = n => (n ? b(n - 1) : a);
const b = n => a(n);"##,
        r##"f0 "" params 0 registers 6 flags 0
     2 LDV r3 4
     3 NEWBOX r3 r3
     4 CLOSURE r4 1 0 f1 r3
     7 CLOSURE r5 1 0 f2 r4
    10 INITBOX r3 r5
    11 RETU
f1 "a" params 1 registers 8 flags 4
  captures b
     2 JF r3 →9
     4 GETCAPB r4 0 "b"
     6 SUBI r7 r3 1
     7 CALL r4 1
     8 RET r4
     9 RET r0
f2 "b" params 1 registers 8 flags 4
  captures a
     2 GETCAP r4 0
     3 MOV r7 r3
     4 CALL r4 1
     5 RET r4
"##,
    );
}

#[test]
fn loop_() {
    check(
        r##"function f(a) {
  let s = 0;
  for (let i = 0; i < a.length; i++) s += a[i] * 2;
  return s | 0;
}"##,
        r##"f0 "" params 0 registers 4 flags 0
     2 CLOSURE r3 0 0 f1
     4 RETU
f1 "f" params 1 registers 8 flags 8
     2 LDI r4 0
     3 LDI r5 0
     4 JMP →9
     5 GETE r7 r3 r5
     6 MULI r7 r7 2
     7 ADD r4 r4 r7
     8 INC r5 r5
     9 GETLEN r6 r3 "length"
    12 JLT r5 r6 0 →5
    14 BORI r5 r4 0
    15 RET r5
"##,
    );
}

#[test]
fn conditions() {
    check(
        r##"function f(x, y) {
  if (x > y && !(x === 3) || y <= 'a') return 1;
  while (x) x--;
}"##,
        r##"f0 "" params 0 registers 4 flags 0
     2 CLOSURE r3 0 0 f1
     4 RETU
f1 "f" params 2 registers 6 flags 8
     2 JNLT r4 r3 1 →6
     4 JSNEI r3 3 →10
     6 LDK r5 "a"
     8 JNLE r4 r5 0 →12
    10 LDI r5 1
    11 RET r5
    12 JMP →14
    13 DEC r3 r3
    14 JT r3 →13
    16 RETU
"##,
    );
}

#[test]
fn fresh_bindings() {
    check(
        r##"for (let i = 0; i < 3; i++) f(() => i++);"##,
        r##"f0 "" params 0 registers 8 flags 0
     2 LDI r3 0
     3 NEWBOX r3 r3
     4 GETBOX r4 r3 ""
     6 NEWBOX r3 r4
     7 JMP →23
     8 GETG r4 0 0 "f"
    11 CLOSURE r7 1 0 f1 r3
    14 CALL r4 1
    15 GETBOX r4 r3 ""
    17 NEWBOX r3 r4
    18 GETBOX r4 r3 "i"
    20 INC r4 r4
    21 SETBOX r3 r4 "i"
    23 GETBOX r4 r3 "i"
    25 JLTI r4 3 →8
    27 RETU
f1 "" params 0 registers 5 flags 4
  captures i
     2 GETCAPB r3 0 "i"
     4 TONUM r3 r3
     5 INC r4 r3
     6 SETCAPB r4 0 "i"
     8 RET r3
"##,
    );
}

#[test]
fn uninitialised() {
    check(
        r##"const g = () => h;
g();
const h = 1;"##,
        r##"f0 "" params 0 registers 8 flags 0
     2 LDV r3 4
     3 NEWBOX r3 r3
     4 CLOSURE r4 1 0 f1 r3
     7 MOV r5 r4
     8 CALL r5 0
     9 LDI r5 1
    10 INITBOX r3 r5
    11 RETU
f1 "g" params 0 registers 4 flags 4
  captures h
     2 GETCAPB r3 0 "h"
     4 RET r3
"##,
    );
}

#[test]
fn methods_and_chains() {
    check(
        r##"a.b.c(1).d?.e(2)[3];"##,
        r##"f0 "" params 0 registers 8 flags 0
     2 GETG r3 0 0 "a"
     5 GETP r3 r3 "b"
     8 GETM r4 r3 "c"
    11 LDI r7 1
    12 CALLM r4 1
    13 GETP r3 r4 "d"
    16 JNULL r3 →26
    18 GETM r4 r3 "e"
    21 LDI r7 2
    22 CALLM r4 1
    23 LDI r5 3
    24 GETE r3 r4 r5
    25 JMP →27
    26 LDV r3 0
    27 RETU
"##,
    );
}

#[test]
fn object_literals() {
    check(
        r##"f({ a: 1, m() { return this; }, [k]: 2, get g() { return 3; }, ...r });"##,
        r##"f0 "" params 0 registers 9 flags 0
     2 GETG r3 0 0 "f"
     5 LDI r6 1
     6 CLOSURE r7 0 0 f1
     8 NEWREC r6 r6 2 {a m}
    10 GETG r7 0 0 "k"
    13 TOKEY r7 r7 r0
    14 LDI r8 2
    15 DEFE r6 r7 r8
    16 LDK r7 "g"
    18 CLOSURE r8 0 0 f2
    20 DEFACC r6 r7 r8 0
    22 GETG r7 0 0 "r"
    25 COPYDATA r6 r7
    26 CALL r3 1
    27 RETU
f1 "m" params 0 registers 3 flags 16
     2 RET r2
f2 "get g" params 0 registers 4 flags 16
     2 LDI r3 3
     3 RET r3
"##,
    );
}

#[test]
fn destructuring() {
    check(
        r##"const f = ({ a, b = 1 }, [c, d]) => a + b + c + d;
[x.y = 2] = z;"##,
        r##"f0 "" params 0 registers 14 flags 0
     2 CLOSURE r3 0 0 f1
     4 GETG r4 0 0 "z"
     7 ITER r5 r4
     8 LDV r8 2
     9 GETG r9 0 0 "x"
    12 NEXT r5 r10 →20 →18
    15 ITERRES r5 r10 →18
    17 JMP →20
    18 LDV r8 3
    19 LDV r7 0
    20 JNUNDEF r7 →23
    22 LDI r7 2
    23 SETP r9 r7 "y"
    26 JT r8 →34
    28 ITERCLOSE r5 r9 0
    29 JMP →34
    30 JT r8 →33
    32 ITERCLOSE r5 r9 1
    33 THROW r7
    34 RETU
  [9, 12) throws to 30 in r7
  [20, 26) throws to 30 in r7
f1 "f" params 2 registers 16 flags 4
     2 GETP r5 r3 "a"
     5 GETP r6 r3 "b"
     8 JNUNDEF r6 →11
    10 LDI r6 1
    11 ITER r9 r4
    12 NEXT r9 r12 →17 →26
    15 ITERRES r9 r12 →26
    17 MOV r7 r11
    18 NEXT r9 r12 →23 →27
    21 ITERRES r9 r12 →27
    23 MOV r8 r11
    24 ITERCLOSE r9 r12 0
    25 JMP →28
    26 LDV r7 0
    27 LDV r8 0
    28 ADD r9 r5 r6
    29 ADD r9 r9 r7
    30 ADD r9 r9 r8
    31 RET r9
"##,
    );
}

#[test]
fn for_of() {
    check(
        r##"function f(xs) {
  for (const x of xs) { if (x) break; g(x); }
}"##,
        r##"f0 "" params 0 registers 4 flags 0
     2 CLOSURE r3 1 0 f1 c0
     5 RETU
f1 "f" params 1 registers 11 flags 8
  captures globalThis
     2 MOV r6 r3
     3 ITER r4 r6
     4 JMP →16
     5 ITERCLOSE r4 r7 1
     6 THROW r6
     7 JF r6 →11
     9 ITERCLOSE r4 r7 0
    10 JMP →22
    11 GETG r7 0 0 "g"
    14 MOV r10 r6
    15 CALL r7 1
    16 NEXT r4 r7 →7 →22
    19 ITERRES r4 r7 →22
    21 JMP →7
    22 RETU
  [7, 9) throws to 5 in r6
  [11, 16) throws to 5 in r6
"##,
    );
}

#[test]
fn finally_() {
    check(
        r##"function f() {
  for (;;) { try { if (a()) return b(); else break; } catch (e) { c(e); } finally { d(); } }
}"##,
        r##"f0 "" params 0 registers 4 flags 0
     2 CLOSURE r3 1 0 f1 c0
     5 RETU
f1 "f" params 0 registers 10 flags 8
  captures globalThis
     2 LDV r4 0
     3 GETG r5 0 0 "a"
     6 CALL r5 0
     7 JF r5 →16
     9 GETG r5 0 0 "b"
    12 CALL r5 0
    13 MOV r4 r5
    14 LDI r3 2
    15 JMP →26
    16 LDI r3 3
    17 JMP →26
    18 GETG r6 0 0 "c"
    21 MOV r9 r5
    22 CALL r6 1
    23 LDI r3 0
    24 JMP →26
    25 LDI r3 1
    26 GETG r5 0 0 "d"
    29 CALL r5 0
    30 JSEQI r3 0 →39
    32 JSNEI r3 2 →35
    34 RET r4
    35 JSNEI r3 3 →38
    37 JMP →40
    38 THROW r4
    39 JMP →2
    40 RETU
  [3, 13) throws to 18 in r5
  [3, 13) throws to 25 in r4
  [18, 23) throws to 25 in r4
"##,
    );
}

#[test]
fn async_() {
    check(
        r##"const f = async x => { try { return await x; } finally { await g(); } };"##,
        r##"f0 "" params 0 registers 4 flags 0
     2 CLOSURE r3 1 0 f1 c0
     5 RETU
f1 "f" params 1 registers 10 flags 5
  captures globalThis
     2 ASYNC r4
     3 LDV r6 0
     4 AWAIT r7 r3 r4
     5 MOV r6 r7
     6 LDI r5 2
     7 JMP →9
     8 LDI r5 1
     9 GETG r7 0 0 "g"
    12 CALL r7 0
    13 AWAIT r7 r7 r4
    14 JSEQI r5 0 →20
    16 JSNEI r5 2 →19
    18 RETASYNC r6 r4
    19 THROW r6
    20 LDV r5 0
    21 RETASYNC r5 r4
    22 REJASYNC r5 r4
  [4, 5) throws to 8 in r6
  [3, 22) throws to 22 in r5
"##,
    );
}

#[test]
fn sends() {
    check(
        r##"x ~. a(1) ~. b;
const p = x ~. [k](...r);"##,
        r##"f0 "" params 0 registers 7 flags 0
     2 GETG r3 0 0 "x"
     5 LDK r4 "a"
     7 LDI r5 1
     8 SEND r3 1 1
     9 LDK r4 "b"
    11 SEND r3 4 0
    12 GETG r3 0 0 "x"
    15 GETG r4 0 0 "k"
    18 NEWARR r5 r5 0
    19 GETG r6 0 0 "r"
    22 APPEND r5 r6
    23 SENDV r3 1
    24 RETU
"##,
    );
}

#[test]
fn hazards() {
    check(
        r##"let a = 1;
a + (a = 2);
a = a && a + 1;
[a, b[a]] = [b, a];"##,
        r##"f0 "" params 0 registers 14 flags 0
     2 LDI r3 1
     3 MOV r4 r3
     4 LDI r3 2
     5 ADD r4 r4 r3
     6 MOV r5 r3
     7 JF r5 →10
     9 ADDI r5 r3 1
    10 MOV r3 r5
    11 GETG r4 0 0 "b"
    14 MOV r5 r3
    15 NEWARR r4 r4 2
    16 ITER r5 r4
    17 LDV r8 2
    18 NEXT r5 r9 →26 →24
    21 ITERRES r5 r9 →24
    23 JMP →26
    24 LDV r8 3
    25 LDV r7 0
    26 MOV r3 r7
    27 GETG r9 0 0 "b"
    30 JT r8 →39
    32 NEXT r5 r10 →40 →38
    35 ITERRES r5 r10 →38
    37 JMP →40
    38 LDV r8 3
    39 LDV r7 0
    40 SETE r9 r3 r7
    41 JT r8 →49
    43 ITERCLOSE r5 r9 0
    44 JMP →49
    45 JT r8 →48
    47 ITERCLOSE r5 r9 1
    48 THROW r7
    49 RETU
  [26, 30) throws to 45 in r7
  [40, 41) throws to 45 in r7
"##,
    );
}

#[test]
fn module() {
    check(
        r##"import { a as b } from 'm';
export const c = b + 1;
export default () => c;"##,
        r##"f0 "" params 0 registers 6 flags 0
  captures globalThis, b, c, *default*
     2 ASYNC r3
     3 LINKED r3
     4 GETCAPB r4 1 "b"
     6 ADDI r4 r4 1
     7 GETCAP r5 2
     8 INITBOX r5 r4
     9 CLOSURE r4 1 0 f1 c2
    12 GETCAP r5 3
    13 INITBOX r5 r4
    14 RETU
f1 "default" params 0 registers 4 flags 4
  captures c
     2 GETCAPB r3 0 "c"
     4 RET r3
"##,
    );
}
