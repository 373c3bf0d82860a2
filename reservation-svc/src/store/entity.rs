//! The tables as sea-orm sees them: one module a table, nothing but columns.

// What sea-orm derives is `pub`, within modules that are not.
#![allow(unreachable_pub)]

macro_rules! entity {
    ($(#[$doc:meta])* $module:ident, $table:literal, { $($fields:tt)* }) => {
        $(#[$doc])*
        pub(crate) mod $module {
            use sea_orm::entity::prelude::*;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
            #[sea_orm(table_name = $table)]
            pub struct Model { $($fields)* }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}
        }
    };
}

entity!(
    /// The one row that every deciding transaction locks.
    commit_head, "commit_head", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub incarnation: String,
    pub sequence: i64,
    pub decided_at: i64,
    pub last_pool: i64,
    pub last_item: i64,
    pub catalogue_version: i64,
    pub waiting: i64,
    pub pinned: i64,
});

entity!(hotel, "hotels", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub display_name: String,
    pub time_zone: String,
    pub currency: String,
    pub address: String,
    pub description: String,
});

entity!(room_type, "room_types", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub pool: i64,
    pub hotel: String,
    pub id: String,
    pub display_name: String,
    pub description: String,
    pub max_guests: i64,
    pub capacity: i64,
});

entity!(room, "rooms", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub hotel: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: String,
    pub pool: i64,
});

entity!(room_night, "room_nights", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub hotel: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub room: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub night: i64,
    pub booking: String,
});

entity!(room_plan, "room_plan", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub booking: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub unit: i64,
    pub room: String,
});

entity!(rate, "rates", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub pool: i64,
    pub from_day: i64,
    pub to_day: i64,
    pub weekdays: i64,
    pub price_minor: i64,
});

entity!(restriction, "restrictions", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub pool: i64,
    pub from_day: i64,
    pub to_day: i64,
    pub weekdays: i64,
    pub nights_min: i64,
    pub nights_max: i64,
    pub closed_to_arrival: bool,
    pub closed_to_departure: bool,
    pub stop_sell: bool,
    pub cut_off_hours: Option<i64>,
    pub advance_days_min: i64,
    pub advance_days_max: i64,
});

entity!(cinema, "cinemas", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub display_name: String,
    pub time_zone: String,
    pub currency: String,
    pub city: String,
    pub address: String,
});

entity!(hall, "halls", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub cinema: String,
    pub display_name: String,
    pub no_single_seats: bool,
});

entity!(seat, "seats", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub pool: i64,
    pub hall: i64,
    pub id: String,
    pub idx: i64,
    pub row_label: String,
    pub number: i64,
    pub x: i64,
    pub y: i64,
    pub category: String,
    pub accessible: bool,
});

entity!(movie, "movies", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub title: String,
    pub description: String,
    pub image_uri: String,
    pub deleted: bool,
});

entity!(screening, "screenings", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub cinema: String,
    pub movie: i64,
    pub hall: i64,
    pub starts_at: i64,
    pub ends_at: i64,
    pub deleted: bool,
});

entity!(screening_price, "screening_prices", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub screening: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub category: String,
    pub price_minor: i64,
});

entity!(
    /// The unit of truth; the table's CHECK is the last guard against selling twice.
    cell, "cells", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub pool: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub slot: i64,
    pub capacity: i64,
    pub taken: i64,
});

entity!(booking, "bookings", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub principal: String,
    pub state: String,
    pub venue: String,
    pub venue_display_name: String,
    pub title: String,
    pub resource: String,
    pub check_in: Option<i64>,
    pub check_out: Option<i64>,
    pub rooms: Option<i64>,
    pub seats: Option<String>,
    pub starts_at: Option<i64>,
    pub currency: String,
    pub total_minor: i64,
    pub expires_at: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
    pub created_sequence: i64,
    pub updated_sequence: i64,
    pub kind: String,
    pub agreement: Option<String>,
    pub pinned_rooms: String,
});

entity!(cancellation_policy, "cancellation_policies", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub venue: String,
    pub free_until_hours: Option<i64>,
    pub fee_percent: Option<i64>,
    pub fee_nights: Option<i64>,
});

entity!(
    /// Personal data, apart from everything else so that it can be erased alone.
    booking_contact, "booking_contacts", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub booking: String,
    pub display_name: String,
    pub email: String,
    pub phone: String,
});

entity!(booking_item, "booking_items", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub booking: String,
    pub pool: i64,
    pub slot: i64,
    pub cell: String,
    pub quantity: i64,
    pub price_minor: i64,
    pub released_sequence: Option<i64>,
});

entity!(outbox, "outbox", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i64,
    pub decided_at: i64,
    pub event: Vec<u8>,
    pub booking: Option<String>,
});

entity!(
    /// What is left of the events that are no longer in the outbox.
    feed_snapshot, "feed_snapshot", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub thing: String,
    pub sequence: i64,
    pub event: Vec<u8>,
});

entity!(waitlist_entry, "waitlist_entries", {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub principal: String,
    pub state: String,
    pub line: String,
    pub check_in: Option<i64>,
    pub check_out: Option<i64>,
    pub rooms: Option<i64>,
    pub seats: Option<i64>,
    pub category: Option<String>,
    pub accessible: Option<i64>,
    pub offer: Option<String>,
    pub display_name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub ends_at: i64,
    pub created_at: i64,
    pub created_sequence: i64,
});
