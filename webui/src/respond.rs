//! How a path is answered: status, caching, validators and the headers that keep a browser safe.
//!
//! Files whose name carries a hash of their content are kept for a year and never asked for again; pages are asked for
//! each time and cost 304 and no body while they are the same. The Content-Security-Policy lets a page run our scripts
//! and talk to the place it came from, and lets nobody frame it; pictures of movies may come from any https address.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH,
        CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, REFERRER_POLICY,
        RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
    },
};
use http_body_util::Full;

use crate::{
    files::{File, Files},
    site::{Asset, Found, find},
};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https:; \
    connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Kept, but never used without asking.
const ASK_FIRST: &str = "no-cache";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><title>Banyan</title>\
    <h1>The browser app is not built</h1><p>Run <code>make ui</code>, then reload this page.</p></html>\n";

/// Answers requests from files.
#[derive(Debug)]
pub(crate) struct Responder<F> {
    files: F,
}

impl<F: Files> Responder<F> {
    pub(crate) fn new(files: F) -> Self {
        Self { files }
    }

    pub(crate) fn is_built(&self) -> bool {
        matches!(find(&self.files, "/app/"), Found::Page(_))
    }

    pub(crate) fn respond<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let mut response = match *request.method() {
            Method::GET | Method::HEAD => self.read(request),
            _ => with(
                plain(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD.\n"),
                ALLOW,
                "GET, HEAD",
            ),
        };
        secure(response.headers_mut());
        if request.method() == Method::HEAD {
            // The length stays as it would be (RFC 9110, 9.3.2).
            *response.body_mut() = Full::default();
        }
        response
    }

    fn read<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        match find(&self.files, request.uri().path()) {
            Found::Page(file) => fresh(request.headers(), file, HTML, ASK_FIRST),
            Found::Asset(asset) => encoded(request.headers(), asset),
            Found::Redirect(to) => with(plain(StatusCode::PERMANENT_REDIRECT, ""), LOCATION, to),
            Found::Missing => plain(StatusCode::NOT_FOUND, "There is nothing here.\n"),
            Found::NotBuilt => {
                let page = body(StatusCode::SERVICE_UNAVAILABLE, NOT_BUILT.into(), HTML);
                with(with(page, CACHE_CONTROL, "no-store"), RETRY_AFTER, "30")
            }
        }
    }
}

/// The asset in the smallest form that the browser takes.
fn encoded(headers: &HeaderMap, asset: Asset) -> Response<Full<Bytes>> {
    let kind = asset.content_type;
    let response = match asset.brotli.filter(|_| takes_brotli(headers)) {
        Some(file) => with(fresh(headers, file, kind, FOR_EVER), CONTENT_ENCODING, "br"),
        None => fresh(headers, asset.plain, kind, FOR_EVER),
    };
    with(response, VARY, "accept-encoding")
}

/// `br` is named, and not with a weight of zero (RFC 9110, 12.5.3).
fn takes_brotli(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
            let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
            name.trim().eq_ignore_ascii_case("br") && weight.parse::<f32>().is_ok_and(|q| q > 0.0)
        })
}

/// The file, or nothing but its validator if the browser has it already.
fn fresh(
    headers: &HeaderMap,
    file: File,
    kind: &'static str,
    caching: &'static str,
) -> Response<Full<Bytes>> {
    let response = if knows(headers, &file.etag) {
        let mut unchanged = Response::new(Full::default());
        *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
        unchanged
    } else {
        body(StatusCode::OK, file.bytes, kind)
    };
    let mut response = with(response, CACHE_CONTROL, caching);
    if let Ok(etag) = HeaderValue::from_str(&file.etag) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}

/// Weak comparison: whatever a cache on the way made of the tag (RFC 9110, 13.1.2).
fn knows(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim())
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    body(status, Bytes::from_static(text.as_bytes()), TEXT)
}

