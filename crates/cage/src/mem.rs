//! The reservation and the accessors: where all `unsafe` about the heap lives.
//!
//! In: offsets (`u32`) and displacements (`u16`). Out: plain integers.
//!
//! Invariants
//! - a `Cage` owns `RESERVED` bytes, `SPAN + GUARD` and what makes them whole, readable and writable at all times, nothing resident until touched;
//! - an address is base + wrapping `u32` sum + `u16`, an access at most 16 bytes: always inside `SPAN + GUARD`;
//! - no Rust reference ever points into a cage; everything read is plain data, valid for every bit pattern;
//! - `Mem` and `Win` borrow the cage and never leave its thread.
use crate::touch::Absent;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous, munmap};
use std::{cell::Cell, ffi::c_void, io, marker::PhantomData, os::fd::OwnedFd, ptr::NonNull, sync::Arc};

/// Bytes of a cage.
pub const SPAN: usize = 1 << 32;
/// Bytes reserved past the span, so that offset + displacement + 16 never leaves the reservation.
pub const GUARD: usize = 128 << 10;
/// Bytes of a page of the machine.
pub const PAGE: usize = 4096;

/// What one cage reserves: whole units of a page table's page, so that no cage's pages lie in more of them than they must.
const RESERVED: usize = (SPAN + GUARD).next_multiple_of(2 << 20);
const _: () = assert!(GUARD >= (64 << 10) + 16 && GUARD.is_multiple_of(PAGE));

/// Owner of one reservation.
#[derive(Debug)]
pub struct Cage {
    base: NonNull<u8>,
    /// What is fetched when it is touched.
    pub(crate) absent: Option<Arc<Absent>>,
}

// SAFETY: a `Cage` is the unique owner of its mapping; every `Mem` and `Win` borrows it and is `!Send`,
// so when a cage moves to another thread nothing on the old thread can still reach its bytes.
unsafe impl Send for Cage {}

/// Sealed bytes that many cages map copy-on-write.
#[derive(Debug)]
pub struct BaseImage {
    fd: OwnedFd,
    len: usize,
}

/// A copyable right to read and write every byte of one cage.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Mem<'c> {
    base: NonNull<u8>,
    life: PhantomData<&'c Cell<u8>>,
}

/// 256 eight-byte registers from some offset of the cage. Invariant: base <= ptr < base + SPAN.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Win<'c> {
    ptr: NonNull<u8>,
    life: PhantomData<&'c Cell<u8>>,
}

impl Cage {
    /// Reserves a cage of zeros. Fails when the address space or the process's map count is exhausted.
    pub fn new() -> io::Result<Cage> {
        // SAFETY: a fresh mapping at an address the kernel picks.
        let p = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                RESERVED,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )?
        };
        Ok(Cage { base: NonNull::new(p.cast()).ok_or(io::ErrorKind::OutOfMemory)?, absent: None })
    }

    fn at(&self, off: u32, len: usize) -> *mut c_void {
        assert!(off as usize + len <= SPAN + GUARD, "range leaves the cage");
        assert!((off as usize | len).is_multiple_of(PAGE), "range is not of whole pages");
        // SAFETY: in bounds of the reservation, checked above.
        unsafe { self.base.as_ptr().add(off as usize).cast() }
    }

    /// The address of whole pages of the cage.
    pub(crate) fn address(&self, off: u32, len: usize) -> usize {
        self.at(off, len) as usize
    }

    /// What of it is still to be fetched.
    pub fn absent(&self) -> Option<&Arc<Absent>> {
        self.absent.as_ref()
    }

    /// Lays `image` copy-on-write at `off`. `&mut self`: no `Mem` is alive that remembers the old bytes.
    pub fn map_base(&mut self, off: u32, image: &BaseImage) -> io::Result<()> {
        let at = self.at(off, image.len);
        // SAFETY: replaces pages of our own reservation by pages of a sealed memfd, which cannot shrink (no SIGBUS).
        unsafe { mmap(at, image.len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::FIXED, &image.fd, 0)? };
        Ok(())
    }

    /// Gives the pages back; anonymous ones read as zero afterwards, mapped ones as their image.
    pub fn discard(&mut self, off: u32, len: usize) -> io::Result<()> {
        // SAFETY: drops private pages of our own reservation.
        unsafe { madvise(self.at(off, len), len, Advice::LinuxDontNeed)? };
        Ok(())
    }

    /// The right to read and write this cage's bytes.
    #[inline]
    pub fn mem(&self) -> Mem<'_> {
        Mem { base: self.base, life: PhantomData }
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        if let Some(absent) = &self.absent {
            crate::touch::ended(absent);
        }
        // SAFETY: every Mem and Win borrows the cage, so none is left; the mapping is ours alone.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), RESERVED) };
    }
}

