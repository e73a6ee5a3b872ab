//! The netlayer noise: TCP, encrypted, and each side knows the other's key.
//!
//! ```text
//! frame     = length u16, big-endian | that many bytes
//! handshake = Noise_XX_25519_ChaChaPoly_BLAKE2s, one frame a message, prologue "drses-noise/1" | responder's key
//!   → e
//!   ← e, ee, s, es    with the responder's key and signature
//!   → s, se           with the initiator's key and signature
//! key       = 32 bytes, Ed25519, of the host; signature = 64 bytes, over "drses-noise/1 static" | 0 | the static key s of its side
//! then      = one frame a Noise message of at most 65535 bytes; nonces count from 0 on each side
//! ```
//! Invariants
//! - who dials knows whom: another responder, or one that cannot sign, ends the handshake;
//! - a static key is of one connection; what is signed for it is of no use to others, who lack its private half;
//! - a handshake takes at most `PATIENCE` and its messages are of fixed lengths.
use super::socket::Socket;
use snow::{Builder, HandshakeState, StatelessTransportState};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

const PATTERN: &str = "Noise_XX_25519_ChaChaPoly_BLAKE2s";
const PROLOGUE: &[u8] = b"drses-noise/1";
const CONTEXT: &str = "drses-noise/1 static";
/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(5);
const ANOTHER: &str = "another host answers there, or bytes were changed on the way";
/// Bytes of a Noise message.
const MAX_FRAME_BYTES: usize = 65_535;
/// Bytes that encryption adds.
const TAG_BYTES: usize = 16;
/// A key and its signature.
const PAYLOAD_BYTES: usize = 96;

/// The keys of a connection after its handshake.
pub(crate) struct Channel(StatelessTransportState);

fn noise(e: snow::Error) -> String {
    format!("the handshake failed: {e}")
}

/// Reads one frame of the handshake, whose length is known.
fn read(socket: &Socket, length: usize, until: Instant) -> Result<Vec<u8>, String> {
    let mut frame = vec![0; length + 2];
    let mut at = 0;
    while at < frame.len() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err("the handshake takes too long".to_owned());
        }
        socket.set_read_timeout(Some(left)).map_err(|e| e.to_string())?;
        match socket.read(&mut frame[at..]) {
            Ok(0) => return Err("the peer closed the connection in the handshake".to_owned()),
            Ok(n) => at += n,
            // a wait that timed out is told as WouldBlock or TimedOut; how long it was is looked at above
            Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(e) => return Err(e.to_string()),
        }
        if at >= 2 && usize::from(u16::from_be_bytes([frame[0], frame[1]])) != length {
            return Err("the peer does not speak drses-noise/1".to_owned());
        }
    }
    Ok(frame.split_off(2))
}

fn write(socket: &Socket, state: &mut HandshakeState, payload: &[u8]) -> Result<(), String> {
    let mut frame = vec![0; 512];
    let n = state.write_message(payload, &mut frame[2..]).map_err(noise)?;
    frame[..2].copy_from_slice(&(n as u16).to_be_bytes());
    socket.write_all(&frame[..n + 2]).map_err(|e| e.to_string())
}

/// A message of the other side, with its payload.
fn take(socket: &Socket, state: &mut HandshakeState, length: usize, until: Instant) -> Result<Vec<u8>, String> {
    let frame = read(socket, length, until)?;
    let mut payload = vec![0; length];
    let n = state.read_message(&frame, &mut payload).map_err(noise)?;
    payload.truncate(n);
    Ok(payload)
}

/// The key that the other side proved to have.
fn proved(state: &HandshakeState, payload: &[u8]) -> Result<[u8; 32], String> {
    let (key, signature) = payload.split_first_chunk::<32>().ok_or("the peer sent no key")?;
    let signature = signature.try_into().map_err(|_| "the peer sent no signature")?;
    let of_peer = state.get_remote_static().ok_or("the peer sent no static key")?;
    if ocapn::is_signed(key, CONTEXT, of_peer, signature) { Ok(*key) } else { Err("the peer's signature is wrong".to_owned()) }
}

/// Shakes hands; what encrypts from then on, and the other side's key. `to`: whom this side dialled.
pub(crate) fn greet(socket: &Socket, seed: &[u8; 32], to: Option<[u8; 32]>) -> Result<(Channel, [u8; 32]), String> {
    let until = Instant::now() + PATIENCE;
    let own = ocapn::public_key(seed);
    let prologue = [PROLOGUE, &to.unwrap_or(own)].concat();
    let builder = Builder::new(PATTERN.parse().map_err(noise)?);
    let pair = builder.generate_keypair().map_err(noise)?;
    let builder = builder.prologue(&prologue).and_then(|b| b.local_private_key(&pair.private)).map_err(noise)?;
    let proof = [own.as_slice(), &ocapn::sign(seed, CONTEXT, &pair.public)].concat();
    let first = 32;
    let second = 32 + 32 + TAG_BYTES + PAYLOAD_BYTES + TAG_BYTES;
    let third = 32 + TAG_BYTES + PAYLOAD_BYTES + TAG_BYTES;
    let (state, key) = match to {
        Some(expected) => {
            let mut state = builder.build_initiator().map_err(noise)?;
            write(socket, &mut state, &[])?;
            let frame = read(socket, second, until)?;
            let mut payload = [0; 512];
            // the prologue names who was dialled
            let n = state.read_message(&frame, &mut payload).map_err(|_| ANOTHER)?;
            let key = proved(&state, &payload[..n])?;
            if key != expected {
                return Err(ANOTHER.to_owned());
            }
            write(socket, &mut state, &proof)?;
            (state, key)
        }
        None => {
            let mut state = builder.build_responder().map_err(noise)?;
            take(socket, &mut state, first, until)?;
            write(socket, &mut state, &proof)?;
            let payload = take(socket, &mut state, third, until)?;
            let key = proved(&state, &payload)?;
            (state, key)
        }
    };
    socket.set_read_timeout(None).map_err(|e| e.to_string())?;
    Ok((Channel(state.into_stateless_transport_mode().map_err(noise)?), key))
}

