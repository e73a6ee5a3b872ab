//! Weak slots and ephemerons: which old ones are, and what becomes of them at the end of a mark.
//!
//! In: the tables that marking met. Out: values held by live keys are marked; what is dead is `TOMB`.
//!
//! Invariants
//! - a region with a weak object or a table has the flag `R_WEAK`, so that most old slots need no second look;
//! - linear: each pair is looked at twice, and once more when its key is found alive;
//! - all in one pause: no program sees a table half decided;
//! - old words are changed behind an undo copy.
//!
//! Must never know: what the tables are for.
use super::Heap;
use super::minor::first_value;
use super::old::line_of;
use super::region::{NO_START, R_LARGE, R_WEAK};
use crate::layout::*;
use crate::mem::Mem;
use crate::value::*;

/// How an old slot holds what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    Strong,
    /// Not at all.
    Slot,
    /// The pair at this address holds its value while its key lives.
    Pair(u32),
}

/// Where the objects lie that were met last among those whose slots were asked for: `[start, end)`, of some that hold strongly and of
/// a weak one. Turns that follow each other change the same ones.
#[derive(Clone, Copy, Debug, Default)]
pub struct Met {
    /// `Heap::moved` meanwhile: an object stays where it is until that changes.
    moved: u64,
    strong: [(u32, u32); 4],
    weak: (u32, u32),
    /// The next of `strong` to be replaced.
    next: usize,
}

impl Heap {
    /// A weak object or a table lies at `at`.
    pub(super) fn flag_weak(&mut self, at: u32, bytes: u32) {
        for r in line_of(at).0..=line_of(at.saturating_add(bytes - 1)).0 {
            if self.regions.get(r).is_some_and(|reg| reg.meta.flags & R_WEAK == 0) {
                self.change(r);
                self.regions[r].meta.flags |= R_WEAK;
            }
        }
    }

    /// Flags the regions of the weak ones among the objects that were laid into old space since the last evacuation.
    pub(super) fn flag_direct(&mut self, mem: Mem) {
        while let Some(at) = self.young.direct.pop() {
            let h = mem.r64(at, 0);
            let weak = matches!(self.kinds[h as u8 as usize].trace, Trace::Weak(_) | Trace::Ephemerons(_));
            if let (true, Some(size)) = (weak, size_of(self.kinds, h)) {
                self.flag_weak(at, size);
            }
        }
        debug_assert!(self.young.direct.is_empty());
    }

    /// How an old slot holds what it names.
    #[inline]
    pub(super) fn weakness(&mut self, mem: Mem, slot: u32) -> Weakness {
        let (r, _) = line_of(slot);
        if self.regions.get(r).is_none_or(|reg| reg.meta.flags & R_WEAK == 0) {
            return Weakness::Strong;
        }
        let within = |span: (u32, u32)| slot >= span.0 && slot < span.1;
        if self.met.moved != self.moved {
            self.met = Met { moved: self.moved, ..Met::default() };
        } else if self.met.strong.iter().any(|s| within(*s)) {
            return Weakness::Strong;
        } else if within(self.met.weak) {
            return Weakness::Slot;
        }
        self.weakness_slow(mem, slot)
    }

    #[cold]
    #[inline(never)]
    fn weakness_slow(&mut self, mem: Mem, slot: u32) -> Weakness {
        let Some(at) = self.holder(mem, slot) else { return Weakness::Strong };
        let span = (at, at.saturating_add(size_of(self.kinds, mem.r64(at, 0)).unwrap_or(8)));
        match self.kinds[mem.r8(at, H_KIND) as usize].trace {
            Trace::Weak(_) => {
                self.met.weak = span;
                Weakness::Slot
            }
            Trace::Ephemerons(_) => {
                let (first, end) = self.slots_of(mem, at);
                let pair = first.saturating_add(slot.saturating_sub(first) / 16 * 16);
                if slot < first || end.saturating_sub(pair) < 16 { Weakness::Strong } else { Weakness::Pair(pair) }
            }
            _ => {
                self.met.strong[self.met.next % 4] = span;
                self.met.next += 1;
                Weakness::Strong
            }
        }
    }

