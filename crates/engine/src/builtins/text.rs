//! Building and reading long strings: what joins, replaces, searches or prints goes through here.
//!
//! In: pieces (heap strings, Latin-1 bytes, UTF-16 units). Out: one heap string; blocks of units.
//!
//! Invariants
//! - units are kept as bytes until the first one above 255 comes;
//! - no more than `MAX_LENGTH` units are ever held, nor more than the heap has room for; every piece is charged before it
//!   is copied.
use crate::cx::{Abort, Cx, Res, Value};
use crate::string::{self, MAX_LENGTH};
use cage::Mem;

/// A string in the making.
#[derive(Debug, Default)]
pub struct Builder {
    narrow: Vec<u8>,
    wide: Option<Vec<u16>>,
    /// Bytes that the heap was found to have room for.
    allowed: usize,
}

/// Bytes a builder may hold without asking the heap.
const SMALL: usize = 1 << 20;

impl Builder {
    pub fn new() -> Builder {
        Builder::default()
    }

    fn len(&self) -> usize {
        self.wide.as_ref().map_or(self.narrow.len(), Vec::len)
    }

    #[inline]
    fn room(&mut self, cx: &mut Cx, m: Mem, n: usize) -> Res<()> {
        if self.len() + n > self.allowed.max(SMALL) / 2 {
            self.ask(cx, m, self.len() + n)?;
        }
        cx.charge(1)
    }

    /// Is there room in the heap for a string of `n` units?
    #[cold]
    fn ask(&mut self, cx: &mut Cx, m: Mem, n: usize) -> Res<()> {
        if n > MAX_LENGTH as usize {
            return Err(cx.range_error(m, "string too long"));
        }
        let (bytes, heap) = (if self.wide.is_some() { n * 2 } else { n }, cx.heap.stats());
        if heap.heap_bytes.saturating_add(bytes as u64) > heap.limit_bytes {
            return Err(cx.stop(Abort::Heap));
        }
        self.allowed = n.saturating_mul(4).max(SMALL);
        Ok(())
    }

    /// The units as a vector of 16-bit ones from now on.
    fn widen(&mut self) -> &mut Vec<u16> {
        self.wide.get_or_insert_with(|| std::mem::take(&mut self.narrow).into_iter().map(u16::from).collect())
    }

    /// One unit; the caller charges. The limit is checked by `finish`.
    #[inline]
    pub fn unit(&mut self, u: u16) {
        match &mut self.wide {
            Some(w) => w.push(u),
            None if u < 256 => self.narrow.push(u as u8),
            None => self.widen().push(u),
        }
    }

    /// Latin-1 bytes; the caller charges. The limit is checked by `finish`.
    #[inline]
    pub fn bytes(&mut self, b: &[u8]) {
        match &mut self.wide {
            Some(w) => w.extend(b.iter().map(|c| *c as u16)),
            None => self.narrow.extend_from_slice(b),
        }
    }

    /// Units `[from, to)` of `s`.
    pub fn part(&mut self, cx: &mut Cx, m: Mem, s: Value, from: u32, to: u32) -> Res<()> {
        let s = string::flat(cx, m, s)?;
        let to = to.min(string::len(m, s));
        if from >= to {
            return Ok(());
        }
        self.room(cx, m, (to - from) as usize)?;
        let latin1 = string::is_latin1(m, s);
        if !latin1 && self.wide.is_none() {
            self.widen_slowly(cx)?;
        }
        let mut at = from;
        while at < to {
            let n = (to - at).min(SLICE);
            cx.charge(n as u64 / 16)?;
            match &mut self.wide {
                None => {
                    let _ = m.append((s as u32).wrapping_add(8).wrapping_add(at), n, &mut self.narrow);
                }
                Some(w) => w.extend((at..at + n).map(|i| string::unit(m, s, i))),
            }
            at += n;
        }
        Ok(())
    }

    /// As `widen`, looking at the meter.
    fn widen_slowly(&mut self, cx: &mut Cx) -> Res<()> {
        let narrow = std::mem::take(&mut self.narrow);
        let mut wide = Vec::with_capacity(narrow.len());
        for slice in narrow.chunks(SLICE as usize) {
            cx.charge(slice.len() as u64 / 16)?;
            wide.extend(slice.iter().map(|c| *c as u16));
        }
        self.wide = Some(wide);
        cx.release(narrow)
    }

    /// All of `s`.
    pub fn string(&mut self, cx: &mut Cx, m: Mem, s: Value) -> Res<()> {
        self.part(cx, m, s, 0, u32::MAX)
    }

