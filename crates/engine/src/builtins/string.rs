//! String: the constructor and the methods that look at units, cut and pad (ECMA-262 22.1); `string_more` searches,
//! replaces, splits and maps.
//!
//! In: strings and what converts to them. Out: strings, numbers.
//!
//! Invariants
//! - every method is linear in what it reads and makes;
//! - a string is flattened before its units are read.
use super::text::{Builder, is_space};
use super::{Native, ctor, f, iterator, string_more};
use crate::convert::{to_integer, to_length, to_number, to_object, to_string};
use crate::cx::{Args, Cx, Res, Value};
use crate::function;
use crate::kinds::WRAPPER;
use crate::object::{self, Desc};
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::string;
use cage::Mem;
use cage::value::*;

const CTOR: u16 = 0x140;
const FROM_CHAR_CODE: u16 = 0x141;
const FROM_CODE_POINT: u16 = 0x142;
const RAW: u16 = 0x143;
const AT: u16 = 0x144;
const CHAR_AT: u16 = 0x145;
pub const CHAR_CODE_AT: u16 = 0x146;
const CODE_POINT_AT: u16 = 0x147;
const CONCAT: u16 = 0x148;
const IS_WELL_FORMED: u16 = 0x149;
const TO_WELL_FORMED: u16 = 0x14A;
const PAD_END: u16 = 0x14B;
const PAD_START: u16 = 0x14C;
const REPEAT: u16 = 0x14D;
const SLICE: u16 = 0x14E;
const SUBSTR: u16 = 0x14F;
const SUBSTRING: u16 = 0x150;
const TO_STRING: u16 = 0x151;
const TRIM: u16 = 0x152;
const TRIM_END: u16 = 0x153;
const TRIM_START: u16 = 0x154;
const VALUE_OF: u16 = 0x155;
const ITERATOR: u16 = 0x156;

pub const TABLE: &[Native] = &[
    ctor(CTOR, "String", 1, construct),
    f(FROM_CHAR_CODE, "fromCharCode", 1, from_char_code),
    f(FROM_CODE_POINT, "fromCodePoint", 1, from_code_point),
    f(RAW, "raw", 1, raw),
    f(AT, "at", 1, at),
    f(CHAR_AT, "charAt", 1, char_at),
    f(CHAR_CODE_AT, "charCodeAt", 1, char_code_at),
    f(CODE_POINT_AT, "codePointAt", 1, code_point_at),
    f(CONCAT, "concat", 1, concat),
    f(IS_WELL_FORMED, "isWellFormed", 0, is_well_formed),
    f(TO_WELL_FORMED, "toWellFormed", 0, to_well_formed),
    f(PAD_END, "padEnd", 1, |cx, m, a| pad(cx, m, a, false)),
    f(PAD_START, "padStart", 1, |cx, m, a| pad(cx, m, a, true)),
    f(REPEAT, "repeat", 1, repeat),
    f(SLICE, "slice", 2, slice),
    f(SUBSTR, "substr", 2, substr),
    f(SUBSTRING, "substring", 2, substring),
    f(TO_STRING, "toString", 0, |cx, m, a| this_value(cx, m, a, "toString")),
    f(TRIM, "trim", 0, |cx, m, a| trim(cx, m, a, true, true)),
    f(TRIM_END, "trimEnd", 0, |cx, m, a| trim(cx, m, a, false, true)),
    f(TRIM_START, "trimStart", 0, |cx, m, a| trim(cx, m, a, true, false)),
    f(VALUE_OF, "valueOf", 0, |cx, m, a| this_value(cx, m, a, "valueOf")),
    f(ITERATOR, "[Symbol.iterator]", 0, iterate),
];

/// RequireObjectCoercible(this), then ToString; `what` for the message.
pub fn this_string(cx: &mut Cx, m: Mem, a: Args, what: &str) -> Res {
    let this = a.this(m);
    if is_str(this) {
        return Ok(this);
    }
    check_this(cx, m, a, what)?;
    to_string(cx, m, this)
}

