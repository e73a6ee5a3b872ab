//! States that a crash of a real process could have left, made of a record of its disk.
//!
//! In: one file to which a process appended both the effects on its disk (`store::disk::RecordingDisk`) and the lines it wrote, as they came.
//! Out: for a number of effects and a seed the disk after a crash there: synced bytes with a part of the rest, torn at sectors; and
//! whether what was released by then is still so.
use crate::{Outcome, World};
use passable::VatId;
use std::path::Path;
use std::sync::Arc;
use store::disk::{Crash, Misdirect, RealDisk, SimDisk, event_bytes, replay};
use store::{ErrorKind, FileStore};
pub use vat::Shared;

/// More than any recorded program takes.
const MAX_TURNS: u64 = 100_000;

/// A record, taken apart.
pub struct Recording {
    trace: Vec<u8>,
    pub effects: usize,
    /// Each line with the number of effects before it.
    lines: Vec<(usize, String)>,
}

impl Recording {
    /// Events begin with a byte that no line begins with.
    pub fn read(bytes: &[u8]) -> Recording {
        let (mut trace, mut lines, mut effects, mut at) = (Vec::new(), Vec::new(), 0, 0);
        while at < bytes.len() {
            if (1..=7).contains(&bytes[at]) {
                let Some(length) = event_bytes(&bytes[at..]) else { break };
                trace.extend_from_slice(&bytes[at..at + length]);
                effects += 1;
                at += length;
            } else {
                let Some(length) = bytes[at..].iter().position(|b| *b == b'\n') else { break };
                lines.push((effects, String::from_utf8_lossy(&bytes[at..at + length]).into_owned()));
                at += length + 1;
            }
        }
        Recording { trace, effects, lines }
    }

    /// All lines.
    pub fn lines(&self) -> Vec<String> {
        self.lines.iter().map(|l| l.1.clone()).collect()
    }

    /// How many lines had been released after so many effects.
    pub fn released(&self, effects: usize) -> usize {
        self.lines.iter().filter(|l| l.0 <= effects).count()
    }

    /// The disk after a crash.
    pub fn crashed(&self, effects: usize, seed: u64) -> Result<SimDisk, String> {
        let disk = SimDisk::new();
        replay(&self.trace, effects, &disk).map_err(|e| format!("the record cannot be played: {e}"))?;
        disk.crash(Crash { seed, misdirect: Misdirect::Never });
        Ok(disk)
    }

    /// Opens a state by the code that `host` opens it with, wakes all vats, and with `to_end` lets the program come to its end in a
    /// simulated world. The number of vats.
    pub fn check(&self, shared: &Arc<Shared>, effects: usize, seed: u64, to_end: bool) -> Result<usize, String> {
        let disk = self.crashed(effects, seed)?;
        let released = self.released(effects);
        match FileStore::identity_of(&disk) {
            Err(e) if e.kind() == ErrorKind::Missing && released == 0 => return Ok(0),
            Err(e) => return Err(e.to_string()),
            Ok(_) => {}
        }
        let mut w = World::resumed(shared, disk, seed)?;
        let vats = w.wake_all()?;
        if vats == 0 {
            // the program had not begun
            return if released == 0 { Ok(0) } else { Err(format!("{released} lines were released, and nothing is there")) };
        }
        let all = self.lines();
        let unwritten = w.unwritten();
        let fits = |lines: &[String]| (0..=released).any(|from| all[from..].starts_with(lines));
        if !fits(&unwritten) {
            return Err(format!("{released} lines were released; {unwritten:?} would be written again"));
        }
        if to_end {
            let run = w.run(MAX_TURNS);
            if run.outcome != Outcome::Done || !run.reports.is_empty() {
                return Err(format!("it came to {:?}, {:?}", run.outcome, run.reports));
            }
            if !fits(&run.lines) || !all.ends_with(&run.lines) {
                return Err(format!("{released} lines were released; then came {:?}", run.lines));
            }
        }
        Ok(vats)
    }

    /// Puts a state where a real process can open it.
    pub fn save(&self, effects: usize, seed: u64, folder: &Path) -> Result<(), String> {
        std::fs::create_dir_all(folder).map_err(|e| e.to_string())?;
        self.crashed(effects, seed)?.save(&RealDisk::new(folder)).map_err(|e| e.to_string())
    }
}

impl World {
    /// A world that goes on from a disk that another host wrote.
    pub fn resumed(shared: &Arc<Shared>, disk: store::disk::SimDisk, seed: u64) -> Result<World, String> {
        let mut w = World::empty(shared, 0, true, seed);
        w.go_on_from(disk)?;
        Ok(w)
    }

    /// Every vat of the store wakes, and its heap is whole; how many there are.
    pub fn wake_all(&mut self) -> Result<usize, String> {
        let all: Vec<VatId> = self.node.vats().collect();
        for v in &all {
            self.wake(*v).map_err(|stop| format!("{stop:?}"))?;
        }
        Ok(all.len())
    }

    /// Lines that may not have been written.
    pub fn unwritten(&mut self) -> Vec<String> {
        let all = self.journal().map(|j| j.unwritten().unwrap_or_default()).unwrap_or_default();
        all.into_iter().flat_map(|o| o.1).filter(|l| !l.error).map(|l| l.text).collect()
    }
}
