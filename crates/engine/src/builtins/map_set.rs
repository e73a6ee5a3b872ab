//! Map and Set: ECMA-262 24.1 and 24.2, with the set methods of 2025, and their iterators.
//!
//! In and out: natives. Those that take a callback are reentrant: one native frame for the whole loop.
use super::iterate;
use super::{Native, ctor, f};
use crate::cx::{Args, Cx, Res, Value};
use crate::kinds::*;
use crate::object;
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::{array, function, interp, shape, string, table};
use cage::Mem;
use cage::layout::header;
use cage::value::*;

const MAP_CTOR: u16 = 0x2C0;
const MAP_SET: u16 = 0x2C3;
const SET_CTOR: u16 = 0x2D0;
const SET_ADD: u16 = 0x2D2;
const GROUP_BY: u16 = 0x2CC;

pub const TABLE: &[Native] = &[
    ctor(MAP_CTOR, "Map", 0, |cx, m, a| construct(cx, m, a, MAP)),
    f(0x2C1, "get", 1, map_get),
    f(0x2C2, "has", 1, |cx, m, a| has(cx, m, a, MAP)),
    f(MAP_SET, "set", 2, map_set),
    f(0x2C4, "delete", 1, |cx, m, a| delete(cx, m, a, MAP)),
    f(0x2C5, "clear", 0, |cx, m, a| clear(cx, m, a, MAP)),
    f(0x2C6, "get size", 0, |cx, m, a| size(cx, m, a, MAP)),
    f(0x2C7, "forEach", 1, |cx, m, a| for_each(cx, m, a, MAP)),
    f(0x2C8, "entries", 0, |cx, m, a| iterator(cx, m, a, MAP, ENTRIES)),
    f(0x2C9, "keys", 0, |cx, m, a| iterator(cx, m, a, MAP, KEYS)),
    f(0x2CA, "values", 0, |cx, m, a| iterator(cx, m, a, MAP, VALUES)),
    f(0x2CB, "get [Symbol.species]", 0, species),
    f(GROUP_BY, "groupBy", 2, group_by),
    f(0x2CD, "next", 0, |cx, m, a| next(cx, m, a, 1)),
    ctor(SET_CTOR, "Set", 0, |cx, m, a| construct(cx, m, a, SET)),
    f(0x2D1, "has", 1, |cx, m, a| has(cx, m, a, SET)),
    f(SET_ADD, "add", 1, set_add),
    f(0x2D3, "delete", 1, |cx, m, a| delete(cx, m, a, SET)),
    f(0x2D4, "clear", 0, |cx, m, a| clear(cx, m, a, SET)),
    f(0x2D5, "get size", 0, |cx, m, a| size(cx, m, a, SET)),
    f(0x2D6, "forEach", 1, |cx, m, a| for_each(cx, m, a, SET)),
    f(0x2D7, "entries", 0, |cx, m, a| iterator(cx, m, a, SET, ENTRIES)),
    f(0x2D8, "values", 0, |cx, m, a| iterator(cx, m, a, SET, VALUES)),
    f(0x2D9, "next", 0, |cx, m, a| next(cx, m, a, 2)),
];

/// What an iterator yields (word 4 of ITER).
pub const VALUES: i32 = 0;
pub const KEYS: i32 = 1;
pub const ENTRIES: i32 = 2;

pub fn species(_cx: &mut Cx, m: Mem, a: Args) -> Res {
    Ok(a.this(m))
}

/// NONEXT where instances of collections and promises are born non-extensible.
pub fn birth_flags(m: Mem) -> u8 {
    if roots::get(m, R_UNLOCKED) == TRUE { 0 } else { NONEXT }
}

/// An empty collection of a shape.
pub fn new_of_shape(cx: &mut Cx, m: Mem, kind: u8, s: u32) -> Res {
    let at = cx.alloc(m, 24)?;
    m.w64(at, 0, header(kind, birth_flags(m), 0, s));
    m.w64(at, 8, UNDEF);
    m.w64(at, 16, UNDEF);
    Ok(OBJ | at as u64)
}

