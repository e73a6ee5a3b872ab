//! Operators' commands: asked of a host that runs, or else of its store.
//!
//! In: a state's folder and a request (see `control`). Out: an answer, or a problem with a remedy.
//!
//! Invariants
//! - a host that runs has the lock of its store: then its control socket is asked, and nothing else is opened;
//! - without one the store is opened under its lock; no turn runs but for `call`;
//! - the walk over a heap is made on a copy, outside the lock of the pool.
use crate::begin::Job;
use crate::net::Net;
use crate::pool::{Mode, Named, Pool, World};
use crate::{control, json, output, state, storage};
use journal::{Journal, Misfit};
use node::{Config, Event, Exported, Node, TurnRecord};
use passable::{Limits, VatId};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use store::Store;
use vat::{Quota, Shared};

/// What a command came to grief on.
#[derive(Clone, Debug)]
pub struct Problem {
    pub code: String,
    pub message: String,
    pub help: String,
}

pub(crate) fn problem(code: &str, message: impl Into<String>, help: impl Into<String>) -> Problem {
    Problem { code: code.to_owned(), message: message.into(), help: help.into() }
}

impl Problem {
    pub fn json(&self) -> Value {
        json!({ "error": { "code": self.code, "message": self.message, "help": self.help } })
    }
}

impl From<store::Error> for Problem {
    fn from(e: store::Error) -> Problem {
        problem(e.code(), e.cause(), e.remedy())
    }
}

impl From<Misfit> for Problem {
    fn from(e: Misfit) -> Problem {
        problem(e.code, e.what, e.help)
    }
}

impl From<passable::Bad> for Problem {
    fn from(e: passable::Bad) -> Problem {
        Misfit::from(e).into()
    }
}

pub(crate) fn not_a_program(folder: &Path) -> Problem {
    let help = "name another folder, or open it with `drses repl --state`";
    problem("E-STATE", format!("{} holds the state of a REPL, not of a program", folder.display()), help)
}

/// Who waits for the answer of a call.
pub(crate) enum Asker {
    /// A connection, and what it knows its call by.
    Socket(Arc<control::Conn>, Value),
    Here(mpsc::Sender<Value>),
    /// Somebody who embeds the host.
    Embedder(crate::embed::Done),
}

static NEXT: AtomicU64 = AtomicU64::new(1);

/// Calls under way.
static CALLS: Mutex<Option<node::IdMap<u64, Asker>>> = Mutex::new(None);

fn calls<T>(look: impl FnOnce(&mut node::IdMap<u64, Asker>) -> T) -> T {
    look(CALLS.lock().unwrap_or_else(|e| e.into_inner()).get_or_insert_default())
}

/// No answer is waited for.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn forget_calls() {
    calls(|all| all.clear());
}

/// The number under which somebody waits for an answer.
pub(crate) fn awaited(asker: Asker) -> u64 {
    let reply = NEXT.fetch_add(1, Ordering::Relaxed);
    calls(|all| all.insert(reply, asker));
    reply
}

/// The answer of a call, once it is durable.
pub(crate) fn reply(to: u64, rejected: bool, value: passable::Data, answers: &mut control::Answers) {
    let waiting = calls(|all| all.remove(&to));
    let asker = match waiting {
        None => return,
        Some(Asker::Embedder(done)) => return done(crate::embed::Answer { rejected, value }),
        Some(asker) => asker,
    };
    let (name, value) = (if rejected { "rejected" } else { "value" }, json::of_data(&value));
    match asker {
        Asker::Socket(conn, id) => answers.put(conn, &id, name, &value),
        Asker::Here(to) => drop(to.send(json!({ name: value }))),
        Asker::Embedder(_) => {}
    }
}

