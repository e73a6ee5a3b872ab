//! The control socket of a running host: operators' commands, one JSON object a line in and out.
//!
//! ```text
//! { "do": "ls" }                                          → { "vats": [ … ] }
//! { "do": "show", "vat": 2 }                              → { "vat": 2, … }
//! { "do": "dump", "vat": 2, "to": "/…/FILE" }             → { "image": …, "listing": … }
//! { "do": "log", "vat": 2 }                               → { "turns": [ … ] }
//! { "do": "call", "vat": 2, "method": "up", "args": [] }  → { "value": … } or { "rejected": … }
//! { "do": "pause" | "resume" | "kill", "vat": 2 }         → { "ok": true }
//! { "do": "limit", "vat": 2, "maxHeap": N, "maxInstructions": N }
//! { "do": "stats" | "check" | "compact" }                 → figures of the store
//! { "do": "backup", "to": "/…/DIR", "withKey": false }    → { "backup": … }
//! { "do": "refs" }                                        → { "refs": [ … ] }
//! { "do": "revoke", "ref": 3 or "ocapn://…" }             → { "ok": true }
//! { "do": "peers" }                                       → { "peers": [ … ] }
//! { "do": "forget", "peer": "wcloc3zz…" }                → { "ok": true, … }
//! { "do": "stop" }                                        → { "ok": true }
//! { "id": anything, … } is given back in the answer, so that many calls may be under way on one connection
//! ```
//! Invariants
//! - a vat is named by its number or its name;
//! - an answer is written once what it tells of is durable;
//! - whoever does not read its answers is cut off: nobody else waits for it;
//! - lines and connections are bounded; a bad line gets `{ "error": { code, message, help } }`.
use crate::operate::{self, Asker, Problem, problem};
use crate::pool::Pool;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Bytes of one line.
const MAX_LINE_BYTES: u64 = 16 << 20;
/// How long one answer may take to be written.
const MAX_WRITE: Duration = Duration::from_secs(1);
/// Connections at once.
const MAX_CONNECTIONS: usize = 256;

pub(crate) type Stream = Arc<Mutex<UnixStream>>;

static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(|e| e.into_inner())
}

const NAME: &str = "control.sock";

/// The folder, open, and a path to its socket that is short: the system takes about a hundred bytes.
fn short(folder: &Path) -> std::io::Result<(std::fs::File, PathBuf)> {
    let open = std::fs::File::open(folder)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", open.as_raw_fd()));
    Ok((open, path))
}

/// Binds the socket in a state's folder, for its owner alone. The folder's store is locked: no other host uses it.
pub fn listen(folder: &Path) -> std::io::Result<UnixListener> {
    unlisten(folder);
    let (_open, path) = short(folder)?;
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(folder.join(NAME), std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// The host ends.
pub fn unlisten(folder: &Path) {
    let _ = std::fs::remove_file(folder.join(NAME));
}

/// A host listens in this folder.
pub fn is_there(folder: &Path) -> bool {
    short(folder).and_then(|(_open, path)| UnixStream::connect(path)).is_ok()
}

/// Asks the host that runs on a state; `None`: there is none.
pub fn ask_host(folder: &Path, request: &Value) -> Result<Option<Value>, Problem> {
    let connected = short(folder).and_then(|(_open, path)| UnixStream::connect(path));
    let stream = match connected {
        Ok(stream) => stream,
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused) => return Ok(None),
        Err(e) => {
            let message = format!("cannot talk to the host over {}: {e}", folder.join(NAME).display());
            return Err(problem("E-SOCKET", message, "be the user that runs the host"));
        }
    };
    let mut line = Vec::new();
    let talked = say(&stream, request).and_then(|()| BufReader::new(&stream).read_until(b'\n', &mut line));
    let help = "if the host was stopped, type the same command again";
    talked.map_err(|e| problem("E-SOCKET", format!("the host does not answer: {e}"), help))?;
    if line.is_empty() {
        return Err(problem("E-SOCKET", "the host ended before it answered", help));
    }
    let answer = serde_json::from_slice(&line);
    answer.map(Some).map_err(|e| problem("E-SOCKET", format!("the host's answer is not JSON: {e}"), help))
}

/// Writes an answer to whoever asked, if it is still there.
pub(crate) fn answer(stream: &Stream, mut answer: Value, id: Value) {
    if let (Some(map), false) = (answer.as_object_mut(), id.is_null()) {
        map.insert("id".to_owned(), id);
    }
    let stream = lock(stream);
    if say(&stream, &answer).is_err() {
        // it does not read, or is gone: later answers fail at once
        let _ = stream.shutdown(Shutdown::Both);
    }
}

/// Serves until the process ends.
pub(crate) fn serve(pool: &Arc<Pool>, listener: UnixListener) {
    let pool = pool.clone();
    let _ = std::thread::Builder::new().name("control".into()).spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            if CONNECTIONS.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTIONS {
                CONNECTIONS.fetch_sub(1, Ordering::Relaxed);
                let _ = say(&stream, &problem("E-BUSY", "too many connections", "close some").json());
                continue;
            }
            let pool = pool.clone();
            let _ = std::thread::Builder::new().name("operator".into()).spawn(move || {
                talk(&pool, stream);
                CONNECTIONS.fetch_sub(1, Ordering::Relaxed);
            });
        }
    });
}

fn say(mut stream: &UnixStream, v: &Value) -> std::io::Result<()> {
    let mut line = v.to_string();
    line.push('\n');
    stream.write_all(line.as_bytes())
}

fn talk(pool: &Arc<Pool>, stream: UnixStream) {
    let Ok(reading) = stream.try_clone() else { return };
    if stream.set_write_timeout(Some(MAX_WRITE)).is_err() {
        return;
    }
    let shared: Stream = Arc::new(Mutex::new(stream));
    let mut lines = BufReader::new(reading);
    loop {
        let mut line = Vec::new();
        match lines.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if line.last() != Some(&b'\n') && line.len() as u64 >= MAX_LINE_BYTES {
            let _ = say(&lock(&shared), &problem("E-LINE", "the line is too long", "at most 16 MiB a line").json());
            return;
        }
        let (now, id) = answer_to(pool, &line, |id| Asker::Socket(shared.clone(), id.clone()));
        if let Some(now) = now {
            answer(&shared, now, id);
        }
    }
}

/// What a line is answered (none: the answer comes later), and the id it gave.
pub(crate) fn answer_to(pool: &Arc<Pool>, line: &[u8], asker: impl FnOnce(&Value) -> Asker) -> (Option<Value>, Value) {
    match serde_json::from_slice::<Value>(line) {
        Ok(v) => {
            let id = v.get("id").cloned().unwrap_or(Value::Null);
            (operate::command(pool, || asker(&id), &v), id)
        }
        Err(e) => {
            let told = problem("E-JSON", format!("not JSON: {e}"), "send one JSON object a line");
            (Some(told.json()), Value::Null)
        }
    }
}
