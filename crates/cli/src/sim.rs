//! `drses sim`: the simulator's programs with a store and deaths at any point, seed by seed; or many hosts in one network.
//!
//! In: seeds. Out: progress on stderr, failures and a sum on stdout; exit code 1 if a promise was broken.
//!
//! Invariants
//! - a seed that is told to fail fails again by itself: `drses sim --program P --first S --seeds 1`, with `--hosts` and `--refs` as they were.
use ::sim::hunt::{Failure, Stage, on_big_stack};
use ::sim::mistakes;
use ::sim::network::{self, Done, Mesh, Network, Settings};
use ::sim::programs::{ALL, Program};
use clap::Args;

/// A line on stdout. Whoever has stopped reading (`| head`) wants no more seeds either.
macro_rules! say {
    ($($text:tt)*) => {
        if !host::output::data(&format!("{}\n", format_args!($($text)*))) {
            std::process::exit(1);
        }
    };
}

/// Hosts of a network, at most: each takes some MiB.
const MAX_HOSTS: u64 = 100_000;

#[derive(Args)]
#[command(after_help = "Examples:\n  \
    drses sim --seeds 1000                        each program alone, killed at any point\n  \
    drses sim --hosts 5 --refs 20 --seeds 50      five hosts that are killed and parted, fifty seeds\n  \
    drses sim --hosts 1000 --refs 10000 --rounds 12 --seed 1\n  \
    \x20                                             a thousand hosts, one seed: minutes, and 4 GB of memory")]
pub struct Sim {
    /// Seeds to be run with each program [default: 100; with --hosts: 1]
    #[arg(long, value_name = "N", value_parser = super::count)]
    seeds: Option<u64>,
    /// This seed alone: the same as --first S --seeds 1
    #[arg(long, value_name = "S", conflicts_with_all = ["seeds", "first"])]
    seed: Option<u64>,
    /// So many hosts in one network, in the place of programs of one host
    #[arg(long, value_name = "N", conflicts_with_all = ["program", "list"])]
    hosts: Option<u64>,
    /// References that hosts hold of each other [default: ten for each]
    #[arg(long, value_name = "N", requires = "hosts")]
    refs: Option<u64>,
    /// How often each host of a network does something
    #[arg(long, value_name = "N", default_value = "40", requires = "hosts")]
    rounds: u64,
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
    /// Lines of what happened before a failure that are shown
    #[arg(long, value_name = "N", default_value = "60")]
    trace_lines: usize,
    /// Make a known mistake in the simulated host, to see that it is found
    #[arg(long, value_name = "NAME", hide = true)]
    mistake: Option<String>,
}

impl Sim {
    fn first(&self) -> u64 {
        self.seed.unwrap_or(self.first)
    }
    fn seeds(&self, usual: u64) -> u64 {
        if self.seed.is_some() { 1 } else { self.seeds.unwrap_or(usual) }
    }
}

pub fn run(s: &Sim) -> i32 {
    if s.list {
        ALL.iter().for_each(|p| say!("{}", p.name));
        return 0;
    }
    let mistake = match &s.mistake {
        None => None,
        Some(name) => match mistakes::ALL.iter().find(|m| m.0 == name) {
            Some(m) => Some(m.1),
            None => {
                let known: Vec<&str> = mistakes::ALL.iter().map(|m| m.0).collect();
                host::tell!("error[E-USAGE]: no mistake is called '{name}'\n  help: one of {}", known.join(" "));
                return 2;
            }
        },
    };
    if let Some(hosts) = s.hosts {
        std::panic::set_hook(Box::new(|_| {}));
        return networks(s, hosts, mistake);
    }
    let chosen: Vec<&Program> = ALL.iter().filter(|p| s.program.as_ref().is_none_or(|n| n == p.name)).collect();
    if chosen.is_empty() {
        let name = s.program.as_deref().unwrap_or_default();
        host::tell!("error[E-USAGE]: the simulator has no program '{name}'\n  help: `drses sim --list` names them");
        return 2;
    }
    // a panic in a run is a finding, and told as one
    std::panic::set_hook(Box::new(|_| {}));
    on_big_stack(|| programs(s, &chosen, mistake))
}

