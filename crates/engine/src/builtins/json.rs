//! JSON: `stringify`, and the object itself (ECMA-262 25.5); `json_parse` has `parse`.
//!
//! In: values. Out: a string.
//!
//! Invariants
//! - no recursion: what is being written stands on a stack, so depth is limited by the heap alone;
//! - the keys of an object are taken when it is opened, each value when its turn comes, as the standard says; what is
//!   remembered of a shape is used only while the object has that shape.
use super::array_more::decimal;
use super::json_parse::{enumerable_keys, is_plain_record, parse};
use super::text::{self, Builder};
use super::{Native, array as arrays, f};
use crate::aside::Aside;
use crate::cx::{Args, Cx, Res, Value};
use crate::kinds::{RECORD, WRAPPER};
use crate::met::Met;
use crate::object;
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::shape::{self, ACC, E, WC};
use crate::{array, convert, string};
use cage::Mem;
use cage::value::*;
use std::collections::BTreeMap;

const PARSE: u16 = 0x2B0;
const STRINGIFY: u16 = 0x2B1;

pub const TABLE: &[Native] = &[f(PARSE, "parse", 2, parse), f(STRINGIFY, "stringify", 3, stringify)];

/// Units of the longest indentation step.
const MAX_GAP: u32 = 10;
/// Open values that are searched one by one for a cycle; the ones above stand in a set.
const SCANNED: usize = 32;
/// Bytes of a quoted key that is kept as bytes.
const SHORT: u32 = 256;
/// Properties of a shape whose quoted keys are kept.
const MAX_KNOWN: u32 = 256;
/// Properties whose quoted keys are kept.
const MAX_NAMED: usize = 1 << 13;

/// A property of a shape.
struct Named {
    key: Value,
    slot: u32,
    /// Its key as JSON, with the colon.
    text: Quoted,
}

/// Text ready to be written: a few bytes, or a string.
enum Quoted {
    Bytes(Vec<u8>),
    Text(Value),
}

/// What of an open value is still to be written.
#[derive(Clone, Copy)]
enum Rest {
    Array(f64),
    /// The keys of the replacer.
    List,
    /// Some of `Writer::keys`.
    Keys {
        from: usize,
        to: usize,
    },
    /// Some of `Writer::named`, while the object has this shape.
    Shape {
        from: usize,
        to: usize,
        shape: u32,
    },
}

#[derive(Clone, Copy)]
struct Open {
    value: Value,
    rest: Rest,
    next: usize,
    /// Something was written in it.
    any: bool,
}

struct Writer {
    out: Builder,
    replacer: Value,
    list: Option<Aside<Value>>,
    gap: Value,
    colon: &'static [u8],
    stack: Aside<Open>,
    deep: Met,
    /// Keys of what is open.
    keys: Aside<Value>,
    named: Vec<Named>,
    /// Where in `named` the properties of a shape stand.
    shapes: BTreeMap<u32, (usize, usize)>,
    scratch: Vec<u8>,
}

/// JSON.stringify
fn stringify(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let replacer = a.get(m, 1);
    let mut w = Writer {
        out: Builder::new(),
        replacer: if object::is_callable(m, replacer) { replacer } else { UNDEF },
        list: None,
        gap: string::empty(m),
        colon: b":",
        stack: Aside::new(),
        deep: Met::new(),
        keys: Aside::new(),
        named: Vec::new(),
        shapes: BTreeMap::new(),
        scratch: Vec::new(),
    };
    if w.replacer == UNDEF && array::is_array(m, replacer) {
        w.list = Some(property_list(cx, m, replacer)?);
    }
    w.gap = gap(cx, m, a.get(m, 2))?;
    if string::len(m, w.gap) > 0 {
        w.colon = b": ";
    }
    let value = a.get(m, 0);
    let empty = string::empty(m);
    let holder = if w.replacer == UNDEF {
        UNDEF
    } else {
        let o = object::new(cx, m)?;
        object::create_data_or_throw(cx, m, o, empty, value)?;
        o
    };
    let Some(v) = w.prepare(cx, m, holder, empty, value)? else { return Ok(UNDEF) };
    w.write(cx, m, v)?;
    w.run(cx, m)?;
    w.out.finish(cx, m)
}

