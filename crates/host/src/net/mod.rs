//! Sockets to other hosts.
//!
//! In: URLs to listen at, what the node wants written, closed and dialled. Out: what happens on connections, as events of the node.
//!
//! Invariants
//! - what is written, closed or dialled has been released: it is durable where there is a store;
//! - each connection has a thread that reads (and runs turns that are short: `short`, and commits what few bytes brought: `commit`)
//!   and one that writes what the thread that sent it
//!   could not write at once; a peer that is slow or hostile holds up its own alone;
//! - bounded: connections, those whose peers have not said hello, what these may send, what waits to be written, dials under way;
//! - locks are taken in this order: the pool's, the list of connections, what waits to be written.
//!
//! Must never know: what the bytes mean.
mod command;
mod conn;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
pub(crate) mod key;
mod noise;
mod notes;
mod place;
mod redial;
mod socket;
mod url;
mod websocket;

use crate::files;
use crate::operate::{Problem, problem};
use crate::output;
use crate::pool::Pool;
pub(crate) use command::command;
use conn::{Channel, Conn};
use node::Event;
use notes::Notes;
use ocapn::{ConnId, In, Out, Peer};
use passable::VatId;
use place::Listener;
use serde_json::{Value, json};
use socket::Socket;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::time::{Duration, Instant};

/// Connections at most; as of all that follows, fewer where few files may be open.
const MAX_CONNECTIONS: usize = 1024;
/// Connections whose peers have not said hello, at most: the oldest makes room. As many handshakes are under way at most.
const MAX_UNKNOWN: usize = 128;
/// Dials under way at most, until the peers have said hello.
const MAX_DIALS: usize = 64;
/// How long a dial may take.
const DIAL_PATIENCE: Duration = Duration::from_secs(5);
/// How long a peer that was dialled may take to say hello.
const HELLO_PATIENCE: Duration = Duration::from_secs(10);
/// How often that is looked at.
const HELLO_GLANCE: Duration = Duration::from_millis(10);
/// How long written bytes may take to leave when the process ends.
const LAST_WRITES: Duration = Duration::from_secs(2);
/// Deliveries that wait for vats before peers are read no further.
const MAX_BACKLOG: u64 = 100_000;
/// Stack of a thread of a connection.
const STACK_BYTES: usize = 1 << 20;

/// The network as it is asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// URLs to listen at.
    pub listen: Vec<String>,
    /// Names and sturdyrefs that a program has from its start.
    pub refs: Vec<(String, String)>,
    /// Programs may choose swissnums.
    pub may_choose: bool,
    /// Netlayers without authentication may leave this machine.
    pub insecure: bool,
}

#[derive(Default)]
struct Conns {
    all: BTreeMap<ConnId, Arc<Conn>>,
    dials: usize,
}

/// What is known of a connection when it begins.
#[derive(Default)]
struct Form {
    /// If they are not to be found out.
    dialect: Option<ocapn::Dialect>,
    framing: Option<ocapn::Framing>,
    channel: Option<Channel>,
    /// The designator of the peer, if the netlayer knows it.
    authenticated: Option<String>,
}

/// See the head.
#[derive(Default)]
pub(crate) struct Net {
    /// Of the state; empty: there is none.
    folder: PathBuf,
    key: [u8; 32],
    designator: String,
    here: Vec<Peer>,
    listeners: Mutex<Vec<Listener>>,
    may_choose: bool,
    insecure: bool,
    /// Unix sockets may be dialled.
    unix: bool,
    /// Files of sockets, to be removed at the end.
    files: Vec<PathBuf>,
    notes: Mutex<Notes>,
    conns: Mutex<Conns>,
    /// Connections to which something was sent that is not written.
    unwritten: Mutex<Vec<Arc<Conn>>>,
    has_unwritten: AtomicBool,
    pool: OnceLock<Weak<Pool>>,
    next: AtomicU64,
    /// Handshakes under way with peers that came to us.
    greeting: AtomicUsize,
    redials: redial::Redials,
}

