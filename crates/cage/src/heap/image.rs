//! Images: a heap as bytes.
//!
//! ## Bytes
//! ```text
//! header, 128 bytes       "drsescag" | version u32 | OLD u32 | REGION u32 | LINE u32 | 0 u64 | Book (64) | zeros | crc32c u32
//! then for each region    used u128 | flags u8, three zeros | head u32 | crc32c u32 | 0 u32 | first [u8; 128] | its 32 KiB
//! ```
//! Numbers are little-endian. The header's crc is over its first 124 bytes, a region's over its bytes with the crc's own
//! four as zero. Lines not in use are zeros. `first` is 0 for a line in which no object begins (one not in use, for example),
//! else one more than the granule at which the first one does: a region with nothing in it is all zeros.
//!
//! Invariants
//! - an image of a heap at a commit, and the images of the commits before it with the deltas since, are the same bytes;
//! - whatever the bytes, `load` gives a heap or an error; the bookkeeping of a heap it gave is consistent with itself
//!   (what the objects hold is not looked at: no access can leave the cage whatever they say).
//!
//! Must never know: files.
use super::old::{BOOK_BYTES, Book, Hole, line_of};
use super::region::{Meta, NO_START, R_ALL, R_LARGE, R_PINNED, Region, runs};
use super::{Heap, Limits};
use crate::layout::*;
use crate::mem::{BaseImage, Cage, Mem, PAGE};
use std::{fmt, io};

const MAGIC: [u8; 8] = *b"drsescag";
const VERSION: u32 = 1;
pub(super) const HEADER: usize = 128;
pub(super) const BOOK_AT: usize = 32;
pub(super) const META: usize = 32;
pub(super) const LINES_AT: usize = META + REGION_LINES as usize;
/// Bytes of an image for each region.
pub(super) const CHUNK_BYTES: usize = LINES_AT + REGION as usize;
const CRC_AT: usize = 24;
const _: () = assert!(BOOK_AT + BOOK_BYTES <= HEADER - 4);

/// Why bytes are no image, or no delta for this image.
#[derive(Debug)]
#[non_exhaustive]
pub enum ImageError {
    /// Too short, or not as long as its header says.
    Length {
        is: usize,
        expected: usize,
    },
    /// Does not begin as an image does.
    Magic,
    Version {
        found: u32,
    },
    /// Made for another layout of the cage.
    Layout,
    /// Bytes changed since they were written; region, or `None` for the header.
    Checksum {
        region: Option<u32>,
    },
    /// The bookkeeping contradicts itself.
    Bookkeeping {
        what: &'static str,
        region: u32,
    },
    /// A delta's record at this position is malformed or does not fit the image.
    Delta {
        at: usize,
    },
    /// The machine refused memory.
    Io(io::Error),
}

impl ImageError {
    /// A stable name.
    pub fn code(&self) -> &'static str {
        match self {
            ImageError::Length { .. } => "CAGE-001",
            ImageError::Magic => "CAGE-002",
            ImageError::Version { .. } => "CAGE-003",
            ImageError::Layout => "CAGE-004",
            ImageError::Checksum { .. } => "CAGE-005",
            ImageError::Bookkeeping { .. } => "CAGE-006",
            ImageError::Delta { .. } => "CAGE-007",
            ImageError::Io(_) => "CAGE-008",
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            ImageError::Magic => "name a file that holds a heap image",
            ImageError::Version { .. } | ImageError::Layout => "open it with the release that wrote it and export it from there",
            ImageError::Io(_) => "free memory or raise the process's limits on address space and mappings",
            ImageError::Delta { .. } => "apply each delta once, in the order of its commits, to the image they began from",
            _ => "restore the image from a backup or from an earlier image and the deltas after it",
        }
    }
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.code())?;
        match self {
            ImageError::Length { is, expected } => write!(f, "the image has {is} bytes where {expected} are expected")?,
            ImageError::Magic => write!(f, "these bytes are no heap image")?,
            ImageError::Version { found } => write!(f, "the image has version {found}, this program reads {VERSION}")?,
            ImageError::Layout => write!(f, "the image was made for another layout of the heap")?,
            ImageError::Checksum { region: None } => write!(f, "the header's checksum does not match")?,
            ImageError::Checksum { region: Some(r) } => write!(f, "the checksum of region {r} does not match")?,
            ImageError::Bookkeeping { what, region } => write!(f, "the bookkeeping of region {region} is wrong: {what}")?,
            ImageError::Delta { at } => write!(f, "the delta does not fit the image at byte {at}")?,
            ImageError::Io(e) => write!(f, "no memory for the image: {e}")?,
        }
        write!(f, "; {}", self.remedy())
    }
}

