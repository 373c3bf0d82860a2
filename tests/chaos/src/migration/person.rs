//! One person, who is one subject: creates movies and reads them, holds rooms and confirms or cancels them, and never asks
//! for two things at once, so that what is answered can be judged by what was answered before.
//!
//! Every second one is known by the header with a user's id, keeps no cookies of the rollout, and gives back the pin that
//! it was given as a header. The others are known by their cookies alone.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{ToSpan as _, Zoned};
use reqwest::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use tokio::sync::watch;

use super::{
    history::{Asked, Exchange, Pin, Side, Told},
    load::Shared,
    wire::{self, PIN},
};
use crate::chance::Chance;

const USER: &str = "x-user-id";
/// How the cookies begin that hold pins of those who are known by their cookies.
const PIN_COOKIE: &str = "banyan_pin_movies";
/// Without it nobody sees their own bookings; no one but the guest's service knows of it.
const GUEST: &str = "banyan_guest";
/// How the subjects of those begin who send a header.
const NAMED: &str = "user-";

const FIRST_NIGHT_DAYS: i64 = 10;
/// Nights that one person's rooms are held for, and nobody else's.
const NIGHTS: u64 = 20;
/// Bookings that one person leaves behind: fewer than there are rooms, so that there is always one to be had, however
/// many requests a fast machine makes of it.
const LEFT_MAX: u64 = 8;
/// Own movies that are read again.
const MOVIES_MAX: usize = 50;

/// Whether a subject is known by the name that the history has for it.
pub(super) fn is_named(subject: &str) -> bool {
    subject.starts_with(NAMED)
}

/// One person.
#[derive(Debug)]
pub(super) struct Person {
    number: u64,
    subject: String,
    chance: Chance,
    shared: Arc<Shared>,
    bursts: watch::Receiver<u64>,
    cookies: BTreeMap<String, String>,
    pin: Option<HeaderValue>,
    /// Who answered last about movies, and so will again.
    side: Option<Side>,
    asked: u64,
    movies: Vec<i64>,
    /// The booking that it is at, and its state.
    booking: Option<(String, String)>,
    /// Bookings that it left as they were.
    left: u64,
}

impl Person {
    pub(super) fn new(number: u64, chance: Chance, shared: Arc<Shared>) -> Self {
        let subject = match number % 2 {
            0 => format!("{NAMED}{number}-{}", shared.seed),
            _ => format!("cookies-{number}"),
        };
        Self {
            number,
            subject,
            chance,
            bursts: shared.bursts(),
            shared,
            side: None,
            cookies: BTreeMap::new(),
            pin: None,
            asked: 0,
            movies: Vec::new(),
            booking: None,
            left: 0,
        }
    }

    /// Wants things until it is told to stop.
    pub(super) async fn live(mut self) -> anyhow::Result<()> {
        while !self.shared.is_stopped() {
            match self.chance.between(0..100) {
                0..20 if self.shared.may_create() => self.create().await?,
                0..55 => self.read().await?,
                55..62 => drop(self.ask(Asked::Movies).await?),
                62..75 => self.book().await?,
                _ => self.look().await?,
            }
            let pause = Duration::from_millis(self.chance.between(5..40));
            let is_burst = tokio::select! {
                () = tokio::time::sleep(pause) => false,
                burst = self.bursts.changed() => burst.is_ok(),
            };
            if is_burst {
                self.create().await?;
            }
        }
        Ok(())
    }

    /// Creates a movie, and looks at once whether it is there.
    async fn create(&mut self) -> anyhow::Result<()> {
        let title = format!("{} {} of {}", self.subject, self.asked, self.shared.seed);
        if let Some(Told::Movie { id, .. }) = self.ask(Asked::Create { title }).await? {
            if self.movies.len() >= MOVIES_MAX {
                self.movies.remove(0);
            }
            self.movies.push(id);
            self.ask(Asked::Movie { id }).await?;
            self.ask(Asked::Movies).await?;
        }
        Ok(())
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        if let Some(id) = self.chance.pick(&self.movies).copied() {
            self.ask(Asked::Movie { id }).await?;
        }
        Ok(())
    }

