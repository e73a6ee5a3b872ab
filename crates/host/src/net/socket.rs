//! A stream of bytes to a peer, of whatever netlayer.
use rustix::net::{RecvFlags, SendFlags, recv, send, sockopt};
use std::io::{Read, Result, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// What was written is acknowledged by the peer's system within this, or the connection is over.
const SILENCE_MS: u32 = 120_000;
/// The system asks a silent TCP peer after this whether it is there, so often again, and so many times.
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(15);
const KEEP_ALIVE_TIMES: u32 = 4;

pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(s) => s.as_fd(),
            Socket::Unix(s) => s.as_fd(),
        }
    }
}

impl Socket {
    pub fn prepare(&self, write_patience: Duration) -> Result<()> {
        match self {
            Socket::Tcp(s) => {
                s.set_nodelay(true)?;
                // a peer whose machine or network has gone is noticed though nothing is written
                sockopt::set_socket_keepalive(s, true)?;
                sockopt::set_tcp_keepidle(s, KEEP_ALIVE_AFTER)?;
                sockopt::set_tcp_keepintvl(s, KEEP_ALIVE_EVERY)?;
                sockopt::set_tcp_keepcnt(s, KEEP_ALIVE_TIMES)?;
                sockopt::set_tcp_user_timeout(s, SILENCE_MS)?;
                s.set_write_timeout(Some(write_patience))
            }
            Socket::Unix(s) => s.set_write_timeout(Some(write_patience)),
        }
    }
    /// None: reads wait as long as it takes.
    pub fn set_read_timeout(&self, patience: Option<Duration>) -> Result<()> {
        match self {
            Socket::Tcp(s) => s.set_read_timeout(patience),
            Socket::Unix(s) => s.set_read_timeout(patience),
        }
    }
    pub fn try_clone(&self) -> Result<Socket> {
        Ok(match self {
            Socket::Tcp(s) => Socket::Tcp(s.try_clone()?),
            Socket::Unix(s) => Socket::Unix(s.try_clone()?),
        })
    }
    /// For people.
    pub fn address(&self) -> Result<String> {
        Ok(match self {
            Socket::Tcp(s) => s.peer_addr()?.to_string(),
            Socket::Unix(_) => "a Unix socket".to_owned(),
        })
    }
    /// Waits until there is something to read, or the end.
    pub fn wait(&self) -> Result<()> {
        Ok(recv(self, &mut [0; 1], RecvFlags::PEEK).map(drop)?)
    }
    /// There is something to read, or the end, now.
    pub fn is_readable(&self) -> bool {
        recv(self, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT).is_ok()
    }
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Socket::Tcp(s) => (&mut &*s).read(buffer),
            Socket::Unix(s) => (&mut &*s).read(buffer),
        }
    }
    /// What is there now; none: nothing is.
    pub fn read_now(&self, buffer: &mut [u8]) -> Result<Option<usize>> {
        match recv(self, buffer, RecvFlags::DONTWAIT) {
            Ok((_, n)) => Ok(Some(n)),
            Err(e) if e == rustix::io::Errno::WOULDBLOCK => Ok(None),
            Err(e) => Err(e.into()),
        }
    }
    /// As many bytes as the system takes at once.
    pub fn write_some(&self, bytes: &[u8]) -> Result<usize> {
        Ok(send(self, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
    }
    pub fn write_all(&self, bytes: &[u8]) -> Result<()> {
        match self {
            Socket::Tcp(s) => (&mut &*s).write_all(bytes),
            Socket::Unix(s) => (&mut &*s).write_all(bytes),
        }
    }
    pub fn shutdown(&self, how: Shutdown) {
        let _ = match self {
            Socket::Tcp(s) => s.shutdown(how),
            Socket::Unix(s) => s.shutdown(how),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_notices_that_a_silent_peer_has_gone() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let stream = TcpStream::connect(listener.local_addr().expect("its address")).expect("a connection");
        assert!(!sockopt::socket_keepalive(&stream).expect("an option"), "it would be so anyway");
        let socket = Socket::Tcp(stream);
        socket.prepare(Duration::from_secs(30)).expect("prepared");
        assert!(sockopt::socket_keepalive(&socket).expect("an option"));
        let most = sockopt::tcp_keepidle(&socket).expect("an option")
            + sockopt::tcp_keepintvl(&socket).expect("an option") * sockopt::tcp_keepcnt(&socket).expect("an option");
        assert!(most <= Duration::from_secs(120), "{most:?}");
        assert_eq!(sockopt::tcp_user_timeout(&socket).expect("an option"), SILENCE_MS);
    }
}
