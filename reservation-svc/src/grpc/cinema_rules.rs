//! CinemaRulesService: what operators set of cinemas. Reached through the ops port only.

use banyan_proto::reservation::v1::{self, cinema_rules_service_server::CinemaRulesService};
use jiff::{SignedDuration, Timestamp};
use tonic::{Request, Response, Status};

use super::{
    cinema,
    fields::Fields,
    page::Page,
    policy,
    position::{position, reply},
    screening, status,
};
use crate::{
    domain::{
        catalogue::{Cinema, Hall, SCREENING_HOURS_MAX, Screening, SeatPrice},
        hall::{DrawnSeat, HallPlan, is_category},
        name::{CinemaId, HallId, MovieId, ScreeningId, Venue},
        violation::Fault,
    },
    inventory::{Inventory, NewMovie, PricedScreening},
};

const CINEMA: &str = "reservation.banyan/Cinema";
const HALL: &str = "reservation.banyan/Hall";
const MOVIE: &str = "reservation.banyan/Movie";
const SCREENING: &str = "reservation.banyan/Screening";
/// Categories of seats that a screening may price.
const PRICES_MAX: usize = 100;
/// How far ahead a screening may start.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(2 * 366 * 24);
const LONGEST: SignedDuration = SignedDuration::from_hours(SCREENING_HOURS_MAX);
const NAME_MAX: usize = 200;
const TEXT_MAX: usize = 5_000;
const URI_MAX: usize = 2_000;

/// Answers CinemaRulesService.
#[derive(Clone)]
pub(super) struct CinemaRules {
    inventory: Inventory,
}

impl CinemaRules {
    pub(super) fn new(inventory: Inventory) -> Self {
        Self { inventory }
    }

    async fn cinema(&self, id: &CinemaId) -> Result<Cinema, Status> {
        let session = self.inventory.store().read().await?;
        cinema::cinema(&session, id).await
    }

    /// A screening that was changed. The change is durable: whoever cannot be shown it must not repeat it unseen.
    async fn changed(&self, it: Screening) -> Result<v1::Screening, Status> {
        let message = self.message(it).await;
        message.map_err(|status| status::unknown(&status))
    }

    async fn message(&self, it: Screening) -> Result<v1::Screening, Status> {
        let session = self.inventory.store().read().await?;
        let cinema = cinema::cinema(&session, &it.id.cinema).await?;
        let name = it.id.to_string();
        let now = self.inventory.now();
        let messages = screening::messages(&session, &cinema, &[it], now).await?;
        let message = messages.into_iter().next();
        message.ok_or_else(|| status::not_found(SCREENING, vec![name]))
    }
}

#[tonic::async_trait]
impl CinemaRulesService for CinemaRules {
    async fn create_cinema(
        &self,
        request: Request<v1::CreateCinemaRequest>,
    ) -> Result<Response<v1::Cinema>, Status> {
        let request = request.into_inner();
        let given = request.cinema.unwrap_or_default();
        let mut fields = Fields::default();
        let id = CinemaId(fields.id("cinema_id", &request.cinema_id));
        let display_name = fields.title("cinema.display_name", &given.display_name, NAME_MAX);
        let zone = fields.zone("cinema.time_zone", &given.time_zone);
        let currency = fields.currency("cinema.currency_code", &given.currency_code);
        let city = fields.text("cinema.city", &given.city, NAME_MAX);
        let address = fields.text("cinema.address", &given.address, NAME_MAX);
        fields.end()?;
        let Some(currency) = currency else {
            return Err(status::wrong(
                "cinema.currency_code",
                Fault::Format,
                "must be a code",
            ));
        };
        let cinema = Cinema {
            id,
            display_name,
            zone,
            zone_name: given.time_zone,
            currency,
            city,
            address,
        };
        let at = self.inventory.create_cinema(&cinema).await?;
        Ok(reply(cinema::cinema_message(cinema), &at))
    }

