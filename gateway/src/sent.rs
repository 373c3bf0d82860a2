//! What a request sent, looked into for a subject: a copy is unpacked for that, and what came goes on untouched.
//!
//! At most [`BODY_BYTES_MAX`] of it are kept, packed and unpacked alike, so that a bomb costs no more than any other body.
//! It is unpacked when somebody looks, and once. What cannot be seen has no fields, so that the request falls to its next
//! source; why is counted and logged.

use std::{fmt, sync::OnceLock};

use banyan_rollout::BODY_BYTES_MAX;
use bytes::Bytes;
use http::HeaderMap;

use crate::compression::{self, NotUnpacked};

/// Why nothing can be seen of what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unseen {
    /// It came longer than [`BODY_BYTES_MAX`].
    TooLong,
    /// It came short and unpacks longer.
    UnpacksTooLong,
    /// It is packed in a way, or in several, that nobody here knows.
    UnknownCoding,
    /// It is not what its coding says, or not one whole message.
    Corrupt,
    /// It broke off.
    BrokenOff,
}

/// A body or a message.
pub(crate) struct Sent {
    /// As it came.
    came: Result<Bytes, Unseen>,
    /// What it is packed in, if it is.
    coding: Option<String>,
    plain: OnceLock<Result<Bytes, Unseen>>,
}

impl Unseen {
    /// The stable name in logs and metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Unseen::TooLong => "too_long",
            Unseen::UnpacksTooLong => "unpacks_too_long",
            Unseen::UnknownCoding => "unknown_coding",
            Unseen::Corrupt => "corrupt",
            Unseen::BrokenOff => "broken_off",
        }
    }
}

impl From<NotUnpacked> for Unseen {
    fn from(why: NotUnpacked) -> Unseen {
        match why {
            NotUnpacked::UnknownCoding => Unseen::UnknownCoding,
            NotUnpacked::Corrupt => Unseen::Corrupt,
            NotUnpacked::TooLong => Unseen::UnpacksTooLong,
        }
    }
}

impl Sent {
    pub(crate) fn new(came: Result<Bytes, Unseen>, coding: Option<String>) -> Sent {
        Sent {
            came,
            coding,
            plain: OnceLock::new(),
        }
    }

    /// The body of a REST request, packed as its headers say.
    pub(crate) fn body(came: Result<Bytes, Unseen>, headers: &HeaderMap) -> Sent {
        // Several are one that nobody knows: bodies that are packed twice are not worth it.
        let packings: Vec<&str> = compression::packings(headers).collect();
        let coding = (!packings.is_empty()).then(|| packings.join(", "));
        Sent::new(came, coding)
    }

    /// As it came, if it was read.
    pub(crate) fn into_came(self) -> Result<Bytes, Unseen> {
        self.came
    }

    /// What it is without its coding.
    pub(crate) fn look(&self) -> Result<&Bytes, Unseen> {
        let plain = self.plain.get_or_init(|| {
            let came = self.came.clone()?;
            match &self.coding {
                None => Ok(came),
                Some(coding) => Ok(compression::unpacked(came, coding, BODY_BYTES_MAX)?),
            }
        });
        plain.as_ref().map_err(|unseen| *unseen)
    }

