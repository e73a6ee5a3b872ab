//! The line that comes most often, a call without arguments, read without making a tree of it.
//!
//! ```text
//! { "do": "call", "vat": N, "method": "NAME", "args": [], "id": anything }      any order; `args` and `id` may be missing
//! ```
//! In: a line. Out: what it asks for; or nothing, and then the line is read as any other.
//!
//! Invariants
//! - what is taken here means the same as a tree: texts without escapes, vats by number, no name twice and none besides.
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    r#do: &'a str,
    vat: u64,
    method: &'a str,
    #[serde(default)]
    args: Vec<IgnoredAny>,
    #[serde(default)]
    id: Value,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plain<'a> {
    pub vat: u64,
    pub method: &'a str,
    pub id: Value,
}

/// The call in a line, if it is a plain one.
pub(super) fn call(line: &[u8]) -> Option<Plain<'_>> {
    let line: Line<'_> = serde_json::from_slice(line).ok()?;
    let is_plain = line.r#do == "call" && !line.method.is_empty() && line.args.is_empty();
    is_plain.then_some(Plain { vat: line.vat, method: line.method, id: line.id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_calls_are_taken() {
        let found = call(b"{\"do\":\"call\",\"vat\":17,\"method\":\"up\"}\n").expect("a plain call");
        assert_eq!(found, Plain { vat: 17, method: "up", id: Value::Null });
        let found = call(b" { \"id\" : \"k\xc3\xa4se\" , \"args\" : [ ] , \"method\" : \"up\", \"vat\": 0 , \"do\":\"call\" } ");
        assert_eq!(found.expect("a plain call"), Plain { vat: 0, method: "up", id: Value::from("käse") });
    }

    /// Lines made of pieces, most of them not plain: what is taken says the same to a reader of JSON.
    #[test]
    fn what_is_taken_is_json_with_the_same_meaning() {
        const PIECES: &[&str] = &[
            "{",
            "}",
            ",",
            ":",
            " ",
            "\"do\"",
            "\"call\"",
            "\"vat\"",
            "7",
            "07",
            "1e3",
            "-2",
            "3.5",
            "123456789012345678901",
            "\"method\"",
            "\"up\"",
            "\"\"",
            "\"a\\n\"",
            "\"args\"",
            "[]",
            "[ ]",
            "[1]",
            "\"id\"",
            "null",
            "\u{1}",
            "\"do\":\"call\"",
            "\"vat\":7",
            "\"method\":\"up\"",
            "\"id\":5",
            "\"args\":[]",
            "{\"do\":\"call\",\"vat\":1,\"method\":\"m\"",
            ",\"id\":\"x\"",
            "}\n",
        ];
        let (mut seed, mut taken) = (7u64, 0);
        let mut below = |n: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % n
        };
        for _ in 0..300_000 {
            let mut line = String::new();
            let mut members: Vec<&str> = vec!["\"do\":\"call\"", "\"vat\":7", "\"method\":\"up\""];
            if below(2) == 0 {
                for _ in 0..below(4) {
                    members.insert(below(members.len() + 1), PIECES[below(PIECES.len())]);
                }
                line = format!("{{{}}}", members.join(","));
            } else {
                (0..1 + below(9)).for_each(|_| line.push_str(PIECES[below(PIECES.len())]));
            }
            let Some(found) = call(line.as_bytes()) else { continue };
            taken += 1;
            let v: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}"));
            assert_eq!(
                (v["do"].as_str(), v["vat"].as_u64(), v["method"].as_str()),
                (Some("call"), Some(found.vat), Some(found.method))
            );
            assert_eq!(v.get("id").cloned().unwrap_or_default(), found.id, "{line}");
            assert!(v.get("args").is_none_or(|a| a.as_array().is_some_and(Vec::is_empty)), "{line}");
        }
        assert!(taken > 10_000, "{taken} plain calls");
    }
}