/// An empty Map, Set, WeakMap or WeakSet.
pub fn new(cx: &mut Cx, m: Mem, kind: u8) -> Res {
    let s = roots::get(m, R_SHAPE_MAP + (kind - MAP) as u16) as u32;
    new_of_shape(cx, m, kind, s)
}

pub fn name_of(kind: u8) -> &'static str {
    ["Map", "Set", "WeakMap", "WeakSet"][(kind - MAP) as usize & 3]
}

/// RequireInternalSlot
pub fn this_of(cx: &mut Cx, m: Mem, a: Args, kind: u8) -> Res {
    let o = a.this(m);
    if is_obj(o) && object::kind(m, o) == kind {
        return Ok(o);
    }
    Err(cx.type_error(m, &format!("Method called on a value that is no {}", name_of(kind))))
}

/// The constructor of one of the four.
pub fn construct(cx: &mut Cx, m: Mem, a: Args, kind: u8) -> Res {
    if !a.is_construct() {
        return Err(cx.type_error(m, &format!("Constructor {} requires 'new'", name_of(kind))));
    }
    let i = (kind - MAP) as u16;
    let s = function::shape_from(cx, m, a.new_target, R_SHAPE_MAP + i, R_MAP_PROTO + i)?;
    let c = new_of_shape(cx, m, kind, s)?;
    let from = a.get(m, 0);
    if !is_nullish(from) {
        fill(cx, m, c, kind, from)?;
    }
    Ok(c)
}

/// AddEntriesFromIterable, or its like for sets.
pub fn fill(cx: &mut Cx, m: Mem, c: Value, kind: u8, from: Value) -> Res<()> {
    let pairs = kind == MAP || kind == WEAKMAP;
    let name = string::intern_str(cx, m, if pairs { "set" } else { "add" })?;
    let adder = object::get(cx, m, c, name)?;
    if !object::is_callable(m, adder) {
        return Err(cx.type_error(m, "adder is not a function"));
    }
    let own = [MAP_SET, SET_ADD, super::weak::WEAKMAP_SET, super::weak::WEAKSET_ADD][(kind - MAP) as usize & 3];
    let direct = object::kind(m, adder) == NATIVE && function::native_number(m, adder) == own;
    let mut it = iterate::open(cx, m, from)?;
    while let Some(v) = it.step(cx, m)? {
        let r = add_one(cx, m, c, kind, v, if direct { UNDEF } else { adder });
        if let Err(why) = r {
            return Err(it.close(cx, m, why));
        }
    }
    Ok(())
}

fn add_one(cx: &mut Cx, m: Mem, c: Value, kind: u8, v: Value, adder: Value) -> Res<()> {
    cx.charge(2)?;
    if kind == SET || kind == WEAKSET {
        if adder != UNDEF {
            interp::call(cx, m, adder, c, &[v])?;
            return Ok(());
        }
        return if kind == SET { table::set(cx, m, c, v, v) } else { super::weak::set(cx, m, c, v, TRUE) };
    }
    if !is_obj(v) {
        return Err(cx.type_error(m, "Iterator value is not an entry object"));
    }
    let k = object::get(cx, m, v, int(0))?;
    let x = object::get(cx, m, v, int(1))?;
    if adder != UNDEF {
        interp::call(cx, m, adder, c, &[k, x])?;
        return Ok(());
    }
    if kind == MAP { table::set(cx, m, c, k, x) } else { super::weak::set(cx, m, c, k, x) }
}

