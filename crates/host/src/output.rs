//! What goes to the terminal.
//!
//! In: lines of programs, faults, endings. Out: bytes on stdout and stderr.
//!
//! Invariants
//! - data goes to stdout, all else to stderr;
//! - on a terminal, control and bidirectional characters of programs' text are escaped.
use crate::bundle::Fault;
use engine::cx::{Abort, OutputLine};
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
pub fn release(lines: &[OutputLine]) -> std::io::Result<()> {
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
pub fn aborted_lines(lines: &[OutputLine]) {
    for l in lines.iter().take(MAX_ABORTED_LINES) {
        eprintln!("[aborted turn] {}", safe(&l.text));
    }
    if lines.len() > MAX_ABORTED_LINES {
        eprintln!("[aborted turn] … {} more lines", lines.len() - MAX_ABORTED_LINES);
    }
}

/// The text of an aborted turn's error.
pub fn abort_text(why: Abort) -> String {
    match why {
        Abort::Interrupted => "Error: interrupted".to_owned(),
        Abort::Corrupt => "Error: the heap is damaged".to_owned(),
        _ => format!("RangeError: {}", why.message()),
    }
}

fn remedy(why: Abort) -> &'static str {
    match why {
        Abort::Instructions => "give the turn more with --max-instructions, or split the work over turns",
        Abort::Heap => "give the vat more with --max-heap, or keep less",
        Abort::Depth => "recurse less deeply, or use a loop",
        Abort::NativeDepth => "getters, toString and toJSON that call each other nest too deeply",
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
pub fn aborted(why: Abort) {
    eprintln!("error[E-LIMIT]: the turn was aborted and its effects undone");
    eprintln!("  help: {}", remedy(why));
    eprintln!("{}", abort_text(why));
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
