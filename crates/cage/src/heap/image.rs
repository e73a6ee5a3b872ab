//! Images: a heap as bytes.
//!
//! ## Bytes
//! ```text
//! for each 179 regions    a table of 32 KiB, then their lines, 32 KiB a region; the last group ends with its last region
//! table                   4096 bytes, in the first group the header and zeros, in others zeros | an entry a region | zeros
//! header, 128 bytes       "drsescag" | version u32 | OLD u32 | REGION u32 | LINE u32 | 0 u64 | Book (64) | zeros | crc32c u32
//! entry, 160 bytes        used u128 | flags u8, three zeros | head u32 | crc32c u32 | 0 u32 | first [u8; 128]
//! ```
//! So all but the lines is read in few pieces, and a region's lines begin at a multiple of their length. An image without regions is the
//! header alone. In version 1 each entry stood before its region's lines, the first one after the header: it is read, and not written.
//!
//! Numbers are little-endian. The header's crc is over its first 124 bytes, a region's over its entry, with the crc's own
//! four bytes as zero, and its lines. What lies between these parts is written as zeros and not looked at. Lines not in use are zeros.
//! `first` is 0 for a line in which no object begins (one not in use, for example), else one more than the granule at which the first one
//! does: a region with nothing in it is all zeros.
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
use std::sync::Arc;
use std::{fmt, io};

const MAGIC: [u8; 8] = *b"drsescag";
const VERSION: u32 = 2;
pub(super) const HEADER: usize = 128;
pub(super) const BOOK_AT: usize = 32;
/// Where in an entry `first` begins.
pub(super) const FIRST_AT: usize = 32;
pub(super) const ENTRY_BYTES: usize = FIRST_AT + REGION_LINES as usize;
const REGION_BYTES: usize = REGION as usize;
/// Regions of a group.
const GROUP: usize = 179;
/// Bytes of a table, and where its entries begin.
const TABLE_BYTES: usize = REGION_BYTES;
const ENTRIES_AT: usize = 4096;
const GROUP_BYTES: usize = TABLE_BYTES + GROUP * REGION_BYTES;
const CRC_AT: usize = 24;
const _: () = assert!(BOOK_AT + BOOK_BYTES <= HEADER - 4 && HEADER <= ENTRIES_AT);
const _: () = assert!(ENTRIES_AT + GROUP * ENTRY_BYTES <= TABLE_BYTES);

/// Where the entry of region `r` begins.
pub(super) const fn entry_at(r: usize) -> usize {
    r / GROUP * GROUP_BYTES + ENTRIES_AT + r % GROUP * ENTRY_BYTES
}

/// Where the lines of region `r` begin.
pub(super) const fn lines_at(r: usize) -> usize {
    r / GROUP * GROUP_BYTES + TABLE_BYTES + r % GROUP * REGION_BYTES
}

/// Bytes of an image of so many regions.
pub(super) const fn len_of(regions: usize) -> usize {
    if regions == 0 { HEADER } else { lines_at(regions - 1) + REGION_BYTES }
}

/// The region whose entry or lines the byte at `at` belongs to; none: the header's.
pub(super) fn region_at(at: usize) -> Option<usize> {
    let (group, within) = (at / GROUP_BYTES, at % GROUP_BYTES);
    match within.checked_sub(TABLE_BYTES) {
        Some(of_lines) => Some(group * GROUP + of_lines / REGION_BYTES),
        None => Some(group * GROUP + within.checked_sub(ENTRIES_AT)? / ENTRY_BYTES),
    }
}

/// How an image is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Version 1.
    Mixed,
    Grouped,
}

