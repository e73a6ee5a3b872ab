//! `drses serve`, `drses vat` and `drses store`: requests to a host or its store, and their answers for people.
//!
//! In: arguments. Out: tables on stdout, or with `--json` one JSON object a line; exit codes.
use clap::{Args, Subcommand};
use host::operate::{Problem, ask};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Serve {
    /// The program (a folder means its main.js), then its arguments
    #[arg(required = true, value_name = "MODULE")]
    file: PathBuf,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    args: Vec<String>,
    /// Keep the state in this folder; the same command resumes it
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Pause all vats before anything runs: `drses vat resume` lets each go on
    #[arg(long)]
    paused: bool,
    /// The program's files have changed: go on with the code as it was
    #[arg(long = "continue", conflicts_with = "fresh")]
    go_on: bool,
    /// Move the old state aside and begin anew
    #[arg(long)]
    fresh: bool,
    /// Append what happens to this file: messages and turns with their causes, one JSON object a line
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Tell errors as JSON on stderr, one object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    listen: crate::net::Listen,
    #[command(flatten)]
    refs: crate::net::Refs,
    #[command(flatten)]
    machine: crate::MachineOptions,
}

pub fn serve(s: &Serve) -> i32 {
    if s.json {
        host::output::tell_as_json();
    }
    let how = host::state::How { changed: crate::changed(s.go_on, s.fresh), serve: true, paused: s.paused };
    let options = host::run::Options { trace: s.trace.clone(), net: s.refs.options(Some(&s.listen)), ..s.machine.options() };
    host::run::on_big_stack(|| host::state::run(&s.file, &s.args, &s.state, how, &options))
}

#[derive(Args)]
pub struct Where {
    /// The folder given to `run --state` or `serve --state`
    #[arg(long, value_name = "DIR", global = true)]
    state: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Args)]
pub struct Vat {
    #[command(flatten)]
    place: Where,
    #[command(subcommand)]
    what: VatCommand,
}

#[derive(Args)]
struct Which {
    /// A number, or the file of its program
    vat: String,
}

#[derive(Subcommand)]
enum VatCommand {
    /// All vats
    Ls,
    /// One vat: heap by kind of object, queue, exports, last error
    Show(Which),
    /// Its last turns, and what caused each
    Log(Which),
    /// Call a method of its root with JSON arguments (what is no JSON is taken as a string)
    #[command(after_help = "\
Examples:
  drses vat call --state DIR 1 add 5
  drses vat call --state DIR shop.js order '{\"item\":\"tea\",\"count\":2}'")]
    Call {
        vat: String,
        method: String,
        #[arg(allow_negative_numbers = true)]
        args: Vec<String>,
    },
    /// Let no further turn begin; messages wait
    Pause(Which),
    /// Let it go on
    Resume(Which),
    /// End it: what waits for it is rejected
    Kill(Which),
    /// Other limits, from its next turn on
    Limit {
        vat: String,
        /// Heap, e.g. 64MiB
        #[arg(long, value_name = "BYTES", value_parser = crate::bytes)]
        max_heap: Option<u64>,
        /// Instructions of one turn, e.g. 1e9
        #[arg(long, value_name = "N", value_parser = crate::count)]
        max_instructions: Option<u64>,
    },
    /// Write its image to FILE, and what is known of it to FILE.json
    Dump { vat: String, file: PathBuf },
}

pub fn vat(v: &Vat) -> i32 {
    let on = |what: &str, vat: &str| json!({ "do": what, "vat": vat });
    let request = match &v.what {
        VatCommand::Ls => json!({ "do": "ls" }),
        VatCommand::Show(w) => on("show", &w.vat),
        VatCommand::Log(w) => on("log", &w.vat),
        VatCommand::Pause(w) => on("pause", &w.vat),
        VatCommand::Resume(w) => on("resume", &w.vat),
        VatCommand::Kill(w) => on("kill", &w.vat),
        VatCommand::Limit { vat, max_heap, max_instructions } => {
            json!({ "do": "limit", "vat": vat, "maxHeap": max_heap, "maxInstructions": max_instructions })
        }
        VatCommand::Dump { vat, file } => json!({ "do": "dump", "vat": vat, "to": absolute(file) }),
        VatCommand::Call { vat, method, args } => {
            let value = |a: &String| serde_json::from_str(a).unwrap_or_else(|_| Value::String(a.clone()));
            json!({ "do": "call", "vat": vat, "method": method, "args": args.iter().map(value).collect::<Vec<_>>() })
        }
    };
    run(&v.place, &request, |answer| match &v.what {
        VatCommand::Ls => table(&answer["vats"], LS),
        VatCommand::Show(_) => show(answer),
        VatCommand::Log(_) => log(answer),
        VatCommand::Call { .. } => called(answer),
        VatCommand::Dump { .. } => format!("wrote {} and {}\n", plain(&answer["image"]), plain(&answer["listing"])),
        _ => String::new(),
    })
}

