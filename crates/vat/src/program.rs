//! Programs: what all vats of a process share, and modules bundled and linked once.
//!
//! In: source texts, by way of a function that reads them. Out: `Program`s under numbers that a `Delivery` can name.
//!
//! Invariants
//! - a text is read, compiled and linked once, whatever imports it and however many vats run it;
//! - a specifier names a module relative to the one that asks (`./`, `../`), never anything else;
//! - the program of a new vat is one that a literal specifier of the maker's own modules names.
//!
//! Must never know: where texts come from.
use engine::engine::{Engine, LoadedUnit};
use engine::machine::{Base, compile_source};
use engine::module::ModuleIn;
use engine::realm::Arrangement;
use engine::relocate::{Older, Unmoved};
use engine::syntax::{
    self,
    ast::{Goal, Span},
    diagnostic::{Diagnostic, Level, Severity},
};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, RwLock};

/// Modules of one program at most.
pub const MAX_MODULES: usize = 10_000;

/// What all vats of a process share.
pub struct Shared {
    engine: Arc<Engine>,
    base: Base,
    programs: RwLock<Vec<Arc<Program>>>,
    base_hash: OnceLock<[u8; 32]>,
    /// Bases of other builds, by the hash under which a store has them.
    older: RwLock<BTreeMap<[u8; 32], Arc<Older>>>,
}

/// A program, linked.
pub struct Program {
    /// The file of its entry.
    pub name: String,
    graph: Vec<ModuleIn>,
    /// Numbers of the programs that literal specifiers of its modules name; `None`: two modules mean different ones by it.
    makes: RwLock<BTreeMap<String, Option<u64>>>,
}

impl Program {
    pub fn graph(&self) -> &[ModuleIn] {
        &self.graph
    }
    /// What its literal specifiers name.
    pub fn makes(&self) -> Vec<(String, Option<u64>)> {
        let makes = self.makes.read().unwrap_or_else(|e| e.into_inner());
        makes.iter().map(|(s, n)| (s.clone(), *n)).collect()
    }
    /// One that was stored.
    pub fn restored(name: String, graph: Vec<ModuleIn>, makes: Vec<(String, Option<u64>)>) -> Program {
        Program { name, graph, makes: RwLock::new(makes.into_iter().collect()) }
    }
}

/// What is wrong with one text.
#[derive(Debug)]
pub struct Fault {
    pub file: String,
    /// Empty if the file could not be read as text.
    pub source: String,
    pub diagnostics: Vec<Diagnostic>,
}

/// A fault that stands at no place of a text.
pub fn fault(file: &str, code: &'static str, message: String, help: &str) -> Fault {
    let d = Diagnostic { severity: Severity::Error, code, message, span: Span::default(), help: Some(help.to_owned()) };
    Fault { file: file.to_owned(), source: String::new(), diagnostics: vec![d] }
}

/// The level of a text: what is asked for, else its marker, else ses.
pub fn level_of(source: &str, asked: Option<Level>) -> Level {
    asked.or_else(|| syntax::level_marker(source)).unwrap_or(Level::Ses)
}

/// Where a program's texts come from.
pub trait Texts {
    /// The text of a file.
    fn read(&mut self, file: &str) -> Result<String, Fault>;
    /// Is there such a file?
    fn exists(&mut self, file: &str) -> bool;
}

impl Shared {
    /// Builds the base of locked (or unlocked) realms.
    pub fn new(unlocked: bool) -> std::io::Result<Shared> {
        Shared::arranged(unlocked, Arrangement::BUILT)
    }

    /// Likewise, as another build might.
    #[doc(hidden)]
    pub fn arranged(unlocked: bool, arrangement: Arrangement) -> std::io::Result<Shared> {
        let engine = Arc::new(Engine::new()?);
        let base = Base::arranged(&engine, unlocked, arrangement)?;
        Ok(Shared { engine, base, programs: RwLock::default(), base_hash: OnceLock::new(), older: RwLock::default() })
    }

    /// The code units of the base, in the order of their numbers.
    pub fn base_units(&self) -> &[Arc<LoadedUnit>] {
        self.base.units()
    }

    /// The base of another build with this hash, if it was asked for before.
    pub fn older(&self, hash: &[u8; 32]) -> Option<Arc<Older>> {
        self.older.read().unwrap_or_else(|e| e.into_inner()).get(hash).cloned()
    }

    /// The base of another build, from its image and its units in the order of their numbers; those that this build cannot read are absent.
    pub fn add_older(&self, hash: [u8; 32], image: Vec<u8>, units: Vec<Option<Arc<LoadedUnit>>>) -> Result<Arc<Older>, Unmoved> {
        let made = Arc::new(Older::new(&self.engine, &self.base, image, units)?);
        Ok(self.older.write().unwrap_or_else(|e| e.into_inner()).entry(hash).or_insert(made).clone())
    }

