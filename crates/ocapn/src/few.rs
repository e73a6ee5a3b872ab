//! Small collections that take no memory of their own in the usual case, or keep what they have.
//!
//! Invariants
//! - `Few`: what came first stands in place; `more` is empty if that is not there;
//! - `Marked`: sorted, each once.

/// A list, mostly of one.
#[derive(Clone)]
pub(crate) struct Few<T> {
    first: Option<T>,
    more: Vec<T>,
}

impl<T> Default for Few<T> {
    fn default() -> Few<T> {
        Few { first: None, more: Vec::new() }
    }
}

impl<T> Few<T> {
    pub fn push(&mut self, item: T) {
        match self.first {
            None => self.first = Some(item),
            Some(_) => self.more.push(item),
        }
        debug_assert!(self.first.is_some(), "there is one at least");
    }
    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(&self.more)
    }
    pub fn retain(&mut self, keeps: impl Fn(&T) -> bool) {
        self.more.retain(&keeps);
        if self.first.as_ref().is_some_and(|f| !keeps(f)) {
            self.first = if self.more.is_empty() { None } else { Some(self.more.remove(0)) };
        }
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<std::option::IntoIter<T>, std::vec::IntoIter<T>>;
    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.more)
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Few<T> {
        let mut items = items.into_iter();
        let first = items.next();
        Few { first, more: items.collect() }
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Few<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// What is to be looked at later: mostly few, marked and taken again and again.
#[derive(Debug)]
pub(crate) struct Marked<T>(Vec<T>);

impl<T> Default for Marked<T> {
    fn default() -> Marked<T> {
        Marked(Vec::new())
    }
}

impl<T: Ord + Copy> Marked<T> {
    pub fn insert(&mut self, item: T) {
        // mostly it is there already, and alone
        if self.0.last() != Some(&item)
            && let Err(at) = self.0.binary_search(&item)
        {
            self.0.insert(at, item);
        }
    }
    pub fn remove(&mut self, item: &T) {
        if let Ok(at) = self.0.binary_search(item) {
            self.0.remove(at);
        }
    }
    pub fn extend(&mut self, items: impl IntoIterator<Item = T>) {
        items.into_iter().for_each(|i| self.insert(i));
    }
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// All marks, in order, with their memory; give that back by `put_back`.
    pub fn take(&mut self) -> Vec<T> {
        std::mem::take(&mut self.0)
    }
    /// Those of the marks taken that stay, in order.
    pub fn put_back(&mut self, marks: Vec<T>) {
        debug_assert!(marks.is_sorted(), "marks are as they were taken");
        if self.0.is_empty() {
            self.0 = marks;
        } else {
            self.extend(marks);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_a_list() {
        let mut seed = 1u64;
        let (mut few, mut list) = (Few::default(), Vec::new());
        for _ in 0..10_000 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let n = (seed >> 40) % 4;
            if seed >> 61 < 4 && list.len() < 6 {
                few.push(n);
                list.push(n);
            } else {
                few.retain(|x| *x != n);
                list.retain(|x| *x != n);
            }
            assert_eq!((few.len(), few.is_empty()), (list.len(), list.is_empty()));
            assert_eq!(few.iter().collect::<Vec<_>>(), list.iter().collect::<Vec<_>>());
            assert_eq!(few.clone().into_iter().collect::<Vec<_>>(), list);
            assert_eq!(format!("{few:?}"), format!("{list:?}"));
        }
    }

    #[test]
    fn marks_are_in_order_and_once() {
        let mut marked = Marked::default();
        marked.extend([3, 1, 2, 3, 1]);
        marked.remove(&2);
        marked.remove(&7);
        assert_eq!(marked.iter().copied().collect::<Vec<i32>>(), [1, 3]);
        let taken = marked.take();
        assert_eq!(taken, [1, 3]);
        marked.insert(2);
        marked.put_back(taken);
        assert_eq!(marked.take(), [1, 2, 3]);
        marked.put_back(vec![5, 6]);
        assert_eq!(marked.take(), [5, 6]);
    }
}
