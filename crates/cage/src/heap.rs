//! The heap of one cage: allocation, the write barrier, collection, turns.
//!
//! In: requests for bytes, stores, safepoints, ends of turns. Out: offsets, deltas, images.
//!
//! Rules for the embedder
//! - `alloc` and `alloc_native` give memory whose words hold anything: write all of them before the next safepoint.
//!   Up to `MAX_YOUNG` bytes it is young and may be filled with plain `mem` writes; more, and it is old space
//!   (zeroed) and must be filled through `write`.
//! - old objects are changed through `store`/`write`/`write_raw*` alone.
//! - collection happens in `collect` and `turn_end` only; both may move every object that is not pinned.
use crate::layout::*;
use crate::mem::Mem;
use crate::value::*;

/// What an embedder allows one heap.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of old space, nursery and undo copies together.
    pub heap_bytes: u64,
}

/// The heap limit is reached: the turn must be aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapFull;

#[derive(Debug)]
struct Undo {
    block: u32,
    copy: [u8; BLOCK as usize],
}

/// Bookkeeping of one cage; all of it can be made anew from the stored bytes.
#[derive(Debug)]
pub struct Heap {
    /// Next free byte of the nursery, and its end.
    pub nur: u32,
    pub nur_end: u32,
    kinds: &'static Kinds,
    limits: Limits,
    old: u32,
    turn_old: u32,
    remembered: Vec<u32>,
    undo: Vec<Undo>,
    collections: u64,
}

/// The barrier's fast half: young object, or dirty block and no young reference stored. `None`: use `Heap::write`.
#[inline(always)]
pub fn store(mem: Mem, addr: u32, v: u64) -> Option<()> {
    if addr >= OLD && (mem.r8(DIRTY + ((addr - OLD) >> 8), 0) == 0 || (is_ref(v) && (v as u32) < OLD)) {
        return None;
    }
    mem.w64(addr, 0, v);
    Some(())
}

impl Heap {
    pub fn new(kinds: &'static Kinds, limits: Limits) -> Heap {
        Heap {
            nur: NURSERY,
            nur_end: NURSERY_END,
            kinds,
            limits,
            old: OLD,
            turn_old: OLD,
            remembered: Vec::new(),
            undo: Vec::new(),
            collections: 0,
        }
    }

    /// A young object of `bytes` (a multiple of 8). `None`: reach a safepoint and `collect`, or use `alloc_native`.
    #[inline(always)]
    pub fn alloc(&mut self, bytes: u32) -> Option<u32> {
        let at = self.nur;
        let end = at.wrapping_add(bytes);
        if end > self.nur_end {
            return None;
        }
        self.nur = end;
        Some(at)
    }

    /// As `alloc`, but never fails for want of a collection: takes a further chunk of nursery, or old space for what is large.
    pub fn alloc_native(&mut self, mem: Mem, bytes: u32) -> Result<u32, HeapFull> {
        let bytes = bytes.next_multiple_of(8);
        if bytes > MAX_YOUNG {
            return self.alloc_old(mem, bytes);
        }
        if let Some(at) = self.alloc(bytes) {
            return Ok(at);
        }
        let chunk = if self.nur_end <= NURSERY_END { NURSERY2 } else { self.nur_end };
        let end = chunk + (1 << 20);
        if end > NURSERY2_END {
            return Err(HeapFull);
        }
        self.nur = chunk;
        self.nur_end = end;
        self.alloc(bytes).ok_or(HeapFull)
    }

    /// An old, zeroed object.
    pub fn alloc_old(&mut self, mem: Mem, bytes: u32) -> Result<u32, HeapFull> {
        let bytes = bytes.next_multiple_of(8);
        let at = self.old;
        let end = at.checked_add(bytes).ok_or(HeapFull)?;
        if (end - OLD) as u64 > self.limits.heap_bytes {
            return Err(HeapFull);
        }
        for block in (at - OLD) >> 8..=(end - 1 - OLD) >> 8 {
            self.touch(mem, block);
        }
        self.old = end;
        Ok(at)
    }

    /// As `alloc_old`; the object never moves and its header must carry `PINNED`.
    pub fn alloc_pinned(&mut self, mem: Mem, bytes: u32) -> Result<u32, HeapFull> {
        self.alloc_old(mem, bytes)
    }

    fn touch(&mut self, mem: Mem, block: u32) {
        if mem.r8(DIRTY + block, 0) == 0 {
            mem.w8(DIRTY + block, 0, 1);
            let mut copy = [0; BLOCK as usize];
            let _ = mem.bytes_out(OLD + block * BLOCK, &mut copy);
            self.undo.push(Undo { block, copy });
        }
    }

    /// Stores a value anywhere, barrier included.
    #[inline]
    pub fn write(&mut self, mem: Mem, addr: u32, v: u64) {
        if store(mem, addr, v).is_none() {
            self.write_slow(mem, addr, v);
        }
    }

    #[cold]
    #[inline(never)]
    pub fn write_slow(&mut self, mem: Mem, addr: u32, v: u64) {
        if addr >= OLD {
            self.touch(mem, (addr - OLD) >> 8);
            if is_ref(v) && (v as u32) < OLD {
                self.remembered.push(addr);
            }
        }
        mem.w64(addr, 0, v);
    }

    /// Makes the bytes `[addr, addr + len)` writable with plain `mem` writes of anything but young references.
    #[inline]
    pub fn dirty(&mut self, mem: Mem, addr: u32, len: u32) {
        if addr >= OLD && len > 0 {
            for block in (addr - OLD) >> 8..=(addr - OLD + (len - 1)) >> 8 {
                self.touch(mem, block);
            }
        }
    }

    /// Collects at a safepoint: no native code is on the stack, all live values are in `[STACK, stack_end)`, `extra` or the heap.
    pub fn collect(&mut self, mem: Mem, stack_end: u32, extra: &mut [u64]) -> Result<(), HeapFull> {
        let _ = (mem, stack_end, extra, &self.kinds);
        self.collections += 1;
        self.nur = if self.nur_end <= NURSERY_END { NURSERY2 } else { self.nur_end };
        self.nur_end = self.nur + (1 << 20);
        if self.nur_end > NURSERY2_END { Err(HeapFull) } else { Ok(()) }
    }

    /// How many collections have been.
    pub fn collections(&self) -> u64 {
        self.collections
    }

    /// The turn was aborted: all stored bytes become again what they were when it began.
    pub fn rollback(&mut self, mem: Mem) {
        while let Some(u) = self.undo.pop() {
            let _ = mem.bytes_in(OLD + u.block * BLOCK, &u.copy);
            mem.w8(DIRTY + u.block, 0, 0);
        }
        self.remembered.clear();
        self.old = self.turn_old;
        self.nur = NURSERY;
        self.nur_end = NURSERY_END;
    }
}
