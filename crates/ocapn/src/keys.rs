//! Keys of connections, signatures, and the names of sessions that follow from keys.
//!
//! In: seeds. Out: Syrup of keys and signatures, as lists (the names come from libgcrypt's S-expressions).
//!
//! Invariants
//! - a key belongs to one session;
//! - a signature is verified strictly: no weak keys, one form of each signature.
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use passable::syrup::{Fault, Reader, Writer};
use sha2::{Digest, Sha256};

pub(crate) type Hash = [u8; 32];

/// A private key with what follows from it.
#[derive(Clone)]
pub(crate) struct Keys {
    signing: SigningKey,
    /// All of it follows from this.
    pub seed: Hash,
    /// For what must be unguessable beside the key.
    secret: Hash,
    /// The public key as a value.
    pub record: Vec<u8>,
    pub id: Hash,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    pub fn new(seed: &Hash) -> Keys {
        let signing = SigningKey::from_bytes(seed);
        let record = public_record(signing.verifying_key().as_bytes());
        let id = twice(&record);
        Keys { signing, seed: *seed, secret: tagged(b"drses-gift", &[seed]), record, id }
    }
    pub fn public(&self) -> Hash {
        self.signing.verifying_key().to_bytes()
    }
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.signing.sign(bytes).to_bytes()
    }
    /// Unguessable, another one for each number.
    pub fn gift_id(&self, n: u64) -> Hash {
        tagged(b"drses-gift-id", &[&self.secret, &n.to_be_bytes()])
    }
}

fn tagged(tag: &[u8], parts: &[&[u8]]) -> Hash {
    let mut h = Sha256::new();
    h.update(tag);
    parts.iter().for_each(|p| h.update(p));
    h.finalize().into()
}

fn twice(bytes: &[u8]) -> Hash {
    Sha256::digest(Sha256::digest(bytes)).into()
}

/// The name of a side of a session: of its public key as a value.
pub(crate) fn public_id(public: &Hash) -> Hash {
    twice(&public_record(public))
}

/// The name of a session, from its sides' names.
pub(crate) fn session_id(a: &Hash, b: &Hash) -> Hash {
    twice(&[&b"prot0"[..], a.min(b), a.max(b)].concat())
}

pub(crate) fn public_record(public: &Hash) -> Vec<u8> {
    let mut w = Writer::new();
    w.list();
    w.symbol("public-key");
    w.list();
    w.symbol("ecc");
    pair(&mut w, "curve", |w| w.symbol("Ed25519"));
    pair(&mut w, "flags", |w| w.symbol("eddsa"));
    pair(&mut w, "q", |w| w.bytes(public));
    w.end();
    w.end();
    w.done()
}

fn pair(w: &mut Writer, name: &str, value: impl FnOnce(&mut Writer)) {
    w.list();
    w.symbol(name);
    value(w);
    w.end();
}

pub(crate) fn read_public(r: &mut Reader<'_>) -> Result<Hash, Fault> {
    head(r, 2, "public-key")?;
    head(r, 4, "ecc")?;
    for (name, value) in [("curve", "Ed25519"), ("flags", "eddsa")] {
        head(r, 2, name)?;
        is(r, value)?;
        r.end()?;
    }
    head(r, 2, "q")?;
    let q = r.bytes()?.try_into().map_err(|_| Fault::Unexpected)?;
    (0..3).try_for_each(|_| r.end())?;
    Ok(q)
}

pub(crate) fn write_signature(w: &mut Writer, signature: &[u8; 64]) {
    let (r, s) = signature.split_at(32);
    w.list();
    w.symbol("sig-val");
    w.list();
    w.symbol("eddsa");
    pair(w, "r", |w| w.bytes(r));
    pair(w, "s", |w| w.bytes(s));
    w.end();
    w.end();
}

pub(crate) fn read_signature(r: &mut Reader<'_>) -> Result<[u8; 64], Fault> {
    head(r, 2, "sig-val")?;
    head(r, 3, "eddsa")?;
    let mut signature = [0; 64];
    for (name, half) in ["r", "s"].into_iter().zip(signature.chunks_mut(32)) {
        head(r, 2, name)?;
        let b = r.bytes()?;
        if b.len() != half.len() {
            return Err(Fault::Unexpected);
        }
        half.copy_from_slice(b);
        r.end()?;
    }
    (0..2).try_for_each(|_| r.end())?;
    Ok(signature)
}

