//! `cargo xtask restate`: durable calls of counters side by side with the Restate server and its SDK for Node, one request on a socket a call.
//!
//! In: a folder `node_modules` with npm's `@restatedev/restate-server` and `@restatedev/restate-sdk`. Out: rows for `bench/RESULTS.md`;
//! `false` if a promise is broken.
//!
//! Both sides get the same driver: one thread with a connection for each caller, on which one call is under way at a time; so most of
//! the machine is left to the side that is measured. Ours asks over the control socket of `drses serve`, as `drses vat call` does; theirs
//! over HTTP with keep-alive, as their ingress takes it. Both sides are durable when they answer, each on a new folder of the same disk.
//! `--ours` measures our side alone and keeps nothing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

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
    let rows = with_folder(root, |drses, folder| {
        let ours = ours(root, drses, folder)?;
        Ok(rows(&ours, &theirs(root, &modules, folder)?))
    })?;
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

/// Our side alone.
pub fn run_ours(root: &Path) -> Result<bool> {
    let rates = with_folder(root, |drses, folder| ours(root, drses, folder))?;
    for ((callers, keys, _), rate) in RUNS.iter().zip(rates) {
        println!("{callers} callers, {keys} keys: {rate:.0} durable calls a second");
    }
    Ok(true)
}

