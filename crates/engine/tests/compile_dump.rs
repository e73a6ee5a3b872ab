#![forbid(unsafe_code)]
#[test]
fn dump() {
    let Ok(files) = std::env::var("DUMP") else { return };
    let show = std::env::var("SHOW").is_ok();
    for file in files.split_whitespace() {
        let source = std::fs::read_to_string(file).unwrap();
        let goal = if file.ends_with(".mjs") { syntax::ast::Goal::Module } else { syntax::ast::Goal::Script };
        let parsed =
            syntax::parse(&source, &syntax::Options { goal, level: syntax::diagnostic::Level::Strict, dialect_2013: false });
        for d in &parsed.diagnostics {
            println!("{file}: {d:?}");
        }
        if !parsed.diagnostics.is_empty() {
            continue;
        }
        let opts =
            engine::compile::CompileOptions { script_completion: std::env::var("COMPLETION").is_ok(), ..Default::default() };
        match engine::compile::compile(&parsed.tree, source.as_str().into(), file, &opts) {
            Err(e) => println!("{file}: {e:?}"),
            Ok(unit) => {
                if show {
                    println!("{}", engine::compile::disassemble(&unit));
                }
                if let Err(e) = engine::compile::verify(&unit) {
                    println!("{file}: VERIFY {e}");
                } else {
                    println!("{file}: ok {} words", unit.words.len());
                }
            }
        }
    }
}
