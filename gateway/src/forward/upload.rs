//! A request on its way to the server: its head, and its body piece by piece.
//!
//! What is there of the body goes out with the head. Of a body of unknown length each piece is a chunk (RFC 9112, 7.1); a
//! body that breaks its announced length ends the connection, since nobody could tell the next request from it.

use std::{
    io::{self, IoSlice, Write as _},
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::{Buf as _, Bytes};
use http::{HeaderMap, HeaderName};
use http_body::Body as _;
use tokio::io::AsyncWrite as _;

use super::connection::Connection;

/// How the server knows where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    None,
    Bytes(u64),
    Chunks,
}

impl Length {
    pub(super) fn of(body: &Body) -> Length {
        match body.size_hint().exact() {
            _ if body.is_end_stream() => Length::None,
            Some(bytes) => Length::Bytes(bytes),
            None => Length::Chunks,
        }
    }
}

/// Why a request could not be sent to its end.
#[derive(Debug)]
pub(super) enum Broken {
    Connection(io::Error),
    /// Whoever sends it.
    Body(axum::Error),
}

pub(super) struct Upload {
    /// What goes before the piece, and how much of it has gone.
    ahead: Vec<u8>,
    gone: usize,
    piece: Bytes,
    /// Until its end.
    body: Option<Body>,
    length: Length,
    /// In a chunk, whose end goes before what follows.
    in_chunk: bool,
    /// Trailers that may be sent.
    announced: Vec<HeaderName>,
    has_begun: bool,
}

impl Upload {
    pub(super) fn new(
        head: Vec<u8>,
        body: Body,
        length: Length,
        announced: Vec<HeaderName>,
    ) -> Upload {
        Upload {
            ahead: head,
            gone: 0,
            piece: Bytes::new(),
            body: (length != Length::None).then_some(body),
            length,
            in_chunk: false,
            announced,
            has_begun: false,
        }
    }

    /// Whether the server may have seen any of it.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Sends what there is; ready when all has gone.
    pub(super) fn poll(
        &mut self,
        connection: &mut Connection,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Broken>> {
        loop {
            let waits = match self.piece.is_empty() && self.body.is_some() {
                true => self.poll_piece(context).map_err(Broken::Body)?.is_pending(),
                false => false,
            };
            if self.gone == self.ahead.len() && self.piece.is_empty() {
                match (&self.body, waits) {
                    (None, _) => return Poll::Ready(Ok(())),
                    (Some(_), true) => return Poll::Pending,
                    (Some(_), false) => continue,
                }
            }
            let slices = [
                IoSlice::new(&self.ahead[self.gone..]),
                IoSlice::new(&self.piece),
            ];
            // An empty slice at the end costs nothing; one alone is a plain write.
            let slices = &slices[..if self.piece.is_empty() { 1 } else { 2 }];
            let written = ready!(connection.stream().poll_write_vectored(context, slices));
            match written {
                Ok(0) => {
                    return Poll::Ready(Err(Broken::Connection(io::ErrorKind::WriteZero.into())));
                }
                Ok(bytes) => self.advance(bytes),
                Err(error) => return Poll::Ready(Err(Broken::Connection(error))),
            }
        }
    }

    fn advance(&mut self, bytes: usize) {
        self.has_begun = true;
        let ahead = bytes.min(self.ahead.len() - self.gone);
        self.gone += ahead;
        self.piece.advance(bytes - ahead);
        if self.gone == self.ahead.len() {
            self.ahead.clear();
            self.gone = 0;
        }
    }

    /// Takes the next piece of the body, or its end.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(Ok(()));
        };
        let Some(frame) = ready!(Pin::new(body).poll_frame(context)) else {
            self.body = None;
            return Poll::Ready(self.end(&HeaderMap::new()));
        };
        match frame?.into_data() {
            Ok(data) if data.is_empty() => {}
            Ok(data) => self.put(data)?,
            Err(frame) => {
                self.body = None;
                let trailers = frame.into_trailers().unwrap_or_default();
                return Poll::Ready(self.end(&trailers));
            }
        }
        Poll::Ready(Ok(()))
    }

    fn put(&mut self, data: Bytes) -> Result<(), axum::Error> {
        if let Length::Bytes(left) = &mut self.length {
            let rest = left.checked_sub(data.len() as u64);
            *left = rest.ok_or_else(|| wrong("the body is longer than announced"))?;
        } else {
            let before = if self.in_chunk { "\r\n" } else { "" };
            // Writing to a Vec cannot fail.
            let _ = write!(self.ahead, "{before}{:x}\r\n", data.len());
            self.in_chunk = true;
        }
        self.piece = data;
        Ok(())
    }

    fn end(&mut self, trailers: &HeaderMap) -> Result<(), axum::Error> {
        match self.length {
            Length::None | Length::Bytes(0) => {}
            Length::Bytes(_) => return Err(wrong("the body is shorter than announced")),
            Length::Chunks => {
                let before: &[u8] = if self.in_chunk {
                    b"\r\n0\r\n"
                } else {
                    b"0\r\n"
                };
                self.ahead.extend_from_slice(before);
                for (name, value) in trailers {
                    if self.announced.contains(name) {
                        super::headers::line(&mut self.ahead, name, value.as_bytes());
                    }
                }
                self.ahead.extend_from_slice(b"\r\n");
            }
        }
        Ok(())
    }
}

fn wrong(what: &'static str) -> axum::Error {
    axum::Error::new(io::Error::new(io::ErrorKind::InvalidData, what))
}
