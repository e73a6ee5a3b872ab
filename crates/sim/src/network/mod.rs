//! Many hosts in one simulated world: each the real node, vats and store of `World`, joined by durable sessions over connections that are
//! slow, break, and come in any order.
//!
//! In: how many hosts hold how many references, and a seed. Out: what was done, or what went wrong. The same seed gives the same run.
//!
//! Invariants
//! - each host runs its own plan of faults (`plan`), step by step, and between two steps of it anything may happen to others;
//! - time is one for all: a step takes some, and if nobody has anything to do it passes until something comes;
//! - troubles of the network (`trouble`) end before the run does: all that was begun must come to its end then;
//! - what a netlayer gives is a stream of bytes between two hosts that know each other's designator; `wires` says what may befall it.
//!
//! Must never know: how sessions work. It carries bytes, and reads tables at rest.
mod accounts;
mod line;
mod trouble;
mod twins;
mod wires;

use crate::World;
use crate::mistakes::Mistake;
use crate::plan::Plan;
use crate::programs::LIMITS;
use crate::random::Random;
pub use accounts::{Failure, Mesh};
pub(crate) use line::Line;
use line::Moved;
use node::Event;
use ocapn::{ConnId, In, Opened, Out, Peer, Sturdyref};
use passable::VatId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use trouble::{Apart, Trouble};
use twins::Twins;
use vat::Shared;
use wires::{End, Wires};

const MS: u64 = 1_000_000;
/// What a step of a host takes, in the mean.
const STEP_NS: u64 = 100_000;
/// Dials that come to nothing wait this long at first, and so long at most, as those of `host` do.
const FIRST_WAIT_MS: u64 = 50;
const LONGEST_WAIT_MS: u64 = 10_000;
/// Of so many hosts each step of each is told after a failure; of more, nothing.
const TOLD_HOSTS: usize = 20;
/// Hosts that a host is told of at the start, at most.
const NEIGHBOURS: usize = 6;

/// What is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub hosts: usize,
    /// References between them.
    pub refs: usize,
    /// How often each host does something.
    pub rounds: u64,
    /// Steps of all hosts together after which a run is given up.
    pub max_steps: u64,
    /// A mistake that all hosts make.
    pub mistake: Option<Mistake>,
}

impl Settings {
    pub fn new(hosts: usize, refs: usize) -> Settings {
        Settings { hosts, refs, rounds: 40, max_steps: 20_000 * hosts as u64 + 1_000_000, mistake: None }
    }
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    pub turns: u64,
    pub deaths: u64,
    /// Connections that were made, and those that were cut.
    pub connections: u64,
    pub cuts: u64,
    pub partitions: u64,
    /// Copies of stores that ran beside their originals, and how often that was noticed.
    pub twins: u64,
    pub noticed: u64,
    /// Messages of programs that were counted at both ends.
    pub messages: u64,
    /// References between hosts at the time when each had all it wanted.
    pub references: u64,
    /// Milliseconds of simulated time.
    pub ms: u64,
}

/// One host, or a copy of it.
pub(crate) struct Host {
    pub world: World,
    /// Its number among the places of the network: that of its designator.
    pub place: usize,
    pub up: bool,
    /// Processes so far: what was meant for an earlier one is dropped.
    pub life: u64,
    /// Openings of its store, each with a number that no other one has.
    pub openings: Vec<u64>,
    active: bool,
}

/// What is to happen at some time.
enum Coming {
    Arrives(End),
    Dial {
        host: usize,
        life: u64,
        session: VatId,
        peer: Peer,
    },
    /// A host that is down begins again.
    Begins {
        host: usize,
        why: String,
    },
    /// A delay of the host is over.
    Wakes(usize),
    Trouble(Trouble),
}

/// See the head.
pub struct Network {
    settings: Settings,
    pub(crate) hosts: Vec<Host>,
    pub(crate) random: Random,
    /// Nanoseconds since the run began.
    now: u64,
    agenda: BTreeMap<(u64, u64), Coming>,
    next: u64,
    wires: Wires,
    /// Hosts with something to do.
    active: Vec<usize>,
    apart: Option<Apart>,
    twins: Twins,
    next_conn: u64,
    next_opening: u64,
    steps: u64,
    /// What was noticed and must not be.
    wrong: Option<String>,
    /// Called now and then with what was done so far.
    pub progress: Option<fn(&Network)>,
    pub(crate) done: Done,
    /// What happened, if it is to be told.
    tell: bool,
    trace: Vec<String>,
}

