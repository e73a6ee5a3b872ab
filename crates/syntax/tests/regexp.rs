//! Which regular expressions are early errors.
use syntax::{Options, parse};

fn is_bad(source: &str) -> bool {
    parse(source, &Options::default()).diagnostics.iter().any(|d| d.code == "E-REGEXP")
}

#[test]
fn regular_expressions() {
    for source in [
        r"/a|b*?c+?d??e{1}f{1,}?g{1,2}/",
        r"/(?:a)(?=b)*(?!c)(?<=d)(?<!e)/",
        r"/(?<a>x)|(?<a>y)/",
        r"/(?<a>x)\k<a>/u",
        r"/\k<a/",
        r"/\1(a)\2/",
        r"/[a-z\d-x\]]/",
        r"/a{/",
        r"/{/",
        r"/]}/",
        r"/\c/",
        r"/(?i-ms:a)/",
        r"/\p{L}\p{Script=Greek}\u{1F600}\x41\cA/u",
        r"/[😀-😎]/u",
        r"/[\p{L}--[a-z]&&\q{ab|c}]/v",
        r"/\u{1}/",
        r"/\xg\8\012/",
        r"/[\b\-\c_]/",
        r"/(?<\u{61}é𝒜>.)/",
        r"/^(?:)$/dgimsy",
    ] {
        assert!(!is_bad(source), "{source}");
    }
    for source in [
        r"/(/",
        r"/)/",
        r"/a|*/",
        r"/a**/",
        r"/a{2,1}/",
        r"/{1}/",
        r"/(?<=a)*/",
        r"/(?=a)*/u",
        r"/(?<a>x)(?<a>y)/",
        r"/(?:(?<a>x)|b)(?<a>y)/",
        r"/(?<a>(?<a>x))/",
        r"/(?<1>x)/",
        r"/(?a:b)/",
        r"/(?-:b)/",
        r"/(?i-i:b)/",
        r"/(?<a>x)\k<b>/",
        r"/(?<a>x)\k<b/",
        r"/\k<a>/u",
        r"/\1/u",
        r"/[b-a]/",
        r"/[\d-a]/u",
        r"/[😀-😎]/",
        r"/a{/u",
        r"/}/u",
        r"/\c/u",
        r"/\xg/u",
        r"/\u{110000}/u",
        r"/\-/u",
        r"/\p{/u",
        r"/[a/",
        r"/[(]/v",
        r"/[a&&&]/v",
        r"/\q{a}/v",
        r"/a/gg",
    ] {
        assert!(is_bad(source), "{source}");
    }
}
