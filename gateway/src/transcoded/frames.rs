//! Messages of gRPC on a byte stream: five bytes in front of each, one that says whether it is compressed and four with
//! its length (the length-prefixed messages of "gRPC over HTTP/2").
//!
//! Frames of HTTP/2 and messages know nothing of each other: a message may come in many frames, and a frame may hold many
//! messages. One that lies within a frame, which nearly all do, is handed on without a copy.
//!
//! No compression is offered to services, so that one that compresses all the same breaks the protocol. Between a gateway
//! and its services it would cost more than it saves; clients are served by `compression`.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// Bytes in front of a message.
const PREFIX: usize = 5;
/// Room that a length alone is believed for; what is longer has to come first.
const RESERVED_MAX: usize = 64 * 1024;

/// Why bytes are no messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a message is compressed, which was not offered")]
    Compressed,
    #[error("a message begins with {0}, which means nothing")]
    Flag(u8),
    #[error("a message has {bytes} bytes; {max} are allowed")]
    TooLarge { bytes: usize, max: usize },
    #[error("the last message is not whole")]
    Truncated,
}

/// A message with its prefix, in one piece.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(PREFIX + message.len());
    put(&mut out, message);
    out.freeze()
}

/// Appends a message with its prefix.
pub(crate) fn put(out: &mut BytesMut, message: &[u8]) {
    out.reserve(PREFIX + message.len());
    out.put_u8(0);
    // A message has been read under a limit that is far below.
    out.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    out.put_slice(message);
}

/// Takes bytes and gives messages.
#[derive(Debug)]
pub(crate) struct Deframer {
    bytes_max: usize,
    /// What is left of the last piece.
    chunk: Bytes,
    /// The beginning of a message that did not come in one piece.
    partial: BytesMut,
}

impl Deframer {
    /// `bytes_max`: the largest message.
    pub(crate) fn new(bytes_max: usize) -> Deframer {
        Deframer {
            bytes_max,
            chunk: Bytes::new(),
            partial: BytesMut::new(),
        }
    }

    /// Adds a piece; to be called when [`Deframer::next`] has nothing more.
    pub(crate) fn push(&mut self, piece: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = piece;
        } else {
            self.partial.extend_from_slice(&self.chunk);
            self.chunk = piece;
        }
    }

    /// The next message that is whole.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, FrameError> {
        if self.partial.is_empty() {
            if let Some(length) = self.length(&self.chunk)?
                && self.chunk.len() >= PREFIX + length
            {
                self.chunk.advance(PREFIX);
                return Ok(Some(self.chunk.split_to(length)));
            }
            if self.chunk.is_empty() {
                return Ok(None);
            }
        }
        self.gather()
    }

    /// Whether nothing has been left over.
    pub(crate) fn finish(&self) -> Result<(), FrameError> {
        match self.partial.is_empty() && self.chunk.is_empty() {
            true => Ok(()),
            false => Err(FrameError::Truncated),
        }
    }

    /// Puts a message together that came in several pieces.
    fn gather(&mut self) -> Result<Option<Bytes>, FrameError> {
        self.take(PREFIX);
        let Some(length) = self.length(&self.partial)? else {
            return Ok(None);
        };
        self.partial.reserve(length.min(RESERVED_MAX));
        self.take(PREFIX + length);
        if self.partial.len() < PREFIX + length {
            return Ok(None);
        }
        let mut message = std::mem::take(&mut self.partial);
        message.advance(PREFIX);
        Ok(Some(message.freeze()))
    }

    /// Moves bytes until the message has so many.
    fn take(&mut self, wanted: usize) {
        let missing = wanted.saturating_sub(self.partial.len());
        let piece = self.chunk.split_to(missing.min(self.chunk.len()));
        self.partial.extend_from_slice(&piece);
    }

    /// The length of the message that begins here; `None` until its prefix is there.
    fn length(&self, bytes: &[u8]) -> Result<Option<usize>, FrameError> {
        let Some(&[flag, a, b, c, d]) = bytes.first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        match flag {
            0 => {}
            1 => return Err(FrameError::Compressed),
            flag => return Err(FrameError::Flag(flag)),
        }
        let bytes = u32::from_be_bytes([a, b, c, d]) as usize;
        match bytes <= self.bytes_max {
            true => Ok(Some(bytes)),
            false => Err(FrameError::TooLarge {
                bytes,
                max: self.bytes_max,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]], max: usize) -> Result<Vec<Bytes>, FrameError> {
        let mut deframer = Deframer::new(max);
        let mut messages = Vec::new();
        for piece in pieces {
            deframer.push(Bytes::copy_from_slice(piece));
            while let Some(message) = deframer.next()? {
                messages.push(message);
            }
        }
        deframer.finish()?;
        Ok(messages)
    }

    #[test]
    fn messages_are_found_wherever_the_frames_are_split() {
        let messages = [&b""[..], b"a", b"hello", &[7; 300], b""];
        let wire: Vec<u8> = messages
            .iter()
            .flat_map(|message| framed(message))
            .collect();
        for first in 0..=wire.len() {
            for second in [first, (first + 3).min(wire.len()), wire.len()] {
                let pieces = [&wire[..first], &wire[first..second], &wire[second..]];
                assert_eq!(read(&pieces, 300).unwrap(), messages, "{first} {second}");
            }
        }
        let bytes: Vec<&[u8]> = wire.chunks(1).collect();
        assert_eq!(read(&bytes, 300).unwrap(), messages);
    }

    #[test]
    fn what_is_no_message_is_told() {
        #[track_caller]
        fn check(bytes: &[u8], want: FrameError) {
            assert_eq!(read(&[bytes], 8), Err(want));
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(read(&single, 8), Err(want), "in pieces");
        }
        check(b"\x01\0\0\0\x01x", FrameError::Compressed);
        check(b"\x02\0\0\0\x01x", FrameError::Flag(2));
        check(b"\0\0\0\0\x09", FrameError::TooLarge { bytes: 9, max: 8 });
        check(
            b"\0\xff\xff\xff\xff",
            FrameError::TooLarge {
                bytes: u32::MAX as usize,
                max: 8,
            },
        );
        check(b"\0\0\0", FrameError::Truncated);
        check(b"\0\0\0\0\x02x", FrameError::Truncated);
    }

    #[test]
    fn a_whole_message_is_not_copied() {
        let wire = framed(b"hello");
        let mut deframer = Deframer::new(10);
        deframer.push(wire.clone());
        let message = deframer.next().unwrap().unwrap();
        assert_eq!(message.as_ptr(), wire[PREFIX..].as_ptr());
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..20)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let _ = read(&pieces, 1_000);
        }
    }
}
