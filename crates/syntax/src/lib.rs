#![forbid(unsafe_code)]
//! Source text in; a tree, diagnostics and scopes out.
//!
//! Must never know: the engine, files, the terminal.
pub mod ast;
pub mod diagnostic;

use ast::{Goal, Tree};
use diagnostic::{Diagnostic, Level};

/// How to read a source.
#[derive(Clone, Debug)]
pub struct Options {
    pub goal: Goal,
    pub level: Level,
    /// `x ! m(a)` is read as `x ~. m(a)`.
    pub dialect_2013: bool,
}

/// A tree is always given; it may be run only if no diagnostic is an error.
#[derive(Debug)]
pub struct Parsed {
    pub tree: Tree,
    pub diagnostics: Vec<Diagnostic>,
}
