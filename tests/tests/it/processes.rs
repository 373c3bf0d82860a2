//! Banyan as real processes: started, killed with -9, stopped with SIGTERM, started together.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use banyan_mesh::testing::{TestDatabase, free_port};
use reqwest::Client;
use serde_json::json;
use tempfile::TempDir;

use crate::mesh::{Guest, eventually};

/// The binary of this build, beside the test's own.
fn banyan() -> PathBuf {
    let path = std::env::current_exe().unwrap();
    let binary = path.ancestors().nth(2).unwrap().join("banyan");
    assert!(
        binary.exists(),
        "{} is not built: run `cargo build` first",
        binary.display()
    );
    binary
}

/// A process that is killed when its test is over.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    fn start(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let log = folder.join(format!("{}-{}.log", arguments[0], free_port()));
        let child = Command::new(banyan())
            .args(arguments)
            .envs(environment.iter().copied())
            .env("LOG_FORMAT", "json")
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn kill_9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; returns the exit code.
    pub(crate) async fn terminate(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        let mut code = None;
        for _ in 0..1_000 {
            if let Some(status) = self.child.try_wait().unwrap() {
                code = Some(status);
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        code.unwrap_or_else(|| panic!("did not end after SIGTERM: {}", self.log()))
            .code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.log());
        }
    }
}

pub(crate) struct Up {
    folder: TempDir,
    port: u16,
    ops: u16,
}

impl Up {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
            ops: free_port(),
        }
    }

    pub(crate) fn start(&self, environment: &[(&str, &str)]) -> Running {
        let (port, ops) = (self.port.to_string(), format!("127.0.0.1:{}", self.ops));
        Running::start(
            self.folder.path(),
            &["up", "--port", &port, "--ops-listen", &ops],
            environment,
        )
    }

    pub(crate) fn guest(&self) -> Guest {
        at(self.port)
    }

    pub(crate) async fn until_ready(&self) {
        until_ready(self.ops).await;
    }
}

fn at(port: u16) -> Guest {
    let client = Client::builder().cookie_store(true).build().unwrap();
    Guest {
        client,
        base: format!("http://127.0.0.1:{port}"),
    }
}

