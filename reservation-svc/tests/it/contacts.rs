//! Who to reach about a booking: replaced, erased for ever, and not brought back by a repeated request.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1;
use tonic::{Code, Status};

use super::support::*;

fn contact(name: &str) -> Option<v1::Contact> {
    Some(v1::Contact {
        display_name: name.into(),
        email: "guest@example.com".into(),
        ..Default::default()
    })
}

async fn update(
    service: &Service,
    guest: &str,
    name: &str,
    etag: &str,
    contact: Option<v1::Contact>,
) -> Result<v1::Booking, Status> {
    let request = v1::UpdateContactRequest {
        name: name.into(),
        contact,
        etag: etag.into(),
    };
    let answer = service.bookings().update_contact(by(guest, request)).await;
    Ok(answer?.into_inner().booking.unwrap())
}

async fn erase(service: &Service, guest: &str, name: &str) -> Result<(), Status> {
    let request = v1::EraseContactRequest { name: name.into() };
    let answer = service.bookings().erase_contact(by(guest, request)).await;
    answer.map(drop)
}

fn hold() -> v1::HoldBookingRequest {
    v1::HoldBookingRequest {
        contact: contact("Ada"),
        request_id: "one".into(),
        ..suites("2026-12-01", "2026-12-02", 1)
    }
}

#[tokio::test]
async fn a_contact_is_replaced_without_changing_the_booking() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let booking = service.hold(ALICE, hold()).await.unwrap().booking.unwrap();
        let name = &booking.name;
        let updated = update(&service, ALICE, name, &booking.etag, contact("Eve"))
            .await
            .unwrap();
        assert_eq!(updated.contact, contact("Eve"));
        assert_eq!(updated.etag, booking.etag);
        assert_eq!(service.get(ALICE, name).await.unwrap(), updated);
        // The answer that was kept under the request id has the contact as it is now.
        let again = service.hold(ALICE, hold()).await.unwrap().booking.unwrap();
        assert_eq!(again, updated);

        let old = update(&service, ALICE, name, "0", contact("Bob"))
            .await
            .unwrap_err();
        assert_eq!(
            (old.code(), reason(&old)),
            (Code::Aborted, "ETAG_MISMATCH".into())
        );
        let foreign = update(&service, BOB, name, "", contact("Bob"))
            .await
            .unwrap_err();
        assert_eq!(foreign.code(), Code::NotFound);
        let missing = update(&service, ALICE, name, "", None).await.unwrap_err();
        assert_eq!(fields(&missing), [("contact".into(), "MISSING".into())]);
        let long = update(&service, ALICE, name, "", contact(&"x".repeat(201))).await;
        let field = "contact.display_name".to_owned();
        assert_eq!(fields(&long.unwrap_err()), [(field, "RANGE".to_owned())]);
        assert_eq!(service.get(ALICE, name).await.unwrap(), updated);
    }
}

#[tokio::test]
async fn an_erased_contact_never_comes_back() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let booking = service.hold(ALICE, hold()).await.unwrap().booking.unwrap();
        let name = &booking.name;
        assert_eq!(
            erase(&service, BOB, name).await.unwrap_err().code(),
            Code::NotFound
        );
        for _ in 0..2 {
            erase(&service, ALICE, name).await.unwrap();
        }
        let bare = v1::Booking {
            contact: None,
            ..booking.clone()
        };
        assert_eq!(service.get(ALICE, name).await.unwrap(), bare);
        assert_eq!(
            service.hold(ALICE, hold()).await.unwrap().booking.unwrap(),
            bare
        );
        let late = update(&service, ALICE, name, "", contact("Eve"))
            .await
            .unwrap_err();
        assert_eq!(reason(&late), "BOOKING_STATE");
        // The booking goes on without it.
        let confirmed = service.confirm(ALICE, name).await.unwrap();
        assert_eq!(confirmed.contact, None);
    }
}

#[tokio::test]
async fn operators_erase_the_contact_of_anybody() {
    for database in TestDatabase::each() {
        let service = Service::start(database).await;
        let booking = service.hold(ALICE, hold()).await.unwrap().booking.unwrap();
        let request = |name: &str| v1::EraseGuestContactRequest { name: name.into() };
        let mut operators = service.operators();
        operators
            .erase_guest_contact(request(&booking.name))
            .await
            .unwrap();
        assert_eq!(
            service.get(ALICE, &booking.name).await.unwrap().contact,
            None
        );
        let unknown = "bookings/00000000-0000-7000-8000-000000000000";
        let unknown = operators.erase_guest_contact(request(unknown)).await;
        assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
    }
}
