//! The control socket of a running host: operators' commands, one JSON object a line in and out.
//!
//! ```text
//! { "do": "ls" }                                          → { "vats": [ … ] }
//! { "do": "show", "vat": 2 }                              → { "vat": 2, … }
//! { "do": "log", "vat": 2 }                               → { "turns": [ … ] }
//! { "do": "call", "vat": 2, "method": "up", "args": [] }  → { "value": … } or { "rejected": … }
//! { "do": "pause" | "resume" | "kill", "vat": 2 }         → { "ok": true }
//! { "do": "limit", "vat": 2, "maxHeap": N, "maxInstructions": N }
//! { "do": "stop" }                                        → { "ok": true }
//! { "id": anything, … } is given back in the answer, so that many calls may be under way on one connection
//! ```
//! Invariants
//! - an answer that a turn gave is written once the turn is durable;
//! - lines and connections are bounded; a bad line gets `{ "error": { code, message, help } }`.
use crate::json;
use crate::pool::{Pool, World};
use node::{Event, TurnRecord};
use passable::{Limits, VatId};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

/// Bytes of one line.
const MAX_LINE_BYTES: u64 = 16 << 20;
/// Connections at once.
const MAX_CONNECTIONS: usize = 256;

type Stream = Arc<Mutex<UnixStream>>;

/// Calls under way: who waits, and the id it gave.
static CALLS: LazyLock<Mutex<HashMap<u64, (Stream, Value)>>> = LazyLock::new(Mutex::default);
static NEXT: AtomicU64 = AtomicU64::new(1);
static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(|e| e.into_inner())
}

