//! The netlayer tcp-testing-only: plain TCP, which authenticates nobody.
//!
//! Invariants
//! - it stays on this machine unless the operator allows otherwise.
use super::url::Url;
use crate::operate::{Problem, problem};
use crate::output;
use ocapn::Peer;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::Duration;

const INSECURE: &str = "tcp-testing-only is neither encrypted nor authenticated: it stays on this machine unless --insecure is given";

/// A socket that listens.
pub(crate) struct Listener {
    socket: TcpListener,
    pub here: Peer,
}

impl Listener {
    pub fn bind(url: &Url, designator: &str, insecure: bool) -> Result<Listener, Problem> {
        let place = format!("{}:{}", url.host, url.port);
        let failed = |e: std::io::Error| {
            problem("E-LISTEN", format!("cannot listen at {place}: {e}"), "choose another port, or end what listens there")
        };
        let addresses: Vec<SocketAddr> = (url.host.as_str(), url.port).to_socket_addrs().map_err(failed)?.collect();
        if !insecure && !addresses.iter().all(|a| a.ip().is_loopback()) {
            return Err(problem("E-INSECURE", format!("{place}: {INSECURE}"), "listen at 127.0.0.1"));
        }
        let socket = TcpListener::bind(addresses.as_slice()).map_err(failed)?;
        let port = socket.local_addr().map_err(failed)?.port();
        let hints = [("host", url.host.clone()), ("port", port.to_string())];
        let here = Peer {
            transport: url.transport.clone(),
            designator: designator.to_owned(),
            hints: Some(hints.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<BTreeMap<_, _>>()),
        };
        Ok(Listener { socket, here })
    }

    /// Until the process ends.
    pub fn accept(&self, accepted: impl Fn(TcpStream, &Peer)) {
        let mut told = false;
        loop {
            match self.socket.accept() {
                Ok((stream, _)) => accepted(stream, &self.here),
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

/// Connects to a peer by its hints.
pub(crate) fn connect(peer: &Peer, insecure: bool, patience: Duration) -> Result<TcpStream, String> {
    if peer.transport != "tcp-testing-only" {
        return Err(format!("this host has no netlayer {}", peer.transport));
    }
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
