//! Figures of the file store on this machine: `cargo run --release -p drses-store --example bench [DIR] [PART…]`.
//!
//! In: a folder to work in (default: one in the system's temporary folder; removed afterwards) and parts by name: append, recover, wake,
//! large, many. Out: one line a figure. What depends on the disk is given as a ratio to a bare writer of the same bytes in the same run.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use store::disk::{Disk, Random, RealDisk};
use store::{Background, Batch, FileStore, Opening, Options, Store};

type Done = Result<(), Box<dyn std::error::Error>>;
type Part = fn(&Path) -> Done;

const OPENING: Opening = Opening { identity: [1; 32], random: [2; 32] };
const TURNS_A_FRAME: u64 = 64;
const VATS: u64 = 64;
const HEAP_BYTES: u64 = 100 << 10;

fn main() -> Done {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().map_or_else(|| std::env::temp_dir().join("drses-store-bench"), PathBuf::from);
    let parts: Vec<String> = arguments.collect();
    if parts.first().is_some_and(|part| part == "resident") {
        return resident(&folder);
    }
    if parts.first().is_some_and(|part| part == "reopen") {
        return reopen(&folder);
    }
    let wants = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let table: [(&str, Part); 5] = [("append", append), ("recover", recover), ("wake", wake), ("large", large), ("many", many)];
    for (part, run) in table {
        if wants(part) {
            let place = folder.join(part);
            let _ = std::fs::remove_dir_all(&place);
            run(&place)?;
            std::fs::remove_dir_all(&place)?;
        }
    }
    Ok(())
}

fn open(folder: &Path, options: Options) -> Result<(FileStore, Arc<RealDisk>), store::Error> {
    let disk = Arc::new(RealDisk::new(folder));
    let shared: Arc<dyn Disk> = disk.clone();
    Ok((FileStore::open(shared, OPENING, options)?, disk))
}

/// A counter's turn: three patches of one heap, its outgoing message, and that an earlier one was acknowledged.
fn turn(batch: &mut Batch, random: &mut Random, vats: u64, number: u64) {
    batch.clear();
    let vat = 1 + number % vats;
    let noise = [(number % 251) as u8; 96];
    batch.write(vat, 4096 + random.below(16) * 256, &noise[..64]);
    batch.write(vat, 65536, &noise[..32]);
    batch.write(vat, 65536 + 256 + random.below(64) * 32, &noise[..64]);
    batch.put(1, &key(vat, number), &noise[..60]);
    batch.delete(1, &key(vat, number.saturating_sub(vats * 4)));
}

fn key(vat: u64, number: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&vat.to_be_bytes());
    key[8..].copy_from_slice(&number.to_be_bytes());
    key
}

fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn percentile(times: &mut [Duration], part: f64) -> f64 {
    times.sort_unstable();
    times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3
}

/// Frames of 64 turns beside a bare writer of the same bytes, alternating; then with the background merging. One thread runs turns while
/// another syncs, as in a host; a commit is the sync alone.
fn append(folder: &Path) -> Done {
    let (store, disk) = open(folder, Options::default())?;
    store.reserve(200 << 20)?;
    let bare = bare_file(folder)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (mut elapsed, mut spent, mut frames, mut all_writes, mut at) = (Duration::ZERO, Duration::ZERO, 0, 0, 0);
    let written = disk.counts().written_bytes;
    for round in 0..8 {
        let (start, before) = (Instant::now(), disk.counts());
        spent += frames_of_turns(&store, round * 200, 200, &mut ours)?;
        elapsed += start.elapsed();
        frames += 200;
        // As many writes as there were: one sync may have taken what two were asked for.
        let now = disk.counts();
        let writes = now.writes - before.writes;
        let frame = vec![5u8; ((now.written_bytes - before.written_bytes) / writes) as usize];
        all_writes += writes;
        for _ in 0..writes {
            let start = Instant::now();
            bare.write_all_at(&frame, at)?;
            bare.sync_data()?;
            theirs.push(start.elapsed());
            at = (at + frame.len() as u64) % (60 << 20);
        }
    }
    let bytes = disk.counts().written_bytes - written;
    let sum = |times: &[Duration]| times.iter().sum::<Duration>().as_secs_f64();
    let turns = (frames * TURNS_A_FRAME) as f64;
    println!(
        "append: {:.2} x the bare writer ({:.0} durable turns/s; the writer would make {:.0}); the syncs alone {:.2} x",
        sum(&theirs) / elapsed.as_secs_f64(),
        turns / elapsed.as_secs_f64(),
        turns / sum(&theirs),
        sum(&theirs) / sum(&ours)
    );
    let both = [&mut ours, &mut theirs].map(|times| (percentile(times, 0.5), percentile(times, 0.99)));
    println!(
        "append: a commit p50 {:.3} ms, p99 {:.2} ms; the bare writer {:.3} and {:.2}",
        both[0].0, both[0].1, both[1].0, both[1].1
    );
    println!("append: {:.0} turns a write", turns / all_writes as f64);
    println!(
        "append: {:.2} us CPU a turn to make and append, {:.0} bytes of log a turn",
        spent.as_secs_f64() * 1e6 / turns,
        bytes as f64 / turns
    );
    drop(store);
    merging(folder)
}

