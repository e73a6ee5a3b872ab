//! assert with the interface of SES: conditions, details that hide what is not quoted, errors.
//!
//! A details or quoted object carries its parts under an internal symbol that no program can name.
use super::console::inspect;
use super::{Native, f};
use crate::aside::Aside;
use crate::cx::{Args, Cx, ErrorKind, Res, Value};
use crate::kinds::WEAKMAP;
use crate::object::{self, Desc};
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::shape::WC;
use crate::{array, convert, function, harden, interp, promise, string, table};
use cage::Mem;
use cage::value::*;

const ASSERT: u16 = 0x3D0;
const QUOTE_TO_STRING: u16 = 0x3DE;
const DETAILS_TO_STRING: u16 = 0x3DF;

pub const TABLE: &[Native] = &[
    f(ASSERT, "assert", 3, assert),
    f(0x3D1, "typeof", 3, type_of),
    f(0x3D2, "equal", 4, equal),
    f(0x3D3, "string", 2, |cx, m, a| require_type(cx, m, a.get(m, 0), R_STR_STRING, a.get(m, 1))),
    f(0x3D4, "fail", 2, |cx, m, a| Err(throw(cx, m, a.get(m, 0), a.get(m, 1), ErrorKind::Error)?)),
    f(0x3D5, "details", 1, details),
    f(0x3D6, "quote", 2, |cx, m, a| quote(cx, m, a, 0)),
    f(0x3D7, "bare", 2, |cx, m, a| quote(cx, m, a, 1)),
    f(0x3D8, "Fail", 1, fail),
    f(0x3D9, "makeError", 3, make_error),
    f(0x3DA, "error", 3, make_error),
    f(0x3DB, "note", 2, note),
    f(0x3DC, "makeAssert", 2, make_assert),
    f(QUOTE_TO_STRING, "toString", 0, part_to_string),
    f(DETAILS_TO_STRING, "toString", 0, part_to_string),
];

/// Parts of a details object (array: template, substitutions …) or quoted value (array: value, 1 if bare); else undefined.
fn parts(m: Mem, v: Value) -> Value {
    if is_obj(v)
        && let Some(object::Prop::Data { value, .. }) = object::own_named(m, v, roots::get(m, R_DETAILS))
    {
        return value;
    }
    UNDEF
}

fn with_parts(cx: &mut Cx, m: Mem, proto: u16, list: &[Value]) -> Res {
    let o = object::create(cx, m, roots::get(m, proto))?;
    let list = array::from_slice(cx, m, list)?;
    let key = roots::get(m, R_DETAILS);
    object::add_property(cx, m, o, key, 0, list)?;
    object::freeze(cx, m, o);
    Ok(o)
}

/// A tagged template's object and substitutions, copied.
fn details(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let template = a.get(m, 0);
    let pieces = if is_obj(template) { interp::iterate_to_vec(cx, m, template)? } else { vec![template].into() };
    let mut list = Aside::new();
    for (i, p) in pieces.iter().enumerate() {
        cx.charge(1)?;
        list.push(*p);
        if i + 1 < pieces.len() {
            list.push(a.get(m, 1 + i as u32));
        }
    }
    with_parts(cx, m, R_DETAILS_PROTO, &list)
}

fn quote(cx: &mut Cx, m: Mem, a: Args, bare: i32) -> Res {
    with_parts(cx, m, R_QUOTE_PROTO, &[a.get(m, 0), int(bare)])
}

fn is_quote(m: Mem, v: Value) -> bool {
    is_obj(v) && object::proto_of(m, v) == roots::get(m, R_QUOTE_PROTO) && parts(m, v) != UNDEF
}

fn part_to_string(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = a.this(m);
    let t = if is_quote(m, o) { quoted(cx, m, o)? } else { "[Details]".to_owned() };
    cx.str(m, &t)
}

/// What a quoted value shows: JSON-like, or the bare words.
fn quoted(cx: &mut Cx, m: Mem, q: Value) -> Res<String> {
    let list = parts(m, q);
    let (v, bare) = (array::element(m, list, 0), array::element(m, list, 1) == int(1));
    if bare && is_str(v) {
        let t = string::to_short(cx, m, v, convert::MAX_SHOWN)?;
        if t.split([' ', '-']).all(|w| !w.is_empty() && w.chars().all(|c| c.is_alphanumeric() || c == '_')) {
            return Ok(t);
        }
    }
    inspect::json_like(cx, m, v)
}

/// What stands in a message for a value that was not quoted.
fn redacted(cx: &mut Cx, m: Mem, v: Value) -> Res<String> {
    if is_quote(m, v) {
        return quoted(cx, m, v);
    }
    let t = convert::type_of(m, v);
    let t = string::to_rust(cx, m, t)?;
    let article = if t.starts_with(['o', 'u', 'a', 'e', 'i']) { "an" } else { "a" };
    Ok(format!("({article} {t})"))
}

/// The message that a details object makes, with what is not quoted hidden.
fn message(cx: &mut Cx, m: Mem, d: Value) -> Res<String> {
    if d == UNDEF {
        return Ok("Check failed".to_owned());
    }
    let list = parts(m, d);
    if list == UNDEF || is_quote(m, d) {
        return redacted(cx, m, d);
    }
    let mut text = String::new();
    for (i, v) in array::values(cx, m, list)?.into_iter().enumerate() {
        text += &if i % 2 == 0 { convert::to_shown(cx, m, v)? } else { redacted(cx, m, v)? };
        if text.len() > convert::MAX_SHOWN as usize * 8 {
            text.push('…');
            break;
        }
    }
    Ok(text)
}

