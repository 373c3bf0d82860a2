//! The waitlist. Lines are read whole: their length is limited where they are joined.

use std::collections::HashSet;

use jiff::Timestamp;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QueryResult,
    QuerySelect,
};
use uuid::Uuid;

use super::{
    Session, StoreError, Write,
    batch::rows::Rows,
    bookings::booking_id,
    entity::waitlist_entry::{self, Column},
    error::During,
    rows::{day, micros, timestamp},
};
use crate::domain::{
    booking::Contact,
    claim::{Ask, BestSeats, Claim, Nights, Stay},
    name::{BookingId, EntryId, HallId, RoomTypeId, ScreeningId},
    request::Principal,
    seating::Wish,
    wait_entry::{Line, WaitEntry},
    waitlist::EntryState,
};

impl Session {
    /// One entry.
    pub async fn wait_entry(&self, id: EntryId) -> Result<Option<WaitEntry>, StoreError> {
        let row = waitlist_entry::Entity::find_by_id(id.0.to_string())
            .one(&self.transaction)
            .await;
        row.during("read a waitlist entry")?
            .map(from_row)
            .transpose()
    }

    /// A guest's entries that were made before that place in the order, newest first.
    pub async fn wait_entries(
        &self,
        principal: &Principal,
        before: Option<(i64, EntryId)>,
        limit: u64,
    ) -> Result<Vec<WaitEntry>, StoreError> {
        let earlier = before.map(|(sequence, id)| {
            let same = Column::CreatedSequence.eq(sequence);
            let same = same.and(Column::Id.lt(id.0.to_string()));
            Column::CreatedSequence.lt(sequence).or(same)
        });
        let rows = waitlist_entry::Entity::find()
            .filter(Column::Principal.eq(principal.as_str()))
            .filter(Condition::all().add_option(earlier))
            .order_by_desc(Column::CreatedSequence)
            .order_by_desc(Column::Id)
            .limit(limit)
            .all(&self.transaction)
            .await;
        let rows = rows.during("list waitlist entries")?;
        rows.into_iter().map(from_row).collect()
    }

    /// Who is in those lines, in order.
    pub(crate) async fn lines(&self, lines: &HashSet<Line>) -> Result<Vec<WaitEntry>, StoreError> {
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let rows = waitlist_entry::Entity::find()
            .filter(Column::State.eq(EntryState::Waiting.as_str()))
            .filter(Column::Line.is_in(lines.iter().map(ToString::to_string)))
            .order_by_asc(Column::CreatedSequence)
            .order_by_asc(Column::Id)
            .all(&self.transaction)
            .await;
        let rows = rows.during("read who waits")?;
        rows.into_iter().map(from_row).collect()
    }

    /// Some entries, those that are there.
    pub(crate) async fn wait_entries_of(
        &self,
        ids: &[EntryId],
    ) -> Result<Vec<WaitEntry>, StoreError> {
        self.entries_where(
            Column::Id.is_in(ids.iter().map(|id| id.0.to_string())),
            ids.len(),
        )
        .await
    }

    /// The entries that these bookings are offered to.
    pub(crate) async fn offered(&self, offers: &[BookingId]) -> Result<Vec<WaitEntry>, StoreError> {
        let ids = offers.iter().map(|id| id.0.to_string());
        let offered = Column::State.eq(EntryState::Offered.as_str());
        self.entries_where(offered.and(Column::Offer.is_in(ids)), offers.len())
            .await
    }

    /// Some of those who wait for what is past.
    pub(crate) async fn overdue(
        &self,
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<EntryId>, StoreError> {
        let rows: Result<Vec<String>, _> = waitlist_entry::Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::State.eq(EntryState::Waiting.as_str()))
            .filter(Column::EndsAt.lte(micros(now)))
            .limit(limit)
            .into_tuple()
            .all(&self.transaction)
            .await;
        let rows = rows.during("look for those who wait in vain")?;
        rows.iter().map(|id| entry_id(id)).collect()
    }

    /// The screenings of a hall that start after that time and that somebody waits for, the next ones first.
    pub(crate) async fn waited_for(
        &self,
        hall: &HallId,
        after: Timestamp,
        limit: u64,
    ) -> Result<Vec<ScreeningId>, StoreError> {
        let operation = "look which screenings are waited for";
        // By cinema, for the index.
        let sql = "SELECT s.id AS number FROM screenings s \
             WHERE s.cinema = $1 AND s.starts_at > $2 AND s.hall = $3 AND NOT s.deleted AND EXISTS (\
                SELECT 1 FROM waitlist_entries w WHERE w.state = 'WAITING' \
                AND w.line = 'cinemas/' || s.cinema || '/screenings/' || s.id) \
             ORDER BY s.starts_at, s.id LIMIT $4";
        let values = vec![
            hall.cinema.0.as_str().into(),
            micros(after).into(),
            hall.number.into(),
            limit.into(),
        ];
        let rows = self.select(sql, values, operation).await?;
        let screening = |row: &QueryResult| {
            Ok(ScreeningId {
                cinema: hall.cinema.clone(),
                number: row.try_get("", "number").during(operation)?,
            })
        };
        rows.iter().map(screening).collect()
    }

