//! JSON.parse: a parser over the units of a text, and the walk of a reviver.
//!
//! In: a string. Out: the value, or a SyntaxError that names the position.
//!
//! Invariants
//! - no recursion: open arrays and objects stand on a stack, so depth is limited by the heap alone;
//! - records with the same keys in the same order get the same shape; an object is made when it is complete;
//! - of equal keys the last one counts; `__proto__` is a key like any other.
use super::text;
use crate::aside::Aside;
use crate::cx::{Args, Cx, ErrorKind, Res, Stop, Value};
use crate::kinds::RECORD;
use crate::roots::{self, *};
use crate::shape;
use crate::{array, convert, object, realm, string};
use cage::Mem;
use cage::value::*;

/// Keys of an object that gets a shape made for it; one with more grows like any other object.
const MAX_RECORD: usize = crate::code::MAX_LITERAL_KEYS;
/// Longest text of a number that is read at one go.
const MAX_NUMBER: usize = 1 << 16;
/// Units between two looks at the meter.
const SLICE: usize = 1 << 12;

/// JSON.parse
pub fn parse(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let s = convert::to_string(cx, m, a.get(m, 0))?;
    let v = parse_text(cx, m, s)?;
    let reviver = a.get(m, 1);
    if !object::is_callable(m, reviver) {
        return Ok(v);
    }
    let root = object::new(cx, m)?;
    let empty = string::empty(m);
    object::create_data_or_throw(cx, m, root, empty, v)?;
    internalize(cx, m, root, empty, reviver)
}

/// The value of a JSON text.
pub fn parse_text(cx: &mut Cx, m: Mem, s: Value) -> Res {
    let s = string::flat(cx, m, s)?;
    let n = string::len(m, s);
    if string::is_latin1(m, s) {
        let text = text::bytes(cx, m, s, 0, n)?;
        Parser::new(&text).run(cx, m)
    } else {
        let text = text::units(cx, m, s, 0, n)?;
        Parser::new(&text).run(cx, m)
    }
}

/// A unit of the text: a byte or a 16-bit unit.
trait Unit: Copy + Eq {
    fn wide(self) -> u16;
    fn make(cx: &mut Cx, m: Mem, u: &[Self]) -> Res;
}
impl Unit for u8 {
    fn wide(self) -> u16 {
        self as u16
    }
    fn make(cx: &mut Cx, m: Mem, u: &[u8]) -> Res {
        string::from_latin1(cx, m, u)
    }
}
impl Unit for u16 {
    fn wide(self) -> u16 {
        self
    }
    fn make(cx: &mut Cx, m: Mem, u: &[u16]) -> Res {
        string::from_units(cx, m, u)
    }
}

/// An array or object that is not complete.
#[derive(Clone, Copy)]
struct Open {
    /// Where its values begin on the stack of values.
    values: usize,
    /// Where its keys begin on the stack of keys; `usize::MAX` for arrays.
    keys: usize,
}

struct Parser<'t, U> {
    text: &'t [U],
    at: usize,
    charged: usize,
    values: Aside<Value>,
    keys: Aside<Value>,
    open: Aside<Open>,
    /// Keys met lately: where their text stands, and the key.
    names: Vec<(usize, usize, Value)>,
    /// Shapes met lately.
    shapes: Vec<u32>,
}

const NAMES: usize = 512;
const SHAPES: usize = 64;

impl<'t, U: Unit> Parser<'t, U> {
    fn new(text: &'t [U]) -> Self {
        Parser {
            text,
            at: 0,
            charged: 0,
            values: Aside::new(),
            keys: Aside::new(),
            open: Aside::new(),
            names: Vec::new(),
            shapes: Vec::new(),
        }
    }

    /// The next unit that is no white space; 0 at the end (which no token begins with either).
    #[inline]
    fn peek(&mut self, cx: &mut Cx) -> Res<u16> {
        while let Some(u) = self.text.get(self.at) {
            match u.wide() {
                0x20 | 0x0A | 0x0D | 0x09 => self.at += 1,
                u => return Ok(u),
            }
            if self.at.is_multiple_of(SLICE) {
                cx.charge(SLICE as u64 / 4)?;
            }
        }
        Ok(0)
    }

    #[cold]
    fn fail(&self, cx: &mut Cx, m: Mem) -> Stop {
        let Some(u) = self.text.get(self.at) else {
            return cx.error(m, ErrorKind::Syntax, &format!("Unexpected end of JSON input at position {}", self.at));
        };
        let c = char::from_u32(u.wide() as u32).filter(|c| !c.is_control());
        let shown = c.map_or_else(|| format!("\\u{:04x}", u.wide()), |c| c.to_string());
        cx.error(m, ErrorKind::Syntax, &format!("Unexpected token '{shown}' in JSON at position {}", self.at))
    }

