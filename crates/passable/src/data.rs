//! Copied data as bytes, in preorder: written and read without recursion.
//!
//! ```text
//! value   = tag u8, then
//!   0 undefined   1 null   2 false   3 true
//!   4 integer     zigzag varint (32 bits)
//!   5 number      f64, little-endian
//!   6 string      varint n | n Latin-1 bytes
//!   7 string      varint n | n UTF-16 units, little-endian
//!   8 bigint      u8 sign (1 negative) | varint n | n limbs u64, least significant first
//!   9 symbol      string value (from Symbol.for)
//!  10 symbol      string value (well-known, by its name after `Symbol.`)
//!  11 array       varint n | n values
//!  12 record      varint n | n times: string value, value
//!  13 error       string value (name) | string value (message)
//!  14 reference   varint index into the slots
//!  15 again       varint: the array, record or settled promise that was begun as number n
//!  16 fulfilled   value: a promise already fulfilled with it
//!  17 rejected    value: a promise already rejected with it
//! varint  = seven bits a byte, least significant first, upper bit: more follows; at most ten bytes
//! message = form u8 (0 get, 1 method, 2 apply, 3 call) | for 0 and 1 a key (string, symbol or integer value) | varint n | n values
//! call      comes from peers whose messages do not tell methods from arguments, and the receiver decides: a function is applied to
//!           all n values; of another object the method is called that the first of them, a registered symbol, names by its key
//! ```
use crate::{Body, Data, Ref};

/// How deep data may nest where somebody must read it by recursion (encodings for others).
pub const MAX_DEPTH: usize = 10_000;
/// Characters that `describe` shows.
const MAX_SHOWN: usize = 400;

pub(crate) const FULFILLED: u8 = 16;
pub(crate) const REJECTED: u8 = 17;

/// Bytes that are no data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bad;

impl std::fmt::Display for Bad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("malformed data")
    }
}
impl std::error::Error for Bad {}

/// Writes values in preorder: a container's head, then its parts.
#[derive(Debug, Default)]
pub struct Writer {
    body: Body,
    slots: Vec<Ref>,
}

impl Writer {
    pub fn new() -> Writer {
        Writer::default()
    }
    pub fn done(self) -> Data {
        Data { body: self.body, slots: self.slots }
    }
    pub fn varint(&mut self, mut n: u64) {
        if (0x80..0x4000).contains(&n) {
            return self.body.extend_from_slice(&[n as u8 | 0x80, (n >> 7) as u8]);
        }
        while n >= 0x80 {
            self.body.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.body.push(n as u8);
    }
    /// A byte as it is: a message's form.
    pub fn byte(&mut self, b: u8) {
        self.body.push(b);
    }
    pub fn undefined(&mut self) {
        self.body.push(0);
    }
    pub fn null(&mut self) {
        self.body.push(1);
    }
    pub fn boolean(&mut self, b: bool) {
        self.body.push(2 + b as u8);
    }
    pub fn integer(&mut self, i: i32) {
        match ((i << 1) ^ (i >> 31)) as u32 {
            z @ 0..0x80 => self.body.extend_from_slice(&[4, z as u8]),
            z => {
                self.body.push(4);
                self.varint(z as u64);
            }
        }
    }
    /// A number; a whole one that fits is written as integer.
    pub fn number(&mut self, n: f64) {
        let i = n as i32;
        if i as f64 == n && !(i == 0 && n.is_sign_negative()) {
            return self.integer(i);
        }
        self.body.push(5);
        // one NaN for all
        let n = if n.is_nan() { f64::NAN } else { n };
        self.body.extend_from_slice(&n.to_le_bytes());
    }
    pub fn latin1(&mut self, b: &[u8]) {
        if b.len() < 0x80 {
            self.body.extend_from_slice(&[6, b.len() as u8]);
        } else {
            self.body.push(6);
            self.varint(b.len() as u64);
        }
        self.body.extend_from_slice(b);
    }
    pub fn utf16(&mut self, u: &[u16]) {
        if u.iter().all(|c| *c < 256) {
            let b: Vec<u8> = u.iter().map(|c| *c as u8).collect();
            return self.latin1(&b);
        }
        self.body.push(7);
        self.varint(u.len() as u64);
        u.iter().for_each(|c| self.body.extend_from_slice(&c.to_le_bytes()));
    }
    pub fn string(&mut self, s: &str) {
        if s.is_ascii() {
            return self.latin1(s.as_bytes());
        }
        let u: Vec<u16> = s.encode_utf16().collect();
        self.utf16(&u);
    }
    pub fn bigint(&mut self, negative: bool, limbs: &[u64]) {
        self.body.push(8);
        self.body.push(negative as u8);
        self.varint(limbs.len() as u64);
        limbs.iter().for_each(|l| self.body.extend_from_slice(&l.to_le_bytes()));
    }
    /// A string value must follow: the key of Symbol.for.
    pub fn registered_symbol(&mut self) {
        self.body.push(9);
    }
    /// A string value must follow: the name after `Symbol.`.
    pub fn well_known_symbol(&mut self) {
        self.body.push(10);
    }
    pub fn array(&mut self, n: usize) {
        self.body.push(11);
        self.varint(n as u64);
    }
    pub fn record(&mut self, n: usize) {
        self.body.push(12);
        self.varint(n as u64);
    }
    /// Two string values must follow.
    pub fn error(&mut self) {
        self.body.push(13);
    }
    pub fn reference(&mut self, r: Ref) {
        self.body.push(14);
        self.varint(self.slots.len() as u64);
        self.slots.push(r);
    }
    pub fn again(&mut self, n: u64) {
        self.body.push(15);
        self.varint(n);
    }
    /// A value must follow.
    pub fn settled(&mut self, rejected: bool) {
        self.body.push(if rejected { REJECTED } else { FULFILLED });
    }
    pub fn len(&self) -> usize {
        self.body.len()
    }
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }
}

