//! What a host is called: its designator, from its long-lived key.
//!
//! In: a secret of 32 bytes. Out: text for locators.
use ed25519_dalek::SigningKey;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The public half of a host's key, in RFC 4648 base32, lower case, without padding.
pub fn designator(seed: &[u8; 32]) -> String {
    let public = SigningKey::from_bytes(seed).verifying_key().to_bytes();
    let mut out = String::with_capacity(52);
    let (mut bits, mut n) = (0u32, 0u32);
    for b in public {
        n = n << 8 | u32::from(b);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(ALPHABET[(n >> bits) as usize & 31] as char);
        }
    }
    if bits > 0 {
        out.push(ALPHABET[(n << (5 - bits)) as usize & 31] as char);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_designator_is_the_public_key() {
        // the key whose seed is the bytes 0 to 31: 03a107bf…
        let seed: [u8; 32] = std::array::from_fn(|i| i as u8);
        let d = designator(&seed);
        assert_eq!(d.len(), 52);
        assert!(d.starts_with("aoqqpp7t"), "{d}");
    }
}
