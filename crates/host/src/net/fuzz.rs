//! Handshakes and frames of the netlayer noise with anybody.
use super::noise::{Sealer, Unsealer, greet};
use super::socket::Socket;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

const OWN: [u8; 32] = [1; 32];
const OTHER: [u8; 32] = [2; 32];

fn pair() -> (Socket, Socket) {
    let (a, b) = UnixStream::pair().expect("sockets");
    (Socket::Unix(a), Socket::Unix(b))
}

/// What somebody says who has no key: never a session.
fn says(bytes: &[u8], to: Option<[u8; 32]>) {
    const MAX_BYTES: usize = 4096;
    let (a, b) = pair();
    a.write_all(&bytes[..bytes.len().min(MAX_BYTES)]).expect("the system takes so many bytes");
    a.shutdown(Shutdown::Write);
    assert!(greet(&b, &OWN, to).is_err());
}

/// To a host that listens.
pub fn accept(bytes: &[u8]) {
    says(bytes, None);
}

/// To a host that dialled.
pub fn dial(bytes: &[u8]) {
    says(bytes, Some(ocapn::public_key(&OTHER)));
}

/// After a handshake: what was not sealed by the peer ends the connection, in whatever pieces it comes.
pub fn frames(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    thread_local! {
        static CHANNELS: (super::noise::Channel, super::noise::Channel) = {
            let (a, b) = pair();
            let other = std::thread::spawn(move || greet(&b, &OTHER, None).expect("greeted").0);
            let one = greet(&a, &OWN, Some(ocapn::public_key(&OTHER))).expect("greeted").0;
            (one, other.join().expect("no panic"))
        };
    }
    CHANNELS.with(|(ours, theirs)| {
        let sealed = Sealer::default().seal(theirs, b"whole").expect("sealed");
        let mut unsealer = Unsealer::default();
        assert_eq!(unsealer.unseal(ours, &sealed).expect("it is the peer's"), b"whole");
        for piece in bytes.chunks(1 + *first as usize) {
            match unsealer.unseal(ours, piece) {
                Ok(said) => assert!(said.is_empty(), "forged"),
                Err(_) => return,
            }
        }
    });
}
