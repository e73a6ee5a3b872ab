//! What given objects reach: a walk that changes nothing.
//!
//! In: values of a heap between turns. Out: each object reached, once.
//!
//! Invariants
//! - nothing is written; the walk is bounded by the heap's size, whatever its bytes say;
//! - weak slots are not followed; a pair of an ephemeron table is followed once its key is reached.
//!
//! Must never know: what the objects are for.
use super::Heap;
use super::minor::first_value;
use crate::layout::*;
use crate::mem::Mem;
use crate::value::*;

/// One bit for each granule of old space.
struct Seen(Vec<u64>);

impl Seen {
    /// Sets the bit of an address; was it clear?
    fn set(&mut self, at: u32) -> bool {
        let g = ((at - OLD) / 8) as usize;
        match self.0.get_mut(g / 64) {
            Some(w) => {
                let new = *w >> (g % 64) & 1 == 0;
                *w |= 1 << (g % 64);
                new
            }
            None => false,
        }
    }
    fn has(&self, at: u32) -> bool {
        let g = (at.wrapping_sub(OLD) / 8) as usize;
        at < OLD || self.0.get(g / 64).is_some_and(|w| w >> (g % 64) & 1 == 1)
    }
}

impl Heap {
    /// Calls `each(kind, offset)` for what `from` reaches. Between turns only: nothing is young.
    pub fn reach(&self, mem: Mem, from: &[u64], mut each: impl FnMut(u8, u32)) {
        let granules = self.regions.len() * (REGION as usize / 8);
        let mut seen = Seen(vec![0; granules.div_ceil(64)]);
        // each granule is a value once at most: a damaged heap cannot make the walk longer
        let mut left = granules as u64 * 2 + from.len() as u64;
        let mut todo: Vec<u32> = Vec::new();
        let mut tables: Vec<u32> = Vec::new();
        let push = |seen: &mut Seen, todo: &mut Vec<u32>, v: u64| {
            if is_ref(v) && v as u32 >= OLD && seen.set(v as u32) {
                todo.push(v as u32);
            }
        };
        from.iter().for_each(|v| push(&mut seen, &mut todo, *v));
        loop {
            while let Some(at) = todo.pop() {
                let h = mem.r64(at, 0);
                let kind = h as u8;
                each(kind, at);
                let trace = self.kinds[kind as usize].trace;
                let (Some(size), Some(k)) = (size_of(self.kinds, h), first_value(trace)) else { continue };
                match trace {
                    Trace::Weak(_) => continue,
                    Trace::Ephemerons(_) => {
                        tables.push(at);
                        continue;
                    }
                    Trace::Shaped(_) => push(&mut seen, &mut todo, CELL | h >> 32),
                    _ => {}
                }
                let mut slot = at.saturating_add(k * 8);
                while slot < at.saturating_add(size) && left > 0 {
                    push(&mut seen, &mut todo, mem.r64(slot, 0));
                    slot += 8;
                    left -= 1;
                }
            }
            // pairs whose keys were reached since
            for &t in &tables {
                let h = mem.r64(t, 0);
                let (Some(size), Some(k)) = (size_of(self.kinds, h), first_value(self.kinds[h as u8 as usize].trace)) else {
                    continue;
                };
                let mut pair = t.saturating_add(k * 8);
                while pair.saturating_add(16) <= t.saturating_add(size) {
                    let key = mem.r64(pair, 0);
                    if is_ref(key) && seen.has(key as u32) {
                        push(&mut seen, &mut todo, mem.r64(pair, 8));
                    }
                    pair += 16;
                }
            }
            if todo.is_empty() || left == 0 {
                return;
            }
        }
    }
}
