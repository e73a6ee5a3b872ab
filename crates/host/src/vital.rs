//! Threads that a host cannot do without.
//!
//! In: what such a thread does. Out: it runs; if it panics, which is a mistake of this program, the process ends.
//!
//! Invariant: nobody waits for a thread that is no more. What it was at is not known; what was durable stays, and a new process goes on
//! from there, as after any death.
use std::thread::{Builder, JoinHandle};

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("?");
            let what = format!("a mistake of drses itself (thread {name}); the lines before this one say where");
            let help = "type the same command again: what was durable stays; and report those lines";
            crate::output::problem(&crate::operate::problem("E-PANIC", what, help));
            std::process::exit(1);
        }
    }
}

/// Starts a thread.
pub(crate) fn start<T: Send + 'static>(
    name: &str,
    stack_bytes: Option<usize>,
    body: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<JoinHandle<T>> {
    let named = Builder::new().name(name.to_owned());
    let thread = match stack_bytes {
        Some(n) => named.stack_size(n),
        None => named,
    };
    thread.spawn(move || {
        let _guard = Guard;
        body()
    })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    /// A process of its own that runs this test alone, in which the thread panics.
    const PANICS: &str = "DRSES_TEST_PANICS";

    #[test]
    fn a_panic_ends_the_process() {
        if std::env::var_os(PANICS).is_some() {
            let _ = super::start("turns", None, || panic!("a mistake"));
            std::thread::sleep(Duration::from_secs(60));
            return;
        }
        let me = std::env::current_exe().expect("this program");
        let mut child = Command::new(me);
        child.args(["--exact", "vital::tests::a_panic_ends_the_process", "--nocapture"]).env(PANICS, "yes").stdin(Stdio::null());
        let output = child.output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("a mistake") && told.contains("error[E-PANIC]") && told.contains("turns"), "{told}");
    }
}
