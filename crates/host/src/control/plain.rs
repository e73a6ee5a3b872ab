//! The line that comes most often, a call without arguments, read without making a tree of it.
//!
//! ```text
//! { "do": "call", "vat": N, "method": "NAME", "args": [], "id": N or "TEXT" }      any order; `args` and `id` may be missing
//! ```
//! In: a line. Out: what it asks for; or nothing, and then the line is read as any other.
//!
//! Invariants
//! - what is taken here is JSON, and a reader of JSON finds the same in it: texts without escapes, whole numbers, no name twice.
use serde_json::Value;

/// Digits of a number, at most: it fits into 64 bits.
const MAX_DIGITS: usize = 18;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plain<'a> {
    pub vat: u64,
    pub method: &'a str,
    pub id: Value,
}

struct Scan<'a>(&'a [u8]);

impl<'a> Scan<'a> {
    fn space(&mut self) {
        let n = self.0.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')).count();
        self.0 = &self.0[n..];
    }

    /// This byte, with space around it.
    fn mark(&mut self, mark: u8) -> Option<()> {
        self.space();
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        self.space();
        (*first == mark).then_some(())
    }

    fn text(&mut self) -> Option<&'a str> {
        let rest = self.0.strip_prefix(b"\"")?;
        let end = rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20))?;
        self.0 = rest[end..].strip_prefix(b"\"")?;
        std::str::from_utf8(&rest[..end]).ok()
    }

    fn number(&mut self) -> Option<u64> {
        let n = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(n);
        let fine = n > 0 && n <= MAX_DIGITS && (n == 1 || digits[0] != b'0');
        self.0 = rest;
        // what goes on as another kind of number is none of the marks that may follow
        fine.then(|| digits.iter().fold(0, |n, d| n * 10 + u64::from(d - b'0')))
    }
}

/// The call in a line, if it is a plain one.
pub(super) fn call(line: &[u8]) -> Option<Plain<'_>> {
    let mut scan = Scan(line);
    let (mut what, mut vat, mut method, mut args, mut id) = (None, None, None, None, None);
    scan.mark(b'{')?;
    loop {
        let name = scan.text()?;
        scan.mark(b':')?;
        let twice = match name {
            "do" => what.replace(scan.text()?).is_some(),
            "vat" => vat.replace(scan.number()?).is_some(),
            "method" => method.replace(scan.text()?).is_some(),
            "args" => {
                scan.mark(b'[')?;
                args.replace(scan.mark(b']')?).is_some()
            }
            "id" if scan.0.first() == Some(&b'"') => id.replace(Value::from(scan.text()?)).is_some(),
            "id" => id.replace(Value::from(scan.number()?)).is_some(),
            _ => true,
        };
        if twice {
            return None;
        }
        scan.space();
        if scan.0.first() == Some(&b'}') {
            break;
        }
        scan.mark(b',')?;
    }
    scan.mark(b'}')?;
    let whole = scan.0.is_empty() && what == Some("call");
    Some(Plain { vat: vat?, method: method.filter(|m| !m.is_empty())?, id: id.unwrap_or_default() }).filter(|_| whole)
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
