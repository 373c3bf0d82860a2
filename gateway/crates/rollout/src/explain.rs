//! Everything that led to a decision, for a person who asks why.
//!
//! The decision in it is made by [`decide`], not told after it; the lines say what [`decide`] looked at and in which order
//! (its documentation). A gateway that keeps past states can explain a past moment as well as this one.

use std::fmt;

use crate::{
    Decision, Percentages, Reading, Reason, Request, RolloutState, Stage, Subjects, Then, decide,
};

/// A decision with all that led to it; prints as lines of `topic: text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What was decided.
    pub decision: Decision,
    /// The subject's value.
    pub subject: String,
    /// The source that had the subject, as settings spell it; `None` if the subject was given by the asker or the
    /// gateway.
    pub source: Option<String>,
    /// Sources that were tried before it and that the request lacks.
    pub missing: Vec<String>,
    /// What was looked at, in order.
    pub lines: Vec<Line>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// A stable name: `stage`, `writes`, `subject`, `forced`, `pin`, `rule`, `percent`, `shadow`, `decision`.
    pub topic: &'static str,
    /// What was found.
    pub text: String,
}

/// Decides about a request and says why. `reading` tells how the subject was found, `words` what each source says about
/// the percentage, where they are known.
#[must_use]
pub fn explain(
    state: &RolloutState,
    request: &Request<'_>,
    reading: Option<&Reading<'_>>,
    words: Option<&Percentages>,
) -> Explanation {
    let decision = decide(state, request);
    let source = reading.and_then(|reading| reading.source.map(ToString::to_string));
    let missing: Vec<String> = reading.map_or_else(Vec::new, |reading| {
        reading.missing.iter().map(ToString::to_string).collect()
    });
    let mut lines = vec![
        stage(state),
        writes(state, request),
        subject(state, request, &decision, source.as_deref(), &missing),
    ];
    lines.extend(asked(request));
    if state.enabled && state.stage == Stage::Split {
        lines.extend(rules(state, request));
        lines.push(percent(state, &decision, words));
    }
    lines.extend(decision.shadow.map(|shadow| {
        let noise = if shadow.noise {
            ", and the owner once more for noise"
        } else {
            ""
        };
        line("shadow", format!("{} is asked too{noise}", shadow.side))
    }));
    lines.push(verdict(&decision));
    Explanation {
        decision,
        subject: request.subject.value().to_owned(),
        source,
        missing,
        lines,
    }
}

/// Reads the subject from the request and explains; a request without one is explained as `otherwise`, the subject that
/// the gateway would give it.
#[must_use]
pub fn explain_reading(
    state: &RolloutState,
    subjects: &Subjects,
    request: &Request<'_>,
    words: Option<&Percentages>,
) -> Explanation {
    let reading = subjects.find(request.facts);
    let subject = reading.subject.as_ref().unwrap_or(request.subject);
    let request = Request {
        subject,
        ..*request
    };
    explain(state, &request, Some(&reading), words)
}

fn line(topic: &'static str, text: String) -> Line {
    Line { topic, text }
}

fn stage(state: &RolloutState) -> Line {
    let off = if state.enabled {
        ""
    } else {
        ", but gradual migration is switched off"
    };
    let halted = if state.halted {
        ", rolled back and not gone on yet"
    } else {
        ""
    };
    line(
        "stage",
        format!("{}{halted}{off} (version {})", state.stage, state.version),
    )
}

fn writes(state: &RolloutState, request: &Request<'_>) -> Line {
    let kind = if request.safe {
        "this request only reads"
    } else {
        "this request may write"
    };
    line("writes", format!("owned by {}; {kind}", state.writes))
}

fn subject(
    state: &RolloutState,
    request: &Request<'_>,
    decision: &Decision,
    source: Option<&str>,
    missing: &[String],
) -> Line {
    let mut text = format!(
        "`{}` is bucket {} of 10000 ({}, salt `{}`)",
        request.subject.value(),
        decision.bucket,
        state.algorithm,
        state.salt
    );
    if let Some(source) = source {
        text.push_str(&format!(", found in {source}"));
    }
    if !missing.is_empty() {
        text.push_str(&format!(", after {} lacked it", missing.join(", ")));
        if missing.iter().any(|source| source.starts_with("token:")) {
            text.push_str(" (so does a token that does not verify)");
        }
    }
    line("subject", text)
}

