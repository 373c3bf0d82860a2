//! A stream of JSON values, split into its values as it comes.
//!
//! Two forms: values one after the other (NDJSON, which people also write with values over several lines), and the
//! elements of one array. What begins with `[` is an array unless the caller knows better ([`Pieces::lines`]). Only brackets
//! and quotes are looked at; whether a piece is JSON is for its reader to say, with the column.
//!
//! Memory: what was pushed and not taken, and at most one unfinished piece, whose size has a limit. The first error ends
//! the stream. Where chunks end makes no difference to what comes out.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::violation::{ViolationKind, Violations};

/// Splits a stream of JSON values: [`push`](Pieces::push) a chunk, take what is complete as from any iterator, push the
/// next one; [`finish`](Pieces::finish) when there is no more.
#[derive(Debug)]
pub struct Pieces {
    /// Begins with the piece at hand.
    buffer: BytesMut,
    /// How much of the buffer has been looked at.
    at: usize,
    /// How much of the stream lies before the buffer.
    before: usize,
    piece_bytes_max: usize,
    /// Not known before the first byte.
    is_array: Option<bool>,
    state: State,
}

/// Why a stream cannot be split any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PieceError {
    #[error("an item is longer than {bytes_max} bytes")]
    TooLarge { bytes_max: usize },
    /// `at` counts bytes of the stream from 0.
    #[error("{problem} at byte {at}")]
    Syntax { at: usize, problem: &'static str },
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Where a value may begin; `may_end`: or the array end.
    Before {
        may_end: bool,
    },
    /// In an object, an array or a string.
    Inside {
        depth: usize,
        quoted: bool,
        escaped: bool,
    },
    /// In a number or a word, which end where something else begins.
    Word,
    /// Behind an element.
    Behind,
    /// Behind the array.
    End,
    Failed(PieceError),
}

impl Pieces {
    /// An array if the stream begins with `[`, else values one after the other; none longer than `piece_bytes_max`.
    pub fn new(piece_bytes_max: usize) -> Self {
        Pieces {
            buffer: BytesMut::new(),
            at: 0,
            before: 0,
            piece_bytes_max,
            is_array: None,
            state: State::Before { may_end: true },
        }
    }

    /// Values one after the other, even if the first one is an array.
    pub fn lines(piece_bytes_max: usize) -> Self {
        Pieces {
            is_array: Some(false),
            ..Pieces::new(piece_bytes_max)
        }
    }

    /// Adds the next bytes of the stream.
    pub fn push(&mut self, chunk: &[u8]) {
        if !matches!(self.state, State::Failed(_)) {
            self.buffer.extend_from_slice(chunk);
        }
    }

    /// The end of the stream, when all complete pieces have been taken: a last number or word, which only the end of the
    /// stream completes, or what is missing.
    pub fn finish(&mut self) -> Result<Option<Bytes>, PieceError> {
        let is_array = self.is_array == Some(true);
        match self.state {
            State::Failed(error) => Err(error),
            State::End => Ok(None),
            State::Before { .. } if !is_array => Ok(None),
            State::Word if !is_array => Ok(Some(self.take())),
            _ => Err(PieceError::Syntax {
                at: self.before + self.buffer.len(),
                problem: "the text ends too early",
            }),
        }
    }

    fn take(&mut self) -> Bytes {
        let piece = self.buffer.split_to(self.at).freeze();
        self.before += self.at;
        self.at = 0;
        self.state = match self.is_array {
            Some(true) => State::Behind,
            _ => State::Before { may_end: false },
        };
        piece
    }

    /// Steps over a byte that belongs to no piece.
    fn drop_byte(&mut self, state: State) {
        self.buffer.advance(1);
        self.before += 1;
        self.state = state;
    }

    fn fail<T>(&mut self, error: PieceError) -> Option<Result<T, PieceError>> {
        self.state = State::Failed(error);
        self.buffer = BytesMut::new();
        Some(Err(error))
    }

    fn syntax<T>(&mut self, problem: &'static str) -> Option<Result<T, PieceError>> {
        let at = self.before + self.at;
        self.fail(PieceError::Syntax { at, problem })
    }

    /// One byte between pieces.
    fn outside(&mut self, byte: u8) -> Result<(), &'static str> {
        let is_array = self.is_array == Some(true);
        match (self.state, byte) {
            (state, b' ' | b'\t' | b'\n' | b'\r') => self.drop_byte(state),
            (State::Before { .. }, b'[') if self.is_array.is_none() => {
                self.is_array = Some(true);
                self.drop_byte(State::Before { may_end: true });
            }
            (State::Before { may_end: true }, b']') if is_array => self.drop_byte(State::End),
            (State::Before { may_end: false }, b']') if is_array => {
                return Err("a comma before the end");
            }
            (State::Behind, b',') => self.drop_byte(State::Before { may_end: false }),
            (State::Behind, b']') => self.drop_byte(State::End),
            (State::Behind, _) => return Err("expected `,` or the end of the array"),
            (State::End, _) => return Err("something follows the array"),
            (_, byte) => self.begin(byte)?,
        }
        Ok(())
    }

    fn begin(&mut self, byte: u8) -> Result<(), &'static str> {
        self.state = match byte {
            b'{' | b'[' => State::Inside {
                depth: 1,
                quoted: false,
                escaped: false,
            },
            b'"' => State::Inside {
                depth: 0,
                quoted: true,
                escaped: false,
            },
            byte if is_word(byte) => State::Word,
            _ => return Err("expected a value"),
        };
        self.is_array.get_or_insert(false);
        self.at = 1;
        Ok(())
    }

    /// One byte of a piece; whether the piece ends with it.
    fn inside(&mut self, byte: u8, depth: usize, quoted: bool, escaped: bool) -> bool {
        let (depth, quoted, escaped) = match byte {
            _ if escaped => (depth, true, false),
            b'\\' if quoted => (depth, true, true),
            b'"' => (depth, !quoted, false),
            b'{' | b'[' if !quoted => (depth + 1, false, false),
            b'}' | b']' if !quoted => (depth - 1, false, false),
            _ => (depth, quoted, false),
        };
        self.at += 1;
        self.state = State::Inside {
            depth,
            quoted,
            escaped,
        };
        depth == 0 && !quoted
    }
}