fn body(status: StatusCode, bytes: Bytes, kind: &'static str) -> Response<Full<Bytes>> {
    let length = HeaderValue::from(bytes.len());
    let mut response = Response::new(Full::new(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_LENGTH, length);
    with(response, CONTENT_TYPE, kind)
}

fn with(
    mut response: Response<Full<Bytes>>,
    name: http::HeaderName,
    value: &'static str,
) -> Response<Full<Bytes>> {
    response
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
    response
}

fn secure(headers: &mut HeaderMap) {
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(CONTENT_SECURITY_POLICY, POLICY);
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(REFERRER_POLICY, "same-origin");
    set(
        http::HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::tests::Memory;

    fn built() -> Responder<Memory> {
        Responder::new(Memory::with(&[
            "app/index.html",
            "app/assets/a-1.js",
            "app/assets/a-1.js.br",
        ]))
    }

    fn ask(method: Method, path: &str, known: &str) -> Response<Full<Bytes>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(IF_NONE_MATCH, known)
            .body(())
            .unwrap();
        built().respond(&request)
    }

    #[track_caller]
    fn header(response: &Response<Full<Bytes>>, name: http::HeaderName) -> &str {
        response.headers()[name].to_str().unwrap()
    }

    #[test]
    fn assets_are_kept_for_ever_and_pages_are_asked_for_again() {
        let asset = ask(Method::GET, "/app/assets/a-1.js", "");
        assert_eq!(asset.status(), 200);
        assert_eq!(header(&asset, CACHE_CONTROL), FOR_EVER);
        let page = ask(Method::GET, "/app/bookings", "");
        assert_eq!(header(&page, CACHE_CONTROL), ASK_FIRST);
        assert_eq!(header(&page, CONTENT_TYPE), HTML);
    }

    #[test]
    fn assets_are_compressed_for_browsers_that_say_so() {
        for (accepts, coding) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("BR;q=0.5", Some("br")),
            ("gzip", None),
            ("br;q=0", None),
            ("", None),
        ] {
            let request = Request::get("/app/assets/a-1.js")
                .header(ACCEPT_ENCODING, accepts)
                .body(())
                .unwrap();
            let asset = built().respond(&request);
            let have = asset.headers().get(CONTENT_ENCODING);
            assert_eq!(
                have.map(|value| value.to_str().unwrap()),
                coding,
                "{accepts}"
            );
            assert_eq!(header(&asset, VARY), "accept-encoding");
            assert_eq!(
                header(&asset, CONTENT_TYPE),
                "text/javascript; charset=utf-8"
            );
        }
    }

    #[test]
    fn a_page_that_the_browser_has_costs_no_body() {
        for known in ["\"14\"", "W/\"14\"", "\"x\", \"14\"", "*"] {
            let page = ask(Method::GET, "/app/", known);
            assert_eq!(page.status(), 304, "{known}");
            assert_eq!(header(&page, ETAG), "\"14\"");
            assert!(!page.headers().contains_key(CONTENT_LENGTH));
        }
        assert_eq!(ask(Method::GET, "/app/", "\"15\"").status(), 200);
    }

    #[test]
    fn head_has_the_length_and_no_body() {
        use http_body::Body as _;
        let page = ask(Method::HEAD, "/app/", "");
        assert_eq!(header(&page, CONTENT_LENGTH), "14");
        assert_eq!(page.body().size_hint().exact(), Some(0));
    }

    #[test]
    fn other_methods_are_told_which_are_allowed() {
        let refused = ask(Method::POST, "/app/", "");
        assert_eq!(refused.status(), 405);
        assert_eq!(header(&refused, ALLOW), "GET, HEAD");
    }

    #[test]
    fn every_answer_is_safe_to_show() {
        for path in ["/app/", "/app/assets/a-1.js", "/app/assets/b.js", "/", "/x"] {
            let answer = ask(Method::GET, path, "");
            let policy = header(&answer, CONTENT_SECURITY_POLICY);
            assert!(policy.contains("frame-ancestors 'none'"), "{path}");
            assert!(!policy.contains("unsafe"), "{path}");
            assert_eq!(header(&answer, X_CONTENT_TYPE_OPTIONS), "nosniff");
        }
    }

    #[test]
    fn an_app_that_is_not_built_says_how_to_build_it() {
        let empty = Responder::new(Memory::with(&[]));
        assert!(!empty.is_built());
        let request = Request::get("/app/").body(()).unwrap();
        let answer = empty.respond(&request);
        assert_eq!(answer.status(), 503);
        assert_eq!(header(&answer, CACHE_CONTROL), "no-store");
        assert!(NOT_BUILT.contains("make ui"));
    }
}