/// Run `count` frames of turns and sync each while the next is made; returns the CPU time of the thread that runs turns.
fn frames_of_turns(store: &FileStore, first: u64, count: u64, times: &mut Vec<Duration>) -> Result<Duration, store::Error> {
    let (send, receive) = std::sync::mpsc::sync_channel::<()>(1);
    std::thread::scope(|scope| {
        let syncer = scope.spawn(move || {
            let mut times = Vec::new();
            while receive.recv().is_ok() {
                let start = Instant::now();
                let before = store.position().1;
                if store.sync()? > before {
                    times.push(start.elapsed());
                }
            }
            Ok::<_, store::Error>(times)
        });
        let (mut random, mut batch, start) = (Random(first + 1), Batch::new(), cpu());
        for frame in first..first + count {
            for number in frame * TURNS_A_FRAME..(frame + 1) * TURNS_A_FRAME {
                turn(&mut batch, &mut random, VATS, number);
                store.append(&batch)?;
            }
            // A syncer that failed has hung up; its error is told below.
            if send.send(()).is_err() {
                break;
            }
        }
        drop(send);
        let spent = cpu() - start;
        times.extend(syncer.join().unwrap_or(Ok(Vec::new()))?);
        Ok(spent)
    })
}

fn bare_file(folder: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(folder.join("bare"))?;
    for piece in 0..64 {
        file.write_all_at(&vec![0; 1 << 20], piece << 20)?;
    }
    file.sync_data()?;
    Ok(file)
}

/// The same with and without merging beside it.
fn merging(folder: &Path) -> Done {
    let mut longest = Vec::new();
    for merges in [false, true] {
        let options = Options { merge_bytes: if merges { 24 << 20 } else { u64::MAX }, ..Options::default() };
        let (store, disk) = open(folder, options)?;
        let store = Arc::new(store);
        let background = Background::start(store.clone())?;
        let (mut random, mut batch, mut times) = (Random(2), Batch::new(), Vec::new());
        let before = disk.counts().written_bytes;
        let mut logical = 0;
        for number in 0..6000 * TURNS_A_FRAME {
            turn(&mut batch, &mut random, VATS, number);
            logical += batch.log_bytes();
            store.append(&batch)?;
            if number % TURNS_A_FRAME == TURNS_A_FRAME - 1 {
                let start = Instant::now();
                store.sync()?;
                times.push(start.elapsed());
            }
        }
        drop(background);
        let written = disk.counts().written_bytes - before;
        longest.push(percentile(&mut times, 1.0));
        let (p50, p99) = (percentile(&mut times, 0.5), percentile(&mut times, 0.99));
        println!(
            "append: merging {merges}: commit p50 {p50:.3} p99 {p99:.2} max {:.1} ms; {:.2} bytes written a byte",
            longest[longest.len() - 1],
            written as f64 / logical as f64
        );
    }
    Ok(())
}

/// 1000 spaces of 100 KiB merged, then 256 MiB of log that is not; then the process ends without a word.
fn recover(folder: &Path) -> Done {
    let vats = 1000;
    let (store, _) = open(folder, Options::default())?;
    fill(&store, 1..=vats, HEAP_BYTES)?;
    while store.merge_step()? {}
    let (mut random, mut batch) = (Random(3), Batch::new());
    let mut number = 0;
    while store.stats_log() < 256 << 20 {
        for _ in 0..2048 {
            for _ in 0..TURNS_A_FRAME {
                turn(&mut batch, &mut random, vats, number);
                store.append(&batch)?;
                number += 1;
            }
            store.append(&Batch::new())?;
        }
        store.sync()?;
    }
    println!("recover: {} MiB of log that is not merged, {number} turns", store.stats_log() >> 20);
    drop(store);
    for _ in 0..3 {
        itself(folder, "reopen")?;
    }
    Ok(())
}

