//! The catalogue as decisions see it: hotels, room types with their rates, screenings with their halls and prices.
//!
//! It is exact, not a little stale: every change of the catalogue raises `catalogue_version` in the commit head, under
//! whose lock a batch reads it. What was loaded under another version, or of another incarnation of the database, is
//! forgotten. What is not there is not
//! remembered either, so that made-up names take no room. Past [`ENTRIES_MAX`] everything is forgotten: simpler than
//! choosing, and what is sold now comes back with the next batch.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::{Arc, OnceLock},
};

use crate::{
    domain::{
        cancellation::Policy,
        catalogue::{Cinema, Hotel, Movie, RoomType, Screening, Seat, SeatPrice},
        cell::{CellKey, PoolId, Slot},
        claim::{Ask, BestSeats, Claim, SeatSelection},
        name::{CinemaId, HotelId, RoomTypeId, ScreeningId, SeatId, Venue},
        rate::Rate,
        restriction::Restriction,
        seating::Plan,
    },
    store::{Head, StoreError, Write},
};

/// Rows kept in memory, far more than a chain of cinemas shows in a week. A few hundred bytes each.
const ENTRIES_MAX: usize = 300_000;

/// What has been loaded of the catalogue.
#[derive(Clone, Default)]
pub(super) struct Catalogue {
    incarnation: String,
    version: i64,
    entries: usize,
    hotels: HashMap<HotelId, Known<Hotel>>,
    room_types: HashMap<RoomTypeId, Arc<SoldRoomType>>,
    cinemas: HashMap<CinemaId, Known<Cinema>>,
    halls: HashMap<i64, Arc<Seating>>,
    showings: HashMap<i64, Arc<Showing>>,
}

/// A venue and what cancelling costs there, unless it is free. One value: a venue that were here while its policy is yet to
/// be read would be sold from with free cancellation, wherever reading ends.
#[derive(Clone)]
struct Known<T> {
    venue: Arc<T>,
    policy: Option<Policy>,
}

/// A room type and what it costs.
pub(super) struct SoldRoomType {
    pub(super) room_type: RoomType,
    /// In the order in which they were set.
    pub(super) rates: Vec<Rate>,
    /// In the order in which they were set.
    pub(super) restrictions: Vec<Restriction>,
}

/// A screening and all that it takes to sell its seats.
pub(super) struct Showing {
    pub(super) screening: Screening,
    pub(super) cinema: Arc<Cinema>,
    pub(super) movie: Movie,
    pub(super) hall: Arc<Seating>,
    pub(super) prices: Vec<SeatPrice>,
}

/// The seats of a hall.
pub(super) struct Seating {
    /// By number in the hall.
    pub(super) seats: Vec<Seat>,
    /// Whether a booking may not leave single seats.
    pub(super) no_single_seats: bool,
    by_id: HashMap<SeatId, usize>,
    plan: OnceLock<Plan>,
}

impl Seating {
    fn new(seats: Vec<Seat>, no_single_seats: bool) -> Self {
        let ids = seats.iter().map(|it| it.id.clone());
        Self {
            no_single_seats,
            by_id: ids.zip(0..).collect(),
            plan: OnceLock::new(),
            seats,
        }
    }

    /// Who sits beside whom; made when somebody asks for it first.
    pub(super) fn plan(&self) -> &Plan {
        self.plan.get_or_init(|| Plan::new(&self.seats))
    }

    /// The seat of that id.
    pub(super) fn seat(&self, id: &SeatId) -> Option<&Seat> {
        self.seats.get(*self.by_id.get(id)?)
    }
}

/// What a batch needs of the catalogue.
#[derive(Default)]
pub(super) struct Wanted {
    hotels: HashSet<HotelId>,
    room_types: HashSet<RoomTypeId>,
    screenings: HashSet<ScreeningId>,
}

impl Wanted {
    /// A venue.
    pub(super) fn venue(&mut self, venue: &Venue) {
        match venue {
            Venue::Hotel(id) => self.hotel(id),
            // Of a cinema nothing is needed without one of its screenings.
            Venue::Cinema(_) => {}
        }
    }

    /// A room type.
    pub(super) fn room_type(&mut self, id: &RoomTypeId) {
        self.hotel(&id.hotel);
        self.room_types.insert(id.clone());
    }

    /// What is asked for.
    pub(super) fn ask(&mut self, ask: &Ask) {
        match ask {
            Ask::Claim(Claim::Stay(stay)) => {
                self.hotel(&stay.room_type.hotel);
                if !self.room_types.contains(&stay.room_type) {
                    self.room_types.insert(stay.room_type.clone());
                }
            }
            Ask::Claim(Claim::Seats(SeatSelection { screening, .. }))
            | Ask::Best(BestSeats { screening, .. }) => {
                if !self.screenings.contains(screening) {
                    self.screenings.insert(screening.clone());
                }
            }
        }
    }

