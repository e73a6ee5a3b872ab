//! How many durable turns there are in a second, and how long one caller waits.
use super::{FIRST, body, cpu, ms, open, open_slow, percentile, row, written};
use crate::bare::Bare;
use crate::slow::Delay;
use host::embed::{Answer, Done, Host};
use passable::VatId;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

const VATS: u32 = 64;
/// Calls outstanding at each.
const EACH: u32 = 16;
const ROUNDS: u32 = 6;
const CALLS: u64 = 100_000;

struct Driver<'a> {
    host: &'a Host,
    send: Sender<u32>,
    receive: Receiver<u32>,
}

impl Driver<'_> {
    fn new(host: &Host) -> Driver<'_> {
        let (send, receive) = mpsc::channel();
        Driver { host, send, receive }
    }

    fn call(&self, vats: impl Iterator<Item = u32>) {
        let call = |vat: u32| {
            let send = self.send.clone();
            let done = move |a: Answer| {
                assert!(!a.rejected, "{}", a.value.describe());
                send.send(vat).unwrap_or(());
            };
            (VatId(vat), body("up"), Box::new(done) as Done)
        };
        self.host.calls(vats.map(call));
    }

    /// `count` calls, as many outstanding at each vat as there are to be.
    fn run(&self, count: u64) {
        self.call((0..EACH).flat_map(|_| FIRST..FIRST + VATS));
        let (mut asked, mut got) = ((VATS * EACH) as u64, 0);
        while got < count {
            let first = self.receive.recv().expect("an answer");
            let answered: Vec<u32> = std::iter::once(first).chain(self.receive.try_iter()).collect();
            got += answered.len() as u64;
            let more = answered.len().min((count - asked) as usize);
            asked += more as u64;
            self.call(answered.into_iter().take(more));
        }
    }
}

/// What rounds of calls and of the bare writer's writes came to.
struct Measured {
    /// Calls in a second, ours and the writer's.
    rate: f64,
    bare: f64,
    /// Microseconds of CPU time for a call.
    us: f64,
    /// Bytes written for a call, and calls a write.
    bytes: f64,
    each_write: f64,
}

fn rounds(driver: &Driver<'_>, bare: &mut Bare, count: u32, calls: u64) -> Measured {
    let (mut ours, mut theirs, mut spent, mut bytes, mut writes) = (Duration::ZERO, Duration::ZERO, Duration::ZERO, 0, 0);
    for _ in 0..count {
        let (start, used, before) = (Instant::now(), cpu(), written());
        driver.run(calls);
        ours += start.elapsed();
        spent += cpu() - used;
        let now = written();
        let (b, w) = (now.0 - before.0, now.1 - before.1);
        (bytes, writes) = (bytes + b, writes + w);
        theirs += bare.write(w, b / w).iter().sum::<Duration>();
    }
    let calls = (count as u64 * calls) as f64;
    Measured {
        rate: calls / ours.as_secs_f64(),
        bare: calls / theirs.as_secs_f64(),
        us: spent.as_secs_f64() * 1e6 / calls,
        bytes: bytes as f64 / calls,
        each_write: calls / writes as f64,
    }
}

/// The driver of the figures: 64 counters, 16 calls outstanding at each.
pub fn many(program: &Path, place: &Path) {
    let host = open(program, place, VATS, 0, store::Options::default());
    let mut bare = Bare::new(place, &Delay::default());
    let driver = Driver::new(&host);
    driver.run(20_000);
    let Measured { rate, bare, us, bytes, each_write } = rounds(&driver, &mut bare, ROUNDS, CALLS);
    let ratio = rate / bare;
    row(
        "Durable turns to those of a bare writer of the same bytes and writes",
        "≥ 0.4 ×",
        &format!("{ratio:.2} ×"),
        ratio >= 0.4,
    );
    let text = format!("{rate:.0}/s (the writer {bare:.0}/s; {each_write:.0} turns a write)");
    row("Durable turns, 64 counters with 16 calls each", "≥ 50,000/s", &text, rate >= 50_000.0);
    row("CPU time of a counter's turn, caller and threads included", "≤ 8 µs", &format!("{us:.2} µs"), us <= 8.0);
    row("Bytes written for a counter's turn", "≤ 512", &format!("{bytes:.0}"), bytes <= 512.0);
    host.end();
}

