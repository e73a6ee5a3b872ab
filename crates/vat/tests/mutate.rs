//! Programs of `tests/lang`, mutated at random: whatever they have become, each is refused with a diagnostic or ends within its limits.
use engine::machine::compile_source;
use engine::syntax::{ast::Goal, diagnostic::Level};
use passable::VatId;
use std::panic::{AssertUnwindSafe, catch_unwind};
use vat::{Code, Ending, Quota, Shared, Vat};

/// xorshift64*
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % n.max(1) as u64) as usize
    }
}

/// Words that change what a program is.
const WORDS: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "`",
    "${",
    "'",
    "=>",
    "async ",
    "await ",
    "...",
    "?.",
    "~.",
    ";",
    "\n",
    "null",
    "2n",
    "-1",
    "2 ** 31",
    "''",
    "return ",
    "throw ",
    "try{",
    "}finally{",
    "/*",
    "//",
    "get ",
    "static ",
    "yield ",
    "var ",
    "let ",
    "for(;;)",
    "\u{2028}",
    "\\u{61}",
    "??=",
    "Object",
    "arguments",
    "this",
    "harden",
    "[Symbol.iterator]",
    ".length=0",
    ".constructor",
    "new ",
    "delete ",
    "in ",
    "of ",
    "{}",
    "import(",
    "export ",
];

/// The JavaScript blocks of all chapters.
fn blocks() -> Vec<Vec<char>> {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lang");
    let mut files: Vec<_> = std::fs::read_dir(dir).expect("tests/lang").filter_map(|e| Some(e.ok()?.path())).collect();
    files.sort();
    let mut blocks = Vec::new();
    for text in files.iter().map(|f| std::fs::read_to_string(f).unwrap_or_default()) {
        let parts: Vec<&str> = text.split("```").collect();
        let inner = parts.iter().skip(1).step_by(2).filter(|p| p.starts_with("js"));
        blocks.extend(inner.filter_map(|p| p.split_once('\n')).map(|p| p.1.chars().collect()));
    }
    blocks
}

/// The word or number around or behind a place.
fn word(text: &[char], at: usize) -> std::ops::Range<usize> {
    let is = |c: &char| c.is_alphanumeric() || *c == '_' || *c == '$';
    let from = (at..text.len()).find(|i| is(&text[*i])).unwrap_or(text.len());
    let from = (0..from).rev().find(|i| !is(&text[*i])).map_or(0, |i| i + 1);
    let end = (from..text.len()).find(|i| !is(&text[*i])).unwrap_or(text.len());
    from..end
}

/// One to three changes: cut, double, swap, put in a word or a piece of another program.
fn mutate(blocks: &[Vec<char>], rng: &mut Rng) -> String {
    let mut text = blocks[rng.below(blocks.len())].clone();
    for _ in 0..1 + rng.below(3) {
        let at = rng.below(text.len() + 1);
        let end = (at + 1 + rng.below(30)).min(text.len());
        match rng.below(8) {
            0 => drop(text.drain(at..end)),
            1 => {
                let piece = text[at..end].to_vec();
                let to = rng.below(text.len() + 1);
                text.splice(to..to, piece);
            }
            2 => {
                let other = &blocks[rng.below(blocks.len())];
                let from = rng.below(other.len());
                let piece = other[from..(from + 1 + rng.below(60)).min(other.len())].to_vec();
                text.splice(at..at, piece);
            }
            // a word or a number for another: what is left is likely a program
            3..6 => {
                let other = &blocks[rng.below(blocks.len())];
                let (to, from) = (word(&text, at), word(other, rng.below(other.len())));
                drop(text.splice(to, other[from].to_vec()));
            }
            6 if at < text.len() => text[at] = char::from_u32(rng.below(0x250) as u32).unwrap_or(' '),
            _ => drop(text.splice(at..at, WORDS[rng.below(WORDS.len())].chars())),
        }
    }
    text.into_iter().collect()
}

const QUOTA: Quota = Quota { heap_bytes: 32 << 20, instructions: 200_000 };

/// Runs the programs of these seeds; how many were read, and how many ended well.
fn run(seeds: std::ops::Range<u64>) -> (u64, u64) {
    let blocks = blocks();
    let shared = Shared::new(false).expect("a base");
    let (mut read, mut done) = (0, 0);
    for seed in seeds {
        let mut rng = Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let text = mutate(&blocks, &mut rng);
        let one = || {
            for goal in [Goal::Module, Goal::Script] {
                let level = [Level::Jessie, Level::TinySes, Level::Ses, Level::Strict][(seed % 4) as usize];
                let _ = engine::syntax::parse(&text, &engine::syntax::Options { goal, level, dialect_2013: seed % 8 == 0 });
            }
            let Ok(unit) = compile_source(&text, "mutated", Goal::Script, Level::Ses, seed % 2 == 0) else { return (0, 0) };
            let mut vat = Vat::new(&shared, VatId(1), QUOTA).expect("a vat");
            let ending = vat.run(Code::Script(unit)).ending;
            let damaged = matches!(&ending, Ending::Aborted(why) if why.message == engine::cx::Abort::Corrupt.message());
            assert!(!damaged, "a sound heap is said to be damaged");
            vat.machine().verify().unwrap_or_else(|fault| panic!("{fault}"));
            (1, matches!(ending, Ending::Done) as u64)
        };
        match catch_unwind(AssertUnwindSafe(one)) {
            Ok(x) => (read, done) = (read + x.0, done + x.1),
            Err(_) => panic!("seed {seed}:\n{text}"),
        }
    }
    (read, done)
}

fn on_a_large_stack(seeds: std::ops::Range<u64>) -> (u64, u64) {
    let t = std::thread::Builder::new().stack_size(64 << 20).spawn(|| run(seeds));
    t.expect("a thread").join().expect("no program does harm")
}

#[test]
fn mutated_programs_end_within_their_limits() {
    let (read, done) = on_a_large_stack(0..4_000);
    assert!(read > 400 && done > 100, "{read} were read, {done} ended well");
}

#[test]
#[ignore = "long"]
fn many_mutated_programs_end_within_their_limits() {
    let (read, done) = on_a_large_stack(4_000..200_000);
    eprintln!("{read} were read, {done} ended well");
}
