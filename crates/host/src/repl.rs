//! The read-eval-print loop: one entry is one turn in the start compartment.
//!
//! In: lines. Out: values shown, errors; history in memory.
//!
//! Invariants
//! - an entry that could go on (open brackets, an open template) asks for more lines;
//! - an error never ends the loop;
//! - with a state, what an entry did is durable before its output is seen; an entry whose process died is as if it had not been.
use crate::operate::{Problem, problem};
use crate::output;
use crate::run::{Options, report};
use crate::signals::Turns;
use crate::state;
use journal::Journal;
use node::{Config, Node};
use passable::{Ending, VatId};
use rustyline::error::ReadlineError;
use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use syntax::ast::Goal;
use syntax::diagnostic::Level;
use vat::{Code, Shared, Vat};

const HELP: &str = "\
An entry is a script of one turn. Top-level let and const are local to it: share through globalThis.
  .help   this text
  .exit   leave (so does Ctrl-D); Ctrl-C drops the entry, or interrupts it if it runs
";

/// A vat, and where its turns are kept.
struct Session {
    vat: Vat,
    turns: Turns,
    level: Level,
    kept: Option<Kept>,
}

struct Kept {
    shared: Arc<Shared>,
    journal: Journal,
    node: Node,
    _opened: state::Opened,
}

const VAT: VatId = VatId(1);

/// Reads entries until the end of input.
pub fn run(folder: Option<&Path>, options: &Options) -> i32 {
    let made = match folder {
        None => Shared::new(options.unlocked).map_err(no_memory).and_then(|s| fresh(&s, options)).map(|vat| (vat, None)),
        Some(folder) => opened(folder, options),
    };
    let (mut vat, kept) = match made {
        Ok(made) => made,
        Err(p) => {
            output::problem(&p);
            return 1;
        }
    };
    let turns = Turns::of(&mut vat);
    let mut session = Session { vat, turns, level: options.level.unwrap_or(Level::Ses), kept };
    let code = if std::io::stdin().is_terminal() { terminal(&mut session) } else { piped(&mut session) };
    if let Some(k) = &session.kept
        && let Err(e) = k.journal.store().seal()
    {
        output::store_failed(&e);
    }
    code
}

fn no_memory(e: std::io::Error) -> Problem {
    problem("E-MEMORY", format!("cannot reserve memory for a vat: {e}"), "raise the limit of address space (ulimit -v)")
}

/// A new vat whose strings have a key.
fn fresh(shared: &Shared, options: &Options) -> Result<Vat, Problem> {
    let mut vat = Vat::new(shared, VAT, options.quota).map_err(no_memory)?;
    let no_random = |e| problem("E-RANDOM", format!("the system gives no random bytes: {e}"), "try again");
    vat.set_hash_key(crate::powers::Powers::hash_key().map_err(no_random)?);
    Ok(vat)
}

/// A vat as its store has it.
fn opened(folder: &Path, options: &Options) -> Result<(Vat, Option<Kept>), Problem> {
    let shared = Arc::new(Shared::new(options.unlocked).map_err(no_memory)?);
    let opened = state::open(folder, true)?;
    let mut journal = Journal::new(opened.store.clone());
    if journal.files()?.is_some() {
        let message = format!("{} holds the state of a program, not of a REPL", folder.display());
        return Err(problem("E-STATE", message, "name another folder, or use `drses vat call`"));
    }
    // checks that the store has the base of this build
    journal.restore_programs(&shared)?;
    let woken = journal::wake(journal.store(), &shared, VAT, options.quota)?;
    let vat = match woken {
        Some(mut vat) => {
            journal.woke(VAT, &mut vat, &shared);
            vat.record();
            vat
        }
        None => {
            let mut vat = fresh(&shared, options)?;
            vat.record();
            journal.mark_repl(&shared);
            vat
        }
    };
    let node = Node::new(Config { durable: true, ..Config::default() }, Box::new(Nothing));
    Ok((vat, Some(Kept { shared, journal, node, _opened: opened })))
}

/// A REPL has no programs.
struct Nothing;

impl node::Programs for Nothing {
    fn named_by(&self, _: u64, specifier: &str) -> Result<u64, String> {
        Err(format!("a REPL knows no {specifier}"))
    }
    fn name(&self, _: u64) -> String {
        "repl".to_owned()
    }
}

