//! The netlayers noise, tcp-testing-only, websocket and unix: where a host listens, and how it connects.
//!
//! Invariants
//! - TCP without Noise is neither encrypted nor authenticated: it stays on this machine unless the operator allows otherwise;
//! - a Unix socket is its owner's alone (mode 0600); a peer's hint leads to one only where the operator uses that netlayer.
use super::socket::Socket;
use super::url::{Over, Place, Url};
use super::websocket::Gate;
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
pub(crate) const WEBSOCKET: &str = "websocket";

const INSECURE: &str = "neither tcp-testing-only nor ws encrypts, and both take a peer's word for who it is: they stay on this machine unless --insecure is given";

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
    /// Of a WebSocket.
    pub gate: Gate,
}

impl Listener {
    pub fn bind(url: &Url, designator: &str, insecure: bool) -> Result<Listener, Problem> {
        let mut gate = Gate::default();
        let (socket, transport, mut hints, file) = match &url.place {
            Place::Tcp { host, port, over } => {
                let (socket, port) = bind_tcp(host, *port, insecure || *over == Over::Noise)?;
                let hints = match over {
                    Over::WebSocket => {
                        gate = Gate { hosts: names(host, port), origins: url.origins.clone() };
                        vec![("url".to_owned(), format!("ws://{}:{port}", bracketed(host)))]
                    }
                    _ => vec![("host".to_owned(), host.clone()), ("port".to_owned(), port.to_string())],
                };
                let transport = match over {
                    Over::Plain => TCP,
                    Over::Noise => NOISE,
                    Over::WebSocket => WEBSOCKET,
                };
                (Listening::Tcp(socket), transport, BTreeMap::from_iter(hints), None)
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
        Ok(Listener { socket, here, dialect: url.dialect.as_ref().map(|d| d.1), framing: url.framing, file, gate })
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

/// As it stands in a URL.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_ascii_lowercase() }
}

/// What `Host` may say to a listener at this place: what is listened at, and this machine by its usual names.
fn names(host: &str, port: u16) -> Vec<String> {
    [bracketed(host).as_str(), "127.0.0.1", "localhost", "[::1]"].iter().map(|name| format!("{name}:{port}")).collect()
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
        WEBSOCKET => {
            let url = peer.hint("url").ok_or("the locator has no hint `url`")?;
            let (host, port) = host_and_port(url)?;
            connect_to(&host, port, insecure, patience).map(Socket::Tcp)
        }
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
    connect_to(host, port, insecure, patience)
}

/// Of the URL of a WebSocket.
fn host_and_port(url: &str) -> Result<(String, u16), String> {
    let place = url.strip_prefix("ws://").ok_or("this host dials ws:// alone (wss:// needs certificates)")?;
    let place = place.split(['/', '?', '#']).next().unwrap_or("");
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') && (!host.contains(':') || host.ends_with(']')) => {
            (host, port.parse().map_err(|_| "the hint `url` has no port up to 65535")?)
        }
        _ => (place, 80),
    };
    Ok((host.trim_matches(['[', ']']).to_owned(), port))
}

fn connect_to(host: &str, port: u16, insecure: bool, patience: Duration) -> Result<TcpStream, String> {
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
