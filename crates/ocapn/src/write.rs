//! What a session writes, in the form that its peer reads.
//!
//! In: what is to be said. Out: whole messages, after what was written before.
//!
//! Invariants
//! - what is written is read by the dialects that the peer may have, as far as it has shown which it has;
//! - each appearance of an export is counted here, and nowhere else.
use crate::near::Near;
use crate::session::{Place, Question, Session, Thing, Why};
use crate::{Dialect, framing};
use passable::syrup::Writer;

/// Bytes of a message whose memory serves the next one.
const MAX_SPARE_BYTES: usize = 1 << 10;

impl Session {
    /// Asks what a promise of the peer becomes.
    pub fn listen(&mut self, place: Place, why: Why) {
        let question = self.new_question();
        self.questions.insert(question, Question { why });
        self.listen_for_question(place, question);
    }

    pub fn listen_for_question(&mut self, place: Place, question: u64) {
        let resolver = self.new_export(Thing::Resolver(question));
        let mut w = self.writer();
        w.record("op:listen");
        write_place(&mut w, place);
        self.write_import(&mut w, resolver, false);
        if self.dialect() != Dialect::C {
            w.boolean(false);
        }
        w.end();
        self.write(w);
    }

    /// The head of a message to which no answer is wanted; its arguments follow.
    pub fn begin_deliver_only(&self, w: &mut Writer, to: Place) {
        w.record(if self.folded() == Some(false) { "op:deliver-only" } else { "op:deliver" });
        write_place(w, to);
    }
    pub fn end_deliver_only(&mut self, mut w: Writer) {
        match self.folded() {
            Some(false) => {}
            Some(true) => {
                w.boolean(false);
                w.boolean(false);
            }
            None => {
                let question = self.new_question();
                let resolver = self.new_export(Thing::Resolver(question));
                self.questions.insert(question, Question { why: Why::Nothing });
                w.boolean(false);
                self.write_import(&mut w, resolver, false);
            }
        }
        w.end();
        self.write(w);
    }

    /// An export appears on the wire.
    pub fn write_import(&mut self, w: &mut Writer, position: u64, promise: bool) {
        if let Some(e) = self.exports.get_mut(&position) {
            e.count += 1;
        }
        w.record(if promise { "desc:import-promise" } else { "desc:import-object" });
        w.natural(position);
        w.end();
    }

    /// Writes a message.
    pub fn write(&mut self, message: Writer) {
        let Some(live) = &mut self.live else { return };
        self.traffic.messages_out += 1;
        if let Some(line) = &mut self.line {
            let bytes = message.done();
            self.traffic.bytes_out += bytes.len() as u64;
            // its number in the stream is the same after a restart
            self.wire_log.writes(line.stream.next_out(), &bytes);
            return line.stream.push(bytes);
        }
        let before = live.out.len();
        framing::frame(&mut live.out, live.framing, message.as_bytes());
        self.wire_log.writes(self.traffic.messages_out, message.as_bytes());
        self.traffic.bytes_out += (live.out.len() - before) as u64;
        if message.len() <= MAX_SPARE_BYTES {
            self.spare = message;
        }
    }

    /// For a message.
    pub fn writer(&mut self) -> Writer {
        let mut w = std::mem::take(&mut self.spare);
        w.clear(self.dialect() == Dialect::B);
        w
    }

    pub fn dialect(&self) -> Dialect {
        self.live.as_ref().map_or(Dialect::A, |l| l.dialect)
    }

    pub fn folded(&self) -> Option<bool> {
        self.live.as_ref().and_then(|l| l.folded)
    }

    /// The peer did what only this dialect has.
    pub fn evidence(&mut self, dialect: Dialect) {
        if let Some(live) = &mut self.live
            && !live.settled
        {
            live.settled = true;
            if (live.dialect, dialect) != (Dialect::C, Dialect::B) {
                live.dialect = dialect;
            }
            live.folded = Some(live.dialect.is_folded());
        }
    }

    /// The peer wrote an `op:deliver` to which it wants no answer. That came before the other changes of dialect B.
    pub fn evidence_folded(&mut self) {
        if let Some(live) = &mut self.live
            && !live.settled
        {
            live.folded = Some(true);
        }
    }

    /// Tells the peer what is not held any longer.
    pub fn write_garbage(&mut self) {
        let (exports, answers) = (std::mem::take(&mut self.gc_exports), std::mem::take(&mut self.gc_answers));
        let lists = match self.dialect() {
            Dialect::Goblins => return self.write_garbage_singly(&exports, &answers),
            Dialect::A => ("op:gc-export", "op:gc-answer"),
            Dialect::B | Dialect::C => ("op:gc-exports", "op:gc-answers"),
        };
        if !exports.is_empty() {
            let mut w = self.writer();
            w.record(lists.0);
            list(&mut w, exports.keys());
            list(&mut w, exports.values());
            w.end();
            self.write(w);
        }
        if !answers.is_empty() {
            let mut w = self.writer();
            w.record(lists.1);
            list(&mut w, answers.keys());
            w.end();
            self.write(w);
        }
    }

    fn write_garbage_singly(&mut self, exports: &Near<u64, u64>, answers: &Near<u64, ()>) {
        for (position, count) in exports.iter() {
            let mut w = self.writer();
            w.record("op:gc-export");
            w.natural(*position);
            w.natural(*count);
            w.end();
            self.write(w);
        }
        for position in answers.keys() {
            let mut w = self.writer();
            w.record("op:gc-answer");
            w.natural(*position);
            w.end();
            self.write(w);
        }
    }
}

pub(crate) fn write_place(w: &mut Writer, place: Place) {
    let (label, n) = match place {
        Place::Answer(n) => ("desc:answer", n),
        Place::Export(n) => ("desc:export", n),
    };
    w.record(label);
    w.natural(n);
    w.end();
}

fn list<'a>(w: &mut Writer, numbers: impl Iterator<Item = &'a u64>) {
    w.list();
    numbers.for_each(|n| w.natural(*n));
    w.end();
}