/// The keys an array of names selects.
fn property_list(cx: &mut Cx, m: Mem, replacer: Value) -> Res<Aside<Value>> {
    let len = array::length(m, replacer);
    let (mut list, mut seen) = (Aside::new(), Met::new());
    let mut k = 0.0;
    while k < len {
        let v = arrays::get_at(cx, m, replacer, k)?;
        let wrapped = if is_obj(v) && object::kind(m, v) == WRAPPER { m.r64(v as u32, 16) } else { v };
        if is_str(wrapped) || is_number(wrapped) {
            let s = convert::to_string(cx, m, v)?;
            let key = object::key_of(cx, m, s)?;
            if seen.set(cx, key, 0)?.is_none() {
                list.push(key);
            }
        }
        k += 1.0;
    }
    Ok(list)
}

/// The text of one step of indentation.
fn gap(cx: &mut Cx, m: Mem, space: Value) -> Res {
    let space = unwrap(cx, m, space)?;
    if is_number(space) {
        let n = convert::to_integer(cx, m, space)?.clamp(0.0, MAX_GAP as f64);
        return string::from_latin1(cx, m, &b"          "[..n as usize]);
    }
    if is_str(space) { string::slice(cx, m, space, 0, MAX_GAP) } else { Ok(string::empty(m)) }
}

/// A wrapper's primitive, converted as JSON does; other values as they are.
fn unwrap(cx: &mut Cx, m: Mem, v: Value) -> Res {
    if !is_obj(v) || object::kind(m, v) != WRAPPER {
        return Ok(v);
    }
    let p = m.r64(v as u32, 16);
    if is_number(p) {
        Ok(from_num(convert::to_number(cx, m, v)?))
    } else if is_str(p) {
        convert::to_string(cx, m, v)
    } else if is_sym(p) {
        Ok(v)
    } else {
        Ok(p)
    }
}

impl Writer {
    /// The first half of SerializeJSONProperty: what to write for `value`, which stands in `holder` under `key`; `None`
    /// for what JSON has no text for.
    fn prepare(&mut self, cx: &mut Cx, m: Mem, holder: Value, key: Value, value: Value) -> Res<Option<Value>> {
        let mut v = value;
        if is_obj(v) || is_big(v) {
            let f = object::get_v(cx, m, v, roots::get(m, R_STR_TO_JSON))?;
            if object::is_callable(m, f) {
                let k = object::key_value(cx, m, key)?;
                v = crate::interp::call(cx, m, f, v, &[k])?;
            }
        }
        if self.replacer != UNDEF {
            let k = object::key_value(cx, m, key)?;
            v = crate::interp::call(cx, m, self.replacer, holder, &[k, v])?;
        }
        v = unwrap(cx, m, v)?;
        Ok(Some(v).filter(|v| *v != UNDEF && !is_sym(*v) && !object::is_callable(m, *v)))
    }

    /// The second half: writes a value, or opens it.
    fn write(&mut self, cx: &mut Cx, m: Mem, v: Value) -> Res<()> {
        if is_int(v) {
            let mut b = [0; 11];
            self.out.bytes(decimal(&mut b, as_int(v)));
        } else if is_str(v) {
            self.quote(cx, m, v)?;
        } else if is_obj(v) {
            self.open(cx, m, v)?;
        } else if is_double(v) {
            let f = f64::from_bits(v);
            if f.is_finite() {
                self.out.bytes(ryu_js::Buffer::new().format_finite(f).as_bytes());
            } else {
                self.out.bytes(b"null");
            }
        } else if is_big(v) {
            return Err(cx.type_error(m, "Do not know how to serialize a BigInt"));
        } else {
            self.out.bytes(match v {
                TRUE => b"true",
                FALSE => b"false",
                _ => b"null",
            });
        }
        Ok(())
    }

    /// SerializeJSONObject and SerializeJSONArray, up to their first member.
    fn open(&mut self, cx: &mut Cx, m: Mem, v: Value) -> Res<()> {
        let low = self.stack.len().min(SCANNED);
        if self.stack[..low].iter().any(|o| o.value == v) || self.deep.get(v).is_some() {
            return Err(cx.type_error(m, "Converting circular structure to JSON"));
        }
        if self.stack.len() >= SCANNED {
            self.deep.set(cx, v, 0)?;
        }
        cx.charge(2)?;
        let rest = if array::is_array(m, v) {
            self.out.bytes(b"[");
            Rest::Array(array::length(m, v))
        } else {
            self.out.bytes(b"{");
            if self.list.is_some() { Rest::List } else { self.keys_of(cx, m, v)? }
        };
        self.stack.push(Open { value: v, rest, next: 0, any: false });
        Ok(())
    }