impl Session {
    /// One turn; it is durable before anything of it is seen.
    fn turn(&mut self, code: Code) -> passable::TurnOutcome {
        let vat = &mut self.vat;
        let (outcome, _) = self.turns.run(|| vat.run(code));
        let Some(k) = &mut self.kept else { return outcome };
        if let Some(why) = self.vat.unread() {
            output::fatal("E-STATE", &crate::wake::unread(&why));
        }
        if matches!(outcome.ending, Ending::Aborted(_)) {
            return outcome;
        }
        let changes = self.vat.take_changes();
        if let Err(why) = k.journal.turn(VAT, &changes, &k.shared) {
            output::fatal("E-STATE", &format!("the changes of the entry cannot be stored: {why}"));
        }
        let ledger = k.journal.ledger.clone();
        if let Some(batch) = k.journal.take(&mut k.node) {
            let synced = ledger.append(batch).and_then(|a| ledger.sync(vec![a]));
            synced.unwrap_or_else(|e| output::store_failed(&e));
        }
        outcome
    }
}

fn terminal(session: &mut Session) -> i32 {
    let Ok(mut editor) = rustyline::DefaultEditor::new() else { return piped(session) };
    crate::tell!("drses: .help for help");
    let mut entry = String::new();
    loop {
        match editor.readline(if entry.is_empty() { "> " } else { "… " }) {
            Ok(line) => {
                if entry.is_empty() && line.trim() == ".exit" {
                    return 0;
                }
                if entry.is_empty() && line.trim() == ".help" {
                    output::note(HELP);
                    continue;
                }
                entry.push_str(&line);
                entry.push('\n');
                if !unfinished(&entry) {
                    let _ = editor.add_history_entry(entry.trim_end());
                    eval(session, &entry);
                    entry.clear();
                }
            }
            Err(ReadlineError::Interrupted) => entry.clear(),
            Err(_) => return 0,
        }
    }
}

fn piped(session: &mut Session) -> i32 {
    let mut entry = String::new();
    let mut fine = true;
    for line in std::io::stdin().lock().split(b'\n') {
        let Ok(line) = line else { return 1 };
        let Ok(line) = String::from_utf8(line) else {
            crate::tell!("error[E-UTF8]: a line of standard input is not UTF-8; its entry is dropped");
            crate::tell!("  help: send UTF-8");
            fine = false;
            entry.clear();
            continue;
        };
        if entry.is_empty() && line.trim() == ".exit" {
            break;
        }
        entry.push_str(&line);
        entry.push('\n');
        if !unfinished(&entry) {
            fine &= eval(session, &entry);
            entry.clear();
        }
    }
    if !entry.trim().is_empty() {
        fine &= eval(session, &entry);
    }
    i32::from(!fine)
}

/// Codes of what may stand open over lines: templates and comments.
const OPEN: &[&str] = &["E-TEMPLATE", "E-COMMENT"];

/// Does the entry end inside something? (It has errors, and all of them stand at its very end.)
pub(crate) fn unfinished(entry: &str) -> bool {
    let end = entry.trim_end().len() as u32;
    // as a module it may wait at its top level
    let parsed = [Goal::Script, Goal::Module].map(|goal| syntax::parse(entry, &syntax::Options { goal, ..Default::default() }));
    let open = |p: &syntax::Parsed| p.diagnostics.iter().all(|d| d.span.start >= end || OPEN.contains(&d.code));
    parsed.iter().all(syntax::Parsed::has_errors) && parsed.iter().any(open)
}

fn eval(session: &mut Session, entry: &str) -> bool {
    if entry.trim().is_empty() {
        return true;
    }
    match crate::bundle::compile(std::path::Path::new("repl"), entry, Goal::Script, Some(session.level), true) {
        Ok(unit) => {
            let t = session.turn(Code::Entry(unit));
            let fine = report(&t);
            match &t.ending {
                Ending::Value(text) => output::data(&format!("{}\n", output::safe(text))) && fine,
                _ => fine,
            }
        }
        Err(f) => {
            output::faults(&[f]);
            false
        }
    }
}