/// Bytes that leave.
#[derive(Default)]
pub(crate) struct Sealer(u64);

impl Sealer {
    pub fn seal(&mut self, channel: &Channel, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 1024 + 64);
        for part in bytes.chunks(MAX_FRAME_BYTES - TAG_BYTES) {
            let (at, length) = (out.len(), part.len() + TAG_BYTES);
            out.extend_from_slice(&(length as u16).to_be_bytes());
            out.resize(at + 2 + length, 0);
            channel.0.write_message(self.0, part, &mut out[at + 2..]).map_err(noise)?;
            self.0 += 1;
        }
        Ok(out)
    }
}

/// Bytes that come.
#[derive(Default)]
pub(crate) struct Unsealer {
    nonce: u64,
    buffer: Vec<u8>,
}

impl Unsealer {
    /// What whole frames in the bytes so far say.
    pub fn unseal(&mut self, channel: &Channel, bytes: &[u8]) -> Result<Vec<u8>, String> {
        self.buffer.extend_from_slice(bytes);
        let (mut out, mut at) = (Vec::new(), 0);
        while let Some(head) = self.buffer.get(at..at + 2) {
            let length = usize::from(u16::from_be_bytes([head[0], head[1]]));
            let Some(frame) = self.buffer.get(at + 2..at + 2 + length) else { break };
            let from = out.len();
            out.resize(from + length, 0);
            let n = channel.0.read_message(self.nonce, frame, &mut out[from..]);
            out.truncate(from + n.map_err(|_| "the peer's bytes were changed on the way")?);
            self.nonce += 1;
            at += 2 + length;
        }
        self.buffer.drain(..at);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn pair() -> (Socket, Socket) {
        let (a, b) = UnixStream::pair().expect("a pair");
        (Socket::Unix(a), Socket::Unix(b))
    }
    const A: [u8; 32] = [1; 32];
    const B: [u8; 32] = [2; 32];

    type Greeted = Result<(Channel, [u8; 32]), String>;

    fn both(to: [u8; 32]) -> (Greeted, Greeted) {
        let (a, b) = pair();
        let other = std::thread::spawn(move || greet(&b, &B, None));
        let one = greet(&a, &A, Some(to));
        drop(a);
        (one, other.join().expect("no panic"))
    }

    #[test]
    fn each_side_knows_the_others_key_and_bytes_pass() {
        let (a, b) = both(ocapn::public_key(&B));
        let ((a, of_b), (b, of_a)) = (a.expect("greeted"), b.expect("greeted"));
        assert_eq!((of_a, of_b), (ocapn::public_key(&A), ocapn::public_key(&B)));
        let large: Vec<u8> = (0..200_000u32).map(|i| i as u8).collect();
        let (mut sealer, mut unsealer) = (Sealer::default(), Unsealer::default());
        let mut got = Vec::new();
        for bytes in [b"one".as_slice(), &large, b"three"] {
            let sealed = sealer.seal(&a, bytes).expect("sealed");
            assert!(sealed.windows(3).all(|w| w != b"one"));
            for piece in sealed.chunks(1000) {
                got.extend(unsealer.unseal(&b, piece).expect("whole"));
            }
        }
        assert_eq!(got, [b"one".as_slice(), &large, b"three"].concat());
        // a changed byte is noticed, and one that comes twice
        let mut sealed = sealer.seal(&a, b"four").expect("sealed");
        *sealed.last_mut().expect("bytes") ^= 1;
        assert!(Unsealer { nonce: unsealer.nonce, ..Unsealer::default() }.unseal(&b, &sealed).is_err());
        *sealed.last_mut().expect("bytes") ^= 1;
        assert_eq!(unsealer.unseal(&b, &sealed).expect("whole"), b"four");
        assert!(unsealer.unseal(&b, &sealed).is_err());
    }

    #[test]
    fn another_host_than_the_one_dialled_is_refused() {
        let (a, b) = both(ocapn::public_key(&[3; 32]));
        assert!(a.is_err() && b.is_err());
    }

    #[test]
    fn nonsense_ends_the_handshake() {
        for bytes in
            [vec![0u8; 400], b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![0, 32], [&[0u8, 32][..], &[7; 32], &[9; 200]].concat()]
        {
            let (a, b) = pair();
            let other = std::thread::spawn(move || greet(&b, &B, None).map(|g| g.1));
            a.write_all(&bytes).expect("written");
            a.shutdown(std::net::Shutdown::Write);
            assert!(other.join().expect("no panic").is_err());
        }
    }

    #[test]
    fn who_says_nothing_is_told_why_that_is_the_end() {
        let (a, b) = pair();
        assert_eq!(greet(&b, &B, None).map(|g| g.1), Err("the handshake takes too long".to_owned()));
        drop(a);
    }
}
