//! Small histories that a person can follow, each with the one thing that is wrong with it.

use banyan_history::{
    check,
    record::{
        Answer, Booking, Call, Cell, Change, Claim, Command, Event, Granted, History, Position,
        Refused, State,
    },
    report::{Kind, Report},
};

const SEAT: &str = "cinemas/c/screenings/1/seats/A1";
const HOLD_MICROS: u64 = 100;

/// A history of one seat for 10, written down in the order of commits. Each call lasts from `at` to `at + 1`; a change at
/// microsecond n is decided then.
#[derive(Default)]
struct Story {
    history: History,
}

fn hold() -> Command {
    Command::Hold {
        claims: vec![Claim::new(SEAT, 1)],
        hold_micros: HOLD_MICROS,
    }
}

fn confirm() -> Command {
    Command::Confirm {
        booking: "bookings/1".into(),
    }
}

fn cancel() -> Command {
    Command::Cancel {
        booking: "bookings/1".into(),
    }
}

fn booking(number: u32, state: State, decide_micros: i64) -> Booking {
    let over = matches!(state, State::Cancelled | State::Expired);
    Booking {
        booking: format!("bookings/{number}"),
        state,
        claims: if over {
            Vec::new()
        } else {
            vec![Claim::new(SEAT, 1)]
        },
        expire_micros: (state == State::Held).then_some(decide_micros + HOLD_MICROS.cast_signed()),
        total_minor: 10,
    }
}

fn refused(sequence: u64, reason: &str) -> Answer {
    let cells = match reason {
        "CELL_UNAVAILABLE" => vec![SEAT.to_owned()],
        _ => Vec::new(),
    };
    let cells_total = u32::try_from(cells.len()).unwrap();
    let (position, reason) = (Position::at(sequence), reason.to_owned());
    Answer::Refused(Refused {
        position,
        reason,
        cells,
        cells_total,
    })
}

impl Story {
    fn new() -> Self {
        let mut story = Self::default();
        let cell = Cell {
            cell: SEAT.into(),
            capacity: 1,
            price_minor: Some(10),
        };
        story.history.cells.push(cell);
        story.history.feed = Some(Vec::new());
        story
    }

    /// A change in the feed; the answer that somebody may have had.
    fn change(&mut self, micros: i64, previous: Option<State>, now: Booking) -> Answer {
        let feed = self.history.feed.as_mut().unwrap();
        let position = Position::at(feed.len() as u64 + 1);
        let change = Change::Booking {
            previous,
            now: now.clone(),
        };
        feed.push(Event {
            position: position.clone(),
            decide_micros: micros,
            change,
        });
        Answer::Granted(Granted {
            position,
            booking: now,
            decide_micros: micros,
        })
    }

    fn call(&mut self, at: u64, command: Command, answer: Answer) -> &mut Call {
        let call = Call {
            client: 1,
            begin_ns: at,
            end_ns: at + 1,
            request_id: format!("request-{}", self.history.calls.len()),
            command,
            answer,
        };
        self.history.calls.push(call);
        self.history.calls.last_mut().unwrap()
    }

    /// Booking 1 is held at microsecond 0 by a call at 0.
    fn held() -> Self {
        let mut story = Self::new();
        let answer = story.change(0, None, booking(1, State::Held, 0));
        story.call(0, hold(), answer);
        story
    }

    #[track_caller]
    fn clean(&self) -> Report {
        let report = check(&self.history);
        assert!(report.is_clean(), "{report}");
        report
    }

    #[track_caller]
    fn wrong(&self, kinds: &[Kind]) -> String {
        let report = check(&self.history);
        let found: Vec<_> = report.violations_by_kind.keys().copied().collect();
        assert_eq!(found, kinds, "{report}");
        report.to_string()
    }
}

