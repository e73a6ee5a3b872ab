//! The methods of String.prototype that map letters: case, normalization; and those of Annex B that write HTML.
//!
//! In: strings. Out: strings. The tables are those of Unicode as the standard library and `unicode-normalization` have them.
//!
//! Invariants
//! - a lone surrogate maps to itself and is no letter to its neighbours;
//! - work is charged every few thousand units.
use super::string::this_string;
use super::text::{self, Builder};
use super::{Native, f};
use crate::convert::to_string;
use crate::cx::{Args, Cx, Res, Value};
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::string;
use cage::Mem;
use cage::value::*;
use unicode_normalization::UnicodeNormalization;

const NORMALIZE: u16 = 0x170;
const TO_LOCALE_LOWER_CASE: u16 = 0x171;
const TO_LOCALE_UPPER_CASE: u16 = 0x172;
const TO_LOWER_CASE: u16 = 0x173;
const TO_UPPER_CASE: u16 = 0x174;
const HTML: u16 = 0x180;

macro_rules! html {
    ($i:literal, $name:literal, $tag:literal) => {
        f(HTML + $i, $name, 0, |cx, m, a| create_html(cx, m, a, $name, $tag, None))
    };
    ($i:literal, $name:literal, $tag:literal, $attribute:literal) => {
        f(HTML + $i, $name, 1, |cx, m, a| create_html(cx, m, a, $name, $tag, Some($attribute)))
    };
}

pub const TABLE: &[Native] = &[
    f(NORMALIZE, "normalize", 0, normalize),
    f(TO_LOCALE_LOWER_CASE, "toLocaleLowerCase", 0, |cx, m, a| change_case(cx, m, a, "toLocaleLowerCase", false)),
    f(TO_LOCALE_UPPER_CASE, "toLocaleUpperCase", 0, |cx, m, a| change_case(cx, m, a, "toLocaleUpperCase", true)),
    f(TO_LOWER_CASE, "toLowerCase", 0, |cx, m, a| change_case(cx, m, a, "toLowerCase", false)),
    f(TO_UPPER_CASE, "toUpperCase", 0, |cx, m, a| change_case(cx, m, a, "toUpperCase", true)),
    html!(0, "anchor", "a", "name"),
    html!(1, "big", "big"),
    html!(2, "blink", "blink"),
    html!(3, "bold", "b"),
    html!(4, "fixed", "tt"),
    html!(5, "fontcolor", "font", "color"),
    html!(6, "fontsize", "font", "size"),
    html!(7, "italics", "i"),
    html!(8, "link", "a", "href"),
    html!(9, "small", "small"),
    html!(10, "strike", "strike"),
    html!(11, "sub", "sub"),
    html!(12, "sup", "sup"),
];

/// Units between two looks at the meter.
const SLICE: usize = 4096;

/// Code points of `u`; a lone surrogate comes as an error.
fn points(u: &[u16]) -> impl Iterator<Item = Result<char, u16>> + '_ {
    char::decode_utf16(u.iter().copied()).map(|r| r.map_err(|e| e.unpaired_surrogate()))
}

fn push_char(out: &mut Builder, c: char) {
    let mut b = [0; 2];
    for u in c.encode_utf16(&mut b) {
        out.unit(*u);
    }
}

// ---- case ----

fn change_case(cx: &mut Cx, m: Mem, a: Args, what: &str, upper: bool) -> Res {
    let s = this_string(cx, m, a, what)?;
    let s = string::flat(cx, m, s)?;
    if string::is_latin1(m, s)
        && let Some(v) = latin1_case(cx, m, s, upper)?
    {
        return Ok(v);
    }
    let u = string::units(cx, m, s)?;
    let mut out = Builder::new();
    let mut sigma = Sigma { after_letter: false, units: &u, seen: u.contains(&SIGMA) };
    let mut at = 0;
    for (i, p) in points(&u).enumerate() {
        if i % SLICE == 0 {
            cx.charge(SLICE as u64)?;
        }
        at += p.map_or(1, char::len_utf16);
        match p {
            Err(lone) => {
                sigma.after_letter = false;
                out.unit(lone);
            }
            Ok(c) if upper => c.to_uppercase().for_each(|c| push_char(&mut out, c)),
            Ok('Σ') => {
                out.unit(if sigma.is_final(at) { 0x3C2 } else { 0x3C3 });
                sigma.after_letter = true;
            }
            Ok(c) => {
                c.to_lowercase().for_each(|c| push_char(&mut out, c));
                sigma.pass(c);
            }
        }
    }
    out.finish(cx, m)
}

/// Latin-1 text whose other case is Latin-1 too; the same string if nothing changes.
fn latin1_case(cx: &mut Cx, m: Mem, s: Value, upper: bool) -> Res<Option<Value>> {
    let n = string::len(m, s);
    let mut out = Builder::new();
    let (mut at, mut changed) = (0, false);
    while at < n {
        let end = at.saturating_add(1 << 16).min(n);
        cx.charge((end - at) as u64 / 8)?;
        let mut b = text::bytes(cx, m, s, at, end)?;
        for c in &mut b {
            let new = match (*c, upper) {
                (0xB5 | 0xDF | 0xFF, true) => return Ok(None),
                (b'a'..=b'z' | 0xE0..=0xF6 | 0xF8..=0xFE, true) => *c - 32,
                (b'A'..=b'Z' | 0xC0..=0xD6 | 0xD8..=0xDE, false) => *c + 32,
                _ => *c,
            };
            changed |= new != *c;
            *c = new;
        }
        out.bytes(&b);
        at = end;
    }
    if changed { out.finish(cx, m).map(Some) } else { Ok(Some(s)) }
}