/// What a sturdyref on the command line is: itself, or in a file.
pub fn reference(text: &str) -> Result<(String, String), Problem> {
    let help = "--ref NAME=ocapn://… or --ref NAME=@FILE, where FILE holds the sturdyref";
    let bad = |why: String| problem("E-REF", why, help);
    let (name, uri) = text.split_once('=').ok_or_else(|| bad(format!("{text}: no name")))?;
    if name.is_empty() {
        return Err(bad(format!("{text}: no name")));
    }
    let uri = match uri.strip_prefix('@') {
        Some(file) => {
            let read = std::fs::read_to_string(file).map_err(|e| bad(format!("{file}: {e}")))?;
            // of several, one a line, the first
            read.lines().map(str::trim).find(|l| l.starts_with("ocapn://")).unwrap_or_default().to_owned()
        }
        None => uri.to_owned(),
    };
    match ocapn::Sturdyref::from_uri(&uri) {
        Ok(_) => Ok((name.to_owned(), uri)),
        Err(e) => Err(bad(format!("--ref {name}: {e}"))),
    }
}

/// Is this a place to listen at?
pub fn check_url(text: &str) -> Result<(), Problem> {
    url::Url::parse(text).map(drop)
}

impl Net {
    /// The host's key, and sockets that listen; nothing is accepted yet.
    pub fn prepare(options: &Options, folder: Option<&Path>) -> Result<Arc<Net>, Problem> {
        let key = match folder {
            Some(folder) => key::load(folder)?,
            None => key::fresh()?,
        };
        let designator = ocapn::designator(&key);
        let (mut here, mut listeners, mut files) = (Vec::new(), Vec::new(), Vec::new());
        for text in &options.listen {
            let listener = Listener::bind(&url::Url::parse(text)?, &designator, options.insecure)?;
            here.push(listener.here.clone());
            files.extend(listener.file.clone());
            listeners.push(listener);
        }
        let (may_choose, insecure) = (options.may_choose, options.insecure);
        let folder = folder.unwrap_or(Path::new("")).to_owned();
        let by_unix = |uri: &str| ocapn::Sturdyref::from_uri(uri).is_ok_and(|s| s.peer.transport == place::UNIX);
        let unix = !files.is_empty() || options.refs.iter().any(|r| by_unix(&r.1));
        Ok(Arc::new(Net {
            folder,
            key,
            designator,
            here,
            listeners: Mutex::new(listeners),
            may_choose,
            insecure,
            unix,
            files,
            ..Net::default()
        }))
    }

    /// What this host is called.
    pub fn designator(&self) -> &str {
        &self.designator
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The event that a host begins with.
    pub fn online(&self, history: Option<ocapn::History>) -> Result<Event, Problem> {
        Ok(Event::Online { here: self.here.clone(), secret: key::fresh()?, may_choose: self.may_choose, history })
    }

    /// What an operator is told at the start.
    pub fn tell(&self) {
        if !self.here.is_empty() {
            crate::tell!("note: this host is {}", self.designator);
        }
        for peer in &self.here {
            crate::tell!("note: listening at {}", peer.to_uri());
        }
    }

    /// Whom all is told.
    pub fn attach(&self, pool: &Arc<Pool>) {
        // a pool has one net, which is attached once
        let _ = self.pool.set(Arc::downgrade(pool));
    }

    /// Accepts from now on.
    pub fn start(self: &Arc<Net>) {
        for listener in std::mem::take(&mut *lock(&self.listeners)) {
            let net = self.clone();
            let accepts = move || listener.accept(|socket| net.accepted(socket, &listener));
            if let Err(e) = thread("accept", accepts) {
                output::problem(&problem(
                    "E-THREAD",
                    format!("cannot start a thread: {e}"),
                    "raise the limit of processes (ulimit -u)",
                ));
            }
        }
    }

    fn pool(&self) -> Option<Arc<Pool>> {
        self.pool.get()?.upgrade()
    }

    fn lock(&self) -> MutexGuard<'_, Conns> {
        lock(&self.conns)
    }

