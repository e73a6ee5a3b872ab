//! A heap that was stored over an older base, laid anew over the base of this build: each reference to a base object is found by name.
//!
//! In: the older base (image and code units), a heap's image over it, the units that the heap added. Out: a machine over this build's
//! base, in which programs go on as if nothing had been; or why not.
//!
//! What may differ between two builds: where base objects lie and in which order they were made, how many there are, what they hold,
//! the code units of shipped script code, layouts of shapes. What may not: numbers of roots, kinds, opcodes, builtins and job kinds; the words of
//! a kind; the layout of a cage. The older build's code is not needed: its base is read as any heap is.
//!
//! Invariants
//! - a program cannot tell: identity, order of properties and entries, places of iterators, identity hashes, numbers of exports and
//!   promises, flags, suspended frames are what they were;
//! - base objects are named (see `names`); what a vat refers to and this build has not ends the relocation, and the name is told;
//! - what a vat changed of base objects (roots, properties, hidden words, flags) is carried over by meaning, property by property, word by word:
//!   what it did not change is as this build has it;
//! - strings are found by content, so that a key is one string; shapes by prototype, layout and keys; tables that are ordered by offsets
//!   are made anew;
//! - a unit of shipped script code that this build has not, and frames or closures of the vat are in, becomes a unit of the vat;
//! - nothing dies by it: what was held weakly and not yet collected is there after it;
//! - whatever the bytes, it ends, in time linear in the heap; no byte of what is stored changes unless all of it was laid anew and
//!   verified.
//!
//! Must never know: stores, vats.
mod changes;
mod copy;
mod names;
mod places;
mod walk;

use crate::cx::{Abort, Stop};
use crate::engine::{Engine, LoadedUnit};
use crate::kinds::KINDS;
use crate::machine::{Base, Machine, Quota};
use crate::roots::{self, R_UNLOCKED};
use cage::heap::ImageError;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The base of another build, and what its objects are called here.
pub struct Older {
    base: Base,
    /// Numbers of its units that this build cannot read: others stand in their places.
    unknown: Vec<usize>,
    names: names::Names,
}

/// What `Older::survey` tells.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Objects that both bases have.
    pub paired: usize,
    /// Those of them that lie at the same place.
    pub in_place: usize,
    /// Names of objects and symbols that this build has not.
    pub gone: Vec<String>,
}

/// Why a heap cannot be laid over this build's base.
#[derive(Debug)]
#[non_exhaustive]
pub enum Unmoved {
    /// The vat refers to a base object that this build has not.
    Gone(String),
    /// The vat changed hidden words of a base object that this build makes otherwise.
    Differs(String),
    /// One base is of locked realms, the other of unlocked ones.
    OtherRealm,
    /// The image is none.
    Image(ImageError),
    /// The heap contradicts itself.
    Damaged(&'static str),
    /// A limit was reached: its name.
    Limit(&'static str),
}

impl fmt::Display for Unmoved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unmoved::Gone(name) => write!(f, "it refers to {name}, which this build has not"),
            Unmoved::Differs(name) => write!(f, "it changed {name}, which this build makes otherwise"),
            Unmoved::OtherRealm => write!(f, "it is of an unlocked realm and this build's is locked, or the reverse"),
            Unmoved::Image(e) => write!(f, "{e}"),
            Unmoved::Damaged(what) => write!(f, "the heap is damaged: {what}"),
            Unmoved::Limit(what) => write!(f, "{what}"),
        }
    }
}

impl std::error::Error for Unmoved {}

impl From<ImageError> for Unmoved {
    fn from(e: ImageError) -> Unmoved {
        Unmoved::Image(e)
    }
}

impl From<Stop> for Unmoved {
    /// What native code of the engine stopped by: no program runs here.
    fn from(s: Stop) -> Unmoved {
        match s {
            Stop::Throw => Unmoved::Damaged("an algorithm of the engine threw"),
            Stop::Abort => Unmoved::Damaged("an algorithm of the engine found words that cannot be"),
        }
    }
}

/// Heap in which a vat is laid anew: all that a cage can have.
const ROOM: Quota = Quota { heap_bytes: 3 << 30, instructions: u64::MAX };

