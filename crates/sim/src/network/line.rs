//! What a simulated host has more if it stands in a network.
//!
//! In: what its node says to peers and to whoever called. Out: the same, once it is durable; one step at a time.
//!
//! Invariants
//! - nothing is handed out that was not released: it comes by way of the journal, as lines do;
//! - a process that died says nothing more.
use crate::disk::Stop;
use crate::{Outcome, World};
use journal::Out;
use node::Event;
use ocapn::{ConnId, Peer};
use passable::Data;
use std::collections::BTreeMap;

/// See the head.
pub(crate) struct Line {
    pub here: Peer,
    /// For the network.
    pub out: Vec<ocapn::Out>,
    /// Answers to the operator.
    pub replies: BTreeMap<u64, (bool, Data)>,
    /// What the operator was told, and of which connection.
    pub notes: Vec<(Option<ConnId>, String)>,
}

impl Line {
    pub fn new(here: Peer) -> Line {
        Line { here, out: Vec::new(), replies: BTreeMap::new(), notes: Vec::new() }
    }
}

/// What came of a step.
pub(crate) enum Moved {
    Did,
    /// There is nothing to do until something comes, or a delay is over.
    Idle,
    /// The process died.
    Died(String),
    /// It is over, and should not be.
    Over(String),
}

impl World {
    /// The host reaches others from now on.
    pub(crate) fn go_online(&mut self) {
        let Some(line) = &self.line else { return };
        let here = vec![line.here.clone()];
        let secret = std::array::from_fn(|_| self.random.below(256) as u8);
        let history = self.journal().map(|j| j.history());
        self.step(Event::Online { here, secret, may_choose: true, history });
    }

    pub(crate) fn for_peers(&mut self, out: ocapn::Out) {
        let Some(line) = &mut self.line else { return };
        if let ocapn::Out::Note { text, conn, .. } = out {
            line.notes.push((conn, text.clone()));
            return self.note(|_| format!("note: {text}"));
        }
        if let Some(j) = self.journal() {
            j.waiting.output.push(Out::Net(out));
        }
    }

    /// Something released leaves.
    pub(crate) fn leaves(&mut self, out: ocapn::Out) {
        if let Some(line) = &mut self.line {
            line.out.push(out);
        }
    }

    pub(crate) fn replied(&mut self, to: u64, rejected: bool, value: Data) {
        if let Some(line) = &mut self.line {
            line.replies.insert(to, (rejected, value));
        }
    }

    /// A step of a host among others.
    pub(crate) fn step_among_others(&mut self) -> Moved {
        self.steps += 1;
        match self.faults().and_then(|()| self.act()) {
            Ok(_) if self.ended.is_some() => Moved::Over(self.why_over()),
            Ok(true) => Moved::Did,
            Ok(false) => Moved::Idle,
            Err(Stop::Dead(why)) => Moved::Died(why),
            Err(Stop::Broken(why) | Stop::Noticed(why)) => Moved::Over(why),
        }
    }

    /// Another process begins after one that died.
    pub(crate) fn begin_again(&mut self, why: &str) -> Result<(), String> {
        self.die(why);
        if self.ended.is_some() { Err(self.why_over()) } else { Ok(()) }
    }

    fn why_over(&self) -> String {
        match &self.ended {
            Some(Outcome::Broken(why)) => why.clone(),
            Some(Outcome::Rejected(why)) => format!("the program threw {why}"),
            other => format!("it came to {other:?}"),
        }
    }

    /// When the next delay is over, in milliseconds since 1970.
    pub(crate) fn next_delay(&self) -> Option<u64> {
        self.delays.first().map(|d| d.0)
    }

    /// The memory of a host that is of no more use.
    pub(crate) fn forget(&mut self) {
        self.durable = None;
        self.vats.clear();
        self.asleep.clear();
    }
}
