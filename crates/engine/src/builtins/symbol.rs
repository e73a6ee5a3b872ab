//! Symbols: ECMA-262 20.4.
//!
//! Reentrant: descriptions and keys are converted by program code.
//!
//! Invariants
//! - the registry is an internal object without prototype; a symbol in it carries REGISTERED and its key as description.
use super::{Native, ctor, f};
use crate::cx::{Args, Cx, Res, Value};
use crate::kinds::{REGISTERED, WRAPPER};
use crate::object::{self, Desc};
use crate::realm::{self, Realm};
use crate::roots::{self, *};
use crate::shape::{C, WEC};
use crate::{convert, function, string};
use cage::Mem;
use cage::value::*;

const SYMBOL: u16 = 0x240;
const DESCRIPTION: u16 = 0x243;
const TO_PRIMITIVE: u16 = 0x246;

pub const TABLE: &[Native] = &[
    ctor(SYMBOL, "Symbol", 0, construct),
    f(0x241, "for", 1, symbol_for),
    f(0x242, "keyFor", 1, key_for),
    f(DESCRIPTION, "get description", 0, |cx, m, a| this_symbol(cx, m, a).map(|s| description(m, s))),
    f(0x244, "toString", 0, to_string),
    f(0x245, "valueOf", 0, this_symbol),
    f(TO_PRIMITIVE, "[Symbol.toPrimitive]", 1, this_symbol),
];

/// Symbol
fn construct(cx: &mut Cx, m: Mem, a: Args) -> Res {
    if a.is_construct() {
        return Err(cx.type_error(m, "Symbol is not a constructor"));
    }
    let d = a.get(m, 0);
    let d = if d == UNDEF { UNDEF } else { convert::to_string(cx, m, d)? };
    realm::symbol(cx, m, d, 0)
}

/// Symbol.for
fn symbol_for(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let key = convert::to_string(cx, m, a.get(m, 0))?;
    registered(cx, m, key)
}

/// The registered symbol of a string.
pub fn registered(cx: &mut Cx, m: Mem, text: Value) -> Res {
    let registry = roots::get(m, R_SYMBOLS);
    let key = object::key_of(cx, m, text)?;
    if let Some(object::Prop::Data { value, .. }) = object::own_named(m, registry, key) {
        return Ok(value);
    }
    let s = realm::symbol(cx, m, text, REGISTERED)?;
    object::add_property(cx, m, registry, key, WEC, s)?;
    Ok(s)
}

/// Symbol.keyFor
fn key_for(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = a.get(m, 0);
    if !is_sym(s) {
        return Err(cx.type_error(m, "Symbol.keyFor called with what is not a symbol"));
    }
    Ok(if object::flags(m, s) & REGISTERED != 0 { description(m, s) } else { UNDEF })
}

/// ThisSymbolValue
fn this_symbol(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let v = a.this(m);
    if is_sym(v) {
        return Ok(v);
    }
    if is_obj(v) && object::kind(m, v) == WRAPPER && is_sym(m.r64(v as u32, 16)) {
        return Ok(m.r64(v as u32, 16));
    }
    Err(cx.type_error(m, "Symbol.prototype method called on what is not a symbol"))
}

/// A string or undefined.
pub fn description(m: Mem, s: Value) -> Value {
    m.r64(s as u32, 8)
}

/// SymbolDescriptiveString
pub fn descriptive_string(cx: &mut Cx, m: Mem, s: Value) -> Res {
    let d = description(m, s);
    let d = if is_str(d) { d } else { string::empty(m) };
    let open = cx.str(m, "Symbol(")?;
    let t = string::concat(cx, m, open, d)?;
    string::concat(cx, m, t, string::of_unit8(m, b')'))
}

/// Symbol.prototype.toString
fn to_string(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = this_symbol(cx, m, a)?;
    descriptive_string(cx, m, s)
}

const WELL_KNOWN: &[(&str, u16)] = &[
    ("asyncIterator", R_SYM_ASYNC_ITERATOR),
    ("hasInstance", R_SYM_HAS_INSTANCE),
    ("isConcatSpreadable", R_SYM_IS_CONCAT_SPREADABLE),
    ("iterator", R_SYM_ITERATOR),
    ("match", R_SYM_MATCH),
    ("matchAll", R_SYM_MATCH_ALL),
    ("replace", R_SYM_REPLACE),
    ("search", R_SYM_SEARCH),
    ("species", R_SYM_SPECIES),
    ("split", R_SYM_SPLIT),
    ("toPrimitive", R_SYM_TO_PRIMITIVE),
    ("toStringTag", R_SYM_TO_STRING_TAG),
    ("unscopables", R_SYM_UNSCOPABLES),
];

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let registry = object::create(cx, m, NULL)?;
    roots::set(cx, m, R_SYMBOLS, registry);
    let proto = roots::get(m, R_SYMBOL_PROTO);
    let c = r.class(cx, m, SYMBOL, proto)?;
    r.methods(cx, m, c, &[0x241, 0x242])?;
    for (name, root) in WELL_KNOWN {
        r.value(cx, m, c, name, roots::get(m, *root), 0)?;
    }
    r.methods(cx, m, proto, &[0x244, 0x245])?;
    let key = string::intern_str(cx, m, "description")?;
    r.getter(cx, m, proto, key, DESCRIPTION)?;
    r.tag(cx, m, proto, "Symbol")?;
    let to_primitive = function::native(cx, m, TO_PRIMITIVE, &[])?;
    object::define_or_throw(cx, m, proto, roots::get(m, R_SYM_TO_PRIMITIVE), Desc::data(to_primitive, C))
}
