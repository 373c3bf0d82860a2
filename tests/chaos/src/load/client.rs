//! One guest: wants this and that, keeps what it got in mind, and asks again where it was not answered.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use banyan_history::record::{Answer, Granted, Recorder};
use banyan_proto::reservation::v1::{self, booking_service_client::BookingServiceClient};
use tokio::sync::{RwLock, watch};
use tonic::{Status, transport::Channel};
use tonic_types::StatusExt as _;

use super::{
    ask::{self, Ask, What},
    memory::{Known, Memory},
    pulse::Pulse,
    stock::Stock,
};
use crate::chance::Chance;

/// A call without an answer is given up after this long.
const ANSWER_LIMIT: Duration = Duration::from_secs(4);
/// A request is asked again so often; then the client goes its way without ever knowing.
const RETRIES_MAX: usize = 200;
/// Holds of one call.
const MANY_MAX: usize = 8;

/// What all clients share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) recorder: Recorder,
    pub(super) stock: Stock,
    pub(crate) pulse: Pulse,
    /// Whoever asks something passes it; closed, it holds everybody back.
    pub(super) gate: RwLock<()>,
}

/// One guest.
#[derive(Debug)]
pub(super) struct Client {
    number: u32,
    guest: String,
    pub(super) chance: Chance,
    replicas: Vec<BookingServiceClient<Channel>>,
    pub(super) shared: Arc<Shared>,
    stopped: watch::Receiver<bool>,
    asked: u64,
    memory: Memory,
}

impl Client {
    pub(super) fn new(
        number: u32,
        chance: Chance,
        replicas: Vec<BookingServiceClient<Channel>>,
        shared: Arc<Shared>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self {
            number,
            guest: format!("guest-of-the-chaos-{number:04}"),
            chance,
            replicas,
            shared,
            stopped,
            asked: 0,
            memory: Memory::default(),
        }
    }

    /// Wants things until it is told to stop.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        while !self.is_stopped() {
            match self.chance.between(0..100) {
                0..6 => self.repeat().await,
                6..9 => self.twice_at_once().await,
                9..12 => self.many_at_once().await,
                _ => {
                    if let Some(what) = self.want() {
                        self.settle(what).await;
                    }
                }
            }
            self.pause(0..20).await;
        }
        Ok(())
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Waits for so many milliseconds.
    pub(super) async fn pause(&mut self, milliseconds: std::ops::Range<u64>) {
        let time = Duration::from_millis(self.chance.between(milliseconds));
        tokio::time::sleep(time).await;
    }

    /// What to ask for next.
    fn want(&mut self) -> Option<What> {
        let known = self.memory.booking(&mut self.chance);
        let known = known.filter(|_| self.memory.is_full() || self.chance.percent(55));
        let Some(Known {
            name: booking,
            stays,
            confirmed,
        }) = known
        else {
            let wish = self.shared.stock.wish(&mut self.chance)?;
            return Some(What::Hold {
                wish,
                duration: self.duration(),
            });
        };
        match self.chance.between(0..100) {
            // Now and then it confirms or extends what is confirmed already.
            0..35 if !confirmed || self.chance.percent(10) => Some(What::Confirm { booking }),
            35..45 if !confirmed || self.chance.percent(10) => {
                let by = self.duration();
                Some(What::Extend { booking, by })
            }
            0..80 => Some(What::Cancel { booking }),
            _ => {
                let wish = self.shared.stock.wish_like(stays, &mut self.chance)?;
                Some(What::Move { booking, wish })
            }
        }
    }

    /// Many holds are short: they run out while their cells are wanted by others.
    fn duration(&mut self) -> Duration {
        let seconds = match self.chance.between(0..100) {
            0..30 => 1,
            30..60 => self.chance.between(2..5),
            _ => self.chance.between(5..60),
        };
        Duration::from_secs(seconds)
    }

    /// Asks, and asks again until there is an answer; but sometimes it never learns. What was granted, if it was.
    pub(super) async fn settle(&mut self, what: What) -> Option<Granted> {
        let ask = self.ask(what);
        let gives_up = self.chance.percent(10);
        self.until_answered(&ask, gives_up).await
    }

    /// As [`settle`](Self::settle), without ever giving up before the load ends; whether it was answered for good.
    pub(super) async fn insist(&mut self, what: What) -> Option<Answer> {
        let ask = self.ask(what);
        while !self.is_stopped() {
            match self.send(&ask).await {
                Answer::NotDone | Answer::Unknown => self.pause(20..120).await,
                answer => return Some(answer),
            }
        }
        None
    }

    async fn until_answered(&mut self, ask: &Ask, gives_up: bool) -> Option<Granted> {
        for _ in 0..RETRIES_MAX {
            match self.send(ask).await {
                Answer::Granted(granted) => {
                    self.memory.granted(&granted, ask, &mut self.chance);
                    return Some(granted);
                }
                Answer::Refused(refused) => {
                    self.memory.refused(&refused.reason, ask, &mut self.chance);
                    return None;
                }
                Answer::NotDone | Answer::Unknown if gives_up || self.is_stopped() => return None,
                Answer::NotDone | Answer::Unknown => self.pause(20..300).await,
            }
        }
        None
    }

    /// Sends something again that was sent before, now and then with another content.
    async fn repeat(&mut self) {
        let Some(mut ask) = self.memory.ask(&mut self.chance) else {
            return;
        };
        if self.chance.percent(15) {
            ask.what = match ask.what {
                What::Hold { wish, duration } => What::Hold {
                    wish,
                    duration: duration + Duration::from_secs(1),
                },
                other => other,
            };
        }
        self.send(&ask).await;
    }

    /// Sends the same request twice at once.
    async fn twice_at_once(&mut self) {
        let Some(what) = self.want() else { return };
        let ask = self.ask(what);
        let (mut one, mut two) = (self.line(), self.line());
        tokio::join!(one.send(&ask), two.send(&ask));
        self.until_answered(&ask, false).await;
    }

    /// Sends several holds as one call, and asks one by one for the answers that did not come.
    async fn many_at_once(&mut self) {
        let count = 2 + self.chance.below(MANY_MAX - 1);
        let mut asks = Vec::new();
        for _ in 0..count {
            let Some(wish) = self.shared.stock.wish(&mut self.chance) else {
                return;
            };
            let duration = self.duration();
            asks.push(self.ask(What::Hold { wish, duration }));
        }
        let answers = self.line().send_all(&asks).await;
        for (ask, answer) in asks.iter().zip(answers) {
            match answer {
                Answer::Granted(granted) => self.memory.granted(&granted, ask, &mut self.chance),
                Answer::Refused(_) => {}
                Answer::NotDone | Answer::Unknown => drop(self.until_answered(ask, false).await),
            }
        }
    }

    /// A way to a random replica.
    fn line(&mut self) -> Line {
        let replica = self.chance.below(self.replicas.len());
        Line {
            number: self.number,
            guest: self.guest.clone(),
            replica,
            client: self.replicas[replica].clone(),
            shared: Arc::clone(&self.shared),
        }
    }

    async fn send(&mut self, ask: &Ask) -> Answer {
        self.line().send(ask).await
    }

    fn ask(&mut self, what: What) -> Ask {
        self.asked += 1;
        let ask = Ask {
            request_id: format!("{}-{}", self.number, self.asked),
            what,
        };
        self.memory.sent(&ask, &mut self.chance);
        ask
    }
}