/// In a process of its own: open, and read one heap.
fn reopen(folder: &Path) -> Done {
    let (start, cpu_start) = (Instant::now(), cpu());
    let (store, disk) = open(folder, Options::default())?;
    let opened = start.elapsed();
    let mut bytes = vec![0; HEAP_BYTES as usize];
    store.read(500, 0, &mut bytes)?;
    let (all, spent) = (start.elapsed(), cpu() - cpu_start);
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "recover: opened in {:.0} ms, the first heap read after {:.0} ms ({:.0} ms CPU), {} MiB read",
        ms(opened),
        ms(all),
        ms(spent),
        disk.counts().read_bytes >> 20
    );
    Ok(())
}

/// Run this program with another part.
fn itself(folder: &Path, part: &str) -> Done {
    let status = std::process::Command::new(std::env::current_exe()?).arg(folder).arg(part).status()?;
    if status.success() { Ok(()) } else { Err("the process that opens the store failed".into()) }
}

trait StatsLog {
    fn stats_log(&self) -> u64;
}

impl StatsLog for FileStore {
    fn stats_log(&self) -> u64 {
        self.stats().log_bytes
    }
}

/// Make spaces of `bytes` that hold something everywhere.
fn fill(store: &FileStore, spaces: impl Iterator<Item = u64>, bytes: u64) -> Result<(), store::Error> {
    let mut batch = Batch::new();
    for space in spaces {
        let mut at = 0;
        while at < bytes {
            let piece = (bytes - at).min(4 << 20);
            batch.clear();
            batch.write(space, at, &vec![(space % 255) as u8 + 1; piece as usize]);
            store.append(&batch)?;
            at += piece;
        }
        if space % 64 == 0 {
            store.sync()?;
            if store.stats_log() > 256 << 20 {
                store.merge_step()?;
            }
        }
    }
    store.sync().map(drop)
}

fn wake(folder: &Path) -> Done {
    let (store, _) = open(folder, Options::default())?;
    fill(&store, 1..=1000, HEAP_BYTES)?;
    store.merge_step()?;
    drop(store);
    let (store, _) = open(folder, Options::default())?;
    let mut bytes = vec![0; HEAP_BYTES as usize];
    let mut times = Vec::new();
    for space in 1..=1000 {
        let start = Instant::now();
        store.read(space, 0, &mut bytes)?;
        times.push(start.elapsed());
    }
    println!("wake: 100 KiB p50 {:.3} ms, p99 {:.3} ms", percentile(&mut times, 0.5), percentile(&mut times, 0.99));
    Ok(())
}

fn large(folder: &Path) -> Done {
    let (store, _) = open(folder, Options::default())?;
    fill(&store, std::iter::once(64), 1 << 30)?;
    while store.merge_step()? {}
    drop(store);
    let start = Instant::now();
    let (store, disk) = open(folder, Options::default())?;
    let mut random = Random(4);
    for _ in 0..10 {
        let mut bytes = [0; 4096];
        store.read(64, random.below((1 << 30) - 4096), &mut bytes)?;
    }
    println!(
        "large: 1 GiB opened and 10 places read in {:.1} ms, {:.2} MiB read",
        start.elapsed().as_secs_f64() * 1e3,
        disk.counts().read_bytes as f64 / (1 << 20) as f64
    );
    Ok(())
}

/// 100,000 spaces in one store, each a row besides; its memory is asked for in a process of its own.
fn many(folder: &Path) -> Done {
    let (store, _) = open(folder, Options::default())?;
    let mut batch = Batch::new();
    for space in 1..=100_000u64 {
        batch.clear();
        batch.write(space, 0, &[(space % 255) as u8 + 1; 2000]).write(space, 70_000, &[9; 2000]).put(
            2,
            &space.to_be_bytes(),
            &[7; 100],
        );
        store.append(&batch)?;
        if space % 1024 == 0 {
            store.sync()?;
        }
    }
    store.sync()?;
    while store.merge_step()? {}
    Box::new(store).close()?;
    itself(folder, "resident")
}

fn resident(folder: &Path) -> Done {
    let start = Instant::now();
    let (store, _) = open(folder, Options::default())?;
    let opened = start.elapsed();
    let mut bytes = vec![0; HEAP_BYTES as usize];
    for space in 1..=1000 {
        store.read(space * 100, 0, &mut bytes)?;
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = |name: &str| {
        status
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or("")
            .split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse::<u64>().ok())
    };
    let mib = |name: &str| line(name).unwrap_or(0) / 1024;
    println!(
        "many: 100,000 spaces and rows: {} MiB resident, {} MiB at most; opened in {:.0} ms",
        mib("VmRSS"),
        mib("VmHWM"),
        opened.as_secs_f64() * 1e3
    );
    Ok(())
}
