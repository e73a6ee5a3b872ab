//! `cargo xtask ocapn-suite`: the public test suite of OCapN, from outside, against `drses serve examples/ocapn-peer`.
//!
//! In: a checkout of the suite, and a Python that has its packages (cryptography, stem). Out: what the suite prints, twice: the second
//! time the host has been killed in between, so that its objects and their names come out of the store.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::book;

/// How long the host may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

pub fn run(root: &Path, suite: &str, python: &str) -> Result<bool> {
    let suite = std::fs::canonicalize(suite).with_context(|| format!("looking for the folder {suite}"))?;
    let Some(program) = book::drses(root, &[])? else { bail!("there is no `drses` program yet") };
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let state = std::env::temp_dir().join(format!("drses-ocapn-{}", std::process::id()));
    let mut fine = true;
    for round in ["a new host", "the same host after SIGKILL"] {
        println!("== {round}");
        let mut host = serve(root, &program, &state, port)?;
        let ran = listening(port).and_then(|()| test(&suite, python, port));
        host.kill().context("ending the host")?;
        host.wait()?;
        fine &= ran?;
    }
    let _ = std::fs::remove_dir_all(&state);
    Ok(fine)
}

fn serve(root: &Path, program: &Path, state: &Path, port: u16) -> Result<Child> {
    let listen = format!("tcp-testing-only://127.0.0.1:{port}");
    let mut host = Command::new(program);
    host.args(["serve", "--allow-chosen-swissnums", "--listen", &listen, "--state"])
        .arg(state)
        .arg("examples/ocapn-peer/main.js");
    host.current_dir(root).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    host.spawn().context("starting drses serve")
}

fn listening(port: u16) -> Result<()> {
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if start.elapsed() > PATIENCE {
            bail!("the host does not listen at port {port}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn test(suite: &Path, python: &str, port: u16) -> Result<bool> {
    let peer = format!("ocapn://peer.tcp-testing-only?host=127.0.0.1&port={port}");
    let status = Command::new(python).args(["test_runner.py", &peer, "-v"]).current_dir(suite).status();
    Ok(status.with_context(|| format!("starting {python}"))?.success())
}
