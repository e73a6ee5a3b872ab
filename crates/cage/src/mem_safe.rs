//! The second backing of a cage: no `unsafe`, no mapping, for Miri, other systems and wasm.
//!
//! In and out: as `mem`, call for call. Slower; it is what the other one is checked against.
//!
//! Invariants
//! - the span and its guard are segments of 64 KiB, made when first written; what was never written reads as zero;
//! - every index is masked to its table, so no offset can miss;
//! - `Mem` and `Win` borrow the cage and never leave its thread.
use std::{
    cell::{Cell, OnceCell},
    fmt, io,
};

/// Bytes of a cage.
pub const SPAN: usize = 1 << 32;
/// Bytes past the span that offset + displacement may reach.
pub const GUARD: usize = 128 << 10;
/// Bytes of a page.
pub const PAGE: usize = 4096;

const SEGMENT: usize = 64 << 10;
const WORDS: usize = SEGMENT / 8;
const SEGMENTS: usize = (SPAN + GUARD) / SEGMENT;
const _: () = assert!(WORDS.is_power_of_two() && cfg!(target_endian = "little"));

type Segment = OnceCell<Box<[Cell<u64>; WORDS]>>;

/// Owner of the bytes.
pub struct Cage {
    segments: Box<[Segment]>,
}

impl fmt::Debug for Cage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cage({} segments)", self.segments.iter().filter(|s| s.get().is_some()).count())
    }
}

/// Bytes that many cages begin with; here they are copied.
#[derive(Debug)]
pub struct BaseImage {
    bytes: Vec<u8>,
}

/// A copyable right to read and write every byte of one cage.
#[derive(Clone, Copy, Debug)]
pub struct Mem<'c> {
    cage: &'c Cage,
}

/// 256 eight-byte registers from some offset of the cage.
#[derive(Clone, Copy, Debug)]
pub struct Win<'c> {
    mem: Mem<'c>,
    off: u32,
}

impl Cage {
    /// What of it is still to be fetched: nothing, ever.
    pub fn absent(&self) -> Option<&std::sync::Arc<crate::touch::Absent>> {
        None
    }

    /// A cage of zeros.
    pub fn new() -> io::Result<Cage> {
        Ok(Cage { segments: std::iter::repeat_with(OnceCell::new).take(SEGMENTS).collect() })
    }

    /// Lays `image` at `off`.
    pub fn map_base(&mut self, off: u32, image: &BaseImage) -> io::Result<()> {
        assert!((off as usize).is_multiple_of(PAGE), "range is not of whole pages");
        self.mem().bytes_in(off, &image.bytes).ok_or(io::ErrorKind::InvalidInput.into())
    }

    /// Makes the range read as zero.
    pub fn discard(&mut self, off: u32, len: usize) -> io::Result<()> {
        assert!((off as usize | len).is_multiple_of(PAGE), "range is not of whole pages");
        self.mem().discard(off, len.min(u32::MAX as usize) as u32);
        Ok(())
    }

    /// The right to read and write this cage's bytes.
    #[inline]
    pub fn mem(&self) -> Mem<'_> {
        Mem { cage: self }
    }

    fn word(&self, i: usize) -> u64 {
        let segment = self.segments[(i / WORDS) % SEGMENTS].get();
        segment.map_or(0, |s| s[i % WORDS].get())
    }

    fn set_word(&self, i: usize, v: u64) {
        let segment = &self.segments[(i / WORDS) % SEGMENTS];
        if v == 0 && segment.get().is_none() {
            return;
        }
        let zeros = || Box::new([const { Cell::new(0) }; WORDS]);
        segment.get_or_init(zeros)[i % WORDS].set(v);
    }
}

impl BaseImage {
    /// Keeps a copy of `bytes`, filled up with zeros to whole pages.
    pub fn new(bytes: &[u8]) -> io::Result<BaseImage> {
        let mut bytes = bytes.to_vec();
        bytes.resize(bytes.len().next_multiple_of(PAGE), 0);
        Ok(BaseImage { bytes })
    }

    /// Bytes, a multiple of `PAGE`.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

macro_rules! rw {
    ($r:ident, $w:ident, $t:ty) => {
        #[inline]
        pub fn $r(self, off: u32, disp: u16) -> $t {
            self.read(off as usize + disp as usize) as $t
        }
        #[inline]
        pub fn $w(self, off: u32, disp: u16, v: $t) {
            self.write(off as usize + disp as usize, v as u64, u64::MAX >> (64 - 8 * size_of::<$t>()))
        }
    };
}

impl<'c> Mem<'c> {
    rw!(r64, w64, u64);
    rw!(r32, w32, u32);
    rw!(r16, w16, u16);
    rw!(r8, w8, u8);

