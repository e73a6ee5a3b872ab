//! Damaged images of a real vat.
#[path = "../../tests/kit/damage.rs"]
mod damage;

use super::row;
use std::collections::BTreeMap;
use std::panic::PanicHookInfo;
use std::sync::Mutex;

/// Where panics were that ended a turn, and how many.
static PLACES: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

fn note(info: &PanicHookInfo) {
    let place = info.location().map_or_else(String::new, ToString::to_string);
    *PLACES.lock().unwrap_or_else(|e| e.into_inner()).entry(place).or_default() += 1;
}

pub fn run(count: u64, from: u64) {
    std::panic::set_hook(Box::new(note));
    let sum = damage::fuzz(from, count);
    let places = PLACES.lock().unwrap_or_else(|e| e.into_inner());
    for (place, times) in places.iter() {
        eprintln!("{times} panics at {place}");
    }
    let text = format!(
        "{} images: {} opened, {} turns done, {} threw, {} aborted ({} by panics), {} escaping panics, {} over 1 s, slowest {:.0} ms, neighbour {}",
        sum.images,
        sum.opened,
        sum.done,
        sum.threw,
        sum.aborted,
        places.values().sum::<u64>(),
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
