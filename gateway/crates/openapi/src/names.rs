//! Words out of names: `roomTypes` -> `room_type`.

/// The singular of a collection's name, in snake case; a guess that readers of English make too.
pub(crate) fn singular(collection: &str) -> String {
    let snake = snake(collection);
    let cut = |end: usize| snake[..snake.len() - end].to_owned();
    if snake.ends_with("ies") && snake.len() > 3 {
        return format!("{}y", cut(3));
    }
    let is_es = ["sses", "xes", "ches", "shes"];
    if is_es.iter().any(|end| snake.ends_with(end)) {
        return cut(2);
    }
    match snake.ends_with('s') && !snake.ends_with("ss") && snake.len() > 1 {
        true => cut(1),
        false => snake,
    }
}

fn snake(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    for letter in text.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        match letter.is_ascii_alphanumeric() {
            true => out.push(letter.to_ascii_lowercase()),
            false => out.push('_'),
        }
    }
    out
}

/// `Hotel` of `banyan.reservation.v1.Hotel`.
pub(crate) fn last(full_name: &str) -> &str {
    full_name.rsplit('.').next().unwrap_or(full_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_have_singulars() {
        for (collection, want) in [
            ("hotels", "hotel"),
            ("roomTypes", "room_type"),
            ("waitlistEntries", "waitlist_entry"),
            ("cities", "city"),
            ("addresses", "address"),
            ("boxes", "box"),
            ("access", "access"),
            ("data", "data"),
            ("s", "s"),
        ] {
            assert_eq!(singular(collection), want);
        }
    }
}
