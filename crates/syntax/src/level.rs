//! The names of the levels, and the marker by which a source names its own.
//!
//! Must never know: what the levels forbid.
use crate::diagnostic::Level;

impl Level {
    pub const ALL: [Level; 7] =
        [Level::Json, Level::Justin, Level::Jessie, Level::Jessie2026, Level::TinySes, Level::Ses, Level::Strict];

    pub fn name(self) -> &'static str {
        match self {
            Level::Json => "json",
            Level::Justin => "justin",
            Level::Jessie => "jessie",
            Level::Jessie2026 => "jessie-2026",
            Level::TinySes => "tinyses",
            Level::Ses => "ses",
            Level::Strict => "strict",
        }
    }

    pub fn from_name(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// The level that a comment `// @jessie-check` or a directive `'use jessie'` before the first statement asks for.
pub fn level_marker(source: &str) -> Option<Level> {
    let mut rest = source.strip_prefix('\u{feff}').unwrap_or(source);
    if rest.starts_with("#!") {
        rest = rest.split_once('\n').map_or("", |(_, after)| after);
    }
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("//") {
            let (text, after) = comment.split_once(['\n', '\r']).unwrap_or((comment, ""));
            if text.split_whitespace().next() == Some("@jessie-check") {
                return Some(Level::Jessie);
            }
            rest = after;
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/")?.1;
        } else if let Some(quote) = rest.chars().next().filter(|&c| c == '\'' || c == '"') {
            let (text, after) = rest[1..].split_once(quote)?;
            if text == "use jessie" {
                return Some(Level::Jessie);
            }
            // Another directive, if nothing but a semicolon or a line end follows.
            let next = after.trim_start_matches([' ', '\t']);
            if text.contains(['\n', '\\']) || !(next.starts_with([';', '\n', '\r']) || next.is_empty()) {
                return None;
            }
            rest = next.strip_prefix(';').unwrap_or(next);
        } else {
            return None;
        }
    }
}