/// One caller that waits for each answer, beside syncs of as many bytes.
pub fn one(program: &Path, place: &Path) {
    let host = open(program, place, VATS, 0, store::Options::default());
    let mut bare = Bare::new(place, &Delay::default());
    waiting(&host, &mut bare, "One caller: p50 of an answer to p50 of a sync of the same bytes");
    host.end();
}

fn waiting(host: &Host, bare: &mut Bare, what: &str) {
    for _ in 0..500 {
        super::ask(host, FIRST, "up");
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        let before = written();
        for _ in 0..100 {
            ours.push(super::timed(|| super::ask(host, FIRST, "up")).1);
        }
        let now = written();
        theirs.extend(bare.write(100, (now.0 - before.0) / (now.1 - before.1)));
    }
    let (a, b) = (percentile(&mut ours, 0.5), percentile(&mut theirs, 0.5));
    let ratio = a.as_secs_f64() / b.as_secs_f64();
    let text = format!("{ratio:.2} × ({:.3} ms, the sync {:.3} ms)", ms(a), ms(b));
    row(what, "≤ 1.3 ×", &text, ratio <= 1.3);
}

/// Turns in a second of the bare writer on the slow disk.
const SLOW_RATE: f64 = 125_000.0;
/// The sync of a common disk is as slow as this.
const SLOW_SYNC: Duration = Duration::from_millis(1);

/// The same on a disk whose syncs take longer by a sleep, the bare writer's too: so long that it makes `SLOW_RATE` turns a second.
pub fn slow(program: &Path, place: &Path) {
    let delay = Delay::default();
    let host = open_slow(program, place, (VATS, 0), store::Options::default(), &delay);
    let mut bare = Bare::new(place, &delay);
    let driver = Driver::new(&host);
    delay.set(4 * SLOW_SYNC);
    for _ in 0..4 {
        let Measured { bare, each_write, .. } = rounds(&driver, &mut bare, 1, CALLS / 5);
        // what a write takes with its sync is each_write / bare; it is to be each_write / SLOW_RATE
        let change = each_write / SLOW_RATE - each_write / bare;
        delay.set(Duration::from_secs_f64((delay.get().as_secs_f64() + change).max(0.0)));
    }
    let Measured { rate, bare: writer, us, each_write, .. } = rounds(&driver, &mut bare, ROUNDS, CALLS / 2);
    let (ratio, slower) = (rate / writer, ms(delay.get()));
    let what = |what: &str| format!("Each sync slower by a sleep of {slower:.2} ms: {what}");
    row(&what("durable turns to those of a bare writer"), "≥ 0.4 ×", &format!("{ratio:.2} ×"), ratio >= 0.4);
    let text = format!("{rate:.0}/s (the writer {writer:.0}/s; {each_write:.0} turns a write; {us:.2} µs of CPU time)");
    let good = rate >= 50_000.0;
    row(&what("durable turns, 64 counters with 16 calls each"), "≥ 50,000/s where the writer makes 125,000/s", &text, good);
    delay.set(SLOW_SYNC);
    let what = format!("Each sync slower by a sleep of {:.0} ms: one caller, p50 of an answer to p50 of a sync", ms(SLOW_SYNC));
    waiting(&host, &mut bare, &what);
    delay.set(Duration::ZERO);
    host.end();
}

/// A thousand pipelined calls, each to what the one before answers: turns of both vats until the answer is there.
pub fn chain(program: &Path, place: &Path) {
    let host = open(program, place, 1, 0, store::Options::default());
    let turns = || (host.turns(VatId(1)), host.turns(VatId(FIRST)));
    let before = turns();
    super::ask(&host, 1, "chain");
    let after = turns();
    let (here, there) = (after.0 - before.0, after.1 - before.1);
    // here: the call that sends all of them, and the answer of the last
    let text = format!("{there} there, {here} here (the call and the answer)");
    row("1,000 pipelined calls: turns", "1,000 there, 2 here", &text, there == 1000 && here == 2);
    host.end();
}
