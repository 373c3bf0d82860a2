//! The program: its help, its complaints, its end.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::{eventually, sqlite_url};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_legacy-monolith"));
    for variable in ["LEGACY_LISTEN", "LEGACY_DATABASE_URL", "RUST_LOG"] {
        command.env_remove(variable);
    }
    command.args(arguments);
    command
}

fn output(arguments: &[&str]) -> Output {
    program(arguments).output().expect("it runs")
}

#[test]
fn help_names_every_setting_and_its_default() {
    let output = output(&["--help"]);
    let help = String::from_utf8(output.stdout).expect("a text");
    let told = [
        "--listen",
        "LEGACY_LISTEN",
        "127.0.0.1:8080",
        "--database-url",
        "LEGACY_DATABASE_URL",
        "sqlite://./data/legacy.db?mode=rwc",
        "postgres://",
        "--demo",
    ];
    for word in told {
        assert!(help.contains(word), "{word} is missing from:\n{help}");
    }
}

#[test]
fn a_taken_port_is_a_one_line_error_that_names_the_setting() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = taken.local_addr().expect("an address").to_string();
    let output = output(&["--listen", &addr, "--database-url", "sqlite::memory:"]);
    let complaint = String::from_utf8(output.stderr).expect("a text");
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    for word in [addr.as_str(), "in use", "--listen", "LEGACY_LISTEN"] {
        assert!(complaint.contains(word), "{word} is missing: {complaint}");
    }
}

#[test]
fn an_unusable_database_url_is_a_one_line_error_without_its_password() {
    for url in ["mysql://u:hunter2@db/x", "postgres://u:hunter2@db:no/x"] {
        let output = output(&["--listen", "127.0.0.1:0", "--database-url", url]);
        let complaint = String::from_utf8(output.stderr).expect("a text");
        assert_eq!(output.status.code(), Some(1), "{complaint}");
        assert_eq!(complaint.lines().count(), 1, "{complaint}");
        assert!(complaint.contains("LEGACY_DATABASE_URL"), "{complaint}");
        assert!(!complaint.contains("hunter2"), "{complaint}");
    }
}

/// The program while it runs; killed if the test fails.
struct Server {
    process: Child,
    base: String,
}

impl Server {
    fn start(folder: &TempDir) -> Self {
        let url = sqlite_url(folder);
        let mut command = program(&["--listen", "127.0.0.1:0", "--demo"]);
        command
            .env("LEGACY_DATABASE_URL", url)
            .stdout(Stdio::piped());
        let mut process = command.spawn().expect("it runs");
        let stdout = process.stdout.take().expect("a pipe");
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let base = lines
            .find_map(|line| {
                let line: serde_json::Value = serde_json::from_str(&line).expect("JSON logs");
                let addr = line["fields"]["addr"].as_str()?;
                Some(format!("http://{addr}"))
            })
            .expect("it says where it listens");
        // Whoever stops reading makes it complain about the broken pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, base }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_signal_ends_it_with_success() {
    let folder = tempfile::tempdir().expect("a folder");
    for signal in ["-TERM", "-INT"] {
        let mut server = Server::start(&folder);
        let health = format!("{}/health", server.base);
        eventually("it is well", async || {
            let answer = reqwest::get(&health).await;
            answer.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        let movies = reqwest::get(format!("{}/api/movies", server.base)).await;
        let movies: Vec<serde_json::Value> = movies.unwrap().json().await.unwrap();
        assert_eq!(movies.len(), 6, "the same six after the second start");

        let id = server.process.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.expect("kill runs").success());
        eventually("it ends", async || {
            server.process.try_wait().expect("a child").is_some()
        })
        .await;
        let status = server.process.wait().expect("a child");
        assert_eq!(status.code(), Some(0), "after {signal}");
    }
}
