//! A PostgreSQL that lives in a temporary folder and as long as its test.
//!
//! It listens on a Unix socket in that folder only, so there is no port to collide on. A shell holds
//! the server: when the pipe to it closes, be it because the test stops the server or because the
//! test's process died, the shell ends the server. As root, which PostgreSQL refuses, it runs as the
//! system user `postgres`.
//!
//! Without the server's programs the tests fail; `BANYAN_TEST_POSTGRES=off` leaves them out.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

const PROGRAMS: &str = "/usr/lib/postgresql";
/// Starts what it is given, and ends it (a fast shutdown) when the standard input closes.
const HOLD: &str = r#""$@" & server=$!; read -r _; kill -INT "$server"; wait "$server""#;

pub(crate) struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    server: Option<Child>,
}

impl Postgres {
    /// An empty cluster, not started; none when the tests are switched off.
    pub(crate) fn create() -> Option<Self> {
        if std::env::var("BANYAN_TEST_POSTGRES").is_ok_and(|value| value == "off") {
            eprintln!("left out: BANYAN_TEST_POSTGRES=off");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        let this = Self {
            programs: newest_programs(),
            folder,
            server: None,
        };
        let (program, arguments) = this.as_postgres("initdb");
        let options = [
            "--no-sync",
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
        ];
        let mut initdb = Command::new(program);
        initdb
            .args(arguments)
            .args(options)
            .arg("-D")
            .arg(this.data());
        run(initdb.current_dir(this.folder.path()));
        Some(this)
    }

    pub(crate) fn url(&self) -> String {
        let socket = self.folder.path().display();
        format!("postgres://postgres@localhost/postgres?host={socket}")
    }

    /// Starts the server; it may take a moment until it answers.
    pub(crate) fn start(&mut self) {
        let (program, arguments) = self.as_postgres("postgres");
        let log = File::create(self.folder.path().join("log")).expect("a log file");
        let mut shell = Command::new("sh");
        shell.args(["-c", HOLD, "sh", &program]).args(arguments);
        shell
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.folder.path());
        shell.args(["-c", "listen_addresses=", "-c", "fsync=off"]);
        shell.current_dir(self.folder.path()).stdin(Stdio::piped());
        shell.stdout(Stdio::null()).stderr(log);
        self.server = Some(shell.spawn().expect("a shell"));
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // Waiting closes the pipe first.
            server.wait().expect("the server ends");
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// How to run one of the server's programs as a user that it accepts.
    fn as_postgres(&self, program: &str) -> (String, Vec<String>) {
        let program = self.programs.join(program).display().to_string();
        if is_root() {
            let user = [
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
                "--",
            ];
            let arguments = user.map(str::to_owned).into_iter().chain([program]);
            ("setpriv".to_owned(), arguments.collect())
        } else {
            (program, Vec::new())
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

fn newest_programs() -> PathBuf {
    let version = |folder: &Path| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let folders = std::fs::read_dir(PROGRAMS).into_iter().flatten().flatten();
    let newest = folders
        .map(|folder| folder.path())
        .filter(|folder| folder.join("bin/initdb").exists())
        .max_by_key(|folder| version(folder));
    newest
        .unwrap_or_else(|| {
            panic!("no PostgreSQL in {PROGRAMS}: install it, or set BANYAN_TEST_POSTGRES=off")
        })
        .join("bin")
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("id runs");
    output.stdout == b"0\n"
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}");
}
