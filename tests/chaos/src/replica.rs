//! One `banyan reservation` process: started, killed, stalled and asked to end, always on the same ports.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use banyan_mesh::{client::ClientSettings, testing::free_port};
use banyan_proto::reservation::v1::{self, hotel_service_client::HotelServiceClient};
use tonic::transport::Channel;

use crate::{
    processes::{self, Signal},
    wait,
};

/// A process that was asked to end finishes what is in flight; more than this it does not need.
const END_LIMIT: Duration = Duration::from_secs(20);

/// A reservation service.
#[derive(Debug)]
pub(crate) struct Replica {
    /// What it is called in logs and messages.
    pub(crate) name: &'static str,
    binary: PathBuf,
    database_url: String,
    port: u16,
    ops: u16,
    log: PathBuf,
    child: Option<Child>,
}

impl Replica {
    /// A replica of that binary on that database, not yet started; it logs into the folder.
    pub(crate) fn new(
        name: &'static str,
        binary: &Path,
        database_url: String,
        folder: &Path,
    ) -> Self {
        Self {
            name,
            binary: binary.to_owned(),
            database_url,
            port: free_port(),
            ops: free_port(),
            log: folder.join(format!("{name}.log")),
            child: None,
        }
    }

    /// Starts the process.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        let mut log = fs::File::options();
        let log = log.create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("cannot log to {}", self.log.display()))?;
        // With its parent gone it must go too.
        let child = Command::new("setpriv")
            .arg("--pdeathsig=KILL")
            .arg(&self.binary)
            .arg("reservation")
            .env("RESERVATION_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("OPS_LISTEN", format!("127.0.0.1:{}", self.ops))
            .env("RESERVATION_DATABASE_URL", &self.database_url)
            .env("BANYAN_DEMO", "true")
            .env("LOG_FORMAT", "json")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let child = child.with_context(|| format!("cannot start {}", self.binary.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// A channel to it, which connects by itself whenever it must.
    pub(crate) fn channel(&self) -> anyhow::Result<Channel> {
        let settings = ClientSettings::new(format!("http://127.0.0.1:{}", self.port));
        Ok(banyan_mesh::client::channel(&settings)?)
    }

    /// Waits until it answers with what is sold.
    pub(crate) async fn until_it_answers(&mut self, limit: Duration) -> anyhow::Result<()> {
        let client = HotelServiceClient::new(self.channel()?);
        wait::until(&format!("{} answers", self.name), limit, async || {
            self.check()?;
            let request = v1::ListHotelsRequest::default();
            let answer = client.clone().list_hotels(request).await;
            Ok(answer.is_ok_and(|it| !it.get_ref().hotels.is_empty()))
        })
        .await
    }

    /// That it has not ended by itself, whatever was done to its database.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        let Some(child) = &mut self.child else {
            return Ok(());
        };
        if let Some(status) = child.try_wait().context("cannot look at a replica")? {
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
            child.kill().context("cannot kill a replica")?;
            child.wait().context("cannot bury a replica")?;
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
        let ended = wait::until("a replica ends after SIGTERM", END_LIMIT, async || {
            status = child.try_wait().context("cannot look at a replica")?;
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

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill().ok();
    }
}

/// The `banyan` of this build, beside the program that runs now.
///
/// # Errors
/// If it has not been built.
pub(crate) fn binary() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    // A program lies beside it, a test one folder deeper.
    let places = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("banyan"));
    let mut found = places.filter(|path| path.exists());
    found.next().with_context(|| {
        format!(
            "there is no `banyan` beside {}: run `cargo build` first",
            own.display()
        )
    })
}