fn programs(s: &Sim, chosen: &[&Program], mistake: Option<mistakes::Mistake>) -> i32 {
    let (mut turns, mut deaths, mut failures) = (0, 0, 0u64);
    let seeds = s.seeds(100);
    for p in chosen {
        let mut stage = match Stage::of(p) {
            Ok(stage) => stage,
            Err(why) => {
                host::tell!("error[E-SIM]: {}: {why}\n  help: raise the limit of address space (ulimit -v)", p.name);
                return 1;
            }
        };
        stage.mistake = mistake;
        for n in 0..seeds {
            let seed = s.first().wrapping_add(n);
            match stage.run(seed) {
                Ok(done) => {
                    turns += done.turns;
                    deaths += done.deaths;
                }
                Err(f) => {
                    failures += 1;
                    tell(s, p.name, &f);
                }
            }
            if (n + 1) % 500 == 0 {
                host::tell!("{}: {} of {} seeds, {turns} turns, {deaths} deaths, {failures} failures", p.name, n + 1, seeds);
            }
        }
    }
    let programs = chosen.len();
    if s.json {
        say!(
            "{}",
            serde_json::json!({"programs": programs, "seeds": seeds, "turns": turns, "deaths": deaths, "failures": failures})
        );
    } else {
        say!("{programs} programs, {seeds} seeds each: {turns} turns, {deaths} deaths, {failures} failures");
    }
    i32::from(failures > 0)
}

fn tell(s: &Sim, program: &str, f: &Failure) {
    let repeat = format!("drses sim --program {program} --first {} --seeds 1", f.seed);
    let faults: Vec<String> = f.faults.iter().map(|x| format!("{x:?}")).collect();
    let trace = &f.trace[f.trace.len().saturating_sub(s.trace_lines)..];
    if s.json {
        let all = serde_json::json!({
            "program": program, "seed": f.seed, "what": f.what, "faults": faults, "trace": trace, "repeat": repeat
        });
        say!("{all}");
        return;
    }
    say!("FAILURE of {program}, seed {}: {}", f.seed, f.what);
    faults.iter().for_each(|x| say!("  {x}"));
    trace.iter().for_each(|l| say!("  {l}"));
    say!("  again: {repeat}");
}

fn networks(s: &Sim, hosts: u64, mistake: Option<mistakes::Mistake>) -> i32 {
    let refs = s.refs.unwrap_or(hosts * 10);
    if !(2..=MAX_HOSTS).contains(&hosts) || refs < hosts || refs > hosts * 100 {
        host::tell!("error[E-USAGE]: a network has 2 to {MAX_HOSTS} hosts, and 1 to 100 references for each");
        return 2;
    }
    let settings = Settings { mistake, rounds: s.rounds, ..Settings::new(hosts as usize, refs as usize) };
    let mut mesh = match Mesh::new(settings) {
        Ok(mesh) => mesh,
        Err(why) => {
            host::tell!("error[E-SIM]: {why}\n  help: raise the limit of address space (ulimit -v)");
            return 1;
        }
    };
    mesh.progress = Some(progress);
    let (mut failures, seeds) = (0u64, s.seeds(1));
    for n in 0..seeds {
        let seed = s.first().wrapping_add(n);
        match mesh.run(seed) {
            Ok(done) => tell_network(s.json, seed, hosts, &done),
            Err(f) => {
                failures += 1;
                tell_broken(s, hosts, refs, &f);
            }
        }
    }
    if s.json {
        say!("{}", serde_json::json!({"hosts": hosts, "refs": refs, "seeds": seeds, "failures": failures}));
    } else {
        say!("{hosts} hosts, {refs} references wanted, {seeds} seeds: {failures} failures");
    }
    i32::from(failures > 0)
}

fn progress(n: &Network) {
    let d = n.so_far();
    let (hosts, s) = (n.hosts(), d.ms / 1000);
    host::tell!("{hosts} hosts, {s} s of their time: {} turns, {} deaths, {} connections", d.turns, d.deaths, d.connections);
}

fn tell_network(json: bool, seed: u64, hosts: u64, d: &Done) {
    if json {
        let all = serde_json::json!({
            "seed": seed, "hosts": hosts, "references": d.references, "messages": d.messages, "turns": d.turns, "deaths": d.deaths,
            "connections": d.connections, "cuts": d.cuts, "partitions": d.partitions, "copies": d.twins, "refused": d.noticed, "ms": d.ms
        });
        say!("{all}");
        return;
    }
    say!(
        "seed {seed}: {} references, {} messages counted, {} turns, {} deaths, {} connections ({} cut), {} partitions, {} copies of a store \
         ({} times refused): all well",
        d.references,
        d.messages,
        d.turns,
        d.deaths,
        d.connections,
        d.cuts,
        d.partitions,
        d.twins,
        d.noticed
    );
}

fn tell_broken(s: &Sim, hosts: u64, refs: u64, f: &network::Failure) {
    let rounds = s.rounds;
    let repeat = format!("drses sim --hosts {hosts} --refs {refs} --rounds {rounds} --seed {}", f.seed);
    let trace = &f.trace[f.trace.len().saturating_sub(s.trace_lines)..];
    if s.json {
        say!("{}", serde_json::json!({"seed": f.seed, "what": f.what, "trace": trace, "repeat": repeat}));
        return;
    }
    say!("FAILURE, seed {}: {}", f.seed, f.what);
    trace.iter().for_each(|l| say!("  {l}"));
    say!("  again: {repeat}");
}
