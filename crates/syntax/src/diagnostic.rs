//! What a reader of source text has to say: a code, a place, a message, a remedy.
use crate::ast::Span;

/// The language ladder, smallest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    Json,
    Justin,
    Jessie,
    Jessie2026,
    TinySes,
    Ses,
    Strict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// Stable: `JS-047` for a rule of the ladder, `E-…` for ECMAScript's own syntax and early errors.
    pub code: &'static str,
    pub message: String,
    pub span: Span,
    /// What to write instead.
    pub help: Option<String>,
}
