//! Calls that a rollout moves: the same rules as for REST requests, where one message there and one back allow them.
//!
//! A message is looked at only where the rollout's subjects may stand in it, and kept only where legacy might have to
//! answer for gRPC or both sides are compared; either way up to 64 KiB. A client that streams shows no message: it may wait
//! for the answer before it sends one. A call that streams in either direction is neither compared nor answered by
//! legacy.

use std::sync::Arc;

use axum::body::Body;
use banyan_rollout::Side;
use bytes::Bytes;
use http::Response;
use tokio::time::{Instant, timeout_at};

use super::{Asked, Edge};
use crate::{
    access_log::Record,
    edge::answer::mark,
    grpc::{self, Entry},
    refusal::Refusal,
    rollouts::{Asked as Request, Comparison, Message, Ruling},
    routes::Split,
    sent::Sent,
    shadow::{Job, Question, Rest, validated},
    transcoded::{Call, Told, failure_of},
};

/// A call that a rollout moves.
pub(super) struct Moved<'a> {
    pub(super) entry: &'a Entry,
    pub(super) split: &'a Arc<Split>,
    pub(super) call: &'a Call,
    pub(super) asked: &'a Asked<'a>,
}

/// An answer to the client, and what the side said over REST where that is known.
type Answer = (Response<Body>, Option<Told>);

impl Edge {
    /// Asks the rollout, and tells the client and the record which side answered.
    pub(super) async fn split_call(
        &self,
        moved: &Moved<'_>,
        body: Body,
        record: &mut Record,
    ) -> Result<Response<Body>, Refusal> {
        let Moved {
            entry,
            split,
            asked,
            ..
        } = *moved;
        let is_shown = !entry.client_streams && self.rollouts.wants_message(&split.rollout);
        let (mut sent, mut body) = match is_shown {
            true => moved.hold(body).await?,
            false => (None, body),
        };
        let request = Request {
            is_safe: entry.is_safe,
            is_comparable: !entry.streams() && (entry.is_safe || entry.can_validate_only()),
            message: sent.as_ref().map(|sent| Message {
                views: &entry.views,
                sent,
            }),
            address: asked.caller.context.client_address(),
            token: Some(&asked.caller.token),
            is_operators: self.operators.is_some(),
            ..Request::of(&asked.parts.headers)
        };
        let ruling = self.rollouts.rule(&split.rollout, &request);
        let ruling = ruling.ok_or_else(Refusal::no_method)?;
        let is_kept = !entry.streams() && (ruling.shadow.is_some() || ruling.may_fall_back());
        if is_kept && !is_shown {
            (sent, body) = moved.hold(body).await?;
        }
        let message = sent
            .filter(|_| is_kept)
            .map(|sent| sent.look().cloned())
            .transpose();
        let (message, unseen) = match message {
            Ok(message) => (message, None),
            Err(unseen) => (None, Some(unseen)),
        };

        let (side, cookies) = (ruling.side, ruling.cookies());
        record.ruling = Some(ruling);
        let answer = match side {
            Side::Grpc => self.by_service(moved, body, message.as_ref(), record).await,
            Side::Legacy => {
                let answer = self.by_legacy(moved, body, record);
                timeout_at(asked.deadline, answer)
                    .await
                    .unwrap_or_else(|_| Err(Refusal::upstream_slow(split.legacy.name())))
            }
        };
        // A failure has a side too.
        let (mut response, told) =
            answer.unwrap_or_else(|refusal| (self.refuse_call(refusal, record), None));
        if let Some(comparison) = record.ruling.as_ref().and_then(Ruling::comparison) {
            let shadows = self.rollouts.shadows();
            if let Some(unseen) = unseen {
                shadows.not_copied(&comparison, unseen);
            }
            if let Some(job) = message.and_then(|message| self.copy(moved, message, comparison)) {
                response = shadows.follow(job.prepared(), told, response);
            }
        }
        let side = record.ruling.as_ref().map_or(side, |ruling| ruling.side);
        mark(&mut response, side, cookies, asked.caller.context);
        Ok(response)
    }

