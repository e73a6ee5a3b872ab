//! The netlayers noise, tcp-testing-only and unix: where a host listens, and how it connects.
//!
//! Invariants
//! - TCP without Noise is neither encrypted nor authenticated: it stays on this machine unless the operator allows otherwise;
//! - a Unix socket is its owner's alone (mode 0600); a peer's hint leads to one only where the operator uses that netlayer.
use super::socket::Socket;
use super::url::{Place, Url};
use crate::operate::{Problem, problem};
use crate::output;
use ocapn::{Dialect, Framing, Peer};
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) const NOISE: &str = "noise";
pub(crate) const TCP: &str = "tcp-testing-only";
pub(crate) const UNIX: &str = "unix";

const INSECURE: &str =
    "tcp-testing-only is neither encrypted nor authenticated: it stays on this machine unless --insecure is given";

enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A socket that listens.
pub(crate) struct Listener {
    socket: Listening,
    pub here: Peer,
    pub dialect: Option<Dialect>,
    pub framing: Option<Framing>,
    /// The file of a Unix socket.
    pub file: Option<PathBuf>,
}

impl Listener {
    pub fn bind(url: &Url, designator: &str, insecure: bool) -> Result<Listener, Problem> {
        let (socket, transport, mut hints, file) = match &url.place {
            Place::Tcp { host, port, noise } => {
                let (socket, port) = bind_tcp(host, *port, insecure || *noise)?;
                let hints = [("host".to_owned(), host.clone()), ("port".to_owned(), port.to_string())];
                (Listening::Tcp(socket), if *noise { NOISE } else { TCP }, BTreeMap::from(hints), None)
            }
            Place::Unix(path) => {
                let hints = [("path".to_owned(), path.display().to_string())];
                (Listening::Unix(bind_unix(path)?), UNIX, BTreeMap::from(hints), Some(path.clone()))
            }
        };
        if let Some((name, _)) = &url.dialect {
            hints.insert("dialect".to_owned(), name.clone());
        }
        let here = Peer { transport: transport.to_owned(), designator: designator.to_owned(), hints: Some(hints) };
        Ok(Listener { socket, here, dialect: url.dialect.as_ref().map(|d| d.1), framing: url.framing, file })
    }

    /// Until the process ends.
    pub fn accept(&self, accepted: impl Fn(Socket)) {
        let mut told = false;
        loop {
            let socket = match &self.socket {
                Listening::Tcp(l) => l.accept().map(|s| Socket::Tcp(s.0)),
                Listening::Unix(l) => l.accept().map(|s| Socket::Unix(s.0)),
            };
            match socket {
                Ok(socket) => accepted(socket),
                Err(e) => {
                    // no file handles left, or a connection that is gone already
                    if !std::mem::replace(&mut told, true) {
                        let help = "raise the limit of open files (ulimit -n)";
                        output::problem(&problem("E-ACCEPT", format!("cannot accept a connection: {e}"), help));
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }
}

fn bind_tcp(host: &str, port: u16, insecure: bool) -> Result<(TcpListener, u16), Problem> {
    let failed = |e: std::io::Error| {
        problem("E-LISTEN", format!("cannot listen at {host}:{port}: {e}"), "choose another port, or end what listens there")
    };
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs().map_err(failed)?.collect();
    if !insecure && !addresses.iter().all(|a| a.ip().is_loopback()) {
        return Err(problem("E-INSECURE", format!("{host}:{port}: {INSECURE}"), "listen at 127.0.0.1"));
    }
    let socket = TcpListener::bind(addresses.as_slice()).map_err(failed)?;
    let port = socket.local_addr().map_err(failed)?.port();
    Ok((socket, port))
}

fn bind_unix(path: &Path) -> Result<UnixListener, Problem> {
    let failed = |e: std::io::Error| {
        problem(
            "E-LISTEN",
            format!("cannot listen at {}: {e}", path.display()),
            "name a path where nothing is, in a folder of yours",
        )
    };
    // a socket that a killed process left behind: nobody listens at it
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|m| std::os::unix::fs::FileTypeExt::is_socket(&m.file_type()));
    if is_socket && UnixStream::connect(path).is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionRefused) {
        std::fs::remove_file(path).map_err(failed)?;
    }
    let socket = UnixListener::bind(path).map_err(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(socket)
}

/// Connects to a peer by its hints.
pub(crate) fn connect(peer: &Peer, insecure: bool, unix: bool, patience: Duration) -> Result<Socket, String> {
    match peer.transport.as_str() {
        NOISE => connect_tcp(peer, true, patience).map(Socket::Tcp),
        TCP => connect_tcp(peer, insecure, patience).map(Socket::Tcp),
        UNIX if unix => {
            let path = peer.hint("path").ok_or("the locator has no hint `path`")?;
            UnixStream::connect(path).map(Socket::Unix).map_err(|e| format!("{path}: {e}"))
        }
        UNIX => Err("this host does not use Unix sockets: give it `--listen unix:PATH`, or the sturdyref by `--ref`".to_owned()),
        other => Err(format!("this host has no netlayer {other}")),
    }
}

fn connect_tcp(peer: &Peer, insecure: bool, patience: Duration) -> Result<TcpStream, String> {
    let host = peer.hint("host").ok_or("the locator has no hint `host`")?;
    let port: u16 = peer.hint("port").and_then(|p| p.parse().ok()).ok_or("the locator has no hint `port`")?;
    let addresses = (host, port).to_socket_addrs().map_err(|e| format!("{host}:{port}: {e}"))?;
    let mut why = format!("{host}: no address");
    for address in addresses {
        if !insecure && !address.ip().is_loopback() {
            why = format!("{address}: {INSECURE}");
            continue;
        }
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => return Ok(stream),
            Err(e) => why = format!("{address}: {e}"),
        }
    }
    Err(why)
}
