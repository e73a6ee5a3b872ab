//! JSON texts, strictly as RFC 8259 has them: a text goes in, at most one diagnostic comes out.
//!
//! Invariant: no recursion; the open brackets lie on a stack of their own.
use crate::ast::Span;
use crate::diagnostic::{Diagnostic, Severity};

struct Reader<'s> {
    bytes: &'s [u8],
    pos: usize,
}

type Bad = (&'static str, &'static str, &'static str);

/// Where the text is no JSON, if it is not.
pub(crate) fn check(source: &str) -> Option<Diagnostic> {
    let mut reader = Reader { bytes: source.as_bytes(), pos: 0 };
    let (code, message, help) = reader.text().err()?;
    let at = reader.pos.min(source.len());
    let end = source[at..].chars().next().map_or(at, |c| at + c.len_utf8());
    let span = Span { start: at as u32, end: end as u32 };
    Some(Diagnostic { severity: Severity::Error, code, message: message.into(), span, help: Some(help.into()) })
}

const EXPECTED_VALUE: Bad =
    ("JS-001", "a JSON value must stand here", "write a string, number, array, object, true, false or null");

impl Reader<'_> {
    fn peek(&self) -> u8 {
        self.bytes.get(self.pos).copied().unwrap_or(0)
    }

    fn space(&mut self) -> Result<(), Bad> {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.pos += 1;
        }
        match self.peek() {
            b'/' => Err(("JS-008", "JSON has no comments", "leave the comment out")),
            0x0b | 0x0c | 0x80.. => Err(("JS-007", "this is no white space of JSON", "use spaces")),
            _ => Ok(()),
        }
    }

    fn text(&mut self) -> Result<(), Bad> {
        let mut open: Vec<u8> = Vec::new();
        self.space()?;
        loop {
            // A value stands here.
            match self.peek() {
                b'[' | b'{' => {
                    let bracket = self.peek();
                    self.pos += 1;
                    self.space()?;
                    if self.peek() != bracket + 2 {
                        open.push(bracket);
                        if bracket == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                    self.pos += 1;
                }
                _ => self.scalar()?,
            }
            self.space()?;
            // A value has ended: close what ends with it.
            loop {
                let Some(&bracket) = open.last() else {
                    let end = ("JS-001", "the JSON text ends here", "leave out what follows");
                    return if self.pos == self.bytes.len() { Ok(()) } else { Err(end) };
                };
                match self.peek() {
                    b',' => {
                        self.pos += 1;
                        self.space()?;
                        if self.peek() == bracket + 2 {
                            return Err(("JS-001", "JSON has no comma before a closing bracket", "leave out the comma"));
                        }
                        if bracket == b'{' {
                            self.key()?;
                        }
                        break;
                    }
                    byte if byte == bracket + 2 => {
                        self.pos += 1;
                        open.pop();
                        self.space()?;
                    }
                    _ => return Err(("JS-001", "`,` or a closing bracket must stand here", "separate values by commas")),
                }
            }
        }
    }

    fn key(&mut self) -> Result<(), Bad> {
        if self.peek() != b'"' {
            return Err(("JS-001", "a key of JSON is a string in double quotes", "put the key in double quotes"));
        }
        self.string()?;
        self.space()?;
        if self.peek() != b':' {
            return Err(("JS-001", "`:` must stand behind a key", "write `:` and a value"));
        }
        self.pos += 1;
        self.space()
    }

    fn scalar(&mut self) -> Result<(), Bad> {
        match self.peek() {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            _ => {
                let rest = &self.bytes[self.pos..];
                let word = [&b"true"[..], b"false", b"null"].into_iter().find(|w| rest.starts_with(w)).ok_or(EXPECTED_VALUE)?;
                self.pos += word.len();
                Ok(())
            }
        }
    }

    fn string(&mut self) -> Result<(), Bad> {
        self.pos += 1;
        loop {
            match self.peek() {
                b'"' => {
                    self.pos += 1;
                    return Ok(());
                }
                b'\\' => {
                    let digits = self.bytes.get(self.pos + 2..self.pos + 6);
                    let hex = digits.is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit));
                    self.pos += match self.bytes.get(self.pos + 1) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
                        Some(b'u') if hex => 6,
                        _ => return Err(("JS-002", "JSON does not know this escape", "write `\\u` and four digits")),
                    };
                }
                0..0x20 => return Err(("JS-003", "a string ends on its line and holds no control characters", "write `\\n`")),
                _ => self.pos += 1,
            }
        }
    }

    fn digits(&mut self) -> Result<(), Bad> {
        if !self.peek().is_ascii_digit() {
            return Err(("JS-004", "a digit must stand here", "write the number as `-12.5e-3`"));
        }
        while self.peek().is_ascii_digit() {
            self.pos += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Bad> {
        if self.peek() == b'-' {
            self.pos += 1;
        }
        if self.peek() == b'0' {
            self.pos += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == b'.' {
            self.pos += 1;
            self.digits()?;
        }
        if self.peek() | 0x20 == b'e' {
            self.pos += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.pos += 1;
            }
            self.digits()?;
        }
        match self.peek() {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' => {
                Err(("JS-004", "this is no number of JSON", "write the number as `-12.5e-3`"))
            }
            _ => Ok(()),
        }
    }
}