#[derive(Args)]
pub struct Store {
    #[command(flatten)]
    place: Where,
    #[command(subcommand)]
    what: StoreCommand,
}

#[derive(Subcommand)]
enum StoreCommand {
    /// Read everything: the log, the extents, every row, and every vat's heap; exit 1 if anything is damaged
    Check,
    /// Write a copy of now to an empty folder; a host may run meanwhile
    Backup {
        to: PathBuf,
        /// With the host's key: who has this backup can be taken for the host
        #[arg(long)]
        with_key: bool,
    },
    /// Copy a backup to a new folder
    Restore {
        backup: PathBuf,
        to: PathBuf,
        /// This is a new history: what happened after the backup is given up
        #[arg(long)]
        new_incarnation: bool,
    },
    /// Figures
    Stats,
    /// Move what is in the log to where it stays
    Compact,
}

pub fn store(s: &Store) -> i32 {
    let request = match &s.what {
        StoreCommand::Check => json!({ "do": "check" }),
        StoreCommand::Backup { to, with_key } => json!({ "do": "backup", "to": absolute(to), "withKey": with_key }),
        StoreCommand::Stats => json!({ "do": "stats" }),
        StoreCommand::Compact => json!({ "do": "compact" }),
        StoreCommand::Restore { backup, to, new_incarnation } => {
            return finish(s.place.json, host::storage::restore(backup, to, *new_incarnation), |answer| {
                let mut head = answer.clone();
                if let Some(map) = head.as_object_mut() {
                    map.retain(|k, _| k != "givenUp" && k != "sturdyrefs");
                }
                let text = pairs(&head);
                if *new_incarnation { text + &given_up(answer) } else { text }
            });
        }
    };
    run(&s.place, &request, |answer| match &s.what {
        StoreCommand::Check => checked(answer),
        _ => pairs(answer),
    })
}

/// What a new history rejects, and what it keeps.
fn given_up(v: &Value) -> String {
    const REJECTED: &[Column] = &[
        ("PROMISES", |s| plain(&s["promises"])),
        ("REFERENCES", |s| plain(&s["references"])),
        ("EXPORTS", |s| plain(&s["exports"])),
        ("MESSAGES", |s| plain(&s["messages"])),
        ("PEER", |s| plain(&s["peer"])),
    ];
    const KEPT: &[Column] =
        &[("STURDYREF", |s| plain(&s["ref"])), ("VAT", |s| plain(&s["vat"])), ("OBJECT", |s| plain(&s["object"]))];
    let mut text = "\nThis is a new incarnation. ".to_owned();
    if v["givenUp"].as_array().is_none_or(Vec::is_empty) {
        text += "There was no session with another host, so no promise and no reference was rejected.\n";
    } else {
        text += "Rejected, of sessions with other hosts:\n\n";
        text += &table(&v["givenUp"], REJECTED);
    }
    if v["sturdyrefs"].as_array().is_some_and(|a| !a.is_empty()) {
        text += "\nKept, and good for whoever has them:\n\n";
        text += &table(&v["sturdyrefs"], KEPT);
    }
    text
}

fn absolute(p: &Path) -> String {
    std::path::absolute(p).unwrap_or_else(|_| p.to_owned()).display().to_string()
}

pub fn run(place: &Where, request: &Value, human: impl FnOnce(&Value) -> String) -> i32 {
    let Some(folder) = &place.state else {
        if place.json {
            host::output::tell_as_json();
        }
        let help = "add --state DIR, the folder given to `run --state` or `serve --state`";
        let message = "which host? No --state is given";
        host::output::problem(&Problem { code: "E-USAGE".into(), message: message.into(), help: help.into() });
        return 2;
    };
    let answer = host::run::on_big_stack(|| ask(folder, request));
    finish(place.json, answer, human)
}

fn finish(as_json: bool, answer: Result<Value, Problem>, human: impl FnOnce(&Value) -> String) -> i32 {
    if as_json {
        host::output::tell_as_json();
    }
    let answer = match answer {
        Ok(answer) => answer,
        Err(p) => {
            host::output::problem(&p);
            return 1;
        }
    };
    let text = if as_json { format!("{answer}\n") } else { human(&answer) };
    let bad = answer.get("rejected").is_some() || answer.get("ok") == Some(&Value::Bool(false));
    i32::from(!host::output::data(&text) || bad)
}

/// Text as it is, anything else as JSON; safe for a terminal.
pub fn plain(v: &Value) -> String {
    match v {
        Value::String(s) => host::output::safe(s),
        other => host::output::safe(&other.to_string()),
    }
}

