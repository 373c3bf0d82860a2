//! Guests without an account: known by a cookie that nobody can guess, and to services by the same token as metadata.
//!
//! The token is a password: it is minted here, taken only from the cookie (never from a header of the metadata's name),
//! and never logged.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{COOKIE, SET_COOKIE},
};
use tonic::metadata::{Ascii, MetadataKey};

use crate::{config::GuestConfig, context::Context, cookies};

/// How guests are known.
#[derive(Clone, Debug)]
pub(crate) struct Guests {
    cookie: String,
    metadata: HeaderName,
}

/// The guest who sent a request.
#[derive(Debug)]
pub(crate) struct Guest {
    token: String,
    /// To be given to a guest who came without one.
    set_cookie: Option<HeaderValue>,
}

impl Guests {
    /// `None` if the metadata's name is not one.
    pub(crate) fn new(config: &GuestConfig) -> Option<Guests> {
        MetadataKey::<Ascii>::from_bytes(config.metadata.as_bytes()).ok()?;
        let metadata = HeaderName::try_from(&config.metadata).ok()?;
        Some(Guests {
            cookie: config.cookie.clone(),
            metadata,
        })
    }

    /// Who sent the request; somebody new where the cookie is absent or none of ours.
    pub(crate) fn of(&self, headers: &HeaderMap, context: &Context) -> Option<Guest> {
        if let Some(token) =
            cookies::find_all(headers, &self.cookie).find(|token| cookies::is_token(token))
        {
            return Some(Guest {
                token: token.to_owned(),
                set_cookie: None,
            });
        }
        let token = cookies::token()?;
        Some(Guest {
            set_cookie: cookies::set(&self.cookie, &token, context.https),
            token,
        })
    }

    /// Takes out what only services of this gateway may know, and what would be taken for it.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) {
        headers.remove(&self.metadata);
        if headers.contains_key(COOKIE) {
            match self.cookies(headers) {
                Some(cookies) => headers.insert(COOKIE, cookies),
                None => headers.remove(COOKIE),
            };
        }
    }

    /// Whether a header is what only services of this gateway may know, or would be taken for it.
    pub(crate) fn is_secret(&self, name: &HeaderName) -> bool {
        *name == self.metadata
    }

    /// A request's cookies without the guest's own.
    pub(crate) fn cookies(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        match headers.contains_key(COOKIE) {
            true => cookies::without(headers, &self.cookie),
            false => None,
        }
    }

    /// Takes out what a service may have echoed.
    pub(crate) fn conceal(&self, headers: &mut HeaderMap) {
        headers.remove(&self.metadata);
    }

    /// Tells a service who calls, in the header of the call.
    pub(crate) fn introduce(&self, guest: &Guest, headers: &mut HeaderMap) {
        if let Ok(token) = HeaderValue::try_from(guest.token.as_str()) {
            headers.insert(&self.metadata, token);
        }
    }
}

impl Guest {
    /// Gives the guest its cookie, where it has none yet.
    pub(crate) fn remember(self, headers: &mut HeaderMap) {
        if let Some(cookie) = self.set_cookie {
            headers.append(SET_COOKIE, cookie);
        }
    }
}
