//! A small history that is sound: two subjects, one of which is moved to gRPC and back, a kill of each side, and each
//! failure that is excused.

use std::collections::BTreeMap;

use crate::migration::history::{
    Answer, Asked, Change, Decision, End, Exchange, History, Movie, Outage, Pin, Side, Told,
};

const SECOND: u64 = 1_000_000;

/// A sound history.
#[must_use]
pub fn sound() -> History {
    let mut made = Made::default();
    let changes = [
        (1, 0, 0, true),
        (2, 50, 10, true),
        (3, 100, 40, true),
        (4, 100, 58, false),
        (5, 0, 60, false),
    ];
    for (version, percent, at, fallback) in changes {
        made.0.changes.push(Change {
            version,
            stage: "split".to_owned(),
            percent,
            fallback,
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
            (70, 5, 0),
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
            self.exchange(who, at * SECOND, asked, 200, None, told);
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
        let told = Told::Movie {
            id: 100,
            title: "elsewhere".to_owned(),
        };
        let at = 30 * SECOND + 500;
        // In flight to the side that is killed, and never sent there.
        let id = self.asked("ada", at, ada, create("elsewhere"), 201, told);
        self.keep(100, "elsewhere");
        self.answered_by_legacy(&id, at);
        self.pinned("ada", 45 * SECOND - 100);
        let movies = [&self.0.end.legacy, &self.0.end.grpc];
        debug_assert_eq!(movies[0], movies[1]);
        self.relist();
    }

    /// Legacy has answered for gRPC, and gives a pin, because gRPC does not know of it.
    fn answered_by_legacy(&mut self, id: &str, at: u64) {
        if let Some(decision) = self.0.decisions.get_mut(id) {
            decision.side = Side::Legacy;
            decision.fell_back = true;
        }
        if let Some(it) = self.0.exchanges.last_mut() {
            it.answer.side = Some(Side::Legacy);
            it.answer.pin = Some(Pin {
                text: "4.l".to_owned(),
                side: Side::Legacy,
                since_us: Some(at + 100),
                until_us: at + 100 + 30 * SECOND,
            });
        }
    }

    /// Asks legacy, because of the pin to what was just written there.
    fn pinned(&mut self, who: &str, at: u64) {
        let given = |it: &Exchange| it.answer.pin.clone();
        let pin = self.0.exchanges.iter().find_map(given);
        let listed = |it: &Exchange| match &it.answer.told {
            Told::Movies(own) if it.subject == who && it.sent_us < at => Some(own.clone()),
            _ => None,
        };
        let own = self.0.exchanges.iter().filter_map(listed);
        let own = own.max_by_key(BTreeMap::len).unwrap_or_default();
        let decided = (Side::Legacy, 10, 3);
        let id = self.asked(who, at, decided, Asked::Movies, 200, Told::Movies(own));
        if let Some(decision) = self.0.decisions.get_mut(&id) {
            "pin".clone_into(&mut decision.reason);
        }
        if let Some(it) = self.0.exchanges.last_mut() {
            it.pin = pin;
        }
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
    ) -> String {
        let id = self.exchange(who, at, asked, status, Some(side), told);
        let decision = Decision {
            gateway: 0,
            side,
            reason: "percent".to_owned(),
            bucket,
            version,
            fell_back: false,
        };
        self.0.decisions.insert(id.clone(), decision);
        id
    }

    fn exchange(
        &mut self,
        who: &str,
        sent_us: u64,
        asked: Asked,
        status: u16,
        side: Option<Side>,
        told: Told,
    ) -> String {
        let request_id = format!("r{}", self.0.exchanges.len());
        self.0.exchanges.push(Exchange {
            request_id: request_id.clone(),
            subject: who.to_owned(),
            gateway: 0,
            asked,
            pin: None,
            sent_us,
            ended_us: sent_us + 150,
            answer: Answer {
                status,
                complete: true,
                side,
                told,
                ..Answer::default()
            },
        });
        request_id
    }
}