    fn run(mut self, cx: &mut Cx, m: Mem) -> Res {
        loop {
            if self.at >= self.charged {
                cx.charge(SLICE as u64 / 4)?;
                self.charged = self.at + SLICE;
            }
            let done = match self.peek(cx)? {
                b if b == b'{' as u16 => self.open_object(cx, m)?,
                b if b == b'[' as u16 => self.open_array(cx)?,
                _ => {
                    let v = self.scalar(cx, m)?;
                    self.values.push(v);
                    true
                }
            };
            if done && self.close(cx, m)? {
                break;
            }
        }
        if self.peek(cx)? != 0 || self.at < self.text.len() {
            return Err(self.fail(cx, m));
        }
        Ok(self.values.pop().unwrap_or(UNDEF))
    }

    /// After `[`: false if a value must follow.
    fn open_array(&mut self, cx: &mut Cx) -> Res<bool> {
        self.at += 1;
        self.open.push(Open { values: self.values.len(), keys: usize::MAX });
        Ok(self.peek(cx)? == b']' as u16)
    }

    /// After `{`: false if a value must follow, its key read.
    fn open_object(&mut self, cx: &mut Cx, m: Mem) -> Res<bool> {
        self.at += 1;
        self.open.push(Open { values: self.values.len(), keys: self.keys.len() });
        if self.peek(cx)? == b'}' as u16 {
            return Ok(true);
        }
        self.key(cx, m)?;
        Ok(false)
    }

    /// A value is complete: closes what closes behind it. True at the end of the whole.
    fn close(&mut self, cx: &mut Cx, m: Mem) -> Res<bool> {
        loop {
            let Some(top) = self.open.last().copied() else { return Ok(true) };
            let is_array = top.keys == usize::MAX;
            let u = self.peek(cx)?;
            if u == b',' as u16 && self.values.len() > top.values {
                self.at += 1;
                if !is_array {
                    self.peek(cx)?;
                    self.key(cx, m)?;
                }
                return Ok(false);
            }
            let end = if is_array { b']' } else { b'}' };
            if u != end as u16 {
                return Err(self.fail(cx, m));
            }
            self.at += 1;
            self.open.pop();
            let v = if is_array {
                array::from_slice(cx, m, &self.values[top.values..])?
            } else {
                let v = self.object(cx, m, top)?;
                self.keys.truncate(top.keys);
                v
            };
            self.values.truncate(top.values);
            self.values.push(v);
        }
    }

    /// A key and its colon.
    fn key(&mut self, cx: &mut Cx, m: Mem) -> Res<()> {
        if self.peek(cx)? != b'"' as u16 {
            return Err(self.fail(cx, m));
        }
        let start = self.at + 1;
        let key = match self.plain_end(cx, start)? {
            Some(end) => {
                self.at = end + 1;
                self.name(cx, m, start, end)?
            }
            None => {
                let s = self.string(cx, m)?;
                object::key_of(cx, m, s)?
            }
        };
        self.keys.push(key);
        if self.peek(cx)? != b':' as u16 {
            return Err(self.fail(cx, m));
        }
        self.at += 1;
        Ok(())
    }

    /// Where the string that begins at `start` ends, if nothing in it is escaped or wrong.
    #[inline]
    fn plain_end(&self, cx: &mut Cx, start: usize) -> Res<Option<usize>> {
        let mut at = start;
        for slice in self.text[start..].chunks(SLICE * 4) {
            if let Some(n) = slice.iter().position(|u| u.wide() == 0x22 || u.wide() == 0x5C || u.wide() < 0x20) {
                return Ok((slice[n].wide() == 0x22).then_some(at + n));
            }
            cx.charge(SLICE as u64)?;
            at += slice.len();
        }
        Ok(None)
    }

    /// The key that the text `[start, end)` spells.
    fn name(&mut self, cx: &mut Cx, m: Mem, start: usize, end: usize) -> Res {
        if self.names.is_empty() {
            self.names = vec![(0, 0, UNDEF); NAMES];
        }
        let t = &self.text[start..end];
        let mut h = t.len() as u32;
        for u in t.iter().take(16) {
            h = (h ^ u.wide() as u32).wrapping_mul(0x9E37_79B1);
            h ^= h >> 15;
        }
        let slot = h as usize % NAMES;
        let (s, e, key) = self.names[slot];
        if key != UNDEF && e - s == t.len() && self.text[s..e] == *t {
            return Ok(key);
        }
        let v = U::make(cx, m, t)?;
        let key = object::key_of(cx, m, v)?;
        self.names[slot] = (start, end, key);
        Ok(key)
    }

