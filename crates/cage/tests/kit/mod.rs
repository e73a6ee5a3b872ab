//! Kinds and helpers that the tests of the heap share.
#![allow(dead_code)]
use cage::heap::Heap;
use cage::layout::*;
use cage::value::*;
use cage::{Cage, Limits, Mem};

pub const REC: u8 = 1;
pub const BOX: u8 = 2;
pub const VEC: u8 = 3;
pub const TEXT: u8 = 4;
pub const WIDE: u8 = 5;
pub const WEAK: u8 = 6;
pub const EPH: u8 = 7;
pub const SHAPE: u8 = 8;
pub const MIX: u8 = 9;
pub const ROOT: u8 = 10;

/// Slots of the root object.
pub const ROOT_SLOTS: u32 = 64;

pub static KINDS: Kinds = kinds();

const fn kinds() -> Kinds {
    let mut k = [NO_KIND; 256];
    k[REC as usize] = Kind { name: "rec", size: Size::N, trace: Trace::Shaped(1) };
    k[BOX as usize] = Kind { name: "box", size: Size::Fixed(1), trace: Trace::Values(1) };
    k[VEC as usize] = Kind { name: "vec", size: Size::XWords, trace: Trace::Values(1) };
    k[TEXT as usize] = Kind { name: "str", size: Size::XBytes, trace: Trace::Raw };
    k[WIDE as usize] = Kind { name: "wstr", size: Size::XPairs, trace: Trace::Raw };
    k[WEAK as usize] = Kind { name: "weak", size: Size::XWords, trace: Trace::Weak(1) };
    k[EPH as usize] = Kind { name: "eph", size: Size::XWords, trace: Trace::Ephemerons(2) };
    k[SHAPE as usize] = Kind { name: "shape", size: Size::N, trace: Trace::Values(1) };
    k[MIX as usize] = Kind { name: "mix", size: Size::XWordsN, trace: Trace::Values(2) };
    k[ROOT as usize] = Kind { name: "root", size: Size::XWords, trace: Trace::Values(1) };
    k
}

pub fn obj(off: u32) -> u64 {
    OBJ | off as u64
}

pub const BIG_LIMIT: Limits = Limits { heap_bytes: 1 << 30 };

/// A heap with a root object whose slots are undefined.
pub fn heap(cage: &Cage, limits: Limits) -> Heap {
    let mem = cage.mem();
    let mut heap = Heap::new(&KINDS, limits);
    let at = heap.alloc_pinned(mem, 8 + 8 * ROOT_SLOTS).unwrap();
    assert_eq!(at, OLD);
    heap.write(mem, OLD, header(ROOT, PINNED, 0, ROOT_SLOTS));
    for i in 0..ROOT_SLOTS {
        heap.write(mem, root(i), UNDEF);
    }
    heap.commit(mem);
    heap
}

/// Address of a slot of the root object.
pub fn root(i: u32) -> u32 {
    OLD + 8 + 8 * i
}

/// A young vector of `n` undefined slots.
pub fn vec(heap: &mut Heap, mem: Mem, n: u32) -> u32 {
    let at = heap.alloc_native(mem, 8 + 8 * n).unwrap();
    heap.write(mem, at, header(VEC, 0, 0, n));
    for i in 0..n {
        heap.write(mem, at + 8 + 8 * i, UNDEF);
    }
    at
}

pub fn get(mem: Mem, v: u64, slot: u32) -> u64 {
    assert!(is_ref(v), "not a reference: {v:#x}");
    mem.r64(v as u32 + 8 + 8 * slot, 0)
}

/// xorshift64*
#[derive(Clone)]
pub struct Rng(pub u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
    pub fn below(&mut self, n: u32) -> u32 {
        (((self.next() >> 32) * n as u64) >> 32) as u32
    }
}
