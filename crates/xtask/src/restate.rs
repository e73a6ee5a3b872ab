//! `cargo xtask restate`: durable calls of counters side by side with the Restate server and its SDK for Node, one request on a socket a call.
//!
//! In: a folder `node_modules` with npm's `@restatedev/restate-server` and `@restatedev/restate-sdk`. Out: rows for `bench/RESULTS.md`;
//! `false` if a promise is broken.
//!
//! Both sides get the same driver: threads with a connection each, that wait for every answer. Ours asks over the control socket of
//! `drses serve`, as `drses vat call` does; theirs over HTTP with keep-alive, as their ingress takes it. Both sides are durable when they
//! answer, each on a new folder of the same disk.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::figures::{Row, table};
use crate::{bench, book};

const KEYS: usize = 1000;
const WARM: Duration = Duration::from_secs(3);
const TIME: Duration = Duration::from_secs(10);
/// Long enough for their server to elect its leaders.
const START: Duration = Duration::from_secs(60);
/// Ports of their ingress, their admin and the SDK, as they are by default.
const INGRESS: &str = "127.0.0.1:8080";
const ADMIN: &str = "127.0.0.1:9070";
const SDK: &str = "9080";

/// Callers, keys, how many times their rate is promised.
const RUNS: &[(usize, usize, f64)] = &[(64, KEYS, 100.0), (64, 1, 20.0), (1, 1, 20.0)];

