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

/// What happened to a movie there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    Upsert(FollowedMovie),
    Delete(i64),
}

/// Some of what changed, in the order in which it did.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Changes {
    pub changes: Vec<Change>,
    /// Where to go on.
    pub next: String,
    /// Whether there was more at the time.
    pub more: bool,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default, deserialize_with = "or_nothing")]
    changes: Vec<Told>,
    next: String,
    #[serde(default)]
    more: bool,
}

#[derive(Deserialize)]
struct Told {
    id: i64,
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Kind {
    Upsert { movie: Movie },
    Delete,
}

/// Longer cursors are not kept.
const CURSOR_BYTES_MAX: usize = 1_024;

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

pub(super) fn changes(body: &[u8]) -> Result<Changes, serde_json::Error> {
    use serde::de::Error as _;
    let Page {
        changes,
        next,
        more,
    } = serde_json::from_slice(body)?;
    if next.is_empty() || next.len() > CURSOR_BYTES_MAX || next.contains('\0') {
        let wrong = format!("`next` must have 1 to {CURSOR_BYTES_MAX} bytes and no NUL characters");
        return Err(serde_json::Error::custom(wrong));
    }
    let change = |told: Told| match told.kind {
        Kind::Delete => Ok(Change::Delete(told.id)),
        Kind::Upsert { movie } if movie.id == told.id => Ok(Change::Upsert(movie.into())),
        Kind::Upsert { .. } => Err(serde_json::Error::custom("a change of another movie's id")),
    };
    Ok(Changes {
        changes: changes.into_iter().map(change).collect::<Result<_, _>>()?,
        next,
        more,
    })
}

/// A cursor as part of a query: it is the monolith's, and may hold anything.
pub(super) fn encoded(cursor: &str) -> String {
    let mut text = String::with_capacity(cursor.len());
    for byte in cursor.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
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
    fn changes_are_read_in_their_order() {
        let body = br#"{"changes":[
            {"cursor":"a-1","id":7,"kind":"upsert","movie":{"id":7,"title":"Roots","description":"A forest","genres":["drama"],"rating":8}},
            {"cursor":"a-2","id":9,"kind":"delete"}],"next":"a-2","more":true}"#;
        let want = Changes {
            changes: vec![Change::Upsert(roots()), Change::Delete(9)],
            next: "a-2".to_owned(),
            more: true,
        };
        assert_eq!(changes(body).unwrap(), want);
        let quiet = changes(br#"{"changes":null,"next":"a-2"}"#).unwrap();
        assert_eq!((quiet.changes.len(), quiet.more), (0, false));
        let long = format!(r#"{{"changes":[],"next":"{}"}}"#, "x".repeat(1_025));
        for body in [
            r#"{"changes":[]}"#,
            r#"{"changes":[],"next":""}"#,
            r#"{"changes":[{"id":1,"kind":"renamed"}],"next":"a"}"#,
            r#"{"changes":[{"id":1,"kind":"upsert"}],"next":"a"}"#,
            r#"{"changes":[{"id":1,"kind":"upsert","movie":{"id":2,"title":""}}],"next":"a"}"#,
            &long,
        ] {
            assert!(changes(body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(encoded("a-1 &\u{e9}"), "a-1%20%26%C3%A9");
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
