//! What goes to the terminal.
//!
//! In: lines of programs, faults, endings. Out: bytes on stdout and stderr.
//!
//! Invariants
//! - data goes to stdout, all else to stderr;
//! - nobody may read what is told on stderr (a pipe whose reader has gone, a full disk): that ends nothing, least of all in the midst of
//!   a step, as a panic would;
//! - on a terminal, control and bidirectional characters of programs' text are escaped.
use crate::bundle::Fault;
use node::{Report, Trouble};
use passable::{Aborted, Line, Place, Trace, VatId};
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use syntax::render::json_string;

/// Tells a line on stderr, as `eprintln!` does, which panics if it cannot be written.
#[macro_export]
macro_rules! tell {
    ($($text:tt)*) => { $crate::output::note(&format!("{}\n", format_args!($($text)*))) };
}

/// Tells text on stderr. Whoever has gone is not told.
pub fn note(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

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

/// Lines of programs go to stderr: stdout is for the answer of a call.
static ASIDE: AtomicBool = AtomicBool::new(false);

/// Has lines of programs written to stderr from now on.
pub fn programs_aside() {
    ASIDE.store(true, Ordering::Relaxed);
}

/// Writes the lines of a committed turn.
pub fn release(lines: &[Line]) -> std::io::Result<()> {
    let aside = ASIDE.load(Ordering::Relaxed);
    let (out, err) = (std::io::stdout(), std::io::stderr());
    let (tty_out, tty_err) = (out.is_terminal(), err.is_terminal());
    let mut out = std::io::BufWriter::new(out.lock());
    let mut err = err.lock();
    for l in lines {
        let error = l.error || aside;
        let tty = if error { tty_err } else { tty_out };
        let text = if tty { safe(&l.text) } else { l.text.clone() };
        if error {
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
        crate::tell!("error[E-OUTPUT]: cannot write to standard output: {e}");
        crate::tell!("  help: make room, or send the output elsewhere");
    }
    result.is_ok()
}

/// Shows on stderr what an aborted turn had printed, marked.
pub fn aborted_lines(lines: &[Line]) {
    for l in lines.iter().take(MAX_ABORTED_LINES) {
        crate::tell!("[aborted turn] {}", safe(&l.text));
    }
    if lines.len() > MAX_ABORTED_LINES {
        crate::tell!("[aborted turn] … {} more lines", lines.len() - MAX_ABORTED_LINES);
    }
}

fn remedy(message: &str) -> &'static str {
    match message {
        "limit: instructions per turn" => "give the turn more with --max-instructions, or split the work over turns",
        "limit: heap bytes" => "give the vat more with --max-heap, or keep less",
        "limit: call depth" => "recurse less deeply, or use a loop",
        "limit: nested native calls" => "getters, toString and toJSON that call each other nest too deeply",
        INTERRUPTED => INTERRUPT_HELP,
        "limit: messages per turn" => "send fewer messages in one turn: let a timer or an answer begin the next ones",
        _ => "run it again; if it happens again, report it",
    }
}

/// What a turn says that was ended by `Machine::set_interrupt`.
pub const INTERRUPTED: &str = "interrupted";

/// Errors are told as JSON, one object a line.
static AS_JSON: AtomicBool = AtomicBool::new(false);

/// Has errors told as JSON from now on.
pub fn tell_as_json() {
    AS_JSON.store(true, Ordering::Relaxed);
}

fn as_json() -> bool {
    AS_JSON.load(Ordering::Relaxed)
}

/// An error, as the operator is told of it.
struct Told<'a> {
    code: &'a str,
    what: &'a str,
    /// What led to it, a line each.
    causes: Vec<String>,
    places: &'a [Place],
    help: &'a str,
    /// `Name: message` or `Uncaught: value`.
    text: &'a str,
}

