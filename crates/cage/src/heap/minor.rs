//! Evacuation of the nursery.
//!
//! In: the roots (stack, extra slots, remembered old slots). Out: an empty nursery; what the roots reach was copied.
//!
//! Within a turn an object survives its first collection in one of two young halves and goes to old space in its
//! second; at a turn's end everything goes to old space. An explicit list holds what is copied and not yet looked at.
//!
//! Invariants
//! - a copied object leaves a forwarding word: kind `FORWARD`, its new offset in the upper half;
//! - bytes copied never exceed the bytes of the nursery: whatever the words say, the work is bounded;
//! - afterwards no word of stack, extra slots or old space names a place of the nursery that is free, unless it failed: for want of
//!   room, for a word that names no object, or since the embedder, which is asked now and then, has it given up. Then much is left
//!   undone, and nothing but `rollback` may follow.
//!
//! Must never know: what of old space is dead. All of it counts as alive here, old weak slots and pairs by their keys.
use super::old::Class;
use super::waiting::Waiting;
use super::weak::Weakness;
use super::{Heap, HeapFull};
use crate::layout::*;
use crate::mem::Mem;
use crate::value::*;

/// State of the nursery between and during evacuations.
#[derive(Debug, Default)]
pub struct Young {
    /// Where the nursery ends; `nur_end` is there too, or at `nur` when a collection is wanted.
    pub end: u32,
    pub wanted: bool,
    /// The half that holds survivors: its start (0: none) and the end of what is used.
    pub half: u32,
    pub half_end: u32,
    /// The half being filled.
    to: u32,
    to_end: u32,
    /// Copied, not yet looked at.
    work: Vec<u32>,
    /// Copied weak objects and ephemeron tables.
    weak: Vec<u32>,
    eph: Vec<u32>,
    /// Slots of old weak objects, pairs of old tables, that name something young.
    old_weak: Vec<u32>,
    old_pairs: Vec<u32>,
    /// Objects laid into old space since the last evacuation, of kinds not known then.
    pub(super) direct: Vec<u32>,
    /// Values waiting for their key: key -> slots of pairs.
    waiting: Waiting,
    /// Pairs whose key was found alive.
    ready: Vec<u32>,
    /// Bytes that may still be copied.
    left: u64,
    /// No room, or something that is no object.
    failed: bool,
    promote: bool,
    copied: u64,
    /// `copied` when the embedder is asked again.
    ask_at: u64,
}

impl Young {
    pub fn new() -> Young {
        Young { end: EDEN_END, ..Young::default() }
    }
}

/// Where the first survivors' half lies.
const HALF_A: u32 = EDEN_END;
const HALF_B: u32 = EDEN_END + SURVIVORS;

/// Where the nursery ends while a mark goes on.
const EDEN_HALF: u32 = NURSERY + (EDEN_END - NURSERY) / 2;
const _: () = assert!(EDEN_HALF.is_multiple_of(8) && EDEN_HALF - NURSERY > 2 * MAX_YOUNG);

/// Entries of a list that stays allocated between evacuations.
const KEEP_WORK: usize = 1 << 14;

/// Bytes copied between two questions whether to go on, and bytes given back.
const ASKED: u64 = 1 << 18;
const GIVEN: u32 = 8 << 20;
/// Remembered slots that are forgotten between two.
const FORGOTTEN: usize = 1 << 18;

/// A reference to something young.
#[inline(always)]
pub fn young_ref(v: u64) -> bool {
    is_ref(v) && (v as u32) < OLD
}

/// The first word that is a value, if any is.
#[inline]
pub fn first_value(trace: Trace) -> Option<u32> {
    match trace {
        Trace::Raw => None,
        Trace::Values(k) | Trace::Shaped(k) | Trace::Weak(k) | Trace::Ephemerons(k) => Some(k as u32),
    }
}

impl Heap {
    /// Collects at a safepoint: no native code is on the stack, all live values are in `[STACK, stack_end)`, `extra` or the heap.
    pub fn collect(&mut self, mem: Mem, stack_end: u32, extra: &mut [u64]) -> Result<(), HeapFull> {
        if std::mem::take(&mut self.full) || self.stress {
            return self.collect_full(mem, stack_end, extra);
        }
        let before = self.mark.work_ever;
        self.evacuate(mem, stack_end, extra, false)?;
        self.pace(mem, stack_end.clamp(STACK, STACK_END), extra)?;
        let work = self.mark.work_ever - before + self.young.copied;
        self.mark.most_work = self.mark.most_work.max(work);
        Ok(())
    }

