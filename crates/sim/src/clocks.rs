//! Which turn could have caused which: vector clocks.
//!
//! In: turns as they begin, each with the turn that sent what it received. Out: whether one precedes another.
use passable::{TurnId, VatId};
use std::collections::BTreeMap;

/// For each turn: the last turn of every vat that could have caused it, itself included.
#[derive(Debug, Default)]
pub struct Clocks {
    of: BTreeMap<TurnId, BTreeMap<VatId, u64>>,
}

impl Clocks {
    pub fn begin(&mut self, id: TurnId, by: TurnId) {
        // the vat's last turn; a number may be missing, since a turn that a crash undid is not done again under it
        let before = self.of.range(TurnId { vat: id.vat, turn: 0 }..id).next_back();
        let mut c = before.map(|t| t.1.clone()).unwrap_or_default();
        for (v, t) in self.of.get(&by).into_iter().flatten() {
            let at = c.entry(*v).or_default();
            *at = (*at).max(*t);
        }
        c.insert(id.vat, id.turn);
        self.of.insert(id, c);
    }

    /// A crash undid all turns of a vat after `turn`.
    pub fn forget_after(&mut self, vat: VatId, turn: u64) {
        self.of.retain(|id, _| id.vat != vat || id.turn <= turn);
    }

    /// A crash undid the making of this vat and of all after it.
    pub fn forget_from(&mut self, vats: u32) {
        self.of.retain(|id, _| id.vat.0 < vats);
    }

    /// `a` is `b`, or could have caused it. What the host sends is kept in its order, and what a session with a peer sends, whose turns do
    /// not begin here.
    pub fn precedes(&self, a: TurnId, b: TurnId) -> bool {
        a.vat == b.vat && a.turn <= b.turn || self.of.get(&b).is_some_and(|c| c.get(&a.vat).is_some_and(|t| *t >= a.turn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_followed_across_vats() {
        let t = |v, turn| TurnId { vat: VatId(v), turn };
        let mut c = Clocks::default();
        c.begin(t(1, 1), t(0, 0));
        c.begin(t(2, 1), t(1, 1));
        c.begin(t(3, 1), t(0, 0));
        c.begin(t(3, 2), t(2, 1));
        assert!(c.precedes(t(1, 1), t(3, 2)) && c.precedes(t(2, 1), t(3, 2)) && c.precedes(t(3, 1), t(3, 2)));
        assert!(!c.precedes(t(3, 1), t(2, 1)) && !c.precedes(t(3, 2), t(1, 1)));
    }
}
