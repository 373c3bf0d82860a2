//! How a database is opened, owned and watched, on SQLite and with a PostgreSQL that is away or silent.

use sea_orm_migration::MigrationTrait;

use super::*;

struct NoTables;

impl MigratorTrait for NoTables {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        Vec::new()
    }
}

#[tokio::test]
async fn sqlite_is_durable_and_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deeper/service.db");
    let settings = DatabaseSettings::new(format!("sqlite://{}", path.display()));
    let process = Process::new();
    let database = Database::start::<NoTables>(&process, &settings, "service")
        .await
        .unwrap();
    assert!(database.ready().await);
    for (pragma, want) in [
        ("synchronous", "2"),
        ("journal_mode", "wal"),
        ("foreign_keys", "1"),
    ] {
        let statement = Statement::from_string(
            DbBackend::Sqlite,
            format!("SELECT CAST({pragma} AS TEXT) AS value FROM pragma_{pragma}"),
        );
        let row = database
            .connection()
            .query_one_raw(statement)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            row.try_get::<String>("", "value").unwrap(),
            want,
            "{pragma}"
        );
    }
    let second = Database::start::<NoTables>(&Process::new(), &settings, "service").await;
    assert!(matches!(second, Err(OpenError::InUse { .. })));
}

#[tokio::test]
async fn what_is_committed_after_sqlite_has_rolled_back_by_itself_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("service.db").display());
    let settings = DatabaseSettings::new(&url);
    let database = Database::start::<NoTables>(&Process::new(), &settings, "service").await;
    let database = database.unwrap();
    assert!(database.ready().await);
    let connection = database.connection();
    let run = async |on: &sea_orm::DatabaseTransaction, sql: &str| {
        on.execute_unprepared(sql).await.unwrap();
    };
    connection
        .execute_unprepared("CREATE TABLE kept (id INTEGER)")
        .await
        .unwrap();
    for _ in 0..3 {
        // As on a full disk.
        let lost = connection.begin().await.unwrap();
        run(&lost, "ROLLBACK").await;
        drop(lost);
        let given_up = connection.begin().await.unwrap();
        run(&given_up, "INSERT INTO kept VALUES (0)").await;
        given_up.rollback().await.unwrap();
        let done = connection.begin().await.unwrap();
        run(&done, "INSERT INTO kept VALUES (1)").await;
        done.commit().await.unwrap();
    }
    let other = sea_orm::Database::connect(&url).await.unwrap();
    let sql = "SELECT COUNT(*) AS count, SUM(id) AS sum FROM kept";
    let statement = Statement::from_string(DbBackend::Sqlite, sql);
    let row = other.query_one_raw(statement).await.unwrap().unwrap();
    let value = |name: &str| row.try_get::<Option<i64>>("", name).unwrap();
    assert_eq!((value("count"), value("sum")), (Some(3), Some(3)));
}

#[tokio::test]
async fn the_writer_of_sqlite_is_durable_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("service.db");
    let settings = DatabaseSettings::new(format!("sqlite://{}", path.display()));
    let process = Process::new();
    let database = Database::start::<NoTables>(&process, &settings, "service").await;
    let database = database.unwrap();
    assert!(database.ready().await);
    let sql = "SELECT CAST(synchronous AS TEXT) AS value FROM pragma_synchronous";
    assert_eq!(value(&database, sql).await, "2");
    let sql = "SELECT CAST(journal_mode AS TEXT) AS value FROM pragma_journal_mode";
    assert_eq!(value(&database, sql).await, "wal");
}

#[cfg(feature = "testing")]
#[tokio::test]
async fn the_writer_of_postgresql_is_durable_whatever_the_database_says() {
    if std::env::var("BANYAN_TEST_POSTGRES").as_deref() == Ok("off") {
        return;
    }
    let url = crate::testing::TestDatabase::postgres().url;
    let process = Process::new();
    let settings = DatabaseSettings::new(url);
    let database = Database::start::<NoTables>(&process, &settings, "service").await;
    let database = database.unwrap();
    assert!(database.ready().await);
    let careless = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$";
    let connection = database.connection();
    connection.execute_unprepared(careless).await.unwrap();
    for (setting, want) in [
        ("synchronous_commit", "on"),
        ("default_transaction_isolation", "read committed"),
        ("plan_cache_mode", "auto"),
        ("idle_in_transaction_session_timeout", "10s"),
    ] {
        let sql = format!("SELECT current_setting('{setting}') AS value");
        assert_eq!(value(&database, &sql).await, want, "{setting}");
    }
}

/// What a writer's connection reads.
async fn value(database: &Database, sql: &str) -> String {
    let statement = Statement::from_string(database.backend(), sql);
    let row = database.writer().query_one_raw(statement).await.unwrap();
    row.unwrap().try_get("", "value").unwrap()
}

#[tokio::test]
async fn a_database_that_is_away_is_no_error_but_not_ready() {
    let process = Process::new();
    let settings = DatabaseSettings::new("postgres://nobody:secret@127.0.0.1:1/none");
    let database = Database::start::<NoTables>(&process, &settings, "service")
        .await
        .unwrap();
    assert!(!database.is_ready());
    assert!(!process.readiness().is_ready());
}

#[tokio::test]
async fn an_optional_database_that_is_away_leaves_the_process_ready() {
    let process = Process::new();
    let settings = DatabaseSettings::new("postgres://nobody:secret@127.0.0.1:1/none");
    let database = Database::start_optional::<NoTables>(&process, &settings, "service")
        .await
        .unwrap();
    assert!(!database.is_ready());
    assert!(process.readiness().is_ready());
}

#[tokio::test]
async fn a_url_of_another_kind_is_refused_without_its_password() {
    let settings = DatabaseSettings::new("mysql://root:hunter2@localhost/x");
    let error = Database::start::<NoTables>(&Process::new(), &settings, "service")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("sqlite://"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

/// Passes bytes on to a server until told to stop, without a word to either end.
#[cfg(feature = "testing")]
async fn mute_proxy(to: String) -> (u16, watch::Sender<bool>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (mute, muted) = watch::channel(false);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (to, mut muted) = (to.clone(), muted.clone());
            tokio::spawn(async move {
                let mut server = tokio::net::TcpStream::connect(to).await.unwrap();
                let is_muted = tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut client, &mut server) => false,
                    _ = muted.wait_for(|muted| *muted) => true,
                };
                if is_muted {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    (port, mute)
}

#[cfg(feature = "testing")]
#[tokio::test]
async fn a_server_that_falls_silent_is_noticed() {
    if std::env::var("BANYAN_TEST_POSTGRES").as_deref() == Ok("off") {
        return;
    }
    let url = crate::testing::TestDatabase::postgres().url;
    let (user, rest) = url.split_once('@').unwrap();
    let (server, name) = rest.split_once('/').unwrap();
    let (port, mute) = mute_proxy(server.to_owned()).await;
    let process = Process::new();
    let settings = DatabaseSettings::new(format!("{user}@127.0.0.1:{port}/{name}"));
    let _database = Database::start::<NoTables>(&process, &settings, "service")
        .await
        .unwrap();
    let mut ready = process.readiness().watch();
    let patience = Duration::from_secs(30);
    tokio::time::timeout(patience, ready.wait_for(|ready| *ready))
        .await
        .unwrap()
        .unwrap();
    mute.send_replace(true);
    tokio::time::timeout(patience, ready.wait_for(|ready| !ready))
        .await
        .unwrap()
        .unwrap();
}
