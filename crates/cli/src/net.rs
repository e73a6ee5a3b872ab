//! Options of the network, `drses ref` and `drses peer`.
//!
//! In: arguments. Out: what `host` is to listen at and to give a program; tables on stdout, or JSON.
use crate::operate::{Column, Where, plain, run, table};
use clap::{Args, Subcommand};
use serde_json::json;

/// Of `run` and `serve`.
#[derive(Args, Clone)]
pub struct Refs {
    /// Give the program the object of a sturdyref as `refs.NAME`; @FILE: the sturdyref is in the file
    #[arg(long = "ref", value_name = "NAME=URI|@FILE", value_parser = reference)]
    refs: Vec<(String, String)>,
    /// Let netlayers that authenticate nobody leave this machine
    #[arg(long)]
    insecure: bool,
}

/// Of `run` and `serve`.
#[derive(Args, Clone)]
pub struct Listen {
    /// Listen for other hosts, e.g. at noise://0.0.0.0:22045, tcp-testing-only://127.0.0.1:0 (port 0: any that is free), ws://127.0.0.1:PORT or unix:PATH; may be given several times
    #[arg(long, value_name = "URL", value_parser = url)]
    listen: Vec<String>,
    /// Give the program the power `names`, by which it chooses swissnums: for tests, since what is chosen may be guessed
    #[arg(long)]
    allow_chosen_swissnums: bool,
}

fn reference(text: &str) -> Result<(String, String), String> {
    host::net::reference(text).map_err(|p| format!("{}; {}", p.message, p.help))
}

fn url(text: &str) -> Result<String, String> {
    host::net::check_url(text).map(|()| text.to_owned()).map_err(|p| format!("{}; {}", p.message, p.help))
}

impl Refs {
    pub fn options(&self, listen: Option<&Listen>) -> host::net::Options {
        host::net::Options {
            listen: listen.map_or_else(Vec::new, |l| l.listen.clone()),
            refs: self.refs.clone(),
            may_choose: listen.is_some_and(|l| l.allow_chosen_swissnums),
            insecure: self.insecure,
        }
    }
}

#[derive(Args)]
pub struct Ref {
    #[command(flatten)]
    place: Where,
    #[command(subcommand)]
    what: RefCommand,
}

#[derive(Subcommand)]
enum RefCommand {
    /// All sturdyrefs of this host; only the root's is shown itself (while the host runs), since others are known to their holders alone
    Ls,
    /// Let a sturdyref name nothing from now on
    Revoke {
        /// Its number in `ref ls`, or the sturdyref itself
        which: String,
    },
}

pub fn reference_command(r: &Ref) -> i32 {
    let request = match &r.what {
        RefCommand::Ls => json!({ "do": "refs" }),
        RefCommand::Revoke { which } => json!({ "do": "revoke", "ref": which }),
    };
    run(&r.place, &request, |answer| match &r.what {
        RefCommand::Ls => {
            const LS: &[Column] = &[
                ("REF", |v| plain(&v["ref"])),
                ("VAT", |v| plain(&v["vat"])),
                ("OBJECT", |v| plain(&v["object"])),
                ("SWISSNUM", |v| if v["chosen"] == true { "chosen".to_owned() } else { "drawn".to_owned() }),
                ("STURDYREF", |v| match &v["uris"] {
                    serde_json::Value::Array(all) if !all.is_empty() => all.iter().map(plain).collect::<Vec<_>>().join(" "),
                    _ if v["ref"] == 0 => "(of the root)".to_owned(),
                    _ => "(known to its holders)".to_owned(),
                }),
            ];
            table(&answer["refs"], LS)
        }
        RefCommand::Revoke { .. } => String::new(),
    })
}

#[derive(Args)]
pub struct Peer {
    #[command(flatten)]
    place: Where,
    #[command(subcommand)]
    what: PeerCommand,
}

#[derive(Subcommand)]
enum PeerCommand {
    /// Connections with other hosts: messages, bytes as they went over the wire, and round trips (one for all that was asked before the
    /// first answer to any of it); and durable sessions whose hosts are away
    #[command(after_help = "\
Examples:
  drses peer ls --state book
  drses peer ls --state book --json | jq '.peers[] | {peer, messagesIn, messagesOut, bytesIn, bytesOut, roundTrips}'")]
    Ls,
    /// Break all references to a peer and promises of it, drop what waits for it, and refuse to go on with it later
    #[command(after_help = "\
Example:
  drses peer forget --state DIR wcloc3zzrvsajs2yrd4ynflwyh56xfzyz5fgqsc6djzkadnvfkyq

The key is the name of the host in its locators: ocapn://KEY.noise/…")]
    Forget {
        /// The peer's key, or its locator
        key: String,
    },
}

/// What is there of a connection; nothing if there is none.
fn told(v: &serde_json::Value) -> String {
    if v.is_null() { "-".to_owned() } else { plain(v) }
}

pub fn peer(p: &Peer) -> i32 {
    if let PeerCommand::Forget { key } = &p.what {
        return run(&p.place, &json!({ "do": "forget", "peer": key }), |answer| {
            let n = |name: &str| plain(&answer[name]);
            let (promises, references, messages) = (n("promises"), n("references"), n("messages"));
            format!("forgotten: {promises} promises, {references} references, {messages} messages that were not acknowledged\n")
        });
    }
    const LS: &[Column] = &[
        ("VAT", |v| if v["session"].is_null() { "-".to_owned() } else { plain(&v["session"]) }),
        ("BEGUN BY", |v| match &v["dialled"] {
            serde_json::Value::Null => "-".to_owned(),
            dialled => if *dialled == true { "us" } else { "peer" }.to_owned(),
        }),
        ("ADDRESS", |v| told(&v["address"])),
        ("MESSAGES IN", |v| told(&v["messagesIn"])),
        ("OUT", |v| told(&v["messagesOut"])),
        ("BYTES IN", |v| told(&v["bytesIn"])),
        ("OUT", |v| told(&v["bytesOut"])),
        ("TRIPS", |v| told(&v["roundTrips"])),
        ("SECONDS", |v| told(&v["seconds"])),
        ("DURABLE", |v| match (&v["durable"], &v["away"]) {
            (serde_json::Value::Bool(true), serde_json::Value::Null) => "yes".to_owned(),
            (serde_json::Value::Bool(true), _) => format!("away, attempt {}", plain(&v["attempts"])),
            _ => "no".to_owned(),
        }),
        ("UNACKNOWLEDGED", |v| told(&v["unacknowledged"])),
        ("PEER", |v| if v["peer"].is_null() { "(no hello yet)".to_owned() } else { plain(&v["peer"]) }),
    ];
    run(&p.place, &json!({ "do": "peers" }), |answer| table(&answer["peers"], LS))
}
