//! Building and reading long strings: what joins, replaces, searches or prints goes through here.
//!
//! In: pieces (heap strings, Latin-1 bytes, UTF-16 units). Out: one heap string; blocks of units.
//!
//! Invariants
//! - units are kept as bytes until the first one above 255 comes;
//! - beside the heap there is never more than a piece of a string; every piece is charged before it is copied.
use crate::aside::Aside;
use crate::cx::{Cx, Res, Value};
use crate::string;
use cage::Mem;
use cage::value::UNDEF;

/// A string in the making.
///
/// What is written is collected here up to `PIECE`, then laid into the heap; a long string comes out as a rope of such pieces. So no text of
/// any size is ever copied, widened or freed at one go, and what is held counts as heap.
#[derive(Debug)]
pub struct Builder {
    narrow: Vec<u8>,
    wide: Option<Vec<u16>>,
    /// The pieces before, joined.
    before: Value,
}

/// Bytes of a piece: with its header it fills whole regions of old space.
const PIECE: usize = (1 << 18) - 8;

impl Default for Builder {
    fn default() -> Builder {
        Builder { narrow: Vec::new(), wide: None, before: UNDEF }
    }
}

impl Builder {
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Bytes that are not in the heap yet.
    #[inline]
    fn pending(&self) -> usize {
        self.wide.as_ref().map_or(self.narrow.len(), |w| w.len() * 2)
    }

    /// The units as a vector of 16-bit ones, to the end of the piece.
    #[cold]
    fn widen(&mut self) -> &mut Vec<u16> {
        self.wide.get_or_insert_with(|| std::mem::take(&mut self.narrow).into_iter().map(u16::from).collect())
    }

    /// One unit; the caller charges, and calls `check` at least every `SLICE` units.
    #[inline]
    pub fn unit(&mut self, u: u16) {
        match &mut self.wide {
            Some(w) => w.push(u),
            None if u < 256 => self.narrow.push(u as u8),
            None => self.widen().push(u),
        }
    }

    /// Latin-1 bytes, at most `SLICE`; the caller charges, and calls `check` at least every `SLICE` units.
    #[inline]
    pub fn bytes(&mut self, b: &[u8]) {
        debug_assert!(b.len() <= SLICE as usize);
        match &mut self.wide {
            Some(w) => w.extend(b.iter().map(|c| *c as u16)),
            None => self.narrow.extend_from_slice(b),
        }
    }

    /// Units `[from, to)` of `s`.
    pub fn part(&mut self, cx: &mut Cx, m: Mem, s: Value, from: u32, to: u32) -> Res<()> {
        cx.charge(1)?;
        let to = to.min(string::len(m, s));
        if from == 0 && to >= SLICE && to == string::len(m, s) {
            self.lay(cx, m)?;
            return self.join(cx, m, s);
        }
        let s = string::flat(cx, m, s)?;
        let latin1 = string::is_latin1(m, s);
        let mut at = from;
        while at < to {
            let n = (to - at).min(SLICE);
            cx.charge(n as u64 / 16)?;
            if latin1 && self.wide.is_none() {
                let _ = m.append((s as u32).wrapping_add(8).wrapping_add(at), n, &mut self.narrow);
            } else {
                (at..at + n).for_each(|i| self.unit(string::unit(m, s, i)));
            }
            at += n;
            self.check(cx, m)?;
        }
        Ok(())
    }

    /// All of `s`.
    pub fn string(&mut self, cx: &mut Cx, m: Mem, s: Value) -> Res<()> {
        self.part(cx, m, s, 0, u32::MAX)
    }

    /// Lays what was written into the heap once it fills a piece; stops if a string or the heap cannot hold it.
    #[inline]
    pub fn check(&mut self, cx: &mut Cx, m: Mem) -> Res<()> {
        if self.pending() < PIECE { Ok(()) } else { self.lay(cx, m) }
    }

    /// Lays what was written into the heap.
    #[cold]
    fn lay(&mut self, cx: &mut Cx, m: Mem) -> Res<()> {
        let piece = match self.wide.take() {
            Some(w) => string::from_units(cx, m, &w)?,
            None => string::from_latin1(cx, m, &self.narrow)?,
        };
        self.narrow.clear();
        self.join(cx, m, piece)
    }

