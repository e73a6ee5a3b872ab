//! Files as source texts.
//!
//! In: paths. Out: texts, compiled scripts, or what is wrong with them.
//!
//! Invariants
//! - a program's files are read once, before it starts.
use std::path::{Path, PathBuf};
use syntax::ast::Goal;
use syntax::diagnostic::Level;
use vat::CodeUnit;
pub use vat::program::Fault;
pub use vat::program::level_of;
use vat::program::{Texts, fault};

/// Bytes of one source file at most.
pub const MAX_FILE_BYTES: u64 = 64 << 20;

/// The code of a file that cannot be read at all.
pub const E_FILE: &str = "E-FILE";

/// The file a program's path names: a folder stands for its `main.js`.
pub fn entry_file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("main.js") } else { path.to_owned() }
}

/// Reads a source file as text.
pub fn read(path: &Path) -> Result<String, Fault> {
    let name = path.display().to_string();
    let look = |e: std::io::Error| fault(&name, E_FILE, format!("cannot read {name}: {e}"), "check the path and its permissions");
    let size = std::fs::metadata(path).map_err(look)?.len();
    if size > MAX_FILE_BYTES {
        let message = format!("{name} has {size} bytes; at most {MAX_FILE_BYTES} are read");
        return Err(fault(&name, "E-SIZE", message, "split the file"));
    }
    let bytes = std::fs::read(path).map_err(look)?;
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        fault(&name, "E-UTF8", format!("byte {at} of {name} is not UTF-8"), "save the file as UTF-8")
    })
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

/// The files of this machine, as a program's texts.
pub struct Files;

impl Texts for Files {
    fn read(&mut self, file: &str) -> Result<String, Fault> {
        read(Path::new(file))
    }
    fn exists(&mut self, file: &str) -> bool {
        Path::new(file).is_file()
    }
}
