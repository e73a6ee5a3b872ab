//! Two copies of one store that run at once: an old copy of a host's store is opened beside it, under the same designator.
//!
//! In: connections that are taken. Out: an error if a host takes one history of another host and then one that does not extend it.
//!
//! Each opening of a store is known here by a number of its own. A copy has the openings of its original up to the moment when it was
//! made, and then its own. The copy is started once all hosts that know the original have met a later opening of it: from then on each of
//! them must refuse the copy, and the copy must refuse them, while the original goes on undisturbed.
//!
//! Invariants
//! - a host takes a connection with an opening only if that host has, before it, the opening that it took last.
use super::line::Line;
use super::trouble::Trouble;
use super::wires::{End, Half};
use super::{Coming, Host, MS, Network, peer};
use crate::World;
use crate::plan::Plan;
use ocapn::ConnId;
use std::collections::BTreeMap;
use store::disk::SimDisk;

/// A step of a copy's life.
#[derive(Clone, Debug)]
pub(crate) enum Twin {
    /// The store of a host is copied.
    Copy,
    /// The copy is started, if it can be told from the original by all who know that.
    Start,
    Stop,
}

#[derive(Default)]
pub(crate) struct Twins {
    /// Of a host and a place: the opening that was taken last.
    met: BTreeMap<(usize, usize), u64>,
    copy: Option<Copy>,
    /// The host that is a copy.
    running: Option<usize>,
}

struct Copy {
    of: usize,
    disk: SimDisk,
    openings: Vec<u64>,
}

/// One copy for so many hosts, if they do not come too close one after the other.
const HOSTS_FOR_A_COPY: usize = 20;
/// How long a copy waits until it is looked at again whether it can be started.
const WAIT: u64 = 100 * MS;
/// How long it runs.
const RUNS: u64 = 800 * MS;

impl Network {
    pub(super) fn draw_twins(&mut self, span_ms: u64) {
        for _ in 0..1 + self.settings.hosts / HOSTS_FOR_A_COPY {
            let at = self.random.below(span_ms * MS / 2);
            self.later(at, Coming::Trouble(Trouble::Twin(Twin::Copy)));
        }
    }

    pub(super) fn twin(&mut self, twin: Twin) -> Result<(), String> {
        match twin {
            // one at a time
            Twin::Copy if self.twins.copy.is_some() || self.twins.running.is_some() => {}
            Twin::Copy => {
                let of = self.random.below(self.settings.hosts as u64) as usize;
                let Some(disk) = self.hosts[of].world.copy_of_disk().filter(|_| self.hosts[of].up) else { return Ok(()) };
                let openings = self.hosts[of].openings.clone();
                self.note(|| format!("the store of host {of} is copied"));
                self.twins.copy = Some(Copy { of, disk, openings });
                // the original is opened again
                self.dies(of, "killed".to_owned());
                self.later(self.now + WAIT, Coming::Trouble(Trouble::Twin(Twin::Start)));
            }
            Twin::Start => self.start_twin()?,
            Twin::Stop => {
                if let Some(i) = self.twins.running.take() {
                    self.hosts[i].up = false;
                    self.hosts[i].life += 1;
                    self.hosts[i].world.forget();
                    self.wires.kill(i, self.now, &mut self.random);
                    self.note(|| "the copy is stopped".to_owned());
                }
            }
        }
        Ok(())
    }

    fn start_twin(&mut self) -> Result<(), String> {
        let Some(copy) = self.twins.copy.take() else { return Ok(()) };
        let told_apart = self.twins.met.iter().filter(|m| m.0.1 == copy.of).all(|m| !copy.openings.contains(m.1));
        if !told_apart {
            self.twins.copy = Some(copy);
            // nobody waits for it: if the rest is over, so is this
            if !self.active.is_empty() || !self.agenda.is_empty() {
                self.later(self.now + WAIT, Coming::Trouble(Trouble::Twin(Twin::Start)));
            }
            return Ok(());
        }
        let i = self.hosts.len();
        let opening = self.new_opening();
        let openings = copy.openings.iter().copied().chain([opening]).collect();
        let seed = self.random.draw();
        let mut world = self.hosts[copy.of].world.copied(copy.disk, seed, Line::new(peer(copy.of)))?;
        world.now_ms = self.now_ms();
        self.hosts.push(Host { world, place: copy.of, up: true, life: 0, openings, active: false });
        self.note(|| format!("a copy of host {} is started as host {i}", copy.of));
        self.done.twins += 1;
        self.twins.running = Some(i);
        self.later(self.now + RUNS, Coming::Trouble(Trouble::Twin(Twin::Stop)));
        self.wake(i);
        self.serve(i)
    }

    /// Who answers at a place. Only who can tell the copy from its original meets the copy.
    pub(super) fn at_place(&mut self, from: usize, place: usize) -> Option<usize> {
        let Some(twin) = self.twins.running else { return Some(place) };
        if from == twin {
            return self.tells_apart(place, twin).then_some(place);
        }
        let both = self.hosts[twin].place == place && self.tells_apart(from, twin);
        Some(if both && self.random.chance(1, 2) { twin } else { place })
    }

    /// The host has taken a connection with an opening of the original that the copy has not.
    fn tells_apart(&self, host: usize, twin: usize) -> bool {
        let twin = &self.hosts[twin];
        self.twins.met.get(&(host, twin.place)).is_some_and(|last| !twin.openings.contains(last))
    }

    /// A host has taken a connection, durably.
    pub(super) fn established(&mut self, end: End) -> Result<(), String> {
        let Some(half) = self.wires.get(end) else { return Ok(()) };
        let (this, other, opening) = (end.0, half.other.0, half.opening);
        let of = &self.hosts[other];
        let place = of.place;
        if let Some(last) = self.twins.met.get(&(this, place))
            && !of.openings.iter().take_while(|o| **o != opening).chain([&opening]).any(|o| o == last)
        {
            return Err(format!("host {this} took opening {last} of h{place}, and then {opening}, which does not go on from it"));
        }
        self.twins.met.insert((this, place), opening);
        Ok(())
    }

    /// What an operator of a host is told.
    pub(super) fn noted(&mut self, i: usize, conn: Option<ConnId>, note: &str) -> Result<(), String> {
        let usual = ["connection ended", "cannot be reached"];
        // the last words of a process that was killed may be heard after those of the next one
        let late = note.contains("refused") && conn.is_some_and(|c| self.wires.get((i, c)).is_none_or(Half::is_cut));
        if late || usual.iter().any(|u| note.contains(u)) {
            return Ok(());
        }
        if note.contains("runs twice") && self.done.twins > 0 {
            self.done.noticed += 1;
            return Ok(());
        }
        Err(format!("host {i} says: {note}"))
    }
}

impl World {
    /// What the disk holds, as the process sees it.
    fn copy_of_disk(&self) -> Option<SimDisk> {
        SimDisk::load(&self.durable.as_ref()?.disk).ok()
    }

    /// A host that goes on from a copy of this one's disk.
    fn copied(&self, disk: SimDisk, seed: u64, line: Line) -> Result<World, String> {
        let mut w = World::empty(&self.shared, self.program, true, seed);
        w.line = Some(Box::new(line));
        w.plan = Plan::calm();
        w.args.clone_from(&self.args);
        w.now_ms = self.now_ms;
        w.go_on_from(disk)?;
        Ok(w)
    }
}
