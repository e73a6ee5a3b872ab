//! The methods of String.prototype that search, replace and split (ECMA-262 22.1.3); `string_case` has those that map
//! letters.
//!
//! In: strings and what converts to them. Out: strings, numbers, arrays.
//!
//! Invariants
//! - searching is linear in text and needle together (`text::Needle`), whatever they are;
//! - a pattern that is an object is asked for its own way (@@replace, @@split, …) first.
use super::normalize::{Form, normal_form};
use super::string::{check_this, this_string};
use super::text::{self, Builder, Needle, Places};
use super::{Native, f, string_case};
use crate::array;
use crate::convert::{to_integer, to_number, to_string, to_uint32, truthy};
use crate::cx::{Args, Cx, Res, Value};
use crate::object;
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::string;
use cage::Mem;
use cage::value::*;
use std::cmp::Ordering;

const ENDS_WITH: u16 = 0x160;
const INCLUDES: u16 = 0x161;
const INDEX_OF: u16 = 0x162;
const LAST_INDEX_OF: u16 = 0x163;
const LOCALE_COMPARE: u16 = 0x164;
const MATCH: u16 = 0x165;
const MATCH_ALL: u16 = 0x166;
const REPLACE: u16 = 0x167;
const REPLACE_ALL: u16 = 0x168;
const SEARCH: u16 = 0x169;
const SPLIT: u16 = 0x16A;
const STARTS_WITH: u16 = 0x16B;

pub const TABLE: &[Native] = &[
    f(ENDS_WITH, "endsWith", 1, ends_with),
    f(INCLUDES, "includes", 1, includes),
    f(INDEX_OF, "indexOf", 1, index_of),
    f(LAST_INDEX_OF, "lastIndexOf", 1, last_index_of),
    f(LOCALE_COMPARE, "localeCompare", 1, locale_compare),
    f(MATCH, "match", 1, |cx, m, a| by_pattern(cx, m, a, "match", R_SYM_MATCH)),
    f(MATCH_ALL, "matchAll", 1, match_all),
    f(REPLACE, "replace", 2, replace),
    f(REPLACE_ALL, "replaceAll", 2, replace_all),
    f(SEARCH, "search", 1, |cx, m, a| by_pattern(cx, m, a, "search", R_SYM_SEARCH)),
    f(SPLIT, "split", 2, split),
    f(STARTS_WITH, "startsWith", 1, starts_with),
];

// ---- searching ----

/// IsRegExp
fn is_reg_exp(cx: &mut Cx, m: Mem, v: Value) -> Res<bool> {
    if !is_obj(v) {
        return Ok(false);
    }
    let matcher = object::get(cx, m, v, roots::get(m, R_SYM_MATCH))?;
    Ok(truthy(m, matcher))
}

/// What `includes`, `startsWith` and `endsWith` search for.
fn plain_needle(cx: &mut Cx, m: Mem, a: Args, what: &str) -> Res {
    if is_reg_exp(cx, m, a.get(m, 0))? {
        return Err(cx.type_error(m, &format!("First argument to String.prototype.{what} must not be a regular expression")));
    }
    to_string(cx, m, a.get(m, 0))
}

/// The second argument as a place in a string of length `len`.
fn position(cx: &mut Cx, m: Mem, a: Args, len: u32, default: u32) -> Res<u32> {
    let v = a.get(m, 1);
    if v == UNDEF {
        return Ok(default);
    }
    Ok(to_integer(cx, m, v)?.clamp(0.0, len as f64) as u32)
}

fn includes(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = this_string(cx, m, a, "includes")?;
    let needle = plain_needle(cx, m, a, "includes")?;
    let from = position(cx, m, a, string::len(m, s), 0)?;
    let needle = Needle::new(cx, m, needle)?;
    Ok(cage::value::bool(text::find(cx, m, s, &needle, from)?.is_some()))
}

fn index_of(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = this_string(cx, m, a, "indexOf")?;
    let needle = to_string(cx, m, a.get(m, 0))?;
    let from = position(cx, m, a, string::len(m, s), 0)?;
    let needle = Needle::new(cx, m, needle)?;
    Ok(text::find(cx, m, s, &needle, from)?.map_or(int(-1), |i| int(i as i32)))
}

fn last_index_of(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = this_string(cx, m, a, "lastIndexOf")?;
    let needle = to_string(cx, m, a.get(m, 0))?;
    let n = to_number(cx, m, a.get(m, 1))?;
    let from = if n.is_nan() { u32::MAX } else { n.clamp(0.0, u32::MAX as f64) as u32 };
    let (s, needle) = (string::flat(cx, m, s)?, string::flat(cx, m, needle)?);
    Ok(text::rfind(cx, m, s, needle, from)?.map_or(int(-1), |i| int(i as i32)))
}

/// Does `needle` stand at `at` in `s`?
fn stands_at(cx: &mut Cx, m: Mem, s: Value, needle: Value, at: u32) -> Res<bool> {
    let part = string::slice(cx, m, s, at, at + string::len(m, needle))?;
    string::eq(cx, m, part, needle)
}

