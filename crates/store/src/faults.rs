//! Known mistakes that can be switched on, to prove that the checks find them. In a normal build there are none.

/// A mistake.
#[cfg(any(test, feature = "seeded-bugs"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Recovery takes a frame without comparing its checksum.
    TornTailAccepted,
    /// Recovery takes any whole frame that it finds, whatever it follows.
    StaleFrameAdopted,
    /// A merge writes over extents that the last superblock still names.
    ExtentRecycledEarly,
    /// A segment is used again before the superblock says that it is merged.
    SegmentRecycledEarly,
    /// The log is reported durable without a sync.
    SyncSkipped,
    /// The superblock names extents that were not synced.
    ExtentSyncSkipped,
}

/// Which mistake is on.
#[derive(Clone, Copy, Default)]
pub(crate) struct Faults {
    #[cfg(any(test, feature = "seeded-bugs"))]
    bug: Option<Bug>,
}

#[cfg(any(test, feature = "seeded-bugs"))]
impl Faults {
    pub(crate) fn new(bug: Option<Bug>) -> Faults {
        Faults { bug }
    }
    pub(crate) fn any(self) -> bool {
        self.bug.is_some()
    }
    pub(crate) fn torn_tail_accepted(self) -> bool {
        self.bug == Some(Bug::TornTailAccepted)
    }
    pub(crate) fn stale_frame_adopted(self) -> bool {
        self.bug == Some(Bug::StaleFrameAdopted)
    }
    pub(crate) fn extent_recycled_early(self) -> bool {
        self.bug == Some(Bug::ExtentRecycledEarly)
    }
    pub(crate) fn segment_recycled_early(self) -> bool {
        self.bug == Some(Bug::SegmentRecycledEarly)
    }
    pub(crate) fn sync_skipped(self) -> bool {
        self.bug == Some(Bug::SyncSkipped)
    }
    pub(crate) fn extent_sync_skipped(self) -> bool {
        self.bug == Some(Bug::ExtentSyncSkipped)
    }
}

#[cfg(not(any(test, feature = "seeded-bugs")))]
impl Faults {
    pub(crate) fn any(self) -> bool {
        false
    }
    pub(crate) fn torn_tail_accepted(self) -> bool {
        false
    }
    pub(crate) fn stale_frame_adopted(self) -> bool {
        false
    }
    pub(crate) fn extent_recycled_early(self) -> bool {
        false
    }
    pub(crate) fn segment_recycled_early(self) -> bool {
        false
    }
    pub(crate) fn sync_skipped(self) -> bool {
        false
    }
    pub(crate) fn extent_sync_skipped(self) -> bool {
        false
    }
}
