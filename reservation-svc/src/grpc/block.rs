//! What FrontDeskService.CreateBlock is asked: rooms put aside for a group.

use banyan_proto::reservation::v1;
use jiff::{SignedDuration, Timestamp};
use tonic::Status;

use super::{fields::Fields, status};
use crate::{
    domain::{claim::Stay, name::RoomTypeId, violation::Fault},
    inventory::Action,
};

/// Rooms of one block.
const ROOMS_MAX: i32 = 500;
/// How far ahead the release may be.
const UNTIL_MAX: SignedDuration = SignedDuration::from_hours(2 * 366 * 24);
const TITLE_MAX: usize = 200;

/// What is asked, at that time.
pub(super) fn action(message: &v1::CreateBlockRequest, now: Timestamp) -> Result<Action, Status> {
    let kind = "reservation.banyan/RoomType";
    let room_type = status::named("room_type", &message.room_type, kind, RoomTypeId::parse)?;
    let mut fields = Fields::default();
    let nights = fields.nights(&message.from_date, &message.to_date);
    let rooms = fields.within("rooms", message.rooms, 1, ROOMS_MAX);
    let title = fields.text("title", &message.title, TITLE_MAX);
    let until = fields.time("release_time", message.release_time.as_ref());
    if until.is_some_and(|it| it <= now || it.duration_since(now) > UNTIL_MAX) {
        let description = "must be in the future, at most two years ahead";
        fields.wrong("release_time", Fault::Range, description);
    }
    let (nights, until) = fields.end_with(nights.zip(until))?;
    let stay = Stay {
        room_type,
        nights,
        rooms,
    };
    Ok(Action::Block { stay, until, title })
}
