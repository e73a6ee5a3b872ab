//! The netlayer websocket, as Endo and Goblins have it: one binary message of a WebSocket is one CapTP message.
//!
//! ```text
//! locator  = ocapn://DESIGNATOR.websocket?url=ws%3A%2F%2FHOST%3APORT; the designator is the listener's key, as of noise
//! dialler  → GET, Upgrade: websocket (RFC 6455)
//! dialler  → <init:peer-auth 32 random bytes>
//! listener ← <desc:sig-envelope <init:peer-auth …> signature>, over the message as it came
//! then       CapTP messages, each way
//! ```
//! To the machine of sessions it is a stream of messages framed by their lengths: frames are made here, and unmade.
//!
//! Invariants
//! - `Host` names the place that is listened at, and `Origin`, which browsers send, is one that the operator allowed: a page that
//!   somebody visits, or a name that leads here, is nobody;
//! - who dials knows whom; who listens does not, and nothing is encrypted: like tcp-testing-only it stays on this machine unless
//!   the operator allows otherwise;
//! - a handshake takes at most `PATIENCE` and `MAX_GREETING_BYTES`; a message is at most as long as CapTP's;
//! - the reader and the writer of a connection share the state of its frames, and neither waits for the network with it.
use super::key;
use super::socket::Socket;
use ocapn::MAX_MESSAGE_BYTES;
use std::io::{Error, ErrorKind, Read, Write};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tungstenite::handshake::HandshakeError;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::http::{HeaderMap, StatusCode, header};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes that the other side may send in a handshake.
const MAX_GREETING_BYTES: usize = 16 << 10;
/// Answers to pings that wait to be written, in bytes.
const MAX_PONG_BYTES: usize = 64 << 10;

/// What a listener accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gate {
    /// `Host` is one of these.
    pub hosts: Vec<String>,
    /// `Origin` is one of these, or absent.
    pub origins: Vec<String>,
}

/// The socket while hands are shaken; afterwards the bytes that the connection's threads bring and take.
struct Pipe {
    greeting: Option<Greeting>,
    input: Vec<u8>,
    output: Vec<u8>,
}

struct Greeting {
    socket: Socket,
    until: Instant,
    bytes_left: usize,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Some(g) = &mut self.greeting else {
            if self.input.is_empty() {
                return Err(ErrorKind::WouldBlock.into());
            }
            let n = buffer.len().min(self.input.len());
            buffer[..n].copy_from_slice(&self.input[..n]);
            self.input.drain(..n);
            return Ok(n);
        };
        let left = g.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::other("the handshake takes too long"));
        }
        if g.bytes_left == 0 {
            return Err(Error::other("the handshake is too long"));
        }
        g.socket.set_read_timeout(Some(left))?;
        let most = buffer.len().min(g.bytes_left);
        match g.socket.read(&mut buffer[..most]) {
            Ok(n) => {
                g.bytes_left -= n;
                Ok(n)
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(Error::other("the handshake takes too long"))
            }
            Err(e) => Err(e),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match &self.greeting {
            Some(g) => g.socket.write_all(bytes)?,
            None => self.output.extend_from_slice(bytes),
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A WebSocket after its handshake.
pub(crate) struct Channel(Mutex<WebSocket<Pipe>>);

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES))
        // what is written leaves at once
        .write_buffer_size(0)
}

fn pipe(socket: &Socket) -> std::io::Result<Pipe> {
    let greeting = Greeting { socket: socket.try_clone()?, until: Instant::now() + PATIENCE, bytes_left: MAX_GREETING_BYTES };
    Ok(Pipe { greeting: Some(greeting), input: Vec::new(), output: Vec::new() })
}

/// The channel, and the socket as the reader finds it.
fn begun(mut ws: WebSocket<Pipe>, socket: &Socket) -> Result<Channel, String> {
    ws.get_mut().greeting = None;
    socket.set_read_timeout(None).map_err(|e| e.to_string())?;
    Ok(Channel(Mutex::new(ws)))
}

fn failed<R: tungstenite::handshake::HandshakeRole>(e: HandshakeError<R>) -> String {
    match e {
        HandshakeError::Failure(e) => format!("the handshake failed: {e}"),
        HandshakeError::Interrupted(_) => "the handshake failed".to_owned(),
    }
}

/// The next binary message of a handshake.
fn next(ws: &mut WebSocket<Pipe>) -> Result<Vec<u8>, String> {
    loop {
        match ws.read().map_err(|e| format!("the handshake failed: {e}"))? {
            Message::Binary(bytes) => return Ok(bytes.to_vec()),
            Message::Ping(_) | Message::Pong(_) => {}
            _ => return Err("the peer does not speak OCapN over WebSocket".to_owned()),
        }
    }
}

