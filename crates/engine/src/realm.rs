//! The realm: roots, intrinsics, global object; made once, then frozen, and copied into every cage as its base.
//!
//! In: an empty cage. Out: the stored bytes of the base.
//!
//! Invariants
//! - deterministic: the same build makes the same bytes;
//! - prototypes and shapes stand in their roots before any builtin module installs itself.
use crate::array;
use crate::cx::{Cx, Res, Value};
use crate::function;
use crate::kinds::{INTERNAL, ROOTS, SYMBOL, WELL_KNOWN, WRAPPER};
use crate::object::{self, Desc};
use crate::roots::{self, *};
use crate::shape::{self, ARRAY, C, EXOTIC, VIRTUAL, WC};
use crate::string;
use cage::Mem;
use cage::layout::{OLD, PINNED, header};
use cage::value::*;

/// What builtin modules install themselves with.
#[derive(Debug)]
pub struct Realm {
    /// The start compartment's global object.
    pub global: Value,
    pub arrangement: Arrangement,
}

/// How a base is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrangement {
    Usual,
    /// As a later build might: nothing lies where it usually does, builtins, layouts and the code of shipped script differ. For tests of
    /// `relocate`.
    Moved,
}

impl Arrangement {
    /// That of this build.
    pub const BUILT: Arrangement = if cfg!(feature = "moved-base") { Arrangement::Moved } else { Arrangement::Usual };

    pub fn is_moved(self) -> bool {
        self == Arrangement::Moved
    }

    /// In the usual order, or backwards.
    pub(crate) fn order<'a, T>(self, all: &'a [T]) -> Box<dyn Iterator<Item = &'a T> + 'a> {
        if self.is_moved() { Box::new(all.iter().rev()) } else { Box::new(all.iter()) }
    }
}

/// Objects that nothing names, in all sorts of places, so that what comes after lies elsewhere.
pub(crate) fn pad(cx: &mut Cx, m: Mem, arrangement: Arrangement, n: u32) -> Res<()> {
    if arrangement.is_moved() {
        for i in 0..n {
            object::new(cx, m)?;
            symbol(cx, m, UNDEF, 0)?;
            let e = cx.alloc_old(m, 24)?;
            m.w64(e, 0, header(crate::kinds::ELEMS, 0, 0, 2));
            string::intern_str(cx, m, &format!("only later {n} {i}"))?;
        }
    }
    Ok(())
}

impl Realm {
    /// Defines a builtin method on `on` (writable, configurable).
    pub fn method(&self, cx: &mut Cx, m: Mem, on: Value, number: u16) -> Res {
        let name = crate::builtins::native(number).map_or("", |n| n.name);
        let key = string::intern_str(cx, m, name)?;
        self.method_at(cx, m, on, key, number)
    }
    /// Likewise under a key of its own.
    pub fn method_at(&self, cx: &mut Cx, m: Mem, on: Value, key: Value, number: u16) -> Res {
        let f = function::native(cx, m, number, &[])?;
        object::define_or_throw(cx, m, on, key, Desc::data(f, WC))?;
        Ok(f)
    }
    /// Methods with consecutive rows.
    pub fn methods(&self, cx: &mut Cx, m: Mem, on: Value, numbers: &[u16]) -> Res<()> {
        for n in numbers {
            self.method(cx, m, on, *n)?;
        }
        Ok(())
    }
    /// Defines a getter.
    pub fn getter(&self, cx: &mut Cx, m: Mem, on: Value, key: Value, number: u16) -> Res {
        let f = function::native(cx, m, number, &[])?;
        let d = Desc { get: Some(f), set: Some(UNDEF), enumerable: Some(false), configurable: Some(true), ..Desc::default() };
        object::define_or_throw(cx, m, on, key, d)?;
        Ok(f)
    }
    /// Defines a data property with these attributes.
    pub fn value(&self, cx: &mut Cx, m: Mem, on: Value, name: &str, v: Value, attrs: u8) -> Res<()> {
        let key = string::intern_str(cx, m, name)?;
        object::define_or_throw(cx, m, on, key, Desc::data(v, attrs))
    }
    /// A constructor and its prototype, linked to each other, as a global.
    pub fn class(&self, cx: &mut Cx, m: Mem, number: u16, proto: Value) -> Res {
        let f = function::native(cx, m, number, &[])?;
        self.link(cx, m, f, proto)?;
        let name = crate::builtins::native(number).map_or("", |n| n.name);
        self.value(cx, m, self.global, name, f, WC)?;
        Ok(f)
    }
    /// `f.prototype = proto; proto.constructor = f`.
    pub fn link(&self, cx: &mut Cx, m: Mem, f: Value, proto: Value) -> Res<()> {
        self.value(cx, m, f, "prototype", proto, 0)?;
        self.value(cx, m, proto, "constructor", f, WC)
    }
    /// Defines a data property as builtins are defined (writable, configurable).
    pub fn link_value(&self, cx: &mut Cx, m: Mem, on: Value, key: Value, v: Value) -> Res<()> {
        object::define_or_throw(cx, m, on, key, Desc::data(v, WC))
    }
    /// `on[Symbol.toStringTag] = tag`
    pub fn tag(&self, cx: &mut Cx, m: Mem, on: Value, tag: &str) -> Res<()> {
        let v = string::intern_str(cx, m, tag)?;
        let key = roots::get(m, R_SYM_TO_STRING_TAG);
        object::define_or_throw(cx, m, on, key, Desc::data(v, C))
    }
    /// An ordinary object with this prototype.
    pub fn object(&self, cx: &mut Cx, m: Mem, proto: Value) -> Res {
        object::create(cx, m, proto)
    }
    /// A shape for instances of an exotic kind (see `kinds`).
    pub fn exotic_shape(&self, cx: &mut Cx, m: Mem, root: u16, proto: Value, bits: u32) -> Res<()> {
        let s = shape::root(cx, m, proto, 1, EXOTIC | bits)?;
        roots::set(cx, m, root, CELL | s as u64);
        Ok(())
    }
}

