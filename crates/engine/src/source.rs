//! A source text as a code unit.
//!
//! In: a text, its goal and level. Out: a unit, or diagnostics.
use crate::code::CodeUnit;
use crate::compile::{self, CompileOptions};
use syntax::ast::Goal;
use syntax::diagnostic::{Level, Severity};

/// Parses and compiles; what is wrong comes back as diagnostics.
pub fn compile_source(
    source: &str,
    name: &str,
    goal: Goal,
    level: Level,
    completion: bool,
) -> Result<CodeUnit, Vec<syntax::diagnostic::Diagnostic>> {
    let parsed = syntax::parse(source, &syntax::Options { goal, level, dialect_2013: false });
    if parsed.has_errors() {
        return Err(parsed.diagnostics.into_iter().filter(|d| d.severity == Severity::Error).collect());
    }
    let options =
        CompileOptions { builtin: false, hardened_functions: level <= Level::Jessie2026, script_completion: completion };
    compile::compile(&parsed.tree, source.into(), name, &options).map_err(|e| {
        vec![syntax::diagnostic::Diagnostic {
            severity: Severity::Error,
            code: e.code,
            message: e.message,
            span: e.span,
            help: e.help,
        }]
    })
}
