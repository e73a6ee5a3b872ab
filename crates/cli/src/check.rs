//! `drses check`: levels and rules.
//!
//! In: files. Out: diagnostics, as text on stderr or one JSON object a line on stdout.
use clap::Args;
use host::{bundle, output};
use std::io::IsTerminal;
use std::path::PathBuf;
use syntax::ast::Goal;
use syntax::diagnostic::{Diagnostic, Level, Severity};

#[derive(Args)]
pub struct Check {
    /// Source files (a folder means its main.js)
    #[arg(required_unless_present = "rules", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Language level: json justin jessie jessie-2026 tinyses ses strict
    #[arg(long, value_parser = super::level)]
    level: Option<Level>,
    /// One JSON object a line: file, line, column, endLine, endColumn, code, level, message, help
    #[arg(long)]
    json: bool,
    /// List the rules of the ladder
    #[arg(long)]
    rules: bool,
    /// Read the files as scripts, not modules
    #[arg(long)]
    script: bool,
}

pub fn run(c: &Check) -> i32 {
    if c.rules {
        return i32::from(!output::data(&rules(c.json)));
    }
    let mut errors = 0usize;
    for file in &c.files {
        let file = bundle::entry_file(file);
        let name = file.display().to_string();
        let (source, diagnostics) = match bundle::read(&file) {
            Ok(source) => {
                let found = check(&source, c);
                (source, found)
            }
            Err(f) => (String::new(), f.diagnostics),
        };
        errors += diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
        if diagnostics.is_empty() {
            continue;
        }
        if c.json {
            if !output::data(&syntax::render::render_json(&name, &source, &diagnostics)) {
                return 1;
            }
        } else {
            let color = std::io::stderr().is_terminal();
            host::output::note(&syntax::render::render(&name, &source, &diagnostics, color));
        }
    }
    if errors > 0 && !c.json {
        host::tell!("{errors} error{}", if errors == 1 { "" } else { "s" });
    }
    i32::from(errors > 0)
}

fn check(source: &str, c: &Check) -> Vec<Diagnostic> {
    let level = bundle::level_of(source, c.level);
    let goal = match level {
        Level::Json | Level::Justin => Goal::Expression,
        _ if c.script => Goal::Script,
        _ => Goal::Module,
    };
    syntax::parse(source, &syntax::Options { goal, level, dialect_2013: false }).diagnostics
}

/// One rule a line.
fn rules(json: bool) -> String {
    let mut out = String::new();
    for r in syntax::rules() {
        if json {
            out.push_str(&format!("{{\"code\":\"{}\",\"checked\":{},\"summary\":{}}}\n", r.code, r.checked, quoted(r.message)));
        } else {
            let checked = if r.checked { "checked" } else { "not checked" };
            out.push_str(&format!("{:8} {checked:11} {}\n", r.code, r.message));
        }
    }
    out
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for ch in text.chars() {
        match ch {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
