//! Flips bits of a vat's image, loads it, and runs turns that touch everything.
//!
//! Seeds are dealt to as many threads as the machine has; what becomes of a seed depends on the seed alone. A watchdog names the seed
//! that runs longer than it may, interrupts it, and ends the process if that does not help: nothing is left waiting.
use engine::cage::heap::seal;
use engine::machine::{Saved, compile_source};
use engine::syntax::{ast::Goal, diagnostic::Level};
use passable::VatId;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use vat::{Code, CodeUnit, Ending, Quota, Shared, Vat};

const SETUP: &str = "
    const people = new Map(); const seen = new Set(); const weak = new WeakMap();
    const counter = () => { let n = 0; return { up: by => { n += by; return n; }, get n() { return n; } }; };
    for (let i = 0; i < 60; i += 1) {
        const c = counter();
        people.set(i % 2 ? 'name' + i : c, { c, list: [i, `item ${i}`, [i / 7]], big: 2n ** BigInt(i * 9) });
        seen.add(c).add(i * 1.5); weak.set(c, { i });
    }
    let open; const gate = new Promise(r => { open = r; });
    const waiting = [];
    const waiter = async k => { const g = await gate; try { return [k, g, ...(await Promise.all([k, gate]))]; } finally { seen.add('w' + k); } };
    for (let k = 0; k < 12; k += 1) waiting.push(waiter(k));
    const dict = {}; for (let i = 0; i < 90; i += 1) dict['key' + i] = i; delete dict.key7;
    const kit = harden({ people, seen, weak, open: v => open(v), waiting, dict, rope: 'ab'.repeat(40) + people.size, sym: Symbol('s'),
        far: Far('thing', { hello: n => 'hi ' + n }), fixed: Object.freeze([1, , 3]) });
    globalThis.kit = kit; globalThis.loose = { a: 1, b: [1, 2, 3], get c() { return this.a; } };
";

const TOUCH: &str = "
    const { people, seen, weak, open, waiting, dict, rope, far, fixed, sym } = globalThis.kit;
    let sum = 0;
    const tries = [
        () => { for (const [k, v] of people) { sum += v.c.up(1) + v.list.length; weak.get(k); `${k} ${v.list[1]}`; v.big * 3n; } },
        () => { for (const x of seen) seen.has(x); people.set({}, 1); people.delete('name3'); },
        () => { for (const k of Object.keys(dict)) dict[k] += 1; dict.more = 1; delete dict.key9; JSON.stringify(dict); },
        () => { open('now'); Promise.all(waiting).then(r => print(r.length), e => print(e.name)); },
        () => { E(far).hello('x').then(print); far.hello(rope.slice(3, 9)) + rope.indexOf('b6') + rope.toUpperCase(); },
        () => { [...fixed, ...globalThis.loose.b].sort().map(x => x + globalThis.loose.c); String(sym); harden(globalThis.loose); },
        () => { const m = new Map([...people].slice(0, 9)); m.forEach((v, k) => [v, k]); structured(globalThis.kit, 0); },
        () => { JSON.parse(JSON.stringify([...people.values()].map(v => v.list))); print(sum); },
    ];
    function structured(o, d) { if (d < 4 && Object(o) === o) for (const k of Reflect.ownKeys(o)) structured(Object.getOwnPropertyDescriptor(o, k).value, d + 1); }
    for (const t of tries) { try { t(); } catch (e) { print(e.message); } }
";

/// xorshift64*
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % n.max(1)
    }
}

/// What became of the damaged images.
#[derive(Default)]
pub struct Sum {
    pub images: u64,
    pub opened: u64,
    pub done: u64,
    pub threw: u64,
    pub aborted: u64,
    pub panics: Vec<(u64, String)>,
    pub hangs: Vec<(u64, Duration)>,
    pub slowest: Duration,
    pub neighbour_same: bool,
}

impl Sum {
    pub fn good(&self) -> bool {
        self.panics.is_empty() && self.hangs.is_empty() && self.neighbour_same && self.opened > self.images / 4
    }
}

const QUOTA: Quota = Quota { heap_bytes: 32 << 20, instructions: 100_000 };

fn unit(source: &str) -> CodeUnit {
    compile_source(source, "damage", Goal::Script, Level::Ses, false).unwrap_or_else(|_| panic!("it parses"))
}

/// Flips bits and puts words in their place: one to twenty of them.
fn damage(image: &mut [u8], rng: &mut Rng) {
    let n = image.len() as u64;
    for _ in 0..1 + rng.below(20) {
        let at = rng.below(n) as usize;
        match rng.below(6) {
            0 => image[at] = rng.below(256) as u8,
            1 => {
                // one word of the image in another's place
                let (to, from) = (at & !7, rng.below(n) as usize & !7);
                if to.max(from) + 8 <= image.len() {
                    image.copy_within(from..from + 8, to);
                }
            }
            _ => image[at] ^= 1 << rng.below(8),
        }
    }
}

