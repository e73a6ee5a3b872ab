//! Compartment, eval, Function, confine, over `crate::compartment`.
//!
//! `eval`, `Function` and `Compartment` are one each per compartment; which one is their data word 0.
use super::{Native, ctor, f};
use crate::compartment::{self, What};
use crate::convert;
use crate::cx::{Args, Cx, ErrorKind, Res, Value};
use crate::kinds::COMPARTMENT as KIND;
use crate::object;
use crate::promise;
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::shape::WC;
use crate::{function, string};
use cage::Mem;
use cage::value::*;

pub const COMPARTMENT: u16 = 0x420;
pub const EVAL: u16 = 0x429;
pub const FUNCTION: u16 = 0x42A;
const CONFINE: u16 = 0x42B;
const INERT: u16 = 0x42F;

pub const TABLE: &[Native] = &[
    ctor(COMPARTMENT, "Compartment", 0, construct),
    f(0x421, "evaluate", 1, evaluate),
    f(0x422, "get globalThis", 0, |cx, m, a| Ok(compartment::global_of(m, this_of(cx, m, a)?))),
    f(0x423, "get name", 0, |cx, m, a| Ok(compartment::name_of(m, this_of(cx, m, a)?))),
    f(0x424, "import", 1, no_modules_later),
    f(0x425, "importNow", 1, no_modules),
    f(0x426, "load", 1, no_modules_later),
    f(0x427, "module", 1, no_modules),
    f(0x428, "toString", 0, |cx, m, _| cx.str(m, "[object Compartment]")),
    f(EVAL, "eval", 1, eval),
    ctor(FUNCTION, "Function", 1, make_function),
    f(CONFINE, "confine", 2, confine),
    ctor(INERT, "Compartment", 0, |cx, m, _| {
        Err(cx.type_error(m, "Compartment.prototype.constructor is not a valid constructor."))
    }),
];

fn this_of(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let c = a.this(m);
    if is_obj(c) && object::kind(m, c) == KIND {
        return Ok(c);
    }
    Err(cx.type_error(m, "Compartment method called on a value that is no Compartment"))
}

/// `new Compartment(globals, modules, options)` or `new Compartment({ __options__: true, globals, name, … })`.
fn construct(cx: &mut Cx, m: Mem, a: Args) -> Res {
    if !a.is_construct() {
        return Err(cx.type_error(m, "Class constructor Compartment cannot be invoked without 'new'"));
    }
    let s = function::shape_from(cx, m, a.new_target, R_SHAPE_COMPARTMENT, R_COMPARTMENT_PROTO)?;
    let (mut globals, mut options) = (a.get(m, 0), a.get(m, 2));
    if is_obj(globals) {
        let sigil = object::get_str(cx, m, globals, "__options__")?;
        if sigil == TRUE {
            options = globals;
            globals = object::get_str(cx, m, options, "globals")?;
        }
    }
    let mut name = string::empty(m);
    if is_obj(options) {
        refuse_unsupported(cx, m, options)?;
        let n = object::get_str(cx, m, options, "name")?;
        if n != UNDEF {
            name = convert::to_string(cx, m, n)?;
        }
    }
    let c = compartment::new(cx, m, s, name)?;
    if is_obj(globals) {
        compartment::endow(cx, m, compartment::global_of(m, c), globals)?;
    }
    Ok(c)
}

/// Options that would change what a source means are refused, not ignored; an empty list asks for nothing.
fn refuse_unsupported(cx: &mut Cx, m: Mem, options: Value) -> Res<()> {
    for name in ["transforms", "__shimTransforms__", "globalLexicals", "modules"] {
        let v = object::get_str(cx, m, options, name)?;
        let empty = v == UNDEF || (is_obj(v) && object::own_keys(cx, m, v)?.iter().all(|k| *k == roots::get(m, R_STR_LENGTH)));
        if !empty {
            return Err(cx.type_error(m, &format!("compartments have no '{name}' yet")));
        }
    }
    Ok(())
}

