//! What a gateway asks of a follower, beside the real monolith.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::{
    compat::cinema::v1::{
        CreateMovieRequest, ListMoviesRequest, movie_service_client::MovieServiceClient,
    },
    follow::v1::{
        CatchUpRequest, CatchUpResponse, ReconcileRequest, ReconcileResponse, StatusRequest,
        StatusResponse, difference::Kind, follow_service_client::FollowServiceClient,
    },
};
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use tonic::{Code, Status, transport::Channel};

use super::{
    compat_support::{Legacy, Service, eventually, reason},
    networks::{broken_monolith, impatient_monolith},
};

type Client = FollowServiceClient<Channel>;

const SUCCEEDED: &str = r#"reservation_follow_polls_total{collection="movies",result="succeeded"}"#;
const ADOPTED: &str = r#"reservation_follow_adopted_total{collection="movies"}"#;

async fn catch_up(client: &Client) -> Result<CatchUpResponse, Status> {
    let request = CatchUpRequest {
        collection: "movies".to_owned(),
    };
    client
        .clone()
        .catch_up(request)
        .await
        .map(tonic::Response::into_inner)
}

async fn status(client: &Client) -> StatusResponse {
    let request = StatusRequest {
        collection: "movies".to_owned(),
    };
    client.clone().status(request).await.unwrap().into_inner()
}

