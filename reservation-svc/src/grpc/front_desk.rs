//! FrontDeskService: who sleeps where, who has come and gone. Reached through the ops port only; operators act on every
//! booking.

mod plan;

use std::collections::HashSet;

use banyan_proto::reservation::v1::{self, front_desk_service_server::FrontDeskService};
use tonic::{Request, Response, Status, metadata::MetadataMap};

use super::{
    block,
    booking::booking_id,
    fields::Fields,
    guest::deadline,
    parse::{etag, request_key},
    position::position,
    status,
};
use crate::{
    domain::{
        claim::{Claim, Stay},
        name::{NameError, RoomId},
        request::{Principal, RequestKey},
        violation::{Fault, Violation},
    },
    inventory::{Action, Command, Inventory, Lodge, OutOfOrder, Outcome, Rejection},
};

const ROOM: &str = "reservation.banyan/Room";
/// More rooms than a booking can have.
const ROOMS_MAX: usize = 50;
const REASON_MAX: usize = 200;

/// Answers FrontDeskService.
#[derive(Clone)]
pub(super) struct FrontDesk {
    inventory: Inventory,
}

/// What the requests about one stay have in common.
struct Asked<'a> {
    name: &'a str,
    etag: &'a str,
    key: Result<Option<RequestKey>, Vec<Violation>>,
}

impl FrontDesk {
    pub(super) fn new(inventory: Inventory) -> Self {
        Self { inventory }
    }

    async fn lodge(
        &self,
        metadata: &MetadataMap,
        asked: Asked<'_>,
        rooms: &[String],
        change: impl FnOnce(Vec<RoomId>) -> Lodge,
    ) -> Result<Outcome, Status> {
        let booking = booking_id(asked.name)?;
        let mut fields = Fields::default();
        let rooms = room_ids(&mut fields, rooms);
        let etag = read(&mut fields, etag(asked.etag));
        let request = read(&mut fields, asked.key);
        fields.end()?;
        let action = Action::Lodge {
            booking,
            etag,
            change: change(rooms),
        };
        self.submit(metadata, request, action).await
    }

    async fn submit(
        &self,
        metadata: &MetadataMap,
        request: Option<RequestKey>,
        action: Action,
    ) -> Result<Outcome, Status> {
        let command = Command {
            principal: Principal::operator(),
            request,
            deadline: deadline(metadata),
            action,
        };
        Ok(self.inventory.submit(command).await.map_err(as_asked)?)
    }
}

#[tonic::async_trait]
impl FrontDeskService for FrontDesk {
    async fn get_room_plan(
        &self,
        request: Request<v1::GetRoomPlanRequest>,
    ) -> Result<Response<v1::RoomPlan>, Status> {
        let plan = plan::read(&self.inventory, request.get_ref()).await?;
        Ok(Response::new(plan))
    }

    async fn check_in(
        &self,
        request: Request<v1::CheckInRequest>,
    ) -> Result<Response<v1::CheckInResponse>, Status> {
        let it = request.get_ref();
        let asked = Asked {
            name: &it.name,
            etag: &it.etag,
            key: request_key("CheckIn", &it.request_id, it),
        };
        let outcome = self
            .lodge(request.metadata(), asked, &it.rooms, Lodge::CheckIn)
            .await?;
        Ok(Response::new(v1::CheckInResponse {
            position: position(&outcome.position),
            booking: Some(outcome.booking),
        }))
    }

    async fn check_out(
        &self,
        request: Request<v1::CheckOutRequest>,
    ) -> Result<Response<v1::CheckOutResponse>, Status> {
        let it = request.get_ref();
        let asked = Asked {
            name: &it.name,
            etag: &it.etag,
            key: request_key("CheckOut", &it.request_id, it),
        };
        let outcome = self
            .lodge(request.metadata(), asked, &[], |_| Lodge::CheckOut)
            .await?;
        Ok(Response::new(v1::CheckOutResponse {
            position: position(&outcome.position),
            booking: Some(outcome.booking),
        }))
    }

    async fn mark_no_show(
        &self,
        request: Request<v1::MarkNoShowRequest>,
    ) -> Result<Response<v1::MarkNoShowResponse>, Status> {
        let it = request.get_ref();
        let asked = Asked {
            name: &it.name,
            etag: &it.etag,
            key: request_key("MarkNoShow", &it.request_id, it),
        };
        let outcome = self
            .lodge(request.metadata(), asked, &[], |_| Lodge::NoShow)
            .await?;
        Ok(Response::new(v1::MarkNoShowResponse {
            position: position(&outcome.position),
            booking: Some(outcome.booking),
        }))
    }