impl Form {
    fn of(image: &[u8]) -> Option<Form> {
        match u32_at(image, 8)? {
            1 => Some(Form::Mixed),
            VERSION => Some(Form::Grouped),
            _ => None,
        }
    }
    fn entry_at(self, r: usize) -> usize {
        match self {
            Form::Mixed => HEADER + r * (ENTRY_BYTES + REGION_BYTES),
            Form::Grouped => entry_at(r),
        }
    }
    fn lines_at(self, r: usize) -> usize {
        match self {
            Form::Mixed => self.entry_at(r) + ENTRY_BYTES,
            Form::Grouped => lines_at(r),
        }
    }
    fn len_of(self, regions: usize) -> usize {
        match self {
            Form::Mixed => self.entry_at(regions),
            Form::Grouped => len_of(regions),
        }
    }
    /// The entry and the lines of a region. The image is long enough.
    fn region(self, image: &[u8], r: usize) -> (&[u8], &[u8]) {
        let (entry, lines) = (self.entry_at(r), self.lines_at(r));
        (&image[entry..entry + ENTRY_BYTES], &image[lines..lines + REGION_BYTES])
    }
}

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
    /// Whoever keeps the image could not read it.
    Read(String),
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
            ImageError::Read(_) => "CAGE-009",
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
            ImageError::Read(why) => write!(f, "the image cannot be read: {why}")?,
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
        let (form, regions, book) = parse(image)?;
        let mut bytes = Vec::with_capacity(regions.len() * REGION_BYTES);
        for r in 0..regions.len() {
            bytes.extend_from_slice(form.region(image, r).1);
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
        out.resize(len_of(self.regions.len()), 0);
        for (r, reg) in self.regions.iter().enumerate() {
            let entry = &mut out[entry_at(r)..][..ENTRY_BYTES];
            entry[..16].copy_from_slice(&reg.used.to_le_bytes());
            entry[16] = reg.meta.flags;
            entry[20..CRC_AT].copy_from_slice(&reg.meta.head.to_le_bytes());
            for (to, l) in entry[FIRST_AT..].iter_mut().zip(0..) {
                *to = if reg.used >> l & 1 == 1 { stored(reg.first[l as usize]) } else { 0 };
            }
            runs(reg.used, |a, n| {
                let to = lines_at(r) + (a * LINE) as usize;
                let _ = mem.bytes_out(OLD + r as u32 * REGION + a * LINE, &mut out[to..to + (n * LINE) as usize]);
            });
            seal_region(&mut out, Form::Grouped, r);
        }
        out
    }

    /// The heap that an image holds, in a cage of zeros.
    pub fn load(cage: &Cage, image: &[u8], kinds: &'static Kinds, limits: Limits) -> Result<Heap, ImageError> {
        let (form, regions, book) = parse(image)?;
        let mem = cage.mem();
        for (r, reg) in regions.iter().enumerate() {
            let lines = form.region(image, r).1;
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
        let (form, regions, book) = parse(image)?;
        base.map(cage).map_err(ImageError::Io)?;
        for r in 0..regions.len() {
            lay_over(cage.mem(), r, form.region(image, r).1);
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

    /// The heap that an image holds, of which `read` gives any stretch, in a cage that shares with `base` the pages that are the
    /// same. What lies beyond the base's regions is read when it is first touched. Checksums are not looked at: `read` does.
    ///
    /// An error of kind `Unsupported` where the system cannot tell of touches.
    pub fn load_at_touch(
        cage: &mut Cage,
        base: &Base,
        length: u64,
        read: Read,
        kinds: &'static Kinds,
        limits: Limits,
    ) -> Result<Heap, ImageError> {
        let (mut regions, book) = parse_tables(length, &read)?;
        base.map(cage).map_err(ImageError::Io)?;
        let shared = base.regions.len().min(regions.len());
        let mut lines = vec![0; REGION_BYTES];
        for r in 0..shared {
            read(lines_at(r) as u64, &mut lines).map_err(ImageError::Read)?;
            lay_over(cage.mem(), r, &lines);
        }
        let mut absent = Vec::with_capacity(regions.len() - shared);
        for reg in &mut regions[shared..] {
            reg.clean = reg.used == 0;
            absent.push(!reg.clean);
        }
        if !absent.is_empty() {
            let fetch = Box::new(move |piece, to: &mut [u8]| read(lines_at(shared + piece) as u64, to));
            cage.fetch_at_touch(OLD + shared as u32 * REGION, &absent, fetch).map_err(ImageError::Io)?;
        }
        let mut heap = Heap::with(kinds, limits, regions, book);
        heap.base_lines = base.lines();
        heap.absent = cage.absent().cloned();
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

/// Lays the lines of region `r` over what is there, page by page: what is the same stays shared.
fn lay_over(mem: Mem, r: usize, lines: &[u8]) {
    let mut now = [0; PAGE];
    for (i, page) in lines.chunks_exact(PAGE).enumerate() {
        let at = OLD + r as u32 * REGION + (i * PAGE) as u32;
        let _ = mem.bytes_out(at, &mut now);
        if page != now {
            let _ = mem.bytes_in(at, page);
        }
    }
}

fn region_crc(entry: &[u8], lines: &[u8]) -> u32 {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&entry[..CRC_AT]), &[0; 4]);
    crc32c::crc32c_append(crc32c::crc32c_append(crc, &entry[CRC_AT + 4..]), lines)
}

fn seal_region(image: &mut [u8], form: Form, r: usize) {
    let (entry, lines) = form.region(image, r);
    let crc = region_crc(entry, lines);
    let at = form.entry_at(r) + CRC_AT;
    image[at..at + 4].copy_from_slice(&crc.to_le_bytes());
}

/// Makes the checksum of one region right, in an image of this version.
pub(super) fn seal_one(image: &mut [u8], r: usize) {
    seal_region(image, Form::Grouped, r);
}

/// Makes all checksums right: of an image that was put together by patches, whose keeper has checksums of its own.
pub fn seal(image: &mut [u8]) {
    let Some(form) = Form::of(image).filter(|_| image.len() >= HEADER) else { return };
    seal_header(image);
    let regions = book_of(image).map_or(0, |b| b.regions.min(MAX_REGIONS) as usize);
    for r in (0..regions).take_while(|r| form.len_of(r + 1) <= image.len()).collect::<Vec<_>>() {
        seal_region(image, form, r);
    }
}

fn u32_at(b: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(b.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(super) fn book_of(image: &[u8]) -> Option<Book> {
    Some(Book::from_bytes(image.get(BOOK_AT..BOOK_AT + BOOK_BYTES)?.try_into().ok()?))
}

/// The header of an image, checked.
fn header_of(head: &[u8]) -> Result<(Form, Book), ImageError> {
    let short = ImageError::Length { is: head.len(), expected: HEADER };
    let Some(head) = head.get(..HEADER) else { return Err(short) };
    if head[..8] != MAGIC {
        return Err(ImageError::Magic);
    }
    let word = |at| u32_at(head, at).unwrap_or(0);
    let Some(form) = Form::of(head) else { return Err(ImageError::Version { found: word(8) }) };
    if crc32c::crc32c(&head[..HEADER - 4]) != word(HEADER - 4) {
        return Err(ImageError::Checksum { region: None });
    }
    if [word(12), word(16), word(20)] != [OLD, REGION, LINE] {
        return Err(ImageError::Layout);
    }
    let Some(book) = book_of(head) else { return Err(short) };
    if book.regions > MAX_REGIONS {
        return Err(ImageError::Bookkeeping { what: "too many regions", region: book.regions });
    }
    Ok((form, book))
}

/// Reads bytes of an image from an offset on, or says why it cannot.
pub type Read = Arc<dyn Fn(u64, &mut [u8]) -> Result<(), String> + Send + Sync>;

/// Bookkeeping of an image that is read table by table, checked but for checksums.
fn parse_tables(length: u64, read: &Read) -> Result<(Vec<Region>, Book), ImageError> {
    let mut table = vec![0; TABLE_BYTES];
    read(0, &mut table[..HEADER]).map_err(ImageError::Read)?;
    seal_header(&mut table);
    let (form, book) = header_of(&table)?;
    let count = book.regions as usize;
    if form != Form::Grouped {
        return Err(ImageError::Version { found: 1 });
    }
    if length != len_of(count) as u64 {
        return Err(ImageError::Length { is: usize::try_from(length).unwrap_or(usize::MAX), expected: len_of(count) });
    }
    let mut regions = Vec::with_capacity(count);
    for group in 0..count.div_ceil(GROUP) {
        read((group * GROUP_BYTES) as u64, &mut table).map_err(ImageError::Read)?;
        for r in group * GROUP..count.min((group + 1) * GROUP) {
            regions.push(region_of(&table[entry_at(r % GROUP)..][..ENTRY_BYTES], r as u32)?);
        }
    }
    check(&regions, &book)?;
    Ok((regions, book))
}

/// Bookkeeping of an image, checked.
fn parse(image: &[u8]) -> Result<(Form, Vec<Region>, Book), ImageError> {
    let (form, book) = header_of(image)?;
    let expected = form.len_of(book.regions as usize);
    if image.len() != expected {
        return Err(ImageError::Length { is: image.len(), expected });
    }
    let mut regions = Vec::with_capacity(book.regions as usize);
    for r in 0..book.regions {
        let (entry, lines) = form.region(image, r as usize);
        if u32_at(entry, CRC_AT) != Some(region_crc(entry, lines)) {
            return Err(ImageError::Checksum { region: Some(r) });
        }
        regions.push(region_of(entry, r)?);
    }
    check(&regions, &book)?;
    Ok((form, regions, book))
}

fn region_of(entry: &[u8], r: u32) -> Result<Region, ImageError> {
    let mut reg = Region::new(false);
    let mut used = [0; 16];
    used.copy_from_slice(&entry[..16]);
    reg.used = u128::from_le_bytes(used);
    reg.meta = Meta { flags: entry[16], head: u32_at(entry, 20).unwrap_or(0) };
    reg.before = reg.used;
    reg.meta_before = reg.meta;
    for (to, b) in reg.first.iter_mut().zip(&entry[FIRST_AT..]) {
        *to = if *b == 0 { NO_START } else { *b - 1 };
    }
    if reg.meta.flags & !R_ALL != 0 || entry[17..20] != [0; 3] {
        return Err(ImageError::Bookkeeping { what: "unknown flags", region: r });
    }
    if entry[FIRST_AT..].iter().any(|b| *b > NO_START) {
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
