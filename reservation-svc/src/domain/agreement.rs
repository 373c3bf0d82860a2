//! What a guest and a venue have agreed beside the claim: who comes, what cancelling costs, and how far it is paid.

use super::{cancellation::Terms, name::BookingId, payment::Payment, sale::Party};

/// What goes with a booking. By default nothing: nobody has said who comes, cancelling is free, nothing is paid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Who comes, where somebody has said.
    pub party: Option<Party>,
    /// What cancelling costs, as of the last sale: when it was made or moved.
    pub terms: Terms,
    /// What cancelling it or parts of it has cost so far, in minor units of its total.
    pub fee_minor: i64,
    /// Whether it is paid.
    pub payment: Payment,
    /// The block that its rooms were picked up from.
    pub block: Option<BookingId>,
}