fn map_get(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = this_of(cx, m, a, MAP)?;
    Ok(table::get(cx, m, o, a.get(m, 0))?.unwrap_or(UNDEF))
}
fn has(cx: &mut Cx, m: Mem, a: Args, kind: u8) -> Res {
    let o = this_of(cx, m, a, kind)?;
    Ok(bool(table::has(cx, m, o, a.get(m, 0))?))
}
fn map_set(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = this_of(cx, m, a, MAP)?;
    table::set(cx, m, o, a.get(m, 0), a.get(m, 1))?;
    Ok(o)
}
fn set_add(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = this_of(cx, m, a, SET)?;
    table::set(cx, m, o, a.get(m, 0), UNDEF)?;
    Ok(o)
}
fn delete(cx: &mut Cx, m: Mem, a: Args, kind: u8) -> Res {
    let o = this_of(cx, m, a, kind)?;
    Ok(bool(table::delete(cx, m, o, a.get(m, 0))?))
}
fn clear(cx: &mut Cx, m: Mem, a: Args, kind: u8) -> Res {
    let o = this_of(cx, m, a, kind)?;
    table::clear(cx, m, o)?;
    Ok(UNDEF)
}
fn size(cx: &mut Cx, m: Mem, a: Args, kind: u8) -> Res {
    let o = this_of(cx, m, a, kind)?;
    Ok(int(table::size(m, o) as i32))
}

fn for_each(cx: &mut Cx, m: Mem, a: Args, kind: u8) -> Res {
    let o = this_of(cx, m, a, kind)?;
    let (f, this) = (a.get(m, 0), a.get(m, 1));
    if !object::is_callable(m, f) {
        return Err(cx.type_error(m, "callback is not a function"));
    }
    let mut c = table::cursor(cx, m, o)?;
    while let Some((k, v)) = table::next(cx, m, &mut c)? {
        interp::call(cx, m, f, this, &[v, k, o])?;
    }
    Ok(UNDEF)
}

fn iterator(cx: &mut Cx, m: Mem, a: Args, kind: u8, what: i32) -> Res {
    let o = this_of(cx, m, a, kind)?;
    make_iterator(cx, m, o, what)
}

/// A Map or Set iterator. Its target word is the table it was last seen in, undefined once exhausted.
pub fn make_iterator(cx: &mut Cx, m: Mem, o: Value, what: i32) -> Res {
    let c = table::cursor(cx, m, o)?;
    let s = roots::get(m, R_SHAPE_ITER + 1 + (object::kind(m, o) == SET) as u16) as u32;
    object::exotic(cx, m, ITER, s, &[c.table, int(0), int(what)])
}

/// Steps a Map or Set iterator: what it yields, `None` when exhausted.
pub fn step(cx: &mut Cx, m: Mem, iter: Value) -> Res<Option<Value>> {
    let at = iter as u32;
    let table = m.r64(at, 16);
    if !is_cell(table) {
        return Ok(None);
    }
    let mut c = table::Cursor { table, pos: m.r32(at, 24) };
    let e = table::next(cx, m, &mut c)?;
    let (k, v) = match e {
        Some(e) => e,
        None => {
            cx.heap.write(m, at.wrapping_add(16), UNDEF);
            return Ok(None);
        }
    };
    if c.table != table {
        cx.heap.write(m, at.wrapping_add(16), c.table);
    }
    cx.heap.write(m, at.wrapping_add(24), int(c.pos as i32));
    Ok(Some(match as_int(m.r64(at, 32)) {
        VALUES => v,
        KEYS => k,
        _ => array::from_slice(cx, m, &[k, v])?,
    }))
}

/// A { value, done } object.
pub fn iter_result(cx: &mut Cx, m: Mem, value: Value, done: bool) -> Res {
    let o = object::from_shape(cx, m, roots::get(m, R_SHAPE_ITER_RESULT) as u32)?;
    m.w64(o as u32, 8, value);
    m.w64(o as u32, 16, cage::value::bool(done));
    Ok(o)
}

