//! A body that came compressed, unpacked while it is read: never more than a piece at a time, whatever the ratio. What is
//! here already is unpacked at once, up to a limit.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::{Buf as _, Bytes, BytesMut};
use compression_codecs::{
    BrotliDecoder, DecodeV2, GzipDecoder, ZlibDecoder, ZstdDecoder,
    core::util::{PartialBuffer, WriteBuffer},
    zstd::params::DParameter,
};
use http_body::{Body as _, Frame, SizeHint};

use crate::config::Coding;

const SCRATCH: usize = 16 * 1024;
/// As a power of two: the window that decoders of HTTP have to know (RFC 9659), and no larger one.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// The body is not what its `Content-Encoding` says.
#[derive(Debug)]
struct Corrupt;

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body is not what its Content-Encoding says")
    }
}

impl std::error::Error for Corrupt {}

/// Whether a body's error is that it cannot be unpacked.
pub(crate) fn is_corrupt(error: &axum::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if error.is::<Corrupt>() {
            return true;
        }
        next = error.source();
    }
    false
}

/// Why something that came whole was not unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotUnpacked {
    /// Nobody here knows the coding.
    UnknownCoding,
    /// It is not what its coding says, or not all of it.
    Corrupt,
    /// It is larger than it may be.
    TooLong,
}

/// Unpacks at most `bytes_max` bytes; `coding` by its name in HTTP or gRPC.
pub(crate) fn unpacked(
    packed: Bytes,
    coding: &str,
    bytes_max: usize,
) -> Result<Bytes, NotUnpacked> {
    let (decoder, has_members) = named(coding).ok_or(NotUnpacked::UnknownCoding)?;
    let mut unpacking = Unpacking::new(decoder, has_members, packed.is_empty());
    unpacking.rest = packed;
    let mut plain = BytesMut::new();
    while let Some(piece) = unpacking.step().map_err(|_| NotUnpacked::Corrupt)? {
        if plain.len() + piece.len() > bytes_max {
            return Err(NotUnpacked::TooLong);
        }
        plain.extend_from_slice(&piece);
    }
    match unpacking.is_whole {
        true => Ok(plain.freeze()),
        false => Err(NotUnpacked::Corrupt),
    }
}

/// What takes a coding off.
struct Unpacking {
    decoder: Box<dyn DecodeV2 + Send>,
    /// gzip and zstd may come in several members (RFC 1952, 2.2; RFC 8878, 3.1), others may not.
    has_members: bool,
    /// What has come and was not taken yet.
    rest: Bytes,
    /// Whether the decoder may hold more than there was room for.
    is_full: bool,
    /// Whether what was compressed has come to its end; nothing may follow but another such piece.
    is_whole: bool,
    scratch: Box<[u8]>,
}

impl Unpacking {
    /// `is_empty`: nothing will come, and nothing at all is not broken.
    fn new(decoder: Box<dyn DecodeV2 + Send>, has_members: bool, is_empty: bool) -> Unpacking {
        Unpacking {
            decoder,
            has_members,
            rest: Bytes::new(),
            is_full: false,
            is_whole: is_empty,
            scratch: vec![0; SCRATCH].into_boxed_slice(),
        }
    }

    /// The next piece, from what is here; `None` if that is not enough.
    fn step(&mut self) -> Result<Option<Bytes>, Corrupt> {
        while !self.rest.is_empty() || self.is_full {
            if self.is_whole {
                if self.rest.is_empty() {
                    return Ok(None);
                }
                if !self.has_members {
                    return Err(Corrupt);
                }
                self.decoder.reinit().map_err(|_| Corrupt)?;
                self.is_whole = false;
            }
            let mut input = PartialBuffer::new(&self.rest[..]);
            let mut output = WriteBuffer::new_initialized(&mut self.scratch);
            self.is_whole = self
                .decoder
                .decode(&mut input, &mut output)
                .map_err(|_| Corrupt)?;
            self.is_full = output.has_no_spare_space();
            let taken = input.written_len();
            let piece = output.written();
            let is_stuck = taken == 0 && piece.is_empty() && !self.is_whole;
            let piece = (!piece.is_empty()).then(|| Bytes::copy_from_slice(piece));
            self.rest.advance(taken);
            if piece.is_some() {
                return Ok(piece);
            }
            if is_stuck && !self.rest.is_empty() {
                return Err(Corrupt);
            }
        }
        Ok(None)
    }
}

/// A body, unpacked while it is read.
pub(super) struct Decoded {
    body: Body,
    unpacking: Unpacking,
}

impl Decoded {
    pub(super) fn new(body: Body, coding: Coding) -> Decoded {
        let (decoder, has_members) = decoder(coding);
        let unpacking = Unpacking::new(decoder, has_members, body.is_end_stream());
        Decoded { body, unpacking }
    }
}

impl http_body::Body for Decoded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        loop {
            match this.unpacking.step() {
                Ok(Some(piece)) => return Poll::Ready(Some(Ok(Frame::data(piece)))),
                Ok(None) => {}
                Err(corrupt) => return Poll::Ready(Some(Err(axum::Error::new(corrupt)))),
            }
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                // Trailers of a request have no meaning here.
                Some(Ok(frame)) => this.unpacking.rest = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None if this.unpacking.is_whole => return Poll::Ready(None),
                None => {
                    this.unpacking.is_whole = true;
                    return Poll::Ready(Some(Err(axum::Error::new(Corrupt))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let Unpacking { is_whole, rest, .. } = &self.unpacking;
        *is_whole && rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// A decoder, and whether what it decodes may come in several members.
type Decoder = (Box<dyn DecodeV2 + Send>, bool);

fn decoder(coding: Coding) -> Decoder {
    match coding {
        Coding::Gzip => (Box::new(GzipDecoder::new()), true),
        Coding::Br => (Box::new(BrotliDecoder::new()), false),
        Coding::Zstd => {
            let window = DParameter::window_log_max(ZSTD_WINDOW_LOG_MAX);
            (Box::new(ZstdDecoder::new_with_params(&[window])), true)
        }
    }
}

/// Beside what bodies of REST calls may come in, `deflate` (RFC 1950), which old systems and gRPC services may know.
fn named(coding: &str) -> Option<Decoder> {
    match Coding::named(coding) {
        Some(coding) => Some(decoder(coding)),
        None if coding.eq_ignore_ascii_case("deflate") => {
            Some((Box::new(ZlibDecoder::new()), false))
        }
        None => None,
    }
}
