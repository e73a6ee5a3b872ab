//! Where things lie in a cage, and what the heap must know of an object.
//!
//! ```text
//! 0x0000_0000  never used: reads as zero
//! 0x0001_0000  UNITS     volatile table of loaded code units (16 bytes each)
//! 0x0005_0000  LOOKUP    volatile cache of property look-ups
//! 0x0008_0000  SEARCHES  how many properties were searched for since the caches were empty
//! 0x0008_0010  NURSERY   first chunk of the nursery: what is newly made, then two halves of survivors
//! 0x0010_0000  IC        inline caches and constant slots, addresses given out process-wide
//! 0x0018_0000  STACK     eight words for roots that are empty between turns, then frames
//! 0x0098_0000  (unused)
//! 0x0200_0000  SLOTS     a bit for each word of old space, from the end of this range downwards: it is in the remembered set
//! 0x0510_0C50  DIRTY     a byte for each 256-byte block of old space; what a small heap on a base of 224 KiB uses of both lies in one page
//! 0x0600_0000  (unused)
//! 0x1000_0000  IC2       more inline caches
//! 0x2000_0000  NURSERY2  chunks of the nursery under native frames
//! 0x4000_0000  OLD       base image, then old space: what an image stores
//! ```
//! Everything below OLD is volatile: never stored, zero after loading. An offset below OLD is *young*.

pub const UNITS: u32 = 0x1_0000;
pub const UNITS_END: u32 = 0x5_0000;
pub const LOOKUP: u32 = 0x5_0000;
pub const LOOKUP_END: u32 = 0x6_0000;
pub const SEARCHES: u32 = 0x8_0000;
pub const NURSERY: u32 = 0x8_0010;
pub const NURSERY_END: u32 = 0x10_0000;
pub const IC: u32 = 0x10_0000;
pub const IC_END: u32 = 0x18_0000;
pub const STACK: u32 = 0x18_0000;
/// Where frames begin. The words below are roots as frames are, without a barrier; they are zero when a turn begins.
pub const FRAMES: u32 = STACK + 64;
pub const STACK_END: u32 = 0x98_0000;
/// Bytes of a window of registers: no frame writes further.
pub const WINDOW: u32 = 256 * 8;
pub const SLOTS: u32 = 0x200_0000;
pub const DIRTY: u32 = 0x510_0C50;
pub const IC2: u32 = 0x1000_0000;
pub const IC2_END: u32 = 0x2000_0000;
pub const NURSERY2: u32 = 0x2000_0000;
pub const NURSERY2_END: u32 = 0x4000_0000;
pub const OLD: u32 = 0x4000_0000;

/// Bytes of the unit of dirtiness, undo and deltas.
pub const BLOCK: u32 = 256;
/// Bytes of the unit of freeing in old space.
pub const LINE: u32 = 256;
/// Bytes of a region of old space; no object of at most `MAX_SMALL` bytes crosses a region's end.
pub const REGION: u32 = 32 << 10;
/// Lines of a region: the bits of one `u128`.
pub const REGION_LINES: u32 = REGION / LINE;
/// A larger object begins at the first line of a region and may go on through the following ones.
pub const MAX_SMALL: u32 = REGION / 2;
/// Regions of old space; the last bytes of the span are never used, so that no end overflows.
pub const MAX_REGIONS: u32 = (u32::MAX - OLD) / REGION;
/// Bytes of each half of the nursery that keeps survivors of one collection within a turn.
pub const SURVIVORS: u32 = 64 << 10;
/// Where the newly made objects of the first chunk end.
pub const EDEN_END: u32 = NURSERY_END - 2 * SURVIVORS;
/// Bytes by which the nursery grows under native frames.
pub const CHUNK: u32 = 1 << 20;
/// An object of at most this many bytes, header included, is born young; a larger one in old space.
pub const MAX_YOUNG: u32 = 8192;

