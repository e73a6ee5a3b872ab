//! The thread that reads all connections to the control socket.
//!
//! In: bytes. Out: calls, given to the node together; other commands, on threads of their own.
//!
//! Invariants
//! - this thread waits for nothing but connections, and for the lock of the pool, which nobody holds long;
//! - calls that were read before another command of the same connection are with the node before that begins;
//! - what was begun of a line when its connection ended counts as a line.
use super::conn::{Bell, Conn};
use super::{plain, say, with_id};
use crate::operate::{self, Asker, problem};
use crate::pool::Pool;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of one line.
const MAX_LINE_BYTES: usize = 16 << 20;
/// Connections at once; fewer where few files may be open.
const MAX_CONNECTIONS: usize = 256;
/// Bytes read at once from one connection, before others have their turn.
const READ_BYTES: usize = 64 << 10;
/// Events looked at together.
const MAX_EVENTS: usize = 256;
/// After a failure that has to do with this process or the system (no more files, no memory).
const AFTER_FAILURE: Duration = Duration::from_millis(10);
/// Memory that is kept for lines while none is there.
const KEPT_BYTES: usize = 4 << 10;

const LISTENER: u64 = 0;
const BELL: u64 = 1;
const FIRST_CONN: u64 = 2;

/// A connection and what was read from it.
struct Reading {
    conn: Arc<Conn>,
    bytes: Vec<u8>,
    /// Bytes in which there is no end of a line.
    looked_at: usize,
    ended: bool,
}

struct Wire {
    pool: Arc<Pool>,
    listener: UnixListener,
    bell: Arc<Bell>,
    all: BTreeMap<u64, Reading>,
    next: u64,
    /// Those for which bytes wait.
    late: Vec<u64>,
    buffer: Vec<u8>,
    calls: Vec<operate::Call>,
    commands: Vec<(Arc<Conn>, Value)>,
}

/// Serves until the process ends.
pub(crate) fn serve(pool: &Arc<Pool>, listener: UnixListener) {
    let pool = pool.clone();
    let made = Wire::new(pool, listener).and_then(|mut wire| {
        crate::vital::start("control", None, move || {
            loop {
                wire.round();
            }
        })
    });
    if let Err(e) = made {
        let help = "raise the limits of processes and of open files (ulimit -u, ulimit -n)";
        crate::output::problem(&problem("E-SOCKET", format!("operators cannot be served: {e}"), help));
    }
}