    fn join(&mut self, cx: &mut Cx, m: Mem, s: Value) -> Res<()> {
        self.before = if self.before == UNDEF { s } else { string::concat(cx, m, self.before, s)? };
        Ok(())
    }

    /// The heap string: flat, or a rope.
    pub fn finish(mut self, cx: &mut Cx, m: Mem) -> Res {
        if self.pending() > 0 || self.before == UNDEF {
            self.lay(cx, m)?;
        }
        Ok(self.before)
    }
}

/// Units copied between two charges.
pub(super) const SLICE: u32 = 1 << 16;

/// Units `[from, to)` of a flat Latin-1 string.
pub fn bytes(cx: &mut Cx, m: Mem, s: Value, from: u32, to: u32) -> Res<Aside<u8>> {
    let to = to.min(string::len(m, s));
    let mut all = Aside::with_capacity(to.saturating_sub(from) as usize);
    let mut at = from;
    while at < to {
        let n = (to - at).min(SLICE);
        cx.charge(n as u64 / 32)?;
        let _ = m.append((s as u32).wrapping_add(8).wrapping_add(at), n, &mut all);
        at += n;
    }
    Ok(all)
}

/// Units `[from, to)` of a flat string of either kind.
pub fn units(cx: &mut Cx, m: Mem, s: Value, from: u32, to: u32) -> Res<Aside<u16>> {
    let to = to.min(string::len(m, s));
    let mut all = Aside::with_capacity(to.saturating_sub(from) as usize);
    let mut b = Vec::new();
    let (mut at, width) = (from, if string::is_latin1(m, s) { 1 } else { 2 });
    while at < to {
        let n = (to - at).min(SLICE);
        cx.charge(n as u64 / 16)?;
        b.clear();
        let _ = m.append((s as u32).wrapping_add(8).wrapping_add(at * width), n * width, &mut b);
        if width == 1 {
            all.extend(b.iter().map(|c| *c as u16));
        } else {
            all.extend(b.as_chunks::<2>().0.iter().map(|c| u16::from_le_bytes(*c)));
        }
        at += n;
    }
    Ok(all)
}

/// The code point at unit `i` of a flat string; a lone surrogate comes as an error.
#[inline]
pub fn point(m: Mem, s: Value, i: u32) -> Result<char, u16> {
    let u = string::unit(m, s, i);
    if (0xD800..0xDC00).contains(&u) {
        let low = string::unit(m, s, i + 1);
        if !(0xDC00..0xE000).contains(&low) {
            return Err(u);
        }
        let c = 0x10000 + ((u as u32 - 0xD800) << 10) + (low as u32 - 0xDC00);
        return char::from_u32(c).ok_or(u);
    }
    char::from_u32(u as u32).ok_or(u)
}

/// Writes a code point; the caller charges and checks.
#[inline]
pub fn push_char(out: &mut Builder, c: char) {
    let mut b = [0; 2];
    for u in c.encode_utf16(&mut b) {
        out.unit(*u);
    }
}

/// What is searched for, prepared once.
#[derive(Debug)]
pub enum Needle {
    /// Nothing: found everywhere.
    Empty,
    /// At most `SLICE` Latin-1 units.
    Narrow(Aside<u8>),
    /// Units and, for each prefix, the length of its longest border (Knuth, Morris and Pratt).
    Wide(Aside<u16>, Aside<u32>),
}

impl Needle {
    pub fn new(cx: &mut Cx, m: Mem, s: Value) -> Res<Needle> {
        let s = string::flat(cx, m, s)?;
        let n = string::len(m, s);
        if n == 0 {
            return Ok(Needle::Empty);
        }
        // the library prepares for a needle at one go
        if string::is_latin1(m, s) && n <= SLICE {
            return Ok(Needle::Narrow(bytes(cx, m, s, 0, n)?));
        }
        let u = units(cx, m, s, 0, n)?;
        let b = borders(cx, &u)?;
        Ok(Needle::Wide(u, b))
    }

    pub fn size(&self) -> u32 {
        match self {
            Needle::Empty => 0,
            Needle::Narrow(b) => b.len() as u32,
            Needle::Wide(u, _) => u.len() as u32,
        }
    }
}