const _: () = assert!(DIRTY + ((u32::MAX - OLD) >> 8) < IC2);
const _: () = assert!(SLOTS >= STACK_END && DIRTY - 1 - ((u32::MAX - OLD) >> 6) >= SLOTS);
const _: () = assert!(REGION_LINES == u128::BITS && BLOCK == LINE && MAX_YOUNG <= MAX_SMALL && EDEN_END > NURSERY + MAX_YOUNG);
const _: () = assert!((NURSERY2_END - NURSERY2).is_multiple_of(CHUNK) && OLD.is_multiple_of(REGION));
const _: () = assert!(NURSERY_END <= IC && IC_END <= STACK && STACK_END <= DIRTY && NURSERY2_END == OLD);

/// Where the bit of an old slot lies in `SLOTS`: byte and mask.
#[inline(always)]
pub const fn slot_bit(slot: u32) -> (u32, u8) {
    (DIRTY - 1 - (slot.wrapping_sub(OLD) >> 6), 1 << ((slot >> 3) & 7))
}

/// An object's header: `kind : 8 | flags : 8 | n : 16 | x : 32`.
#[inline(always)]
pub const fn header(kind: u8, flags: u8, n: u16, x: u32) -> u64 {
    kind as u64 | (flags as u64) << 8 | (n as u64) << 16 | (x as u64) << 32
}
/// Byte offsets within the header.
pub const H_KIND: u16 = 0;
pub const H_FLAGS: u16 = 1;
pub const H_N: u16 = 2;
pub const H_X: u16 = 4;

/// Kind 0 is no object (free space); 255 is a forwarding word during evacuation.
pub const FREE: u8 = 0;
pub const FORWARD: u8 = 255;

/// Flag of an object that is never moved: born in old space, stays.
pub const PINNED: u8 = 0x80;

/// How many bytes an object takes, header included, before rounding up to 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// No such kind.
    None,
    /// `8 + 8 n`
    N,
    /// `8 + 8 x`
    XWords,
    /// `8 + x`
    XBytes,
    /// `8 + 2 x`
    XPairs,
    /// `8 + 8 x + 8 n`: x words and n more at the end.
    XWordsN,
    /// `8 + 8 k`, fixed.
    Fixed(u8),
}

/// Which words of an object are values. A word index counts from the header (0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// None: raw bytes.
    Raw,
    /// All from word `k` on.
    Values(u8),
    /// All from word `k` on, and `x` is the offset of the object's shape (an old, pinned object).
    Shaped(u8),
    /// All from word `k` on, weakly: one that nothing else holds becomes `TOMB`.
    Weak(u8),
    /// Pairs (key, value) from word `k` on: a value is held while its key is; a dead pair becomes (TOMB, UNDEF).
    /// Words 1 to k-1 are raw.
    Ephemerons(u8),
}

#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub name: &'static str,
    pub size: Size,
    pub trace: Trace,
}

pub const NO_KIND: Kind = Kind { name: "", size: Size::None, trace: Trace::Raw };

/// The embedder's kinds; the index is the kind byte of a header.
pub type Kinds = [Kind; 256];

/// Bytes that the object with header `h` takes, rounded up to 8; `None` if the header names no kind or passes the span.
#[inline]
pub fn size_of(kinds: &Kinds, h: u64) -> Option<u32> {
    let (n, x) = ((h >> 16) & 0xFFFF, h >> 32);
    let bytes = match kinds[h as u8 as usize].size {
        Size::None => return None,
        Size::N => 8 + 8 * n,
        Size::XWords => 8 + 8 * x,
        Size::XBytes => 8 + x,
        Size::XPairs => 8 + 2 * x,
        Size::XWordsN => 8 + 8 * x + 8 * n,
        Size::Fixed(k) => 8 + 8 * k as u64,
    };
    if bytes > (1 << 31) { None } else { Some((bytes as u32).next_multiple_of(8)) }
}