    /// The object that an old slot belongs to.
    fn holder(&self, mem: Mem, slot: u32) -> Option<u32> {
        let (r, line) = line_of(slot);
        let reg = self.regions.get(r)?;
        let within = |at: u32| size_of(self.kinds, mem.r64(at, 0)).filter(|size| slot - at < *size);
        let head = reg.meta.head;
        if reg.meta.flags & R_LARGE != 0 && (OLD..=slot).contains(&head) && within(head).is_some() {
            return Some(head);
        }
        let start = |l: u32| OLD + r as u32 * REGION + l * LINE + reg.first[l as usize] as u32 * 8;
        let begins = |l: &u32| reg.used >> l & 1 == 1 && reg.first[*l as usize] != NO_START && start(*l) <= slot;
        let mut at = start((0..=line).rev().find(begins)?);
        while at <= slot && at < u32::MAX {
            match within(at) {
                Some(_) => return Some(at),
                None => at = at.saturating_add(size_of(self.kinds, mem.r64(at, 0)).unwrap_or(8)),
            }
        }
        None
    }

    /// Slots of values of the object at `at`: `[first, end)`.
    fn slots_of(&self, mem: Mem, at: u32) -> (u32, u32) {
        let h = mem.r64(at, 0);
        match (size_of(self.kinds, h), first_value(self.kinds[h as u8 as usize].trace)) {
            (Some(size), Some(k)) => ((at + k * 8).min(at.saturating_add(size)), at.saturating_add(size)),
            _ => (at, at),
        }
    }

    /// Young tables of one sort.
    fn young_tables(&mut self, mem: Mem, ephemerons: bool) -> Vec<u32> {
        let mut found = Vec::new();
        self.each_survivor(mem, |_, at, _, trace| {
            if matches!((trace, ephemerons), (Trace::Ephemerons(_), true) | (Trace::Weak(_), false)) {
                found.push(at);
            }
        });
        found
    }

    /// Marks the values of all pairs with live keys; false if the work passed the budget (to be tried again).
    pub(super) fn decide_ephemerons(&mut self, mem: Mem, budget: u64) -> bool {
        let mut left = budget;
        let young = self.young_tables(mem, true);
        let mut done = 0;
        while done < young.len() + self.mark.eph.len() && left > 0 {
            // Tables found on the way are appended to `eph`, hence the young ones first.
            let table = if done < young.len() { young[done] } else { self.mark.eph[done - young.len()] };
            done += 1;
            let (mut slot, end) = self.slots_of(mem, table);
            while slot + 16 <= end {
                let (key, value) = (mem.r64(slot, 0), mem.r64(slot, 8));
                if self.lives(key) {
                    let place = if slot >= OLD { slot } else { 0 };
                    self.mark_value(mem, key, place);
                    self.mark_value(mem, value, if place == 0 { 0 } else { place + 8 });
                } else if !self.lives(value) {
                    self.mark.waiting.enter(key as u32, slot);
                }
                slot += 16;
            }
            left = self.drain_gray(mem, left);
        }
        self.mark.waiting.clear();
        left > 0 && self.mark.gray.is_empty()
    }

    /// Pairs with dead keys become (TOMB, UNDEF).
    pub(super) fn clear_dead_pairs(&mut self, mem: Mem) {
        let mut tables = self.young_tables(mem, true);
        tables.append(&mut self.mark.eph);
        for table in tables {
            let (mut slot, end) = self.slots_of(mem, table);
            while slot + 16 <= end {
                let key = mem.r64(slot, 0);
                if !self.lives(key) {
                    self.write(mem, slot, TOMB);
                    self.write(mem, slot + 8, UNDEF);
                } else if slot >= OLD && self.mark.moving > 0 {
                    // the slots may name objects that are about to move
                    self.mark_value(mem, key, slot);
                    self.mark_value(mem, mem.r64(slot, 8), slot + 8);
                }
                slot += 16;
            }
        }
    }

    /// Weak slots that name dead objects become TOMB.
    pub(super) fn clear_dead_weak(&mut self, mem: Mem) {
        let mut tables = self.young_tables(mem, false);
        tables.append(&mut self.mark.weak);
        for table in tables {
            let (mut slot, end) = self.slots_of(mem, table);
            while slot < end {
                let v = mem.r64(slot, 0);
                if !self.lives(v) {
                    self.write(mem, slot, TOMB);
                } else if slot >= OLD && self.mark.moving > 0 {
                    self.mark_value(mem, v, slot);
                }
                slot += 8;
            }
        }
        debug_assert!(self.mark.weak.is_empty());
    }
}
