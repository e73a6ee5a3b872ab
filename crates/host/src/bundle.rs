//! Bundles: a program's files, read once.
//!
//! In: the path of a program. Out: its modules, compiled, with their requests resolved; or what is wrong with them.
//!
//! Invariants
//! - each file is read once and parsed once, whatever imports it;
//! - a specifier names a file relative to the module that asks (`./`, `../`), never anything else.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use syntax::ast::{Goal, Span};
use syntax::diagnostic::{Diagnostic, Level, Severity};
use vat::CodeUnit;

/// Bytes of one source file at most.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// Modules of one program at most.
pub const MAX_MODULES: usize = 10_000;

/// The code of a file that cannot be read at all.
pub const E_FILE: &str = "E-FILE";

/// What is wrong with one file.
#[derive(Debug)]
pub struct Fault {
    pub file: String,
    /// Empty if the file could not be read as text.
    pub source: String,
    pub diagnostics: Vec<Diagnostic>,
}

/// A program, ready to be started.
pub struct Bundle {
    /// The entry first.
    pub graph: Vec<engine::module::ModuleIn>,
    /// The files, in the same order.
    pub files: Vec<PathBuf>,
}

fn fault(file: &Path, code: &'static str, message: String, help: &str) -> Fault {
    let d = Diagnostic { severity: Severity::Error, code, message, span: Span::default(), help: Some(help.to_owned()) };
    Fault { file: file.display().to_string(), source: String::new(), diagnostics: vec![d] }
}

/// The file a program's path names: a folder stands for its `main.js`.
pub fn entry_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("main.js") } else { path.to_owned() }
}

/// Reads a source file as text.
pub fn read(path: &Path) -> Result<String, Fault> {
    let look = |e: std::io::Error| {
        fault(path, E_FILE, format!("cannot read {}: {e}", path.display()), "check the path and its permissions")
    };
    let size = std::fs::metadata(path).map_err(look)?.len();
    if size > MAX_FILE_BYTES {
        let message = format!("{} has {size} bytes; at most {MAX_FILE_BYTES} are read", path.display());
        return Err(fault(path, "E-SIZE", message, "split the file"));
    }
    let bytes = std::fs::read(path).map_err(look)?;
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let message = format!("byte {at} of {} is not UTF-8", path.display());
        fault(path, "E-UTF8", message, "save the file as UTF-8")
    })
}

/// The level of a source: what the command line says, else its marker, else ses.
pub fn level_of(source: &str, asked: Option<Level>) -> Level {
    asked.or_else(|| syntax::level_marker(source)).unwrap_or(Level::Ses)
}

/// Compiles one source.
pub fn compile(file: &Path, source: &str, goal: Goal, asked: Option<Level>, completion: bool) -> Result<CodeUnit, Fault> {
    let name = file.display().to_string();
    let level = level_of(source, asked);
    engine::machine::compile_source(source, &name, goal, level, completion).map_err(|diagnostics| Fault {
        file: name,
        source: source.to_owned(),
        diagnostics,
    })
}

/// Reads a program and all it imports.
pub fn load(path: &Path, asked: Option<Level>) -> Result<Bundle, Vec<Fault>> {
    let entry = entry_file(path);
    let mut index = BTreeMap::from([(normal(&entry), 0usize)]);
    let mut files = vec![entry];
    let mut graph = Vec::new();
    let mut faults = Vec::new();
    let mut next = 0;
    while next < files.len() {
        let file = files[next].clone();
        next += 1;
        let unit = match read(&file).and_then(|s| compile(&file, &s, Goal::Module, asked, false)) {
            Ok(u) => u,
            Err(f) => {
                faults.push(f);
                continue;
            }
        };
        let mut requests = Vec::new();
        for specifier in &unit.module.requests {
            match resolve(&file, specifier) {
                Ok(target) => {
                    let n = files.len();
                    let at = *index.entry(normal(&target)).or_insert(n);
                    if at == n {
                        files.push(target);
                    }
                    requests.push(at);
                }
                Err(f) => faults.push(f),
            }
        }
        if files.len() > MAX_MODULES {
            faults.push(fault(&file, "E-MODULES", format!("more than {MAX_MODULES} modules"), "make the program smaller"));
            return Err(faults);
        }
        graph.push(engine::module::ModuleIn { unit, requests });
    }
    if faults.is_empty() { Ok(Bundle { graph, files }) } else { Err(faults) }
}

/// The file that `specifier` names in `file`.
fn resolve(file: &Path, specifier: &str) -> Result<PathBuf, Fault> {
    if !(specifier.starts_with("./") || specifier.starts_with("../")) {
        let message = format!("{}: cannot import '{specifier}': only './…' and '../…' name modules", file.display());
        return Err(fault(file, "E-IMPORT", message, "copy the module beside the program and import it by its relative path"));
    }
    let target = file.parent().unwrap_or(Path::new("")).join(specifier);
    if !target.is_file() {
        let message = format!("{}: cannot import '{specifier}': there is no file {}", file.display(), normal(&target).display());
        return Err(fault(file, "E-IMPORT", message, "check the specifier; the file name's extension belongs to it"));
    }
    Ok(target)
}

/// A path without `.` and `..` parts, as far as its text goes.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}
