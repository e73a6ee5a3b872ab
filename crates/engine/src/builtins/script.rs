//! Builtins written in JavaScript that we ship, and the natives that only they see.
//!
//! In: a source whose completion value is an object literal of methods. Out: these methods, on a prototype or constructor.
//!
//! Invariants
//! - a free name in such a source is a property of the internal object at root R_REALM, which no program reaches;
//! - `$call(f, thisValue, a, …)` is no function: the compiler makes it a call;
//! - what a program can change is looked up only where the standard says so.
use super::array::{self as arrays, create_at, length_of, plain_len, standard_species};
use super::{Native, f, iterator, sort};
use crate::compile::{self, CompileOptions};
use crate::cx::{Abort, Args, Cx, ErrorKind, Res, Value};
use crate::object::{self, Desc};
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::shape::{self, WC};
use crate::{array, convert, function, interp, string};
use cage::Mem;
use cage::value::*;
use syntax::ast::Goal;
use syntax::diagnostic::Level;

/// Longest array that `map` makes room for before it begins.
const MAX_PREPARED: u32 = 1 << 22;

pub const TABLE: &[Native] = &[
    f(0x480, "$toObject", 1, |cx, m, a| convert::to_object(cx, m, a.get(m, 0))),
    f(0x481, "$lengthOf", 1, |cx, m, a| length_of(cx, m, a.get(m, 0)).map(from_num)),
    f(0x482, "$plainLength", 1, |_, m, a| Ok(plain_len(m, a.get(m, 0)).map_or(int(-1), |n| int(n as i32)))),
    f(0x483, "$typeError", 1, |cx, m, a| error(cx, m, a, ErrorKind::Type)),
    f(0x484, "$rangeError", 1, |cx, m, a| error(cx, m, a, ErrorKind::Range)),
    f(0x485, "$speciesCreate", 2, species_create),
    f(0x486, "$prepared", 2, prepared),
    f(0x487, "$isArray", 1, |_, m, a| Ok(cage::value::bool(array::is_array(m, a.get(m, 0))))),
    f(0x488, "$createData", 3, create_data),
    f(0x489, "$isConstructor", 1, |cx, m, a| Ok(cage::value::bool(function::is_constructor(cx, m, a.get(m, 0))))),
    f(0x48A, "$isCallable", 1, |_, m, a| Ok(cage::value::bool(object::is_callable(m, a.get(m, 0))))),
    f(0x48B, "$arrayCreate", 1, array_create),
    f(0x48C, "$freshSpecies", 1, |_, m, a| Ok(cage::value::bool(standard_species(m, a.get(m, 0))))),
    f(0x48D, "$iteratorMethod", 1, iterator_method),
    f(0x48E, "$copyPlain", 1, copy_plain),
    f(0x48F, "$describe", 1, describe),
    f(0x490, "$sortPrimitive", 1, sort::sort_primitive),
    f(0x491, "$sortByKeys", 2, sort::sort_by_keys),
    f(0x492, "$collect", 3, sort::collect),
    f(0x493, "$writeBack", 2, sort::write_back),
    f(0x494, "$cut", 2, cut),
];

/// The prepared array, cut to its first elements.
fn cut(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (made, n) = (a.get(m, 0), num(a.get(m, 1)) as u32);
    let have = array::sound_len(cx, m, made)?;
    if n < have / 2 {
        return arrays::from_elems(cx, m, array::elems(m, made), 0, n);
    }
    let e = array::elems(m, made);
    for i in n..have {
        if (i - n).is_multiple_of(4096) {
            cx.charge(512)?;
        }
        cx.heap.write(m, arrays::place(e, i), HOLE);
    }
    array::set_length_plain(cx, m, made, n);
    Ok(made)
}

fn error(cx: &mut Cx, m: Mem, a: Args, kind: ErrorKind) -> Res {
    let t = convert::to_shown(cx, m, a.get(m, 0))?;
    super::error::make(cx, m, kind, &t)
}

/// ArraySpeciesCreate(o, len)
fn species_create(cx: &mut Cx, m: Mem, a: Args) -> Res {
    arrays::species_create(cx, m, a.get(m, 0), num(a.get(m, 1)))
}

/// ArrayCreate(len)
fn array_create(cx: &mut Cx, m: Mem, a: Args) -> Res {
    arrays::array_create(cx, m, num(a.get(m, 0)))
}

/// An array of `len` elements, all undefined, if ArraySpeciesCreate(o, len) would make an ordinary array that nothing
/// else can see and `o` is plain; else undefined.
fn prepared(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, len) = (a.get(m, 0), a.get(m, 1));
    if !is_int(len) || as_int(len) as u32 > MAX_PREPARED || plain_len(m, o).is_none() || !standard_species(m, o) {
        return Ok(UNDEF);
    }
    let n = as_int(len) as u32;
    let made = array::with_capacity(cx, m, n)?;
    let e = array::elems(m, made);
    for i in 0..n {
        cx.heap.write(m, arrays::place(e, i), UNDEF);
    }
    array::set_length_plain(cx, m, made, n);
    Ok(made)
}

