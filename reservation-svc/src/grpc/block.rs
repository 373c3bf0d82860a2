//! FrontDeskService.CreateBlock: rooms put aside for a group.

use banyan_proto::reservation::v1;
use jiff::{SignedDuration, Timestamp};
use tonic::{Request, Response, Status};

use super::{booking::position, fields::Fields, guest::deadline, parse, status};
use crate::{
    domain::{
        claim::{Nights, Stay},
        name::RoomTypeId,
        request::Principal,
        violation::{Fault, Violation},
    },
    inventory::{Action, Command, Inventory, Rejection},
};

/// Rooms of one block.
const ROOMS_MAX: i32 = 500;
/// How far ahead the release may be.
const UNTIL_MAX: SignedDuration = SignedDuration::from_hours(2 * 366 * 24);
const TITLE_MAX: usize = 200;

/// Puts rooms aside.
pub(super) async fn create(
    inventory: &Inventory,
    request: Request<v1::CreateBlockRequest>,
) -> Result<Response<v1::CreateBlockResponse>, Status> {
    let deadline = deadline(request.metadata());
    let message = request.get_ref();
    let key = parse::request_key("CreateBlock", &message.request_id, message);
    let command = Command {
        principal: Principal::operator(),
        request: key.map_err(status::invalid)?,
        deadline,
        action: action(message, inventory.now())?,
    };
    let outcome = inventory.submit(command).await.map_err(as_asked)?;
    Ok(Response::new(v1::CreateBlockResponse {
        position: position(&outcome),
        booking: Some(outcome.booking),
    }))
}

fn action(message: &v1::CreateBlockRequest, now: Timestamp) -> Result<Action, Status> {
    let kind = "reservation.banyan/RoomType";
    let room_type = status::named("room_type", &message.room_type, kind, RoomTypeId::parse)?;
    let mut fields = Fields::default();
    let dates = fields.dates(&message.from_date, &message.to_date);
    let rooms = fields.within("rooms", message.rooms, 1, ROOMS_MAX);
    let title = fields.text("title", &message.title, TITLE_MAX);
    let until = fields.time("release_time", message.release_time.as_ref());
    if until.is_some_and(|it| it <= now || it.duration_since(now) > UNTIL_MAX) {
        let description = "must be in the future, at most two years ahead";
        fields.wrong("release_time", Fault::Range, description);
    }
    let nights = dates.and_then(|(from, to)| {
        let nights = Nights::new(from, to);
        nights.map_err(|it| fields.wrongs(vec![renamed(it)])).ok()
    });
    let (nights, until) = fields.end_with(nights.zip(until))?;
    let stay = Stay {
        room_type,
        nights,
        rooms,
    };
    Ok(Action::Block { stay, until, title })
}

/// Mistakes under the names that they have in this request.
fn as_asked(rejection: Rejection) -> Rejection {
    match rejection {
        Rejection::Invalid {
            violations,
            position,
        } => Rejection::Invalid {
            violations: violations.into_iter().map(renamed).collect(),
            position,
        },
        other => other,
    }
}

fn renamed(it: Violation) -> Violation {
    let field = match it.field.rsplit('.').next() {
        Some("check_in_date") => "from_date".to_owned(),
        Some("check_out_date") => "to_date".to_owned(),
        _ => it.field,
    };
    Violation { field, ..it }
}