    async fn entries_where(
        &self,
        filter: impl sea_orm::sea_query::IntoCondition,
        wanted: usize,
    ) -> Result<Vec<WaitEntry>, StoreError> {
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let rows = waitlist_entry::Entity::find()
            .filter(filter)
            .all(&self.transaction)
            .await;
        let rows = rows.during("read waitlist entries")?;
        rows.into_iter().map(from_row).collect()
    }
}

impl Write {
    /// Adds entries.
    pub(super) async fn insert_entries(&self, entries: &[WaitEntry]) -> Result<(), StoreError> {
        let stay = |it: &WaitEntry| match &it.ask {
            Ask::Claim(Claim::Stay(stay)) => Some(stay.clone()),
            _ => None,
        };
        let wish = |it: &WaitEntry| match &it.ask {
            Ask::Best(best) => Some(best.wish.clone()),
            Ask::Claim(_) => None,
        };
        let new = changing(entries)
            .text("principal", |it| it.principal.as_str().to_owned())
            .text("line", |it| it.line().to_string())
            .maybe_number("check_in", |it| {
                stay(it).map(|it| it.nights.slots().start.0)
            })
            .maybe_number("check_out", |it| stay(it).map(|it| it.nights.slots().end.0))
            .maybe_number("rooms", |it| stay(it).map(|it| it.rooms))
            .maybe_number("seats", |it| {
                wish(it).and_then(|it| i64::try_from(it.count).ok())
            })
            .maybe_text("category", |it| wish(it).and_then(|it| it.category))
            .maybe_number("accessible", |it| wish(it).map(|it| it.accessible.into()))
            .number("ends_at", |it| micros(it.ends_at))
            .number("created_at", |it| micros(it.created_at))
            .number("created_sequence", |it| it.created_sequence);
        self.insert_rows("waitlist_entries", new, "", "add waitlist entries")
            .await
    }

    /// Changes entries: their state, offer and contact.
    pub(super) async fn update_entries(&self, entries: &[WaitEntry]) -> Result<(), StoreError> {
        let changed = changing(entries);
        self.update_rows(
            "waitlist_entries",
            &["id"],
            changed,
            "change waitlist entries",
        )
        .await
    }
}

/// What of an entry changes.
fn changing(entries: &[WaitEntry]) -> Rows<'_, WaitEntry> {
    let contact = |it: &WaitEntry, part: fn(&Contact) -> &String| {
        let text = it.contact.as_ref().map(|it| part(it).clone());
        text.filter(|text| !text.is_empty())
    };
    Rows::of(entries)
        .text("id", |it| it.id.0.to_string())
        .text("state", |it| it.recorded_state.as_str().to_owned())
        .maybe_text("offer", |it| it.offer.map(|offer| offer.0.to_string()))
        .maybe_text("display_name", |it| contact(it, |it| &it.display_name))
        .maybe_text("email", |it| contact(it, |it| &it.email))
        .maybe_text("phone", |it| contact(it, |it| &it.phone))
}

fn entry_id(text: &str) -> Result<EntryId, StoreError> {
    let id = Uuid::try_parse(text).map_err(|_| StoreError::corrupt("waitlist entry", text))?;
    Ok(EntryId(id))
}

fn from_row(row: waitlist_entry::Model) -> Result<WaitEntry, StoreError> {
    let contact = Contact {
        display_name: row.display_name.clone().unwrap_or_default(),
        email: row.email.clone().unwrap_or_default(),
        phone: row.phone.clone().unwrap_or_default(),
    };
    Ok(WaitEntry {
        id: entry_id(&row.id)?,
        ask: ask(&row)?,
        recorded_state: EntryState::parse(&row.state)
            .ok_or_else(|| StoreError::corrupt("state of waitlist entry", &row.state))?,
        principal: Principal::stored(row.principal),
        offer: row.offer.as_deref().map(booking_id).transpose()?,
        contact: (contact != Contact::default()).then_some(contact),
        ends_at: timestamp(row.ends_at)?,
        created_at: timestamp(row.created_at)?,
        created_sequence: row.created_sequence,
    })
}

fn ask(row: &waitlist_entry::Model) -> Result<Ask, StoreError> {
    let wrong = || StoreError::corrupt("claim of waitlist entry", &row.id);
    if let Some(count) = row.seats {
        return Ok(Ask::Best(BestSeats {
            screening: ScreeningId::parse(&row.line).map_err(|_| wrong())?,
            wish: Wish {
                count: usize::try_from(count).map_err(|_| wrong())?,
                category: row.category.clone(),
                accessible: row.accessible == Some(1),
            },
        }));
    }
    let (Some(check_in), Some(check_out), Some(rooms)) = (row.check_in, row.check_out, row.rooms)
    else {
        return Err(wrong());
    };
    let stay = Claim::Stay(Stay {
        room_type: RoomTypeId::parse(&row.line).map_err(|_| wrong())?,
        nights: Nights::new(day(check_in)?, day(check_out)?).map_err(|_| wrong())?,
        rooms,
    });
    Ok(Ask::Claim(stay))
}
