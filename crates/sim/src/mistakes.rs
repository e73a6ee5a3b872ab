//! Mistakes that a host could make, made on purpose: each must be found.
//!
//! In: a name. Out: a world that makes the mistake. They live in the simulated host, not in the code that hosts share; those of the store
//! and the one of the engine are their own (`store::Bug`, `Machine::keep_caches`, with the feature `seeded-bugs`).

/// One mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A delivery counts as consumed when its turn begins, not with its changes.
    ConsumedEarly,
    /// Output leaves when its batch is in the log, not when it is durable.
    ReleasedEarly,
    /// A delivery that was consumed is delivered again after a crash.
    DeliveredTwice,
    /// A patch is left out of a turn's changes.
    PatchLeftOut,
    /// A resolution whose turn is aborted is forgotten.
    WakeUpLost,
    /// Delays of a vat that leaves memory are forgotten.
    TimerLost,
    /// A vat leaves memory before its changes are in the store.
    SleepsEarly,
    /// Lines that may not have been written are not written again.
    OutputLost,
    /// Caches of a vat outlive its aborted turn: shapes that are no more are found in other objects.
    #[cfg(feature = "seeded-bugs")]
    ShapeReused,
    /// One of the store's own.
    #[cfg(feature = "seeded-bugs")]
    Store(store::Bug),
}

/// Those of the host, with their names on the command line.
pub const ALL: &[(&str, Mistake)] = &[
    ("consumed-early", Mistake::ConsumedEarly),
    ("released-early", Mistake::ReleasedEarly),
    ("delivered-twice", Mistake::DeliveredTwice),
    ("patch-left-out", Mistake::PatchLeftOut),
    ("wake-up-lost", Mistake::WakeUpLost),
    ("timer-lost", Mistake::TimerLost),
    ("sleeps-early", Mistake::SleepsEarly),
    ("output-lost", Mistake::OutputLost),
    #[cfg(feature = "seeded-bugs")]
    ("shape-reused", Mistake::ShapeReused),
];