#[test]
fn a_seat_is_held_refused_to_another_and_confirmed() {
    let mut story = Story::held();
    story.call(2, hold(), refused(1, "CELL_UNAVAILABLE"));
    let answer = story.change(50, Some(State::Held), booking(1, State::Confirmed, 50));
    story.call(4, confirm(), answer);
    let report = story.clean();
    assert_eq!((report.granted, report.refused, report.events), (2, 1, 2));
}

#[test]
fn lost_acknowledgement() {
    let mut story = Story::held();
    story.history.feed = Some(Vec::new());
    let words = story.wrong(&[Kind::Lost]);
    assert!(
        words.starts_with("LOST at 1: Acknowledged, but the feed has nothing at its sequence."),
        "{words}"
    );
    assert!(
        words.contains("call 0, client 1, request id request-0"),
        "{words}"
    );
}

#[test]
fn double_sale() {
    let mut story = Story::held();
    let answer = story.change(50, None, booking(2, State::Held, 50));
    story.call(2, hold(), answer);
    let words = story.wrong(&[Kind::Oversold]);
    assert!(words.contains("A1 has 1 of 1 taken"), "{words}");
    assert_eq!(check(&story.history).oversold_cells.len(), 1);
}

#[test]
fn wrong_refusal() {
    let mut story = Story::new();
    story.call(0, hold(), refused(0, "CELL_UNAVAILABLE"));
    let words = story.wrong(&[Kind::WrongAnswer]);
    assert!(words.contains("but it had to be granted"), "{words}");
}

#[test]
fn stale_repeat() {
    let mut story = Story::held();
    let answer = story.change(50, Some(State::Held), booking(1, State::Confirmed, 50));
    story.call(2, hold(), answer.clone()).request_id = "request-0".into();
    story.call(4, confirm(), answer);
    story.wrong(&[Kind::Repeat]);
}

#[test]
fn resurrected_hold() {
    let mut story = Story::held();
    story.change(100, Some(State::Held), booking(1, State::Expired, 100));
    let answer = story.change(101, Some(State::Expired), booking(1, State::Confirmed, 101));
    story.call(2, confirm(), answer);
    story.wrong(&[Kind::Resurrected]);
}

#[test]
fn a_hold_that_has_run_out_is_no_more_even_before_it_is_tidied_up() {
    let confirmed_at = |micros| {
        let mut story = Story::held();
        let answer = story.change(
            micros,
            Some(State::Held),
            booking(1, State::Confirmed, micros),
        );
        story.call(2, confirm(), answer);
        story
    };
    confirmed_at(99).clean();
    confirmed_at(100).wrong(&[Kind::Resurrected]);
}

#[test]
fn real_time_inversion() {
    let mut story = Story::held();
    // It began when the hold had been answered, and has not seen it.
    story.call(2, hold(), refused(0, "CELL_UNAVAILABLE"));
    story.wrong(&[Kind::RealTime, Kind::WrongAnswer]);
}

#[test]
fn calls_that_overlap_or_touch_may_be_in_any_order() {
    let mut story = Story::new();
    let first = story.change(0, None, booking(1, State::Held, 0));
    let second = story.change(0, Some(State::Held), booking(1, State::Cancelled, 0));
    story.call(1, hold(), first);
    story.call(0, cancel(), second);
    story.clean();
    story.history.calls[0].begin_ns += 1;
    story.history.calls[0].end_ns += 1;
    story.wrong(&[Kind::RealTime]);
}

#[test]
fn two_refusals_at_one_position_may_follow_each_other() {
    let mut story = Story::held();
    story.call(2, hold(), refused(1, "CELL_UNAVAILABLE"));
    story.call(4, hold(), refused(1, "CELL_UNAVAILABLE"));
    story.clean();
}

#[test]
fn a_grant_after_a_refusal_needs_a_later_position() {
    let mut story = Story::held();
    let answer = story.change(0, Some(State::Held), booking(1, State::Cancelled, 0));
    story.call(4, cancel(), answer);
    let late = story.call(2, hold(), refused(2, "CELL_UNAVAILABLE"));
    // Refused after the cancellation, which only began later.
    late.answer = refused(2, "CELL_UNAVAILABLE");
    story.wrong(&[Kind::RealTime, Kind::WrongAnswer]);
}

