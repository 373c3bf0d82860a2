//! Stays that overlap, directly or through others, and how many of them there are on a night.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{Fragmented, RoomStay};

/// The stays in runs of which no night touches another run's, in order of their nights; each run in order of arrival.
pub(super) fn all(stays: &[RoomStay]) -> impl Iterator<Item = Vec<usize>> {
    let mut order: Vec<usize> = (0..stays.len()).collect();
    order.sort_by_key(|stay| (stays[*stay].nights.start, *stay));
    let mut rest = order.into_iter().peekable();
    std::iter::from_fn(move || {
        let first = rest.next()?;
        let mut end = stays[first].nights.end;
        let mut component = vec![first];
        while let Some(next) = rest.next_if(|stay| stays[*stay].nights.start < end) {
            end = end.max(stays[next].nights.end);
            component.push(next);
        }
        Some(component)
    })
}

/// That no night has more stays than there are rooms. The stays are in order of arrival.
pub(super) fn within_counts(rooms: usize, stays: &[RoomStay]) -> Result<(), Fragmented> {
    let mut ends = BinaryHeap::new();
    for stay in stays {
        let night = stay.nights.start;
        while ends.peek().is_some_and(|Reverse(end)| *end <= night) {
            ends.pop();
        }
        ends.push(Reverse(stay.nights.end));
        if ends.len() > rooms {
            let mut crowd: Vec<usize> = (0..stays.len()).collect();
            crowd.retain(|other| stays[*other].nights.contains(&night));
            return Err(Fragmented {
                stays: crowd,
                proven: true,
            });
        }
    }
    Ok(())
}
