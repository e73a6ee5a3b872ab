//! Handlers end in jumps: a million instructions of every sort in a row need no more stack than one.
//!
//! A lost tail call overflows the small stack of the thread at once, in this profile and in any other.
use engine::machine::compile_source;
use engine::syntax::ast::Goal;
use engine::syntax::diagnostic::Level;
use passable::VatId;
use vat::{Code, Ending, Quota, Shared, Vat};

/// Bytes of stack of the thread that runs the loops.
const STACK: usize = 128 << 10;
/// Rounds of each loop: at even 16 bytes a round a lost tail call overflows.
const ROUNDS: u32 = 60_000;

/// Bodies of loops: fast paths, middle and slow ones of every group of instructions.
const BODIES: &[&str] = &[
    "x = (x + i) | 0; x = x * 3 % 1000; y = y * 0.5 + i; x = x - 1 & 255 | 2 ^ 3; x = x << 1 >> 1 >>> 0; x = -x; x = ~x; y = y / 3 % 2;",
    "x = big + 1n - 1n; x = 0;",
    "x = i < y ? 1 : 0; if (i >= 'a' || i == '7' || i != null) x += 1; x = i === 3 || s !== 'k' ? 1 : 2; x = !s; x = typeof i === 'number' ? 1 : 0;",
    "s = 'k' + i; x = s.length; s = `${i}-${x}`; x = s[0] === '1' ? 1 : 0;",
    "o.a = i; o.b = o.a; x = o.b; o['c' + (i & 3)] = i; x = o['c1']; delete o.c2; x = 'c1' in o ? 1 : 0;",
    "const r = { a: i, b: { c: i } }; const { a, b: { c }, d = 4 } = r; x = a + c + d; const [p, q = 2] = [i]; x = p + q;",
    "const u = shapes[i % 6]; x = u.k; x = u.f();",
    "list.push(i); x = list[list.length - 1]; list[0] = i; if (list.length > 50) { list.pop(); list.shift(); list.length = 3; }",
    "for (const v of [1, 2]) x = v; for (const v of set) x = v; for (const c of 'ab') s = c; for (const k in { a: 1 }) s = k;",
    "const f = (a, b = i, ...r) => a + b + r.length; x = f(1); x = f(1, 2, 3); x = f(...[1, 2]); x = f.call(null, 4); x = f.apply(null, [5]);",
    "try { if (i & 1) throw i; x = 1; } catch (e) { x = e; } finally { x += 1; }",
    "try { null.p; } catch (e) { x = 2; } try { undefinedName; } catch (e) { x = 3; } try { (void 0)(); } catch (e) { x = 4; }",
    "x = new Counter(i).n; x = acc.twice; acc.twice = i; x = Math.max(i, x); x = [i, 1].map(v => v + 1)[0];",
    "let captured = i; const g = () => { captured += 1; return captured; }; x = g(); x = o instanceof Object ? 1 : 0;",
    "x = o?.a ?? 1; x ||= 2; x &&= 3; const t = { ...o, [s]: 1 }; x = t.a; switch (i & 3) { case 0: x = 1; break; default: x = 2; }",
];

#[test]
fn no_handler_grows_the_stack() {
    let shared = Shared::new(false).expect("a base");
    for body in BODIES {
        let source = format!(
            "let x = 0, y = 1.5, s = 'k'; const o = {{ a: 1, b: 2 }}, list = [1, 2, 3], big = 123n, set = new Set([1, 2]);
             const shapes = [0, 1, 2, 3, 4, 5].map(n => {{ const u = {{ f: () => n }}; u['p' + n] = n; u.k = n; return u; }});
             function Counter(n) {{ this.n = n; }}
             const acc = {{ get twice() {{ return x * 2; }}, set twice(v) {{ x = v; }} }};
             for (let i = 0; i < {ROUNDS}; i += 1) {{ {body} }}"
        );
        let unit = compile_source(&source, "loop", Goal::Script, Level::Ses, false).expect("a program");
        let mut vat = Vat::new(&shared, VatId(1), Quota::default()).expect("a vat");
        let run = std::thread::Builder::new().stack_size(STACK).spawn(move || {
            let t = vat.run(Code::Script(unit));
            assert!(matches!(t.ending, Ending::Done), "{:?}", t.ending);
        });
        run.expect("a thread").join().unwrap_or_else(|_| panic!("failed: {body}"));
    }
}