    pub(super) fn evacuate(&mut self, mem: Mem, stack_end: u32, extra: &mut [u64], promote: bool) -> Result<(), HeapFull> {
        let stack_end = stack_end.clamp(STACK, STACK_END);
        self.collections += 1;
        self.full = false;
        self.begin_evacuation(promote);
        self.flag_direct(mem);
        if stack_end == STACK && extra.is_empty() && self.remembered.is_empty() {
            // no roots: nothing survives
            self.clear_stack(mem, stack_end);
            return self.end_evacuation(mem);
        }
        self.forward_remembered(mem);
        let mut at = STACK;
        while at < stack_end {
            let v = mem.r64(at, 0);
            if young_ref(v) {
                mem.w64(at, 0, self.forward(mem, v));
            }
            at += 8;
        }
        for v in extra.iter_mut().filter(|v| young_ref(**v)) {
            *v = self.forward(mem, *v);
        }
        self.drain(mem);
        self.ephemerons(mem);
        self.clear_weak(mem);
        self.clear_stack(mem, stack_end);
        self.end_evacuation(mem)
    }

    fn begin_evacuation(&mut self, promote: bool) {
        let chunks = self.young.end.saturating_sub(NURSERY2) as u64;
        let y = &mut self.young;
        debug_assert!(y.work.is_empty() && y.weak.is_empty() && y.eph.is_empty() && y.waiting.is_empty());
        y.left = (EDEN_END - NURSERY) as u64 + SURVIVORS as u64 + chunks;
        y.to = if y.half == HALF_A { HALF_B } else { HALF_A };
        y.to_end = y.to;
        y.failed = false;
        y.promote = promote;
        (y.copied, y.ask_at) = (0, ASKED);
    }

    fn end_evacuation(&mut self, mem: Mem) -> Result<(), HeapFull> {
        let mut left = self.young.end.saturating_sub(NURSERY2);
        while left > 0 {
            let piece = left.min(GIVEN);
            left -= piece;
            mem.discard(NURSERY2 + left, piece);
            self.young.failed |= left > 0 && !self.goes_on();
        }
        self.reset_nursery();
        let y = &mut self.young;
        if y.work.capacity() > KEEP_WORK {
            y.work = Vec::new();
        }
        y.half = if y.to_end > y.to { y.to } else { 0 };
        y.half_end = y.to_end;
        debug_assert!(y.work.is_empty() && (!y.promote || y.half == 0));
        // Undo copies count, and stores cannot fail: the limit is looked at here.
        if y.failed || !self.has_room(0) { Err(HeapFull) } else { Ok(()) }
    }

    /// Is there any use in copying more? Asks the embedder now and then. False: the turn will be undone.
    #[inline]
    fn may_copy(&mut self) -> bool {
        if self.young.copied > self.young.ask_at {
            self.young.ask_at = self.young.copied + ASKED;
            self.young.failed |= !self.goes_on();
        }
        !self.young.failed
    }

    fn reset_nursery(&mut self) {
        // while a mark goes on its steps come twice as often, so that they may be half as long
        let end = if self.mark.active() { EDEN_HALF } else { EDEN_END };
        self.nur = NURSERY;
        self.nur_end = end;
        self.young.end = end;
        self.young.wanted = false;
    }

    fn forward_remembered(&mut self, mem: Mem) {
        let slots = std::mem::take(&mut self.remembered);
        for part in slots.chunks(FORGOTTEN) {
            part.iter().for_each(|slot| mem.w8(slot_bit(*slot).0, 0, 0));
            self.young.failed |= part.len() == FORGOTTEN && !self.goes_on();
        }
        for &slot in &slots {
            if !self.may_copy() {
                break;
            }
            // it may have been overwritten since
            if !young_ref(mem.r64(slot, 0)) {
                continue;
            }
            match self.weakness(mem, slot) {
                Weakness::Strong => self.forward_slot(mem, slot),
                Weakness::Slot => self.young.old_weak.push(slot),
                Weakness::Pair(at) => self.young.old_pairs.push(at),
            }
        }
        if self.remembered.is_empty() {
            self.remembered = slots; // keeps its memory
            self.remembered.clear();
        }
    }