/// Asks the host that runs on this state, or does what is asked with its store.
pub fn ask(folder: &Path, request: &Value) -> Result<Value, Problem> {
    let answer = match control::ask_host(folder, request)? {
        Some(answer) => answer,
        None => match alone(folder, request) {
            // one has begun meanwhile
            Err(p) if p.code == store::ErrorKind::Locked.code() => control::ask_host(folder, request)?.ok_or(p)?,
            done => done?,
        },
    };
    match answer.get("error") {
        Some(e) => {
            let text = |name: &str| e.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
            Err(Problem { code: text("code"), message: text("message"), help: text("help") })
        }
        None => Ok(answer),
    }
}

fn no_memory(e: std::io::Error) -> Problem {
    problem("E-MEMORY", format!("cannot reserve memory for a vat: {e}"), "raise the limit of address space (ulimit -v)")
}

/// A command without a host.
fn alone(folder: &Path, request: &Value) -> Result<Value, Problem> {
    let shared = Arc::new(Shared::new(false).map_err(no_memory)?);
    let opened = state::open(folder, false)?;
    let store: Arc<dyn Store> = opened.store.clone();
    let what = request.get("do").and_then(Value::as_str).unwrap_or("");
    if storage::COMMANDS.contains(&what) {
        let read = |vat| journal::read(&*store, &shared, vat);
        let answer = storage::command(folder, &*store, &shared, what, request, &read)?;
        store.seal()?;
        return Ok(answer);
    }
    let mut journal = Journal::new(store.clone());
    if journal.is_repl() {
        return Err(not_a_program(folder));
    }
    journal.restore_programs(&shared)?;
    let config = Config { durable: true, ..Config::default() };
    let node = Node::restore(config, Box::new(Named(shared.clone())), &*store)?;
    let Some(node) = node else {
        return Err(problem(
            "E-STATE",
            "no program was begun in this state",
            "begin one with `drses run --state` or `drses serve --state`",
        ));
    };
    let mode = if what == "call" { Mode::Call } else { Mode::Look };
    let unclean = if mode == Mode::Call { !journal.begin() } else { false };
    output::programs_aside();
    let net = if mode == Mode::Call { Net::prepare(&Default::default(), Some(folder))? } else { Arc::default() };
    let job = Job { shared, node, journal: Some(journal), start: None, unclean, mode, paused: false, limits: None, net };
    let (to, answers) = mpsc::channel();
    crate::begin::run_with(job, None, |pool| {
        let asker = || Asker::Here(to.clone());
        // none: a call is under way; the host ends when it is answered, or nothing is left to do
        if let Some(answer) = command(pool, asker, request) {
            let _ = to.send(answer);
            pool.ask_to_end(0);
        }
    });
    let help = "is a vat paused (`drses vat ls`), or does it wait for something that never comes?";
    answers.try_recv().map_err(|_| problem("E-NO-ANSWER", "nothing is left to do, and the call is not answered", help))
}

/// The answer; none: it comes later.
pub(crate) fn command(pool: &Arc<Pool>, asker: impl FnOnce() -> Asker, v: &Value) -> Option<Value> {
    command_of(pool, asker, v).unwrap_or_else(|p| Some(p.json()))
}

