//! A known mistake that can be switched on, to prove that the checks find it. In a normal build there is none.

/// Whether it is on.
#[derive(Clone, Copy, Default)]
pub(crate) struct Faults {
    #[cfg(feature = "seeded-bugs")]
    caches_kept: bool,
}

impl Faults {
    /// Caches outlive an aborted turn: shapes that it made, and that are no more, are found again in the objects of the next turn, whose
    /// shapes lie where those lay.
    #[cfg(feature = "seeded-bugs")]
    pub fn keep_caches(&mut self) {
        self.caches_kept = true;
    }

    pub fn caches_kept(self) -> bool {
        #[cfg(feature = "seeded-bugs")]
        return self.caches_kept;
        #[cfg(not(feature = "seeded-bugs"))]
        false
    }
}
