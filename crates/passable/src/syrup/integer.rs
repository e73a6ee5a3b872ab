//! Integers of any size between decimal digits and limbs of 64 bits, least significant first.
//!
//! Quadratic: whoever reads bounds the digits.

/// Decimal digits that fit in a limb.
const CHUNK: usize = 19;
const TEN_19: u64 = 10_000_000_000_000_000_000;

/// The limbs of a number, without leading zeros; zero has none. Other characters than digits count as digits would.
pub fn limbs(digits: &[u8]) -> Vec<u64> {
    let mut limbs: Vec<u64> = Vec::with_capacity(digits.len() / CHUNK + 1);
    let head = digits.len() % CHUNK;
    let (first, rest) = digits.split_at(head);
    for chunk in std::iter::once(first).chain(rest.chunks(CHUNK)).filter(|c| !c.is_empty()) {
        let n = chunk.iter().fold(0u64, |n, d| n.wrapping_mul(10).wrapping_add(d.wrapping_sub(b'0') as u64));
        let mut carry = n as u128;
        let scale = if chunk.len() == CHUNK { TEN_19 } else { 10u64.pow(chunk.len() as u32) };
        for limb in &mut limbs {
            let wide = *limb as u128 * scale as u128 + carry;
            *limb = wide as u64;
            carry = wide >> 64;
        }
        if carry > 0 {
            limbs.push(carry as u64);
        }
    }
    limbs
}

/// The decimal digits of a number.
pub fn digits(limbs: &[u64]) -> Vec<u8> {
    let mut rest = limbs.to_vec();
    let mut chunks = Vec::new();
    loop {
        while rest.last() == Some(&0) {
            rest.pop();
        }
        if rest.is_empty() {
            break;
        }
        let mut left = 0u128;
        for limb in rest.iter_mut().rev() {
            let wide = left << 64 | *limb as u128;
            *limb = (wide / TEN_19 as u128) as u64;
            left = wide % TEN_19 as u128;
        }
        chunks.push(left as u64);
    }
    let Some(top) = chunks.pop() else { return b"0".to_vec() };
    let mut text = top.to_string();
    chunks.iter().rev().for_each(|c| text.push_str(&format!("{c:019}")));
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (text, expected) in [
            ("0", vec![]),
            ("7", vec![7]),
            ("18446744073709551615", vec![u64::MAX]),
            ("18446744073709551616", vec![0, 1]),
            ("340282366920938463463374607431768211456", vec![0, 0, 1]),
        ] {
            assert_eq!(limbs(text.as_bytes()), expected);
            assert_eq!(digits(&expected), text.as_bytes());
        }
        let mut text = String::new();
        for i in 1..400u32 {
            text.push((b'1' + (i * 7 % 9) as u8) as char);
            assert_eq!(digits(&limbs(text.as_bytes())), text.as_bytes());
        }
    }
}