    /// The stored bytes of the base.
    pub fn base_bytes(&self) -> &[u8] {
        &self.base.bytes
    }
    /// Their hash; `hash` makes it, once.
    pub fn base_hash(&self, hash: impl FnOnce(&[u8]) -> [u8; 32]) -> [u8; 32] {
        *self.base_hash.get_or_init(|| hash(&self.base.bytes))
    }
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }
    pub(crate) fn base(&self) -> &Base {
        &self.base
    }

    /// All programs, by number.
    pub fn programs(&self) -> Vec<Arc<Program>> {
        self.programs.read().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// Puts stored programs in the place of those that are there.
    pub fn restore_programs(&self, programs: Vec<Program>) {
        *self.programs.write().unwrap_or_else(|e| e.into_inner()) = programs.into_iter().map(Arc::new).collect();
    }

    /// A program by its number.
    pub fn program(&self, n: u64) -> Option<Arc<Program>> {
        let all = self.programs.read().unwrap_or_else(|e| e.into_inner());
        all.get(usize::try_from(n).ok()?).cloned()
    }

    /// The program that modules of `maker` name by a literal specifier; else why there is none.
    pub fn named_by(&self, maker: u64, specifier: &str) -> Result<u64, String> {
        let known = self.program(maker).and_then(|p| {
            let makes = p.makes.read().unwrap_or_else(|e| e.into_inner());
            makes.get(specifier).copied()
        });
        match known {
            Some(Some(n)) => Ok(n),
            Some(None) => Err(format!("modules of the program mean different files by '{specifier}': write different paths")),
            None => Err(format!(
                "no module of the program calls make('{specifier}', …) with this specifier written as a literal: \
                 a program's files are captured before it starts"
            )),
        }
    }

    /// Links a unit into the process's code space.
    pub fn link(&self, unit: engine::code::CodeUnit) -> Result<Arc<LoadedUnit>, String> {
        self.engine.load(unit).ok_or_else(|| "limit: code of the process".to_owned())
    }

    /// The text of a module that imports nothing; else `line:column: what is wrong`.
    pub(crate) fn module_of_text(&self, source: &str) -> Result<Vec<ModuleIn>, String> {
        let unit = compile_source(source, "<source>", Goal::Module, level_of(source, None), false).map_err(|errors| {
            let Some(first) = errors.first() else { return "invalid source".to_owned() };
            let at = syntax::LineIndex::new(source).place(first.span.start);
            format!("{}:{}: {}", at.line, at.column, first.message)
        })?;
        if let Some(r) = unit.module.requests.first() {
            return Err(format!(
                "a source given as text cannot import '{r}': only `drses:` modules, of which there are none yet"
            ));
        }
        Ok(vec![ModuleIn { unit: self.link(unit)?, requests: Vec::new() }])
    }

    /// Bundles, compiles and links the program whose entry is `entry`, with the programs that it makes vats of.
    pub fn install(&self, entry: &str, asked: Option<Level>, texts: &mut dyn Texts) -> Result<u64, Vec<Fault>> {
        let mut b = Bundler { shared: self, asked, texts, units: BTreeMap::new(), faults: Vec::new() };
        let mut numbers: BTreeMap<String, u64> = BTreeMap::new();
        let mut todo = vec![normal(entry)];
        let mut made: Vec<(u64, Vec<(String, String)>)> = Vec::new();
        let first = todo[0].clone();
        while let Some(file) = todo.pop() {
            if numbers.contains_key(&file) {
                continue;
            }
            let (graph, makes) = b.graph(&file);
            todo.extend(makes.iter().map(|m| m.1.clone()));
            let program = Program { name: file.clone(), graph, makes: RwLock::default() };
            let mut all = self.programs.write().unwrap_or_else(|e| e.into_inner());
            numbers.insert(file, all.len() as u64);
            made.push((all.len() as u64, makes));
            all.push(Arc::new(program));
        }
        if !b.faults.is_empty() {
            return Err(b.faults);
        }
        for (n, makes) in made {
            let Some(p) = self.program(n) else { continue };
            let mut table = p.makes.write().unwrap_or_else(|e| e.into_inner());
            for (specifier, file) in makes {
                let target = numbers.get(&file).copied();
                let same = table.entry(specifier).or_insert(target);
                if *same != target {
                    *same = None;
                }
            }
        }
        Ok(numbers[&first])
    }
}

struct Bundler<'a> {
    shared: &'a Shared,
    asked: Option<Level>,
    texts: &'a mut dyn Texts,
    /// By file; `None`: it has faults, which were noted.
    units: BTreeMap<String, Option<Arc<LoadedUnit>>>,
    faults: Vec<Fault>,
}

