//! The body and flags of a regular expression come in; what is wrong with them goes out (ECMA-262 22.2.1, B.1.2).
//!
//! Invariants
//! - no recursion: open groups lie on a stack; linear but for the merging of group names, which is small into large;
//! - with `u` or `v` the pattern is read by code points, without by UTF-16 code units, as it will be matched.
//!
//! Must never know: how patterns are matched; which Unicode properties there are.
mod class;
mod escape;

use std::collections::HashSet;

pub(super) type Bad = &'static str;

/// An open group, or the whole pattern.
#[derive(Default)]
struct Group {
    /// May a quantifier stand behind it?
    quantifiable: bool,
    /// Names of the alternative at hand, and of those before it.
    names: HashSet<String>,
    earlier: HashSet<String>,
}

pub(super) struct Pattern {
    units: Vec<u32>,
    pos: usize,
    /// `u` or `v`.
    unicode: bool,
    sets: bool,
    groups: Vec<Group>,
    count: u32,
    names: HashSet<String>,
    /// The largest `\1`, and what `\k<…>` names; `None` where it is malformed.
    back_reference: u32,
    named_references: Vec<Option<String>>,
}

/// What makes this no regular expression, if anything does.
pub(crate) fn check(body: &str, flags: &str) -> Option<Bad> {
    let unicode = flags.contains(['u', 'v']);
    let units = if unicode { body.chars().map(u32::from).collect() } else { body.encode_utf16().map(u32::from).collect() };
    let mut pattern = Pattern {
        units,
        pos: 0,
        unicode,
        sets: flags.contains('v'),
        groups: vec![Group::default()],
        count: 0,
        // determinism: iterated only to be put into another set; what comes out does not depend on the order.
        names: HashSet::new(),
        back_reference: 0,
        named_references: Vec::new(),
    };
    pattern.run().err()
}

impl Pattern {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.units.get(self.pos + ahead).and_then(|&u| char::from_u32(u))
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.peek(0) == Some(c);
        self.pos += usize::from(found);
        found
    }

    fn eat_text(&mut self, text: &str) -> bool {
        let found = text.chars().enumerate().all(|(i, c)| self.peek(i) == Some(c));
        if found {
            self.pos += text.len();
        }
        found
    }

    fn run(&mut self) -> Result<(), Bad> {
        // Whether a quantifier may follow.
        let mut atom = false;
        while self.pos < self.units.len() {
            let c = self.peek(0).unwrap_or('\u{fffd}');
            match c {
                '(' => {
                    self.open()?;
                    atom = false;
                }
                ')' => {
                    self.pos += 1;
                    atom = self.close()?;
                }
                '|' => {
                    self.pos += 1;
                    if let Some(group) = self.groups.last_mut() {
                        let names = std::mem::take(&mut group.names);
                        group.earlier.extend(names);
                    }
                    atom = false;
                }
                '*' | '+' | '?' => {
                    self.pos += 1;
                    self.quantified(atom)?;
                    atom = false;
                }
                '{' => {
                    if self.braces()? {
                        self.quantified(atom)?;
                        atom = false;
                    } else if self.unicode {
                        return Err("a lone `{` stands in this regular expression");
                    } else {
                        self.pos += 1;
                        atom = true;
                    }
                }
                ']' | '}' if self.unicode => return Err("a lone bracket stands in this regular expression"),
                '^' | '$' => {
                    self.pos += 1;
                    atom = false;
                }
                '[' => {
                    self.class()?;
                    atom = true;
                }
                '\\' => atom = self.atom_escape()?,
                _ => {
                    self.pos += 1;
                    atom = true;
                }
            }
        }
        self.finish()
    }

    fn finish(&self) -> Result<(), Bad> {
        if self.groups.len() > 1 {
            return Err("a group of this regular expression is never closed");
        }
        if self.unicode && self.back_reference > self.count {
            return Err("a back reference names a group that is not there");
        }
        let named = self.unicode || !self.names.is_empty();
        let missing = |r: &Option<String>| r.as_ref().is_none_or(|name| !self.names.contains(name));
        if named && self.named_references.iter().any(missing) {
            return Err("a back reference names a group that is not there");
        }
        Ok(())
    }

    fn quantified(&mut self, atom: bool) -> Result<(), Bad> {
        self.eat('?');
        if atom { Ok(()) } else { Err("a quantifier has nothing to repeat") }
    }

    /// `{1}`, `{1,}`, `{1,2}`: takes it if it is one.
    fn braces(&mut self) -> Result<bool, Bad> {
        let start = self.pos;
        self.pos += 1;
        let Some(low) = self.decimal() else {
            self.pos = start;
            return Ok(false);
        };
        let high = if self.eat(',') { self.decimal() } else { Some(low) };
        if !self.eat('}') {
            self.pos = start;
            return Ok(false);
        }
        if high.is_some_and(|high| high < low) {
            return Err("the numbers of a quantifier are out of order");
        }
        Ok(true)
    }

    fn decimal(&mut self) -> Option<f64> {
        let mut value = None;
        while let Some(digit) = self.peek(0).and_then(|c| c.to_digit(10)) {
            value = Some(value.unwrap_or(0.0) * 10.0 + f64::from(digit));
            self.pos += 1;
        }
        value
    }

    fn open(&mut self) -> Result<(), Bad> {
        self.pos += 1;
        let mut group = Group { quantifiable: true, ..Group::default() };
        if !self.eat('?') {
            self.count += 1;
        } else if self.eat_text("<=") || self.eat_text("<!") {
            group.quantifiable = false;
        } else if self.eat('=') || self.eat('!') {
            group.quantifiable = !self.unicode;
        } else if self.eat('<') {
            self.count += 1;
            let name = self.group_name().ok_or("the name of a group is malformed")?;
            let outer = self.groups.last_mut().is_none_or(|g| !g.names.insert(name.clone()));
            if outer {
                return Err("two groups have the same name");
            }
            self.names.insert(name);
        } else if !self.eat(':') {
            self.modifiers()?;
        }
        self.groups.push(group);
        Ok(())
    }

    /// `ims-ims:`
    fn modifiers(&mut self) -> Result<(), Bad> {
        let bad = Err("what follows `(?` is unknown");
        let (mut seen, mut minus) = (Vec::new(), false);
        loop {
            match self.peek(0) {
                Some(c @ ('i' | 'm' | 's')) if !seen.contains(&c) => seen.push(c),
                Some('-') if !minus => minus = true,
                Some(':') if !seen.is_empty() => {
                    self.pos += 1;
                    return Ok(());
                }
                _ => return bad,
            }
            self.pos += 1;
        }
    }

    /// Ends a group; says whether a quantifier may follow.
    fn close(&mut self) -> Result<bool, Bad> {
        if self.groups.len() < 2 {
            return Err("a lone `)` stands in this regular expression");
        }
        let Some(mut group) = self.groups.pop() else { return Ok(false) };
        let Some(outer) = self.groups.last_mut() else { return Ok(false) };
        group.names.extend(group.earlier);
        if group.names.len() > outer.names.len() {
            std::mem::swap(&mut group.names, &mut outer.names);
        }
        for name in group.names {
            if !outer.names.insert(name) {
                return Err("two groups have the same name");
            }
        }
        Ok(group.quantifiable)
    }
}
