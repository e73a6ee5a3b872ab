//! The netlayer websocket: two hosts over it, and what browsers and strangers may not do.
use crate::kit::{Folder, Started};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const ECHO: &str = "// @jessie-check
export default () => harden({ echo: x => x, large: n => 'x'.repeat(n) });
";

const ASK: &str = "// @jessie-check
export default ({ console, refs: { far } }) => {
  const first = far ~. echo(harden([1, 'two', null, undefined, -0.5]));
  return E.when(first, list => {
    console.log(list);
    return E.when(far ~. large(300000), text => {
      console.log(text.length);
      return E.when(far ~. echo(far) ~. echo('chain'), console.log);
    });
  });
};
";

/// A host that listens; its sturdyref and its port.
fn served(f: &Folder, query: &str) -> (Started, String, u16) {
    let mut host = f.serve(&["serve", "--state", "st", "--listen", &format!("ws://127.0.0.1:0{query}"), "echo.js"]);
    let uri = host.line(|l| l.starts_with("ocapn://"));
    let port = uri.rsplit_once("127.0.0.1%3A").expect("a place").1;
    let port = port.split('&').next().expect("a port").parse().expect("a number");
    (host, uri, port)
}

fn files() -> Folder {
    Folder::new(&[("echo.js", ECHO), ("ask.js", ASK)])
}

fn asks(f: &Folder, uri: &str) -> (Option<i32>, String, String) {
    let ran = f.run(&["run", "--ref", &format!("far={uri}"), "ask.js"]);
    (ran.code, ran.out, ran.err)
}

const ASKED: &str = "[ 1, 'two', null, undefined, -0.5 ]\n300000\nchain\n";

fn request(host: &str, more: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\n{host}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{more}\r\n"
    )
}

fn connect(port: u16) -> TcpStream {
    let s = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    s.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    s
}

/// The status of the answer to an upgrade.
fn upgrade(s: &mut TcpStream, text: &str) -> String {
    s.write_all(text.as_bytes()).expect("written");
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        if s.read(&mut byte).expect("an answer") == 0 {
            break;
        }
        answer.push(byte[0]);
    }
    String::from_utf8_lossy(&answer).lines().next().unwrap_or("").to_owned()
}

