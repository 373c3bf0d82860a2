//! A small history that is sound: two subjects, one of which is moved to gRPC and back, a kill of each side, and each
//! failure that is excused.

use std::collections::BTreeMap;

use crate::migration::history::{
    Answer, Asked, Change, Decision, End, Exchange, History, Movie, Outage, Side, Told,
};

const SECOND: u64 = 1_000_000;

/// A sound history.
#[must_use]
pub fn sound() -> History {
    let mut made = Made::default();
    for (version, percent, at) in [(1, 0, 0), (2, 50, 10), (3, 100, 40), (4, 0, 60)] {
        made.0.changes.push(Change {
            version,
            stage: "split".to_owned(),
            percent,
            began_us: at * SECOND,
            ended_us: at * SECOND + 100,
        });
    }
    for (side, at) in [(Side::Grpc, 30), (Side::Legacy, 45)] {
        made.0.outages.push(Outage {
            side,
            killed_us: at * SECOND,
            gone_us: at * SECOND + 1_000,
            back_us: (at + 1) * SECOND,
        });
    }
    for (who, bucket) in [("ada", 10), ("bob", 9_000)] {
        made.life(who, bucket);
    }
    made.troubles();
    made.0
}

#[derive(Default)]
struct Made(History);

impl Made {
    /// What somebody does from the beginning to the end.
    fn life(&mut self, who: &str, bucket: u16) {
        let mut own = BTreeMap::new();
        for (nth, (at, version, percent)) in [
            (5, 1, 0),
            (15, 2, 50),
            (20, 2, 50),
            (50, 3, 100),
            (70, 4, 0),
        ]
        .into_iter()
        .enumerate()
        {
            let side = match u32::from(bucket) < percent * 100 {
                true => Side::Grpc,
                false => Side::Legacy,
            };
            let decided = (side, bucket, version);
            let title = format!("{who} {nth}");
            let id = self.0.end.legacy.len() as i64 + 1;
            let at = at * SECOND + u64::from(bucket) * 10;
            let told = Told::Movie {
                id,
                title: title.clone(),
            };
            let asked = Asked::Create {
                title: title.clone(),
            };
            self.asked(who, at, decided, asked, 201, told.clone());
            self.keep(id, &title);
            own.insert(id, title);
            self.asked(who, at + 200, decided, Asked::Movie { id }, 200, told);
            let told = Told::Movies(own.clone());
            self.asked(who, at + 400, decided, Asked::Movies, 200, told);
        }
        let booking = format!("bookings/{who}");
        for (at, asked, state) in [
            (71, Asked::Hold, "STATE_HELD"),
            (
                72,
                Asked::Confirm {
                    booking: booking.clone(),
                },
                "STATE_CONFIRMED",
            ),
            (
                73,
                Asked::Booking {
                    booking: booking.clone(),
                },
                "STATE_CONFIRMED",
            ),
        ] {
            let told = Told::Booking {
                booking: booking.clone(),
                state: state.to_owned(),
            };
            self.exchange(who, at * SECOND, asked, 200, true, None, told);
        }
        self.0.end.bookings.insert(booking, "CONFIRMED".to_owned());
    }

    /// What fails and is excused.
    fn troubles(&mut self) {
        let create = |title: &str| Asked::Create {
            title: title.to_owned(),
        };
        let (ada, bob) = ((Side::Grpc, 10, 2), (Side::Legacy, 9_000, 2));
        let at = 30 * SECOND - 100;
        self.asked("ada", at, ada, create("in flight"), 503, Told::Nothing);
        // Just after an outage, when a connection may still turn out to be closed.
        for (who, decided) in [("ada", ada), ("bob", bob)] {
            let at = 31 * SECOND + SECOND / 2;
            self.asked(who, at, decided, Asked::Movie { id: 0 }, 200, Told::Nothing);
        }
        let at = 45 * SECOND + 5_000;
        let bob_later = (Side::Grpc, bob.1, 3);
        self.asked("bob", at, bob_later, create("no ids"), 503, Told::Nothing);
        let id = self.exchange(
            "ada",
            45 * SECOND - 100,
            Asked::Movies,
            200,
            false,
            Some(Side::Legacy),
            Told::Nothing,
        );
        // Asked of legacy, because it was pinned to what it had just written there.
        self.exchange_with(
            &id,
            Decision {
                gateway: 0,
                side: Side::Legacy,
                reason: "pin".to_owned(),
                bucket: 10,
                version: 3,
                fell_back: false,
            },
        );
        let id = self.exchange(
            "ada",
            30 * SECOND + 3_000,
            create("elsewhere"),
            201,
            true,
            Some(Side::Legacy),
            Told::Movie {
                id: 100,
                title: "elsewhere".to_owned(),
            },
        );
        self.keep(100, "elsewhere");
        self.exchange_with(
            &id,
            Decision {
                gateway: 0,
                side: Side::Legacy,
                reason: "percent".to_owned(),
                bucket: 10,
                version: 2,
                fell_back: true,
            },
        );
        let movies = [&self.0.end.legacy, &self.0.end.grpc];
        debug_assert_eq!(movies[0], movies[1]);
        self.relist();
    }

    /// Lists that came later show what came in between.
    fn relist(&mut self) {
        for it in &mut self.0.exchanges {
            if let Told::Movies(own) = &mut it.answer.told
                && it.subject == "ada"
                && it.sent_us > 30 * SECOND
            {
                own.insert(100, "elsewhere".to_owned());
            }
        }
    }

    fn keep(&mut self, id: i64, title: &str) {
        let movie = Movie {
            title: title.to_owned(),
            rest: String::new(),
        };
        let End { legacy, grpc, .. } = &mut self.0.end;
        legacy.insert(id, movie.clone());
        grpc.insert(id, movie);
    }

    fn asked(
        &mut self,
        who: &str,
        at: u64,
        (side, bucket, version): (Side, u16, u64),
        asked: Asked,
        status: u16,
        told: Told,
    ) {
        let id = self.exchange(who, at, asked, status, true, Some(side), told);
        self.exchange_with(
            &id,
            Decision {
                gateway: 0,
                side,
                reason: "percent".to_owned(),
                bucket,
                version,
                fell_back: false,
            },
        );
    }

    fn exchange_with(&mut self, id: &str, decision: Decision) {
        self.0.decisions.insert(id.to_owned(), decision);
    }

    #[allow(clippy::too_many_arguments, reason = "a row of a table")]
    fn exchange(
        &mut self,
        who: &str,
        sent_us: u64,
        asked: Asked,
        status: u16,
        complete: bool,
        side: Option<Side>,
        told: Told,
    ) -> String {
        let request_id = format!("r{}", self.0.exchanges.len());
        self.0.exchanges.push(Exchange {
            request_id: request_id.clone(),
            subject: who.to_owned(),
            gateway: 0,
            asked,
            sent_us,
            ended_us: sent_us + 150,
            answer: Answer {
                status,
                complete,
                side,
                told,
                error: String::new(),
            },
        });
        request_id
    }
}
