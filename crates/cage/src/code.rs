//! Code space: the bytecode of all code units of a process, shared by all cages, append-only.
//!
//! In: words of finished code units. Out: reads by word index from any thread.
//!
//! Invariants
//! - a word index is a `u32`, so every index is inside the reservation (16 GiB, nothing resident until written);
//! - words below `len` never change; reads beyond give 0;
//! - all access is atomic (relaxed), so that a corrupt program counter that runs ahead of an append is no data race.
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::{
    io,
    marker::PhantomData,
    ptr::NonNull,
    sync::Mutex,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

const BYTES: usize = 4 << 32;
/// Words that may be appended. Return words keep a program counter above bit 32, below every tag of a reference.
pub const MAX_WORDS: u32 = 0xE000_0000;

/// The one code space of a process (or of a test).
#[derive(Debug)]
pub struct CodeSpace {
    base: NonNull<AtomicU32>,
    len: Mutex<u32>,
}

// SAFETY: the memory is only ever accessed through atomics; appends are serialised by the mutex.
unsafe impl Send for CodeSpace {}
// SAFETY: as above.
unsafe impl Sync for CodeSpace {}

/// A copyable right to read code.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Code<'c> {
    base: NonNull<AtomicU32>,
    life: PhantomData<&'c CodeSpace>,
}

impl CodeSpace {
    pub fn new() -> io::Result<CodeSpace> {
        // SAFETY: a fresh mapping at an address the kernel picks.
        let p = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                BYTES,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )?
        };
        // Index 0 is never code: a zero program counter finds the word 0, which is no instruction.
        Ok(CodeSpace { base: NonNull::new(p.cast()).ok_or(io::ErrorKind::OutOfMemory)?, len: Mutex::new(16) })
    }

    /// Appends what `make` gives for the index it will stand at. `None` when the space is full.
    pub fn append(&self, make: impl FnOnce(u32) -> Vec<u32>) -> Option<u32> {
        let mut len = self.len.lock().unwrap_or_else(|e| e.into_inner());
        let at = *len;
        let words = make(at);
        let end = at.checked_add(u32::try_from(words.len()).ok()?)?;
        if end > MAX_WORDS {
            return None;
        }
        for (i, w) in words.iter().enumerate() {
            // SAFETY: at + i < 2^32 words, inside the reservation; access is atomic.
            unsafe { (*self.base.as_ptr().add(at as usize + i)).store(*w, Relaxed) };
        }
        *len = end;
        Some(at)
    }

    #[inline]
    pub fn code(&self) -> Code<'_> {
        Code { base: self.base, life: PhantomData }
    }
}

impl Drop for CodeSpace {
    fn drop(&mut self) {
        // SAFETY: every Code borrows the space, so none is left.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), BYTES) };
    }
}

impl Code<'_> {
    /// The word at `pc`.
    #[inline(always)]
    pub fn word(self, pc: u32) -> u32 {
        // SAFETY: any u32 index is inside the reservation; access is atomic.
        unsafe { (*self.base.as_ptr().wrapping_add(pc as usize)).load(Relaxed) }
    }

    /// Two words, the low one first.
    #[inline(always)]
    pub fn pair(self, pc: u32) -> u64 {
        self.word(pc) as u64 | (self.word(pc.wrapping_add(1)) as u64) << 32
    }
}
