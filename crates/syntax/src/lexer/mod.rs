//! Source text in, one token at a time out; the parser asks for the next and says where `/` and `}` mean otherwise.
//!
//! Invariants
//! - `pos` always lies on a character boundary and only grows, save when the parser goes back to a [`Mark`];
//! - a malformed token is reported here, once, and becomes [`Tok::Invalid`] or a usable stand-in;
//! - linear: no byte is read more than a fixed number of times.
//!
//! Must never know: the grammar above tokens.
mod literal;
pub(crate) mod names;
mod number;
mod punct;
mod text;
pub(crate) mod token;

use crate::ast::Span;
use crate::sink::Sink;
use names::Names;
use token::{Tok, Token};

pub(crate) use number::number_to_string;

/// What the smaller levels forbid and the tree does not show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Note {
    /// A semicolon was inserted here (JS-020).
    Asi,
    /// White space other than tab, LF, CR and space (JS-007).
    OddSpace,
    /// `.5`, `1.`, `0x1` (JS-004).
    OddNumber,
    /// A letter beyond ASCII or an escape in an identifier (JS-011).
    OddWord,
    /// A line end directly behind `return`, `break` or `continue` (JS-021).
    LineAfterJump,
    /// `import 'm'`, attributes, a string as the name of an import or export (JS-104).
    OddImport,
}

pub(crate) struct Lexer<'s> {
    pub src: &'s str,
    pub bytes: &'s [u8],
    pub pos: usize,
    pub names: Names<'s>,
    pub sink: Sink,
    pub notes: Vec<(Note, Span)>,
    /// Scratch for strings with escapes.
    units: Vec<u16>,
}

/// A place to come back to after looking ahead.
pub(crate) struct Mark {
    pos: usize,
    diagnostics: usize,
    stopped: bool,
    notes: usize,
}

impl<'s> Lexer<'s> {
    pub fn new(src: &'s str) -> Self {
        let names = Names::new();
        let mut lexer =
            Lexer { src, bytes: src.as_bytes(), pos: 0, names, sink: Sink::default(), notes: Vec::new(), units: Vec::new() };
        if src.starts_with('\u{feff}') {
            lexer.pos = 3;
        }
        if lexer.bytes[lexer.pos..].starts_with(b"#!") {
            lexer.skip_line();
        }
        lexer
    }

    pub fn mark(&self) -> Mark {
        Mark { pos: self.pos, diagnostics: self.sink.list.len(), stopped: self.sink.stopped, notes: self.notes.len() }
    }

    pub fn reset(&mut self, mark: Mark) {
        self.pos = mark.pos;
        self.sink.list.truncate(mark.diagnostics);
        self.sink.stopped = mark.stopped;
        self.notes.truncate(mark.notes);
    }

    /// Nothing more is to be read.
    pub fn stop(&mut self) {
        self.sink.stopped = true;
        self.pos = self.bytes.len();
    }