async fn until_ready(ops: u16) {
    eventually("ready", async || {
        let url = format!("http://127.0.0.1:{ops}/readyz");
        reqwest::get(url)
            .await
            .is_ok_and(|answer| answer.status().is_success())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9() {
    let up = Up::new();
    let mut process = up.start(&[]);
    up.until_ready().await;
    let guest = up.guest();
    let (_, cinemas) = guest.get_json("/v1/cinemas").await;
    let (_, screenings) = guest
        .get_json(&format!(
            "/v1/{}/screenings",
            cinemas["cinemas"][0]["name"].as_str().unwrap()
        ))
        .await;
    let screening = screenings["screenings"].as_array().unwrap().last().unwrap()["name"].clone();
    let (_, map) = guest
        .get_json(&format!("/v1/{}/seatMap", screening.as_str().unwrap()))
        .await;
    let seat = map["seats"][0]["id"].clone();
    let (status, held) = guest
        .post_json(
            "/v1/bookings:hold",
            json!({"seats": {"screening": screening, "seats": [seat]}}),
        )
        .await;
    assert_eq!(status, 200, "{held}");
    let event = json!({"movie_id": 7, "title": "Low Tide", "action": "viewed"});
    let (_, written) = guest.post_json("/api/events/movie", event.clone()).await;
    let offset = written["offset"].as_i64().unwrap();
    eventually("the follower has caught up", async || {
        let set = json!({"percent": 30, "actor": "ada"});
        let operator = at(up.ops);
        let answer = operator.post_json("/v1/rollouts/movies:setPercent", set);
        answer.await.0 == 200
    })
    .await;
    process.kill_9();

    let _second = up.start(&[]);
    up.until_ready().await;
    let name = held["booking"]["name"].as_str().unwrap();
    let (status, found) = guest.get_json(&format!("/v1/{name}")).await;
    assert_eq!(
        (status, &found["state"]),
        (200, &json!("STATE_HELD")),
        "{found}"
    );
    let (_, written) = guest.post_json("/api/events/movie", event).await;
    assert_eq!(
        written["offset"].as_i64(),
        Some(offset + 1),
        "no offset is lost or used twice"
    );
    let (_, rollout) = at(up.ops).get_json("/v1/rollouts/movies").await;
    assert_eq!(
        (&rollout["percent"], &rollout["source"]),
        (&json!(30), &json!("SOURCE_OPERATOR"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_drains_and_exits_0_and_a_second_start_finds_its_data() {
    let up = Up::new();
    let mut process = up.start(&[]);
    up.until_ready().await;
    let (_, movies) = up.guest().get_json("/v1/movies").await;
    assert_eq!(process.terminate().await, Some(0), "{}", process.log());
    let mut process = up.start(&[]);
    up.until_ready().await;
    assert_eq!(up.guest().get_json("/v1/movies").await.1, movies);
    assert_eq!(process.terminate().await, Some(0));
    assert!(
        !process.log().contains("\"level\":\"ERROR\""),
        "{}",
        process.log()
    );
}

fn run(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(banyan())
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(folder)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn start_up_errors_are_one_line_that_names_the_setting() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ops = format!("127.0.0.1:{}", free_port());
    let up = ["up", "--port", &port, "--ops-listen", &ops];
    let free = free_port().to_string();
    let fine = ["up", "--port", &free, "--ops-listen", &ops];
    for (arguments, environment, wanted) in [
        (&up[..], &[][..], &["PORT", port.as_str()][..]),
        (
            &fine[..],
            &[("MOVIES_MIGRATION_PERCENT", "101")][..],
            &["MOVIES_MIGRATION_PERCENT", "101", "100"][..],
        ),
        (
            &fine[..],
            &[("MOVIES_MIGRATION_PERCENT", "many")][..],
            &["MOVIES_MIGRATION_PERCENT", "many"][..],
        ),
        (
            &fine[..],
            &[("GRADUAL_MIGRATION", "perhaps")][..],
            &["GRADUAL_MIGRATION", "perhaps"][..],
        ),
        (
            &["reservation"][..],
            &[("RESERVATION_LISTEN", "nowhere")][..],
            &["RESERVATION_LISTEN"][..],
        ),
        (
            &["analytics"][..],
            &[("ANALYTICS_DATABASE_URL", "mysql://x:hunter2@y/z")][..],
            &["database", "sqlite://"][..],
        ),
    ] {
        let output = run(folder.path(), arguments, environment);
        let error = String::from_utf8_lossy(&output.stderr);
        let last = error.lines().last().unwrap_or_default().to_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        assert!(last.starts_with("error: "), "{error}");
        assert!(
            wanted.iter().all(|word| last.contains(word)),
            "{arguments:?} {environment:?}: {last}"
        );
        assert!(!error.contains("hunter2"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn services_run_as_processes_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let ports: Vec<u16> = (0..8).map(|_| free_port()).collect();
    let local = |index: usize| format!("127.0.0.1:{}", ports[index]);
    let url = |index: usize| format!("http://127.0.0.1:{}", ports[index]);
    let start = |name: &str, environment: &[(&str, String)]| {
        let environment: Vec<(&str, &str)> = environment
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        Running::start(folder.path(), &[name], &environment)
    };
    let reservation = [
        ("RESERVATION_LISTEN", local(0)),
        ("OPS_LISTEN", local(1)),
        ("BANYAN_DEMO", "true".to_owned()),
    ];
    let analytics = [
        ("ANALYTICS_LISTEN", local(2)),
        ("OPS_LISTEN", local(3)),
        ("RESERVATION_URL", url(0)),
    ];
    let webui = [("WEBUI_LISTEN", local(4)), ("OPS_LISTEN", local(5))];
    let gateway = [
        ("GATEWAY_LISTEN", local(6)),
        ("OPS_LISTEN", local(7)),
        ("RESERVATION_URL", url(0)),
        ("MOVIES_SERVICE_URL", url(0)),
        ("ANALYTICS_URL", url(2)),
        ("EVENTS_SERVICE_URL", url(2)),
        ("WEBUI_URL", url(4)),
    ];
    let mut processes = [
        // The gateway first: nobody has to wait for anybody.
        start("gateway", &gateway),
        start("analytics", &analytics),
        start("webui", &webui),
        start("reservation", &reservation),
    ];
    for ops in [1, 3, 5, 7] {
        until_ready(ports[ops]).await;
    }
    let guest = at(ports[6]);
    eventually("the hotel is reported on", async || {
        let (status, report) = guest
            .get_json("/v1/hotels/banyan-bay:occupancy?startDate=2030-01-01&endDate=2030-01-02")
            .await;
        status == 200 && report["capacityRoomNights"] == "20"
    })
    .await;
    for ops in [1, 3, 7] {
        let (status, database) = at(ports[ops]).get_json("/db-status").await;
        assert_eq!(
            (status, &database["connected"]),
            (200, &json!(true)),
            "{database}"
        );
        assert!(database["tables_count"].as_i64() > Some(1), "{database}");
        let metrics = at(ports[ops]).get("/metrics").await.text().await.unwrap();
        assert!(metrics.ends_with("# EOF\n"), "OpenMetrics");
    }
    for process in &mut processes {
        assert_eq!(process.terminate().await, Some(0), "{}", process.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_start_together_on_an_empty_postgresql_both_come_up() {
    let database = TestDatabase::postgres();
    let folder = tempfile::tempdir().unwrap();
    let ops = [free_port(), free_port()];
    let _processes: Vec<Running> = ops
        .iter()
        .map(|port| {
            let (listen, ops) = (
                format!("127.0.0.1:{}", free_port()),
                format!("127.0.0.1:{port}"),
            );
            let environment = [
                ("RESERVATION_LISTEN", listen.as_str()),
                ("OPS_LISTEN", ops.as_str()),
                ("RESERVATION_DATABASE_URL", database.url.as_str()),
                ("BANYAN_DEMO", "true"),
            ];
            Running::start(folder.path(), &["reservation"], &environment)
        })
        .collect();
    for port in ops {
        until_ready(port).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_whose_database_is_away_starts_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let ops = free_port();
    let (listen, ops_listen) = (
        format!("127.0.0.1:{}", free_port()),
        format!("127.0.0.1:{ops}"),
    );
    let environment = [
        ("RESERVATION_LISTEN", listen.as_str()),
        ("OPS_LISTEN", ops_listen.as_str()),
        (
            "RESERVATION_DATABASE_URL",
            "postgres://nobody:hunter2@127.0.0.1:1/none",
        ),
    ];
    let mut process = Running::start(folder.path(), &["reservation"], &environment);
    eventually("it says what is down", async || {
        let Ok(answer) = reqwest::get(format!("http://127.0.0.1:{ops}/readyz")).await else {
            return false;
        };
        let status = answer.status();
        status == 503
            && answer
                .text()
                .await
                .is_ok_and(|text| text.contains("reservation database"))
    })
    .await;
    assert!(
        reqwest::get(format!("http://127.0.0.1:{ops}/livez"))
            .await
            .unwrap()
            .status()
            .is_success()
    );
    assert_eq!(
        reqwest::get(format!("http://127.0.0.1:{ops}/db-status"))
            .await
            .unwrap()
            .status(),
        503
    );
    assert_eq!(process.terminate().await, Some(0));
    assert!(!process.log().contains("hunter2"), "{}", process.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_steers_a_rollout() {
    let up = Up::new();
    let _process = up.start(&[]);
    up.until_ready().await;
    let url = format!("http://127.0.0.1:{}", up.ops);
    let rollout = |arguments: &[&str]| {
        let arguments: Vec<&str> = ["rollout"].iter().chain(arguments).copied().collect();
        run(
            up.folder.path(),
            &arguments,
            &[("BANYAN_OPS_URL", url.as_str())],
        )
    };
    let set = rollout(&[
        "set",
        "movies",
        "25",
        "--reason",
        "first quarter",
        "--actor",
        "ada",
    ]);
    assert!(
        set.status.success(),
        "{}",
        String::from_utf8_lossy(&set.stderr)
    );
    let list = String::from_utf8(rollout(&["list"]).stdout).unwrap();
    assert!(list.contains("movies") && list.contains("25"), "{list}");
    let history = String::from_utf8(rollout(&["history", "movies", "--json"]).stdout).unwrap();
    assert!(
        history.contains("first quarter") && history.contains("ada"),
        "{history}"
    );
    for (arguments, code) in [
        (&["set", "movies", "101"][..], 2),
        (&["set", "nothing", "5"][..], 1),
        (&["verify", "movies"][..], 0),
        (&["verify", "movies", "--known-hash", "00"][..], 3),
        (&["policy", "movies"][..], 2),
        (&["policy", "movies", "--steps", "9,3"][..], 1),
    ] {
        let refused = rollout(arguments);
        assert_eq!(
            refused.status.code(),
            Some(code),
            "{}",
            String::from_utf8_lossy(&refused.stderr)
        );
    }
    assert!(rollout(&["unset", "movies"]).status.success());
}