fn peer(place: usize) -> Peer {
    let hints = Some([("port".to_owned(), place.to_string())].into());
    Peer { transport: ocapn::LINE.into(), designator: format!("h{place}"), hints }
}

impl Network {
    /// Hosts that begin, each with the program `entry`, and troubles to come.
    pub fn new(shared: &Arc<Shared>, entry: u64, settings: Settings, seed: u64, tell: bool) -> Network {
        let mut n = Network {
            settings,
            hosts: Vec::new(),
            random: Random::new(seed ^ 0x00_6e65_7477_6f72),
            now: 0,
            agenda: BTreeMap::new(),
            next: 0,
            wires: Wires::default(),
            active: Vec::new(),
            apart: None,
            twins: Twins::default(),
            next_conn: 1,
            next_opening: 1,
            steps: 0,
            wrong: None,
            progress: None,
            done: Done::default(),
            tell,
            trace: Vec::new(),
        };
        for place in 0..settings.hosts {
            let args = n.args(place, seed);
            let plan = Plan::draw(n.random.draw());
            let mut world = World::among_others(shared, entry, &args, n.random.draw(), plan, peer(place));
            world.mistake = settings.mistake;
            world.tell = tell;
            let opening = n.new_opening();
            n.hosts.push(Host { world, place, up: true, life: 0, openings: vec![opening], active: false });
            n.wake(place);
        }
        n.draw_troubles();
        n
    }

    /// What a host's program is told: itself, how much it is to do, and others.
    fn args(&mut self, place: usize, seed: u64) -> Vec<String> {
        let (hosts, refs) = (self.settings.hosts, self.settings.refs);
        // each holds as many as the next one, or one more
        let wanted = refs / hosts + usize::from(place < refs % hosts);
        let mut neighbours = BTreeSet::new();
        while neighbours.len() < NEIGHBOURS.min(hosts - 1) {
            let other = self.random.below(hosts as u64) as usize;
            if other != place {
                neighbours.insert(other);
            }
        }
        let number = 1 + (seed.wrapping_mul(31).wrapping_add(place as u64 * 7919)) % 1_000_000_000;
        let mut args = vec![place.to_string(), wanted.to_string(), self.settings.rounds.to_string(), number.to_string()];
        let uri = |p: usize| Sturdyref { peer: peer(p), swiss: format!("mesh-{p}").into_bytes() }.to_uri();
        args.extend(neighbours.into_iter().map(uri));
        args
    }

    fn new_opening(&mut self) -> u64 {
        self.next_opening += 1;
        self.next_opening - 1
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        if self.tell {
            self.trace.push(format!("{:9.3} ms  {}", self.now as f64 / MS as f64, what()));
        }
    }

    /// What a host has written down goes into the one trace.
    fn take_trace(&mut self, i: usize) {
        for line in std::mem::take(&mut self.hosts[i].world.trace) {
            self.note(|| format!("host {i}: {line}"));
        }
    }

    fn later(&mut self, at: u64, what: Coming) {
        self.next += 1;
        self.agenda.insert((at, self.next), what);
    }

    /// The host may have something to do.
    fn wake(&mut self, i: usize) {
        let h = &mut self.hosts[i];
        if h.up && !h.active {
            h.active = true;
            self.active.push(i);
        }
    }

    fn event(&mut self, i: usize, event: Event) {
        if self.hosts[i].up {
            self.hosts[i].world.step(event);
            self.take_trace(i);
            self.hear_notes(i);
            self.wake(i);
        }
    }

    /// What the operator of a host is told.
    fn hear_notes(&mut self, i: usize) {
        let Some(line) = &mut self.hosts[i].world.line else { return };
        for (conn, text) in std::mem::take(&mut line.notes) {
            if let Err(why) = self.noted(i, conn, &text) {
                self.wrong.get_or_insert(why);
            }
        }
    }

    /// Everything happens until nothing is left to do.
    pub(crate) fn rest(&mut self) -> Result<(), String> {
        while self.happen()? {
            if self.steps > self.settings.max_steps {
                return Err(format!("it does not come to rest: {}", self.restless()));
            }
            if self.steps.is_multiple_of(1 << 16)
                && let Some(tell) = self.progress
            {
                tell(self);
            }
        }
        Ok(())
    }

    /// Who has something to do.
    fn restless(&self) -> String {
        let mut all: Vec<String> = self.active.iter().take(4).map(|i| format!("host {i} is active")).collect();
        all.extend(self.agenda.values().take(8).map(|c| match c {
            Coming::Arrives(end) => format!("bytes for host {}", end.0),
            Coming::Dial { host, peer, .. } => format!("host {host} dials {}", peer.designator),
            Coming::Begins { host, .. } => format!("host {host} begins"),
            Coming::Wakes(i) => format!("a delay of host {i}"),
            Coming::Trouble(t) => format!("{t:?}"),
        }));
        all.join(", ")
    }