    fn keys_of(&mut self, cx: &mut Cx, m: Mem, v: Value) -> Res<Rest> {
        // what has many properties is hardly one of many like it
        if is_plain_record(m, v) && shape::count(m, shape::of(m, v)) <= MAX_KNOWN {
            let s = shape::of(m, v);
            if let Some((from, to)) = self.shapes.get(&s) {
                return Ok(Rest::Shape { from: *from, to: *to, shape: s });
            }
            let all = shape::entries(cx, m, s)?;
            let from = self.named.len();
            if from + all.len() <= MAX_NAMED && all.iter().all(|e| !is_int(e.0) && e.2 & ACC == 0) {
                for (key, slot, _) in all.into_iter().filter(|e| is_str(e.0) && e.2 & E != 0) {
                    let text = self.quoted_key(cx, m, key)?;
                    self.named.push(Named { key, slot, text });
                }
                let to = self.named.len();
                self.shapes.insert(s, (from, to));
                return Ok(Rest::Shape { from, to, shape: s });
            }
        }
        let from = self.keys.len();
        for slice in enumerable_keys(cx, m, v)?.chunks(4096) {
            cx.charge(slice.len() as u64 / 8)?;
            slice.iter().for_each(|k| self.keys.push(*k));
        }
        Ok(Rest::Keys { from, to: self.keys.len() })
    }

    fn quoted_key(&mut self, cx: &mut Cx, m: Mem, key: Value) -> Res<Quoted> {
        let mut aside = std::mem::take(&mut self.out);
        let s = object::key_value(cx, m, key)?;
        self.quote(cx, m, s)?;
        self.out.bytes(self.colon);
        std::mem::swap(&mut aside, &mut self.out);
        let text = aside.finish(cx, m)?;
        let n = string::len(m, text);
        if n > SHORT {
            return Ok(Quoted::Text(text));
        }
        let text = string::flat(cx, m, text)?;
        if !string::is_latin1(m, text) {
            return Ok(Quoted::Text(text));
        }
        Ok(Quoted::Bytes(text::bytes(cx, m, text, 0, n)?.to_vec()))
    }

    /// Writes the members of all that is open.
    fn run(&mut self, cx: &mut Cx, m: Mem) -> Res<()> {
        while let Some(top) = self.stack.last_mut() {
            let (holder, i) = (top.value, top.next);
            top.next += 1;
            cx.charge(1)?;
            let key = match top.rest {
                Rest::Array(len) if (i as f64) < len => {
                    let v = if arrays::plain_len(m, holder).is_some() { array::element(m, holder, i as u32) } else { HOLE };
                    let v = if v == HOLE { arrays::get_at(cx, m, holder, i as f64)? } else { v };
                    // the key itself is made for those who want to see it only
                    let key = if is_obj(v) || self.replacer != UNDEF { arrays::key(cx, m, i as f64)? } else { int(0) };
                    let v = self.prepare(cx, m, holder, key, v)?;
                    self.separate(cx, m)?;
                    self.write(cx, m, v.unwrap_or(NULL))?;
                    continue;
                }
                Rest::Shape { from, to, shape } if from + i < to => {
                    self.member(cx, m, holder, from + i, shape)?;
                    continue;
                }
                Rest::Keys { from, to } if from + i < to => Some(self.keys[from + i]),
                Rest::List => self.list.as_ref().and_then(|list| list.get(i).copied()),
                _ => None,
            };
            let Some(key) = key else {
                self.close(cx, m)?;
                continue;
            };
            let v = object::get(cx, m, holder, key)?;
            if let Some(v) = self.prepare(cx, m, holder, key, v)? {
                self.separate(cx, m)?;
                let k = object::key_value(cx, m, key)?;
                self.quote(cx, m, k)?;
                self.out.bytes(self.colon);
                self.write(cx, m, v)?;
            }
        }
        Ok(())
    }

    /// Member `p` of `named` of an object that had shape `s` when it was opened.
    fn member(&mut self, cx: &mut Cx, m: Mem, holder: Value, p: usize, s: u32) -> Res<()> {
        let Named { key, slot, .. } = self.named[p];
        let v = if shape::of(m, holder) == s {
            m.r64(object::slot_addr(m, holder, s, slot), 0)
        } else {
            object::get(cx, m, holder, key)?
        };
        if let Some(v) = self.prepare(cx, m, holder, key, v)? {
            self.separate(cx, m)?;
            match &self.named[p].text {
                Quoted::Bytes(b) => self.out.bytes(b),
                Quoted::Text(s) => self.out.string(cx, m, *s)?,
            }
            self.write(cx, m, v)?;
        }
        Ok(())
    }

