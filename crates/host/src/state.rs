//! A program with a state: opened, resumed, or begun.
//!
//! In: a folder, a program's path. Out: an exit code.
//!
//! Invariants
//! - a state belongs to one program: another one, or changed files, are refused and listed; nothing is changed then;
//! - no source file is read by a resumed program but to be compared.
use crate::begin::Job;
use crate::bundle;
use crate::net::Net;
use crate::operate::{Problem, problem};
use crate::output;
use crate::pool::{Mode, Named};
use crate::run::Options;
use journal::{Journal, sha256};
use node::{Config, Event, Node};
use std::path::Path;
use std::sync::Arc;
use store::disk::{Disk, RealDisk, RecordingDisk};
use store::{Background, FileStore, Opening, Store};
use vat::Shared;

/// Bytes of a segment of the log.
const SEGMENT_BYTES: u32 = 4 << 20;

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

/// How long the end of a killed process is waited for.
const LOCK_PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// How a program with a state is run.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    pub changed: Changed,
    /// It stays when nothing is left to do.
    pub serve: bool,
    /// All vats are paused before anything runs.
    pub paused: bool,
}

/// An open store and the thread that keeps its log short.
pub struct Opened {
    pub store: Arc<FileStore>,
    _background: Background,
    pub created: bool,
}

/// Makes a folder for secrets: for its owner alone.
pub(crate) fn make_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

pub(crate) fn random() -> std::io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    let mut filled = 0;
    while filled < bytes.len() {
        filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(bytes)
}

/// Names a file to which every effect on the disk is appended, for checks of what a crash could leave (`store::disk::RecordingDisk`).
/// The log is then cut into small pieces and merged often.
const RECORD_DISK: &str = "DRSES_RECORD_DISK";

/// What lies over the disk of a store: for those who measure.
pub type Over<'a> = &'a dyn Fn(Arc<dyn Disk>) -> Arc<dyn Disk>;

fn disk(folder: &Path, options: store::Options, over: Over<'_>) -> Result<(Arc<dyn Disk>, store::Options), Problem> {
    let real = over(Arc::new(RealDisk::new(folder)));
    let Some(file) = std::env::var_os(RECORD_DISK) else { return Ok((real, options)) };
    let sink = std::fs::OpenOptions::new().create(true).append(true).open(&file);
    let sink = sink.map_err(|e| problem("E-FILE", format!("{}: {e}", file.display()), "look at DRSES_RECORD_DISK"))?;
    let small = store::Options { segment_bytes: 128 << 10, merge_bytes: 256 << 10, ..options };
    Ok((Arc::new(RecordingDisk::new(real, Box::new(sink))), small))
}

/// The settings of a program's store: a small program's state is small, and is there at once.
pub fn settings() -> store::Options {
    store::Options { segment_bytes: SEGMENT_BYTES, spare_segments: 1, ..store::Options::default() }
}

/// Opens the store in a folder, or makes it.
pub fn open(folder: &Path, create: bool) -> Result<Opened, Problem> {
    open_with(folder, store::Options { create, ..settings() }, &|disk| disk)
}

/// Likewise with other settings.
pub fn open_with(folder: &Path, options: store::Options, over: Over<'_>) -> Result<Opened, Problem> {
    let create = options.create;
    let no_random = |e: std::io::Error| problem("E-RANDOM", format!("the system gives no random bytes: {e}"), "try again");
    if create && let Err(e) = make_folder(folder) {
        let message = format!("cannot make the folder {}: {e}", folder.display());
        return Err(problem("E-STATE", message, "choose another one with --state"));
    }
    let (disk, options) = disk(folder, options, over)?;
    let identity = match FileStore::identity_of(&*disk) {
        Ok(id) => id,
        Err(e) if create && e.kind() == store::ErrorKind::Missing => random().map_err(no_random)?,
        Err(e) => return Err(cannot_open(folder, e, "check the path given with --state; `drses run --state` makes one")),
    };
    let opening = Opening { identity, random: random().map_err(no_random)? };
    let store = Arc::new(open_soon(folder, || FileStore::open(disk.clone(), opening, options))?);
    if let Some(cut) = store.opened().cut {
        crate::tell!("note: frame {cut} of the log was not finished when the process died; nobody was told of it, it is cut");
    }
    let background = Background::start(store.clone())?;
    let created = store.opened().created;
    Ok(Opened { store, _background: background, created })
}

/// Why there is no opening the store in a folder; `help`: if there is none.
pub(crate) fn cannot_open(folder: &Path, e: store::Error, help: &str) -> Problem {
    match e.kind() {
        store::ErrorKind::Missing => problem(e.code(), format!("there is no state in {}", folder.display()), help),
        _ => e.into(),
    }
}

