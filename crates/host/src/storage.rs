//! What operators do with a store: figures, a check, copies, and room.
//!
//! In: an open store, or folders. Out: answers as JSON; backups, restored stores, dumps of vats.
//!
//! Invariants
//! - a backup is of one moment, whatever the host does meanwhile;
//! - nothing is written over: a backup, a restored store and a dump go where nothing is;
//! - what is written here is as secret as the store: for its owner alone.
use crate::operate::{Problem, problem};
use crate::pool::Named;
use crate::state;
use journal::{Journal, Misfit, Sleeping, sha256};
use ken::codec::Put;
use ken::rows;
use node::{Config, Event, Node};
use passable::VatId;
use serde_json::{Value, json};
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::disk::RealDisk;
use store::{Batch, Store};
use vat::{Quota, Shared, Vat};

/// Commands about the store, not about a vat.
pub(crate) const COMMANDS: [&str; 4] = ["stats", "check", "backup", "compact"];

type ReadVat<'a> = &'a dyn Fn(VatId) -> Result<Option<Sleeping>, Misfit>;

pub(crate) fn command(
    folder: &Path,
    store: &dyn Store,
    shared: &Shared,
    what: &str,
    v: &Value,
    read: ReadVat<'_>,
) -> Result<Value, Problem> {
    match what {
        "check" => check(store, shared, read),
        "backup" => {
            let to = v.get("to").and_then(Value::as_str).map(PathBuf::from);
            let Some(to) = to.filter(|p| p.is_absolute()) else {
                return Err(problem("E-ARGS", "backup needs an absolute path in `to`", "name an empty folder"));
            };
            empty_folder(&to)?;
            // all up to this one is in the copy; others may come while it is made
            let sequence = store.position().1;
            let with_key = v.get("withKey") == Some(&Value::Bool(true));
            let done = store.backup(&RealDisk::new(&to)).map_err(Problem::from);
            let done = done.and_then(|()| if with_key { crate::net::copy_key(folder, &to).map(drop) } else { Ok(()) });
            done.inspect_err(|_| empty(&to))?;
            Ok(json!({ "backup": to.display().to_string(), "sequence": sequence }))
        }
        "compact" => {
            let before = store.stats();
            while store.merge_step()? {}
            let after = store.stats();
            Ok(json!({ "logBytesBefore": before.log_bytes, "logBytes": after.log_bytes, "extents": after.extents }))
        }
        _ => Ok(stats(store)),
    }
}

fn stats(store: &dyn Store) -> Value {
    let s = store.stats();
    json!({
        "epoch": s.epoch,
        "incarnation": incarnation(store),
        "sequence": s.appended,
        "durable": s.durable,
        "rows": s.rows,
        "vats": s.spaces.saturating_sub(store.scan(rows::BASES, &[], None, usize::MAX).len() as _),
        "logFrames": s.log_frames,
        "logBytes": s.log_bytes,
        "segments": s.segments,
        "freeSegments": s.free_segments,
        "extents": s.extents,
        "extentPlaces": s.slots,
        "metaBytes": s.meta_bytes,
        "merges": s.generation,
    })
}

/// Reads all of the store; wakes every vat and walks its heap.
fn check(store: &dyn Store, shared: &Shared, read: ReadVat<'_>) -> Result<Value, Problem> {
    let checked = store.check()?;
    let quota = Quota { heap_bytes: 3 << 30, ..Quota::default() };
    let mut faults = Vec::new();
    let vats = store.scan(rows::VATS, &[], None, usize::MAX);
    for (key, _) in &vats {
        let Ok(id) = key.as_slice().try_into().map(|k| VatId(u32::from_be_bytes(k))) else {
            faults.push(json!({ "vat": null, "fault": "a row of VATS has a key that names no vat" }));
            continue;
        };
        let woken = read(id).and_then(|s| s.map(|s| s.wake(shared, quota)).transpose());
        let fault = match woken {
            Ok(vat) => vat.and_then(|v| v.verify().err()),
            Err(e) => Some(e.what),
        };
        if let Some(fault) = fault {
            faults.push(json!({ "vat": id.0, "fault": fault }));
        }
    }
    let what = |space: u64| if rows::base_of_space(space).is_some() { Value::Null } else { json!(space) };
    let damage: Vec<Value> =
        checked.damage.iter().map(|d| json!({ "vat": what(d.space), "offset": d.offset, "bytes": d.length })).collect();
    Ok(json!({
        "ok": faults.is_empty() && damage.is_empty(),
        "rows": checked.rows,
        "frames": checked.frames,
        "extents": checked.extents,
        "vats": vats.len(),
        "damage": damage,
        "faults": faults,
    }))
}

/// A folder that is there and has nothing in it.
fn empty_folder(folder: &Path) -> Result<(), Problem> {
    let failed = |e: std::io::Error| {
        problem("E-FOLDER", format!("cannot use the folder {}: {e}", folder.display()), "name a folder that can be made")
    };
    state::make_folder(folder).map_err(failed)?;
    if std::fs::read_dir(folder).map_err(failed)?.next().is_some() {
        let message = format!("{} is not empty; nothing was changed", folder.display());
        return Err(problem("E-STORE-EXISTS", message, "name an empty folder, or one that is not there"));
    }
    Ok(())
}

/// Takes back what was begun in a folder that was empty, so that the same command can be typed again.
fn empty(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        // what cannot be removed is found by the next one who wants an empty folder
        let _ = std::fs::remove_file(entry.path());
    }
}

