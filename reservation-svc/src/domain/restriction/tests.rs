//! Each restriction at its edge: what is just granted and what is just denied.

use jiff::civil::{Weekday, date};

use super::*;
use crate::domain::{claim::Nights, name::RoomTypeId};

const POOL: PoolId = PoolId(7);

fn stay(check_in: Date, check_out: Date) -> Stay {
    Stay {
        room_type: RoomTypeId::parse("hotels/a/roomTypes/b").unwrap(),
        nights: Nights::new(check_in, check_out).unwrap(),
        rooms: 1,
    }
}

fn over(from: Date, to: Date, rules: Rules) -> Restriction {
    Restriction {
        pool: POOL,
        dates: Slot::of_night(from)..Slot::of_night(to),
        weekdays: Weekdays::ALL,
        rules,
    }
}

fn always(rules: Rules) -> Vec<Restriction> {
    vec![over(date(2026, 1, 1), date(2028, 1, 1), rules)]
}

fn at(local: &str, zone: &TimeZone) -> Timestamp {
    let local: jiff::civil::DateTime = local.parse().unwrap();
    local.to_zoned(zone.clone()).unwrap().timestamp()
}

fn lisbon() -> TimeZone {
    TimeZone::get("Europe/Lisbon").unwrap()
}

/// Decides a stay at noon of 1 June 2026.
fn decide(stay: &Stay, restrictions: &[Restriction]) -> Result<(), Denial> {
    let zone = lisbon();
    check(
        stay,
        POOL,
        restrictions,
        at("2026-06-01T12:00", &zone),
        &zone,
    )
}

