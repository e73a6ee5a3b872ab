//! One test: from its text to a verdict.
//!
//! In: the folder of the suite, a test's name. Out: passed, failed and why, or skipped and why.
//!
//! Each test runs in a realm of its own, unlocked, strict, and as one turn with all its jobs. A script's helpers stand before it in the
//! same text, since what a script declares ends with it; a module's are put on the global object by a script that runs before.
use crate::absent::{is_absence, why_skipped};
use crate::meta::Meta;
use engine::cage::{Mem, value};
use engine::cx::{Cx, Res, Stop};
use engine::engine::Engine;
use engine::interp;
use engine::machine::{Base, Machine, Outcome, Quota, Turn, compile_source};
use engine::module::{self, ModuleIn};
use engine::syntax::ast::Goal;
use engine::syntax::diagnostic::{Diagnostic, Level};
use engine::{object, roots, string};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
}

/// Tests on one engine, whose room for code is bounded.
const TESTS_OF_ENGINE: usize = 200;

const QUOTA: Quota = Quota { heap_bytes: 256 << 20, instructions: 2_000_000_000 };

/// In place of a helper that takes the global object from the `this` of a sloppy function: the engine has none.
const GLOBAL_OBJECT: &str = "function fnGlobalObject() { return globalThis; }";

/// A turn, with what the test threw.
type Ended = Turn<Option<String>>;

pub struct Runner {
    suite: PathBuf,
    engine: Arc<Engine>,
    base: Base,
    /// How many tests ran on this engine.
    ran: usize,
    helpers: BTreeMap<String, String>,
}

impl Runner {
    pub fn new(suite: &Path) -> std::io::Result<Runner> {
        let engine = Arc::new(Engine::new()?);
        let base = Base::build(&engine, true)?;
        Ok(Runner { suite: suite.to_owned(), engine, base, ran: 0, helpers: BTreeMap::new() })
    }

    /// The verdict on the test of this name, a path below `test/`.
    pub fn test(&mut self, name: &str) -> std::io::Result<Verdict> {
        let text = match std::fs::read_to_string(self.suite.join("test").join(name)) {
            Err(e) if e.kind() == std::io::ErrorKind::InvalidData => return Ok(Verdict::Skipped("not UTF-8".into())),
            text => text?,
        };
        let meta = Meta::of(&text);
        if let Some(why) = why_skipped(&meta, &text) {
            return Ok(Verdict::Skipped(why));
        }
        if self.ran == TESTS_OF_ENGINE {
            self.engine = Arc::new(Engine::new()?);
            self.base = Base::build(&self.engine, true)?;
            self.ran = 0;
        }
        self.ran += 1;
        let early = meta.negative.as_ref().is_some_and(|n| n.0 != "runtime");
        let mut helpers = String::new();
        if !early || meta.is("module") {
            let own = ["assert.js", "sta.js"].into_iter().chain(meta.is("async").then_some("doneprintHandle.js"));
            for file in own.chain(meta.includes.iter().map(String::as_str)) {
                helpers += self.helper(file)?;
                helpers.push('\n');
            }
            let names: Vec<String> = helpers.lines().filter_map(declared).map(str::to_owned).collect();
            // some helpers, and code that a test evaluates, look for others on the global object
            names.iter().for_each(|n| helpers += &format!("globalThis.{n} = {n};\n"));
        }
        let mut machine = Machine::new(&self.engine, &self.base, QUOTA)?;
        let ended = if meta.is("module") {
            self.module(&mut machine, name, &text, &helpers)
        } else {
            let whole = helpers + &text;
            let unit = compile_source(&whole, name, Goal::Script, Level::Strict, false).map_err(Early::of);
            unit.map(|unit| {
                machine.turn(|cx, m| {
                    let global = roots::get(m, roots::R_GLOBAL);
                    let ran = interp::run_unit(cx, m, unit, global).map(|_| ());
                    thrown(cx, m, ran)
                })
            })
        };
        Ok(verdict(&meta, ended))
    }

    fn helper(&mut self, file: &str) -> std::io::Result<&str> {
        if file == "fnGlobalObject.js" {
            return Ok(GLOBAL_OBJECT);
        }
        if !self.helpers.contains_key(file) {
            let text = std::fs::read_to_string(self.suite.join("harness").join(file))?;
            self.helpers.insert(file.to_owned(), text);
        }
        Ok(&self.helpers[file])
    }

