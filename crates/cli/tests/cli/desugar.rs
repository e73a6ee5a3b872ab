//! `drses desugar`: where the text goes, and what is refused.
use crate::kit::Folder;

const SENDS: &str = "// a comment\nexport default (x, y) => x ~. m(y ~. p); // ~.\n";
const PLAIN: &str = "// a comment\nexport default (x, y) => E(x).m(E.get(y).p); // ~.\n";

#[test]
fn the_text_goes_to_stdout_or_where_it_is_told_to() {
    let f = Folder::new(&[("a.js", SENDS), ("lib/b.js", SENDS), ("lib/deep/c.js", "export const x = 1;\n"), ("lib/d.txt", "~.")]);
    let ran = f.run(&["desugar", "a.js"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), PLAIN, ""));
    let ran = f.run(&["desugar", "a.js", "-o", "out/new/a.js"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""));
    let ran = f.run(&["desugar", "a.js", "lib", "--dir", "all"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""));
    for (name, text) in
        [("out/new/a.js", PLAIN), ("all/a.js", PLAIN), ("all/lib/b.js", PLAIN), ("all/lib/deep/c.js", "export const x = 1;\n")]
    {
        assert_eq!(f.read(name), Some(text.to_owned()), "{name}");
    }
    assert_eq!(f.read("all/lib/d.txt"), None);
}

#[test]
fn bad_texts_and_wrong_commands_are_told_apart() {
    let f = Folder::new(&[("bad.js", "x ~. ;\n"), ("own.js", "const E = 1; E ~. m();\n"), ("a.js", SENDS)]);
    let ran = f.run(&["desugar", "bad.js"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.contains("bad.js:1:6"), "{}", ran.err);
    let ran = f.run(&["desugar", "own.js"]);
    assert!(ran.code == Some(1) && ran.err.contains("E-DESUGAR") && ran.err.contains("own.js:1:7"), "{}", ran.err);
    assert_eq!(f.run(&["desugar", "none.js"]).code, Some(1));
    for wrong in [
        &["desugar"][..],
        &["desugar", "a.js", "bad.js"],
        &["desugar", "../a.js", "--dir", "x"],
        &["desugar", "a.js", "-o", "b", "--dir", "c"],
    ] {
        let ran = f.run(wrong);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{wrong:?}");
        assert!(!ran.err.is_empty());
    }
    let ran = f.run(&["desugar", "a.js", "-o", "a.js/b.js"]);
    assert!(ran.code == Some(1) && ran.err.contains("E-OUTPUT"), "{}", ran.err);
}
