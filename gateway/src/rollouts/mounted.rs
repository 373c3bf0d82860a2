//! A percentage in a file of a mounted folder, such as a key of a ConfigMap: read ten times a second, so that it is in
//! force at every replica within one.
//!
//! What is no percentage is refused, with one line in the log for each such content and a count; what was in force
//! stays. A file that is not there says nothing.

use std::{
    io::{self, Read as _},
    path::Path,
    time::Duration,
};

use banyan_rollout::{ParsePercentError, Percent};

/// How often the files are read.
pub(super) const READ_EVERY: Duration = Duration::from_millis(100);
/// No percentage is longer.
const BYTES_MAX: u64 = 64;

/// Why a file says nothing that counts.
#[derive(Debug, thiserror::Error)]
pub(super) enum MountedError {
    /// The file cannot be read.
    #[error("the file with the percentage cannot be read")]
    Read(#[source] io::Error),
    /// It holds something else.
    #[error("the file with the percentage holds something else")]
    Percent(#[source] ParsePercentError),
}

/// What a file says; `None` where it is missing or empty.
pub(super) fn read(path: &Path) -> Result<Option<Percent>, MountedError> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(MountedError::Read(error)),
    };
    let mut bytes = Vec::new();
    file.take(BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(MountedError::Read)?;
    let text = String::from_utf8_lossy(&bytes);
    match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(MountedError::Percent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_a_percentage_or_nothing_or_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("MOVIES_MIGRATION_PERCENT");
        assert_eq!(read(&path).unwrap(), None);
        for (text, want) in [("25\n", Some("25")), (" 0.5 ", Some("0.5")), ("\n", None)] {
            std::fs::write(&path, text).unwrap();
            let want = want.map(|want| want.parse().unwrap());
            assert_eq!(read(&path).unwrap(), want, "{text:?}");
        }
        for text in ["all", "101", "25 %", &"1".repeat(10_000)] {
            std::fs::write(&path, text).unwrap();
            assert!(read(&path).is_err(), "{text:?}");
        }
        assert!(read(folder.path()).is_err(), "a folder");
    }
}
