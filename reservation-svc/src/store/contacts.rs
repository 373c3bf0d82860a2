//! Who to reach about bookings: replaced, and erased for ever. Personal data lives in this one table, apart from what
//! waitlist entries have until they are served.

use jiff::Timestamp;

use super::{
    Session, StoreError, Write,
    batch::rows::Rows,
    bookings::booking_id,
    error::During,
    rows::{day, micros},
};
use crate::domain::{booking::Contact, cell::Slot, name::BookingId};

/// A contact that is kept, and when what it is for has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeptContact {
    /// Of which booking.
    pub(crate) booking: BookingId,
    /// The last day or the start of it is past.
    pub(crate) is_over: bool,
}

impl Session {
    /// Whether the contact of a booking was erased.
    pub(crate) async fn contact_erased(&self, id: BookingId) -> Result<bool, StoreError> {
        let sql = "SELECT 1 AS erased FROM bookings WHERE id = $1 AND contact_erased";
        let values = vec![id.0.to_string().into()];
        let found = self.select(sql, values, "look for a contact").await?;
        Ok(!found.is_empty())
    }

    /// Some contacts after that booking's, in the order of their bookings, and whether what they are for ended before
    /// that time.
    pub(crate) async fn contacts_after(
        &self,
        after: Option<BookingId>,
        before: Timestamp,
        limit: u64,
    ) -> Result<Vec<KeptContact>, StoreError> {
        const DURING: &str = "look for old contacts";
        let sql = "SELECT c.booking, b.check_out, b.starts_at FROM \
                   (SELECT booking FROM booking_contacts WHERE booking > $1 ORDER BY booking LIMIT $2) c \
                   JOIN bookings b ON b.id = c.booking ORDER BY c.booking";
        let after = after.map(|id| id.0.to_string()).unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self
            .select(sql, vec![after.into(), limit.into()], DURING)
            .await?;
        // Hotels are all over the world: a day is over where it is over last, half a day later than in UTC.
        let last_day = Slot::of_night(before.to_zoned(jiff::tz::TimeZone::UTC).date()).0 - 1;
        let kept = |row: &sea_orm::QueryResult| {
            let booking: String = row.try_get("", "booking").during(DURING)?;
            let check_out: Option<i64> = row.try_get("", "check_out").during(DURING)?;
            let starts_at: Option<i64> = row.try_get("", "starts_at").during(DURING)?;
            let stay_over = check_out.map(day).transpose()?.map(Slot::of_night);
            Ok(KeptContact {
                booking: booking_id(&booking)?,
                is_over: stay_over.is_some_and(|slot| slot.0 < last_day)
                    || starts_at.is_some_and(|start| start < micros(before)),
            })
        };
        rows.iter().map(kept).collect()
    }
}

impl Write {
    /// Replaces the contact of a booking.
    pub(crate) async fn replace_contact(
        &self,
        id: BookingId,
        contact: &Contact,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO booking_contacts (booking, display_name, email, phone) \
                   VALUES ($1, $2, $3, $4) ON CONFLICT (booking) DO UPDATE SET \
                   display_name = excluded.display_name, email = excluded.email, phone = excluded.phone";
        let values = vec![
            id.0.to_string().into(),
            contact.display_name.as_str().into(),
            contact.email.as_str().into(),
            contact.phone.as_str().into(),
        ];
        self.execute(sql, values, "replace a contact").await?;
        Ok(())
    }

    /// Erases the contacts of bookings for ever; how many there were.
    pub(crate) async fn erase_contacts(&self, ids: &[BookingId]) -> Result<u64, StoreError> {
        let rows = || Rows::of(ids).text("booking", |id| id.0.to_string());
        let sql = "WITH w ({names}) AS ({rows}) DELETE FROM booking_contacts \
                   WHERE booking IN (SELECT booking FROM w) RETURNING booking";
        let erased = self.select_by(sql, rows(), "erase contacts").await?;
        let sql = "WITH w ({names}) AS ({rows}) UPDATE bookings SET contact_erased = TRUE FROM w \
                   WHERE id = w.booking RETURNING id";
        self.select_by(sql, rows(), "note that contacts were erased")
            .await?;
        Ok(erased.len() as u64)
    }
}