fn borders(cx: &mut Cx, u: &[u16]) -> Res<Aside<u32>> {
    let mut b = Aside::with_capacity(u.len());
    b.push(0u32);
    let mut k = 0;
    for i in 1..u.len() {
        if i % 4096 == 0 {
            cx.charge(2048)?;
        }
        while k > 0 && u[i] != u[k] {
            k = b[k - 1] as usize;
        }
        if u[i] == u[k] {
            k += 1;
        }
        b.push(k as u32);
    }
    Ok(b)
}

/// StringIndexOf: the first place from `from` on where the needle stands in `s`. Linear; reads no further than needed.
pub fn find(cx: &mut Cx, m: Mem, s: Value, needle: &Needle, from: u32) -> Res<Option<u32>> {
    let s = string::flat(cx, m, s)?;
    let n = string::len(m, s);
    if from.saturating_add(needle.size()) > n {
        return Ok(None);
    }
    match needle {
        Needle::Empty => Ok(Some(from)),
        Needle::Narrow(b) if b.len() <= LONG_NEEDLE && string::is_latin1(m, s) => find_bytes(cx, m, s, b, from),
        Needle::Narrow(b) => {
            let u = widen(cx, b)?;
            let t = borders(cx, &u)?;
            find_units(cx, m, s, &u, &t, from)
        }
        Needle::Wide(u, t) => find_units(cx, m, s, u, t, from),
    }
}

/// Bytes of a needle from which on the search is one that stops at each slice: preparing the other takes as long as the needle.
const LONG_NEEDLE: usize = 1 << 16;

/// Bytes as units.
fn widen(cx: &mut Cx, b: &[u8]) -> Res<Aside<u16>> {
    let mut u = Aside::with_capacity(b.len());
    for slice in b.chunks(LONG_NEEDLE) {
        cx.charge(slice.len() as u64 / 16)?;
        u.extend(slice.iter().map(|c| *c as u16));
    }
    Ok(u)
}

fn find_bytes(cx: &mut Cx, m: Mem, s: Value, needle: &[u8], from: u32) -> Res<Option<u32>> {
    let n = string::len(m, s);
    let k = needle.len() as u32;
    let search = |text: &[u8]| match needle {
        [c] => memchr::memchr(*c, text),
        _ => memchr::memmem::find(text, needle),
    };
    let (mut at, mut block) = (from, FIRST_BLOCK as u32);
    while at + k <= n {
        let end = at.saturating_add(block.max(k.saturating_mul(2))).min(n);
        cx.charge((end - at) as u64 / 16 + 1)?;
        let mut small = [0; FIRST_BLOCK];
        let size = (end - at) as usize;
        let found = if size <= FIRST_BLOCK {
            let _ = m.bytes_out((s as u32).wrapping_add(8).wrapping_add(at), &mut small[..size]);
            search(&small[..size])
        } else {
            search(&bytes(cx, m, s, at, end)?)
        };
        if let Some(i) = found {
            return Ok(Some(at + i as u32));
        }
        if end == n {
            break;
        }
        at = end - (k - 1);
        block = block.saturating_mul(2).min(1 << 16);
    }
    Ok(None)
}

/// Units read first when a text is searched; each further block is twice as large.
const FIRST_BLOCK: usize = 128;

fn find_units(cx: &mut Cx, m: Mem, s: Value, u: &[u16], borders: &[u32], from: u32) -> Res<Option<u32>> {
    let n = string::len(m, s);
    let mut k = 0;
    let mut at = from;
    while at < n {
        let end = at.saturating_add(1 << 16).min(n);
        cx.charge((end.min(at + 256) - at) as u64 / 4 + 1)?;
        for i in at..end {
            let c = string::unit(m, s, i);
            while k > 0 && c != u[k] {
                k = borders[k - 1] as usize;
            }
            if c == u[k] {
                k += 1;
            }
            if k == u.len() {
                cx.charge((i - at) as u64 / 4)?;
                return Ok(Some(i + 1 - k as u32));
            }
        }
        cx.charge((end - at) as u64 / 4)?;
        at = end;
    }
    Ok(None)
}

