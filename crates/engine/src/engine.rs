//! What all machines of a process share: code space, loaded units, the base image.
//!
//! In: code units. Out: `LoadedUnit`s, linked: inline caches and constant slots have addresses.
//!
//! Invariants
//! - a unit is loaded once; its words never change; its caches have the same addresses in every cage.
use crate::code::{CodeUnit, Const, F_ASYNC, F_CONSTRUCTOR, F_HARDENED, IC_BYTES, op};
use crate::interp::fast::{FUNC_HARDENED, FUNC_OFFSET};
use crate::roots::{R_SHAPE_ARROW, R_SHAPE_ASYNC_FUNCTION, R_SHAPE_FUNCTION};
use cage::CodeSpace;
use cage::layout::{IC, IC_END, IC2, IC2_END};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, OnceLock};

/// A unit in code space.
#[derive(Debug)]
pub struct LoadedUnit {
    pub unit: CodeUnit,
    /// Word index of the unit's first word.
    pub base: u32,
    /// Bytes `[start, end)` of the volatile region that its caches and constant slots take.
    pub volatile: (u32, u32),
    /// Address of constant slot `i` is `slots + 8 i`.
    pub slots: u32,
    /// `CodeUnit::hash`, once someone asks: most scripts are never stored.
    hash: OnceLock<[u8; 32]>,
}

impl LoadedUnit {
    /// The unit's name: `CodeUnit::hash`.
    pub fn hash(&self) -> &[u8; 32] {
        self.hash.get_or_init(|| self.unit.hash())
    }
}

/// Shared by all machines of a process.
#[derive(Debug)]
pub struct Engine {
    pub space: CodeSpace,
    next_ic: Mutex<u32>,
    /// Units by hash of what they hold: each is linked once, however many vats and turns run it.
    known: Mutex<HashMap<u64, Vec<Arc<LoadedUnit>>>>,
}

/// Where frames return to that were not called by an instruction: to Rust, from an accessor or a call with its
/// result elsewhere, from a constructor.
pub const STUB_EXIT: u32 = 16;
pub const STUB_GETRET: u32 = 17;
pub const STUB_NEWRET: u32 = 18;

/// Puts shape, hardness and offset of the function into the words that name functions (see `interp::fast`).
fn link_functions(unit: &CodeUnit, words: &mut [u32]) -> Option<()> {
    for f in &unit.functions {
        let (mut at, end) = (f.at as usize + 2, (f.at + 2 + f.len) as usize);
        while at < end {
            let w = *words.get(at)?;
            let extra = op::extra(w as u8)? as usize;
            if w as u8 == op::CLOSURE {
                let callee = unit.functions.get(*words.get(at + 1)? as usize)?;
                let hardened = callee.flags & F_HARDENED != 0;
                let root = if callee.flags & F_ASYNC != 0 {
                    R_SHAPE_ASYNC_FUNCTION
                } else if callee.flags & F_CONSTRUCTOR != 0 && !hardened {
                    R_SHAPE_FUNCTION
                } else {
                    R_SHAPE_ARROW
                };
                if callee.at > FUNC_OFFSET {
                    return None;
                }
                words[at + 1] = 1 << 31 | (root as u32) << 24 | if hardened { FUNC_HARDENED } else { 0 } | callee.at;
                at += 2 + ((w >> 16 & 0xFF) as usize).div_ceil(2);
            } else {
                at += 1 + extra;
            }
        }
    }
    Some(())
}

/// Where `bytes` of caches go when `next` is the first address not given out: the first region, then the second one,
/// never what lies between them.
fn volatile_place(next: u32, bytes: u32) -> Option<u32> {
    let start = if next <= IC_END && next.checked_add(bytes)? > IC_END { IC2 } else { next };
    (start.checked_add(bytes)? <= IC2_END).then_some(start)
}

impl Engine {
    pub fn new() -> std::io::Result<Engine> {
        let space = CodeSpace::new()?;
        let at = space.append(|_| vec![op::EXIT as u32, op::GETRET as u32, op::NEWRET as u32]);
        assert!(at == Some(STUB_EXIT), "the stubs come first");
        Ok(Engine { space, next_ic: Mutex::new(IC), known: Mutex::default() })
    }

    /// The unit in code space, where it is put if it is not there yet. `None`: the process has no room for more code.
    /// (One with a template is never used again: each evaluation has template objects of its own.)
    pub fn load(&self, unit: CodeUnit) -> Option<Arc<LoadedUnit>> {
        if unit.consts.iter().any(|c| matches!(c, Const::Template { .. })) {
            return self.link(unit).map(Arc::new);
        }
        let mut hasher = DefaultHasher::new();
        (&unit.name, &unit.source, &unit.words).hash(&mut hasher);
        let name = hasher.finish();
        let known = || self.known.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(u) = known().get(&name).and_then(|same| same.iter().find(|u| u.unit == unit)) {
            return Some(u.clone());
        }
        // nobody waits for a long one to be linked; one that two threads bring at once is there twice
        let loaded = Arc::new(self.link(unit)?);
        known().entry(name).or_default().push(loaded.clone());
        Some(loaded)
    }

    /// Links a unit into code space.
    fn link(&self, unit: CodeUnit) -> Option<LoadedUnit> {
        let bytes = (unit.ics.len() as u64) * IC_BYTES as u64 + unit.consts.len() as u64 * 8;
        let bytes = u32::try_from(bytes.next_multiple_of(64)).ok()?;
        let start = {
            let mut next = self.next_ic.lock().unwrap_or_else(|e| e.into_inner());
            let start = volatile_place(*next, bytes)?;
            *next = start + bytes;
            start
        };
        let slots = start + unit.ics.len() as u32 * IC_BYTES;
        let mut words = unit.words.clone();
        for (i, at) in unit.ics.iter().enumerate() {
            words[*at as usize] = start + i as u32 * IC_BYTES;
        }
        for at in &unit.const_slots {
            let w = &mut words[*at as usize];
            *w = slots + *w * 8;
        }
        link_functions(&unit, &mut words)?;
        let base = self.space.append(|_| words)?;
        Some(LoadedUnit { unit, base, volatile: (start, start + bytes), slots, hash: OnceLock::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_never_lie_between_their_regions() {
        for bytes in [64, 128, 192, 1 << 20] {
            let mut next = IC;
            while let Some(start) = volatile_place(next, bytes) {
                let inside = start >= IC && start + bytes <= IC_END || start >= IC2 && start + bytes <= IC2_END;
                assert!(inside, "{start:#x} + {bytes:#x}");
                next = start + bytes;
            }
            assert!(next > IC2_END - bytes);
        }
    }
}
