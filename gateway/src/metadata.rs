//! Which headers of a request become metadata of its call, and which metadata of the answer become headers.
//!
//! Nothing passes unless the profile or the route names it. What belongs to one connection (RFC 9110, 7.6.1), what
//! describes a body, what gRPC and this gateway say themselves cannot be named at all ([`MetadataName`]), nor can the
//! metadata by which services know guests.
//!
//! A name that ends in `-bin` holds bytes: base64 on either side, refused where it is none.

use base64::Engine as _;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{config::MetadataName, refusal::Refusal, transcoded::BASE64};

/// The allow-lists of a route, compiled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowed {
    request: Vec<Name>,
    response: Vec<Name>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    name: HeaderName,
    is_binary: bool,
}

impl Allowed {
    /// `request` goes in, `response` comes out.
    pub(crate) fn new(request: &[MetadataName], response: &[MetadataName]) -> Allowed {
        Allowed {
            request: names(request),
            response: names(response),
        }
    }

    /// Both lists together.
    pub(crate) fn and(&self, other: &Allowed) -> Allowed {
        let joined = |one: &[Name], other: &[Name]| {
            let mut all = one.to_vec();
            all.extend(other.iter().filter(|name| !one.contains(name)).cloned());
            all
        };
        Allowed {
            request: joined(&self.request, &other.request),
            response: joined(&self.response, &other.response),
        }
    }

    /// Puts what is allowed of a request into the header of its call.
    pub(crate) fn send(&self, from: &HeaderMap, into: &mut HeaderMap) -> Result<(), Refusal> {
        for Name { name, is_binary } in &self.request {
            for value in from.get_all(name) {
                if !is_binary {
                    into.append(name, value.clone());
                    continue;
                }
                for bytes in value.as_bytes().split(|&byte| byte == b',') {
                    let bytes = BASE64.decode(bytes.trim_ascii()).map_err(|_| {
                        Refusal::bad_header(name, "must be base64, as its name ends in -bin")
                    })?;
                    append_binary(into, name, &bytes);
                }
            }
        }
        Ok(())
    }

    /// Puts what is allowed of an answer's metadata into its header. Bytes that are none are left out: they are not the
    /// client's fault.
    pub(crate) fn receive(&self, from: &HeaderMap, into: &mut HeaderMap) {
        for Name { name, is_binary } in &self.response {
            for value in from.get_all(name) {
                if !is_binary {
                    into.append(name, value.clone());
                    continue;
                }
                for bytes in value.as_bytes().split(|&byte| byte == b',') {
                    if let Ok(bytes) = BASE64.decode(bytes.trim_ascii()) {
                        append_binary(into, name, &bytes);
                    }
                }
            }
        }
    }
}

fn append_binary(into: &mut HeaderMap, name: &HeaderName, bytes: &[u8]) {
    if let Ok(value) = HeaderValue::try_from(BASE64.encode(bytes)) {
        into.append(name, value);
    }
}

fn names(names: &[MetadataName]) -> Vec<Name> {
    let names = names.iter().map(|name| Name {
        name: name.header().clone(),
        is_binary: name.header().as_str().ends_with("-bin"),
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(request: &[&str], response: &[&str]) -> Allowed {
        let names = |names: &[&str]| -> Vec<MetadataName> {
            let names = names
                .iter()
                .map(|name| (*name).to_owned().try_into().unwrap());
            names.collect()
        };
        Allowed::new(&names(request), &names(response))
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for &(name, value) in pairs {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_what_is_named_passes() {
        let allowed = allowed(&["x-tenant", "x-key-bin"], &["x-cost"]);
        let from = headers(&[
            ("x-tenant", "a"),
            ("x-tenant", "b"),
            ("x-other", "c"),
            ("x-key-bin", "AAE=, Ag"),
        ]);
        let mut into = HeaderMap::new();
        allowed.send(&from, &mut into).unwrap();
        let want = headers(&[
            ("x-tenant", "a"),
            ("x-tenant", "b"),
            ("x-key-bin", "AAE"),
            ("x-key-bin", "Ag"),
        ]);
        assert_eq!(into, want);
        let mut into = HeaderMap::new();
        allowed.receive(&headers(&[("x-cost", "7"), ("x-secret", "1")]), &mut into);
        assert_eq!(into, headers(&[("x-cost", "7")]));
    }

    #[test]
    fn bytes_that_are_none_are_refused_by_name() {
        let allowed = allowed(&["x-key-bin"], &["x-key-bin"]);
        let from = headers(&[("x-key-bin", "!")]);
        let refusal = allowed.send(&from, &mut HeaderMap::new()).unwrap_err();
        assert!(refusal.message.contains("x-key-bin"), "{}", refusal.message);
        let mut into = HeaderMap::new();
        allowed.receive(&from, &mut into);
        assert!(into.is_empty());
    }

    #[test]
    fn lists_add_up() {
        let both = allowed(&["x-a"], &["x-b"]).and(&allowed(&["x-a", "x-c"], &[]));
        assert_eq!((both.request.len(), both.response.len()), (2, 1));
    }
}
