//! What must be true of a network at rest, and runs by seed.
//!
//! In: a network whose hosts have nothing left to do. Out: what is wrong: of what was sent and heard, of money, of tables.
//!
//! What it holds hosts to
//! - every numbered message was heard, once and in order; every answer came; the sum of all purses is as it was;
//! - of two hosts each says of their session what the other says of it: what one exports the other imports, what one asks the other answers;
//! - when programs have let go of all, nothing is left in any table, and no export without a holder;
//! - each store, opened once more after a loss of power, holds what was reported durable, and nothing of what has ended.
use super::{Done, Network, Settings, TOLD_HOSTS};
use crate::hunt::on_big_stack;
use crate::programs::Known;
use node::Event;
use passable::{Item, Reader, VatId};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use vat::Shared;

/// The vat of a host's program.
const MAIN: VatId = VatId(1);
/// What each purse begins with.
const PURSE: i64 = 1_000;
/// How often vats are asked to collect before what is left counts as a leak.
const COLLECTIONS: usize = 16;
/// How often a host is asked that dies before it answers.
const ASKED: usize = 50;

/// A run that broke a promise.
#[derive(Debug)]
pub struct Failure {
    pub seed: u64,
    pub what: String,
    pub trace: Vec<String>,
}

/// The program of the network's hosts, linked, to be run with many seeds.
pub struct Mesh {
    shared: Arc<Shared>,
    entry: u64,
    pub settings: Settings,
    pub progress: Option<fn(&Network)>,
}

impl Mesh {
    pub fn new(settings: Settings) -> Result<Mesh, String> {
        let shared = Shared::arranged(false, vat::Arrangement::Usual).map_err(|e| format!("no memory for a base: {e}"))?;
        let entry = shared.install("mesh.js", None, &mut Known).map_err(|faults| format!("{faults:?}"))?;
        Ok(Mesh { shared: Arc::new(shared), entry, settings, progress: None })
    }

    /// Runs one seed, on a thread of its own; after a failure once more, to tell what happened, unless there are too many hosts for that.
    pub fn run(&self, seed: u64) -> Result<Done, Failure> {
        on_big_stack(|| match self.attempt(seed, false) {
            Ok(done) => Ok(done),
            Err((what, trace)) if self.settings.hosts > TOLD_HOSTS => Err(Failure { seed, what, trace }),
            Err((what, _)) => {
                let trace = self.attempt(seed, true).err().map_or(Vec::new(), |e| e.1);
                Err(Failure { seed, what, trace })
            }
        })
    }

    fn attempt(&self, seed: u64, tell: bool) -> Result<Done, (String, Vec<String>)> {
        let run = catch_unwind(AssertUnwindSafe(|| {
            let mut n = Network::new(&self.shared, self.entry, self.settings, seed, tell);
            n.progress = self.progress;
            match n.whole_run() {
                Ok(done) => Ok(done),
                Err(what) => Err((what, n.trace)),
            }
        }));
        run.map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            (format!("panic: {}", text.unwrap_or_default()), Vec::new())
        })?
    }
}

/// What programs have counted.
#[derive(Default)]
struct Books {
    balance: i64,
    sent: BTreeMap<String, u64>,
    heard: BTreeMap<String, u64>,
    touches: [u64; 2],
}

impl Network {
    fn whole_run(&mut self) -> Result<Done, String> {
        self.rest()?;
        self.done.messages = self.close_books()?;
        self.compare_tables()?;
        self.done.references = self.references();
        if self.done.references < self.settings.refs as u64 {
            return Err(format!(
                "hosts hold {} references of each other, {} were wanted",
                self.done.references, self.settings.refs
            ));
        }
        self.ask_all("drop")?;
        self.nothing_is_left()?;
        self.close_stores()?;
        Ok(self.so_far())
    }

    /// Hosts that are no copies.
    fn originals(&self) -> usize {
        self.settings.hosts
    }

    /// Every program answers a call; texts by host. A host that died before it had answered is asked again.
    fn ask_all(&mut self, method: &str) -> Result<Vec<String>, String> {
        let mut answers = vec![None; self.originals()];
        for _ in 0..ASKED {
            for (i, _) in answers.iter().enumerate().filter(|a| a.1.is_none()) {
                let body = passable::codec::method_call(method, |_| 0);
                if let Some(line) = &mut self.hosts[i].world.line {
                    line.replies.clear();
                }
                self.event(i, Event::Call { vat: MAIN, body, reply: 1 });
            }
            self.rest()?;
            for (i, answer) in answers.iter_mut().enumerate() {
                let reply = self.hosts[i].world.line.as_mut().and_then(|l| l.replies.remove(&1));
                let Some((rejected, value)) = reply else { continue };
                let text = match Reader::new(&value.body).item() {
                    Ok(Item::String(t)) if !rejected => t.to_rust(),
                    _ => return Err(format!("host {i} answers to {method}: {}", value.describe())),
                };
                *answer = Some(text);
            }
            if answers.iter().all(Option::is_some) {
                return Ok(answers.into_iter().flatten().collect());
            }
        }
        Err(format!("not all hosts answer to {method}"))
    }

