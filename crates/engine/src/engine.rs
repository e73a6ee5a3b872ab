//! What all machines of a process share: code space, loaded units, the base image.
//!
//! In: code units. Out: `LoadedUnit`s, linked: inline caches and constant slots have addresses.
//!
//! Invariants
//! - a unit is loaded once; its words never change; its caches have the same addresses in every cage.
use crate::code::{CodeUnit, IC_BYTES};
use cage::CodeSpace;
use cage::layout::{IC, IC_END, IC2, IC2_END};
use std::sync::Mutex;

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
}

/// Shared by all machines of a process.
#[derive(Debug)]
pub struct Engine {
    pub space: CodeSpace,
    next_ic: Mutex<u32>,
}

impl Engine {
    pub fn new() -> std::io::Result<Engine> {
        Ok(Engine { space: CodeSpace::new()?, next_ic: Mutex::new(IC) })
    }

    /// Links a unit into code space. `None`: the process has no room for more code.
    pub fn load(&self, unit: CodeUnit) -> Option<LoadedUnit> {
        let bytes = (unit.ics.len() as u64) * IC_BYTES as u64 + unit.consts.len() as u64 * 8;
        let bytes = u32::try_from(bytes.next_multiple_of(64)).ok()?;
        let start = {
            let mut next = self.next_ic.lock().unwrap_or_else(|e| e.into_inner());
            if *next < IC_END && *next + bytes > IC_END {
                *next = IC2;
            }
            let start = *next;
            if start.checked_add(bytes)? > IC2_END {
                return None;
            }
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
        let base = self.space.append(|_| words)?;
        Some(LoadedUnit { unit, base, volatile: (start, start + bytes), slots })
    }
}
