//! What a request shows of itself: where subjects and rules look, and what it asks of its side.

use std::borrow::Cow;

use banyan_rollout::{Facts, field_of_body};
use banyan_transcode::{Captures, RequestView};
use http::{HeaderMap, HeaderName};

use crate::{
    cookies,
    sent::{Sent, Unseen},
    tokens::Presented,
};

/// A side that somebody asks for.
pub(crate) const FORCE_SIDE: HeaderName = HeaderName::from_static("x-banyan-force-side");
/// By what they may.
pub(crate) const FORCE_TOKEN: HeaderName = HeaderName::from_static("x-banyan-force-token");

/// A request, as far as a decision needs it. What is not known is absent.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Whether it changes nothing.
    pub is_safe: bool,
    /// Whether the other side may be asked the same without effect.
    pub(crate) is_comparable: bool,
    /// Parameters of its path.
    pub(crate) captures: Option<&'a Captures>,
    /// Its query, as it came.
    pub query: Option<&'a str>,
    /// Its body, where subjects may stand in it.
    pub(crate) body: Option<&'a Sent>,
    /// The message of a gRPC call, in place of path, query and body.
    pub(crate) message: Option<Message<'a>>,
    /// The client's address.
    pub address: Option<&'a str>,
    /// Its token, where tokens have settings.
    pub(crate) token: Option<&'a Presented<'a>>,
    /// Whether it came from an operator, who may ask for a side without more.
    pub is_operators: bool,
}

/// A message, and what its routes make of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) views: &'a [RequestView],
    pub(crate) sent: &'a Sent,
}

impl Message<'_> {
    fn text(
        &self,
        read: impl FnOnce(&RequestView, &[u8]) -> Option<String>,
    ) -> Option<Cow<'static, str>> {
        let wire = self.sent.look().ok()?;
        let view = RequestView::fitting(self.views, wire)?;
        read(view, wire).map(Cow::Owned)
    }
}

impl<'a> Asked<'a> {
    /// A request that changes nothing and shows nothing but headers.
    #[must_use]
    pub const fn of(headers: &'a HeaderMap) -> Self {
        Self {
            headers,
            is_safe: true,
            is_comparable: true,
            captures: None,
            query: None,
            body: None,
            message: None,
            address: None,
            token: None,
            is_operators: false,
        }
    }

    /// Why a subject was looked for in what it sent, and not seen.
    pub(super) fn unseen(&self) -> Option<Unseen> {
        let message = self.message.map(|message| message.sent);
        message.or(self.body)?.unseen()
    }

    pub(super) fn text(&self, name: &HeaderName) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Facts for Asked<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        cookies::find(self.headers, name)
    }

    fn claim(&self, name: &str) -> Option<Cow<'_, str>> {
        let claim = self.token?.claim(self.headers, name);
        claim.map(Cow::Borrowed)
    }

    fn path(&self, name: &str) -> Option<Cow<'_, str>> {
        if let Some(message) = self.message {
            return message.text(|view, wire| view.path(wire, name));
        }
        self.captures?.get(name).map(Cow::Borrowed)
    }

    fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        if let Some(message) = self.message {
            return message.text(|view, wire| view.query(wire, name));
        }
        let pairs = url::form_urlencoded::parse(self.query?.as_bytes());
        pairs
            .into_iter()
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    fn body(&self, path: &str) -> Option<Cow<'_, str>> {
        if let Some(message) = self.message {
            return message.text(|view, wire| view.body(wire, path));
        }
        let body = self.body?.look().ok()?;
        field_of_body(body, path).map(Cow::Owned)
    }

    fn client_address(&self) -> Option<Cow<'_, str>> {
        self.address.map(Cow::Borrowed)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::header::COOKIE;

    use super::*;

    #[test]
    fn cookies_are_found_in_every_cookie_header() {
        let mut headers = HeaderMap::new();
        // HTTP/2 clients may send one header a cookie (RFC 9113 section 8.2.3).
        headers.append(COOKIE, "theme=dark; lang=ru".parse().unwrap());
        headers.append(COOKIE, "banyan_subject=a=b".parse().unwrap());
        let facts = Asked::of(&headers);
        assert_eq!(facts.cookie("lang"), Some("ru"));
        assert_eq!(facts.cookie("banyan_subject"), Some("a=b"));
        assert_eq!(facts.cookie("subject"), None);
        assert_eq!(facts.header("x-user-id"), None);
    }

    #[test]
    fn queries_and_bodies_are_read_as_they_are_meant() {
        let headers = HeaderMap::new();
        let body = Bytes::from_static(br#"{"guest": {"id": 7}}"#);
        let body = Sent::body(Ok(body), &headers);
        let facts = Asked {
            query: Some("a=1&user=%D0%B0+b&user=2"),
            body: Some(&body),
            ..Asked::of(&headers)
        };
        assert_eq!(facts.query("user").as_deref(), Some("а b"));
        assert_eq!(facts.query("nobody"), None);
        assert_eq!(facts.body("guest.id").as_deref(), Some("7"));
    }
}