    /// Something that can happen does. False: nothing can.
    fn happen(&mut self) -> Result<bool, String> {
        if let Some(wrong) = self.wrong.take() {
            return Err(wrong);
        }
        if let Some(first) = self.agenda.first_entry()
            && (first.key().0 <= self.now || self.active.is_empty())
        {
            self.now = self.now.max(first.key().0);
            let what = first.remove();
            self.comes(what)?;
            self.schedule_arrivals();
            return Ok(true);
        }
        if self.active.is_empty() {
            return Ok(false);
        }
        self.steps += 1;
        self.now += self.random.below(2 * STEP_NS) / self.active.len() as u64;
        let at = self.random.below(self.active.len() as u64) as usize;
        self.host_step(at)?;
        self.schedule_arrivals();
        Ok(true)
    }

    fn schedule_arrivals(&mut self) {
        for (at, end) in std::mem::take(&mut self.wires.arrivals) {
            self.later(at, Coming::Arrives(end));
        }
    }

    /// A step of the active host at this place of the list.
    fn host_step(&mut self, at: usize) -> Result<(), String> {
        let i = self.active[at];
        let now_ms = self.now_ms();
        let h = &mut self.hosts[i];
        h.world.now_ms = now_ms;
        let moved = if h.up { h.world.step_among_others() } else { Moved::Idle };
        match moved {
            Moved::Did => {}
            Moved::Idle => {
                self.active.swap_remove(at);
                let h = &mut self.hosts[i];
                h.active = false;
                if let Some(due) = h.world.next_delay().filter(|_| h.up) {
                    let at = (due.saturating_sub(crate::BEGIN_MS) * MS).max(self.now + 1);
                    self.later(at, Coming::Wakes(i));
                }
            }
            Moved::Died(why) => self.dies(i, why),
            Moved::Over(why) => return Err(format!("host {i}: {why}")),
        }
        self.serve(i)
    }

    fn now_ms(&self) -> u64 {
        crate::BEGIN_MS + self.now / MS
    }

    /// The process of a host dies; it begins again after a while.
    fn dies(&mut self, i: usize, why: String) {
        self.note(|| format!("host {i} dies: {why}"));
        let h = &mut self.hosts[i];
        h.up = false;
        h.life += 1;
        self.wires.kill(i, self.now, &mut self.random);
        if let Some(line) = &mut self.hosts[i].world.line {
            line.out.clear();
        }
        let down = [0, 5, 50, 1_500][self.random.below(4) as usize];
        let at = self.now + self.random.below(2 * down * MS + 1);
        self.later(at, Coming::Begins { host: i, why });
    }

    fn begins(&mut self, i: usize, why: &str) -> Result<(), String> {
        let opening = self.new_opening();
        let now_ms = self.now_ms();
        let h = &mut self.hosts[i];
        h.world.now_ms = now_ms;
        h.up = true;
        h.openings.push(opening);
        h.world.begin_again(why).map_err(|why| format!("host {i}: {why}"))?;
        self.note(|| format!("host {i} begins again"));
        self.wake(i);
        self.serve(i)
    }

    fn comes(&mut self, what: Coming) -> Result<(), String> {
        match what {
            Coming::Arrives(end) => self.arrives(end),
            Coming::Dial { host, life, session, peer } => {
                if self.hosts[host].life == life {
                    self.dial(host, session, &peer);
                }
            }
            Coming::Begins { host, why } => self.begins(host, &why)?,
            Coming::Wakes(i) => self.wake(i),
            Coming::Trouble(trouble) => self.trouble(trouble)?,
        }
        Ok(())
    }

    /// What a host said, once it is durable.
    fn serve(&mut self, i: usize) -> Result<(), String> {
        self.take_trace(i);
        self.hear_notes(i);
        let Some(line) = &mut self.hosts[i].world.line else { return Ok(()) };
        for out in std::mem::take(&mut line.out) {
            match out {
                Out::Write { conn, bytes } => {
                    let delay = self.delay((i, conn));
                    self.wires.write((i, conn), bytes, self.now, delay, &mut self.random);
                }
                Out::Close { conn } => {
                    let delay = self.delay((i, conn));
                    self.wires.close((i, conn), self.now, delay);
                }
                Out::Dial { session, peer, attempt } => {
                    let wait = if attempt == 0 { 0 } else { FIRST_WAIT_MS << (attempt - 1).min(15) };
                    let at = self.now + wait.min(LONGEST_WAIT_MS) * MS + self.random.below(20 * MS);
                    let life = self.hosts[i].life;
                    self.later(at, Coming::Dial { host: i, life, session, peer });
                }
                Out::Established { conn, .. } => self.established((i, conn))?,
                _ => {}
            }
        }
        Ok(())
    }

