//! Checks of what is stored: against the living node now and then, and at the end that nothing is left of what has ended.
//!
//! In: a world. Out: `Stop::Broken` with what is wrong.
use crate::disk::Stop;
use crate::life::Step;
use crate::{Named, Outcome, World};
use ken::rows;
use node::Node;
use passable::VatId;

impl World {
    /// A node made of what is in the log says the same as the one that put it there.
    pub(crate) fn compare_nodes(&mut self) -> Step<()> {
        if self.mistake.is_some() {
            // a mistake is to be found by what comes of it
            return Ok(());
        }
        let shared = self.shared.clone();
        let Some(j) = self.journal() else { return Ok(()) };
        let restored = Node::restore(World::config(), Box::new(Named(shared)), &**j.store());
        let restored = restored.map_err(|_| Stop::Broken("the rows in the log contradict each other".to_owned()))?;
        let Some(restored) = restored else { return Ok(()) };
        let (there, here) = (restored.describe(), self.node.describe());
        match there.iter().zip(&here).find(|(a, b)| a != b) {
            Some((a, b)) => Err(Stop::Broken(format!("in the log: {a}\\nin memory: {b}"))),
            None if there.len() != here.len() => {
                let longer = if there.len() > here.len() { &there } else { &here };
                let more = &longer[there.len().min(here.len())];
                Err(Stop::Broken(format!("{} facts in the log, {} in memory: {more}", there.len(), here.len())))
            }
            None => Ok(()),
        }
    }

    /// Nothing is left to do: the store is closed, and opened once more.
    pub(crate) fn finish(&mut self) -> bool {
        match self.closing() {
            Ok(lines) => self.lines = lines,
            Err(Stop::Dead(why)) if self.current.is_some() => {
                self.die(&why);
                return true;
            }
            Err(Stop::Dead(why) | Stop::Noticed(why)) => return self.broken(format!("the store cannot be closed: {why}")),
            Err(Stop::Broken(why)) => return self.broken(why),
        }
        self.ended = Some(Outcome::Done);
        false
    }

    /// Likewise of a host among others, whose process does not die meanwhile.
    pub(crate) fn finish_among_others(&mut self) -> Result<(), String> {
        if let Some(d) = &self.durable {
            // faults that were asked for and have not come
            d.disk.kill(u64::MAX);
            d.disk.fail_sync(u64::MAX);
            d.disk.set_capacity(None);
        }
        self.closing().map(|lines| self.lines = lines).map_err(|stop| format!("the store cannot be closed: {stop:?}"))
    }

    fn closing(&mut self) -> Step<Vec<String>> {
        self.compare_nodes()?;
        if let Some(j) = self.journal() {
            j.clean();
        }
        self.append()?;
        self.sync()?;
        let Some(j) = self.journal() else { return Ok(Vec::new()) };
        j.store().seal()?;
        self.store()?.die(true, 1);
        let mut random = self.random.clone();
        self.store()?.open(&mut random)?;
        self.tidy_rows()?;
        self.store()?.watch.lines().map_err(Stop::Broken)
    }

    /// Of what has ended nothing is left in the store.
    fn tidy_rows(&mut self) -> Step<()> {
        let living: Vec<VatId> = self.node.vats().collect();
        let Some(j) = self.journal() else { return Ok(()) };
        let store = j.store().clone();
        let of = |v: VatId| living.contains(&v);
        for table in [rows::UNITS, rows::INBOX, rows::EXPORTS] {
            for (key, _) in store.scan(table, &[], None, usize::MAX) {
                let vat = rows::read_pair(&key).map(|k| k.0);
                if !vat.is_some_and(of) {
                    return Err(Stop::Broken(format!("a row of table {table} of a vat that has ended: {key:?}")));
                }
            }
        }
        for (key, _) in store.scan(rows::VAT_BASES, &[], None, usize::MAX) {
            let vat = key.as_slice().try_into().map(|k| VatId(u32::from_be_bytes(k)));
            if !vat.is_ok_and(of) {
                return Err(Stop::Broken(format!("the base of a vat that has ended is still noted: {key:?}")));
            }
        }
        let heaps = store.spaces().into_iter().filter(|s| rows::base_of_space(*s).is_none());
        if let Some(s) = heaps.into_iter().find(|s| !of(VatId(*s as u32))) {
            return Err(Stop::Broken(format!("the heap of vat {s}, which has ended, is still stored")));
        }
        for table in [rows::OUTPUT, rows::ATTEMPTS] {
            let n = store.scan(table, &[], None, usize::MAX).len();
            if n > 0 {
                return Err(Stop::Broken(format!("{n} rows of table {table} are left after a clean end")));
            }
        }
        Ok(())
    }
}
