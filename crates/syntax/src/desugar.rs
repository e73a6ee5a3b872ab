//! `~.` away: a source text in, the same text in plain ECMAScript out.
//!
//! ```text
//! x ~. m(a)    → E(x).m(a)      x ~. [i](a) → E(x)[i](a)      x ~. (a) → E(x)(a)
//! x ~. p       → E.get(x).p     x ~. [i]    → E.get(x)[i]
//! ```
//! Where the value of a call is not used, `E.sendOnly(x)` stands in the place of `E(x)`.
//!
//! Invariants
//! - the text is changed at sends alone; all between, comments and line ends included, stays byte for byte;
//! - what comes out reads as the same tree, with calls of `E` in the places of sends;
//! - no recursion: a send is a list of edits, however deep it stands.
//!
//! Must never know: where `E` comes from at run time.
use crate::ast::{BindingKind, Expr, SendForm, Span, Tree};
use crate::diagnostic::{Diagnostic, Severity};
use crate::{Options, parse};

/// At `at`, `len` bytes are replaced by `text`.
struct Edit {
    at: usize,
    len: usize,
    /// Of two edits at one place the outer send's comes first: the one that ends last.
    end: usize,
    text: String,
}

/// The text without `~.`, or why it cannot be read or rewritten.
pub fn desugar(source: &str, options: &Options) -> Result<String, Vec<Diagnostic>> {
    let parsed = parse(source, options);
    if parsed.has_errors() {
        return Err(parsed.diagnostics.into_iter().filter(|d| d.severity == Severity::Error).collect());
    }
    let tree = &parsed.tree;
    let mut edits = Vec::new();
    for (expr, span) in tree.exprs.iter().zip(&tree.expr_spans) {
        if let Expr::Send { target, form, send_only, .. } = expr {
            edit(source, tree.expr_spans[target.index()], *span, opening(form, *send_only), form, &mut edits);
        }
    }
    if let (false, Some(span)) = (edits.is_empty(), own_e(tree)) {
        let message = "the text declares a name `E` of its own, which would hide the function that sends".to_owned();
        let help = Some("give it another name".to_owned());
        return Err(vec![Diagnostic { severity: Severity::Error, code: "E-DESUGAR", message, span, help }]);
    }
    Ok(apply(source, edits))
}

fn opening(form: &SendForm, send_only: bool) -> &'static str {
    match form {
        SendForm::Get(_) | SendForm::GetIndex(_) => "E.get(",
        _ if send_only => "E.sendOnly(",
        _ => "E(",
    }
}

/// Where the text declares `E`, an import aside.
fn own_e(tree: &Tree) -> Option<Span> {
    let is_e = |b: &&crate::ast::Binding| tree.name(b.name) == [u16::from(b'E')];
    let own = |b: &&crate::ast::Binding| !matches!(b.kind, BindingKind::Import(_));
    tree.bindings.iter().filter(is_e).find(own).map(|b| b.span)
}

/// The edits of one send: around its target, and where `~.` stands.
fn edit(source: &str, target: Span, send: Span, opening: &str, form: &SendForm, edits: &mut Vec<Edit>) {
    let (start, end) = (target.start as usize, target.end as usize);
    // `await(x) ~. m()`: the word must not grow
    let glued = source[..start]
        .chars()
        .next_back()
        .is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '\u{200C}' | '\u{200D}'));
    let space = if glued { " " } else { "" };
    edits.push(Edit { at: start, len: 0, end: send.end as usize, text: format!("{space}{opening}") });

    let before = trivia(&source[end..]);
    let mark = end + before;
    let width = if source[mark..].starts_with("~.") { 2 } else { 1 };
    let after = trivia(&source[mark + width..]);
    let dot = if matches!(form, SendForm::Get(_) | SendForm::Method(_)) { "." } else { "" };
    let text = format!("){}{dot}{}", kept(&source[end..mark]), kept(&source[mark + width..mark + width + after]));
    edits.push(Edit { at: end, len: before + width + after, end: send.end as usize, text });
}

/// The length of the spaces, line ends and comments that a text begins with.
fn trivia(text: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let spaces = rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}').len();
        at += spaces;
        let rest = &text[at..];
        let comment = if rest.starts_with("//") {
            rest.find(['\n', '\r', '\u{2028}', '\u{2029}']).unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |i| i + 2)
        } else {
            0
        };
        if spaces == 0 && comment == 0 {
            return at;
        }
        at += comment;
    }
}

/// Spaces around `~.` go; line ends and comments stay.
fn kept(trivia: &str) -> &str {
    if trivia.chars().all(|c| c == ' ' || c == '\t') { "" } else { trivia }
}

fn apply(source: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by(|a, b| a.at.cmp(&b.at).then(b.end.cmp(&a.end)));
    let mut out = String::with_capacity(source.len() + 4 * edits.len());
    let mut at = 0;
    for e in edits {
        assert!(at <= e.at, "the edits of sends do not overlap");
        out.push_str(&source[at..e.at]);
        out.push_str(&e.text);
        at = e.at + e.len;
    }
    out.push_str(&source[at..]);
    out
}
