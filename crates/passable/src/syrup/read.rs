//! The tokens of a value that `Scan` has found whole.
use super::Fault;

/// A value that has no parts, or the head of one that has: with how many.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token<'a> {
    Boolean(bool),
    Integer {
        negative: bool,
        digits: &'a [u8],
    },
    Double(f64),
    Bytes(&'a [u8]),
    String(&'a str),
    Symbol(&'a str),
    List(usize),
    Dict(usize),
    Record(usize),
    Set(usize),
    /// Of the container that began last.
    End,
}

/// Reads tokens in order; other bytes than those of a `Scan` give faults.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    counts: &'a [u32],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8], counts: &'a [u32]) -> Reader<'a> {
        Reader { bytes, at: 0, counts }
    }

    pub fn token(&mut self) -> Result<Token<'a>, Fault> {
        let b = *self.bytes.get(self.at).ok_or(Fault::Unexpected)?;
        self.at += 1;
        Ok(match b {
            b't' => Token::Boolean(true),
            b'f' => Token::Boolean(false),
            b'D' => {
                let bits = self.take(8)?.iter().fold(0u64, |n, b| n << 8 | *b as u64);
                Token::Double(f64::from_bits(bits))
            }
            b'[' => Token::List(self.count()?),
            b'{' => Token::Dict(self.count()?),
            b'<' => Token::Record(self.count()?),
            b'#' => Token::Set(self.count()?),
            b']' | b'}' | b'>' | b'$' => Token::End,
            b'0'..=b'9' => return self.number(),
            b => return Err(Fault::Byte(b)),
        })
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], Fault> {
        let taken = self.bytes.get(self.at..self.at.saturating_add(n)).ok_or(Fault::Unexpected)?;
        self.at += n;
        Ok(taken)
    }

    fn count(&mut self) -> Result<usize, Fault> {
        let (n, rest) = self.counts.split_first().ok_or(Fault::Unexpected)?;
        self.counts = rest;
        Ok(*n as usize)
    }

    fn number(&mut self) -> Result<Token<'a>, Fault> {
        let start = self.at - 1;
        let more = self.bytes[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        let digits = &self.bytes[start..self.at + more];
        let kind = *self.bytes.get(self.at + more).ok_or(Fault::Unexpected)?;
        self.at += more + 1;
        if kind == b'+' || kind == b'-' {
            return Ok(Token::Integer { negative: kind == b'-', digits });
        }
        let n =
            digits.iter().try_fold(0usize, |n, d| n.checked_mul(10)?.checked_add((d - b'0') as usize)).ok_or(Fault::TooLong)?;
        let taken = self.take(n)?;
        let text = || std::str::from_utf8(taken).map_err(|_| Fault::Text);
        Ok(match kind {
            b':' => Token::Bytes(taken),
            b'"' => Token::String(text()?),
            b'\'' => Token::Symbol(text()?),
            b => return Err(Fault::Byte(b)),
        })
    }

    /// The next value as it stands; it is passed over.
    pub fn raw(&mut self) -> Result<&'a [u8], Fault> {
        let start = self.at;
        let mut depth = 0u32;
        loop {
            match self.token()? {
                Token::List(_) | Token::Dict(_) | Token::Record(_) | Token::Set(_) => depth += 1,
                Token::End => depth = depth.checked_sub(1).ok_or(Fault::Unexpected)?,
                _ => {}
            }
            if depth == 0 {
                return Ok(&self.bytes[start..self.at]);
            }
        }
    }

    /// A reader of the same value that does not move this one.
    pub fn peek(&self) -> Result<Token<'a>, Fault> {
        Reader { ..*self }.token()
    }
    pub fn end(&mut self) -> Result<(), Fault> {
        match self.token()? {
            Token::End => Ok(()),
            _ => Err(Fault::Unexpected),
        }
    }
    /// How many parts the list has.
    pub fn list(&mut self) -> Result<usize, Fault> {
        match self.token()? {
            Token::List(n) => Ok(n),
            _ => Err(Fault::Unexpected),
        }
    }
    /// The label of the record and how many fields it has.
    pub fn record(&mut self) -> Result<(&'a str, usize), Fault> {
        match self.token()? {
            Token::Record(n) => Ok((self.symbol()?, n.checked_sub(1).ok_or(Fault::Odd)?)),
            _ => Err(Fault::Unexpected),
        }
    }
    /// The head of a record with this label and so many fields.
    pub fn record_of(&mut self, label: &str, fields: usize) -> Result<(), Fault> {
        if self.record()? == (label, fields) { Ok(()) } else { Err(Fault::Unexpected) }
    }
    pub fn symbol(&mut self) -> Result<&'a str, Fault> {
        match self.token()? {
            Token::Symbol(s) => Ok(s),
            _ => Err(Fault::Unexpected),
        }
    }
    pub fn string(&mut self) -> Result<&'a str, Fault> {
        match self.token()? {
            Token::String(s) => Ok(s),
            _ => Err(Fault::Unexpected),
        }
    }
    pub fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        match self.token()? {
            Token::Bytes(b) => Ok(b),
            _ => Err(Fault::Unexpected),
        }
    }
    pub fn boolean(&mut self) -> Result<bool, Fault> {
        match self.token()? {
            Token::Boolean(b) => Ok(b),
            _ => Err(Fault::Unexpected),
        }
    }
    /// A number from 0 up to 2⁵³.
    pub fn natural(&mut self) -> Result<u64, Fault> {
        match self.token()? {
            Token::Integer { negative: false, digits } if digits.len() <= 16 => {
                let n = digits.iter().fold(0u64, |n, d| n * 10 + (d - b'0') as u64);
                if n <= crate::MAX_ID { Ok(n) } else { Err(Fault::Unexpected) }
            }
            _ => Err(Fault::Unexpected),
        }
    }
    /// All is read.
    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }
}
