//! Writes values, canonically: a container's head, its parts, its end.
use super::NAN_BITS;
use super::scan::key_text;

#[derive(Debug)]
enum Open {
    Other(u8),
    /// Entries: where each begins, and where its key ends.
    Dict(Vec<(usize, usize)>),
}

/// See the head of the module.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
    open: Vec<Open>,
    text_order: bool,
}

impl Writer {
    pub fn new() -> Writer {
        Writer::default()
    }
    /// With the keys of dicts in the order of their texts (UTF-16 units), as some insist on.
    pub fn in_text_order() -> Writer {
        Writer { text_order: true, ..Writer::default() }
    }
    /// Empty again, with the memory that it has.
    pub fn clear(&mut self, text_order: bool) {
        self.out.clear();
        self.open.clear();
        self.text_order = text_order;
    }
    /// The bytes so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.out
    }
    /// The bytes. Containers that were not ended are not whole.
    pub fn done(self) -> Vec<u8> {
        debug_assert!(self.open.is_empty(), "a container is not ended");
        self.out
    }
    pub fn len(&self) -> usize {
        self.out.len()
    }
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }
    pub fn boolean(&mut self, b: bool) {
        self.out.push(if b { b't' } else { b'f' });
    }
    pub fn natural(&mut self, n: u64) {
        self.decimal(n);
        self.out.push(b'+');
    }
    /// An integer by its decimal digits, without leading zeros.
    pub fn integer(&mut self, negative: bool, digits: &[u8]) {
        debug_assert!(digits.iter().all(u8::is_ascii_digit) && (digits == b"0" || digits.first().is_some_and(|d| *d != b'0')));
        self.out.extend_from_slice(digits);
        self.out.push(if negative && digits != b"0" { b'-' } else { b'+' });
    }
    pub fn double(&mut self, n: f64) {
        let bits = if n.is_nan() { NAN_BITS } else { n.to_bits() };
        self.out.push(b'D');
        self.out.extend_from_slice(&bits.to_be_bytes());
    }
    pub fn bytes(&mut self, b: &[u8]) {
        self.sized(b':', b);
    }
    pub fn string(&mut self, s: &str) {
        self.sized(b'"', s.as_bytes());
    }
    pub fn symbol(&mut self, s: &str) {
        self.sized(b'\'', s.as_bytes());
    }
    /// A value that is encoded already.
    pub fn raw(&mut self, value: &[u8]) {
        self.out.extend_from_slice(value);
    }
    pub fn list(&mut self) {
        self.out.push(b'[');
        self.open.push(Open::Other(b']'));
    }
    pub fn record(&mut self, label: &str) {
        self.out.push(b'<');
        self.open.push(Open::Other(b'>'));
        self.symbol(label);
    }
    /// Entries follow, each a `key` and a value; each key once, in any order.
    pub fn dict(&mut self) {
        self.out.push(b'{');
        self.open.push(Open::Dict(Vec::new()));
    }
    pub fn key(&mut self, k: &str) {
        let start = self.out.len();
        self.string(k);
        let end = self.out.len();
        match self.open.last_mut() {
            Some(Open::Dict(entries)) => entries.push((start, end)),
            _ => debug_assert!(false, "a key outside of a dict"),
        }
    }
    /// Of the container that began last.
    pub fn end(&mut self) {
        match self.open.pop() {
            Some(Open::Other(b)) => self.out.push(b),
            Some(Open::Dict(entries)) => {
                self.sort(&entries);
                self.out.push(b'}');
            }
            None => debug_assert!(false, "no container to end"),
        }
    }

    fn sort(&mut self, entries: &[(usize, usize)]) {
        let key = |i: usize| &self.out[entries[i].0..entries[i].1];
        let text = |i: usize| key_text(key(i)).unwrap_or("").encode_utf16();
        let compare = |a: usize, b: usize| if self.text_order { text(a).cmp(text(b)) } else { key(a).cmp(key(b)) };
        if (1..entries.len()).all(|i| compare(i - 1, i).is_lt()) {
            return;
        }
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by(|a, b| compare(*a, *b));
        let first = entries[0].0;
        let mut sorted = Vec::with_capacity(self.out.len() - first);
        for i in order {
            let end = entries.get(i + 1).map_or(self.out.len(), |next| next.0);
            sorted.extend_from_slice(&self.out[entries[i].0..end]);
        }
        self.out.truncate(first);
        self.out.extend_from_slice(&sorted);
    }

    fn sized(&mut self, kind: u8, b: &[u8]) {
        self.decimal(b.len() as u64);
        self.out.push(kind);
        self.out.extend_from_slice(b);
    }
    fn decimal(&mut self, mut n: u64) {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (n % 10) as u8;
            n /= 10;
            if n == 0 {
                break;
            }
        }
        self.out.extend_from_slice(&digits[at..]);
    }
}