#[test]
fn phantom() {
    let mut story = Story::new();
    story.change(0, None, booking(1, State::Held, 0));
    story.wrong(&[Kind::Phantom]);
    // What was there before the first call is nobody's business.
    story.history.start_sequence = 1;
    story.clean();
}

#[test]
fn skipped_and_doubled_sequences() {
    let mut story = Story::held();
    story.history.feed.as_mut().unwrap().push(Event {
        position: Position::at(3),
        decide_micros: 0,
        change: Change::Other,
    });
    story.wrong(&[Kind::Sequence]);
    story.history.feed.as_mut().unwrap()[1].position = Position::at(1);
    story.wrong(&[Kind::Sequence]);
}

#[test]
fn an_unknown_call_explains_one_change_and_no_more() {
    let mut story = Story::new();
    story.change(0, None, booking(1, State::Held, 0));
    story.call(0, hold(), Answer::Unknown);
    assert_eq!(story.clean().unknown_done, 1);
    story.change(100, Some(State::Held), booking(1, State::Expired, 100));
    story.change(100, None, booking(2, State::Held, 100));
    story.wrong(&[Kind::Phantom]);
    // The retry of the same request is still one request.
    story.call(2, hold(), Answer::Unknown).request_id = "request-0".into();
    story.wrong(&[Kind::Phantom]);
    story.call(2, hold(), Answer::Unknown);
    assert_eq!(story.clean().unknown_done, 2);
}

#[test]
fn an_unknown_call_explains_nothing_that_happened_before_it_began() {
    let mut story = Story::new();
    story.change(0, None, booking(1, State::Held, 0));
    story.call(0, hold(), refused(1, "CELL_UNAVAILABLE"));
    story.call(2, hold(), Answer::Unknown);
    story.wrong(&[Kind::RealTime]);
}

#[test]
fn a_retry_that_is_answered_settles_the_call_that_was_not() {
    let mut story = Story::new();
    let answer = story.change(0, None, booking(1, State::Held, 0));
    story.call(0, hold(), Answer::Unknown);
    story.call(4, hold(), answer).request_id = "request-0".into();
    // Ended before the retry began, but after the first try: the hold may have been done in between.
    story.call(2, hold(), refused(1, "CELL_UNAVAILABLE"));
    let report = story.clean();
    assert_eq!((report.unknown, report.unknown_done), (1, 0));
}

#[test]
fn a_refusal_may_fall_before_or_after_a_hold_runs_out() {
    // Between changes at microseconds 0 and 200, the hold runs out at 100.
    for (command, reason) in [(hold(), "CELL_UNAVAILABLE"), (confirm(), "HOLD_EXPIRED")] {
        let mut story = Story::held();
        story.call(2, command, refused(1, reason));
        story.change(200, Some(State::Held), booking(1, State::Expired, 200));
        story.clean();
    }
    // But not once the next change has been decided before that.
    let mut story = Story::held();
    story.call(2, confirm(), refused(1, "HOLD_EXPIRED"));
    let answer = story.change(99, Some(State::Held), booking(1, State::Confirmed, 99));
    story.call(4, confirm(), answer);
    story.wrong(&[Kind::WrongAnswer]);
}

#[test]
fn other_content_under_a_request_id_is_refused_and_only_that() {
    let mut story = Story::held();
    let other = Command::Hold {
        claims: vec![Claim::new(SEAT, 2)],
        hold_micros: HOLD_MICROS,
    };
    story
        .call(2, other, refused(1, "REQUEST_ID_REUSED"))
        .request_id = "request-0".into();
    story.clean();
    story
        .call(4, hold(), refused(1, "REQUEST_ID_REUSED"))
        .request_id = "request-0".into();
    story.wrong(&[Kind::Repeat]);
}
