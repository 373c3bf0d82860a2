//! BookingService: a guest's own bookings. Decisions are the inventory's; this only translates.

mod batch;
mod history;

use banyan_proto::reservation::v1::{self, booking_service_server::BookingService};
use tonic::{Request, Response, Status};

use super::{
    guest::{Caller, caller, guest},
    page::Page,
    parse,
    position::{position, reply},
    status,
};
use crate::{
    domain::{
        booking::Booking,
        name::BookingId,
        request::{Principal, RequestKey},
    },
    inventory::{Action, Command, Inventory, Outcome},
    store::{BookingFilter, Session, StoredBooking},
    wire,
};

const KIND: &str = "reservation.banyan/Booking";

/// Answers BookingService.
#[derive(Clone)]
pub(super) struct Bookings {
    inventory: Inventory,
}

impl Bookings {
    pub(super) fn new(inventory: Inventory) -> Self {
        Self { inventory }
    }

    /// Hands a parsed request to the inventory and awaits its answer.
    async fn submit(
        &self,
        caller: Caller,
        request: Option<RequestKey>,
        action: Action,
    ) -> Result<Outcome, Status> {
        let Caller {
            principal,
            deadline,
        } = caller;
        let command = Command {
            principal,
            request,
            deadline,
            action,
        };
        Ok(self.inventory.submit(command).await?)
    }
}

#[tonic::async_trait]
impl BookingService for Bookings {
    async fn hold_booking(
        &self,
        request: Request<v1::HoldBookingRequest>,
    ) -> Result<Response<v1::HoldBookingResponse>, Status> {
        let caller = caller(request.metadata())?;
        let (hold, request) = parse::hold(request.get_ref())?;
        let action = Action::Hold(hold);
        let outcome = self.submit(caller, request, action).await?;
        Ok(Response::new(v1::HoldBookingResponse {
            position: position(&outcome.position),
            booking: Some(outcome.booking),
        }))
    }

    async fn confirm_booking(
        &self,
        request: Request<v1::ConfirmBookingRequest>,
    ) -> Result<Response<v1::ConfirmBookingResponse>, Status> {
        let caller = caller(request.metadata())?;
        let message = request.get_ref();
        let booking = booking_id(&message.name)?;
        let (action, request) = parse::confirm(booking, message)?;
        let outcome = self.submit(caller, request, action).await?;
        Ok(Response::new(v1::ConfirmBookingResponse {
            position: position(&outcome.position),
            booking: Some(outcome.booking),
        }))
    }

    async fn cancel_booking(
        &self,
        request: Request<v1::CancelBookingRequest>,
    ) -> Result<Response<v1::CancelBookingResponse>, Status> {
        let caller = caller(request.metadata())?;
        let message = request.get_ref();
        let booking = booking_id(&message.name)?;
        let (action, request) = parse::cancel(booking, message)?;
        let outcome = self.submit(caller, request, action).await?;
        Ok(Response::new(v1::CancelBookingResponse {
            position: position(&outcome.position),
            booking: Some(outcome.booking),
        }))
    }

    async fn move_booking(
        &self,
        request: Request<v1::MoveBookingRequest>,
    ) -> Result<Response<v1::MoveBookingResponse>, Status> {
        let caller = caller(request.metadata())?;
        let message = request.get_ref();
        let booking = booking_id(&message.name)?;
        let (action, request) = parse::exchange(booking, message)?;
        let outcome = self.submit(caller, request, action).await?;
        let minor = |money: Option<&v1::Money>| money.map_or(0, |it| it.amount_minor);
        let now = minor(outcome.booking.total_price.as_ref());
        let before = minor(outcome.previous_total.as_ref());
        Ok(Response::new(v1::MoveBookingResponse {
            position: position(&outcome.position),
            price_difference_minor: now - before,
            booking: Some(outcome.booking),
            previous_total_price: outcome.previous_total,
        }))
    }

    async fn batch_hold(
        &self,
        request: Request<v1::BatchHoldRequest>,
    ) -> Result<Response<v1::BatchHoldResponse>, Status> {
        let caller = caller(request.metadata())?;
        let requests = &request.get_ref().requests;
        let results = batch::hold(&self.inventory, &caller, requests).await?;
        Ok(Response::new(v1::BatchHoldResponse { results }))
    }

    async fn extend_hold(
        &self,
        request: Request<v1::ExtendHoldRequest>,
    ) -> Result<Response<v1::ExtendHoldResponse>, Status> {
        let caller = caller(request.metadata())?;
        let message = request.get_ref();
        let booking = booking_id(&message.name)?;
        let (action, request) = parse::extend(booking, message)?;
        let outcome = self.submit(caller, request, action).await?;
        Ok(Response::new(v1::ExtendHoldResponse {
            position: position(&outcome.position),
            booking: Some(outcome.booking),
        }))
    }

