//! Who may use the operators' address.
//!
//! Until operators sign in, what protects them is where the address is (loopback by default) and this guard, against
//! what reaches loopback all the same: a web page in the operator's own browser. A page elsewhere may send requests
//! here (cross-site request forgery) or give its own name the address 127.0.0.1 (DNS rebinding), so requests of other
//! sites and for unknown host names are refused. Off loopback a token is required.
//!
//! Probes and metrics stay open: they change nothing, and their callers have no secrets. Routes with `open = true` need no
//! token either: a browser cannot send one when it opens the page that asks for it.

use std::net::{IpAddr, SocketAddr};

use banyan_mesh::settings::Secret;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION, uri::Authority};
use subtle::ConstantTimeEq as _;

use crate::{config::OpsConfig, refusal::Refusal, site};

const OPEN: [&str; 4] = ["/livez", "/readyz", "/db-status", "/metrics"];

/// Decides who may use the operators' routes.
#[derive(Debug)]
pub(crate) struct Guard {
    allowed_hosts: Vec<String>,
    access: Access,
}

#[derive(Debug)]
enum Access {
    /// On loopback: whoever is on this machine.
    Local,
    /// Whoever knows the token.
    Token(Secret),
    /// Off loopback without a token: nobody.
    Nobody,
}

impl Guard {
    /// `address` is the one that is really listened on.
    pub(crate) fn new(config: &OpsConfig, address: SocketAddr) -> Guard {
        let access = match &config.token {
            Some(token) => Access::Token(token.clone()),
            None if address.ip().is_loopback() => Access::Local,
            None => Access::Nobody,
        };
        Guard {
            allowed_hosts: config.allowed_hosts.clone(),
            access,
        }
    }

    /// Whether a path needs no leave.
    pub(crate) fn is_open(path: &str) -> bool {
        OPEN.contains(&path)
    }

    /// Whether a request comes from where operators are, or what is wrong.
    pub(crate) fn check_site(
        &self,
        headers: &HeaderMap,
        host: Option<&HeaderValue>,
    ) -> Result<(), Refusal> {
        let authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
        if !authority
            .as_ref()
            .is_some_and(|authority| self.is_known(authority.host()))
        {
            return Err(Refusal::forbidden(
                "this host is not in ops.allowed_hosts (OPS_ALLOWED_HOSTS)",
            ));
        }
        if site::is_other(headers, authority.as_ref()) {
            return Err(Refusal::forbidden(
                "requests from pages of other sites are refused",
            ));
        }
        Ok(())
    }

    /// Whether a request's sender is an operator, or what is missing.
    pub(crate) fn check_token(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        match &self.access {
            Access::Local => Ok(()),
            Access::Nobody => Err(Refusal::forbidden(
                "this address is not a loopback one, so that ops.token (OPS_TOKEN) has to be set",
            )),
            Access::Token(token) if bears(headers, token) => Ok(()),
            Access::Token(_) => Err(Refusal::unauthenticated()),
        }
    }

    fn is_known(&self, host: &str) -> bool {
        let is_loopback = |host: &str| {
            let address = host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .parse::<IpAddr>();
            host.eq_ignore_ascii_case("localhost")
                || address.is_ok_and(|address| address.is_loopback())
        };
        is_loopback(host)
            || self
                .allowed_hosts
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(host))
    }
}

fn bears(headers: &HeaderMap, token: &Secret) -> bool {
    let sent = headers
        .get(AUTHORIZATION)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    match sent.split_at_checked(7) {
        // Time must not tell how much of a guess was right.
        Some((scheme, sent)) if scheme.eq_ignore_ascii_case(b"bearer ") => {
            bool::from(sent.ct_eq(token.expose().as_bytes()))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn status(config: &OpsConfig, address: &str, headers: &[(&'static str, &'static str)]) -> u16 {
        let guard = Guard::new(config, address.parse().unwrap());
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        let checked = guard
            .check_site(&headers, headers.get("host"))
            .and_then(|()| guard.check_token(&headers));
        match checked {
            Ok(()) => 200,
            Err(refusal) => refusal.status.as_u16(),
        }
    }

    #[track_caller]
    fn check(want: u16, headers: &[(&'static str, &'static str)]) {
        let config = OpsConfig {
            allowed_hosts: vec!["ops.example".to_owned()],
            ..OpsConfig::default()
        };
        assert_eq!(
            status(&config, "127.0.0.1:9000", headers),
            want,
            "{headers:?}"
        );
    }

    #[test]
    fn only_known_hosts_are_served() {
        for known in [
            "localhost",
            "localhost:9000",
            "127.0.0.1:9000",
            "[::1]:9000",
            "ops.example:9000",
            "OPS.example",
        ] {
            check(200, &[("host", known)]);
        }
        for unknown in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "",
        ] {
            check(403, &[("host", unknown)]);
        }
        check(403, &[]);
    }

    #[test]
    fn other_sites_are_refused() {
        check(
            200,
            &[
                ("host", "localhost:9000"),
                ("sec-fetch-site", "same-origin"),
                ("origin", "http://localhost:9000"),
            ],
        );
        check(
            200,
            &[("host", "localhost:9000"), ("sec-fetch-site", "none")],
        );
        check(
            403,
            &[("host", "localhost:9000"), ("sec-fetch-site", "cross-site")],
        );
        check(
            403,
            &[("host", "localhost:9000"), ("sec-fetch-site", "same-site")],
        );
        check(
            403,
            &[
                ("host", "localhost:9000"),
                ("origin", "http://localhost:8000"),
            ],
        );
        check(
            403,
            &[
                ("host", "localhost:9000"),
                ("origin", "https://evil.example"),
            ],
        );
        check(403, &[("host", "localhost:9000"), ("origin", "null")]);
    }

    #[test]
    fn off_loopback_a_token_is_required() {
        let host = ("host", "localhost");
        let open = OpsConfig::default();
        assert_eq!(status(&open, "0.0.0.0:9000", &[host]), 403);
        let locked = OpsConfig {
            token: Some(Secret::new("sesame")),
            ..open
        };
        assert_eq!(status(&locked, "0.0.0.0:9000", &[host]), 401);
        for (sent, want) in [
            ("Bearer sesame", 200),
            ("bearer sesame", 200),
            ("Bearer sesam", 401),
            ("Bearer sesame1", 401),
            ("Basic sesame", 401),
            ("", 401),
        ] {
            assert_eq!(
                status(&locked, "0.0.0.0:9000", &[host, ("authorization", sent)]),
                want,
                "{sent}"
            );
        }
        assert_eq!(
            status(&locked, "127.0.0.1:9000", &[host]),
            401,
            "a token that is set is asked for everywhere"
        );
    }
}
