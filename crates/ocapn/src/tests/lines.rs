//! Lines between hosts: bytes arrive in order, in pieces.
use super::world::Host;
use crate::{ConnId, Dialect, Framing, In, Opened, Peer};
use passable::{Ref, VatId};
use std::collections::BTreeMap;

/// Two ends of a line.
type End = (usize, ConnId);

pub struct World {
    pub hosts: Vec<Host>,
    lines: BTreeMap<End, End>,
    next: u64,
    pub dialect: Option<Dialect>,
    pub framing: Option<Framing>,
    /// Bytes of one piece as they arrive.
    pub piece: usize,
    /// Messages in each direction, as they were written.
    pub written: Vec<(usize, Vec<u8>)>,
    /// Dials are left alone.
    pub deaf: bool,
}

impl World {
    pub fn new(names: &[&str]) -> World {
        World {
            hosts: names.iter().map(|n| Host::new(n)).collect(),
            lines: BTreeMap::new(),
            next: 1,
            dialect: None,
            framing: None,
            piece: usize::MAX,
            written: Vec::new(),
            deaf: false,
        }
    }

    pub fn open(&mut self, at: usize, dialled: Option<VatId>) -> ConnId {
        let conn = ConnId(self.next);
        self.next += 1;
        let seed = std::array::from_fn(|i| (self.next as u8).wrapping_mul(31).wrapping_add(i as u8));
        let here = self.hosts[at].peer.clone();
        let (dialect, framing) = (self.dialect, self.framing);
        self.hosts[at].step(In::Opened(Opened { conn, dialled, here, authenticated: None, dialect, framing, seed }));
        conn
    }

    /// Carries bytes and dials until all is quiet.
    pub fn run(&mut self) {
        while self.run_once(0..self.hosts.len()) {}
    }
    /// Carries what one host has to say.
    pub fn run_some(&mut self, host: usize) {
        self.run_once(host..host + 1);
    }

    /// True: something moved.
    fn run_once(&mut self, hosts: std::ops::Range<usize>) -> bool {
        let mut moved = false;
        {
            for i in hosts {
                self.hosts[i].settle_down();
                if !self.deaf {
                    for (session, peer) in std::mem::take(&mut self.hosts[i].dials) {
                        moved = true;
                        self.dial(i, session, &peer);
                    }
                }
                for (conn, bytes) in std::mem::take(&mut self.hosts[i].wire) {
                    moved = true;
                    self.written.push((i, bytes.clone()));
                    if let Some((j, other)) = self.lines.get(&(i, conn)).copied() {
                        for piece in bytes.chunks(self.piece.min(bytes.len())) {
                            self.hosts[j].step(In::Received { conn: other, bytes: piece.to_vec() });
                        }
                    }
                }
                for conn in std::mem::take(&mut self.hosts[i].closed) {
                    moved = true;
                    self.cut(i, conn);
                }
            }
        }
        moved
    }

    fn dial(&mut self, from: usize, session: VatId, peer: &Peer) {
        match self.hosts.iter().position(|h| h.peer.key() == peer.key()) {
            Some(to) => {
                let theirs = self.open(to, None);
                let ours = self.open(from, Some(session));
                self.lines.insert((from, ours), (to, theirs));
                self.lines.insert((to, theirs), (from, ours));
            }
            None => self.hosts[from].step(In::DialFailed { session, why: "nobody is there".into() }),
        }
    }

    /// A line breaks; the other side is told.
    pub fn cut(&mut self, at: usize, conn: ConnId) {
        if let Some(other) = self.lines.remove(&(at, conn)) {
            self.lines.remove(&other);
            self.hosts[other.0].step(In::Closed { conn: other.1, why: "end of stream".into() });
        }
    }
    pub fn cut_all(&mut self) {
        let all: Vec<End> = self.lines.keys().copied().collect();
        for (at, conn) in all {
            if self.lines.remove(&(at, conn)).is_some() {
                self.hosts[at].step(In::Closed { conn, why: "cut".into() });
            }
        }
        self.run();
    }
    pub fn lines(&self) -> usize {
        self.lines.len() / 2
    }

    /// What host `from` gets by a sturdyref of host `to`.
    pub fn fetch(&mut self, from: usize, to: usize, swiss: &str) -> Ref {
        let sturdy = crate::Sturdyref { peer: self.hosts[to].peer.clone(), swiss: swiss.as_bytes().to_vec() };
        let p = self.hosts[from].import(&sturdy.to_uri());
        self.run();
        self.hosts[from].reference(p)
    }
}