fn evaluate(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let c = this_of(cx, m, a)?;
    let options = a.get(m, 1);
    if is_obj(options) {
        refuse_unsupported(cx, m, options)?;
    }
    let source = a.get(m, 0);
    if !is_str(source) {
        return Err(cx.type_error(m, "first argument of evaluate() must be a string"));
    }
    let text = source_text(cx, m, source)?;
    compartment::evaluate(cx, m, text, compartment::global_of(m, c), What::Script)
}

/// A source as Rust text. A lone surrogate is no source character.
fn source_text(cx: &mut Cx, m: Mem, s: Value) -> Res<String> {
    if string::len(m, s) as usize > syntax::limits::MAX_SOURCE_BYTES {
        return Err(cx.error(m, ErrorKind::Syntax, "the source is too long"));
    }
    let mut text = String::new();
    if string::append_rust(cx, m, s, &mut text)? {
        Ok(text)
    } else {
        Err(cx.error(m, ErrorKind::Syntax, "the source holds a lone surrogate"))
    }
}

/// eval: always the indirect one.
fn eval(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let source = a.get(m, 0);
    if !is_str(source) {
        return Ok(source);
    }
    let c = function::data(m, a.callee(m), 0);
    let text = source_text(cx, m, source)?;
    compartment::evaluate(cx, m, text, compartment::global_of(m, c), What::Script)
}

/// Function(params …, body)
fn make_function(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let mut parts = Vec::new();
    for i in 0..a.argc {
        let s = convert::to_string(cx, m, a.get(m, i))?;
        parts.push(source_text(cx, m, s)?);
    }
    let body = parts.pop().unwrap_or_default();
    let c = function::data(m, a.callee(m), 0);
    compartment::make_function(cx, m, parts, body, compartment::global_of(m, c))
}

fn confine(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = convert::to_string(cx, m, a.get(m, 0))?;
    let text = source_text(cx, m, s)?;
    compartment::confine(cx, m, text, a.get(m, 1))
}

const NO_MODULES: &str = "modules of compartments are not supported yet: use evaluate";

fn no_modules(cx: &mut Cx, m: Mem, a: Args) -> Res {
    this_of(cx, m, a)?;
    Err(cx.type_error(m, NO_MODULES))
}

fn no_modules_later(cx: &mut Cx, m: Mem, _a: Args) -> Res {
    let p = promise::new_promise(cx, m)?;
    let e = super::error::make(cx, m, ErrorKind::Type, NO_MODULES)?;
    promise::reject(cx, m, p, e)?;
    Ok(p)
}

/// Comes last: what is on the global object now is what every compartment will share.
pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    r.method(cx, m, r.global, CONFINE)?;
    let proto = roots::get(m, R_COMPARTMENT_PROTO);
    let inert = function::native(cx, m, INERT, &[])?;
    r.link(cx, m, inert, proto)?;
    r.methods(cx, m, proto, &[0x421, 0x424, 0x425, 0x426, 0x427, 0x428])?;
    for (name, number) in [("globalThis", 0x422), ("name", 0x423)] {
        let key = string::intern_str(cx, m, name)?;
        r.getter(cx, m, proto, key, number)?;
    }
    r.tag(cx, m, proto, "Compartment")?;
    compartment::remember_shared(cx, m, r.global)?;
    let s = roots::get(m, R_SHAPE_COMPARTMENT) as u32;
    let start = object::exotic(cx, m, KIND, s, &[r.global, string::empty(m), UNDEF])?;
    compartment::own_globals(cx, m, start, r.global)?;
    if roots::get(m, R_UNLOCKED) == TRUE {
        let f = object::get_str(cx, m, r.global, "Function")?;
        r.value(cx, m, roots::get(m, R_FUNCTION_PROTO), "constructor", f, WC)?;
        let c = object::get_str(cx, m, r.global, "Compartment")?;
        r.value(cx, m, proto, "constructor", c, WC)?;
    }
    Ok(())
}