/// A new symbol (pinned: it is a key). `flags` as in `kinds`.
pub fn symbol(cx: &mut Cx, m: Mem, description: Value, flags: u8) -> Res {
    let at = cx.alloc_pinned(m, 24)?;
    m.w64(at, 0, header(SYMBOL, PINNED | flags, 0, 0));
    cx.heap.write(m, at + 8, description);
    cx.heap.write(m, at + 16, UNDEF);
    Ok(SYM | at as u64)
}

/// Makes the root object, strings, symbols, shapes and prototypes; the embedder's `Heap` is new and empty.
pub fn begin(cx: &mut Cx, m: Mem, unlocked: bool, arrangement: Arrangement) -> Res<Realm> {
    let at = cx.alloc_pinned(m, 8 + COUNT * 8)?;
    assert!(at == OLD, "the root object comes first");
    m.w64(at, 0, header(ROOTS, PINNED, 0, COUNT));
    for i in 1..=COUNT {
        m.w64(at, (i * 8) as u16, UNDEF);
    }
    roots::set(cx, m, R_HASH_KEY, 0x1234_5678_9ABC_DEF0);
    roots::set(cx, m, R_NEXT_HASH, int(1));
    roots::set(cx, m, R_UNLOCKED, bool(unlocked));
    string::rebuild_interned(cx, m)?;
    pad(cx, m, arrangement, 7)?;
    strings(cx, m, arrangement)?;
    symbols(cx, m, arrangement)?;
    prototypes(cx, m, arrangement)?;
    let global = object::new(cx, m)?;
    roots::set(cx, m, R_GLOBAL, global);
    let internal = object::create(cx, m, NULL)?;
    roots::set(cx, m, R_REALM, internal);
    Ok(Realm { global, arrangement })
}

fn strings(cx: &mut Cx, m: Mem, arrangement: Arrangement) -> Res<()> {
    let e = cx.alloc_pinned(m, 8)?;
    m.w64(e, 0, header(crate::kinds::STR8, PINNED | crate::kinds::INTERNED, 0, 0));
    roots::set(cx, m, R_EMPTY, STR | e as u64);
    intern_empty(cx, m)?;
    let chars = cx.alloc_pinned(m, 8 + 256 * 8)?;
    m.w64(chars, 0, header(crate::kinds::ELEMS, PINNED, 0, 256));
    roots::set(cx, m, R_CHARS, CELL | chars as u64);
    for c in 0..=255u8 {
        let at = cx.alloc(m, 16)?;
        m.w64(at, 0, header(crate::kinds::STR8, 0, 0, 1));
        m.w64(at, 8, c as u64);
        let s = string::intern(cx, m, STR | at as u64)?;
        cx.heap.write(m, chars + 8 + c as u32 * 8, s);
    }
    for (n, text) in arrangement.order(STRINGS) {
        let s = string::intern_str(cx, m, text)?;
        roots::set(cx, m, *n, s);
    }
    Ok(())
}