async fn ids(service: &Service) -> Vec<i64> {
    let mut movies = MovieServiceClient::new(service.channel.clone());
    let answer = movies.list_movies(ListMoviesRequest {}).await.unwrap();
    answer
        .into_inner()
        .movies
        .iter()
        .map(|movie| movie.id)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn catching_up_sees_a_write_made_just_before() {
    for database in TestDatabase::each() {
        let legacy = Legacy::start().await;
        let service = Service::start(database, Some(legacy.url()), false).await;
        let client = Client::new(service.channel.clone());
        for round in 0..20 {
            let id = legacy.create(&format!("Movie {round}")).await;
            catch_up(&client).await.unwrap();
            assert_eq!(ids(&service).await.last(), Some(&id));
        }
        assert_eq!(service.metric(ADOPTED), 20.0);
        let status = status(&client).await;
        assert!(status.healthy);
        assert_eq!(status.adopted, 20);
        assert!(status.last_poll_time.is_some());
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_catch_up_at_once_share_polls() {
    let legacy = Legacy::start().await;
    let service = Service::start(TestDatabase::sqlite(), Some(legacy.url()), false).await;
    let client = Client::new(service.channel.clone());
    catch_up(&client).await.unwrap();
    let before = service.metric(SUCCEEDED);
    let callers = (0..200).map(|_| {
        let client = client.clone();
        async move { catch_up(&client).await.unwrap() }
    });
    futures::future::join_all(callers).await;
    let polls = service.metric(SUCCEEDED) - before;
    assert!(polls < 100.0, "200 questions cost {polls} polls");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_is_not_adopted_again() {
    for database in TestDatabase::each() {
        let legacy = Legacy::start().await;
        for title in ["One", "Two"] {
            legacy.create(title).await;
        }
        let service = Service::start(database, Some(legacy.url()), false).await;
        let client = Client::new(service.channel.clone());
        for _ in 0..3 {
            catch_up(&client).await.unwrap();
        }
        assert_eq!(service.metric(ADOPTED), 2.0);
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_catches_up_with_a_monolith_that_is_down() {
    for database in TestDatabase::each() {
        let mut legacy = Legacy::start().await;
        let service = Service::start(database, Some(legacy.url()), false).await;
        let client = Client::new(service.channel.clone());
        catch_up(&client).await.unwrap();
        legacy.halt().await;
        let failed = catch_up(&client).await.unwrap_err();
        assert_eq!(
            (failed.code(), reason(&failed).as_str()),
            (Code::Unavailable, "POLL_FAILED")
        );
        assert!(!status(&client).await.healthy);
        assert!(
            service.process.readiness().is_ready(),
            "what is here is still served"
        );
        legacy.resume().await;
        eventually("recovery", || async { status(&client).await.healthy }).await;
        catch_up(&client).await.unwrap();
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_that_the_monolith_closes_is_no_failure() {
    let body = r#"[{"id":1,"title":"Roots","description":"","genres":[],"rating":1}]"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let url = impatient_monolith(answer).await;
    let service = Service::start(TestDatabase::sqlite(), Some(url), false).await;
    let client = Client::new(service.channel.clone());
    for _ in 0..10 {
        catch_up(&client).await.unwrap();
    }
    assert_eq!(ids(&service).await, [1]);
    service.stop().await;

    let movie = &body[1..body.len() - 1];
    let created = format!(
        "HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{movie}",
        movie.len()
    );
    let url = impatient_monolith(created).await;
    let service = Service::start(TestDatabase::sqlite(), Some(url), false).await;
    let mut movies = MovieServiceClient::new(service.channel.clone());
    for _ in 0..5 {
        let request = CreateMovieRequest {
            title: "Roots".to_owned(),
            ..Default::default()
        };
        assert_eq!(movies.create_movie(request).await.unwrap().get_ref().id, 1);
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_stored_keeps_nothing_else_out() {
    let body = r#"[{"id":1,"title":"a\u0000b","genres":["\u0000"]},{"id":2,"title":"Roots"}]"#;
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    for database in TestDatabase::each() {
        let url = broken_monolith(answer.clone()).await;
        let service = Service::start(database, Some(url), false).await;
        let client = Client::new(service.channel.clone());
        for _ in 0..2 {
            catch_up(&client).await.unwrap();
        }
        assert_eq!(ids(&service).await, [1, 2]);
        assert_eq!(service.metric(ADOPTED), 2.0);
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_movies_are_followed_and_only_with_a_monolith() {
    let legacy = Legacy::start().await;
    let service = Service::start(TestDatabase::sqlite(), Some(legacy.url()), false).await;
    let mut client = Client::new(service.channel.clone());
    let users = CatchUpRequest {
        collection: "users".to_owned(),
    };
    assert_eq!(
        client.catch_up(users).await.unwrap_err().code(),
        Code::NotFound
    );
    service.stop().await;

    let service = Service::start(TestDatabase::sqlite(), None, false).await;
    let client = Client::new(service.channel.clone());
    assert_eq!(catch_up(&client).await.unwrap_err().code(), Code::NotFound);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_trusted_is_not_adopted() {
    let answer = |body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let good = r#"{"id":1,"title":"Roots","description":"","genres":[],"rating":1}"#;
    let large = format!("[{}{good}]", " ".repeat(16 * 1024 * 1024));
    for (body, why) in [
        (
            format!(r#"[{good},{{"title":"No id"}}]"#),
            "not what its API promises",
        ),
        (
            "<html>Welcome</html>".to_owned(),
            "not what its API promises",
        ),
        (large, "cannot be read"),
    ] {
        let url = broken_monolith(answer(&body)).await;
        let service = Service::start(TestDatabase::sqlite(), Some(url), false).await;
        let client = Client::new(service.channel.clone());
        let failed = catch_up(&client).await.unwrap_err();
        assert_eq!(reason(&failed), "POLL_FAILED");
        assert_eq!(status(&client).await.adopted, 0);
        let report = service.process.readiness().report();
        let monolith = report
            .dependencies
            .into_iter()
            .find(|it| it.name == "monolith")
            .unwrap();
        assert!(!monolith.required && !monolith.up);
        assert!(
            monolith.reason.as_ref().unwrap().contains(why),
            "{monolith:?}"
        );
        service.stop().await;
    }
}

async fn reconcile(client: &Client, mend: bool) -> ReconcileResponse {
    let request = ReconcileRequest {
        collection: "movies".to_owned(),
        mend,
        ..ReconcileRequest::default()
    };
    client
        .clone()
        .reconcile(request)
        .await
        .unwrap()
        .into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_are_compared_and_mended() {
    for database in TestDatabase::each() {
        let legacy = Legacy::start().await;
        for title in ["One", "Two", "Three"] {
            legacy.create(title).await;
        }
        let service = Service::start(database, Some(legacy.url()), false).await;
        let client = Client::new(service.channel.clone());
        catch_up(&client).await.unwrap();
        let clean = reconcile(&client, false).await;
        assert_eq!((clean.legacy_count, clean.own_count), (3, 3));
        assert_eq!(clean.differences, []);

        // What no poll brings back: a row of ours that the monolith has not.
        let insert = "INSERT INTO followed_movies (id, title, description, genres, rating, adopted_at) \
                      VALUES (99, 'Ghost', '', '[]', 1.0, 0)";
        let sql = sea_orm::Database::connect(&service.database.url)
            .await
            .unwrap();
        sql.execute_unprepared(insert).await.unwrap();
        let found = reconcile(&client, true).await;
        let told: Vec<_> = found
            .differences
            .iter()
            .map(|it| (it.id.as_str(), it.kind(), it.mended))
            .collect();
        assert_eq!(told, [("99", Kind::MissingInLegacy, false)]);
        assert_eq!((found.differences_count, found.mended_count), (1, 0));

        let state = status(&client).await;
        assert!(state.lag.is_some(), "{state:?}");
        assert_eq!((state.legacy_count, state.poll_total), (3, 0));
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_with_much_to_adopt_tells_how_far_it_is() {
    for database in TestDatabase::each() {
        let legacy = Legacy::start().await;
        for title in ["One", "Two"] {
            legacy.create(title).await;
        }
        let service = Service::start(database, Some(legacy.url()), false).await;
        let client = Client::new(service.channel.clone());
        catch_up(&client).await.unwrap();
        let sql = sea_orm::Database::connect(&service.database.url)
            .await
            .unwrap();
        // Whoever adopts waits for this row.
        let held = sql.begin().await.unwrap();
        let hold = "UPDATE following SET last_id = last_id";
        held.execute_unprepared(hold).await.unwrap();
        for title in ["Three", "Four", "Five"] {
            legacy.create(title).await;
        }
        eventually("a poll that cannot go on", || async {
            let state = status(&client).await;
            (state.poll_done, state.poll_total) == (2, 5)
        })
        .await;
        let gauge = |name: &str| {
            let name = format!(r#"reservation_follow_backfill_{name}{{collection="movies"}}"#);
            service.metric(&name)
        };
        // A poll that waited too long begins anew, and is nowhere for a moment.
        eventually("its metrics", || async {
            (gauge("done"), gauge("total")) == (2.0, 5.0)
        })
        .await;
        held.rollback().await.unwrap();
        sql.close().await.unwrap();
        eventually("its end", || async {
            let state = status(&client).await;
            (state.adopted, state.poll_done, state.poll_total) == (5, 0, 0)
        })
        .await;
        assert_eq!((gauge("done"), gauge("total")), (0.0, 0.0));
        service.stop().await;
    }
}