impl Told<'_> {
    /// On stderr; the last line is the error itself.
    fn tell(&self) {
        if as_json() {
            crate::tell!("{}", self.json());
            return;
        }
        crate::tell!("error[{}]: {}", self.code, self.what);
        for place in self.places {
            crate::tell!("  at {}", safe(&place_text(place)));
        }
        for cause in &self.causes {
            crate::tell!("  {}", safe(cause));
        }
        crate::tell!("  help: {}", self.help);
        crate::tell!("{}", safe(self.text));
    }

    fn json(&self) -> String {
        let (name, message) = self.text.split_once(": ").unwrap_or((self.text, ""));
        let place = self.places.first().map(|p| (p.file.as_str(), p.line, p.column));
        let trace = self.places.iter().map(place_text).chain(self.causes.iter().cloned()).collect::<Vec<_>>();
        json_line(self.code, name, message, place, self.help, &trace)
    }
}

fn place_text(p: &Place) -> String {
    let Place { function, file, line, column } = p;
    if function.is_empty() { format!("{file}:{line}:{column}") } else { format!("{function} ({file}:{line}:{column})") }
}

/// `{"code","name","message","file","line","column","remedy","trace"}`; without a place the three are null.
fn json_line(code: &str, name: &str, message: &str, place: Option<(&str, u32, u32)>, remedy: &str, trace: &[String]) -> String {
    let (file, line, column) = match place {
        Some((file, line, column)) => (json_string(file), line.to_string(), column.to_string()),
        None => ("null".to_owned(), "null".to_owned(), "null".to_owned()),
    };
    let trace: Vec<String> = trace.iter().map(|line| json_string(line)).collect();
    format!(
        "{{\"code\":{},\"name\":{},\"message\":{},\"file\":{file},\"line\":{line},\"column\":{column},\"remedy\":{},\"trace\":[{}]}}",
        json_string(code),
        json_string(name),
        json_string(message),
        json_string(remedy),
        trace.join(",")
    )
}

const UNCAUGHT: (&str, &str, &str) = (
    "E-UNCAUGHT",
    "an exception was not caught; the turn's effects before it stand",
    "catch it in the program, or mend what throws it",
);
const UNHANDLED: (&str, &str, &str) =
    ("E-UNHANDLED", "a promise was rejected and nobody handled it", "add `.catch(…)`, or await it inside try and catch");

/// Where the error with this text came from.
fn places<'t>(traces: &'t [Trace], text: &str) -> &'t [Place] {
    traces.iter().find(|t| t.text == text).map_or(&[], |t| &t.places)
}

/// Reports an exception nobody caught.
pub fn uncaught(text: &str, traces: &[Trace]) {
    let (code, what, help) = UNCAUGHT;
    Told { code, what, help, causes: Vec::new(), places: places(traces, text), text }.tell();
}

/// Reports the rejection of what start returned.
pub fn start_rejected(text: &str, places: &[Place]) {
    let what = "the promise that start returned was rejected";
    let help = "mend what rejects it, or handle it inside start";
    Told { code: "E-START", what, help, causes: Vec::new(), places, text }.tell();
}

/// Reports a rejection nobody handled.
pub fn unhandled(text: &str, traces: &[Trace]) {
    let (code, what, help) = UNHANDLED;
    Told { code, what, help, causes: Vec::new(), places: places(traces, text), text }.tell();
}

/// Reports an aborted turn.
pub fn aborted(why: &Aborted) {
    let text = why.text();
    let interrupted = why.message == INTERRUPTED;
    let code = if interrupted { "E-INTERRUPTED" } else { "E-LIMIT" };
    let what = if interrupted {
        "the turn was interrupted and its effects undone"
    } else {
        "the turn was aborted and its effects undone"
    };
    Told { code, what, help: remedy(&why.message), causes: Vec::new(), places: &[], text: &text }.tell();
}