    /// What all have counted fits together; how many messages that were.
    fn close_books(&mut self) -> Result<u64, String> {
        let told = self.ask_all("tell")?;
        let mut books = Books::default();
        for (i, text) in told.iter().enumerate() {
            books.enter(i, text, self.settings.rounds)?;
        }
        if books.balance != PURSE * self.originals() as i64 {
            return Err(format!("all purses together hold {} of {}", books.balance, PURSE * self.originals() as i64));
        }
        if books.touches[0] != books.touches[1] {
            return Err(format!("{} messages without numbers were handed on, {} were heard", books.touches[0], books.touches[1]));
        }
        for (stream, n) in &books.sent {
            let heard = books.heard.get(stream).copied().unwrap_or(0);
            if heard != *n {
                return Err(format!("of {n} messages of the stream {stream} {heard} were heard"));
            }
        }
        if let Some(stream) = books.heard.keys().find(|s| !books.sent.contains_key(*s)) {
            return Err(format!("messages of the stream {stream} were heard, and nobody knows to have sent them"));
        }
        Ok(books.sent.values().sum::<u64>() + books.touches[0])
    }

    /// What one host says of a session, and the other.
    fn compare_tables(&self) -> Result<(), String> {
        let mut all = BTreeMap::new();
        for i in 0..self.originals() {
            for s in self.hosts[i].world.node.session_tables() {
                let Some(other) = s.peer.designator.strip_prefix('h').and_then(|n| n.parse::<usize>().ok()) else { continue };
                if s.unacked.0 > 0 {
                    return Err(format!("host {i} at rest has messages that host {other} has not acknowledged: {s:?}"));
                }
                all.insert((i, other), s);
            }
        }
        for ((i, other), s) in &all {
            let Some(t) = all.get(&(*other, *i)) else {
                return Err(format!("host {i} has a session with host {other}, which has none"));
            };
            if (s.exports, s.questions) != (t.imports, t.answers) {
                return Err(format!("tables do not agree: host {i}: {s:?}, host {other}: {t:?}"));
            }
        }
        Ok(())
    }

    /// What hosts hold of each other's.
    pub fn references(&self) -> u64 {
        let of = |i: usize| self.hosts[i].world.node.session_tables().iter().map(|s| s.imports as u64).sum::<u64>();
        (0..self.originals()).map(of).sum()
    }

    /// All vats collect until nothing is left of what was between hosts.
    fn nothing_is_left(&mut self) -> Result<(), String> {
        let mut left = Vec::new();
        for _ in 0..COLLECTIONS {
            for i in 0..self.originals() {
                let node = &self.hosts[i].world.node;
                for vat in node.vats().filter(|v| !node.is_session(*v)).collect::<Vec<_>>() {
                    self.event(i, Event::Idle { vat });
                }
            }
            self.rest()?;
            left = (0..self.originals()).flat_map(|i| self.left_at(i)).collect();
            if left.is_empty() {
                return Ok(());
            }
        }
        left.truncate(8);
        Err(format!("something is left: {}", left.join("; ")))
    }

    /// What is left at a host of others, or of nobody.
    fn left_at(&self, i: usize) -> Vec<String> {
        let node = &self.hosts[i].world.node;
        let mut left = Vec::new();
        for s in node.session_tables() {
            let held = node.held(s.session);
            if s.exports + s.imports + s.questions + s.answers + s.unacked.0 + held > 0 {
                left.push(format!("host {i}: held {held}, {s:?}"));
            }
        }
        for vat in node.vats().filter(|v| node.is_session(*v)) {
            for e in node.exports(vat) {
                left.push(format!("host {i}: object {} of session {} is held by {:?}", e.n, vat.0, e.holders));
            }
        }
        for vat in node.vats() {
            for e in node.exports(vat).iter().filter(|e| e.holders.is_empty() || e.holders.iter().any(|h| node.is_session(*h))) {
                left.push(format!("host {i}: object {} of vat {} is held by {:?}", e.n, vat.0, e.holders));
            }
        }
        if node.held(MAIN) > 1 || node.held(VatId(2)) > 1 || node.promises() > 3 {
            let all = (node.held(MAIN), node.held(VatId(2)), node.promises());
            left.push(format!("host {i}: exports of its vats, promises: {all:?}"));
        }
        left
    }

    /// Every store is closed, and opened once more.
    fn close_stores(&mut self) -> Result<(), String> {
        for i in 0..self.originals() {
            let w = &mut self.hosts[i].world;
            if let Some(r) = w.reports.first() {
                return Err(format!("host {i}: a report: {}", r.text));
            }
            w.finish_among_others().map_err(|why| format!("host {i}: {why}"))?;
            // what an opening reads is not needed any longer, and there are many
            w.forget();
        }
        Ok(())
    }
}

impl Books {
    /// What one program tells.
    fn enter(&mut self, host: usize, text: &str, rounds: u64) -> Result<(), String> {
        let bad = |line: &str| format!("host {host} tells: {line}");
        let (mut asked, mut answered) = (0, 0);
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |at: usize| words.get(at).and_then(|w| w.parse::<u64>().ok()).ok_or_else(|| bad(line));
            match words[0] {
                "balance" => self.balance += number(1)? as i64,
                "asked" => asked = number(1)?,
                "answered" => answered = number(1)?,
                "touches" => self.touches[0] += number(1)?,
                "touched" => self.touches[1] += number(1)?,
                "rounds" if number(1)? == rounds => {}
                "holds" | "cells" => drop(number(1)?),
                "sent" => drop(self.sent.insert(words[1].to_owned(), number(2)?)),
                "heard" => *self.heard.entry(words[1].to_owned()).or_default() += number(2)?,
                _ => return Err(bad(line)),
            }
        }
        if asked == answered { Ok(()) } else { Err(format!("host {host} asked {asked} times and was answered {answered} times")) }
    }
}