    fn hotel(&mut self, id: &HotelId) {
        if !self.hotels.contains(id) {
            self.hotels.insert(id.clone());
        }
    }
}

impl Catalogue {
    /// Makes it the one of that head, without what was loaded under another, or when it has become too much.
    pub(super) fn follow(this: &mut Arc<Self>, head: &Head) {
        let is_same =
            this.version == head.catalogue_version && this.incarnation == head.incarnation;
        if !is_same || this.entries > ENTRIES_MAX {
            *this = Arc::new(Self {
                incarnation: head.incarnation.clone(),
                version: head.catalogue_version,
                ..Self::default()
            });
        }
    }

    /// A hotel.
    pub(super) fn hotel(&self, id: &HotelId) -> Option<&Hotel> {
        self.hotels.get(id).map(|it| it.venue.as_ref())
    }

    /// A room type.
    pub(super) fn room_type(&self, id: &RoomTypeId) -> Option<&SoldRoomType> {
        self.room_types.get(id).map(Arc::as_ref)
    }

    /// A screening that is in the listings.
    pub(super) fn showing(&self, id: &ScreeningId) -> Option<&Showing> {
        let showing = self.showings.get(&id.number).map(Arc::as_ref);
        showing.filter(|it| it.screening.id == *id)
    }

    /// What cancelling costs at a venue that is here, unless it is free.
    pub(super) fn policy(&self, venue: &Venue) -> Option<&Policy> {
        match venue {
            Venue::Hotel(id) => self.hotels.get(id)?.policy.as_ref(),
            Venue::Cinema(id) => self.cinemas.get(id)?.policy.as_ref(),
        }
    }

    /// The screening of which all seats must be looked at to decide what is asked: the best are sought, or none may be
    /// left single.
    pub(super) fn whole_hall(&self, ask: &Ask) -> Option<&Showing> {
        match ask {
            Ask::Claim(Claim::Stay(_)) => None,
            Ask::Claim(Claim::Seats(selection)) => {
                let showing = self.showing(&selection.screening);
                showing.filter(|it| it.hall.no_single_seats)
            }
            Ask::Best(best) => self.showing(&best.screening),
        }
    }

    /// Adds the cells of what is asked, each with the capacity that it has when nobody has touched it yet. Of what is not
    /// there, none.
    pub(super) fn cells(&self, ask: &Ask, cells: &mut Vec<(CellKey, i64)>) {
        let of_seat = |showing: &Showing, seat: &Seat| {
            let (pool, slot) = (seat.pool, Slot(showing.screening.id.number));
            (CellKey { pool, slot }, 1)
        };
        if let Some(showing) = self.whole_hall(ask) {
            let seats = showing.hall.seats.iter();
            cells.extend(seats.map(|seat| of_seat(showing, seat)));
            return;
        }
        let Ask::Claim(claim) = ask else { return };
        match claim {
            Claim::Stay(stay) => {
                let Some(sold) = self.room_type(&stay.room_type) else {
                    return;
                };
                let RoomType { pool, capacity, .. } = sold.room_type;
                let slots = stay.nights.slots();
                let slots = (slots.start.0..slots.end.0).map(Slot);
                cells.extend(slots.map(|slot| (CellKey { pool, slot }, capacity)));
            }
            Claim::Seats(selection) => {
                let Some(showing) = self.showing(&selection.screening) else {
                    return;
                };
                let ids = selection.seats.iter();
                let seats = ids.filter_map(|id| showing.hall.seat(id));
                cells.extend(seats.map(|seat| of_seat(showing, seat)));
            }
        }
    }

    /// Loads what is wanted and not here yet.
    pub(super) async fn load(&mut self, write: &Write, wanted: Wanted) -> Result<(), StoreError> {
        self.load_hotels(write, wanted.hotels).await?;
        self.load_room_types(write, wanted.room_types).await?;
        self.load_showings(write, wanted.screenings).await
    }

    async fn load_hotels(
        &mut self,
        write: &Write,
        wanted: HashSet<HotelId>,
    ) -> Result<(), StoreError> {
        let ids = missing(wanted, &self.hotels);
        let found = write.hotels_of(&ids).await?;
        let found = with_policies(write, found, Venue::Hotel).await?;
        self.entries += found.len();
        self.hotels.extend(found);
        Ok(())
    }

