//! Where exceptions came from, for the operator: programs never see it.
//!
//! In: frames that an exception leaves with no handler, or with the one that rejects an async function's promise. Out: at the
//! end of the turn a `Trace` for each of the last few such exceptions.
//!
//! Invariants
//! - an exception that a `catch` takes costs nothing here: frames are looked at only when no handler was found;
//! - few exceptions are kept, and few frames of each; nothing of it outlives the turn;
//! - frames of the JavaScript that we ship are in no trace.
//!
//! Must never know: who reads it.
use crate::code::F_BUILTIN;
use crate::cx::{Cx, Value};
use crate::engine::LoadedUnit;
use crate::{builtins, function};
use cage::Mem;
use cage::value::is_obj;
use std::sync::Arc;
use syntax::LineIndex;

/// Exceptions kept, the last ones of a turn.
const MAX_THROWN: usize = 8;
/// Frames kept of one, the innermost ones.
const MAX_SITES: usize = 16;

/// A place in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Empty for a program's own code and functions without a name.
    pub function: String,
    pub file: String,
    pub line: u32,
    pub column: u32,
}

/// An exception and the calls it left, innermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// `Name: message` or `Uncaught: value`.
    pub text: String,
    pub places: Vec<Place>,
}

struct Site {
    unit: Arc<LoadedUnit>,
    function: usize,
    byte: u32,
}

/// An exception on its way, or one that left all frames.
pub struct Thrown {
    value: Value,
    sites: Vec<Site>,
}

/// The frame of closure `f` is left from word `pc` (from the function's beginning). False: there are enough.
pub(crate) fn leaves(cx: &mut Cx, m: Mem, f: Value, pc: u32) -> bool {
    let value = cx.thrown;
    if cx.left.last().is_none_or(|t| t.value != value) {
        if cx.left.len() == MAX_THROWN {
            cx.left.remove(0);
        }
        cx.left.push(Thrown { value, sites: Vec::new() });
    }
    let place = if is_obj(f) { function::code_of(cx, m, f) } else { None };
    let Some(thrown) = cx.left.last_mut() else { return false };
    if let Some((unit, function)) = place {
        let info = &unit.unit.functions[function];
        if let (0, Some(byte)) = (info.flags & F_BUILTIN, info.byte_at(pc)) {
            thrown.sites.push(Site { unit, function, byte });
        }
    }
    thrown.sites.len() < MAX_SITES
}

/// A `catch` or `finally` has taken the exception `value`.
#[inline]
pub(crate) fn taken(cx: &mut Cx, value: Value) {
    if cx.left.last().is_some_and(|t| t.value == value) {
        cx.left.pop();
    }
}

/// References to exceptions, which a collection may move.
pub(crate) fn values(cx: &Cx) -> impl Iterator<Item = Value> {
    cx.left.iter().map(|t| t.value)
}

pub(crate) fn moved(cx: &mut Cx, values: &[Value]) {
    cx.left.iter_mut().zip(values).for_each(|(t, v)| t.value = *v);
}

/// The traces of this turn, as text.
pub(crate) fn take(cx: &mut Cx, m: Mem) -> Vec<Trace> {
    let left = std::mem::take(&mut cx.left);
    left.into_iter()
        .map(|t| Trace { text: builtins::error::describe(cx, m, t.value), places: t.sites.iter().map(place).collect() })
        .collect()
}

fn place(site: &Site) -> Place {
    let unit = &site.unit.unit;
    let at = LineIndex::new(&unit.source).place(site.byte);
    let function = String::from_utf16_lossy(&unit.functions[site.function].name);
    Place { function, file: unit.name.clone(), line: at.line, column: at.column }
}
