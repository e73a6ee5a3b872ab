//! One connection: bytes in, bytes out.
//!
//! Invariants
//! - what is sent leaves in its order, whole messages together;
//! - a peer that takes no bytes for `WRITE_PATIENCE`, or has `MAX_WAITING_BYTES` waiting, is cut off;
//! - a connection is closed after what was sent has left; the peer is given `CLOSE_PATIENCE` to close its side.
use super::noise::{self, Sealer, Unsealer};
use super::socket::Socket;
use super::websocket;
use crate::awake::Waits;
use ocapn::ConnId;
use passable::VatId;
use std::collections::VecDeque;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;
/// Who reads more than this at once reads several messages, and more come while it sleeps.
pub(super) const FEW_BYTES: usize = 512;
/// Bytes that a peer may send before it has said hello.
const MAX_UNKNOWN_BYTES: u64 = 256 << 10;
/// Bytes that may wait for a peer to take them.
const MAX_WAITING_BYTES: usize = 64 << 20;
/// Bytes of several messages that are written at once.
const GATHER_BYTES: usize = 64 << 10;
/// How long the writer waits for more to write at once: turns that follow each other send on.
const GATHER_PATIENCE: Duration = Duration::from_micros(100);
/// How long one write may take.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// How long the peer may take to close its side.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// What a netlayer makes of bytes.
pub(crate) enum Channel {
    Noise(noise::Channel),
    WebSocket(Box<websocket::Channel>),
}

impl Channel {
    fn seal(&self, sealer: &mut Sealer, bytes: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Channel::Noise(c) => sealer.seal(c, bytes),
            Channel::WebSocket(c) => c.seal(bytes),
        }
    }
    fn unseal(&self, unsealer: &mut Unsealer, bytes: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Channel::Noise(c) => unsealer.unseal(c, bytes),
            Channel::WebSocket(c) => c.unseal(bytes),
        }
    }
    fn has_to_write(&self) -> bool {
        matches!(self, Channel::WebSocket(c) if c.has_to_write())
    }
    fn close(&self) -> Vec<u8> {
        match self {
            Channel::Noise(_) => Vec::new(),
            Channel::WebSocket(c) => c.close(),
        }
    }
}

#[derive(Default)]
struct Outbox {
    queue: VecDeque<Vec<u8>>,
    /// As they go over the wire, before what is queued: the system did not take them at once.
    rest: Vec<u8>,
    /// Of both.
    bytes: usize,
    writing: bool,
    /// Another thread than the writer writes.
    by_sender: bool,
    /// The writer waits for nothing more.
    hurry: bool,
    /// Nothing is sent after what is there.
    closing: bool,
    /// The reader has ended, or nothing can be written any more.
    over: bool,
    why: Option<&'static str>,
}

/// See the head.
pub(crate) struct Conn {
    pub id: ConnId,
    pub dialled: bool,
    pub address: String,
    stream: Socket,
    /// None: bytes go as they are.
    channel: Option<Channel>,
    out: Mutex<Outbox>,
    /// Of who writes: the writer or, with `by_sender`, another thread.
    sealer: Mutex<Sealer>,
    changed: Condvar,
    established: AtomicBool,
    /// Something was sent that nobody was told to write.
    unwritten: AtomicBool,
    /// Bytes were read that the node has not seen.
    busy: AtomicBool,
    received: AtomicU64,
    sent: AtomicU64,
    peer: Mutex<(Option<VatId>, Option<String>)>,
    begun: Instant,
}

/// What is written at once.
fn gather(out: &mut Outbox) -> Vec<u8> {
    let mut bytes = out.queue.pop_front().unwrap_or_default();
    while let Some(next) = out.queue.front().filter(|n| bytes.len() + n.len() <= GATHER_BYTES) {
        bytes.extend_from_slice(next);
        out.queue.pop_front();
    }
    out.bytes -= bytes.len();
    bytes
}

impl Outbox {
    fn has_nothing(&self) -> bool {
        self.queue.is_empty() && self.rest.is_empty()
    }
}

impl Conn {
    pub fn new(id: ConnId, stream: Socket, channel: Option<Channel>, dialled: bool) -> std::io::Result<Conn> {
        stream.prepare(WRITE_PATIENCE)?;
        let address = stream.address()?;
        Ok(Conn {
            id,
            dialled,
            address,
            stream,
            channel,
            out: Mutex::default(),
            sealer: Mutex::default(),
            changed: Condvar::new(),
            established: AtomicBool::new(false),
            unwritten: AtomicBool::new(false),
            busy: AtomicBool::new(false),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            peer: Mutex::default(),
            begun: Instant::now(),
        })
    }