    /// Lets the service answer, or legacy where that failed without having happened.
    async fn by_service(
        &self,
        moved: &Moved<'_>,
        body: Body,
        message: Option<&Bytes>,
        record: &mut Record,
    ) -> Result<Answer, Refusal> {
        let entry = moved.entry;
        let answer = self.service(entry, moved.call, body, moved.asked).await;
        let ruling = record.ruling.as_mut();
        let is_write = !entry.is_safe && !entry.streams();
        let is_known = moved.split.legacy_knows();
        let Some(ruling) = ruling.filter(|ruling| {
            message.is_some() && ruling.may_fall_back()
                || is_write && (ruling.marks_writers() || !is_known)
        }) else {
            return Ok((answer?, None));
        };
        let (answer, failure) = match answer {
            Ok(response) => {
                // An answer has its end in itself, by the deadline at the latest.
                let (response, code) = grpc::glance(response).await;
                let code = code.filter(|code| *code != banyan_transcode::Code::Ok);
                (Ok(response), code.map(failure_of))
            }
            Err(refusal) => {
                let failure = refusal.failure;
                (Err(refusal), failure)
            }
        };
        if let (Some(failure), Some(message)) = (failure, message)
            && !moved.asked.is_over()
            && ruling
                .fall_back(failure, moved.request_id(message).is_some())
                .is_ok()
        {
            let legacy = self.legacy_call(moved, message, record);
            let answer = match moved.asked.until {
                None => legacy.await,
                Some(until) => timeout_at(until, legacy)
                    .await
                    .unwrap_or_else(|_| Err(Refusal::out_of_time())),
            };
            record.note(format!("legacy answered: gRPC failed ({failure:?})"));
            return answer;
        }
        let mut response = answer?;
        if is_write && failure.is_none() {
            self.after_write(&mut response, ruling, is_known, moved.asked.caller.context);
        }
        Ok((response, None))
    }

    /// The call as a REST call to the legacy side.
    async fn by_legacy(
        &self,
        moved: &Moved<'_>,
        body: Body,
        record: &mut Record,
    ) -> Result<Answer, Refusal> {
        if moved.entry.streams() {
            return Err(Refusal::stream_on_legacy());
        }
        if moved.entry.rules.is_empty() {
            return Err(Refusal::no_rest_form());
        }
        let headers = &moved.asked.parts.headers;
        let message = grpc::message(body, headers, moved.asked.caller.limits).await?;
        self.legacy_call(moved, &message, record).await
    }

    async fn legacy_call(
        &self,
        moved: &Moved<'_>,
        message: &Bytes,
        record: &mut Record,
    ) -> Result<Answer, Refusal> {
        let Asked { parts, caller, .. } = moved.asked;
        let id = moved.request_id(message);
        let rules = &moved.entry.rules;
        let rest = grpc::rest(rules, message, id.as_deref(), parts, caller.guests);
        let (parts, body, rule) = match rest {
            Ok(rest) => rest,
            Err(unfit) => return Ok((grpc::failed(&unfit), None)),
        };
        let split = moved.split;
        let name = split.legacy.name();
        let response = self
            .legacy(split, &parts, Body::from(body), caller, record)
            .await?;
        let answered = grpc::Answered::read(response, name).await?;
        let told = (answered.status, answered.body.clone());
        let response = answered.into_grpc(rule, &parts.method, name)?;
        Ok((response, Some(told)))
    }

    /// What is to be compared with the answer, if anything is.
    fn copy(&self, moved: &Moved<'_>, message: Bytes, comparison: Comparison) -> Option<Job> {
        let Moved {
            entry,
            split,
            asked,
            ..
        } = *moved;
        let (rules, caller) = (&entry.rules, asked.caller);
        let (parts, guests) = (asked.parts, caller.guests);
        let metadata = grpc::copied(parts, caller, asked.guest, self.operators.is_some());
        let question = match entry.is_safe {
            true => Question::Message {
                rest: Rest::of(rules, &message, None, parts, guests)?,
                message,
                metadata,
            },
            false => {
                split
                    .may_be_validated(comparison.answered().other())
                    .then_some(())?;
                let view = entry.view(&message)?;
                let (message, rest) = validated(view, rules, &message, parts, guests)?;
                Question::Validated {
                    message,
                    metadata,
                    rest,
                    is_call: true,
                }
            }
        };
        Some(self.job(comparison, split, &entry.route, question, caller))
    }
}

impl Moved<'_> {
    async fn hold(&self, body: Body) -> Result<(Option<Sent>, Body), Refusal> {
        let held = grpc::hold(body, self.asked.caller.limits);
        let held = timeout_at(self.asked.deadline, held).await;
        let (held, body) = held.unwrap_or_else(|_| Err(Refusal::out_of_time()))?;
        Ok((Some(grpc::sent(held, &self.asked.parts.headers)), body))
    }

    /// The id by which both sides would know the call again.
    fn request_id(&self, message: &[u8]) -> Option<String> {
        self.entry.view(message)?.request_id(message)
    }
}

impl Asked<'_> {
    /// Whether the client waits no longer.
    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}