#[track_caller]
fn denied(stay: &Stay, restrictions: &[Restriction]) -> (Reason, Vec<(&'static str, String)>) {
    let denial = decide(stay, restrictions).unwrap_err();
    assert!(!denial.cells.is_empty());
    (denial.reason, denial.details)
}

fn text(pairs: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    pairs
        .iter()
        .map(|(key, value)| (*key, (*value).to_owned()))
        .collect()
}

#[test]
fn nothing_set_restricts_nothing() {
    let stay = stay(date(2026, 6, 1), date(2026, 6, 2));
    assert_eq!(decide(&stay, &[]), Ok(()));
    assert_eq!(decide(&stay, &always(Rules::default())), Ok(()));
}

#[test]
fn the_length_is_what_the_day_of_arrival_asks_for() {
    let rules = Rules {
        nights_min: 2,
        nights_max: 4,
        ..Rules::default()
    };
    let restrictions = vec![over(date(2026, 7, 10), date(2026, 7, 11), rules)];
    for (nights, reason) in [
        (1, Some(Reason::MinStay)),
        (2, None),
        (4, None),
        (5, Some(Reason::MaxStay)),
    ] {
        let leaving = date(2026, 7, 10 + nights);
        let decided = decide(&stay(date(2026, 7, 10), leaving), &restrictions);
        assert_eq!(decided.err().map(|it| it.reason), reason, "{nights}");
    }
    // Who arrives the day before sleeps on that night too, but is asked by another day.
    assert_eq!(
        decide(&stay(date(2026, 7, 9), date(2026, 7, 11)), &restrictions),
        Ok(())
    );
    let (_, details) = denied(&stay(date(2026, 7, 10), date(2026, 7, 11)), &restrictions);
    assert_eq!(
        details,
        text(&[
            ("check_in_date", "2026-07-10"),
            ("min_nights", "2"),
            ("nights", "1")
        ])
    );
}

#[test]
fn days_closed_to_arrival_and_departure_may_be_slept_through() {
    let closed = Rules {
        closed_to_arrival: true,
        closed_to_departure: true,
        ..Rules::default()
    };
    let restrictions = vec![over(date(2026, 7, 10), date(2026, 7, 11), closed)];
    assert_eq!(
        decide(&stay(date(2026, 7, 9), date(2026, 7, 11)), &restrictions),
        Ok(())
    );
    assert_eq!(
        denied(&stay(date(2026, 7, 10), date(2026, 7, 12)), &restrictions).0,
        Reason::ClosedToArrival
    );
    assert_eq!(
        denied(&stay(date(2026, 7, 8), date(2026, 7, 10)), &restrictions),
        (
            Reason::ClosedToDeparture,
            text(&[("check_out_date", "2026-07-10")])
        )
    );
}

#[test]
fn a_stopped_night_closes_every_stay_over_it() {
    let rules = Rules {
        stop_sell: true,
        ..Rules::default()
    };
    let restrictions = vec![over(date(2026, 7, 10), date(2026, 7, 12), rules)];
    let denial = decide(&stay(date(2026, 7, 9), date(2026, 7, 12)), &restrictions).unwrap_err();
    assert_eq!(denial.reason, Reason::StopSell);
    let nights: Vec<String> = denial.cells.iter().map(|(cell, _)| cell.label()).collect();
    assert_eq!(nights, ["2026-07-10", "2026-07-11"]);
    assert_eq!(
        decide(&stay(date(2026, 7, 8), date(2026, 7, 10)), &restrictions),
        Ok(())
    );
    assert_eq!(
        decide(&stay(date(2026, 7, 12), date(2026, 7, 13)), &restrictions),
        Ok(())
    );
}

#[test]
fn the_cut_off_is_counted_from_the_end_of_the_day_of_arrival_at_the_hotel() {
    let rules = Rules {
        cut_off_hours: Some(6),
        ..Rules::default()
    };
    for (zone, arrival, now, granted) in [
        (lisbon(), date(2026, 7, 10), "2026-07-10T17:59:59", true),
        (lisbon(), date(2026, 7, 10), "2026-07-10T18:00", false),
        (
            TimeZone::get("Pacific/Auckland").unwrap(),
            date(2026, 7, 10),
            "2026-07-10T17:59",
            true,
        ),
        // The clocks go back at the end of October: that day has 25 hours.
        (lisbon(), date(2026, 10, 25), "2026-10-25T17:59", true),
        (lisbon(), date(2026, 10, 25), "2026-10-25T18:00", false),
    ] {
        let stay = stay(arrival, arrival.tomorrow().unwrap());
        let decided = check(&stay, POOL, &always(rules), at(now, &zone), &zone);
        assert_eq!(decided.is_ok(), granted, "{now}");
    }
    let rules = Rules {
        cut_off_hours: Some(24 * 30),
        ..Rules::default()
    };
    let stay = stay(date(2026, 6, 20), date(2026, 6, 21));
    let (reason, details) = denied(&stay, &always(rules));
    assert_eq!(reason, Reason::CutOff);
    assert_eq!(
        details,
        text(&[
            ("check_in_date", "2026-06-20"),
            ("cut_off_time", "2026-05-21T23:00:00Z")
        ])
    );
}

#[test]
fn the_window_is_counted_in_days_of_the_hotel() {
    let rules = Rules {
        advance_days_min: 3,
        advance_days_max: 30,
        ..Rules::default()
    };
    for (arrival, bound) in [
        (date(2026, 6, 3), Some("min_advance_days")),
        (date(2026, 6, 4), None),
        (date(2026, 7, 1), None),
        (date(2026, 7, 2), Some("max_advance_days")),
    ] {
        let stay = stay(arrival, arrival.tomorrow().unwrap());
        let denial = decide(&stay, &always(rules)).err();
        let found = denial.as_ref().map(|it| it.details[1].0);
        assert_eq!(found, bound, "{arrival}");
        assert!(denial.is_none_or(|it| it.reason == Reason::AdvanceWindow));
    }
    // It is tomorrow already in Auckland.
    let zone = TimeZone::get("Pacific/Auckland").unwrap();
    let now = at("2026-06-01T23:00", &lisbon());
    let stay = stay(date(2026, 6, 4), date(2026, 6, 5));
    assert!(check(&stay, POOL, &always(rules), now, &zone).is_err());
}

#[test]
fn the_set_that_was_set_last_holds_as_a_whole_on_its_weekdays() {
    let mut restrictions = always(Rules {
        nights_min: 3,
        stop_sell: true,
        ..Rules::default()
    });
    restrictions.push(Restriction {
        weekdays: Weekdays::of(&[Weekday::Friday]),
        ..over(
            date(2026, 7, 1),
            date(2026, 8, 1),
            Rules {
                nights_max: 1,
                ..Rules::default()
            },
        )
    });
    let friday = date(2026, 7, 10);
    assert_eq!(
        decide(&stay(friday, date(2026, 7, 11)), &restrictions),
        Ok(())
    );
    assert_eq!(
        rules_on(&restrictions, POOL, date(2026, 7, 11)).nights_min,
        3
    );
    assert!(rules_on(&restrictions, PoolId(8), friday).are_none());
    restrictions.push(over(date(2026, 1, 1), date(2028, 1, 1), Rules::default()));
    assert!(rules_on(&restrictions, POOL, date(2026, 7, 11)).are_none());
}

#[test]
fn what_concerns_every_night_is_said_before_what_concerns_the_length() {
    let rules = Rules {
        nights_min: 9,
        stop_sell: true,
        closed_to_arrival: true,
        ..Rules::default()
    };
    let stay = stay(date(2026, 7, 10), date(2026, 7, 11));
    assert_eq!(denied(&stay, &always(rules)).0, Reason::StopSell);
}
