//! Errors: the constructors of ECMA-262 20.5 and the errors the engine itself throws.
//!
//! Errors carry no stack that a program could see.
use super::{Native, ctor, f};
use crate::convert;
use crate::cx::{Args, Cx, ErrorKind, Res, Value};
use crate::function;
use crate::kinds::ERROR;
use crate::object::{self, Desc};
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::shape::{self, WC};
use crate::string;
use cage::Mem;
use cage::value::*;

/// %Function.prototype%, which as a function does nothing.
pub const FUNCTION_PROTO: u16 = 0x01F;
const TO_STRING: u16 = 0x01E;

pub const TABLE: &[Native] = &[
    ctor(0x010, "Error", 1, |cx, m, a| construct(cx, m, a, ErrorKind::Error)),
    ctor(0x011, "TypeError", 1, |cx, m, a| construct(cx, m, a, ErrorKind::Type)),
    ctor(0x012, "RangeError", 1, |cx, m, a| construct(cx, m, a, ErrorKind::Range)),
    ctor(0x013, "ReferenceError", 1, |cx, m, a| construct(cx, m, a, ErrorKind::Reference)),
    ctor(0x014, "SyntaxError", 1, |cx, m, a| construct(cx, m, a, ErrorKind::Syntax)),
    ctor(0x015, "EvalError", 1, |cx, m, a| construct(cx, m, a, ErrorKind::Eval)),
    ctor(0x016, "URIError", 1, |cx, m, a| construct(cx, m, a, ErrorKind::Uri)),
    ctor(0x017, "AggregateError", 2, |cx, m, a| construct(cx, m, a, ErrorKind::Aggregate)),
    f(TO_STRING, "toString", 0, to_string),
    f(FUNCTION_PROTO, "", 0, |_, _, _| Ok(UNDEF)),
];

/// An error object of the engine's own.
pub fn make(cx: &mut Cx, m: Mem, kind: ErrorKind, message: &str) -> Res {
    let text = cx.str(m, message)?;
    with_message(cx, m, kind, text)
}

/// Likewise, of a string.
pub fn with_message(cx: &mut Cx, m: Mem, kind: ErrorKind, text: Value) -> Res {
    let s = roots::get(m, R_SHAPE_ERROR + kind as u16) as u32;
    let e = object::of_kind(cx, m, ERROR, s)?;
    let key = roots::get(m, R_STR_MESSAGE);
    object::add_property(cx, m, e, key, WC, text)?;
    Ok(e)
}

/// An uncaught value for the operator: `Name: message`, or `Uncaught: value`. Calls no program code.
pub fn describe(cx: &mut Cx, m: Mem, v: Value) -> String {
    let text = |cx: &mut Cx, key: Value| -> Option<String> {
        let mut o = v;
        for _ in 0..64 {
            if !is_obj(o) {
                return None;
            }
            if let Some(object::Prop::Data { value, .. }) = object::own_named(m, o, key) {
                return if is_str(value) { string::to_short(cx, m, value, convert::MAX_SHOWN).ok() } else { None };
            }
            o = object::proto_of(m, o);
        }
        None
    };
    if is_obj(v) && object::kind(m, v) == ERROR {
        let name = text(cx, roots::get(m, R_STR_NAME)).unwrap_or_else(|| "Error".to_owned());
        let message = text(cx, roots::get(m, R_STR_MESSAGE)).unwrap_or_default();
        return if message.is_empty() { name } else { format!("{name}: {message}") };
    }
    let shown = if is_obj(v) {
        "[object]".to_owned()
    } else if is_sym(v) {
        object::key_text(cx, m, v).unwrap_or_default()
    } else {
        convert::to_shown(cx, m, v).unwrap_or_default()
    };
    format!("Uncaught: {shown}")
}

fn construct(cx: &mut Cx, m: Mem, a: Args, kind: ErrorKind) -> Res {
    let k = kind as u16;
    let new_target = if a.is_construct() { a.new_target } else { a.callee(m) };
    let s = function::shape_from(cx, m, new_target, R_SHAPE_ERROR + k, R_ERROR_PROTO + k)?;
    let e = object::of_kind(cx, m, ERROR, s)?;
    let first = (kind == ErrorKind::Aggregate) as u32;
    let message = a.get(m, first);
    if message != UNDEF {
        let text = convert::to_string(cx, m, message)?;
        let key = roots::get(m, R_STR_MESSAGE);
        object::add_property(cx, m, e, key, WC, text)?;
    }
    install_cause(cx, m, e, a.get(m, first + 1))?;
    if kind == ErrorKind::Aggregate {
        let list = crate::interp::iterate_to_vec(cx, m, a.get(m, 0))?;
        let list = crate::array::from_slice(cx, m, &list)?;
        let key = roots::get(m, R_STR_ERRORS);
        object::define_or_throw(cx, m, e, key, Desc::data(list, WC))?;
    }
    Ok(e)
}

/// InstallErrorCause
fn install_cause(cx: &mut Cx, m: Mem, e: Value, options: Value) -> Res<()> {
    let key = roots::get(m, R_STR_CAUSE);
    if is_obj(options) && object::has(cx, m, options, key)? {
        let cause = object::get(cx, m, options, key)?;
        object::define_or_throw(cx, m, e, key, Desc::data(cause, WC))?;
    }
    Ok(())
}

/// Error.prototype.toString
fn to_string(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = a.this(m);
    if !is_obj(o) {
        return Err(cx.type_error(m, "Error.prototype.toString called on a non-object"));
    }
    let name = object::get(cx, m, o, roots::get(m, R_STR_NAME))?;
    let name = if name == UNDEF { cx.str(m, "Error")? } else { convert::to_string(cx, m, name)? };
    let message = object::get(cx, m, o, roots::get(m, R_STR_MESSAGE))?;
    let message = if message == UNDEF { string::empty(m) } else { convert::to_string(cx, m, message)? };
    if string::len(m, name) == 0 {
        return Ok(message);
    }
    if string::len(m, message) == 0 {
        return Ok(name);
    }
    let sep = cx.str(m, ": ")?;
    let left = string::concat(cx, m, name, sep)?;
    string::concat(cx, m, left, message)
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let mut base = UNDEF;
    for kind in ErrorKind::ALL {
        let k = kind as u16;
        let proto = roots::get(m, R_ERROR_PROTO + k);
        let c = r.class(cx, m, 0x010 + k, proto)?;
        if kind == ErrorKind::Error {
            base = c;
        } else {
            object::set_proto(cx, m, c, base)?;
        }
        let name = cx.str(m, kind.name())?;
        r.value(cx, m, proto, "name", name, WC)?;
        r.value(cx, m, proto, "message", string::empty(m), WC)?;
    }
    r.method(cx, m, roots::get(m, R_ERROR_PROTO), TO_STRING)?;
    debug_assert!(shape::is_dict(m, shape::of(m, base)) || is_obj(base));
    Ok(())
}
