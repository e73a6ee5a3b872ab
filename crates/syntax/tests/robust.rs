//! Hostile texts: the parser must come back, in time, without using up the stack.
use syntax::ast::Goal;
use syntax::diagnostic::Level;
use syntax::limits::{MAX_DIAGNOSTICS, MAX_FUNCTIONS, MAX_SOURCE_BYTES};
use syntax::{Options, Parsed, parse, parse_bytes};

fn script(source: &str) -> Parsed {
    parse(source, &Options { goal: Goal::Script, level: Level::Strict, dialect_2013: false })
}

/// Runs on a thread with the stack of a test thread of Rust's default size.
fn on_small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).expect("a thread").join().expect("no panic");
}

/// What is repeated before, the middle, what is repeated behind.
const NESTED: [(&str, &str, &str); 43] = [
    ("(", "1", ")"),
    ("[", "", "]"),
    ("x={a:", "1", "}"),
    ("{", "", "}"),
    ("function f(){", "", "}"),
    ("(function(){", "", "})"),
    ("(a=>", "1", ")"),
    ("a=>", "1", ""),
    ("(a=", "1", ")=>1"),
    ("x=>{", "", "}"),
    ("class C{m(){", "", "}}"),
    ("(class{x=", "1", "})"),
    ("(class extends ", "a", "{})"),
    ("class C{static{", "", "}}"),
    ("(class{[", "1", "]})"),
    ("a?b:", "c", ""),
    ("a?", "1", ":c"),
    ("- ", "1", ""),
    ("typeof ", "1", ""),
    ("if(a)", ";", ""),
    ("for(;;)", ";", ""),
    ("`${", "1", "}`"),
    ("let [", "a", "]=1"),
    ("[", "a", "=1]"),
    ("new ", "a", ""),
    ("f(", "", ")"),
    ("a[", "1", "]"),
    ("2**", "2", ""),
    ("a=", "2", ""),
    ("(a,", "1", ")"),
    ("switch(a){case 1:", "", "}"),
    ("try{", "", "}finally{}"),
    ("async(", "", ")=>1"),
    ("({m(){", "", "}})"),
    ("a~.b(", "", ")"),
    ("import(", "1", ")"),
    ("a`${", "1", "}`"),
    ("{let a;{", "", "}}"),
    ("(a=[", "", "])=>1"),
    ("while(1){", "", "}"),
    ("[...", "a", "]"),
    ("a?.[", "1", "]"),
    ("do ", ";", " while(1);"),
];

#[test]
fn deep_nesting_is_an_error_and_no_crash() {
    on_small_stack(|| {
        for (open, middle, close) in NESTED {
            let deep = |n: usize| format!("{}{middle}{}", open.repeat(n), close.repeat(n));
            assert!(script(&deep(20_000)).diagnostics.iter().any(|d| d.code.starts_with("E-")), "{open}");
            assert!(!script(&deep(300)).diagnostics.iter().any(|d| d.code == "E-NESTING"), "{open}");
        }
    });
}

/// The smaller levels walk what the parser lets through.
#[test]
fn deep_nesting_is_checked_at_the_smaller_levels() {
    on_small_stack(|| {
        for (open, middle, close) in NESTED {
            for n in [200, 330, 500, 1000] {
                let deep = format!("{}{middle}{}", open.repeat(n), close.repeat(n));
                for source in [format!("export const m = (a, b) => {{ {deep} }};"), format!("export const m = {deep};")] {
                    for level in [Level::Jessie, Level::TinySes] {
                        parse(&source, &Options { goal: Goal::Module, level, dialect_2013: false });
                    }
                }
            }
        }
    });
}

#[test]
fn five_hundred_levels_of_the_common_forms_are_read() {
    on_small_stack(|| {
        for (open, middle, close) in
            [("(", "1", ")"), ("[", "", "]"), ("{", "", "}"), ("function f(){", "", "}"), ("a?b:", "c", ""), ("- ", "1", "")]
        {
            let source = format!("{}{middle}{}", open.repeat(500), close.repeat(500));
            assert!(!script(&source).has_errors(), "{open}");
        }
    });
}

#[test]
fn long_chains_nest_nothing() {
    on_small_stack(|| {
        let n = 200_000;
        let sources = [
            format!("x={};", vec!["1"; n].join("+")),
            format!("x={};", vec!["a"; n].join("&&")),
            format!("x={};", vec!["a"; n].join("??")),
            format!("f({});", vec!["a"; n].join(",")),
            format!("{};", vec!["a"; n].join(",")),
            format!("a{};", ".b".repeat(n)),
            format!("a{};", "(1)".repeat(n)),
            format!("a{};", "[1]".repeat(n)),
            format!("a{};", "~.b".repeat(n)),
            format!("a{};", "?.b".repeat(n)),
            format!("if(a){{}}{}", "else if(b){}".repeat(n)),
        ];
        for source in sources {
            let start: String = source.chars().take(20).collect();
            assert!(!script(&source).has_errors(), "{start}");
            // The smaller levels walk the same trees.
            for level in [Level::Jessie, Level::Jessie2026] {
                let wrapped = format!("export const main = (a, b, f) => {{ let x = 1; {source} }};");
                parse(&wrapped, &Options { goal: Goal::Module, level, dialect_2013: false });
            }
        }
    });
}

