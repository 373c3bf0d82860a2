//! Writing down calls while they happen: from many threads, without getting in their way.
//!
//! A call is opened before it is sent and closed with its answer. One that is dropped in between, because its future was
//! cancelled or its task died, is written down as [`Answer::Unknown`]: a recorder cannot forget a call that it has seen
//! begin, which is what the whole proof rests on.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    mem,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use super::{Answer, Call, Command, History, Line, file};

/// Writes lines down; clones write to the same place.
#[derive(Clone, Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    to_file: bool,
    sink: Mutex<Sink>,
}

#[derive(Debug)]
enum Sink {
    Memory(History),
    /// The file and the first error of writing to it: clients do not stop for it, [`Recorder::finish`] tells.
    File(BufWriter<File>, Option<io::Error>),
}

impl Recorder {
    /// Keeps everything in memory: a million calls are about half a gigabyte.
    pub fn in_memory() -> Self {
        Self::to(Sink::Memory(History::default()))
    }

    /// Writes JSON lines to a new file.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub fn to_file(path: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        Ok(Self::to(Sink::File(file, None)))
    }

    fn to(sink: Sink) -> Self {
        let shared = Shared {
            began: Instant::now(),
            to_file: matches!(sink, Sink::File(..)),
            sink: Mutex::new(sink),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Nanoseconds since the recorder was made. All calls of a history are timed by one recorder.
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.shared.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Opens a call; to be called just before the request is sent.
    pub fn begin(&self, client: u32, request_id: impl Into<String>, command: Command) -> Open {
        let call = Call {
            client,
            begin_ns: self.now_ns(),
            end_ns: u64::MAX,
            request_id: request_id.into(),
            command,
            answer: Answer::Unknown,
        };
        Open {
            recorder: self.clone(),
            call: Some(call),
        }
    }

    /// Writes a line down.
    pub fn line(&self, line: Line) {
        // Encoding is what is slow: it happens before the lock.
        let bytes = if self.shared.to_file {
            file::encode(&line)
        } else {
            Vec::new()
        };
        match &mut *self.sink() {
            Sink::Memory(history) => history.add(line),
            Sink::File(file, failed @ None) => *failed = file.write_all(&bytes).err(),
            Sink::File(..) => {}
        }
    }

    /// Writes everything out; what a recorder in memory has collected, empty for one that writes to a file.
    ///
    /// # Errors
    /// The first error of writing to the file.
    pub fn finish(&self) -> io::Result<History> {
        match &mut *self.sink() {
            Sink::Memory(history) => Ok(mem::take(history)),
            Sink::File(file, failed) => {
                failed.take().map_or(Ok(()), Err)?;
                file.flush()?;
                Ok(History::default())
            }
        }
    }

    fn sink(&self) -> MutexGuard<'_, Sink> {
        // A client that panicked while it wrote has at most lost its own line.
        self.shared
            .sink
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that has begun.
#[derive(Debug)]
#[must_use = "a call that is dropped is written down as unknown"]
pub struct Open {
    recorder: Recorder,
    call: Option<Call>,
}

impl Open {
    /// Closes it with its answer; to be called just after the answer is there.
    pub fn end(mut self, answer: Answer) {
        if let Some(call) = &mut self.call {
            call.answer = answer;
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(mut call) = self.call.take() {
            call.end_ns = self.recorder.now_ns();
            self.recorder.line(Line::Call(call));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confirm() -> Command {
        let booking = "bookings/1".to_owned();
        Command::Confirm { booking }
    }

    #[test]
    fn a_call_that_is_dropped_is_unknown() {
        let recorder = Recorder::in_memory();
        recorder.begin(1, "a", confirm()).end(Answer::NotDone);
        drop(recorder.begin(2, "b", confirm()));
        let calls = recorder.finish().unwrap().calls;
        assert_eq!(calls.len(), 2);
        assert_eq!(calls[0].answer, Answer::NotDone);
        assert_eq!(calls[1].answer, Answer::Unknown);
        assert!(calls[0].begin_ns <= calls[0].end_ns && calls[0].end_ns <= calls[1].begin_ns);
    }

    #[test]
    fn a_file_holds_what_was_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        let recorder = Recorder::to_file(&path).unwrap();
        std::thread::scope(|scope| {
            for client in 0..4 {
                let recorder = recorder.clone();
                scope.spawn(move || recorder.begin(client, "", confirm()).end(Answer::Unknown));
            }
        });
        recorder.finish().unwrap();
        let history = file::read_file(&path).unwrap();
        assert_eq!(history.calls.len(), 4);
        assert_eq!(history.feed, None);
    }
}
