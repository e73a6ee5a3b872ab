//! The methods of Array.prototype that leave the array as it is (ECMA-262 23.1.3): searching, copying, joining, iterating.
//!
//! In: arrays and array-likes. Out: new arrays, strings, iterators.
//!
//! Invariants
//! - as in `array`: the short way for plain arrays alone, else the standard's steps;
//! - `join` and `flat` walk nested arrays with a stack of their own; an array that is being joined joins as nothing.
use super::array::*;
use super::text::Builder;
use super::{Native, f, iterator};
use crate::array;
use crate::aside::Aside;
use crate::convert::{relative_index, same_value_zero, strict_equals, to_integer, to_object, to_string, truthy};
use crate::cx::{Abort, Args, Cx, Res, Value};
use crate::function;
use crate::kinds::*;
use crate::met::Met;
use crate::object::{self, Desc, Prop};
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::shape::{C, WC};
use crate::string;
use cage::Mem;
use cage::value::*;

const AT: u16 = 0x0D0;
const CONCAT: u16 = 0x0D1;
const ENTRIES: u16 = 0x0D2;
const FLAT: u16 = 0x0D3;
const INCLUDES: u16 = 0x0D4;
const INDEX_OF: u16 = 0x0D5;
const JOIN: u16 = 0x0D6;
const KEYS: u16 = 0x0D7;
const LAST_INDEX_OF: u16 = 0x0D8;
const SLICE: u16 = 0x0D9;
const TO_LOCALE_STRING: u16 = 0x0DA;
const TO_REVERSED: u16 = 0x0DB;
const TO_SPLICED: u16 = 0x0DC;
const TO_STRING: u16 = 0x0DD;
const VALUES: u16 = 0x0DE;
const WITH: u16 = 0x0DF;

pub const TABLE: &[Native] = &[
    f(AT, "at", 1, at),
    f(CONCAT, "concat", 1, concat),
    f(ENTRIES, "entries", 0, |cx, m, a| iterate(cx, m, a, iterator::ENTRIES)),
    f(FLAT, "flat", 0, flat),
    f(INCLUDES, "includes", 1, includes),
    f(INDEX_OF, "indexOf", 1, index_of),
    f(JOIN, "join", 1, join),
    f(KEYS, "keys", 0, |cx, m, a| iterate(cx, m, a, iterator::KEYS)),
    f(LAST_INDEX_OF, "lastIndexOf", 1, last_index_of),
    f(SLICE, "slice", 2, slice),
    f(TO_LOCALE_STRING, "toLocaleString", 0, to_locale_string),
    f(TO_REVERSED, "toReversed", 0, to_reversed),
    f(TO_SPLICED, "toSpliced", 2, to_spliced),
    f(TO_STRING, "toString", 0, array_to_string),
    f(VALUES, "values", 0, |cx, m, a| iterate(cx, m, a, iterator::VALUES)),
    f(WITH, "with", 2, with),
];

/// Arrays that `flat` and `join` may be inside of at once.
const MAX_NESTING: usize = 1 << 20;

fn iterate(cx: &mut Cx, m: Mem, a: Args, yields: i32) -> Res {
    let o = to_object(cx, m, a.this(m))?;
    iterator::make(cx, m, iterator::OF_ARRAY, o, yields)
}

/// Array.prototype.at
fn at(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = to_object(cx, m, a.this(m))?;
    let len = length_of(cx, m, o)?;
    let r = to_integer(cx, m, a.get(m, 0))?;
    let k = if r < 0.0 { len + r } else { r };
    if k < 0.0 || k >= len { Ok(UNDEF) } else { get_at(cx, m, o, k) }
}

// ---- copying ----

/// IsConcatSpreadable
fn is_spreadable(cx: &mut Cx, m: Mem, e: Value) -> Res<bool> {
    if !is_obj(e) {
        return Ok(false);
    }
    let v = object::get(cx, m, e, roots::get(m, R_SYM_IS_CONCAT_SPREADABLE))?;
    Ok(if v == UNDEF { array::is_array(m, e) } else { truthy(m, v) })
}