fn head(r: &mut Reader<'_>, n: usize, name: &str) -> Result<(), Fault> {
    if r.list()? != n {
        return Err(Fault::Unexpected);
    }
    is(r, name)
}

fn is(r: &mut Reader<'_>, name: &str) -> Result<(), Fault> {
    if r.symbol()? == name { Ok(()) } else { Err(Fault::Unexpected) }
}

pub(crate) fn verify(public: &Hash, bytes: &[u8], signature: &[u8; 64]) -> bool {
    match VerifyingKey::from_bytes(public) {
        Ok(key) => key.verify_strict(bytes, &Signature::from_bytes(signature)).is_ok(),
        Err(_) => false,
    }
}

/// What a hello's signature is over: the peer's locator, as it stands, in a record of its own.
pub(crate) fn my_location(peer: &[u8]) -> Vec<u8> {
    let mut w = Writer::new();
    w.record("my-location");
    w.raw(peer);
    w.end();
    w.done()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Peer;
    use passable::syrup::{Limits, Scan};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// As two other implementations compute them.
    #[test]
    fn keys_names_and_signatures_are_those_of_others() {
        let one = Keys::new(&std::array::from_fn(|i| i as u8));
        let two = Keys::new(&std::array::from_fn(|i| 255 - i as u8));
        assert_eq!(
            hex(one.signing.verifying_key().as_bytes()),
            "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
        );
        assert_eq!(
            hex(two.signing.verifying_key().as_bytes()),
            "bafc71bead3ac5e4b63e9c8216ee71a34aaec65722eedbca728b4e9b3ccce396"
        );
        assert_eq!(hex(&one.id), "faf328db5bc8cf63e851bd0e95032fdb6f72403aefd6d0b79cfa6849c04f0741");
        assert_eq!(hex(&two.id), "096e5f8dbde5fb0a2ab1092bfb33fd29d0b448f9600615d80a30479922792a50");
        let both = "0cb3f95ce7c3e186ebb1f5b9f2b69d64be8ca34099ad9bf4c22607c7e0c4a296";
        assert_eq!((hex(&session_id(&one.id, &two.id)), hex(&session_id(&two.id, &one.id))), (both.to_owned(), both.to_owned()));

        let hints = [("host", "127.0.0.1"), ("port", "22046")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let peer = Peer { transport: "tcp-testing-only".into(), designator: "aaaa".into(), hints: Some(hints.into()) };
        let bytes = my_location(&peer.to_syrup());
        let expected = "<11'my-location<10'ocapn-peer16'tcp-testing-only4\"aaaa{4\"host9\"127.0.0.14\"port5\"22046}>>";
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
        let signature = one.sign(&bytes);
        assert_eq!(hex(&signature[..32]), "191d47c6a660cc9d86f385837a78319f74e2fa3126127f56b06053937c082d53");
        assert_eq!(hex(&signature[32..]), "7cb9cc073b53a36b5c6c9a03524535e30311b29a2ce408a0efc0b36d0e3ffa0f");
    }

    #[test]
    fn what_is_written_is_read_and_verified() {
        let keys = Keys::new(&[9; 32]);
        let signature = keys.sign(b"text");
        let mut w = Writer::new();
        w.list();
        w.raw(&keys.record);
        write_signature(&mut w, &signature);
        w.end();
        let bytes = w.done();
        let mut scan = Scan::new(Limits { bytes: 1000, depth: 9, digits: 9 });
        assert_eq!(scan.advance(&bytes), Ok(Some(bytes.len())));
        let mut r = Reader::new(&bytes, scan.counts());
        assert_eq!(r.list(), Ok(2));
        let public = read_public(&mut r).unwrap();
        let read = read_signature(&mut r).unwrap();
        assert_eq!(read, signature);
        assert_eq!(public_id(&public), keys.id);
        assert!(verify(&public, b"text", &read));
        assert!(!verify(&public, b"other", &read));
        assert!(!verify(&public_id(&public), b"text", &read));
    }

    #[test]
    fn gift_ids_differ() {
        let (a, b) = (Keys::new(&[1; 32]), Keys::new(&[2; 32]));
        assert_ne!(a.gift_id(0), a.gift_id(1));
        assert_ne!(a.gift_id(0), b.gift_id(0));
    }
}
