//! Hosts that talk: real processes over sockets of this machine.
use crate::kit::{Folder, Started};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

const BOOK: &str = "// @jessie-check
export default ({ console }) => {
  let names = harden([]);
  return harden({
    sign: name => {
      names = harden([...names, name]);
      console.log('signed by ' + name);
      return names.length;
    },
    read: () => names,
    wait: () => makePromise(() => undefined),
    makePage: title => harden({ title: () => title, sheet: () => harden({ words: () => title + '!' }) }),
  });
};
";

const GUEST: &str = "// @jessie-check
export default ({ console, refs, args }) => {
  const { book } = refs;
  const [name] = args;
  return E.when(book ~. sign(name), n => {
    console.log('number ' + n);
    return E.when(book ~. read(), all => console.log(all.join(' ')));
  });
};
";

const SERVE: &[&str] = &["serve", "--state", "st", "--listen", "tcp-testing-only://127.0.0.1:0", "book.js"];

/// A host that serves the book; the sturdyref that it prints.
fn book(f: &Folder) -> (Started, String) {
    served(f, SERVE)
}

fn served(f: &Folder, args: &[&str]) -> (Started, String) {
    let mut host = f.serve(args);
    let uri = host.line(|l| l.starts_with("ocapn://"));
    (host, uri)
}

fn port(uri: &str) -> u16 {
    uri.rsplit_once("port=").expect("a port").1.parse().expect("a number")
}

fn guest(f: &Folder, uri: &str, name: &str) -> (Option<i32>, String, String) {
    let ran = f.run(&["run", "--ref", &format!("book={uri}"), "guest.js", name]);
    (ran.code, ran.out, ran.err)
}

fn files() -> Folder {
    Folder::new(&[("book.js", BOOK), ("guest.js", GUEST)])
}

#[test]
fn a_sturdyref_survives_kill_9() {
    let f = files();
    let (host, uri) = book(&f);
    f.write("uri", uri.as_bytes());
    assert_eq!(guest(&f, "@uri", "Ada"), (Some(0), "number 1\nAda\n".into(), String::new()));
    host.kill9();
    let listen = format!("tcp-testing-only://127.0.0.1:{}", port(&uri));
    let (host, again) = served(&f, &["serve", "--state", "st", "--listen", &listen, "book.js"]);
    assert_eq!(again, uri);
    assert_eq!(guest(&f, &uri, "Bob"), (Some(0), "number 2\nAda Bob\n".into(), String::new()));
    assert_eq!(host.term().0, Some(0));
}

#[test]
fn many_connections_leave_a_host_the_files_that_its_store_needs() {
    let f = files();
    let mut host = f.start_with_files(128, SERVE);
    let uri = host.line(|l| l.starts_with("ocapn://"));
    let silent: Vec<TcpStream> = (0..200).map_while(|_| TcpStream::connect(("127.0.0.1", port(&uri))).ok()).collect();
    let mut to = UnixStream::connect(f.path().join("st/control.sock")).expect("the host listens");
    let mut answers = BufReader::new(to.try_clone().expect("a handle")).lines();
    // the log goes on in other files
    for n in 1..=12 {
        let name = "x".repeat(1 << 20);
        writeln!(to, "{{\"do\":\"call\",\"vat\":1,\"method\":\"sign\",\"args\":[\"{name}\"]}}").expect("asked");
        assert_eq!(answers.next().expect("the host lives").expect("an answer"), format!("{{\"value\":{n}}}"));
    }
    drop(silent);
    assert_eq!(guest(&f, &uri, "Ada").0, Some(0));
    assert_eq!(host.term().0, Some(0));
}

#[test]
fn who_is_dialled_and_says_nothing_is_not_waited_for() {
    let f = files();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let uri = format!("ocapn://silent.tcp-testing-only/s/AAAA?host=127.0.0.1&port={port}");
    let (code, _, err) = guest(&f, &uri, "Ada");
    assert!(code == Some(1) && err.contains("was dialled and said no hello"), "{err}");
}

#[test]
fn who_waits_for_a_host_that_dies_is_told() {
    let f = files();
    let waits = "// @jessie-check
export default ({ console, refs: { book } }) => {
  const never = book ~. wait();
  return E.when(book ~. read(), _ => { console.log('waits'); return never; });
};
";
    f.write("waits.js", waits.as_bytes());
    let (host, uri) = book(&f);
    let mut guest = f.start(&["run", "--ref", &format!("book={uri}"), "waits.js"]);
    guest.wait_for("waits");
    host.kill9();
    let (code, err) = guest.wait();
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("connection"), "{err}");
}

