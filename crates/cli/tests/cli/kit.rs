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

/// A run of `drses` that goes on beside the test; killed when it is dropped.
pub struct Started {
    child: std::process::Child,
    lines: std::sync::mpsc::Receiver<String>,
    /// What it printed so far on stdout.
    pub out: Vec<String>,
    err: Option<std::thread::JoinHandle<String>>,
}

/// How long a line is waited for.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

impl Folder {
    /// Starts `drses` in this folder.
    pub fn start(&self, args: &[&str]) -> Started {
        self.started(Command::new(env!("CARGO_BIN_EXE_drses")), args)
    }

    /// Starts `drses` as a process that may have so many files open.
    pub fn start_with_files(&self, files: u32, args: &[&str]) -> Started {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {files} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_drses")]);
        self.started(command, args)
    }

    fn started(&self, mut command: Command, args: &[&str]) -> Started {
        command.args(args).current_dir(&self.0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("drses starts");
        let (out, mut err) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        let (to, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in std::io::BufRead::lines(std::io::BufReader::new(out)).map_while(Result::ok) {
                let _ = to.send(line);
            }
        });
        let err = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = std::io::Read::read_to_string(&mut err, &mut text);
            text
        });
        Started { child, lines, out: Vec::new(), err: Some(err) }
    }

    /// Starts a host and waits until it listens.
    pub fn serve(&self, args: &[&str]) -> Started {
        let state = args.iter().position(|a| *a == "--state").and_then(|i| args.get(i + 1)).expect("a state");
        let host = self.start(args);
        let start = std::time::Instant::now();
        while self.run(&["vat", "ls", "--state", state]).code != Some(0) || !self.0.join(state).join("control.sock").exists() {
            assert!(start.elapsed() < PATIENCE, "the host does not listen");
        }
        host
    }

    /// The bytes of all files of a folder in it, by name; sockets are passed over.
    pub fn bytes(&self, name: &str) -> Vec<(String, Vec<u8>)> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(self.0.join(name)).expect("a folder") {
            let entry = entry.expect("an entry");
            if entry.file_type().expect("a type").is_file() {
                all.push((entry.file_name().into_string().expect("a name"), std::fs::read(entry.path()).expect("a file")));
            }
        }
        all.sort();
        all
    }

    /// Runs `drses … --json`, which must end with 0; its answer.
    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        let ran = self.run(&[args, &["--json"]].concat());
        assert_eq!(ran.code, Some(0), "{args:?}: {}{}", ran.out, ran.err);
        serde_json::from_str(&ran.out).expect("one JSON object")
    }
}

impl Started {
    /// Waits until it prints this line.
    pub fn wait_for(&mut self, line: &str) {
        while self.out.last().is_none_or(|l| l != line) {
            let next = self.lines.recv_timeout(PATIENCE);
            self.out.push(next.unwrap_or_else(|_| panic!("{line:?} was not printed, but {:?}", self.out)));
        }
    }

    /// Waits until it prints such a line.
    pub fn line(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            if let Some(line) = self.out.iter().find(|l| wanted(l)) {
                return line.clone();
            }
            let next = self.lines.recv_timeout(PATIENCE);
            self.out.push(next.unwrap_or_else(|_| panic!("no such line was printed, but {:?}", self.out)));
        }
    }

    /// Until it ends by itself; exit code and standard error.
    pub fn wait(mut self) -> (Option<i32>, String) {
        self.end()
    }

    fn end(&mut self) -> (Option<i32>, String) {
        let status = self.child.wait().expect("it ends");
        self.out.extend(self.lines.iter());
        (status.code(), self.err.take().map_or(String::new(), |t| t.join().expect("its errors")))
    }

    /// SIGKILL; what it printed.
    pub fn kill9(mut self) -> Vec<String> {
        self.child.kill().expect("it can be killed");
        self.end();
        std::mem::take(&mut self.out)
    }

    /// SIGTERM; exit code and standard error.
    pub fn term(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
        self.end()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
