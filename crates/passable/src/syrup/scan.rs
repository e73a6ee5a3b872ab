//! Finds the end of a value in bytes that come in pieces, and checks it.
use super::{Fault, Limits, MAX_LENGTH_DIGITS, NAN_BITS};

/// A container that has begun.
#[derive(Debug)]
struct Open {
    /// The byte that ends it.
    end: u8,
    start: usize,
    /// Its place in `counts`.
    index: usize,
    n: u32,
    /// The last key of a dict, the last item of a set.
    last: Option<(usize, usize)>,
    /// The orders that all keys so far are in.
    orders: Orders,
}

/// In which orders keys are.
#[derive(Clone, Copy, Debug)]
struct Orders {
    bytes: bool,
    text: bool,
}

/// See the head of the module. One for each value; the bytes begin where the value does.
#[derive(Debug)]
pub struct Scan {
    limits: Limits,
    /// All before is checked.
    at: usize,
    /// Digits before are looked at.
    digits: usize,
    open: Vec<Open>,
    counts: Vec<u32>,
    done: bool,
}

impl Scan {
    pub fn new(limits: Limits) -> Scan {
        Scan { limits, at: 0, digits: 0, open: Vec::new(), counts: Vec::new(), done: false }
    }
    /// Parts of each container in the order they begin: items of a list or set, entries of a dict, label and fields of a record.
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }
    /// Ready for the next value.
    pub fn reset(&mut self) {
        self.at = 0;
        self.digits = 0;
        self.open.clear();
        self.counts.clear();
        self.done = false;
    }
    /// A whole value was found.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Looks at what has come so far (all of it, from the value's beginning). The value's length once it is whole; none: more is wanted.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        while let Some(b) = bytes.get(self.at) {
            let start = self.at;
            let end = match b {
                b't' | b'f' => start + 1,
                b'0'..=b'9' => match self.number(bytes)? {
                    Some(end) => end,
                    None => return Ok(None),
                },
                b'D' => {
                    let Some(double) = bytes.get(start + 1..start + 9) else { return self.wait(start + 9) };
                    let bits = double.iter().fold(0u64, |n, b| n << 8 | *b as u64);
                    if f64::from_bits(bits).is_nan() && bits != NAN_BITS {
                        return Err(Fault::NaN);
                    }
                    start + 9
                }
                b'[' | b'<' | b'{' | b'#' => {
                    self.begin(*b)?;
                    continue;
                }
                b']' | b'>' | b'}' | b'$' => {
                    let begun = self.close(*b)?;
                    self.at += 1;
                    if self.part(bytes, begun, start + 1)? {
                        return Ok(Some(self.at));
                    }
                    continue;
                }
                b => return Err(Fault::Byte(*b)),
            };
            self.at = end;
            self.digits = 0;
            if self.at > self.limits.bytes {
                return Err(Fault::TooLong);
            }
            if self.part(bytes, start, end)? {
                return Ok(Some(end));
            }
        }
        self.wait(self.at + 1)
    }

    /// More is wanted, up to here at least.
    fn wait(&self, to: usize) -> Result<Option<usize>, Fault> {
        if to > self.limits.bytes { Err(Fault::TooLong) } else { Ok(None) }
    }

    fn begin(&mut self, b: u8) -> Result<(), Fault> {
        if self.open.len() >= self.limits.depth {
            return Err(Fault::TooDeep);
        }
        let end = match b {
            b'[' => b']',
            b'<' => b'>',
            b'{' => b'}',
            _ => b'$',
        };
        self.open.push(Open {
            end,
            start: self.at,
            index: self.counts.len(),
            n: 0,
            last: None,
            orders: Orders { bytes: true, text: b == b'{' },
        });
        self.counts.push(0);
        self.at += 1;
        if self.at > self.limits.bytes { Err(Fault::TooLong) } else { Ok(()) }
    }

    /// Where the container that ends here began.
    fn close(&mut self, b: u8) -> Result<usize, Fault> {
        let Some(open) = self.open.pop_if(|o| o.end == b) else { return Err(Fault::Byte(b)) };
        if open.end == b'}' && open.n % 2 == 1 || open.end == b'>' && open.n == 0 {
            return Err(Fault::Odd);
        }
        self.counts[open.index] = if open.end == b'}' { open.n / 2 } else { open.n };
        Ok(open.start)
    }

    /// A value from `start` to `end` is whole. True: it is not part of another.
    fn part(&mut self, bytes: &[u8], start: usize, end: usize) -> Result<bool, Fault> {
        let Some(open) = self.open.last_mut() else {
            self.done = true;
            return Ok(true);
        };
        if open.end == b'$' || open.end == b'}' && open.n.is_multiple_of(2) {
            if let Some((a, b)) = open.last {
                let (last, this) = (&bytes[a..b], &bytes[start..end]);
                open.orders.bytes &= last < this;
                open.orders.text &= text_before(last, this);
                if !open.orders.bytes && !open.orders.text {
                    return Err(Fault::Order);
                }
            }
            open.last = Some((start, end));
        }
        open.n = open.n.checked_add(1).ok_or(Fault::TooLong)?;
        Ok(false)
    }

    /// An integer, or something with a length. None: more is wanted.
    fn number(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let start = self.at;
        let mut at = start.max(self.digits);
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        self.digits = at;
        let digits = &bytes[start..at];
        if digits.len() > self.limits.digits.max(MAX_LENGTH_DIGITS) {
            return Err(Fault::TooManyDigits);
        }
        if digits.len() > 1 && digits[0] == b'0' {
            return Err(Fault::LeadingZero);
        }
        let Some(kind) = bytes.get(at) else { return self.wait(at + 1) };
        match kind {
            b'+' | b'-' if digits.len() > self.limits.digits => Err(Fault::TooManyDigits),
            b'-' if digits == b"0" => Err(Fault::MinusZero),
            b'+' | b'-' => Ok(Some(at + 1)),
            b':' | b'"' | b'\'' => {
                if digits.len() > MAX_LENGTH_DIGITS {
                    return Err(Fault::TooLong);
                }
                let n = digits.iter().fold(0usize, |n, d| n * 10 + (d - b'0') as usize);
                let end = at + 1 + n;
                if end > self.limits.bytes {
                    return Err(Fault::TooLong);
                }
                let Some(text) = bytes.get(at + 1..end) else { return Ok(None) };
                if *kind != b':' && std::str::from_utf8(text).is_err() {
                    return Err(Fault::Text);
                }
                Ok(Some(end))
            }
            b => Err(Fault::Byte(*b)),
        }
    }
}

/// The keys are strings, and the first one's text comes before the other's, by UTF-16 units.
fn text_before(a: &[u8], b: &[u8]) -> bool {
    match (key_text(a), key_text(b)) {
        (Some(a), Some(b)) => a.encode_utf16().lt(b.encode_utf16()),
        _ => false,
    }
}

/// The text of an encoded string.
pub(super) fn key_text(key: &[u8]) -> Option<&str> {
    let at = key.iter().position(|b| !b.is_ascii_digit())?;
    if key[at] != b'"' { None } else { std::str::from_utf8(&key[at + 1..]).ok() }
}