/// A turn that was ended because the process ends; `kept`: what it was about is in the store.
pub fn interrupted(vat: &str, kept: bool) {
    let what = "the turn was interrupted and its effects undone";
    let help = if kept { "its message is kept: the same command begins it again" } else { INTERRUPT_HELP };
    let text = format!("{}: interrupted", safe(vat));
    Told { code: "E-INTERRUPTED", what, help, causes: Vec::new(), places: &[], text: &text }.tell();
}

const INTERRUPT_HELP: &str = "limit a turn's work with --max-instructions, or split it over turns";

/// Four fifths of a vat's heap are in use: once for each vat, so that its operator can act before turns are aborted.
pub fn near_limit(vat: VatId, name: &str) {
    let message = format!("vat {} ({}) uses more than 80 % of its heap", vat.0, safe(name));
    let help = "give it more with --max-heap, or let it keep less: turns that need more will be aborted";
    if as_json() {
        crate::tell!("{}", json_line("W-HEAP", "Warning", &message, None, help, &[]));
    } else {
        crate::tell!("warning[W-HEAP]: {message}\n  help: {help}");
    }
}

/// A program that cannot be started.
pub fn nothing_to_start(file: &str) {
    let message = format!("{} exports no function to start", safe(file));
    let help = "make its `default` export (or, if it has none, `start`) a function; it is called with `powers`";
    if as_json() {
        crate::tell!("{}", json_line("E-START", "Error", &message, Some((file, 1, 1)), help, &[]));
    } else {
        crate::tell!("error[E-START]: {message}\n  help: {help}");
    }
}

/// Reports an error that nobody in any vat handled, with what led to it.
pub fn report(r: &Report, name: impl Fn(VatId) -> String) {
    let message = r.text.strip_prefix("RangeError: ").unwrap_or(&r.text);
    let (code, what, help) = match r.kind {
        Trouble::Unhandled => UNHANDLED,
        Trouble::Uncaught => UNCAUGHT,
        Trouble::Limit => ("E-LIMIT", "the turn was aborted and its effects undone", remedy(message)),
        Trouble::Paused => (
            "E-PAUSED",
            "the vat is paused: it takes no more deliveries",
            "its state cannot be trusted, or it could not even be told of an error; start it again",
        ),
    };
    let cause = |(i, c): (usize, &node::TurnRecord)| {
        let lead = if i == 0 { "in" } else { "because of" };
        format!("{lead} vat {} ({}), turn {}: {}", c.id.vat.0, name(c.id.vat), c.id.turn, c.cause)
    };
    let causes = r.causes.iter().enumerate().map(cause).collect();
    Told { code, what, help, causes, places: &r.places, text: &r.text }.tell();
}

/// Reports source faults as text.
pub fn faults(list: &[Fault]) {
    for f in list {
        if as_json() {
            fault_lines(f).iter().for_each(|line| crate::tell!("{line}"));
        } else {
            note(&fault_text(f));
        }
    }
}

