//! What has been seen of an object so far, so that nothing counts twice.

use std::borrow::Cow;
use std::collections::HashSet;

use super::bits::Bits;

/// Fields and oneofs by their index in the plan.
#[derive(Default)]
pub(super) struct Seen<'j> {
    pub(super) fields: Bits,
    pub(super) present: Bits,
    pub(super) oneofs: Bits,
    /// Members that name no field; none are kept where one of them is refused anyway.
    unknown: Option<HashSet<Cow<'j, str>>>,
}

impl<'j> Seen<'j> {
    /// Notes a member that names no field; `false` when it was there.
    pub(super) fn is_new(&mut self, key: Cow<'j, str>) -> bool {
        self.unknown.get_or_insert_default().insert(key)
    }
}