    async fn create_hall(
        &self,
        request: Request<v1::CreateHallRequest>,
    ) -> Result<Response<v1::Hall>, Status> {
        let request = request.into_inner();
        let parent = status::named("parent", &request.parent, CINEMA, CinemaId::parse)?;
        let given = request.hall.unwrap_or_default();
        let mut fields = Fields::default();
        let name = fields.title("hall.display_name", &given.display_name, NAME_MAX);
        let drawn = given.seats.iter().map(drawn).collect::<Vec<_>>();
        let plan = HallPlan::parse(drawn).map_err(|them| {
            fields.wrongs(them.into_iter().map(|it| it.within("hall")).collect());
        });
        fields.end()?;
        let Ok(plan) = plan else {
            return Err(status::wrong(
                "hall.seats",
                Fault::Format,
                "must be a hall's seats",
            ));
        };
        let no_single_seats = given.no_single_seats;
        let created = self
            .inventory
            .create_hall(parent, &name, no_single_seats, plan);
        let (hall, at) = created.await?;
        let hall = v1::Hall {
            seats: given.seats,
            ..hall_message(hall)
        };
        Ok(reply(hall, &at))
    }

    async fn list_halls(
        &self,
        request: Request<v1::ListHallsRequest>,
    ) -> Result<Response<v1::ListHallsResponse>, Status> {
        let request = request.get_ref();
        let parent = status::named("parent", &request.parent, CINEMA, CinemaId::parse)?;
        let parameters = [request.parent.as_str()];
        let size = request.page_size;
        let page = Page::parse("ListHalls", &parameters, size, &request.page_token)?;
        let after = page.after_number()?.unwrap_or(0);
        let session = self.inventory.store().read().await?;
        cinema::cinema(&session, &parent).await?;
        let mut halls = session.halls(&parent).await?;
        halls.retain(|hall| hall.number > after);
        halls.truncate(usize::try_from(page.limit()).unwrap_or(usize::MAX));
        let (halls, next_page_token) = page.cut(halls, |hall| hall.number.to_string());
        Ok(Response::new(v1::ListHallsResponse {
            halls: halls.into_iter().map(hall_message).collect(),
            next_page_token,
        }))
    }

    async fn set_hall_rules(
        &self,
        request: Request<v1::SetHallRulesRequest>,
    ) -> Result<Response<v1::Hall>, Status> {
        let request = request.get_ref();
        let id = status::named("name", &request.name, HALL, HallId::parse)?;
        let no_single_seats = request.no_single_seats;
        let (hall, at) = self.inventory.set_hall_rules(&id, no_single_seats).await?;
        Ok(reply(hall_message(hall), &at))
    }

    async fn create_movie(
        &self,
        request: Request<v1::CreateMovieRequest>,
    ) -> Result<Response<v1::Movie>, Status> {
        let given = request.into_inner().movie.unwrap_or_default();
        let mut fields = Fields::default();
        let new = NewMovie {
            title: fields.title("movie.title", &given.title, NAME_MAX),
            description: fields.text("movie.description", &given.description, TEXT_MAX),
            image_uri: fields.text("movie.image_uri", &given.image_uri, URI_MAX),
        };
        fields.end()?;
        let (id, at) = self.inventory.create_movie(&new).await?;
        let movie = v1::Movie {
            name: id.to_string(),
            ..given
        };
        Ok(reply(movie, &at))
    }

    async fn create_screening(
        &self,
        request: Request<v1::CreateScreeningRequest>,
    ) -> Result<Response<v1::Screening>, Status> {
        let request = request.get_ref();
        let parent = status::named("parent", &request.parent, CINEMA, CinemaId::parse)?;
        let hall = status::named("hall", &request.hall, HALL, HallId::parse)?;
        let movie = status::named("movie", &request.movie, MOVIE, MovieId::parse)?;
        let cinema = self.cinema(&parent).await?;
        let mut fields = Fields::default();
        if hall.cinema != parent {
            fields.wrong("hall", Fault::Range, format!("must be a hall of {parent}"));
        }
        let starts_at = fields.time("start_time", request.start_time.as_ref());
        let ends_at = fields.time("end_time", request.end_time.as_ref());
        if let (Some(starts_at), Some(ends_at)) = (starts_at, ends_at) {
            check_times(&mut fields, starts_at, ends_at, self.inventory.now());
        }
        let prices = prices(&mut fields, &request.prices, &cinema);
        fields.end()?;
        let new = PricedScreening {
            hall,
            movie,
            starts_at: starts_at.unwrap_or_default(),
            ends_at: ends_at.unwrap_or_default(),
            prices,
        };
        let (screening, at) = self.inventory.schedule_screening(&new).await?;
        Ok(reply(self.changed(screening).await?, &at))
    }