fn starts_with(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = this_string(cx, m, a, "startsWith")?;
    let needle = plain_needle(cx, m, a, "startsWith")?;
    let (n, k) = (string::len(m, s), string::len(m, needle));
    let start = position(cx, m, a, n, 0)?;
    Ok(cage::value::bool(start + k <= n && stands_at(cx, m, s, needle, start)?))
}

fn ends_with(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = this_string(cx, m, a, "endsWith")?;
    let needle = plain_needle(cx, m, a, "endsWith")?;
    let (n, k) = (string::len(m, s), string::len(m, needle));
    let end = position(cx, m, a, n, n)?;
    Ok(cage::value::bool(k <= end && stands_at(cx, m, s, needle, end - k)?))
}

/// String.prototype.localeCompare: there is no locale, the order is that of the code units once both are in form NFC.
fn locale_compare(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = this_string(cx, m, a, "localeCompare")?;
    let that = to_string(cx, m, a.get(m, 0))?;
    let s = normal_form(cx, m, s, Form::NFC)?;
    let that = normal_form(cx, m, that, Form::NFC)?;
    Ok(int(match string::compare(cx, m, s, that)? {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }))
}

// ---- patterns that are objects ----

/// Calls method `symbol` of an object `pattern` with this string and perhaps one more argument, if it has it.
fn ask(cx: &mut Cx, m: Mem, a: Args, symbol: u16, more: Option<Value>) -> Res<Option<Value>> {
    let pattern = a.get(m, 0);
    if !is_obj(pattern) {
        return Ok(None);
    }
    let f = object::get_method(cx, m, pattern, roots::get(m, symbol))?;
    if f == UNDEF {
        return Ok(None);
    }
    let args: Vec<Value> = [a.this(m)].into_iter().chain(more).collect();
    crate::interp::call(cx, m, f, pattern, &args).map(Some)
}

/// `match` and `search`, which without a pattern of the caller's would make a regular expression.
fn by_pattern(cx: &mut Cx, m: Mem, a: Args, what: &str, symbol: u16) -> Res {
    check_this(cx, m, a, what)?;
    if let Some(v) = ask(cx, m, a, symbol, None)? {
        return Ok(v);
    }
    this_string(cx, m, a, what)?;
    to_string(cx, m, a.get(m, 0))?;
    Err(cx.type_error(m, &format!("String.prototype.{what} needs regular expressions, which are not there yet")))
}

/// The check of `matchAll` and `replaceAll` that a regular expression is global.
fn check_global(cx: &mut Cx, m: Mem, a: Args, what: &str) -> Res<()> {
    let pattern = a.get(m, 0);
    if !is_reg_exp(cx, m, pattern)? {
        return Ok(());
    }
    let flags = object::get_str(cx, m, pattern, "flags")?;
    if is_nullish(flags) {
        return Err(cx.type_error(m, &format!("String.prototype.{what} called with a pattern without flags")));
    }
    let flags = to_string(cx, m, flags)?;
    if !string::to_rust(cx, m, flags)?.contains('g') {
        return Err(cx.type_error(m, &format!("String.prototype.{what} called with a non-global pattern")));
    }
    Ok(())
}

fn match_all(cx: &mut Cx, m: Mem, a: Args) -> Res {
    check_this(cx, m, a, "matchAll")?;
    check_global(cx, m, a, "matchAll")?;
    by_pattern(cx, m, a, "matchAll", R_SYM_MATCH_ALL)
}

// ---- replacing ----

/// GetSubstitution without captures: what `template` becomes for the match `[at, end)` in `s`.
fn substitute(cx: &mut Cx, m: Mem, out: &mut Builder, s: Value, (at, end): (u32, u32), template: Value) -> Res<()> {
    let dollar = Needle::Narrow(vec![b'$'].into());
    let n = string::len(m, template);
    let mut done = 0;
    while let Some(i) = text::find(cx, m, template, &dollar, done)? {
        out.part(cx, m, template, done, i)?;
        done = i + 2;
        match string::unit(m, template, i + 1) {
            0x24 => out.unit(0x24),
            0x26 => out.part(cx, m, s, at, end)?,
            0x60 => out.part(cx, m, s, 0, at)?,
            0x27 => out.part(cx, m, s, end, u32::MAX)?,
            _ => {
                out.unit(0x24);
                done = i + 1;
            }
        }
    }
    out.part(cx, m, template, done, n)
}

/// How a match is replaced: by what a function gives, by a text, by a text with `$`.
enum Replacement {
    Call(Value),
    Text(Value),
    Template(Value),
}

fn replacement(cx: &mut Cx, m: Mem, v: Value) -> Res<Replacement> {
    if object::is_callable(m, v) {
        return Ok(Replacement::Call(v));
    }
    let t = to_string(cx, m, v)?;
    let t = string::flat(cx, m, t)?;
    let dollar = Needle::Narrow(vec![b'$'].into());
    let plain = text::find(cx, m, t, &dollar, 0)?.is_none();
    Ok(if plain { Replacement::Text(t) } else { Replacement::Template(t) })
}