fn asked(request: &Request<'_>) -> impl Iterator<Item = Line> {
    let forced = request
        .forced
        .map(|side| line("forced", format!("{side} was asked for")));
    let pin = request.pin.map(|pin| {
        let state = if pin.holds(request.now_ms) {
            format!("for {} ms more", pin.until_ms - request.now_ms)
        } else {
            "no longer: it has run out".to_owned()
        };
        line("pin", format!("to {} {state}", pin.side))
    });
    let wrote = request
        .wrote_on
        .map(|side| line("wrote", format!("its last write went to {side}")));
    [forced, pin, wrote].into_iter().flatten()
}

fn rules<'a>(state: &'a RolloutState, request: &'a Request<'_>) -> impl Iterator<Item = Line> + 'a {
    let matched = state
        .rules
        .iter()
        .position(|rule| rule.matches(request.subject, request.facts));
    let tried = matched.map_or(state.rules.len(), |index| index + 1);
    state.rules[..tried]
        .iter()
        .enumerate()
        .map(move |(index, rule)| {
            let text = match (matched == Some(index), rule.then()) {
                (false, _) => format!("`{}` does not match", rule.name()),
                (true, Then::Side(side)) => format!("`{}` matches: {side}", rule.name()),
                (true, Then::Percent(percent)) => {
                    format!("`{}` matches: {percent} per cent to grpc", rule.name())
                }
            };
            line("rule", text)
        })
}

fn percent(state: &RolloutState, decision: &Decision, words: Option<&Percentages>) -> Line {
    let than = if state.percent.includes(decision.bucket) {
        "below"
    } else {
        "not below"
    };
    let words = words.map_or_else(
        || format!("set by {}", state.source),
        |words| words.to_string(),
    );
    line(
        "percent",
        format!(
            "{}: bucket {} is {than} {} ({words})",
            state.percent,
            decision.bucket,
            state.percent.hundredths()
        ),
    )
}

fn verdict(decision: &Decision) -> Line {
    let Decision { side, reason, .. } = *decision;
    let meaning = Reason::meaning(reason);
    line("decision", format!("{side}, because {reason}: {meaning}"))
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.lines.iter().enumerate() {
            let before = if index == 0 { "" } else { "\n" };
            write!(f, "{before}{:<9}{}", line.topic, line.text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Percent, Pin, Rule, Side, Source, Subject, When, testing::Shown};

    fn state() -> RolloutState {
        let norway = When {
            headers: [("x-country".to_owned(), "NO".to_owned())].into(),
            ..When::default()
        };
        RolloutState {
            percent: Percent::from_hundredths(2_500).unwrap(),
            source: Source::Operator,
            version: 7,
            rules: vec![Rule::new("Norway", norway, Then::Percent(Percent::ZERO)).unwrap()],
            ..RolloutState::new("movies")
        }
    }

    #[test]
    fn everything_that_led_to_a_decision_is_said() {
        let state = state();
        let subjects: Subjects =
            serde_json::from_str(r#"["token:sub", "header:x-user-id", "cookie:c"]"#).unwrap();
        let shown = Shown::new(&[("header:x-user-id", "alice")]);
        let nobody = Subject::new("");
        let request = Request {
            facts: &shown,
            safe: false,
            pin: Some(Pin {
                side: Side::Legacy,
                until_ms: 5,
            }),
            now_ms: 5,
            ..Request::of(&nobody)
        };
        let words = Percentages {
            operator: Some(state.percent),
            ..Percentages::default()
        };
        let explanation = explain_reading(&state, &subjects, &request, Some(&words));
        assert_eq!(
            explanation.to_string(),
            "stage    split (version 7)\n\
             writes   owned by by-subject; this request may write\n\
             subject  `alice` is bucket 529 of 10000 (sha256-v1, salt `movies`), found in header:x-user-id, after \
             token:sub lacked it (so does a token that does not verify)\n\
             pin      to legacy no longer: it has run out\n\
             rule     `Norway` does not match\n\
             percent  25: bucket 529 is below 2500 (operator 25 (in force) > environment - > files - > file - > \
             default 0)\n\
             decision grpc, because percent: the subject's bucket against the percentage"
        );
        assert_eq!(explanation.missing, ["token:sub"]);
    }

    #[test]
    fn the_decision_explained_is_the_decision_made() {
        let subject = Subject::new("bob");
        let request = Request::of(&subject);
        for stage in Stage::ALL {
            let state = RolloutState {
                stage,
                writes: stage.owner(),
                ..state()
            };
            let explanation = explain(&state, &request, None, None);
            assert_eq!(explanation.decision, decide(&state, &request));
        }
    }
}
