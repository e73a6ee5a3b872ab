//! The second backing of code space: no `unsafe`, no mapping.
//!
//! In and out: as `code`, call for call.
//!
//! Invariants
//! - words lie in segments made when first written; what was never written reads as 0;
//! - all access is atomic (relaxed).
use std::{
    fmt, io,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    sync::{Mutex, OnceLock},
};

/// Words that may be appended. Return words keep a program counter above bit 32, below every tag of a reference.
pub const MAX_WORDS: u32 = 0xE000_0000;

const WORDS: usize = 1 << 16;
type Segment = OnceLock<Box<[AtomicU32]>>;

/// The one code space of a process (or of a test).
pub struct CodeSpace {
    segments: Box<[Segment]>,
    len: Mutex<u32>,
}

impl fmt::Debug for CodeSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeSpace({:?} words)", self.len)
    }
}

/// A copyable right to read code.
#[derive(Clone, Copy, Debug)]
pub struct Code<'c> {
    space: &'c CodeSpace,
}

impl CodeSpace {
    pub fn new() -> io::Result<CodeSpace> {
        let segments = std::iter::repeat_with(OnceLock::new).take((1 << 32) / WORDS).collect();
        // Index 0 is never code: a zero program counter finds the word 0, which is no instruction.
        Ok(CodeSpace { segments, len: Mutex::new(16) })
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
            let at = at as usize + i;
            let zeros = || std::iter::repeat_with(|| AtomicU32::new(0)).take(WORDS).collect();
            self.segments[at / WORDS].get_or_init(zeros)[at % WORDS].store(*w, Relaxed);
        }
        *len = end;
        debug_assert!(end >= 16);
        Some(at)
    }

    #[inline]
    pub fn code(&self) -> Code<'_> {
        Code { space: self }
    }
}

impl Code<'_> {
    /// The word at `pc`.
    #[inline]
    pub fn word(self, pc: u32) -> u32 {
        let segment = self.space.segments[pc as usize / WORDS].get();
        segment.map_or(0, |s| s[pc as usize % WORDS].load(Relaxed))
    }

    /// Two words, the low one first.
    #[inline]
    pub fn pair(self, pc: u32) -> u64 {
        self.word(pc) as u64 | (self.word(pc.wrapping_add(1)) as u64) << 32
    }
}
