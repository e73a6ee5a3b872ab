//! Names of levels, markers in sources, and the levels below Jessie and above it.
use syntax::ast::Goal;
use syntax::diagnostic::{Level, Severity};
use syntax::{Options, Permits, level_marker, parse, parse_with};

fn codes(source: &str, goal: Goal, level: Level) -> Vec<&'static str> {
    let parsed = parse(source, &Options { goal, level, dialect_2013: false });
    parsed.diagnostics.iter().filter(|d| d.severity == Severity::Error).map(|d| d.code).collect()
}

#[test]
fn names_go_there_and_back() {
    for level in Level::ALL {
        assert_eq!(Level::from_name(level.name()), Some(level));
    }
    assert_eq!(Level::from_name("Jessie"), None);
    assert!(Level::ALL.windows(2).all(|w| w[0] < w[1]));
}

#[test]
fn markers() {
    for source in [
        "// @jessie-check\n1",
        "#!/usr/bin/env drses\n// @jessie-check\n",
        "/* © */\n// x\n  // @jessie-check and more\nlet a;",
        "'use jessie';",
        "\"use jessie\"",
        "'use strict'; 'use jessie';",
        "'use strict'\n'use jessie'",
        "\u{feff}// @jessie-check",
    ] {
        assert_eq!(level_marker(source), Some(Level::Jessie), "{source}");
    }
    for source in [
        "",
        "let a; // @jessie-check",
        "a; 'use jessie'",
        "// jessie",
        "/* @jessie-check */ 1",
        "'a' + 'use jessie'",
        "/* open",
        "'open",
        "// @jessie-checked",
    ] {
        assert_eq!(level_marker(source), None, "{source}");
    }
}

#[test]
fn json_is_rfc_8259() {
    for source in [
        "1",
        " [ ] ",
        "{\"a\":[1,null,{\"\":true}],\"a\":false}",
        "\"\\u00e9\\n\\/\u{2028}é\"",
        "-12.5e-3",
        "-0",
        "1E+2",
        "{\"__proto__\":1,\"b\":{\"__proto__\":2}}",
        "\n\t\"\"\r",
    ] {
        assert_eq!(codes(source, Goal::Expression, Level::Json), Vec::<&str>::new(), "{source}");
    }
    for (source, code) in [
        ("", "JS-001"),
        ("{a:1}", "JS-001"),
        ("[1,]", "JS-001"),
        ("{\"a\":1,}", "JS-001"),
        ("[1,,2]", "JS-001"),
        ("'a'", "JS-001"),
        ("undefined", "JS-001"),
        ("1 2", "JS-001"),
        ("[1", "JS-001"),
        ("nul", "JS-001"),
        ("{\"a\" 1}", "JS-001"),
        ("\"\\q\"", "JS-002"),
        ("\"\\x41\"", "JS-002"),
        ("\"\\u00g0\"", "JS-002"),
        ("\"a", "JS-003"),
        ("\"\t\"", "JS-003"),
        ("01", "JS-004"),
        ("1.", "JS-004"),
        (".5", "JS-001"),
        ("1e", "JS-004"),
        ("1_0", "JS-004"),
        ("1n", "JS-004"),
        ("- 1", "JS-004"),
        ("+1", "JS-001"),
        ("1\u{a0}", "JS-007"),
        ("\u{feff}1", "JS-007"),
        ("1 // a", "JS-008"),
        ("/* */ 1", "JS-008"),
        ("(1)", "JS-001"),
        ("1;", "JS-001"),
    ] {
        assert_eq!(codes(source, Goal::Expression, Level::Json).first(), Some(&code), "{source}");
    }
}

#[test]
fn every_json_text_is_a_text_of_the_larger_levels() {
    for source in ["1", "[]", "{\"a\":[1,null,{\"\":true}]}", "\"\\u00e9\\n\\/\u{2028}é\"", "-12.5e-3"] {
        for level in [Level::Justin, Level::Jessie2026, Level::Ses, Level::Strict] {
            let wrapped =
                if level == Level::Justin { source.to_string() } else { format!("export const data = harden({source});") };
            let goal = if level == Level::Justin { Goal::Expression } else { Goal::Module };
            assert_eq!(codes(&wrapped, goal, level), Vec::<&str>::new(), "{source} at {}", level.name());
        }
    }
}

#[test]
fn justin_computes_and_does_nothing() {
    for source in ["a.b(c, ...d)[0] + `x${y}`", "{a, b: [1_000, 2n], ...c}", "a ? b : (1, c[+i])(2)"] {
        assert_eq!(codes(source, Goal::Expression, Level::Justin), Vec::<&str>::new(), "{source}");
    }
    for source in ["a = 1", "a++", "x => x", "function () {}", "{m() {}}", "a ~. b()"] {
        assert!(codes(source, Goal::Expression, Level::Justin).contains(&"JS-J01"), "{source}");
    }
}

#[test]
fn ses_has_the_language_but_for_import_calls() {
    let source = "class A extends B { #x = this; } with_; eval('1'); new A() instanceof A; var x = a == /b/;";
    assert_eq!(codes(source, Goal::Script, Level::Ses), Vec::<&str>::new());
    assert_eq!(codes("import('a')", Goal::Script, Level::Ses), ["JS-S01"]);
    let ses = Options { goal: Goal::Script, level: Level::Ses, dialect_2013: false };
    assert!(!parse_with("import('a')", &ses, Permits { import_call: true }).has_errors());
}

#[test]
fn jessie_2026_adds_what_real_code_uses() {
    for source in [
        "export const f = x => x; harden(f);",
        "const o = { f: () => 1 }; harden(o); export { o };",
        "export * from './a.js'; export { b as c } from './b.js';",
        "export const f = harden(async a => { await null; try { await a?.b; } catch { return a ?? 1; } });",
        "export const f = harden(({ a = 1 } = {}, [b] = []) => ({ [a]: b }));"
            .replace("=> ({ [a]: b })", "=> harden({ [a]: b })")
            .as_str(),
        "import { E, Far } from '@endo/far'; export const f = a => E(a).m(Far('x', {}));",
    ] {
        assert_eq!(codes(source, Goal::Module, Level::Jessie2026), Vec::<&str>::new(), "{source}");
        assert!(!codes(source, Goal::Module, Level::Jessie).is_empty(), "{source}");
    }
    assert!(codes("const o = {}; export const g = () => o; harden(o);", Goal::Module, Level::Jessie2026).contains(&"JS-102"));
}
