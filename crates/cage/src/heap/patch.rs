//! Deltas as patches: which bytes of an image a turn changed.
//!
//! In: the bytes of a delta (`turn` draws them), of anyone. Out: offsets in the image (`image` draws it) and the bytes that
//! stand there now.
//!
//! Invariants
//! - the image of a commit, made as long as `image_len` says with zeros, and patched, is the image of the next commit but for the
//!   checksums, which no patch touches: `seal` makes them;
//! - the image need not be at hand: no patch depends on what was there;
//! - a delta that is cut off or malformed gives an error, after some of its patches perhaps.
//!
//! Must never know: files.
use super::image::{BOOK_AT, FIRST_AT, ImageError, book_of, entry_at, len_of, lines_at, region_at, seal_header, seal_one};
use super::old::{BOOK_BYTES, Book};
use super::region::{NO_START, runs};
use super::turn::{D_BLOCK, D_BOOK, D_LINES, D_REGION, SAME};
use crate::layout::*;

const LINE_BYTES: usize = LINE as usize;
static ZEROS: [u8; REGION as usize] = [0; REGION as usize];

/// Says of each stretch of the image that `delta` changed where it is and what it holds now.
pub fn image_patches(delta: &[u8], mut each: impl FnMut(u64, &[u8])) -> Result<(), ImageError> {
    let mut at = 0;
    while at < delta.len() {
        at = record(delta, at, &mut each).ok_or(ImageError::Delta { at })?;
    }
    Ok(())
}

/// Bytes of the image after `delta`; `None`: as many as before it (or it is no delta).
pub fn image_len(delta: &[u8]) -> Option<u64> {
    regions_after(delta).map(|n| len_of(n) as u64)
}

fn regions_after(delta: &[u8]) -> Option<usize> {
    let (kind, _, rest) = head(delta, 0)?;
    if kind != D_BOOK {
        return None;
    }
    let book = Book::from_bytes(delta.get(rest..rest + BOOK_BYTES)?.try_into().ok()?);
    (book.regions <= MAX_REGIONS).then_some(book.regions as usize)
}

/// Lays a delta onto the image of the commit before it.
pub fn apply_delta(image: &mut Vec<u8>, delta: &[u8]) -> Result<(), ImageError> {
    let before = book_of(image).map_or(0, |b| b.regions as usize);
    let after = regions_after(delta).unwrap_or(before);
    if image.len() != len_of(before) {
        return Err(ImageError::Length { is: image.len(), expected: len_of(before) });
    }
    if after < before {
        return Err(ImageError::Delta { at: 0 });
    }
    image.resize(len_of(after), 0);
    let mut dirty = vec![false; after];
    dirty[before..].fill(true);
    let mut fits = true;
    image_patches(delta, |at, bytes| {
        let at = at as usize;
        let Some(to) = image.get_mut(at..at + bytes.len()) else {
            fits = false;
            return;
        };
        to.copy_from_slice(bytes);
        if let Some(dirty) = region_at(at).and_then(|r| dirty.get_mut(r)) {
            *dirty = true;
        }
    })?;
    if !fits {
        return Err(ImageError::Delta { at: 0 });
    }
    for (r, _) in dirty.iter().enumerate().filter(|(_, d)| **d) {
        seal_one(image, r);
    }
    seal_header(image);
    Ok(())
}

/// Kind and offset of the record at `at`, and where its rest begins.
fn head(d: &[u8], at: usize) -> Option<(u8, u32, usize)> {
    let word = u32::from_le_bytes(d.get(at..at + 4)?.try_into().ok()?);
    Some((word as u8, word & !255, at + 4))
}

/// Where in the image a region's entry and lines begin.
#[derive(Clone, Copy)]
struct Places {
    entry: usize,
    lines: usize,
}

/// The patches of one record; where the next one begins.
fn record(d: &[u8], at: usize, each: &mut impl FnMut(u64, &[u8])) -> Option<usize> {
    let (kind, off, p) = head(d, at)?;
    let (r, line) = (off / REGION, (off / LINE % REGION_LINES) as usize);
    if r >= MAX_REGIONS {
        return None;
    }
    let places = Places { entry: entry_at(r as usize), lines: lines_at(r as usize) };
    match kind {
        D_BOOK if at == 0 && off == 0 => {
            let bytes = d.get(p..p + BOOK_BYTES)?;
            image_len(d)?;
            each(BOOK_AT as u64, bytes);
            Some(p + BOOK_BYTES)
        }
        D_BLOCK => block(d, p, places, line, each),
        D_LINES => lines(d, p, places, line, each),
        D_REGION if line == 0 => region(d, p, places, each),
        _ => None,
    }
}

fn block(d: &[u8], p: usize, at: Places, line: usize, each: &mut impl FnMut(u64, &[u8])) -> Option<usize> {
    let (first, mask) = (d.get(p..p + 1)?, *d.get(p + 1)?);
    let parts = d.get(p + 2..p + 2 + mask.count_ones() as usize * 32)?;
    match first[0] {
        SAME => {}
        0..=NO_START => each((at.entry + FIRST_AT + line) as u64, first),
        _ => return None,
    }
    let mut from = 0;
    runs(mask as u128, |i, n| {
        let to = from + n as usize * 32;
        each((at.lines + line * LINE_BYTES + i as usize * 32) as u64, &parts[from..to]);
        from = to;
    });
    Some(p + 2 + parts.len())
}

/// Before they came into use the lines were zeros, so that the rest of the last one needs no patch.
fn lines(d: &[u8], p: usize, at: Places, line: usize, each: &mut impl FnMut(u64, &[u8])) -> Option<usize> {
    let len = u32::from_le_bytes(d.get(p..p + 4)?.try_into().ok()?) as usize;
    let n = len.div_ceil(LINE_BYTES);
    if n == 0 || line + n > REGION_LINES as usize {
        return None;
    }
    let (low, high) = (line / 8, (line + n - 1) / 8 + 1);
    let firsts_at = p + 4;
    let used_at = firsts_at + n;
    let bytes_at = used_at + (high - low);
    let (firsts, used) = (d.get(firsts_at..used_at)?, d.get(used_at..bytes_at)?);
    let bytes = d.get(bytes_at..bytes_at + len)?;
    let begun = (line..line + n).all(|l| used[l / 8 - low] >> (l % 8) & 1 == 1);
    if !begun || firsts.iter().any(|f| *f > NO_START) {
        return None;
    }
    each((at.entry + low) as u64, used);
    each((at.entry + FIRST_AT + line) as u64, firsts);
    each((at.lines + line * LINE_BYTES) as u64, bytes);
    Some(bytes_at + len)
}

fn region(d: &[u8], p: usize, at: Places, each: &mut impl FnMut(u64, &[u8])) -> Option<usize> {
    const MASK: usize = 16;
    const HEAD: usize = MASK + 8;
    let freed = u128::from_le_bytes(d.get(p..p + MASK)?.try_into().ok()?);
    let now = d.get(p + MASK..p + MASK + HEAD)?;
    let used = u128::from_le_bytes(now.get(..MASK)?.try_into().ok()?);
    if freed & used != 0 {
        return None;
    }
    each(at.entry as u64, now);
    runs(freed, |a, n| {
        let (a, n) = (a as usize, n as usize);
        each((at.entry + FIRST_AT + a) as u64, &ZEROS[..n]);
        each((at.lines + a * LINE_BYTES) as u64, &ZEROS[..n * LINE_BYTES]);
    });
    Some(p + MASK + HEAD)
}
