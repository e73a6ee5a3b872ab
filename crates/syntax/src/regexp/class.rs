//! Character classes, with `v` also nested ones.
use super::escape::Meaning;
use super::{Bad, Pattern};

impl Pattern {
    /// A class; `pos` is at its `[`.
    pub(super) fn class(&mut self) -> Result<(), Bad> {
        if self.sets {
            return self.set_class();
        }
        self.pos += 1;
        self.eat('^');
        loop {
            if self.eat(']') {
                return Ok(());
            }
            let low = self.class_atom()?;
            // `-` before `]` is itself.
            if self.peek(0) != Some('-') || self.peek(1) == Some(']') {
                continue;
            }
            self.pos += 1;
            let high = self.class_atom()?;
            self.check_range(low, high)?;
        }
    }

    fn check_range(&self, low: Meaning, high: Meaning) -> Result<(), Bad> {
        match (low, high) {
            (Meaning::Char(low), Meaning::Char(high)) if low > high => Err("the ends of a range are out of order"),
            (Meaning::Set, _) | (_, Meaning::Set) if self.unicode => Err("a range goes from one character to another"),
            _ => Ok(()),
        }
    }

    fn class_atom(&mut self) -> Result<Meaning, Bad> {
        let &unit = self.units.get(self.pos).ok_or("a class of this regular expression is never closed")?;
        if unit == u32::from('\\') {
            return self.escape(true);
        }
        self.pos += 1;
        Ok(Meaning::Char(unit))
    }

    /// With `v`: classes within classes, `--`, `&&` and `\q{…}`. The open ones are counted.
    fn set_class(&mut self) -> Result<(), Bad> {
        let mut depth = 0u32;
        loop {
            let c = self.peek(0).ok_or("a class of this regular expression is never closed")?;
            match c {
                '[' => {
                    self.pos += 1;
                    self.eat('^');
                    depth += 1;
                }
                ']' => {
                    self.pos += 1;
                    depth -= 1;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                '\\' if self.peek(1) == Some('q') => self.quoted()?,
                '(' | ')' | '{' | '}' | '/' | '|' => return Err("this sign needs a backslash within a class"),
                '-' | '&' if self.peek(1) == Some(c) => {
                    self.pos += 2;
                    if self.peek(0) == Some(c) {
                        return Err("this sign needs a backslash within a class");
                    }
                }
                '-' => return Err("this sign needs a backslash within a class"),
                _ if self.peek(1) == Some(c) && "!#$%*+,.:;<=>?@^`~".contains(c) => {
                    return Err("this sign is reserved where it stands twice");
                }
                _ => {
                    let low = self.class_atom()?;
                    if self.peek(0) == Some('-') && self.peek(1) != Some('-') {
                        self.pos += 1;
                        let high = self.class_atom()?;
                        self.check_range(low, high)?;
                    }
                }
            }
        }
    }

    /// `\q{abc|d}`
    fn quoted(&mut self) -> Result<(), Bad> {
        self.pos += 2;
        if !self.eat('{') {
            return Err("`\\q` needs braces");
        }
        loop {
            match self.peek(0) {
                Some('}') => {
                    self.pos += 1;
                    return Ok(());
                }
                Some('(' | ')' | '[' | ']' | '{' | '/' | '-') => return Err("this sign needs a backslash within a class"),
                _ => {
                    self.class_atom()?;
                }
            }
        }
    }
}
