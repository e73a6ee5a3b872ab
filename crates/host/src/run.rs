//! Running scripts and programs.
//!
//! In: paths and options. Out: an exit code; output is released turn by turn.
//!
//! Invariants
//! - nothing a turn wrote is released before the turn is committed;
//! - exit codes: 0 done, 1 an error nobody handled or a source error, 2 no such file or nothing in it to start, 130 Ctrl-C.
use crate::bundle::{self, Fault};
use crate::output;
use crate::pool::STACK_BYTES;
use crate::powers::Powers;
use crate::signals::{INTERRUPTED_CODE, Turns};
use passable::{Ending, PromiseId, TurnOutcome, VatId};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use syntax::ast::Goal;
use syntax::diagnostic::Level;
use vat::{Code, Quota, Shared, Vat};

/// How to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub level: Option<Level>,
    pub unlocked: bool,
    pub quota: Quota,
    /// The limits in `quota` were asked for: a program that is resumed has them from now on.
    pub limits_asked: (bool, bool),
    /// What happens is written to this file, one JSON object a line.
    pub trace: Option<PathBuf>,
    pub net: crate::net::Options,
}

/// Runs `body` on a thread with a stack for turns.
pub fn on_big_stack<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|s| {
        let t = std::thread::Builder::new().name("turns".into()).stack_size(STACK_BYTES).spawn_scoped(s, body);
        match t.map(|t| t.join()) {
            Ok(Ok(v)) => v,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(e) => {
                crate::tell!("error[E-THREAD]: cannot start a thread: {e}");
                std::process::exit(1)
            }
        }
    })
}

/// Milliseconds since the first reading.
fn clock() -> f64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed().as_secs_f64() * 1e3
}

fn new_vat(options: &Options) -> Result<Vat, i32> {
    let made = Shared::new(options.unlocked).and_then(|s| Vat::new(&s, VatId(1), options.quota));
    let keyed = made.and_then(|vat| Ok((vat, Powers::hash_key()?)));
    let lent = keyed.map(|(mut vat, key)| {
        vat.machine().draw_hash_key(key);
        if options.unlocked {
            vat.machine().set_clock(clock);
        }
        vat
    });
    lent.map_err(|e| no_memory(&e))
}

fn no_memory(e: &std::io::Error) -> i32 {
    crate::tell!("error[E-MEMORY]: cannot reserve memory for a vat: {e}\n  help: raise the limit of address space (ulimit -v)");
    1
}

/// Runs scripts in order in one start compartment.
pub fn scripts(files: &[PathBuf], options: &Options) -> i32 {
    let mut vat = match new_vat(options) {
        Ok(v) => v,
        Err(code) => return code,
    };
    let turns = Turns::of(&mut vat);
    for file in files {
        let level = options.level.or(Some(Level::Ses));
        let unit = bundle::read(file).and_then(|s| bundle::compile(file, &s, Goal::Script, level, false));
        match unit {
            Ok(unit) => {
                let (turn, interrupted) = turns.run(|| vat.run(Code::Script(unit)));
                let fine = report(&turn);
                if interrupted {
                    return INTERRUPTED_CODE;
                }
                if !fine {
                    return 1;
                }
            }
            Err(f) => {
                let code = exit_code(std::slice::from_ref(&f), file);
                output::faults(&[f]);
                return code;
            }
        }
    }
    0
}

/// Releases what a turn brought. True if nothing went wrong in it.
pub fn report(t: &TurnOutcome) -> bool {
    match &t.ending {
        Ending::Aborted(why) => {
            output::aborted_lines(&t.output);
            output::aborted(why);
            false
        }
        ending => {
            if !output::written(output::release(&t.output)) {
                return false;
            }
            for u in &t.unhandled {
                output::unhandled(u, &t.traces);
            }
            if let Ending::Threw(text) = ending {
                output::uncaught(text, &t.traces);
            }
            t.unhandled.is_empty() && !matches!(ending, Ending::Threw(_))
        }
    }
}

/// Runs a program: its modules, then its `default` (or `start`) export with its powers, and the vats it makes.
pub fn program(path: &Path, args: &[String], options: &Options) -> i32 {
    let shared = match Shared::new(options.unlocked) {
        Ok(s) => Arc::new(s),
        Err(e) => return no_memory(&e),
    };
    let entry = bundle::entry_file(path);
    let program = match shared.install(&entry.display().to_string(), options.level, &mut bundle::Files) {
        Ok(p) => p,
        Err(faults) => {
            output::faults(&faults);
            return exit_code(&faults, &entry);
        }
    };
    let limits = passable::Limits { heap_bytes: options.quota.heap_bytes, instructions: options.quota.instructions };
    let (powers, imports) = powers(args, &options.net);
    let config = node::Config { trace: options.trace.is_some(), ..node::Config::default() };
    let node = node::Node::new(config, Box::new(crate::pool::Named(shared.clone())));
    let start = Some(node::Event::Start { program, powers, limits, imports });
    let net = match crate::net::Net::prepare(&options.net, None) {
        Ok(net) => net,
        Err(p) => {
            output::problem(&p);
            return 1;
        }
    };
    if let Some(file) = &options.trace
        && let Err(code) = output::open_trace(file, net.designator())
    {
        return code;
    }
    let mode = crate::pool::Mode::Run;
    let job = crate::begin::Job { shared, node, journal: None, start, unclean: false, mode, paused: false, limits: None, net };
    crate::begin::run(job, None)
}

/// A program's powers, and the sturdyrefs of what is in its `refs`.
pub(crate) fn powers(args: &[String], net: &crate::net::Options) -> (passable::Data, Vec<String>) {
    let mut list = passable::Power::USUAL.to_vec();
    if net.may_choose {
        list.push(passable::Power::Names);
    }
    let promise = |n: usize| PromiseId { vat: passable::HOST, n: n as u64 + 1 };
    let refs: Vec<(String, PromiseId)> = net.refs.iter().enumerate().map(|(i, r)| (r.0.clone(), promise(i))).collect();
    (vat::powers_data(&list, args, &refs), net.refs.iter().map(|r| r.1.clone()).collect())
}

/// 2 if `named`, which stands on the command line, could not be read (wrong usage); else 1.
pub(crate) fn exit_code(faults: &[Fault], named: &Path) -> i32 {
    let named = vat::program::normal(&named.display().to_string());
    let unread = |f: &Fault| vat::program::normal(&f.file) == named && f.diagnostics.iter().any(|d| d.code == bundle::E_FILE);
    if faults.iter().any(unread) { 2 } else { 1 }
}
