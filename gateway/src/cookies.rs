//! Cookies as the gateway reads and mints them.
//!
//! A minted cookie holds 256 random bits: nobody finds another's by guessing.
//! Names are compared in bytes: another site's cookie beside ours may hold anything, and must neither hide ours from us
//! nor carry it past us.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, header::COOKIE};

const TOKEN_BYTES: usize = 32;
const YEAR_S: u32 = 365 * 24 * 3600;

/// The first cookie of this name.
pub(crate) fn find<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    find_all(headers, name).next()
}

/// All cookies of this name that are text: browsers send one for each path and domain that it was set for.
pub(crate) fn find_all<'h, 'n>(
    headers: &'h HeaderMap,
    name: &'n str,
) -> impl Iterator<Item = &'h str> + use<'h, 'n> {
    pairs(headers)
        .filter(move |pair| is_named(pair, name))
        .filter_map(move |pair| std::str::from_utf8(pair.get(name.len() + 1..)?).ok())
}

/// All cookies that have this name, or begin with it and a dot: their names and values.
pub(crate) fn find_family<'h, 'n>(
    headers: &'h HeaderMap,
    name: &'n str,
) -> impl Iterator<Item = (&'h str, &'h str)> + use<'h, 'n> {
    pairs(headers)
        .filter(move |pair| {
            let rest = pair.strip_prefix(name.as_bytes());
            rest.is_some_and(|rest| matches!(rest.first(), Some(b'=' | b'.')))
        })
        .filter_map(|pair| std::str::from_utf8(pair).ok()?.split_once('='))
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|header| header.as_bytes().split(|&byte| byte == b';'))
        .map(<[u8]>::trim_ascii)
}

fn is_named(pair: &[u8], name: &str) -> bool {
    pair.strip_prefix(name.as_bytes())
        .is_some_and(|rest| rest.first() == Some(&b'='))
}

/// The cookies without one of them; `None` when no other is left.
pub(crate) fn without(headers: &HeaderMap, name: &str) -> Option<HeaderValue> {
    let left: Vec<&[u8]> = pairs(headers)
        .filter(|pair| !pair.is_empty() && !is_named(pair, name))
        .collect();
    HeaderValue::from_bytes(&left.join(&b"; "[..]))
        .ok()
        .filter(|_| !left.is_empty())
}

/// A token that nobody can guess; `None` when the system has no randomness to give.
pub(crate) fn token() -> Option<String> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether a value can be one of our tokens.
pub(crate) fn is_token(value: &str) -> bool {
    value.len() == (TOKEN_BYTES * 8).div_ceil(6)
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// A `Set-Cookie` for a year; out of reach of scripts and of other sites' forms.
pub(crate) fn set(name: &str, value: &str, https: bool) -> Option<HeaderValue> {
    let secure = if https { "; Secure" } else { "" };
    let cookie =
        format!("{name}={value}; Path=/; Max-Age={YEAR_S}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(cookie).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_one_name_and_what_follows_a_dot() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "pin=a; pin.1=b; pins=c; pin_2=d".parse().unwrap());
        headers.append(COOKIE, "pin.2=e=f".parse().unwrap());
        let found: Vec<_> = find_family(&headers, "pin").collect();
        assert_eq!(found, [("pin", "a"), ("pin.1", "b"), ("pin.2", "e=f")]);
    }

    #[test]
    fn cookies_are_found_and_taken_out() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; guest=secret;b=2"));
        headers.append(COOKIE, HeaderValue::from_static("c=3"));
        assert_eq!(find(&headers, "guest"), Some("secret"));
        assert_eq!(find(&headers, "c"), Some("3"));
        assert_eq!(find(&headers, "gues"), None);
        assert_eq!(without(&headers, "guest").unwrap(), "a=1; b=2; c=3");
        headers.clear();
        headers.append(COOKIE, HeaderValue::from_static("guest=secret"));
        assert_eq!(without(&headers, "guest"), None);
    }

    #[test]
    fn a_cookie_of_any_bytes_neither_hides_ours_nor_carries_it_past_us() {
        let mut headers = HeaderMap::new();
        let cookies = "theme=тёмная; mine=a; mine=b".as_bytes();
        headers.append(COOKIE, HeaderValue::from_bytes(cookies).unwrap());
        assert_eq!(find_all(&headers, "mine").collect::<Vec<_>>(), ["a", "b"]);
        let left = without(&headers, "mine").unwrap();
        assert_eq!(left.as_bytes(), "theme=тёмная".as_bytes());
    }

    #[test]
    fn tokens_are_tokens_and_differ() {
        let (a, b) = (token().unwrap(), token().unwrap());
        assert!(is_token(&a) && is_token(&b) && a != b);
        assert!(!is_token("") && !is_token(&a[1..]) && !is_token(&a.replace(&a[..1], "=")));
    }

    #[test]
    fn minted_cookies_are_secure_on_https() {
        let cookie = |https| set("a", "b", https).unwrap();
        assert_eq!(
            cookie(false),
            "a=b; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"
        );
        assert_eq!(
            cookie(true),
            "a=b; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax; Secure"
        );
    }
}