    /// The comma and the line break before a member.
    fn separate(&mut self, cx: &mut Cx, m: Mem) -> Res<()> {
        let Some(top) = self.stack.last_mut() else { return Ok(()) };
        if std::mem::replace(&mut top.any, true) {
            self.out.bytes(b",");
            self.out.check(cx, m)?;
        }
        self.indent(cx, m, self.stack.len())
    }

    fn indent(&mut self, cx: &mut Cx, m: Mem, depth: usize) -> Res<()> {
        if string::len(m, self.gap) > 0 {
            self.out.bytes(b"\n");
            for _ in 0..depth {
                cx.charge(1)?;
                self.out.string(cx, m, self.gap)?;
            }
        }
        Ok(())
    }

    fn close(&mut self, cx: &mut Cx, m: Mem) -> Res<()> {
        let Some(done) = self.stack.pop() else { return Ok(()) };
        if let Rest::Keys { from, .. } = done.rest {
            self.keys.truncate(from);
        }
        if self.stack.len() >= SCANNED {
            self.deep.remove(done.value);
        }
        if done.any {
            self.indent(cx, m, self.stack.len())?;
        }
        self.out.bytes(if matches!(done.rest, Rest::Array(_)) { b"]" } else { b"}" });
        self.out.check(cx, m)
    }

    /// QuoteJSONString
    fn quote(&mut self, cx: &mut Cx, m: Mem, s: Value) -> Res<()> {
        let s = string::flat(cx, m, s)?;
        let n = string::len(m, s);
        self.out.bytes(b"\"");
        let mut at = 0;
        while at < n {
            let end = at.saturating_add(1 << 14).min(n);
            cx.charge((end - at) as u64 / 8)?;
            if string::is_latin1(m, s) {
                self.scratch.resize((end - at) as usize, 0);
                let _ = m.bytes_out((s as u32).wrapping_add(8).wrapping_add(at), &mut self.scratch);
                quote_bytes(&mut self.out, &self.scratch);
            } else {
                let units = text::units(cx, m, s, at, end)?;
                quote_units(&mut self.out, &units, string::unit(m, s, at.wrapping_sub(1)), string::unit(m, s, end));
            }
            self.out.check(cx, m)?;
            at = end;
        }
        self.out.bytes(b"\"");
        Ok(())
    }
}

fn quote_bytes(out: &mut Builder, b: &[u8]) {
    let mut done = 0;
    for (i, c) in b.iter().enumerate() {
        if *c < 0x20 || *c == b'"' || *c == b'\\' {
            out.bytes(&b[done..i]);
            escape(out, *c as u16);
            done = i + 1;
        }
    }
    out.bytes(&b[done..]);
}

/// `before` and `after` are the units around `u`.
fn quote_units(out: &mut Builder, u: &[u16], before: u16, after: u16) {
    let high = |c: u16| (0xD800..0xDC00).contains(&c);
    let low = |c: u16| (0xDC00..0xE000).contains(&c);
    for (i, c) in u.iter().enumerate() {
        let next = u.get(i + 1).copied().unwrap_or(after);
        let last = if i == 0 { before } else { u[i - 1] };
        let lone = (high(*c) && !low(next)) || (low(*c) && !high(last));
        if lone || *c < 0x20 || *c == 0x22 || *c == 0x5C {
            escape(out, *c);
        } else {
            out.unit(*c);
        }
    }
}

fn escape(out: &mut Builder, c: u16) {
    out.bytes(match c {
        8 => b"\\b",
        9 => b"\\t",
        10 => b"\\n",
        12 => b"\\f",
        13 => b"\\r",
        0x22 => b"\\\"",
        0x5C => b"\\\\",
        _ => return out.bytes(format!("\\u{c:04x}").as_bytes()),
    });
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let o = r.object(cx, m, roots::get(m, R_OBJECT_PROTO))?;
    debug_assert_eq!(object::kind(m, o), RECORD);
    r.methods(cx, m, o, &[PARSE, STRINGIFY])?;
    r.tag(cx, m, o, "JSON")?;
    r.value(cx, m, r.global, "JSON", o, WC)
}