    async fn load_room_types(
        &mut self,
        write: &Write,
        wanted: HashSet<RoomTypeId>,
    ) -> Result<(), StoreError> {
        let ids = missing(wanted, &self.room_types);
        let found = write.room_types_of(&ids).await?;
        let pools: Vec<PoolId> = found.values().map(|it| it.pool).collect();
        let mut rates = write.rates_of(&pools).await?;
        let mut restrictions = write.restrictions_of(&pools).await?;
        for (id, room_type) in found {
            let rates = rates.remove(&room_type.pool).unwrap_or_default();
            let restrictions = restrictions.remove(&room_type.pool).unwrap_or_default();
            self.entries += 1 + rates.len() + restrictions.len();
            let sold = SoldRoomType {
                room_type,
                rates,
                restrictions,
            };
            self.room_types.insert(id, Arc::new(sold));
        }
        Ok(())
    }

    async fn load_showings(
        &mut self,
        write: &Write,
        mut wanted: HashSet<ScreeningId>,
    ) -> Result<(), StoreError> {
        wanted.retain(|id| self.showing(id).is_none());
        let wanted: Vec<ScreeningId> = wanted.into_iter().collect();
        let found = write.screenings_of(&wanted).await?;
        if found.is_empty() {
            return Ok(());
        }
        let cinemas = found.values().map(|it| it.id.cinema.clone());
        let cinemas = missing(cinemas.collect(), &self.cinemas);
        let cinemas = write.cinemas_of(&cinemas).await?;
        let cinemas = with_policies(write, cinemas, Venue::Cinema).await?;
        self.entries += cinemas.len();
        self.cinemas.extend(cinemas);
        let halls = found.values().map(|it| it.hall).collect();
        let halls = missing(halls, &self.halls);
        let mut seats = write.seats(&halls).await?;
        let strict = write.halls_without_single_seats(&halls).await?;
        for hall in halls {
            let seats = seats.remove(&hall).unwrap_or_default();
            self.entries += 1 + seats.len();
            self.halls
                .insert(hall, Arc::new(Seating::new(seats, strict.contains(&hall))));
        }
        let movies: HashSet<_> = found.values().map(|it| it.movie).collect();
        let movies = write
            .movies_of(&movies.into_iter().collect::<Vec<_>>())
            .await?;
        let numbers: Vec<i64> = found.keys().map(|id| id.number).collect();
        let mut prices = write.seat_prices(&numbers).await?;
        for screening in found.into_values() {
            let (Some(cinema), Some(hall), Some(movie)) = (
                self.cinemas.get(&screening.id.cinema),
                self.halls.get(&screening.hall),
                movies.get(&screening.movie),
            ) else {
                continue;
            };
            let number = screening.id.number;
            let showing = Showing {
                cinema: Arc::clone(&cinema.venue),
                hall: Arc::clone(hall),
                movie: movie.clone(),
                prices: prices.remove(&number).unwrap_or_default(),
                screening,
            };
            self.entries += 1 + showing.prices.len();
            self.showings.insert(number, Arc::new(showing));
        }
        Ok(())
    }
}

/// Venues, each with what cancelling costs there.
async fn with_policies<K: Clone + Eq + Hash, T>(
    write: &Write,
    venues: HashMap<K, T>,
    name: fn(K) -> Venue,
) -> Result<HashMap<K, Known<T>>, StoreError> {
    let names: Vec<Venue> = venues.keys().cloned().map(name).collect();
    let policies = write.policies_of(&names).await?;
    let known = venues.into_iter().map(|(id, venue)| {
        let policy = policies.get(&name(id.clone())).copied();
        let venue = Arc::new(venue);
        (id, Known { venue, policy })
    });
    Ok(known.collect())
}

/// What is wanted and not there.
fn missing<K: Eq + Hash, V>(wanted: HashSet<K>, known: &HashMap<K, V>) -> Vec<K> {
    let wanted = wanted.into_iter();
    wanted.filter(|key| !known.contains_key(key)).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn what_was_loaded_is_forgotten_with_the_version_and_with_the_incarnation() {
        let head = |incarnation: &str, catalogue_version| Head {
            incarnation: incarnation.to_owned(),
            sequence: 1,
            decided_at: Timestamp::UNIX_EPOCH,
            last_pool: 0,
            last_item: 0,
            catalogue_version,
            waiting: 0,
            pinned: 0,
        };
        let mut catalogue = Arc::default();
        Catalogue::follow(&mut catalogue, &head("a", 1));
        for (incarnation, version, is_kept) in [
            ("a", 1, true),
            ("a", 2, false),
            ("b", 2, false),
            ("b", 2, true),
        ] {
            let before = Arc::clone(&catalogue);
            Catalogue::follow(&mut catalogue, &head(incarnation, version));
            let kept = Arc::ptr_eq(&before, &catalogue);
            assert_eq!(kept, is_kept, "{incarnation} {version}");
        }
    }
}