/// Array.prototype.concat
fn concat(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = to_object(cx, m, a.this(m))?;
    let made = species_create(cx, m, o, 0.0)?;
    let mut n = 0.0;
    for i in 0..=a.argc {
        let e = if i == 0 { o } else { a.get(m, i - 1) };
        if !is_spreadable(cx, m, e)? {
            if n >= MAX_SAFE {
                return Err(cx.type_error(m, "Array length would pass 2^53 - 1"));
            }
            create_at(cx, m, made, n, e)?;
            n += 1.0;
            continue;
        }
        let len = length_of(cx, m, e)?;
        if n + len > MAX_SAFE {
            return Err(cx.type_error(m, "Array length would pass 2^53 - 1"));
        }
        let fast = plain_len(m, e).zip(plain_len(m, made)).filter(|(_, have)| e != made && *have as f64 == n);
        if let Some((k, have)) = fast.filter(|(k, have)| k.saturating_add(*have) < array::MAX_DENSE) {
            if k + have > array::capacity(m, made) {
                array::resize(cx, m, made, k + have, false)?;
            }
            move_elems(cx, m, array::elems(m, e), 0, array::elems(m, made), have, k)?;
            array::set_length_plain(cx, m, made, k + have);
        } else {
            let mut k = 0.0;
            while k < len {
                if has_at(cx, m, e, k)? {
                    let v = get_at(cx, m, e, k)?;
                    create_at(cx, m, made, n + k, v)?;
                }
                k += 1.0;
            }
        }
        n += len;
    }
    put_length(cx, m, made, n)?;
    Ok(made)
}

/// Array.prototype.slice
fn slice(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = to_object(cx, m, a.this(m))?;
    let len = length_of(cx, m, o)?;
    let mut k = relative_index(cx, m, a.get(m, 0), len, 0.0)?;
    let end = relative_index(cx, m, a.get(m, 1), len, len)?;
    let count = (end - k).max(0.0);
    if plain_len(m, o).is_some_and(|n| n as f64 >= end) && standard_species(m, o) {
        return from_elems(cx, m, array::elems(m, o), k as u32, count as u32);
    }
    let made = species_create(cx, m, o, count)?;
    let mut n = 0.0;
    while k < end {
        if has_at(cx, m, o, k)? {
            let v = get_at(cx, m, o, k)?;
            create_at(cx, m, made, n, v)?;
        }
        k += 1.0;
        n += 1.0;
    }
    put_length(cx, m, made, n)?;
    Ok(made)
}

/// Array.prototype.flat
fn flat(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = to_object(cx, m, a.this(m))?;
    let len = length_of(cx, m, o)?;
    let depth = if a.get(m, 0) == UNDEF { 1.0 } else { to_integer(cx, m, a.get(m, 0))?.max(0.0) };
    let made = species_create(cx, m, o, 0.0)?;
    flatten(cx, m, made, (o, len), depth)
}

/// FlattenIntoArray, without a mapper, with a stack of (source, next index, length).
fn flatten(cx: &mut Cx, m: Mem, made: Value, (o, len): (Value, f64), depth: f64) -> Res {
    let mut target = 0.0;
    let mut stack = Aside::from(vec![(o, 0.0, len)]);
    while let Some(top) = stack.last_mut() {
        let (source, k, len) = *top;
        if k >= len {
            stack.pop();
            continue;
        }
        top.1 += 1.0;
        cx.charge(1)?;
        let mut v = if plain_len(m, source).is_some() { array::element(m, source, k as u32) } else { HOLE };
        if v == HOLE {
            if !has_at(cx, m, source, k)? {
                continue;
            }
            v = get_at(cx, m, source, k)?;
        }
        if (stack.len() as f64) <= depth && array::is_array(m, v) {
            if stack.len() >= MAX_NESTING {
                return Err(cx.stop(Abort::Depth));
            }
            let n = length_of(cx, m, v)?;
            stack.push((v, 0.0, n));
            continue;
        }
        if target >= MAX_SAFE {
            return Err(cx.type_error(m, "Array length would pass 2^53 - 1"));
        }
        create_at(cx, m, made, target, v)?;
        target += 1.0;
    }
    Ok(made)
}

