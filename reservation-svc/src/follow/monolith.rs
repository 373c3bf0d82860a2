//! The cinema monolith's API for movies, as a client sees it: list, get, create; and where it can do more, put, delete
//! and its feed of changes.
//!
//! An [`Error`] says whether a create may have happened: only a connection that never stood, a fault found with the
//! request, and a 503, say that it did not; and whether it may happen yet, which only the monolith's own answer rules out:
//! a proxy before it may answer 502 or 504, or hang up, for what the monolith is still busy with. Writes are never repeated
//! from here, because the monolith has no request ids.
//!
//! A server may close a kept connection at any moment, also just when a request is on its way (RFC 9112, section 9.3.1).
//! So a read that a kept connection broke off is repeated once on a new one, and a write always takes a new one: it
//! would otherwise be told as unknown when the monolith has merely stopped to wait for more.
//!
//! Limits: plain HTTP; a second to connect, five for a whole exchange, 16 MiB for an answer. A list has no pages there,
//! so a catalogue larger than that cannot be followed.

mod wire;

use std::{error::Error as StdError, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::{
    client::legacy::{self, Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

pub(crate) use self::wire::{Change, Changes};
use crate::{
    capabilities::Capability,
    domain::followed_movie::{FollowedMovie, MovieDetails},
};

const CONNECT_TIME_MAX: Duration = Duration::from_secs(1);
const EXCHANGE_TIME_MAX: Duration = Duration::from_secs(5);
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
const IDLE_CONNECTIONS_MAX: usize = 8;

/// Why the monolith's address cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{url}` is not an address like http://localhost:8080")]
pub(crate) struct UrlError {
    url: String,
}

/// Why the monolith did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There was no connection: nothing was sent.
    #[error("the monolith cannot be reached")]
    Unreachable(#[source] legacy::Error),
    /// The connection broke; the request may have arrived.
    #[error("the monolith broke the connection off")]
    Broken(#[source] legacy::Error),
    /// The request was sent, and the answer did not come or was not whole in time.
    #[error("the monolith did not answer within {} s", EXCHANGE_TIME_MAX.as_secs())]
    Slow,
    /// The answer broke off, or was larger than 16 MiB.
    #[error("the monolith's answer cannot be read")]
    Read(#[source] Box<dyn StdError + Send + Sync>),
    /// The monolith found fault with the request.
    #[error("{message}")]
    Refused {
        /// As the monolith put it.
        message: String,
    },
    /// Trouble on the other side.
    #[error("the monolith answered {status}")]
    Failed {
        /// What it answered.
        status: StatusCode,
    },
    /// The answer is not in the shape of its API.
    #[error("the monolith's answer is not what its API promises")]
    Malformed(#[source] serde_json::Error),
    /// It is declared to do what it does not know.
    #[error("the monolith answered {status}: it does not offer `{capability}`, which is declared")]
    NotOffered {
        /// What it answered.
        status: StatusCode,
        /// What is declared.
        capability: Capability,
    },
}

impl Error {
    /// Whether what was asked for may have been done all the same.
    pub(crate) fn may_have_happened(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Refused { .. } | Self::NotOffered { .. } => false,
            Self::Failed { status } => {
                !status.is_client_error() && *status != StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Broken(_) | Self::Slow | Self::Read(_) | Self::Malformed(_) => true,
        }
    }

    /// Whether the monolith does nothing more about it: what it has done is there to be seen.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Broken(_) | Self::Slow => false,
            // It was taken in to be done later, or it is not the monolith that speaks: its own failure is a 500.
            Self::Failed { status } => !matches!(status.as_u16(), 202 | 501 | 502 | 504..),
            _ => true,
        }
    }
}

/// A client of one monolith; clones share its connections.
#[derive(Clone, Debug)]
pub(crate) struct Monolith {
    /// Without a slash at its end.
    base: String,
    /// Keeps connections.
    kept: Client<HttpConnector, Full<Bytes>>,
    /// Takes a new connection each time.
    fresh: Client<HttpConnector, Full<Bytes>>,
}

struct Answer {
    status: StatusCode,
    body: Bytes,
}

impl Monolith {
    /// `url` is `http://host:port`, with a path if the API does not start at the root.
    pub(crate) fn new(url: &str) -> Result<Self, UrlError> {
        let wrong = || UrlError {
            url: url.to_owned(),
        };
        let parsed: Uri = url.parse().map_err(|_| wrong())?;
        if parsed.scheme_str() != Some("http")
            || parsed.host().is_none_or(str::is_empty)
            || parsed.query().is_some()
        {
            return Err(wrong());
        }
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIME_MAX));
        // Requests are small: do not let them wait for company.
        connector.set_nodelay(true);
        let client = |idle_max| {
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_max_idle_per_host(idle_max)
                .build(connector.clone())
        };
        Ok(Self {
            base: url.trim_end_matches('/').to_owned(),
            kept: client(IDLE_CONNECTIONS_MAX),
            fresh: client(0),
        })
    }

    /// All movies, in the monolith's order.
    pub(crate) async fn list_movies(&self) -> Result<Vec<FollowedMovie>, Error> {
        let answer = self.read("").await?;
        match answer.status {
            StatusCode::OK => wire::movies(&answer.body).map_err(Error::Malformed),
            _ => Err(answer.into_error()),
        }
    }

    /// One movie; none if the monolith has no such id.
    pub(crate) async fn get_movie(&self, id: i64) -> Result<Option<FollowedMovie>, Error> {
        let answer = self.read(&format!("?id={id}")).await?;
        match answer.status {
            StatusCode::OK => wire::movie(&answer.body)
                .map(Some)
                .map_err(Error::Malformed),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(answer.into_error()),
        }
    }

    /// Creates a movie, and answers it with the id that it got.
    pub(crate) async fn create_movie(
        &self,
        details: &MovieDetails,
    ) -> Result<FollowedMovie, Error> {
        let answer = self.write(Method::POST, "", wire::request(details)).await?;
        match answer.status {
            // Only 201 is promised; other monoliths answer 200.
            StatusCode::CREATED | StatusCode::OK => {
                wire::movie(&answer.body).map_err(Error::Malformed)
            }
            _ => Err(answer.into_error()),
        }
    }

    /// Makes the movie of that id what it is here: changes it (`capability` is update) or adds it (keeps-ids).
    pub(crate) async fn put_movie(
        &self,
        movie: &FollowedMovie,
        capability: Capability,
    ) -> Result<(), Error> {
        let body = wire::request(&movie.details);
        let query = format!("?id={}", movie.id);
        let answer = self.write(Method::PUT, &query, body).await?;
        match answer.status {
            StatusCode::CREATED | StatusCode::OK | StatusCode::NO_CONTENT => Ok(()),
            _ => Err(answer.unless_offered(capability)),
        }
    }

    /// Removes the movie of that id; one that is not there is no failure.
    pub(crate) async fn delete_movie(&self, id: i64) -> Result<(), Error> {
        let query = format!("?id={id}");
        let answer = self.write(Method::DELETE, &query, Bytes::new()).await?;
        match answer.status {
            StatusCode::OK | StatusCode::NO_CONTENT | StatusCode::NOT_FOUND => Ok(()),
            _ => Err(answer.unless_offered(Capability::Delete)),
        }
    }

    /// What changed since a cursor, at most `limit` of it; without one where its feed is now. None if it does not know
    /// the cursor any more.
    pub(crate) async fn changes(
        &self,
        since: Option<&str>,
        limit: usize,
    ) -> Result<Option<Changes>, Error> {
        let since = since.map_or_else(String::new, |cursor| {
            format!("&since={}", wire::encoded(cursor))
        });
        let answer = self.read(&format!("/changes?limit={limit}{since}")).await?;
        match answer.status {
            StatusCode::OK => wire::changes(&answer.body)
                .map(Some)
                .map_err(Error::Malformed),
            StatusCode::GONE => Ok(None),
            StatusCode::NOT_FOUND => Err(Error::NotOffered {
                status: answer.status,
                capability: Capability::ChangeFeed,
            }),
            _ => Err(answer.unless_offered(Capability::ChangeFeed)),
        }
    }

    /// Reads; a broken connection says nothing about the monolith unless it was a new one.
    async fn read(&self, query: &str) -> Result<Answer, Error> {
        let exchange = async {
            match self
                .send(&self.kept, Method::GET, query, Bytes::new())
                .await
            {
                Err(Error::Broken(_)) => {
                    self.send(&self.fresh, Method::GET, query, Bytes::new())
                        .await
                }
                result => result,
            }
        };
        in_time(exchange).await
    }

    async fn write(&self, method: Method, query: &str, body: Bytes) -> Result<Answer, Error> {
        in_time(self.send(&self.fresh, method, query, body)).await
    }

    async fn send(
        &self,
        client: &Client<HttpConnector, Full<Bytes>>,
        method: Method,
        query: &str,
        body: Bytes,
    ) -> Result<Answer, Error> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/api/movies{query}", self.base))
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body));
        let request = request.map_err(|error| Error::Read(error.into()))?;
        let response = client.request(request).await.map_err(|error| {
            if error.is_connect() {
                Error::Unreachable(error)
            } else {
                Error::Broken(error)
            }
        })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX)
            .collect()
            .await;
        let body = match body {
            Ok(body) => body.to_bytes(),
            Err(error) if status.is_success() => return Err(Error::Read(error)),
            // The status says it all.
            Err(_) => Bytes::new(),
        };
        Ok(Answer { status, body })
    }
}

