//! URLs to listen at: `noise://HOST:PORT`, `tcp-testing-only://HOST:PORT`, `unix:PATH`, each with `?dialect=A&framing=raw` if that is not to be found out.
use crate::operate::{Problem, problem};
use ocapn::{Dialect, Framing};
use std::path::PathBuf;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Tcp { host: String, port: u16, noise: bool },
    Unix(PathBuf),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub place: Place,
    pub dialect: Option<(String, Dialect)>,
    pub framing: Option<Framing>,
}

const HELP: &str = "--listen noise://HOST:PORT (port 0: any that is free), tcp-testing-only://127.0.0.1:PORT or unix:PATH, and if need be \
                    ?dialect=A|B|C|goblins&framing=raw|length";

impl Url {
    pub fn parse(text: &str) -> Result<Url, Problem> {
        let bad = |why: &str| problem("E-URL", format!("{text}: {why}"), HELP);
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        let mut url = Url { place: parse_place(place).map_err(bad)?, dialect: None, framing: None };
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            match pair.split_once('=') {
                Some(("dialect", name)) => {
                    let dialect = Dialect::from_name(name).ok_or_else(|| bad("this dialect is not known"))?;
                    url.dialect = Some((name.to_owned(), dialect));
                }
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
    let noise = match transport {
        "noise" => true,
        "tcp-testing-only" => false,
        _ => return Err("this netlayer is not there"),
    };
    let (host, port) = place.trim_end_matches('/').rsplit_once(':').ok_or("no port")?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() {
        return Err("no host");
    }
    let port = port.parse().map_err(|_| "the port is not a number up to 65535")?;
    Ok(Place::Tcp { host: host.to_owned(), port, noise })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_or_refused() {
        let tcp = |host: &str, port, noise| Place::Tcp { host: host.into(), port, noise };
        let place = |text: &str| Url::parse(text).expect("a URL").place;
        assert_eq!(place("tcp-testing-only://127.0.0.1:22045"), tcp("127.0.0.1", 22045, false));
        assert_eq!(place("noise://0.0.0.0:22045"), tcp("0.0.0.0", 22045, true));
        assert_eq!(place("tcp-testing-only://[::1]:0/"), tcp("::1", 0, false));
        assert_eq!(place("unix:/tmp/a.sock"), Place::Unix("/tmp/a.sock".into()));
        let url = Url::parse("unix:/a?dialect=B&framing=length").expect("a URL");
        assert_eq!((url.dialect.map(|d| d.1), url.framing), (Some(Dialect::B), Some(Framing::Length)));
        for bad in [
            "",
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