/// One fault as JSON, a line for each diagnostic.
fn fault_lines(f: &Fault) -> Vec<String> {
    let index = syntax::LineIndex::new(&f.source);
    let line = |d: &syntax::diagnostic::Diagnostic| {
        let at = index.place(d.span.start);
        let name = if f.source.is_empty() { "Error" } else { "SyntaxError" };
        let help = d.help.as_deref().unwrap_or("");
        json_line(d.code, name, &d.message, Some((&f.file, at.line, at.column)), help, &[])
    };
    f.diagnostics.iter().map(line).collect()
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

/// A store that does not open, or does not do what it was asked.
pub fn store_error(e: &store::Error) {
    problem(&e.clone().into());
}

/// A failed write or sync: what is on the disk is not known, so the process ends, and what it did since is forgotten.
pub fn store_failed(e: &store::Error) -> ! {
    store_error(e);
    crate::tell!("the process ends; what was durable stays: type the same command again");
    std::process::exit(1)
}

/// The state cannot be kept any longer.
pub fn fatal(code: &str, what: &str) -> ! {
    crate::tell!("error[{code}]: {}", safe(what));
    crate::tell!("  help: type the same command again; if it happens again, restore the store from a backup");
    std::process::exit(1)
}

pub fn disk_full(e: &store::Error) {
    store_error(e);
    crate::tell!("no turn begins until there is room again");
}

/// The program's files are not those that the state was made by.
pub fn changed(folder: &std::path::Path, files: &[String]) {
    let what = format!("the program has changed since the state in {} was made; nothing was run", folder.display());
    let help = "--continue goes on with the code as it was; --fresh moves the old state aside and begins anew";
    if as_json() {
        let changed: Vec<String> = files.iter().map(|f| format!("changed: {f}")).collect();
        crate::tell!("{}", json_line("E-CHANGED", "Error", &what, None, help, &changed));
        return;
    }
    crate::tell!("error[E-CHANGED]: {}", safe(&what));
    for f in files {
        crate::tell!("  changed: {}", safe(f));
    }
    crate::tell!("  help: {help}");
}

/// Says so if vats are paused and messages wait for them: the program is not at its end.
pub fn stuck(node: &node::Node) -> bool {
    let mut any = false;
    for vat in node.vats() {
        let (waiting, _) = node.queue(vat);
        if node.is_paused(vat) && waiting > 0 {
            any = true;
            let name = safe(node.name(vat));
            crate::tell!(
                "note: vat {} ({name}) is paused; waiting for it: {waiting}. `drses vat resume {}` lets it go on",
                vat.0,
                vat.0
            );
        }
    }
    any
}

/// A program that is resumed and has nothing to do.
pub fn nothing_left() {
    crate::tell!("note: the program was at its end, nothing is left to do; --fresh begins anew");
}

/// What an operator's command came to grief on, with a code, a cause and a remedy.
pub fn problem(p: &crate::operate::Problem) {
    if as_json() {
        crate::tell!("{}", json_line(&p.code, "Error", &p.message, None, &p.help, &[]));
        return;
    }
    crate::tell!("error[{}]: {}", p.code, safe(&p.message));
    crate::tell!("  help: {}", safe(&p.help));
}

/// Where traces go, and what entries of this process are told apart by.
static TRACE: std::sync::Mutex<Option<(std::io::BufWriter<std::fs::File>, String)>> = std::sync::Mutex::new(None);

/// Makes the file that traces go to; what goes wrong is told. `host`: what this host is called.
pub fn open_trace(path: &std::path::Path, host: &str) -> Result<(), i32> {
    match std::fs::OpenOptions::new().create(true).append(true).open(path) {
        Ok(f) => {
            // a host may have many processes, one after the other
            let begun = micros() / 1000;
            let process = format!("{}-{begun:x}-{:x}", host.get(..8).unwrap_or(host), std::process::id());
            *TRACE.lock().unwrap_or_else(|e| e.into_inner()) = Some((std::io::BufWriter::new(f), process));
            Ok(())
        }
        Err(e) => {
            crate::tell!("error[E-TRACE]: cannot write {}: {e}\n  help: choose another file with --trace", path.display());
            Err(2)
        }
    }
}

/// Since 1970.
fn micros() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64)
}

/// Appends entries to the trace. A disk that is full ends the trace, not the program.
pub fn trace(entries: &[(trace::Entry, String)]) {
    let mut file = TRACE.lock().unwrap_or_else(|e| e.into_inner());
    let Some((f, process)) = file.as_mut() else { return };
    let us = micros();
    let wrote =
        entries.iter().try_for_each(|(e, name)| writeln!(f, "{}", trace::line(e, name, process, us))).and_then(|()| f.flush());
    if let Err(e) = wrote {
        crate::tell!("error[E-TRACE]: the trace ends here: {e}\n  help: make room");
        *file = None;
    }
}
