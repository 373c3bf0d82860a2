//! A few movies and users for a first look. They go into an empty database only, in the transaction
//! that made its tables, so that starting again or starting twice adds nothing.

use sea_orm::{ConnectionTrait, DbErr, EntityTrait};

use super::{movie, user};

const MOVIES: [(&str, &str, &[&str], f64); 6] = [
    (
        "The Night Ferry",
        "Two strangers share the last crossing of the season.",
        &["drama", "romance"],
        7.9,
    ),
    (
        "Roots",
        "A botanist maps a forest that keeps moving.",
        &["science fiction"],
        8.4,
    ),
    (
        "Paper Lanterns",
        "Three sisters reopen their father's cinema.",
        &["comedy", "drama"],
        7.2,
    ),
    (
        "Signal at Zero",
        "A lighthouse keeper hears a ship that sank long ago.",
        &["thriller"],
        6.8,
    ),
    (
        "The Long Tram",
        "A tram line, its driver and forty years of a city.",
        &["documentary"],
        8.1,
    ),
    (
        "Captain Teapot",
        "A kitchen sails to sea.",
        &["animation", "family"],
        7.5,
    ),
];

const USERS: [(&str, &str); 3] = [
    ("anna", "anna@example.com"),
    ("boris", "boris@example.com"),
    ("chen", "chen@example.com"),
];

pub(super) async fn fill_if_empty<C: ConnectionTrait>(db: &C) -> Result<(), DbErr> {
    let has_movies = movie::Entity::find().one(db).await?.is_some();
    let has_users = user::Entity::find().one(db).await?.is_some();
    if has_movies || has_users {
        return Ok(());
    }
    let movies = MOVIES.map(|(title, description, genres, rating)| {
        let genres = genres.iter().map(|genre| (*genre).to_owned()).collect();
        movie::row(title.to_owned(), description.to_owned(), genres, rating)
    });
    movie::Entity::insert_many(movies).exec(db).await?;
    let users = USERS.map(|(username, email)| user::row(username.to_owned(), email.to_owned()));
    user::Entity::insert_many(users).exec(db).await?;
    Ok(())
}
