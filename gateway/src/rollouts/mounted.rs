//! A percentage in a file of a mounted folder, such as a key of a ConfigMap: read ten times a second, so that it is in
//! force at every replica within one.
//!
//! What is no percentage is refused, with one line in the log for each such content and a count; what was in force
//! stays. A file that is not there or empty says nothing, once two readings in a row have found it so: whoever writes a
//! file anew empties it first, and weaker sources must not be in force for that moment.

use std::{
    error::Error as _,
    io::{self, Read as _},
    path::{Path, PathBuf},
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

/// What counts of a reading.
#[derive(Debug)]
pub(super) enum Heard {
    /// What the file says; `None`: nothing.
    Says(Option<Percent>),
    /// It may be written at this moment: what it said before goes on to count.
    Unsure,
    /// It says something else than before that is no percentage.
    Refused(MountedError),
    /// It still says what was refused.
    StillRefused,
}

/// What the next reading of a file depends on.
#[derive(Debug, Default)]
pub(super) struct Readings {
    /// The last one found nothing.
    was_silent: bool,
    /// Why what was found last was refused.
    refused: Option<String>,
}

impl Readings {
    /// Takes note of a reading.
    pub(super) fn hear(&mut self, read: Result<Option<Percent>, MountedError>) -> Heard {
        let was_silent = std::mem::replace(&mut self.was_silent, matches!(read, Ok(None)));
        match read {
            Ok(None) if !was_silent => Heard::Unsure,
            Ok(percent) => {
                self.refused = None;
                Heard::Says(percent)
            }
            Err(error) => {
                let why = error.source().map_or_else(String::new, ToString::to_string);
                match self.refused.replace(why) == self.refused {
                    true => Heard::StillRefused,
                    false => Heard::Refused(error),
                }
            }
        }
    }
}

/// What a file says at the start.
pub(super) async fn read_first(path: PathBuf) -> Result<Option<Percent>, MountedError> {
    twice_if_silent(|| read_aside(path.clone())).await
}

async fn twice_if_silent<R>(mut read: impl FnMut() -> R) -> Result<Option<Percent>, MountedError>
where
    R: Future<Output = Result<Option<Percent>, MountedError>>,
{
    match read().await {
        Ok(None) => {
            tokio::time::sleep(READ_EVERY).await;
            read().await
        }
        read => read,
    }
}

/// [`read`], of what may be a folder of the network: nothing else waits for it.
pub(super) async fn read_aside(path: PathBuf) -> Result<Option<Percent>, MountedError> {
    let read = tokio::task::spawn_blocking(move || read(&path)).await;
    read.unwrap_or_else(|gone| Err(MountedError::Read(io::Error::other(gone))))
}

/// What a file says; `None` where it is missing or empty.
fn read(path: &Path) -> Result<Option<Percent>, MountedError> {
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

    #[test]
    fn a_file_that_is_caught_while_it_is_written_goes_on_to_say_what_it_said() {
        let said = |texts: &[Option<&str>]| {
            let mut readings = Readings::default();
            let heard = texts.iter().map(|text| {
                let read = text.map(str::parse).transpose();
                match readings.hear(read.map_err(MountedError::Percent)) {
                    Heard::Says(Some(percent)) => percent.to_string(),
                    Heard::Says(None) => "nothing".to_owned(),
                    Heard::Unsure => "-".to_owned(),
                    Heard::Refused(_) => "refused".to_owned(),
                    Heard::StillRefused => "still refused".to_owned(),
                }
            });
            heard.collect::<Vec<_>>().join(", ")
        };
        assert_eq!(said(&[Some("20"), None, Some("30")]), "20, -, 30");
        assert_eq!(
            said(&[Some("20"), None, None, None, Some("20")]),
            "20, -, nothing, nothing, 20"
        );
        assert_eq!(
            said(&[None, Some("x"), None, Some("x"), Some("y"), Some("y")]),
            "-, refused, -, still refused, refused, still refused"
        );
        assert_eq!(
            said(&[Some("x"), Some("1"), Some("x")]),
            "refused, 1, refused"
        );
    }

    #[tokio::test]
    async fn at_the_start_a_file_is_read_again_before_it_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("MOVIES_MIGRATION_PERCENT");
        assert_eq!(read_first(path.clone()).await.unwrap(), None);
        std::fs::write(&path, "").unwrap();
        let written_after_the_first = || {
            let found = read(&path);
            std::fs::write(&path, "25").unwrap();
            std::future::ready(found)
        };
        let found = twice_if_silent(written_after_the_first).await.unwrap();
        assert_eq!(found, Some("25".parse().unwrap()));
    }
}