/// RequireObjectCoercible(this)
pub fn check_this(cx: &mut Cx, m: Mem, a: Args, what: &str) -> Res<()> {
    if is_nullish(a.this(m)) {
        return Err(cx.type_error(m, &format!("String.prototype.{what} called on null or undefined")));
    }
    Ok(())
}

/// ThisStringValue
fn this_value(cx: &mut Cx, m: Mem, a: Args, what: &str) -> Res {
    let v = a.this(m);
    if is_str(v) {
        return Ok(v);
    }
    if is_obj(v) && object::kind(m, v) == WRAPPER && is_str(m.r64(v as u32, 16)) {
        return Ok(m.r64(v as u32, 16));
    }
    if v == roots::get(m, R_STRING_PROTO) {
        return Ok(string::empty(m));
    }
    Err(cx.type_error(m, &format!("String.prototype.{what} requires that 'this' be a String")))
}

// ---- constructor ----

fn construct(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let v = a.get(m, 0);
    let s = if a.argc == 0 {
        string::empty(m)
    } else if !a.is_construct() && is_sym(v) {
        return super::symbol::descriptive_string(cx, m, v);
    } else {
        to_string(cx, m, v)?
    };
    if !a.is_construct() {
        return Ok(s);
    }
    let shape = function::shape_from(cx, m, a.new_target, R_SHAPE_WRAPPER + 2, R_STRING_PROTO)?;
    object::exotic(cx, m, WRAPPER, shape, &[s])
}

/// String.fromCharCode
fn from_char_code(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let mut out = Builder::new();
    for i in 0..a.argc {
        let v = a.get(m, i);
        let u = if is_int(v) { as_int(v) as u16 } else { crate::convert::to_uint32(cx, m, v)? as u16 };
        if a.argc == 1 {
            return string::of_unit(cx, m, u);
        }
        out.unit(u);
        out.check(cx, m)?;
    }
    out.finish(cx, m)
}

/// String.fromCodePoint
fn from_code_point(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let mut out = Builder::new();
    for i in 0..a.argc {
        let n = to_number(cx, m, a.get(m, i))?;
        if n.trunc() != n || !(0.0..=1114111.0).contains(&n) {
            return Err(cx.range_error(m, "Invalid code point"));
        }
        let c = n as u32;
        if c < 0x10000 {
            out.unit(c as u16);
        } else {
            out.unit((0xD800 + ((c - 0x10000) >> 10)) as u16);
            out.unit((0xDC00 + (c & 0x3FF)) as u16);
        }
        out.check(cx, m)?;
    }
    out.finish(cx, m)
}

/// String.raw
fn raw(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let cooked = to_object(cx, m, a.get(m, 0))?;
    let literals = object::get(cx, m, cooked, roots::get(m, R_STR_RAW))?;
    let literals = to_object(cx, m, literals)?;
    let len = super::array::length_of(cx, m, literals)?;
    let mut out = Builder::new();
    let mut k = 0.0;
    while k < len {
        let v = super::array::get_at(cx, m, literals, k)?;
        let s = to_string(cx, m, v)?;
        out.string(cx, m, s)?;
        k += 1.0;
        if k < len && k < a.argc as f64 {
            let s = to_string(cx, m, a.get(m, k as u32))?;
            out.string(cx, m, s)?;
        }
    }
    out.finish(cx, m)
}

// ---- units ----

/// String.prototype.at
fn at(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = this_string(cx, m, a, "at")?;
    let len = string::len(m, s) as f64;
    let r = to_integer(cx, m, a.get(m, 0))?;
    let k = if r < 0.0 { len + r } else { r };
    if k < 0.0 || k >= len {
        return Ok(UNDEF);
    }
    let s = string::flat(cx, m, s)?;
    string::of_unit(cx, m, string::unit(m, s, k as u32))
}

/// The unit at the first argument, if the string has it.
fn unit_at(cx: &mut Cx, m: Mem, a: Args, what: &str) -> Res<Option<(Value, u32)>> {
    let s = this_string(cx, m, a, what)?;
    let k = to_integer(cx, m, a.get(m, 0))?;
    if k < 0.0 || k >= string::len(m, s) as f64 {
        return Ok(None);
    }
    Ok(Some((string::flat(cx, m, s)?, k as u32)))
}

