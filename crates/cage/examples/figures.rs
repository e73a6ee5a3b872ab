//! Prints what the heap costs: `cargo run --release -p drses-cage --example figures`. Times are CPU time of this thread.
use cage::heap::{Base, Heap, store};
use cage::layout::*;
use cage::value::*;
use cage::{Cage, Limits, Mem};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

const VEC: u8 = 1;
const ROOT: u8 = 2;
const WEAK: u8 = 3;
const TEXT: u8 = 4;
static KINDS: Kinds = kinds();

const fn kinds() -> Kinds {
    let mut k = [NO_KIND; 256];
    k[VEC as usize] = Kind { name: "vec", size: Size::XWords, trace: Trace::Values(1) };
    k[ROOT as usize] = Kind { name: "root", size: Size::XWords, trace: Trace::Values(1) };
    k[WEAK as usize] = Kind { name: "weak", size: Size::XWords, trace: Trace::Weak(1) };
    k[TEXT as usize] = Kind { name: "text", size: Size::XBytes, trace: Trace::Raw };
    k
}

/// A reading of this thread's CPU clock.
struct Cpu(Duration);

impl Cpu {
    fn now() -> Cpu {
        let t = clock_gettime(ClockId::ThreadCPUTime);
        Cpu(Duration::new(t.tv_sec as u64, t.tv_nsec as u32))
    }
    fn elapsed(&self) -> Duration {
        Cpu::now().0 - self.0
    }
}

const LIMITS: Limits = Limits { heap_bytes: 2 << 30 };
const SLOTS: u32 = 1000;

fn root(i: u32) -> u32 {
    OLD + 8 + 8 * i
}

fn new_heap(cage: &Cage) -> Heap {
    let mem = cage.mem();
    let mut heap = Heap::new(&KINDS, LIMITS);
    heap.alloc_pinned(mem, 8 + 8 * SLOTS).unwrap();
    heap.write(mem, OLD, header(ROOT, PINNED, 0, SLOTS));
    (0..SLOTS).for_each(|i| heap.write(mem, root(i), UNDEF));
    heap.commit(mem);
    heap
}

/// A vector of three slots; collects when the nursery is full, with `live` words of stack.
#[inline]
fn record(heap: &mut Heap, mem: Mem, live: u32, worst: &mut Duration, a: u64, b: u64) -> u64 {
    let at = loop {
        if let Some(at) = heap.alloc(32) {
            break at;
        }
        let t = Cpu::now();
        heap.collect(mem, STACK + 8 * live, &mut []).unwrap();
        *worst = (*worst).max(t.elapsed());
    };
    mem.w64(at, 0, header(VEC, 0, 0, 3));
    mem.w64(at, 8, a);
    mem.w64(at, 16, b);
    mem.w64(at, 24, UNDEF);
    OBJ | at as u64
}