#[test]
fn nested_arrows_are_read_in_linear_time() {
    // With a second reading at each level this would take 2^100 steps.
    for (open, middle, close) in [("((a,", "b", ")=>1)"), ("(a=", "b", ")=>1"), ("async(a=", "b", ")=>1"), ("([a=", "1", "])=>1")]
    {
        script(&format!("{}{middle}{}", open.repeat(100), close.repeat(100)));
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

#[rustfmt::skip]
const TOKENS: [&str; 118] = [
    "a", "b", "async", "of", "get", "set", "static", "let", "const", "var", "function", "class", "extends", "super", "this", "new",
    "new.target", "import", "import.meta", "export", "default", "from", "as", "await", "yield", "return", "throw", "if", "else", "for",
    "while", "do", "switch", "case", "break", "continue", "try", "catch", "finally", "with", "delete", "typeof", "void", "in",
    "instanceof", "true", "null", "eval", "arguments", "harden", "Far", "E", "__proto__", "constructor", "(", ")", "[", "]", "{", "}", ";",
    ",", ".", "...", "?.", "??", "?", ":", "=>", "=", "+=", "&&=", "??=", "**", "*", "/", "/=", "+", "-", "++", "--", "<", ">>>", "==", "===",
    "!", "~", "~.", "&&", "||", "|", "#x", "#", "@", "1", "1n", "0x1", ".5", "1.", "'s'", "\"\\u{1F600}\"", "`t`", "`${", "`", "\\", "\n",
    "\n", " ", "<!--", "-->", "//", "/*", "*/", "\u{2028}", "\u{feff}", "é", "😀", "'",
];

fn exercise(source: &str) {
    for goal in [Goal::Script, Goal::Module, Goal::Expression] {
        for level in [Level::Strict, Level::Jessie2026, Level::Jessie, Level::Justin, Level::Json] {
            let parsed = parse(source, &Options { goal, level, dialect_2013: source.len().is_multiple_of(2) });
            assert!(parsed.diagnostics.len() <= MAX_DIAGNOSTICS);
            for d in &parsed.diagnostics {
                let (start, end) = (d.span.start as usize, d.span.end as usize);
                assert!(start <= end && end <= source.len(), "{source:?}: {d:?}");
                assert!(source.is_char_boundary(start) && source.is_char_boundary(end), "{source:?}: {d:?}");
            }
            if goal == Goal::Module && level == Level::Jessie {
                syntax::render::render("soup.js", source, &parsed.diagnostics, false);
            }
        }
    }
}

#[test]
fn soup_of_tokens_never_panics() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..1_500 {
        let count = 1 + random.below(24);
        let words: Vec<&str> = (0..count).map(|_| TOKENS[random.below(TOKENS.len())]).collect();
        exercise(&words.join(if random.below(3) == 0 { "" } else { " " }));
    }
}

#[test]
fn soup_of_bytes_never_panics() {
    let mut random = Random(42);
    for _ in 0..700 {
        let bytes: Vec<u8> = (0..random.below(60)).map(|_| random.below(256) as u8).collect();
        parse_bytes(&bytes, &Options::default());
        exercise(&String::from_utf8_lossy(&bytes));
        let ascii: String = (0..random.below(60)).map(|_| (random.below(95) as u8 + 32) as char).collect();
        exercise(&ascii);
    }
}

/// Whole programs with a piece cut out or put in twice.
#[test]
fn damaged_programs_never_panic() {
    let program = "import {a as b} from 'm'; export const f = async ({x, y: [z = 1, ...w]}, ...r) => { for await (const q of r) \
                   { label: while (q ~. next(z)) { if (w?.[0]) continue label; else break; } } return `t${() => ({...x})}`; }; \
                   class C extends b { #p = 1; static { this.q = C.#p; } get g() { return super.g; } *m() { yield* f; } } \
                   switch (f) { case 1: { let k = /re[/]/g; } default: try { throw k; } catch ({message}) { } finally { } }";
    let mut random = Random(7);
    for _ in 0..300 {
        let (i, j) = (random.below(program.len()), random.below(program.len()));
        let (i, j) = (i.min(j), i.max(j));
        exercise(&format!("{}{}", &program[..i], &program[j..]));
        exercise(&format!("{}{}", &program[..j], &program[i..]));
    }
}

#[test]
fn too_long_a_text_is_refused() {
    let parsed = script(&" ".repeat(MAX_SOURCE_BYTES + 1));
    assert_eq!(parsed.diagnostics[0].code, "E-SIZE");
}

#[test]
fn too_many_functions_are_refused() {
    let parsed = script(&"_=>1;".repeat(MAX_FUNCTIONS + 1));
    assert!(parsed.diagnostics.iter().any(|d| d.code == "E-LIMIT"));
}

#[test]
fn errors_are_bounded_and_several_are_found() {
    let parsed = script(&"let = ;\n".repeat(1000));
    assert_eq!(parsed.diagnostics.len(), MAX_DIAGNOSTICS);
    let parsed = script("let x = ;\nfunction f() { if (; }\nreturn 1;\nlet y = *;\n");
    assert!(parsed.diagnostics.len() >= 4, "{:?}", parsed.diagnostics);
}
