//! `drses check`: exit codes, JSON for programs, the list of rules.
use crate::kit::Folder;

#[test]
fn a_clean_file_says_nothing_and_an_error_exits_with_1() {
    let f = Folder::new(&[("good.js", "export const x = 1;\n"), ("bad.js", "// @jessie-check\nvar x = 1;\n")]);
    let ran = f.run(&["check", "good.js"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""));
    let ran = f.run(&["check", "good.js", "bad.js"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.contains("JS-086") && ran.err.contains("bad.js:2:1"), "{}", ran.err);
    assert_eq!(ran.last_error(), "1 error");
    assert_eq!(f.run(&["check", "--level", "ses", "bad.js"]).code, Some(0));
    assert_eq!(f.run(&["check", "none.js"]).code, Some(1));
}

#[test]
fn json_is_one_object_a_line_with_nine_fields() {
    let f = Folder::new(&[("a \"b\".js", "// @jessie-check\nvar x = 1 == 2;\n")]);
    let ran = f.run(&["check", "--json", "a \"b\".js"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    assert_eq!(ran.out.lines().count(), 2, "{}", ran.out);
    let keys = ["file", "line", "column", "endLine", "endColumn", "code", "level", "message", "help"];
    for line in ran.out.lines() {
        let mut from = 0;
        for key in keys {
            let at = line[from..].find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("{key} in {line}"));
            from += at;
        }
        assert!(line.starts_with(r#"{"file":"a \"b\".js","line":2,"column":"#) && line.ends_with('}'), "{line}");
    }
    assert!(ran.out.contains(r#""code":"JS-086""#) && ran.out.contains(r#""code":"JS-047""#), "{}", ran.out);
}

#[test]
fn json_and_justin_are_expressions() {
    let f = Folder::new(&[("a.json", "{\"a\":[1,2]}"), ("b.json", "{a: f(1)}")]);
    assert_eq!(f.run(&["check", "--level", "json", "a.json"]).code, Some(0));
    assert_eq!(f.run(&["check", "--level", "json", "b.json"]).code, Some(1));
    assert_eq!(f.run(&["check", "--level", "justin", "b.json"]).code, Some(0));
}

#[test]
fn the_rules_say_whether_they_are_checked() {
    let f = Folder::new(&[]);
    let text = f.run(&["check", "--rules"]);
    assert_eq!((text.code, text.err.as_str()), (Some(0), ""));
    let must: &str = "012 018 019 020 021 022 023 035 036 047 049 050 051 052 053 060 061 062 063 064 065 066 067 \
                      080 081 082 083 086 087 090 100 101 102 103 104 107 110 111 112";
    for number in must.split_whitespace() {
        let rule = format!("JS-{number} ");
        let line = text.out.lines().find(|line| line.starts_with(&rule)).unwrap_or_else(|| panic!("no {rule}"));
        assert!(line.contains(" checked") && !line.contains("not checked"), "{line}");
    }
    let json = f.run(&["check", "--rules", "--json"]);
    assert_eq!(json.out.lines().count(), text.out.lines().count());
    assert!(json.out.lines().all(|line| line.starts_with("{\"code\":\"") && line.ends_with("\"}")), "{}", json.out);
}

#[test]
fn what_is_left_out_names_the_rules_that_are_not_checked() {
    let page = include_str!("../../../../docs/left-out.md");
    let ran = Folder::new(&[]).run(&["check", "--rules"]);
    for line in ran.out.lines().filter(|line| line.contains("not checked")) {
        let code = line.split(' ').next().expect("a code");
        assert!(page.contains(code), "{code} in docs/left-out.md");
    }
}
