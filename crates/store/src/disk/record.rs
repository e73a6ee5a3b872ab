//! A disk that writes down every effect, so that the states a crash could have left can be made afterwards.
//!
//! In: another disk and a sink. Out: the same disk, and a trace. A write is traced before it is done and a sync after it, so a trace that
//! ends anywhere (the process was killed) claims no more than happened. `replay` does the first n effects of a trace to a `SimDisk`;
//! crashing that gives the synced bytes with a part of the rest, and `SimDisk::save` puts them where the real binary can open them.
//!
//! ```text
//! create  1  file:varint  name:bytes         a file gets the next number when it is created or opened
//! open    2  file:varint  name:bytes
//! write   3  file:varint  offset:varint  data:bytes
//! sync    4  file:varint
//! rename  5  from:bytes  to:bytes
//! remove  6  name:bytes
//! names   7                                  the folder was synced
//! ```

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Disk, DiskFile, SimDisk};
use crate::codec::{Reader, put_bytes, put_varint};

const CREATE: u8 = 1;
const OPEN: u8 = 2;
const WRITE: u8 = 3;
const SYNC: u8 = 4;
const RENAME: u8 = 5;
const REMOVE: u8 = 6;
const NAMES: u8 = 7;

struct Trace {
    sink: Box<dyn Write + Send>,
    files: u64,
}

type Shared = Arc<Mutex<Trace>>;

/// Pass the event on in one write. A trace that cannot be written would be silently short, so it is an error of the disk.
fn trace(shared: &Shared, event: impl FnOnce(&mut Vec<u8>, &mut u64)) -> io::Result<()> {
    let mut trace = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let mut bytes = Vec::new();
    event(&mut bytes, &mut trace.files);
    trace.sink.write_all(&bytes)?;
    trace.sink.flush()
}

/// Another disk, traced.
pub struct RecordingDisk {
    inner: Arc<dyn Disk>,
    trace: Shared,
}

impl RecordingDisk {
    pub fn new(inner: Arc<dyn Disk>, sink: Box<dyn Write + Send>) -> RecordingDisk {
        RecordingDisk { inner, trace: Arc::new(Mutex::new(Trace { sink, files: 0 })) }
    }

    fn opened(&self, tag: u8, name: &str, file: Arc<dyn DiskFile>) -> io::Result<Arc<dyn DiskFile>> {
        let mut number = 0;
        trace(&self.trace, |out, files| {
            *files += 1;
            number = *files;
            out.push(tag);
            put_varint(out, number);
            put_bytes(out, name.as_bytes());
        })?;
        Ok(Arc::new(RecordingFile { inner: file, trace: self.trace.clone(), number }))
    }
}

impl Disk for RecordingDisk {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.opened(OPEN, name, self.inner.open(name)?)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.opened(CREATE, name, self.inner.create(name)?)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        trace(&self.trace, |out, _| {
            out.push(RENAME);
            put_bytes(out, from.as_bytes());
            put_bytes(out, to.as_bytes());
        })?;
        self.inner.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        trace(&self.trace, |out, _| {
            out.push(REMOVE);
            put_bytes(out, name.as_bytes());
        })?;
        self.inner.remove(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.inner.sync_dir()?;
        trace(&self.trace, |out, _| out.push(NAMES))
    }
}

struct RecordingFile {
    inner: Arc<dyn DiskFile>,
    trace: Shared,
    number: u64,
}

impl DiskFile for RecordingFile {
    fn length(&self) -> io::Result<u64> {
        self.inner.length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        trace(&self.trace, |out, _| {
            out.push(WRITE);
            put_varint(out, self.number);
            put_varint(out, offset);
            put_bytes(out, bytes);
        })?;
        self.inner.write_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.inner.sync()?;
        trace(&self.trace, |out, _| {
            out.push(SYNC);
            put_varint(out, self.number);
        })
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.inner.try_lock()
    }
}

/// Do the first `effects` of a trace to `disk`, which holds what the traced disk held when the trace began. Returns how many were done:
/// fewer where the trace ends, in the middle of an event or not.
pub fn replay(trace: &[u8], effects: usize, disk: &SimDisk) -> io::Result<usize> {
    let mut reader = Reader::new(trace);
    let mut files = BTreeMap::new();
    let mut done = 0;
    while done < effects && !reader.is_empty() {
        let mut ahead = reader.clone();
        let Some(event) = Event::read(&mut ahead) else { break };
        event.apply(&mut files, disk)?;
        reader = ahead;
        done += 1;
    }
    Ok(done)
}

/// How long the event is that a trace begins with; `None`: it is cut, or none.
pub fn event_bytes(trace: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(trace);
    Event::read(&mut reader)?;
    Some(reader.at())
}

enum Event<'a> {
    Create(u64, &'a str),
    Open(u64, &'a str),
    Write(u64, u64, &'a [u8]),
    Sync(u64),
    Rename(&'a str, &'a str),
    Remove(&'a str),
    Names,
}

impl<'a> Event<'a> {
    fn read(reader: &mut Reader<'a>) -> Option<Event<'a>> {
        fn name<'a>(reader: &mut Reader<'a>) -> Option<&'a str> {
            std::str::from_utf8(reader.bytes()?).ok()
        }
        Some(match reader.u8()? {
            CREATE => Event::Create(reader.varint()?, name(reader)?),
            OPEN => Event::Open(reader.varint()?, name(reader)?),
            WRITE => Event::Write(reader.varint()?, reader.varint()?, reader.bytes()?),
            SYNC => Event::Sync(reader.varint()?),
            RENAME => Event::Rename(name(reader)?, name(reader)?),
            REMOVE => Event::Remove(name(reader)?),
            NAMES => Event::Names,
            _ => return None,
        })
    }

    fn apply(&self, files: &mut BTreeMap<u64, Arc<dyn DiskFile>>, disk: &SimDisk) -> io::Result<()> {
        let unknown = || io::Error::new(io::ErrorKind::InvalidData, "the trace names a file that it did not open");
        match *self {
            Event::Create(number, name) => drop(files.insert(number, disk.create(name)?)),
            Event::Open(number, name) => drop(files.insert(number, disk.open(name)?)),
            Event::Write(number, offset, data) => files.get(&number).ok_or_else(unknown)?.write_at(data, offset)?,
            Event::Sync(number) => files.get(&number).ok_or_else(unknown)?.sync()?,
            Event::Rename(from, to) => disk.rename(from, to)?,
            Event::Remove(name) => disk.remove(name)?,
            Event::Names => disk.sync_dir()?,
        }
        Ok(())
    }
}
