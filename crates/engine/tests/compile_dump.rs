#![forbid(unsafe_code)]
use engine::machine::*;
#[test]
fn dump() {
    let Ok(files) = std::env::var("DUMP") else { return };
    let show = std::env::var("SHOW").is_ok();
    for file in files.split_whitespace() {
        let source = std::fs::read_to_string(file).unwrap();
        let goal = if file.ends_with(".mjs") { syntax::ast::Goal::Module } else { syntax::ast::Goal::Script };
        let parsed = syntax::parse(&source, &syntax::Options { goal, level: syntax::diagnostic::Level::Strict, dialect_2013: false });
        for d in &parsed.diagnostics { println!("{file}: {d:?}"); }
        if !parsed.diagnostics.is_empty() { continue; }
        let opts = engine::compile::CompileOptions { script_completion: std::env::var("COMPLETION").is_ok(), ..Default::default() };
        match engine::compile::compile(&parsed.tree, source.as_str().into(), file, &opts) {
            Err(e) => println!("{file}: {e:?}"),
            Ok(unit) => {
                if show { println!("{}", engine::compile::disassemble(&unit)); }
                if let Err(e) = engine::compile::verify(&unit) { println!("{file}: VERIFY {e}"); } else { println!("{file}: ok {} words", unit.words.len()); }
            }
        }
    }
}
fn run() {
    let Ok(files) = std::env::var("RUN") else { return };
    let engine = std::sync::Arc::new(engine::engine::Engine::new().unwrap());
    let base = Base::build(&engine, std::env::var("UNLOCKED").is_ok()).unwrap();
    for file in files.split_whitespace() {
        let text = std::fs::read_to_string(file).unwrap();
        if !file.ends_with(".md") {
            let mut m = Machine::new(&engine, &base, Quota::default()).unwrap();
            let t0 = std::time::Instant::now();
            let t = m.run_script(&text, file);
            println!("{file}: {:?} {:?} {:?} {:?}", t.outcome, t.output.iter().map(|o| o.text.clone()).collect::<Vec<_>>(), t.unhandled, t0.elapsed());
            continue;
        }
        let mut m = Machine::new(&engine, &base, Quota::default()).unwrap();
        let (mut ok, mut bad) = (0, 0);
        let mut lines = text.lines().peekable();
        while let Some(l) = lines.next() {
            if l.starts_with("## ") { m = Machine::new(&engine, &base, Quota::default()).unwrap(); let _ = m.run_script("globalThis.print = console.log;", "p"); }
            let Some(info) = l.strip_prefix("```js") else { continue };
            let mut src = String::new();
            for l in lines.by_ref() { if l == "```" { break; } src.push_str(l); src.push('\n'); }
            let mut want = String::new();
            while lines.peek().is_some_and(|l| l.is_empty()) { lines.next(); }
            if lines.peek() == Some(&"```text") { lines.next(); for l in lines.by_ref() { if l == "```" { break; } want.push_str(l); want.push('\n'); } }
            if info.contains("unlocked") || info.contains("module") || info.contains("limit") { continue; }
            let r = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| m.run_script(&src, "case")));
            let Ok(t) = r else { println!("---- {file}: PANIC\n{src}"); bad += 1; m = Machine::new(&engine, &base, Quota::default()).unwrap(); continue };
            let mut got: String = t.output.iter().map(|o| o.text.clone() + "\n").collect();
            match &t.outcome { Outcome::Done(()) => {} Outcome::Threw(e) => got += &format!("! {e}\n"), Outcome::Aborted(a) => got += &format!("! abort {a:?}\n"), _ => {} }
            if let Outcome::Done(()) = t.outcome && let Some(u) = t.unhandled.first() { got += &format!("! {u}\n"); }
            let same = got == want || { let (g, w): (Vec<_>, Vec<_>) = (got.lines().collect(), want.lines().collect()); g.len() == w.len() && g.iter().zip(&w).all(|(g, w)| g == w || w.starts_with("! ") && g.starts_with(w)) };
            if same { ok += 1; } else { bad += 1; println!("---- {file}\n{src}-- want\n{want}-- got\n{got}"); }
        }
        println!("{file}: {ok} ok {bad} bad");
    }
}
#[test]
fn run_all() { std::thread::Builder::new().stack_size(256<<20).spawn(run).unwrap().join().unwrap(); }
