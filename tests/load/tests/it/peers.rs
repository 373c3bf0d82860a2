//! Every peer sells the same things from the same databases, and what it sold adds up.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use banyan_load::{
    catalogue::Catalogue,
    client::Client,
    generator::{self, Run, Span},
    naive::{self, Order},
    raw, seed,
    traffic::{Kind, Traffic},
    usage::Processes,
};
use banyan_mesh::{database::DatabaseSettings, process::Process, testing::TestDatabase};
use banyan_reservation::Settings;
use jiff::Timestamp;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement};

const CATALOGUE: Catalogue = Catalogue {
    hot: 50,
    spread: 20,
};
const KINDS: [Kind; 3] = [Kind::HotScreening, Kind::HotNight, Kind::Spread];
const SPAN: Span = Span {
    warm_up: Duration::ZERO,
    measured: Duration::from_millis(300),
};
const LIMIT: Duration = Duration::from_secs(20);
const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const HERE: fn() -> Processes = || Processes {
    server: std::process::id(),
    database: None,
};

/// A migrated database with everything on sale.
struct Shop {
    database: TestDatabase,
    connection: DatabaseConnection,
    settings: Settings,
    now: Timestamp,
}

impl Shop {
    async fn open(database: TestDatabase) -> Self {
        let settings = Settings {
            listen: ANY_PORT,
            database: DatabaseSettings::new(&database.url),
            ..Settings::default()
        };
        let process = Process::new();
        banyan_reservation::migrate(&settings, &process)
            .await
            .unwrap();
        process.stop(LIMIT).await.unwrap();
        let connection = Database::connect(&database.url).await.unwrap();
        let now = Timestamp::now();
        seed::catalogue(&connection, CATALOGUE, now).await.unwrap();
        Self {
            database,
            connection,
            settings,
            now,
        }
    }

    fn traffic(&self, kind: Kind) -> Arc<Traffic> {
        Arc::new(Traffic::new(kind, CATALOGUE, self.now))
    }

    async fn number(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(self.connection.get_database_backend(), sql);
        let row = self
            .connection
            .query_one_raw(statement)
            .await
            .unwrap()
            .unwrap();
        row.try_get("", "number").unwrap()
    }

    /// What is booked adds up, and is at least what clients were granted.
    async fn check(&self, granted: u64) {
        let taken = "SELECT CAST(SUM(taken) AS BIGINT) AS number FROM cells";
        let items = "SELECT CAST(SUM(quantity) AS BIGINT) AS number FROM booking_items";
        let bookings = "SELECT COUNT(*) AS number FROM bookings";
        let taken = self.number(taken).await;
        assert_eq!(self.number(items).await, taken);
        assert_eq!(self.number(bookings).await, taken);
        assert!(
            taken >= i64::try_from(granted).unwrap(),
            "{taken} of {granted}"
        );
    }
}

async fn load(client: &Client, traffic: &Arc<Traffic>) -> Run {
    let (caller, traffic) = (client.clone(), Arc::clone(traffic));
    let call = move || {
        let (client, traffic) = (caller.clone(), Arc::clone(&traffic));
        async move {
            let ask = traffic.next()?;
            Some(client.hold(&traffic, &ask).await)
        }
    };
    let run = generator::closed(client.runtime(), 16, SPAN, HERE(), call)
        .await
        .unwrap();
    assert!(run.tally.failed.is_empty(), "{run:?}");
    run
}

/// Loads a server with each kind of traffic; how much it granted.
async fn load_all(shop: &Shop, server: SocketAddr) -> u64 {
    let client = Client::connect(&format!("http://{server}")).await.unwrap();
    let mut granted = 0;
    for kind in KINDS {
        let traffic = shop.traffic(kind);
        let mut held = 0;
        while held < 20 {
            held += load(&client, &traffic).await.tally.held;
        }
        granted += held;
    }
    granted
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_grants_what_is_asked_for() {
    for database in TestDatabase::each() {
        let shop = Shop::open(database).await;
        let process = Process::new();
        let running = banyan_reservation::start(shop.settings.clone(), &process)
            .await
            .unwrap();
        let mut ready = process.readiness().watch();
        let waiting = ready.wait_for(|ready| *ready);
        tokio::time::timeout(LIMIT, waiting).await.unwrap().unwrap();
        let granted = load_all(&shop, running.grpc).await;
        process.stop(LIMIT).await.unwrap();
        shop.check(granted).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_naive_engine_grants_what_is_asked_for() {
    let loose = TestDatabase::each()
        .into_iter()
        .map(|it| (it, Order::Loose));
    let strict = TestDatabase::each()
        .into_iter()
        .map(|it| (it, Order::Strict));
    for (database, order) in loose.chain(strict) {
        let shop = Shop::open(database).await;
        for kind in KINDS {
            let traffic = shop.traffic(kind);
            seed::cells(&shop.connection, &traffic, 20_000, shop.now)
                .await
                .unwrap();
        }
        let process = Process::new();
        let url = &shop.database.url;
        let pool = if url.starts_with("sqlite") { 1 } else { 8 };
        let address = naive::serve(ANY_PORT, url, pool, order, &process)
            .await
            .unwrap();
        let granted = load_all(&shop, address).await;
        process.stop(LIMIT).await.unwrap();
        shop.check(granted).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_alone_write_whole_batches() {
    for database in TestDatabase::each() {
        let shop = Shop::open(database).await;
        let mut granted = 0;
        for kind in KINDS {
            let traffic = shop.traffic(kind);
            let run = raw::run(&shop.database.url, traffic, 100, SPAN, None)
                .await
                .unwrap();
            assert_eq!(run.tally.held % 100, 0);
            granted += run.tally.held;
        }
        shop.check(granted).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bookings_that_were_there_before_add_up() {
    if std::env::var("BANYAN_TEST_POSTGRES").as_deref() == Ok("off") {
        return;
    }
    let shop = Shop::open(TestDatabase::postgres()).await;
    let mut options = sea_orm::ConnectOptions::new(&shop.database.url);
    let one = Database::connect(options.max_connections(1).to_owned())
        .await
        .unwrap();
    let indexes = "SELECT COUNT(*) AS number FROM pg_indexes WHERE schemaname = 'public'";
    let before = shop.number(indexes).await;
    seed::bookings(&one, 2_500, shop.now).await.unwrap();
    shop.check(2_500).await;
    assert_eq!(shop.number(indexes).await, before);
    assert_eq!(
        shop.number("SELECT sequence AS number FROM commit_head")
            .await,
        2_500
    );
}
