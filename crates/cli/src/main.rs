#![forbid(unsafe_code)]
#![deny(clippy::print_stderr, clippy::print_stdout)]
//! The command line: thin fronts for `host` and `syntax`.
//!
//! In: arguments. Out: exit codes: 0 done, 1 an error in sources or programs, 2 wrong usage.
mod check;
mod desugar;
mod net;
mod operate;
mod sim;
mod trace;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use syntax::diagnostic::Level;

#[derive(Parser)]
#[command(name = "drses", version, about = "Secure, distributed, crash-proof JavaScript", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a program, or scripts in order
    #[command(after_help = "\
Examples:
  drses run examples/hello World        a program: its default (or start) export gets its powers
  drses run --script a.js b.js          SES scripts, in order, in one start compartment with console and print
  drses run --max-heap 64MiB --max-instructions 1e8 untrusted/main.js
  drses run --listen noise://0.0.0.0:22045 shop.js
                                        other hosts reach it as long as it has something to do")]
    Run(Run),
    /// Check sources against a language level; exit 1 on any error
    #[command(after_help = "\
Examples:
  drses check src/*.js                  level by marker (// @jessie-check), else ses
  drses check --level jessie --json contract.js
  drses check --rules                   all rules of the ladder, and which are not checked yet")]
    Check(check::Check),
    /// Rewrite `x ~. m(a)` as `E(x).m(a)`, for engines that know no `~.`
    #[command(after_help = "\
Examples:
  drses desugar counter.js                   plain ECMAScript on stdout
  drses desugar counter.js -o plain.js
  drses desugar examples --dir plain         all .js files of a folder, under plain/examples

  x ~. m(a) -> E(x).m(a)    x ~. (a) -> E(x)(a)    x ~. p -> E.get(x).p    x ~. [i](a) -> E(x)[i](a)
  Where the value of a call is not used it is E.sendOnly(x)…. Everything else stays byte for byte.
  E comes from @endo/eventual-send or another implementation; the text takes it as a global name.")]
    Desugar(desugar::Desugar),
    /// Read, evaluate, print; one entry is one turn
    #[command(after_help = "\
Examples:
  drses repl --state notes              globalThis is there again next time
  drses repl --connect @book.uri        `ref` is the object of the sturdyref in the file
  drses repl --connect book -e 'await ref ~. read()'
                                        asks the root of the host whose state is in the folder book")]
    Repl(Repl),
    /// Run programs in a simulated world whose process dies at any point and whose disk loses what was not synced
    #[command(after_help = "\
Examples:
  drses sim --seeds 1000                     all programs, seeds 0 to 999
  drses sim --program trade --first 42 --seeds 1
  drses sim --json > found.jsonl             failures and a sum, one object a line")]
    Sim(sim::Sim),
    /// Run a program with a state until it is stopped (SIGTERM, Ctrl-C)
    #[command(after_help = "\
Examples:
  drses serve --state shop shop.js &
  drses vat call --state shop shop.js order tea
  kill %1                               turns in hand are finished; the same command goes on
  drses serve --state shop --listen noise://0.0.0.0:22045 shop.js
                                        other hosts reach it by the sturdyref that is printed")]
    Serve(operate::Serve),
    /// Look at the vats of a state, call them, stop them
    #[command(
        after_help = "VAT is a number or the file of its program. A host that runs on DIR is asked; else its store is opened."
    )]
    Vat(operate::Vat),
    /// Check, copy, restore and compact the store of a state
    Store(operate::Store),
    /// Names of this host's objects in the network
    Ref(net::Ref),
    /// Other hosts that this one is connected with
    Peer(net::Peer),
    /// Put traces (--trace) of several hosts together: follow a message from one to the other
    Trace(trace::Trace),
}

#[derive(Args)]
struct Run {
    /// The program (a folder means its main.js), then its arguments; with --script, the scripts
    #[arg(required = true, value_name = "FILE")]
    file: PathBuf,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    args: Vec<String>,
    /// FILE and ARGS are SES scripts
    #[arg(long)]
    script: bool,
    /// Keep the program's state in this folder: from now on the same command resumes it
    #[arg(long, value_name = "DIR", conflicts_with = "script")]
    state: Option<PathBuf>,
    /// The program's files have changed: go on with the code as it was
    #[arg(long = "continue", requires = "state", conflicts_with = "fresh")]
    go_on: bool,
    /// Move the old state aside and begin anew
    #[arg(long, requires = "state")]
    fresh: bool,
    /// Append what happens to this file: messages and turns with their causes, one JSON object a line
    #[arg(long, value_name = "FILE", conflicts_with = "script")]
    trace: Option<PathBuf>,
    /// Tell errors as JSON on stderr, one object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    listen: net::Listen,
    #[command(flatten)]
    refs: net::Refs,
    #[command(flatten)]
    machine: MachineOptions,
}

fn changed(go_on: bool, fresh: bool) -> host::state::Changed {
    match (go_on, fresh) {
        (true, _) => host::state::Changed::Continue,
        (_, true) => host::state::Changed::Fresh,
        _ => host::state::Changed::Refuse,
    }
}

#[derive(Args)]
struct Repl {
    /// Keep what entries make in this folder: `globalThis` is there again next time
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Talk to an object of another host, which is `ref` in entries; `await` may stand at their top level. A sturdyref, @FILE with
    /// one, or the folder of the state of a host that runs on this machine
    #[arg(long, value_name = "URI|@FILE|DIR", conflicts_with = "state")]
    connect: Option<String>,
    /// Evaluate this entry instead of reading some; may be given several times
    #[arg(short, long = "eval", value_name = "ENTRY", requires = "connect")]
    eval: Vec<String>,
    #[command(flatten)]
    refs: net::Refs,
    #[command(flatten)]
    machine: MachineOptions,
}

fn repl(r: &Repl) -> i32 {
    let mut options = r.machine.options();
    let Some(text) = &r.connect else {
        return host::run::on_big_stack(|| host::repl::run(r.state.as_deref(), &options));
    };
    match host::remote::sturdyref(text) {
        Ok(uri) => {
            options.net = r.refs.options(None);
            options.net.refs.insert(0, (host::remote::REF.to_owned(), uri));
            host::run::on_big_stack(|| host::remote::run(&r.eval, &options))
        }
        Err(p) => {
            host::output::problem(&p);
            2
        }
    }
}

#[derive(Args)]
struct MachineOptions {
    /// Language level: json justin jessie jessie-2026 tinyses ses strict
    #[arg(long, value_parser = level)]
    level: Option<Level>,
    /// Leave primordials mutable (conformance tests); adds performance.now and gc
    #[arg(long)]
    unlocked: bool,
    /// Instructions of one turn, e.g. 1e9 [default: 10e9]
    #[arg(long, value_name = "N", value_parser = count)]
    max_instructions: Option<u64>,
    /// Heap of a vat, e.g. 64MiB [default: 512MiB]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    max_heap: Option<u64>,
}

impl MachineOptions {
    fn options(&self) -> host::run::Options {
        host::run::Options {
            level: self.level,
            unlocked: self.unlocked,
            quota: host::Quota {
                heap_bytes: self.max_heap.unwrap_or(MAX_HEAP_BYTES),
                instructions: self.max_instructions.unwrap_or(MAX_INSTRUCTIONS),
            },
            limits_asked: (self.max_heap.is_some(), self.max_instructions.is_some()),
            trace: None,
            net: Default::default(),
        }
    }
}

/// Heap of a vat unless another is asked for.
const MAX_HEAP_BYTES: u64 = 512 << 20;
/// Instructions of a turn unless others are asked for.
const MAX_INSTRUCTIONS: u64 = 10_000_000_000;

fn level(name: &str) -> Result<Level, String> {
    Level::from_name(name).ok_or_else(|| "one of json justin jessie jessie-2026 tinyses ses strict".to_owned())
}

/// `1000`, `1e9`, `10e9`
fn count(text: &str) -> Result<u64, String> {
    let plain = text.replace('_', "");
    if let Ok(n) = plain.parse::<u64>() {
        return Ok(n);
    }
    match plain.parse::<f64>() {
        Ok(f) if (1.0..=1e18).contains(&f) => Ok(f as u64),
        _ => Err("a positive number such as 1000000 or 1e9".to_owned()),
    }
}

/// `1048576`, `64MiB`, `1GiB`, `512KiB`
fn bytes(text: &str) -> Result<u64, String> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let (digits, shift) = units.iter().find_map(|(u, s)| text.strip_suffix(u).map(|d| (d, *s))).unwrap_or((text, 0));
    let n: u64 = digits.trim().parse().map_err(|_| "bytes such as 1048576, 512KiB, 64MiB or 1GiB".to_owned())?;
    n.checked_shl(shift)
        .filter(|b| b >> shift == n && (1 << 20..=3 << 30).contains(b))
        .ok_or_else(|| "between 1MiB and 3GiB".to_owned())
}

fn main() {
    let cli = Cli::parse();
    let code = match &cli.command {
        Command::Run(r) => run(r),
        Command::Check(c) => check::run(c),
        Command::Desugar(d) => desugar::run(d),
        Command::Sim(s) => sim::run(s),
        Command::Serve(s) => operate::serve(s),
        Command::Vat(v) => operate::vat(v),
        Command::Store(s) => operate::store(s),
        Command::Ref(r) => net::reference_command(r),
        Command::Peer(p) => net::peer(p),
        Command::Trace(t) => trace::run(t),
        Command::Repl(r) => repl(r),
    };
    std::process::exit(code);
}

fn run(r: &Run) -> i32 {
    let options = host::run::Options { trace: r.trace.clone(), net: r.refs.options(Some(&r.listen)), ..r.machine.options() };
    if r.json {
        host::output::tell_as_json();
    }
    host::run::on_big_stack(|| {
        if r.script {
            let files: Vec<PathBuf> = std::iter::once(r.file.clone()).chain(r.args.iter().map(PathBuf::from)).collect();
            host::run::scripts(&files, &options)
        } else {
            match &r.state {
                Some(dir) => {
                    let how = host::state::How { changed: changed(r.go_on, r.fresh), ..Default::default() };
                    host::state::run(&r.file, &r.args, dir, how, &options)
                }
                None => host::run::program(&r.file, &r.args, &options),
            }
        }
    })
}