fn status(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with(key)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn us(d: Duration, n: u32) -> f64 {
    d.as_secs_f64() * 1e6 / n as f64
}

fn cages() {
    let cage = Cage::new().unwrap();
    let mut heap = new_heap(&cage);
    let mem = cage.mem();
    let mut list = UNDEF;
    let mut d = Duration::ZERO;
    mem.w64(STACK, 0, UNDEF);
    while heap.live_bytes() < 400 << 10 {
        list = record(&mut heap, mem, 1, &mut d, list, int(1));
        mem.w64(STACK, 0, list);
        if heap.nur > NURSERY + (64 << 10) {
            let mut extra = [mem.r64(STACK, 0)];
            heap.turn_end(mem, &mut extra).unwrap();
            heap.commit(mem);
            mem.w64(STACK, 0, extra[0]);
            heap.write(mem, root(0), extra[0]);
            list = extra[0];
        }
    }
    heap.turn_end(mem, &mut []).unwrap();
    heap.commit(mem);
    let image = heap.save(mem);
    let base = Base::new(&image).unwrap();
    const N: u32 = 1000;
    let mut all = Vec::with_capacity(N as usize);
    let (rss, pte) = (status("RssAnon"), status("VmPTE"));
    let t = Cpu::now();
    for _ in 0..N {
        let mut cage = Cage::new().unwrap();
        let mut heap = Heap::on_base(&mut cage, &base, &KINDS, LIMITS).unwrap();
        all.push({
            let mem = cage.mem();
            mem.w64(STACK, 0, UNDEF);
            let v = record(&mut heap, mem, 1, &mut d, UNDEF, UNDEF);
            heap.write(mem, root(1), v);
            heap.turn_end(mem, &mut []).unwrap();
            heap.commit(mem);
            (cage, heap)
        });
    }
    let took = us(t.elapsed(), N);
    let (rss, pte) = ((status("RssAnon") - rss) as f64 / N as f64, (status("VmPTE") - pte) as f64 / N as f64);
    println!(
        "new cage on a base of {} KiB, one turn    {took:.1} µs, {rss:.1} KiB private + {pte:.1} KiB page tables",
        base.len() >> 10
    );
    let t = Cpu::now();
    drop(all);
    println!("drop it                                    {:.1} µs", us(t.elapsed(), N));
    let t = Cpu::now();
    for _ in 0..100 {
        let cage = Cage::new().unwrap();
        let heap = Heap::load(&cage, &image, &KINDS, LIMITS).unwrap();
        assert!(heap.live_bytes() > 0);
    }
    println!("load an image of {} KiB                   {:.1} µs", image.len() >> 10, us(t.elapsed(), 100));
}

fn turns() {
    let cage = Cage::new().unwrap();
    let mut heap = new_heap(&cage);
    let mem = cage.mem();
    let (mut d, mut end, mut delta, mut bytes) = (Duration::ZERO, Duration::ZERO, Duration::ZERO, 0u64);
    let mut log = Vec::new();
    const N: u32 = 20_000;
    for turn in 0..N {
        for i in 0..200 {
            let v = record(&mut heap, mem, 0, &mut d, int(i), UNDEF);
            if i % 40 == 0 {
                heap.write(mem, root((turn * 5 + i as u32 / 40) % SLOTS), v);
            }
        }
        let t = Cpu::now();
        heap.turn_end(mem, &mut []).unwrap();
        end += t.elapsed();
        log.clear();
        let t = Cpu::now();
        bytes += heap.delta(mem, &mut log).bytes as u64;
        delta += t.elapsed();
    }
    println!(
        "turn end, 200 records, 5 survive           {:.2} µs, delta {:.2} µs, {} bytes",
        us(end, N),
        us(delta, N),
        bytes / N as u64
    );
    let t = Cpu::now();
    for i in 0..N {
        heap.write(mem, root(0), int(i as i32));
        heap.turn_end(mem, &mut []).unwrap();
        log.clear();
        heap.delta(mem, &mut log);
    }
    println!("turn that changes one word, with delta     {:.3} µs, {} bytes", us(t.elapsed(), N), log.len());
    let t = Cpu::now();
    for i in 0..N {
        heap.write(mem, root(0), int(i as i32));
        heap.rollback(mem);
    }
    println!("turn rolled back                           {:.3} µs", us(t.elapsed(), N));
}

fn undo() {
    let cage = Cage::new().unwrap();
    let mut heap = new_heap(&cage);
    let mem = cage.mem();
    const BLOCKS: u32 = 20_000;
    let at = heap.alloc_old(mem, BLOCKS * 256).unwrap();
    heap.write(mem, at, header(VEC, 0, 0, BLOCKS * 32 - 1));
    heap.write(mem, root(0), OBJ | at as u64);
    heap.commit(mem);
    for round in 0..3 {
        let t = Cpu::now();
        for b in 0..BLOCKS {
            heap.write(mem, at + 8 + b * 256, int(round));
        }
        let undo = t.elapsed();
        let t = Cpu::now();
        for b in 0..BLOCKS {
            let _ = store(mem, at + 8 + b * 256, int(round + 7));
        }
        let dirty = t.elapsed();
        let t = Cpu::now();
        let mut log = Vec::new();
        heap.delta(mem, &mut log);
        let ns = |d| us(d, BLOCKS) * 1000.0;
        println!(
            "a block: undo copy {:.0} ns, store when dirty {:.1} ns, diff and log {:.0} ns",
            ns(undo),
            ns(dirty),
            ns(t.elapsed())
        );
    }
}

fn evacuation() {
    let cage = Cage::new().unwrap();
    let mut heap = new_heap(&cage);
    let mem = cage.mem();
    const N: u32 = 300_000;
    for round in 0..2 {
        let mut list = UNDEF;
        for i in 0..N {
            let at = heap.alloc_native(mem, 32).unwrap();
            mem.w64(at, 0, header(VEC, 0, 0, 3));
            mem.w64(at, 8, list);
            mem.w64(at, 16, int(i as i32));
            mem.w64(at, 24, UNDEF);
            list = OBJ | at as u64;
        }
        heap.write(mem, root(round), list);
        let t = Cpu::now();
        heap.turn_end(mem, &mut []).unwrap();
        println!("evacuating {N} records of 32 bytes    {:.1} ns each", us(t.elapsed(), N) * 1000.0);
        heap.commit(mem);
    }
}

/// `n` records, each naming an earlier one and a box of its own, in a vector in old space.
fn build(heap: &mut Heap, mem: Mem, n: u32, worst: &mut Duration) -> u32 {
    let table = heap.alloc_old(mem, 8 + 8 * n).unwrap();
    heap.write(mem, table, header(VEC, 0, 0, n));
    (0..n).for_each(|i| heap.write(mem, table + 8 + 8 * i, UNDEF));
    heap.write(mem, root(0), OBJ | table as u64);
    for i in 0..n {
        mem.w64(STACK, 0, UNDEF);
        let tag = record(heap, mem, 1, worst, int(i as i32), UNDEF);
        mem.w64(STACK, 0, tag);
        let fresh = record(heap, mem, 1, worst, UNDEF, UNDEF);
        mem.w64(fresh as u32, 8, mem.r64(table + 8 + 8 * (i / 2), 0));
        mem.w64(fresh as u32, 16, mem.r64(STACK, 0));
        heap.write(mem, table + 8 + 8 * i, fresh);
    }
    table
}

fn pauses() {
    let cage = Cage::new().unwrap();
    let mut heap = new_heap(&cage);
    let mem = cage.mem();
    let mut worst = Duration::ZERO;
    const N: u32 = 2_800_000;
    let t = Cpu::now();
    let table = build(&mut heap, mem, N, &mut worst);
    println!(
        "build {} MB in one turn                   {:.0} ms, longest pause {:.2} ms, {} marks",
        heap.live_bytes() >> 20,
        t.elapsed().as_secs_f64() * 1e3,
        worst.as_secs_f64() * 1e3,
        heap.stats().marks
    );
    worst = Duration::ZERO;
    let (t, marks) = (Cpu::now(), heap.stats().marks);
    heap.request_mark();
    let mut k = 0u32;
    while !k.is_multiple_of(4096) || (k == 0 || heap.stats().marks < marks + 2 && k < 80_000_000) {
        mem.w64(STACK, 0, UNDEF);
        let v = record(&mut heap, mem, 1, &mut worst, int(k as i32), UNDEF);
        if k.is_multiple_of(8) {
            heap.write(mem, table + 8 + 8 * (k.wrapping_mul(7919) % N), v);
        }
        k += 1;
    }
    println!(
        "{k} records made, one in 8 kept: {} marks in {:.0} ms, longest pause {:.2} ms, {} MB in use",
        heap.stats().marks - marks,
        t.elapsed().as_secs_f64() * 1e3,
        worst.as_secs_f64() * 1e3,
        heap.live_bytes() >> 20
    );
    let t = Cpu::now();
    heap.turn_end(mem, &mut []).unwrap();
    println!("its turn end                               {:.1} ms", t.elapsed().as_secs_f64() * 1e3);
    let t = Cpu::now();
    let mut log = Vec::new();
    heap.delta(mem, &mut log);
    println!("its delta                                  {:.1} ms, {} MB", t.elapsed().as_secs_f64() * 1e3, log.len() >> 20);
    (0..3).for_each(|i| heap.write(mem, root(i + 1), int(1)));
    heap.commit(mem);
    heap.request_mark();
    let (mut steps, mut worst, all) = (0, Duration::ZERO, Cpu::now());
    loop {
        let t = Cpu::now();
        let done = heap.mark_step(mem, &mut [], 1 << 20).unwrap();
        worst = worst.max(t.elapsed());
        steps += 1;
        if done {
            break;
        }
    }
    println!(
        "mark between turns: {steps} steps of 1 MiB, longest {:.2} ms, together {:.0} ms",
        worst.as_secs_f64() * 1e3,
        all.elapsed().as_secs_f64() * 1e3
    );
    let t = Cpu::now();
    heap.collect_full(mem, STACK, &mut []).unwrap();
    println!("full collection in one pause               {:.0} ms", t.elapsed().as_secs_f64() * 1e3);
}

/// 10 MB live, 10 GB dropped, in one turn.
fn churn() {
    let cage = Cage::new().unwrap();
    let mut heap = new_heap(&cage);
    let mem = cage.mem();
    let mut worst = Duration::ZERO;
    const N: u32 = 140_000;
    let before = status("RssAnon");
    let table = build(&mut heap, mem, N, &mut worst);
    let (mut bytes, mut k, mut peak) = (0u64, 0u32, 0);
    let t = Cpu::now();
    while bytes < 10 << 30 {
        mem.w64(STACK, 0, UNDEF);
        let v = record(&mut heap, mem, 1, &mut worst, int(k as i32), UNDEF);
        bytes += 32;
        if k.is_multiple_of(16) {
            heap.write(mem, table + 8 + 8 * (k.wrapping_mul(7919) % N), v);
        }
        if k.is_multiple_of(1 << 16) {
            let n = 2000 + k % 3000;
            let large = heap.alloc_native(mem, 8 + 8 * n).unwrap();
            heap.write(mem, large, header(VEC, 0, 0, n));
            bytes += 8 * n as u64;
            peak = peak.max(status("RssAnon"));
        }
        k = k.wrapping_add(1);
    }
    println!(
        "10 MB live, 10 GB dropped in one turn: {:.1} s, resident {} MB at most, {} marks, longest pause {:.2} ms",
        t.elapsed().as_secs_f64(),
        (peak - before) >> 10,
        heap.stats().marks,
        worst.as_secs_f64() * 1e3
    );
}

/// A weak table of a million pinned strings, half of them dead.
fn weak_table() {
    let cage = Cage::new().unwrap();
    let mut heap = new_heap(&cage);
    let mem = cage.mem();
    const N: u32 = 1_000_000;
    let (weak, strong) = (heap.alloc_old(mem, 8 + 8 * N).unwrap(), heap.alloc_old(mem, 8 + 4 * N).unwrap());
    heap.write(mem, weak, header(WEAK, 0, 0, N));
    heap.write(mem, strong, header(VEC, 0, 0, N / 2));
    heap.write(mem, root(0), OBJ | weak as u64);
    heap.write(mem, root(1), OBJ | strong as u64);
    for i in 0..N {
        let text = heap.alloc_pinned(mem, 32).unwrap();
        heap.write(mem, text, header(TEXT, PINNED, 0, 24));
        let at = i.wrapping_mul(0x9E37_79B1) % N; // a hash table's order
        heap.write(mem, weak + 8 + 8 * at, STR | text as u64);
        if i % 2 == 0 {
            heap.write(mem, strong + 8 + 4 * i, STR | text as u64);
        }
    }
    heap.turn_end(mem, &mut []).unwrap();
    heap.commit(mem);
    heap.request_mark();
    let (mut worst, mut done) = (Duration::ZERO, false);
    while !done {
        let t = Cpu::now();
        done = heap.mark_step(mem, &mut [], 1 << 20).unwrap();
        worst = worst.max(t.elapsed());
    }
    println!("weak table of {N}, half dead           longest step {:.1} ms", worst.as_secs_f64() * 1e3);
}

fn main() {
    weak_table();
    cages();
    turns();
    undo();
    evacuation();
    pauses();
    churn();
}