/// A string as it stands in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    Latin1(&'a [u8]),
    /// Pairs of bytes, little-endian.
    Utf16(&'a [u8]),
}

impl Text<'_> {
    pub fn units(&self) -> Vec<u16> {
        match self {
            Text::Latin1(b) => b.iter().map(|c| *c as u16).collect(),
            Text::Utf16(b) => b.chunks_exact(2).map(|p| u16::from_le_bytes([p[0], p[1]])).collect(),
        }
    }
    /// Lone surrogates are replaced.
    pub fn to_rust(&self) -> String {
        match self {
            Text::Latin1(b) => b.iter().map(|c| *c as char).collect(),
            Text::Utf16(_) => String::from_utf16_lossy(&self.units()),
        }
    }
}

/// One value, or the head of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Item<'a> {
    Undefined,
    Null,
    Boolean(bool),
    Integer(i32),
    Number(f64),
    String(Text<'a>),
    /// Limbs as bytes, eight each.
    BigInt {
        negative: bool,
        limbs: &'a [u8],
    },
    Registered(Text<'a>),
    WellKnown(Text<'a>),
    Array(usize),
    Record(usize),
    Error {
        name: Text<'a>,
        message: Text<'a>,
    },
    Slot(usize),
    Again(usize),
    Settled {
        rejected: bool,
    },
}

/// A message's form, and its name if that is Latin-1: of the bytes of its body.
#[inline]
pub fn verb(body: &[u8]) -> (u8, &[u8]) {
    match body {
        [form, 6, n, rest @ ..] if *form < 2 && *n < 0x80 => (*form, &rest[..rest.len().min(*n as usize)]),
        _ => long_verb(body),
    }
}

#[cold]
fn long_verb(body: &[u8]) -> (u8, &[u8]) {
    let mut r = Reader::new(body);
    let form = r.byte().unwrap_or(2);
    match r.item() {
        Ok(Item::String(Text::Latin1(b))) if form < 2 => (form, b),
        _ => (form, &[]),
    }
}

/// Reads values in preorder.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(body: &'a [u8]) -> Reader<'a> {
        Reader { rest: body }
    }
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
    #[inline]
    pub fn byte(&mut self) -> Result<u8, Bad> {
        let (b, rest) = self.rest.split_first().ok_or(Bad)?;
        self.rest = rest;
        Ok(*b)
    }
    #[inline]
    pub fn varint(&mut self) -> Result<u64, Bad> {
        match self.rest {
            [b, rest @ ..] if *b < 0x80 => {
                self.rest = rest;
                Ok(*b as u64)
            }
            _ => self.long_varint(),
        }
    }
    #[cold]
    fn long_varint(&mut self) -> Result<u64, Bad> {
        let mut n = 0u64;
        for (i, b) in self.rest.iter().take(10).enumerate() {
            n |= ((b & 0x7F) as u64) << (7 * i);
            if *b < 0x80 {
                self.rest = &self.rest[i + 1..];
                return Ok(n);
            }
        }
        Err(Bad)
    }
    #[inline]
    fn take(&mut self, n: usize) -> Result<&'a [u8], Bad> {
        if n > self.rest.len() {
            return Err(Bad);
        }
        let (a, b) = self.rest.split_at(n);
        self.rest = b;
        Ok(a)
    }
    /// How many parts follow: never more than there are bytes left (each takes one at least).
    #[inline]
    pub fn count(&mut self) -> Result<usize, Bad> {
        let n = usize::try_from(self.varint()?).map_err(|_| Bad)?;
        if n > self.rest.len() { Err(Bad) } else { Ok(n) }
    }
    pub fn text(&mut self) -> Result<Text<'a>, Bad> {
        match self.item()? {
            Item::String(t) => Ok(t),
            _ => Err(Bad),
        }
    }
    /// The next value, or the head of a container.
    pub fn item(&mut self) -> Result<Item<'a>, Bad> {
        Ok(match self.byte()? {
            0 => Item::Undefined,
            1 => Item::Null,
            2 => Item::Boolean(false),
            3 => Item::Boolean(true),
            4 => {
                let z = u32::try_from(self.varint()?).map_err(|_| Bad)?;
                Item::Integer((z >> 1) as i32 ^ -((z & 1) as i32))
            }
            5 => Item::Number(f64::from_le_bytes(self.take(8)?.try_into().map_err(|_| Bad)?)),
            6 => {
                let n = self.count()?;
                Item::String(Text::Latin1(self.take(n)?))
            }
            7 => {
                let n = self.count()?;
                Item::String(Text::Utf16(self.take(n.checked_mul(2).ok_or(Bad)?)?))
            }
            8 => {
                let negative = self.byte()? == 1;
                let n = self.count()?;
                Item::BigInt { negative, limbs: self.take(n.checked_mul(8).ok_or(Bad)?)? }
            }
            tag @ (9 | 10) => {
                // one level: a string's tag follows
                if !matches!(self.rest.first(), Some(6 | 7)) {
                    return Err(Bad);
                }
                let t = self.text()?;
                if tag == 9 { Item::Registered(t) } else { Item::WellKnown(t) }
            }
            11 => Item::Array(self.count()?),
            12 => Item::Record(self.count()?),
            13 => {
                if !matches!(self.rest.first(), Some(6 | 7)) {
                    return Err(Bad);
                }
                let name = self.text()?;
                if !matches!(self.rest.first(), Some(6 | 7)) {
                    return Err(Bad);
                }
                Item::Error { name, message: self.text()? }
            }
            14 => Item::Slot(usize::try_from(self.varint()?).map_err(|_| Bad)?),
            15 => Item::Again(usize::try_from(self.varint()?).map_err(|_| Bad)?),
            FULFILLED => Item::Settled { rejected: false },
            REJECTED => Item::Settled { rejected: true },
            _ => return Err(Bad),
        })
    }
}

