//! Following a monolith that can do more than most, where that is declared and where it is not.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use banyan_mesh::testing::TestDatabase;
use banyan_proto::{
    compat::cinema::v1::{
        CreateMovieRequest, GetMovieRequest, ListMoviesRequest,
        movie_service_client::MovieServiceClient,
    },
    follow::v1::{
        Authority, CatchUpRequest, ReconcileRequest, ReconcileResponse, StatusRequest,
        StatusResponse, difference::Kind, follow_service_client::FollowServiceClient,
    },
};
use banyan_reservation::Capability;
use legacy_monolith::Capabilities;
use sea_orm::ConnectionTrait as _;
use tonic::Status;

use super::{
    compat_support::{Legacy, Service, eventually, reason},
    networks::{Loss, broken_monolith, failing_network, lossy_network},
};

const BACKFILLS: &str = r#"reservation_follow_backfills_total{collection="movies"}"#;
const FEED: &[Capability] = &[Capability::ChangeFeed];

pub(crate) async fn catch_up(service: &Service) -> Result<(), Status> {
    let request = CatchUpRequest {
        collection: "movies".to_owned(),
    };
    let mut client = FollowServiceClient::new(service.channel.clone());
    client.catch_up(request).await.map(drop)
}

pub(crate) async fn status(service: &Service) -> StatusResponse {
    let request = StatusRequest {
        collection: "movies".to_owned(),
    };
    let mut client = FollowServiceClient::new(service.channel.clone());
    client.status(request).await.unwrap().into_inner()
}

pub(crate) async fn reconcile(service: &Service, mend: bool) -> ReconcileResponse {
    let request = ReconcileRequest {
        collection: "movies".to_owned(),
        mend,
        ..ReconcileRequest::default()
    };
    let mut client = FollowServiceClient::new(service.channel.clone());
    client.reconcile(request).await.unwrap().into_inner()
}

pub(crate) async fn titles(service: &Service) -> Vec<(i64, String)> {
    let mut client = MovieServiceClient::new(service.channel.clone());
    let answer = client.list_movies(ListMoviesRequest {}).await.unwrap();
    let movies = answer.into_inner().movies.into_iter();
    movies.map(|movie| (movie.id, movie.title)).collect()
}

pub(crate) async fn create(service: &Service, title: &str) -> Result<i64, Status> {
    let request = CreateMovieRequest {
        title: title.to_owned(),
        genres: vec!["drama".to_owned()],
        rating: 7.5,
        ..CreateMovieRequest::default()
    };
    let mut client = MovieServiceClient::new(service.channel.clone());
    let answer = client.create_movie(request).await?;
    Ok(answer.into_inner().id)
}

pub(crate) async fn execute(database: &TestDatabase, statement: &str) {
    let sql = sea_orm::Database::connect(&database.url).await.unwrap();
    sql.execute_unprepared(statement).await.unwrap();
    sql.close().await.unwrap();
}