    /// How long something takes that an end sends: a part belongs to the two hosts, a part is chance.
    fn delay(&mut self, end: End) -> u64 {
        let other = self.wires.get(end).map_or(0, |h| h.other.0);
        let of_both = (end.0.min(other) * 31 + end.0.max(other) * 17) as u64 % 40;
        let chance = if self.random.chance(1, 16) { 200 * MS } else { 4 * MS };
        of_both * of_both * MS / 40 + self.random.below(chance) + MS / 10
    }

    fn arrives(&mut self, end: End) {
        let other = self.wires.get(end).map(|h| h.other.0);
        if let Some(apart) = &self.apart
            && other.is_some_and(|o| apart.separates(self.hosts[end.0].place, self.hosts[o].place))
        {
            // it is sent again and again, until it comes through
            let at = apart.until + self.random.below(100 * MS);
            return self.later(at, Coming::Arrives(end));
        }
        let conn = end.1;
        match self.wires.arrive(end, self.now, &mut self.random) {
            None => {}
            Some(Some(bytes)) => self.event(end.0, Event::Peer(In::Received { conn, bytes })),
            Some(None) => self.event(end.0, Event::Peer(In::Closed { conn, why: "end of stream".to_owned() })),
        }
    }

    fn dial(&mut self, from: usize, session: VatId, peer: &Peer) {
        let failed = |n: &mut Network| {
            n.event(from, Event::Peer(In::DialFailed { session, why: "nobody is there".to_owned() }));
        };
        let Some(to) = self.reached(from, peer) else { return failed(self) };
        let ends = [(from, ConnId(self.next_conn)), (to, ConnId(self.next_conn + 1))];
        self.next_conn += 2;
        self.done.connections += 1;
        let opening = |n: &Network, i: usize| n.hosts[i].openings.last().copied().unwrap_or(0);
        self.wires.open([(ends[0], opening(self, from)), (ends[1], opening(self, to))]);
        self.note(|| format!("host {from} reaches host {to}"));
        // the other side may have heard of a connection that whoever dialled never got
        let half = self.random.chance(1, 24);
        for (end, other, dialled) in [(ends[1], from, None), (ends[0], to, Some(session))] {
            let seed = std::array::from_fn(|_| self.random.below(256) as u8);
            if half && dialled.is_some() {
                self.wires.close(end, self.now, MS);
                failed(self);
                continue;
            }
            let (here, authenticated) =
                (self::peer(self.hosts[end.0].place), Some(self::peer(self.hosts[other].place).designator));
            let open = Opened { conn: end.1, dialled, here, authenticated, dialect: None, framing: None, seed };
            self.event(end.0, Event::Peer(In::Opened(open)));
        }
    }

    /// The host, or a copy of it, that answers at this locator.
    fn reached(&mut self, from: usize, peer: &Peer) -> Option<usize> {
        let place = peer.designator.strip_prefix('h')?.parse::<usize>().ok()?;
        let from_place = self.hosts[from].place;
        if place == from_place || self.apart.as_ref().is_some_and(|a| a.separates(from_place, place)) {
            return None;
        }
        let to = self.at_place(from, place)?;
        self.hosts.get(to).filter(|h| h.up).map(|_| to)
    }

    pub fn hosts(&self) -> usize {
        self.hosts.len()
    }
    /// What was done so far.
    pub fn so_far(&self) -> Done {
        let mut done = self.done;
        for h in &self.hosts {
            done.turns += h.world.turns;
            done.deaths += h.world.deaths;
        }
        done.ms = self.now / MS;
        done
    }
}

impl World {
    /// A host with a store, in a network.
    fn among_others(shared: &Arc<Shared>, program: u64, args: &[String], seed: u64, plan: Plan, here: Peer) -> World {
        let mut w = World::empty(shared, program, true, seed);
        w.line = Some(Box::new(Line::new(here.clone())));
        w.spares_suspects = true;
        w.args = args.to_vec();
        w.plan = plan;
        w.begin_durably(LIMITS, identity(&here));
        w
    }
}

/// The identity of a host's store.
fn identity(here: &Peer) -> [u8; 32] {
    let mut bytes = [0x5A; 32];
    here.designator.bytes().zip(&mut bytes).for_each(|(from, to)| *to = from);
    bytes
}