fn with_folder<T>(root: &Path, measure: impl FnOnce(&Path, &Path) -> Result<T>) -> Result<T> {
    let drses = book::drses(root, &["--release"])?.context("there is no `drses` program")?;
    let folder = std::env::temp_dir().join(format!("drses-restate-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = measure(&drses, &folder);
    let _ = std::fs::remove_dir_all(&folder);
    done
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

fn ours(root: &Path, drses: &Path, folder: &Path) -> Result<Vec<f64>> {
    let state = folder.join("state");
    let mut serve = Command::new(drses);
    serve.arg("serve").arg("--state").arg(&state).arg(root.join("bench/figures/counters/main.js"));
    let _host = start(serve.arg(KEYS.to_string()).arg("0"), &folder.join("drses.log"))?;
    let socket = state.join("control.sock");
    let count = || {
        let mut caller = Ours::new(&socket, 0)?;
        caller.call(1, "count")?;
        caller.answer()
    };
    until(|| count().is_ok_and(|n| n == KEYS as u64))?;
    let each = |(callers, keys, _): &(usize, usize, f64)| {
        eprintln!("restate: drses, {callers} callers, {keys} keys");
        rate(*callers, *keys, |caller| Ours::new(&socket, caller))
    };
    RUNS.iter().map(each).collect()
}

fn theirs(root: &Path, modules: &Path, folder: &Path) -> Result<Vec<f64>> {
    let server = modules.join("@restatedev/restate-server-linux-x64/bin/restate-server");
    let _server = start(Command::new(server).arg("--base-dir").arg(folder.join("data")), &folder.join("server.log"))?;
    let mut node = Command::new("node");
    node.arg(root.join("bench/restate/counter.mjs")).arg(modules).arg(SDK).env("RESTATE_LOGGING", "ERROR");
    let _sdk = start(&mut node, &folder.join("sdk.log"))?;
    until(|| register().is_ok())?;
    let first = || {
        let mut caller = Theirs::new(0)?;
        caller.ask(0)?;
        caller.answer()
    };
    until(|| first().is_ok())?;
    let each = |(callers, keys, _): &(usize, usize, f64)| {
        eprintln!("restate: Restate, {callers} callers, {keys} keys");
        rate(*callers, *keys, Theirs::new)
    };
    RUNS.iter().map(each).collect()
}

fn rows(ours: &[f64], theirs: &[f64]) -> Vec<Row> {
    let row = |((callers, keys, least), (a, b)): (&(usize, usize, f64), (&f64, &f64))| {
        Row::new(
            &format!("Durable calls a second, {callers} callers, {keys} keys: drses to Restate"),
            &format!("≥ {least:.0} ×"),
            &format!("{:.0} × ({a:.0} to {b:.0})", a / b),
            a / b >= *least,
        )
    };
    let rows: Vec<Row> = RUNS.iter().zip(ours.iter().zip(theirs)).map(row).collect();
    rows.iter().for_each(|row| println!("| {} |", row.0));
    rows
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

/// One caller: adds one to the counter of a key, and gets what it is then.
trait Caller {
    fn ask(&mut self, key: usize) -> Result<()>;
    /// To be called when the first bytes of the answer are there.
    fn answer(&mut self) -> Result<u64>;
    fn socket(&self) -> BorrowedFd<'_>;
}

/// Calls a second of so many callers; each takes its keys in turn.
fn rate<C: Caller>(callers: usize, keys: usize, new: impl Fn(usize) -> Result<C>) -> Result<f64> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let mut all = Vec::new();
    for caller in 0..callers {
        let mut connection = new(caller)?;
        epoll.add(connection.socket(), EpollEvent::new(EpollFlags::EPOLLIN, caller as u64))?;
        let key = caller * keys / callers;
        connection.ask(key)?;
        all.push((connection, key));
    }
    let mut events = vec![EpollEvent::empty(); callers];
    let (begin, mut counted_from, mut calls) = (Instant::now(), None, 0u64);
    loop {
        let ready = epoll.wait(&mut events, EpollTimeout::NONE)?;
        let now = Instant::now();
        if counted_from.is_none() && now - begin >= WARM {
            counted_from = Some(now);
        }
        if let Some(from) = counted_from
            && now - from >= TIME
        {
            return Ok(calls as f64 / (now - from).as_secs_f64());
        }
        for event in &events[..ready] {
            let (connection, key) = &mut all[event.data() as usize];
            connection.answer()?;
            calls += u64::from(counted_from.is_some());
            *key = (*key + 1) % keys;
            connection.ask(*key)?;
        }
    }
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

    fn call(&mut self, vat: usize, method: &str) -> Result<()> {
        let request = format!("{{\"do\":\"call\",\"vat\":{vat},\"method\":\"{method}\"}}\n");
        Ok(self.lines.get_mut().write_all(request.as_bytes())?)
    }
}

impl Caller for Ours {
    fn ask(&mut self, key: usize) -> Result<()> {
        self.call(FIRST + key, "up")
    }

    fn answer(&mut self) -> Result<u64> {
        self.line.clear();
        self.lines.read_line(&mut self.line)?;
        let (_, rest) = self.line.split_once("\"value\":").unwrap_or_default();
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or("");
        digits.parse().with_context(|| format!("drses answered {:?}", self.line))
    }

    fn socket(&self) -> BorrowedFd<'_> {
        self.lines.get_ref().as_fd()
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
    fn ask(&mut self, key: usize) -> Result<()> {
        post(&mut self.0, &format!("/counter/k{key}/up"), "")
    }

    fn answer(&mut self) -> Result<u64> {
        let (status, body) = response(&mut self.0)?;
        body.trim().parse().with_context(|| format!("Restate answered {status}: {body:?}"))
    }

    fn socket(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}

fn register() -> Result<()> {
    let mut stream = BufReader::new(TcpStream::connect(ADMIN)?);
    post(&mut stream, "/deployments", &format!("{{\"uri\":\"http://127.0.0.1:{SDK}\"}}"))?;
    let (status, body) = response(&mut stream)?;
    if !status.starts_with('2') {
        bail!("Restate's admin answered {status}: {body}");
    }
    Ok(())
}

/// One request of HTTP/1.1. The connection stays.
fn post(stream: &mut BufReader<TcpStream>, path: &str, body: &str) -> Result<()> {
    let head = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
    let length = body.len();
    let request = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{head}content-length: {length}\r\n\r\n{body}");
    Ok(stream.get_mut().write_all(request.as_bytes())?)
}

/// The answer to a request: status and body.
fn response(stream: &mut BufReader<TcpStream>) -> Result<(String, String)> {
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
