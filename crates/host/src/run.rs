//! Running scripts and programs.
//!
//! In: paths and options. Out: an exit code; output is released turn by turn.
//!
//! Invariants
//! - nothing a turn wrote is released before the turn is committed;
//! - exit codes: 0 done, 1 an error nobody handled or a source error, 2 no such file or nothing in it to start.
use crate::bundle::{self, Fault};
use crate::output;
use std::path::{Path, PathBuf};
use syntax::ast::Goal;
use syntax::diagnostic::Level;
use vat::{Delivery, Ending, Main, Quota, Shared, TurnOutcome, Vat};

/// How to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub level: Option<Level>,
    pub unlocked: bool,
    pub quota: Quota,
}

/// Bytes of stack of the thread that runs turns: natives may nest `MAX_NATIVE_DEPTH` deep.
pub const STACK_BYTES: usize = 64 << 20;

/// Runs `body` on a thread with a stack for turns.
pub fn on_big_stack<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|s| {
        let t = std::thread::Builder::new().name("turns".into()).stack_size(STACK_BYTES).spawn_scoped(s, body);
        match t.map(|t| t.join()) {
            Ok(Ok(v)) => v,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(e) => {
                eprintln!("error[E-THREAD]: cannot start a thread: {e}");
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
    let made = Shared::new(options.unlocked).and_then(|s| Vat::new(&s, options.quota));
    let lent = made.map(|mut vat| {
        if options.unlocked {
            vat.machine().set_clock(clock);
        }
        vat
    });
    lent.map_err(|e| {
        eprintln!("error[E-MEMORY]: cannot reserve memory for a vat: {e}\n  help: raise the limit of address space (ulimit -v)");
        1
    })
}

/// Runs scripts in order in one start compartment.
pub fn scripts(files: &[PathBuf], options: &Options) -> i32 {
    let mut vat = match new_vat(options) {
        Ok(v) => v,
        Err(code) => return code,
    };
    for file in files {
        let level = options.level.or(Some(Level::Ses));
        let unit = bundle::read(file).and_then(|s| bundle::compile(file, &s, Goal::Script, level, false));
        match unit {
            Ok(unit) => {
                if !report(&vat.deliver(Delivery::Script(unit))) {
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
            output::aborted(*why);
            false
        }
        ending => {
            if !output::written(output::release(&t.output)) {
                return false;
            }
            for u in &t.unhandled {
                output::unhandled(u);
            }
            if let Ending::Threw(text) = ending {
                output::uncaught(text);
            }
            t.unhandled.is_empty() && !matches!(ending, Ending::Threw(_))
        }
    }
}

/// Runs a program: its modules, then its `default` (or `start`) export with its powers.
pub fn program(path: &Path, args: &[String], options: &Options) -> i32 {
    let bundle = match bundle::load(path, options.level) {
        Ok(b) => b,
        Err(faults) => {
            output::faults(&faults);
            return exit_code(&faults, &bundle::entry_file(path));
        }
    };
    let mut vat = match new_vat(options) {
        Ok(v) => v,
        Err(code) => return code,
    };
    let t = vat.deliver(Delivery::Start { graph: bundle.graph, args: args.to_vec() });
    let fine = report(&t);
    if let Ending::NoStart = t.ending {
        eprintln!("error[E-START]: {} exports nothing to start", bundle.files[0].display());
        eprintln!("  help: export a function as `default` or `start`; it is called with `powers`");
        return 2;
    }
    if !fine {
        return 1;
    }
    match vat.main_state() {
        Main::Rejected(text) => {
            output::start_rejected(&text);
            1
        }
        Main::Fulfilled | Main::Pending => 0,
    }
}

/// 2 if `named`, which stands on the command line, could not be read (wrong usage); else 1.
fn exit_code(faults: &[Fault], named: &Path) -> i32 {
    let named = named.display().to_string();
    let unread = |f: &Fault| f.file == named && f.diagnostics.iter().any(|d| d.code == bundle::E_FILE);
    if faults.iter().any(unread) { 2 } else { 1 }
}
