//! A writer that only writes: the same bytes in as many writes, each synced, to a file that is there already.
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes of the file: it is written round and round.
const FILE_BYTES: u64 = 64 << 20;

pub struct Bare {
    file: File,
    at: u64,
}

impl Bare {
    pub fn new(place: &Path) -> Bare {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(place.join("bare")).expect("a file");
        for piece in 0..FILE_BYTES >> 20 {
            file.write_all_at(&vec![0; 1 << 20], piece << 20).expect("written");
        }
        file.sync_data().expect("synced");
        Bare { file, at: 0 }
    }

    /// How long each of `writes` writes of `bytes` took with its sync.
    pub fn write(&mut self, writes: u64, bytes: u64) -> Vec<Duration> {
        let frame = vec![5u8; bytes as usize];
        let once = |_| {
            if self.at + bytes > FILE_BYTES {
                self.at = 0;
            }
            let start = Instant::now();
            self.file.write_all_at(&frame, self.at).expect("written");
            self.file.sync_data().expect("synced");
            self.at += bytes;
            start.elapsed()
        };
        (0..writes).map(once).collect()
    }
}