impl std::error::Error for ImageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if let ImageError::Io(e) = self { Some(e) } else { None }
    }
}

/// An image that many cages begin with, mapped copy-on-write.
#[derive(Debug)]
pub struct Base {
    pages: BaseImage,
    regions: Vec<Region>,
    book: Book,
}

impl Base {
    /// Checks an image and lays its bytes ready.
    pub fn new(image: &[u8]) -> Result<Base, ImageError> {
        let (regions, book) = parse(image)?;
        let mut bytes = Vec::with_capacity(regions.len() * REGION as usize);
        for r in 0..regions.len() {
            bytes.extend_from_slice(&chunk(image, r)[LINES_AT..]);
        }
        Ok(Base { pages: BaseImage::new(&bytes).map_err(ImageError::Io)?, regions, book })
    }

    /// Bytes mapped.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The lines of each region that are in use.
    fn lines(&self) -> Vec<u128> {
        self.regions.iter().map(|r| r.used).collect()
    }

    fn map(&self, cage: &mut Cage) -> io::Result<()> {
        debug_assert!(self.pages.len().is_multiple_of(PAGE));
        if self.is_empty() { Ok(()) } else { cage.map_base(OLD, &self.pages) }
    }
}

impl Heap {
    /// The heap as bytes: call it after a commit.
    pub fn save(&self, mem: Mem) -> Vec<u8> {
        debug_assert!(self.changed.is_empty() && self.undo.len() == 0, "an image is made between turns");
        let mut out = header_bytes(&self.book);
        out.reserve(self.regions.len() * CHUNK_BYTES);
        for (r, reg) in self.regions.iter().enumerate() {
            let at = out.len();
            out.extend_from_slice(&reg.used.to_le_bytes());
            out.extend_from_slice(&(reg.meta.flags as u32).to_le_bytes());
            out.extend_from_slice(&reg.meta.head.to_le_bytes());
            out.extend_from_slice(&[0; 8]);
            out.extend((0..REGION_LINES).map(|l| if reg.used >> l & 1 == 1 { stored(reg.first[l as usize]) } else { 0 }));
            out.resize(at + CHUNK_BYTES, 0);
            runs(reg.used, |a, n| {
                let to = at + LINES_AT + (a * LINE) as usize;
                let _ = mem.bytes_out(OLD + r as u32 * REGION + a * LINE, &mut out[to..to + (n * LINE) as usize]);
            });
            seal_chunk(&mut out[at..]);
        }
        out
    }

    /// The heap that an image holds, in a cage of zeros.
    pub fn load(cage: &Cage, image: &[u8], kinds: &'static Kinds, limits: Limits) -> Result<Heap, ImageError> {
        let (regions, book) = parse(image)?;
        let mem = cage.mem();
        for (r, reg) in regions.iter().enumerate() {
            let lines = &chunk(image, r)[LINES_AT..];
            runs(reg.used, |a, n| {
                let bytes = &lines[(a * LINE) as usize..((a + n) * LINE) as usize];
                let _ = mem.bytes_in(OLD + r as u32 * REGION + a * LINE, bytes);
            });
        }
        Ok(Heap::with(kinds, limits, regions, book))
    }