/// Copies a backup to a folder where there is nothing, and opens it once.
pub fn restore(from: &Path, to: &Path, new_incarnation: bool) -> Result<Value, Problem> {
    store::FileStore::identity_of(&RealDisk::to_read(from)).map_err(|e| state::cannot_open(from, e, "check its path"))?;
    if !state::is_free(from) {
        let help = "a store in use is not a backup: make one with `drses store backup`";
        return Err(problem("E-STORE-LOCKED", format!("a host runs on {}", from.display()), help));
    }
    empty_folder(to)?;
    let failed = |e: std::io::Error| {
        let help = "make room or mend the permissions, empty the new folder, and restore again; the backup is as it was";
        problem("E-RESTORE", format!("copying {} to {}: {e}", from.display(), to.display()), help)
    };
    // the superblock last: without it the folder is no store
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_file() {
            names.extend(entry.file_name().into_string());
        }
    }
    names.sort_by_key(|n| (n == "super", n.clone()));
    for name in &names {
        std::fs::copy(from.join(name), to.join(name)).map_err(failed)?;
        // a backup may be kept where nothing can be written; the copy is to be
        std::fs::set_permissions(to.join(name), Permissions::from_mode(0o600)).map_err(failed)?;
        std::fs::File::open(to.join(name)).and_then(|f| f.sync_all()).map_err(failed)?;
    }
    std::fs::File::open(to).and_then(|f| f.sync_all()).map_err(failed)?;
    let opened = state::open(to, false)?;
    let store: Arc<dyn Store> = opened.store.clone();
    let given_up = if new_incarnation {
        begin_incarnation(&*store)?;
        give_up_sessions(&store)?
    } else {
        json!({})
    };
    let mut answer = json!({
        "restored": to.display().to_string(),
        "epoch": store.stats().epoch,
        "sequence": store.position().1,
        "vats": store.scan(rows::VATS, &[], None, usize::MAX).len(),
        "incarnation": incarnation(&*store),
    });
    if let (Some(answer), Value::Object(given_up)) = (answer.as_object_mut(), given_up) {
        answer.extend(given_up);
    }
    store.seal()?;
    Ok(answer)
}

/// What other hosts were told since the backup is not known any more: sessions end, so promises and references between hosts are
/// rejected. Sturdyrefs stay.
fn give_up_sessions(store: &Arc<dyn Store>) -> Result<Value, Problem> {
    let mut journal = Journal::new(store.clone());
    if journal.is_repl() {
        return Ok(json!({ "givenUp": [], "sturdyrefs": [] }));
    }
    let no_memory = |e| problem("E-MEMORY", format!("cannot reserve memory for a vat: {e}"), "raise the limit of address space");
    let shared = Arc::new(Shared::new(false).map_err(no_memory)?);
    journal.restore_programs(&shared)?;
    let config = Config { durable: true, ..Config::default() };
    let Some(mut node) = Node::restore(config, Box::new(Named(shared.clone())), &**store)? else {
        return Ok(json!({ "givenUp": [], "sturdyrefs": [] }));
    };
    let of = |s: ocapn::SessionInfo| {
        let peer = s.peer.to_string();
        json!({ "peer": peer, "promises": s.questions, "references": s.imports, "exports": s.exports, "messages": s.unacked.0 })
    };
    let given_up: Vec<Value> = node.session_tables().into_iter().map(of).collect();
    let sturdy = |s: node::Sturdy| json!({ "ref": s.number, "vat": s.vat.0, "object": s.object });
    let sturdyrefs: Vec<Value> = node.sturdyrefs().into_iter().map(sturdy).collect();
    // turns that this begins wait in the store
    node.step(Event::NewHistory, &mut Vec::new());
    if let Some(batch) = journal.take(&mut node) {
        let appended = journal.ledger.append(batch)?;
        journal.ledger.sync(vec![appended])?;
    }
    Ok(json!({ "givenUp": given_up, "sturdyrefs": sturdyrefs }))
}

/// Which history this is: 1 until a restore began another one.
pub(crate) fn incarnation(store: &dyn Store) -> u64 {
    journal::incarnation(store)
}

/// Number, 32 random bytes, and the hash of the record before.
fn begin_incarnation(store: &dyn Store) -> Result<(), Problem> {
    let random =
        state::random().map_err(|e| problem("E-RANDOM", format!("the system gives no random bytes: {e}"), "try again"))?;
    let before = store.get(rows::META, rows::META_INCARNATION).unwrap_or_default();
    let mut p = Put::new();
    p.number(incarnation(store) + 1);
    p.bytes(&random);
    p.bytes(&sha256(&before));
    let mut batch = Batch::new();
    batch.put(rows::META, rows::META_INCARNATION, &p.done());
    store.append(&batch)?;
    store.sync()?;
    Ok(())
}

/// Writes the image of a vat to a file, and what is known of it to `FILE.json`.
pub(crate) fn dump(to: &Path, vat: &Vat, shown: &Value) -> Result<Value, Problem> {
    let image = vat.save().image;
    let listing = to.with_file_name(format!("{}.json", to.file_name().and_then(|n| n.to_str()).unwrap_or("vat")));
    let mut text = serde_json::to_string_pretty(shown).unwrap_or_default();
    text.push('\n');
    write_new(to, &image)?;
    // one without the other would be in the way of the next attempt
    write_new(&listing, text.as_bytes()).inspect_err(|_| drop(std::fs::remove_file(to)))?;
    Ok(json!({ "image": to.display().to_string(), "bytes": image.len(), "listing": listing.display().to_string() }))
}

/// Writes a file where there is none; if it cannot be written whole, there is none again.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    let failed = |e: std::io::Error, help: &str| problem("E-DUMP", format!("cannot write {}: {e}", path.display()), help);
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = made.map_err(|e| failed(e, "name a file that is not there, in a folder that is"))?;
    file.write_all(bytes).map_err(|e| {
        let _ = std::fs::remove_file(path);
        failed(e, "make room, or name a file where there is some")
    })
}