impl Iterator for Pieces {
    type Item = Result<Bytes, PieceError>;

    /// The next complete piece; `None` until more is pushed. An error is the last that comes.
    fn next(&mut self) -> Option<Self::Item> {
        while let Some(&byte) = self.buffer.get(self.at) {
            let ends = match self.state {
                State::Failed(_) => return None,
                State::Word if is_word(byte) => {
                    self.at += 1;
                    false
                }
                State::Word => return Some(Ok(self.take())),
                State::Inside {
                    depth,
                    quoted,
                    escaped,
                } => self.inside(byte, depth, quoted, escaped),
                _ => {
                    if let Err(problem) = self.outside(byte) {
                        return self.syntax(problem);
                    }
                    false
                }
            };
            if self.at > self.piece_bytes_max {
                return self.fail(PieceError::TooLarge {
                    bytes_max: self.piece_bytes_max,
                });
            }
            if ends {
                return Some(Ok(self.take()));
            }
        }
        None
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

impl From<PieceError> for Violations {
    fn from(error: PieceError) -> Self {
        let kind = match error {
            PieceError::TooLarge { .. } => ViolationKind::Range,
            PieceError::Syntax { .. } => ViolationKind::Syntax,
        };
        let mut violations = Violations::default();
        let predicate = format!("is not a stream of JSON values: {error}");
        violations.push(String::new(), kind, &predicate);
        violations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out of chunks: the pieces, and at last the error or nothing.
    fn split(mut pieces: Pieces, chunks: &[&[u8]]) -> Vec<String> {
        let mut out = Vec::new();
        let mut note = |piece: Result<Bytes, PieceError>| match piece {
            Ok(piece) => out.push(String::from_utf8_lossy(&piece).into_owned()),
            Err(error) => out.push(error.to_string()),
        };
        for chunk in chunks {
            pieces.push(chunk);
            pieces.by_ref().for_each(&mut note);
        }
        let is_told = matches!(pieces.state, State::Failed(_));
        match pieces.finish() {
            Ok(last) => last.into_iter().map(Ok).for_each(note),
            Err(error) if !is_told => note(Err(error)),
            Err(_) => {}
        }
        out
    }

    /// However it is cut.
    #[track_caller]
    fn check(pieces: impl Fn() -> Pieces, text: &str, want: &[&str]) {
        let text = text.as_bytes();
        assert_eq!(split(pieces(), &[text]), want);
        for at in 0..text.len() {
            assert_eq!(
                split(pieces(), &[&text[..at], &text[at..]]),
                want,
                "at {at}"
            );
        }
        let bytes: Vec<_> = text.chunks(1).collect();
        assert_eq!(split(pieces(), &bytes), want);
    }

    #[test]
    fn values_are_told_apart_wherever_chunks_end() {
        let auto = || Pieces::new(40);
        check(auto, "", &[]);
        check(auto, " \n", &[]);
        check(
            auto,
            "{\"a\":1}\n{\"b\":[{}]}\n",
            &["{\"a\":1}", "{\"b\":[{}]}"],
        );
        check(auto, "{}{}", &["{}", "{}"]);
        check(
            auto,
            "{\n \"a\": \"}\\\"{\\\\\"\n}\r\n\"]\" 1 null\n-2.5e+3",
            &[
                "{\n \"a\": \"}\\\"{\\\\\"\n}",
                "\"]\"",
                "1",
                "null",
                "-2.5e+3",
            ],
        );
        check(auto, "[]", &[]);
        check(auto, " [ ] ", &[]);
        check(
            auto,
            "[1,{\"a\":[2]} , \"x\",[ 3 ]\n]\n",
            &["1", "{\"a\":[2]}", "\"x\"", "[ 3 ]"],
        );
        check(|| Pieces::lines(40), "[1]\n[2,3]\n", &["[1]", "[2,3]"]);
    }

    #[test]
    fn what_is_no_stream_of_values_says_where() {
        let auto = || Pieces::new(8);
        check(auto, "{\"a\":1", &["the text ends too early at byte 6"]);
        check(auto, "{} , {}", &["{}", "expected a value at byte 3"]);
        check(auto, "[1,2", &["1", "the text ends too early at byte 4"]);
        check(auto, "[", &["the text ends too early at byte 1"]);
        check(auto, "[1,]", &["1", "a comma before the end at byte 3"]);
        check(auto, "[,]", &["expected a value at byte 1"]);
        check(
            auto,
            "[1 2]",
            &["1", "expected `,` or the end of the array at byte 3"],
        );
        check(
            auto,
            "[1] 2",
            &["1", "something follows the array at byte 4"],
        );
        check(auto, "}", &["expected a value at byte 0"]);
        check(auto, "\u{feff}{}", &["expected a value at byte 0"]);
        check(auto, "12345678 ", &["12345678"]);
        check(
            auto,
            "1 123456789 ",
            &["1", "an item is longer than 8 bytes"],
        );
        check(auto, "[{\"a\":12345}]", &["an item is longer than 8 bytes"]);
    }
}