#[test]
fn a_durable_guest_goes_on_after_its_own_death() {
    // its references to peers are broken then, and by its sturdyrefs it makes new ones
    let f = files();
    let durable = "// @jessie-check
export default ({ console, net, args }) => {
  const [uri] = args;
  let calls = 0;
  return harden({
    sign: name => {
      calls += 1;
      const n = calls;
      return E.when(net.import(uri), book => E.when(book ~. sign(name), number => harden([n, number])));
    },
  });
};
";
    f.write("durable.js", durable.as_bytes());
    let (_host, uri) = book(&f);
    let args = ["serve", "--state", "guest", "durable.js", uri.as_str()];
    let call = |f: &Folder, name: &str| f.run(&["vat", "call", "--state", "guest", "1", "sign", name]).out;
    let guest = f.serve(&args);
    assert_eq!(call(&f, "Ada"), "[1,1]\n");
    assert_eq!(call(&f, "Bob"), "[2,2]\n");
    guest.kill9();
    let _guest = f.serve(&args);
    assert_eq!(call(&f, "Cleo"), "[3,3]\n");
}

#[test]
fn answers_are_sent_to_before_they_are_there() {
    let f = files();
    let pipeline = "// @jessie-check
export default ({ console, refs: { book } }) => {
  const words = book ~. makePage('tea') ~. sheet() ~. words();
  return E.when(words, text => console.log(text));
};
";
    f.write("pipeline.js", pipeline.as_bytes());
    let (_host, uri) = book(&f);
    let ran = f.run(&["run", "--ref", &format!("book={uri}"), "pipeline.js"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "tea!\n", ""));
}

#[test]
fn an_object_is_exported_imported_and_revoked() {
    let f = files();
    let lender = "// @jessie-check
export default ({ net }) => {
  const lamp = harden({ on: () => 'light' });
  return harden({
    lend: () => net.export(lamp),
    revoke: uri => net.revoke(uri),
    here: uri => net.import(uri) ~. on(),
    wrong: () => E.when(net.export(harden({ a: 1 })), _ => 'exported', e => e.message),
  });
};
";
    let user = "// @jessie-check
export default ({ console, net, args }) => {
  const [uri] = args;
  return E.when(net.import(uri) ~. on(), console.log);
};
";
    f.write("book.js", lender.as_bytes());
    f.write("user.js", user.as_bytes());
    let (_host, root) = book(&f);
    let call = |f: &Folder, method: &str, args: &[&str]| {
        let ran = f.run(&[&["vat", "call", "--state", "st", "1", method], args].concat());
        serde_json::from_str::<serde_json::Value>(&ran.out).unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err))
    };
    let uri = call(&f, "lend", &[]).as_str().expect("a sturdyref").to_owned();
    let other = call(&f, "lend", &[]).as_str().expect("a sturdyref").to_owned();
    assert_ne!(uri, other);
    assert_ne!(uri, root);
    assert_eq!(call(&f, "here", &[&uri]), "light");
    assert!(call(&f, "wrong", &[]).as_str().is_some_and(|e| e.contains("data does not pass by reference")));
    assert_eq!(f.run(&["run", "user.js", &uri]).out, "light\n");
    assert_eq!(call(&f, "revoke", &[&uri]), true);
    assert_eq!(call(&f, "revoke", &[&uri]), false);
    let ran = f.run(&["run", "user.js", &uri]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert_eq!(f.run(&["run", "user.js", &other]).out, "light\n");
    // and by the operator
    let listed = f.json(&["ref", "ls", "--state", "st"]);
    assert_eq!(listed["refs"].as_array().map(Vec::len), Some(2), "{listed}");
    assert_eq!(listed["refs"][0]["uris"][0], root);
    assert_eq!(f.run(&["ref", "revoke", "--state", "st", &other]).code, Some(0));
    assert_eq!(f.run(&["run", "user.js", &other]).code, Some(1));
    let ran = f.run(&["ref", "revoke", "--state", "st", "17"]);
    assert_eq!((ran.code, ran.err.contains("E-REF")), (Some(1), true), "{}", ran.err);
    assert_eq!(f.run(&["ref", "revoke", "--state", "st", "0"]).code, Some(0));
    assert_eq!(f.json(&["ref", "ls", "--state", "st"])["refs"].as_array().map(Vec::len), Some(0));
}