    /// Reads until the end; why it ended. `first` is called before the first bytes are told; `told` returns false to end.
    pub fn read(&self, first: impl FnOnce(), told: impl Fn(Vec<u8>) -> bool) -> String {
        let (mut buffer, mut unsealer) = (vec![0; READ_BYTES], Unsealer::default());
        let (mut first, mut waits) = (Some(first), Waits::default());
        // what came with the end of a handshake is there already
        let mut early = self.channel.as_ref().map(|channel| channel.unseal(&mut unsealer, &[]));
        let why = loop {
            if let Some(bytes) = early.take() {
                match bytes {
                    Ok(bytes) if bytes.is_empty() => {}
                    Ok(bytes) => {
                        if let Some(f) = first.take() {
                            f();
                        }
                        if !told(bytes) {
                            break "the host ends".to_owned();
                        }
                    }
                    Err(why) => break why,
                }
            }
            let n = match self.next(&mut waits, &mut buffer) {
                Ok(0) => break "the peer closed the connection".to_owned(),
                Ok(n) => n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => break e.to_string(),
            };
            let before = self.received.fetch_add(n as u64, Ordering::Relaxed);
            if super::lock(&self.out).closing {
                // the peer may not have seen yet that this is over
                self.busy.store(false, Ordering::SeqCst);
                continue;
            }
            if !self.is_established() && before + n as u64 > MAX_UNKNOWN_BYTES {
                break "the peer sent much and said no hello".to_owned();
            }
            if let Some(f) = first.take() {
                f();
            }
            let bytes = match &self.channel {
                Some(channel) => channel.unseal(&mut unsealer, &buffer[..n]),
                None => Ok(buffer[..n].to_vec()),
            };
            let bytes = match bytes {
                Ok(bytes) => bytes,
                Err(why) => break why,
            };
            if self.has_to_write() {
                // after this the writer waits or sees it
                drop(super::lock(&self.out));
                self.changed.notify_all();
            }
            if !bytes.is_empty() && !told(bytes) {
                break "the host ends".to_owned();
            }
            self.busy.store(false, Ordering::SeqCst);
        };
        let mut out = super::lock(&self.out);
        out.over = true;
        self.changed.notify_all();
        out.why.map_or(why, str::to_owned)
    }

    /// Waits for bytes and takes them. Whoever looks sees at each moment that something is there: the socket says so, or `busy`, which
    /// is set before anything is taken.
    fn next(&self, waits: &mut Waits, buffer: &mut [u8]) -> std::io::Result<usize> {
        let look = || {
            self.busy.store(true, Ordering::SeqCst);
            let found = self.stream.read_now(buffer).transpose();
            if found.is_none() {
                self.busy.store(false, Ordering::SeqCst);
            }
            found.map(|n| n.map(Some))
        };
        let n = match waits.wait(look, || self.stream.wait().map(|()| None))? {
            Some(n) => n,
            None => {
                self.busy.store(true, Ordering::SeqCst);
                self.stream.read(buffer)?
            }
        };
        if n > FEW_BYTES {
            waits.sleep_next();
        }
        Ok(n)
    }

    /// Bytes of it wait to be heard, or its end.
    pub fn has_something_to_say(&self) -> bool {
        self.stream.is_readable() || self.busy.load(Ordering::SeqCst)
    }

    /// The netlayer has something to write of its own.
    fn has_to_write(&self) -> bool {
        self.channel.as_ref().is_some_and(Channel::has_to_write)
    }

    /// As the netlayer has it. By the thread that writes.
    fn sealed(&self, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
        match &self.channel {
            Some(channel) => channel.seal(&mut super::lock(&self.sealer), &bytes),
            None => Ok(bytes),
        }
    }