/// One line for people.
pub(crate) fn describe(body: &[u8]) -> String {
    let mut r = Reader::new(body);
    let text = match r.item() {
        Ok(Item::Error { name, message }) if message.units().is_empty() => name.to_rust(),
        Ok(Item::Error { name, message }) => format!("{}: {}", name.to_rust(), message.to_rust()),
        Ok(Item::Undefined) => "Uncaught: undefined".to_owned(),
        Ok(Item::Null) => "Uncaught: null".to_owned(),
        Ok(Item::Boolean(b)) => format!("Uncaught: {b}"),
        Ok(Item::Integer(i)) => format!("Uncaught: {i}"),
        Ok(Item::Number(n)) => format!("Uncaught: {n}"),
        Ok(Item::String(t)) => format!("Uncaught: {}", t.to_rust()),
        Ok(Item::BigInt { .. }) => "Uncaught: a BigInt".to_owned(),
        Ok(Item::Registered(_) | Item::WellKnown(_)) => "Uncaught: a symbol".to_owned(),
        Ok(Item::Array(n)) => format!("Uncaught: an array of {n}"),
        Ok(Item::Record(n)) => format!("Uncaught: a record of {n}"),
        Ok(_) => "Uncaught: an object".to_owned(),
        Err(Bad) => "Uncaught: malformed data".to_owned(),
    };
    match text.char_indices().nth(MAX_SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut w = Writer::new();
        w.array(6);
        w.number(-0.0);
        w.number(7.0);
        w.integer(i32::MIN);
        w.string("käse");
        w.string("日本");
        w.record(1);
        w.string("k");
        w.bigint(true, &[1, u64::MAX]);
        let d = w.done();
        let mut r = Reader::new(&d.body);
        assert_eq!(r.item(), Ok(Item::Array(6)));
        assert!(matches!(r.item(), Ok(Item::Number(n)) if n == 0.0 && n.is_sign_negative()));
        assert_eq!(r.item(), Ok(Item::Integer(7)));
        assert_eq!(r.item(), Ok(Item::Integer(i32::MIN)));
        assert_eq!(r.text().map(|t| t.to_rust()), Ok("käse".to_owned()));
        assert_eq!(r.text().map(|t| t.to_rust()), Ok("日本".to_owned()));
        assert_eq!(r.item(), Ok(Item::Record(1)));
        assert_eq!(r.text().map(|t| t.to_rust()), Ok("k".to_owned()));
        assert!(matches!(r.item(), Ok(Item::BigInt { negative: true, limbs }) if limbs.len() == 16));
        assert!(r.is_empty());
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        let mut seed = 1u64;
        for _ in 0..20_000 {
            let mut bytes = Vec::new();
            for _ in 0..seed % 40 {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                bytes.push((seed >> 40) as u8 % 20);
            }
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let mut r = Reader::new(&bytes);
            let mut items = 0;
            while !r.is_empty() && r.item().is_ok() {
                items += 1;
            }
            assert!(items <= bytes.len());
            let _ = describe(&bytes);
        }
    }
}
