//! The checked-in inputs of a fuzz target, run as a test of the crate that has the target: `#[path]` brings this file in.

/// Takes an input; a panic is a finding.
type Target = fn(&[u8]);

/// Runs every target on its folder of `fuzz/corpus`; one without inputs fails.
pub fn run(targets: &[(&str, Target)]) {
    let all = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, target) in targets {
        let folder = all.join(name);
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
            .map(|entry| entry.expect("a file").path())
            .collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no inputs");
        for file in files {
            let bytes = std::fs::read(&file).expect("can be read");
            if std::panic::catch_unwind(|| target(&bytes)).is_err() {
                panic!("the target {name} fails on {}", file.display());
            }
        }
    }
}
