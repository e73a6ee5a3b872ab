//! All fuzz targets in one program for libFuzzer; the environment variable `DRSES_FUZZ` names the one that runs.
//!
//! The targets are functions of the crates, in their `fuzz` modules; `cargo xtask fuzz` builds and runs this.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

type Target = fn(&[u8]);

fn all() -> impl Iterator<Item = &'static (&'static str, Target)> {
    let sets = [
        passable::fuzz::TARGETS,
        ocapn::fuzz::TARGETS,
        ken::fuzz::TARGETS,
        node::fuzz::TARGETS,
        store::fuzz::TARGETS,
        host::fuzz::TARGETS,
    ];
    sets.into_iter().flatten()
}

fn chosen() -> Target {
    let name = std::env::var("DRSES_FUZZ").unwrap_or_default();
    match all().find(|t| t.0 == name) {
        Some(target) => target.1,
        None => {
            let names: Vec<&str> = all().map(|t| t.0).collect();
            eprintln!("DRSES_FUZZ names no target; there are {}", names.join(", "));
            std::process::exit(2);
        }
    }
}

fuzz_target!(|data: &[u8]| {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(chosen)(data);
});
