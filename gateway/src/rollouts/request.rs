//! What a request shows of its subject: headers, and the cookies in them (RFC 6265 section 4.2).

use banyan_rollout::Facts;
use http::HeaderMap;

use crate::cookies;

/// The headers of a request.
pub(super) struct RequestFacts<'a>(pub(super) &'a HeaderMap);

impl Facts for RequestFacts<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        cookies::find(self.0, name)
    }
}

#[cfg(test)]
mod tests {
    use http::header::COOKIE;

    use super::*;

    #[test]
    fn cookies_are_found_in_every_cookie_header() {
        let mut headers = HeaderMap::new();
        // HTTP/2 clients may send one header a cookie (RFC 9113 section 8.2.3).
        headers.append(COOKIE, "theme=dark; lang=ru".parse().unwrap());
        headers.append(COOKIE, "banyan_subject=a=b".parse().unwrap());
        let facts = RequestFacts(&headers);
        assert_eq!(facts.cookie("lang"), Some("ru"));
        assert_eq!(facts.cookie("banyan_subject"), Some("a=b"));
        assert_eq!(facts.cookie("subject"), None);
        assert_eq!(facts.header("x-user-id"), None);
    }
}
