//! The chapters of `tests/lang`: programs a reader could read, run on every way of executing.
//!
//! In: the chapters (their format is in `tests/lang/README.md`). Out: one test for each chapter's case and way.
//!
//! Ways: `plain` (threaded handlers), `match` (the match loop), `stress` (a collection at every safepoint), `restart`
//! (the vat saved and loaded in another cage between every two turns), `moved` (between every two turns it goes over to the base of another
//! build, and back).
use engine::machine::compile_source;
use engine::module::ModuleIn;
use engine::realm::Arrangement;
use engine::syntax::ast::Goal;
use engine::syntax::diagnostic::Level;
use libtest_mimic::{Arguments, Failed, Trial};
use passable::{TurnOutcome, VatId};
use std::path::Path;
use std::sync::OnceLock;
use vat::{Code, Ending, LoadedUnit, Quota, Shared, Vat};

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Plain,
    Match,
    Stress,
    Restart,
    Moved,
}

#[derive(Clone, Default)]
struct Block {
    info: Vec<String>,
    code: String,
    line: usize,
    expected: Vec<String>,
}

impl Block {
    fn is(&self, word: &str) -> bool {
        self.info.iter().any(|w| w == word)
    }
    fn file(&self) -> Option<&str> {
        self.info.iter().find_map(|w| w.strip_prefix("file="))
    }
}

struct Case {
    name: String,
    blocks: Vec<Block>,
}

/// Splits a chapter into cases.
fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut lines = text.lines().enumerate();
    let mut after_js = false;
    while let Some((n, line)) = lines.next() {
        if let Some(h) = line.strip_prefix("## ") {
            cases.push(Case { name: h.trim().to_owned(), blocks: Vec::new() });
            after_js = false;
        } else if let Some(info) = line.strip_prefix("```") {
            let body: Vec<&str> = lines.by_ref().map(|l| l.1).take_while(|l| *l != "```").collect();
            let words: Vec<String> = info.split_whitespace().map(str::to_owned).collect();
            let Some(case) = cases.last_mut() else { continue };
            match words.first().map(String::as_str) {
                Some("js") => {
                    let code = body.join("\n") + "\n";
                    case.blocks.push(Block { info: words[1..].to_vec(), code, line: n + 2, expected: Vec::new() });
                    after_js = true;
                }
                Some("text") if after_js => {
                    if let Some(b) = case.blocks.last_mut() {
                        b.expected = body.iter().map(|l| (*l).to_owned()).collect();
                    }
                    after_js = false;
                }
                _ => after_js = false,
            }
        } else if !line.trim().is_empty() {
            after_js = false;
        }
    }
    cases
}

/// What vats share that run over one of two bases.
fn shared(unlocked: bool, arrangement: Arrangement) -> &'static Shared {
    static ALL: [OnceLock<Shared>; 4] = [const { OnceLock::new() }; 4];
    let cell = &ALL[usize::from(unlocked) + 2 * usize::from(arrangement.is_moved())];
    cell.get_or_init(|| Shared::arranged(unlocked, arrangement).expect("a base"))
}

/// The vat over the other base.
fn cross(vat: &Vat, unlocked: bool, from: Arrangement, quota: Quota) -> Result<(Vat, Arrangement), Failed> {
    let to = if from.is_moved() { Arrangement::Usual } else { Arrangement::Moved };
    let (here, there) = (shared(unlocked, from), shared(unlocked, to));
    let whole = vat.whole(here);
    let link = |u: &std::sync::Arc<LoadedUnit>| there.unit_of(&u.unit.to_bytes());
    let units = |all: &[std::sync::Arc<LoadedUnit>]| all.iter().map(link).collect::<Result<Vec<_>, _>>();
    let older = match there.older(&[0; 32]) {
        Some(o) => o,
        None => {
            there.add_older([0; 32], here.base_bytes().to_vec(), units(here.base_units())?.into_iter().map(Some).collect())?
        }
    };
    let moved = Vat::wake_over(there, &older, VatId(1), whole.space, units(&whole.units)?, quota);
    Ok((moved.map_err(|why| format!("going over to {to:?}: {why}"))?, to))
}

/// The lines a turn shows, as chapters write them.
fn shown(t: &TurnOutcome) -> Vec<String> {
    if let Ending::Aborted(why) = &t.ending {
        return vec![format!("! RangeError: {}", why.message)];
    }
    let mut lines: Vec<String> = t.output.iter().flat_map(|l| l.text.split('\n').map(str::to_owned)).collect();
    if let Ending::Threw(text) = &t.ending {
        lines.push(format!("! {text}"));
    } else if let Some(text) = t.unhandled.first() {
        lines.push(format!("! {text}"));
    }
    lines
}

