//! `drses repl` on a pipe: entries over several lines, values, errors, aborted turns.
use crate::kit;
use std::path::Path;

fn repl(args: &[&str], input: &[u8]) -> kit::Ran {
    let mut words = vec!["repl"];
    words.extend(args);
    kit::drses(Path::new("."), &words, input)
}

#[test]
fn entries_show_their_values() {
    let ran = repl(&[], b"1+1\n'a'\n({ a: 1,\n  b: [2] })\n`x\ny`.length\n/* a\n b */ 3\n\nundefined\n");
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(ran.out, "2\n'a'\n{ a: 1, b: [ 2 ] }\n3\n3\nundefined\n");
}

#[test]
fn entries_share_globals_alone_and_an_error_ends_nothing() {
    let ran = repl(&[], b"globalThis.n = 1; const x = 5;\ntypeof x\nthrow Error('e')\n}\nn\n");
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.ends_with("'undefined'\n1\n"), "{}", ran.out);
    assert!(ran.err.contains("Error: e\n") && ran.err.contains("repl:1:1"), "{}", ran.err);
}

#[test]
fn an_aborted_entry_leaves_no_trace() {
    let ran = repl(&["--max-instructions", "1e6"], b"globalThis.n = 1\nn = 2; for (;;) {}\nn\n");
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), "1\n1\n"));
    assert_eq!(ran.last_error(), "RangeError: limit: instructions per turn");
}

#[test]
fn what_never_ends_and_what_is_no_text_get_a_diagnostic() {
    let ran = repl(&[], b"1\n(2\n");
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), "1\n"));
    assert!(ran.err.starts_with("error["), "{}", ran.err);
    let ran = repl(&[], b"1\n'\xff'\n2\n");
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), "1\n2\n"));
    assert!(ran.err.contains("E-UTF8"), "{}", ran.err);
}
