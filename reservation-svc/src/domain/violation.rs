//! What is wrong with a request, field by field. All of it is reported at once, not the first mistake only.

/// One wrong field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// A dotted path, such as `contact.email` or `seats.seats[2]`.
    pub field: String,
    /// Why, in a form that programs decide on.
    pub reason: Fault,
    /// What is wrong and what is allowed.
    pub description: String,
}

/// Kinds of mistakes, in the words of all services. TYPE, UNKNOWN and SYNTAX can only be seen at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A required field is absent or empty.
    Missing,
    /// Not of the form asked for.
    Format,
    /// Of the right form, but not one of the values that are allowed: too small, too large, too long, too many, over, or
    /// not going with the rest of the request.
    Range,
    /// The same thing twice.
    Duplicate,
}

impl Fault {
    /// UPPER_SNAKE_CASE, as in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "MISSING",
            Self::Format => "FORMAT",
            Self::Range => "RANGE",
            Self::Duplicate => "DUPLICATE",
        }
    }
}

impl Violation {
    /// A wrong field.
    pub fn new(field: impl Into<String>, reason: Fault, description: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            reason,
            description: description.into(),
        }
    }

    /// The same mistake seen from a message around: `check_in_date` becomes `stay.check_in_date`.
    pub fn within(mut self, parent: &str) -> Self {
        self.field = format!("{parent}.{}", self.field);
        self
    }
}