    /// The reference to where the young object that `v` names now is.
    #[inline(always)]
    fn forward(&mut self, mem: Mem, v: u64) -> u64 {
        let off = v as u32;
        let h = mem.r64(off, 0);
        if h as u8 == FORWARD {
            let to = (h >> 32) as u32;
            if to >= OLD || (to >= self.young.to && to < self.young.to_end) {
                return ((v >> 48) << 48) | to as u64;
            }
        }
        match self.copy_out(mem, off, h) {
            Some(to) => ((v >> 48) << 48) | to as u64,
            None => UNDEF,
        }
    }

    /// Copies one object; `None` (and `failed`) if it is none or there is no room.
    #[inline(never)]
    fn copy_out(&mut self, mem: Mem, off: u32, h: u64) -> Option<u32> {
        let y = &mut self.young;
        let half = y.half != 0 && off >= y.half && off < y.half_end;
        let there = half || (NURSERY..EDEN_END).contains(&off) || (NURSERY2..NURSERY2_END).contains(&off);
        let size = size_of(self.kinds, h).filter(|s| there && off.is_multiple_of(8) && *s as u64 <= y.left);
        let Some(size) = size else {
            y.failed = true;
            return None;
        };
        y.left -= size as u64;
        y.copied += size as u64;
        let to = if y.promote || half || size > y.to + SURVIVORS - y.to_end {
            match self.old_alloc(mem, size, Class::Small) {
                Some(to) => to,
                None => {
                    self.young.failed = true;
                    return None;
                }
            }
        } else {
            let to = y.to_end;
            y.to_end += size;
            to
        };
        mem.w64(to, 0, h);
        let mut i = 8;
        while i < size {
            mem.w64(to + i, 0, mem.r64(off + i, 0));
            i += 8;
        }
        mem.w64(off, 0, FORWARD as u64 | (to as u64) << 32);
        let trace = self.kinds[h as u8 as usize].trace;
        if to >= OLD {
            if matches!(trace, Trace::Weak(_) | Trace::Ephemerons(_)) {
                self.flag_weak(to, size);
            }
            if self.mark.active() {
                self.mark_promoted(mem, to, size, trace);
            }
        }
        let y = &mut self.young;
        match trace {
            Trace::Raw => {}
            Trace::Values(_) | Trace::Shaped(_) => y.work.push(to),
            Trace::Weak(_) => y.weak.push(to),
            Trace::Ephemerons(_) => y.eph.push(to),
        }
        y.waiting.wake(off, &mut y.ready); // a key that lives: so do its values
        Some(to)
    }

    /// An object goes to old space while marking: it is alive there, and what it names will be marked as it is looked at.
    fn mark_promoted(&mut self, mem: Mem, to: u32, size: u32, trace: Trace) {
        self.mark_new(to, size, true);
        match trace {
            Trace::Raw | Trace::Values(_) => {}
            Trace::Shaped(_) => self.mark_value(mem, CELL | mem.r32(to, H_X) as u64, 0),
            Trace::Weak(_) => self.mark.weak.push(to),
            Trace::Ephemerons(_) => self.mark.eph.push(to),
        }
    }

    /// Forwards what a slot of a copied object holds.
    #[inline]
    fn forward_slot(&mut self, mem: Mem, slot: u32) {
        let v = mem.r64(slot, 0);
        if young_ref(v) {
            let v = self.forward(mem, v);
            mem.w64(slot, 0, v);
            if slot >= OLD && young_ref(v) {
                self.remember(mem, slot);
            }
        }
    }

    /// Bounds of the values of the copied object at `at`.
    fn values(&self, mem: Mem, at: u32) -> (u32, u32) {
        let h = mem.r64(at, 0);
        match (size_of(self.kinds, h), first_value(self.kinds[h as u8 as usize].trace)) {
            (Some(size), Some(k)) => ((at + k * 8).min(at + size), at + size),
            _ => (at, at),
        }
    }

    fn drain(&mut self, mem: Mem) {
        loop {
            while let Some(at) = self.young.work.pop() {
                if !self.may_copy() {
                    continue;
                }
                let (mut slot, end) = self.values(mem, at);
                let marking = at >= OLD && self.mark.active();
                while slot < end {
                    self.forward_slot(mem, slot);
                    if marking {
                        self.mark_value(mem, mem.r64(slot, 0), slot);
                    }
                    slot += 8;
                }
            }
            let Some(pair) = self.young.ready.pop() else { break };
            // an old pair whose key and value are both young was remembered twice: the second time it is done already
            let key = mem.r64(pair, 0);
            let moved = (self.young.to..self.young.to_end).contains(&(key as u32));
            if !young_ref(key) || moved {
                continue;
            }
            self.forward_slot(mem, pair);
            self.forward_slot(mem, pair + 8);
        }
        debug_assert!(self.young.ready.is_empty());
    }

