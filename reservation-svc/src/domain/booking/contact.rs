//! Who to reach about a booking. Personal data, so that it stands apart: never logged, never in the feed.

use std::fmt;

use crate::domain::violation::{Fault, Violation};

/// Who to reach about a booking.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// How to address them; may be empty.
    pub display_name: String,
    /// May be empty.
    pub email: String,
    /// May be empty.
    pub phone: String,
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contact(..)")
    }
}

impl Contact {
    /// A contact within the limits of the contract.
    pub fn parse(display_name: &str, email: &str, phone: &str) -> Result<Self, Vec<Violation>> {
        let mut violations = Vec::new();
        for (field, text, chars_max) in [
            ("display_name", display_name, 200),
            ("email", email, 254),
            ("phone", phone, 40),
        ] {
            if text.chars().count() > chars_max {
                let description = format!("must be at most {chars_max} characters");
                violations.push(Violation::new(field, Fault::Range, description));
            } else if text.chars().any(char::is_control) {
                violations.push(Violation::new(
                    field,
                    Fault::Format,
                    "must not contain control characters",
                ));
            }
        }
        if violations.is_empty() && !email.is_empty() && !is_email(email) {
            violations.push(Violation::new(
                "email",
                Fault::Format,
                "must be an address such as guest@example.com",
            ));
        }
        if violations.is_empty() {
            Ok(Self {
                display_name: display_name.to_owned(),
                email: email.to_owned(),
                phone: phone.to_owned(),
            })
        } else {
            Err(violations)
        }
    }
}

/// Whether a text looks like an e-mail address: something on both sides of one `@`, no blanks. Only a mail that
/// arrives proves more.
pub fn is_email(text: &str) -> bool {
    let blank = text.chars().any(|c| c.is_whitespace() || c.is_control());
    match text.split_once('@') {
        Some((local, host)) => {
            !blank && !local.is_empty() && !host.is_empty() && !host.contains('@')
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_have_limits() {
        assert!(Contact::parse("", "", "").is_ok());
        assert!(Contact::parse(&"ж".repeat(200), "a@b", &"1".repeat(40)).is_ok());
        for (name, email, phone, field) in [
            ("ж".repeat(201), "", String::new(), "display_name"),
            (String::new(), "no-at", String::new(), "email"),
            (String::new(), "@b", String::new(), "email"),
            (String::new(), "a@b@c", String::new(), "email"),
            (String::new(), "a b@c", String::new(), "email"),
            (String::new(), "", "1".repeat(41), "phone"),
            ("a\0".into(), "", String::new(), "display_name"),
        ] {
            let violations = Contact::parse(&name, email, &phone).unwrap_err();
            assert_eq!(violations[0].field, field);
        }
        assert!(Contact::parse("", &format!("{}@b", "a".repeat(253)), "").is_err());
    }
}
