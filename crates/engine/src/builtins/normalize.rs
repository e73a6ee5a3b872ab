//! The normal forms of Unicode (UAX 15), as `normalize` and `localeCompare` need them.
//!
//! In: strings. Out: strings. The tables are those of `unicode-normalization`; the algorithm is here because a library's iterator reads
//! all the marks of a letter before it gives the first, and there can be as many as a string is long.
//!
//! Invariants
//! - work is charged every few thousand characters;
//! - a lone surrogate maps to itself and is a starter that combines with nothing.
use super::sort::merge_sort;
use super::text::{Builder, point, push_char};
use crate::aside::Aside;
use crate::cx::{Cx, Res, Value};
use crate::string;
use cage::Mem;
use unicode_normalization::char::{canonical_combining_class, compose, decompose_canonical, decompose_compatible};

/// Characters between two looks at the meter.
const SLICE: u32 = 1024;
/// Marks sorted at one go.
const FEW: usize = 256;

/// A normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    compose: bool,
    compatible: bool,
}

impl Form {
    pub const NFC: Form = Form { compose: true, compatible: false };

    pub fn by_name(name: &str) -> Option<Form> {
        let compatible = name.starts_with("NFK");
        match name {
            "NFC" | "NFKC" => Some(Form { compose: true, compatible }),
            "NFD" | "NFKD" => Some(Form { compose: false, compatible }),
            _ => None,
        }
    }
}

/// A string being normalized.
struct Normal {
    form: Form,
    out: Builder,
    /// The last starter, while marks and other starters may still combine with it.
    starter: Option<char>,
    /// Its marks with their classes, as they came.
    marks: Aside<(u8, char)>,
}

/// A string in a normal form.
pub fn normal_form(cx: &mut Cx, m: Mem, s: Value, form: Form) -> Res {
    let s = string::flat(cx, m, s)?;
    if form == Form::NFC && string::is_latin1(m, s) {
        return Ok(s);
    }
    let mut n = Normal { form, out: Builder::new(), starter: None, marks: Aside::new() };
    let (len, mut at, mut next) = (string::len(m, s), 0, 0);
    while at < len {
        if at >= next {
            cx.charge(u64::from(SLICE) * 4)?;
            n.out.check(cx, m)?;
            next = at + SLICE;
        }
        match point(m, s, at) {
            Ok(c) => {
                at += c.len_utf16() as u32;
                n.character(cx, m, c)?;
            }
            Err(lone) => {
                at += 1;
                n.close(cx, m)?;
                n.out.unit(lone);
            }
        }
    }
    n.close(cx, m)?;
    n.out.finish(cx, m)
}

impl Normal {
    fn character(&mut self, cx: &mut Cx, m: Mem, c: char) -> Res<()> {
        if c.is_ascii() {
            return self.part(cx, m, c);
        }
        // the longest decomposition has 18 characters
        let (mut parts, mut n) = ([c; 18], 0);
        let put = |part: char| {
            if let Some(place) = parts.get_mut(n) {
                *place = part;
            }
            n += 1;
        };
        if self.form.compatible {
            decompose_compatible(c, put)
        } else {
            decompose_canonical(c, put)
        }
        debug_assert!((1..=18).contains(&n));
        parts.iter().take(n).try_for_each(|part| self.part(cx, m, *part))
    }

    /// A character that decomposes no further.
    fn part(&mut self, cx: &mut Cx, m: Mem, c: char) -> Res<()> {
        let class = if c.is_ascii() { 0 } else { canonical_combining_class(c) };
        if class != 0 {
            self.marks.push((class, c));
            return Ok(());
        }
        self.settle(cx)?;
        if let Some(starter) = self.starter
            && self.form.compose
            && self.marks.is_empty()
            && let Some(both) = compose(starter, c)
        {
            self.starter = Some(both);
            return Ok(());
        }
        self.write(cx, m)?;
        self.starter = Some(c);
        Ok(())
    }

    /// Puts the marks in order and combines with the starter those that can. Once for each starter: what did not combine does not
    /// because others did.
    fn settle(&mut self, cx: &mut Cx) -> Res<()> {
        if self.marks.is_empty() {
            return Ok(());
        }
        if self.marks.len() <= FEW {
            self.marks.sort_by_key(|mark| mark.0);
        } else {
            merge_sort(cx, &mut self.marks, |_, x, y| Ok(x.0.cmp(&y.0)))?;
        }
        let Some(mut starter) = self.starter.filter(|_| self.form.compose) else { return Ok(()) };
        let (mut kept, mut blocking) = (0, 0);
        for i in 0..self.marks.len() {
            if i % SLICE as usize == SLICE as usize - 1 {
                cx.charge(u64::from(SLICE) * 2)?;
            }
            let (class, c) = self.marks[i];
            // one of the same class between them keeps a mark from its starter
            match compose(starter, c).filter(|_| blocking < class) {
                Some(both) => starter = both,
                None => {
                    blocking = class;
                    self.marks[kept] = (class, c);
                    kept += 1;
                }
            }
        }
        self.marks.truncate(kept);
        self.starter = Some(starter);
        Ok(())
    }

    /// Nothing that follows combines with what came.
    fn close(&mut self, cx: &mut Cx, m: Mem) -> Res<()> {
        self.settle(cx)?;
        self.write(cx, m)
    }

    /// Writes the starter and its marks.
    fn write(&mut self, cx: &mut Cx, m: Mem) -> Res<()> {
        if let Some(starter) = self.starter.take() {
            push_char(&mut self.out, starter);
        }
        for (i, (_, c)) in (&self.marks).into_iter().enumerate() {
            if i % SLICE as usize == SLICE as usize - 1 {
                cx.charge(u64::from(SLICE))?;
                self.out.check(cx, m)?;
            }
            push_char(&mut self.out, c);
        }
        self.marks.clear();
        Ok(())
    }
}
