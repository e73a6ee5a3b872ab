//! The files of the project: where its root is, and every text file below it.
//!
//! Build output, version control and hidden folders (but `.ci` and `.cargo`) are left out, and so is what is not UTF-8.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// One text file; `path` is relative to the root, with `/` between its parts.
pub struct File {
    pub path: String,
    pub text: String,
}

/// The root of the workspace that this program was built from.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Where cargo builds.
pub fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// Every text file below `root`, in the order of their paths.
pub fn files(root: &Path) -> Result<Vec<File>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("reading the folder {}", folder.display()))? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if kind.is_dir() && is_ours(&name) {
                folders.push(entry.path());
            } else if kind.is_file()
                && name != ".git"
                && let Ok(text) = String::from_utf8(std::fs::read(entry.path())?)
            {
                found.push(File { path: relative(root, &entry.path()), text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn is_ours(folder: &str) -> bool {
    matches!(folder, ".ci" | ".cargo" | ".github") || !(folder.starts_with('.') || matches!(folder, "target" | "node_modules"))
}

fn relative(root: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(root).unwrap_or(path);
    inside.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
