//! Random histories of a correct system under a crowd: calls overlap, wait in a queue, are decided in batches, lose their
//! answers, are repeated, are given up and decided all the same; holds run out and are swept or not.

use super::{
    chance::Chance,
    server::{NOBODY, Server},
};
use crate::record::{Answer, Call, Cell, Change, Claim, Command, Event, History, Position};

/// Some calls of one client that were sent together and are answered together.
struct InFlight {
    calls: Vec<usize>,
}

struct Crowd {
    chance: Chance,
    cells: Vec<Cell>,
    server: Server,
    now_ns: u64,
    calls: Vec<Call>,
    /// What the server said, by call; its caller may never hear of it.
    said: Vec<Option<Answer>>,
    /// Calls that wait at the server.
    queue: Vec<usize>,
    /// By client.
    in_flight: Vec<Option<InFlight>>,
    /// Whether answers get lost.
    rough: bool,
}

/// A correct history; the same seed gives the same one.
pub fn generate(seed: u64) -> History {
    play(seed, true)
}

/// A correct history of an empty database where nothing goes amiss on the way: every call has its answer.
pub fn generate_calm(seed: u64) -> History {
    play(seed, false)
}

fn play(seed: u64, rough: bool) -> History {
    let mut chance = Chance::new(seed);
    let cells = cells(&mut chance);
    let mut server = Server::new(cells.clone(), chance.percent(50));
    // The catalogue, and what others had booked before.
    if rough {
        server.feed.push(Event {
            position: Position::at(1),
            decide_micros: 1,
            change: Change::Other,
        });
        for _ in 0..chance.below(3) {
            let claims = claims(&mut chance, &cells);
            server.hold(NOBODY, &claims, 300);
        }
    }
    let start_sequence = server.feed.len() as u64;
    let clients = 2 + chance.below(6);
    let mut crowd = Crowd {
        chance,
        cells,
        server,
        now_ns: 0,
        calls: Vec::new(),
        said: Vec::new(),
        queue: Vec::new(),
        in_flight: (0..clients).map(|_| None).collect(),
        rough,
    };
    for _ in 0..150 + crowd.chance.below(350) {
        crowd.step();
    }
    crowd.stop();
    let seen = crowd.chance.percent(30);
    History {
        end: Some(crowd.server.end(seen)),
        cells: crowd.cells,
        start_sequence,
        calls: crowd.calls,
        feed: Some(crowd.server.feed),
    }
}

fn cells(chance: &mut Chance) -> Vec<Cell> {
    let nights = 2 + chance.below(4);
    let seats = 1 + chance.below(4);
    let unpriced = chance.below(12);
    let nights =
        (0..nights).map(|night| format!("hotels/h/roomTypes/r/nights/2026-12-{:02}", night + 1));
    let seats = (0..seats).map(|seat| format!("cinemas/c/screenings/1/seats/A{}", seat + 1));
    let mut cells: Vec<_> = nights
        .map(|cell| {
            let capacity = u32::try_from(1 + chance.below(4)).unwrap_or(1);
            let price_minor = Some(1_000 + chance.below(9_000).cast_signed());
            Cell {
                cell,
                capacity,
                price_minor,
            }
        })
        .collect();
    cells.extend(seats.map(|cell| Cell {
        cell,
        capacity: 1,
        price_minor: Some(1_200),
    }));
    if let Some(cell) = usize::try_from(unpriced)
        .ok()
        .and_then(|place| cells.get_mut(place))
    {
        cell.price_minor = None;
    }
    cells
}

fn claims(chance: &mut Chance, cells: &[Cell]) -> Vec<Claim> {
    let mut left: Vec<_> = cells.iter().map(|it| it.cell.as_str()).collect();
    let count = 1 + chance.below(3);
    let picked = (0..count).filter_map(|_| {
        let quantity = if chance.percent(70) { 1 } else { 2 };
        Some(Claim::new(chance.take(&mut left)?, quantity))
    });
    picked.collect()
}

impl Crowd {
    fn step(&mut self) {
        // Often the same nanosecond: calls that touch are not ordered.
        self.now_ns += self.chance.below(3) * 40_000;
        match self.chance.below(100) {
            0..40 => self.call(),
            40..65 => self.serve(),
            65..95 => self.answer(),
            _ => {
                self.server.now_micros += self.chance.below(300).cast_signed();
                let all = self.chance.percent(50);
                self.server
                    .expire(|booking| all || booking.total_minor % 2 == 0);
            }
        }
    }

    /// A client that is idle sends something.
    fn call(&mut self) {
        let clients = self.in_flight.len() as u64;
        let client = u32::try_from(self.chance.below(clients)).unwrap_or(0);
        if self.in_flight[client as usize].is_some() {
            return;
        }
        let batch = if self.chance.percent(8) {
            1 + self.chance.below(4)
        } else {
            1
        };
        let mut calls = Vec::new();
        for _ in 0..batch {
            let (request_id, command) = match batch {
                1 => self.request(client),
                _ => (self.new_id(), self.new_hold()),
            };
            calls.push(self.calls.len());
            self.queue.push(self.calls.len());
            self.said.push(None);
            self.calls.push(Call {
                client,
                begin_ns: self.now_ns,
                end_ns: u64::MAX,
                request_id,
                command,
                answer: Answer::Unknown,
            });
        }
        self.in_flight[client as usize] = Some(InFlight { calls });
    }

