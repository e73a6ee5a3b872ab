//! A stream of bytes to a peer, of whatever netlayer.
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::io::{Read, Result, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

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
            Socket::Tcp(s) => s.set_nodelay(true).and_then(|()| s.set_write_timeout(Some(write_patience))),
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
