//! What a request said about its side: a pin, a writer's mark, a side that it asked for; and whether that was heard.
//!
//! Pins and marks are read by what reads them from requests. Whoever explains may also just name their side, as of one
//! that holds and is of the subject.

use banyan_rollout::{Following, GoingDown, Keys, Pin, PinState, Side, SubjectHash, Term, Terms};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    rollouts::{
        pins::{Kind, MARK, PIN, Pins, WROTE},
        request::Asked,
    },
    store::SteeringTerms,
};

/// What a request said about its side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Its pins: a side, or as they came in `x-banyan-pin`.
    pub pin: Option<String>,
    /// Its marks: a side, or as they came in `x-banyan-wrote`.
    pub wrote: Option<String>,
    /// The side that it asked for, with the token where there was one.
    pub forced: Option<Side>,
}

/// By what it is judged whether that is heard.
pub(super) struct Ears<'a> {
    pub(super) pins: &'a Pins,
    pub(super) keys: &'a Keys,
    pub(super) going_down: GoingDown,
    /// Whom the question is about.
    pub(super) subject: SubjectHash,
    /// What requests could say then, where that is known.
    pub(super) steering: Option<SteeringTerms>,
    /// What they can say today.
    pub(super) today: SteeringTerms,
    /// Nobody knows how far the follower was.
    pub(super) is_past: bool,
    pub(super) now_ms: u64,
}

/// What of it decides.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) pins: Vec<Pin>,
    pub(super) marks: Vec<Pin>,
    pub(super) forced: Option<Side>,
    pub(super) terms: Terms,
}

impl Carried {
    pub(super) fn heard(&self, ears: &Ears<'_>) -> Heard {
        let (pins, pin_term) = ears.pins(self.pin.as_deref());
        let (marks, wrote_term) = ears.marks(self.wrote.as_deref());
        let (forced, forced_term) = ears.side(self.forced);
        Heard {
            pins,
            marks,
            forced,
            terms: Terms {
                pin: pin_term,
                forced: forced_term,
                wrote: wrote_term,
                falling: None,
            },
        }
    }
}

impl Ears<'_> {
    fn pins(&self, came: Option<&str>) -> (Vec<Pin>, Term) {
        let SteeringTerms {
            pin_s, pin_max_s, ..
        } = self.steering.unwrap_or(self.today);
        let longer = pin_max_s.map_or_else(String::new, |most| {
            format!(", one to legacy until its follower has passed that, {most} s at most")
        });
        let holds = match self.steering {
            Some(_) => format!("one holds {pin_s} s from the write on{longer}"),
            None => format!("how long one held is not recorded, {pin_s} s today"),
        };
        let Some(came) = came else {
            return (Vec::new(), Term::Heard(holds));
        };
        let lasts_ms = pin_s.saturating_mul(1_000);
        let mut pins = self.read(&self.pins.pin, &PIN, came, lasts_ms);
        if pins.is_empty() {
            return (pins, unheard("what came", "no pin"));
        }
        let mut doubt = None;
        pins.retain(|pin| {
            let doubted = self.doubt(*pin, pin_max_s);
            let is_sure = doubted.is_none();
            doubt = doubt.take().or(doubted);
            is_sure
        });
        if let (true, Some(doubt)) = (pins.is_empty(), doubt) {
            return (pins, doubt);
        }
        let later = |pin: &Pin| pin.until_ms > self.now_ms.saturating_add(lasts_ms);
        let given = match pins.iter().any(later) && self.steering.is_some() {
            true => "it was given later than at this moment",
            false => &holds,
        };
        let given = Term::Heard(given.to_owned());
        (pins, given)
    }

    /// A pin whose time was over may have held all the same at a moment that has been.
    fn doubt(&self, pin: Pin, pin_max_s: Option<u64>) -> Option<Term> {
        let following = Following {
            passed_ms: 0,
            pin_max_ms: pin_max_s?.saturating_mul(1_000),
        };
        let state = pin.state(self.now_ms, Some(following));
        (self.is_past && state == PinState::Waiting).then(|| Term::Unheard {
            side: Some(pin.side),
            why: format!(
                "to {}; it had run out {} ms before, and whether the follower had passed its write then is not recorded: \
                 taken as passed",
                pin.side,
                self.now_ms - pin.until_ms
            ),
        })
    }

    fn marks(&self, came: Option<&str>) -> (Vec<Pin>, Term) {
        if self.going_down == GoingDown::Return {
            let why =
                "marks of writers say nothing: who falls out of the percentage returns to legacy";
            let term = came.map_or(Term::Off, |_| Term::Unheard {
                side: None,
                why: why.to_owned(),
            });
            return (Vec::new(), term);
        }
        let days = MARK.as_secs() / (24 * 60 * 60);
        let lasts = Term::Heard(format!("writers stay with gRPC, a mark lasts {days} days"));
        let Some(came) = came else {
            return (Vec::new(), lasts);
        };
        let lasts_ms = u64::try_from(MARK.as_millis()).unwrap_or(u64::MAX);
        let mut marks = self.read(&self.pins.mark, &WROTE, came, lasts_ms);
        let Some(latest) = marks.first().copied() else {
            return (marks, unheard("what came", "no mark"));
        };
        marks.retain(|mark| mark.holds(self.now_ms, None));
        let term = match marks.is_empty() {
            true => Term::Unheard {
                side: None,
                why: format!("the mark of {} had run out", latest.side),
            },
            false => lasts,
        };
        (marks, term)
    }

    fn side(&self, came: Option<Side>) -> (Option<Side>, Term) {
        let may = "who sends the force token may, and operators on their port may without";
        let nobody = "without a force token in the settings clients may not ask for a side, operators on their port may";
        let unknown = "whether there was a force token is not recorded";
        match (came, self.steering.map(|it| it.force_token)) {
            (came, Some(true)) => (came, Term::Heard(may.to_owned())),
            (None, Some(false)) => (None, Term::Off),
            (None, None) => (None, Term::Heard(unknown.to_owned())),
            (Some(side), is_known) => {
                let why = is_known.map_or(unknown, |_| nobody);
                let why = format!("{side} was asked for, and is not heard: {why}");
                let side = Some(side);
                (None, Term::Unheard { side, why })
            }
        }
    }

    /// One of a side, or as they came.
    fn read(&self, kind: &Kind, header: &HeaderName, came: &str, lasts_ms: u64) -> Vec<Pin> {
        if let Some(side) = Side::from_name(came) {
            return vec![Pin {
                side,
                since_ms: self.now_ms,
                until_ms: self.now_ms.saturating_add(lasts_ms),
                subject: self.subject,
                of_entity: false,
            }];
        }
        let Ok(value) = HeaderValue::from_str(came) else {
            return Vec::new();
        };
        let headers = HeaderMap::from_iter([(header.clone(), value)]);
        kind.read(&Asked::of(&headers), self.keys).pins
    }
}

fn unheard(what: &str, is: &str) -> Term {
    let why = format!(
        "{what} is {is} of this rollout that a gateway with today's key has signed: it is not heard"
    );
    Term::Unheard { side: None, why }
}