/// Runs a damaged vat.
fn live_on(shared: &Shared, saved: &Saved, touch: &CodeUnit, flag: &Arc<AtomicBool>, sum: &Mutex<Sum>) {
    let Ok(mut vat) = Vat::load(shared, VatId(1), saved, QUOTA) else { return };
    vat.machine().set_interrupt(flag.clone());
    sum.lock().expect("no panic holds it").opened += 1;
    for _ in 0..2 {
        let t = vat.run(Code::Script(touch.clone()));
        let mut sum = sum.lock().expect("no panic holds it");
        match t.ending {
            Ending::Threw(_) => sum.threw += 1,
            Ending::Aborted(_) => sum.aborted += 1,
            _ => sum.done += 1,
        }
    }
    let again = vat.save();
    drop(Vat::load(shared, VatId(1), &again, QUOTA));
}

/// How long an image may take, and how long one that was interrupted may still go on.
const ALLOWED: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(20);

/// What one thread is at.
struct Worker {
    /// Seed and start (milliseconds since the beginning, 0: idle).
    seed: AtomicU64,
    start: AtomicU64,
    interrupt: Arc<AtomicBool>,
}

/// Interrupts what runs too long until `over`.
fn watch(workers: &[Worker], began: Instant, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(20));
        for w in workers {
            let start = w.start.load(Ordering::Acquire);
            let ran = began.elapsed().saturating_sub(Duration::from_millis(start));
            if start != 0 && ran > ALLOWED && !w.interrupt.swap(true, Ordering::Relaxed) {
                eprintln!("seed {}: runs for more than {ALLOWED:?}", w.seed.load(Ordering::Relaxed));
            }
            if start != 0 && ran > ALLOWED + GRACE {
                eprintln!("seed {}: does not end", w.seed.load(Ordering::Relaxed));
                std::process::exit(70);
            }
        }
    }
}

fn vat(shared: &Shared) -> Vat {
    let mut vat = Vat::new(shared, VatId(1), QUOTA).expect("a vat");
    let t = vat.run(Code::Script(unit(SETUP)));
    assert!(matches!(t.ending, Ending::Done), "{:?} {:?}", t.ending, t.output);
    vat
}

/// Takes seeds until none is left.
fn work(shared: &Shared, next: &AtomicU64, end: u64, me: &Worker, began: Instant, sum: &Mutex<Sum>) {
    let touch = unit(TOUCH);
    let mut saved = vat(shared).save();
    let whole = saved.image.clone();
    let check = Mutex::new(Sum::default());
    live_on(shared, &saved, &touch, &me.interrupt, &check);
    let check = check.into_inner().expect("no panic holds it");
    assert_eq!((check.opened, check.done), (1, 2), "the whole image runs");
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return;
        }
        let mut rng = Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        saved.image.copy_from_slice(&whole);
        damage(&mut saved.image, &mut rng);
        seal(&mut saved.image);
        me.seed.store(seed, Ordering::Relaxed);
        let once = |sum: &Mutex<Sum>| {
            let start = Instant::now();
            me.start.store(began.elapsed().as_millis() as u64 + 1, Ordering::Release);
            let ended = catch_unwind(AssertUnwindSafe(|| live_on(shared, &saved, &touch, &me.interrupt, sum)));
            me.start.store(0, Ordering::Release);
            me.interrupt.store(false, Ordering::Relaxed);
            (ended, start.elapsed())
        };
        let (mut ended, mut took) = once(sum);
        if took > ALLOWED {
            // what is long because other programs run is not long each time; it was interrupted, so the rest of it was not seen yet
            let again = once(&Mutex::default());
            (ended, took) = (ended.and(again.0), took.min(again.1));
        }
        let mut sum = sum.lock().expect("no panic holds it");
        sum.slowest = sum.slowest.max(took);
        if let Err(what) = ended {
            let text = what.downcast_ref::<String>().cloned();
            let text = text.or_else(|| what.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            sum.panics.push((seed, text.unwrap_or_default()));
        }
        if took > ALLOWED {
            sum.hangs.push((seed, took));
        }
    }
}

/// Natives nest on the Rust stack.
const STACK: usize = 64 << 20;

/// Runs `count` damaged images, of the seeds from `from` on.
pub fn fuzz(from: u64, count: u64) -> Sum {
    let shared = Shared::new(false).expect("a base");
    let neighbour = vat(&shared);
    let before = neighbour.save().image;
    let sum = Mutex::new(Sum { images: count, ..Sum::default() });
    let (next, over, began) = (AtomicU64::new(from), AtomicBool::new(false), Instant::now());
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let idle = |_| Worker { seed: AtomicU64::new(0), start: AtomicU64::new(0), interrupt: Arc::default() };
    let workers: Vec<Worker> = (0..threads).map(idle).collect();
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch(&workers, began, &over));
        let (shared, next, sum) = (&shared, &next, &sum);
        let begin = |me| {
            let run = move || work(shared, next, from + count, me, began, sum);
            std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, run).expect("a thread")
        };
        let all: Vec<_> = workers.iter().map(begin).collect();
        let ended: Vec<_> = all.into_iter().map(|t| t.join()).collect();
        over.store(true, Ordering::Relaxed);
        watching.join().expect("the watchdog ends");
        assert!(ended.iter().all(Result::is_ok), "no panic escapes the loop");
    });
    let mut sum = sum.into_inner().expect("no panic holds it");
    sum.neighbour_same = neighbour.save().image == before;
    sum
}
