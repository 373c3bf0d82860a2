//! A way to a PostgreSQL server that can be broken, and mended.

use std::time::Duration;

use banyan_mesh::{process::Process, testing::TestDatabase};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf},
    sync::watch,
};
use tonic::transport::Channel;

use super::support::{LIMIT, Service};

/// What the way to the database does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    Sound,
    /// The COMMIT gets lost with the connection.
    LosesCommits,
    /// The COMMIT arrives; its answer gets lost with the connection.
    LosesAnswers,
    /// As that, and from then on nobody gets through any more.
    Ends,
    /// The COMMIT goes no further until something else is chosen, and then goes that way.
    StallsCommits,
    /// The next transaction loses its connection right after it has begun; then it is sound.
    CutsOne,
}

/// A database of PostgreSQL; nothing if tests have none.
pub(crate) fn postgres() -> Option<TestDatabase> {
    let mut databases = TestDatabase::each().into_iter();
    databases.find(|it| it.url.starts_with("postgres"))
}

/// Until as many transactions wait for a lock.
pub(crate) async fn waiting_for_a_lock(sql: &DatabaseConnection, many: i64) {
    let query = "SELECT count(*) AS waiting FROM pg_stat_activity \
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waiting = async || {
        let statement = Statement::from_string(sql.get_database_backend(), query);
        let row = sql.query_one_raw(statement).await.unwrap().unwrap();
        row.try_get::<i64>("", "waiting").unwrap()
    };
    let until = async {
        while waiting().await < many {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, until).await.unwrap();
}

/// Another service on the same database, behind a way that can be broken.
pub(crate) struct Behind {
    pub(crate) way: watch::Sender<Way>,
    pub(crate) channel: Channel,
    pub(crate) process: Process,
}

impl Behind {
    pub(crate) async fn start(service: &Service) -> Self {
        let (server, name) = service.database.url.rsplit_once('/').unwrap();
        let (user, server) = server.split_once('@').unwrap();
        let way = watch::Sender::new(Way::Sound);
        let port = way_to(server.to_owned(), way.clone()).await;
        let url = format!("{user}@127.0.0.1:{port}/{name}");
        let process = Process::new();
        let channel = Service::serve(&url, &service.clock, &process).await;
        let mut ready = process.readiness().watch();
        let waiting = ready.wait_for(|ready| *ready);
        tokio::time::timeout(LIMIT, waiting).await.unwrap().unwrap();
        Self {
            way,
            channel,
            process,
        }
    }
}

/// A way to a PostgreSQL server that can be broken; its port.
async fn way_to(server: String, how: watch::Sender<Way>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let cut = watch::channel(false).0;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            // Mended, it is whole again.
            cut.send_if_modified(|cut| {
                std::mem::replace(cut, *cut && *how.borrow() == Way::Ends) != *cut
            });
            let server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(carry(client, server, how.clone(), cut.clone()));
        }
    });
    port
}

async fn carry(
    client: TcpStream,
    server: TcpStream,
    how: watch::Sender<Way>,
    cut: watch::Sender<bool>,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move {
        tokio::io::copy(&mut from_server, &mut to_client).await.ok();
        from_server
    });
    let mut begun = false;
    while let Some(bytes) = read(&mut from_client).await {
        if *cut.borrow() {
            return;
        }
        let has = |text: &[u8]| bytes.windows(text.len()).any(|it| it == text);
        let mut now = *how.borrow();
        if now == Way::StallsCommits && has(b"COMMIT\0") {
            let moving = |it: &Way| *it != Way::StallsCommits;
            now = *how.subscribe().wait_for(moving).await.unwrap();
        }
        match now {
            Way::CutsOne if begun => {
                how.send_replace(Way::Sound);
                return;
            }
            Way::CutsOne => begun = has(b"BEGIN"),
            Way::LosesCommits | Way::LosesAnswers | Way::Ends if has(b"COMMIT\0") => {
                // From here on the client hears nothing any more.
                answers.abort();
                cut.send_replace(now == Way::Ends);
                if now != Way::LosesCommits {
                    to_server.write_all(&bytes).await.unwrap();
                    // Terminate, so that the server hangs up when it has done the rest.
                    to_server.write_all(b"X\0\0\0\x04").await.unwrap();
                    to_server.flush().await.unwrap();
                }
                return;
            }
            _ => {}
        }
        if to_server.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn read(from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 64 * 1024];
    match from.read(&mut bytes).await {
        Ok(0) | Err(_) => None,
        Ok(read) => {
            bytes.truncate(read);
            Some(bytes)
        }
    }
}
