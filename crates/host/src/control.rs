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
//! - lines and connections are bounded; a bad line gets `{ "error": { code, message, help } }`;
//! - lines of a connection are taken in their order; what a command has to wait for holds up its own connection alone.
//!
//! One thread (`wire`) reads all connections and gives the node all calls that it found at once; whoever has an answer writes it
//! (`conn`). Other commands, which may take long, have a thread each.
mod conn;
mod plain;
mod wire;

use crate::operate::{Problem, problem};
pub(crate) use conn::{Answers, Conn};
use serde_json::Value;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
pub(crate) use wire::serve;

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
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
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

fn say(mut stream: &UnixStream, v: &Value) -> std::io::Result<()> {
    let mut line = v.to_string();
    line.push('\n');
    stream.write_all(line.as_bytes())
}

/// An answer with what the asker knows it by.
pub(crate) fn with_id(mut answer: Value, id: Value) -> Value {
    if let (Some(map), false) = (answer.as_object_mut(), id.is_null()) {
        map.insert("id".to_owned(), id);
    }
    answer
}