impl Bundler<'_> {
    fn unit(&mut self, file: &str) -> Option<Arc<LoadedUnit>> {
        if let Some(u) = self.units.get(file) {
            return u.clone();
        }
        let unit = self.compile(file).map_err(|f| self.faults.push(f)).ok();
        self.units.insert(file.to_owned(), unit.clone());
        unit
    }

    fn compile(&mut self, file: &str) -> Result<Arc<LoadedUnit>, Fault> {
        let source = self.texts.read(file)?;
        let level = level_of(&source, self.asked);
        let unit = compile_source(&source, file, Goal::Module, level, false).map_err(|diagnostics| Fault {
            file: file.to_owned(),
            source,
            diagnostics,
        })?;
        self.shared.link(unit).map_err(|why| fault(file, "E-CODE", why, "make the program smaller"))
    }

    /// The modules reached from a file, itself first, and what literal specifiers of `make` in them name: (specifier, file).
    fn graph(&mut self, entry: &str) -> (Vec<ModuleIn>, Vec<(String, String)>) {
        let mut index = BTreeMap::from([(entry.to_owned(), 0usize)]);
        let mut files = vec![entry.to_owned()];
        let (mut graph, mut makes) = (Vec::new(), Vec::new());
        let mut next = 0;
        let mut whole = true;
        while next < files.len() {
            let file = files[next].clone();
            next += 1;
            let Some(unit) = self.unit(&file) else {
                whole = false;
                continue;
            };
            let mut requests = Vec::new();
            for specifier in &unit.unit.module.requests {
                let Some(target) = self.resolve(&file, specifier, "import") else { continue };
                let n = files.len();
                let at = *index.entry(target.clone()).or_insert(n);
                if at == n {
                    files.push(target);
                }
                requests.push(at);
            }
            for specifier in &unit.unit.module.makes {
                if let Some(target) = self.resolve(&file, specifier, "make a vat of") {
                    makes.push((specifier.clone(), target));
                }
            }
            whole &= requests.len() == unit.unit.module.requests.len();
            graph.push(ModuleIn { unit, requests });
            if files.len() > MAX_MODULES {
                let message = format!("more than {MAX_MODULES} modules");
                self.faults.push(fault(&file, "E-MODULES", message, "make the program smaller"));
                break;
            }
        }
        if whole && graph.len() == files.len() {
            self.names(&graph);
        }
        (graph, makes)
    }

    /// Every name that is imported must be exported, by one module.
    fn names(&mut self, graph: &[ModuleIn]) {
        for (i, diagnostic) in engine::module::missing_names(graph) {
            let unit = &graph[i].unit.unit;
            let known = self.faults.iter().any(|f| f.file == unit.name && f.diagnostics.contains(&diagnostic));
            if !known {
                let (file, source) = (unit.name.clone(), unit.source.to_string());
                self.faults.push(Fault { file, source, diagnostics: vec![diagnostic] });
            }
        }
    }

    /// The file that `specifier` names in `file`.
    fn resolve(&mut self, file: &str, specifier: &str, what: &str) -> Option<String> {
        if !(specifier.starts_with("./") || specifier.starts_with("../")) {
            let message = format!("{file}: cannot {what} '{specifier}': only './…' and '../…' name modules");
            let help = "copy the module beside the program and name it by its relative path";
            self.faults.push(fault(file, "E-IMPORT", message, help));
            return None;
        }
        let dir = file.rfind('/').map_or("", |at| &file[..at]);
        let target =
            normal(&if dir.is_empty() && !file.starts_with('/') { specifier.to_owned() } else { format!("{dir}/{specifier}") });
        if !self.texts.exists(&target) {
            let message = format!("{file}: cannot {what} '{specifier}': there is no file {target}");
            self.faults.push(fault(file, "E-IMPORT", message, "check the specifier; the file name's extension belongs to it"));
            return None;
        }
        Some(target)
    }
}

/// A path without `.` and `..` parts, as far as its text goes.
pub fn normal(path: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            "" if !out.is_empty() => {}
            ".." if out.last().is_some_and(|p| !p.is_empty() && *p != "..") => {
                out.pop();
            }
            _ => out.push(part),
        }
    }
    out.join("/")
}

#[cfg(test)]
mod tests {
    #[test]
    fn paths_are_made_plain() {
        for (path, plain) in [
            ("./a.js", "a.js"),
            ("x/./y/../a.js", "x/a.js"),
            ("../a.js", "../a.js"),
            ("/x//a.js", "/x/a.js"),
            ("x/../../a.js", "../a.js"),
        ] {
            assert_eq!(super::normal(path), plain);
        }
    }
}
