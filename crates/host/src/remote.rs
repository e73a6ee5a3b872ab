//! `drses repl --connect`: entries that talk to objects of other hosts.
//!
//! In: sturdyrefs, lines. Out: values as they come.
//!
//! Invariants
//! - entries are calls of a vat of their own (`remote.js`), one after the other: each is a turn, and sees what those before it left;
//! - an entry that waits (`await` at its top level) is settled before the next one is read; of any other promise it is told when it is
//!   settled, and at the end of input the process goes on until nothing is left to be waited for.
use crate::bundle::Fault;
use crate::operate::{self, Asker, Problem, problem};
use crate::output;
use crate::pool::{Mode, Named, Pool};
use crate::run::Options;
use node::{Event, Node};
use passable::{Limits, VatId};
use rustyline::error::ReadlineError;
use serde_json::{Value, json};
use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::sync::{Arc, mpsc};
use syntax::ast::{Body, Goal, Stmt};
use syntax::diagnostic::Level;
use vat::Shared;
use vat::program::Texts;

const PROGRAM: &str = include_str!("remote.js");
const NAME: &str = "repl.js";
const VAT: VatId = VatId(1);
/// The name of what is connected to.
pub const REF: &str = "ref";

const HELP: &str = "\
An entry is a script of one turn; `ref` is what was connected to. Share names through globalThis.
  ref ~. method(1, 'two')             sends; the answer is shown when it comes
  await ref ~. method()               waits for the answer
  globalThis.x = await ref ~. make()  keeps it
  .help   this text
  .exit   leave (so does Ctrl-D)
";

/// The program, which stands in no file.
struct OneText;

impl Texts for OneText {
    fn read(&mut self, _: &str) -> Result<String, Fault> {
        Ok(PROGRAM.to_owned())
    }
    fn exists(&mut self, file: &str) -> bool {
        file == NAME
    }
}

/// What `--connect` names: a sturdyref, `@FILE` with one, or the state of a host on this machine (its folder or its socket).
pub fn sturdyref(text: &str) -> Result<String, Problem> {
    if text.starts_with("ocapn://") || text.starts_with('@') {
        return crate::net::reference(&format!("{REF}={text}")).map(|r| r.1);
    }
    let path = Path::new(text);
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let help =
        "--connect ocapn://…/s/…, @FILE with such a sturdyref, or the folder of the state of a host that runs here and listens";
    let none = |why: String| problem("E-CONNECT", format!("{text}: {why}"), help);
    let answer = crate::control::ask_host(folder, &json!({ "do": "refs" }))?;
    let answer = answer.ok_or_else(|| none("no host runs on it".to_owned()))?;
    let root = answer["refs"].as_array().and_then(|all| all.iter().find(|r| r["ref"] == 0));
    let uri = root.and_then(|r| r["uris"][0].as_str());
    uri.map(str::to_owned).ok_or_else(|| none("its host listens nowhere, or its root is no object".to_owned()))
}

/// Evaluates the entries given, or if there are none reads them until the end of input; the exit code. The first of
/// `options.net.refs` is what is connected to.
pub fn run(given: &[String], options: &Options) -> i32 {
    match begun(options) {
        Ok(job) => crate::begin::run_with(job, None, |pool| {
            let pool = pool.clone();
            let level = options.level.unwrap_or(Level::Ses);
            let given = given.to_vec();
            let reads = move || entries(&pool, level, &given);
            if let Err(e) = std::thread::Builder::new().name("entries".into()).stack_size(crate::pool::STACK_BYTES).spawn(reads) {
                output::fatal("E-THREAD", &format!("cannot start a thread: {e}"));
            }
        }),
        Err(p) => {
            output::problem(&p);
            1
        }
    }
}

fn begun(options: &Options) -> Result<crate::begin::Job, Problem> {
    let no_memory =
        |e| problem("E-MEMORY", format!("cannot reserve memory for a vat: {e}"), "raise the limit of address space (ulimit -v)");
    let shared = Arc::new(Shared::new(options.unlocked).map_err(no_memory)?);
    let program = shared.install(NAME, None, &mut OneText).map_err(|faults| {
        let texts: Vec<String> = faults.iter().map(output::fault_text).collect();
        problem("E-INTERNAL", texts.join("\n"), "report it")
    })?;
    let limits = Limits { heap_bytes: options.quota.heap_bytes, instructions: options.quota.instructions };
    let (powers, imports) = crate::run::powers(&[], &options.net);
    let node = Node::new(node::Config::default(), Box::new(Named(shared.clone())));
    let net = crate::net::Net::prepare(&options.net, None)?;
    Ok(crate::begin::Job {
        shared,
        node,
        journal: None,
        start: Some(Event::Start { program, powers, limits, imports }),
        unclean: false,
        // until the input is at its end
        mode: Mode::Serve,
        paused: false,
        limits: None,
        net,
    })
}

/// Calls a method of the vat; what it came to.
fn call(pool: &Arc<Pool>, method: &str, args: &[Value]) -> Result<(), String> {
    let (to, answer) = mpsc::channel();
    {
        let body = ken::codec::method_call(method, |w| {
            args.iter().for_each(|a| {
                crate::json::write(w, a, 0);
            });
            args.len()
        });
        let mut w = pool.lock();
        let reply = operate::awaited(Asker::Here(to));
        pool.step(&mut w, Event::Call { vat: VAT, body, reply });
        pool.provide(&mut w);
    }
    // an error: the process ends
    let Ok(answer) = answer.recv() else { return Err("Error: the process ends".to_owned()) };
    match answer.get("rejected") {
        None => Ok(()),
        Some(why) => Err(why["@error"].as_str().map_or_else(|| format!("Uncaught: {why}"), str::to_owned)),
    }
}

