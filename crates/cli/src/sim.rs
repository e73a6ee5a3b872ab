//! `drses sim`: the simulator's programs with a store and deaths at any point, seed by seed.
//!
//! In: seeds. Out: progress on stderr, failures and a sum on stdout; exit code 1 if a promise was broken.
//!
//! Invariants
//! - a seed that is told to fail fails again by itself: `drses sim --program P --first S --seeds 1`.
use ::sim::hunt::{Failure, Stage, on_big_stack};
use ::sim::mistakes;
use ::sim::programs::{ALL, Program};
use clap::Args;

/// Lines of what happened before a failure that are shown.
const TRACE_LINES: usize = 60;

#[derive(Args)]
pub struct Sim {
    /// Seeds to be run with each program
    #[arg(long, value_name = "N", default_value = "100", value_parser = super::count)]
    seeds: u64,
    /// The first of them
    #[arg(long, value_name = "S", default_value = "0")]
    first: u64,
    /// One program alone
    #[arg(long, value_name = "P")]
    program: Option<String>,
    /// The programs, one a line
    #[arg(long)]
    list: bool,
    /// Failures and the sum as JSON, one object a line
    #[arg(long)]
    json: bool,
    /// Make a known mistake in the simulated host, to see that it is found
    #[arg(long, value_name = "NAME", hide = true)]
    mistake: Option<String>,
}

pub fn run(s: &Sim) -> i32 {
    if s.list {
        ALL.iter().for_each(|p| println!("{}", p.name));
        return 0;
    }
    let mistake = match &s.mistake {
        None => None,
        Some(name) => match mistakes::ALL.iter().find(|m| m.0 == name) {
            Some(m) => Some(m.1),
            None => {
                let known: Vec<&str> = mistakes::ALL.iter().map(|m| m.0).collect();
                eprintln!("error[E-USAGE]: no mistake is called '{name}'\n  help: one of {}", known.join(" "));
                return 2;
            }
        },
    };
    let chosen: Vec<&Program> = ALL.iter().filter(|p| s.program.as_ref().is_none_or(|n| n == p.name)).collect();
    if chosen.is_empty() {
        let name = s.program.as_deref().unwrap_or_default();
        eprintln!("error[E-USAGE]: the simulator has no program '{name}'\n  help: `drses sim --list` names them");
        return 2;
    }
    // a panic in a run is a finding, and told as one
    std::panic::set_hook(Box::new(|_| {}));
    on_big_stack(|| programs(s, &chosen, mistake))
}

fn programs(s: &Sim, chosen: &[&Program], mistake: Option<mistakes::Mistake>) -> i32 {
    let (mut turns, mut deaths, mut failures) = (0, 0, 0u64);
    for p in chosen {
        let mut stage = match Stage::of(p) {
            Ok(stage) => stage,
            Err(why) => {
                eprintln!("error[E-SIM]: {}: {why}\n  help: raise the limit of address space (ulimit -v)", p.name);
                return 1;
            }
        };
        stage.mistake = mistake;
        for n in 0..s.seeds {
            let seed = s.first.wrapping_add(n);
            match stage.run(seed) {
                Ok(done) => {
                    turns += done.turns;
                    deaths += done.deaths;
                }
                Err(f) => {
                    failures += 1;
                    tell(s.json, p.name, &f);
                }
            }
            if (n + 1) % 500 == 0 {
                eprintln!("{}: {} of {} seeds, {turns} turns, {deaths} deaths, {failures} failures", p.name, n + 1, s.seeds);
            }
        }
    }
    let (programs, seeds) = (chosen.len(), s.seeds);
    if s.json {
        println!(
            "{}",
            serde_json::json!({"programs": programs, "seeds": seeds, "turns": turns, "deaths": deaths, "failures": failures})
        );
    } else {
        println!("{programs} programs, {seeds} seeds each: {turns} turns, {deaths} deaths, {failures} failures");
    }
    i32::from(failures > 0)
}

fn tell(json: bool, program: &str, f: &Failure) {
    let repeat = format!("drses sim --program {program} --first {} --seeds 1", f.seed);
    let faults: Vec<String> = f.faults.iter().map(|x| format!("{x:?}")).collect();
    let trace = &f.trace[f.trace.len().saturating_sub(TRACE_LINES)..];
    if json {
        let all = serde_json::json!({
            "program": program, "seed": f.seed, "what": f.what, "faults": faults, "trace": trace, "repeat": repeat
        });
        println!("{all}");
        return;
    }
    println!("FAILURE of {program}, seed {}: {}", f.seed, f.what);
    faults.iter().for_each(|x| println!("  {x}"));
    trace.iter().for_each(|l| println!("  {l}"));
    println!("  again: {repeat}");
}
