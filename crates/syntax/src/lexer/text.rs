//! The pieces of templates.
use super::literal::{Escape, push_code_point};
use super::{Lexer, span};
use crate::ast::{Quasi, Span};

/// One piece, and what followed it.
pub(crate) struct TemplatePiece {
    pub quasi: Quasi,
    /// The backquote followed, else `${`.
    pub last: bool,
    /// A malformed escape: an error unless the template is tagged.
    pub malformed: Option<Span>,
}

impl Lexer<'_> {
    /// Reads a piece from `start`, which is the byte behind the backquote or the brace.
    pub fn template_piece(&mut self, start: usize) -> TemplatePiece {
        self.pos = start;
        let (mut cooked, mut raw) = (Vec::new(), Vec::new());
        let mut malformed = None;
        let last = loop {
            let Some(c) = self.current_char() else {
                self.sink.error_help(
                    "E-TEMPLATE",
                    span(start - 1, start),
                    "this template has no end",
                    "close it with a backquote",
                );
                break true;
            };
            let at = self.pos;
            match c {
                '`' => {
                    self.pos += 1;
                    break true;
                }
                '$' if self.peek(1) == b'{' => {
                    self.pos += 2;
                    break false;
                }
                '\\' => {
                    match self.escape() {
                        Escape::Value(value) => push_code_point(value, &mut cooked),
                        Escape::Nothing => {}
                        Escape::Legacy | Escape::Malformed => malformed = malformed.or(Some(span(at, self.pos))),
                    }
                    push_raw(&self.src[at..self.pos], &mut raw);
                }
                '\r' => {
                    self.pos += if self.peek(1) == b'\n' { 2 } else { 1 };
                    cooked.push(10);
                    raw.push(10);
                }
                c => {
                    self.pos += c.len_utf8();
                    let mut buffer = [0; 2];
                    let units = c.encode_utf16(&mut buffer);
                    cooked.extend_from_slice(units);
                    raw.extend_from_slice(units);
                }
            }
        };
        let cooked = if malformed.is_some() { None } else { Some(self.names.units(&cooked)) };
        TemplatePiece { quasi: Quasi { cooked, raw: self.names.units(&raw) }, last, malformed }
    }
}

/// Line ends in raw text are line feeds.
fn push_raw(text: &str, raw: &mut Vec<u16>) {
    let mut before = '\0';
    for c in text.chars() {
        match c {
            '\r' => raw.push(10),
            '\n' if before == '\r' => {}
            c => raw.extend_from_slice(c.encode_utf16(&mut [0; 2])),
        }
        before = c;
    }
}
