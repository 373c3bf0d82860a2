//! Throw-away databases for tests: a fresh SQLite file, and a fresh database in a real PostgreSQL cluster.
//!
//! The cluster is started once a test process from the binaries of the system (`initdb` and `postgres` of Debian's
//! `postgresql`), in a temporary folder and on a free port; it ends with the test process. `BANYAN_TEST_POSTGRES=off`
//! leaves PostgreSQL out, for a machine without it; nothing else does: a missing binary fails the tests.

// A test that cannot have its database is over.
#![allow(clippy::expect_used)]

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// A fresh database of each kind to run a storage test on.
#[derive(Debug)]
pub struct TestDatabase {
    /// Its URL.
    pub url: String,
    // Keeps a SQLite file's folder until the test has ended.
    _folder: Option<TempDir>,
}

impl TestDatabase {
    /// A fresh SQLite file.
    ///
    /// # Panics
    /// If the temporary folder cannot be made.
    #[must_use]
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}/test.db", folder.path().display());
        Self {
            url,
            _folder: Some(folder),
        }
    }

    /// A fresh database in the PostgreSQL cluster of this test process.
    ///
    /// # Panics
    /// If PostgreSQL cannot be started.
    #[must_use]
    pub fn postgres() -> Self {
        Self {
            url: Postgres::shared().fresh_database(),
            _folder: None,
        }
    }

    /// The same database, for another process; it lives as long as the first of them.
    #[must_use]
    pub fn shared(&self) -> Self {
        Self {
            url: self.url.clone(),
            _folder: None,
        }
    }

    /// One of each kind.
    #[must_use]
    pub fn each() -> Vec<Self> {
        let mut databases = vec![Self::sqlite()];
        if std::env::var("BANYAN_TEST_POSTGRES").as_deref() != Ok("off") {
            databases.push(Self::postgres());
        }
        databases
    }
}

const FOLDER_PREFIX: &str = "banyan-postgres";
/// Holds the id of the test process that a cluster belongs to.
const OWNER: &str = "owner";

/// A throw-away PostgreSQL cluster. Stopped when dropped.
#[derive(Debug)]
pub struct Postgres {
    server: Child,
    port: u16,
    binaries: PathBuf,
    folder: TempDir,
    settings: &'static [&'static str],
}

