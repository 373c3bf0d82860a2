//! The contracts as answered here: messages in, domain values inside, messages out. No rule lives here.

mod block;
mod booking;
mod cinema;
mod cinema_rules;
mod compat_cinema;
mod compat_provider;
mod compat_status;
mod feed;
mod feed_admin;
mod fields;
mod front_desk;
mod guest;
mod hotel;
mod hotel_rules;
mod operator;
mod page;
mod parse;
mod policy;
mod position;
mod screening;
mod status;
mod waitlist;

use banyan_mesh::{process::Process, server::GrpcServer};
use banyan_proto::{
    compat::{
        cinema::v1::movie_service_server::MovieServiceServer,
        provider::v1::provider_service_server::ProviderServiceServer,
    },
    follow::v1::follow_service_server::FollowServiceServer,
    reservation::v1::{
        booking_service_server::BookingServiceServer,
        cinema_rules_service_server::CinemaRulesServiceServer,
        cinema_service_server::CinemaServiceServer,
        feed_admin_service_server::FeedAdminServiceServer, feed_service_server::FeedServiceServer,
        front_desk_service_server::FrontDeskServiceServer,
        hotel_rules_service_server::HotelRulesServiceServer,
        hotel_service_server::HotelServiceServer, operator_service_server::OperatorServiceServer,
        waitlist_service_server::WaitlistServiceServer,
    },
};

use crate::{
    follow::{Creator, Follower},
    inventory::Inventory,
    store::FollowedMovies,
};

/// What the services answer from.
pub(crate) struct Rooms {
    pub(crate) inventory: Inventory,
    pub(crate) movies: FollowedMovies,
    pub(crate) follower: Option<Follower>,
    pub(crate) creator: Creator,
}

/// Adds every service to a server.
pub(crate) fn serve(server: GrpcServer, rooms: Rooms, process: &Process) -> GrpcServer {
    let Rooms {
        inventory,
        movies,
        follower,
        creator,
    } = rooms;
    let feed = feed::Feed::new(inventory.clone(), process);
    server
        .add(BookingServiceServer::new(booking::Bookings::new(
            inventory.clone(),
        )))
        .add(HotelServiceServer::new(hotel::Hotels::new(
            inventory.clone(),
        )))
        .add(HotelRulesServiceServer::new(hotel_rules::HotelRules::new(
            inventory.clone(),
        )))
        .add(FrontDeskServiceServer::new(front_desk::FrontDesk::new(
            inventory.clone(),
        )))
        .add(CinemaServiceServer::new(cinema::Cinemas::new(
            inventory.clone(),
        )))
        .add(CinemaRulesServiceServer::new(
            cinema_rules::CinemaRules::new(inventory.clone()),
        ))
        .add(WaitlistServiceServer::new(waitlist::Waitlist::new(
            inventory.clone(),
        )))
        .add(OperatorServiceServer::new(operator::Operators::new(
            inventory.clone(),
        )))
        .add(FeedServiceServer::new(feed))
        .add(FeedAdminServiceServer::new(feed_admin::FeedAdmin::new(
            inventory.clone(),
        )))
        .add(MovieServiceServer::new(compat_cinema::Movies::new(
            movies.clone(),
            follower.clone(),
            creator,
        )))
        .add(FollowServiceServer::new(
            compat_cinema::follow::Following::new(movies, follower),
        ))
        .add(ProviderServiceServer::new(compat_provider::Provider::new(
            inventory,
        )))
}
