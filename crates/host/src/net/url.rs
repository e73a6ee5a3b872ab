//! URLs to listen at: `noise://HOST:PORT`, `tcp-testing-only://HOST:PORT`, `ws://HOST:PORT`, `unix:PATH`, each with `?dialect=A&framing=raw` if that is
//! not to be found out; a WebSocket with `?origin=https://…` for each site whose pages may connect.
use crate::operate::{Problem, problem};
use ocapn::{Dialect, Framing};
use std::path::PathBuf;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Tcp { host: String, port: u16, over: Over },
    Unix(PathBuf),
}

/// A netlayer over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Plain,
    Noise,
    WebSocket,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub place: Place,
    pub dialect: Option<(String, Dialect)>,
    pub framing: Option<Framing>,
    /// Sites whose pages may connect to a WebSocket, in lower case.
    pub origins: Vec<String>,
}

const HELP: &str = "--listen noise://HOST:PORT (port 0: any that is free), tcp-testing-only://127.0.0.1:PORT, ws://127.0.0.1:PORT or unix:PATH, and if \
                    need be ?dialect=A|B|C|goblins&framing=raw|length (ws: &origin=http://SITE)";

impl Url {
    pub fn parse(text: &str) -> Result<Url, Problem> {
        let bad = |why: &str| problem("E-URL", format!("{text}: {why}"), HELP);
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        let mut url = Url { place: parse_place(place).map_err(bad)?, dialect: None, framing: None, origins: Vec::new() };
        let websocket = matches!(url.place, Place::Tcp { over: Over::WebSocket, .. });
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            match pair.split_once('=') {
                Some(("dialect", name)) => {
                    let dialect = Dialect::from_name(name).ok_or_else(|| bad("this dialect is not known"))?;
                    url.dialect = Some((name.to_owned(), dialect));
                }
                Some(("origin", site)) if websocket && site.contains("://") => url.origins.push(site.to_ascii_lowercase()),
                // a message is a message there
                Some(("framing", _)) if websocket => return Err(bad("a WebSocket has a framing of its own")),
                Some(("framing", "raw")) => url.framing = Some(Framing::Raw),
                Some(("framing", "length")) => url.framing = Some(Framing::Length),
                _ => return Err(bad("this option is not known")),
            }
        }
        Ok(url)
    }
}

fn parse_place(text: &str) -> Result<Place, &'static str> {
    if let Some(path) = text.strip_prefix("unix:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() {
            return Err("no path");
        }
        return std::path::absolute(path).map(Place::Unix).map_err(|_| "no such path");
    }
    let (transport, place) = text.split_once("://").ok_or("not TRANSPORT://HOST:PORT")?;
    let over = match transport {
        "noise" => Over::Noise,
        "tcp-testing-only" => Over::Plain,
        "ws" => Over::WebSocket,
        _ => return Err("this netlayer is not there"),
    };
    let (host, port) = place.trim_end_matches('/').rsplit_once(':').ok_or("no port")?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() {
        return Err("no host");
    }
    let port = port.parse().map_err(|_| "the port is not a number up to 65535")?;
    Ok(Place::Tcp { host: host.to_owned(), port, over })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_or_refused() {
        let tcp = |host: &str, port, over| Place::Tcp { host: host.into(), port, over };
        let place = |text: &str| Url::parse(text).expect("a URL").place;
        assert_eq!(place("tcp-testing-only://127.0.0.1:22045"), tcp("127.0.0.1", 22045, Over::Plain));
        assert_eq!(place("noise://0.0.0.0:22045"), tcp("0.0.0.0", 22045, Over::Noise));
        assert_eq!(place("tcp-testing-only://[::1]:0/"), tcp("::1", 0, Over::Plain));
        assert_eq!(place("unix:/tmp/a.sock"), Place::Unix("/tmp/a.sock".into()));
        let url = Url::parse("unix:/a?dialect=B&framing=length").expect("a URL");
        assert_eq!((url.dialect.map(|d| d.1), url.framing), (Some(Dialect::B), Some(Framing::Length)));
        let url = Url::parse("ws://127.0.0.1:8000?origin=http://Example.org&origin=http://b:1").expect("a URL");
        assert_eq!(url.place, tcp("127.0.0.1", 8000, Over::WebSocket));
        assert_eq!(url.origins, ["http://example.org", "http://b:1"]);
        for bad in [
            "",
            "ws://a:1?framing=raw",
            "ws://a:1?origin=x",
            "noise://a:1?origin=http://x",
            "wss://a:1",
            "127.0.0.1:1",
            "http://a:1",
            "tcp-testing-only://a",
            "tcp-testing-only://:1",
            "tcp-testing-only://a:70000",
            "unix:",
            "unix:/a?dialect=Z",
            "unix:/a?framing=none",
            "unix:/a?x",
        ] {
            assert_eq!(Url::parse(bad).expect_err(bad).code, "E-URL");
        }
    }
}
