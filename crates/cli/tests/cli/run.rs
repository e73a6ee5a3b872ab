//! `drses run`: exit codes, powers, imports, limits, bad input.
use crate::kit::Folder;

const OK: &str = "export default ({ console, args }) => { console.log(args.length, args[0]); console.error('aside'); };";

#[test]
fn a_program_gets_its_arguments_and_keeps_its_streams_apart() {
    let f = Folder::new(&[("ok.js", OK), ("dir/main.js", OK)]);
    let ran = f.run(&["run", "ok.js", "a", "--level", "--"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "3 'a'\n".replace('\'', "").as_str(), "aside\n"));
    assert_eq!(f.run(&["run", "dir"]).out, "0 undefined\n");
}

#[test]
fn start_is_called_when_there_is_no_default() {
    let f = Folder::new(&[
        ("start.js", "export const start = ({ console }) => console.log('started');"),
        ("none.js", "export const x = 1;"),
    ]);
    assert_eq!(f.run(&["run", "start.js"]).out, "started\n");
    let ran = f.run(&["run", "none.js"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("none.js exports no function to start"), "{}", ran.err);
}

#[test]
fn a_default_export_that_is_no_function_starts_nothing() {
    let f = Folder::new(&[("p.js", "export default 3; export const start = ({ console }) => console.log('started');")]);
    let ran = f.run(&["run", "p.js"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert!(ran.err.contains("error[E-START]") && ran.err.contains("`default` export"), "{}", ran.err);
}

#[test]
fn a_name_that_no_module_exports_is_shown_where_it_is_imported() {
    let f = Folder::new(&[
        ("main.js", "import { one,\n  two } from './lib.js';\nexport default () => one + two;"),
        ("again.js", "export { three } from './lib.js';\nexport default () => 1;"),
        ("both.js", "import { one } from './all.js';\nexport default () => one;"),
        ("all.js", "export * from './lib.js';\nexport * from './other.js';"),
        ("lib.js", "export const one = 1;"),
        ("other.js", "export const one = 2;"),
    ]);
    for (file, place, what) in [
        ("main.js", "main.js:2:3", "'./lib.js' exports no `two`"),
        ("again.js", "again.js:1:23", "'./lib.js' exports no `three`"),
        ("both.js", "both.js:1:10", "provide `one`"),
    ] {
        let ran = f.run(&["run", file]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{file}");
        let parts = ["error[E-EXPORT]", place, what, "help: "];
        assert!(parts.iter().all(|part| ran.err.contains(part)), "{file}: {}", ran.err);
    }
}

#[test]
fn an_error_that_nobody_caught_is_told_with_its_place_and_the_calls_it_left() {
    let f = Folder::new(&[
        (
            "s.js",
            "const inner = () => {\n  throw TypeError('deep');\n};\nconst outer = () => [1].map(() => inner());\ntry { outer(); } catch (e) {}\nouter();",
        ),
        ("later.js", "export default async () => {\n  await null;\n  null.x;\n};"),
        ("lost.js", "Promise.resolve(1).then(function cb() { undefinedName; });"),
        ("quiet.js", "try { null.x; } catch (e) {}\nPromise.reject(Error('made, not thrown'));"),
    ]);
    let ran = f.run(&["run", "--script", "s.js"]);
    let expected = "  at inner (s.js:2:3)\n  at s.js:4:40\n  at outer (s.js:4:28)\n  at s.js:6:6\n";
    assert!(ran.err.contains(expected), "{}", ran.err);
    assert_eq!(ran.last_error(), "TypeError: deep");
    assert!(f.run(&["run", "later.js"]).err.contains("\n  at default (later.js:3:"));
    assert!(f.run(&["run", "--script", "lost.js"]).err.contains("\n  at cb (lost.js:1:41)\n"));
    assert!(!f.run(&["run", "--script", "quiet.js"]).err.contains("  at "));
}

#[test]
fn errors_are_told_as_json_on_request() {
    let f = Folder::new(&[
        ("thrown.js", "export default () => {\n  throw RangeError('a \"quoted\" text');\n};"),
        ("source.js", "export default = 1;"),
        ("endless.js", "export default () => { for (;;); };"),
    ]);
    for (args, parts) in [
        (
            &["run", "--json", "thrown.js"][..],
            &[
                r#""code":"E-START","name":"RangeError","message":"a \"quoted\" text""#,
                r#""file":"thrown.js","line":2,"column":3"#,
            ][..],
        ),
        (&["run", "--json", "source.js"], &[r#""name":"SyntaxError""#, r#""file":"source.js","line":1,"column":16"#]),
        (
            &["run", "--json", "--max-instructions", "1e6", "endless.js"],
            &[r#""name":"RangeError","message":"limit: instructions per turn","file":null"#],
        ),
        (&["run", "--json", "none.js"], &[r#""code":"E-FILE""#, r#""remedy":"check the path"#]),
    ] {
        let ran = f.run(args);
        let whole = |line: &str| line.starts_with('{') && line.ends_with('}');
        assert!(ran.err.lines().all(whole) && parts.iter().all(|part| ran.err.contains(part)), "{args:?}: {}", ran.err);
    }
}

#[test]
fn errors_of_the_program_exit_with_1_and_end_stderr() {
    let cases = [
        ("export default () => { throw TypeError('thrown'); };", "TypeError: thrown"),
        ("export default () => { throw 7; };", "Uncaught: 7"),
        ("export default async () => { await null; throw RangeError('later'); };", "RangeError: later"),
        ("export default () => { Promise.reject(Error('lost')); };", "Error: lost"),
        ("null.x; export default () => {};", "TypeError: Cannot read properties of null (reading 'x')"),
    ];
    for (source, last) in cases {
        let ran = Folder::new(&[("p.js", source)]).run(&["run", "p.js"]);
        assert_eq!((ran.code, ran.last_error()), (Some(1), last), "{source}");
        assert!(ran.out.is_empty(), "{source}");
    }
}

#[test]
fn what_is_pending_when_nothing_is_left_to_do_is_no_error() {
    let ran = Folder::new(&[("p.js", "export default () => new Promise(() => {});")]).run(&["run", "p.js"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}

#[test]
fn wrong_usage_exits_with_2() {
    let f = Folder::new(&[("ok.js", OK)]);
    let wrong: &[&[&str]] = &[
        &[],
        &["run"],
        &["bogus"],
        &["run", "--bogus", "ok.js"],
        &["run", "--level", "basic", "ok.js"],
        &["run", "--max-heap", "1", "ok.js"],
        &["run", "--max-heap", "9GiB", "ok.js"],
        &["run", "--max-instructions", "many", "ok.js"],
        &["run", "missing.js"],
        &["run", "--script", "missing.js"],
        &["run", "."],
        &["check"],
    ];
    for args in wrong {
        let ran = f.run(args);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{args:?}");
        assert!(!ran.err.is_empty(), "{args:?}");
    }
}

#[test]
fn limits_on_the_command_line_abort_the_turn() {
    let f = Folder::new(&[
        ("spin.js", "console.log('shown, marked'); for (;;) {}"),
        ("hoard.js", "const all = []; for (let i = 0; ; i += 1) { all.push(`entry ${i}`); }"),
        ("dig.js", "const dig = n => dig(n + 1) + 1; dig(0);"),
    ]);
    let ran = f.run(&["run", "--script", "--max-instructions", "1e6", "spin.js"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.contains("[aborted turn] shown, marked\n"), "{}", ran.err);
    assert_eq!(ran.last_error(), "RangeError: limit: instructions per turn");
    let ran = f.run(&["run", "--script", "--max-heap", "8MiB", "hoard.js"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.last_error().starts_with("RangeError: limit: "), "{}", ran.err);
    let ran = f.run(&["run", "--script", "dig.js"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.last_error().starts_with("RangeError: limit: "), "{}", ran.err);
}

#[test]
fn scripts_run_in_order_and_share_globals_alone() {
    let f = Folder::new(&[
        ("1.js", "globalThis.shared = 1; const local = 2; Promise.resolve('job of 1').then(print);"),
        ("2.js", "print(shared, typeof local); throw Error('stop');"),
        ("3.js", "print('never');"),
    ]);
    let ran = f.run(&["run", "--script", "1.js", "2.js", "3.js"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.last_error()), (Some(1), "job of 1\n1 undefined\n", "Error: stop"));
}

#[test]
fn imports_are_found_and_cycles_are_fine() {
    let f = Folder::new(&[
        ("a.js", "import { b } from './lib/b.js'; export const a = () => 'a'; export default ({ console }) => console.log(b());"),
        ("lib/b.js", "import { a } from '../a.js'; export const b = () => `${a()}b`;"),
        ("early.js", "import { x } from './late.js'; export const y = 1; export default () => x;"),
        ("late.js", "import { y } from './early.js'; export const x = y + 1;"),
        ("self.js", "import * as me from './self.js'; export default ({ console }) => console.log(typeof me.default);"),
    ]);
    assert_eq!(f.run(&["run", "a.js"]).out, "ab\n");
    assert_eq!(f.run(&["run", "self.js"]).out, "function\n");
    let ran = f.run(&["run", "early.js"]);
    assert_eq!((ran.code, ran.last_error()), (Some(1), "ReferenceError: Cannot access 'y' before initialization"));
}

#[test]
fn bad_imports_are_all_told_and_nothing_runs() {
    let f = Folder::new(&[
        ("p.js", "import './none.js'; import 'fs'; import './q.js'; console.log('ran'); export default () => {};"),
        ("q.js", "const = 1;"),
        ("name.js", "import { zzz } from './r.js'; export default () => zzz;"),
        ("r.js", "export const y = 1;"),
    ]);
    let ran = f.run(&["run", "p.js"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    for part in ["'./none.js'", "'fs'", "q.js:1:7"] {
        assert!(ran.err.contains(part), "{part} in {}", ran.err);
    }
    let ran = f.run(&["run", "name.js"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("zzz"), "{}", ran.err);
}

#[test]
fn damaged_sources_get_a_diagnostic() {
    let f = Folder::new(&[("imports.js", "import { x } from './bytes.js'; export default () => x;")]);
    f.write("bytes.js", b"export const x = '\xff\xfe';");
    for file in ["bytes.js", "imports.js"] {
        let ran = f.run(&["run", file]);
        assert_eq!(ran.code, Some(1), "{file}");
        assert!(ran.err.contains("E-UTF8"), "{}", ran.err);
    }
    for open in ["(", "[", "{", "x => ", "-", "`${", "'", "/*", "~.", "if (x) "] {
        f.write("deep.js", open.repeat(100_000).as_bytes());
        let ran = f.run(&["run", "--script", "deep.js"]);
        assert_eq!(ran.code, Some(1), "{open}");
        assert!(ran.err.starts_with("error["), "{open}: {}", ran.err.lines().next().unwrap_or(""));
    }
    f.write("large.js", &vec![b' '; (64 << 20) + 1]);
    let ran = f.run(&["run", "--script", "large.js"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("E-SIZE"), "{}", ran.err);
}

#[test]
fn a_level_holds_the_program_to_it() {
    let f =
        Folder::new(&[("p.js", "// @jessie-check\nexport default () => { var x = 1; };\n"), ("q.js", "var x = 1; print(x);\n")]);
    assert_eq!(f.run(&["run", "p.js"]).code, Some(1));
    assert_eq!(f.run(&["run", "--level", "ses", "p.js"]).code, Some(0));
    assert_eq!(f.run(&["run", "--script", "q.js"]).out, "1\n");
    assert_eq!(f.run(&["run", "--script", "--level", "jessie", "q.js"]).code, Some(1));
}

#[test]
fn output_that_cannot_be_written_is_an_error_and_no_panic() {
    let f = Folder::new(&[("p.js", "for (let i = 0; i < 20000; i += 1) { print(i); }")]);
    let runs: &[(&[&str], &[u8])] = &[(&["run", "--script", "p.js"], b""), (&["check", "--rules"], b""), (&["repl"], b"1\n2\n")];
    for (args, input) in runs {
        let (code, err) = f.run_onto_full(args, input);
        assert_eq!(code, Some(1), "{args:?}: {err}");
        assert!(err.starts_with("error[E-OUTPUT]"), "{args:?}: {err}");
    }
}
