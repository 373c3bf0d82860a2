//! The databases that are made to suffer: a PostgreSQL cluster of real processes, and a SQLite file.
//!
//! PostgreSQL's processes are ended by the thread that started them ending (see [`Postgres`]): whoever makes a
//! [`Database`] keeps its thread for as long.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use banyan_mesh::testing::Postgres;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};

use crate::processes::{self, Signal};

/// Keeps a small disk from being filled by what PostgreSQL keeps for crash recovery.
const TUNING: &[&str] = &[
    "ALTER SYSTEM SET max_wal_size = '64MB'",
    "ALTER SYSTEM SET min_wal_size = '32MB'",
    "SELECT pg_reload_conf()",
];

/// A database under test.
#[derive(Debug)]
pub(crate) enum Database {
    /// A cluster, and the URL of the database in it.
    Postgres(Box<Cluster>),
    /// A file.
    Sqlite(PathBuf),
}

/// A PostgreSQL cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    postgres: Postgres,
    url: String,
    log: PathBuf,
}

impl Database {
    /// A PostgreSQL cluster with its data under `data`; its log comes to `folder` in the end.
    pub(crate) async fn postgres(data: &Path, folder: &Path) -> anyhow::Result<Self> {
        let postgres = Postgres::start_in(data);
        let url = postgres.fresh_database();
        let sql = sea_orm::Database::connect(&url)
            .await
            .context("cannot connect to PostgreSQL")?;
        for statement in TUNING {
            sql.execute_unprepared(statement)
                .await
                .context("cannot set PostgreSQL up")?;
        }
        sql.close().await.context("cannot close a connection")?;
        let log = folder.join("postgres.log");
        Ok(Self::Postgres(Box::new(Cluster { postgres, url, log })))
    }

    /// A SQLite file under `data`.
    pub(crate) fn sqlite(data: &Path) -> Self {
        Self::Sqlite(data.join("reservation.db"))
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Postgres(cluster) => cluster.url.clone(),
            Self::Sqlite(path) => format!("sqlite://{}?mode=rwc", path.display()),
        }
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "PostgreSQL",
            Self::Sqlite(_) => "SQLite",
        }
    }

    /// The cluster; an error where there is no server to do anything to.
    pub(crate) fn cluster(&mut self) -> anyhow::Result<&mut Cluster> {
        match self {
            Self::Postgres(cluster) => Ok(cluster),
            Self::Sqlite(_) => bail!("SQLite has no processes of its own"),
        }
    }

    /// A connection for looking.
    pub(crate) async fn connect(&self) -> anyhow::Result<DatabaseConnection> {
        sea_orm::Database::connect(self.url())
            .await
            .context("cannot look into the database")
    }
}

impl Cluster {
    /// Where it listens.
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        let port = self
            .url
            .rsplit_once('/')
            .and_then(|(server, _)| server.rsplit_once(':'));
        let port = port
            .and_then(|(_, port)| port.parse().ok())
            .context("a port in the URL")?;
        Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// Another empty database of the same cluster.
    pub(crate) fn another(&self) -> String {
        self.postgres.fresh_database()
    }

    /// Its URL by way of another port.
    pub(crate) fn url_by(&self, port: u16) -> anyhow::Result<String> {
        let (server, name) = self.url.rsplit_once('/').context("a database in the URL")?;
        let (user, _) = server.rsplit_once(':').context("a port in the URL")?;
        Ok(format!("{user}:{port}/{name}"))
    }

    /// Kills every one of its processes at once, as a power cut would; how many these were.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<usize> {
        // Standing still, it starts no more of them.
        let main = self.postgres.pid();
        processes::send(Signal::Stop, &[main])?;
        let mut all = processes::children(main);
        all.push(main);
        processes::send(Signal::Kill, &all)?;
        self.postgres.kill();
        processes::ended(&all).await?;
        Ok(all.len())
    }

    /// Kills one of its connections' processes; the server then ends all others and recovers.
    pub(crate) async fn kill_one(&mut self, of: &DatabaseConnection) -> anyhow::Result<()> {
        let backend = of.get_database_backend();
        let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
                   AND pid <> pg_backend_pid() AND backend_type = 'client backend' \
                   ORDER BY (query LIKE '%commit_head%') DESC, state_change DESC LIMIT 1";
        let found = of.query_one_raw(Statement::from_string(backend, sql)).await;
        let found = found
            .context("cannot list connections")?
            .context("nobody is connected")?;
        let pid: i32 = found.try_get("", "pid").context("a process id")?;
        processes::send(Signal::Kill, &[pid.unsigned_abs()])
    }

    /// Starts it again, if it is not running.
    pub(crate) fn restart(&mut self) {
        if self.postgres.has_ended() {
            self.postgres.restart();
        }
    }

    /// Lets all its processes stand still, or go on.
    pub(crate) fn pause(&self, paused: bool) -> anyhow::Result<()> {
        let main = self.postgres.pid();
        let signal = if paused {
            Signal::Stop
        } else {
            Signal::Continue
        };
        // The main process stops first, so that it starts no more of them.
        processes::send(signal, &[main])?;
        processes::send(signal, &processes::children(main))
    }

    fn keep_log(&self) -> anyhow::Result<()> {
        let copied = fs::copy(self.postgres.log(), &self.log);
        ensure!(copied.is_ok(), "cannot keep {}", self.log.display());
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The folder that it is copied to is gone after a clean run.
        self.keep_log().ok();
    }
}
