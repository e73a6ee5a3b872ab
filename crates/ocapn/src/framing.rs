//! Messages in a stream of bytes.
//!
//! In: bytes in any pieces. Out: one message after another, each a whole canonical value.
//!
//! Invariants
//! - the framing is told by the first byte: `<` begins a message, a digit the length of one;
//! - what is kept is bounded by the limit of bytes of one message, besides what came last.
use crate::Framing;
use passable::syrup::{Fault, Limits, Reader, Scan};

/// Digits of a frame's length, at most.
const MAX_FRAME_DIGITS: usize = 10;

#[derive(Debug)]
pub(crate) struct Incoming {
    bytes: Vec<u8>,
    /// Where the next message, or its length, begins.
    at: usize,
    pub framing: Option<Framing>,
    limits: Limits,
    scan: Scan,
    /// The length of the message of the frame that has begun.
    frame: Option<usize>,
    /// A frame has ended, and nothing came since.
    ended: bool,
}

impl Incoming {
    pub fn new(framing: Option<Framing>, limits: Limits) -> Incoming {
        Incoming { bytes: Vec::new(), at: 0, framing, limits, scan: Scan::new(limits), frame: None, ended: false }
    }

    /// From the next message on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.scan = Scan::new(limits);
    }

    pub fn push(&mut self, more: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(more);
    }

    /// Bytes that are kept until more come.
    pub fn unfinished(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next message, if it is whole; it is passed over.
    pub fn next(&mut self) -> Result<Option<Reader<'_>>, Fault> {
        let framing = match (self.framing, self.bytes.get(self.at)) {
            (Some(f), _) => f,
            (None, None) => return Ok(None),
            (None, Some(b'0'..=b'9')) => Framing::Length,
            (None, Some(b'<')) => Framing::Raw,
            (None, Some(b)) => return Err(Fault::Byte(*b)),
        };
        self.framing = Some(framing);
        let whole = match framing {
            Framing::Raw => &self.bytes[self.at..],
            Framing::Length => match self.frame_length()? {
                None => return Ok(None),
                Some(n) => match self.bytes.get(self.at..self.at + n) {
                    None => return Ok(None),
                    Some(payload) => payload,
                },
            },
        };
        let end = match (self.scan_from(whole.len())?, framing) {
            (None, Framing::Raw) => return Ok(None),
            (Some(n), Framing::Raw) => n,
            (Some(n), Framing::Length) if Some(n) == self.frame => n,
            // a frame that is no whole value, or more than one
            (_, Framing::Length) => return Err(Fault::Unexpected),
        };
        self.frame = None;
        self.ended = true;
        let start = self.at;
        self.at += end;
        Ok(Some(Reader::new(&self.bytes[start..start + end], self.scan.counts())))
    }

    /// Looks at the message that begins here.
    fn scan_from(&mut self, len: usize) -> Result<Option<usize>, Fault> {
        if self.scan.is_done() {
            self.scan.reset();
        }
        self.scan.advance(&self.bytes[self.at..self.at + len])
    }

    /// Reads the length of a frame, unless that is done.
    fn frame_length(&mut self) -> Result<Option<usize>, Fault> {
        if self.frame.is_some() {
            return Ok(self.frame);
        }
        // some write netstrings, which end in a comma
        if self.ended && self.bytes.get(self.at) == Some(&b',') {
            self.at += 1;
            self.ended = false;
        }
        let rest = &self.bytes[self.at..];
        let n = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if n > MAX_FRAME_DIGITS {
            return Err(Fault::TooLong);
        }
        let length = rest[..n].iter().fold(0usize, |n, d| n * 10 + (d - b'0') as usize);
        match rest.get(n) {
            None => return Ok(None),
            Some(b':') if n > 0 => {}
            Some(b) => return Err(Fault::Byte(*b)),
        }
        if length > self.limits.bytes {
            return Err(Fault::TooLong);
        }
        if length == 0 || n > 1 && rest[0] == b'0' {
            return Err(Fault::Unexpected);
        }
        self.at += n + 1;
        self.ended = false;
        self.frame = Some(length);
        Ok(self.frame)
    }
}

/// Appends a message to what is written.
pub(crate) fn frame(out: &mut Vec<u8>, framing: Framing, message: &[u8]) {
    if framing == Framing::Length {
        out.extend_from_slice(message.len().to_string().as_bytes());
        out.push(b':');
    }
    out.extend_from_slice(message);
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { bytes: 100, depth: 5, digits: 20 };

    fn all(i: &mut Incoming) -> Result<Vec<Vec<u8>>, Fault> {
        let mut found = Vec::new();
        while let Some(mut r) = i.next()? {
            found.push(r.raw()?.to_vec());
        }
        Ok(found)
    }

    #[test]
    fn messages_in_any_pieces() {
        let messages: Vec<Vec<u8>> = vec![b"<1'a>".to_vec(), b"<1'b[1+2+]>".to_vec(), b"<1'c3\"abc>".to_vec()];
        for (framing, comma) in [(Framing::Raw, false), (Framing::Length, false), (Framing::Length, true)] {
            let mut stream = Vec::new();
            for m in &messages {
                frame(&mut stream, framing, m);
                stream.extend(comma.then_some(b','));
            }
            for size in 1..stream.len() {
                let mut i = Incoming::new(None, LIMITS);
                let mut found = Vec::new();
                for piece in stream.chunks(size) {
                    i.push(piece);
                    found.extend(all(&mut i).unwrap());
                }
                assert_eq!(found, messages, "{framing:?} by {size}");
                assert_eq!(i.framing, Some(framing));
            }
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for bad in ["x", "[t]", "5x", "0:", "05:<1'a>", "101:", "99999999999:", "5:<1'a>x", "4:<1'a>", "6:<1'a>t", "5:", "5:t"] {
            let mut i = Incoming::new(None, LIMITS);
            i.push(bad.as_bytes());
            match all(&mut i) {
                Err(_) => {}
                Ok(found) => assert!(bad == "5:" || bad == "5:t" && found.is_empty(), "{bad}"),
            }
        }
        let mut i = Incoming::new(None, LIMITS);
        i.push(&[b"<1'a".to_vec(), vec![b't'; 200]].concat());
        assert_eq!(all(&mut i), Err(Fault::TooLong));
    }
}
