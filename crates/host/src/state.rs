//! A program with a state: opened, resumed, or begun.
//!
//! In: a folder, a program's path. Out: an exit code.
//!
//! Invariants
//! - a state belongs to one program: another one, or changed files, are refused and listed; nothing is changed then;
//! - no source file is read by a resumed program but to be compared.
use crate::bundle;
use crate::journal::{Journal, Misfit, sha256};
use crate::output;
use crate::pool::{Job, Named};
use crate::run::Options;
use node::{Config, Event, Node};
use std::path::Path;
use std::sync::Arc;
use store::disk::RealDisk;
use store::{Background, FileStore, Opening, Store};
use vat::Shared;

/// What to do if the program is not the one that the state was made by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Changed {
    #[default]
    Refuse,
    /// The stored code goes on.
    Continue,
    /// The old state is moved aside.
    Fresh,
}

/// An open store and the thread that keeps its log short.
pub struct Opened {
    pub store: Arc<FileStore>,
    _background: Background,
    pub created: bool,
}

fn random() -> std::io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    let mut filled = 0;
    while filled < bytes.len() {
        filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(bytes)
}

/// Opens the store in a folder, or makes it. What goes wrong is told; then the exit code.
pub fn open(folder: &Path, create: bool) -> Result<Opened, i32> {
    let failed = |e: store::Error| {
        output::store_error(&e);
        1
    };
    let no_random = |e: std::io::Error| {
        eprintln!("error[E-RANDOM]: the system gives no random bytes: {e}");
        1
    };
    if create && let Err(e) = std::fs::create_dir_all(folder) {
        eprintln!("error[E-STATE]: cannot make the folder {}: {e}\n  help: choose another one with --state", folder.display());
        return Err(1);
    }
    let disk = Arc::new(RealDisk::new(folder));
    let identity = match FileStore::identity_of(&*disk) {
        Ok(id) => id,
        Err(e) if create && e.kind() == store::ErrorKind::Missing => random().map_err(no_random)?,
        Err(e) => return Err(failed(e)),
    };
    let opening = Opening { identity, random: random().map_err(no_random)? };
    let options = store::Options { create, ..store::Options::default() };
    let store = Arc::new(FileStore::open(disk, opening, options).map_err(failed)?);
    if let Some(cut) = store.opened().cut {
        eprintln!("note: frame {cut} of the log was not finished when the process died; nobody was told of it, it is cut");
    }
    let background = Background::start(store.clone()).map_err(failed)?;
    let created = store.opened().created;
    Ok(Opened { store, _background: background, created })
}

/// Runs a program with its state in `folder`.
pub fn run(path: &Path, args: &[String], folder: &Path, changed: Changed, serves: bool, options: &Options) -> i32 {
    match try_run(path, args, folder, changed, serves, options) {
        Ok(code) | Err(code) => code,
    }
}

fn told(e: &Misfit) -> i32 {
    output::misfit(e);
    1
}

fn try_run(path: &Path, args: &[String], folder: &Path, changed: Changed, serves: bool, options: &Options) -> Result<i32, i32> {
    let shared = Arc::new(Shared::new(false).map_err(|e| {
        eprintln!("error[E-MEMORY]: cannot reserve memory for a vat: {e}");
        1
    })?);
    let entry = bundle::entry_file(path);
    let installed = shared.install(&entry.display().to_string(), options.level, &mut bundle::Files);
    if changed == Changed::Fresh {
        move_aside(folder)?;
    }
    let opened = open(folder, true)?;
    let mut journal = Journal::new(opened.store.clone());
    let files = journal.files().map_err(|e| told(&e))?;
    if let Some(files) = &files
        && changed != Changed::Continue
    {
        let different = differences(files);
        if !different.is_empty() {
            output::changed(folder, &different);
            return Err(2);
        }
    }
    let limits = passable::Limits { heap_bytes: options.quota.heap_bytes, instructions: options.quota.instructions };
    let config = Config { manual: false, durable: true };
    let clean = journal.begin();
    let job = match files {
        None => {
            let program = installed.map_err(|faults| {
                output::faults(&faults);
                crate::run::exit_code(&faults, &entry)
            })?;
            journal.put_programs(&shared, program);
            let powers = vat::powers_data(&passable::Power::ALL, args);
            let node = Node::new(config, Box::new(Named(shared.clone())));
            let start = Some(Event::Start { program, powers, limits });
            Job { shared, node, journal: Some(journal), start, unclean: false, serves }
        }
        Some(_) => {
            journal.restore_programs(&shared).map_err(|e| told(&e))?;
            let store: Arc<dyn Store> = opened.store.clone();
            let restored = Node::restore(config, Box::new(Named(shared.clone())), &*store).map_err(|e| told(&e.into()))?;
            let Some(node) = restored else { return Err(told(&passable::Bad.into())) };
            Job { shared, node, journal: Some(journal), start: None, unclean: !clean, serves }
        }
    };
    let server = if serves {
        Some(crate::control::listen(folder).map_err(|e| {
            eprintln!(
                "error[E-SOCKET]: cannot listen at {}/control.sock: {e}\n  help: use a shorter path to the state",
                folder.display()
            );
            1
        })?)
    } else {
        None
    };
    let code = crate::pool::run(job, server);
    drop(opened);
    Ok(code)
}

/// Files of the stored program that are not as they were.
fn differences(files: &[(String, [u8; 32])]) -> Vec<String> {
    let same = |name: &str, hash: &[u8; 32]| std::fs::read(name).is_ok_and(|text| sha256(&text) == *hash);
    files.iter().filter(|(name, hash)| !same(name, hash)).map(|f| f.0.clone()).collect()
}

/// Renames a state's folder to the first free `NAME.old-N`.
fn move_aside(folder: &Path) -> Result<(), i32> {
    if !folder.exists() {
        return Ok(());
    }
    let mut n = 1;
    let aside = loop {
        let name = format!("{}.old-{n}", folder.display().to_string().trim_end_matches('/'));
        if !Path::new(&name).exists() {
            break name;
        }
        n += 1;
    };
    std::fs::rename(folder, &aside).map_err(|e| {
        eprintln!("error[E-STATE]: cannot move {} to {aside}: {e}\n  help: move it yourself", folder.display());
        1
    })?;
    eprintln!("note: the old state is in {aside}");
    Ok(())
}
