//! URLs to listen at: `tcp-testing-only://HOST:PORT`.
use crate::operate::{Problem, problem};

/// A place to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub transport: String,
    pub host: String,
    pub port: u16,
}

const HELP: &str = "--listen tcp-testing-only://127.0.0.1:PORT (port 0: any that is free)";

impl Url {
    pub fn parse(text: &str) -> Result<Url, Problem> {
        let bad = |why: &str| problem("E-URL", format!("{text}: {why}"), HELP);
        let (transport, place) = text.split_once("://").ok_or_else(|| bad("not TRANSPORT://HOST:PORT"))?;
        if transport != "tcp-testing-only" {
            return Err(bad("this netlayer is not there"));
        }
        let (host, port) = place.trim_end_matches('/').rsplit_once(':').ok_or_else(|| bad("no port"))?;
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err(bad("no host"));
        }
        let port = port.parse().map_err(|_| bad("the port is not a number up to 65535"))?;
        Ok(Url { transport: transport.to_owned(), host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_or_refused() {
        let url = |host: &str, port| Url { transport: "tcp-testing-only".into(), host: host.into(), port };
        assert_eq!(Url::parse("tcp-testing-only://127.0.0.1:22045").expect("a URL"), url("127.0.0.1", 22045));
        assert_eq!(Url::parse("tcp-testing-only://[::1]:0/").expect("a URL"), url("::1", 0));
        for bad in ["", "127.0.0.1:1", "http://a:1", "tcp-testing-only://a", "tcp-testing-only://:1", "tcp-testing-only://a:70000"] {
            assert_eq!(Url::parse(bad).expect_err(bad).code, "E-URL");
        }
    }
}