    /// The object of the keys and values since `open`.
    fn object(&mut self, cx: &mut Cx, m: Mem, open: Open) -> Res {
        let (keys, values) = (&self.keys[open.keys..], &self.values[open.values..]);
        let n = keys.len();
        if n == 0 {
            return object::new(cx, m);
        }
        if n <= MAX_RECORD
            && let Some(s) = record_shape(cx, m, keys, &mut self.shapes)?
        {
            let o = object::from_shape(cx, m, s)?;
            for (i, v) in values.iter().enumerate() {
                m.w64((o as u32).wrapping_add(8 + i as u32 * 8), 0, *v);
            }
            return Ok(o);
        }
        let o = object::new(cx, m)?;
        for (k, v) in keys.iter().zip(values) {
            cx.charge(2)?;
            object::create_data_or_throw(cx, m, o, *k, *v)?;
        }
        Ok(o)
    }

    /// A string, a number, or one of the three words.
    fn scalar(&mut self, cx: &mut Cx, m: Mem) -> Res {
        let u = self.peek(cx)?;
        match u {
            0x22 => self.string(cx, m),
            0x2D | 0x30..=0x39 => self.number(cx, m),
            0x74 => self.word(cx, m, b"true", TRUE),
            0x66 => self.word(cx, m, b"false", FALSE),
            0x6E => self.word(cx, m, b"null", NULL),
            _ => Err(self.fail(cx, m)),
        }
    }

    fn word(&mut self, cx: &mut Cx, m: Mem, word: &[u8], v: Value) -> Res {
        for c in word {
            if self.text.get(self.at).is_none_or(|u| u.wide() != *c as u16) {
                return Err(self.fail(cx, m));
            }
            self.at += 1;
        }
        Ok(v)
    }

    /// A string, from its opening quote on.
    fn string(&mut self, cx: &mut Cx, m: Mem) -> Res {
        let start = self.at + 1;
        if let Some(end) = self.plain_end(cx, start)? {
            self.at = end + 1;
            return U::make(cx, m, &self.text[start..end]);
        }
        let mut out = text::Builder::new();
        self.at = start;
        loop {
            let Some(u) = self.text.get(self.at).map(|u| u.wide()) else { return Err(self.fail(cx, m)) };
            if self.at >= self.charged {
                cx.charge(SLICE as u64 / 4)?;
                self.charged = self.at + SLICE;
                out.check(cx, m)?;
            }
            match u {
                0x22 => break,
                0x5C => {
                    self.at += 1;
                    let u = self.escape(cx, m)?;
                    out.unit(u);
                }
                0..0x20 => return Err(self.fail(cx, m)),
                _ => {
                    self.at += 1;
                    out.unit(u);
                }
            }
        }
        self.at += 1;
        out.finish(cx, m)
    }

    /// What follows a backslash.
    fn escape(&mut self, cx: &mut Cx, m: Mem) -> Res<u16> {
        let Some(u) = self.text.get(self.at).map(|u| u.wide()) else { return Err(self.fail(cx, m)) };
        let c = match u as u8 as char {
            _ if u > 0x7F => return Err(self.fail(cx, m)),
            '"' | '\\' | '/' => u,
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'u' => {
                let mut c = 0;
                for _ in 0..4 {
                    self.at += 1;
                    let digit = self.text.get(self.at).and_then(|u| char::from_u32(u.wide() as u32)).and_then(|c| c.to_digit(16));
                    let Some(d) = digit else { return Err(self.fail(cx, m)) };
                    c = c << 4 | d as u16;
                }
                c
            }
            _ => return Err(self.fail(cx, m)),
        };
        self.at += 1;
        Ok(c)
    }

    fn digit(&self, i: usize) -> Option<u16> {
        self.text.get(i).map(|u| u.wide().wrapping_sub(48)).filter(|d| *d < 10)
    }

    /// Digits from `i` on; where they end. At least one.
    fn digits(&mut self, cx: &mut Cx, m: Mem, mut i: usize) -> Res<usize> {
        let start = i;
        while self.digit(i).is_some() {
            i += 1;
            if i.is_multiple_of(SLICE) {
                cx.charge(SLICE as u64 / 2)?;
            }
        }
        if i == start {
            self.at = i;
            return Err(self.fail(cx, m));
        }
        Ok(i)
    }