/// ArrayCreate(len), for methods that copy: its elements are pushed.
fn list_create(cx: &mut Cx, m: Mem, len: f64) -> Res {
    if len > u32::MAX as f64 {
        return Err(cx.range_error(m, "Invalid array length"));
    }
    array::with_capacity(cx, m, len.min(65536.0) as u32)
}

/// Array.prototype.toReversed
fn to_reversed(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = to_object(cx, m, a.this(m))?;
    let len = length_of(cx, m, o)?;
    let made = list_create(cx, m, len)?;
    let mut k = len;
    while k > 0.0 {
        k -= 1.0;
        let v = get_at(cx, m, o, k)?;
        array::push(cx, m, made, v)?;
    }
    Ok(made)
}

/// Array.prototype.toSpliced
fn to_spliced(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = to_object(cx, m, a.this(m))?;
    let len = length_of(cx, m, o)?;
    let start = relative_index(cx, m, a.get(m, 0), len, 0.0)?;
    let items = a.argc.saturating_sub(2);
    let skip = match a.argc {
        0 => 0.0,
        1 => len - start,
        _ => to_integer(cx, m, a.get(m, 1))?.clamp(0.0, len - start),
    };
    let new = len + items as f64 - skip;
    if new > MAX_SAFE {
        return Err(cx.type_error(m, "Array length would pass 2^53 - 1"));
    }
    let made = list_create(cx, m, new)?;
    let mut k = 0.0;
    while k < start {
        let v = get_at(cx, m, o, k)?;
        array::push(cx, m, made, v)?;
        k += 1.0;
    }
    for i in 0..items {
        array::push(cx, m, made, a.get(m, i + 2))?;
    }
    k = start + skip;
    while k < len {
        let v = get_at(cx, m, o, k)?;
        array::push(cx, m, made, v)?;
        k += 1.0;
    }
    Ok(made)
}

/// Array.prototype.with
fn with(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = to_object(cx, m, a.this(m))?;
    let len = length_of(cx, m, o)?;
    let r = to_integer(cx, m, a.get(m, 0))?;
    let index = if r < 0.0 { len + r } else { r };
    if index < 0.0 || index >= len {
        return Err(cx.range_error(m, "Index out of range"));
    }
    let made = list_create(cx, m, len)?;
    let mut k = 0.0;
    while k < len {
        let v = if k == index { a.get(m, 1) } else { get_at(cx, m, o, k)? };
        array::push(cx, m, made, v)?;
        k += 1.0;
    }
    Ok(made)
}

// ---- searching ----

/// Whether two values may be compared by their bits alone.
fn by_bits(v: Value) -> bool {
    is_obj(v) || is_sym(v) || is_bool(v) || is_nullish(v)
}

/// Array.prototype.includes
fn includes(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = to_object(cx, m, a.this(m))?;
    let len = length_of(cx, m, o)?;
    if len == 0.0 {
        return Ok(FALSE);
    }
    let want = a.get(m, 0);
    let n = to_integer(cx, m, a.get(m, 1))?;
    let mut k = if n >= 0.0 { n } else { (len + n).max(0.0) };
    while k < len {
        let v = if plain_len(m, o).is_some_and(|n| k < n as f64) { array::element(m, o, k as u32) } else { HOLE };
        let v = if v == HOLE { get_at(cx, m, o, k)? } else { v };
        cx.charge(1)?;
        if v == want || (!by_bits(want) && same_value_zero(cx, m, v, want)?) {
            return Ok(TRUE);
        }
        k += 1.0;
    }
    Ok(FALSE)
}

/// Element `k` if there is one.
fn present(cx: &mut Cx, m: Mem, o: Value, k: f64) -> Res<Option<Value>> {
    cx.charge(1)?;
    if let Some(n) = plain_len(m, o) {
        let v = if k < n as f64 { array::element(m, o, k as u32) } else { HOLE };
        return Ok(Some(v).filter(|v| *v != HOLE));
    }
    if has_at(cx, m, o, k)? { Ok(Some(get_at(cx, m, o, k)?)) } else { Ok(None) }
}

fn same(cx: &mut Cx, m: Mem, v: Value, want: Value) -> Res<bool> {
    if by_bits(want) { Ok(v == want) } else { strict_equals(cx, m, v, want) }
}

