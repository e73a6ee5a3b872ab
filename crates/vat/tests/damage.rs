//! Ten thousand damaged images of a vat run on: no signal, no escaping panic, no hang, no harm to a neighbour.
#[path = "kit/damage.rs"]
mod damage;

#[test]
fn damaged_images_of_a_vat_harm_nobody() {
    // a turn that panics ends as one of a damaged heap; its message is not wanted here
    std::panic::set_hook(Box::new(|_| ()));
    let sum = damage::fuzz(0, 10_000);
    drop(std::panic::take_hook());
    assert!(sum.good(), "{:?} {:?} neighbour same: {}", sum.panics.first(), sum.hangs.first(), sum.neighbour_same);
}
