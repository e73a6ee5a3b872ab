//! Strings, their escapes, and regular expressions.
use super::token::{Tok, Token};
use super::{Lexer, is_id_continue, is_line_end, names, span};
use crate::ast::NameId;

/// What an escape sequence means.
pub(super) enum Escape {
    /// A code point, or a lone surrogate.
    Value(u32),
    /// A line continuation.
    Nothing,
    /// `\01`, `\8`: legal in sloppy code only.
    Legacy,
    Malformed,
}

impl Lexer<'_> {
    pub(super) fn string(&mut self, token: &mut Token) {
        let (start, quote) = (self.pos, self.bytes[self.pos]);
        token.kind = Tok::String;
        self.pos += 1;
        while self.pos < self.bytes.len() {
            match self.bytes[self.pos] {
                b'\\' | b'\n' | b'\r' => break,
                byte if byte == quote => {
                    token.name = self.names.text(&self.src[start + 1..self.pos]);
                    self.pos += 1;
                    return;
                }
                _ => self.pos += 1,
            }
        }
        self.slow_string(start, token);
    }

    /// The rest of a string that has escapes, or no end.
    fn slow_string(&mut self, start: usize, token: &mut Token) {
        let quote = self.bytes[start] as char;
        let mut units: Vec<u16> = self.src[start + 1..self.pos].encode_utf16().collect();
        loop {
            let Some(c) = self.current_char().filter(|&c| c != '\n' && c != '\r') else {
                let message = "this string has no end on its line";
                self.sink.error_help("E-STRING", span(start, self.pos), message, "close it with the quote it began with");
                break;
            };
            let at = self.pos;
            if c == '\\' {
                let escape = self.escape();
                self.push_escape(escape, at, &mut units);
                continue;
            }
            self.pos += c.len_utf8();
            if c == quote {
                break;
            }
            units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
        }
        token.escaped = true;
        token.name = self.names.units(&units);
    }

    fn push_escape(&mut self, escape: Escape, at: usize, units: &mut Vec<u16>) {
        match escape {
            Escape::Value(value) => push_code_point(value, units),
            Escape::Nothing => {}
            Escape::Legacy => {
                let help = "write `\\x` and two hexadecimal digits";
                self.sink.error_help("E-OCTAL", span(at, self.pos), "octal escapes are no part of strict code", help);
            }
            Escape::Malformed => self.sink.error("E-ESCAPE", span(at, self.pos), "this escape is malformed"),
        }
    }

    /// Reads an escape; `pos` stands at the backslash.
    pub(super) fn escape(&mut self) -> Escape {
        self.pos += 1;
        let Some(c) = self.current_char() else { return Escape::Malformed };
        if c == 'u' {
            return self.unicode_escape().map_or(Escape::Malformed, Escape::Value);
        }
        self.pos += c.len_utf8();
        Escape::Value(match c {
            'n' => 10,
            't' => 9,
            'r' => 13,
            'b' => 8,
            'f' => 12,
            'v' => 11,
            'x' => match self.hex(2) {
                Some(value) => value,
                None => return Escape::Malformed,
            },
            '0' if !self.peek(0).is_ascii_digit() => 0,
            '0'..='9' => return Escape::Legacy,
            '\r' => {
                if self.peek(0) == b'\n' {
                    self.pos += 1;
                }
                return Escape::Nothing;
            }
            c if is_line_end(c) => return Escape::Nothing,
            c => c as u32,
        })
    }

    fn hex(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 4 | (self.peek(0) as char).to_digit(16)?;
            self.pos += 1;
        }
        Some(value)
    }

    /// `uXXXX` or `u{X…}`; `pos` stands at the `u`.
    pub(super) fn unicode_escape(&mut self) -> Option<u32> {
        self.pos += 1;
        if self.peek(0) != b'{' {
            return self.hex(4);
        }
        self.pos += 1;
        let (mut value, start) = (0u32, self.pos);
        while let Some(digit) = (self.peek(0) as char).to_digit(16) {
            value = (value << 4 | digit).min(0x11_0000);
            self.pos += 1;
        }
        if self.pos == start || self.peek(0) != b'}' || value > 0x10_ffff {
            return None;
        }
        self.pos += 1;
        Some(value)
    }

    /// A regular expression whose `/` stands at `start`: its body and flags. The names of
    /// Unicode properties are left to the regular-expression engine.
    pub fn regexp(&mut self, start: usize) -> (NameId, NameId) {
        self.pos = start + 1;
        let mut in_class = false;
        loop {
            let Some(c) = self.current_char().filter(|&c| !is_line_end(c)) else {
                self.sink.error("E-REGEXP", span(start, self.pos), "this regular expression has no end on its line");
                return (names::EMPTY, names::EMPTY);
            };
            if c == '/' && !in_class {
                break;
            }
            match c {
                '[' => in_class = true,
                ']' => in_class = false,
                '\\' if !self.src[self.pos + 1..].starts_with(is_line_end) => self.pos += 1,
                _ => {}
            }
            self.pos += self.current_char().map_or(0, char::len_utf8);
        }
        let body = self.names.text(&self.src[start + 1..self.pos]);
        self.pos += 1;
        let flags = self.pos;
        while let Some(c) = self.current_char().filter(|&c| is_id_continue(c) || c == '\\') {
            self.pos += c.len_utf8();
        }
        let text = &self.src[flags..self.pos];
        let once = |c: char| "dgimsuvy".contains(c) && text.matches(c).count() == 1;
        if !text.chars().all(once) || text.contains('u') && text.contains('v') {
            self.sink.error("E-REGEXP", span(flags, self.pos), "flags are of `dgimsuvy`, each once, and not both `u` and `v`");
        }
        let (pattern, flags) = (&self.src[start + 1..flags - 1], text);
        if let Some(message) = crate::regexp::check(pattern, flags) {
            self.sink.error("E-REGEXP", span(start, self.pos), message);
        }
        (body, self.names.text(flags))
    }
}

pub(super) fn push_code_point(value: u32, units: &mut Vec<u16>) {
    match char::from_u32(value) {
        Some(c) => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
        None => units.push(value as u16),
    }
}
