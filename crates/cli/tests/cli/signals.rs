//! Ctrl-C while turns run.
use crate::kit::Folder;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// `drses`, running; its standard output was read up to the line `ready`.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
    since: Instant,
}

fn start(folder: &Folder, args: &[&str], input: &[u8]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drses"));
    command.args(args).current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("drses starts");
    child.stdin.take().expect("a pipe").write_all(input).expect("input is taken");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    assert!(line.contains("ready"), "{line:?}");
    // the turn that never ends begins right after that
    std::thread::sleep(Duration::from_millis(500));
    Running { child, out, since: Instant::now() }
}

impl Running {
    fn interrupt(&self) {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().expect("kill");
        assert!(sent.success());
    }
    /// Exit code, the rest of standard output, standard error, and seconds since `ready`.
    fn end(mut self) -> (Option<i32>, String, String, u64) {
        let (mut out, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut out).expect("text");
        self.child.stderr.take().expect("a pipe").read_to_string(&mut err).expect("text");
        let code = self.child.wait().expect("drses ends").code();
        (code, out, err, self.since.elapsed().as_secs())
    }
}

const LOOP: &str = "for (;;) {}";
/// Below it nothing of these programs ends by itself.
const LIMIT: [&str; 2] = ["--max-instructions", "1e15"];

#[test]
fn ctrl_c_interrupts_a_script() {
    let folder = Folder::new(&[("a.js", "print('ready');"), ("b.js", LOOP), ("c.js", "print('never');")]);
    let drses = start(&folder, &[&["run", "--script"], &LIMIT[..], &["a.js", "b.js", "c.js"]].concat(), b"");
    drses.interrupt();
    let (code, out, err, _) = drses.end();
    assert_eq!((code, out.as_str()), (Some(130), ""), "{err}");
    assert!(err.contains("error[E-INTERRUPTED]"), "{err}");
}

#[test]
fn ctrl_c_interrupts_an_entry_of_the_repl_and_not_the_repl() {
    let folder = Folder::new(&[]);
    let entries = b"globalThis.n = 1; 'ready'\n for (;;) { n += 1; }\n n + 1\n";
    let drses = start(&folder, &[&["repl"], &LIMIT[..]].concat(), entries);
    drses.interrupt();
    let (code, out, err, _) = drses.end();
    assert_eq!((code, out.as_str()), (Some(1), "2\n"), "{err}");
    assert!(err.contains("error[E-INTERRUPTED]"), "{err}");
}

const PROGRAM: &str = "
export default ({ console, timer }) => {
  console.log('ready');
  (timer ~. delay(1)).then(() => { console.log('never'); for (;;) {} });
};
";

#[test]
fn an_interrupted_turn_of_a_program_with_state_begins_again() {
    let folder = Folder::new(&[("main.js", PROGRAM)]);
    let args = [&["run", "--state", "s"], &LIMIT[..], &["main.js"]].concat();
    let drses = start(&folder, &args, b"");
    drses.interrupt();
    let (code, out, err, seconds) = drses.end();
    assert_eq!((code, out.as_str()), (Some(130), ""), "{err}");
    assert!(err.contains("error[E-INTERRUPTED]") && err.contains("its message is kept"), "{err}");
    assert!(seconds >= 4, "turns in hand get time to end: {seconds} s");
    // it goes on with that message
    let mut again = Command::new(env!("CARGO_BIN_EXE_drses"));
    let child = again.args(&args).current_dir(folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("drses starts");
    let out = BufReader::new(child.stdout.take().expect("a pipe"));
    std::thread::sleep(Duration::from_secs(2));
    let drses = Running { child, out, since: Instant::now() };
    drses.interrupt();
    let (code, out, err, _) = drses.end();
    assert_eq!((code, out.as_str()), (Some(130), ""), "{err}");
    assert!(err.contains("error[E-INTERRUPTED]"), "{err}");
}

#[test]
fn a_second_ctrl_c_ends_the_process_at_once() {
    let folder = Folder::new(&[("main.js", PROGRAM)]);
    let drses = start(&folder, &[&["run"], &LIMIT[..], &["main.js"]].concat(), b"");
    drses.interrupt();
    std::thread::sleep(Duration::from_millis(300));
    drses.interrupt();
    let (code, out, err, seconds) = drses.end();
    assert_eq!((code, out.as_str()), (Some(130), ""), "{err}");
    assert!(seconds < 4, "{seconds} s");
}