/// Array.prototype.indexOf
fn index_of(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = to_object(cx, m, a.this(m))?;
    let len = length_of(cx, m, o)?;
    if len == 0.0 {
        return Ok(int(-1));
    }
    let want = a.get(m, 0);
    let n = to_integer(cx, m, a.get(m, 1))?;
    let mut k = if n >= 0.0 { n } else { (len + n).max(0.0) };
    while k < len {
        if let Some(v) = present(cx, m, o, k)?
            && same(cx, m, v, want)?
        {
            return Ok(from_num(k));
        }
        k += 1.0;
    }
    Ok(int(-1))
}

/// Array.prototype.lastIndexOf
fn last_index_of(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = to_object(cx, m, a.this(m))?;
    let len = length_of(cx, m, o)?;
    if len == 0.0 {
        return Ok(int(-1));
    }
    let want = a.get(m, 0);
    let n = if a.argc > 1 { to_integer(cx, m, a.get(m, 1))? } else { len - 1.0 };
    let mut k = if n >= 0.0 { n.min(len - 1.0) } else { len + n };
    while k >= 0.0 {
        if let Some(v) = present(cx, m, o, k)?
            && same(cx, m, v, want)?
        {
            return Ok(from_num(k));
        }
        k -= 1.0;
    }
    Ok(int(-1))
}

// ---- text ----

/// Does ToString(v) do nothing but join an array with commas? (Nobody changed how it does that.)
fn joins_plainly(m: Mem, v: Value) -> bool {
    if plain_len(m, v).is_none() || object::own_named(m, v, roots::get(m, R_STR_TO_STRING)).is_some() {
        return false;
    }
    let p = roots::get(m, R_ARRAY_PROTO);
    // the own look-ups of the array itself: `join` and @@toPrimitive stand nowhere before Array.prototype
    let number = |key: Value| match object::own_named(m, p, key) {
        Some(Prop::Data { value, .. }) if is_obj(value) && object::kind(m, value) == NATIVE => {
            Some(function::native_number(m, value))
        }
        _ => None,
    };
    crate::shape::of(m, v) == roots::get(m, R_SHAPE_ARRAY) as u32 && number(roots::get(m, R_STR_TO_STRING)) == Some(TO_STRING)
}

/// `Array.prototype.join` is the builtin and no @@toPrimitive is inherited.
fn join_is_builtin(cx: &mut Cx, m: Mem) -> Res<bool> {
    let p = roots::get(m, R_ARRAY_PROTO);
    let key = string::intern_str(cx, m, "join")?;
    let join = object::own_named(m, p, key);
    let builtin = matches!(join, Some(Prop::Data { value, .. }) if is_obj(value)
        && object::kind(m, value) == NATIVE && function::native_number(m, value) == JOIN);
    Ok(builtin && !object::has(cx, m, p, roots::get(m, R_SYM_TO_PRIMITIVE))?)
}

#[derive(Clone, Copy)]
struct Joining {
    array: Value,
    next: f64,
    len: f64,
}

/// Array.prototype.join
fn join(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = to_object(cx, m, a.this(m))?;
    let len = length_of(cx, m, o)?;
    let comma = string::of_unit8(m, b',');
    let sep = if a.get(m, 0) == UNDEF { comma } else { to_string(cx, m, a.get(m, 0))? };
    let sep = string::flat(cx, m, sep)?;
    let mut out = Builder::new();
    let mut stack = Aside::from(vec![Joining { array: o, next: 0.0, len }]);
    let mut open = Met::new();
    open.set(cx, o, 0)?;
    let nested = join_is_builtin(cx, m)?;
    while let Some(top) = stack.last_mut() {
        let (array, k) = (top.array, top.next);
        if k >= top.len {
            stack.pop();
            open.remove(array);
            continue;
        }
        top.next += 1.0;
        if k > 0.0 {
            let sep = if stack.len() == 1 { sep } else { comma };
            out.string(cx, m, sep)?;
        }
        cx.charge(1)?;
        let v = if plain_len(m, array).is_some() { array::element(m, array, k as u32) } else { HOLE };
        let v = if v == HOLE { get_at(cx, m, array, k)? } else { v };
        if is_nullish(v) || open.get(v).is_some() {
            continue;
        }
        if nested && joins_plainly(m, v) {
            if stack.len() >= MAX_NESTING {
                return Err(cx.stop(Abort::Depth));
            }
            open.set(cx, v, 0)?;
            stack.push(Joining { array: v, next: 0.0, len: array::length(m, v) });
            continue;
        }
        append_text(cx, m, &mut out, v)?;
    }
    out.finish(cx, m)
}