impl Postgres {
    /// The cluster that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| {
            // The kernel ends a child with the thread that started it, not with the process. The thread of the test
            // that happens to come first would take the cluster away from all others, so one is kept for it.
            let (started, cluster) = mpsc::channel();
            std::thread::spawn(move || {
                started.send(Self::start()).ok();
                loop {
                    std::thread::park();
                }
            });
            cluster.recv().expect("PostgreSQL starts")
        })
    }

    /// Starts a cluster and waits until it answers.
    ///
    /// # Panics
    /// If there are no binaries, or it does not come up within 30 s.
    #[must_use]
    pub fn start() -> Self {
        Self::start_in(&std::env::temp_dir())
    }

    /// As [`start`](Self::start), with its files under that folder, which PostgreSQL's user must be able to enter: a
    /// disk of its own, for one.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_in(parent: &Path) -> Self {
        Self::start_with(parent, &["max_connections=300", "shared_buffers=64MB"])
    }

    /// As [`start_in`](Self::start_in), with these settings, each `name=value`: a benchmark needs more memory than a
    /// test.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with(parent: &Path, settings: &'static [&'static str]) -> Self {
        let binaries = binaries();
        sweep();
        let folder = tempfile::Builder::new()
            .prefix(FOLDER_PREFIX)
            .tempdir_in(parent)
            .expect("a temporary folder");
        let owner = std::process::id().to_string();
        fs::write(folder.path().join(OWNER), owner).expect("a file in the folder");
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("a data folder");
        // PostgreSQL refuses to run as root: there it runs as its own user.
        as_postgres_user(
            Command::new("chown").arg("-R").arg("postgres"),
            folder.path(),
        );
        let initialised = run_as_postgres(&binaries.join("initdb"))
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
                "-D",
            ])
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(
            initialised.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&initialised.stderr)
        );
        let port = free_port();
        let server = serve(&binaries, folder.path(), &data, port, settings);
        let mut postgres = Self {
            server,
            port,
            binaries,
            folder,
            settings,
        };
        postgres.wait();
        postgres
    }

    /// Creates an empty database and returns its URL.
    ///
    /// # Panics
    /// If it cannot be created.
    #[must_use]
    pub fn fresh_database(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let created = Command::new(self.binaries.join("createdb"))
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-U",
                "postgres",
                &name,
            ])
            .output()
            .expect("createdb runs");
        assert!(
            created.status.success(),
            "createdb: {}",
            String::from_utf8_lossy(&created.stderr)
        );
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// The server's main process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.id()
    }

    /// What the server has logged, since it was first started.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Whether the server has ended by itself.
    ///
    /// # Panics
    /// If the system does not tell.
    #[must_use]
    pub fn has_ended(&mut self) -> bool {
        self.server.try_wait().expect("a child").is_some()
    }

    /// Kills the server as a crash would.
    ///
    /// # Panics
    /// If it cannot be killed.
    pub fn kill(&mut self) {
        self.server.kill().expect("the server is killed");
        self.server.wait().expect("the server has ended");
    }

    /// Starts the server again after [`kill`](Self::kill).
    ///
    /// # Panics
    /// If it does not come up within 30 s.
    pub fn restart(&mut self) {
        let data = self.folder.path().join("data");
        // A killed postmaster leaves its children for a moment and its lock file for good.
        fs::remove_file(data.join("postmaster.pid")).ok();
        self.server = serve(
            &self.binaries,
            self.folder.path(),
            &data,
            self.port,
            self.settings,
        );
        self.wait();
    }

    fn wait(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let ready = Command::new(self.binaries.join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status()
                .expect("pg_isready runs");
            if ready.success() {
                return;
            }
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(
                self.server.try_wait().expect("a child").is_none(),
                "postgres ended: {}",
                log()
            );
            assert!(
                Instant::now() < deadline,
                "postgres did not come up: {}",
                log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

/// Removes what ended test processes left behind: the shared cluster lives in a static, which is never dropped.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir())
        .into_iter()
        .flatten()
        .flatten()
    {
        let path = entry.path();
        let is_cluster = entry
            .file_name()
            .to_string_lossy()
            .starts_with(FOLDER_PREFIX);
        if is_cluster
            && let Ok(owner) = fs::read_to_string(path.join(OWNER))
            && !Path::new("/proc").join(owner).exists()
        {
            fs::remove_dir_all(path).ok();
        }
    }
}

fn serve(binaries: &Path, folder: &Path, data: &Path, port: u16, settings: &[&str]) -> Child {
    let mut log = fs::File::options();
    let log = log.create(true).append(true).open(folder.join("log"));
    let log = log.expect("a log file");
    let errors = log.try_clone().expect("a log file");
    // With its parent gone it must go too, or every test run would leave a server behind.
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL");
    if is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    command
        .arg(binaries.join("postgres"))
        .arg("-D")
        .arg(data)
        .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .arg("-c")
        .arg(format!("unix_socket_directories={}", folder.display()))
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .expect("postgres starts")
}

fn binaries() -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|folder| folder.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().expect(
        "PostgreSQL's server binaries are needed for storage tests: install Debian's `postgresql`, \
         or set BANYAN_TEST_POSTGRES=off to leave those tests out",
    )
}

fn run_as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--init-groups"])
        .arg(program);
    command
}

fn as_postgres_user(command: &mut Command, folder: &Path) {
    if is_root() {
        let done = command.arg(folder).status().expect("chown runs");
        assert!(done.success(), "chown of {}", folder.display());
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

/// A port that is free now and that the system gives nobody by itself: it lies below the range for port 0 (32768 up on
/// Linux), so that it is still free when a process that was told of it binds it.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 10_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Test processes that run side by side start at different places.
    let start = std::process::id().wrapping_mul(97);
    (0..COUNT)
        .filter_map(|_| {
            let next = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
            u16::try_from(FIRST + next % COUNT).ok()
        })
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}
