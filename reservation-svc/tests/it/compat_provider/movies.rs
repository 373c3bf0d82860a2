//! Movies: created, listed, deleted.

use banyan_proto::compat::provider::v1::{
    CreateMovieRequest, CreateSeanceRequest, ListMoviesRequest, ListSeancesRequest,
};

use sea_orm::ConnectionTrait as _;

use super::{OLD, Partner, invalid, not_found, roots, tomorrow};

#[tokio::test(flavor = "multi_thread")]
async fn a_created_movie_is_the_first_of_the_list() {
    for mut partner in Partner::each().await {
        let created = partner
            .client
            .create_movie(roots())
            .await
            .unwrap()
            .into_inner()
            .data
            .unwrap();
        assert_eq!(created.r#type, "movies");
        let attributes = created.attributes.unwrap();
        assert_eq!(
            (attributes.name, attributes.description),
            (roots().name, roots().description)
        );
        assert_eq!(attributes.image_url, roots().image_url);
        let next = partner.movie().await;
        assert!(next > created.id);

        let movies = partner.movies(None, None).await;
        assert!(movies.is_sorted_by(|a, b| a.id > b.id), "newest first");
        assert_eq!(movies[0].id, next);
        assert_eq!(movies[1].id, created.id);
        assert_eq!(
            (movies[1].name.as_str(), movies[1].coming_soon),
            ("Roots", false)
        );
        assert_eq!(movies[1].image_url, roots().image_url);
        assert_eq!(partner.movies(Some(1), None).await, movies[..1]);
        partner.service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_movie_is_coming_soon_with_a_seance_today_or_later() {
    for mut partner in Partner::each().await {
        let (past, soon) = (partner.movie().await, partner.movie().await);
        partner.seance(past, OLD).await;
        let seance = partner.seance(soon, &tomorrow()).await;
        let coming_soon = |movies: &[banyan_proto::compat::provider::v1::MovieEntry], id| {
            movies
                .iter()
                .find(|movie| movie.id == id)
                .map(|movie| movie.coming_soon)
        };
        let all = partner.movies(None, None).await;
        assert_eq!(
            (coming_soon(&all, past), coming_soon(&all, soon)),
            (Some(false), Some(true))
        );
        // Whatever its value.
        for value in ["", "true", "false"] {
            let some = partner.movies(None, Some(value)).await;
            assert_eq!(
                (coming_soon(&some, past), coming_soon(&some, soon)),
                (None, Some(true))
            );
            assert!(some.iter().all(|movie| movie.coming_soon));
        }
        assert_eq!(partner.movies(Some(1), Some("")).await[0].id, soon);
        partner.delete_seance(soon, seance.id).await.unwrap();
        assert_eq!(
            coming_soon(&partner.movies(None, None).await, soon),
            Some(false)
        );
        partner.service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_cinema_shows_is_not_coming_soon() {
    for mut partner in Partner::each().await {
        let (here, there) = (partner.movie().await, partner.movie().await);
        partner.seance(here, &tomorrow()).await;
        let moved = partner.seance(there, &tomorrow()).await.id;
        let sql = sea_orm::Database::connect(&partner.service.database.url)
            .await
            .unwrap();
        for statement in [
            "INSERT INTO cinemas VALUES ('zoo', 'Zoo', 'Europe/Lisbon', 'EUR', '', '')".to_owned(),
            "INSERT INTO halls (id, cinema, display_name) VALUES (99, 'zoo', 'Hall')".to_owned(),
            format!("UPDATE screenings SET cinema = 'zoo', hall = 99 WHERE id = {moved}"),
        ] {
            sql.execute_unprepared(&statement).await.unwrap();
        }
        assert_eq!(partner.seances(there).await, []);
        let movies = partner.movies(None, None).await;
        let coming_soon = |id| {
            movies
                .iter()
                .any(|movie| movie.id == id && movie.coming_soon)
        };
        assert!(coming_soon(here) && !coming_soon(there));
        let shown = partner.movies(None, Some("")).await;
        assert!(shown.iter().any(|movie| movie.id == here));
        assert!(shown.iter().all(|movie| movie.id != there));
        partner.service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_movie_is_nowhere_and_neither_are_its_seances() {
    for mut partner in Partner::each().await {
        let movie = partner.movie().await;
        let seance = partner.seance(movie, &tomorrow()).await.id;
        assert_eq!(
            partner.delete_movie(movie).await.unwrap(),
            (movie.to_string(), "movies".to_owned())
        );
        let detail = format!("movie_id {movie} not found");
        assert!(
            partner
                .movies(None, None)
                .await
                .iter()
                .all(|entry| entry.id != movie)
        );
        not_found(partner.delete_movie(movie).await, &detail);
        let request = ListSeancesRequest {
            movie_id: movie,
            max_results: None,
        };
        not_found(partner.client.list_seances(request).await, &detail);
        let request = CreateSeanceRequest {
            movie_id: movie,
            datetime: OLD.to_owned(),
            price: 1,
        };
        not_found(partner.client.create_seance(request).await, &detail);
        not_found(partner.delete_seance(movie, seance).await, &detail);
        not_found(partner.book(movie, seance, &[0]).await, &detail);
        // Its number is not given away again.
        assert!(partner.movie().await > movie);
        partner.service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_name_their_fields() {
    let mut partner = Partner::of(banyan_mesh::testing::TestDatabase::sqlite()).await;
    for (request, field) in [
        (
            CreateMovieRequest {
                name: String::new(),
                ..roots()
            },
            "name",
        ),
        (
            CreateMovieRequest {
                description: String::new(),
                ..roots()
            },
            "description",
        ),
        (
            CreateMovieRequest {
                image_url: String::new(),
                ..roots()
            },
            "image_url",
        ),
        (
            CreateMovieRequest {
                name: "n".repeat(501),
                ..roots()
            },
            "name",
        ),
    ] {
        invalid(partner.client.create_movie(request).await, field, "RANGE");
    }
    for max_results in [0, -1, 1001] {
        let request = ListMoviesRequest {
            max_results: Some(max_results),
            with_seances: None,
        };
        invalid(
            partner.client.list_movies(request).await,
            "max_results",
            "RANGE",
        );
    }
    not_found(partner.delete_movie(0).await, "movie_id 0 not found");
    not_found(partner.delete_movie(-7).await, "movie_id -7 not found");
    partner.service.stop().await;
}