    /// The life of the writer.
    pub fn write(&self) {
        let mut out = super::lock(&self.out);
        loop {
            let nothing = out.has_nothing() && !self.has_to_write();
            if nothing || out.by_sender {
                if nothing && !out.by_sender && (out.closing || out.over) {
                    break;
                }
                out = self.changed.wait(out).unwrap_or_else(|e| e.into_inner());
                if !out.hurry && out.bytes < GATHER_BYTES && !out.closing && !out.over {
                    out = self.changed.wait_timeout(out, GATHER_PATIENCE).unwrap_or_else(|e| e.into_inner()).0;
                }
                continue;
            }
            let rest = std::mem::take(&mut out.rest);
            out.bytes -= rest.len();
            let bytes = gather(&mut out);
            (out.writing, out.hurry) = (true, false);
            drop(out);
            let written = self.sealed(bytes).and_then(|bytes| {
                let wire = if rest.is_empty() { bytes } else { [rest, bytes].concat() };
                self.sent.fetch_add(wire.len() as u64, Ordering::Relaxed);
                self.stream.write_all(&wire).map_err(|e| e.to_string())
            });
            out = super::lock(&self.out);
            out.writing = false;
            if written.is_err() {
                out.over = true;
                out.why = out.why.or(Some("the peer takes no bytes"));
                break;
            }
        }
        self.changed.notify_all();
        if let Some(channel) = self.channel.as_ref().filter(|_| !out.over) {
            let last = channel.close();
            drop(out);
            // whoever does not take it sees the end of the stream
            let _ = self.stream.write_all(&last);
            out = super::lock(&self.out);
        }
        let until = Instant::now() + CLOSE_PATIENCE;
        self.stream.shutdown(Shutdown::Write);
        while !out.over {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            out = self.changed.wait_timeout(out, left).unwrap_or_else(|e| e.into_inner()).0;
        }
        drop(out);
        self.cut();
    }

    /// Takes bytes to be written: `write_now` or `tell_writer` must follow. True: it must be called for this.
    pub fn send(&self, bytes: Vec<u8>) -> bool {
        let mut out = super::lock(&self.out);
        if out.closing || out.over {
            return false;
        }
        out.bytes += bytes.len();
        if out.bytes > MAX_WAITING_BYTES {
            (out.over, out.why) = (true, Some("the peer does not read what it is sent"));
            out.queue.clear();
            out.rest.clear();
            out.bytes = 0;
            drop(out);
            self.changed.notify_all();
            self.cut();
            return false;
        }
        out.queue.push_back(bytes);
        drop(out);
        !self.unwritten.swap(true, Ordering::Relaxed)
    }

    /// What was sent is written by this thread as far as the system takes it at once; the writer does the rest.
    pub fn write_now(&self) {
        self.unwritten.store(false, Ordering::Relaxed);
        let mut out = super::lock(&self.out);
        if out.writing || out.by_sender || out.over || !out.rest.is_empty() {
            out.hurry = true;
            drop(out);
            return self.changed.notify_all();
        }
        while out.rest.is_empty() && !out.queue.is_empty() && !out.over {
            let bytes = gather(&mut out);
            out.by_sender = true;
            drop(out);
            let wire = self.sealed(bytes);
            let written = wire.as_ref().map_or(0, |bytes| self.stream.write_some(bytes).unwrap_or(0));
            self.sent.fetch_add(written as u64, Ordering::Relaxed);
            out = super::lock(&self.out);
            out.by_sender = false;
            match wire {
                Ok(bytes) => out.rest = bytes[written..].to_vec(),
                Err(_) => (out.over, out.why) = (true, out.why.or(Some("the peer takes no bytes"))),
            }
            out.bytes += out.rest.len();
        }
        let left = !out.has_nothing() || out.closing || out.over || self.has_to_write();
        out.hurry = left;
        drop(out);
        if left {
            self.changed.notify_all();
        }
    }

    /// What was sent is written by the writer.
    pub fn tell_writer(&self) {
        self.unwritten.store(false, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// After what was sent.
    pub fn close(&self) {
        super::lock(&self.out).closing = true;
        self.changed.notify_all();
    }

    /// At once.
    pub fn cut(&self) {
        self.stream.shutdown(Shutdown::Both);
        super::lock(&self.out).over = true;
        self.changed.notify_all();
    }

    /// At once, for this reason.
    pub fn give_up(&self, why: &'static str) {
        super::lock(&self.out).why.get_or_insert(why);
        self.cut();
    }

    pub fn wait_until_written(&self, until: Instant) {
        let mut out = super::lock(&self.out);
        while !out.over && (!out.has_nothing() || out.writing || out.by_sender) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            out = self.changed.wait_timeout(out, left).unwrap_or_else(|e| e.into_inner()).0;
        }
    }

    pub fn establish(&self, session: VatId, peer: String) {
        *super::lock(&self.peer) = (Some(session), Some(peer));
        self.established.store(true, Ordering::Relaxed);
    }
    pub fn is_over(&self) -> bool {
        super::lock(&self.out).over
    }
    pub fn is_established(&self) -> bool {
        self.established.load(Ordering::Relaxed)
    }
    pub fn peer(&self) -> (Option<VatId>, Option<String>) {
        super::lock(&self.peer).clone()
    }
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
    pub fn waiting(&self) -> usize {
        super::lock(&self.out).bytes
    }
    pub fn age(&self) -> Duration {
        self.begun.elapsed()
    }
}