    fn read(self, at: usize) -> u64 {
        let (i, shift) = (at / 8, at % 8 * 8);
        let low = self.cage.word(i) >> shift;
        if shift == 0 { low } else { low | self.cage.word(i + 1) << (64 - shift) }
    }

    fn write(self, at: usize, v: u64, mask: u64) {
        let (i, shift) = (at / 8, at % 8 * 8);
        self.cage.set_word(i, (self.cage.word(i) & !(mask << shift)) | (v & mask) << shift);
        if shift > 0 && mask >> (64 - shift) != 0 {
            let (v, mask) = ((v & mask) >> (64 - shift), mask >> (64 - shift));
            self.cage.set_word(i + 1, (self.cage.word(i + 1) & !mask) | v);
        }
    }

    /// The register window at `off`.
    #[inline]
    pub fn win(self, off: u32) -> Win<'c> {
        Win { mem: self, off }
    }

    /// Where a window lies.
    #[inline]
    pub fn off(self, w: Win<'c>) -> u32 {
        w.off
    }

    /// Copies bytes out; `None` if the range leaves the span.
    #[must_use]
    pub fn bytes_out(self, off: u32, to: &mut [u8]) -> Option<()> {
        if off as usize + to.len() > SPAN {
            return None;
        }
        for (i, part) in to.chunks_mut(8).enumerate() {
            part.copy_from_slice(&self.read(off as usize + 8 * i).to_le_bytes()[..part.len()]);
        }
        Some(())
    }

    /// Copies bytes in; `None` if the range leaves the span.
    #[must_use]
    pub fn bytes_in(self, off: u32, from: &[u8]) -> Option<()> {
        if off as usize + from.len() > SPAN {
            return None;
        }
        for (i, part) in from.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.write(off as usize + 8 * i, u64::from_le_bytes(word), u64::MAX >> (64 - 8 * part.len()));
        }
        Some(())
    }

    /// Appends bytes of the cage to `to`; `None` if the range leaves the span.
    #[must_use]
    pub fn append(self, off: u32, len: u32, to: &mut Vec<u8>) -> Option<()> {
        let at = to.len();
        to.resize(at + len as usize, 0);
        self.bytes_out(off, &mut to[at..])
    }

    /// Are these bytes zero? At most 4 KiB are looked at.
    pub fn is_zero(self, off: u32, len: u32) -> bool {
        let end = (off as usize + (len as usize).min(4096)).min(SPAN);
        (off as usize..end).all(|at| self.r8(at as u32, 0) == 0)
    }

    /// Appends the 256 bytes from `off` on to `to`.
    pub fn push_block(self, off: u32, to: &mut Vec<u8>) {
        let mut bytes = [0; 256];
        let _ = self.bytes_out(off, &mut bytes);
        to.extend_from_slice(&bytes);
    }

    /// Makes the whole pages within the range read as zero.
    pub fn discard(self, off: u32, len: u32) {
        let from = (off as usize).next_multiple_of(PAGE);
        let to = (off as usize + len as usize).min(SPAN) / PAGE * PAGE;
        // a whole segment at a time where there is none, since ranges may be long
        let mut at = from;
        while at < to {
            let end = (at / SEGMENT * SEGMENT + SEGMENT).min(to);
            if self.cage.segments[(at / SEGMENT) % SEGMENTS].get().is_some() {
                (at..end).step_by(8).for_each(|at| self.cage.set_word(at / 8, 0));
            }
            at = end;
        }
    }

    /// `memmove` inside the cage; ranges are clipped to the span.
    pub fn copy(self, from: u32, to: u32, len: u32) {
        let len = (len as usize).min(SPAN - from as usize).min(SPAN - to as usize);
        let mut bytes = vec![0; len];
        let done = self.bytes_out(from, &mut bytes).and_then(|()| self.bytes_in(to, &bytes));
        debug_assert!(done.is_some());
    }

    /// Fills with zeros; the range is clipped to the span.
    pub fn zero(self, off: u32, len: u32) {
        let (from, to) = (off as usize, (off as usize + len as usize).min(SPAN));
        let (a, b) = (from.next_multiple_of(8).min(to), (to / 8 * 8).max(from));
        (from..a).for_each(|at| self.write(at, 0, 0xFF));
        (a..b).step_by(8).for_each(|at| self.cage.set_word(at / 8, 0));
        (b.max(a)..to).for_each(|at| self.write(at, 0, 0xFF));
    }
}

impl Win<'_> {
    #[inline]
    pub fn get(self, r: u8) -> u64 {
        self.mem.r64(self.off, r as u16 * 8)
    }

    #[inline]
    pub fn set(self, r: u8, v: u64) {
        self.mem.w64(self.off, r as u16 * 8, v)
    }
}
