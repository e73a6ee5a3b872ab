//! Escapes within patterns, and the names of groups.
use super::{Bad, Pattern};
use crate::lexer::{is_id_continue, is_id_start};

/// What an escape within a class or outside stands for.
pub(super) enum Meaning {
    Char(u32),
    /// `\d`, `\p{…}`: many characters.
    Set,
}

impl Pattern {
    /// An escape outside a class; says whether a quantifier may follow.
    pub(super) fn atom_escape(&mut self) -> Result<bool, Bad> {
        match self.peek(1) {
            Some('b' | 'B') => {
                self.pos += 2;
                Ok(false)
            }
            Some('1'..='9') => {
                self.pos += 1;
                let start = self.pos;
                let number = self.decimal().unwrap_or(0.0);
                self.back_reference = self.back_reference.max(number.min(f64::from(u32::MAX)) as u32);
                if !self.unicode {
                    // It may be a legacy octal escape, which ends earlier; the digits behind it are characters.
                    self.pos = self.pos.max(start + 1);
                }
                Ok(true)
            }
            Some('k') => {
                self.pos += 2;
                let start = self.pos;
                let name = if self.eat('<') { self.group_name() } else { None };
                if name.is_none() {
                    self.pos = start;
                }
                self.named_references.push(name);
                Ok(true)
            }
            _ => self.escape(false).map(|_| true),
        }
    }

    /// An escape that stands for characters; `pos` is at the backslash.
    pub(super) fn escape(&mut self, in_class: bool) -> Result<Meaning, Bad> {
        let bad = Err("this regular expression has an escape that is unknown");
        self.pos += 1;
        let Some(&unit) = self.units.get(self.pos) else { return Err("this regular expression ends with a backslash") };
        let c = char::from_u32(unit).unwrap_or('\u{fffd}');
        self.pos += 1;
        Ok(Meaning::Char(match c {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => return Ok(Meaning::Set),
            'p' | 'P' if self.unicode => return self.property(),
            't' => 9,
            'n' => 10,
            'v' => 11,
            'f' => 12,
            'r' => 13,
            'b' if in_class => 8,
            '-' if in_class => u32::from(c),
            '0' if !self.peek(0).is_some_and(|c| c.is_ascii_digit()) => 0,
            'c' => match self.peek(0) {
                Some(letter) if letter.is_ascii_alphabetic() => {
                    self.pos += 1;
                    u32::from(letter) % 32
                }
                Some(digit) if in_class && !self.unicode && (digit.is_ascii_digit() || digit == '_') => {
                    self.pos += 1;
                    u32::from(digit) % 32
                }
                _ if self.unicode => return bad,
                _ => {
                    self.pos -= 1;
                    u32::from('\\')
                }
            },
            'x' => match self.hex(2) {
                Some(value) => value,
                None if self.unicode => return bad,
                None => unit,
            },
            'u' => match self.unicode_escape(self.unicode) {
                Some(value) => value,
                None if self.unicode => return bad,
                None => unit,
            },
            '^' | '$' | '\\' | '.' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '/' => unit,
            _ if self.sets && in_class && "&-!#%,:;<=>@`~".contains(c) => unit,
            _ if self.unicode => return bad,
            '0'..='7' => return Ok(self.legacy_octal(unit)),
            _ => unit,
        }))
    }

    fn legacy_octal(&mut self, first: u32) -> Meaning {
        let mut value = first - u32::from('0');
        while let Some(digit) = self.peek(0).and_then(|c| c.to_digit(8)).filter(|d| value * 8 + d < 256) {
            value = value * 8 + digit;
            self.pos += 1;
        }
        Meaning::Char(value)
    }

    /// `{Name}` or `{Name=Value}`.
    fn property(&mut self) -> Result<Meaning, Bad> {
        let bad = Err("a Unicode property is malformed");
        if !self.eat('{') {
            return bad;
        }
        let start = self.pos;
        let mut equals = 0;
        while let Some(c) = self.peek(0).filter(|&c| c.is_ascii_alphanumeric() || c == '_' || c == '=') {
            equals += u32::from(c == '=');
            self.pos += 1;
        }
        if self.pos == start || equals > 1 || !self.eat('}') { bad } else { Ok(Meaning::Set) }
    }

    fn hex(&mut self, count: usize) -> Option<u32> {
        let start = self.pos;
        let mut value = 0;
        for _ in 0..count {
            let Some(digit) = self.peek(0).and_then(|c| c.to_digit(16)) else {
                self.pos = start;
                return None;
            };
            value = value << 4 | digit;
            self.pos += 1;
        }
        Some(value)
    }

    /// What follows `\u`; a pair of surrogates is one character where `pairs` says so.
    fn unicode_escape(&mut self, pairs: bool) -> Option<u32> {
        let start = self.pos;
        if pairs && self.eat('{') {
            let mut value = None;
            while let Some(digit) = self.peek(0).and_then(|c| c.to_digit(16)) {
                value = Some((value.unwrap_or(0) << 4 | digit).min(0x11_0000));
                self.pos += 1;
            }
            return if self.eat('}') { value.filter(|&v| v < 0x11_0000) } else { None };
        }
        let Some(high) = self.hex(4) else {
            self.pos = start;
            return None;
        };
        if pairs && (0xd800..0xdc00).contains(&high) && self.peek(0) == Some('\\') && self.peek(1) == Some('u') {
            let back = self.pos;
            self.pos += 2;
            if let Some(low) = self.hex(4).filter(|low| (0xdc00..0xe000).contains(low)) {
                return Some(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            }
            self.pos = back;
        }
        Some(high)
    }

    /// The name of a group up to `>`.
    pub(super) fn group_name(&mut self) -> Option<String> {
        let mut name = String::new();
        loop {
            let &unit = self.units.get(self.pos)?;
            self.pos += 1;
            let mut value = unit;
            if unit == u32::from('\\') {
                if !self.eat('u') {
                    return None;
                }
                value = self.unicode_escape(true)?;
            } else if unit == u32::from('>') {
                return if name.is_empty() { None } else { Some(name) };
            } else if (0xd800..0xdc00).contains(&unit) {
                let low = self.units.get(self.pos).copied().filter(|low| (0xdc00..0xe000).contains(low))?;
                self.pos += 1;
                value = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            }
            let c = char::from_u32(value)?;
            if !(if name.is_empty() { is_id_start(c) } else { is_id_continue(c) }) {
                return None;
            }
            name.push(c);
        }
    }
}
