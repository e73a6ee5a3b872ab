//! Where diagnostics collect while a text is read: errors go in, a bounded list in order of discovery comes out.
//!
//! Invariant: never holds more than [`MAX_DIAGNOSTICS`]; once full (or stopped) it stays silent.
use crate::ast::Span;
use crate::diagnostic::{Diagnostic, Severity};
use crate::limits::MAX_DIAGNOSTICS;

#[derive(Debug, Default)]
pub(crate) struct Sink {
    pub list: Vec<Diagnostic>,
    /// Nothing more is wanted: the list is full, or the text was given up.
    pub stopped: bool,
}

impl Sink {
    pub fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        self.push(code, span, message.into(), None);
    }

    pub fn error_help(&mut self, code: &'static str, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.push(code, span, message.into(), Some(help.into()));
    }

    fn push(&mut self, code: &'static str, span: Span, message: String, help: Option<String>) {
        if self.stopped {
            return;
        }
        self.list.push(Diagnostic { severity: Severity::Error, code, message, span, help });
        if self.list.len() >= MAX_DIAGNOSTICS {
            self.stopped = true;
        }
    }
}