const SIGMA: u16 = 0x3A3;

/// The one condition of SpecialCasing that is no matter of language: a sigma that ends a word.
struct Sigma<'u> {
    /// A cased letter came before, with nothing but case-ignorable characters since.
    after_letter: bool,
    units: &'u [u16],
    /// There is a sigma at all.
    seen: bool,
}

#[derive(PartialEq)]
enum Class {
    Ignorable,
    Cased,
    Other,
}

/// What a character is to a sigma beside it, asked of the standard library's own lower-casing.
fn class(c: char) -> Class {
    if c.is_ascii_alphabetic() {
        return Class::Cased;
    }
    if c.is_ascii_digit() || c == ' ' {
        return Class::Other;
    }
    let ends = |t: String| t.to_lowercase().chars().nth(1) == Some('ς');
    if !ends(format!("aΣ{c}")) {
        Class::Cased
    } else if ends(format!("aΣ{c}a")) {
        Class::Other
    } else {
        Class::Ignorable
    }
}

impl Sigma<'_> {
    fn pass(&mut self, c: char) {
        if self.seen {
            match class(c) {
                Class::Ignorable => {}
                Class::Cased => self.after_letter = true,
                Class::Other => self.after_letter = false,
            }
        }
    }

    /// Is the sigma before `at` the last letter of a word?
    fn is_final(&self, at: usize) -> bool {
        let next = points(&self.units[at..]).map(|p| p.map_or(Class::Other, class)).find(|k| *k != Class::Ignorable);
        self.after_letter && next != Some(Class::Cased)
    }
}

// ---- normalization ----

fn normalize(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = this_string(cx, m, a, "normalize")?;
    let form = a.get(m, 0);
    let form = if form == UNDEF {
        "NFC".to_owned()
    } else {
        let t = to_string(cx, m, form)?;
        string::to_rust(cx, m, t)?
    };
    if !["NFC", "NFD", "NFKC", "NFKD"].contains(&form.as_str()) {
        return Err(cx.range_error(m, "The normalization form should be one of NFC, NFD, NFKC, NFKD"));
    }
    normal_form(cx, m, s, &form)
}

/// A string in the form NFC, NFD, NFKC or NFKD.
pub(super) fn normal_form(cx: &mut Cx, m: Mem, s: Value, form: &str) -> Res {
    let s = string::flat(cx, m, s)?;
    if form == "NFC" && string::is_latin1(m, s) {
        return Ok(s);
    }
    let u = string::units(cx, m, s)?;
    let mut out = Builder::new();
    let mut rest = points(&u).peekable();
    while let Some(p) = rest.peek() {
        if let Err(lone) = *p {
            out.unit(lone);
            rest.next();
            continue;
        }
        let run = std::iter::from_fn(|| rest.next_if(Result::is_ok).and_then(Result::ok));
        match form {
            "NFC" => drain(cx, &mut out, run.nfc())?,
            "NFD" => drain(cx, &mut out, run.nfd())?,
            "NFKC" => drain(cx, &mut out, run.nfkc())?,
            _ => drain(cx, &mut out, run.nfkd())?,
        }
    }
    out.finish(cx, m)
}

fn drain(cx: &mut Cx, out: &mut Builder, chars: impl Iterator<Item = char>) -> Res<()> {
    for (i, c) in chars.enumerate() {
        if i % SLICE == 0 {
            cx.charge(SLICE as u64)?;
        }
        push_char(out, c);
    }
    Ok(())
}

// ---- Annex B ----

/// CreateHTML
fn create_html(cx: &mut Cx, m: Mem, a: Args, what: &str, tag: &str, attribute: Option<&str>) -> Res {
    let s = this_string(cx, m, a, what)?;
    let mut out = Builder::new();
    out.bytes(b"<");
    out.bytes(tag.as_bytes());
    if let Some(name) = attribute {
        let v = to_string(cx, m, a.get(m, 0))?;
        let v = string::units(cx, m, v)?;
        out.bytes(format!(" {name}=\"").as_bytes());
        for (i, u) in v.into_iter().enumerate() {
            if i % SLICE == 0 {
                cx.charge(SLICE as u64)?;
            }
            if u == 0x22 {
                out.bytes(b"&quot;");
            } else {
                out.unit(u);
            }
        }
        out.bytes(b"\"");
    }
    out.bytes(b">");
    out.string(cx, m, s)?;
    out.bytes(format!("</{tag}>").as_bytes());
    out.finish(cx, m)
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let p = roots::get(m, R_STRING_PROTO);
    for n in TABLE {
        r.method(cx, m, p, n.number)?;
    }
    Ok(())
}
