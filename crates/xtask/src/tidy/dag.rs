//! Which room may depend on which: the table, and the check that every `Cargo.toml` keeps to it.
//!
//! The table is the only place where the dependency graph is written down for a machine; ARCHITECTURE.md explains it. Edges are
//! checked one by one (a room may not use a grandchild it does not list), development and build dependencies included.

use crate::report::Finding;
use crate::tree::File;

/// (room, the rooms it may depend on). Adding an edge is a change of the architecture: change ARCHITECTURE.md with it.
const ROOMS: &[(&str, &[&str])] = &[
    ("syntax", &[]),
    ("cage", &[]),
    ("passable", &[]),
    ("trace", &[]),
    ("engine", &["syntax", "cage"]),
    ("vat", &["engine", "passable", "trace"]),
    ("store", &["trace"]),
    ("ken", &["store", "passable", "trace"]),
    ("ocapn", &["passable", "trace"]),
    ("node", &["ken", "ocapn", "trace", "passable", "store"]),
    // What a host does with a store, without threads and files: so that `sim` runs the very code that `host` runs.
    ("journal", &["node", "ocapn", "vat", "store", "ken", "passable", "trace"]),
    ("sim", &["journal", "node", "ocapn", "vat", "store", "ken", "passable"]),
    // While `passable` and `node` are not there, host links a program's modules itself: it names engine and syntax.
    ("host", &["journal", "node", "ocapn", "vat", "store", "ken", "passable", "trace", "inspector", "engine", "syntax"]),
    ("inspector", &["trace"]),
    ("lsp", &["syntax"]),
    ("cli", &["host", "sim", "lsp", "syntax"]),
    ("test262", &["engine"]),
    ("xtask", &["engine", "syntax"]),
];

const TABLE: &str = "crates/xtask/src/tidy/dag.rs";

/// Check every `crates/*/Cargo.toml`.
pub fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        let parts: Vec<&str> = file.path.split('/').collect();
        let ["crates", room, "Cargo.toml"] = parts[..] else { continue };
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            let what = format!("the room `{room}` is not in the table of rooms");
            findings.push(Finding::new(
                "dag",
                &file.path,
                1,
                what,
                format!("add it to {TABLE} and to ARCHITECTURE.md, or fold it into a room"),
            ));
            continue;
        };
        for (line, used) in room_dependencies(&file.text) {
            if !allowed.contains(&used.as_str()) {
                let list = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
                let what = format!("`{room}` may not depend on `{used}` (it may use: {list})");
                let mend = format!("move the code to a room that may, or pass plain data between them; the table is in {TABLE}");
                findings.push(Finding::new("dag", &file.path, line, what, mend));
            }
        }
    }
    findings
}

/// The rooms that a manifest depends on, with their lines. Reads the plain forms of a dependency; a key, a `package = "…"` value or
/// a path may name the room.
fn room_dependencies(manifest: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut in_list = false;
    for (index, line) in manifest.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            let (head, last) = table.rsplit_once('.').unwrap_or(("", table));
            in_list = last.ends_with("dependencies");
            if head.ends_with("dependencies") {
                found.extend(room_of(last).map(|room| (index + 1, room)));
            }
        } else if in_list && let Some((key, value)) = line.split_once('=') {
            let key = key.trim().split('.').next().unwrap_or("");
            let package = value.split("package").nth(1).and_then(|rest| rest.split('"').nth(1));
            let room = package.and_then(room_of).or_else(|| room_of(key));
            found.extend(room.map(|room| (index + 1, room)));
        }
    }
    found
}

fn room_of(name: &str) -> Option<String> {
    let name = name.trim().trim_matches('"');
    if name == "drses" {
        return Some("cli".to_owned());
    }
    if let Some(room) = name.strip_prefix("drses-") {
        return Some(room.to_owned());
    }
    ROOMS.iter().any(|(room, _)| *room == name).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_no_cycle_and_names_only_rooms() {
        let mut done: Vec<&str> = Vec::new();
        while done.len() < ROOMS.len() {
            let ready: Vec<&str> = ROOMS
                .iter()
                .filter(|(room, uses)| !done.contains(room) && uses.iter().all(|used| done.contains(used)))
                .map(|(room, _)| *room)
                .collect();
            assert!(!ready.is_empty(), "a cycle, or a name that is no room, among all but {done:?}");
            done.extend(ready);
        }
    }

    #[test]
    fn every_way_of_writing_a_dependency_is_read() {
        let manifest = "[package]\nname = \"drses-x\"\n[dependencies]\ncage.workspace = true\nclap = \"4\"\nheap = { package = \"drses-vat\" }\n\
                        [dev-dependencies]\ndrses-ken = \"1\"\n[target.'cfg(unix)'.dependencies]\nhost = {}\n[dependencies.store]\npath = \"..\"\n";
        let rooms: Vec<String> = room_dependencies(manifest).into_iter().map(|(_, room)| room).collect();
        assert_eq!(rooms, ["cage", "vat", "ken", "host", "store"]);
    }
}
