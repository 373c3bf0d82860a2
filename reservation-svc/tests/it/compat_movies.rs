//! The monolith's movies as served from here, beside the real monolith and beside broken ones.

use banyan_mesh::{process::Process, testing::TestDatabase};
use banyan_proto::compat::cinema::v1::{
    CheckHealthRequest, CreateMovieRequest, GetMovieRequest, ListMoviesRequest, Movie,
    movie_service_client::MovieServiceClient,
};
use tonic::{Code, Status, transport::Channel};

use super::{
    compat_support::{Legacy, Service, eventually, reason, violations},
    networks::{Loss, broken_monolith, lossy_network, silent_monolith},
    support,
    way::postgres,
};

type Client = MovieServiceClient<Channel>;

fn roots() -> CreateMovieRequest {
    CreateMovieRequest {
        title: "Roots".to_owned(),
        description: "A botanist maps a forest that keeps moving.".to_owned(),
        genres: vec!["science fiction".to_owned(), "drama".to_owned()],
        rating: 8.4,
        request_id: String::new(),
    }
}

async fn list(client: &Client) -> Vec<Movie> {
    client
        .clone()
        .list_movies(ListMoviesRequest {})
        .await
        .unwrap()
        .into_inner()
        .movies
}

async fn get(client: &Client, id: i64) -> Result<Movie, Status> {
    client
        .clone()
        .get_movie(GetMovieRequest { id })
        .await
        .map(tonic::Response::into_inner)
}

async fn create(client: &Client, request: CreateMovieRequest) -> Result<Movie, Status> {
    client
        .clone()
        .create_movie(request)
        .await
        .map(tonic::Response::into_inner)
}

