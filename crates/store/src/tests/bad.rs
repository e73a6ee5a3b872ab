//! Placeholder while the files are made.