    fn module(&self, machine: &mut Machine, name: &str, text: &str, helpers: &str) -> Result<Ended, Early> {
        let unit = compile_source(helpers, "helpers", Goal::Script, Level::Strict, false).map_err(Early::of)?;
        let turn = machine.run_unit(unit);
        if !matches!(turn.outcome, Outcome::Done(())) {
            return Ok(turn.map(|()| None));
        }
        let graph = self.graph(name, text)?;
        if let Some((_, d)) = module::missing_names(&graph).into_iter().next() {
            return Err(Early { phase: "resolution", text: format!("SyntaxError: {}", d.message), absent: false });
        }
        Ok(machine.turn(|cx, m| {
            let global = roots::get(m, roots::R_GLOBAL);
            let ran = module::run_graph(cx, m, &graph, global).map(|_| ());
            thrown(cx, m, ran)
        }))
    }

    /// The modules reached from a test, itself first.
    fn graph(&self, name: &str, text: &str) -> Result<Vec<ModuleIn>, Early> {
        let mut files = vec![name.to_owned()];
        let mut graph = Vec::new();
        while graph.len() < files.len() {
            let file = files[graph.len()].clone();
            let unresolved = |what: String| Early { phase: "resolution", text: what, absent: false };
            let source = match graph.len() {
                0 => text.to_owned(),
                _ => {
                    let read = std::fs::read_to_string(self.suite.join("test").join(&file));
                    read.map_err(|e| unresolved(format!("{file}: {e}")))?
                }
            };
            let unit = compile_source(&source, &file, Goal::Module, Level::Strict, false);
            let unit =
                unit.map_err(|d| Early { phase: if graph.is_empty() { "parse" } else { "resolution" }, ..Early::of(d) })?;
            let unit = self.engine.load(unit).ok_or_else(|| unresolved("no room for code".into()))?;
            let folder = file.rfind('/').map_or("", |at| &file[..=at]);
            let mut requests = Vec::new();
            for r in &unit.unit.module.requests {
                let Some(r) = r.strip_prefix("./") else { return Err(unresolved(format!("cannot resolve '{r}'"))) };
                let target = format!("{folder}{r}");
                let at = files.iter().position(|f| *f == target).unwrap_or(files.len());
                if at == files.len() {
                    files.push(target);
                }
                requests.push(at);
            }
            graph.push(ModuleIn { unit, requests });
        }
        Ok(graph)
    }
}

/// What a line of a helper declares for all.
fn declared(line: &str) -> Option<&str> {
    let rest =
        ["function* ", "async function ", "function ", "var ", "let ", "const "].iter().find_map(|k| line.strip_prefix(k))?;
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
    (end > 0).then_some(&rest[..end])
}

/// An error before anything runs.
struct Early {
    phase: &'static str,
    text: String,
    /// What is wrong is that something is not there.
    absent: bool,
}

impl Early {
    fn of(errors: Vec<Diagnostic>) -> Early {
        let absent = errors.iter().any(|d| d.code == "E-NOT-YET" || d.code.starts_with("JS-"));
        let first = errors.into_iter().next();
        Early {
            phase: "parse",
            text: first.map_or_else(String::new, |d| format!("SyntaxError: {} {}", d.code, d.message)),
            absent,
        }
    }
}

/// An exception as `Name: message` from the properties of its value, which may be no error.
fn thrown(cx: &mut Cx, m: Mem, ran: Res<()>) -> Res<Option<String>> {
    let (Err(Stop::Throw), v) = (ran, cx.thrown) else { return ran.map(|()| None) };
    if !value::is_obj(v) {
        return Err(Stop::Throw);
    }
    let mut text = |of: u64, key: &str| -> Res {
        let key = string::intern_str(cx, m, key)?;
        object::get(cx, m, of, key)
    };
    let constructor = text(v, "constructor")?;
    let name = if value::is_obj(constructor) { text(constructor, "name")? } else { constructor };
    let message = text(v, "message")?;
    let mut shown = |v: u64| if value::is_str(v) { string::to_rust(cx, m, v) } else { Ok("?".to_owned()) };
    Ok(Some(format!("{}: {}", shown(name)?, shown(message)?)))
}