fn command_of(pool: &Arc<Pool>, asker: impl FnOnce() -> Asker, v: &Value) -> Result<Option<Value>, Problem> {
    let what = v.get("do").and_then(Value::as_str).unwrap_or("");
    if pool.lock().end.is_some() {
        return Err(host_ends());
    }
    if what == "ls" {
        let w = pool.lock();
        let vats: Vec<Value> = w.node.vats().map(|vat| brief(&w, vat)).collect();
        return Ok(Some(json!({ "vats": vats })));
    }
    if what == "stop" {
        pool.ask_to_end(0);
        return Ok(Some(json!({ "ok": true })));
    }
    if let Some(answer) = crate::net::command(pool, what, v)? {
        return Ok(Some(answer));
    }
    if storage::COMMANDS.contains(&what) {
        let Some(store) = pool.settled().journal.as_ref().map(|j| j.store().clone()) else {
            return Err(problem("E-STATE", "the host has no state", "start it with --state"));
        };
        let read = |vat| {
            drop(pool.settled());
            let _w = pool.lock();
            journal::read(&*store, &pool.shared, vat)
        };
        let folder = pool.net.folder().to_owned();
        return storage::command(&folder, &*store, &pool.shared, what, v, &read).map(Some);
    }
    const COMMANDS: [&str; 8] = ["show", "log", "call", "pause", "resume", "kill", "limit", "dump"];
    if !COMMANDS.contains(&what) {
        let help = format!("ls, {}, {}, refs, revoke, peers, forget, stop", COMMANDS.join(", "), storage::COMMANDS.join(", "));
        return Err(problem("E-COMMAND", format!("no such command: {what:?}"), help));
    }
    let mut w = pool.lock();
    let vat = find(&w, v.get("vat").unwrap_or(&Value::Null))?;
    let event = match what {
        "show" | "dump" => {
            drop(w);
            return look(pool, vat, v).map(Some);
        }
        "log" => {
            let (turns, since) = (w.node.log(vat), w.begun_turns(vat));
            return Ok(Some(json!({ "vat": vat.0, "afterTurn": since, "turns": turns.iter().map(turn).collect::<Vec<_>>() })));
        }
        "call" => {
            call(pool, &mut w, asker(), vat, body(v)?);
            pool.provide(&mut w);
            return Ok(None);
        }
        "pause" => Event::Pause { vat },
        "resume" => Event::Unpause { vat },
        "kill" => Event::Kill { vat },
        _ => limit(pool, &mut w, vat, v)?,
    };
    pool.step(&mut w, event);
    pool.provide(&mut w);
    drop(w);
    // nobody is told before it is durable
    if pool.settled().journal.is_none() {
        return Err(problem("E-ENDED", "the host ended before this was durable", "type the same command again"));
    }
    Ok(Some(json!({ "ok": true, "vat": vat.0 })))
}

fn limit(pool: &Pool, w: &mut World, vat: VatId, v: &Value) -> Result<Event, Problem> {
    let old = w.node.limits(vat);
    let get = |name: &str, old: u64, fine: std::ops::RangeInclusive<u64>| match v.get(name) {
        None | Some(Value::Null) => Ok(old),
        Some(n) => n.as_u64().filter(|n| fine.contains(n)).ok_or_else(|| {
            let help = format!("give a whole number between {} and {}", fine.start(), fine.end());
            problem("E-ARGS", format!("{name} cannot be {n}"), help)
        }),
    };
    let limits = Limits {
        heap_bytes: get("maxHeap", old.heap_bytes, 1 << 20..=3 << 30)?,
        instructions: get("maxInstructions", old.instructions, 1..=1_000_000_000_000_000_000)?,
    };
    pool.set_limits(w, vat, limits);
    Ok(Event::Limit { vat, limits })
}

/// A vat by its number, or by a name that only it has: the file of its program, with or without folder and `.js`.
fn find(w: &World, which: &Value) -> Result<VatId, Problem> {
    let help = "`drses vat ls` lists them";
    let number = which.as_u64().or_else(|| which.as_str()?.parse().ok());
    if let Some(n) = number {
        let found = u32::try_from(n).ok().map(VatId).filter(|v| w.node.is_vat(*v));
        return found.ok_or_else(|| problem("E-VAT", format!("there is no vat {n}"), help));
    }
    let Some(name) = which.as_str() else {
        let what = if which.is_null() { "no vat is named".to_owned() } else { format!("{which} names no vat") };
        return Err(problem("E-VAT", what, help));
    };
    let file = |full: &str| full.rsplit('/').next().unwrap_or(full).to_owned();
    let fits = |full: &str| full == name || file(full) == name || file(full).strip_suffix(".js") == Some(name);
    let found: Vec<VatId> = w.node.vats().filter(|v| fits(w.node.name(*v))).collect();
    match found[..] {
        [one] => Ok(one),
        [] => Err(problem("E-VAT", format!("there is no vat {name:?}"), help)),
        _ => {
            let numbers: Vec<String> = found.iter().map(|v| v.0.to_string()).collect();
            Err(problem("E-VAT", format!("{name:?} may mean vats {}", numbers.join(", ")), "name it by its number"))
        }
    }
}