fn char_at(cx: &mut Cx, m: Mem, a: Args) -> Res {
    match unit_at(cx, m, a, "charAt")? {
        Some((s, k)) => string::of_unit(cx, m, string::unit(m, s, k)),
        None => Ok(string::empty(m)),
    }
}

fn char_code_at(cx: &mut Cx, m: Mem, a: Args) -> Res {
    Ok(unit_at(cx, m, a, "charCodeAt")?.map_or(NAN, |(s, k)| int(string::unit(m, s, k) as i32)))
}

fn code_point_at(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let Some((s, k)) = unit_at(cx, m, a, "codePointAt")? else { return Ok(UNDEF) };
    let (u, v) = (string::unit(m, s, k) as i32, string::unit(m, s, k + 1) as i32);
    let pair = (0xD800..0xDC00).contains(&u) && (0xDC00..0xE000).contains(&v);
    Ok(int(if pair { 0x10000 + ((u - 0xD800) << 10) + (v - 0xDC00) } else { u }))
}

/// The first lone surrogate from `i` on of a flat string.
fn lone_surrogate(cx: &mut Cx, m: Mem, s: Value, mut i: u32) -> Res<Option<u32>> {
    let n = string::len(m, s);
    let mut charged = i;
    while i < n && !string::is_latin1(m, s) {
        if i >= charged {
            cx.charge(1024)?;
            charged = i + 4096;
        }
        let u = string::unit(m, s, i);
        if (0xD800..0xDC00).contains(&u) && (0xDC00..0xE000).contains(&string::unit(m, s, i + 1)) {
            i += 1;
        } else if (0xD800..0xE000).contains(&u) {
            return Ok(Some(i));
        }
        i += 1;
    }
    Ok(None)
}

fn is_well_formed(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = this_string(cx, m, a, "isWellFormed")?;
    let s = string::flat(cx, m, s)?;
    Ok(cage::value::bool(lone_surrogate(cx, m, s, 0)?.is_none()))
}

fn to_well_formed(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = this_string(cx, m, a, "toWellFormed")?;
    let s = string::flat(cx, m, s)?;
    let Some(mut lone) = lone_surrogate(cx, m, s, 0)? else { return Ok(s) };
    let (mut out, mut done) = (Builder::new(), 0);
    loop {
        out.part(cx, m, s, done, lone)?;
        out.unit(0xFFFD);
        done = lone + 1;
        match lone_surrogate(cx, m, s, done)? {
            Some(i) => lone = i,
            None => break,
        }
    }
    out.part(cx, m, s, done, u32::MAX)?;
    out.finish(cx, m)
}

// ---- parts ----

/// String.prototype.concat
fn concat(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let mut s = this_string(cx, m, a, "concat")?;
    for i in 0..a.argc {
        let next = to_string(cx, m, a.get(m, i))?;
        s = string::concat(cx, m, s, next)?;
    }
    Ok(s)
}

/// StringPad
fn pad(cx: &mut Cx, m: Mem, a: Args, start: bool) -> Res {
    let s = this_string(cx, m, a, if start { "padStart" } else { "padEnd" })?;
    let max = to_length(cx, m, a.get(m, 0))?;
    let n = string::len(m, s);
    if max <= n as f64 {
        return Ok(s);
    }
    let fill = a.get(m, 1);
    let fill = if fill == UNDEF { string::of_unit8(m, b' ') } else { to_string(cx, m, fill)? };
    if string::len(m, fill) == 0 {
        return Ok(s);
    }
    if max > string::MAX_LENGTH as f64 {
        return Err(cx.range_error(m, "string too long"));
    }
    let need = max as u32 - n;
    let filler = string::repeated(cx, m, fill, need)?;
    if start { string::concat(cx, m, filler, s) } else { string::concat(cx, m, s, filler) }
}

