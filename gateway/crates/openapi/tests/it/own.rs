//! Banyan's own contracts.

use banyan_openapi::{Access, Mount, Operation};
use banyan_transcode::{HttpRule, Int64Form, NameForm, Options, PathTemplate};
use http::Method;
use serde_json::json;

use crate::support::{operations, own, sound};

#[test]
fn a_booking_is_described() {
    let mut bookings = operations(&own(), "banyan.reservation.v1.BookingService");
    for booking in &mut bookings {
        booking.access = Access::Guest;
    }
    let document = sound(&bookings);
    assert_eq!(document["tags"][0]["name"], "BookingService");
    let confirm = &document["paths"]["/v1/bookings/{booking}:confirm"]["post"];
    assert_eq!(confirm["operationId"], "BookingService_ConfirmBooking");
    assert_eq!(confirm["summary"], "Makes a hold final");
    assert_eq!(confirm["security"], json!([{"guest": []}, {}]));
    assert_eq!(
        confirm["parameters"][0],
        json!({
            "name": "booking",
            "in": "path",
            "required": true,
            "schema": {"type": "string", "minLength": 1},
            "description": "The `{booking}` of `name`: `bookings/{booking}`.",
        })
    );
    let headers: Vec<_> = confirm["parameters"].as_array().unwrap()[1..]
        .iter()
        .map(|parameter| {
            parameter["$ref"]
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap()
        })
        .collect();
    assert_eq!(headers, ["RequestTimeout", "IdempotencyKey", "IfMatch"]);
    let body = &confirm["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(body["properties"]["name"], json!(null), "the path has it");
    assert_eq!(body["properties"]["requestId"]["type"], "string");

    let booking = &document["components"]["schemas"]["banyan.reservation.v1.Booking"];
    assert_eq!(booking["title"], "Booking");
    assert_eq!(booking["required"], json!(["name"]), "it is an answer");
    assert_eq!(booking["properties"]["name"]["pattern"], "^bookings/[^/]+$");
    assert_eq!(booking["properties"]["state"]["readOnly"], true);
    assert_eq!(booking["not"], json!({"required": ["stay", "seats"]}));
    let money = &document["components"]["schemas"]["banyan.reservation.v1.Money"];
    assert_eq!(money["properties"]["amountMinor"]["format"], "int64");
}

#[test]
fn lists_are_asked_for_by_their_query() {
    let hotels = operations(&own(), "banyan.reservation.v1.HotelService");
    let document = sound(&hotels);
    let search = &document["paths"]["/v1/hotels/{hotel}:searchAvailability"]["get"];
    let check_in = &search["parameters"][1];
    assert_eq!(check_in["name"], "checkInDate");
    assert_eq!(check_in["required"], true);
}

#[test]
fn one_message_under_two_profiles_has_two_schemas() {
    let mut hotels = operations(&own(), "banyan.reservation.v1.HotelService");
    let template = "/old/hotels/{name}";
    hotels.push(Operation {
        rule: HttpRule {
            template: PathTemplate::parse(template).unwrap(),
            ..hotels[1].rule.clone()
        },
        profile: "cinema".to_owned(),
        json: Options {
            names: NameForm::Proto,
            int64: Int64Form::Number,
            defaults: true,
            ..Options::default()
        },
        ..hotels[1].clone()
    });
    let document = sound(&hotels);
    let schemas = &document["components"]["schemas"];
    let (new, old) = (
        "banyan.reservation.v1.Hotel",
        "banyan.reservation.v1.Hotel-cinema",
    );
    assert!(schemas[new]["properties"].get("displayName").is_some());
    assert!(schemas[old]["properties"].get("display_name").is_some());
    let required = schemas[old]["required"].as_array().unwrap();
    assert!(
        required.contains(&json!("display_name")),
        "defaults are printed"
    );
    let said = document["info"]["description"].as_str().unwrap();
    assert!(said.contains("`-cinema`: names in snake_case"), "{said}");
}

#[test]
fn paths_that_differ_in_names_only_are_one() {
    let mut cells = operations(&own(), "banyan.compat.provider.v1.ProviderService");
    for operation in cells.clone() {
        let mount = Some(Mount {
            prefix: "/cities".to_owned(),
            members: vec!["1".to_owned(), "2".to_owned()],
        });
        cells.push(Operation { mount, ..operation });
    }
    let document = sound(&cells);
    let city = &document["paths"]["/cities/{city}/movies"]["get"]["parameters"][0];
    assert_eq!(city["schema"]["enum"], json!(["1", "2"]));
}

#[test]
fn methods_behind_one_path_are_one_operation() {
    let pool = own();
    let service = pool
        .get_service_by_name("banyan.compat.cinema.v1.MovieService")
        .unwrap();
    let base = operations(&pool, "banyan.reservation.v1.HotelService").remove(0);
    let route = |name: &str, query: &[&str], response_body: &str| Operation {
        method: service
            .methods()
            .find(|method| method.name() == name)
            .unwrap(),
        rule: HttpRule {
            method: Some(Method::GET),
            template: PathTemplate::parse("/api/movies").unwrap(),
            body: String::new(),
            response_body: response_body.to_owned(),
        },
        query: query.iter().map(|key| (*key).to_owned()).collect(),
        ..base.clone()
    };
    // The one with a query first: the order must not matter.
    let document = sound(&[
        route("GetMovie", &["id"], ""),
        route("ListMovies", &[], "movies"),
    ]);
    let movies = &document["paths"]["/api/movies"]["get"];
    assert_eq!(movies["operationId"], "MovieService_ListMovies");
    let said = movies["description"].as_str().unwrap();
    assert!(
        said.contains("With `id` in the query: One movie."),
        "{said}"
    );
    let answers = &movies["responses"]["200"]["content"]["application/json"]["schema"]["anyOf"];
    assert_eq!(answers[0]["type"], "array");
    assert_eq!(
        answers[1]["$ref"],
        "#/components/schemas/banyan.compat.cinema.v1.Movie"
    );
    let id = movies["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["name"] == "id");
    assert_eq!(id.unwrap().get("required"), None);
}