/// One way to one replica, on which something can be sent while something else is under way.
struct Line {
    number: u32,
    guest: String,
    replica: usize,
    client: BookingServiceClient<Channel>,
    shared: Arc<Shared>,
}

impl Line {
    /// Sends, writes down, counts.
    async fn send(&mut self, ask: &Ask) -> Answer {
        let _passed = self.shared.gate.read().await;
        let sent = Instant::now();
        let open = self
            .shared
            .recorder
            .begin(self.number, ask.request_id.clone(), ask.command());
        let (answer, raw) = ask.send(&mut self.client, &self.guest, ANSWER_LIMIT).await;
        open.end(answer.clone());
        if matches!(answer, Answer::Granted(_)) {
            self.shared.pulse.granted(self.replica, sent);
        }
        self.shared.pulse.count(&name(&answer, &raw));
        answer
    }

    /// As [`send`](Self::send), for several holds in one call.
    async fn send_all(&mut self, asks: &[Ask]) -> Vec<Answer> {
        let _passed = self.shared.gate.read().await;
        let sent = Instant::now();
        let begin = |ask: &Ask| {
            let id = ask.request_id.clone();
            self.shared.recorder.begin(self.number, id, ask.command())
        };
        let open: Vec<_> = asks.iter().map(begin).collect();
        let answers = ask::send_all(asks, &mut self.client, &self.guest, ANSWER_LIMIT).await;
        for (open, answer) in open.into_iter().zip(&answers) {
            open.end(answer.clone());
            if matches!(answer, Answer::Granted(_)) {
                self.shared.pulse.granted(self.replica, sent);
            }
            self.shared.pulse.count(&name_of_many(answer));
        }
        answers
    }
}

/// What an answer of a batch is counted as.
fn name_of_many(answer: &Answer) -> String {
    match answer {
        Answer::Granted(_) => "granted".to_owned(),
        Answer::Refused(it) => format!("refused {}", it.reason),
        Answer::NotDone => "not done in a batch".to_owned(),
        Answer::Unknown => "unknown in a batch".to_owned(),
    }
}

/// What an answer is counted as.
fn name(answer: &Answer, raw: &Result<v1::Booking, Status>) -> String {
    match (answer, raw) {
        (Answer::Granted(_), _) => "granted".to_owned(),
        (Answer::Refused(it), _) => format!("refused {}", it.reason),
        (_, Ok(_)) => "unreadable".to_owned(),
        (_, Err(status)) => {
            let kind = if *answer == Answer::NotDone {
                "not done"
            } else {
                "unknown"
            };
            let details = status.get_error_details();
            let reason = details
                .error_info()
                .map(|it| it.reason.clone())
                .unwrap_or_default();
            format!("{kind} {:?} {reason}", status.code())
                .trim_end()
                .to_owned()
        }
    }
}
