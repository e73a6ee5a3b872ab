//! The base: the frozen primordials every vat begins with.
use passable::VatId;
use vat::{Quota, Shared, Vat};

#[test]
fn the_base_is_the_same_at_every_build() {
    for unlocked in [false, true] {
        let (a, b) = (Shared::new(unlocked).expect("a base"), Shared::new(unlocked).expect("a base"));
        assert_eq!(a.base_bytes().len(), b.base_bytes().len());
        assert!(a.base_bytes() == b.base_bytes(), "two builds of the realm differ (unlocked: {unlocked})");
    }
}

#[test]
fn a_new_vat_verifies() {
    let shared = Shared::new(false).expect("a base");
    let mut vat = Vat::new(&shared, VatId(1), Quota::default()).expect("a vat");
    vat.machine().verify().expect("a sound heap");
}
