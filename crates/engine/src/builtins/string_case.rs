//! The methods of String.prototype that map letters: case, normalization; and those of Annex B that write HTML.
//!
//! In: strings. Out: strings. The tables are those of Unicode as the standard library and `unicode-normalization` have them.
//!
//! Invariants
//! - a lone surrogate maps to itself and is no letter to its neighbours;
//! - work is charged every few thousand units.
use super::normalize::{Form, normal_form};
use super::string::this_string;
use super::text::{self, Builder, Needle, Places, point, push_char};
use super::{Native, f};
use crate::convert::to_string;
use crate::cx::{Args, Cx, Res, Value};
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::string;
use cage::Mem;
use cage::value::*;

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
const SLICE: u32 = 4096;

// ---- case ----

fn change_case(cx: &mut Cx, m: Mem, a: Args, what: &str, upper: bool) -> Res {
    let s = this_string(cx, m, a, what)?;
    let s = string::flat(cx, m, s)?;
    if string::is_latin1(m, s)
        && let Some(v) = latin1_case(cx, m, s, upper)?
    {
        return Ok(v);
    }
    let n = string::len(m, s);
    let seen = !upper && has_sigma(cx, m, s)?;
    let (mut out, mut after_letter) = (Builder::new(), false);
    let (mut at, mut next) = (0, 0);
    while at < n {
        if at >= next {
            // what stands beside a sigma is asked for slowly
            cx.charge(u64::from(SLICE) * if seen { 4 } else { 1 })?;
            out.check(cx, m)?;
            next = at + SLICE;
        }
        let p = point(m, s, at);
        at += p.map_or(1, |c| c.len_utf16() as u32);
        match p {
            Err(lone) => {
                after_letter = false;
                out.unit(lone);
            }
            Ok(c) if upper => c.to_uppercase().for_each(|c| push_char(&mut out, c)),
            Ok('Σ') => {
                let last = after_letter && ends_word(cx, m, s, at)?;
                out.unit(if last { 0x3C2 } else { 0x3C3 });
                after_letter = true;
            }
            Ok(c) => {
                c.to_lowercase().for_each(|c| push_char(&mut out, c));
                if seen {
                    match class(c) {
                        Class::Ignorable => {}
                        Class::Cased => after_letter = true,
                        Class::Other => after_letter = false,
                    }
                }
            }
        }
    }
    out.finish(cx, m)
}

/// Latin-1 text whose other case is Latin-1 too; the same string if nothing changes.
fn latin1_case(cx: &mut Cx, m: Mem, s: Value, upper: bool) -> Res<Option<Value>> {
    let (n, mut to) = (string::len(m, s), None);
    let mut b = Vec::new();
    let mut at = 0;
    while at < n {
        let k = (n - at).min(text::SLICE);
        cx.charge(k as u64 / 8)?;
        b.clear();
        let _ = m.append((s as u32).wrapping_add(8).wrapping_add(at), k, &mut b);
        let mut changed = false;
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
        if changed && to.is_none() {
            let new = string::new8(cx, m, n)?;
            string::copy_units(cx, m, s, 0, at, new, 0, false)?;
            to = Some(new);
        }
        if let Some(to) = to {
            let _ = m.bytes_in(to.wrapping_add(8).wrapping_add(at), &b);
        }
        at += k;
    }
    Ok(Some(to.map_or(s, |to| STR | to as u64)))
}

const SIGMA: u16 = 0x3A3;

fn has_sigma(cx: &mut Cx, m: Mem, s: Value) -> Res<bool> {
    for i in 0..string::len(m, s) {
        if i % SLICE == 0 {
            cx.charge(u64::from(SLICE) / 4)?;
        }
        if string::unit(m, s, i) == SIGMA {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The one condition of SpecialCasing that is no matter of language, for a sigma after a cased letter with nothing but case-ignorable
/// characters since: does no cased letter follow, but for such characters, at `at`?
fn ends_word(cx: &mut Cx, m: Mem, s: Value, mut at: u32) -> Res<bool> {
    while at < string::len(m, s) {
        cx.charge(4)?;
        let p = point(m, s, at);
        match p.map_or(Class::Other, class) {
            Class::Ignorable => at += p.map_or(1, |c| c.len_utf16() as u32),
            other => return Ok(other != Class::Cased),
        }
    }
    Ok(true)
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

// ---- normalization ----

fn normalize(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = this_string(cx, m, a, "normalize")?;
    let form = a.get(m, 0);
    let form = if form == UNDEF {
        Some(Form::NFC)
    } else {
        let t = to_string(cx, m, form)?;
        // no longer text names one
        let t = string::slice(cx, m, t, 0, 8)?;
        Form::by_name(&string::to_rust(cx, m, t)?)
    };
    match form {
        Some(form) => normal_form(cx, m, s, form),
        None => Err(cx.range_error(m, "The normalization form should be one of NFC, NFD, NFKC, NFKD")),
    }
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
        let v = string::flat(cx, m, v)?;
        out.bytes(format!(" {name}=\"").as_bytes());
        let quotes = Needle::Narrow(vec![b'"'].into()).for_text(cx, m, v)?;
        let (mut quotes, mut done) = (Places::new(v, &quotes), 0);
        while let Some(at) = quotes.next(cx, m)? {
            out.part(cx, m, v, done, at)?;
            out.bytes(b"&quot;");
            done = at + 1;
        }
        out.part(cx, m, v, done, u32::MAX)?;
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
