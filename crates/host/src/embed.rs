//! A durable program inside another process: opened, called, ended.
//!
//! In: a program, a folder, calls of methods of vats' roots. Out: answers.
//!
//! Invariants
//! - an answer is given once its turn is durable, on the thread that commits: whoever gets it does little there;
//! - calls that one thread makes on one vat arrive in their order.
use crate::begin;
use crate::operate::{self, Asker};
use crate::pool::Pool;
use crate::run::Options;
use crate::state::{self, How, Opened, Over};
use node::Event;
use passable::{Data, VatId};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub rejected: bool,
    pub value: Data,
}

/// Gets the answer of a call.
pub type Done = Box<dyn FnOnce(Answer) + Send>;

/// A running program with its state.
pub struct Host {
    pool: Arc<Pool>,
    keeper: JoinHandle<i32>,
    opened: Opened,
}

impl Host {
    /// Opens the state in `folder`, or makes it and starts the program. What is wrong is told on stderr; then the exit code.
    pub fn open(program: &Path, args: &[String], folder: &Path, options: &Options, disk: store::Options) -> Result<Host, i32> {
        Host::open_over(program, args, folder, options, (disk, &|disk| disk))
    }

    /// Likewise over another disk than the folder is on.
    pub fn open_over(
        program: &Path,
        args: &[String],
        folder: &Path,
        options: &Options,
        disk: (store::Options, Over<'_>),
    ) -> Result<Host, i32> {
        let how = How { serve: true, ..How::default() };
        let (job, opened) = state::prepare(program, args, folder, how, options, disk)?;
        let pool = begin::begin(job);
        pool.net.start();
        let running = pool.clone();
        let keeper = crate::vital::start("host", None, move || begin::keep(&running));
        let keeper = keeper.map_err(|e| {
            crate::tell!("error[E-THREAD]: cannot start a thread: {e}\n  help: raise the limit of processes (ulimit -u)");
            1
        })?;
        Ok(Host { pool, keeper, opened })
    }

    pub fn store(&self) -> &Arc<store::FileStore> {
        &self.opened.store
    }

    /// Calls methods of vats' roots (`ken::codec::method_call` makes a body).
    pub fn calls(&self, all: impl IntoIterator<Item = (VatId, Data, Done)>) {
        let mut w = self.pool.lock();
        for (vat, body, done) in all {
            let reply = operate::awaited(Asker::Embedder(done));
            self.pool.step(&mut w, Event::Call { vat, body, reply });
        }
        self.pool.let_go(w);
    }

    /// Turns of a vat so far.
    pub fn turns(&self, vat: VatId) -> u64 {
        self.pool.lock().node.turns(vat)
    }

    /// Finishes the turns in hand and closes clean; the exit code.
    pub fn end(self) -> i32 {
        self.pool.ask_to_end(0);
        let code = self.keeper.join().unwrap_or(1);
        drop(self.opened);
        code
    }
}
