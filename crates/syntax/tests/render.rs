//! Lines, columns, and the two forms in which diagnostics are shown.
use syntax::ast::{Goal, Span};
use syntax::diagnostic::{Diagnostic, Level, Severity};
use syntax::line_index::Place;
use syntax::render::{render, render_json};
use syntax::{LineIndex, Options, parse, parse_bytes};

#[test]
fn columns_count_utf16_units() {
    let index = LineIndex::new("a\r\n😀é\u{2028}x\rb");
    let places: Vec<(u32, u32)> = [0, 3, 7, 9, 12, 14, 99].iter().map(|&o| index.place(o)).map(|p| (p.line, p.column)).collect();
    assert_eq!(places, [(1, 1), (2, 1), (2, 3), (2, 4), (3, 1), (4, 1), (4, 2)]);
    assert_eq!(index.place(5), Place { line: 2, column: 1 });
}

#[test]
fn text_shows_the_place_and_the_help() {
    let source = "let x = 1;\nx == 2;\n";
    let parsed = parse(source, &Options { goal: Goal::Module, level: Level::Jessie, dialect_2013: false });
    let text = render("main.js", source, &parsed.diagnostics, false);
    assert!(text.contains("error[JS-047]"), "{text}");
    assert!(text.contains("main.js:2:1"), "{text}");
    assert!(text.contains("x == 2;"), "{text}");
    assert!(text.contains("write `===` or `!==`"), "{text}");
}

#[test]
fn control_characters_are_escaped() {
    let source = "let \u{1b}[2Jx;";
    let parsed = parse(source, &Options::default());
    for text in [render("a\u{1b}.js", source, &parsed.diagnostics, false), render_json("a\u{1b}.js", source, &parsed.diagnostics)]
    {
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
    assert!(render("a.js", source, &parsed.diagnostics, false).contains("\\u{1b}"));
}

#[test]
fn json_has_one_object_a_line() {
    let span = Span { start: 0, end: 1 };
    let d = Diagnostic { severity: Severity::Warning, code: "JS-067", message: "a \"b\"".into(), span, help: None };
    let expected = "{\"file\":\"f.js\",\"line\":1,\"column\":1,\"endLine\":1,\"endColumn\":2,\"code\":\"JS-067\",\
                    \"level\":\"warning\",\"message\":\"a \\\"b\\\"\",\"help\":null}\n";
    assert_eq!(render_json("f.js", "x", &[d]), expected);
}

#[test]
fn bytes_that_are_not_utf8_are_reported_with_their_place() {
    let parsed = parse_bytes(b"let x;\n\xff", &Options::default());
    assert_eq!(parsed.diagnostics.len(), 1);
    assert_eq!((parsed.diagnostics[0].code, parsed.diagnostics[0].span.start), ("E-UTF8", 7));
    assert!(!parse_bytes(b"\xef\xbb\xbflet x;", &Options::default()).has_errors());
}
