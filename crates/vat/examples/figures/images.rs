//! Damaged images of a real vat.
#[path = "../../tests/kit/damage.rs"]
mod damage;

use super::row;

pub fn run(count: u64) {
    // what panics inside is caught and counted
    std::panic::set_hook(Box::new(|_| ()));
    let sum = damage::fuzz(1 << 32, count);
    let text = format!(
        "{} images: {} opened, {} turns done, {} threw, {} aborted, {} panics, {} over 1 s, slowest {:.0} ms, neighbour {}",
        sum.images,
        sum.opened,
        sum.done,
        sum.threw,
        sum.aborted,
        sum.panics.len(),
        sum.hangs.len(),
        sum.slowest.as_secs_f64() * 1e3,
        if sum.neighbour_same { "unchanged" } else { "CHANGED" }
    );
    for (seed, what) in sum.panics.iter().take(8) {
        eprintln!("seed {seed}: panic: {what}");
    }
    for (seed, took) in sum.hangs.iter().take(8) {
        eprintln!("seed {seed}: {took:?}");
    }
    row("Bit-flipped images of a vat run on", "10⁶: no signal, panic, hang, harm", &text, sum.good());
}