    /// Stops once more was written than a string or the heap can hold.
    pub fn check(&mut self, cx: &mut Cx, m: Mem) -> Res<()> {
        self.room(cx, m, 0)
    }

    /// The units: bytes, or 16-bit ones if some are above 255.
    pub fn into_units(self) -> Result<Vec<u8>, Vec<u16>> {
        self.wide.map_or(Ok(self.narrow), Err)
    }

    /// The heap string.
    pub fn finish(self, cx: &mut Cx, m: Mem) -> Res {
        match self.wide {
            Some(w) => {
                let s = string::from_units(cx, m, &w)?;
                cx.release(w)?;
                Ok(s)
            }
            None => {
                let s = string::from_latin1(cx, m, &self.narrow)?;
                cx.release(self.narrow)?;
                Ok(s)
            }
        }
    }
}

/// Units copied between two charges.
const SLICE: u32 = 1 << 16;

/// Units `[from, to)` of a flat Latin-1 string.
pub fn bytes(cx: &mut Cx, m: Mem, s: Value, from: u32, to: u32) -> Res<Vec<u8>> {
    let to = to.min(string::len(m, s));
    let mut all = Vec::with_capacity(to.saturating_sub(from) as usize);
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
pub fn units(cx: &mut Cx, m: Mem, s: Value, from: u32, to: u32) -> Res<Vec<u16>> {
    let to = to.min(string::len(m, s));
    let mut all = Vec::with_capacity(to.saturating_sub(from) as usize);
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

/// What is searched for, prepared once.
#[derive(Debug)]
pub enum Needle {
    /// Nothing: found everywhere.
    Empty,
    /// At most `SLICE` Latin-1 units.
    Narrow(Vec<u8>),
    /// Units and, for each prefix, the length of its longest border (Knuth, Morris and Pratt).
    Wide(Vec<u16>, Vec<u32>),
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

fn borders(cx: &mut Cx, u: &[u16]) -> Res<Vec<u32>> {
    let mut b = vec![0u32; u.len()];
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
        b[i] = k as u32;
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
fn widen(cx: &mut Cx, b: &[u8]) -> Res<Vec<u16>> {
    let mut u = Vec::with_capacity(b.len());
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
    let mut u = units(cx, m, needle, 0, k)?;
    u.reverse();
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

/// WhiteSpace or LineTerminator.
pub fn is_space(u: u16) -> bool {
    matches!(u, 9..=13 | 32 | 0xA0 | 0x1680 | 0x2000..=0x200A | 0x2028 | 0x2029 | 0x202F | 0x205F | 0x3000 | 0xFEFF)
}

/// All places where the needle (not empty) stands, ascending, none overlapping the one before, at most `limit`.
pub fn find_all(cx: &mut Cx, m: Mem, s: Value, needle: &Needle, limit: usize) -> Res<Vec<u32>> {
    let s = string::flat(cx, m, s)?;
    let n = string::len(m, s);
    let mut found = Vec::new();
    if needle.size() > n {
        return Ok(found);
    }
    if let (Needle::Narrow(b), true) = (needle, string::is_latin1(m, s))
        && b.len() <= LONG_NEEDLE
    {
        let (finder, k) = (memchr::memmem::Finder::new(b), b.len() as u32);
        let block = (1 << 16).max(k.saturating_mul(2));
        let mut at = 0;
        while at + k <= n && found.len() < limit {
            let end = at.saturating_add(block).min(n);
            cx.charge((end - at) as u64 / 8)?;
            let text = bytes(cx, m, s, at, end)?;
            let mut from = 0;
            while let Some(i) = finder.find(&text[from..]) {
                found.push(at + (from + i) as u32);
                from += i + b.len();
                if found.len() == limit {
                    return Ok(found);
                }
            }
            at = if end == n { n } else { (at + from as u32).max(end - (k - 1)) };
        }
        return Ok(found);
    }
    let (wide, table);
    let (u, t) = match needle {
        Needle::Narrow(b) => {
            wide = widen(cx, b)?;
            table = borders(cx, &wide)?;
            (&wide, &table)
        }
        Needle::Wide(u, t) => (u, t),
        Needle::Empty => return Ok(found),
    };
    let mut at = 0;
    while found.len() < limit
        && let Some(i) = find_units(cx, m, s, u, t, at)?
    {
        found.push(i);
        at = i + u.len() as u32;
    }
    Ok(found)
}