/// CreateDataPropertyOrThrow(o, k, v)
fn create_data(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, k, v) = (a.get(m, 0), a.get(m, 1), a.get(m, 2));
    if is_number(k) {
        create_at(cx, m, o, num(k), v)?;
    } else {
        let k = object::to_key(cx, m, k)?;
        object::create_data_or_throw(cx, m, o, k, v)?;
    }
    Ok(UNDEF)
}

/// GetMethod(items, @@iterator)
fn iterator_method(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let v = a.get(m, 0);
    if is_nullish(v) {
        return Err(cx.type_error(m, "Cannot convert undefined or null to object"));
    }
    object::get_method(cx, m, v, roots::get(m, R_SYM_ITERATOR))
}

/// An array of what iterating a value gives, if that runs no program: a plain array (holes become undefined), or in a
/// locked realm a string, a Map or a Set without properties of its own; else undefined.
fn copy_plain(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let v = a.get(m, 0);
    let shape_is = |root: u16| is_obj(v) && shape::of(m, v) == roots::get(m, root) as u32;
    if roots::get(m, R_UNLOCKED) != TRUE && (is_str(v) || shape_is(R_SHAPE_MAP) || shape_is(R_SHAPE_SET)) {
        let all = interp::iterate_to_vec(cx, m, v)?;
        return array::from_slice(cx, m, &all);
    }
    let Some(n) = plain_len(m, v).filter(|_| iterator::iterates_plainly(m, v)) else { return Ok(UNDEF) };
    let made = arrays::from_elems(cx, m, array::elems(m, v), 0, n)?;
    let e = array::elems(m, made);
    for i in 0..n {
        if i % 4096 == 0 {
            cx.charge(512)?;
        }
        if m.r64(arrays::place(e, i), 0) == HOLE {
            cx.heap.write(m, arrays::place(e, i), UNDEF);
        }
    }
    Ok(made)
}

/// A short text for a value in a message: what `typeof` says, or the value of a primitive.
fn describe(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let v = a.get(m, 0);
    if is_obj(v) || is_sym(v) {
        return Ok(convert::type_of(m, v));
    }
    let s = convert::to_string(cx, m, v)?;
    string::slice(cx, m, s, 0, 40)
}

/// Installs the natives that only script code sees.
pub fn install_helpers(cx: &mut Cx, m: Mem, _r: &Realm) -> Res<()> {
    let internal = roots::get(m, R_REALM);
    for n in TABLE {
        let func = function::native(cx, m, n.number, &[])?;
        let name = string::intern_str(cx, m, n.name)?;
        let k = object::key_of(cx, m, name)?;
        object::define_or_throw(cx, m, internal, k, Desc::data(func, WC))?;
    }
    let k = roots::get(m, R_STR_UNDEFINED);
    object::define_or_throw(cx, m, internal, k, Desc::data(UNDEF, 0))
}

/// Compiles and runs `source`; every method of the object it gives becomes one of `on`.
pub fn install(cx: &mut Cx, m: Mem, r: &Realm, on: Value, source: &str, name: &str) -> Res<()> {
    // the code of some units differs from build to build
    let later;
    let source = if r.arrangement.is_moved() && !name.ends_with("sort") {
        later = format!("({{ later(a) {{ return [a, 'later', 12345678901234567890n]; }} }});\n{source}");
        &later
    } else {
        source
    };
    let options = syntax::Options { goal: Goal::Script, level: Level::Strict, dialect_2013: false };
    let parsed = syntax::parse(source, &options);
    if parsed.has_errors() {
        let first = parsed.diagnostics.first().map_or("", |d| &d.message);
        return Err(cx.error(m, ErrorKind::Syntax, &format!("{name}: {first}")));
    }
    let options = CompileOptions { builtin: true, script_completion: true, ..CompileOptions::default() };
    let unit = match compile::compile(&parsed.tree, source.into(), name, &options) {
        Ok(unit) => unit,
        Err(e) => return Err(cx.error(m, ErrorKind::Syntax, &format!("{name}: {}", e.message))),
    };
    let methods = interp::run_unit(cx, m, unit, roots::get(m, R_REALM))?;
    if !is_obj(methods) {
        return Err(cx.stop(Abort::Corrupt));
    }
    for k in object::own_keys(cx, m, methods)? {
        let v = object::get(cx, m, methods, k)?;
        object::define_or_throw(cx, m, on, k, Desc::data(v, WC))?;
    }
    Ok(())
}

/// The builtins of `script/array.js`.
pub fn install_arrays(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let proto = roots::get(m, R_ARRAY_PROTO);
    install(cx, m, r, proto, include_str!("../script/array.js"), "builtin:array")?;
    install(cx, m, r, proto, include_str!("../script/sort.js"), "builtin:sort")?;
    let ctor = roots::get(m, R_ARRAY);
    let name = string::intern_str(cx, m, "$Array")?;
    object::define_or_throw(cx, m, roots::get(m, R_REALM), name, Desc::data(ctor, 0))?;
    install(cx, m, r, ctor, include_str!("../script/array_from.js"), "builtin:array_from")?;
    Ok(())
}
