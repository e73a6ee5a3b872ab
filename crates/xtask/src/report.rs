//! What a check has to say, and how it is printed.
//!
//! Every finding names a place, what is wrong there, and the mend; a finding without a mend is a bug of the check.

use std::fmt::Write as _;

/// One thing wrong at one place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// The name of the check, as `tidy --list` shows it.
    pub check: &'static str,
    pub what: String,
    pub mend: String,
}

impl Finding {
    pub fn new(check: &'static str, file: &str, line: usize, what: impl Into<String>, mend: impl Into<String>) -> Finding {
        Finding { file: file.to_owned(), line, check, what: what.into(), mend: mend.into() }
    }

    /// For a person: the place, what is wrong, the mend.
    pub fn text(&self) -> String {
        format!("{}:{}: {} [{}]\n    mend: {}", self.file, self.line, self.what, self.check, self.mend)
    }

    /// For a program: one object on one line.
    pub fn json(&self) -> String {
        let mut out = String::new();
        let place = format!("\"file\":{},\"line\":{}", json_string(&self.file), self.line);
        let rest = format!(
            "\"check\":{},\"what\":{},\"mend\":{}",
            json_string(self.check),
            json_string(&self.what),
            json_string(&self.mend)
        );
        let _ = write!(out, "{{{place},{rest}}}");
        out
    }
}

/// `text` as a JSON string literal.
pub fn json_string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_name_place_fault_and_mend() {
        let finding = Finding::new("stub", "a.rs", 3, "a \"stub\"", "write it");
        assert_eq!(finding.text(), "a.rs:3: a \"stub\" [stub]\n    mend: write it");
        let json = r#"{"file":"a.rs","line":3,"check":"stub","what":"a \"stub\"","mend":"write it"}"#;
        assert_eq!(finding.json(), json);
    }
}
