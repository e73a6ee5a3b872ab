//! The key of a host.
//!
//! In: the folder of a state. Out: 32 secret bytes, the same at each start.
//!
//! Invariants
//! - the file is its owner's alone (mode 0600); one that others can read is refused;
//! - it is made once, whole or not at all.
use crate::operate::{Problem, problem};
use crate::state::random;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// In a state's folder.
pub(crate) const FILE: &str = "host.key";

pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

fn failed(file: &Path, e: &std::io::Error) -> Problem {
    problem("E-KEY", format!("{}: {e}", file.display()), "be the user whose host this is, and make room")
}

/// The key in a folder; it is made if there is none.
pub(crate) fn load(folder: &Path) -> Result<[u8; 32], Problem> {
    let file = path(folder);
    match std::fs::metadata(&file) {
        Ok(m) if m.permissions().mode() & 0o077 != 0 => {
            let what = format!("{} can be read by others", file.display());
            let help =
                format!("it may be known: make another with a fresh state, or if you are sure: chmod 600 {}", file.display());
            return Err(problem("E-KEY", what, help));
        }
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return make(folder, &file),
        Err(e) => return Err(failed(&file, &e)),
    }
    let text = std::fs::read_to_string(&file).map_err(|e| failed(&file, &e))?;
    read(text.trim()).ok_or_else(|| {
        let help = "restore it from a backup made with --with-key; without it the host's sturdyrefs lead nowhere";
        problem("E-KEY", format!("{} is damaged: not 64 hexadecimal digits", file.display()), help)
    })
}

fn read(text: &str) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (b, digits) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digit = |i: usize| (digits[i] as char).to_digit(16);
        *b = (digit(0)? * 16 + digit(1)?) as u8;
    }
    Some(key)
}

fn make(folder: &Path, file: &Path) -> Result<[u8; 32], Problem> {
    let key = fresh()?;
    let text: String = key.iter().map(|b| format!("{b:02x}")).collect();
    let new = folder.join("host.key.new");
    let written = || {
        match std::fs::remove_file(&new) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut f = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        writeln!(f, "{text}")?;
        f.sync_all()?;
        std::fs::rename(&new, file)?;
        std::fs::File::open(folder)?.sync_all()
    };
    written().map_err(|e| failed(file, &e))?;
    Ok(key)
}

/// Secret bytes of a host without a state, or of a connection.
pub(crate) fn fresh() -> Result<[u8; 32], Problem> {
    random().map_err(|e| problem("E-RANDOM", format!("the system gives no random bytes: {e}"), "try again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let f = std::env::temp_dir().join(format!("drses-key-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&f);
        std::fs::create_dir(&f).expect("a folder");
        f
    }

    #[test]
    fn a_key_is_made_once_and_is_its_owners_alone() {
        let f = folder("once");
        let key = load(&f).expect("a key");
        assert_eq!(load(&f).expect("the key"), key);
        let mode = std::fs::metadata(path(&f)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::set_permissions(path(&f), std::fs::Permissions::from_mode(0o644)).expect("chmod");
        assert_eq!(load(&f).expect_err("refused").code, "E-KEY");
        std::fs::remove_dir_all(&f).expect("removed");
    }

    #[test]
    fn a_damaged_key_is_refused() {
        let f = folder("damaged");
        for text in ["", "00", &"g".repeat(64), &"ä".repeat(32)] {
            std::fs::write(path(&f), text).expect("written");
            std::fs::set_permissions(path(&f), std::fs::Permissions::from_mode(0o600)).expect("chmod");
            assert_eq!(load(&f).expect_err("refused").code, "E-KEY");
        }
        std::fs::remove_dir_all(&f).expect("removed");
    }
}
