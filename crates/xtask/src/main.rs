//! `cargo xtask`: the chores of this repository, in Rust so that a machine with cargo and a C compiler can do them all.

#![forbid(unsafe_code)]

mod bench;
mod book;
mod ci;
mod echo;
mod escrow_network;
mod figures;
mod fuzz;
mod kills;
mod node_examples;
mod ocapn_suite;
#[cfg(feature = "peer")]
mod qjs;
mod report;
mod restate;
mod source;
mod tidy;
mod tree;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
cargo xtask COMMAND

  tidy [--json]        check the rules of the house; each finding names the mend
  ci                   all that must pass before a change is merged: format, lints, tidy, tests, book
  book [--json] [PART] run the examples of the book and the README (those in files whose path contains PART)
  bench [--workloads DIR] [--rounds N] [--only A,B] [--except A,B] [--no-save]
                       CPU time of drses beside quickjs-ng, kept in bench/RESULTS.md
  echo [--node-modules DIR]
                       calls between two processes beside capnp-rpc and, with its npm packages in DIR, @endo/captp; durable ones beside
                       the syncs of the disk; kept in bench/RESULTS.md
  figures [--only A,B] [--images N] [--special DIR]
                       what one vat promises of time and memory, kept in bench/RESULTS.md
  fuzz [--target A,B] [--seconds N]
                       the fuzz targets of the crates under libFuzzer (needs a C++ compiler), N seconds each
  kills [--rounds N] [--seed S] [--release] [--builds]
                       `drses run --state`, killed N times at random instants: nothing is lost; with --builds each life is of
                       one of two builds with different built-in objects
  escrow-network [--trades N] [--kill-every 1s|500ms|never] [--seed S] [--release]
                       five hosts that trade by examples/escrow-network, one of them killed each time: nothing is lost or comes twice
  node-examples --node-modules DIR
                       each example without `~.` under Node, with the npm packages in DIR
  ocapn-suite --suite DIR [--python PROGRAM]
                       the public test suite of OCapN (a checkout in DIR) against examples/ocapn-peer
  restate --node-modules DIR
                       durable calls beside the Restate server and its SDK, npm packages in DIR; kept in bench/RESULTS.md
  restate --ours       our side of that alone
  qjs FILE             run one script under quickjs-ng (built with `--features peer`; used by bench)
  measure FILE COMMAND run one command and write what it cost to FILE (used by bench)
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Do what `args` ask for; `false` when a check failed.
fn run(args: &[String]) -> Result<bool> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let root = tree::root();
    match words[..] {
        ["tidy"] => tidy::run(&root, false),
        ["tidy", "--json"] => tidy::run(&root, true),
        ["ci"] => ci::run(&root),
        ["book", ref rest @ ..] => book::run(&root, rest),
        ["bench", ref rest @ ..] => bench::run(&root, rest),
        ["echo"] => echo::run(&root, None),
        ["echo", "--node-modules", modules] => echo::run(&root, Some(modules)),
        ["figures", ref rest @ ..] => figures::run(&root, rest),
        ["fuzz", ref rest @ ..] => fuzz::run(&root, rest),
        ["kills", ref rest @ ..] => kills::run(&root, rest),
        ["escrow-network", ref rest @ ..] => escrow_network::run(&root, rest),
        ["node-examples", "--node-modules", modules] => node_examples::run(&root, modules),
        ["ocapn-suite", "--suite", suite] => ocapn_suite::run(&root, suite, "python3"),
        ["ocapn-suite", "--suite", suite, "--python", python] => ocapn_suite::run(&root, suite, python),
        ["restate", "--node-modules", modules] => restate::run(&root, modules),
        ["restate", "--ours"] => restate::run_ours(&root),
        ["qjs", file] => quickjs(file),
        ["measure", account, ref command @ ..] => Ok(bench::helper(account, command)?.success()),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(true)
        }
        [] => bail!("say which chore to do\n\n{USAGE}"),
        [unknown, ..] => bail!("`{unknown}` is no chore, or its arguments are wrong\n\n{USAGE}"),
    }
}

#[cfg(feature = "peer")]
fn quickjs(file: &str) -> Result<bool> {
    qjs::run(file).map(|()| true)
}

#[cfg(not(feature = "peer"))]
fn quickjs(_file: &str) -> Result<bool> {
    bail!("quickjs-ng is not in this build; use `cargo run --release -p drses-xtask --features peer -- qjs FILE`")
}