pub fn run(root: &Path, modules: &str) -> Result<bool> {
    let modules = std::fs::canonicalize(modules).with_context(|| format!("looking for the folder {modules}"))?;
    let drses = book::drses(root, &["--release"])?.context("there is no `drses` program")?;
    let folder = std::env::temp_dir().join(format!("drses-restate-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = measure(root, &drses, &modules, &folder);
    let _ = std::fs::remove_dir_all(&folder);
    let rows = done?;
    let facts = "Elapsed time, both on one machine, one after the other, each with its callers beside it; counters, every answer durable.";
    bench::keep(
        &root.join("bench/RESULTS.md"),
        "## Durable calls beside Restate",
        "cargo xtask restate --node-modules DIR",
        facts,
        &table(&rows),
    )?;
    Ok(rows.iter().all(|row| row.0.ends_with("yes")))
}

/// A process that does not outlive the measurement.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(command: &mut Command, log: &Path) -> Result<Started> {
    let file = std::fs::File::create(log)?;
    let child = command.stdout(file.try_clone()?).stderr(file).stdin(Stdio::null()).spawn();
    Ok(Started(child.with_context(|| format!("starting {command:?}"))?))
}

fn measure(root: &Path, drses: &Path, modules: &Path, folder: &Path) -> Result<Vec<Row>> {
    let state = folder.join("state");
    let mut ours = Vec::new();
    {
        let mut serve = Command::new(drses);
        serve.arg("serve").arg("--state").arg(&state).arg(root.join("bench/figures/counters/main.js"));
        let _host = start(serve.arg(KEYS.to_string()).arg("0"), &folder.join("drses.log"))?;
        let socket = state.join("control.sock");
        until(|| Ours::new(&socket, 0).and_then(|mut c| c.call(1, "count")).is_ok_and(|n| n == KEYS as u64))?;
        for (callers, keys, _) in RUNS {
            eprintln!("restate: drses, {callers} callers, {keys} keys");
            ours.push(rate(*callers, *keys, |caller| Ours::new(&socket, caller))?);
        }
    }
    let mut theirs = Vec::new();
    {
        let server = modules.join("@restatedev/restate-server-linux-x64/bin/restate-server");
        let _server = start(Command::new(server).arg("--base-dir").arg(folder.join("data")), &folder.join("server.log"))?;
        let mut node = Command::new("node");
        node.arg(root.join("bench/restate/counter.mjs")).arg(modules).arg(SDK).env("RESTATE_LOGGING", "ERROR");
        let _sdk = start(&mut node, &folder.join("sdk.log"))?;
        until(|| register().is_ok())?;
        until(|| Theirs::new(0).and_then(|mut c| c.up(0)).is_ok())?;
        for (callers, keys, _) in RUNS {
            eprintln!("restate: Restate, {callers} callers, {keys} keys");
            theirs.push(rate(*callers, *keys, Theirs::new)?);
        }
    }
    let row = |((callers, keys, least), (a, b)): (&(usize, usize, f64), (&f64, &f64))| {
        Row::new(
            &format!("Durable calls a second, {callers} callers, {keys} keys: drses to Restate"),
            &format!("≥ {least:.0} ×"),
            &format!("{:.0} × ({a:.0} to {b:.0})", a / b),
            a / b >= *least,
        )
    };
    let rows: Vec<Row> = RUNS.iter().zip(ours.iter().zip(&theirs)).map(row).collect();
    rows.iter().for_each(|row| println!("| {} |", row.0));
    Ok(rows)
}

fn until(mut ready: impl FnMut() -> bool) -> Result<()> {
    let start = Instant::now();
    while !ready() {
        if start.elapsed() > START {
            bail!("it is not ready after {} s", START.as_secs());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// One caller: adds one to the counter of a key.
trait Caller {
    fn up(&mut self, key: usize) -> Result<u64>;
}

/// Calls a second of so many callers; each takes its keys in turn.
fn rate<C: Caller>(callers: usize, keys: usize, new: impl Fn(usize) -> Result<C> + Sync) -> Result<f64> {
    let (counting, end, calls) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU64::new(0));
    let one = |caller: usize| -> Result<()> {
        let mut connection = new(caller)?;
        let mut key = caller * keys / callers;
        while !end.load(Ordering::Relaxed) {
            connection.up(key)?;
            key = (key + 1) % keys;
            calls.fetch_add(u64::from(counting.load(Ordering::Relaxed)), Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let one = &one;
        let threads: Vec<_> = (0..callers).map(|caller| scope.spawn(move || one(caller))).collect();
        std::thread::sleep(WARM);
        counting.store(true, Ordering::Relaxed);
        let start = Instant::now();
        std::thread::sleep(TIME);
        end.store(true, Ordering::Relaxed);
        let took = start.elapsed();
        for thread in threads {
            thread.join().unwrap_or_else(|_| bail!("a caller panicked"))?;
        }
        Ok(calls.load(Ordering::Relaxed) as f64 / took.as_secs_f64())
    })
}

struct Ours {
    lines: BufReader<UnixStream>,
    line: String,
}

/// The vat of the first counter: vat 1 is the program.
const FIRST: usize = 2;

impl Ours {
    fn new(socket: &Path, _: usize) -> Result<Ours> {
        Ok(Ours { lines: BufReader::new(UnixStream::connect(socket)?), line: String::new() })
    }

    fn call(&mut self, vat: usize, method: &str) -> Result<u64> {
        let request = format!("{{\"do\":\"call\",\"vat\":{vat},\"method\":\"{method}\"}}\n");
        self.lines.get_mut().write_all(request.as_bytes())?;
        self.line.clear();
        self.lines.read_line(&mut self.line)?;
        let digits: String =
            self.line.split("\"value\":").nth(1).unwrap_or("").chars().take_while(char::is_ascii_digit).collect();
        digits.parse().with_context(|| format!("drses answered {:?}", self.line))
    }
}

impl Caller for Ours {
    fn up(&mut self, key: usize) -> Result<u64> {
        self.call(FIRST + key, "up")
    }
}

struct Theirs(BufReader<TcpStream>);

impl Theirs {
    fn new(_: usize) -> Result<Theirs> {
        let stream = TcpStream::connect(INGRESS)?;
        stream.set_nodelay(true)?;
        Ok(Theirs(BufReader::new(stream)))
    }
}

impl Caller for Theirs {
    fn up(&mut self, key: usize) -> Result<u64> {
        let (status, body) = post(&mut self.0, &format!("/counter/k{key}/up"), "")?;
        body.trim().parse().with_context(|| format!("Restate answered {status}: {body:?}"))
    }
}

fn register() -> Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(ADMIN)?);
    let (status, body) = post(&mut stream, "/deployments", &format!("{{\"uri\":\"http://127.0.0.1:{SDK}\"}}"))?;
    if !status.starts_with('2') {
        bail!("Restate's admin answered {status}: {body}");
    }
    Ok(())
}

/// One request of HTTP/1.1 and its answer: status and body. The connection stays.
fn post(stream: &mut BufReader<TcpStream>, path: &str, body: &str) -> Result<(String, String)> {
    let head = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
    let length = body.len();
    let request = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{head}content-length: {length}\r\n\r\n{body}");
    stream.get_mut().write_all(request.as_bytes())?;
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split_whitespace().nth(1).context("no status")?.to_owned();
    let (mut length, mut chunked) = (0usize, false);
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let lower = line.trim().to_ascii_lowercase();
        match lower.split_once(':') {
            Some(("content-length", n)) => length = n.trim().parse()?,
            Some(("transfer-encoding", how)) => chunked = how.trim() == "chunked",
            None if lower.is_empty() => break,
            _ => {}
        }
    }
    let mut text = Vec::new();
    if !chunked {
        text.resize(length, 0);
        stream.read_exact(&mut text)?;
    }
    while chunked {
        line.clear();
        stream.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim(), 16).context("the size of a chunk")?;
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk)?;
        text.extend_from_slice(&chunk[..size]);
        chunked = size > 0;
    }
    Ok((status, String::from_utf8_lossy(&text).into_owned()))
}