/// Creates as a client does that has to know: under a request id that it repeats. An answer that is lost is found at once.
async fn create_surely(client: &Client, request_id: &str, loss: Loss) -> Movie {
    loop {
        let request = CreateMovieRequest {
            request_id: request_id.to_owned(),
            ..roots()
        };
        match create(client, request).await {
            Ok(movie) => return movie,
            Err(refused) => {
                let known = ["OUTCOME_UNKNOWN", "CREATE_BUSY"].contains(&reason(&refused).as_str());
                assert!(known && loss == Loss::Request, "{refused}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_create_at_the_monolith_is_adopted() {
    for database in TestDatabase::each() {
        let legacy = Legacy::start().await;
        let before = legacy.create("The Night Ferry").await;
        let service = Service::start(database, Some(legacy.url()), false).await;
        let client = Client::new(service.channel.clone());
        eventually("the first poll", || async {
            list(&client).await.len() == 1
        })
        .await;
        let after = legacy.create("Paper Lanterns").await;
        eventually("a later poll", || async { list(&client).await.len() == 2 }).await;
        let movies = list(&client).await;
        assert_eq!(
            movies.iter().map(|movie| movie.id).collect::<Vec<_>>(),
            [before, after]
        );
        assert_eq!(movies[1].title, "Paper Lanterns");
        assert_eq!(movies[1].genres, ["drama"]);
        assert_eq!(movies[1].rating, 7.5);
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_movie_that_is_not_here_yet_is_read_through() {
    for database in TestDatabase::each() {
        let legacy = Legacy::start().await;
        let service = Service::start(database, Some(legacy.url()), false).await;
        let client = Client::new(service.channel.clone());
        for title in ["One", "Two", "Three"] {
            let id = legacy.create(title).await;
            assert_eq!(get(&client, id).await.unwrap().title, title);
        }
        let missing = get(&client, 4711).await.unwrap_err();
        assert_eq!(missing.code(), Code::NotFound);
        assert_eq!(missing.message(), "movie 4711 not found");
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_movie_is_created_under_the_monoliths_id() {
    for database in TestDatabase::each() {
        let legacy = Legacy::start().await;
        for other in ["One", "Two"] {
            legacy.create(other).await;
        }
        let service = Service::start(database, Some(legacy.url()), false).await;
        let client = Client::new(service.channel.clone());
        let movie = create(&client, roots()).await.unwrap();
        let there = legacy.get(movie.id).await;
        assert_eq!(there["title"], "Roots");
        assert_eq!(
            there["genres"],
            serde_json::json!(["science fiction", "drama"])
        );
        assert_eq!(there["rating"], 8.4);
        // At once, not after the next poll.
        assert!(list(&client).await.contains(&movie));
        assert_eq!(get(&client, movie.id).await.unwrap(), movie);
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_list_after_a_start_has_what_the_monolith_has() {
    let mut legacy = Legacy::start().await;
    legacy.create("One").await;
    let database = TestDatabase::sqlite();
    let service = Service::start(database, Some(legacy.url()), false).await;
    // The very first call, before any poll can be known to have run.
    assert_eq!(list(&Client::new(service.channel.clone())).await.len(), 1);
    service.stop().await;

    legacy.halt().await;
    let service = Service::start(TestDatabase::sqlite(), Some(legacy.url()), false).await;
    let unknown = Client::new(service.channel.clone())
        .list_movies(ListMoviesRequest {})
        .await
        .unwrap_err();
    assert_eq!(
        (unknown.code(), reason(&unknown).as_str()),
        (Code::Unavailable, "MONOLITH_UNAVAILABLE"),
        "nothing was ever adopted: an empty list would be a guess"
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_monolith_is_down_movies_are_served_and_not_created() {
    for database in TestDatabase::each() {
        let mut legacy = Legacy::start().await;
        let service = Service::start(database, Some(legacy.url()), false).await;
        let client = Client::new(service.channel.clone());
        let movie = create(&client, roots()).await.unwrap();
        legacy.halt().await;
        let refused = create(&client, roots()).await.unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused).as_str()),
            (Code::Unavailable, "MONOLITH_UNAVAILABLE")
        );
        assert_eq!(list(&client).await, std::slice::from_ref(&movie));
        assert_eq!(get(&client, movie.id).await.unwrap(), movie);
        let unknown = get(&client, 4711).await.unwrap_err();
        assert_eq!(unknown.code(), Code::Unavailable);
        let health = client
            .clone()
            .check_health(CheckHealthRequest {})
            .await
            .unwrap();
        assert!(health.into_inner().status);
        legacy.resume().await;
        let again = create(&client, roots()).await.unwrap();
        assert!(
            again.id > movie.id,
            "the one that was refused is not there: {again:?}"
        );
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_the_service_says_that_it_is_ill() {
    let process = Process::new();
    let channel = support::Service::serve(
        "postgres://nobody@127.0.0.1:1/none",
        &support::TestClock::at(support::START),
        &process,
    )
    .await;
    let refused = Client::new(channel)
        .check_health(CheckHealthRequest {})
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::Unavailable, "DATABASE_UNAVAILABLE")
    );
    process.stop(support::LIMIT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_monolith_nothing_is_created() {
    for database in TestDatabase::each() {
        let service = Service::start(database, None, false).await;
        let client = Client::new(service.channel.clone());
        assert_eq!(list(&client).await, []);
        assert_eq!(get(&client, 1).await.unwrap_err().code(), Code::NotFound);
        let refused = create(&client, roots()).await.unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused).as_str()),
            (Code::Unavailable, "MONOLITH_UNAVAILABLE")
        );
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_movie_never_reaches_the_monolith() {
    let legacy = Legacy::start().await;
    let service = Service::start(TestDatabase::sqlite(), Some(legacy.url()), false).await;
    let client = Client::new(service.channel.clone());
    let wrong = CreateMovieRequest {
        title: "nul \0".to_owned(),
        rating: 11.0,
        request_id: "a b".to_owned(),
        ..roots()
    };
    let refused = create(&client, wrong).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(
        violations(&refused),
        [
            ("title".to_owned(), "FORMAT".to_owned()),
            ("rating".to_owned(), "RANGE".to_owned()),
            ("request_id".to_owned(), "FORMAT".to_owned())
        ]
    );
    assert_eq!(
        refused.message(),
        "title must not contain NUL characters; rating must be a number from 0 to 10; \
         request_id must be 1 to 128 visible ASCII characters"
    );
    // How much text a movie may have is for the monolith to say, which takes bodies of 64 KiB.
    let large = CreateMovieRequest {
        description: "d".repeat(70_000),
        ..roots()
    };
    let refused = create(&client, large).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::InvalidArgument, "MONOLITH_REFUSED")
    );
    assert!(refused.message().contains("65536 bytes"), "{refused}");
    let movie = create(&client, roots()).await.unwrap();
    assert_eq!(movie.id, 1, "the first at the monolith");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_with_an_unknown_outcome_says_so() {
    for (answer, want) in [
        ("", "OUTCOME_UNKNOWN"),
        (
            "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
            "OUTCOME_UNKNOWN",
        ),
        (
            "HTTP/1.1 504 Gateway Timeout\r\ncontent-length: 0\r\n\r\n",
            "OUTCOME_UNKNOWN",
        ),
        (
            "HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"id\":1",
            "OUTCOME_UNKNOWN",
        ),
        (
            "HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}",
            "OUTCOME_UNKNOWN",
        ),
        (
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
            "MONOLITH_UNAVAILABLE",
        ),
        (
            "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n",
            "MONOLITH_UNAVAILABLE",
        ),
    ] {
        let url = broken_monolith(answer.to_owned()).await;
        let service = Service::start(TestDatabase::sqlite(), Some(url), false).await;
        let client = Client::new(service.channel.clone());
        let refused = create(&client, roots()).await.unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused).as_str()),
            (Code::Unavailable, want),
            "{answer:?}: {refused}"
        );
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monolith_that_never_answers_leaves_the_outcome_unknown() {
    let service =
        Service::start(TestDatabase::sqlite(), Some(silent_monolith().await), false).await;
    let client = Client::new(service.channel.clone());
    let refused = create(&client, roots()).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::Unavailable, "OUTCOME_UNKNOWN")
    );
    assert!(refused.message().contains("within 5 s"), "{refused}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_whose_request_or_answer_is_lost_is_made_once() {
    for loss in [Loss::Request, Loss::Answer] {
        for database in TestDatabase::each() {
            let legacy = Legacy::start().await;
            let twin = legacy.create(&roots().title).await;
            let network = lossy_network(legacy.url(), loss).await;
            let service = Service::start(database, Some(network), false).await;
            let client = Client::new(service.channel.clone());
            let mut ids = vec![create_surely(&client, "alone", loss).await.id];
            // Two at once get a movie each.
            let both = tokio::join!(
                create_surely(&client, "one", loss),
                create_surely(&client, "two", loss)
            );
            ids.extend([both.0.id, both.1.id]);
            ids.sort_unstable();
            assert_eq!(ids, [2, 3, 4], "{loss:?}: one each, none twice");
            let all: Vec<_> = list(&client).await.iter().map(|movie| movie.id).collect();
            assert_eq!(all, [twin, 2, 3, 4], "{loss:?}");
            let lost = r#"reservation_follow_lost_answers_total{collection="movies"}"#;
            assert!(service.metric(lost) > 0.0, "{loss:?}");
            service.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_that_lose_requests_and_answers_make_one_movie_for_each_request_id() {
    for loss in [Loss::Request, Loss::Answer] {
        let Some(database) = postgres() else { return };
        let legacy = Legacy::start().await;
        let network = lossy_network(legacy.url(), loss).await;
        let other = Service::start(database.shared(), Some(network.clone()), false).await;
        let service = Service::start(database, Some(network), false).await;
        let clients = [&service, &other].map(|it| Client::new(it.channel.clone()));
        // Each id at both replicas at once, all with the same content.
        let requests: Vec<_> = (0..4).map(|n| format!("request-{}", n / 2)).collect();
        let creates = requests.iter().enumerate();
        let creates = creates.map(|(n, id)| create_surely(&clients[n % 2], id, loss));
        let answers = futures::future::join_all(creates).await;
        let ids: Vec<_> = answers.into_iter().map(|it| it.id).collect();
        let mut distinct: Vec<_> = ids.chunks(2).map(|both| both[0]).collect();
        assert!(ids.chunks(2).all(|both| both[0] == both[1]), "{ids:?}");
        distinct.sort_unstable();
        let there: Vec<_> = legacy.titles().await.iter().map(|it| it.0).collect();
        assert_eq!(distinct, there, "{loss:?}: one each, none twice");
        let reused = CreateMovieRequest {
            title: "Other".to_owned(),
            request_id: "request-0".to_owned(),
            ..roots()
        };
        let refused = create(&clients[0], reused).await.unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused).as_str()),
            (Code::AlreadyExists, "REQUEST_ID_REUSED")
        );
        other.stop().await;
        service.stop().await;
    }
}