impl Wire {
    fn new(pool: Arc<Pool>, listener: UnixListener) -> std::io::Result<Wire> {
        let bell = Arc::new(Bell::new(BELL)?);
        listener.set_nonblocking(true)?;
        epoll::add(&bell.epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        Ok(Wire {
            pool,
            listener,
            bell,
            all: BTreeMap::new(),
            next: FIRST_CONN,
            late: Vec::new(),
            buffer: vec![0; READ_BYTES],
            calls: Vec::new(),
            commands: Vec::new(),
        })
    }

    /// Waits until something happens, and does all that is to be done then.
    fn round(&mut self) {
        let wait = self.cut_off().map(|left| rustix::event::Timespec {
            tv_sec: left.as_secs() as _,
            // never too early
            tv_nsec: (left.subsec_nanos() + 999_999).min(999_999_999) as _,
        });
        let mut events: [Event; MAX_EVENTS] = [Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; MAX_EVENTS];
        let count = match epoll::wait(&self.bell.epoll, &mut events[..], wait.as_ref()) {
            Ok(count) => count,
            Err(rustix::io::Errno::INTR) => return,
            Err(_) => return std::thread::sleep(AFTER_FAILURE),
        };
        for event in &events[..count] {
            let flags = event.flags;
            match event.data.u64() {
                LISTENER => self.accept(),
                BELL => self.heard(),
                n => self.happened(n, flags),
            }
        }
        if !self.calls.is_empty() {
            operate::calls_of(&self.pool, self.calls.drain(..));
        }
        for (conn, v) in self.commands.drain(..) {
            command(&self.pool, conn, v);
        }
    }

    /// Those that take nothing for too long are cut off; how long until the next one is.
    fn cut_off(&mut self) -> Option<Duration> {
        let (now, mut left) = (Instant::now(), None);
        let all = &self.all;
        self.late.retain(|n| {
            let Some((r, until)) = all.get(n).and_then(|r| Some((r, r.conn.deadline()?))) else { return false };
            let more = until.saturating_duration_since(now);
            if more.is_zero() {
                r.conn.cut();
                return false;
            }
            left = Some(left.map_or(more, |l: Duration| l.min(more)));
            true
        });
        left
    }

    fn accept(&mut self) {
        let stream = match self.listener.accept() {
            Ok((stream, _)) => stream,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => return,
            Err(_) => return std::thread::sleep(AFTER_FAILURE),
        };
        if self.all.len() >= crate::files::share(MAX_CONNECTIONS, 8) {
            let _ = say(&stream, &problem("E-BUSY", "too many connections", "close some").json());
            return;
        }
        let number = self.next;
        self.next += 1;
        if let Ok(conn) = Conn::new(number, stream, self.bell.clone()) {
            self.all.insert(number, Reading { conn: Arc::new(conn), bytes: Vec::new(), looked_at: 0, ended: false });
        }
    }

    /// What other threads told of connections.
    fn heard(&mut self) {
        for conn in self.bell.heard() {
            let number = conn.number;
            if conn.deadline().is_some() && !self.late.contains(&number) {
                self.late.push(number);
            }
            // one that ended is here again until what waits for it is written
            self.all.entry(number).or_insert_with(|| Reading { conn, bytes: Vec::new(), looked_at: 0, ended: true });
            self.lines(number);
            self.over(number);
        }
    }

    fn happened(&mut self, number: u64, flags: EventFlags) {
        let Some(r) = self.all.get_mut(&number) else { return };
        if r.conn.deadline().is_some() {
            r.conn.flush();
        }
        if r.conn.listens() && !r.ended {
            self.read(number);
        } else if flags.intersects(EventFlags::HUP | EventFlags::ERR) {
            r.conn.unwatch();
        }
        self.lines(number);
        self.over(number);
    }

    /// Lets go of a connection if nothing is to be done for it here.
    fn over(&mut self, number: u64) {
        if let Some(r) = self.all.get(&number)
            && r.conn.is_over()
        {
            r.conn.unwatch();
            self.all.remove(&number);
        }
    }

    fn read(&mut self, number: u64) {
        let Some(r) = self.all.get_mut(&number) else { return };
        match (&r.conn.stream).read(&mut self.buffer) {
            Ok(0) => r.ended = true,
            Ok(n) => r.bytes.extend_from_slice(&self.buffer[..n]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => r.ended = true,
        }
    }

    /// Takes the lines that are there.
    fn lines(&mut self, number: u64) {
        let Some(r) = self.all.get_mut(&number) else { return };
        let mut taken = 0;
        while r.conn.listens() {
            let from = taken + r.looked_at;
            let end = r.bytes[from..].iter().position(|b| *b == b'\n').map(|at| from + at + 1);
            r.looked_at = 0;
            let Some(end) = end.or((r.ended && taken < r.bytes.len()).then_some(r.bytes.len())) else {
                r.looked_at = r.bytes.len() - taken;
                break;
            };
            let line = &r.bytes[taken..end];
            if let Some(plain) = plain::call(line) {
                self.calls.push(operate::Call::plain(&r.conn, plain.id, plain.vat, plain.method));
                taken = end;
                continue;
            }
            match serde_json::from_slice::<Value>(line) {
                Ok(v) if v.get("do").and_then(Value::as_str) == Some("call") => match operate::Call::of(&r.conn, v) {
                    Ok(call) => self.calls.push(call),
                    Err(p) => r.conn.answer(&with_id(p.0.json(), p.1)),
                },
                Ok(v) => {
                    r.conn.begin();
                    self.commands.push((r.conn.clone(), v));
                }
                Err(e) => {
                    let told = problem("E-JSON", format!("not JSON: {e}"), "send one JSON object a line");
                    r.conn.answer(&told.json());
                }
            }
            taken = end;
        }
        r.bytes.drain(..taken);
        if r.bytes.is_empty() {
            r.bytes.shrink_to(KEPT_BYTES);
        }
        if r.looked_at >= MAX_LINE_BYTES {
            r.conn.answer(&problem("E-LINE", "the line is too long", "at most 16 MiB a line").json());
            r.conn.cut();
        } else if r.ended && r.bytes.is_empty() {
            r.conn.ended();
        }
    }
}

/// Does what is asked on a thread of its own.
fn command(pool: &Arc<Pool>, conn: Arc<Conn>, v: Value) {
    let (pool, asker) = (pool.clone(), conn.clone());
    let id = v.get("id").cloned().unwrap_or(Value::Null);
    let again = id.clone();
    let made = std::thread::Builder::new().name("operator".into()).spawn(move || {
        let _under_way = UnderWay(&asker);
        let later = || Asker::Socket(asker.clone(), id.clone());
        if let Some(answer) = operate::command(&pool, later, &v) {
            asker.answer(&with_id(answer, id));
        }
    });
    if let Err(e) = made {
        let help = "raise the limit of processes (ulimit -u)";
        let _under_way = UnderWay(&conn);
        conn.answer(&with_id(problem("E-THREAD", format!("cannot start a thread: {e}"), help).json(), again));
    }
}

/// A command of a connection, while it is under way.
struct UnderWay<'a>(&'a Arc<Conn>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.cut();
        }
        self.0.done();
    }
}