/// The life of the thread that reads.
fn entries(pool: &Arc<Pool>, level: Level, given: &[String]) {
    if let Err(why) = call(pool, "ready", &[]) {
        let help = "is the host running, and is this the sturdyref that it printed?";
        output::problem(&problem("E-CONNECT", format!("cannot connect: {why}"), help));
        return pool.ask_to_end_with(1);
    }
    if given.is_empty()
        && std::io::stdin().is_terminal()
        && let Ok(editor) = rustyline::DefaultEditor::new()
    {
        terminal(pool, level, editor);
        return pool.ask_to_end_with(0);
    }
    let fine = match given {
        [] => piped(pool, level),
        all => all.iter().fold(true, |fine, entry| fine & eval(pool, level, entry)),
    };
    let mut w = pool.lock();
    w.failed |= !fine;
    w.mode = Mode::Run;
    pool.provide(&mut w);
    pool.clock.notify_one();
}

fn terminal(pool: &Arc<Pool>, level: Level, mut editor: rustyline::DefaultEditor) {
    crate::tell!("drses: .help for help");
    let mut entry = String::new();
    loop {
        match editor.readline(if entry.is_empty() { "> " } else { "… " }) {
            Ok(line) if entry.is_empty() && line.trim() == ".exit" => return,
            Ok(line) if entry.is_empty() && line.trim() == ".help" => output::note(HELP),
            Ok(line) => {
                entry.push_str(&line);
                entry.push('\n');
                if !crate::repl::unfinished(&entry) {
                    let _ = editor.add_history_entry(entry.trim_end());
                    eval(pool, level, &std::mem::take(&mut entry));
                }
            }
            Err(ReadlineError::Interrupted) => entry.clear(),
            Err(_) => return,
        }
    }
}

/// True if no entry failed.
fn piped(pool: &Arc<Pool>, level: Level) -> bool {
    let (mut entry, mut fine) = (String::new(), true);
    for line in std::io::stdin().lock().split(b'\n') {
        let line = line.ok().and_then(|line| String::from_utf8(line).ok());
        let Some(line) = line else {
            let help = "send UTF-8";
            output::problem(&problem("E-UTF8", "a line of standard input is not UTF-8; its entry is dropped", help));
            (fine, entry) = (false, String::new());
            continue;
        };
        if entry.is_empty() && line.trim() == ".exit" {
            return fine;
        }
        entry.push_str(&line);
        entry.push('\n');
        if !crate::repl::unfinished(&entry) {
            fine &= eval(pool, level, &std::mem::take(&mut entry));
        }
    }
    fine & eval(pool, level, &entry)
}

/// Evaluates an entry and shows what it came to. True: nothing went wrong in it.
fn eval(pool: &Arc<Pool>, level: Level, entry: &str) -> bool {
    if entry.trim().is_empty() {
        return true;
    }
    let waits = waiting(entry, level);
    let text = waits.as_deref().unwrap_or(entry);
    // for errors of the text that show the place
    if let Err(f) = crate::bundle::compile(Path::new("repl"), text, Goal::Script, Some(level), true) {
        output::faults(&[f]);
        return false;
    }
    match call(pool, "run", &[json!(text), json!(waits.is_some())]) {
        Ok(()) => true,
        Err(why) => {
            crate::tell!("{}", output::safe(&why));
            false
        }
    }
}

/// An entry that waits at its top level, as one that has a promise for its value. None: it does not wait.
fn waiting(entry: &str, level: Level) -> Option<String> {
    let options = syntax::Options { goal: Goal::Module, level, ..Default::default() };
    let parsed = syntax::parse(entry, &options);
    let tree = &parsed.tree;
    if parsed.has_errors() || !tree.module.has_top_level_await || !tree.module.requests.is_empty() {
        return None;
    }
    let Body::Block(body) = &tree.functions.first()?.body else { return None };
    let (before, last) = match body.last().map(|s| (tree.stmt(*s), tree.stmt_spans[s.index()])) {
        Some((Stmt::Expr(e), whole)) => {
            let span = tree.expr_spans[e.index()];
            let (start, end) = (whole.start as usize, whole.end as usize);
            let value = entry.get(span.start as usize..span.end as usize)?;
            // what stands in parentheses may begin before its expression
            let value = if start < span.start as usize { entry.get(start..end)?.trim_end().trim_end_matches(';') } else { value };
            (entry.get(..start)?, value)
        }
        _ => (entry, "undefined"),
    };
    Some(format!("(async () => {{{before}\nreturn ({last}\n);}})()"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_has_the_value_of_its_last_expression() {
        let of = |text: &str| waiting(text, Level::Ses);
        assert_eq!(of("1 + 1"), None);
        assert_eq!(of("const f = async () => await x;"), None);
        assert_eq!(of("await x").as_deref(), Some("(async () => {\nreturn (await x\n);})()"));
        assert_eq!(of("const y = await x; y + 1;").as_deref(), Some("(async () => {const y = await x; \nreturn (y + 1\n);})()"));
        assert_eq!(of("(await x);").as_deref(), Some("(async () => {\nreturn ((await x)\n);})()"));
        assert_eq!(
            of("globalThis.y = await x // why").as_deref(),
            Some("(async () => {\nreturn (globalThis.y = await x\n);})()")
        );
        assert_eq!(
            of("for (const y of []) await y;").as_deref(),
            Some("(async () => {for (const y of []) await y;\nreturn (undefined\n);})()")
        );
        for text in ["await x", "(await x);", "const y = await x; y + 1;", "await x; // c"] {
            let made = of(text).expect("it waits");
            assert!(!syntax::parse(&made, &syntax::Options::default()).has_errors(), "{made}");
        }
    }
}
