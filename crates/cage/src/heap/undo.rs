//! What blocks of old space held when the turn began.
//!
//! In: blocks about to change for the first time in a turn. Out: their copies, in that order or backwards.
//!
//! Invariants
//! - copies stand in pieces of at most `PIECE` blocks, so that one more never moves many;
//! - an empty list holds nothing of any heap: its memory may serve another on the same thread.
use crate::layout::*;
use crate::mem::Mem;
use std::cell::RefCell;

/// Blocks of a piece.
const PIECE: usize = 1 << 12;

thread_local! {
    /// An empty list with room.
    static SPARE: RefCell<Piece> = const { RefCell::new(Piece::NONE) };
}

#[derive(Debug, Default)]
struct Piece {
    /// Each block and what its line's `first` was, in the order in which they were first changed.
    blocks: Vec<(u32, u8)>,
    /// Their bytes, one block after another.
    bytes: Vec<u8>,
}

impl Piece {
    const NONE: Piece = Piece { blocks: Vec::new(), bytes: Vec::new() };

    fn iter(&self) -> impl DoubleEndedIterator<Item = (u32, u8, &[u8; BLOCK as usize])> {
        let copies = self.bytes.as_chunks::<{ BLOCK as usize }>().0;
        self.blocks.iter().zip(copies).map(|((block, first), copy)| (*block, *first, copy))
    }
}

#[derive(Debug, Default)]
pub(super) struct Undo {
    full: Vec<Piece>,
    last: Piece,
}

impl Undo {
    pub(super) fn len(&self) -> usize {
        self.full.len() * PIECE + self.last.blocks.len()
    }

    /// Block, `first`, bytes.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (u32, u8, &[u8; BLOCK as usize])> {
        self.full.iter().flat_map(Piece::iter).chain(self.last.iter())
    }

    /// Copies `block`, whose line's `first` is given.
    pub(super) fn push(&mut self, mem: Mem, block: u32, first: u8) {
        let room = self.last.blocks.capacity();
        if self.last.blocks.len() == PIECE || room == 0 {
            self.another();
        }
        self.last.blocks.push((block, first));
        mem.push_block(OLD + block * BLOCK, &mut self.last.bytes);
    }

    #[cold]
    fn another(&mut self) {
        if self.last.blocks.is_empty() {
            self.last = SPARE.take();
        } else {
            let next = Piece { blocks: Vec::with_capacity(PIECE), bytes: Vec::with_capacity(PIECE * BLOCK as usize) };
            self.full.push(std::mem::replace(&mut self.last, next));
        }
    }

    /// Forgets all copies. Memory for few serves the next turn on this thread: a heap at rest keeps none.
    pub(super) fn clear(&mut self) {
        if self.last.blocks.capacity() == 0 {
            return;
        }
        self.full = Vec::new();
        let mut last = std::mem::take(&mut self.last);
        last.blocks.clear();
        last.bytes.clear();
        SPARE.with_borrow_mut(|spare| {
            if spare.blocks.capacity() < last.blocks.capacity() {
                *spare = last;
            }
        });
    }
}
