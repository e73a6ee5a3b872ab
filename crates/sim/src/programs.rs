//! Programs that watch themselves: each ends by printing `ok`, in every legal order and whatever dies, or it throws.
use passable::Limits;
use vat::program::{Fault, Texts, fault};

/// A program for the simulator.
pub struct Program {
    pub name: &'static str,
    /// A vat that is paused for ever.
    pub pause: Option<&'static str>,
    /// It runs into limits on purpose: reports are no failure.
    pub reports: bool,
}

const fn plain(name: &'static str) -> Program {
    Program { name, pause: None, reports: false }
}

pub const LIMITS: Limits = Limits { heap_bytes: 64 << 20, instructions: 1_000_000_000 };

/// All of them; the file of each is its name.
pub const ALL: &[Program] = &[
    plain("once"),
    plain("order"),
    plain("grant"),
    plain("home"),
    plain("trade"),
    plain("heap"),
    plain("timers"),
    plain("garbage"),
    plain("many"),
    plain("builds"),
    Program { reports: true, ..plain("limits") },
    Program { reports: true, ..plain("shapes") },
    Program { pause: Some("stuck-one.js"), reports: true, ..plain("stuck") },
];

macro_rules! texts {
    ($($file:literal),* $(,)?) => {
        const TEXTS: &[(&str, &str)] = &[$(($file, include_str!(concat!("../programs/", $file)))),*];
    };
}

texts! {
    "builds-vat.js", "builds.js", "garbage-vat.js", "garbage.js", "grant-alice.js", "grant-bob.js", "grant.js", "heap-echo.js", "heap-keeper.js", "heap.js", "home-decider.js", "home.js",
    "limits-vat.js", "limits.js", "many.js", "mesh-keeper.js", "mesh.js", "once-counter.js", "once-relay.js", "once.js", "order-log.js", "order-sender.js",
    "order.js", "shapes-vat.js", "shapes.js", "stuck-one.js", "stuck.js", "timers-vat.js", "timers.js", "trade-bank.js", "trade-trader.js", "trade.js",
}

/// The texts of these programs, by file name.
pub struct Known;

impl Texts for Known {
    fn read(&mut self, file: &str) -> Result<String, Fault> {
        let found = TEXTS.iter().find(|t| t.0 == file).map(|t| t.1.to_owned());
        found.ok_or_else(|| fault(file, "E-FILE", "the simulator has no such program".to_owned(), "see `drses sim --list`"))
    }
    fn exists(&mut self, file: &str) -> bool {
        TEXTS.iter().any(|t| t.0 == file)
    }
}