/// A frame of a client; its mask is zero.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80 | opcode];
    match payload.len() {
        n if n < 126 => out.push(0x80 | n as u8),
        n => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(n as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
    out
}

/// A frame of a server: what kind, and what it says.
fn next(s: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    s.read_exact(&mut head).ok()?;
    let length = match head[1] {
        126 => {
            let mut more = [0; 2];
            s.read_exact(&mut more).ok()?;
            usize::from(u16::from_be_bytes(more))
        }
        n => usize::from(n),
    };
    let mut payload = vec![0; length];
    s.read_exact(&mut payload).ok()?;
    Some((head[0] & 15, payload))
}

/// A stranger who has shaken hands and had the host's proof.
fn greeted(port: u16) -> TcpStream {
    let mut s = connect(port);
    let status = upgrade(&mut s, &request(&format!("Host: localhost:{port}\r\n"), ""));
    assert!(status.contains("101"), "{status}");
    let challenge = [b"<14'init:peer-auth32:".as_slice(), &[7; 32], b">"].concat();
    s.write_all(&frame(2, &challenge)).expect("written");
    let (kind, proof) = next(&mut s).expect("a proof");
    assert_eq!(kind, 2);
    assert!(proof.starts_with(b"<17'desc:sig-envelope<14'init:peer-auth"), "{}", String::from_utf8_lossy(&proof));
    s
}

/// It is closed before long.
fn ends(mut s: TcpStream) {
    let mut rest = Vec::new();
    let begun = Instant::now();
    // an end of the stream or a reset
    let _ = s.read_to_end(&mut rest);
    assert!(begun.elapsed() < Duration::from_secs(15), "it stays open");
}

#[test]
fn two_hosts_talk_and_the_sturdyref_survives_kill_9() {
    let f = files();
    let (host, uri, port) = served(&f, "");
    assert!(uri.contains(".websocket/s/"), "{uri}");
    assert_eq!(asks(&f, &uri), (Some(0), ASKED.into(), String::new()));
    host.kill9();
    let listen = format!("ws://127.0.0.1:{port}");
    let mut host = f.serve(&["serve", "--state", "st", "--listen", &listen, "echo.js"]);
    assert_eq!(host.line(|l| l.starts_with("ocapn://")), uri);
    assert_eq!(asks(&f, &uri), (Some(0), ASKED.into(), String::new()));
}

#[test]
fn another_host_than_the_one_named_is_noticed() {
    let f = files();
    let (_host, uri, _) = served(&f, "");
    let (_, rest) = uri.split_once('.').expect("a designator");
    // the key whose seed is the bytes 0 to 31
    let other = format!("ocapn://aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4a.{rest}");
    let (code, _, err) = asks(&f, &other);
    assert!(code == Some(1) && err.contains("another host"), "{err}");
}

#[test]
fn pages_of_other_sites_and_names_that_lead_here_are_refused() {
    let f = files();
    let (_host, uri, port) = served(&f, "?origin=http://good.example");
    let status = |host: &str, more: &str| upgrade(&mut connect(port), &request(host, more));
    let here = format!("Host: 127.0.0.1:{port}\r\n");
    for (host, more) in [
        (here.as_str(), "Origin: http://evil.example\r\n"),
        (here.as_str(), "Origin: null\r\n"),
        (here.as_str(), "Origin: http://good.example.evil.example\r\n"),
        ("Host: evil.example\r\n", ""),
        (&format!("Host: evil.example:{port}\r\n"), ""),
        ("", ""),
        (&format!("{here}Host: evil.example\r\n"), ""),
    ] {
        let answer = status(host, more);
        assert!(answer.contains("403"), "{host}{more}: {answer}");
    }
    assert!(status(&here, "Origin: http://good.example\r\n").contains("101"));
    assert_eq!(asks(&f, &uri).0, Some(0));
}

#[test]
fn who_is_slow_or_hostile_is_cut_off_alone() {
    let f = files();
    let (_host, uri, port) = served(&f, "");
    let mut slow = connect(port);
    slow.write_all(b"GET / HTTP/1.1\r\n").expect("written");
    let mut silent = connect(port);
    let host = format!("Host: 127.0.0.1:{port}\r\n");
    assert!(upgrade(&mut silent, &request(&host, "")).contains("101"));
    let begun = Instant::now();
    let dribbles = std::thread::spawn(move || {
        // a byte now and then does not keep it open
        while begun.elapsed() < Duration::from_secs(12) {
            if slow.write_all(b"x").is_err() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        false
    });
    assert_eq!(asks(&f, &uri), (Some(0), ASKED.into(), String::new()), "others go on meanwhile");
    ends(silent);
    assert!(dribbles.join().expect("no panic"), "who never ends his request is cut off");

    let mut large = connect(port);
    let head = request(&host, &format!("X-Long: {}\r\n", "a".repeat(100_000)));
    let _ = large.write_all(head.as_bytes());
    ends(large);
    // a frame that says it is longer than a message may be, and one that is more than a stranger may send
    let mut s = greeted(port);
    s.write_all(&[0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]).expect("written");
    ends(s);
    let mut s = greeted(port);
    let long = frame(2, &[b'['; 60_000]);
    (0..6).for_each(|_| drop(s.write_all(&long)));
    ends(s);
    // what is no message: text, bytes that are not masked, bytes that are no Syrup, a question that is none
    let unmasked = [0x82, 1, b't'];
    for bytes in [frame(1, b"text"), unmasked.to_vec(), frame(2, b"hello")] {
        let mut s = greeted(port);
        s.write_all(&bytes).expect("written");
        ends(s);
    }
    let mut s = connect(port);
    upgrade(&mut s, &request(&host, ""));
    s.write_all(&frame(2, b"<11'my-location3:abc>")).expect("written");
    ends(s);
    assert_eq!(asks(&f, &uri), (Some(0), ASKED.into(), String::new()));
}

#[test]
fn a_ping_is_answered_and_a_close_too() {
    let f = files();
    let (_host, _, port) = served(&f, "");
    let mut s = greeted(port);
    s.write_all(&frame(9, b"are you there")).expect("written");
    assert_eq!(next(&mut s), Some((10, b"are you there".to_vec())));
    s.write_all(&frame(8, &[])).expect("written");
    ends(s);
}
