//! What is written is read; what is not canonical is refused; any bytes, in any pieces, are read or refused.
use super::*;

const LIMITS: Limits = Limits { bytes: 4096, depth: 32, digits: 40 };

fn scan(bytes: &[u8]) -> Result<Option<usize>, Fault> {
    Scan::new(LIMITS).advance(bytes)
}

/// Reads all and writes it again.
fn again(bytes: &[u8], counts: &[u32]) -> Result<Vec<u8>, Fault> {
    let mut r = Reader::new(bytes, counts);
    let mut w = Writer::new();
    // per container: is it a dict, parts so far
    let mut open: Vec<(bool, usize)> = Vec::new();
    loop {
        let key = open.last().is_some_and(|o| o.0 && o.1 % 2 == 0);
        let token = r.token()?;
        if let Some(o) = open.last_mut()
            && token != Token::End
        {
            o.1 += 1;
        }
        match token {
            Token::Boolean(b) => w.boolean(b),
            Token::Integer { negative, digits } => w.integer(negative, digits),
            Token::Double(n) => w.double(n),
            Token::Bytes(b) => w.bytes(b),
            Token::String(s) if key => w.key(s),
            Token::String(s) => w.string(s),
            Token::Symbol(s) => w.symbol(s),
            Token::List(_) => {
                w.list();
                open.push((false, 0));
            }
            Token::Dict(_) => {
                w.dict();
                open.push((true, 0));
            }
            Token::Record(_) => {
                w.record(r.symbol()?);
                open.push((false, 1));
            }
            Token::Set(_) => return Err(Fault::Unexpected),
            Token::End => {
                open.pop().ok_or(Fault::Unexpected)?;
                w.end();
            }
        }
        if open.is_empty() {
            assert!(r.is_empty());
            return Ok(w.done());
        }
    }
}

fn sample() -> Vec<u8> {
    let mut w = Writer::new();
    w.record("op:deliver");
    w.list();
    w.boolean(true);
    w.natural(0);
    w.natural(u64::MAX);
    w.integer(true, b"123456789012345678901234567890");
    w.double(-0.5);
    w.double(f64::NAN);
    w.bytes(&[0, 255, b']']);
    w.string("käse");
    w.end();
    w.dict();
    for k in ["zz", "host", "port", "a longer key", ""] {
        w.key(k);
        w.string(k);
    }
    w.end();
    w.end();
    w.done()
}

#[test]
fn what_is_written_is_read_in_any_pieces() {
    let bytes = sample();
    let mut whole = Scan::new(LIMITS);
    assert_eq!(whole.advance(&bytes), Ok(Some(bytes.len())));
    assert_eq!(again(&bytes, whole.counts()), Ok(bytes.clone()));
    let mut slow = Scan::new(LIMITS);
    for n in 0..bytes.len() {
        assert_eq!(slow.advance(&bytes[..n]), Ok(None), "after {n} bytes");
    }
    assert_eq!(slow.advance(&bytes), Ok(Some(bytes.len())));
    assert_eq!(slow.counts(), whole.counts());
    // what follows is left alone
    let more = [&bytes[..], b"]"].concat();
    assert_eq!(scan(&more), Ok(Some(bytes.len())));
}

#[test]
fn dicts_are_in_the_order_of_the_encoded_keys() {
    let bytes = sample();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let at = |k: &str| text.find(&format!("{}\"{k}{}\"", k.len(), k.len())).unwrap();
    assert!(at("") < at("a longer key") && at("a longer key") < at("zz") && at("zz") < at("host") && at("host") < at("port"));
}

#[test]
fn the_order_of_texts_is_read_and_written_too() {
    for (mut w, expected) in [(Writer::new(), "{2\"zzt4\"hostt}"), (Writer::in_text_order(), "{4\"hostt2\"zzt}")] {
        w.dict();
        for k in ["zz", "host"] {
            w.key(k);
            w.boolean(true);
        }
        w.end();
        let bytes = w.done();
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
        assert_eq!(scan(&bytes), Ok(Some(bytes.len())));
    }
}

#[test]
fn what_is_not_canonical_is_refused() {
    let cases: &[(&[u8], Fault)] = &[
        (b"x", Fault::Byte(b'x')),
        (b" t", Fault::Byte(b' ')),
        (b"F1234", Fault::Byte(b'F')),
        (b"01+", Fault::LeadingZero),
        (b"00:", Fault::LeadingZero),
        (b"0-", Fault::MinusZero),
        (b"1x", Fault::Byte(b'x')),
        (b"[>", Fault::Byte(b'>')),
        (b"]", Fault::Byte(b']')),
        (b"<>", Fault::Odd),
        (b"{1\"a}", Fault::Odd),
        (b"{1\"bt1\"at}", Fault::Order),
        // neither order is kept by all
        (b"{4\"hostt2\"zzt4\"portt}", Fault::Order),
        (b"{1+t1+t}", Fault::Order),
        (b"#2\"zz1\"a$", Fault::Order),
        (b"{1\"at1\"at}", Fault::Order),
        (b"#tt$", Fault::Order),
        (b"2\"\xff\xff", Fault::Text),
        (b"2'\xc3(", Fault::Text),
        (b"D\x7f\xf8\0\0\0\0\0\x01", Fault::NaN),
        (b"D\xff\xf8\0\0\0\0\0\0", Fault::NaN),
        (b"9999:", Fault::TooLong),
        (b"999999999999999999999999:", Fault::TooLong),
        (b"99999999999999999999999999999999999999999+", Fault::TooManyDigits),
    ];
    for (bytes, fault) in cases {
        assert_eq!(scan(bytes), Err(*fault), "{}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(scan(&[b'['; 33]), Err(Fault::TooDeep));
    assert_eq!(scan(&[b'['; 32]), Ok(None));
    assert_eq!(scan(&[b"[".to_vec(), vec![b't'; 5000]].concat()), Err(Fault::TooLong));
    assert_eq!(scan(&[b'9'; 41]), Err(Fault::TooManyDigits));
}

#[test]
fn any_bytes_are_read_or_refused() {
    let mut seed = 7u64;
    let mut random = move |n: usize| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize % n
    };
    let good = sample();
    let letters = b"tf[]{}<>#$0123456789+-:\"'DF\xff ";
    let (mut whole, mut refused) = (0, 0);
    for _ in 0..30_000 {
        let mut bytes =
            if random(2) == 0 { good.clone() } else { (0..random(40)).map(|_| letters[random(letters.len())]).collect() };
        for _ in 0..random(3) {
            if !bytes.is_empty() {
                let at = random(bytes.len());
                bytes[at] = letters[random(letters.len())];
            }
        }
        let mut s = Scan::new(LIMITS);
        let mut at = 0;
        let end = loop {
            at = (at + 1 + random(20)).min(bytes.len());
            match s.advance(&bytes[..at]) {
                Ok(Some(n)) => break Some(n),
                Ok(None) if at < bytes.len() => {}
                Ok(None) => break None,
                Err(_) => {
                    refused += 1;
                    break None;
                }
            }
        };
        // a reader may be given anything
        let mut r = Reader::new(&bytes, s.counts());
        let tokens = std::iter::from_fn(|| r.token().ok()).count();
        assert!(tokens <= bytes.len());
        if let Some(n) = end {
            whole += 1;
            if let Ok(same) = again(&bytes[..n], s.counts())
                && same != bytes[..n]
            {
                // another order of keys
                assert_eq!(same.len(), n);
                assert!(bytes[..n].contains(&b'{'));
            }
        }
    }
    assert!(whole > 1000 && refused > 1000, "{whole} {refused}");
}
