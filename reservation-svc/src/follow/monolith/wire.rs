//! The monolith's JSON. What it sends beyond its API is ignored; `null` stands for nothing, as some monoliths write an
//! empty list.

use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::json;

use crate::domain::followed_movie::{FollowedMovie, MovieDetails};

#[derive(Deserialize)]
struct Movie {
    id: i64,
    title: String,
    #[serde(default, deserialize_with = "or_nothing")]
    description: String,
    #[serde(default, deserialize_with = "or_nothing")]
    genres: Vec<String>,
    #[serde(default, deserialize_with = "or_nothing")]
    rating: f64,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

fn or_nothing<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl From<Movie> for FollowedMovie {
    fn from(movie: Movie) -> Self {
        let Movie {
            id,
            title,
            description,
            genres,
            rating,
        } = movie;
        Self {
            id,
            details: MovieDetails {
                title: storable(title),
                description: storable(description),
                genres: genres.into_iter().map(storable).collect(),
                rating,
            },
        }
    }
}

/// PostgreSQL cannot store NUL characters; one movie that has them must not keep all others out.
fn storable(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text
    }
}

pub(super) fn movie(body: &[u8]) -> Result<FollowedMovie, serde_json::Error> {
    serde_json::from_slice::<Movie>(body).map(Into::into)
}

pub(super) fn movies(body: &[u8]) -> Result<Vec<FollowedMovie>, serde_json::Error> {
    let movies: Option<Vec<Movie>> = serde_json::from_slice(body)?;
    Ok(movies
        .unwrap_or_default()
        .into_iter()
        .map(Into::into)
        .collect())
}

/// What a refusal says, if it is in the monolith's shape.
pub(super) fn error(body: &[u8]) -> Option<String> {
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    Some(refusal.error)
}

pub(super) fn request(details: &MovieDetails) -> Bytes {
    let MovieDetails {
        title,
        description,
        genres,
        rating,
    } = details;
    let body =
        json!({ "title": title, "description": description, "genres": genres, "rating": rating });
    Bytes::from(body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots() -> FollowedMovie {
        let details = MovieDetails {
            title: "Roots".to_owned(),
            description: "A forest".to_owned(),
            genres: vec!["drama".to_owned()],
            rating: 8.0,
        };
        FollowedMovie { id: 7, details }
    }

    #[test]
    fn a_movie_is_read_whatever_comes_with_it() {
        let body =
            br#"{"id":7,"title":"Roots","description":"A forest","genres":["drama"],"rating":8,"created_at":"2020"}"#;
        assert_eq!(movie(body).unwrap(), roots());
        let sent = request(&roots().details);
        assert_eq!(
            sent,
            r#"{"title":"Roots","description":"A forest","genres":["drama"],"rating":8.0}"#
        );
    }

    #[test]
    fn null_is_nothing() {
        assert_eq!(movies(b"null").unwrap(), []);
        let movies =
            movies(br#"[{"id":1,"title":"","description":null,"genres":null,"rating":null}]"#)
                .unwrap();
        assert!(movies[0].details.genres.is_empty());
    }

    #[test]
    fn what_names_no_id_is_malformed() {
        for body in [
            r#"{"title":"Roots"}"#,
            r#"{"id":"7","title":"Roots"}"#,
            "[]",
            "<html>",
        ] {
            assert!(movie(body.as_bytes()).is_err(), "{body}");
        }
    }
}