/// String.prototype.repeat
fn repeat(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = this_string(cx, m, a, "repeat")?;
    let n = to_integer(cx, m, a.get(m, 0))?;
    if !(0.0..f64::INFINITY).contains(&n) {
        return Err(cx.range_error(m, "Invalid count value"));
    }
    let len = string::len(m, s);
    if n == 0.0 || len == 0 {
        return Ok(string::empty(m));
    }
    if n * len as f64 > string::MAX_LENGTH as f64 {
        return Err(cx.range_error(m, "string too long"));
    }
    string::repeated(cx, m, s, n as u32 * len)
}

/// String.prototype.slice
fn slice(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = this_string(cx, m, a, "slice")?;
    let len = string::len(m, s) as f64;
    let from = crate::convert::relative_index(cx, m, a.get(m, 0), len, 0.0)?;
    let to = crate::convert::relative_index(cx, m, a.get(m, 1), len, len)?;
    string::slice(cx, m, s, from as u32, to as u32)
}

/// String.prototype.substring
fn substring(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = this_string(cx, m, a, "substring")?;
    let len = string::len(m, s) as f64;
    let from = to_integer(cx, m, a.get(m, 0))?.clamp(0.0, len);
    let to = if a.get(m, 1) == UNDEF { len } else { to_integer(cx, m, a.get(m, 1))?.clamp(0.0, len) };
    string::slice(cx, m, s, from.min(to) as u32, from.max(to) as u32)
}

/// String.prototype.substr (Annex B)
fn substr(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = this_string(cx, m, a, "substr")?;
    let size = string::len(m, s) as f64;
    let from = crate::convert::relative_index(cx, m, a.get(m, 0), size, 0.0)?;
    let n = if a.get(m, 1) == UNDEF { size } else { to_integer(cx, m, a.get(m, 1))?.clamp(0.0, size) };
    string::slice(cx, m, s, from as u32, (from + n).min(size) as u32)
}

/// TrimString
fn trim(cx: &mut Cx, m: Mem, a: Args, start: bool, end: bool) -> Res {
    let what = match (start, end) {
        (true, true) => "trim",
        (true, false) => "trimStart",
        _ => "trimEnd",
    };
    let s = this_string(cx, m, a, what)?;
    let s = string::flat(cx, m, s)?;
    let (mut from, mut to) = (0, string::len(m, s));
    while start && from < to && is_space(string::unit(m, s, from)) {
        from += 1;
        if from % 4096 == 0 {
            cx.charge(1024)?;
        }
    }
    while end && from < to && is_space(string::unit(m, s, to - 1)) {
        to -= 1;
        if to % 4096 == 0 {
            cx.charge(1024)?;
        }
    }
    string::slice(cx, m, s, from, to)
}

/// String.prototype[@@iterator]
fn iterate(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = this_string(cx, m, a, "[Symbol.iterator]")?;
    iterator::make(cx, m, iterator::OF_STRING, s, iterator::VALUES)
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let p = roots::get(m, R_STRING_PROTO);
    let c = r.class(cx, m, CTOR, p)?;
    r.methods(cx, m, c, &[FROM_CHAR_CODE, FROM_CODE_POINT, RAW])?;
    r.value(cx, m, p, "length", int(0), 0)?;
    r.methods(cx, m, p, &[AT, CHAR_AT, CHAR_CODE_AT, CODE_POINT_AT, CONCAT, IS_WELL_FORMED, TO_WELL_FORMED])?;
    r.methods(cx, m, p, &[PAD_END, PAD_START, REPEAT, SLICE, SUBSTR, SUBSTRING, TO_STRING, TRIM, VALUE_OF])?;
    for (number, annex_b) in [(TRIM_START, "trimLeft"), (TRIM_END, "trimRight")] {
        let f = r.method(cx, m, p, number)?;
        let key = string::intern_str(cx, m, annex_b)?;
        object::define_or_throw(cx, m, p, key, Desc::data(f, crate::shape::WC))?;
    }
    r.method_at(cx, m, p, roots::get(m, R_SYM_ITERATOR), ITERATOR)?;
    string_more::install(cx, m, r)
}
