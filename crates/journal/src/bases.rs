//! Which base each heap of a store is stored over, and the bases themselves.
//!
//! In: a store, the base of this build. Out: rows and spaces that keep a base; bases of other builds, named against this one's.
//!
//! Invariants
//! - a store has the image and the code units of META_BASE, and of each base that a heap of it is stored over, from the batch on that says so;
//! - META_BASE is the base of all vats that have no row in VAT_BASES: a store that only one build ever opened has no such row;
//! - a vat's base changes in the batch that changes its whole space.
use crate::{DAMAGED, Misfit, NEWER, code, misfit, sha256};
use ken::codec::{Get, Put};
use ken::rows;
use passable::VatId;
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{Batch, Store};
use vat::{Older, Shared};

/// What a journal knows of bases.
#[derive(Default)]
pub(crate) struct Bases {
    /// Hash of this build's base, once asked for.
    current: Option<[u8; 32]>,
    /// The store has this build's base, or will with the batch that waits.
    kept: bool,
    /// META_BASE is another one.
    foreign: bool,
    /// Vats whose rows say that they are stored over this build's base, or over another one.
    noted: BTreeSet<VatId>,
    elsewhere: BTreeSet<VatId>,
}

const OTHER: &str = "open it with the build that wrote it, or with a later one that has what it names";

impl Bases {
    fn current(&mut self, store: &dyn Store, shared: &Shared) -> [u8; 32] {
        if let Some(hash) = self.current {
            return hash;
        }
        let hash = shared.base_hash(sha256);
        self.current = Some(hash);
        self.kept = store.get(rows::BASES, &hash).is_some();
        self.foreign = store.get(rows::META, rows::META_BASE).is_some_and(|b| b != hash);
        for (key, base) in store.scan(rows::VAT_BASES, &[], None, usize::MAX) {
            if let Ok(vat) = key.try_into().map(u32::from_be_bytes) {
                let set = if base == hash { &mut self.noted } else { &mut self.elsewhere };
                set.insert(VatId(vat));
            }
        }
        hash
    }

    /// The store is this build's from its first batch on.
    pub fn begin(&mut self, store: &dyn Store, shared: &Shared, batch: &mut Batch, known_code: &mut BTreeSet<[u8; 32]>) {
        let hash = self.current(store, shared);
        batch.put(rows::META, rows::META_BASE, &hash);
        self.foreign = false;
        self.keep(store, shared, hash, batch, known_code);
    }

    /// The heap of `vat` is stored over this build's base from this batch on.
    pub fn note(
        &mut self,
        store: &dyn Store,
        shared: &Shared,
        vat: VatId,
        batch: &mut Batch,
        known_code: &mut BTreeSet<[u8; 32]>,
    ) {
        let hash = self.current(store, shared);
        self.keep(store, shared, hash, batch, known_code);
        if self.elsewhere.remove(&vat) | (self.foreign && self.noted.insert(vat)) {
            match self.foreign {
                true => batch.put(rows::VAT_BASES, &rows::vat(vat), &hash),
                false => batch.delete(rows::VAT_BASES, &rows::vat(vat)),
            };
        }
    }

    /// Puts this build's base into the store, once.
    fn keep(
        &mut self,
        store: &dyn Store,
        shared: &Shared,
        hash: [u8; 32],
        batch: &mut Batch,
        known_code: &mut BTreeSet<[u8; 32]>,
    ) {
        if std::mem::replace(&mut self.kept, true) {
            return;
        }
        let number = store.scan(rows::BASES, &[], None, usize::MAX).len() as u64;
        let image = shared.base_bytes();
        batch.resize(rows::base_space(number), image.len() as u64);
        for (offset, piece) in vat::pieces(image) {
            batch.write(rows::base_space(number), offset, piece);
        }
        let mut p = Put::new();
        p.number(number);
        p.number(image.len() as u64);
        p.number(shared.base_units().len() as u64);
        for unit in shared.base_units() {
            if known_code.insert(*unit.hash()) {
                batch.put(rows::CODE, unit.hash(), &unit.unit.to_bytes());
            }
            p.bytes(unit.hash());
        }
        batch.put(rows::BASES, &hash, &p.done());
    }

