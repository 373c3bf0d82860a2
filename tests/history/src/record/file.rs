//! Histories as JSON lines. Order does not matter but for events, which stay as they were read.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::Path,
};

use super::{FinalState, History, Line};

/// Why a history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file failed.
    #[error("cannot read the history")]
    Io(#[source] io::Error),
    /// A line is not of a history. The last line of a recording that was killed may be cut: delete it, the call is then
    /// one that nobody made, and its effect, if it has one, a phantom.
    #[error("line {number} is not a line of a history")]
    Line {
        /// From 1.
        number: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl History {
    /// Adds a line.
    pub fn add(&mut self, line: Line) {
        match line {
            Line::Cell(cell) => self.cells.push(cell),
            Line::Start { sequence } => self.start_sequence = sequence,
            Line::Call(call) => self.calls.push(call),
            Line::Event(event) => self.feed.get_or_insert_default().push(event),
            Line::FeedEnd => drop(self.feed.get_or_insert_default()),
            Line::FinalBooking(booking) => self.final_state().bookings.push(booking),
            Line::FinalCell(cell) => self.final_state().cells.push(cell),
            Line::FinalEnd => drop(self.final_state()),
        }
    }

    fn final_state(&mut self) -> &mut FinalState {
        self.end.get_or_insert_default()
    }

    /// Its lines.
    pub fn into_lines(self) -> impl Iterator<Item = Line> {
        let start = Line::Start {
            sequence: self.start_sequence,
        };
        let feed_end = self.feed.is_some().then_some(Line::FeedEnd);
        let final_end = self.end.is_some().then_some(Line::FinalEnd);
        let end = self.end.unwrap_or_default();
        self.cells
            .into_iter()
            .map(Line::Cell)
            .chain([start])
            .chain(self.calls.into_iter().map(Line::Call))
            .chain(self.feed.into_iter().flatten().map(Line::Event))
            .chain(feed_end)
            .chain(end.bookings.into_iter().map(Line::FinalBooking))
            .chain(end.cells.into_iter().map(Line::FinalCell))
            .chain(final_end)
    }
}

/// Reads a history.
///
/// # Errors
/// If reading fails or a line is none of a history.
pub fn read(lines: impl BufRead) -> Result<History, ReadError> {
    let mut history = History::default();
    for (number, line) in (1..).zip(lines.lines()) {
        let line = line.map_err(ReadError::Io)?;
        if line.trim().is_empty() {
            continue;
        }
        let line = serde_json::from_str(&line);
        history.add(line.map_err(|source| ReadError::Line { number, source })?);
    }
    Ok(history)
}

/// Reads a history from a file.
///
/// # Errors
/// As [`read`].
pub fn read_file(path: &Path) -> Result<History, ReadError> {
    let file = File::open(path).map_err(ReadError::Io)?;
    read(BufReader::with_capacity(1 << 20, file))
}

/// Writes a history.
///
/// # Errors
/// If writing fails.
pub fn write(history: History, mut to: impl Write) -> io::Result<()> {
    for line in history.into_lines() {
        to.write_all(&encode(&line))?;
    }
    to.flush()
}

pub(super) fn encode(line: &Line) -> Vec<u8> {
    // Numbers and texts only: nothing that JSON cannot say.
    let mut bytes = serde_json::to_vec(line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