/// A panic is a fault of ours that a damaged heap may reach: it ends this, not the host.
fn guarded<T>(body: impl FnOnce() -> Result<T, Unmoved>) -> Result<T, Unmoved> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(Err(Unmoved::Damaged("it made the engine panic")))
}

impl Older {
    /// The base with this image and these units, named against the base of this build. A unit is absent if this build cannot read it:
    /// that of a later build, whose opcodes it may lack.
    pub fn new(engine: &Arc<Engine>, base: &Base, image: Vec<u8>, units: Vec<Option<Arc<LoadedUnit>>>) -> Result<Older, Unmoved> {
        guarded(|| {
            let unknown: Vec<usize> = (0..units.len()).filter(|n| units[*n].is_none()).collect();
            let any = base.units().first();
            let units = units.into_iter().map(|u| u.or_else(|| any.cloned())).collect::<Option<Vec<_>>>();
            let units = units.ok_or(Unmoved::Damaged("the base has no code"))?;
            let older = Base::stored(image, units)?;
            let mut was = Machine::new(engine, &older, ROOM).map_err(ImageError::Io)?;
            let mut is = Machine::new(engine, base, ROOM).map_err(ImageError::Io)?;
            let names = was.with(|cx, m| {
                is.with(|ncx, nm| {
                    if roots::get(m, R_UNLOCKED) != roots::get(nm, R_UNLOCKED) {
                        return Err(Unmoved::OtherRealm);
                    }
                    names::Names::new((cx, m), (ncx, nm))
                })
            })?;
            Ok(Older { base: older, unknown, names })
        })
    }

    /// How the two bases go together.
    pub fn survey(&self) -> Survey {
        let pairs = || self.names.pairs();
        Survey { paired: pairs().count(), in_place: pairs().filter(|p| p.0 == p.1).count(), gone: self.names.gone() }
    }

    /// The stored bytes of the base.
    pub fn bytes(&self) -> &[u8] {
        &self.base.bytes
    }
}

/// Lays the heap of `image`, made over `older` and with `units` added, over `base`. The units that the machine has beyond its base's
/// are the vat's from now on.
pub fn relocate(
    engine: &Arc<Engine>,
    base: &Base,
    older: &Older,
    image: &[u8],
    units: Vec<Arc<LoadedUnit>>,
    quota: Quota,
) -> Result<Machine, Unmoved> {
    guarded(|| {
        let mut was = Machine::new(engine, &older.base, ROOM).map_err(ImageError::Io)?;
        let mut old = Machine::wake(engine, &older.base, image, units, ROOM)?;
        let mut new = Machine::new(engine, base, ROOM).map_err(ImageError::Io)?;
        was.with(|_, wm| {
            old.with(|ocx, om| {
                let seen = walk::reachable(ocx, om)?;
                let plan = changes::find(&older.names, (ocx, om), wm, &seen)?;
                let own = walk::own(&older.names, ocx, om, &seen, &plan, &units_of(older, base))?;
                new.with(|cx, m| copy::lay(&older.names, (ocx, om), (cx, m), own, &plan))
            })
        })?;
        new.settle().map_err(|why| match why {
            Abort::Heap => Unmoved::Limit(why.message()),
            _ => Unmoved::Damaged("what was laid anew does not hold together"),
        })?;
        new.set_quota(quota);
        Ok(new)
    })
}

/// Which units of the older base this build's has too.
fn units_of(older: &Older, base: &Base) -> walk::BaseUnits {
    let place = |u: &Arc<LoadedUnit>| base.units().iter().position(|v| v.hash() == u.hash()).map(|n| n as u32);
    let known = |(n, u)| if older.unknown.contains(&n) { None } else { place(u) };
    let same = older.base.units().iter().enumerate().map(known).collect();
    walk::BaseUnits { same, unknown: older.unknown.clone(), count: base.units().len() as u32 }
}

/// Bytes of the object at `at`, if it is one that lies in the heap.
fn size_at(cx: &crate::cx::Cx, m: cage::Mem, at: u32) -> Result<u32, Unmoved> {
    cage::layout::size_of(&KINDS, m.r64(at, 0))
        .filter(|size| cx.heap.holds(at, u64::from(*size)))
        .ok_or(Unmoved::Damaged("a reference names no object"))
}
