//! The bytes of data: a few stand in place, without an allocation.
//!
//! In: bytes, one after another. Out: a slice.
use std::ops::Deref;

/// Bytes that stand in place: a message with a short name and a number, an answer that is a number.
pub const FEW: usize = 23;

/// See the head.
#[derive(Clone)]
pub struct Body(Repr);

#[derive(Clone)]
enum Repr {
    Few { len: u8, bytes: [u8; FEW] },
    Many(Vec<u8>),
}

impl Body {
    pub const fn new() -> Body {
        Body(Repr::Few { len: 0, bytes: [0; FEW] })
    }
    #[inline]
    pub fn push(&mut self, b: u8) {
        match &mut self.0 {
            Repr::Few { len, bytes } if (*len as usize) < FEW => {
                bytes[*len as usize] = b;
                *len += 1;
            }
            Repr::Few { .. } => self.many(1).push(b),
            Repr::Many(v) => v.push(b),
        }
    }
    #[inline]
    pub fn extend_from_slice(&mut self, more: &[u8]) {
        match &mut self.0 {
            Repr::Few { len, bytes } if more.len() <= FEW - *len as usize => {
                bytes[*len as usize..][..more.len()].copy_from_slice(more);
                *len += more.len() as u8;
            }
            Repr::Few { .. } => self.many(more.len()).extend_from_slice(more),
            Repr::Many(v) => v.extend_from_slice(more),
        }
    }
    /// The bytes in memory of their own, with room for more.
    #[cold]
    fn many(&mut self, more: usize) -> &mut Vec<u8> {
        let mut v = Vec::with_capacity((self.len() + more).max(2 * FEW));
        v.extend_from_slice(self);
        self.0 = Repr::Many(v);
        match &mut self.0 {
            Repr::Many(v) => v,
            Repr::Few { .. } => unreachable!("made just above"),
        }
    }
}

impl Default for Body {
    fn default() -> Body {
        Body::new()
    }
}

impl Deref for Body {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Few { len, bytes } => &bytes[..*len as usize],
            Repr::Many(v) => v,
        }
    }
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Body {
        let mut b = Body::new();
        b.extend_from_slice(bytes);
        b
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Body) -> bool {
        **self == **other
    }
}
impl Eq for Body {}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_are_the_same_wherever_they_stand() {
        for n in 0..3 * FEW {
            let all: Vec<u8> = (0..n as u8).collect();
            let (mut a, mut b) = (Body::new(), Body::new());
            all.iter().for_each(|x| a.push(*x));
            let (head, tail) = all.split_at(n / 3);
            b.extend_from_slice(head);
            b.extend_from_slice(tail);
            assert_eq!(*a, all[..]);
            assert_eq!(a, b);
            assert_eq!(Body::from(&all[..]), a.clone());
        }
    }
}
