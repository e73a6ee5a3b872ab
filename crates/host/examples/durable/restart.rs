//! What opening and waking costs: each measured in a process of its own.
use super::{FIRST, ask, itself, ms, open, percentile, row, status, timed};
use passable::VatId;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

const HEAP_BYTES: u32 = 100 << 10;
const VATS: u32 = 1000;
const LOG_BYTES: u64 = 256 << 20;

/// Nothing is merged while the log is to grow.
fn no_merge() -> store::Options {
    store::Options { merge_bytes: 1 << 40, ..store::Options::default() }
}

/// The first call of a sleeping vat, less a later one.
pub fn wake(program: &Path, place: &Path) {
    let host = open(program, place, 200, HEAP_BYTES, store::Options::default());
    host.end();
    let host = open(program, place, 200, HEAP_BYTES, store::Options::default());
    let (mut first, mut later) = (Vec::new(), Vec::new());
    for vat in FIRST..FIRST + 200 {
        first.push(timed(|| ask(&host, vat, "up")).1);
        later.push(timed(|| ask(&host, vat, "up")).1);
    }
    host.end();
    let (a, b) = (percentile(&mut first, 0.5), percentile(&mut later, 0.5));
    let woken = a.saturating_sub(b);
    let text = format!("{:.3} ms (first call {:.3}, later {:.3})", ms(woken), ms(a), ms(b));
    row("Waking a hibernated vat of 100 KiB, p50", "≤ 1 ms", &text, ms(woken) <= 1.0);
}

/// 1000 vats of 100 KiB, then calls until the log is long; the process ends without a word.
pub fn fill_log(program: &Path, place: &Path) {
    let host = open(program, place, VATS, HEAP_BYTES, no_merge());
    let (send, receive) = mpsc::channel();
    let mut calls = 0u64;
    while store::Store::stats(&**host.store()).log_bytes < LOG_BYTES {
        let call = |vat| {
            let send = send.clone();
            (
                VatId(vat),
                super::body("up"),
                Box::new(move |_: host::embed::Answer| send.send(()).unwrap_or(())) as host::embed::Done,
            )
        };
        host.calls((FIRST..FIRST + VATS).map(call));
        (0..VATS).for_each(|_| receive.recv().expect("an answer"));
        calls += VATS as u64;
    }
    eprintln!("{calls} calls, {} MiB of log", store::Store::stats(&**host.store()).log_bytes >> 20);
    std::process::abort();
}

/// Prints how long it takes from here to the first answer.
pub fn first_answer(program: &Path, place: &Path) {
    let start = Instant::now();
    let args = [VATS.to_string(), HEAP_BYTES.to_string()];
    let host = host::embed::Host::open(program, &args, place, &host::run::Options::default(), no_merge());
    let Ok(host) = host else { panic!("the host does not open") };
    let opened = start.elapsed();
    ask(&host, FIRST + VATS / 2, "up");
    println!("{} {}", ms(start.elapsed()), ms(opened));
    std::process::abort();
}

pub fn recover(program: &Path, place: &Path) {
    let (program, place) = (program.display().to_string(), place.display().to_string());
    itself(&["fill-log", &program, &place]);
    let mut best = (f64::MAX, f64::MAX);
    for _ in 0..3 {
        let text = itself(&["first-answer", &program, &place]);
        let numbers: Vec<f64> = text.split_whitespace().filter_map(|w| w.parse().ok()).collect();
        if let [all, opened] = numbers[..]
            && all < best.0
        {
            best = (all, opened);
        }
    }
    let text = format!("{:.0} ms (opened after {:.0}; best of 3)", best.0, best.1);
    row("First answer after a kill, 1,000 vats of 100 KiB, 256 MiB of log", "≤ 300 ms", &text, best.0 <= 300.0);
}

/// 100,000 vats in one store.
pub fn many(program: &Path, place: &Path) {
    let (_, made) = timed(|| {
        let host = open(program, place, 100_000, 0, store::Options::default());
        eprintln!("made: {} MiB resident", status("VmRSS:") >> 10);
        host.end();
    });
    eprintln!("100,000 vats made in {:.1} s", made.as_secs_f64());
    let text = itself(&["resident", &program.display().to_string(), &place.display().to_string()]);
    let mib: u64 = text.split_whitespace().next().and_then(|w| w.parse().ok()).unwrap_or(u64::MAX);
    row("100,000 vats in one store, 1,000 in memory: resident", "≤ 300 MiB", text.trim(), mib <= 300);
}

pub fn resident(program: &Path, place: &Path) {
    let start = Instant::now();
    let host = open(program, place, 100_000, 0, store::Options::default());
    let opened = start.elapsed();
    let mut times: Vec<Duration> = Vec::new();
    for i in 0..1000 {
        times.push(timed(|| ask(&host, FIRST + i * 99, "up")).1);
    }
    let (rss, tables) = (status("VmRSS:"), status("VmPTE:"));
    let p50 = percentile(&mut times, 0.5);
    println!("{} MiB (opened in {:.0} ms, page tables {} KiB, a first call {:.2} ms)", rss >> 10, ms(opened), tables, ms(p50));
    host.end();
}
