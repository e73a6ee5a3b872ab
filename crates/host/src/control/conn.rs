//! One connection to the control socket: what waits to be written to it.
//!
//! In: answers, from any thread. Out: bytes on the socket, at once if it takes them.
//!
//! Invariants
//! - nobody waits in a write: what the socket does not take waits here, and `wire` writes it when there is room;
//! - a connection that took nothing for `PATIENCE` while bytes waited, or for which `MAX_WAITING_BYTES` wait, is cut off;
//! - no line is taken while bytes wait: whoever does not read is not listened to.
use super::lock;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;
use serde_json::Value;
use std::io::{ErrorKind, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long bytes may wait without any being taken.
const PATIENCE: Duration = Duration::from_secs(1);
/// Bytes that may wait before another answer comes.
const MAX_WAITING_BYTES: usize = 16 << 20;
/// Memory that is kept for answers while none waits.
const KEPT_BYTES: usize = 4 << 10;

/// How other threads tell the one that reads to look at a connection.
pub(super) struct Bell {
    pub epoll: OwnedFd,
    event: OwnedFd,
    told: Mutex<Vec<Arc<Conn>>>,
}

impl Bell {
    /// `data` is told by `epoll` when the bell rings.
    pub fn new(data: u64) -> std::io::Result<Bell> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &event, EventData::new_u64(data), EventFlags::IN)?;
        Ok(Bell { epoll, event, told: Mutex::default() })
    }

    fn ring(&self, conn: &Arc<Conn>) {
        lock(&self.told).push(conn.clone());
        // it fails only if it has been rung 2⁶⁴ times and not been heard
        let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
    }

    /// The connections for which it was rung.
    pub fn heard(&self) -> Vec<Arc<Conn>> {
        let _ = rustix::io::read(&self.event, &mut [0; 8]);
        std::mem::take(&mut *lock(&self.told))
    }
}

#[derive(Default)]
struct Outbox {
    waiting: Vec<u8>,
    /// How much of it is written.
    done: usize,
    /// When the socket last took something, if it did not take all.
    since: Option<Instant>,
    /// A command of this connection is under way.
    busy: bool,
    /// Nothing more comes from it.
    ended: bool,
    /// Nothing can be written any more.
    over: bool,
    /// `epoll` knows it.
    watched: bool,
}

/// See the head.
pub(crate) struct Conn {
    pub(super) number: u64,
    pub(super) stream: UnixStream,
    bell: Arc<Bell>,
    out: Mutex<Outbox>,
}

impl Conn {
    /// A connection that is watched from now on.
    pub(super) fn new(number: u64, stream: UnixStream, bell: Arc<Bell>) -> std::io::Result<Conn> {
        stream.set_nonblocking(true)?;
        let conn = Conn { number, stream, bell, out: Mutex::default() };
        conn.watch(&mut lock(&conn.out));
        Ok(conn)
    }

    /// Lines may be taken.
    pub fn listens(&self) -> bool {
        let out = lock(&self.out);
        !out.busy && out.since.is_none() && !out.over
    }

    /// Nothing is to be done for it any more, but by those who still owe it answers.
    pub fn is_over(&self) -> bool {
        let out = lock(&self.out);
        out.over || (out.ended && !out.busy && out.since.is_none())
    }

    /// A command of it begins.
    pub fn begin(&self) {
        let mut out = lock(&self.out);
        out.busy = true;
        self.watch(&mut out);
    }

    /// Its command is over: it is listened to again.
    pub fn done(self: &Arc<Conn>) {
        let mut out = lock(&self.out);
        out.busy = false;
        self.watch(&mut out);
        drop(out);
        self.bell.ring(self);
    }

    /// Nothing more comes from it.
    pub fn ended(&self) {
        let mut out = lock(&self.out);
        out.ended = true;
        self.watch(&mut out);
    }

    /// Its peer has gone while it is not listened to; `epoll` would say so again and again.
    pub fn unwatch(&self) {
        let mut out = lock(&self.out);
        if std::mem::take(&mut out.watched) {
            let _ = epoll::delete(&self.bell.epoll, &self.stream);
        }
    }

    /// When it is to be cut off, if it takes nothing until then.
    pub fn deadline(&self) -> Option<Instant> {
        lock(&self.out).since.map(|s| s + PATIENCE)
    }

    pub fn cut(&self) {
        self.end(&mut lock(&self.out));
    }

    fn end(&self, out: &mut Outbox) {
        (out.waiting, out.done, out.since, out.over) = (Vec::new(), 0, None, true);
        // whoever watches it sees the end
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Writes an answer.
    pub fn answer(self: &Arc<Conn>, answer: &Value) {
        self.put(|line| drop(serde_json::to_writer(line, answer)));
        self.flush();
    }

    /// Puts a line to what waits; true: it is the first one.
    fn put(&self, line: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut out = lock(&self.out);
        if out.over {
            return false;
        }
        if out.waiting.len() - out.done > MAX_WAITING_BYTES {
            self.end(&mut out);
            return false;
        }
        let first = out.waiting.is_empty();
        line(&mut out.waiting);
        out.waiting.push(b'\n');
        first
    }

    /// Writes what waits, as far as the socket takes it.
    pub fn flush(self: &Arc<Conn>) {
        let mut out = lock(&self.out);
        while out.done < out.waiting.len() {
            match (&self.stream).write(&out.waiting[out.done..]) {
                Ok(n) if n > 0 => {
                    out.done += n;
                    out.since = out.since.map(|_| Instant::now());
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    if out.since.is_none() {
                        out.since = Some(Instant::now());
                        self.watch(&mut out);
                        self.bell.ring(self);
                    }
                    return;
                }
                // it is gone: later answers are dropped
                _ => return self.end(&mut out),
            }
        }
        out.waiting.clear();
        out.done = 0;
        out.waiting.shrink_to(KEPT_BYTES);
        if out.since.take().is_some() {
            self.watch(&mut out);
            self.bell.ring(self);
        }
    }

    /// Tells `epoll` what is waited for.
    fn watch(&self, out: &mut Outbox) {
        let waits = out.since.is_some();
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::OUT, waits);
        flags.set(EventFlags::IN, !waits && !out.busy && !out.ended);
        let (epoll, data) = (&self.bell.epoll, EventData::new_u64(self.number));
        let told = match (out.watched, flags.is_empty()) {
            (true, true) if out.ended => {
                out.watched = false;
                epoll::delete(epoll, &self.stream)
            }
            (true, _) => epoll::modify(epoll, &self.stream, data, flags),
            (false, true) => Ok(()),
            (false, false) => {
                out.watched = true;
                epoll::add(epoll, &self.stream, data, flags)
            }
        };
        if told.is_err() {
            self.end(out);
        }
    }
}

/// Answers of one batch: those of one connection are written together, when this is dropped.
#[derive(Default)]
pub(crate) struct Answers(Vec<Arc<Conn>>);

impl Answers {
    /// The answer of a call; `id`: as the caller gave it; `name`: `value` or `rejected`.
    pub fn put(&mut self, to: Arc<Conn>, id: &Value, name: &str, value: &Value) {
        let first = to.put(|line| {
            line.push(b'{');
            if !id.is_null() {
                line.extend_from_slice(b"\"id\":");
                drop(serde_json::to_writer(&mut *line, id));
                line.push(b',');
            }
            line.push(b'"');
            line.extend_from_slice(name.as_bytes());
            line.extend_from_slice(b"\":");
            drop(serde_json::to_writer(&mut *line, value));
            line.push(b'}');
        });
        if first {
            self.0.push(to);
        }
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.0.drain(..).for_each(|c| c.flush());
    }
}
