//! A writer that only writes: the same bytes in as many writes, each synced, to a file that is there already.
use crate::slow::{Delay, SlowDisk};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::disk::{Disk, DiskFile, RealDisk};

/// Bytes of the file: it is written round and round.
const FILE_BYTES: u64 = 64 << 20;

pub struct Bare {
    file: Arc<dyn DiskFile>,
    at: u64,
}

impl Bare {
    pub fn new(place: &Path, delay: &Delay) -> Bare {
        let disk = SlowDisk { disk: Arc::new(RealDisk::new(place)), delay: delay.clone() };
        let file = disk.create("bare").expect("a file");
        for piece in 0..FILE_BYTES >> 20 {
            file.write_at(&vec![0; 1 << 20], piece << 20).expect("written");
        }
        file.sync().expect("synced");
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
            self.file.write_at(&frame, self.at).expect("written");
            self.file.sync().expect("synced");
            self.at += bytes;
            start.elapsed()
        };
        (0..writes).map(once).collect()
    }
}