    async fn cancel_booking_items(
        &self,
        request: Request<v1::CancelBookingItemsRequest>,
    ) -> Result<Response<v1::CancelBookingItemsResponse>, Status> {
        let caller = caller(request.metadata())?;
        let message = request.get_ref();
        let booking = booking_id(&message.name)?;
        let (action, request) = parse::cancel_items(booking, message)?;
        let outcome = self.submit(caller, request, action).await?;
        Ok(Response::new(v1::CancelBookingItemsResponse {
            position: position(&outcome.position),
            booking: Some(outcome.booking),
            previous_total_price: outcome.previous_total,
        }))
    }

    async fn update_contact(
        &self,
        request: Request<v1::UpdateContactRequest>,
    ) -> Result<Response<v1::UpdateContactResponse>, Status> {
        let principal = guest(request.metadata())?;
        let message = request.get_ref();
        let id = booking_id(&message.name)?;
        let (contact, etag) = parse::new_contact(message)?;
        let update = self
            .inventory
            .update_contact(&principal, id, etag.as_deref(), contact);
        let (booking, at) = update.await?;
        let answer = v1::UpdateContactResponse {
            booking: Some(self.message(booking)),
        };
        // A field for it would cost the answer its ETag over REST, which is that of the only message in it.
        Ok(reply(answer, &at))
    }

    async fn erase_contact(
        &self,
        request: Request<v1::EraseContactRequest>,
    ) -> Result<Response<v1::EraseContactResponse>, Status> {
        let principal = guest(request.metadata())?;
        let id = booking_id(&request.get_ref().name)?;
        let at = self.inventory.erase_contact(Some(&principal), id).await?;
        Ok(Response::new(v1::EraseContactResponse {
            position: position(&at),
        }))
    }

    async fn list_booking_changes(
        &self,
        request: Request<v1::ListBookingChangesRequest>,
    ) -> Result<Response<v1::ListBookingChangesResponse>, Status> {
        let principal = guest(request.metadata())?;
        let message = request.get_ref();
        let id = status::named("parent", &message.parent, KIND, BookingId::parse)?;
        let name = id.to_string();
        let page = Page::parse(
            "ListBookingChanges",
            &[&name],
            message.page_size,
            &message.page_token,
        )?;
        let session = self.inventory.store().read().await?;
        own(&session, id, &principal).await?;
        let (changes, next_page_token) = history::page(&session, id, &page).await?;
        Ok(Response::new(v1::ListBookingChangesResponse {
            changes,
            next_page_token,
        }))
    }

    async fn get_booking(
        &self,
        request: Request<v1::GetBookingRequest>,
    ) -> Result<Response<v1::Booking>, Status> {
        let principal = guest(request.metadata())?;
        let id = booking_id(&request.get_ref().name)?;
        let session = self.inventory.store().read().await?;
        let booking = own(&session, id, &principal).await?;
        let contact = session.contact(id).await?;
        Ok(Response::new(
            self.message(StoredBooking { booking, contact }),
        ))
    }

    async fn list_bookings(
        &self,
        request: Request<v1::ListBookingsRequest>,
    ) -> Result<Response<v1::ListBookingsResponse>, Status> {
        let principal = guest(request.metadata())?;
        let message = request.get_ref();
        let page = Page::parse(
            "ListBookings",
            &[principal.as_str()],
            message.page_size,
            &message.page_token,
        )?;
        let (bookings, next_page_token) = self.page(&page, principal).await?;
        Ok(Response::new(v1::ListBookingsResponse {
            bookings,
            next_page_token,
        }))
    }
}

impl Bookings {
    async fn page(
        &self,
        page: &Page,
        principal: Principal,
    ) -> Result<(Vec<v1::Booking>, String), Status> {
        let filter = BookingFilter {
            principal: Some(principal),
            before: page.after_number()?,
            ..BookingFilter::default()
        };
        let session = self.inventory.store().read().await?;
        let found = session.bookings(&filter, page.limit()).await?;
        let (found, token) = page.cut(found, |it| it.booking.created_sequence.to_string());
        Ok((
            found.into_iter().map(|it| self.message(it)).collect(),
            token,
        ))
    }

    fn message(&self, it: StoredBooking) -> v1::Booking {
        message(it, self.inventory.now())
    }
}

/// A booking with its contact, for somebody who may see it, at that time.
pub(super) fn message(it: StoredBooking, now: jiff::Timestamp) -> v1::Booking {
    let mut message = wire::booking(&it.booking, now);
    message.contact = it.contact.as_ref().map(wire::contact);
    message
}

/// A booking of that guest; another's is as unknown as one that never was.
async fn own(session: &Session, id: BookingId, principal: &Principal) -> Result<Booking, Status> {
    let found = session.booking(id).await?;
    let found = found.filter(|booking| booking.principal == *principal);
    found.ok_or_else(|| status::not_found(KIND, vec![id.to_string()]))
}

pub(super) fn booking_id(name: &str) -> Result<BookingId, Status> {
    status::named("name", name, KIND, BookingId::parse)
}