fn movies<const N: usize>(movies: [(i64, &str); N]) -> Vec<(i64, String)> {
    let movies = movies.into_iter();
    movies.map(|(id, title)| (id, title.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_tells_what_was_created_changed_and_removed() {
    for database in TestDatabase::each() {
        let legacy = Legacy::offering(Capabilities::all()).await;
        for title in ["One", "Two", "Three"] {
            legacy.create(title).await;
        }
        let service = Service::following(database, legacy.url(), FEED).await;
        catch_up(&service).await.unwrap();
        assert_eq!(titles(&service).await.len(), 3, "from the backfill");
        legacy.put(2, "Second").await;
        legacy.put(9, "Nine").await;
        legacy.delete(1).await;
        catch_up(&service).await.unwrap();
        let want = movies([(2, "Second"), (3, "Three"), (9, "Nine")]);
        assert_eq!(titles(&service).await, want);
        assert_eq!(service.metric(BACKFILLS), 1.0);
        let status = status(&service).await;
        assert!(status.healthy && status.lag.is_some());
        assert_eq!(status.authority(), Authority::Legacy);
        let told: Vec<_> = status.capabilities().map(|it| it.as_str_name()).collect();
        assert_eq!(told, ["CAPABILITY_CHANGE_FEED"]);

        // What is created here is here at once, and comes from the feed once more without harm.
        let id = create(&service, "Ten").await.unwrap();
        assert!(titles(&service).await.contains(&(id, "Ten".to_owned())));
        legacy.delete(id).await;
        catch_up(&service).await.unwrap();
        assert_eq!(titles(&service).await, want);
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_in_the_feed_where_it_was() {
    for database in TestDatabase::each() {
        let legacy = Legacy::offering(Capabilities::all()).await;
        legacy.create("One").await;
        let service = Service::following(database, legacy.url(), FEED).await;
        catch_up(&service).await.unwrap();
        let database = service.end().await;
        legacy.create("Two").await;
        legacy.delete(1).await;
        let service = Service::following(database, legacy.url(), FEED).await;
        catch_up(&service).await.unwrap();
        assert_eq!(titles(&service).await, movies([(2, "Two")]));
        assert_eq!(service.metric(BACKFILLS), 0.0);

        // What is told twice changes nothing.
        let back = "UPDATE following SET cursor = \
                    substr(cursor, 1, length(cursor) - 1) || '1' WHERE collection = 'movies'";
        execute(&service.database, back).await;
        catch_up(&service).await.unwrap();
        assert_eq!(titles(&service).await, movies([(2, "Two")]));
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_cursor_leads_to_a_backfill() {
    for database in TestDatabase::each() {
        let mut legacy = Legacy::offering(Capabilities {
            feed_keeps: 2,
            ..Capabilities::all()
        })
        .await;
        legacy.create("One").await;
        let service = Service::following(database, legacy.url(), FEED).await;
        catch_up(&service).await.unwrap();
        let database = service.end().await;
        for title in ["Two", "Three", "Four"] {
            legacy.create(title).await;
        }
        legacy.delete(1).await;
        let service = Service::following(database, legacy.url(), FEED).await;
        catch_up(&service).await.unwrap();
        let want = movies([(2, "Two"), (3, "Three"), (4, "Four")]);
        assert_eq!(titles(&service).await, want, "removals in the gap too");
        assert_eq!(service.metric(BACKFILLS), 1.0);

        // So does a feed that is not the one of before.
        legacy.halt().await;
        legacy.capabilities.change_feed = false;
        legacy.resume().await;
        legacy.delete(2).await;
        legacy.halt().await;
        legacy.capabilities.change_feed = true;
        legacy.resume().await;
        catch_up(&service).await.unwrap();
        assert_eq!(titles(&service).await, movies([(3, "Three"), (4, "Four")]));
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monolith_that_goes_away_in_mid_feed_is_gone_on_with() {
    for database in TestDatabase::each() {
        let mut legacy = Legacy::offering(Capabilities::all()).await;
        let carried = Arc::new(AtomicUsize::new(usize::MAX));
        let network = failing_network(legacy.url(), &carried).await;
        let service = Service::following(database, network, FEED).await;
        catch_up(&service).await.unwrap();
        carried.store(0, Ordering::SeqCst);
        for number in 1..=9 {
            legacy.create(&format!("Movie {number}")).await;
        }
        // Two pages of two changes each, then nothing.
        carried.store(2, Ordering::SeqCst);
        eventually("two pages", || async { titles(&service).await.len() == 4 }).await;
        assert_eq!(
            reason(&catch_up(&service).await.unwrap_err()),
            "POLL_FAILED"
        );
        legacy.halt().await;
        legacy.resume().await;
        legacy.delete(1).await;
        carried.store(usize::MAX, Ordering::SeqCst);
        eventually("it is up again", || async {
            catch_up(&service).await.is_ok()
        })
        .await;
        let ids: Vec<_> = titles(&service).await.iter().map(|it| it.0).collect();
        assert_eq!(ids, [2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(service.metric(BACKFILLS), 1.0, "only the first");
        service.stop().await;
    }
}

/// A monolith of many movies, with a feed in which nothing happens.
async fn large_monolith(count: i64) -> String {
    let movies: Vec<_> = (1..=count)
        .map(|id| serde_json::json!({ "id": id, "title": format!("Movie {id}") }))
        .collect();
    let list = serde_json::Value::from(movies);
    let router = axum::Router::new()
        .route(
            "/api/movies",
            axum::routing::get(async move || axum::Json(list.clone())),
        )
        .route(
            "/api/movies/changes",
            axum::routing::get(async || {
                axum::Json(serde_json::json!({ "changes": [], "next": "x-1", "more": false }))
            }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_that_was_broken_off_is_never_taken_for_complete() {
    const COUNT: i64 = 3_000;
    let url = large_monolith(COUNT).await;
    for mut database in TestDatabase::each() {
        let mut partly = 0;
        for _ in 0..5 {
            let service = Service::following(database, url.clone(), FEED).await;
            eventually("something is adopted", || async {
                status(&service).await.adopted > partly
            })
            .await;
            database = service.end().await;
            let sql = sea_orm::Database::connect(&database.url).await.unwrap();
            let statement = "SELECT (SELECT count(*) FROM followed_movies) AS movies, \
                             (SELECT cursor FROM following) AS cursor";
            let row = sql.query_one_raw(sea_orm::Statement::from_string(
                sql.get_database_backend(),
                statement,
            ));
            let row = row.await.unwrap().unwrap();
            partly = row.try_get("", "movies").unwrap();
            let cursor: Option<String> = row.try_get("", "cursor").unwrap();
            sql.close().await.unwrap();
            assert_eq!(
                cursor.is_some(),
                partly == COUNT,
                "{cursor:?} with {partly}"
            );
            if partly == COUNT {
                break;
            }
        }
        let service = Service::following(database, url.clone(), FEED).await;
        catch_up(&service).await.unwrap();
        assert_eq!(status(&service).await.adopted, COUNT);
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_read_one_feed_without_harm() {
    // A SQLite file has one process only.
    let Some(database) = TestDatabase::each().into_iter().nth(1) else {
        return;
    };
    let other = database.shared();
    let legacy = Legacy::offering(Capabilities::all()).await;
    let one = Service::following(database, legacy.url(), FEED).await;
    let two = Service::following(other, legacy.url(), FEED).await;
    for round in 0..10 {
        let id = legacy.create(&format!("Movie {round}")).await;
        legacy.put(id, &format!("Changed {round}")).await;
        let both = tokio::join!(catch_up(&one), catch_up(&two));
        both.0.unwrap();
        both.1.unwrap();
        assert_eq!(
            titles(&two).await.last().unwrap().1,
            format!("Changed {round}")
        );
    }
    two.stop().await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_is_declared_and_not_offered_is_told() {
    let legacy = Legacy::start().await;
    let service = Service::following(TestDatabase::sqlite(), legacy.url(), FEED).await;
    assert_eq!(
        reason(&catch_up(&service).await.unwrap_err()),
        "POLL_FAILED"
    );
    let report = service.process.readiness().report();
    let mut monolith = report.dependencies.into_iter();
    let monolith = monolith.find(|it| it.name == "monolith").unwrap();
    let why = monolith.reason.unwrap();
    assert!(why.contains("`change-feed`, which is declared"), "{why}");
    service.stop().await;

    let body = r#"{"changes":[{"id":1}],"next":"x"}"#;
    let length = body.len();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
    let url = broken_monolith(answer).await;
    let service = Service::following(TestDatabase::sqlite(), url, FEED).await;
    assert_eq!(
        reason(&catch_up(&service).await.unwrap_err()),
        "POLL_FAILED"
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_removed_only_where_that_is_declared() {
    for (declared, want) in [(&[][..], 3), (&[Capability::Delete][..], 2)] {
        for database in TestDatabase::each() {
            let legacy = Legacy::offering(Capabilities::all()).await;
            for title in ["One", "Two", "Three"] {
                legacy.create(title).await;
            }
            let service = Service::following(database, legacy.url(), declared).await;
            catch_up(&service).await.unwrap();
            legacy.delete(2).await;
            legacy.put(3, "Third").await;
            catch_up(&service).await.unwrap();
            let here = titles(&service).await;
            assert_eq!(here.len(), want, "{declared:?}");
            assert_eq!(
                here.last().unwrap().1,
                "Third",
                "changes are seen by every poll"
            );
            service.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monolith_that_lost_its_movies_does_not_take_ours() {
    for database in TestDatabase::each() {
        let legacy = Legacy::start().await;
        for number in 0..20 {
            legacy.create(&format!("Movie {number}")).await;
        }
        let declared = &[Capability::Delete];
        let service = Service::following(database, legacy.url(), declared).await;
        catch_up(&service).await.unwrap();
        let database = service.end().await;
        let empty = Legacy::start().await;
        let service = Service::following(database, empty.url(), declared).await;
        assert_eq!(
            reason(&catch_up(&service).await.unwrap_err()),
            "POLL_FAILED"
        );
        assert_eq!(titles(&service).await.len(), 20);
        // Somebody says that it is right.
        let found = reconcile(&service, true).await;
        assert_eq!((found.differences_count, found.mended_count), (20, 20));
        assert_eq!(status(&service).await.adopted, 0);
        catch_up(&service).await.unwrap();
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_monolith_lost_is_put_back_where_it_keeps_ids() {
    for loss in [Loss::Request, Loss::Answer] {
        for database in TestDatabase::each() {
            let legacy = Legacy::offering(Capabilities::all()).await;
            for title in ["One", "Two", "Three"] {
                legacy.create(title).await;
            }
            let network = lossy_network(legacy.url(), loss).await;
            let service = Service::following(database, network.clone(), &[]).await;
            catch_up(&service).await.unwrap();
            // As a backup that is too old would.
            legacy.delete(2).await;
            let found = reconcile(&service, true).await;
            let told = &found.differences[0];
            assert_eq!((told.kind(), told.mended), (Kind::MissingInLegacy, false));
            assert_eq!(told.needs().as_str_name(), "CAPABILITY_KEEPS_IDS");
            let database = service.end().await;
            let keeps_ids = &[Capability::KeepsIds];
            let service = Service::following(database, network, keeps_ids).await;
            let found = reconcile(&service, true).await;
            assert_eq!((found.differences_count, found.mended_count), (1, 1));
            let want = movies([(1, "One"), (2, "Two"), (3, "Three")]);
            assert_eq!(legacy.titles().await, want, "{loss:?}");
            service.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_is_not_read_through_into_the_dark() {
    let legacy = Legacy::offering(Capabilities::all()).await;
    let service = Service::following(TestDatabase::sqlite(), legacy.url(), FEED).await;
    catch_up(&service).await.unwrap();
    let mut client = MovieServiceClient::new(service.channel.clone());
    for round in 0..20 {
        let id = legacy.create(&format!("Movie {round}")).await;
        let request = GetMovieRequest { id };
        let (read, ()) = tokio::join!(client.get_movie(request), legacy.delete(id));
        drop(read);
        catch_up(&service).await.unwrap();
        assert_eq!(titles(&service).await, [], "{id} is gone");
    }
    service.stop().await;
}
