//! What a host is called: its designator, from its long-lived key; and what that key signs.
//!
//! In: a secret of 32 bytes. Out: text for locators, signatures.
//!
//! Invariants
//! - a signature is over a context and what is signed, so that one that was made for one purpose serves no other.
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The public half of a key.
pub fn public_key(seed: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(seed).verifying_key().to_bytes()
}

/// The public half of a host's key, as it stands in locators.
pub fn designator(seed: &[u8; 32]) -> String {
    designator_of(&public_key(seed))
}

/// A public key in RFC 4648 base32, lower case, without padding.
pub fn designator_of(public: &[u8; 32]) -> String {
    let mut out = String::with_capacity(52);
    let (mut bits, mut n) = (0u32, 0u32);
    for b in public {
        n = n << 8 | u32::from(*b);
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

/// The public key that a designator is; none: it is no key.
pub fn key_of(designator: &str) -> Option<[u8; 32]> {
    let mut key = Vec::with_capacity(33);
    let (mut bits, mut n) = (0u32, 0u32);
    for c in designator.bytes() {
        n = n << 5 | ALPHABET.iter().position(|a| *a == c)? as u32;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            key.push((n >> bits) as u8);
            n &= (1 << bits) - 1;
        }
        if key.len() > 32 {
            return None;
        }
    }
    let key: [u8; 32] = key.try_into().ok()?;
    // one text for a key
    (designator_of(&key) == designator).then_some(key)
}

fn with_context(context: &str, what: &[u8]) -> Vec<u8> {
    [context.as_bytes(), &[0], what].concat()
}

/// A host's signature.
pub fn sign(seed: &[u8; 32], context: &str, what: &[u8]) -> [u8; 64] {
    SigningKey::from_bytes(seed).sign(&with_context(context, what)).to_bytes()
}

/// Is this a host's signature?
pub fn is_signed(public: &[u8; 32], context: &str, what: &[u8], signature: &[u8; 64]) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(public) else { return false };
    key.verify_strict(&with_context(context, what), &Signature::from_bytes(signature)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed() -> [u8; 32] {
        std::array::from_fn(|i| i as u8)
    }

    #[test]
    fn a_designator_is_the_public_key() {
        // the key whose seed is the bytes 0 to 31: 03a107bf…
        let d = designator(&seed());
        assert_eq!(d, "aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4a");
        assert_eq!(key_of(&d), Some(public_key(&seed())));
        let last = format!("{}b", &d[..51]);
        for bad in ["", "a", &d[..51], &d.to_uppercase(), &format!("{d}a"), &last, &"1".repeat(52)] {
            assert_eq!(key_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_signature_serves_one_purpose() {
        let (public, s) = (public_key(&seed()), sign(&seed(), "greeting", b"what"));
        assert!(is_signed(&public, "greeting", b"what", &s));
        assert!(!is_signed(&public, "greetin", b"gwhat", &s));
        assert!(!is_signed(&public, "greeting", b"that", &s));
        assert!(!is_signed(&[0xFF; 32], "greeting", b"what", &s));
    }
}
