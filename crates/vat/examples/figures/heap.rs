//! What a vat, its records and the names it has seen cost.
use super::{collected, cpu, row, run, unit};
use passable::VatId;
use vat::{Code, Ending, Quota, Shared, Vat};

/// A sum of lines of a file under /proc, in KiB.
fn kib(file: &str, key: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/self/{file}")).expect("Linux");
    let line = text.lines().find(|l| l.starts_with(key)).expect("the line");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
}

const CAGES: u32 = 1000;

/// New vats on the real base, all kept, and the same after one turn each.
pub fn cages() {
    let shared = Shared::new(false).expect("a base");
    let quota = Quota::default();
    drop((0..50).map(|_| Vat::new(&shared, VatId(1), quota).expect("a vat")).collect::<Vec<_>>());
    let mut best = f64::MAX;
    let (mut private, mut tables) = (0.0, 0.0);
    let mut all = Vec::new();
    for _ in 0..5 {
        all = Vec::with_capacity(CAGES as usize);
        let before = (kib("smaps_rollup", "Private_Dirty"), kib("status", "VmPTE"));
        let start = cpu();
        all.extend((0..CAGES).map(|_| Vat::new(&shared, VatId(1), quota).expect("a vat")));
        best = best.min((cpu() - start).as_secs_f64() * 1e6 / CAGES as f64);
        private = (kib("smaps_rollup", "Private_Dirty") - before.0) / CAGES as f64;
        tables = (kib("status", "VmPTE") - before.1) / CAGES as f64;
    }
    row("A new vat on the realm's base, CPU time", "≤ 40 µs", &format!("{best:.1} µs"), best <= 40.0);
    let sum = private + tables;
    let text = format!("{private:.1} + {tables:.1} = {sum:.1} KiB");
    row("Its private memory + page tables", "≤ 48 KiB", &text, sum <= 48.0);
    for vat in &mut all {
        run(vat, "globalThis.kept = { a: 1, f: x => x + 1 };");
    }
    let text = format!("{:.1} KiB private", kib("smaps_rollup", "Private_Dirty") / CAGES as f64);
    row("The same after one small turn", "(none)", &text, true);
}

const RECORDS: u32 = 1_000_000;

/// Heap bytes of a record of three fields and an array of one element.
pub fn records() {
    let shared = Shared::new(false).expect("a base");
    let mut vat = Vat::new(&shared, VatId(1), Quota::default()).expect("a vat");
    let before = collected(vat.machine());
    let source = "const live = []; globalThis.live = live;
        for (let i = 0; i < COUNT; i += 1) live.push({ id: i, next: live[i >> 1], tag: [i] });";
    run(&mut vat, &source.replace("COUNT", &RECORDS.to_string()));
    let each = (collected(vat.machine()) - before) as f64 / RECORDS as f64;
    // the list that holds them is not part of them
    let each = each - 8.0;
    row("Heap bytes of a record of 3 and an array of 1", "≤ 80", &format!("{each:.1}"), each <= 80.0);
}

const TURNS: u32 = 10_000;
const KEYS: u32 = 1_000;

/// Names that come once and never again.
pub fn keys() {
    let shared = Shared::new(false).expect("a base");
    let mut vat = Vat::new(&shared, VatId(1), Quota::default()).expect("a vat");
    run(&mut vat, "globalThis.count = 0; globalThis.last = null;");
    let source = "let n = globalThis.count;
        for (const end = n + KEYS; n < end; n += 1) globalThis.last = JSON.parse('{\"key' + n + '\":1}');
        globalThis.count = n;"
        .replace("KEYS", &KEYS.to_string());
    let (mut early, mut early_raw) = (0, 0);
    for turn in 1..=TURNS {
        let t = vat.run(Code::Script(unit(&source)));
        assert!(matches!(t.ending, Ending::Done), "{:?}", t.ending);
        if turn == TURNS / 10 {
            early_raw = vat.machine().heap_stats().old_bytes;
            early = collected(vat.machine());
        }
    }
    let late_raw = vat.machine().heap_stats().old_bytes;
    let late = collected(vat.machine());
    let ratio = late as f64 / early as f64;
    let text = format!("{ratio:.3} × ({early} → {late} bytes after a collection; {early_raw} → {late_raw} before)");
    row("Heap after 10⁷ distinct JSON keys in 10⁴ turns, to that after 10³ turns", "≤ 1.05 ×", &text, ratio <= 1.05);
}

/// Work between two stretches of the program, beside a large heap that changes while it is marked.
pub fn work() {
    let shared = Shared::new(false).expect("a base");
    let mut vat = Vat::new(&shared, VatId(1), Quota::default()).expect("a vat");
    let source = "const live = []; let last;
        for (let i = 0; i < COUNT; i += 1) live.push({ id: i, next: live[i >> 1], tag: [i] });
        for (let k = 0; k < COUNT; k += 1) {
            last = { k, last: k % 8 === 0 ? null : last };
            live[(k * 7919) % COUNT].tag = [k, last];
        }";
    run(&mut vat, &source.replace("COUNT", &RECORDS.to_string()));
    let stats = vat.machine().heap_stats();
    let mib = stats.most_work as f64 / f64::from(1 << 20);
    let text = format!("{mib:.2} MiB ({} marks, {} collections)", stats.marks, stats.collections);
    row("Most work of one collection beside 70 MB live: bytes copied and marked", "≤ 2.5 MiB", &text, mib <= 2.5);
}