/// The last place at or before `from` where `needle` stands in `s` (both flat). Linear: the same search, mirrored.
pub fn rfind(cx: &mut Cx, m: Mem, s: Value, needle: Value, from: u32) -> Res<Option<u32>> {
    let (n, k) = (string::len(m, s), string::len(m, needle));
    if k > n {
        return Ok(None);
    }
    let from = from.min(n - k);
    if k == 0 {
        return Ok(Some(from));
    }
    let u = reversed(cx, m, needle, k)?;
    let t = borders(cx, &u)?;
    let (mut have, mut i) = (0, from + k);
    while i > 0 {
        i -= 1;
        if i % 4096 == 0 {
            cx.charge(1024)?;
        }
        let c = string::unit(m, s, i);
        while have > 0 && c != u[have] {
            have = t[have - 1] as usize;
        }
        if c == u[have] {
            have += 1;
        }
        if have == u.len() {
            return Ok(Some(i));
        }
    }
    Ok(None)
}

/// The `n` units of a flat string, the last one first.
fn reversed(cx: &mut Cx, m: Mem, s: Value, n: u32) -> Res<Aside<u16>> {
    let mut all = Aside::with_capacity(n as usize);
    for i in (0..n).rev() {
        if i % 4096 == 0 {
            cx.charge(512)?;
        }
        all.push(string::unit(m, s, i));
    }
    Ok(all)
}

/// WhiteSpace or LineTerminator.
pub fn is_space(u: u16) -> bool {
    matches!(u, 9..=13 | 32 | 0xA0 | 0x1680 | 0x2000..=0x200A | 0x2028 | 0x2029 | 0x202F | 0x205F | 0x3000 | 0xFEFF)
}

/// The places where a needle stands, ascending, none overlapping the one before; an empty one stands everywhere.
#[derive(Debug)]
pub struct Places<'n> {
    s: Value,
    how: How<'n>,
    k: u32,
    at: u32,
    /// Places of one block, the last one first.
    found: Vec<u32>,
}

#[derive(Debug)]
enum How<'n> {
    Everywhere,
    Bytes(Box<memchr::memmem::Finder<'n>>),
    Units(&'n [u16], &'n [u32]),
}

impl Needle {
    /// As a search in `s` needs it.
    pub fn for_text(self, cx: &mut Cx, m: Mem, s: Value) -> Res<Needle> {
        match self {
            Needle::Narrow(b) if b.len() > LONG_NEEDLE || !string::is_latin1(m, s) => {
                let u = widen(cx, &b)?;
                let t = borders(cx, &u)?;
                Ok(Needle::Wide(u, t))
            }
            other => Ok(other),
        }
    }
}

impl<'n> Places<'n> {
    /// Of a needle made for the flat string `s`.
    pub fn new(s: Value, needle: &'n Needle) -> Places<'n> {
        let how = match needle {
            Needle::Empty => How::Everywhere,
            Needle::Narrow(b) => How::Bytes(Box::new(memchr::memmem::Finder::new(&b[..]))),
            Needle::Wide(u, t) => How::Units(u, t),
        };
        Places { s, how, k: needle.size(), at: 0, found: Vec::new() }
    }

    pub fn next(&mut self, cx: &mut Cx, m: Mem) -> Res<Option<u32>> {
        cx.charge(1)?;
        let n = string::len(m, self.s);
        loop {
            if let Some(i) = self.found.pop() {
                return Ok(Some(i));
            }
            if self.at + self.k > n {
                return Ok(None);
            }
            match &self.how {
                How::Everywhere => {
                    self.at += 1;
                    return Ok(Some(self.at - 1));
                }
                How::Units(u, t) => {
                    let Some(i) = find_units(cx, m, self.s, u, t, self.at)? else { return Ok(None) };
                    self.at = i + self.k;
                    return Ok(Some(i));
                }
                How::Bytes(finder) => {
                    let end = self.at.saturating_add(SLICE.max(self.k.saturating_mul(2))).min(n);
                    cx.charge((end - self.at) as u64 / 8)?;
                    let text = bytes(cx, m, self.s, self.at, end)?;
                    let mut from = 0;
                    while let Some(i) = finder.find(&text[from..]) {
                        self.found.push(self.at + (from + i) as u32);
                        from += i + self.k as usize;
                    }
                    self.found.reverse();
                    self.at = if end == n { n } else { (self.at + from as u32).max(end - (self.k - 1)) };
                }
            }
        }
    }
}