    fn request(&mut self, client: u32) -> (String, Command) {
        let own = self
            .calls
            .iter()
            .filter(|it| it.client == client && !it.request_id.is_empty());
        let own: Vec<_> = own
            .map(|it| (it.request_id.clone(), it.command.clone()))
            .collect();
        let unanswered = self.calls.iter().rev().find(|it| it.client == client);
        let unanswered =
            unanswered.filter(|it| matches!(it.answer, Answer::Unknown | Answer::NotDone));
        if let Some(last) = unanswered.filter(|it| !it.request_id.is_empty()).cloned()
            && self.chance.percent(60)
        {
            return (last.request_id, last.command);
        }
        let command = self.command(client);
        match (self.chance.below(100), self.chance.pick(&own)) {
            (0..10, Some((id, command))) => (id.clone(), command.clone()),
            (10..16, Some((id, _))) => (id.clone(), command),
            (16..22, _) => (String::new(), command),
            _ => (self.new_id(), command),
        }
    }

    fn new_id(&self) -> String {
        format!("request-{}", self.calls.len())
    }

    fn new_hold(&mut self) -> Command {
        let claims = claims(&mut self.chance, &self.cells);
        let hold_micros = 20 + self.chance.below(400);
        Command::Hold {
            claims,
            hold_micros,
        }
    }

    fn command(&mut self, client: u32) -> Command {
        let own = self.calls.iter().filter(|it| it.client == client);
        let own = own.filter_map(|it| match &it.answer {
            Answer::Granted(it) => Some(it.booking.booking.clone()),
            _ => None,
        });
        // Mostly the latest, whose hold may still be alive.
        let own: Vec<_> = own.collect();
        let recent = own[own.len().saturating_sub(3)..].to_vec();
        let all = self.server.names();
        let from = if self.chance.percent(90) {
            &recent
        } else {
            &all
        };
        let booking = self.chance.pick(from).cloned();
        let Some(booking) = booking.filter(|_| self.chance.percent(60)) else {
            return self.new_hold();
        };
        match self.chance.below(10) {
            0..4 => Command::Confirm { booking },
            4..6 => Command::Cancel { booking },
            6..8 => Command::Move {
                booking,
                claims: claims(&mut self.chance, &self.cells),
            },
            _ => {
                let long = self.chance.percent(20);
                let by_micros = if long {
                    3_600_000_000
                } else {
                    10 + self.chance.below(200)
                };
                Command::Extend { booking, by_micros }
            }
        }
    }

    /// The server decides some of what waits.
    fn serve(&mut self) {
        if self.chance.percent(60) {
            self.server.now_micros += self.chance.below(60).cast_signed();
        }
        let mut batch = Vec::new();
        for _ in 0..1 + self.chance.below(4) {
            let Some(call) = self.chance.take(&mut self.queue) else {
                break;
            };
            match self.chance.below(100) {
                // Turned away.
                0..4 => self.said[call] = Some(Answer::NotDone),
                // Lost on the way.
                4..8 if self.rough => self.said[call] = Some(Answer::Unknown),
                _ => batch.push(call),
            }
        }
        let requests: Vec<_> = batch
            .iter()
            .map(|call| &self.calls[*call])
            .map(|call| (call.client, call.request_id.as_str(), &call.command))
            .collect();
        let answers = self.server.batch(&requests);
        for (call, answer) in batch.into_iter().zip(answers) {
            self.said[call] = Some(answer);
        }
    }

    /// A client hears of its call or gives it up.
    fn answer(&mut self) {
        let clients = self.in_flight.len() as u64;
        let client = usize::try_from(self.chance.below(clients)).unwrap_or(0);
        let Some(InFlight { calls }) = self.in_flight[client].take() else {
            return;
        };
        let decided = calls.iter().all(|call| self.said[*call].is_some());
        let gives_up = self.rough && self.chance.percent(8);
        if !decided && !gives_up {
            self.in_flight[client] = Some(InFlight { calls });
            return;
        }
        for call in calls {
            self.calls[call].end_ns = self.now_ns;
            // Given up, it still waits at the server, or its answer is lost.
            if !gives_up && let Some(said) = &self.said[call] {
                self.calls[call].answer = said.clone();
            }
        }
    }

    fn stop(&mut self) {
        while !self.queue.is_empty() && (!self.rough || self.chance.percent(90)) {
            self.serve();
        }
        while !self.rough && self.in_flight.iter().any(Option::is_some) {
            self.answer();
        }
        for call in &mut self.calls {
            call.end_ns = call.end_ns.min(self.now_ns);
        }
    }
}