    async fn set_screening_prices(
        &self,
        request: Request<v1::SetScreeningPricesRequest>,
    ) -> Result<Response<v1::Screening>, Status> {
        let request = request.get_ref();
        let id = status::named("name", &request.name, SCREENING, ScreeningId::parse)?;
        let cinema = self.cinema(&id.cinema).await?;
        let mut fields = Fields::default();
        let prices = prices(&mut fields, &request.prices, &cinema);
        fields.end()?;
        let (screening, at) = self.inventory.set_screening_prices(&id, &prices).await?;
        Ok(reply(self.changed(screening).await?, &at))
    }

    async fn remove_screening(
        &self,
        request: Request<v1::RemoveScreeningRequest>,
    ) -> Result<Response<v1::RemoveScreeningResponse>, Status> {
        let name = &request.get_ref().name;
        let id = status::named("name", name, SCREENING, ScreeningId::parse)?;
        let at = self.inventory.delete_screening(&id).await?;
        Ok(Response::new(v1::RemoveScreeningResponse {
            position: position(&at),
        }))
    }

    async fn set_cinema_cancellation_policy(
        &self,
        request: Request<v1::SetCinemaCancellationPolicyRequest>,
    ) -> Result<Response<v1::SetCinemaCancellationPolicyResponse>, Status> {
        let message = request.get_ref();
        let cinema = status::named("cinema", &message.cinema, CINEMA, CinemaId::parse)?;
        let venue = Venue::Cinema(cinema);
        let policy = policy::parse(&venue, message.policy.as_ref())?;
        let at = self
            .inventory
            .set_cancellation_policy(&venue, policy)
            .await?;
        Ok(Response::new(v1::SetCinemaCancellationPolicyResponse {
            position: position(&at),
        }))
    }
}

fn drawn(it: &v1::HallSeat) -> DrawnSeat {
    DrawnSeat {
        row: it.row.clone(),
        number: it.number.into(),
        x: it.x.into(),
        y: it.y.into(),
        category: it.category.clone(),
        accessible: it.accessible,
    }
}

fn hall_message(it: Hall) -> v1::Hall {
    let id = HallId {
        cinema: it.cinema,
        number: it.number,
    };
    v1::Hall {
        name: id.to_string(),
        display_name: it.display_name,
        seats: Vec::new(),
        no_single_seats: it.no_single_seats,
    }
}

fn check_times(fields: &mut Fields, starts_at: Timestamp, ends_at: Timestamp, now: Timestamp) {
    if starts_at <= now || starts_at.duration_since(now) > AHEAD_MAX {
        let description = "must be in the future, at most two years ahead";
        fields.wrong("start_time", Fault::Range, description);
    }
    let length = ends_at.duration_since(starts_at);
    if length <= SignedDuration::ZERO || length > LONGEST {
        let description = format!("must be after start_time, at most {SCREENING_HOURS_MAX} hours");
        fields.wrong("end_time", Fault::Range, description);
    }
}

/// Prices by category, each category once.
fn prices(fields: &mut Fields, given: &[v1::CategoryPrice], cinema: &Cinema) -> Vec<SeatPrice> {
    if given.len() > PRICES_MAX {
        let description = format!("must be at most {PRICES_MAX}");
        fields.wrong("prices", Fault::Range, description);
        return Vec::new();
    }
    let mut prices: Vec<SeatPrice> = Vec::with_capacity(given.len());
    for (at, it) in given.iter().enumerate() {
        let field = format!("prices[{at}].category");
        if it.category.is_empty() {
            fields.wrong(&field, Fault::Missing, "must be given");
        } else if !is_category(&it.category) {
            fields.wrong(&field, Fault::Format, "must be 1 to 32 of a-z, 0-9, -");
        } else if prices.iter().any(|price| price.category == it.category) {
            fields.wrong(&field, Fault::Duplicate, "must be priced once");
        }
        let field = format!("prices[{at}].price");
        let price_minor = fields.price(&field, it.price.as_ref(), cinema.currency);
        prices.push(SeatPrice {
            category: it.category.clone(),
            price_minor,
        });
    }
    prices
}