    /// Why somebody looked and saw nothing.
    pub(crate) fn unseen(&self) -> Option<Unseen> {
        self.plain.get()?.as_ref().err().copied()
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Bodies may hold anything, and are shown nowhere.
        f.debug_struct("Sent")
            .field("coding", &self.coding)
            .field("unseen", &self.unseen())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use compression_codecs::{
        BrotliEncoder, EncodeV2, GzipEncoder, ZlibEncoder, ZstdEncoder,
        core::{
            Level,
            util::{PartialBuffer, WriteBuffer},
        },
        flate::params::FlateEncoderParams,
    };
    use http::{HeaderValue, header::CONTENT_ENCODING};

    use super::*;

    fn packed(plain: &[u8], encoder: &mut dyn EncodeV2) -> Bytes {
        let mut space = vec![0; plain.len() + 1_000];
        let mut output = WriteBuffer::new_initialized(&mut space);
        let mut input = PartialBuffer::new(plain);
        encoder.encode(&mut input, &mut output).unwrap();
        assert!(input.unwritten().is_empty());
        assert!(encoder.finish(&mut output).unwrap());
        Bytes::copy_from_slice(output.written())
    }

    fn level() -> FlateEncoderParams {
        Level::Default.into()
    }

    fn gzipped(plain: &[u8]) -> Bytes {
        packed(plain, &mut GzipEncoder::new(level()))
    }

    fn sent(came: Bytes, codings: &'static str) -> Sent {
        let codings = HeaderValue::from_static(codings);
        Sent::body(
            Ok(came),
            &HeaderMap::from_iter([(CONTENT_ENCODING, codings)]),
        )
    }

    #[test]
    fn a_body_is_seen_whatever_it_is_packed_in() {
        let plain = br#"{"guest": {"id": 7}}"#;
        let all: [(&str, &mut dyn EncodeV2); 4] = [
            ("GZip", &mut GzipEncoder::new(level())),
            ("deflate", &mut ZlibEncoder::new(level())),
            ("identity, br", &mut BrotliEncoder::new(Default::default())),
            ("zstd", &mut ZstdEncoder::new(3)),
        ];
        for (codings, encoder) in all {
            let sent = sent(packed(plain, encoder), codings);
            assert_eq!(sent.look().unwrap(), &plain[..], "{codings}");
            assert_eq!(sent.unseen(), None, "{codings}");
        }
        for codings in ["", "identity"] {
            let sent = sent(Bytes::from_static(plain), codings);
            assert_eq!(sent.look().unwrap(), &plain[..], "{codings:?}");
        }
        assert_eq!(sent(Bytes::new(), "gzip").look().unwrap(), "");
        let members = [gzipped(b"{\"id\":"), gzipped(b"7}")].concat();
        assert_eq!(sent(members.into(), "gzip").look().unwrap(), "{\"id\":7}");
    }

    #[test]
    fn what_unpacks_beyond_the_limit_is_not_seen() {
        for (bytes, want) in [
            (BODY_BYTES_MAX, None),
            (BODY_BYTES_MAX + 1, Some(Unseen::UnpacksTooLong)),
            (50_000_000, Some(Unseen::UnpacksTooLong)),
        ] {
            let bomb = gzipped(&vec![b' '; bytes]);
            assert!(bomb.len() < BODY_BYTES_MAX);
            let sent = sent(bomb, "gzip");
            assert_eq!(sent.look().err(), want, "{bytes}");
            assert_eq!(sent.unseen(), want, "{bytes}");
        }
    }

    #[test]
    fn what_cannot_be_unpacked_is_not_seen() {
        let whole = gzipped(br#"{"id": 7}"#);
        for length in 1..whole.len() {
            let cut = sent(whole.slice(..length), "gzip");
            assert_eq!(cut.look().err(), Some(Unseen::Corrupt), "{length}");
        }
        for (came, codings, want) in [
            (Bytes::from_static(br#"{"id": 7}"#), "gzip", Unseen::Corrupt),
            (
                [&whole[..], b"more"].concat().into(),
                "gzip",
                Unseen::Corrupt,
            ),
            (whole.clone(), "compress", Unseen::UnknownCoding),
            (whole.clone(), "gzip, gzip", Unseen::UnknownCoding),
        ] {
            assert_eq!(sent(came, codings).look().err(), Some(want), "{codings}");
        }
        let long = Sent::body(Err(Unseen::TooLong), &HeaderMap::new());
        assert_eq!(long.unseen(), None, "nobody has looked");
        assert_eq!(long.look().err(), Some(Unseen::TooLong));
        assert_eq!(long.unseen(), Some(Unseen::TooLong));
    }
}