/// An error of the constructor given, or of the standard one.
fn error_of(cx: &mut Cx, m: Mem, d: Value, ctor: Value, kind: ErrorKind) -> Res {
    let text = if is_str(d) {
        d
    } else {
        let text = message(cx, m, d)?;
        cx.str(m, &text)?
    };
    if ctor == UNDEF {
        return super::error::with_message(cx, m, kind, text);
    }
    if !function::is_constructor(cx, m, ctor) {
        return Err(cx.type_error(m, "assert: the error constructor is not a constructor"));
    }
    interp::construct(cx, m, ctor, &[text], ctor)
}

fn throw(cx: &mut Cx, m: Mem, d: Value, ctor: Value, kind: ErrorKind) -> Res<crate::cx::Stop> {
    let e = error_of(cx, m, d, ctor, kind)?;
    Ok(cx.throw(e))
}

fn assert(cx: &mut Cx, m: Mem, a: Args) -> Res {
    if convert::truthy(m, a.get(m, 0)) {
        return Ok(UNDEF);
    }
    Err(throw(cx, m, a.get(m, 1), a.get(m, 2), ErrorKind::Error)?)
}

fn equal(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (x, y) = (a.get(m, 0), a.get(m, 1));
    if convert::same_value(cx, m, x, y)? {
        return Ok(UNDEF);
    }
    let d = a.get(m, 2);
    let d = if d == UNDEF {
        let (x, y) = (redacted(cx, m, x)?, redacted(cx, m, y)?);
        cx.str(m, &format!("Expected {x} is same as {y}"))?
    } else {
        d
    };
    Err(throw(cx, m, d, a.get(m, 3), ErrorKind::Range)?)
}

fn type_of(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (v, name) = (a.get(m, 0), a.get(m, 1));
    if !is_str(name) {
        return Err(cx.type_error(m, "assert.typeof: the type name must be a string"));
    }
    let have = convert::type_of(m, v);
    if string::eq(cx, m, have, name)? {
        return Ok(UNDEF);
    }
    wrong_type(cx, m, v, name, a.get(m, 2))
}

fn require_type(cx: &mut Cx, m: Mem, v: Value, name: u16, d: Value) -> Res {
    let name = roots::get(m, name);
    if convert::type_of(m, v) == name {
        return Ok(UNDEF);
    }
    wrong_type(cx, m, v, name, d)
}

fn wrong_type(cx: &mut Cx, m: Mem, v: Value, name: Value, d: Value) -> Res {
    let d = if d == UNDEF {
        let (v, t) = (redacted(cx, m, v)?, string::to_short(cx, m, name, convert::MAX_SHOWN)?);
        let article = if t.starts_with(['o', 'u']) { "an" } else { "a" };
        cx.str(m, &format!("{v} must be {article} {t}"))?
    } else {
        d
    };
    Err(throw(cx, m, d, UNDEF, ErrorKind::Type)?)
}

/// Fail`…`
fn fail(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let d = details(cx, m, a)?;
    Err(throw(cx, m, d, UNDEF, ErrorKind::Error)?)
}

/// makeError(details, constructor, { cause, errors })
fn make_error(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let e = error_of(cx, m, a.get(m, 0), a.get(m, 1), ErrorKind::Error)?;
    let options = a.get(m, 2);
    if is_obj(options) {
        for key in [R_STR_CAUSE, R_STR_ERRORS] {
            let key = roots::get(m, key);
            let v = object::get(cx, m, options, key)?;
            if v != UNDEF {
                object::define_or_throw(cx, m, e, key, Desc::data(v, WC))?;
            }
        }
    }
    Ok(e)
}

/// note(error, details): seen by the operator alone.
fn note(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (e, d) = (a.get(m, 0), a.get(m, 1));
    if !is_obj(e) {
        return Err(cx.type_error(m, "assert.note: not an error"));
    }
    let mut notes = roots::get(m, R_NOTES);
    if !is_obj(notes) {
        notes = super::map_set::new(cx, m, WEAKMAP)?;
        roots::set(cx, m, R_NOTES, notes);
    }
    match table::weak_get(cx, m, notes, e)? {
        Some(list) => array::push(cx, m, list, d)?,
        None => {
            let list = array::from_slice(cx, m, &[d])?;
            table::weak_set(cx, m, notes, e, list)?;
        }
    }
    Ok(UNDEF)
}

/// An assert object with all its methods.
fn assert_object(cx: &mut Cx, m: Mem) -> Res {
    let o = function::native(cx, m, ASSERT, &[])?;
    for n in 0x3D1..=0x3DC {
        let f = function::native(cx, m, n, &[])?;
        let name = super::native(n).map_or("", |n| n.name);
        let key = string::intern_str(cx, m, name)?;
        object::define_or_throw(cx, m, o, key, Desc::data(f, WC))?;
    }
    Ok(o)
}

fn make_assert(cx: &mut Cx, m: Mem, _a: Args) -> Res {
    let o = assert_object(cx, m)?;
    if roots::get(m, R_UNLOCKED) == TRUE { Ok(o) } else { harden::harden(cx, m, o) }
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    for (root, number) in [(R_DETAILS_PROTO, DETAILS_TO_STRING), (R_QUOTE_PROTO, QUOTE_TO_STRING)] {
        let proto = r.object(cx, m, roots::get(m, R_OBJECT_PROTO))?;
        roots::set(cx, m, root, proto);
        r.method(cx, m, roots::get(m, root), number)?;
    }
    let o = assert_object(cx, m)?;
    debug_assert!(!promise::is_promise(m, o));
    r.value(cx, m, r.global, "assert", o, WC)
}
