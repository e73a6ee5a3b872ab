//! A folder of the operating system.
//!
//! Syncing is `fdatasync`, which includes a changed length; names are made durable by syncing the folder. The lock is the system's
//! advisory one and goes when the process does. Counts what passes, so that a measurement can say how much was read.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Disk, DiskFile};

/// What went through a `RealDisk`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub reads: u64,
    pub read_bytes: u64,
    pub writes: u64,
    pub written_bytes: u64,
    pub syncs: u64,
}

#[derive(Default)]
struct Counters {
    reads: AtomicU64,
    read_bytes: AtomicU64,
    writes: AtomicU64,
    written_bytes: AtomicU64,
    syncs: AtomicU64,
}

/// A folder; made when the first file is created in it.
pub struct RealDisk {
    folder: PathBuf,
    writes: bool,
    counters: Arc<Counters>,
}

impl RealDisk {
    pub fn new(folder: impl Into<PathBuf>) -> RealDisk {
        RealDisk { folder: folder.into(), writes: true, counters: Arc::default() }
    }

    /// A folder whose files are opened to be read: it may lie on a medium that cannot be written.
    pub fn to_read(folder: impl Into<PathBuf>) -> RealDisk {
        RealDisk { writes: false, ..RealDisk::new(folder) }
    }

    pub fn counts(&self) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let all = &self.counters;
        Counts {
            reads: get(&all.reads),
            read_bytes: get(&all.read_bytes),
            writes: get(&all.writes),
            written_bytes: get(&all.written_bytes),
            syncs: get(&all.syncs),
        }
    }

    fn handle(&self, file: File) -> Arc<dyn DiskFile> {
        Arc::new(RealFile { file, counters: self.counters.clone() })
    }
}

impl Disk for RealDisk {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(self.writes).open(self.folder.join(name))?;
        Ok(self.handle(file))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        if !self.folder.is_dir() {
            fs::create_dir_all(&self.folder)?;
            // A relative path of one part has an empty parent.
            let parent = self.folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(parent)?.sync_all()?;
        }
        let path = self.folder.join(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(self.handle(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.folder.join(from), self.folder.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder.join(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut names = Vec::new();
        for entry in entries {
            // A name that is no text is none of ours.
            names.extend(entry?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.counters.syncs.fetch_add(1, Ordering::Relaxed);
        File::open(&self.folder)?.sync_all()
    }
}

struct RealFile {
    file: File,
    counters: Arc<Counters>,
}

impl DiskFile for RealFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.file.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.counters.reads.fetch_add(1, Ordering::Relaxed);
        self.counters.read_bytes.fetch_add(done as u64, Ordering::Relaxed);
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.counters.writes.fetch_add(1, Ordering::Relaxed);
        self.counters.written_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.counters.syncs.fetch_add(1, Ordering::Relaxed);
        self.file.sync_data()
    }

    fn try_lock(&self) -> io::Result<bool> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_to_be_read_is_not_written() {
        let folder = std::env::temp_dir().join(format!("drses-disk-{}", std::process::id()));
        RealDisk::new(&folder).create("file").and_then(|f| f.write_at(b"text", 0)).expect("a file can be made");
        let file = RealDisk::to_read(&folder).open("file").expect("it is there");
        let mut bytes = [0; 4];
        assert_eq!(file.read_at(&mut bytes, 0).ok(), Some(4));
        assert!(&bytes == b"text" && file.write_at(b"more", 0).is_err());
        fs::remove_dir_all(folder).expect("it can be removed");
    }
}
