//! A body that came compressed, unpacked while it is read: never more than a piece at a time, whatever the ratio.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::{Buf as _, Bytes};
use compression_codecs::{
    BrotliDecoder, DecodeV2, GzipDecoder, ZstdDecoder,
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

pub(super) struct Decoded {
    body: Body,
    decoder: Box<dyn DecodeV2 + Send>,
    coding: Coding,
    /// What is left of the last frame.
    rest: Bytes,
    /// Whether the decoder may hold more than there was room for.
    is_full: bool,
    /// Whether what was compressed has come to its end; nothing may follow but another such piece.
    is_whole: bool,
    scratch: Box<[u8]>,
}

impl Decoded {
    pub(super) fn new(body: Body, coding: Coding) -> Decoded {
        // No body at all is not a broken one.
        let is_whole = body.is_end_stream();
        Decoded {
            body,
            decoder: decoder(coding),
            coding,
            rest: Bytes::new(),
            is_full: false,
            is_whole,
            scratch: vec![0; SCRATCH].into_boxed_slice(),
        }
    }

    /// The next piece, from what is here; `None` if that is not enough.
    fn step(&mut self) -> Result<Option<Bytes>, Corrupt> {
        while !self.rest.is_empty() || self.is_full {
            if self.is_whole {
                // gzip and zstd may come in several members (RFC 1952, 2.2; RFC 8878, 3.1), brotli may not.
                if self.coding == Coding::Br || self.rest.is_empty() {
                    return if self.rest.is_empty() {
                        Ok(None)
                    } else {
                        Err(Corrupt)
                    };
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

impl http_body::Body for Decoded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        loop {
            match this.step() {
                Ok(Some(piece)) => return Poll::Ready(Some(Ok(Frame::data(piece)))),
                Ok(None) => {}
                Err(corrupt) => return Poll::Ready(Some(Err(axum::Error::new(corrupt)))),
            }
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                // Trailers of a request have no meaning here.
                Some(Ok(frame)) => this.rest = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None if this.is_whole => return Poll::Ready(None),
                None => {
                    this.is_whole = true;
                    return Poll::Ready(Some(Err(axum::Error::new(Corrupt))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_whole && self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

fn decoder(coding: Coding) -> Box<dyn DecodeV2 + Send> {
    match coding {
        Coding::Gzip => Box::new(GzipDecoder::new()),
        Coding::Br => Box::new(BrotliDecoder::new()),
        Coding::Zstd => Box::new(ZstdDecoder::new_with_params(&[DParameter::window_log_max(
            ZSTD_WINDOW_LOG_MAX,
        )])),
    }
}