/// A call that came over a socket, ready for the node.
pub(crate) struct Call {
    conn: Arc<control::Conn>,
    id: Value,
    vat: Value,
    body: passable::Data,
}

impl Call {
    /// A call without arguments.
    pub fn plain(conn: &Arc<control::Conn>, id: Value, vat: u64, method: &str) -> Call {
        Call { conn: conn.clone(), id, vat: Value::from(vat), body: ken::codec::method_call(method, |_| 0) }
    }

    /// A request as a call; or what is wrong with it, and what its caller knows it by.
    pub fn of(conn: &Arc<control::Conn>, mut v: Value) -> Result<Call, (Problem, Value)> {
        let mut taken = |name: &str| v.get_mut(name).map(Value::take).unwrap_or_default();
        let (id, vat) = (taken("id"), taken("vat"));
        match body(&v) {
            Ok(body) => Ok(Call { conn: conn.clone(), id, vat, body }),
            Err(p) => Err((p, id)),
        }
    }
}

/// Gives the node all these calls; a caller of what is not there is told so.
pub(crate) fn calls_of(pool: &Arc<Pool>, all: impl Iterator<Item = Call>) {
    let mut refused = Vec::new();
    let mut w = pool.lock();
    for Call { conn, id, vat, body } in all {
        let found = if w.end.is_some() { Err(host_ends()) } else { find(&w, &vat) };
        match found {
            Ok(vat) => call(pool, &mut w, Asker::Socket(conn, id), vat, body),
            Err(p) => refused.push((conn, id, p)),
        }
    }
    pool.let_go(w);
    for (conn, id, p) in refused {
        conn.answer(&control::with_id(p.json(), id));
    }
}

fn host_ends() -> Problem {
    problem("E-ENDED", "the host ends", "type the same command again: its store is opened then")
}

/// The message that a call asks for.
fn body(v: &Value) -> Result<passable::Data, Problem> {
    let wrong = |what: &str| problem("E-ARGS", what, "give a method name, and arguments as an array of plain JSON");
    let method = v.get("method").and_then(Value::as_str).filter(|m| !m.is_empty()).ok_or_else(|| wrong("no method"))?;
    let args = match v.get("args") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(args)) => args,
        Some(_) => return Err(wrong("the arguments are no array")),
    };
    let mut fine = true;
    let body = ken::codec::method_call(method, |writer| {
        fine = args.iter().all(|a| json::write(writer, a, 0));
        args.len()
    });
    if fine { Ok(body) } else { Err(wrong("arguments that nest too deeply")) }
}

fn call(pool: &Arc<Pool>, w: &mut World, asker: Asker, vat: VatId, body: passable::Data) {
    let reply = awaited(asker);
    pool.step(w, Event::Call { vat, body, reply });
}

fn brief(w: &World, vat: VatId) -> Value {
    let (waiting, bytes) = w.node.queue(vat);
    json!({
        "vat": vat.0,
        "name": w.node.name(vat),
        "paused": w.node.is_paused(vat),
        "turns": w.node.turns(vat),
        "running": w.node.is_running(vat),
        "waiting": waiting,
        "waitingBytes": bytes,
        "resident": w.is_resident(vat),
        "session": w.node.is_session(vat),
    })
}