#[test]
fn swissnums_are_chosen_only_where_that_is_allowed() {
    let f = files();
    let chooses = "// @jessie-check
export default ({ console, names }) => {
  if (names === undefined) {
    console.log('no names');
    return harden({ a: () => 1 });
  }
  const greeter = harden({ greet: () => 'hello' });
  return E.when(names.export(greeter, 'chosen one'), uri => {
    console.log(uri);
    return greeter;
  });
};
";
    f.write("book.js", chooses.as_bytes());
    let (host, _) = book(&f);
    assert_eq!(host.kill9()[0], "no names");
    let args = ["serve", "--state", "st2", "--allow-chosen-swissnums", "--listen", "tcp-testing-only://127.0.0.1:0", "book.js"];
    let (_host, uri) = served(&f, &args);
    // base64url of the name
    assert!(uri.contains("/s/Y2hvc2VuIG9uZQ?"), "{uri}");
    assert_eq!(f.json(&["ref", "ls", "--state", "st2"])["refs"][1]["chosen"], true);
}

#[test]
fn what_is_not_encrypted_stays_on_this_machine() {
    let f = files();
    let serve = |url: &str, more: &[&str]| f.run(&[&["serve", "--state", "st", "--listen", url], more, &["book.js"]].concat());
    let ran = serve("tcp-testing-only://0.0.0.0:0", &[]);
    assert_eq!((ran.code, ran.err.contains("E-INSECURE")), (Some(1), true), "{}", ran.err);
    for url in ["tcp://127.0.0.1:0", "tcp-testing-only://127.0.0.1", "127.0.0.1:1"] {
        assert_eq!(serve(url, &[]).code, Some(2), "{url}");
    }
    let elsewhere = "ocapn://aa.tcp-testing-only/s/YQ?host=192.0.2.1&port=9";
    let (code, _, err) = guest(&f, elsewhere, "Ada");
    assert!(code == Some(1) && err.contains("--insecure"), "{err}");
    for bad in ["ocapn://aa.tcp-testing-only", "nothing", "@missing"] {
        assert_eq!(guest(&f, bad, "Ada").0, Some(2), "{bad}");
    }
    // nobody listens there; and a netlayer that is not there
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
    let nobody = format!("ocapn://aa.tcp-testing-only/s/YQ?host=127.0.0.1&port={free}");
    assert_eq!(guest(&f, &nobody, "Ada").0, Some(1));
    assert_eq!(guest(&f, "ocapn://aa.onion/s/YQ", "Ada").0, Some(1));
}

#[test]
fn hosts_talk_by_noise_and_by_unix_sockets() {
    for listen in ["noise://127.0.0.1:0", "unix:book.sock"] {
        let f = files();
        let args = ["serve", "--state", "st", "--listen", listen, "book.js"];
        let (host, uri) = served(&f, &args);
        assert_eq!(guest(&f, &uri, "Ada"), (Some(0), "number 1\nAda\n".into(), String::new()), "{listen}");
        if listen.starts_with("unix") {
            let mode = std::fs::metadata(f.path().join("book.sock")).expect("a socket").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            // a socket that a killed host left behind is no hindrance
            host.kill9();
            let (host, again) = served(&f, &args);
            assert_eq!(again, uri);
            assert_eq!(guest(&f, &uri, "Bob").1, "number 2\nAda Bob\n");
            assert_eq!(host.term().0, Some(0));
            assert!(!f.path().join("book.sock").exists());
        } else {
            // another host does not pass for this one
            let (_other, theirs) = served(&f, &["serve", "--state", "other", "--listen", listen, "book.js"]);
            let place = uri.split_once('?').expect("hints").1;
            let false_uri = format!("{}?{place}", theirs.split_once('?').expect("hints").0);
            let (code, _, err) = guest(&f, &false_uri, "Eve");
            assert!(code == Some(1) && err.contains("another host answers there"), "{err}");
            let no_key = uri.replacen("ocapn://", "ocapn://x", 1);
            assert_eq!(guest(&f, &no_key, "Eve").0, Some(1));
            // and what is no handshake is cut off
            let mut s = TcpStream::connect(("127.0.0.1", port(&uri))).expect("connected");
            let _ = s.write_all(b"<16'op:start-session>");
            assert!(is_cut_off(&s));
            assert_eq!(guest(&f, &uri, "Bob").1, "number 2\nAda Bob\n");
        }
    }
}

#[test]
fn a_port_in_use_is_told() {
    let f = files();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("tcp-testing-only://{}", taken.local_addr().expect("its address"));
    let ran = f.run(&["serve", "--state", "st", "--listen", &url, "book.js"]);
    assert_eq!((ran.code, ran.err.contains("E-LISTEN")), (Some(1), true), "{}", ran.err);
}