fn verdict(meta: &Meta, ended: Result<Ended, Early>) -> Verdict {
    let (phase, error, output) = match ended {
        Err(e) if e.absent => return Verdict::Skipped(format!("syntax: {}", e.text)),
        Err(e) => (e.phase, Some(e.text), Vec::new()),
        Ok(t) => match t.outcome {
            Outcome::Done(thrown) => ("runtime", thrown, t.output),
            Outcome::Threw(text) => ("runtime", Some(text), t.output),
            Outcome::Aborted(why) => return Verdict::Failed(format!("aborted: {}", why.message())),
            _ => return Verdict::Failed("ended in an unknown way".into()),
        },
    };
    if let (Some((p, kind)), Some(text)) = (&meta.negative, &error) {
        return match p == phase && text.contains(kind.as_str()) {
            true => Verdict::Passed,
            false => Verdict::Failed(format!("expected {kind} at {p}, got at {phase}: {text}")),
        };
    }
    let printed = |word: &str| output.iter().find(|l| l.text.contains(word));
    let failure = match (&meta.negative, error) {
        (Some((p, kind)), _) => Some(format!("expected {kind} at {p}")),
        (None, Some(text)) => Some(text),
        (None, None) if !meta.is("async") || printed("Test262:AsyncTestComplete").is_some() => None,
        (None, None) => Some(printed("Test262:AsyncTestFailure").map_or("never called $DONE".into(), |l| l.text.clone())),
    };
    match failure {
        None => Verdict::Passed,
        Some(text) if is_absence(&text) => Verdict::Skipped(text),
        Some(text) => Verdict::Failed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite(files: &[(&str, &str)]) -> PathBuf {
        let root = std::env::temp_dir().join(format!("drses-test262-{}", std::process::id()));
        let own = [
            ("harness/assert.js", "function assert(x) { if (!x) throw new Test262Error('no'); }"),
            (
                "harness/sta.js",
                "function Test262Error(m) { this.message = m; }\nTest262Error.prototype.toString = function () { return 'Test262Error: ' + this.message; };",
            ),
            (
                "harness/doneprintHandle.js",
                "function $DONE(e) { print(e ? 'Test262:AsyncTestFailure:' + e : 'Test262:AsyncTestComplete'); }",
            ),
        ];
        for (name, text) in own.iter().chain(files) {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
            std::fs::write(path, text).expect("it can be written");
        }
        root
    }

    #[test]
    fn verdicts() {
        let root = suite(&[
            ("test/a.js", "assert(1 + 1 === 2);"),
            ("test/b.js", "assert(false);"),
            ("test/c.js", "/*---\nnegative:\n  phase: parse\n  type: SyntaxError\n---*/\nlet let = 1;"),
            ("test/d.js", "/*---\nflags: [async]\n---*/\nPromise.resolve().then(() => $DONE());"),
            ("test/e.js", "/*---\nflags: [async]\n---*/\n1;"),
            ("test/f.js", "/*---\nflags: [module]\n---*/\nimport { x } from './g.js'; assert(x === 5);"),
            ("test/g.js", "export const x = 5;"),
            ("test/h.js", "/*---\nnegative:\n  phase: runtime\n  type: TypeError\n---*/\nnull.x;"),
            ("test/i.js", "/*---\nnegative:\n  phase: parse\n  type: SyntaxError\n---*/\n1;"),
            ("test/j.js", "class A {}"),
        ]);
        let mut runner = Runner::new(&root).expect("an engine");
        let mut of = |name: &str| runner.test(name).expect("it is there");
        for passes in ["a.js", "c.js", "d.js", "f.js", "h.js"] {
            assert_eq!(of(passes), Verdict::Passed, "{passes}");
        }
        for fails in ["b.js", "e.js", "i.js"] {
            assert!(matches!(of(fails), Verdict::Failed(_)), "{fails}");
        }
        assert!(matches!(of("j.js"), Verdict::Skipped(_)));
        let _ = std::fs::remove_dir_all(&root);
    }
}
