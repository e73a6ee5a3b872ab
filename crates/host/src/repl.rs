//! The read-eval-print loop: one entry is one turn in the start compartment.
//!
//! In: lines. Out: values shown, errors; history in memory.
//!
//! Invariants
//! - an entry that could go on (open brackets, an open template) asks for more lines;
//! - an error never ends the loop, nor does Ctrl-C while an entry runs.
use crate::output;
use crate::run::{Options, report};
use crate::signals::Turns;
use passable::Ending;
use rustyline::error::ReadlineError;
use std::io::{BufRead, IsTerminal};
use syntax::ast::Goal;
use syntax::diagnostic::Level;
use vat::{Code, Shared, Vat};

const HELP: &str = "\
An entry is a script of one turn. Top-level let and const are local to it: share through globalThis.
  .help   this text
  .exit   leave (so does Ctrl-D); Ctrl-C drops the entry, or interrupts it if it runs
";

/// Reads entries until the end of input.
pub fn run(options: &Options) -> i32 {
    let mut vat = match Shared::new(options.unlocked).and_then(|s| Vat::new(&s, passable::VatId(1), options.quota)) {
        Ok(mut v) => {
            if let Ok(key) = crate::powers::Powers::hash_key() {
                v.machine().draw_hash_key(key);
            }
            v
        }
        Err(e) => {
            eprintln!("error[E-MEMORY]: cannot reserve memory for a vat: {e}");
            return 1;
        }
    };
    let level = options.level.unwrap_or(Level::Ses);
    let turns = Turns::of(&mut vat);
    let mut eval = |entry: &str| eval(&mut vat, &turns, entry, level);
    if std::io::stdin().is_terminal() { terminal(&mut eval) } else { piped(&mut eval) }
}

fn terminal(eval: &mut dyn FnMut(&str) -> bool) -> i32 {
    let Ok(mut editor) = rustyline::DefaultEditor::new() else { return piped(eval) };
    eprintln!("drses: .help for help");
    let mut entry = String::new();
    loop {
        match editor.readline(if entry.is_empty() { "> " } else { "… " }) {
            Ok(line) => {
                if entry.is_empty() && line.trim() == ".exit" {
                    return 0;
                }
                if entry.is_empty() && line.trim() == ".help" {
                    eprint!("{HELP}");
                    continue;
                }
                entry.push_str(&line);
                entry.push('\n');
                if !unfinished(&entry) {
                    let _ = editor.add_history_entry(entry.trim_end());
                    eval(&entry);
                    entry.clear();
                }
            }
            Err(ReadlineError::Interrupted) => entry.clear(),
            Err(_) => return 0,
        }
    }
}

fn piped(eval: &mut dyn FnMut(&str) -> bool) -> i32 {
    let mut entry = String::new();
    let mut fine = true;
    for line in std::io::stdin().lock().split(b'\n') {
        let Ok(line) = line else { return 1 };
        let Ok(line) = String::from_utf8(line) else {
            eprintln!("error[E-UTF8]: a line of standard input is not UTF-8; its entry is dropped");
            eprintln!("  help: send UTF-8");
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
            fine &= eval(&entry);
            entry.clear();
        }
    }
    if !entry.trim().is_empty() {
        fine &= eval(&entry);
    }
    i32::from(!fine)
}

/// Codes of what may stand open over lines: templates and comments.
const OPEN: &[&str] = &["E-TEMPLATE", "E-COMMENT"];

/// Does the entry end inside something? (It has errors, and all of them stand at its very end.)
fn unfinished(entry: &str) -> bool {
    let options = syntax::Options { goal: Goal::Script, ..Default::default() };
    let parsed = syntax::parse(entry, &options);
    let end = entry.trim_end().len() as u32;
    parsed.has_errors() && parsed.diagnostics.iter().all(|d| d.span.start >= end || OPEN.contains(&d.code))
}

fn eval(vat: &mut Vat, turns: &Turns, entry: &str, level: Level) -> bool {
    if entry.trim().is_empty() {
        return true;
    }
    match crate::bundle::compile(std::path::Path::new("repl"), entry, Goal::Script, Some(level), true) {
        Ok(unit) => {
            let (t, _) = turns.run(|| vat.run(Code::Entry(unit)));
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
