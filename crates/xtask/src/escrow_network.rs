//! `cargo xtask escrow-network`: five durable hosts of this machine that trade, each of which is killed at any time.
//!
//! In: how many trades, how often a host is killed. Out: progress; at the end the totals at both issuers, what each trader has, and what
//! it was told; whether nothing was lost or came twice.
//!
//! What must hold in the end
//! - the purses of each currency hold what was issued, and the traders' own purses hold all of it: nothing is left in escrow;
//! - each trader has what it began with, changed by the outcomes it was told;
//! - each was told each outcome once, and both the same.
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::book;

const PROGRAMS: &str = "examples/escrow-network";
/// What each trader has of each currency at first.
const PURSE: u64 = 10_000;
/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(120);

struct Options {
    trades: u64,
    /// None: nobody is killed.
    kill_every: Option<Duration>,
    seed: u64,
    release: bool,
}

impl Options {
    fn read(args: &[&str]) -> Result<Options> {
        let mut o = Options { trades: 1000, kill_every: Some(Duration::from_secs(1)), seed: 1, release: false };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match *arg {
                "--trades" => o.trades = args.next().context("how many trades?")?.parse()?,
                "--seed" => o.seed = args.next().context("which seed?")?.parse()?,
                "--kill-every" => o.kill_every = period(args.next().context("how often?")?)?,
                "--release" => o.release = true,
                other => {
                    bail!(
                        "`{other}` is no option of escrow-network: --trades N, --kill-every 1s|500ms|never, --seed S, --release"
                    )
                }
            }
        }
        Ok(o)
    }
}

/// `1s`, `250ms`, `never`
fn period(text: &str) -> Result<Option<Duration>> {
    if text == "never" {
        return Ok(None);
    }
    let (digits, unit) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 1),
        None => (text.strip_suffix('s').context("a time such as 1s or 500ms, or never")?, 1000),
    };
    Ok(Some(Duration::from_millis(digits.parse::<u64>()? * unit)))
}

/// A host that may be killed.
struct Host<'a> {
    drses: &'a Path,
    root: &'a Path,
    name: &'static str,
    state: PathBuf,
    /// After the URL to listen at.
    args: Vec<String>,
    listen: String,
    uri: String,
    child: Option<Child>,
}

impl Host<'_> {
    /// Starts it; lines that it prints before its sturdyref, or `also` lines after.
    fn start(&mut self, also: usize) -> Result<Vec<String>> {
        let mut command = Command::new(self.drses);
        command.arg("serve").arg("--state").arg(&self.state).arg("--listen").arg(&self.listen).args(&self.args);
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.state.with_extension("err"))?;
        command.current_dir(self.root).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().context("starting drses")?;
        let mut lines = BufReader::new(child.stdout.take().context("a pipe")?).lines();
        let mut others = Vec::new();
        self.uri.clear();
        while self.uri.is_empty() || others.len() < also {
            let line = lines.next().with_context(|| format!("{} ended before it served", self.name))??;
            if line.starts_with("ocapn://") {
                self.uri = line;
            } else {
                others.push(line);
            }
        }
        // its pipe must not be full
        std::thread::spawn(move || lines.for_each(drop));
        self.child = Some(child);
        let (_, port) = self.uri.rsplit_once("port=").context("a sturdyref without a port")?;
        self.listen = format!("noise://127.0.0.1:{port}");
        Ok(others)
    }

    fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            if let Some(status) = child.try_wait()? {
                bail!("{} ended by itself: {status}; see {}", self.name, self.state.with_extension("err").display());
            }
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// What a method of its root answers.
    fn ask(&self, method: &str) -> Result<Value> {
        let mut command = Command::new(self.drses);
        command.args(["vat", "call", "--json", "--state"]).arg(&self.state).args(["1", method]).current_dir(self.root);
        let out = command.output()?;
        let answer: Value = serde_json::from_slice(&out.stdout)
            .with_context(|| format!("{} {method}: {}", self.name, String::from_utf8_lossy(&out.stderr)))?;
        Ok(answer["value"].clone())
    }
}