/// The empty string must be found by interning.
fn intern_empty(cx: &mut Cx, m: Mem) -> Res<()> {
    let s = roots::get(m, R_EMPTY);
    let t = roots::get(m, R_INTERN) as u32;
    let cap = m.r32(t, cage::layout::H_X);
    let i = string::hash(cx, m, s)? & (cap - 1);
    cx.heap.write(m, t + 8 + i * 8, s);
    roots::set(cx, m, R_INTERN_USED, int(1));
    Ok(())
}

const STRINGS: &[(u16, &str)] = &[
    (R_STR_LENGTH, "length"),
    (R_STR_NAME, "name"),
    (R_STR_PROTOTYPE, "prototype"),
    (R_STR_CONSTRUCTOR, "constructor"),
    (R_STR_MESSAGE, "message"),
    (R_STR_VALUE, "value"),
    (R_STR_DONE, "done"),
    (R_STR_NEXT, "next"),
    (R_STR_RETURN, "return"),
    (R_STR_THEN, "then"),
    (R_STR_TO_STRING, "toString"),
    (R_STR_VALUE_OF, "valueOf"),
    (R_STR_GET, "get"),
    (R_STR_SET, "set"),
    (R_STR_WRITABLE, "writable"),
    (R_STR_ENUMERABLE, "enumerable"),
    (R_STR_CONFIGURABLE, "configurable"),
    (R_STR_DEFAULT, "default"),
    (R_STR_NUMBER, "number"),
    (R_STR_STRING, "string"),
    (R_STR_OBJECT, "object"),
    (R_STR_FUNCTION, "function"),
    (R_STR_UNDEFINED, "undefined"),
    (R_STR_BOOLEAN, "boolean"),
    (R_STR_SYMBOL, "symbol"),
    (R_STR_BIGINT, "bigint"),
    (R_STR_CAUSE, "cause"),
    (R_STR_ERRORS, "errors"),
    (R_STR_TO_JSON, "toJSON"),
    (R_STR_NULL, "null"),
    (R_STR_TRUE, "true"),
    (R_STR_FALSE, "false"),
    (R_STR_RAW, "raw"),
    (R_STR_INDEX, "index"),
    (R_STR_PROTO, "__proto__"),
    (R_STR_CALLEE, "callee"),
    (R_STR_STACK, "stack"),
];

const SYMBOLS: &[(u16, &str)] = &[
    (R_SYM_ITERATOR, "Symbol.iterator"),
    (R_SYM_ASYNC_ITERATOR, "Symbol.asyncIterator"),
    (R_SYM_HAS_INSTANCE, "Symbol.hasInstance"),
    (R_SYM_TO_PRIMITIVE, "Symbol.toPrimitive"),
    (R_SYM_TO_STRING_TAG, "Symbol.toStringTag"),
    (R_SYM_SPECIES, "Symbol.species"),
    (R_SYM_IS_CONCAT_SPREADABLE, "Symbol.isConcatSpreadable"),
    (R_SYM_UNSCOPABLES, "Symbol.unscopables"),
    (R_SYM_MATCH, "Symbol.match"),
    (R_SYM_MATCH_ALL, "Symbol.matchAll"),
    (R_SYM_REPLACE, "Symbol.replace"),
    (R_SYM_SEARCH, "Symbol.search"),
    (R_SYM_SPLIT, "Symbol.split"),
];

fn symbols(cx: &mut Cx, m: Mem, arrangement: Arrangement) -> Res<()> {
    for (n, text) in arrangement.order(SYMBOLS) {
        let d = string::intern_str(cx, m, text)?;
        let s = symbol(cx, m, d, WELL_KNOWN)?;
        roots::set(cx, m, *n, s);
    }
    let d = string::intern_str(cx, m, "identity")?;
    let id = symbol(cx, m, d, INTERNAL)?;
    roots::set(cx, m, R_ID, id);
    Ok(())
}