    async fn pin_rooms(
        &self,
        request: Request<v1::PinRoomsRequest>,
    ) -> Result<Response<v1::PinRoomsResponse>, Status> {
        let it = request.get_ref();
        let asked = Asked {
            name: &it.name,
            etag: &it.etag,
            key: request_key("PinRooms", &it.request_id, it),
        };
        let outcome = self
            .lodge(request.metadata(), asked, &it.rooms, Lodge::Pin)
            .await?;
        Ok(Response::new(v1::PinRoomsResponse {
            position: position(&outcome.position),
            booking: Some(outcome.booking),
        }))
    }

    async fn unpin_rooms(
        &self,
        request: Request<v1::UnpinRoomsRequest>,
    ) -> Result<Response<v1::UnpinRoomsResponse>, Status> {
        let it = request.get_ref();
        let asked = Asked {
            name: &it.name,
            etag: &it.etag,
            key: request_key("UnpinRooms", &it.request_id, it),
        };
        let outcome = self
            .lodge(request.metadata(), asked, &[], |_| Lodge::Unpin)
            .await?;
        Ok(Response::new(v1::UnpinRoomsResponse {
            position: position(&outcome.position),
            booking: Some(outcome.booking),
        }))
    }

    async fn take_out_of_order(
        &self,
        request: Request<v1::TakeOutOfOrderRequest>,
    ) -> Result<Response<v1::TakeOutOfOrderResponse>, Status> {
        let it = request.get_ref();
        let room = status::named("room", &it.room, ROOM, RoomId::parse)?;
        let mut fields = Fields::default();
        let reason = fields.text("reason", &it.reason, REASON_MAX);
        let key = read(
            &mut fields,
            request_key("TakeOutOfOrder", &it.request_id, it),
        );
        let nights = fields.nights(&it.from_date, &it.to_date);
        let nights = fields.end_with(nights)?;
        let session = self.inventory.store().read().await?;
        let Some(room_type) = session.room_type_of(&room).await? else {
            return Err(status::missing(&session, ROOM, &room).await);
        };
        let stay = Stay {
            room_type,
            nights,
            rooms: 1,
        };
        drop(session);
        let action = Action::TakeOutOfOrder(OutOfOrder {
            number: room.number,
            claim: Claim::Stay(stay).into(),
            reason,
        });
        let outcome = self.submit(request.metadata(), key, action).await?;
        Ok(Response::new(v1::TakeOutOfOrderResponse {
            position: position(&outcome.position),
            booking: Some(outcome.booking),
        }))
    }

    async fn create_block(
        &self,
        request: Request<v1::CreateBlockRequest>,
    ) -> Result<Response<v1::CreateBlockResponse>, Status> {
        let it = request.get_ref();
        let key = request_key("CreateBlock", &it.request_id, it).map_err(status::invalid)?;
        let action = block::action(it, self.inventory.now())?;
        let outcome = self.submit(request.metadata(), key, action).await?;
        Ok(Response::new(v1::CreateBlockResponse {
            position: position(&outcome.position),
            booking: Some(outcome.booking),
        }))
    }
}

/// Mistakes under the names that they have in the requests of this service.
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

/// What was read, or nothing if it is wrong, which the fields then know.
fn read<T>(fields: &mut Fields, read: Result<Option<T>, Vec<Violation>>) -> Option<T> {
    match read {
        Ok(read) => read,
        Err(violations) => {
            fields.wrongs(violations);
            None
        }
    }
}

/// The rooms asked for, each once.
fn room_ids(fields: &mut Fields, names: &[String]) -> Vec<RoomId> {
    if names.len() > ROOMS_MAX {
        let description = format!("must be at most {ROOMS_MAX} rooms");
        fields.wrong("rooms", Fault::Range, description);
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let mut rooms = Vec::with_capacity(names.len());
    for (at, name) in names.iter().enumerate() {
        let field = format!("rooms[{at}]");
        match RoomId::parse(name) {
            Ok(room) if seen.insert(name) => rooms.push(room),
            Ok(_) => fields.wrong(&field, Fault::Duplicate, "must be there once"),
            Err(error) => fields.wrong(&field, Fault::Format, NameError::allowed(error)),
        }
    }
    rooms
}