fn matches(block: &Block, got: &[String]) -> bool {
    let want = &block.expected;
    if block.is("limit") {
        return got.len() == 1 && got[0].starts_with("! RangeError: limit:");
    }
    got.len() == want.len()
        && got
            .iter()
            .zip(want)
            .all(|(g, w)| g == w || (w.starts_with("! ") && !w.contains(": ") && g.starts_with(&format!("{w}: "))))
}

/// Runs one block; `None`: it did not parse.
fn run_block(vat: &mut Vat, shared: &Shared, case: &Case, block: &Block) -> Option<TurnOutcome> {
    if block.is("module") {
        let graph = graph(shared, case, block)?;
        return Some(vat.run(Code::Modules(graph)));
    }
    let unit = compile_source(&block.code, "block", Goal::Script, Level::Ses, false).ok()?;
    Some(vat.run(Code::Script(unit)))
}

/// The module graph of a block: other modules of the case by their names.
fn graph(shared: &Shared, case: &Case, block: &Block) -> Option<Vec<ModuleIn>> {
    let mut names = vec!["main.js".to_owned()];
    let mut sources = vec![block.code.clone()];
    let mut out = Vec::new();
    let mut next = 0;
    while next < sources.len() {
        let unit = compile_source(&sources[next], &names[next], Goal::Module, Level::Ses, false).ok()?;
        let unit = shared.link(unit).ok()?;
        let mut requests = Vec::new();
        for r in &unit.unit.module.requests {
            let name = r.strip_prefix("./")?;
            let at = match names.iter().position(|n| n == name) {
                Some(at) => at,
                None => {
                    let b = case.blocks.iter().find(|b| b.file() == Some(name))?;
                    names.push(name.to_owned());
                    sources.push(b.code.clone());
                    names.len() - 1
                }
            };
            requests.push(at);
        }
        out.push(ModuleIn { unit, requests });
        next += 1;
    }
    Some(out)
}

fn run_case(case: &Case, way: Way) -> Result<(), Failed> {
    let unlocked = case.blocks.iter().any(|b| b.is("unlocked"));
    let limited = case.blocks.iter().any(|b| b.is("limit"));
    let quota = if limited {
        Quota { heap_bytes: 64 << 20, instructions: 10_000_000 }
    } else {
        Quota { instructions: 1_000_000_000, ..Quota::default() }
    };
    let mut over = Arrangement::Usual;
    let mut vat = Vat::new(shared(unlocked, over), VatId(1), quota)?;
    for block in case.blocks.iter().filter(|b| b.file().is_none()) {
        vat.machine().set_match_loop(way == Way::Match);
        // a heap that is filled on purpose, collected at every step, would take hours
        vat.machine().set_stress(way == Way::Stress && !limited);
        let got = match run_block(&mut vat, shared(unlocked, over), case, block) {
            Some(t) => shown(&t),
            None => vec!["! SyntaxError".to_owned()],
        };
        if let Err(fault) = vat.machine().verify() {
            return Err(format!("line {}: the heap after the turn: {fault}", block.line).into());
        }
        if !matches(block, &got) {
            let text =
                format!("line {}:\n--- expected\n{}\n--- got\n{}\n", block.line, block.expected.join("\n"), got.join("\n"));
            return Err(text.into());
        }
        if way == Way::Restart {
            let saved = vat.save();
            vat = Vat::load(shared(unlocked, over), VatId(1), &saved, quota)?;
        }
        if way == Way::Moved {
            (vat, over) = cross(&vat, unlocked, over, quota)?;
        }
    }
    Ok(())
}

fn main() {
    let args = Arguments::from_args();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lang");
    let mut trials = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(&dir).expect("tests/lang").filter_map(|e| Some(e.ok()?.path())).collect();
    files.sort();
    for file in files {
        let stem = file.file_stem().and_then(|s| s.to_str()).unwrap_or_default().to_owned();
        if stem == "README" || file.extension().is_none_or(|e| e != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a chapter");
        for case in cases(&text) {
            let case = std::sync::Arc::new(case);
            let ways = [Way::Plain, Way::Match, Way::Stress, Way::Restart, Way::Moved];
            for (way, tag) in ways.into_iter().zip(["plain", "match", "stress", "restart", "moved"]) {
                let case = case.clone();
                let name = format!("{stem}: {} [{tag}]", case.name);
                // natives nest on the Rust stack
                trials.push(Trial::test(name, move || {
                    let t = std::thread::Builder::new().stack_size(64 << 20).spawn(move || run_case(&case, way));
                    t?.join().unwrap_or_else(|_| Err("panicked".into()))
                }));
            }
        }
    }
    libtest_mimic::run(&args, trials).exit();
}
