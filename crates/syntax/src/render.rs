//! Diagnostics as people and programs read them: source and diagnostics in, text out.
//!
//! Invariant: nothing of the source reaches a terminal as a control character.
//!
//! Must never know: where the text goes, whether a terminal is there.
use crate::diagnostic::{Diagnostic, Severity};
use crate::line_index::LineIndex;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::fmt::Write;

/// Text with arrows under the places, as rustc prints it; `color` puts ANSI colours in.
pub fn render(file: &str, source: &str, diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let file = escape(file);
    let index = LineIndex::new(source);
    let mut out = String::new();
    for d in diagnostics {
        // Only the lines of the place are shown, so only they are looked at.
        let (from, to) = index.lines_around(d.span.start, d.span.end);
        let first_line = index.place(from as u32).line as usize;
        let (text, offsets) = printable(&source[from..to]);
        let place = |offset: u32| offsets.map((offset as usize).clamp(from, to) - from);
        let (start, end) = (place(d.span.start), place(d.span.end));
        let level = if d.severity == Severity::Error { Level::ERROR } else { Level::WARNING };
        let (message, help) = (escape(&d.message), d.help.as_deref().map(escape));
        let snippet = Snippet::source(&text)
            .line_start(first_line)
            .path(&file)
            .annotation(AnnotationKind::Primary.span(start..end.max(start)));
        let mut group = level.primary_title(&message).id(d.code).element(snippet);
        if let Some(help) = &help {
            group = group.element(Level::HELP.message(help));
        }
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    out
}

/// One JSON object a line.
pub fn render_json(file: &str, source: &str, diagnostics: &[Diagnostic]) -> String {
    let index = LineIndex::new(source);
    let mut out = String::new();
    for d in diagnostics {
        let (start, end) = (index.place(d.span.start), index.place(d.span.end));
        let level = if d.severity == Severity::Error { "error" } else { "warning" };
        let help = d.help.as_deref().map_or("null".to_string(), json_string);
        let _ = writeln!(
            out,
            "{{\"file\":{},\"line\":{},\"column\":{},\"endLine\":{},\"endColumn\":{},\"code\":{},\"level\":\"{level}\",\"message\":{},\"help\":{help}}}",
            json_string(file),
            start.line,
            start.column,
            end.line,
            end.column,
            json_string(d.code),
            json_string(&d.message),
        );
    }
    out
}

/// Control and bidirectional-formatting characters: they could forge what a terminal shows.
fn is_harmful(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t'
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}')
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            let _ = write!(out, "\\u{{{:x}}}", c as u32);
        } else {
            out.push(c);
        }
    }
    out
}

/// Where the offsets of a source went when it was made printable.
struct Offsets {
    /// Pairs (offset in the source, growth up to there), rising.
    shifts: Vec<(usize, usize)>,
    len: usize,
}

impl Offsets {
    fn map(&self, offset: usize) -> usize {
        let offset = offset.min(self.len);
        let before = self.shifts.partition_point(|s| s.0 <= offset);
        offset + before.checked_sub(1).map_or(0, |i| self.shifts[i].1)
    }
}

/// The source with harmful characters written as escapes. A carriage return before a line feed stays out of sight.
fn printable(source: &str) -> (String, Offsets) {
    let mut text = String::with_capacity(source.len());
    let mut shifts = Vec::new();
    for (at, c) in source.char_indices() {
        let line_end = c == '\r' && source[at + 1..].starts_with('\n');
        if is_harmful(c) && !line_end {
            let _ = write!(text, "\\u{{{:x}}}", c as u32);
            let next = at + c.len_utf8();
            shifts.push((next, text.len() - next));
        } else {
            text.push(c);
        }
    }
    (text, Offsets { shifts, len: source.len() })
}

/// A string of JSON, without characters that could make a terminal lie.
pub fn json_string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() || is_harmful(c) => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
