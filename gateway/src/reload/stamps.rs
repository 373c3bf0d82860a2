//! Whether files have changed, without reading them.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// Between two looks at files that are just being changed. Longer than the clock of any file system ticks, so that a
/// change after the second look shows in the times.
const SETTLE: Duration = Duration::from_millis(50);
const SETTLE_TRIES: u32 = 20;

/// What a file was when it was last looked at; `None` where there was none.
type Stamp = Option<(u64, u64, u64, (i64, i64), (i64, i64))>;

/// How files were when they were last looked at.
#[derive(Debug, Default)]
pub(crate) struct Stamps(Vec<(PathBuf, Stamp)>);

impl Stamps {
    /// Whether any differs from the last time; true the first time. Waits, for a while, until a file that is just being
    /// written is at rest: half a file would most likely be refused, and might be taken.
    pub(crate) async fn have_changed(&mut self, files: &[PathBuf]) -> bool {
        let mut seen = stamps(files);
        if seen == self.0 {
            return false;
        }
        for _ in 0..SETTLE_TRIES {
            tokio::time::sleep(SETTLE).await;
            let now = stamps(files);
            if now == seen {
                break;
            }
            seen = now;
        }
        self.0 = seen;
        true
    }
}

fn stamps(files: &[PathBuf]) -> Vec<(PathBuf, Stamp)> {
    let stamps = files.iter().map(|path| (path.clone(), stamp(path)));
    stamps.collect()
}

/// Links are followed: where a mounted folder is swapped behind one, device, inode or times are others.
fn stamp(path: &Path) -> Stamp {
    let file = fs::metadata(path).ok()?;
    let modified = (file.mtime(), file.mtime_nsec());
    let changed = (file.ctime(), file.ctime_nsec());
    Some((file.dev(), file.ino(), file.len(), modified, changed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_way_of_changing_a_file_is_seen_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for version in ["one", "two"] {
            fs::create_dir(path(version)).unwrap();
            fs::write(path(version).join("a"), version).unwrap();
        }
        let link = |to: &str| {
            std::os::unix::fs::symlink(path(to), path("next")).unwrap();
            fs::rename(path("next"), path("current")).unwrap();
        };
        link("one");
        let file = path("current").join("a");
        let files = [file.clone()];
        let mut stamps = Stamps::default();
        assert!(stamps.have_changed(&files).await, "nothing is known yet");
        assert!(!stamps.have_changed(&files).await);

        fs::write(&file, "eno").unwrap();
        assert!(stamps.have_changed(&files).await, "rewritten");
        link("two");
        assert!(stamps.have_changed(&files).await, "swapped behind a link");
        fs::write(path("new"), "two").unwrap();
        fs::rename(path("new"), &file).unwrap();
        assert!(stamps.have_changed(&files).await, "renamed over");
        fs::remove_file(&file).unwrap();
        assert!(stamps.have_changed(&files).await, "gone");
        assert!(!stamps.have_changed(&files).await);
    }
}
