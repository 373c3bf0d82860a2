//! A small disk of its own that can be filled up: a tmpfs with a file in it that takes all the room.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail, ensure};

/// What is written at once while there is room, and when little is left.
const BLOCKS: [usize; 2] = [1 << 20, 1 << 12];

/// A mounted tmpfs. Unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Disk {
    path: PathBuf,
}

impl Disk {
    /// Mounts a disk of so many megabytes. Not everybody may mount: the error says so.
    pub(crate) fn mount(path: PathBuf, megabytes: u32) -> anyhow::Result<Self> {
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o"])
            .arg(format!("size={megabytes}m,mode=0755"))
            .arg("banyan-chaos")
            .arg(&path)
            .output()
            .context("cannot run mount")?;
        let error = String::from_utf8_lossy(&mounted.stderr);
        ensure!(mounted.status.success(), "{}", error.trim());
        Ok(Self { path })
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes all the room that is left.
    pub(crate) fn fill(&self) -> anyhow::Result<()> {
        let mut filler = File::create(self.filler()).context("cannot make the filler")?;
        for block in BLOCKS {
            let zeros = vec![0; block];
            loop {
                match filler.write_all(&zeros) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => bail!("cannot write the filler: {error}"),
                }
            }
        }
        Ok(())
    }

    /// Gives the room back.
    pub(crate) fn clear(&self) -> anyhow::Result<()> {
        fs::remove_file(self.filler()).context("cannot remove the filler")
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that is still ending does not keep it.
        Command::new("umount")
            .arg("-l")
            .arg(&self.path)
            .output()
            .ok();
    }
}
