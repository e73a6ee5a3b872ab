//! Circles of garbage among vats: objects that hold each other across vats and that nothing living holds.
//!
//! In: `Event::Quiet`, when nothing runs and nothing waits. Out: exports whose holders are all garbage lose them, and are
//! given back to their vats as any export that nobody holds.
//!
//! A search marks from what lives by itself: the roots of each vat (all it holds but by way of its exports), and messages that wait
//! on promises. A vat is asked which references it reaches from its roots and from those of its exports that are marked so
//! far; what it reaches is marked, and vats with newly marked exports are asked again, until nothing is new.
//!
//! Invariants
//! - any other delivery ends the search, and whatever a session asks: what it found was true only while nothing changed;
//! - a reference that a search cannot judge (a power's promise, one of a dead vat) counts as living;
//! - bounded: at most `MAX_QUESTIONS` questions a search.
use crate::refs::State;
use crate::{Node, TurnId, Vat};
use passable::{ObjectId, PromiseId, Ref, VatId, What};
use std::collections::{BTreeMap, BTreeSet};

/// Questions to vats in one search.
const MAX_QUESTIONS: usize = 100_000;

#[derive(Default)]
pub(crate) struct Search {
    /// A search goes on.
    active: bool,
    objects: BTreeMap<VatId, BTreeSet<u64>>,
    promises: BTreeSet<PromiseId>,
    /// Vats to be asked.
    ask: BTreeSet<VatId>,
    /// The vat whose answer is awaited.
    asked: Option<VatId>,
    questions: usize,
    /// Events since the last search that may have made garbage.
    pub(crate) changed: bool,
}

impl Vat {
    /// It is paused, or no JavaScript.
    fn cannot_be_asked(&self) -> bool {
        self.paused || self.session
    }
}

impl Node {
    /// Begins a search, if anything has changed since the last one.
    pub(crate) fn quiet(&mut self) {
        if self.search.active || !self.search.changed || self.pending > 0 {
            return;
        }
        self.search = Search { active: true, ask: self.vats().collect(), ..Search::default() };
        let waiting: Vec<Ref> = {
            let held = self.promises.values().flat_map(|e| e.waiting.iter());
            held.flat_map(|w| w.1.what.refs().0.to_vec()).collect()
        };
        for r in waiting {
            self.mark(r);
        }
        let of_host: Vec<PromiseId> =
            self.promises.iter().filter(|e| e.1.holders.contains(passable::HOST)).map(|e| *e.0).collect();
        for p in of_host {
            self.mark(Ref::Promise(p));
        }
        // a vat that takes no deliveries cannot be asked: all it holds lives
        let paused: Vec<VatId> = self.vats().filter(|v| self.vat_ref(*v).is_some_and(Vat::cannot_be_asked)).collect();
        for vat in paused {
            self.search.ask.remove(&vat);
            self.mark_all_of(vat);
        }
        // what has a sturdyref
        self.mark_all_of(passable::HOST);
        self.ask_next();
    }

    fn mark_all_of(&mut self, vat: VatId) {
        let mut held = Vec::new();
        for v in self.vats() {
            let Some(other) = self.vat_ref(v) else { continue };
            held.extend(
                other.exports.iter().filter(|e| e.1.holders.contains(vat)).map(|e| Ref::Object(ObjectId { vat: v, n: *e.0 })),
            );
        }
        held.extend(self.promises.iter().filter(|e| e.1.holders.contains(vat)).map(|e| Ref::Promise(*e.0)));
        for r in held {
            self.mark(r);
        }
    }

    fn mark(&mut self, r: Ref) {
        let mut todo = vec![r];
        while let Some(r) = todo.pop() {
            match r {
                Ref::Power(_) => {}
                Ref::Object(o) => {
                    if self.search.objects.entry(o.vat).or_default().insert(o.n)
                        && self.vat_ref(o.vat).is_some_and(|v| !v.cannot_be_asked())
                    {
                        self.search.ask.insert(o.vat);
                    }
                }
                Ref::Promise(p) => {
                    if self.search.promises.insert(p) {
                        match self.promises.get(&p).map(|e| &e.state) {
                            Some(State::Settled { value, .. }) => todo.extend(&value.slots),
                            Some(State::Forwarded(q)) => todo.push(Ref::Promise(*q)),
                            _ => {}
                        }
                    }
                }
            }
        }
    }

    fn ask_next(&mut self) {
        while let Some(vat) = self.search.ask.pop_first() {
            let exports = self.search.objects.get(&vat).map(|s| s.iter().copied().collect()).unwrap_or_default();
            if self.vat_ref(vat).is_none() {
                continue;
            }
            self.search.questions += 1;
            if self.search.questions > MAX_QUESTIONS {
                self.search.active = false;
                return;
            }
            self.search.asked = Some(vat);
            self.enqueue(vat, What::Trace { exports }, TurnId::default());
            return;
        }
        self.search.active = false;
        self.give_up_unmarked();
    }

    /// The answer of a vat.
    pub(crate) fn reached(&mut self, vat: VatId, refs: Vec<Ref>) {
        if !self.search.active || self.search.asked.take() != Some(vat) {
            return;
        }
        for r in refs {
            self.mark(r);
        }
        self.ask_next();
    }

    /// Something else happens.
    pub(crate) fn disturb(&mut self) {
        self.search.active = false;
        self.search.asked = None;
        self.search.changed = true;
    }

    /// What was not marked is garbage: its holders let go.
    fn give_up_unmarked(&mut self) {
        let mut loose = Vec::new();
        for (i, v) in self.vats.iter_mut().enumerate() {
            let vat = VatId(i as u32);
            let Some(v) = v.as_deref_mut() else { continue };
            let marked = self.search.objects.get(&vat);
            for (n, e) in v.exports.iter_mut() {
                if !e.holders.is_empty() && e.transit == 0 && !marked.is_some_and(|m| m.contains(n)) {
                    e.holders = Default::default();
                    self.dirty.export(ObjectId { vat, n: *n });
                    loose.push(ObjectId { vat, n: *n });
                }
            }
        }
        loose.sort();
        let vats: BTreeSet<VatId> = loose.iter().map(|o| o.vat).collect();
        for o in loose {
            self.look_at_export(o);
        }
        let mut gone: Vec<PromiseId> =
            self.promises.iter().filter(|e| !self.search.promises.contains(e.0) && e.1.transit == 0).map(|e| *e.0).collect();
        gone.sort();
        for p in gone {
            let Some(e) = self.promise_mut(p) else { continue };
            // a power's answer, and one that somebody might be told of, is left to come
            if e.decider != passable::HOST && e.handled {
                e.holders = Default::default();
                e.listeners = Default::default();
                self.look_at_promise(p);
            }
        }
        for vat in vats {
            self.idle(vat);
        }
        self.search.changed = false;
    }
}