/// Reads until the peer closes.
fn is_cut_off(mut s: &TcpStream) -> bool {
    s.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut all = Vec::new();
    match s.read_to_end(&mut all) {
        Ok(_) => true,
        Err(e) => e.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn hostile_peers_are_cut_off_alone() {
    let f = files();
    let (_host, uri) = book(&f);
    let connect = || TcpStream::connect(("127.0.0.1", port(&uri))).expect("connected");
    let idle: Vec<TcpStream> = (0..200).map(|_| connect()).collect();
    let mut frames: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"99999999999999999999:".to_vec(),
        b"999999999:x".to_vec(),
        b"<16'op:start-session>".to_vec(),
        b"<10'op:deliver<11'desc:export0+>[]ff>".to_vec(),
        b"-1+".to_vec(),
        vec![0xFF; 1000],
        b"[".repeat(100_000),
        b"<8'op:abort4\"done>".to_vec(),
    ];
    // large, and never whole
    frames.push([b"1000000:".as_slice(), &[b'x'; 600_000]].concat());
    for frame in frames {
        let mut s = connect();
        // it may be cut off before all is written
        let _ = s.write_all(&frame);
        assert!(is_cut_off(&s), "{:?}", &frame[..frame.len().min(40)]);
    }
    // while those that say nothing are there others are served, and of those that say nothing the oldest made room
    assert_eq!(guest(&f, &uri, "Ada").0, Some(0));
    assert!(is_cut_off(&idle[0]));
    let peers = f.json(&["peer", "ls", "--state", "st"]);
    assert!(peers["peers"].as_array().is_some_and(|p| p.len() <= 130));
    assert_eq!(f.json(&["vat", "ls", "--state", "st"])["vats"].as_array().map(Vec::len), Some(1));
}

#[test]
fn the_key_is_its_owners_alone_and_in_no_backup() {
    let f = files();
    let (host, uri) = book(&f);
    let mode = |name: &str| std::fs::metadata(f.path().join(name)).map(|m| m.permissions().mode() & 0o777).ok();
    assert_eq!(mode("st/host.key"), Some(0o600));
    assert_eq!(f.run(&["store", "backup", "--state", "st", "plain"]).code, Some(0));
    assert_eq!(f.run(&["store", "backup", "--state", "st", "--with-key", "full"]).code, Some(0));
    assert_eq!((mode("plain/host.key"), mode("full/host.key")), (None, Some(0o600)));
    assert_eq!(f.read("full/host.key"), f.read("st/host.key"));
    host.kill9();
    // from the full backup it is the same host; from the plain one another
    let designator = |u: &str| u.split('.').next().map(str::to_owned);
    for (backup, same) in [("full", true), ("plain", false)] {
        let to = format!("{backup}-restored");
        assert_eq!(f.run(&["store", "restore", "--state", "x", backup, &to]).code, Some(0));
        let (_host, again) = served(&f, &["serve", "--state", &to, "--listen", "tcp-testing-only://127.0.0.1:0", "book.js"]);
        assert_eq!(designator(&again) == designator(&uri), same);
    }
}

#[test]
fn peers_are_listed() {
    let f = files();
    let (_host, uri) = book(&f);
    let waits = "export default ({ console, refs: { book } }) => E.when(book ~. read(), _ => { console.log('there'); return book ~. wait(); });";
    f.write("waits.js", waits.as_bytes());
    let mut guest = f.start(&["run", "--ref", &format!("book={uri}"), "waits.js"]);
    guest.wait_for("there");
    let peers = f.json(&["peer", "ls", "--state", "st"]);
    let peer = &peers["peers"][0];
    assert!(peer["peer"].as_str().is_some_and(|p| p.starts_with("ocapn://")), "{peers}");
    assert!(peer["bytesIn"].as_u64() > Some(100) && peer["bytesOut"].as_u64() > Some(100), "{peers}");
    assert!(peer["messagesIn"].as_u64() >= Some(2) && peer["messagesOut"].as_u64() >= Some(1), "{peers}");
    // the session is a vat, and what it holds is seen
    let session = peer["session"].as_u64().expect("a session");
    let counts = &f.json(&["vat", "show", "--state", "st", &session.to_string()])["traffic"];
    assert!(counts["messagesIn"].as_u64() >= peer["messagesIn"].as_u64(), "{counts}");
    assert_eq!(counts["roundTrips"], 0, "it asks for nothing: {counts}");
    let table = f.run(&["peer", "ls", "--state", "st"]).out;
    assert!(table.starts_with("VAT  BEGUN BY") && table.contains("TRIPS"), "{table}");
    let shown = f.json(&["vat", "show", "--state", "st", "1"]);
    assert!(shown["exports"][0]["heldBy"].as_array().is_some_and(|h| h.iter().any(|v| v == session)), "{shown}");
    let ended = f.run(&["vat", "kill", "--state", "st", &session.to_string()]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let (code, err) = guest.wait();
    assert_eq!(code, Some(1), "{err}");
}