    /// The vat ended.
    pub fn ended(&mut self, store: &dyn Store, vat: VatId, batch: &mut Batch) {
        if self.noted.remove(&vat) | self.elsewhere.remove(&vat) || store.get(rows::VAT_BASES, &rows::vat(vat)).is_some() {
            batch.delete(rows::VAT_BASES, &rows::vat(vat));
        }
    }
}

/// Can the heaps of this store be read? An error if it was begun by a build that kept no base in it, and that base is not this build's.
pub(crate) fn check(store: &dyn Store, shared: &Shared) -> Result<(), Misfit> {
    let Some(base) = store.get(rows::META, rows::META_BASE) else { return Ok(()) };
    if base == shared.base_hash(sha256) || store.get(rows::BASES, &base).is_some() {
        return Ok(());
    }
    let what = "the store was written by a build of drses with other built-in objects, and has no copy of them";
    Err(misfit("E-BASE", what, "open it with the build that wrote it"))
}

/// The base that the heap of `vat` is stored over, if it is not this build's.
pub(crate) fn older(store: &dyn Store, shared: &Shared, vat: VatId) -> Result<Option<Arc<Older>>, Misfit> {
    let row = store.get(rows::VAT_BASES, &rows::vat(vat)).or_else(|| store.get(rows::META, rows::META_BASE));
    let Some(hash) = row else { return Ok(None) };
    let hash: [u8; 32] = hash.try_into().map_err(|_| passable::Bad)?;
    if hash == shared.base_hash(sha256) {
        return Ok(None);
    }
    if let Some(known) = shared.older(&hash) {
        return Ok(Some(known));
    }
    let Some(row) = store.get(rows::BASES, &hash) else {
        let what = format!("vat {} is stored over built-in objects that the store has no copy of", vat.0);
        return Err(misfit("E-BASE", what, DAMAGED));
    };
    let mut g = Get::new(&row);
    let (number, length) = (g.number()?, g.number()?);
    let n = g.count()?;
    let unit = |hash: &[u8]| match code(store, shared, hash) {
        Err(e) if e.code == NEWER => Ok(None),
        other => other.map(Some),
    };
    let units = (0..n).map(|_| unit(g.bytes()?)).collect::<Result<Vec<_>, _>>()?;
    let length = usize::try_from(length).ok().filter(|n| store.length(rows::base_space(number)) == Some(*n as u64));
    let mut image = vec![0; length.ok_or(passable::Bad)?];
    let failed = |e: store::Error| {
        misfit("E-STATE", format!("the built-in objects of vat {} cannot be read: {}", vat.0, e.cause()), DAMAGED)
    };
    store.read(rows::base_space(number), 0, &mut image).map_err(failed)?;
    if sha256(&image) != hash {
        return Err(misfit("E-STATE", "the built-in objects in the store are damaged", DAMAGED));
    }
    shared.add_older(hash, image, units).map(Some).map_err(|why| unmoved(vat, &why))
}

/// Why a vat cannot go on under this build.
pub(crate) fn unmoved(vat: VatId, why: &vat::Unmoved) -> Misfit {
    let code = if matches!(why, vat::Unmoved::Image(_) | vat::Unmoved::Damaged(_)) { "E-STATE" } else { "E-BASE" };
    let what = format!("vat {} cannot be brought over to the built-in objects of this build: {why}", vat.0);
    misfit(code, what, if code == "E-STATE" { DAMAGED } else { OTHER })
}

/// A batch has a limit.
pub(crate) fn too_large(vat: VatId, bytes: usize) -> Misfit {
    let what = format!(
        "the heap of vat {} takes {} MiB: more than {} MiB cannot be brought over to other built-in objects at once",
        vat.0,
        bytes >> 20,
        crate::MAX_RELAID_BYTES >> 20
    );
    misfit("E-BASE", what, "open it with the build that wrote it, and have the program let go of what it does not need")
}
