//! `drses trace`: traces of several hosts as one.
//!
//! In: files that `--trace` wrote. Out: lines or a document, on stdout or in a file.
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Args)]
pub struct Trace {
    #[command(subcommand)]
    what: Command,
}

#[derive(Args)]
struct Files {
    /// Files that --trace wrote, of one host or of several
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write to this file, not to stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// All entries in one order, causes before what they caused: one JSON object a line, as Causeway reads them
    #[command(after_help = "\
Examples:
  drses trace merge shop.jsonl guest.jsonl
  drses trace merge *.jsonl | jq -r 'select(.text) | [.anchor.turn.loop, .text] | @tsv'")]
    Merge(Files),
    /// The same for Perfetto (ui.perfetto.dev) and chrome://tracing: vats as tracks, turns as slices, messages as arrows
    #[command(after_help = "\
Example:
  drses trace perfetto shop.jsonl guest.jsonl -o trace.json")]
    Perfetto(Files),
}

pub fn run(t: &Trace) -> i32 {
    let (files, made) = match &t.what {
        Command::Merge(f) => (f, host::traces::merge(&f.files)),
        Command::Perfetto(f) => (f, host::traces::perfetto(&f.files)),
    };
    let (text, notes) = match made {
        Ok(made) => made,
        Err(p) => {
            host::output::problem(&p);
            return 1;
        }
    };
    notes.iter().for_each(|n| host::tell!("note: {n}"));
    match &files.output {
        None => i32::from(!host::output::data(&text)),
        Some(to) => match host::traces::write(to, &text) {
            Ok(()) => 0,
            Err(p) => {
                host::output::problem(&p);
                1
            }
        },
    }
}
