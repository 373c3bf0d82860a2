//! One real process of the system: started, killed, stalled and asked to end, always with the same settings and on the
//! same ports.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};

use crate::{
    processes::{self, Signal},
    wait,
};

/// A process that was asked to end finishes what is in flight; more than this it does not need.
const END_LIMIT: Duration = Duration::from_secs(20);

/// A process, running or not.
#[derive(Debug)]
pub(crate) struct Service {
    /// What it is called in logs and messages.
    pub(crate) name: &'static str,
    binary: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    folder: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

impl Service {
    /// A process of that binary, not yet started; it runs and logs in the folder.
    pub(crate) fn new(name: &'static str, binary: &Path, folder: &Path) -> Self {
        Self {
            name,
            binary: binary.to_owned(),
            arguments: Vec::new(),
            environment: vec![("LOG_FORMAT", "json".to_owned())],
            folder: folder.to_owned(),
            log: folder.join(format!("{name}.log")),
            child: None,
        }
    }

    /// With one more argument.
    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// With one more variable.
    pub(crate) fn variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Where it logs.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Starts the process.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        let mut log = fs::File::options();
        let log = log.create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("cannot log to {}", self.log.display()))?;
        let other = log.try_clone().context("cannot log both streams")?;
        // With its parent gone it must go too.
        let child = Command::new("setpriv")
            .arg("--pdeathsig=KILL")
            .arg(&self.binary)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(other)
            .stderr(log)
            .spawn();
        let child = child.with_context(|| format!("cannot start {}", self.binary.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// That it has not ended by itself, whatever was done to what it depends on.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        let Some(child) = &mut self.child else {
            return Ok(());
        };
        let ended = child.try_wait();
        if let Some(status) = ended.with_context(|| format!("cannot look at {}", self.name))? {
            bail!(
                "{} ended by itself: {status}; see {}",
                self.name,
                self.log.display()
            );
        }
        Ok(())
    }

    /// Kills it as a crash would; it is gone when this returns.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child
                .kill()
                .with_context(|| format!("cannot kill {}", self.name))?;
            child
                .wait()
                .with_context(|| format!("cannot bury {}", self.name))?;
        }
        Ok(())
    }

    /// Lets it stand still, or go on.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pids: Vec<u32> = self.child.iter().map(Child::id).collect();
        processes::send(signal, &pids)
    }

    /// Asks it to end, and waits until it has, well.
    pub(crate) async fn end(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::Terminate)?;
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        let mut status = None;
        let what = format!("{} ends after SIGTERM", self.name);
        let ended = wait::until(&what, END_LIMIT, async || {
            status = child.try_wait().context("cannot look at a process")?;
            Ok(status.is_some())
        });
        let ended = ended.await;
        if ended.is_err() {
            child.kill().ok();
            child.wait().ok();
        }
        ended?;
        let code = status.and_then(|status| status.code());
        ensure!(
            code == Some(0),
            "{} ended with {code:?} after SIGTERM",
            self.name
        );
        Ok(())
    }

    /// Lines of its log that tell of a panic: there must be none.
    pub(crate) fn panics(&self) -> Vec<String> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let panics = log.lines().filter(|line| line.contains("panicked"));
        panics.map(str::to_owned).collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill().ok();
    }
}

/// A program of this build, beside the one that runs now.
///
/// # Errors
/// If it has not been built.
pub(crate) fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    // A program lies beside it, a test one folder deeper.
    let places = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name));
    let mut found = places.filter(|path| path.exists());
    found.next().with_context(|| {
        format!(
            "there is no `{name}` beside {}: run `cargo build` first",
            own.display()
        )
    })
}
