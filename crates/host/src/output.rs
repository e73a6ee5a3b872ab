//! What goes to the terminal.
//!
//! In: lines of programs, faults, endings. Out: bytes on stdout and stderr.
//!
//! Invariants
//! - data goes to stdout, all else to stderr;
//! - on a terminal, control and bidirectional characters of programs' text are escaped.
use crate::bundle::Fault;
use node::{Report, Trouble};
use passable::{Aborted, Line, VatId};
use std::io::{IsTerminal, Write};

/// Lines of an aborted turn that are shown.
const MAX_ABORTED_LINES: usize = 50;

/// Escapes what could make a terminal lie.
pub fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let bidi = matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{61C}');
        if (c.is_control() && c != '\n' && c != '\t') || bidi {
            out.push_str(&format!("\\u{{{:x}}}", c as u32));
        } else {
            out.push(c);
        }
    }
    out
}

/// Writes the lines of a committed turn.
pub fn release(lines: &[Line]) -> std::io::Result<()> {
    let (out, err) = (std::io::stdout(), std::io::stderr());
    let (tty_out, tty_err) = (out.is_terminal(), err.is_terminal());
    let mut out = std::io::BufWriter::new(out.lock());
    let mut err = err.lock();
    for l in lines {
        let tty = if l.error { tty_err } else { tty_out };
        let text = if tty { safe(&l.text) } else { l.text.clone() };
        if l.error {
            out.flush()?;
            writeln!(err, "{text}")?;
        } else {
            writeln!(out, "{text}")?;
        }
    }
    out.flush()
}

/// Writes data to stdout. False if that failed; it is said why, unless the reader has gone.
pub fn data(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// True if writing went well; says why it did not, unless the reader has gone.
pub fn written(result: std::io::Result<()>) -> bool {
    if let Err(e) = &result
        && e.kind() != std::io::ErrorKind::BrokenPipe
    {
        eprintln!("error[E-OUTPUT]: cannot write to standard output: {e}");
        eprintln!("  help: make room, or send the output elsewhere");
    }
    result.is_ok()
}

/// Shows on stderr what an aborted turn had printed, marked.
pub fn aborted_lines(lines: &[Line]) {
    for l in lines.iter().take(MAX_ABORTED_LINES) {
        eprintln!("[aborted turn] {}", safe(&l.text));
    }
    if lines.len() > MAX_ABORTED_LINES {
        eprintln!("[aborted turn] … {} more lines", lines.len() - MAX_ABORTED_LINES);
    }
}

fn remedy(message: &str) -> &'static str {
    match message {
        "limit: instructions per turn" => "give the turn more with --max-instructions, or split the work over turns",
        "limit: heap bytes" => "give the vat more with --max-heap, or keep less",
        "limit: call depth" => "recurse less deeply, or use a loop",
        "limit: nested native calls" => "getters, toString and toJSON that call each other nest too deeply",
        _ => "run it again; if it happens again, report it",
    }
}

/// Reports an exception nobody caught; the last line of stderr is the error itself.
pub fn uncaught(text: &str) {
    eprintln!("error[E-UNCAUGHT]: an exception was not caught; the turn's effects before it stand");
    eprintln!("  help: catch it in the program, or mend what throws it");
    eprintln!("{}", safe(text));
}

/// Reports the rejection of what start returned.
pub fn start_rejected(text: &str) {
    eprintln!("error[E-START]: the promise that start returned was rejected");
    eprintln!("  help: mend what rejects it, or handle it inside start");
    eprintln!("{}", safe(text));
}

/// Reports a rejection nobody handled.
pub fn unhandled(text: &str) {
    eprintln!("error[E-UNHANDLED]: a promise was rejected and nobody handled it");
    eprintln!("  help: add `.catch(…)`, or await it inside try and catch");
    eprintln!("{}", safe(text));
}

/// Reports an aborted turn.
pub fn aborted(why: &Aborted) {
    eprintln!("error[E-LIMIT]: the turn was aborted and its effects undone");
    eprintln!("  help: {}", remedy(&why.message));
    eprintln!("{}", safe(&why.text()));
}

/// A program that cannot be started.
pub fn nothing_to_start(file: &str) {
    eprintln!("error[E-START]: {} exports no function to start", safe(file));
    eprintln!("  help: make its `default` export (or, if it has none, `start`) a function; it is called with `powers`");
}

/// Reports an error that nobody in any vat handled, with what led to it.
pub fn report(r: &Report, name: impl Fn(VatId) -> String) {
    let message = r.text.strip_prefix("RangeError: ").unwrap_or(&r.text);
    let (code, what, help) = match r.kind {
        Trouble::Unhandled => ("E-UNHANDLED", "a promise was rejected and nobody handled it", "add `.catch(…)`, or await it inside try and catch"),
        Trouble::Uncaught => ("E-UNCAUGHT", "an exception was not caught; the turn's effects before it stand", "catch it in the program, or mend what throws it"),
        Trouble::Limit => ("E-LIMIT", "the turn was aborted and its effects undone", remedy(message)),
        Trouble::Paused => ("E-PAUSED", "the vat is paused: it takes no more deliveries", "its state cannot be trusted, or it could not even be told of an error; start it again"),
    };
    eprintln!("error[{code}]: {what}");
    for (i, c) in r.causes.iter().enumerate() {
        let vat = c.id.vat.0;
        let (lead, name) = (if i == 0 { "in" } else { "because of" }, name(c.id.vat));
        eprintln!("  {lead} vat {vat} ({}), turn {}: {}", safe(&name), c.id.turn, safe(&c.cause.to_string()));
    }
    eprintln!("  help: {help}");
    eprintln!("{}", safe(&r.text));
}

/// Reports source faults as text.
pub fn faults(list: &[Fault]) {
    for f in list {
        eprint!("{}", fault_text(f));
    }
}

/// One fault as text: the source lines if there are any.
pub fn fault_text(f: &Fault) -> String {
    let mut out = String::new();
    for d in &f.diagnostics {
        if f.source.is_empty() {
            out.push_str(&format!("error[{}]: {}\n", d.code, safe(&d.message)));
            if let Some(h) = &d.help {
                out.push_str(&format!("  help: {h}\n"));
            }
        } else {
            out.push_str(&syntax::render::render(&f.file, &f.source, std::slice::from_ref(d), false));
        }
    }
    out
}