/// A process that was killed holds its lock until the system has taken it apart: that is waited for, a host that lives is not.
fn open_soon(folder: &Path, open: impl Fn() -> store::Result<FileStore>) -> store::Result<FileStore> {
    let start = std::time::Instant::now();
    loop {
        match open() {
            Err(e)
                if e.kind() == store::ErrorKind::Locked
                    && start.elapsed() < LOCK_PATIENCE
                    && !crate::control::is_there(folder) =>
            {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            done => return done,
        }
    }
}

/// No process has the store in this folder open, or there is none.
pub(crate) fn is_free(folder: &Path) -> bool {
    std::fs::File::open(folder.join("super")).map_or(true, |f| f.try_lock().is_ok())
}

/// Runs a program with its state in `folder`.
pub fn run(path: &Path, args: &[String], folder: &Path, how: How, options: &Options) -> i32 {
    match try_run(path, args, folder, how, options) {
        Ok(code) | Err(code) => code,
    }
}

fn told(e: impl Into<Problem>) -> i32 {
    output::problem(&e.into());
    1
}

fn try_run(path: &Path, args: &[String], folder: &Path, how: How, options: &Options) -> Result<i32, i32> {
    let (job, opened) = prepare(path, args, folder, how, options, (settings(), &|disk| disk))?;
    let no_socket = |e| {
        problem(
            "E-SOCKET",
            format!("cannot listen at {}/control.sock: {e}", folder.display()),
            "keep the state in a folder of this user",
        )
    };
    let server = crate::control::listen(folder).map_err(|e| told(no_socket(e)))?;
    job.net.tell();
    if how.serve {
        crate::tell!("note: serving; operators' commands: drses vat --state {}", folder.display());
    }
    let code = crate::begin::run(job, Some(server));
    crate::control::unlisten(folder);
    drop(opened);
    Ok(code)
}

/// The program with its state, ready to run.
pub(crate) fn prepare(
    path: &Path,
    args: &[String],
    folder: &Path,
    how: How,
    options: &Options,
    (disk, over): (store::Options, Over<'_>),
) -> Result<(Job, Opened), i32> {
    let shared = Arc::new(Shared::new(false).map_err(|e| {
        crate::tell!("error[E-MEMORY]: cannot reserve memory for a vat: {e}");
        1
    })?);
    let entry = bundle::entry_file(path);
    let installed = shared.install(&entry.display().to_string(), options.level, &mut bundle::Files);
    if let Err(faults) = &installed
        && (how.changed == Changed::Fresh || !folder.join("super").exists())
    {
        // a program that cannot run begins no state
        output::faults(faults);
        return Err(crate::run::exit_code(faults, &entry));
    }
    if how.changed == Changed::Fresh {
        move_aside(folder)?;
    }
    let opened = open_with(folder, store::Options { create: true, ..disk }, over).map_err(told)?;
    let mut journal = Journal::new(opened.store.clone());
    let known = is_known(&journal, folder, &entry, how.changed)?;
    let limits = passable::Limits { heap_bytes: options.quota.heap_bytes, instructions: options.quota.instructions };
    let config = Config { durable: true, trace: options.trace.is_some(), ..Config::default() };
    let net = Net::prepare(&options.net, Some(folder)).map_err(told)?;
    if let Some(file) = &options.trace {
        output::open_trace(file, net.designator())?;
    }
    let mode = if how.serve { Mode::Serve } else { Mode::Run };
    let paused = how.paused;
    let job = if known {
        journal.restore_programs(&shared).map_err(told)?;
        let store: Arc<dyn Store> = opened.store.clone();
        let restored = Node::restore(config, Box::new(Named(shared.clone())), &*store).map_err(told)?;
        let Some(node) = restored else { return Err(told(passable::Bad)) };
        let limits = new_limits(&node, options);
        let unclean = !journal.begin();
        Job { shared, node, journal: Some(journal), start: None, unclean, mode, paused, limits, net }
    } else {
        let program = installed.map_err(|faults| {
            output::faults(&faults);
            crate::run::exit_code(&faults, &entry)
        })?;
        journal.put_programs(&shared, program);
        let (powers, imports) = crate::run::powers(args, &options.net);
        let node = Node::new(config, Box::new(Named(shared.clone())));
        let start = Some(Event::Start { program, powers, limits, imports });
        journal.begin();
        Job { shared, node, journal: Some(journal), start, unclean: false, mode, paused, limits: None, net }
    };
    Ok((job, opened))
}

/// Is this program in the store? An error if another one is, or if its files have changed.
fn is_known(journal: &Journal, folder: &Path, entry: &Path, changed: Changed) -> Result<bool, i32> {
    let refuse = |p: Problem, code: i32| {
        output::problem(&p);
        code
    };
    if journal.is_repl() {
        return Err(refuse(crate::operate::not_a_program(folder), 1));
    }
    let Some(files) = journal.files().map_err(told)? else { return Ok(false) };
    let name = journal.entry_name().map_err(told)?;
    if vat::program::normal(&entry.display().to_string()) != vat::program::normal(&name) {
        let message = format!("the state in {} belongs to the program {name}; nothing was run", folder.display());
        return Err(refuse(problem("E-OTHER-PROGRAM", message, "name that program, or another folder with --state"), 2));
    }
    if changed != Changed::Continue {
        let different = differences(&files);
        if !different.is_empty() {
            output::changed(folder, &different);
            return Err(2);
        }
    }
    Ok(true)
}

/// The limits that were asked for, if they are others than the first vat has.
fn new_limits(node: &Node, options: &Options) -> Option<passable::Limits> {
    let old = node.limits(passable::VatId(1));
    let (heap, instructions) = options.limits_asked;
    let new = passable::Limits {
        heap_bytes: if heap { options.quota.heap_bytes } else { old.heap_bytes },
        instructions: if instructions { options.quota.instructions } else { old.instructions },
    };
    (new != old && node.vats().next().is_some()).then_some(new)
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
    if !is_free(folder) {
        output::problem(
            &store::Error::new(store::ErrorKind::Locked, "another process has the store open; nothing was moved").into(),
        );
        return Err(1);
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
        crate::tell!("error[E-STATE]: cannot move {} to {aside}: {e}\n  help: move it yourself", folder.display());
        1
    })?;
    crate::tell!("note: the old state is in {aside}");
    Ok(())
}
