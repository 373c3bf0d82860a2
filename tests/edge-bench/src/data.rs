//! What is sent to and fro.

use std::iter;

use self::pb::{Item, ListItemsResponse, Order, item, order};

/// The generated messages, with pbjson's JSON.
#[allow(clippy::all, dead_code, unreachable_pub, reason = "generated code")]
pub(crate) mod pb {
    include!(concat!(env!("OUT_DIR"), "/bench.v1.rs"));
    include!(concat!(env!("OUT_DIR"), "/bench.v1.serde.rs"));
}

pub(crate) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

const TITLES: [&str; 4] = [
    "Copper kettle",
    "Herb knife",
    "Garden \"long\" rake",
    "Чайник",
];

/// About 300 bytes of JSON.
pub(crate) fn item(number: u32) -> Item {
    Item {
        name: format!("items/{}", 10_000 + number),
        title: TITLES[number as usize % TITLES.len()].to_owned(),
        description: "Made to last, with a handle of oiled beech; delivered within three days."
            .into(),
        price_micros: 12_990_000 + i64::from(number) * 10_000,
        stock: number * 7 % 50,
        available: true,
        tags: vec!["bestseller".to_owned(), "gift".to_owned()],
        category: item::Category::Kitchen.into(),
        rating: 4.25 + f64::from(number % 10) / 10.0,
        size: Some(item::Size {
            width_mm: 240,
            height_mm: 180 + number,
            depth_mm: 160,
        }),
    }
}

pub(crate) fn items() -> ListItemsResponse {
    ListItemsResponse {
        items: (0..100).map(item).collect(),
        next_page_token: "b2Zmc2V0PTEwMA".to_owned(),
    }
}

/// About 10 KB of JSON.
pub(crate) fn order() -> Order {
    let line = |number: u32| order::Line {
        item: format!("items/{}", 10_000 + number),
        quantity: number % 5 + 1,
        price_micros: 12_990_000,
        note: "please wrap it as a gift, thank you".to_owned(),
    };
    Order {
        customer: "customers/4711".to_owned(),
        lines: iter::successors(Some(0), |number| Some(number + 1))
            .map(line)
            .take(84)
            .collect(),
    }
}
