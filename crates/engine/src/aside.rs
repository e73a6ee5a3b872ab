//! Memory beside the heap that natives work in: lists and texts that may be as large as the heap itself.
//!
//! In: what would be put into a `Vec`. Out: the same; when it is dropped, however the native ends, a large one is given back to the
//! system in slices, one at each look at the meter: at one go that takes tens of milliseconds.
//!
//! Invariants
//! - between two looks no more than `FREED` bytes are given back, and after the turn nothing is left to give back;
//! - lists are of this thread alone, as the turn is.
//!
//! Must never know: what is in it.
use std::cell::{Cell, RefCell};
use std::ops::{Deref, DerefMut};

/// Bytes given back at one go.
const FREED: usize = 2 << 20;
/// A list of more bytes gets room for at least `ROOM`: allocators map so much apart, and then move it without copying (glibc keeps up to
/// 64 MiB in store, from which it would take less); what is never written costs nothing.
const COPIED: usize = 1 << 20;
const ROOM: usize = 66 << 20;

/// A vector that is freed bit by bit.
#[derive(Debug, Default)]
pub struct Aside<T: Copy + 'static>(Vec<T>);

/// Room for `more` bytes behind a text, without ever copying much at one go.
pub(crate) fn reserve(text: &mut String, more: usize) {
    let long = text.len() >= COPIED && text.capacity() - text.len() < more;
    text.reserve(if long { more.max(ROOM) } else { more });
}

/// A vector nobody needs any more.
trait Unneeded {
    /// Gives some of it back; true if nothing is left.
    fn shrink(&mut self) -> bool;
}

thread_local! {
    static ANY: Cell<bool> = const { Cell::new(false) };
    static UNNEEDED: RefCell<Vec<Box<dyn Unneeded>>> = const { RefCell::new(Vec::new()) };
}

impl<T: Copy + 'static> Aside<T> {
    pub fn new() -> Aside<T> {
        Aside(Vec::new())
    }

    pub fn with_capacity(n: usize) -> Aside<T> {
        Aside(Vec::with_capacity(n))
    }

    /// As a vector's, without ever copying much at one go.
    #[inline]
    pub fn push(&mut self, v: T) {
        if self.0.len() == self.0.capacity() {
            self.grow();
        }
        self.0.push(v);
    }

    /// Likewise, before what stands at `at`.
    pub fn insert(&mut self, at: usize, v: T) {
        if self.0.len() == self.0.capacity() {
            self.grow();
        }
        self.0.insert(at, v);
    }

    #[cold]
    fn grow(&mut self) {
        let (n, size) = (self.0.len(), size_of::<T>().max(1));
        if n * size >= COPIED {
            self.0.reserve_exact(n.max(ROOM / size));
        }
    }
}

impl<T: Copy + 'static> Deref for Aside<T> {
    type Target = Vec<T>;
    #[inline]
    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T: Copy + 'static> DerefMut for Aside<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.0
    }
}

impl<T: Copy + 'static> From<Vec<T>> for Aside<T> {
    fn from(v: Vec<T>) -> Aside<T> {
        Aside(v)
    }
}

impl<'a, T: Copy + 'static> IntoIterator for &'a Aside<T> {
    type Item = T;
    type IntoIter = std::iter::Copied<std::slice::Iter<'a, T>>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().copied()
    }
}

/// What a list holds, one by one.
#[derive(Debug)]
pub struct IntoIter<T: Copy + 'static> {
    list: Aside<T>,
    at: usize,
}

impl<T: Copy + 'static> Iterator for IntoIter<T> {
    type Item = T;
    #[inline]
    fn next(&mut self) -> Option<T> {
        let v = self.list.get(self.at).copied();
        self.at += 1;
        v
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.list.len().saturating_sub(self.at);
        (left, Some(left))
    }
}

impl<T: Copy + 'static> IntoIterator for Aside<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;
    fn into_iter(self) -> IntoIter<T> {
        IntoIter { list: self, at: 0 }
    }
}

impl<T: Copy + 'static> Unneeded for Vec<T> {
    fn shrink(&mut self) -> bool {
        let keep = self.capacity().saturating_sub(FREED / size_of::<T>().max(1));
        self.truncate(keep);
        self.shrink_to(keep);
        keep == 0
    }
}

impl<T: Copy + 'static> Drop for Aside<T> {
    #[inline]
    fn drop(&mut self) {
        if self.0.capacity() * size_of::<T>() > FREED {
            let all = std::mem::take(&mut self.0);
            // a thread that ends has nobody to look at a meter: then it is freed at once
            let _ = UNNEEDED.try_with(|list| {
                if let Ok(mut list) = list.try_borrow_mut() {
                    list.push(Box::new(all));
                }
            });
            let _ = ANY.try_with(|any| any.set(true));
        }
    }
}

/// At a look at the meter: gives some memory back.
#[inline]
pub(crate) fn sweep() {
    if ANY.get() {
        some();
    }
}

/// After a turn: gives all of it back.
#[inline]
pub(crate) fn sweep_all() {
    while ANY.get() {
        some();
    }
}

#[cold]
fn some() {
    UNNEEDED.with_borrow_mut(|list| {
        if list.last_mut().is_none_or(|last| last.shrink()) {
            list.pop();
        }
        ANY.set(!list.is_empty());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left() -> usize {
        UNNEEDED.with_borrow(Vec::len)
    }

    #[test]
    fn a_large_list_goes_bit_by_bit_and_a_small_one_at_once() {
        let mut small: Aside<u64> = Aside::new();
        small.extend(0..1000);
        drop(small);
        assert_eq!(left(), 0);
        let large: Aside<u64> = (0..1_000_000).collect::<Vec<_>>().into();
        assert_eq!((&large).into_iter().map(u128::from).sum::<u128>(), 499_999_500_000);
        drop(large);
        assert_eq!(left(), 1);
        let mut looks = 0;
        while left() > 0 {
            sweep();
            looks += 1;
        }
        assert_eq!(looks, 4, "eight megabytes in slices of two");
        let mut grown = Aside::new();
        (0..300_000u32).for_each(|i| grown.push(i));
        assert!(grown.capacity() * 4 >= ROOM && (&grown).into_iter().eq(0..300_000));
        drop(grown);
        assert_eq!(left(), 1);
        sweep_all();
        assert_eq!((left(), ANY.get()), (0, false));
    }
}