impl Drop for Host<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Runs the chore; `false` if anything was lost.
pub fn run(root: &Path, args: &[&str]) -> Result<bool> {
    let options = Options::read(args)?;
    let build: &[&str] = if options.release { &["--release"] } else { &[] };
    let Some(drses) = book::drses(root, build)? else { bail!("there is no `drses` program") };
    let folder = std::env::temp_dir().join(format!("drses-escrow-network-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let fine = trade(&drses, root, &folder, &options);
    match &fine {
        Ok(true) => std::fs::remove_dir_all(&folder)?,
        _ => eprintln!("the states and what the hosts said are in {}", folder.display()),
    }
    fine
}

fn trade(drses: &Path, root: &Path, folder: &Path, options: &Options) -> Result<bool> {
    let host = |name: &'static str, program: &str, before: &[String], after: &[String]| {
        let args = before.iter().cloned().chain([format!("{PROGRAMS}/{program}.js")]).chain(after.iter().cloned()).collect();
        let (state, listen) = (folder.join(name), "noise://127.0.0.1:0".to_owned());
        Host { drses, root, name, state, args, listen, uri: String::new(), child: None }
    };
    let purses = |name: &'static str| -> Result<(Host<'_>, Vec<String>)> {
        let mut h = host(name, "issuer", &[], &[name.to_owned(), PURSE.to_string(), PURSE.to_string()]);
        let lines = h.start(2)?;
        let uri = |l: &String| l.rsplit(' ').next().unwrap_or_default().to_owned();
        Ok((h, lines.iter().map(uri).collect()))
    };
    let (money, money_purses) = purses("money")?;
    let (stock, stock_purses) = purses("stock")?;
    let mut agent = host("agent", "agent", &[], &[]);
    agent.start(0)?;
    let refs = |i: usize| {
        let all = [("agent", &agent.uri), ("money", &money_purses[i]), ("stock", &stock_purses[i])];
        all.iter().map(|(name, uri)| format!("--ref={name}={uri}")).collect::<Vec<String>>()
    };
    let mut bob = host("bob", "trader", &refs(1), &["Bob".to_owned()]);
    bob.start(0)?;
    let with_bob = [refs(0), vec![format!("--ref=partner={}", bob.uri)]].concat();
    let mut alice = host("alice", "trader", &with_bob, &["Alice".to_owned(), options.trades.to_string()]);
    let start = Instant::now();
    alice.start(0)?;
    let mut hosts = [money, stock, agent, bob, alice];
    let kills = disturb(&mut hosts, options)?;
    let trading = start.elapsed();
    let fine = settle(&hosts, options.trades)?;
    let seconds = trading.as_secs_f64();
    println!("{} trades in {seconds:.1} s, {kills} kills", options.trades);
    Ok(fine)
}

/// Kills hosts until all trades are done; how often.
fn disturb(hosts: &mut [Host<'_>; 5], options: &Options) -> Result<u64> {
    let (mut kills, mut chance) = (0, options.seed);
    let mut progress = (0, Instant::now());
    loop {
        std::thread::sleep(options.kill_every.unwrap_or(Duration::from_millis(200)));
        // the last trade may be done at any time
        let done = hosts[4].ask("progress")?.as_u64().unwrap_or(0);
        if done > progress.0 {
            progress = (done, Instant::now());
            println!("{done} of {} trades, {kills} kills", options.trades);
        }
        if done == options.trades {
            return Ok(kills);
        }
        if progress.1.elapsed() > PATIENCE {
            bail!("nothing has happened for {} s: {done} trades", PATIENCE.as_secs());
        }
        if options.kill_every.is_some() {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let host = &mut hosts[(chance >> 33) as usize % 5];
            host.kill()?;
            host.start(0)?;
            kills += 1;
        }
    }
}

/// All is at rest: what everybody has and was told.
fn settle(hosts: &[Host<'_>; 5], trades: u64) -> Result<bool> {
    let [money, stock, _, bob, alice] = hosts;
    let n = |v: &Value, name: &str| v[name].as_u64().unwrap_or(u64::MAX);
    let since = Instant::now();
    let (a, b) = loop {
        let (a, b) = (alice.ask("report")?, bob.ask("report")?);
        if n(&a, "swept") == trades && n(&b, "swept") == trades {
            break (a, b);
        }
        if since.elapsed() > PATIENCE {
            bail!("what was staked or won does not come: {a} {b}");
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    let totals = (money.ask("total")?, stock.ask("total")?);
    let (outcomes, of_bob) = (alice.ask("outcomes")?, bob.ask("outcomes")?);
    println!("total at the issuer of money: {}, of stock: {}", totals.0, totals.1);
    println!("Alice: {a}\nBob:   {b}");
    let text = outcomes.as_str().unwrap_or_default();
    let mut expected = (PURSE as i64, PURSE as i64);
    for (i, outcome) in text.chars().enumerate().filter(|o| o.1 == '+') {
        let _ = outcome;
        // the first trade, and every second one from it on, gives Alice stock for money
        let sign = if i % 2 == 0 { 1 } else { -1 };
        expected = (expected.0 - sign * 10, expected.1 + sign * 7);
    }
    let mut fine = true;
    let mut must = |what: &str, holds: bool| {
        if !holds {
            eprintln!("escrow-network: {what}");
            fine = false;
        }
    };
    let has = |v: &Value| (n(v, "money") as i64, n(v, "stock") as i64);
    must("a total has changed", totals == (Value::from(2 * PURSE), Value::from(2 * PURSE)));
    must("Alice has not what the outcomes gave her", has(&a) == expected);
    let rest = (2 * PURSE as i64 - expected.0, 2 * PURSE as i64 - expected.1);
    must("Bob has not what the outcomes gave him", has(&b) == rest);
    must("the two were told different outcomes", outcomes == of_bob && text.len() as u64 == trades);
    for (name, v) in [("Alice", &a), ("Bob", &b)] {
        must(&format!("{name} was not told each outcome"), n(v, "ok") + n(v, "off") == trades);
        must(&format!("{name} was told an outcome twice"), n(v, "again") == 0);
    }
    must("no trade was off, as every tenth should be", n(&a, "off") == trades / 20 + (trades + 9) / 20);
    Ok(fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read() {
        assert_eq!(period("1s").expect("a time"), Some(Duration::from_secs(1)));
        assert_eq!(period("250ms").expect("a time"), Some(Duration::from_millis(250)));
        assert_eq!(period("never").expect("a time"), None);
        assert!(period("often").is_err() && period("s").is_err());
    }
}
