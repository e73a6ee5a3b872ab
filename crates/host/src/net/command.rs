//! Operators' commands about sturdyrefs and peers.
//!
//! In: a request of the control socket. Out: its answer, once what it did is durable.
use crate::operate::{Problem, problem};
use crate::pool::Pool;
use node::Event;
use ocapn::Peer;
use serde_json::{Value, json};
use std::sync::Arc;

/// Operators' commands about the network; none: it is another command.
pub(crate) fn command(pool: &Arc<Pool>, what: &str, v: &Value) -> Result<Option<Value>, Problem> {
    let answer = match what {
        "refs" => {
            let of = |s: node::Sturdy| json!({ "ref": s.number, "vat": s.vat.0, "object": s.object, "chosen": s.chosen, "uris": s.uris });
            let all: Vec<Value> = pool.lock().node.sturdyrefs().into_iter().map(of).collect();
            json!({ "refs": all })
        }
        "peers" => json!({ "peers": peers(pool) }),
        "forget" => return forget(pool, v).map(Some),
        "revoke" => {
            let mut w = pool.lock();
            let which = v.get("ref").unwrap_or(&Value::Null);
            let number = which.as_u64().or_else(|| which.as_str()?.parse().ok());
            let number = number.or_else(|| w.node.sturdyref_number(which.as_str()?));
            let number = number.filter(|n| w.node.sturdyrefs().iter().any(|s| s.number == *n));
            let Some(number) = number else {
                return Err(problem("E-REF", "there is no such sturdyref on this host", "`drses ref ls` lists them"));
            };
            pool.step(&mut w, Event::Revoke { number });
            pool.provide(&mut w);
            drop(w);
            // nobody is told before it is durable
            if pool.settled().journal.is_none() {
                return Err(problem("E-ENDED", "the host ended before this was durable", "type the same command again"));
            }
            json!({ "ok": true, "ref": number })
        }
        _ => return Ok(None),
    };
    Ok(Some(answer))
}

/// Connections, and durable sessions whose peers are away.
fn peers(pool: &Arc<Pool>) -> Vec<Value> {
    let sessions = pool.lock().node.session_tables();
    let mut all = pool.net.list(&sessions);
    for s in sessions {
        let at = all.iter().position(|c| c["session"] == s.session.0);
        if at.is_none() && !s.durable {
            continue;
        }
        let at = at.unwrap_or_else(|| {
            all.push(json!({ "connection": null, "session": s.session.0, "peer": s.peer.to_string() }));
            all.len() - 1
        });
        let known = &mut all[at];
        known["durable"] = json!(s.durable);
        known["unacknowledged"] = json!(s.unacked.0);
        known["unacknowledgedBytes"] = json!(s.unacked.1);
        if s.conn.is_none() {
            known["attempts"] = json!(s.attempts);
            known["away"] = json!(s.away.unwrap_or_else(|| "it was not dialled yet".to_owned()));
        }
    }
    all
}

/// Breaks all references to a peer, and drops what waits for it.
fn forget(pool: &Arc<Pool>, v: &Value) -> Result<Value, Problem> {
    let which = v.get("peer").and_then(Value::as_str).unwrap_or("");
    let mut w = pool.lock();
    let fits = |p: &Peer| p.designator == which || p.to_string() == which || p.to_uri() == which;
    let found: Vec<ocapn::SessionInfo> = w.node.session_tables().into_iter().filter(|s| fits(&s.peer)).collect();
    if found.is_empty() {
        return Err(problem(
            "E-PEER",
            format!("there is no session with {which:?}"),
            "`drses peer ls` lists peers by their locators",
        ));
    }
    let (mut promises, mut references, mut messages) = (0, 0, 0);
    for s in found {
        (promises, references, messages) = (promises + s.questions, references + s.imports, messages + s.unacked.0);
        pool.step(&mut w, Event::Forget { session: s.session });
    }
    pool.provide(&mut w);
    drop(w);
    // nobody is told before it is durable
    if pool.settled().journal.is_none() {
        return Err(problem("E-ENDED", "the host ended before this was durable", "type the same command again"));
    }
    Ok(json!({ "ok": true, "peer": which, "promises": promises, "references": references, "messages": messages }))
}