impl BaseImage {
    /// Copies `bytes` to a sealed memory file.
    pub fn new(bytes: &[u8]) -> io::Result<BaseImage> {
        let len = bytes.len().next_multiple_of(PAGE);
        let fd = memfd_create("drses-base", MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC)?;
        rustix::fs::ftruncate(&fd, len as u64)?;
        let mut done = 0;
        while done < bytes.len() {
            done += rustix::io::pwrite(&fd, &bytes[done..], done as u64)?;
        }
        fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
        Ok(BaseImage { fd, len })
    }

    /// Bytes, a multiple of `PAGE`.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

// `ptr.read_unaligned()` would call core's checks with the address of a local under debug assertions,
// which costs the interpreter its tail calls; a packed struct does the same access without.
#[derive(Clone, Copy)]
#[repr(C, packed)]
struct Packed<T>(T);

macro_rules! rw {
    ($r:ident, $w:ident, $t:ty) => {
        #[inline(always)]
        pub fn $r(self, off: u32, disp: u16) -> $t {
            // SAFETY: off + disp + 16 <= SPAN + GUARD, all reserved and readable; plain data, no reference is made.
            unsafe { (*self.base.as_ptr().wrapping_add(off as usize).wrapping_add(disp as usize).cast::<Packed<$t>>()).0 }
        }
        #[inline(always)]
        pub fn $w(self, off: u32, disp: u16, v: $t) {
            // SAFETY: as for the read; one thread, and no Rust reference points into a cage.
            unsafe { (*self.base.as_ptr().wrapping_add(off as usize).wrapping_add(disp as usize).cast::<Packed<$t>>()).0 = v }
        }
    };
}

impl<'c> Mem<'c> {
    rw!(r64, w64, u64);
    rw!(r32, w32, u32);
    rw!(r16, w16, u16);
    rw!(r8, w8, u8);

    /// The register window at `off`.
    #[inline(always)]
    pub fn win(self, off: u32) -> Win<'c> {
        // SAFETY: a u32 offset is inside the reservation, so the sum is not null and keeps the invariant of `Win`.
        Win { ptr: unsafe { NonNull::new_unchecked(self.base.as_ptr().wrapping_add(off as usize)) }, life: PhantomData }
    }

    /// Where a window lies.
    #[inline(always)]
    pub fn off(self, w: Win<'c>) -> u32 {
        (w.ptr.as_ptr() as usize).wrapping_sub(self.base.as_ptr() as usize) as u32
    }

    /// Copies bytes out; `None` if the range leaves the span.
    #[inline]
    #[must_use]
    pub fn bytes_out(self, off: u32, to: &mut [u8]) -> Option<()> {
        if off as usize + to.len() > SPAN {
            return None;
        }
        // SAFETY: in range, checked; `to` is Rust memory and cannot overlap a cage.
        unsafe { self.base.as_ptr().add(off as usize).copy_to_nonoverlapping(to.as_mut_ptr(), to.len()) };
        Some(())
    }

