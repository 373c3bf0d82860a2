//! A connection to an HTTP/1.1 server, and what has been read from it.
//!
//! A task of its own for each connection, as general clients have, would cost every request four wake-ups and the queues
//! between them. Here the request's own task writes and reads.

use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use tokio::{io::AsyncReadExt as _, net::TcpStream};

/// Room for what is read at once: the least, and the most that a connection with much to tell gets.
const ROOM_MIN: usize = 8 * 1024;
const ROOM_MAX: usize = 128 * 1024;

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    /// Read and not yet used.
    pub(super) rest: Bytes,
    /// Where the next bytes go.
    spare: BytesMut,
    room: usize,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Connection {
        Connection {
            stream,
            rest: Bytes::new(),
            spare: BytesMut::new(),
            room: ROOM_MIN,
        }
    }

    /// Whether a request may be sent on it: the server has neither closed it nor said anything unasked. Asks the system
    /// only if that is in doubt.
    pub(super) fn is_usable(&self) -> bool {
        let nothing = |read: io::Result<usize>| {
            read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        };
        self.rest.is_empty() && nothing(self.stream.try_read(&mut [0]))
    }

    pub(super) fn stream(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(&mut self.stream)
    }

    /// Adds what comes next to `rest`; 0 at the end.
    pub(super) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.spare.capacity() < self.room / 4 {
            self.spare.reserve(self.room);
        }
        let read = ready!(pin!(self.stream.read_buf(&mut self.spare)).poll(context))?;
        self.room = match self.spare.capacity() - self.spare.len() {
            0 => (self.room * 2).min(ROOM_MAX),
            _ if read < self.room / 4 => (self.room / 2).max(ROOM_MIN),
            _ => self.room,
        };
        let new = self.spare.split().freeze();
        self.rest = match self.rest.is_empty() {
            true => new,
            false => [&self.rest[..], &new[..]].concat().into(),
        };
        Poll::Ready(Ok(read))
    }

    /// At least one byte of what was announced.
    pub(super) fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(self.poll_fill(context))? {
            0 => Poll::Ready(Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection was closed before the answer was whole",
            ))),
            _ => Poll::Ready(Ok(())),
        }
    }
}
