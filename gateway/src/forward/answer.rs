//! The answer of a server: its head, and its body as it comes.
//!
//! A short body that came with its head is handed on as a whole, and the connection is free before the client has seen any
//! of it. Of any other the connection goes back at its end, and dropped before, it is closed.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header::CONNECTION};
use http_body::{Frame, SizeHint};
use hyper::ext::ReasonPhrase;

use super::{
    connection::Connection,
    framing::{Framing, bad},
    pool::Pool,
    upload::{Broken, Upload},
};

const HEADERS_MAX: usize = 100;
/// Largest head.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// What an answer begins with.
#[derive(Debug)]
pub(super) struct Head {
    /// Without its body.
    pub(super) response: Response<()>,
    pub(super) framing: Framing,
    /// Whether the connection is left open.
    pub(super) keeps: bool,
}

/// Reads a head; answers that only say that another one follows are passed over.
pub(super) fn poll_head(
    connection: &mut Connection,
    context: &mut Context<'_>,
    answers_head: bool,
) -> Poll<io::Result<Head>> {
    loop {
        let parsed = match connection.rest.is_empty() {
            true => None,
            false => parse(&connection.rest, answers_head)?,
        };
        let Some((bytes, head)) = parsed else {
            if connection.rest.len() > HEAD_BYTES_MAX {
                return Poll::Ready(Err(bad("the head of the answer is too large")));
            }
            ready!(connection.poll_more(context))?;
            continue;
        };
        connection.rest.advance(bytes);
        let status = head.response.status();
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Poll::Ready(Ok(head));
        }
    }
}

/// A head and its length; `None` while it is not whole.
fn parse(input: &Bytes, answers_head: bool) -> io::Result<Option<(usize, Head)>> {
    let mut found = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let bytes = match config.parse_response_with_uninit_headers(&mut parsed, input, &mut found) {
        Ok(httparse::Status::Complete(bytes)) => bytes,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    };
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or_else(|| bad("the status is none"))?;
    let is_http_11 = parsed.version == Some(1);
    let mut headers = HeaderMap::with_capacity(parsed.headers.len() + 2);
    let (mut closes, mut keeps) = (false, false);
    for one in &*parsed.headers {
        let name = HeaderName::from_bytes(one.name.as_bytes());
        let name = name.map_err(|_| bad("the name of a header is none"))?;
        let value = HeaderValue::from_maybe_shared(input.slice_ref(one.value));
        let value = value.map_err(|_| bad("the value of a header is none"))?;
        if name == CONNECTION {
            closes |= names(&value, "close");
            keeps |= names(&value, "keep-alive");
        }
        headers.append(name, value);
    }
    let (framing, is_clear) = Framing::of(status, is_http_11, answers_head, &mut headers)?;
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    // Words of the server's own are kept, as far as the client's protocol has room for them.
    let reason = parsed.reason.unwrap_or_default();
    if status.canonical_reason() != Some(reason)
        && let Ok(reason) = ReasonPhrase::try_from(reason.as_bytes())
    {
        response.extensions_mut().insert(reason);
    }
    let keeps =
        is_clear && !closes && (is_http_11 || keeps) && status != StatusCode::SWITCHING_PROTOCOLS;
    Ok(Some((
        bytes,
        Head {
            response,
            framing,
            keeps,
        },
    )))
}

fn names(value: &HeaderValue, option: &str) -> bool {
    let value = value.to_str().unwrap_or_default();
    let mut options = value.split(',');
    options.any(|one| one.trim().eq_ignore_ascii_case(option))
}

/// The body of an answer.
pub(super) enum Content {
    Whole(Bytes),
    Stream(Box<Stream>),
}

impl Content {
    /// What follows a head on its connection, which goes back to the pool at the end.
    pub(super) fn of(
        head: &Head,
        mut connection: Connection,
        upload: Option<Upload>,
        pool: &Pool,
    ) -> Content {
        let here = connection.rest.len() as u64;
        let whole = match head.framing {
            Framing::End => Some(0),
            Framing::Length(bytes) if bytes <= here => Some(bytes),
            _ => None,
        };
        if let (Some(bytes), None) = (whole, &upload) {
            // It is no longer than what is here.
            let whole = connection
                .rest
                .split_to(usize::try_from(bytes).unwrap_or_default());
            if head.keeps {
                pool.release(connection);
            }
            return Content::Whole(whole);
        }
        Content::Stream(Box::new(Stream {
            connection: Some(connection),
            upload,
            framing: head.framing,
            keeps: head.keeps,
            pool: pool.clone(),
        }))
    }
}

/// A body as it comes.
pub(super) struct Stream {
    /// Until its end.
    connection: Option<Connection>,
    /// What of the request is still on its way.
    upload: Option<Upload>,
    framing: Framing,
    keeps: bool,
    pool: Pool,
}

impl Stream {
    /// The server has answered before it was told everything; it may want the rest all the same.
    fn poll_upload(&mut self, context: &mut Context<'_>) {
        let (Some(upload), Some(connection)) = (&mut self.upload, &mut self.connection) else {
            return;
        };
        match upload.poll(connection, context) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.upload = None,
            Poll::Ready(Err(Broken::Connection(_) | Broken::Body(_))) => {
                self.upload = None;
                self.keeps = false;
            }
        }
    }

    fn end(&mut self) {
        if let Some(connection) = self.connection.take()
            && self.keeps
            && self.upload.is_none()
        {
            self.pool.release(connection);
        }
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        this.poll_upload(context);
        let Some(connection) = &mut this.connection else {
            return Poll::Ready(None);
        };
        let next = ready!(this.framing.poll_next(connection, context));
        match &next {
            Some(Err(_)) => this.connection = None,
            Some(Ok(_)) if this.framing != Framing::End => {}
            Some(Ok(_)) | None => this.end(),
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.connection.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.framing {
            Framing::Length(bytes) => SizeHint::with_exact(bytes),
            Framing::End => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }
}
