#![forbid(unsafe_code)]
//! Source text in; a tree, diagnostics and scopes out.
//!
//! Must never know: the engine, files, the terminal.
#[rustfmt::skip]
pub mod ast;
pub mod desugar;
pub mod diagnostic;
pub mod level;
mod lexer;
pub mod limits;
pub mod line_index;
mod parser;
mod regexp;
pub mod render;
pub mod rules;
pub mod scope;
mod sink;

pub use level::level_marker;
pub use line_index::LineIndex;
pub use rules::{Rule, rules};

use ast::{Goal, Span, Tree};
use diagnostic::{Diagnostic, Level, Severity};

/// How to read a source.
#[derive(Clone, Debug)]
pub struct Options {
    pub goal: Goal,
    pub level: Level,
    /// `x ! m(a)` is read as `x ~. m(a)`.
    pub dialect_2013: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { goal: Goal::Script, level: Level::Strict, dialect_2013: false }
    }
}

/// A tree is always given; it may be run only if no diagnostic is an error.
#[derive(Debug)]
pub struct Parsed {
    pub tree: Tree,
    pub diagnostics: Vec<Diagnostic>,
}

impl Parsed {
    /// True if some diagnostic is an error: the tree may not be run.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

/// What the place a source is run at can handle, beyond its level.
#[derive(Clone, Copy, Debug, Default)]
pub struct Permits {
    /// Levels ses and strict: `import(…)` has a compartment that handles it.
    pub import_call: bool,
}

/// Reads a source text. Never fails and never panics.
pub fn parse(source: &str, options: &Options) -> Parsed {
    parse_with(source, options, Permits::default())
}

/// As [`parse`], with permits.
pub fn parse_with(source: &str, options: &Options, permits: Permits) -> Parsed {
    if source.len() > limits::MAX_SOURCE_BYTES {
        let message = format!("the text is {} bytes long; {} are read", source.len(), limits::MAX_SOURCE_BYTES);
        return refused("E-SIZE", Span::default(), message, options);
    }
    // The two smallest levels have expressions only, whatever the file is.
    let goal = if options.level <= Level::Justin { Goal::Expression } else { options.goal };
    let output = parser::run(source, &Options { goal, ..options.clone() });
    let (mut tree, mut diagnostics) = (output.tree, output.diagnostics);
    diagnostics.extend(scope::analyse(&mut tree));
    if options.level == Level::Json {
        diagnostics.splice(0..0, rules::check_json(source));
    }
    // The smaller levels read only what strict ECMAScript accepts.
    if diagnostics.is_empty() {
        diagnostics = rules::check(&tree, source, &output.notes, options.level, permits);
    }
    diagnostics.truncate(limits::MAX_DIAGNOSTICS);
    Parsed { tree, diagnostics }
}

/// Reads a source text that has still to be shown to be UTF-8.
pub fn parse_bytes(source: &[u8], options: &Options) -> Parsed {
    match std::str::from_utf8(source) {
        Ok(text) => parse(text, options),
        Err(error) => {
            let at = error.valid_up_to().min(limits::MAX_SOURCE_BYTES) as u32;
            let message = format!("byte {at} of the text is not UTF-8");
            refused("E-UTF8", Span { start: at, end: at }, message, options)
        }
    }
}

/// The empty program, and why nothing was read.
fn refused(code: &'static str, span: Span, message: String, options: &Options) -> Parsed {
    let empty = Options { goal: Goal::Script, ..options.clone() };
    let mut tree = parser::run("", &empty).tree;
    tree.goal = options.goal;
    scope::analyse(&mut tree);
    Parsed { tree, diagnostics: vec![Diagnostic { severity: Severity::Error, code, message, span, help: None }] }
}