    /// The heap that an image holds, in a cage that shares with `base` the pages that are the same.
    pub fn load_on(
        cage: &mut Cage,
        base: &Base,
        image: &[u8],
        kinds: &'static Kinds,
        limits: Limits,
    ) -> Result<Heap, ImageError> {
        let (regions, book) = parse(image)?;
        base.map(cage).map_err(ImageError::Io)?;
        let mem = cage.mem();
        let mut now = [0; PAGE];
        for r in 0..regions.len() {
            for (i, page) in chunk(image, r)[LINES_AT..].chunks_exact(PAGE).enumerate() {
                let at = OLD + r as u32 * REGION + (i * PAGE) as u32;
                let _ = mem.bytes_out(at, &mut now);
                if page != now {
                    let _ = mem.bytes_in(at, page);
                }
            }
        }
        let mut heap = Heap::with(kinds, limits, regions, book);
        heap.base_lines = base.lines();
        Ok(heap)
    }

    /// A new heap that begins as `base`, in a cage of zeros.
    pub fn on_base(cage: &mut Cage, base: &Base, kinds: &'static Kinds, limits: Limits) -> io::Result<Heap> {
        base.map(cage)?;
        let mut heap = Heap::with(kinds, limits, base.regions.clone(), base.book);
        heap.base_lines = base.lines();
        Ok(heap)
    }

    fn with(kinds: &'static Kinds, limits: Limits, regions: Vec<Region>, book: Book) -> Heap {
        let mut heap = Heap::new(kinds, limits);
        debug_assert!(regions.len() == book.regions as usize);
        heap.touched = regions.len();
        heap.regions = regions;
        heap.book = book;
        heap.book_before = book;
        heap
    }
}

fn header_bytes(book: &Book) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER);
    out.extend_from_slice(&MAGIC);
    for w in [VERSION, OLD, REGION, LINE, 0, 0] {
        out.extend_from_slice(&w.to_le_bytes());
    }
    out.extend_from_slice(&book.to_bytes());
    out.resize(HEADER, 0);
    seal_header(&mut out);
    out
}

pub(super) fn seal_header(image: &mut [u8]) {
    let crc = crc32c::crc32c(&image[..HEADER - 4]);
    image[HEADER - 4..HEADER].copy_from_slice(&crc.to_le_bytes());
}

/// `first` of a line as it is stored.
pub(super) fn stored(first: u8) -> u8 {
    debug_assert!(first <= NO_START);
    (first + 1) % (NO_START + 1)
}

fn chunk_crc(chunk: &[u8]) -> u32 {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&chunk[..CRC_AT]), &[0; 4]);
    crc32c::crc32c_append(crc, &chunk[CRC_AT + 4..CHUNK_BYTES])
}