    /// Takes the next step with its booking.
    async fn book(&mut self) -> anyhow::Result<()> {
        let asked = match self.booking.take() {
            None => Asked::Hold,
            Some((booking, state)) if state == "STATE_HELD" && self.chance.percent(70) => {
                Asked::Confirm { booking }
            }
            Some((booking, _)) if self.left == LEFT_MAX || self.chance.percent(80) => {
                Asked::Cancel { booking }
            }
            Some(_) => {
                self.left += 1;
                return Ok(());
            }
        };
        if let Some(Told::Booking { booking, state }) = self.ask(asked).await? {
            self.booking = (state != "STATE_CANCELLED").then(|| (booking.clone(), state));
            self.ask(Asked::Booking { booking }).await?;
        }
        Ok(())
    }

    async fn look(&mut self) -> anyhow::Result<()> {
        if let Some((booking, _)) = self.booking.clone() {
            self.ask(Asked::Booking { booking }).await?;
        }
        Ok(())
    }

    /// Asks one of the gateways, once, and writes it down; what a success told.
    async fn ask(&mut self, asked: Asked) -> anyhow::Result<Option<Told>> {
        let gateway = self.chance.below(self.shared.gateways.len());
        self.asked += 1;
        let request_id = format!("chaos-{}-{}", self.number, self.asked);
        let night = self.night();
        let request = wire::request(&asked, &night, &request_id);
        let request = request.onto(&self.shared.http, &self.shared.gateways[gateway]);
        let (request, pin) = (request.headers(self.headers()), self.pin());
        let clock = self.shared.clock;
        let creating =
            matches!(asked, Asked::Create { .. }).then(|| self.shared.creating(self.side));
        let sent_us = clock.now();
        let (mut answer, headers) = wire::answer(request, &asked, clock).await;
        let ended_us = clock.now();
        drop(creating);
        self.side = answer.side.or(self.side);
        self.keep(&headers);
        if let Told::Movies(all) = &mut answer.told {
            let own = format!("{} ", self.subject);
            all.retain(|_, title| title.starts_with(&own));
        }
        let told = answer.told.clone();
        let exchange = Exchange {
            request_id,
            subject: self.subject.clone(),
            gateway,
            asked,
            pin,
            sent_us,
            ended_us,
            answer,
        };
        let succeeded = exchange.succeeded();
        self.shared.note(exchange);
        Ok(succeeded.then_some(told))
    }

    fn night(&self) -> [String; 2] {
        let nth = self.number * NIGHTS + self.asked % NIGHTS;
        let days = FIRST_NIGHT_DAYS + i64::try_from(nth).unwrap_or_default();
        let night = Zoned::now().date().saturating_add(days.days());
        [night.to_string(), night.saturating_add(1.day()).to_string()]
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if is_named(&self.subject) {
            let user = HeaderValue::try_from(self.subject.as_str()).ok();
            for (name, value) in [(USER, user), (PIN, self.pin.clone())] {
                if let Some(value) = value {
                    headers.insert(name, value);
                }
            }
        }
        let cookies = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let cookies = cookies.collect::<Vec<_>>().join("; ");
        if let Ok(cookies) = HeaderValue::try_from(cookies)
            && !cookies.is_empty()
        {
            headers.insert(COOKIE, cookies);
        }
        headers
    }

    /// The pin that its next request carries; the one that holds longest, where there are several.
    fn pin(&self) -> Option<Pin> {
        let read = |text: &str| wire::pin(text, self.shared.clock);
        if is_named(&self.subject) {
            return read(self.pin.as_ref()?.to_str().ok()?);
        }
        let cookies = self.cookies.iter();
        let pins = cookies.filter(|(name, _)| name.starts_with(PIN_COOKIE));
        pins.filter_map(|(_, text)| read(text))
            .max_by_key(|pin| pin.until_us)
    }

    /// Keeps what a client of its kind keeps of an answer.
    fn keep(&mut self, headers: &HeaderMap) {
        if let Some(pin) = headers.get(PIN) {
            self.pin = Some(pin.clone());
        }
        for cookie in headers.get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap_or_default().split(';').next();
            if let Some((name, value)) = pair.and_then(|pair| pair.split_once('='))
                && (!is_named(&self.subject) || name == GUEST)
            {
                self.cookies
                    .insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }
}
