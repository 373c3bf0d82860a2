//! What answers have whoever gave them, and the two that HTTP itself asks for: to `HEAD` and to `OPTIONS`.

use axum::body::Body;
use banyan_rollout::Side;
use http::{
    HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{ALLOW, CONTENT_LENGTH, SET_COOKIE},
};

use crate::context::Context;

const SIDE: HeaderName = HeaderName::from_static("x-banyan-side");

/// Tells a client which side answered, and gives it what keeps it there.
pub(super) fn mark(
    response: &mut Response<Body>,
    side: Side,
    cookies: Vec<HeaderValue>,
    context: &Context,
) {
    let side = HeaderValue::from_static(side.as_str());
    response.headers_mut().insert(SIDE, side);
    for cookie in cookies {
        give_cookie(response, cookie, context);
    }
}

/// For https only, where the client came by it.
pub(super) fn give_cookie(response: &mut Response<Body>, cookie: HeaderValue, context: &Context) {
    let secure = context.https.then(|| secure(&cookie)).flatten();
    let cookie = secure.unwrap_or(cookie);
    response.headers_mut().append(SET_COOKIE, cookie);
}

/// The answer to HEAD, which is GET without its content: the length stays, the content goes. HTTP/2 would send it.
pub(super) fn without_body(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if let Some(bytes) = http_body::Body::size_hint(&body)
        .exact()
        .filter(|bytes| *bytes > 0)
    {
        let length = HeaderValue::from(bytes);
        parts.headers.entry(CONTENT_LENGTH).or_insert(length);
    }
    Response::from_parts(parts, Body::empty())
}

/// What may be asked of a path (RFC 9110, 9.3.7).
pub(super) fn options(allow: &[Method]) -> Response<Body> {
    let names = allow.iter().chain([&Method::OPTIONS]).map(Method::as_str);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(allow) = HeaderValue::try_from(names.collect::<Vec<_>>().join(", ")) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

/// The same cookie for https only.
fn secure(cookie: &HeaderValue) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("{}; Secure", cookie.to_str().ok()?)).ok()
}
