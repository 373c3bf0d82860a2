//! A body, compressed while it passes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use compression_codecs::{
    BrotliEncoder, EncodeV2, GzipEncoder, ZstdEncoder,
    brotli::params::EncoderParams,
    core::{
        Level,
        util::{PartialBuffer, WriteBuffer},
    },
    flate::params::FlateEncoderParams,
    zstd::params::CParameter,
};
use http_body::{Body as _, Frame, SizeHint};

use crate::config::Coding;

/// Most of a body that is compressed at once, before others get their turn.
const PIECE: usize = 64 * 1024;
const SCRATCH: usize = 8 * 1024;

/// Quick rather than small: about what servers use for answers that are made on the spot.
const BROTLI_QUALITY: i32 = 4;
const GZIP_LEVEL: i32 = 4;
const ZSTD_LEVEL: i32 = 2;
/// As a power of two: 256 KiB to look back into.
const WINDOW_LOG: u32 = 18;

pub(super) struct Encoded {
    body: Body,
    encoder: Box<dyn EncodeV2 + Send>,
    /// What is left of the last frame.
    rest: Bytes,
    /// Whether each frame is to arrive at once.
    is_stream: bool,
    is_finished: bool,
    trailers: Option<Frame<Bytes>>,
    scratch: Box<[u8]>,
}

impl Encoded {
    pub(super) fn new(body: Body, coding: Coding) -> Encoded {
        let is_stream = body.size_hint().exact().is_none();
        Encoded {
            body,
            encoder: encoder(coding),
            rest: Bytes::new(),
            is_stream,
            is_finished: false,
            trailers: None,
            scratch: vec![0; SCRATCH].into_boxed_slice(),
        }
    }

    fn encode(&mut self, piece: &[u8], out: &mut BytesMut) -> io::Result<()> {
        let mut input = PartialBuffer::new(piece);
        while !input.unwritten().is_empty() {
            let mut buffer = WriteBuffer::new_initialized(&mut self.scratch);
            self.encoder.encode(&mut input, &mut buffer)?;
            out.extend_from_slice(buffer.written());
        }
        Ok(())
    }

    fn flush(&mut self, out: &mut BytesMut) -> io::Result<()> {
        loop {
            let mut buffer = WriteBuffer::new_initialized(&mut self.scratch);
            let is_done = self.encoder.flush(&mut buffer)?;
            out.extend_from_slice(buffer.written());
            if is_done {
                return Ok(());
            }
        }
    }

    fn finish(&mut self, out: &mut BytesMut) -> io::Result<()> {
        self.is_finished = true;
        loop {
            let mut buffer = WriteBuffer::new_initialized(&mut self.scratch);
            let is_done = self.encoder.finish(&mut buffer)?;
            out.extend_from_slice(buffer.written());
            if is_done {
                return Ok(());
            }
        }
    }

    /// Compresses a piece of what is here, and whatever follows from it.
    fn step(&mut self, out: &mut BytesMut) -> io::Result<()> {
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        self.encode(&piece, out)?;
        match self.rest.is_empty() {
            true if self.body.is_end_stream() => self.finish(out),
            true if self.is_stream => self.flush(out),
            _ => Ok(()),
        }
    }
}

impl http_body::Body for Encoded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let mut out = BytesMut::new();
        loop {
            let stepped = if !this.rest.is_empty() {
                this.step(&mut out)
            } else if this.is_finished {
                return Poll::Ready(this.trailers.take().map(Ok));
            } else {
                match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) => {
                            this.rest = data;
                            continue;
                        }
                        Err(trailers) => {
                            this.trailers = Some(trailers);
                            this.finish(&mut out)
                        }
                    },
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => this.finish(&mut out),
                }
            };
            if let Err(error) = stepped {
                return Poll::Ready(Some(Err(axum::Error::new(error))));
            }
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out.freeze()))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_finished && self.trailers.is_none() && self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

fn encoder(coding: Coding) -> Box<dyn EncodeV2 + Send> {
    match coding {
        Coding::Gzip => Box::new(GzipEncoder::new(FlateEncoderParams::from(Level::Precise(
            GZIP_LEVEL,
        )))),
        Coding::Br => Box::new(BrotliEncoder::new(
            EncoderParams::default()
                .quality(Level::Precise(BROTLI_QUALITY))
                .window_size(WINDOW_LOG as i32),
        )),
        Coding::Zstd => Box::new(ZstdEncoder::new_with_params(
            ZSTD_LEVEL,
            &[CParameter::window_log(WINDOW_LOG)],
        )),
    }
}
