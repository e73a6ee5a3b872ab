//! What can go wrong, each with a code, a cause and a remedy.
//!
//! The kind is for programs, the text for the person who runs the host. A kind says what may be done next: after `Full` from `reserve`
//! nothing has changed and the store goes on; after `Poisoned` or `Fenced` this handle will never commit again; `Damaged` concerns one
//! space alone.

use std::fmt;
use std::io;

/// The result of everything in this room that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The disk has no room. Nothing was changed.
    Full,
    /// The files cannot be opened for writing.
    ReadOnly,
    /// Another handle has the store open.
    Locked,
    /// Written by a newer version of the format.
    NewerVersion,
    /// Not the store that was asked for.
    OtherIdentity,
    /// There is no store here.
    Missing,
    /// There is something where a new store was to be made.
    Exists,
    /// A file is shorter than what was made durable in it.
    Truncated,
    /// Something that was made durable cannot be read; the store refuses to open.
    Corrupt,
    /// An extent of one space cannot be read; everything else can.
    Damaged,
    /// A write or a sync failed earlier; what is on disk is not known.
    Poisoned,
    /// A newer opening has taken over.
    Fenced,
    /// An argument is beyond a limit of the store.
    Limit,
    /// The system refused; the cause says what.
    Io,
}

impl ErrorKind {
    /// The stable code.
    pub fn code(self) -> &'static str {
        self.row().0
    }

    /// What to do.
    pub fn remedy(self) -> &'static str {
        self.row().1
    }

    fn row(self) -> (&'static str, &'static str) {
        match self {
            ErrorKind::Full => ("E-STORE-FULL", "free space on the disk, then go on; nothing was changed"),
            ErrorKind::ReadOnly => ("E-STORE-READ-ONLY", "make the folder and its files writable for this user"),
            ErrorKind::Locked => ("E-STORE-LOCKED", "stop the other process, or ask it over its control socket"),
            ErrorKind::NewerVersion => ("E-STORE-NEWER", "use the version that wrote this store, or a later one"),
            ErrorKind::OtherIdentity => ("E-STORE-IDENTITY", "check the path: this is the store of another host"),
            ErrorKind::Missing => ("E-STORE-MISSING", "check the path, or allow the store to be made"),
            ErrorKind::Exists => ("E-STORE-EXISTS", "name an empty folder; nothing was changed"),
            ErrorKind::Truncated => ("E-STORE-TRUNCATED", "restore the store from a backup"),
            ErrorKind::Corrupt => ("E-STORE-CORRUPT", "restore the store from a backup; nothing was changed on disk"),
            ErrorKind::Damaged => ("E-STORE-DAMAGED", "restore this space from a backup; all other spaces can be read"),
            ErrorKind::Poisoned => {
                ("E-STORE-POISONED", "end the process and look at the disk; opening again recovers what is durable")
            }
            ErrorKind::Fenced => ("E-STORE-FENCED", "end this process; the newer opening goes on"),
            ErrorKind::Limit => ("E-STORE-LIMIT", "make the batch smaller; nothing was changed"),
            ErrorKind::Io => ("E-STORE-IO", "look at the cause; nothing was changed"),
        }
    }
}

/// A failure: kind and cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    cause: String,
}

impl Error {
    pub fn new(kind: ErrorKind, cause: impl Into<String>) -> Error {
        Error { kind, cause: cause.into() }
    }

    /// A failure of the system while doing `what`, its kind read from the system's own.
    pub fn io(what: impl fmt::Display, error: &io::Error) -> Error {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::ReadOnly,
            io::ErrorKind::NotFound => ErrorKind::Missing,
            _ => ErrorKind::Io,
        };
        Error { kind, cause: format!("{what}: {error}") }
    }

    /// A failure to sync, whatever the system calls it: a full disk that shows only now has lost something already.
    pub fn sync(what: impl fmt::Display, error: &io::Error) -> Error {
        Error { kind: ErrorKind::Io, cause: format!("syncing {what}: {error}") }
    }

    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// What happened, to what.
    pub fn cause(&self) -> &str {
        &self.cause
    }

    pub fn remedy(&self) -> &'static str {
        self.kind.remedy()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.code(), self.cause, self.remedy())
    }
}

impl std::error::Error for Error {}
