//! How the source names what is called, for messages.
//!
//! In: a source and a place in it. Out: a path such as `a.b.c`, if it is plain and short.
//!
//! Must never know: the heap.

/// Bytes of a callee's name that are shown.
const MAX_NAME: usize = 60;

fn in_path(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '$' | '?' | '#')
}

/// `a.b.c` where it ends at `end` and is called there.
pub fn path_to(source: &str, end: usize) -> Option<String> {
    let (before, behind) = (source.get(..end)?, source.get(end..)?.trim_start());
    if !behind.starts_with(['(', '`']) && !behind.starts_with("?.") {
        return None;
    }
    let path = &before[before.rfind(|c| !in_path(c)).map_or(0, |i| i + before[i..].chars().next().map_or(1, char::len_utf8))..];
    let head = if path.starts_with(['.', '?']) { "(…)" } else { "" };
    let plain = !path.is_empty() && path.len() <= MAX_NAME && !path.starts_with(|c: char| c.is_ascii_digit());
    plain.then(|| format!("{head}{path}"))
}

/// `a.b.c` of the `new a.b.c` at `start`.
pub fn path_from(source: &str, start: usize) -> Option<String> {
    let rest = source.get(start..)?.strip_prefix("new")?.trim_start();
    let path = &rest[..rest.find(|c| !in_path(c)).unwrap_or(rest.len())];
    let whole = !rest[path.len()..].starts_with(['[', '`']);
    (whole && !path.is_empty() && path.len() <= MAX_NAME).then(|| path.to_owned())
}