pub(super) fn seal_chunk(chunk: &mut [u8]) {
    let crc = chunk_crc(chunk);
    chunk[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
}

/// Makes all checksums right: of an image that was put together by patches, whose keeper has checksums of its own.
pub fn seal(image: &mut [u8]) {
    if image.len() >= HEADER {
        seal_header(image);
        image[HEADER..].chunks_exact_mut(CHUNK_BYTES).for_each(seal_chunk);
    }
}

fn chunk(image: &[u8], r: usize) -> &[u8] {
    &image[HEADER + r * CHUNK_BYTES..HEADER + (r + 1) * CHUNK_BYTES]
}

fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(b.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(super) fn book_of(image: &[u8]) -> Option<Book> {
    Some(Book::from_bytes(image.get(BOOK_AT..BOOK_AT + BOOK_BYTES)?.try_into().ok()?))
}

/// Bookkeeping of an image, checked.
fn parse(image: &[u8]) -> Result<(Vec<Region>, Book), ImageError> {
    let short = ImageError::Length { is: image.len(), expected: HEADER };
    let Some(head) = image.get(..HEADER) else { return Err(short) };
    if head[..8] != MAGIC {
        return Err(ImageError::Magic);
    }
    let word = |at| u32_at(head, at).unwrap_or(0);
    if word(8) != VERSION {
        return Err(ImageError::Version { found: word(8) });
    }
    if crc32c::crc32c(&head[..HEADER - 4]) != word(HEADER - 4) {
        return Err(ImageError::Checksum { region: None });
    }
    if [word(12), word(16), word(20)] != [OLD, REGION, LINE] {
        return Err(ImageError::Layout);
    }
    let Some(book) = book_of(image) else { return Err(short) };
    if book.regions > MAX_REGIONS {
        return Err(ImageError::Bookkeeping { what: "too many regions", region: book.regions });
    }
    let expected = HEADER + book.regions as usize * CHUNK_BYTES;
    if image.len() != expected {
        return Err(ImageError::Length { is: image.len(), expected });
    }
    let mut regions = Vec::with_capacity(book.regions as usize);
    for r in 0..book.regions {
        regions.push(region_of(chunk(image, r as usize), r)?);
    }
    check(&regions, &book)?;
    Ok((regions, book))
}

fn region_of(chunk: &[u8], r: u32) -> Result<Region, ImageError> {
    if u32_at(chunk, CRC_AT) != Some(chunk_crc(chunk)) {
        return Err(ImageError::Checksum { region: Some(r) });
    }
    let mut reg = Region::new(false);
    let mut used = [0; 16];
    used.copy_from_slice(&chunk[..16]);
    reg.used = u128::from_le_bytes(used);
    reg.meta = Meta { flags: chunk[16], head: u32_at(chunk, 20).unwrap_or(0) };
    reg.before = reg.used;
    reg.meta_before = reg.meta;
    for (to, b) in reg.first.iter_mut().zip(&chunk[META..LINES_AT]) {
        *to = if *b == 0 { NO_START } else { *b - 1 };
    }
    if reg.meta.flags & !R_ALL != 0 || chunk[17..20] != [0; 3] {
        return Err(ImageError::Bookkeeping { what: "unknown flags", region: r });
    }
    if chunk[META..LINES_AT].iter().any(|b| *b > NO_START) {
        return Err(ImageError::Bookkeeping { what: "an object begins outside its line", region: r });
    }
    Ok(reg)
}

/// Is the bookkeeping consistent with itself, so that the allocator may rely on it?
pub(super) fn check(regions: &[Region], book: &Book) -> Result<(), ImageError> {
    let bad = |what, region: usize| Err(ImageError::Bookkeeping { what, region: region as u32 });
    let mut used = 0;
    for (r, reg) in regions.iter().enumerate() {
        used += reg.used.count_ones();
        let (flags, head) = (reg.meta.flags, reg.meta.head);
        if flags & R_LARGE != 0 {
            let whole = head >= OLD && (head - OLD).is_multiple_of(REGION);
            let from = (head.wrapping_sub(OLD) / REGION) as usize;
            let same = |other: Meta| other.flags & R_LARGE != 0 && other.head == head;
            if !whole || from > r || !same(regions[from].meta) || regions[from].first[0] != 0 {
                return bad("the large object in it begins nowhere", r);
            }
        } else if head != 0 {
            return bad("it names a large object and has none", r);
        }
    }
    if used != book.used_lines {
        return bad("lines in use are miscounted", 0);
    }
    if book.next.iter().any(|n| *n > book.regions * REGION_LINES) {
        return bad("the search for free lines begins outside", 0);
    }
    let mut seen = Vec::new();
    for (class, hole) in book.holes.iter().enumerate().filter(|(_, h)| **h != Hole::default()) {
        let Some(r) = check_hole(regions, hole) else { return bad("a hole of the allocator is no room", class) };
        if seen.contains(&r) || (regions[r].meta.flags & R_PINNED != 0) != (class == 2) {
            return bad("a hole of the allocator lies in a wrong region", r);
        }
        if hole.cur < hole.end {
            seen.push(r);
        }
    }
    Ok(())
}

/// The region of a hole that is one.
fn check_hole(regions: &[Region], h: &Hole) -> Option<usize> {
    let whole = h.cur >= OLD && h.end > OLD && h.cur <= h.end && h.cur.is_multiple_of(8) && h.end.is_multiple_of(LINE);
    if !whole {
        return None;
    }
    let (r, last) = line_of(h.end - 1);
    let reg = regions.get(r)?;
    if h.cur == h.end {
        return Some(r);
    }
    let (from, line) = line_of(h.cur);
    let fresh = line + !h.cur.is_multiple_of(LINE) as u32;
    let begun = h.cur.is_multiple_of(LINE) || reg.used >> line & 1 == 1;
    let free = (fresh..=last).all(|l| reg.used >> l & 1 == 0);
    (from == r && begun && free).then_some(r)
}