fn append_text(cx: &mut Cx, m: Mem, out: &mut Builder, v: Value) -> Res<()> {
    if is_int(v) {
        cx.charge(1)?;
        let mut b = [0; 11];
        out.bytes(decimal(&mut b, as_int(v)));
        return out.check(cx, m);
    }
    let s = to_string(cx, m, v)?;
    out.string(cx, m, s)
}

/// The digits of an int, in a buffer of the caller's.
pub fn decimal(b: &mut [u8; 11], v: i32) -> &[u8] {
    let (mut at, mut rest) = (b.len(), v.unsigned_abs());
    loop {
        at -= 1;
        b[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if v < 0 {
        at -= 1;
        b[at] = b'-';
    }
    &b[at..]
}

/// Array.prototype.toString
fn array_to_string(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = to_object(cx, m, a.this(m))?;
    let f = object::get_str(cx, m, o, "join")?;
    if object::is_callable(m, f) {
        return crate::interp::call(cx, m, f, o, &[]);
    }
    let key = roots::get(m, R_STR_TO_STRING);
    let f = match object::own_named(m, roots::get(m, R_OBJECT_PROTO), key) {
        Some(Prop::Data { value, .. }) => value,
        _ => UNDEF,
    };
    crate::interp::call(cx, m, f, o, &[])
}

/// Array.prototype.toLocaleString: no locale but this one, a comma between.
fn to_locale_string(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let o = to_object(cx, m, a.this(m))?;
    let len = length_of(cx, m, o)?;
    let key = string::intern_str(cx, m, "toLocaleString")?;
    let mut out = Builder::new();
    let mut k = 0.0;
    while k < len {
        if k > 0.0 {
            out.bytes(b",");
        }
        let v = get_at(cx, m, o, k)?;
        if !is_nullish(v) {
            let f = object::get_v(cx, m, v, key)?;
            if !object::is_callable(m, f) {
                return Err(cx.type_error(m, "toLocaleString is not a function"));
            }
            let s = crate::interp::call(cx, m, f, v, &[])?;
            let s = to_string(cx, m, s)?;
            out.string(cx, m, s)?;
        }
        k += 1.0;
    }
    out.finish(cx, m)
}

const UNSCOPABLES: [&str; 16] = [
    "at",
    "copyWithin",
    "entries",
    "fill",
    "find",
    "findIndex",
    "findLast",
    "findLastIndex",
    "flat",
    "flatMap",
    "includes",
    "keys",
    "toReversed",
    "toSorted",
    "toSpliced",
    "values",
];

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let p = roots::get(m, R_ARRAY_PROTO);
    r.methods(cx, m, p, &[AT, CONCAT, ENTRIES, FLAT, INCLUDES, INDEX_OF, JOIN, KEYS, LAST_INDEX_OF, SLICE])?;
    r.methods(cx, m, p, &[TO_LOCALE_STRING, TO_REVERSED, TO_SPLICED, TO_STRING, WITH])?;
    let values = r.method(cx, m, p, VALUES)?;
    roots::set(cx, m, R_ARRAY_VALUES, values);
    object::define_or_throw(cx, m, p, roots::get(m, R_SYM_ITERATOR), Desc::data(values, WC))?;
    let list = r.object(cx, m, NULL)?;
    for name in UNSCOPABLES {
        let key = string::intern_str(cx, m, name)?;
        object::create_data_or_throw(cx, m, list, key, TRUE)?;
    }
    object::define_or_throw(cx, m, p, roots::get(m, R_SYM_UNSCOPABLES), Desc::data(list, C))
}
