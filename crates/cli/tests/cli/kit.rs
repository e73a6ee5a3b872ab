//! The built program `drses`, started as a person would start it.
//!
//! In: arguments, standard input, files. Out: what it printed, and its exit code.
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// How one run of the program ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The last line of standard error.
    pub fn last_error(&self) -> &str {
        self.err.lines().last().unwrap_or("")
    }
}

/// A folder of source files, removed at the end of the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(files: &[(&str, &str)]) -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("drses-cli-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Folder(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&folder.0).expect("a folder can be made");
        for (name, text) in files {
            folder.write(name, text.as_bytes());
        }
        folder
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder can be made");
        std::fs::write(path, bytes).expect("a file can be written");
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The text of a file, if it is there.
    pub fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.0.join(name)).ok()
    }

    /// Runs `drses` in this folder with nothing on standard input.
    pub fn run(&self, args: &[&str]) -> Ran {
        drses(&self.0, args, b"")
    }

    /// Runs `drses` with a standard output that takes nothing; its exit code and standard error.
    pub fn run_onto_full(&self, args: &[&str], input: &[u8]) -> (Option<i32>, String) {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
        let ran = start(&self.0, args, input, full.into());
        (ran.code, ran.err)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs `drses` in `folder` with `input` on standard input.
pub fn drses(folder: &Path, args: &[&str], input: &[u8]) -> Ran {
    start(folder, args, input, Stdio::piped())
}

fn start(folder: &Path, args: &[&str], input: &[u8], out: Stdio) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drses"));
    command.args(args).current_dir(folder);
    let mut child = command.stdin(Stdio::piped()).stdout(out).stderr(Stdio::piped()).spawn().expect("drses starts");
    // A program that reads nothing may be gone before this is written.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    let output = child.wait_with_output().expect("drses ends");
    let text = |bytes| String::from_utf8(bytes).expect("drses prints UTF-8");
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}
