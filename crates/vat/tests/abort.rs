//! After an aborted turn the stored bytes equal those before it: the scripts of `tests/lang`, each stopped at several points.
use engine::machine::compile_source;
use engine::syntax::{ast::Goal, diagnostic::Level};
use passable::VatId;
use vat::{Code, Ending, Quota, Shared, Vat};

/// The JavaScript blocks of a chapter.
fn blocks(text: &str) -> Vec<String> {
    let mut lines = text.lines();
    let mut blocks = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let body: Vec<&str> = lines.by_ref().take_while(|l| *l != "```").collect();
            if info.starts_with("js") {
                blocks.push(body.join("\n"));
            }
        }
    }
    blocks
}

/// Instructions after which turns are stopped; most blocks end within the larger ones.
const POINTS: &[u64] = &[0, 7, 40, 150, 500, 1_500, 6_000];

fn all() -> usize {
    let shared = Shared::new(false).expect("a base");
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lang");
    let mut aborted = 0;
    for file in std::fs::read_dir(dir).expect("tests/lang").filter_map(|e| Some(e.ok()?.path())) {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        for (n, source) in blocks(&text).iter().enumerate() {
            for limit in POINTS {
                let Ok(unit) = compile_source(source, "block", Goal::Script, Level::Ses, false) else { continue };
                let quota = Quota { heap_bytes: 64 << 20, instructions: *limit };
                // something of its own to be kept
                let first = "globalThis.kept = new Map([[{}, [1, 2]], ['k', Promise.resolve(3)]]);";
                let first =
                    compile_source(first, "first", Goal::Script, Level::Ses, false).unwrap_or_else(|_| panic!("it parses"));
                let mut roomy = Vat::new(&shared, VatId(1), Quota::default()).expect("a vat");
                assert!(matches!(roomy.run(Code::Script(first)).ending, Ending::Done));
                let before = roomy.save();
                let mut vat = Vat::load(&shared, VatId(1), &before, quota).expect("it loads");
                if let Ending::Aborted(_) = vat.run(Code::Script(unit)).ending {
                    aborted += 1;
                    assert!(vat.save().image == before.image, "{} block {n}, {limit} instructions", file.display());
                }
            }
        }
    }
    aborted
}

#[test]
fn an_aborted_turn_leaves_no_trace() {
    let t = std::thread::Builder::new().stack_size(64 << 20).spawn(all).expect("a thread");
    let aborted = t.join().expect("no failure");
    assert!(aborted > 300, "{aborted} turns aborted");
    println!("{aborted} turns aborted");
}