    pub(crate) fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.pos + ahead).copied().unwrap_or(0)
    }

    fn current_char(&self) -> Option<char> {
        self.src[self.pos..].chars().next()
    }

    pub fn next_token(&mut self) -> Token {
        let newline = self.skip_trivia();
        let start = self.pos;
        let mut token =
            Token { kind: Tok::Eof, newline, escaped: false, name: names::EMPTY, number: 0.0, span: span(start, start) };
        if start >= self.bytes.len() {
            return token;
        }
        match self.bytes[start] {
            b'a'..=b'z' | b'A'..=b'Z' | b'$' | b'_' | b'\\' | 0x80.. => self.word(&mut token),
            b'0'..=b'9' => self.number(&mut token),
            b'.' if self.peek(1).is_ascii_digit() => self.number(&mut token),
            b'"' | b'\'' => self.string(&mut token),
            b'`' => {
                self.pos += 1;
                token.kind = Tok::Template;
            }
            b'#' => self.private_name(&mut token),
            byte => token.kind = self.punctuator(byte, newline || start == 0),
        }
        token.span = span(start, self.pos);
        token
    }

    /// Skips white space and comments; true if a line ended in them.
    fn skip_trivia(&mut self) -> bool {
        let mut newline = false;
        loop {
            match self.peek(0) {
                b' ' | b'\t' => self.pos += 1,
                b'\n' | b'\r' => {
                    newline = true;
                    self.pos += 1;
                }
                0x0b | 0x0c => {
                    self.notes.push((Note::OddSpace, span(self.pos, self.pos + 1)));
                    self.pos += 1;
                }
                b'/' if self.peek(1) == b'/' => self.skip_line(),
                b'/' if self.peek(1) == b'*' => newline |= self.skip_block_comment(),
                0x80.. => {
                    let Some(c) = self.current_char().filter(|&c| is_space(c) || is_line_end(c)) else { return newline };
                    newline |= is_line_end(c);
                    self.notes.push((Note::OddSpace, span(self.pos, self.pos + c.len_utf8())));
                    self.pos += c.len_utf8();
                }
                _ => return newline,
            }
        }
    }

    fn skip_line(&mut self) {
        while self.pos < self.bytes.len() {
            match self.bytes[self.pos] {
                b'\n' | b'\r' => return,
                0xe2 if self.at_line_separator() => return,
                _ => self.pos += 1,
            }
        }
    }

    fn at_line_separator(&self) -> bool {
        self.peek(0) == 0xe2 && self.peek(1) == 0x80 && (self.peek(2) == 0xa8 || self.peek(2) == 0xa9)
    }

    fn skip_block_comment(&mut self) -> bool {
        let start = self.pos;
        let mut newline = false;
        self.pos += 2;
        while self.pos < self.bytes.len() {
            match self.bytes[self.pos] {
                b'*' if self.peek(1) == b'/' => {
                    self.pos += 2;
                    return newline;
                }
                b'\n' | b'\r' => newline = true,
                0xe2 if self.at_line_separator() => newline = true,
                _ => {}
            }
            self.pos += 1;
        }
        self.sink.error_help("E-COMMENT", span(start, start + 2), "this comment never ends", "write `*/` at its end");
        newline
    }

    /// An identifier or keyword; `pos` stands at its first character.
    fn word(&mut self, token: &mut Token) {
        let start = self.pos;
        while is_word_byte(self.peek(0)) {
            self.pos += 1;
        }
        let byte = self.peek(0);
        if byte != b'\\' && byte < 0x80 {
            token.name = self.names.text(&self.src[start..self.pos]);
            token.kind = names::keyword(token.name);
            return;
        }
        self.pos = start;
        let Some(escaped) = self.slow_word() else {
            token.kind = Tok::Invalid;
            return;
        };
        token.escaped = escaped;
        let units = std::mem::take(&mut self.units);
        token.name = self.names.units(&units);
        self.units = units;
        token.kind = match names::keyword(token.name) {
            kind @ (Tok::Ident | Tok::Await) => kind,
            _ if escaped => Tok::EscapedKeyword,
            kind => kind,
        };
        self.notes.push((Note::OddWord, span(start, self.pos)));
    }

    /// A word with escapes or letters beyond ASCII, into `units`; says whether it had escapes, `None` if malformed.
    fn slow_word(&mut self) -> Option<bool> {
        let start = self.pos;
        let mut escaped = false;
        self.units.clear();
        loop {
            let first = self.units.is_empty();
            let Some(c) = self.current_char() else { break };
            let at = self.pos;
            let c = if c == '\\' {
                escaped = true;
                self.pos += 1;
                let value = if self.peek(0) == b'u' { self.unicode_escape() } else { None };
                match value.and_then(char::from_u32) {
                    Some(c) if if first { is_id_start(c) } else { is_id_continue(c) } => c,
                    _ => {
                        self.pos = self.pos.max(at + 1);
                        self.sink.error("E-ESCAPE", span(at, self.pos), "this escape is no letter of an identifier");
                        return None;
                    }
                }
            } else if if first { is_id_start(c) } else { is_id_continue(c) } {
                self.pos += c.len_utf8();
                c
            } else {
                break;
            };
            self.units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
        }
        if self.units.is_empty() {
            let c = self.current_char().unwrap_or(' ');
            self.pos += c.len_utf8();
            let message = format!("the character U+{:04X} cannot stand here", c as u32);
            self.sink.error("E-CHARACTER", span(start, self.pos), message);
            return None;
        }
        Some(escaped)
    }

    fn private_name(&mut self, token: &mut Token) {
        let start = self.pos;
        self.pos += 1;
        let mut word = *token;
        if is_word_byte(self.peek(0)) && !self.peek(0).is_ascii_digit() || self.peek(0) >= 0x80 || self.peek(0) == b'\\' {
            self.word(&mut word);
            token.name = word.name;
            token.kind = if word.kind == Tok::Invalid { Tok::Invalid } else { Tok::Private };
            return;
        }
        self.sink.error("E-CHARACTER", span(start, start + 1), "`#` begins a private name, and no name follows");
        token.kind = Tok::Invalid;
    }
}

pub(crate) fn span(start: usize, end: usize) -> Span {
    Span { start: start as u32, end: end as u32 }
}

fn is_word_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$')
}

pub(crate) fn is_id_start(c: char) -> bool {
    match c {
        '$' | '_' => true,
        // Other_ID_Start keeps these four letters out of XID only.
        '\u{37a}' | '\u{e33}' | '\u{eb3}' | '\u{309b}' | '\u{309c}' | '\u{ff9e}' | '\u{ff9f}' => true,
        '\u{fc5e}'..='\u{fc63}' | '\u{fdfa}' | '\u{fdfb}' | '\u{fe70}' | '\u{fe72}' | '\u{fe74}' | '\u{fe76}' => true,
        '\u{fe78}' | '\u{fe7a}' | '\u{fe7c}' | '\u{fe7e}' => true,
        c => unicode_ident::is_xid_start(c),
    }
}

pub(crate) fn is_id_continue(c: char) -> bool {
    matches!(c, '$' | '\u{200c}' | '\u{200d}') || is_id_start(c) || unicode_ident::is_xid_continue(c)
}

fn is_space(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{feff}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

pub(crate) fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}