    /// A pair: now if its key lives, later through `waiting` if it may yet.
    fn young_pair(&mut self, mem: Mem, slot: u32) {
        let key = mem.r64(slot, 0);
        if young_ref(key) && mem.r8(key as u32, H_KIND) != FORWARD {
            self.young.waiting.enter(key as u32, slot);
        } else {
            self.forward_slot(mem, slot);
            self.forward_slot(mem, slot + 8);
        }
    }

    /// Every pair of a copied table, and of an old one that names something young: now if its key lives, later through `waiting` if it may yet.
    fn ephemerons(&mut self, mem: Mem) {
        let pairs = std::mem::take(&mut self.young.old_pairs);
        pairs.iter().for_each(|pair| self.young_pair(mem, *pair));
        self.drain(mem);
        let mut done = 0;
        while done < self.young.eph.len() {
            let (mut slot, end) = self.values(mem, self.young.eph[done]);
            done += 1;
            while slot + 16 <= end && self.may_copy() {
                self.young_pair(mem, slot);
                slot += 16;
            }
            self.drain(mem);
        }
        self.young.waiting.clear();
        for pair in pairs {
            let key = mem.r64(pair, 0);
            if young_ref(key) && !self.survived(key) {
                self.write(mem, pair, TOMB);
                self.write(mem, pair + 8, UNDEF);
            }
        }
        let tables = std::mem::take(&mut self.young.eph);
        for &table in &tables {
            let (mut slot, end) = self.values(mem, table);
            while slot + 16 <= end {
                let key = mem.r64(slot, 0);
                if young_ref(key) && !self.survived(key) {
                    mem.w64(slot, 0, TOMB);
                    mem.w64(slot + 8, 0, UNDEF);
                }
                slot += 16;
            }
        }
        self.young.eph = tables;
        self.young.eph.clear();
    }

    /// Bytes the last evacuation copied.
    pub(super) fn survivors(&self) -> u64 {
        self.young.copied
    }

    /// Empties the nursery without looking at it, and the stack.
    pub(super) fn forget_young(&mut self, mem: Mem) {
        for slot in self.remembered.drain(..) {
            mem.w8(slot_bit(slot).0, 0, 0);
        }
        let y = &mut self.young;
        (y.half, y.half_end, y.failed) = (0, 0, false);
        y.work.clear();
        y.direct.clear();
        let used = self.young.end.saturating_sub(NURSERY2);
        if used > 0 {
            mem.discard(NURSERY2, used);
        }
        self.reset_nursery();
        self.clear_stack(mem, STACK);
    }

    /// Zeroes the stack from `from` on as far as it was used.
    fn clear_stack(&mut self, mem: Mem, from: u32) {
        let used = self.stack_used.min(STACK_END);
        if from < used {
            mem.zero(from, used - from);
        }
        self.stack_used = from.max(FRAMES);
        self.frames_below = self.stack_used.saturating_sub(WINDOW);
    }

    /// After tracing: a young reference that was forwarded points into the new half; one that was not is dead.
    fn survived(&self, v: u64) -> bool {
        let off = v as u32;
        off >= self.young.to && off < self.young.to_end
    }

    fn clear_weak(&mut self, mem: Mem) {
        while let Some(slot) = self.young.old_weak.pop() {
            let v = mem.r64(slot, 0);
            if young_ref(v) && mem.r8(v as u32, H_KIND) != FORWARD {
                self.write(mem, slot, TOMB);
            } else {
                self.forward_slot(mem, slot);
            }
        }
        while let Some(at) = self.young.weak.pop() {
            let (mut slot, end) = self.values(mem, at);
            while slot < end {
                let v = mem.r64(slot, 0);
                if young_ref(v) {
                    if mem.r8(v as u32, H_KIND) == FORWARD {
                        self.forward_slot(mem, slot);
                    } else {
                        mem.w64(slot, 0, TOMB);
                    }
                }
                slot += 8;
            }
        }
    }
}
