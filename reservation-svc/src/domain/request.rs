//! Who asks, and under which request id (AIP-155).

use std::fmt;

/// Longest request id, in bytes.
pub const REQUEST_ID_BYTES_MAX: usize = 128;

/// Whose bookings: the hash of a guest's secret token, or a partner's interface. Never the token itself.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Principal(String);

impl Principal {
    /// A guest, by the hash of its token in hexadecimal.
    pub fn guest(token_hash: String) -> Self {
        Self(token_hash)
    }

    /// All partners that book through the provider's API.
    pub fn provider() -> Self {
        Self("provider".to_owned())
    }

    /// Whoever runs a venue.
    pub fn operator() -> Self {
        Self("operator".to_owned())
    }

    /// As stored before.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// As stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// A hash of a secret is nothing for a log either.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Principal(..)")
    }
}

/// What makes two requests the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// Which method was called; the same id may be used for another method.
    pub method: &'static str,
    /// The caller's id.
    pub id: String,
    /// SHA-256 of the request's content.
    pub fingerprint: [u8; 32],
}

/// Whether a text can be a request id: 1 to 128 visible ASCII characters.
pub fn is_request_id(text: &str) -> bool {
    (1..=REQUEST_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}
