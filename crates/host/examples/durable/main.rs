//! The figures of durable turns: `cargo run --release -p drses-host --example durable -- PART PROGRAM [DIR]`.
//!
//! In: a part by name (turns, one, slow, chain, wake, recover, large, many), the folder `bench/figures/counters`, a folder to work in (default: one in the
//! system's temporary folder; removed afterwards). Out: one row a figure: `what | target | measured | yes or NO`.
//!
//! Callers are outside the vats: a call counts as done when its answer is released, that is, durable.
mod bare;
mod large;
mod restart;
mod slow;
mod turns;

use host::embed::Host;
use passable::VatId;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The first counter vat; the program itself is vat 1.
const FIRST: u32 = 2;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [part, program, rest @ ..] = words.as_slice() else { panic!("PART PROGRAM [DIR]") };
    let program = PathBuf::from(program);
    let place =
        rest.first().map_or_else(|| std::env::temp_dir().join(format!("drses-durable-{}", std::process::id())), PathBuf::from);
    match part.as_str() {
        "turns" => turns::many(&program, &place),
        "one" => turns::one(&program, &place),
        "slow" => turns::slow(&program, &place),
        "chain" => turns::chain(&program, &place),
        "wake" => restart::wake(&program, &place),
        "recover" => restart::recover(&program, &place),
        "large" => large::large(&program, &place),
        "many" => restart::many(&program, &place),
        // in processes of their own
        "fill-log" => return restart::fill_log(&program, &place),
        "first-answer" => return restart::first_answer(&program, &place),
        "fill-large" => return large::fill(&program, &place),
        "probe-large" => return large::probe(&program, &place),
        "resident" => return restart::resident(&program, &place),
        _ => panic!("PART is turns, one, slow, chain, wake, recover, large or many"),
    }
    let _ = std::fs::remove_dir_all(&place);
}

/// One row.
fn row(what: &str, target: &str, measured: &str, good: bool) {
    println!("{what} | {target} | {measured} | {}", if good { "yes" } else { "NO" });
}

/// A host of `vats` counters with `bytes` each, all there and answering.
fn open(program: &Path, place: &Path, vats: u32, bytes: u32, disk: store::Options) -> Host {
    open_with(program, place, &[vats.to_string(), bytes.to_string()], disk, &slow::Delay::default())
}

/// Likewise on a disk whose syncs take so much longer.
fn open_slow(program: &Path, place: &Path, (vats, bytes): (u32, u32), options: store::Options, delay: &slow::Delay) -> Host {
    open_with(program, place, &[vats.to_string(), bytes.to_string()], options, delay)
}

fn open_with(program: &Path, place: &Path, args: &[String], disk: store::Options, delay: &slow::Delay) -> Host {
    let mut options = host::run::Options::default();
    // no vat may have more than the program
    options.quota.heap_bytes = args.get(2).and_then(|n| n.parse().ok()).unwrap_or(options.quota.heap_bytes);
    let slow =
        |disk| -> std::sync::Arc<dyn store::disk::Disk> { std::sync::Arc::new(slow::SlowDisk { disk, delay: delay.clone() }) };
    let host = match Host::open_over(program, args, place, &options, (disk, &slow)) {
        Ok(host) => host,
        Err(code) => panic!("the host does not open ({code})"),
    };
    // the program's root answers once all are made
    assert_eq!(ask(&host, 1, "count").to_string(), args[0]);
    host
}

fn body(method: &str) -> passable::Data {
    ken::codec::method_call(method, |_| 0)
}

/// One call, waited for; its answer, a number.
fn ask(host: &Host, vat: u32, method: &str) -> f64 {
    call(host, vat, body(method))
}

fn call(host: &Host, vat: u32, body: passable::Data) -> f64 {
    let (send, receive) = mpsc::channel();
    host.calls([(VatId(vat), body, Box::new(move |a: host::embed::Answer| drop(send.send(a))) as host::embed::Done)]);
    let answer = receive.recv().expect("an answer");
    assert!(!answer.rejected, "{}", answer.value.describe());
    let mut reader = passable::Reader::new(&answer.value.body);
    match reader.item() {
        Ok(passable::Item::Integer(n)) => n as f64,
        Ok(passable::Item::Number(n)) => n,
        other => panic!("{other:?}"),
    }
}

/// CPU time of this process.
fn cpu() -> Duration {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

/// Bytes that this process read, wherever from.
fn bytes_read() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    text.lines().find_map(|l| l.strip_prefix("rchar:")?.trim().parse().ok()).unwrap_or(0)
}

/// Bytes and calls with which this process wrote, whatever to.
fn written() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let of = |name: &str| text.lines().find_map(|l| l.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0);
    (of("wchar:"), of("syscw:"))
}

/// A line of `/proc/self/status`, in KiB.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    text.lines().find_map(|l| l.strip_prefix(name)?.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

fn percentile(times: &mut [Duration], part: f64) -> Duration {
    times.sort_unstable();
    times[((times.len() - 1) as f64 * part) as usize]
}

fn ms(t: Duration) -> f64 {
    t.as_secs_f64() * 1e3
}

/// This program with another part; what it printed.
fn itself(words: &[&str]) -> String {
    let out = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(words)
        .stderr(std::process::Stdio::inherit())
        .output()
        .expect("started");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn timed<T>(f: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let v = f();
    (v, start.elapsed())
}
