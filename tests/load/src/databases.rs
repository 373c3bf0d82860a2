//! Throw-away databases for a benchmark: a PostgreSQL cluster that is as durable as PostgreSQL is by default, and SQLite
//! files beside it. Each is filled once; every measurement gets a fresh copy.

use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::Context as _;
use banyan_mesh::testing::Postgres;
use jiff::Timestamp;
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, Statement};
use tempfile::TempDir;

use crate::{
    catalogue::Catalogue,
    processes, seed,
    traffic::{Kind, Traffic},
};

/// Room for what is measured, and its log in files that are used again, as in a cluster that has run for a while. Nothing
/// that makes an answer less durable.
const SETTINGS: &[&str] = &[
    "max_connections=100",
    "shared_buffers=1GB",
    "max_wal_size=2GB",
    "min_wal_size=512MB",
];
/// What durability rests on; the benchmark refuses to run without.
const DURABLE: [&str; 3] = ["fsync", "synchronous_commit", "full_page_writes"];

/// Who uses a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// The service, or statements alone: cells are made when they are first wanted.
    Service,
    /// The naive engine: cells are there already.
    Naive,
}

/// The databases of one benchmark; gone with it.
#[derive(Debug)]
pub struct Databases {
    cluster: Postgres,
    admin: DatabaseConnection,
    /// `postgres://user@host:port`.
    base: String,
    folder: TempDir,
    /// The time that everything is on sale from.
    pub now: Timestamp,
}

impl Databases {
    /// Starts a cluster and fills what copies are made of. `naive_requests` of each kind find the cells that they want.
    ///
    /// # Errors
    /// If anything cannot be set up.
    pub async fn start(binary: &Path, naive_requests: usize) -> anyhow::Result<Self> {
        let cluster = Postgres::start_with(&std::env::temp_dir(), SETTINGS);
        let url = cluster.fresh_database();
        let (base, _) = url.rsplit_once('/').context("a URL with a database")?;
        let databases = Self {
            admin: connect(&url).await?,
            base: base.to_owned(),
            cluster,
            folder: tempfile::Builder::new().prefix("banyan-load").tempdir()?,
            now: Timestamp::now(),
        };
        databases.require_durability().await?;
        for user in [User::Service, User::Naive] {
            let name = template(user);
            databases
                .execute(&format!("CREATE DATABASE {name}"))
                .await?;
            let file = databases.folder.path().join(name);
            for url in [databases.url(name), file_url(&file)] {
                databases.fill(binary, &url, user, naive_requests).await?;
            }
        }
        Ok(databases)
    }

    async fn fill(
        &self,
        binary: &Path,
        url: &str,
        user: User,
        naive_requests: usize,
    ) -> anyhow::Result<()> {
        processes::migrate(binary, url)?;
        let database = connect(url).await?;
        seed::catalogue(&database, Catalogue::FULL, self.now).await?;
        if user == User::Naive {
            for kind in [Kind::HotScreening, Kind::HotNight, Kind::Spread] {
                let traffic = Traffic::new(kind, Catalogue::FULL, self.now);
                seed::cells(&database, &traffic, naive_requests, self.now).await?;
            }
        }
        Ok(database.close().await?)
    }

    /// A fresh copy on PostgreSQL; its URL.
    ///
    /// # Errors
    /// If it cannot be made.
    pub async fn postgres(&self, user: User) -> anyhow::Result<String> {
        let name = fresh_name();
        let template = template(user);
        self.execute(&format!("CREATE DATABASE {name} TEMPLATE {template}"))
            .await?;
        self.execute("CHECKPOINT").await?;
        Ok(self.url(&name))
    }

    /// A fresh copy on SQLite; its URL.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn sqlite(&self, user: User) -> anyhow::Result<String> {
        let copy = self.folder.path().join(fresh_name());
        std::fs::copy(self.folder.path().join(template(user)), &copy)?;
        Ok(file_url(&copy))
    }

    /// A copy on PostgreSQL in which so many bookings were made before.
    ///
    /// # Errors
    /// If it cannot be made.
    pub async fn with_bookings(&self, count: i64) -> anyhow::Result<String> {
        let url = self.postgres(User::Service).await?;
        let database = connect(&url).await?;
        seed::bookings(&database, count, self.now).await?;
        database.close().await?;
        Ok(url)
    }

    /// Checks that what was sold adds up, and removes the database.
    ///
    /// # Errors
    /// If it does not, or the database fails.
    pub async fn settle(&self, url: &str) -> anyhow::Result<()> {
        let database = connect(url).await?;
        let sql = "SELECT CAST((SELECT COALESCE(SUM(taken), 0) FROM cells) AS BIGINT) AS taken, \
                   CAST((SELECT COALESCE(SUM(quantity), 0) FROM booking_items WHERE released_sequence IS NULL) AS BIGINT) \
                   AS items, (SELECT COUNT(*) FROM bookings) AS bookings";
        let statement = Statement::from_string(database.get_database_backend(), sql);
        let row = database.query_one_raw(statement).await?;
        let row = row.context("a row of sums")?;
        let [taken, items, bookings]: [i64; 3] = [
            row.try_get("", "taken")?,
            row.try_get("", "items")?,
            row.try_get("", "bookings")?,
        ];
        database.close().await?;
        anyhow::ensure!(
            taken == items && items == bookings,
            "{taken} taken, {items} items, {bookings} bookings: they should be the same"
        );
        self.remove(url).await
    }

    async fn remove(&self, url: &str) -> anyhow::Result<()> {
        if let Some(file) = url.strip_prefix("sqlite://") {
            for suffix in ["", "-wal", "-shm", ".lock"] {
                std::fs::remove_file(format!("{file}{suffix}")).ok();
            }
            return Ok(());
        }
        let (_, name) = url.rsplit_once('/').context("a URL with a database")?;
        self.execute(&format!("DROP DATABASE {name} WITH (FORCE)"))
            .await
    }

    /// The cluster's main process.
    pub fn pid(&self) -> u32 {
        self.cluster.pid()
    }

    /// What PostgreSQL calls itself.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn version(&self) -> anyhow::Result<String> {
        self.show("server_version").await
    }

    async fn require_durability(&self) -> anyhow::Result<()> {
        for setting in DURABLE {
            let value = self.show(setting).await?;
            anyhow::ensure!(value == "on", "PostgreSQL runs with {setting}={value}");
        }
        Ok(())
    }

    async fn show(&self, setting: &str) -> anyhow::Result<String> {
        let sql = format!("SELECT current_setting('{setting}') AS value");
        let statement = Statement::from_string(self.admin.get_database_backend(), sql);
        let row = self.admin.query_one_raw(statement).await?;
        Ok(row.context("a setting")?.try_get("", "value")?)
    }

    async fn execute(&self, sql: &str) -> anyhow::Result<()> {
        self.admin.execute_unprepared(sql).await?;
        Ok(())
    }

    fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.base)
    }
}

fn template(user: User) -> &'static str {
    match user {
        User::Service => "filled",
        User::Naive => "filled_with_cells",
    }
}

fn fresh_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("copy_{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

fn file_url(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}

/// A pool of one, so that a setting of the session holds for all that follows.
async fn connect(url: &str) -> anyhow::Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Ok(Database::connect(options).await?)
}