/// Prototypes and shapes that the machine itself needs. A builtin module fills the prototypes.
fn prototypes(cx: &mut Cx, m: Mem, arrangement: Arrangement) -> Res<()> {
    // %Object.prototype% first: its shape has room inside, its own prototype is null
    let s = shape::root(cx, m, NULL, 4, 0)?;
    let op = object::from_shape(cx, m, s)?;
    roots::set(cx, m, R_OBJECT_PROTO, op);
    let op = roots::get(m, R_OBJECT_PROTO);
    let set_shape = |cx: &mut Cx, root: u16, proto: Value, cap: u8, bits: u32| -> Res<()> {
        let s = shape::root(cx, m, proto, cap, bits)?;
        roots::set(cx, m, root, CELL | s as u64);
        Ok(())
    };
    set_shape(cx, R_SHAPE_OBJECT, op, 4, 0)?;
    set_shape(cx, R_SHAPE_NULL_PROTO, NULL, 4, 0)?;
    set_shape(cx, R_SHAPE_ARGS, op, 2, 0)?;
    // %Function.prototype% is itself a function
    set_shape(cx, R_SHAPE_NATIVE, op, 1, EXOTIC | VIRTUAL)?;
    let fp = function::native(cx, m, crate::builtins::error::FUNCTION_PROTO, &[])?;
    roots::set(cx, m, R_FUNCTION_PROTO, fp);
    for r in [R_SHAPE_NATIVE, R_SHAPE_ARROW, R_SHAPE_FUNCTION, R_SHAPE_BOUND] {
        set_shape(cx, r, fp, 1, EXOTIC | if r == R_SHAPE_BOUND { 0 } else { VIRTUAL })?;
    }
    pad(cx, m, arrangement, 3)?;
    plain_prototypes(cx, m, op, arrangement)?;
    let ap = {
        set_shape(cx, R_SHAPE_ARRAY, op, 0, EXOTIC | ARRAY)?;
        crate::array::from_slice(cx, m, &[])?
    };
    roots::set(cx, m, R_ARRAY_PROTO, ap);
    set_shape(cx, R_SHAPE_ARRAY, ap, 0, EXOTIC | ARRAY)?;
    let afp = object::create(cx, m, fp)?;
    roots::set(cx, m, R_ASYNC_FUNCTION_PROTO, afp);
    set_shape(cx, R_SHAPE_ASYNC_FUNCTION, afp, 1, EXOTIC | VIRTUAL)?;
    for i in 0..8 {
        let o = object::create(cx, m, roots::get(m, R_ITERATOR_PROTO))?;
        roots::set(cx, m, R_ITER_PROTO + i, o);
        set_shape(cx, R_SHAPE_ITER + i, o, 1, EXOTIC)?;
    }
    for (r, p) in [
        (R_SHAPE_MAP, R_MAP_PROTO),
        (R_SHAPE_SET, R_SET_PROTO),
        (R_SHAPE_WEAKMAP, R_WEAKMAP_PROTO),
        (R_SHAPE_WEAKSET, R_WEAKSET_PROTO),
        (R_SHAPE_PROMISE, R_PROMISE_PROTO),
        (R_SHAPE_COMPARTMENT, R_COMPARTMENT_PROTO),
        (R_SHAPE_WRAPPER, R_BOOLEAN_PROTO),
        (R_SHAPE_WRAPPER + 1, R_NUMBER_PROTO),
        (R_SHAPE_WRAPPER + 2, R_STRING_PROTO),
        (R_SHAPE_WRAPPER + 3, R_SYMBOL_PROTO),
        (R_SHAPE_WRAPPER + 4, R_BIGINT_PROTO),
    ] {
        set_shape(cx, r, roots::get(m, p), 1, EXOTIC)?;
    }
    set_shape(cx, R_SHAPE_NAMESPACE, NULL, 1, EXOTIC)?;
    set_shape(cx, R_SHAPE_PRESENCE, roots::get(m, R_OBJECT_PROTO), 1, EXOTIC)?;
    for i in 0..8 {
        set_shape(cx, R_SHAPE_ERROR + i, roots::get(m, R_ERROR_PROTO + i), if arrangement.is_moved() { 3 } else { 2 }, 0)?;
    }
    literal_shapes(cx, m)
}

/// Prototypes that are ordinary objects or wrappers; `op` is %Object.prototype%.
fn plain_prototypes(cx: &mut Cx, m: Mem, op: Value, arrangement: Arrangement) -> Res<()> {
    let plain = [
        R_SYMBOL_PROTO,
        R_BIGINT_PROTO,
        R_ERROR_PROTO,
        R_MAP_PROTO,
        R_SET_PROTO,
        R_WEAKMAP_PROTO,
        R_WEAKSET_PROTO,
        R_PROMISE_PROTO,
        R_ITERATOR_PROTO,
        R_ASYNC_ITERATOR_PROTO,
        R_COMPARTMENT_PROTO,
    ];
    for r in arrangement.order(&plain) {
        let o = object::new(cx, m)?;
        roots::set(cx, m, *r, o);
    }
    // these are themselves wrappers
    for (r, v) in [(R_STRING_PROTO, string::empty(m)), (R_NUMBER_PROTO, int(0)), (R_BOOLEAN_PROTO, FALSE)] {
        let s = shape::root(cx, m, op, 1, EXOTIC)?;
        let o = object::exotic(cx, m, WRAPPER, s, &[v])?;
        roots::set(cx, m, r, o);
    }
    for i in 1..8 {
        let o = object::create(cx, m, roots::get(m, R_ERROR_PROTO))?;
        roots::set(cx, m, R_ERROR_PROTO + i, o);
    }
    Ok(())
}