fn next(cx: &mut Cx, m: Mem, a: Args, which: u16) -> Res {
    let it = a.this(m);
    let root = roots::get(m, R_SHAPE_ITER + which) as u32;
    let mine = is_obj(it) && object::kind(m, it) == ITER && {
        let s = shape::of(m, it);
        s == root || is_table_iter(m, it, which)
    };
    if !mine {
        return Err(cx.type_error(m, "next called on a value that is no such iterator"));
    }
    match step(cx, m, it)? {
        Some(v) => iter_result(cx, m, v, false),
        None => iter_result(cx, m, UNDEF, true),
    }
}

/// An iterator whose shape a program changed is known by the width of its table's entries.
fn is_table_iter(m: Mem, it: Value, which: u16) -> bool {
    let t = m.r64(it as u32, 16);
    is_cell(t) && m.r8(t as u32, 0) == TABLE_KIND && m.r16(t as u32, 2) == if which == 1 { 3 } else { 2 }
}
const TABLE_KIND: u8 = crate::kinds::TABLE;

/// Map.groupBy
fn group_by(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (items, f) = (a.get(m, 0), a.get(m, 1));
    if is_nullish(items) {
        return Err(cx.type_error(m, "Map.groupBy called on null or undefined"));
    }
    if !object::is_callable(m, f) {
        return Err(cx.type_error(m, "callback is not a function"));
    }
    let map = new(cx, m, MAP)?;
    let mut it = iterate::open(cx, m, items)?;
    let mut i = 0;
    while let Some(v) = it.step(cx, m)? {
        let key = match interp::call(cx, m, f, UNDEF, &[v, int(i)]) {
            Ok(k) => k,
            Err(why) => return Err(it.close(cx, m, why)),
        };
        i += 1;
        match table::get(cx, m, map, key)? {
            Some(list) => array::push(cx, m, list, v)?,
            None => {
                let list = array::from_slice(cx, m, &[v])?;
                table::set(cx, m, map, key, list)?;
            }
        }
    }
    Ok(map)
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let map = roots::get(m, R_MAP_PROTO);
    let c = r.class(cx, m, MAP_CTOR, map)?;
    r.method(cx, m, c, GROUP_BY)?;
    let species = roots::get(m, R_SYM_SPECIES);
    r.getter(cx, m, c, species, 0x2CB)?;
    r.methods(cx, m, map, &[0x2C1, 0x2C2, MAP_SET, 0x2C4, 0x2C5, 0x2C7, 0x2C9, 0x2CA])?;
    let entries = r.method(cx, m, map, 0x2C8)?;
    let it = roots::get(m, R_SYM_ITERATOR);
    r.link_value(cx, m, map, it, entries)?;
    roots::set(cx, m, R_MAP_ENTRIES, entries);
    let key = string::intern_str(cx, m, "size")?;
    r.getter(cx, m, map, key, 0x2C6)?;
    r.tag(cx, m, map, "Map")?;

    let set = roots::get(m, R_SET_PROTO);
    let c = r.class(cx, m, SET_CTOR, set)?;
    r.getter(cx, m, c, species, 0x2CB)?;
    r.methods(cx, m, set, &[0x2D1, SET_ADD, 0x2D3, 0x2D4, 0x2D6, 0x2D7])?;
    let values = r.method(cx, m, set, 0x2D8)?;
    r.link_value(cx, m, set, it, values)?;
    let keys = string::intern_str(cx, m, "keys")?;
    r.link_value(cx, m, set, keys, values)?;
    roots::set(cx, m, R_SET_VALUES, values);
    r.getter(cx, m, set, key, 0x2D5)?;
    r.tag(cx, m, set, "Set")?;

    for (i, number, tag) in [(1, 0x2CD, "Map Iterator"), (2, 0x2D9, "Set Iterator")] {
        let proto = roots::get(m, R_ITER_PROTO + i);
        let next = r.method(cx, m, proto, number)?;
        roots::set(cx, m, R_ITER_NEXT + i, next);
        r.tag(cx, m, proto, tag)?;
    }
    Ok(())
}