    fn accepted(self: &Arc<Net>, socket: Socket, at: &Listener) {
        {
            let conns = self.lock();
            if conns.all.len() >= max_connections() {
                return lock(&self.notes).tell("a peer was turned away: there are as many connections as may be");
            }
            let mut unknown = conns.all.values().filter(|c| !c.is_established() && !c.dialled && !c.is_over());
            if let Some(oldest) = unknown.next()
                && unknown.count() + 1 >= max_unknown()
            {
                oldest.cut();
            }
        }
        let form = Form { dialect: at.dialect, framing: at.framing, ..Form::default() };
        let (here, gate) = (at.here.clone(), at.gate.clone());
        if !matches!(here.transport.as_str(), place::NOISE | place::WEBSOCKET) {
            self.open(socket, None, here, form);
            return;
        }
        if self.greeting.fetch_add(1, Ordering::Relaxed) >= max_unknown() {
            self.greeting.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let net = self.clone();
        let greets = move || {
            let greeted = net.greet(&socket, &here.transport, &gate, form);
            net.greeting.fetch_sub(1, Ordering::Relaxed);
            match greeted {
                Ok(form) => drop(net.open(socket, None, here, form)),
                Err(why) => net.came_to_nothing(None, &why),
            }
        };
        if thread("greet", greets).is_err() {
            self.greeting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Shakes hands with who came.
    fn greet(&self, socket: &Socket, transport: &str, gate: &websocket::Gate, form: Form) -> Result<Form, String> {
        if transport == place::WEBSOCKET {
            let channel = Some(Channel::WebSocket(Box::new(websocket::accept(socket, &self.key, gate)?)));
            return Ok(Form { channel, framing: Some(ocapn::Framing::Length), ..form });
        }
        let (channel, key) = noise::greet(socket, &self.key, None)?;
        Ok(Form { channel: Some(Channel::Noise(channel)), authenticated: Some(ocapn::designator_of(&key)), ..form })
    }

    /// A connection begins.
    fn open(self: &Arc<Net>, socket: Socket, dialled: Option<VatId>, here: Peer, form: Form) -> Option<Arc<Conn>> {
        let pool = self.pool()?;
        let id = ConnId(self.next.fetch_add(1, Ordering::Relaxed) + 1);
        let Form { dialect, framing, channel, authenticated } = form;
        let conn = match Conn::new(id, socket, channel, dialled.is_some()) {
            Ok(conn) => Arc::new(conn),
            Err(e) => {
                self.came_to_nothing(dialled, &format!("the peer has gone: {e}"));
                return None;
            }
        };
        let opened = conn.clone();
        let begun = || -> Result<(), Problem> {
            let no_thread = |e: std::io::Error| problem("E-THREAD", format!("cannot start a thread: {e}"), "ulimit -u");
            let seed = key::fresh()?;
            self.lock().all.insert(id, conn.clone());
            let writes = conn.clone();
            thread("write", move || writes.write()).map_err(no_thread)?;
            let opened = ocapn::Opened { conn: id, dialled, here, authenticated, dialect, framing, seed };
            self.tell_node(&pool, In::Opened(opened));
            let (net, reads) = (self.clone(), conn);
            // it runs short turns, too
            crate::vital::start("read", Some(crate::pool::STACK_BYTES), move || net.read(&reads)).map(drop).map_err(no_thread)
        };
        if let Err(p) = begun() {
            if let Some(c) = self.lock().all.remove(&id) {
                c.cut();
            }
            output::problem(&p);
            match dialled {
                Some(session) => self.tell_node(&pool, In::DialFailed { session, why: p.message }),
                None => self.tell_node(&pool, In::Closed { conn: id, why: p.message }),
            }
        }
        Some(opened)
    }

    /// A connection ended before it began.
    fn came_to_nothing(&self, dialled: Option<VatId>, why: &str) {
        match (dialled, self.pool()) {
            (Some(session), Some(pool)) => self.tell_node(&pool, In::DialFailed { session, why: why.to_owned() }),
            _ => lock(&self.notes).tell(&format!("a connection came to nothing: {why}")),
        }
    }

    /// The life of a connection's reader.
    fn read(self: &Arc<Net>, conn: &Arc<Conn>) {
        let why = conn.read(
            || self.let_others_speak(conn.id),
            |bytes| match self.pool() {
                Some(pool) => pool.peer_bytes(conn.id, bytes),
                None => false,
            },
        );
        if let Some(pool) = self.pool() {
            self.tell_node(&pool, In::Closed { conn: conn.id, why });
        }
        self.lock().all.remove(&conn.id);
        conn.cut();
    }

    /// What other peers said before this one said hello is heard first: it may be that the same peer has ended another connection.
    fn let_others_speak(&self, this: ConnId) {
        const PATIENCE: Duration = Duration::from_millis(500);
        let start = Instant::now();
        let others: Vec<Arc<Conn>> = self.lock().all.values().filter(|c| c.id != this && c.is_established()).cloned().collect();
        for c in others {
            while c.has_something_to_say() && start.elapsed() < PATIENCE && self.lock().all.contains_key(&c.id) {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }

    fn tell_node(&self, pool: &Arc<Pool>, what: In) {
        let mut w = pool.lock();
        if w.end.is_none() {
            pool.step(&mut w, Event::Peer(what));
            pool.provide_threads(&mut w);
        }
        drop(w);
        self.write_now();
    }

    /// What was sent leaves, by this thread as far as it can. Not under the pool's lock.
    pub fn write_now(&self) {
        if self.has_unwritten.swap(false, Ordering::SeqCst) {
            std::mem::take(&mut *lock(&self.unwritten)).into_iter().for_each(|c| c.write_now());
        }
    }

    /// What was sent leaves before long, by the writers of its connections.
    pub fn tell_writers(&self) {
        if self.has_unwritten.swap(false, Ordering::SeqCst) {
            std::mem::take(&mut *lock(&self.unwritten)).into_iter().for_each(|c| c.tell_writer());
        }
    }

    pub fn has_unwritten(&self) -> bool {
        self.has_unwritten.load(Ordering::SeqCst)
    }

    /// What the node knows already, before it is durable.
    pub fn established(&self, session: VatId, conn: ConnId, peer: &Peer) {
        if let Some(c) = self.lock().all.get(&conn) {
            c.establish(session, peer.to_string());
        }
    }

    /// Does what was released.
    pub fn out(self: &Arc<Net>, out: Out) {
        match out {
            Out::Write { conn, bytes } => {
                let conn = self.lock().all.get(&conn).cloned();
                if let Some(c) = conn
                    && c.send(bytes)
                {
                    lock(&self.unwritten).push(c);
                    self.has_unwritten.store(true, Ordering::SeqCst);
                }
            }
            Out::Close { conn } => {
                if let Some(c) = self.lock().all.get(&conn) {
                    c.close();
                }
            }
            Out::Dial { session, peer, attempt } => self.dial_later(session, peer, attempt),
            Out::Note { text, .. } => lock(&self.notes).tell(&text),
            // these are the node's own
            Out::Hold { .. } | Out::Ops { .. } | Out::Settle { .. } | Out::EndSession { .. } | Out::Established { .. } => {}
        }
    }

    fn dial(self: &Arc<Net>, session: VatId, peer: Peer) {
        let full = {
            let mut conns = self.lock();
            let full = conns.dials >= max_dials() || conns.all.len() >= max_connections();
            conns.dials += usize::from(!full);
            full
        };
        let net = self.clone();
        let dials = move || {
            if full {
                return net.came_to_nothing(Some(session), "too many connections are being made: try again later");
            }
            match net.connect(&peer) {
                Ok((socket, form)) => {
                    let conn = net.open(socket, Some(session), net.here_for(&peer.transport), form);
                    conn.inspect(|c| await_hello(c));
                }
                Err(why) => net.came_to_nothing(Some(session), &why),
            }
            net.lock().dials -= 1;
        };
        if let Err(e) = thread("dial", dials) {
            output::problem(&problem(
                "E-THREAD",
                format!("cannot start a thread: {e}"),
                "raise the limit of processes (ulimit -u)",
            ));
        }
    }

    fn connect(&self, peer: &Peer) -> Result<(Socket, Form), String> {
        let key = match peer.transport.as_str() {
            place::NOISE | place::WEBSOCKET => Some(ocapn::key_of(&peer.designator).ok_or("the designator is no key of a host")?),
            _ => None,
        };
        let socket = place::connect(peer, self.insecure, self.unix, DIAL_PATIENCE)?;
        let Some(key) = key else { return Ok((socket, Form::default())) };
        let authenticated = Some(peer.designator.clone());
        let (channel, framing) = match peer.hint("url").filter(|_| peer.transport == place::WEBSOCKET) {
            Some(url) => (Channel::WebSocket(Box::new(websocket::dial(&socket, url, &key)?)), Some(ocapn::Framing::Length)),
            None => (Channel::Noise(noise::greet(&socket, &self.key, Some(key))?.0), None),
        };
        Ok((socket, Form { channel: Some(channel), authenticated, framing, ..Form::default() }))
    }

    /// What a peer that is dialled is told of where this host is.
    fn here_for(&self, transport: &str) -> Peer {
        let listening = self.here.iter().find(|h| h.transport == transport);
        listening.cloned().unwrap_or_else(|| Peer {
            transport: transport.to_owned(),
            designator: self.designator.clone(),
            hints: Some(BTreeMap::new()),
        })
    }

    /// The process ends: what was written leaves, if peers take it soon.
    pub fn finish(&self) {
        self.tell_writers();
        let until = Instant::now() + LAST_WRITES;
        let all: Vec<Arc<Conn>> = self.lock().all.values().cloned().collect();
        all.iter().for_each(|c| c.close());
        for c in &all {
            c.wait_until_written(until);
            c.cut();
        }
        for file in &self.files {
            let _ = std::fs::remove_file(file);
        }
    }

    /// Connections, for operators; `sessions`: what goes over them.
    pub fn list(&self, sessions: &[ocapn::SessionInfo]) -> Vec<Value> {
        let of = |c: &Arc<Conn>| {
            let (session, peer) = c.peer();
            let traffic = sessions.iter().find(|s| s.conn == Some(c.id)).map(|s| s.traffic).unwrap_or_default();
            json!({
                "connection": c.id.0,
                "session": session.map(|s| s.0),
                "peer": peer,
                "address": c.address,
                "dialled": c.dialled,
                "bytesIn": c.received(),
                "bytesOut": c.sent(),
                "messagesIn": traffic.messages_in,
                "messagesOut": traffic.messages_out,
                "roundTrips": traffic.round_trips,
                "waitingBytes": c.waiting(),
                "seconds": c.age().as_secs(),
            })
        };
        self.lock().all.values().map(of).collect()
    }
}

impl Pool {
    /// Bytes of a peer. They wait while the host has more to do than it can, or the log is full. False: the host ends.
    fn peer_bytes(self: &Arc<Self>, conn: ConnId, bytes: Vec<u8>) -> bool {
        loop {
            let mut w = self.lock();
            if w.end.is_some() || w.closing.is_some() {
                return false;
            }
            if w.node.backlog() < MAX_BACKLOG && !w.log_is_full() {
                let few = bytes.len() <= conn::FEW_BYTES;
                self.gather(&mut w);
                self.step(&mut w, Event::Peer(In::Received { conn, bytes }));
                w = self.run_short(w);
                self.let_leave(&mut w);
                // who sent few bytes waits for what becomes of them, and another thread would have to be woken
                if few && w.wants_commit() {
                    w = self.commit_once(w);
                }
                let calls = self.calls_for(&mut w);
                drop(w);
                calls.wake(self);
                self.net.write_now();
                return true;
            }
            drop(w);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Whoever was dialled and says nothing keeps no place for long.
fn await_hello(conn: &Conn) {
    let until = Instant::now() + HELLO_PATIENCE;
    while !conn.is_established() && !conn.is_over() {
        if Instant::now() >= until {
            return conn.give_up("the peer was dialled and said no hello");
        }
        std::thread::sleep(HELLO_GLANCE);
    }
}

fn max_connections() -> usize {
    files::share(MAX_CONNECTIONS, 2)
}
fn max_unknown() -> usize {
    files::share(MAX_UNKNOWN, 16)
}
fn max_dials() -> usize {
    files::share(MAX_DIALS, 16)
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(|e| e.into_inner())
}

fn thread(name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    crate::vital::start(name, Some(STACK_BYTES), body).map(drop)
}

/// Copies the key of a host into a backup.
pub(crate) fn copy_key(from: &Path, to: &Path) -> Result<PathBuf, Problem> {
    use std::os::unix::fs::OpenOptionsExt;
    let target = key::path(to);
    let copied = std::fs::read(key::path(from)).and_then(|key| {
        let mut f = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target)?;
        std::io::Write::write_all(&mut f, &key)?;
        f.sync_all()
    });
    copied.map_err(|e| problem("E-KEY", format!("cannot copy the host's key: {e}"), "make the backup without --with-key"))?;
    Ok(target)
}
