//! One script under quickjs-ng: the peer that `bench` measures beside drses.
//!
//! The script gets `print` and `console.log`, one line a call; pending jobs are drained after it. Nothing else is added, so that
//! the peer is measured as it comes.

use anyhow::{Context as _, Result, anyhow, bail};
use rquickjs::{CatchResultExt as _, Context, Ctx, Function, Runtime, Value};

/// `print` in terms of `write_line`, as other engines' shells have it.
const PRELUDE: &str = "\
globalThis.print = (...args) => write_line(args.map(String).join(' '));
globalThis.console = { log: globalThis.print };
";

/// Evaluate the file and all jobs that follow.
pub fn run(file: &str) -> Result<()> {
    let source = std::fs::read(file).with_context(|| format!("reading {file}"))?;
    let runtime = Runtime::new().context("starting quickjs-ng")?;
    let context = Context::full(&runtime).context("starting quickjs-ng")?;
    context.with(|ctx| evaluate(&ctx, source))?;
    while runtime.is_job_pending() {
        if runtime.execute_pending_job().is_err() {
            bail!("a job threw in {file}");
        }
    }
    Ok(())
}

fn evaluate(ctx: &Ctx<'_>, source: Vec<u8>) -> Result<()> {
    let thrown = |error: rquickjs::CaughtError<'_>| anyhow!("{error}");
    let write_line = Function::new(ctx.clone(), |line: String| println!("{line}")).catch(ctx).map_err(thrown)?;
    ctx.globals().set("write_line", write_line).catch(ctx).map_err(thrown)?;
    ctx.eval::<(), _>(PRELUDE).catch(ctx).map_err(thrown)?;
    ctx.eval::<Value<'_>, _>(source).catch(ctx).map_err(thrown)?;
    Ok(())
}