    fn number(&mut self, cx: &mut Cx, m: Mem) -> Res {
        let start = self.at;
        let unit = |p: &Self, i: usize| p.text.get(i).map_or(0, |u| u.wide());
        let negative = unit(self, start) == b'-' as u16;
        let first = start + negative as usize;
        let mut i = if unit(self, first) == b'0' as u16 { first + 1 } else { self.digits(cx, m, first)? };
        let whole = i;
        if unit(self, i) == b'.' as u16 {
            i = self.digits(cx, m, i + 1)?;
        }
        if unit(self, i) | 0x20 == b'e' as u16 {
            i += 1;
            if matches!(unit(self, i), 0x2B | 0x2D) {
                i += 1;
            }
            i = self.digits(cx, m, i)?;
        }
        self.at = i;
        if i == whole && i - first < 10 {
            let v = self.text[first..i].iter().fold(0i64, |v, u| v * 10 + (u.wide() - 48) as i64);
            if v != 0 || !negative {
                return Ok(from_num(if negative { -v } else { v } as f64));
            }
        }
        let mut t = String::new();
        for slice in self.text[start..i].chunks(SLICE) {
            cx.charge(slice.len() as u64 / 4)?;
            t.extend(slice.iter().map(|u| u.wide() as u8 as char));
        }
        if t.len() > MAX_NUMBER {
            // the library reads such a text at one go
            let s = string::from_latin1(cx, m, t.as_bytes())?;
            return crate::number::parse(cx, m, s).map(from_num);
        }
        Ok(from_num(t.parse().unwrap_or(f64::NAN)))
    }
}

/// The shape of a record with these keys. `None`: equal keys, an index among them, or more shapes than is reasonable.
fn record_shape(cx: &mut Cx, m: Mem, keys: &[Value], recent: &mut Vec<u32>) -> Res<Option<u32>> {
    if recent.is_empty() {
        *recent = vec![0; SHAPES];
    }
    let n = keys.len();
    let mix = shape::key_hash(keys[0]) ^ shape::key_hash(keys[n - 1]).rotate_left(7) ^ n as u32;
    let slot = (mix ^ mix >> 12) as usize % SHAPES;
    let s = recent[slot];
    if s != 0 && shape::count(m, s) as usize == n && keys.iter().enumerate().all(|(i, k)| shape::key_at(m, s, i as u32) == *k) {
        return Ok(Some(s));
    }
    cx.charge(n as u64 * 4)?;
    for (i, k) in keys.iter().enumerate() {
        if is_int(*k) || keys[..i].contains(k) {
            return Ok(None);
        }
    }
    let mut s = realm::literal_root(cx, m, roots::get(m, R_OBJECT_PROTO), n as u8)?;
    for k in keys {
        match shape::add(cx, m, s, *k, shape::WEC)? {
            Some(next) => s = next,
            None => return Ok(None),
        }
    }
    recent[slot] = s;
    Ok(Some(s))
}

// ---- reviver ----

/// A value whose parts are being revived.
struct Reviving {
    holder: Value,
    name: Value,
    value: Value,
    /// Of an object; an array counts.
    keys: Aside<Value>,
    len: f64,
    next: f64,
}

/// InternalizeJSONProperty, with a stack of its own.
fn internalize(cx: &mut Cx, m: Mem, holder: Value, name: Value, reviver: Value) -> Res {
    let mut stack = vec![revive_open(cx, m, holder, name)?];
    loop {
        let Some(top) = stack.last_mut() else { return Ok(UNDEF) };
        if top.next < top.len {
            let i = top.next;
            top.next += 1.0;
            let key = if top.keys.is_empty() { super::array::key(cx, m, i)? } else { top.keys[i as usize] };
            let value = top.value;
            let child = revive_open(cx, m, value, key)?;
            stack.push(child);
            continue;
        }
        let (holder, name, value) = (top.holder, top.name, top.value);
        stack.pop();
        let text = object::key_value(cx, m, name)?;
        let new = crate::interp::call(cx, m, reviver, holder, &[text, value])?;
        if stack.is_empty() {
            return Ok(new);
        }
        if new == UNDEF {
            object::delete(cx, m, holder, name)?;
        } else {
            object::create_data(cx, m, holder, name, new)?;
        }
    }
}

fn revive_open(cx: &mut Cx, m: Mem, holder: Value, name: Value) -> Res<Reviving> {
    cx.charge(4)?;
    let value = object::get(cx, m, holder, name)?;
    let mut r = Reviving { holder, name, value, keys: Aside::new(), len: 0.0, next: 0.0 };
    if array::is_array(m, value) {
        r.len = array::length(m, value);
    } else if is_obj(value) {
        r.keys = enumerable_keys(cx, m, value)?;
        r.len = r.keys.len() as f64;
    }
    Ok(r)
}

/// EnumerableOwnProperties(o, key), as keys.
pub fn enumerable_keys(cx: &mut Cx, m: Mem, o: Value) -> Res<Aside<Value>> {
    let keys = object::own_keys(cx, m, o)?;
    let mut shown = Aside::with_capacity(keys.len());
    for k in &keys {
        cx.charge(4)?;
        if !is_sym(k) && object::get_own(cx, m, o, k)?.is_some_and(|p| p.enumerable()) {
            shown.push(k);
        }
    }
    Ok(shown)
}

/// Is this a record whose own properties all stand in a shape that never changes?
pub fn is_plain_record(m: Mem, o: Value) -> bool {
    object::kind(m, o) == RECORD && !shape::is_dict(m, shape::of(m, o))
}
