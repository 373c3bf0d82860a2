//! Where the body of an answer ends (RFC 9112, 6.3), and its pieces up to there.
//!
//! Whatever could be read in two ways ends the connection or the answer: two lengths, a coding that is not chunked, a
//! chunk that is none.

use std::{
    io,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use http_body::Frame;

use super::connection::Connection;

/// Longest line that says how long a chunk is, and all trailers together.
const LINES_BYTES_MAX: usize = 16 * 1024;
const TRAILERS_MAX: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// Before the size of a chunk.
    Size,
    /// In a chunk.
    Chunk(u64),
    /// Behind one.
    ChunkEnd,
    Trailers,
    /// As long as the connection.
    UntilClose,
    End,
}

impl Framing {
    /// By the head of an answer. The second is whether the connection can be used again as far as this goes.
    pub(super) fn of(
        status: StatusCode,
        is_http_11: bool,
        answers_head: bool,
        headers: &mut HeaderMap,
    ) -> io::Result<(Framing, bool)> {
        let has_none = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if answers_head || has_none || status.is_informational() {
            return Ok((Framing::End, true));
        }
        if headers.contains_key(TRANSFER_ENCODING) {
            // A length beside it may be an attempt to make one answer two.
            let is_clear = headers.remove(CONTENT_LENGTH).is_none();
            return match (is_http_11, is_chunked(headers)) {
                (false, _) => Err(bad("HTTP/1.0 has no transfer coding")),
                (true, true) => Ok((Framing::Size, is_clear)),
                (true, false) => Ok((Framing::UntilClose, false)),
            };
        }
        match length(headers)? {
            None => Ok((Framing::UntilClose, false)),
            Some(0) => Ok((Framing::End, true)),
            Some(bytes) => Ok((Framing::Length(bytes), true)),
        }
    }

    /// The next piece; none at the end.
    pub(super) fn poll_next(
        &mut self,
        connection: &mut Connection,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            match self.step(connection) {
                Err(error) => {
                    *self = Framing::End;
                    return Poll::Ready(Some(Err(error)));
                }
                Ok(Step::Piece(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(Step::Next) => continue,
                Ok(Step::End) => return Poll::Ready(None),
                Ok(Step::Starved) => {}
            }
            let filled = match self {
                Framing::UntilClose => ready!(connection.poll_fill(context)).map(|bytes| {
                    if bytes == 0 {
                        *self = Framing::End;
                    }
                }),
                _ => ready!(connection.poll_more(context)),
            };
            if let Err(error) = filled {
                *self = Framing::End;
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    /// What can be said by what has been read.
    fn step(&mut self, connection: &mut Connection) -> io::Result<Step> {
        let rest = &mut connection.rest;
        match self {
            Framing::End => return Ok(Step::End),
            _ if rest.is_empty() => return Ok(Step::Starved),
            Framing::UntilClose => return Ok(Step::Piece(Frame::data(std::mem::take(rest)))),
            Framing::Length(left) | Framing::Chunk(left) => {
                let taken = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                let piece = Frame::data(rest.split_to(taken));
                *left -= taken as u64;
                if *left == 0 {
                    *self = match self {
                        Framing::Chunk(_) => Framing::ChunkEnd,
                        _ => Framing::End,
                    };
                }
                return Ok(Step::Piece(piece));
            }
            Framing::Size => match httparse::parse_chunk_size(rest) {
                Ok(httparse::Status::Complete((bytes, size))) => {
                    // A line that begins with none of its digits would count as 0, and end the body.
                    if !rest[0].is_ascii_hexdigit() {
                        return Err(bad("a chunk has no size"));
                    }
                    rest.advance(bytes);
                    *self = match size {
                        0 => Framing::Trailers,
                        size => Framing::Chunk(size),
                    };
                }
                Ok(httparse::Status::Partial) => return starved(rest),
                Err(_) => return Err(bad("the size of a chunk is none")),
            },
            Framing::ChunkEnd => match rest.as_ref() {
                [b'\r', b'\n', ..] => {
                    rest.advance(2);
                    *self = Framing::Size;
                }
                [b'\r'] => return Ok(Step::Starved),
                _ => return Err(bad("a chunk is longer than its size")),
            },
            Framing::Trailers => {
                let Some(trailers) = trailers(rest)? else {
                    return starved(rest);
                };
                *self = Framing::End;
                if !trailers.is_empty() {
                    return Ok(Step::Piece(Frame::trailers(trailers)));
                }
            }
        }
        Ok(Step::Next)
    }
}

enum Step {
    Piece(Frame<Bytes>),
    Next,
    /// More has to be read.
    Starved,
    End,
}

fn starved(rest: &Bytes) -> io::Result<Step> {
    match rest.len() > LINES_BYTES_MAX {
        true => Err(bad("a line among the chunks is too long")),
        false => Ok(Step::Starved),
    }
}

fn trailers(rest: &mut Bytes) -> io::Result<Option<HeaderMap>> {
    let mut found = [httparse::EMPTY_HEADER; TRAILERS_MAX];
    let mut trailers = HeaderMap::new();
    let bytes = match httparse::parse_headers(rest, &mut found) {
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(bad("the trailers cannot be read")),
        Ok(httparse::Status::Complete((bytes, found))) => {
            for one in found {
                let name = HeaderName::from_bytes(one.name.as_bytes());
                if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(one.value)) {
                    trailers.append(name, value);
                }
            }
            bytes
        }
    };
    rest.advance(bytes);
    Ok(Some(trailers))
}

/// Whether chunks are the last coding.
fn is_chunked(headers: &HeaderMap) -> bool {
    let last = headers.get_all(TRANSFER_ENCODING).into_iter().next_back();
    let last = last.and_then(|value| value.to_str().ok());
    let coding = last.and_then(|codings| codings.rsplit(',').next());
    coding.is_some_and(|coding| coding.trim().eq_ignore_ascii_case("chunked"))
}

/// The one length that is announced, however often.
fn length(headers: &mut HeaderMap) -> io::Result<Option<u64>> {
    let mut found = None;
    let (mut values, mut is_plain) = (0, true);
    for value in headers.get_all(CONTENT_LENGTH) {
        values += 1;
        for text in value.as_bytes().split(|&byte| byte == b',') {
            let digits = text.trim_ascii();
            is_plain &= digits.len() == value.len();
            let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
            let number = std::str::from_utf8(digits)
                .ok()
                .and_then(|it| it.parse().ok());
            let number: u64 = number
                .filter(|_| is_number)
                .ok_or_else(|| bad("the length is no number"))?;
            if found.is_some_and(|found| found != number) {
                return Err(bad("the answer has two lengths"));
            }
            found = Some(number);
        }
    }
    if let Some(found) = found.filter(|_| values > 1 || !is_plain) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(found));
    }
    Ok(found)
}

pub(super) fn bad(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
