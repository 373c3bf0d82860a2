//! The programs under load, each a process of its own, started as users start it and gone with this process.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::naive::Order;
use anyhow::Context as _;
use banyan_mesh::{
    client::{ClientSettings, channel},
    testing::free_port,
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// How long a program may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// A gRPC server in a process of its own. Killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it answers.
    pub url: String,
}

impl Server {
    /// `banyan reservation` on that database, with its default settings.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn reservation(binary: &Path, database: &str) -> anyhow::Result<Self> {
        let [listen, ops] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
        let mut command = bound_to_us(binary);
        command
            .arg("reservation")
            .env("RESERVATION_DATABASE_URL", database)
            .env("RESERVATION_LISTEN", &listen)
            .env("OPS_LISTEN", ops);
        Self::start(command, &listen).await
    }

    /// The naive engine on that database.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn naive(database: &str, pool: u32, order: Order) -> anyhow::Result<Self> {
        let listen = format!("127.0.0.1:{}", free_port());
        let mut command = bound_to_us(&std::env::current_exe()?);
        command
            .args(["naive", "--listen", &listen, "--database", database])
            .args(["--pool", &pool.to_string()]);
        if order == Order::Strict {
            command.arg("--in-order");
        }
        Self::start(command, &listen).await
    }

    async fn start(mut command: Command, listen: &str) -> anyhow::Result<Self> {
        // Its log is written as ever, but nobody keeps millions of lines.
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let url = format!("http://{listen}");
        let mut server = Self { child, url };
        server.wait_until_ready().await?;
        Ok(server)
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let mut health = HealthClient::new(channel(&ClientSettings::new(&self.url))?);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("a server ended at its start: {status}");
            }
            let answer = health.check(HealthCheckRequest::default()).await;
            if answer.is_ok_and(|it| it.get_ref().status() == ServingStatus::Serving) {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < deadline, "a server did not get ready");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Errors
    /// If it does not end by itself.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.pid().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            anyhow::ensure!(Instant::now() < deadline, "a server did not end");
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Brings a database up to date, as a migration job does.
///
/// # Errors
/// If that fails.
pub fn migrate(binary: &Path, database: &str) -> anyhow::Result<()> {
    let output = Command::new(binary)
        .args(["reservation", "--migrate"])
        .env("RESERVATION_DATABASE_URL", database)
        .output()
        .with_context(|| format!("cannot start {}", binary.display()))?;
    let log = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "the migration failed: {log}");
    Ok(())
}

/// A command that the kernel ends with the thread that starts it: the main one, so that nothing outlives a benchmark
/// that is broken off.
fn bound_to_us(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL").arg(program);
    command
}
