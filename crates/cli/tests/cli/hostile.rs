//! Hostile programs: each ends, by itself or by the limit it reaches, without a crash.
use crate::kit::Folder;
use std::time::{Duration, Instant};

/// Longer than any of them takes on a slow machine, by far.
const MOST: Duration = Duration::from_secs(60);

#[test]
fn hostile_programs_end_by_a_limit_and_never_by_a_crash() {
    for line in include_str!("hostile.txt").lines().filter(|line| !line.starts_with('#')) {
        let (name, source) = line.split_once(": ").expect("a name and a program");
        let f = Folder::new(&[("hostile.js", source)]);
        let start = Instant::now();
        let ran = f.run(&["run", "--script", "--max-instructions", "4e6", "--max-heap", "32MiB", "hostile.js"]);
        assert!(matches!(ran.code, Some(0 | 1)), "{name}: {:?} {}", ran.code, ran.err);
        assert!(ran.code == Some(0) || !ran.last_error().is_empty(), "{name}: no word of what was wrong");
        assert!(!ran.err.contains("panicked"), "{name}: {}", ran.err);
        assert!(start.elapsed() < MOST, "{name}: {:?}", start.elapsed());
    }
}