    /// Copies bytes in; `None` if the range leaves the span.
    #[inline]
    #[must_use]
    pub fn bytes_in(self, off: u32, from: &[u8]) -> Option<()> {
        if off as usize + from.len() > SPAN {
            return None;
        }
        // SAFETY: in range, checked; `from` is Rust memory and cannot overlap a cage.
        unsafe { self.base.as_ptr().add(off as usize).copy_from_nonoverlapping(from.as_ptr(), from.len()) };
        Some(())
    }

    /// Appends bytes of the cage to `to`; `None` if the range leaves the span.
    #[inline]
    #[must_use]
    pub fn append(self, off: u32, len: u32, to: &mut Vec<u8>) -> Option<()> {
        let at = to.len();
        to.resize(at + len as usize, 0);
        self.bytes_out(off, &mut to[at..])
    }

    /// Are these bytes zero? At most 4 KiB are looked at.
    #[inline]
    pub fn is_zero(self, off: u32, len: u32) -> bool {
        const ZEROS: [u8; 4096] = [0; 4096];
        let len = (len as usize).min(ZEROS.len()).min(SPAN - off as usize);
        // SAFETY: in range, just clipped; bytes of any pattern; nothing writes to the cage before the slice is gone, since
        // one thread has it and the comparison calls nothing of ours.
        let bytes = unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(off as usize), len) };
        *bytes == ZEROS[..len]
    }

    /// Appends the 256 bytes from `off` on to `to`.
    #[inline]
    pub fn push_block(self, off: u32, to: &mut Vec<u8>) {
        to.reserve(256);
        // SAFETY: `off` is below 4 GiB and 256 bytes from there end within the guard that follows the span; `to` is Rust memory,
        // which cannot overlap a cage, and has room for as many behind what it holds. They are written before they count.
        unsafe {
            let end = to.as_mut_ptr().add(to.len());
            self.base.as_ptr().add(off as usize).copy_to_nonoverlapping(end, 256);
            to.set_len(to.len() + 256);
        }
    }

    /// Gives the whole pages within the range back to the machine; what was anonymous reads as zero afterwards.
    pub fn discard(self, off: u32, len: u32) {
        let from = (off as usize).next_multiple_of(PAGE);
        let to = (off as usize + len as usize).min(SPAN) / PAGE * PAGE;
        if from < to {
            // SAFETY: private pages of our own reservation; to the program this is a write of zeros (or of the base's
            // bytes), no reference points there. A failure leaves the bytes as they are, so the result is not needed.
            let _ = unsafe { madvise(self.base.as_ptr().add(from).cast(), to - from, Advice::LinuxDontNeed) };
        }
    }

    /// `memmove` inside the cage; ranges are clipped to the span.
    #[inline]
    pub fn copy(self, from: u32, to: u32, len: u32) {
        let len = (len as usize).min(SPAN - from as usize).min(SPAN - to as usize);
        // SAFETY: both ranges in the span, just clipped.
        unsafe { self.base.as_ptr().add(from as usize).copy_to(self.base.as_ptr().add(to as usize), len) }
    }

    /// Fills with zeros; the range is clipped to the span.
    #[inline]
    pub fn zero(self, off: u32, len: u32) {
        let len = (len as usize).min(SPAN - off as usize);
        // SAFETY: in range, just clipped.
        unsafe { self.base.as_ptr().add(off as usize).write_bytes(0, len) }
    }
}

impl Win<'_> {
    #[inline(always)]
    pub fn get(self, r: u8) -> u64 {
        // SAFETY: ptr < base + SPAN and 255 * 8 + 8 <= GUARD.
        unsafe { (*self.ptr.as_ptr().cast::<Packed<u64>>().wrapping_add(r as usize)).0 }
    }

    #[inline(always)]
    pub fn set(self, r: u8, v: u64) {
        // SAFETY: as for get.
        unsafe { (*self.ptr.as_ptr().cast::<Packed<u64>>().wrapping_add(r as usize)).0 = v }
    }
}
