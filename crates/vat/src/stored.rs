//! A vat at rest outside its cage: patches of its image, and the image put together again.
//!
//! ```text
//! space of a vat   its image (see `cage::heap::image`), exclusive-or the base's image: what equals the base is zero
//! ```
//! Invariants
//! - patches of all turns, applied in order to an empty space, give the image after the last one;
//! - a vat that was stored over the base of another build is laid anew over this build's when it is woken, and says so: its space and its
//!   units are others then, and must be stored before anything that it does afterwards;
//! - of a heap that is read where it is touched, what a turn changes it has touched before, but for lines that it frees: so the space has
//!   what was not touched as it was when the vat was woken, or zeros where nothing is any more;
//! - units of a vat are numbered as in its heap: the base's first, then its own in the order they were added.
use crate::program::Shared;
use crate::{Quota, Vat};
pub use engine::cage::heap::Read;
use engine::cage::heap::{ImageError, image_len, image_patches, seal};
pub use engine::cage::touch::is_there as can_wake_at_touch;
use engine::code::CodeUnit;
use engine::engine::LoadedUnit;
use engine::machine::Machine;
use engine::relocate::relocate;
pub use engine::relocate::{Older, Unmoved};
use passable::VatId;
use std::sync::Arc;

/// What a turn changed of a vat.
#[derive(Default)]
pub struct Changes {
    /// As the heap tells it.
    delta: Vec<u8>,
    /// Number of the first new unit among the vat's own.
    pub first_unit: usize,
    /// Units that the turn added.
    pub units: Vec<Arc<LoadedUnit>>,
}

impl Changes {
    /// Bytes of the vat's space from now on, if that changed.
    pub fn length(&self) -> Option<u64> {
        image_len(&self.delta)
    }

    /// Calls `each(offset, bytes)` for each patch of the vat's space.
    pub fn patches(&self, shared: &Shared, mut each: impl FnMut(u64, &[u8])) -> Result<(), ImageError> {
        let base = shared.base_bytes();
        let mut mixed = Vec::new();
        image_patches(&self.delta, |offset, bytes| {
            mixed.clear();
            mixed.extend_from_slice(bytes);
            mix(&mut mixed, base, offset);
            each(offset, &mixed);
        })
    }
}

/// All that is stored of a vat: its space, and its units.
pub struct Whole {
    pub space: Vec<u8>,
    pub units: Vec<Arc<LoadedUnit>>,
}

/// Bytes of a piece of a space that is zero or not.
const PIECE: usize = 1024;

impl Whole {
    /// Bytes of the space.
    pub fn length(&self) -> u64 {
        self.space.len() as u64
    }

    /// Calls `each(offset, bytes)` for all of the space that is not zero.
    pub fn patches(&self, mut each: impl FnMut(u64, &[u8])) {
        for (i, piece) in self.space.chunks(PIECE).enumerate() {
            if piece.iter().any(|b| *b != 0) {
                each((i * PIECE) as u64, piece);
            }
        }
    }
}

/// The bytes of a base that differ from nothing: what a store keeps of it.
pub fn pieces(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    bytes.chunks(PIECE).enumerate().map(|(i, piece)| ((i * PIECE) as u64, piece)).filter(|p| p.1.iter().any(|b| *b != 0))
}

/// Exclusive-or with the base's bytes from `offset` on.
fn mix(bytes: &mut [u8], base: &[u8], offset: u64) {
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(base.len());
    for (b, of_base) in bytes.iter_mut().zip(&base[from..]) {
        *b ^= of_base;
    }
}

impl Vat {
    /// From now on changes of turns are kept for `take_changes`.
    pub fn record(&mut self) {
        self.machine.set_record(true);
    }

    /// What the last turn changed.
    pub fn take_changes(&mut self) -> Changes {
        let base = self.base_units;
        let count = self.machine.units().len();
        let first = self.told_units.min(count);
        self.told_units = count;
        Changes {
            delta: std::mem::take(&mut self.said.delta),
            first_unit: first.saturating_sub(base),
            units: self.machine.units()[first..].to_vec(),
        }
    }

    /// A vat from the bytes of its space and its own units, in order.
    pub fn wake(
        shared: &Shared,
        id: VatId,
        mut space: Vec<u8>,
        units: Vec<Arc<LoadedUnit>>,
        quota: Quota,
    ) -> Result<Vat, ImageError> {
        unmix(&mut space, shared.base_bytes());
        let machine = Machine::wake(shared.engine(), shared.base(), &space, units, quota)?;
        Ok(Vat::of(machine, id, quota, shared))
    }

    /// Likewise of a space of `length` bytes of which only what is touched is read: `read` gives any stretch of it, or says why it cannot.
    /// An error of kind `Unsupported` where the system cannot tell of touches (`can_wake_at_touch`).
    pub fn wake_at_touch(
        shared: &Arc<Shared>,
        id: VatId,
        length: u64,
        read: Read,
        units: Vec<Arc<LoadedUnit>>,
        quota: Quota,
    ) -> Result<Vat, ImageError> {
        let of_base = shared.clone();
        let unmixed: Read = Arc::new(move |offset, to| {
            read(offset, to)?;
            mix(to, of_base.base_bytes(), offset);
            Ok(())
        });
        let machine = Machine::wake_at_touch(shared.engine(), shared.base(), length, unmixed, units, quota)?;
        Ok(Vat::of(machine, id, quota, shared))
    }

    /// Part of the heap was not touched yet and is not in memory.
    pub fn is_partly_there(&self) -> bool {
        self.machine.is_partly_there()
    }

    /// Why part of the heap could not be read in a turn: the turn did not happen, and the vat in memory is to be forgotten.
    pub fn unread(&self) -> Option<String> {
        self.machine.unread()
    }

    /// Likewise one that was stored over the base of another build; it is laid anew over this build's (see `take_relaid`).
    pub fn wake_over(
        shared: &Shared,
        older: &Older,
        id: VatId,
        mut space: Vec<u8>,
        units: Vec<Arc<LoadedUnit>>,
        quota: Quota,
    ) -> Result<Vat, Unmoved> {
        unmix(&mut space, older.bytes());
        let machine = relocate(shared.engine(), shared.base(), older, &space, units, quota)?;
        let mut vat = Vat::of(machine, id, quota, shared);
        vat.relaid = Some(Box::new(vat.whole(shared)));
        Ok(vat)
    }

    /// All of the vat as it is stored, between turns.
    pub fn whole(&self, shared: &Shared) -> Whole {
        let mut space = self.machine.save().image;
        mix(&mut space, shared.base_bytes(), 0);
        Whole { space, units: self.machine.units()[self.base_units..].to_vec() }
    }

    /// If the vat was laid anew and nobody was told: what is to be stored in the place of what stood there, before its next turn.
    pub fn take_relaid(&mut self) -> Option<Box<Whole>> {
        self.relaid.take()
    }
}

/// The image from the bytes of a space.
fn unmix(space: &mut Vec<u8>, base: &[u8]) {
    if space.len() < base.len() {
        space.resize(base.len(), 0);
    }
    mix(space, base, 0);
    seal(space);
}

impl Shared {
    /// A unit from its stored bytes, linked; else what is wrong with them.
    pub fn unit_of(&self, bytes: &[u8]) -> Result<Arc<LoadedUnit>, String> {
        let unit = CodeUnit::from_bytes(bytes).map_err(|e| e.to_string())?;
        self.link(unit)
    }
}
