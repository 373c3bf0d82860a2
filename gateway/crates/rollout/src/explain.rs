//! Everything that led to a decision, for a person who asks why.
//!
//! The decision in it is made by [`decide`], not told after it; the lines say what [`decide`] looked at and in which order
//! (its documentation). A gateway that keeps past states can explain a past moment as well as this one.
//!
//! What a request may carry moves its side too: a pin, a side that it asks for, a writer's mark. Where none came the
//! explanation says what one would do, again by asking [`decide`]; so what it says would happen does.

mod terms;

use std::fmt;

use crate::{Decision, Percentages, Reading, Reason, Request, RolloutState, Stage, Then, decide};

pub use terms::{Falling, Term, Terms};

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
    /// A stable name: `stage`, `writes`, `subject`, `forced`, `pin`, `wrote`, `rule`, `percent`, `shadow`, `fallback`,
    /// `decision`; who explains may add others.
    pub topic: &'static str,
    /// What was found.
    pub text: String,
}

/// Decides about a request and says why. `reading` tells how the subject was found, `words` what each source says about
/// the percentage, where they are known; `terms`, on what terms requests were heard.
#[must_use]
pub fn explain(
    state: &RolloutState,
    request: &Request<'_>,
    reading: Option<&Reading<'_>>,
    words: Option<&Percentages>,
    terms: &Terms,
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
    lines.extend(terms.asked(state, request, &decision));
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
    lines.extend(terms.falling(state, request, &decision));
    lines.push(verdict(&decision));
    Explanation {
        decision,
        subject: request.subject.value().to_owned(),
        source,
        missing,
        lines,
    }
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
        if missing.iter().any(|source| source.starts_with("body:")) {
            text.push_str(
                " (so does a body that is longer than 64 KiB, packed or unpacked, or cannot be unpacked)",
            );
        }
    }
    line("subject", text)
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
mod tests;