async fn in_time(exchange: impl Future<Output = Result<Answer, Error>>) -> Result<Answer, Error> {
    tokio::time::timeout(EXCHANGE_TIME_MAX, exchange)
        .await
        .unwrap_or(Err(Error::Slow))
}

impl Answer {
    /// A method or path that it does not know is no fault of the request.
    fn unless_offered(self, capability: Capability) -> Error {
        match self.status {
            status @ (StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED) => {
                Error::NotOffered { status, capability }
            }
            _ => self.into_error(),
        }
    }

    fn into_error(self) -> Error {
        let status = self.status;
        // These speak of the moment, not of the request.
        let later = matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        );
        if status.is_client_error() && !later {
            let message = wire::error(&self.body)
                .unwrap_or_else(|| format!("the monolith answered {status}"));
            Error::Refused { message }
        } else {
            Error::Failed { status }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_addresses_are_taken() {
        for url in [
            "http://localhost:8080",
            "http://legacy",
            "http://10.0.0.1:80/cinema/",
        ] {
            assert!(Monolith::new(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "localhost:8080",
            "https://legacy",
            "/api",
            "http://",
            "http://legacy?x=1",
            "tcp://a:1",
        ] {
            let error = Monolith::new(url).unwrap_err();
            assert!(error.to_string().contains(&format!("`{url}`")), "{error}");
        }
    }

    #[test]
    fn an_answer_says_whether_a_create_happened_and_whether_it_may_yet() {
        let error = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            let body = Bytes::new();
            Answer { status, body }.into_error()
        };
        for (error, may_have_happened, is_over) in [
            (error(202), true, false),
            (error(303), true, true),
            (error(400), false, true),
            (error(408), false, true),
            (error(429), false, true),
            (error(500), true, true),
            (error(502), true, false),
            (error(503), false, true),
            (error(504), true, false),
            (error(520), true, false),
            (Error::Slow, true, false),
        ] {
            assert_eq!(error.may_have_happened(), may_have_happened, "{error}");
            assert_eq!(error.is_over(), is_over, "{error}");
        }
    }
}