/// Shakes hands with who came; `seed`: this host's key.
pub(crate) fn accept(socket: &Socket, seed: &[u8; 32], gate: &Gate) -> Result<Channel, String> {
    let pipe = pipe(socket).map_err(|e| e.to_string())?;
    let mut refused = None;
    // the type is tungstenite's
    #[allow(clippy::result_large_err)]
    let check = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        gate.admits(request.headers()).map(|()| response).map_err(|why| {
            let mut answer = ErrorResponse::new(Some(format!("{why}\n")));
            *answer.status_mut() = StatusCode::FORBIDDEN;
            refused = Some(why);
            answer
        })
    };
    let shaken = tungstenite::accept_hdr_with_config(pipe, check, Some(config())).map_err(failed);
    if let Some(why) = refused {
        return Err(why);
    }
    let mut ws = shaken?;
    let challenge = next(&mut ws)?;
    let answer = ocapn::answer_challenge(seed, &challenge).ok_or("the peer asks for no proof of this host's key")?;
    ws.send(Message::binary(answer)).map_err(|e| e.to_string())?;
    begun(ws, socket)
}

/// Shakes hands with whom this side dialled.
pub(crate) fn dial(socket: &Socket, url: &str, to: &[u8; 32]) -> Result<Channel, String> {
    let pipe = pipe(socket).map_err(|e| e.to_string())?;
    let (mut ws, _) = tungstenite::client::client_with_config(url, pipe, Some(config())).map_err(failed)?;
    let challenge = ocapn::challenge(&key::fresh().map_err(|p| p.message)?);
    ws.send(Message::binary(challenge.clone())).map_err(|e| e.to_string())?;
    if !ocapn::is_answered(to, &challenge, &next(&mut ws)?) {
        return Err("another host answers there".to_owned());
    }
    begun(ws, socket)
}

impl Gate {
    fn admits(&self, headers: &HeaderMap) -> Result<(), String> {
        let one = |name: header::HeaderName| -> Result<Option<String>, String> {
            let mut all = headers.get_all(&name).iter();
            match (all.next(), all.next()) {
                (None, _) => Ok(None),
                (Some(v), None) => Ok(Some(String::from_utf8_lossy(v.as_bytes()).to_ascii_lowercase())),
                _ => Err(format!("{name} is given twice")),
            }
        };
        let host = one(header::HOST)?.unwrap_or_default();
        if !self.hosts.contains(&host) {
            return Err(format!("the Host {host:?} is not this listener's"));
        }
        match one(header::ORIGIN)? {
            Some(origin) if !self.origins.contains(&origin) => Err(format!("the Origin {origin:?} is not allowed here")),
            _ => Ok(()),
        }
    }
}

impl Channel {
    fn lock(&self) -> MutexGuard<'_, WebSocket<Pipe>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Messages as WebSocket frames: `messages` are whole, each after its length.
    pub fn seal(&self, mut messages: &[u8]) -> Result<Vec<u8>, String> {
        let mut ws = self.lock();
        while !messages.is_empty() {
            let digits = messages.iter().take_while(|b| b.is_ascii_digit()).count();
            let length =
                messages[..digits].iter().fold(0usize, |n, d| n.saturating_mul(10).saturating_add(usize::from(d - b'0')));
            let message = messages.get(digits + 1..).and_then(|rest| rest.get(..length)).ok_or("a message without its length")?;
            ws.write(Message::binary(message.to_vec())).map_err(|e| e.to_string())?;
            messages = &messages[digits + 1 + length..];
        }
        ws.flush().map_err(|e| e.to_string())?;
        Ok(std::mem::take(&mut ws.get_mut().output))
    }

    /// What whole WebSocket messages in the bytes so far say, each after its length.
    pub fn unseal(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut ws = self.lock();
        ws.get_mut().input.extend_from_slice(bytes);
        let mut out = Vec::new();
        loop {
            match ws.read() {
                Ok(Message::Binary(message)) => {
                    out.extend_from_slice(format!("{}:", message.len()).as_bytes());
                    out.extend_from_slice(&message);
                }
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(Message::Close(_)) | Err(tungstenite::Error::ConnectionClosed) => {
                    return if out.is_empty() { Err("the peer closed the connection".to_owned()) } else { Ok(out) };
                }
                Ok(_) => return Err("the peer sent a message that is not binary".to_owned()),
                Err(tungstenite::Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(format!("not a WebSocket: {e}")),
            }
        }
        if ws.get_ref().output.len() > MAX_PONG_BYTES {
            return Err("the peer does not read what it is sent".to_owned());
        }
        Ok(out)
    }

    /// Something is to be written that nobody sent: answers to pings.
    pub fn has_to_write(&self) -> bool {
        !self.lock().get_ref().output.is_empty()
    }

    /// The last bytes: that nothing follows.
    pub fn close(&self) -> Vec<u8> {
        let mut ws = self.lock();
        // it may be closed by the peer already
        let _ = ws.close(None);
        std::mem::take(&mut ws.get_mut().output)
    }
}