fn called(answer: &Value) -> String {
    match answer.get("rejected") {
        Some(why) => {
            let why = why.get("@error").unwrap_or(why);
            host::tell!(
                "error[E-REJECTED]: the call was rejected\n  help: see `drses vat log` and `drses vat show`\n{}",
                plain(why)
            );
            String::new()
        }
        None => format!("{}\n", host::output::safe(&answer["value"].to_string())),
    }
}

pub type Column = (&'static str, fn(&Value) -> String);

const LS: &[Column] = &[
    ("VAT", |v| plain(&v["vat"])),
    ("STATE", |v| {
        let state = if v["session"] == true {
            "session"
        } else if v["paused"] == true {
            "paused"
        } else if v["running"] == true {
            "runs"
        } else if v["resident"] == true {
            "idle"
        } else {
            "asleep"
        };
        state.to_owned()
    }),
    ("TURNS", |v| plain(&v["turns"])),
    ("WAITING", |v| plain(&v["waiting"])),
    ("NAME", |v| plain(&v["name"])),
];

pub fn table(rows: &Value, columns: &[Column]) -> String {
    let mut lines: Vec<Vec<String>> = vec![columns.iter().map(|c| c.0.to_owned()).collect()];
    for row in rows.as_array().into_iter().flatten() {
        lines.push(columns.iter().map(|c| c.1(row)).collect());
    }
    aligned(&lines)
}

/// Columns two spaces apart; the last one is as long as it is.
fn aligned(lines: &[Vec<String>]) -> String {
    let width = |c: usize| lines.iter().filter_map(|l| l.get(c)).map(|t| t.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for line in lines {
        let mut text = String::new();
        for (c, cell) in line.iter().enumerate() {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width(c) + 2 - cell.chars().count()));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

fn pairs(v: &Value) -> String {
    let lines: Vec<Vec<String>> =
        v.as_object().into_iter().flatten().filter(|p| p.0 != "id").map(|(k, v)| vec![k.clone(), plain(v)]).collect();
    aligned(&lines)
}

fn show(v: &Value) -> String {
    let mut head = v.clone();
    for key in ["heap", "exports", "lastError", "traffic"] {
        if let Some(map) = head.as_object_mut() {
            map.remove(key);
        }
    }
    let mut out = pairs(&head);
    if v["traffic"].is_object() {
        out += &pairs(&v["traffic"]);
    }
    match &v["lastError"] {
        Value::Null => out += "lastError  none\n",
        e => out += &format!("lastError  turn {}: {}\n", e["turn"], plain(&e["text"])),
    }
    out.push('\n');
    let kind: &[Column] =
        &[("COUNT", |k| plain(&k["count"])), ("BYTES", |k| plain(&k["bytes"])), ("KIND", |k| plain(&k["kind"]))];
    out += &table(&v["heap"], kind);
    out.push('\n');
    let export: &[Column] = &[
        ("EXPORT", |e| plain(&e["object"])),
        ("SINCE TURN", |e| plain(&e["sinceTurn"])),
        ("AGE", |e| format!("{} turns", e["ageTurns"])),
        ("HELD BY VATS", |e| {
            let all: Vec<String> = e["heldBy"].as_array().into_iter().flatten().map(plain).collect();
            all.join(" ")
        }),
    ];
    out + &table(&v["exports"], export)
}

fn log(v: &Value) -> String {
    let rows: &[Column] = &[
        ("TURN", |t| plain(&t["turn"])),
        ("RECEIVED", |t| plain(&t["received"])),
        ("SENT BY", |t| match t["from"]["vat"].as_u64() {
            Some(0) | None => "the host".to_owned(),
            Some(vat) => format!("vat {vat}, turn {}", t["from"]["turn"]),
        }),
    ];
    let out = table(&v["turns"], rows);
    match v["afterTurn"].as_u64() {
        Some(n) if n > 0 => format!("{out}turns up to {n} were those of earlier processes; they are not remembered\n"),
        _ => out,
    }
}

fn checked(v: &Value) -> String {
    let mut head = v.clone();
    if let Some(map) = head.as_object_mut() {
        map.retain(|k, _| k != "damage" && k != "faults" && k != "ok");
    }
    let mut out = pairs(&head);
    for d in v["damage"].as_array().into_iter().flatten() {
        out += &format!("damaged: {} bytes of vat {} from {} on cannot be read\n", d["bytes"], d["vat"], d["offset"]);
    }
    for f in v["faults"].as_array().into_iter().flatten() {
        out += &format!("damaged: vat {}: {}\n", f["vat"], plain(&f["fault"]));
    }
    out + if v["ok"] == true { "all is well\n" } else { "restore what is damaged from a backup (`drses store restore`)\n" }
}