fn literal_shapes(cx: &mut Cx, m: Mem) -> Res<()> {
    let kit = ["promise", "resolve", "reject"];
    let desc = ["value", "writable", "enumerable", "configurable"];
    for (root, keys) in [(R_SHAPE_ITER_RESULT, &["value", "done"][..]), (R_SHAPE_DESC, &desc[..]), (R_SHAPE_KIT, &kit[..])] {
        let keys = keys.iter().map(|k| string::intern_str(cx, m, k)).collect::<Res<Vec<_>>>()?;
        let s = literal_shape(cx, m, &keys)?;
        roots::set(cx, m, root, CELL | s as u64);
    }
    Ok(())
}

/// The shape of an object literal with these keys: inline slots for exactly as many.
pub fn literal_shape(cx: &mut Cx, m: Mem, keys: &[Value]) -> Res<u32> {
    let proto = roots::get(m, R_OBJECT_PROTO);
    let mut s = literal_root(cx, m, proto, keys.len().max(1) as u8)?;
    for k in keys {
        s = match shape::add(cx, m, s, *k, shape::WEC)? {
            Some(s) => s,
            None => return Err(cx.stop(crate::cx::Abort::Corrupt)),
        };
    }
    Ok(s)
}

/// Empty shapes of ordinary objects by number of inline slots: one each, kept from `R_FREE` on.
pub fn literal_root(cx: &mut Cx, m: Mem, proto: Value, cap: u8) -> Res<u32> {
    if cap == 4 {
        return Ok(roots::get(m, R_SHAPE_OBJECT) as u32);
    }
    let r = R_LITERAL_ROOT + cap as u16;
    let have = roots::get(m, r);
    if is_cell(have) {
        return Ok(have as u32);
    }
    let s = shape::root(cx, m, proto, cap, 0)?;
    roots::set(cx, m, r, CELL | s as u64);
    Ok(s)
}
const R_LITERAL_ROOT: u16 = 330;

/// Makes what the global objects of programs begin as: what the start compartment has, less the authority to print. `globalThis`
/// comes first.
pub fn remember_program_global(cx: &mut Cx, m: Mem) -> Res<()> {
    let from = roots::get(m, R_GLOBAL);
    let like = object::new(cx, m)?;
    let first = string::intern_str(cx, m, "globalThis")?;
    let keys = object::own_keys(cx, m, from)?;
    for key in std::iter::once(first).chain(keys.into_iter().filter(|k| *k != first)) {
        let text = object::key_text(cx, m, key)?;
        if text == "console" || text == "print" {
            continue;
        }
        if let Some(object::Prop::Data { value, attrs }) = object::get_own(cx, m, from, key)? {
            let v = if value == from { UNDEF } else { value };
            object::add_property(cx, m, like, key, attrs, v)?;
        }
    }
    roots::set(cx, m, R_PROGRAM_GLOBAL, like);
    Ok(())
}

/// A global object for a program: a copy of the one that the base holds.
pub fn program_global(cx: &mut Cx, m: Mem) -> Res {
    let global = object::twin(cx, m, roots::get(m, R_PROGRAM_GLOBAL))?;
    let at = object::slot_addr(m, global, shape::of(m, global), 0);
    cx.heap.write(m, at, global);
    Ok(global)
}

/// Makes anew, next to each other, what vats change when they start: of what a vat changes it has a page of its own.
pub fn settle(cx: &mut Cx, m: Mem) -> Res<()> {
    let names = shape::with_proto(cx, m, roots::get(m, R_SHAPE_NAMESPACE) as u32, NULL)?;
    roots::set(cx, m, R_SHAPE_NAMESPACE, CELL | names as u64);
    let literals = (0..=8).map(|cap| R_LITERAL_ROOT + cap);
    for r in literals.chain([R_SHAPE_OBJECT, R_SHAPE_NULL_PROTO]) {
        let s = roots::get(m, r);
        if is_cell(s) {
            shape::renew_transitions(cx, m, s as u32)?;
        }
    }
    let units = array::values(cx, m, roots::get(m, R_UNITS))?;
    let n = units.len() as u32;
    let list = array::with_capacity(cx, m, n + SPARE_UNITS)?;
    for u in units {
        array::push(cx, m, list, u)?;
    }
    roots::set(cx, m, R_UNITS, list);
    string::rebuild_interned(cx, m)
}

/// Units for which a vat's list has room from the start.
const SPARE_UNITS: u32 = 6;
