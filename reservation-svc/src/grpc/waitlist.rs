//! WaitlistService: a guest's own places in line. Decisions are the inventory's; this only translates.

use banyan_proto::reservation::v1::{self, waitlist_service_server::WaitlistService};
use jiff::Timestamp;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    guest::{Caller, caller, guest},
    page::Page,
    parse,
    position::position,
    status,
};
use crate::{
    domain::{name::EntryId, request::RequestKey, violation::Fault, wait_entry::WaitEntry},
    inventory::{Action, Command, Inventory, Outcome},
    store::Session,
    wire,
};

const KIND: &str = "reservation.banyan/WaitlistEntry";

/// Answers WaitlistService.
#[derive(Clone)]
pub(super) struct Waitlist {
    inventory: Inventory,
}

impl Waitlist {
    pub(super) fn new(inventory: Inventory) -> Self {
        Self { inventory }
    }

    async fn submit(
        &self,
        caller: Caller,
        (action, request): (Action, Option<RequestKey>),
    ) -> Result<Outcome, Status> {
        let command = Command {
            principal: caller.principal,
            request,
            deadline: caller.deadline,
            action,
        };
        Ok(self.inventory.submit(command).await?)
    }
}

#[tonic::async_trait]
impl WaitlistService for Waitlist {
    async fn join_waitlist(
        &self,
        request: Request<v1::JoinWaitlistRequest>,
    ) -> Result<Response<v1::JoinWaitlistResponse>, Status> {
        let caller = caller(request.metadata())?;
        let asked = parse::join(request.get_ref())?;
        let outcome = self.submit(caller, asked).await?;
        Ok(Response::new(v1::JoinWaitlistResponse {
            position: position(&outcome.position),
            entry: outcome.entry.map(|it| *it),
        }))
    }

    async fn leave_waitlist(
        &self,
        request: Request<v1::LeaveWaitlistRequest>,
    ) -> Result<Response<v1::LeaveWaitlistResponse>, Status> {
        let caller = caller(request.metadata())?;
        let message = request.get_ref();
        let asked = parse::leave(entry_id(&message.name)?, message)?;
        let outcome = self.submit(caller, asked).await?;
        Ok(Response::new(v1::LeaveWaitlistResponse {
            position: position(&outcome.position),
            entry: outcome.entry.map(|it| *it),
        }))
    }

    async fn get_waitlist_entry(
        &self,
        request: Request<v1::GetWaitlistEntryRequest>,
    ) -> Result<Response<v1::WaitlistEntry>, Status> {
        let principal = guest(request.metadata())?;
        let id = entry_id(&request.get_ref().name)?;
        let session = self.inventory.store().read().await?;
        let found = session.wait_entry(id).await?;
        let entry = found.filter(|it| it.principal == principal);
        let entry = entry.ok_or_else(|| status::not_found(KIND, vec![id.to_string()]))?;
        let messages = messages(&session, &[entry], self.inventory.now()).await?;
        let message = messages.into_iter().next();
        message
            .map(Response::new)
            .ok_or_else(|| status::not_found(KIND, vec![id.to_string()]))
    }

    async fn list_waitlist_entries(
        &self,
        request: Request<v1::ListWaitlistEntriesRequest>,
    ) -> Result<Response<v1::ListWaitlistEntriesResponse>, Status> {
        let principal = guest(request.metadata())?;
        let message = request.get_ref();
        let page = Page::parse(
            "ListWaitlistEntries",
            &[principal.as_str()],
            message.page_size,
            &message.page_token,
        )?;
        let before = before(&page)?;
        let session = self.inventory.store().read().await?;
        let found = session
            .wait_entries(&principal, before, page.limit())
            .await?;
        let (found, next_page_token) =
            page.cut(found, |it| format!("{} {}", it.created_sequence, it.id.0));
        Ok(Response::new(v1::ListWaitlistEntriesResponse {
            entries: messages(&session, &found, self.inventory.now()).await?,
            next_page_token,
        }))
    }
}

/// Entries as messages, each with when its offer runs out.
async fn messages(
    session: &Session,
    entries: &[WaitEntry],
    now: Timestamp,
) -> Result<Vec<v1::WaitlistEntry>, Status> {
    let offers: Vec<_> = entries.iter().filter_map(|it| it.offer).collect();
    let offers = session.bookings_of(&offers).await?;
    let expiry = |it: &WaitEntry| offers.get(&it.offer?)?.expires_at;
    let message = |it: &WaitEntry| wire::wait_entry(it, expiry(it), now);
    Ok(entries.iter().map(message).collect())
}

fn entry_id(name: &str) -> Result<EntryId, Status> {
    status::named("name", name, KIND, EntryId::parse)
}

fn before(page: &Page) -> Result<Option<(i64, EntryId)>, Status> {
    let Some(key) = page.after() else {
        return Ok(None);
    };
    let parts = key.split_once(' ');
    let place = parts.and_then(|(sequence, id)| {
        let id = Uuid::try_parse(id).ok()?;
        Some((sequence.parse().ok()?, EntryId(id)))
    });
    let foreign = "must be a next_page_token of this very list";
    place
        .map(Some)
        .ok_or_else(|| status::wrong("page_token", Fault::Format, foreign))
}
