//! OperatorService: the bookings of all guests, with their contacts. Reached through the ops port only.

use banyan_proto::reservation::v1::{self, operator_service_server::OperatorService};
use tonic::{Request, Response, Status};

use super::{
    booking::{booking_id, message},
    guest::deadline,
    page::Page,
    parse,
    position::position,
    status,
};
use crate::{
    domain::{
        booking::State,
        name::{NameError, Venue},
        request::Principal,
        violation::Fault,
    },
    inventory::{Command, Inventory},
    store::BookingFilter,
};

/// Answers OperatorService.
#[derive(Clone)]
pub(super) struct Operators {
    inventory: Inventory,
}

impl Operators {
    pub(super) fn new(inventory: Inventory) -> Self {
        Self { inventory }
    }
}

#[tonic::async_trait]
impl OperatorService for Operators {
    async fn release_booking(
        &self,
        request: Request<v1::ReleaseBookingRequest>,
    ) -> Result<Response<v1::ReleaseBookingResponse>, Status> {
        let deadline = deadline(request.metadata());
        let message = request.get_ref();
        let id = booking_id(&message.name)?;
        let (action, key) = parse::release(id, message)?;
        let command = Command {
            principal: Principal::operator(),
            request: key,
            deadline,
            action,
        };
        let outcome = self.inventory.submit(command).await?;
        Ok(Response::new(v1::ReleaseBookingResponse {
            position: position(&outcome.position),
            booking: Some(outcome.booking),
        }))
    }

    async fn erase_guest_contact(
        &self,
        request: Request<v1::EraseGuestContactRequest>,
    ) -> Result<Response<v1::EraseGuestContactResponse>, Status> {
        let id = booking_id(&request.get_ref().name)?;
        let at = self.inventory.erase_contact(None, id).await?;
        Ok(Response::new(v1::EraseGuestContactResponse {
            position: position(&at),
        }))
    }

    async fn search_bookings(
        &self,
        request: Request<v1::SearchBookingsRequest>,
    ) -> Result<Response<v1::SearchBookingsResponse>, Status> {
        let request = request.get_ref();
        let parameters = [request.venue.as_str(), &request.state.to_string()];
        let page = Page::parse(
            "SearchBookings",
            &parameters,
            request.page_size,
            &request.page_token,
        )?;
        let now = self.inventory.now();
        let state = state(request.state)?;
        let filter = BookingFilter {
            principal: None,
            venue: venue(&request.venue)?,
            state: state.map(|state| (state, now)),
            before: page.after_number()?,
        };
        let session = self.inventory.store().read().await?;
        let found = session.bookings(&filter, page.limit()).await?;
        let (found, next_page_token) =
            page.cut(found, |it| it.booking.created_sequence.to_string());
        Ok(Response::new(v1::SearchBookingsResponse {
            bookings: found.into_iter().map(|it| message(it, now)).collect(),
            next_page_token,
        }))
    }
}

/// The state asked for; nothing for any.
fn state(number: i32) -> Result<Option<State>, Status> {
    use v1::booking::State as Wire;
    let wrong = || {
        status::wrong(
            "state",
            Fault::Format,
            "must be one of the states of bookings",
        )
    };
    Ok(match Wire::try_from(number).map_err(|_| wrong())? {
        Wire::Unspecified => None,
        Wire::Held => Some(State::Held),
        Wire::Confirmed => Some(State::Confirmed),
        Wire::Cancelled => Some(State::Cancelled),
        Wire::Expired => Some(State::Expired),
        Wire::CheckedIn => Some(State::CheckedIn),
        Wire::Completed => Some(State::Completed),
        Wire::NoShow => Some(State::NoShow),
    })
}

fn venue(name: &str) -> Result<Option<Venue>, Status> {
    if name.is_empty() {
        return Ok(None);
    }
    let wrong = |error: NameError| status::wrong("venue", Fault::Format, error.allowed());
    Venue::parse(name).map(Some).map_err(wrong)
}
