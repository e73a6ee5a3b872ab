//! What opening a large heap reads, when little of it is touched.
use super::{FIRST, ask, bytes_read, call, itself, ms, open_with, row, timed};
use std::path::Path;

/// Numbers laid into the heap by one turn, in bytes, and how often.
const FILL_BYTES: i32 = 16 << 20;
const FILLS: u32 = 54;
const MAX_HEAP: u64 = 3 << 30;
const MOST_MIB: f64 = 16.0;

fn args() -> [String; 3] {
    ["1".to_owned(), "0".to_owned(), MAX_HEAP.to_string()]
}

/// A vat of 1 GiB, merged; the heap's bytes are printed.
pub fn fill(program: &Path, place: &Path) {
    let host = open_with(program, place, &args(), store::Options::default(), &Default::default());
    for i in 0..FILLS {
        let fill = ken::codec::method_call("fill", |w| {
            w.integer(FILL_BYTES);
            1
        });
        call(&host, FIRST, fill);
        eprint!("\r{} of {FILLS} ", i + 1);
    }
    let store = host.store().clone();
    while store::Store::merge_step(&*store).expect("merged") {}
    println!("{}", store::Store::length(&*store, ken::rows::space(passable::VatId(FIRST))).unwrap_or(0));
    host.end();
}

/// Opens it and touches ten places; prints bytes read and milliseconds.
pub fn probe(program: &Path, place: &Path) {
    let before = bytes_read();
    let (host, opened) = timed(|| open_with(program, place, &args(), store::Options::default(), &Default::default()));
    let (sum, touched) = timed(|| ask(&host, FIRST, "probe"));
    assert!(sum > 0.0);
    println!("{} {} {}", bytes_read() - before, ms(opened), ms(touched));
    host.end();
}

pub fn large(program: &Path, place: &Path) {
    let (program, place) = (program.display().to_string(), place.display().to_string());
    let heap: f64 = itself(&["fill-large", &program, &place]).trim().parse().expect("bytes of the heap");
    let text = itself(&["probe-large", &program, &place]);
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|w| w.parse().ok()).collect();
    let [read, opened, touched] = numbers[..] else { panic!("{text}") };
    let mib = |bytes: f64| bytes / (1u64 << 20) as f64;
    let text =
        format!("{:.1} MiB of {:.0} (opened after {opened:.1} ms, the ten after {touched:.1} ms more)", mib(read), mib(heap));
    let good = heap >= (1u64 << 30) as f64 && mib(read) <= MOST_MIB;
    row("Opening a heap of 1 GiB and touching 10 objects: bytes read", "≤ 16 MiB", &text, good);
}