/// Binds the socket in a state's folder, for its owner alone. The folder's store is locked: no other host uses it.
pub fn listen(folder: &Path) -> std::io::Result<UnixListener> {
    let path = folder.join("control.sock");
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves until the process ends.
pub(crate) fn serve(pool: &Arc<Pool>, listener: UnixListener) {
    let pool = pool.clone();
    let _ = std::thread::Builder::new().name("control".into()).spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            if CONNECTIONS.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTIONS {
                CONNECTIONS.fetch_sub(1, Ordering::Relaxed);
                let _ = say(&stream, &problem("E-BUSY", "too many connections", "close some"));
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

fn problem(code: &str, message: &str, help: &str) -> Value {
    json!({ "error": { "code": code, "message": message, "help": help } })
}

fn talk(pool: &Arc<Pool>, stream: UnixStream) {
    let Ok(reading) = stream.try_clone() else { return };
    let shared: Stream = Arc::new(Mutex::new(stream));
    let mut lines = BufReader::new(reading);
    loop {
        let mut line = Vec::new();
        match lines.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if line.last() != Some(&b'\n') && line.len() as u64 >= MAX_LINE_BYTES {
            let _ = say(&lock(&shared), &problem("E-LINE", "the line is too long", "at most 16 MiB a line"));
            return;
        }
        let answer = match serde_json::from_slice::<Value>(&line) {
            Ok(v) => {
                let id = v.get("id").cloned().unwrap_or(Value::Null);
                command(pool, &shared, &v).map(|mut a| {
                    if let (Some(map), false) = (a.as_object_mut(), id.is_null()) {
                        map.insert("id".to_owned(), id);
                    }
                    a
                })
            }
            Err(e) => Some(problem("E-JSON", &format!("not JSON: {e}"), "send one JSON object a line")),
        };
        if let Some(a) = answer
            && say(&lock(&shared), &a).is_err()
        {
            return;
        }
    }
}

/// The answer; none: it comes later.
fn command(pool: &Arc<Pool>, stream: &Stream, v: &Value) -> Option<Value> {
    let what = v.get("do").and_then(Value::as_str).unwrap_or("");
    let mut w = pool.lock();
    if what == "ls" {
        let vats: Vec<Value> = w.node.vats().collect::<Vec<_>>().into_iter().map(|vat| brief(&w, vat)).collect();
        return Some(json!({ "vats": vats }));
    }
    if what == "stop" {
        drop(w);
        pool.ask_to_end(0);
        return Some(json!({ "ok": true }));
    }
    let vat = VatId(v.get("vat").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(0));
    if !w.node.vats().any(|x| x == vat) {
        return Some(problem("E-VAT", "there is no such vat", "`drses vat ls` lists them"));
    }
    let event = match what {
        "show" => return Some(show(&w, vat)),
        "log" => return Some(json!({ "turns": w.node.log(vat).iter().map(turn).collect::<Vec<_>>() })),
        "call" => return call(pool, &mut w, stream, vat, v),
        "pause" => Event::Pause { vat },
        "resume" => Event::Unpause { vat },
        "kill" => Event::Kill { vat },
        "limit" => {
            let old = w.node.limits(vat);
            let get = |name: &str, old: u64| v.get(name).and_then(Value::as_u64).unwrap_or(old);
            let limits = Limits {
                heap_bytes: get("maxHeap", old.heap_bytes).clamp(1 << 20, 3 << 30),
                instructions: get("maxInstructions", old.instructions).max(1),
            };
            pool.set_limits(&mut w, vat, limits);
            Event::Limit { vat, limits }
        }
        _ => {
            let help = "ls, show, log, call, pause, resume, kill, limit, stop";
            return Some(problem("E-COMMAND", &format!("no such command: {what:?}"), help));
        }
    };
    pool.step(&mut w, event);
    pool.provide(&mut w);
    Some(json!({ "ok": true }))
}

fn call(pool: &Arc<Pool>, w: &mut World, stream: &Stream, vat: VatId, v: &Value) -> Option<Value> {
    let method = v.get("method").and_then(Value::as_str).unwrap_or("");
    let none = Vec::new();
    let args = v.get("args").and_then(Value::as_array).unwrap_or(&none);
    let mut fine = true;
    let body = ken::codec::method_call(method, |writer| {
        fine = args.iter().all(|a| json::write(writer, a, 0));
        args.len()
    });
    if !fine || method.is_empty() {
        return Some(problem("E-ARGS", "no method, or arguments that nest too deeply", "give a method name and plain JSON"));
    }
    let reply = NEXT.fetch_add(1, Ordering::Relaxed);
    lock(&CALLS).insert(reply, (stream.clone(), v.get("id").cloned().unwrap_or(Value::Null)));
    pool.step(w, Event::Call { vat, body, reply });
    pool.provide(w);
    None
}

/// The answer of a call, once it is durable.
pub fn reply(to: u64, rejected: bool, text: String) {
    let Some((stream, id)) = lock(&CALLS).remove(&to) else { return };
    let value: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    let mut answer = if rejected { json!({ "rejected": value }) } else { json!({ "value": value }) };
    if let (Some(map), false) = (answer.as_object_mut(), id.is_null()) {
        map.insert("id".to_owned(), id);
    }
    // whoever asked may be gone
    let _ = say(&lock(&stream), &answer);
}

fn brief(w: &World, vat: VatId) -> Value {
    let (waiting, bytes) = w.node.queue(vat);
    json!({
        "vat": vat.0,
        "name": w.node.name(vat),
        "paused": w.node.is_paused(vat),
        "turns": w.node.turns(vat),
        "waiting": waiting,
        "waitingBytes": bytes,
        "resident": w.is_resident(vat),
    })
}

fn show(w: &World, vat: VatId) -> Value {
    let mut v = brief(w, vat);
    let limits = w.node.limits(vat);
    let exports: Vec<Value> = w
        .node
        .exports(vat)
        .into_iter()
        .map(|(n, holders)| json!({ "object": n, "heldBy": holders.iter().map(|h| h.0).collect::<Vec<_>>() }))
        .collect();
    if let Some(map) = v.as_object_mut() {
        map.insert("maxHeap".into(), json!(limits.heap_bytes));
        map.insert("maxInstructions".into(), json!(limits.instructions));
        map.insert("heapBytes".into(), json!(w.heap_bytes(vat)));
        map.insert("exports".into(), Value::Array(exports));
        map.insert("lastError".into(), w.last_error(vat).map_or(Value::Null, Value::String));
    }
    v
}

fn turn(r: &TurnRecord) -> Value {
    json!({ "turn": r.id.turn, "received": r.cause.to_string(), "from": { "vat": r.by.vat.0, "turn": r.by.turn } })
}