/// `s` with the needle's occurrences replaced that `next` tells.
fn replace_at(
    cx: &mut Cx,
    m: Mem,
    s: Value,
    needle: Value,
    by: &Replacement,
    mut next: impl FnMut(&mut Cx) -> Res<Option<u32>>,
) -> Res {
    let k = string::len(m, needle);
    let Some(mut at) = next(cx)? else { return Ok(s) };
    let mut out = Builder::new();
    let mut done = 0;
    loop {
        out.part(cx, m, s, done, at)?;
        done = at + k;
        match by {
            Replacement::Text(t) => out.string(cx, m, *t)?,
            Replacement::Template(t) => substitute(cx, m, &mut out, s, (at, done), *t)?,
            Replacement::Call(f) => {
                let v = crate::interp::call(cx, m, *f, UNDEF, &[needle, int(at as i32), s])?;
                let t = to_string(cx, m, v)?;
                out.string(cx, m, t)?;
            }
        }
        match next(cx)? {
            Some(i) => at = i,
            None => break,
        }
    }
    out.part(cx, m, s, done, u32::MAX)?;
    out.finish(cx, m)
}

/// String.prototype.replace
fn replace(cx: &mut Cx, m: Mem, a: Args) -> Res {
    check_this(cx, m, a, "replace")?;
    if let Some(v) = ask(cx, m, a, R_SYM_REPLACE, Some(a.get(m, 1)))? {
        return Ok(v);
    }
    let s = this_string(cx, m, a, "replace")?;
    let needle = to_string(cx, m, a.get(m, 0))?;
    let by = replacement(cx, m, a.get(m, 1))?;
    let s = string::flat(cx, m, s)?;
    let prepared = Needle::new(cx, m, needle)?;
    let mut first = text::find(cx, m, s, &prepared, 0)?;
    replace_at(cx, m, s, needle, &by, |_| Ok(first.take()))
}

/// String.prototype.replaceAll
fn replace_all(cx: &mut Cx, m: Mem, a: Args) -> Res {
    check_this(cx, m, a, "replaceAll")?;
    check_global(cx, m, a, "replaceAll")?;
    if let Some(v) = ask(cx, m, a, R_SYM_REPLACE, Some(a.get(m, 1)))? {
        return Ok(v);
    }
    let s = this_string(cx, m, a, "replaceAll")?;
    let needle = to_string(cx, m, a.get(m, 0))?;
    let by = replacement(cx, m, a.get(m, 1))?;
    let s = string::flat(cx, m, s)?;
    let prepared = Needle::new(cx, m, needle)?.for_text(cx, m, s)?;
    let mut places = Places::new(s, &prepared);
    replace_at(cx, m, s, needle, &by, |cx| places.next(cx, m))
}

// ---- splitting ----

/// String.prototype.split
fn split(cx: &mut Cx, m: Mem, a: Args) -> Res {
    check_this(cx, m, a, "split")?;
    if let Some(v) = ask(cx, m, a, R_SYM_SPLIT, Some(a.get(m, 1)))? {
        return Ok(v);
    }
    let s = this_string(cx, m, a, "split")?;
    let limit = if a.get(m, 1) == UNDEF { u32::MAX } else { to_uint32(cx, m, a.get(m, 1))? };
    let separator = to_string(cx, m, a.get(m, 0))?;
    if limit == 0 {
        return array::from_slice(cx, m, &[]);
    }
    if a.get(m, 0) == UNDEF {
        return array::from_slice(cx, m, &[s]);
    }
    let s = string::flat(cx, m, s)?;
    let n = string::len(m, s);
    let needle = Needle::new(cx, m, separator)?.for_text(cx, m, s)?;
    let k = needle.size();
    if k == 0 {
        return split_units(cx, m, s, n.min(limit));
    }
    let (mut places, mut pieces) = (Places::new(s, &needle), 1);
    while pieces < limit && places.next(cx, m)?.is_some() {
        pieces += 1;
    }
    let made = array::with_capacity(cx, m, pieces)?;
    let (mut places, mut done) = (Places::new(s, &needle), 0);
    for _ in 0..pieces {
        let at = places.next(cx, m)?.unwrap_or(n);
        let part = string::slice(cx, m, s, done, at)?;
        array::push(cx, m, made, part)?;
        done = at.saturating_add(k);
    }
    Ok(made)
}

/// An array of the first `n` units of `s`, each a string.
fn split_units(cx: &mut Cx, m: Mem, s: Value, n: u32) -> Res {
    let made = array::with_capacity(cx, m, n)?;
    for i in 0..n {
        if i % 1024 == 0 {
            cx.charge((n - i).min(1024) as u64 / 2)?;
        }
        let v = string::of_unit(cx, m, string::unit(m, s, i))?;
        array::push(cx, m, made, v)?;
    }
    Ok(made)
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let p = roots::get(m, R_STRING_PROTO);
    r.methods(cx, m, p, &[ENDS_WITH, INCLUDES, INDEX_OF, LAST_INDEX_OF, LOCALE_COMPARE, MATCH, MATCH_ALL])?;
    r.methods(cx, m, p, &[REPLACE, REPLACE_ALL, SEARCH, SPLIT, STARTS_WITH])?;
    string_case::install(cx, m, r)
}
