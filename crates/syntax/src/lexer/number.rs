//! Numeric literals: text in, a double or the digits of a BigInt out; and back to the text a property key has.
use super::token::{Tok, Token};
use super::{Lexer, Note, is_id_start, span};

impl Lexer<'_> {
    pub(super) fn number(&mut self, token: &mut Token) {
        let start = self.pos;
        let radix = match (self.peek(0), self.peek(1) | 0x20) {
            (b'0', b'x') => 16,
            (b'0', b'o') => 8,
            (b'0', b'b') => 2,
            _ => 10,
        };
        token.kind = Tok::Number;
        let mut integer = true;
        if radix == 10 {
            integer = self.decimal(token);
        } else {
            self.pos += 2;
            if self.digits(radix) == 0 {
                self.bad_number(start, "digits must follow the prefix");
            }
            self.notes.push((Note::OddNumber, span(start, self.pos)));
        }
        let text: String = self.src[start..self.pos].chars().filter(|&c| c != '_').collect();
        if self.peek(0) == b'n' && integer {
            self.pos += 1;
            token.kind = Tok::BigInt;
            token.name = self.names.owned(&text.to_ascii_lowercase());
        } else if radix == 10 {
            token.number = text.parse().unwrap_or(f64::NAN);
        } else {
            token.number = parse_radix(&text.as_bytes()[2..], radix);
        }
        let next = self.current_char().unwrap_or(' ');
        if is_id_start(next) || next == '\\' || next.is_ascii_digit() {
            self.pos += next.len_utf8();
            while is_id_start(self.current_char().unwrap_or(' ')) || self.peek(0).is_ascii_digit() {
                self.pos += self.current_char().map_or(1, char::len_utf8);
            }
            self.bad_number(start, "a letter or digit stands directly behind this number");
        }
    }

    /// A decimal literal; says whether it may be a BigInt.
    fn decimal(&mut self, token: &mut Token) -> bool {
        let start = self.pos;
        let mut integer = true;
        let whole = self.digits(10);
        if whole > 1 && self.bytes[start] == b'0' {
            token.escaped = true;
            let help = "write `0o17` for octal, or leave the zero out";
            self.sink.error_help("E-OCTAL", span(start, self.pos), "a number does not begin with a zero", help);
            integer = false;
        }
        if self.peek(0) == b'.' {
            integer = false;
            self.pos += 1;
            let fraction = self.digits(10);
            if fraction == 0 || whole == 0 {
                self.notes.push((Note::OddNumber, span(start, self.pos)));
            }
        }
        if self.peek(0) | 0x20 == b'e' {
            integer = false;
            self.pos += 1;
            if matches!(self.peek(0), b'+' | b'-') {
                self.pos += 1;
            }
            if self.digits(10) == 0 {
                self.bad_number(start, "an exponent needs digits");
            }
        }
        integer
    }

    fn bad_number(&mut self, start: usize, message: &str) {
        self.sink.error("E-NUMBER", span(start, self.pos.max(start + 1)), message);
    }

    /// Digits with single separators between them; gives how many bytes.
    fn digits(&mut self, radix: u32) -> usize {
        let start = self.pos;
        let mut separator = true;
        loop {
            let byte = self.peek(0);
            if byte == b'_' {
                if separator {
                    self.bad_number(self.pos, "a separator stands singly between two digits");
                }
                separator = true;
            } else if (byte as char).is_digit(radix) {
                separator = false;
            } else {
                break;
            }
            self.pos += 1;
        }
        if separator && self.pos > start {
            self.bad_number(self.pos - 1, "a separator stands singly between two digits");
        }
        self.pos - start
    }
}

/// Exactly rounded value of digits in a radix that is a power of two.
fn parse_radix(digits: &[u8], radix: u32) -> f64 {
    let bits = radix.trailing_zeros();
    let (mut mantissa, mut shift) = (0u128, 0i32);
    for &digit in digits {
        let value = u128::from((digit as char).to_digit(radix).unwrap_or(0));
        if mantissa < 1 << 120 {
            mantissa = mantissa << bits | value;
        } else {
            // Too far down to matter but for rounding: keep it as a sticky bit.
            mantissa |= u128::from(value != 0);
            shift = shift.saturating_add(bits as i32);
        }
    }
    if mantissa == 0 { 0.0 } else { mantissa as f64 * 2f64.powi(shift) }
}

/// Number::toString (ECMA-262 6.1.6.1.20), radix 10.
pub(crate) fn number_to_string(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value < 0.0 { "-Infinity".into() } else { "Infinity".into() };
    }
    if value == 0.0 {
        return "0".into();
    }
    let text = format!("{:e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let (k, n) = (digits.len() as i32, exponent.parse::<i32>().unwrap_or(0) + 1);
    let sign = if value < 0.0 { "-" } else { "" };
    let body = if k <= n && n <= 21 {
        digits + &"0".repeat((n - k) as usize)
    } else if 0 < n && n <= 21 {
        format!("{}.{}", &digits[..n as usize], &digits[n as usize..])
    } else if -6 < n && n <= 0 {
        format!("0.{}{digits}", "0".repeat(-n as usize))
    } else {
        let exponent = if n > 0 { format!("+{}", n - 1) } else { format!("{}", n - 1) };
        let point = if k > 1 { "." } else { "" };
        format!("{}{point}{}e{exponent}", &digits[..1], &digits[1..])
    };
    format!("{sign}{body}")
}