/// `show` and `dump`: what a copy of the heap says.
fn look(pool: &Arc<Pool>, vat: VatId, v: &Value) -> Result<Value, Problem> {
    let to = match v.get("do").and_then(Value::as_str) {
        Some("dump") => Some(dumped_to(pool, vat, v)?),
        _ => None,
    };
    let (mut shown, limits, sleeping) = {
        let w = pool.settled();
        let store = w.journal.as_ref().map(|j| j.store().clone());
        let sleeping = store.as_ref().map(|s| journal::read(&**s, &pool.shared, vat));
        (show(&w, vat, store.as_deref()), w.node.limits(vat), sleeping)
    };
    let quota = Quota { heap_bytes: limits.heap_bytes, instructions: limits.instructions };
    let woken = sleeping.map(|s| s.and_then(|s| s.map(|s| s.wake(&pool.shared, quota)).transpose()));
    let copy = match woken {
        Some(Ok(Some(copy))) => copy,
        Some(Err(e)) if to.is_some() => return Err(e.into()),
        Some(Err(e)) => {
            shown["heapFault"] = json!(e.what);
            return Ok(shown);
        }
        _ => return Ok(shown),
    };
    let kinds = copy.census(&pool.shared).map_err(no_memory)?;
    let kinds: Vec<Value> = kinds.iter().map(|(kind, n, bytes)| json!({ "kind": kind, "count": n, "bytes": bytes })).collect();
    shown["heap"] = Value::Array(kinds);
    shown["heapBytes"] = json!(copy.heap_bytes());
    if let Err(e) = copy.verify() {
        shown["heapFault"] = json!(e);
    }
    match to {
        Some(to) => storage::dump(to, &copy, &shown),
        None => Ok(shown),
    }
}

/// Where a dump of a vat goes.
fn dumped_to<'v>(pool: &Pool, vat: VatId, v: &'v Value) -> Result<&'v Path, Problem> {
    if pool.lock().node.is_session(vat) {
        let what = format!("vat {} is a session with another host: it has no heap", vat.0);
        return Err(problem("E-VAT", what, "`drses vat show` says what is known of it"));
    }
    let to = v.get("to").and_then(Value::as_str).map(Path::new).filter(|p| p.is_absolute());
    to.ok_or_else(|| problem("E-ARGS", "dump needs an absolute path in `to`", "name a file that is not there"))
}

fn show(w: &World, vat: VatId, store: Option<&dyn Store>) -> Value {
    let mut v = brief(w, vat);
    let (limits, turns) = (w.node.limits(vat), w.node.turns(vat));
    let exported = |e: Exported| {
        let holders: Vec<u32> = e.holders.iter().map(|h| h.0).collect();
        json!({ "object": e.n, "heldBy": holders, "sinceTurn": e.born, "ageTurns": turns.saturating_sub(e.born) })
    };
    let exports: Vec<Value> = w.node.exports(vat).into_iter().map(exported).collect();
    v["maxHeap"] = json!(limits.heap_bytes);
    v["maxInstructions"] = json!(limits.instructions);
    v["heapBytes"] = json!(w.heap_bytes(vat));
    v["exports"] = Value::Array(exports);
    if let Some(s) = w.node.session_tables().into_iter().find(|s| s.session == vat) {
        v["traffic"] = json!({
            "messagesIn": s.traffic.messages_in,
            "messagesOut": s.traffic.messages_out,
            "bytesIn": s.traffic.bytes_in,
            "bytesOut": s.traffic.bytes_out,
            "roundTrips": s.traffic.round_trips,
            "asked": s.questions,
            "answersHeld": s.answers,
        });
    }
    let error = store.and_then(|s| journal::last_error(s, vat));
    v["lastError"] = error.map_or(Value::Null, |(turn, text)| json!({ "turn": turn, "text": text }));
    v
}

fn turn(r: &TurnRecord) -> Value {
    json!({ "turn": r.id.turn, "received": r.cause.to_string(), "from": { "vat": r.by.vat.0, "turn": r.by.turn } })
}

impl Pool {
    /// The world with all that happened in it durable.
    pub(crate) fn settled(self: &Arc<Self>) -> MutexGuard<'_, World> {
        loop {
            let mut w = self.lock();
            if !w.committing {
                self.commit_now(&mut w);
                return w;
            }
            drop(w);
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}
