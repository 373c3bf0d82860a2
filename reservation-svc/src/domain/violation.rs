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

/// Kinds of mistakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A required field is absent or empty.
    Missing,
    /// Not of the form asked for.
    Invalid,
    /// Too small, too large, too long or too many.
    OutOfRange,
    /// A date that is over.
    Past,
    /// The same thing twice.
    Duplicate,
    /// Does not go with the rest of the request or with what it changes.
    Mismatch,
}

impl Fault {
    /// UPPER_SNAKE_CASE, as in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "MISSING",
            Self::Invalid => "INVALID",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Past => "PAST",
            Self::Duplicate => "DUPLICATE",
            Self::Mismatch => "MISMATCH",
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
