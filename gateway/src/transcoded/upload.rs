//! What a client streams, as a stream of messages: one JSON value each, or pieces of one content.
//!
//! The body is pulled, like an answer's: the service takes items as fast as it can, and a client that sends faster is
//! stopped by the window of its own connection. What a client does wrong in mid-stream ends the call; it is remembered in
//! [`Trouble`], since the service's answer to a broken call says nothing of the reason.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::body::Body;
use banyan_transcode::{Captures, Code, Incoming, Pieces, StatusParts, Transcoder, Violations};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};

use super::{Watches, frames, unreadable};
use crate::{profile::Profile, refusal::Refusal};

/// What is sent together at most, unless an item is larger.
const BATCH: usize = 16 * 1024;

/// A stream of items on its way to a service.
pub(super) struct Upload {
    pub(super) body: Body,
    pub(super) watches: Watches,
    pub(super) items: Items,
    pub(super) transcoder: Arc<Transcoder>,
    /// What goes into the first message; taken by it.
    pub(super) first: Option<First>,
    /// How long the client may pause; `None` where it may wait for answers meanwhile.
    pub(super) idle: Option<Duration>,
    pub(super) trouble: Trouble,
}

/// How a body is split.
pub(super) enum Items {
    Json(Box<Pieces>),
    /// As it comes.
    Raw(Option<Bytes>),
}

/// What a request has beside its body.
pub(super) struct First {
    pub(super) captures: Captures,
    pub(super) query: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) if_match: Option<String>,
}

/// What a client did wrong.
#[derive(Debug)]
pub(super) enum Wrong {
    Status(StatusParts),
    Refusal(Refusal),
}

/// What a client did wrong while its stream ran, for who answers it.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble(Arc<Mutex<Option<Wrong>>>);

/// Why a call has no end.
#[derive(Debug, thiserror::Error)]
#[error("the client's stream cannot be passed on")]
struct BrokenOff;

impl Trouble {
    pub(super) fn take(&self) -> Option<Wrong> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, wrong: Wrong) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(wrong);
    }
}

impl Wrong {
    /// As an error that comes in the middle of an answer.
    pub(super) fn render(&self, profile: &Profile) -> (Code, Bytes) {
        match self {
            Wrong::Status(status) => (status.code, profile.render(status).body),
            Wrong::Refusal(refusal) => (refusal.code(), profile.render_refusal(refusal).body),
        }
    }
}

impl First {
    pub(super) fn incoming<'a>(&'a self, body: &'a [u8]) -> Incoming<'a> {
        Incoming {
            captures: &self.captures,
            query: self.query.as_deref(),
            body,
            content_type: self.content_type.as_deref(),
            request_id: self.request_id.as_deref(),
            if_match: self.if_match.as_deref(),
        }
    }
}

impl Items {
    fn push(&mut self, data: Bytes) {
        match self {
            Items::Json(pieces) => pieces.push(&data),
            Items::Raw(piece) => *piece = Some(data).filter(|data| !data.is_empty()),
        }
    }

    fn next(&mut self) -> Result<Option<Bytes>, Wrong> {
        match self {
            Items::Json(pieces) => pieces.next().transpose().map_err(Wrong::from),
            Items::Raw(piece) => Ok(piece.take()),
        }
    }

    fn finish(&mut self) -> Result<Option<Bytes>, Wrong> {
        match self {
            Items::Json(pieces) => pieces.finish().map_err(Wrong::from),
            Items::Raw(_) => Ok(None),
        }
    }
}

impl From<banyan_transcode::PieceError> for Wrong {
    fn from(error: banyan_transcode::PieceError) -> Wrong {
        match error {
            banyan_transcode::PieceError::TooLarge { bytes_max } => {
                Wrong::Refusal(Refusal::item_too_large(bytes_max))
            }
            error => Wrong::Status(Violations::from(error).to_status()),
        }
    }
}

/// An upload and where it is.
struct Running {
    upload: Upload,
    count: u64,
    is_over: bool,
}

impl Upload {
    /// The body of the call.
    pub(super) fn body(self) -> tonic::body::Body {
        let running = Running {
            upload: self,
            count: 0,
            is_over: false,
        };
        let stream = futures::stream::unfold(running, Running::step);
        let frames = stream.map(|piece| piece.map(Frame::data));
        tonic::body::Body::new(StreamBody::new(Box::pin(frames)))
    }

    /// The next piece of the client's body; `None` at its end.
    async fn read(&mut self) -> Result<Option<Bytes>, Wrong> {
        let frame = match self.idle {
            None => self.body.frame().await,
            Some(idle) => tokio::time::timeout(idle, self.body.frame())
                .await
                .map_err(|_| Wrong::Refusal(Refusal::client_slow()))?,
        };
        match frame {
            Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
            Some(Err(error)) => Err(Wrong::Refusal(unreadable(&error, &self.watches))),
            None => Ok(None),
        }
    }
}

impl Running {
    async fn step(mut self) -> Option<(Result<Bytes, BrokenOff>, Running)> {
        if self.is_over {
            return None;
        }
        match self.gather().await {
            Ok(out) if out.is_empty() => None,
            Ok(out) => Some((Ok(out.freeze()), self)),
            Err(wrong) => {
                self.is_over = true;
                self.upload.trouble.set(wrong);
                Some((Err(BrokenOff), self))
            }
        }
    }

    /// The messages of the items that are here, or of the next ones that come; nothing at the end.
    async fn gather(&mut self) -> Result<BytesMut, Wrong> {
        let mut out = BytesMut::new();
        loop {
            while out.len() < BATCH
                && let Some(item) = self.upload.items.next()?
            {
                self.put(&item, &mut out)?;
            }
            if !out.is_empty() {
                return Ok(out);
            }
            match self.upload.read().await? {
                Some(data) => self.upload.items.push(data),
                None => {
                    self.is_over = true;
                    if let Some(item) = self.upload.items.finish()? {
                        self.put(&item, &mut out)?;
                    }
                    return Ok(out);
                }
            }
        }
    }

    fn put(&mut self, item: &[u8], out: &mut BytesMut) -> Result<(), Wrong> {
        self.count += 1;
        let transcoder = &self.upload.transcoder;
        let message = match self.upload.first.take() {
            Some(first) => transcoder.first(&first.incoming(item)),
            None => transcoder.item(item),
        };
        match message {
            Ok(message) => frames::put(out, &message),
            Err(violations) => {
                let mut status = violations.to_status();
                status.message = format!("item {}: {}", self.count, status.message);
                return Err(Wrong::Status(status));
            }
        }
        Ok(())
    }
}
