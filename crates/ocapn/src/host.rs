//! What a host is called: its designator, from its long-lived key; and what that key signs.
//!
//! In: a secret of 32 bytes. Out: text for locators, signatures.
//!
//! Invariants
//! - a signature is over a context and what is signed, so that one that was made for one purpose serves no other.
use crate::keys;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use passable::syrup::{Fault, Limits, Reader, Scan, Writer};

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Labels of the netlayer websocket.
const PEER_AUTH: &str = "init:peer-auth";
const ENVELOPE: &str = "desc:sig-envelope";
/// Random bytes of a question.
const CHALLENGE_BYTES: usize = 32;
const PROOF_LIMITS: Limits = Limits { bytes: 1024, depth: 8, digits: 20 };

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

/// What a dialler of the netlayer websocket asks: a proof that the other side has the key of its designator.
pub fn challenge(random: &[u8; 32]) -> Vec<u8> {
    let mut w = Writer::new();
    w.record(PEER_AUTH);
    w.bytes(random);
    w.end();
    w.done()
}

/// The proof. None: it is no such question, and nothing is signed.
pub fn answer_challenge(seed: &[u8; 32], challenge: &[u8]) -> Option<Vec<u8>> {
    whole(challenge, |r| {
        r.record_of(PEER_AUTH, 1)?;
        let fits = r.bytes()?.len() == CHALLENGE_BYTES;
        r.end()?;
        Ok(fits)
    })?;
    let mut w = Writer::new();
    w.record(ENVELOPE);
    w.raw(challenge);
    keys::write_signature(&mut w, &SigningKey::from_bytes(seed).sign(challenge).to_bytes());
    w.end();
    Some(w.done())
}

/// Is this the proof of whom `public` belongs to?
pub fn is_answered(public: &[u8; 32], challenge: &[u8], answer: &[u8]) -> bool {
    let signature = |r: &mut Reader<'_>| {
        r.record_of(ENVELOPE, 2)?;
        let asked = r.raw()? == challenge;
        let signature = keys::read_signature(r)?;
        r.end()?;
        Ok(asked && keys::verify(public, challenge, &signature))
    };
    whole(answer, signature).is_some()
}

/// One value and nothing more, of which `read` says that it is right.
fn whole(bytes: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Result<bool, Fault>) -> Option<()> {
    let mut scan = Scan::new(PROOF_LIMITS);
    let end = scan.advance(bytes).ok()??;
    let fine = end == bytes.len() && read(&mut Reader::new(bytes, scan.counts())).ok()?;
    fine.then_some(())
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

    #[test]
    fn a_challenge_is_answered_by_its_key_and_nothing_else_is_signed() {
        let asked = challenge(&[9; 32]);
        let answer = answer_challenge(&seed(), &asked).expect("a question");
        assert!(is_answered(&public_key(&seed()), &asked, &answer));
        assert!(!is_answered(&public_key(&[1; 32]), &asked, &answer));
        assert!(!is_answered(&public_key(&seed()), &challenge(&[8; 32]), &answer));
        let longer = [answer.as_slice(), b"t"].concat();
        assert!(!is_answered(&public_key(&seed()), &asked, &longer));
        let short = b"<14'init:peer-auth3:abc>".as_slice();
        let other = b"<11'my-location3:abc>".as_slice();
        for bad in [b"".as_slice(), short, other, &asked[..asked.len() - 1], &[&asked[..], b"t"].concat()] {
            assert_eq!(answer_challenge(&seed(), bad), None);
        }
    }
}
