//! Which references the living part of a vat reaches: for finding circles of garbage among vats.
//!
//! In: exports that are taken to be held. Out: references reached from them and from what the vat holds by itself.
//!
//! Invariants
//! - the table of exports is no root: an export counts only if it is named;
//! - a promise decided elsewhere that something here waits for counts as reached.
use crate::known;
use engine::cage::value::*;
use engine::cx::Cx;
use engine::kinds::{PRESENCE, PROMISE};
use engine::roots::{self, COUNT, R_EXPORTS, R_KNOWN};
use engine::{cage::Mem, send, table};
use passable::Ref;
use std::collections::BTreeSet;

/// See the head.
pub fn refs(cx: &mut Cx, m: Mem, exports: &[u64]) -> Vec<Ref> {
    let mut from: Vec<u64> = (1..=COUNT as u16).filter(|n| *n != R_EXPORTS && *n != R_KNOWN).map(|n| roots::get(m, n)).collect();
    let all = roots::get(m, R_EXPORTS);
    if is_obj(all) {
        for n in exports {
            if let Ok(Some(o)) = table::get(cx, m, all, from_num(*n as f64)) {
                from.push(o);
            }
        }
    }
    let mut found = BTreeSet::new();
    cx.heap.reach(m, &from, |kind, at| {
        let handler = match kind {
            PRESENCE => m.r64(at, 16),
            PROMISE => m.r64(at, 40),
            _ => return,
        };
        // a promise named in a turn that was aborted is known to nobody
        if is_cell(handler) && as_int(m.r64(handler as u32, 32)) & send::FRESH == 0 {
            found.insert(known::of_tuple(m, handler));
        }
    });
    found.into_iter().collect()
}
